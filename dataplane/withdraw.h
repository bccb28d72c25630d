/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Routes that draw packets to a node that does not forward them. weir-announce adds and deletes
 * Weir's routes; the dataplane deletes them itself where weir-announce may not run, or may not be
 * in time:
 *
 * - A driver with workers forwards nothing after the process ends. So it withdraws at a regular
 *   stop, and forwards on for WITHDRAW_MS, until the routers have seen it.
 * - After a process that was killed, such a driver withdraws at its start, before it compiles
 *   tables and opens devices. At least WITHDRAW_MS later it attaches its ports.
 * - A document without a routing daemon withdraws, with every driver: weir-announce is not started
 *   for it.
 * - `weir-dataplane --detach` withdraws before it removes the programs.
 *
 * An XDP program forwards while the process does not run, so its routes stay in all other cases.
 *
 * Implemented in withdraw.c; the loop's thread calls this.
 */
#ifndef WEIR_DATAPLANE_WITHDRAW_H
#define WEIR_DATAPLANE_WITHDRAW_H

#include <stdbool.h>

#include "base/checked.h"

struct driver_ops;
struct model;
struct model_node;
struct process;

/**
 * From deleting the routes until the last router sends elsewhere, ms: 1,000 prefixes need half of
 * it.
 */
#define WITHDRAW_MS 1000u

/**
 * Delete Weir's routes from both tables of @p self, whether or not it names a routing daemon. A
 * failure is logged.
 * @param self  NULL: not known; then from the tables that a node has by default
 * @return whether there were any: the routers need time
 */
bool withdraw_routes(const struct model_node *self);

/**
 * As compiled_source.on_model: the first document names the driver. @param process  struct process
 */
void withdraw_before_compiling(void *process, const struct model *m) NONNULL();
/**
 * Delete the routes of @p self if @p next, which is not in force yet, has workers: they forward
 * nothing before their first port. withdraw_wait() waits for the routers.
 */
void withdraw_before_workers(struct process *p, const struct driver_ops *next,
                             const struct model_node *self) NONNULL();
/** Wait for the rest of WITHDRAW_MS. @param yield  called with @p p every 20 ms */
void withdraw_wait(struct process *p, void (*yield)(void *process)) NONNULL();
/**
 * A document is in force: without a routing daemon delete the routes, also from the tables of the
 * document before.
 */
void withdraw_without_daemon(const struct process *p) NONNULL();
/**
 * A loop_cb for SIGTERM: with workers withdraw, say so on the proof page, and end the loop
 * WITHDRAW_MS later. Called again, or without routes, or with another driver: end it now.
 */
void withdraw_and_stop(void *process) NONNULL();

#endif
