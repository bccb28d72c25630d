/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The suites of a folder are one program (suite.c), linked once: `unit-base addr` runs the suite "addr", in a process of
 * its own. So all that a suite defines is static.
 *
 *     SUITE(addr)
 *     {
 *             const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_no_address_is_refused) };
 *
 *             return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 */
#ifndef WEIR_TESTS_UNIT_SUITE_H
#define WEIR_TESTS_UNIT_SUITE_H

struct suite {
	const char *name;
	int (*run)(char **arguments); /* NULL behind the last; returns what the program does */
	struct suite *next;
};

/** Called before main(), by SUITE(). */
void suite_add(struct suite *s);

/** What a suite does; it has the program's further `arguments`. */
#define SUITE(the_name)                                                                            \
	static int run_suite(__attribute__((unused)) char **arguments);                            \
	__attribute__((constructor)) static void add_suite(void)                                   \
	{                                                                                          \
		static struct suite this_suite = { .name = #the_name, .run = run_suite };          \
                                                                                                   \
		suite_add(&this_suite);                                                            \
	}                                                                                          \
	static int run_suite(__attribute__((unused)) char **arguments)

#endif
