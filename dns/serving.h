/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the threads answer from: a generation with a copy of its state, never changed once it is
 * published.
 *
 * The main thread makes a new one when anything has changed and publishes it with one store; it
 * never waits for a thread. A thread announces what it reads for the length of a batch (a hazard
 * pointer: Michael, IEEE TPDS 15(6), 2004). What was replaced is freed once no thread reads it.
 *
 * Implemented in serving.c. serving_enter() and serving_leave() are for the worker threads, all
 * others for the main thread.
 */
#ifndef WEIR_DNS_SERVING_H
#define WEIR_DNS_SERVING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

struct counters_services;
struct generation;
struct steering_state;
struct served;
struct server;
struct dns_worker;

struct serving {
	/** Do not read its `state`: the main thread writes it. */
	const struct generation *generation;
	const struct steering_state *state;
	const struct counters_services *counters;
	struct served *of;     /**< main thread only */
	struct serving *older; /**< main thread only: the list of replaced ones */
};

/** Put @p loaded in force instead of s->now. Takes it on success. @return 0 or -ENOMEM */
int serving_install(struct server *s, struct generation *loaded) MUST_CHECK NONNULL();
/**
 * Publish the state of s->now if it differs from the published one; free what no thread reads any
 * more.
 */
void serving_publish(struct server *s) NONNULL();
/** Free all; no thread runs any more. */
void serving_close(struct server *s) NONNULL();

/**
 * From now to serving_leave(), w->serving is what this thread answers from. @return whether there
 * is anything
 */
bool serving_enter(struct dns_worker *w) MUST_CHECK NONNULL();
void serving_leave(struct dns_worker *w) NONNULL();

#endif
