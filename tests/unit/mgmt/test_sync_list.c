/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of members as weir-sync reads them, also hostile ones, and lines of a stream (mgmt/cli/members/list.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/cli/members/list.h"
#include "tests/unit/suite.h"

static struct list_errors errors;

/* In a heap copy of its exact size, as a sanitizer wants it. */
static bool read_bytes(const char *text, size_t n, struct list_members *out)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	bool ok = list_read(copy, n, "k8s", 30, out, &errors);

	free(copy);
	return ok;
}

static void a_list_is_read_with_its_source(void **state)
{
	struct list_members list;
	const char text[] =
	        " [ {\"id\": \"web-2\", \"address\": \"fd00::1\", \"weight\": 0},\n"
	        "{\"id\": \"web-1\", \"address\": \"10.1.0.1\", \"labels\": {\"zone\": \"a\"}},"
	        "{\"id\": \"web-3\", \"address\": \"10.1.0.3\", \"labels\": {\"source\": \"k8s\"}, \"weight\": null},"
	        "{\"id\": \"web-4\", \"address\": \"10.1.0.4\", \"labels\": null}]\n";

	(void)state;
	assert_true(read_bytes(text, strlen(text), &list));
	assert_int_equal(list.n, 4);
	assert_string_equal(list.items[0].id, "web-1");
	assert_string_equal(list.items[0].labels, "source=k8s,zone=a");
	assert_int_equal(list.items[0].weight, MEMBER_WEIGHT_DEFAULT);
	assert_int_equal(list.items[0].ttl_s, 30);
	assert_string_equal(list.items[1].id, "web-2");
	assert_string_equal(list.items[1].labels, "source=k8s");
	assert_int_equal(list.items[1].weight, 0);
	assert_int_equal(list.items[2].weight, MEMBER_WEIGHT_DEFAULT);
	assert_string_equal(list.items[2].labels, "source=k8s");
	assert_string_equal(list.items[3].labels, "source=k8s");
	assert_ptr_equal(list_find(&list, "web-3"), &list.items[2]);
	assert_null(list_find(&list, "web-9"));
	assert_null(list_find(&list, "web-"));
	list_fini(&list);
	assert_null(list_find(&list, "web-3"));
}

#define ONE "{\"id\": \"a\", \"address\": \"10.1.0.1\"}"

