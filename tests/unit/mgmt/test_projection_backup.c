/* SPDX-License-Identifier: BSD-2-Clause */
/* What backup pools may get of a drain. */
#include "tests/unit/mgmt/projection_scene.h"
#include "tests/unit/suite.h"

static void the_whole_load_may_come_to_the_backup_at_once(void **state)
{
	const uint32_t none[3] = { 0 };
	uint64_t all, by_dns;

	(void)state;
	at_web[AMS].backup = &backup_pool;
	load_sites(none);
	target.service = WEB;
	steps[0] = 1000000;
	in.n_steps = 1;
	in.at_once = true;
	make_projection();
	assert_step(&out->begin, none, true);
	all = count_queries(WEB, AMS, none);
	by_dns = out->steps[0].sites[FRA].flows.value - now[FRA].flows.value;
	assert_true(by_dns > all / 3 && by_dns < all);
	assert_near(out->steps[0].sites[FRA].backup_flows.value, all - by_dns, 3);
	assert_near(out->steps[0].sites[FRA].backup_bits.value, 1000 * (all - by_dns), 3000);
	assert_int_equal(out->steps[0].sites[LON].backup_flows.value, 0);
	at_web[AMS].backup_max_flows = 10; /* it takes no more than that */
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_true(out->steps[0].sites[FRA].backup_flows.value <= 10);
}

static void late_clients_are_those_that_had_not_left_before(void **state)
{
	const uint32_t none[3] = { 0 };
	uint64_t all = 0;

	(void)state;
	at_web[AMS].backup = &backup_pool;
	at_web[AMS].weight = at_web[LON].weight = 1000000; /* so DNS sends next to nobody to fra */
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	load_sites(none);
	all = count_queries(WEB, AMS, none);
	assert_true(all > 10000);
	target.service = WEB;
	make_projection();
	assert_int_equal(out->steps[3].sites[FRA].backup_flows.value, 0); /* not yet 100 % */
	assert_near(out->steps[4].sites[FRA].backup_flows.value, all / 4, all / 100 + 2);
	target.level_ppm = 500000; /* of what it has there, half is left at 75 % */
	memcpy(steps, (const uint32_t[]){ 750000, 1000000 }, 2 * sizeof(*steps));
	in.n_steps = 2;
	const uint32_t half[3] = { 500000, 0, 0 };
	load_sites(half);
	all = count_queries(WEB, AMS, half);
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_near(out->steps[1].sites[FRA].backup_flows.value, all / 2, all / 100 + 2);
}

static void a_service_that_dns_does_not_move_comes_to_its_backup(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	at_batch[0].backup = &backup_pool;
	load_sites(none);
	flows[in.n_flows++] = (struct projection_flows){ BATCH, AMS, 700, 700 };
	flows[in.n_flows++] = (struct projection_flows){ BATCH, LON, 1, 1 };
	target.service = BATCH;
	make_projection();
	assert_int_equal(out->steps[4].sites[FRA].backup_flows.value, 700);
	assert_int_equal(out->steps[4].sites[FRA].receives, OPERATION_YES);
	assert_int_equal(out->steps[4].sites[FRA].flows.value, now[FRA].flows.value);
}

static void a_backup_at_a_drained_site_takes_nothing(void **state)
{
	const struct projection_gate both[] = { { AMS, PROJECTION_ALL, 0 },
		                                { FRA, PROJECTION_ALL, 0 } };
	const uint32_t none[3] = { 0 };

	(void)state;
	at_web[AMS].backup = &backup_pool;
	load_sites(none);
	in.targets = both;
	in.n_targets = 2;
	in.at_once = true;
	make_projection();
	assert_int_equal(out->steps[4].sites[FRA].backup_flows.value, 0);
	in.n_targets = 1;
	now[FRA].out = true;
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->steps[4].sites[FRA].backup_flows.value, 0);
}

/* Another drain counts when it is complete and of all services. */
static void a_backup_at_a_site_that_others_drain_takes_what_they_leave(void **state)
{
	static const struct {
		const char *why;
		struct projection_gate gate;
		bool takes;
	} rows[] = {
		{ "drained", { FRA, PROJECTION_ALL, 1000000 }, false },
		{ "drained beyond all", { FRA, PROJECTION_ALL, 1000001 }, false },
		{ "a few are left", { FRA, PROJECTION_ALL, 999999 }, true },
		{ "the service is drained, its pool is not", { FRA, WEB, 1000000 }, true },
		{ "a part of another site is drained", { LON, PROJECTION_ALL, 500000 }, true },
	};
	const uint32_t none[3] = { 0 };

	(void)state;
	at_web[AMS].backup = &backup_pool;
	load_sites(none);
	target.service = WEB;
	in.at_once = true;
	in.gates = gates;
	in.n_gates = 1;
	assert_int_equal(projector_add(projector, seen), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gates[0] = rows[i].gate;
		assert_int_equal(projection_make(projector, &in, out), 0);
		if ((out->steps[4].sites[FRA].backup_flows.value > 0) != rows[i].takes)
			fail_msg("%s", rows[i].why);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(projection_backup)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_load_may_come_to_the_backup_at_once),
		TEST(late_clients_are_those_that_had_not_left_before),
		TEST(a_service_that_dns_does_not_move_comes_to_its_backup),
		TEST(a_backup_at_a_drained_site_takes_nothing),
		TEST(a_backup_at_a_site_that_others_drain_takes_what_they_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
