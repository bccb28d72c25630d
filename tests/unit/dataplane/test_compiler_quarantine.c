/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Elements in quarantine (dataplane/tables/compiler_quarantine.c), and room that is reached exactly
 * (compiler.c): a pool leaves with its slots, counters and backends, and another one comes before and
 * after it may have them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/tables/compiler_internal.h"

#include "tests/unit/answers.h"
#include "tests/unit/dataplane/owners_read.h"
#include "tests/unit/dataplane/stage.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT_ONCE  64u /* backends that one turn looks at */

static unsigned fails_at; /* the realloc() that finds no memory, counted from now; 0: none */

static void *own_realloc(void *at, size_t n)
{
	return fails_at && --fails_at == 0 ? NULL : __real_realloc(at, n);
}

static struct stage s;
static struct world third;
static char why[PLAN_REASON_MAX];
static uint32_t index_of_fra, first_of_fra, count_of_dns; /* as long as web-fra is there */

/*
 * web-ams and web-fra with all slots that there are; the second document has web-ams alone, the
 * third web-new, too.
 */
static int setup(void **state)
{
	(void)state;
	stage_init(&s);
	make_world(&third);
	use_both_pools(&s.first);
	use_both_pools(&third);
	third.pools[1].name = "web-new";
	third.services[0].name = "new";
	s.second.model.n_services = 1;
	s.second.model.services = &s.second.services[1];
	s.second.model.n_pools = 1;
	why[0] = '\0';
	apply_world(&s, &s.first);
	index_of_fra = s.node.pools[1].index;
	first_of_fra = s.node.pools[1].first_slot;
	count_of_dns = indexes_find(s.node.count_indexes, hash_text("dns"));
	for (uint32_t c = 0; c < CPUS; c++)
		s.node.t.service_counts[c * s.node.sizes.service_counts + count_of_dns].packets = 7;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

static int try_document(struct world *w)
{
	return plan_and_apply(&s, w, why);
}

static void pass_ms(uint64_t ms)
{
	s.time.now_ms += ms;
	s.time.ticks_ms += ms;
	s.time.wall_clock_ms += (int64_t)ms;
	compiler_tick(&s.node, &s.time);
}

/* Slots of web-fra's range that hold anything. */
static uint32_t used_slots(void)
{
	uint32_t n = 0;

	for (uint32_t i = first_of_fra; i < first_of_fra + 4096; i++)
		n += s.node.t.slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK] != 0;
	return n;
}

static uint64_t dns_packets(void)
{
	uint64_t n = 0;

	for (uint32_t c = 0; c < CPUS; c++)
		n += s.node.t.service_counts[c * s.node.sizes.service_counts + count_of_dns]
		             .packets;
	return n;
}

static void what_left_rests_and_is_empty_for_the_next(void **state)
{
	(void)state;
	s.node.t.colds[first_of_fra + 5].kept_at = 9;
	assert_int_equal(try_document(&s.second), 0);
	assert_int_equal(s.node.counters.documents, 2);
	assert_int_equal(s.node.t.pools[index_of_fra].id, 0); /* at once: nobody finds it */
	assert_int_equal(indexes_state(s.node.pool_indexes, index_of_fra), INDEX_QUARANTINED);
	assert_int_equal(indexes_state(s.node.count_indexes, count_of_dns), INDEX_QUARANTINED);
	assert_int_equal(indexes_state(s.node.pool_indexes, s.node.pools[0].index), INDEX_USED);
	assert_int_equal(indexes_state(s.node.count_indexes,
	                               indexes_find(s.node.count_indexes, hash_text("web"))),
	                 INDEX_USED);
	pass_ms(COMPILER_QUARANTINE_MS - 1);
	assert_int_equal(indexes_state(s.node.pool_indexes, index_of_fra), INDEX_QUARANTINED);
	assert_int_equal(indexes_state(s.node.count_indexes, count_of_dns), INDEX_QUARANTINED);
	assert_int_equal(used_slots(), 4096); /* packets may still read it */
	assert_int_equal(dns_packets(), 14);
	pass_ms(2);
	assert_int_equal(indexes_state(s.node.pool_indexes, index_of_fra), INDEX_FREE);
	assert_int_equal(indexes_state(s.node.count_indexes, count_of_dns), INDEX_FREE);
	assert_int_equal(s.node.t.pools[index_of_fra].slot_range, 0);
	assert_int_equal(used_slots(), 0);
	assert_int_equal(s.node.t.colds[first_of_fra + 5].kept_at, 0);
}

