/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP attempt is a non-blocking connect() that the loop watches until the socket is writable;
 * then SO_ERROR is its result. An HTTP attempt uses the same kind of socket through libcurl
 * (attempt_http.c). An errno counts against the target only if the network can have caused it. A
 * route error can also come from this host: a connected UDP socket, which sends nothing, asks the
 * kernel for the route again.
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <netinet/in.h>
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

/*
 * Whether this host itself knows no way to the target, by its own routes: a connected UDP socket
 * asks for the route and sends nothing. The same errnos come from routers, by ICMP, and then speak
 * against the target.
 */
static bool is_refused_here(const struct attempt_spec *spec)
{
	struct sockaddr_storage to;
	socklen_t size = addr_to_sockaddr(&spec->address, spec->port, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused = (spec->mark &&
	           setsockopt(fd, SOL_SOCKET, SO_MARK, &spec->mark, sizeof(spec->mark))) ||
	          connect(fd, (struct sockaddr *)&to, size);
	close(fd);
	return refused;
}

/* What is our own host's doing (no route, no port, no memory) says nothing about the target. */
enum health_reason attempt_reason_of_errno(const struct attempt_spec *spec, int error)
{
	switch (error) {
	case ECONNREFUSED:
		return HEALTH_REASON_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return HEALTH_REASON_RESET;
	case ETIMEDOUT:
		return HEALTH_REASON_TIMEOUT;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EACCES: /* an ICMPv6 error of a router that does not let it through, or a prohibit route */
		return is_refused_here(spec) ? HEALTH_REASON_LOCAL : HEALTH_REASON_UNREACHABLE;
	default:
		return HEALTH_REASON_LOCAL;
	}
}

/*
 * Whether the route could be asked for at all: without a descriptor is_refused_here() knows
 * nothing.
 */
static bool can_query_route(const struct attempt_spec *spec)
{
	int fd =
	        socket(addr_is4(&spec->address) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ||
	       (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM);
}

bool attempt_lacked(const struct attempt_spec *spec, unsigned detail)
{
	switch (detail) {
	case 0: /* what libcurl is given could not be made: no memory */
	case EAGAIN:
	case EBUSY:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:
	case EADDRINUSE:
		return true;
	case EADDRNOTAVAIL: /* no port is free; of IPv6 also: this host has no address to send from */
		return addr_is4(&spec->address);
	default:
		return !can_query_route(spec);
	}
}

static int set_tunnel_options(int fd, const struct attempt_spec *spec)
{
	int ttl = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &spec->mark, sizeof(spec->mark)))
		return -errno;
	if (addr_is4(&spec->address))
		return setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) ? -errno : 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)) ? -errno : 0;
}

int attempt_socket(const struct attempt_spec *spec)
{
	const struct linger reset = { .l_onoff = 1 };
	int fd, err;

	fd = socket(addr_is4(&spec->address) ? AF_INET : AF_INET6,
	            SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	if (spec->mark || !spec->is_http)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	err = spec->mark ? set_tunnel_options(fd, spec) : 0;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
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
	a->active = false;
	a->prober->n_active--;
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
	enum health_reason why;

	*detail = 0;
	if (p->n_active >= ATTEMPTS_MAX) {
		*detail = EBUSY;
		return HEALTH_REASON_LOCAL;
	}
	*a = (struct attempt){ .prober = p, .spec = spec, .cb = cb, .arg = arg, .fd = -1 };
	why = spec->is_http ? http_start(p->http, a) : tcp_start(a, detail);
	if (why == HEALTH_REASON_NONE) {
		a->active = true;
		p->n_active++;
	}
	return why;
}
