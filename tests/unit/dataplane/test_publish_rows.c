/* SPDX-License-Identifier: BSD-2-Clause */
/* What the dataplane shows of its driver: workers, bursts, classes of frames for the kernel, ports (publish.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/publish_scene.h"
#include "tests/unit/suite.h"

static void count_by_two_workers(void)
{
	n_workers = 2;
	for (uint32_t i = 0; i < 2; i++) {
		workers[i] = (struct driver_worker){ .frames = 100 + i,
			                             .cycles = 110 + i,
			                             .sleeps = 120 + i,
			                             .interrupts = 130 + i,
			                             .handed_over = 140 + i,
			                             .from_kernel = 150 + i,
			                             .from_kernel_lost = 160 + i,
			                             .cpu = 4 + 2 * i };
		for (uint32_t b = 0; b < DRIVER_BURST_SIZES; b++)
			workers[i].bursts[b] = 1000 * (i + 1) + b;
	}
}

static void workers_count_by_their_own_rows(void **state)
{
	static const char *const names[] = { "frames",          "cycles",      "sleeps",
		                             "interrupts",      "handed_over", "from_kernel",
		                             "from_kernel_lost" };
	static const char *const labels[] = { "worker=\"0\",cpu=\"4\"", "worker=\"1\",cpu=\"6\"" };
	static const unsigned least[DRIVER_BURST_SIZES] = { 0, 1, 2, 4, 8, 16, 32, 64 };
	char text[96];

	(void)state;
	s.node.ops = &with_workers;
	count_by_two_workers();
	publish_all();
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < COUNT(names); k++) {
			snprintf(text, sizeof(text), METRIC("worker_%s_total"), names[k]);
			expect_metric(text, labels[i], 100 + 10 * k + i);
		}
		for (uint32_t b = 0; b < DRIVER_BURST_SIZES; b++) {
			snprintf(text, sizeof(text), "worker=\"%u\",frames=\"%u\"", i, least[b]);
			expect_metric(METRIC("worker_bursts_total"), text, 1000 * (i + 1) + b);
		}
	}
	n_workers = 1; /* another crew, on another CPU */
	workers[0].cpu = 5;
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(n_rows(METRIC("worker_frames_total")), 1);
	assert_int_equal(n_rows(METRIC("worker_bursts_total")), DRIVER_BURST_SIZES);
	expect_metric(METRIC("worker_frames_total"), "worker=\"0\",cpu=\"5\"", 100);
	n_workers = 2;
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(n_rows(METRIC("worker_frames_total")), 2);
	expect_metric(METRIC("worker_frames_total"), labels[1], 101);
}

static void frames_for_the_kernel_are_summed_by_class(void **state)
{
	(void)state;
	s.node.ops = &with_workers;
	n_workers = 3;
	memset(workers, 0, sizeof(workers));
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t c = 0; c < 2; c++) {
			workers[i].to_kernel[c] = 10 * c + i + 1;
			workers[i].policed[c] = 100 * c + i + 2;
		}
	publish_all();
	assert_int_equal(n_rows(METRIC("kernel_frames_total")), 2);
	expect_metric(METRIC("kernel_frames_total"), "class=\"arp\"", 6);
	expect_metric(METRIC("kernel_policed_total"), "class=\"arp\"", 9);
	expect_metric(METRIC("kernel_frames_total"), "class=\"bgp\"", 36);
	expect_metric(METRIC("kernel_policed_total"), "class=\"bgp\"", 309);
}

static void ports_come_and_go(void **state)
{
	(void)state;
	n_ports = 2;
	ports[0] = (struct driver_port){ .name = "eth0", .up = true, .missed = 3, .no_memory = 4 };
	ports[1] = (struct driver_port){ .name = "eth1", .missed = 5, .no_memory = 6 };
	publish_all();
	expect_metric(METRIC("port_up"), "port=\"eth0\"", 1);
	expect_metric(METRIC("port_missed_total"), "port=\"eth0\"", 3);
	expect_metric(METRIC("port_no_memory_total"), "port=\"eth0\"", 4);
	expect_metric(METRIC("port_up"), "port=\"eth1\"", 0);
	expect_metric(METRIC("port_missed_total"), "port=\"eth1\"", 5);
	expect_metric(METRIC("port_no_memory_total"), "port=\"eth1\"", 6);
	strcpy(ports[1].name, "eth2");
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("port_missed_total"), "port=\"eth1\"", -1);
	expect_metric(METRIC("port_missed_total"), "port=\"eth2\"", 5);
	expect_metric(METRIC("port_missed_total"), "port=\"eth0\"", 3);
	expect_metric(METRIC("ports_generic"), "", 2);
	ports[0].lost = true; /* its interface is gone, or carries another program */
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("ports"), "", 1);
	expect_metric(METRIC("ports_generic"), "", 1);
	expect_metric(METRIC("port_up"), "port=\"eth0\"", 0);
	ports[0].lost = false;
	n_ports = 1;
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("port_up"), "port=\"eth0\"", 1);
	assert_int_equal(n_rows(METRIC("port_up")), 1);
	strcpy(ports[0].name, "eth3"); /* a port that has stayed twice goes, too */
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(n_rows(METRIC("port_up")), 1);
	expect_metric(METRIC("port_missed_total"), "port=\"eth3\"", 3);
}

