/* SPDX-License-Identifier: BSD-2-Clause */
#include "operations_scene.h"

struct scene scene;
const struct operation_person scene_person = { .author = "amy",
	                                       .reason = "test",
	                                       .until_ms = MODEL_TIME_NEVER };
const struct operation_person scene_alone = { .author = "amy",
	                                      .reason = "test",
	                                      .until_ms = MODEL_TIME_NEVER,
	                                      .without = { { "na", "nc" }, 2 } };
static const char *const node_names[SCENE_NODES] = { "na", "nb", "nc" };
static const char *const site_names[SCENE_NODES] = { "a", "b", "c" };

struct operation_value scene_value(uint64_t value)
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
		.flows = scene_value(1000),
		.arrivals = scene_value(1000),
		.bits = scene_value(8000),
		.established = scene_value(100),
		.repeats = scene_value(1),
		.drops = scene_value(0),
		.backup_ok = OPERATION_YES,
		.backup_left = OPERATION_YES,
		.announced = OPERATION_YES,
		.elsewhere = OPERATION_YES,
		.named = scene_value(10),
	};
	for (uint32_t p = 0; p < OPERATION_POINTS; p++)
		site->at[p] = (struct operation_projected){
			.receives = OPERATION_YES,
			.share_ppm = scene_value(333333),
			.flows = scene_value(1000),
			.bits = scene_value(8000),
			.backup_flows = scene_value(500),
			.backup_bits = scene_value(4000),
		};
}

static void begin_over(enum operation_kind kind, uint32_t goal_ppm, const uint32_t *level_ppm,
                       uint32_t ahead_ppm)
{
	static const struct operation_target target = { .site = "a", .override_id = "override-a" };
	struct operation_request r = {
		.id = "op",
		.stamp = 1,
		.node = "nb",
		.kind = kind,
		.targets = &target,
		.n_targets = 1,
		.service = "",
		.has_override = level_ppm != NULL,
		.level_ppm = level_ppm ? *level_ppm : 0,
		.ahead_ppm = ahead_ppm,
		.person.author = "amy",
		.person.principal = "",
		.person.reason = "",
		.person.until_ms = MODEL_TIME_NEVER,
		.person.goal_ppm = goal_ppm,
	};

	memset(&scene, 0, sizeof(scene));
	scene.now_ms = 1700000000000;
	scene.obey = true;
	if (operation_init(&scene.op, &r, scene.now_ms, scene.error))
		printf("FAULT no operation: %s\n", scene.error);
	for (uint32_t i = 0; i < SCENE_NODES; i++) {
		make_site(&scene.sites[i], site_names[i]);
		scene.nodes[i] = (struct operation_node){
			.name = node_names[i],
			.site = site_names[i],
			.self = i == 1,
			.reached = true,
			.dns = OPERATION_YES,
			.levels[0] = { .known = true, .level_ppm = r.level_ppm },
		};
	}
	scene.f = (struct operation_facts){
		.self = "nb",
		.clock = OPERATION_YES,
		.nodes = scene.nodes,
		.n_nodes = SCENE_NODES,
		.sites = scene.sites,
		.n_sites = SCENE_NODES,
		.others = &scene.other,
		.document = OPERATION_DOCUMENT_FINE,
		.unconfirmed = OPERATION_NO,
		.key_fingerprint = 7,
		.max_sites_out = scene_value(1),
		.ttl_s = scene_value(SCENE_TTL_S),
		.window_flows = scene_value(0),
		.window_answers = scene_value(0),
	};
}

void scene_begin(enum operation_kind kind, uint32_t goal_ppm)
{
	begin_over(kind, goal_ppm, NULL, 0);
}

void scene_begin_over(uint32_t level_ppm, uint32_t ahead_ppm)
{
	begin_over(OPERATION_DRAIN, 0, &level_ppm, ahead_ppm);
}

static void obey_writes(void)
{
	const struct operation_write *write = &scene.op.write;

	for (uint32_t i = 0; i < SCENE_NODES && scene.obey && write->epoch; i++) {
		struct operation_level *level = &scene.nodes[i].levels[0];

		if (scene.now_ms >= write->from_ms && scene.nodes[i].reached)
			*level = (struct operation_level){ level->known, write->epoch, write->step,
				                           false, write->to_ppm };
	}
}

void scene_tick(uint32_t n)
{
	while (n--) {
		scene.now_ms += 1000;
		scene.f.elapsed_ms = 1000;
		obey_writes();
		operation_next(&scene.op, &scene.f, scene.now_ms, &scene.act);
	}
}

bool scene_until_state(enum operation_state state, uint32_t most)
{
	for (uint32_t i = 0; i < most && scene.op.state != state; i++)
		scene_tick(1);
	return scene.op.state == state;
}

/* Until the step to a level runs and is in force. */
bool scene_until_level(uint32_t level_ppm)
{
	for (uint32_t i = 0; i < 200 && scene.op.level_ppm != level_ppm; i++)
		scene_tick(1);
	return scene.op.level_ppm == level_ppm;
}

bool scene_is_held_by(const char *code)
{
	return scene.op.state == OPERATION_HELD && !strcmp(scene.op.hold.code, code) &&
	       *scene.op.hold.detail;
}
