/* SPDX-License-Identifier: BSD-2-Clause */
/* Shadow tables (dataplane/tables/shadow.c), byte by byte: what is copied, stored, found damaged and left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables/shadow.h"

#include "tests/fwd/memory.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum fwd_table shadowed[] = { FWD_TABLE_ROOT,         FWD_TABLE_services,
	                                   FWD_TABLE_pools,        FWD_TABLE_backends,
	                                   FWD_TABLE_destinations, FWD_TABLE_macs,
	                                   FWD_TABLE_drills };
static const struct driver_sizes sizes = { 4, 4, 3, 5, 64, 4 };
static const struct driver_sizes larger = { 8, 4, 6, 9, 64, 4 };

static struct fwd_tables t;
static struct shadow w;
static char reported[256]; /* "<table>[<element>] " of each damage */

static void note_damage(void *arg, enum fwd_table table, uint32_t element)
{
	const size_t n = strlen(reported);

	assert_ptr_equal(arg, &w);
	snprintf(reported + n, sizeof(reported) - n, "%d[%u] ", (int)table, element);
}

/* Each byte of the tables another one than that beside it, and never 0. */
static void fill_tables(const struct fwd_tables *tables, unsigned salt)
{
	struct layout_table all[FWD_TABLE_COUNT];

	layout_list(tables, all);
	for (size_t k = 0; k < COUNT(shadowed); k++)
		for (size_t i = 0; i < layout_bytes(&all[shadowed[k]]); i++)
			((uint8_t *)all[shadowed[k]].memory)[i] =
			        (uint8_t)(1 + (i * 7 + k * 11 + salt) % 255);
}

static int setup(void **state)
{
	(void)state;
	memory_new(&t, &sizes, 2);
	fill_tables(&t, 0);
	t.root->active = 0;
	assert_int_equal(shadow_new(&t, &w), 0);
	w.on_damaged = note_damage;
	w.arg = &w;
	reported[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shadow_free(&w);
	memory_free(&t);
	return 0;
}

/* Whether others write byte @p off of an element. */
static bool is_of_others(enum fwd_table table, size_t off)
{
	if (table == FWD_TABLE_backends)
		return off == 62 || off == 63;                         /* learned_mtu */
	return table == FWD_TABLE_ROOT && ((off >= 56 && off < 60) ||  /* sample_wide */
	                                   (off >= 160 && off < 176)); /* the ticks */
}

static uint8_t *element_of(const struct fwd_tables *tables, enum fwd_table table, uint32_t i)
{
	struct layout_table all[FWD_TABLE_COUNT];

	layout_list(tables, all);
	return (uint8_t *)all[table].memory + i * all[table].element_bytes;
}

/* Where element @p i of the shadow is in the tables. */
static uint8_t *element_in(const struct fwd_tables *tables, enum fwd_table table, uint32_t i)
{
	return element_of(tables, table,
	                  table == FWD_TABLE_services && tables->root->active & 1
	                          ? tables->n_services / 2 + i
	                          : i);
}

static void only_some_tables_have_a_shadow(void **state)
{
	static const unsigned wanted[FWD_TABLE_COUNT] = { [FWD_TABLE_ROOT] = 1,
		                                          [FWD_TABLE_services] = 4,
		                                          [FWD_TABLE_pools] = 3,
		                                          [FWD_TABLE_backends] = 5,
		                                          [FWD_TABLE_destinations] = 4,
		                                          [FWD_TABLE_macs] = FWD_MAC_BUCKETS,
		                                          [FWD_TABLE_drills] = FWD_DRILLS_MAX };
	struct layout_table all[FWD_TABLE_COUNT];
	const struct shadow none = { 0 };

	(void)state;
	layout_list(&t, all);
	for (int i = 0; i < FWD_TABLE_COUNT; i++) {
		assert_int_equal(shadow_elements(&w, (enum fwd_table)i),
		                 i == FWD_TABLE_destinations ? all[i].elements : wanted[i]);
		assert_int_equal(shadow_elements(&none, (enum fwd_table)i), 0);
		assert_int_equal(shadow_element_bytes((enum fwd_table)i), all[i].element_bytes);
	}
	assert_null(w.t.slots);
	assert_null(w.t.colds);
}

/* The half in force alone, and not what routers have told. */
static void a_shadow_begins_as_the_tables_are(void **state)
{
	(void)state;
	for (uint32_t active = 0; active < 4; active++) {
		shadow_free(&w);
		t.root->active = active;
		assert_int_equal(shadow_new(&t, &w), 0);
		for (size_t k = 0; k < COUNT(shadowed); k++)
			for (uint32_t i = 0; i < shadow_elements(&w, shadowed[k]); i++) {
				const uint8_t *own = element_of(&w.t, shadowed[k], i);
				const uint8_t *theirs = element_in(&t, shadowed[k], i);

				for (size_t off = 0; off < shadow_element_bytes(shadowed[k]); off++)
					assert_int_equal(own[off],
					                 shadowed[k] == FWD_TABLE_backends &&
					                                 off >= 62
					                         ? 0
					                         : theirs[off]);
			}
		assert_null(w.on_damaged);
		assert_int_equal(w.n_damaged, 0);
	}
}

/* All bytes change but those of others, and of no other element. */
static void an_element_is_put_into_both(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(shadowed); k++) {
		const size_t bytes = shadow_element_bytes(shadowed[k]);
		uint8_t element[1024], before[3][1024];

		for (uint32_t i = 0; i < shadow_elements(&w, shadowed[k]); i++) {
			uint8_t *at = element_in(&t, shadowed[k], i);

			for (size_t off = 0; off < bytes; off++)
				element[off] = (uint8_t)~at[off];
			if (shadowed[k] == FWD_TABLE_ROOT) /* as packets need it */
				memcpy(element + 4, &t.root->active, 4);
			memcpy(before[0], i ? at - bytes : at, bytes);
			memcpy(before[1], at, bytes);
			if (i + 1 < shadow_elements(&w, shadowed[k]))
				memcpy(before[2], at + bytes, bytes);
			shadow_put(&w, &t, shadowed[k], i, element);
			assert_memory_equal(element_of(&w.t, shadowed[k], i), element, bytes);
			for (size_t off = 0; off < bytes; off++)
				assert_int_equal(at[off], is_of_others(shadowed[k], off)
				                                  ? before[1][off]
				                                  : element[off]);
			if (i)
				assert_memory_equal(at - bytes, before[0], bytes);
			if (i + 1 < shadow_elements(&w, shadowed[k]))
				assert_memory_equal(at + bytes, before[2], bytes);
		}
	}
	assert_string_equal(reported, "");
	assert_int_equal(w.n_damaged, 0);
}

