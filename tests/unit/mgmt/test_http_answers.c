/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How answers go out: their heads to the letter, their time, what a full socket and a signal do,
 * and the end after a refusal.
 */
#include "conn_pair.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

/* What the next call returns: an errno, or bytes at most; 0: as the socket says. */
static int next_errno;
static size_t next_most;

static ssize_t own_recv(int fd, void *out, size_t n, int flags)
{
	errno = next_errno;
	return next_errno ? -1 : __real_recv(fd, out, n, flags);
}

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	size_t most = next_most;

	next_most = 0;
	errno = next_errno;
	return next_errno ? -1 : __real_send(fd, bytes, most && most < n ? most : n, flags);
}

/* The documented values, not the code's own: a change of those is seen. */
#define WRITE_MS  20000
#define LINGER_MS 5000
#define HOST      "Host: weir\r\n"
#define GET       "GET /a HTTP/1.1\r\n" HOST "\r\n"
#define ALWAYS                                                                                     \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"                           \
	"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n"

static int begin_test(void **state)
{
	next_errno = 0;
	next_most = 0;
	return setup(state);
}

/* The number behind "Content-Length: ", or -1. */
static long length_of(const char *text)
{
	const char *at = strstr(text, "\r\nContent-Length: ");

	return at ? atol(at + 18) : -1;
}

static const char *body_of(const char *text)
{
	const char *at = strstr(text, "\r\n\r\n");

	assert_non_null(at);
	return at + 4;
}

/* The head of @p reply with @p n bytes, without its Date, which is checked. */
static const char *head_of(const struct http_reply *reply, size_t n, bool close)
{
	static char text[2048];
	struct http_conn *c = conns[0];
	char day[8], month[8];
	int d, year, h, m, s, end = 0;

	c->reply = *reply;
	c->reply.text = reply->text ? strdup(reply->text) : NULL;
	c->text = calloc(1, n + 1);
	assert_non_null(c->text);
	memset(c->text, 'x', n);
	c->head.close = close;
	assert_int_equal(http_send_reply(c), HTTP_GO_ON);
	assert_int_equal(http_step_write(c), close ? HTTP_END : HTTP_GO_ON);

	const char *answer = read_answer(0), *date = strstr(answer, "\r\nDate: ");

	assert_non_null(date);
	assert_int_equal(sscanf(date, "\r\nDate: %3s, %2d %3s %4d %2d:%2d:%2d GMT%n", day, &d,
	                        month, &year, &h, &m, &s, &end),
	                 7);
	assert_true(end > 0 && year >= 2025);
	assert_true(llabs(time(NULL) % 3600 - (m * 60 + s)) % 3598 < 60);
	assert_int_equal(strlen(body_of(answer)), reply->status == 304 ? 0 : n);
	snprintf(text, sizeof(text), "%.*s%.*s", (int)(date - answer), answer,
	         (int)(body_of(answer) - date) - end, date + end);
	return text;
}

