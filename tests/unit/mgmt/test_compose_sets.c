/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Member sets: who is in them and with what weight, how long each keeps its flows, which are
 * kept, and where they begin.
 */
#include "fixture.h"

#include <errno.h>

#include "base/arena.h"
#include "mgmt/overrides/compose.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define SETTLE_MS 900000
#define T         (NOW_MS + 10000) /* the instant that is looked at */

/* A model of one pool with three backends, whose ids fall as their names rise. */
struct toy {
	struct model_backend backends[3];
	struct model_pool pool;
	struct model model;
};

static void make_toy(struct toy *t, uint32_t w0, uint32_t w1, uint32_t w2)
{
	static const char *const names[] = { "b0", "b1", "b2" };
	const uint32_t weights[] = { w0, w1, w2 };

	*t = (struct toy){ 0 };
	for (size_t i = 0; i < 3; i++)
		t->backends[i] = (struct model_backend){ .name = names[i],
			                                 .id = 102 - i,
			                                 .port = (uint16_t)(80 + i),
			                                 .weight = weights[i],
			                                 .pool = &t->pool };
	t->pool = (struct model_pool){
		.name = "p", .settle_ms = SETTLE_MS, .backends = t->backends, .n_backends = 3
	};
	t->model = (struct model){ .pools = &t->pool, .n_pools = 1 };
}

static struct override make_override(const char *backend, enum model_override_kind kind,
                                     int64_t from_ms, int64_t over_ms, int64_t until_ms)
{
	static unsigned count;
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_BACKEND,
		              .pool = "p",
		              .generation = 1,
		              .from_ms = from_ms,
		              .over_ms = over_ms,
		              .until_ms = until_ms };

	snprintf(o.id, sizeof(o.id), "n-%u", count++);
	snprintf(o.name, sizeof(o.name), "%s", backend);
	return o;
}

static struct arena *arena;
static struct model out;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct model_pool *compose_at(struct compose_input in, int64_t now_ms)
{
	in.now_ms = now_ms;
	assert_int_equal(compose_document(&in, arena, &out), 0);
	return &out.pools[0];
}

static void kinds_times_and_targets_decide_the_weight(void **state)
{
	enum { ABSENT = -1 };
	static const struct {
		const char *why;
		struct {
			enum model_override_kind kind;
			int64_t from_ms, until_ms;
		} list[2];
		int weight;
	} rows[] = {
		{ "a drain", { { MODEL_OVERRIDE_DRAIN, T, T + 1 } }, 0 },
		{ "before it begins", { { MODEL_OVERRIDE_DRAIN, T + 1, T + 9 } }, 20 },
		{ "when it ends", { { MODEL_OVERRIDE_DRAIN, T - 9, T } }, 20 },
		{ "disabled", { { MODEL_OVERRIDE_DISABLE, T, T + 1 } }, ABSENT },
		{ "forced up", { { MODEL_OVERRIDE_FORCE_UP, T - 9, T + 9 } }, 20 },
		{ "a hold", { { MODEL_OVERRIDE_HOLD, T - 9, T + 9 } }, 20 },
		{ "drained, then disabled",
		  { { MODEL_OVERRIDE_DRAIN, T - 9, T + 9 },
		    { MODEL_OVERRIDE_DISABLE, T - 5, T + 9 } },
		  ABSENT },
		{ "disabled, then drained",
		  { { MODEL_OVERRIDE_DISABLE, T - 9, T + 9 },
		    { MODEL_OVERRIDE_DRAIN, T - 5, T + 9 } },
		  ABSENT },
		{ "drained, and forced up",
		  { { MODEL_OVERRIDE_DRAIN, T - 9, T + 9 },
		    { MODEL_OVERRIDE_FORCE_UP, T - 5, T + 9 } },
		  0 },
		{ "of two drains one is over",
		  { { MODEL_OVERRIDE_DRAIN, T - 9, T - 1 },
		    { MODEL_OVERRIDE_DRAIN, T - 5, T + 9 } },
		  0 },
	};
	struct toy t;
	size_t n;

	(void)state;
	make_toy(&t, 10, 20, 30);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override list[3];
		size_t n_list = rows[i].list[1].until_ms ? 2 : 1;
		struct overrides set = { .items = list, .n_items = n_list };
		int weight = ABSENT;

		for (size_t k = 0; k < n_list; k++)
			list[k] = make_override("b1", rows[i].list[k].kind, rows[i].list[k].from_ms,
			                        0, rows[i].list[k].until_ms);
		const struct model_member *m = compose_members(
		        &(struct member_pool){ .pool = t.pool }, &set, T, arena, &n);
		for (size_t k = 0; k < n; k++)
			if (m[k].id == 101)
				weight = (int)m[k].weight;
		if (weight != rows[i].weight || n != (weight == ABSENT ? 2u : 3u))
			fail_msg("%s: %d of %zu", rows[i].why, weight, n);
	}
}

