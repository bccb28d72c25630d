/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP attempts: what is sent, byte by byte, and what each kind of answer says of the target. On
 * real sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The private parts too; and what libcurl says of a transfer is in the test's hands, where it
 * wants that.
 */
#include <curl/curl.h>

static struct {
	bool on;
	long status, error;
} said;

static CURLcode fake_getinfo(CURL *easy, CURLINFO what, void *out)
{
	if (said.on && (what == CURLINFO_RESPONSE_CODE || what == CURLINFO_OS_ERRNO)) {
		*(long *)out = what == CURLINFO_OS_ERRNO ? said.error : said.status;
		return CURLE_OK;
	}
	return (curl_easy_getinfo)(easy, what, out);
}

#undef curl_easy_getinfo
#define curl_easy_getinfo(easy, what, out) fake_getinfo(easy, what, out)
#include "healthcheck/attempt_http.c"
#include "tests/unit/descriptors.h"

enum way { CLOSE, RESET, KEEP, ENDLESS };

/* A server that takes one connection, keeps what it is asked, and gives one answer. */
static struct {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *answer;
	enum way way;
	bool in_bytes; /* the answer goes byte by byte */
	char request[4096];
} server;

static struct {
	struct loop *loop;
	struct prober prober;
	struct attempt attempt;
	struct attempt_spec spec;
	enum health_reason why;
	unsigned detail, n_calls;
} run;

static void read_request(int fd)
{
	size_t n = 0;
	ssize_t got;

	memset(server.request, 0, sizeof(server.request));
	while (!strstr(server.request, "\r\n\r\n") && n < sizeof(server.request) - 1) {
		got = read(fd, server.request + n, sizeof(server.request) - 1 - n);
		if (got <= 0)
			return;
		n += (size_t)got;
	}
}

