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

/* An override as it is shown. */
struct override_row {
	struct override o;
	const char *etag; /* without its quotes */
	const char *target_names[MODEL_TARGET_NODE + 1];
	const char *pool, *service; /* of the target */
	const char *state;
	bool level_known;
	uint32_t level_ppm;
	int64_t full_ms, returned_ms; /* full_ms 0: not yet */
};

#define NAME_OF_TARGET(name, kind)                                                                 \
	SHOW_AS(struct override_row, name, target_names[kind], .spare = true)
static const struct record_kind target_shown = RECORD_OF(
        struct override_row, "target", NULL, SHOW(struct override_row, pool, .spare = true),
        NAME_OF_TARGET("site", MODEL_TARGET_SITE), NAME_OF_TARGET("backend", MODEL_TARGET_BACKEND),
        NAME_OF_TARGET("node", MODEL_TARGET_NODE),
        SHOW(struct override_row, service, .spare = true));

const struct record_kind override_shown = RECORD_OF(
        struct override_row, "override", NULL, SHOW_AS(struct override_row, "id", o.id),
        SHOW(struct override_row, etag),
        SHOW_WORD(struct override_row, "do", o.kind, override_kind_text, MODEL_OVERRIDE_DRILL + 1),
        SHOW_GROUP("target", &target_shown),
        SHOW_AS(struct override_row, "generation", o.generation), SHOW(struct override_row, state),
        SHOW_KNOWN(struct override_row, "level_ppm", level_ppm, level_known),
        SHOW_TIME(struct override_row, "created", o.created_ms),
        SHOW_TIME(struct override_row, "from", o.from_ms),
        SHOW_TIME(struct override_row, "full", full_ms),
        SHOW_TIME(struct override_row, "until", o.until_ms),
        SHOW_TIME(struct override_row, "returned", returned_ms),
        SHOW_AS(struct override_row, "over_ms", o.over_ms),
        SHOW_AS(struct override_row, "author", o.author),
        SHOW_AS(struct override_row, "reason", o.reason),
        SHOW_AS(struct override_row, "node", o.node),
        SHOW_AS(struct override_row, "principal", o.principal),
        SHOW_AS(struct override_row, "to_ppm", o.to_ppm, ONLY_IF(struct override_row, o.is_step)),
        SHOW_AS(struct override_row, "operation", o.operation, .spare = true),
        SHOW_AS(struct override_row, "clients", o.clients), /* of a drill */
        SHOW_LATER("operation_until", FIELD_TIME));

static int64_t add_ms_capped(int64_t at_ms, int64_t more_ms)
{
	return at_ms >= MODEL_TIME_NEVER - more_ms ? MODEL_TIME_NEVER : at_ms + more_ms;
}

/* What a node does that is to leave is observed: until it has left, its drain is not complete. */
static void show_node(struct override_row *row)
{
	bool is_in_force = row->o.target == MODEL_TARGET_NODE && row->level_ppm;

	if (!is_in_force || row->o.left == OVERRIDE_LEFT)
		return;
	row->level_known = row->o.left == OVERRIDE_LEAVING;
	row->level_ppm = 0;
	row->full_ms = 0;
}

/* @param returns  a command has just begun its return, whose instant may lie some time ahead */
static json_t *show_override(const struct overrides *all, const struct override *o, int64_t now_ms,
                             bool returns)
{
	char etag[ETAG_TEXT_MAX];
	struct override_row row = {
		.o = *o,
		.etag = etag + 1,
		.pool = o->target == MODEL_TARGET_BACKEND ? o->pool : NULL,
		.service = o->target == MODEL_TARGET_BACKEND ? NULL : o->service,
		.state = returns ? "returning" : overrides_state(all, o, now_ms),
		.level_known = true,
		.level_ppm = overrides_level_shown(all, o, now_ms),
		.full_ms = add_ms_capped(o->from_ms, o->over_ms),
		.returned_ms = o->ended ? o->until_ms : override_done_ms(o),
	};

	override_etag(o, etag);
	etag[strlen(etag) - 1] = '\0';
	row.target_names[o->target] = o->name;
	show_node(&row);
	return record_shown(&override_shown, &row);
}

