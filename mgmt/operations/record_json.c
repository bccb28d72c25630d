/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table for each struct of the record. A value that is not known is left out; where a field is missing
 * it stays zero, and operation_ok() decides whether that is a record.
 */
#include "mgmt/operations/record_json.h"

static const char *kind_word(int value)
{
	return operation_kind_text((enum operation_kind)value);
}

static const char *state_word(int value)
{
	return operation_state_text((enum operation_state)value);
}

static const char *stage_word(int value)
{
	return operation_stage_text((enum operation_stage)value);
}

static const char *guard_word(int value)
{
	return rule_rows[value].name;
}

static const char *way_word(int value)
{
	return value == OPERATION_OUT ? "out" : "back";
}

static const char *announce_word(int value)
{
	static const char *const words[] = { "normal", "shutdown", "withdrawn" };

	return words[value];
}

static const struct record_kind target_record = RECORD_OF(
        struct operation_target, "target", NULL, RECORD_TEXT(struct operation_target, site),
        RECORD_TEXT(struct operation_target, override_id),
        RECORD_KNOWN(struct operation_target, baseline));
static const struct field one_target = { .kind = FIELD_RECORD, .of = &target_record };

static const struct record_kind write_record = RECORD_OF(
        struct operation_write, "write", NULL,
        RECORD_VALUE(struct operation_write, epoch, FIELD_U32),
        RECORD_VALUE(struct operation_write, step, FIELD_U32),
        RECORD_VALUE(struct operation_write, from_ms, FIELD_I64),
        RECORD_VALUE(struct operation_write, over_ms, FIELD_I64),
        RECORD_VALUE(struct operation_write, from_ppm, FIELD_U32),
        RECORD_VALUE(struct operation_write, to_ppm, FIELD_U32),
        RECORD_VALUE(struct operation_write, late_from_ms, FIELD_I64),
        RECORD_VALUE(struct operation_write, ended, FIELD_BOOL),
        RECORD_WORD(struct operation_write, own, announce_word, OPERATION_ANNOUNCE_COUNT),
        RECORD_WORD(struct operation_write, shared, announce_word, OPERATION_ANNOUNCE_COUNT));

const struct record_kind operation_load_record = RECORD_OF(
        struct operation_load, "load", NULL,
        RECORD_TEXT(struct operation_load, site, .shown = "site"),
        RECORD_KNOWN(struct operation_load, flows, .shown = "flows_per_s"),
        RECORD_KNOWN(struct operation_load, expected_flows, .shown = "expected_flows_per_s"),
        RECORD_KNOWN(struct operation_load, bits, .shown = "bits_per_s"),
        RECORD_KNOWN(struct operation_load, capacity_flows, .shown = "capacity_flows_per_s"),
        RECORD_KNOWN(struct operation_load, capacity_bits, .shown = "capacity_bits_per_s"));
static const struct field one_load = { .kind = FIELD_RECORD, .of = &operation_load_record };

const struct record_kind operation_step_record = RECORD_OF(
        struct operation_step, "step", NULL,
        RECORD_VALUE(struct operation_step, from_ppm, FIELD_U32, .shown = "from_ppm"),
        RECORD_VALUE(struct operation_step, to_ppm, FIELD_U32, .shown = "level_ppm"),
        RECORD_VALUE(struct operation_step, write_step, FIELD_U32),
        RECORD_WORD(struct operation_step, state, state_word, OPERATION_STATE_COUNT,
                    .shown = "state"),
        RECORD_VALUE(struct operation_step, begun_ms, FIELD_TIME, .shown = "begun"),
        RECORD_VALUE(struct operation_step, in_force_ms, FIELD_TIME, .shown = "in_force"),
        RECORD_VALUE(struct operation_step, ended_ms, FIELD_TIME, .shown = "ended"),
        RECORD_KNOWN(struct operation_step, ttl_s, .shown = "ttl_s"),
        RECORD_KNOWN(struct operation_step, share_ppm, .shown = "share_measured_ppm"),
        RECORD_KNOWN(struct operation_step, expected_ppm, .shown = "share_expected_ppm"),
        RECORD_KNOWN(struct operation_step, least_ppm, .shown = "share_least_ppm"),
        RECORD_KNOWN(struct operation_step, most_ppm, .shown = "share_most_ppm"),
        RECORD_VALUE(struct operation_step, judged, FIELD_BOOL, .shown = "judged"),
        RECORD_TEXT(struct operation_step, not_judged, .shown = "not_judged"),
        RECORD_LIST(struct operation_step, loads, n_loads, &one_load, .shown = "loads"),
        RECORD_BY_WORD(struct operation_step, margins, guard_word, .shown = "margins_percent"));
