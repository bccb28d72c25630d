/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket that counts what is missing of a full burst (used_milli), so zeroed is full. Time gives tokens back at this
 * node's share of the pace.
 */
#include "mgmt/overrides/member_pace.h"

#include <stdbool.h>

#define SECOND_MS 1000u

static void begin_second(struct member_pace_writer *w, uint64_t now_ms)
{
	w->n_before = now_ms - w->second_ms < 2 * SECOND_MS ? w->n : 0;
	w->n = 0;
	w->second_ms = now_ms;
}

/* The row of the node, or the one that was heard longest ago; of an unused one the time is 0. */
void member_pace_hear(struct member_pace *p, uint64_t node, size_t n, uint64_t now_ms)
{
	struct member_pace_writer *at = &p->writers[0];

	for (size_t i = 0; i < MEMBER_PACE_NODES; i++) {
		struct member_pace_writer *w = &p->writers[i];

		if (w->node == node) {
			at = w;
			break;
		}
		if (w->at_ms < at->at_ms)
			at = w;
	}
	if (at->node != node)
		*at = (struct member_pace_writer){ .node = node, .second_ms = now_ms };
	if (now_ms - at->second_ms >= SECOND_MS)
		begin_second(at, now_ms);
	at->n += (uint32_t)n;
	at->at_ms = now_ms;
}

static uint32_t rate_of(const struct member_pace_writer *w, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - w->second_ms;

	if (age_ms >= 2 * SECOND_MS)
		return 0;
	return age_ms < SECOND_MS && w->n_before > w->n ? w->n_before : w->n;
}

static bool is_heard(const struct member_pace_writer *w, uint64_t now_ms)
{
	return w->node && now_ms - w->at_ms < MEMBER_PACE_HEARD_MS;
}

/* This node is one of those that write, and that take what others leave: it asks because it is about to. */
static uint32_t share_of(const struct member_pace *p, uint64_t now_ms)
{
	uint32_t n = 1, left = 0, takers = 1;

	for (size_t i = 0; i < MEMBER_PACE_NODES; i++)
		n += is_heard(&p->writers[i], now_ms);
	uint32_t equal = MEMBER_PACE_PER_S / n;
	uint32_t spare = equal / 4 < MEMBER_PACE_SPARE ? equal / 4 : MEMBER_PACE_SPARE;

	for (size_t i = 0; i < MEMBER_PACE_NODES; i++) {
		if (!is_heard(&p->writers[i], now_ms))
			continue;
		uint32_t kept = rate_of(&p->writers[i], now_ms) + spare;

		if (kept < equal)
			left += equal - kept;
		else
			takers++;
	}
	return equal + left / takers;
}

/* Milliseconds times records a second are thousandths of a record. */
static void refill_tokens(struct member_pace *p, uint64_t now_ms)
{
	uint64_t back = (now_ms - p->at_ms) * share_of(p, now_ms);

	p->used_milli = back < p->used_milli ? p->used_milli - back : 0;
	p->at_ms = now_ms;
}

size_t member_pace_allows(struct member_pace *p, uint64_t now_ms)
{
	refill_tokens(p, now_ms);
	uint64_t most = (uint64_t)MEMBER_PACE_BURST * 1000;

	return p->used_milli < most ? (size_t)((most - p->used_milli) / 1000) : 0;
}

void member_pace_spend(struct member_pace *p, size_t n, uint64_t now_ms)
{
	refill_tokens(p, now_ms);
	p->used_milli += (uint64_t)n * 1000;
}

uint64_t member_pace_wait_ms(struct member_pace *p, size_t before, size_t n, uint64_t now_ms)
{
	size_t free = member_pace_allows(p, now_ms), all = before + n;

	return all <= free ? 0 : (uint64_t)(all - free) * 1000 / share_of(p, now_ms);
}
