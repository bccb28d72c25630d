/* SPDX-License-Identifier: BSD-2-Clause */
/* Promises about measurements and receivers, one scene each. */
#include "operations_scenes.h"

#include <errno.h>

#include "operations_scene.h"

static int drain_takes_its_steps(void)
{
	static const uint32_t levels[] = { 100000, 250000, 500000, 750000, 1000000 };

	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].has_backup = true;
	for (uint32_t i = 0; i < 5; i++) {
		CHECK(scene.op.late_from_ms == 0);
		CHECK(scene_until_level(levels[i]));
		CHECK(scene.op.n_steps == i + 1);
	}
	CHECK(scene.op.late_from_ms >= scene.now_ms + (int64_t)SCENE_TTL_S * 1000);
	CHECK(scene_until_state(OPERATION_LATE, 20));
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_SHUTDOWN &&
	      scene.op.write.own == OPERATION_ANNOUNCE_NORMAL);
	scene_tick(100);
	CHECK(scene.op.state == OPERATION_LATE); /* clients still come */
	scene.sites[0].flows = scene_value(9);
	CHECK(scene_until_state(OPERATION_DRAINED, 2));
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_SHUTDOWN || scene.op.shared_withdrawn);
	scene_tick(5);
	CHECK(scene.op.state == OPERATION_DRAINED &&
	      scene.op.write.shared == OPERATION_ANNOUNCE_WITHDRAWN);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_NORMAL);
	scene.sites[0].established = scene_value(0);
	CHECK(scene_until_state(OPERATION_EMPTY, 2));
	return 0;
}

static int quiet_is_one_percent_or_one(void)
{
	static const struct {
		uint64_t before, flows;
		bool drained;
	} cases[] = {
		{ 10000, 100, false }, { 10000, 99, true }, { 50, 1, false }, { 50, 0, true }
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.sites[0].flows = scene_value(cases[i].before);
		CHECK(scene_until_state(OPERATION_LATE, 200));
		scene.sites[0].flows = scene_value(cases[i].flows);
		scene_tick(2);
		CHECK((scene.op.state == OPERATION_DRAINED) == cases[i].drained);
	}
	return 0;
}

static int missing_is_never_zero(void)
{
	for (int which = 0; which < 8; which++) {
		scene_begin(OPERATION_DRAIN, 0);
		CHECK(scene_until_level(100000));
		switch (which) {
		case 0:
			scene.sites[1].repeats.known = false;
			break;
		case 1:
			scene.sites[1].drops.known = false;
			break;
		case 2:
			scene.sites[1].flows.known = false;
			break;
		case 3:
			scene.sites[0].flows.known = false;
			break;
		case 4:
			scene.sites[2].failing = OPERATION_UNKNOWN;
			break;
		case 5:
			scene.sites[2].pools = OPERATION_UNKNOWN;
			break;
		case 6:
			scene.f.max_sites_out.known = false;
			break;
		default:
			scene.f.unconfirmed = OPERATION_UNKNOWN;
		}
		scene_tick(3);
		CHECK(scene.op.state == OPERATION_HELD && scene.op.level_ppm == 100000);
	}
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].repeats.known = false; /* nothing to compare with later */
	scene_tick(4);
	CHECK(scene.op.state == OPERATION_HELD && scene.op.write.epoch == 0);
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.overridden[OPERATION_GUARD_FRESH] = true;
	CHECK(scene_until_level(100000));
	scene.sites[1].repeats = (struct operation_value){ 0 };
	scene_tick(3);
	CHECK(scene_is_held_by("receivers"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.ttl_s.known = false;
	scene_tick(4);
	CHECK(scene_is_held_by("fresh") && scene.op.write.epoch == 0);
	return 0;
}

static int a_moment_without_a_value_does_not_hold(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	for (int i = 0; i < 3; i++) {
		scene.sites[1].repeats.known = false;
		scene_tick(1);
		scene.sites[1].repeats.known = true;
		scene_tick(2);
		CHECK(scene.op.state == OPERATION_MOVING);
	}
	scene.sites[0].repeats.known = scene.sites[0].drops.known = false; /* it gets none */
	CHECK(scene_until_level(250000));
	return 0;
}

static int a_receiver_that_suffers_holds_at_once(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.sites[2].repeats = scene_value(60);
	scene_tick(1);
	CHECK(scene_is_held_by("receivers") && scene.op.level_ppm == 250000);
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      strstr(scene.error, "receivers"));
	scene.sites[2].repeats = scene_value(1);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_level(500000));
	scene.sites[1].drops = scene_value(50);
	scene_tick(1);
	CHECK(scene_is_held_by("receivers"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].repeats = scene_value(400); /* it suffered before */
	scene_tick(3);
	CHECK(scene_is_held_by("receivers") && scene.op.write.epoch == 0);
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].failing = OPERATION_YES;
	scene_tick(3);
	CHECK(scene_is_held_by("receivers"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].pools = OPERATION_NO;
	scene_tick(3);
	CHECK(scene_is_held_by("receivers"));
	return 0;
}

