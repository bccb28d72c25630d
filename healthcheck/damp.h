/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flap damping, after RFC 2439. Each turn to down adds 1 to a penalty, which halves every
 * half-life. When the penalty reaches `turns`, the target is held down until the penalty has fallen
 * to half of that. The penalty is capped, so a hold ends at most `max_ms` after the last turn. Turns
 * while held count. Pure functions over times that are passed in; any thread.
 */
#ifndef HEALTHCHECK_DAMP_H
#define HEALTHCHECK_DAMP_H

#include <stdbool.h>
#include <stdint.h>

struct damp_rule {
	uint32_t turns;                /**< the penalty from which a target is held; 0: never */
	uint32_t half_life_ms, max_ms; /**< max_ms at least half_life_ms */
};

/** Zeroed at the start. */
struct damp {
	double penalty; /**< as of at_ms */
	uint64_t at_ms;
	bool held;
};

/** The target has turned to down. */
void damp_turn(struct damp *d, const struct damp_rule *rule, uint64_t now_ms);

/** Let time pass, and the target go if its time is over. @return whether it is held */
bool damp_pass(struct damp *d, const struct damp_rule *rule, uint64_t now_ms);

/** How long it will be held yet, should it not turn again; 0: it is not held. */
uint64_t damp_left_ms(const struct damp *d, const struct damp_rule *rule, uint64_t now_ms);

/** What stood at @p penalty, held or not, @p age_ms before @p now_ms. */
struct damp damp_restore(double penalty, bool held, uint64_t age_ms, const struct damp_rule *rule,
                         uint64_t now_ms);

#endif
