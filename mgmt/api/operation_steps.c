/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/operation_steps.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/store/override.h"

_Static_assert((int)OPERATION_ANNOUNCE_NORMAL == MODEL_VIPS_ANNOUNCED &&
                       (int)OPERATION_ANNOUNCE_SHUTDOWN == MODEL_VIPS_SHUTDOWN &&
                       (int)OPERATION_ANNOUNCE_WITHDRAWN == MODEL_VIPS_WITHDRAWN,
               "what an operation announces is what an override says");

void operation_step_override(const struct operation *op, const struct operation_write *write,
                             const struct operation_target *target, struct override *out)
{
	*out = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .generation = op->stamp,
		                  .epoch = write->epoch,
		                  .step = write->step,
		                  .created_ms = op->created_ms,
		                  .from_ms = write->from_ms,
		                  .over_ms = write->over_ms,
		                  .until_ms = write->ended ? write->from_ms : MODEL_TIME_NEVER,
		                  .from_ppm = write->from_ppm,
		                  .ended = write->ended,
		                  .is_step = true,
		                  .to_ppm = write->to_ppm,
		                  .own_vips = (enum model_vips)write->own,
		                  .shared_vips = (enum model_vips)write->shared,
		                  .late_from_ms = write->late_from_ms };
	snprintf(out->id, sizeof(out->id), "%s", target->override_id);
	snprintf(out->name, sizeof(out->name), "%s", target->site);
	snprintf(out->service, sizeof(out->service), "%s", op->service);
	snprintf(out->operation, sizeof(out->operation), "%s", op->id);
	snprintf(out->author, sizeof(out->author), "%s", op->author);
	snprintf(out->reason, sizeof(out->reason), "%s", op->reason);
	snprintf(out->principal, sizeof(out->principal), "%s", op->principal);
	snprintf(out->node, sizeof(out->node), "%s", op->owner);
}

/*
 * Whether there is nothing to do: all targets have the write, or a later one. Where an override of an operation that is over
 * is not there any more, a person has ended it since, and it does not come back.
 */
static bool has_write(const struct core *core, const struct operation *op,
                      const struct override list[])
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct override *o =
		        overrides_find(intent_overrides(core->intent), list[i].id);

		if (o ? override_compare(o, &list[i]) < 0 : !operation_is_over(op))
			return false;
	}
	return true;
}

/* Whether @p o is a person's command at a target that was given since the operation began. */
static bool overrules_operation(const struct override *o, const struct operation *op)
{
	return o->target == MODEL_TARGET_SITE && o->kind != MODEL_OVERRIDE_DRILL && !o->epoch &&
	       o->generation > op->stamp && operation_targets_site(op, o->name);
}

/* The operation ends once its owner hears of that. */
static bool is_overruled(const struct core *core, const struct operation *op)
{
	const struct overrides *all = intent_overrides(core->intent);

	for (size_t i = 0; i < all->n_items; i++)
		if (overrules_operation(&all->items[i], op))
			return true;
	return false;
}

void operation_steps_make(struct core *core, const struct operation *op)
{
	const struct operation_write *write = &op->write;
	struct override list[OPERATION_TARGETS_MAX];

	/* one that ended before its first step has none; a person's command is the last word */
	if (!write->epoch || !strcmp(op->hold.code, "command") || is_overruled(core, op))
		return;
	for (uint32_t i = 0; i < op->n_targets; i++) {
		operation_step_override(op, write, &op->targets[i], &list[i]);
		if (!override_ok(&list[i])) {
			log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id,
			          "the record makes no override");
			return;
		}
	}
	if (has_write(core, op, list))
		return;
	int n = intent_merge(core->intent, list, op->n_targets, clock_believed_ms());

	if (n < 0)
		log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id, strerror(-n));
	if (n <= 0)
		return;
	log_note("operation-step", "id=%s epoch=%u step=%u from_ppm=%u to_ppm=%u", op->id,
	         write->epoch, write->step, write->from_ppm, write->to_ppm);
	core_changed(core);
}