static void a_head_says_what_the_answer_is(void **state)
{
	char page[] = "page";
	const struct http_reply ok = { .status = 200 };
	const struct http_reply problem = { .status = 404 };
	const struct http_reply text = { .status = 200, .text = page, .type = "text/html" };
	const struct http_reply text_problem = { .status = 500,
		                                 .text = page,
		                                 .type = "text/plain" };
	const struct http_reply same = { .status = 304, .etag = "\"v1\"" };
	const struct http_reply all = { .status = 429,
		                        .etag = "\"v2\"",
		                        .challenge = "Bearer",
		                        .allow = "GET, HEAD",
		                        .replayed = true,
		                        .retry_s = 3600 };
	const struct http_reply unheard_of = { .status = 299 };

	(void)state;
	assert_string_equal(
	        head_of(&ok, 7, false),
	        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json\r\n" ALWAYS);
	assert_string_equal(head_of(&problem, 8, false),
	                    "HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n"
	                    "Content-Type: application/problem+json\r\n" ALWAYS);
	assert_string_equal(
	        head_of(&text, 4, false),
	        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: text/html\r\n" ALWAYS);
	assert_string_equal(head_of(&text_problem, 4, false),
	                    "HTTP/1.1 500 Internal Server Error\r\n"
	                    "Content-Length: 4\r\nContent-Type: text/plain\r\n" ALWAYS);
	assert_string_equal(head_of(&same, 0, false),
	                    "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n" ALWAYS);
	assert_string_equal(
	        head_of(&all, 0, true),
	        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nETag: \"v2\"\r\n"
	        "WWW-Authenticate: Bearer\r\nAllow: GET, HEAD\r\nIdempotent-Replay: true\r\n"
	        "Retry-After: 3600\r\nConnection: close\r\n" ALWAYS);
	assert_string_equal(head_of(&unheard_of, 0, false),
	                    "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n" ALWAYS);
}

static void a_head_alone_has_the_length_of_the_whole(void **state)
{
	(void)state;
	say_on(0, GET);
	finish_request();
	const char *text = read_answer(0);
	long length = length_of(text);
	assert_int_equal(length, strlen(body_of(text)));
	assert_string_equal(body_of(text), "{\n \"path\": \"/a\"\n}");
	say_on(0, "HEAD /a HTTP/1.1\r\n" HOST "\r\n");
	finish_request();
	text = read_answer(0);
	assert_int_equal(length_of(text), length);
	assert_string_equal(body_of(text), "");
	assert_false(is_closed(0));
}

/* An answer of @p n bytes of text, begun now. */
static void begin_answer(size_t n, unsigned status)
{
	conns[0]->text = malloc(n + 1);
	assert_non_null(conns[0]->text);
	memset(conns[0]->text, 'x', n);
	conns[0]->text[n] = '\0';
	conns[0]->reply.status = status;
	assert_int_equal(http_send_reply(conns[0]), HTTP_GO_ON);
}

static void an_unchanged_answer_has_no_body(void **state)
{
	(void)state;
	begin_answer(100, 304);
	assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
	const char *text = read_answer(0);
	assert_int_equal(status_of(text), 304);
	assert_int_equal(length_of(text), -1);
	assert_string_equal(body_of(text), "");
}

/* 20 s, and a second for each whole 64 KiB. */
static void a_long_answer_has_more_time(void **state)
{
	static const size_t lengths[] = { 10, 60000, 65536, 131072, 300000 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		told_ms += 10;
		turn_loop();
		begin_answer(lengths[i], 200);
		assert_int_equal(conns[0]->state, HTTP_WRITE);
		assert_int_equal(conns[0]->deadline_ms,
		                 told_ms + WRITE_MS + conns[0]->n_out / 65536 * 1000);
		assert_in_range(conns[0]->n_out, lengths[i] + 100, lengths[i] + 1000);
		assert_int_equal(server.answers.used, lengths[i]);
		http_give_out(conns[0]);
		assert_int_equal(server.answers.used, 0);
	}
}

static void an_answer_goes_on_where_the_socket_was_full(void **state)
{
	static char heard[400000];
	size_t n = 0, n_waits = 0;
	enum http_step step;

	(void)state;
	begin_answer(300000, 200);
	size_t whole = conns[0]->n_out;
	while ((step = http_step_write(conns[0])) == HTTP_WAIT) {
		assert_int_equal(conns[0]->wants, EPOLLOUT);
		for (ssize_t got = 1; got > 0; n += got > 0 ? (size_t)got : 0)
			got = recv(clients[0], heard + n, sizeof(heard) - n, MSG_DONTWAIT);
		n_waits++;
	}
	assert_int_equal(step, HTTP_GO_ON);
	n += (size_t)recv(clients[0], heard + n, sizeof(heard) - n, MSG_DONTWAIT);
	assert_true(n_waits > 0);
	assert_int_equal(n, whole);
	assert_int_equal(strspn(body_of(heard), "x"), 300000);
	assert_int_equal(server.answers.used, 0);
	assert_int_equal(conns[0]->state, HTTP_HEAD); /* the next request may come */
}

static void answers_have_a_budget(void **state)
{
	(void)state;
	server.answers = (struct http_budget){ 1000, 1000, 0, 0 };
	begin_answer(1000, 200);
	assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
	assert_int_equal(status_of(read_answer(0)), 200);
	begin_answer(1001, 200);
	assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
	const char *text = read_answer(0);
	assert_int_equal(status_of(text), 503);
	assert_non_null(strstr(text, "\r\nRetry-After: 1\r\n"));
	assert_non_null(
	        strstr(text, "too many answers are being sent at once; ask again in a second"));
	assert_int_equal(length_of(text), strlen(body_of(text)));
	assert_int_equal(server.answers.used, 0);
	/* a page or the metrics: nothing of them goes with the refusal */
	conns[0]->reply.text = calloc(1, 1002);
	memset(conns[0]->reply.text, 'x', 1001);
	conns[0]->reply.type = "text/html";
	begin_answer(1001, 200);
	assert_true(conns[0]->n_out < 1000);
	assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
	text = read_answer(0);
	assert_int_equal(status_of(text), 503);
	assert_non_null(strstr(text, "\r\nContent-Type: application/problem+json\r\n"));
	assert_non_null(strstr(body_of(text), "\"code\": \"busy\""));
	assert_int_equal(server.answers.used, 0);
}

/* A signal is no end; what fails is. */
static void a_signal_is_no_end(void **state)
{
	char byte;

	(void)state;
	next_errno = EINTR;
	assert_int_equal(http_read_bytes(conns[0], &byte, 1), -EAGAIN);
	assert_int_equal(conns[0]->wants, EPOLLIN);
	assert_int_equal(http_write_bytes(conns[0], "x", 1), -EAGAIN);
	assert_int_equal(conns[0]->wants, EPOLLOUT);
	next_errno = ECONNRESET;
	assert_int_equal(http_read_bytes(conns[0], &byte, 1), -ECONNRESET);
	assert_int_equal(http_write_bytes(conns[0], "x", 1), -ECONNRESET);
	next_errno = EINTR;
	assert_int_equal(http_step_linger(conns[0]), HTTP_WAIT);
	next_errno = EAGAIN;
	assert_int_equal(http_step_linger(conns[0]), HTTP_WAIT);
	assert_int_equal(conns[0]->wants, EPOLLIN);
	next_errno = ECONNRESET;
	assert_int_equal(http_step_linger(conns[0]), HTTP_END);
	next_errno = 0;
}

static void a_refusal_says_whether_to_ask_again(void **state)
{
	static const struct {
		unsigned status;
		bool again;
	} rows[] = { { 400, false }, { 413, false }, { 429, true }, { 500, false }, { 503, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i)
			connect_one(0, false);
		assert_int_equal(http_refuse(conns[0], rows[i].status, "code", "100 % said"),
		                 HTTP_GO_ON);
		assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
		const char *text = read_answer(0);
		assert_int_equal(status_of(text), rows[i].status);
		assert_int_equal(!!strstr(text, "\r\nRetry-After: 1\r\n"), rows[i].again);
		assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
		assert_non_null(strstr(text, "\"detail\": \"100 % said\""));
		assert_int_equal(conns[0]->state, HTTP_LINGER);
		http_conn_close(conns[0]);
		close(clients[0]);
	}
	clients[0] = -1;
}

/* Refused ones end one after the other, not all at once. */
static void refused_connections_end_at_different_times(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 33; i++) {
		if (i)
			connect_one(0, false);
		assert_int_equal(http_refuse(conns[0], 400, "code", "no"), HTTP_GO_ON);
		assert_int_equal(http_step_write(conns[0]), HTTP_GO_ON);
		assert_int_equal(conns[0]->state, HTTP_LINGER);
		assert_int_equal(conns[0]->deadline_ms, told_ms + LINGER_MS - i % 32 * 64);
		http_conn_close(conns[0]);
		close(clients[0]);
	}
	clients[0] = -1;
}

static void what_comes_after_a_refusal_is_dropped_until_the_end(void **state)
{
	char byte;

	(void)state;
	server.drops = (struct http_tokens){ 0 };
	say_on(0, "nonsense\r\n\r\n");
	assert_int_equal(status_of(read_answer(0)), 400);
	assert_false(is_closed(0));
	assert_int_equal(conns[0]->state, HTTP_LINGER);
	assert_int_equal(recv(clients[0], &byte, 1, MSG_DONTWAIT), 0); /* no more from here */
	say_on(0, "more and more");
	assert_false(is_closed(0));
	shutdown(clients[0], SHUT_WR);
	turn_loop();
	assert_true(is_closed(0));
}

/* A sign of work that was sent in part is whole before the answer. */
static void a_sign_of_work_is_never_cut(void **state)
{
	static const char sign[] = "HTTP/1.1 102 Processing\r\nWeir-Doing: it waits\r\n\r\n";
	const char *text;

	(void)state;
	server.options.local = true;
	for (size_t cut = 1; cut < sizeof(sign) - 1; cut += 7) {
		answers_at_once = false;
		say_on(0, "GET /a HTTP/1.1\r\n" HOST "Weir-Progress: 1\r\n\r\n");
		atomic_store(&conns[0]->doing, "it waits");
		next_most = cut;
		http_send_pulse(conns[0]);
		next_most = 0;
		http_send_pulse(conns[0]); /* not while the rest of one waits */
		text = read_answer(0);
		assert_int_equal(strlen(text), cut);
		assert_int_equal(strncmp(text, sign, cut), 0);
		sem_post(&may_answer);
		finish_request();
		text = read_answer(0);
		assert_int_equal(strncmp(text, sign + cut, sizeof(sign) - 1 - cut), 0);
		assert_int_equal(status_of(text + sizeof(sign) - 1 - cut), 200);
	}
}

SUITE(http_answers)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_test, teardown)
	const struct CMUnitTest tests[] = {
		T(a_head_says_what_the_answer_is),
		T(a_head_alone_has_the_length_of_the_whole),
		T(an_unchanged_answer_has_no_body),
		T(a_long_answer_has_more_time),
		T(an_answer_goes_on_where_the_socket_was_full),
		T(answers_have_a_budget),
		T(a_signal_is_no_end),
		T(a_refusal_says_whether_to_ask_again),
		T(refused_connections_end_at_different_times),
		T(what_comes_after_a_refusal_is_dropped_until_the_end),
		T(a_sign_of_work_is_never_cut),
	};

	conn_pair_begin();
	answer_recv = own_recv;
	answer_send = own_send;
	return cmocka_run_group_tests_name("http answers", tests, NULL, NULL);
}
