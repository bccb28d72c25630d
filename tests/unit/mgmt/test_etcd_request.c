/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to etcd, letter by letter: etcd ignores what it does not know, so no answer shows a misspelt field. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/etcd/base64.h"
#include "mgmt/etcd/request.h"
#include "tests/unit/suite.h"

static char reason[ETCD_REASON_MAX];

/* The request is made, with this path and body; it is freed. */
static void expect_request(int err, struct etcd_request *r, const char *path, const char *body)
{
	assert_int_equal(err, 0);
	assert_string_equal(r->path, path);
	assert_string_equal(r->body, body);
	assert_int_equal(r->n, strlen(body));
	etcd_request_fini(r);
}

static void a_range_is_one_key_or_a_prefix(void **state)
{
	static const struct {
		const char *why;
		struct etcd_range range;
		const char *body;
	} rows[] = {
		{ "one key", { .key = { "a", 1 } }, "{\"key\":\"YQ==\"}" },
		{ "a prefix",
		  { .key = { "a/", 2 }, .prefix = true },
		  "{\"key\":\"YS8=\",\"range_end\":\"YTA=\"}" },
		{ "a carry",
		  { .key = { "a\xff\xff", 3 }, .prefix = true },
		  "{\"key\":\"Yf//\",\"range_end\":\"Yg==\"}" },
		{ "no key is behind it",
		  { .key = { "\xff", 1 }, .prefix = true },
		  "{\"key\":\"/w==\",\"range_end\":\"AA==\"}" },
		{ "the next page",
		  { .key = { "a/", 2 }, .prefix = true, .after = { "a/b", 3 } },
		  "{\"key\":\"YS9iAA==\",\"range_end\":\"YTA=\"}" },
		{ "all fields",
		  { .key = { "a", 1 },
		    .revision = 9007199254740993,
		    .limit = 7,
		    .keys_only = true,
		    .count_only = true },
		  "{\"key\":\"YQ==\",\"revision\":\"9007199254740993\",\"limit\":\"7\",\"keys_only\":true,"
		  "\"count_only\":true}" },
		{ "the newest",
		  { .key = { "a/", 2 }, .prefix = true, .limit = 1, .newest_first = true },
		  "{\"key\":\"YS8=\",\"range_end\":\"YTA=\",\"limit\":\"1\",\"sort_order\":\"DESCEND\","
		  "\"sort_target\":\"MOD\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct etcd_request r;

		print_message("  %s\n", rows[i].why);
		expect_request(etcd_request_range(&rows[i].range, &r, reason), &r, "/v3/kv/range",
		               rows[i].body);
	}
}

static void a_transaction_has_every_part(void **state)
{
	static const struct etcd_compare compares[] = {
		{ { "h", 1 }, 7587862094865293320, false },
		{ { "i", 1 }, 0, false },
	};
	static const struct etcd_op success[] = {
		{ .kind = ETCD_PUT, .on = { .key = { "k", 1 } }, .value = { "x\0y", 3 }, .lease = 12 },
		{ .kind = ETCD_PUT, .on = { .key = { "l", 1 } } },
		{ .kind = ETCD_DELETE, .on = { .key = { "m/", 2 }, .prefix = true } },
	}, failure[] = { { .kind = ETCD_RANGE, .on = { .key = { "h", 1 }, .limit = 1 } } };
	static const struct etcd_txn txn = { compares, 2, success, failure, 3, 1 };
	struct etcd_request r;

	(void)state;
	expect_request(
	        etcd_request_txn(&txn, &r, reason), &r, "/v3/kv/txn",
	        "{\"compare\":["
	        "{\"key\":\"aA==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"7587862094865293320\"},"
	        "{\"key\":\"aQ==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"0\"}],"
	        "\"success\":["
	        "{\"request_put\":{\"key\":\"aw==\",\"value\":\"eAB5\",\"lease\":\"12\"}},"
	        "{\"request_put\":{\"key\":\"bA==\",\"value\":\"\"}},"
	        "{\"request_delete_range\":{\"key\":\"bS8=\",\"range_end\":\"bTA=\"}}],"
	        "\"failure\":[{\"request_range\":{\"key\":\"aA==\",\"limit\":\"1\"}}]}");
	static const struct etcd_compare all[] = { { { "h/", 2 }, 41, true } };
	static const struct etcd_txn guarded = { .compares = all, .n_compares = 1 };

	expect_request(
	        etcd_request_txn(&guarded, &r, reason), &r, "/v3/kv/txn",
	        "{\"compare\":[{\"key\":\"aC8=\",\"range_end\":\"aDA=\",\"target\":\"MOD\","
	        "\"result\":\"LESS\",\"mod_revision\":\"42\"}],\"success\":[],\"failure\":[]}");
	expect_request(etcd_request_txn(&(struct etcd_txn){ 0 }, &r, reason), &r, "/v3/kv/txn",
	               "{\"compare\":[],\"success\":[],\"failure\":[]}");
}

static void the_other_requests(void **state)
{
	const struct etcd_range range = { .key = { "a", 1 }, .prefix = true, .limit = 3 };
	struct etcd_request r;

	(void)state;
	expect_request(
	        etcd_request_watch(&range, 8, &r, reason), &r, "/v3/watch",
	        "{\"create_request\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"start_revision\":\"8\","
	        "\"progress_notify\":true}}");
	expect_request(etcd_request_grant(10, &r, reason), &r, "/v3/lease/grant",
	               "{\"TTL\":\"10\"}");
	expect_request(etcd_request_keepalive(INT64_MAX, &r, reason), &r, "/v3/lease/keepalive",
	               "{\"ID\":\"9223372036854775807\"}");
	expect_request(etcd_request_authenticate("an\"n", "p\\\n\xc3\xa9", &r, reason), &r,
	               "/v3/auth/authenticate",
	               "{\"name\":\"an\\\"n\",\"password\":\"p\\\\\\n\xc3\xa9\"}");
	expect_request(etcd_request_status(&r, reason), &r, "/v3/maintenance/status", "{}");
	expect_request(etcd_request_alarms(&r, reason), &r, "/v3/maintenance/alarm",
	               "{\"action\":\"GET\"}");
	expect_request(etcd_request_members(&r, reason), &r, "/v3/cluster/member/list", "{}");
	expect_request(etcd_request_member_add("https://10.0.0.2:2380", &r, reason), &r,
	               "/v3/cluster/member/add",
	               "{\"peerURLs\":[\"https://10.0.0.2:2380\"],\"isLearner\":true}");
	expect_request(etcd_request_member_promote(UINT64_MAX, &r, reason), &r,
	               "/v3/cluster/member/promote", "{\"ID\":\"18446744073709551615\"}");
	expect_request(etcd_request_member_remove(1, &r, reason), &r, "/v3/cluster/member/remove",
	               "{\"ID\":\"1\"}");
}

/* Refused, named, and nothing is given. */
static void expect_refusal(int err, const struct etcd_request *r, const char *named)
{
	assert_int_equal(err, -EINVAL);
	assert_null(r->path);
	assert_null(r->body);
	print_message("  %s\n", reason);
	assert_non_null(strstr(reason, named));
}

static void impossible_requests_are_not_made(void **state)
{
	static const char long_key[ETCD_KEY_MAX + 1];
	const struct etcd_range keys[] = {
		{ .key = { "", 0 } },
		{ .key = { long_key, sizeof(long_key) } },
		{ .key = { "a", 1 }, .revision = -1 },
		{ .key = { "a", 1 }, .limit = -1 },
		{ .key = { "a", 1 }, .after = { "ab", 2 } },
		{ .key = { "a", 1 }, .prefix = true, .after = { "b", 1 } },
		{ .key = { "a", 1 }, .prefix = true, .after = { "ab", 2 }, .newest_first = true },
		{ .key = { long_key, 1 }, .prefix = true, .after = { long_key, sizeof(long_key) } },
	};
	struct etcd_request r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		expect_refusal(etcd_request_range(&keys[i], &r, reason), &r, "range");
	expect_refusal(etcd_request_watch(&keys[0], 1, &r, reason), &r, "key of 0 bytes");
	expect_refusal(etcd_request_watch(&(struct etcd_range){ .key = { "a", 1 } }, 0, &r, reason),
	               &r, "revision 1");
	expect_refusal(etcd_request_grant(0, &r, reason), &r, "TTL");
	expect_refusal(etcd_request_grant(86401, &r, reason), &r, "TTL");
	expect_refusal(etcd_request_keepalive(0, &r, reason), &r, "ID");
	expect_refusal(etcd_request_member_remove(0, &r, reason), &r, "ID");
	expect_refusal(etcd_request_authenticate("a", "\xff", &r, reason), &r, "UTF-8");
	expect_request(
	        etcd_request_range(&(struct etcd_range){ .key = { long_key, 3 } }, &r, reason), &r,
	        "/v3/kv/range", "{\"key\":\"AAAA\"}");
}

#define PUT(k)                                                                                     \
	{                                                                                          \
		.kind = ETCD_PUT, .on = { .key = { k, sizeof(k) - 1 } }, .value = { "v", 1 }       \
	}
#define DELETE(k)                                                                                  \
	{                                                                                          \
		.kind = ETCD_DELETE, .on = {.key = { k, sizeof(k) - 1 } }                          \
	}
#define PREFIX(k)                                                                                  \
	{                                                                                          \
		.kind = ETCD_DELETE, .on = {.key = { k, sizeof(k) - 1 }, .prefix = true }          \
	}
#define READ(k)                                                                                    \
	{                                                                                          \
		.kind = ETCD_RANGE, .on = {.key = { k, sizeof(k) - 1 }, .prefix = true }           \
	}

static void no_key_is_written_twice(void **state)
{
	static const struct {
		struct etcd_op ops[2];
		bool is_possible;
	} rows[] = {
		{ { PUT("a"), PUT("a") }, false },     { { PUT("a"), PUT("ab") }, true },
		{ { PUT("a"), DELETE("a") }, false },  { { DELETE("a"), DELETE("a") }, false },
		{ { PREFIX("a"), PUT("ab") }, false }, { { PUT("ab"), PREFIX("a") }, false },
		{ { PREFIX("ab"), PUT("a") }, true },  { { PREFIX("a"), DELETE("ab") }, true },
		{ { READ("a"), PUT("a") }, true },     { { PUT("a"), READ("a") }, true },
		{ { READ("a"), READ("a") }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct etcd_txn lists[] = { { .success = rows[i].ops, .n_success = 2 },
			                    { .failure = rows[i].ops, .n_failure = 2 } };

		for (size_t k = 0; k < 2; k++) {
			struct etcd_request r = { 0 };
			int err = etcd_request_txn(&lists[k], &r, reason);

			print_message("  row %zu\n", i);
			assert_int_equal(err, rows[i].is_possible ? 0 : -EINVAL);
			if (err)
				assert_non_null(strstr(reason, k ? "entries 0 and 1 of failure"
				                                 : "entries 0 and 1 of success"));
			etcd_request_fini(&r);
		}
	}
}

/* A transaction of @p n_compares compares and @p n_ops puts of @p n_value bytes each. @return the error */
static int try_txn(size_t n_compares, size_t n_ops, size_t n_value)
{
	struct etcd_compare *compares = calloc(n_compares + 1, sizeof(*compares));
	struct etcd_op *ops = calloc(n_ops + 1, sizeof(*ops));
	char *value = calloc(1, n_value + 1), (*keys)[8] = calloc(n_ops + 1, sizeof(*keys));
	struct etcd_txn txn = { compares, n_compares, ops, NULL, n_ops, 0 };
	struct etcd_request r = { 0 };

	for (size_t i = 0; i < n_compares; i++)
		compares[i].key = etcd_text("k");
	for (size_t i = 0; i < n_ops; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		ops[i].on.key = etcd_text(keys[i]);
		ops[i].value = (struct etcd_bytes){ value, n_value };
	}
	int err = etcd_request_txn(&txn, &r, reason);

	assert_true(!err == (r.body != NULL));
	etcd_request_fini(&r);
	free(compares);
	free(ops);
	free(value);
	free(keys);
	return err;
}

static void a_transaction_has_its_bounds(void **state)
{
	(void)state;
	assert_int_equal(try_txn(128, 128, 1), 0);
	assert_int_equal(try_txn(129, 1, 1), -EINVAL);
	assert_int_equal(try_txn(1, 129, 1), -EINVAL);
	assert_non_null(strstr(reason, "at most 128"));
	assert_int_equal(try_txn(1, 1, 1048576), 0);
	assert_int_equal(try_txn(1, 1, 1048577), -EINVAL);
	assert_non_null(strstr(reason, "entry 0 of success"));
	assert_int_equal(try_txn(1, 2, 720000), 0);
	assert_int_equal(try_txn(1, 2, 721000), -EINVAL);
	assert_non_null(strstr(reason, "bytes of keys and values"));
}

static void an_entry_that_cannot_be_is_named(void **state)
{
	static const struct etcd_compare compares[] = {
		{ { "", 0 }, 0, false },
		{ { "a", 1 }, -1, false },
	};
	static const struct etcd_op ops[] = {
		{ .kind = ETCD_PUT },
		{ .kind = ETCD_N_OP_KINDS, .on = { .key = { "a", 1 } } },
		{ .kind = ETCD_PUT, .on = { .key = { "a", 1 } }, .lease = -1 },
		{ .kind = ETCD_PUT, .on = { .key = { "a", 1 }, .prefix = true } },
		{ .kind = ETCD_DELETE,
		  .on = { .key = { "a", 1 }, .prefix = true, .after = { "ab", 2 } } },
		{ .kind = ETCD_RANGE, .on = { .key = { "a", 1 }, .limit = -1 } },
	};
	struct etcd_request r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(compares) / sizeof(compares[0]); i++)
		expect_refusal(etcd_request_txn(&(struct etcd_txn){ .compares = &compares[i],
		                                                    .n_compares = 1 },
		                                &r, reason),
		               &r, "entry 0 of compares");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		expect_refusal(
		        etcd_request_txn(&(struct etcd_txn){ .success = &ops[i], .n_success = 1 },
		                         &r, reason),
		        &r, ops[i].kind == ETCD_RANGE ? "limit" : "entry 0 of success");
}

static char *encode_bytes(const void *bytes, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	etcd_base64_write(f, bytes, n);
	fclose(f);
	return text;
}

static void base64_goes_there_and_back(void **state)
{
	unsigned char bytes[64], out[64];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 37 + n * 101);
		char *text = encode_bytes(bytes, n);
		size_t room = etcd_base64_room(strlen(text));

		assert_true(room >= n && room <= sizeof(out) + 2);
		unsigned char *exact = malloc(room + 1);

		assert_int_equal(etcd_base64_read(text, strlen(text), exact), n);
		assert_memory_equal(exact, bytes, n);
		free(exact);
		free(text);
	}
	assert_int_equal(etcd_base64_read("", 0, out), 0);
}

