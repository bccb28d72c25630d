/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying what tables hold to larger ones. The test plays the packets: it writes into both while content moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/carry.h"

#include "tests/fwd/memory.h"

static const struct driver_sizes small = { 64, 16, 8, 64, 4096, 64 };
static const struct driver_sizes large = { 128, 32, 16, 128, 8192, 256 };

struct scene {
	struct fwd_tables from, to;
	struct carry *carry;
};

static void make_tables(struct fwd_tables *t, const struct driver_sizes *z, uint32_t n_cpus)
{
	memory_new(t, z, n_cpus);
	layout_root(t, z);
}

static struct scene begin_scene(const struct driver_sizes *to, uint32_t n_cpus)
{
	struct scene s = { 0 };

	make_tables(&s.from, &small, 2);
	make_tables(&s.to, to, n_cpus);
	return s;
}

static void end_scene(struct scene *s)
{
	carry_free(s->carry);
	memory_free(&s->from);
	memory_free(&s->to);
}

static void sizes_are_read_from_the_tables_themselves(void **state)
{
	struct scene s = begin_scene(&large, 2);
	struct driver_sizes z;

	(void)state;
	carry_sizes(&s.from, &z);
	assert_memory_equal(&z, &small, sizeof(z));
	carry_sizes(&s.to, &z);
	assert_memory_equal(&z, &large, sizeof(z));
	end_scene(&s);
	carry_free(NULL);
}

static void an_exception_goes_wherever_its_flow_is_looked_for(void **state)
{
	struct scene s = begin_scene(&large, 2);

	(void)state;
	s.from.exceptions[63].word[OWNER_WAYS - 1] = 5;
	s.from.exceptions[0].word[0] = 6;
	s.from.colds[4095].kept_at = 7;
	s.from.pools[7].id = 8;
	s.from.backends[63].id = 9;
	s.from.root->macs[1] = 10;
	s.from.macs[3].word[1] = 11;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	for (uint32_t k = 0; k < 256; k += 64) {
		assert_int_equal(s.to.exceptions[k + 63].word[OWNER_WAYS - 1], 5);
		assert_int_equal(s.to.exceptions[k].word[0], 6);
	}
	assert_int_equal(s.to.colds[4095].kept_at, 7);
	assert_int_equal(s.to.pools[7].id, 8);
	assert_int_equal(s.to.backends[63].id, 9);
	assert_int_equal(s.to.root->macs[1], 10);
	assert_int_equal(s.to.macs[3].word[1], 11);
	end_scene(&s);
}

static void an_exception_that_comes_meanwhile_goes_there_too(void **state)
{
	struct scene s = begin_scene(&large, 2);

	(void)state;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	s.from.exceptions[63].word[1] = 5;
	carry_end(s.carry, &s.from, &s.to);
	for (uint32_t k = 63; k < 256; k += 64)
		assert_int_equal(s.to.exceptions[k].word[1], 5);
	end_scene(&s);
}

static void a_flow_that_begins_meanwhile_is_followed_before_the_end(void **state)
{
	struct scene s = begin_scene(&large, 2);

	(void)state;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	s.from.exceptions[63].word[1] = 5;
	s.from.cpus[0].received = 7;
	carry_follow(s.carry, &s.from, &s.to);
	for (uint32_t k = 63; k < 256; k += 64)
		assert_int_equal(s.to.exceptions[k].word[1], 5);
	assert_int_equal(s.to.cpus[1].received, 0); /* packets still count there */
	s.from.exceptions[63].word[1] = 6;          /* confirmed in the old tables */
	s.to.exceptions[127].word[1] = 8;           /* in the new ones */
	s.from.exceptions[62].word[0] = 9;
	carry_follow(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.exceptions[63].word[1], 6);
	assert_int_equal(s.to.exceptions[62].word[0], 9);
	assert_int_equal(s.to.exceptions[127].word[1], 8);
	carry_end(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.cpus[1].received, 7);
	end_scene(&s);
}

static void a_flow_that_found_another_way_is_not_there_twice(void **state)
{
	struct scene s = begin_scene(&small, 2);

	(void)state;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	s.from.exceptions[5].word[0] = 1;
	s.to.exceptions[5].word[0] = 100; /* a flow of the new tables was sooner */
	carry_follow(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.exceptions[5].word[1], 1);
	s.from.exceptions[5].word[0] = 2;
	carry_follow(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.exceptions[5].word[0], 100);
	assert_int_equal(s.to.exceptions[5].word[1], 2);
	for (unsigned i = 2; i < OWNER_WAYS; i++)
		assert_int_equal(s.to.exceptions[5].word[i], 0);
	s.from.exceptions[5].word[0] = 0;
	carry_end(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.exceptions[5].word[1], 0);
	end_scene(&s);
}

static void what_both_wrote_meanwhile_is_kept_of_both(void **state)
{
	struct scene s = begin_scene(&small, 2);

	(void)state;
	s.from.exceptions[5].word[0] = 1;
	s.from.colds[9].kept_at = 100;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	s.from.exceptions[5].word[0] = 2; /* renewed in the old tables alone */
	s.from.exceptions[6].word[3] = 30;
	s.to.exceptions[6].word[3] = 40; /* another flow in the new ones */
	s.from.exceptions[7].word[0] = 0;
	s.from.colds[9].kept_at = 101;
	s.from.colds[10].kept_at = 200;
	s.to.colds[10].kept_at = 201; /* newer */
	carry_end(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.exceptions[5].word[0], 2);
	assert_int_equal(s.to.exceptions[6].word[3], 40);
	assert_int_equal(s.to.exceptions[6].word[0], 30); /* in a free place */
	assert_int_equal(s.to.colds[9].kept_at, 101);
	assert_int_equal(s.to.colds[10].kept_at, 201);
	end_scene(&s);
}

