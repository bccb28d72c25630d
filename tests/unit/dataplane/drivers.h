/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process has for DPDK's driver in this program: a suite fills it in. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DRIVERS_H
#define WEIR_TESTS_UNIT_DATAPLANE_DRIVERS_H

#include "dataplane/drivers.h"

extern struct driver_ops suite_dpdk;

#endif
