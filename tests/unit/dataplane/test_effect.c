/* SPDX-License-Identifier: BSD-2-Clause */
/* The effect (dataplane/export/effect_scan.c): what is counted in tables made by hand, slot by slot. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dataplane/effect_scene.h"
#include "tests/unit/suite.h"

static void set_slot(uint32_t slot, uint16_t word)
{
	t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK] = word;
}

static const struct effect_pool *pool_of(uint64_t id)
{
	const struct effect_pool *pools = effect_page_pools(&out.page);

	for (uint32_t i = 0; i < out.page.total.n_pools; i++)
		if (pools[i].pool == id)
			return &pools[i];
	fail_msg("no pool %llu", (unsigned long long)id);
	return NULL;
}

static const struct effect_backend *row_of(uint64_t pool, uint64_t id)
{
	const struct effect_backend *rows = effect_page_backends(&out.page);
	uint32_t i = effect_row(rows, out.page.total.n_backends, pool, id);

	assert_true(i < out.page.total.n_backends && rows[i].pool == pool && rows[i].id == id);
	return &rows[i];
}

static const struct {
	const char *why;
	uint16_t owner;
	bool looks;
	uint16_t tcp, udp; /* bases; 0: settled */
	uint32_t based[3]; /* of backends 1 to 3 */
	bool unsettled;
} claim_cases[] = {
	{ "settled", 1, false, 0, 0, { 0, 0, 0 }, false },
	{ "claims of a slot that does not look are old", 1, false, 2, 3, { 0, 0, 0 }, false },
	{ "it looks for exceptions alone", 1, true, 0, 0, { 0, 0, 0 }, false },
	{ "TCP's base", 1, true, 2, 0, { 0, 1, 0 }, true },
	{ "UDP's base", 1, true, 0, 3, { 0, 0, 1 }, true },
	{ "two bases", 1, true, 2, 3, { 0, 1, 1 }, true },
	{ "one base of both counts once", 1, true, 2, 2, { 0, 1, 0 }, true },
	{ "the owner is its own base", 1, true, 1, 1, { 0, 0, 0 }, false },
	{ "the owner is TCP's base alone", 1, true, 1, 3, { 0, 0, 1 }, true },
	{ "nobody's slot with a base", 0, true, 2, 0, { 0, 1, 0 }, true },
	{ "a base that no table has", 1, true, BACKENDS, 0, { 0, 0, 0 }, true },
};

static void claims_of_both_classes_count_where_they_last(void **state)
{
	(void)state;
	for (uint16_t i = 1; i <= 3; i++)
		use_backend(i, PLAIN, i, 0);
	for (size_t i = 0; i < COUNT(claim_cases); i++) {
		struct owner_cold *cold = &t.colds[63]; /* the last of the pool */

		set_slot(63,
		         claim_cases[i].owner | (claim_cases[i].looks ? FWD_SLOT_UNSETTLED : 0));
		cold->claim[0] = (struct owner_claim){ .base = claim_cases[i].tcp,
			                               .settle_at = claim_cases[i].tcp ? 9 : 0 };
		cold->claim[1] = (struct owner_claim){ .base = claim_cases[i].udp,
			                               .settle_at = claim_cases[i].udp ? 9 : 0 };
		assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
		for (uint64_t k = 1; k <= 3; k++)
			if (row_of(PLAIN, k)->base_slots != claim_cases[i].based[k - 1])
				fail_msg("%s: backend %d", claim_cases[i].why, (int)k);
		if (pool_of(PLAIN)->unsettled != claim_cases[i].unsettled)
			fail_msg("%s: unsettled", claim_cases[i].why);
		assert_int_equal(row_of(PLAIN, 1)->slots, claim_cases[i].owner == 1);
		assert_int_equal(pool_of(PLAIN)->empty, claim_cases[i].owner == 1 ? 31 : 32);
		assert_int_equal(pool_of(AGENTS)->empty, 32);
	}
}

enum { UNIT = NOW_S / OWNER_LIST_UNIT_S, G = OWNER_LIST_TEMPORARY };
static const struct {
	const char *why;
	uint16_t named[OWNER_LIST_MAX];
	uint16_t third_ends, udp;
	uint32_t based[4];
	bool unsettled, full;
} list_cases[] = {
	{ "nobody", { 0 }, UNIT, 0, { 0, 0, 0, 0 }, false, false },
	{ "one", { 2 }, UNIT, 0, { 0, 1, 0, 0 }, true, false },
	{ "a guest", { G | 3 }, UNIT, 0, { 0, 0, 1, 0 }, true, false },
	{ "two", { 2, 3 }, UNIT, 0, { 0, 1, 1, 0 }, true, false },
	{ "three whose time lasts", { 2, 3, 4 }, UNIT, 0, { 0, 1, 1, 1 }, true, true },
	{ "three, the oldest has had its time",
	  { 2, 3, 4 },
	  UNIT - 1,
	  0,
	  { 0, 1, 1, 1 },
	  true,
	  false },
	{ "four at the moment of a change", { 2, 3, 4, 1 }, UNIT, 0, { 1, 1, 1, 1 }, true, true },
	{ "a claim on UDP flows as in any pool", { 0 }, UNIT, 3, { 0, 0, 1, 0 }, true, false },
	{ "both", { 2 }, UNIT, 3, { 0, 1, 1, 0 }, true, false },
	{ "named, and a base: it counts twice", { 3 }, UNIT, 3, { 0, 0, 2, 0 }, true, false },
	{ "one that no table has", { BACKENDS }, UNIT, 0, { 0, 0, 0, 0 }, true, false },
};

