/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsing rtnetlink (rtnetlink(7), linux/rtnetlink.h). Messages are walked with our own loop,
 * because libmnl's trusts that the padding after the last attribute exists. An attribute of fixed
 * size counts only with exactly that size; a message without its fixed part gives no fact.
 */
#include "dataplane/nexthop/rtnl.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define USER_HZ 100 /* times that the kernel tells are in 1/100 s */

/* The attributes of one message or nest, by type; unknown and too short ones are left out. */
#define ATTRS_MAX 64 /* higher types of attributes are not used here */
struct attrs {
	const struct nlattr *of[ATTRS_MAX];
};

/* Walk [bytes, bytes + n); libmnl's own walk trusts the padding after the last one to exist. */
static void read_attrs(const void *bytes, size_t n, struct attrs *out)
{
	const uint8_t *p = bytes;

	memset(out, 0, sizeof(*out));
	while (mnl_attr_ok((const struct nlattr *)(const void *)p, (int)n)) {
		const struct nlattr *attr = (const void *)p;
		size_t took = MNL_ALIGN(attr->nla_len);

		if (mnl_attr_get_type(attr) < ATTRS_MAX)
			out->of[mnl_attr_get_type(attr)] = attr;
		if (took >= n)
			break;
		p += took;
		n -= took;
	}
}

/* The attributes behind a fixed part of @p n_fixed bytes. @return false where that is not there */
static bool read_message(const struct nlmsghdr *h, size_t n_fixed, struct attrs *out)
{
	size_t n = mnl_nlmsg_get_payload_len(h), skip = MNL_ALIGN(n_fixed);

	if (n < n_fixed)
		return false;
	read_attrs((const uint8_t *)mnl_nlmsg_get_payload(h) + (skip < n ? skip : n),
	           skip < n ? n - skip : 0, out);
	return true;
}

static const void *attr_bytes(const struct attrs *a, uint16_t type, size_t n)
{
	const struct nlattr *attr = a->of[type];

	return attr && mnl_attr_get_payload_len(attr) == n ? mnl_attr_get_payload(attr) : NULL;
}

static uint32_t attr_u32(const struct attrs *a, uint16_t type)
{
	uint32_t v = 0;
	const void *p = attr_bytes(a, type, sizeof(v));

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static bool attr_addr(const struct attrs *a, uint16_t type, uint8_t family, struct addr *out)
{
	const void *p = attr_bytes(a, type, family == AF_INET ? 4 : 16);

	if (p)
		*out = family == AF_INET ? addr_from4(p) : addr_from6(p);
	return p;
}

static bool parse_nest(const struct attrs *a, uint16_t type, struct attrs *out)
{
	if (!a->of[type])
		return false;
	read_attrs(mnl_attr_get_payload(a->of[type]), mnl_attr_get_payload_len(a->of[type]), out);
	return true;
}

/* The kinds that stand on, or have below them, other interfaces. */
static const struct {
	const char *name;
	enum rtnl_link_kind kind;
} link_kinds[] = {
	{ "vlan", RTNL_LINK_VLAN },       { "macvlan", RTNL_LINK_MACVLAN },
	{ "macvtap", RTNL_LINK_MACVLAN }, { "ipvlan", RTNL_LINK_MACVLAN },
	{ "ipvtap", RTNL_LINK_MACVLAN },  { "macsec", RTNL_LINK_MACVLAN },
	{ "bridge", RTNL_LINK_BRIDGE },   { "bond", RTNL_LINK_BOND },
	{ "team", RTNL_LINK_BOND },       { "vrf", RTNL_LINK_VRF },
};

static enum rtnl_link_kind find_kind(const struct nlattr *name)
{
	if (!name || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0)
		return RTNL_LINK_OTHER;
	for (size_t i = 0; i < sizeof(link_kinds) / sizeof(link_kinds[0]); i++)
		if (!strcmp(link_kinds[i].name, mnl_attr_get_str(name)))
			return link_kinds[i].kind;
	return RTNL_LINK_OTHER;
}

/* A VLAN without its id is none: nothing is sent with a guessed tag. */
static void parse_vlan(const struct attrs *info, struct rtnl_link *out)
{
	struct attrs data;
	const void *type, *id = NULL;

	if (parse_nest(info, IFLA_INFO_DATA, &data))
		id = attr_bytes(&data, IFLA_VLAN_ID, sizeof(out->vlan));
	if (!id) {
		out->kind = RTNL_LINK_OTHER;
		return;
	}
	memcpy(&out->vlan, id, sizeof(out->vlan));
	type = attr_bytes(&data, IFLA_VLAN_PROTOCOL, sizeof(out->vlan_type_be));
	if (type)
		memcpy(&out->vlan_type_be, type, sizeof(out->vlan_type_be));
}

/*
 * IFLA_LINK also names a veth's other end, which is not below. What stands on an interface of another
 * namespace is a device here: no frame can be given to that interface.
 */
static void parse_link_kind(const struct attrs *a, struct rtnl_link *out)
{
	struct attrs info;

	if (a->of[IFLA_LINK_NETNSID] || !parse_nest(a, IFLA_LINKINFO, &info))
		return;
	out->kind = (uint8_t)find_kind(info.of[IFLA_INFO_KIND]);
	if (out->kind == RTNL_LINK_VLAN)
		parse_vlan(&info, out);
	if (out->kind == RTNL_LINK_VLAN || out->kind == RTNL_LINK_MACVLAN)
		out->lower = attr_u32(a, IFLA_LINK);
}

static void parse_name(const struct attrs *a, struct rtnl_link *out)
{
	const struct nlattr *name = a->of[IFLA_IFNAME];

	if (name && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) == 0 &&
	    mnl_attr_get_payload_len(name) <= sizeof(out->name))
		memcpy(out->name, mnl_attr_get_payload(name), mnl_attr_get_payload_len(name));
}

