/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server: one thread with a loop has all its connections; handlers run in threads of their own
 * (work.h). Known clients (peers, root) have limits and threads of their own, so that strangers
 * cannot shut them out. A connection beyond a limit is reset at once: that costs less than any
 * answer.
 */
#include "mgmt/http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "mgmt/http/steer.h"
#include "weir/stats.h"

#define ACCEPTS_MAX      16     /* in a turn: peers have theirs in between */
#define NO_FDS_MS        100u   /* after which a listener without descriptors is looked at again */
#define REFUSAL_LOG_MS   10000u /* one line in this time: a flood must not fill the log */
#define STOP_MS          3000u  /* for answers to be read by their clients */
#define STRANGERS_RCVBUF (64 << 10) /* bytes; else the kernel holds up to 6 MiB for each */
#define STRANGERS        24         /* requests of theirs at work */
#define DEAD_AFTER_S     20         /* of a client whose host has vanished: keep-alive */
#define DEAD_AFTER_MS    30000      /* the same with data under way: TCP_USER_TIMEOUT */

_Static_assert(2 * (HTTP_POLLS_MAX + HTTP_POLLS_OPERATIONS_MAX) <= STRANGERS - 4,
               "who waits leaves threads to the others");

/*
 * TCP: 256 peers of 4 connections; 32 for one client, which a browser or a scraper never needs.
 * Three bodies of full length may come at once, one of them a stranger's.
 */
static const struct http_limits tcp_limits = {
	.strangers = 256,
	.known = 1024,
	.per_stranger = 32,
	.per_known = 256, /* several nodes may share an address */
	.runs = 8,
	.threads = { STRANGERS, 32 },
	.bodies = 3 * HTTP_BODY_MAX,
	.strangers_bodies = HTTP_BODY_MAX + ((size_t)1 << 20),
	.answers = (size_t)192 << 20,
	.strangers_answers = (size_t)32 << 20,
};
/* The UNIX socket: the members of group weir share the room of strangers. */
static const struct http_limits local_limits = {
	.strangers = 128,
	.known = 128,
	.per_stranger = 64,
	.per_known = 128,
	.runs = 16,
	.threads = { STRANGERS, 32 },
	.bodies = 3 * HTTP_BODY_MAX,
	.strangers_bodies = HTTP_BODY_MAX + ((size_t)1 << 20),
	.answers = (size_t)192 << 20,
	.strangers_answers = (size_t)64 << 20,
};

#define STATUS(status, phrase) status,
static const unsigned statuses[HTTP_N_STATUSES] = { HTTP_STATUSES(STATUS) };

void http_server_count(struct http_server *s, unsigned status)
{
	for (size_t i = 0; i < HTTP_N_STATUSES; i++)
		if (statuses[i] == status)
			stats_add(s->options.counters->requests[i], 1);
}

void http_counters_open(struct stats *stats, struct http_counters *out)
{
	char labels[32];

	for (size_t i = 0; i < HTTP_N_STATUSES; i++) {
		snprintf(labels, sizeof(labels), "status=\"%u\"", statuses[i]);
		out->requests[i] =
		        stats_get_counter(stats, STATS_COUNTER, "weir_mgmt_requests_total", labels,
		                          "HTTP requests by the status of their answer.");
	}
	out->logins_failed =
	        stats_get_counter(stats, STATS_COUNTER, "weir_mgmt_logins_failed_total", "",
	                          "Requests to the API with a token that is not valid.");
	out->refused =
	        stats_get_counter(stats, STATS_COUNTER, "weir_mgmt_connections_refused_total", "",
	                          "Connections to the API that a limit refused.");
	out->timed_out =
	        stats_get_counter(stats, STATS_COUNTER, "weir_mgmt_connections_timed_out_total", "",
	                          "Connections to the API whose client took too long.");
}

/* Who is known */

