/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two tables: vias, the next hops on their links, which the kernel resolves, and dests, the
 * watched addresses, each behind a via.  Two sockets: one hears of changes, one asks and
 * waits for the answer, which the kernel gives within the call.
 */
#include "dataplane/hops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/loop.h"
#include "dataplane/rtnl.h"

#define HOP_LINKS_MAX   1024u
#define BUCKETS         4096u
#define NONE            UINT32_MAX
#define TICK_MS         1000u
#define SETTLE_MS       20u /* several messages of one change are taken together */
#define BUFFER_BYTES    (64 * 1024)
#define USES_PER_TICK   2048u
#define ROUTES_PER_TURN 128u

/* A next hop on a link. Free when refs is 0. */
struct via {
	struct addr addr;
	uint32_t ifindex;
	uint32_t refs;
	uint32_t next; /* in its bucket */
	uint16_t state;
	bool has_mac;
	uint8_t mac[6];
};

/* A watched address. Free when refs is 0. */
struct dest {
	struct addr addr;
	uint32_t refs;
	uint32_t next;
	uint32_t via;       /* NONE: no route */
	uint32_t route_mtu; /* 0: the link's */
	struct hop hop;     /* as last told */
};

struct hops {
	struct loop *loop;
	struct mnl_socket *news, *asks;
	struct loop_timer tick, settle;
	hops_changed *changed;
	void *arg;
	struct rtnl_link *links, *old_links;
	size_t n_links;
	struct via *vias;
	struct dest *dests;
	uint32_t max, via_buckets[BUCKETS], dest_buckets[BUCKETS];
	uint32_t free_via, free_dest; /* none before it is free */
	uint32_t seq, next_use;
	uint32_t next_route; /* of dests, while all are asked for again; 0: they are not */
	bool resync, settle_again;
	uint64_t settle_began_ms, settle_not_before;
	struct hops_counters counters;
	char *buffer;
};

static uint32_t bucket(const struct addr *a, uint32_t ifindex)
{
	static const struct hash_key key = { 0x7765697268u, 1 };
	struct {
		struct addr addr;
		uint32_t ifindex;
	} v = { *a, ifindex };

	return (uint32_t)(hash_bytes(&key, &v, sizeof(v)) % BUCKETS);
}

static const struct rtnl_link *find_link(const struct hops *h, uint32_t ifindex)
{
	for (size_t i = 0; i < h->n_links; i++)
		if (h->links[i].ifindex == ifindex)
			return &h->links[i];
	return NULL;
}

static uint32_t find_via(const struct hops *h, const struct addr *a, uint32_t ifindex)
{
	uint32_t i = h->via_buckets[bucket(a, ifindex)];

	while (i != NONE && (h->vias[i].ifindex != ifindex || !addr_equal(&h->vias[i].addr, a)))
		i = h->vias[i].next;
	return i;
}

static uint32_t find_dest(const struct hops *h, const struct addr *a)
{
	uint32_t i = h->dest_buckets[bucket(a, 0)];

	while (i != NONE && !addr_equal(&h->dests[i].addr, a))
		i = h->dests[i].next;
	return i;
}

/* What the tables say of @p d now. */
static struct hop make_hop(const struct hops *h, const struct dest *d)
{
	struct hop hop = { .state = HOP_NO_ROUTE };
	const struct rtnl_link *link, *lower;
	const struct via *via;
	uint32_t mtu;

	if (d->via == NONE)
		return hop;
	via = &h->vias[d->via];
	link = find_link(h, via->ifindex);
	hop.state = HOP_NO_PORT;
	if (!link || !link->up || !link->ethernet)
		return hop;
	hop.state = HOP_NO_NEIGHBOUR;
	if (!via->has_mac)
		return hop;
	mtu = d->route_mtu && d->route_mtu < link->mtu ? d->route_mtu : link->mtu;
	hop.state = HOP_KNOWN;
	hop.route_ifindex = link->ifindex;
	hop.vlan = link->vlan;
	lower = link->vlan ? find_link(h, link->lower) : NULL;
	if (lower && lower->vlan) {
		hop.outer_vlan = lower->vlan;
		hop.outer_type_be = lower->vlan_type_be;
		link = lower;
	}
	hop.ifindex = link->vlan ? link->lower : link->ifindex;
	hop.mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
	hop.on_link = addr_equal(&via->addr, &d->addr);
	memcpy(hop.mac_to, via->mac, sizeof(hop.mac_to));
	memcpy(hop.mac_from, link->mac, sizeof(hop.mac_from));
	return hop;
}

