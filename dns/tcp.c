/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP (RFC 7766): queries may be pipelined and are answered in order.
 *
 * TCP must never delay UDP, whatever its clients do. So TCP has its own threads. While more UDP
 * waits than the UDP thread of the same number reads in a turn, the TCP thread works in smaller
 * parts with pauses between them.
 *
 * No client may delay the others. An epoll instance only notes in a queue which clients have
 * something to do. A timer that is due at once serves the queue, at most TURN_QUERIES and
 * TURN_BYTES in a turn; the rest waits for the next turn. A client gets at most CLIENT_QUERIES in
 * its share and goes to the end of the queue.
 *
 * A client that does not read its answers is not read either. It is closed when it has finished no
 * query for IDLE_MS: bytes that make no whole query are no sign of life. When all client slots (or
 * descriptors) are in use, the longest idle connection of the network with the most connections
 * makes room.
 */
#include "dns/tcp_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/serving.h"

/* Without a finished query; RFC 7766, section 6.2.3, asks for a few seconds. */
#define IDLE_MS      10000
#define PAUSE_MS     100         /* without a descriptor, no connection is accepted for so long */
#define TICK_MS      100         /* between two looks for idle clients */
#define ACCEPT_BURST 16          /* connections in a turn, over all sockets */
#define TURN_EVENTS  64          /* noted in a turn */
#define TURN_QUERIES 64          /* answered in a turn: less than a millisecond */
#define TURN_BYTES   (64u << 10) /* written in a turn, about */
#define BUSY_PART    8           /* while UDP is busy, a turn has this fraction of both, */
#define BUSY_GAP_MS  1           /* and this pause follows it */
/* Bytes of the kernel's send buffer of one client: unread answers cost no more memory than this. */
#define SEND_ROOM (32 << 10)
#define LISTENER  (UINT64_C(1) << 32) /* in an event's data: a listening socket, not a client */

static struct tcp_client *client_at(struct tcp *t, uint32_t i)
{
	return &t->clients[i];
}

static uint32_t client_index(const struct tcp *t, const struct tcp_client *c)
{
	return (uint32_t)(c - t->clients);
}

static void unlink_client(struct tcp *t, struct tcp_client *c)
{
	if (c->older == TCP_NO_CLIENT)
		t->oldest = c->newer;
	else
		client_at(t, c->older)->newer = c->newer;
	if (c->newer == TCP_NO_CLIENT)
		t->newest = c->older;
	else
		client_at(t, c->newer)->older = c->older;
}

static void link_newest(struct tcp *t, struct tcp_client *c, uint64_t now_ms)
{
	uint32_t i = client_index(t, c);

	c->older = t->newest;
	c->newer = TCP_NO_CLIENT;
	c->seen_ms = now_ms;
	if (t->newest == TCP_NO_CLIENT)
		t->oldest = i;
	else
		client_at(t, t->newest)->newer = i;
	t->newest = i;
}

/*
 * Give a client's buffers back to the system, but for the pages that they share with their
 * neighbours'.
 */
static void release_buffers(struct tcp_buffers *b)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)b;
	uintptr_t first = (from + page - 1) & ~(page - 1), end = (from + sizeof(*b)) & ~(page - 1);

	(void)madvise((void *)first, end - first, MADV_DONTNEED);
}

/* The queue may still have the client's entry; it is skipped later (serve_client()). */
static void close_tcp_client(struct dns_worker *w, struct tcp_client *c, enum counters_close reason)
{
	struct tcp *t = w->tcp;

	close(c->fd); /* which takes it out of the epoll instance, too */
	c->fd = -1;
	if (c->large)
		release_buffers(&t->buffers[client_index(t, c)]);
	unlink_client(t, c);
	t->n_of_network[c->network]--;
	c->newer = t->free;
	t->free = client_index(t, c);
	t->n--;
	worker_count(w, w->server->counters.tcp_closed[reason]);
	tally_add(&w->tally, w->server->counters.tcp_open, UINT64_MAX); /* one less */
}

