/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single promises of the engine. Each scene begins with three sites a, b, c with one node each, all
 * well, and an operation that drains a, owned by the node of b. A scene changes what it is about.
 * Nodes have each write in force one tick later, unless the scene says otherwise.
 */
#include "operations_scenes.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine.h"
#include "mgmt/operations/plan.h"

#define N     3u
#define TTL_S 5u
#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("FAULT %s, line %d: %s (%s: %s, %s)\n", __func__, __LINE__, #what,  \
			       operation_state_text(s.op.state), s.op.hold.code, s.op.waits);      \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

struct scene {
	struct operation op;
	struct operation_facts f;
	struct operation_node nodes[N];
	struct operation_site sites[N];
	struct operation_other other;
	struct operation_act act;
	int64_t now_ms;
	bool obey; /* nodes have writes in force */
	char error[OPERATION_DETAIL_MAX];
};

static struct scene s;
static const struct operation_person person = { .author = "amy", .reason = "test" };
static const char *const node_names[N] = { "na", "nb", "nc" };
static const char *const site_names[N] = { "a", "b", "c" };

static struct operation_value num(uint64_t value)
{
	return (struct operation_value){ true, value };
}

static void make_site(struct operation_site *site, const char *name)
{
	*site = (struct operation_site){
		.name = name,
		.serves = true,
		.up = OPERATION_YES,
		.checked = true,
		.failing = OPERATION_NO,
		.pools = OPERATION_YES,
		.out = OPERATION_NO,
		.flows = num(1000),
		.arrivals = num(1000),
		.bits = num(8000),
		.established = num(100),
		.repeats = num(1),
		.drops = num(0),
		.backup_ok = OPERATION_YES,
		.backup_left = OPERATION_YES,
		.announced = OPERATION_YES,
		.elsewhere = OPERATION_YES,
		.named = num(10),
	};
	for (uint32_t p = 0; p < OPERATION_POINTS; p++)
		site->at[p] = (struct operation_projected){
			.receives = OPERATION_YES,
			.share_ppm = num(333333),
			.flows = num(1000),
			.bits = num(8000),
			.backup_flows = num(500),
			.backup_bits = num(4000),
		};
}

static void make_scene(enum operation_kind kind, uint32_t goal_ppm)
{
	static const char *const ids[] = { "override-a" };
	struct operation_request r = {
		.id = "op",
		.node = "nb",
		.kind = kind,
		.sites = site_names,
		.override_ids = ids,
		.n_sites = 1,
		.service = "",
		.author = "amy",
		.principal = "",
		.reason = "",
		.until_ms = MODEL_TIME_NEVER,
		.goal_ppm = goal_ppm,
	};

	memset(&s, 0, sizeof(s));
	s.now_ms = 1700000000000;
	s.obey = true;
	if (operation_init(&s.op, &r, s.now_ms, s.error))
		printf("FAULT no operation: %s\n", s.error);
	for (uint32_t i = 0; i < N; i++) {
		make_site(&s.sites[i], site_names[i]);
		s.nodes[i] = (struct operation_node){
			.name = node_names[i],
			.site = site_names[i],
			.self = i == 1,
			.reached = true,
			.steps = OPERATION_YES,
			.has_record = OPERATION_YES,
			.dns = OPERATION_YES,
			.levels[0] = { .known = true },
		};
	}
	s.f = (struct operation_facts){
		.self = "nb",
		.clock = OPERATION_YES,
		.nodes = s.nodes,
		.n_nodes = N,
		.sites = s.sites,
		.n_sites = N,
		.others = &s.other,
		.document = OPERATION_DOCUMENT_FINE,
		.unconfirmed = OPERATION_NO,
		.key_fingerprint = 7,
		.max_sites_out = num(1),
		.ttl_s = num(TTL_S),
		.window_flows = num(0),
		.window_answers = num(0),
	};
}

static void obey_writes(void)
{
	const struct operation_write *write = &s.op.write;

	for (uint32_t i = 0; i < N && s.obey && write->epoch; i++) {
		struct operation_level *level = &s.nodes[i].levels[0];

		if (s.now_ms >= write->from_ms && s.nodes[i].reached)
			*level = (struct operation_level){ level->known, write->epoch, write->step,
				                           false, write->to_ppm };
	}
}

