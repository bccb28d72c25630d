/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "base/arena.h"
#include "mgmt/overrides/compose.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define SETTLE_MS 900000

/* A model of one pool, made by hand. */
struct toy {
	struct model_backend backends[4];
	struct model_pool pool;
	struct model model;
};

static void toy_make(struct toy *t, const uint32_t *weights, size_t n)
{
	*t = (struct toy){ 0 };
	for (size_t i = 0; i < n; i++) {
		static const char *const names[] = { "b0", "b1", "b2", "b3" };

		t->backends[i] = (struct model_backend){
			.name = names[i], .id = 100 + i, .weight = weights[i], .pool = &t->pool
		};
	}
	t->pool = (struct model_pool){
		.name = "p", .settle_ms = SETTLE_MS, .backends = t->backends, .n_backends = n
	};
	t->model = (struct model){ .pools = &t->pool, .n_pools = 1 };
}

static struct override make_override(const char *backend, enum model_override_kind kind,
                                     int64_t from_ms, int64_t over_ms, int64_t until_ms)
{
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_BACKEND,
		              .generation = 1,
		              .from_ms = from_ms,
		              .over_ms = over_ms,
		              .until_ms = until_ms };

	snprintf(o.id, sizeof(o.id), "n-%s-%d", backend, (int)kind);
	snprintf(o.pool, sizeof(o.pool), "p");
	snprintf(o.name, sizeof(o.name), "%s", backend);
	return o;
}

/* Compose the pool at @p now_ms; the arena is the caller's. */
static const struct model_pool *sets_at(const struct compose_version *versions, size_t n,
                                        const struct overrides *set, int64_t now_ms,
                                        struct arena *arena)
{
	static struct model out;
	struct compose_input in = {
		.versions = versions, .n_versions = n, .overrides = set, .now_ms = now_ms
	};

	assert_int_equal(compose_document(&in, arena, &out), 0);
	assert_true(out.pools[0].n_member_sets >= 1);
	assert_true(out.pools[0].member_sets[0].from_ms <= now_ms);
	return &out.pools[0];
}

static void without_overrides_there_is_one_set_that_never_ends(void **state)
{
	(void)state;
	static const uint32_t weights[] = { 100, 50 };
	struct arena *arena = arena_new(1 << 24);
	struct toy t;
	struct overrides none = { 0 };

	toy_make(&t, weights, 2);
	struct compose_version v = { &t.model, NOW_MS, NOW_MS };
	const struct model_pool *p = sets_at(&v, 1, &none, NOW_MS + 5, arena);
	assert_int_equal(p->n_member_sets, 1);
	assert_true(p->member_sets[0].until_ms == MODEL_TIME_NEVER);
	assert_int_equal(p->member_sets[0].n_members, 2);
	assert_int_equal(p->member_sets[0].members[1].weight, 50);
	arena_free(arena);
}

static void a_drain_is_announced_and_its_deadline_ends_the_claim(void **state)
{
	(void)state;
	static const uint32_t weights[] = { 100, 100 };
	struct arena *arena = arena_new(1 << 24);
	struct toy t;
	struct override drain =
	        make_override("b1", MODEL_OVERRIDE_DRAIN, NOW_MS + 2000, 60000, MODEL_TIME_NEVER);
	struct overrides set = { .items = &drain, .n_items = 1 };
	const struct model_pool *p;

	toy_make(&t, weights, 2);
	struct compose_version v = { &t.model, NOW_MS - 5000, NOW_MS - 5000 };
	p = sets_at(&v, 1, &set, NOW_MS - 1, arena);
	assert_int_equal(p->n_member_sets, 1); /* more than two seconds ahead */
	for (int64_t now_ms = NOW_MS; now_ms < NOW_MS + 62000; now_ms += 31000) {
		p = sets_at(&v, 1, &set, now_ms, arena);
		assert_int_equal(p->n_member_sets, 2);
		assert_true(p->member_sets[0].until_ms == NOW_MS + 62000);
		assert_true(p->member_sets[1].from_ms == NOW_MS + 2000);
		assert_int_equal(p->member_sets[1].n_members, 2);
		assert_int_equal(p->member_sets[1].members[1].weight, 0);
	}
	p = sets_at(&v, 1, &set, NOW_MS + 62000, arena);
	assert_int_equal(p->n_member_sets, 1);
	assert_int_equal(p->member_sets[0].members[1].weight, 0);
	arena_free(arena);
}

