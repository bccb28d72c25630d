/* SPDX-License-Identifier: BSD-2-Clause */
/* Promises about an operation that goes on from an override that is there, such as a drain by the clock. */
#include "operations_scene.h"
#include "operations_scenes.h"

/* Each node says the level to which the override had brought it, and has the last write. */
static void set_levels(uint32_t ppm)
{
	for (uint32_t i = 0; i < SCENE_NODES; i++)
		scene.nodes[i].levels[0] =
		        (struct operation_level){ true, scene.op.write.epoch, scene.op.write.step,
			                          false, ppm };
}

static int its_level_is_the_operations_from_the_first_record_on(void)
{
	scene_begin_over(MODEL_PPM_ALL, MODEL_PPM_ALL);
	CHECK(scene.op.write.epoch == scene.op.epoch && scene.op.write.to_ppm == MODEL_PPM_ALL &&
	      !scene.op.write.ended && operation_ok(&scene.op));
	scene.op.withdraw = true;
	CHECK(scene_until_state(OPERATION_LATE, 5) && scene.op.full_ms);
	scene_tick(1);
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_SHUTDOWN);
	scene.sites[0].flows = scene_value(0);
	CHECK(scene_until_state(OPERATION_DRAINED, 2));
	scene_tick(1);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_WITHDRAWN);
	return 0;
}

/* A write reaches nodes a moment later: they are further, and none goes back. */
static int nodes_that_it_had_brought_further_are_followed(void)
{
	for (int held = 0; held < 2; held++) {
		scene_begin_over(200000, 620000);
		scene.obey = false;
		set_levels(240000);
		scene.nodes[2].levels[0].level_ppm = 225000;
		if (held)
			CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                      scene.error));
		scene_tick(2);
		CHECK(scene.op.level_ppm == 240000 && scene.op.write.to_ppm == 240000);
		CHECK(held ? scene_is_held_by("person") : scene.op.state == OPERATION_MOVING);
		scene.obey = true;
		if (!held)
			CHECK(scene_until_level(250000));
	}
	scene_begin_over(200000, 300000); /* so far it cannot have brought them */
	scene.obey = false;
	set_levels(310000);
	scene_tick(1);
	CHECK(scene_is_held_by("levels"));
	return 0;
}

/* Also where nodes had been brought further a moment before. */
static int a_return_begins_at_once_at_its_level(void)
{
	scene_begin_over(200000, 300000);
	CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.write.to_ppm == 200000 && scene.op.write.from_ppm == 250000);
	CHECK(scene_until_state(OPERATION_DONE, 200) && scene.op.write.ended);
	scene_begin_over(MODEL_PPM_ALL, MODEL_PPM_ALL);
	CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.write.to_ppm == MODEL_PPM_ALL);
	CHECK(scene_until_level(990000) && scene_until_state(OPERATION_DONE, 400));
	return 0;
}

/* A drain that would have begun later by the clock ends with the operation, however that ends. */
static int one_that_has_not_begun_ends_with_it(void)
{
	for (int which = 0; which < 3; which++) {
		scene_begin_over(0, 0);
		scene.f.unconfirmed = OPERATION_YES;
		scene_tick(1);
		CHECK(scene_is_held_by("unconfirmed") && scene.op.write.epoch);
		scene.f.unconfirmed = OPERATION_NO;
		if (which == 0)
			CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                        scene.error));
		if (which == 1)
			CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                       scene.error));
		if (which == 2) {
			CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                        scene.error));
			scene.op.until_ms = scene.now_ms;
		}
		scene_tick(3);
		CHECK(operation_is_over(&scene.op) && scene.op.write.ended);
	}
	return 0;
}

static int an_abort_stays_where_it_was(void)
{
	scene_begin_over(300000, 300000);
	CHECK(scene_until_level(500000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_RESTING, 100) && scene.op.level_ppm == 300000);
	scene_begin_over(300000, 300000); /* before its first step, too */
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_RESTING, 3) && scene.op.level_ppm == 300000);
	CHECK(scene.op.write.to_ppm == 300000 && !scene.op.write.ended);
	return 0;
}

uint64_t scenes_over(void)
{
	return (uint64_t)(its_level_is_the_operations_from_the_first_record_on() +
	                  nodes_that_it_had_brought_further_are_followed() +
	                  a_return_begins_at_once_at_its_level() +
	                  one_that_has_not_begun_ends_with_it() + an_abort_stays_where_it_was());
}
