/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a version is in force on the whole node, and when it is rolled back because of a
 * refusal.
 */
#include "asked.h"

#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/store/key.h"

/* The documented values, not the code's own: a change of those is shown. */
#define STAYS_MS  2000
#define WITHIN_MS 15000
#define AHEAD     2000
#define EARLY     200 /* a process may have the document before the judgement is begun */

#define DOCUMENT 7

static uint64_t fake_ms;
static int64_t fake_wall_ms;
static const struct model *fake_model;
static struct version our_head;
static struct intent_key our_key;
static bool key_new;
static const char *unwritten_reason;
static struct gather_process shown[OBSERVE_COUNT];
static struct conditions stated[OBSERVE_COUNT];
static struct peers_report views[2];
static unsigned n_rolled_back;
static char rolled_back_why[512];

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static int64_t fake_clock_wall_ms(void)
{
	return fake_wall_ms;
}

static const struct model *fake_intent_model(const struct intent *in)
{
	(void)in;
	return fake_model;
}

static const struct version *fake_head(const struct intent *in)
{
	(void)in;
	return our_head.number ? &our_head : NULL;
}

static uint64_t fake_document(const struct intent *in)
{
	(void)in;
	return DOCUMENT;
}

static const char *fake_write_why(const struct intent *in)
{
	(void)in;
	return unwritten_reason;
}

static const struct intent_key *fake_key_seen(const struct intent *in)
{
	(void)in;
	return &our_key;
}

static bool fake_key_is_new(const struct intent *in)
{
	(void)in;
	return key_new;
}

static struct gather_process fake_look(struct core *core, enum observe_process p,
                                       struct conditions *c)
{
	(void)core;
	*c = stated[p];
	c->at_ms = fake_ms; /* each goes on stating */
	return shown[p];
}

static size_t fake_peers_view(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = views;
	return 2;
}

static int fake_roll_back(struct intent *in, const char *why, int64_t now_ms)
{
	(void)in;
	(void)now_ms;
	n_rolled_back++;
	snprintf(rolled_back_why, sizeof(rolled_back_why), "%s", why);
	return 0;
}

/* The private parts too. */
#define clock_mono_ms                fake_mono_ms
#define clock_realtime_ms            fake_clock_wall_ms
#define clock_believed_ms            fake_clock_wall_ms
#define intent_model                 fake_intent_model
#define intent_head                  fake_head
#define intent_document              fake_document
#define intent_unwritten_reason      fake_write_why
#define intent_roll_back_unconfirmed fake_roll_back
#define key_status                   fake_key_seen
#define key_is_new                   fake_key_is_new
#define observe_look                 fake_look
#define peers_report(core, out)      fake_peers_view(core, out)
#include "mgmt/sync/inforce_judge.c"
#undef peers_report

static const struct model_node self = { .name = "ams-1", .api = "https://a1" };
static const struct model one = { .cluster = "shop", .self = &self };

static void make_head(uint64_t number, char digit)
{
	our_head = (struct version){ .number = number, .time_ms = fake_wall_ms };
	memset(our_head.digest, digit, DIGEST_TEXT_MAX - 1);
	snprintf(our_head.node, sizeof(our_head.node), "ams-1");
}

/* A node on which all processes run and have the document that has version 2, an hour old. */
static int setup(void **state)
{
	(void)asked_setup(state);
	fake_ms = 1000000;
	fake_wall_ms = NOW_MS;
	fake_model = &one;
	make_head(2, 'a');
	our_head.time_ms = NOW_MS - 3600000;
	our_key = (struct intent_key){ .number = 2 };
	key_new = false;
	unwritten_reason = "";
	memset(views, 0, sizeof(views));
	n_rolled_back = 0;
	for (size_t i = 0; i < OBSERVE_COUNT; i++) {
		shown[i] = (struct gather_process){ .present = true,
			                            .running = true,
			                            .document = DOCUMENT,
			                            .has_conditions = true };
		stated[i] = (struct conditions){ .document = DOCUMENT, .at_ms = fake_ms };
	}
	snprintf(this_node.api, sizeof(this_node.api), "https://a1");
	this_node.peers = (struct peers *)(uintptr_t)views; /* there are some */
	return 0;
}

