/* SPDX-License-Identifier: BSD-2-Clause */
/* Promises about commands, announcements and what an operation tells of itself, one scene each. */
#include "operations_scene.h"
#include "operations_scenes.h"

static bool let_drain(void)
{
	if (!scene_until_state(OPERATION_LATE, 200))
		return false;
	scene.sites[0].flows = scene_value(0);
	return scene_until_state(OPERATION_DRAINED, 3);
}

static int begin_return(void)
{
	return operation_return(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error);
}

static void let_another_move(bool moves)
{
	scene.other = (struct operation_other){ "younger", scene.op.created_ms + 1, moves };
	scene.f.n_others = 1;
}

static int the_end_has_the_load_of_the_end(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(let_drain());
	CHECK(scene.op.n_before == SCENE_NODES && scene.op.before[1].flows.value == 1000);
	CHECK(begin_return() == 0);
	CHECK(scene_until_level(250000));
	scene.sites[1].arrivals = scene_value(1234);
	CHECK(scene_until_state(OPERATION_DONE, 200));
	CHECK(scene.op.n_after == SCENE_NODES && scene.op.after[1].flows.value == 1234);
	return 0;
}

static int of_two_returns_one_begins(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(let_drain());
	let_another_move(true);
	CHECK(begin_return() == 0);
	scene_tick(60);
	CHECK(scene.op.state == OPERATION_RETURNING && scene.op.stage == OPERATION_STAGE_BACKUP);
	CHECK(strstr(scene.op.waits, "younger"));
	let_another_move(false);
	CHECK(scene_until_level(990000));
	return 0;
}

static int a_return_at_once_is_one_step(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(let_drain());
	person.now = true;
	CHECK(!operation_return(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.n_plan == 1 && scene.op.plan_ppm[0] == 0);
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.now = true;
	operation_plan(&scene.op, &scene.f);
	CHECK(let_drain());
	CHECK(begin_return() == 0);
	CHECK(scene.op.n_plan > 1); /* that it went out at once says nothing of its return */
	return 0;
}

static int an_abort_goes_on_beside_another(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(500000));
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	let_another_move(true);
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      strstr(scene.error, "operation younger moves"));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(1);
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_ABORTED, 200) && scene.op.level_ppm == 0);
	return 0;
}