static const struct field one_step = { .kind = FIELD_RECORD, .of = &operation_step_record };

const struct record_kind operation_hold_record =
        RECORD_OF(struct operation_hold, "hold", NULL,
                  RECORD_TEXT(struct operation_hold, code, .shown = "code"),
                  RECORD_TEXT(struct operation_hold, detail, .shown = "detail"),
                  RECORD_VALUE(struct operation_hold, since_ms, FIELD_TIME, .shown = "since"),
                  RECORD_WORD(struct operation_hold, from, state_word, OPERATION_STATE_COUNT));

const struct record_kind operation_late_record =
        RECORD_OF(struct operation_late, "late", NULL,
                  RECORD_TEXT(struct operation_late, prefix, .shown = "prefix"),
                  RECORD_KNOWN(struct operation_late, flows, .shown = "flows_per_s"));
static const struct field one_late = { .kind = FIELD_RECORD, .of = &operation_late_record };

const struct record_kind operation_failure_record = RECORD_OF(
        struct operation_failure, "failure", NULL,
        RECORD_VALUE(struct operation_failure, at_ms, FIELD_TIME, .shown = "at"),
        RECORD_TEXT(struct operation_failure, code, .shown = "code"),
        RECORD_TEXT(struct operation_failure, detail, .shown = "detail"),
        RECORD_VALUE(struct operation_failure, overridden, FIELD_BOOL, .shown = "overridden"),
        RECORD_VALUE(struct operation_failure, until_ms, FIELD_TIME, .shown = "until"));
static const struct field one_failure = { .kind = FIELD_RECORD, .of = &operation_failure_record };

static const struct record_kind signs_record = RECORD_OF(
        struct operation_signs, "signs", NULL, RECORD_TEXT(struct operation_signs, site),
        RECORD_KNOWN(struct operation_signs, repeats), RECORD_KNOWN(struct operation_signs, drops));
static const struct field one_signs = { .kind = FIELD_RECORD, .of = &signs_record };

static const struct field one_name = { .kind = FIELD_TEXT, .size = MODEL_NAME_MAX };
static const struct field one_key = { .kind = FIELD_HEX };
static const struct field one_level = { .kind = FIELD_U32 };

static bool is_sound(const void *record)
{
	return operation_ok(record);
}

