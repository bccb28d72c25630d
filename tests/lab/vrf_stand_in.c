/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of VRF devices, on a kernel without them: copies Weir's routes (protocol 177) of a table into the main
 * table of a network namespace, which FRR takes for a VRF (zebra --vrfwnetns).
 *
 *     lab-vrf-stand-in TABLE=NAMESPACE ...       the namespace is a path
 *
 * Runs in the node's namespace. Routes that were there before it are not copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define VRFS_MAX      4
#define PROTOCOL      177
#define BUFFER_BYTES  (64 * 1024)
#define SOCKET_BYTES  (8 << 20)
#define REQUEST_BYTES 256

struct vrf {
	uint32_t table;
	struct mnl_socket *socket;
};

static struct vrf vrfs[VRFS_MAX];
static int n_vrfs;

static struct mnl_socket *open_socket(unsigned groups)
{
	struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
	int bytes = SOCKET_BYTES;

	if (!s || mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0)
		return NULL;
	(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return s;
}

static bool add_vrf(const char *word)
{
	char *path;
	uint32_t table = (uint32_t)strtoul(word, &path, 10);
	int fd = *path == '=' ? open(path + 1, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || n_vrfs == VRFS_MAX || setns(fd, CLONE_NEWNET))
		return false;
	close(fd);
	vrfs[n_vrfs] = (struct vrf){ .table = table, .socket = open_socket(0) };
	return vrfs[n_vrfs++].socket != NULL;
}

/* The same change, in the main table there. */
static void copy_change(const struct vrf *to, const struct nlmsghdr *h, const struct nlattr *dst)
{
	const struct rtmsg *from = mnl_nlmsg_get_payload(h);
	char request[REQUEST_BYTES] = { 0 };
	struct nlmsghdr *out = mnl_nlmsg_put_header(request);
	struct rtmsg *m;

	out->nlmsg_type = h->nlmsg_type;
	out->nlmsg_flags = NLM_F_REQUEST;
	if (h->nlmsg_type == RTM_NEWROUTE)
		out->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	m = mnl_nlmsg_put_extra_header(out, sizeof(*m));
	*m = *from;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_flags = 0;
	mnl_attr_put(out, RTA_DST, mnl_attr_get_payload_len(dst), mnl_attr_get_payload(dst));
	if (mnl_socket_sendto(to->socket, out, out->nlmsg_len) < 0)
		perror("sendto");
	while (recv(mnl_socket_get_fd(to->socket), request, sizeof(request), MSG_DONTWAIT) > 0)
		puts("the kernel refused a route"); /* only errors are answered */
}

struct copied_route {
	const struct nlattr *dst;
	uint32_t table;
};

static int read_attribute(const struct nlattr *a, void *arg)
{
	struct copied_route *said = arg;

	if (mnl_attr_get_type(a) == RTA_DST)
		said->dst = a;
	if (mnl_attr_get_type(a) == RTA_TABLE)
		said->table = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct copied_route said = { .table = m->rtm_table };

	(void)arg;
	if ((h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE) ||
	    m->rtm_protocol != PROTOCOL)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*m), read_attribute, &said);
	for (int i = 0; said.dst && i < n_vrfs; i++)
		if (vrfs[i].table == said.table)
			copy_change(&vrfs[i], h, said.dst);
	return MNL_CB_OK;
}

int main(int argc, char **argv)
{
	static char buffer[BUFFER_BYTES];
	struct mnl_socket *news = open_socket(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	bool well = news != NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; well && i < argc; i++)
		well = add_vrf(argv[i]);
	if (!well) {
		perror("lab-vrf-stand-in");
		return 1;
	}
	puts("ready");
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(news, buffer, sizeof(buffer));

		if (n < 0 && errno != EINTR)
			perror("recvfrom");
		else if (n > 0)
			(void)mnl_cb_run(buffer, (size_t)n, 0, 0, on_route, NULL);
	}
}