/* A service that has the counter of one that left begins at zero, also if another process saw it leave. */
static void a_new_service_counts_from_zero(void **state)
{
	static const bool restarts[] = { false, true };
	struct world again;

	for (size_t i = 0; i < COUNT(restarts); i++) {
		teardown(state);
		setup(state);
		assert_int_equal(try_document(&s.second), 0);
		pass_ms(1000);
		if (restarts[i]) {
			compiler_fini(&s.node);
			start_node(&s, true);
			make_world(&again);
			again.model.n_services = 1;
			again.model.services = &again.services[1];
			again.model.n_pools = 1;
			assert_int_equal(try_document(&again), 0);
		}
		pass_ms(COMPILER_QUARANTINE_MS + 1);
		assert_int_equal(dns_packets(), 14);
		assert_int_equal(try_document(&third), 0);
		assert_int_equal(indexes_find(s.node.count_indexes, hash_text("new")),
		                 count_of_dns);
		assert_int_equal(dns_packets(), 0);
	}
}

/*
 * A backend that left is free when no flow of it is remembered. UDP flows with policy `migrate` are
 * forgotten at once, as their pool left with it. The next backend counts from zero.
 */
static void what_is_remembered_of_a_backend_that_left_ends(void **state)
{
	const uint32_t backend = s.node.pools[1].backends[0].index, now_s = s.time.ticks_ms / 1000;
	struct fwd_count *count = &s.node.t.backend_counts[backend];
	struct fwd_count *news = &s.node.t.backend_news[s.node.sizes.backends + backend];
	uint64_t *word = &s.node.t.exceptions[3].word[1];
	struct owners_clock clock;

	(void)state;
	count->packets = news->packets = 7;
	*word = owner_word((uint16_t)backend, OWNER_UDP_LEASE, owner_end(now_s, 300), 5);
	assert_int_equal(try_document(&s.second), 0);
	pass_ms(COMPILER_QUARANTINE_MS + 1);
	clock = (struct owners_clock){ s.time.ticks_ms, s.time.wall_clock_ms };
	sweep_whole(s.node.memory, &clock);
	assert_int_equal(*word, 0);
	pass_ms(10);
	assert_int_equal(indexes_state(s.node.backend_indexes, backend), INDEX_QUARANTINED);
	assert_int_equal(count->packets + news->packets, 14);
	sweep_whole(s.node.memory, &clock);
	pass_ms(10);
	assert_int_equal(indexes_state(s.node.backend_indexes, backend), INDEX_FREE);
	assert_int_equal(count->packets + news->packets, 0);
}

static void another_pool_waits_for_slots_that_rest(void **state)
{
	(void)state;
	assert_int_equal(try_document(&s.second), 0);
	assert_int_equal(try_document(&third), -EAGAIN);
	assert_string_equal(
	        why,
	        "no room for new slots until those of pools removed a short time ago are free again");
	assert_true(s.node.document_refused);
	assert_int_equal(s.node.counters.refused, 1);
	assert_ptr_equal(s.node.model, &s.second.model);
	pass_ms(COMPILER_QUARANTINE_MS - 1);
	assert_int_equal(try_document(&third), -EAGAIN);
	pass_ms(2);
	assert_int_equal(try_document(&third), 0);
	assert_false(s.node.document_refused);
	assert_int_equal(s.node.counters.documents, 3);
	assert_int_equal(s.node.counters.refused, 2);
	assert_string_equal(s.node.pools[1].plan->model->name, "web-new");
	assert_int_equal(s.node.pools[1].first_slot, first_of_fra);
	assert_int_equal(used_slots(), 4096);
}

