/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/ring.h"

#define SLOTS    65536u
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint64_t key[2] = { 0x0123456789abcdef, 42 };
static uint16_t one[SLOTS], two[SLOTS], three[SLOTS];
static bool dead[RING_ID_MAX + 1];

static size_t count_owned(const uint16_t *slots, size_t n_slots, uint16_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < n_slots; i++)
		n += slots[i] == id;
	return n;
}

static size_t count_moved(const uint16_t *a, const uint16_t *b, size_t n_slots)
{
	size_t n = 0;

	for (size_t i = 0; i < n_slots; i++)
		n += a[i] != b[i];
	return n;
}

/* @p n backends of weight 100 with ids from 1 on. */
static void make_backends(struct ring_backend *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		b[i] = (struct ring_backend){ .key = 0x9e3779b97f4a7c15u * (i + 1),
			                      .weight = 100,
			                      .id = (uint16_t)(i + 1) };
}

static void kill_ids(const uint16_t *ids, size_t n)
{
	memset(dead, 0, sizeof(dead));
	for (size_t i = 0; i < n; i++)
		dead[ids[i]] = true;
}

static void rejects_bad_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		size_t n_slots, n_backends;
		uint16_t id;
		uint32_t weight;
		uint64_t key;
	} cases[] = {
		{ "no slots", 0, 0, 1, 1, 11 },
		{ "one slot", 1, 1, 1, 1, 11 },
		{ "not a power of two", 4095, 1, 1, 1, 11 },
		{ "too large", RING_SLOTS_MAX * 2, 1, 1, 1, 11 },
		{ "more backends than slots", 2, 3, 1, 1, 11 },
		{ "backend without id", 4, 1, RING_NONE, 1, 11 },
		{ "id beyond the largest", 4, 1, RING_ID_MAX + 1, 1, 11 },
		{ "weight beyond the largest", 4, 1, 1, RING_WEIGHT_MAX + 1, 11 },
		{ "two of a key", 4, 2, 1, 1, 12 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ring_backend b[3] = { { cases[i].key, cases[i].weight, cases[i].id },
			                     { 12, 1, 2 },
			                     { 13, 1, 3 } };
		uint16_t slots[4] = { 7, 7, 7, 7 };

		print_message("  %s\n", cases[i].why);
		assert_int_equal(ring_fill(slots, cases[i].n_slots, b, cases[i].n_backends, key),
		                 -EINVAL);
		assert_int_equal(slots[0], 7);
	}
}

static void without_weight_nobody_owns(void **state)
{
	(void)state;
	const struct ring_backend drained[] = { { 11, 0, 1 }, { 12, 0, 2 } };

	assert_int_equal(ring_fill(one, SLOTS, drained, COUNT(drained), key), 0);
	assert_int_equal(count_owned(one, SLOTS, RING_NONE), SLOTS);
	assert_int_equal(ring_fill(one, SLOTS, NULL, 0, key), 0);
	assert_int_equal(count_owned(one, SLOTS, RING_NONE), SLOTS);
}

static void shares_follow_weights(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t weights[4];
		size_t n_slots;
	} cases[] = {
		{ "small numbers", { 1, 2, 5, 0 }, SLOTS },
		{ "the largest weight and the smallest", { RING_WEIGHT_MAX, 1, 1, 0 }, SLOTS },
		{ "equal", { 100, 100, 100, 100 }, SLOTS },
		{ "one alone", { 0, 0, 7, 0 }, SLOTS },
		{ "few slots", { 3, 2, 2, 1 }, 32 },
	};

	for (size_t c = 0; c < COUNT(cases); c++) {
		struct ring_backend b[4];
		uint64_t total = 0;

		print_message("  %s\n", cases[c].why);
		make_backends(b, 4);
		for (size_t i = 0; i < 4; i++)
			total += b[i].weight = cases[c].weights[i];
		assert_int_equal(ring_fill(one, cases[c].n_slots, b, 4, key), 0);
		for (size_t i = 0; i < 4; i++) {
			size_t due = b[i].weight * cases[c].n_slots / total;
			size_t n = count_owned(one, cases[c].n_slots, b[i].id);

			if (b[i].weight == 0)
				assert_int_equal(n, 0);
			else
				assert_in_range(n, due - due / 8 - (due > 1), due + due / 40 + 3);
		}
	}
}

static void order_of_backends_does_not_matter(void **state)
{
	(void)state;
	struct ring_backend b[50], reversed[50];

	make_backends(b, 50);
	for (size_t i = 0; i < 50; i++) {
		b[i].weight = 1 + (uint32_t)i;
		reversed[49 - i] = b[i];
	}
	assert_int_equal(ring_fill(one, SLOTS, b, 50, key), 0);
	assert_int_equal(ring_fill(two, SLOTS, reversed, 50, key), 0);
	assert_memory_equal(one, two, sizeof(one));
}

static void ids_and_the_scale_of_weights_do_not_matter(void **state)
{
	(void)state;
	struct ring_backend b[20], other[20];

	make_backends(b, 20);
	make_backends(other, 20);
	for (size_t i = 0; i < 20; i++) {
		other[i].id += 100;
		other[i].weight *= 2;
	}
	assert_int_equal(ring_fill(one, SLOTS, b, 20, key), 0);
	assert_int_equal(ring_fill(two, SLOTS, other, 20, key), 0);
	for (size_t i = 0; i < SLOTS; i++)
		assert_int_equal(one[i] + 100, two[i]);
}

