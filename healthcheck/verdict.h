/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target's verdict as one word, and the rule by which results change it. Pure functions; any
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

#endif