static void write_answer(int fd)
{
	static const char block[4096];
	size_t n = strlen(server.answer), step = server.in_bytes ? 1 : n;

	for (size_t i = 0; i < n; i += step) {
		if (server.in_bytes)
			usleep(200);
		if (send(fd, server.answer + i, step, MSG_NOSIGNAL) < 0)
			return;
	}
	while (server.way == ENDLESS && send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
}

static void *serve_one(void *arg)
{
	const struct linger reset = { .l_onoff = 1 };
	const int one = 1;
	char rest[64];
	int fd = accept(server.fd, NULL, NULL);

	(void)arg;
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	read_request(fd);
	write_answer(fd);
	if (server.way == RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	while (server.way == KEEP && read(fd, rest, sizeof(rest)) > 0)
		;
	close(fd);
	return NULL;
}

static void listen_on(const char *address)
{
	struct sockaddr_storage at;
	socklen_t n;

	addr_parse(address, &run.spec.address);
	n = addr_to_sockaddr(&run.spec.address, 0, &at);
	server.fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(server.fd, 256), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(
	        addr_from_sockaddr((struct sockaddr *)&at, &run.spec.address, &server.port), 0);
	run.spec.port = server.port;
}

static int setup(void **state)
{
	(void)state;
	memset(&run, 0, sizeof(run));
	memset(&server, 0, sizeof(server));
	memset(&said, 0, sizeof(said));
	run.spec = (struct attempt_spec){ .is_http = true, .path = "/", .host = "", .expect = 200 };
	assert_int_equal(loop_open(&run.loop), 0);
	assert_int_equal(prober_open(&run.prober, run.loop), 0);
	listen_on("127.0.0.1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(run.prober.n_active, 0);
	close(server.fd);
	prober_close(&run.prober);
	loop_close(run.loop);
	return 0;
}

static void on_end(void *arg, struct attempt *a, enum health_reason why, unsigned detail)
{
	assert_ptr_equal(arg, &run);
	assert_ptr_equal(a, &run.attempt);
	run.why = why;
	run.detail = detail;
	run.n_calls++;
	loop_stop(run.loop);
}

static void on_time(void *arg)
{
	loop_stop(arg);
}

/* One attempt, to its end. @return its result, with run.detail */
static enum health_reason run_attempt(void)
{
	struct loop_timer most = { .cb = on_time, .arg = run.loop };
	enum health_reason why;

	run.n_calls = 0;
	why = attempt_start(&run.prober, &run.attempt, &run.spec, on_end, &run, &run.detail);
	if (why != HEALTH_REASON_NONE)
		return why;
	loop_timer_set(run.loop, &most, clock_mono_ms() + 20000);
	assert_int_equal(loop_run(run.loop), 0);
	loop_timer_cancel(run.loop, &most);
	assert_int_equal(run.n_calls, 1);
	assert_false(run.attempt.active);
	return run.why;
}

/* The same with a server that answers @p answer. */
static enum health_reason try_answer(const char *answer, enum way way)
{
	enum health_reason why;

	server.answer = answer;
	server.way = way;
	assert_int_equal(pthread_create(&server.thread, NULL, serve_one, NULL), 0);
	why = run_attempt();
	pthread_join(server.thread, NULL);
	return why;
}

static void an_answer_says_what_it_says(void **state)
{
	static const struct {
		const char *answer;
		enum way way;
		uint16_t expect;
		enum health_reason why;
		unsigned detail;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, 200, HEALTH_REASON_OK,
		  200 },
		{ "HTTP/1.1 200\r\n\r\n", CLOSE, 200, HEALTH_REASON_OK, 200 },
		{ "HTTP/1.0 200 Fine\r\n\r\nbody", CLOSE, 200, HEALTH_REASON_OK, 200 },
		{ "HTTP/1.1 204 No Content\r\n\r\n", CLOSE, 204, HEALTH_REASON_OK, 204 },
		{ "HTTP/1.1 204 No Content\r\n\r\n", CLOSE, 200, HEALTH_REASON_BAD_STATUS, 204 },
		{ "HTTP/1.1 200 OK\r\n\r\n", CLOSE, 204, HEALTH_REASON_BAD_STATUS, 200 },
		{ "HTTP/1.1 503 Busy\r\n\r\n", CLOSE, 200, HEALTH_REASON_BAD_STATUS, 503 },
		/* nobody follows it: a second connection would find no server */
		{ "HTTP/1.1 301 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", CLOSE, 200,
		  HEALTH_REASON_BAD_STATUS, 301 },
		/* the last status decides */
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", CLOSE, 200,
		  HEALTH_REASON_OK, 200 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\n\r\n", CLOSE, 200,
		  HEALTH_REASON_BAD_STATUS, 500 },
		{ "http/1.1 200 OK\r\n\r\n", CLOSE, 200, HEALTH_REASON_BAD_ANSWER, 200 },
		{ "HTTP/1.1 2000 OK\r\n\r\n", CLOSE, 200, HEALTH_REASON_BAD_ANSWER, 0 },
		{ "SSH-2.0-OpenSSH_9.2\r\n\r\n", CLOSE, 200, HEALTH_REASON_BAD_ANSWER, 0 },
		{ "", CLOSE, 200, HEALTH_REASON_RESET, 0 },
		{ "", RESET, 200, HEALTH_REASON_RESET, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", CLOSE, 200,
		  HEALTH_REASON_RESET, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", KEEP, 200, HEALTH_REASON_OK,
		  200 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum health_reason why;

		run.spec.expect = cases[i].expect;
		why = try_answer(cases[i].answer, cases[i].way);
		if (why != cases[i].why)
			print_error("%s: %s\n", cases[i].answer, health_reason_text(why));
		assert_int_equal(why, cases[i].why);
		if (cases[i].why != HEALTH_REASON_BAD_ANSWER)
			assert_int_equal(run.detail, cases[i].detail);
	}
}

/* More than libcurl keeps of a line: that is the answer's fault, and no memory is short here. */
static void an_answer_with_an_endless_line_is_no_answer(void **state)
{
	static const char *const begins[] = {
		"HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 500 Oops\r\nSet-Cookie: ", "HTTP/1.1 200 "
	};
	static char answer[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		memset(answer, 'a', sizeof(answer) - 1);
		memcpy(answer, begins[i], strlen(begins[i]));
		memcpy(answer + sizeof(answer) - 5, "\r\n\r\n", 5);
		print_message("  %s\n", begins[i]);
		assert_int_equal(try_answer(answer, CLOSE), HEALTH_REASON_BAD_ANSWER);
	}
}

static void an_answer_may_come_byte_by_byte(void **state)
{
	(void)state;
	server.in_bytes = true;
	assert_int_equal(
	        try_answer("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok", KEEP),
	        HEALTH_REASON_OK);
	assert_int_equal(run.detail, 200);
}

/* Its status counts, and nobody waits for its end. */
static void a_body_without_end_is_read_so_far_and_no_further(void **state)
{
	(void)state;
	assert_int_equal(try_answer("HTTP/1.1 200 OK\r\n\r\n", ENDLESS), HEALTH_REASON_OK);
	assert_in_range(run.attempt.body_bytes, ATTEMPT_BODY_MAX + 1, ATTEMPT_BODY_MAX + READ_MAX);
	assert_int_equal(try_answer("HTTP/1.1 500 No\r\n\r\n", ENDLESS), HEALTH_REASON_BAD_STATUS);
	assert_int_equal(run.detail, 500);
}

/* One packet of it is full, and a second is not; the socket sends none that is longer. */
static void a_request_of_full_size_fills_one_packet(void **state)
{
	const char *line = "\r\nX-Weir-Padding: xxx";
	size_t n;
	int fd, most = 0;
	socklen_t size = sizeof(most);

	(void)state;
	run.spec.full_size = 1452;
	assert_int_equal(try_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLOSE),
	                 HEALTH_REASON_OK);
	n = strlen(server.request);
	assert_in_range(n, 1452, 2 * (1452 - 60) - 1);
	assert_non_null(strstr(server.request, line));
	fd = attempt_socket(&run.spec);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, 2 /* TCP_MAXSEG */, &most, &size), 0);
	close(fd);
	assert_true(most <= 1452 - 40);
	assert_true(most >= 1452 - 40 - 12); /* an option for the time */
	run.spec.full_size = 0;
	run.n_calls = 0;
	assert_int_equal(try_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLOSE),
	                 HEALTH_REASON_OK);
	assert_null(strstr(server.request, line));
}

