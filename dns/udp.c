/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: what waits on a socket is taken in batches, answered, and sent from the address that it
 * came to. One call takes a batch, so a socket with little to do needs no second look. A turn
 * of the loop takes at most UDP_TURNS batches from one socket, so that no socket starves the
 * others.
 */
#include "dns/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "weir/stats.h"

#define UDP_BATCH 32
#define UDP_TURNS 8
/* A query over UDP that is larger than this is cut, and so malformed. */
#define UDP_QUERY_MAX 4096

struct udp {
	struct mmsghdr in[UDP_BATCH], out[UDP_BATCH];
	struct iovec in_parts[UDP_BATCH], out_parts[UDP_BATCH];
	struct sockaddr_storage from[UDP_BATCH];
	uint8_t queries[UDP_BATCH][UDP_QUERY_MAX];
	uint8_t answers[UDP_BATCH][ANSWER_UDP_MAX];
};

int udp_open(struct server *s)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		u->in_parts[i] = (struct iovec){ u->queries[i], UDP_QUERY_MAX };
		u->in[i].msg_hdr.msg_name = &u->from[i];
		u->in[i].msg_hdr.msg_iov = &u->in_parts[i];
		u->in[i].msg_hdr.msg_iovlen = 1;
		u->out[i].msg_hdr.msg_iov = &u->out_parts[i];
		u->out[i].msg_hdr.msg_iovlen = 1;
	}
	s->udp = u;
	return 0;
}

void udp_close(struct server *s)
{
	free(s->udp);
	s->udp = NULL;
}

static void drop(struct server *s, enum counters_drop why)
{
	if (s->counters.stats)
		stats_add(s->counters.drops[why], 1);
}

/* Answer message @p i of the batch into place @p at of those to send. @return whether there is an answer */
static bool serve_one(struct server *s, unsigned i, unsigned at)
{
	struct udp *u = s->udp;
	struct msghdr *in = &u->in[i].msg_hdr, *out = &u->out[at].msg_hdr;
	struct addr client;
	uint16_t port;
	size_t n;

	if (addr_from_sockaddr(in->msg_name, &client, &port) < 0 || port == 0) {
		drop(s, COUNTERS_DROP_PORT);
		return false;
	}
	n = server_answer(s, u->queries[i], u->in[i].msg_len, &client, false, u->answers[at],
	                  ANSWER_UDP_MAX);
	u->out_parts[at] = (struct iovec){ u->answers[at], n };
	out->msg_name = in->msg_name;
	out->msg_namelen = in->msg_namelen;
	return n > 0;
}

/* Send @p n answers; one that cannot be sent does not hold up the others. */
static void send_all(struct server *s, int fd, unsigned n)
{
	for (unsigned at = 0; at < n;) {
		int sent = sendmmsg(fd, s->udp->out + at, n - at, 0);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			drop(s, COUNTERS_DROP_SEND);
		at += sent < 0 ? 1 : (unsigned)sent;
	}
}

/* Take and answer one batch. @return whether more may wait */
static bool serve_batch(struct server *s, int fd)
{
	struct udp *u = s->udp;
	unsigned n_out = 0;
	int n;

	for (unsigned i = 0; i < UDP_BATCH; i++)
		u->in[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
	n = recvmmsg(fd, u->in, UDP_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		n_out += serve_one(s, (unsigned)i, n_out);
	send_all(s, fd, n_out);
	return n == UDP_BATCH || (n < 0 && (errno == EINTR || errno == ECONNREFUSED));
}

void udp_ready(void *arg, int fd, uint32_t events)
{
	(void)events;
	for (unsigned i = 0; i < UDP_TURNS; i++)
		if (!serve_batch(arg, fd))
			return;
}
