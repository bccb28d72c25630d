/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/tell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/core.h"

#define CHANGES_SHOWN 1000u

json_t *tell_time(int64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_ms <= 0 || wall_ms == MODEL_WALL_NEVER)
		return json_null();
	return json_string(clock_text(wall_ms, text));
}

json_t *tell_text(const char *text)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	char *copy = strdup(text);
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = json_string(copy ? copy : "");
	free(copy);
	return value;
}

void tell_version_etag(const struct version *v, char out[HTTP_TEXT_MAX])
{
	snprintf(out, HTTP_TEXT_MAX, "\"v%" PRIu64 "-%.16s\"", v->number, v->digest);
}

void tell_override_etag(const struct override *o, char out[HTTP_TEXT_MAX])
{
	snprintf(out, HTTP_TEXT_MAX, "\"o%" PRIu64 "\"", o->generation);
}

json_t *tell_version(const struct version *v, const struct version *head)
{
	bool is_head = head && head->number == v->number;
	const char *state = !is_head ? "superseded" : v->confirm_by_ms ? "unconfirmed" : "in_force";
	json_t *supersedes = json_array();
	char etag[HTTP_TEXT_MAX];

	tell_version_etag(v, etag);
	etag[strlen(etag) - 1] = '\0'; /* in JSON without its quotes */
	for (size_t i = 0; i < v->n_supersedes; i++)
		json_array_append_new(supersedes, json_string(v->supersedes[i]));
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "number",
	                 (json_int_t)v->number, "etag", etag + 1, "digest", v->digest, "parent",
	                 v->parent, "author", tell_text(v->author), "reason", tell_text(v->reason),
	                 "node", v->node, "time", tell_time(v->time_ms), "effective",
	                 tell_time(v->effective_ms), "supersedes", supersedes, "confirm_by",
	                 is_head ? tell_time(v->confirm_by_ms) : json_null(), "state", state);
}

json_t *tell_files(const struct files *files)
{
	json_t *list = json_array();

	for (size_t i = 0; files && i < files->n_items; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:I}", "name", files->items[i].name,
		                                "digest", files->items[i].digest, "bytes",
		                                (json_int_t)files->items[i].n_bytes));
	return list;
}

json_t *tell_contents(const struct files *files)
{
	json_t *object = json_object();

	for (size_t i = 0; files && i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];
		json_t *text = json_stringn(item->bytes, item->n_bytes);

		if (!text) {
			char *encoded = core_base64_text(item->bytes, item->n_bytes);

			text = json_pack("{s:s}", "base64", encoded ? encoded : "");
			free(encoded);
		}
		json_object_set_new(object, item->name, text);
	}
	return object;
}

static int read_encoded(const char *name, const char *encoded, struct files *out)
{
	size_t max = strlen(encoded) / 4 * 3;
	char *bytes = malloc(max + 1);
	ssize_t n = bytes ? core_base64(encoded, bytes, max) : -1;
	int rc = n >= 0 ? files_add(out, name, bytes, (size_t)n) : -EINVAL;

	free(bytes);
	return rc;
}

int tell_read_contents(const json_t *object, struct files *out, char why[HTTP_TEXT_MAX])
{
	struct files files = { 0 };
	const char *name;
	json_t *value;
	int rc = 0;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const char *encoded = json_string_value(json_object_get(value, "base64"));

		if (json_is_string(value))
			rc = files_add(&files, name, json_string_value(value),
			               json_string_length(value));
		else
			rc = encoded && json_object_size(value) == 1
			             ? read_encoded(name, encoded, &files)
			             : -EINVAL;
		if (rc)
			break;
	}
	if (rc == -E2BIG)
		snprintf(why, HTTP_TEXT_MAX, "more than %u files, or %zu bytes in all", FILES_MAX,
		         FILES_BYTES_MAX);
	else if (rc)
		snprintf(why, HTTP_TEXT_MAX,
		         "\"%.100s\" is not a name, or not a text or {\"base64\": TEXT}", name);
	else if (!files_find(&files, FILES_MAIN)) {
		snprintf(why, HTTP_TEXT_MAX, "there must be a file %s", FILES_MAIN);
		rc = -EINVAL;
	}
	if (rc) {
		files_fini(&files);
		return rc;
	}
	*out = files;
	return 0;
}

static json_t *tell_target(const struct override *o)
{
	return o->target == MODEL_TARGET_SITE
	               ? json_pack("{s:s}", "site", o->name)
	               : json_pack("{s:s, s:s}", "pool", o->pool, "backend", o->name);
}