/* RFC 4648, section 10. */
static void base64_of_the_standard(void **state)
{
	static const char *const rows[][2] = { { "f", "Zg==" },         { "fo", "Zm8=" },
		                               { "foo", "Zm9v" },       { "foob", "Zm9vYg==" },
		                               { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = encode_bytes(rows[i][0], strlen(rows[i][0]));

		assert_string_equal(text, rows[i][1]);
		free(text);
	}
}

static void foreign_base64_is_refused(void **state)
{
	static const char *const rows[] = { "Z",    "Zg",       "Zg=",    "Zg===",  "Zm=v",  "=g==",
		                            "Z===", "====",     "Zh==",   "Zm9=",   "Zg\n=", "Zg--",
		                            "Z g=", "Zg==Zg==", "Zm9v\n", "Zm9\xff" };
	unsigned char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i]);
		assert_int_equal(etcd_base64_read(rows[i], strlen(rows[i]), out), -EINVAL);
	}
	assert_int_equal(etcd_base64_read("Zg\0=", 4, out), -EINVAL);
	assert_int_equal(etcd_base64_read("\0\0\0\0", 4, out), -EINVAL);
}

SUITE(etcd_request)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_one_key_or_a_prefix),
		cmocka_unit_test(a_transaction_has_every_part),
		cmocka_unit_test(the_other_requests),
		cmocka_unit_test(impossible_requests_are_not_made),
		cmocka_unit_test(no_key_is_written_twice),
		cmocka_unit_test(a_transaction_has_its_bounds),
		cmocka_unit_test(an_entry_that_cannot_be_is_named),
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(base64_of_the_standard),
		cmocka_unit_test(foreign_base64_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
