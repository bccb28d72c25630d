/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP clients. tcp.c accepts, queues and closes them; tcp_client.c reads, answers and writes for
 * one. Only the TCP thread that serves them.
 */
#ifndef WEIR_DNS_TCP_INTERNAL_H
#define WEIR_DNS_TCP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/hash.h"
#include "dns/answer/answer.h"
#include "dns/server.h"
#include "dns/worker.h"

#define TCP_CLIENTS_MAX 1024 /* of a thread: room for them; dns/workers.c sets the limit in force */
/*
 * All sockets of all addresses and threads, twice: a new plan is added before the old one is
 * removed.
 */
#define TCP_LISTENERS_MAX (2 * SERVER_SOCKETS_MAX * WORKERS_MAX)
#define TCP_NETWORKS      4096       /* buckets in which connections are counted by network */
#define TCP_NO_CLIENT     UINT32_MAX /* the end of a list of clients */
#define TCP_QUERY_MAX     65535      /* bytes: what the length before a message can say */
#define TCP_READ          4096       /* read at once, unless a larger query has begun */
#define TCP_OUT_SOFT      16384      /* answers are gathered up to this before they are written */

struct tcp_client {
	struct addr address;
	int fd;                /* -1: free */
	uint32_t older, newer; /* list by last progress; free ones by `newer` */
	/* When it was accepted, or last had a query answered and the answers sent. */
	uint64_t seen_ms;
	uint32_t n_in, n_out, out_at;
	uint16_t network; /* its bucket */
	bool queued;      /* belongs to the queue's entry: it survives the client */
	bool readable;    /* there may be something to read */
	bool ended;       /* the peer sends no more: read on until that is seen */
	bool waits;       /* for room to write */
	bool large;       /* has used more than the first pages of its buffers */
};

struct tcp_buffers {
	uint8_t in[2 + TCP_QUERY_MAX];
	uint8_t out[TCP_OUT_SOFT + 2 + ANSWER_MAX];
};

struct tcp {
	int epoll_fd;
	int listeners[TCP_LISTENERS_MAX];
	unsigned n_listeners;
	bool paused, short_of_room;
	uint64_t resume_ms;
	struct loop_timer again; /* serves the queue */
	struct loop_timer tick;
	struct hash_key key;
	uint32_t n, n_max, free, oldest, newest;
	uint32_t queue_first, n_queued;
	uint32_t queue[TCP_CLIENTS_MAX];
	uint16_t n_of_network[TCP_NETWORKS];
	struct tcp_client clients[TCP_CLIENTS_MAX];
	struct tcp_buffers *buffers; /* by client; pages untouched until they are used */
};

/* What a share of work came to. */
struct tcp_work {
	unsigned n_queries;
	size_t n_bytes;
	bool progress; /* a query was answered and all answers are written */
};

enum tcp_client_end {
	TCP_CLIENT_WAITS, /* nothing to do until its socket has an event */
	TCP_CLIENT_MORE,  /* there may be more to do at once */
	TCP_CLIENT_DONE,  /* the connection has gone */
	TCP_CLIENT_BAD,   /* it sent a message that gets no answer */
};

/* Write, read and answer for one client, its share of a turn at most. @p work is added to. */
enum tcp_client_end tcp_client_serve(struct dns_worker *w, struct tcp_client *c,
                                     struct tcp_buffers *b, struct tcp_work *work) MUST_CHECK
        NONNULL();

#endif
