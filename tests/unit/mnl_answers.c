/* SPDX-License-Identifier: BSD-2-Clause */
#include "mnl_answers.h"

MNL_ANSWERS(ANSWER_DEFINE)
