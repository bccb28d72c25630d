/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what a fellow tells of slots (dataplane/tables/compiler_handover.c): refused whole, or taken so
 * that each slot is somebody's, and names backends of the tables alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct stage stage;

static void start_tables(void)
{
	stage_init(&stage);
	stage.first.pools[0].agent = true;
	apply_world(&stage, &stage.first);
}

static void check_slot(uint32_t s)
{
	uint16_t hot = stage.node.t.slots[s / 32].slot[s % 32];
	uint64_t earlier = stage.node.t.colds[s].list.earlier;
	uint16_t owner = hot & FWD_SLOT_BACKEND;

	if (owner == 0 || owner >= stage.node.sizes.backends)
		abort();
	for (uint32_t i = 0; hot & FWD_SLOT_UNSETTLED && i < OWNER_LIST_MAX; i++)
		if (owner_list_at(earlier, i) >= stage.node.sizes.backends)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n + 1);

	if (!text)
		return 0;
	memcpy(text, bytes, n);
	text[n] = '\0';
	if (!stage.node.plan)
		start_tables();
	(void)compiler_handover_read(&stage.node, text, &stage.time);
	for (uint32_t s = 0; s < stage.node.pools[0].n_slots; s++)
		check_slot(s);
	free(text);
	return 0;
}
