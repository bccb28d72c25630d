/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tries of a write add up to, and what each error says of its try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/etcd/attempts.h"
#include "tests/unit/suite.h"

static void each_error_has_its_meaning(void **state)
{
	static const struct {
		const char *why;
		struct etcd_error error;
		enum etcd_try outcome;
	} rows[] = {
		{ "too large", { 400, 3, "etcdserver: request is too large" }, ETCD_TRY_REJECTED },
		{ "a key twice",
		  { 400, 3, "etcdserver: duplicate key given in txn request" },
		  ETCD_TRY_REJECTED },
		{ "no right", { 403, 7, "etcdserver: permission denied" }, ETCD_TRY_REJECTED },
		{ "a lease is gone",
		  { 404, 5, "etcdserver: requested lease not found" },
		  ETCD_TRY_REJECTED },
		{ "compacted",
		  { 400, 11, "etcdserver: mvcc: required revision has been compacted" },
		  ETCD_TRY_REJECTED },
		{ "no users there",
		  { 400, 9, "etcdserver: authentication is not enabled" },
		  ETCD_TRY_REJECTED },
		{ "the token is old",
		  { 401, 16, "etcdserver: invalid auth token" },
		  ETCD_TRY_TOKEN },
		{ "401 of a proxy", { 401, ETCD_CODE_NONE, "" }, ETCD_TRY_TOKEN },
		{ "users have changed",
		  { 400, 3, "etcdserver: revision of auth store is old" },
		  ETCD_TRY_TOKEN },
		{ "the quota",
		  { 429, 8, "etcdserver: mvcc: database space exceeded" },
		  ETCD_TRY_FULL },
		{ "busy", { 429, 8, "etcdserver: too many requests" }, ETCD_TRY_NOT_SENT },
		{ "another limit",
		  { 429, 8, "grpc: received message larger than max" },
		  ETCD_TRY_UNCLEAR },
		{ "a learner",
		  { 503, 14, "etcdserver: rpc not supported for learner" },
		  ETCD_TRY_NOT_SENT },
		{ "later etcd's learner",
		  { 400, 9, "etcdserver: rpc not supported for learner" },
		  ETCD_TRY_NOT_SENT },
		{ "too few members",
		  { 503, 14, "etcdserver: unhealthy cluster" },
		  ETCD_TRY_NOT_SENT },
		{ "gateway off", { 404, ETCD_CODE_NONE, "404 page not found" }, ETCD_TRY_NOT_SENT },
		{ "HTTP at HTTPS",
		  { 400, ETCD_CODE_NONE, "Client sent an HTTP request to an HTTPS server." },
		  ETCD_TRY_NOT_SENT },
		{ "HTTP's time-out", { 408, ETCD_CODE_NONE, "" }, ETCD_TRY_UNCLEAR },
		{ "its connection broke", { 503, 14, "transport is closing" }, ETCD_TRY_UNCLEAR },
		{ "no quorum", { 503, 14, "etcdserver: request timed out" }, ETCD_TRY_UNCLEAR },
		{ "leader changed", { 503, 14, "etcdserver: leader changed" }, ETCD_TRY_UNCLEAR },
		{ "unknown outcome", { 500, 2, "context deadline exceeded" }, ETCD_TRY_UNCLEAR },
		{ "deadline", { 504, 4, "" }, ETCD_TRY_UNCLEAR },
		{ "cancelled", { 408, 1, "context canceled" }, ETCD_TRY_UNCLEAR },
		{ "500 of a proxy", { 502, ETCD_CODE_NONE, "Bad Gateway" }, ETCD_TRY_UNCLEAR },
		{ "a code without a name", { 418, 13, "" }, ETCD_TRY_UNCLEAR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		assert_int_equal(etcd_try_of_error(&rows[i].error), rows[i].outcome);
	}
}

/* A story: tries, each a letter, 10 ms apart; what comes after each; and how it ends. */
struct story {
	const char *why, *tries, *next;
	enum etcd_result result;
};

/*
 * S succeeded, N not succeeded, - not sent, R rejected, T token, F full, ? unclear; after F the
 * outcome of the verification. e end, o other, t token, v verify.
 */
static enum etcd_try try_of_letter(char letter)
{
	static const char letters[] = "SN-RTF?";
	const char *at = strchr(letters, letter);

	assert_non_null(at);
	return (enum etcd_try)(at - letters);
}

static void tries_add_up(void **state)
{
	static const struct story rows[] = {
		{ "at once", "S", "e", ETCD_DONE },
		{ "a compare failed", "N", "e", ETCD_REFUSED },
		{ "refused for certain", "R", "e", ETCD_NOT_WRITTEN },
		{ "no member gets it", "---", "ooe", ETCD_NOT_WRITTEN },
		{ "the last member gets it", "--S", "ooe", ETCD_DONE },
		{ "the last member refuses", "--N", "ooe", ETCD_REFUSED },
		{ "unclear, then done", "?S", "oe", ETCD_DONE },
		{ "unclear: an earlier try may have won", "?N", "oe", ETCD_REFUSED_UNSURE },
		{ "the same, not in the next try", "?--N", "oooe", ETCD_REFUSED_UNSURE },
		{ "unclear, then refused: nothing is known", "?R", "oe", ETCD_UNKNOWN },
		{ "unclear, and no member gets it: go on", "?-----S", "ooooooe", ETCD_DONE },
		{ "not sent before the unclear one", "--?N", "oooe", ETCD_REFUSED_UNSURE },
		{ "unclear throughout", "?????????N", "oooooooooe", ETCD_REFUSED_UNSURE },
		{ "another token", "TS", "te", ETCD_DONE },
		{ "a token does not make it unclear", "TN", "te", ETCD_REFUSED },
		{ "no token is good", "TTTT", "ttte", ETCD_NOT_WRITTEN },
		{ "the same after an unclear try", "?TTTT", "ottte", ETCD_UNKNOWN },
		{ "full, and the compares hold", "FS", "ve", ETCD_NOT_WRITTEN },
		{ "full, and done as the last that fitted", "FN", "ve", ETCD_REFUSED_UNSURE },
		{ "full, and not verified", "F-S", "voe", ETCD_DONE },
		{ "full, not verified, then refused", "F-N", "voe", ETCD_REFUSED_UNSURE },
		{ "full after an unclear try", "?FS", "ove", ETCD_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const char letters[] = "eotv";
		struct etcd_attempts a;
		bool is_verifying = false;

		print_message("  %s\n", rows[i].why);
		etcd_attempts_begin(&a, 3, 1000, 8000);
		for (size_t k = 0; rows[i].tries[k]; k++) {
			enum etcd_try outcome = try_of_letter(rows[i].tries[k]);
			uint64_t now_ms = 1000 + 10 * k;
			enum etcd_next next = is_verifying
			                              ? etcd_attempts_verified(&a, outcome, now_ms)
			                              : etcd_attempts_note(&a, outcome, now_ms);

			is_verifying = next == ETCD_NEXT_VERIFY;
			assert_int_equal(letters[next], rows[i].next[k]);
		}
		assert_int_equal(etcd_attempts_result(&a), rows[i].result);
	}
}

static void the_time_ends_the_tries(void **state)
{
	struct etcd_attempts a;

	(void)state;
	etcd_attempts_begin(&a, 3, 1000, 8000);
	assert_int_equal(etcd_attempts_note(&a, ETCD_TRY_UNCLEAR, 8999), ETCD_NEXT_OTHER);
	assert_int_equal(etcd_attempts_note(&a, ETCD_TRY_NOT_SENT, 9000), ETCD_NEXT_END);
	assert_int_equal(etcd_attempts_result(&a), ETCD_UNKNOWN);
	etcd_attempts_begin(&a, 3, 1000, 8000);
	assert_int_equal(etcd_attempts_note(&a, ETCD_TRY_NOT_SENT, 9000), ETCD_NEXT_END);
	assert_int_equal(etcd_attempts_result(&a), ETCD_NOT_WRITTEN);
	etcd_attempts_begin(&a, 3, 1000, 8000);
	assert_int_equal(etcd_attempts_note(&a, ETCD_TRY_TOKEN, 9000), ETCD_NEXT_END);
	assert_int_equal(etcd_attempts_result(&a), ETCD_NOT_WRITTEN);
}

static void a_stop_flag_ends_the_tries(void **state)
{
	struct etcd_attempts a;

	(void)state;
	etcd_attempts_begin(&a, 3, 1000, 8000);
	etcd_attempts_stop(&a);
	assert_int_equal(etcd_attempts_result(&a), ETCD_NOT_WRITTEN);
	assert_int_equal(etcd_attempts_note(&a, ETCD_TRY_UNCLEAR, 1000), ETCD_NEXT_OTHER);
	etcd_attempts_stop(&a);
	assert_int_equal(etcd_attempts_result(&a), ETCD_UNKNOWN);
}

SUITE(etcd_attempts)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_has_its_meaning),
		cmocka_unit_test(tries_add_up),
		cmocka_unit_test(the_time_ends_the_tries),
		cmocka_unit_test(a_stop_flag_ends_the_tries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
