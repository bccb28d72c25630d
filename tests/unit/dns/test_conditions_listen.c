/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns states and publishes of the addresses that it serves. */
#include "tests/unit/dns/conditions_scene.h"
#include "tests/unit/suite.h"

/* What weir-announce reads of an address. */
static uint64_t word_of_listening(const char *labels)
{
	return *stats_get_counter(page, STATS_GAUGE, STATS_LISTENING, labels, "");
}

/* Lost and back, twice. */
static void each_address_is_said_to_be_served_or_not(void **state)
{
	(void)state;
	for (int life = 0; life < 2; life++) {
		(void)state_conditions();
		assert_int_equal(word_of_listening("address=\"192.0.2.2\""), 1);
		w.s.listens[1].n[1] = 0; /* no TCP */
		(void)state_conditions();
		assert_int_equal(word_of_listening("address=\"192.0.2.1\""), 1);
		assert_int_equal(word_of_listening("address=\"192.0.2.2\""), 0);
		w.s.listens[1].n[1] = 1;
		lacking = "192.0.2.1";
		(void)state_conditions();
		assert_int_equal(word_of_listening("address=\"192.0.2.1\""), 0);
		assert_int_equal(word_of_listening("address=\"192.0.2.2\""), 1);
		lacking = NULL;
	}
}

/* Whether the page has an entry of the address. */
static bool is_listening_known(const char *labels)
{
	struct stats_reader *r;
	bool found = false;

	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		found |= e->used && !strcmp(e->name, STATS_LISTENING) && !strcmp(e->labels, labels);
	}
	stats_reader_close(r);
	return found;
}

/* What did not answer yet is not known; that it stays so is told. Twice, as after another start. */
static void an_address_is_served_once_a_query_was_answered(void **state)
{
	(void)state;
	for (int life = 0; life < 2; life++) {
		w.s.listens[0].own = (struct self_query){ .fd = -1, .began_ms = simulated.now_ms };
		assert_int_equal(state_conditions(), 0);
		assert_false(is_listening_known("address=\"192.0.2.1\""));
		assert_int_equal(word_of_listening("address=\"192.0.2.2\""), 1);
		simulated.now_ms += 9999;
		assert_int_equal(state_conditions(), 0);
		simulated.now_ms++;
		assert_int_equal(state_conditions(), 1);
		assert_int_equal(level_of("listen-failed", "192.0.2.1", "no query"),
		                 CONDITION_DEGRADED);
		assert_false(is_listening_known("address=\"192.0.2.1\""));
		w.s.listens[0].own.answered = true;
		assert_int_equal(state_conditions(), 0);
		assert_int_equal(word_of_listening("address=\"192.0.2.1\""), 1);
	}
}

static void listens_are_judged_one_by_one(void **state)
{
	(void)state;
	w.s.listens[1].n[1] = 0; /* no TCP at the second */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("listen-failed", "192.0.2.2", "port 53"), CONDITION_DEGRADED);
	w.s.listens[0].n[0] = 0;
	assert_int_equal(state_conditions(), 2);
	assert_int_equal(level_of("listen-failed", "192.0.2.1", "port 53"), CONDITION_DOWN);
	w.s.listens[0].n[0] = w.s.listens[1].n[1] = 1;
	lacking = "192.0.2.1"; /* bound before it comes */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("listen-failed", "192.0.2.1", "does not have the address"),
	                 CONDITION_DEGRADED);
	w.self.n_dns_listen = 1; /* the only one */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("listen-failed", "192.0.2.1", "does not have the address"),
	                 CONDITION_DOWN);
	w.s.n_listens = 0; /* not even tried */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("listen-failed", "192.0.2.1", "port 53"), CONDITION_DOWN);
}

/* An address that is not asked yet counts as one that works, for as long as it takes. */
static void an_address_that_begins_is_no_trouble_yet(void **state)
{
	(void)state;
	w.s.listens[0].own = (struct self_query){ .fd = -1 };
	w.s.listens[1].n[0] = 0;
	simulated.now_ms += 60000;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("listen-failed", "192.0.2.2", "port 53"), CONDITION_DEGRADED);
	w.s.listens[0].own.began_ms = simulated.now_ms - 10000;
	assert_int_equal(state_conditions(), 2);
	assert_int_equal(level_of("listen-failed", "192.0.2.1", "no query"), CONDITION_DOWN);
	assert_int_equal(level_of("listen-failed", "192.0.2.2", "port 53"), CONDITION_DOWN);
}

/* As many are looked at as can be served. */
static void addresses_beyond_the_limit_are_left_out(void **state)
{
	static struct addr many[SERVER_SOCKETS_MAX + 2];

	(void)state;
	for (unsigned i = 0; i < COUNT(many); i++) {
		char text[16];

		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		assert_int_equal(addr_parse(text, &many[i]), 0);
	}
	w.self.dns_listen = many;
	for (unsigned more = 0; more <= 2; more++) {
		w.self.n_dns_listen = SERVER_SOCKETS_MAX + more - 1;
		assert_int_equal(state_conditions(), SERVER_SOCKETS_MAX - 2 - (more == 0));
		assert_int_equal(level_of("listen-failed", "192.0.2.65", NULL), -1);
	}
}

SUITE(conditions_listen)
{
	const struct CMUnitTest tests[] = {
		WITH(listens_are_judged_one_by_one),
		WITH(each_address_is_said_to_be_served_or_not),
		WITH(an_address_is_served_once_a_query_was_answered),
		WITH(an_address_that_begins_is_no_trouble_yet),
		WITH(addresses_beyond_the_limit_are_left_out),
	};

	answer_bind = own_bind;
	simulated_clock();
	return cmocka_run_group_tests_name("dns conditions listen", tests, make_page, remove_page);
}
