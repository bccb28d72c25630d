/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each socket has a fixed descriptor in weir-dns: those of its first thread from 3 on in the order
 * of the document, then those of the second, and so on for as many threads as there can be. A
 * descriptor without a socket is /dev/null. So a socket that is opened later has its descriptor
 * already, and another supervisor finds each one where it expects it.
 */
#include "supervise/run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/reuseport.h"

#define DNS_PORT 53 /* RFC 1035, section 4.2 */
#define BACKLOG                                                                                    \
	1024 /* TCP connections that wait while weir-dns restarts; net.core.somaxconn bounds it */
#define UDP_ROOM     (4 << 20) /* what queues while the server restarts */
#define LISTEN_FIRST 3
#define RUN_CHANNEL                                                                                \
	"weir-more" /* in LISTEN_FDNAMES: sockets that are opened later come through it */
#define FD_SLOTS_MAX (RUN_SOCKETS_MAX + 1)
#define OUT_OF_WAY                                                                                 \
	(LISTEN_FIRST + FD_SLOTS_MAX) /* descriptors from here on do not collide with the places */

enum { NAME_MAX_BYTES = 24, NAMES_MAX = FD_SLOTS_MAX * NAME_MAX_BYTES };

void run_sockets_init(struct run_sockets *s)
{
	*s = (struct run_sockets){ .n_threads = 1, .channel = { -1, -1 } };
	for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < RUN_OF_THREAD; i++)
			s->fds[t][i] = -1;
}

static void close_channel(struct run_sockets *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->channel[i] >= 0)
			close(s->channel[i]);
		s->channel[i] = -1;
	}
}

void run_sockets_close(struct run_sockets *s)
{
	for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < RUN_OF_THREAD; i++)
			if (s->fds[t][i] >= 0)
				close(s->fds[t][i]);
	close_channel(s);
	run_sockets_init(s);
}

static int set_socket_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) != 0 ? -errno : 0;
}

static int set_socket_options(int fd, bool udp, bool ip4, bool first)
{
	int err = reuseport_before_bind(fd, first);

	if (!err && !udp)
		err = set_socket_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && !ip4)
		err = set_socket_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* The address may come up later than we do. */
	if (!err)
		err = ip4 ? set_socket_int(fd, IPPROTO_IP, IP_FREEBIND, 1)
		          : set_socket_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	/* Without the right to exceed it, the system's limit holds. */
	if (!err && udp && set_socket_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_ROOM) != 0)
		set_socket_int(fd, SOL_SOCKET, SO_RCVBUF, UDP_ROOM);
	return err;
}

/*
 * An address that the host does not have yet can be bound too: it may come with a routing daemon.
 */