static enum inforce_state judge_now(void)
{
	inforce_judge(&this_node);
	assert_int_equal(this_node.inforce[0].number, our_head.number);
	return this_node.inforce[0].state;
}

/* Look twice a second. @return the state after @p ms */
static enum inforce_state judge_for(uint64_t ms)
{
	enum inforce_state s = INFORCE_UNKNOWN;

	for (uint64_t end_ms = fake_ms + ms; fake_ms < end_ms;) {
		fake_ms += end_ms - fake_ms < 500 ? end_ms - fake_ms : 500;
		s = judge_now();
	}
	return s;
}

static void state_refusal(enum observe_process p, uint64_t since_ms)
{
	struct condition *c = &stated[p].items[stated[p].n++];

	*c = (struct condition){ .level = CONDITION_DEGRADED, .since_ms = since_ms };
	snprintf(c->code, sizeof(c->code), "port-missing");
	snprintf(c->subject, sizeof(c->subject), "eth1");
	snprintf(c->text, sizeof(c->text), "there is none");
}

/* Each of the three, not only the first and not only the last. */
static void all_processes_must_have_it(void **state)
{
	(void)state;
	assert_int_equal(judge_now(), INFORCE_DONE);
	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++) {
		make_head(3 + p, 'b');
		shown[p].document = stated[p].document = DOCUMENT - 1;
		assert_int_equal(judge_now(), INFORCE_PENDING);
		assert_string_equal(this_node.inforce[0].process, observe_name(p));
		shown[p].document = stated[p].document = DOCUMENT;
		assert_int_equal(judge_now(), INFORCE_DONE);
		make_head(10 + p, 'b');
		state_refusal(p, fake_ms);
		judge_now();
		assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
		assert_string_equal(this_node.inforce[0].process, observe_name(p));
		stated[p].n = 0;
	}
}

/* The same node with a pool of its site, and one of another, whose members change at the given instants. */
static void change_members(int64_t own_ms, int64_t other_ms)
{
	static struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
	static struct model_node at_ams;
	static struct model_set sets[2][2];
	static struct model_pool pools[2];
	static struct model two;

	at_ams = self;
	at_ams.site = &ams;
	sets[0][1].from_ms = own_ms;
	sets[1][1].from_ms = other_ms;
	pools[0] = (struct model_pool){ .site = &ams, .member_sets = sets[0], .n_member_sets = 2 };
	pools[1] = (struct model_pool){ .site = &fra, .member_sets = sets[1], .n_member_sets = 2 };
	two = one;
	two.self = &at_ams;
	two.pools = pools;
	two.n_pools = 2;
	fake_model = &two;
}