/*
 * Put a client into the queue, once. Its entry stays even if the client is closed meanwhile:
 * serve_client() skips it.
 */
static void enqueue_client(struct tcp *t, struct tcp_client *c)
{
	if (c->queued)
		return;
	c->queued = true;
	t->queue[(t->queue_first + t->n_queued++) % TCP_CLIENTS_MAX] = client_index(t, c);
}

static struct tcp_client *dequeue_client(struct tcp *t)
{
	struct tcp_client *c = client_at(t, t->queue[t->queue_first]);

	t->queue_first = (t->queue_first + 1) % TCP_CLIENTS_MAX;
	t->n_queued--;
	c->queued = false;
	return c;
}

/* One client's share of a turn. */
static void serve_client(struct dns_worker *w, struct tcp_client *c, struct tcp_work *turn)
{
	struct tcp *t = w->tcp;
	struct tcp_work work = { 0 };
	enum tcp_client_end end;

	if (c->fd < 0)
		return;
	end = tcp_client_serve(w, c, &t->buffers[client_index(t, c)], &work);
	turn->n_queries += work.n_queries;
	turn->n_bytes += work.n_bytes;
	if (end == TCP_CLIENT_DONE || end == TCP_CLIENT_BAD) {
		close_tcp_client(
		        w, c, end == TCP_CLIENT_BAD ? COUNTERS_CLOSE_BAD : COUNTERS_CLOSE_CLIENT);
		return;
	}
	if (end == TCP_CLIENT_MORE)
		enqueue_client(t, c);
	if (work.progress) {
		unlink_client(t, c);
		link_newest(t, c, loop_now_ms(w->loop));
	}
}

/*
 * Serve the queue as far as a turn goes. As a timer's callback it runs apart from the events that
 * fill the queue.
 */
static void serve_queue(void *arg)
{
	struct dns_worker *w = arg;
	struct tcp *t = w->tcp;
	struct tcp_work turn = { 0 };
	bool busy = __atomic_exchange_n(&w->server->workers[w->number].udp_waits, false,
	                                __ATOMIC_RELAXED);
	unsigned share = busy ? BUSY_PART : 1;

	if (!serving_enter(w)) { /* nothing is in force yet */
		(void)loop_timer_set(w->loop, &t->again, loop_now_ms(w->loop) + TICK_MS);
		return;
	}
	for (uint32_t left = t->n_queued; left > 0; left--) {
		if (turn.n_queries >= TURN_QUERIES / share || turn.n_bytes >= TURN_BYTES / share)
			break;
		serve_client(w, dequeue_client(t), &turn);
	}
	tally_flush(&w->tally);
	serving_leave(w);
	if (!t->n_queued)
		return;
	(void)loop_timer_set(w->loop, &t->again, loop_now_ms(w->loop) + (busy ? BUSY_GAP_MS : 0));
	/*
	 * The UDP thread may wait for this CPU: without a yield it would wait for the rest of our
	 * time slice, milliseconds.
	 */
	(void)sched_yield();
}

/* The client that makes room: the longest idle one of the network that holds most connections. */
static struct tcp_client *find_tcp_victim(struct tcp *t)
{
	struct tcp_client *victim = NULL;

	for (uint32_t i = t->oldest; i != TCP_NO_CLIENT; i = client_at(t, i)->newer) {
		struct tcp_client *c = client_at(t, i);

		if (!victim || t->n_of_network[c->network] > t->n_of_network[victim->network])
			victim = c;
	}
	return victim;
}

/*
 * The bucket of an address's network: a /24 or /56, as for steering. The random key keeps buckets
 * unpredictable.
 */
static uint16_t network_of(const struct tcp *t, const struct addr *address)
{
	struct steering_key key = steering_key_of(address);

	return (uint16_t)(hash_bytes(&t->key, key.bytes, sizeof(key.bytes)) % TCP_NETWORKS);
}

static void watch_tcp_listeners(struct tcp *t, bool on)
{
	for (unsigned i = 0; i < t->n_listeners; i++) {
		struct epoll_event e = { .events = on ? EPOLLIN : 0,
			                 .data.u64 = LISTENER | (uint32_t)t->listeners[i] };

		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, t->listeners[i], &e);
	}
	t->paused = !on;
}

