/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table for each struct: writing and reading go through the same rows, so they cannot differ. A
 * value that is not known is left out; where a row is missing, the field stays zero, and
 * operation_ok() decides whether that is a record.
 */
#include "mgmt/operations/record_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum field_kind {
	FIELD_TEXT,
	FIELD_BOOL,
	FIELD_U32,
	FIELD_U64,
	FIELD_I64,
	FIELD_VALUE,
	FIELD_WORD
};

struct record_field {
	const char *name;
	enum field_kind kind;
	size_t offset, size; /* size: of a text's room */
	const char *(*word)(int value);
	int (*find)(const char *word);
};

#define TEXT(type, name)                                                                           \
	{                                                                                          \
#name, FIELD_TEXT, offsetof(type, name), sizeof(((type *)0)->name), NULL, NULL     \
	}
#define ONE(type, name, kind)                                                                      \
	{                                                                                          \
#name, kind, offsetof(type, name), 0, NULL, NULL                                   \
	}
#define WORD(type, name, word, find)                                                               \
	{                                                                                          \
#name, FIELD_WORD, offsetof(type, name), 0, word, find                             \
	}

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

static const char *way_word(int value)
{
	return value == OPERATION_OUT ? "out" : "back";
}

static int find_way(const char *word)
{
	return !strcmp(word, "out") ? OPERATION_OUT : !strcmp(word, "back") ? OPERATION_BACK : -1;
}

static const struct record_field op_fields[] = {
	TEXT(struct operation, id),
	WORD(struct operation, kind, kind_word, operation_kind_find),
	TEXT(struct operation, service),
	TEXT(struct operation, author),
	TEXT(struct operation, principal),
	TEXT(struct operation, reason),
	ONE(struct operation, created_ms, FIELD_I64),
	ONE(struct operation, until_ms, FIELD_I64),
	ONE(struct operation, over_ms, FIELD_I64),
	ONE(struct operation, now, FIELD_BOOL),
	ONE(struct operation, withdraw, FIELD_BOOL),
	ONE(struct operation, goal_ppm, FIELD_U32),
	ONE(struct operation, began_ppm, FIELD_U32),
	TEXT(struct operation, command_node),
	TEXT(struct operation, owner),
	ONE(struct operation, epoch, FIELD_U32),
	ONE(struct operation, writes, FIELD_U32),
	ONE(struct operation, seq, FIELD_U64),
	WORD(struct operation, state, state_word, operation_state_find),
	WORD(struct operation, stage, stage_word, operation_stage_find),
	WORD(struct operation, way, way_word, find_way),
	ONE(struct operation, plan_from_ppm, FIELD_U32),
	ONE(struct operation, step, FIELD_U32),
	ONE(struct operation, step_runs, FIELD_BOOL),
	ONE(struct operation, level_ppm, FIELD_U32),
	ONE(struct operation, met_ppm, FIELD_U32),
	ONE(struct operation, key_fingerprint, FIELD_U64),
	ONE(struct operation, expiry_announced, FIELD_BOOL),
	ONE(struct operation, expired, FIELD_BOOL),
	ONE(struct operation, reads_levels, FIELD_BOOL),
	ONE(struct operation, late_from_ms, FIELD_I64),
	TEXT(struct operation, waits),
	ONE(struct operation, steps_lost, FIELD_U32),
	ONE(struct operation, holds, FIELD_U32),
	ONE(struct operation, failures_lost, FIELD_U32),
	ONE(struct operation, began_ms, FIELD_I64),
	ONE(struct operation, full_ms, FIELD_I64),
	ONE(struct operation, drained_ms, FIELD_I64),
	ONE(struct operation, ended_ms, FIELD_I64),
};

static const struct record_field target_fields[] = {
	TEXT(struct operation_target, site),
	TEXT(struct operation_target, override_id),
	ONE(struct operation_target, baseline, FIELD_VALUE),
};

static const struct record_field write_fields[] = {
	ONE(struct operation_write, epoch, FIELD_U32),
	ONE(struct operation_write, step, FIELD_U32),
	ONE(struct operation_write, from_ms, FIELD_I64),
	ONE(struct operation_write, over_ms, FIELD_I64),
	ONE(struct operation_write, from_ppm, FIELD_U32),
	ONE(struct operation_write, to_ppm, FIELD_U32),
	ONE(struct operation_write, late_from_ms, FIELD_I64),
	ONE(struct operation_write, ended, FIELD_BOOL),
};

