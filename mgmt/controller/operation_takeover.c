/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lease that has ended is no proof that its node is dead. So what another node does then is what a person's take does: it
 * reads the levels of all nodes, and goes on from there.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operation_order.h"
#include "mgmt/sync/operations.h"

#define UNOWNED_MS                                                                                 \
	1500u /* without an owner before another one takes over: it may be about to come back */
#define AGAIN_MS 1000u

/* Note since when an operation of another node has no owner. @return whether that is long enough, and none was tried just now */
static bool is_abandoned(struct core *core, struct operations_item *item, uint64_t now_ms)
{
	const struct operation *op = &item->op;

	if (operation_is_over(op) || operations_is_own(core, op) || operation_has_owner(core, op)) {
		item->unowned_ms = 0;
		return false;
	}
	if (!item->unowned_ms)
		item->unowned_ms = now_ms;
	return now_ms - item->unowned_ms >= UNOWNED_MS && now_ms >= item->own_again_ms;
}

static bool find_abandoned(struct core *core, char id[MODEL_ID_MAX])
{
	uint64_t now_ms = clock_mono_ms();
	struct operations_item *item;
	bool found = false;

	for (size_t i = 0; core->shared && (item = operations_at(core, i)); i++) {
		if (!is_abandoned(core, item, now_ms) || found)
			continue;
		item->own_again_ms = now_ms + AGAIN_MS;
		memcpy(id, item->op.id, MODEL_ID_MAX);
		found = true;
	}
	return found;
}

void operation_own_abandoned(struct core *core)
{
	const struct operation_order order = { .what = OPERATION_ORDER_OWN,
		                               .person = { .author = "weir",
		                                           .principal = "weir",
		                                           .reason = "the lease of its "
		                                                     "owner has ended" },
		                               .if_unowned = true };
	char id[MODEL_ID_MAX];
	struct operation_outcome out;

	core_lock(core);
	bool any = find_abandoned(core, id);
	core_unlock(core);
	if (!any)
		return;
	operation_order_run_here(core, id, &order, &out);
	if (out.status != 200)
		log_note("operation-not-owned", "id=%s reason=\"%s\"", id, out.text);
	json_decref(out.json);
}
