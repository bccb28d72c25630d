/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of the API, on a socket pair and with the test's own clock: deadlines, budgets, logins, order. */
#include "conn_pair.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define HEAD_MS       10000
#define IDLE_MS       30000
#define QUEUE_MS      15000
#define PULSE_MS      1000
#define HOST          "Host: weir\r\n"
#define TYPE          "Content-Type: application/json\r\n"
#define GET           "GET /a HTTP/1.1\r\n" HOST "\r\n"
#define PEER          "Authorization: Bearer peer\r\n"
#define WRONG         "Authorization: Bearer wrong\r\n"
#define POST(n_bytes) "POST /a HTTP/1.1\r\n" HOST TYPE "Content-Length: " n_bytes "\r\n\r\n"

static void requests_are_answered_in_any_pieces(void **state)
{
	static const char two[] = GET "GET /b HTTP/1.1\r\n" HOST "\r\n";
	const char *text;

	(void)state;
	for (size_t cut = 1; cut < sizeof(two) - 1; cut++) {
		char first[sizeof(two)];

		snprintf(first, sizeof(first), "%.*s", (int)cut, two);
		say_on(0, first);
		if (conns[0]->state == HTTP_RUNNING)
			finish_request();
		say_on(0, two + cut);
		while (conns[0]->state == HTTP_RUNNING) {
			finish_request();
			turn_loop();
		}
		text = read_answer(0);
		const char *a = strstr(text, "\"/a\""), *b = strstr(text, "\"/b\"");
		if (!a || !b || a > b)
			fail_msg("cut at %zu: %s", cut, text);
		assert_int_equal(conns[0]->n_in, 0);
	}
	assert_int_equal(n_handled, 2 * (sizeof(two) - 2));
}

/* A head has its time from its first byte, however often another one comes. */
static void a_slow_head_has_one_deadline(void **state)
{
	(void)state;
	told_ms += HEAD_MS - 1; /* without a byte: as long as a handshake may take */
	turn_loop();
	assert_false(is_closed(0));
	say_on(0, "G");
	told_ms += HEAD_MS - 1;
	turn_loop();
	say_on(0, "E");
	assert_false(is_closed(0));
	told_ms += 1;
	turn_loop();
	assert_int_equal(status_of(read_answer(0)), 408);
	assert_int_equal(*counted.timed_out, 1);
}

/* The head of a further request has the whole time, too, however long the connection was idle. */
static void a_further_head_has_its_own_time(void **state)
{
	(void)state;
	assert_int_equal(ask_on(0, GET), 200);
	told_ms += IDLE_MS - 1;
	say_on(0, "G");
	told_ms += HEAD_MS - 1;
	turn_loop();
	say_on(0, "E");
	assert_false(is_closed(0));
	assert_string_equal(read_answer(0), "");
	told_ms++;
	turn_loop();
	assert_int_equal(status_of(read_answer(0)), 408);
}

/* A request, its body and the next ones in one piece: each is answered with its own path, in their order. */
static void requests_behind_a_body_are_whole(void **state)
{
	static const char *const bodies[] = {
		"Content-Length: 5\r\n\r\n{\"a\"}",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\"}\r\n0\r\n\r\n"
	};

	(void)state;
	answers_at_once = false;
	for (size_t i = 0; i < 2; i++) {
		char text[512];
		size_t n = 0;

		snprintf(text, sizeof(text),
		         "POST /p HTTP/1.1\r\n" HOST TYPE "%sGET /q HTTP/1.1\r\n" HOST
		         "\r\nGET /r HTTP/1.1\r\n" HOST "\r\n",
		         bodies[i]);
		say_on(0, text);
		char heard[8192] = "";
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(conns[0]->state, HTTP_RUNNING);
			sem_post(&may_answer); /* one: the next handler waits */
			finish_request();
			if (k == 0) {
				assert_int_equal(n_last_body, 5);
				assert_string_equal(last_body, "{\"a\"}");
			}
			turn_loop();
			n += (size_t)snprintf(heard + n, sizeof(heard) - n, "%s", read_answer(0));
		}
		const char *first = strstr(heard, "\"/p\""), *second = strstr(heard, "\"/q\""),
		           *third = strstr(heard, "\"/r\"");
		assert_true(first && second && third && first < second && second < third);
		assert_int_equal(conns[0]->n_in, 0);
	}
}

