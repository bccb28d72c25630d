/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over versions: which one changed each row, what cannot be read, and how it goes on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/json/blame.h"
#include "tests/unit/suite.h"

#define VERSIONS_MAX 400u

/* A version: its object as JSON, "" where it has none, "?" where it cannot be read. Versions with one text have one digest. */
static const char *texts[VERSIONS_MAX];
static struct version list[VERSIONS_MAX];
static size_t n_versions;
static unsigned n_read, reads_left;
static struct blame walk;

static int read_text(void *arg, const struct version *v, json_t **object, char *reason, size_t size)
{
	const char *text = texts[n_versions - v->number];

	(void)arg;
	n_read++;
	if (!strcmp(text, "?")) {
		snprintf(reason, size, "why %u", (unsigned)v->number);
		return -EINVAL;
	}
	*object = *text ? json_loads(text, 0, NULL) : NULL;
	return 0;
}

static bool has_reads_left(void *arg)
{
	(void)arg;
	return n_read < reads_left;
}

/* @p given are the texts of versions from the newest one on, up to a NULL. @p first  the last one is the first version of all */
static void begin_walk(const char *const *given, const char *setting, bool first)
{
	n_versions = n_read = 0;
	reads_left = UINT32_MAX;
	while (given[n_versions])
		n_versions++;
	for (size_t i = 0; i < n_versions; i++) {
		size_t same = 0;

		texts[i] = given[i];
		while (strcmp(texts[same], given[i]) != 0)
			same++;
		if (!strcmp(given[i], "?"))
			same = i;
		list[i] = (struct version){ .number = n_versions - i };
		snprintf(list[i].digest, sizeof(list[i].digest), "%zu", same);
		snprintf(list[i].parent, sizeof(list[i].parent), "%s",
		         first && i + 1 == n_versions ? "" : "x");
	}
	json_t *object = *given[0] ? json_loads(given[0], 0, NULL) : NULL;
	assert_int_equal(blame_begin(&walk, object, setting), 0);
	json_decref(object);
}

static void go_on(void)
{
	const struct blame_reader reader = { read_text, has_reads_left, NULL };

	blame_walk(&walk, list, n_versions, &reader);
}

/* "weight=3:50;..." of what was found, with "?" behind the number where that is not certain; then the rows that are open. */
static const char *describe_walk(void)
{
	static char out[4096];
	size_t n = 0, i = 0;
	json_t *value;
	const char *row;

	out[0] = '\0';
	for (size_t k = 0; k < walk.n_found; k++) {
		const struct blame_found *f = &walk.found[k];
		char *from = f->from ? json_dumps(f->from, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s=%u%s:%s;", f->row,
		                      (unsigned)list[f->version].number, f->is_certain ? "" : "?",
		                      from ? from : "-");
		free(from);
	}
	json_object_foreach(walk.now, row, value) if (i < walk.n_rows && !walk.is_found[i++]) n +=
	        (size_t)snprintf(out + n, sizeof(out) - n, " %s", *row ? row : ".");
	return out;
}

#define LIST(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define W(n) "{\"weight\":" #n "}"

