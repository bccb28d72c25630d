/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that were too big for a tunnel, from the counters of weir-dataplane (mgmt/observe/too_big.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/observe/too_big.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

#define COUNTER "weir_dataplane_packets_total"
#define T0      5000000u

static char dir[64];
static struct stats *stats;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-too-big-XXXXXX");
	return !mkdtemp(dir) || stats_create(dir, "dataplane", 16, &stats);
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	stats_close(stats);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void set_counter(const char *name, const char *labels, uint64_t n)
{
	uint64_t *counter = stats_get_counter(stats, STATS_COUNTER, name, labels, "x");

	assert_non_null(counter);
	stats_set(counter, n);
}

static void the_three_ends_are_summed_and_no_other(void **state)
{
	uint64_t n = 99;

	(void)state;
	stats_alive(stats, T0);
	set_counter(COUNTER, "action=\"sent\",reason=\"forwarded\"", 1000);
	assert_false(too_big_read(dir, T0, &n)); /* a page that does not count them */
	set_counter(COUNTER, "action=\"sent\",reason=\"too_big_told\"", 5);
	set_counter(COUNTER, "action=\"dropped\",reason=\"too_big\"", 3);
	set_counter(COUNTER, "action=\"dropped\",reason=\"too_big_untold\"", 70);
	set_counter(COUNTER, "action=\"dropped\",reason=\"tunnel_too_big\"", 200);
	set_counter(COUNTER, "action=\"dropped\",reason=\"tunnel_too_big_refused\"", 300);
	set_counter("weir_dataplane_probe_packets_total", "reason=\"too_big\"", 400);
	assert_true(too_big_read(dir, T0, &n));
	assert_int_equal(n, 78);
}

static void what_a_silent_process_has_counted_is_not_known(void **state)
{
	uint64_t n = 99;

	(void)state;
	set_counter(COUNTER, "action=\"sent\",reason=\"too_big_told\"", 5);
	stats_alive(stats, T0);
	assert_true(too_big_read(dir, T0 + 3000, &n));
	n = 99;
	assert_false(too_big_read(dir, T0 + 3001, &n));
	assert_false(too_big_read("/nonexistent", T0, &n));
	assert_int_equal(n, 99);
}

static void assert_mss(const uint64_t *too_big, const struct effect_backend *rows, int n,
                       const char *expected)
{
	json_t *mss = too_big_mss(too_big, rows, n);
	char *text = json_dumps(mss, JSON_COMPACT);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(mss);
}

static void a_pool_says_which_mss_its_smallest_tunnel_carries(void **state)
{
	struct effect_backend rows[3] = { { .next_hop = 1, .inner_mtu = 1480 },
		                          { .next_hop = 1, .inner_mtu = 1408 },
		                          { .next_hop = 1, .inner_mtu = 1460 } };
	const uint64_t none = 0, some = 12;

	(void)state;
	assert_mss(NULL, rows, 3, "{\"too_big\":null,\"ipv4\":1368,\"ipv6\":1348}");
	assert_mss(&none, rows, 3, "{\"too_big\":0,\"ipv4\":1368,\"ipv6\":1348}");
	assert_mss(&some, rows, 1, "{\"too_big\":12,\"ipv4\":1440,\"ipv6\":1420}");
	rows[1].is_backup = 1; /* another pool's */
	assert_mss(&some, rows, 3, "{\"too_big\":12,\"ipv4\":1420,\"ipv6\":1400}");
	rows[1].is_backup = 0;
	rows[1].next_hop = 0; /* as it was once */
	assert_mss(&some, rows, 3, "{\"too_big\":12,\"ipv4\":1420,\"ipv6\":1400}");
	rows[0].inner_mtu = 130; /* what is left of it for IPv6 is no MSS */
	assert_mss(&some, rows, 3, "{\"too_big\":12,\"ipv4\":90,\"ipv6\":null}");
	assert_mss(&some, rows, 0, "{\"too_big\":12,\"ipv4\":null,\"ipv6\":null}");
	assert_mss(&some, NULL, -1, "{\"too_big\":12,\"ipv4\":null,\"ipv6\":null}");
}

SUITE(too_big)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_three_ends_are_summed_and_no_other, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_a_silent_process_has_counted_is_not_known,
		                                setup, teardown),
		cmocka_unit_test(a_pool_says_which_mss_its_smallest_tunnel_carries),
	};

	return cmocka_run_group_tests_name("too big", tests, NULL, NULL);
}
