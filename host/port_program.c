/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rtnetlink request by the interface's name or index: the kernel works within sendto(), so the answer is
 * there at once.
 */
#include "weir/port_program.h"

#include <errno.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define ANSWER_BYTES (32 * 1024) /* an interface with many virtual functions says much */

/* @return as port_program_runs() */
static int read_answer(const struct nlmsghdr *h)
{
	struct nlattr *a, *inner;

	if (h->nlmsg_type == NLMSG_ERROR) {
		int err = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;

		return err ? err : -EPROTO;
	}
	if (h->nlmsg_type != RTM_NEWLINK)
		return -EPROTO;
	mnl_attr_for_each(a, h, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(a) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(inner, a)
		{
			if (mnl_attr_get_type(inner) == IFLA_XDP_ATTACHED)
				return mnl_attr_get_u8(inner) != XDP_ATTACHED_NONE;
		}
	}
	return -ENODATA;
}

/* @param interface  NULL: the one with @p ifindex */
static int query_interface(const char *interface, uint32_t ifindex)
{
	alignas(struct nlmsghdr) char request[256] = { 0 }, answer[ANSWER_BYTES];
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	ssize_t n = -1;
	int result;

	if (!s)
		return -errno;
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(h, sizeof(*link));
	link->ifi_index = (int)ifindex;
	if (interface)
		mnl_attr_put_strz(h, IFLA_IFNAME, interface);
	if (mnl_socket_sendto(s, h, h->nlmsg_len) >= 0)
		n = mnl_socket_recvfrom(s, answer, sizeof(answer));
	result = n < 0                                        ? -errno
	         : mnl_nlmsg_ok((const void *)answer, (int)n) ? read_answer((const void *)answer)
	                                                      : -EPROTO;
	mnl_socket_close(s);
	return result;
}

int port_program_runs(const char *interface)
{
	return query_interface(interface, 0);
}

int port_program_runs_at(uint32_t ifindex)
{
	return query_interface(NULL, ifindex);
}
