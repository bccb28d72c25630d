/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows the kernel's changes of links, routes and neighbours, and keeps the two tables of
 * nexthop/hops_internal.h.
 *
 * A change of a link or a route may concern any address, and rtnetlink does not say which. So after
 * a short pause, which collects the messages of one change, the route of every watched address is
 * asked for again ("settling"): a bounded number in each turn of the loop, and never more than a
 * tenth of the time, since a routing daemon may change routes all the time. A change of a neighbour
 * concerns one via, and is applied at once.
 *
 * Two kinds of failure are kept apart. A request that fails says nothing: what was known stays, and
 * it is asked again. An answer that refuses (unreachable, FAILED) is evidence, and is reported as
 * such.
 */
#include "dataplane/nexthop/hops_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "base/hash.h"

#define TICK_MS         1000u  /* of the tick, and before a failed request is repeated */
#define SETTLE_MS       20u    /* collects the messages of one change */
#define USES_PER_TICK   2048u  /* a message to the kernel each */
#define ROUTES_PER_TURN 128u   /* a request and its answer each */
#define FIRST_PROBE_MS  10000u /* the first requests to next hops are spread over so long */
#define PROBING_MS      4000u  /* the kernel's three requests take 3 s, and a margin */

static uint32_t hash_bucket(const struct addr *a, uint32_t ifindex)
{
	static const struct hash_key key = { 0x7765697268u, 1 };
	struct {
		struct addr addr;
		uint32_t ifindex;
	} v = { *a, ifindex };

	return (uint32_t)(hash_bytes(&key, &v, sizeof(v)) % HOP_BUCKETS);
}

static uint32_t find_via(const struct hops *h, const struct addr *a, uint32_t ifindex)
{
	uint32_t i = h->via_buckets[hash_bucket(a, ifindex)];

	while (i != HOP_NONE && (h->vias[i].ifindex != ifindex || !addr_equal(&h->vias[i].addr, a)))
		i = h->vias[i].next;
	return i;
}

static uint32_t find_dest(const struct hops *h, const struct addr *a)
{
	uint32_t i = h->dest_buckets[hash_bucket(a, 0)];

	while (i != HOP_NONE && !addr_equal(&h->dests[i].addr, a))
		i = h->dests[i].next;
	return i;
}

/* Report the state of @p d if it differs from the one last reported. */
static void report_hop(struct hops *h, struct dest *d)
{
	struct hop hop = hops_make(h, d, loop_now_ms(h->loop));

	if (hops_same(&hop, &d->hop))
		return;
	d->hop = hop;
	h->counters.changes++;
	h->changed(h->arg, &d->addr, &hop);
}

/*
 * Add a reference to the via of (@p a, @p ifindex), a new one if there is none. HOP_NONE: no
 * room.
 */
static uint32_t reference_via(struct hops *h, const struct addr *a, uint32_t ifindex)
{
	uint32_t i = find_via(h, a, ifindex), at = hash_bucket(a, ifindex);

	if (i != HOP_NONE) {
		h->vias[i].refs++;
		return i;
	}
	for (i = h->free_via; i < h->max && h->vias[i].refs; i++)
		;
	h->free_via = i;
	if (i == h->max)
		return HOP_NONE;
	h->vias[i] = (struct via){ .addr = *a,
		                   .ifindex = ifindex,
		                   .refs = 1,
		                   .next = h->via_buckets[at],
		                   .dests = HOP_NONE };
	h->vias[i].due_ms = loop_now_ms(h->loop) + i * 7919ull % FIRST_PROBE_MS;
	if (i >= h->top_via)
		h->top_via = i + 1;
	h->via_buckets[at] = i;
	return i;
}

static void drop_via(struct hops *h, uint32_t i)
{
	uint32_t *link;

	if (i == HOP_NONE || --h->vias[i].refs)
		return;
	if (i < h->free_via)
		h->free_via = i;
	link = &h->via_buckets[hash_bucket(&h->vias[i].addr, h->vias[i].ifindex)];
	while (*link != i)
		link = &h->vias[*link].next;
	*link = h->vias[i].next;
}

/* Add the address to the list of those behind its via; leave_via() removes it. */
static void join_via(struct hops *h, uint32_t i)
{
	struct dest *d = &h->dests[i];

	if (d->via == HOP_NONE)
		return;
	d->via_previous = HOP_NONE;
	d->via_next = h->vias[d->via].dests;
	if (d->via_next != HOP_NONE)
		h->dests[d->via_next].via_previous = i;
	h->vias[d->via].dests = i;
	hops_count_heard(h, d, 1);
}