static void the_last_version_that_changed_a_row_is_found(void **state)
{
	static const struct {
		const char *why, *setting, *said;
		const char *given[7];
		bool first;
		unsigned n_read;
	} rows[] = {
		{ "the version in force did", "weight", "=2:1;", { W(2), W(1) }, false, 1 },
		{ "an older one did, others changed other things",
		  "weight",
		  "=2:1;",
		  { "{\"weight\":2,\"port\":3}", "{\"weight\":2,\"port\":2}", W(2), W(1) },
		  false,
		  3 },
		{ "there and back: the way back counts",
		  "weight",
		  "=3:2;",
		  { W(1), W(2), W(1) },
		  false,
		  1 },
		{ "equal files are not read",
		  "weight",
		  "=2:1;",
		  { W(2), W(2), W(2), W(1) },
		  false,
		  1 },
		{ "an object that came and went and came",
		  "weight",
		  "=3:-;",
		  { W(1), "", W(1) },
		  false,
		  1 },
		{ "a setting that is gone",
		  "port",
		  "=3:5;",
		  { W(1), "{\"weight\":1,\"port\":5}", W(1) },
		  false,
		  1 },
		{ "an object that is gone", "", "=3:" W(1) ";", { "", W(1), "" }, false, 1 },
		{ "as ever", "weight", " .", { W(1), "{\"weight\":1,\"port\":5}" }, false, 1 },
		{ "since the first",
		  "weight",
		  "=1:-;",
		  { W(1), "{\"weight\":1,\"port\":5}" },
		  true,
		  1 },
		{ "one version alone", "weight", "=1:-;", { W(1) }, true, 0 },
		{ "one that is not the first", "weight", " .", { W(1) }, false, 0 },
		{ "never there", "port", " .", { W(1), W(2) }, true, 1 },
		{ "an object and its settings",
		  "",
		  "port=3:1;weight=2:1; .",
		  { "{\"weight\":2,\"port\":2}", "{\"weight\":2,\"port\":1}",
		    "{\"weight\":1,\"port\":1}" },
		  false,
		  2 },
		{ "one that cannot be read",
		  "weight",
		  "=4?:1;",
		  { W(2), "?", "?", W(1) },
		  false,
		  3 },
		{ "one that cannot be read behind it",
		  "weight",
		  "=3:1;",
		  { W(2), W(1), "?" },
		  false,
		  1 },
		{ "the first cannot be read", "weight", "=2?:-;", { W(2), "?" }, true, 1 },
		{ "what is equal in one that is read after it",
		  "weight",
		  "=2?:1;",
		  { W(2), "?", W(2), W(1) },
		  false,
		  2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_walk(rows[i].given, rows[i].setting, rows[i].first);
		go_on();
		if (strcmp(describe_walk(), rows[i].said) != 0 || n_read != rows[i].n_read)
			fail_msg("%s: %s, %u reads", rows[i].why, describe_walk(), n_read);
		assert_int_equal(blame_is_nothing(&walk), !strcmp(rows[i].why, "never there"));
		blame_fini(&walk);
	}
}

static void groups_and_lists_have_rows_of_their_own(void **state)
{
	static const char now[] =
	        "{\"name\":\"web\",\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"tags\":[\"x\"],"
	        "\"backends\":[{\"name\":\"b1\",\"weight\":1},{\"name\":\"b2\",\"weight\":2}]}";
	static const char older[] =
	        "{\"name\":\"web\",\"labels\":{\"a\":\"0\"},\"tags\":[\"x\",\"y\"],"
	        "\"backends\":[{\"name\":\"b2\",\"weight\":2},{\"name\":\"b3\",\"weight\":2}]}";

	(void)state;
	begin_walk(LIST(now, older), "", false);
	go_on();
	assert_string_equal(describe_walk(),
	                    "labels/a=2:\"0\";labels/b=2:-;tags=2:[\"x\",\"y\"];"
	                    "backends=2:[\"b2\",\"b3\"];backends/b1=2:-; . name backends/b2");
	blame_fini(&walk);
	begin_walk(LIST(now, older), "labels", false);
	go_on();
	assert_string_equal(describe_walk(), "a=2:\"0\";b=2:-; .");
	blame_fini(&walk);
	begin_walk(LIST(now, older), "backends/b1/weight", false);
	go_on();
	assert_string_equal(describe_walk(), "=2:-;");
	blame_fini(&walk);
}

/* In as many walks as there are versions, with a mark between each two: the same as in one. */
static void a_walk_goes_on_from_its_mark(void **state)
{
	const char *const *given = LIST("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}",
	                                "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":0}", "?",
	                                "{\"a\":1,\"b\":1,\"c\":0,\"d\":1,\"e\":1}",
	                                "{\"a\":1,\"b\":0,\"c\":1,\"d\":1,\"e\":1}",
	                                "{\"a\":0,\"b\":1,\"c\":1,\"d\":1,\"e\":1}");
	static const char whole[] = "e=6:0;c=5?:0;b=3?:0;a=2?:0; . d";
	char found[1000] = "", mark[BLAME_MARK_MAX] = "";
	unsigned n_walks = 0;

	(void)state;
	begin_walk(given, "", false);
	go_on();
	assert_string_equal(describe_walk(), whole);
	blame_fini(&walk);
	do {
		begin_walk(given, "", false);
		if (*mark)
			assert_true(blame_resume(&walk, list, n_versions, mark));
		reads_left = 0; /* each walk reads one all the same */
		go_on();
		const char *text = describe_walk();
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%.*s",
		         (int)strcspn(text, " "), text);
		blame_mark(&walk, list, mark);
		assert_int_equal(blame_mark_begin(mark), 6);
		n_walks++;
		if (walk.is_at_end)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s",
			         strchr(text, ' '));
		blame_fini(&walk);
	} while (!walk.is_at_end && n_walks < 20);
	assert_int_equal(n_walks, 5);
	/* between the unread version 4 and what is known of version 5: as in one walk */
	assert_string_equal(found, whole);
}

