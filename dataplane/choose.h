/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which driver a node's ports get: the one that its document names, or the best one that the host
 * can run. Implemented in choose.c; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_CHOOSE_H
#define WEIR_DATAPLANE_CHOOSE_H

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/model.h"

/**
 * Choose the driver of @p node.
 * @param sysfs   NIC_SYSFS, or a test's
 * @param reason  out: the reason, in one sentence
 * @return NULL: the configured driver is not in this build; @p reason says so
 */
const struct driver_ops *choose_driver(const struct model_node *node, const char *sysfs,
                                       struct driver_reason *reason) MUST_CHECK;

/**
 * The NUMA node of @p node's NICs: of the first one for which @p sysfs names one. @return -1: none
 */
int choose_numa_node(const struct model_node *node, const char *sysfs) MUST_CHECK;

#endif