static const struct record_field load_fields[] = {
	TEXT(struct operation_load, site),
	ONE(struct operation_load, flows, FIELD_VALUE),
	ONE(struct operation_load, bits, FIELD_VALUE),
	ONE(struct operation_load, capacity_flows, FIELD_VALUE),
	ONE(struct operation_load, capacity_bits, FIELD_VALUE),
	ONE(struct operation_load, expected_flows, FIELD_VALUE),
};

static const struct record_field step_fields[] = {
	ONE(struct operation_step, from_ppm, FIELD_U32),
	ONE(struct operation_step, to_ppm, FIELD_U32),
	ONE(struct operation_step, write_step, FIELD_U32),
	WORD(struct operation_step, state, state_word, operation_state_find),
	ONE(struct operation_step, begun_ms, FIELD_I64),
	ONE(struct operation_step, in_force_ms, FIELD_I64),
	ONE(struct operation_step, ended_ms, FIELD_I64),
	ONE(struct operation_step, ttl_s, FIELD_VALUE),
	ONE(struct operation_step, share_ppm, FIELD_VALUE),
	ONE(struct operation_step, expected_ppm, FIELD_VALUE),
	ONE(struct operation_step, least_ppm, FIELD_VALUE),
	ONE(struct operation_step, most_ppm, FIELD_VALUE),
	ONE(struct operation_step, judged, FIELD_BOOL),
	TEXT(struct operation_step, not_judged),
};

static const struct record_field hold_fields[] = {
	TEXT(struct operation_hold, code),
	TEXT(struct operation_hold, detail),
	ONE(struct operation_hold, since_ms, FIELD_I64),
	WORD(struct operation_hold, from, state_word, operation_state_find),
};

static const struct record_field late_fields[] = {
	TEXT(struct operation_late, prefix),
	ONE(struct operation_late, flows, FIELD_VALUE),
};

static const struct record_field failure_fields[] = {
	TEXT(struct operation_failure, code),
	TEXT(struct operation_failure, detail),
	ONE(struct operation_failure, at_ms, FIELD_I64),
	ONE(struct operation_failure, until_ms, FIELD_I64),
	ONE(struct operation_failure, overridden, FIELD_BOOL),
};

static const struct record_field signs_fields[] = {
	TEXT(struct operation_signs, site),
	ONE(struct operation_signs, repeats, FIELD_VALUE),
	ONE(struct operation_signs, drops, FIELD_VALUE),
};

#define ROWS(fields) (fields), sizeof(fields) / sizeof((fields)[0])

/* --- writing --- */

static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("?"); /* bytes that are no UTF-8 */
}

static json_t *field_json(const struct record_field *f, const char *at)
{
	const struct operation_value *v = (const void *)at;
	int word = 0;

	switch (f->kind) {
	case FIELD_TEXT:
		return text_json(at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)(const void *)at);
	case FIELD_U32:
		return json_integer(*(const uint32_t *)(const void *)at);
	case FIELD_U64:
	case FIELD_I64:
		return json_integer(*(const json_int_t *)(const void *)at);
	case FIELD_VALUE:
		return v->known ? json_integer((json_int_t)v->value) : NULL;
	default:
		memcpy(&word, at, sizeof(word));
		return json_string(f->word(word));
	}
}

static json_t *rows_json(const struct record_field *fields, size_t n, const void *from)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *value = field_json(&fields[i], (const char *)from + fields[i].offset);

		if (value)
			json_object_set_new(o, fields[i].name, value);
	}
	return o;
}

static json_t *list_json(const struct record_field *fields, size_t n_fields, const void *from,
                         size_t n, size_t size)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		                      rows_json(fields, n_fields, (const char *)from + i * size));
	return list;
}

static json_t *names_json(const char names[][MODEL_NAME_MAX], size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, text_json(names[i]));
	return list;
}

static json_t *step_json(const struct operation_step *s)
{
	json_t *o = rows_json(ROWS(step_fields), s), *margins = json_object();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		if (s->margins[g] != INT64_MAX)
			json_object_set_new(margins, operation_guard_text((enum operation_guard)g),
			                    json_integer(s->margins[g]));
	json_object_set_new(o, "margins", margins);
	json_object_set_new(
	        o, "loads",
	        list_json(ROWS(load_fields), s->loads, s->n_loads, sizeof(s->loads[0])));
	return o;
}

