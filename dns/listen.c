/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: those that the supervisor holds ("dns-udp-0", "dns-tcp-0", ... in the order of
 * dns_listen), or our own. One that cannot be bound stops no other; it is tried again with
 * the next document. Port 53 is root's: without a supervisor, what the document names is opened
 * before rights are dropped (listen_early), and what a later one adds needs a restart.
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
#include "weir/model.h"

#define BACKLOG 1024

static void raise_buffer(int fd)
{
	int bytes = SERVER_RCVBUF;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int bind_own(const struct addr *address, uint16_t port, int type)
{
	struct sockaddr_storage to;
	socklen_t length = addr_to_sockaddr(address, port, &to);
	int fd = socket(to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (to.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, length) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		int err = -errno;

		close(fd);
		return err;
	}
	/* a socket that is handed down has its room: without rights we could only lower it */
	if (type == SOCK_DGRAM)
		raise_buffer(fd);
	return fd;
}

static bool is_bound_to(int fd, const struct addr *address, int type)
{
	struct sockaddr_storage at;
	socklen_t length = sizeof(at), n_type = sizeof(int);
	struct addr bound;
	int is = 0;

	return getsockname(fd, (struct sockaddr *)&at, &length) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &n_type) == 0 && is == type &&
	       addr_from_sockaddr((struct sockaddr *)&at, &bound, NULL) == 0 &&
	       addr_equal(&bound, address);
}

/* The handed-down socket bound to @p address. @return a duplicate, or -ENOENT */
static int find_handed(const struct addr *address, int type)
{
	for (unsigned i = 0; i < SERVER_SOCKETS_MAX; i++) {
		char name[32];
		int fd;

		snprintf(name, sizeof(name), "dns-%s-%u", type == SOCK_STREAM ? "tcp" : "udp", i);
		fd = proc_listen_fd(name);
		if (fd >= 0 && is_bound_to(fd, address, type))
			return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return -ENOENT;
}

/* The socket that listen_early() has bound to @p address. @return it, no longer in the list, or -ENOENT */
static int take_early(struct server *s, const struct addr *address, int type)
{
	for (unsigned i = 0; i < s->n_early; i++) {
		int fd = s->early[i];

		if (!is_bound_to(fd, address, type))
			continue;
		s->early[i] = s->early[--s->n_early];
		return fd;
	}
	return -ENOENT;
}

/* What the present document does not want would take queries that nobody reads. */
void listen_close_early(struct server *s)
{
	while (s->n_early > 0)
		close(s->early[--s->n_early]);
}

static void bind_early(struct server *s, const struct addr *address, int type)
{
	int fd = find_handed(address, type);

	if (fd >= 0) {
		close(fd);
		return;
	}
	fd = bind_own(address, s->port, type);
	if (fd >= 0)
		s->early[s->n_early++] = fd; /* a failure is told when it is tried again */
}

void listen_early(struct server *s)
{
	struct model *m = NULL;
	struct model_mistakes mistakes = { 0 };
	char path[PATH_MAX];

	if (geteuid() != 0 || proc_listen_fd("dns-udp-0") >= 0 ||
	    proc_listen_fd("dns-tcp-0") >= 0 ||
	    proc_path(s->dirs->state, PROC_EFFECTIVE_FILE, path) < 0)
		return; /* who holds sockets for us holds them all; without rights there is no hurry */
	/* mistakes are told by the load that follows */
	if (model_read_effective(path, s->dirs->node, &m, &mistakes) == 0 && m->self)
		for (size_t i = 0; i < m->self->n_dns_listen && i < SERVER_SOCKETS_MAX; i++) {
			bind_early(s, &m->self->dns_listen[i], SOCK_DGRAM);
			bind_early(s, &m->self->dns_listen[i], SOCK_STREAM);
		}
	model_free(m);
	model_mistakes_free(&mistakes);
}

static void close_listen(struct server *s, unsigned i)
{
	struct server_listen *l = &s->listens[i];

	if (l->udp >= 0) {
		loop_fd_remove(s->loop, l->udp);
		close(l->udp);
	}
	if (l->tcp >= 0) {
		loop_fd_remove(s->loop, l->tcp);
		close(l->tcp);
	}
	*l = s->listens[--s->n_listens];
}

static bool is_wanted(const struct model_node *node, const struct addr *address)
{
	for (size_t i = 0; i < node->n_dns_listen; i++)
		if (addr_equal(&node->dns_listen[i], address))
			return true;
	return false;
}

static int open_one(struct server *s, const struct addr *address, int type, loop_fd_cb *cb)
{
	const char *transport = type == SOCK_STREAM ? "tcp" : "udp";
	int fd = find_handed(address, type), err;
	char text[ADDR_TEXT_MAX];

	if (fd < 0)
		fd = take_early(s, address, type);
	if (fd < 0)
		fd = bind_own(address, s->port, type);
	if (fd < 0) {
		log_error("dns-listen-failed", "address=%s port=%u transport=%s error=\"%s\"",
		          addr_text(address, text), s->port, transport, strerror(-fd));
		return -1;
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	err = loop_fd_add(s->loop, fd, EPOLLIN, cb, s);
	if (err < 0) {
		log_error("dns-listen-failed", "address=%s error=\"%s\"", addr_text(address, text),
		          strerror(-err));
		close(fd);
		return -1;
	}
	return fd;
}

static void open_listen(struct server *s, const struct addr *address)
{
	struct server_listen *l = NULL;

	for (unsigned i = 0; i < s->n_listens; i++)
		if (addr_equal(&s->listens[i].address, address))
			l = &s->listens[i];
	if (!l && s->n_listens == SERVER_SOCKETS_MAX) {
		log_error("dns-listen-failed", "error=\"more than %d addresses\"",
		          SERVER_SOCKETS_MAX);
		return;
	}
	if (!l) {
		l = &s->listens[s->n_listens++];
		*l = (struct server_listen){
			.address = *address, .port = s->port, .udp = -1, .tcp = -1
		};
	}
	if (l->udp < 0)
		l->udp = open_one(s, address, SOCK_DGRAM, udp_ready);
	if (l->tcp < 0)
		l->tcp = open_one(s, address, SOCK_STREAM, tcp_ready);
}

void listen_update(struct server *s)
{
	const struct model_node *node = s->now->model->self;

	for (unsigned i = s->n_listens; i-- > 0;)
		if (!node || !is_wanted(node, &s->listens[i].address))
			close_listen(s, i);
	for (size_t i = 0; node && i < node->n_dns_listen; i++)
		open_listen(s, &node->dns_listen[i]);
	listen_close_early(s);
}
