/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor in reserve, and threads that may not have started. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/spare.h"
#include "base/thread.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What accept4() answers, call by call: a descriptor, or -errno. */
static int answers[2];
static unsigned n_accepted;

static int own_accept4(int fd, struct sockaddr *at, socklen_t *n, int flags)
{
	int answer = answers[n_accepted++];

	assert_int_equal(fd, 77);
	assert_true(!at && !n);
	assert_int_equal(flags, SOCK_CLOEXEC | SOCK_NONBLOCK);
	errno = answer < 0 ? -answer : 0;
	return answer < 0 ? -1 : answer;
}

/* The lowest number that is free: more are open, or fewer. */
static int next_number(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static const struct {
	const char *why;
	int answers[2];
	bool in_use; /* the reserve is out already */
	unsigned n_accepted;
	int result;
	bool kept; /* the reserve, afterwards */
} cases[] = {
	{ "there are enough", { 9, 0 }, false, 1, 9, true },
	{ "the first number of all", { 0, 0 }, false, 1, 0, true },
	{ "none waits", { -EAGAIN, 0 }, false, 1, -EAGAIN, true },
	{ "the peer has gone", { -ECONNABORTED, 0 }, false, 1, -ECONNABORTED, true },
	{ "a signal came", { -EINTR, 0 }, false, 1, -EINTR, true },
	{ "the process has no more", { -EMFILE, 9 }, false, 2, 9, false },
	{ "the system has no more", { -ENFILE, 9 }, false, 2, 9, false },
	{ "no room for buffers", { -ENOBUFS, 9 }, false, 2, 9, false },
	{ "no memory", { -ENOMEM, 0 }, false, 2, 0, false },
	{ "the reserve does not help", { -ENFILE, -ENFILE }, false, 2, -EMFILE, true },
	{ "it has gone meanwhile", { -EMFILE, -EAGAIN }, false, 2, -EAGAIN, true },
	{ "the reserve is in use", { -EMFILE, 9 }, true, 1, -EMFILE, false },
	{ "the system's, the reserve in use", { -ENFILE, 9 }, true, 1, -EMFILE, false },
	{ "in use, and none waits", { -EAGAIN, 0 }, true, 1, -EAGAIN, false },
};

static void a_connection_is_taken_with_the_reserve_s_number(void **state)
{
	int before = next_number();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spare s;

		print_message("  %s\n", cases[i].why);
		spare_open(&s);
		assert_int_equal(s.fd, before);
		assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
		if (cases[i].in_use)
			spare_close(&s);
		answers[0] = cases[i].answers[0];
		answers[1] = cases[i].answers[1];
		n_accepted = 0;
		assert_int_equal(spare_accept(&s, 77), cases[i].result);
		assert_int_equal(n_accepted, cases[i].n_accepted);
		assert_int_equal(s.fd >= 0, cases[i].kept);
		assert_int_equal(next_number(), before + cases[i].kept);
		spare_fill(&s);
		assert_true(s.fd >= 0);
		spare_fill(&s); /* there is one: nothing to do */
		spare_close(&s);
		assert_int_equal(next_number(), before);
		spare_close(&s); /* there is none: nothing either */
		assert_int_equal(s.fd, -1);
	}
}

static void a_reserve_is_made_when_there_is_one_again(void **state)
{
	struct rlimit before, none;
	struct spare s;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)next_number(), before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	spare_open(&s);
	spare_fill(&s);
	int fd = s.fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(fd, -1);
	spare_fill(&s);
	assert_true(s.fd >= 0);
	spare_close(&s);
}

static void *set_flag(void *arg)
{
	usleep(3000); /* the joiner waits by then */
	*(bool *)arg = true;
	return NULL;
}

/* What was joined once, or never ran, is joined again without harm. */
static void a_thread_is_joined_once(void **state)
{
	struct thread t = { 0 };
	bool ran = false;

	(void)state;
	thread_join(&t);
	assert_int_equal(thread_start(&t, set_flag, &ran), 0);
	assert_true(t.runs);
	thread_join(&t);
	assert_true(ran);
	assert_false(t.runs);
	thread_join(&t);
	assert_false(t.runs);
}

SUITE(spare)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_taken_with_the_reserve_s_number),
		cmocka_unit_test(a_reserve_is_made_when_there_is_one_again),
		cmocka_unit_test(a_thread_is_joined_once),
	};

	answer_accept4 = own_accept4;
	return cmocka_run_group_tests_name("spare", tests, NULL, NULL);
}
