/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets. Each address has one UDP and one TCP socket for each thread: either the supervisor's
 * ("dns-udp-0", "dns-tcp-0", ... in the order of dns_listen; for thread 1 "dns-udp-0-1", ...), or
 * our own. A socket that cannot be bound stops no other; it is tried again with the next document,
 * and every AGAIN_MS, as is a thread that cannot be started.
 *
 * Port 53 is root's. Without a supervisor, the document's addresses are bound before rights are
 * dropped (listen_early()); an address that a later document adds needs a restart.
 *
 * With fewer threads, the kernel first steers packets to the sockets that stay. The others are read
 * for DRAIN_MS more, which empties them, and then closed.
 */
#include "dns/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/reuseport.h"
#include "dns/handed.h"
#include "weir/model.h"
#include "weir/stats.h"

#define DRAIN_MS  1000  /* a packet that the kernel has put into a socket is read long before */
#define PASSED_MS 60000 /* a new socket waits at most so long for the document that names it */
#define AGAIN_MS  5000  /* until sockets that could not be bound are tried again */

static const int kinds[2] = { SOCK_DGRAM, SOCK_STREAM }; /* as in server_listen */
static const char *const transports[2] = { "udp", "tcp" };

static void raise_buffer(int fd)
{
	int bytes = SERVER_RCVBUF;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/*
 * An ICMP error that claims a small path MTU must not make answers into fragments, which an attacker
 * could replace: answers are 1,232 bytes at most, and the interface's MTU alone counts (RFC 9715).
 */
static void ignore_path_mtu(int fd, bool is4)
{
	int omit = is4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_OMIT;

	(void)setsockopt(fd, is4 ? IPPROTO_IP : IPPROTO_IPV6,
	                 is4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &omit, sizeof(omit));
}

/*
 * The first socket of an address creates the group that packets are spread over; the others join it
 * (base/reuseport.h).
 */
static int bind_own(const struct addr *address, uint16_t port, int type, bool first)
{
	struct sockaddr_storage to;
	socklen_t length = addr_to_sockaddr(address, port, &to);
	int fd = socket(to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	(void)reuseport_before_bind(fd, first);
	if (type == SOCK_STREAM) /* with this option on UDP, any process could share the port */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (to.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, length) < 0 ||
	    (type == SOCK_STREAM && listen(fd, SERVER_BACKLOG) < 0)) {
		int err = -errno;

		close(fd);
		return err;
	}
	(void)reuseport_after_bind(fd);
	/*
	 * only for own sockets: the supervisor's have their size, which without root's rights
	 * could only shrink
	 */
	if (type == SOCK_DGRAM)
		raise_buffer(fd);
	return fd;
}

/*
 * The socket that listen_early() has bound to @p address. @return it, no longer in the list, or
 * -ENOENT
 */
static int claim_early_socket(struct server *s, const struct addr *address, int type)
{
	for (unsigned i = 0; i < s->n_early; i++) {
		int fd = s->early[i];

		if (!handed_is_bound(fd, address, type))
			continue;
		s->n_early--;
		memmove(&s->early[i], &s->early[i + 1], (s->n_early - i) * sizeof(s->early[0]));
		return fd; /* in the order of binding */
	}
	return -ENOENT;
}

/* A socket that the document in force does not name would receive queries that nobody reads. */
static void close_early_sockets(struct server *s)
{
	while (s->n_early > 0)
		close(s->early[--s->n_early]);
}

static void bind_early(struct server *s, const struct addr *address, unsigned n)
{
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned k = 0; k < n; k++) {
			int fd = bind_own(address, s->port, kinds[kind], k == 0);

			if (fd < 0)
				break; /* listen_update() tries again, and logs a failure */
			s->early[s->n_early++] = fd;
		}
}

/* The number of threads that the document asks for, on the CPUs that this process may use. */
static unsigned count_configured_threads(const struct model *m)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		CPU_ZERO(&allowed);
	return model_dns_threads(m, &allowed);
}

void listen_early(struct server *s)
{
	struct model *m = NULL;
	struct model_errors errors = { 0 };
	char path[PATH_MAX];

	if (geteuid() != 0 || proc_listen_fd("dns-udp-0") >= 0 ||
	    proc_listen_fd("dns-tcp-0") >= 0 ||
	    proc_path(s->dirs->state, PROC_EFFECTIVE_FILE, path) < 0)
		return; /* a supervisor holds all sockets; without root's rights there is nothing to lose by waiting */
	/* the load that follows reports errors */
	if (model_read_without_key(path, s->dirs->node, &m, &errors) == 0 && m->self)
		for (size_t i = 0; i < m->self->n_dns_listen && i < SERVER_SOCKETS_MAX; i++)
			bind_early(s, &m->self->dns_listen[i], count_configured_threads(m));
	model_free(m);
	model_errors_free(&errors);
}