static void an_exception_that_ended_in_the_old_tables_ends(void **state)
{
	struct scene s = begin_scene(&small, 2);

	(void)state;
	s.from.exceptions[5].word[0] = 1;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	s.from.exceptions[5].word[0] = 0;
	carry_end(s.carry, &s.from, &s.to);
	for (unsigned i = 0; i < OWNER_WAYS; i++)
		assert_int_equal(s.to.exceptions[5].word[i], 0);
	end_scene(&s);
}

static void a_full_bucket_loses_the_new_one_and_nothing_else(void **state)
{
	struct scene s = begin_scene(&small, 2);

	(void)state;
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	for (unsigned i = 0; i < OWNER_WAYS; i++)
		s.to.exceptions[5].word[i] = 100 + i;
	s.from.exceptions[5].word[2] = 7;
	carry_end(s.carry, &s.from, &s.to);
	for (unsigned i = 0; i < OWNER_WAYS; i++)
		assert_int_equal(s.to.exceptions[5].word[i], 100 + i);
	end_scene(&s);
}

static void counters_of_all_rows_are_added_to_the_last_row(void **state)
{
	struct scene s = begin_scene(&large, 3);
	uint32_t last = 2;

	(void)state;
	for (uint32_t c = 0; c < 2; c++) {
		s.from.cpus[c].received = 10 + c;
		s.from.cpus[c].reason[3] = 20 + c;
		s.from.service_counts[c * small.service_counts + 15].packets = 30 + c;
		s.from.service_counts[c * small.service_counts + 15].bytes = 300;
		s.from.backend_counts[c * small.backends + 63].packets = 40 + c;
		s.from.service_news[c * small.service_counts + 15].packets = 50 + c;
		s.from.backend_news[c * small.backends + 63].bytes = 60 + c;
		s.from.sample_counts[c * small.service_counts + 15].lost = 70 + c;
	}
	s.to.cpus[last].received = 1000; /* what it has already */
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	carry_end(s.carry, &s.from, &s.to);
	assert_int_equal(s.to.cpus[last].received, 1021);
	assert_int_equal(s.to.cpus[last].reason[3], 41);
	assert_int_equal(s.to.service_counts[last * large.service_counts + 15].packets, 61);
	assert_int_equal(s.to.service_counts[last * large.service_counts + 15].bytes, 600);
	assert_int_equal(s.to.backend_counts[last * large.backends + 63].packets, 81);
	assert_int_equal(s.to.service_news[last * large.service_counts + 15].packets, 101);
	assert_int_equal(s.to.backend_news[last * large.backends + 63].bytes, 121);
	assert_int_equal(s.to.sample_counts[last * large.service_counts + 15].lost, 141);
	assert_int_equal(s.to.cpus[0].received + s.to.cpus[1].received, 0);
	end_scene(&s);
}

static void watched_flows_go_over(void **state)
{
	struct scene s = begin_scene(&large, 3);

	(void)state;
	s.from.samples[8191].way[1] = (struct fwd_sample){ .tag = 1, .seq = 2, .state = 3 };
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	carry_end(s.carry, &s.from, &s.to);
	assert_memory_equal(&s.to.samples[8191].way[1], &s.from.samples[8191].way[1],
	                    sizeof(struct fwd_sample));
	end_scene(&s);
}

static void services_go_over_only_where_they_are_found_the_same_way(void **state)
{
	struct scene s = begin_scene(&small, 2), other = begin_scene(&large, 2);

	(void)state;
	s.from.services[3].port_be = other.from.services[3].port_be = 4;
	s.from.root->active = other.from.root->active = 1;
	s.from.root->vip_filter[0][0] = 5;
	memset(&s.from.root->source4, 0x44, sizeof(s.from.root->source4));
	memset(&s.from.root->source6, 0x66, sizeof(s.from.root->source6));
	assert_int_equal(carry_begin(&s.from, &s.to, &s.carry), 0);
	assert_int_equal(s.to.services[3].port_be, 4);
	assert_int_equal(s.to.root->active, 1);
	assert_int_equal(s.to.root->vip_filter[0][0], 5);
	assert_memory_equal(&s.to.root->source4, &s.from.root->source4, sizeof(s.to.root->source4));
	assert_memory_equal(&s.to.root->source6, &s.from.root->source6, sizeof(s.to.root->source6));
	assert_int_equal(carry_begin(&other.from, &other.to, &other.carry), 0);
	assert_int_equal(other.to.services[3].port_be, 0); /* the document writes them */
	assert_int_equal(other.to.root->active, 0);
	end_scene(&s);
	end_scene(&other);
}

SUITE(carry)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_from_the_tables_themselves),
		cmocka_unit_test(an_exception_goes_wherever_its_flow_is_looked_for),
		cmocka_unit_test(an_exception_that_comes_meanwhile_goes_there_too),
		cmocka_unit_test(a_flow_that_begins_meanwhile_is_followed_before_the_end),
		cmocka_unit_test(a_flow_that_found_another_way_is_not_there_twice),
		cmocka_unit_test(what_both_wrote_meanwhile_is_kept_of_both),
		cmocka_unit_test(an_exception_that_ended_in_the_old_tables_ends),
		cmocka_unit_test(a_full_bucket_loses_the_new_one_and_nothing_else),
		cmocka_unit_test(counters_of_all_rows_are_added_to_the_last_row),
		cmocka_unit_test(watched_flows_go_over),
		cmocka_unit_test(services_go_over_only_where_they_are_found_the_same_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
