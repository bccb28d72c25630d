/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens, answers and pauses of programs that register members (mgmt/cli/members/answer.c), and their words (register.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/cli/members/reach.h"
#include "mgmt/cli/members/register.h"
#include "tests/unit/suite.h"

static void a_token_is_a_line_of_plain_text(void **state)
{
	static const struct {
		const char *text, *token; /* NULL: none */
	} rows[] = { { "abc\n", "abc" }, { "abc", "abc" }, { "abc \r\n\n", "abc" },
		     { "", NULL },       { "\n", NULL },   { "a b\n", NULL },
		     { "a\nb\n", NULL }, { " a\n", NULL }, { "a\xc3\xbc", NULL },
		     { "a\x01", NULL },  { "a\x7f", NULL } };
	char out[TOKEN_MAX], text[TOKEN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(token_read(rows[i].text, out), rows[i].token != NULL);
		if (rows[i].token)
			assert_string_equal(out, rows[i].token);
	}
	memset(text, 'a', sizeof(text));
	text[TOKEN_MAX] = '\0';
	assert_false(token_read(text, out));
	text[TOKEN_MAX - 1] = '\0';
	assert_true(token_read(text, out));
}

static void an_answer_says_whether_to_try_again_and_where(void **state)
{
	static const struct {
		long status;
		enum answer_meaning outcome;
		bool goes_on;
	} rows[] = { { 0, ANSWER_LATER, true },      { 200, ANSWER_DONE, false },
		     { 201, ANSWER_DONE, false },    { 299, ANSWER_DONE, false },
		     { 300, ANSWER_REFUSED, false }, { 400, ANSWER_REFUSED, false },
		     { 401, ANSWER_REFUSED, true },  { 403, ANSWER_REFUSED, true },
		     { 404, ANSWER_REFUSED, false }, { 409, ANSWER_REFUSED, false },
		     { 422, ANSWER_REFUSED, false }, { 429, ANSWER_LATER, false },
		     { 500, ANSWER_LATER, true },    { 503, ANSWER_LATER, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_reply reply = { .status = rows[i].status };

		assert_int_equal(answer_judge(&reply), rows[i].outcome);
		assert_int_equal(answer_goes_on(&reply), rows[i].goes_on);
	}
}

static void pauses_grow_to_a_bound_and_keep_what_was_said(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 50, 12345, 0x7fffffff, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		uint32_t last = 0;

		for (unsigned tries = 0; tries < 100; tries++) {
			uint32_t ms = answer_pause_ms(tries, 0, randoms[i]);

			assert_in_range(ms, 225, 5500);
			assert_true(tries < 2 || tries > 5 || ms >= last);
			last = ms;
		}
		assert_in_range(last, 4500, 5500);
		assert_in_range(answer_pause_ms(1, 7, randoms[i]), 7225, 7300);
		assert_in_range(answer_pause_ms(1, 1, randoms[i]), 1225, 1300);
		assert_in_range(answer_pause_ms(UINT32_MAX, UINT32_MAX, randoms[i]), 60000, 66000);
		assert_in_range(answer_jitter_ms(10000, randoms[i]), 9000, 11000);
		assert_int_equal(answer_jitter_ms(5, randoms[i]), 5);
	}
	assert_int_equal(answer_jitter_ms(10000, 0), 9000);
	assert_int_equal(answer_jitter_ms(10000, 2000), 11000);
}

static void a_reason_is_what_the_api_says(void **state)
{
	struct api_reply reply = {
		.status = 503, .body = json_pack("{s:s, s:s}", "title", "Busy", "detail", "so")
	};
	char out[ANSWER_REASON_MAX];

	(void)state;
	assert_string_equal(answer_reason(&reply, out), "Busy: so");
	json_object_del(reply.body, "detail");
	assert_string_equal(answer_reason(&reply, out), "Busy");
	api_reply_fini(&reply);
	assert_string_equal(answer_reason(&reply, out), "HTTP status 503");
	reply = (struct api_reply){ .failure = "no answer in time" };
	assert_string_equal(answer_reason(&reply, out),
	                    "the API does not answer: no answer in time");
}

static void a_hosts_name_is_made_an_id(void **state)
{
	static const struct {
		const char *host, *id; /* NULL: none */
	} rows[] = { { "web-7", "web-7" }, { "Web_7.shop.example", "web_7" },
		     { "-x", "x" },        { "__a", "a" },
		     { "a b/c", "a-b-c" }, { "", NULL },
		     { ".x", NULL },       { "---", NULL },
		     { "\xc3\xbcx", "x" } };
	char id[MODEL_NAME_MAX], text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(register_host_id(rows[i].host, id), rows[i].id != NULL);
		if (rows[i].id) {
			assert_string_equal(id, rows[i].id);
			assert_true(model_name_ok(id));
		}
	}
	memset(text, 'h', sizeof(text) - 1);
	text[99] = '\0';
	assert_true(register_host_id(text, id));
	assert_int_equal(strlen(id), MODEL_NAME_MAX - 1);
}

