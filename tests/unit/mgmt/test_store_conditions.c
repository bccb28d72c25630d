/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node states of the store of all nodes: each trouble in its words, and no other; of a peer with another store, too. */
#include "lone_node.h"
#include "described.h"
#include "whole_json.h"

#include "mgmt/peers/peers_internal.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/sync/shared_run_internal.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define OURS     "0123456789abcdef0123456789abcdef"
#define OTHERS   "fedcba9876543210fedcba9876543210"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct peers peers;
static struct shared_run run;

/* A node with a store that works, and two peers that are heard and have the same. */
static int setup(void **state)
{
	uint64_t now_ms = clock_mono_ms();

	(void)lone_node_setup(state);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	peers = (struct peers){ .n_reports = 2 };
	for (size_t i = 0; i < 2; i++) {
		struct peers_report *p = &peers.reports[i];

		*p = (struct peers_report){ .store_known = true, .answered_ms = now_ms };
		snprintf(p->node, sizeof(p->node), "fra-%zu", i + 1);
		snprintf(p->store, sizeof(p->store), OURS);
	}
	this_node.peers = &peers;
	run = (struct shared_run){ .core = &this_node,
		                   .reads = (struct shared_etcd *)&run, /* nobody asks by it */
		                   .was_heard = true,
		                   .started_ms = now_ms,
		                   .heard_ms = now_ms,
		                   .is_bound = true,
		                   .origin = { .cluster_id = 0x77, .epoch = 3, .nonce = "ab" } };
	snprintf(run.conf.id, sizeof(run.conf.id), OURS);
	this_node.shared = &run;
	return 0;
}

static int teardown(void **state)
{
	stats_close(this_node.stats);
	return lone_node_close(state);
}

static uint64_t silent_ms(void)
{
	return clock_mono_ms() - run.heard_ms;
}

/* Replace the seconds of silence in @p text, which are from @p least_s to @p most_s, by N. */
static void hide_seconds(char *text, uint64_t least_s, uint64_t most_s)
{
	static const char before[] = "not reached for ";
	char *at = strstr(text, before), *end;

	if (!at)
		return;
	at += strlen(before);
	assert_in_range(strtoull(at, &end, 10), least_s, most_s);
	*at = 'N';
	memmove(at + 1, end, strlen(end) + 1);
}

/* All conditions as lines of code, subject and text. */
static char *state_conditions(void)
{
	static char text[4096];
	struct conditions c;
	size_t at = 0;

	conditions_begin(this_node.stats, 1);
	shared_run_state(&this_node);
	conditions_end(this_node.stats);
	assert_int_equal(conditions_read(this_node.dirs.run, "mgmt", &c), 0);
	text[0] = '\0';
	for (uint32_t i = 0; i < c.n; i++) {
		assert_int_equal(c.items[i].level, CONDITION_DEGRADED);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s [%s] %s", i ? "\n" : "",
		                       c.items[i].code, c.items[i].subject, c.items[i].text);
	}
	return text;
}

static void expect_stated(const char *why, const char *expected)
{
	uint64_t least_s = silent_ms() / 1000;
	char *text = state_conditions();

	hide_seconds(text, least_s, silent_ms() / 1000);
	if (strcmp(text, expected) != 0) {
		fprintf(stderr, "%s: it is\n%s\nnot\n%s\n", why, text,
		        expected); /* longer than cmocka's lines */
		fail();
	}
}

#define FULL                                                                                       \
	"store-full [] the store is full (etcd's alarm NOSPACE): apply, confirm, rollback and "    \
	"operations are refused, and a version that is not confirmed goes back at its deadline. "  \
	"Compact, defragment each member, disarm the alarm: weir store check (as root) shows the " \
	"commands"

