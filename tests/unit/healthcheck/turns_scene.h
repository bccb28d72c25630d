/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checker in a time of the test's own, on a kernel of its own: what becomes of connections and of
 * requests to controls is in its hands, so that each step of a round happens at a known millisecond.
 * All else is real: loop, attempts, controls, targets, verdicts, damping and the page.
 */
#ifndef HEALTH_TURNS_SCENE_H
#define HEALTH_TURNS_SCENE_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/icmp.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/page.h"
#include "fixture.h"
#include "healthcheck/checker.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/answers.h"
#include "weir/stats.h"

#define SIM_FDS    1024
#define SIM_STARTS 64

/*
 * What becomes of a path's attempts: after so many ms (-1: nothing, ever; 0: at once), for this
 * reason.
 */
struct script {
	int after_ms[2];
	enum health_reason why[2];
};

/* What travels in an echo. */
struct sim_echo {
	uint64_t magic, sent_ms;
	uint32_t index, pad;
};

enum sim_kind { SIM_OTHERS, SIM_ATTEMPT, SIM_ROUTE, SIM_EAR };

static struct {
	struct loop *loop;
	struct page *page;
	struct {
		enum sim_kind kind;
		uint8_t to;
		uint32_t mark;
		int error;
		uint64_t at_ms; /* when the result comes; UINT64_MAX: never, or it is there */
	} fds[SIM_FDS];
	struct script scripts[256]; /* by the last byte of the address */
	struct {
		unsigned int after_ms, i; /* since START_MS; which attempt */
		uint8_t to;
	} starts[SIM_STARTS];
	unsigned int n_starts, n_asks; /* asks: of the controls, at different times */
	bool answers;                  /* the controls answer what they are asked, at once */
	bool lacked;                   /* what cannot be sent is not for want of means */
	bool narrow;                   /* packets of full size get lost */
	int udp, mouths[2];
	uint64_t magic;
	uint64_t gate_since_ms, gate_cut; /* families of VIPs that probes do not get out to */
	uint64_t count[16], results_by[HEALTH_REASON_COUNT];
	uint64_t times[CHECKER_TIMES], times_ms, n_times;
} sim;

/* What the kernel says of an attempt that ends for @p why. */
static inline int errno_of(enum health_reason why, uint8_t to)
{
	switch (why) {
	case HEALTH_REASON_REFUSED:
		return ECONNREFUSED;
	case HEALTH_REASON_RESET:
		return ECONNRESET;
	case HEALTH_REASON_TIMEOUT:
		return ETIMEDOUT;
	case HEALTH_REASON_UNREACHABLE:
		return EHOSTUNREACH;
	case HEALTH_REASON_LOCAL: /* one errno a path, so that one sees whose it is */
		if (sim.lacked)
			return to == 16 ? ENOMEM : ENOBUFS;
		return to == 16 ? EHOSTUNREACH : ENETUNREACH;
	default:
		return 0;
	}
}

/* A descriptor that nothing comes to, until it is emptied: then it can be written to. */
static int open_full(void)
{
	const uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0 && fd < SIM_FDS);
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
	return fd;
}

static int own_socket(int family, int type, int protocol)
{
	enum sim_kind kind = SIM_OTHERS;
	int fd, ends[2];

	if ((type & 15) == SOCK_STREAM) {
		kind = SIM_ATTEMPT;
		fd = open_full();
	} else if ((type & 15) == SOCK_RAW) {
		kind = SIM_EAR;
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		sim.mouths[family == AF_INET6] = ends[0];
		fd = ends[1];
	} else if (!(type & SOCK_NONBLOCK)) {
		kind = SIM_ROUTE;
		fd = open_full();
	} else {
		return __real_socket(family, type, protocol);
	}
	memset(&sim.fds[fd], 0, sizeof(sim.fds[fd]));
	sim.fds[fd].kind = kind;
	sim.fds[fd].at_ms = UINT64_MAX;
	return fd;
}

static int own_setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	if (!sim.fds[fd].kind)
		return __real_setsockopt(fd, level, option, value, n);
	if (level == SOL_SOCKET && option == SO_MARK)
		memcpy(&sim.fds[fd].mark, value, sizeof(uint32_t));
	return 0;
}

static int own_getsockopt(int fd, int level, int option, void *value, socklen_t *n)
{
	struct tcp_info info = { .tcpi_state = TCP_ESTABLISHED, .tcpi_unacked = sim.narrow };
	int word = level == SOL_SOCKET ? sim.fds[fd].error : 1000; /* or the longest segment */

	if (!sim.fds[fd].kind)
		return __real_getsockopt(fd, level, option, value, n);
	memcpy(value, level != SOL_SOCKET && option == TCP_INFO ? (void *)&info : (void *)&word,
	       *n);
	return 0;
}