static int what_a_refused_command_names_is_forgotten(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	scene.sites[1].repeats = scene_value(90);
	scene_tick(1);
	CHECK(scene_is_held_by("receivers"));
	person.without = (struct operation_names){ { "nc" }, 1 };
	person.overridden[OPERATION_GUARD_FRESH] = true;
	CHECK(operation_resume(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.n_without == 0 && !scene.op.overridden[OPERATION_GUARD_FRESH]);
	scene.sites[1].repeats = scene_value(1);
	CHECK(!operation_resume(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.n_without == 1 && scene.op.overridden[OPERATION_GUARD_FRESH]);
	return 0;
}

static int what_was_named_absent_takes_part_again(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	(void)snprintf(scene.op.without[scene.op.n_without++], MODEL_NAME_MAX, "na");
	scene.nodes[0].reached = false;
	CHECK(let_drain());
	scene.sites[0].pools = OPERATION_UNKNOWN;
	CHECK(begin_return() == 0);
	scene_tick(20);
	CHECK(scene.op.stage == OPERATION_STAGE_POOLS && scene.op.n_without == 1);
	scene.nodes[0].reached = true;
	scene_tick(2);
	CHECK(scene.op.n_without == 0);
	scene.sites[0].pools = OPERATION_YES;
	CHECK(scene_until_state(OPERATION_DONE, 400));
	scene_begin(OPERATION_DRAIN, 0); /* on its way it stays absent, until a person turns it */
	CHECK(scene_until_level(100000));
	person.without = (struct operation_names){ { "na", "nc" }, 2 };
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(!operation_resume(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene_until_level(250000) && scene.op.n_without == 2);
	person.without.n = 1;
	CHECK(!operation_abort(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.n_without == 1 && !strcmp(scene.op.without[0], "na"));
	return 0;
}

static int guards_are_overridden_for_one_way(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	scene.op.overridden[OPERATION_GUARD_ROOM] = true;
	CHECK(let_drain());
	CHECK(scene.op.overridden[OPERATION_GUARD_ROOM]);
	person.overridden[OPERATION_GUARD_FRESH] = true;
	CHECK(!operation_return(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(!scene.op.overridden[OPERATION_GUARD_ROOM] &&
	      scene.op.overridden[OPERATION_GUARD_FRESH]);
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.until_ms = scene.now_ms + 600000;
	scene.op.overridden[OPERATION_GUARD_ROOM] = true;
	CHECK(let_drain());
	scene.now_ms += 600000;
	CHECK(scene_until_state(OPERATION_RETURNING, 2));
	CHECK(!scene.op.overridden[OPERATION_GUARD_ROOM]);
	return 0;
}

static int a_return_may_be_hurried(void)
{
	struct operation_person person = scene_person;

	scene_begin(OPERATION_DRAIN, 0);
	CHECK(let_drain());
	CHECK(operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) &&
	      strstr(scene.error, "nothing to hold"));
	CHECK(scene.op.drained_ms && begin_return() == 0);
	CHECK(scene_until_level(990000));
	CHECK(scene.op.began_ms < scene.op.full_ms && scene.op.full_ms < scene.op.drained_ms);
	CHECK(begin_return() && strstr(scene.error, "returns already"));
	person.now = true;
	CHECK(!operation_return(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
	CHECK(scene.op.n_plan == 1 && scene.op.began_ppm == MODEL_PPM_ALL);
	CHECK(scene_until_state(OPERATION_DONE, 40));
	scene_begin(OPERATION_DRAIN, 0); /* and the times of a drain are not those of the next */
	CHECK(let_drain());
	CHECK(begin_return() == 0 && scene_until_level(990000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(!scene.op.full_ms && !scene.op.drained_ms && scene.op.began_ms == scene.now_ms);
	return 0;
}

static int an_aborted_return_may_go_on(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(let_drain());
	CHECK(begin_return() == 0);
	CHECK(scene_until_level(500000));
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_level(750000)); /* out again */
	CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene_until_state(OPERATION_ABORTED, 200));
	CHECK(scene.op.level_ppm == 0 && scene.op.write.ended);
	return 0;
}

static int own_vips_leave_last_and_on_demand(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.withdraw = true;
	CHECK(scene_until_level(500000) && scene.op.write.own == OPERATION_ANNOUNCE_NORMAL);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene_tick(5);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_NORMAL); /* clients still come */
	CHECK(let_drain());
	scene_tick(1);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_WITHDRAWN);
	scene.sites[0].pools = OPERATION_NO;
	CHECK(begin_return() == 0);
	scene_tick(2);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_WITHDRAWN); /* its backends are not up */
	scene.sites[0].pools = OPERATION_YES;
	scene_tick(2);
	CHECK(scene.op.write.own == OPERATION_ANNOUNCE_NORMAL);
	return 0;
}

static int shared_vips_leave_with_anothers_proof(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].elsewhere = OPERATION_UNKNOWN;
	CHECK(let_drain());
	scene_tick(3);
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_SHUTDOWN);
	scene.sites[0].elsewhere = OPERATION_YES;
	scene_tick(1);
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_WITHDRAWN);
	scene.sites[0].elsewhere = OPERATION_UNKNOWN; /* which is no reason to announce again */
	scene_tick(3);
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_WITHDRAWN);
	scene.f.self = "nc"; /* a new owner's hold says the same */
	CHECK(!operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.write.epoch == scene.op.epoch &&
	      scene.op.write.shared == OPERATION_ANNOUNCE_WITHDRAWN);
	scene_tick(3);
	scene.sites[0].elsewhere = OPERATION_NO;
	scene_tick(1);
	CHECK(scene.op.write.shared == OPERATION_ANNOUNCE_SHUTDOWN);
	return 0;
}

