/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan of documents, piece by piece: what each token may be made of, where each bound lies, and
 * on which line of which file each mistake is told. What libconfig takes, test_tree.c compares.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "fixture.h"
#include "model/bind.h"
#include "scanned.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MORE "; or the name of a setting"
#define NAME "the name of a setting"

static const struct {
	const char *text;
	unsigned line;
	const char *message;
	bool broken;
} wrongs[] = {
	{ "a = 1\n\n  b 2", 3, "syntax error: found 2, expected = after the name of a setting",
	  true },
	{ "a = \n/* x\n y\n*/ ;", 4, "syntax error: found ;, expected a value", true },
	{ "a = ( 1,\n", 2, "syntax error: the document ends, expected a value", true },
	{ "a = (", 1, "syntax error: the document ends, expected a value or )", true },
	{ "a = [\n1\n", 3, "syntax error: the document ends, expected , or ]", true },
	{ "a =", 1, "syntax error: the document ends, expected a value", true },
	{ "a\n", 2, "syntax error: the document ends, expected = after the name of a setting",
	  true },
	{ "a = {\nb = 1", 2,
	  "syntax error: the document ends, expected ; or the name of a setting or }", true },
	{ "= 1", 1, "syntax error: found =, expected " NAME, true },
	{ "a = 1 = 2", 1, "syntax error: found =, expected " MORE, true },
	{ "a = )", 1, "syntax error: found ), expected a value", true },
	{ "a = 1 }", 1, "syntax error: found }, expected " MORE, true },
	{ "a = [ 1 , ]", 1, "syntax error: found ], expected a number, text or boolean", true },
	{ "a = [ true, 1 ]", 1,
	  "syntax error: found 1, expected values of one kind between [ and ]", true },
	{ "a = [ [ 1 ] ]", 1, "syntax error: found [, expected a number, text or boolean, or ]",
	  true },
	{ "a = ( 1 ; 2 )", 1, "syntax error: found ;, expected , or )", true },
	{ "a = ( b = 1 )", 1, "syntax error: found b, expected a value or )", true },
	{ "a = -true", 1,
	  "found -true, expected a whole decimal number, or a text in quotes such as \"500ms\" or "
	  "\"40Gbit\"",
	  false },
	{ "a = +", 1,
	  "found +, expected a whole decimal number, or a text in quotes such as \"500ms\" or \"40Gbit\"",
	  false },
	{ "a = 1.", 1,
	  "found 1., expected a whole decimal number, or a text in quotes such as \"500ms\" or "
	  "\"40Gbit\"",
	  false },
	{ "a = 1z", 1,
	  "found 1z, expected a whole decimal number, or a text in quotes such as \"500ms\" or "
	  "\"40Gbit\"",
	  false },
	{ "a = 1Z", 1,
	  "found 1Z, expected a whole decimal number, or a text in quotes such as \"500ms\" or "
	  "\"40Gbit\"",
	  false },
	{ "a = 2147483648", 1,
	  "found 2147483648, which does not fit 32 bits; write large quantities as text with a unit, such "
	  "as \"40Gbit\"",
	  false },
	{ "a = +2147483648", 1,
	  "found +2147483648, which does not fit 32 bits; write large quantities as text with a unit, "
	  "such as \"40Gbit\"",
	  false },
	{ "a = -2147483649", 1,
	  "found -2147483649, which does not fit 32 bits; write large quantities as text with a unit, "
	  "such as \"40Gbit\"",
	  false },
	{ "a = 4294967296", 1,
	  "found 4294967296, which does not fit 32 bits; write large quantities as text with a unit, such "
	  "as \"40Gbit\"",
	  false },
	{ "a = 18446744073709551617", 1,
	  "found 18446744073709551617, which does not fit 32 bits; write large quantities as text with a "
	  "unit, such as \"40Gbit\"",
	  false },
	{ "a = 1234567890123456789012345678901234567890123", 1,
	  "found 1234567890123456789012345678901234567890, which does not fit 32 bits; write large "
	  "quantities as text with a unit, such as \"40Gbit\"",
	  false },
	{ "a = 1 aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee 1", 1,
	  "syntax error: found 1, expected = after the name of a setting", true },
	{ "a = ( 1 aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee )", 1,
	  "syntax error: found aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd, expected , or )", true },
	{ "a = \"x\n\";", 1, "a text has no end on this line: expected \"", true },
	{ "a =\n \"x", 2, "a text has no end on this line: expected \"", true },
	{ "a = \"x\\\"", 1, "a text has no end on this line: expected \"", true },
	{ "a = \"\t\"", 1,
	  "a text holds a control character or an unknown escape; known are \\\" \\\\ \\n \\t \\r \\f and "
	  "\\x01 to \\xff",
	  false },
	{ "a = \"\x1f\"", 1,
	  "a text holds a control character or an unknown escape; known are \\\" \\\\ \\n \\t \\r \\f and "
	  "\\x01 to \\xff",
	  false },
	{ "a = 1 /* x\n*\n/\n", 1, "a comment begins here and has no end: expected */", true },
	{ "\n\n /* x *", 3, "a comment begins here and has no end: expected */", true },
	{ "a = 1 /", 1, "found '/', which has no meaning here", true },
	{ "a = 1;\n~ b", 2, "found '~', which has no meaning here", true },
	{ "!", 1, "found '!', which has no meaning here", true },
	{ "_a = 1", 1, "found '_', which has no meaning here", true },
	{ "a*b = 1", 1, "found '*', which has no meaning here", true },
	{ "`", 1, "found '`', which has no meaning here", true },
	{ "\x7f", 1, "found byte 0x7f outside of a text", true },
	{ "\x1f", 1, "found byte 0x1f outside of a text", true },
	{ "a = 1 @", 1, "found '@', expected only: @include \"FILE\" on a line of its own", true },
	{ "\n@includ \"a\"", 2, "found '@', expected only: @include \"FILE\" on a line of its own",
	  true },
	{ "@include", 1, "expected: @include \"FILE\"", false },
	{ "@include\n\"a\"", 1, "expected: @include \"FILE\"", true },
	{ "@includes \"a\"", 1, "expected: @include \"FILE\"", false },
	{ "@include \"a\" ; b = 1", 1, "expected nothing else on the line of an @include", false },
	{ "@include \"a\" / x", 1, "expected nothing else on the line of an @include", false },
	{ "@include \"a", 1, "a text has no end on this line: expected \"", true },
	{ "@include \"a\"", 1, "\"a\": an include is allowed only in the operator's own file",
	  false },
	{ "a = 1;\n\na = 2; a = 3;", 3, "is given twice in this group; first on line 1", false },
};