static uint32_t resting_backends(void)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < indexes_n(s.node.backend_indexes); i++)
		n += indexes_state(s.node.backend_indexes, i) == INDEX_QUARANTINED;
	return n;
}

/* Each costs a walk of its pool's slots, so one turn does not look at all. */
static void of_very_many_backends_that_left_a_turn_frees_some(void **state)
{
	struct owners_clock clock;
	uint32_t n;

	(void)state;
	s.second.model.limits.backends = 256;
	assert_int_equal(try_document(&s.second), 0);
	for (uint64_t k = 1000; k < 1100; k++)
		indexes_quarantine(s.node.backend_indexes,
		                   indexes_allocate(s.node.backend_indexes, k), s.time.now_ms);
	n = resting_backends();
	assert_true(n >= 100);
	pass_ms(COMPILER_QUARANTINE_MS - 1);
	clock = (struct owners_clock){ s.time.ticks_ms, s.time.wall_clock_ms };
	for (int pass = 0; pass < 3; pass++) /* no flow of them is remembered */
		sweep_whole(s.node.memory, &clock);
	pass_ms(1);
	assert_int_equal(resting_backends(), n - AT_ONCE);
	pass_ms(1);
	assert_int_equal(resting_backends(), 0);
}

/* Flows may be remembered for hours: the next turn looks at those behind. */
static void backends_whose_flows_are_remembered_hold_no_others(void **state)
{
	const uint32_t now_s = (uint32_t)(s.time.ticks_ms / 1000);
	struct owners_clock clock;

	(void)state;
	s.second.model.limits.backends = 256;
	assert_int_equal(try_document(&s.second), 0);
	for (uint32_t k = 0; k < 2 * AT_ONCE; k++) {
		uint32_t i = indexes_allocate(s.node.backend_indexes, 1000 + k);

		indexes_quarantine(s.node.backend_indexes, i, s.time.now_ms);
		if (k < AT_ONCE)
			s.node.t.exceptions[k / 4].word[k % 4] =
			        owner_word((uint16_t)i, OWNER_OPEN, owner_end(now_s, 3600), k);
	}
	pass_ms(COMPILER_QUARANTINE_MS - 1);
	clock = (struct owners_clock){ s.time.ticks_ms, s.time.wall_clock_ms };
	for (int pass = 0; pass < 3; pass++)
		sweep_whole(s.node.memory, &clock);
	for (int turn = 0; turn < 4; turn++)
		pass_ms(1);
	assert_int_equal(resting_backends(), AT_ONCE);
	memset(s.node.t.exceptions, 0, AT_ONCE / 4 * sizeof(*s.node.t.exceptions));
	for (int pass = 0; pass < 3; pass++)
		sweep_whole(s.node.memory, &clock);
	for (int turn = 0; turn < 4; turn++) /* and it comes back to them */
		pass_ms(1);
	assert_int_equal(resting_backends(), 0);
}

/* Larger tables have room for it at once, and what rests goes on resting. */
static void more_slots_are_room_for_another_pool_at_once(void **state)
{
	(void)state;
	assert_int_equal(try_document(&s.second), 0);
	third.model.limits.slots = 16384;
	assert_int_equal(try_document(&third), 0);
	assert_int_equal(s.node.counters.resizes, 1);
	assert_int_equal(s.node.sizes.slots, 16384);
	assert_int_equal(s.node.ranges->n_slots, 16384);
	assert_int_equal(s.node.pools[1].first_slot, 8192);
	pass_ms(COMPILER_QUARANTINE_MS + 1);
	assert_int_equal(used_slots(), 0);
	assert_int_equal(indexes_state(s.node.pool_indexes, index_of_fra), INDEX_FREE);
}