static void lists_count_those_who_are_named(void **state)
{
	(void)state;
	for (uint16_t i = 1; i <= 4; i++)
		use_backend(i, AGENTS, i, 0);
	for (size_t i = 0; i < COUNT(list_cases); i++) {
		struct owner_cold *cold = &t.colds[64];

		memset(cold, 0, sizeof(*cold));
		set_slot(64, 1 | FWD_SLOT_UNSETTLED);
		for (uint32_t k = 0; k < OWNER_LIST_MAX; k++)
			cold->list.earlier |= (uint64_t)list_cases[i].named[k] << 16 * k;
		cold->list.end[2] = list_cases[i].third_ends;
		cold->claim[1] = (struct owner_claim){ .base = list_cases[i].udp,
			                               .settle_at = list_cases[i].udp ? 9 : 0 };
		assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
		for (uint64_t k = 1; k <= 4; k++)
			if (row_of(AGENTS, k)->base_slots != list_cases[i].based[k - 1])
				fail_msg("%s: backend %d", list_cases[i].why, (int)k);
		if (pool_of(AGENTS)->unsettled != list_cases[i].unsettled ||
		    pool_of(AGENTS)->full != list_cases[i].full)
			fail_msg("%s", list_cases[i].why);
		assert_int_equal(pool_of(PLAIN)->unsettled + pool_of(PLAIN)->full, 0);
	}
}

static void slots_are_those_of_the_pool_alone(void **state)
{
	(void)state;
	use_backend(1, PLAIN, 11, 0);
	for (uint32_t i = 31; i <= 64; i++)
		set_slot(i, i % 2 ? 1 : 7); /* 7 is no used row */
	set_slot(40, BACKENDS);             /* nor is there such a row */
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(pool_of(PLAIN)->n_slots, 32);
	assert_int_equal(pool_of(PLAIN)->empty, 0);
	assert_int_equal(row_of(PLAIN, 11)->slots, 16);
	assert_int_equal(pool_of(AGENTS)->empty, 31);
	t.pools[1].slot_range = 65 << 8 | 5; /* beyond the end */
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(pool_of(PLAIN)->n_slots + pool_of(PLAIN)->empty, 0);
	t.pools[1].slot_range = 64 << 8 | 5; /* the very end */
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(pool_of(PLAIN)->n_slots, 32);
}

static void exceptions_count_for_who_has_them(void **state)
{
	const uint64_t lives = owner_end(NOW_S, 30), over = owner_end(NOW_S - 100, 30);

	(void)state;
	use_backend(2, PLAIN, 22, 0);
	use_backend(3, PLAIN, 33, 0);
	use_backend(4, AGENTS, 44, 0);
	for (uint32_t way = 0; way < OWNER_WAYS; way++)
		t.exceptions[3].word[way] = owner_word(way < 5 ? 2 : 3, OWNER_OPEN, lives, way);
	t.exceptions[0].word[0] = owner_word(4, OWNER_UDP, lives, 1);
	t.exceptions[0].word[1] = owner_word(4, OWNER_UDP, over, 1);
	t.exceptions[1].word[0] = owner_word(BACKENDS, OWNER_OPEN, lives, 1);
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(row_of(PLAIN, 22)->exceptions, 5);
	assert_int_equal(row_of(PLAIN, 33)->exceptions, 3);
	assert_int_equal(row_of(AGENTS, 44)->exceptions, 1);
	assert_int_equal(pool_of(PLAIN)->exceptions, 8);
	assert_int_equal(pool_of(AGENTS)->exceptions, 1);
	assert_int_equal(out.page.total.exceptions, 10);
	assert_int_equal(out.page.total.exceptions_max, 4 * OWNER_WAYS);
}

static const struct {
	uint32_t index;
	uint64_t pool, id;
	uint8_t flags;
} unsorted[] = { { 1, AGENTS, 5, 0 },
	         { 2, PLAIN, 9, FWD_BACKEND_DEAD },
	         { 3, AGENTS, 2, FWD_BACKEND_NO_NEXT_HOP },
	         { 5, PLAIN, 7, FWD_BACKEND_DEAD | FWD_BACKEND_NO_NEXT_HOP },
	         { 7, PLAIN, 8, 0 } };

