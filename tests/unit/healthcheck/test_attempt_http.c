/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP attempts: what is sent, byte by byte, and what each kind of answer says of the target. On
 * real sockets.
 */
#include <errno.h>
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

#include <curl/curl.h>

#include "base/clock.h"
#include "base/loop.h"
#include "healthcheck/attempt.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...);
CURLcode __real_curl_easy_getinfo(CURL *easy, CURLINFO what, ...);
CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *n_left);
CURLMsg *__real_curl_multi_info_read(CURLM *multi, int *n_left);
CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption what, ...);
CURLMcode __real_curl_multi_setopt(CURLM *multi, CURLMoption what, ...);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *n);
CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *n);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption what, ...);
curl_version_info_data *__wrap_curl_version_info(CURLversion age);
curl_version_info_data *__real_curl_version_info(CURLversion age);
CURL *__wrap_curl_easy_init(void);
CURL *__real_curl_easy_init(void);

/* What libcurl says of a transfer, where the test wants that, and what it was given. */
static struct {
	bool on;
	long status, error;
	CURLcode code;
	unsigned version; /* 0: its own */
	unsigned n_handles, n_timeouts;
	uint64_t timeout_ms; /* when it was told of its last one */
	CURLM *multi;        /* the last one, as are the rest */
	curl_multi_timer_callback set_timer;
	void *timer_data;
	curl_write_callback take_body, take_header;
	void *body_data, *header_data;
} lib;

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...)
{
	va_list list;
	void *out;

	va_start(list, what);
	out = va_arg(list, void *);
	va_end(list);
	if (!lib.on || what == CURLINFO_PRIVATE)
		return __real_curl_easy_getinfo(easy, what, out);
	if (what == CURLINFO_STARTTRANSFER_TIME_T)
		*(curl_off_t *)out = 0;
	else
		*(long *)out = what == CURLINFO_OS_ERRNO ? lib.error : lib.status;
	return CURLE_OK;
}

CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *n_left)
{
	CURLMsg *message = __real_curl_multi_info_read(multi, n_left);

	if (message && lib.on)
		message->data.result = lib.code;
	return message;
}

CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption what, ...)
{
	va_list list;
	void *value;

	va_start(list, what);
	value = va_arg(list, void *);
	va_end(list);
	lib.multi = multi;
	if (what == CURLMOPT_TIMERFUNCTION)
		memcpy(&lib.set_timer, &value, sizeof(value));
	else if (what == CURLMOPT_TIMERDATA)
		lib.timer_data = value;
	return __real_curl_multi_setopt(multi, what, value);
}

CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *n)
{
	if (fd == CURL_SOCKET_TIMEOUT) {
		lib.n_timeouts++;
		lib.timeout_ms = clock_mono_ms();
	}
	return __real_curl_multi_socket_action(multi, fd, what, n);
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...)
{
	va_list list;
	void *value;

	va_start(list, what);
	value = va_arg(list, void *);
	va_end(list);
	if (what == CURLOPT_WRITEFUNCTION)
		memcpy(&lib.take_body, &value, sizeof(value));
	else if (what == CURLOPT_HEADERFUNCTION)
		memcpy(&lib.take_header, &value, sizeof(value));
	else if (what == CURLOPT_WRITEDATA)
		lib.body_data = value;
	else if (what == CURLOPT_HEADERDATA)
		lib.header_data = value;
	return __real_curl_easy_setopt(easy, what, value);
}

curl_version_info_data *__wrap_curl_version_info(CURLversion age)
{
	static curl_version_info_data info;

	info = *__real_curl_version_info(age);
	if (lib.version)
		info.version_num = lib.version;
	return &info;
}

CURL *__wrap_curl_easy_init(void)
{
	lib.n_handles++;
	return __real_curl_easy_init();
}

