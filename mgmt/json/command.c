/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request becomes a command here, and its result becomes JSON, which is given to the caller.
 * weir-mgmt and `weir ... --offline` share this code, so that both refuse the same requests and
 * give the same answers.
 */
#include "mgmt/json/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "weir/when.h"
#include "weir/json.h"

json_t *time_to_json(int64_t wall_clock_ms)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_clock_ms <= 0 || wall_clock_ms == MODEL_TIME_NEVER)
		return json_null();
	return json_string(clock_text(wall_clock_ms, text));
}

void override_etag(const struct override *o, char out[ETAG_TEXT_MAX])
{
	snprintf(out, ETAG_TEXT_MAX, "\"o%" PRIu64 "\"", o->generation);
}

static json_t *target_to_json(const struct override *o)
{
	const char *kind = override_target_text(o->target);

	if (o->target == MODEL_TARGET_BACKEND)
		return json_pack("{s:s, s:s}", "pool", o->pool, kind, o->name);
	return *o->service ? json_pack("{s:s, s:s}", kind, o->name, "service", o->service)
	                   : json_pack("{s:s}", kind, o->name);
}

static int64_t add_ms_capped(int64_t at_ms, int64_t more_ms)
{
	return at_ms >= MODEL_TIME_NEVER - more_ms ? MODEL_TIME_NEVER : at_ms + more_ms;
}

json_t *override_to_json(const struct overrides *all, const struct override *o, int64_t now_ms)
{
	char etag[ETAG_TEXT_MAX], clients[ADDR_LONG_TEXT_MAX];

	override_etag(o, etag);
	etag[strlen(etag) - 1] = '\0';
	bool is_drill = o->kind == MODEL_OVERRIDE_DRILL;
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, "
	        "s:s, s:s, s:o*, s:s*, s:s*}",
	        "id", o->id, "etag", etag + 1, "do", override_kind_text(o->kind), "target",
	        target_to_json(o), "generation", (json_int_t)o->generation, "state",
	        overrides_state(all, o, now_ms), "level_ppm",
	        (json_int_t)overrides_level_shown(all, o, now_ms), "created",
	        time_to_json(o->created_ms), "from", time_to_json(o->from_ms), "full",
	        time_to_json(add_ms_capped(o->from_ms, o->over_ms)), "until",
	        time_to_json(o->until_ms), "returned",
	        time_to_json(o->ended ? o->until_ms : override_done_ms(o)), "over_ms",
	        (json_int_t)o->over_ms, "author", json_text(o->author), "reason",
	        json_text(o->reason), "node", o->node, "principal", o->principal, "to_ppm",
	        o->is_step ? json_integer(o->to_ppm) : NULL, "operation",
	        *o->operation ? o->operation : NULL, "clients",
	        is_drill ? prefix_text(&o->clients, clients) : NULL);
}

json_t *errors_to_json(const struct model_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->n_items; i++) {
		const struct model_error *m = &errors->items[i];

		json_array_append_new(list,
		                      json_pack("{s:o, s:i, s:o, s:o}", "file", json_text(m->file),
		                                "line", (int)m->line, "field", json_text(m->field),
		                                "message", json_text(m->message)));
	}
	return list;
}

json_t *guards_to_json(const struct guard_result *guards)
{
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_verdicts; i++) {
		const struct guard_verdict *v = &guards->verdicts[i];

		json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s, s:o*}", "guard",
		                                      v->guard, "ok", v->ok, "state",
		                                      v->unknown ? "unknown"
		                                      : v->ok    ? "ok"
		                                                 : "refused",
		                                      "detail", v->detail, "wait_s",
		                                      v->wait_s ? json_integer(v->wait_s) : NULL));
	}
	return list;
}

