/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows of datagrams, as a server of QUIC's has them: what began here is known by its ID and its addresses, and is echoed;
 * what did not is told so, as by a stateless reset. Flows do not end: the table has room for a lab's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/loop.h"
#include "tests/lab/echo.h"

#define FLOWS_MAX 65536u
#define ROOM      (4 << 20) /* for what comes while this process waits for its turn */

struct known_client {
	uint64_t id; /* 0: none */
	struct addr peer;
	uint16_t port;
	int fd;
};

static struct known_client flows[FLOWS_MAX];
static const char *own_name;

/* The flow's place, or a free one; NULL: there is no room. */
static struct known_client *place_of(const struct known_client *flow)
{
	for (uint32_t i = 0; i < FLOWS_MAX; i++) {
		struct known_client *k = &flows[(flow->id + i) % FLOWS_MAX];

		if (k->id == 0)
			return k;
		if (k->id == flow->id && k->port == flow->port && k->fd == flow->fd &&
		    !memcmp(&k->peer, &flow->peer, sizeof(k->peer)))
			return k;
	}
	return NULL;
}

/* Whether the datagram is of a flow that began here. */
static bool is_known(const struct known_client *flow, uint32_t kind)
{
	struct known_client *k = place_of(flow);

	if (k && k->id == 0 && kind == STREAM_FIRST)
		*k = *flow;
	return k && k->id == flow->id;
}

static bool is_sound(const struct stream_datagram *d, ssize_t n)
{
	return n >= (ssize_t)sizeof(*d) && (size_t)n == sizeof(*d) + d->n_bytes &&
	       d->magic == STREAM_MAGIC && d->kind <= STREAM_MORE && d->id != 0;
}

static void on_datagram(void *arg, int fd, uint32_t events)
{
	struct {
		struct stream_datagram head;
		uint8_t bytes[STREAM_DATAGRAM_MAX];
	} in;
	struct sockaddr_storage from;
	socklen_t from_length;
	ssize_t n;

	(void)arg;
	(void)events;
	while (from_length = sizeof(from),
	       (n = recvfrom(fd, &in, sizeof(in), 0, (struct sockaddr *)&from, &from_length)) >=
	               0) {
		struct known_client flow = { .id = in.head.id, .fd = fd };

		if (!is_sound(&in.head, n) ||
		    addr_from_sockaddr((struct sockaddr *)&from, &flow.peer, &flow.port))
			continue;
		in.head.kind = is_known(&flow, in.head.kind) ? STREAM_ECHO : STREAM_UNKNOWN;
		if (in.head.kind == STREAM_UNKNOWN) {
			in.head.n_bytes = 0;
			n = sizeof(in.head);
		}
		snprintf(in.head.name, sizeof(in.head.name), "%s", own_name);
		sendto(fd, &in, (size_t)n, 0, (struct sockaddr *)&from, from_length);
	}
}

bool echo_udp_open(struct loop *l, const char *name, const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t length;
	struct addr a;
	int fd, room = ROOM;

	own_name = name;
	if (addr_parse(address, &a))
		return false;
	length = addr_to_sockaddr(&a, port, &at);
	fd = socket(at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&at, length) ||
	    loop_fd_add(l, fd, EPOLLIN, on_datagram, NULL)) {
		perror("echo: datagrams");
		return false;
	}
	return true;
}
