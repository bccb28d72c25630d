/* SPDX-License-Identifier: BSD-2-Clause */
#include "bpf_answers.h"

BPF_ANSWERS(ANSWER_DEFINE)