/*
 * Close all but the first @p n sockets of each kind. The threads have duplicates until their next
 * plan.
 */
static void close_sockets(struct server_listen *l, unsigned n)
{
	for (unsigned kind = 0; kind < 2; kind++)
		while (l->n[kind] > n) {
			close(l->fds[kind][--l->n[kind]]);
			handed_forget(&l->address, kinds[kind], l->n[kind]);
		}
}

static bool is_configured_address(const struct model_node *node, const struct addr *address)
{
	for (size_t i = 0; i < node->n_dns_listen; i++)
		if (addr_equal(&node->dns_listen[i], address))
			return true;
	return false;
}

/* Open the socket of thread l->n[kind]. @return 0 or -errno */
static int open_next(struct server *s, struct server_listen *l, unsigned kind)
{
	unsigned k = l->n[kind];
	int fd = handed_find(&l->address, kinds[kind], k);

	if (fd >= 0) {
		l->handed = true;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -errno;
	} else if (k && l->handed) {
		return -ENOENT; /* the supervisor that holds the first one passes the others */
	} else {
		fd = claim_early_socket(s, &l->address, kinds[kind]);
	}
	if (fd < 0)
		fd = bind_own(&l->address, s->port, kinds[kind], k == 0);
	if (fd < 0)
		return fd;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (kinds[kind] == SOCK_DGRAM)
		ignore_path_mtu(fd, addr_is4(&l->address));
	l->fds[kind][l->n[kind]++] = fd;
	return 0;
}

/*
 * Without any socket of a kind the address is not served: an error. With some it is served by fewer
 * threads: a warning.
 */
static void log_socket_failure(struct server *s, const struct server_listen *l, unsigned kind,
                               int err)
{
	char text[ADDR_TEXT_MAX];

	if (l->n[kind] == 0)
		log_error("dns-listen-failed",
		          "address=%s port=%u transport=%s error=\"%s\" hint=\"%s\"",
		          addr_text(&l->address, text), s->port, transports[kind], strerror(-err),
		          err == -EADDRINUSE ? "another server uses the port: ss -lnutp shows which"
		                             : "");
	else if (err != -ENOENT)
		log_warn("dns-thread-socket-failed",
		         "address=%s port=%u transport=%s n=%u error=\"%s\" hint=\"restart "
		         "weir-dns, or run it under weir run\"",
		         addr_text(&l->address, text), s->port, transports[kind], l->n[kind],
		         strerror(-err));
}

/*
 * Open sockets up to @p n of each kind. @return whether the address has at least one socket of
 * each kind
 */
static bool open_sockets(struct server *s, struct server_listen *l, unsigned n)
{
	bool all = true;

	for (unsigned kind = 0; kind < 2; kind++) {
		int err = 0;

		while (err == 0 && l->n[kind] < n)
			err = open_next(s, l, kind);
		if (err < 0)
			log_socket_failure(s, l, kind, err);
		all &= l->n[kind] > 0;
	}
	/*
	 * The supervisor may have passed more than that: they must be read until listen_tick()
	 * closes them.
	 */
	for (unsigned kind = 0; kind < 2; kind++)
		while (l->handed && l->n[kind] < WORKERS_MAX &&
		       handed_find(&l->address, kinds[kind], l->n[kind]) >= 0 &&
		       open_next(s, l, kind) == 0)
			continue;
	return all;
}

static struct server_listen *find_listen(struct server *s, const struct addr *address)
{
	for (unsigned i = 0; i < s->n_listens; i++)
		if (addr_equal(&s->listens[i].address, address))
			return &s->listens[i];
	if (s->n_listens == SERVER_SOCKETS_MAX) {
		log_error("dns-listen-failed", "error=\"more than %d addresses\"",
		          SERVER_SOCKETS_MAX);
		return NULL;
	}
	s->listens[s->n_listens] =
	        (struct server_listen){ .address = *address, .own = { .fd = -1 } };
	return &s->listens[s->n_listens++];
}

/*
 * Let the kernel give packets to the first @p n sockets only. Surplus sockets, and those that the
 * supervisor has opened but not passed yet or not closed yet, get none. @return whether there are
 * surplus sockets
 */
static bool steer_packets(struct server_listen *l, unsigned n)
{
	bool many = false;

	for (unsigned kind = 0; kind < 2; kind++) {
		unsigned n_read = l->n[kind] < n ? l->n[kind] : n;
		int err = n_read ? reuseport_steer(l->fds[kind][0], n_read) : 0;

		if (err < 0)
			log_warn("dns-steering-failed", "transport=%s error=\"%s\"",
			         transports[kind], strerror(-err));
		many |= l->n[kind] > n;
	}
	return many;
}

