/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scrub (dataplane/scrub.c) on tables that the real compiler fills: each table is damaged, mended
 * and damaged again; what packets and changes write is no damage.
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

#include "dataplane/scrub.h"
#include "tests/unit/suite.h"
#include "weir/fwd/services.h"
#include "weir/layout.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T0       7000000u

static struct stage s;
static struct scrub scrub;
static uint64_t now_ms;

static int setup(void **state)
{
	(void)state;
	stage_init(&s);
	memset(&scrub, 0, sizeof(scrub));
	now_ms = T0;
	s.first.pools[0].agent = false;
	use_both_pools(&s.first);
	use_both_pools(&s.second);
	scrub_begin(&scrub, &s.node);
	assert_false(scrub_turn(&scrub, now_ms)); /* there is no document yet */
	apply_world(&s, &s.first);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

/* A whole pass. @return whether it had news */
static bool scrub_all(void)
{
	uint64_t scrubs = s.node.counters.scrubs;
	bool news = false;

	now_ms += SCRUB_PASS_MS;
	for (int i = 0; i < 1000 && s.node.counters.scrubs == scrubs; i++, now_ms += SCRUB_TURN_MS)
		news |= scrub_turn(&scrub, now_ms);
	assert_int_equal(s.node.counters.scrubs, scrubs + 1);
	return news;
}

static const struct scrub_finding *finding_named(const char *name)
{
	for (uint32_t i = 0; i < scrub.n_findings; i++)
		if (!strcmp(scrub.findings[i].name, name))
			return &scrub.findings[i];
	return NULL;
}

static uint16_t *slot_at(uint32_t slot)
{
	return &s.node.t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
}

/* The element of services in force with port @p port, or a VIP's own. */
static uint32_t service_with(uint16_t port)
{
	const struct fwd_tables *t = &s.node.t;
	uint32_t first = (t->root->active & 1) * t->root->n_services;

	for (uint32_t i = 0; i < t->root->n_services; i++)
		if (t->services[first + i].flags & FWD_SERVICE_USED &&
		    t->services[first + i].port_be == fwd_be16(port) &&
		    t->services[first + i].vip.bytes[0] == 0)
			return first + i;
	fail();
	return 0;
}

static void expect_finding(const char *why, const char *name, enum fwd_table table,
                           uint32_t element)
{
	const struct scrub_finding *finding = finding_named(name);

	if (!finding || finding->table != table || finding->first != element ||
	    finding->last != element)
		fail_msg("%s: \"%s\" is not named with its element", why, name);
}

static void each_table_is_named_and_mended_twice(void **state)
{
	struct fwd_tables *t = &s.node.t;
	uint32_t web = service_with(80), backend = s.node.pools[0].backends[0].index;
	uint32_t pool = s.node.pools[1].index, n = t->root->n_services;
	const struct {
		const char *name;
		enum fwd_table table;
		uint32_t element; /* as it is shown: of services, in the half in force */
		void *at;
		size_t bytes;
	} cases[] = {
		{ "table root", FWD_TABLE_ROOT, 0, t->root->hash_key, sizeof(t->root->hash_key) },
		{ "table root", FWD_TABLE_ROOT, 0, &t->root->active, 4 },
		{ "table root", FWD_TABLE_ROOT, 0, &t->root->generation, 8 },
		{ "table root", FWD_TABLE_ROOT, 0, &t->root->n_services, 4 },
		{ "table root", FWD_TABLE_ROOT, 0, &t->root->vip_filter[0],
		  sizeof(t->root->vip_filter) },
		{ "table root", FWD_TABLE_ROOT, 0, &t->root->answers_per_s, 4 },
		{ "service 203.0.113.10 port 80/tcp", FWD_TABLE_services, web % n,
		  &t->services[web], sizeof(t->services[web]) },
		{ "pool web-fra", FWD_TABLE_pools, pool, &t->pools[pool], 8 },
		{ "backend web-ams/a", FWD_TABLE_backends, backend, t->backends[backend].mac_to,
		  6 },
		{ "backend web-ams/a", FWD_TABLE_backends, backend, &t->backends[backend].flags,
		  1 },
		{ "backend web-ams/a", FWD_TABLE_backends, backend, &t->backends[backend].list_room,
		  2 },
		{ "table backends", FWD_TABLE_backends, 80, &t->backends[80], 16 },
		{ "table drills", FWD_TABLE_drills, 2, &t->drills[2], 48 },
		{ "table destinations", FWD_TABLE_destinations, 3, &t->destinations[3], 16 },
		{ "table macs", FWD_TABLE_macs, 63, &t->macs[63].word[7], 8 },
		{ "slots of pool web-ams", FWD_TABLE_slots, 77, slot_at(77), 2 },
		{ "slots of pool web-fra", FWD_TABLE_slots, 4096 + 4095, slot_at(4096 + 4095), 2 },
	};
	uint8_t was[256];

	(void)state;
	assert_int_equal(s.node.pools[1].first_slot, 4096);
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		size_t k = i / 2;
		uint64_t found = s.node.counters.damaged;

		assert_true(cases[k].bytes <= sizeof(was));
		assert_false(scrub_all());
		memcpy(was, cases[k].at, cases[k].bytes);
		memset(cases[k].at, i % 2 ? 0x5a : 0xa5, cases[k].bytes);
		if (!scrub_all() || memcmp(was, cases[k].at, cases[k].bytes))
			fail_msg("%zu, %s: not mended", i, cases[k].name);
		expect_finding("once and twice", cases[k].name, cases[k].table, cases[k].element);
		assert_int_equal(s.node.counters.damaged, found + 1);
		now_ms += SCRUB_SHOWN_MS;
		assert_true(scrub_all());
		assert_int_equal(scrub.n_findings, 0);
	}
}