/* `apply`, and then a look: a version that moves slots is in force when they have moved. */
static void a_version_is_in_force_when_its_members_are(void **state)
{
	static const struct {
		int64_t ahead_ms, own_ms, other_ms;
		uint64_t waits_ms;
		const char *why;
	} cases[] = {
		{ AHEAD, AHEAD, 0, AHEAD, "its pool changes" },
		{ AHEAD, AHEAD, 0, AHEAD, "and again" },
		{ AHEAD, 0, 0, 0, "no pool changes by it" },
		{ AHEAD, 0, AHEAD, 0, "one of another site does" },
		{ AHEAD, 700, 0, AHEAD,
		  "another change comes first; its own is in a later document" },
		{ AHEAD, AHEAD + 1, 0, 0, "a drain after it does that" },
		{ -1, -1, 0, 0, "it is past" },
		{ AHEAD + 300, AHEAD + 300, 0, AHEAD + 300, "clocks differ" },
		{ 3600000, 3600000, 0, AHEAD + 5000, "its maker's clock is wrong" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_head(3 + i, 'b');
		our_head.effective_ms = fake_wall_ms + cases[i].ahead_ms;
		change_members(cases[i].own_ms ? fake_wall_ms + cases[i].own_ms : 0,
		               cases[i].other_ms ? fake_wall_ms + cases[i].other_ms : 0);
		if (cases[i].waits_ms) {
			assert_int_equal(judge_now(), INFORCE_PENDING);
			assert_int_equal(judge_for(cases[i].waits_ms - 1), INFORCE_PENDING);
			assert_int_equal(judge_for(1), INFORCE_DONE);
		}
		if (judge_now() != INFORCE_DONE)
			fail_msg("%s", cases[i].why);
		fake_wall_ms += 10000;
		fake_ms += 10000;
	}
}

static void the_api_must_listen_where_the_version_says(void **state)
{
	(void)state;
	snprintf(this_node.api, sizeof(this_node.api), "https://old");
	assert_int_equal(judge_now(), INFORCE_PENDING); /* it was not tried yet */
	assert_string_equal(this_node.inforce[0].process, "mgmt");
	assert_int_equal(judge_for(STAYS_MS + 500), INFORCE_PENDING);
	snprintf(this_node.api, sizeof(this_node.api), "https://a1");
	snprintf(this_node.api_fault, sizeof(this_node.api_fault), "no such address");
	this_node.api_failed_ms = fake_ms; /* a moment ago: an address may be in use for a while */
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(STAYS_MS - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_REFUSED);
	assert_string_equal(this_node.inforce[0].code, "listen-failed");
	assert_string_equal(this_node.inforce[0].subject, "https://a1");
	assert_non_null(strstr(this_node.inforce[0].reason, "no such address"));
	make_head(3, 'b'); /* it failed before this version came: not its doing */
	fake_ms += EARLY + 1;
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_head(4, 'c');
	this_node.api_fault[0] = '\0';
	snprintf(this_node.api, sizeof(this_node.api), "%s", "");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	fake_model = NULL; /* nothing asks for an API */
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_head(5, 'd'); /* it is to listen no more, and does */
	snprintf(this_node.api, sizeof(this_node.api), "https://a1");
	assert_int_equal(judge_now(), INFORCE_PENDING);
}

static void a_new_hash_key_must_be_there(void **state)
{
	(void)state;
	key_new = true;
	assert_int_equal(judge_now(), INFORCE_DONE); /* looked at for this version, and right */
	make_head(3, 'b');
	our_key.wrong = true;
	snprintf(our_key.reason, sizeof(our_key.reason), "another file");
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.inforce[0].process, "mgmt");
	assert_int_equal(judge_for(STAYS_MS * 2),
	                 INFORCE_PENDING); /* the file was not looked at since */
	our_key.number = 3;
	assert_int_equal(judge_now(), INFORCE_REFUSED);
	assert_string_equal(this_node.inforce[0].code, "hash-key-mismatch");
	assert_string_equal(this_node.inforce[0].reason, "another file");
	make_head(4, 'c');
	our_key.number = 4;
	assert_int_equal(judge_now(), INFORCE_PENDING); /* the file may come a moment later */
	assert_int_equal(judge_for(STAYS_MS - EARLY - 1), INFORCE_PENDING);
	assert_int_equal(judge_for(1), INFORCE_REFUSED);
	make_head(5, 'd');
	key_new = false; /* as before: the node says elsewhere that its file is wrong */
	assert_int_equal(judge_now(), INFORCE_DONE);
}

static void a_document_that_is_not_written_is_in_force_nowhere(void **state)
{
	(void)state;
	unwritten_reason = "No space left on device";
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.inforce[0].reason, "No space left on device");
	assert_int_equal(judge_for(WITHIN_MS), INFORCE_LATE);
	unwritten_reason = "";
	assert_int_equal(judge_now(), INFORCE_DONE);
}

