/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets from the supervisor. At the start they are inherited at fixed descriptors (LISTEN_FDS);
 * later ones come through a channel, which is inherited as well. A message on the channel has a
 * socket and its name; the socket is moved to the descriptor that was reserved for this name, so
 * that both kinds are found in the same way.
 */
#include "dns/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/proc.h"
#include "dns/server.h"

#define CHANNEL "weir-more" /* its name among the inherited descriptors */

bool handed_is_bound(int fd, const struct addr *address, int type)
{
	struct sockaddr_storage at;
	socklen_t length = sizeof(at), n_type = sizeof(int);
	struct addr bound;
	int is = 0;

	return getsockname(fd, (struct sockaddr *)&at, &length) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &n_type) == 0 && is == type &&
	       addr_from_sockaddr((struct sockaddr *)&at, &bound, NULL) == 0 &&
	       addr_equal(&bound, address);
}

int handed_find(const struct addr *address, int type, unsigned k)
{
	for (unsigned i = 0; i < SERVER_SOCKETS_MAX; i++) {
		char name[48], thread[16] = "";
		int fd;

		if (k)
			snprintf(thread, sizeof(thread), "-%u", k);
		snprintf(name, sizeof(name), "dns-%s-%u%s", type == SOCK_STREAM ? "tcp" : "udp", i,
		         thread);
		fd = proc_listen_fd(name);
		if (fd >= 0 && handed_is_bound(fd, address, type))
			return fd;
	}
	return -ENOENT;
}

void handed_forget(const struct addr *address, int type, unsigned k)
{
	int fd = handed_find(address, type, k), none;

	if (fd < 0)
		return;
	none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (none < 0)
		return;
	(void)dup3(none, fd, O_CLOEXEC);
	close(none);
}

/* Receive one socket and move it to its descriptor. @return 1, 0 at the end, or -errno */
static int receive_socket(int channel)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = { 0 };
	char name[32] = "";
	struct iovec part = { name, sizeof(name) - 1 };
	struct msghdr message = { .msg_iov = &part,
		                  .msg_iovlen = 1,
		                  .msg_control = ancillary.bytes,
		                  .msg_controllen = sizeof(ancillary.bytes) };
	ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	int fd, reserved;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return 1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	reserved = proc_listen_fd(name);
	if (reserved < 0 || dup3(fd, reserved, O_CLOEXEC) < 0)
		log_error("dns-socket-not-taken", "name=%.31s error=\"%s\"", name,
		          strerror(reserved < 0 ? -reserved : errno));
	close(fd);
	return 1;
}

int handed_receive(int channel, unsigned *n)
{
	int err;

	*n = 0;
	while ((err = receive_socket(channel)) > 0 || err == -EINTR)
		*n += err > 0;
	return err;
}

int handed_channel(void)
{
	return proc_listen_fd(CHANNEL);
}