static int open_dns_socket(const struct addr *address, bool udp, bool first)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(address, DNS_PORT, &sa);
	int fd = socket(sa.ss_family,
	                (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int err = set_socket_options(fd, udp, addr_is4(address), first);
	if (!err && bind(fd, (const struct sockaddr *)&sa, n) != 0)
		err = -errno;
	if (!err && !udp && listen(fd, BACKLOG) != 0)
		err = -errno;
	if (!err)
		err = reuseport_after_bind(fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_logged(const struct addr *address, bool udp, unsigned thread)
{
	char text[ADDR_TEXT_MAX];
	int fd = open_dns_socket(address, udp, thread == 0);

	if (fd < 0)
		log_error("dns-socket-failed",
		          "address=%s protocol=%s thread=%u error=\"%s\" hint=\"%s\"",
		          addr_text(address, text), udp ? "udp" : "tcp", thread + 1, strerror(-fd),
		          fd == -EADDRINUSE
		                  ? "another server uses the address: ss -lnutp shows which"
		                  : "");
	return fd < 0 ? -1 : fd;
}

/* Open missing sockets in the order of threads: a reuseport group has the order of binding. */
static bool open_lacking(struct run_sockets *s)
{
	bool opened = false;

	for (unsigned t = 0; t < s->n_threads; t++)
		for (size_t i = 0; i < 2 * s->n_addresses; i++) {
			if (s->fds[t][i] >= 0 || (t && s->fds[t - 1][i] < 0))
				continue;
			s->fds[t][i] = open_logged(&s->addresses[i / 2], i % 2 == 0, t);
			s->fresh[t][i] = s->fds[t][i] >= 0;
			opened |= s->fresh[t][i];
		}
	return opened;
}

/* Move the sockets of @p address in all threads from @p from to index @p to of @p s. */
static void move_sockets(struct run_sockets *from, const struct addr *address,
                         struct run_sockets *s, size_t to)
{
	for (size_t i = 0; i < from->n_addresses; i++) {
		if (!addr_equal(&from->addresses[i], address))
			continue;
		for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
			for (size_t tcp = 0; tcp < 2; tcp++) {
				s->fds[t][2 * to + tcp] = from->fds[t][2 * i + tcp];
				s->fresh[t][2 * to + tcp] = from->fresh[t][2 * i + tcp];
				from->fds[t][2 * i + tcp] = -1;
			}
		return;
	}
}

bool run_sockets_set(struct run_sockets *s, const struct addr *addresses, size_t n,
                     unsigned n_threads)
{
	struct run_sockets old = *s;

	run_sockets_init(s);
	s->n_threads = n_threads;
	s->n_addresses = n < RUN_ADDRESSES_MAX ? n : RUN_ADDRESSES_MAX;
	s->moved = old.moved || s->n_addresses != old.n_addresses;
	s->extra_ms = old.extra_ms;
	memcpy(s->channel, old.channel, sizeof(s->channel));
	old.channel[0] = old.channel[1] = -1;
	for (size_t i = 0; i < s->n_addresses; i++) {
		s->addresses[i] = addresses[i];
		s->moved |= !addr_equal(&addresses[i], &old.addresses[i]);
		move_sockets(&old, &addresses[i], s, i);
	}
	run_sockets_close(&old);
	return open_lacking(s) || s->moved;
}

bool run_sockets_lack(const struct run_sockets *s)
{
	for (unsigned t = 0; t < s->n_threads; t++)
		for (size_t i = 0; i < 2 * s->n_addresses; i++)
			if (s->fds[t][i] < 0)
				return true;
	return false;
}

void run_sockets_again(struct run_sockets *s)
{
	(void)open_lacking(s);
}

bool run_sockets_extra(const struct run_sockets *s)
{
	for (unsigned t = s->n_threads; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < RUN_OF_THREAD; i++)
			if (s->fds[t][i] >= 0)
				return true;
	return false;
}

void run_sockets_trim(struct run_sockets *s)
{
	for (unsigned t = s->n_threads; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < RUN_OF_THREAD; i++) {
			if (s->fds[t][i] >= 0)
				close(s->fds[t][i]);
			s->fds[t][i] = -1;
		}
	s->extra_ms = 0;
}

void run_sockets_prepare(struct run_sockets *s)
{
	close_channel(s);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->channel) < 0)
		s->channel[0] = s->channel[1] =
		        -1; /* then new sockets need a restart of weir-dns */
	memset(s->fresh, 0, sizeof(s->fresh));
	s->moved = false;
}

static const char *socket_name(unsigned thread, size_t i, char name[NAME_MAX_BYTES])
{
	int n = snprintf(name, NAME_MAX_BYTES, "dns-%s-%zu", i % 2 ? "tcp" : "udp", i / 2);

	if (thread)
		snprintf(name + n, NAME_MAX_BYTES - (size_t)n, "-%u", thread);
	return name;
}

/* Duplicate all above the fixed descriptors; -1 where there is no socket. @return 0 or -errno */
static int move_away(const struct run_sockets *s, int fds[FD_SLOTS_MAX], size_t n_slots)
{
	size_t each = 2 * s->n_addresses;

	for (size_t p = 0; p < n_slots; p++) {
		int fd = p == each * MODEL_DNS_THREADS_MAX ? s->channel[1]
		                                           : s->fds[p / each][p % each];

		fds[p] = fd < 0 ? -1 : fcntl(fd, F_DUPFD, OUT_OF_WAY);
		if (fd >= 0 && fds[p] < 0)
			return -errno;
	}
	return 0;
}

int run_sockets_hand_down(const struct run_sockets *s)
{
	size_t each = 2 * s->n_addresses, n = each * MODEL_DNS_THREADS_MAX + 1, used = 0;
	char names[NAMES_MAX] = "", name[NAME_MAX_BYTES], number[16];
	int fds[FD_SLOTS_MAX], none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int err = none < 0 ? -errno : move_away(s, fds, n);

	if (err == 0)
		none = fcntl(none, F_DUPFD_CLOEXEC, OUT_OF_WAY);
	for (size_t p = 0; p < n && err == 0; p++) {
		if (dup2(fds[p] < 0 ? none : fds[p], LISTEN_FIRST + (int)p) < 0)
			err = -errno;
		if (fds[p] >= 0)
			close(fds[p]);
		used += (size_t)snprintf(
		        names + used, sizeof(names) - used, "%s%s", p ? ":" : "",
		        p == n - 1 ? RUN_CHANNEL
		                   : socket_name((unsigned)(p / each), p % each, name));
	}
	snprintf(number, sizeof(number), "%zu", n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	return err;
}

/* One message: a socket's name, and the socket. */
static int pass_one(int channel, int fd, const char *name)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = { 0 };
	struct iovec part = { (void *)(uintptr_t)name, strlen(name) };
	struct msghdr message = { .msg_iov = &part,
		                  .msg_iovlen = 1,
		                  .msg_control = ancillary.bytes,
		                  .msg_controllen = sizeof(ancillary.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int run_sockets_pass(struct run_sockets *s)
{
	char name[NAME_MAX_BYTES];

	if (s->channel[0] < 0 || s->moved)
		return -ENOTCONN;
	for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < 2 * s->n_addresses; i++) {
			int err = s->fresh[t][i] ? pass_one(s->channel[0], s->fds[t][i],
			                                    socket_name(t, i, name))
			                         : 0;

			if (err < 0)
				return err;
			s->fresh[t][i] = false;
		}
	return 0;
}

/* Whether @p fd is bound to port 53 of @p address, as UDP or TCP. */
static bool is_listening_socket(int fd, const struct addr *address, bool tcp)
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

/* Whether this socket is adopted already: a process may have several descriptors of one. */
static bool socket_is_adopted(const struct run_sockets *s, int fd)
{
	uint64_t cookie, other;
	socklen_t n = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0)
		return true;
	for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < 2 * s->n_addresses; i++)
			if (s->fds[t][i] >= 0 &&
			    getsockopt(s->fds[t][i], SOL_SOCKET, SO_COOKIE, &other, &n) == 0 &&
			    cookie == other)
				return true;
	return false;
}

/* Whether @p fd stands for a socket that could not be opened. */
static bool is_placeholder(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && stat("/dev/null", &null) == 0 &&
	       st.st_rdev == null.st_rdev;
}

/* Duplicate the socket at its fixed descriptor in another process. @return it, -ENOENT (there is none) or -errno */
static int adopt_socket(const struct run_sockets *s, int pidfd, unsigned thread, size_t i)
{
	int source_fd = LISTEN_FIRST + (int)(thread * 2 * s->n_addresses + i);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, source_fd, 0);

	if (fd < 0)
		return -errno;
	if (is_listening_socket(fd, &s->addresses[i / 2], i % 2) && !socket_is_adopted(s, fd))
		return fd;
	int err = is_placeholder(fd) ? -ENOENT : -ENOTSOCK;

	close(fd);
	return err;
}

int run_sockets_adopt(struct run_sockets *s, int pidfd, const struct addr *addresses, size_t n)
{
	struct run_sockets adopted;
	int err = -ENOENT; /* unless its first thread has a socket */

	run_sockets_init(&adopted);
	adopted.n_addresses = n < RUN_ADDRESSES_MAX ? n : RUN_ADDRESSES_MAX;
	memcpy(adopted.addresses, addresses, adopted.n_addresses * sizeof(*addresses));
	for (unsigned t = 0; t < MODEL_DNS_THREADS_MAX; t++)
		for (size_t i = 0; i < 2 * adopted.n_addresses; i++) {
			int fd = adopt_socket(&adopted, pidfd, t, i);

			/* it may have fewer threads; missing sockets are opened later */
			if (fd < 0 && fd != -ENOENT && t == 0) {
				run_sockets_close(&adopted);
				return fd;
			}
			adopted.fds[t][i] = fd < 0 ? -1 : fd;
			if (fd >= 0)
				adopted.n_threads = t + 1;
			if (fd >= 0 && t == 0)
				err = 0;
		}
	if (err) {
		run_sockets_close(&adopted); /* later threads' */
		return err;
	}
	run_sockets_close(s);
	*s = adopted;
	return 0;
}