static void what_others_write_is_no_damage(void **state)
{
	struct fwd_tables *t = &s.node.t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		t->root->sample_wide++;
		t->root->tick_base++;
		t->root->tick_scale += 7;
		for (uint32_t b = 0; b < t->n_backends; b++)
			t->backends[b].learned_mtu = (uint16_t)(1400 + i);
		memset(t->exceptions, 0x11 + i, t->n_exceptions * sizeof(*t->exceptions));
		memset(t->fragments, 0x11 + i, t->n_fragments * sizeof(*t->fragments));
		for (uint32_t c = 0; c < t->n_colds; c++)
			t->colds[c].kept_at++;
		t->cpus[0].received++;
		t->services[~t->root->active & 1].what = 5; /* nobody reads this half */
		assert_false(scrub_all());
		assert_int_equal(t->backends[1].learned_mtu, 1400 + i);
	}
	t->backends[1].mac_to[0] ^= 1; /* a mend leaves theirs alone */
	t->backends[1].inner_mtu ^= 1;
	t->root->hash_key[0] ^= 1;
	assert_true(scrub_all());
	assert_int_equal(t->backends[1].learned_mtu, 1401);
	assert_int_equal(t->root->tick_scale, 14);
	assert_int_equal(t->root->tick_base, 2);
}

static void pass_time(uint64_t ms)
{
	s.time.now_ms += ms;
	s.time.ticks_ms += ms;
	s.time.wall_clock_ms += (int64_t)ms;
	(void)compiler_tick(&s.node, &s.time);
}

static void set_verdict(uint64_t id, enum health_state to)
{
	int i = health_find_index(s.health, health_target_backend("web-ams", id));

	assert_true(i >= 0);
	health_write(s.health, i, health_make(to, 0, HEALTH_REASON_OK, 1));
	compiler_follow_verdicts(&s.node, &s.time);
}

