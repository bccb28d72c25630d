/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel is asked which route leads to a backend (rtnetlink(7), RTM_GETROUTE): a question that
 * needs no privilege. What the dataplane would make of the answer is decided in dataplane/tables/compiler_next_hops.c.
 */
#include "mgmt/api/change/route_warnings.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define QUERIES_MAX 1024u  /* a question takes some microseconds, under the lock */
#define SHOWN_MAX   8u     /* sentences; more are counted */
#define TIMEOUT_US  100000 /* the kernel answers at once: this only bounds the wait */

enum route { ROUTE_FINE, ROUTE_GATEWAY, ROUTE_REFUSED };

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr attribute;
	uint8_t address[16];
};

static size_t make_question(const struct addr *to, uint32_t seq, struct question *q)
{
	size_t n = addr_is4(to) ? 4 : 16;

	*q = (struct question){
		.head = { .nlmsg_type = RTM_GETROUTE,
		          .nlmsg_flags = NLM_F_REQUEST,
		          .nlmsg_seq = seq },
		.route = { .rtm_family = addr_is4(to) ? AF_INET : AF_INET6,
		           .rtm_dst_len = (unsigned char)(8 * n) },
		.attribute = { .rta_len = (unsigned short)RTA_LENGTH(n), .rta_type = RTA_DST },
	};
	memcpy(q->address, addr_is4(to) ? addr_bytes4(to) : to->bytes, n);
	q->head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(q->route)) + RTA_LENGTH(n));
	return q->head.nlmsg_len;
}

/* What the kernel answers for routes of type unreachable, prohibit or blackhole. */
static bool is_route_refusal(struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) &&
	       (e->error == -EHOSTUNREACH || e->error == -EACCES || e->error == -EINVAL);
}

static bool has_gateway(struct nlmsghdr *h)
{
	struct rtmsg *r = NLMSG_DATA(h);
	struct rtattr *a = RTM_RTA(r); /* the kernel's macros drop const */
	int left = (int)RTM_PAYLOAD(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*r)))
		return false;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_GATEWAY || a->rta_type == RTA_VIA)
			return true;
	return false;
}

/* Query one route. An answer that is missing or not understood gives no warning. */
static enum route query_route(int s, const struct addr *to, uint32_t seq)
{
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} answer;
	struct question q;
	ssize_t n;

	if (send(s, &q, make_question(to, seq, &q), 0) < 0)
		return ROUTE_FINE;
	n = recv(s, &answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(answer.head) || !NLMSG_OK(&answer.head, (size_t)n) ||
	    answer.head.nlmsg_seq != seq)
		return ROUTE_FINE;
	if (answer.head.nlmsg_type == NLMSG_ERROR)
		return is_route_refusal(&answer.head) ? ROUTE_REFUSED : ROUTE_FINE;
	return answer.head.nlmsg_type == RTM_NEWROUTE && has_gateway(&answer.head) ? ROUTE_GATEWAY
	                                                                           : ROUTE_FINE;
}

/* The two troubles have different cures, so each has a sentence of its own. */
static void add_warning_of(const struct advice_backend *b, enum route route, json_t *warnings)
{
	char address[ADDR_TEXT_MAX];

	addr_text(&b->address, address);
	if (route == ROUTE_REFUSED)
		json_array_append_new(
		        warnings,
		        json_sprintf(
		                "backend %s/%s: the route of this node to %s says unreachable, "
		                "blackhole or prohibit, so the backend will get no traffic from "
		                "this node; see ip route get %s",
		                b->pool, b->backend, address, address));
	else
		json_array_append_new(
		        warnings,
		        json_sprintf(
		                "backend %s/%s: mode l2 reaches only backends on a link of the "
		                "node, and %s is behind a gateway, so the backend will get no "
		                "traffic from this node; use ipip or gue",
		                b->pool, b->backend, address));
}

static int open_route_socket(void)
{
	const struct timeval limit = { .tv_usec = TIMEOUT_US };
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (s >= 0)
		(void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return s;
}

static const char *own_site(const struct core *core, const struct advice *advice)
{
	for (size_t i = 0; i < advice->n_nodes; i++)
		if (!strcmp(advice->nodes[i].node, core->dirs.node))
			return advice->nodes[i].site;
	return "";
}

void route_warnings_add(struct core *core, const struct advice *advice, json_t *warnings)
{
	const char *site = own_site(core, advice);
	uint32_t n_queries = 0, n_bad = 0;
	int s = open_route_socket();

	for (size_t i = 0; s >= 0 && i < advice->n_backends && n_queries < QUERIES_MAX; i++) {
		const struct advice_backend *b = &advice->backends[i];
		enum route route;

		if (strcmp(b->site, site) != 0)
			continue;
		route = query_route(s, &b->address, ++n_queries);
		if (route == ROUTE_FINE || (route == ROUTE_GATEWAY && !b->l2))
			continue;
		if (n_bad++ < SHOWN_MAX)
			add_warning_of(b, route, warnings);
	}
	if (s >= 0)
		close(s);
	if (n_bad > SHOWN_MAX)
		json_array_append_new(
		        warnings,
		        json_sprintf("%u more backends have the same problem", n_bad - SHOWN_MAX));
}
