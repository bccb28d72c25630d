/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a watch, in pieces of any size: events by revision, and how a watch ends. */
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

#include "mgmt/etcd/stream.h"
#include "tests/unit/suite.h"

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"7\",\"member_id\":\"1\",\"revision\":\"9\",\"raft_term\":\"2\"}"
#define CREATED "{\"result\":{" HEADER ",\"created\":true}}\n"
#define PUT(key, mod)                                                                              \
	"{\"kv\":{\"key\":\"" key "\",\"create_revision\":\"1\",\"mod_revision\":\"" mod           \
	"\",\"version\":\"2\",\"value\":\"dg==\"}}"
#define EVENTS(list) "{\"result\":{" HEADER ",\"events\":[" list "]}}\n"

/* What the sink got: "5:a,aa 6:ab ". */
static char got[1024];
static int64_t refused_revision; /* of events that cannot be taken; 0: none */

static bool note_events(void *arg, int64_t revision, const struct etcd_event *events, size_t n)
{
	size_t at = strlen(got);

	assert_ptr_equal(arg, got);
	at += (size_t)snprintf(got + at, sizeof(got) - at, "%lld:", (long long)revision);
	for (size_t i = 0; i < n; i++) {
		assert_true(events[i].kv.mod_revision == revision);
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s", i ? "," : "",
		                       events[i].kv.key.at);
	}
	snprintf(got + at, sizeof(got) - at, " ");
	return revision != refused_revision;
}

/* Feed a text in pieces of @p size bytes, each an exact copy. @return what the last said */
static int feed_in_pieces(struct etcd_stream *s, const char *text, size_t size)
{
	static const struct etcd_range range = { .key = { "a", 1 }, .prefix = true };
	size_t n = strlen(text);
	int err = 0;

	got[0] = '\0';
	etcd_stream_init(s, &range, 7, 5, note_events, got);
	for (size_t at = 0; at < n; at += size) {
		size_t part = n - at < size ? n - at : size;
		char *copy = malloc(part);

		assert_non_null(copy);
		memcpy(copy, text + at, part);
		err = etcd_stream_feed(s, copy, part);
		free(copy);
	}
	return err;
}

static void events_come_by_revision_in_pieces_of_any_size(void **state)
{
	static const char text[] = CREATED EVENTS(PUT("YQ==", "5") "," PUT("YWE=", "5") "," PUT(
	        "YWI=", "6")) "\n" EVENTS("") "{\"result\":{" HEADER
	                                      "}}\n" EVENTS(PUT("YQ==", "8"));
	struct etcd_stream s;

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		assert_int_equal(feed_in_pieces(&s, text, size), 0);
		assert_string_equal(got, "5:a,aa 6:ab 8:a ");
		assert_true(s.next == 9 && s.is_created);
		etcd_stream_fini(&s);
	}
}

static void events_that_cannot_be_taken_end_the_stream(void **state)
{
	struct etcd_stream s;

	(void)state;
	refused_revision = 6;
	assert_int_equal(feed_in_pieces(&s,
	                                CREATED EVENTS(PUT("YQ==", "5") "," PUT(
	                                        "YWI=", "6") "," PUT("YQ==", "8")),
	                                999),
	                 -ESTALE);
	refused_revision = 0;
	assert_string_equal(got, "5:a 6:ab ");
	assert_string_equal(s.reason, "an event could not be taken");
	assert_true(s.next == 6); /* what came before it is taken */
	assert_int_equal(etcd_stream_feed(&s, "\n", 1), -ESTALE);
	etcd_stream_fini(&s);
}

static void a_line_without_its_end_waits(void **state)
{
	static const char text[] = CREATED EVENTS(PUT("YQ==", "5"));
	struct etcd_stream s;
	char cut[sizeof(text)];

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		memcpy(cut, text, n);
		cut[n] = '\0';
		assert_int_equal(feed_in_pieces(&s, cut, 7), 0);
		assert_string_equal(got, "");
		assert_true(s.next == 5 && s.is_created == (n >= strlen(CREATED)));
		etcd_stream_fini(&s);
	}
}

static void a_progress_notification_moves_nothing(void **state)
{
	struct etcd_stream s;

	(void)state;
	assert_int_equal(feed_in_pieces(&s, CREATED "{\"result\":{" HEADER "}}\n", 100), 0);
	assert_true(s.next == 5);
	etcd_stream_fini(&s);
}

