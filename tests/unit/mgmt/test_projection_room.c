/* SPDX-License-Identifier: BSD-2-Clause */
/* What backup pools may get of a drain, and the guard `room`. */
#include "tests/unit/mgmt/projection_scene.h"

/* --- backup pools --- */

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
	by_dns = out->steps[0].sites[FRA].flows_per_s - now[FRA].flows_per_s;
	assert_true(by_dns > all / 3 && by_dns < all);
	assert_near(out->steps[0].sites[FRA].backup_flows_per_s, all - by_dns, 3);
	assert_near(out->steps[0].sites[FRA].backup_bits_per_s, 1000 * (all - by_dns), 3000);
	assert_int_equal(out->steps[0].sites[LON].backup_flows_per_s, 0);
	at_web[AMS].backup_max_flows = 10; /* it takes no more than that */
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_true(out->steps[0].sites[FRA].backup_flows_per_s <= 10);
}

static void late_clients_are_those_that_had_not_left_before(void **state)
{
	const uint32_t none[3] = { 0 };
	uint64_t all = 0;

	(void)state;
	at_web[AMS].backup = &backup_pool;
	at_web[LON].weight = 1000000; /* so DNS sends next to nobody to fra */
	load_sites(none);
	all = count_queries(WEB, AMS, none);
	target.service = WEB;
	make_projection();
	assert_int_equal(out->steps[3].sites[FRA].backup_flows_per_s, 0); /* not yet 100 % */
	assert_near(out->steps[4].sites[FRA].backup_flows_per_s, all / 4, all / 100 + 2);
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
	assert_int_equal(out->steps[4].sites[FRA].backup_flows_per_s, 700);
	assert_true(out->steps[4].sites[FRA].receives);
	assert_int_equal(out->steps[4].sites[FRA].flows_per_s, now[FRA].flows_per_s);
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
	assert_int_equal(out->steps[4].sites[FRA].backup_flows_per_s, 0);
	in.n_targets = 1;
	now[FRA].out = true;
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->steps[4].sites[FRA].backup_flows_per_s, 0);
}

/* --- room --- */

static const struct {
	const char *why;
	uint64_t cap_flows, cap_bits;
	struct projection_site fra;
	enum projection_verdict verdict;
	bool passes;
} room_cases[] = {
	{ "no capacity: not checked",
	  0,
	  0,
	  { .receives = true, .flows_known = true },
	  PROJECTION_NOT_CHECKED,
	  true },
	{ "no capacity, nothing known: not checked",
	  0,
	  0,
	  { .receives = true },
	  PROJECTION_NOT_CHECKED,
	  true },
	{ "85 % is room",
	  100,
	  0,
	  { .receives = true, .flows_known = true, .flows_per_s = 85 },
	  PROJECTION_ROOM,
	  true },
	{ "86 % is not",
	  100,
	  0,
	  { .receives = true, .flows_known = true, .flows_per_s = 86 },
	  PROJECTION_FULL,
	  false },
	{ "nor with its backup",
	  100,
	  0,
	  { .receives = true, .flows_known = true, .flows_per_s = 80, .backup_flows_per_s = 6 },
	  PROJECTION_FULL,
	  false },
	{ "missing is not 0",
	  100,
	  0,
	  { .receives = true, .bits_known = true },
	  PROJECTION_UNKNOWN,
	  false },
	{ "flows known, bits stated",
	  0,
	  1000,
	  { .receives = true, .flows_known = true },
	  PROJECTION_UNKNOWN,
	  false },
	{ "bits",
	  0,
	  1000,
	  { .receives = true, .bits_known = true, .bits_per_s = 851 },
	  PROJECTION_FULL,
	  false },
	{ "full is worse than unknown",
	  100,
	  1000,
	  { .receives = true, .bits_known = true, .bits_per_s = 900 },
	  PROJECTION_FULL,
	  false },
	{ "no receiver", 100, 1000, { .receives = false }, PROJECTION_NOT_CHECKED, true },
	{ "sums do not overflow",
	  100,
	  0,
	  { .receives = true,
	    .flows_known = true,
	    .flows_per_s = UINT64_MAX,
	    .backup_flows_per_s = 5 },
	  PROJECTION_FULL,
	  false },
};

static void room_follows_its_table(void **state)
{
	struct projection_room room;

	(void)state;
	for (size_t i = 0; i < sizeof(room_cases) / sizeof(room_cases[0]); i++) {
		out->steps[0].sites[FRA] = room_cases[i].fra;
		sites[FRA].capacity_flows = room_cases[i].cap_flows;
		sites[FRA].capacity_bits = room_cases[i].cap_bits;
		projection_judge_room(&m, &out->steps[0], &room);
		print_message("  %s: %s\n", room_cases[i].why, room.detail);
		assert_int_equal(room.verdict, room_cases[i].verdict);
		assert_int_equal(projection_has_room(room.verdict), room_cases[i].passes);
		assert_true(*room.detail && strlen(room.detail) + 1 < sizeof(room.detail));
		if (!room_cases[i].passes)
			assert_int_equal(room.site, FRA);
	}
}

static void the_margin_is_that_of_the_fullest_receiver(void **state)
{
	struct projection_room room;

	(void)state;
	for (uint32_t i = FRA; i <= LON; i++) {
		sites[i].capacity_flows = 1000;
		out->steps[0].sites[i] = (struct projection_site){ .receives = true,
			                                           .flows_known = true,
			                                           .flows_per_s = 500 + 100 * i };
	}
	projection_judge_room(&m, &out->steps[0], &room);
	assert_int_equal(room.verdict, PROJECTION_ROOM);
	assert_near(room.margin_ppm, 150000, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_load_may_come_to_the_backup_at_once),
		TEST(late_clients_are_those_that_had_not_left_before),
		TEST(a_service_that_dns_does_not_move_comes_to_its_backup),
		TEST(a_backup_at_a_drained_site_takes_nothing),
		TEST(room_follows_its_table),
		TEST(the_margin_is_that_of_the_fullest_receiver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
