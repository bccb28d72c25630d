/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_model.h"

#include "mgmt/store/base.h"
#include "tests/unit/suite.h"

static void the_line_is_no_part_of_the_file(void **state)
{
	static const struct {
		const char *why, *text, *base, *rest;
	} rows[] = {
		{ "first", "# weir base v20-0123456789abcdef\nschema = 1;\n",
		  "v20-0123456789abcdef", "schema = 1;\n" },
		{ "a number", "# weir base 20\nschema = 1;\n", "20", "schema = 1;\n" },
		{ "behind a comment and an empty line", "# shop\n\n# weir base 20\n# x\n", "20",
		  "# shop\n\n# x\n" },
		{ "with a carriage return", "# weir base 20\r\nx", "20", "x" },
		{ "alone, without an end", "# weir base 20", "20", "" },
		{ "none", "# shop\nschema = 1;\n", "", "# shop\nschema = 1;\n" },
		{ "behind a setting it is a comment", "schema = 1;\n# weir base 20\n", "",
		  "schema = 1;\n# weir base 20\n" },
		{ "nothing at all", "", "", "" },
		{ "one of two", "# weir base 20\n# weir base 21\n", "20", "# weir base 21\n" },
		{ "behind lines of blanks", " \t\r\n\t\n# weir base 20\nx", "20", " \t\r\n\t\nx" },
		{ "words behind it", "# weir base 20 as of today\nx", "20", "x" },
		{ "a tab behind it", "# weir base 20\t\nx", "20", "x" },
		{ "no name", "# weir base \nx", "", "x" },
		{ "another word", "# weir bases 20\nx", "", "# weir bases 20\nx" },
		{ "a comment without an end", "# shop", "", "# shop" },
		{ "blanks without an end", "  ", "", "  " },
		{ "indented, so no line of ours", " # weir base 20\n", "", " # weir base 20\n" },
		{ "the longest name",
		  "# weir base 01234567890123456789012345678901234567890123456\nx",
		  "01234567890123456789012345678901234567890123456", "x" },
		{ "a longer one is cut",
		  "# weir base 012345678901234567890123456789012345678901234567\nx",
		  "01234567890123456789012345678901234567890123456", "x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files given = { 0 }, plain = { 0 };
		char base[BASE_TEXT_MAX], a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];

		assert_int_equal(files_add(&given, FILES_MAIN, rows[i].text, strlen(rows[i].text)),
		                 0);
		assert_int_equal(files_add(&plain, FILES_MAIN, rows[i].rest, strlen(rows[i].rest)),
		                 0);
		base_extract_line(&given, base);
		if (strcmp(base, rows[i].base) != 0 ||
		    strcmp(files_digest(&given, a), files_digest(&plain, b)) != 0 ||
		    strcmp(given.items[0].bytes, rows[i].rest) != 0 ||
		    given.n_bytes != plain.n_bytes)
			fail_msg("%s: base %s", rows[i].why, base);
		files_fini(&given);
		files_fini(&plain);
	}
}

static void versions_are_read_as_people_name_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t number; /* 0: refused */
		const char *digits;
	} rows[] = {
		{ "20", 20, "" },
		{ "v20-0123456789abcdef", 20, "0123456789abcdef" },
		{ "v20", 20, "" },
		{ "v20-0123", 0, "" },
		{ "v20-0123456789abcdeg", 0, "" },
		{ "v20-0123456789abcdef0", 0, "" },
		{ "20-0123456789abcdef", 0, "" },
		{ "0", 0, "" },
		{ "", 0, "" },
		{ "1234567890123456", 0, "" },
		{ "123456789012345", 123456789012345, "" },
		{ "v123456789012345-fedcba9876543210", 123456789012345, "fedcba9876543210" },
		{ "v", 0, "" },
		{ "vv20", 0, "" },
		{ "-20", 0, "" },
		{ "20 ", 0, "" },
		{ "v20_0123456789abcdef", 0, "" },
		{ "v20-0123456789ABCDEF", 0, "" },
		{ "v20-0123456789abcde", 0, "" },
		{ "v20-0123456789abcdef ", 0, "" },
		{ "v0-0123456789abcdef", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t number = 0;
		char digits[17] = "";
		bool ok = base_read(rows[i].text, &number, digits);

		if (ok != (rows[i].number > 0) || (ok && number != rows[i].number) ||
		    (ok && strcmp(digits, rows[i].digits) != 0))
			fail_msg("%s", rows[i].text);
	}
}

