/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers say of themselves: clocks, heads, states, overrides, loads. */
#include "lone_node.h"
#include "set_digest.h"

#include "base/clock.h"
#include "mgmt/core/to_json.h"
#include "mgmt/observe/observe_internal.h"
#include "mgmt/peers/peers_head.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/store/records.h"
#include "tests/unit/suite.h"

static struct peers own;
static struct observe observed; /* the load of this node's own */

static int setup(void **state)
{
	(void)state;
	memset(&own, 0, sizeof(own));
	observed = (struct observe){ .rate = 100 };
	lone_node_open("");
	this_node.peers = &own;
	this_node.observe = &observed;
	return 0;
}

static json_t *head_of(const struct intent *in, const char *overrides)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "version",
	                 (json_int_t)intent_head(in)->number, "digest", intent_head(in)->digest,
	                 "version_key", intent_head(in)->hash_key, "overrides", overrides,
	                 "hash_key", "", "drain", "no");
}

static void a_clock_is_compared_with_the_middle_of_the_question(void **state)
{
	struct peers_report v = { 0 };
	json_t *ms = json_integer(5000);

	(void)state;
	peers_clock_read(&v, ms, 1000, 1400);
	assert_true(v.clock_known);
	assert_int_equal(v.clock_offset_ms, 5000 - 1200);
	assert_int_equal(v.clock_slack_ms, 200);
	json_integer_set(ms, -1);
	peers_clock_read(&v, ms, 1000, 1400);
	assert_false(v.clock_known);
	json_integer_set(ms, CLOCK_END_MS);
	peers_clock_read(&v, ms, 1000, 1400);
	assert_false(v.clock_known);
	peers_clock_read(&v, NULL, 1000, 1400);
	assert_false(v.clock_known);
	json_decref(ms);
}

#define DIGIT63 "012345678901234567890123456789012345678901234567890123456789012"
#define REST    ",\"overrides\":\"d\",\"hash_key\":\"\",\"drain\":\"no\"}"
#define NONE    "{\"version\":0,\"digest\":\"\",\"version_key\":\"\""

