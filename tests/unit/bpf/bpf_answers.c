/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/bpf/bpf_answers.h"

BPF_ANSWERS(ANSWER_DEFINE)
