/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a version is in force on the whole node, and when it is rolled back because of a
 * refusal.
 */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_time.h"

#include <inttypes.h>

#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/key.h"
#include "mgmt/sync/confirm_well.h"
#include "mgmt/sync/inforce_judge.h"
#include "weir/stats.h"

/* The documented values, not the code's own: a change of those is shown. */
#define STAYS_MS  2000
#define WITHIN_MS 15000
#define AHEAD     2000
#define EARLY     200 /* a process may have the document before the judgement is begun */

/* The other processes of this node: what their pages show. */
static struct shown_process {
	struct stats *stats;
	bool runs, is_behind; /* behind: it has the document before */
	const char *refuses;  /* what a condition says; NULL: none is stated */
} processes[OBSERVE_MGMT];

static struct peers peers;
static struct peers_report *const views = peers.reports;

/* All processes say how they are. */
static void show_processes(void)
{
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++) {
		struct shown_process *of = &processes[p];

		stats_alive(of->stats, of->runs ? told_ms : told_ms - 60000);
		conditions_begin(of->stats, intent_document(this_node.intent) - of->is_behind);
		if (of->refuses)
			conditions_add(of->stats, "port-missing", CONDITION_DEGRADED, "eth1", "%s",
			               of->refuses);
		conditions_end(of->stats);
	}
}

/* It refuses since then. */
static void state_refusal(enum observe_process p, uint64_t since_ms)
{
	uint64_t now_ms = told_ms;

	processes[p].refuses = "there is none";
	told_ms = since_ms;
	show_processes();
	told_ms = now_ms;
}

static void end_refusals(void)
{
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++)
		processes[p].refuses = NULL;
	show_processes();
}

/* The head, whose record a test may forge. */
static struct version *our_head(void)
{
	return &this_node.intent->recent[this_node.intent->n_recent - 1].version;
}

/* A new version, which has @p to for @p from. */
static void make_changed(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);
	struct intent_change change = {
		.files = &files, .author = "jw", .reason = "x", .pending = INTENT_PENDING_IGNORE
	};
	struct intent_changed changed = { 0 };

	told_wall_ms++; /* no two in one millisecond */
	assert_int_equal(intent_change(this_node.intent, &change, told_wall_ms, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/* The same with other words alone. */
static void make_head_at(int64_t within_ms, int64_t ago_ms)
{
	static unsigned n;
	char words[32];

	told_wall_ms++; /* no two in one millisecond */
	snprintf(words, sizeof(words), "# %u", n++);
	lone_node_apply(words, within_ms, told_wall_ms - ago_ms);
}

static void make_head(void)
{
	make_head_at(0, 0);
}

/* A node on which all processes run and have the document of a version, an hour old. */
static int setup(void **state)
{
	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS + 3610000;
	lone_node_open("");
	make_head_at(0, 3600000);
	assert_int_equal(key_follow(this_node.intent, told_wall_ms), 0);
	observe_begin(&this_node);
	peers = (struct peers){ .n_reports = 2 };
	this_node.peers = &peers;
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++) {
		processes[p] = (struct shown_process){ .runs = true };
		assert_int_equal(stats_create(place.root, observe_name(p), 64, &processes[p].stats),
		                 0);
	}
	show_processes();
	return 0;
}

static int teardown(void **state)
{
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++)
		stats_close(processes[p].stats);
	observe_end(&this_node);
	return lone_node_close(state);
}

static enum inforce_state judge_now(void)
{
	uint64_t number = our_head()->number;

	show_processes();
	inforce_judge(&this_node);
	assert_int_equal(this_node.judged.versions[0].number, number);
	return this_node.judged.versions[0].state;
}

/* Look twice a second. @return the state after @p ms */
static enum inforce_state judge_for(uint64_t ms)
{
	enum inforce_state s = INFORCE_UNKNOWN;

	for (uint64_t end_ms = told_ms + ms; told_ms < end_ms;) {
		told_ms += end_ms - told_ms < 500 ? end_ms - told_ms : 500;
		s = judge_now();
	}
	return s;
}

