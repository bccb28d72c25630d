/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/tcp.c with its edges in the test's hands: the clock, what a client's share of a turn comes
 * to, and the kernel's errors. Connections are real ones of the loopback.
 */
#ifndef WEIR_TESTS_UNIT_DNS_TCP_SCENE_H
#define WEIR_TESTS_UNIT_DNS_TCP_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/serving.h"
#include "dns/tcp_internal.h"

static uint64_t time_ms;
static enum tcp_client_end next_end;
static struct tcp_work next_work;
static int served[256]; /* descriptors, in the order of their turns */
static unsigned n_served;

static inline uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return time_ms;
}

static bool is_published;
static int n_inside; /* of what is published */

static inline bool fake_enter(struct dns_worker *w)
{
	(void)w;
	n_inside += is_published;
	return is_published;
}

static inline void fake_leave(struct dns_worker *w)
{
	(void)w;
	n_inside--;
}

static inline enum tcp_client_end fake_serve(struct dns_worker *w, struct tcp_client *c,
                                             struct tcp_buffers *b, struct tcp_work *work)
{
	(void)w;
	(void)b;
	assert_true(n_served < 256);
	served[n_served++] = c->fd;
	*work = next_work;
	return next_end;
}

static int accept_error, watch_error, open_error; /* of the next call; 0: it is the kernel's */
static unsigned n_accepts;
static bool no_memory;

static inline bool fails_now(int *error)
{
	errno = *error;
	*error = 0;
	return errno;
}

static inline int fake_accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
	n_accepts++;
	return fails_now(&accept_error) ? -1 : accept4(fd, from, length, flags);
}

static inline int fake_epoll_ctl(int fd, int what, int of, struct epoll_event *e)
{
	return what == EPOLL_CTL_ADD && fails_now(&watch_error) ? -1 : epoll_ctl(fd, what, of, e);
}

static inline int fake_epoll_create1(int flags)
{
	return fails_now(&open_error) ? -1 : epoll_create1(flags);
}

static struct epoll_event planned[2]; /* what the next epoll_wait() says */
static int n_planned;

static inline int fake_epoll_wait(int fd, struct epoll_event *out, int most, int timeout_ms)
{
	int n = n_planned;

	if (n == 0)
		return epoll_wait(fd, out, most, timeout_ms);
	memcpy(out, planned, (size_t)n * sizeof(planned[0]));
	n_planned = 0;
	return n;
}

static inline void *fake_mmap(void *at, size_t n, int rights, int flags, int fd, off_t off)
{
	return no_memory ? MAP_FAILED : mmap(at, n, rights, flags, fd, off);
}

/* The private parts too. */
#define accept4          fake_accept4
#define epoll_ctl        fake_epoll_ctl
#define epoll_create1    fake_epoll_create1
#define epoll_wait       fake_epoll_wait
#define mmap             fake_mmap
#define loop_now_ms      fake_now
#define serving_enter    fake_enter
#define serving_leave    fake_leave
#define tcp_client_serve fake_serve
#include "dns/tcp.c"

static struct server s;
static struct dns_worker *w = &s.workers[WORKERS_MAX];
static uint64_t accepted, opened, paused, closed[COUNTERS_CLOSE_COUNT];
static int listener, peers[64];
static unsigned n_peers;
static struct sockaddr_in at;

static inline int set_up(void **state)
{
	socklen_t length = sizeof(at);

	(void)state;
	memset(&s, 0, sizeof(s));
	memset(closed, 0, sizeof(closed));
	n_inside = 0;
	accepted = opened = paused = n_served = n_peers = n_accepts = 0;
	accept_error = watch_error = open_error = n_planned = 0;
	no_memory = false;
	is_published = true;
	next_end = TCP_CLIENT_WAITS;
	next_work = (struct tcp_work){ 0 };
	time_ms = 100000;
	s.counters.tcp_accepted = &accepted;
	s.counters.tcp_open = &opened;
	s.counters.tcp_paused = &paused;
	for (unsigned i = 0; i < COUNTERS_CLOSE_COUNT; i++)
		s.counters.tcp_closed[i] = &closed[i];
	w->server = &s;
	w->is_tcp = true;
	at = (struct sockaddr_in){ .sin_family = AF_INET };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return loop_open(&w->loop) || tcp_open(w) ||
	       bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 64) ||
	       getsockname(listener, (struct sockaddr *)&at, &length) ||
	       tcp_listen_add(w, listener);
}

static inline int tear_down(void **state)
{
	unsigned n_left = 0;

	(void)state;
	for (unsigned i = 0; i < n_peers; i++)
		close(peers[i]);
	for (struct tcp *t = w->tcp; t->oldest != TCP_NO_CLIENT;)
		close_tcp_client(w, client_at(t, t->oldest), COUNTERS_CLOSE_CLIENT);
	for (unsigned i = 0; i < TCP_NETWORKS; i++)
		n_left += w->tcp->n_of_network[i];
	tcp_close(w);
	tally_flush(&w->tally);
	loop_close(w->loop);
	close(listener);
	return n_left != 0 || opened != 0 || n_inside != 0;
}

/* Connect from 127.0.NETWORK.1. */
static inline void connect_from(unsigned network)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(0x7f000001u + (network << 8)) },
	                   to = at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(0x7f000001u);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	peers[n_peers++] = fd;
}

/* A turn of the loop: what has happened is noted, and new clients are taken. */
static inline void note_ready(void)
{
	note_events(w, w->tcp->epoll_fd, 0);
}

static inline void run_turn(void)
{
	note_ready();
	serve_queue(w);
}

/* The timer is due. */
static inline void run_tick(void)
{
	loop_timer_cancel(w->loop, &w->tcp->tick);
	on_tcp_tick(w);
}

/* The connection that @c peers[i] has. */
static inline struct tcp_client *client_of(unsigned i)
{
	struct sockaddr_in mine, theirs;
	socklen_t n = sizeof(mine);

	assert_int_equal(getsockname(peers[i], (struct sockaddr *)&mine, &n), 0);
	for (uint32_t k = 0; k < TCP_CLIENTS_MAX; k++) {
		struct tcp_client *c = client_at(w->tcp, k);

		n = sizeof(theirs);
		if (c->fd >= 0 && !getpeername(c->fd, (struct sockaddr *)&theirs, &n) &&
		    theirs.sin_port == mine.sin_port &&
		    theirs.sin_addr.s_addr == mine.sin_addr.s_addr)
			return c;
	}
	return NULL;
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
