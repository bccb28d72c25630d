/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that others wrote, made fit to show: no control characters, and no half of a character at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/plain.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define AE    "\xc3\xa4"         /* two bytes */
#define EURO  "\xe2\x82\xac"     /* three */
#define ROBOT "\xf0\x9f\xa4\x96" /* four */

/* A reason that shows otherwise than it is written misleads who reads the record. */
static void what_hides_or_turns_text_round_may_not_be_given(void **state)
{
	static const struct {
		const char *text;
		bool may;
	} rows[] = {
		{ "INC-77: ams, " AE EURO ROBOT, true },
		{ "", true },
		{ "\xd8\xa7\xd9\x84", true },          /* Arabic */
		{ "\xe2\x80\x8c \xe2\x80\x8d", true }, /* joiners of letters */
		{ "a\nb", false },
		{ "a\x7f", false },
		{ "a\xc2\x85", false },        /* next line */
		{ "a \xe2\x80\xae b", false }, /* U+202E */
		{ "\xe2\x80\xaa", false },     /* U+202A */
		{ "\xe2\x81\xa6", false },     /* U+2066 */
		{ "\xe2\x81\xa9", false },     /* U+2069 */
		{ "\xe2\x80\x8f", false },     /* U+200F */
		{ "\xe2\x80\xa8", false },     /* U+2028 */
		{ "\xe2\x80\x8b", false },     /* U+200B */
		{ "\xd8\x9c", false },         /* U+061C */
		{ "\xef\xbb\xbf", false },     /* U+FEFF */
		{ "\xf3\xa0\x81\x81", false }, /* U+E0041 */
		{ "\xe2\x80", true },          /* no UTF-8: nobody turns it round */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (plain_may_give(rows[i].text) != rows[i].may)
			fail_msg("row %zu", i);
}

static void control_characters_are_replaced_and_no_others(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, 'b', '\0' };

		plain_make(text);
		assert_int_equal((unsigned char)text[1], c < 0x20 || c == 0x7f ? '?' : c);
		assert_true(text[0] == 'a' && text[2] == 'b');
	}
}

static void characters_that_mislead_are_replaced_and_joiners_are_not(void **state)
{
	static const char *const rows[][2] = {
		{ "a\xe2\x80\xae"
		  "b",
		  "a???b" }, /* U+202E */
		{ "\xc2\x9b"
		  "31m",
		  "??31m" },                                        /* CSI in one character */
		{ "\xf3\xa0\x81\x81\n", "?????" },                  /* a tag */
		{ "\xe2\x80\x8d\xc3\xa9", "\xe2\x80\x8d\xc3\xa9" }, /* U+200D */
		{ "a\xe2\x80", "a\xe2\x80" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[16];

		strcpy(text, rows[i][0]);
		plain_make(text);
		assert_string_equal(text, rows[i][1]);
	}
}

static const struct {
	const char *text;
	size_t size;
	const char *copy;
} copies[] = {
	{ "", 8, "" },
	{ "", 1, "" },
	{ "abc", 1, "" },
	{ "abc", 4, "abc" },
	{ "abcd", 4, "abc" },
	{ "a\nb\x7f", 8, "a?b?" },
	{ "a" AE, 4, "a" AE }, /* just fits */
	{ "a" AE, 3, "a" },
	{ "a" AE "b", 4, "a" AE },
	{ "ab" EURO, 6, "ab" EURO },
	{ "ab" EURO, 5, "ab" },
	{ "ab" EURO, 4, "ab" },
	{ "ab" EURO, 3, "ab" },
	{ EURO, 4, EURO },
	{ EURO, 3, "" },
	{ EURO, 2, "" },
	{ "a" ROBOT, 6, "a" ROBOT },
	{ "a" ROBOT, 5, "a" },
	{ "a" ROBOT, 4, "a" },
	{ "a" ROBOT, 3, "a" },
	{ ROBOT ROBOT, 8, ROBOT },
	{ ROBOT "b", 5, ROBOT },
	{ AE AE AE, 6, AE AE },
	{ AE AE AE, 5, AE AE },
	{ "\x84\x84\x84", 3, "\x84\x84" }, /* no character at all: left as it is */
	{ "a\x84\x84", 3, "a\x84" },
	{ "ab\xc3", 8, "ab\xc3" }, /* cut by somebody else */
};

static void a_text_that_is_cut_ends_with_a_whole_character(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(copies); i++) {
		char out[16];

		memset(out, 'x', sizeof(out));
		plain_copy(out, copies[i].size, copies[i].text);
		print_message("  %zu\n", i);
		assert_string_equal(out, copies[i].copy);
		for (size_t k = copies[i].size; k < sizeof(out); k++)
			assert_int_equal(out[k], 'x');
	}
}

static void only_so_many_lower_case_digits_are_hexadecimal(void **state)
{
	static const struct {
		const char *text;
		size_t n_digits;
		bool is_hex;
	} rows[] = {
		{ NULL, 4, false },   { "", 4, false },      { "09af", 4, true },
		{ "09a", 4, false },  { "09af0", 4, false }, { "09aF", 4, false },
		{ "09ag", 4, false }, { " 9af", 4, false },  { "0x9a", 4, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("  %zu\n", i);
		assert_int_equal(plain_is_hex(rows[i].text, rows[i].n_digits), rows[i].is_hex);
	}
}

/* Each half of a byte, and no more than so many bytes. */
static void bytes_become_two_lower_case_digits_each(void **state)
{
	static const unsigned char bytes[] = { 0x00, 0x01, 0x23, 0x45, 0x67,
		                               0x89, 0xab, 0xcd, 0xef, 0xff };
	char out[2 * sizeof(bytes) + 1];

	(void)state;
	plain_hex(bytes, sizeof(bytes), out);
	assert_string_equal(out, "000123456789abcdefff");
	plain_hex(bytes, 2, out);
	assert_string_equal(out, "0001");
	assert_int_equal(out[5], '3');
	plain_hex(bytes, 0, out);
	assert_string_equal(out, "");
}

SUITE(plain)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hides_or_turns_text_round_may_not_be_given),
		cmocka_unit_test(control_characters_are_replaced_and_no_others),
		cmocka_unit_test(characters_that_mislead_are_replaced_and_joiners_are_not),
		cmocka_unit_test(a_text_that_is_cut_ends_with_a_whole_character),
		cmocka_unit_test(only_so_many_lower_case_digits_are_hexadecimal),
		cmocka_unit_test(bytes_become_two_lower_case_digits_each),
	};

	return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
