/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: one message in, one out, from the address that it came to. A turn of the loop takes
 * at most UDP_BURST from one socket, so that no socket starves the others.
 */
#include "dns/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "weir/stats.h"

#define UDP_BURST 256
/* A query over UDP that is larger than this is cut, and so malformed. */
#define UDP_QUERY_MAX 4096

static void drop(struct server *s, enum counters_drop why)
{
	if (s->counters.stats)
		stats_add(s->counters.drops[why], 1);
}

/* Answer one. @return false when nothing waits any more */
static bool serve_one(struct server *s, int fd)
{
	uint8_t query[UDP_QUERY_MAX], out[ANSWER_UDP_MAX];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&from, &length);
	struct addr client;
	uint16_t port;
	size_t answered;

	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED;
	if (addr_from_sockaddr((struct sockaddr *)&from, &client, &port) < 0 || port == 0) {
		drop(s, COUNTERS_DROP_PORT);
		return true;
	}
	answered = server_answer(s, query, (size_t)n, &client, false, out, sizeof(out));
	if (answered && sendto(fd, out, answered, 0, (struct sockaddr *)&from, length) < 0)
		drop(s, COUNTERS_DROP_SEND);
	return true;
}

void udp_ready(void *arg, int fd, uint32_t events)
{
	(void)events;
	for (unsigned i = 0; i < UDP_BURST; i++)
		if (!serve_one(arg, fd))
			return;
}