static void a_list_with_an_error_is_refused_whole(void **state)
{
	static const struct {
		const char *why, *text, *said;
	} rows[] = {
		{ "nothing", "", "line 1" },
		{ "blank", "  \n", "" },
		{ "empty", "[]", "it is empty" },
		{ "an object", "{}", "no array" },
		{ "null", "null", "" },
		{ "a text", "\"a\"", "" },
		{ "half", "[" ONE, "line 1" },
		{ "more behind it", "[" ONE "] x", "end of file expected" },
		{ "two lists", "[" ONE "][" ONE "]", "end of file expected" },
		{ "a number for a member", "[" ONE ", 7]", "[1]: expected an object" },
		{ "a list for a member", "[[" ONE "]]", "[0]: expected an object" },
		{ "no id", "[{\"address\": \"10.1.0.1\"}]", "id" },
		{ "no address", "[{\"id\": \"a\"}]", "address" },
		{ "an id that is none", "[{\"id\": \"A b\", \"address\": \"10.1.0.1\"}]",
		  "[0] A b: id" },
		{ "an id of another type", "[{\"id\": 7, \"address\": \"10.1.0.1\"}]", "id" },
		{ "an address of another type", "[{\"id\": \"a\", \"address\": [\"10.1.0.1\"]}]",
		  "address" },
		{ "no address in it", "[{\"id\": \"a\", \"address\": \"10.1.0\"}]", "address" },
		{ "with a port", "[{\"id\": \"a\", \"address\": \"10.1.0.1:80\"}]", "address" },
		{ "a weight as a text",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"weight\": \"5\"}]", "weight" },
		{ "a real weight", "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"weight\": 5.5}]",
		  "weight" },
		{ "a weight below 0",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"weight\": -1}]", "weight" },
		{ "much weight", "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"weight\": 65536}]",
		  "weight" },
		{ "labels as a list",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"labels\": [\"a\"]}]", "labels" },
		{ "a label that is a number",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"labels\": {\"a\": 1}}]",
		  "labels" },
		{ "four labels and the source",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"labels\": {\"a\": \"1\", \"b\": \"1\", \"c\": \"1\", \"d\": \"1\"}}]",
		  "labels" },
		{ "another source",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"labels\": {\"source\": \"consul\"}}]",
		  "\"source\" is this program's own" },
		{ "a source that is a number",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"labels\": {\"source\": 1}}]",
		  "\"source\"" },
		{ "a ttl", "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"ttl\": \"30s\"}]",
		  "ttl" },
		{ "what is not known", "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"port\": 80}]",
		  "port" },
		{ "a doubled id", "[" ONE ", {\"id\": \"a\", \"address\": \"10.1.0.2\"}]",
		  "a is there twice" },
		{ "a doubled address", "[" ONE ", {\"id\": \"b\", \"address\": \"10.1.0.1\"}]",
		  "10.1.0.1 is the address of" },
		{ "a doubled address, apart",
		  "[" ONE
		  ", {\"id\": \"b\", \"address\": \"10.1.0.2\"}, {\"id\": \"c\", \"address\": \"10.1.0.1\"}]",
		  "10.1.0.1 is the address of" },
		{ "a doubled address, written otherwise",
		  "[" ONE ", {\"id\": \"b\", \"address\": \"::ffff:10.1.0.1\"}]", "" },
		{ "a doubled key", "[{\"id\": \"a\", \"id\": \"b\", \"address\": \"10.1.0.1\"}]",
		  "duplicate" },
		{ "a NUL in a text", "[{\"id\": \"a\\u0000b\", \"address\": \"10.1.0.1\"}]", "" },
		{ "no UTF-8", "[{\"id\": \"\xff\", \"address\": \"10.1.0.1\"}]", "decode" },
		{ "half a surrogate", "[{\"id\": \"\\ud800\", \"address\": \"10.1.0.1\"}]", "" },
		{ "a large number",
		  "[{\"id\": \"a\", \"address\": \"10.1.0.1\", \"weight\": 99999999999999999999999}]",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct list_members list = { .n = 77 };

		if (read_bytes(rows[i].text, strlen(rows[i].text), &list))
			fail_msg("%s: is accepted", rows[i].why);
		if (!errors.n || !strstr(errors.text, rows[i].said))
			fail_msg("%s: said: %s", rows[i].why, errors.text);
		assert_int_equal(list.n, 77);
	}
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	struct list_members list;

	(void)state;
	assert_false(read_bytes("[\0]", 3, &list));
	assert_false(read_bytes("\0", 1, &list));
	assert_false(read_bytes("[" ONE "]\0", strlen(ONE) + 3, &list));
}

static void deep_and_large_lists_are_refused(void **state)
{
	size_t n = 200000;
	char *text = malloc(LIST_BYTES_MAX + 2);
	struct list_members list;

	(void)state;
	assert_non_null(text);
	memset(text, '[', n);
	assert_false(read_bytes(text, n, &list));
	memset(text, ' ', LIST_BYTES_MAX + 1);
	memcpy(text, "[" ONE "]", strlen(ONE) + 2);
	assert_true(read_bytes(text, LIST_BYTES_MAX, &list));
	list_fini(&list);
	assert_false(read_bytes(text, LIST_BYTES_MAX + 1, &list));
	assert_non_null(strstr(errors.text, "bytes"));
	free(text);
}

/* "[7,7,7]" or members m0, m1, ... */
static char *make_many(size_t n, bool members)
{
	size_t used = 0, room = n * 64 + 3;
	char *text = malloc(room);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		used += (size_t)(members ? snprintf(
		                                   text + used, room - used,
		                                   "%c{\"id\":\"m%zu\",\"address\":\"10.%zu.%zu.%zu\"}",
		                                   i ? ',' : '[', i, i >> 16, i >> 8 & 255, i & 255)
		                         : snprintf(text + used, room - used, "%c7",
		                                    i ? ',' : '['));
	snprintf(text + used, room - used, "]");
	return text;
}

static void as_many_members_as_there_can_be_are_read(void **state)
{
	struct list_members list;
	char *text = make_many(LIST_MEMBERS_MAX, true);

	(void)state;
	assert_true(read_bytes(text, strlen(text), &list));
	assert_int_equal(list.n, LIST_MEMBERS_MAX);
	for (size_t i = 1; i < list.n; i++)
		assert_true(strcmp(list.items[i - 1].id, list.items[i].id) < 0);
	list_fini(&list);
	free(text);
	text = make_many(LIST_MEMBERS_MAX + 1, true);
	assert_false(read_bytes(text, strlen(text), &list));
	free(text);
}

static void errors_are_counted_and_the_first_ones_named(void **state)
{
	struct list_members list;
	char *text = make_many(50, false);
	size_t lines = 0;

	(void)state;
	assert_false(read_bytes(text, strlen(text), &list));
	assert_int_equal(errors.n, 50);
	for (const char *at = errors.text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, LIST_ERRORS_MAX);
	free(text);
	errors = (struct list_errors){ .n = 0 };
	for (int i = 0; i < 20; i++)
		list_refuse(&errors, "%0300d", i);
	assert_true(strlen(errors.text) < sizeof(errors.text));
	assert_int_equal(errors.n, 20);
}

static void a_source_is_a_name_that_a_label_can_have(void **state)
{
	char text[MODEL_NAME_MAX + 1];

	(void)state;
	assert_true(list_is_source("k8s-prod.eu_1"));
	assert_false(list_is_source(""));
	assert_false(list_is_source("a,b"));
	assert_false(list_is_source("a=b"));
	assert_false(list_is_source("Upper"));
	memset(text, 'a', sizeof(text));
	text[MODEL_NAME_MAX] = '\0';
	assert_false(list_is_source(text));
	text[MODEL_NAME_MAX - 1] = '\0';
	assert_true(list_is_source(text));
	assert_true(list_has_source("rack=7,source=k8s,zone=a", "k8s"));
	assert_true(list_has_source("source=k8s", "k8s"));
	assert_false(list_has_source("source=k8s-2", "k8s"));
	assert_false(list_has_source("my-source=k8s", "k8s"));
	assert_false(list_has_source("zone=source=k8s", "k8s"));
	assert_false(list_has_source("", "k8s"));
}

/* --- lines --- */

/* Feed @p text in pieces of @p piece bytes. @return what the last piece gave; @p line is freed by the caller */
static enum list_line feed_lines(struct list_lines *l, const char *text, size_t piece, bool ends,
                                 char **line)
{
	enum list_line got = LIST_LINE_NONE, last = LIST_LINE_NONE;
	size_t n = strlen(text), length;
	char *one;

	*line = NULL;
	for (size_t at = 0; at < n || (ends && at == n); at += piece) {
		size_t m = n - at < piece ? n - at : piece;
		char *room = list_lines_room(l, m + 1);

		assert_non_null(room);
		memcpy(room, text + at, m);
		got = list_lines_accept(l, m, ends && at + m >= n, &one, &length);
		if (got == LIST_LINE_WHOLE) {
			assert_int_equal(strlen(one), length);
			free(*line);
			*line = one;
		} else {
			assert_null(one);
		}
		last = got != LIST_LINE_NONE ? got : last;
	}
	return last;
}

static void the_newest_whole_line_counts(void **state)
{
	static const struct {
		const char *text;
		bool ends;
		const char *line; /* NULL: none */
	} rows[] = {
		{ "", false, NULL },           { "", true, NULL },
		{ "[1", false, NULL },         { "[1", true, "[1" },
		{ "[1]\n", false, "[1]" },     { "[1]\n[2]\n", false, "[2]" },
		{ "[1]\n[2", false, "[1]" },   { "[1]\n[2", true, "[2" },
		{ "\n\n", false, NULL },       { "[1]\n \t\r\n", false, "[1]" },
		{ "[1]\r\n", false, "[1]\r" },
	};

	(void)state;
	for (size_t piece = 1; piece < 12; piece++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct list_lines l = { .n = 0 };
			char *line;

			(void)feed_lines(&l, rows[i].text, piece, rows[i].ends, &line);
			if (rows[i].line) {
				assert_non_null(line);
				assert_string_equal(line, rows[i].line);
			} else {
				assert_null(line);
			}
			free(line);
			list_lines_fini(&l);
		}
}

static void a_line_too_long_is_passed_over(void **state)
{
	struct list_lines l = { .n = 0 };
	size_t length, n = LIST_BYTES_MAX / 16;
	char *line, *bytes = malloc(n);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', n);
	for (size_t i = 0; i < 40; i++) {
		memcpy(list_lines_room(&l, n), bytes, n);
		assert_int_equal(list_lines_accept(&l, n, false, &line, &length), LIST_LINE_NONE);
		assert_true(l.room <= 4u * LIST_BYTES_MAX);
	}
	assert_int_equal(feed_lines(&l, "\n", 1, false, &line), LIST_LINE_TOO_LONG);
	assert_int_equal(feed_lines(&l, "[1]\n", 4, false, &line), LIST_LINE_WHOLE);
	assert_string_equal(line, "[1]");
	free(line);
	list_lines_fini(&l);
	for (size_t i = 0; i < 20; i++) {
		memcpy(list_lines_room(&l, n), bytes, n);
		(void)list_lines_accept(&l, n, i == 19, &line, &length);
	}
	assert_null(line);
	list_lines_fini(&l);
	for (size_t i = 0; i < 20; i++) {
		memcpy(list_lines_room(&l, n), bytes, n);
		(void)list_lines_accept(&l, n, false, &line, &length);
	}
	assert_int_equal(feed_lines(&l, "xx\n[1]\n", 7, false, &line), LIST_LINE_WHOLE);
	free(line);
	list_lines_fini(&l);
	/* the newest counts, also where it is wrong, and where both come together */
	memcpy(list_lines_room(&l, n), bytes, n);
	for (size_t i = 0; i < 17; i++) {
		memcpy(list_lines_room(&l, n), bytes, n);
		(void)list_lines_accept(&l, n, false, &line, &length);
	}
	assert_int_equal(feed_lines(&l, "\n[2]\n", 5, false, &line), LIST_LINE_WHOLE);
	free(line);
	list_lines_fini(&l);
	free(bytes);
}

SUITE(sync_list)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read_with_its_source),
		cmocka_unit_test(a_list_with_an_error_is_refused_whole),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(deep_and_large_lists_are_refused),
		cmocka_unit_test(as_many_members_as_there_can_be_are_read),
		cmocka_unit_test(errors_are_counted_and_the_first_ones_named),
		cmocka_unit_test(a_source_is_a_name_that_a_label_can_have),
		cmocka_unit_test(the_newest_whole_line_counts),
		cmocka_unit_test(a_line_too_long_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