static bool is_peer(struct http_server *s, const struct addr *a)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_peers && !found; i++)
		found = addr_equal(&s->peers[i], a);
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Give the peers their queue. Under the lock. */
static void steer_peers(struct http_server *s)
{
	struct sockaddr_storage own = { 0 };
	socklen_t n = sizeof(own);
	int err;

	s->steers = true;
	if (s->options.peers_fd < 0)
		return;
	if (getsockname(s->options.listen_fd, (struct sockaddr *)&own, &n))
		err = -errno;
	else
		err = http_steer(s->options.listen_fd, own.ss_family == AF_INET, s->peers,
		                 s->n_peers);
	if (err)
		log_warn(
		        "api-not-steered",
		        "error=\"%s\" effect=\"connections of peers share a queue with all others\"",
		        strerror(-err));
}

void http_set_peers(struct http_server *s, const struct addr *peers, size_t n)
{
	if (!s)
		return;
	if (n > HTTP_PEERS_MAX)
		n = HTTP_PEERS_MAX;
	pthread_mutex_lock(&s->lock);
	if (!s->steers || n != s->n_peers || memcmp(s->peers, peers, n * sizeof(peers[0])) != 0) {
		s->n_peers = n;
		memcpy(s->peers, peers, n * sizeof(peers[0]));
		steer_peers(s);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Connections */

/* The source of a connection, and whether it is known. */
static struct addr find_source(struct http_server *s, int fd, const struct sockaddr *from,
                               bool *known)
{
	struct addr a = { 0 };

	if (s->options.local) {
		struct ucred peer = { .uid = (uid_t)-1 };
		socklen_t n = sizeof(peer);

		(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
		*known = peer.uid == 0 || peer.uid == geteuid();
		memcpy(a.bytes, &peer.uid, sizeof(peer.uid));
		return a;
	}
	(void)addr_from_sockaddr(from, &a, NULL);
	*known = is_peer(s, &a);
	return *known ? a : http_source_of(&a);
}

static void log_refusals(struct http_server *s, const struct http_source *source)
{
	char text[ADDR_TEXT_MAX];
	uint64_t now_ms = loop_now_ms(s->loop);

	stats_add(s->options.counters->refused, 1);
	s->n_refused++;
	if (s->refusal_logged_ms && now_ms < s->refusal_logged_ms + REFUSAL_LOG_MS)
		return;
	log_warn("api-connections-refused", "listener=%s last_source=%s refused=%llu",
	         s->options.local ? "socket" : "tcp",
	         source && !s->options.local ? addr_text(&source->key, text) : "-",
	         (unsigned long long)s->n_refused);
	s->refusal_logged_ms = now_ms;
	s->n_refused = 0;
}

static void set_options(const struct http_server *s, int fd, bool known)
{
	int one = 1, idle_s = DEAD_AFTER_S, dead_ms = DEAD_AFTER_MS, narrow = STRANGERS_RCVBUF;

	if (s->options.local)
		return;
	if (!known)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
}

/* Close with a reset: no state of the connection stays here or in the kernel. */
static void reset_connection(int fd)
{
	const struct linger none = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

/* A connection beyond a limit costs an accept and a reset: no memory, and no TLS. */
static void accept_connection(struct http_server *s, int fd, const struct sockaddr *from)
{
	bool known = false;
	struct addr key = find_source(s, fd, from, &known);
	struct http_source *source = http_sources_find(&s->sources, &key, loop_now_ms(s->loop));
	struct http_conn *c = NULL, *victim = NULL;

	if (source && source->was_peer)
		known = true;
	if (source && http_server_room(s, source, known, &victim))
		c = calloc(1, sizeof(*c));
	if (victim) {
		stats_add(s->options.counters->refused, 1);
		http_conn_close(victim);
	}
	if (!c || (s->tls && http_tls_open(s->tls, fd, &c->tls))) {
		free(c);
		log_refusals(s, source);
		reset_connection(fd);
		return;
	}
	set_options(s, fd, known);
	c->server = s;
	c->fd = fd;
	c->source = source;
	c->known = known;
	http_server_link(s, c);
	http_conn_begin(c);
}

static void on_listener(void *arg, int fd, uint32_t events);

static int watch_api_listeners(struct http_server *s, bool on)
{
	const int fds[] = { s->options.peers_fd, s->options.listen_fd };
	int err = 0;

	for (size_t i = 0; i < 2; i++) {
		if (fds[i] < 0)
			continue;
		loop_fd_remove(s->loop, fds[i]);
		if (on && !err)
			err = loop_fd_add(s->loop, fds[i], EPOLLIN, on_listener, s);
	}
	return err;
}

static void close_listeners(struct http_server *s)
{
	if (s->options.peers_fd >= 0)
		close(s->options.peers_fd);
	if (s->options.listen_fd >= 0)
		close(s->options.listen_fd);
	s->options.peers_fd = s->options.listen_fd = -1;
}

/* Accept a few and return: the loop then comes to the others and to the peers' listener. */
static void on_listener(void *arg, int fd, uint32_t events)
{
	struct http_server *s = arg;

	(void)events;
	(void)http_server_tls(s);
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t n = sizeof(from);
		int got = accept4(fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0) {
			accept_connection(s, got, (const struct sockaddr *)&from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* the listener stays readable: do not spin */
			log_warn("api-accept-failed", "listener=%s error=\"%s\"",
			         s->options.local ? "socket" : "tcp", strerror(errno));
			watch_api_listeners(s, false);
			(void)loop_timer_set(s->loop, &s->listen_timer,
			                     loop_now_ms(s->loop) + NO_FDS_MS);
			return;
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void on_listen_timer(void *arg)
{
	struct http_server *s = arg;

	if (!s->stop_by_ms && watch_api_listeners(s, true))
		(void)loop_timer_set(s->loop, &s->listen_timer, loop_now_ms(s->loop) + NO_FDS_MS);
}

/* Answers and the end */

/* Whether a bell rang since this was asked last. Most wakes are of a handler that is done. */
static bool has_rung(struct http_server *s)
{
	bool rang = false;

	for (size_t i = 0; i < HTTP_BELLS; i++) {
		uint64_t rung = atomic_load(&s->options.bells->rung[i]);

		rang |= rung != s->heard[i];
		s->heard[i] = rung;
	}
	return rang;
}

/* What is held from now on compares its bell itself. */
static void release_held(struct http_server *s)
{
	if (!has_rung(s))
		return;
	for (struct http_conn *c = s->oldest; c && s->n_held > 0; c = c->newer)
		if (c->state == HTTP_HELD)
			http_conn_release(c);
}

static void try_queued(struct http_server *s)
{
	struct http_conn *next;

	for (struct http_conn *c = s->oldest; c && s->n_queued > 0; c = next) {
		next = c->newer;
		if (c->state == HTTP_QUEUED)
			http_conn_advance(c);
	}
}

static void finish_jobs(struct http_server *s)
{
	for (size_t i = 0; i < 2; i++) {
		struct http_job *next, *job = http_pool_done(s->pools[i]);

		for (; job; job = next) {
			next = job->next;
			http_conn_answered((struct http_conn *)job);
		}
	}
}

/* End all connections without a running handler; handlers see their client gone and end soon. */
static void stop_conns(struct http_server *s)
{
	struct http_conn *next;
	bool is_late = loop_now_ms(s->loop) >= s->stop_by_ms;

	for (struct http_conn *c = s->oldest; c; c = next) {
		next = c->newer;
		if (c->state == HTTP_RUNNING)
			c->gone = true;
		else if (c->state != HTTP_WRITE || is_late)
			http_conn_close(c);
	}
	if (!s->oldest)
		loop_stop(s->loop);
	else
		(void)loop_timer_set(s->loop, &s->listen_timer, loop_now_ms(s->loop) + NO_FDS_MS);
}

static void on_server_stop_timer(void *arg)
{
	stop_conns(arg);
}

/* One eventfd has three meanings: a handler is done, a bell has rung, or the server is to stop. */
static void on_server_wake(void *arg, int fd, uint32_t events)
{
	struct http_server *s = arg;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	pthread_mutex_lock(&s->lock);
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	if (stopping && !s->stop_by_ms) {
		s->stop_by_ms = loop_now_ms(s->loop) + STOP_MS;
		watch_api_listeners(s, false);
		close_listeners(s);
		s->listen_timer.cb = on_server_stop_timer;
	}
	finish_jobs(s);
	if (stopping) {
		stop_conns(s);
		return;
	}
	release_held(s);
	try_queued(s);
}

static void *run_http_server(void *arg)
{
	struct http_server *s = arg;
	int err = loop_run(s->loop);

	if (err)
		log_error("api-stopped", "error=\"%s\"", strerror(-err));
	return NULL;
}

static void free_server(struct http_server *s)
{
	for (size_t i = 0; i < 2; i++)
		http_pool_close(s->pools[i]);
	loop_close(s->loop);
	if (s->wake_fd >= 0) {
		http_bells_leave(s->options.bells, s->wake_fd);
		close(s->wake_fd);
	}
	close_listeners(s);
	http_tls_context_free(s->tls);
	http_tls_context_free(s->next_tls);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* All that can fail is opened before the thread starts; free_server() undoes any part of it. */
static int open_server(struct http_server *s)
{
	const struct http_options *o = &s->options;

	s->limits = o->local ? &local_limits : &tcp_limits;
	s->bodies = (struct http_budget){ s->limits->bodies, s->limits->strangers_bodies, 0, 0 };
	s->answers = (struct http_budget){ s->limits->answers, s->limits->strangers_answers, 0, 0 };
	s->listen_timer = (struct loop_timer){ .cb = on_listen_timer, .arg = s };
	if (getrandom(&s->sources.key, sizeof(s->sources.key), 0) != sizeof(s->sources.key))
		return -EIO;
	int err = o->tls.cert ? http_tls_context(&o->tls, &s->tls) : 0;
	s->options.tls = (struct http_tls_files){ .cert = NULL }; /* the caller's */
	if (err)
		return err;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0 || set_nonblocking(o->listen_fd) ||
	    (o->peers_fd >= 0 && set_nonblocking(o->peers_fd)))
		return -errno;
	err = loop_open(&s->loop);
	for (size_t i = 0; i < 2 && !err; i++)
		err = http_pool_open(s->limits->threads[i], s->wake_fd, &s->pools[i]);
	if (!err)
		err = loop_fd_add(s->loop, s->wake_fd, EPOLLIN, on_server_wake, s);
	if (!err)
		err = watch_api_listeners(s, true);
	return err;
}

int http_serve(const struct http_options *options, struct http_server **out)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (!s) {
		close(options->listen_fd);
		if (options->peers_fd >= 0)
			close(options->peers_fd);
		return -ENOMEM;
	}
	s->options = *options;
	s->wake_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	int err = open_server(s);
	if (!err) {
		http_bells_join(s->options.bells, s->wake_fd);
		err = thread_start(&s->thread, run_http_server, s);
	}
	if (err) {
		free_server(s);
		return err;
	}
	*out = s;
	return 0;
}

int http_renew(struct http_server *s, const struct http_tls_files *files)
{
	struct ssl_ctx_st *tls = NULL;
	int err = http_tls_context(files, &tls);

	if (err)
		return err;
	pthread_mutex_lock(&s->lock);
	http_tls_context_free(s->next_tls);
	s->next_tls = tls;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

const char *http_certificate_fault(struct http_server *s, const char *ca, const char *host,
                                   char out[HTTP_TEXT_MAX])
{
	pthread_mutex_lock(&s->lock);
	struct ssl_ctx_st *tls = s->next_tls ? s->next_tls : s->tls;

	out[0] = '\0';
	if (tls)
		http_tls_context_verify(tls, ca, host, out);
	pthread_mutex_unlock(&s->lock);
	return out;
}

int64_t http_certificate_end_ms(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	const struct ssl_ctx_st *tls = s->next_tls ? s->next_tls : s->tls;
	int64_t end_ms = tls ? http_tls_context_end_ms(tls) : 0;
	pthread_mutex_unlock(&s->lock);
	return end_ms;
}

void http_stop(struct http_server *s)
{
	const uint64_t one = 1;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	(void)!write(s->wake_fd, &one, sizeof(one));
	thread_join(&s->thread);
	free_server(s);
}
