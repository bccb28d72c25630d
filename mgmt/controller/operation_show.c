/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation has observed: each step with its shares, loads and margins; at the end, all of it as evidence. What a plan
 * will bring: the load of receivers before and after, how long it takes, what it does to the name servers. A value that is not
 * known is null.
 *
 * A hold always has the command that ends it, and each operation the one that undoes it.
 */
#include "mgmt/controller/operation_show.h"

#include <string.h>

#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/core/to_json.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/record_json.h"
#include "record/fields.h"
#include "weir/json.h"

/* --- what it has observed --- */

/* The smallest margin of each guard over all steps. */
static json_t *least_margins_json(const void *record)
{
	const struct operation *op = record;
	json_t *o = json_object();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		int64_t least = INT64_MAX;

		for (uint32_t i = 0; i < op->n_steps; i++)
			if (op->steps[i].margins[g] < least)
				least = op->steps[i].margins[g];
		if (least != INT64_MAX)
			json_object_set_new(o, rule_rows[g].name, json_integer(least));
	}
	return o;
}

static const struct record_kind level_record = RECORD_OF(
        struct operation_step, "level", NULL, SHOW_TIME(struct operation_step, "at", ended_ms),
        SHOW_AS(struct operation_step, "level_ppm", to_ppm),
        SHOW_VALUE(struct operation_step, "share_ppm", share_ppm),
        SHOW_VALUE(struct operation_step, "expected_share_ppm", expected_ppm));

/* A person's hold, and the one of a new owner who reads the levels, are no failures. */
static bool is_failure(const struct operation_failure *f)
{
	return !rule_is(OPERATION_HOLD_PERSON, f->code) &&
	       !rule_is(OPERATION_HOLD_NEW_OWNER, f->code);
}

static json_t *failures_json(const void *record)
{
	const struct operation *op = record;
	json_t *list = json_array();

	for (uint32_t i = 0; i < op->n_failures; i++)
		if (is_failure(&op->failures[i]))
			json_array_append_new(
			        list, record_shown(&operation_failure_record, &op->failures[i]));
	return list;
}

/* --- the time line --- */

#define TIME_LINE_MOMENT_ROWS(X, t)                                                                \
	X(t, int64_t, at_ms, .shown = "at", .kind = FIELD_TIME)                                    \
	X(t, const char *, event)                                                                  \
	X(t, const char *, code, .spare = true)                                                    \
	X(t, uint32_t, level_ppm, KNOWN_IF(t, has_level), .spare = true)                           \
	X(t, bool, has_level, HIDDEN)
RECORD_SHOWN(time_line_moment, "moment", TIME_LINE_MOMENT_ROWS);

struct time_line {
	struct time_line_moment moments[4 + 3 * OPERATION_HISTORY_MAX + 2 * OPERATION_FAILURES_MAX];
	size_t n;
};

/*
 * Put a moment where its time has it, behind those of the same; an instant that is not there yet is none.
 * @param event  a word of docs/api.md; @param code  of a hold; NULL: none. @param level_ppm  of a step; NULL: none
 */
static void add_moment(struct time_line *l, int64_t at_ms, const char *event, const char *code,
                       const uint32_t *level_ppm)
{
	size_t i = l->n;

	if (at_ms <= 0 || at_ms == MODEL_TIME_NEVER)
		return;
	for (l->n++; i && l->moments[i - 1].at_ms > at_ms; i--)
		l->moments[i] = l->moments[i - 1];
	l->moments[i] = (struct time_line_moment){ .at_ms = at_ms,
		                                   .event = event,
		                                   .code = code,
		                                   .level_ppm = level_ppm ? *level_ppm : 0,
		                                   .has_level = level_ppm };
}

static json_t *time_line_json(const void *record)
{
	const struct operation *op = record;
	struct time_line l = { .n = 0 };

	add_moment(&l, op->began_ms, "began", NULL, NULL);
	for (uint32_t i = 0; i < op->n_steps; i++) {
		const struct operation_step *s = &op->steps[i];

		add_moment(&l, s->begun_ms, "step", NULL, &s->to_ppm);
		add_moment(&l, s->in_force_ms, "in_force", NULL, &s->to_ppm);
		add_moment(&l, s->ended_ms, "step_ended", NULL, &s->to_ppm);
	}
	for (uint32_t i = 0; i < op->n_failures; i++) {
		const struct operation_failure *f = &op->failures[i];

		add_moment(&l, f->at_ms, f->overridden ? "overridden" : "held", f->code, NULL);
		add_moment(&l, f->until_ms, "went_on", f->code, NULL);
	}
	add_moment(&l, op->full_ms, "full", NULL, NULL);
	add_moment(&l, op->drained_ms, "drained", NULL, NULL);
	add_moment(&l, op->ended_ms, "ended", NULL, NULL);
	return record_list_shown(&time_line_moment_kind, l.moments, l.n);
}

