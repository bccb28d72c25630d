/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread's reserve, drawn on when memory fails. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static bool no_memory;
static unsigned n_taken;

static void *own_malloc(size_t n)
{
	n_taken++;
	return no_memory ? NULL : __real_malloc(n);
}

static void *own_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static int tear_down(void **state)
{
	(void)state;
	no_memory = false;
	memory_reserve_end();
	memory_forget();
	return 0;
}

static void what_is_drawn_is_whole_and_for_any_type(void **state)
{
	unsigned char *parts[64];
	size_t n = 0;

	(void)state;
	assert_int_equal(memory_reserve_begin(1024), 0);
	assert_false(memory_reserve_drawn());
	no_memory = true;
	while (n < 64 && (parts[n] = memory_alloc(13 + n)) != NULL) {
		assert_int_equal((uintptr_t)parts[n] % alignof(max_align_t), 0);
		memset(parts[n], (int)n, 13 + n);
		n++;
	}
	assert_true(n > 10 && n < 64); /* and then there is no more */
	assert_true(memory_failed() && memory_reserve_drawn());
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 13 + i; k++)
			assert_int_equal(parts[i][k], i);
	assert_null(memory_alloc(SIZE_MAX));
	for (size_t i = 0; i < n; i++)
		memory_free(parts[i]);  /* which is the reserve's */
	assert_null(memory_alloc(600)); /* what is freed does not come back */
}

static void a_reserve_is_drawn_to_its_end_and_no_further(void **state)
{
	(void)state;
	assert_int_equal(memory_reserve_begin(4 * alignof(max_align_t)), 0);
	no_memory = true;
	assert_null(memory_alloc(4 * alignof(max_align_t) + 1));
	assert_non_null(memory_alloc(3 * alignof(max_align_t)));
	assert_non_null(memory_alloc(alignof(max_align_t)));
	assert_null(memory_alloc(1));
	no_memory = false;
	memory_reserve_end();
	assert_int_equal(memory_reserve_begin(100),
	                 0); /* all of it, though the next would not be aligned */
	no_memory = true;
	assert_non_null(memory_alloc(100));
	assert_null(memory_alloc(1));
}

static void a_failure_is_remembered_for_the_work_it_is_of(void **state)
{
	(void)state;
	void *p = memory_alloc(8);

	assert_non_null(p);
	assert_false(memory_failed());
	memory_free(p);
	no_memory = true;
	assert_null(memory_alloc(8)); /* without a reserve */
	assert_true(memory_failed());
	memory_forget();
	assert_false(memory_failed());
	assert_int_equal(memory_reserve_begin((size_t)2 << 20), -ENOMEM);
	assert_true(memory_failed());
	assert_int_equal(memory_make_room(100), -ENOMEM);
	no_memory = false;
	assert_int_equal(memory_make_room(100), 0);
}

#define LARGE ((size_t)2 << 20) /* more than is kept */

static void *reserve_twice(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(memory_reserve_begin(5000), 0);
		memory_reserve_end();
	}
	return NULL;
}

/* What a thread leaves when it ends is seen by the sanitizer of addresses. */
static void a_thread_keeps_its_reserve_but_no_large_one(void **state)
{
	pthread_t thread;

	(void)state;
	n_taken = 0;
	assert_int_equal(pthread_create(&thread, NULL, reserve_twice, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(n_taken, 1);
	reserve_twice(NULL);
	n_taken = 0;
	assert_int_equal(memory_reserve_begin(LARGE), 0);
	memory_reserve_end();
	assert_int_equal(n_taken, 1);
	no_memory = true;
	assert_int_equal(memory_reserve_begin(LARGE), -ENOMEM);
	assert_int_equal(memory_reserve_begin(5000), -ENOMEM);
	no_memory = false;
	reserve_twice(NULL);
	no_memory = true; /* the reserve of what is short of memory is there already */
	assert_int_equal(memory_reserve_begin(5000), 0);
	assert_non_null(memory_alloc(4000));
	assert_true(memory_reserve_drawn());
}

struct small {
	char bytes[100];
};

/* A child of its own: its end is what is asked for. */
static void without_a_small_piece_the_process_ends_with_a_line(void **state)
{
	static const char line[] =
	        "<3>no-memory error=\"out of memory\" effect=\"the process ends\"\n";

	(void)state;
	for (int lacks = 0; lacks < 2; lacks++) {
		char text[256] = "";
		int ends[2], status;

		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		if (!child) {
			dup2(ends[1], STDERR_FILENO);
			no_memory = lacks;
			struct small *s = MEMORY_NEW(struct small);
			for (size_t i = 0; i < sizeof(s->bytes); i++)
				if (s->bytes[i])
					_exit(2);
			free(s);
			_exit(3);
		}
		close(ends[1]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), lacks ? MEMORY_EXIT : 3);
		assert_true(read(ends[0], text, sizeof(text) - 1) >= 0);
		assert_string_equal(text, lacks ? line : "");
		close(ends[0]);
	}
	assert_ptr_equal(memory_must(&no_memory), &no_memory);
}

SUITE(memory)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_drawn_is_whole_and_for_any_type, tear_down),
		cmocka_unit_test_teardown(a_reserve_is_drawn_to_its_end_and_no_further, tear_down),
		cmocka_unit_test_teardown(a_failure_is_remembered_for_the_work_it_is_of, tear_down),
		cmocka_unit_test_teardown(a_thread_keeps_its_reserve_but_no_large_one, tear_down),
		cmocka_unit_test(without_a_small_piece_the_process_ends_with_a_line),
	};

	answer_malloc = own_malloc;
	answer_calloc = own_calloc;
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