static void tick(uint32_t n)
{
	while (n--) {
		s.now_ms += 1000;
		s.f.elapsed_ms = 1000;
		obey_writes();
		operation_next(&s.op, &s.f, s.now_ms, &s.act);
	}
}

static bool until_state(enum operation_state state, uint32_t most)
{
	for (uint32_t i = 0; i < most && s.op.state != state; i++)
		tick(1);
	return s.op.state == state;
}

/* Until the step to a level runs and is in force. */
static bool until_level(uint32_t level_ppm)
{
	for (uint32_t i = 0; i < 200 && s.op.level_ppm != level_ppm; i++)
		tick(1);
	return s.op.level_ppm == level_ppm;
}

static bool held_by(const char *code)
{
	return s.op.state == OPERATION_HELD && !strcmp(s.op.hold.code, code) && *s.op.hold.detail;
}

static int drain_takes_its_steps(void)
{
	static const uint32_t levels[] = { 100000, 250000, 500000, 750000, 1000000 };

	make_scene(OPERATION_DRAIN, 0);
	s.sites[0].has_backup = true;
	for (uint32_t i = 0; i < 5; i++) {
		CHECK(s.op.late_from_ms == 0);
		CHECK(until_level(levels[i]));
		CHECK(s.op.n_steps == i + 1);
	}
	CHECK(s.op.late_from_ms >= s.now_ms + (int64_t)TTL_S * 1000);
	CHECK(until_state(OPERATION_LATE, 20));
	CHECK(s.act.shared == OPERATION_ANNOUNCE_SHUTDOWN &&
	      s.act.own == OPERATION_ANNOUNCE_NORMAL);
	tick(100);
	CHECK(s.op.state == OPERATION_LATE); /* clients still come */
	s.sites[0].flows = num(9);
	CHECK(until_state(OPERATION_DRAINED, 2));
	CHECK(s.act.shared == OPERATION_ANNOUNCE_SHUTDOWN || s.op.shared_withdrawn);
	tick(5);
	CHECK(s.op.state == OPERATION_DRAINED && s.act.shared == OPERATION_ANNOUNCE_WITHDRAWN);
	CHECK(s.act.own == OPERATION_ANNOUNCE_NORMAL);
	s.sites[0].established = num(0);
	CHECK(until_state(OPERATION_EMPTY, 2));
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
		make_scene(OPERATION_DRAIN, 0);
		s.sites[0].flows = num(cases[i].before);
		CHECK(until_state(OPERATION_LATE, 200));
		s.sites[0].flows = num(cases[i].flows);
		tick(2);
		CHECK((s.op.state == OPERATION_DRAINED) == cases[i].drained);
	}
	return 0;
}

static int missing_is_never_zero(void)
{
	for (int which = 0; which < 8; which++) {
		make_scene(OPERATION_DRAIN, 0);
		CHECK(until_level(100000));
		switch (which) {
		case 0:
			s.sites[1].repeats.known = false;
			break;
		case 1:
			s.sites[1].drops.known = false;
			break;
		case 2:
			s.sites[1].flows.known = false;
			break;
		case 3:
			s.sites[0].flows.known = false;
			break;
		case 4:
			s.sites[2].failing = OPERATION_UNKNOWN;
			break;
		case 5:
			s.sites[2].pools = OPERATION_UNKNOWN;
			break;
		case 6:
			s.f.max_sites_out.known = false;
			break;
		default:
			s.f.unconfirmed = OPERATION_UNKNOWN;
		}
		tick(3);
		CHECK(s.op.state == OPERATION_HELD && s.op.level_ppm == 100000);
	}
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].repeats.known = false; /* nothing to compare with later */
	tick(4);
	CHECK(s.op.state == OPERATION_HELD && s.op.write.epoch == 0);
	make_scene(OPERATION_DRAIN, 0);
	s.op.overridden[OPERATION_GUARD_FRESH] = true;
	CHECK(until_level(100000));
	s.sites[1].repeats = (struct operation_value){ 0 };
	tick(3);
	CHECK(held_by("receivers"));
	make_scene(OPERATION_DRAIN, 0);
	s.f.ttl_s.known = false;
	tick(4);
	CHECK(held_by("fresh") && s.op.write.epoch == 0);
	return 0;
}