/* Whether packets say that it is drained, or that it was so before its return. */
static json_t *confirmed_json(const void *record)
{
	const struct operation *op = record;
	enum operation_state state = operation_unheld_state(op);

	return json_boolean(op->drained_ms && state != OPERATION_LATE &&
	                    state != OPERATION_DRAINED_UNCONFIRMED);
}

static const struct record_kind times_record =
        RECORD_OF(struct operation, "times", NULL, SHOW_TIME(struct operation, "began", began_ms),
                  SHOW_TIME(struct operation, "full", full_ms),
                  SHOW_TIME(struct operation, "drained", drained_ms),
                  SHOW_TIME(struct operation, "ended", ended_ms));

static const struct record_kind evidence_record = RECORD_OF(
        struct operation, "evidence", NULL, SHOW_GROUP("times", &times_record),
        SHOW_COMPUTED("time_line", time_line_json, .each = &time_line_moment_kind),
        SHOW_RECORDS(struct operation, "load_before", before, n_before, &operation_load_record),
        SHOW_RECORDS(struct operation, "load_after", after, n_after, &operation_load_record),
        SHOW_RECORDS(struct operation, "levels", steps, n_steps, &level_record),
        SHOW_RECORDS(struct operation, "late", was_late, n_was_late, &operation_late_record),
        SHOW_COMPUTED("failures", failures_json, .each = &operation_failure_record),
        SHOW_AS(struct operation, "failures_left_out", failures_lost),
        SHOW_COMPUTED("least_margins_percent", least_margins_json), SHOW(struct operation, holds),
        SHOW_COMPUTED("confirmed_by_packets", confirmed_json));

/* --- what a plan will bring --- */

#define RECEIVER_ROWS(X, t)                                                                        \
	X(t, const char *, site)                                                                   \
	X(t, struct operation_value, before_flows, .kind = FIELD_KNOWN)                            \
	X(t, struct operation_value, after_flows, .kind = FIELD_KNOWN)                             \
	X(t, struct operation_value, capacity_flows, .kind = FIELD_KNOWN)                          \
	X(t, struct operation_value, before_bits, .kind = FIELD_KNOWN)                             \
	X(t, struct operation_value, after_bits, .kind = FIELD_KNOWN)                              \
	X(t, struct operation_value, capacity_bits, .kind = FIELD_KNOWN)                           \
	X(t, struct operation_value, backup_flows, .kind = FIELD_KNOWN)                            \
	X(t, bool, known)
RECORD_SHOWN(receiver, "receiver", RECEIVER_ROWS);

static json_t *receiver_json(const struct model_site *site, const struct operation_site *s,
                             const struct operation_projected *after)
{
	return SHOWN(receiver, .site = site->name, .before_flows = s->arrivals,
	             .after_flows = after->flows,
	             .capacity_flows = { site->capacity_flows > 0, site->capacity_flows },
	             .before_bits = s->bits, .after_bits = after->bits,
	             .capacity_bits = { site->capacity_bits > 0, site->capacity_bits },
	             .backup_flows = after->backup_flows,
	             .known = after->flows.known && after->bits.known);
}

static json_t *receivers_json(const struct model *m, const struct operation *op,
                              const struct operation_observed *observed)
{
	json_t *list = json_array();

	for (size_t i = 0; i < observed->facts.n_sites && m && i < m->n_sites; i++) {
		const struct operation_site *s = &observed->sites[i];
		const struct operation_projected *after =
		        &s->at[op->n_plan < OPERATION_POINTS ? op->n_plan : 0];

		if (after->receives == OPERATION_YES && !operation_targets_site(op, s->name))
			json_array_append_new(list, receiver_json(&m->sites[i], s, after));
	}
	return list;
}

struct outlook {
	struct operation_value expected_s, min_ttl_queries_per_s, unseen_ppm;
	json_t *receivers, *backups;
	const char *unheard;
	bool is_projected;
	const struct projection *projection; /* if is_projected */
};

static const struct record_kind projected_record = RECORD_OF(
        struct projection, "projected", NULL, SHOW(struct projection, by_keys),
        SHOW(struct projection, covered_s), SHOW(struct projection, queries),
        SHOW_AS(struct projection, "nodes", n_nodes), SHOW(struct projection, heaviest_ppm));
