/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target's verdict as one word, the rule by which results change it, and the damping of its turns. Pure functions; any
 * thread. The public word of the health page (weir/health.h) is made from this one.
 */
#ifndef HEALTHCHECK_VERDICT_H
#define HEALTHCHECK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/health.h"

/** bits 0-1: enum health_state; bits 8-23: results against that state in a row. */
typedef uint32_t verdict_word;

enum verdict_vote { VERDICT_OK, VERDICT_FAIL, VERDICT_INCONCLUSIVE };

/** How many results in a row turn a verdict; both at least 1. */
struct verdict_rule {
	uint16_t rise, fall;
};

/** The word of @p state with nothing against it. */
verdict_word verdict_of(enum health_state state);
enum health_state verdict_state(verdict_word w);
/** Whether the last result was against the state. */
bool verdict_in_doubt(verdict_word w);

/** The word after one more vote. */
verdict_word verdict_feed(verdict_word w, enum verdict_vote vote, const struct verdict_rule *rule);

/** Whether a VERDICT_FAIL now would turn the verdict to down. */
bool verdict_would_fall(verdict_word w, const struct verdict_rule *rule);

/**
 * What a result says at the most: OK and FAIL of a probe that was sent and judged in time, else
 * nothing. A probe that could not be sent says nothing about its target.
 */
enum verdict_vote verdict_of_result(enum health_reason reason, bool late);

/**
 * Whether a failure is an answer in itself: something came back from the target's side, so the
 * network between was there. Silence proves as much only while control targets answer.
 */
bool verdict_is_answer(enum health_reason reason);

/*
 * Flap damping, after RFC 2439. Each turn to down adds 1 to a penalty, which halves every
 * half-life. When the penalty reaches `turns`, the target is held down until the penalty has fallen
 * to half of that. The penalty is capped, so a hold ends at most `max_ms` after the last turn. Turns
 * while held count. Times are passed in.
 */
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
