/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP attempt is a non-blocking connect() that the loop watches until the socket is writable;
 * then SO_ERROR is its result. With a full size, one segment of lines without text follows, and the
 * attempt ends when that is acknowledged: the kernel says so in the socket's queue of errors
 * (SO_TIMESTAMPING). An HTTP attempt uses the same kind of socket (attempt_socket.c) through libcurl
 * (attempt_http.c).
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"

#define FULL_SIZE_MAX 9216u /* the largest backup_mtu of a configuration */

int prober_open(struct prober *p, struct loop *loop)
{
	*p = (struct prober){ .loop = loop };
	return http_open(loop, &p->http);
}

void prober_close(struct prober *p)
{
	http_close(p->http);
	p->http = NULL;
}

static void finish_attempt(struct attempt *a)
{
	if (a->spec->is_http) {
		http_abort(a->prober->http, a);
	} else {
		loop_fd_remove(a->prober->loop, a->fd);
		close(a->fd);
		a->fd = -1;
	}
	attempt_ended(a);
}

void attempt_abort(struct attempt *a)
{
	if (a->active)
		finish_attempt(a);
}

bool attempt_spec_equal(const struct attempt_spec *a, const struct attempt_spec *b)
{
	if (!addr_equal(&a->address, &b->address) || a->port != b->port || a->mark != b->mark ||
	    a->is_http != b->is_http || a->full_size != b->full_size)
		return false;
	return !a->is_http || (a->expect == b->expect && strcmp(a->path, b->path) == 0 &&
	                       strcmp(a->host, b->host) == 0);
}

void attempt_pass(struct attempt *a, const struct attempt_spec *spec, void *arg)
{
	a->spec = spec;
	a->arg = arg;
}

/* One segment, as long as this connection may have. @return 0 or an errno */
static int send_full_size(struct attempt *a)
{
	static const int stamps =
	        SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
	char lines[FULL_SIZE_MAX];
	int n = 0, err;
	socklen_t size = sizeof(n);

	for (size_t i = 0; i < sizeof(lines); i++)
		lines[i] = i % 2 ? '\n' : '\r';
	if (getsockopt(a->fd, IPPROTO_TCP, TCP_MAXSEG, &n, &size) ||
	    setsockopt(a->fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)))
		return errno;
	if (n < 1 || (size_t)n > sizeof(lines))
		n = (int)sizeof(lines);
	if (send(a->fd, lines, (size_t)n, MSG_NOSIGNAL) < 0)
		return errno;
	err = loop_fd_set(a->prober->loop, a->fd,
	                  0); /* what comes now is an error, or that queue's */
	a->filled = !err;
	return -err;
}

static bool is_acknowledged(const struct attempt *a)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return !getsockopt(a->fd, IPPROTO_TCP, TCP_INFO, &info, &size) && !info.tcpi_unacked;
}

/* The result of an attempt that something happened to. @return whether there is one */
static bool read_result(struct attempt *a, int *error)
{
	struct msghdr stamp = { .msg_namelen = 0 };
	socklen_t size = sizeof(*error);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, error, &size))
		*error = errno;
	if (!a->filled) {
		if (!*error && a->spec->full_size)
			*error = send_full_size(a);
		return *error || !a->spec->full_size;
	}
	if (*error == ECONNRESET || *error == EPIPE)
		*error = 0; /* it answers such lines by closing: it has them */
	else if (!*error && recvmsg(a->fd, &stamp, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return true; /* closed by both */
	else if (!*error)
		return is_acknowledged(a);
	return true;
}

static void on_event(void *arg, int fd, uint32_t events)
{
	struct attempt *a = arg;
	int error = 0;

	(void)fd;
	(void)events;
	if (!read_result(a, &error))
		return;
	finish_attempt(a);
	a->cb(a->arg, a, error ? attempt_reason_of_errno(a->spec, error) : HEALTH_REASON_OK,
	      (unsigned)error);
}

bool attempt_poll(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = a->filled ? 0 : POLLOUT };

	if (!a->active || a->spec->is_http || poll(&p, 1, 0) <= 0)
		return false;
	on_event(a, a->fd, 0);
	return !a->active;
}

/* Whether small packets got through, and one of full size did not. */
static bool is_full_size_lost(const struct attempt *a)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return a->active && a->spec->full_size && a->fd >= 0 &&
	       !getsockopt(a->fd, IPPROTO_TCP, TCP_INFO, &info, &size) &&
	       (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT) &&
	       info.tcpi_unacked > 0;
}

enum health_reason attempt_silence(const struct attempt attempts[2])
{
	for (int i = 0; i < 2; i++)
		if (attempts[i].active && attempts[i].local_errno)
			return HEALTH_REASON_LOCAL;
	return is_full_size_lost(&attempts[0]) || is_full_size_lost(&attempts[1])
	               ? HEALTH_REASON_FULL_SIZE
	               : HEALTH_REASON_TIMEOUT;
}

/* connect() may succeed or fail at once; then the result is returned and nothing is called. */
static enum health_reason tcp_start(struct attempt *a, unsigned *detail)
{
	struct sockaddr_storage to;
	socklen_t size = addr_to_sockaddr(&a->spec->address, a->spec->port, &to);
	int fd = attempt_socket(a->spec), error = 0;

	if (fd < 0) {
		*detail = (unsigned)-fd;
		return HEALTH_REASON_LOCAL;
	}
	if (connect(fd, (struct sockaddr *)&to, size))
		error = errno;
	if (error == EINPROGRESS || (!error && a->spec->full_size)) {
		a->fd = fd;
		error = -loop_fd_add(a->prober->loop, fd, EPOLLOUT, on_event, a);
		if (!error)
			return HEALTH_REASON_NONE;
	}
	close(fd);
	a->fd = -1;
	*detail = (unsigned)error;
	return error ? attempt_reason_of_errno(a->spec, error) : HEALTH_REASON_OK;
}

enum health_reason attempt_start(struct prober *p, struct attempt *a,
                                 const struct attempt_spec *spec, attempt_cb *cb, void *arg,
                                 unsigned *detail)
{
	enum health_reason reason;

	*detail = 0;
	if (p->n_active >= ATTEMPTS_MAX) {
		*detail = EBUSY;
		return HEALTH_REASON_LOCAL;
	}
	*a = (struct attempt){ .prober = p, .spec = spec, .cb = cb, .arg = arg, .fd = -1 };
	reason = spec->is_http ? http_start(p->http, a) : tcp_start(a, detail);
	if (reason == HEALTH_REASON_NONE) {
		a->active = true;
		p->n_active++;
	}
	return reason;
}
