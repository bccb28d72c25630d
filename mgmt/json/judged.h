/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A judgement (mgmt/judge/judge.h) as JSON, the same from weir-mgmt and from `weir status` without it. Values are given.
 *
 * Implemented in mgmt/json/judged.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_JSON_JUDGED_H
#define WEIR_MGMT_JSON_JUDGED_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/judge/judge.h"

/** The texts of the reasons, and how many were left out. */
MUST_CHECK json_t *judged_texts_json(const struct judge_verdict *v);
/** Reasons or notes: [{code, subject, state, text, since}]. @param dated  with since */
MUST_CHECK json_t *judged_reasons_json(const struct judge_reason *reasons, size_t n, bool dated);

#endif