static void who_says_nothing_is_closed_without_a_word(void **state)
{
	(void)state;
	assert_int_equal(ask_on(0, GET), 200);
	told_ms += IDLE_MS - 1;
	turn_loop();
	assert_false(is_closed(0));
	told_ms++;
	turn_loop();
	assert_true(is_closed(0));
	assert_string_equal(read_answer(0), "");
	assert_int_equal(*counted.timed_out, 0); /* a kept connection that ends is no trouble */
	connect_one(1, true);
	assert_int_equal(ask_on(1, GET), 200);
	told_ms += 2 * IDLE_MS; /* a peer may keep it for longer */
	turn_loop();
	assert_false(is_closed(1));
	told_ms += IDLE_MS / 2;
	turn_loop();
	assert_true(is_closed(1));
}

/* A second for each 64 KiB beside the 20. */
static void a_slow_body_has_time_by_its_length(void **state)
{
	(void)state;
	say_on(0, "POST /a HTTP/1.1\r\n" HOST TYPE "Content-Length: 131072\r\n\r\nx");
	told_ms += 21999;
	turn_loop();
	say_on(0, "x");
	assert_false(is_closed(0));
	assert_string_equal(read_answer(0), "");
	told_ms++;
	turn_loop();
	assert_int_equal(status_of(read_answer(0)), 408);
	assert_int_equal(*counted.timed_out, 1);
	assert_int_equal(server.bodies.used, 0);
}

/* The length is not known before: each 64 KiB that have come give a second more. */
static void a_slow_body_in_chunks_has_time_by_what_came(void **state)
{
	static char chunk[32768 + 10];

	(void)state;
	memcpy(chunk, "8000\r\n", 6);
	memset(chunk + 6, 'x', 32768);
	memcpy(chunk + 6 + 32768, "\r\n", 3);
	say_on(0, "POST /a HTTP/1.1\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n");
	told_ms += 19999;
	turn_loop();
	for (int i = 0; i < 3; i++)
		say_on(0, chunk);
	told_ms += 1000;
	turn_loop();
	assert_false(is_closed(0));
	say_on(0, chunk);
	told_ms += 1000;
	turn_loop();
	assert_string_equal(read_answer(0), "");
	told_ms++;
	turn_loop();
	assert_int_equal(status_of(read_answer(0)), 408);
	assert_int_equal(server.bodies.used, 0);
}

static void bodies_come_as_they_were_sent(void **state)
{
	static const struct {
		const char *head, *body;
	} rows[] = {
		{ "Content-Length: 5\r\n", "{\"a\"}" },
		{ "Transfer-Encoding: chunked\r\n", "3\r\n{\"a\r\n2\r\n\"}\r\n0\r\n\r\n" },
		{ "Transfer-Encoding: chunked\r\n",
		  "1;x=y\r\n{\r\n04\r\n\"a\"}\r\n0\r\nX: y\r\n\r\n" },
	};

	(void)state;
	answers_at_once = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].body); cut++) {
			char first[256];

			snprintf(first, sizeof(first),
			         "POST /a HTTP/1.1\r\n" HOST TYPE "%s\r\n%.*s", rows[i].head,
			         (int)cut, rows[i].body);
			say_on(0, first);
			/* the next request behind it, in one piece with its end */
			char rest[256];
			snprintf(rest, sizeof(rest), "%s" GET, rows[i].body + cut);
			say_on(0, rest);
			while (conns[0]->state == HTTP_RUNNING) {
				sem_post(&may_answer); /* one: the next handler waits */
				finish_request();
				if (n_handled % 2) {
					assert_int_equal(n_last_body, 5);
					assert_string_equal(last_body, "{\"a\"}");
				}
				turn_loop();
			}
			const char *text = read_answer(0);
			if (status_of(text) != 200 || !strstr(text + 9, "HTTP/1.1 200"))
				fail_msg("row %zu, cut %zu: %s", i, cut, text);
			assert_int_equal(server.bodies.used, 0);
		}
}

