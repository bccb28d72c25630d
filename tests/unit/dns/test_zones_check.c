/* SPDX-License-Identifier: BSD-2-Clause */
/* What `weir config check` and an apply say of a configuration's zones and dynamic names together. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/zones.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD     "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"

static char dir[] = "/tmp/weir-zones.XXXXXX", files[2][64];
static char said[4096];

static void note_message(void *arg, const struct zones_message *m)
{
	size_t at = strlen(said);

	assert_ptr_equal(arg, said);
	snprintf(said + at, sizeof(said) - at, "%s|%s|%u|%d|%s\n", m->zone,
	         *m->file ? strrchr(m->file, '/') + 1 : "", m->line, m->level, m->text);
}

static void write_zone(unsigned i, const char *more)
{
	FILE *f = fopen(files[i], "w");

	assert_non_null(f);
	assert_true(fprintf(f, "%s%s", GOOD, more) > 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	for (unsigned i = 0; i < 2; i++)
		snprintf(files[i], sizeof(files[i]), "%s/z%u", dir, i);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		unlink(files[i]);
	return rmdir(dir);
}

/* Two zones, a.test and b.test, and dynamic names. */
static const struct {
	const char *why, *more[2]; /* lines of the files, from 5 on */
	const char *names[3];
	int result;
	const char *said;
} cases[] = {
	{ "both are good", { "", "" }, { NULL }, 0, "" },
	{ "a name in each", { "", "" }, { "www.a.test", "www.b.test", "b.test" }, 0, "" },
	{ "the last of the names is in neither",
	  { "", "" },
	  { "www.a.test", "b.test", "www.c.test" },
	  -EINVAL,
	  "||0|1|dynamic name www.c.test lies in no zone\n" },
	{ "the first of the names is there twice",
	  { "", "" },
	  { "www.a.test", "WWW.a.test." },
	  -EINVAL,
	  "||0|1|dynamic name WWW.a.test. is configured twice\n" },
	{ "each time after the first is told",
	  { "", "" },
	  { "www.b.test", "www.b.test", "www.b.test" },
	  -EINVAL,
	  "||0|1|dynamic name www.b.test is configured twice\n"
	  "||0|1|dynamic name www.b.test is configured twice\n" },
	{ "a name of three, after another",
	  { "", "" },
	  { "www.a.test", "b.test", "b.test" },
	  -EINVAL,
	  "||0|1|dynamic name b.test is configured twice\n" },
	{ "the first of them has an address in its file",
	  { "www A 192.0.2.9\n", "" },
	  { "www.a.test", "www.b.test" },
	  -EINVAL,
	  "a.test|z0|5|1|www.a.test is a dynamic name: it cannot have A, AAAA or CNAME records\n" },
	{ "mistakes of both are told",
	  { "x A nothing\n", "\ny AAAA 192.0.2.1\n" },
	  { NULL },
	  -EINVAL,
	  "a.test|z0|5|1|A record: Syntax error, could not parse the RR's rdata\n"
	  "b.test|z1|6|1|AAAA record: Syntax error, could not parse the RR's rdata\n" },
	{ "types of questions and messages alone",
	  { "x TYPE127 \\# 0\nx TYPE128 \\# 0\nx TYPE255 \\# 0\nx TYPE258 \\# 0\n",
	    "x TYPE41 \\# 0\nx AXFR \\# 0\nx TYPE0 \\# 0\nx TYPE70000 \\# 0\n" },
	  { NULL },
	  -EINVAL,
	  "a.test|z0|6|1|TYPE128 is not a type that a zone can hold\n"
	  "a.test|z0|7|1|TYPE255 is not a type that a zone can hold\n"
	  "b.test|z1|5|1|TYPE41 is not a type that a zone can hold\n"
	  "b.test|z1|6|1|AXFR is not a type that a zone can hold\n"
	  "b.test|z1|7|1|TYPE0 is not a type that a zone can hold\n"
	  "b.test|z1|8|1|TYPE70000 is not a type that a zone can hold\n" },
	{ "a warning is no mistake",
	  { "", "x A 192.0.2.5\nx A 192.0.2.5\n" },
	  { NULL },
	  0,
	  "b.test|z1|6|0|x.b.test: line 5 has the same record; it counts once\n" },
};

static void zones_and_names_are_checked_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_zone zones[2] = { { .name = "a.test", .file = files[0] },
			                       { .name = "b.test", .file = files[1] } };
		struct model_dns_name names[3] = { 0 };
		struct model m = {
			.zones = zones, .n_zones = 2, .dns_names = names, .n_dns_names = 0
		};

		for (unsigned k = 0; k < 2; k++)
			write_zone(k, cases[i].more[k]);
		for (unsigned k = 0; k < 3 && cases[i].names[k]; k++)
			names[m.n_dns_names++].name = cases[i].names[k];
		print_message("  %s\n", cases[i].why);
		said[0] = '\0';
		assert_int_equal(zones_check(&m, note_message, said), cases[i].result);
		assert_string_equal(said, cases[i].said);
	}
}

/* Without zones there is nothing to check; a name that then lies in none is the model's mistake. */
static void without_zones_there_is_nothing_to_say(void **state)
{
	const struct model none = { 0 };

	(void)state;
	said[0] = '\0';
	assert_int_equal(zones_check(&none, note_message, said), 0);
	assert_string_equal(said, "");
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct model_zone zone = { .name = "a.test", .file = "/nowhere/at/all" };
	const struct model m = { .zones = &zone, .n_zones = 1 };

	(void)state;
	said[0] = '\0';
	assert_int_equal(zones_check(&m, note_message, said), -EINVAL);
	assert_string_equal(strtok(said, "\n"), "a.test|all|0|1|zone a.test: no such file");
}

SUITE(zones_check)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_and_names_are_checked_together),
		cmocka_unit_test(without_zones_there_is_nothing_to_say),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests_name("dns zones check", tests, set_up, tear_down);
}
