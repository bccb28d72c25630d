/* SPDX-License-Identifier: BSD-2-Clause */
/* What the prover makes of answers and of time. */
#include "tests/unit/dataplane/prover_scene.h"
#include "tests/unit/suite.h"

static void both_families_are_proved_and_counted(void **state)
{
	(void)state;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_int_equal(read_shown(0).n_services, 2);
	assert_int_equal(read_shown(0).n_serving, 2);
	make_turns(10);
	assert_int_equal(__builtin_popcountll(way.asked), 2); /* services take turns */
	assert_int_equal(prover->node.sent, way.n_probes);
	assert_in_range(way.n_probes, 6, 10); /* each address once a second */
}

/* Who waits for the page is woken at once by what changed, and by nothing else. */
static void readers_are_woken_by_what_changed_alone(void **state)
{
	uint32_t epoch;

	(void)state;
	make_turns(20);
	for (int i = 0; i < 2; i++) {
		epoch = page_epoch(prover->page);
		make_turns(20);
		assert_int_equal(page_epoch(prover->page), epoch);
		v0.down = driven.up;
		driven.up = !driven.up;
		tell_link();
		make_turns(3);
		assert_int_equal(page_epoch(prover->page), epoch + 1);
	}
}

static void one_refusal_is_looked_at_again_and_two_count(void **state)
{
	uint64_t since_ms;

	(void)state;
	make_turns(20);
	since_ms = read_shown(0).since_ms;
	way.refuses = true;
	while (way.n_probes % 2 == 0 ||
	       prover->rows.rows[0].refusals + prover->rows.rows[1].refusals == 0) {
		make_turns(1);
		if (prover->rows.rows[0].refusals || prover->rows.rows[1].refusals)
			break;
	}
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.refuses = false;
	make_turns(20);
	assert_int_equal(read_shown(0).since_ms, since_ms);
	assert_int_equal(prover->rows.rows[0].refusals, 0);
	way.refuses = true;
	make_turns(13);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_PROGRAM);
	assert_true(read_shown(0).since_ms > since_ms);
	way.refuses = false;
	make_turns(13);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

static void what_comes_out_wrong_is_refused(void **state)
{
	(void)state;
	way.mangles = true;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_OUTPUT);
}

static void the_reason_is_the_workers_or_the_tables(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < s.driver.now.n_backends; i++)
		s.driver.now.backends[i].flags |= FWD_BACKEND_NO_NEXT_HOP;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, FWD_REASON_NO_NEXT_HOP);
	assert_int_equal(read_shown(0).n_serving, 2);
	assert_int_equal(read_shown(0).n_reachable, 0);
	assert_int_equal(shown_node().hops_known, 0);
	assert_true(shown_node().hops_needed > 0);
	complete_tables();
	way.when = NEXT_TURN;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	for (uint32_t i = 1; i < s.driver.now.n_backends; i++)
		s.driver.now.backends[i].flags |= FWD_BACKEND_DEAD;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, FWD_REASON_BACKEND_DEAD);
}

/* The code decides as it should, and the drivers take nothing: of all ports to the backends. */
static void what_does_not_leave_is_refused_until_it_does_again(void **state)
{
	struct leaving *l = &process.leaving;

	(void)state;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	l->n = 1;
	l->ports[0].shown.ifindex = s.driver.now.backends[1].ifindex;
	for (unsigned i = 0; i < 2; i++) {
		l->ports[0].state = LEAVING_SOME;
		l->changes++;
		make_turns(20);
		expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
		assert_false(prover_is_blocked(prover));
		l->ports[0].state = LEAVING_NONE;
		l->changes++;
		make_turns(3); /* at once */
		expect_states(PROOF_STATE_REFUSED, FWD_REASON_NOT_SENT);
		assert_true(prover_is_blocked(prover));
		assert_int_equal(read_shown(0).n_reachable, 2); /* the next hops are known */
	}
	s.driver.now.backends[1].ifindex++; /* one backend is behind another port */
	l->changes++;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	s.driver.now.backends[1].ifindex--;
	memset(l, 0, sizeof(*l));
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

/* A whole process that is stopped has no turns, so what it was waiting for says nothing. */
static void a_stopped_process_loses_nothing(void **state)
{
	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	make_late_turn(150);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	make_late_turn(10000);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.when = NEXT_TURN;
	make_turns(5);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

static void a_worker_that_stands_still_is_unknown_then_refused_then_proved_again(void **state)
{
	uint64_t sent, since_ms[2];
	uint32_t epoch;

	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	sent = prover->node.sent;
	prover->rows.rows[0].refusals = 1; /* one of before counts no more then */
	make_turns(PROVER_LATE_MS / PROVER_TURN_MS - 1);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_int_equal(prover->rows.rows[0].refusals, 1);
	make_turns(2);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	assert_int_equal(prover->rows.rows[0].refusals, 0);
	make_turns(PROVER_STALLED_MS / PROVER_TURN_MS);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_STALLED);
	assert_int_equal(prover->node.sent, sent); /* the one batch, counted once */
	way.when = NEXT_TURN;
	make_turns(1);
	assert_int_not_equal(read_shown(0).state, PROOF_STATE_REFUSED);
	assert_int_not_equal(read_shown(1).state, PROOF_STATE_REFUSED);
	make_turns(3);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	for (int i = 0; i < 2; i++)
		since_ms[i] = read_shown(i).since_ms;
	epoch = page_epoch(prover->page);
	make_turns(40); /* what was late is over: the next batches change nothing */
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	for (int i = 0; i < 2; i++)
		assert_true(read_shown(i).since_ms == since_ms[i]);
	assert_int_equal(page_epoch(prover->page), epoch);
}

static void a_document_waits_for_the_batch_under_way(void **state)
{
	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	apply_number(&s.second, 2);
	make_turns(3);
	assert_int_equal(shown_node().document, 1);
	way.when = NEXT_TURN;
	make_turns(4);
	assert_int_equal(shown_node().document, 2);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_int_equal(prover->node.sent, way.n_probes + prover->batch.n);
}

static void a_document_or_a_verdict_comes_first(void **state)
{
	uint64_t proved_ms;

	(void)state;
	make_turns(20);
	proved_ms = prover->rows.rows[0].shown.proved_ms;
	while (prover->rows.rows[0].shown.proved_ms == proved_ms)
		make_turns(1);
	apply_number(&s.second, 2); /* the row has just been proved */
	make_turns(1);
	assert_int_equal(prover->rows.rows[0].shown.proved_ms, simulated.now_ms);
	assert_int_equal(prover->rows.rows[1].shown.proved_ms, simulated.now_ms);
	process.node.counters.deaths++;
	process.node.pools[0].backends[0].alive = !process.node.pools[0].backends[0].alive;
	make_turns(1);
	assert_int_equal(prover->rows.rows[0].shown.proved_ms, simulated.now_ms);
}

static void a_port_without_the_code_proves_nothing_and_says_so(void **state)
{
	(void)state;
	make_turns(20);
	assert_int_equal(shown_node().ports[0].attached, PROOF_YES);
	assert_int_equal(shown_node().ports[0].up, PROOF_YES);
	assert_int_equal(shown_node().ports[0].program, 33);
	driven.lost = true;
	way.err = -ENOLINK; /* seen by the next probe, not by the next look at ports */
	make_turns(11);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	driven.lost = false;
	way.err = 0;
	v0.down = true;
	tell_link();
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_YES);
	assert_int_equal(shown_node().ports[0].up, PROOF_NO);
	v0.ifindex = 0; /* the table of links has no room for it */
	tell_link();
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_YES);
	assert_int_equal(shown_node().ports[0].up, PROOF_UNKNOWN);
	kernel_index = 0; /* gone */
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
	assert_int_equal(shown_node().ports[0].up, PROOF_NO);
	driven.ifindex = 0; /* the driver has none either */
	v0.ifindex = kernel_index = 5;
	tell_link();
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_UNKNOWN);
	process.port_err[0] = -EBUSY;
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
}

