/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection: its socket, what its errors say of the target, and that nothing of it is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "healthcheck/attempt.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int get_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &n), 0);
	return value;
}

static bool is_reset(int fd)
{
	struct linger l = { 0 };
	socklen_t n = sizeof(l);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &n), 0);
	return l.l_onoff && !l.l_linger;
}

static void a_marked_socket_goes_no_further_than_the_next_host(void **state)
{
	static const char *const addresses[] = { "203.0.113.10", "2001:db8::10" };

	(void)state;
	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct attempt_spec spec = { .address = addr_at(addresses[ip6]), .port = 80 };
		int fd = attempt_socket(&spec);

		assert_true(fd >= 0);
		assert_int_equal(get_option(fd, SOL_SOCKET, SO_MARK), 0);
		assert_true(ip6 ? get_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS) > 1
		                : get_option(fd, IPPROTO_IP, IP_TTL) > 1);
		assert_true(is_reset(fd)); /* TCP alone leaves no TIME_WAIT */
		close(fd);
		spec.is_http = true;
		fd = attempt_socket(&spec);
		assert_false(is_reset(fd)); /* direct HTTP closes as clients do */
		close(fd);
		spec.mark = 0x57000001;
		fd = attempt_socket(&spec);
		assert_int_equal(get_option(fd, SOL_SOCKET, SO_MARK), 0x57000001);
		assert_int_equal(ip6 ? get_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS)
		                     : get_option(fd, IPPROTO_IP, IP_TTL),
		                 1);
		assert_true(is_reset(fd));
		close(fd);
	}
}