static json_t *guards_json(const struct operation *op)
{
	json_t *list = json_array();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		if (op->overridden[g])
			json_array_append_new(
			        list, json_string(operation_guard_text((enum operation_guard)g)));
	return list;
}

static json_t *steps_json(const struct operation *op)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < op->n_steps; i++)
		json_array_append_new(list, step_json(&op->steps[i]));
	return list;
}

json_t *operation_to_json(const struct operation *op)
{
	json_t *o = rows_json(ROWS(op_fields), op), *plan = json_array();

	for (uint32_t i = 0; i < op->n_plan; i++)
		json_array_append_new(plan, json_integer(op->plan_ppm[i]));
	json_object_set_new(o, "plan_ppm", plan);
	json_object_set_new(o, "overridden", guards_json(op));
	json_object_set_new(o, "without", names_json(op->without, op->n_without));
	json_object_set_new(o, "nodes", names_json(op->nodes, op->n_nodes));
	json_object_set_new(o, "write", rows_json(ROWS(write_fields), &op->write));
	json_object_set_new(o, "hold", rows_json(ROWS(hold_fields), &op->hold));
	json_object_set_new(
	        o, "targets",
	        list_json(ROWS(target_fields), op->targets, op->n_targets, sizeof(op->targets[0])));
	json_object_set_new(o, "steps", steps_json(op));
	json_object_set_new(
	        o, "before",
	        list_json(ROWS(load_fields), op->before, op->n_before, sizeof(op->before[0])));
	json_object_set_new(
	        o, "after",
	        list_json(ROWS(load_fields), op->after, op->n_after, sizeof(op->after[0])));
	json_object_set_new(
	        o, "signs",
	        list_json(ROWS(signs_fields), op->signs, op->n_signs, sizeof(op->signs[0])));
	json_object_set_new(
	        o, "late", list_json(ROWS(late_fields), op->late, op->n_late, sizeof(op->late[0])));
	json_object_set_new(o, "was_late",
	                    list_json(ROWS(late_fields), op->was_late, op->n_was_late,
	                              sizeof(op->was_late[0])));
	json_object_set_new(o, "failures",
	                    list_json(ROWS(failure_fields), op->failures, op->n_failures,
	                              sizeof(op->failures[0])));
	return o;
}

/* --- reading --- */

static bool read_text(const json_t *value, char *out, size_t size)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n >= size || strlen(text) != n)
		return false;
	memcpy(out, text, n + 1);
	return true;
}

static bool read_number(const struct record_field *f, const json_t *value, char *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || (f->kind != FIELD_I64 && f->kind != FIELD_U64 && n < 0) ||
	    (f->kind == FIELD_U32 && n > UINT32_MAX))
		return false;
	if (f->kind == FIELD_U32)
		*(uint32_t *)(void *)out = (uint32_t)n;
	else if (f->kind == FIELD_VALUE)
		*(struct operation_value *)(void *)out =
		        (struct operation_value){ .known = true, .value = (uint64_t)n };
	else
		*(json_int_t *)(void *)out = n;
	return true;
}

static bool read_word(const struct record_field *f, const json_t *value, char *out)
{
	const char *text = json_string_value(value);
	int word = text ? f->find(text) : -1;

	if (word < 0)
		return false;
	memcpy(out, &word, sizeof(word));
	return true;
}

static bool read_field(const struct record_field *f, const json_t *value, char *out)
{
	if (!value)
		return true;
	if (f->kind == FIELD_TEXT)
		return read_text(value, out, f->size);
	if (f->kind == FIELD_WORD)
		return read_word(f, value, out);
	if (f->kind != FIELD_BOOL)
		return read_number(f, value, out);
	*(bool *)(void *)out = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_rows(const struct record_field *fields, size_t n, const json_t *from, void *out)
{
	if (!json_is_object(from))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!read_field(&fields[i], json_object_get(from, fields[i].name),
		                (char *)out + fields[i].offset))
			return false;
	return true;
}

/* A list of at most @p max structs of @p size; one that is missing is empty. */
static bool read_list(const struct record_field *fields, size_t n_fields, const json_t *list,
                      void *out, size_t size, size_t max, uint32_t *n)
{
	if (list && (!json_is_array(list) || json_array_size(list) > max))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_rows(fields, n_fields, json_array_get(list, i), (char *)out + i * size))
			return false;
	*n = (uint32_t)json_array_size(list);
	return true;
}

