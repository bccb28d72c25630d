/* SPDX-License-Identifier: BSD-2-Clause */
/* From pages, overrides and the model to facts that are judged (mgmt/judge/gather.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/judge/gather.h"
#include "tests/unit/suite.h"
#include "tables_page.h"
#include "weir/stats.h"

#define NOW_MS 1000000
#define N      4 /* backends of the own pool */

static char dir[] = "/tmp/weir-gather.XXXXXX";

/*
 * The own site's pool "web" with backends 1 to 4, and another site's pool of the same backends'
 * names.
 */
struct world {
	struct model m;
	struct model_site sites[2];
	struct model_node self;
	struct model_check check;
	struct model_backend backends[N];
	struct model_pool pools[2];
	struct override items[4];
	struct overrides overrides;
	struct health_page *health;
	struct effect *effect;
	struct judge_pool *found;
	size_t n;
};

static int set_up(void **state)
{
	static char *const names[] = { "b1", "b2", "b3", "b4" };
	struct world *w = calloc(1, sizeof(*w));
	uint64_t targets[N];

	if (!w || !(w->health = calloc(1, sizeof(*w->health))))
		return -1;
	w->sites[0].name = "ams";
	w->sites[1].name = "fra";
	w->self.site = &w->sites[0];
	for (uint64_t i = 0; i < N; i++) {
		w->backends[i] =
		        (struct model_backend){ .name = names[i], .id = i + 1, .weight = 100 };
		targets[i] = health_target_backend("web", i + 1);
	}
	for (int i = 0; i < 2; i++)
		w->pools[i] = (struct model_pool){ .name = i ? "web-fra" : "web",
			                           .site = &w->sites[i],
			                           .check = &w->check,
			                           .backends = w->backends,
			                           .n_backends = N };
	w->m = (struct model){
		.sites = w->sites, .n_sites = 2, .pools = w->pools, .n_pools = 2, .self = &w->self
	};
	w->overrides.items = w->items;
	*state = w;
	return health_set_targets(w->health, targets, N, 0);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	effect_close(w->effect);
	free(w->found);
	free(w->health);
	free(w);
	return 0;
}

static const struct judge_pool *gather_pool(struct world *w)
{
	const struct gather_from from = { .m = &w->m,
		                          .overrides = &w->overrides,
		                          .wall_clock_ms = NOW_MS,
		                          .health = w->health,
		                          .effect = w->effect };

	free(w->found);
	assert_int_equal(gather_pools(&from, &w->found, &w->n), 0);
	return w->found;
}

static void observe_health(struct world *w, uint64_t id, enum health_state state, unsigned marks)
{
	int at = health_find_index(w->health, health_target_backend("web", id));

	health_write(w->health, at, health_make(state, marks, HEALTH_REASON_OK, 0));
}

static void add_override(struct world *w, const char *pool, const char *name,
                         enum model_override_kind kind, int64_t from_ms)
{
	struct override *o = &w->items[w->overrides.n_items++];

	o->target = MODEL_TARGET_BACKEND;
	o->kind = kind;
	snprintf(o->pool, sizeof(o->pool), "%s", pool);
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->from_ms = from_ms;
	o->until_ms = MODEL_TIME_NEVER;
}

static void another_site_s_pools_are_not_this_node_s_trouble(void **state)
{
	struct world *w = *state;

	assert_string_equal(gather_pool(w)->name, "web");
	assert_int_equal(w->n, 1);
	w->m.self = NULL;
	gather_pool(w);
	assert_int_equal(w->n, 0);
}

static void verdicts_are_counted_by_what_they_say(void **state)
{
	struct world *w = *state;

	observe_health(w, 1, HEALTH_UP, 0);
	observe_health(w, 2, HEALTH_UP, HEALTH_MARK_DOUBT); /* in doubt is no inconclusive check */
	observe_health(w, 3, HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE);
	const struct judge_pool *p = gather_pool(w);

	assert_true(p->health_fresh && p->checked && !p->in_force);
	assert_int_equal(p->n_up, 2);
	assert_int_equal(p->down.n, 1);
	assert_string_equal(p->down.first[0], "b3");
	assert_int_equal(p->silent.n, 1);
	assert_string_equal(p->silent.first[0], "b4");
	assert_int_equal(p->inconclusive.n, 1);
	assert_string_equal(p->inconclusive.first[0], "b3");
	w->pools[0].check = NULL; /* who is not checked is not silent */
	p = gather_pool(w);
	assert_true(!p->health_fresh && !p->checked && !p->silent.n && !p->down.n);
}

