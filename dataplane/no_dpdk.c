/* SPDX-License-Identifier: BSD-2-Clause */
/* Of a build without libdpdk. */
#include "dataplane/drivers.h"

const struct driver_ops *const drivers_dpdk = NULL;
