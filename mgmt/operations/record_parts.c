/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts are cut from the JSON of the whole record, and put together to that again: so there is one table of fields.
 */
#include "mgmt/operations/record_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/record_json.h"
#include "weir/json.h"

/** What was observed, but for steps: the part's name, and the fields of the record that it has. */
static const struct {
	const char *name, *fields[2];
} observed_parts[] = {
	{ "before", { "before", NULL } },     { "after", { "after", NULL } },
	{ "signs", { "signs", NULL } },       { "late", { "late", "was_late" } },
	{ "failures", { "failures", NULL } },
};
#define OBSERVED_PARTS (sizeof(observed_parts) / sizeof(observed_parts[0]))

_Static_assert(1 + OBSERVED_PARTS + OPERATION_HISTORY_MAX == OPERATION_PARTS_MAX,
               "OPERATION_PARTS_MAX counts all parts");

const char *operation_state_name(const char *id, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, OPERATION_STATES_AT "%s", id);
	return out;
}

const char *operation_observed_name(const char *id, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, "observed/%s/", id);
	return out;
}

static void name_step(const char *id, uint64_t number, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, "observed/%s/step/%05llu", id, (unsigned long long)number);
}

const char *operation_lost_name(const struct operation *op, char out[SHARED_NAME_MAX])
{
	if (!op->steps_lost)
		return NULL;
	name_step(op->id, (uint64_t)op->steps_lost - 1, out);
	return out;
}

/* Move fields of @p whole to a part of their own. @return whether there was memory */
static bool cut_fields(json_t *whole, const char *const fields[2], json_t *part)
{
	for (size_t i = 0; i < 2 && fields[i]; i++) {
		json_t *value = json_object_get(whole, fields[i]);

		if (value && json_object_set(part, fields[i], value))
			return false;
		(void)json_object_del(whole, fields[i]);
	}
	return true;
}

void operation_parts_free(struct operation_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_decref(parts[i].json);
}

size_t operation_parts_make(const struct operation *op,
                            struct operation_part out[OPERATION_PARTS_MAX])
{
	json_t *whole = operation_to_json(op);
	json_t *steps = json_incref(json_object_get(whole, "steps"));
	bool complete = whole != NULL;
	size_t n = 0;

	operation_state_name(op->id, out[n].name);
	out[n++].json = whole;
	for (size_t i = 0; complete && i < OBSERVED_PARTS; i++) {
		snprintf(out[n].name, SHARED_NAME_MAX, "observed/%s/%s", op->id,
		         observed_parts[i].name);
		out[n].json = json_object();
		complete = out[n].json && cut_fields(whole, observed_parts[i].fields, out[n].json);
		n++;
	}
	for (size_t i = json_array_size(steps); complete && i-- > 0 && n < OPERATION_PARTS_MAX;) {
		name_step(op->id, (uint64_t)op->steps_lost + i, out[n].name);
		out[n++].json = json_incref(json_array_get(steps, i));
	}
	(void)json_object_del(whole, "steps");
	json_decref(steps);
	if (complete)
		return n;
	operation_parts_free(out, n);
	return 0;
}

static json_t *read_object(const char *text)
{
	json_t *json = json_read(text, strlen(text), JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

json_t *operation_parts_begin(const char *state)
{
	json_t *whole = read_object(state);

	if (whole && !json_object_set_new(whole, "steps", json_array()))
		return whole;
	json_decref(whole);
	return NULL;
}

static int copy_field(const json_t *from, const char *field, json_t *to)
{
	json_t *value = json_object_get(from, field);

	return value ? json_object_set(to, field, value) : 0;
}

static bool is_step(const json_t *part)
{
	return json_object_get(part, "state") !=
	       NULL; /* always written, and no other part has one */
}

int operation_parts_add(json_t *whole, const char *text)
{
	json_t *part = read_object(text);
	int err = part ? 0 : -EBADMSG;

	if (!err && is_step(part))
		err = json_array_append(json_object_get(whole, "steps"), part);
	for (size_t i = 0; !err && i < OBSERVED_PARTS; i++)
		for (size_t k = 0; !err && k < 2 && observed_parts[i].fields[k]; k++)
			err = copy_field(part, observed_parts[i].fields[k], whole);
	json_decref(part);
	return err && err != -EBADMSG ? -ENOMEM : err;
}

int operation_parts_end(json_t *whole, struct operation *out)
{
	int err = whole ? operation_from_json(whole, out) : -EINVAL;

	json_decref(whole);
	return err;
}