static unsigned int count_attempts(uint8_t to, uint32_t mark)
{
	unsigned int n = 0;

	for (int i = 0; i < SIM_FDS; i++)
		n += sim.fds[i].kind == SIM_ATTEMPT && sim.fds[i].to == to &&
		     sim.fds[i].mark == mark;
	return n;
}

static int start_connection(int fd, uint8_t to)
{
	unsigned int i = count_attempts(to, sim.fds[fd].mark);
	const struct script *s = &sim.scripts[to];

	assert_true(sim.n_starts < SIM_STARTS && i < 2);
	sim.starts[sim.n_starts].after_ms = (unsigned int)(simulated.now_ms - START_MS);
	sim.starts[sim.n_starts].to = to;
	sim.starts[sim.n_starts++].i = i;
	sim.fds[fd].to = to;
	sim.fds[fd].error = errno_of(s->why[i], to);
	if (s->after_ms[i] > 0)
		sim.fds[fd].at_ms = simulated.now_ms + (uint64_t)s->after_ms[i];
	errno = s->after_ms[i] ? EINPROGRESS : sim.fds[fd].error;
	return errno ? -1 : 0;
}

static int own_connect(int fd, const struct sockaddr *to, socklen_t n)
{
	const struct script *s;
	struct addr a;

	if (!sim.fds[fd].kind)
		return __real_connect(fd, to, n);
	assert_int_equal(addr_from_sockaddr(to, &a, NULL), 0);
	if (sim.fds[fd].kind == SIM_ATTEMPT)
		return start_connection(fd, a.bytes[15]);
	s = &sim.scripts[a.bytes[15]]; /* the route is asked for */
	errno = ENETUNREACH;
	return s->why[0] == HEALTH_REASON_LOCAL || s->why[1] == HEALTH_REASON_LOCAL ? -1 : 0;
}

static int own_close(int fd)
{
	if (fd >= 0 && fd < SIM_FDS)
		sim.fds[fd].kind = SIM_OTHERS;
	return __real_close(fd);
}

static uint64_t sim_next(void)
{
	uint64_t at_ms = UINT64_MAX;

	for (int i = 0; i < SIM_FDS; i++)
		if (sim.fds[i].kind == SIM_ATTEMPT && sim.fds[i].at_ms < at_ms)
			at_ms = sim.fds[i].at_ms;
	return at_ms;
}

static void sim_come(void)
{
	uint64_t all;

	for (int i = 0; i < SIM_FDS; i++) {
		if (sim.fds[i].kind != SIM_ATTEMPT || sim.fds[i].at_ms > simulated.now_ms)
			continue;
		sim.fds[i].at_ms = UINT64_MAX;
		assert_int_equal(read(i, &all, sizeof(all)), sizeof(all));
	}
}

static int own_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	sim_come();
	return __real_poll(fds, n, timeout_ms);
}

/* Control @p index answers @p p: the reflector, or one outside, whose address recvfrom() gives. */
static void send_echo(const struct sim_echo *p)
{
	struct __attribute__((packed)) {
		uint8_t ip[20];
		struct icmphdr h;
		struct sim_echo p;
	} packet = { .ip = { 0x45 },
		     .h = { .type = ICMP_ECHOREPLY, .un.echo.id = (uint16_t)getpid() },
		     .p = *p };

	if (p->index)
		assert_int_equal(__real_send(sim.mouths[0], &packet, sizeof(packet), 0),
		                 sizeof(packet));
	else
		assert_int_equal(__real_send(sim.udp, p, sizeof(*p), 0), sizeof(*p));
}

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	struct sim_echo p;

	(void)flags;
	if (sim.fds[fd].kind == SIM_ATTEMPT)
		return (ssize_t)n;
	assert_int_equal(n, sizeof(p));
	memcpy(&p, bytes, sizeof(p));
	sim.udp = fd;
	sim.magic = p.magic;
	sim.n_asks++;
	if (sim.answers)
		send_echo(&p);
	return (ssize_t)n;
}

static ssize_t own_sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                          socklen_t size)
{
	struct sim_echo p;

	(void)fd, (void)flags, (void)size;
	memcpy(&p, (const uint8_t *)bytes + sizeof(struct icmphdr), sizeof(p));
	if (sim.answers && to->sa_family == AF_INET)
		send_echo(&p);
	return (ssize_t)n;
}

/* It is 203.0.113.1 that answers. */
static ssize_t own_recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                            socklen_t *size)
{
	const struct sockaddr_in outside = { .sin_family = AF_INET,
		                             .sin_addr.s_addr = htonl(0xcb007101) };

	memcpy(from, &outside, sizeof(outside));
	*size = sizeof(outside);
	return recv(fd, bytes, n, flags);
}

static struct checker checker;

/* Let all happen until @p after_ms after the start, that millisecond included. */
static inline void run_to(unsigned int after_ms)
{
	simulate_to(sim.loop, START_MS + after_ms);
}

