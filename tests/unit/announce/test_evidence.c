/* SPDX-License-Identifier: BSD-2-Clause */
/* From pages and the routing daemon to facts: "no" is said only of what was read back. */
#include "scene.h"

#include "announce/evidence.h"

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
		enum announce_truth port, program;
	} cases[] = {
		{ "no ports", 0, { 0 }, { 0 }, VAGUE, VAGUE },
		{ "all well", 1, { PROOF_YES }, { PROOF_YES }, YES, YES },
		{ "down", 1, { PROOF_NO }, { PROOF_YES }, NO, NO },
		{ "without a program", 1, { PROOF_YES }, { PROOF_NO }, YES, NO },
		{ "not tried yet", 1, { PROOF_UNKNOWN }, { PROOF_UNKNOWN }, VAGUE, VAGUE },
		{ "one of two", 2, { PROOF_NO, PROOF_YES }, { PROOF_YES, PROOF_YES }, YES, YES },
		{ "the other port's program",
		  2,
		  { PROOF_NO, PROOF_YES },
		  { PROOF_YES, PROOF_NO },
		  YES,
		  NO },
		{ "one down, one vague",
		  2,
		  { PROOF_NO, PROOF_UNKNOWN },
		  { PROOF_NO, PROOF_UNKNOWN },
		  VAGUE,
		  VAGUE },
		{ "numbers of another release", 1, { 9 }, { 9 }, VAGUE, VAGUE },
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
	evidence_of_vip(NULL, false, &f);
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		assert_int_equal(f.truth[i], VAGUE);
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
		enum announce_truth any, all, hops;
	} cases[] = {
		{ "no services", 0, 0, 0, VAGUE, VAGUE, VAGUE },
		{ "all serve", 2, 2, 2, YES, YES, YES },
		{ "one serves", 2, 1, 1, YES, NO, YES },
		{ "none serves", 2, 0, 0, NO, NO, VAGUE },
		{ "no next hop", 2, 2, 0, YES, YES, NO },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct proof_vip v = { .n_services = cases[i].n_services,
			                     .n_serving = cases[i].n_serving,
			                     .n_reachable = cases[i].n_reachable };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		evidence_of_vip(&v, false, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], cases[i].any);
		assert_int_equal(f.truth[ANNOUNCE_FACT_HOPS], cases[i].hops);
		evidence_of_vip(&v, true, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], cases[i].all);
	}
}

static void the_probe_packet_is_what_the_page_says(void **state)
{
	(void)state;
	static const enum announce_truth expected[] = { VAGUE, YES, NO, VAGUE };

	for (uint8_t i = 0; i < COUNT(expected); i++) {
		const struct proof_vip v = { .n_services = 1, .state = i };
		struct announce_facts f = { 0 };

		evidence_of_vip(&v, false, &f);
		assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], expected[i]);
	}
}

static void a_silent_dns_server_is_unknown(void **state)
{
	(void)state;
	struct announce_facts f = { 0 };

	evidence_of_dns(true, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], YES);
	evidence_of_dns(false, &f);
	assert_int_equal(f.truth[ANNOUNCE_FACT_PROBE], VAGUE);
	assert_int_equal(f.truth[ANNOUNCE_FACT_POOLS], YES);
}

/* --- the routing daemon --- */

#define NOW_MS 500000u