/* The number of threads that the document asks for and that have a socket at some address. */
static unsigned threads_with_sockets(const struct server *s)
{
	unsigned most = 1;

	for (unsigned i = 0; i < s->n_listens; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			if (s->listens[i].n[kind] > most)
				most = s->listens[i].n[kind];
	return most < s->n_configured ? most : s->n_configured;
}

/* An address that is not configured any more: nothing is said of it. */
static void drop_listening(struct server *s, const struct addr *address)
{
	char labels[STATS_ADDRESS_MAX];

	if (!s->counters.stats)
		return;
	stats_address_labels(address, labels);
	stats_drop(s->counters.stats, STATS_LISTENING, labels);
}

static void close_unwanted(struct server *s, const struct model_node *node)
{
	for (unsigned i = s->n_listens; i-- > 0;)
		if (!node || !is_configured_address(node, &s->listens[i].address)) {
			close_sockets(&s->listens[i], 0);
			drop_listening(s, &s->listens[i].address);
			self_query_end(&s->listens[i].own);
			s->listens[i] = s->listens[--s->n_listens];
		}
}

/*
 * The supervisor may pass sockets before the document that names them is loaded: they are kept
 * for PASSED_MS.
 */
static uint64_t drain_end_ms(const struct server *s)
{
	uint64_t end_ms = loop_now_ms(s->loop) + DRAIN_MS, wait_ms = s->passed_ms + PASSED_MS;

	return s->passed_ms && wait_ms > end_ms ? wait_ms : end_ms;
}

void listen_update(struct server *s)
{
	const struct model_node *node = s->now->model->self;
	bool all = true, many = false;

	s->n_configured = count_configured_threads(s->now->model);
	close_unwanted(s, node);
	for (size_t i = 0; node && i < node->n_dns_listen; i++) {
		struct server_listen *l = find_listen(s, &node->dns_listen[i]);

		all &= l && open_sockets(s, l, s->n_configured);
		many |= l && steer_packets(l, s->n_configured);
	}
	close_early_sockets(s);
	workers_set_number(s, threads_with_sockets(s));
	if (!many)
		s->passed_ms = 0; /* the document in force names all passed sockets */
	s->drain_ms = many ? drain_end_ms(s) : 0;
	s->again_ms = all && s->n_threads ? 0 : loop_now_ms(s->loop) + AGAIN_MS;
}

/* All waiting sockets are received before listen_update(), which so sees a whole set of them. */
static void on_socket_channel(void *arg, int fd, uint32_t events)
{
	struct server *s = arg;
	unsigned n;
	int err = handed_receive(fd, &n);

	(void)events;
	if (err != -EAGAIN) /* the supervisor has ended; the next one starts a new process */
		loop_fd_remove(s->loop, fd);
	if (n == 0)
		return;
	log_info("dns-sockets-received", "n=%u", n);
	s->passed_ms = loop_now_ms(s->loop);
	if (s->now)
		listen_update(s);
}

int listen_watch(struct server *s)
{
	int fd = handed_channel();

	return fd < 0 ? 0 : loop_fd_add(s->loop, fd, EPOLLIN, on_socket_channel, s);
}

/* Before the first generation no socket is read, so a query would only wait. */
static void query_addresses(struct server *s, uint64_t now_ms)
{
	for (unsigned i = 0; s->now && i < s->n_listens; i++)
		if (s->listens[i].n[0] && s->listens[i].n[1])
			self_query_step(&s->listens[i].own, s->listens[i].fds[0][0], now_ms);
}

void listen_tick(struct server *s, uint64_t now_ms)
{
	query_addresses(s, now_ms);
	if (s->now && !s->again_ms && s->n_threads < threads_with_sockets(s))
		s->again_ms = now_ms + AGAIN_MS; /* a thread could not be started, or not again */
	if (s->now && s->again_ms && now_ms >= s->again_ms)
		listen_update(s);
	if (!s->drain_ms || now_ms < s->drain_ms)
		return;
	s->drain_ms = 0;
	for (unsigned i = 0; i < s->n_listens; i++)
		close_sockets(&s->listens[i], s->n_configured);
	workers_set_number(s, threads_with_sockets(s));
}

void listen_close(struct server *s)
{
	close_early_sockets(s);
	for (unsigned i = 0; i < s->n_listens; i++)
		self_query_end(&s->listens[i].own);
	for (unsigned i = 0; i < s->n_listens; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			while (s->listens[i].n[kind])
				close(s->listens[i].fds[kind][--s->listens[i].n[kind]]);
	s->n_listens = 0;
}