/* A body in chunks grows by doubling, within the budget, and is whole. */
static void a_body_in_chunks_grows(void **state)
{
	static char chunk[8200];

	(void)state;
	memset(chunk, 'x', sizeof(chunk) - 1);
	memcpy(chunk, "1ff0\r\n", 6);
	memcpy(chunk + 6 + 0x1ff0, "\r\n", 3);
	say_on(0, "POST /a HTTP/1.1\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20; i++)
		say_on(0, chunk);
	assert_int_equal(conns[0]->n_body, 20 * 0x1ff0);
	assert_true(server.bodies.used >= 20 * 0x1ff0);
	assert_int_equal(server.bodies.used, server.bodies.used_by_strangers);
	assert_int_equal(ask_on(0, "0\r\n\r\n"), 200);
	assert_int_equal(n_last_body, 20 * 0x1ff0);
	assert_int_equal(server.bodies.used, 0);
}

static void a_body_is_bounded_alone_and_with_others(void **state)
{
	(void)state;
	assert_int_equal(ask_on(0, POST("33554433")), 413);
	connect_one(1, false);
	say_on(1, POST("33554432"));
	assert_int_equal(conns[1]->state, HTTP_BODY);
	assert_int_equal(server.bodies.used_by_strangers, BODY_MAX);
	http_conn_close(conns[0]);
	close(clients[0]);
	connect_one(0, false);
	assert_int_equal(ask_on(0, POST("1048577")), 503);
	assert_int_equal(server.bodies.used, BODY_MAX);
}

static void a_client_that_asks_first_is_told_to_go_on(void **state)
{
	static const char head[] = "POST /a HTTP/1.1\r\n" HOST TYPE
	                           "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
	char whole[256];

	(void)state;
	say_on(0, head);
	assert_string_equal(read_answer(0), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(ask_on(0, "{}"), 200);
	snprintf(whole, sizeof(whole), "%s{}", head); /* it has not waited */
	assert_int_equal(ask_on(0, whole), 200);
}

static void what_cannot_be_told_apart_ends_the_connection(void **state)
{
	static const char *const with[] = {
		"Content-Length: 2\r\n\r\n{}",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[256];

		snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\n" HOST "%s", with[i]);
		say_on(0, text);
		const char *answer = read_answer(0);
		assert_int_equal(status_of(answer), 400);
		assert_non_null(strstr(answer, "Connection: close"));
		assert_int_equal(n_handled, 0);
		if (!is_closed(0))
			http_conn_close(conns[0]);
		close(clients[0]);
		connect_one(0, false);
	}
	assert_int_equal(ask_on(0, "GET /no HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_false(is_closed(0)); /* refused, and read whole: it goes on */
	assert_int_equal(ask_on(0, GET), 200);
}

/* A browser is asked for a password at the page alone; and what is refused says so whatever was asked before. */
static void refusals_are_whole(void **state)
{
	static char large[33000];
	const char *text;

	(void)state;
	say_on(0, "GET / HTTP/1.1\r\n" HOST WRONG "\r\n");
	assert_non_null(strstr(read_answer(0), "WWW-Authenticate: Basic realm=\"weir\"\r\n"));
	connect_one(1, false);
	say_on(1, "GET /v1/status HTTP/1.1\r\n" HOST WRONG "\r\n");
	assert_non_null(strstr(read_answer(1), "WWW-Authenticate: Bearer realm=\"weir\"\r\n"));
	for (size_t i = 0; i < 2; i++) {
		http_conn_close(conns[i]);
		close(clients[i]);
		connect_one(i, false);
	}
	say_on(0, "HEAD /a HTTP/1.1\r\n" HOST "\r\n"); /* its answer has no text */
	finish_request();
	assert_string_equal(strstr(read_answer(0), "\r\n\r\n"), "\r\n\r\n");
	int n = snprintf(large, sizeof(large), "GET /a HTTP/1.1\r\nX: ");
	memset(large + n, 'x', sizeof(large) - 1 - (size_t)n);
	say_on(0, large);
	text = read_answer(0);
	assert_int_equal(status_of(text), 431);
	assert_non_null(strstr(text, "\r\n\r\n{"));
}

/* What makes a body in chunks too large, and what makes it one too many. */
static void a_body_in_chunks_is_bounded(void **state)
{
	static char chunk[16384 + 10];

	(void)state;
	memcpy(chunk, "4000\r\n", 6);
	memset(chunk + 6, 'x', 16384);
	memcpy(chunk + 6 + 16384, "\r\n", 3);
	say_on(0, "POST /a HTTP/1.1\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2048; i++)
		say_on(0, chunk);
	assert_int_equal(conns[0]->n_body, BODY_MAX);
	assert_string_equal(read_answer(0), "");
	say_on(0, "1\r\nx\r\n");
	const char *text = read_answer(0);
	assert_int_equal(status_of(text), 413);
	assert_non_null(strstr(text, "33554432"));
	assert_int_equal(server.bodies.used, 0);
	server.bodies.strangers = 100000;
	connect_one(1, false);
	say_on(1, "POST /a HTTP/1.1\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 4; i++)
		say_on(1, chunk);
	assert_int_equal(conns[1]->n_body, 65536);
	say_on(1, "1\r\nx\r\n"); /* it would take twice as much */
	assert_int_equal(status_of(read_answer(1)), 503);
	assert_int_equal(server.bodies.used, 0);
	server.bodies.strangers = BODY_MAX + (1 << 20);
}

/* On the UNIX socket no login is looked for: who connects says it. A handler hears which way a request came. */
static void the_socket_knows_no_logins(void **state)
{
	(void)state;
	assert_int_equal(ask_on(0, GET), 200);
	assert_false(last_local);
	server.options.local = true;
	assert_int_equal(ask_on(0, GET), 200);
	assert_true(last_local);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST WRONG "\r\n"), 200);
	assert_int_equal(*counted.logins_failed, 0);
	say_on(0, "GET /no HTTP/1.1\r\n" HOST WRONG "\r\n"); /* nobody may go on */
	assert_non_null(strstr(read_answer(0), "Connection: close"));
}

/* A source whose logins are all used up may still ask for what needs none; a peer's source may log in. */
static void without_a_login_none_is_counted(void **state)
{
	(void)state;
	source.failures = (struct http_tokens){ .used_milli = 10000, .at_ms = told_ms };
	assert_int_equal(ask_on(0, GET), 200);
	connect_one(1, true);
	assert_int_equal(ask_on(1, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 200);
	assert_int_equal(*counted.logins_failed, 0);
	assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 429);
	assert_int_equal(*counted.logins_failed, 1);
	assert_int_equal(n_handled, 2);
}

static void a_bad_head_is_refused_as_what_it_is(void **state)
{
	static const struct {
		const char *head;
		unsigned status;
	} rows[] = {
		{ "GET /a HTTP/1.1\r\n\r\n", 400 },
		{ "GET /a HTTP/1.1\r\nHost weir\r\n\r\n", 400 },
		{ "GET /a HTTP/1.1\nHost: weir\n\n", 400 },
		{ "GET /a HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "POST /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
		  400 },
		{ "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say_on(0, rows[i].head);
		const char *text = read_answer(0);

		if (status_of(text) != rows[i].status || !strstr(text, "Connection: close"))
			fail_msg("row %zu: %s", i, text);
		assert_int_equal(n_handled, 0);
		http_conn_close(conns[0]);
		close(clients[0]);
		connect_one(0, false);
	}
}

/* A client that goes away in the middle of a body takes it with it. */
static void half_a_body_is_no_request(void **state)
{
	static const char *const halves[] = { "Content-Length: 5\r\n\r\n{\"a",
		                              "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[256];

		snprintf(text, sizeof(text), "POST /a HTTP/1.1\r\n" HOST TYPE "%s", halves[i]);
		say_on(0, text);
		assert_false(is_closed(0));
		shutdown(clients[0], SHUT_WR);
		turn_loop();
		assert_true(is_closed(0));
		assert_int_equal(n_handled, 0);
		assert_int_equal(server.bodies.used, 0);
		close(clients[0]);
		connect_one(0, false);
	}
}

/* Ten at once, then one a second; the right token does not help, and a peer is spared. */
static void failed_logins_are_limited(void **state)
{
	(void)state;
	connect_one(1, true);
	for (unsigned i = 1; i <= 12; i++) {
		http_conn_close(conns[0]);
		close(clients[0]);
		connect_one(0, false);
		assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST WRONG "\r\n"),
		                 i <= 10 ? 401 : 429);
		assert_int_equal(*counted.logins_failed, i);
	}
	assert_int_equal(ask_on(1, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 200);
	for (unsigned i = 0; i < 3; i++) {
		http_conn_close(conns[0]);
		close(clients[0]);
		connect_one(0, false);
		if (i == 1)
			told_ms += 999;
		if (i == 2)
			told_ms += 1;
		assert_int_equal(
		        ask_on(0, "GET /a HTTP/1.1\r\n" HOST "Authorization: Bearer good\r\n\r\n"),
		        i == 2 ? 200 : 429);
	}
	assert_int_equal(ask_on(0, GET), 200); /* without a login nothing is tried */
	assert_int_equal(ask_on(1, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 200);
	assert_int_equal(n_handled, 4);
}

/*
 * While a body comes, or a thread is waited for, a token may be revoked: what has waited is judged
 * again before it is carried out.
 */
static void a_token_that_is_revoked_meanwhile_does_nothing(void **state)
{
	static const char head[] = "POST /admin HTTP/1.1\r\n" HOST TYPE
	                           "Authorization: Bearer good\r\nContent-Length: 4\r\n\r\n";

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		revoked = false;
		say_on(0, head);
		say_on(0, "ab");
		told_ms += 1000;
		revoked = i == 1;
		assert_int_equal(ask_on(0, "cd"), i ? 401 : 200);
		assert_int_equal(n_handled, 1);
		assert_int_equal(*counted.logins_failed, i);
	}
	assert_int_equal(server.bodies.used, 0);
	http_conn_close(conns[0]);
	close(clients[0]);
	connect_one(0, false);
	revoked = false;
	limits.runs = 0;
	say_on(0, head);
	say_on(0, "abcd");
	assert_int_equal(conns[0]->state, HTTP_QUEUED);
	told_ms += 1000;
	turn_loop();
	limits.runs = 8;
	lacks = true; /* no more is known of the token: it is not taken for the role that it had */
	http_conn_advance(conns[0]);
	turn_loop();
	assert_int_equal(status_of(read_answer(0)), 403);
	assert_int_equal(n_handled, 1);
}

/* A body may have come for minutes: failures of others at its address meanwhile do not lose it. */
static void failures_meanwhile_do_not_refuse_what_has_come(void **state)
{
	(void)state;
	connect_one(1, false);
	say_on(0, "POST /admin HTTP/1.1\r\n" HOST TYPE
	          "Authorization: Bearer good\r\nContent-Length: 4\r\n\r\nab");
	for (unsigned i = 1; i <= 12; i++) {
		assert_int_equal(ask_on(1, "GET /a HTTP/1.1\r\n" HOST WRONG "\r\n"),
		                 i <= 10 ? 401 : 429);
		http_conn_close(conns[1]);
		close(clients[1]);
		connect_one(1, false);
	}
	told_ms += 10;
	assert_int_equal(ask_on(0, "cd"), 200);
}

/* Whether a token is wrong is not known then: that is for the gate to say, and no failure. */
static void who_cannot_be_judged_has_not_failed(void **state)
{
	(void)state;
	lacks = true;
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST WRONG "\r\n"), 200);
	assert_int_equal(ask_on(0, "GET /no HTTP/1.1\r\n" HOST WRONG "\r\n"), 404);
	assert_int_equal(*counted.logins_failed, 0);
}

/* What lacked at the head may be there when the body has come: then the token is judged, whatever was not known before. */
static void who_can_be_judged_later_is_judged_then(void **state)
{
	static const struct {
		bool lacks[2]; /* at the head, and behind the body */
		unsigned status, n_failed;
	} rows[] = {
		{ { true, true }, 200, 0 },
		{ { true, false }, 401, 1 },
		{ { false, false }, 401, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t failed = *counted.logins_failed;

		lacks = rows[i].lacks[0];
		say_on(0, "POST /a HTTP/1.1\r\n" HOST TYPE WRONG "Content-Length: 4\r\n\r\nab");
		told_ms += 1000;
		lacks = rows[i].lacks[1];
		assert_int_equal(ask_on(0, "cd"), rows[i].status);
		assert_int_equal(*counted.logins_failed - failed, rows[i].n_failed);
		http_conn_close(conns[0]);
		close(clients[0]);
		connect_one(0, false);
	}
	assert_int_equal(n_handled, 1);
}

static void who_shows_the_peers_token_is_known(void **state)
{
	(void)state;
	assert_int_equal(server.n_conns[0], 1);
	assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 200);
	assert_true(conns[0]->known && source.was_peer);
	assert_int_equal(server.n_conns[0], 0);
	assert_int_equal(server.n_conns[1], 1);
	assert_int_equal(ask_on(0, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n"), 200);
	assert_int_equal(server.n_conns[1], 1);
}

/* A stranger's source has so many requests under way; a peer of the same address has threads apart. */
static void requests_of_one_source_wait_for_each_other(void **state)
{
	(void)state;
	limits.runs = 1;
	answers_at_once = false;
	connect_one(1, false);
	say_on(0, GET);
	assert_int_equal(conns[0]->state, HTTP_RUNNING);
	say_on(1, GET);
	assert_int_equal(conns[1]->state, HTTP_QUEUED);
	assert_int_equal(server.n_queued, 1);
	http_conn_advance(conns[1]);
	assert_int_equal(conns[1]->state, HTTP_QUEUED);
	sem_post(&may_answer);
	finish_request();
	assert_int_equal(status_of(read_answer(0)), 200);
	http_conn_advance(conns[1]);
	assert_int_equal(conns[1]->state, HTTP_RUNNING);
	assert_int_equal(server.n_queued, 0);
	say_on(0, "GET /a HTTP/1.1\r\n" HOST PEER "\r\n");
	assert_int_equal(conns[0]->state, HTTP_RUNNING);
	sem_post(&may_answer);
	sem_post(&may_answer);
	while (conns[0]->state == HTTP_RUNNING || conns[1]->state == HTTP_RUNNING)
		finish_request();
}

static void who_waits_too_long_for_a_thread_is_told_to_come_back(void **state)
{
	(void)state;
	limits.runs = 0;
	say_on(0, GET);
	assert_int_equal(conns[0]->state, HTTP_QUEUED);
	told_ms += QUEUE_MS - 1;
	turn_loop();
	assert_int_equal(conns[0]->state, HTTP_QUEUED);
	told_ms++;
	turn_loop();
	const char *text = read_answer(0);
	assert_int_equal(status_of(text), 503);
	assert_non_null(strstr(text, "Retry-After: 1"));
	assert_int_equal(n_handled, 0);
	assert_int_equal(*counted.timed_out, 0);
	connect_one(1, false);
	say_on(1, GET);
	assert_int_equal(conns[1]->state, HTTP_QUEUED);
	close(clients[1]);
	clients[1] = -1;
	limits.runs = 8;
	http_conn_advance(conns[1]); /* nobody would hear it: nothing is done */
	assert_true(is_closed(1));
	assert_int_equal(n_handled, 0);
	assert_int_equal(server.n_queued, 0);
}

static void a_handler_sees_that_its_client_is_gone(void **state)
{
	(void)state;
	answers_at_once = false;
	say_on(0, GET);
	assert_int_equal(conns[0]->state, HTTP_RUNNING);
	assert_true(conns[0]->watched && (conns[0]->wants & EPOLLRDHUP));
	assert_false(conns[0]->gone);
	close(clients[0]);
	clients[0] = -1;
	turn_loop();
	assert_true(conns[0]->gone);
	assert_false(conns[0]->watched); /* else epoll would report it again and again */
	sem_post(&may_answer);
	finish_request();
	assert_true(is_closed(0));
}

/* Who asked for it hears once a second that the request is under way. */
static void a_long_request_shows_signs_of_work(void **state)
{
	(void)state;
	answers_at_once = false;
	server.options.local = true;
	say_on(0, "GET /a HTTP/1.1\r\n" HOST "Weir-Progress: 1\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		told_ms += PULSE_MS - 1;
		turn_loop();
		assert_string_equal(read_answer(0), "");
		told_ms++;
		turn_loop();
		assert_int_equal(status_of(read_answer(0)), 102);
	}
	http_doing(conns[0]->request, "it counts sheep");
	told_ms += PULSE_MS;
	turn_loop();
	assert_non_null(strstr(read_answer(0), "\r\nWeir-Doing: it counts sheep\r\n"));
	/* one that the socket took in part goes on before the answer */
	conns[0]->out = strdup("HTTP/1.1 102 X\r\n\r\n");
	conns[0]->n_out = strlen(conns[0]->out);
	conns[0]->at_out = 14;
	told_ms += PULSE_MS;
	turn_loop();
	assert_string_equal(read_answer(0), ""); /* nor does another come in between */
	sem_post(&may_answer);
	finish_request();
	assert_int_equal(strncmp(read_answer(0), "\r\n\r\nHTTP/1.1 200", 16), 0);
	say_on(0, GET); /* without the header nothing is sent in between */
	told_ms += 2 * PULSE_MS;
	turn_loop();
	assert_string_equal(read_answer(0), "");
	sem_post(&may_answer);
	finish_request();
	assert_int_equal(status_of(read_answer(0)), 200);
}

SUITE(http_conn)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(requests_are_answered_in_any_pieces),
		T(a_slow_head_has_one_deadline),
		T(a_further_head_has_its_own_time),
		T(requests_behind_a_body_are_whole),
		T(who_says_nothing_is_closed_without_a_word),
		T(a_slow_body_has_time_by_its_length),
		T(a_slow_body_in_chunks_has_time_by_what_came),
		T(bodies_come_as_they_were_sent),
		T(a_body_in_chunks_grows),
		T(a_body_is_bounded_alone_and_with_others),
		T(a_client_that_asks_first_is_told_to_go_on),
		T(what_cannot_be_told_apart_ends_the_connection),
		T(refusals_are_whole),
		T(a_body_in_chunks_is_bounded),
		T(the_socket_knows_no_logins),
		T(without_a_login_none_is_counted),
		T(a_bad_head_is_refused_as_what_it_is),
		T(half_a_body_is_no_request),
		T(failed_logins_are_limited),
		T(a_token_that_is_revoked_meanwhile_does_nothing),
		T(failures_meanwhile_do_not_refuse_what_has_come),
		T(who_cannot_be_judged_has_not_failed),
		T(who_can_be_judged_later_is_judged_then),
		T(who_shows_the_peers_token_is_known),
		T(requests_of_one_source_wait_for_each_other),
		T(who_waits_too_long_for_a_thread_is_told_to_come_back),
		T(a_handler_sees_that_its_client_is_gone),
		T(a_long_request_shows_signs_of_work),
	};

	conn_pair_begin();
	return cmocka_run_group_tests_name("http connection", tests, NULL, NULL);
}
