/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Includes of documents: which files may be, how many and how deep, and whose lines mistakes
 * name.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "model/load.h"
#include "scanned.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Read the file "main" with @bytes_max bytes in all. */
static int read_main(size_t bytes_max)
{
	char dir[PATH_MAX];

	assert_non_null(realpath(fixture_path("."), dir));
	scanned_begin((size_t)1 << 20, dir, bytes_max);
	return scan_file(&scanned.scan, fixture_path("main"));
}

static void the_bytes_of_all_files_are_counted(void **state)
{
	static const struct {
		size_t max;
		const char *message;
	} cases[] = { { 40, NULL },
		      { 39, "\"two\" is too large" },
		      { 30, "\"two\" is too large" },
		      { 29, "is too large" } };

	(void)state;
	fixture_write_text("main", "@include \"one\"\n@include \"two\"");
	fixture_write_text("one", "");
	fixture_write_text("two", "b = 12345;");
	assert_int_equal(strlen("@include \"one\"\n@include \"two\""), 29);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t max = cases[i].max - 1;

		assert_int_equal(read_main(max), i == 3 ? -EFBIG : 0);
		if (cases[i].message)
			assert_string_equal(scanned.errors.items[0].message, cases[i].message);
		assert_int_equal(scanned.errors.n_total, cases[i].message ? 1 : 0);
		scanned_forget();
	}
}

/* An include is read where it stands, and the line after it is the next. */
static void an_include_is_read_in_its_place(void **state)
{
	(void)state;
	fixture_write_text("main", "a = 1;\n/* x */\t@include\t\"one\"\t\r// y\r\nd = 4;\n"
	                           " /* \n */ @include \"sub/two\" # z \n f = 6; ");
	mkdir(fixture_path("sub"), 0700);
	fixture_write_text("one", "b = 2;\n\nc = 3");
	fixture_write_text("sub/two", "\ne = 5;\r\n");
	assert_int_equal(read_main(1000), 0);
	assert_int_equal(scanned.errors.n_total, 0);
	static const struct {
		const char *name, *file;
		unsigned line;
	} expected[] = { { "a", NULL, 1 }, { "b", "one", 1 },     { "c", "one", 3 },
		         { "d", NULL, 3 }, { "e", "sub/two", 2 }, { "f", NULL, 6 } };
	const struct tree *t = scanned.scan.top->children;
	for (size_t i = 0; i < COUNT(expected); i++, t = t->next) {
		assert_string_equal(t->name, expected[i].name);
		assert_true(t->integer == (int64_t)i + 1);
		assert_int_equal(t->at.line, expected[i].line);
		assert_string_equal(t->at.file,
		                    expected[i].file ? expected[i].file : fixture_path("main"));
	}
	scanned_forget();
}

static void a_mistake_behind_includes_is_told_on_its_line(void **state)
{
	(void)state;
	fixture_write_text("main", "@include \"one\"\nd = 4;\n/* \n */ @include \"one\" # z \n ! ");
	fixture_write_text("one", "\n# b\n\n");
	assert_int_equal(read_main(1000), 0);
	scanned_expect("main", 5, fixture_path("main"), "found '!', which has no meaning here",
	               true);
	assert_int_equal(scanned.errors.n_total, 1);
	scanned_forget();
	fixture_write_text("one", "\n@include \"two\"");
	fixture_write_text("two", "\n\n!");
	assert_int_equal(read_main(1000), 0);
	scanned_expect("main", 3, "two", "found '!', which has no meaning here", true);
	assert_int_equal(scanned.errors.n_total, 1);
	scanned_forget();
}

#define LONG_NAME                                                                                  \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

struct told_names {
	char text[1024];
	unsigned n_more; /* until one is too many */
};

static int tell_name(void *arg, const char *name, bool included)
{
	struct told_names *told = arg;
	size_t n = strlen(told->text);

	if (!told->n_more--)
		return -E2BIG;
	snprintf(told->text + n, sizeof(told->text) - n, "%s%s ", included ? "@" : "", name);
	return 0;
}

static const char named_text[] =
        "@include \"a\" # x\n@include \"a2\"\nfile = \"a4\"\n@include \"a3\"\n"
        "file = \"b\"; file file : \"c\" \"d\";\n@include \"\"\n"
        "file = \"\"; x = \"y\"; file = z = \"y\"; file = \"\\q\" file = \"" LONG_NAME
        "\" \"" LONG_NAME "\"; file = \"" LONG_NAME LONG_NAME "\" \"ef\";\n"
        "@include \"/g\"\n! file = \"h\"";

