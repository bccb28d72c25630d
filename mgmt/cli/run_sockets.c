/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define DNS_PORT     53
#define BACKLOG      1024
#define UDP_ROOM     (4 << 20) /* what queues while the server restarts */
#define LISTEN_FIRST 3
#define NAMES_MAX    (RUN_SOCKETS_MAX * 16)
#define OUT_OF_WAY   (LISTEN_FIRST + RUN_SOCKETS_MAX)

void run_sockets_init(struct run_sockets *s)
{
	s->n_addresses = 0;
	for (size_t i = 0; i < RUN_SOCKETS_MAX; i++)
		s->fds[i] = -1;
}

void run_sockets_close(struct run_sockets *s)
{
	for (size_t i = 0; i < RUN_SOCKETS_MAX; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	run_sockets_init(s);
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) != 0 ? -errno : 0;
}

static int prepare(int fd, bool udp, bool ip4)
{
	int err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!err && !udp)
		err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && !ip4)
		err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* The address may come later than we do. */
	if (!err)
		err = ip4 ? set(fd, IPPROTO_IP, IP_FREEBIND, 1)
		          : set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	/* Without the right to more, the system's bound holds. */
	if (!err && udp && set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_ROOM) != 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, UDP_ROOM);
	return err;
}

static int open_socket(const struct addr *address, bool udp)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(address, DNS_PORT, &sa);
	int fd = socket(sa.ss_family,
	                (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int err = prepare(fd, udp, addr_is4(address));
	if (!err && bind(fd, (const struct sockaddr *)&sa, n) != 0)
		err = -errno;
	if (!err && !udp && listen(fd, BACKLOG) != 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_logged(const struct addr *address, bool udp)
{
	char text[ADDR_TEXT_MAX];
	int fd = open_socket(address, udp);

	if (fd < 0)
		log_error("dns-socket-failed", "address=%s protocol=%s why=\"%s\"",
		          addr_text(address, text), udp ? "udp" : "tcp", strerror(-fd));
	return fd < 0 ? -1 : fd;
}

/* Take the socket of @p address out of @p from. @return -1 when it has none */
static int take_out(struct run_sockets *from, const struct addr *address, bool tcp)
{
	for (size_t i = 0; i < from->n_addresses; i++) {
		size_t place = 2 * i + tcp;
		int fd = from->fds[place];

		if (!addr_equal(&from->addresses[i], address))
			continue;
		from->fds[place] = -1;
		return fd;
	}
	return -1;
}

bool run_sockets_set(struct run_sockets *s, const struct addr *addresses, size_t n)
{
	struct run_sockets old = *s;
	bool changed;

	run_sockets_init(s);
	s->n_addresses = n < RUN_ADDRESSES_MAX ? n : RUN_ADDRESSES_MAX;
	changed = s->n_addresses != old.n_addresses;
	for (size_t i = 0; i < s->n_addresses; i++) {
		s->addresses[i] = addresses[i];
		changed |= !addr_equal(&addresses[i], &old.addresses[i]);
		for (size_t tcp = 0; tcp < 2; tcp++) {
			int fd = take_out(&old, &addresses[i], tcp);

			changed |= fd < 0;
			s->fds[2 * i + tcp] = fd >= 0 ? fd : open_logged(&addresses[i], !tcp);
		}
	}
	run_sockets_close(&old);
	return changed;
}

bool run_sockets_lack(const struct run_sockets *s)
{
	for (size_t i = 0; i < 2 * s->n_addresses; i++)
		if (s->fds[i] < 0)
			return true;
	return false;
}

/* First out of the way of 3.., then there in order, without close-on-exec. */
int run_sockets_hand_down(const struct run_sockets *s)
{
	char names[NAMES_MAX] = "", number[16];
	int fds[RUN_SOCKETS_MAX], n = 0;
	size_t used = 0;

	for (size_t i = 0; i < 2 * s->n_addresses; i++) {
		if (s->fds[i] < 0)
			continue;
		fds[n] = fcntl(s->fds[i], F_DUPFD, OUT_OF_WAY);
		if (fds[n++] < 0)
			return -errno;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%sdns-%s-%zu",
		                         used ? ":" : "", i % 2 ? "tcp" : "udp", i / 2);
	}
	for (int i = 0; i < n; i++) {
		if (dup2(fds[i], LISTEN_FIRST + i) < 0)
			return -errno;
		close(fds[i]);
	}
	snprintf(number, sizeof(number), "%d", n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	return 0;
}

/* Whether @p fd is bound to port 53 of @p address, as UDP or TCP. */
static bool is_ours(int fd, const struct addr *address, bool tcp)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa), n_type = sizeof(int);
	struct addr bound;
	uint16_t port;
	int type = 0;

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) == 0 &&
	       type == (tcp ? SOCK_STREAM : SOCK_DGRAM) &&
	       addr_from_sockaddr((const struct sockaddr *)&sa, &bound, &port) == 0 &&
	       port == DNS_PORT && addr_equal(&bound, address);
}

int run_sockets_take(struct run_sockets *s, int pidfd, const struct addr *addresses, size_t n)
{
	struct run_sockets taken;

	run_sockets_init(&taken);
	taken.n_addresses = n < RUN_ADDRESSES_MAX ? n : RUN_ADDRESSES_MAX;
	for (size_t i = 0; i < 2 * taken.n_addresses; i++) {
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, LISTEN_FIRST + (int)i, 0);

		taken.fds[i] = fd;
		taken.addresses[i / 2] = addresses[i / 2];
		if (fd < 0 || !is_ours(fd, &addresses[i / 2], i % 2)) {
			int err = fd < 0 ? -errno : -ENOTSOCK;

			run_sockets_close(&taken);
			return err;
		}
	}
	run_sockets_close(s);
	*s = taken;
	return 0;
}