/* What is said of a drained site is true: who switches it off goes by that. */
static int clients_that_come_back_are_late_again(void)
{
	for (int empty = 0; empty < 2; empty++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.op.withdraw = true;
		CHECK(let_drain());
		scene.sites[0].established = scene_value(empty ? 0 : 100);
		scene_tick(3);
		CHECK(scene.op.state == (empty ? OPERATION_EMPTY : OPERATION_DRAINED));
		scene.sites[0].flows = scene_value(500);
		scene_tick(25);
		CHECK(scene.op.state == (empty ? OPERATION_EMPTY : OPERATION_DRAINED) &&
		      strstr(scene.op.waits, "still accept 500 new flows"));
		scene.sites[0].flows = scene_value(0);
		scene_tick(1); /* it was a moment */
		CHECK(!strstr(scene.op.waits, "still accept"));
		scene.sites[0].flows = scene_value(500);
		scene_tick(25);
		CHECK(scene.op.state != OPERATION_LATE);
		if (empty) { /* first it is not empty any more */
			CHECK(scene_until_state(OPERATION_DRAINED, 10));
			scene_tick(25);
			CHECK(scene.op.state == OPERATION_DRAINED);
		}
		CHECK(scene_until_state(OPERATION_LATE, 10));
		scene_tick(2); /* its VIPs stay away: what comes does so without them */
		CHECK(scene.op.write.own == OPERATION_ANNOUNCE_WITHDRAWN &&
		      scene.op.write.shared == OPERATION_ANNOUNCE_WITHDRAWN);
		scene.sites[0].flows = scene_value(0);
		CHECK(scene_until_state(OPERATION_DRAINED, 2));
	}
	scene.sites[0].established = scene_value(0);
	CHECK(scene_until_state(OPERATION_EMPTY, 2));
	scene.sites[0].established = (struct operation_value){ 0 }; /* that says nothing */
	scene_tick(60);
	CHECK(scene.op.state == OPERATION_EMPTY);
	scene.sites[0].established = scene_value(9000);
	scene_tick(25);
	CHECK(scene.op.state == OPERATION_EMPTY);
	scene.sites[0].flows = scene_value(500); /* which no time of established flows makes late */
	CHECK(scene_until_state(OPERATION_DRAINED, 10));
	scene_tick(25);
	CHECK(scene.op.state == OPERATION_DRAINED);
	return 0;
}

static int a_site_that_is_down_needs_no_backup(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.sites[0].up = OPERATION_NO;
	scene.sites[0].has_backup = true;
	scene.sites[0].backup_ok = OPERATION_NO;
	CHECK(scene_until_level(MODEL_PPM_ALL));
	return 0;
}

static int a_hold_is_never_beyond_what_was_written(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	while (scene.op.write.to_ppm != 250000)
		scene_tick(1);
	scene.obey = false;
	scene.nodes[2].levels[0] =
	        (struct operation_level){ true, scene.op.write.epoch, scene.op.write.step, false,
		                          MODEL_PPM_ALL };
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.write.to_ppm == 250000 && scene.op.level_ppm == 250000);
	CHECK(scene.op.write.from_ppm == 249999); /* so nodes that have gone further stay */
	return 0;
}

static int late_clients_are_followed(void)
{
	static const struct operation_late late[] = { { "192.0.2.0/24", { true, 3 } },
		                                      { "2001:db8::/56", { true, 1 } } };

	scene_begin(OPERATION_DRAIN, 0);
	scene.f.late = late;
	scene.f.n_late = 2;
	CHECK(let_drain());
	CHECK(scene.op.n_late == 2 && !strcmp(scene.op.late[1].prefix, "2001:db8::/56"));
	scene.f.n_late = 1;
	scene_tick(1);
	CHECK(scene.op.n_late == 1);
	scene.sites[0].established = scene_value(0);
	CHECK(scene_until_state(OPERATION_EMPTY, 2));
	scene.f.n_late = 0;
	scene_tick(1);
	CHECK(scene.op.n_late == 0);
	return 0;
}

static int two_drains_together_may_be_wanted(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[1].out = scene.sites[2].out = OPERATION_YES;
	scene.other = (struct operation_other){ "older", scene.op.created_ms - 1, false };
	scene.f.n_others = 1;
	scene.op.overridden[OPERATION_GUARD_LAST_SITE] = true;
	scene_tick(3);
	CHECK(scene.op.state == OPERATION_LATE);
	return 0;
}