/* By each byte alone, of the first element and of the last. */
static void each_damaged_byte_is_found_and_mended(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t k = 0; k < COUNT(shadowed); k++) {
		const enum fwd_table table = shadowed[k];
		const uint32_t count = shadow_elements(&w, table);

		for (uint32_t i = 0; i<count; i += count> 1 ? count - 1 : 1)
			for (size_t off = 0; off < shadow_element_bytes(table); off++) {
				uint8_t *at = element_in(&t, table, i) + off, was = *at;
				const bool counts = !is_of_others(table, off);
				char wanted[32] = "";

				if (table == FWD_TABLE_ROOT && off >= 4 && off < 8)
					continue; /* which half it is is read of the shadow */
				if (counts)
					snprintf(wanted, sizeof(wanted), "%d[%u] ", (int)table, i);
				*at ^= 0x40;
				reported[0] = '\0';
				assert_int_equal(shadow_check(&w, &t, table, 0, count), counts);
				assert_string_equal(reported, wanted);
				assert_int_equal(*at, counts ? was : (was ^ 0x40));
				assert_int_equal(shadow_check(&w, &t, table, 0, count), 0);
				*at = was ^ 0x40;
				reported[0] = '\0';
				shadow_put(&w, &t, table, i, element_of(&w.t, table, i));
				assert_string_equal(reported, wanted);
				assert_int_equal(*at, counts ? was : (was ^ 0x40));
				*at = was ^ 0x40;
				reported[0] = '\0';
				shadow_store(&w, &t, table, i, 1);
				assert_string_equal(reported, "");
				assert_int_equal(*at, counts ? was : (was ^ 0x40));
				n += 2 * counts;
				assert_int_equal(w.n_damaged, n);
			}
	}
}