/* A program that the kernel refuses, on all nodes at once: the one before goes on. */
static void a_port_that_may_forward_is_never_said_to_be_without_the_code(void **state)
{
	(void)state;
	make_turns(20);
	driven.lost = driven.may_forward = true; /* the id is another one, or cannot be read */
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_UNKNOWN);
	driven.ifindex = 0; /* and in a process that could not attach at all */
	process.port_err[0] = -EINVAL;
	way.may_forward = true;
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_UNKNOWN);
	way.may_forward = false; /* the kernel says that nothing is there */
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
	ops.may_forward = NULL; /* a driver that ends with its process */
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
}

static void a_kernel_that_cannot_leaves_all_unknown(void **state)
{
	(void)state;
	way.err = -EOPNOTSUPP;
	make_turns(20);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	assert_int_equal(prover->node.sent, 0);
}

static void whether_peers_state_has_come_is_shown_at_once(void **state)
{
	(void)state;
	process.node.learning = true;
	make_turns(2);
	assert_int_equal(shown_node().state_arrived, PROOF_NO);
	process.node.learning = false;
	make_turns(1);
	assert_int_equal(shown_node().state_arrived, PROOF_YES);
}

static void many_addresses_share_the_limit_evenly(void **state)
{
	unsigned before;

	(void)state;
	make_turns(20);
	multiply_rows(100); /* each once a second, a tenth of them a turn */
	before = way.n_probes;
	make_turns(50);
	assert_int_equal(way.most, 10);
	assert_in_range(way.n_probes - before, 450, 500);
	expect_probes(4, 5);
	multiply_rows(2000); /* 1,000 VIPs in both families: the limit, and each in its turn */
	before = way.n_probes;
	make_turns(100);
	assert_int_equal(way.most, DRIVER_PROBES_MAX);
	assert_int_equal(way.n_probes - before, 2000);
	expect_probes(1, 1);
}

SUITE(prover_batch)
{
	const struct CMUnitTest tests[] = {
		PROVER_TEST(both_families_are_proved_and_counted),
		PROVER_TEST(readers_are_woken_by_what_changed_alone),
		PROVER_TEST(one_refusal_is_looked_at_again_and_two_count),
		PROVER_TEST(what_comes_out_wrong_is_refused),
		PROVER_TEST(the_reason_is_the_workers_or_the_tables),
		PROVER_TEST(what_does_not_leave_is_refused_until_it_does_again),
		PROVER_TEST(a_stopped_process_loses_nothing),
		PROVER_TEST(a_worker_that_stands_still_is_unknown_then_refused_then_proved_again),
		PROVER_TEST(a_document_waits_for_the_batch_under_way),
		PROVER_TEST(a_document_or_a_verdict_comes_first),
		PROVER_TEST(a_port_without_the_code_proves_nothing_and_says_so),
		PROVER_TEST(a_port_that_may_forward_is_never_said_to_be_without_the_code),
		PROVER_TEST(a_kernel_that_cannot_leaves_all_unknown),
		PROVER_TEST(whether_peers_state_has_come_is_shown_at_once),
		PROVER_TEST(many_addresses_share_the_limit_evenly),
	};

	simulated_time();
	answer_if_nametoindex = own_if_nametoindex;
	logged_begin();
	return cmocka_run_group_tests_name("prover batch", tests, NULL, NULL);
}
