/* SPDX-License-Identifier: BSD-2-Clause */
/* External checks: what programs say becomes a verdict by the same rules as results of probes, and unknown in time. */
#include "tests/unit/suite.h"
#include "turns_scene.h"
#include "weir/external_page.h"

static const char external[] = "type = \"external\"; rise = 2; fall = 3;";

/* The page as weir-mgmt writes it. */
static struct page *said;

static struct external_page *said_page(void)
{
	return page_payload(said);
}

static void publish_page(bool complete)
{
	struct model *m = checker.targets->model;
	uint64_t targets[8];
	size_t n = 0;

	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t k = 0; k < m->pools[i].n_backends; k++)
			targets[n++] =
			        health_target_backend(m->pools[i].name, m->pools[i].backends[k].id);
	assert_int_equal(health_set_targets(&said_page()->table, targets, n, 1), 0);
	said_page()->complete = complete;
}

/* @param ms  how long it stands from now on */
static void say_verdict(const char *backend, enum health_state state, unsigned int ms)
{
	struct health_page *table = &said_page()->table;

	health_write(table, health_find_index(table, find_target(backend)->id),
	             external_page_word(state, (int64_t)(simulated.now_ms + ms)));
}

static void begin_external(bool complete)
{
	fixture_vip(" vip_check = \"none\";", "127.0.0.14");
	assert_int_equal(page_create(fixture_path(EXTERNAL_PAGE_FILE), EXTERNAL_PAGE_KIND,
	                             EXTERNAL_PAGE_LAYOUT, sizeof(struct external_page), &said),
	                 0);
	open_checker(external, NULL, 0);
	publish_page(complete);
	page_close(checker.external.page);
	assert_int_equal(page_open(fixture_path(EXTERNAL_PAGE_FILE), EXTERNAL_PAGE_KIND,
	                           EXTERNAL_PAGE_LAYOUT, NULL, &checker.external.page),
	                 0);
}

static int external_teardown(void **state)
{
	char lock[256];

	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	page_close(said);
	said = NULL;
	snprintf(lock, sizeof(lock), "%s.lock", fixture_path(EXTERNAL_PAGE_FILE));
	unlink(fixture_path(EXTERNAL_PAGE_FILE));
	unlink(lock);
	return turns_teardown(state);
}

static enum health_state state_of(const char *backend)
{
	return health_state(read_health_word(find_target(backend)));
}

static void go_on(unsigned int ms)
{
	run_to(since_start() + ms);
}

static void nothing_is_sent_to_a_target_of_an_external_check(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_UP, 60000);
	go_on(5000);
	assert_int_equal(sim.n_starts, 0);
	assert_int_equal(checker.groups[0].n + checker.groups[1].n + checker.groups[2].n, 0);
}

static void a_target_of_which_nothing_is_said_is_unknown(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_UP, 60000);
	go_on(600);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	assert_int_equal(health_reason(read_health_word(find_target("b1"))), HEALTH_REASON_OK);
	assert_int_equal(state_of("b2"), HEALTH_UNKNOWN);
	assert_false(health_inconclusive(read_health_word(find_target("b2"))));
}

/* fall looks of which the first comes within the interval, and the others within the fast one. */
static void down_counts_after_fall_looks_and_up_after_rise(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_UP, 600000);
	go_on(600);
	say_verdict("b1", HEALTH_DOWN, 600000);
	unsigned int before = since_start();

	while (!health_in_doubt(read_health_word(find_target("b1"))) &&
	       since_start() < before + 600)
		go_on(1);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	assert_true(health_in_doubt(read_health_word(find_target("b1"))));
	assert_in_range(since_start() - before, 1, 500);
	go_on(100);
	assert_int_equal(state_of("b1"), HEALTH_UP); /* the second of three */
	go_on(100);
	assert_int_equal(state_of("b1"), HEALTH_DOWN);
	assert_int_equal(health_reason(read_health_word(find_target("b1"))),
	                 HEALTH_REASON_EXTERNAL);
	assert_int_equal(sim.count[DOWN], 1);
	say_verdict("b1", HEALTH_UP, 600000);
	go_on(501);
	assert_true(health_in_doubt(read_health_word(find_target("b1"))) ||
	            state_of("b1") == HEALTH_UP);
	go_on(100);
	assert_int_equal(state_of("b1"), HEALTH_UP);
}

