/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which addresses the prover proves in a turn, what it leaves out, and what it says of that.
 */
#include "tests/unit/dataplane/prover_scene.h"
#include "tests/unit/suite.h"

/* What was logged, by its first words. */
static void expect_logged(const char *wanted)
{
	char events[256] = "";

	for (const char *line = logged; *line; line = strchr(line, '\n') + 1)
		snprintf(events + strlen(events), sizeof(events) - strlen(events), "%.*s ",
		         (int)strcspn(line, " \n") - 3, line + 3);
	assert_string_equal(events, wanted);
}

static void probe_packets_that_cannot_be_run_are_explained_and_tried_once_a_second(void **state)
{
	const char *interface = "", *problem;

	(void)state;
	make_turns(20);
	assert_null(prover_problem(prover, &interface));
	assert_null(prover_problem(NULL, &interface));
	way.err = -EOPNOTSUPP;
	make_turns(30);
	assert_in_range(way.n_failed, 2, 4);
	problem = prover_problem(prover, &interface);
	assert_non_null(problem);
	assert_non_null(strstr(problem, "5.14"));
	assert_string_equal(interface, "v0");
	expect_logged("probe-packets-fail ");
	way.err = -EINVAL;
	make_turns(20);
	assert_non_null(strstr(prover_problem(prover, &interface), "set the interface up"));
	way.err = 0;
	make_turns(20);
	assert_null(prover_problem(prover, &interface));
	expect_logged("probe-packets-fail probe-packets-fail probe-packets-run ");
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.err = -EIO;
	make_turns(20);
	assert_non_null(prover_problem(prover, &interface));
	driven.lost = true; /* the port says why, and better */
	prover_links_changed(prover);
	assert_null(prover_problem(prover, &interface));
}

/* Packets come in by the other ports as well, so these are enough for the proof. */
static void a_port_that_refuses_probe_packets_does_not_slow_the_others_down(void **state)
{
	const char *interface = "";
	unsigned before;

	(void)state;
	make_turns(20);
	prover->n_ports = 2;
	prover->ports[1] = prover->ports[0];
	prover->ports[1].ifindex = way.only = 6;
	way.err = -EINVAL;
	before = way.n_probes;
	for (int i = 0; i < 50; i++) {
		prover->ports_ms = simulated.now_ms + PROVER_TURN_MS; /* they are not read again */
		make_turns(1);
	}
	assert_in_range(way.n_probes - before, 8, 11);
	assert_in_range(way.n_failed, 1, 6);
	assert_null(prover_problem(prover, &interface)); /* it is no port of the document */
	prover->node.ports[1].ifindex = 6;
	strcpy(prover->node.ports[1].interface, "v1");
	prover->node.n_ports = 2;
	assert_non_null(prover_problem(prover, &interface));
	assert_string_equal(interface, "v1");
}

/* What another driver, or an earlier document, has proved is not proved now. */
static void a_proof_holds_for_its_driver_and_its_services(void **state)
{
	uint64_t proved_ms;

	(void)state;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	proved_ms = read_shown(0).proved_ms;
	way.err = -EAGAIN;          /* a worker that does not run yet */
	apply_number(&s.second, 2); /* the same services */
	make_turns(1);
	assert_int_equal(shown_node().document, 2);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_true(read_shown(0).proved_ms >= proved_ms);
	prover_drop_batch(prover);
	s.first.services[1].port = 8080;
	apply_number(&s.first, 3);
	make_turns(1);
	assert_int_equal(shown_node().document, 3);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	assert_int_equal(read_shown(0).proved_ms, 0);
	assert_true(read_shown(0).sent > 0);
	way.err = 0;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	prover_say_stopping(prover);
	assert_int_equal(shown_node().stopping, 1);
	ops.name = "dpdk";
	prover->driver = (struct driver *)&way; /* the one before: process.driver is another */
	way.err = -EAGAIN;
	make_turns(1);
	assert_string_equal(shown_node().driver, "dpdk");
	assert_int_equal(shown_node().stopping, 0);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
}

static void addresses_that_are_not_announced_get_no_probe_packets(void **state)
{
	static const struct model_vip other = { .name = "other" };
	size_t n[PROOF_STATE_REFUSED + 1];

	(void)state;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	apply_number(&s.second, 2);
	announced[0] = &other;
	make_turns(2); /* proofs of before are over at once */
	unsigned before = way.n_probes;

	make_turns(20);
	assert_int_equal(way.n_probes, before);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	assert_int_equal(read_shown(0).n_services, 2); /* their services are known all the same */
	assert_int_equal(read_shown(0).n_serving, 2);
	prover_count_states(prover, n);
	assert_int_equal(n[PROOF_STATE_UNKNOWN], 2);
	assert_int_equal(n[PROOF_STATE_FORWARDED] + n[PROOF_STATE_REFUSED], 0);
}

/* Read a pool alone. */
static void read_pool(struct compiler_pool *pool, struct prover_pool *out, struct proof_node *node)
{
	struct compiler alone = process.node;
	struct prover_rows rows = { .pools = out, .n_pools = 1 };

	alone.pools = pool;
	alone.n_pools = 1;
	(void)prover_rows_read_pools(&rows, &alone, &process.leaving, node);
}

