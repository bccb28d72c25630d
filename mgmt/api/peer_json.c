/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What peers exchange: whole records, times as integers, so that they come back the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/api/to_json.h"

/*
 * What a step has, as an object of its own: a former release does not read it, so it is sent only
 * what it understands (handle_peer.c).
 */
static json_t *step_to_json(const struct override *o)
{
	return json_pack("{s:I, s:I, s:s, s:s, s:i, s:i}", "to_ppm", (json_int_t)o->to_ppm,
	                 "late_from_ms", (json_int_t)o->late_from_ms, "service", o->service,
	                 "operation", o->operation, "own_vips", (int)o->own_vips, "shared_vips",
	                 (int)o->shared_vips);
}

json_t *override_to_peer_json(const struct override *o)
{
	char clients[ADDR_LONG_TEXT_MAX];
	json_t *object = json_pack(
	        "{s:s, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:s, s:s}",
	        "id", o->id, "kind", (int)o->kind, "target", (int)o->target, "pool", o->pool,
	        "name", o->name, "generation", (json_int_t)o->generation, "created_ms",
	        (json_int_t)o->created_ms, "from_ms", (json_int_t)o->from_ms, "over_ms",
	        (json_int_t)o->over_ms, "until_ms", (json_int_t)o->until_ms, "from_ppm",
	        (json_int_t)o->from_ppm, "ended", o->ended, "author", text_to_json(o->author),
	        "reason", text_to_json(o->reason), "node", o->node, "principal", o->principal);

	if (o->is_step)
		json_object_set_new(object, "step", step_to_json(o));
	if (o->kind == MODEL_OVERRIDE_DRILL)
		json_object_set_new(object, "drill",
		                    json_pack("{s:s, s:s}", "clients",
		                              prefix_text(&o->clients, clients), "service",
		                              o->service));
	return object;
}

static bool copy_field(const json_t *object, const char *name, char *out, size_t size)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n >= size || strlen(text) != n)
		return false;
	memcpy(out, text, n + 1);
	return true;
}

/*
 * Copy the authenticated principal: "" if a peer of a former release sends none, or if it is not
 * plain text.
 */
static void copy_principal(const json_t *object, char out[PRINCIPAL_MAX])
{
	if (!copy_field(object, "principal", out, PRINCIPAL_MAX))
		out[0] = '\0';
	for (const char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			out[0] = '\0';
}

/* Read what a step has beyond other overrides. @return false when it is malformed */
static bool read_step(const json_t *step, struct override *o)
{
	json_int_t to, late, own, shared;

	if (!step)
		return true;
	if (json_unpack((json_t *)(uintptr_t)step, "{s:I, s:I, s:I, s:I}", "to_ppm", &to,
	                "late_from_ms", &late, "own_vips", &own, "shared_vips", &shared) ||
	    own < 0 || own > MODEL_VIPS_WITHDRAWN || shared < 0 || shared > MODEL_VIPS_WITHDRAWN ||
	    !copy_field(step, "service", o->service, sizeof(o->service)) ||
	    !copy_field(step, "operation", o->operation, sizeof(o->operation)) || to < 0 ||
	    to > 1000000)
		return false;
	o->is_step = true;
	o->to_ppm = (uint32_t)to;
	o->late_from_ms = late;
	o->own_vips = (enum model_vips)own;
	o->shared_vips = (enum model_vips)shared;
	return true;
}

/* Likewise of a drill. */
static bool read_drill(const json_t *drill, struct override *o)
{
	char clients[ADDR_LONG_TEXT_MAX];

	if (o->kind != MODEL_OVERRIDE_DRILL)
		return !drill;
	return copy_field(drill, "clients", clients, sizeof(clients)) &&
	       copy_field(drill, "service", o->service, sizeof(o->service)) &&
	       !prefix_parse(clients, &o->clients);
}

int override_from_peer_json(const json_t *object, struct override *out)
{
	struct override o = { 0 };
	json_int_t kind, target, generation, created, from, over, until, ppm;
	int ended;

	if (json_unpack((json_t *)(uintptr_t)object,
	                "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "kind", &kind, "target",
	                &target, "generation", &generation, "created_ms", &created, "from_ms",
	                &from, "over_ms", &over, "until_ms", &until, "from_ppm", &ppm, "ended",
	                &ended) ||
	    !copy_field(object, "id", o.id, sizeof(o.id)) ||
	    !copy_field(object, "pool", o.pool, sizeof(o.pool)) ||
	    !copy_field(object, "name", o.name, sizeof(o.name)) ||
	    !copy_field(object, "author", o.author, sizeof(o.author)) ||
	    !copy_field(object, "reason", o.reason, sizeof(o.reason)) ||
	    !copy_field(object, "node", o.node, sizeof(o.node)) || kind < 0 ||
	    kind > MODEL_OVERRIDE_DRILL || target < 0 || target > MODEL_TARGET_NODE || ppm < 0 ||
	    ppm > 1000000 || generation < 1)
		return -EINVAL;
	o.kind = (enum model_override_kind)kind;
	o.target = (enum model_target_kind)target;
	o.generation = (uint64_t)generation;
	o.created_ms = created;
	o.from_ms = from;
	o.over_ms = over;
	o.until_ms = until;
	o.from_ppm = (uint32_t)ppm;
	o.ended = ended;
	copy_principal(object, o.principal);
	if (!read_step(json_object_get(object, "step"), &o) ||
	    !read_drill(json_object_get(object, "drill"), &o) || !override_ok(&o))
		return -EINVAL;
	*out = o;
	return 0;
}

json_t *version_to_peer_json(const struct version *v)
{
	json_t *supersedes = json_array();

	for (size_t i = 0; i < v->n_supersedes; i++)
		json_array_append_new(supersedes, json_string(v->supersedes[i]));
	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:s, s:I, s:I, s:s}",
	                 "number", (json_int_t)v->number, "digest", v->digest, "parent", v->parent,
	                 "author", text_to_json(v->author), "reason", text_to_json(v->reason),
	                 "node", v->node, "time_ms", (json_int_t)v->time_ms, "effective_ms",
	                 (json_int_t)v->effective_ms, "confirm_by_ms", (json_int_t)v->confirm_by_ms,
	                 "supersedes", supersedes, "principal", v->principal, "undoes",
	                 (json_int_t)v->undoes, "confirm_left_ms", (json_int_t)v->confirm_left_ms,
	                 "hash_key", v->hash_key);
}