static void an_override_counts_for_its_own_backend_while_it_lasts(void **state)
{
	struct world *w = *state;

	add_override(w, "web", "b1", MODEL_OVERRIDE_DRAIN, NOW_MS);
	add_override(w, "web", "b1", MODEL_OVERRIDE_DISABLE,
	             NOW_MS); /* stronger: no longer a drain */
	add_override(w, "web-fra", "b2", MODEL_OVERRIDE_DRAIN, NOW_MS);
	add_override(w, "web", "b3", MODEL_OVERRIDE_DRAIN, NOW_MS + 1); /* scheduled */
	assert_int_equal(gather_pool(w)->n_drained, 0);
	assert_int_equal(gather_pool(w)->n_meant, 3);
	w->items[3].from_ms = NOW_MS;
	assert_int_equal(gather_pool(w)->n_drained, 1);
	assert_int_equal(gather_pool(w)->n_meant, 2);
	w->items[3].until_ms = NOW_MS;
	assert_int_equal(gather_pool(w)->n_drained, 0);
	w->backends[3].weight = 0; /* as by a drain that is written in the file */
	assert_int_equal(gather_pool(w)->n_meant, 2);
}

static void write_effect(struct world *w, const struct effect_backend *rows, uint32_t n)
{
	const struct effect_pool pool = {
		.pool = hash_text("web"), .n_slots = 64, .n_backends = n, .empty = 3
	};

	tables_page_write_pool(dir, clock_mono_ms(), &pool, rows);
	assert_int_equal(effect_open(dir, &w->effect), 0);
}

/* b1 serves, b2 has no next hop, b3 no slots and no next hop, b4 is out. */
static void who_owns_no_slots_neither_serves_nor_wants_a_next_hop(void **state)
{
	struct world *w = *state;
	const struct effect_backend rows[N] = { { .id = 1, .slots = 16, .alive = 1, .next_hop = 1 },
		                                { .id = 2, .slots = 16, .alive = 1 },
		                                { .id = 3, .alive = 1 },
		                                { .id = 4, .slots = 16 } };

	write_effect(w, rows, N);
	const struct judge_pool *found = gather_pool(w);

	assert_true(found->in_force);
	assert_int_equal(found->n_serving, 1);
	assert_int_equal(found->no_next_hop.n, 1);
	assert_string_equal(found->no_next_hop.first[0], "b2");
	assert_int_equal(found->out.n, 0); /* no verdict of b4 yet */
	observe_health(w, 4, HEALTH_UP, 0);
	found = gather_pool(w);
	assert_int_equal(found->out.n, 1);
	assert_string_equal(found->out.first[0], "b4");
	w->backends[3].weight = 0; /* not meant to serve */
	found = gather_pool(w);
	assert_int_equal(found->out.n, 0);
	assert_true(found->n_slots == 64 && found->n_empty == 3);
}

/* Of the backup's three, one has no slots and one no next hop. */
static void backends_of_the_backup_that_serve_are_counted_apart(void **state)
{
	struct world *w = *state;
	const struct effect_backend rows[] = {
		{ .id = 1, .next_hop = 1 },
		{ .id = 90, .slots = 32, .alive = 1, .next_hop = 1, .is_backup = 1 },
		{ .id = 91, .alive = 1, .next_hop = 1, .is_backup = 1 },
		{ .id = 92, .slots = 32, .alive = 1, .is_backup = 1 },
		{ .id = 93, .slots = 32, .next_hop = 1, .is_backup = 1 },
	};

	write_effect(w, rows, 5);
	const struct judge_pool *found = gather_pool(w);

	assert_int_equal(found->n_serving, 0);
	assert_int_equal(found->n_backup_serving, 1);
}