static const struct record_kind projection_record =
        RECORD_OF(struct outlook, "projection", NULL,
                  SHOW_ROWS(struct outlook, projection, &projected_record, .behind = true),
                  SHOW_VALUE(struct outlook, "unseen_ppm", unseen_ppm));
static const struct record_kind outlook_record = RECORD_OF(
        struct outlook, "outlook", NULL, SHOW_VALUE(struct outlook, "expected_s", expected_s),
        SHOW(struct outlook, receivers, .each = &receiver_kind),
        SHOW(struct outlook, backups, .each = &shown_backup_kind),
        SHOW_VALUE(struct outlook, "queries_per_s_at_min_ttl", min_ttl_queries_per_s,
                   .spare = true),
        SHOW(struct outlook, unheard, .spare = true),
        SHOW_GROUP("projection", &projection_record, ONLY_IF(struct outlook, is_projected)));

json_t *operation_outlook_json(const struct operation_snapshot *v, const struct operation *op,
                               const struct operation_observed *observed)
{
	const struct projection *p = observed->projection;
	int64_t expected_ms = observed->facts.ttl_s.known
	                              ? plan_expected_ms(op, observed->facts.ttl_s.value)
	                              : -1;

	return record_shown(
	        &outlook_record,
	        &(struct outlook){ .expected_s = { expected_ms >= 0, (uint64_t)expected_ms / 1000 },
	                           .receivers = receivers_json(v->m, op, observed),
	                           .backups = operation_backups_json(v, op),
	                           .min_ttl_queries_per_s = { p, p ? p->queries_per_s_min_ttl : 0 },
	                           .unheard = observed->facts.unheard,
	                           .is_projected = p,
	                           .projection = p,
	                           .unseen_ppm = observed->facts.unseen_ppm });
}

/* --- all of it --- */

#define SHOWN_HOLD_ROWS(X, t)                                                                      \
	X(t, const struct operation_hold *, hold, AS_ROWS(operation_hold_record), .behind = true)  \
	X(t, const char *, resume)                                                                 \
	X(t, const char *, back)
RECORD_SHOWN(shown_hold, "hold", SHOWN_HOLD_ROWS);

static json_t *hold_json(const void *record)
{
	const struct operations_item *item = record;
	char resume[OPERATION_COMMAND_MAX], back[OPERATION_COMMAND_MAX];

	if (!operation_is_held(&item->op))
		return NULL;
	return SHOWN(shown_hold, .hold = &item->op.hold,
	             .resume = operation_resume_text(item, resume),
	             .back = operation_back_text(&item->op, back));
}

static const struct record_kind ended_record =
        RECORD_OF(struct operation, "end", NULL, SHOW_TIME(struct operation, "at", ended_ms),
                  SHOW_AS(struct operation, "code", hold.code),
                  SHOW_AS(struct operation, "detail", hold.detail));

static json_t *ended_json(const void *record)
{
	const struct operations_item *item = record;

	return operation_is_over(&item->op) ? record_shown(&ended_record, &item->op) : NULL;
}

const struct record_kind operation_summary_record =
        RECORD_OF(struct operations_item, "operation", NULL,
                  SHOW_ROWS(struct operations_item, op, &operation_record),
                  SHOW_COMPUTED("hold", hold_json, .of = &shown_hold_kind, .or_null = true),
                  SHOW_COMPUTED("ended", ended_json, .of = &ended_record, .or_null = true));

static const struct record_kind node_record =
        RECORD_OF(struct operations_node, "node", NULL, SHOW(struct operations_node, node),
                  SHOW(struct operations_node, reached),
                  SHOW_AS(struct operations_node, "named_absent", absent),
                  SHOW_KNOWN(struct operations_node, "level_ppm", level_ppm, level_known),
                  SHOW(struct operations_node, epoch), SHOW(struct operations_node, step));

/* Nobody looks at them for one that is over. */
static json_t *nodes_json(const void *record)
{
	const struct operations_item *item = record;

	return record_list_shown(&node_record, item->nodes,
	                         operation_is_over(&item->op) ? 0 : item->n_nodes);
}

static json_t *waits_for_json(const void *level)
{
	(void)level;
	return json_string("all name servers that are reached report the level; the longest "
	                   "TTL of earlier answers and 5 s have passed; receivers are well; "
	                   "new flows at the site are as projected");
}

static const struct record_kind planned_record =
        RECORD_OF(uint32_t, "planned step", NULL, { .shown = "level_ppm", .kind = FIELD_U32 },
                  SHOW_COMPUTED("waits_for", waits_for_json));