static void the_request_is_these_bytes(void **state)
{
	static const struct {
		const char *address, *path, *host, *expected; /* %u: the port */
	} cases[] = {
		{ "127.0.0.1", "/", "", "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" },
		{ "127.0.0.9", "/a/../b?c=1", "",
		  "GET /a/../b?c=1 HTTP/1.1\r\nHost: 127.0.0.9:%u\r\n" },
		{ "127.0.0.1", "/x", "www.example", "GET /x HTTP/1.1\r\nHost: www.example\r\n" },
		{ "::1", "/6", "", "GET /6 HTTP/1.1\r\nHost: [::1]:%u\r\n" },
	};
	static const char rest[] =
	        "User-Agent: weir-health\r\nAccept: */*\r\nConnection: close\r\n\r\n";

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* is not asked */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char head[256], expected[512];

		close(server.fd);
		listen_on(cases[i].address);
		run.spec.path = cases[i].path;
		run.spec.host = cases[i].host;
		assert_int_equal(try_answer("HTTP/1.1 200 OK\r\n\r\n", CLOSE), HEALTH_REASON_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(head, sizeof(head), cases[i].expected, server.port);
#pragma GCC diagnostic pop
		snprintf(expected, sizeof(expected), "%s%s", head, rest);
		assert_string_equal(server.request, expected);
	}
	unsetenv("http_proxy");
}

static void what_did_not_come_to_a_connection_says_whose_doing_it_was(void **state)
{
	struct rlimit before, none;
	int next;

	(void)state;
	close(server.fd); /* nobody listens there any more */
	assert_int_equal(run_attempt(), HEALTH_REASON_REFUSED);
	assert_int_equal(run.detail, ECONNREFUSED);
	run.spec.path = "/a b";
	assert_int_equal(run_attempt(), HEALTH_REASON_LOCAL);
	assert_int_equal(run.detail, EINVAL);
	run.spec.path = "/";
	next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)next, before.rlim_max };
	run.n_calls = 0;
	assert_int_equal(
	        attempt_start(&run.prober, &run.attempt, &run.spec, on_end, &run, &run.detail),
	        HEALTH_REASON_NONE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (!run.n_calls)
		loop_run(run.loop);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(run.why, HEALTH_REASON_LOCAL);
	assert_int_equal(run.detail, EMFILE);
}

/* More than there are lanes, silent: they are ended by their owner, and nothing of them is left. */
static void attempts_go_by_all_lanes_and_leave_nothing(void **state)
{
	static struct attempt attempts[LANES + 1];
	unsigned detail, n_lanes = 0, before = count_descriptors();
	bool used[LANES] = { false };
	struct loop_timer soon = { .cb = on_time, .arg = run.loop };

	(void)state;
	for (int i = 0; i <= LANES; i++) {
		assert_int_equal(
		        attempt_start(&run.prober, &attempts[i], &run.spec, on_end, &run, &detail),
		        HEALTH_REASON_NONE);
		used[attempts[i].lane - run.prober.http->lanes] = true;
	}
	for (int i = 0; i < LANES; i++)
		n_lanes += used[i];
	assert_int_equal(n_lanes, LANES);
	assert_int_equal(run.prober.n_active, LANES + 1);
	loop_timer_set(run.loop, &soon, clock_mono_ms() + 20);
	assert_int_equal(loop_run(run.loop), 0);
	assert_true(count_descriptors() > before);
	for (int i = 0; i <= LANES; i++)
		attempt_abort(&attempts[i]);
	assert_int_equal(run.prober.n_active, 0);
	assert_int_equal(run.n_calls, 0);
	assert_int_equal(count_descriptors(), before);
}