static void only_fresh_answers_of_a_daemon_that_answers_count(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		enum daemon_state state;
		uint64_t at_ms, added_ms;
		bool pending;
		enum announce_truth imported;
	} cases[] = {
		{ "fresh", DAEMON_ANSWERS, NOW_MS - 10, 0, false, YES },
		{ "never", DAEMON_ANSWERS, 0, 0, false, VAGUE },
		{ "old", DAEMON_ANSWERS, NOW_MS - EVIDENCE_DAEMON_OLD_MS - 1, 0, false, VAGUE },
		{ "of the future", DAEMON_ANSWERS, NOW_MS + 1, 0, false, VAGUE },
		{ "before the route was added", DAEMON_ANSWERS, NOW_MS - 50, NOW_MS - 40, false,
		  VAGUE },
		{ "after it was added", DAEMON_ANSWERS, NOW_MS - 20, NOW_MS - 40, false, YES },
		{ "to an older question", DAEMON_ANSWERS, NOW_MS - 20, NOW_MS - 40, true, VAGUE },
		{ "absent", DAEMON_ABSENT, NOW_MS - 10, 0, false, VAGUE },
		{ "silent", DAEMON_SILENT, NOW_MS - 10, 0, false, VAGUE },
		{ "strange", DAEMON_STRANGE, NOW_MS - 10, 0, false, VAGUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct daemon_facts d = { .state = cases[i].state,
			                        .n_neighbours = 1,
			                        .neighbours = { { .established = true } } };
		const struct daemon_route r = { .at_ms = cases[i].at_ms,
			                        .imported = { true, false },
			                        .pending = cases[i].pending,
			                        .exported = 1 };
		const uint64_t added_ms[3] = { 0, cases[i].added_ms, 0 };
		struct announce_routes routes = { 0 };
		struct announce_facts f = { 0 };

		print_message("  %s\n", cases[i].why);
		evidence_of_daemon(&d, &r, added_ms, NOW_MS, &routes, &f);
		assert_int_equal(routes.imported[ANNOUNCE_NORMAL], cases[i].imported);
		assert_int_equal(f.exported, cases[i].imported);
	}
}

static void only_neighbours_with_a_session_get_a_route(void **state)
{
	(void)state;
	const struct daemon_facts d = { .state = DAEMON_ANSWERS,
		                        .n_neighbours = 2,
		                        .neighbours = { { .established = false },
		                                        { .established = true } } };
	struct daemon_route r = { .at_ms = NOW_MS, .imported = { true, true }, .exported = 1 };
	const uint64_t added_ms[3] = { 0 };
	struct announce_routes routes = { 0 };
	struct announce_facts f = { 0 };

	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, NOW_MS, &routes, &f), 0);
	assert_int_equal(f.exported, NO);
	r.exported = 3;
	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, NOW_MS, &routes, &f), 2);
	assert_int_equal(f.exported, YES);
	assert_int_equal(routes.imported[ANNOUNCE_SHUTDOWN], YES);
	r.imported[DAEMON_NORMAL] = false; /* it is the graceful shutdown that they get */
	assert_int_equal(evidence_of_daemon(&d, &r, added_ms, NOW_MS, &routes, &f), 2);
	assert_int_equal(f.exported, NO);
}

static void without_a_daemon_nothing_is_exported(void **state)
{
	(void)state;
	const uint64_t added_ms[3] = { 0 };
	struct announce_routes routes = { 0 };
	struct announce_facts f = all_proved();

	assert_int_equal(evidence_of_daemon(NULL, NULL, added_ms, NOW_MS, &routes, &f), 0);
	assert_int_equal(f.exported, VAGUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nodes_facts_are_those_of_its_ports),
		cmocka_unit_test(a_page_with_too_many_ports_is_read_within_its_bounds),
		cmocka_unit_test(without_a_page_all_is_unknown),
		cmocka_unit_test(a_dead_driver_is_a_no_even_without_a_page),
		cmocka_unit_test(the_document_must_be_the_same),
		cmocka_unit_test(a_vips_facts_are_those_of_its_services),
		cmocka_unit_test(the_probe_packet_is_what_the_page_says),
		cmocka_unit_test(a_silent_dns_server_is_unknown),
		cmocka_unit_test(only_fresh_answers_of_a_daemon_that_answers_count),
		cmocka_unit_test(only_neighbours_with_a_session_get_a_route),
		cmocka_unit_test(without_a_daemon_nothing_is_exported),
	};

	return cmocka_run_group_tests_name("announce evidence", tests, NULL, NULL);
}