static void each_mistake_in_writing_is_told_on_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		scanned_text(wrongs[i].text);
		scanned_expect(wrongs[i].text, wrongs[i].line, "weir.conf", wrongs[i].message,
		               wrongs[i].broken);
		scanned_forget();
	}
}

/* What does not break the tree hides no mistake behind it. */
static void mistakes_that_leave_a_tree_are_told_together(void **state)
{
	static const char text[] = "a = 1x; b = \"\\q\";\nc = 99999999999; @\n";

	(void)state;
	scanned_text(text);
	assert_int_equal(scanned.errors.n_total, 4);
	assert_int_equal(scanned.errors.items[1].line, 1);
	assert_int_equal(scanned.errors.items[2].line, 2);
	scanned_forget();
}

static const struct {
	const char *text;
	int64_t value;
} numbers[] = {
	{ "0", 0 },
	{ "9", 9 },
	{ "-0", 0 },
	{ "+7", 7 },
	{ "-9", -9 },
	{ "007", 7 },
	{ "2147483647", INT32_MAX },
	{ "+2147483647", INT32_MAX },
	{ "-2147483648", INT32_MIN },
	{ "0000000000000000000000000000000000000000000000012", 12 },
};

static void numbers_are_read_to_their_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		char text[128];

		snprintf(text, sizeof(text), "a = %s", numbers[i].text);
		const struct tree *top = scanned_text(text);
		if (scanned.errors.n_total)
			scanned_show(text);
		assert_int_equal(scanned.errors.n_total, 0);
		assert_int_equal(top->children->kind, TREE_INTEGER);
		assert_true(top->children->integer == numbers[i].value);
		scanned_forget();
	}
}