/* Each of the three, not only the first and not only the last. */
static void all_processes_must_have_it(void **state)
{
	(void)state;
	assert_int_equal(judge_now(), INFORCE_DONE);
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++) {
		make_head();
		processes[p].is_behind = true;
		assert_int_equal(judge_now(), INFORCE_PENDING);
		assert_string_equal(this_node.judged.versions[0].process, observe_name(p));
		processes[p].is_behind = false;
		assert_int_equal(judge_now(), INFORCE_DONE);
		make_head();
		state_refusal(p, told_ms);
		judge_now();
		assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
		assert_string_equal(this_node.judged.versions[0].process, observe_name(p));
		end_refusals();
	}
}

/* `apply`, and then a look: a version that moves slots is in force when they have moved. */
static void a_version_is_in_force_when_its_members_are(void **state)
{
	static const char own[] = "address = \"10.1.1.11\"; weight = 100",
	                  other[] = "address = \"10.2.1.11\"; weight = 100", none[] = "# two sites",
	                  less[] = "address = \"10.1.1.11\"; weight = 90";
	static const struct {
		const char *from, *to;
		int64_t effective_ms; /* from now on, as its record says; 0: as it was made */
		uint64_t later_ms, waits_ms; /* later: it is looked at */
		const char *why;
	} cases[] = {
		{ own, less, 0, 0, AHEAD, "its pool changes" },
		{ none, "# d", 0, 0, 0, "no pool changes by it" },
		{ other, "address = \"10.2.1.11\"; weight = 90", 0, 0, 0,
		  "one of another site does" },
		{ own, less, AHEAD - 1, 0, 0, "a drain after it does that" },
		{ own, less, 0, AHEAD + 1, 0, "it is past" },
		{ own, less, AHEAD + 300, 0, AHEAD + 300, "clocks differ" },
		{ own, less, 3600000, 0, AHEAD + 5000, "its maker's clock is wrong" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_changed(cases[i].from, cases[i].to);
		if (cases[i].effective_ms)
			our_head()->effective_ms = told_wall_ms + cases[i].effective_ms;
		told_ms += cases[i].later_ms;
		told_wall_ms += (int64_t)cases[i].later_ms;
		if (cases[i].waits_ms) {
			if (judge_now() != INFORCE_PENDING ||
			    judge_for(cases[i].waits_ms - 1) != INFORCE_PENDING)
				fail_msg("%s: not waited for", cases[i].why);
			told_ms++;
		}
		if (judge_now() != INFORCE_DONE)
			fail_msg("%s", cases[i].why);
		(void)teardown(state); /* a pool has few sets: each case has a node of its own */
		(void)setup(state);
	}
}

/* Time goes on by @p ms, and documents with it. @return the state then */
static enum inforce_state go_on(int64_t ms)
{
	enum inforce_state state = INFORCE_UNKNOWN;

	for (int64_t end_ms = told_wall_ms + ms; told_wall_ms < end_ms;) {
		int64_t step_ms = end_ms - told_wall_ms < 250 ? end_ms - told_wall_ms : 250;

		told_ms += (uint64_t)step_ms;
		told_wall_ms += step_ms;
		(void)intent_tick(this_node.intent, told_wall_ms);
		state = judge_now();
	}
	return state;
}

/* Clocks differ: the change is announced sooner than documents show it. */
static void a_version_waits_for_members_that_no_document_shows_yet(void **state)
{
	(void)state;
	intent_expect_skew(this_node.intent, 1000);
	make_changed("10.1.1.11\"; weight = 100", "10.1.1.11\"; weight = 90");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.judged.versions[0].process, "dataplane");
	assert_int_equal(go_on(AHEAD + 1000 - 250), INFORCE_PENDING);
	assert_int_equal(go_on(500), INFORCE_DONE);
	/* one that changes none is known to be such once documents would show it */
	make_changed("10.1.1.11\"; weight = 100", "10.1.1.11\"; /* as before */ weight = 90");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(go_on(1000 + 500), INFORCE_DONE);
}