static void a_walk_is_bounded(void **state)
{
	static char many[VERSIONS_MAX][24], large[40000];
	const char *given[VERSIONS_MAX + 1] = { NULL };
	char mark[BLAME_MARK_MAX];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < VERSIONS_MAX; i++) {
		snprintf(many[i], sizeof(many[i]), "{\"x\":0,\"w\":%zu}", i);
		given[i] = many[i];
	}
	begin_walk(given, "x", true);
	go_on();
	assert_int_equal(n_read, BLAME_READS_MAX);
	assert_int_equal(walk.n_open, 1);
	assert_false(walk.is_at_end);
	blame_fini(&walk);
	for (size_t i = 1; i < VERSIONS_MAX; i++)
		given[i] = "?";
	begin_walk(given, "x", true);
	go_on();
	assert_int_equal(walk.n_unread, BLAME_READS_MAX);
	assert_string_equal(walk.unread[0].reason, "why 399");
	blame_mark(&walk, list, mark);
	blame_fini(&walk);
	begin_walk(given, "x", true);
	assert_true(blame_resume(&walk, list, n_versions,
	                         mark)); /* it gets on, though nothing is read */
	assert_int_equal(list[walk.at].number, 400 - BLAME_READS_MAX);
	blame_fini(&walk);
	n += (size_t)sprintf(large, "{");
	for (unsigned i = 0; i < BLAME_ROWS_MAX + 100; i++)
		n += (size_t)sprintf(large + n, "%s\"s%u\":%u", i ? "," : "", i, i);
	sprintf(large + n, "}");
	begin_walk(LIST(large, "{}"), "", true);
	assert_int_equal(walk.n_rows, BLAME_ROWS_MAX);
	assert_int_equal(walk.n_more, 101); /* and the object itself */
	go_on();
	assert_int_equal(walk.n_open, 0);
	blame_mark(&walk, list, mark);
	assert_true(strlen(mark) < BLAME_MARK_MAX);
	blame_fini(&walk);
}

static void a_mark_that_is_none_is_refused(void **state)
{
	static const char *const marks[] = {
		"",
		"3",
		"3-",
		"3-3",
		"3-3-",
		"3-3-3",
		"3-3-3-",
		"3-3-3-0g",
		"3-3-3-000",
		"4-3-3-0",
		"2-2-2-0",
		"3-4-3-0",
		"3-3-9-0",
		"3-2-3-0",
		"0-3-3-0",
		"3-3-3-0 ",
		"-3-3-3-0",
		"3~3-3-0",
		"3-3~3~0",
		"x",
		"3-3-3--0",
		"99999999999999999999-3-3-0",
		"18446744073709551619-3-3-0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		begin_walk(LIST(W(3), W(2), W(1)), "weight", false);
		if (blame_resume(&walk, list, n_versions, marks[i]))
			fail_msg("\"%s\"", marks[i]);
		blame_fini(&walk);
	}
	begin_walk(LIST(W(3), W(2), W(1)), "weight", false);
	assert_true(blame_resume(&walk, list, n_versions, "3-3~2-1"));
	assert_true(walk.has_gap);
	assert_int_equal(walk.n_open, 0);
	blame_fini(&walk);
}

SUITE(blame)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_version_that_changed_a_row_is_found),
		cmocka_unit_test(groups_and_lists_have_rows_of_their_own),
		cmocka_unit_test(a_walk_goes_on_from_its_mark),
		cmocka_unit_test(a_walk_is_bounded),
		cmocka_unit_test(a_mark_that_is_none_is_refused),
	};

	return cmocka_run_group_tests_name("blame", tests, NULL, NULL);
}