static void a_disabled_backend_is_no_member(void **state)
{
	(void)state;
	static const uint32_t weights[] = { 100, 100 };
	struct arena *arena = arena_new(1 << 24);
	struct toy t;
	struct override disable =
	        make_override("b0", MODEL_OVERRIDE_DISABLE, NOW_MS, 0, NOW_MS + 5000);
	struct overrides set = { .items = &disable, .n_items = 1 };

	toy_make(&t, weights, 2);
	struct compose_version v = { &t.model, NOW_MS - 5000, NOW_MS - 5000 };
	const struct model_pool *p = sets_at(&v, 1, &set, NOW_MS, arena);
	assert_int_equal(p->n_member_sets, 2);
	assert_int_equal(p->member_sets[1].n_members, 1);
	assert_true(p->member_sets[0].until_ms == NOW_MS + SETTLE_MS);
	p = sets_at(&v, 1, &set, NOW_MS + 5001, arena);
	assert_int_equal(p->n_member_sets, 3);
	assert_int_equal(p->member_sets[2].n_members, 2);
	arena_free(arena);
}

static void at_most_four_sets_and_the_next_are_kept(void **state)
{
	(void)state;
	static const uint32_t weights[] = { 100, 100, 100, 100 };
	struct arena *arena = arena_new(1 << 24);
	struct override drains[40];
	struct overrides set = { .items = drains, .n_items = COUNT(drains) };
	struct toy t;

	toy_make(&t, weights, 4);
	struct compose_version v = { &t.model, NOW_MS - 50000, NOW_MS - 50000 };
	for (size_t i = 0; i < COUNT(drains); i++) {
		int64_t at_ms = NOW_MS + 3000 * (int64_t)i;

		drains[i] = make_override(t.backends[i % 4].name, MODEL_OVERRIDE_DRAIN, at_ms, 0,
		                          at_ms + 1500);
	}
	for (int64_t now_ms = NOW_MS; now_ms < NOW_MS + 130000; now_ms += 777) {
		const struct model_pool *p = sets_at(&v, 1, &set, now_ms, arena);
		size_t past = 0;

		for (size_t i = 0; i < p->n_member_sets; i++) {
			past += p->member_sets[i].from_ms <= now_ms;
			assert_true(i == 0 ||
			            p->member_sets[i].from_ms > p->member_sets[i - 1].from_ms);
		}
		assert_in_range(past, 1, MODEL_SETS_MAX);
		assert_true(p->n_member_sets <= past + 1);
		assert_true(p->member_sets[p->n_member_sets - 1].from_ms <=
		            now_ms + COMPOSE_AHEAD_MS);
	}
	arena_free(arena);
}

/* What a node that was there all the time composes, one that has just heard of it all does too. */
/* Versions that are no longer at hand are not told by those that are. */
static void what_was_before_the_oldest_version_at_hand_stays_as_it_was(void **state)
{
	(void)state;
	static const uint32_t weights[][2] = { { 100, 100 }, { 50, 100 }, { 100, 70 } };
	struct override drain =
	        make_override("b1", MODEL_OVERRIDE_DRAIN, NOW_MS + 5000, 60000, NOW_MS + 8000);
	struct overrides set = { .items = &drain, .n_items = 1 };
	struct arena *arena = arena_new(1 << 24);
	struct compose_version versions[3];
	struct compose_input in = {
		.versions = versions, .n_versions = 2, .overrides = &set, .now_ms = NOW_MS + 15000
	};
	struct model first, second;
	struct toy t[3];

	for (int i = 0; i < 3; i++) {
		toy_make(&t[i], weights[i], 2);
		t[i].pool.agent = true; /* keeps more than four */
		versions[i] = (struct compose_version){ &t[i].model, NOW_MS + 10000 * i,
			                                NOW_MS + 10000 * i };
	}
	assert_int_equal(compose_document(&in, arena, &first), 0);
	assert_int_equal(first.pools[0].n_member_sets, 4); /* version, drain, its end, version */
	in = (struct compose_input){ .versions = versions + 2,
		                     .n_versions = 1,
		                     .before = &first,
		                     .overrides = &set,
		                     .now_ms = NOW_MS + 21000 };
	assert_int_equal(compose_document(&in, arena, &second), 0);
	assert_int_equal(second.pools[0].n_member_sets, 5);
	for (size_t i = 0; i < 4; i++) {
		const struct model_set *a = &first.pools[0].member_sets[i],
		                       *b = &second.pools[0].member_sets[i];

		assert_true(a->from_ms == b->from_ms);
		assert_memory_equal(a->members, b->members, 2 * sizeof(*a->members));
	}
	assert_true(second.pools[0].member_sets[3].until_ms == NOW_MS + 20000 + SETTLE_MS);
	assert_int_equal(second.pools[0].member_sets[4].members[1].weight, 70);
	arena_free(arena);
}

