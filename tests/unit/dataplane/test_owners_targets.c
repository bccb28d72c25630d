/* SPDX-License-Identifier: BSD-2-Clause */
/* Which ring a set's targets come from (owners/targets.c): its table row by row, and when a ring is kept or borrowed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"
#include "tests/unit/suite.h"
#include "weir/ring.h"

#define SLOTS   64u
#define MEMBERS 4u
#define MARK    4000u /* of no member: a ring that was not computed here */

static struct owners *o;
static uint8_t *states; /* [FWD_BACKENDS_MAX] */
static uint16_t marked[SLOTS];

static int make_owners(void **state)
{
	(void)state;
	o = calloc(1, sizeof(*o));
	states = calloc(FWD_BACKENDS_MAX, 1);
	if (!o || !states)
		return -1;
	o->tables.n_slots = SLOTS;
	o->key[0] = 5;
	o->key[1] = 6;
	for (unsigned i = 0; i < SLOTS; i++)
		marked[i] = (uint16_t)(MARK + i);
	return 0;
}

static int free_owners(void **state)
{
	(void)state;
	free(o);
	free(states);
	return 0;
}

/* Members 1 .. n by their weights; member i has the backend 10 * i. */
static size_t list_members(const int weights[MEMBERS], struct owners_member out[MEMBERS])
{
	size_t n = 0;

	for (; n < MEMBERS && weights[n] >= 0; n++)
		out[n] = (struct owners_member){ .id = 100 + n,
			                         .weight = (uint32_t)weights[n],
			                         .backend = (uint16_t)(10 * (n + 1)) };
	return n;
}

static struct owners_computed copy_set(const struct owners_member *members, size_t n,
                                       const uint16_t *filled)
{
	const struct owners_set from = { 11, 22, members, n, filled };
	struct owners_computed computed;

	assert_int_equal(owners_computed_copy(&from, SLOTS, &computed), 0);
	return computed;
}

static void compute_ring(const struct owners_member *members, size_t n, bool by_weight,
                         uint16_t ring[SLOTS])
{
	struct ring_backend b[MEMBERS];

	for (size_t i = 0; i < n; i++)
		b[i] = (struct ring_backend){ members[i].id, by_weight ? members[i].weight : 1,
			                      members[i].backend };
	assert_int_equal(ring_fill(ring, SLOTS, b, n, o->key), 0);
}

static const struct targets_row {
	const char *why;
	int weights[MEMBERS]; /* -1: no more */
	const char *states;   /* of each member: s serves, w waits, d dead */
	char filled;          /* w: by weights, e: in equal shares */
	const char *out;      /* x: has no slots */
} rows[] = {
	{ "nobody", { -1 }, "", 'w', "" },
	{ "all serve", { 1, 2, 3, 4 }, "ssss", 'w', "...." },
	{ "one has no weight", { 1, 0, 3, -1 }, "sss", 'w', "..." },
	{ "none has weight", { 0, 0, 0, -1 }, "sss", 'e', "..." },
	{ "of none that has weight one is dead", { 0, 0, 0, -1 }, "sds", 'e', ".x." },
	{ "one is dead", { 1, 2, 3, -1 }, "sds", 'w', ".x." },
	{ "one waits", { 1, 2, 3, -1 }, "sws", 'w', ".x." },
	{ "who serves has no weight", { 0, 2, 3, -1 }, "sww", 'e', ".xx" },
	{ "who serves has no weight, others are dead", { 2, 0, 0, -1 }, "dss", 'e', "x.." },
	{ "all wait", { 1, 2, 3, -1 }, "www", 'w', "..." },
	{ "who waits, and one is dead", { 1, 2, 3, -1 }, "wdw", 'w', ".x." },
	{ "who waits has no weight", { 0, 2, 0, -1 }, "wdw", 'e', ".x." },
	{ "one of those who wait has weight", { 0, 2, 1, -1 }, "wdw", 'w', ".x." },
	{ "all are dead", { 1, 2, 3, -1 }, "ddd", 'w', "xxx" },
	{ "all are dead, without weight", { 0, 0, 0, -1 }, "ddd", 'w', "xxx" },
	{ "one alone", { 7, -1 }, "s", 'w', "." },
	{ "one alone, dead", { 7, -1 }, "d", 'w', "x" },
};

