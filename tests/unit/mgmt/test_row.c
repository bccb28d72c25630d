/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of text from JSON: each thing that a template can say, of values that are there and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/json/row.h"
#include "tests/unit/suite.h"

static const char value[] =
        "{\"text\": \"ams\", \"empty\": \"\", \"number\": 12, \"zero\": 0, \"part\": 123456, \"ms\": 1540, \"real\": 2.5,"
        " \"yes\": true, \"no\": false, \"nothing\": null, \"list\": [\"a\", 1, \"b\"], \"none\": [], \"bits\": 2100000, \"one\": [0], \"members\": {\"a\": \"yes\", \"b\": 1}, \"single\": 1,"
        " \"in\": {\"state\": \"up\", \"deep\": {\"n\": -1}}, \"bad\": \"a\\u001b[31m\\u009b\\u007fé\"}";

static json_t *read_json(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void each_field_shows_its_value(void **state)
{
	static const struct {
		const char *cell, *text;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "{text}", "ams" },
		{ "<{}>", "<>" }, /* the value itself is no text */
		{ "<{empty}{nothing}{absent}{number}>", "<>" },
		{ "{text|?}{empty|?}{nothing|?}{absent|?}", "ams??" },
		{ "{in.state} {in.deep.n:n} {in.state.x|?} {in.x.y|?}", "up -1 ? ?" },
		{ "{number:n} {real:n} {zero:n|-} {absent:n|-} {text:n|-}", "12 2 0 - -" },
		{ "{absent:n|0} {absent:ppm|0} {absent:whole_s|0}", "0 0.0 % 0 s" },
		{ "{part:ppm} {zero:ppm} {ms:s} {ms:whole_s} {ms:offset}",
		  "12.3 % 0.0 % 1.5 s 2 s +1.5 s" },
		{ "{bits:bits} {absent:bits} {bits:traffic} {part:share}",
		  "2.1 Mbit/s not known 2.1 Mbit/s 12.3 %" },
		{ "{number:rate} {zero:rate} {number:time} {text:time}",
		  "12/s 0/s 12 s not known" },
		{ "{list:names} {none:names|none} {text:names|none}", "a, ?, b none none" },
		{ "{list:count} {none:count} {number:count} <{absent:count}> {text:count|?}",
		  "3 0 12 <> ?" },
		{ "name{list:plural} {none:plural} {one:plural}{single:plural}{absent:plural}.",
		  "names s ." },
		{ "{part-number:n} {number-part:n} {part-absent:n|?} {absent-part:n|?} {text-part:n|?}",
		  "123444 0 ? ? ?" },
		{ "{members:members}; {none:members|?} {deep:members|?}", "a yes, b unknown; ? ?" },
		{ "{number/part:share} {part/number:n} {part/zero:share} {absent/part:share|?}",
		  "below 0.1 % 10288000000 not known not known?" },
		{ "<{-5 text}> <{5 text}> <{2 text}> <{-4 absent|?}> <{3 number:n}>",
		  "<ams  > <  ams> <ams> <?   > < 12>" },
		{ "100 %%", "100 %" },
		{ "{bad}", "a?[31m??é" },
	};
	json_t *json = read_json(value);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = row_cell(json, NULL, rows[i].cell);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
	json_decref(json);
}

static void a_part_in_brackets_is_there_or_not(void **state)
{
	static const struct {
		const char *cell, *text;
	} rows[] = {
		{ "a[ by {text}][ by {empty}][ by {absent}]b", "a by amsb" },
		{ "[{text}, {absent}]", "" },
		{ "[{text}, {absent|}]", "ams, " },
		{ "[{zero:n}][{absent:n}][{absent:n|0}]", "00" },
		{ "[{bits:bits}][{absent:bits}]<{absent:bits}>[{absent:bits|}]",
		  "2.1 Mbit/s<not known>not known" },
		{ "[{real:traffic}]", "" },
		{ "[{list:names}][{none:names}]", "a, ?, b" },
		{ "[{absent}|{empty}|{text}|{in.state}]", "ams" },
		{ "[{absent}|none]", "none" },
		{ "[{absent}|{empty}]", "" },
		{ "[one[ and {absent}][ or {text}]|two]", "one or ams" },
		{ "[{absent}[{text}]|two]", "two" },
		{ "{text|?}[|]{text}|", "amsams|" },
		/* what counts as true */
		{ "[{?text}t][{?number}n][{?yes}y][{?list}l][{?in}o]", "tnylo" },
		{ "[{?empty}e][{?zero}z][{?no}n][{?none}l][{?nothing}0][{?absent}a]", "" },
		{ "[{!empty}e][{!zero}z][{!no}n][{!none}l][{!nothing}0][{!absent}a]", "ezn"
		                                                                      "l0a" },
		{ "[{!text}t][{!number}n][{!yes}y]", "" },
		{ "[{?text=ams}1][{?text=am}2][{?absent=ams}3][{?number=12}4]", "1" },
		{ "[{!text=ams}1][{!text=am}2][{!absent=ams}3]", "23" },
		{ "[{?nothing=null}1][{?absent=null}2][{?text=null}3][{?none=[]}4][{?list=[]}5][{?absent=[]}6]"
		  "[{?zero=0}7][{?nothing=0}8][{!real=0}9]",
		  "1479" },
		{ "[{?no=false}1][{?yes=false}2][{?nothing=false}3][{?absent=false}4][{!yes=false}5]",
		  "15" },
	};
	json_t *json = read_json(value);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = row_cell(json, NULL, rows[i].cell);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
	json_decref(json);
}

