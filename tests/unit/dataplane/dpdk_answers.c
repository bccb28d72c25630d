/* SPDX-License-Identifier: BSD-2-Clause */
#include "dpdk_answers.h"

DPDK_ANSWERS(ANSWER_DEFINE)