static void a_head_is_read_whole_or_not_at_all(void **state)
{
	static const char *const malformed[] = {
		"{}",
		NONE ",\"hash_key\":\"\",\"drain\":\"no\"}",
		NONE ",\"overrides\":5,\"hash_key\":\"\",\"drain\":\"no\"}",
		NONE
		",\"overrides\":\"0123456789012345678901234567890123456789012345678901234567890123456789\",\"hash_key\":\"\",\"drain\":\"no\"}",
		NONE ",\"overrides\":\"d\",\"drain\":\"no\"}",
		NONE ",\"overrides\":\"d\",\"hash_key\":\"abc\",\"drain\":\"no\"}",
		NONE ",\"overrides\":\"d\",\"hash_key\":\"\"}",
		NONE ",\"store\":7" REST,
		NONE ",\"store\":\"0a1b\"" REST,
		NONE ",\"store_origin\":7" REST,
		NONE
		",\"store_origin\":\"01234567890123456789.0123456789abcdef.0123456789abcdef0\"" REST,
		"{\"version\":0,\"digest\":\"\"" REST,
		"{\"version\":0,\"version_key\":\"\"" REST,
		"{\"version\":null,\"digest\":\"\",\"version_key\":\"\"" REST,
		"{\"version\":1,\"digest\":\"\",\"version_key\":\"\"" REST,
		"{\"version\":1,\"digest\":\"" DIGIT63 "\",\"version_key\":\"\"" REST,
		"{\"version\":1,\"digest\":\"" DIGIT63 "g\",\"version_key\":\"\"" REST,
		"{\"version\":-1,\"digest\":\"" DIGIT63 "a\",\"version_key\":\"\"" REST,
		"{\"version\":0,\"digest\":\"" DIGIT63 "a\",\"version_key\":\"\"" REST,
		"{\"version\":9007199254740992,\"digest\":\"" DIGIT63
		"a\",\"version_key\":\"\"" REST,
	};
	struct peers_report v = { .number = 9, .digest = "d9", .behind_ms = 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		json_t *head = json_loads(malformed[i], 0, NULL);

		assert_non_null(head);
		if (peers_head_read(&v, head))
			fail_msg("%s", malformed[i]);
		json_decref(head);
	}
	assert_int_equal(v.number, 9);
	assert_int_equal(v.behind_ms, 5);
	json_t *head = head_of(this_node.intent, "d");
	assert_true(peers_head_read(&v, head));
	json_decref(head);
	assert_int_equal(v.number, 1);
	assert_string_equal(v.version_key, intent_head(this_node.intent)->hash_key);
	assert_string_equal(v.digest, intent_head(this_node.intent)->digest);
	assert_string_equal(v.overrides, "d");
	assert_string_equal(v.drain, "no");
	assert_int_equal(v.behind_ms, 0); /* it moves */
	head = json_loads(NONE REST, 0, NULL);
	assert_true(peers_head_read(&v, head)); /* it has none yet */
	assert_int_equal(v.number, 0);
	assert_false(v.store_known); /* a release before it said so */
	json_decref(head);
	assert_string_equal(v.store_origin, "");
	head = json_loads(
	        NONE
	        ",\"store\":\"0123456789abcdef0123456789abcdef\",\"store_origin\":\"01234567890123456789.0123456789abcdef.0123456789abcdef\"" REST,
	        0, NULL);
	assert_true(peers_head_read(&v, head));
	assert_true(v.store_known);
	assert_string_equal(v.store, "0123456789abcdef0123456789abcdef");
	assert_string_equal(v.store_origin,
	                    "01234567890123456789.0123456789abcdef.0123456789abcdef");
	json_decref(head);
	head = json_loads(NONE ",\"store_origin\":\"call 555\"" REST, 0, NULL);
	assert_true(peers_head_read(&v, head)); /* it is heard, and its words are not shown */
	assert_string_equal(v.store_origin, "");
	json_decref(head);
}

static void a_store_counts_while_its_node_is_heard(void **state)
{
	struct peers_report v = { .store_known = true, .answered_ms = 1000 };

	(void)state;
	assert_string_equal(peers_store(&v, 1000 + PEERS_STALE_MS), "");
	assert_null(peers_store(&v, 1001 + PEERS_STALE_MS));
	v.answered_ms = 0;
	assert_null(peers_store(&v, 1));
}

static void what_this_node_says_can_be_read(void **state)
{
	struct peers_report v = { 0 };
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	this_node.judged.versions[0] = (struct inforce){ .number = 1, .state = INFORCE_DONE };
	json_t *head = peers_head_to_json(&this_node);
	assert_true(peers_head_read(&v, head));
	assert_int_equal(v.number, 1);
	assert_int_equal(v.inforce.number, 1);
	assert_string_equal(v.overrides, set_digest(intent_overrides(this_node.intent), digest));
	json_decref(head);
	json_t *load = peers_load_to_json(&this_node);
	peers_load_read(&v, load);
	assert_false(v.load_known);
	json_decref(load);
	observed.rate_known = true;
	load = peers_load_to_json(&this_node);
	peers_load_read(&v, load);
	assert_true(v.load_known);
	assert_int_equal(v.bits, 100);
	json_decref(load);
	observed.rate_known = false;
}