static void the_last_change_of_a_person_is_found(void **state)
{
	struct version list[] = { { .number = 5, .author = "weir", .principal = "weir" },
		                  { .number = 4, .author = "ann", .principal = "root" },
		                  { .number = 3, .author = "bob", .principal = "root" },
		                  { .number = 2, .author = "ann", .principal = "ci" },
		                  { .number = 1, .author = "first start" } };

	(void)state;
	assert_int_equal(base_last_of(list, 5, "root", "ann"), 1);
	assert_int_equal(base_last_of(list, 5, "root", "bob"), 2);
	assert_int_equal(base_last_of(list + 1, 4, "root", "ann"), 0);
	assert_int_equal(base_last_of(list, 5, "root", "eve"), 5);
	assert_int_equal(base_last_of(list, 5, "ci", "ann"), 3);
	assert_int_equal(base_last_of(list, 5, "", "ann"), 5); /* both count */
	assert_int_equal(base_last_of(list, 0, "root", "ann"), 0);
	assert_int_equal(base_last_of(list, 1, "root", "ann"), 1);
	assert_int_equal(base_last_of(list, 5, "weir", "weir"), 0);
}

/* What is no number is left as it was, and a line that is not there names nothing. */
static void nothing_is_given_for_what_is_no_version(void **state)
{
	char digits[17] = "untouched", base[BASE_TEXT_MAX] = "x";
	struct files files = { 0 };
	uint64_t number = 77;

	(void)state;
	assert_false(base_read("v0-0123456789abcdef0", &number, digits));
	assert_int_equal(number, 77);
	assert_string_equal(digits, "untouched");
	base_extract_line(&files, base); /* no weir.conf among them */
	assert_string_equal(base, "");
	assert_int_equal(files_add(&files, "zones", "# weir base 20\n", 15), 0);
	base_extract_line(&files, base);
	assert_string_equal(base, "");
	assert_int_equal(files.items[0].n_bytes, 15);
	files_fini(&files);
}

static struct fixture place;

static struct model *model_of(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);

	return fixture_model(&place, &files, "ams-1");
}

#define B2        "{ name = \"b2\"; address = \"10.1.1.12\"; weight = 100; }"
#define B2_AS(w)  "{ name = \"b2\"; address = \"10.1.1.12\"; weight = " w "; }"
#define B2_AND_B3 B2 ", { name = \"b3\"; address = \"10.1.1.13\"; weight = 100; }"

static void what_a_file_takes_back(void **state)
{
	static const struct {
		const char *why, *base, *head, *file;
		bool certain;
		size_t taken;
	} rows[] = {
		{ "a value as it was", B2, B2_AS("60"), B2, false, 1 },
		{ "the same, made from it for certain", B2, B2_AS("60"), B2, true, 1 },
		{ "a third value, of nobody knows what", B2, B2_AS("60"), B2_AS("70"), false, 0 },
		{ "a third value, made from the old one", B2, B2_AS("60"), B2_AS("70"), true, 1 },
		{ "a value that nobody else changed", B2, B2, B2_AS("70"), true, 0 },
		{ "the value of the head", B2, B2_AS("60"), B2_AS("60"), true, 0 },
		{ "what was added", B2, B2_AND_B3, B2, false, 1 },
		{ "what was removed", B2_AND_B3, B2, B2_AND_B3, false, 1 },
		{ "nothing: it removes what was there before", B2_AND_B3, B2_AND_B3, B2, true, 0 },
		{ "nothing: it adds what is new", B2, B2, B2_AND_B3, true, 0 },
	};

	(void)state;
	fixture_make(&place);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *base = model_of(B2, rows[i].base), *head = model_of(B2, rows[i].head),
		             *file = model_of(B2, rows[i].file);
		struct change_plan plan;
		struct base_look look;

		assert_int_equal(plan_compare(head, file, &plan), 0);
		assert_int_equal(base_look_start(&look, &plan, 3), 0);
		assert_int_equal(base_look_at(&look, &plan, base, 1, rows[i].certain), 0);
		if (look.n_reverted != rows[i].taken)
			fail_msg("%s: %zu", rows[i].why, look.n_reverted);
		for (size_t k = 0; k < plan.n_changes; k++)
			if (look.marks[k].reverted)
				assert_int_equal(look.marks[k].version_index,
				                 0); /* the head made it so */
		base_look_fini(&look);
		plan_fini(&plan);
		model_free(base);
		model_free(head);
		model_free(file);
	}
	fixture_remove(&place);
}