/* As with a libcurl whose handles may be used again. */
static void a_handle_used_again_keeps_nothing_of_its_attempt(void **state)
{
	void *easy;

	(void)state;
	run.prober.http->reuses = true;
	run.spec.host = "first.example";
	run.spec.path = "/first";
	assert_int_equal(try_answer("HTTP/1.1 200 OK\r\n\r\n", CLOSE), HEALTH_REASON_OK);
	assert_int_equal(run.prober.http->n_spare, 1);
	easy = run.prober.http->spare[0];
	run.spec.host = "";
	run.spec.path = "/second";
	assert_int_equal(try_answer("HTTP/1.1 503 No\r\n\r\n", CLOSE), HEALTH_REASON_BAD_STATUS);
	assert_int_equal(run.prober.http->n_spare, 1);
	assert_ptr_equal(run.prober.http->spare[0], easy);
	assert_non_null(strstr(server.request, "GET /second "));
	assert_null(strstr(server.request, "first"));
	assert_int_equal(try_answer("", CLOSE), HEALTH_REASON_RESET); /* no status of before */
	run.prober.http->reuses = false;
	assert_int_equal(try_answer("HTTP/1.1 200 OK\r\n\r\n", CLOSE), HEALTH_REASON_OK);
	assert_int_equal(run.prober.http->n_spare, 0);
}

static void each_end_of_a_transfer_has_its_reason(void **state)
{
	static const struct {
		CURLcode code;
		long status, error;
		int local_errno;
		bool has_status;
		enum health_reason why;
		unsigned detail;
	} cases[] = {
		{ CURLE_OK, 200, 0, 0, true, HEALTH_REASON_OK, 200 },
		{ CURLE_OK, 404, 0, 0, true, HEALTH_REASON_BAD_STATUS, 404 },
		{ CURLE_OK, 200, 0, 0, false, HEALTH_REASON_BAD_ANSWER, 200 },
		{ CURLE_WRITE_ERROR, 200, 0, 0, true, HEALTH_REASON_OK, 200 },
		{ CURLE_WRITE_ERROR, 500, 0, 0, true, HEALTH_REASON_BAD_STATUS, 500 },
		{ CURLE_COULDNT_CONNECT, 0, ECONNREFUSED, 0, false, HEALTH_REASON_REFUSED,
		  ECONNREFUSED },
		{ CURLE_COULDNT_CONNECT, 0, ETIMEDOUT, 0, false, HEALTH_REASON_TIMEOUT, ETIMEDOUT },
		{ CURLE_COULDNT_CONNECT, 0, EHOSTUNREACH, 0, false, HEALTH_REASON_UNREACHABLE,
		  EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, 0, ECONNREFUSED, EMFILE, false, HEALTH_REASON_LOCAL,
		  EMFILE },
		{ CURLE_OPERATION_TIMEDOUT, 0, 0, 0, false, HEALTH_REASON_TIMEOUT, 0 },
		{ CURLE_RECV_ERROR, 200, ECONNRESET, 0, true, HEALTH_REASON_RESET, 0 },
		{ CURLE_SEND_ERROR, 0, EPIPE, 0, false, HEALTH_REASON_RESET, 0 },
		{ CURLE_GOT_NOTHING, 0, 7, 0, false, HEALTH_REASON_RESET, 0 },
		{ CURLE_PARTIAL_FILE, 200, 0, 0, true, HEALTH_REASON_RESET, 0 },
		{ CURLE_URL_MALFORMAT, 0, 0, 0, false, HEALTH_REASON_LOCAL, EINVAL },
		{ CURLE_OUT_OF_MEMORY, 0, 0, 0, false, HEALTH_REASON_LOCAL, ENOMEM },
		{ CURLE_FAILED_INIT, 0, 0, 0, false, HEALTH_REASON_LOCAL, ENOMEM },
		{ CURLE_WEIRD_SERVER_REPLY, 0, 0, 0, false, HEALTH_REASON_BAD_ANSWER, 0 },
		{ CURLE_UNSUPPORTED_PROTOCOL, 0, 0, 0, false, HEALTH_REASON_BAD_ANSWER, 0 },
	};

	(void)state;
	said.on = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attempt a = { .spec = &run.spec,
			             .local_errno = cases[i].local_errno,
			             .has_status = cases[i].has_status };
		unsigned detail = 99;

		said.status = cases[i].status;
		said.error = cases[i].error;
		assert_int_equal(reason_of(&a, cases[i].code, &detail), cases[i].why);
		assert_int_equal(detail, cases[i].detail);
	}
	said.on = false;
}

