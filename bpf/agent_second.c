/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ids of namespaces (agent_second.h), by rtnetlink (RTM_NEWNSID, RTM_GETNSID): the socket look-up in
 * BPF takes only ids. And whether an agent lacks --owners.
 */
#include "bpf/agent_second.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "weir/agent.h"

#define PATH_BYTES 512 /* of a namespace's file */

/* A request about the namespace behind a descriptor, and room for the answer. */
struct netns_request {
	struct nlmsghdr head;
	struct rtgenmsg body;
	char attributes[256];
};

static void add_u32(struct netns_request *r, uint16_t type, uint32_t value)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(sizeof(value));
	memcpy(RTA_DATA(a), &value, sizeof(value));
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_SPACE(sizeof(value));
}

static struct netns_request make_request(uint16_t type, uint16_t flags, int netns_fd)
{
	struct netns_request r = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
		                             .nlmsg_type = type,
		                             .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) } };

	add_u32(&r, NETNSA_FD, (uint32_t)netns_fd);
	return r;
}

/* The id in the answer. @return 0, or the error that the answer reports */
static int read_id(struct netns_request *r, ssize_t n, int32_t *id)
{
	struct rtattr *a =
	        (struct rtattr *)(void *)((char *)r + NLMSG_SPACE(sizeof(struct rtgenmsg)));
	int left = (int)n - (int)NLMSG_SPACE(sizeof(struct rtgenmsg));
	const struct nlmsgerr *error = (const struct nlmsgerr *)(const void *)&r->body;

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct rtgenmsg)))
		return -EPROTO;
	if (r->head.nlmsg_type == NLMSG_ERROR)
		return error->error;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == NETNSA_NSID)
			memcpy(id, RTA_DATA(a), sizeof(*id));
	return 0;
}

static int exchange_request(int fd, const struct netns_request *r, int32_t *id)
{
	struct netns_request answer;
	ssize_t n;

	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	return n < 0 ? -errno : read_id(&answer, n, id);
}

/* Ask the kernel to give an id; -EEXIST says that there is one. Then read it. */
static int obtain_id(int netns_fd, int32_t *id)
{
	struct netns_request give = make_request(RTM_NEWNSID, NLM_F_ACK, netns_fd);
	struct netns_request get = make_request(RTM_GETNSID, 0, netns_fd);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err;
	int32_t found = -1;

	if (fd < 0)
		return -errno;
	add_u32(&give, NETNSA_NSID, (uint32_t)-1);
	err = exchange_request(fd, &give, &found);
	if (!err || err == -EEXIST)
		err = exchange_request(fd, &get, &found);
	close(fd);
	if (!err && found < 0)
		err = -ENOENT;
	if (!err)
		*id = found;
	return err;
}

int agent_netns_id(const char *name, int32_t *id)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
	int fd, err;

	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = obtain_id(fd, id);
	close(fd);
	return err;
}

bool agent_lacks_owners(const struct agent_status *s)
{
	static const enum decap_reason named[] = { DECAP_OWNED, DECAP_LAST, DECAP_PASSED_ON,
		                                   DECAP_OWNERS_REFUSED };
	bool is_named = false;

	for (size_t i = 0; i < s->n_prefixes; i++)
		if (s->prefixes[i].is_owner)
			return false;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		is_named = is_named || s->counts[named[i]].packets;
	return is_named;
}
