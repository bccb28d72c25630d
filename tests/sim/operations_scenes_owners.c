/* SPDX-License-Identifier: BSD-2-Clause */
/* Promises about owners and records, one scene each. */
#include <errno.h>

#include "operations_scene.h"
#include "operations_scenes.h"

static int the_owner_is_outside_of_the_target(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.self = "na";
	(void)snprintf(scene.op.owner, sizeof(scene.op.owner), "na");
	scene_tick(1);
	CHECK(!strcmp(scene.op.owner, "nb") && !strcmp(scene.act.handed_over, "nb") &&
	      !scene.op.write.epoch);
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.self = "na";
	(void)snprintf(scene.op.owner, sizeof(scene.op.owner), "na");
	scene.nodes[1].reached = false;
	scene.nodes[2].site = NULL;
	scene_tick(1);
	CHECK(!strcmp(scene.op.owner, "na"));
	return 0;
}

static int two_nodes_need_each_other(void)
{
	struct operation_person without = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	scene.f.nodes = scene.nodes + 1;
	scene.f.n_nodes = 2;
	CHECK(scene_until_level(100000));
	scene.nodes[2].reached = false;
	scene_tick(1);
	CHECK(scene_is_held_by("node-lost"));
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) ==
	              OPERATION_REFUSED + OPERATION_GUARD_MAJORITY &&
	      strstr(scene.error, "majority"));
	without.without = (struct operation_names){ { "nc" }, 1 };
	scene.sites[2].up = OPERATION_NO;
	scene.f.max_sites_out = scene_value(2);
	CHECK(!operation_resume(&scene.op, &scene.f, &without, scene.now_ms, scene.error));
	CHECK(scene_until_level(250000));
	return 0;
}

static int a_removed_owner_says_so(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.nodes[0].reached = scene.nodes[2].reached = false;
	scene.nodes[2].refuses = true;
	scene_tick(1);
	CHECK(scene_is_held_by("owner-removed"));
	CHECK(strstr(scene.op.hold.detail, "node nc does not have owner nb"));
	scene.nodes[0].reached = scene.nodes[2].reached = true;
	scene.nodes[1].reached = scene.nodes[2].refuses = false;
	scene.f.self = "nc"; /* as the hold says */
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_is_held_by("taken"));
	return 0;
}

static int three_nodes_go_on_with_a_majority_when_resumed(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.nodes[0].reached = false; /* from the start: its site cannot be measured */
	scene.sites[0].absent = true;
	CHECK(scene_until_level(100000));
	scene.nodes[2].reached = false;
	scene_tick(1);
	CHECK(scene_is_held_by("node-lost"));
	return 0;
}

static int a_take_keeps_a_hold(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.sites[2].repeats = scene_value(90);
	scene_tick(1);
	CHECK(scene_is_held_by("receivers"));
	scene.sites[2].repeats = scene_value(1);
	scene.f.self = "nc";
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.write.epoch == scene.op.epoch && scene.op.write.to_ppm == 250000);
	scene_tick(60);
	CHECK(scene_is_held_by("receivers"));
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_level(500000));
	return 0;
}

static int a_take_reads_the_levels_first(void)
{
	uint32_t epoch;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	epoch = scene.op.epoch;
	scene.nodes[0].levels[0] = (struct operation_level){ true, epoch, 9, false, 500000 };
	scene.nodes[1].levels[0].known = false;
	scene.f.self = "nc";
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.epoch > epoch && scene_is_held_by("taken") &&
	      scene.op.write.to_ppm == 500000);
	scene_tick(25);
	CHECK(scene_is_held_by("taken"));
	scene.nodes[1].levels[0].known = true;
	scene_tick(1);
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) ==
	              -EALREADY &&
	      strstr(scene.error, "reads the levels"));
	CHECK(scene_until_state(OPERATION_MOVING, 20));
	CHECK(scene.op.level_ppm == 500000);
	CHECK(scene_until_level(750000));
	return 0;
}

/* By the clock: its epoch is above that of the former owner. */
static int a_new_owner_keeps_what_a_person_ended(void)
{
	struct operation_write write;
	uint32_t epoch;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	write = scene.op.write;
	epoch = scene.op.epoch;
	scene.nodes[2].levels[0] = (struct operation_level){ true, epoch + 1, 0, true, 0 };
	scene.f.self = "nc";
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_ABORTED && !strcmp(scene.op.hold.code, "command"));
	CHECK(scene.op.epoch == epoch && scene.op.write.epoch == write.epoch &&
	      scene.op.write.step == write.step);
	return 0;
}

static int a_person_holds_what_a_new_owner_would_go_on_with(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.f.self = "nc";
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_is_held_by("person"));
	scene_tick(60);
	CHECK(scene_is_held_by("person") && scene.op.level_ppm == 250000);
	CHECK(operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) ==
	      -EALREADY);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_level(500000));
	return 0;
}