/*
 * Messages of family AF_BRIDGE are skipped: RTM_DELLINK there means that a port has left its
 * bridge.
 */
static bool parse_link(const struct nlmsghdr *h, struct rtnl_link *out)
{
	struct attrs a;
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const void *mac, *operstate;

	if (!read_message(h, sizeof(*m), &a) || m->ifi_index <= 0 || m->ifi_family != AF_UNSPEC)
		return false;
	*out = (struct rtnl_link){ .ifindex = (uint32_t)m->ifi_index,
		                   .gone = h->nlmsg_type == RTM_DELLINK,
		                   .admin_up = m->ifi_flags & IFF_UP,
		                   .carrier = m->ifi_flags & IFF_LOWER_UP,
		                   .master = attr_u32(&a, IFLA_MASTER),
		                   .mtu = attr_u32(&a, IFLA_MTU) };
	out->up = out->admin_up && out->carrier;
	mac = attr_bytes(&a, IFLA_ADDRESS, sizeof(out->mac));
	if (mac && m->ifi_type == ARPHRD_ETHER) {
		out->ethernet = true;
		memcpy(out->mac, mac, sizeof(out->mac));
	}
	operstate = attr_bytes(&a, IFLA_OPERSTATE, sizeof(out->operstate));
	if (operstate)
		memcpy(&out->operstate, operstate, sizeof(out->operstate));
	parse_name(&a, out);
	parse_link_kind(&a, out);
	return true;
}

/* A MAC address counts only in states in which the kernel would send to it. */
static bool parse_neighbour(const struct nlmsghdr *h, struct rtnl_neighbour *out)
{
	struct attrs a;
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_neighbour parsed;
	const void *mac;

	if (!read_message(h, sizeof(*m), &a) || m->ndm_ifindex <= 0)
		return false;
	if (m->ndm_family != AF_INET && m->ndm_family != AF_INET6)
		return false;
	parsed = (struct rtnl_neighbour){ .ifindex = (uint32_t)m->ndm_ifindex,
		                          .gone = h->nlmsg_type == RTM_DELNEIGH,
		                          .state = m->ndm_state,
		                          .flags = m->ndm_flags };
	if (!attr_addr(&a, NDA_DST, m->ndm_family, &parsed.addr))
		return false;
	mac = attr_bytes(&a, NDA_LLADDR, sizeof(parsed.mac));
	if (mac && (m->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
	                            NUD_PERMANENT | NUD_NOARP))) {
		parsed.has_mac = true;
		memcpy(parsed.mac, mac, sizeof(parsed.mac));
	}
	*out = parsed;
	return true;
}

/* RTA_VIA: a next hop of the other family. */
static bool parse_via(const struct attrs *a, struct addr *out)
{
	struct rtvia via;
	const struct nlattr *attr = a->of[RTA_VIA];
	const uint8_t *p;
	size_t n;

	if (!attr)
		return false;
	p = mnl_attr_get_payload(attr);
	n = mnl_attr_get_payload_len(attr);
	if (n < sizeof(via))
		return false;
	memcpy(&via, p, sizeof(via));
	if (via.rtvia_family == AF_INET && n == sizeof(via) + 4)
		*out = addr_from4(p + sizeof(via));
	else if (via.rtvia_family == AF_INET6 && n == sizeof(via) + 16)
		*out = addr_from6(p + sizeof(via));
	else
		return false;
	return true;
}

static uint32_t parse_expiry(const struct attrs *a)
{
	struct rta_cacheinfo info = { 0 };
	const void *p = attr_bytes(a, RTA_CACHEINFO, sizeof(info));

	if (p)
		memcpy(&info, p, sizeof(info));
	return info.rta_expires > 0 ? (uint32_t)info.rta_expires / USER_HZ + 1 : 0;
}

