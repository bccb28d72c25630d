/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP (RFC 7766): queries may be pipelined and are answered in order. A connection has a
 * small buffer for what it asks and a large one for what it has not taken yet; while the
 * latter holds anything, nothing more is read. When all places are taken, the connection
 * that has been idle longest makes room.
 */
#include "dns/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/wire.h"
#include "weir/stats.h"

#define CLIENTS_MAX  1024
#define IDLE_MS      10000
#define QUERY_MAX    4096 /* longer ones are no queries */
#define ACCEPT_BURST 64
#define NOBODY       UINT32_MAX

struct client {
	struct server *server;
	struct addr address;
	int fd;                /* -1: free */
	uint32_t older, newer; /* by last sign of life; free ones by `newer` */
	uint64_t seen_ms;
	size_t n_in, n_out, out_at;
	bool waits; /* for room to write */
	uint8_t in[2 + QUERY_MAX];
	uint8_t out[2 + ANSWER_MAX];
};

struct tcp {
	uint32_t n, free, oldest, newest;
	struct client clients[CLIENTS_MAX]; /* pages untouched until they are used */
};

static struct client *client_at(struct tcp *t, uint32_t i)
{
	return &t->clients[i];
}

static uint32_t index_of(const struct tcp *t, const struct client *c)
{
	return (uint32_t)(c - t->clients);
}

static void unlink_client(struct tcp *t, struct client *c)
{
	if (c->older == NOBODY)
		t->oldest = c->newer;
	else
		client_at(t, c->older)->newer = c->newer;
	if (c->newer == NOBODY)
		t->newest = c->older;
	else
		client_at(t, c->newer)->older = c->older;
}

static void link_newest(struct tcp *t, struct client *c, uint64_t now_ms)
{
	uint32_t i = index_of(t, c);

	c->older = t->newest;
	c->newer = NOBODY;
	c->seen_ms = now_ms;
	if (t->newest == NOBODY)
		t->oldest = i;
	else
		client_at(t, t->newest)->newer = i;
	t->newest = i;
}

static void note_open(struct server *s)
{
	if (s->counters.stats)
		stats_set(s->counters.tcp_open, s->tcp->n);
}

static void close_client(struct client *c, enum counters_close why)
{
	struct server *s = c->server;
	struct tcp *t = s->tcp;

	loop_fd_remove(s->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	unlink_client(t, c);
	c->newer = t->free;
	t->free = index_of(t, c);
	t->n--;
	if (s->counters.stats)
		stats_add(s->counters.tcp_closed[why], 1);
	note_open(s);
}

/* Write what waits. @return false when the connection is gone */
static bool flush(struct client *c)
{
	while (c->out_at < c->n_out) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->n_out - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			close_client(c, COUNTERS_CLOSE_CLIENT);
			return false;
		}
		if (n < 0)
			break;
		c->out_at += (size_t)n;
	}
	bool waits = c->out_at < c->n_out;

	if (!waits)
		c->n_out = c->out_at = 0;
	if (waits != c->waits)
		(void)loop_fd_set(c->server->loop, c->fd, waits ? EPOLLOUT : EPOLLIN);
	c->waits = waits;
	return true;
}

/* Answer the message at the front, if it is whole. @return bytes used, 0 for none, -1 for no query */
static int serve_front(struct client *c, size_t from)
{
	size_t left = c->n_in - from, length;

	if (left < 2)
		return 0;
	length = wire_load16(c->in + from);
	if (length > QUERY_MAX)
		return -1;
	if (left < 2 + length)
		return 0;

	size_t n = server_answer(c->server, c->in + from + 2, length, &c->address, true, c->out + 2,
	                         ANSWER_MAX);

	if (n == 0)
		return -1;
	wire_store16(c->out, (uint16_t)n);
	c->n_out = 2 + n;
	return (int)(2 + length);
}

/* Answer all that is whole, until the client stops taking. @return false when it is gone */
static bool serve_all(struct client *c)
{
	size_t from = 0;
	int used;

	while (!c->waits && (used = serve_front(c, from)) != 0) {
		if (used < 0) {
			close_client(c, COUNTERS_CLOSE_BAD);
			return false;
		}
		from += (size_t)used;
		if (!flush(c))
			return false;
	}
	memmove(c->in, c->in + from, c->n_in - from);
	c->n_in -= from;
	return true;
}

static void client_ready(void *arg, int fd, uint32_t events)
{
	struct client *c = arg;
	struct tcp *t = c->server->tcp;
	ssize_t n = 0;

	if (c->waits) {
		if (!flush(c) || c->waits || !serve_all(c))
			return;
	}
	if (!c->waits && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = recv(fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			close_client(c, COUNTERS_CLOSE_CLIENT);
			return;
		}
	}
	if (n > 0)
		c->n_in += (size_t)n;
	if (n > 0 && !serve_all(c))
		return;
	unlink_client(t, c);
	link_newest(t, c, loop_now_ms(c->server->loop));
}

static bool take_client(struct server *s, int fd)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	struct tcp *t = s->tcp;
	int got = accept4(fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (got < 0)
		return errno == EINTR || errno == ECONNABORTED;
	if (t->free == NOBODY)
		close_client(client_at(t, t->oldest), COUNTERS_CLOSE_CROWDED);

	struct client *c = client_at(t, t->free);
	uint32_t next = c->newer;

	if (addr_from_sockaddr((struct sockaddr *)&from, &c->address, NULL) < 0 ||
	    loop_fd_add(s->loop, got, EPOLLIN, client_ready, c) < 0) {
		close(got);
		return true;
	}
	t->free = next;
	t->n++;
	c->server = s;
	c->fd = got;
	c->n_in = c->n_out = c->out_at = 0;
	c->waits = false;
	link_newest(t, c, loop_now_ms(s->loop));
	if (s->counters.stats)
		stats_add(s->counters.tcp_accepted, 1);
	note_open(s);
	return true;
}

void tcp_ready(void *arg, int fd, uint32_t events)
{
	(void)events;
	for (unsigned i = 0; i < ACCEPT_BURST; i++)
		if (!take_client(arg, fd))
			return;
}

void tcp_tick(struct server *s, uint64_t now_ms)
{
	struct tcp *t = s->tcp;

	while (t->oldest != NOBODY && now_ms - client_at(t, t->oldest)->seen_ms >= IDLE_MS)
		close_client(client_at(t, t->oldest), COUNTERS_CLOSE_IDLE);
}

int tcp_open(struct server *s)
{
	struct tcp *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (t == MAP_FAILED)
		return -ENOMEM;
	t->oldest = t->newest = NOBODY;
	t->free = NOBODY;
	for (uint32_t i = CLIENTS_MAX; i-- > 0;) {
		client_at(t, i)->fd = -1;
		client_at(t, i)->newer = t->free;
		t->free = i;
	}
	s->tcp = t;
	return 0;
}

void tcp_close(struct server *s)
{
	if (!s->tcp)
		return;
	while (s->tcp->oldest != NOBODY)
		close_client(client_at(s->tcp, s->tcp->oldest), COUNTERS_CLOSE_CLIENT);
	munmap(s->tcp, sizeof(*s->tcp));
	s->tcp = NULL;
}