static void members_are_sorted_and_only_of_their_own_pool(void **state)
{
	struct override list[] = {
		make_override("b0", MODEL_OVERRIDE_DISABLE, 0, 0, MODEL_TIME_NEVER),
		make_override("b1", MODEL_OVERRIDE_DISABLE, 0, 0, MODEL_TIME_NEVER)
	};
	struct overrides set = { .items = list, .n_items = 2 };
	struct toy t;
	size_t n = 0;

	(void)state;
	snprintf(list[0].pool, sizeof(list[0].pool), "q"); /* another pool's b0 */
	list[1].target = MODEL_TARGET_SITE;                /* a site that is called b1 */
	make_toy(&t, 10, 20, 0);
	const struct model_member *m =
	        compose_members(&(struct member_pool){ .pool = t.pool }, &set, T, arena, &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(m[i].id, 100 + i);
		assert_int_equal(m[i].port, 82 - i);
	}
	assert_int_equal(m[0].weight, 0); /* configured so: a member */
	assert_int_equal(m[1].weight, 20);
	assert_int_equal(m[2].weight, 10);
	struct arena *small = arena_new(1);
	t.pool.n_backends = 0;
	assert_non_null(
	        compose_members(&(struct member_pool){ .pool = t.pool }, &set, T, arena, &n));
	assert_int_equal(n, 0);
	arena_free(small);
}

