/* SPDX-License-Identifier: BSD-2-Clause */
/* What a round of asking the peers makes of their answers: clocks, states, lists, loads. */
#include "asked.h"

#include "mgmt/api/peers.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/records.h"

/* This node's own load, at the edge. */
static bool has_own_load;

static bool fake_load(struct core *c, uint64_t *bits)
{
	(void)c;
	*bits = 100;
	return has_own_load;
}

/* The private parts too. */
#define observe_load fake_load
#include "mgmt/api/peers.c"
#include "mgmt/api/peers_round.c"

static struct peers own;

static int setup(void **state)
{
	memset(&own, 0, sizeof(own));
	(void)asked_setup(state);
	this_node.peers = &own;
	return 0;
}

static struct peer_target make_target(const char *node, enum peers_state peer_state)
{
	struct peer_target t = { .api = "https://fra-1", .report = { .state = peer_state } };

	snprintf(t.report.node, sizeof(t.report.node), "%s", node);
	snprintf(t.report.site, sizeof(t.report.site), "fra");
	return t;
}

/* An answer about a peer's head; @p version is taken. */
static json_t *head_answer(const char *cluster, const char *overrides, json_t *version)
{
	return json_pack("{s:s, s:s, s:o}", "cluster", cluster, "overrides", overrides, "version",
	                 version);
}

static void a_clock_is_compared_with_the_middle_of_the_question(void **state)
{
	struct peer_target t = { .sent_ms = 1000, .received_ms = 1400 };
	json_t *clock = json_pack("{s:I}", "ms", (json_int_t)5000);

	(void)state;
	read_peer_clock(&t, clock);
	assert_true(t.report.clock_known);
	assert_int_equal(t.report.clock_offset_ms, 5000 - 1200);
	assert_int_equal(t.report.clock_slack_ms, 200);
	json_object_set_new(clock, "ms", json_integer(-1));
	read_peer_clock(&t, clock);
	assert_false(t.report.clock_known);
	json_object_set_new(clock, "ms", json_integer(CLOCK_END_MS));
	read_peer_clock(&t, clock);
	assert_false(t.report.clock_known);
	json_decref(clock);
}

