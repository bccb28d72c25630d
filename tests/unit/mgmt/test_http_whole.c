/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole answers of the API's server, byte for byte as a client gets them: who is refused hears that once, and nothing is done
 * for him; what is held is answered once, with what the handler said last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/http/bell.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define WAIT_S    60 /* for what comes at once on an idle machine */
#define HELD_BELL 1u
#define OTHER     0u

#define HOST  "Host: weir\r\n"
#define LAST  "Connection: close\r\n"
#define WRONG "Authorization: Bearer wrong\r\n"
#define GOOD  "Authorization: Bearer good\r\n"
#define TYPE  "Content-Type: application/json\r\n"

/* What all answers have behind their own headers. */
#define SAFE                                                                                       \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"                           \
	"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n"

static struct core node;
static struct http_server *server;
static struct sockaddr_in bound;
static char dir[32];
static atomic_uint n_handled;
static struct http_hold hold; /* of the next request for /held */
static atomic_bool was_clean; /* whether the handler found each reply empty */

static bool is_empty(const struct http_reply *reply)
{
	static const struct http_reply empty;

	return !memcmp(reply, &empty, sizeof(empty));
}

static void answer_request(struct core *core, struct http_request *r, struct http_reply *reply)
{
	if (core != &node || !is_empty(reply))
		was_clean = false;
	if (!strcmp(r->path, "/held") && !r->held_ms) {
		*reply = (struct http_reply){ .hold = hold,
			                      .status = 202,
			                      .json = json_pack("{s:s}", "not", "sent"),
			                      .text = strdup("not sent"),
			                      .type = "text/plain",
			                      .etag = "\"not-sent\"",
			                      .retry_s = 1 };
	} else if (!strcmp(r->path, "/all")) {
		*reply = (struct http_reply){ .status = 405,
			                      .json = json_pack("{s:s}", "code", "x"),
			                      .etag = "\"v1\"",
			                      .challenge = "Basic",
			                      .allow = "GET",
			                      .accept_patch = "a/b",
			                      .replayed = true,
			                      .retry_s = 1,
			                      .dense = true };
	} else if (!strcmp(r->path, "/text")) {
		reply->status = 200;
		reply->text = strdup("some text\n");
		reply->type = "text/plain";
	} else {
		reply->status = 200;
		reply->json = json_pack("{s:s, s:s, s:b}", "path", r->path, "body", r->body, "held",
		                        r->held_ms != 0);
	}
	n_handled++;
}

static void find_out(struct core *core, int fd, const char *login, struct http_request *r)
{
	(void)core;
	(void)fd;
	r->role = (login ? !strcmp(login, "Bearer good") : strcmp(r->path, "/no")) ? HTTP_VIEWER
	                                                                           : HTTP_NO_ROLE;
}

static bool pass_request(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	(void)core;
	if (strcmp(r->path, "/no"))
		return true;
	http_problem(reply, 404, "not-found", "there is nothing");
	return false;
}