static void words_are_a_member_or_name_what_is_wrong(void **state)
{
	static const struct {
		struct register_words words;
		const char *error; /* NULL: none */
	} rows[] = {
		{ { "a", "10.1.0.1", NULL, "30s", NULL }, NULL },
		{ { "a", "10.1.0.1", "0", "30s", "zone=a,rack=7" }, NULL },
		{ { "a", "10.1.0.1", NULL, "30s", "" }, NULL },
		{ { "A", "10.1.0.1", NULL, "30s", NULL }, "id: " },
		{ { "a", "10.1.0", NULL, "30s", NULL }, "address: " },
		{ { "a", "10.1.0.1", "65536", "30s", NULL }, "weight: " },
		{ { "a", "10.1.0.1", "9999999999999", "30s", NULL }, "weight: " },
		{ { "a", "10.1.0.1", "1x", "30s", NULL }, "weight: " },
		{ { "a", "10.1.0.1", "", "30s", NULL }, "weight: " },
		{ { "a", "10.1.0.1", NULL, "1s", NULL }, "ttl: " },
		{ { "a", "10.1.0.1", NULL, "", NULL }, "ttl: " },
		{ { "a", "10.1.0.1", NULL, "30s", "zone" }, "labels: " },
		{ { "a", "10.1.0.1", NULL, "30s", "zone=a," }, "labels: " },
		{ { "a", "10.1.0.1", NULL, "30s", "zone=a,zone=b" }, "labels: " },
		{ { "a", "10.1.0.1", NULL, "30s", "=a" }, "labels: " },
		{ { "a", "10.1.0.1", NULL, "30s", "a,b=c" }, "labels: " },
		{ { "a", "10.1.0.1", NULL, "30s", "Zone=a" }, "labels: " },
		{ { "\xff", "10.1.0.1", NULL, "30s", NULL }, "UTF-8" },
		{ { "a", "10.1.0.1", NULL, "30s", "a=\xff" }, "labels: " },
	};
	struct member_entry w;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok = register_read(&rows[i].words, &w, error, sizeof(error));

		if (ok != !rows[i].error || (!ok && !strstr(error, rows[i].error)))
			fail_msg("row %zu: %s", i, ok ? "is accepted" : error);
	}
	assert_true(register_read(&rows[1].words, &w, error, sizeof(error)));
	assert_string_equal(w.labels, "rack=7,zone=a");
	assert_int_equal(w.weight, 0);
	assert_int_equal(w.ttl_s, 30);
	assert_true(register_read(&rows[0].words, &w, error, sizeof(error)));
	assert_int_equal(w.weight, MEMBER_WEIGHT_DEFAULT);
}

static void a_member_is_written_as_it_is_read(void **state)
{
	struct member_entry w = { .id = "a", .weight = 7, .ttl_s = 30, .labels = "rack=7,zone=a" },
	                    again = { .weight = 0 };
	struct field_reader f;
	json_t *item;

	(void)state;
	assert_int_equal(addr_parse("10.1.0.1", &w.address), 0);
	item = member_item_json(&w, true);
	member_read_item(&f, item, &again);
	assert_true(field_close(&f));
	assert_memory_equal(&again, &w, sizeof(w));
	json_decref(item);
	item = member_item_json(&w, false);
	assert_null(json_object_get(item, "id"));
	assert_int_equal(json_object_size(item), 4);
	json_decref(item);
	w.ttl_s = 0;
	w.labels[0] = '\0';
	item = member_item_json(&w, true);
	assert_int_equal(json_object_size(item), 3);
	json_decref(item);
}

SUITE(members_reach)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_a_line_of_plain_text),
		cmocka_unit_test(an_answer_says_whether_to_try_again_and_where),
		cmocka_unit_test(pauses_grow_to_a_bound_and_keep_what_was_said),
		cmocka_unit_test(a_reason_is_what_the_api_says),
		cmocka_unit_test(a_hosts_name_is_made_an_id),
		cmocka_unit_test(words_are_a_member_or_name_what_is_wrong),
		cmocka_unit_test(a_member_is_written_as_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