static void leave_via(struct hops *h, uint32_t i)
{
	struct dest *d = &h->dests[i];

	if (d->via == HOP_NONE)
		return;
	hops_count_heard(h, d, -1);
	if (d->via_next != HOP_NONE)
		h->dests[d->via_next].via_previous = d->via_previous;
	if (d->via_previous != HOP_NONE)
		h->dests[d->via_previous].via_next = d->via_next;
	else
		h->vias[d->via].dests = d->via_next;
}

/*
 * Note since when a neighbour answers nothing. FAILED says that the kernel has sent all its
 * requests. It counts only if the port has had a carrier for all that time; otherwise the next
 * FAILED counts.
 * @return whether that is news
 */
static bool note_state(struct hops *h, struct via *v, bool is_known)
{
	const struct hop_link *link = hops_find_link(h, v->ifindex);
	uint64_t now_ms = loop_now_ms(h->loop), before = v->failed_ms;
	bool is_up = link && link->is.up && link->up_ms + PROBING_MS <= now_ms;

	if (is_known)
		v->failed_ms = 0;
	else if ((v->state & NUD_FAILED) && is_up && !v->failed_ms)
		v->failed_ms = now_ms;
	return !before != !v->failed_ms;
}

/*
 * A request that failed says nothing: what was known stays, and all routes are asked for again
 * soon.
 */
static void retry_routes(struct hops *h)
{
	h->unanswered = true;
	h->counters.unanswered++;
	if (!h->settle.heap_index && !h->next_route)
		loop_timer_set(h->loop, &h->settle, loop_now_ms(h->loop) + TICK_MS);
}

/* No message says that an MTU which the kernel has found on a path is over. */
static void note_expiry(struct hops *h, uint32_t expires_s)
{
	uint64_t at_ms = loop_now_ms(h->loop) + expires_s * 1000ull;

	if (expires_s && (!h->expires_ms || at_ms < h->expires_ms))
		h->expires_ms = at_ms;
}

/*
 * Ask the kernel for the route to @p d. The new via is referenced before the old one is dropped, so
 * that a via that stays keeps what is known of it.
 */
static void find_dest_route(struct hops *h, struct dest *d)
{
	struct rtnl_route r = { 0 };
	uint32_t i = (uint32_t)(d - h->dests), old = d->via;
	int err = hops_query_route(h, &d->addr, &r);

	if (!hops_is_answer(err)) {
		retry_routes(h);
		return;
	}
	note_expiry(h, r.expires_s);
	leave_via(h, i);
	d->via = HOP_NONE;
	d->route_mtu = 0;
	d->refused = hops_is_refusal(err);
	if (!err && r.reachable) {
		d->via = reference_via(h, r.has_gateway ? &r.gateway : &d->addr, r.ifindex);
		d->route_mtu = r.mtu;
		d->last_ifindex = r.ifindex;
	}
	join_via(h, i);
	if (d->via != HOP_NONE && h->vias[d->via].refs == 1) {
		(void)hops_read_neighbour(h, &h->vias[d->via]);
		(void)note_state(h, &h->vias[d->via], h->vias[d->via].has_mac);
	}
	if (d->via != HOP_NONE && hops_needs_use(&h->vias[d->via]))
		hops_use(h, &h->vias[d->via]);
	drop_via(h, old);
	report_hop(h, d);
}

/* A port lost its carrier: that its neighbours did not answer says nothing about them any more. */
static void forgive_port(struct hops *h, uint32_t ifindex)
{
	for (uint32_t i = 0; i < h->top_via; i++)
		if (h->vias[i].ifindex == ifindex)
			h->vias[i].failed_ms = 0;
}

/*
 * Bring a link's message into the table. The first reading knows no time since when a link is up.
 */
static void apply_link(struct hops *h, const struct rtnl_link *l)
{
	struct hop_link *link;
	bool was_up;
	size_t i = 0;

	while (i < h->n_links && h->links[i].is.ifindex != l->ifindex)
		i++;
	was_up = i < h->n_links && h->links[i].is.up;
	if (was_up && (l->gone || !l->up))
		forgive_port(h, l->ifindex);
	if (l->gone) {
		if (i < h->n_links)
			h->links[i] = h->links[--h->n_links];
		return;
	}
	if (i == HOP_LINKS_MAX) {
		h->counters.refused++;
		h->lacks_room = true; /* there may be some when others have gone */
		return;
	}
	link = &h->links[i];
	link->is = *l;
	if (!was_up)
		link->up_ms = l->up && h->follows ? loop_now_ms(h->loop) : 0;
	h->n_links += i == h->n_links;
}

static void report_behind(struct hops *h, const struct via *v)
{
	for (uint32_t i = v->dests; i != HOP_NONE; i = h->dests[i].via_next)
		report_hop(h, &h->dests[i]);
}

/*
 * Bring a neighbour's message into its via. An entry that is gone or stale is put to use again at
 * once.
 */