static bool same_hop(const struct hop *a, const struct hop *b)
{
	return a->state == b->state && a->ifindex == b->ifindex &&
	       a->route_ifindex == b->route_ifindex && a->vlan == b->vlan && a->mtu == b->mtu &&
	       a->on_link == b->on_link && a->outer_vlan == b->outer_vlan &&
	       a->outer_type_be == b->outer_type_be &&
	       !memcmp(a->mac_to, b->mac_to, sizeof(a->mac_to)) &&
	       !memcmp(a->mac_from, b->mac_from, sizeof(a->mac_from));
}

static void tell(struct hops *h, struct dest *d)
{
	struct hop hop = make_hop(h, d);

	if (same_hop(&hop, &d->hop))
		return;
	d->hop = hop;
	h->counters.changes++;
	h->changed(h->arg, &d->addr, &hop);
}

/* One more reference to the via of (@p a, @p ifindex); NONE when there is no room. */
static uint32_t take_via(struct hops *h, const struct addr *a, uint32_t ifindex)
{
	uint32_t i = find_via(h, a, ifindex), at = bucket(a, ifindex);

	if (i != NONE) {
		h->vias[i].refs++;
		return i;
	}
	for (i = h->free_via; i < h->max && h->vias[i].refs; i++)
		;
	h->free_via = i;
	if (i == h->max)
		return NONE;
	h->vias[i] = (struct via){
		.addr = *a, .ifindex = ifindex, .refs = 1, .next = h->via_buckets[at]
	};
	h->via_buckets[at] = i;
	return i;
}

static void drop_via(struct hops *h, uint32_t i)
{
	uint32_t *link;

	if (i == NONE || --h->vias[i].refs)
		return;
	if (i < h->free_via)
		h->free_via = i;
	link = &h->via_buckets[bucket(&h->vias[i].addr, h->vias[i].ifindex)];
	while (*link != i)
		link = &h->vias[*link].next;
	*link = h->vias[i].next;
}

/* Whether the kernel should be told that @p v is in use: it does not know, or is not sure. */
static bool needs_use(const struct via *v)
{
	return !(v->state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP | NUD_DELAY | NUD_PROBE |
	                     NUD_INCOMPLETE));
}

static void use(struct hops *h, const struct via *v)
{
	char question[RTNL_QUESTION_MAX];
	size_t n = rtnl_ask_use(question, v->ifindex, &v->addr, ++h->seq);

	/* A failure shows as a neighbour that stays unknown; the next tick tries again. */
	(void)mnl_socket_sendto(h->news, question, n);
}

/* Send question number h->seq; give each part of the answer to @p take. @return 0 or -errno */
static int ask(struct hops *h, const void *question, size_t n, rtnl_take *take, void *arg)
{
	return rtnl_ask(h->asks, h->buffer, BUFFER_BYTES, question, n, h->seq, take, arg);
}

/* The answer is one part alone. */
static bool take_one(void *out, const struct rtnl_fact *f)
{
	*(struct rtnl_fact *)out = *f;
	return false;
}

static int ask_route(struct hops *h, const struct addr *to, struct rtnl_route *out)
{
	char question[RTNL_QUESTION_MAX];
	struct rtnl_fact f = { .kind = RTNL_DONE };
	int err = ask(h, question, rtnl_ask_route(question, to, ++h->seq), take_one, &f);

	if (err)
		return err;
	if (f.kind != RTNL_ROUTE)
		return -EIO;
	*out = f.route;
	return 0;
}

/* What the kernel knows of @p v already; it tells no news of what does not change. */
static void learn_via(struct hops *h, struct via *v)
{
	char question[RTNL_QUESTION_MAX];
	struct rtnl_fact f = { .kind = RTNL_DONE };

	if (ask(h, question, rtnl_ask_neighbour(question, v->ifindex, &v->addr, ++h->seq), take_one,
	        &f) ||
	    f.kind != RTNL_NEIGHBOUR)
		return;
	v->state = f.neighbour.state;
	v->has_mac = f.neighbour.has_mac;
	memcpy(v->mac, f.neighbour.mac, sizeof(v->mac));
}

/* Find the way to @p d anew. */
static void route(struct hops *h, struct dest *d)
{
	struct rtnl_route r = { 0 };
	uint32_t old = d->via;

	d->via = NONE;
	d->route_mtu = 0;
	if (!ask_route(h, &d->addr, &r) && r.reachable) {
		d->via = take_via(h, r.has_gateway ? &r.gateway : &d->addr, r.ifindex);
		d->route_mtu = r.mtu;
	}
	if (d->via != NONE && h->vias[d->via].refs == 1)
		learn_via(h, &h->vias[d->via]);
	if (d->via != NONE && needs_use(&h->vias[d->via]))
		use(h, &h->vias[d->via]);
	drop_via(h, old);
	tell(h, d);
}

