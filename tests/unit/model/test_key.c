/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the cluster's key leaves no digits on the stack: it runs on one that is searched later. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"

#define STACK_BYTES ((size_t)256 * 1024)

static const uint64_t key[2] = { 0x9fd3b1c75ae86240, 0x71c8e05b3fa4d692 };
static uint64_t found[2];
static const char *path;

static void *read_key(void *arg)
{
	(void)arg;
	assert_int_equal(model_key_read(path, NULL, found), 0);
	return NULL;
}

static bool has_bytes(const uint8_t *stack, const void *bytes, size_t n)
{
	return memmem(stack, STACK_BYTES, bytes, n) != NULL;
}

static void run_on(uint8_t *stack, void *(*function)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	memset(stack, 0, STACK_BYTES);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attr, function, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}

static void no_part_of_the_key_stays_on_the_stack(void **state)
{
	uint8_t *stack = aligned_alloc(4096, STACK_BYTES);
	char digits[33];

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* its build, which nobody runs, leaves a copy */
#endif
	assert_non_null(stack);
	snprintf(digits, sizeof(digits), "%016llx%016llx", (unsigned long long)key[0],
	         (unsigned long long)key[1]);
	fixture_write_text("hash.key", digits);
	path = fixture_path("hash.key");
	run_on(stack, read_key);
	assert_int_equal(found[0], key[0]);
	assert_int_equal(found[1], key[1]);
	assert_false(has_bytes(stack, digits, 16) || has_bytes(stack, digits + 16, 16));
	free(stack);
}

SUITE(key)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_part_of_the_key_stays_on_the_stack),
	};

	return cmocka_run_group_tests_name("key", tests, fixture_setup, fixture_teardown);
}