static void another_key_makes_another_ring(void **state)
{
	(void)state;
	const uint64_t keys[2][2] = { { key[0] ^ 1, key[1] }, { key[0], key[1] ^ 1 } };
	struct ring_backend b[10];

	make_backends(b, 10);
	assert_int_equal(ring_fill(one, SLOTS, b, 10, key), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ring_fill(two, SLOTS, b, 10, keys[i]), 0);
		assert_in_range(count_moved(one, two, SLOTS), SLOTS / 10 * 8, SLOTS / 10 * 10);
	}
}

static void few_slots_move_besides_the_leavers(void **state)
{
	(void)state;
	struct ring_backend b[100];

	make_backends(b, 100);
	assert_int_equal(ring_fill(one, SLOTS, b, 100, key), 0);
	for (size_t i = 0; i < 100; i += 9) {
		size_t n = count_owned(one, SLOTS, b[i].id);

		b[i].weight = 0;
		assert_int_equal(ring_fill(two, SLOTS, b, 100, key), 0);
		assert_int_equal(count_owned(two, SLOTS, b[i].id), 0);
		assert_in_range(count_moved(one, two, SLOTS), n, n * 5 / 4);
		b[i].weight = 100;
	}
}

static void a_death_moves_its_slots_alone_and_its_return_brings_them_back(void **state)
{
	(void)state;
	const uint16_t first = 17;
	struct ring_backend b[100];

	make_backends(b, 100);
	kill_ids(&first, 1);
	assert_int_equal(ring_fill(one, SLOTS, b, 100, key), 0);
	ring_repair(two, one, SLOTS, dead, key);
	assert_int_equal(count_owned(two, SLOTS, first), 0);
	assert_int_equal(count_moved(one, two, SLOTS), count_owned(one, SLOTS, first));
	kill_ids(NULL, 0);
	ring_repair(three, one, SLOTS, dead, key);
	assert_memory_equal(one, three, sizeof(one));
}

/* A second death moves the slots of the second alone: those it owned, or had been given. */
static void deaths_in_any_order_give_one_table(void **state)
{
	(void)state;
	const uint16_t ids[] = { 5, 61 };
	struct ring_backend b[100];

	make_backends(b, 100);
	assert_int_equal(ring_fill(one, SLOTS, b, 100, key), 0);
	kill_ids(ids, 1);
	ring_repair(two, one, SLOTS, dead, key);
	kill_ids(ids, 2);
	ring_repair(three, one, SLOTS, dead, key);
	for (size_t i = 0; i < SLOTS; i++)
		assert_true(three[i] == two[i] ? two[i] != 61 : two[i] == 61);
	assert_int_equal(count_owned(three, SLOTS, 5) + count_owned(three, SLOTS, 61), 0);
}

static void the_slots_of_the_dead_are_shared_by_weight(void **state)
{
	(void)state;
	struct ring_backend b[20];
	uint16_t half[10];

	make_backends(b, 20);
	for (size_t i = 0; i < 20; i++) {
		b[i].weight = i % 2 ? 300 : 100;
		if (i < 10)
			half[i] = b[i].id;
	}
	kill_ids(half, 10);
	assert_int_equal(ring_fill(one, SLOTS, b, 20, key), 0);
	ring_repair(two, one, SLOTS, dead, key);
	for (size_t i = 10; i < 20; i++) {
		size_t due = (size_t)SLOTS * b[i].weight / 2000;

		assert_in_range(count_owned(two, SLOTS, b[i].id), due - due / 10, due + due / 10);
	}
}

static void with_one_alive_it_owns_all_and_with_none_nobody(void **state)
{
	(void)state;
	struct ring_backend b[1000];
	uint16_t ids[1000];

	make_backends(b, 1000);
	for (uint16_t i = 0; i < 1000; i++)
		ids[i] = (uint16_t)(i + 1);
	assert_int_equal(ring_fill(one, SLOTS, b, 1000, key), 0);
	kill_ids(ids, 999);
	ring_repair(two, one, SLOTS, dead, key);
	assert_int_equal(count_owned(two, SLOTS, 1000), SLOTS);
	kill_ids(ids, 1000);
	ring_repair(two, one, SLOTS, dead, key);
	assert_int_equal(count_owned(two, SLOTS, RING_NONE), SLOTS);
}

static void ten_thousand_backends_fit_a_million_slots(void **state)
{
	(void)state;
	struct ring_backend *b = calloc(10000, sizeof(*b));
	uint16_t *big = calloc(RING_SLOTS_MAX, sizeof(*big));
	uint32_t counts[10001] = { 0 };

	assert_non_null(b);
	assert_non_null(big);
	make_backends(b, 10000);
	assert_int_equal(ring_fill(big, RING_SLOTS_MAX, b, 10000, key), 0);
	for (size_t i = 0; i < RING_SLOTS_MAX; i++)
		counts[big[i]]++;
	for (size_t i = 1; i <= 10000; i++)
		assert_in_range(counts[i], 105 * 6 / 10, 111);
	free(big);
	free(b);
}

SUITE(ring)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rejects_bad_sizes),
		cmocka_unit_test(without_weight_nobody_owns),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(order_of_backends_does_not_matter),
		cmocka_unit_test(ids_and_the_scale_of_weights_do_not_matter),
		cmocka_unit_test(another_key_makes_another_ring),
		cmocka_unit_test(few_slots_move_besides_the_leavers),
		cmocka_unit_test(a_death_moves_its_slots_alone_and_its_return_brings_them_back),
		cmocka_unit_test(deaths_in_any_order_give_one_table),
		cmocka_unit_test(the_slots_of_the_dead_are_shared_by_weight),
		cmocka_unit_test(with_one_alive_it_owns_all_and_with_none_nobody),
		cmocka_unit_test(ten_thousand_backends_fit_a_million_slots),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