static int64_t later(int64_t at_ms, int64_t more_ms)
{
	return at_ms >= MODEL_WALL_NEVER - more_ms ? MODEL_WALL_NEVER : at_ms + more_ms;
}

json_t *tell_override(const struct overrides *set, const struct override *o, int64_t now_ms)
{
	char etag[HTTP_TEXT_MAX];

	tell_override_etag(o, etag);
	etag[strlen(etag) - 1] = '\0';
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, "
	        "s:s}",
	        "id", o->id, "etag", etag + 1, "do", override_kind_text(o->kind), "target",
	        tell_target(o), "generation", (json_int_t)o->generation, "state",
	        overrides_state(set, o, now_ms), "level_ppm",
	        (json_int_t)overrides_level(set, o, now_ms), "created", tell_time(o->created_ms),
	        "from", tell_time(o->from_ms), "full", tell_time(later(o->from_ms, o->over_ms)),
	        "until", tell_time(o->until_ms), "returned", tell_time(override_done_ms(o)),
	        "over_ms", (json_int_t)o->over_ms, "author", tell_text(o->author), "reason",
	        tell_text(o->reason), "node", o->node);
}

json_t *tell_plan(const struct plan *plan)
{
	json_t *changes = json_array(), *pools = json_array(), *risks = json_array();

	for (size_t i = 0; i < plan->n_changes && i < CHANGES_SHOWN; i++) {
		const struct plan_change *c = &plan->changes[i];

		json_array_append_new(changes,
		                      json_pack("{s:s, s:s, s:o, s:o}", "path", c->path, "kind",
		                                plan_kind_text(c->kind), "from", tell_text(c->from),
		                                "to", tell_text(c->to)));
	}
	for (size_t i = 0; i < plan->n_pools; i++)
		json_array_append_new(
		        pools, json_pack("{s:s, s:I, s:I, s:I}", "pool", plan->pools[i].pool,
		                         "backends_before", (json_int_t)plan->pools[i].n_before,
		                         "backends_after", (json_int_t)plan->pools[i].n_after,
		                         "moved_ppm", (json_int_t)plan->pools[i].moved_ppm));
	for (size_t i = 0; i < plan->n_risks; i++)
		json_array_append_new(risks, tell_text(plan->risks[i]));
	return json_pack("{s:b, s:o, s:o, s:I, s:o}", "risky", plan->n_risks > 0, "risks", risks,
	                 "changes", changes, "n_changes", (json_int_t)plan->n_changes, "pools",
	                 pools);
}

json_t *tell_mistakes(const struct model_mistakes *mistakes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < mistakes->n_items; i++) {
		const struct model_mistake *m = &mistakes->items[i];

		json_array_append_new(list,
		                      json_pack("{s:o, s:i, s:o, s:o}", "file", tell_text(m->file),
		                                "line", (int)m->line, "field", tell_text(m->field),
		                                "message", tell_text(m->message)));
	}
	return list;
}

json_t *tell_guards(const struct guard_result *guards)
{
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_verdicts; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "guard",
		                                      guards->verdicts[i].guard, "ok",
		                                      guards->verdicts[i].ok, "detail",
		                                      guards->verdicts[i].detail));
	return list;
}

static json_t *number_or_null(bool known, uint64_t n)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

json_t *tell_receivers(const struct guard_result *guards, bool sites)
{
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_receivers; i++) {
		const struct guard_receiver *r = &guards->receivers[i];
		json_t *one = json_pack("{s:s, s:I, s:I}", sites ? "site" : "backend", r->name,
		                        "weight_ppm_before", (json_int_t)r->before_ppm,
		                        "weight_ppm_after", (json_int_t)r->after_ppm);

		if (sites) {
			bool known = r->known && r->capacity_bits;

			json_object_set_new(one, "bits_per_s",
			                    number_or_null(r->known, r->before_bits));
			json_object_set_new(one, "bits_per_s_after",
			                    number_or_null(r->known, r->after_bits));
			json_object_set_new(one, "capacity_bits_per_s",
			                    number_or_null(r->capacity_bits, r->capacity_bits));
			json_object_set_new(one, "load_ppm_after",
			                    number_or_null(known, known ? r->after_bits * 1000000 /
			                                                          r->capacity_bits
			                                                : 0));
		}
		json_array_append_new(list, one);
	}
	return list;
}

json_t *tell_event(const struct event *e)
{
	return json_pack("{s:I, s:o, s:s, s:o, s:o, s:s}", "id", (json_int_t)e->id, "time",
	                 tell_time(e->time_ms), "kind", e->kind, "subject", tell_text(e->subject),
	                 "message", tell_text(e->message), "node", e->node);
}