/*
 * Without memory for all arrays of larger tables nobody gets an index beyond any of them, also by a document that
 * needs no larger tables; with memory they are made again.
 */
static void no_index_is_given_that_an_array_lacks(void **state)
{
	for (unsigned k = 1; k <= 5; k++) {
		uint32_t before;

		teardown(state);
		setup(state);
		before = indexes_n(s.node.backend_indexes);
		third.model.limits = (struct model_limits){
			.services = 64, .backends = 1000, .slots = 16384, .exceptions = 1024
		};
		fails_at = k;
		assert_int_equal(try_document(&third), -ENOMEM);
		assert_int_equal(fails_at, 0);
		if (indexes_n(s.node.backend_indexes) != before)
			fail_msg("allocation %u: indexes of %u backends", k,
			         indexes_n(s.node.backend_indexes));
		assert_int_equal(try_document(&third), 0);
		assert_in_range(indexes_n(s.node.backend_indexes), 1000, s.node.sizes.backends);
	}
}

/* A service that returns before its counter is free has the same one, and its counts. */
static void a_service_that_returns_goes_on_counting(void **state)
{
	(void)state;
	assert_int_equal(try_document(&s.second), 0);
	pass_ms(1000);
	third.services[0].name = "dns";
	third.at[0].pool = &third.pools[0];
	third.model.n_pools = 1;
	assert_int_equal(try_document(&third), 0);
	assert_int_equal(indexes_find(s.node.count_indexes, hash_text("dns")), count_of_dns);
	assert_int_equal(indexes_state(s.node.count_indexes, count_of_dns), INDEX_USED);
	pass_ms(2 * COMPILER_QUARANTINE_MS);
	assert_int_equal(dns_packets(), 14);
}

/*
 * Places that are all taken, by those that rest, too: the document waits, and says for what. Where the rest is in use
 * until this very document is in force, no time helps.
 */
static void what_has_no_place_yet_is_told_from_what_has(void **state)
{
	static const struct {
		const char *what;
		bool fra_has_left;
		uint32_t pools, backends, counts; /* that are free */
		int err;
	} cases[] = {
		{ "", true, 9, 3, 1, 0 },
		{ "no room for new pools ", true, 0, 3, 1, -EAGAIN },
		{ "no room for new backends ", true, 9, 2, 1, -EAGAIN },
		{ "no room for new services ", true, 9, 3, 0, -EAGAIN },
		{ "", false, 1, 3, 1, 0 },
		{ "pools, with those that this document replaces: 81 are needed and 80 fit; "
		  "raise limits.services",
		  false, 0, 3, 1, -EDQUOT },
		{ "backends, with those that this document replaces: 82 are needed and 81 fit; "
		  "raise limits.backends",
		  false, 9, 2, 1, -EDQUOT },
		{ "services, with those that this document replaces: 17 are needed and 16 fit; "
		  "raise limits.services",
		  false, 9, 3, 0, -EDQUOT },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		teardown(state);
		setup(state);
		third.model.limits.slots = 16384;
		if (cases[i].fra_has_left)
			assert_int_equal(try_document(&s.second), 0);
		for (uint64_t k = 1000; indexes_n_free(s.node.pool_indexes) > cases[i].pools; k++)
			indexes_allocate(s.node.pool_indexes, k);
		for (uint64_t k = 1000; indexes_n_free(s.node.backend_indexes) > cases[i].backends;
		     k++)
			indexes_allocate(s.node.backend_indexes, k);
		for (uint64_t k = 1000; indexes_n_free(s.node.count_indexes) > cases[i].counts; k++)
			indexes_allocate(s.node.count_indexes, k);
		if (try_document(&third) != cases[i].err)
			fail_msg("case %zu: \"%s\"", i, why);
		if (cases[i].err)
			assert_ptr_equal(strstr(why, cases[i].what), why);
	}
}

