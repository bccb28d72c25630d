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

#include "base/arena.h"
#include "dns/server.h"
#include "dns/serving.h"
#include "dns/worker.h"
#include "dns/zone/zone.h"
#include "tests/unit/answers.h"
#include "tests/unit/dns/counters_scene.h"
#include "tests/unit/suite.h"

static bool no_memory;
static const struct generation *made[16]; /* and not freed */
static unsigned n_made, n_freed;

static void *own_malloc(size_t n)
{
	return no_memory ? NULL : __real_malloc(n);
}

static void own_free(void *at)
{
	for (unsigned i = 0; at && i < n_made; i++)
		if (made[i] == at) {
			made[i] = NULL;
			n_freed++;
		}
	__real_free(at);
}

static struct server s;

static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	fail_msg("%s:%u: %s", m->file, m->line, m->text);
}

/* The zone zN.test. */
static const struct image *make_image(unsigned n)
{
	char path[64], name[16];
	const struct zone_source zone = { name, path };
	const struct zone_input in = { .zones = &zone, .n_zones = 1 };
	struct image *image = NULL;
	FILE *f;

	snprintf(name, sizeof(name), "z%u.test", n);
	snprintf(path, sizeof(path), "%s/zone", dir);
	f = fopen(path, "w");
	assert_true(f &&
	            fputs("$TTL 60\n@ SOA ns root 7 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(zone_compile(&in, fail_on_report, NULL, &image), 0);
	return image;
}

/* Number n_made, from 1 on: with the zone of its number, and at three sites the service "n" and its number. */
static struct generation *make_generation(uint32_t drained_ppm)
{
	static const char *const names[] = { "ams", "fra", "lon" };
	struct generation *g = calloc(1, sizeof(*g));
	struct steering_service *service;
	struct steering_site *sites;
	struct steering *p;
	char *name;

	assert_true(g && n_made < sizeof(made) / sizeof(made[0]));
	made[n_made++] = g;
	g->arena = arena_new(1 << 20);
	p = arena_alloc(g->arena, 1, sizeof(*p));
	service = arena_alloc(g->arena, 1, sizeof(*service));
	sites = arena_alloc(g->arena, 3, sizeof(*sites));
	name = arena_alloc(g->arena, 1, 8);
	g->state = arena_alloc(g->arena, 1, sizeof(*g->state) + 3 * sizeof(g->state->sites[0]));
	assert_true(p && service && sites && name && g->state);
	for (unsigned i = 0; i < 3; i++)
		sites[i].name = names[i];
	snprintf(name, 8, "n%u", n_made);
	*service = (struct steering_service){ .name = name, .n_sites = 3, .sites = sites };
	*p = (struct steering){ .n_services = 1, .services = service, .n_states = 3 };
	g->steering = p;
	g->image = make_image(n_made);
	g->state->n_sites = 3;
	g->state->sites[2].drained_ppm = drained_ppm;
	return g;
}

/* Whether there are counters of generation @p n's service: 2 of its site, 1 of none, 0. */
static int count_service(unsigned n)
{
	char at_lon[64], nowhere[64];

	snprintf(at_lon, sizeof(at_lon), "service=\"n%u\",site=\"lon\"", n);
	snprintf(nowhere, sizeof(nowhere), "service=\"n%u\",site=\"\"", n);
	return read_value("weir_dns_placed_total", at_lon) >= 0
	               ? 2
	               : read_value("weir_dns_placed_total", nowhere) >= 0;
}

static bool has_serial(unsigned n)
{
	char labels[32];

	snprintf(labels, sizeof(labels), "zone=\"z%u.test\"", n);
	return read_value("weir_dns_zone_serial", labels) == 7;
}

static int begin_scene(void **state)
{
	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		s.workers[i].server = &s;
	n_freed = n_made = 0;
	no_memory = false;
	if (set_up(state))
		return -1;
	s.counters = c;
	return 0;
}

static int end_scene(void **state)
{
	serving_close(&s);
	return n_freed != n_made || s.replaced || s.serving || tear_down(state);
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

/* Its counters, too; and those that an earlier process left go with the first. */
static void a_generation_goes_when_its_last_reader_has_gone(void **state)
{
	struct dns_worker *w = &s.workers[WORKERS_MAX]; /* of TCP */
	struct generation *earlier = make_generation(0);

	(void)state;
	counters_services_free(counters_services_new(&s.counters, earlier));
	generation_free(earlier);
	assert_int_equal(count_service(1), 2);
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	assert_int_equal(count_service(1), 0);
	assert_int_equal(count_service(2), 2);
	assert_true(has_serial(2));
	assert_true(serving_enter(w));
	s.now->state->sites[2].drained_ppm = 2;
	serving_publish(&s); /* two states of one generation */
	assert_int_equal(serving_install(&s, make_generation(3)), 0);
	assert_true(!has_serial(2) && has_serial(3));
	assert_int_equal(n_freed, 1);
	assert_int_equal(drained_of(w), 1);
	assert_int_equal(count_service(2), 2); /* it may still be counted in */
	serving_leave(w);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 3);
	serving_publish(&s);
	assert_int_equal(n_freed, 2);
	assert_int_equal(count_service(2), 0);
	assert_int_equal(count_service(3), 2);
	serving_leave(w);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(serving_install(&s, make_generation(i)), 0);
	serving_publish(&s);
	assert_int_equal(n_freed, 7);
	assert_int_equal(count_service(8), 2);
}

static void without_memory_the_state_before_is_answered_from(void **state)
{
	struct dns_worker *w = &s.workers[1];
	struct generation *later[4];

	(void)state;
	for (uint32_t i = 1; i < 4; i++)
		later[i] = make_generation(2 + i);
	assert_int_equal(serving_install(&s, make_generation(1)), 0);
	no_memory = true;
	s.now->state->sites[2].drained_ppm = 2;
	serving_publish(&s);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 1);
	serving_leave(w);
	assert_int_equal(serving_install(&s, later[1]), 0); /* which nobody sees */
	assert_int_equal(serving_install(&s, later[2]), 0);
	assert_int_equal(n_freed, 1); /* the one that was never published */
	no_memory = false;
	serving_publish(&s);
	assert_true(serving_enter(w));
	assert_int_equal(drained_of(w), 4);
	serving_leave(w);
	assert_int_equal(n_freed, 2);
	no_memory = true;
	assert_int_equal(serving_install(&s, later[3]),
	                 0); /* and the end comes before memory does */
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin_scene, end_scene)

SUITE(serving)
{
	const struct CMUnitTest tests[] = {
		WITH(a_thread_sees_one_state_from_beginning_to_end),
		WITH(what_has_not_changed_is_not_published_again),
		WITH(a_generation_goes_when_its_last_reader_has_gone),
		WITH(without_memory_the_state_before_is_answered_from),
	};

	answer_free = own_free;
	answer_malloc = own_malloc;
	return cmocka_run_group_tests_name("dns serving", tests, NULL, NULL);
}
