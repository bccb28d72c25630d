/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers.h"

struct driver_ops suite_dpdk;
const struct driver_ops *const drivers_dpdk = &suite_dpdk;
