/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/listen.c with real sockets, in a network namespace of the test's own. The crew, the
 * supervisor and the clock are the test's; so are the kernel's errors, the log, and what is read
 * before rights are dropped.
 */
#ifndef WEIR_TESTS_UNIT_DNS_LISTEN_SCENE_H
#define WEIR_TESTS_UNIT_DNS_LISTEN_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/log.h"
#include "base/reuseport.h"
#include "dns/handed.h"
#include "dns/server.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"

#define PORT    5398
#define NO_MORE 16

static uint64_t at_ms;
static unsigned n_crew, n_crew_calls, n_forgotten, n_configured = 1;
static int held[2][NO_MORE]; /* by kind and thread: what the supervisor holds; -1: nothing */
static bool no_threads;
static unsigned n_lacking; /* threads that cannot be started */

static inline uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return at_ms;
}

static inline void fake_crew_set(struct server *s, unsigned n)
{
	n_crew = n;
	n_crew_calls++;
	s->n_threads = no_threads ? 0 : n - n_lacking;
}

static inline int fake_find(const struct addr *address, int type, unsigned k)
{
	int fd = k < NO_MORE ? held[type == SOCK_STREAM][k] : -1;

	return fd >= 0 && handed_is_bound(fd, address, type) ? fd : -ENOENT;
}

static inline void fake_forget(const struct addr *address, int type, unsigned k)
{
	(void)address;
	n_forgotten++;
	close(held[type == SOCK_STREAM][k]);
	held[type == SOCK_STREAM][k] = -1;
}

static int n_allowed; /* CPUs, that the number of threads was chosen for */

static inline unsigned fake_threads(const struct model *m, const cpu_set_t *allowed)
{
	(void)m;
	n_allowed = CPU_COUNT(allowed);
	return n_configured;
}

/* The supervisor's channel, and what comes on it. */
static struct {
	int fd, watched, result;
	unsigned n, n_removed;
} channel;

static inline int fake_channel(void)
{
	return channel.fd;
}

static inline int fake_receive(int fd, unsigned *n)
{
	assert_int_equal(fd, channel.fd);
	*n = channel.n;
	return channel.result;
}

static inline int fake_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	(void)l;
	assert_int_equal(events, EPOLLIN);
	assert_non_null(cb);
	assert_non_null(arg);
	channel.watched = fd;
	return 0;
}

static inline void fake_fd_remove(struct loop *l, int fd)
{
	(void)l;
	assert_int_equal(fd, channel.fd);
	channel.n_removed++;
}

static char logged[2048];