/* By the number, which the store gives; under the same number both have one version, or no store. */
static void peers_are_related_to_what_is_in_force_now(void **state)
{
	static const struct {
		int number; /* less ours */
		bool other_digest, other_overrides, silent, never;
		enum peers_state state;
	} rows[] = {
		{ 0, false, false, false, false, PEERS_AGREED },
		{ 0, true, false, false, false, PEERS_DIFFERS },
		{ 0, false, true, false, false, PEERS_BEHIND }, /* or ahead: nobody can say */
		{ 1, true, false, false, false, PEERS_AHEAD },
		{ 1, false, false, false, false, PEERS_AHEAD },
		{ -1, true, false, false, false, PEERS_BEHIND },
		{ 0, false, false, true, false, PEERS_UNREACHABLE },
		{ 0, false, false, false, true, PEERS_UNASKED },
	};
	struct peers_report *v = &own.reports[0];
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	own.n_reports = 1;
	set_digest(intent_overrides(this_node.intent), digest);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct version *head = intent_head(this_node.intent);

		*v = (struct peers_report){ .node = "fra-1", .answered_ms = !rows[i].never };
		v->number = (uint64_t)((int64_t)head->number + rows[i].number);
		snprintf(v->digest, sizeof(v->digest), "%s",
		         rows[i].other_digest ? "e" : head->digest);
		snprintf(v->overrides, sizeof(v->overrides), "%s",
		         rows[i].other_overrides ? "e" : digest);
		snprintf(v->unreachable_reason, sizeof(v->unreachable_reason), "%s",
		         rows[i].silent ? "silent" : "");
		assert_int_equal(peers_relate(&this_node), rows[i].state != PEERS_UNASKED);
		assert_false(peers_relate(&this_node)); /* nothing has changed since */
		if (v->state != rows[i].state)
			fail_msg("row %zu: %s", i, peers_state_text(v->state));
		assert_int_equal(v->behind_ms > 0, rows[i].state == PEERS_BEHIND);
	}
	*v = (struct peers_report){ .node = "fra-1", .answered_ms = 1, .number = 1 };
	memcpy(v->digest, intent_head(this_node.intent)->digest, sizeof(v->digest));
	memcpy(v->overrides, digest, sizeof(digest));
	(void)peers_relate(&this_node);
	assert_int_equal(v->state, PEERS_AGREED);
	lone_node_apply("# a", 0, NOW_MS + 10); /* of this node: the peer has said nothing new */
	assert_true(peers_relate(&this_node));
	assert_int_equal(v->state, PEERS_BEHIND);
}

static void changes_that_matter_become_events(void **state)
{
	static const struct {
		enum peers_state was;
		bool silent, told;
	} rows[] = {
		{ PEERS_BEHIND, false, false },     { PEERS_AGREED, true, true },
		{ PEERS_UNREACHABLE, true, false }, { PEERS_UNREACHABLE, false, true },
		{ PEERS_DIFFERS, false, true },
	};

	(void)state;
	own.n_reports = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct journal *j = intent_journal(this_node.intent);
		uint64_t before = journal_last(j);
		bool told = false;

		own.reports[0] = (struct peers_report){ .node = "fra-1",
			                                .state = rows[i].was,
			                                .logged = rows[i].was,
			                                .answered_ms = 1 };
		snprintf(own.reports[0].unreachable_reason,
		         sizeof(own.reports[0].unreachable_reason), "%s",
		         rows[i].silent ? "silent" : "");
		(void)peers_relate(&this_node);
		for (uint64_t id = before + 1; id <= journal_last(j); id++)
			told |= journal_find(j, id) && !strcmp(journal_find(j, id)->kind, "peer");
		if (told != rows[i].told)
			fail_msg("row %zu", i);
	}
}

/* A look at a peer that is heard, or not. @return the event of it; NULL: there was none */
static const char *look_at_peer(bool is_heard)
{
	const struct journal *j = intent_journal(this_node.intent);
	const uint64_t before = journal_last(j);

	snprintf(own.reports[0].unreachable_reason, sizeof(own.reports[0].unreachable_reason), "%s",
	         is_heard ? "" : "silent");
	(void)peers_relate(&this_node);
	assert_int_equal(own.reports[0].state, is_heard ? PEERS_BEHIND : PEERS_UNREACHABLE);
	return journal_last(j) > before ? journal_find(j, journal_last(j))->message : NULL;
}