const struct record_kind operation_record = RECORD_OF(
        struct operation, "operation", is_sound, RECORD_TEXT(struct operation, id, .shown = "id"),
        RECORD_WORD(struct operation, kind, kind_word, OPERATION_KIND_COUNT, .shown = "kind"),
        RECORD_WORD(struct operation, state, state_word, OPERATION_STATE_COUNT, .shown = "state"),
        { .shown = "sites", /* the first member of a target */
          .kind = FIELD_LIST,
          .offset = offsetof(struct operation, targets),
          .size = sizeof(struct operation_target),
          .most = OPERATION_TARGETS_MAX,
          .count = offsetof(struct operation, n_targets),
          .element = &one_name },
        RECORD_TEXT(struct operation, service, .shown = "service"),
        RECORD_TEXT(struct operation, author, .shown = "author"),
        RECORD_TEXT(struct operation, principal, .shown = "principal"),
        RECORD_TEXT(struct operation, reason, .shown = "reason"),
        RECORD_TEXT(struct operation, owner, .shown = "owner"),
        RECORD_VALUE(struct operation, epoch, FIELD_U32, .shown = "epoch"),
        RECORD_VALUE(struct operation, seq, FIELD_U64, .shown = "seq"),
        RECORD_VALUE(struct operation, created_ms, FIELD_TIME, .shown = "created"),
        RECORD_VALUE(struct operation, until_ms, FIELD_TIME, .shown = "until"),
        RECORD_VALUE(struct operation, level_ppm, FIELD_U32, .shown = "level_ppm"),
        RECORD_VALUE(struct operation, goal_ppm, FIELD_U32, .shown = "goal_ppm"),
        RECORD_TEXT(struct operation, waits, .shown = "waits"),
        RECORD_VALUE(struct operation, over_ms, FIELD_I64),
        RECORD_VALUE(struct operation, now, FIELD_BOOL),
        RECORD_VALUE(struct operation, withdraw, FIELD_BOOL),
        RECORD_VALUE(struct operation, began_ppm, FIELD_U32),
        RECORD_TEXT(struct operation, command_node),
        RECORD_VALUE(struct operation, stamp, FIELD_U64),
        RECORD_VALUE(struct operation, writes, FIELD_U32),
        RECORD_WORD(struct operation, stage, stage_word, OPERATION_STAGE_COUNT),
        RECORD_WORD(struct operation, way, way_word, OPERATION_BACK + 1),
        RECORD_VALUE(struct operation, plan_from_ppm, FIELD_U32),
        RECORD_VALUE(struct operation, step, FIELD_U32),
        RECORD_VALUE(struct operation, step_runs, FIELD_BOOL),
        RECORD_VALUE(struct operation, met_ppm, FIELD_U32),
        RECORD_VALUE(struct operation, key_fingerprint, FIELD_HEX),
        RECORD_VALUE(struct operation, expiry_announced, FIELD_BOOL),
        RECORD_VALUE(struct operation, expired, FIELD_BOOL),
        RECORD_VALUE(struct operation, reads_levels, FIELD_BOOL),
        RECORD_VALUE(struct operation, late_from_ms, FIELD_I64),
        RECORD_VALUE(struct operation, steps_lost, FIELD_U32),
        RECORD_VALUE(struct operation, holds, FIELD_U32),
        RECORD_VALUE(struct operation, failures_lost, FIELD_U32),
        RECORD_VALUE(struct operation, began_ms, FIELD_I64),
        RECORD_VALUE(struct operation, full_ms, FIELD_I64),
        RECORD_VALUE(struct operation, drained_ms, FIELD_I64),
        RECORD_VALUE(struct operation, ended_ms, FIELD_I64),
        RECORD_LIST(struct operation, plan_ppm, n_plan, &one_level),
        RECORD_SET(struct operation, overridden, guard_word),
        RECORD_LIST(struct operation, without, n_without, &one_name),
        RECORD_LIST(struct operation, took_part, n_took_part, &one_key),
        RECORD_RECORD(struct operation, write, &write_record),
        RECORD_RECORD(struct operation, hold, &operation_hold_record),
        RECORD_LIST(struct operation, targets, n_targets, &one_target),
        RECORD_LIST(struct operation, steps, n_steps, &one_step),
        RECORD_LIST(struct operation, before, n_before, &one_load),
        RECORD_LIST(struct operation, after, n_after, &one_load),
        RECORD_LIST(struct operation, signs, n_signs, &one_signs),
        RECORD_LIST(struct operation, late, n_late, &one_late),
        RECORD_LIST(struct operation, was_late, n_was_late, &one_late),
        RECORD_LIST(struct operation, failures, n_failures, &one_failure));

json_t *operation_to_json(const struct operation *op)
{
	return record_to_json(&operation_record, op);
}

int operation_from_json(const json_t *json, struct operation *out)
{
	return record_from_json(&operation_record, json, out, NULL);
}
