/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that make a plan's rings (dataplane/tables/plan_fill.c). The functions of the system that they come from
 * stand here before libc's: they count, and fail where the test says so.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/tables/plan.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define POOLS_MAX 65u
#define SLOTS     256u
#define MEMBERS   4u

/* --- the system --- */

static long n_cpus; /* 0: as the machine has */
static struct {
	unsigned n_asked, fails_at; /* fails_at: from 1, and all after it; 0: none */
	pthread_t begun[8];
	unsigned n_begun, n_joined, n_strange;
} threads;

static long own_sysconf(int name)
{
	return n_cpus && name == _SC_NPROCESSORS_ONLN ? n_cpus : __real_sysconf(name);
}

static int own_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *arg)
{
	int err;

	threads.n_asked++;
	if (threads.fails_at && threads.n_asked >= threads.fails_at)
		return EAGAIN;
	err = __real_pthread_create(id, attributes, run, arg);
	if (!err && threads.n_begun < COUNT(threads.begun))
		threads.begun[threads.n_begun++] = *id;
	return err;
}

static int own_pthread_join(pthread_t id, void **result)
{
	for (unsigned i = 0; i < threads.n_begun; i++)
		if (pthread_equal(threads.begun[i], id)) {
			threads.n_joined++;
			return __real_pthread_join(id, result);
		}
	threads.n_strange++;
	return ESRCH;
}

/* --- a plan of pools with one set each --- */

static struct model_member members[POOLS_MAX][MEMBERS];
static struct model_set sets[POOLS_MAX];
static struct model_pool model_pools[POOLS_MAX];
static struct plan_backend backends[POOLS_MAX][MEMBERS];
static struct plan_pool pools[POOLS_MAX];
static struct model model = { .hash_key = { 1, 2 } };
static uint16_t alone[POOLS_MAX][SLOTS]; /* their rings, as one thread makes them */

static struct plan make_plan(size_t n_pools)
{
	memset(pools, 0, sizeof(pools));
	for (size_t i = 0; i < POOLS_MAX; i++) {
		for (size_t m = 0; m < MEMBERS; m++) {
			uint64_t id = 1000 * i + 7 * m + 5;

			members[i][m] = (struct model_member){ .id = id, .weight = 1 + i % 5 + m };
			backends[i][m] = (struct plan_backend){ .id = id, .name = "" };
		}
		sets[i] = (struct model_set){ 0, INT64_MAX, members[i], MEMBERS };
		model_pools[i] = (struct model_pool){
			.name = "", .n_slots = SLOTS, .member_sets = &sets[i], .n_member_sets = 1
		};
		pools[i] = (struct plan_pool){ .model = &model_pools[i],
			                       .backends = backends[i],
			                       .n_backends = MEMBERS };
	}
	return (struct plan){ .model = &model, .pools = pools, .n_pools = n_pools };
}

static void free_rings(void)
{
	for (size_t i = 0; i < POOLS_MAX; i++)
		free(pools[i].rings[0]);
}

/* The rings of the first @p n_pools are there, and no other's. */
static void expect_rings(const char *why, size_t n_pools)
{
	for (size_t i = 0; i < POOLS_MAX; i++) {
		const uint16_t *ring = pools[i].rings[0];

		if (!ring != (i >= n_pools) ||
		    (ring && memcmp(ring, alone[i], sizeof(alone[i])) != 0))
			fail_msg("%s: the ring of pool %zu is %s", why, i,
			         ring ? "another" : "not made");
	}
}

static int make_alone(void **state)
{
	struct plan p = make_plan(POOLS_MAX);

	(void)state;
	n_cpus = 1;
	plan_fill(&p, NULL, 1);
	for (size_t i = 0; i < POOLS_MAX; i++) {
		if (!pools[i].rings[0])
			return -1;
		memcpy(alone[i], pools[i].rings[0], sizeof(alone[i]));
	}
	free_rings();
	return 0;
}

static void as_many_threads_help_as_are_worth_it(void **state)
{
	static const struct {
		const char *why;
		long n_cpus;
		size_t n_pools;
		unsigned fails_at, n_asked, n_begun;
	} rows[] = {
		{ "none", 4, 0, 0, 0, 0 },
		{ "few pools", 4, 7, 0, 0, 0 },
		{ "enough pools", 4, 8, 0, 3, 3 },
		{ "more pools", 4, POOLS_MAX, 0, 3, 3 },
		{ "one CPU", 1, POOLS_MAX, 0, 0, 0 },
		{ "two CPUs", 2, POOLS_MAX, 0, 1, 1 },
		{ "three CPUs", 3, POOLS_MAX, 0, 2, 2 },
		{ "five CPUs: the machine has other work", 5, POOLS_MAX, 0, 3, 3 },
		{ "a hundred CPUs", 100, POOLS_MAX, 0, 3, 3 },
		{ "no thread can be had", 4, POOLS_MAX, 1, 1, 0 },
		{ "one can be had", 4, POOLS_MAX, 2, 2, 1 },
		{ "two can be had", 100, 8, 3, 3, 2 },
		{ "all can be had, and no more", 100, 8, 4, 3, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct plan p = make_plan(rows[i].n_pools);

		print_message("  %s\n", rows[i].why);
		memset(&threads, 0, sizeof(threads));
		threads.fails_at = rows[i].fails_at;
		n_cpus = rows[i].n_cpus;
		plan_fill(&p, NULL, 1);
		assert_int_equal(threads.n_strange, 0);
		assert_int_equal(threads.n_asked, rows[i].n_asked);
		assert_int_equal(threads.n_begun, rows[i].n_begun);
		assert_int_equal(threads.n_joined, rows[i].n_begun);
		expect_rings(rows[i].why, rows[i].n_pools);
		free_rings();
	}
}

SUITE(plan_fill)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_threads_help_as_are_worth_it),
	};

	answer_pthread_create = own_pthread_create;
	answer_pthread_join = own_pthread_join;
	answer_sysconf = own_sysconf;
	return cmocka_run_group_tests_name("plan fill", tests, make_alone, NULL);
}
