/* SPDX-License-Identifier: BSD-2-Clause */
#include "mnl_answers.h"

#include <string.h>

#include <linux/rtnetlink.h>

MNL_ANSWERS(ANSWER_DEFINE)

ssize_t (*answer_mnl_socket_sendto)(const struct mnl_socket *s, const void *request, size_t n);

/* Without a family the kernel answers as if no family had been named (rtnl_dump_all() in Linux). */
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *request, size_t n)
{
	__typeof__(answer_mnl_socket_sendto) send =
	        answer_mnl_socket_sendto ? answer_mnl_socket_sendto : __real_mnl_socket_sendto;
	const struct nlmsghdr *head = request;
	char copy[1024];

	if (calls_turn("mnl_socket_sendto"))
		return -1;
	if (head->nlmsg_type != RTM_GETROUTE || n > sizeof(copy))
		return send(s, request, n);
	memcpy(copy, request, n);
	struct rtmsg *m = mnl_nlmsg_get_payload((struct nlmsghdr *)(void *)copy);
	if (m->rtm_family == AF_INET6 && calls_turn_answer("mnl_socket_sendto", CALLS_NO_FAMILY))
		m->rtm_family = AF_UNSPEC;
	return send(s, copy, n);
}

ssize_t (*answer_mnl_socket_recvfrom)(const struct mnl_socket *s, void *answer, size_t size);

/* One message of an answer is marked, as the kernel marks the next that it makes once it finds another generation. */
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *answer, size_t size)
{
	if (calls_turn("mnl_socket_recvfrom"))
		return -1;
	ssize_t n = (answer_mnl_socket_recvfrom ? answer_mnl_socket_recvfrom
	                                        : __real_mnl_socket_recvfrom)(s, answer, size);
	struct nlmsghdr *h = answer;
	bool is_dump = n > 0 && mnl_nlmsg_ok(h, (int)n) && h->nlmsg_flags & NLM_F_MULTI;

	if (!is_dump || !calls_turn_answer("mnl_socket_recvfrom", CALLS_INTERRUPTED))
		return n;
	h->nlmsg_flags |= NLM_F_DUMP_INTR;
	return n;
}
