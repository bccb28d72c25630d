/* SPDX-License-Identifier: BSD-2-Clause */
#include "dpdk_answers.h"

DPDK_ANSWERS(ANSWER_DEFINE)
ANSWER_DEFINE_VOID(rte_ring_free, (struct rte_ring * ring), (ring))