/* The version before comes into force again: what counts is when, and not when it was made. */
static void a_version_that_returns_waits_for_its_members(void **state)
{
	(void)state;
	make_changed("10.1.1.11\"; weight = 100", "10.1.1.11\"; weight = 90");
	our_head()->effective_ms = told_wall_ms - 3600000;
	this_node.intent->recent[this_node.intent->n_recent - 1].since_ms = told_wall_ms + AHEAD;
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(AHEAD - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_DONE);
}

/* A document has only the next of the sets to come: that of this version is in a later one. */
static void a_version_waits_behind_a_change_that_comes_first(void **state)
{
	(void)state;
	make_changed("10.1.1.11\"; weight = 100", "10.1.1.11\"; weight = 90");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	told_ms += 1300;
	told_wall_ms += 1300;
	make_changed("10.1.1.11\"; weight = 100", "10.1.1.11\"; weight = 80");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(AHEAD - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_DONE);
}

#define AT(api) "driver = \"auto\"; api = \"https://192.0.2." api ":8443\";"

static void the_api_must_listen_where_the_version_says(void **state)
{
	(void)state;
	make_changed("driver = \"auto\";", AT("1"));
	snprintf(this_node.api.address, sizeof(this_node.api.address), "https://old");
	assert_int_equal(judge_now(), INFORCE_PENDING); /* it was not tried yet */
	assert_string_equal(this_node.judged.versions[0].process, "mgmt");
	assert_int_equal(judge_for(STAYS_MS + 500), INFORCE_PENDING);
	snprintf(this_node.api.address, sizeof(this_node.api.address), "https://192.0.2.1:8443");
	snprintf(this_node.api.fault, sizeof(this_node.api.fault), "no such address");
	this_node.api.failed_ms = told_ms; /* a moment ago: an address may be in use for a while */
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(STAYS_MS - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_REFUSED);
	assert_string_equal(this_node.judged.versions[0].code, "listen-failed");
	assert_string_equal(this_node.judged.versions[0].subject, "https://192.0.2.1:8443");
	assert_non_null(strstr(this_node.judged.versions[0].reason, "no such address"));
	make_changed(
	        "driver = \"auto\";",
	        AT("1") " mtu = 1500;"); /* it failed before this version came: not its doing */
	told_ms += EARLY + 1;
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_changed("driver = \"auto\";", AT("1"));
	this_node.api.fault[0] = '\0';
	snprintf(this_node.api.address, sizeof(this_node.api.address), "%s", "");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	make_head(); /* nothing asks for an API */
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_head(); /* it is to listen no more, and does */
	snprintf(this_node.api.address, sizeof(this_node.api.address), "https://192.0.2.1:8443");
	assert_int_equal(judge_now(), INFORCE_PENDING);
}

/* A version with another key, of which the file has @p key. */
static void make_key_head(const char *id, const char *key)
{
	char line[64];

	fixture_write(place.conf, "hash.key", key);
	snprintf(line, sizeof(line), "hash_key_id = \"%s\"", id);
	make_changed("hash_key_id = \"k1\"", line);
}

static void look_at_key(void)
{
	(void)key_follow(this_node.intent, told_wall_ms);
}

#define KEY(digit) "00112233445566778899aabbccddee" digit digit "\n"