/*
 * Two families of a service at fra: an old verdict, while no probe can be sent, is no sight of
 * it.
 */
static void a_site_is_up_by_what_is_seen_now(void **state)
{
	static const struct {
		enum health_state v6, v4;
		unsigned marks;
		size_t up, down;
	} rows[] = {
		{ HEALTH_UP, HEALTH_UP, 0, 2, 0 },
		{ HEALTH_UP, HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, 0, 0 },
		{ HEALTH_UP, HEALTH_DOWN, 0, 1, 1 },
		{ HEALTH_DOWN, HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, 0, 2 },
		{ HEALTH_UNKNOWN, HEALTH_UNKNOWN, 0, 0, 0 },
	};
	struct world *w = *state;
	struct model_at at = { .site = &w->sites[1] };
	struct model_service service = { .name = "web", .at = &at, .n_at = 1 };
	const uint64_t targets[] = { health_target_service("web", "fra", 0),
		                     health_target_service("web", "fra", 1) };
	struct gather_site seen;

	w->m.services = &service;
	w->m.n_services = 1;
	assert_int_equal(health_set_targets(w->health, targets, 2, 0), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 2; k++)
			health_write(w->health, health_find_index(w->health, targets[k]),
			             health_make(k ? rows[i].v4 : rows[i].v6, rows[i].marks,
			                         HEALTH_REASON_OK, 0));
		gather_site(&w->m, w->health, &w->sites[1], &seen);
		assert_int_equal(seen.n, 2);
		assert_int_equal(seen.up, rows[i].up);
		assert_int_equal(seen.down, rows[i].down);
	}
}

