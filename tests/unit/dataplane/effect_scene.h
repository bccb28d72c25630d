/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in memory with two small pools, one of them with agents, and room for what is read from them. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_EFFECT_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_EFFECT_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/export/effect_internal.h"

#include "tests/fwd/memory.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW_S    1000u

enum { PLAIN = 77, AGENTS = 88, BACKENDS = 8, PAGE_POOLS = 3, PAGE_ROWS = 7 };

static struct fwd_tables t;
static char dir[64];
static union {
	struct effect_page page;
	char bytes[sizeof(struct effect_page) + PAGE_POOLS * sizeof(struct effect_pool) +
	           PAGE_ROWS * sizeof(struct effect_backend)];
} out;

/* Two pools of 32 slots, the first beginning at slot 32, the second (with agents) at slot 64; all slots nobody's. */
static inline int setup(void **state)
{
	static const struct driver_sizes sizes = { 4, 4, 4, BACKENDS, 96, 4 };

	(void)state;
	memory_new(&t, &sizes, 2);
	layout_root(&t, &sizes);
	t.root->generation = 12;
	t.pools[1] = (struct fwd_pool){ .slot_range = 32 << 8 | 5, .id = PLAIN };
	t.pools[3] = (struct fwd_pool){ .slot_range = 64 << 8 | 5,
		                        .id = AGENTS,
		                        .flags = FWD_POOL_AGENTS };
	memset(&out, 0, sizeof(out));
	out.page.max_pools = PAGE_POOLS;
	out.page.max_backends = PAGE_ROWS;
	strcpy(dir, "/tmp/weir-effect-XXXXXX");
	return !mkdtemp(dir);
}

static inline int teardown(void **state)
{
	char command[96];

	(void)state;
	memory_free(&t);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static inline void use_backend(uint32_t index, uint64_t pool, uint64_t id, uint8_t flags)
{
	t.backends[index] = (struct fwd_backend){ .flags = FWD_BACKEND_USED | flags,
		                                  .pool_id = pool,
		                                  .id = id,
		                                  .inner_mtu = (uint16_t)(1400 + index) };
}

#define EFFECT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