/* How long the set before T keeps its flows, by what changes at T. */
static void a_claim_ends_with_the_drains_or_after_the_settling_time(void **state)
{
	enum { DRAIN = MODEL_OVERRIDE_DRAIN, DISABLE = MODEL_OVERRIDE_DISABLE };
	static const struct {
		const char *why;
		struct {
			const char *name;
			int kind;
			int64_t from_ms, over_ms, until_ms;
		} list[3];
		int64_t claim_ms; /* from T on */
	} rows[] = {
		{ "one drain", { { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER } }, 60000 },
		{ "a drain without a deadline",
		  { { "b1", DRAIN, T, 0, MODEL_TIME_NEVER } },
		  SETTLE_MS },
		{ "two drains: the later deadline",
		  { { "b0", DRAIN, T, 90000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER } },
		  90000 },
		{ "the same, the other way round",
		  { { "b0", DRAIN, T, 60000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T, 90000, MODEL_TIME_NEVER } },
		  90000 },
		{ "two drains, one without a deadline",
		  { { "b0", DRAIN, T, 60000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T, 0, MODEL_TIME_NEVER } },
		  SETTLE_MS },
		{ "two drains of one backend: the later deadline",
		  { { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T, 70000, MODEL_TIME_NEVER } },
		  70000 },
		{ "another backend's drain of before, with a later deadline",
		  { { "b0", DRAIN, T - 5000, 600000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER } },
		  60000 },
		{ "a drain of it that is still to come",
		  { { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER },
		    { "b1", DRAIN, T + 3000, 600000, MODEL_TIME_NEVER } },
		  60000 },
		{ "a drain that ends", { { "b1", DRAIN, T - 5000, 60000, T } }, SETTLE_MS },
		{ "a drain, while another ends",
		  { { "b0", DRAIN, T - 5000, 60000, T },
		    { "b1", DRAIN, T, 60000, MODEL_TIME_NEVER } },
		  SETTLE_MS },
		{ "a backend that is disabled",
		  { { "b1", DISABLE, T, 0, MODEL_TIME_NEVER } },
		  SETTLE_MS },
		{ "a drain beside one that is disabled",
		  { { "b0", DRAIN, T, 60000, MODEL_TIME_NEVER },
		    { "b1", DISABLE, T, 0, MODEL_TIME_NEVER } },
		  SETTLE_MS },
	};
	struct toy t;

	(void)state;
	make_toy(&t, 10, 20, 30);
	struct compose_version v = { &t.model, NOW_MS - 50000, NOW_MS - 50000 };
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override list[3];
		struct overrides set = { .items = list, .n_items = 0 };

		for (; set.n_items < 3 && rows[i].list[set.n_items].name; set.n_items++)
			list[set.n_items] = make_override(
			        rows[i].list[set.n_items].name,
			        (enum model_override_kind)rows[i].list[set.n_items].kind,
			        rows[i].list[set.n_items].from_ms,
			        rows[i].list[set.n_items].over_ms,
			        rows[i].list[set.n_items].until_ms);
		const struct model_pool *p = compose_at((struct compose_input){ .versions = &v,
		                                                                .n_versions = 1,
		                                                                .overrides = &set },
		                                        T);
		const struct model_set *next = &p->member_sets[p->n_member_sets - 1];
		assert_true(next->from_ms == T);
		assert_true(next->until_ms == MODEL_TIME_NEVER);
		if (next[-1].until_ms != T + rows[i].claim_ms)
			fail_msg("%s: %lld", rows[i].why, (long long)(next[-1].until_ms - T));
	}
}

static void a_new_pool_begins_with_its_version_and_again_after_a_gap(void **state)
{
	struct overrides none = { 0 };
	struct toy with, other;
	struct model without;

	(void)state;
	make_toy(&with, 10, 20, 30);
	make_toy(&other, 10, 20, 40);
	without = (struct model){ .n_pools = 0 };
	struct compose_version v[] = { { &with.model, NOW_MS, NOW_MS + 2000 },
		                       { &without, NOW_MS + 3000, NOW_MS + 5000 },
		                       { &other.model, NOW_MS + 6000, NOW_MS + 8000 } };
	struct compose_input in = { .versions = v, .n_versions = 1, .overrides = &none };
	const struct model_pool *p = compose_at(in, NOW_MS + 1000);
	assert_int_equal(p->n_member_sets, 1);
	assert_true(p->member_sets[0].from_ms == NOW_MS); /* nothing to announce */
	in.n_versions = 3;
	p = compose_at(in, NOW_MS + 9000);
	assert_int_equal(p->n_member_sets, 1); /* nothing of what was there once */
	assert_true(p->member_sets[0].from_ms == NOW_MS + 6000);
	assert_int_equal(p->member_sets[0].members[0].weight, 40);
	/* Where the clock is behind the version's, its set is in force all the same. */
	p = compose_at(in, NOW_MS + 5500);
	assert_int_equal(p->n_member_sets, 1);
	assert_true(p->member_sets[0].from_ms == NOW_MS + 5500);
}