static void a_new_hash_key_must_be_there(void **state)
{
	(void)state;
	make_key_head("k2", KEY("2"));
	assert_int_equal(judge_now(), INFORCE_PENDING); /* the file was not looked at since */
	assert_string_equal(this_node.judged.versions[0].process, "mgmt");
	assert_int_equal(judge_for(STAYS_MS * 2), INFORCE_PENDING);
	look_at_key();
	assert_int_equal(judge_now(), INFORCE_DONE); /* looked at for this version, and right */
	make_key_head("k3", KEY("3"));
	fixture_write(place.conf, "hash.key", KEY("2"));
	judge_for(STAYS_MS * 2);
	look_at_key();
	assert_int_equal(judge_now(), INFORCE_REFUSED);
	assert_string_equal(this_node.judged.versions[0].code, "hash-key-mismatch");
	assert_non_null(strstr(this_node.judged.versions[0].reason, "has fingerprint"));
	make_key_head("k4", KEY("4"));
	fixture_write(place.conf, "hash.key", KEY("2"));
	look_at_key();
	assert_int_equal(judge_now(), INFORCE_PENDING); /* the file may come a moment later */
	assert_int_equal(judge_for(STAYS_MS - EARLY - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_REFUSED);
	make_changed("hash_key_id = \"k1\"", "hash_key_id = /* again */ \"k4\"");
	look_at_key(); /* as before: the node says elsewhere that its file is wrong */
	assert_int_equal(judge_now(), INFORCE_DONE);
}

static void a_document_that_is_not_written_is_in_force_nowhere(void **state)
{
	(void)state;
	make_head();
	snprintf(this_node.intent->unwritten_reason, EVENT_TEXT_MAX, "No space left on device");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.judged.versions[0].reason, "No space left on device");
	assert_int_equal(judge_for(WITHIN_MS), INFORCE_LATE);
	this_node.intent->unwritten_reason[0] = '\0';
	assert_int_equal(judge_now(), INFORCE_DONE);
}

/* Those of before are kept for who waits for them, and say what they said. */
static void earlier_judgements_are_kept(void **state)
{
	const uint64_t first = our_head()->number;

	(void)state;
	judge_now();
	for (uint64_t number = first + 1; number <= first + INFORCE_KEPT; number++) {
		make_head();
		assert_int_equal(our_head()->number, number);
		processes[0].is_behind = number % 2;
		judge_now();
	}
	assert_null(inforce_of(&this_node, first));
	for (uint64_t number = first + 1; number <= first + INFORCE_KEPT; number++) {
		assert_non_null(inforce_of(&this_node, number));
		assert_int_equal(inforce_of(&this_node, number)->state,
		                 number % 2 ? INFORCE_PENDING : INFORCE_DONE);
	}
	processes[0].is_behind = true;
	our_head()->digest[3] ^= 1; /* another version of this number: judged for itself */
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.judged.versions[0].digest, our_head()->digest);
	our_head()->digest[3] ^= 1;
}

static void without_a_head_nothing_is_judged(void **state)
{
	(void)state;
	lone_node_open_with(false, "none yet");
	inforce_judge(&this_node);
	assert_int_equal(this_node.judged.versions[0].number, 0);
}

