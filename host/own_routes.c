/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rtnetlink requests with an acknowledgement, one at a time: the kernel works within sendto(), so a blocking receive
 * right after it does not wait. Dumps are strict (NETLINK_GET_STRICT_CHK): the kernel filters them by table and
 * protocol itself, so a host with a full table of routes costs no more. A kernel that does not filter sends all
 * routes, and the same test of each message leaves the same ones.
 */
#include "weir/own_routes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define REQUEST_BYTES 256
#define ANSWER_BYTES  (64 * 1024) /* a dump's message has at most 32 KiB */
#define DUMP_TRIES    8
#define DELETE_BATCH  1024u
#define DELETE_ROUNDS 64 /* somebody who adds as fast does not hold the caller */

struct own_routes {
	struct mnl_socket *socket;
	uint32_t seq;
	char request[REQUEST_BYTES];
	char answer[ANSWER_BYTES];
};

/* Where a dump's addresses go. */
struct own_listing {
	uint32_t table;
	int family;
	struct addr *out;
	size_t n_max, n;
};

int own_routes_open(struct own_routes **out)
{
	struct own_routes *r = calloc(1, sizeof(*r));
	int yes = 1, err;

	if (!r)
		return -ENOMEM;
	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		own_routes_close(r);
		return err;
	}
	(void)mnl_socket_setsockopt(r->socket, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
	*out = r;
	return 0;
}

void own_routes_close(struct own_routes *r)
{
	if (!r)
		return;
	if (r->socket)
		mnl_socket_close(r->socket);
	free(r);
}

/* Begin a request about Weir's routes of @p table. */
static struct nlmsghdr *begin_request(struct own_routes *r, uint16_t type, uint16_t flags,
                                      int family, uint32_t table)
{
	struct nlmsghdr *h;
	struct rtmsg *m;

	memset(r->request, 0, sizeof(r->request));
	h = mnl_nlmsg_put_header(r->request);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++r->seq;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = (uint8_t)family;
	m->rtm_table = (uint8_t)table;
	m->rtm_protocol = OWN_ROUTES_PROTOCOL;
	mnl_attr_put_u32(h, RTA_TABLE, table);
	return h;
}

typedef void on_route(const struct nlmsghdr *h, void *arg);

/* How far an answer is. */
struct answering {
	on_route *on_message;
	void *arg;
	bool ended;
	int err; /* the kernel's, or -EINTR: the table changed during the dump */
};

/* The kernel's error number at the end of an answer; a dump's end may lack it. */
static int read_error(const struct nlmsghdr *h)
{
	int32_t error = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error));
	return error < 0 ? (int)error : 0;
}

/* Messages of a former request, whose dump was given up, are passed over by their number. */
static void read_messages(const struct own_routes *r, int n, struct answering *a)
{
	const struct nlmsghdr *h = (const void *)r->answer;

	for (; mnl_nlmsg_ok(h, n) && !a->ended; h = mnl_nlmsg_next(h, &n)) {
		if (h->nlmsg_seq != r->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			a->err = -EINTR;
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			int err = read_error(h);

			a->ended = true;
			a->err = err ? err : a->err;
		} else if (a->on_message) {
			a->on_message(h, a->arg);
		}
	}
}

