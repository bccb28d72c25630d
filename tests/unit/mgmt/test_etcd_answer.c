/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of etcd, its traps among them, and answers that are not etcd's: refused whole and named. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/etcd/answer.h"
#include "tests/unit/suite.h"

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\",\"revision\":\"9\",\"raft_term\":\"2\"}"
#define KV(key, create, mod, version)                                                              \
	"{\"key\":\"" key "\",\"create_revision\":\"" create "\",\"mod_revision\":\"" mod          \
	"\",\"version\":\"" version "\",\"value\":\"dg==\"}"

static char reason[ETCD_REASON_MAX];
static struct arena *arena;

static int begin_test(void **state)
{
	(void)state;
	arena = arena_new((size_t)64 << 20);
	return arena ? 0 : -1;
}

static int end_test(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* An exact copy, so that a sanitizer sees a read beyond it. */
static char *copy_exact(const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	return copy;
}

static const struct etcd_range prefix_a = { .key = { "a", 1 }, .prefix = true };

static int read_range(const char *text, const struct etcd_range *range, struct etcd_keys *out)
{
	char *copy = copy_exact(text, strlen(text));
	int err = etcd_answer_range(copy, strlen(text), range, arena, out, reason);

	free(copy);
	return err;
}

static void keys_are_read(void **state)
{
	struct etcd_keys keys;

	(void)state;
	assert_int_equal(
	        read_range(
	                "{" HEADER
	                ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"2\",\"mod_revision\":\"9\",\"version\":\"3\","
	                "\"value\":\"eAB5\",\"lease\":\"7587862094865293320\"}," KV(
	                        "YS8=", "3", "3", "1") "],\"more\":true,"
	                                               "\"count\":\"5\"}",
	                &prefix_a, &keys),
	        0);
	assert_true(keys.header.cluster_id == 14841639068965178418u &&
	            keys.header.member_id == 10276657743932975437u);
	assert_true(keys.header.revision == 9);
	assert_true(keys.n == 2 && keys.count == 5 && keys.more);
	assert_true(keys.kvs[0].create_revision == 2 && keys.kvs[0].mod_revision == 9 &&
	            keys.kvs[0].version == 3);
	assert_true(keys.kvs[0].lease == 7587862094865293320 && keys.kvs[1].lease == 0);
	assert_int_equal(keys.kvs[0].value.n, 3);
	assert_memory_equal(keys.kvs[0].value.at, "x\0y", 4);
	assert_string_equal(keys.kvs[1].key.at, "a/");
}

static void absent_fields_have_their_defaults(void **state)
{
	struct etcd_keys keys;

	(void)state;
	assert_int_equal(read_range("{" HEADER "}", &prefix_a, &keys), 0);
	assert_true(keys.n == 0 && keys.count == 0 && !keys.more);
	assert_int_equal(
	        read_range("{" HEADER
	                   ",\"kvs\":null,\"count\":null,\"more\":null,\"foreign\":[1,{}]}",
	                   &prefix_a, &keys),
	        0);
	assert_true(keys.n == 0);
	/* an empty value, and numbers that are no text */
	assert_int_equal(
	        read_range(
	                "{\"header\":{\"cluster_id\":7,\"revision\":3},\"count\":1,"
	                "\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":2,\"mod_revision\":3,\"version\":1}]}",
	                &prefix_a, &keys),
	        0);
	assert_true(keys.header.cluster_id == 7 && keys.kvs[0].value.n == 0 &&
	            keys.kvs[0].value.at[0] == '\0');
	/* count_only */
	assert_int_equal(read_range("{" HEADER ",\"count\":\"5\"}",
	                            &(struct etcd_range){
	                                    .key = { "a", 1 }, .prefix = true, .count_only = true },
	                            &keys),
	                 0);
	assert_true(keys.n == 0 && keys.count == 5);
}

/* What is wrong, as it is named, and the answer. */
static const struct {
	const char *named, *text;
} foreign_keys[] = {
	{ "header names no cluster", "{}" },
	{ "header names no cluster", "{\"header\":{}}" },
	{ "header is no object", "{\"header\":[]}" },
	{ "header has no revision", "{\"header\":{\"cluster_id\":\"1\"}}" },
	{ "cluster_id is beyond 64 bits",
	  "{\"header\":{\"cluster_id\":\"18446744073709551616\",\"revision\":\"1\"}}" },
	{ "cluster_id is no whole number",
	  "{\"header\":{\"cluster_id\":\"-1\",\"revision\":\"1\"}}" },
	{ "cluster_id is no whole number", "{\"header\":{\"cluster_id\":-1,\"revision\":\"1\"}}" },
	{ "revision is beyond 64 bits",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"9223372036854775808\"}}" },
	{ "revision is absent or too small",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"-1\"}}" },
	{ "revision is no whole number",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"1e3\"}}" },
	{ "revision is no whole number", "{\"header\":{\"cluster_id\":\"1\",\"revision\":1.0}}" },
	{ "revision is no whole number", "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"\"}}" },
	{ "revision is no whole number",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\" 1\"}}" },
	{ "revision is no whole number",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"+1\"}}" },
	{ "revision is no whole number",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"01\"}}" },
	{ "revision is no whole number",
	  "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"0x1\"}}" },
	{ "revision is no whole number", "{\"header\":{\"cluster_id\":\"1\",\"revision\":true}}" },
	{ "is no JSON", "{\"header\":{\"cluster_id\":\"1\",\"revision\":9223372036854775808}}" },
	{ "is no JSON: duplicate", "{" HEADER "," HEADER "}" },
	{ "is no JSON", "" },
	{ "is no JSON", "404 page not found\n" },
	{ "is no JSON", "{" HEADER "} {}" },
	{ "is no JSON", "{" HEADER ",\"x\":\"\\u0000\"}" },
	{ "is no JSON", "{" HEADER ",\"x\":\"\xff\"}" },
	{ "is no object", "[]" },
	{ "count is no whole number", "{" HEADER ",\"count\":{}}" },
	{ "more is not true or false", "{" HEADER ",\"more\":\"true\"}" },
	{ "kvs is no list", "{" HEADER ",\"count\":\"1\",\"kvs\":{}}" },
	{ "kvs[0] is no object", "{" HEADER ",\"count\":\"1\",\"kvs\":[null]}" },
	{ "kvs[0].key is absent",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[{\"mod_revision\":\"1\"}]}" },
	{ "kvs[0].key is no text", "{" HEADER ",\"count\":\"1\",\"kvs\":[{\"key\":1}]}" },
	{ "kvs[0].key is no base64",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[{\"key\":\"YQ=\",\"mod_revision\":\"1\"}]}" },
	{ "kvs[0].key is no base64",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[{\"key\":\"YR==\",\"mod_revision\":\"1\"}]}" },
	{ "kvs[0].key is not in the range",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("Yg==", "1", "1", "1") "]}" },
	{ "kvs[1].key is not behind the one",
	  "{" HEADER ",\"count\":\"2\",\"kvs\":[" KV("YQ==", "1", "1", "1") "," KV("YQ==", "1", "1",
	                                                                           "1") "]}" },
	{ "kvs[1].key is not behind the one",
	  "{" HEADER ",\"count\":\"2\",\"kvs\":[" KV("YWI=", "1", "1", "1") "," KV("YWE=", "1", "1",
	                                                                           "1") "]}" },
	{ "kvs[0].mod_revision is absent",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[{\"key\":\"YQ==\",\"version\":\"1\"}]}" },
	{ "kvs[0].mod_revision is behind the store",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("YQ==", "1", "10", "1") "]}" },
	{ "kvs[0].create_revision is behind",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("YQ==", "3", "2", "1") "]}" },
	{ "kvs[0].version or create",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("YQ==", "1", "1", "0") "]}" },
	{ "kvs[0].version or create",
	  "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("YQ==", "0", "1", "1") "]}" },
	{ "kvs has more entries", "{" HEADER ",\"kvs\":[" KV("YQ==", "1", "1", "1") "]}" },
	{ "kvs has fewer entries",
	  "{" HEADER ",\"count\":\"2\",\"kvs\":[" KV("YQ==", "1", "1", "1") "]}" },
};

static void foreign_keys_are_refused_whole(void **state)
{
	struct etcd_keys keys;

	(void)state;
	for (size_t i = 0; i < sizeof(foreign_keys) / sizeof(foreign_keys[0]); i++) {
		memset(&keys, 0x5a, sizeof(keys));
		reason[0] = '\0';
		assert_int_equal(read_range(foreign_keys[i].text, &prefix_a, &keys), -EBADMSG);
		print_message("  %s\n", reason);
		assert_non_null(strstr(reason, foreign_keys[i].named));
		for (size_t k = 0; k < sizeof(keys); k++) /* untouched */
			assert_int_equal(((const unsigned char *)&keys)[k], 0x5a);
	}
}

static void an_answer_fits_what_was_asked_for(void **state)
{
	static const char one[] =
	        "{" HEADER ",\"count\":\"1\",\"kvs\":[" KV("YWI=", "1", "1", "1") "]}",
	                  two[] = "{" HEADER ",\"count\":\"2\",\"kvs\":[" KV(
	                          "YQ==", "1", "1", "1") "," KV("YWI=", "1", "1", "1") "]}";
	const struct {
		struct etcd_range range;
		const char *text;
		int err;
	} rows[] = {
		{ { .key = { "ab", 2 } }, one, 0 },
		{ { .key = { "a", 1 } }, one, -EBADMSG },
		{ { .key = { "abc", 3 } }, one, -EBADMSG },
		{ { .key = { "a", 1 }, .prefix = true, .after = { "aa", 2 } }, one, 0 },
		{ { .key = { "a", 1 }, .prefix = true, .after = { "ab", 2 } }, one, -EBADMSG },
		{ { .key = { "a", 1 }, .prefix = true, .limit = 2 }, two, 0 },
		{ { .key = { "a", 1 }, .prefix = true, .limit = 1 }, two, -EBADMSG },
		{ { .key = { "a", 1 }, .prefix = true, .count_only = true }, two, -EBADMSG },
		{ { .key = { "a", 1 } }, two, -EBADMSG },
	};
	struct etcd_keys keys;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  row %zu\n", i);
		assert_int_equal(read_range(rows[i].text, &rows[i].range, &keys), rows[i].err);
	}
}

static const struct etcd_op put_and_read[] = {
	{ .kind = ETCD_PUT, .on = { .key = { "a", 1 } } },
	{ .kind = ETCD_DELETE, .on = { .key = { "b", 1 } } },
};
static const struct etcd_op read_head[] = { { .kind = ETCD_RANGE, .on = { .key = { "a", 1 } } } };
static const struct etcd_txn txn = {
	.success = put_and_read, .n_success = 2, .failure = read_head, .n_failure = 1
};

static void a_transaction_without_succeeded_was_refused(void **state)
{
	static const char text[] =
	        "{" HEADER
	        ",\"responses\":[{\"response_range\":{\"header\":{\"revision\":\"9\"},\"kvs\":[" KV(
	                "YQ==", "1", "8", "4") "],\"count\":\"1\"}}]}";
	struct etcd_txn_result result;

	(void)state;
	assert_int_equal(etcd_answer_txn(text, strlen(text), &txn, arena, &result, reason), 0);
	assert_false(result.succeeded);
	assert_true(result.n_results == 1 && result.results[0].kind == ETCD_RANGE &&
	            result.results[0].keys.n == 1);
	assert_true(result.results[0].keys.kvs[0].mod_revision == 8 && result.header.revision == 9);
}

static void a_transaction_that_succeeded_has_its_results(void **state)
{
	static const char text[] =
	        "{" HEADER
	        ",\"succeeded\":true,\"responses\":[{\"response_put\":{\"header\":{\"revision\":\"9\"}}},"
	        "{\"response_delete_range\":{\"header\":{\"revision\":\"9\"},\"deleted\":\"1\"}}]}",
	                  none[] = "{" HEADER ",\"succeeded\":true}";
	struct etcd_txn_result result;

	(void)state;
	assert_int_equal(etcd_answer_txn(text, strlen(text), &txn, arena, &result, reason), 0);
	assert_true(result.succeeded && result.n_results == 2);
	assert_true(result.results[0].kind == ETCD_PUT && result.results[1].kind == ETCD_DELETE);
	assert_int_equal(etcd_answer_txn(none, strlen(none), &(struct etcd_txn){ 0 }, arena,
	                                 &result, reason),
	                 0);
	assert_true(result.succeeded && result.n_results == 0);
}

static void results_of_other_operations_are_refused(void **state)
{
	static const char *const rows[] = {
		"{" HEADER ",\"succeeded\":true}",
		"{" HEADER ",\"succeeded\":\"true\"}",
		"{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}",
		"{" HEADER
		",\"succeeded\":true,\"responses\":[{\"response_delete_range\":{}},{\"response_put\":{}}]}",
		"{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{}},{}]}",
		"{" HEADER
		",\"succeeded\":true,\"responses\":[{\"response_put\":{}},{\"response_put\":{},\"response_delete_range\":{}}]}",
		"{" HEADER ",\"responses\":[{\"response_put\":{}},{\"response_delete_range\":{}}]}",
		"{" HEADER ",\"responses\":[{\"response_range\":[]}]}",
		"{" HEADER ",\"responses\":[{\"response_range\":{\"count\":\"1\",\"kvs\":[" KV(
		        "Yg==", "1", "1", "1") "]}}]}",
		"{" HEADER ",\"responses\":[{\"response_range\":{\"count\":\"1\",\"kvs\":[" KV(
		        "YQ==", "1", "10", "1") "]}}]}",
	};
	struct etcd_txn_result result = { .n_results = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		        etcd_answer_txn(rows[i], strlen(rows[i]), &txn, arena, &result, reason),
		        -EBADMSG);
		print_message("  %s\n", reason);
		assert_int_equal(result.n_results, 77);
	}
}

static void an_answer_that_was_cut_is_refused_at_each_byte(void **state)
{
	static const char
	        range[] = "{" HEADER ",\"kvs\":[" KV("YQ==", "1", "1", "1") "],\"count\":\"1\"}",
	        one_txn[] = "{" HEADER
	                    ",\"responses\":[{\"response_range\":{\"count\":\"1\",\"kvs\":[" KV(
	                            "YQ==", "1", "1", "1") "]}}]}",
	        event[] = "{\"result\":{" HEADER
	                  ",\"events\":[{\"kv\":" KV("YQ==", "1", "5", "2") "}]}}",
	        alive[] = "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"10\"}}";
	struct etcd_keys keys;
	struct etcd_txn_result result;
	struct etcd_watch_message m;
	struct etcd_lease lease;

	(void)state;
	for (size_t n = 0; n < sizeof(range) - 1; n++) {
		char *copy = copy_exact(range, n);

		assert_int_equal(etcd_answer_range(copy, n, &prefix_a, arena, &keys, reason),
		                 -EBADMSG);
		free(copy);
	}
	for (size_t n = 0; n < sizeof(one_txn) - 1; n++)
		assert_int_equal(etcd_answer_txn(one_txn, n, &txn, arena, &result, reason),
		                 -EBADMSG);
	for (size_t n = 0; n < sizeof(event) - 1; n++)
		assert_int_equal(etcd_answer_watch(event, n, &prefix_a, 1, arena, &m, reason),
		                 -EBADMSG);
	for (size_t n = 0; n < sizeof(alive) - 1; n++)
		assert_int_equal(etcd_answer_lease(alive, n, 5, &lease, reason), -EBADMSG);
	assert_int_equal(
	        etcd_answer_range(range, sizeof(range) - 1, &prefix_a, arena, &keys, reason), 0);
	assert_int_equal(etcd_answer_lease(alive, sizeof(alive) - 1, 5, &lease, reason), 0);
}

/* Beginning, a piece many times, end; given. */
static char *repeat_text(const char *begin, const char *piece, size_t times, const char *end)
{
	size_t n = strlen(begin) + strlen(piece) * times + strlen(end);
	char *text = malloc(n + 1), *at = text;

	assert_non_null(text);
	at = stpcpy(at, begin);
	for (size_t i = 0; i < times; i++)
		at = stpcpy(at, piece);
	stpcpy(at, end);
	return text;
}

static void answers_have_bounds(void **state)
{
	struct etcd_keys keys;
	const struct etcd_range range = { .key = { "A", 1 } };
	char *text;

	(void)state;
	text = repeat_text("{" HEADER ",\"x\":", "[", 100000, "");
	assert_int_equal(read_range(text, &prefix_a, &keys), -EBADMSG);
	free(text);
	text = repeat_text("{" HEADER ",\"x\":\"", "0123456789abcdef", ((size_t)8 << 20) / 16,
	                   "\"}");
	assert_int_equal(read_range(text, &prefix_a, &keys), -EBADMSG);
	assert_non_null(strstr(reason, "too many bytes"));
	free(text);
	text = repeat_text("{" HEADER ",\"count\":\"1\",\"kvs\":[{\"key\":\"", "QUFB", 171,
	                   "\",\"mod_revision\":\"1\"}]}");
	assert_int_equal(read_range(text, &prefix_a, &keys), -EBADMSG);
	assert_non_null(strstr(reason, "kvs[0].key is too long"));
	free(text);
	text = repeat_text(
	        "{" HEADER
	        ",\"count\":\"1\",\"kvs\":[{\"key\":\"QQ==\",\"mod_revision\":\"1\",\"create_revision\":\"1\",\"version\":\"1\",\"value\":\"",
	        "QUFB", 349525, "QQ==\"}]}");
	assert_int_equal(read_range(text, &range, &keys), 0);
	assert_int_equal(keys.kvs[0].value.n, ETCD_VALUE_MAX);
	free(text);
	text = repeat_text(
	        "{" HEADER
	        ",\"count\":\"1\",\"kvs\":[{\"key\":\"QQ==\",\"mod_revision\":\"1\",\"create_revision\":\"1\",\"version\":\"1\",\"value\":\"",
	        "QUFB", 349525, "QUE=\"}]}");
	assert_int_equal(read_range(text, &range, &keys), -EBADMSG);
	assert_non_null(strstr(reason, "kvs[0].value is too long"));
	free(text);
}

static void a_small_arena_is_no_wrong_answer(void **state)
{
	struct arena *small = arena_new(64);
	char *text = repeat_text(
	        "{" HEADER
	        ",\"count\":\"1\",\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"1\",\"create_revision\":\"1\",\"version\":\"1\",\"value\":\"",
	        "QUFB", 100, "\"}]}");
	struct etcd_keys keys;

	(void)state;
	assert_int_equal(etcd_answer_range(text, strlen(text), &prefix_a, small, &keys, reason),
	                 -ENOMEM);
	free(text);
	arena_free(small);
}

static void events_are_read(void **state)
{
	static const char text[] =
	        "{\"result\":{" HEADER ",\"watch_id\":\"0\",\"events\":["
	        "{\"kv\":" KV(
	                "YQ==", "5", "5",
	                "1") "},"
	                     "{\"type\":\"PUT\",\"kv\":" KV(
	                             "YWE=", "2", "5",
	                             "2") "},"
	                                  "{\"type\":\"DELETE\",\"kv\":{\"key\":\"YWI=\",\"mod_revision\":\"6\"}}]}}";
	struct etcd_watch_message m;

	(void)state;
	assert_int_equal(etcd_answer_watch(text, strlen(text), &prefix_a, 5, arena, &m, reason), 0);
	assert_true(m.n_events == 3 && !m.is_created && !m.is_canceled && m.compact_revision == 0);
	assert_true(!m.events[0].is_deleted && m.events[0].kv.mod_revision == 5);
	assert_true(!m.events[1].is_deleted && m.events[1].kv.version == 2);
	assert_true(m.events[2].is_deleted && m.events[2].kv.value.n == 0);
}

static void messages_of_a_watch(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "{\"result\":{" HEADER ",\"created\":true}}", 0 },
		{ "{\"result\":{" HEADER "}}", 0 },
		{ "{\"result\":{" HEADER
		  ",\"canceled\":true,\"compact_revision\":\"3\",\"cancel_reason\":\"x\"}}",
		  0 },
		{ "{}", -EBADMSG },
		{ "{\"result\":{}}", -EBADMSG },
		{ "{\"result\":{" HEADER ",\"fragment\":true}}", -EBADMSG },
		{ "{\"result\":{" HEADER
		  ",\"canceled\":true,\"events\":[{\"kv\":" KV("YQ==", "1", "5", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER ",\"events\":[{}]}}", -EBADMSG },
		{ "{\"result\":{" HEADER
		  ",\"events\":[{\"type\":\"MOVE\",\"kv\":" KV("YQ==", "1", "5", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER
		  ",\"events\":[{\"type\":1,\"kv\":" KV("YQ==", "1", "5", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER ",\"events\":[{\"kv\":" KV("Yg==", "1", "5", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER ",\"events\":[{\"kv\":" KV("YQ==", "1", "4", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER ",\"events\":[{\"kv\":" KV(
		          "YQ==", "1", "6", "2") "},{\"kv\":" KV("YQ==", "1", "5", "2") "}]}}",
		  -EBADMSG },
		{ "{\"result\":{" HEADER
		  ",\"events\":[{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"5\"}}]}}",
		  -EBADMSG },
	};
	struct etcd_watch_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].text);
		assert_int_equal(etcd_answer_watch(rows[i].text, strlen(rows[i].text), &prefix_a, 5,
		                                   arena, &m, reason),
		                 rows[i].err);
	}
}

static void a_keepalive_without_a_ttl_says_lost(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t ttl_s;
	} rows[] = {
		{ "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"10\"}}", 0, 10 },
		{ "{\"result\":{" HEADER ",\"ID\":\"5\"}}", 0, 0 },
		{ "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"-1\"}}", -EBADMSG, 0 },
		{ "{\"result\":{" HEADER ",\"ID\":\"6\",\"TTL\":\"10\"}}", -EBADMSG, 0 },
		{ "{\"result\":{" HEADER ",\"TTL\":\"10\"}}", -EBADMSG, 0 },
		{ "{" HEADER ",\"ID\":\"5\",\"TTL\":\"10\"}", -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct etcd_lease lease = { .ttl_s = 0 };

		print_message("  %s\n", rows[i].text);
		assert_int_equal(
		        etcd_answer_lease(rows[i].text, strlen(rows[i].text), 5, &lease, reason),
		        rows[i].err);
		assert_true(lease.ttl_s == rows[i].ttl_s);
	}
}

static void a_grant_needs_an_id_and_a_ttl(void **state)
{
	static const char good[] = "{" HEADER ",\"ID\":\"7587862094865293320\",\"TTL\":\"10\"}",
	                  no_ttl[] = "{" HEADER ",\"ID\":\"7\"}",
	                  no_id[] = "{" HEADER ",\"TTL\":\"10\"}";
	struct etcd_lease lease = { 0 };

	(void)state;
	assert_int_equal(etcd_answer_lease(no_ttl, strlen(no_ttl), 0, &lease, reason), -EBADMSG);
	assert_int_equal(etcd_answer_lease(no_id, strlen(no_id), 0, &lease, reason), -EBADMSG);
	assert_true(lease.id == 0);
	assert_int_equal(etcd_answer_lease(good, strlen(good), 0, &lease, reason), 0);
	assert_true(lease.id == 7587862094865293320 && lease.ttl_s == 10);
}

static void a_token_fits_into_a_header(void **state)
{
	static const char *const bad[] = { "", "a b", "a\\r\\nX: y", "\\u00e9", "a\\t" };
	struct etcd_header header;
	char token[ETCD_TOKEN_MAX] = "old", text[ETCD_TOKEN_MAX + 256], longest[ETCD_TOKEN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{" HEADER ",\"token\":\"%s\"}", bad[i]);
		assert_int_equal(
		        etcd_answer_authenticate(text, strlen(text), &header, token, reason),
		        -EBADMSG);
		assert_string_equal(token, "old");
	}
	memset(longest, 'a', sizeof(longest));
	longest[ETCD_TOKEN_MAX] = '\0';
	snprintf(text, sizeof(text), "{" HEADER ",\"token\":\"%s\"}", longest);
	assert_int_equal(etcd_answer_authenticate(text, strlen(text), &header, token, reason),
	                 -EBADMSG);
	snprintf(text, sizeof(text), "{" HEADER ",\"token\":\"%s\"}", longest + 1);
	assert_int_equal(etcd_answer_authenticate(text, strlen(text), &header, token, reason), 0);
	assert_string_equal(token, longest + 1);
	assert_true(header.cluster_id == 14841639068965178418u);
}

static void members_and_their_state(void **state)
{
	static const char status
	        [] = "{" HEADER
	             ",\"version\":\"3.4.23\",\"dbSize\":\"20480\",\"leader\":\"10276657743932975437\",\"raftIndex\":\"4\","
	             "\"raftTerm\":\"2\",\"dbSizeInUse\":\"16384\"}",
	  full[] = "{" HEADER ",\"version\":\"3.4.23\",\"errors\":[\"etcdserver: no leader\","
	           "\"memberID:10276657743932975437 alarm:NOSPACE \"]}",
	  corrupt[] = "{" HEADER ",\"version\":\"3.4.23\",\"errors\":[7,\"alarm:CORRUPT \"]}",
	  alarms[] = "{" HEADER
	             ",\"alarms\":[{\"memberID\":\"10276657743932975437\",\"alarm\":\"NOSPACE\"}]}",
	  nameless[] = "{" HEADER ",\"alarms\":[{\"memberID\":\"7\"}]}",
	  added[] =
	          "{" HEADER
	          ",\"member\":{\"ID\":\"9\",\"peerURLs\":[\"http://b:2380\"],\"isLearner\":true},\"members\":["
	          "{\"ID\":\"8\",\"name\":\"a\",\"peerURLs\":[\"http://a:2380\"],\"clientURLs\":[\"http://a:2379\",\"http://c:1\"]},"
	          "{\"ID\":\"9\",\"peerURLs\":[\"http://b:2380\"],\"isLearner\":true}]}",
	  none[] = "{" HEADER "}";
	struct etcd_status s;
	struct etcd_alarms a;
	struct etcd_members m;
	struct etcd_header header;

	(void)state;
	assert_int_equal(etcd_answer_status(status, strlen(status), &s, reason), 0);
	assert_string_equal(s.version, "3.4.23");
	assert_true(s.db_bytes == 20480 && s.leader == 10276657743932975437u && !s.is_learner);
	assert_false(s.is_full);
	assert_int_equal(etcd_answer_status(full, strlen(full), &s, reason), 0);
	assert_true(s.is_full && s.leader == 0);
	assert_int_equal(etcd_answer_status(corrupt, strlen(corrupt), &s, reason), 0);
	assert_false(s.is_full);
	assert_int_equal(etcd_answer_status(none, strlen(none), &s, reason), -EBADMSG);
	assert_int_equal(etcd_answer_alarms(alarms, strlen(alarms), &a, reason), 0);
	assert_true(a.n == 1 && a.alarms[0].member_id == 10276657743932975437u);
	assert_string_equal(a.alarms[0].name, "NOSPACE");
	assert_int_equal(etcd_answer_alarms(none, strlen(none), &a, reason), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(etcd_answer_alarms(nameless, strlen(nameless), &a, reason), -EBADMSG);
	assert_non_null(strstr(reason, "alarm is absent"));
	assert_int_equal(etcd_answer_members(added, strlen(added), &m, reason), 0);
	assert_true(m.n == 2 && m.added == 9 && m.members[1].is_learner &&
	            !m.members[0].is_learner);
	assert_string_equal(m.members[0].name, "a");
	assert_string_equal(m.members[1].name, "");
	assert_string_equal(m.members[0].client_url, "http://a:2379");
	assert_string_equal(m.members[1].client_url, "");
	assert_string_equal(m.members[1].peer_url, "http://b:2380");
	assert_int_equal(etcd_answer_members(none, strlen(none), &m, reason), -EBADMSG);
	assert_int_equal(etcd_answer_header(none, strlen(none), &header, reason), 0);
	assert_true(header.revision == 9);
	assert_int_equal(etcd_answer_header("{\"header\":{}}", 13, &header, reason), -EBADMSG);
	/* etcd 3.4 says so of no alarm */
	assert_int_equal(etcd_answer_header("{}", 2, &header, reason), 0);
	assert_true(header.cluster_id == 0 && header.revision == 0);
	assert_int_equal(etcd_answer_alarms("{}", 2, &a, reason), 0);
	assert_int_equal(a.n, 0);
}

static void foreign_members_are_refused(void **state)
{
	static const char *const rows[] = {
		"{" HEADER ",\"members\":[{\"name\":\"a\"}]}",
		"{" HEADER ",\"members\":[{\"ID\":\"1\",\"name\":\"a\\u001b\"}]}",
		"{" HEADER ",\"members\":[{\"ID\":\"1\",\"peerURLs\":\"http://a\"}]}",
		"{" HEADER ",\"members\":[{\"ID\":\"1\",\"peerURLs\":[1]}]}",
		"{" HEADER ",\"members\":[{\"ID\":\"1\",\"clientURLs\":[\"http://a b\"]}]}",
		"{" HEADER ",\"members\":[1]}",
	};
	struct etcd_members m = { .n = 77 };
	struct etcd_alarms a;
	char *many = repeat_text("{" HEADER ",\"members\":[{\"ID\":\"1\"}", ",{\"ID\":\"1\"}", 32,
	                         "]}"),
	     *many_alarms = repeat_text("{" HEADER ",\"alarms\":[{\"alarm\":\"A\"}",
	                                ",{\"alarm\":\"A\"}", 64, "]}");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(etcd_answer_members(rows[i], strlen(rows[i]), &m, reason),
		                 -EBADMSG);
		print_message("  %s\n", reason);
	}
	assert_int_equal(etcd_answer_members(many, strlen(many), &m, reason), -EBADMSG);
	assert_non_null(strstr(reason, "members has too many entries"));
	assert_int_equal(m.n, 77);
	assert_int_equal(etcd_answer_alarms(many_alarms, strlen(many_alarms), &a, reason),
	                 -EBADMSG);
	assert_non_null(strstr(reason, "alarms has too many entries"));
	free(many);
	free(many_alarms);
}

/* As many as there is room for are taken, and each of them is read. */
static void lists_are_read_up_to_their_limits(void **state)
{
	struct etcd_members m;
	struct etcd_alarms a;

	(void)state;
	for (int more = 0; more < 2; more++) {
		size_t n_members = ETCD_MEMBERS_MAX - 1 + (size_t)more;
		size_t n_alarms = ETCD_ALARMS_MAX - 1 + (size_t)more;
		char *members = repeat_text("{" HEADER ",\"members\":[{\"ID\":\"2\"}",
		                            ",{\"ID\":\"1\"}", n_members - 1, "]}"),
		     *alarms = repeat_text("{" HEADER ",\"alarms\":[{\"alarm\":\"B\"}",
		                           ",{\"alarm\":\"A\"}", n_alarms - 1, "]}");

		assert_int_equal(etcd_answer_members(members, strlen(members), &m, reason), 0);
		assert_int_equal(m.n, n_members);
		for (size_t i = 0; i < n_members; i++)
			assert_int_equal(m.members[i].id, i ? 1 : 2);
		assert_int_equal(etcd_answer_alarms(alarms, strlen(alarms), &a, reason), 0);
		assert_int_equal(a.n, n_alarms);
		for (size_t i = 0; i < n_alarms; i++)
			assert_string_equal(a.alarms[i].name, i ? "A" : "B");
		free(members);
		free(alarms);
	}
}

static void errors_have_four_forms(void **state)
{
	static const struct {
		long status;
		const char *text;
		bool is_error;
		int code;
		const char *said;
	} rows[] = {
		{ 429, "{\"error\":\"space\",\"message\":\"space exceeded\",\"code\":8}", true, 8,
		  "space exceeded" },
		{ 429, "{\"error\":\"space\",\"code\":8}", true, 8, "space" },
		{ 429, "{\"code\":8,\"message\":\"space\",\"details\":[]}", true, 8, "space" },
		{ 200,
		  "{\"error\":{\"grpc_code\":11,\"http_code\":400,\"message\":\"gone\",\"http_status\":\"Bad Request\"}}",
		  true, 11, "gone" },
		{ 200, "{\"error\":{\"code\":14,\"message\":\"closing\",\"details\":[]}}", true, 14,
		  "closing" },
		{ 503, "{\"error\":{\"code\":14,\"message\":\"closing\"}}", true, 14, "closing" },
		{ 404, "404 page not found\n", true, ETCD_CODE_NONE, "404 page not found" },
		{ 404, "", true, ETCD_CODE_NONE, "" },
		{ 502, "<html>\r\n<b>Bad\x1b[0m</b>", true, ETCD_CODE_NONE, "<html>" },
		{ 502, "Bad\x1b[0m", true, ETCD_CODE_NONE, "Bad?[0m" },
		{ 500, "[1]", true, ETCD_CODE_NONE, "[1]" },
		{ 500, "{\"code\":\"8\",\"message\":7}", true, ETCD_CODE_NONE,
		  "{\"code\":\"8\",\"message\":7}" },
		{ 500, "{\"code\":-5,\"message\":\"m\"}", true, ETCD_CODE_NONE, "m" },
		{ 500, "{\"code\":4294967304,\"message\":\"m\"}", true, ETCD_CODE_NONE, "m" },
		{ 500, "{\"error\":{\"code\":5", true, ETCD_CODE_NONE, "{\"error\":{\"code\":5" },
		{ 200, "{" HEADER "}", false, 0, NULL },
		{ 200, "{\"error\":\"\"}", false, 0, NULL },
		{ 200, "{\"error\":null}", false, 0, NULL },
		{ 200, "", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct etcd_error error = { .status = 77 };
		char *copy = copy_exact(rows[i].text, strlen(rows[i].text));

		print_message("  %ld %s\n", rows[i].status, rows[i].text);
		assert_int_equal(
		        etcd_answer_error(rows[i].status, copy, strlen(rows[i].text), &error),
		        rows[i].is_error);
		free(copy);
		assert_int_equal(error.status, rows[i].is_error ? rows[i].status : 77);
		if (!rows[i].is_error)
			continue;
		assert_int_equal(error.code, rows[i].code);
		assert_string_equal(error.text, rows[i].said);
	}
}

static void a_long_error_is_cut(void **state)
{
	char *text = repeat_text("", "0123456789", 200, "");
	struct etcd_error error;

	(void)state;
	assert_true(etcd_answer_error(500, text, strlen(text), &error));
	assert_int_equal(strlen(error.text), ETCD_REASON_MAX - 1);
	free(text);
}

SUITE(etcd_answer)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_are_read, begin_test, end_test),
		cmocka_unit_test_setup_teardown(absent_fields_have_their_defaults, begin_test,
		                                end_test),
		cmocka_unit_test_setup_teardown(foreign_keys_are_refused_whole, begin_test,
		                                end_test),
		cmocka_unit_test_setup_teardown(an_answer_fits_what_was_asked_for, begin_test,
		                                end_test),
		cmocka_unit_test_setup_teardown(a_transaction_without_succeeded_was_refused,
		                                begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_transaction_that_succeeded_has_its_results,
		                                begin_test, end_test),
		cmocka_unit_test_setup_teardown(results_of_other_operations_are_refused, begin_test,
		                                end_test),
		cmocka_unit_test_setup_teardown(an_answer_that_was_cut_is_refused_at_each_byte,
		                                begin_test, end_test),
		cmocka_unit_test_setup_teardown(answers_have_bounds, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_small_arena_is_no_wrong_answer, begin_test,
		                                end_test),
		cmocka_unit_test_setup_teardown(events_are_read, begin_test, end_test),
		cmocka_unit_test_setup_teardown(messages_of_a_watch, begin_test, end_test),
		cmocka_unit_test(a_keepalive_without_a_ttl_says_lost),
		cmocka_unit_test(a_grant_needs_an_id_and_a_ttl),
		cmocka_unit_test(a_token_fits_into_a_header),
		cmocka_unit_test(members_and_their_state),
		cmocka_unit_test(foreign_members_are_refused),
		cmocka_unit_test(lists_are_read_up_to_their_limits),
		cmocka_unit_test(errors_have_four_forms),
		cmocka_unit_test(a_long_error_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