/* The tables of web-ams with the backup web-fra; alone, or beside those without one. */
static void use_backup(bool is_alone)
{
	struct world *w = &s.second;

	w->model.limits.slots = 16384; /* those of the tables before rest yet */
	w->pools[1].site = &w->sites[1];
	w->at[0].pool = &w->pools[0];
	w->at[0].backup = &w->pools[1];
	w->web_at[0].backup = is_alone ? &w->pools[1] : NULL;
	s.node.ops = &memory;
	apply_world(&s, w);
	s.node.ops = &without_workers;
}

/* All slots of the pool are the first backend's of @p class, but for @p n of the first of @p other. */
static void give_slots(const struct compiler_pool *pool, enum plan_class class, uint32_t n,
                       enum plan_class other)
{
	uint16_t owner = 0, of_others = 0;

	for (size_t k = pool->plan->n_backends; k-- > 0;) {
		if (pool->plan->backends[k].class == class)
			owner = (uint16_t)pool->backends[k].index;
		if (pool->plan->backends[k].class == other)
			of_others = (uint16_t)pool->backends[k].index;
	}
	assert_true(owner && of_others);
	for (uint32_t i = 0; i < pool->n_slots; i++) {
		uint32_t at = pool->first_slot + i;

		s.node.t.slots[at / 32].slot[at % 32] = i < n ? of_others : owner;
	}
}

static void a_pool_shows_who_takes_its_new_flows(void **state)
{
	static const char labels[] = "pool=\"web-ams\"";
	static const struct {
		enum effect_class class;
		enum plan_class owner, other;
		uint32_t n, backup, refused;
	} rows[] = {
		{ EFFECT_CLASS_OWN, PLAN_OWN, PLAN_BACKUP, 0, 0, 0 },
		{ EFFECT_CLASS_OWN, PLAN_OWN, PLAN_BACKUP, 5, 5, 0 },
		{ EFFECT_CLASS_BACKUP, PLAN_BACKUP, PLAN_OWN, 3, 4093, 0 },
		{ EFFECT_CLASS_LIMITED, PLAN_BACKUP, PLAN_FULL, 7, 4089, 7 },
	};
	struct compiler_pool *pool = NULL;

	static struct model_backend other = { .name = "c", .id = 21 };
	static struct model_member member = { .id = 21, .weight = 10 };
	static struct model_set set = { 0, INT64_MAX, &member, 1 };
	struct model_pool *of_fra = &s.second.pools[1];

	(void)state;
	other.pool = of_fra;
	of_fra->backends = &other;
	of_fra->member_sets = &set;
	of_fra->n_backends = of_fra->n_member_sets = 1;
	use_backup(true);
	for (size_t k = 0; k < s.node.n_pools; k++)
		if (s.node.pools[k].backup)
			pool = &s.node.pools[k];
	assert_non_null(pool);
	for (size_t i = 0; i < COUNT(rows); i++) {
		pool->backup->state.class = rows[i].class;
		give_slots(pool, rows[i].owner, rows[i].n, rows[i].other);
		publish_all();
		expect_metric(METRIC("pool_class"), labels, (int64_t)rows[i].class);
		expect_metric(METRIC("pool_slots"), labels, 4096);
		expect_metric(METRIC("pool_backup_slots"), labels, rows[i].backup);
		expect_metric(METRIC("pool_refused_slots"), labels, rows[i].refused);
	}
}

/* With a backup and without one, a pool's services have slots of their own. */
static void further_tables_of_a_pool_name_their_backup(void **state)
{
	static const struct {
		const char *metric, *labels;
	} wanted[] = {
		{ METRIC("pool_slots"), "pool=\"web-ams\"" },
		{ METRIC("pool_slots"), "pool=\"web-ams\",backup=\"web-fra\"" },
		{ METRIC("backend_slots"), "pool=\"web-ams\",backend=\"b\"" },
		{ METRIC("backend_slots"), "pool=\"web-ams\",backend=\"b\",backup=\"web-fra\"" },
	};

	for (int alone = 1; alone >= 0; alone--) {
		teardown(state);
		setup(state);
		use_backup(!alone);
		publish_all();
		for (size_t i = 0; i < COUNT(wanted); i++) {
			bool is_further = strstr(wanted[i].labels, "backup=") != NULL;

			if ((value_of(wanted[i].metric, wanted[i].labels) >= 0) !=
			    (alone || !is_further))
				fail_msg("%d: %s", alone, wanted[i].labels);
		}
	}
}

SUITE(publish_rows)
{
	const struct CMUnitTest tests[] = {
		PUBLISH_TEST(workers_count_by_their_own_rows),
		PUBLISH_TEST(frames_for_the_kernel_are_summed_by_class),
		PUBLISH_TEST(ports_come_and_go),
		PUBLISH_TEST(a_pool_shows_who_takes_its_new_flows),
		PUBLISH_TEST(further_tables_of_a_pool_name_their_backup),
	};

	return cmocka_run_group_tests_name("publish rows", tests, NULL, NULL);
}
