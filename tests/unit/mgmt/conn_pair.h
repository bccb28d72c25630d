/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two connections of the API's server on socket pairs, with a loop that runs until nothing is left to do, and a boot clock in
 * the test's hands. A suite includes this once, and begins with conn_pair_begin().
 */
#ifndef WEIR_TESTS_MGMT_CONN_PAIR_H
#define WEIR_TESTS_MGMT_CONN_PAIR_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "mgmt/core/core.h"
#include "mgmt/http/internal.h"
#include "tests/unit/answers.h"
#include "told_time.h"

#define BODY_MAX 33554432

static struct http_server server; /* with a context, new connections speak TLS */
static struct http_limits limits;
static struct http_source source;
static struct core node;
static uint64_t counters[HTTP_N_STATUSES + 3];
static struct http_counters counted;
static struct http_conn *conns[2];
static int clients[2] = { -1, -1 }, fds[2];
static sem_t may_answer;
static bool answers_at_once;
static char last_body[64];
static size_t n_last_body;
static bool last_local;
static atomic_uint n_handled;
static bool lacks;   /* who asks cannot be found out */
static bool revoked; /* the good token has been */

/* The loop ends when nothing is left to do. */
static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	static unsigned n_turns;
	int n = __real_epoll_wait(fd, events, most, 0);
	bool is_idle = n == 0 && timeout_ms != 0;

	n_turns = is_idle ? 0 : n_turns + 1;
	assert_in_range(n_turns, 0, 10000); /* nothing is reported again and again */
	if (is_idle)
		loop_stop(server.loop);
	return n;
}

/* Let the loop do all that there is to do at this instant. */
static inline void turn_loop(void)
{
	assert_int_equal(loop_run(server.loop), 0);
}

static inline bool is_closed(size_t i)
{
	const struct http_conn *c = server.oldest;

	while (c && c != conns[i])
		c = c->newer;
	return c == NULL;
}

static void handle_request(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)core;
	if (!answers_at_once)
		sem_wait(&may_answer);
	n_last_body = r->n_body;
	last_local = r->local;
	snprintf(last_body, sizeof(last_body), "%.60s", r->body);
	n_handled++;
	reply->status = 200;
	reply->json = json_pack("{s:s}", "path", r->path);
}

static void find_out(struct core *core, int fd, const char *login, struct http_request *r)
{
	(void)core;
	(void)fd;
	r->role = !login                          ? HTTP_VIEWER
	          : !strcmp(login, "Bearer peer") ? HTTP_PEER
	          : !strcmp(login, "Bearer good") ? (revoked ? HTTP_NO_ROLE : HTTP_ADMIN)
	                                          : HTTP_NO_ROLE;
	if (!lacks) /* then the rest is as it came: empty */
		return;
	r->unjudged = true;
	r->role = HTTP_NO_ROLE;
}

static bool pass_request(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	(void)core;
	if (!strcmp(r->path, "/admin") && r->role < HTTP_ADMIN) {
		http_problem(reply, 403, "forbidden", "not you");
		return false;
	}
	if (strcmp(r->path, "/no"))
		return true;
	http_problem(reply, 404, "not-found", "there is nothing");
	return false;
}

static inline void connect_one(size_t i, bool known)
{
	int pair[2];
	struct http_conn *c;

	for (size_t k = 0; k < 2; k++)
		if (is_closed(k))
			conns[k] = NULL;
	turn_loop();
	c = conns[i] = calloc(1, sizeof(*c));
	assert_non_null(c);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
	                 0);
	clients[i] = pair[0];
	c->server = &server;
	c->fd = fds[i] = pair[1];
	c->source = &source;
	if (server.tls)
		assert_int_equal(http_tls_open(server.tls, c->fd, &c->tls), 0);
	c->known = known;
	http_server_link(&server, c);
	http_conn_begin(c);
}

static inline int setup(void **state)
{
	(void)state;
	limits = (struct http_limits){ .runs = 8 };
	memset(&source, 0, sizeof(source));
	memset(counters, 0, sizeof(counters));
	memset(&node, 0, sizeof(node));
	pthread_mutex_init(&node.lock, NULL);
	server = (struct http_server){ .options = { .core = &node,
		                                    .handler = handle_request,
		                                    .authenticator = find_out,
		                                    .gate = pass_request,
		                                    .is_moving = core_is_moving,
		                                    .bells = &node.bells,
		                                    .counters = &counted },
		                       .limits = &limits,
		                       .bodies = { 3 * BODY_MAX, BODY_MAX + (1 << 20), 0, 0 },
		                       .answers = { 1 << 20, 1 << 20, 0, 0 },
		                       .wake_fd = eventfd(0, EFD_CLOEXEC) };
	assert_int_equal(loop_open(&server.loop), 0);
	for (size_t i = 0; i < HTTP_N_STATUSES; i++)
		counted.requests[i] = &counters[i];
	counted.logins_failed = &counters[HTTP_N_STATUSES];
	counted.refused = &counters[HTTP_N_STATUSES + 1];
	counted.timed_out = &counters[HTTP_N_STATUSES + 2];
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(http_pool_open(2, server.wake_fd, &server.pools[i]), 0);
	assert_int_equal(sem_init(&may_answer, 0, 0), 0);
	answers_at_once = true;
	n_handled = 0;
	lacks = revoked = false;
	told_ms = 1000000;
	connect_one(0, false);
	return 0;
}

/* Whatever happened, nothing of it stays. */
static inline int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (!is_closed(i))
			http_conn_close(conns[i]);
		conns[i] = NULL;
		if (clients[i] >= 0)
			close(clients[i]);
		clients[i] = -1;
		http_pool_close(server.pools[i]);
	}
	close(server.wake_fd);
	loop_close(server.loop);
	assert_null(server.oldest);
	assert_int_equal(server.n_conns[0] + server.n_conns[1], 0);
	assert_int_equal(server.n_queued, 0);
	assert_int_equal(source.n_runs, 0);
	assert_int_equal(source.n_conns, 0);
	assert_int_equal(server.bodies.used + server.bodies.used_by_strangers, 0);
	assert_int_equal(server.answers.used + server.answers.used_by_strangers, 0);
	return 0;
}

/* Wait for the handler of one request. */
static inline void finish_request(void)
{
	uint64_t n;

	assert_int_equal(read(server.wake_fd, &n, sizeof(n)), sizeof(n));
	for (size_t i = 0; i < 2; i++) {
		struct http_job *next, *job = http_pool_done(server.pools[i]);

		for (; job; job = next) {
			next = job->next;
			http_conn_answered((struct http_conn *)job);
		}
	}
}

static inline void say_on(size_t i, const char *text)
{
	assert_int_equal(send(clients[i], text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn_loop();
}

/* What has come back since; "" for nothing. */
static inline const char *read_answer(size_t i)
{
	static char text[65536];
	ssize_t n = recv(clients[i], text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static inline unsigned status_of(const char *text)
{
	return strncmp(text, "HTTP/1.1 ", 9) ? 0 : (unsigned)atoi(text + 9);
}

static inline unsigned ask_on(size_t i, const char *text)
{
	say_on(i, text);
	if (!is_closed(i) && conns[i]->state == HTTP_RUNNING)
		finish_request();
	turn_loop();
	return status_of(read_answer(i));
}

/* In the suite. */
static inline void conn_pair_begin(void)
{
	told_time_begin(TOLD_BOOT);
	answer_epoll_wait = own_epoll_wait;
}

#endif
