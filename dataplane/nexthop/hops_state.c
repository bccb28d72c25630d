/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the tables of links, vias and routes to the state of an address, and to what is evidence
 * against it: the table in nexthop/hops.h, from top to bottom. Pure.
 */
#include "dataplane/nexthop/hops_internal.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

const struct hop_link *hops_find_link(const struct hops *h, uint32_t ifindex)
{
	for (size_t i = 0; i < h->n_links; i++)
		if (h->links[i].is.ifindex == ifindex)
			return &h->links[i];
	return NULL;
}

/*
 * Whether the port by which it was reached is down. Then another, refusing route answers: the
 * node's own trouble.
 */
static bool lost_port(const struct hops *h, const struct dest *d)
{
	const struct hop_link *link = hops_find_link(h, d->last_ifindex);

	return d->last_ifindex && (!link || !link->is.up);
}

/* The port below the VLANs that the route leaves by, and the tags: XDP sends at the port itself. */
static void fill_port(const struct hops *h, const struct dest *d, const struct rtnl_link *link,
                      struct hop *hop)
{
	uint32_t mtu = d->route_mtu && d->route_mtu < link->mtu ? d->route_mtu : link->mtu;
	const struct hop_link *lower = link->vlan ? hops_find_link(h, link->lower) : NULL;

	memcpy(hop->mac_from, link->mac, sizeof(hop->mac_from)); /* as the kernel sends there */
	hop->vlan = link->vlan;
	if (lower && lower->is.vlan) {
		hop->outer_vlan = lower->is.vlan;
		hop->outer_type_be = lower->is.vlan_type_be;
		link = &lower->is;
	}
	hop->ifindex = link->vlan ? link->lower : link->ifindex;
	hop->mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
}

/*
 * Whether frames can leave by @p link. The packet path writes the inner, or only, tag as 802.1Q:
 * no switch would take the frames of another VLAN.
 */
static bool can_send(const struct rtnl_link *link)
{
	return link->up && link->ethernet &&
	       (!link->vlan || !link->vlan_type_be || link->vlan_type_be == htons(ETH_P_8021Q));
}

/* The rows of the table in nexthop/hops.h, each return a row further down. */
static struct hop make_hop(const struct hops *h, const struct dest *d)
{
	struct hop hop = { .state = HOP_NO_ROUTE };
	const struct hop_link *link;
	const struct via *via;

	if (d->via == HOP_NONE) {
		if (d->refused && !lost_port(h, d))
			hop.bad = HOP_BAD_ROUTE;
		return hop;
	}
	via = &h->vias[d->via];
	link = hops_find_link(h, via->ifindex);
	hop.on_link = addr_equal(&via->addr, &d->addr);
	hop.route_ifindex = via->ifindex;
	hop.state = HOP_NO_PORT;
	if (!link || !can_send(&link->is))
		return hop;
	if (via->failed_ms)
		hop.bad = HOP_BAD_NEIGHBOUR;
	hop.state = HOP_NO_NEIGHBOUR;
	if (!via->has_mac)
		return hop;
	hop.state = HOP_KNOWN;
	fill_port(h, d, &link->is, &hop);
	memcpy(hop.mac_to, via->mac, sizeof(hop.mac_to));
	return hop;
}

struct hop hops_make(const struct hops *h, const struct dest *d, uint64_t now_ms)
{
	struct hop hop = make_hop(h, d);
	bool stays =
	        hop.state == d->hop.state && hop.bad == d->hop.bad && hop.on_link == d->hop.on_link;

	hop.since_ms = stays ? d->hop.since_ms : now_ms;
	return hop;
}

bool hops_same(const struct hop *a, const struct hop *b)
{
	return a->state == b->state && a->bad == b->bad && a->ifindex == b->ifindex &&
	       a->route_ifindex == b->route_ifindex && a->vlan == b->vlan && a->mtu == b->mtu &&
	       a->on_link == b->on_link && a->outer_vlan == b->outer_vlan &&
	       a->outer_type_be == b->outer_type_be &&
	       !memcmp(a->mac_to, b->mac_to, sizeof(a->mac_to)) &&
	       !memcmp(a->mac_from, b->mac_from, sizeof(a->mac_from));
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
