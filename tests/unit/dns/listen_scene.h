/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/listen.c with real sockets, in a network namespace of the test's own. Threads do nothing (their plans are
 * counted); the supervisor's descriptors, the clock and the kernel's errors are the test's.
 */
#ifndef WEIR_TESTS_UNIT_DNS_LISTEN_SCENE_H
#define WEIR_TESTS_UNIT_DNS_LISTEN_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/reuseport.h"
#include "dns/handed.h"
#include "dns/server.h"
#include "dns/tcp_internal.h"
#include "tests/unit/answers.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/logged.h"
#include "tests/unit/simulated_time.h"

#define DIR_      "/run/weir-test-listen"
#define PORT      5398u
#define DRAIN_MS  1000u
#define PASSED_MS 60000u
#define AGAIN_MS  5000u
#define NO_MORE   4u

/* Descriptors that the supervisor hands down: UDP and TCP by thread, and its channel. */
#define HELD_FD(kind, k) (3 + (int)(NO_MORE * (kind) + (k)))
#define CHANNEL          (3 + 2 * (int)NO_MORE)
#define HELD_NAMES                                                                                 \
	"dns-udp-0:dns-udp-0-1:dns-udp-0-2:dns-udp-0-3:"                                           \
	"dns-tcp-0:dns-tcp-0-1:dns-tcp-0-2:dns-tcp-0-3"

static const int kinds[2] = { SOCK_DGRAM, SOCK_STREAM };
static bool no_threads;
static unsigned n_lacking; /* UDP threads that cannot be started */
static uid_t user;
static int n_cpus; /* that are allowed; 0: as it is, -1: not known */

/* Calls of the kernel's that fail: after so many that do not. */
static struct failure {
	unsigned after;
	int error; /* 0: none */
} bind_fails, steer_fails;

static inline bool fails_now(struct failure *f)
{
	if (!f->error || f->after-- > 0)
		return false;
	errno = f->error;
	f->error = 0;
	return true;
}

static int own_bind(int fd, const struct sockaddr *to, socklen_t length)
{
	return fails_now(&bind_fails) ? -1 : __real_bind(fd, to, length);
}

static int own_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	return option == SO_ATTACH_REUSEPORT_CBPF && fails_now(&steer_fails)
	               ? -1
	               : __real_setsockopt(fd, level, option, value, length);
}

static uid_t own_geteuid(void)
{
	return user;
}

static int own_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                              void *arg)
{
	const struct dns_worker *w = arg;

	(void)thread;
	(void)attr;
	assert_ptr_equal(run, worker_serve);
	return no_threads || (!w->is_tcp && w->number >= WORKERS_MAX - n_lacking) ? EAGAIN : 0;
}

static int own_pthread_join(pthread_t thread, void **result)
{
	(void)thread;
	(void)result;
	return 0;
}

static int own_sched_getaffinity(pid_t pid, size_t n, cpu_set_t *out)
{
	errno = EINVAL; /* more CPUs than the set has room for */
	if (n_cpus <= 0)
		return n_cpus ? -1 : __real_sched_getaffinity(pid, n, out);
	CPU_ZERO(out);
	for (int i = 0; i < n_cpus; i++)
		CPU_SET(i, out);
	return 0;
}

static struct server s;
static struct proc_dirs dirs = { .state = DIR_, .run = DIR_, .node = "a" };
static struct generation g;
static struct model m;
static struct model_node self;
static struct addr wanted[SERVER_SOCKETS_MAX + 1];
static int n_fds_before;

/* Without those of threads: their loops, and the sockets of their plans. */
static inline int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 2048; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		if (s.workers[i].running)
			n -= 2 + s.workers[i].is_tcp + (int)s.workers[i].next->n;
	return n - (s.loop != NULL);
}

/* How often the first thread got a plan since it was asked. */
static inline unsigned count_plans(void)
{
	uint64_t n = 0;

	return s.workers[0].running && read(s.workers[0].wake, &n, sizeof(n)) > 0 ? (unsigned)n : 0;
}

/* The loop's time is that of now. */
static inline void renew_loop(void)
{
	loop_close(s.loop);
	assert_int_equal(loop_open(&s.loop), 0);
}

static inline void update_listen(void)
{
	renew_loop();
	listen_update(&s);
}