static void a_value_in_between_is_taken_back_too(void **state)
{
	struct model *file, *head, *middle, *base;
	struct base_look look;
	struct change_plan plan;

	(void)state;
	fixture_make(&place);
	base = model_of(B2, B2_AS("10"));
	middle = model_of(B2, B2_AS("20"));
	head = model_of(B2, B2_AS("30"));
	file = model_of(B2, B2_AS("20"));
	assert_int_equal(plan_compare(head, file, &plan), 0);
	assert_int_equal(base_look_start(&look, &plan, 3), 0);
	assert_int_equal(base_look_at(&look, &plan, head, 1, false),
	                 0); /* another, of something else */
	assert_int_equal(base_look_at(&look, &plan, middle, 2, false), 0);
	assert_int_equal(base_look_at(&look, &plan, base, 3, false), 0);
	assert_int_equal(look.n_reverted, 1);
	assert_int_equal(look.marks[0].version_index,
	                 1); /* the one before the head, by which it is 30 */
	base_look_fini(&look);
	plan_fini(&plan);
	model_free(base);
	model_free(middle);
	model_free(head);
	model_free(file);
	fixture_remove(&place);
}

/* Of two settings each is marked by itself, and by the version that made it so. */
static void objects_that_came_and_went_are_followed(void **state)
{
	struct model *file, *head, *middle, *base;
	struct base_look look;
	struct change_plan plan;

	(void)state;
	fixture_make(&place);
	base = model_of(B2, B2_AS("10")); /* no b3 */
	middle = model_of(B2, B2_AS("20") ", { name = \"b3\"; address = \"10.1.1.13\"; }");
	head = model_of(B2, B2_AS("20")); /* b3 is gone again */
	file = model_of(B2, B2_AS("10") ", { name = \"b3\"; address = \"10.1.1.13\"; }");
	assert_int_equal(plan_compare(head, file, &plan), 0);
	assert_int_equal(plan.n_changes, 2);
	assert_string_equal(plan.changes[0].path, "pools/web-ams/backends/b2/weight");
	assert_string_equal(plan.changes[1].path, "pools/web-ams/backends/b3");
	assert_int_equal(base_look_start(&look, &plan, 3), 0);
	assert_int_equal(look.n_reverted, 0);
	assert_int_equal(base_look_at(&look, &plan, middle, 1, false), 0);
	assert_int_equal(look.n_reverted, 1);
	assert_false(look.marks[0].found); /* the weight is the head's still */
	assert_true(look.marks[1].reverted && look.marks[1].found);
	assert_int_equal(base_look_at(&look, &plan, base, 2, true), 0);
	assert_int_equal(look.n_reverted, 2);
	assert_true(look.marks[0].reverted && look.marks[0].found);
	assert_int_equal(look.marks[0].version_index, 1);
	assert_int_equal(look.marks[1].version_index,
	                 0); /* by which it was removed; not the one that has none yet */
	base_look_fini(&look);
	assert_null(look.marks);
	plan_fini(&plan);

	/* Removing what nobody but the head has: somebody added it. */
	assert_int_equal(plan_compare(middle, base, &plan), 0);
	assert_int_equal(base_look_start(&look, &plan, 3), 0);
	assert_int_equal(base_look_at(&look, &plan, head, 1, false), 0);
	assert_int_equal(look.n_reverted, 1);
	assert_true(look.marks[1].reverted && look.marks[1].found && !look.marks[0].found);
	base_look_fini(&look);
	plan_fini(&plan);
	model_free(base);
	model_free(middle);
	model_free(head);
	model_free(file);
	fixture_remove(&place);
}

SUITE(base)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_no_part_of_the_file),
		cmocka_unit_test(versions_are_read_as_people_name_them),
		cmocka_unit_test(the_last_change_of_a_person_is_found),
		cmocka_unit_test(nothing_is_given_for_what_is_no_version),
		cmocka_unit_test(what_a_file_takes_back),
		cmocka_unit_test(objects_that_came_and_went_are_followed),
		cmocka_unit_test(a_value_in_between_is_taken_back_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
