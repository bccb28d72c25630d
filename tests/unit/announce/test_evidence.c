/* SPDX-License-Identifier: BSD-2-Clause */
/* From pages and the routing daemon to facts: "no" is said only of what was read back. */
#include "scene.h"

#include "announce/evidence.h"
#include "tests/unit/suite.h"

#define NOW_MS 500000u
#define OLD_MS EVIDENCE_DAEMON_OLD_MS

#define YES   ANNOUNCE_YES
#define NO    ANNOUNCE_NO
#define VAGUE ANNOUNCE_UNKNOWN

static void the_nodes_facts_are_those_of_its_ports(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t n_ports;
		uint8_t up[2], attached[2];
		enum announce_truth port, program, covered;
	} cases[] = {
		{ "no ports", 0, { 0 }, { 0 }, VAGUE, VAGUE, VAGUE },
		{ "all well", 1, { PROOF_YES }, { PROOF_YES }, YES, YES, YES },
		{ "down", 1, { PROOF_NO }, { PROOF_YES }, NO, NO, VAGUE },
		{ "without a program", 1, { PROOF_YES }, { PROOF_NO }, YES, NO, NO },
		{ "not tried yet", 1, { PROOF_UNKNOWN }, { PROOF_UNKNOWN }, VAGUE, VAGUE, VAGUE },
		{ "one of two",
		  2,
		  { PROOF_NO, PROOF_YES },
		  { PROOF_YES, PROOF_YES },
		  YES,
		  YES,
		  YES },
		{ "the other port's program",
		  2,
		  { PROOF_NO, PROOF_YES },
		  { PROOF_YES, PROOF_NO },
		  YES,
		  NO,
		  NO },
		{ "one down, one vague",
		  2,
		  { PROOF_NO, PROOF_UNKNOWN },
		  { PROOF_NO, PROOF_UNKNOWN },
		  VAGUE,
		  VAGUE,
		  VAGUE },
		{ "both up, one without a program",
		  2,
		  { PROOF_YES, PROOF_YES },
		  { PROOF_YES, PROOF_NO },
		  YES,
		  YES,
		  NO },
		{ "a no counts before an unknown",
		  2,
		  { PROOF_YES, PROOF_YES },
		  { PROOF_UNKNOWN, PROOF_NO },
		  YES,
		  VAGUE,
		  NO },
		{ "one not tried yet",
		  2,
		  { PROOF_YES, PROOF_YES },
		  { PROOF_YES, PROOF_UNKNOWN },
		  YES,
		  YES,
		  VAGUE },
		{ "a device that nobody drives",
		  2,
		  { PROOF_YES, PROOF_UNKNOWN },
		  { PROOF_YES, PROOF_NO },
		  YES,
		  YES,
		  YES },
		{ "numbers of another release", 1, { 9 }, { 9 }, VAGUE, VAGUE, VAGUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct proof_node n = { .document = 5, .n_ports = cases[i].n_ports };
		struct announce_facts f = { 0 };

		for (uint32_t k = 0; k < cases[i].n_ports; k++) {
			n.ports[k].up = cases[i].up[k];
			n.ports[k].attached = cases[i].attached[k];
		}
		print_message("  %s\n", cases[i].why);
		evidence_of_node(&n, 5, false, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PORT], cases[i].port);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PROGRAM], cases[i].program);
		assert_int_equal(f.truth[ANNOUNCE_FACT_COVERED], cases[i].covered);
	}
}

static void a_page_with_too_many_ports_is_read_within_its_bounds(void **state)
{
	(void)state;
	struct proof_node n = { .n_ports = UINT32_MAX };
	struct announce_facts f = { 0 };

	evidence_of_node(&n, 5, false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PORT], VAGUE);
}

static void without_a_page_all_is_unknown(void **state)
{
	(void)state;
	struct announce_facts f = all_proved();

	evidence_of_node(NULL, 5, false, &f);
	evidence_of_vip(NULL, 1, false, NOW_MS, &f);
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		assert_int_equal(f.truth[i], i == ANNOUNCE_FACT_SOCKETS || i == ANNOUNCE_FACT_LEAVES
		                                     ? YES
		                                     : VAGUE);
}

