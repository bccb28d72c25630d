/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories that go: the name is free at once, what is in them goes by a thread; threads are started by the test. */
#include "fixture.h"

#include <pthread.h>

#include "mgmt/files/sweep.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static struct {
	bool fails;
	unsigned n_started, n_detached;
	void *(*run)(void *);
	void *arg;
} threads;

static int own_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *arg)
{
	(void)id;
	(void)attributes;
	if (threads.fails)
		return EAGAIN;
	threads.n_started++;
	threads.run = run;
	threads.arg = arg;
	return 0;
}

static int own_pthread_detach(pthread_t id)
{
	(void)id;
	threads.n_detached++;
	return 0;
}

static struct fixture place;
static char victim[PATH_MAX];

static int setup(void **state)
{
	(void)state;
	memset(&threads, 0, sizeof(threads));
	fixture_make(&place);
	snprintf(victim, sizeof(victim), "%s/0123", place.state);
	assert_int_equal(mkdir(victim, 0755), 0);
	fixture_write(victim, "weir.conf", "x");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static size_t n_entries(const char *dir)
{
	char command[PATH_MAX + 64];
	unsigned n = 0;

	snprintf(command, sizeof(command), "find %s -mindepth 1 -maxdepth 1 | wc -l", dir);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	assert_int_equal(pclose(f), 0);
	return n;
}

static void the_name_is_free_at_once_and_the_files_go_later(void **state)
{
	(void)state;
	sweep_dir(victim);
	assert_int_equal(access(victim, F_OK), -1);
	assert_int_equal(threads.n_started, 1);
	assert_int_equal(threads.n_detached, 1); /* nothing joins it */
	assert_int_equal(n_entries(place.state), 1);
	assert_true(sweep_is_left(threads.arg));
	assert_int_equal(strncmp(threads.arg, victim, strlen(victim)), 0);

	/* Meanwhile another is made by the same name, and goes too. */
	void *first = threads.arg;
	assert_int_equal(mkdir(victim, 0755), 0);
	sweep_dir(victim);
	assert_int_equal(threads.n_started, 2);
	assert_string_not_equal(threads.arg, first);
	assert_int_equal(n_entries(place.state), 2);
	assert_null(threads.run(first));
	assert_null(threads.run(threads.arg));
	assert_int_equal(n_entries(place.state), 0);
}

static void without_a_thread_it_goes_at_once(void **state)
{
	(void)state;
	threads.fails = true;
	sweep_dir(victim);
	assert_int_equal(threads.n_detached, 0);
	assert_int_equal(n_entries(place.state), 0);
}

/* A name with so much behind it would be too long: it goes at once, under its own. */
static void a_name_that_is_too_long_goes_at_once(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	snprintf(dir, sizeof(dir), "%s", victim);
	for (size_t n = strlen(dir), more; n < PATH_MAX - 20; n += more) {
		more = PATH_MAX - 20 - n < 200 ? PATH_MAX - 20 - n : 100;
		dir[n] = '/';
		memset(dir + n + 1, 'd', more - 1);
		dir[n + more] = '\0';
		assert_int_equal(mkdir(dir, 0755), 0);
	}
	sweep_dir(dir);
	assert_int_equal(threads.n_started, 0);
	assert_int_equal(access(dir, F_OK), -1);
}

static void one_that_is_not_there_is_no_matter(void **state)
{
	(void)state;
	snprintf(victim, sizeof(victim), "%s/none", place.state);
	sweep_dir(victim);
	assert_int_equal(threads.n_started, 0);
	assert_int_equal(n_entries(place.state), 1);
}

static void only_what_was_put_aside_is_left(void **state)
{
	(void)state;
	assert_true(sweep_is_left("0123.gone-77-1-0"));
	assert_false(sweep_is_left("0123"));
	assert_false(sweep_is_left("0123.gone"));
	assert_false(sweep_is_left(""));
}

SUITE(sweep)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_name_is_free_at_once_and_the_files_go_later,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_thread_it_goes_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_is_too_long_goes_at_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(one_that_is_not_there_is_no_matter, setup,
		                                teardown),
		cmocka_unit_test(only_what_was_put_aside_is_left),
	};

	answer_pthread_create = own_pthread_create;
	answer_pthread_detach = own_pthread_detach;
	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
