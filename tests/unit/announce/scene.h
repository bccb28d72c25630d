/* SPDX-License-Identifier: BSD-2-Clause */
/* A node that announces one address, for the tests of the decision. */
#ifndef TESTS_UNIT_ANNOUNCE_SCENE_H
#define TESTS_UNIT_ANNOUNCE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "announce/decide.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define START_MS    1000000u                         /* ms since boot at which each state starts */
#define SETTLED_MS  (START_MS + ANNOUNCE_PROMISE_MS) /* the promise of the start is over */
#define INCARNATION 77u

/* All is proved, another node announces the address as well, and no person demands anything. */
static inline struct announce_facts all_proved(void)
{
	struct announce_facts f = { .configured = true,
		                    .exported = ANNOUNCE_YES,
		                    .others = ANNOUNCE_YES,
		                    .emptied = ANNOUNCE_NO,
		                    .read_ms = UINT64_MAX }; /* now, whenever that is */

	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		f.truth[i] = ANNOUNCE_YES;
	return f;
}

static inline struct announce_facts all_but(enum announce_fact fact, enum announce_truth truth)
{
	struct announce_facts f = all_proved();

	f.truth[fact] = truth;
	return f;
}

static inline struct announce_state start_state(enum announce_table found)
{
	struct announce_state s;

	announce_init(&s, found, INCARNATION, START_MS);
	return s;
}

/* This node has asked at @p sent_ms, and another one has confirmed. */
static inline bool confirm_question(struct announce_state *s, uint64_t sent_ms, uint64_t now_ms)
{
	const struct announce_question q = { "self", INCARNATION, sent_ms };

	s->queried_ms[ANNOUNCE_QUERIES - 1] = sent_ms;
	return announce_note_confirmed(s, "other", &q, now_ms);
}

static inline void expect_decision(const struct announce_decision *d, enum announce_table table,
                                   enum announce_reason reason)
{
	assert_string_equal(announce_reason_label(d->reason), announce_reason_label(reason));
	assert_int_equal(d->table, table);
}

#endif