static void compute_targets(const struct targets_row *r, const struct owners_member *members,
                            size_t n, uint16_t filled[SLOTS], uint16_t target[SLOTS])
{
	static bool out[RING_ID_MAX + 1];

	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < n; i++)
		out[members[i].backend] = r->out[i] == 'x';
	compute_ring(members, n, r->filled == 'w', filled);
	ring_repair(target, filled, SLOTS, out, o->key);
}

/* From nothing, from the ring by weights, and from the one in equal shares. */
static void targets_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct owners_member members[MEMBERS];
		const size_t n = list_members(rows[i].weights, members);
		struct owners_computed computed = copy_set(members, n, NULL);
		uint16_t filled[SLOTS], target[SLOTS];

		for (size_t k = 0; k < n; k++)
			states[members[k].backend] = rows[i].states[k] == 's'   ? OWNERS_SERVES
			                             : rows[i].states[k] == 'w' ? OWNERS_WAITS
			                                                        : OWNERS_DEAD;
		compute_targets(&rows[i], members, n, filled, target);
		for (int from = 0; from < 3; from++) {
			if (from > 0)
				compute_ring(members, n, from == 1, computed.filled);
			computed.is_filled = from > 0;
			computed.by_weight = from != 2;
			memset(computed.target, 0xff, sizeof(target));
			assert_int_equal(owners_computed_repair(&computed, o, states), 0);
			if (memcmp(computed.target, target, sizeof(target)) != 0 ||
			    memcmp(computed.filled, filled, sizeof(filled)) != 0 ||
			    !computed.is_filled || computed.by_weight != (rows[i].filled == 'w'))
				fail_msg("%s, from %d", rows[i].why, from);
		}
		owners_computed_fini(&computed);
	}
}

/* A ring that fits is not computed again: here it would be another one. */
static void a_ring_that_fits_is_kept(void **state)
{
	static const int weights[MEMBERS] = { 1, 2, 3, -1 }, none[MEMBERS] = { 0, 0, -1 };
	struct owners_member members[MEMBERS];

	(void)state;
	for (int by_weight = 0; by_weight < 2; by_weight++) {
		const size_t n = list_members(by_weight ? weights : none, members);
		struct owners_computed computed = copy_set(members, n, marked);
		uint16_t ring[SLOTS];

		memset(states, OWNERS_SERVES, FWD_BACKENDS_MAX);
		compute_ring(members, n, by_weight, ring);
		computed.by_weight = by_weight;
		assert_int_equal(owners_computed_fill(&computed, o), 0);
		assert_memory_equal(computed.filled, marked, sizeof(marked));
		assert_int_equal(owners_computed_repair(&computed, o, states), 0);
		assert_memory_equal(computed.filled, marked, sizeof(marked));
		assert_memory_equal(computed.target, marked, sizeof(marked));
		for (int is_filled = 0; is_filled < 2; is_filled++) {
			memcpy(computed.filled, marked, sizeof(marked));
			computed.is_filled = is_filled;
			computed.by_weight = is_filled ? !by_weight : by_weight;
			assert_int_equal(owners_computed_fill(&computed, o), 0);
			assert_memory_equal(computed.filled, ring, sizeof(ring));
			assert_true(computed.is_filled);
			assert_int_equal(computed.by_weight, by_weight);
		}
		owners_computed_fini(&computed);
		assert_memory_equal(&computed, &(struct owners_computed){ 0 }, sizeof(computed));
	}
}

static void a_copy_has_the_ring_that_there_is(void **state)
{
	static const int weights[MEMBERS] = { 1, 0, 3, -1 };
	static const uint16_t zeros[SLOTS];
	struct owners_member members[MEMBERS];
	const size_t n = list_members(weights, members);

	(void)state;
	for (int i = 0; i < 4; i++) {
		const bool has_ring = i % 2, has_members = i / 2;
		struct owners_computed c = copy_set(has_members ? members : NULL,
		                                    has_members ? n : 0, has_ring ? marked : NULL);

		assert_int_equal(c.from_ms, 11);
		assert_int_equal(c.until_ms, 22);
		assert_non_null(c.members);
		assert_int_equal(c.n_members, has_members ? n : 0);
		assert_memory_equal(c.members, members, c.n_members * sizeof(members[0]));
		assert_memory_equal(c.filled, has_ring ? marked : zeros, sizeof(marked));
		assert_memory_equal(c.target, zeros, sizeof(zeros));
		assert_int_equal(c.is_filled, has_ring);
		assert_int_equal(c.by_weight, has_ring);
		owners_computed_fini(&c);
	}
}

