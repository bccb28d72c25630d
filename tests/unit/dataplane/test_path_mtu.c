/* SPDX-License-Identifier: BSD-2-Clause */
/* Path MTUs (dataplane/tables/path_mtu.c): what reports of routers may change, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tables/path_mtu.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define STEP_MS 1000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define START    1000000u

static void only_less_than_what_is_known_counts(void **state)
{
	struct path_mtu p = { 0, 0 };

	(void)state;
	assert_false(path_mtu_lower(&p, 0, 1500, START));
	assert_false(path_mtu_lower(&p, 1500, 1500, START));
	assert_false(path_mtu_lower(&p, 9000, 1500, START));
	assert_int_equal(p.mtu, 0);
	assert_true(path_mtu_lower(&p, 1400, 1500, START));
	assert_false(path_mtu_lower(&p, 1400, 1500, START + 2 * STEP_MS));
	assert_false(path_mtu_lower(&p, 1450, 1500, START + 2 * STEP_MS));
	assert_int_equal(p.mtu, 1400);
	assert_int_equal(p.at_ms, START);
}

static void it_falls_a_step_at_a_time(void **state)
{
	struct path_mtu p = { 0, 0 };
	uint32_t steps = 0;

	(void)state;
	for (uint64_t now_ms = START; now_ms < START + 10 * STEP_MS; now_ms += 10)
		steps +=
		        path_mtu_lower(&p, (uint16_t)(1499 - (now_ms - START) / 100), 1500, now_ms);
	assert_int_equal(steps, 10);
}

static void it_ends_ten_minutes_after_the_last_word(void **state)
{
	struct path_mtu p = { 0, 0 };

	(void)state;
	assert_false(path_mtu_expire(&p, START));
	assert_true(path_mtu_lower(&p, 1450, 1500, START));
	assert_true(path_mtu_lower(&p, 1400, 1500, START + 300000));
	assert_false(path_mtu_expire(&p, START + 600000));
	assert_false(path_mtu_expire(&p, START + 899999));
	assert_true(path_mtu_expire(&p, START + 900000));
	assert_int_equal(p.mtu, 0);
	assert_false(path_mtu_expire(&p, START + 900000));
	assert_true(path_mtu_lower(&p, 1450, 1500, START + 900001)); /* at once, and of any size */
}

static void no_word_takes_the_room_that_ipv6_needs(void **state)
{
	static const struct {
		uint16_t carries, told;
		uint32_t overhead;
		uint16_t inner;
	} cases[] = {
		{ 1500, 0, 20, 1480 },    { 1500, 1400, 20, 1380 }, { 1500, 1400, 52, 1348 },
		{ 1500, 1300, 20, 1280 }, { 1500, 1299, 20, 1280 }, { 1500, 576, 20, 1280 },
		{ 1500, 1280, 40, 1280 }, { 1500, 1, 104, 1280 },   { 1290, 576, 20, 1270 },
		{ 1290, 0, 20, 1270 },    { 1300, 1400, 20, 1280 }, { 30, 0, 40, 0 },
		{ 40, 0, 40, 0 },         { 30, 576, 40, 0 },       { 65535, 65534, 0, 65534 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(path_mtu_inner(cases[i].carries, cases[i].told, cases[i].overhead),
		                 cases[i].inner);
}

SUITE(path_mtu)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_less_than_what_is_known_counts),
		cmocka_unit_test(it_falls_a_step_at_a_time),
		cmocka_unit_test(it_ends_ten_minutes_after_the_last_word),
		cmocka_unit_test(no_word_takes_the_room_that_ipv6_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