/* weir-mgmt was started again after the version was made: what came then is the version's doing. */
static void what_came_before_the_start_belongs_to_a_young_version(void **state)
{
	static const struct {
		int64_t age_ms;    /* of the version, as the wall clock has it */
		uint64_t since_ms; /* ago: the refusal */
		bool refused;
	} rows[] = {
		{ 30000, 30000, true },
		{ 30000, 30000 + EARLY, true },
		{ 30000, 30000 + EARLY + 1, false },
		{ 59999, 50000, true },
		{ 60000, 50000, false },
		{ 3600000, 50000, false },
		{ -5000, EARLY, true },
		{ -5000, EARLY + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(this_node.judged.versions, 0, sizeof(this_node.judged.versions));
		end_refusals();
		told_wall_ms = our_head()->time_ms + rows[i].age_ms;
		state_refusal(OBSERVE_DATAPLANE, told_ms - rows[i].since_ms);
		enum inforce_state s = judge_now();
		if (s == INFORCE_PENDING)
			s = judge_for(3 * STAYS_MS); /* one of a clock that is ahead takes longer */
		if (s != (rows[i].refused ? INFORCE_REFUSED : INFORCE_DONE))
			fail_msg("row %zu: %s", i, inforce_text(s));
	}
	end_refusals();
	told_wall_ms += 40000;
	make_head(); /* shown from its beginning: how old it is does not matter */
	told_wall_ms = our_head()->time_ms + 30000;
	state_refusal(OBSERVE_DATAPLANE, told_ms - 20000);
	assert_int_equal(judge_now(), INFORCE_DONE);
}

static void a_version_may_be_older_than_the_boot(void **state)
{
	(void)state;
	memset(this_node.judged.versions, 0, sizeof(this_node.judged.versions));
	told_wall_ms = our_head()->time_ms + 30000;
	told_ms = 8000;
	state_refusal(OBSERVE_DATAPLANE, 7000);
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
}

static uint64_t unconfirmed; /* its number */

/* Why it was ended; "": it was not. */
static const char *end_reason(void)
{
	static char reason[VERSION_REASON_MAX];
	struct shared_record r = { .text = NULL };
	char name[32];

	snprintf(name, sizeof(name), "mark/%" PRIu64, unconfirmed);
	int err = copy_read(intent_store(this_node.intent), name, &r);
	json_t *mark = err || !r.text ? NULL : json_loads(r.text, 0, NULL);
	const char *text = json_string_value(json_object_get(mark, "reason"));

	snprintf(reason, sizeof(reason), "%s", text ? text : "");
	assert_int_equal(!*reason, our_head()->number == unconfirmed);
	json_decref(mark);
	free(r.text);
	return reason;
}

static void make_unconfirmed(const char *by)
{
	memset(this_node.judged.versions, 0, sizeof(this_node.judged.versions));
	memset(views, 0, 2 * sizeof(*views));
	end_refusals();
	if (our_head()->confirm_by_ms) /* of before */
		assert_int_equal(
		        intent_decide_unconfirmed(this_node.intent, CHAIN_ENDED, "x", told_wall_ms),
		        0);
	make_head_at(60000, 0);
	unconfirmed = our_head()->number;
	snprintf(our_head()->node, sizeof(our_head()->node), "%s", by);
	snprintf(views[1].node, sizeof(views[1].node), "fra-1");
	views[1].state = PEERS_AGREED;
	views[1].inforce =
	        (struct inforce){ .number = our_head()->number, .state = INFORCE_REFUSED };
	snprintf(views[1].inforce.digest, DIGEST_TEXT_MAX, "%s", our_head()->digest);
	snprintf(views[1].inforce.process, sizeof(views[1].inforce.process), "dns");
	snprintf(views[1].inforce.reason, sizeof(views[1].inforce.reason), "no address");
}

/* Whoever made it takes it back when a node refuses it: of this very version, and heard. */
static void the_maker_rolls_back_what_a_peer_refuses(void **state)
{
	(void)state;
	make_unconfirmed("ams-1");
	judge_now();
	assert_non_null(strstr(end_reason(), "is refused on fra-1: weir-dns: no address"));
	assert_true(this_node.judged.versions[0].rolled_back);
	for (int i = 0; i < 5; i++) {
		make_unconfirmed(i == 4 ? "fra-1" : "ams-1");
		if (i == 0)
			views[1].state = PEERS_UNREACHABLE; /* what it said before */
		if (i == 1)
			views[1].inforce.state = INFORCE_LATE;
		if (i == 2)
			views[1].inforce.number--;
		if (i == 3)
			views[1].inforce.digest[3] ^= 1;
		judge_now();
		assert_int_equal(judge_for(2 * WITHIN_MS), INFORCE_DONE);
		assert_string_equal(end_reason(), "");
		assert_false(this_node.judged.versions[0].rolled_back);
	}
	make_unconfirmed("ams-1");
	our_head()->confirm_by_ms = 0; /* confirmed: it stays, whoever refuses it */
	judge_now();
	assert_string_equal(end_reason(), "");
}

/* The record has room for 255 bytes: a longer reason ends after a word, or between characters. */
static void the_reason_of_a_rollback_is_cut_after_a_word(void **state)
{
	static const char start[] = "version ", word[] = "sixteen-letters ";
	char *why = views[1].inforce.reason, whole[sizeof(views[1].inforce.reason) + 80];

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		make_unconfirmed("ams-1");
		for (size_t i = 0; i + 1 < 200 + more * 100; i++)
			why[i] = word[i % strlen(word)];
		judge_now();
		snprintf(whole, sizeof(whole), "is refused on fra-1: weir-dns: %s", why);
		assert_int_equal(strncmp(end_reason(), start, strlen(start)), 0);
		assert_in_range(strlen(end_reason()), 220, 255);
		assert_int_equal(strstr(end_reason(), whole) != NULL, !more);
		assert_int_equal(strstr(end_reason(), "sixteen-letters …") != NULL, more);
	}
	make_unconfirmed("ams-1");
	for (size_t i = 0; i < 250; i++)
		why[i] = "ä"[i % 2];
	judge_now();
	assert_in_range(strlen(end_reason()), 250, 255);
	assert_non_null(strstr(end_reason(), "ää …"));
}