static const struct record_kind plan_record = RECORD_OF(
        struct operations_item, "plan", NULL,
        SHOW_AS(struct operations_item, "from_ppm", op.plan_from_ppm),
        SHOW_RECORDS(struct operations_item, "steps", op.plan_ppm, op.n_plan, &planned_record),
        SHOW_LATER("expected_s", FIELD_KNOWN), SHOW_LATER("queries_per_s_at_min_ttl", FIELD_KNOWN));

static json_t *plan_json(const void *record)
{
	static const char *const reckoned[] = { "expected_s", "queries_per_s_at_min_ttl" };
	const struct operations_item *item = record;
	json_t *o = record_shown(&plan_record, item);

	for (size_t i = 0; i < 2; i++)
		json_object_set(o, reckoned[i], json_object_get(item->outlook, reckoned[i]));
	return o;
}

static json_t *undo_json(const void *record)
{
	const struct operations_item *item = record;
	char text[OPERATION_COMMAND_MAX];
	const char *undo = operation_undo_text(&item->op, text);

	return undo ? json_string(undo) : NULL;
}

static json_t *over_ms_json(const void *record)
{
	const struct operations_item *item = record;

	return item->op.over_ms ? json_integer(item->op.over_ms) : NULL;
}

static json_t *stage_json(const void *record)
{
	const struct operation *op = &((const struct operations_item *)record)->op;

	return op->state == OPERATION_RETURNING || op->way == OPERATION_BACK
	               ? json_string(operation_stage_text(op->stage))
	               : NULL;
}

static json_t *evidence_json(const void *record)
{
	const struct operation *op = &((const struct operations_item *)record)->op;
	bool is_there = op->drained_ms || op->state == OPERATION_DRAINED_UNCONFIRMED ||
	                operation_is_over(op);

	return is_there ? record_shown(&evidence_record, op) : NULL;
}

static json_t *guards_json(const void *record)
{
	return operation_guards_json(((const struct operations_item *)record)->verdicts);
}

static const struct record_kind preflight_record =
        RECORD_OF(struct operations_item, "preflight", NULL,
                  SHOW_COMPUTED("guards", guards_json, .each = &shown_guard_kind),
                  SHOW_AS(struct operations_item, "deciding_sites", deciding),
                  { .flat = true, .later = true, .kind = FIELD_RECORD, .of = &outlook_record },
                  /* of a dry run */
                  SHOW_LATER("would_begin", FIELD_BOOL),
                  { .flat = true, .later = true, .kind = FIELD_RECORD, .of = &shown_refusal_kind });

static json_t *preflight_json(const void *record)
{
	const struct operations_item *item = record;

	if (!item->judged || operation_is_over(&item->op))
		return NULL;
	json_t *o = record_shown(&preflight_record, item);
	if (item->outlook)
		json_object_update(o, item->outlook);
	return o;
}

static const struct field one_name = { .kind = FIELD_TEXT, .size = MODEL_NAME_MAX };
const struct record_kind operation_shown_record = RECORD_OF(
        struct operations_item, "operation with all", NULL,
        { .flat = true, .kind = FIELD_RECORD, .of = &operation_summary_record },
        SHOW_COMPUTED("undo", undo_json),
        SHOW_AS(struct operations_item, "command_node", op.command_node),
        SHOW_AS(struct operations_item, "now", op.now), SHOW_COMPUTED("over_ms", over_ms_json),
        SHOW_AS(struct operations_item, "withdraw", op.withdraw),
        SHOW_AS(struct operations_item, "expired", op.expired), SHOW_COMPUTED("stage", stage_json),
        SHOW_AS(struct operations_item, "step", op.step),
        SHOW_COMPUTED("plan", plan_json, .of = &plan_record),
        SHOW_RECORDS(struct operations_item, "steps", op.steps, op.n_steps, &operation_step_record),
        SHOW_COMPUTED("nodes", nodes_json, .each = &node_record),
        SHOW_LIST(struct operations_item, "without", op.without, op.n_without, &one_name),
        SHOW_RECORDS(struct operations_item, "late", op.late, op.n_late, &operation_late_record),
        SHOW_COMPUTED("evidence", evidence_json, .of = &evidence_record, .or_null = true),
        SHOW_COMPUTED("preflight", preflight_json, .of = &preflight_record, .or_null = true),
        SHOW_LATER("dry_run", FIELD_BOOL),
        SHOW_LATER("warnings", FIELD_JSON, .element = &record_string));

json_t *operation_summary_json(const struct operations_item *item)
{
	return record_shown(&operation_summary_record, item);
}

json_t *operation_show_json(const struct operations_item *item)
{
	return record_shown(&operation_shown_record, item);
}
