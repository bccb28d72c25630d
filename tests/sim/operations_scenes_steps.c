/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promises about the steps of both ways, one scene each: how they wait, how their share is judged, what
 * holds them, and how they go back.
 */
#include "operations_scene.h"
#include "operations_scenes.h"

static int shares_are_judged(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.window_flows = scene_value(5000);
	scene.f.window_answers = scene_value(5000);
	scene.sites[0].at[1].share_ppm = scene_value(280000); /* it has 333,333 */
	CHECK(scene_until_level(100000));
	scene_tick(40);
	CHECK(scene.op.level_ppm == 100000 && scene.op.state == OPERATION_MOVING);
	CHECK(scene_until_state(OPERATION_HELD, 100));
	CHECK(scene_is_held_by("share"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.window_flows = scene_value(5000);
	scene.f.window_answers = scene_value(5000);
	scene.sites[0].at[1].share_ppm = scene_value(390000); /* fewer than that is as wrong */
	CHECK(scene_until_state(OPERATION_HELD, 200) && scene_is_held_by("share"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.window_flows = scene_value(199);
	scene.f.window_answers = scene_value(5000);
	scene.sites[0].at[1].share_ppm = scene_value(100000);
	CHECK(scene_until_level(250000) && !scene.op.steps[0].judged &&
	      *scene.op.steps[0].not_judged);
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.window_flows = scene_value(5000);
	scene.f.window_answers = scene_value(999);
	scene.sites[0].at[1].share_ppm = scene_value(100000);
	CHECK(scene_until_level(250000) && !scene.op.steps[0].judged);
	return 0;
}

/* Half of a's clients are behind resolvers that do not say for whom they ask. */
static void begin_unseen(void)
{
	static const uint64_t by_queries[] = { 300000, 250000, 166667, 83333, 0 };

	scene_begin(OPERATION_DRAIN, 0);
	scene.f.window_flows = scene_value(5000);
	scene.f.window_answers = scene_value(5000);
	scene.f.unseen_ppm = scene_value(500000);
	for (uint32_t i = 1; i <= 5; i++) {
		uint64_t seen = by_queries[i - 1] / 2;

		scene.sites[0].at[i].share_ppm = scene_value(by_queries[i - 1]);
		scene.f.share[i].least_ppm = scene_value(seen);
		scene.f.share[i].most_ppm = scene_value(i < 5 ? seen + 166667 : 0);
	}
}

/* The new flows of the scene's three sites, so that a has this share of them. */
static void set_share(uint64_t ppm)
{
	scene.sites[0].arrivals = scene_value(2000 * ppm / (MODEL_PPM_ALL - ppm));
}

static int resolvers_of_many_may_stay(void)
{
	begin_unseen();
	for (uint32_t i = 0; i < 4; i++) { /* the seen ones follow, the others come last */
		static const uint32_t levels[] = { 100000, 250000, 500000, 750000 };

		CHECK(scene_until_level(levels[i]));
		set_share(scene.f.share[i + 1].most_ppm.value);
	}
	CHECK(scene_until_level(1000000) && scene.op.steps[3].judged);
	CHECK(scene.op.steps[2].least_ppm.value == 83333 &&
	      scene.op.steps[2].most_ppm.value > 240000);
	begin_unseen(); /* nobody follows: no band explains that */
	CHECK(scene_until_state(OPERATION_HELD, 600) && scene_is_held_by("share"));
	CHECK(scene.op.level_ppm == 500000 && strstr(scene.op.hold.detail, "projected"));
	return 0;
}

/* A resolver may ask from several addresses, and so be here and there in turn. */
static int resolvers_of_many_may_come_back(void)
{
	begin_unseen();
	CHECK(scene_until_level(100000));
	set_share(scene.f.share[1].least_ppm.value);
	CHECK(scene_until_level(500000));
	set_share(scene.f.share[3].most_ppm.value);
	CHECK(scene_until_level(750000));
	set_share(scene.f.share[4].least_ppm.value);
	CHECK(scene_until_level(1000000));
	return 0;
}

/* The share is of all new flows: whoever names a node absent goes on without it. */
static int an_absent_receiver_leaves_shares_to_time(void)
{
	for (int named = 0; named < 2; named++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.op.overridden[OPERATION_GUARD_ROOM] = true;
		scene.op.overridden[OPERATION_GUARD_RECEIVERS] = true;
		scene.op.overridden[OPERATION_GUARD_FRESH] = true;
		scene.sites[2].absent = named;
		scene.sites[2].flows.known = scene.sites[2].arrivals.known = false;
		scene.f.window_flows.known = false;
		if (named) {
			CHECK(scene_until_level(250000));
			CHECK(strstr(scene.op.steps[0].not_judged, "time decides"));
		} else {
			CHECK(scene_until_state(OPERATION_HELD, 200) && scene_is_held_by("share"));
		}
	}
	return 0;
}

static int a_missing_share_holds(void)
{
	for (int which = 0; which < 4; which++) {
		begin_unseen();
		CHECK(scene_until_level(100000));
		scene.sites[0].arrivals = scene_value(900);
		scene.op.overridden[OPERATION_GUARD_FRESH] = which == 3;
		if (which == 0)
			scene.f.window_flows.known = false;
		if (which == 1)
			scene.f.window_answers.known = false;
		if (which == 2)
			scene.sites[0].at[1].share_ppm.known = false;
		if (which == 3)
			scene.sites[1].arrivals.known = false;
		CHECK(scene_until_state(OPERATION_HELD, 30));
		CHECK(scene_is_held_by("share") && scene.op.level_ppm == 100000);
		scene.op.overridden[OPERATION_GUARD_SHARE] = true;
		CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                        scene.error));
		CHECK(scene_until_level(250000) && !scene.op.steps[0].judged &&
		      strstr(scene.op.steps[0].not_judged, "not known"));
	}
	begin_unseen(); /* a moment without it does not hold */
	CHECK(scene_until_level(100000));
	scene.f.window_flows.known = false;
	scene_tick(10);
	CHECK(scene.op.state == OPERATION_MOVING);
	scene.f.window_flows.known = true;
	set_share(300000);
	CHECK(scene_until_level(250000) && scene.op.steps[0].judged);
	begin_unseen(); /* nobody can measure a site whose nodes are named absent */
	scene.sites[0].absent = true;
	scene.sites[0].arrivals.known = scene.sites[0].flows.known = false;
	scene.f.window_flows.known = false;
	CHECK(scene_until_level(250000) && strstr(scene.op.steps[0].not_judged, "time decides"));
	return 0;
}

static int a_site_that_is_down_takes_one_step(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].up = OPERATION_NO;
	scene.sites[0].flows.known = scene.sites[0].repeats.known = false;
	scene.sites[1].capacity_flows = scene_value(10); /* no room: its load has moved already */
	CHECK(scene_until_level(1000000) && scene.op.n_steps == 1);
	return 0;
}

static int waits_go_by_elapsed_time(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.now_ms += 3600000;
	scene_tick(1);
	CHECK(scene.op.step_runs && scene.op.level_ppm == 100000 && scene.op.step == 0);
	scene.now_ms += 1000;
	scene.f.elapsed_ms = 3600000; /* the process was stopped: nobody watched */
	operation_next(&scene.op, &scene.f, scene.now_ms, &scene.act);
	CHECK(scene.op.step == 0);
	scene.f.clock = OPERATION_NO;
	scene_tick(1);
	CHECK(scene_is_held_by("clock"));
	return 0;
}

static int steps_wait_for_all_name_servers(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene_tick(2);
	scene.obey = false;
	scene_tick(20);
	CHECK(scene.op.level_ppm == 0 && scene.op.state == OPERATION_MOVING);
	CHECK(scene_until_state(OPERATION_HELD, 40));
	CHECK(scene_is_held_by("not-in-force"));
	CHECK(scene.op.write.to_ppm == 0 && scene.op.write.from_ms <= scene.now_ms);
	return 0;
}

static int a_return_has_its_order(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].has_backup = true;
	scene.sites[0].flows = scene_value(1000);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].flows = scene_value(0);
	CHECK(scene_until_state(OPERATION_DRAINED, 3));
	scene.sites[0].pools = OPERATION_NO;
	scene.sites[0].announced = OPERATION_UNKNOWN;
	scene.sites[0].up = OPERATION_NO;
	scene.sites[0].backup_left = OPERATION_NO;
	CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(5);
	CHECK(scene.op.stage == OPERATION_STAGE_POOLS && scene.op.late_from_ms);
	scene.sites[0].pools = OPERATION_YES;
	scene_tick(5);
	CHECK(scene.op.stage == OPERATION_STAGE_ANNOUNCE &&
	      scene.op.write.shared == OPERATION_ANNOUNCE_NORMAL);
	scene.sites[0].announced = OPERATION_YES;
	scene_tick(5);
	CHECK(scene.op.stage == OPERATION_STAGE_OUTSIDE && scene.op.late_from_ms);
	scene.sites[0].up = OPERATION_YES;
	scene_tick(5);
	CHECK(scene.op.stage == OPERATION_STAGE_BACKUP && !scene.op.write.late_from_ms);
	CHECK(scene.op.level_ppm == 1000000);
	scene.sites[0].backup_left = OPERATION_YES;
	CHECK(scene_until_level(990000));
	scene_tick(115);
	CHECK(scene.op.level_ppm == 990000); /* 1 % for two minutes */
	CHECK(scene_until_level(900000));
	scene.sites[0].up = OPERATION_NO;
	scene_tick(1);
	CHECK(scene_is_held_by("site-down"));
	scene.sites[0].up = OPERATION_YES;
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms,
	                       scene.error)); /* out again */
	CHECK(scene_until_state(OPERATION_DRAINED, 100) && scene.op.level_ppm == 1000000);
	return 0;
}

