/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Routes that a dead process of a driver in user space has left. They draw packets to a node that
 * forwards none until its ports are attached and its workers are proved. Usually weir-announce has
 * deleted them when the process died; this is for a node where it does not run. Implemented in
 * withdraw.c; the loop's thread calls this.
 */
#ifndef WEIR_DATAPLANE_WITHDRAW_H
#define WEIR_DATAPLANE_WITHDRAW_H

#include "base/checked.h"

struct model_node;

/**
 * Delete Weir's routes from both tables of @p self, which a routing daemon announces; nothing
 * without a daemon. weir-announce adds them again after the next proof. A failure is logged.
 */
void withdraw_left_routes(const struct model_node *self) NONNULL(1);

#endif