static void without_the_right_to_mark_there_is_no_socket_and_none_is_left(void **state)
{
	const struct attempt_spec spec = { .address = addr_at("203.0.113.10"),
		                           .port = 80,
		                           .mark = 5 };
	int end;

	(void)state;
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		unsigned before = count_descriptors();

		if (setresuid(65534, 65534, 65534))
			_exit(2);
		for (int i = 0; i < 3; i++)
			if (attempt_socket(&spec) != -EPERM)
				_exit(3);
		_exit(count_descriptors() == before ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_int_equal(WEXITSTATUS(end), 0);
}

static void errors_of_our_own_host_say_nothing_of_the_target(void **state)
{
	static const struct {
		int error;
		enum health_reason suggest, far; /* with a route to it, without */
	} rows[] = {
		{ ECONNREFUSED, HEALTH_REASON_REFUSED, HEALTH_REASON_REFUSED },
		{ ECONNRESET, HEALTH_REASON_RESET, HEALTH_REASON_RESET },
		{ EPIPE, HEALTH_REASON_RESET, HEALTH_REASON_RESET },
		{ ETIMEDOUT, HEALTH_REASON_TIMEOUT, HEALTH_REASON_TIMEOUT },
		{ EHOSTUNREACH, HEALTH_REASON_UNREACHABLE, HEALTH_REASON_LOCAL },
		{ EHOSTDOWN, HEALTH_REASON_UNREACHABLE, HEALTH_REASON_LOCAL },
		{ ENETUNREACH, HEALTH_REASON_UNREACHABLE, HEALTH_REASON_LOCAL },
		{ EACCES, HEALTH_REASON_UNREACHABLE, HEALTH_REASON_LOCAL },
		{ ENOPROTOOPT, HEALTH_REASON_UNREACHABLE, HEALTH_REASON_LOCAL },
		{ EMFILE, HEALTH_REASON_LOCAL, HEALTH_REASON_LOCAL },
		{ ENOBUFS, HEALTH_REASON_LOCAL, HEALTH_REASON_LOCAL },
		{ EADDRNOTAVAIL, HEALTH_REASON_LOCAL, HEALTH_REASON_LOCAL },
		{ EPERM, HEALTH_REASON_LOCAL, HEALTH_REASON_LOCAL },
	};
	const struct attempt_spec suggest = { .address = addr_at("127.0.0.5"), .port = 80 };
	const struct attempt_spec far = { .address = addr_at("198.51.100.1"), .port = 80 };
	const struct attempt_spec far6 = { .address = addr_at("2001:db8:9::1"), .port = 80 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(attempt_reason_of_errno(&suggest, rows[i].error), rows[i].suggest);
		assert_int_equal(attempt_reason_of_errno(&far, rows[i].error), rows[i].far);
		assert_int_equal(attempt_reason_of_errno(&far6, rows[i].error), rows[i].far);
	}
}

static void no_way_is_told_from_no_means(void **state)
{
	static const struct {
		unsigned detail;
		bool lacked4, lacked6;
	} rows[] = {
		{ EMFILE, true, true },         { ENFILE, true, true },
		{ ENOBUFS, true, true },        { ENOMEM, true, true },
		{ EBUSY, true, true },          { 0, true, true },
		{ EADDRNOTAVAIL, true, false }, /* of IPv6: no address to send from */
		{ ENETUNREACH, false, false },  { EHOSTUNREACH, false, false },
		{ EACCES, false, false },       { EAFNOSUPPORT, false, false },
	};
	const struct attempt_spec far = { .address = addr_at("198.51.100.1"), .port = 80 };
	const struct attempt_spec far6 = { .address = addr_at("2001:db8:9::1"), .port = 80 };
	struct rlimit before, none;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(attempt_lacked(&far, rows[i].detail), rows[i].lacked4);
		assert_int_equal(attempt_lacked(&far6, rows[i].detail), rows[i].lacked6);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(attempt_lacked(&far, ENETUNREACH)); /* by whose route nobody can say */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static struct {
	struct loop *loop;
	struct prober prober;
	struct attempt attempt;
	enum health_reason why;
	unsigned detail, n_calls;
} run;

static void on_end(void *arg, struct attempt *a, enum health_reason why, unsigned detail)
{
	(void)arg;
	assert_ptr_equal(a, &run.attempt);
	run.why = why;
	run.detail = detail;
	run.n_calls++;
	loop_stop(run.loop);
}

static void on_time(void *arg)
{
	loop_stop(arg);
}

/* @return what is known at once, else what comes of it */
static enum health_reason run_attempt(const struct attempt_spec *spec)
{
	struct loop_timer most = { .cb = on_time, .arg = run.loop };
	enum health_reason why;

	run.attempt = (struct attempt){ 0 };
	why = attempt_start(&run.prober, &run.attempt, spec, on_end, NULL, &run.detail);
	if (why != HEALTH_REASON_NONE)
		return why;
	assert_int_equal(run.prober.n_active, 1);
	loop_timer_set(run.loop, &most, clock_mono_ms() + 10000);
	assert_int_equal(loop_run(run.loop), 0);
	loop_timer_cancel(run.loop, &most);
	return run.why;
}

static void what_has_ended_is_no_longer_counted(void **state)
{
	struct attempt_spec spec = { .address = addr_at("127.0.0.5"), .port = 7081 };
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(&spec.address, 7081, &at);
	unsigned n_descriptors;
	int fd;

	(void)state;
	assert_int_equal(loop_open(&run.loop), 0);
	assert_int_equal(prober_open(&run.prober, run.loop), 0);
	n_descriptors = count_descriptors();
	assert_int_equal(run_attempt(&spec), HEALTH_REASON_REFUSED);
	assert_int_equal(run.detail, ECONNREFUSED);
	spec.address = addr_at("198.51.100.1");
	assert_int_equal(run_attempt(&spec), HEALTH_REASON_LOCAL); /* no route */
	assert_int_equal(run.detail, ENETUNREACH);
	spec.address = addr_at("127.0.0.5");
	assert_int_equal(run.prober.n_active, 0);
	assert_int_equal(count_descriptors(), n_descriptors);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n) || listen(fd, 64), 0);
	assert_int_equal(run_attempt(&spec), HEALTH_REASON_OK);
	assert_int_equal(run.prober.n_active, 0);
	run.prober.n_active = ATTEMPTS_MAX;
	run.detail = 0;
	assert_int_equal(run_attempt(&spec), HEALTH_REASON_LOCAL); /* one more than can be */
	assert_int_equal(run.detail, EBUSY);
	assert_int_equal(run.prober.n_active, ATTEMPTS_MAX);
	run.prober.n_active = 0;
	run.n_calls = 0;
	run.attempt = (struct attempt){ 0 };
	assert_int_equal(attempt_start(&run.prober, &run.attempt, &spec, on_end, NULL, &run.detail),
	                 HEALTH_REASON_NONE);
	attempt_abort(&run.attempt);
	attempt_abort(&run.attempt); /* it is over already */
	assert_int_equal(run.prober.n_active, 0);
	assert_int_equal(run.n_calls, 0);
	assert_int_equal(attempt_start(&run.prober, &run.attempt, &spec, on_end, NULL, &run.detail),
	                 HEALTH_REASON_NONE);
	for (int i = 0; i < 500 && !attempt_poll(&run.attempt); i++)
		usleep(10000);
	assert_int_equal(run.n_calls, 1);
	assert_int_equal(run.why, HEALTH_REASON_OK);
	assert_false(attempt_poll(&run.attempt));
	close(fd);
	assert_int_equal(count_descriptors(), n_descriptors);
	prober_close(&run.prober);
	loop_close(run.loop);
}