static void take_link(struct hops *h, const struct rtnl_link *l)
{
	size_t i = 0;

	while (i < h->n_links && h->links[i].ifindex != l->ifindex)
		i++;
	if (l->gone) {
		if (i < h->n_links)
			h->links[i] = h->links[--h->n_links];
		return;
	}
	if (i == HOP_LINKS_MAX) {
		h->counters.refused++;
		return;
	}
	h->links[i] = *l;
	h->n_links += i == h->n_links;
}

static void take_neighbour(struct hops *h, const struct rtnl_neighbour *n)
{
	uint32_t i = find_via(h, &n->addr, n->ifindex);
	struct via *v;

	if (i == NONE)
		return;
	v = &h->vias[i];
	v->state = n->gone ? NUD_NONE : n->state;
	if (needs_use(v) && (n->gone || (n->state & NUD_STALE)))
		use(h, v);
	if (!n->has_mac || (v->has_mac && !memcmp(v->mac, n->mac, sizeof(v->mac))))
		return;
	v->has_mac = true;
	memcpy(v->mac, n->mac, sizeof(v->mac));
	for (uint32_t d = 0; d < h->max; d++)
		if (h->dests[d].refs && h->dests[d].via == i)
			tell(h, &h->dests[d]);
}

/* Ask for all routes again soon, but spend no more than a tenth of the time on it. */
static void settle_soon(struct hops *h)
{
	uint64_t at = loop_now_ms(h->loop) + SETTLE_MS;

	if (h->next_route) { /* at it: once more afterwards */
		h->settle_again = true;
		return;
	}
	if (!h->settle.place)
		loop_timer_set(h->loop, &h->settle,
		               at > h->settle_not_before ? at : h->settle_not_before);
}

static void take_fact(struct hops *h, const struct rtnl_fact *f)
{
	switch (f->kind) {
	case RTNL_LINK:
		take_link(h, &f->link);
		settle_soon(h);
		break;
	case RTNL_ROUTE:
		settle_soon(h);
		break;
	case RTNL_NEIGHBOUR:
		take_neighbour(h, &f->neighbour);
		break;
	default:
		break;
	}
}

static bool take_row(void *arg, const struct rtnl_fact *f)
{
	struct hops *h = arg;

	if (f->kind == RTNL_LINK)
		take_link(h, &f->link);
	else if (f->kind == RTNL_NEIGHBOUR)
		take_neighbour(h, &f->neighbour);
	return true;
}

/* Read a whole table through the asking socket. @return 0 or -errno */
static int dump(struct hops *h, uint16_t type)
{
	char question[RTNL_QUESTION_MAX];

	return ask(h, question, rtnl_ask_dump(question, type, ++h->seq), take_row, h);
}

/* After lost messages. A failure changes nothing: what was known stays. */
static bool resync(struct hops *h)
{
	size_t n = h->n_links;

	memcpy(h->old_links, h->links, n * sizeof(*h->links));
	h->n_links = 0;
	if (!dump(h, RTM_GETLINK) && !dump(h, RTM_GETNEIGH))
		return true;
	memcpy(h->links, h->old_links, n * sizeof(*h->links));
	h->n_links = n;
	return false;
}

/* Ask for all routes again, a bounded number a turn of the loop: others do not wait for so long. */
static void on_settle(void *arg)
{
	struct hops *h = arg;
	uint32_t asked = 0;

	if (h->next_route == 0)
		h->settle_began_ms = clock_mono_ms();
	if (h->resync && !resync(h)) {
		loop_timer_set(h->loop, &h->settle, clock_mono_ms() + TICK_MS);
		return;
	}
	h->resync = false;
	for (; h->next_route < h->max && asked < ROUTES_PER_TURN; h->next_route++) {
		if (!h->dests[h->next_route].refs)
			continue;
		route(h, &h->dests[h->next_route]);
		asked++;
	}
	if (h->next_route < h->max) {
		loop_timer_set(h->loop, &h->settle, clock_mono_ms());
		return;
	}
	h->next_route = 0;
	h->settle_not_before = clock_mono_ms() + 9 * (clock_mono_ms() - h->settle_began_ms);
	if (h->settle_again)
		settle_soon(h);
	h->settle_again = false;
}

static void on_news(void *arg, int fd, uint32_t events)
{
	struct hops *h = arg;
	struct rtnl_fact f;
	size_t took;
	ssize_t n;

	(void)events;
	while ((n = recv(fd, h->buffer, BUFFER_BYTES, MSG_DONTWAIT)) > 0) {
		size_t at = 0;

		for (; (took = rtnl_next(h->buffer + at, (size_t)n - at, &f)); at += took) {
			struct rtnl_fact now = f;

			take_fact(h, &now);
		}
		h->counters.malformed += at != (size_t)n;
	}
	if (n < 0 && errno == ENOBUFS) {
		h->counters.resyncs++;
		h->resync = true;
		settle_soon(h);
	}
}