/* A weir-mgmt that dies again and again, at another node. */
static void a_peer_that_comes_and_goes_fills_no_journal(void **state)
{
	unsigned n = 0;

	(void)state;
	own.n_reports = 1;
	own.reports[0] = (struct peers_report){ .node = "fra-1", .answered_ms = 1 };
	for (int i = 0; i < 100; i++)
		n += look_at_peer(i % 2) != NULL;
	assert_int_equal(n, 5);
	assert_null(look_at_peer(false)); /* as the last one says */
	assert_null(look_at_peer(true));
	clock_believe(clock_believed_ms() - (int64_t)clock_mono_ms() + 60000);
	assert_string_equal(look_at_peer(true), "behind, was unreachable");
	/* none says that it is heard when it is not */
	assert_string_equal(look_at_peer(false), "unreachable, was behind: silent");
}

/* One that has another version, and is not always heard: both are trouble, and silence is the worse. */
static void a_peer_that_differs_and_goes_fills_no_journal(void **state)
{
	const struct journal *j = intent_journal(this_node.intent);
	const uint64_t before = journal_last(j);

	(void)state;
	own.n_reports = 1;
	own.reports[0] = (struct peers_report){
		.node = "par-1", .answered_ms = 1, .number = 1, .digest = "another"
	};
	for (int i = 0; i < 100; i++) {
		snprintf(own.reports[0].unreachable_reason,
		         sizeof(own.reports[0].unreachable_reason), "%s", i % 2 ? "silent" : "");
		(void)peers_relate(&this_node);
		assert_int_equal(own.reports[0].state, i % 2 ? PEERS_UNREACHABLE : PEERS_DIFFERS);
	}
	assert_in_range(journal_last(j) - before, 5, 6);
	assert_string_equal(journal_find(j, journal_last(j))->message,
	                    "unreachable, was differs: silent");
}

static void loads_out_of_range_are_not_known(void **state)
{
	static const struct {
		json_int_t bits;
		bool known;
	} rows[] = { { 0, true },
		     { -1, false },
		     { ((json_int_t)1 << 53) - 1, true },
		     { (json_int_t)1 << 53, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peers_report v = { 0 };
		json_t *load = json_pack("{s:I, s:I}", "bits_per_s", rows[i].bits,
		                         "port_bits_per_s", rows[i].bits);

		peers_load_read(&v, load);
		assert_int_equal(v.load_known, rows[i].known);
		assert_int_equal(v.port_bits, rows[i].known ? (uint64_t)rows[i].bits : 0);
		json_decref(load);
	}
}

static struct override make_drain(const char *id)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "ams");
	snprintf(o.author, sizeof(o.author), "ada");
	snprintf(o.reason, sizeof(o.reason), "r");
	snprintf(o.node, sizeof(o.node), "fra-1");
	return o;
}

static void overrides_of_a_peer_are_merged(void **state)
{
	struct override drain = make_drain("0123456789abcdef");
	json_t *answer = json_pack("{s:[o, s]}", "items", record_to_json(&override_record, &drain),
	                           "no override");

	(void)state;
	peers_overrides_merge(&this_node, "fra-1", answer);
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 1);
	assert_non_null(overrides_find(intent_overrides(this_node.intent), drain.id));
	json_decref(answer);
	peers_overrides_merge(&this_node, "fra-1", NULL);
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 1);
}

static void a_token_is_there_until_it_was_looked_for(void **state)
{
	(void)state;
	assert_true(peers_has_token(&this_node));
	own.token_known = true;
	assert_false(peers_has_token(&this_node));
	own.has_token = true;
	assert_true(peers_has_token(&this_node));
}