static int set_up(void **state)
{
	struct http_options o = { .peers_fd = -1,
		                  .core = &node,
		                  .handler = answer_request,
		                  .authenticator = find_out,
		                  .gate = pass_request,
		                  .is_moving = core_is_moving,
		                  .bells = &node.bells,
		                  .counters = &node.counters };
	socklen_t n = sizeof(bound);

	(void)state;
	strcpy(dir, "/tmp/weir-http-XXXXXX");
	assert_non_null(mkdtemp(dir));
	memset(&node, 0, sizeof(node));
	pthread_mutex_init(&node.lock, NULL);
	pthread_mutex_init(&node.bells.lock, NULL);
	assert_int_equal(stats_create(dir, "mgmt", 64, &node.stats), 0);
	http_counters_open(node.stats, &node.counters);
	n_handled = 0;
	was_clean = true;
	o.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bound = (struct sockaddr_in){ .sin_family = AF_INET,
		                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(o.listen_fd, (struct sockaddr *)&bound, n), 0);
	assert_int_equal(listen(o.listen_fd, 64), 0);
	assert_int_equal(getsockname(o.listen_fd, (struct sockaddr *)&bound, &n), 0);
	assert_int_equal(http_serve(&o, &server), 0);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	http_stop(server);
	stats_close(node.stats);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* --- a client --- */

static int begin_request(const char *request)
{
	const struct timeval most = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&bound, sizeof(bound)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return fd;
}

/* All that comes until the end, without the lines of the date. */
static const char *end_request(int fd)
{
	static char text[8192];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	assert_int_equal(got, 0);
	close(fd);
	text[n] = '\0';
	for (char *date = text; (date = strstr(date, "Date: "));) {
		const char *behind = strstr(date, "\r\n") + 2;

		memmove(date, behind, strlen(behind) + 1);
	}
	return text;
}

static const char *get_answer(const char *request)
{
	return end_request(begin_request(request));
}

static void await_handled(unsigned n)
{
	for (unsigned i = 0; i < WAIT_S * 1000 && n_handled < n; i++)
		usleep(1000); /* the pace of the wait for a condition */
	assert_int_equal(n_handled, n);
}

/* --- tests --- */

#define NO_BODY_HERE                                                                               \
	"HTTP/1.1 400 Bad Request\r\nContent-Length: 167\r\n"                                      \
	"Content-Type: application/problem+json\r\nConnection: close\r\n" SAFE                     \
	"{\n \"type\": \"urn:weir:problem:bad-request\",\n \"title\": \"Bad request\",\n "         \
	"\"status\": 400,\n \"code\": \"bad-request\",\n "                                         \
	"\"detail\": \"a GET or DELETE request must not have a body\"\n}"
#define NOT_VALID(scheme)                                                                          \
	"HTTP/1.1 401 Unauthorized\r\nContent-Length: 148\r\n"                                     \
	"Content-Type: application/problem+json\r\nWWW-Authenticate: " scheme                      \
	" realm=\"weir\"\r\nConnection: close\r\n" SAFE                                            \
	"{\n \"type\": \"urn:weir:problem:unauthorized\",\n \"title\": \"Unauthorized\",\n "       \
	"\"status\": 401,\n \"code\": \"unauthorized\",\n \"detail\": \"the token is not valid\"\n}"
#define NOTHING                                                                                    \
	"{\n \"type\": \"urn:weir:problem:not-found\",\n \"title\": \"Not found\",\n "             \
	"\"status\": 404,\n \"code\": \"not-found\",\n \"detail\": \"there is nothing\"\n}"

static void each_request_has_one_answer_that_is_whole(void **state)
{
	static const struct {
		const char *why, *request;
		unsigned n_handled;
		const char *answer;
	} rows[] = {
		{ "a wrong login", "GET /a HTTP/1.1\r\n" HOST WRONG "\r\n", 0,
		  NOT_VALID("Bearer") },
		{ "a wrong login of a browser", "GET / HTTP/1.1\r\n" HOST WRONG "\r\n", 0,
		  NOT_VALID("Basic") },
		{ "a wrong login with a body",
		  "POST /a HTTP/1.1\r\n" HOST WRONG TYPE "Content-Length: 2\r\n\r\n{}", 0,
		  NOT_VALID("Bearer") },
		{ "a wrong login with chunks",
		  "POST /a HTTP/1.1\r\n" HOST WRONG TYPE
		  "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		  0, NOT_VALID("Bearer") },
		{ "a wrong login without a body", "POST /a HTTP/1.1\r\n" HOST WRONG "\r\n", 0,
		  NOT_VALID("Bearer") },
		{ "a wrong login, and nothing is there", "GET /no HTTP/1.1\r\n" HOST WRONG "\r\n",
		  0, NOT_VALID("Bearer") },
		{ "nothing is there", "GET /no HTTP/1.1\r\n" HOST GOOD LAST "\r\n", 0,
		  "HTTP/1.1 404 Not Found\r\nContent-Length: 133\r\n"
		  "Content-Type: application/problem+json\r\nConnection: close\r\n" SAFE NOTHING },
		{ "a body that is not read",
		  "POST /no HTTP/1.1\r\n" HOST GOOD TYPE "Content-Length: 2\r\n\r\n{}", 0,
		  "HTTP/1.1 404 Not Found\r\nContent-Length: 133\r\n"
		  "Content-Type: application/problem+json\r\nConnection: close\r\n" SAFE NOTHING },
		{ "one behind the other",
		  "GET /no HTTP/1.1\r\n" HOST GOOD "\r\nGET /b HTTP/1.1\r\n" HOST LAST "\r\n", 1,
		  "HTTP/1.1 404 Not Found\r\nContent-Length: 133\r\n"
		  "Content-Type: application/problem+json\r\n" SAFE NOTHING
		  "HTTP/1.1 200 OK\r\nContent-Length: 46\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE
		  "{\n \"path\": \"/b\",\n \"body\": \"\",\n \"held\": false\n}" },
		{ "one behind a refusal of who may do nothing",
		  "GET /no HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST LAST "\r\n", 0,
		  "HTTP/1.1 404 Not Found\r\nContent-Length: 133\r\n"
		  "Content-Type: application/problem+json\r\nConnection: close\r\n" SAFE NOTHING },
		{ "a login that is right",
		  "POST /a HTTP/1.1\r\n" HOST GOOD LAST "Content-Length: 2\r\n\r\n{}", 1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 48\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE
		  "{\n \"path\": \"/a\",\n \"body\": \"{}\",\n \"held\": false\n}" },
		{ "the head alone", "HEAD /a HTTP/1.1\r\n" HOST LAST "\r\n", 1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 46\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE },
		{ "a text", "GET /text HTTP/1.0\r\n\r\n", 1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Type: text/plain\r\n"
		  "Connection: close\r\n" SAFE "some text\n" },
		{ "each header", "GET /all HTTP/1.1\r\n" HOST LAST "\r\n", 1,
		  "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 13\r\n"
		  "Content-Type: application/problem+json\r\nETag: \"v1\"\r\n"
		  "WWW-Authenticate: Basic\r\nAllow: GET\r\nAccept-Patch: a/b\r\nIdempotent-Replay: true\r\n"
		  "Retry-After: 1\r\nConnection: close\r\n" SAFE "{\"code\": \"x\"}" },
		{ "a body that no GET has",
		  "GET /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 0, NO_BODY_HERE },
		{ "a body that no DELETE has",
		  "DELETE /a HTTP/1.1\r\n" HOST TYPE "Content-Length: 2\r\n\r\n{}", 0,
		  NO_BODY_HERE },
		{ "a DELETE without a body", "DELETE /a HTTP/1.1\r\n" HOST LAST "\r\n", 1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 46\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE
		  "{\n \"path\": \"/a\",\n \"body\": \"\",\n \"held\": false\n}" },
		{ "a body of a PUT",
		  "PUT /a HTTP/1.1\r\n" HOST GOOD LAST "Content-Length: 2\r\n\r\n{}", 1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 48\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE
		  "{\n \"path\": \"/a\",\n \"body\": \"{}\",\n \"held\": false\n}" },
		{ "a body of a PATCH in chunks",
		  "PATCH /a HTTP/1.1\r\n" HOST GOOD LAST
		  "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
		  1,
		  "HTTP/1.1 200 OK\r\nContent-Length: 48\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n" SAFE
		  "{\n \"path\": \"/a\",\n \"body\": \"[]\",\n \"held\": false\n}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned before = n_handled;
		const char *answer = get_answer(rows[i].request);

		if (strcmp(answer, rows[i].answer) != 0)
			fail_msg("%s: %s", rows[i].why, answer);
		if (n_handled != before + rows[i].n_handled)
			fail_msg("%s: handled %u times", rows[i].why, n_handled - before);
	}
	assert_true(was_clean);
}

/* Ten at once from one address; a right login and a body do not help then. */
static void too_many_wrong_logins_end_in_one_answer_each(void **state)
{
	static const char *const requests[] = {
		"GET /a HTTP/1.1\r\n" HOST WRONG "\r\n",
		"GET /a HTTP/1.1\r\n" HOST GOOD "\r\n",
		"POST /a HTTP/1.1\r\n" HOST GOOD TYPE "Content-Length: 2\r\n\r\n{}",
		"GET /no HTTP/1.1\r\n" HOST GOOD "\r\n",
	};
	static const char refusal[] =
	        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 198\r\n"
	        "Content-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: close\r\n" SAFE
	        "{\n \"type\": \"urn:weir:problem:too-many-requests\",\n "
	        "\"title\": \"Too many requests\",\n \"status\": 429,\n "
	        "\"code\": \"too-many-requests\",\n "
	        "\"detail\": \"too many failed logins from this address; ask again later\"\n}";

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		const char *answer = "";
		unsigned before = 0;

		/* one is left again after a second, which a busy machine may need for a request */
		for (unsigned k = 0; k < 100 && strncmp(answer, "HTTP/1.1 429", 12) != 0; k++) {
			for (unsigned n = 0; n < 11; n++)
				(void)get_answer(requests[0]);
			before = n_handled;
			answer = get_answer(requests[i]);
		}
		assert_string_equal(answer, refusal);
		assert_int_equal(n_handled, before);
	}
}

static void ring_bell(unsigned bell)
{
	http_bells_ring(&node.bells, 1u << bell);
}

static void what_is_held_is_answered_once_with_what_was_said_last(void **state)
{
	static const struct {
		const char *why;
		int64_t for_ms;
		bool has_rung; /* between the handler's look and the holding */
		bool rings;
	} rows[] = {
		{ "its bell rings", WAIT_S * 1000, false, true },
		{ "its bell has rung meanwhile", WAIT_S * 1000, true, false },
		{ "its time is over", 100, false, false },
		{ "its time was over before", -1, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned before = n_handled;

		hold = (struct http_hold){ .until_ms = clock_mono_ms() + (uint64_t)rows[i].for_ms,
			                   .rung = atomic_load(&node.bells.rung[HELD_BELL]) -
			                           rows[i].has_rung,
			                   .bell = HELD_BELL };
		int fd = begin_request("POST /held HTTP/1.1\r\n" HOST LAST
		                       "Content-Length: 2\r\n\r\n{}");

		if (rows[i].rings) {
			await_handled(before + 1);
			ring_bell(OTHER);
			(void)get_answer("GET /a HTTP/1.1\r\n" HOST LAST
			                 "\r\n"); /* it has been heard */
			assert_int_equal(n_handled, before + 2);
			before++;
			ring_bell(HELD_BELL);
		}
		const char *answer = end_request(fd);
		if (strcmp(answer,
		           "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n"
		           "Content-Type: application/json\r\nConnection: close\r\n" SAFE
		           "{\n \"path\": \"/held\",\n \"body\": \"{}\",\n \"held\": true\n}") != 0)
			fail_msg("%s: %s", rows[i].why, answer);
		assert_int_equal(n_handled, before + 2);
		assert_true(was_clean);
	}
}

SUITE(http_whole)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(each_request_has_one_answer_that_is_whole),
		T(too_many_wrong_logins_end_in_one_answer_each),
		T(what_is_held_is_answered_once_with_what_was_said_last),
	};

	return cmocka_run_group_tests_name("http whole", tests, NULL, NULL);
}
