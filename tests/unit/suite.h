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
 *
 * Under another name the program is what a suite starts: SUITE_PROGRAM(weir_dns, "weir-dns") { ... }
 */
#ifndef WEIR_TESTS_UNIT_SUITE_H
#define WEIR_TESTS_UNIT_SUITE_H

struct suite {
	const char *name;             /* that of a program begins with "/" */
	int (*run)(char **arguments); /* NULL behind the last; returns what the program does */
	struct suite *next;
};

/** Called before main(), by SUITE(). */
void suite_add(struct suite *s);

/** What a suite does; it has the program's further `arguments`. */
#define SUITE(the_name) SUITE_ADD(the_name, #the_name)

/** What the program does where its file is called @p file_name. */
#define SUITE_PROGRAM(the_name, file_name) SUITE_ADD(the_name, "/" file_name)

#define SUITE_ADD(the_name, the_text)                                                              \
	static int run_suite_##the_name(__attribute__((unused)) char **arguments);                 \
	__attribute__((constructor)) static void add_suite_##the_name(void)                        \
	{                                                                                          \
		static struct suite this_suite = { .name = (the_text),                             \
			                           .run = run_suite_##the_name };                  \
                                                                                                   \
		suite_add(&this_suite);                                                            \
	}                                                                                          \
	static int run_suite_##the_name(__attribute__((unused)) char **arguments)

#endif