json_t *override_to_json(const struct overrides *all, const struct override *o, int64_t now_ms)
{
	return show_override(all, o, now_ms, false);
}

static const struct record_kind error_shown =
        RECORD_OF(struct model_error, "error", NULL, SHOW(struct model_error, file),
                  SHOW(struct model_error, line), SHOW(struct model_error, field),
                  SHOW(struct model_error, message));

json_t *errors_to_json(const struct model_errors *errors)
{
	return record_list_shown(&error_shown, errors->items, errors->n_items);
}

static const char *verdict_word(const void *verdict)
{
	const struct guard_verdict *v = verdict;

	return v->unknown ? "unknown" : v->ok ? "ok" : "refused";
}

static const struct record_kind verdict_shown = RECORD_OF(
        struct guard_verdict, "guard", NULL, SHOW(struct guard_verdict, guard),
        SHOW(struct guard_verdict, ok), SHOW_TEXT_OF("state", verdict_word),
        SHOW(struct guard_verdict, detail), SHOW(struct guard_verdict, wait_s, .spare = true));

json_t *guards_to_json(const struct guard_result *guards)
{
	return record_list_shown(&verdict_shown, guards->verdicts, guards->n_verdicts);
}

/* A receiver as it is shown. Of a backend no load is known. */
struct receiver_row {
	struct guard_receiver r;
	const char *names[MODEL_TARGET_NODE + 1];
	bool has_load, has_capacity, has_share;
	uint64_t load_ppm_after;
};

#define LOAD_OF(name, member, is_known)                                                            \
	SHOW_KNOWN(struct receiver_row, name, member, is_known,                                    \
	           ONLY_IF(struct receiver_row, has_load))
static const struct record_kind receiver_shown = RECORD_OF(
        struct receiver_row, "receiver", NULL,
        SHOW_AS(struct receiver_row, "site", names[MODEL_TARGET_SITE], .spare = true),
        SHOW_AS(struct receiver_row, "backend", names[MODEL_TARGET_BACKEND], .spare = true),
        SHOW_AS(struct receiver_row, "node", names[MODEL_TARGET_NODE], .spare = true),
        SHOW_AS(struct receiver_row, "weight_ppm_before", r.before_ppm),
        SHOW_AS(struct receiver_row, "weight_ppm_after", r.after_ppm),
        LOAD_OF("bits_per_s", r.before_bits, r.known),
        LOAD_OF("bits_per_s_after", r.after_bits, r.known),
        LOAD_OF("capacity_bits_per_s", r.capacity_bits, has_capacity),
        LOAD_OF("load_ppm_after", load_ppm_after, has_share));

static json_t *receivers_to_json(const struct guard_result *guards, enum model_target_kind kind)
{
	json_t *list = json_array();

	for (size_t i = 0; i < guards->n_receivers; i++) {
		const struct guard_receiver *r = &guards->receivers[i];
		struct receiver_row row = { .r = *r,
			                    .has_load = kind != MODEL_TARGET_BACKEND,
			                    .has_capacity = r->capacity_bits,
			                    .has_share = r->known && r->capacity_bits };

		row.names[kind] = r->name;
		if (row.has_share)
			row.load_ppm_after = (uint64_t)((unsigned __int128)r->after_bits *
			                                MODEL_PPM_ALL / r->capacity_bits);
		json_array_append_new(list, record_shown(&receiver_shown, &row));
	}
	return list;
}

const struct record_kind waiting_shown =
        RECORD_OF(struct waiting, "waiting", NULL, SHOW_AS(struct waiting, "slots", n_own),
                  SHOW_AS(struct waiting, "full_slots", n_full),
                  SHOW_TIME(struct waiting, "until", until_ms));

/* The answer to a command; "changed" is of nothing_to_end_to_json(). */
#define COMMAND_ROWS(X, t)                                                                         \
	X(t, json_t *, override, .of = &override_shown, .or_null = true)                           \
	X(t, json_t *, receivers, .each = &receiver_shown)                                         \
	X(t, json_t *, guards, .each = &verdict_shown)                                             \
	X(t, const char *, undo, .or_null = true)                                                  \
	X(t, json_t *, notes, .element = &record_string)                                           \
	X(t, bool, dry_run, .spare = true)                                                         \
	X(t, bool, changed, .later = true)                                                         \
	X(t, json_t *, waiting, .later = true, .of = &waiting_shown)