/* The tick runs only with clients or in a pause: an idle server sleeps. */
static void tick_later(struct dns_worker *w)
{
	struct tcp *t = w->tcp;

	if (!t->tick.heap_index && (t->n || t->paused))
		(void)loop_timer_set(w->loop, &t->tick, loop_now_ms(w->loop) + TICK_MS);
}

/* Close connections without progress, and accept new ones again after a pause. */
static void on_tcp_tick(void *arg)
{
	struct dns_worker *w = arg;
	struct tcp *t = w->tcp;
	uint64_t now_ms = loop_now_ms(w->loop);

	while (t->oldest != TCP_NO_CLIENT && now_ms - client_at(t, t->oldest)->seen_ms >= IDLE_MS) {
		struct tcp_client *c = client_at(t, t->oldest);

		close_tcp_client(w, c, c->n_out ? COUNTERS_CLOSE_UNREAD : COUNTERS_CLOSE_IDLE);
	}
	tally_flush(&w->tally);
	if (t->paused && now_ms >= t->resume_ms)
		watch_tcp_listeners(t, true);
	tick_later(w);
}

/*
 * There is no descriptor or memory for a connection: an idle client makes room, or accepting
 * pauses. @return whether to try again
 */
static bool make_client_room(struct dns_worker *w)
{
	struct tcp *t = w->tcp;

	if (t->n > 0 && !t->short_of_room) {
		t->short_of_room = true; /* once a turn: another process may be the cause */
		close_tcp_client(w, find_tcp_victim(t), COUNTERS_CLOSE_CROWDED);
		return true;
	}
	watch_tcp_listeners(t, false);
	t->resume_ms = loop_now_ms(w->loop) + PAUSE_MS;
	tick_later(w);
	worker_count(w, w->server->counters.tcp_paused);
	return false;
}

/*
 * Edge-triggered events: a client that has nothing new to say costs nothing, however much of it
 * is unread.
 */
static void add_client(struct dns_worker *w, int fd, const struct addr *address)
{
	struct tcp *t = w->tcp;
	struct tcp_client *c;
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

	if (t->n >= t->n_max || t->free == TCP_NO_CLIENT)
		close_tcp_client(w, find_tcp_victim(t), COUNTERS_CLOSE_CROWDED);
	e.data.u64 = t->free;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
		close(fd);
		return;
	}
	c = client_at(t, t->free);
	t->free = c->newer;
	t->n++;
	*c = (struct tcp_client){ .fd = fd,
		                  .address = *address,
		                  .network = network_of(t, address),
		                  .queued = c->queued };
	t->n_of_network[c->network]++;
	link_newest(t, c, loop_now_ms(w->loop));
	tick_later(w);
	worker_count(w, w->server->counters.tcp_accepted);
	worker_count(w, w->server->counters.tcp_open);
}

/* Accept one connection. @return whether to try for another */
static bool accept_client(struct dns_worker *w, int fd)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	struct addr address;
	int got = accept4(fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (got < 0) {
		bool room =
		        errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;

		return room ? make_client_room(w) : errno == EINTR || errno == ECONNABORTED;
	}
	if (addr_from_sockaddr((struct sockaddr *)&from, &address, NULL) < 0)
		close(got);
	else
		add_client(w, got, &address);
	return true;
}

static void accept_clients(struct dns_worker *w, int fd, unsigned *left)
{
	while (*left > 0 && !w->tcp->paused) {
		--*left;
		if (!accept_client(w, fd))
			return;
	}
}