/* A site one of whose nodes is silent, or does not know, carries more than the sum. */
static void what_some_nodes_carry_is_a_part_of_their_site_s_load(void **state)
{
	const uint64_t now_ms = clock_mono_ms();
	struct guard_rate loads[4];

	(void)state;
	own.n_reports = 4;
	for (unsigned i = 0; i < 4; i++)
		own.reports[i] = (struct peers_report){
			.site = "fra", .load_known = true, .bits = 1u << i, .answered_ms = now_ms
		};
	observed.rate_known = true;
	assert_int_equal(peers_loads(&this_node, loads, 4), 2);
	assert_string_equal(loads[0].site, "ams");
	assert_int_equal(loads[0].per_s, 100);
	assert_false(loads[0].is_part);
	assert_string_equal(loads[1].site, "fra");
	assert_int_equal(loads[1].per_s, 15);
	assert_false(loads[1].is_part);
	for (unsigned i = 0; i < 3; i++) { /* each reason alone */
		struct peers_report was = own.reports[i];

		own.reports[i].load_known = i != 0;
		if (i)
			own.reports[i].answered_ms = i == 1 ? now_ms - PEERS_STALE_MS - 1 : 0;
		assert_int_equal(peers_loads(&this_node, loads, 4), 2);
		assert_int_equal(loads[1].per_s, 15 - (1 << i));
		assert_true(loads[1].is_part);
		assert_false(loads[0].is_part);
		own.reports[i] = was;
	}
	snprintf(own.reports[1].site, sizeof(own.reports[1].site), "lon");
	own.reports[1].load_known = false; /* nobody there knows */
	observed.rate_known = false;
	assert_int_equal(peers_loads(&this_node, loads, 4), 3);
	assert_true(loads[0].is_part && !loads[1].is_part && loads[2].is_part);
	assert_int_equal(loads[0].per_s + loads[2].per_s, 0);
	assert_int_equal(loads[1].per_s, 13);
	assert_int_equal(peers_loads(&this_node, loads, 2), 2); /* no room */
	assert_int_equal(peers_loads(&this_node, loads, 0), 0);
}

/* A site carries what its nodes carry together, in whichever order they are listed. */
static void the_loads_of_a_site_s_nodes_are_added(void **state)
{
	static const struct {
		const char *site;
		uint64_t bits;
	} peers[] = { { "fra", 3 }, { "lon", 50 }, { "fra", 8 },
		      { "ams", 7 }, { "lon", 0 },  { "fra", 1u << 20 } };
	static const struct {
		const char *site;
		uint64_t bits;
	} sums[] = { { "ams", 107 }, { "fra", (1u << 20) + 11 }, { "lon", 50 } };
	const size_t n_sums = sizeof(sums) / sizeof(sums[0]);
	struct guard_rate loads[4];

	(void)state;
	own.n_reports = sizeof(peers) / sizeof(peers[0]);
	for (size_t i = 0; i < own.n_reports; i++) {
		own.reports[i] = (struct peers_report){ .load_known = true,
			                                .bits = peers[i].bits,
			                                .answered_ms = clock_mono_ms() };
		snprintf(own.reports[i].site, sizeof(own.reports[i].site), "%s", peers[i].site);
	}
	observed.rate_known = true; /* 100, of ams */
	assert_int_equal(peers_loads(&this_node, loads, 4), n_sums);
	observed.rate_known = false;
	for (size_t i = 0; i < n_sums; i++) {
		assert_string_equal(loads[i].site, sums[i].site);
		assert_int_equal(loads[i].per_s, sums[i].bits);
	}
}

SUITE(peers_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, lone_node_close)
	const struct CMUnitTest tests[] = {
		T(a_clock_is_compared_with_the_middle_of_the_question),
		T(a_head_is_read_whole_or_not_at_all),
		T(a_store_counts_while_its_node_is_heard),
		T(what_this_node_says_can_be_read),
		T(peers_are_related_to_what_is_in_force_now),
		T(changes_that_matter_become_events),
		T(a_peer_that_comes_and_goes_fills_no_journal),
		T(a_peer_that_differs_and_goes_fills_no_journal),
		T(loads_out_of_range_are_not_known),
		T(overrides_of_a_peer_are_merged),
		T(a_token_is_there_until_it_was_looked_for),
		T(what_some_nodes_carry_is_a_part_of_their_site_s_load),
		T(the_loads_of_a_site_s_nodes_are_added),
	};

	return cmocka_run_group_tests_name("peers parts", tests, NULL, NULL);
}
