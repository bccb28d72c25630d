/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket of an attempt, and what the errno of a failed one says. An errno counts against the
 * target only if the network can have caused it. A route error can also come from this host: a
 * connected UDP socket, which sends nothing, asks the kernel for the route again.
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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

#define HEADERS_IP4 40 /* of IPv4 and TCP */
#define HEADERS_IP6 60

/* The route to the VIP knows nothing of the tunnel, in which less fits. */
static int limit_segments(int fd, const struct attempt_spec *spec)
{
	int size = spec->full_size - (addr_is4(&spec->address) ? HEADERS_IP4 : HEADERS_IP6);

	return setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &size, sizeof(size)) ? -errno : 0;
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
	if (!err && spec->full_size)
		err = limit_segments(fd, spec);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

uint64_t attempt_marking_right(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major < 5 || (major == 5 && minor < 17) ? 1ull << CAP_NET_ADMIN : 0;
}
