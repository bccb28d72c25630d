/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries that weir-dns counts, as a rate: over ten seconds, and unknown where nothing counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/observe/dns_rate.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

#define T0 5000000u

static char dir[64];
static struct stats *stats;
static uint64_t *udp, *tcp, *others;
static struct dns_rate rate;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-dns-rate-XXXXXX");
	if (!mkdtemp(dir) || stats_create(dir, "dns", 16, &stats))
		return -1;
	udp = stats_get_counter(stats, STATS_COUNTER, "weir_dns_queries_total", "transport=\"udp\"",
	                        "x");
	tcp = stats_get_counter(stats, STATS_COUNTER, "weir_dns_queries_total", "transport=\"tcp\"",
	                        "x");
	others = stats_get_counter(stats, STATS_COUNTER, "weir_dns_answers_total", "", "x");
	memset(&rate, 0, sizeof(rate));
	return !udp || !tcp || !others;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	stats_close(stats);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void look_at(uint64_t now_ms, uint64_t n_udp, uint64_t n_tcp)
{
	stats_add(udp, n_udp);
	stats_add(tcp, n_tcp);
	stats_add(others, 1000);
	stats_alive(stats, now_ms);
	dns_rate_look(&rate, dir, now_ms);
}

static void assert_rate(uint64_t expected)
{
	uint64_t milli = 0;

	assert_true(dns_rate_get(&rate, &milli));
	assert_int_equal(milli, expected);
}

static void the_rate_is_of_ten_seconds_and_both_transports(void **state)
{
	uint64_t milli;

	(void)state;
	assert_false(dns_rate_get(&rate, &milli));
	look_at(T0, 1000, 0); /* from before the first look */
	assert_false(dns_rate_get(&rate, &milli));
	look_at(T0 + 500, 5, 0);
	assert_false(dns_rate_get(&rate, &milli)); /* half a second is no window */
	look_at(T0 + 1000, 0, 0);
	assert_rate(5000);
	look_at(T0 + 2000, 2, 3);
	assert_rate(5000);
	for (uint64_t i = 3; i <= 30; i++)
		look_at(T0 + i * 1000, 0, i == 30);
	assert_rate(100); /* one in ten seconds is not none */
}

static void a_process_that_is_gone_or_new_has_no_rate_yet(void **state)
{
	uint64_t milli;

	(void)state;
	look_at(T0, 0, 0);
	look_at(T0 + 1000, 9, 0);
	assert_rate(9000);
	dns_rate_look(&rate, dir, T0 + 9000); /* no sign of life for 8 s */
	assert_false(dns_rate_get(&rate, &milli));
	look_at(T0 + 10000, 0, 0);
	look_at(T0 + 11000, 0, 0);
	assert_rate(0);
	stats_set(udp, 0); /* counted from 0 again */
	look_at(T0 + 12000, 0, 0);
	assert_false(dns_rate_get(&rate, &milli));
	dns_rate_look(&rate, "/nonexistent", T0 + 13000);
	assert_false(dns_rate_get(&rate, &milli));
}

SUITE(dns_rate)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_rate_is_of_ten_seconds_and_both_transports,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_that_is_gone_or_new_has_no_rate_yet,
		                                setup, teardown),
	};

	return cmocka_run_group_tests_name("dns rate", tests, NULL, NULL);
}