static void apply_neighbour(struct hops *h, const struct rtnl_neighbour *n)
{
	uint32_t i = find_via(h, &n->addr, n->ifindex);
	struct via *v;
	bool news;

	if (i == HOP_NONE)
		return;
	v = &h->vias[i];
	v->state = n->gone ? NUD_NONE : n->state;
	if (hops_needs_use(v) && (n->gone || (n->state & (NUD_STALE | NUD_FAILED))))
		hops_use(h, v);
	news = note_state(h, v, !n->gone && n->has_mac);
	if (n->has_mac && !(v->has_mac && !memcmp(v->mac, n->mac, sizeof(v->mac)))) {
		v->has_mac = true;
		memcpy(v->mac, n->mac, sizeof(v->mac));
		news = true;
	}
	if (news)
		report_behind(h, v);
}

/* Ask for all routes again soon, but spend at most a tenth of the time on it. */
static void settle_soon(struct hops *h)
{
	uint64_t at = loop_now_ms(h->loop) + SETTLE_MS;

	if (h->next_route) { /* in progress: once more afterwards */
		h->settle_again = true;
		return;
	}
	if (!h->settle.heap_index)
		loop_timer_set(h->loop, &h->settle,
		               at > h->settle_not_before ? at : h->settle_not_before);
}

static void apply_fact(struct hops *h, const struct rtnl_fact *f)
{
	switch (f->kind) {
	case RTNL_LINK:
		apply_link(h, &f->link);
		settle_soon(h);
		break;
	case RTNL_ROUTE:
		settle_soon(h);
		break;
	case RTNL_NEIGHBOUR:
		apply_neighbour(h, &f->neighbour);
		break;
	default:
		break;
	}
}

static bool apply_dump_row(void *arg, const struct rtnl_fact *f)
{
	struct hops *h = arg;

	if (f->kind == RTNL_LINK)
		apply_link(h, &f->link);
	else if (f->kind == RTNL_NEIGHBOUR)
		apply_neighbour(h, &f->neighbour);
	return true;
}

/* Read a whole table of the kernel's by the second socket. @return 0 or -errno */
static int dump_table(struct hops *h, uint16_t type)
{
	return rtnl_dump(h->queries, h->buffer, HOP_BUFFER_BYTES, type, &h->seq, apply_dump_row, h);
}

/* Links that were up before the messages were lost count as up since then. */
static void keep_up_since(struct hops *h, size_t n_old)
{
	for (size_t i = 0; i < h->n_links; i++)
		for (size_t k = 0; k < n_old; k++)
			if (h->old_links[k].is.up &&
			    h->old_links[k].is.ifindex == h->links[i].is.ifindex)
				h->links[i].up_ms = h->old_links[k].up_ms;
}

/*
 * Read links and neighbours again after lost messages. @return false: that failed, and what was
 * known stays
 */
static bool read_all_again(struct hops *h)
{
	size_t n = h->n_links;

	memcpy(h->old_links, h->links, n * sizeof(*h->links));
	h->n_links = 0;
	if (!dump_table(h, RTM_GETLINK) && !dump_table(h, RTM_GETNEIGH)) {
		keep_up_since(h, n);
		return true;
	}
	memcpy(h->links, h->old_links, n * sizeof(*h->links));
	h->n_links = n;
	return false;
}

/*
 * Ask for all routes again: a bounded number, then the rest in the next turn of the loop, so that
 * verdicts do not wait. The end sets the earliest time of the next round (a tenth of the time).
 */
static void on_settle(void *arg)
{
	struct hops *h = arg;
	uint32_t n_queried = 0;

	if (h->next_route == 0) {
		h->settle_began_ms = clock_mono_ms();
		h->resync |= h->lacks_room;
		h->lacks_room = false;
	}
	if (h->resync && !read_all_again(h)) {
		loop_timer_set(h->loop, &h->settle, clock_mono_ms() + TICK_MS);
		return;
	}
	h->resync = false;
	for (; h->next_route < h->max && n_queried < ROUTES_PER_TURN; h->next_route++) {
		if (!h->dests[h->next_route].refs)
			continue;
		find_dest_route(h, &h->dests[h->next_route]);
		n_queried++;
	}
	if (h->next_route < h->max) {
		loop_timer_set(h->loop, &h->settle, clock_mono_ms());
		return;
	}
	h->next_route = 0;
	h->settle_not_before = clock_mono_ms() + 9 * (clock_mono_ms() - h->settle_began_ms);
	if (h->settle_again)
		settle_soon(h);
	else if (h->unanswered)
		loop_timer_set(h->loop, &h->settle, clock_mono_ms() + TICK_MS);
	h->settle_again = h->unanswered = false;
}

/*
 * Read all messages first; if some were lost, everything is read again afterwards, not now
 * (rtnl_hear()).
 */
