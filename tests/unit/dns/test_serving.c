/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads answer from: it is replaced when anything has changed, and freed when nobody
 * reads it any more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/server.h"
#include "dns/serving.h"
#include "dns/worker.h"

static unsigned n_freed, n_words, n_dropped, n_zones_dropped, n_left_dropped;
static bool no_memory;

static void fake_generation_free(struct generation *g)
{
	if (!g)
		return;
	n_freed++;
	free(g->state);
	free(g);
}

static struct counters_services *fake_words_new(struct counters *c, const struct generation *g)
{
	(void)c;
	(void)g;
	n_words++;
	return calloc(1, sizeof(struct counters_services));
}

static void fake_words_free(struct counters_services *words)
{
	n_words--;
	free(words);
}

static void fake_drop(struct counters *c, const struct generation *old, const struct generation *g)
{
	(void)c;
	assert_ptr_not_equal(old, g);
	n_dropped++;
}

static void fake_drop_zones(struct counters *c, const struct generation *old,
                            const struct generation *g)
{
	(void)c;
	assert_ptr_not_equal(old, g);
	n_zones_dropped++;
}

static void fake_drop_left(struct counters *c, const struct generation *g)
{
	(void)c;
	assert_non_null(g);
	n_left_dropped++;
}

static void *fake_malloc(size_t n)
{
	return no_memory ? NULL : malloc(n);
}

/* The private parts too. */
#define generation_free        fake_generation_free
#define counters_services_new  fake_words_new
#define counters_services_free fake_words_free
#define counters_drop          fake_drop
#define counters_drop_zones    fake_drop_zones
#define counters_drop_left     fake_drop_left
#define malloc                 fake_malloc
#include "dns/serving.c"
#undef malloc

static struct server s;
static unsigned n_made;

static struct generation *make_generation(uint32_t drained_ppm)
{
	struct generation *g = calloc(1, sizeof(*g));

	g->state = calloc(1, sizeof(*g->state) + 3 * sizeof(g->state->sites[0]));
	g->state->n_sites = 3;
	g->state->sites[2].drained_ppm = drained_ppm;
	n_made++;
	return g;
}

static int set_up(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		s.workers[i].server = &s;
	n_freed = n_words = n_dropped = n_zones_dropped = n_left_dropped = n_made = 0;
	no_memory = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	serving_close(&s);
	return n_freed != n_made || n_words != 0 || s.replaced || s.serving;
}

static uint32_t drained_of(const struct dns_worker *w)
{
	return w->serving->state->sites[2].drained_ppm;
}

static void a_thread_sees_one_state_from_beginning_to_end(void **state)
{
	struct dns_worker *last = &s.workers[WORKERS_ALL - 1], *first = &s.workers[0];

	(void)state;
	assert_false(serving_enter(first)); /* there is nothing yet */
	serving_leave(first);
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	assert_true(serving_enter(last));
	assert_int_equal(drained_of(last), 1);
	s.now->state->sites[2].drained_ppm = 2;
	assert_int_equal(drained_of(last), 1);
	serving_publish(&s);
	assert_true(serving_enter(first));
	assert_int_equal(drained_of(first), 2);
	assert_int_equal(drained_of(last), 1); /* it is read, so it is still there */
	assert_non_null(s.replaced);
	serving_leave(last);
	serving_publish(&s);
	assert_null(s.replaced);
	assert_int_equal(n_freed, 0); /* the generation is in force */
	serving_leave(first);
	assert_null(first->serving);
}

static void what_has_not_changed_is_not_published_again(void **state)
{
	const struct serving *was;

	(void)state;
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	was = s.serving;
	serving_publish(&s);
	assert_ptr_equal(s.serving, was);
	assert_int_equal(serving_install(&s, make_generation(1)),
	                 0); /* other zones, with the same state */
	assert_ptr_not_equal(s.serving, was);
	assert_ptr_equal(s.serving->generation, s.now);
}

static void a_generation_goes_when_its_last_reader_has_gone(void **state)
{
	struct dns_worker *w = &s.workers[WORKERS_MAX]; /* of TCP */
	const struct proc_dirs dirs = { .run = "run" };

	(void)state;
	s.dirs = &dirs;
	s.counters.stats = (struct stats *)(void *)&s;
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	assert_int_equal(n_left_dropped,
	                 1); /* of an earlier process: with the first document only */
	assert_true(serving_enter(w));
	s.now->state->sites[2].drained_ppm = 2;
	serving_publish(&s); /* two states of one generation */
	assert_int_equal(serving_install(&s, make_generation(3)), 0);
	assert_int_equal(n_zones_dropped, 1);
	assert_int_equal(n_freed, 0);
	assert_int_equal(drained_of(w), 1);
	serving_leave(w);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 3);
	serving_publish(&s);
	assert_int_equal(n_freed, 1);
	assert_int_equal(n_dropped, 1); /* the words of services that have gone */
	serving_leave(w);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(serving_install(&s, make_generation(i)), 0);
	assert_int_equal(n_left_dropped, 1);
	serving_publish(&s);
	assert_int_equal(n_freed, 6);
	assert_int_equal(n_words, 1);
}

static void without_memory_the_state_before_is_answered_from(void **state)
{
	struct dns_worker *w = &s.workers[1];

	(void)state;
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	no_memory = true;
	s.now->state->sites[2].drained_ppm = 2;
	serving_publish(&s);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 1);
	serving_leave(w);
	assert_int_equal(serving_install(&s, make_generation(3)), 0); /* which nobody sees */
	assert_int_equal(serving_install(&s, make_generation(4)), 0);
	assert_int_equal(n_freed, 1); /* the one that was never published */
	no_memory = false;
	serving_publish(&s);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 4);
	serving_leave(w);
	assert_int_equal(n_freed, 2);
	no_memory = true;
	assert_int_equal(serving_install(&s, make_generation(5)),
	                 0); /* and the end comes before memory does */
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(a_thread_sees_one_state_from_beginning_to_end),
		WITH(what_has_not_changed_is_not_published_again),
		WITH(a_generation_goes_when_its_last_reader_has_gone),
		WITH(without_memory_the_state_before_is_answered_from),
	};

	return cmocka_run_group_tests_name("dns serving", tests, NULL, NULL);
}