static inline void tick_listen(uint64_t now_ms)
{
	renew_loop();
	listen_tick(&s, now_ms);
}

/* As at the end. */
static inline void close_listen(void)
{
	workers_stop(&s);
	listen_close(&s);
}

static inline const struct server_listen *listen_of(const struct addr *a)
{
	for (unsigned i = 0; i < s.n_listens; i++)
		if (addr_equal(&s.listens[i].address, a))
			return &s.listens[i];
	fail();
	return NULL;
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

/* A supervisor is there; what it holds of sockets lies at its places, else /dev/null. */
static inline void be_supervised(const char *names)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", getpid());
	assert_int_equal(setenv("LISTEN_PID", number, 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", "9", 1), 0);
	assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
}

static inline void empty_places(void)
{
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (int fd = 3; fd <= CHANNEL; fd++)
		if (fd != none)
			assert_int_equal(dup3(none, fd, O_CLOEXEC), fd);
	if (none > CHANNEL)
		close(none);
}

static inline int set_up(void **state)
{
	(void)state;
	empty_places();
	unsetenv("LISTEN_FDNAMES");
	memset(&s, 0, sizeof(s));
	bind_fails = steer_fails = (struct failure){ 0 };
	logged[0] = '\0';
	no_threads = false;
	n_lacking = 0;
	user = 0;
	n_cpus = 0;
	simulated.now_ms += 1000000;
	for (unsigned i = 0; i < SERVER_SOCKETS_MAX + 1; i++)
		wanted[i] = loopback_of(i + 1);
	self = (struct model_node){
		.name = "a", .driver = MODEL_DRIVER_XDP, .dns_listen = wanted, .n_dns_listen = 2
	};
	m = (struct model){ .self = &self, .dns_threads = 1 };
	g = (struct generation){ .model = &m };
	s.now = &g;
	s.port = PORT;
	s.dirs = &dirs;
	s.workers_event = -1;
	n_fds_before = count_fds();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	close_listen();
	assert_int_equal(s.n_listens, 0);
	loop_close(s.loop);
	s.loop = NULL;
	empty_places();
	assert_int_equal(count_fds(), n_fds_before);
	return 0;
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

/* The supervisor holds one more socket of the first address, that blocks. */
static inline void hold_socket(unsigned kind, unsigned k)
{
	struct sockaddr_storage to;
	socklen_t n = addr_to_sockaddr(&wanted[0], PORT, &to);
	int fd = socket(to.ss_family, kinds[kind] | SOCK_CLOEXEC, 0), on = kind == 1;

	be_supervised(HELD_NAMES);
	(void)reuseport_before_bind(fd, k == 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&to, n), 0);
	(void)reuseport_after_bind(fd);
	if (kinds[kind] == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(dup3(fd, HELD_FD(kind, k), O_CLOEXEC), HELD_FD(kind, k));
	close(fd);
}

static inline void hold_sockets(unsigned kind, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		hold_socket(kind, k);
}

static inline bool is_held(unsigned kind, unsigned k)
{
	return handed_is_bound(HELD_FD(kind, k), &wanted[0], kinds[kind]);
}

/* The document that is there before rights are dropped: of node @p name, with these addresses and two threads. */
static inline void write_document(const char *name, const struct addr *listens, size_t n)
{
	char text[ADDR_TEXT_MAX];
	FILE *f = fopen(DIR_ "/" PROC_EFFECTIVE_FILE, "w");

	assert_non_null(f);
	fprintf(f,
	        "effective = { version = \"1\"; digest = \"\"; document = \"7\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"c\"; hash_key_file = \"/k\"; hash_key_id = \"k\"; };\n"
	        "sites = ( { name = \"s\"; } );\n"
	        "nodes = ( { name = \"%s\"; site = \"s\"; ports = ( { interface = \"e\"; } ); "
	        "tunnel_source = [ \"10.0.0.0/24\" ]; dns_listen = [ ",
	        name);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s\"%s\"", i ? ", " : "", addr_text(&listens[i], text));
	fputs(" ]; } );\ndns = { threads = 2; };\n", f);
	assert_int_equal(fclose(f), 0);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static inline int enter_space(void **state)
{
	(void)state;
	return space_enter(false) || (mkdir(DIR_, 0700) && errno != EEXIST);
}

#endif
