/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the kernel that are answered within the call. */
#include <errno.h>

#include <libmnl/libmnl.h>

#include "dataplane/rtnl.h"

int rtnl_ask(struct mnl_socket *socket, char *buffer, size_t n_buffer, const void *question,
             size_t n, uint32_t seq, rtnl_take *take, void *arg)
{
	struct rtnl_fact f;

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
			if (f.kind == RTNL_DONE)
				return 0;
			if (f.kind == RTNL_ERROR)
				return -f.error;
			if (!take(arg, &f))
				return 0;
		}
	}
}