RECORD_ANSWER(command_answer, "command", COMMAND_ROWS);

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
	const struct override *o = &result->override;
	bool returns = (c->what == COMMAND_UNDRAIN || c->what == COMMAND_ENABLE) &&
	               o->target == MODEL_TARGET_BACKEND && now_ms < o->until_ms;
	const struct command_answer answer = {
		.override = show_override(intent_overrides(in), o, now_ms, returns),
		.receivers = receivers_to_json(&result->guards, result->override.target),
		.guards = guards_to_json(&result->guards),
		.undo = *result->undo ? result->undo : NULL,
		.notes = notes,
		.dry_run = c->dry_run,
	};

	return record_shown(&command_answer_kind, &answer);
}

/* How far a node is with a change. */
#define NODE_ROWS(X, t)                                                                            \
	X(t, const char *, node)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, json_t *, processes, .spare = true, .element = &record_string)                        \
	X(t, const char *, detail, .spare = true)                                                  \
	X(t, bool, rolled_back, .later = true)                                                     \
	X(t, const char *, process, .later = true)                                                 \
	X(t, const char *, code, .later = true)
RECORD_SHOWN(node_row, "node", NODE_ROWS);

json_t *node_state_json(const char *node, const char *state)
{
	return SHOWN(node_row, .node = node, .state = state);
}

json_t *node_to_json(const char *node, const char *unwritten_reason, bool in_force, json_t *behind)
{
	const struct node_row row = { .node = node,
		                      .state = *unwritten_reason ? "not_written"
		                               : in_force        ? "in_force"
		                                                 : "written",
		                      .processes = behind,
		                      .detail = unwritten_reason };

	return record_shown(&node_row_kind, &row);
}

/* What is added to the answer to a change. */
#define CHANGE_NODES_ROWS(X, t)                                                                    \
	X(t, uint64_t, document)                                                                   \
	X(t, bool, complete)                                                                       \
	X(t, json_t *, nodes, .each = &node_row_kind)                                              \
	X(t, bool, dry_run, .later = true)                                                         \
	X(t, bool, recovered, .later = true)
RECORD_ANSWER(change_nodes, "change", CHANGE_NODES_ROWS);

void nodes_add_json(json_t *answer, uint64_t document, bool complete, json_t *nodes)
{
	const struct change_nodes added = { .document = document,
		                            .complete = complete,
		                            .nodes = nodes };

	json_object_update_new(answer, record_shown(&change_nodes_kind, &added));
}

/* The end of what has ended. */
#define NOTHING_ROWS(X, t)                                                                         \
	X(t, json_t *, override) X(t, bool, changed) X(t, bool, dry_run) X(t, json_t *, notes)
RECORD_SHOWN(nothing_row, "nothing", NOTHING_ROWS);

json_t *nothing_to_end_to_json(const struct command *c, const struct command_result *r)
{
	struct nothing_row row = { .dry_run = c->dry_run, .notes = json_array() };

	json_array_append_new(row.notes, json_string(r->text));
	return record_shown(&nothing_row_kind, &row);
}

#define OF_NAME .most = MODEL_NAME_MAX - 1, .spare = true, FIELD_IS_NAME
#define TARGET_BODY_ROWS(X, t)                                                                     \
	X(t, const char *, site, OF_NAME, .example = "ams",                                        \
	  .forms = "site|site service|node|pool backend")                                          \
	X(t, const char *, backend, OF_NAME)                                                       \
	X(t, const char *, node, OF_NAME)                                                          \
	X(t, const char *, pool, OF_NAME)                                                          \
	X(t, const char *, service, OF_NAME)
RECORD_SHOWN(target_body, "target", TARGET_BODY_ROWS);
/* A guard of commands; NULL: the rule is none. */
static const char *guard_word(int rule)
{
	return rule_rows[rule].scope == RULE_OVERRIDE ? rule_rows[rule].name : NULL;
}

