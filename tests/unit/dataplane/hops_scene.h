/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops whose facts are the suite's: links, routes and neighbours of an address are written into the tables of
 * dataplane/nexthop/, which say what follows from them. The kernel knows no route.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_HOPS_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_HOPS_SCENE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "dataplane/nexthop/hops_internal.h"
#include "tests/unit/dataplane/world.h"
#include "tests/unit/mnl_answers.h"

#define HOPS_MAX_HERE 64u
#define LINK_OF(i)    ((i) + 1) /* of the address with this number; one is enough for each */

static struct {
	struct loop *loop;
	struct hops *hops;
	uint32_t seq; /* of a list of links, which is empty */
} scene;

static ssize_t own_mnl_socket_sendto(const struct mnl_socket *s, const void *request, size_t n)
{
	const struct nlmsghdr *h = request;

	(void)s;
	scene.seq = h->nlmsg_seq;
	errno = ENETUNREACH;
	return h->nlmsg_type == RTM_GETLINK ? (ssize_t)n : -1;
}

static ssize_t own_mnl_socket_recvfrom(const struct mnl_socket *s, void *to, size_t n)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(to);
	const int no_error = 0;

	(void)s;
	assert_in_range(sizeof(*h) + sizeof(no_error), 1, n);
	h->nlmsg_type = NLMSG_DONE;
	h->nlmsg_seq = scene.seq;
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(no_error)), &no_error, sizeof(no_error));
	return h->nlmsg_len;
}

static void ignore_hop(void *arg, const struct addr *address, const struct hop *hop)
{
	(void)arg, (void)address, (void)hop;
}

/* Before stage_fini() come hops_end(). */
static inline void hops_begin(void)
{
	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	answer_mnl_socket_recvfrom = own_mnl_socket_recvfrom;
	assert_int_equal(loop_open(&scene.loop), 0);
	assert_int_equal(hops_open(scene.loop, HOPS_MAX_HERE, ignore_hop, NULL, &scene.hops), 0);
}

static inline void hops_end(void)
{
	hops_close(scene.hops);
	loop_close(scene.loop);
}

static inline struct dest *hops_dest(const char *address)
{
	struct addr a;

	addr_of(address, &a);
	for (uint32_t i = 0; i < HOPS_MAX_HERE; i++)
		if (scene.hops->dests[i].refs && addr_equal(&scene.hops->dests[i].addr, &a))
			return &scene.hops->dests[i];
	return NULL;
}

/* How often it is watched by others than us. */
static inline int count_watches(const char *address)
{
	const struct dest *d = hops_dest(address);

	return d ? (int)d->refs - 1 : 0;
}

static inline struct hop_link *hops_link(const struct dest *d)
{
	return &scene.hops->links[d - scene.hops->dests];
}

/* The address is reached by its link now, whatever it was reached by. */
static inline struct via *hops_via(struct dest *d)
{
	uint32_t i = (uint32_t)(d - scene.hops->dests);

	d->via = i;
	d->refused = false;
	return &scene.hops->vias[i];
}

/* What hops_get() says from now on. */
static inline const struct hop *hops_report(struct dest *d, uint64_t now_ms)
{
	d->hop = hops_make(scene.hops, d, now_ms);
	return &d->hop;
}

/* Watch it; it is known, with a MAC address, on a link with this MTU. */
static inline struct dest *hops_know(const char *address, uint32_t mtu)
{
	struct dest *d;
	struct addr a;

	addr_of(address, &a);
	assert_int_equal(hops_watch(scene.hops, &a), 0);
	d = hops_dest(address);
	uint32_t i = (uint32_t)(d - scene.hops->dests);

	*hops_link(d) = (struct hop_link){
		.is = { .ifindex = LINK_OF(i), .up = true, .ethernet = true, .mtu = mtu }
	};
	if (scene.hops->n_links <= i)
		scene.hops->n_links = i + 1;
	*hops_via(d) = (struct via){ .addr = a,
		                     .ifindex = LINK_OF(i),
		                     .refs = 1,
		                     .dests = i,
		                     .next = HOP_NONE,
		                     .state = NUD_PERMANENT,
		                     .has_mac = true };
	d->via_next = d->via_previous = HOP_NONE;
	hops_report(d, 0);
	return d;
}

/* Nobody watches it any more. @return how many did, we among them */
static inline uint32_t hops_forget(const char *address)
{
	struct dest *d = hops_dest(address);
	uint32_t n = d->refs;
	struct addr a = d->addr;

	d->via = HOP_NONE;
	for (uint32_t i = 0; i < n; i++)
		hops_unwatch(scene.hops, &a);
	return n;
}

/* Facts by which its next hop is so. */
static inline const struct hop *hops_become(struct dest *d, enum hop_state state, enum hop_bad bad,
                                            bool on_link, uint64_t now_ms)
{
	struct via *v = hops_via(d);

	v->addr = d->addr;
	if (!on_link)
		addr_of("10.1.0.254", &v->addr);
	v->has_mac = state == HOP_KNOWN;
	v->failed_ms = bad == HOP_BAD_NEIGHBOUR ? 1 : 0;
	hops_link(d)->is.up = state != HOP_NO_PORT;
	if (state == HOP_NO_ROUTE) {
		d->via = HOP_NONE;
		d->refused = bad == HOP_BAD_ROUTE;
	}
	assert_int_equal(hops_report(d, now_ms)->state, state);
	assert_int_equal(d->hop.bad, bad);
	return &d->hop;
}

#endif
