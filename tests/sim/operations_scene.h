/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scene: three sites a, b, c with one node each, all well, and an operation that drains a, owned by
 * the node of b. A scene changes what it is about. Nodes have each write in force one tick later,
 * unless the scene says otherwise. operations_scene.c.
 */
#ifndef TESTS_SIM_OPERATIONS_SCENE_H
#define TESTS_SIM_OPERATIONS_SCENE_H

#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine.h"
#include "mgmt/operations/plan.h"

#define SCENE_NODES 3u
#define SCENE_TTL_S 5u
#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("FAULT %s, line %d: %s (%s: %s, %s)\n", __func__, __LINE__, #what,  \
			       operation_state_text(scene.op.state), scene.op.hold.code,           \
			       scene.op.waits);                                                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

struct scene {
	struct operation op;
	struct operation_facts f;
	struct operation_node nodes[SCENE_NODES];
	struct operation_site sites[SCENE_NODES];
	struct operation_other other;
	struct operation_act act;
	int64_t now_ms;
	bool obey; /* nodes have writes in force */
	char error[OPERATION_DETAIL_MAX];
};

extern struct scene scene;
extern const struct operation_person scene_person;
/* The same, who names all nodes but the owner absent. */
extern const struct operation_person scene_alone;

struct operation_value scene_value(uint64_t value);
void scene_begin(enum operation_kind kind, uint32_t goal_ppm);
/* A drain that goes on from an override that is at a level, and may bring nodes up to another. */
void scene_begin_over(uint32_t level_ppm, uint32_t ahead_ppm);
/* Go on for @p n seconds. */
void scene_tick(uint32_t n);
bool scene_until_state(enum operation_state state, uint32_t most);
/* Until the step to a level is in force. */
bool scene_until_level(uint32_t level_ppm);
bool scene_is_held_by(const char *code);

#endif
