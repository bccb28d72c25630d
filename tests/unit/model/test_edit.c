/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits of objects in texts of many forms, by the public header: the whole text that comes out, or the refusal. The differential
 * test (tests/diff/edits.py) has many more texts; here is each rule by itself.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"
#include "weir/edit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The files of a configuration; the first is the root, "weir.conf". */
struct texts {
	const char *names[4], *texts[4];
};

static int read_text(void *arg, const char *name, const char **bytes, size_t *n)
{
	const struct texts *t = arg;

	for (size_t i = 0; i < COUNT(t->names) && t->texts[i]; i++)
		if (!strcmp(i ? t->names[i] : "weir.conf", name)) {
			*bytes = t->texts[i];
			*n = strlen(t->texts[i]);
			return 0;
		}
	return -ENOENT;
}

static struct edit edit_of(enum edit_how how, const char *path, const char *value)
{
	struct edit e = { .how = how, .create = EDIT_IN_ANY_CASE };

	assert_int_equal(object_path_read(path, NULL, &e.path), 0);
	if (value)
		e.value = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_true(!value || e.value);
	return e;
}

static void free_edit(struct edit *e)
{
	json_decref((json_t *)(uintptr_t)e->value);
	json_decref((json_t *)(uintptr_t)e->current);
}

/* The text of a file after edits that are not refused. */
static const char *text_after(const struct edit_result *result, const struct texts *t, size_t i)
{
	static char text[8192];
	const char *name = i ? t->names[i] : "weir.conf";

	snprintf(text, sizeof(text), "%s", t->texts[i]);
	for (size_t k = 0; k < result->n_files; k++)
		if (!strcmp(result->files[k].name, name))
			snprintf(text, sizeof(text), "%.*s", (int)result->files[k].n,
			         result->files[k].bytes);
	return text;
}

struct text_case {
	const char *why, *text;
	enum edit_how how;
	const char *path, *value, *after; /* NULL: as before */
};

static void expect_text(const struct text_case *c)
{
	struct edit e = edit_of(c->how, c->path, c->value);
	struct texts t = { .texts = { c->text } };
	struct edit_result result;
	int err = edit_configuration(read_text, &t, "weir.conf", &e, 1, &result);

	if (err)
		print_message("%s: %s\n", c->why, result.refusal.text);
	assert_int_equal(err, 0);
	const char *after = text_after(&result, &t, 0);
	if (strcmp(after, c->after ? c->after : c->text) != 0)
		print_message("%s\n", c->why);
	assert_string_equal(after, c->after ? c->after : c->text);
	assert_int_equal(result.n_files, c->after ? 1 : 0);
	edit_result_free(&result);
	free_edit(&e);
}

#define CHECK(rest) "checks = ( { name = \"w\"; type = \"tcp\"" rest " } );"

