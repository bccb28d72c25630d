/* SPDX-License-Identifier: BSD-2-Clause */
/* Observed keys between nodes: what is told arrives as it was, and what no node tells is refused whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hash.h"
#include "mgmt/peers/peer_keys.h"
#include "tests/unit/suite.h"

#define ASKED_MS UINT64_C(700000) /* by this node's clock; the peer's is far ahead */
#define PEER_MS  UINT64_C(90000000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct steer_keys *told, *heard;
static json_t *answer;

static int setup(void **state)
{
	(void)state;
	told = steer_keys_new(2, 2, 1);
	heard = NULL;
	told->covered_s = 540;
	told->read_ms = PEER_MS - 300;
	told->keys[0] = (struct steer_key){ .key = { 4, 192, 0, 2 }, .name = 7, .queries = 90 };
	told->keys[1] = (struct steer_key){ .key = { 6, 0x20, 1, 0xd, 0xb8, 0xff, 1, 0xfe },
		                            .name = UINT32_MAX,
		                            .queries = 1 };
	told->names[0] = (struct steer_keys_name){ .name = 7,
		                                   .queries = 100,
		                                   .others = 10,
		                                   .longest_ttl_s = 60,
		                                   .cached_until_ms = PEER_MS + 45000 };
	told->names[1] = (struct steer_keys_name){ .name = UINT32_MAX, .queries = 1 };
	told->answers[0] = (struct steer_keys_answers){ .service = hash_text("web"),
		                                        .site = hash_text("ams"),
		                                        .answers = 1234 };
	answer = peer_keys_make(told, PEER_MS);
	return answer ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	steer_keys_free(told);
	steer_keys_free(heard);
	json_decref(answer);
	return 0;
}

static int read_told(const json_t *json)
{
	int err = peer_keys_read(json, ASKED_MS, &heard);

	assert_true(!err == !!heard);
	return err;
}

/* The row of a name; NULL: nobody asked for it. */
static const struct steer_keys_name *find_name_row(const struct steer_keys *k, uint32_t name)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].name == name)
			return &k->names[i];
	return NULL;
}

static void what_is_told_arrives_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(read_told(answer), 0);
	assert_int_equal(heard->covered_s, 540);
	assert_int_equal(heard->read_ms, ASKED_MS - 300);
	assert_int_equal(heard->n_keys, 2);
	assert_memory_equal(heard->keys, told->keys, 2 * sizeof(*told->keys));
	assert_int_equal(find_name_row(heard, 7)->others, 10);
	assert_int_equal(find_name_row(heard, 7)->longest_ttl_s, 60);
	assert_int_equal(find_name_row(heard, 7)->cached_until_ms, ASKED_MS + 45000);
	assert_int_equal(find_name_row(heard, UINT32_MAX)->cached_until_ms, 0);
	assert_int_equal(steer_keys_answers(heard, hash_text("web"), hash_text("ams"))->answers,
	                 1234);
}

static void a_node_without_weir_dns_says_so(void **state)
{
	json_t *none = peer_keys_make(NULL, PEER_MS);

	(void)state;
	assert_true(json_is_null(json_object_get(none, "age_ms")));
	assert_int_equal(read_told(none), -EINVAL);
	json_decref(none);
}

static void what_is_too_old_is_refused(void **state)
{
	(void)state;
	json_object_set_new(answer, "age_ms", json_integer(5001));
	assert_int_equal(read_told(answer), -EINVAL);
	json_object_set_new(answer, "age_ms", json_integer(5000));
	assert_int_equal(read_told(answer), 0);
}

/* The whole window that a page covers; a second more is refused below. */
static void what_covers_the_whole_window_is_taken(void **state)
{
	(void)state;
	json_object_set_new(answer, "covered_s", json_integer(600));
	assert_int_equal(read_told(answer), 0);
	assert_int_equal(heard->covered_s, 600);
}

