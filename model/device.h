/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices and CPUs that DPDK is to use, as text: PCI addresses, virtual devices, lists of CPUs.
 * Pure: nothing here needs DPDK or looks at the machine. Implemented in model/device.c; any thread.
 */
#ifndef WEIR_MODEL_DEVICE_H
#define WEIR_MODEL_DEVICE_H

#include <stdbool.h>

#include "base/checked.h"
#include "weir/model.h"

#define DEVICE_REASON_MAX 256 /* bytes of a message */

/**
 * Check the text of @p port's device. @return 0, or -EINVAL with @p reason: what was found and
 * expected
 */
MUST_CHECK int device_check(const struct model_port *port, char reason[DEVICE_REASON_MAX]);
/** Whether both name one device, whatever their arguments. */
bool device_same(const char *a, const char *b);
/** Read "2-5,8" into @p out; "" is none. @return 0 or -EINVAL, @p out untouched */
MUST_CHECK int device_read_cores(const char *text, struct model_dpdk *out);

#endif
