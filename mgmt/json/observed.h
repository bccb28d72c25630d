/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is observed of a node (mgmt/judge/observed.h) and its judgement (mgmt/judge/judge.h) as JSON, from weir-mgmt and
 * from `weir status` and `weir health` without it, which know less. Values are given.
 *
 * Implemented in mgmt/json/observed.c. Any thread, on what is its own.
 */
#ifndef WEIR_MGMT_JSON_OBSERVED_H
#define WEIR_MGMT_JSON_OBSERVED_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/judge/observed.h"
#include "record/fields.h"

/** The texts of the reasons, and how many were left out. */
MUST_CHECK json_t *judged_texts_json(const struct judge_verdict *v);
/** Reasons or notes: [{code, subject, state, text, since}]. @param dated  with since */
MUST_CHECK json_t *judged_reasons_json(const struct judge_reason *reasons, size_t n, bool dated);
/**
 * The processes that are shown: [{process, state, age_ms, document, refused, driver}]. @param processes  [OBSERVE_COUNT]
 * @param whole  by weir-mgmt; else without the last three
 */
MUST_CHECK json_t *observed_processes_json(const struct gather_process *processes, bool whole);
/** One of these, and of observed_targets_json(). */
extern const struct record_kind process_row_kind, target_row_kind, judged_reason_kind;
/** The state of a target: "up", "down", or "unknown" also where the last is old. */
const char *observed_state(const struct observe_pages *pages, uint64_t target);
/** Whether the last result of a target was no vote: its state is that of before. */
bool observed_is_inconclusive(const struct observe_pages *pages, uint64_t target);
/**
 * Whether weir-dns marks @p family ("ipv4") in @p row, a site or what a node sees of it: "unproven" and the like are true, with
 * "unproven_in" where that is so in one family alone.
 */
bool observed_marks_family(const json_t *row, const char *name, const char *family);
/** What was seen of a target. @param whole  by weir-mgmt: with its age */
MUST_CHECK json_t *observed_target_json(const struct observe_pages *pages, uint64_t target,
                                        bool whole);
/**
 * The targets of all checks, those of backends first. @param whole  by weir-mgmt: all, with their ids; else those that this
 * node checks
 */
MUST_CHECK json_t *observed_targets_json(const struct model *m, const struct observe_pages *pages,
                                         bool whole);

#endif