static int a_return_has_the_pace_that_it_is_given(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].flows = scene_value(0);
	CHECK(scene_until_state(OPERATION_DRAINED, 100));
	scene.op.over_ms = 60000;
	person.over_ms = 3600000;
	CHECK(!operation_return(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.over_ms == 3600000 && operation_ok(&scene.op));
	CHECK(scene_until_level(990000));
	scene_tick(3600 / scene.op.n_plan - 20);
	CHECK(scene.op.level_ppm == 990000);
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].flows = scene_value(0);
	CHECK(scene_until_state(OPERATION_DRAINED, 100));
	scene.op.over_ms = 3600000;
	person.over_ms = 0;
	person.now = true;
	CHECK(!operation_return(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_DONE,
	                        200)); /* at once is not within the hour of the way out */
	return 0;
}

static const struct operation_failure *last_failure(void)
{
	return scene.op.n_failures ? &scene.op.failures[scene.op.n_failures - 1] : NULL;
}

static int what_failed_and_who_came_late_is_remembered(void)
{
	struct operation_person person = scene_person;
	const struct operation_failure *f;

	person.overridden[OPERATION_GUARD_RECEIVERS] = true;
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(250000));
	scene.sites[2].repeats = scene_value(300);
	scene_tick(2);
	CHECK(scene_is_held_by("receivers"));
	f = last_failure();
	CHECK(f && !strcmp(f->code, "receivers") && f->at_ms && !f->until_ms && !f->overridden);
	CHECK(!operation_resume(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(f->until_ms == scene.now_ms);
	scene.sites[2].repeats = scene_value(600);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	f = last_failure();
	CHECK(scene.op.n_failures == 2 && f->overridden && !strcmp(f->code, "receivers"));
	static struct operation_late seen[2] = { { "192.0.2.0/24", { true, 9 } },
		                                 { "198.51.100.0/24", { true, 1 } } };
	scene.f.late = seen;
	scene.f.n_late = 2;
	scene_tick(2);
	seen[0].flows.value = 4;
	scene.f.n_late = 1;
	scene_tick(2);
	scene.f.n_late = 0;
	scene.sites[0].flows = scene_value(0);
	CHECK(scene_until_state(OPERATION_DRAINED, 100));
	scene_tick(2);
	CHECK(scene.op.n_late == 0 && scene.op.n_was_late == 2);
	CHECK(scene.op.was_late[0].flows.value == 9 && scene.op.was_late[1].flows.value == 1);
	return operation_ok(&scene.op) ? 0 : 1;
}

static int an_abort_goes_back_in_steps(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(500000));
	scene.sites[0].up = OPERATION_NO;
	scene.sites[2].repeats = scene_value(300);
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(1);
	CHECK(scene_is_held_by("site-down") && scene.op.level_ppm == 500000);
	scene.sites[0].up = OPERATION_YES;
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_level(250000)); /* although c suffers: this is what helps */
	CHECK(scene_until_state(OPERATION_ABORTED, 100) && scene.op.write.ended);
	return 0;
}