static void history_does_not_matter(void **state)
{
	(void)state;
	static const uint32_t before[] = { 100, 100, 100 }, after[] = { 100, 50, 100, 10 };
	struct arena *arena = arena_new(1 << 24);
	struct toy one, two;
	struct override drain =
	        make_override("b2", MODEL_OVERRIDE_DRAIN, NOW_MS + 7000, 60000, NOW_MS + 90000);
	struct overrides set = { .items = &drain, .n_items = 1 };

	toy_make(&one, before, 3);
	toy_make(&two, after, 4);
	struct compose_version versions[] = { { &one.model, NOW_MS, NOW_MS },
		                              { &two.model, NOW_MS + 1000, NOW_MS + 3000 } };
	const struct model_pool *p = sets_at(versions, 2, &set, NOW_MS + 2000, arena);
	assert_int_equal(p->n_member_sets, 2);
	assert_true(p->member_sets[1].from_ms == NOW_MS + 3000);
	assert_int_equal(p->member_sets[1].n_members, 4);
	p = sets_at(versions, 2, &set, NOW_MS + 20000, arena);
	assert_int_equal(p->n_member_sets, 3);
	assert_true(p->member_sets[0].until_ms == NOW_MS + 3000 + SETTLE_MS);
	assert_true(p->member_sets[1].until_ms == NOW_MS + 67000);
	assert_int_equal(p->member_sets[2].members[2].weight, 0);
	arena_free(arena);
}

static void the_document_is_due_two_seconds_before_each_instant_and_at_it(void **state)
{
	(void)state;
	static const uint32_t weights[] = { 100, 100 };
	struct override drain =
	        make_override("b1", MODEL_OVERRIDE_DRAIN, NOW_MS + 9000, 0, NOW_MS + 60000);
	struct overrides set = { .items = &drain, .n_items = 1 };
	const struct model_site ams = { .name = "ams" };
	const struct model_at at = { .site = &ams };
	const struct model_service web = { .at = &at, .n_at = 1 };
	const struct model_dns_name www = { .service = &web, .ttl_max_s = 7 };
	struct toy t;

	toy_make(&t, weights, 2);
	struct compose_version v = { &t.model, NOW_MS - 5000, NOW_MS - 5000 };
	struct compose_input in = { .versions = &v, .n_versions = 1, .overrides = &set };
	static const int64_t due[] = { 7000, 9000, 58000, 60000 };
	static const enum model_target_kind targets[] = { MODEL_TARGET_BACKEND, MODEL_TARGET_NODE };
	for (size_t k = 0; k < COUNT(targets); k++) {
		drain.target = targets[k];
		if (drain.target == MODEL_TARGET_NODE)
			drain.pool[0] = '\0';
		in.now_ms = NOW_MS;
		for (size_t i = 0; i < COUNT(due); i++) {
			assert_true(compose_next_ms(&in) == NOW_MS + due[i]);
			in.now_ms = NOW_MS + due[i];
		}
		assert_true(compose_next_ms(&in) == MODEL_TIME_NEVER);
	}
	drain.target =
	        MODEL_TARGET_SITE; /* weir-dns has its ramp; after it and a TTL nodes may leave */
	drain.over_ms = 20000;
	snprintf(drain.name, sizeof(drain.name), "ams");
	t.model.dns_names = &www;
	t.model.n_dns_names = 1;
	in.now_ms = NOW_MS + 9000;
	assert_true(compose_next_ms(&in) == NOW_MS + 39000);
	in.now_ms = NOW_MS + 39000;
	assert_true(compose_next_ms(&in) == NOW_MS + 41000);
	in.now_ms = NOW_MS + 41000;
	assert_true(compose_next_ms(&in) == NOW_MS + 58000);
}

SUITE(compose)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_overrides_there_is_one_set_that_never_ends),
		cmocka_unit_test(a_drain_is_announced_and_its_deadline_ends_the_claim),
		cmocka_unit_test(a_disabled_backend_is_no_member),
		cmocka_unit_test(at_most_four_sets_and_the_next_are_kept),
		cmocka_unit_test(what_was_before_the_oldest_version_at_hand_stays_as_it_was),
		cmocka_unit_test(history_does_not_matter),
		cmocka_unit_test(the_document_is_due_two_seconds_before_each_instant_and_at_it),
	};

	return cmocka_run_group_tests_name("compose", tests, NULL, NULL);
}
