/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this host lacks when an attempt cannot be made, with the kernel's answers in the test's
 * hands.
 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "healthcheck/attempt.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static struct {
	int socket_errno, mark_errno, connect_errno; /* 0: it can be had */
	int family, type;
	unsigned n_sockets, n_closed, n_marks;
	uint32_t mark;
	struct sockaddr_storage to;
} kernel;

static int own_socket(int family, int type, int protocol)
{
	(void)protocol;
	kernel.family = family;
	kernel.type = type;
	errno = kernel.socket_errno;
	kernel.n_sockets += !errno;
	return errno ? -1 : 1000;
}

static int own_setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	assert_int_equal(fd, 1000);
	if (level != SOL_SOCKET || option != SO_MARK)
		return 0;
	assert_int_equal(n, sizeof(kernel.mark));
	memcpy(&kernel.mark, value, n);
	kernel.n_marks++;
	errno = kernel.mark_errno;
	return errno ? -1 : 0;
}

static int own_connect(int fd, const struct sockaddr *to, socklen_t n)
{
	assert_int_equal(fd, 1000);
	memcpy(&kernel.to, to, n);
	errno = kernel.connect_errno;
	return errno ? -1 : 0;
}

static int own_close(int fd)
{
	assert_int_equal(fd, 1000);
	kernel.n_closed++;
	return 0;
}

/* A descriptor that is never ready to be written to. */
static int open_silent(int *other)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*other = ends[1];
	return ends[0];
}

static void close_both(int a, int b)
{
	__real_close(a);
	__real_close(b);
}

static struct attempt_spec spec_of(const char *address, uint32_t mark)
{
	struct attempt_spec spec = { .port = 8080, .mark = mark };