/* Members that come and go, claims that end, deaths, larger tables, the same and another document. */
static void changes_are_no_damage(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_false(scrub_all());
		for (int i = 0; i < 90; i++) {
			pass_time(1000);
			if (i % 30 == 0)
				assert_false(scrub_all());
		}
		s.second.now[1].weight = 10 + (uint32_t)round;
		s.second.model.limits.slots = 8192u << round;
		s.second.model.limits.backends = 64u << round;
		apply_world(&s, round % 2 ? &s.first : &s.second);
		assert_false(scrub_all());
		pass_time(1600);
		assert_false(scrub_all());
	}
	assert_int_equal(s.node.counters.damaged, 0);
}

/* A store finds what it replaces damaged, and what is not replaced is not taken for the truth. */
static void damage_is_found_by_a_store_and_does_not_spread(void **state)
{
	struct fwd_backend *b = &s.node.t.backends[s.node.pools[0].backends[0].index];
	uint8_t mac = b->mac_to[3];

	(void)state;
	for (uint64_t i = 1; i <= 2; i++) {
		b->mac_to[3] ^= 0x40;
		b->id++;
		*slot_at(5) ^= 3;
		s.second.now[1].weight = 31;
		apply_world(&s, i == 1 ? &s.second : &s.first);
		assert_int_equal(b->mac_to[3], mac);
		assert_int_equal(b->id, 5);
		(void)scrub_all();
		assert_int_equal(finding_named("backend web-ams/a")->n, i);
		assert_int_equal(finding_named("slots of pool web-ams")->n, i);
		assert_int_equal(scrub.n_findings, 2);
	}
}

static void damage_is_named_after_the_tables_have_grown(void **state)
{
	(void)state;
	s.second.model.limits.slots = 16384;
	apply_world(&s, &s.second);
	assert_int_equal(s.node.counters.resizes, 1);
	s.node.t.backends[s.node.pools[0].backends[0].index].mac_to[3] ^= 0x40;
	assert_true(scrub_all());
	assert_int_equal(s.node.counters.damaged, 1);
	assert_non_null(finding_named("backend web-ams/a"));
}

/* All slots that are damaged in a pool have one finding; where there is no room, they are counted. */
static void findings_are_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 100; i <= 300; i++)
		*slot_at(i) = 0;
	for (uint32_t i = 0; i < 60; i++)
		s.node.t.pools[i + 10].idle_s = 9;
	assert_true(scrub_all());
	assert_int_equal(scrub.n_findings, SCRUB_FINDINGS_MAX);
	assert_int_equal(scrub.n_more, 60 - SCRUB_FINDINGS_MAX + 201);
	assert_int_equal(s.node.counters.damaged, 261);
	now_ms += SCRUB_SHOWN_MS;
	assert_true(scrub_all());
	assert_int_equal(scrub.n_findings + scrub.n_more, 0);
	for (uint32_t i = 100; i <= 300; i++)
		*slot_at(i) = 0;
	assert_true(scrub_all());
	assert_int_equal(scrub.findings[0].first, 100);
	assert_int_equal(scrub.findings[0].last, 300);
	assert_int_equal(scrub.findings[0].n, 201);
}

/* Nothing says what the process before stored, but no slot may lead to another pool's backend. */
static void a_process_that_takes_over_believes_no_slot_of_another_pool(void **state)
{
	uint16_t slots[8192], wrong[2];

	(void)state;
	for (int round = 0; round < 2; round++) {
		wrong[0] = (uint16_t)s.node.pools[1].backends[0].index;
		wrong[1] = 81; /* no backend at all */
		for (uint32_t i = 0; i < 8192; i++)
			slots[i] = *slot_at(i) & FWD_SLOT_BACKEND;
		for (uint32_t i = 40; i < 60; i++)
			*slot_at(i) = wrong[i % 2] | (i % 4 ? 0 : FWD_SLOT_UNSETTLED);
		s.node.t.root->hash_key[1]++;
		s.node.t.backends[s.node.pools[0].backends[1].index].encap++;
		compiler_fini(&s.node);
		start_node(&s, true);
		scrub_begin(&scrub, &s.node);
		apply_world(&s, &s.first);
		for (uint32_t i = 0; i < 8192; i++)
			if ((*slot_at(i) & FWD_SLOT_BACKEND) != slots[i])
				fail_msg("slot %u has %u, had %u", i, *slot_at(i), slots[i]);
		assert_int_equal(s.node.t.root->hash_key[1], 0);
		assert_int_equal(s.node.t.backends[s.node.pools[0].backends[1].index].encap, 0);
		assert_false(scrub_all());
	}
}