static bool read_names(const json_t *list, char names[][MODEL_NAME_MAX], size_t max, uint32_t *n)
{
	if (list && (!json_is_array(list) || json_array_size(list) > max))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_text(json_array_get(list, i), names[i], MODEL_NAME_MAX))
			return false;
	*n = (uint32_t)json_array_size(list);
	return true;
}

static bool read_margins(const json_t *margins, int64_t out[OPERATION_GUARD_COUNT])
{
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		const json_t *value =
		        json_object_get(margins, operation_guard_text((enum operation_guard)g));

		out[g] = value ? json_integer_value(value) : INT64_MAX;
		if (value && !json_is_integer(value))
			return false;
	}
	return true;
}

static bool read_steps(const json_t *list, struct operation *op)
{
	if (list && (!json_is_array(list) || json_array_size(list) > OPERATION_HISTORY_MAX))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		struct operation_step *s = &op->steps[i];

		if (!read_rows(ROWS(step_fields), one, s) ||
		    !read_margins(json_object_get(one, "margins"), s->margins) ||
		    !read_list(ROWS(load_fields), json_object_get(one, "loads"), s->loads,
		               sizeof(s->loads[0]), OPERATION_SITES_MAX, &s->n_loads))
			return false;
	}
	op->n_steps = (uint32_t)json_array_size(list);
	return true;
}

static bool read_plan(const json_t *list, struct operation *op)
{
	if (list && (!json_is_array(list) || json_array_size(list) > OPERATION_PLAN_MAX))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    json_integer_value(value) > (json_int_t)OPERATION_PPM)
			return false;
		op->plan_ppm[i] = (uint32_t)json_integer_value(value);
	}
	op->n_plan = (uint32_t)json_array_size(list);
	return true;
}

/* Names of guards that this release does not know are left out: they judge nothing here. */
static bool read_guards(const json_t *list, struct operation *op)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		int guard = text ? operation_guard_find(text) : -1;

		if (!text)
			return false;
		if (guard >= 0)
			op->overridden[guard] = true;
	}
	return !list || json_is_array(list);
}

static bool read_all(const json_t *json, struct operation *op)
{
	return read_rows(ROWS(op_fields), json, op) &&
	       read_plan(json_object_get(json, "plan_ppm"), op) &&
	       read_guards(json_object_get(json, "overridden"), op) &&
	       read_names(json_object_get(json, "without"), op->without, OPERATION_NODES_MAX,
	                  &op->n_without) &&
	       read_names(json_object_get(json, "nodes"), op->nodes, OPERATION_NODES_MAX,
	                  &op->n_nodes) &&
	       read_rows(ROWS(write_fields), json_object_get(json, "write"), &op->write) &&
	       read_rows(ROWS(hold_fields), json_object_get(json, "hold"), &op->hold) &&
	       read_list(ROWS(target_fields), json_object_get(json, "targets"), op->targets,
	                 sizeof(op->targets[0]), OPERATION_TARGETS_MAX, &op->n_targets) &&
	       read_steps(json_object_get(json, "steps"), op) &&
	       read_list(ROWS(load_fields), json_object_get(json, "before"), op->before,
	                 sizeof(op->before[0]), OPERATION_SITES_MAX, &op->n_before) &&
	       read_list(ROWS(load_fields), json_object_get(json, "after"), op->after,
	                 sizeof(op->after[0]), OPERATION_SITES_MAX, &op->n_after) &&
	       read_list(ROWS(signs_fields), json_object_get(json, "signs"), op->signs,
	                 sizeof(op->signs[0]), OPERATION_SITES_MAX, &op->n_signs) &&
	       read_list(ROWS(late_fields), json_object_get(json, "late"), op->late,
	                 sizeof(op->late[0]), OPERATION_LATE_MAX, &op->n_late) &&
	       read_list(ROWS(late_fields), json_object_get(json, "was_late"), op->was_late,
	                 sizeof(op->was_late[0]), OPERATION_LATE_MAX, &op->n_was_late) &&
	       read_list(ROWS(failure_fields), json_object_get(json, "failures"), op->failures,
	                 sizeof(op->failures[0]), OPERATION_FAILURES_MAX, &op->n_failures);
}

int operation_from_json(const json_t *json, struct operation *out)
{
	struct operation *op = calloc(1, sizeof(*op));
	int err = op ? -EINVAL : -ENOMEM;

	if (op && read_all(json, op) && operation_ok(op)) {
		*out = *op;
		err = 0;
	}
	free(op);
	return err;
}
