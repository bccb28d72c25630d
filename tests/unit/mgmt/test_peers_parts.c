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

static bool waits_to_join;
static unsigned n_alone;

static bool fake_waits(const struct intent *in)
{
	(void)in;
	return waits_to_join;
}

static void fake_alone(struct intent *in, int64_t now_ms)
{
	(void)in;
	(void)now_ms;
	n_alone++;
}

/* The private parts too. */
#define observe_load     fake_load
#define join_waits       fake_waits
#define join_start_alone fake_alone
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
		bool confirmed = false;

		assert_int_equal(read_peer_head(&this_node, &t, answer, &confirmed), rows[i].ok);
		assert_int_equal(t.report.state, rows[i].ok ? PEERS_BEHIND : PEERS_AGREED);
		json_decref(answer);
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
		bool confirmed;

		json_object_set_new(answer, "bits_per_s", json_integer(rows[i].bits));
		assert_true(read_peer_head(&this_node, &t, answer, &confirmed));
		assert_int_equal(t.report.load_known, rows[i].known);
		json_decref(answer);
	}
}

/* Only a peer with our head, confirmed there and not here, confirms it. */
static void a_confirmation_at_a_peer_is_seen(void **state)
{
	struct peer_target t = make_target("fra-1", PEERS_UNASKED);
	struct version v;
	bool confirmed;
	json_t *answer;

	(void)state;
	asked_apply("# unconfirmed", 60000, NOW_MS + 10);
	v = *intent_head(this_node.intent);
	assert_true(v.confirm_by_ms > 0);
	answer = head_answer("shop", "d", record_to_json(&version_record, &v));
	confirmed = false;
	assert_true(read_peer_head(&this_node, &t, answer, &confirmed));
	assert_int_equal(t.report.state, PEERS_AGREED);
	assert_false(confirmed);
	json_decref(answer);
	v.confirm_by_ms = v.confirm_left_ms = 0;
	answer = head_answer("shop", "d", record_to_json(&version_record, &v));
	assert_true(read_peer_head(&this_node, &t, answer, &confirmed));
	assert_true(confirmed);
	json_decref(answer);
}

static void lists_of_versions_go_down(void **state)
{
	static const uint64_t numbers[] = { 7, 7, 5, 6, 4 };
	json_t *items = json_array();
	struct version v = *intent_head(this_node.intent), *list;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		v.number = numbers[i];
		json_array_append_new(items, record_to_json(&version_record, &v));
	}
	json_array_append_new(items, json_string("no version"));
	assert_int_equal(read_versions(items, &list), 3);
	assert_int_equal(list[0].number, 7);
	assert_int_equal(list[1].number, 5);
	assert_int_equal(list[2].number, 4);
	free(list);
	json_decref(items);
}

/* A history with a hole is worth nothing: either all versions come, or none is taken. */
static void versions_are_taken_together_or_not_at_all(void **state)
{
	json_t *files =
	        json_pack("{s:o}", "files", contents_to_json(intent_head_files(this_node.intent)));
	char *answer = json_dumps(files, JSON_COMPACT);
	const struct asked_row rows[] = { { "/v1/peer/versions/2", answer, 200 },
		                          { "/v1/peer/versions/3", answer, 200 },
		                          { NULL, NULL, 0 } };
	struct peer_target t = make_target("fra-1", PEERS_AHEAD);
	struct intent_offer offers[3] = { 0 };
	struct version list[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		list[i] = *intent_head(this_node.intent);
		list[i].number = 4 - i;
		memset(list[i].digest, 'a' + (char)i, DIGEST_TEXT_MAX - 1);
	}
	asked_rows = rows;
	assert_int_equal(fetch_offers(&this_node, &t, list, 3, offers),
	                 0); /* 4 cannot be fetched */
	assert_int_equal(n_asked, 3);
	assert_int_equal(offers[0].version.number, 2);
	for (unsigned i = 0; i < 3; i++)
		files_fini(&offers[i].files);
	assert_int_equal(fetch_offers(&this_node, &t, &list[1], 2, offers), 2);
	assert_int_equal(offers[1].version.number, 3);
	for (unsigned i = 0; i < 2; i++)
		files_fini(&offers[i].files);
	free(answer);
	json_decref(files);
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
		{ PEERS_AGREED, PEERS_DIVERGED, true },
		{ PEERS_DIVERGED, PEERS_DIVERGED, false },
		{ PEERS_DIVERGED, PEERS_AGREED, true },
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

/* A node that joins starts alone only when nobody can have more. */
static void who_joins_waits_for_those_that_can_be_asked(void **state)
{
	(void)state;
	own.n_reports = 2;
	own.reports[0].state = PEERS_BEHIND;
	own.reports[1] = (struct peers_report){ .state = PEERS_UNREACHABLE, .unasked = true };
	assert_true(none_has_more(&own));
	own.reports[1].unasked = false;
	assert_false(none_has_more(&own));
	own.reports[1].state = PEERS_BEHIND;
	assert_true(none_has_more(&own));
	own.reports[0].state = PEERS_AHEAD;
	assert_false(none_has_more(&own));
}

/* It does not wait for its time where all have answered, nor beyond it for one that is silent. */
static void who_joins_starts_alone_in_time(void **state)
{
	(void)state;
	own.n_reports = 1;
	for (unsigned i = 0; i < 8; i++) {
		waits_to_join = i & 1;
		own.reports[0].state = i & 2 ? PEERS_BEHIND : PEERS_UNREACHABLE;
		n_alone = 0;
		end_joining(&this_node, i & 4 ? clock_mono_ms() : clock_mono_ms() + 60000);
		assert_int_equal(n_alone, waits_to_join && (i & 6));
	}
	waits_to_join = false;
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
		T(loads_out_of_range_are_not_known),
		T(a_confirmation_at_a_peer_is_seen),
		T(lists_of_versions_go_down),
		T(versions_are_taken_together_or_not_at_all),
		T(who_lacks_our_overrides_is_behind),
		T(a_silent_peer_says_why),
		T(changes_that_matter_become_events),
		T(who_joins_waits_for_those_that_can_be_asked),
		T(who_joins_starts_alone_in_time),
		T(without_a_token_nobody_is_asked),
		T(loads_are_added_by_site_while_they_are_fresh),
		T(the_loads_of_a_site_s_nodes_are_added),
	};

	return cmocka_run_group_tests_name("peers parts", tests, NULL, NULL);
}