/* The members of a pool are @p first and @p second: weights, and whether they are in force. */
static void expect_serving(uint32_t first, bool first_alive, uint32_t second, bool second_alive,
                           uint32_t n_serving)
{
	struct compiler_pool *pool = &process.node.pools[0];
	struct plan_backend *plans = pool->plan->backends;
	struct prover_pool out;
	struct proof_node node = { 0 };
	size_t members = 0;

	for (size_t i = 0; i < pool->plan->n_backends; i++) {
		plans[i].weight = 0;
		pool->backends[i].alive = true; /* of an earlier set: they own no new slots */
		if (!plans[i].is_member)
			continue;
		plans[i].weight = members ? second : first;
		pool->backends[i].alive = members ? second_alive : first_alive;
		members++;
	}
	assert_int_equal(members, 2);
	assert_true(pool->plan->n_backends > 2);
	read_pool(pool, &out, &node);
	assert_int_equal(out.is_serving, n_serving > 0);
	assert_int_equal(node.hops_needed, n_serving);
}

/* As owners/targets.c gives slots. */
static void backends_without_weight_serve_where_no_other_does(void **state)
{
	(void)state;
	expect_serving(20, true, 30, true, 2);
	expect_serving(20, true, 0, true, 1);
	expect_serving(0, true, 0, true, 2);
	expect_serving(0, true, 30, false, 1);
	expect_serving(0, false, 0, false, 0);
}

/* By who gets new flows: its own backends, with a share its backup's too, with all of it the backup's alone. */
static void those_of_the_class_in_force_serve(void **state)
{
	static const struct {
		uint8_t class;
		uint16_t share, n_needed;
	} rows[] = {
		{ EFFECT_CLASS_OWN, 0, 1 },
		{ EFFECT_CLASS_BACKUP, 1, 2 },
		{ EFFECT_CLASS_BACKUP, BACKUP_SHARE_ALL - 1, 2 },
		{ EFFECT_CLASS_BACKUP, BACKUP_SHARE_ALL, 1 },
	};
	struct plan_backend plans[] = {
		{ .class = PLAN_OWN, .is_member = true, .weight = 1 },
		{ .class = PLAN_BACKUP, .is_member = true, .weight = 1 },
	};
	struct compiler_backend backends[] = {
		{ .plan = &plans[0], .index = 1, .alive = true },
		{ .plan = &plans[1], .index = 2, .alive = true },
	};
	struct compiler_backup backup = { 0 };
	struct plan_pool plan = { .backends = plans, .n_backends = 2 };
	struct compiler_pool pool = { .plan = &plan, .backends = backends, .backup = &backup };
	uint64_t fingerprints[sizeof(rows) / sizeof(rows[0])];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct proof_node node = { 0 };
		struct prover_pool out;

		backup.state.class = rows[i].class;
		backup.state.share = rows[i].share;
		read_pool(&pool, &out, &node);
		assert_true(out.is_serving);
		assert_int_equal(node.hops_needed, rows[i].n_needed);
		fingerprints[i] = out.fingerprint;
	}
	assert_int_not_equal(fingerprints[0], fingerprints[1]);
	assert_int_equal(fingerprints[1], fingerprints[2]);
	assert_int_not_equal(fingerprints[1], fingerprints[3]);
	assert_int_not_equal(fingerprints[0], fingerprints[3]);
}

static void a_stop_is_shown_at_once_and_stays(void **state)
{
	(void)state;
	make_turns(20);
	assert_int_equal(shown_node().stopping, 0);
	prover_say_stopping(prover);
	assert_int_equal(shown_node().stopping, 1);
	make_turns(20);
	assert_int_equal(shown_node().stopping, 1);
	simulated.now_ms += PROOF_OLD_MS + 1; /* its process has ended */
	assert_int_equal(shown_node().stopping, 1);
}

static void make_urgent(size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++)
		prover->rows.rows[i].is_urgent = true;
}

/* A backend that comes and goes makes the addresses of its pool urgent each time. */
static void changes_without_end_leave_no_address_out(void **state)
{
	(void)state;
	make_turns(20);
	multiply_rows(60);
	for (int i = 0; i < 6; i++) {
		make_urgent(0, 60);
		make_turns(1);
	}
	expect_probes(1, 4);
	multiply_rows(600); /* some 500 are always urgent, the others never */
	for (int i = 0; i < 260; i++) {
		make_urgent(0, 500);
		make_turns(1);
	}
	for (size_t i = 0; i < prover->rows.n; i++)
		assert_true(prover->rows.rows[i].n_probes > 0);
}

/* To choose a flow costs as much where none can be used, so a turn has a limit for these, too. */
static void addresses_that_cannot_be_probed_cost_little(void **state)
{
	uint32_t n_tried = 0;

	(void)state;
	make_turns(20);
	multiply_rows(4000);
	for (size_t i = 0; i < 4000; i++) {
		prover->rows.rows[i].n = 0; /* no service */
		prover->rows.rows[i].is_urgent = true;
	}
	make_turns(1);
	for (size_t i = 0; i < 4000; i++)
		n_tried += prover->rows.rows[i].n_probes;
	assert_in_range(n_tried, 20, 120);
}

SUITE(prover_turns)
{
	const struct CMUnitTest tests[] = {
		PROVER_TEST(probe_packets_that_cannot_be_run_are_explained_and_tried_once_a_second),
		PROVER_TEST(a_port_that_refuses_probe_packets_does_not_slow_the_others_down),
		PROVER_TEST(a_proof_holds_for_its_driver_and_its_services),
		PROVER_TEST(addresses_that_are_not_announced_get_no_probe_packets),
		PROVER_TEST(backends_without_weight_serve_where_no_other_does),
		PROVER_TEST(those_of_the_class_in_force_serve),
		PROVER_TEST(changes_without_end_leave_no_address_out),
		PROVER_TEST(addresses_that_cannot_be_probed_cost_little),
		PROVER_TEST(a_stop_is_shown_at_once_and_stays),
	};

	simulated_time();
	answer_if_nametoindex = own_if_nametoindex;
	logged_begin();
	return cmocka_run_group_tests_name("prover turns", tests, NULL, NULL);
}