static void a_dead_driver_is_a_no_even_without_a_page(void **state)
{
	(void)state;
	struct announce_facts f = all_proved();

	evidence_of_node(NULL, 5, true, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PROGRAM], NO);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PORT], VAGUE);
}

static void the_document_must_be_the_same(void **state)
{
	(void)state;
	struct proof_node n = { .document = 4, .state_arrived = PROOF_NO };
	struct announce_facts f = { 0 };

	evidence_of_node(&n, 5, false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_DOCUMENT], NO);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PEERS], NO);
	evidence_of_node(&n, 4, false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_DOCUMENT], YES);
	n.document = 0; /* none, or a page that is old */
	evidence_of_node(&n, 5, false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_DOCUMENT], VAGUE);
}

static void a_vips_facts_are_those_of_its_services(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t n_services, n_serving, n_reachable;
		enum announce_truth any, all, hops_any, hops_all;
	} cases[] = {
		{ "no services", 0, 0, 0, VAGUE, VAGUE, VAGUE, VAGUE },
		{ "all serve", 2, 2, 2, YES, YES, YES, YES },
		{ "one serves", 2, 1, 1, YES, NO, YES, NO },
		{ "none serves", 2, 0, 0, NO, NO, VAGUE, VAGUE },
		{ "no next hop", 2, 2, 0, YES, YES, NO, NO },
		{ "one without a next hop", 3, 3, 2, YES, YES, YES, NO },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct proof_vip v = { .n_services = cases[i].n_services,
			                     .n_serving = cases[i].n_serving,
			                     .n_reachable = cases[i].n_reachable };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		evidence_of_vip(&v, 1, false, NOW_MS, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], cases[i].any);
		assert_int_equal(f.truth[ANNOUNCE_FACT_HOPS], cases[i].hops_any);
		evidence_of_vip(&v, 1, true, NOW_MS, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], cases[i].all);
		assert_int_equal(f.truth[ANNOUNCE_FACT_HOPS], cases[i].hops_all);
	}
}

static void the_probe_packet_is_what_the_page_says(void **state)
{
	(void)state;
	static const enum announce_truth expected[] = { VAGUE, YES, NO, VAGUE };

	for (uint8_t i = 0; i < COUNT(expected); i++) {
		const struct proof_vip v = { .n_services = 1, .state = i };
		struct announce_facts f = { 0 };

		evidence_of_vip(&v, 1, false, NOW_MS, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], expected[i]);
	}
}

/* With many addresses each one has its turn later. */
static void a_promise_needs_a_probe_packet_of_just_now(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t age_ms, n_vips;
		bool old;
	} cases[] = {
		{ "of now", 0, 1, false },
		{ "of one in turn", EVIDENCE_PROMISE_MS, 1, false },
		{ "too old", EVIDENCE_PROMISE_MS + EVIDENCE_PROBE_MS + 1, 1, true },
		{ "many in turn", 8000, 1000, false },
		{ "too old for them", 8001, 1000, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct proof_vip v = { .n_services = 1,
			                     .state = PROOF_STATE_FORWARDED,
			                     .proved_ms = NOW_MS - cases[i].age_ms };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		evidence_of_vip(&v, cases[i].n_vips, false, NOW_MS, &f);
		assert_int_equal(f.probe_old, cases[i].old);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], YES); /* it withdraws nothing */
	}
}

static void a_dns_server_that_is_silent_is_unknown_and_one_that_is_gone_a_no(void **state)
{
	(void)state;
	static const enum announce_truth lives[] = { YES, VAGUE, NO };

	for (size_t i = 0; i < COUNT(lives); i++) {
		struct announce_facts f = { .probe_old = true };

		evidence_of_dns(lives[i], YES, true, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], lives[i]);
		assert_int_equal(f.truth[ANNOUNCE_FACT_SOCKETS], lives[i] == YES ? YES : VAGUE);
		assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], YES);
		assert_false(f.probe_old);
	}
}