static inline unsigned int since_start(void)
{
	return (unsigned int)(simulated.now_ms - START_MS);
}

/* The process is held up: nothing happens for @p ms. */
static inline void stall_process(unsigned int ms)
{
	simulated.now_ms += ms;
	simulated.held_up = true;
}

/* All controls answer now what was sent at @p sent_ms. */
static inline void answer_asked(uint64_t sent_ms)
{
	for (uint32_t i = 0; i < (controls_have_outside(checker.controls) ? 2 : 1); i++)
		send_echo(&(struct sim_echo){ .magic = sim.magic, .sent_ms = sent_ms, .index = i });
	run_to(since_start());
}

/* Whether there is a control outside, which @p is. */
static inline void set_outside(bool is)
{
	struct addr outside;

	assert_int_equal(addr_parse("203.0.113.1", &outside), 0);
	controls_set(checker.controls, &outside, is);
}

static inline void set_script(uint8_t last_byte, int first_ms, enum health_reason first,
                              int second_ms, enum health_reason second)
{
	sim.scripts[last_byte] = (struct script){ { first_ms, second_ms }, { first, second } };
}

static void count_probes(struct checker_counters *w)
{
	uint64_t **const counters[] = { &w->probes,    &w->attempts,     &w->late,
		                        &w->unready,   &w->uncontrolled, &w->turned_down,
		                        &w->turned_up, &w->lateness_ms };

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counters[i] = &sim.count[i];
	for (int i = 0; i < HEALTH_REASON_COUNT; i++)
		w->results[i] = &sim.results_by[i];
	for (int i = 0; i < CHECKER_TIMES; i++)
		w->times[i] = &sim.times[i];
	w->times_ms = &sim.times_ms;
	w->n_times = &sim.n_times;
}

#define OUTSIDE "\"203.0.113.1\""

/* A checker that has taken the document with @p check; everything answers after 1 ms. */
static inline void open_checker(const char *check, const struct saved_word *saved, size_t n_saved)
{
	for (int i = 0; i < 256; i++)
		set_script((uint8_t)i, 1, HEALTH_REASON_OK, 1, HEALTH_REASON_OK);
	assert_int_equal(checker_open(&checker, sim.loop, sim.page, NULL), 0);
	count_probes(&checker.counters);
	checker.gate = (struct gate){ .since_ms = &sim.gate_since_ms, .families = &sim.gate_cut };
	assert_int_equal(
	        checker_apply_model(&checker, fixture_model(check, 7080, OUTSIDE), saved, n_saved),
	        0);
}

static inline struct target *find_target(const char *backend)
{
	const struct model_pool *pool = model_pool(checker.targets->model, "web");

	return targets_find(checker.targets,
	                    health_target_backend("web", model_backend(pool, backend)->id));
}

static inline struct target *vip_target(void)
{
	return targets_find(checker.targets, health_target_service("web", "fra", true));
}

/* The word of @p t as others read it. */
static inline health_word read_health_word(const struct target *t)
{
	return health_read(page_payload(sim.page), t->page_index);
}

static inline void probe_at(struct target *t, uint64_t due_ms)
{
	t->due_ms = due_ms;
	assert_int_equal(loop_timer_set(sim.loop, &t->timer, due_ms), 0);
}

/* From now on only @p t is probed, and it is due. */
static inline void probe_only(struct target *t)
{
	for (size_t i = 0; i < checker.targets->n; i++) {
		struct target *x = &checker.targets->items[i];

		for (uint32_t k = 0; k < 2 * x->n_paths; k++)
			attempt_abort(&x->paths[k / 2].attempts[k % 2]);
		loop_timer_cancel(sim.loop, &x->timer);
		x->phase = TARGET_IDLE;
	}
	probe_at(t, simulated.now_ms);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum counts { PROBES, ATTEMPTS, LATE, UNREADY, UNCONTROLLED, DOWN, UP, LATENESS };

/* A round of @p t, which begins now, and what follows within @p ms. */
static inline void make_round(struct target *t, unsigned int ms)
{
	probe_only(t);
	run_to(since_start() + ms);
}

static inline int turns_setup(void **state)
{
	(void)state;
	memset(&sim, 0, sizeof(sim));
	memset(&simulated, 0, sizeof(simulated));
	simulated.now_ms = START_MS;
	simulated.next = sim_next;
	simulated.come = sim_come;
	return loop_open(&sim.loop) ||
	       page_create(fixture_path("page"), HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                   sizeof(struct health_page), &sim.page);
}

static inline int turns_teardown(void **state)
{
	(void)state;
	if (checker.loop) {
		checker_close(&checker);
		close(sim.mouths[0]);
		close(sim.mouths[1]);
	}
	memset(&checker, 0, sizeof(checker));
	loop_close(sim.loop);
	page_close(sim.page);
	return unlink(fixture_path("page"));
}

#endif
