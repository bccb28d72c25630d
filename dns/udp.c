/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP: up to UDP_BATCH waiting queries are read with one system call, answered, and sent with one.
 * Where few queries wait, the socket is not read again before poll(2) tells of it. While a larger
 * batch is answered, others come: reading at once saves a system call.
 *
 * A turn of the loop reads at most UDP_TURNS batches from one socket, so that no socket starves the
 * others. If more waits, `udp_waits` tells this number's TCP thread to work in smaller parts.
 */
#include "dns/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dns/answer/answer.h"
#include "dns/server.h"
#include "dns/serving.h"

/* A system call's cost is spread over enough queries; an answer waits for few others. */
#define UDP_BATCH     32
#define UDP_AGAIN     4    /* queries in a batch, from which on the next is read at once */
#define UDP_TURNS     8    /* batches: about 256 queries before the next socket gets its turn */
#define UDP_LAST      512  /* batches: more than the buffer of a socket holds */
#define UDP_QUERY_MAX 4096 /* bytes; a larger query is cut by the kernel, and so malformed */

#define CACHE_LINE 64

/* A message is read, becomes its answer, and is sent: the fewer cache lines it has, the better. */
struct udp {
	struct mmsghdr messages[UDP_BATCH] __attribute__((aligned(CACHE_LINE)));
	struct iovec parts[UDP_BATCH];
	struct sockaddr_in6 from[UDP_BATCH]; /* or a sockaddr_in */
	uint8_t queries[UDP_BATCH][UDP_QUERY_MAX] __attribute__((aligned(CACHE_LINE)));
	struct {
		uint8_t bytes[ANSWER_UDP_MAX] __attribute__((aligned(CACHE_LINE)));
	} answers[UDP_BATCH];
};

/* Make message @p i ready to be read. */
static void clear_message(struct udp *u, unsigned i)
{
	u->parts[i] = (struct iovec){ u->queries[i], UDP_QUERY_MAX };
	u->messages[i].msg_hdr.msg_name = &u->from[i];
	u->messages[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
}

int udp_open(struct dns_worker *w)
{
	struct udp *u = aligned_alloc(CACHE_LINE, sizeof(*u));

	if (!u)
		return -ENOMEM;
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		u->messages[i].msg_hdr.msg_iov = &u->parts[i];
		u->messages[i].msg_hdr.msg_iovlen = 1;
		clear_message(u, i);
	}
	w->udp = u;
	return 0;
}

void udp_close(struct dns_worker *w)
{
	free(w->udp);
	w->udp = NULL;
}

static void count_dropped(struct dns_worker *w, enum counters_drop reason)
{
	worker_count(w, w->server->counters.drops[reason]);
}

/*
 * Answer message @p i of the batch; the answer becomes number @p at of those to send, at most @p i.
 * @return whether there is one
 */
static bool answer_message(struct dns_worker *w, unsigned i, unsigned at)
{
	struct udp *u = w->udp;
	struct msghdr *in = &u->messages[i].msg_hdr, *out = &u->messages[at].msg_hdr;
	struct addr client;
	uint16_t port;
	size_t n;

	if (addr_from_sockaddr(in->msg_name, &client, &port) < 0 || port == 0) {
		count_dropped(w, COUNTERS_DROP_PORT);
		return false;
	}
	n = server_answer(w, u->queries[i], u->messages[i].msg_len, &client, false,
	                  u->answers[at].bytes, ANSWER_UDP_MAX);
	u->parts[at] = (struct iovec){ u->answers[at].bytes, n };
	out->msg_name = in->msg_name;
	out->msg_namelen = in->msg_namelen;
	return n > 0;
}

/* Send @p n answers; one that cannot be sent does not hold up the others. */
static void send_answers(struct dns_worker *w, int fd, unsigned n)
{
	for (unsigned at = 0; at < n;) {
		int sent = sendmmsg(fd, w->udp->messages + at, n - at, 0);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			count_dropped(w, COUNTERS_DROP_SEND);
		at += sent < 0 ? 1 : (unsigned)sent;
	}
}

/* Take and answer one batch. @return how many were read; UDP_BATCH also after an interruption */
static unsigned serve_batch(struct dns_worker *w, int fd)
{
	struct udp *u = w->udp;
	int n = recvmmsg(fd, u->messages, UDP_BATCH, MSG_DONTWAIT, NULL);
	unsigned n_in = n > 0 ? (unsigned)n : 0, n_out = 0;

	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED ? UDP_BATCH : 0;
	for (unsigned i = 0; i < n_in; i++)
		n_out += answer_message(w, i, n_out);
	tally_flush(&w->tally); /* a client that has its answer finds it counted */
	send_answers(w, fd, n_out);
	for (unsigned i = 0; i < n_in; i++)
		clear_message(u, i);
	return n_in;
}

void udp_ready(void *arg, int fd, uint32_t events)
{
	struct dns_worker *w = arg;
	unsigned n = serving_enter(w) ? UDP_BATCH : 0;

	(void)events;
	for (unsigned i = 0; i < UDP_TURNS && n >= UDP_AGAIN; i++)
		n = serve_batch(w, fd);
	if (n == UDP_BATCH)
		__atomic_store_n(&w->udp_waits, true, __ATOMIC_RELAXED);
	tally_flush(&w->tally);
	serving_leave(w);
}

void udp_answer_waiting(struct dns_worker *w, int fd)
{
	bool serves = serving_enter(w);

	for (unsigned i = 0; serves && i < UDP_LAST && serve_batch(w, fd); i++)
		continue;
	serving_leave(w);
}