/* The last word of a server that is silent or gone says nothing of its successor. */
static void sockets_are_missing_only_by_the_word_of_a_server_that_lives(void **state)
{
	(void)state;
	static const struct {
		enum announce_truth answers, holds, sockets;
	} cases[] = { { YES, NO, NO },      { YES, VAGUE, VAGUE }, { YES, YES, YES },
		      { VAGUE, NO, VAGUE }, { NO, NO, VAGUE },     { VAGUE, YES, VAGUE },
		      { NO, VAGUE, VAGUE } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_facts f = { 0 };

		evidence_of_dns(cases[i].answers, cases[i].holds, true, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_SOCKETS], cases[i].sockets);
	}
}

/* With XDP the kernel serves it; with DPDK its packets come through the driver. */
static void an_address_of_dns_needs_the_forwarding_with_dpdk_alone(void **state)
{
	(void)state;
	const struct proof_node n = { .document = 4,
		                      .n_ports = 1,
		                      .ports = { { .up = PROOF_NO, .attached = PROOF_NO } } };
	struct announce_facts f = { 0 };

	evidence_of_node(&n, 5, false, &f);
	evidence_of_dns(YES, YES, true, &f);
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		assert_int_equal(f.truth[i], YES);
	evidence_of_node(NULL, 5, true, &f);
	evidence_of_dns(YES, YES, false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PROGRAM], NO);
	assert_int_equal(f.truth[ANNOUNCE_FACT_DOCUMENT], YES);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PEERS], YES);
}

/* --- the routing daemon --- */

static void only_fresh_answers_of_a_daemon_that_answers_count(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		enum daemon_state state;
		uint64_t at_ms, added_ms;
		bool pending;
		enum announce_truth imported, exported;
	} cases[] = {
		{ "fresh", DAEMON_ANSWERS, NOW_MS - 10, 0, false, YES, YES },
		{ "never", DAEMON_ANSWERS, 0, 0, false, VAGUE, VAGUE },
		{ "old", DAEMON_ANSWERS, NOW_MS - EVIDENCE_DAEMON_OLD_MS - 1, 0, false, VAGUE,
		  VAGUE },
		{ "of the future", DAEMON_ANSWERS, NOW_MS + 1, 0, false, VAGUE, VAGUE },
		{ "before the route was added", DAEMON_ANSWERS, NOW_MS - 50, NOW_MS - 40, false,
		  VAGUE, YES },
		{ "after it was added", DAEMON_ANSWERS, NOW_MS - 20, NOW_MS - 40, false, YES, YES },
		{ "to an older question", DAEMON_ANSWERS, NOW_MS - 20, NOW_MS - 40, true, VAGUE,
		  VAGUE },
		{ "absent", DAEMON_ABSENT, NOW_MS - 10, 0, false, VAGUE, VAGUE },
		{ "silent", DAEMON_SILENT, NOW_MS - 10, 0, false, VAGUE, VAGUE },
		{ "strange", DAEMON_STRANGE, NOW_MS - 10, 0, false, VAGUE, VAGUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct daemon_facts d = { .state = cases[i].state,
			                        .n_neighbours = 1,
			                        .neighbours = { { .established = true } } };
		const struct daemon_route r = { .at_ms = cases[i].at_ms,
			                        .exported_at_ms = cases[i].at_ms,
			                        .imported = { true, false },
			                        .pending = cases[i].pending,
			                        .exported = 1 };
		const uint64_t added_ms[3] = { 0, cases[i].added_ms, 0 };
		struct announce_routes routes = { 0 };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f);
		assert_int_equal(routes.imported[ANNOUNCE_NORMAL], cases[i].imported);
		assert_int_equal(routes.exported, cases[i].exported);
		assert_int_equal(f.exported, cases[i].imported);
	}
}

/* The session may have gone since, or a filter may have come: another node relies on it. */
static void a_promise_needs_an_answer_of_just_now(void **state)
{
	(void)state;
	const struct daemon_facts d = { .state = DAEMON_ANSWERS,
		                        .n_neighbours = 1,
		                        .neighbours = { { .established = true } } };
	struct daemon_route r = { .at_ms = NOW_MS - 2 * EVIDENCE_EXPORT_MS,
		                  .exported_at_ms = NOW_MS - EVIDENCE_EXPORT_MS,
		                  .imported = { true, false },
		                  .exported = 1 };
	const uint64_t added_ms[3] = { 0 };
	struct announce_routes routes = { 0 };
	struct announce_facts f = { 0 };

	evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f);
	assert_int_equal(f.exported, YES);
	r.exported_at_ms--;
	evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f);
	assert_int_equal(f.exported, VAGUE);
	assert_int_equal(routes.imported[ANNOUNCE_NORMAL], YES);
}