static json_t *receivers_to_json(const struct guard_result *guards, enum model_target_kind kind)
{
	bool has_load = kind != MODEL_TARGET_BACKEND;
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_receivers; i++) {
		const struct guard_receiver *r = &guards->receivers[i];
		json_t *one = json_pack("{s:s, s:I, s:I}", override_target_text(kind), r->name,
		                        "weight_ppm_before", (json_int_t)r->before_ppm,
		                        "weight_ppm_after", (json_int_t)r->after_ppm);
		bool known = r->known && r->capacity_bits;
		uint64_t load_ppm = known ? (uint64_t)((unsigned __int128)r->after_bits *
		                                       MODEL_PPM_ALL / r->capacity_bits)
		                          : 0;

		if (has_load)
			json_object_update_new(
			        one,
			        json_pack("{s:o, s:o, s:o, s:o}", "bits_per_s",
			                  json_number_or_null(r->known, r->before_bits),
			                  "bits_per_s_after",
			                  json_number_or_null(r->known, r->after_bits),
			                  "capacity_bits_per_s",
			                  json_number_or_null(r->capacity_bits, r->capacity_bits),
			                  "load_ppm_after", json_number_or_null(known, load_ppm)));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *command_to_json(const struct intent *in, const struct command *c,
                        const struct command_result *result, const char *note, int64_t now_ms)
{
	json_t *notes = json_array();

	if (*intent_store_reason(in))
		json_array_append_new(
		        notes,
		        json_string("the change is in force, but the store does not work, so the "
		                    "change is not stored yet: remove the cause that weir status "
		                    "shows; weir-mgmt then stores the change"));
	if (*intent_unwritten_reason(in))
		json_array_append_new(notes,
		                      json_string("the change is not in force on this node, "
		                                  "because the effective document cannot be "
		                                  "written: remove the cause that weir status "
		                                  "shows; weir-mgmt then writes the document"));
	if (result->n_others)
		json_array_append_new(
		        notes,
		        json_string("the other overrides of this target were ended: weir overrides "
		                    "shows those that remain"));
	if (result->note[0])
		json_array_append_new(notes, json_string(result->note));
	if (note)
		json_array_append_new(notes, json_string(note));
	return json_pack("{s:o, s:o, s:o, s:s?, s:o, s:o*}", "override",
	                 override_to_json(intent_overrides(in), &result->override, now_ms),
	                 "receivers", receivers_to_json(&result->guards, result->override.target),
	                 "guards", guards_to_json(&result->guards), "undo",
	                 *result->undo ? result->undo : NULL, "notes", notes, "dry_run",
	                 c->dry_run ? json_true() : NULL);
}

json_t *node_to_json(const char *node, const char *unwritten_reason, bool in_force, json_t *behind)
{
	return json_pack("{s:s, s:s, s:o, s:o*}", "node", node, "state",
	                 *unwritten_reason ? "not_written"
	                 : in_force        ? "in_force"
	                                   : "written",
	                 "processes", behind, "detail",
	                 *unwritten_reason ? json_text(unwritten_reason) : NULL);
}

void nodes_add_json(json_t *answer, uint64_t document, bool complete, json_t *nodes)
{
	json_object_set_new(answer, "document", json_integer((json_int_t)document));
	json_object_set_new(answer, "complete", json_boolean(complete));
	json_object_set_new(answer, "nodes", nodes);
}

json_t *nothing_to_end_to_json(const struct command *c, const struct command_result *r)
{
	return json_pack("{s:n, s:b, s:b, s:[s]}", "override", "changed", 0, "dry_run", c->dry_run,
	                 "notes", r->text);
}

static int64_t read_instant(struct field_reader *f, const char *name, int64_t now_ms)
{
	const char *text = field_text(f, name, false, 64);
	int64_t at_ms = -1;

	if (text && when_instant(text, now_ms, &at_ms)) {
		field_error(f, name,
		            "found \"%s\", expected an instant such as "
		            "\"2026-11-20T12:00:00Z\", \"+4h\", or \"never\"",
		            text);
		return -1;
	}
	return at_ms;
}

/*
 * Exactly one of target and id is accepted, because a command with both could contradict itself.
 */
static void read_target(struct field_reader *f, struct command *c)
{
	const json_t *object = field_object(f, "target", false);
	struct field_reader t;

	c->id = field_text(f, "id", false, MODEL_ID_MAX - 1);
	if (!object == !c->id)
		field_error(f, "target", "expected either a target or the id of an override");
	if (!object)
		return;
	field_start(&t, object);
	const char *site = field_text(&t, "site", false, MODEL_NAME_MAX - 1);
	const char *backend = field_text(&t, "backend", false, MODEL_NAME_MAX - 1);
	const char *node = field_text(&t, "node", false, MODEL_NAME_MAX - 1);
	c->pool = field_text(&t, "pool", false, MODEL_NAME_MAX - 1);
	c->service = field_text(&t, "service", false, MODEL_NAME_MAX - 1);
	c->is_node = node != NULL;
	c->name = site ? site : backend ? backend : node;
	bool ok = field_close(&t);
	if (!ok)
		json_decref(t.errors); /* the target is one error, whatever is wrong in it */
	if (!ok || !!site + !!backend + !!node != 1 || !c->pool != !backend || !*c->name ||
	    (c->pool && !*c->pool) || (c->service && !site))
		field_error(f, "target",
		            "expected {\"site\": NAME}, {\"node\": NAME} or {\"pool\": NAME, "
		            "\"backend\": NAME}");
}

static void read_overridden_guards(struct field_reader *f, struct command *c)
{
	const json_t *list = field_array(f, "override_guards", false);
	char names[RULE_NAMES_MAX];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || rule_find(RULE_OVERRIDE, text) < 0 || c->n_past == COMMAND_GUARDS_MAX)
			field_error(f, "override_guards", "expected guard names: %s",
			            rule_names(RULE_OVERRIDE, names));
		else
			c->past[c->n_past++] = text;
	}
}

/* All fields are read before the first error is reported, so that a client sees them all. */
void command_from_json(const json_t *body, int64_t now_ms, struct field_reader *f,
                       struct command *c)
{
	*c = (struct command){ .over_ms = -1 };
	field_start(f, body);
	const char *what = field_text(f, "do", true, 16);
	const char *over = field_text(f, "over", false, 32);
	c->what = what ? command_from_text(what) : COMMAND_COUNT;
	if (what && c->what == COMMAND_COUNT)
		field_error(f, "do", "expected drain, disable, force_up, hold, undrain or enable");
	if (over && when_duration(over, &c->over_ms))
		field_error(f, "over", "found \"%s\", expected a duration such as \"5m\"", over);
	c->from_ms = read_instant(f, "from", now_ms);
	c->until_ms = read_instant(f, "until", now_ms);
	c->now = field_bool(f, "now");
	c->reason = field_reason(f);
	c->author = field_text(f, "author", false, MODEL_NAME_MAX - 1);
	read_target(f, c);
	read_overridden_guards(f, c);
	if (!c->reason)
		c->reason = "";
}
