/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At most one promise at a time, in memory only. The table above reserve_request() is the whole
 * decision.
 */
#include "mgmt/store/reserve.h"

#include <stdio.h>
#include <string.h>

const char *reserve_holder(const struct reservation *r, uint64_t now_ms)
{
	return *r->node && now_ms - r->since_ms < RESERVE_KEPT_MS ? r->node : NULL;
}

/*
 *   our head                          reserved for another   outcome
 *   the parent, or behind it          no                     granted
 *   the parent, or behind it          yes                    taken
 *   overridden by name                no                     granted
 *   a successor, or unrelated         any                    stale
 */
enum reserve_outcome reserve_request(struct reservation *r, const char *node, uint64_t number,
                                     enum intent_relation relation, bool named, uint64_t now_ms)
{
	const char *holder = reserve_holder(r, now_ms);

	if (relation != INTENT_AGREED && relation != INTENT_AHEAD && !named)
		return RESERVE_STALE;
	if (holder && strcmp(holder, node) != 0)
		return RESERVE_HELD;
	snprintf(r->node, sizeof(r->node), "%s", node);
	r->number = number;
	r->since_ms = now_ms;
	return RESERVE_GRANTED;
}

void reserve_release(struct reservation *r, const char *node)
{
	if (!strcmp(r->node, node))
		r->node[0] = '\0';
}

void reserve_follow(struct reservation *r, const struct version *head)
{
	if (head && *r->node && head->number >= r->number)
		r->node[0] = '\0';
}

bool reserve_is_fresh(uint64_t requested_ms, uint64_t now_ms)
{
	return now_ms - requested_ms < RESERVE_FRESH_MS;
}