static void only_what_is_known_of_both_tables_differs(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		enum announce_table intended;
		enum announce_truth normal, shutdown, exported, differs;
	} cases[] = {
		{ "announced", ANNOUNCE_NORMAL, YES, NO, YES, NO },
		{ "to nobody", ANNOUNCE_NORMAL, YES, NO, NO, YES },
		{ "not learnt", ANNOUNCE_NORMAL, NO, NO, NO, YES },
		{ "nor asked who gets it", ANNOUNCE_NORMAL, NO, NO, VAGUE, YES },
		{ "of the other table", ANNOUNCE_NORMAL, NO, YES, YES, YES },
		{ "withdrawn", ANNOUNCE_NONE, NO, NO, NO, NO },
		{ "still there", ANNOUNCE_NONE, YES, NO, YES, YES },
		{ "another route of it", ANNOUNCE_NONE, NO, NO, YES, YES },
		{ "withdrawn just now", ANNOUNCE_NONE, NO, NO, VAGUE, VAGUE },
		{ "graceful shutdown", ANNOUNCE_SHUTDOWN, NO, YES, YES, NO },
		{ "that does nothing", ANNOUNCE_SHUTDOWN, YES, YES, YES, YES },
		{ "that was not learnt", ANNOUNCE_SHUTDOWN, NO, NO, VAGUE, YES },
		{ "not asked yet", ANNOUNCE_NORMAL, VAGUE, VAGUE, VAGUE, VAGUE },
		{ "exports not asked for", ANNOUNCE_NORMAL, YES, NO, VAGUE, VAGUE },
		{ "one table not known", ANNOUNCE_NONE, VAGUE, NO, YES, VAGUE },
		{ "the other one not known", ANNOUNCE_NORMAL, YES, VAGUE, NO, VAGUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct announce_routes r = {
			.imported = { VAGUE, cases[i].normal, cases[i].shutdown },
			.exported = cases[i].exported,
		};

		print_message("  %s\n", cases[i].why);
		assert_int_equal(evidence_differs(cases[i].intended, &r), cases[i].differs);
	}
}

static void only_neighbours_with_a_session_get_a_route(void **state)
{
	(void)state;
	const struct daemon_facts d = { .state = DAEMON_ANSWERS,
		                        .n_neighbours = 2,
		                        .neighbours = { { .established = false },
		                                        { .established = true } } };
	struct daemon_route r = {
		.at_ms = NOW_MS, .exported_at_ms = NOW_MS, .imported = { true, true }, .exported = 1
	};
	const uint64_t added_ms[3] = { 0 };
	struct announce_routes routes = { 0 };
	struct announce_facts f = { 0 };

	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f), 0);
	assert_int_equal(f.exported, NO);
	r.exported = 3;
	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f), 2);
	assert_int_equal(f.exported, YES);
	assert_int_equal(routes.imported[ANNOUNCE_SHUTDOWN], YES);
	r.imported[DAEMON_NORMAL] = false; /* it is the graceful shutdown that they get */
	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f), 2);
	assert_int_equal(f.exported, NO);
}