	assert_int_equal(addr_parse(address, &spec.address), 0);
	return spec;
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

/*
 * The same errno comes from routers by ICMP, and from our own routes: a socket that asks for the
 * route tells them apart.
 */
static void whose_word_it_is_that_there_is_no_way(void **state)
{
	static const struct {
		int socket_errno, mark_errno, connect_errno;
		uint32_t mark;
		enum health_reason why;
	} cases[] = {
		{ 0, 0, 0, 0, HEALTH_REASON_UNREACHABLE },
		{ 0, 0, ENETUNREACH, 0, HEALTH_REASON_LOCAL },
		{ 0, 0, 0, 7, HEALTH_REASON_UNREACHABLE },
		{ 0, 0, EHOSTUNREACH, 7, HEALTH_REASON_LOCAL },
		{ 0, EPERM, 0, 7, HEALTH_REASON_LOCAL },
		{ 0, EPERM, 0, 0, HEALTH_REASON_UNREACHABLE }, /* it is not marked */
		{ EMFILE, 0, 0, 0, HEALTH_REASON_LOCAL },      /* it cannot be asked */
	};
	static const char *const addresses[] = { "192.0.2.7", "2001:db8::7" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int six = 0; six < 2; six++) {
			const struct attempt_spec spec = spec_of(addresses[six], cases[i].mark);

			setup(state);
			kernel.socket_errno = cases[i].socket_errno;
			kernel.mark_errno = cases[i].mark_errno;
			kernel.connect_errno = cases[i].connect_errno;
			assert_int_equal(attempt_reason_of_errno(&spec, EHOSTUNREACH),
			                 cases[i].why);
			assert_int_equal(kernel.n_closed, kernel.n_sockets);
			assert_int_equal(kernel.family, six ? AF_INET6 : AF_INET);
			assert_int_equal(kernel.type & SOCK_DGRAM, SOCK_DGRAM);
			assert_int_equal(kernel.n_marks, cases[i].mark && !cases[i].socket_errno);
			assert_int_equal(kernel.mark, kernel.n_marks ? cases[i].mark : 0);
		}
}

static void each_want_of_means_is_known_as_one(void **state)
{
	static const struct {
		int socket_errno;
		bool lacked;
	} cases[] = {
		{ 0, false },     { EMFILE, true },        { ENFILE, true },  { ENOBUFS, true },
		{ ENOMEM, true }, { EAFNOSUPPORT, false }, { EACCES, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct attempt_spec four = spec_of("192.0.2.7", 0),
		                          six = spec_of("2001:db8::7", 0);

		setup(state);
		kernel.socket_errno = cases[i].socket_errno;
		assert_int_equal(attempt_lacked(&four, ENETUNREACH), cases[i].lacked);
		assert_int_equal(kernel.family, AF_INET);
		assert_int_equal(attempt_lacked(&six, ENETUNREACH), cases[i].lacked);
		assert_int_equal(kernel.family, AF_INET6);
		assert_int_equal(kernel.n_closed, kernel.n_sockets);
	}
}

static void a_socket_that_cannot_be_set_is_given_back(void **state)
{
	const struct attempt_spec spec = spec_of("192.0.2.7", 7);

	(void)state;
	kernel.mark_errno = EPERM;
	assert_int_equal(attempt_socket(&spec), -EPERM);
	assert_int_equal(kernel.n_closed, 1);
	kernel.mark_errno = 0;
	kernel.socket_errno = ENFILE;
	assert_int_equal(attempt_socket(&spec), -ENFILE);
	assert_int_equal(kernel.n_closed, 1);
	kernel.socket_errno = 0;
	assert_int_equal(attempt_socket(&spec), 1000);
	assert_int_equal(kernel.mark, 7);
}

static void what_is_known_at_once_is_said_with_its_errno(void **state)
{
	static const struct {
		int connect_errno;
		enum health_reason why;
	} cases[] = {
		{ 0, HEALTH_REASON_OK },
		{ ECONNREFUSED, HEALTH_REASON_REFUSED },
		{ EADDRNOTAVAIL, HEALTH_REASON_LOCAL },
		{ ENETUNREACH, HEALTH_REASON_LOCAL },
	};
	const struct attempt_spec spec = spec_of("192.0.2.7", 0);
	struct prober p = { 0 };
	struct attempt a = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sockaddr_in *to = (const void *)&kernel.to;
		unsigned detail = 99;

		kernel.connect_errno = cases[i].connect_errno;
		assert_int_equal(attempt_start(&p, &a, &spec, NULL, NULL, &detail), cases[i].why);
		assert_int_equal(detail, cases[i].connect_errno);
		assert_int_equal(kernel.n_closed, kernel.n_sockets);
		assert_int_equal(p.n_active, 0);
		assert_false(a.active);
		assert_int_equal(ntohs(to->sin_port), 8080);
		assert_false(attempt_poll(&a));
		attempt_abort(&a); /* nothing is under way */
		assert_int_equal(p.n_active, 0);
	}
	unsigned detail = 99;

	p.n_active = ATTEMPTS_MAX - 1;
	assert_int_equal(attempt_start(&p, &a, &spec, NULL, NULL, &detail), HEALTH_REASON_LOCAL);
	assert_int_equal(detail, ENETUNREACH);
	p.n_active = ATTEMPTS_MAX;
	assert_int_equal(attempt_start(&p, &a, &spec, NULL, NULL, &detail), HEALTH_REASON_LOCAL);
	assert_int_equal(detail, EBUSY);
	kernel.socket_errno = EMFILE;
	p.n_active = 0;
	assert_int_equal(attempt_start(&p, &a, &spec, NULL, NULL, &detail), HEALTH_REASON_LOCAL);
	assert_int_equal(detail, EMFILE);
}

/* A connection that is not there yet is no success. */
static void an_attempt_without_a_result_goes_on(void **state)
{
	const struct attempt_spec spec = spec_of("192.0.2.7", 0);
	struct prober p = { .n_active = 1 };
	int other;
	struct attempt a = { .prober = &p, .spec = &spec, .active = true };

	(void)state;
	a.fd = open_silent(&other);
	assert_false(attempt_poll(&a));
	assert_true(a.active);
	assert_int_equal(p.n_active, 1);
	close_both(a.fd, other);
}

static void marks_take_another_right_on_kernels_before_5_17(void **state)
{
	static const struct {
		const char *release;
		bool admin;
	} cases[] = {
		{ "4.19.0-26-amd64", true }, { "5.0.1", true },   { "5.10.0-28", true },
		{ "5.16.20", true },         { "5.17.0", false }, { "5.18.0", false },
		{ "6.1.0-18", false },       { "6.18.2", false }, { "10.0.0", false },
		{ "nonsense", false },       { "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(attempt_marking_right(cases[i].release),
		                 cases[i].admin ? 1ull << CAP_NET_ADMIN : 0);
}

SUITE(attempt_parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(whose_word_it_is_that_there_is_no_way, setup),
		cmocka_unit_test_setup(each_want_of_means_is_known_as_one, setup),
		cmocka_unit_test_setup(a_socket_that_cannot_be_set_is_given_back, setup),
		cmocka_unit_test_setup(what_is_known_at_once_is_said_with_its_errno, setup),
		cmocka_unit_test(marks_take_another_right_on_kernels_before_5_17),
		cmocka_unit_test_setup(an_attempt_without_a_result_goes_on, setup),
	};

	answer_close = own_close;
	answer_connect = own_connect;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests_name("health attempt parts", tests, NULL, NULL);
}