/* Names that no version can keep are listed as well. A name that is too long is not cut. */
static void names_of_files_are_told_until_one_is_too_many(void **state)
{
	static const char *const in_order[] = { "@a ",
		                                "@a2 ",
		                                "@a3 ",
		                                "a4 ",
		                                "b ",
		                                "cd ",
		                                "@ ",
		                                LONG_NAME LONG_NAME " ",
		                                LONG_NAME LONG_NAME "e ",
		                                "@/g " };
	char expected[1024] = "";

	(void)state;
	for (unsigned n = 0; n <= COUNT(in_order); n++) {
		struct told_names told = { .n_more = n };
		int err = model_named_files(named_text, strlen(named_text), tell_name, &told);

		assert_int_equal(err, n < COUNT(in_order) ? -E2BIG : 0);
		assert_string_equal(told.text, expected);
		if (n < COUNT(in_order))
			strcat(expected, in_order[n]);
	}
}

/* Without a message: no version could keep a file of that name. */
static const struct {
	const char *name, *message;
} includes[] = {
	{ "", NULL },
	{ "/x", NULL },
	{ "a/../b", NULL },
	{ "./one", NULL },
	{ "sub//two", NULL },
	{ "sub/.two", NULL },
	{ "my file", NULL },
	{ "none", "\"none\" does not exist" },
	{ "sub", "\"sub\" is a directory, expected a regular file" },
	{ "out", "\"out\" leads out of the configuration's directory" },
};

static void an_include_is_a_file_below_the_directory(void **state)
{
	(void)state;
	mkdir(fixture_path("sub"), 0700);
	assert_int_equal(symlink("/etc/hostname", fixture_path("out")), 0);
	for (size_t i = 0; i < COUNT(includes); i++) {
		char text[128], refused[384];

		snprintf(text, sizeof(text), "a = 1;\n@include \"%s\"\nb = 2;", includes[i].name);
		fixture_write_text("main", text);
		assert_int_equal(read_main(1000), 0);
		snprintf(refused, sizeof(refused), "\"%s\": an include names " LOAD_NAME_EXPECTED,
		         includes[i].name);
		scanned_expect(text, 2, fixture_path("main"),
		               includes[i].message ? includes[i].message : refused, false);
		assert_string_equal(scanned.errors.items[0].field, "@include");
		assert_int_equal(scanned.errors.n_total, 1);
		assert_int_equal(scanned.scan.top->n_children, 2);
		assert_false(scanned.errors.denied);
		scanned_forget();
	}
}

/* main includes 1, which includes 2, and so on. */
static void includes_are_nested_eight_deep(void **state)
{
	(void)state;
	for (unsigned deep = SCAN_INCLUDE_DEPTH; deep <= SCAN_INCLUDE_DEPTH + 1; deep++) {
		fixture_write_text("main", "@include \"deep1\"");
		for (unsigned i = 1; i <= deep; i++) {
			char name[16], text[32];

			snprintf(name, sizeof(name), "deep%u", i);
			snprintf(text, sizeof(text), i < deep ? "\n@include \"deep%u\"" : "a = 1;",
			         i + 1);
			fixture_write_text(name, text);
		}
		assert_int_equal(read_main(1000), 0);
		if (deep == SCAN_INCLUDE_DEPTH)
			assert_int_equal(scanned.errors.n_total, 0);
		else
			scanned_expect(
			        "deep9", 2, "deep8",
			        "\"deep9\": includes are nested more than 8 deep (does a file "
			        "include itself?)",
			        false);
		scanned_forget();
	}
}

static void two_hundred_and_fifty_six_files_are_included(void **state)
{
	(void)state;
	fixture_write_text("empty", "");
	for (size_t n = SCAN_FILES_MAX; n <= SCAN_FILES_MAX + 1; n++) {
		char *text = scanned_repeat("", "@include \"empty\"\n", n, "");

		fixture_write_text("main", text);
		assert_int_equal(read_main(10000), 0);
		if (n == SCAN_FILES_MAX)
			assert_int_equal(scanned.errors.n_total, 0);
		else
			scanned_expect("main", SCAN_FILES_MAX + 1, fixture_path("main"),
			               "\"empty\": more than 256 files are included", false);
		scanned_forget();
		free(text);
	}
}

/* That lies with the reader: another user would find no mistake there. */
static void a_file_that_this_user_may_not_read_is_noted(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(fixture_path("."), 0755), 0);
	fixture_write_text("main", "@include \"secret\"");
	fixture_write_text("secret", "");
	assert_int_equal(chmod(fixture_path("secret"), 0600), 0);
	assert_int_equal(seteuid(65534), 0);
	int err = read_main(1000);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, 0);
	assert_true(scanned.errors.denied);
	scanned_expect("main", 1, fixture_path("main"), "\"secret\" may not be read by this user",
	               false);
	scanned_forget();
	assert_int_equal(chmod(fixture_path("main"), 0600), 0);
	assert_int_equal(seteuid(65534), 0);
	err = read_main(1000);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, -EACCES);
	assert_true(scanned.errors.denied);
	scanned_expect("main", 0, fixture_path("main"), "may not be read by this user", true);
	scanned_forget();
}

