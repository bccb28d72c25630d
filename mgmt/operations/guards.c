/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All guards in the order of their list.
 */
#include "mgmt/operations/guards.h"

#include "mgmt/operations/guard_internal.h"

/* The share is judged where a step ends, with the time that it has for that (share.c). */
static void guard_share(const struct guard_question *q, struct operation_verdict *v)
{
	(void)q;
	(void)v;
}

void operation_judge(const struct operation *op, const struct operation_facts *facts,
                     enum operation_moment moment, struct operation_verdict *out)
{
	static guard_function *const functions[OPERATION_GUARD_COUNT] = {
		[OPERATION_GUARD_LAST_SITE] = guard_last_site,
		[OPERATION_GUARD_MAX_SITES_OUT] = guard_max_sites_out,
		[OPERATION_GUARD_ROOM] = guard_room,
		[OPERATION_GUARD_RECEIVERS] = guard_receivers,
		[OPERATION_GUARD_FRESH] = guard_fresh,
		[OPERATION_GUARD_UNCONFIRMED] = guard_unconfirmed,
		[OPERATION_GUARD_MAJORITY] = guard_majority,
		[OPERATION_GUARD_BACKUP] = guard_backup,
		[OPERATION_GUARD_NO_DNS] = guard_no_dns,
		[OPERATION_GUARD_CLOCK] = guard_clock,
		[OPERATION_GUARD_SHARE] = guard_share,
		[OPERATION_GUARD_OTHER] = guard_other,
	};
	const struct guard_question q = { op, facts, moment };

	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		out[i] = (struct operation_verdict){
			.guard = (enum operation_guard)i,
			.ok = true,
			.detail = "not checked",
			.overridden = op->overridden[i] &&
			              operation_guard_is_optional((enum operation_guard)i),
		};
		functions[i](&q, &out[i]);
	}
}

const struct operation_verdict *operation_tripped(const struct operation_verdict *verdicts)
{
	const struct operation_verdict *missing = NULL;

	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		if (verdicts[i].ok || verdicts[i].overridden)
			continue;
		if (!verdicts[i].unknown)
			return &verdicts[i];
		if (!missing)
			missing = &verdicts[i];
	}
	return missing;
}
