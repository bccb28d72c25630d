/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All guards in the order of their list.
 */
#include "mgmt/operations/guards.h"

#include <string.h>

#include "mgmt/operations/guard_internal.h"

/* By its word a person may override a guard, unless another command is meant for it. */
static const struct guard_row {
	const char *word;
	bool is_optional;
	guard_function *judge;
} guards[OPERATION_GUARD_COUNT] = {
	[OPERATION_GUARD_LAST_SITE] = { "last-site", true, guard_last_site },
	[OPERATION_GUARD_MAX_SITES_OUT] = { "max-sites-out", true, guard_max_sites_out },
	[OPERATION_GUARD_ROOM] = { "room", true, guard_room },
	[OPERATION_GUARD_RECEIVERS] = { "receivers", true, guard_receivers },
	[OPERATION_GUARD_FRESH] = { "fresh", true, guard_fresh },
	[OPERATION_GUARD_UNCONFIRMED] = { "unconfirmed", true, guard_unconfirmed },
	[OPERATION_GUARD_MAJORITY] = { "majority", false, guard_majority }, /* --without NODE */
	[OPERATION_GUARD_BACKUP] = { "backup", true, guard_backup },
	[OPERATION_GUARD_NO_DNS] = { "no-dns", true, guard_no_dns },
	[OPERATION_GUARD_CLOCK] = { "clock", false, guard_clock },
	/* judged where a step ends, with the time that it has for that (share.c) */
	[OPERATION_GUARD_SHARE] = { "share", true, NULL },
	[OPERATION_GUARD_OTHER] = { "operation", false, guard_other }, /* end that one */
};

const char *operation_guard_text(enum operation_guard guard)
{
	return guards[guard].word;
}

bool operation_guard_is_optional(enum operation_guard guard)
{
	return guards[guard].is_optional;
}

int operation_guard_find(const char *text)
{
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		if (!strcmp(guards[i].word, text))
			return i;
	return -1;
}

void operation_judge(const struct operation *op, const struct operation_facts *facts,
                     enum operation_moment moment, struct operation_verdict *out)
{
	const struct guard_question q = { op, facts, moment };

	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		out[i] = (struct operation_verdict){
			.guard = (enum operation_guard)i,
			.ok = true,
			.detail = "not checked",
			.overridden = op->overridden[i] && guards[i].is_optional,
		};
		if (guards[i].judge)
			guards[i].judge(&q, &out[i]);
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