static int a_moment_without_a_value_does_not_hold(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(100000));
	for (int i = 0; i < 3; i++) {
		s.sites[1].repeats.known = false;
		tick(1);
		s.sites[1].repeats.known = true;
		tick(2);
		CHECK(s.op.state == OPERATION_MOVING);
	}
	return 0;
}

static int a_receiver_that_suffers_holds_at_once(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	s.sites[2].repeats = num(60);
	tick(1);
	CHECK(held_by("receivers") && s.op.level_ppm == 250000);
	CHECK(operation_resume(&s.op, &s.f, &person, s.now_ms, s.error) &&
	      strstr(s.error, "receivers"));
	s.sites[2].repeats = num(1);
	CHECK(!operation_resume(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(until_level(500000));
	s.sites[1].drops = num(50);
	tick(1);
	CHECK(held_by("receivers"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].repeats = num(400); /* it suffered before */
	tick(3);
	CHECK(held_by("receivers") && s.op.write.epoch == 0);
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].failing = OPERATION_YES;
	tick(3);
	CHECK(held_by("receivers"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].pools = OPERATION_NO;
	tick(3);
	CHECK(held_by("receivers"));
	return 0;
}

static int room_counts_what_the_step_brings(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].capacity_flows = num(2000);
	s.sites[1].at[2].flows = num(1800);
	CHECK(until_state(OPERATION_HELD, 60));
	CHECK(held_by("room") && s.op.level_ppm == 100000); /* the second step would be too much */
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(100000));
	s.sites[1].capacity_flows = num(1100); /* the squeeze, while the step runs */
	tick(1);
	CHECK(held_by("room"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].capacity_flows = num(2000);
	s.sites[1].at[1].flows.known = false;
	tick(4);
	CHECK(held_by("room"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].capacity_bits = num(9000);
	tick(3);
	CHECK(held_by("room"));
	make_scene(OPERATION_DRAIN, 0);
	s.op.now = true;
	s.op.n_plan = plan_levels(0, OPERATION_PPM, true, s.op.plan_ppm);
	s.sites[1].capacity_flows = num(1700); /* 1000 by DNS, and 500 by the backup pool */
	tick(3);
	CHECK(held_by("room"));
	make_scene(OPERATION_DRAIN, 0);
	s.op.now = true;
	s.op.n_plan = plan_levels(0, OPERATION_PPM, true, s.op.plan_ppm);
	s.sites[1].capacity_flows = num(9000);
	s.sites[1].at[1].backup_flows = (struct operation_value){ 0 };
	tick(4);
	CHECK(held_by("room"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[1].at[1].flows.known = false; /* without a stated capacity: not checked */
	tick(3);
	CHECK(s.op.state == OPERATION_MOVING);
	return 0;
}

static int sites_that_are_out_are_no_receivers(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.f.max_sites_out = num(2);
	s.sites[2].out = OPERATION_YES;
	s.sites[2].failing = OPERATION_YES;
	s.sites[2].flows.known = s.sites[2].repeats.known = false;
	CHECK(until_level(100000)); /* c does not matter */
	CHECK(operation_deciding(&s.op, &s.f) == 1);
	s.sites[2].out = OPERATION_NO;
	CHECK(operation_deciding(&s.op, &s.f) == 2);
	make_scene(OPERATION_DRAIN, 0);
	s.f.max_sites_out = num(3);
	s.sites[1].up = OPERATION_NO;
	s.sites[2].out = OPERATION_YES;
	tick(3);
	CHECK(held_by("last-site"));
	make_scene(OPERATION_DRAIN, 0);
	s.f.max_sites_out = num(3);
	s.sites[1].out = s.sites[2].out = OPERATION_UNKNOWN;
	tick(4);
	CHECK(held_by("last-site"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[2].out = OPERATION_YES;
	tick(3);
	CHECK(held_by("max-sites-out"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[2].held = true;
	tick(3);
	CHECK(held_by("max-sites-out"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[2].up = OPERATION_NO;
	tick(3);
	CHECK(held_by("max-sites-out"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[2].up = OPERATION_NO;
	s.sites[2].failing = OPERATION_YES; /* it is no receiver */
	s.op.overridden[OPERATION_GUARD_MAX_SITES_OUT] = true;
	tick(4);
	CHECK(s.op.state == OPERATION_MOVING);
	return 0;
}

static int unmeasured_sites_end_unconfirmed(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.sites[0].absent = true;
	s.sites[0].flows.known = s.sites[0].arrivals.known = false;
	s.sites[0].repeats.known = s.sites[0].drops.known = false;
	CHECK(until_state(OPERATION_LATE, 200));
	tick(60);
	CHECK(s.op.state == OPERATION_LATE); /* answers still name it */
	s.sites[0].named = (struct operation_value){ 0 };
	tick(60);
	CHECK(s.op.state == OPERATION_LATE);
	s.sites[0].named = num(0);
	tick(2 * TTL_S - 1);
	CHECK(s.op.state == OPERATION_LATE);
	tick(3);
	CHECK(s.op.state == OPERATION_DRAINED_UNCONFIRMED);
	s.sites[0].flows = num(0);
	tick(1);
	CHECK(s.op.state == OPERATION_DRAINED);
	return 0;
}

static int expiry_during_a_hold_changes_nothing(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.op.until_ms = s.now_ms + 1000000;
	CHECK(until_level(250000));
	CHECK(!operation_hold(&s.op, &person, &s.f, s.now_ms, s.error) && held_by("person"));
	s.now_ms = s.op.until_ms - OPERATION_NOTICE_MS - 1000;
	CHECK(!s.op.expiry_announced);
	tick(2);
	CHECK(s.op.expiry_announced && s.op.state == OPERATION_HELD);
	s.now_ms = s.op.until_ms;
	s.f.clock = OPERATION_NO;
	tick(1);
	CHECK(s.op.state == OPERATION_HELD); /* that clock says nothing */
	s.f.clock = OPERATION_YES;
	tick(10);
	CHECK(s.op.state == OPERATION_EXPIRED_HELD && s.op.level_ppm == 250000);
	CHECK(s.op.write.to_ppm == 250000);
	CHECK(!operation_resume(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(s.op.state == OPERATION_RETURNING);
	CHECK(until_state(OPERATION_DONE, 200) && s.act.write.ended && s.op.level_ppm == 0);
	return 0;
}

static int the_owner_is_outside_of_the_target(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.f.self = "na";
	(void)snprintf(s.op.owner, sizeof(s.op.owner), "na");
	tick(1);
	CHECK(!strcmp(s.op.owner, "nb") && !strcmp(s.act.handed_over, "nb") && !s.act.has_write);
	make_scene(OPERATION_DRAIN, 0);
	s.f.self = "na";
	(void)snprintf(s.op.owner, sizeof(s.op.owner), "na");
	s.nodes[1].reached = false;
	s.nodes[2].steps = OPERATION_UNKNOWN;
	tick(1);
	CHECK(!strcmp(s.op.owner, "na"));
	return 0;
}

static int two_nodes_need_each_other(void)
{
	const char *const absent[] = { "nc" };
	struct operation_person without = person;

	make_scene(OPERATION_DRAIN, 0);
	s.f.nodes = s.nodes + 1;
	s.f.n_nodes = 2;
	CHECK(until_level(100000));
	s.nodes[2].reached = false;
	tick(1);
	CHECK(held_by("node-lost"));
	CHECK(operation_resume(&s.op, &s.f, &person, s.now_ms, s.error) &&
	      strstr(s.error, "majority"));
	without.without = absent;
	without.n_without = 1;
	s.sites[2].up = OPERATION_NO;
	s.f.max_sites_out = num(2);
	CHECK(!operation_resume(&s.op, &s.f, &without, s.now_ms, s.error));
	CHECK(until_level(250000));
	return 0;
}

static int three_nodes_go_on_with_a_majority_when_resumed(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.nodes[0].reached = false; /* from the start: its site cannot be measured */
	s.sites[0].absent = true;
	CHECK(until_level(100000));
	s.nodes[2].reached = false;
	tick(1);
	CHECK(held_by("node-lost"));
	return 0;
}

static int a_take_keeps_a_hold(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	s.sites[2].repeats = num(90);
	tick(1);
	CHECK(held_by("receivers"));
	s.sites[2].repeats = num(1);
	s.f.self = "nc";
	CHECK(!operation_own(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(s.op.write.epoch == s.op.epoch && s.op.write.to_ppm == 250000);
	tick(60);
	CHECK(held_by("receivers"));
	CHECK(!operation_resume(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(until_level(500000));
	return 0;
}

static int a_take_reads_the_levels_first(void)
{
	uint32_t epoch;

	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	epoch = s.op.epoch;
	s.nodes[0].levels[0] = (struct operation_level){ true, epoch, 9, false, 500000 };
	s.nodes[1].levels[0].known = false;
	s.f.self = "nc";
	CHECK(!operation_own(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(s.op.epoch > epoch && held_by("taken") && s.op.write.to_ppm == 500000);
	tick(60);
	CHECK(held_by("taken"));
	s.nodes[1].levels[0].known = true;
	CHECK(until_state(OPERATION_MOVING, 20));
	CHECK(s.op.level_ppm == 500000);
	CHECK(until_level(750000));
	return 0;
}

static int a_take_needs_a_majority(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	s.f.self = "nc";
	s.nodes[0].reached = s.nodes[1].reached = false;
	CHECK(operation_own(&s.op, &s.f, &person, s.now_ms, s.error) &&
	      strstr(s.error, "majority"));
	CHECK(!strcmp(s.op.owner, "nb"));
	return 0;
}

static int a_person_ends_the_automation(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	s.obey = false;
	s.nodes[2].levels[0] = (struct operation_level){ true, s.op.epoch + 1, 1, true, 0 };
	tick(1);
	CHECK(s.op.state == OPERATION_ABORTED && !s.act.has_write);
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(250000));
	s.nodes[2].levels[0].epoch = s.op.epoch + 64; /* another owner's */
	s.obey = false;
	tick(30);
	CHECK(s.op.state == OPERATION_MOVING && !s.act.has_write && s.op.level_ppm == 250000);
	return 0;
}

static int shares_are_judged(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.f.window_flows = num(5000);
	s.f.window_answers = num(5000);
	s.sites[0].at[1].share_ppm = num(280000); /* it has 333,333 */
	CHECK(until_level(100000));
	tick(40);
	CHECK(s.op.level_ppm == 100000 && s.op.state == OPERATION_MOVING);
	CHECK(until_state(OPERATION_HELD, 100));
	CHECK(held_by("share"));
	make_scene(OPERATION_DRAIN, 0);
	s.f.window_flows = num(199);
	s.f.window_answers = num(5000);
	s.sites[0].at[1].share_ppm = num(100000);
	CHECK(until_level(250000) && !s.op.steps[0].judged && *s.op.steps[0].not_judged);
	make_scene(OPERATION_DRAIN, 0);
	s.f.window_flows = num(5000);
	s.f.window_answers = num(999);
	s.sites[0].at[1].share_ppm = num(100000);
	CHECK(until_level(250000) && !s.op.steps[0].judged);
	return 0;
}

static int a_site_that_is_down_takes_one_step(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.sites[0].up = OPERATION_NO;
	s.sites[0].flows.known = s.sites[0].repeats.known = false;
	s.sites[1].capacity_flows = num(10); /* no room: its load has moved already */
	CHECK(until_level(1000000) && s.op.n_steps == 1);
	return 0;
}

static int waits_go_by_elapsed_time(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(100000));
	s.now_ms += 3600000;
	tick(1);
	CHECK(s.op.step_runs && s.op.level_ppm == 100000 && s.op.step == 0);
	s.now_ms += 1000;
	s.f.elapsed_ms = 3600000; /* the process was stopped: nobody watched */
	operation_next(&s.op, &s.f, s.now_ms, &s.act);
	CHECK(s.op.step == 0);
	s.f.clock = OPERATION_NO;
	tick(1);
	CHECK(held_by("clock"));
	return 0;
}

static int steps_wait_for_all_name_servers(void)
{
	make_scene(OPERATION_DRAIN, 0);
	tick(2);
	s.obey = false;
	tick(20);
	CHECK(s.op.level_ppm == 0 && s.op.state == OPERATION_MOVING);
	CHECK(until_state(OPERATION_HELD, 40));
	CHECK(held_by("not-in-force"));
	CHECK(s.op.write.to_ppm == 0 && s.op.write.from_ms <= s.now_ms);
	make_scene(OPERATION_DRAIN, 0);
	s.nodes[2].has_record = OPERATION_NO;
	tick(5);
	CHECK(s.op.write.epoch == 0);
	CHECK(until_state(OPERATION_HELD, 20));
	CHECK(held_by("record"));
	return 0;
}

static int a_return_has_its_order(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.sites[0].has_backup = true;
	s.sites[0].flows = num(1000);
	CHECK(until_state(OPERATION_LATE, 200));
	s.sites[0].flows = num(0);
	CHECK(until_state(OPERATION_DRAINED, 3));
	s.sites[0].pools = OPERATION_NO;
	s.sites[0].announced = OPERATION_UNKNOWN;
	s.sites[0].up = OPERATION_NO;
	s.sites[0].backup_left = OPERATION_NO;
	CHECK(!operation_return(&s.op, &s.f, &person, s.now_ms, s.error));
	tick(5);
	CHECK(s.op.stage == OPERATION_STAGE_POOLS && s.op.late_from_ms);
	s.sites[0].pools = OPERATION_YES;
	tick(5);
	CHECK(s.op.stage == OPERATION_STAGE_ANNOUNCE && s.act.shared == OPERATION_ANNOUNCE_NORMAL);
	s.sites[0].announced = OPERATION_YES;
	tick(5);
	CHECK(s.op.stage == OPERATION_STAGE_OUTSIDE && s.op.late_from_ms);
	s.sites[0].up = OPERATION_YES;
	tick(5);
	CHECK(s.op.stage == OPERATION_STAGE_BACKUP && !s.op.write.late_from_ms);
	CHECK(s.op.level_ppm == 1000000);
	s.sites[0].backup_left = OPERATION_YES;
	CHECK(until_level(990000));
	tick(115);
	CHECK(s.op.level_ppm == 990000); /* 1 % for two minutes */
	CHECK(until_level(900000));
	s.sites[0].up = OPERATION_NO;
	tick(1);
	CHECK(held_by("site-down"));
	s.sites[0].up = OPERATION_YES;
	CHECK(!operation_abort(&s.op, &s.f, &person, s.now_ms, s.error)); /* out again */
	CHECK(until_state(OPERATION_DRAINED, 100) && s.op.level_ppm == 1000000);
	return 0;
}

static int an_abort_goes_back_in_steps(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(500000));
	s.sites[0].up = OPERATION_NO;
	s.sites[2].repeats = num(300);
	CHECK(!operation_abort(&s.op, &s.f, &person, s.now_ms, s.error));
	tick(1);
	CHECK(held_by("site-down") && s.op.level_ppm == 500000);
	s.sites[0].up = OPERATION_YES;
	CHECK(!operation_resume(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(until_level(250000)); /* although c suffers: this is what helps */
	CHECK(until_state(OPERATION_ABORTED, 100) && s.act.write.ended);
	return 0;
}

static int a_shift_rests_and_a_drain_starts_from_there(void)
{
	make_scene(OPERATION_SHIFT, 300000);
	CHECK(until_state(OPERATION_RESTING, 200));
	CHECK(s.op.level_ppm == 300000 && !operation_moves(&s.op));
	CHECK(!operation_redirect(&s.op, &s.f, &person, OPERATION_PPM, s.now_ms, s.error));
	CHECK(until_level(500000));
	CHECK(!operation_abort(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(until_state(OPERATION_RESTING, 100) && s.op.level_ppm == 300000);
	CHECK(!operation_return(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(until_state(OPERATION_DONE, 200));
	return 0;
}

static int the_younger_of_two_is_held(void)
{
	make_scene(OPERATION_DRAIN, 0);
	s.other = (struct operation_other){ "older", s.op.created_ms - 1, true };
	s.f.n_others = 1;
	tick(2);
	CHECK(held_by("operation"));
	make_scene(OPERATION_DRAIN, 0);
	s.other = (struct operation_other){ "younger", s.op.created_ms + 1, true };
	s.f.n_others = 1;
	CHECK(until_level(100000));
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_state(OPERATION_LATE, 200));
	s.sites[0].flows = num(0);
	s.sites[1].out = s.sites[2].out = OPERATION_YES;
	s.other = (struct operation_other){ "older", s.op.created_ms - 1, false };
	s.f.n_others = 1;
	tick(1);
	CHECK(held_by("last-site") && s.op.level_ppm == 1000000);
	return 0;
}

static int the_document_holds(void)
{
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(100000));
	s.f.key_fingerprint = 8;
	tick(1);
	CHECK(held_by("key-changed"));
	make_scene(OPERATION_DRAIN, 0);
	CHECK(until_level(100000));
	s.f.document = OPERATION_DOCUMENT_SITE_GONE;
	tick(1);
	CHECK(held_by("site-gone"));
	CHECK(operation_resume(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(!operation_abort(&s.op, &s.f, &person, s.now_ms, s.error));
	CHECK(s.op.state == OPERATION_FAILED);
	make_scene(OPERATION_DRAIN, 0);
	s.f.document = OPERATION_DOCUMENT_NO_DNS;
	tick(2);
	CHECK(held_by("no-dns"));
	make_scene(OPERATION_DRAIN, 0);
	s.f.unconfirmed = OPERATION_YES;
	tick(2);
	CHECK(held_by("unconfirmed"));
	make_scene(OPERATION_DRAIN, 0);
	s.nodes[0].steps = OPERATION_NO;
	s.op.overridden[OPERATION_GUARD_RELEASE] = true; /* which nobody can */
	tick(2);
	CHECK(held_by("release") && strstr(s.op.hold.detail, "na"));
	make_scene(OPERATION_DRAIN, 0);
	s.sites[0].has_backup = true;
	s.sites[0].backup_ok = OPERATION_NO;
	tick(2);
	CHECK(held_by("backup"));
	return 0;
}

static int records_have_an_order(void)
{
	struct operation *a = &s.op;
	static struct operation b;

	make_scene(OPERATION_DRAIN, 0);
	b = s.op;
	CHECK(!operation_is_newer(a, &b) && !operation_is_newer(&b, a));
	b.seq++;
	CHECK(operation_is_newer(&b, a) && !operation_is_newer(a, &b));
	(void)snprintf(a->owner, sizeof(a->owner), "na"); /* of two takers one stays */
	CHECK(operation_is_newer(a, &b) && !operation_is_newer(&b, a));
	b.epoch++;
	CHECK(operation_is_newer(&b, a) && !operation_is_newer(a, &b));
	CHECK(operation_owner_epoch(5) == 64 && operation_owner_epoch(64) == 128);
	return 0;
}

uint64_t scenes_run(void)
{
	static int (*const scenes[])(void) = {
		drain_takes_its_steps,
		quiet_is_one_percent_or_one,
		missing_is_never_zero,
		a_moment_without_a_value_does_not_hold,
		a_receiver_that_suffers_holds_at_once,
		room_counts_what_the_step_brings,
		sites_that_are_out_are_no_receivers,
		unmeasured_sites_end_unconfirmed,
		expiry_during_a_hold_changes_nothing,
		the_owner_is_outside_of_the_target,
		two_nodes_need_each_other,
		three_nodes_go_on_with_a_majority_when_resumed,
		a_take_keeps_a_hold,
		a_take_reads_the_levels_first,
		a_take_needs_a_majority,
		a_person_ends_the_automation,
		shares_are_judged,
		a_site_that_is_down_takes_one_step,
		waits_go_by_elapsed_time,
		steps_wait_for_all_name_servers,
		a_return_has_its_order,
		an_abort_goes_back_in_steps,
		a_shift_rests_and_a_drain_starts_from_there,
		the_younger_of_two_is_held,
		the_document_holds,
		records_have_an_order,
	};
	uint64_t faults = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		faults += (uint64_t)scenes[i]();
	return faults;
}