/* If the maker is dead the node that refuses it itself waits for it first. */
static void a_node_rolls_back_what_it_refuses_itself(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++) {
		make_unconfirmed(own ? "ams-1" : "fra-1");
		memset(views, 0, 2 * sizeof(*views));
		state_refusal(OBSERVE_HEALTH, told_ms);
		judge_now();
		assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
		assert_int_equal(*end_reason() != '\0', own);
		if (own)
			continue;
		judge_for(WITHIN_MS - STAYS_MS - EARLY - 1);
		assert_string_equal(end_reason(), "");
		judge_for(1);
		assert_non_null(strstr(end_reason(), "is refused on ams-1: weir-health: eth1: "));
	}
}

static uint64_t own_age_ms; /* of the node's own judgement */

/* A version that is confirmed by that, made @p by a node; all nodes are well with it. */
static void make_waiting(const char *by, int64_t well_for_ms)
{
	make_unconfirmed(by);
	our_head()->well_for_ms = well_for_ms;
	this_node.judged.trouble_known = true;
	this_node.judged.trouble_ms = told_ms;
	this_node.judged.trouble[0] = '\0';
	own_age_ms = 0;
	for (size_t i = 0; i < 2; i++) {
		snprintf(views[i].node, sizeof(views[i].node), "fra-%zu", i + 1);
		views[i].state = PEERS_AGREED;
		views[i].trouble_known = true;
		views[i].inforce = (struct inforce){ .number = unconfirmed, .state = INFORCE_DONE };
		snprintf(views[i].inforce.digest, DIGEST_TEXT_MAX, "%s", our_head()->digest);
	}
}

/* Look twice a second, at words of peers that are so old. @return whether the version is confirmed then */
static bool watch_for(uint64_t ms, uint64_t age_ms)
{
	for (uint64_t end_ms = told_ms + ms; told_ms < end_ms;) {
		told_ms += end_ms - told_ms < 500 ? end_ms - told_ms : 500;
		/* a judgement in a word may be older than the word */
		views[0].answered_ms = told_ms - age_ms + INFORCE_TROUBLE_MS;
		views[1].answered_ms = told_ms + INFORCE_TROUBLE_MS;
		this_node.judged.trouble_ms = told_ms - own_age_ms;
		judge_now();
	}
	assert_int_equal(our_head()->number, unconfirmed);
	return !our_head()->confirm_by_ms;
}

#define WELL_MS 5000

static void a_version_is_confirmed_once_all_nodes_are_well(void **state)
{
	char said[CONFIRM_WELL_TEXT_MAX];

	(void)state;
	for (uint64_t age_ms = 0; age_ms <= 3000; age_ms += 3000) {
		make_waiting("ams-1", WELL_MS);
		judge_now();
		assert_false(watch_for(WELL_MS + age_ms - 1, age_ms)); /* it is not known before */
		confirm_well_say(&this_node, said);
		assert_non_null(strstr(
		        said,
		        "it is confirmed once all nodes are well for 5s (they are well since 20"));
		assert_true(watch_for(1, age_ms));
		confirm_well_say(&this_node, said);
		assert_string_equal(said, "");
	}
	make_waiting("fra-1", WELL_MS); /* that one looks at it */
	assert_false(watch_for(4 * WELL_MS, 0));
	confirm_well_say(&this_node, said);
	assert_string_equal(said, "fra-1 confirms it once all nodes are well for 5s");
	make_waiting("ams-1", 0);
	assert_false(watch_for(4 * WELL_MS, 0));
}

