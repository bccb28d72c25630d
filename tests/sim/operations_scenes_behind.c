/* SPDX-License-Identifier: BSD-2-Clause */
/* Promises about records that are older than the levels, one scene each. */
#include "operations_scene.h"
#include "operations_scenes.h"

/* Nodes have a level that the record knows nothing of. */
static void set_levels(uint32_t epoch, uint32_t step, uint32_t level_ppm)
{
	scene.obey = false;
	for (uint32_t i = 0; i < SCENE_NODES; i++)
		scene.nodes[i].levels[0] =
		        (struct operation_level){ true, epoch, step, false, level_ppm };
}

static int a_record_that_is_behind_is_held(void)
{
	uint64_t seq;
	uint32_t writes;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.obey = false;
	scene.nodes[2].levels[0].epoch = scene.op.epoch + 64; /* another owner's */
	seq = scene.op.seq;
	writes = scene.op.write.step;
	scene_tick(9);
	CHECK(scene.op.state == OPERATION_MOVING && scene.op.write.step == writes &&
	      scene.op.level_ppm == 250000);
	CHECK(scene.op.seq > seq && strstr(scene.op.waits, "record")); /* others see it, too */
	scene_tick(3);
	CHECK(scene_is_held_by("record-behind") && scene.op.write.step == writes);
	scene_tick(60);
	CHECK(scene_is_held_by("record-behind") && scene.op.write.step == writes);
	scene_begin(OPERATION_DRAIN, 0); /* a level that is not known for a moment is no reason */
	CHECK(scene_until_level(250000));
	for (uint32_t i = 0; i < 4; i++) {
		struct operation_level was = scene.nodes[2].levels[0];

		scene.obey = false;
		scene.nodes[2].levels[0].epoch += 64;
		scene_tick(8);
		scene.nodes[2].levels[0] = was; /* its record came */
		scene_tick(1);
	}
	CHECK(scene.op.state == OPERATION_MOVING);
	return 0;
}

static int persons_take_over_levels_of_a_later_change(void)
{
	uint32_t epoch;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	epoch = scene.op.epoch;
	set_levels(epoch + 1, 2, 100000); /* an abort that is lost */
	CHECK(scene_until_state(OPERATION_HELD, 15));
	scene.nodes[0].reached = scene.nodes[2].reached = false;
	CHECK(operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      strstr(scene.error, "majority") && scene.op.epoch == epoch);
	scene.nodes[0].reached = scene.nodes[2].reached = true;
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.epoch == epoch - epoch % 64 + 64 && scene.op.write.to_ppm == 100000 &&
	      scene.op.level_ppm == 100000);
	scene.obey = true;
	CHECK(scene_until_state(OPERATION_MOVING, 20) && scene.op.level_ppm == 100000);
	CHECK(scene_until_level(500000));
	set_levels(scene.op.epoch, scene.op.writes + 5, 500000); /* steps that it has forgotten */
	CHECK(scene_until_state(OPERATION_HELD, 15) && scene_is_held_by("record-behind"));
	epoch = scene.op.epoch;
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_ABORTING && scene.op.epoch > epoch + 64 - epoch % 64);
	scene.obey = true;
	CHECK(scene_until_state(OPERATION_ABORTED, 300));
	return 0;
}

static int a_return_that_is_lost_goes_on(void)
{
	for (int resumed = 0; resumed < 2; resumed++) {
		scene_begin(OPERATION_DRAIN, 0);
		CHECK(scene_until_level(1000000) && scene_until_state(OPERATION_LATE, 60));
		scene.op.now = true; /* the way out: nobody knows how the return was ordered */
		set_levels(scene.op.epoch + 1, 4, 400000);
		CHECK(scene_until_state(OPERATION_HELD, 15) && scene_is_held_by("record-behind"));
		CHECK(!(resumed ? operation_resume : operation_return)(
		        &scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
		CHECK(scene.op.write.to_ppm == 400000);
		scene.obey = true;
		CHECK(scene_until_state(OPERATION_RETURNING, 20));
		CHECK(scene.op.level_ppm == 400000 && scene.op.way == OPERATION_BACK);
		CHECK(scene_until_level(250000));
	}
	return 0;
}

/* The other one, whose record this one has replaced, has made more steps of the same epoch. */
static int of_two_takers_one_goes_on(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.f.self = "nc";
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	set_levels(scene.op.epoch, scene.op.writes + 2, 250000);
	scene_tick(1);
	CHECK(scene.op.write.step == 4);
	scene.obey = true;
	CHECK(scene_until_state(OPERATION_MOVING, 20));
	return 0;
}

/* It hears nobody, so its epoch would meet that of the owner that the others have. */
static int a_removed_node_takes_nothing(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	set_levels(scene.op.epoch + 64, 1, 250000); /* which its own name server has taken over */
	CHECK(scene_until_state(OPERATION_HELD, 15) && scene_is_held_by("record-behind"));
	for (uint32_t i = 0; i < SCENE_NODES; i += 2) {
		scene.nodes[i].reached = false;
		scene.nodes[i].refuses = true;
	}
	CHECK(operation_resume(&scene.op, &scene.f, &scene_alone, scene.now_ms, scene.error) &&
	      operation_abort(&scene.op, &scene.f, &scene_alone, scene.now_ms, scene.error) &&
	      strstr(scene.error, "take it at node"));
	CHECK(operation_own(&scene.op, &scene.f, &scene_alone, scene.now_ms, scene.error));
	scene.nodes[2].refuses = false; /* one alone may have an old configuration itself */
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_alone, scene.now_ms, scene.error));
	return 0;
}

uint64_t scenes_behind(void)
{
	return (uint64_t)(a_record_that_is_behind_is_held() +
	                  persons_take_over_levels_of_a_later_change() +
	                  a_return_that_is_lost_goes_on() + of_two_takers_one_goes_on() +
	                  a_removed_node_takes_nothing());
}