/* The hold of a new owner is no person's: the end that came meanwhile comes when it goes on, or with the hold that follows. */
static int an_end_that_comes_to_a_new_owner_returns(void)
{
	for (int silent = 0; silent < 2; silent++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.op.until_ms = scene.now_ms + 1000000;
		CHECK(scene_until_level(250000));
		scene.nodes[1].levels[0].known = !silent;
		scene.f.self = "nc";
		CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                     scene.error));
		scene.now_ms = scene.op.until_ms + 5000;
		scene_tick(1);
		CHECK(scene_is_held_by("taken") && !scene.op.expired);
		for (size_t i = 0; i < scene.act.n_events; i++)
			CHECK(!strstr(scene.act.events[i], "comes in"));
		if (silent) {
			CHECK(scene_until_state(OPERATION_EXPIRED_HELD, 60));
			CHECK(!strcmp(scene.op.hold.code, "not-in-force"));
		} else {
			CHECK(scene_until_state(OPERATION_RETURNING, 20));
			CHECK(scene.op.expired && scene.op.level_ppm == 250000);
			CHECK(scene_until_level(0));
		}
	}
	return 0;
}

/* What of the node nb is missing to the new owner nc. */
static void lose_of_nb(int which, bool missing)
{
	if (which == 0)
		scene.nodes[1].levels[0].known = !missing;
	else
		scene.obey = !missing;
}

static int a_take_waits_for_no_node_without_end(void)
{
	static const char *const said[] = { "nb does not say its level",
		                            "na does not have the hold" };
	struct operation_person without = scene_person;

	without.without = (struct operation_names){ { "nb" }, 1 };
	for (int which = 0; which < 4; which++) {
		scene_begin(OPERATION_DRAIN, 0);
		CHECK(scene_until_level(250000));
		lose_of_nb(which % 2, true);
		scene.f.self = "nc";
		CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                     scene.error));
		scene_tick(25);
		CHECK(scene_is_held_by("taken") && strstr(scene.op.waits, said[which % 2]));
		CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                       scene.error) == -EALREADY);
		CHECK(strstr(scene.error, said[which % 2]));
		scene_tick(60);
		CHECK(scene_is_held_by("not-in-force"));
		CHECK(strstr(scene.op.hold.detail, said[which % 2]) &&
		      strstr(scene.op.hold.detail, "--without n") && scene.op.holds == 1);
		CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                       scene.error) == -EINVAL);
		CHECK(strstr(scene.error, said[which % 2]) && strstr(scene.error, "--without n"));
		if (which >= 2 || which == 1) { /* it is there again, and a person says go on */
			lose_of_nb(which % 2, false);
			scene_tick(30);
			CHECK(scene_is_held_by("not-in-force"));
			CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                        scene.error));
		} else {
			CHECK(!operation_resume(&scene.op, &scene.f, &without, scene.now_ms,
			                        scene.error));
		}
		CHECK(scene.op.reads_levels == (which < 1) &&
		      scene_is_held_by("taken") == (which < 1));
		CHECK(scene_until_level(500000));
	}
	return 0;
}

static int a_take_needs_a_majority(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.f.self = "nc";
	scene.nodes[0].reached = scene.nodes[1].reached = false;
	CHECK(operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) ==
	              OPERATION_REFUSED + OPERATION_GUARD_MAJORITY &&
	      strstr(scene.error, "majority"));
	CHECK(!strcmp(scene.op.owner, "nb"));
	return 0;
}

static int a_node_of_the_drained_site_takes_only_alone(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.f.self = "na";
	CHECK(operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      strstr(scene.error, "take it at node nb"));
	CHECK(!strcmp(scene.op.owner, "nb"));
	scene.nodes[1].site = scene.nodes[2].site = "a"; /* nobody elsewhere */
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	return 0;
}

static int a_person_ends_the_automation(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.obey = false;
	scene.nodes[2].levels[0] = (struct operation_level){ true, scene.op.epoch + 1, 1, true, 0 };
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_ABORTED && !strcmp(scene.op.hold.code, "command"));
	return 0;
}

static int epochs_leave_room_for_commands(void)
{
	CHECK(operation_owner_epoch(5) == 64 && operation_owner_epoch(64) == 128);
	return 0;
}

/* Node nc has the last write, and a level that nobody here wrote. */
static void let_be_higher(uint32_t level_ppm)
{
	const struct operation_write *write = &scene.op.write;

	scene.obey = false;
	scene.nodes[2].levels[0] =
	        (struct operation_level){ true, write->epoch, write->step, false, level_ppm };
}

