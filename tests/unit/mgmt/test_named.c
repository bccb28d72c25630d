/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files a configuration names: those of a version. */
#include "fixture.h"

#include "mgmt/files/gather.h"
#include "tests/unit/suite.h"

static struct fixture place;
static struct files files;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	files_fini(&files);
	fixture_remove(&place);
	return 0;
}

static void gather_names(const char *text)
{
	files_fini(&files);
	files = (struct files){ 0 };
	fixture_write(place.conf, "weir.conf", text);
	assert_int_equal(gather_files(place.conf, "weir.conf", &files), 0);
	assert_non_null(files_find(&files, FILES_MAIN));
}

static void what_stands_in_a_comment_or_a_text_names_no_file(void **state)
{
	static const char *const none[] = {
		"# file = \"zone\"\n",     "// file = \"zone\"\n",
		"/* file = \"zone\" */\n", "x = \"file = \\\"zone\\\"\";\n",
		"// @include \"zone\"\n",  "profile = \"zone\";\n",
		"files = \"zone\";\n",     "/* \n file = \"zone\"\n",
		"file = \"../zone\";\n",   "x = 1; # // file = \"zone\"\n",
	};
	static const char *const one[] = {
		"file = \"zone\";\n",       "file:\"zone\"\n",
		"a = { file=\"zone\"; }\n", "@include \"zone\"\n",
		"# x\nfile = \"zone\"\n",   "// x\nfile = \"zone\"\n",
		"/* x */ file = \"zone\"",  "file = // why\n \"zone\"\n",
	};

	(void)state;
	fixture_write(place.conf, "zone", "x\n");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		gather_names(none[i]);
		if (files.n_items != 1)
			fail_msg("%s", none[i]);
	}
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		gather_names(one[i]);
		if (files.n_items != 2 || !files_find(&files, "zone"))
			fail_msg("%s", one[i]);
	}
}

static void many_files_may_be_included_side_by_side_and_few_one_in_another(void **state)
{
	char text[2048] = "", name[16], line[64];
	size_t at = 0, n_deep = 0;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "part%u", i);
		snprintf(line, sizeof(line), "file = \"zone%u\";\n", i);
		fixture_write(place.conf, name, line);
		snprintf(name, sizeof(name), "zone%u", i);
		fixture_write(place.conf, name, "x\n");
		at += (size_t)snprintf(text + at, sizeof(text) - at, "@include \"part%u\"\n", i);
	}
	gather_names(text);
	assert_int_equal(files.n_items, 1 + 2 * 30);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "part%u", i);
		snprintf(line, sizeof(line), "@include \"part%u\"\n", i + 1);
		fixture_write(place.conf, name, line);
	}
	gather_names("@include \"part0\"\n");
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "part%u", i);
		n_deep += files_find(&files, name) != NULL;
	}
	assert_in_range(n_deep, 9, 12); /* it ends */
	fixture_write(place.conf, "part0", "@include \"part0\"\n");
	gather_names("@include \"part0\"\n");
	assert_int_equal(files.n_items, 2);
}

SUITE(named)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_stands_in_a_comment_or_a_text_names_no_file,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        many_files_may_be_included_side_by_side_and_few_one_in_another, setup,
		        teardown),
	};

	return cmocka_run_group_tests_name("named", tests, NULL, NULL);
}
