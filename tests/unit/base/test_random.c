/* SPDX-License-Identifier: BSD-2-Clause */
/* Random digits: as many as were asked for, others each time, and none where there is no room. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "tests/unit/suite.h"

static void there_are_two_digits_a_byte(void **state)
{
	char a[2 * RANDOM_BYTES_MAX + 1], b[sizeof(a)];

	(void)state;
	for (size_t n = 0; n <= RANDOM_BYTES_MAX; n++) {
		memset(a, 'x', sizeof(a));
		a[0] = '\0';
		assert_int_equal(random_hex(a, n), 0);
		assert_int_equal(strlen(a), 2 * n);
		assert_int_equal(strspn(a, "0123456789abcdef"), 2 * n);
		assert_true(2 * n + 1 == sizeof(a) || a[2 * n + 1] == 'x');
	}
	assert_int_equal(random_hex(b, RANDOM_BYTES_MAX), 0);
	assert_string_not_equal(a, b);
}

static void more_than_that_is_refused(void **state)
{
	char out[2 * RANDOM_BYTES_MAX + 3] = "as it was";

	(void)state;
	assert_int_equal(random_hex(out, RANDOM_BYTES_MAX + 1), -EINVAL);
	assert_string_equal(out, "as it was");
}

SUITE(random)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_two_digits_a_byte),
		cmocka_unit_test(more_than_that_is_refused),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