#define LANES    64   /* of attempt_http.c */
#define READ_MAX 4096 /* likewise */

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
	memset(&lib, 0, sizeof(lib));
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
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
		  KEEP, 200, HEALTH_REASON_OK, 200 },
		/* a server that ends within its header has answered nothing */
		{ "HTTP/1.1 200 OK\r\n", CLOSE, 200, HEALTH_REASON_BAD_ANSWER, 200 },
		{ "HTTP/1.1 200 OK\r\nServer: x\r\n", CLOSE, 200, HEALTH_REASON_BAD_ANSWER, 200 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", CLOSE, 200,
		  HEALTH_REASON_BAD_ANSWER, 200 },
		{ "HTTP/1.1 200 OK\nServer: x\n\n", CLOSE, 200, HEALTH_REASON_OK, 200 },
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
	unsigned detail, before = count_descriptors();
	struct loop_timer soon = { .cb = on_time, .arg = run.loop };

	(void)state;
	for (int i = 0; i <= LANES; i++) {
		assert_int_equal(
		        attempt_start(&run.prober, &attempts[i], &run.spec, on_end, &run, &detail),
		        HEALTH_REASON_NONE);
		for (int k = 0; k < i; k++)
			assert_int_equal(attempts[i].lane == attempts[k].lane, i - k == LANES);
	}
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

/* Before 8.1.1 libcurl's handles cannot be used again. */
static void a_handle_used_again_keeps_nothing_of_its_attempt(void **state)
{
	static const unsigned versions[] = { 0x080101, 0x080100, 0x090000 };

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		unsigned one = versions[i] >= 0x080101;

		prober_close(&run.prober);
		lib.version = versions[i];
		lib.n_handles = 0;
		assert_int_equal(prober_open(&run.prober, run.loop), 0);
		run.spec.host = "first.example";
		run.spec.path = "/first";
		assert_int_equal(try_answer("HTTP/1.1 200 OK\r\n\r\n", CLOSE), HEALTH_REASON_OK);
		run.spec.host = "";
		run.spec.path = "/second";
		assert_int_equal(try_answer("HTTP/1.1 503 No\r\n\r\n", CLOSE),
		                 HEALTH_REASON_BAD_STATUS);
		assert_non_null(strstr(server.request, "GET /second "));
		assert_null(strstr(server.request, "first"));
		assert_int_equal(try_answer("", CLOSE),
		                 HEALTH_REASON_RESET); /* no status of before */
		assert_int_equal(lib.n_handles, one ? 1 : 3);
	}
}

static void each_end_of_a_transfer_has_its_reason(void **state)
{
	static const struct {
		CURLcode code;
		long status, error;
		bool has_status;
		enum health_reason why;
		unsigned detail;
	} cases[] = {
		{ CURLE_OK, 200, 0, true, HEALTH_REASON_OK, 200 },
		{ CURLE_OK, 404, 0, true, HEALTH_REASON_BAD_STATUS, 404 },
		{ CURLE_OK, 200, 0, false, HEALTH_REASON_BAD_ANSWER, 200 },
		{ CURLE_WRITE_ERROR, 200, 0, true, HEALTH_REASON_OK, 200 },
		{ CURLE_WRITE_ERROR, 500, 0, true, HEALTH_REASON_BAD_STATUS, 500 },
		{ CURLE_COULDNT_CONNECT, 0, ECONNREFUSED, false, HEALTH_REASON_REFUSED,
		  ECONNREFUSED },
		{ CURLE_COULDNT_CONNECT, 0, ETIMEDOUT, false, HEALTH_REASON_TIMEOUT, ETIMEDOUT },
		{ CURLE_COULDNT_CONNECT, 0, EHOSTUNREACH, false, HEALTH_REASON_UNREACHABLE,
		  EHOSTUNREACH },
		{ CURLE_OPERATION_TIMEDOUT, 0, 0, false, HEALTH_REASON_TIMEOUT, 0 },
		{ CURLE_RECV_ERROR, 200, ECONNRESET, true, HEALTH_REASON_RESET, 0 },
		{ CURLE_SEND_ERROR, 0, EPIPE, false, HEALTH_REASON_RESET, 0 },
		{ CURLE_GOT_NOTHING, 0, 7, false, HEALTH_REASON_RESET, 0 },
		{ CURLE_PARTIAL_FILE, 200, 0, true, HEALTH_REASON_RESET, 0 },
		{ CURLE_URL_MALFORMAT, 0, 0, false, HEALTH_REASON_LOCAL, EINVAL },
		{ CURLE_OUT_OF_MEMORY, 0, 0, false, HEALTH_REASON_LOCAL, ENOMEM },
		{ CURLE_FAILED_INIT, 0, 0, false, HEALTH_REASON_LOCAL, ENOMEM },
		{ CURLE_WEIRD_SERVER_REPLY, 0, 0, false, HEALTH_REASON_BAD_ANSWER, 0 },
		{ CURLE_UNSUPPORTED_PROTOCOL, 0, 0, false, HEALTH_REASON_BAD_ANSWER, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum health_reason why;

		lib.on = true;
		lib.code = cases[i].code;
		lib.status = cases[i].status;
		lib.error = cases[i].error;
		why = try_answer(cases[i].has_status ? "HTTP/1.1 200 OK\r\n\r\n"
		                                     : "http/1.1 200 OK\r\n\r\n",
		                 CLOSE);
		lib.on = false;
		assert_int_equal(why, cases[i].why);
		assert_int_equal(run.detail, cases[i].detail);
	}
}

/* libcurl's timeouts are after so many ms; -1 is none. */
static void a_transfers_timer_is_set_ahead(void **state)
{
	static const struct {
		long first, second; /* the second takes the first one's place */
		unsigned n;
		uint64_t least_ms;
	} cases[] = { { 30, 60, 1, 60 }, { 60, 30, 1, 30 }, { 30, -1, 0, 0 }, { 5000, 0, 1, 0 } };
	struct loop_timer end = { .cb = on_time, .arg = run.loop };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t now_ms = clock_mono_ms();

		lib.n_timeouts = 0;
		assert_int_equal(lib.set_timer(lib.multi, cases[i].first, lib.timer_data), 0);
		assert_int_equal(lib.set_timer(lib.multi, cases[i].second, lib.timer_data), 0);
		loop_timer_set(run.loop, &end, now_ms + 100);
		assert_int_equal(loop_run(run.loop), 0);
		assert_int_equal(lib.n_timeouts, cases[i].n);
		assert_true(!cases[i].n || lib.timeout_ms >= now_ms + cases[i].least_ms);
	}
}