/* libcurl's timeouts are after so many ms; -1 is none. */
static void a_transfers_timer_is_set_ahead(void **state)
{
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	struct lane l = { .loop = loop, .timer = { .cb = on_lane_timer, .arg = &l } };
	uint64_t now_ms = clock_mono_ms();

	assert_int_equal(set_lane_timer(NULL, 5000, &l), 0);
	assert_int_not_equal(l.timer.heap_index, 0);
	assert_in_range(l.timer.at_ms, now_ms + 5000, clock_mono_ms() + 5000);
	assert_int_equal(set_lane_timer(NULL, -1, &l), 0);
	assert_int_equal(l.timer.heap_index, 0);
	assert_int_equal(set_lane_timer(NULL, 0, &l), 0);
	assert_in_range(l.timer.at_ms, now_ms, clock_mono_ms());
	loop_timer_cancel(loop, &l.timer);
	loop_close(loop);
}

static void parts_of_an_answer_are_taken_to_their_limits(void **state)
{
	struct attempt a = { 0 };
	char status[] = "HTTP/1.1 200 OK\r\n", bytes[64] = "";

	(void)state;
	assert_int_equal(count_body(bytes, 2, 30, &a), 60);
	assert_int_equal(a.body_bytes, 60);
	a.body_bytes = ATTEMPT_BODY_MAX - 10;
	assert_int_equal(count_body(bytes, 1, 10, &a), 10);
	assert_int_equal(count_body(bytes, 1, 1, &a), 0);
	assert_int_equal(check_status_line(status, 1, strlen(status), &a), strlen(status));
	assert_true(a.has_status);
	assert_int_equal(check_status_line(status, 1, 4, &a),
	                 4); /* "HTTP" is another header's begin */
	assert_true(a.has_status);
	strcpy(status, "HTTP/1.1 2\r\n"); /* the last one decides */
	assert_int_equal(check_status_line(status, 2, strlen(status) / 2, &a), strlen(status));
	assert_false(a.has_status);
}

static void a_status_line_is_as_the_standard_has_it(void **state)
{
	static const struct {
		const char *line;
		bool is;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\n", true },
		{ "HTTP/1.0 000 \r\n", true },
		{ "HTTP/1.1 200\r\n", true },
		{ "HTTP/9.9 999\n", true },
		{ "HTTP/1.1 200", false },
		{ "HTTP/1.1 20\r\n", false },
		{ "HTTP/1.1 2000\r\n", false },
		{ "HTTP/1.1 2x0 OK\r\n", false },
		{ "HTTP/1.1 x00 OK\r\n", false },
		{ "HTTP/1.1 20x OK\r\n", false },
		{ "HTTP/1.1 /00 OK\r\n", false },
		{ "HTTP/1.1 :00 OK\r\n", false },
		{ "HTTP/x.1 200 OK\r\n", false },
		{ "HTTP/1.x 200 OK\r\n", false },
		{ "HTTP/1-1 200 OK\r\n", false },
		{ "HTTP/1.1\t200 OK\r\n", false },
		{ "http/1.1 200 OK\r\n", false },
		{ "HTTP/11 200 OK\r\n", false },
		{ "HTTPS/1.1 200 OK\r\n", false },
		{ "HTTP/2 200 \r\n", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(is_status_line(cases[i].line, strlen(cases[i].line)), cases[i].is);
	/* what is behind the end does not count */
	assert_false(is_status_line("HTTP/1.1 200 OK\r\n", 12));
	assert_true(is_status_line("HTTP/1.1 200 OK\r\n", 13));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_says_what_it_says),
		T(an_answer_with_an_endless_line_is_no_answer),
		T(an_answer_may_come_byte_by_byte),
		T(a_body_without_end_is_read_so_far_and_no_further),
		T(a_request_of_full_size_fills_one_packet),
		T(the_request_is_these_bytes),
		T(what_did_not_come_to_a_connection_says_whose_doing_it_was),
		T(attempts_go_by_all_lanes_and_leave_nothing),
		T(a_handle_used_again_keeps_nothing_of_its_attempt),
		T(each_end_of_a_transfer_has_its_reason),
		T(a_transfers_timer_is_set_ahead),
		T(parts_of_an_answer_are_taken_to_their_limits),
		T(a_status_line_is_as_the_standard_has_it),
	};

	return cmocka_run_group_tests_name("health attempt http", tests, NULL, NULL);
}
