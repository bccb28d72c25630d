/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets a connection of the API when many want one, and what a source may use of the server's time. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <cmocka.h>

#include "mgmt/http/internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "told_time.h"

static struct http_conn *closed[8];
static size_t n_closed;

static struct http_server server;
static struct http_limits few;
static struct http_source sources[4];
static struct http_conn conns[8];
static struct http_counters counted;

/* The loop hears the time, and nothing else. */
static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	(void)fd;
	(void)events;
	(void)most;
	(void)timeout_ms;
	loop_stop(server.loop);
	return 0;
}

static void pass_ms(uint64_t ms)
{
	told_ms += ms;
	assert_int_equal(loop_run(server.loop), 0);
}

static int setup(void **state)
{
	(void)state;
	few = (struct http_limits){ .strangers = 3, .known = 2, .per_stranger = 2, .per_known = 2 };
	server = (struct http_server){
		.limits = &few, .options = { .listen_fd = -1, .peers_fd = -1, .counters = &counted }
	};
	memset(sources, 0, sizeof(sources));
	memset(conns, 0, sizeof(conns));
	n_closed = 0;
	told_ms = 1000000;
	return loop_open(&server.loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_close(server.loop);
	return 0;
}

/* Connection @p i of source @p s, in @p at. */
static void join_source(size_t i, size_t s, bool known, enum http_state at)
{
	conns[i] = (struct http_conn){ .server = &server,
		                       .source = &sources[s],
		                       .known = known,
		                       .state = at,
		                       .fd = -1,
		                       .since_ms = told_ms };
	http_server_link(&server, &conns[i]);
}

/* Whether there is room for a connection of source @p s; who gives way for it is closed. */
static bool is_room(size_t s, bool known)
{
	struct http_conn *victim;
	bool is = http_server_room(&server, &sources[s], known, &victim);

	if (victim) {
		closed[n_closed++] = victim;
		http_server_forget(&server, victim);
	}
	return is;
}

static void a_source_has_so_many(void **state)
{
	(void)state;
	assert_true(is_room(0, false));
	join_source(0, 0, false, HTTP_HEAD);
	assert_true(is_room(0, false));
	join_source(1, 0, false, HTTP_HEAD);
	assert_false(is_room(0, false));
	assert_true(is_room(1, false));
	assert_int_equal(n_closed, 0);
	http_server_forget(&server, &conns[0]);
	assert_true(is_room(0, false));
	join_source(2, 1, true, HTTP_HEAD);
	join_source(3, 1, true, HTTP_HEAD);
	pass_ms(1000);
	assert_false(is_room(1, true));
	assert_false(is_room(2, true)); /* no peer makes room by force */
	assert_int_equal(server.n_conns[0], 1);
	assert_int_equal(server.n_conns[1], 2);
}

/* The oldest idle one of who has most gives way: at once to who has less, else after a second. */
static void who_has_most_makes_room(void **state)
{
	(void)state;
	join_source(0, 1, false, HTTP_HEAD);
	join_source(1, 0, false, HTTP_RUNNING);
	join_source(2, 0, false, HTTP_HEAD);
	join_source(3, 2, true, HTTP_HEAD);
	few.strangers = 3;
	few.per_stranger = 3;
	assert_true(is_room(3, false)); /* none against two */
	assert_int_equal(n_closed, 1);
	assert_ptr_equal(closed[0], &conns[2]); /* its idle one, not what is under way */
	join_source(2, 3, false, HTTP_HEAD);
	/* all have one now: none against one is not enough */
	pass_ms(999);
	assert_false(is_room(2, false));
	pass_ms(1);
	assert_true(is_room(2, false));         /* it has been idle for long */
	assert_ptr_equal(closed[1], &conns[0]); /* the oldest of equals */
	assert_int_equal(server.n_conns[0], 2);
}

/* Two against one is no reason either: each would push the other out again and again. */
static void who_has_one_more_keeps_it(void **state)
{
	(void)state;
	join_source(0, 0, false, HTTP_HEAD);
	join_source(1, 0, false, HTTP_HEAD);
	join_source(2, 1, false, HTTP_HEAD);
	few.per_stranger = 4;
	assert_false(is_room(1, false));
	few.strangers = 4;
	join_source(3, 0, false, HTTP_HEAD);
	assert_true(is_room(1, false)); /* three against one */
	assert_ptr_equal(closed[0], &conns[0]);
}

static void nothing_gives_way_to_its_own_source(void **state)
{
	(void)state;
	few.per_stranger = 4;
	for (size_t i = 0; i < 3; i++)
		join_source(i, 0, false, HTTP_HEAD);
	pass_ms(60000);
	assert_false(is_room(0, false));
	for (size_t i = 0; i < 3; i++)
		conns[i].state = i == 0 ? HTTP_RUNNING : i == 1 ? HTTP_HELD : HTTP_RUNNING;
	assert_false(is_room(1, false)); /* all have something to do */
	conns[1].state = HTTP_LINGER;
	assert_true(is_room(1, false));
	assert_ptr_equal(closed[0], &conns[1]);
	conns[2].state = HTTP_HANDSHAKE;
	join_source(3, 1, false, HTTP_RUNNING);
	assert_true(is_room(2, false));
	assert_ptr_equal(closed[1], &conns[2]);
	assert_int_equal(n_closed, 2);
}

/*
 * Who lets the server wait gives way: with an answer that it does not read, or a body that does not
 * come; and with requests that wait for the answers of its others.
 */
static void who_lets_the_server_wait_gives_way(void **state)
{
	static const struct {
		const char *why;
		enum http_state at;
		size_t n_body, at_out;
		unsigned stays_ms; /* UINT_MAX: it gives way at once */
	} rows[] = {
		{ "it waits for a thread", HTTP_QUEUED, 0, 0, UINT_MAX },
		{ "it has read nothing", HTTP_WRITE, 1 << 20, 0, 1000 },
		{ "it reads slowly", HTTP_WRITE, 0, 65535, 1000 },
		{ "it reads 64 KiB a second", HTTP_WRITE, 0, 131072, 3000 },
		{ "nothing of its body has come", HTTP_BODY, 0, 0, 1000 },
		{ "64 KiB of its body come in a second", HTTP_BODY, 65536, 0, 2000 },
	};

	(void)state;
	few.per_stranger = 4;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 3; k++) {
			join_source(k, 0, false, k == 1 ? rows[i].at : HTTP_RUNNING);
			conns[k].n_body = rows[i].n_body;
			conns[k].at_out = rows[i].at_out;
		}
		n_closed = 0;
		if (rows[i].stays_ms != UINT_MAX) {
			pass_ms(rows[i].stays_ms - 1);
			if (is_room(1, false))
				fail_msg("%s, and it gave way", rows[i].why);
			pass_ms(1);
		}
		if (!is_room(1, false) || closed[0] != &conns[1])
			fail_msg("%s, and it stays", rows[i].why);
		http_server_forget(&server, &conns[0]);
		http_server_forget(&server, &conns[2]);
	}
}

