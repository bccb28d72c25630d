/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside next hops: two tables. A *via* is a next hop on a link, which the kernel resolves. A
 * *dest* is a watched address; it is behind a via, many of them behind the same one. Two sockets:
 * one receives changes; by the other a request is sent and its answer is waited for, which the
 * kernel gives within the call. All of it is the loop's thread's.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_HOPS_INTERNAL_H
#define WEIR_DATAPLANE_NEXTHOP_HOPS_INTERNAL_H

#include <linux/neighbour.h>

#include "base/loop.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/nexthop/rtnl.h"

#define HOP_LINKS_MAX    1024u /* interfaces of the node */
#define HOP_BUCKETS      4096u /* chains of eight at 32,768 addresses */
#define HOP_NONE         UINT32_MAX
#define HOP_BUFFER_BYTES (64 * 1024) /* a message of a dump has at most 32 KiB */
#define HOP_DOUBTS_MAX   256u        /* further ones are asked within 10 s anyway */

/* A next hop on a link. Free when refs is 0. */
struct via {
	struct addr addr;
	uint32_t ifindex;
	uint32_t refs;
	uint32_t next;               /* in its bucket */
	uint32_t dests;              /* the first of the addresses behind it */
	uint32_t n_answer, n_silent; /* of them: those whose checks get answers, and time out */
	uint16_t state;
	bool has_mac, doubted;
	uint8_t mac[6];
	uint64_t failed_ms;         /* since when it answers no request; 0: it does */
	uint64_t probed_ms, due_ms; /* NUD_PROBE: the last one, the next one */
};

/* A watched address. Free when refs is 0. */
struct dest {
	struct addr addr;
	uint32_t refs;
	uint32_t next;
	uint32_t via;                    /* HOP_NONE: no route */
	uint32_t via_next, via_previous; /* among those behind the via */
	uint32_t route_mtu;              /* 0: the link's */
	uint32_t last_ifindex;           /* by which it was reached last; 0: never was */
	bool refused;                    /* by a route that says so */
	uint8_t heard;                   /* enum hop_heard */
	struct hop hop;                  /* as last reported */
};

struct hop_link {
	struct rtnl_link is;
	uint64_t up_ms; /* since when it is up; 0: since before we looked, or it is not */
};

struct hops {
	struct loop *loop;
	struct mnl_socket *notifications, *queries;
	struct loop_timer tick, settle, doubt;
	hops_changed *changed;
	void *arg;
	struct hop_link *links, *old_links;
	size_t n_links;
	struct via *vias;
	struct dest *dests;
	uint32_t max, via_buckets[HOP_BUCKETS], dest_buckets[HOP_BUCKETS];
	uint32_t free_via, free_dest; /* none before it is free */
	uint32_t top_via;             /* none from it on was ever used */
	uint32_t seq, next_use, next_probe;
	uint32_t next_route; /* of dests, while all are asked for again; 0: they are not */
	bool resync, settle_again;
	bool lacks_room; /* for a link: all are read again with the next round */
	bool unanswered; /* a question for a route failed: all are asked again */
	bool follows;    /* what is heard is news, no longer the first reading */
	uint64_t settle_began_ms, settle_not_before;
	uint64_t expires_ms;             /* when the first MTU of a path expires; 0: none does */
	uint32_t doubts[HOP_DOUBTS_MAX]; /* vias to be asked at the next turn */
	size_t n_doubts;
	struct hops_counters counters;
	char *buffer;
};

/* nexthop/hops_state.c: what the tables say; pure. */

const struct hop_link *hops_find_link(const struct hops *h, uint32_t ifindex);
/* The state of @p d by the tables, and since when it is so. */
struct hop hops_make(const struct hops *h, const struct dest *d, uint64_t now_ms);
bool hops_same(const struct hop *a, const struct hop *b);

/* nexthop/hops_query.c: requests to the kernel, and those that it is made to send to next hops. */

/* Whether the kernel does not know, or is not sure, that @p v is in use: then tell it by hops_use(). */
bool hops_needs_use(const struct via *v);
void hops_use(struct hops *h, const struct via *v);
/*
 * @return 0 and @p out, or -errno: the kernel's own says that a route refuses (hops_is_refusal())
 */
int hops_query_route(struct hops *h, const struct addr *to, struct rtnl_route *out);
/* Whether @p err of hops_query_route() means a route that refuses, and not that there is none. */
bool hops_is_refusal(int err);
/*
 * Whether @p err of hops_query_route() says anything about the route; otherwise the request is
 * repeated.
 */
bool hops_is_answer(int err);
/*
 * Read the kernel's entry of @p v, as there are no messages of an entry that does not change.
 * @return its NTF_*
 */
uint8_t hops_read_neighbour(struct hops *h, struct via *v);
/* Probe vias that are due, a bounded number; once a second. */
void hops_probe_due(struct hops *h);
/* A loop_timer: probe the vias of h->doubts. */
void hops_on_doubt(void *hops);
/*
 * Probe via @p i in the next turn of the loop; not now, since the kernel's messages may just be
 * read.
 */
void hops_doubt_via(struct hops *h, uint32_t i);
/* Add (@p sign 1) or remove (-1) the result of @p d's checks at its via. */
void hops_count_heard(struct hops *h, const struct dest *d, int sign);
/* Probe @p via if the checks of all addresses behind it are silent. */
void hops_look_silent(struct hops *h, uint32_t via);

#endif