static int a_step_waits_for_answers_until_it_is_in_force(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene_tick(2);
	CHECK(scene.op.step_runs && scene.op.level_ppm == 0);
	scene.f.ttl_s = scene_value(40); /* as name servers say once they have the level */
	CHECK(scene_until_level(100000));
	CHECK(scene.op.steps[0].ttl_s.value == 40);
	scene.f.ttl_s = scene_value(SCENE_TTL_S); /* of later answers */
	scene_tick(44);
	CHECK(scene.op.step == 0 && scene.op.step_runs);
	scene_tick(2);
	CHECK(scene.op.step == 1);
	return 0;
}

static int a_node_that_has_come_back_is_missed_again(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.nodes[2].reached = false;
	CHECK(scene_until_level(100000));
	CHECK(scene.op.n_took_part == 2);
	scene.nodes[2].reached = true;
	CHECK(scene_until_level(250000));
	CHECK(scene.op.n_took_part == 3);
	scene.nodes[2].reached = false;
	scene_tick(1);
	CHECK(scene_is_held_by("node-lost") && strstr(scene.op.hold.detail, "nc"));
	return 0;
}

static int signs_are_compared_with_before(void)
{
	static const struct {
		uint64_t was, now, flows;
		bool well;
	} cases[] = {
		{ 10, 22, 1000, true }, /* twice, and what chance makes of it: 1 % of 1,000 */
		{ 10, 30, 1000, true }, { 10, 31, 1000, false },
		{ 10, 22, 100, true }, /* 2 a second at least */
		{ 10, 23, 100, false }, { 0, 2, 0, true },
		{ 0, 3, 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.sites[1].flows = scene_value(cases[i].flows);
		scene.sites[1].drops = scene_value(cases[i].was);
		CHECK(scene_until_level(100000));
		scene.sites[1].drops = scene_value(cases[i].now);
		scene_tick(1);
		CHECK(scene_is_held_by("receivers") == !cases[i].well);
	}
	return 0;
}

static int a_return_that_lacks_something_is_held_in_the_end(void)
{
	static const char *const codes[] = { "pools", "announce", "site-down", "backup-leaves" };

	for (int stage = 0; stage < 4; stage++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.sites[0].has_backup = true;
		CHECK(let_drain());
		CHECK(begin_return() == 0);
		scene.sites[0].pools = stage == 0 ? OPERATION_NO : OPERATION_YES;
		scene.sites[0].announced = stage == 1 ? OPERATION_UNKNOWN : OPERATION_YES;
		scene.sites[0].up = stage == 2 ? OPERATION_NO : OPERATION_YES;
		scene.sites[0].backup_left = stage == 3 ? OPERATION_NO : OPERATION_YES;
		scene_tick(880);
		CHECK(scene.op.state == OPERATION_RETURNING && (int)scene.op.stage == stage);
		CHECK(strstr(scene.op.waits, "site a"));
		scene_tick(40); /* 15 minutes in a stage */
		CHECK(scene_is_held_by(codes[stage]) && scene.op.level_ppm == MODEL_PPM_ALL);
		CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                        scene.error));
		scene.sites[0].pools = scene.sites[0].announced = OPERATION_YES;
		scene.sites[0].up = scene.sites[0].backup_left = OPERATION_YES;
		CHECK(scene_until_state(OPERATION_DONE, 400));
	}
	return 0;
}

static int what_ends_by_itself_returns_in_steps(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.until_ms = scene.now_ms + 3000000;
	scene.op.now = true;
	operation_plan(&scene.op, &scene.f);
	CHECK(let_drain() && scene.op.n_steps == 1);
	scene.now_ms = scene.op.until_ms;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_RETURNING && scene.op.n_plan > 1);
	CHECK(scene_until_level(990000));
	scene_begin(OPERATION_DRAIN, 0); /* also where a person lets it end */
	scene.op.until_ms = scene.now_ms + 3000000;
	scene.op.now = true;
	operation_plan(&scene.op, &scene.f);
	CHECK(let_drain());
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene.now_ms = scene.op.until_ms;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_EXPIRED_HELD);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(scene.op.state == OPERATION_RETURNING && scene.op.n_plan > 1);
	CHECK(scene_until_level(990000));
	return 0;
}

static int an_owner_that_hands_over_leaves_its_epochs(void)
{
	uint32_t epoch;

	scene_begin(OPERATION_DRAIN, 0);
	epoch = scene.op.epoch;
	scene.f.self = "na";
	(void)snprintf(scene.op.owner, sizeof(scene.op.owner), "na");
	scene_tick(1);
	CHECK(!strcmp(scene.op.owner, "nb") && scene.op.epoch == operation_owner_epoch(epoch));
	return 0;
}