/* Of several troubles at once the one that decides is stated. */
static void each_trouble_of_the_store_is_stated(void **state)
{
	static const struct {
		const char *why;
		bool is_refused, is_full, is_unbound;
		int keep_err;
		uint64_t silent_ms;
		const char *reason, *went_back, *other;
		const char *expected;
	} rows[] = {
		{ "it works", 0, 0, 0, 0, 0, "", "", "", "" },
		{ "a word that is over", 0, 0, 0, 0, 0, "refused", "", "", "" },
		{ "silent for a second", 0, 0, 0, 0, 1000, "", "", "", "" },
		{ "silent for three reads", 0, 0, 0, 0, 6000, "", "", "",
		  "store-cut-off [] the store was not reached for N s (no member answers): this "
		  "node keeps what it has, and takes no configuration" },
		{ "silent, and it is known why", 0, 0, 0, 0, 9000, "no majority", "", "",
		  "store-cut-off [] the store was not reached for N s (no majority): this node "
		  "keeps what it has, and takes no configuration" },
		{ "full", 0, 1, 0, 0, 0, "", "", "", FULL },
		{ "full, and silent", 0, 1, 0, 0, 7000, "", "", "",
		  "store-cut-off [] the store was not reached for N s (no member answers): this "
		  "node keeps what it has, and takes no configuration" },
		{ "not kept, and silent", 0, 1, 0, -ENOSPC, 7000, "this node's disk is full", "",
		  "",
		  "store-not-kept [] this node's disk is full: this node keeps what it has, and "
		  "takes no configuration" },
		{ "another one", 0, 1, 0, -ENOSPC, 7000, "x", "",
		  "its id is not that of store.conf",
		  "store-differs [] its id is not that of store.conf: this node keeps what it has, "
		  "and takes no configuration" },
		{ "another one since the start", 0, 0, 1, 0, 0, "", "", "the copy is of another",
		  "store-differs [] the copy is of another: this node keeps what it has, and takes "
		  "no configuration; correct the wrong one (handbook)" },
		{ "it went back", 0, 1, 0, -ENOSPC, 7000, "x", "its revision is lower", "y",
		  "store-went-back [] the store is not what it was: its revision is lower. This "
		  "node keeps what it has, and takes no configuration; if the store is right: weir "
		  "store accept --reason TEXT" },
		{ "store.conf is wrong", 1, 1, 0, 0, 7000, "store.conf: no endpoint", "x", "y",
		  "store-cut-off [store.conf] no endpoint: correct the file, then systemctl restart "
		  "weir; until then this node keeps what it has, and takes no configuration" },
		{ "likewise, another file", 1, 0, 0, 0, 0, "ca.pem: not there", "", "",
		  "store-cut-off [store.conf] ca.pem: not there: correct the file, then systemctl "
		  "restart weir; until then this node keeps what it has, and takes no "
		  "configuration" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		run.reads = rows[i].is_refused ? NULL : (struct shared_etcd *)&run;
		run.is_full = rows[i].is_full;
		run.is_bound = !rows[i].is_unbound;
		run.keep_err = rows[i].keep_err;
		run.heard_ms = clock_mono_ms() - rows[i].silent_ms;
		snprintf(run.reason, sizeof(run.reason), "%s", rows[i].reason);
		snprintf(run.went_back, sizeof(run.went_back), "%s", rows[i].went_back);
		snprintf(run.other, sizeof(run.other), "%s", rows[i].other);
		expect_stated(rows[i].why, rows[i].expected);
	}
	run = (struct shared_run){ .core = &this_node, .reads = run.reads };
	run.reads = (struct shared_etcd *)&run;
	run.heard_ms = clock_mono_ms();
	expect_stated("nobody has answered yet", "");
	this_node.shared = NULL;
	expect_stated("a node alone has none", "");
}

static void files_that_are_not_here_are_stated(void **state)
{
	(void)state;
	run.missing.number = 12;
	snprintf(run.missing.node, sizeof(run.missing.node), "fra-2");
	expect_stated(
	        "they are missing",
	        "files-missing [version 12] this version is in force and its files are not "
	        "here: they are fetched from fra-2 and the other nodes; until then the version "
	        "before it stays");
}

static void a_member_that_does_not_answer_is_stated(void **state)
{
	static const struct {
		size_t n_voters, n_silent;
		uint64_t silent_ms;
		const char *expected; /* what follows on the time */
	} rows[] = {
		{ 3, 0, 30000, NULL },
		{ 3, 1, 29999, NULL },
		{ 3, 1, 30000,
		  ": 2 of 3 are left, 2 are needed: with the next loss configuration is frozen. " },
		{ 5, 1, 30000, ": 4 of 5 are left, 3 are needed. " },
		{ 5, 2, 30000,
		  ": 3 of 5 are left, 3 are needed: with the next loss configuration is frozen. " },
		{ 3, 2, 30000,
		  ": 1 of 3 are left, 2 are needed; the store works, so others reach them. " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char expected[2048] = "";
		size_t at = 0;

		run.observed = (struct shared_members_list){ .n = rows[i].n_voters,
			                                     .n_voters = rows[i].n_voters };
		for (size_t k = 0; k < rows[i].n_voters; k++) {
			struct shared_member *s = &run.observed.members[k];

			snprintf(s->name, sizeof(s->name), "m%zu", k);
			s->tried_ms = 100000;
			s->silent_ms = k < rows[i].n_silent ? 100000 - rows[i].silent_ms : 0;
			s->silent_since_ms = NOW_MS;
			if (k < rows[i].n_silent && rows[i].expected)
				at += (size_t)snprintf(
				        expected + at, sizeof(expected) - at,
				        "%sstore-member-silent [m%zu] no answer of this member of the "
				        "store since 2026-09-21T14:13:20.000Z%sStart it; if its host is "
				        "lost: weir store remove m%zu",
				        k ? "\n" : "", k, rows[i].expected, k);
		}
		expect_stated("members", expected);
	}
	run.heard_ms -= 6000; /* what is known of them is old */
	assert_null(strstr(state_conditions(), "store-member-silent"));
}

static void a_peer_with_another_store_is_stated(void **state)
{
	static const char two_ids[] =
	        "store-differs [fra-2] it has the store " OTHERS ", and this node has " OURS
	        ": neither takes what the other applies. Let nodes leave the wrong one: the "
	        "handbook says how (Two stores)";
	static const char two_etcds[] =
	        "store-differs [fra-1] it takes changes from epoch.nonce.etcd 3.ab.99 of the store, "
	        "and this node from 3.ab.77. Let nodes leave the wrong one: the handbook says how "
	        "(Two stores)";
	struct peers_report *first = &peers.reports[0], *second = &peers.reports[1];

	(void)state;
	snprintf(second->store, sizeof(second->store), OTHERS);
	expect_stated("another id", two_ids);
	second->answered_ms = clock_mono_ms() - PEERS_STALE_MS - 1;
	expect_stated("it is not heard any more", "");
	second->answered_ms = clock_mono_ms();
	second->store_known = false;
	expect_stated("it does not say", "");
	second->store_known = true;
	second->store[0] = '\0';
	expect_stated("it has none", "");
	snprintf(first->store_origin, sizeof(first->store_origin), "3.ab.99");
	first->apart_ms = clock_mono_ms() - 16000;
	expect_stated("for 16 s", "");
	first->apart_ms = clock_mono_ms() - 17000;
	expect_stated("another etcd for 17 s", two_etcds);
	snprintf(second->store, sizeof(second->store), OTHERS);
	expect_stated("another id comes first", two_ids);
	run.conf.id[0] = '\0'; /* store.conf is not read */
	expect_stated("this node's own id is not known", two_etcds);
}

/* Since the first look at which they were, not the last one; and it is over at once. */
static void a_peer_is_apart_since_it_was_seen_so(void **state)
{
	struct peers_report *first = &peers.reports[0];

	(void)state;
	snprintf(first->store_origin, sizeof(first->store_origin), "3.ab.99");
	peers_relate(&this_node);
	assert_int_not_equal(first->apart_ms, 0);
	first->apart_ms -= 5000;
	uint64_t since_ms = first->apart_ms;
	peers_relate(&this_node);
	assert_int_equal(first->apart_ms, since_ms);
	snprintf(first->store_origin, sizeof(first->store_origin), "3.ab.77");
	peers_relate(&this_node);
	assert_int_equal(first->apart_ms, 0);
}

/* --- as the API shows it --- */

/* What is shown beside the state and its reason, of a node that has nothing of the store yet. */
#define ANSWERED(state, reason, members, needed)                                                   \
	"{'state':'" state "','reason':'" reason "','id':'" OURS "',"                              \
	"'revision':0,'epoch':0,'members':" members ",'members_needed':" needed                    \
	",'newest':null,'in_force':null,'here':null,'goes_back_to':null,'files_missing':false}"

/* The store is shared, and nothing of it is here: its versions are not this node's own. */
static void open_shared(void)
{
	lone_node_forget(NULL);
	lone_node_open_store(true);
}

/* As the API shows it, without the time of silence. */
static json_t *show_store(void)
{
	uint64_t least_ms = silent_ms();
	json_t *shown = shared_run_json(&this_node), *silent = json_object_get(shown, "silent_ms");

	json_t *schema = record_schema(&store_answer_kind);

	described_check(schema, shown, "store");
	json_decref(schema);
	assert_in_range(json_integer_value(silent), least_ms, silent_ms());
	json_object_del(shown, "silent_ms");
	return shown;
}

static void each_state_of_the_store_is_shown(void **state)
{
	static const struct {
		const char *why;
		bool is_refused, was_heard, is_full;
		int keep_err;
		uint64_t silent_ms;
		const char *reason, *went_back, *other;
		const char *expected;
	} rows[] = {
		{ "it works", 0, 1, 0, 0, 0, "", "", "", ANSWERED("ready", "", "null", "null") },
		{ "full", 0, 1, 1, 0, 0, "", "", "", ANSWERED("full", "", "null", "null") },
		{ "nobody was heard", 0, 0, 1, 0, 0, "r", "", "",
		  ANSWERED("unknown", "r", "null", "null") },
		{ "silent", 0, 1, 1, 0, 7000, "r", "", "",
		  ANSWERED("cut-off", "r", "null", "null") },
		{ "not kept", 0, 1, 1, -EIO, 0, "r", "", "",
		  ANSWERED("unkept", "r", "null", "null") },
		{ "another", 0, 1, 1, 0, 0, "r", "", "o", ANSWERED("other", "o", "null", "null") },
		{ "it went back", 0, 1, 1, 0, 0, "r", "w", "o",
		  ANSWERED("went-back", "w", "null", "null") },
		{ "refused", 1, 0, 0, 0, 0, "r", "", "", ANSWERED("refused", "r", "null", "null") },
	};

	(void)state;
	open_shared();
	for (size_t i = 0; i < COUNT(rows); i++) {
		run.reads = rows[i].is_refused ? NULL : (struct shared_etcd *)&run;
		run.was_heard = rows[i].was_heard;
		run.is_full = rows[i].is_full;
		run.keep_err = rows[i].keep_err;
		run.heard_ms = clock_mono_ms() - rows[i].silent_ms;
		snprintf(run.reason, sizeof(run.reason), "%s", rows[i].reason);
		snprintf(run.went_back, sizeof(run.went_back), "%s", rows[i].went_back);
		snprintf(run.other, sizeof(run.other), "%s", rows[i].other);
		expect_whole(rows[i].why, show_store(), rows[i].expected);
	}
	this_node.shared = NULL;
	expect_whole("a node alone", shared_run_json(&this_node), "{'state':'own'}");
}

/* They are shown as long as the store works; later nobody knows. */
static void each_member_is_shown_as_it_answers(void **state)
{
	static const struct shared_member members[] = {
		{ .name = "m1",
		  .url = "u1",
		  .tried_ms = 100000,
		  .has_answered = true,
		  .reason = "old" },
		{ .name = "m2",
		  .url = "u2",
		  .tried_ms = 100000,
		  .has_answered = true,
		  .silent_ms = 70000,
		  .silent_since_ms = NOW_MS,
		  .reason = "why" },
		{ .name = "m3",
		  .url = "u3",
		  .tried_ms = 100000,
		  .has_answered = true,
		  .silent_ms = 70001,
		  .silent_since_ms = NOW_MS,
		  .reason = "why" },
		{ .name = "m4", .url = "u4", .tried_ms = 100000 },
		{ .name = "", .url = "u5" },
	};
	static const char shown[] = ANSWERED(
	        "ready", "",
	        "[{'name':'m1','endpoint':'u1','state':'answers','since':null,'reason':''},"
	        "{'name':'m2','endpoint':'u2','state':'silent','since':'2026-09-21T14:13:20.000Z',"
	        "'reason':'why'},"
	        "{'name':'m3','endpoint':'u3','state':'unknown','since':null,'reason':''},"
	        "{'name':'m4','endpoint':'u4','state':'unknown','since':null,'reason':''},"
	        "{'name':'','endpoint':'u5','state':'unknown','since':null,'reason':''}]",
	        "3");

	(void)state;
	open_shared();
	run.observed.n = COUNT(members);
	run.observed.n_voters = COUNT(members) - 1; /* one learns */
	memcpy(run.observed.members, members, sizeof(members));
	expect_whole("it works", show_store(), shown);
	run.heard_ms = clock_mono_ms() - 7000;
	expect_whole("it is silent", show_store(), ANSWERED("cut-off", "", "null", "3"));
}

/* --- who may change what nodes share --- */

/* The answer's words; "": there is none. Frees it. */
static const char *take_refusal(struct http_reply *reply)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s", "");
	if (reply->json)
		snprintf(text, sizeof(text), "%u %s: %s", reply->status,
		         json_string_value(json_object_get(reply->json, "code")),
		         json_string_value(json_object_get(reply->json, "detail")));
	http_reply_fini(reply);
	*reply = (struct http_reply){ 0 };
	return text;
}

#define OVERDUE                                                                                    \
	"503 busy: a version that was not confirmed in time is just being ended: nothing was "     \
	"changed; try again"
#define UNREACHED(why)                                                                             \
	"503 store-unavailable: the store cannot be reached (" why "): nothing was changed"

static void who_may_change_what_nodes_share_is_as_sure(void **state)
{
	static const struct {
		const char *why;
		bool has_store, was_heard, is_ready, may_write;
		uint64_t silent_ms;
		int keep_err;
		const char *reason, *went_back, *other;
		const char *refusal; /* of what waits for a version to end */
	} rows[] = {
		{ "alone", 0, 0, 0, 1, 0, 0, "", "", "", OVERDUE },
		{ "it works", 1, 1, 1, 1, 0, 0, "", "", "", OVERDUE },
		{ "nobody has answered yet", 1, 0, 0, 1, 0, 0, "", "", "",
		  UNREACHED("no member has answered yet") },
		{ "nobody has answered for long", 1, 0, 0, 0, 6000, 0, "", "", "",
		  UNREACHED("no member has answered yet") },
		{ "nobody answers any more", 1, 1, 0, 0, 6000, 0, "", "", "",
		  UNREACHED("no member answers") },
		{ "it is known why", 1, 1, 0, 0, 6000, 0, "no majority", "", "",
		  UNREACHED("no majority") },
		{ "not kept", 1, 1, 0, 0, 0, -EIO, "the disk", "", "", UNREACHED("the disk") },
		{ "another", 1, 1, 0, 0, 0, 0, "x", "", "another id", UNREACHED("another id") },
		{ "it went back", 1, 1, 0, 0, 0, 0, "x", "its revision is lower", "y",
		  UNREACHED("its revision is lower") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_reply reply = { 0 };

		print_message("  %s\n", rows[i].why);
		this_node.shared = rows[i].has_store ? &run : NULL;
		run.was_heard = rows[i].was_heard;
		run.keep_err = rows[i].keep_err;
		run.heard_ms = clock_mono_ms() - rows[i].silent_ms;
		snprintf(run.reason, sizeof(run.reason), "%s", rows[i].reason);
		snprintf(run.went_back, sizeof(run.went_back), "%s", rows[i].went_back);
		snprintf(run.other, sizeof(run.other), "%s", rows[i].other);
		assert_int_equal(shared_state_is_ready(&this_node), rows[i].is_ready);
		assert_int_equal(shared_run_is_sure(&this_node, &reply),
		                 rows[i].is_ready || !rows[i].has_store);
		assert_string_equal(take_refusal(&reply),
		                    rows[i].is_ready || !rows[i].has_store ? "" : rows[i].refusal);
		assert_int_equal(shared_run_may_write(&this_node, &reply), rows[i].may_write);
		assert_string_equal(take_refusal(&reply), rows[i].may_write ? "" : rows[i].refusal);
		shared_run_refuse_overdue(&this_node, &reply);
		assert_string_equal(take_refusal(&reply), rows[i].refusal);
	}
}

/* Of what the copy is, it says only while the store works: else it may be another by now. */
static void of_what_the_copy_is_is_said_while_the_store_works(void **state)
{
	char origin[ORIGIN_TEXT_MAX];

	(void)state;
	shared_state_origin(&this_node, origin);
	assert_string_equal(origin, "3.ab.77");
	assert_int_equal(shared_state_cluster(&this_node), 0x77);
	run.heard_ms -= 6000;
	shared_state_origin(&this_node, origin);
	assert_string_equal(origin, "");
	assert_int_equal(shared_state_cluster(&this_node), 0x77);
	run.heard_ms += 6000;
	run.origin.cluster_id = 0;
	shared_state_origin(&this_node, origin);
	assert_string_equal(origin, "");
	this_node.shared = NULL;
	shared_state_origin(&this_node, origin);
	assert_string_equal(origin, "");
	assert_int_equal(shared_state_cluster(&this_node), 0);
}

/* --- a node without a store --- */

static void open_with_peers(void)
{
	lone_node_forget(fixture_text("driver = \"xdp\"",
	                              "api = \"https://192.0.2.2:8443\"; driver = \"xdp\""));
	lone_node_start(false);
	this_node.shared = NULL;
}

static void expect_advice(const char *expected)
{
	char advice[CONDITION_TEXT_MAX];

	shared_run_advise(&this_node, advice);
	assert_string_equal(advice, expected);
}

/* Where a peer has one, that is to be joined; else nodes begin one. */
static void a_node_without_a_store_is_told_what_to_do(void **state)
{
	static const char join[] = "fra-2 has the store " OTHERS
	                           ", and this node no store.conf: run 'weir store join' "
	                           "here, with a copy of store.join (one is kept off the nodes)";
	static const char begin[] =
	        "Run 'weir store init' on the first host and 'weir store join' on the others";

	(void)state;
	open_with_peers();
	peers.reports[0].store[0] = '\0';
	snprintf(peers.reports[1].store, sizeof(peers.reports[1].store), OTHERS);
	expect_advice(join);
	expect_stated("a peer has one",
	              "store-missing [store.conf] fra-2 has the store " OTHERS
	              ", and this node no store.conf: run 'weir store join' here, with a copy of "
	              "store.join (one is kept off the nodes)");
	peers.reports[1].answered_ms = clock_mono_ms() - PEERS_STALE_MS - 1;
	expect_advice(begin);
	expect_stated(
	        "no peer has one",
	        "store-missing [store.conf] the configuration has other nodes, and no store "
	        "decides for all of them: each runs its own file, and takes no other one. Run "
	        "'weir store init' on the first host and 'weir store join' on the others");
	this_node.peers = NULL;
	expect_advice(begin);
}

SUITE(store_conditions)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_trouble_of_the_store_is_stated),
		T(files_that_are_not_here_are_stated),
		T(a_member_that_does_not_answer_is_stated),
		T(a_peer_with_another_store_is_stated),
		T(a_peer_is_apart_since_it_was_seen_so),
		T(each_state_of_the_store_is_shown),
		T(each_member_is_shown_as_it_answers),
		T(who_may_change_what_nodes_share_is_as_sure),
		T(of_what_the_copy_is_is_said_while_the_store_works),
		T(a_node_without_a_store_is_told_what_to_do),
	};

	return cmocka_run_group_tests_name("store conditions", tests, NULL, NULL);
}