static const struct field guard_item = { .kind = FIELD_WORD,
	                                 .word = guard_word,
	                                 .most = RULE_COUNT };
#define COMMAND_BODY_ROWS(X, t)                                                                    \
	X(t, const char *, what, .shown = "do", .most = 16,                                        \
	  .one_of = "drain|disable|force_up|hold|undrain|enable", .example = "drain")              \
	X(t, const char *, over, .most = 32, .spare = true, FIELD_IS_DURATION,                     \
	  .example = "5m|0|1h30m")                                                                 \
	X(t, const char *, from, .most = 64, .spare = true, FIELD_IS_INSTANT)                      \
	X(t, const char *, until, .most = 64, .spare = true, FIELD_IS_INSTANT,                     \
	  .example = "+4h|never")                                                                  \
	X(t, bool, now, .spare = true)                                                             \
	SAID_ROWS(X, t)                                                                            \
	X(t, json_t *, target, .of = &target_body_kind, .spare = true, .forms = "target|id")       \
	X(t, const char *, id, .most = MODEL_ID_MAX - 1, .spare = true)                            \
	X(t, json_t *, override_guards, .element = &guard_item, .spare = true,                     \
	  .most = COMMAND_GUARDS_MAX)
RECORD_ANSWER(command_body, "command", COMMAND_BODY_ROWS);

static int64_t read_instant(struct field_reader *f, const char *name, const char *text,
                            int64_t now_ms)
{
	int64_t at_ms = -1;

	if (text && when_instant(text, now_ms, &at_ms)) {
		field_refuse(f, name,
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
static void read_target(struct field_reader *f, const json_t *object, struct command *c)
{
	struct target_body to;
	struct field_reader t;

	if (!object == !c->id)
		field_error(f, "target", "expected either a target or the id of an override");
	if (!object)
		return;
	field_read(&t, object, &target_body_kind, &to);
	c->pool = to.pool;
	c->service = to.service;
	c->is_node = to.node != NULL;
	c->name = to.site ? to.site : to.backend ? to.backend : to.node;
	bool ok = field_close(&t);
	if (!ok)
		json_decref(t.errors); /* the target is one error, whatever is wrong in it */
	if (!ok || !!to.site + !!to.backend + !!to.node != 1 || !c->pool != !to.backend ||
	    !*c->name || (c->pool && !*c->pool) || (c->service && !to.site))
		field_refuse(f, "target",
		             "expected {\"site\": NAME}, {\"node\": NAME} or {\"pool\": NAME, "
		             "\"backend\": NAME}");
}

static void read_overridden_guards(struct field_reader *f, const json_t *list, struct command *c)
{
	char names[RULE_NAMES_MAX];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || rule_find(RULE_OVERRIDE, text) < 0 || c->n_past == COMMAND_GUARDS_MAX)
			field_refuse(f, "override_guards", "expected guard names: %s",
			             rule_names(RULE_OVERRIDE, names));
		else
			c->past[c->n_past++] = text;
	}
}

/* All fields are read before the first error is reported, so that a client sees them all. */
void command_from_json(const json_t *body, int64_t now_ms, struct field_reader *f,
                       struct command *c)
{
	struct command_body b;

	field_read(f, body, &command_body_kind, &b);
	*c = (struct command){ .over_ms = -1,
		               .what = b.what ? command_from_text(b.what) : COMMAND_COUNT,
		               .now = b.now,
		               .reason = b.reason ? b.reason : "",
		               .author = b.author,
		               .id = b.id };
	if (b.what && c->what == COMMAND_COUNT)
		field_refuse(f, "do", "expected drain, disable, force_up, hold, undrain or enable");
	if (b.over && when_duration(b.over, &c->over_ms))
		field_refuse(f, "over", "found \"%s\", expected a duration such as \"5m\"", b.over);
	c->from_ms = read_instant(f, "from", b.from, now_ms);
	c->until_ms = read_instant(f, "until", b.until, now_ms);
	read_target(f, b.target, c);
	read_overridden_guards(f, b.override_guards, c);
}