static int a_site_that_was_drained_before_opens_its_backup(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.level_ppm = scene.op.began_ppm = MODEL_PPM_ALL;
	scene.op.n_plan = 0;
	scene.sites[0].has_backup = true;
	CHECK(scene_until_state(OPERATION_LATE, 5));
	CHECK(scene.op.late_from_ms >= scene.now_ms && scene.op.write.to_ppm == MODEL_PPM_ALL);
	CHECK(!operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_DONE, 400));
	return 0;
}

static int the_younger_of_two_is_held(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.other = (struct operation_other){ "older", scene.op.created_ms - 1, true };
	scene.f.n_others = 1;
	scene_tick(2);
	CHECK(scene_is_held_by("operation"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.other = (struct operation_other){ "younger", scene.op.created_ms + 1, true };
	scene.f.n_others = 1;
	CHECK(scene_until_level(100000));
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[0].flows = scene_value(0);
	scene.sites[1].out = scene.sites[2].out = OPERATION_YES;
	scene.other = (struct operation_other){ "older", scene.op.created_ms - 1, false };
	scene.f.n_others = 1;
	scene_tick(1);
	CHECK(scene_is_held_by("last-site") && scene.op.level_ppm == 1000000);
	return 0;
}

static int the_document_holds(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.f.key_fingerprint = 8;
	scene_tick(1);
	CHECK(scene_is_held_by("key-changed"));
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.f.document = OPERATION_DOCUMENT_SITE_GONE;
	scene_tick(1);
	CHECK(scene_is_held_by("site-gone"));
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_FAILED);
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.document = OPERATION_DOCUMENT_NO_DNS;
	scene_tick(2);
	CHECK(scene_is_held_by("no-dns"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.f.unconfirmed = OPERATION_YES;
	scene_tick(2);
	CHECK(scene_is_held_by("unconfirmed"));
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].has_backup = true;
	scene.sites[0].backup_ok = OPERATION_NO;
	scene_tick(2);
	CHECK(scene_is_held_by("backup"));
	return 0;
}

uint64_t scenes_steps(void)
{
	static int (*const scenes[])(void) = {
		shares_are_judged,
		resolvers_of_many_may_stay,
		resolvers_of_many_may_come_back,
		an_absent_receiver_leaves_shares_to_time,
		a_missing_share_holds,
		a_site_that_is_down_takes_one_step,
		waits_go_by_elapsed_time,
		steps_wait_for_all_name_servers,
		a_return_has_its_order,
		a_return_has_the_pace_that_it_is_given,
		what_failed_and_who_came_late_is_remembered,
		an_abort_goes_back_in_steps,
		a_site_that_was_drained_before_opens_its_backup,
		the_younger_of_two_is_held,
		the_document_holds,
	};
	uint64_t faults = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		faults += (uint64_t)scenes[i]();
	return faults;
}