/* Who is the same, in the same order, but for members without weight. */
static void a_ring_of_the_same_members_is_borrowed(void **state)
{
	static const struct owners_member A = { 1, 5, 10, 0 }, B = { 2, 6, 20, 0 },
	                                  C = { 3, 7, 30, 0 }, zero = { 4, 0, 40, 0 },
	                                  zero2 = { 5, 0, 50, 0 };
	static const struct owners_member id = { 9, 6, 20, 0 }, weight = { 2, 9, 20, 0 },
	                                  backend = { 2, 6, 90, 0 };
	const struct {
		struct owners_member a[MEMBERS], b[MEMBERS];
		bool same;
	} cases[] = {
		{ { A, B, C }, { A, B, C }, true },
		{ { { 0 } }, { { 0 } }, true },
		{ { zero }, { { 0 } }, true },
		{ { zero, A, B }, { A, B, zero2 }, true },
		{ { A, zero, zero2, B }, { A, B }, true },
		{ { A, B }, { zero, A, zero2, B }, true },
		{ { A, B, C }, { A, B }, false },
		{ { A, B }, { A, B, C }, false },
		{ { A, B, zero }, { A, B, C }, false },
		{ { A, C }, { B, C }, false },
		{ { A }, { { 0 } }, false },
		{ { { 0 } }, { A }, false },
		{ { A, B }, { A, id }, false },
		{ { A, B }, { A, weight }, false },
		{ { A, B }, { A, backend }, false },
		{ { id, C }, { B, C }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n_a = 0, n_b = 0;

		while (n_a < MEMBERS && cases[i].a[n_a].id)
			n_a++;
		while (n_b < MEMBERS && cases[i].b[n_b].id)
			n_b++;
		for (int flags = 0; flags < 8; flags++) {
			struct owners_computed a = copy_set(cases[i].a, n_a, NULL);
			struct owners_computed b = copy_set(cases[i].b, n_b, marked);
			const bool takes = cases[i].same && flags == 6;

			a.is_filled = flags & 1;
			b.is_filled = flags & 2;
			b.by_weight = flags & 4;
			owners_computed_reuse(&a, &b, SLOTS);
			if (a.is_filled != (takes || (flags & 1)) || a.by_weight != takes ||
			    (memcmp(a.filled, marked, sizeof(marked)) == 0) != takes)
				fail_msg("case %zu, flags %d", i, flags);
			owners_computed_fini(&a);
			owners_computed_fini(&b);
		}
	}
}

/* Two members of one id, or one of too much weight: no ring, and it is not taken for one. */
static void members_of_no_ring_are_refused(void **state)
{
	static const struct owners_member bad[][2] = { { { 1, 5, 10, 0 }, { 1, 6, 20, 0 } },
		                                       { { 1, 5, 10, 0 },
		                                         { 2, RING_WEIGHT_MAX + 1, 20, 0 } } };

	(void)state;
	memset(states, OWNERS_SERVES, FWD_BACKENDS_MAX);
	for (size_t i = 0; i < 2; i++) {
		struct owners_computed c = copy_set(bad[i], 2, NULL);

		memcpy(c.target, marked, sizeof(marked));
		assert_int_equal(owners_computed_fill(&c, o), -EINVAL);
		assert_false(c.is_filled);
		assert_int_equal(owners_computed_repair(&c, o, states), -EINVAL);
		assert_false(c.is_filled);
		assert_memory_equal(c.target, marked, sizeof(marked));
		owners_computed_fini(&c);
	}
}

SUITE(owners_targets)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_those_of_the_table),
		cmocka_unit_test(a_ring_that_fits_is_kept),
		cmocka_unit_test(a_copy_has_the_ring_that_there_is),
		cmocka_unit_test(a_ring_of_the_same_members_is_borrowed),
		cmocka_unit_test(members_of_no_ring_are_refused),
	};

	return cmocka_run_group_tests_name("targets of slots", tests, make_owners, free_owners);
}