/* Only note who has something to do: serving here would let one busy client delay the others. */
static void note_events(void *arg, int fd, uint32_t events)
{
	struct dns_worker *w = arg;
	struct tcp *t = w->tcp;
	struct epoll_event seen[TURN_EVENTS];
	int n = epoll_wait(fd, seen, TURN_EVENTS, 0);
	unsigned left = ACCEPT_BURST;

	(void)events;
	for (int i = 0; i < n; i++) {
		struct tcp_client *c;

		if (seen[i].data.u64 & LISTENER)
			continue;
		c = client_at(t, (uint32_t)seen[i].data.u64);
		c->readable |= (seen[i].events & ~(uint32_t)EPOLLOUT) != 0;
		c->ended |= (seen[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
		c->waits &= !(seen[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR));
		enqueue_client(t, c);
	}
	t->short_of_room = false;
	for (int i = 0; i < n; i++)
		if (seen[i].data.u64 & LISTENER)
			accept_clients(w, (int)(uint32_t)seen[i].data.u64, &left);
	tally_flush(&w->tally);
	if (t->n_queued && !t->again.heap_index)
		(void)loop_timer_set(w->loop, &t->again, loop_now_ms(w->loop));
}

void tcp_limit(struct dns_worker *w, uint32_t most)
{
	w->tcp->n_max = most < TCP_CLIENTS_MAX ? most : TCP_CLIENTS_MAX;
}

uint32_t tcp_clients(const struct dns_worker *w)
{
	return w->tcp->n;
}

int tcp_listen_add(struct dns_worker *w, int fd)
{
	struct tcp *t = w->tcp;
	struct epoll_event e = { .events = t->paused ? 0 : EPOLLIN,
		                 .data.u64 = LISTENER | (uint32_t)fd };
	int room = SEND_ROOM, on = 1;

	if (t->n_listeners == TCP_LISTENERS_MAX)
		return -ENOSPC;
	/* connections inherit both from their listening socket */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	t->listeners[t->n_listeners++] = fd;
	return 0;
}

void tcp_accept_waiting(struct dns_worker *w, int fd)
{
	unsigned left = SERVER_BACKLOG;

	w->tcp->short_of_room = false;
	accept_clients(w, fd, &left);
	tally_flush(&w->tally);
}

void tcp_listen_remove(struct dns_worker *w, int fd)
{
	struct tcp *t = w->tcp;

	for (unsigned i = 0; i < t->n_listeners; i++)
		if (t->listeners[i] == fd) {
			(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
			t->listeners[i] = t->listeners[--t->n_listeners];
			return;
		}
}

static void *map_zeroed(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int tcp_open(struct dns_worker *w)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->buffers = map_zeroed(TCP_CLIENTS_MAX * sizeof(*t->buffers));
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->oldest = t->newest = t->free = TCP_NO_CLIENT;
	t->n_max = TCP_CLIENTS_MAX;
	t->again = (struct loop_timer){ .cb = serve_queue, .arg = w };
	t->tick = (struct loop_timer){ .cb = on_tcp_tick, .arg = w };
	/*
	 * early in a boot there may be no entropy: then an attacker could guess which networks
	 * share a bucket
	 */
	(void)getrandom(&t->key, sizeof(t->key), GRND_NONBLOCK);
	for (uint32_t i = TCP_CLIENTS_MAX; i-- > 0;) {
		client_at(t, i)->fd = -1;
		client_at(t, i)->newer = t->free;
		t->free = i;
	}
	w->tcp = t;
	if (!t->buffers || t->epoll_fd < 0)
		return t->buffers ? -errno : -ENOMEM;
	return loop_fd_add(w->loop, t->epoll_fd, EPOLLIN, note_events, w);
}

void tcp_close(struct dns_worker *w)
{
	struct tcp *t = w->tcp;

	if (!t)
		return;
	while (t->oldest != TCP_NO_CLIENT)
		close_tcp_client(w, client_at(t, t->oldest), COUNTERS_CLOSE_CLIENT);
	loop_timer_cancel(w->loop, &t->again);
	loop_timer_cancel(w->loop, &t->tick);
	if (t->epoll_fd >= 0) {
		loop_fd_remove(w->loop, t->epoll_fd);
		close(t->epoll_fd);
	}
	if (t->buffers)
		munmap(t->buffers, TCP_CLIENTS_MAX * sizeof(*t->buffers));
	free(t);
	w->tcp = NULL;
}
