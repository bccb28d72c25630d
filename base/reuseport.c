/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel numbers the sockets of a group in the order of bind() (UDP) or listen() (TCP). The
 * steering program draws a random number modulo n, so that the sockets from n on get nothing; after
 * that they can be emptied and closed.
 */
#include "base/reuseport.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

static int set_socket_option(int fd, int option, const void *value, socklen_t length)
{
	return setsockopt(fd, SOL_SOCKET, option, value, length) < 0 ? -errno : 0;
}

int reuseport_before_bind(int fd, bool first)
{
	int on = 1;

	return first ? 0 : set_socket_option(fd, SO_REUSEPORT, &on, sizeof(on));
}

int reuseport_after_bind(int fd)
{
	int on = 1;

	return set_socket_option(fd, SO_REUSEPORT, &on, sizeof(on));
}

int reuseport_steer(int fd, unsigned n)
{
	/* the program's result is the index of a socket in the order of binding */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	int err = set_socket_option(fd, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));

	return err == -EINVAL ? 0 : err; /* a socket that is alone has no group */
}
