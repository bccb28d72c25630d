/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/store/pending.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LEFT_MAX_MS 86400000

static const struct pending_clock at_10s = { .boot = "one", .now_ms = 10000 };

static struct pending_clock clock_at(const char *boot, int64_t now_ms)
{
	struct pending_clock c = { .now_ms = now_ms };

	memcpy(c.boot, boot, strlen(boot) + 1);
	return c;
}

static void a_deadline_ends_at_its_instant(void **state)
{
	static const struct {
		int64_t now_ms, left_ms;
	} rows[] = { { 10000, 60000 }, { 10001, 59999 }, { 69999, 1 }, { 70000, 0 }, { 99999, 0 } };
	struct pending p;

	(void)state;
	pending_start(&p, 7, "d", 60000, &at_10s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pending_clock c = clock_at("one", rows[i].now_ms);

		assert_int_equal(pending_left_ms(&p, &c), rows[i].left_ms);
	}
}

static void it_is_of_one_version_alone(void **state)
{
	struct pending p, none = { 0 };

	(void)state;
	pending_start(&p, 7, "d", 1, &at_10s);
	assert_true(pending_is_of(&p, 7, "d"));
	assert_false(pending_is_of(&p, 8, "d"));
	assert_false(pending_is_of(&p, 7, "e"));
	assert_false(pending_is_of(&none, 0, ""));
}

static void a_restart_does_not_lengthen_it(void **state)
{
	struct pending p;
	struct pending_clock later = clock_at("one", 40000);

	(void)state;
	pending_start(&p, 7, "d", 60000, &at_10s);
	pending_resume(&p, &later); /* what was stored is 30 s old */
	assert_int_equal(pending_left_ms(&p, &later), 30000);
}

static void after_a_reboot_what_was_left_runs_on(void **state)
{
	struct pending p;
	struct pending_clock later = clock_at("one", 40000), booted = clock_at("two", 500),
	                     twice = clock_at("three", 1000000), unknown = clock_at("", 9);

	(void)state;
	pending_start(&p, 7, "d", 60000, &at_10s);
	p.left_ms = pending_left_ms(&p, &later); /* as it was stored then */
	pending_resume(&p, &booted);
	assert_int_equal(pending_left_ms(&p, &booted), 30000);
	pending_resume(&p, &twice);
	assert_int_equal(pending_left_ms(&p, &twice), 30000);
	pending_resume(
	        &p,
	        &unknown); /* whether it is the same boot is not known: go on with what was left */
	assert_int_equal(pending_left_ms(&p, &unknown), 30000);
}

static void a_damaged_record_does_not_put_it_off(void **state)
{
	static const struct {
		int64_t due_ms, left_ms, want_ms;
	} rows[] = { { INT64_MAX, 30000, 30000 },
		     { 100001, 60000, 60000 },
		     { INT64_MAX, INT64_MAX, LEFT_MAX_MS },
		     { INT64_MIN, 60000, 0 } };
	struct pending_clock now = clock_at("one", 40000);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pending p;

		pending_start(&p, 7, "d", 60000, &at_10s);
		p.due_ms = rows[i].due_ms;
		p.left_ms = rows[i].left_ms;
		pending_resume(&p, &now);
		assert_int_equal(pending_left_ms(&p, &now), rows[i].want_ms);
	}
}

static void the_clock_is_of_this_boot(void **state)
{
	struct pending_clock a, b;

	(void)state;
	pending_clock_read(&a);
	pending_clock_read(&b);
	assert_string_equal(a.boot, b.boot);
	assert_true(strlen(a.boot) == 36 && b.now_ms >= a.now_ms && a.now_ms > 0);
}

SUITE(pending)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_ends_at_its_instant),
		cmocka_unit_test(it_is_of_one_version_alone),
		cmocka_unit_test(a_restart_does_not_lengthen_it),
		cmocka_unit_test(after_a_reboot_what_was_left_runs_on),
		cmocka_unit_test(a_damaged_record_does_not_put_it_off),
		cmocka_unit_test(the_clock_is_of_this_boot),
	};

	return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
