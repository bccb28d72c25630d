/* SPDX-License-Identifier: BSD-2-Clause */
#include "own_kernel.h"

#include <errno.h>
#include <sys/types.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "tests/unit/mnl_answers.h"

struct own_kernel own_kernel;

static int count_change(unsigned *tries, int err)
{
	++*tries;
	own_kernel.changes += !err;
	return err;
}

/* @return 0, or -errno */
static int judge_request(unsigned type)
{
	struct own_kernel *k = &own_kernel;

	switch (k->is_looked_at ? RTM_BASE : type) {
	case RTM_GETROUTE:
		return k->list_error;
	case RTM_NEWROUTE:
		return count_change(&k->adds, k->change_error ? k->change_error : k->add_error);
	case RTM_DELROUTE:
		return count_change(&k->deletes, k->change_error);
	case RTM_GETLINK:
		return k->program_error;
	default:
		return 0;
	}
}

static ssize_t own_mnl_socket_sendto(const struct mnl_socket *s, const void *request, size_t n)
{
	int err = judge_request(((const struct nlmsghdr *)request)->nlmsg_type);

	errno = -err;
	return err ? -1 : __real_mnl_socket_sendto(s, request, n);
}

static void put_program(const struct nlmsghdr *h)
{
	struct nlattr *a, *inner;

	mnl_attr_for_each(a, h, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(a) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(inner, a)
		{
			if (mnl_attr_get_type(inner) == IFLA_XDP_ATTACHED)
				*(uint8_t *)mnl_attr_get_payload(inner) = XDP_ATTACHED_SKB;
		}
	}
}

static ssize_t own_mnl_socket_recvfrom(const struct mnl_socket *s, void *answer, size_t size)
{
	ssize_t n = __real_mnl_socket_recvfrom(s, answer, size);

	if (own_kernel.has_program && n > 0 && mnl_nlmsg_ok(answer, (int)n) &&
	    ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWLINK)
		put_program(answer);
	return n;
}

void own_kernel_begin(void)
{
	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	answer_mnl_socket_recvfrom = own_mnl_socket_recvfrom;
}
