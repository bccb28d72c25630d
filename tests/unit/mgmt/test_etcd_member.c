/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What callers make of a member's answers: of a lease, of a token that is old, and of a change. The member is a
 * thread that says what the test wants. What takes longer is in test_etcd_gateway.py and test_shared_etcd.py.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "mgmt/etcd/gateway.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_claim.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"7\",\"member_id\":\"1\",\"revision\":\"9\",\"raft_term\":\"2\"}"
#define LIMIT_MS 300u
#define PREFIX   "/weir/x/"

/* An answer to a request whose path ends so; the last one of a path again and again. */
struct member_answer {
	const char *path;
	int status; /* 0: the connection ends without an answer */
	const char *body;
	unsigned n_given;
};

static struct {
	pthread_t thread;
	int listener;
	atomic_int connection; /* the present one; -1: none */
	struct member_answer answers[8];
	char requests[512]; /* their paths, and "(token)" */
	struct etcd_settings settings;
} member;

static struct member_answer *next_answer(const char *path)
{
	struct member_answer *last = NULL;

	for (size_t i = 0; i < COUNT(member.answers) && member.answers[i].path; i++) {
		struct member_answer *a = &member.answers[i];
		size_t n = strlen(a->path), n_path = strlen(path);

		if (n > n_path || strcmp(path + n_path - n, a->path) != 0)
			continue;
		last = a;
		if (!a->n_given)
			break;
	}
	return last;
}

static void note_request(const char *path, const char *head)
{
	const char *token = strcasestr(head, "\r\nauthorization: ");
	size_t n = strlen(member.requests);
	int n_token = token ? (int)strcspn(token + 17, "\r") : 0;

	snprintf(member.requests + n, sizeof(member.requests) - n, "%s%s%s%.*s%s", n ? " " : "",
	         path, token ? "(" : "", n_token, token ? token + 17 : "", token ? ")" : "");
}

/* Read one request and answer it. @return whether the connection goes on */
static bool serve_request(int fd)
{
	char in[8192], path[128], out[1024];
	const char *length;
	size_t n = 0, n_all;
	char *end;

	do {
		ssize_t got = recv(fd, in + n, sizeof(in) - 1 - n, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
		length = end ? strcasestr(in, "\r\ncontent-length: ") : NULL;
		n_all = end ? (size_t)(end + 4 - in) + (length ? strtoul(length + 18, NULL, 10) : 0)
		            : SIZE_MAX;
	} while (n < n_all);
	if (sscanf(in, "%*s %127s", path) != 1)
		return false;
	struct member_answer *a = next_answer(path);

	if (!a)
		return false;
	end[0] = '\0';
	note_request(a->path, in);
	a->n_given++;
	if (!a->status)
		return false;
	int n_out = snprintf(out, sizeof(out), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
	                     a->status, strlen(a->body), a->body);

	return send(fd, out, (size_t)n_out, MSG_NOSIGNAL) == n_out;
}

static void *serve_clients(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(member.listener, NULL, NULL)) >= 0) {
		member.connection = fd;
		while (serve_request(fd))
			;
		member.connection = -1;
		close(fd);
	}
	return NULL;
}

static int start_member(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	(void)state;
	memset(&member, 0, sizeof(member));
	member.connection = -1;
	member.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(member.listener, (struct sockaddr *)&at, n) || listen(member.listener, 8) ||
	    getsockname(member.listener, (struct sockaddr *)&at, &n))
		return -1;
	member.settings.n_endpoints = 1;
	member.settings.limit_ms = LIMIT_MS;
	snprintf(member.settings.endpoints[0], ETCD_URL_MAX, "http://127.0.0.1:%u",
	         ntohs(at.sin_port));
	return pthread_create(&member.thread, NULL, serve_clients, NULL);
}

static int end_member(void **state)
{
	(void)state;
	shutdown(member.listener, SHUT_RDWR);
	shutdown(member.connection, SHUT_RDWR); /* of a test that has failed */
	pthread_join(member.thread, NULL);
	close(member.listener);
	return 0;
}

static struct etcd_gateway *open_gateway(void)
{
	char reason[ETCD_REASON_MAX];
	struct etcd_gateway *g = NULL;

	assert_int_equal(etcd_gateway_open(&member.settings, NULL, &g, reason), 0);
	return g;
}

#define ALIVE(rest) "{\"result\":{" HEADER ",\"ID\":\"5\"" rest "}}"

