/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON values are built here and given to the caller. weir-mgmt and `weir ... --offline` share
 * this code, so that a command gives the same answer from both.
 */
#include "mgmt/tell/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

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

void tell_override_etag(const struct override *o, char out[TELL_ETAG_MAX])
{
	snprintf(out, TELL_ETAG_MAX, "\"o%" PRIu64 "\"", o->generation);
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
	char etag[TELL_ETAG_MAX];

	tell_override_etag(o, etag);
	etag[strlen(etag) - 1] = '\0';
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, "
	        "s:s, s:s}",
	        "id", o->id, "etag", etag + 1, "do", override_kind_text(o->kind), "target",
	        tell_target(o), "generation", (json_int_t)o->generation, "state",
	        overrides_state(set, o, now_ms), "level_ppm",
	        (json_int_t)overrides_level(set, o, now_ms), "created", tell_time(o->created_ms),
	        "from", tell_time(o->from_ms), "full", tell_time(later(o->from_ms, o->over_ms)),
	        "until", tell_time(o->until_ms), "returned",
	        tell_time(o->ended ? o->until_ms : override_done_ms(o)), "over_ms",
	        (json_int_t)o->over_ms, "author", tell_text(o->author), "reason",
	        tell_text(o->reason), "node", o->node, "principal", o->principal);
}

json_t *tell_guards(const struct guard_result *guards)
{
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_verdicts; i++) {
		const struct guard_verdict *v = &guards->verdicts[i];

		json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s}", "guard", v->guard,
		                                      "ok", v->ok, "state",
		                                      v->unknown ? "unknown"
		                                      : v->ok    ? "ok"
		                                                 : "refused",
		                                      "detail", v->detail));
	}
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

json_t *tell_command(const struct intent *in, const struct command *c,
                     const struct command_result *result, const char *note, int64_t now_ms)
{
	bool sites = result->override.target == MODEL_TARGET_SITE;
	json_t *notes = json_array();

	if (*intent_store_why(in))
		json_array_append_new(
		        notes,
		        json_string("the store fails: the change is in memory and in the "
		                    "effective document, and is stored when the store works"));
	if (*intent_write_why(in))
		json_array_append_new(notes,
		                      json_string("the effective document cannot be written"));
	if (result->n_others)
		json_array_append_new(notes,
		                      json_string("other overrides of this target were ended too"));
	if (result->note[0])
		json_array_append_new(notes, json_string(result->note));
	if (note)
		json_array_append_new(notes, json_string(note));
	json_t *answer =
	        json_pack("{s:o, s:o, s:o, s:s, s:o}", "override",
	                  tell_override(intent_overrides(in), &result->override, now_ms),
	                  "receivers", tell_receivers(&result->guards, sites), "guards",
	                  tell_guards(&result->guards), "undo", result->undo, "notes", notes);
	if (c->dry_run)
		json_object_set_new(answer, "dry_run", json_true());
	return answer;
}

json_t *tell_node(const char *node, const char *write_why, bool in_force, json_t *behind)
{
	json_t *state = json_pack("{s:s, s:s, s:o}", "node", node, "state",
	                          *write_why ? "not_written"
	                          : in_force ? "in_force"
	                                     : "written",
	                          "processes", behind);

	if (*write_why)
		json_object_set_new(state, "detail", json_string(write_why));
	return state;
}

void tell_nodes(json_t *answer, uint64_t document, bool complete, json_t *nodes)
{
	json_object_set_new(answer, "document", json_integer((json_int_t)document));
	json_object_set_new(answer, "complete", json_boolean(complete));
	json_object_set_new(answer, "nodes", nodes);
}

json_t *tell_nothing_to_end(const struct command *c, const struct command_result *r)
{
	return json_pack("{s:n, s:b, s:b, s:[s]}", "override", "changed", 0, "dry_run", c->dry_run,
	                 "notes", r->text);
}