/* One set is announced, two seconds ahead and not earlier, and none behind it. */
static void one_set_is_announced(void **state)
{
	struct override list[] = {
		make_override("b0", MODEL_OVERRIDE_DRAIN, T, 0, MODEL_TIME_NEVER),
		make_override("b1", MODEL_OVERRIDE_DRAIN, T + 500, 0, MODEL_TIME_NEVER)
	};
	struct overrides set = { .items = list, .n_items = 2 };
	struct toy t;

	(void)state;
	make_toy(&t, 10, 20, 30);
	struct compose_version v = { &t.model, NOW_MS, NOW_MS };
	struct compose_input in = { .versions = &v, .n_versions = 1, .overrides = &set };
	assert_int_equal(compose_at(in, T - 2001)->n_member_sets, 1);
	assert_int_equal(compose_at(in, T - 2000)->n_member_sets, 2);
	const struct model_pool *p = compose_at(in, T - 1);
	assert_int_equal(p->n_member_sets, 2);
	assert_true(p->member_sets[1].from_ms == T);
	assert_int_equal(compose_at(in, T)->n_member_sets, 3);
	assert_true(compose_at(in, T)->member_sets[2].from_ms == T + 500);
}

/* Sets whose claim has ended go; an agent's slots keep their last owners, whatever their time. */
static void what_has_no_claim_goes(void **state)
{
	struct override list[10];
	struct overrides set = { .items = list, .n_items = COUNT(list) };
	struct toy t;

	(void)state;
	make_toy(&t, 10, 20, 30);
	struct compose_version v = { &t.model, NOW_MS, NOW_MS };
	struct compose_input in = { .versions = &v, .n_versions = 1, .overrides = &set };
	for (size_t i = 0; i < COUNT(list); i++) /* a set each half of a second, from T on */
		list[i] = make_override("b1", MODEL_OVERRIDE_DRAIN, T + 1000 * (int64_t)i, 1,
		                        T + 1000 * (int64_t)i + 500);
	int64_t last_ms = T + 9500;
	/* The last four of 21; of these, one's claim has ended with its drain's deadline. */
	assert_int_equal(compose_at(in, last_ms)->n_member_sets, 3);
	assert_true(out.pools[0].member_sets[0].from_ms == T + 8000);
	assert_true(out.pools[0].member_sets[1].from_ms == T + 9000);
	assert_true(out.pools[0].member_sets[2].from_ms == last_ms);
	int64_t over_ms = last_ms + SETTLE_MS;
	assert_int_equal(compose_at(in, over_ms - 1)->n_member_sets, 2);
	assert_int_equal(compose_at(in, over_ms)->n_member_sets, 1);
	t.pool.agent = true;
	assert_int_equal(compose_at(in, last_ms)->n_member_sets,
	                 12); /* the last four, and all with a claim */
	assert_int_equal(compose_at(in, over_ms)->n_member_sets, 4);
}

/* Without the versions of before, sets come from a document; what these versions tell does not. */
static void earlier_sets_come_from_the_document_before(void **state)
{
	static const struct model_member members[] = { { .id = 100, .weight = 7 } };
	struct model_set sets[] = {
		{ T - 9000, T + 90000, members, 1 },
		{ T - 5000, MODEL_TIME_NEVER, members, 1 },
		{ T, MODEL_TIME_NEVER, members, 1 }, /* this version's own: worked out again */
	};
	struct model_pool pool = { .name = "p", .member_sets = sets, .n_member_sets = 3 };
	struct model before = { .pools = &pool, .n_pools = 1 };
	struct overrides none = { 0 };
	struct toy t;

	(void)state;
	make_toy(&t, 10, 20, 30);
	struct compose_version v = { &t.model, T, T };
	struct compose_input in = {
		.versions = &v, .n_versions = 1, .overrides = &none, .before = &before
	};
	const struct model_pool *p = compose_at(in, T + 1);
	assert_int_equal(p->n_member_sets, 3);
	assert_true(p->member_sets[0].from_ms == T - 9000 &&
	            p->member_sets[0].until_ms == T + 90000);
	assert_true(p->member_sets[1].from_ms == T - 5000 &&
	            p->member_sets[1].until_ms == T + SETTLE_MS);
	assert_true(p->member_sets[2].from_ms == T);
	assert_int_equal(p->member_sets[2].n_members, 3);
	assert_ptr_not_equal(p->member_sets[0].members, members); /* that document goes */
	assert_int_equal(p->member_sets[0].members[0].weight, 7);
	/* A seed stands for all, up to its last set. */
	in.before = NULL;
	in.seed = &before;
	v.effective_ms = T + 1000;
	p = compose_at(in, T + 1000);
	assert_int_equal(p->n_member_sets, 4);
	assert_true(p->member_sets[2].from_ms == T &&
	            p->member_sets[2].until_ms == T + 1000 + SETTLE_MS);
	v.effective_ms = T;
	p = compose_at(in, T + 1000);
	assert_int_equal(p->n_member_sets, 3);
}