static void a_verdict_whose_time_is_over_is_unknown_at_the_next_look(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_UP, 5000);
	go_on(4900);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	go_on(601);
	assert_int_equal(state_of("b1"), HEALTH_UNKNOWN);
	assert_int_equal(sim.count[DOWN], 0);
	assert_false(find_target("b1")->verdict >> 8); /* nothing is held against it */
	say_verdict("b1", HEALTH_UP, 5000);
	go_on(501);
	assert_int_equal(state_of("b1"), HEALTH_UP); /* of an unknown one, the first is enough */
}

static void what_is_not_known_yet_changes_nothing(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_UP, 60000);
	say_verdict("b2", HEALTH_DOWN, 60000);
	go_on(1000);
	assert_int_equal(state_of("b2"), HEALTH_DOWN);
	publish_page(false); /* weir-mgmt has started again, and has heard nobody */
	say_verdict("b1", HEALTH_UNKNOWN, 0);
	say_verdict("b2", HEALTH_UNKNOWN, 0);
	go_on(3000);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	assert_int_equal(state_of("b2"), HEALTH_DOWN);
	assert_int_equal(state_of("b3"), HEALTH_UNKNOWN);
	assert_true(health_inconclusive(read_health_word(find_target("b1"))));
	assert_false(health_inconclusive(read_health_word(find_target("b3"))));
	assert_int_equal(find_target("b1")->vague_ms, 0); /* it is no check that fails */
	publish_page(true);
	go_on(501);
	assert_int_equal(state_of("b1"), HEALTH_UNKNOWN);
	assert_int_equal(state_of("b2"), HEALTH_UNKNOWN);
}

static void a_missing_or_damaged_page_changes_nothing(void **state)
{
	(void)state;
	begin_external(true);
	say_verdict("b1", HEALTH_DOWN, 60000);
	go_on(1000);
	assert_int_equal(state_of("b1"), HEALTH_DOWN);
	assert_int_equal(truncate(fixture_path(EXTERNAL_PAGE_FILE), 0), 0);
	go_on(2000);
	assert_int_equal(state_of("b1"), HEALTH_DOWN);
	external_source_refresh(&checker.external, "/nonexistent");
	assert_null(checker.external.page);
	go_on(2000);
	assert_int_equal(state_of("b1"), HEALTH_DOWN);
}

/* A document that makes the check another one: what was known goes on, and no round of the former check does. */
static void a_check_that_becomes_external_keeps_what_is_known_until_it_looks(void **state)
{
	(void)state;
	begin_external(false);
	fixture_vip(" vip_check = \"none\";", "127.0.0.14");
	assert_int_equal(checker_apply_model(&checker,
	                                     fixture_model("type = \"tcp\"; timeout = \"100ms\"; "
	                                                   "interval = \"500ms\";",
	                                                   7080, OUTSIDE),
	                                     NULL, 0),
	                 0);
	make_round(find_target("b1"), 20);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	set_script(11, -1, HEALTH_REASON_OK, -1, HEALTH_REASON_OK);
	make_round(find_target("b1"), 10); /* its round is under way */
	assert_int_equal(find_target("b1")->phase, TARGET_FIRST);
	assert_int_equal(
	        checker_apply_model(&checker, fixture_model(external, 7080, OUTSIDE), NULL, 0), 0);
	assert_int_equal(find_target("b1")->phase, TARGET_IDLE);
	assert_int_equal(state_of("b1"), HEALTH_UP);
	go_on(2000);
	assert_int_equal(state_of("b1"), HEALTH_UP); /* nobody knows otherwise */
	publish_page(true);
	go_on(501);
	assert_int_equal(state_of("b1"), HEALTH_UNKNOWN);
}

