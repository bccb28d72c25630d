/* SPDX-License-Identifier: BSD-2-Clause */
/* Rtnetlink messages about interfaces, for tests. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_LINK_MESSAGE_H
#define WEIR_TESTS_UNIT_DATAPLANE_LINK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define MESSAGE_BYTES 1024u

/* A message about an interface, as the kernel writes it. */
struct link_message {
	uint32_t ifindex;
	const char *name, *kind; /* kind NULL: a device */
	uint32_t link, master;   /* 0: the attribute is left out */
	bool gone, bridge_port, elsewhere, down, no_carrier;
	uint8_t mac;       /* last byte; 0: its index */
	uint8_t mac_above; /* the byte before it */
};

static inline size_t write_message(char *out, const struct link_message *m)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(out);
	uint8_t mac[6] = { 2, 0, 0, 0, m->mac_above, m->mac ? m->mac : (uint8_t)m->ifindex };
	struct ifinfomsg *info;

	h->nlmsg_type = m->gone ? RTM_DELLINK : RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = m->bridge_port ? AF_BRIDGE : AF_UNSPEC;
	info->ifi_type = ARPHRD_ETHER;
	info->ifi_index = (int)m->ifindex;
	info->ifi_flags = (m->down ? 0 : IFF_UP) | (m->no_carrier ? 0 : IFF_LOWER_UP);
	mnl_attr_put_strz(h, IFLA_IFNAME, m->name);
	mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u8(h, IFLA_OPERSTATE, m->no_carrier ? 2 : 6);
	if (m->link)
		mnl_attr_put_u32(h, IFLA_LINK, m->link);
	if (m->elsewhere)
		mnl_attr_put_u32(h, IFLA_LINK_NETNSID, 0);
	if (m->master)
		mnl_attr_put_u32(h, IFLA_MASTER, m->master);
	if (m->kind) {
		struct nlattr *nest = mnl_attr_nest_start(h, IFLA_LINKINFO), *data;

		mnl_attr_put_strz(h, IFLA_INFO_KIND, m->kind);
		data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
		mnl_attr_put_u16(h, IFLA_VLAN_ID, 5);
		mnl_attr_nest_end(h, data);
		mnl_attr_nest_end(h, nest);
	}
	return h->nlmsg_len;
}

#endif