/* A page of conditions that is damaged, and one that somebody removed. */
static void conditions_that_cannot_be_read_are_unread(void **state)
{
	struct gather_process p;
	struct conditions c;
	struct stats *s;
	char path[128];
	FILE *f;

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	snprintf(path, sizeof(path), "%s/conditions.dns.page", dir);
	gather_process(dir, "dns", NULL, &p, &c);
	assert_true(p.present && p.running && p.has_conditions && !p.conditions_unread);
	unlink(path);
	gather_process(dir, "dns", NULL, &p, &c);
	assert_true(p.present && p.running && !p.has_conditions && p.conditions_unread);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("nothing of the kind", f);
	fclose(f);
	gather_process(dir, "dns", NULL, &p, &c);
	assert_true(p.present && !p.has_conditions && p.conditions_unread);
	stats_close(s);
	gather_process(dir, "health", NULL, &p, &c);
	assert_false(p.present || p.running || p.has_conditions || p.conditions_unread);
	assert_true(p.age_ms == UINT64_MAX);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* What is on a page of weir-dataplane, in the order of the table below. */
static const char *const words_of_dataplane[] = {
	"weir_dataplane_document_refused",
	"weir_dataplane_learning",
	"weir_dataplane_document",
	"weir_dataplane_ports",
	"weir_dataplane_dpdk",
	STATS_FORWARD,
};

static void each_word_of_a_page_has_its_meaning(void **state)
{
	static const struct {
		const char *process;
		uint64_t words[6];
		struct gather_process seen;
	} rows[] = {
		{ "dataplane", { 0 }, { .present = true } },
		{ "dataplane", { 1, 0, 0, 5, 1, 1 }, { .refused = true } },
		{ "dataplane", { 0, 1, 0, 5, 1, 1 }, { .learning = true } },
		{ "dataplane", { 0, 0, 7, 5, 0, 1 }, { .has_ports = true, .n_ports = 5 } },
		{ "dataplane",
		  { 0, 0, 7, 4, 1, 0 },
		  { .has_ports = true, .n_ports = 4, .dpdk = true } },
		{ "run", { 1, 1, 7, 5, 1, 1 }, { .workers_forward = true } },
		{ "run", { 1, 1, 7, 5, 1, 0 }, { .present = true } },
		{ "health", { 1, 1, 7, 5, 1, 1 }, { .present = true } }, /* not its words */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct gather_process *e = &rows[i].seen;
		struct gather_process p;
		struct stats *s;

		assert_int_equal(stats_create(dir, rows[i].process, 16, &s), 0);
		for (size_t k = 0; k < 6; k++)
			stats_set(stats_get_counter(s, STATS_GAUGE, words_of_dataplane[k], "", "h"),
			          rows[i].words[k]);
		gather_process(dir, rows[i].process, NULL, &p, NULL);
		stats_close(s);
		if (p.refused != e->refused || p.learning != e->learning ||
		    p.has_ports != e->has_ports || p.n_ports != e->n_ports || p.dpdk != e->dpdk ||
		    p.workers_forward != e->workers_forward)
			fail_msg("row %zu", i);
		assert_true(p.present && p.running && p.exists);
		assert_false(p.has_conditions || p.conditions_unread); /* not wanted */
	}
}

/* Two seconds without a sign of life; and at once where the process has ended. */
static void a_process_runs_while_it_exists_and_signs(void **state)
{
	struct gather_process p;
	struct stats *s;

	(void)state;
	assert_int_equal(stats_create(dir, "mgmt", 16, &s), 0);
	stats_alive(s, clock_mono_ms() - 1000);
	gather_process(dir, "mgmt", NULL, &p, NULL);
	assert_true(p.running && p.age_ms >= 1000);
	stats_alive(s, clock_mono_ms() - 60000);
	gather_process(dir, "mgmt", NULL, &p, NULL);
	assert_true(p.present && p.exists && !p.running);
	assert_in_range(p.age_ms, 60000, 120000);
	struct life_watch watch = { 0 }; /* this process was paused, too, and just goes on */
	life_look(&watch, LIFE_FOR_STATUS, clock_mono_ms() - 60000);
	gather_process(dir, "mgmt", &watch, &p, NULL);
	assert_true(p.running && p.age_ms >= 60000);
	for (uint64_t ms = 2500; ms; ms -= 500) /* it has gone on for a while */
		life_look(&watch, LIFE_FOR_STATUS, clock_mono_ms() - ms);
	gather_process(dir, "mgmt", &watch, &p, NULL);
	assert_false(p.running);
	stats_alive(s, clock_mono_ms() + 60000); /* no time passes backwards */
	gather_process(dir, "mgmt", NULL, &p, NULL);
	assert_int_equal(p.age_ms, 0);
	stats_close(s);
	pid_t child = fork();
	if (child == 0)
		_exit(stats_create(dir, "mgmt", 16, &s) ? 1 : 0);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	gather_process(dir, "mgmt", NULL, &p, NULL);
	assert_true(p.present && !p.exists && !p.running);
}

static void the_supervisor_is_a_fact_with_its_conditions(void **state)
{
	const struct gather_process seen = {
		.present = true, .age_ms = 70, .has_conditions = true, .conditions_unread = true
	};
	const struct gather_process other = { .running = true, .age_ms = 5 };
	const struct conditions c = { .n = 1 };
	struct judge_process p = gather_fact("run", &seen, &c);

	(void)state;
	assert_string_equal(p.name, "run");
	assert_true(p.present && !p.running && p.conditions_unread);
	assert_int_equal(p.age_ms, 70);
	assert_ptr_equal(p.conditions, &c);
	p = gather_fact("run", &other, &c);
	assert_true(p.running && !p.present && !p.conditions_unread);
	assert_null(p.conditions);
}

SUITE(gather)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(another_site_s_pools_are_not_this_node_s_trouble),
		T(verdicts_are_counted_by_what_they_say),
		T(an_override_counts_for_its_own_backend_while_it_lasts),
		T(who_owns_no_slots_neither_serves_nor_wants_a_next_hop),
		T(backends_of_the_backup_that_serve_are_counted_apart),
		T(a_site_is_up_by_what_is_seen_now),
		cmocka_unit_test(conditions_that_cannot_be_read_are_unread),
		cmocka_unit_test(each_word_of_a_page_has_its_meaning),
		cmocka_unit_test(a_process_runs_while_it_exists_and_signs),
		cmocka_unit_test(the_supervisor_is_a_fact_with_its_conditions),
	};

	return cmocka_run_group_tests_name("gather", tests, make_dir, remove_dir);
}