/* An attempt is under way, so that what libcurl would call is known. */
static void start_silent(void)
{
	assert_int_equal(
	        attempt_start(&run.prober, &run.attempt, &run.spec, on_end, &run, &run.detail),
	        HEALTH_REASON_NONE);
	assert_ptr_equal(lib.body_data, &run.attempt);
	assert_ptr_equal(lib.header_data, &run.attempt);
}

static void parts_of_an_answer_are_taken_to_their_limits(void **state)
{
	char status[] = "HTTP/1.1 200 OK\r\n", bytes[64] = "";
	struct attempt *a = &run.attempt;

	(void)state;
	start_silent();
	assert_int_equal(lib.take_body(bytes, 2, 30, a), 60);
	assert_int_equal(a->body_bytes, 60);
	a->body_bytes = ATTEMPT_BODY_MAX - 10;
	assert_int_equal(lib.take_body(bytes, 1, 10, a), 10);
	assert_int_equal(lib.take_body(bytes, 1, 1, a), 0);
	assert_int_equal(lib.take_header(status, 1, strlen(status), a), strlen(status));
	assert_true(a->has_status);
	/* "HTTP" is another header's begin */
	assert_int_equal(lib.take_header(status, 1, 4, a), 4);
	assert_true(a->has_status);
	strcpy(status, "HTTP/1.1 2\r\n"); /* the last one decides */
	assert_int_equal(lib.take_header(status, 2, strlen(status) / 2, a), strlen(status));
	assert_false(a->has_status);
	attempt_abort(a);
}

/* Whether libcurl's giving the first @p n bytes of @p line makes it a status line. */
static bool is_taken(const char *line, size_t n)
{
	char copy[64];

	strcpy(copy, line);
	run.attempt.has_status = false;
	assert_int_equal(lib.take_header(copy, 1, n, &run.attempt), n);
	return run.attempt.has_status;
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
	start_silent();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(is_taken(cases[i].line, strlen(cases[i].line)), cases[i].is);
	/* what is behind the end does not count */
	assert_false(is_taken("HTTP/1.1 200 OK\r\n", 12));
	assert_true(is_taken("HTTP/1.1 200 OK\r\n", 13));
	attempt_abort(&run.attempt);
}

SUITE(attempt_http)
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