/* Backends are compared in parts, pools as a whole. */
static void only_the_elements_asked_for_are_looked_at(void **state)
{
	static const struct {
		uint32_t from, n;
		const char *damaged; /* of elements 0, 1 and 2, which all are */
	} rows[] = {
		{ 0, 0, "" },  { 1, 0, "" },   { 0, 1, "0" },  { 1, 1, "1" },
		{ 2, 1, "2" }, { 0, 2, "01" }, { 1, 2, "12" }, { 0, 3, "012" },
	};
	static const enum fwd_table tables[] = { FWD_TABLE_backends, FWD_TABLE_pools };

	(void)state;
	for (size_t k = 0; k < 2 * COUNT(rows); k++) {
		const enum fwd_table table = tables[k % 2];
		const char *damaged = rows[k / 2].damaged;
		char wanted[64] = "";

		for (const char *d = damaged; *d; d++)
			snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted),
			         "%d[%c] ", (int)table, *d);
		for (uint32_t i = 0; i < 3; i++)
			element_in(&t, table, i)[8] ^= 1;
		reported[0] = '\0';
		assert_int_equal(shadow_check(&w, &t, table, rows[k / 2].from, rows[k / 2].n),
		                 strlen(damaged));
		assert_string_equal(reported, wanted);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(element_in(&t, table, i)[8] ==
			                         element_of(&w.t, table, i)[8],
			                 strchr(damaged, (int)('0' + i)) != NULL);
		shadow_store(&w, &t, table, 0, 3);
	}
	w.on_damaged = NULL; /* it counts all the same */
	element_in(&t, FWD_TABLE_pools, 1)[8] ^= 1;
	assert_int_equal(shadow_check(&w, &t, FWD_TABLE_pools, 0, 3), 1);
	assert_int_equal(w.n_damaged, 21);
}

/*
 * Pools, backends, MAC addresses and drills are as the shadow has them, whatever the larger tables say;
 * the rest is as these have it.
 */
static void larger_tables_get_what_the_shadow_knows(void **state)
{
	static const bool is_kept[FWD_TABLE_COUNT] = { [FWD_TABLE_pools] = true,
		                                       [FWD_TABLE_backends] = true,
		                                       [FWD_TABLE_macs] = true,
		                                       [FWD_TABLE_drills] = true };
	struct fwd_tables next, told;
	struct shadow grown;

	(void)state;
	memory_new(&next, &larger, 2);
	memory_new(&told, &larger, 2);
	fill_tables(&next, 100);
	fill_tables(&told, 100);
	next.root->active = told.root->active = 1;
	w.n_damaged = 5;
	assert_int_equal(shadow_grow(&w, &next, &grown), 0);
	assert_ptr_equal(grown.on_damaged, note_damage);
	assert_ptr_equal(grown.arg, &w);
	assert_int_equal(grown.n_damaged, 5);
	memcpy(told.root->macs, w.t.root->macs, sizeof(told.root->macs));
	for (size_t k = 0; k < COUNT(shadowed); k++)
		for (uint32_t i = 0; i < shadow_elements(&grown, shadowed[k]); i++) {
			const bool kept =
			        is_kept[shadowed[k]] && i < shadow_elements(&w, shadowed[k]);
			const uint8_t *own = element_of(&grown.t, shadowed[k], i);
			const uint8_t *wanted = kept ? element_of(&w.t, shadowed[k], i)
			                             : element_in(&told, shadowed[k], i);

			for (size_t off = 0; off < shadow_element_bytes(shadowed[k]); off++) {
				const uint8_t in_next = element_in(&next, shadowed[k], i)[off];

				assert_int_equal(own[off], wanted[off]);
				assert_int_equal(in_next,
				                 kept && is_of_others(shadowed[k], off)
				                         ? element_in(&told, shadowed[k], i)[off]
				                         : own[off]);
			}
		}
	shadow_free(&grown);
	assert_null(grown.t.root);
	assert_null(grown.t.backends);
	memory_free(&next);
	memory_free(&told);
}

SUITE(shadow)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_some_tables_have_a_shadow),
		TEST(a_shadow_begins_as_the_tables_are),
		TEST(an_element_is_put_into_both),
		TEST(each_damaged_byte_is_found_and_mended),
		TEST(only_the_elements_asked_for_are_looked_at),
		TEST(larger_tables_get_what_the_shadow_knows),
	};

	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