/* One field of one row is wrong: nothing of the answer is used. */
static void one_malformed_row_refuses_all(void **state)
{
	static const struct {
		const char *list, *row;
	} cases[] = {
		{ "keys", "7" },
		{ "keys", "[]" },
		{ "keys", "{}" },
		{ "keys", "null" },
		{ "keys", "[\"04c0000200000000\", 7]" },
		{ "keys", "[\"04c0000200000000\", 7, 90, 1]" },
		{ "keys", "[\"04c000020000000\", 7, 90]" },
		{ "keys", "[\"04c00002000000000\", 7, 90]" },
		{ "keys", "[\"04C0000200000000\", 7, 90]" },
		{ "keys", "[\" 4c0000200000000\", 7, 90]" },
		{ "keys", "[\"05c0000200000000\", 7, 90]" },
		{ "keys", "[\"04c0000200000000\", -1, 90]" },
		{ "keys", "[\"04c0000200000000\", 4294967296, 90]" },
		{ "keys", "[\"04c0000200000000\", 7, 0]" },
		{ "keys", "[\"04c0000200000000\", 7, 4294967296]" },
		{ "keys", "[\"04c0000200000000\", 7, 1.5]" },
		{ "keys", "[\"04c0000200000000\", \"7\", 90]" },
		{ "names", "[8, 1, 0, 0]" },
		{ "names", "[8, 1, 2, 0, 0]" }, /* more others than queries */
		{ "names", "[8, 1, 0, 604801, 0]" },
		{ "names", "[8, 1, 0, 0, 604800001]" },
		{ "names", "[8, 1, 0, 0, -1]" },
		{ "names", "[8, 1, 0, 0, 9223372036854775807]" },
		{ "answers", "[\"00000000000000aa\", \"00000000000000bb\"]" },
		{ "answers", "[\"00000000000000aa\", \"bb\", 1]" },
		{ "answers", "[\"00000000000000aa\", \"00000000000000bb\", -1]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *list = json_object_get(answer, cases[i].list);
		json_t *row = json_loads(cases[i].row, JSON_DECODE_ANY, NULL);

		print_message("  %s %s\n", cases[i].list, cases[i].row);
		assert_non_null(row);
		json_array_append_new(list, row);
		assert_int_equal(read_told(answer), -EINVAL);
		json_array_remove(list, json_array_size(list) - 1);
	}
	assert_int_equal(read_told(answer), 0);
}

static void a_name_that_is_told_twice_refuses_all(void **state)
{
	(void)state;
	json_array_append_new(json_object_get(answer, "names"),
	                      json_pack("[i, i, i, i, i]", 7, 5, 0, 0, 0));
	assert_int_equal(read_told(answer), -EINVAL);
}

static void fields_of_another_type_refuse_all(void **state)
{
	static const char *const fields[] = { "age_ms", "covered_s", "keys", "names", "answers" };
	static const char *const values[] = { "7.5", "\"x\"", "{}", "-1", "true", "601" };

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++)
		for (size_t k = 0; k <= COUNT(values); k++) {
			json_t *copy = json_deep_copy(answer);

			if (k == COUNT(values))
				json_object_del(copy, fields[i]);
			else
				json_object_set_new(copy, fields[i],
				                    json_loads(values[k], JSON_DECODE_ANY, NULL));
			if (strcmp(fields[i], "age_ms") != 0 || k != 5)
				assert_int_equal(read_told(copy), -EINVAL);
			json_decref(copy);
		}
	assert_int_equal(read_told(NULL), -EINVAL);
}

static void more_rows_than_the_page_has_are_refused(void **state)
{
	static const struct {
		const char *list, *row;
		size_t most;
	} cases[] = {
		{ "keys", "[\"04c0000200000000\", 7, 90]", 4096 },
		{ "answers", "[\"00000000000000aa\", \"00000000000000bb\", 1]", 16384 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *list = json_object_get(answer, cases[i].list);
		json_t *row = json_loads(cases[i].row, JSON_DECODE_ANY, NULL);

		json_array_clear(list);
		for (size_t n = 0; n < cases[i].most; n++)
			json_array_append(list, row);
		assert_int_equal(read_told(answer), 0);
		steer_keys_free(heard);
		heard = NULL;
		json_array_append_new(list, row);
		assert_int_equal(read_told(answer), -EINVAL);
		json_array_clear(list);
	}
}

/* The largest page as an answer fits into what is read of one. */
static void a_full_page_fits_into_an_answer(void **state)
{
	struct steer_keys *k =
	        steer_keys_new(STEER_KEYS_MAX, STEER_KEYS_NAMES_MAX, STEER_KEYS_ANSWERS_MAX);
	json_t *full;
	char *text;

	(void)state;
	memset(k->keys, 0xff, k->n_keys * sizeof(*k->keys));
	memset(k->names, 0xff, k->n_names * sizeof(*k->names));
	memset(k->answers, 0xff, k->n_answers * sizeof(*k->answers));
	full = peer_keys_make(k, 0);
	text = json_dumps(full, 0);
	print_message("  %zu bytes\n", strlen(text));
	assert_true(strlen(text) < PEER_KEYS_ANSWER_MAX);
	free(text);
	json_decref(full);
	steer_keys_free(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(peer_keys)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_told_arrives_as_it_was),
		TEST(a_node_without_weir_dns_says_so),
		TEST(what_is_too_old_is_refused),
		TEST(what_covers_the_whole_window_is_taken),
		TEST(one_malformed_row_refuses_all),
		TEST(a_name_that_is_told_twice_refuses_all),
		TEST(fields_of_another_type_refuse_all),
		TEST(more_rows_than_the_page_has_are_refused),
		TEST(a_full_page_fits_into_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