/* Those of before are kept for who waits for them, and say what they said. */
static void earlier_judgements_are_kept(void **state)
{
	(void)state;
	for (uint64_t number = 2; number < 2 + INFORCE_KEPT + 1; number++) {
		make_head(number, (char)('a' + (int)number % 6));
		shown[0].document = stated[0].document = number % 2 ? DOCUMENT : DOCUMENT - 1;
		judge_now();
	}
	assert_null(inforce_of(&this_node, 2));
	for (uint64_t number = 3; number < 2 + INFORCE_KEPT + 1; number++) {
		assert_non_null(inforce_of(&this_node, number));
		assert_int_equal(inforce_of(&this_node, number)->state,
		                 number % 2 ? INFORCE_DONE : INFORCE_PENDING);
	}
	make_head(10, 'f'); /* another version of this number: judged for itself */
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_string_equal(this_node.inforce[0].digest, our_head.digest);
	our_head.number = 0;
	inforce_judge(&this_node); /* without a head nothing is judged */
	assert_int_equal(this_node.inforce[0].number, 10);
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
		memset(this_node.inforce, 0, sizeof(this_node.inforce));
		make_head(2, 'a');
		our_head.time_ms = fake_wall_ms - rows[i].age_ms;
		stated[0].n = 0;
		state_refusal(OBSERVE_DATAPLANE, fake_ms - rows[i].since_ms);
		enum inforce_state s = judge_now();
		if (s == INFORCE_PENDING)
			s = judge_for(STAYS_MS);
		if (s != (rows[i].refused ? INFORCE_REFUSED : INFORCE_DONE))
			fail_msg("row %zu: %s", i, inforce_text(s));
	}
	stated[0].n = 0;
	make_head(3, 'b'); /* shown from its beginning: how old it is does not matter */
	our_head.time_ms = fake_wall_ms - 30000;
	state_refusal(OBSERVE_DATAPLANE, fake_ms - 20000);
	assert_int_equal(judge_now(), INFORCE_DONE);
}

static void a_version_may_be_older_than_the_boot(void **state)
{
	(void)state;
	memset(this_node.inforce, 0, sizeof(this_node.inforce));
	make_head(2, 'a');
	our_head.time_ms = fake_wall_ms - 30000;
	fake_ms = 8000;
	stated[0].n = 0;
	state_refusal(OBSERVE_DATAPLANE, 7000);
	assert_int_equal(judge_now(), INFORCE_PENDING);
	assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
}

static void make_unconfirmed(const char *by)
{
	memset(this_node.inforce, 0, sizeof(this_node.inforce));
	memset(views, 0, sizeof(views));
	for (size_t i = 0; i < OBSERVE_COUNT; i++)
		stated[i].n = 0;
	n_rolled_back = 0;
	make_head(our_head.number + 1, 'c');
	our_head.confirm_by_ms = NOW_MS + 60000;
	snprintf(our_head.node, sizeof(our_head.node), "%s", by);
	snprintf(views[1].node, sizeof(views[1].node), "fra-1");
	views[1].state = PEERS_AGREED;
	views[1].inforce = (struct inforce){ .number = our_head.number, .state = INFORCE_REFUSED };
	snprintf(views[1].inforce.digest, DIGEST_TEXT_MAX, "%s", our_head.digest);
	snprintf(views[1].inforce.process, sizeof(views[1].inforce.process), "dns");
	snprintf(views[1].inforce.reason, sizeof(views[1].inforce.reason), "no address");
}