static void a_lease_goes_on_or_is_lost(void **state)
{
	static const struct {
		const char *body;
		int err;
		int64_t ttl_s;
		const char *reason;
	} rows[] = {
		{ ALIVE(",\"TTL\":\"9\""), 0, 9, "" },
		{ ALIVE(",\"TTL\":\"1\""), 0, 1, "" },
		{ ALIVE(""), -ENOENT, 77, "the lease is lost" },
		{ ALIVE(",\"TTL\":\"0\""), -ENOENT, 77, "the lease is lost" },
		{ "{\"result\":{" HEADER ",\"ID\":\"6\",\"TTL\":\"9\"}}", -EBADMSG, 77, "ID" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct etcd_lease lease = { .ttl_s = 77 };
		struct etcd_gateway *g;

		member.answers[0] = (struct member_answer){ .path = "keepalive",
			                                    .status = 200,
			                                    .body = rows[i].body };
		g = open_gateway();
		int err = etcd_gateway_keepalive(g, 5, &lease);

		if (err != rows[i].err || lease.ttl_s != rows[i].ttl_s ||
		    !strstr(etcd_gateway_reason(g), rows[i].reason))
			fail_msg("%s: %d, TTL %d, \"%s\"", rows[i].body, err, (int)lease.ttl_s,
			         etcd_gateway_reason(g));
		etcd_gateway_close(g);
	}
}

/* A member that has forgotten a token gives another one, and the request is sent again with that. */
static void a_token_that_is_old_is_not_sent_again(void **state)
{
	static const struct member_answer answers[] = {
		{ .path = "authenticate", .status = 200, .body = "{" HEADER ",\"token\":\"t.1\"}" },
		{ .path = "authenticate", .status = 200, .body = "{" HEADER ",\"token\":\"t.2\"}" },
		{ .path = "range", .status = 200, .body = "{" HEADER "}" },
		{ .path = "range",
		  .status = 401,
		  .body = "{\"code\":16,\"message\":\"etcdserver: invalid auth token\"}" },
		{ .path = "range", .status = 200, .body = "{" HEADER "}" },
	};
	const struct etcd_range range = { .key = { "a", 1 } };
	char password[] = "/tmp/weir-etcd-XXXXXX";
	int fd = mkstemp(password);

	(void)state;
	assert_int_equal(write(fd, "secret\n", 7), 7);
	assert_int_equal(fchmod(fd, 0400), 0);
	close(fd);
	memcpy(member.answers, answers, sizeof(answers));
	strcpy(member.settings.user, "weir");
	snprintf(member.settings.password_file, PATH_MAX, "%s", password);
	struct etcd_gateway *g = open_gateway();

	for (int i = 0; i < 3; i++) {
		struct arena *arena = arena_new(1 << 16);
		struct etcd_keys keys;

		assert_int_equal(etcd_gateway_range(g, &range, arena, &keys), 0);
		assert_int_equal(keys.n, 0);
		arena_free(arena);
	}
	etcd_gateway_close(g);
	unlink(password);
	assert_string_equal(member.requests, "authenticate range(t.1) range(t.1) authenticate "
	                                     "range(t.2) range(t.2)");
}

#define STATUS                                                                                     \
	{                                                                                          \
		.path = "status", .status = 200, .body = "{" HEADER ",\"version\":\"3.4.23\"}"     \
	}

/* What is not known may have been written: that is an answer of its own, and no error. */
static void a_change_is_done_refused_unknown_or_not_written(void **state)
{
	static const struct {
		const char *why;
		struct member_answer answers[2];
		int err;
		enum shared_result result;
		int64_t revision;
		size_t n_now;
	} rows[] = {
		{ "done",
		  { STATUS,
		    { .path = "txn",
		      .status = 200,
		      .body = "{" HEADER
		              ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}" } },
		  0,
		  SHARED_DONE,
		  9,
		  0 },
		{ "refused",
		  { STATUS,
		    { .path = "txn",
		      .status = 200,
		      .body = "{" HEADER ",\"responses\":[{\"response_range\":{}}]}" } },
		  0,
		  SHARED_REFUSED,
		  0,
		  1 },
		{ "no answer", { STATUS, { .path = "txn" } }, 0, SHARED_UNKNOWN, 0, 0 },
		{ "no right",
		  { STATUS,
		    { .path = "txn",
		      .status = 403,
		      .body = "{\"code\":7,\"message\":\"etcdserver: permission denied\"}" } },
		  -EACCES,
		  SHARED_UNKNOWN,
		  77,
		  77 },
	};
	const struct store_claim claim = { .id = "00112233445566778899aabbccddeeff",
		                           .epoch = 1,
		                           .nonce = "0011223344556677",
		                           .time_ms = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct shared_answer a = { .revision = 77, .n_now = 77 };
		struct shared_change c;
		char reason[ETCD_REASON_MAX];
		struct shared_etcd *e;

		memcpy(member.answers, rows[i].answers, sizeof(rows[i].answers));
		assert_int_equal(shared_etcd_open(&member.settings, PREFIX, NULL, &e, reason), 0);
		shared_change_begin(&c, claim.nonce);
		shared_change_see(&c, STORE_CLAIM_RECORD, 0);
		shared_change_put(&c, STORE_CLAIM_RECORD, &store_claim_record, &claim);
		int err = shared_etcd_write(e, &c, &a);

		if (err != rows[i].err || (!err && a.result != rows[i].result) ||
		    a.revision != rows[i].revision || a.n_now != rows[i].n_now ||
		    !*shared_etcd_reason(e) != (a.result != SHARED_UNKNOWN && !err))
			fail_msg("%s: %d, result %d, revision %d, now %zu, \"%s\"", rows[i].why,
			         err, a.result, (int)a.revision, a.n_now, shared_etcd_reason(e));
		if (err)
			a.n_now = 0;
		shared_answer_fini(&a);
		shared_change_fini(&c);
		shared_etcd_close(e);
	}
}

SUITE(etcd_member)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start_member, end_member)
	const struct CMUnitTest tests[] = {
		T(a_lease_goes_on_or_is_lost),
		T(a_token_that_is_old_is_not_sent_again),
		T(a_change_is_done_refused_unknown_or_not_written),
	};

	return cmocka_run_group_tests_name("etcd member", tests, NULL, NULL);
}