/* Numbers below this are exact in every JSON reader, and the store has room above it. */
#define NUMBER_END ((json_int_t)1 << 53)

static bool is_time(json_int_t ms)
{
	return ms >= 0 && ms < CLOCK_END_MS;
}

/* A count that the former release does not give: 0 then. */
static int64_t read_count(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (int64_t)value : 0;
}

static bool is_digest_text(const char *text)
{
	return strlen(text) == DIGEST_TEXT_MAX - 1 &&
	       strspn(text, "0123456789abcdef") == DIGEST_TEXT_MAX - 1;
}

static bool read_supersedes(const json_t *list, struct version *v)
{
	if (!json_is_array(list) || json_array_size(list) > VERSION_SUPERSEDES_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !is_digest_text(text))
			return false;
		snprintf(v->supersedes[v->n_supersedes++], DIGEST_TEXT_MAX, "%s", text);
	}
	return true;
}

bool fingerprint_from_json(const json_t *value, char out[MODEL_FINGERPRINT_MAX])
{
	const char *text = json_string_value(value);

	out[0] = '\0';
	if (!text || !*text)
		return true; /* not known, or a peer of the former release */
	if (strlen(text) != MODEL_FINGERPRINT_MAX - 1 ||
	    strspn(text, "0123456789abcdef") != MODEL_FINGERPRINT_MAX - 1)
		return false;
	memcpy(out, text, MODEL_FINGERPRINT_MAX);
	return true;
}

int version_from_peer_json(const json_t *object, struct version *out)
{
	struct version v = { 0 };
	json_int_t number, time, effective, confirm_by;

	if (json_unpack((json_t *)(uintptr_t)object, "{s:I, s:I, s:I, s:I}", "number", &number,
	                "time_ms", &time, "effective_ms", &effective, "confirm_by_ms",
	                &confirm_by) ||
	    !copy_field(object, "digest", v.digest, sizeof(v.digest)) ||
	    !copy_field(object, "parent", v.parent, sizeof(v.parent)) ||
	    !copy_field(object, "author", v.author, sizeof(v.author)) ||
	    !copy_field(object, "reason", v.reason, sizeof(v.reason)) ||
	    !copy_field(object, "node", v.node, sizeof(v.node)) || !is_digest_text(v.digest) ||
	    (*v.parent && !is_digest_text(v.parent)) || number < 1 || number >= NUMBER_END ||
	    !is_time(time) || !is_time(effective) || !is_time(confirm_by) ||
	    !fingerprint_from_json(json_object_get(object, "hash_key"), v.hash_key) ||
	    !read_supersedes(json_object_get(object, "supersedes"), &v))
		return -EINVAL;
	v.number = (uint64_t)number;
	copy_principal(object, v.principal);
	v.time_ms = time;
	v.effective_ms = effective;
	v.confirm_by_ms = confirm_by;
	v.undoes = (uint64_t)read_count(object, "undoes");
	v.confirm_left_ms = read_count(object, "confirm_left_ms");
	if (v.confirm_left_ms > INTENT_CONFIRM_MAX_MS)
		v.confirm_left_ms = INTENT_CONFIRM_MAX_MS;
	plain_make(v.author);
	plain_make(v.reason);
	plain_make(v.node);
	*out = v;
	return 0;
}
