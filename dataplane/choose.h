/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which driver a node's ports are to have: as its document says, or the best that the host can run.
 */
#ifndef WEIR_DATAPLANE_CHOOSE_H
#define WEIR_DATAPLANE_CHOOSE_H

#include "weir/driver.h"
#include "weir/model.h"

/**
 * Choose the driver of @p node.
 * @param sysfs  NIC_SYSFS, or a test's
 * @param why    out: the reason, in a sentence
 * @return NULL: the one that is asked for is not in this build, as @p why says
 */
const struct driver_ops *choose_driver(const struct model_node *node, const char *sysfs,
                                       struct driver_why *why);

#endif