/* Send what is written, and hand each message of the answer to @p on_message. @return 0 or -errno */
static int query_kernel(struct own_routes *r, const struct nlmsghdr *h, on_route *on_message,
                        void *arg)
{
	struct answering a = { .on_message = on_message, .arg = arg };

	if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0)
		return -errno;
	while (!a.ended) {
		ssize_t n = mnl_socket_recvfrom(r->socket, r->answer, sizeof(r->answer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		read_messages(r, (int)n, &a);
	}
	return a.err;
}

/* What a route's message says of it. */
struct route_said {
	uint32_t table;
	size_t size; /* of an address of its family, in octets */
	const struct nlattr *dst;
};

static int read_attribute(const struct nlattr *a, void *arg)
{
	struct route_said *said = arg;

	if (mnl_attr_get_type(a) == RTA_DST && mnl_attr_get_payload_len(a) == said->size)
		said->dst = a;
	if (mnl_attr_get_type(a) == RTA_TABLE && mnl_attr_get_payload_len(a) == sizeof(said->table))
		said->table = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

/* The destination of a message with a route of Weir's in @p table. @return false: it has none */
static bool read_own_route(const struct nlmsghdr *h, uint32_t table, struct addr *to)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct route_said said = { 0 };

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return false;
	if (m->rtm_protocol != OWN_ROUTES_PROTOCOL || m->rtm_type != RTN_BLACKHOLE ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return false;
	said.table = m->rtm_table;
	said.size = m->rtm_family == AF_INET ? 4 : 16;
	mnl_attr_parse(h, sizeof(*m), read_attribute, &said);
	if (!said.dst || said.table != table || m->rtm_dst_len != said.size * 8)
		return false;
	*to = said.size == 4 ? addr_from4(mnl_attr_get_payload(said.dst))
	                     : addr_from6(mnl_attr_get_payload(said.dst));
	return true;
}

/* A host without IPv6 lists all the families that it has instead. */
static void list_message(const struct nlmsghdr *h, void *arg)
{
	struct own_listing *l = arg;
	struct addr omitted, *to = l->n < l->n_max ? &l->out[l->n] : &omitted;

	if (read_own_route(h, l->table, to) && addr_is4(to) == (l->family == AF_INET))
		l->n++;
}

static bool is_table(uint32_t table)
{
	return table >= 1 && table <= OWN_ROUTES_TABLE_MAX;
}

/*
 * Dump one family. A dump during which the table changed (-EINTR) may lack routes that were there
 * all the time; one while the kernel has not ended a dump that was given up is refused (-EBUSY),
 * and reading the refusal ends that one. So both are made again, each after @p n is what it was.
 */
static int dump_family(struct own_routes *r, int family, uint32_t table, on_route *on_message,
                       void *arg, size_t *n)
{
	const size_t before = *n;
	int err = -EBUSY;

	for (int tries = 0; tries < DUMP_TRIES && (err == -EINTR || err == -EBUSY); tries++) {
		*n = before;
		err = query_kernel(r, begin_request(r, RTM_GETROUTE, NLM_F_DUMP, family, table),
		                   on_message, arg);
	}
	return err;
}

/* A table that never had a route is -ENOENT. */
static int list_family(struct own_routes *r, int family, struct own_listing *l)
{
	l->family = family;
	int err = dump_family(r, family, l->table, list_message, l, &l->n);

	return err == -ENOENT || err == -EAFNOSUPPORT ? 0 : err;
}

int own_routes_list(struct own_routes *r, uint32_t table, struct addr *out, size_t n_max, size_t *n)
{
	struct own_listing l = { .table = table, .out = out, .n_max = n_max };
	int err;

	if (!is_table(table))
		return -EINVAL;
	err = list_family(r, AF_INET, &l);
	if (!err)
		err = list_family(r, AF_INET6, &l);
	if (!err)
		*n = l.n;
	return err;
}

/* Add or delete the route of @p a. @return the kernel's answer, or -errno */
static int change_route(struct own_routes *r, uint16_t type, uint16_t flags, uint32_t table,
                        const struct addr *a)
{
	const bool four = addr_is4(a);
	struct nlmsghdr *h = begin_request(r, type, (uint16_t)(NLM_F_ACK | flags),
	                                   four ? AF_INET : AF_INET6, table);
	struct rtmsg *m = mnl_nlmsg_get_payload(h);

	m->rtm_type = RTN_BLACKHOLE;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_dst_len = four ? 32 : 128;
	if (four)
		mnl_attr_put(h, RTA_DST, 4, addr_bytes4(a));
	else
		mnl_attr_put(h, RTA_DST, 16, a->bytes);
	return query_kernel(r, h, NULL, NULL);
}

struct own_search {
	uint32_t table;
	const struct addr *a;
	size_t n; /* found */
};

static void find_message(const struct nlmsghdr *h, void *arg)
{
	struct own_search *s = arg;
	struct addr a;

	if (read_own_route(h, s->table, &a) && addr_equal(&a, s->a))
		s->n++;
}

/* A prefix of the table is taken: by Weir's route, or by another one. */
static int find_own_route(struct own_routes *r, uint32_t table, const struct addr *a)
{
	struct own_search s = { .table = table, .a = a };
	int err = dump_family(r, addr_is4(a) ? AF_INET : AF_INET6, table, find_message, &s, &s.n);

	if (err && !s.n)
		return err;
	return s.n ? 0 : -EEXIST;
}

int own_routes_add(struct own_routes *r, uint32_t table, const struct addr *a)
{
	int err;

	if (!is_table(table))
		return -EINVAL;
	err = change_route(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, table, a);
	return err == -EEXIST ? find_own_route(r, table, a) : err;
}

int own_routes_delete(struct own_routes *r, uint32_t table, const struct addr *a)
{
	int err;

	if (!is_table(table))
		return -EINVAL;
	err = change_route(r, RTM_DELROUTE, 0, table, a);
	return err == -ESRCH ? 0 : err;
}

int own_routes_delete_all(struct own_routes *r, uint32_t table)
{
	struct addr *batch = calloc(DELETE_BATCH, sizeof(*batch));
	size_t n = DELETE_BATCH + 1;
	int err = 0;

	if (!batch)
		return -ENOMEM;
	for (int rounds = 0; !err && n > DELETE_BATCH && rounds < DELETE_ROUNDS; rounds++) {
		err = own_routes_list(r, table, batch, DELETE_BATCH, &n);
		for (size_t i = 0; !err && i < n && i < DELETE_BATCH; i++)
			err = own_routes_delete(r, table, &batch[i]);
	}
	free(batch);
	return !err && n > DELETE_BATCH ? -EBUSY : err;
}