/*
 * The old slots of a pool are in use until the document with its new ones is in force: no time frees
 * them.
 */
static void slots_beside_those_in_use_are_more_than_the_limit(void **state)
{
	static const struct {
		const char *why;
		bool fra_has_left, agent;
		uint32_t n_slots; /* of web-ams */
		bool is_new;      /* a pool of another name in place of web-fra */
		uint32_t needed;  /* 0: it waits for slots in quarantine, and has them then */
	} rows[] = {
		{ "an agent", false, true, 4096, false, 12288 },
		{ "another number", false, false, 2048, false, 10240 },
		{ "another name", false, false, 4096, true, 12288 },
		{ "a name and an agent", true, true, 4096, true, 12288 },
		{ "a name", true, false, 4096, true, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char wanted[PLAN_REASON_MAX];

		teardown(state);
		setup(state);
		if (!rows[i].is_new) {
			third.pools[1].name = "web-fra";
			third.services[0].name = "dns";
		}
		third.pools[0].agent = rows[i].agent;
		third.pools[0].n_slots = rows[i].n_slots;
		if (rows[i].fra_has_left)
			assert_int_equal(try_document(&s.second), 0);
		if (try_document(&third) != (rows[i].needed ? -EDQUOT : -EAGAIN))
			fail_msg("%s: \"%s\"", rows[i].why, why);
		pass_ms(COMPILER_QUARANTINE_MS + 1);
		if (rows[i].needed) {
			snprintf(wanted, sizeof(wanted),
			         "slots of all pools, with old ones of pools that change: "
			         "%u are needed and 8192 fit; raise limits.slots",
			         rows[i].needed);
			if (try_document(&third) != -EDQUOT || strcmp(why, wanted) != 0)
				fail_msg("%s: \"%s\"", rows[i].why, why);
			third.model.limits.slots = rows[i].needed;
		}
		if (try_document(&third))
			fail_msg("%s, then: \"%s\"", rows[i].why, why);
	}
}

/*
 * What an earlier process left that contradicts itself leads nowhere, and the rest is taken over.
 */
static void tables_that_contradict_themselves_are_not_taken_over(void **state)
{
	static const uint64_t places[] = {
		4096ull << 8 | 4,      /* less than a block */
		4096ull << 8 | 14,     /* more slots than there are */
		8192ull << 8 | 12,     /* beyond the end */
		0ull << 8 | 12,        /* web-ams's own */
		1ull << 40 | 12,       /* more than an index says */
		(4096ull + 8) << 8 | 5 /* not at a block */
	};

	for (size_t i = 0; i < COUNT(places); i++) {
		teardown(state);
		setup(state);
		compiler_fini(&s.node);
		assert_int_not_equal(first_of_fra, 0);
		assert_true(index_of_fra > 0);
		s.driver.now.pools[index_of_fra].slot_range = places[i];
		start_node(&s, true);
		if (s.node.t.pools[index_of_fra].id != 0)
			fail_msg("case %zu", i);
		assert_int_equal(s.node.t.pools[0].id, hash_text("web-ams"));
		assert_int_equal(indexes_find(s.node.pool_indexes, hash_text("web-fra")),
		                 INDEX_NONE);
		assert_int_not_equal(indexes_find(s.node.pool_indexes, hash_text("web-ams")),
		                     INDEX_NONE);
	}
}

/* One slot of web-ams, as an earlier process may have left it: its owner, its earlier owners, their claims. */
static void a_slot_that_leads_to_another_pool_is_not_believed(void **state)
{
	enum { NONE, OWN, THEIRS };
	static const struct {
		int owner, earlier[OWNER_LIST_MAX], claim[OWNER_CLASSES];
		bool is_unsettled, has_agents, is_believed;
	} rows[] = {
		{ NONE, { 0 }, { 0 }, false, false, true },
		{ OWN, { 0 }, { 0 }, false, false, true },
		{ THEIRS, { 0 }, { 0 }, false, false, false },
		/* owners before are looked at by packets of a slot that is not settled */
		{ OWN, { THEIRS }, { THEIRS, THEIRS }, false, true, true },
		{ OWN, { OWN, OWN, OWN }, { OWN, OWN }, true, true, true },
		{ OWN, { THEIRS }, { 0 }, true, true, false },
		{ OWN, { OWN, THEIRS }, { 0 }, true, true, false },
		{ OWN, { OWN, OWN, THEIRS }, { 0 }, true, true, false },
		/* with agents the list takes the place of the claim of TCP, without them there is none */
		{ OWN, { OWN }, { NONE, THEIRS }, true, true, false },
		{ OWN, { THEIRS }, { OWN, OWN }, true, false, true },
		{ OWN, { 0 }, { THEIRS, OWN }, true, false, false },
		{ OWN, { 0 }, { OWN, THEIRS }, true, false, false },
	};
	const struct compiler_pool *p = &s.node.pools[0];
	const uint16_t named[] = { 0, (uint16_t)p->backends[1].index,
		                   (uint16_t)s.node.pools[1].backends[0].index };
	uint32_t slot = p->first_slot + 77;
	uint16_t *hot =
	        &s.node.t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
	struct owner_cold *cold = &s.node.t.colds[slot];

	(void)state;
	assert_string_equal(p->plan->model->name, "web-ams");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct owner_cold put = { .kept_at = 9 };
		uint16_t word = (uint16_t)(named[rows[i].owner] |
		                           (rows[i].is_unsettled ? FWD_SLOT_UNSETTLED : 0));

		s.first.pools[0].agent = rows[i].has_agents;
		for (int c = rows[i].has_agents ? OWNER_CLASS_UDP : 0; c < OWNER_CLASSES; c++) {
			put.claim[c].base = named[rows[i].claim[c]];
			put.claim[c].settle_at = rows[i].claim[c] ? 50100 : 0;
		}
		for (uint32_t k = 0; rows[i].has_agents && k < OWNER_LIST_MAX; k++)
			put.list.earlier =
			        owner_list_with(put.list.earlier, k, named[rows[i].earlier[k]]);
		*hot = word;
		*cold = put;
		compiler_check_slots(&s.node, p);
		if (*hot != (rows[i].is_believed ? word : 0))
			fail_msg("row %zu: %x became %x", i, word, *hot);
		if (!rows[i].is_believed)
			put = (struct owner_cold){ 0 };
		assert_memory_equal(cold, &put, sizeof(put));
	}
}

#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(compiler_quarantine)
{
	const struct CMUnitTest tests[] = {
		REST_TEST(what_left_rests_and_is_empty_for_the_next),
		REST_TEST(a_new_service_counts_from_zero),
		REST_TEST(what_is_remembered_of_a_backend_that_left_ends),
		REST_TEST(another_pool_waits_for_slots_that_rest),
		REST_TEST(of_very_many_backends_that_left_a_turn_frees_some),
		REST_TEST(backends_whose_flows_are_remembered_hold_no_others),
		REST_TEST(more_slots_are_room_for_another_pool_at_once),
		REST_TEST(a_service_that_returns_goes_on_counting),
		REST_TEST(no_index_is_given_that_an_array_lacks),
		REST_TEST(what_has_no_place_yet_is_told_from_what_has),
		REST_TEST(slots_beside_those_in_use_are_more_than_the_limit),
		REST_TEST(tables_that_contradict_themselves_are_not_taken_over),
		REST_TEST(a_slot_that_leads_to_another_pool_is_not_believed),
	};

	answer_realloc = own_realloc;
	return cmocka_run_group_tests_name("node rest", tests, NULL, NULL);
}
