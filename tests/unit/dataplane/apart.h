/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK is started once in a process, and keeps what it was started with: so tests, or cases of one, have processes of
 * their own. Includer: setup() and teardown(), which are called in there.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_APART_H
#define WEIR_TESTS_UNIT_DATAPLANE_APART_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state);
static int teardown(void **state);

typedef void apart_case(const void *arg);

static inline void run_apart(apart_case *f, const void *arg)
{
	int end;

	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* or it would go on with the next test */
		assert_int_equal(setup(NULL), 0);
		f(arg);
		assert_int_equal(teardown(NULL), 0);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_int_equal(end, 0);
}

struct apart_test {
	void (*f)(void **state);
};

static inline void call_test(const void *arg)
{
	((const struct apart_test *)arg)->f(NULL);
}

static inline void run_test_apart(void **state)
{
	run_apart(call_test, *state);
}

/* A test in a process of its own. */
#define APART(f)                                                                                   \
	{                                                                                          \
#f, run_test_apart, NULL, NULL, &(struct apart_test)                               \
		{                                                                                  \
			f                                                                          \
		}                                                                                  \
	}

#endif
