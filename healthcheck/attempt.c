/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP attempt is a non-blocking connect() that the loop watches until the socket is writable;
 * then SO_ERROR is its result. An HTTP attempt uses the same kind of socket (attempt_socket.c)
 * through libcurl (attempt_http.c).
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"

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

static void on_connected(void *arg, int fd, uint32_t events)
{
	struct attempt *a = arg;
	int error = 0;
	socklen_t size = sizeof(error);

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	finish_attempt(a);
	a->cb(a->arg, a, error ? attempt_reason_of_errno(a->spec, error) : HEALTH_REASON_OK,
	      (unsigned)error);
}

bool attempt_poll(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLOUT };

	if (!a->active || a->spec->is_http || poll(&p, 1, 0) <= 0)
		return false;
	on_connected(a, a->fd, 0);
	return true;
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
	if (error == EINPROGRESS) {
		a->fd = fd;
		error = -loop_fd_add(a->prober->loop, fd, EPOLLOUT, on_connected, a);
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