static inline void __attribute__((format(printf, 3, 4)))
fake_log(int level, const char *event, const char *pairs, ...)
{
	size_t at = strlen(logged);
	va_list list;

	at += (size_t)snprintf(logged + at, sizeof(logged) - at, "%d %s ", level, event);
	va_start(list, pairs);
	vsnprintf(logged + at, sizeof(logged) - at, pairs, list);
	va_end(list);
	strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

/* Calls of the kernel's that fail: after so many that do not. */
static struct failure {
	unsigned after;
	int error; /* 0: none */
} bind_fails, steer_fails, affinity_fails;

static inline bool fails_now(struct failure *f)
{
	if (!f->error || f->after-- > 0)
		return false;
	errno = f->error;
	f->error = 0;
	return true;
}

static inline int fake_bind(int fd, const struct sockaddr *to, socklen_t length)
{
	return fails_now(&bind_fails) ? -1 : bind(fd, to, length);
}

static inline int fake_steer(int fd, unsigned n)
{
	return fails_now(&steer_fails) ? -errno : reuseport_steer(fd, n);
}

static inline int fake_affinity(pid_t pid, size_t n, cpu_set_t *out)
{
	return fails_now(&affinity_fails) ? -1 : sched_getaffinity(pid, n, out);
}

static char dropped[256]; /* labels of addresses of which nothing is said any more */

static inline void fake_drop(struct stats *to, const char *name, const char *labels)
{
	assert_non_null(to);
	assert_string_equal(name, STATS_LISTENING);
	snprintf(dropped + strlen(dropped), sizeof(dropped) - strlen(dropped), "%s ", labels);
}

/* What there is before rights are dropped. */
static struct {
	uid_t user;
	const char *held; /* the name of a socket that is handed down, at descriptor 0 */
	int result;
	struct model *model;
	unsigned n_freed;
} early;

static inline uid_t fake_user(void)
{
	return early.user;
}

static inline int fake_listen_fd(const char *name)
{
	return early.held && strcmp(name, early.held) == 0 ? 0 : -ENOENT;
}

static inline int fake_read(const char *path, const char *node, struct model **out,
                            struct model_errors *errors)
{
	(void)errors;
	assert_string_equal(path, "/s/effective.conf");
	assert_string_equal(node, "a");
	if (early.result == 0)
		*out = early.model;
	return early.result;
}

static inline void fake_free(struct model *m)
{
	early.n_freed += m != NULL;
}

/* The private parts too. */
#define log_at                 fake_log
#define stats_drop             fake_drop
#define reuseport_steer        fake_steer
#define sched_getaffinity      fake_affinity
#define geteuid                fake_user
#define proc_listen_fd         fake_listen_fd
#define model_read_without_key fake_read
#define model_free             fake_free
#define bind                   fake_bind
#define loop_now_ms            fake_now
#define loop_fd_add            fake_fd_add
#define loop_fd_remove         fake_fd_remove
#define handed_channel         fake_channel
#define handed_receive         fake_receive
#define workers_set_number     fake_crew_set
#define handed_find            fake_find
#define handed_forget          fake_forget
#define model_dns_threads      fake_threads
#include "dns/listen.c"
#undef bind
#undef geteuid

static struct server s;
static struct proc_dirs dirs = { .state = "/s", .node = "a" };
static struct generation g;
static struct model m;
static struct model_node self;
static struct addr wanted[SERVER_SOCKETS_MAX + 1];
static int n_fds_before;

static inline int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* No address is asked any more. */
static inline void note_answers(void)
{
	for (unsigned i = 0; i < s.n_listens; i++)
		s.listens[i].own.answered = true;
}

static inline struct addr loopback_of(unsigned last)
{
	uint8_t bytes[4] = { 127, 0, 0, (uint8_t)last };

	return addr_from4(bytes);
}

static inline void want_addresses(size_t n)
{
	self.n_dns_listen = n;
}

static inline int set_up(void **state)
{
	(void)state;
	n_fds_before = count_fds();
	memset(&s, 0, sizeof(s));
	memset(held, -1, sizeof(held));
	memset(&early, 0, sizeof(early));
	bind_fails = steer_fails = affinity_fails = (struct failure){ 0 };
	logged[0] = dropped[0] = '\0';
	n_crew = n_crew_calls = n_forgotten = 0;
	n_configured = 1;
	no_threads = false;
	n_lacking = 0;
	at_ms = 100000;
	for (unsigned i = 0; i < SERVER_SOCKETS_MAX + 1; i++)
		wanted[i] = loopback_of(i + 1);
	self = (struct model_node){ .name = "a", .dns_listen = wanted, .n_dns_listen = 2 };
	m = (struct model){ .self = &self };
	g = (struct generation){ .model = &m };
	s.now = &g;
	s.port = PORT;
	s.dirs = &dirs;
	early.model = &m;
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	listen_close(&s);
	assert_int_equal(s.n_listens, 0);
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned k = 0; k < NO_MORE; k++)
			if (held[kind][k] >= 0)
				close(held[kind][k]);
	return count_fds() != n_fds_before;
}

static inline int occupy_port(const struct addr *a, int type)
{
	struct sockaddr_storage to;
	socklen_t n = addr_to_sockaddr(a, PORT, &to);
	int fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&to, n), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* What the supervisor holds: sockets of the first address, that block. */
static inline void hold_sockets(unsigned kind, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		int fd = bind_own(&wanted[0], PORT, kinds[kind], k == 0);

		assert_true(fd >= 0);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		held[kind][k] = fd;
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static inline int enter_space(void **state)
{
	(void)state;
	return space_enter(false);
}

#endif
