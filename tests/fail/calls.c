/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands before libc and libmnl in a test's program: each function here fails when it is its turn
 * (calls.h), and else does what the library's does. Only functions of the system are here, never
 * Weir's own: what is tested is the product as it is.
 */
#include "tests/fail/calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

static struct {
	const char *name; /* NULL: none fails */
	unsigned nth, n, n_failed;
	int how;
	bool always;
} plan;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void calls_fail(const char *name, unsigned nth, int how, bool always)
{
	pthread_mutex_lock(&lock);
	plan.name = name;
	plan.nth = nth;
	plan.how = how;
	plan.always = always;
	plan.n = plan.n_failed = 0;
	pthread_mutex_unlock(&lock);
}

unsigned calls_end(void)
{
	pthread_mutex_lock(&lock);
	plan.name = NULL;
	pthread_mutex_unlock(&lock);
	return plan.n_failed;
}

/* Whether this call of @p name is one that fails; errno is set then. */
static bool is_turn(const char *name, bool is_answer)
{
	bool fails = false;

	pthread_mutex_lock(&lock);
	if (plan.name && !strcmp(plan.name, name) && (plan.how < 0) == is_answer) {
		plan.n++;
		fails = plan.n == plan.nth || (plan.always && plan.n > plan.nth);
		plan.n_failed += fails;
	}
	pthread_mutex_unlock(&lock);
	if (fails && !is_answer)
		errno = plan.how;
	return fails;
}

static void *find_real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
	*(void **)&real = find_real(#name)

/* A function that returns @p failed when it fails. */
#define CALL(type, name, failed, parameters, arguments)                                            \
	type name parameters                                                                       \
	{                                                                                          \
		REAL(name);                                                                        \
		return is_turn(#name, false) ? (failed) : real arguments;                          \
	}

CALL(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode))
CALL(FILE *, setmntent, NULL, (const char *path, const char *mode), (path, mode))
CALL(DIR *, opendir, NULL, (const char *path), (path))
CALL(int, statfs, -1, (const char *path, struct statfs *out), (path, out))
CALL(int, fstatfs, -1, (int fd, struct statfs *out), (fd, out))
CALL(ssize_t, write, -1, (int fd, const void *bytes, size_t n), (fd, bytes, n))
CALL(ssize_t, read, -1, (int fd, void *bytes, size_t n), (fd, bytes, n))
CALL(ssize_t, pwrite, -1, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
CALL(int, fsync, -1, (int fd), (fd))
CALL(int, rename, -1, (const char *from, const char *to), (from, to))
CALL(int, link, -1, (const char *from, const char *to), (from, to))
CALL(int, symlink, -1, (const char *from, const char *to), (from, to))
CALL(int, unlink, -1, (const char *path), (path))
CALL(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
CALL(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
CALL(int, ftruncate, -1, (int fd, off_t n), (fd, n))
CALL(int, socket, -1, (int family, int type, int protocol), (family, type, protocol))
CALL(int, connect, -1, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
CALL(ssize_t, send, -1, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags))
CALL(ssize_t, recv, -1, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags))
CALL(int, eventfd, -1, (unsigned n, int flags), (n, flags))
CALL(int, epoll_ctl, -1, (int epoll, int what, int fd, struct epoll_event *event),
     (epoll, what, fd, event))
CALL(struct mnl_socket *, mnl_socket_open2, NULL, (int bus, int flags), (bus, flags))
CALL(int, mnl_socket_bind, -1, (struct mnl_socket * s, unsigned groups, pid_t pid),
     (s, groups, pid))

int open(const char *path, int flags, ...)
{
	va_list list;
	REAL(open);

	va_start(list, flags);
	mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
	va_end(list);
	return is_turn("open", false) ? -1 : real(path, flags, mode);
}

/* The descriptor is closed all the same, as Linux does. */
int close(int fd)
{
	REAL(close);
	bool fails = is_turn("close", false);
	int result = real(fd);

	if (!fails)
		return result;
	errno = plan.how;
	return -1;
}

int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	REAL(pthread_create);
	return is_turn("pthread_create", false) ? plan.how : real(id, attributes, run, arg);
}

/* Without a family the kernel answers as if no family had been named (rtnl_dump_all() in Linux). */
ssize_t mnl_socket_sendto(const struct mnl_socket *s, const void *request, size_t n)
{
	const struct nlmsghdr *head = request;
	char copy[1024];
	REAL(mnl_socket_sendto);

	if (is_turn("mnl_socket_sendto", false))
		return -1;
	if (head->nlmsg_type != RTM_GETROUTE || n > sizeof(copy))
		return real(s, request, n);
	memcpy(copy, request, n);
	struct rtmsg *m = mnl_nlmsg_get_payload((struct nlmsghdr *)(void *)copy);
	if (m->rtm_family == AF_INET6 && plan.how == CALLS_NO_FAMILY &&
	    is_turn("mnl_socket_sendto", true))
		m->rtm_family = AF_UNSPEC;
	return real(s, copy, n);
}

/* The last message of an answer is marked, as the kernel does when it finds another generation. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *s, void *answer, size_t size)
{
	REAL(mnl_socket_recvfrom);
	if (is_turn("mnl_socket_recvfrom", false))
		return -1;
	ssize_t n = real(s, answer, size);
	int left = (int)n;
	struct nlmsghdr *h = answer;
	bool is_dump = n > 0 && mnl_nlmsg_ok(h, left) && h->nlmsg_flags & NLM_F_MULTI;

	if (!is_dump || plan.how != CALLS_INTERRUPTED || !is_turn("mnl_socket_recvfrom", true))
		return n;
	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		h->nlmsg_flags |= NLM_F_DUMP_INTR;
	return n;
}