/* A server on loopback; with @p most, packets with more behind their IP header do not get through. */
static int listen_within(const struct attempt_spec *spec, uint32_t most)
{
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		                      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, most, 0, 1),
		                      BPF_STMT(BPF_RET | BPF_K, 0),
		                      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX) };
	const struct sock_fprog filter = { .len = 4, .filter = code };
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(&spec->address, spec->port, &at);
	int one = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n) || listen(fd, 64), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), 0);
	return fd;
}

/* What it means that an attempt gets no result in half a second. */
static enum health_reason try_silence(const struct attempt_spec *spec)
{
	struct loop_timer most = { .cb = on_time, .arg = run.loop };
	struct attempt both[2] = { { .fd = -1 }, { .fd = -1 } };
	enum health_reason why;

	run.n_calls = 0;
	run.attempt = (struct attempt){ 0 };
	assert_int_equal(attempt_start(&run.prober, &run.attempt, spec, on_end, NULL, &run.detail),
	                 HEALTH_REASON_NONE);
	loop_timer_set(run.loop, &most, clock_mono_ms() + 500);
	assert_int_equal(loop_run(run.loop), 0);
	assert_int_equal(run.n_calls, 0);
	both[1] = run.attempt; /* the second of a path counts like the first */
	why = attempt_silence(both);
	attempt_abort(&run.attempt);
	both[0] = both[1] = run.attempt;
	assert_int_equal(attempt_silence(both), HEALTH_REASON_TIMEOUT);
	return why;
}

static void a_way_for_small_packets_alone_is_found_by_every_kind_of_check(void **state)
{
	static const char *const addresses[] = { "127.0.0.5", "::1" };
	static const uint16_t sizes[] = { 1280, 1452, 1480, 8980 };

	(void)state;
	assert_int_equal(loop_open(&run.loop), 0);
	assert_int_equal(prober_open(&run.prober, run.loop), 0);
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct attempt_spec spec = {
			.address = addr_at(addresses[i % 2]), .port = 7082, .path = "/", .host = ""
		};
		uint32_t headers = i % 2 ? 40 : 20; /* of IP: filters see TCP's */

		spec.full_size = sizes[i / 2];
		int fd = listen_within(&spec, spec.full_size - headers);
		assert_int_equal(run_attempt(&spec), HEALTH_REASON_OK);
		close(fd);
		fd = listen_within(&spec, spec.full_size - headers - 1u);
		assert_int_equal(try_silence(&spec), HEALTH_REASON_FULL_SIZE);
		spec.is_http = true;
		assert_int_equal(try_silence(&spec), HEALTH_REASON_FULL_SIZE);
		spec.is_http = false;
		spec.full_size = 0;
		assert_int_equal(run_attempt(&spec), HEALTH_REASON_OK); /* small ones pass */
		spec.is_http = true;
		assert_int_equal(try_silence(&spec),
		                 HEALTH_REASON_TIMEOUT); /* it is the server that is silent */
		close(fd);
	}
	assert_int_equal(run.prober.n_active, 0);
	prober_close(&run.prober);
	loop_close(run.loop);
}

SUITE(attempt)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_marked_socket_goes_no_further_than_the_next_host),
		cmocka_unit_test(without_the_right_to_mark_there_is_no_socket_and_none_is_left),
		cmocka_unit_test(errors_of_our_own_host_say_nothing_of_the_target),
		cmocka_unit_test(no_way_is_told_from_no_means),
		cmocka_unit_test(what_has_ended_is_no_longer_counted),
		cmocka_unit_test(a_way_for_small_packets_alone_is_found_by_every_kind_of_check),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run("echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");
	return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}
