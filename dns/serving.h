/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the threads answer from: a generation with a copy of its state, never changed once it is published.
 *
 * The main thread makes a new one when anything has changed and publishes it with one store; it never
 * waits for a thread. A thread announces what it reads for the length of a batch (a hazard pointer:
 * Michael, IEEE TPDS 15(6), 2004), and what is replaced is freed once no thread reads it. Implemented
 * in serving.c.
 */
#ifndef WEIR_DNS_SERVING_H
#define WEIR_DNS_SERVING_H

#include <stdbool.h>
#include <stddef.h>

struct counters_words;
struct generation;
struct place_state;
struct served;
struct server;
struct worker;

struct serving {
	const struct generation
	        *generation; /**< its `state` is the main thread's: not to be read */
	const struct place_state *state;
	const struct counters_words *words;
	struct served *of; /**< the main thread's, as the next */
	struct serving *older;
};

/** Put @p made (taken) in force in the place of s->now. Main thread. @return 0, or -ENOMEM: it is not taken */
int serving_take(struct server *s, struct generation *made);
/** Publish the state of s->now if it differs from what is served; free what no thread reads any more. Main thread. */
void serving_publish(struct server *s);
/** Free all; no thread runs any more. */
void serving_close(struct server *s);

/** From now to serving_leave(), w->serving is what this thread answers from. @return whether there is anything */
bool serving_enter(struct worker *w);
void serving_leave(struct worker *w);

#endif