static void who_becomes_known_counts_there(void **state)
{
	(void)state;
	join_source(0, 0, false, HTTP_HEAD);
	for (int i = 0; i < 2; i++) {
		http_server_know(&server, &conns[0]);
		assert_true(conns[0].known && sources[0].was_peer);
		assert_int_equal(server.n_conns[0], 0);
		assert_int_equal(server.n_conns[1], 1);
	}
	http_server_forget(&server, &conns[0]);
	assert_int_equal(server.n_conns[1], 0);
	assert_int_equal(sources[0].n_conns, 0);
	assert_null(server.oldest);
	assert_null(server.newest);
}

/* Forty at once of a source, two hundred of all; peers are not counted. */
static void handshakes_have_a_rate(void **state)
{
	unsigned n[4] = { 0 };

	(void)state;
	for (size_t s = 0; s < 4; s++)
		join_source(s, s, s == 3, HTTP_HANDSHAKE);
	for (unsigned i = 0; i < 250; i++) {
		n[0] += http_server_handshake_ok(&server, &conns[0]);
		n[3] += http_server_handshake_ok(&server, &conns[3]);
	}
	assert_int_equal(n[0], 40);
	assert_int_equal(n[3], 250);
	pass_ms(1000); /* twenty more of one */
	n[0] = 0;
	for (unsigned i = 0; i < 250; i++)
		n[0] += http_server_handshake_ok(&server, &conns[0]);
	assert_int_equal(n[0], 20);
	unsigned all = 0;
	for (unsigned s = 0; s < 300; s++) {
		struct http_source one = { .used = true };

		conns[1].source = &one;
		all += http_server_handshake_ok(&server, &conns[1]);
	}
	assert_int_equal(all, 180);
	conns[1].source = &sources[1];
}

/*
 * Of what refused clients go on sending: 32 reads at once of a source, 64 of all; peers' are not
 * counted.
 */
static void reads_of_refused_bytes_have_a_rate(void **state)
{
	unsigned n[4] = { 0 };

	(void)state;
	for (size_t s = 0; s < 4; s++)
		join_source(s, s, s == 3, HTTP_LINGER);
	for (unsigned i = 0; i < 100; i++)
		for (size_t s = 0; s < 4; s++)
			n[s] += s != 2 && http_server_drop_ok(&server, &conns[s]);
	assert_int_equal(n[0], 32);
	assert_int_equal(n[1], 32);
	assert_int_equal(n[3], 100);
	assert_false(http_server_drop_ok(&server, &conns[2])); /* all of strangers' are taken */
	pass_ms(1000);
	n[0] = n[2] = 0;
	for (unsigned i = 0; i < 100; i++)
		n[0] += http_server_drop_ok(&server, &conns[0]);
	for (unsigned i = 0; i < 100; i++)
		n[2] += http_server_drop_ok(&server, &conns[2]);
	assert_int_equal(n[0], 32);
	assert_int_equal(n[2], 32);
}

static void each_status_is_counted(void **state)
{
#define STATUS(status, phrase) status,
	static const unsigned statuses[] = { HTTP_STATUSES(STATUS) };
	uint64_t counters[HTTP_N_STATUSES] = { 0 };

	(void)state;
	for (size_t i = 0; i < HTTP_N_STATUSES; i++)
		counted.requests[i] = &counters[i];
	http_server_count(&server, 200);
	http_server_count(&server, 503);
	http_server_count(&server, 503);
	http_server_count(&server, 999);
	for (size_t i = 0; i < HTTP_N_STATUSES; i++)
		assert_int_equal(counters[i], statuses[i] == 200 ? 1 : statuses[i] == 503 ? 2 : 0);
}

SUITE(http_limits)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_source_has_so_many),
		T(who_has_most_makes_room),
		T(who_has_one_more_keeps_it),
		T(nothing_gives_way_to_its_own_source),
		T(who_lets_the_server_wait_gives_way),
		T(who_becomes_known_counts_there),
		T(handshakes_have_a_rate),
		T(reads_of_refused_bytes_have_a_rate),
		T(each_status_is_counted),
	};

	told_time_begin(TOLD_BOOT);
	answer_epoll_wait = own_epoll_wait;
	return cmocka_run_group_tests_name("http limits of connections", tests, NULL, NULL);
}