static void another_cluster_s_node_has_nothing_to_say(void **state)
{
	static const struct {
		const char *cluster, *overrides;
		bool ok;
	} rows[] = {
		{ "shop", "d", true },
		{ "mail", "d", false },
		{ "shop", "0123456789012345678901234567890123456789012345678901234567890123456789",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer_target t = make_target("fra-1", PEERS_AGREED);
		json_t *answer = head_answer(rows[i].cluster, rows[i].overrides, json_null());

		assert_int_equal(read_peer_head(&this_node, &t, answer), rows[i].ok);
		assert_int_equal(t.report.state, rows[i].ok ? PEERS_BEHIND : PEERS_AGREED);
		json_decref(answer);
	}
}

/* By the number, which the store gives; under the same number both have one version, or no store. */
static void heads_are_related_by_their_numbers(void **state)
{
	static const struct {
		uint64_t ours, theirs; /* ours 0: there is none */
		bool other;            /* their digest is another one */
		enum peers_state state;
	} rows[] = { { 2, 2, false, PEERS_AGREED }, { 2, 2, true, PEERS_DIFFERS },
		     { 2, 3, true, PEERS_AHEAD },   { 2, 3, false, PEERS_AHEAD },
		     { 2, 1, true, PEERS_BEHIND },  { 2, 1, false, PEERS_BEHIND },
		     { 0, 1, true, PEERS_AHEAD } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version ours = { .number = rows[i].ours, .digest = "d" },
		               theirs = { .number = rows[i].theirs,
			                  .digest = { rows[i].other ? 'e' : 'd' } };

		assert_int_equal(relate_head(rows[i].ours ? &ours : NULL, &theirs), rows[i].state);
	}
}

static void loads_out_of_range_are_not_known(void **state)
{
	static const struct {
		json_int_t bits;
		bool known;
	} rows[] = { { 0, true }, { -1, false }, { LOAD_END - 1, true }, { LOAD_END, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer_target t = make_target("fra-1", PEERS_AGREED);
		json_t *answer = head_answer("shop", "d", json_null());

		json_object_set_new(answer, "bits_per_s", json_integer(rows[i].bits));
		assert_true(read_peer_head(&this_node, &t, answer));
		assert_int_equal(t.report.load_known, rows[i].known);
		json_decref(answer);
	}
}

static void who_lacks_our_overrides_is_behind(void **state)
{
	static const char other[] =
	        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	overrides_digest_at(intent_overrides(this_node.intent), clock_believed_ms(), digest);
	for (int same = 0; same < 2; same++) {
		struct peer_target t = make_target("fra-1", PEERS_UNASKED);
		struct client_request r = { .status = 200 };

		r.answer =
		        head_answer("shop", same ? digest : other,
		                    record_to_json(&version_record, intent_head(this_node.intent)));
		apply_answer(&this_node, &t, &r);
		assert_int_equal(t.report.state, same ? PEERS_AGREED : PEERS_BEHIND);
		assert_true(t.report.answered_ms > 0);
		assert_int_equal(n_asked, 1); /* for its overrides, where they are others */
		json_decref(r.answer);
	}
}

static void a_silent_peer_says_why(void **state)
{
	static const struct {
		const char *api;
		long status;
		bool unasked, refused;
		const char *why;
	} rows[] = { { "https://fra-1", 0, false, false, "silent" },
		     { "https://fra-1", 401, false, true, "silent" },
		     { "https://fra-1", 403, false, true, "silent" },
		     { "https://fra-1", 404, false, false, "silent" },
		     { "", 0, true, false, "the configuration has no api address for it" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer_target t = make_target("fra-1", PEERS_AGREED);
		struct client_request r = { .status = rows[i].status, .failure = "silent" };

		snprintf(t.api, sizeof(t.api), "%s", rows[i].api);
		apply_answer(&this_node, &t, &r);
		assert_int_equal(t.report.state, PEERS_UNREACHABLE);
		assert_int_equal(t.report.unasked, rows[i].unasked);
		assert_int_equal(t.report.refused, rows[i].refused);
		assert_string_equal(t.report.unreachable_reason, rows[i].why);
	}
}

static void changes_that_matter_become_events(void **state)
{
	static const struct {
		enum peers_state was, is;
		bool told;
	} rows[] = {
		{ PEERS_AGREED, PEERS_BEHIND, false },
		{ PEERS_BEHIND, PEERS_AGREED, false },
		{ PEERS_AGREED, PEERS_UNREACHABLE, true },
		{ PEERS_UNREACHABLE, PEERS_UNREACHABLE, false },
		{ PEERS_UNREACHABLE, PEERS_AGREED, true },
		{ PEERS_AGREED, PEERS_DIFFERS, true },
		{ PEERS_DIFFERS, PEERS_DIFFERS, false },
		{ PEERS_DIFFERS, PEERS_AGREED, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer_target t = make_target("fra-1", rows[i].is);
		struct journal *j = intent_journal(this_node.intent);

		own.reports[0] = make_target("fra-1", rows[i].was).report;
		own.n_reports = 1;
		uint64_t before = journal_last(j), round = own.reports[0].round;

		publish_round(&this_node, &t, 1);
		bool told = false;
		for (uint64_t id = before + 1; id <= journal_last(j); id++)
			told |= journal_find(j, id) && !strcmp(journal_find(j, id)->kind, "peer");
		if (told != rows[i].told)
			fail_msg("%s to %s", peers_state_text(rows[i].was),
			         peers_state_text(rows[i].is));
		assert_int_equal(own.reports[0].state, rows[i].is);
		assert_int_equal(own.reports[0].round, round + 1);
	}
}

static void without_a_token_nobody_is_asked(void **state)
{
	const struct peers_report *view;

	(void)state;
	miss_round(&this_node);
	assert_int_equal(peers_report(&this_node, &view), 1);
	assert_string_equal(view->node, "fra-1");
	assert_int_equal(view->state, PEERS_UNREACHABLE);
	assert_true(view->unasked);
	assert_false(view->refused);
	assert_non_null(strstr(view->unreachable_reason, "peer.token"));
	assert_int_equal(n_asked, 0);
}

static void loads_are_added_by_site_while_they_are_fresh(void **state)
{
	const uint64_t now_ms = clock_mono_ms();
	struct guard_load loads[4];

	(void)state;
	own.n_reports = 4;
	for (unsigned i = 0; i < 4; i++)
		own.reports[i] = (struct peers_report){
			.site = "fra", .load_known = true, .bits = 1u << i, .answered_ms = now_ms
		};
	own.reports[1].load_known = false;
	own.reports[2].answered_ms = now_ms - PEERS_STALE_MS - 1;
	own.reports[3].answered_ms = 0;
	assert_int_equal(peers_loads(&this_node, loads, 4), 1);
	assert_string_equal(loads[0].site, "fra");
	assert_int_equal(loads[0].bits, 1);
	assert_int_equal(peers_loads(&this_node, loads, 0), 0);
	own.reports[1].load_known = true;
	snprintf(own.reports[1].site, sizeof(own.reports[1].site), "lon");
	assert_int_equal(peers_loads(&this_node, loads, 4), 2);
	assert_int_equal(loads[1].bits, 2);
	assert_int_equal(peers_loads(&this_node, loads, 1), 1);
	has_own_load = true;
	assert_int_equal(peers_loads(&this_node, loads, 4), 3);
	assert_string_equal(loads[0].site, "ams");
	assert_int_equal(loads[0].bits, 100);
	has_own_load = false;
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
	struct guard_load loads[4];

	(void)state;
	own.n_reports = sizeof(peers) / sizeof(peers[0]);
	for (size_t i = 0; i < own.n_reports; i++) {
		own.reports[i] = (struct peers_report){ .load_known = true,
			                                .bits = peers[i].bits,
			                                .answered_ms = clock_mono_ms() };
		snprintf(own.reports[i].site, sizeof(own.reports[i].site), "%s", peers[i].site);
	}
	has_own_load = true; /* 100, of ams */
	assert_int_equal(peers_loads(&this_node, loads, 4), n_sums);
	has_own_load = false;
	for (size_t i = 0; i < n_sums; i++) {
		assert_string_equal(loads[i].site, sums[i].site);
		assert_int_equal(loads[i].bits, sums[i].bits);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(a_clock_is_compared_with_the_middle_of_the_question),
		T(another_cluster_s_node_has_nothing_to_say),
		T(heads_are_related_by_their_numbers),
		T(loads_out_of_range_are_not_known),
		T(who_lacks_our_overrides_is_behind),
		T(a_silent_peer_says_why),
		T(changes_that_matter_become_events),
		T(without_a_token_nobody_is_asked),
		T(loads_are_added_by_site_while_they_are_fresh),
		T(the_loads_of_a_site_s_nodes_are_added),
	};

	return cmocka_run_group_tests_name("peers parts", tests, NULL, NULL);
}