static void on_hops_message(void *arg, int fd, uint32_t events)
{
	struct hops *h = arg;
	struct rtnl_fact f;
	bool lost = false;
	size_t took, n;

	(void)events;
	while ((n = rtnl_hear(fd, h->buffer, HOP_BUFFER_BYTES, &lost)) > 0) {
		size_t at = 0;

		for (; (took = rtnl_next(h->buffer + at, n - at, &f)); at += took) {
			struct rtnl_fact now = f;

			apply_fact(h, &now);
		}
		h->counters.malformed += at != n;
	}
	if (lost) {
		h->counters.resyncs++;
		h->resync = true;
		settle_soon(h);
	}
}

/* Keep next hops in use and confirmed: a bounded number each second, in turn. */
static void on_hops_tick(void *arg)
{
	struct hops *h = arg;
	uint32_t used = 0;

	for (uint32_t i = 0; i < h->top_via && used < USES_PER_TICK; i++) {
		struct via *v = &h->vias[h->next_use];

		if (v->refs && hops_needs_use(v)) {
			hops_use(h, v);
			used++;
		}
		h->next_use = (h->next_use + 1) % h->top_via;
	}
	hops_probe_due(h);
	if (h->expires_ms && h->expires_ms <= loop_now_ms(h->loop)) {
		h->expires_ms = 0;
		settle_soon(h);
	}
	loop_timer_set(h->loop, &h->tick, loop_now_ms(h->loop) + TICK_MS);
}

static int allocate_tables(struct hops *h, uint32_t max)
{
	h->max = max;
	h->links = calloc(HOP_LINKS_MAX, sizeof(*h->links));
	h->old_links = calloc(HOP_LINKS_MAX, sizeof(*h->old_links));
	h->vias = calloc(max, sizeof(*h->vias));
	h->dests = calloc(max, sizeof(*h->dests));
	h->buffer = malloc(HOP_BUFFER_BYTES);
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
	h->tick = (struct loop_timer){ .cb = on_hops_tick, .arg = h };
	h->settle = (struct loop_timer){ .cb = on_settle, .arg = h };
	h->doubt = (struct loop_timer){ .cb = hops_on_doubt, .arg = h };
	err = allocate_tables(h, max);
	if (!err)
		err = rtnl_open(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
		                &h->notifications);
	if (!err)
		err = rtnl_open(0, &h->queries);
	if (!err)
		err = dump_table(h, RTM_GETLINK);
	if (!err)
		err = loop_fd_add(l, mnl_socket_get_fd(h->notifications), EPOLLIN, on_hops_message,
		                  h);
	h->follows = !err;
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
	loop_timer_cancel(h->loop, &h->doubt);
	if (h->notifications) {
		loop_fd_remove(h->loop, mnl_socket_get_fd(h->notifications));
		mnl_socket_close(h->notifications);
	}
	if (h->queries)
		mnl_socket_close(h->queries);
	free(h->links);
	free(h->old_links);
	free(h->vias);
	free(h->dests);
	free(h->buffer);
	free(h);
}

int hops_watch(struct hops *h, const struct addr *address)
{
	uint32_t i = find_dest(h, address), at = hash_bucket(address, 0);

	if (i != HOP_NONE) {
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
		.addr = *address, .refs = 1, .next = h->dest_buckets[at], .via = HOP_NONE
	};
	h->dests[i].hop.state = HOP_NO_ROUTE;
	h->dest_buckets[at] = i;
	find_dest_route(h, &h->dests[i]);
	return 0;
}

void hops_unwatch(struct hops *h, const struct addr *address)
{
	uint32_t i = find_dest(h, address), *link;

	if (i == HOP_NONE || --h->dests[i].refs)
		return;
	if (i < h->free_dest)
		h->free_dest = i;
	leave_via(h, i);
	drop_via(h, h->dests[i].via);
	link = &h->dest_buckets[hash_bucket(address, 0)];
	while (*link != i)
		link = &h->dests[*link].next;
	*link = h->dests[i].next;
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	uint32_t i = find_dest(h, address);

	if (i == HOP_NONE)
		return false;
	*out = h->dests[i].hop;
	return true;
}

const struct hops_counters *hops_counters(const struct hops *h)
{
	return &h->counters;
}

void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard)
{
	uint32_t i = find_dest(h, address);

	if (i == HOP_NONE || h->dests[i].heard == heard)
		return;
	hops_count_heard(h, &h->dests[i], -1);
	h->dests[i].heard = (uint8_t)heard;
	hops_count_heard(h, &h->dests[i], 1);
	hops_look_silent(h, h->dests[i].via);
}

void hops_doubt(struct hops *h, const struct addr *address)
{
	uint32_t i = find_dest(h, address);

	if (i != HOP_NONE)
		hops_doubt_via(h, h->dests[i].via);
}