static bool parse_route(const struct nlmsghdr *h, struct rtnl_route *out)
{
	struct attrs a, metrics;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_route parsed = { 0 };

	if (!read_message(h, sizeof(*m), &a))
		return false;
	if (m->rtm_family != AF_INET && m->rtm_family != AF_INET6)
		return false;
	parsed.ifindex = attr_u32(&a, RTA_OIF);
	parsed.has_gateway = attr_addr(&a, RTA_GATEWAY, m->rtm_family, &parsed.gateway) ||
	                     parse_via(&a, &parsed.gateway);
	if (parse_nest(&a, RTA_METRICS, &metrics))
		parsed.mtu = attr_u32(&metrics, RTAX_MTU);
	parsed.expires_s = parse_expiry(&a);
	parsed.reachable = m->rtm_type == RTN_UNICAST && parsed.ifindex;
	*out = parsed;
	return true;
}

/* The kernel sends 0 or a negative errno; anything else is malformed. */
static int errno_of(int error)
{
	return error <= 0 && error > -4096 ? -error : EPROTO;
}

static void parse_error(const struct nlmsghdr *h, struct rtnl_fact *out)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*e))
		return;
	out->kind = RTNL_ERROR;
	out->error = errno_of(e->error);
}

/*
 * Unknown types give no fact: the sockets hear groups that have more messages than are used here.
 */
static void parse_message(const struct nlmsghdr *h, struct rtnl_fact *out)
{
	switch (h->nlmsg_type) {
	case NLMSG_ERROR:
		parse_error(h, out);
		break;
	case NLMSG_DONE:
		out->kind = RTNL_DONE;
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (parse_link(h, &out->link))
			out->kind = RTNL_LINK;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (parse_neighbour(h, &out->neighbour))
			out->kind = RTNL_NEIGHBOUR;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (parse_route(h, &out->route))
			out->kind = RTNL_ROUTE;
		break;
	default:
		break;
	}
}

size_t rtnl_next(const void *bytes, size_t n, struct rtnl_fact *out)
{
	const struct nlmsghdr *h = bytes;
	size_t took;

	/* libmnl takes a length of 2 GiB and more for a negative one */
	if (n > INT32_MAX || !mnl_nlmsg_ok(h, (int)n) || h->nlmsg_len > n)
		return 0;
	memset(out, 0, sizeof(*out));
	out->seq = h->nlmsg_seq;
	out->interrupted = h->nlmsg_flags & NLM_F_DUMP_INTR;
	parse_message(h, out);
	took = MNL_ALIGN(h->nlmsg_len);
	return took < n ? took : n;
}

static struct nlmsghdr *begin_request(void *out, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *h;

	memset(out, 0, RTNL_REQUEST_MAX);
	h = mnl_nlmsg_put_header(out);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	return h;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	if (addr_is4(a))
		mnl_attr_put(h, type, 4, addr_bytes4(a));
	else
		mnl_attr_put(h, type, 16, a->bytes);
}

size_t rtnl_write_dump(void *out, uint16_t type, uint32_t seq)
{
	struct nlmsghdr *h = begin_request(out, type, NLM_F_DUMP, seq);

	if (type == RTM_GETNEIGH)
		mnl_nlmsg_put_extra_header(h, sizeof(struct ndmsg));
	else
		mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	return h->nlmsg_len;
}

size_t rtnl_write_route(void *out, const struct addr *to, uint32_t seq)
{
	struct nlmsghdr *h = begin_request(out, RTM_GETROUTE, 0, seq);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = addr_is4(to) ? AF_INET : AF_INET6;
	m->rtm_dst_len = addr_is4(to) ? 32 : 128;
	put_addr(h, RTA_DST, to);
	return h->nlmsg_len;
}

/* A request about the entry @p m of neighbour @p to. */
static size_t write_neighbour(void *out, uint16_t type, uint16_t flags, struct ndmsg m,
                              const struct addr *to, uint32_t seq)
{
	struct nlmsghdr *h = begin_request(out, type, flags, seq);

	m.ndm_family = addr_is4(to) ? AF_INET : AF_INET6;
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(m)), &m, sizeof(m));
	put_addr(h, NDA_DST, to);
	return h->nlmsg_len;
}

size_t rtnl_write_use(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq)
{
	const struct ndmsg m = { .ndm_ifindex = (int)ifindex,
		                 .ndm_state = NUD_NONE,
		                 .ndm_flags = NTF_USE };

	return write_neighbour(out, RTM_NEWNEIGH, NLM_F_CREATE, m, to, seq);
}

size_t rtnl_write_probe(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq)
{
	const struct ndmsg m = { .ndm_ifindex = (int)ifindex, .ndm_state = NUD_PROBE };

	return write_neighbour(out, RTM_NEWNEIGH, 0, m, to, seq); /* never makes an entry */
}

size_t rtnl_write_neighbour(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq)
{
	const struct ndmsg m = { .ndm_ifindex = (int)ifindex };

	return write_neighbour(out, RTM_GETNEIGH, 0, m, to, seq);
}