static void rows_are_sorted_and_belong_to_pools(void **state)
{
	static const uint32_t order[] = { 5, 7, 2, 3, 1 };
	const struct effect_backend *rows = effect_page_backends(&out.page);

	(void)state;
	for (size_t i = 0; i < COUNT(unsorted); i++)
		use_backend(unsorted[i].index, unsorted[i].pool, unsorted[i].id, unsorted[i].flags);
	use_backend(4, 0, 1, 0); /* of no pool */
	use_backend(6, PLAIN, 3, 0);
	t.backends[6].flags = 0; /* not used */
	t.backends[0] = t.backends[1];
	for (uint32_t c = 0; c < 2; c++)
		for (uint32_t i = 0; i < BACKENDS; i++)
			t.backend_counts[c * BACKENDS + i] =
			        (struct fwd_count){ 10 * i + c, 1000 * i + c };
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(out.page.total.n_backends, COUNT(order));
	for (size_t i = 0; i < COUNT(order); i++) {
		assert_int_equal(rows[i].index, order[i]);
		assert_int_equal(rows[i].packets, 20 * order[i] + 1);
		assert_int_equal(rows[i].bytes, 2000 * order[i] + 1);
		assert_int_equal(rows[i].inner_mtu, 1400 + order[i]);
	}
	for (size_t i = 0; i < COUNT(unsorted); i++) {
		const struct effect_backend *row = row_of(unsorted[i].pool, unsorted[i].id);

		assert_int_equal(row->alive, !(unsorted[i].flags & FWD_BACKEND_DEAD));
		assert_int_equal(row->next_hop, !(unsorted[i].flags & FWD_BACKEND_NO_NEXT_HOP));
	}
	assert_int_equal(pool_of(PLAIN)->n_backends, 3);
	assert_int_equal(pool_of(PLAIN)->first, 0);
	assert_int_equal(pool_of(AGENTS)->n_backends, 2);
	assert_int_equal(pool_of(AGENTS)->first, 3);
}

static void a_row_is_found_or_its_place(void **state)
{
	static const struct effect_backend rows[] = { { .pool = 3, .id = 5 },
		                                      { .pool = 3, .id = 9 },
		                                      { .pool = 7, .id = 1 },
		                                      { .pool = 7, .id = 6 } };
	static const struct {
		uint64_t pool, id;
		uint32_t at;
	} cases[] = { { 0, 0, 0 },  { 3, 4, 0 }, { 3, 5, 0 }, { 3, 6, 1 }, { 3, 9, 1 },
		      { 3, 10, 2 }, { 5, 0, 2 }, { 7, 0, 2 }, { 7, 1, 2 }, { 7, 2, 3 },
		      { 7, 6, 3 },  { 7, 7, 4 }, { 9, 0, 4 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(effect_row(rows, COUNT(rows), cases[i].pool, cases[i].id),
		                 cases[i].at);
	assert_int_equal(effect_row(rows, 0, 3, 5), 0);
}

static void services_of_the_half_in_force_count_with_their_vips(void **state)
{
	(void)state;
	for (uint32_t half = 0; half < 2; half++)
		for (uint32_t i = 0; i < 4; i++)
			t.services[4 * half + i].protocol = i <= half ? 6 : 0;
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(out.page.total.n_services, 1);
	t.root->active = 1;
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(out.page.total.n_services, 2);
	assert_int_equal(out.page.total.document, 12);
	assert_int_equal(out.page.total.n_pools, 2);
}

static void what_has_no_room_is_left_out(void **state)
{
	(void)state;
	for (uint16_t i = 1; i < BACKENDS; i++)
		use_backend(i, PLAIN, i, 0);
	out.page.max_pools = 2;
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	assert_int_equal(out.page.total.n_pools, 2);
	assert_int_equal(out.page.total.n_backends, 7);
	out.page.max_pools = 1;
	out.page.max_backends = 6;
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), -ENOSPC);
	assert_int_equal(out.page.total.n_pools, 1);
	assert_int_equal(out.page.total.n_backends, 6);
}

SUITE(effect)
{
	const struct CMUnitTest tests[] = {
		EFFECT_TEST(claims_of_both_classes_count_where_they_last),
		EFFECT_TEST(lists_count_those_who_are_named),
		EFFECT_TEST(slots_are_those_of_the_pool_alone),
		EFFECT_TEST(exceptions_count_for_who_has_them),
		EFFECT_TEST(rows_are_sorted_and_belong_to_pools),
		cmocka_unit_test(a_row_is_found_or_its_place),
		EFFECT_TEST(services_of_the_half_in_force_count_with_their_vips),
		EFFECT_TEST(what_has_no_room_is_left_out),
	};

	return cmocka_run_group_tests_name("effect", tests, NULL, NULL);
}