/* From memory: "one" is text, "much" is too large, all else is not there. */
static int give_include(void *arg, const char *name, const char **bytes, size_t *n)
{
	static const char one[] = "b = [ 2,\r\n";

	assert_ptr_equal(arg, &scanned);
	if (strcmp(name, "one") != 0 && strcmp(name, "much") != 0)
		return -ENOENT;
	*bytes = one;
	*n = strcmp(name, "one") ? SIZE_MAX : strlen(one);
	return 0;
}

static int scan_recorded(struct scan_record *record, const char *text)
{
	scanned_begin((size_t)1 << 20, NULL, 1000);
	scanned.scan.include = give_include;
	scanned.scan.include_arg = &scanned;
	scanned.scan.record = record;
	return scan_text(&scanned.scan, text, strlen(text), "weir.conf");
}

/* Who edits a text needs each token's bytes, over the ends of files. */
static void tokens_are_recorded_with_their_bytes(void **state)
{
	static const char text[] = "a : \"x\" /* = */ \"y\"; # ;\n@include \"one\"\n  3 ] d = -1";
	static const struct {
		char kind;
		uint32_t source;
		const char *bytes;
	} expected[] = { { 'n', 0, "a" }, { '=', 0, ":" }, { '"', 0, "\"x\"" }, { '"', 0, "\"y\"" },
		         { ';', 0, ";" }, { 'n', 1, "b" }, { '=', 1, "=" },     { '[', 1, "[" },
		         { '0', 1, "2" }, { ',', 1, "," }, { '0', 0, "3" },     { ']', 0, "]" },
		         { 'n', 0, "d" }, { '=', 0, "=" }, { '0', 0, "-1" },    { '\0', 0, "" } };
	struct scan_record record = { 0 };

	(void)state;
	assert_int_equal(scan_recorded(&record, text), 0);
	assert_int_equal(scanned.errors.n_total, 0);
	assert_int_equal(record.n_marks, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		const struct scan_mark *mark = &record.marks[i];

		assert_int_equal(mark->kind, expected[i].kind);
		assert_int_equal(mark->source, expected[i].source);
		assert_int_equal(mark->end - mark->begin, strlen(expected[i].bytes));
		assert_memory_equal(record.sources[mark->source].bytes + mark->begin,
		                    expected[i].bytes, strlen(expected[i].bytes));
	}
	const struct tree *a = scanned.scan.top->children, *b = a->next, *three = b->children->next;
	assert_int_equal(a->first_token, 0);
	assert_int_equal(a->last_token, 3);
	assert_int_equal(b->first_token, 5);
	assert_int_equal(b->last_token, 11);
	assert_int_equal(three->first_token, 10);
	assert_int_equal(three->last_token, 10);
	assert_int_equal(b->next->last_token, 14);
	assert_int_equal(record.n_sources, 2);
	assert_string_equal(record.sources[1].name, "one");
	assert_string_equal(record.sources[1].included.file, "weir.conf");
	assert_int_equal(record.sources[1].included.line, 2);
	scan_record_free(&record);
	scanned_forget();
}

static void an_include_from_memory_is_bounded_as_a_file_is(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = { { "@include \"two\"\n", "\"two\" does not exist" },
		      { "@include \"much\"\n", "\"much\" is too large" },
		      { "@include \"../one\"\n",
		        "\"../one\": an include names " LOAD_NAME_EXPECTED } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scan_record record = { 0 };

		assert_int_equal(scan_recorded(&record, cases[i].text), 0);
		scanned_expect(cases[i].text, 1, "weir.conf", cases[i].message, false);
		scan_record_free(&record);
		scanned_forget();
	}
}

SUITE(include)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_of_all_files_are_counted),
		cmocka_unit_test(an_include_is_read_in_its_place),
		cmocka_unit_test(a_mistake_behind_includes_is_told_on_its_line),
		cmocka_unit_test(names_of_files_are_told_until_one_is_too_many),
		cmocka_unit_test(an_include_is_a_file_below_the_directory),
		cmocka_unit_test(tokens_are_recorded_with_their_bytes),
		cmocka_unit_test(an_include_from_memory_is_bounded_as_a_file_is),
		cmocka_unit_test(includes_are_nested_eight_deep),
		cmocka_unit_test(two_hundred_and_fifty_six_files_are_included),
		cmocka_unit_test(a_file_that_this_user_may_not_read_is_noted),
	};

	return cmocka_run_group_tests_name("include", tests, fixture_setup, fixture_teardown);
}
