/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bound socket does not prove that queries are answered: the threads may not have begun, or a filter
 * of the host may drop what comes. So each address is asked until an answer has come. The query leaves
 * from the address itself: where the host lacks it, bind(2) fails, and no other host is ever asked.
 *
 * It asks for the root's SOA, which touches no dynamic name and no count of clients. Any answer counts,
 * REFUSED is the usual one: what the zones say is no matter of the address. Main thread only.
 */
#include "dns/self_query.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

#define AGAIN_MS  1000u /* between two queries: one may be lost */
#define HEADER    12
#define FLAG_QR   0x80 /* of the third byte: a response */
#define SMALL_MAX 512

/* A socket between the address of @p serving at a free port and that of @p serving. */
static int open_query_socket(int serving)
{
	struct sockaddr_storage to, from;
	socklen_t length = sizeof(to);
	struct addr address;
	uint16_t port;
	int fd;

	if (getsockname(serving, (struct sockaddr *)&to, &length) < 0 ||
	    addr_from_sockaddr((struct sockaddr *)&to, &address, &port) < 0)
		return -1;
	length = addr_to_sockaddr(&address, 0, &from);
	fd = socket(from.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (bind(fd, (struct sockaddr *)&from, length) < 0 ||
	                connect(fd, (struct sockaddr *)&to, length) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool has_answer(const struct self_query *q)
{
	uint8_t bytes[SMALL_MAX];
	ssize_t n;

	while ((n = recv(q->fd, bytes, sizeof(bytes), 0)) >= 0)
		if (n >= HEADER && bytes[0] == q->id >> 8 && bytes[1] == (q->id & 0xff) &&
		    bytes[2] & FLAG_QR)
			return true;
	return false;
}

/* A failure is a query that got no answer: the next one tries again. */
static void send_query(struct self_query *q)
{
	uint8_t bytes[HEADER + 5] = { (uint8_t)(q->id >> 8), (uint8_t)q->id, [5] = 1,
		                      [HEADER + 2] = 6 /* SOA */, [HEADER + 4] = 1 /* IN */ };

	(void)send(q->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

void self_query_step(struct self_query *q, int serving, uint64_t now_ms)
{
	if (q->answered)
		return;
	if (!q->began_ms)
		q->began_ms = now_ms;
	if (q->fd >= 0 && has_answer(q)) {
		q->answered = true;
		self_query_end(q);
		return;
	}
	if (q->sent_ms && now_ms - q->sent_ms < AGAIN_MS)
		return;
	q->sent_ms = now_ms;
	self_query_end(q); /* a socket may have met an error, or the address has come since */
	q->fd = open_query_socket(serving);
	q->id = (uint16_t)now_ms;
	if (q->fd >= 0)
		send_query(q);
}

void self_query_end(struct self_query *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}