static void each_end_of_a_watch_has_its_error(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *reason, *got;
	} rows[] = {
		{ CREATED "{\"result\":{" HEADER
		          ",\"canceled\":true,\"compact_revision\":\"8\"}}\n",
		  -ESTALE, "revision 8", "" },
		{ CREATED EVENTS(PUT("YQ==", "5")) "{\"result\":{" HEADER
		                                   ",\"canceled\":true}}\n" EVENTS(
		                                           PUT("YQ==", "6")),
		  -ECONNABORTED, "canceled", "5:a " },
		{ "{\"result\":{" HEADER
		  ",\"created\":true,\"canceled\":true,\"cancel_reason\":\"etcdserver: permission denied\"}}\n",
		  -EACCES, "permission", "" },
		{ "{\"result\":{" HEADER
		  ",\"canceled\":true,\"cancel_reason\":\"etcdserver: invalid auth token\"}}\n",
		  -EACCES, "token", "" },
		{ CREATED "{\"error\":{\"grpc_code\":14,\"message\":\"transport is closing\"}}\n",
		  -ECONNABORTED, "closing", "" },
		{ "{\"error\":{\"grpc_code\":7,\"message\":\"no\"}}\n", -EACCES, "no", "" },
		{ "{\"error\":{\"code\":16,\"message\":\"no\"}}\n", -EACCES, "no", "" },
		{ "{\"result\":{\"header\":{\"cluster_id\":\"8\",\"revision\":\"9\"},\"created\":true}}\n",
		  -EBADMSG, "another cluster", "" },
		{ EVENTS(PUT("YQ==", "5")), -EBADMSG, "before the watch is created", "" },
		{ CREATED CREATED, -EBADMSG, "created twice", "" },
		{ CREATED EVENTS(PUT("YQ==", "4")), -EBADMSG, "before the first of the request",
		  "" },
		{ CREATED EVENTS(PUT("YQ==", "5")) EVENTS(PUT("YQ==", "5")), -EBADMSG,
		  "before the first of the request", "5:a " },
		{ CREATED EVENTS(PUT("Yg==", "5")), -EBADMSG, "not in the range", "" },
		{ "HTTP\n", -EBADMSG, "no JSON", "" },
		{ "{}\n", -EBADMSG, "result is absent", "" },
		{ "{\"result\":{\"result\":1}}{}\n", -EBADMSG, "no JSON", "" },
	};
	struct etcd_stream s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t size = 1; size < 300; size += 23) {
			assert_int_equal(feed_in_pieces(&s, rows[i].text, size), rows[i].err);
			assert_non_null(strstr(s.reason, rows[i].reason));
			assert_string_equal(got, rows[i].got);
			/* and so it stays */
			assert_int_equal(etcd_stream_feed(&s, CREATED, strlen(CREATED)),
			                 rows[i].err);
			etcd_stream_fini(&s);
		}
}

static void a_line_has_a_bound(void **state)
{
	static char piece[65536];
	struct etcd_stream s;
	size_t n = 0;
	int err = 0;

	(void)state;
	memset(piece, ' ', sizeof(piece));
	assert_int_equal(feed_in_pieces(&s, CREATED, 100), 0);
	while (!err && n < (size_t)64 << 20) {
		err = etcd_stream_feed(&s, piece, sizeof(piece));
		n += sizeof(piece);
	}
	assert_int_equal(err, -EFBIG);
	assert_true(n == ((size_t)8 << 20) + sizeof(piece) && s.size <= (size_t)8 << 20);
	etcd_stream_fini(&s);
}

static void a_long_line_keeps_no_memory(void **state)
{
	char *text = malloc(300000);
	struct etcd_stream s;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', 300000);
	memcpy(text, CREATED, strlen(CREATED) - 1);
	text[299998] = '\n';
	text[299999] = '\0';
	assert_int_equal(feed_in_pieces(&s, text, 4096), 0);
	assert_true(s.is_created && s.size <= 65536);
	etcd_stream_fini(&s);
	free(text);
}

SUITE(etcd_stream)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_by_revision_in_pieces_of_any_size),
		cmocka_unit_test(events_that_cannot_be_taken_end_the_stream),
		cmocka_unit_test(a_line_without_its_end_waits),
		cmocka_unit_test(a_progress_notification_moves_nothing),
		cmocka_unit_test(each_end_of_a_watch_has_its_error),
		cmocka_unit_test(a_line_has_a_bound),
		cmocka_unit_test(a_long_line_keeps_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