static int room_counts_what_the_step_brings(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].capacity_flows = scene_value(2000);
	scene.sites[1].at[5].flows = scene_value(1800);
	scene_tick(3);
	CHECK(scene_is_held_by("room") && !scene.op.write.epoch); /* its end would be too much */
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.sites[1].capacity_flows = scene_value(2000);
	scene.sites[1].at[2].flows = scene_value(1800);
	CHECK(scene_until_state(OPERATION_HELD, 60));
	CHECK(scene_is_held_by("room") &&
	      scene.op.level_ppm == 100000); /* the second step would be too much */
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.sites[1].capacity_flows = scene_value(1100); /* the squeeze, while the step runs */
	scene_tick(1);
	CHECK(scene_is_held_by("room"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].capacity_flows = scene_value(2000);
	scene.sites[1].at[1].flows.known = false;
	scene_tick(4);
	CHECK(scene_is_held_by("room"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].capacity_bits = scene_value(9000);
	scene_tick(3);
	CHECK(scene_is_held_by("room"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.now = true;
	scene.op.n_plan = plan_levels(0, MODEL_PPM_ALL, true, scene.op.plan_ppm);
	scene.sites[1].capacity_flows =
	        scene_value(1700); /* 1000 by DNS, and 500 by the backup pool */
	scene_tick(3);
	CHECK(scene_is_held_by("room"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.now = true;
	scene.op.n_plan = plan_levels(0, MODEL_PPM_ALL, true, scene.op.plan_ppm);
	scene.sites[1].capacity_flows = scene_value(9000);
	scene.sites[1].at[1].backup_flows = (struct operation_value){ 0 };
	scene_tick(4);
	CHECK(scene_is_held_by("room"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].at[1].flows.known = false; /* without a stated capacity: not checked */
	scene_tick(3);
	CHECK(scene.op.state == OPERATION_MOVING);
	return 0;
}

/* The slots of its backup are another service's, too. */
static int a_backup_of_two_services_waits_for_both(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].has_backup = true;
	scene.sites[0].slots_with = "mail";
	scene.sites[0].backup_ok = OPERATION_UNKNOWN; /* it is not needed */
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene_tick(20);
	CHECK(scene.op.late_from_ms == 0);
	return 0;
}

/* b serves no name of what moves, but has the backup pool of a. */
static int a_site_with_the_backup_alone_is_a_receiver(void)
{
	for (int which = 0; which < 5; which++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.sites[1].serves = false;
		scene.sites[1].backs = true;
		scene.sites[1].capacity_flows = scene_value(which == 0 ? 1500 : 9000);
		if (which == 1)
			scene.sites[1].flows.known = false;
		if (which == 2)
			scene.sites[1].pools = OPERATION_NO;
		if (which == 3)
			scene.sites[1].repeats.known = false;
		if (which == 4)
			scene.sites[2].out = OPERATION_YES; /* b is none that is left */
		scene.f.max_sites_out = scene_value(2);
		CHECK(scene_until_state(OPERATION_HELD, 200));
		CHECK(scene_is_held_by(which == 0   ? "room"
		                       : which == 2 ? "receivers"
		                       : which == 4 ? "last-site"
		                                    : scene.op.hold.code));
		/* also of the late clients, which come with the last step alone */
		CHECK(scene.op.level_ppm == 0);
	}
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[1].serves = false; /* neither: it does not matter */
	scene.sites[1].pools = OPERATION_NO;
	CHECK(scene_until_level(1000000));
	return 0;
}

static int sites_that_are_out_are_no_receivers(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.max_sites_out = scene_value(2);
	scene.sites[2].out = OPERATION_YES;
	scene.sites[2].failing = OPERATION_YES;
	scene.sites[2].flows.known = scene.sites[2].repeats.known = false;
	CHECK(scene_until_level(100000)); /* c does not matter */
	CHECK(operation_count_deciding(&scene.op, &scene.f) == 1);
	scene.sites[2].out = OPERATION_NO;
	CHECK(operation_count_deciding(&scene.op, &scene.f) == 2);
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.max_sites_out = scene_value(3);
	scene.sites[1].up = OPERATION_NO;
	scene.sites[2].out = OPERATION_YES;
	scene_tick(3);
	CHECK(scene_is_held_by("last-site"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.max_sites_out = scene_value(3);
	scene.sites[1].out = scene.sites[2].out = OPERATION_UNKNOWN;
	scene_tick(4);
	CHECK(scene_is_held_by("last-site"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[2].out = OPERATION_YES;
	scene_tick(3);
	CHECK(scene_is_held_by("max-sites-out"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[2].held = true;
	scene_tick(3);
	CHECK(scene_is_held_by("max-sites-out"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[2].up = OPERATION_NO;
	scene_tick(3);
	CHECK(scene_is_held_by("max-sites-out"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[2].up = OPERATION_NO;
	scene.sites[2].failing = OPERATION_YES; /* it is no receiver */
	scene.op.overridden[OPERATION_GUARD_MAX_SITES_OUT] = true;
	scene_tick(4);
	CHECK(scene.op.state == OPERATION_MOVING);
	return 0;
}

static int unmeasured_sites_end_unconfirmed(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].absent = true;
	scene.sites[0].flows.known = scene.sites[0].arrivals.known = false;
	scene.sites[0].repeats.known = scene.sites[0].drops.known = false;
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene_tick(60);
	CHECK(scene.op.state == OPERATION_LATE); /* answers still name it */
	scene.sites[0].named = (struct operation_value){ 0 };
	scene_tick(60);
	CHECK(scene.op.state == OPERATION_LATE);
	scene.sites[0].named = scene_value(0);
	scene_tick(2 * SCENE_TTL_S - 1);
	CHECK(scene.op.state == OPERATION_LATE);
	scene_tick(3);
	CHECK(scene.op.state == OPERATION_DRAINED_UNCONFIRMED);
	CHECK(!scene.op.drained_ms);
	scene_tick(1);
	CHECK(!strcmp(scene.op.waits, "new flows of site a are not measured"));
	scene.nodes[0].reached = false;
	scene_tick(1);
	CHECK(strstr(scene.op.waits, "no node of site a is reached"));
	scene.nodes[0].reached = true;
	scene.sites[0].flows = scene_value(500);
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_LATE);
	scene.sites[0].flows = scene_value(0);
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_DRAINED && scene.op.drained_ms);
	return 0;
}

static int one_tick_without_a_measurement_is_not_drained(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].named = scene_value(0);
	scene.sites[0].flows = scene_value(500);
	scene_tick(3 * SCENE_TTL_S);
	scene.sites[0].flows.known = false;
	scene_tick(2 * SCENE_TTL_S - 1);
	CHECK(scene.op.state == OPERATION_LATE);
	scene_tick(2);
	CHECK(scene.op.state == OPERATION_DRAINED_UNCONFIRMED);
	return 0;
}

/* Levels are read each second: a step may be in force that nobody has read yet, and must not go back. */
static int a_hold_keeps_a_step_that_was_not_read_yet(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	while (scene.op.write.to_ppm != 250000)
		scene_tick(1);
	scene.obey = false; /* what is read stays at 10 % */
	while (scene.now_ms < scene.op.write.from_ms)
		scene_tick(1);
	scene.nodes[2].reached = false;
	scene_tick(1);
	CHECK(scene_is_held_by("node-lost"));
	CHECK(scene.op.write.to_ppm == 250000 && scene.op.level_ppm == 250000);
	return 0;
}

static int a_silent_node_leaves_the_drain_unconfirmed(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].incomplete = true;
	scene.sites[0].named = scene.sites[0].flows = scene.sites[0].established = scene_value(0);
	scene_tick(4 * SCENE_TTL_S);
	CHECK(scene.op.state == OPERATION_DRAINED_UNCONFIRMED);
	scene_tick(1);
	CHECK(strstr(scene.op.waits, "a node of site a is absent"));
	scene.sites[0].incomplete = false;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_DRAINED);
	scene.sites[0].incomplete = true;
	scene_tick(2);
	CHECK(scene.op.state == OPERATION_DRAINED);
	scene.sites[0].incomplete = false;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_EMPTY);
	return 0;
}

static int expiry_while_a_return_is_held_is_told(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.until_ms = scene.now_ms + 1000000;
	CHECK(scene_until_level(250000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(1);
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene.now_ms = scene.op.until_ms;
	scene_tick(2);
	CHECK(scene.op.state == OPERATION_EXPIRED_HELD);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_DONE, 400));
	return 0;
}

static int expiry_during_a_hold_changes_nothing(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.until_ms = scene.now_ms + 1000000;
	CHECK(scene_until_level(250000));
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      scene_is_held_by("person"));
	scene.now_ms = scene.op.until_ms - 902000;
	scene_tick(1);
	CHECK(!scene.op.expiry_announced && scene.act.n_events == 0);
	scene_tick(1); /* 15 minutes before */
	CHECK(scene.op.expiry_announced && scene.op.state == OPERATION_HELD);
	CHECK(scene.act.n_events == 1);
	scene_tick(1);
	CHECK(scene.act.n_events == 0); /* once */
	scene.now_ms = scene.op.until_ms;
	scene.f.clock = OPERATION_NO;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_HELD); /* that clock says nothing */
	scene.f.clock = OPERATION_YES;
	scene_tick(10);
	CHECK(scene.op.state == OPERATION_EXPIRED_HELD && scene.op.level_ppm == 250000);
	CHECK(scene.op.write.to_ppm == 250000);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_RETURNING);
	CHECK(scene_until_state(OPERATION_DONE, 200) && scene.op.write.ended &&
	      scene.op.level_ppm == 0);
	return 0;
}

static int who_takes_it_is_not_absent(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	(void)snprintf(scene.op.without[scene.op.n_without++], MODEL_NAME_MAX, "nc");
	scene.f.self = "nc";
	scene.nodes[1].reached = scene.nodes[1].self = false;
	scene.nodes[2].self = true;
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.n_without == 0);
	return 0;
}

static int the_least_margin_is_remembered(void)
{
	for (uint32_t narrow = 1; narrow < SCENE_NODES; narrow++) {
		scene_begin(OPERATION_DRAIN, 0);
		CHECK(scene_until_level(100000));
		scene.sites[1].capacity_flows = scene.sites[2].capacity_flows = scene_value(2000);
		scene.sites[narrow].capacity_flows = scene_value(1250); /* 1000 are 80 % */
		scene_tick(1);
		CHECK(scene.op.steps[0].margins[OPERATION_GUARD_ROOM] == 20);
		scene.sites[narrow].capacity_flows = scene_value(1200);
		scene_tick(1);
		scene.sites[narrow].capacity_flows = scene_value(1250);
		scene_tick(1);
		CHECK(scene.op.steps[0].margins[OPERATION_GUARD_ROOM] == 17);
	}
	return 0;
}

static int room_counts_the_bits_of_the_backup(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.now = true;
	operation_plan(&scene.op, &scene.f);
	scene.sites[1].capacity_bits = scene_value(13000); /* 8000 by DNS, and 4000 to the backup */
	scene_tick(3);
	CHECK(scene_is_held_by("room") && strstr(scene.op.hold.detail, "bits"));
	return 0;
}

static int room_names_what_is_not_measured(void)
{
	static const char *const said[] = {
		"flows of site a are not known, so there is no room at site b",
		"flows of site b are not known, so there is no room at site b"
	};

	for (int which = 0; which < 2; which++) {
		scene_begin(OPERATION_DRAIN, 0);
		CHECK(scene_until_level(100000));
		scene.op.overridden[OPERATION_GUARD_FRESH] = true;
		scene.sites[1].capacity_flows = scene_value(2000);
		scene.sites[which].flows.known = false;
		for (uint32_t p = 0; p < OPERATION_POINTS; p++)
			scene.sites[1].at[p].flows.known = false;
		scene_tick(3);
		CHECK(scene_is_held_by("room") && strstr(scene.op.hold.detail, said[which]));
	}
	return 0;
}

static int a_shift_rests_and_a_drain_starts_from_there(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_SHIFT, 300000);
	CHECK(scene_until_state(OPERATION_RESTING, 200));
	CHECK(scene.op.level_ppm == 300000 && !operation_moves(&scene.op));
	person.goal_ppm = MODEL_PPM_ALL;
	person.until_ms = scene.now_ms;
	CHECK(operation_redirect(&scene.op, &scene.f, &person, scene.now_ms, scene.error) ==
	      -EINVAL);
	person.until_ms = scene.now_ms + 3600000;
	person.withdraw = true;
	scene.op.until_ms = scene.now_ms + 1;
	CHECK(!operation_redirect(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.until_ms == person.until_ms && scene.op.withdraw);
	CHECK(scene_until_level(500000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_RESTING, 100) && scene.op.level_ppm == 300000);
	CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_DONE, 200));
	return 0;
}

/* Other nodes show what it waits for by the record, which they get when its number rises. */
static int another_wait_is_another_record(void)
{
	uint64_t seq;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene_tick(2);
	CHECK(strstr(scene.op.waits, "answers given before the step"));
	seq = scene.op.seq;
	scene_tick(1); /* a second less to wait for */
	CHECK(scene.op.seq == seq);
	scene.op.waits[0] = '\0'; /* as if it had waited for something else */
	scene_tick(1);
	CHECK(scene.op.seq == seq + 1);
	return 0;
}

uint64_t scenes_measure(void)
{
	static int (*const scenes[])(void) = {
		drain_takes_its_steps,
		quiet_is_one_percent_or_one,
		missing_is_never_zero,
		a_moment_without_a_value_does_not_hold,
		a_receiver_that_suffers_holds_at_once,
		room_counts_what_the_step_brings,
		a_backup_of_two_services_waits_for_both,
		a_site_with_the_backup_alone_is_a_receiver,
		sites_that_are_out_are_no_receivers,
		unmeasured_sites_end_unconfirmed,
		one_tick_without_a_measurement_is_not_drained,
		a_hold_keeps_a_step_that_was_not_read_yet,
		a_silent_node_leaves_the_drain_unconfirmed,
		expiry_while_a_return_is_held_is_told,
		expiry_during_a_hold_changes_nothing,
		who_takes_it_is_not_absent,
		the_least_margin_is_remembered,
		room_counts_the_bits_of_the_backup,
		room_names_what_is_not_measured,
		a_shift_rests_and_a_drain_starts_from_there,
		another_wait_is_another_record,
	};
	uint64_t faults = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		faults += (uint64_t)scenes[i]();
	return faults;
}