/* The step is announced, and has moved nothing. */
static int hold_as_a_step_begins(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_level(100000));
	while (scene.op.write.to_ppm != 250000)
		scene_tick(1);
	CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	return 0;
}

static int a_hold_is_written_once(void)
{
	uint32_t writes;

	CHECK(hold_as_a_step_begins() == 0);
	scene_tick(1);
	writes = scene.op.writes;
	scene_tick(1);
	CHECK(scene.op.writes == writes && !scene.act.changed && scene.op.write.epoch);
	scene.obey = false; /* a node had gone further: it is followed, once */
	scene.nodes[2].levels[0].level_ppm = 180000;
	scene_tick(5);
	CHECK(scene.op.writes == writes + 1 && scene.op.level_ppm == 180000);
	return 0;
}

static int a_long_history_keeps_the_newest_steps(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.n_steps = OPERATION_HISTORY_MAX;
	for (uint32_t i = 0; i < OPERATION_HISTORY_MAX; i++) {
		scene.op.steps[i].to_ppm = i;
		scene.op.steps[i].ended_ms = 1;
	}
	CHECK(scene_until_level(100000));
	CHECK(scene.op.n_steps == OPERATION_HISTORY_MAX && scene.op.steps_lost == 1);
	CHECK(scene.op.steps[0].to_ppm == 1);
	CHECK(scene.op.steps[OPERATION_HISTORY_MAX - 1].to_ppm == 100000);
	return 0;
}

static int of_two_drains_the_older_stays(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	CHECK(scene_until_state(OPERATION_LATE, 200));
	scene.sites[1].out = scene.sites[2].out = OPERATION_YES;
	let_another_move(false);
	scene_tick(3);
	CHECK(scene.op.state == OPERATION_LATE);
	scene.other.created_ms = scene.op.created_ms - 1;
	scene_tick(1);
	CHECK(scene_is_held_by("last-site"));
	return 0;
}

static int a_resumed_step_waits_for_earlier_answers(void)
{
	CHECK(hold_as_a_step_begins() == 0);
	scene.obey = false; /* a node had begun the step */
	scene.nodes[2].levels[0].level_ppm = 180000;
	scene_tick(5);
	scene.obey = true;
	scene_tick(55);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(SCENE_TTL_S + 4);
	CHECK(scene.op.write.to_ppm == 180000 && strstr(scene.op.waits, "before the hold"));
	scene_tick(2);
	CHECK(scene.op.write.to_ppm == 250000);
	return 0;
}

/* There are no earlier answers. */
static int a_step_that_a_hold_stopped_before_it_moved_anything_begins_at_once(void)
{
	CHECK(hold_as_a_step_begins() == 0);
	scene_tick(5);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	scene_tick(3);
	CHECK(scene.op.write.to_ppm == 250000);
	return 0;
}

/* A person has decided otherwise: its time does not come again. */
static int an_aborted_return_forgets_its_time(void)
{
	for (int held = 0; held < 2; held++) {
		scene_begin(OPERATION_DRAIN, 0);
		scene.op.until_ms = scene.now_ms + 300000;
		CHECK(let_drain());
		scene.now_ms = scene.op.until_ms;
		CHECK(scene_until_level(750000) && scene.op.expired);
		CHECK(scene.op.state == OPERATION_RETURNING);
		if (held)
			CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                      scene.error));
		CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                       scene.error));
		CHECK(!scene.op.expired && !scene.op.expiry_announced &&
		      scene.op.until_ms == MODEL_TIME_NEVER);
		CHECK(scene_until_state(OPERATION_DRAINED, 200));
		scene_tick(100);
		CHECK(scene.op.level_ppm == MODEL_PPM_ALL && scene.op.state != OPERATION_RETURNING);
		CHECK(begin_return() == 0);
	}
	return 0;
}