/* Keep next hops confirmed, a bounded number a second. */
static void on_tick(void *arg)
{
	struct hops *h = arg;
	uint32_t used = 0;

	for (uint32_t i = 0; i < h->max && used < USES_PER_TICK; i++) {
		struct via *v = &h->vias[h->next_use];

		if (v->refs && needs_use(v)) {
			use(h, v);
			used++;
		}
		h->next_use = (h->next_use + 1) % h->max;
	}
	loop_timer_set(h->loop, &h->tick, loop_now_ms(h->loop) + TICK_MS);
}

static int allocate(struct hops *h, uint32_t max)
{
	h->max = max;
	h->links = calloc(HOP_LINKS_MAX, sizeof(*h->links));
	h->old_links = calloc(HOP_LINKS_MAX, sizeof(*h->old_links));
	h->vias = calloc(max, sizeof(*h->vias));
	h->dests = calloc(max, sizeof(*h->dests));
	h->buffer = malloc(BUFFER_BYTES);
	memset(h->via_buckets, 0xff, sizeof(h->via_buckets));
	memset(h->dest_buckets, 0xff, sizeof(h->dest_buckets));
	return h->links && h->old_links && h->vias && h->dests && h->buffer ? 0 : -ENOMEM;
}

int hops_open(struct loop *l, uint32_t max, hops_changed *changed, void *arg, struct hops **out)
{
	struct hops *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->loop = l;
	h->changed = changed;
	h->arg = arg;
	h->tick = (struct loop_timer){ .cb = on_tick, .arg = h };
	h->settle = (struct loop_timer){ .cb = on_settle, .arg = h };
	err = allocate(h, max);
	if (!err)
		err = rtnl_open(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
		                &h->news);
	if (!err)
		err = rtnl_open(0, &h->asks);
	if (!err)
		err = dump(h, RTM_GETLINK);
	if (!err)
		err = loop_fd_add(l, mnl_socket_get_fd(h->news), EPOLLIN, on_news, h);
	if (!err)
		err = loop_timer_set(l, &h->tick, loop_now_ms(l) + TICK_MS);
	if (err) {
		hops_close(h);
		return err;
	}
	*out = h;
	return 0;
}

void hops_close(struct hops *h)
{
	if (!h)
		return;
	loop_timer_cancel(h->loop, &h->tick);
	loop_timer_cancel(h->loop, &h->settle);
	if (h->news) {
		loop_fd_remove(h->loop, mnl_socket_get_fd(h->news));
		mnl_socket_close(h->news);
	}
	if (h->asks)
		mnl_socket_close(h->asks);
	free(h->links);
	free(h->old_links);
	free(h->vias);
	free(h->dests);
	free(h->buffer);
	free(h);
}

int hops_watch(struct hops *h, const struct addr *address)
{
	uint32_t i = find_dest(h, address), at = bucket(address, 0);

	if (i != NONE) {
		h->dests[i].refs++;
		return 0;
	}
	for (i = h->free_dest; i < h->max && h->dests[i].refs; i++)
		;
	h->free_dest = i;
	if (i == h->max) {
		h->counters.refused++;
		return -ENOSPC;
	}
	h->dests[i] = (struct dest){
		.addr = *address, .refs = 1, .next = h->dest_buckets[at], .via = NONE
	};
	h->dests[i].hop.state = HOP_NO_ROUTE;
	h->dest_buckets[at] = i;
	route(h, &h->dests[i]);
	return 0;
}

void hops_unwatch(struct hops *h, const struct addr *address)
{
	uint32_t i = find_dest(h, address), *link;

	if (i == NONE || --h->dests[i].refs)
		return;
	if (i < h->free_dest)
		h->free_dest = i;
	drop_via(h, h->dests[i].via);
	link = &h->dest_buckets[bucket(address, 0)];
	while (*link != i)
		link = &h->dests[*link].next;
	*link = h->dests[i].next;
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	uint32_t i = find_dest(h, address);

	if (i == NONE)
		return false;
	*out = h->dests[i].hop;
	return true;
}

const struct hops_counters *hops_counters(const struct hops *h)
{
	return &h->counters;
}

const char *hop_state_text(enum hop_state state)
{
	static const char *const texts[] = {
		[HOP_KNOWN] = "known",
		[HOP_NO_ROUTE] = "no route",
		[HOP_NO_PORT] = "no port",
		[HOP_NO_NEIGHBOUR] = "no neighbour",
	};

	return texts[state];
}
