/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets to the kernel. It answers rtnetlink requests within sendto(), so a blocking receive right
 * after it does not wait for anybody.
 */
#include <errno.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "dataplane/nexthop/rtnl.h"

/* Room for the messages of some thousand changes at once: fewer lost messages. */
#define SOCKET_BYTES (4 << 20)
#define DUMP_TRIES   4 /* of a table that changes while it is listed */

int rtnl_open(unsigned groups, struct mnl_socket **out)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int bytes = SOCKET_BYTES;

	if (!s)
		return -errno;
	(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;

		mnl_socket_close(s);
		return err;
	}
	*out = s;
	return 0;
}

size_t rtnl_hear(int fd, char *buffer, size_t n_buffer, bool *lost)
{
	for (;;) {
		ssize_t n = recv(fd, buffer, n_buffer, MSG_DONTWAIT);

		if (n > 0)
			return (size_t)n;
		if (n == 0 || (errno != ENOBUFS && errno != EINTR))
			return 0;
		*lost |= errno == ENOBUFS;
	}
}

int rtnl_query(struct mnl_socket *socket, char *buffer, size_t n_buffer, const void *question,
               size_t n, uint32_t seq, rtnl_on_fact *on_fact, void *arg)
{
	struct rtnl_fact f;
	bool interrupted = false;

	if (mnl_socket_sendto(socket, question, n) < 0)
		return -errno;
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, n_buffer);

		if (got <= 0)
			return got ? -errno : -EIO;
		for (size_t at = 0, took; (took = rtnl_next(buffer + at, (size_t)got - at, &f));
		     at += took) {
			if (f.seq != seq)
				continue;
			interrupted |= f.interrupted;
			if (f.kind == RTNL_DONE)
				return interrupted ? -EINTR : 0;
			if (f.kind == RTNL_ERROR)
				return -f.error;
			if (!on_fact(arg, &f))
				return 0;
		}
	}
}

int rtnl_dump(struct mnl_socket *socket, char *buffer, size_t n_buffer, uint16_t type,
              uint32_t *seq, rtnl_on_fact *on_fact, void *arg)
{
	char question[RTNL_REQUEST_MAX];
	int err = -EINTR;

	for (int tries = 0; tries < DUMP_TRIES && err == -EINTR; tries++) {
		size_t n = rtnl_write_dump(question, type, ++*seq);

		err = rtnl_query(socket, buffer, n_buffer, question, n, *seq, on_fact, arg);
	}
	return err;
}