static void a_value_is_replaced_and_nothing_else(void **state)
{
	static const struct text_case cases[] = {
		{ "in its place", CHECK("; port = 80; /* c */ rise = 2;"), EDIT_PATCH, "checks/w",
		  "{\"port\": 81}", CHECK("; port = 81; /* c */ rise = 2;") },
		{ "a comment between name and value", CHECK("; port /* = 7 */ : # 8\n 80;"),
		  EDIT_PATCH, "checks/w", "{\"port\": 81}", CHECK("; port /* = 7 */ : # 8\n 81;") },
		{ "adjacent strings become one", CHECK("; path = \"/a\" \"/b\" /* c */ \"/c\";"),
		  EDIT_PATCH, "checks/w", "{\"path\": \"/x\"}", CHECK("; path = \"/x\" /* c */;") },
		{ "CRLF and tabs stay",
		  "checks = (\r\n\t{\tname = \"w\";\r\n\t\ttype\t=\t\"tcp\" }\r\n);\r\n",
		  EDIT_PATCH, "checks/w", "{\"type\": \"http\"}",
		  "checks = (\r\n\t{\tname = \"w\";\r\n\t\ttype\t=\t\"http\" }\r\n);\r\n" },
		{ "quotes and backslashes are escaped", CHECK("; path = \"/\""), EDIT_PATCH,
		  "checks/w", "{\"path\": \"/\\\"\\\\\\u00e9\"}",
		  CHECK("; path = \"/\\\"\\\\\xc3\xa9\"") },
		{ "a list keeps its comments",
		  "vips = ( { name = \"v\"; addresses = [ \"192.0.2.1\", # one\n"
		  " \"192.0.2.2\" ] } )",
		  EDIT_PATCH, "vips/v", "{\"addresses\": [\"192.0.2.1\", \"192.0.2.3\"]}",
		  "vips = ( { name = \"v\"; addresses = [ \"192.0.2.1\", # one\n \"192.0.2.3\" ] } )" },
		{ "no blank is left at a bracket",
		  "vips = ( { name = \"v\"; addresses = [\"192.0.2.1\", \"192.0.2.2\"] } )",
		  EDIT_PATCH, "vips/v", "{\"addresses\": [\"192.0.2.2\"]}",
		  "vips = ( { name = \"v\"; addresses = [\"192.0.2.2\"] } )" },
		{ "the other order of addresses",
		  "vips = ( { name = \"v\"; addresses = ( \"192.0.2.1\", "
		  "\"192.0.2.2\" ) } )",
		  EDIT_PATCH, "vips/v", "{\"addresses\": [\"192.0.2.2\", \"192.0.2.1\"]}",
		  "vips = ( { name = \"v\"; addresses = ( \"192.0.2.2\", \"192.0.2.1\" ) } )" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_text(&cases[i]);
}

static void what_is_in_force_is_not_touched(void **state)
{
	static const char
	        check[] = CHECK("; interval = \"1000ms\"; rise = 2; host = \"\";"),
	        at[] = "sites = ( { name = \"a\"; weight = 7; } ); services = ( { name = \"s\"; "
	               "at = ( { site = \"a\"; pool = \"p\"; } ); } );",
	        fast[] = CHECK("; interval = \"100ms\""),
	        vip[] = "vips = ( { name = \"v\"; site = \"a\"; addresses = [ \"2001:DB8::1\" "
	                "]; } );",
	        name[] = "dns = { zones = ( { name = \"Shop.Example.\"; file = \"f\"; } ); };";
	static const struct text_case cases[] = {
		{ "another form", check, EDIT_PATCH, "checks/w", "{\"interval\": \"1s\"}", NULL },
		{ "a default that is not given", check, EDIT_PATCH, "checks/w", "{\"fall\": 3}",
		  NULL },
		{ "defaults that are given and not asked for", check, EDIT_PUT, "checks/w",
		  "{\"name\": \"w\", \"type\": \"tcp\"}", NULL },
		{ "a MAC address in capitals",
		  "nodes = ( { name = \"n\"; ports = ( { interface = \"e\"; macs = [ \"02:AA:00:00:00:01\" ]; } ); } );",
		  EDIT_PATCH, "nodes/n",
		  "{\"ports\": [{\"interface\": \"e\", \"macs\": [\"02:aa:00:00:00:01\"]}]}",
		  NULL },
		{ "the one of the sites",
		  "vips = ( { name = \"v\"; sites = [ \"a\" ]; addresses = [ \"192.0.2.1\" ]; } );",
		  EDIT_PUT, "vips/v", "{\"site\": \"a\", \"addresses\": [\"192.0.2.1\"]}", NULL },
		{ "but a time that is not asked for follows the interval",
		  CHECK("; timeout = \"500ms\";"), EDIT_PUT, "checks/w", "{\"type\": \"tcp\"}",
		  CHECK(";") },
		{ "a default of groups", check, EDIT_PATCH, "checks/w", "{\"damp_turns\": 5}",
		  NULL },
		{ "the site's weight", at, EDIT_PATCH, "services/s/at/a", "{\"weight\": 7}", NULL },
		{ "a timeout that follows the interval", fast, EDIT_PATCH, "checks/w",
		  "{\"timeout\": \"100ms\"}", NULL },
		{ "one site as a list", vip, EDIT_PUT, "vips/v",
		  "{\"sites\": [\"a\"], \"addresses\": [\"2001:db8::1\"]}", NULL },
		{ "a domain", name, EDIT_PUT, "dns/zones/shop.example",
		  "{\"name\": \"shop.example\", \"file\": \"f\"}", NULL },
		{ "another weight than the site's", at, EDIT_PATCH, "services/s/at/a",
		  "{\"weight\": 100}",
		  "sites = ( { name = \"a\"; weight = 7; } ); services = ( { name = \"s\"; at = ( { site = "
		  "\"a\"; pool = \"p\"; weight = 100; } ); } );" },
		{ "a timeout that no longer follows", fast, EDIT_PATCH, "checks/w",
		  "{\"interval\": \"2s\", \"timeout\": \"100ms\"}",
		  CHECK("; interval = \"2s\"; timeout = \"100ms\"") },
		{ "to announce no VIP is not to announce all of them",
		  "nodes = ( { name = \"n\"; } );", EDIT_PATCH, "nodes/n",
		  "{\"announce\": {\"vips\": []}, \"dns_listen\": []}",
		  "nodes = ( { name = \"n\"; announce = { vips = [ ]; }; } );" },
		{ "and goes back to all",
		  "nodes = ( { name = \"n\"; announce = { vips = [ ]; dns = [ ]; }; } );",
		  EDIT_PATCH, "nodes/n", "{\"announce\": {\"vips\": null, \"dns\": null}}",
		  "nodes = ( { name = \"n\"; announce = { dns = [ ]; }; } );" },
		{ "several sites", vip, EDIT_PATCH, "vips/v", "{\"sites\": [\"a\", \"b\"]}",
		  "vips = ( { name = \"v\"; addresses = [ \"2001:DB8::1\" ]; sites = [ \"a\", \"b\" ]; } );" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_text(&cases[i]);
}

static void a_new_setting_looks_as_the_last_one(void **state)
{
	static const struct text_case cases[] = {
		{ "on one line", CHECK("; rise = 2;"), EDIT_PATCH, "checks/w", "{\"fall\": 9}",
		  CHECK("; rise = 2; fall = 9;") },
		{ "without a last separator", CHECK("; rise = 2"), EDIT_PATCH, "checks/w",
		  "{\"fall\": 9}", CHECK("; rise = 2; fall = 9") },
		{ "commas and colons", "checks = ({name:\"w\",type:\"tcp\"})", EDIT_PATCH,
		  "checks/w", "{\"fall\": 9, \"rise\": 8}",
		  "checks = ({name:\"w\",type:\"tcp\", rise:8, fall:9})" },
		{ "no separators", "checks = ( { name = \"w\" type = \"tcp\" } )", EDIT_PATCH,
		  "checks/w", "{\"fall\": 9}",
		  "checks = ( { name = \"w\" type = \"tcp\" fall = 9 } )" },
		{ "a line, behind the comment",
		  "checks = (\n  {\n    name = \"w\";\n    type = \"tcp\"; # t\n  }\n)", EDIT_PATCH,
		  "checks/w", "{\"fall\": 9}",
		  "checks = (\n  {\n    name = \"w\";\n    type = \"tcp\"; # t\n    fall = 9;\n  }\n)" },
		{ "a line, behind a comment of two",
		  "checks = (\n  {\n    name = \"w\";\n    rise = 5; /* five\n  of them */\n  }\n)",
		  EDIT_PATCH, "checks/w", "{\"fall\": 9}",
		  "checks = (\n  {\n    name = \"w\";\n    rise = 5; /* five\n  of them */\n    fall = 9;\n  }\n)" },
		{ "CRLF", "checks = (\r\n{\r\n\tname = \"w\"\r\n\ttype = \"tcp\" // t\r\n}\r\n)",
		  EDIT_PATCH, "checks/w", "{\"fall\": 9}",
		  "checks = (\r\n{\r\n\tname = \"w\"\r\n\ttype = \"tcp\" // t\r\n\tfall = 9\r\n}\r\n)" },
		{ "a new group", "dns = { names = ( { name = \"n.e\"; service = \"s\"; } ); };",
		  EDIT_PATCH, "dns/names/n.e", "{\"ttl\": {\"min\": \"6s\", \"max\": \"60s\"}}",
		  "dns = { names = ( { name = \"n.e\"; service = \"s\"; ttl = { min = \"6s\"; }; } ); };" },
		{ "in an empty group", "sites = ( { name = \"a\"; labels = {}; } );", EDIT_PATCH,
		  "sites/a", "{\"labels\": {\"region\": \"eu\"}}",
		  "sites = ( { name = \"a\"; labels = { region = \"eu\"; }; } );" },
		{ "for others that go",
		  "sites = ( { name = \"a\"; capacity = { bits = \"1Gbit\"; }; } );", EDIT_PUT,
		  "sites/a", "{\"capacity\": {\"new_flows\": \"5/s\"}}",
		  "sites = ( { name = \"a\"; capacity = { new_flows = \"5/s\"; }; } );" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_text(&cases[i]);
}

static void a_setting_goes_with_its_separator_and_its_line(void **state)
{
	static const struct text_case cases[] = {
		{ "within a line", CHECK("; rise = 5; fall = 9;"), EDIT_PATCH, "checks/w",
		  "{\"rise\": null}", CHECK("; fall = 9;") },
		{ "the last, without separator", CHECK("; rise = 5"), EDIT_PATCH, "checks/w",
		  "{\"rise\": null}", CHECK(";") },
		{ "a line", "checks = ( {\n  name = \"w\";\n  rise = 5;\n  type = \"tcp\";\n} )",
		  EDIT_PATCH, "checks/w", "{\"rise\": null}",
		  "checks = ( {\n  name = \"w\";\n  type = \"tcp\";\n} )" },
		{ "all of a line, CRLF",
		  "checks = ( {\r\n  name = \"w\";\r\n  rise = 5; fall = 9;\r\n  type = "
		  "\"tcp\";\r\n} )",
		  EDIT_PUT, "checks/w", "{\"type\": \"tcp\"}",
		  "checks = ( {\r\n  name = \"w\";\r\n  type = \"tcp\";\r\n} )" },
		{ "but for its comment",
		  "checks = ( {\n  name = \"w\";\n  rise = 5; # five\n  type = \"tcp\";\n} )",
		  EDIT_PATCH, "checks/w", "{\"rise\": null}",
		  "checks = ( {\n  name = \"w\";\n  # five\n  type = \"tcp\";\n} )" },
		{ "a group",
		  "sites = ( { name = \"a\"; labels = { region = \"eu\"; }; weight = 3; } );",
		  EDIT_PUT, "sites/a", "{\"weight\": 3}",
		  "sites = ( { name = \"a\"; weight = 3; } );" },
		{ "at the end of the text", "pools = ();\nchecks = ( { name = \"w\"; rise = 5 } )",
		  EDIT_DELETE, "checks/w", NULL, "pools = ();\nchecks = ( )" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_text(&cases[i]);
}

#define SITES3                                                                                     \
	"sites = (\n  { name = \"a\"; },\n  { name = \"b\"; }, # b\n  { name = \"c\"; }\n);\n"

static void objects_come_and_go_with_their_commas(void **state)
{
	static const struct text_case cases[] = {
		{ "a new one behind the last", SITES3, EDIT_PUT, "sites/d", "{}",
		  "sites = (\n  { name = \"a\"; },\n  { name = \"b\"; }, # b\n  { name = \"c\"; },\n  { name = "
		  "\"d\"; }\n);\n" },
		{ "the first goes", SITES3, EDIT_DELETE, "sites/a", NULL,
		  "sites = (\n  { name = \"b\"; }, # b\n  { name = \"c\"; }\n);\n" },
		{ "one between goes", SITES3, EDIT_DELETE, "sites/b", NULL,
		  "sites = (\n  { name = \"a\"; },\n  # b\n  { name = \"c\"; }\n);\n" },
		{ "the last goes", SITES3, EDIT_DELETE, "sites/c", NULL,
		  "sites = (\n  { name = \"a\"; },\n  { name = \"b\"; } # b\n);\n" },
		{ "on one line", "sites = ({name = \"a\"}, {name = \"b\"})", EDIT_PUT, "sites/c",
		  "{\"weight\": 5}",
		  "sites = ({name = \"a\"}, {name = \"b\"}, {name = \"c\"; weight = 5})" },
		{ "a comma that begins a line",
		  "sites = (\n    { name = \"a\" }\n  , { name = \"b\" }\n)", EDIT_PUT, "sites/c",
		  "{}",
		  "sites = (\n    { name = \"a\" }\n  , { name = \"b\" }\n  , { name = \"c\" }\n)" },
		{ "and it goes with its line",
		  "sites = (\n    { name = \"a\" }\n  , { name = \"b\" }\n)", EDIT_DELETE,
		  "sites/b", NULL, "sites = (\n    { name = \"a\" }\n)" },
		{ "into an empty list", "sites = ();", EDIT_PUT, "sites/c", "{}",
		  "sites = (\n  { name = \"c\"; }\n);" },
		{ "into an empty list of two lines", "sites = (\r\n);", EDIT_PUT, "sites/c", "{}",
		  "sites = (\r\n  { name = \"c\"; }\r\n);" },
		{ "where there is no list", "schema = 1;", EDIT_PUT, "sites/c", "{}",
		  "schema = 1;\nsites = (\n  { name = \"c\"; }\n);" },
		{ "where there is nothing", "# a comment", EDIT_PUT, "sites/c", "{}",
		  "# a comment\nsites = (\n  { name = \"c\"; }\n);\n" },
		{ "where the group of the list is not there", "schema = 1;\n", EDIT_PUT,
		  "dns/zones/z", "{\"file\": \"f\"}",
		  "schema = 1;\ndns = {\n  zones = (\n    { name = \"z\"; file = \"f\"; }\n  );\n};\n" },
		{ "lines as the sibling has them",
		  "checks = (\n\t{\n\t\tname = \"w\"\n\t\ttype = \"tcp\"\n\t}\n)\n", EDIT_PUT,
		  "checks/v", "{\"type\": \"http\"}",
		  "checks = (\n\t{\n\t\tname = \"w\"\n\t\ttype = \"tcp\"\n\t},\n\t{\n\t\tname = \"v\"\n\t\ttype = "
		  "\"http\"\n\t}\n)\n" },
		{ "the order of failover",
		  "services = ( { name = \"s\"; protocol = \"tcp\"; port = 1; at = (\n { site = "
		  "\"a\"; vip = \"v\"; pool = \"p\"; /* a */ }, # 1\n { site = \"b\"; vip = \"v\"; pool = \"q\"; } # 2\n"
		  " ); } )",
		  EDIT_PATCH, "services/s",
		  "{\"at\": [{\"site\": \"b\", \"vip\": \"v\", \"pool\": \"r\"}, {\"site\": \"a\", \"vip\": \"v\", "
		  "\"pool\": \"p\"}]}",
		  "services = ( { name = \"s\"; protocol = \"tcp\"; port = 1; at = (\n { site = \"b\"; vip = \"v\"; "
		  "pool = \"r\"; }, # 1\n { site = \"a\"; vip = \"v\"; pool = \"p\"; /* a */ } # 2\n ); } )" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_text(&cases[i]);
}

#define NODE "sites/a"

static void errors_of_a_value_are_all_told(void **state)
{
	static const struct {
		const char *path, *value, *member, *detail;
		enum edit_how how;
	} cases[] = {
		{ NODE, "{\"weight\": \"100\"}", "weight", "found \"100\", expected a whole number",
		  EDIT_PATCH },
		{ NODE, "{\"wieght\": 1}", "wieght",
		  "there is no such setting (did you mean \"weight\"?)", EDIT_PATCH },
		{ NODE, "{\"weight\": null}", "weight",
		  "is null, which deletes only in a PATCH, and not within a list", EDIT_PUT },
		{ NODE, "{\"name\": null}", "name", "is null, but it is required", EDIT_PATCH },
		{ NODE, "{\"wieght\": null}", "wieght", "is null, which has no meaning in a list",
		  EDIT_PATCH },
		{ NODE, "{\"name\": \"b\"}", "name",
		  "is not the name that the path has; objects are not renamed", EDIT_PUT },
		{ NODE, "{\"weight\": 1.5}", "weight", "is no whole number", EDIT_PATCH },
		{ NODE, "{\"weight\": 3000000000}", "weight",
		  "does not fit 32 bits; large quantities are texts with a unit, such as \"40Gbit\"",
		  EDIT_PATCH },
		{ NODE, "{\"labels\": {\"region\": [\"eu\"]}}", "labels.region", NULL, EDIT_PATCH },
		{ "checks/w", "{\"type\": \"tcp\", \"path\": \"/a\\u0000b\"}", "path",
		  "is a text with the character U+0000", EDIT_PUT },
		{ NODE, "[]", "", "the value is no object", EDIT_PUT },
		{ "services/s",
		  "{\"at\": [{\"site\": \"a\", \"vip\": \"v\", \"pool\": \"p\", \"weight\": null}]}",
		  "at[0].weight", "is null, which deletes only in a PATCH, and not within a list",
		  EDIT_PATCH },
		{ NODE, "7", "", "the value is no object", EDIT_PATCH },
		{ "sites/a%2Fb", "{}", "name", NULL, EDIT_PUT },
		{ "sites/*", "{}", "name", NULL, EDIT_PUT },
		{ "vips/v", "{\"site\": \"a\"}", "addresses", NULL, EDIT_PUT },
		{ "vips/v", "{\"site\": \"a\", \"addresses\": [null]}", "addresses[0]",
		  "is null, which has no meaning in a list", EDIT_PUT },
		{ "services/s/at/a", "{\"vip\": \"v\", \"pool\": \"p\", \"at\": 1}", "at", NULL,
		  EDIT_PUT },
		{ "pools/p",
		  "{\"site\": \"a\", \"backends\": [{\"name\": \"b\", \"address\": \"1.1.1.1\"}, {\"name\": "
		  "\"b\", \"address\": \"1.1.1.2\"}]}",
		  "backends[1]", "has the name of another one in this list", EDIT_PUT },
		{ "pools/p", "{\"site\": \"a\", \"backends\": [{\"address\": \"1.1.1.1\"}]}",
		  "backends[0].name", NULL, EDIT_PUT },
	};
	struct texts t = {
		.texts = { "sites = ( { name = \"a\"; } ); services = ( { name = \"s\"; } );" }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct edit e = edit_of(cases[i].how, cases[i].path, cases[i].value);
		struct edit_result result;

		assert_int_equal(edit_configuration(read_text, &t, "weir.conf", &e, 1, &result),
		                 -EINVAL);
		assert_int_equal(result.refusal.code, EDIT_INVALID);
		assert_true(result.refusal.n_errors >= 1);
		const struct edit_error *m = result.refusal.errors;
		size_t k = 0;
		while (k + 1 < result.refusal.n_errors && strcmp(m[k].path, cases[i].member) != 0)
			k++;
		assert_string_equal(m[k].path, cases[i].member);
		if (cases[i].detail)
			assert_string_equal(m[k].detail, cases[i].detail);
		assert_int_equal(result.n_files, 0);
		edit_result_free(&result);
		free_edit(&e);
	}
}

/* The value is bounded as a document is, whoever reads the JSON. */
static void a_value_is_nested_sixteen_deep(void **state)
{
	struct texts t = { .texts = { "sites = ( { name = \"a\"; } );" } };
	struct edit e = edit_of(EDIT_PATCH, "sites/a",
	                        "{\"weight\": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}");
	struct edit_result result;

	(void)state;
	assert_int_equal(edit_configuration(read_text, &t, "weir.conf", &e, 1, &result), -EINVAL);
	assert_string_equal(result.refusal.errors[0].detail, "is nested more than 16 deep");
	edit_result_free(&result);
	free_edit(&e);
}

/* No text of a document is longer, so none of an edit is. */
static void a_text_has_at_most_4096_bytes(void **state)
{
	struct texts t = { .texts = { "schema = 1;" } };
	char value[5000] = "{\"file\": \"";
	size_t n = strlen(value);

	(void)state;
	memset(value + n, 'a', 4097);
	for (int i = 0; i < 2; i++) {
		struct edit_result result;

		strcpy(value + n + 4097 - i, "\"}");
		struct edit e = edit_of(EDIT_PUT, "dns/zones/z", value);
		int err = edit_configuration(read_text, &t, "weir.conf", &e, 1, &result);
		assert_int_equal(err, i ? 0 : -EINVAL);
		assert_true(i || result.refusal.code == EDIT_INVALID);
		edit_result_free(&result);
		free_edit(&e);
	}
}

/* What several edits make of files, or why they are refused. */
struct edit_plan {
	const char *why;
	struct texts texts;
	struct {
		enum edit_how how;
		const char *path, *value;
		enum edit_create create;
	} edits[3];
	int code; /* -1: not refused */
	const char *say, *after[3];
	size_t edit;
	const char *referent;
	struct edit_position positions[2];
};

static void check_refusal(const struct edit_plan *p, const struct edit_refusal *r)
{
	if ((int)r->code != p->code || !strstr(r->text, p->say))
		print_message("%s: %s: %s\n", p->why, edit_code_text(r->code), r->text);
	assert_int_equal(r->code, p->code);
	assert_non_null(strstr(r->text, p->say));
	assert_int_equal(r->edit, p->edit);
	assert_int_equal(r->n_referents, p->referent ? 1 : 0);
	if (p->referent)
		assert_string_equal(r->referents[0], p->referent);
	for (size_t i = 0; i < 2 && p->positions[i].file; i++) {
		assert_true(i < r->n_positions);
		assert_string_equal(r->positions[i].file, p->positions[i].file);
		assert_int_equal(r->positions[i].line, p->positions[i].line);
	}
}

static void check_plan(const struct edit_plan *p)
{
	struct texts t = p->texts;
	struct edit edits[3];
	struct edit_result result;
	size_t n = 0, n_changed = 0;

	for (; n < 3 && p->edits[n].path; n++) {
		edits[n] = edit_of(p->edits[n].how, p->edits[n].path, p->edits[n].value);
		edits[n].create = p->edits[n].create;
	}
	int err = edit_configuration(read_text, &t, "weir.conf", edits, n, &result);
	if (err && p->code < 0)
		print_message("%s: %s\n", p->why, result.refusal.text);
	assert_int_equal(err, p->code < 0 ? 0 : -EINVAL);
	if (err)
		check_refusal(p, &result.refusal);
	for (size_t i = 0; !err && i < 3 && t.texts[i]; i++) {
		const char *after = text_after(&result, &t, i), *wanted = p->after[i];

		n_changed += wanted != NULL;
		if (strcmp(after, wanted ? wanted : t.texts[i]) != 0)
			print_message("%s\n", p->why);
		assert_string_equal(after, wanted ? wanted : t.texts[i]);
	}
	assert_int_equal(result.n_files, n_changed);
	edit_result_free(&result);
	while (n > 0)
		free_edit(&edits[--n]);
}

static void edits_reach_into_includes(void **state)
{
	static const struct edit_plan plans[] = {
		{ "a value in its file",
		  { { "", "i" }, { "sites = (\n@include \"i\"\n);", "{ name = \"a\" }" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 1}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { NULL, "{ name = \"a\"; weight = 1 }" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a comma of another file",
		  { { "", "i" },
		    { "sites = ( { name = \"a\" }\n@include \"i\"\n);", ", { name = \"b\" }" } },
		  { { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE } },
		  -1,
		  "",
		  { "sites = (\n@include \"i\"\n);", "{ name = \"b\" }" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a new one behind the last, in its file",
		  { { "", "i" },
		    { "sites = ( { name = \"a\" },\n@include \"i\"\n);", "{ name = \"b\" }\n" } },
		  { { EDIT_PUT, "sites/c", "{}", EDIT_IN_ANY_CASE } },
		  -1,
		  "",
		  { NULL, "{ name = \"b\" },\n{ name = \"c\" }\n" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a file that is included twice is not edited",
		  { { "", "i" },
		    { "sites = ( { name = \"a\"; weight = 2;\n@include \"i\"\n }, { name = \"b\";\n"
		      "@include \"i\"\n});",
		      "labels = { region = \"eu\"; };" } },
		  { { EDIT_PATCH, "sites/a", "{\"labels\": {\"region\": \"us\"}}",
		      EDIT_IF_THERE } },
		  EDIT_SHARED_INCLUDE,
		  "i is included twice",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 2 }, { "weir.conf", 4 } } },
		{ "the second of them is none either",
		  { { "", "i" },
		    { "sites = ( { name = \"a\"; weight = 2;\n@include \"i\"\n }, { name = \"b\";\n"
		      "@include \"i\"\n});",
		      "labels = { region = \"eu\"; };" } },
		  { { EDIT_PATCH, "sites/b", "{\"labels\": {\"region\": \"us\"}}",
		      EDIT_IF_THERE } },
		  EDIT_SHARED_INCLUDE,
		  "i is included twice",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 2 }, { "weir.conf", 4 } } },
		{ "what is beside such a file is",
		  { { "", "i" },
		    { "sites = ( { name = \"a\"; weight = 2;\n@include \"i\"\n }, { name = \"b\";\n"
		      "@include \"i\"\n});",
		      "labels = { region = \"eu\"; };" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 3}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { "sites = ( { name = \"a\"; weight = 3;\n@include \"i\"\n }, { name = \"b\";\n@include "
		    "\"i\"\n});" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a file within one that is included twice",
		  { { "", "i", "k" },
		    { "sites = ( { name = \"a\";\n@include \"i\"\n }, { name = \"b\";\n@include "
		      "\"i\"\n});",
		      "\n@include \"k\"", "weight = 9;" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 3}", EDIT_IF_THERE } },
		  EDIT_SHARED_INCLUDE,
		  "k is included twice",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 2 }, { "weir.conf", 4 } } },
		{ "what begins in one file and ends in another",
		  { { "", "i" },
		    { "sites = (\n@include \"i\"\n weight = 5; }, { name = \"b\" })",
		      "{ name = \"a\";" } },
		  { { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE } },
		  EDIT_NOT_EDITABLE,
		  "begins in one file and ends in another",
		  { NULL },
		  0,
		  NULL,
		  { { "i", EDIT_IF_NOT_THERE } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++)
		check_plan(&plans[i]);
}

#define POOLS                                                                                      \
	"pools = ( { name = \"p\"; site = \"a\"; check = \"w\"; } ); checks = ( { name = \"w\"; } );"
#define TWICE "sites = ( { name = \"a\"; }, { name = \"a\"; } );"

static void several_edits_are_one_change(void **state)
{
	static const struct edit_plan plans[] = {
		{ "two of one setting",
		  { .texts = { "sites = ( { name = \"a\"; weight = 1; } );" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 2}", EDIT_IF_THERE },
		    { EDIT_PATCH, "sites/a", "{\"weight\": 3}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { "sites = ( { name = \"a\"; weight = 3; } );" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "back to what it was",
		  { .texts = { "sites = ( { name = \"a\"; weight = 1; } );" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 2}", EDIT_IF_THERE },
		    { EDIT_PATCH, "sites/a", "{\"weight\": 1}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "gone and back, at the end",
		  { .texts = { "sites = ( { name = \"a\"; weight = 1; } );" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": null}", EDIT_IF_THERE },
		    { EDIT_PATCH, "sites/a", "{\"weight\": 1}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a new one for the last, behind the comment of the one before",
		  { .texts = { "sites = (\n  { name = \"a\"; }, # a\n  { name = \"b\"; }\n);" } },
		  { { EDIT_DELETE, "sites/b", NULL, EDIT_IF_THERE },
		    { EDIT_PUT, "sites/c", "{}", EDIT_IF_NOT_THERE } },
		  -1,
		  "",
		  { "sites = (\n  { name = \"a\"; }, # a\n  { name = \"c\"; }\n);" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "what is named may go and come back",
		  { .texts = { POOLS } },
		  { { EDIT_DELETE, "checks/w", NULL, EDIT_IF_THERE },
		    { EDIT_PUT, "checks/w", "{\"type\": \"tcp\"}", EDIT_IF_NOT_THERE } },
		  -1,
		  "",
		  { "pools = ( { name = \"p\"; site = \"a\"; check = \"w\"; } ); checks = ( { name = \"w\"; type = \"tcp\"; } );" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "no check is no reference",
		  { .texts = { "services = ( { name = \"s\"; vip_check = \"none\"; } ); checks = ( { name = \"none\"; } );" } },
		  { { EDIT_DELETE, "checks/none", NULL, EDIT_IF_THERE } },
		  -1,
		  "",
		  { "services = ( { name = \"s\"; vip_check = \"none\"; } ); checks = ( );" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "made and unmade",
		  { .texts = { "schema = 1;" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE },
		    { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE } },
		  -1,
		  "",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "unmade and made",
		  { .texts = { "sites = ( { name = \"a\"; weight = 1; } );" } },
		  { { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE },
		    { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  -1,
		  "",
		  { "sites = ( { name = \"a\"; } );" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "two new ones, and one of them changed",
		  { .texts = { "sites = ( { name = \"a\" } )" } },
		  { { EDIT_PUT, "sites/b", "{}", EDIT_IF_NOT_THERE },
		    { EDIT_PUT, "sites/c", "{}", EDIT_IF_NOT_THERE },
		    { EDIT_PATCH, "sites/b", "{\"weight\": 3}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { "sites = ( { name = \"a\" }, { name = \"b\"; weight = 3 }, { name = \"c\" } )" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "the second is refused, so all are",
		  { .texts = { "sites = ( { name = \"a\" } )" } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 3}", EDIT_IF_THERE },
		    { EDIT_PATCH, "sites/b", "{}", EDIT_IF_THERE } },
		  EDIT_NOT_FOUND,
		  "there is no sites/b",
		  { NULL },
		  1,
		  NULL,
		  { { NULL, 0 } } },
		{ "what must not be there",
		  { .texts = { "sites = ( { name = \"a\" } )" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  EDIT_EXISTS,
		  "sites/a is there already",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "what must be there",
		  { .texts = { "sites = ( { name = \"a\" } )" } },
		  { { EDIT_PUT, "sites/b", "{}", EDIT_IF_THERE } },
		  EDIT_NOT_FOUND,
		  "there is no sites/b",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "an object around it",
		  { .texts = { "sites = ( { name = \"a\" } )" } },
		  { { EDIT_PUT, "pools/p/backends/b", "{\"address\": \"1.1.1.1\"}",
		      EDIT_IF_NOT_THERE } },
		  EDIT_NOT_FOUND,
		  "nothing around pools/p/backends/b",
		  { NULL },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a reference stays",
		  { .texts = { POOLS } },
		  { { EDIT_DELETE, "checks/w", NULL, EDIT_IF_THERE } },
		  EDIT_REFERENCED,
		  "checks/w is named by pools/p",
		  { NULL },
		  0,
		  "pools/p",
		  { { NULL, 0 } } },
		{ "two references of one object",
		  { .texts = { "services = ( { name = \"s\"; at = ( { site = \"a\"; pool = \"p\"; backup = \"p\"; } ); } ); pools = ( { name = \"p\"; } );" } },
		  { { EDIT_DELETE, "pools/p", NULL, EDIT_IF_THERE } },
		  EDIT_REFERENCED,
		  "pools/p is named by services/s/at/a",
		  { NULL },
		  0,
		  "services/s/at/a",
		  { { NULL, 0 } } },
		{ "one in a list",
		  { .texts = { "sites = ( { name = \"a\"; } ); vips = ( { name = \"v\"; sites = [ \"b\", \"a\" ]; } );" } },
		  { { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE } },
		  EDIT_REFERENCED,
		  "sites/a is named by vips/v",
		  { NULL },
		  0,
		  "vips/v",
		  { { NULL, 0 } } },
		{ "the first of two reasons",
		  { .texts = { "sites = ( { name = \"a\"; },\n { name = \"a\"; },\n { name = \"a\"; } );" } },
		  { { EDIT_DELETE, "sites/a", NULL, EDIT_IF_THERE } },
		  EDIT_NOT_EDITABLE,
		  "weir.conf:3: there are two",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 3 } } },
		{ "it goes in the same change",
		  { .texts = { POOLS } },
		  { { EDIT_DELETE, "checks/w", NULL, EDIT_IF_THERE },
		    { EDIT_PATCH, "pools/p", "{\"check\": null}", EDIT_IF_THERE } },
		  -1,
		  "",
		  { "pools = ( { name = \"p\"; site = \"a\"; } ); checks = ( );" },
		  0,
		  NULL,
		  { { NULL, 0 } } },
		{ "a name that is given twice",
		  { .texts = { TWICE } },
		  { { EDIT_PATCH, "sites/a", "{\"weight\": 3}", EDIT_IF_THERE } },
		  EDIT_NOT_EDITABLE,
		  "two of this name",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", EDIT_IF_NOT_THERE } } },
		{ "a setting that is given twice",
		  { .texts = { "a = 1;\na = 2;" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  EDIT_NOT_EDITABLE,
		  "is given twice in this group",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 2 } } },
		{ "a text that is none",
		  { .texts = { "sites = (\n{" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  EDIT_NOT_EDITABLE,
		  "the text cannot be read",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", 2 } } },
		{ "an include that is not there",
		  { .texts = { "@include \"x\"\n" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  EDIT_NOT_EDITABLE,
		  "\"x\" does not exist",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", EDIT_IF_NOT_THERE } } },
		{ "a list that is none",
		  { .texts = { "sites = 5;" } },
		  { { EDIT_PUT, "sites/a", "{}", EDIT_IF_NOT_THERE } },
		  EDIT_NOT_EDITABLE,
		  "no list of objects",
		  { NULL },
		  0,
		  NULL,
		  { { "weir.conf", EDIT_IF_NOT_THERE } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++)
		check_plan(&plans[i]);
}

/* The text has its own form, and GET another one: what the value gives as GET does is not asked for. */
static void what_get_shows_is_not_asked_for(void **state)
{
	struct texts t = {
		.texts = { "nodes = ( { name = \"n\"; dpdk = { cores = \"2-4\"; }; } );" }
	};
	struct edit e =
	        edit_of(EDIT_PATCH, "nodes/n",
	                "{\"dpdk\": {\"cores\": \"2,3,4\"}, \"announce\": {\"vips\": [\"v\"]}}");
	struct edit_result result;

	(void)state;
	e.current = json_deep_copy(e.value);
	assert_int_equal(edit_configuration(read_text, &t, "weir.conf", &e, 1, &result), 0);
	assert_int_equal(result.n_files, 0);
	edit_result_free(&result);
	json_decref((json_t *)(uintptr_t)e.current);
	e.current = NULL;
	assert_int_equal(edit_configuration(read_text, &t, "weir.conf", &e, 1, &result), 0);
	assert_string_equal(
	        text_after(&result, &t, 0),
	        "nodes = ( { name = \"n\"; dpdk = { cores = \"2,3,4\"; }; announce = { vips = [ "
	        "\"v\" ]; }; } );");
	edit_result_free(&result);
	free_edit(&e);
}

/* What GET showed before all edits is not in force behind an edit of the same setting. */
static void an_edit_before_is_what_is_in_force(void **state)
{
	static const char *const before[] = { "{\"dpdk\": {\"cores\": \"9\"}}",
		                              "{\"dpdk\": {\"cores\": null}}" };
	struct texts t = {
		.texts = { "nodes = ( { name = \"n\"; dpdk = { cores = \"2-4\"; }; } );" }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(before); i++) {
		struct edit edits[] = { edit_of(EDIT_PATCH, "nodes/n", before[i]),
			                edit_of(EDIT_PATCH, "nodes/n",
			                        "{\"dpdk\": {\"cores\": \"2,3,4\"}}") };
		struct edit_result result;

		edits[0].current = json_deep_copy(edits[1].value);
		edits[1].current = json_deep_copy(edits[1].value);
		assert_int_equal(edit_configuration(read_text, &t, "weir.conf", edits, 2, &result),
		                 0);
		assert_string_equal(
		        text_after(&result, &t, 0),
		        "nodes = ( { name = \"n\"; dpdk = { cores = \"2,3,4\"; }; } );");
		edit_result_free(&result);
		free_edit(&edits[0]);
		free_edit(&edits[1]);
	}
}

/* PUT of an object as GET shows it, in a text with defaults, forms and orders of its own. */
static void put_as_shown(const struct model *m, const struct object_path *path, const char *text)
{
	json_t *shown = object_json(m, path);
	struct edit e = { .how = EDIT_PUT,
		          .create = EDIT_IF_THERE,
		          .path = *path,
		          .value = shown,
		          .current = shown };
	struct texts t = { .texts = { text } };
	struct edit_result result;

	assert_non_null(shown);
	assert_int_equal(edit_configuration(read_text, &t, "weir.conf", &e, 1, &result), 0);
	if (result.n_files)
		print_message("%s\n", result.files[0].bytes);
	assert_int_equal(result.n_files, 0);
	edit_result_free(&result);
	json_decref(shown);
}

static void what_get_shows_may_be_put(void **state)
{
	struct model *m = NULL;
	struct model_errors errors;
	size_t n = 0;

	(void)state;
	assert_int_equal(model_read_text(fixture_config, strlen(fixture_config), "weir.conf",
	                                 fixture_path("."), NULL, &m, &errors),
	                 0);
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		const struct object_row *row = object_row(kind);
		const struct object_path none = { .kind = row->parent };
		struct object_path list = { .kind = kind }, around, path;
		size_t n_around = row->parent == OBJECT_NONE ? 1 : object_count(m, &none);

		for (size_t k = 0; k < n_around; k++) {
			if (row->parent != OBJECT_NONE) {
				object_path_at(m, &none, k, &around);
				list = around;
				list.kind = kind;
			}
			for (size_t i = 0; i < object_count(m, &list); i++, n++) {
				object_path_at(m, &list, i, &path);
				put_as_shown(m, &path, fixture_config);
			}
		}
	}
	assert_int_equal(n, 2 + 2 + 1 + 2 + 3 + 2 + 1 + 2 + 1 + 1);
	model_free(m);
	model_errors_free(&errors);
}

#define BACKENDS 10000

static double read_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ten thousand backends, a thousand edits of them: changed, made, deleted. */
static void a_thousand_edits_of_a_large_text_take_a_second(void **state)
{
	char *text = malloc(BACKENDS * 80), *at = text;
	static struct edit edits[EDIT_MAX];
	struct texts t = { .texts = { text } };
	struct edit_result result;

	(void)state;
	assert_non_null(text);
	at += sprintf(at, "pools = ( { name = \"p\"; backends = (\n");
	for (int i = 0; i < BACKENDS; i++)
		at += sprintf(at, "%s{ name = \"b%d\"; address = \"10.1.%d.%d\"; weight = 5; }",
		              i ? ",\n" : "", i, i / 250, i % 250);
	sprintf(at, "\n); } );\n");
	for (int i = 0; i < (int)EDIT_MAX; i++) {
		char path[64];
		static const char *const values[] = { "{\"weight\": 6}", NULL,
			                              "{\"address\": \"10.2.3.4\"}" };

		snprintf(path, sizeof(path), "pools/p/backends/b%d",
		         i % 3 == 2 ? BACKENDS + i : i * 9);
		edits[i] = edit_of((enum edit_how[]){ EDIT_PATCH, EDIT_DELETE, EDIT_PUT }[i % 3],
		                   path, values[i % 3]);
	}
	double begin = read_seconds();
	assert_int_equal(edit_configuration(read_text, &t, "weir.conf", edits, EDIT_MAX, &result),
	                 0);
	double taken = read_seconds() - begin;
	print_message("%.2f s\n", taken);
	assert_int_equal(result.n_files, 1);
	assert_true(taken < 5); /* also under a sanitizer */
	edit_result_free(&result);
	assert_int_equal(
	        edit_configuration(read_text, &t, "weir.conf", edits, EDIT_MAX + 1, &result),
	        -EINVAL);
	assert_int_equal(result.refusal.code, EDIT_NOT_EDITABLE);
	edit_result_free(&result);
	for (size_t i = 0; i < EDIT_MAX; i++)
		free_edit(&edits[i]);
	free(text);
}

SUITE(edit)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_replaced_and_nothing_else),
		cmocka_unit_test(what_is_in_force_is_not_touched),
		cmocka_unit_test(a_new_setting_looks_as_the_last_one),
		cmocka_unit_test(a_setting_goes_with_its_separator_and_its_line),
		cmocka_unit_test(objects_come_and_go_with_their_commas),
		cmocka_unit_test(errors_of_a_value_are_all_told),
		cmocka_unit_test(a_value_is_nested_sixteen_deep),
		cmocka_unit_test(a_text_has_at_most_4096_bytes),
		cmocka_unit_test(edits_reach_into_includes),
		cmocka_unit_test(several_edits_are_one_change),
		cmocka_unit_test(what_get_shows_is_not_asked_for),
		cmocka_unit_test(an_edit_before_is_what_is_in_force),
		cmocka_unit_test(what_get_shows_may_be_put),
		cmocka_unit_test(a_thousand_edits_of_a_large_text_take_a_second),
	};

	return cmocka_run_group_tests_name("edit", tests, fixture_setup, fixture_teardown);
}