static void arguments_stand_where_printf_would_put_them(void **state)
{
	json_t *json = read_json(value);
	char text[64];

	(void)state;
	row_format(text, sizeof(text), json, "%s {text}[ %s{absent}|, %zu], %.0f %%", "in", "x",
	           (size_t)3, 4.0);
	assert_string_equal(text, "in ams, 3, 4 %");
	row_format(text, sizeof(text), json, "%s", "a\x1b[2J\n\xc2\x9b");
	assert_string_equal(text, "a?[2J\n?");
	row_format(text, 4, json, "ab{bad}");
	assert_string_equal(text, "aba");
	row_format(text, 3, json, "aé{text}");
	assert_string_equal(text, "a"); /* no half of a character */
	json_decref(json);
}

static void a_cell_sees_what_its_row_is_in(void **state)
{
	json_t *json = read_json(value);
	char *text = row_cell(json_object_get(json, "in"), json,
	                      "{^text}/{state} {^in.state} {^absent|?}");

	(void)state;
	assert_string_equal(text, "ams/up up ?");
	free(text);
	text = row_cell(NULL, NULL, "{^text|?}{text|?}{|?}");
	assert_string_equal(text, "???");
	free(text);
	json_decref(json);
}

/* What @p write writes. */
static void expect_written(void (*write)(FILE *out), const char *expected)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	write(out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void write_lists(FILE *out)
{
	json_t *list = read_json("[{\"a\": \"1\"}, {}, 5, {\"a\": \"2\"}, \"x\"]");

	assert_int_equal(rows_write(out, list, 3, "<{a|?}>"), 5);
	assert_int_equal(rows_write(out, list, SIZE_MAX, "[ {a}]"), 2);
	assert_int_equal(rows_write(out, list, 1, "[,{a}]"),
	                 2); /* what comes to nothing takes no room */
	assert_int_equal(rows_write(out, list, SIZE_MAX, "[({})]"), 1);
	assert_int_equal(rows_write(out, json_array_get(list, 0), SIZE_MAX, "no list"), 0);
	assert_int_equal(rows_write(out, NULL, SIZE_MAX, "nothing"), 0);
	json_decref(list);
}

static void a_list_has_a_line_for_each(void **state)
{
	(void)state;
	expect_written(write_lists, "<1><?><?> 1 2,1(x)");
}

static void a_part_is_repeated_for_each_of_a_list(void **state)
{
	static const struct {
		const char *cell, *text;
	} rows[] = {
		{ "<{*list}({|?}){/}>", "<(a)(?)(b)>" },
		{ "<{*none}({}){/}{*absent}x{/}{*text}x{/}>", "<>" },
		{ "{*in}{state} {deep.n:n} {^text}{/}", "up -1 ams" },
		{ "{*in}{*deep}{n:n} {^state}{/};{/}", "-1 up;" },
		{ "[{*list}{}{/}|none] [{*none}{}{/}.|none] [{?none}{*none}{}{/}|none]",
		  "ab . none" },
		{ "{*list}[{}|]]{/}", "a]]b]" },
		{ "<{*list|, }{|?}{/}> <{*2 list|, }{|?}{/}> <{*2 list|-}[{}]{/}>",
		  "<a, ?, b> <a, ? ...> <a-b>" },
		{ "{*2 list}{|?}{/}", "a?    ... and 1 more (--json shows all)\n" },
		{ "{*2 list of number}[{}]{/}", "ab    ... and 10 more\n" },
		{ "{*list of number}{|?}{/}", "a?b    ... and 9 more\n" },
		{ "{*list of zero}{|?}{/}{*list of absent}{|?}{/}{*2 list of single}[{}]{/}",
		  "a?ba?bab" },
		{ "{*none of number}{}{/}{*absent of number}{}{/}", "    ... and 12 more\n" },
		{ "{*2 list}[{}]{/}", "ab" }, /* what comes to nothing takes no room */
	};
	json_t *json = read_json(value);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = row_cell(json, NULL, rows[i].cell);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
	json_decref(json);
}

SUITE(row)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_shows_its_value),
		cmocka_unit_test(a_part_in_brackets_is_there_or_not),
		cmocka_unit_test(arguments_stand_where_printf_would_put_them),
		cmocka_unit_test(a_cell_sees_what_its_row_is_in),
		cmocka_unit_test(a_list_has_a_line_for_each),
		cmocka_unit_test(a_part_is_repeated_for_each_of_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