/* BIRD is asked for a route and for its exports apart. */
static void exports_that_were_not_asked_for_are_unknown(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t exported_at_ms;
		uint32_t exported;
		enum announce_truth expected;
	} cases[] = {
		{ "never asked for", 0, 1, VAGUE },
		{ "too long ago", NOW_MS - EVIDENCE_DAEMON_OLD_MS - 1, 1, VAGUE },
		{ "to one", NOW_MS - 100, 1, YES },
		{ "to none", NOW_MS - 100, 0, NO },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct daemon_facts d = { .state = DAEMON_ANSWERS,
			                        .n_neighbours = 1,
			                        .neighbours = { { .established = true } } };
		const struct daemon_route r = { .at_ms = NOW_MS - 10,
			                        .imported = { true, false },
			                        .exported_at_ms = cases[i].exported_at_ms,
			                        .exported = cases[i].exported };
		const uint64_t added_ms[3] = { 0 };
		struct announce_routes routes = { 0 };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		assert_int_equal(evidence_of_daemon(&d, &r, added_ms, OLD_MS, NOW_MS, &routes, &f),
		                 cases[i].expected == YES);
		assert_int_equal(routes.imported[ANNOUNCE_NORMAL], YES);
		assert_int_equal(routes.exported, cases[i].expected);
		assert_int_equal(f.exported, cases[i].expected);
	}
}

/* Many prefixes of a daemon that is asked about one at a time. */
static void a_round_that_takes_long_makes_answers_count_longer(void **state)
{
	(void)state;
	struct daemon_facts d = { .state = DAEMON_ANSWERS };

	assert_int_equal(evidence_daemon_old_ms(NULL), EVIDENCE_DAEMON_OLD_MS);
	assert_int_equal(evidence_daemon_old_ms(&d), EVIDENCE_DAEMON_OLD_MS);
	d.round_ms = 34000;
	assert_true(evidence_daemon_old_ms(&d) > d.round_ms + DAEMON_DEADLINE_MS);
	d.round_ms = 1u << 30;
	assert_int_equal(evidence_daemon_old_ms(&d), EVIDENCE_ROUND_OLD_MS);
}

static void without_a_daemon_nothing_is_exported(void **state)
{
	(void)state;
	const uint64_t added_ms[3] = { 0 };
	struct announce_routes routes = { 0 };
	struct announce_facts f = all_proved();

	const struct daemon_facts answers = { .state = DAEMON_ANSWERS };
	const struct daemon_route unread = { .exported = 1 };

	assert_int_equal(evidence_of_daemon(NULL, NULL, added_ms, OLD_MS, NOW_MS, &routes, &f), 0);
	assert_int_equal(f.exported, VAGUE);
	/* it is not asked about the address, or has not answered: just after boot, too */
	for (int i = 0; i < 2; i++) {
		evidence_of_daemon(&answers, i ? &unread : NULL, added_ms, OLD_MS, OLD_MS, &routes,
		                   &f);
		assert_int_equal(routes.imported[ANNOUNCE_NORMAL], VAGUE);
		assert_int_equal(f.exported, VAGUE);
	}
}

SUITE(evidence)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nodes_facts_are_those_of_its_ports),
		cmocka_unit_test(a_page_with_too_many_ports_is_read_within_its_bounds),
		cmocka_unit_test(without_a_page_all_is_unknown),
		cmocka_unit_test(a_dead_driver_is_a_no_even_without_a_page),
		cmocka_unit_test(the_document_must_be_the_same),
		cmocka_unit_test(a_vips_facts_are_those_of_its_services),
		cmocka_unit_test(the_probe_packet_is_what_the_page_says),
		cmocka_unit_test(a_promise_needs_a_probe_packet_of_just_now),
		cmocka_unit_test(a_dns_server_that_is_silent_is_unknown_and_one_that_is_gone_a_no),
		cmocka_unit_test(sockets_are_missing_only_by_the_word_of_a_server_that_lives),
		cmocka_unit_test(an_address_of_dns_needs_the_forwarding_with_dpdk_alone),
		cmocka_unit_test(only_fresh_answers_of_a_daemon_that_answers_count),
		cmocka_unit_test(a_promise_needs_an_answer_of_just_now),
		cmocka_unit_test(only_what_is_known_of_both_tables_differs),
		cmocka_unit_test(only_neighbours_with_a_session_get_a_route),
		cmocka_unit_test(exports_that_were_not_asked_for_are_unknown),
		cmocka_unit_test(a_round_that_takes_long_makes_answers_count_longer),
		cmocka_unit_test(without_a_daemon_nothing_is_exported),
	};

	return cmocka_run_group_tests_name("announce evidence", tests, NULL, NULL);
}
