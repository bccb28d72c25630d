/* SPDX-License-Identifier: BSD-2-Clause */
/* A build without libdpdk: there is no DPDK driver to choose. */
#include "dataplane/drivers.h"

const struct driver_ops *const drivers_dpdk = NULL;