static void names_and_booleans_are_told_apart(void **state)
{
	const struct tree *t;

	(void)state;
	t = scanned_text("aZ09_- = true; zA = FALSE; tru = tRuE; falsey = False; truee = false;\n"
	                 "true1 = true; Aa-true = true")
	            ->children;
	static const struct {
		const char *name;
		int64_t value;
	} expected[] = { { "aZ09_-", 1 }, { "zA", 0 },    { "tru", 1 },    { "falsey", 0 },
		         { "truee", 0 },  { "true1", 1 }, { "Aa-true", 1 } };

	assert_int_equal(scanned.errors.n_total, 0);
	for (size_t i = 0; i < COUNT(expected); i++, t = t->next) {
		assert_non_null(t);
		assert_string_equal(t->name, expected[i].name);
		assert_int_equal(t->kind, TREE_BOOLEAN);
		assert_true(t->integer == expected[i].value);
		assert_int_equal(t->position, i);
		assert_int_equal(t->at.line, i < 5 ? 1 : 2);
	}
	assert_null(t);
	scanned_forget();
}

static void texts_are_joined_and_their_escapes_read(void **state)
{
	static const char wanted[] = "a b\x7f\xff\n\t\r\f\"\\A#/*";

	(void)state;
	const struct tree *t =
	        scanned_text(
	                "a = \"a b\x7f\xff\" \n\"\" # x\n \"\\n\\t\\r\\f\" /* y */ \"\\\"\\\\\\x41\"\"#/*\";"
	                "b = ( \"x\" \"y\", \"z\" )")
	                ->children;

	assert_int_equal(scanned.errors.n_total, 0);
	assert_string_equal(t->text, wanted);
	assert_int_equal(t->at.line, 1);
	assert_int_equal(t->next->n_children, 2);
	assert_string_equal(t->next->children->text, "xy");
	assert_string_equal(t->next->children->next->text, "z");
	scanned_forget();
}

/* A list's entries have no name but a place; the second of two equal names is not kept. */
static void the_tree_has_each_value_in_its_place(void **state)
{
	char path[TREE_PATH_MAX];

	(void)state;
	const struct tree *top = scanned_text(
	        "a = ( { x = 1; x = { y = 3; }; ab = 4; abc = 5; a = 6; }, ( 2, 3 ) ); b = 4");
	const struct tree *group = top->children->children, *x = group->children;
	const struct tree *deep = group->next->children->next;

	assert_int_equal(scanned.errors.n_total, 1);
	assert_string_equal(scanned.errors.items[0].field, "x");
	assert_int_equal(top->n_children, 2);
	assert_int_equal(group->n_children, 4);
	assert_true(x->integer == 1 && x->next->integer == 4 && x->next->position == 1);
	assert_string_equal(x->next->next->name, "abc");
	assert_string_equal(x->next->next->next->name, "a");
	assert_null(x->next->next->next->next);
	assert_true(deep->integer == 3 && deep->position == 1 && !deep->name);
	assert_ptr_equal(deep->parent->parent, top->children);
	assert_true(deep->order > group->order && top->children->next->order > deep->order);
	assert_string_equal(tree_path(x->next, NULL, path), "a[0].ab");
	assert_string_equal(tree_path(deep, NULL, path), "a[1][1]");
	assert_string_equal(tree_path(group, "z", path), "a[0].z");
	assert_string_equal(tree_path(top, "z", path), "z");
	assert_string_equal(tree_path(top, NULL, path), "");
	scanned_forget();
}

#define N63 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static void a_path_that_is_too_long_is_cut(void **state)
{
	char path[TREE_PATH_MAX];

	(void)state;
	const struct tree *t = scanned_text(N63 " = { " N63 " = { " N63 " = { " N63 " = { " N63
	                                        " = 1; }; }; }; };");

	assert_int_equal(scanned.errors.n_total, 0);
	for (unsigned i = 1; i <= 5; i++) {
		t = t->children;
		tree_path(t, i == 4 ? "abc" : NULL, path);
		assert_int_equal(strlen(path), i < 4 ? 64 * i - 1 : TREE_PATH_MAX - 1);
	}
	scanned_forget();
}

static const struct {
	const char *before, *entry, *after;
	size_t most;
	const char *message;
	bool broken;
} bounds[] = {
	{ "a = \"", "x", "\";", SCAN_TEXT_MAX, "a text is longer than 4096 bytes", false },
	{ "a = \"", "\\n", "\";", SCAN_TEXT_MAX, "a text is longer than 4096 bytes", false },
	{ "", "n", " = 1;", SCAN_NAME_MAX, "a setting's name is longer than 63 bytes", true },
	{ "a = 1; g = { ", "n# = 1; ", "}; b = 1;", SCAN_MEMBERS_MAX,
	  "a group has more than 64 settings", true },
	{ "", "n# = 1; ", "", SCAN_MEMBERS_MAX, "a group has more than 64 settings", true },
};