/* Whoever made it takes it back when a node refuses it: of this very version, and heard. */
static void the_maker_rolls_back_what_a_peer_refuses(void **state)
{
	(void)state;
	make_unconfirmed("ams-1");
	judge_now();
	assert_int_equal(n_rolled_back, 1);
	assert_non_null(strstr(rolled_back_why, "is refused on fra-1: weir-dns: no address"));
	assert_true(this_node.inforce[0].rolled_back);
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
		assert_int_equal(n_rolled_back, 0);
		assert_false(this_node.inforce[0].rolled_back);
	}
	make_unconfirmed("ams-1");
	our_head.confirm_by_ms = 0; /* confirmed: it stays, whoever refuses it */
	judge_now();
	assert_int_equal(n_rolled_back, 0);
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
		assert_int_equal(n_rolled_back, 1);
		snprintf(whole, sizeof(whole), "is refused on fra-1: weir-dns: %s", why);
		assert_int_equal(strncmp(rolled_back_why, start, strlen(start)), 0);
		assert_in_range(strlen(rolled_back_why), 220, 255);
		assert_int_equal(strstr(rolled_back_why, whole) != NULL, !more);
		assert_int_equal(strstr(rolled_back_why, "sixteen-letters …") != NULL, more);
	}
	make_unconfirmed("ams-1");
	for (size_t i = 0; i < 300; i++)
		why[i] = "ä"[i % 2];
	judge_now();
	assert_in_range(strlen(rolled_back_why), 250, 255);
	assert_non_null(strstr(rolled_back_why, "ää …"));
}

/* If the maker is dead the node that refuses it itself waits for it first. */
static void a_node_rolls_back_what_it_refuses_itself(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++) {
		make_unconfirmed(own ? "ams-1" : "fra-1");
		memset(views, 0, sizeof(views));
		state_refusal(OBSERVE_HEALTH, fake_ms);
		judge_now();
		assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
		assert_int_equal(n_rolled_back, own);
		if (own)
			continue;
		judge_for(WITHIN_MS - STAYS_MS - EARLY - 1);
		assert_int_equal(n_rolled_back, 0);
		judge_for(1);
		assert_int_equal(n_rolled_back, 1);
		assert_non_null(
		        strstr(rolled_back_why, "is refused on ams-1: weir-health: eth1: "));
	}
}

static void events_tell_of_what_is_not_in_force_once(void **state)
{
	struct journal *j = intent_journal(this_node.intent);
	uint64_t before = journal_last(j);

	(void)state;
	judge_now();
	assert_int_equal(journal_last(j), before); /* in force: no news */
	make_head(3, 'b');
	shown[1].running = false;
	assert_int_equal(judge_for(WITHIN_MS - 1), INFORCE_PENDING);
	assert_int_equal(journal_last(j), before);
	assert_int_equal(judge_for(1000), INFORCE_LATE);
	assert_int_equal(journal_last(j), before + 1);
	assert_non_null(
	        strstr(journal_find(j, before + 1)->message,
	               "version 3 did not take effect in time on this node: weir-health: no sign"));
	judge_for(5000);
	assert_int_equal(journal_last(j), before + 1);
	shown[1].running = true;
	assert_int_equal(judge_now(), INFORCE_DONE);
	make_head(4, 'c');
	state_refusal(OBSERVE_DNS, fake_ms);
	judge_now();
	assert_int_equal(judge_for(STAYS_MS), INFORCE_REFUSED);
	assert_int_equal(journal_last(j), before + 2);
	assert_non_null(
	        strstr(journal_find(j, before + 2)->message, "version 4 was refused on this node"));
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(all_processes_must_have_it),
		T(a_version_is_in_force_when_its_members_are),
		T(the_api_must_listen_where_the_version_says),
		T(a_new_hash_key_must_be_there),
		T(a_document_that_is_not_written_is_in_force_nowhere),
		T(earlier_judgements_are_kept),
		T(what_came_before_the_start_belongs_to_a_young_version),
		T(a_version_may_be_older_than_the_boot),
		T(the_maker_rolls_back_what_a_peer_refuses),
		T(the_reason_of_a_rollback_is_cut_after_a_word),
		T(a_node_rolls_back_what_it_refuses_itself),
		T(events_tell_of_what_is_not_in_force_once),
		T(a_judgement_comes_back_from_a_peer_as_it_was),
	};

	return cmocka_run_group_tests_name("in force parts", tests, NULL, NULL);
}