static int levels_of_another_owner_hold_the_way_out(void)
{
	uint32_t epoch;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	let_be_higher(1000000);
	scene_tick(1);
	CHECK(scene_is_held_by("levels") && scene.op.level_ppm == 250000);
	CHECK(strstr(scene.op.hold.detail, "nc has up to 100 %") &&
	      strstr(scene.op.hold.detail, "the operation 25 %: resume goes on"));
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	let_be_higher(1000000);
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_MOVING && scene.op.level_ppm == 250000 &&
	      operation_ok(&scene.op));
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	let_be_higher(1000000);
	scene_tick(1);
	epoch = scene.op.epoch;
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.epoch > epoch && scene.op.level_ppm == 1000000 &&
	      scene.op.write.from_ppm == 1000000);
	return 0;
}

static int levels_of_another_owner_hold_the_way_back(void)
{
	struct operation_person without = scene_person;
	uint32_t epoch;

	without.without = (struct operation_names){ { "nc" }, 1 };
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.sites[0].up = OPERATION_NO;
	scene.nodes[2].reached = false;
	CHECK(!operation_abort(&scene.op, &scene.f, &without, scene.now_ms, scene.error));
	scene_tick(1);
	CHECK(scene_is_held_by("site-down"));
	scene.nodes[2].reached = true; /* it counts, though a person has named it absent */
	let_be_higher(1000000);
	scene_tick(1);
	CHECK(scene_is_held_by("levels") && strstr(scene.op.hold.detail, "nc has up to 100 %"));
	CHECK(scene.op.write.to_ppm == 250000 && scene.op.write.from_ppm < 1000000);
	scene.sites[0].up = OPERATION_YES;
	epoch = scene.op.epoch;
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_ABORTING && scene.op.epoch > epoch);
	CHECK(scene.op.level_ppm == 1000000 && !scene.op.n_without);
	scene.obey = true;
	CHECK(scene_until_level(750000));
	CHECK(scene_until_state(OPERATION_ABORTED, 200) && scene.op.write.ended);
	return 0;
}

/* The other side has drained further while this one went back: an abort sends the others after it. */
static int a_way_back_that_levels_hold_may_turn_out_again(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(1);
	let_be_higher(1000000);
	scene_tick(1);
	CHECK(scene_is_held_by("levels"));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	let_be_higher(1000000);
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_MOVING && scene.op.way == OPERATION_OUT &&
	      scene.op.level_ppm == 250000);
	scene.obey = true;
	CHECK(scene_until_level(500000) && scene_until_state(OPERATION_LATE, 100));
	return 0;
}

/* Who has the step is ahead; the others do not make it because it was stopped. */
static int a_hold_of_a_step_back_calls_nobody_back(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(500000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	for (int i = 0; i < 30 && !scene.op.step_runs; i++)
		scene_tick(1);
	CHECK(scene.op.step_runs && scene.op.write.to_ppm == 250000);
	scene.obey = false;
	scene.nodes[0].levels[0] = (struct operation_level){ true, scene.op.write.epoch,
		                                             scene.op.write.step, false, 250000 };
	scene.sites[0].up = OPERATION_NO;
	scene_tick(1);
	CHECK(scene_is_held_by("site-down") && scene.op.level_ppm == 500000);
	CHECK(scene.op.write.to_ppm == 500000);
	return 0;
}

static int a_forced_majority_ends_nothing(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.nodes[0].reached = scene.nodes[2].reached = false;
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_alone, scene.now_ms, scene.error));
	CHECK(scene_until_level(0));
	scene_tick(100);
	CHECK(scene.op.state == OPERATION_ABORTING && !scene.op.write.ended);
	CHECK(strstr(scene.op.waits, "1 of 3") && !operation_moves(&scene.op));
	scene.nodes[2].reached = true;
	scene_tick(2);
	CHECK(scene.op.state == OPERATION_ABORTED && scene.op.write.ended);
	return 0;
}

uint64_t scenes_own(void)
{
	static int (*const scenes[])(void) = {
		levels_of_another_owner_hold_the_way_out,
		levels_of_another_owner_hold_the_way_back,
		a_way_back_that_levels_hold_may_turn_out_again,
		a_hold_of_a_step_back_calls_nobody_back,
		a_forced_majority_ends_nothing,
		the_owner_is_outside_of_the_target,
		two_nodes_need_each_other,
		a_removed_owner_says_so,
		three_nodes_go_on_with_a_majority_when_resumed,
		a_take_keeps_a_hold,
		a_take_reads_the_levels_first,
		a_new_owner_keeps_what_a_person_ended,
		a_take_waits_for_no_node_without_end,
		a_person_holds_what_a_new_owner_would_go_on_with,
		an_end_that_comes_to_a_new_owner_returns,
		a_take_needs_a_majority,
		a_node_of_the_drained_site_takes_only_alone,
		a_person_ends_the_automation,
		epochs_leave_room_for_commands,
	};
	uint64_t faults = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		faults += (uint64_t)scenes[i]();
	return faults;
}