static void each_bound_is_reached_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bounds); i++)
		for (size_t more = 0; more <= 1; more++) {
			char *text = scanned_repeat(bounds[i].before, bounds[i].entry,
			                            bounds[i].most + more, bounds[i].after);

			scanned_text(text);
			if (more)
				scanned_expect(text, 1, "weir.conf", bounds[i].message,
				               bounds[i].broken);
			else
				assert_int_equal(scanned.errors.n_total, 0);
			scanned_forget();
			free(text);
		}
}

static void brackets_are_nested_sixteen_deep(void **state)
{
	(void)state;
	for (size_t n = SCAN_DEPTH_MAX; n <= SCAN_DEPTH_MAX + 1; n++) {
		char *close = scanned_repeat("1", ")", n, ""),
		     *text = scanned_repeat("a = ", "(", n, close);

		scanned_text(text);
		if (n == SCAN_DEPTH_MAX)
			assert_int_equal(scanned.errors.n_total, 0);
		else
			scanned_expect(
			        text, 1, "weir.conf",
			        "syntax error: found (, expected brackets nested no more than 16 "
			        "deep",
			        true);
		scanned_forget();
		free(text);
		free(close);
	}
}

/* A name, a bracket and the numbers. */
static void a_document_has_a_million_values(void **state)
{
	(void)state;
	for (size_t more = 0; more <= 1; more++) {
		char *text = scanned_repeat("a=(0", ",0", SCAN_SETTINGS_MAX - 3 + more, ")");

		scanned_text(text);
		if (more)
			scanned_expect("a=(0,0 ...", 1, "weir.conf",
			               "the document has more than 1000000 values", true);
		else
			assert_int_equal(scanned.errors.n_total, 0);
		scanned_forget();
		free(text);
	}
}

static void a_text_may_be_as_long_as_is_allowed(void **state)
{
	(void)state;
	for (size_t max = 5; max <= 6; max++) {
		scanned_begin(1 << 20, NULL, max);
		assert_int_equal(scan_text(&scanned.scan, "a = 1;", 6, "weir.conf"), 0);
		assert_int_equal(scanned.scan.top != NULL, max == 6);
		if (max == 5)
			scanned_expect("a = 1;", 0, "weir.conf",
			               "the document is larger than 5 bytes", true);
		scanned_forget();
	}
}

/* Without memory nothing is said of the document. */
static void a_scan_without_memory_says_so(void **state)
{
	(void)state;
	char *text = scanned_repeat("a = (0", ",0", 10000, ")");

	scanned_begin(4096, NULL, SCAN_CONFIG_MAX);
	assert_int_equal(scan_text(&scanned.scan, text, strlen(text), "weir.conf"), -ENOMEM);
	assert_int_equal(scanned.errors.n_total, 0);
	scanned_forget();
	free(text);
}

/* Who builds a model follows all pointers of what is bound. */
static void a_tree_is_bound_whole_or_not_at_all(void **state)
{
	const struct tree *top = scanned_text(fixture_config);
	const struct item *item = NULL;
	size_t room = 0;

	(void)state;
	assert_non_null(top);
	for (; !item; room += 256) {
		struct bind bind = { .errors = &scanned.errors, .arena = arena_new(room) };

		assert_non_null(bind.arena);
		item = bind_document(&bind, top);
		assert_int_equal(item == NULL, arena_failed(bind.arena));
		arena_free(bind.arena);
	}
	assert_true(room > 4096);
	scanned_forget();
}

SUITE(scan)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_in_writing_is_told_on_its_line),
		cmocka_unit_test(mistakes_that_leave_a_tree_are_told_together),
		cmocka_unit_test(numbers_are_read_to_their_limits),
		cmocka_unit_test(names_and_booleans_are_told_apart),
		cmocka_unit_test(texts_are_joined_and_their_escapes_read),
		cmocka_unit_test(the_tree_has_each_value_in_its_place),
		cmocka_unit_test(a_path_that_is_too_long_is_cut),
		cmocka_unit_test(each_bound_is_reached_exactly),
		cmocka_unit_test(brackets_are_nested_sixteen_deep),
		cmocka_unit_test(a_document_has_a_million_values),
		cmocka_unit_test(a_text_may_be_as_long_as_is_allowed),
		cmocka_unit_test(a_scan_without_memory_says_so),
		cmocka_unit_test(a_tree_is_bound_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