/* It rests where its way began, and its time has come: the next look returns it. */
static int an_abort_over_its_end_returns_then(void)
{
	struct operation_person person = scene_person;

	for (int held = 0; held < 2; held++) {
		scene_begin(OPERATION_SHIFT, 300000);
		CHECK(scene_until_state(OPERATION_RESTING, 200));
		person.goal_ppm = 500000;
		person.until_ms = scene.now_ms + 60000;
		CHECK(!operation_redirect(&scene.op, &scene.f, &person, scene.now_ms, scene.error));
		CHECK(scene_until_level(500000));
		if (held) {
			CHECK(!operation_hold(&scene.op, &scene.f, &scene_person, scene.now_ms,
			                      scene.error));
			scene.now_ms = scene.op.until_ms;
			scene_tick(1);
			CHECK(scene.op.state == OPERATION_EXPIRED_HELD);
		}
		CHECK(!operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms,
		                       scene.error));
		scene.now_ms = scene.op.until_ms;
		CHECK(scene_until_state(OPERATION_RESTING, 100) && scene.op.level_ppm == 300000);
		scene_tick(1);
		CHECK(scene.op.state == OPERATION_RETURNING);
		CHECK(scene_until_state(OPERATION_DONE, 200) && scene.op.write.ended);
	}
	return 0;
}

/* Each turn takes an epoch; the last one is refused before a record is made that no node takes. */
static int without_an_epoch_nothing_turns(void)
{
	scene_begin(OPERATION_DRAIN, 0);
	scene.op.epoch = OPERATION_EPOCH_MAX - 1;
	CHECK(scene_until_level(100000));
	CHECK(operation_abort(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) < 0 &&
	      strstr(scene.error, "epoch"));
	CHECK(let_drain());
	CHECK(begin_return() < 0 && strstr(scene.error, "epoch"));
	scene.op.until_ms = scene.now_ms;
	scene_tick(1);
	CHECK(scene.op.state == OPERATION_EXPIRED_HELD && !strcmp(scene.op.hold.code, "epoch"));
	CHECK(operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) < 0 &&
	      strstr(scene.error, "epoch"));
	CHECK(operation_ok(&scene.op) && scene.op.level_ppm == MODEL_PPM_ALL);
	scene.op.write.epoch = --scene.op.epoch; /* one turn is left */
	scene_tick(1);
	CHECK(!operation_resume(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error));
	CHECK(operation_ok(&scene.op) && scene.op.state == OPERATION_RETURNING);
	scene_begin(OPERATION_DRAIN, 0); /* and no other node takes it over */
	scene.op.epoch = OPERATION_EPOCH_MAX - OPERATION_EPOCHS;
	(void)snprintf(scene.op.owner, sizeof(scene.op.owner), "na");
	CHECK(operation_own(&scene.op, &scene.f, &scene_person, scene.now_ms, scene.error) < 0 &&
	      strstr(scene.error, "epoch"));
	return 0;
}

uint64_t scenes_ways(void)
{
	static int (*const scenes[])(void) = {
		the_end_has_the_load_of_the_end,
		of_two_returns_one_begins,
		a_return_at_once_is_one_step,
		an_abort_goes_on_beside_another,
		what_a_refused_command_names_is_forgotten,
		what_was_named_absent_takes_part_again,
		guards_are_overridden_for_one_way,
		a_return_may_be_hurried,
		an_aborted_return_may_go_on,
		own_vips_leave_last_and_on_demand,
		shared_vips_leave_with_anothers_proof,
		clients_that_come_back_are_late_again,
		a_site_that_is_down_needs_no_backup,
		a_hold_is_never_beyond_what_was_written,
		late_clients_are_followed,
		two_drains_together_may_be_wanted,
		a_step_waits_for_answers_until_it_is_in_force,
		a_node_that_has_come_back_is_missed_again,
		signs_are_compared_with_before,
		a_return_that_lacks_something_is_held_in_the_end,
		what_ends_by_itself_returns_in_steps,
		of_two_drains_the_older_stays,
		a_resumed_step_waits_for_earlier_answers,
		a_step_that_a_hold_stopped_before_it_moved_anything_begins_at_once,
		an_owner_that_hands_over_leaves_its_epochs,
		a_hold_is_written_once,
		a_long_history_keeps_the_newest_steps,
		an_aborted_return_forgets_its_time,
		an_abort_over_its_end_returns_then,
		without_an_epoch_nothing_turns,
	};
	uint64_t faults = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		faults += (uint64_t)scenes[i]();
	return faults;
}
