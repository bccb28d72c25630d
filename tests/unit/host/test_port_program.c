/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a port has an XDP program, asked of the kernel: lo has none. tests/lab/lab_scrub.py has ports with one. */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/port_program.h"

static void only_what_the_kernel_says_of_an_interface_is_known(void **state)
{
	(void)state;
	assert_int_equal(port_program_runs("lo"), 0);
	assert_int_equal(port_program_runs("no-such"), -ENODEV);
	assert_true(port_program_runs("longer-than-any-interface") < 0);
	assert_int_equal(port_program_runs_at(if_nametoindex("lo")), 0);
	assert_int_equal(port_program_runs_at(0), -EINVAL);
	assert_int_equal(port_program_runs_at(INT32_MAX), -ENODEV);
}

SUITE(port_program)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_kernel_says_of_an_interface_is_known),
	};

	return cmocka_run_group_tests_name("host port program", tests, NULL, NULL);
}