/* Not more often than each five seconds, though turns come all the time. */
static void a_pass_waits_for_its_time(void **state)
{
	(void)state;
	(void)scrub_all();
	uint64_t scrubs = s.node.counters.scrubs;

	for (uint64_t until = now_ms + 10 * SCRUB_PASS_MS; now_ms < until; now_ms += SCRUB_TURN_MS)
		(void)scrub_turn(&scrub, now_ms);
	assert_in_range(s.node.counters.scrubs - scrubs, 9, 11);
}

static void verdicts_are_no_damage(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		set_verdict(5, HEALTH_DOWN);
		assert_false(scrub_all());
		pass_time(1000);
		set_verdict(5, HEALTH_UP);
		assert_false(scrub_all());
		pass_time(20000);
		assert_false(scrub_all());
	}
}

#define SCRUB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* What the driver finds, second by second. */
static struct {
	uint32_t n;
	int err;
} driver_finds;

static int find_pins(struct driver *d, uint32_t *n_renewed, struct driver_reason *reason)
{
	(void)d;
	*n_renewed = driver_finds.n;
	reason->text[0] = 0;
	return driver_finds.err ? driver_set_reason(reason, driver_finds.err, "slots: busy") : 0;
}

static void pins_that_were_missing_are_shown_for_a_minute_and_counted(void **state)
{
	static const struct driver_ops ops = { .keep_pins = find_pins }, none = { .name = "dpdk" };
	static const struct {
		const char *why;
		uint32_t n;
		int err;
		unsigned after_s;
		bool is_news;
		uint64_t shown, counted;
	} rows[] = {
		{ "all are there", 0, 0, 0, false, 0, 0 },
		{ "some were not", 3, 0, 1, true, 3, 3 },
		{ "all are there again", 0, 0, 1, false, 3, 3 },
		{ "once more", 2, 0, 1, true, 5, 5 },
		{ "still shown", 0, 0, 59, false, 5, 5 },
		{ "a minute", 0, 0, 1, true, 0, 5 },
		{ "one cannot be made", 0, -EBUSY, 1, true, 0, 5 },
		{ "nor now", 0, -EBUSY, 100, false, 0, 5 },
		{ "now it can", 1, 0, 1, true, 1, 6 },
	};
	struct driver *driver = (void *)&driver_finds;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		driver_finds.n = rows[i].n;
		driver_finds.err = rows[i].err;
		now_ms += rows[i].after_s * 1000;
		if (scrub_pins(&scrub, &ops, driver, now_ms) != rows[i].is_news ||
		    scrub.pins.n != rows[i].shown || s.node.counters.pins != rows[i].counted ||
		    !*scrub.pins.reason.text != !rows[i].err)
			fail_msg("%s: %d", rows[i].why, (int)scrub.pins.n);
	}
	assert_false(scrub_pins(&scrub, &none, driver, now_ms));
}

SUITE(scrub)
{
	const struct CMUnitTest tests[] = {
		SCRUB_TEST(pins_that_were_missing_are_shown_for_a_minute_and_counted),
		SCRUB_TEST(each_table_is_named_and_mended_twice),
		SCRUB_TEST(what_others_write_is_no_damage),
		SCRUB_TEST(changes_are_no_damage),
		SCRUB_TEST(verdicts_are_no_damage),
		SCRUB_TEST(damage_is_found_by_a_store_and_does_not_spread),
		SCRUB_TEST(damage_is_named_after_the_tables_have_grown),
		SCRUB_TEST(findings_are_bounded),
		SCRUB_TEST(a_process_that_takes_over_believes_no_slot_of_another_pool),
		SCRUB_TEST(a_pass_waits_for_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