/* What is not known is not well, and each trouble begins the time again. */
static void a_version_is_not_confirmed_amid_trouble(void **state)
{
	static const char *const says[] = {
		"ams-1: backend-down b1",
		"ams-1: it is not known whether it is well",
		"fra-2: backend-down b1",
		"fra-2: it is not known whether it is well",
		"fra-2: unreachable",
		"fra-2: the version is not in force there",
		"fra-2: the version is not in force there",
		"fra-2: the version is not in force there",
	};
	char said[CONFIRM_WELL_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(says) / sizeof(*says); i++) {
		make_waiting("ams-1", WELL_MS);
		judge_now();
		assert_false(watch_for(WELL_MS - 1, 0));
		const struct peers_report well = views[1];
		if (i == 0)
			snprintf(this_node.judged.trouble, INFORCE_TROUBLE_MAX, "backend-down b1");
		this_node.judged.trouble_known = i != 1;
		if (i == 2)
			snprintf(views[1].trouble, INFORCE_TROUBLE_MAX, "backend-down b1");
		views[1].trouble_known = i != 3;
		if (i == 4)
			views[1].state = PEERS_UNREACHABLE;
		if (i == 5)
			views[1].inforce.state = INFORCE_LATE;
		if (i == 6)
			views[1].inforce.number--;
		if (i == 7)
			views[1].inforce.digest[3] ^= 1;
		assert_false(watch_for(2 * WELL_MS, 0));
		confirm_well_say(&this_node, said);
		char wanted[CONFIRM_WELL_TEXT_MAX];
		snprintf(wanted, sizeof(wanted),
		         "it is confirmed once all nodes are well for 5s (now %s)", says[i]);
		assert_string_equal(said, wanted);
		this_node.judged.trouble[0] = '\0';
		this_node.judged.trouble_known = true;
		views[1] = well;
		judge_now();
		assert_false(watch_for(WELL_MS - 1, 0));
		assert_true(watch_for(1, 0));
	}
}

/* What came and went between two looks, here or between two words of a peer, is seen by its number. */
static void a_trouble_that_is_over_begins_the_time_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_waiting("ams-1", WELL_MS);
		judge_now();
		assert_false(watch_for(WELL_MS - 1, 0));
		this_node.judged.troubles += i == 0;
		views[0].troubles += i == 1;
		views[1].troubles += i == 2;
		judge_now();
		assert_false(watch_for(WELL_MS - 1, 0));
		assert_true(watch_for(1, 0));
	}
}

/* Of a node whose judgements stop nothing is known, at itself either. */
static void an_old_judgement_proves_nothing(void **state)
{
	char said[CONFIRM_WELL_TEXT_MAX];

	(void)state;
	make_waiting("ams-1", WELL_MS);
	judge_now();
	own_age_ms = 3000;
	assert_false(watch_for(WELL_MS + 2999, 0));
	assert_true(watch_for(1, 0));
	make_waiting("ams-1", WELL_MS);
	judge_now();
	own_age_ms = INFORCE_TROUBLE_MS;
	assert_false(watch_for(4 * WELL_MS, 0));
	confirm_well_say(&this_node, said);
	assert_non_null(strstr(said, "(now ams-1: it is not known whether it is well)"));
}

/* Who did not look does not know what was meanwhile. */
static void a_stop_of_the_maker_begins_the_time_again(void **state)
{
	(void)state;
	for (uint64_t stop_ms = 5000; stop_ms <= 5001; stop_ms++) {
		make_waiting("ams-1", 4 * WELL_MS);
		judge_now();
		assert_false(watch_for(WELL_MS, 0));
		told_ms += stop_ms;
		this_node.judged.trouble_ms = told_ms;
		judge_now();
		assert_int_equal(watch_for(3 * WELL_MS - stop_ms, 0), stop_ms == 5000);
	}
}