static void the_document_has_overrides_and_its_own_record(void **state)
{
	struct override list[] = {
		make_override("b0", MODEL_OVERRIDE_DRAIN, T, 0, MODEL_TIME_NEVER),
		make_override("b1", MODEL_OVERRIDE_DISABLE, T, 0, MODEL_TIME_NEVER)
	};
	struct overrides set = { .items = list, .n_items = 2 };
	struct toy old, head;

	(void)state;
	make_toy(&old, 10, 20, 30);
	make_toy(&head, 10, 20, 31);
	struct compose_version v[] = { { &old.model, NOW_MS, NOW_MS }, { &head.model, T, T } };
	struct compose_input in = { .versions = v,
		                    .n_versions = 2,
		                    .overrides = &set,
		                    .meta = { .version = 7, .document = 9 } };
	compose_at(in, T);
	assert_int_equal(out.meta.version, 7);
	assert_int_equal(out.meta.document, 9);
	assert_int_equal(out.n_overrides, 2);
	assert_string_equal(out.overrides[1].id, list[1].id);
	assert_int_equal(out.overrides[1].kind, MODEL_OVERRIDE_DISABLE);
	assert_int_equal(out.pools[0].backends[2].weight, 31); /* the head's configuration */
	assert_string_equal(out.pools[0].name, "p");
}

/* A change that leaves all members and weights makes no set. */
static void equal_members_make_no_set(void **state)
{
	struct override o = make_override("b2", MODEL_OVERRIDE_DRAIN, T, 0, MODEL_TIME_NEVER);
	struct overrides set = { .items = &o, .n_items = 1 };
	struct toy one, two;

	(void)state;
	make_toy(&one, 10, 20, 0);
	make_toy(&two, 10, 20, 0);
	struct compose_version v[] = { { &one.model, NOW_MS, NOW_MS },
		                       { &two.model, T - 9, T - 9 } };
	struct compose_input in = { .versions = v, .n_versions = 2, .overrides = &set };
	assert_int_equal(compose_at(in, T + 9)->n_member_sets, 1); /* it has no weight as it is */
	assert_true(out.pools[0].member_sets[0].until_ms == MODEL_TIME_NEVER);
	two.backends[0].id = 99; /* another backend of that weight is another */
	assert_int_equal(compose_at(in, T + 9)->n_member_sets, 2);
}

SUITE(compose_sets)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_times_and_targets_decide_the_weight),
		cmocka_unit_test(members_are_sorted_and_only_of_their_own_pool),
		cmocka_unit_test(a_claim_ends_with_the_drains_or_after_the_settling_time),
		cmocka_unit_test(a_new_pool_begins_with_its_version_and_again_after_a_gap),
		cmocka_unit_test(one_set_is_announced),
		cmocka_unit_test(what_has_no_claim_goes),
		cmocka_unit_test(earlier_sets_come_from_the_document_before),
		cmocka_unit_test(the_document_has_overrides_and_its_own_record),
		cmocka_unit_test(equal_members_make_no_set),
	};

	return cmocka_run_group_tests_name("compose sets", tests, setup, teardown);
}
