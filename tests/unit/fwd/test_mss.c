/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the MSS among a segment's options, and what fits in a tunnel (weir/fwd/mss.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/fwd/mss.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void an_mss_is_found_wherever_it_is_and_nothing_else_is(void **state)
{
	static const struct {
		const char *why;
		uint8_t options[MSS_OPTIONS_MAX];
		uint32_t n;
		enum mss_end end;
		uint32_t at;
	} cases[] = {
		{ "no options", { 0 }, 0, MSS_ABSENT, 0 },
		{ "alone", { 2, 4, 5, 0xb4 }, 4, MSS_KEPT, 2 },
		{ "as Linux sends it",
		  { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7 },
		  20,
		  MSS_KEPT,
		  2 },
		{ "behind one NOP: odd", { 1, 2, 4, 5, 0xb4, 1, 1, 1 }, 8, MSS_KEPT, 3 },
		{ "behind another option", { 4, 2, 1, 1, 2, 4, 5, 0xb4 }, 8, MSS_KEPT, 6 },
		{ "in an option's body",
		  { 8, 10, 2, 4, 5, 0xb4, 2, 4, 5, 0xb4, 1, 1 },
		  12,
		  MSS_ABSENT,
		  0 },
		{ "behind the end", { 0, 2, 4, 5, 0xb4, 0, 0, 0 }, 8, MSS_ABSENT, 0 },
		{ "NOPs only", { 1, 1, 1, 1 }, 4, MSS_ABSENT, 0 },
		{ "cut in its value", { 1, 1, 1, 1, 1, 2, 4, 5 }, 8, MSS_MALFORMED, 0 },
		{ "cut behind its kind", { 1, 1, 1, 2 }, 4, MSS_MALFORMED, 0 },
		{ "a length of zero", { 8, 0, 1, 1, 2, 4, 5, 0xb4 }, 8, MSS_MALFORMED, 0 },
		{ "a length of one", { 8, 1, 2, 4, 5, 0xb4, 1, 1 }, 8, MSS_MALFORMED, 0 },
		{ "another's length too long", { 8, 9, 1, 1, 2, 4, 5, 0xb4 }, 8, MSS_MALFORMED, 0 },
		{ "an MSS of three bytes", { 2, 3, 5, 1 }, 4, MSS_MALFORMED, 2 },
		{ "an MSS of six bytes", { 2, 6, 5, 0xb4, 0, 0, 1, 1 }, 8, MSS_MALFORMED, 2 },
		{ "two: the first", { 2, 4, 5, 0xb4, 2, 4, 2, 0 }, 8, MSS_KEPT, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t at = 0;

		if (mss_find(cases[i].options, cases[i].n, &at) != cases[i].end ||
		    at != cases[i].at)
			fail_msg("%s", cases[i].why);
	}
}

static void an_mss_at_the_end_of_the_longest_header_is_found(void **state)
{
	uint8_t options[MSS_OPTIONS_MAX];
	uint32_t at = 0;

	(void)state;
	memset(options, MSS_KIND_NOP, sizeof(options));
	memcpy(options + 36, (const uint8_t[]){ 2, 4, 5, 0xb4 }, 4);
	assert_int_equal(mss_find(options, 40, &at), MSS_KEPT);
	assert_int_equal(at, 38);
	assert_int_equal(mss_find(options, 36, &at), MSS_ABSENT);
	options[39] = 2;
	options[36] = MSS_KIND_NOP;
	options[37] = options[38] = MSS_KIND_NOP;
	assert_int_equal(mss_find(options, 40, &at), MSS_MALFORMED);
}

/* Whatever the options are: no read beyond them (a sanitizer's matter), and an offset within. */
static void random_options_lead_nowhere_else(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t *options = malloc(MSS_OPTIONS_MAX);
		uint32_t n = (uint32_t)(i % 11) * 4, at = 99;

		for (uint32_t k = 0; k < MSS_OPTIONS_MAX; k++) {
			seed = seed * 1664525u + 1013904223u;
			options[k] = (uint8_t)(seed >> 24) % (i % 2 ? 12 : 255);
		}
		enum mss_end end = mss_find(options, n, &at);

		if (end == MSS_KEPT)
			assert_true(at >= 2 && at + 2 <= n && options[at - 2] == MSS_KIND_MSS &&
			            options[at - 1] == MSS_LEN);
		else
			assert_true(end == MSS_ABSENT || end == MSS_MALFORMED);
		free(options);
	}
}

static void what_fits_is_the_mtu_less_all_headers(void **state)
{
	static const struct {
		const char *why;
		uint32_t mtu, overhead;
		bool is4;
		uint32_t mss;
	} cases[] = {
		{ "IPIP over IPv4", 1500, 20, true, 1440 },
		{ "the same, IPv6 inside", 1500, 20, false, 1420 },
		{ "GUE over IPv6 with a list", 1500, 40 + 12 + 52, true, 1356 },
		{ "the same, IPv6 inside", 1500, 40 + 12 + 52, false, 1336 },
		{ "a loopback's MTU", 65536, 20, true, 65476 },
		{ "an MTU larger than TCP can say", 100000, 20, true, 65535 },
		{ "the least", 88 + 60, 20, true, 88 },
		{ "less than the least", 87 + 60, 20, true, 0 },
		{ "nothing is left", 40, 20, true, 0 },
		{ "no MTU", 0, 20, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (mss_fit(cases[i].mtu, cases[i].overhead, cases[i].is4) != cases[i].mss)
			fail_msg("%s", cases[i].why);
}

SUITE(mss)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mss_is_found_wherever_it_is_and_nothing_else_is),
		cmocka_unit_test(an_mss_at_the_end_of_the_longest_header_is_found),
		cmocka_unit_test(random_options_lead_nowhere_else),
		cmocka_unit_test(what_fits_is_the_mtu_less_all_headers),
	};

	return cmocka_run_group_tests_name("mss", tests, NULL, NULL);
}