static void flapping_is_damped_as_of_other_checks(void **state)
{
	(void)state;
	fixture_vip(" vip_check = \"none\";", "127.0.0.14");
	begin_external(true);
	say_verdict("b2", HEALTH_UP, 600000);
	for (unsigned int i = 0; i < 7; i++) {
		say_verdict("b1", HEALTH_UP, 600000);
		go_on(1200);
		say_verdict("b1", HEALTH_DOWN, 600000);
		go_on(1200);
	}
	say_verdict("b1", HEALTH_UP, 600000);
	go_on(2000);
	assert_true(find_target("b1")->damp.held);
	assert_int_equal(state_of("b1"), HEALTH_DOWN);
	assert_true(health_damped(read_health_word(find_target("b1"))));
}

static void a_word_has_its_end(void **state)
{
	static const struct {
		const char *why;
		uint64_t word, now_ms;
		enum health_state is;
	} cases[] = {
		{ "none", 0, 1000, HEALTH_UNKNOWN },
		{ "up", 2000 << 2 | 1, 1000, HEALTH_UP },
		{ "down", 2000 << 2 | 2, 1999, HEALTH_DOWN },
		{ "at its end", 2000 << 2 | 2, 2000, HEALTH_UNKNOWN },
		{ "after it", 2000 << 2 | 1, 9000, HEALTH_UNKNOWN },
		{ "no state", 2000 << 2 | 3, 1000, HEALTH_UNKNOWN },
		{ "all bits", UINT64_MAX, 1000, HEALTH_UNKNOWN },
		{ "the longest", UINT64_MAX - 1, 1000, HEALTH_DOWN },
	};

	(void)state;
	const uint64_t target = 77;
	struct external_page *page = calloc(1, sizeof(*page));

	assert_non_null(page);
	page->complete = 1;
	assert_int_equal(health_set_targets(&page->table, &target, 1, 1), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum health_state is = (enum health_state)7;

		health_write(&page->table, health_find_index(&page->table, target), cases[i].word);
		if (!external_page_read(page, target, cases[i].now_ms, &is) || is != cases[i].is)
			fail_msg("%s", cases[i].why);
	}
	free(page);
	assert_int_equal(external_page_word(HEALTH_UP, 2000), 2000 << 2 | 1);
	assert_int_equal(external_page_word(HEALTH_DOWN, 0), 0);
	assert_int_equal(external_page_word(HEALTH_DOWN, -5), 0);
	assert_int_equal(external_page_word(HEALTH_UNKNOWN, 2000), 0);
}

#define TURN(test) cmocka_unit_test_setup_teardown(test, turns_setup, external_teardown)

SUITE(external)
{
	const struct CMUnitTest tests[] = {
		TURN(nothing_is_sent_to_a_target_of_an_external_check),
		TURN(a_target_of_which_nothing_is_said_is_unknown),
		TURN(down_counts_after_fall_looks_and_up_after_rise),
		TURN(a_verdict_whose_time_is_over_is_unknown_at_the_next_look),
		TURN(what_is_not_known_yet_changes_nothing),
		TURN(a_missing_or_damaged_page_changes_nothing),
		TURN(a_check_that_becomes_external_keeps_what_is_known_until_it_looks),
		TURN(flapping_is_damped_as_of_other_checks),
		cmocka_unit_test(a_word_has_its_end),
	};

	simulated_time();
	answer_close = own_close;
	answer_connect = own_connect;
	answer_getsockopt = own_getsockopt;
	answer_poll = own_poll;
	answer_recvfrom = own_recvfrom;
	answer_send = own_send;
	answer_sendto = own_sendto;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