static void events_tell_of_what_is_not_in_force_once(void **state)
{
	struct journal *j = intent_journal(this_node.intent);
	uint64_t before = journal_last(j);

	(void)state;
	judge_now();
	assert_int_equal(journal_last(j), before); /* in force: no news */
	make_head();
	before = journal_last(j);
	processes[1].runs = false;
	assert_int_equal(judge_for(WITHIN_MS - 1), INFORCE_PENDING);
	assert_int_equal(journal_last(j), before);
	assert_int_equal(judge_for(1000), INFORCE_LATE);
	assert_int_equal(journal_last(j), before + 1);
	assert_non_null(
	        strstr(journal_find(j, before + 1)->message,
	               "version 3 did not take effect in time on this node: weir-health: no sign"));
	judge_for(5000);
	assert_int_equal(journal_last(j), before + 1);
	processes[1].runs = true;
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_head();
	before = journal_last(j);
	state_refusal(OBSERVE_DNS, told_ms);
	judge_now();
	assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
	assert_int_equal(journal_last(j), before + 1);
	assert_non_null(
	        strstr(journal_find(j, before + 1)->message, "version 4 was refused on this node"));
}

static void a_judgement_comes_back_from_a_peer_as_it_was(void **state)
{
	struct inforce f = { .number = 5,
		             .process = "dns",
		             .code = "listen-failed",
		             .subject = "192.0.2.1",
		             .reason = "no such address" },
	               back;

	(void)state;
	memset(f.digest, 'a', DIGEST_TEXT_MAX - 1);
	for (int s = INFORCE_PENDING; s <= INFORCE_LATE; s++) {
		f.state = (enum inforce_state)s;
		json_t *told = inforce_to_json(&f);
		back = inforce_from_json(told);
		assert_int_equal(back.number, 5);
		assert_int_equal(back.state, s);
		assert_string_equal(back.digest, f.digest);
		assert_string_equal(back.process, "dns");
		assert_string_equal(back.code, "listen-failed");
		assert_string_equal(back.subject, "192.0.2.1");
		assert_string_equal(back.reason, "no such address");
		json_object_set_new(told, "number", json_integer(s == 1 ? 0 : s == 2 ? -1 : 5));
		json_object_set_new(told, "state", json_string(s == 3 ? "sure" : inforce_text(s)));
		back = inforce_from_json(told);
		assert_int_equal(back.number, s == 4 ? 5 : 0);
		assert_int_equal(back.state, s == 4 ? INFORCE_LATE : INFORCE_UNKNOWN);
		json_decref(told);
	}
	f.number = 0;
	json_t *none = inforce_to_json(&f);
	assert_true(json_is_null(none));
	json_decref(none);
}

SUITE(inforce_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_processes_must_have_it),
		T(a_version_is_in_force_when_its_members_are),
		T(the_api_must_listen_where_the_version_says),
		T(a_new_hash_key_must_be_there),
		T(a_document_that_is_not_written_is_in_force_nowhere),
		T(a_version_waits_for_members_that_no_document_shows_yet),
		T(a_version_that_returns_waits_for_its_members),
		T(a_version_waits_behind_a_change_that_comes_first),
		T(earlier_judgements_are_kept),
		cmocka_unit_test_teardown(without_a_head_nothing_is_judged, lone_node_close),
		T(what_came_before_the_start_belongs_to_a_young_version),
		T(a_version_may_be_older_than_the_boot),
		T(the_maker_rolls_back_what_a_peer_refuses),
		T(the_reason_of_a_rollback_is_cut_after_a_word),
		T(a_node_rolls_back_what_it_refuses_itself),
		T(a_version_is_confirmed_once_all_nodes_are_well),
		T(a_version_is_not_confirmed_amid_trouble),
		T(a_trouble_that_is_over_begins_the_time_again),
		T(an_old_judgement_proves_nothing),
		T(a_stop_of_the_maker_begins_the_time_again),
		T(events_tell_of_what_is_not_in_force_once),
		T(a_judgement_comes_back_from_a_peer_as_it_was),
	};

	told_time_begin(TOLD_APART);
	return cmocka_run_group_tests_name("in force parts", tests, NULL, NULL);
}
