/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drills of backups: GET and POST /v1/drills. What can be said from the document and the overrides is
 * checked by mgmt/store/drill.h. Whether the backups are ready is what the nodes of the site say: all
 * nodes are asked, before a drill begins and for what came of it. A node that is silent leaves its
 * part unknown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/core/field.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/command.h"
#include "mgmt/store/drill.h"
#include "weir/when.h"
#include "weir/json.h"

#define COUNT_END ((json_int_t)1 << 53) /* of a peer's counter */

/* What a probe cannot see. */
static const char filters[] =
        "replies leave the backup's site with this site's VIP as source: filters there and on the "
        "way must permit it (BCP 38, uRPF)";

/* --- what the nodes say --- */

/* Why the backup of one row (mgmt/observe/backup_status.h) cannot be drilled; NULL: it can. */
static const char *find_obstacle(const json_t *row)
{
	const char *detail = json_get_text(row, "detail");

	if (!json_has_text(row, "class", "own"))
		return json_is_string(json_object_get(row, "class"))
		               ? "the service is on its backup already: there is nothing to prove"
		               : "the node does not say whether its backup would serve";
	if (json_has_true(row, "ready"))
		return NULL;
	return detail && *detail ? detail : "the backup is not known to be ready";
}

/* Whether the row is of a service that the drill concerns. */
static bool is_concerned(const json_t *row, const struct override *o)
{
	return !*o->service || json_has_text(row, "service", o->service);
}

/* What one node says of the backups. @return whether one of them, at least, can be drilled */
static bool check_report(const struct operation_report *report, const struct override *o,
                         char reason[DRILL_TEXT_MAX])
{
	const json_t *rows = json_object_get(report->measure, "backups"), *row;
	bool any = false;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *obstacle = is_concerned(row, o) ? find_obstacle(row) : NULL;

		any |= is_concerned(row, o) && !obstacle;
		if (!obstacle || *reason)
			continue;
		const char *service = json_get_text(row, "service");
		snprintf(reason, DRILL_TEXT_MAX, "node %s, service %.63s: %.150s",
		         report->node->name, service ? service : "?", obstacle);
		plain_cut(reason, DRILL_TEXT_MAX);
	}
	return any;
}

/*
 * Whether the backups can be drilled: on each node of the site that is reached, one of them is ready,
 * or all if a service is named. @param reason  the first reason against it, or ""
 */
static bool check_evidence(const struct operation_snapshot *v, const struct override *o,
                           char reason[DRILL_TEXT_MAX])
{
	bool ready = true, any = false;

	reason[0] = '\0';
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (strcmp(report->node->site->name, o->name) != 0 || !report->reached)
			continue;
		any = true;
		ready &= check_report(report, o, reason);
	}
	if (!any)
		snprintf(
		        reason, DRILL_TEXT_MAX,
		        "no node of site %s is reached: whether its backups are ready is not known",
		        o->name);
	else if (!ready && !*reason)
		snprintf(reason, DRILL_TEXT_MAX,
		         "a node of site %s does not say whether its backups are ready", o->name);
	return any && ready;
}

/* --- what came of it --- */

static bool add_count(const json_t *row, const char *name, uint64_t *sum)
{
	uint64_t n = 0;

	if (!json_read_count(json_object_get(row, name), COUNT_END - 1, &n))
		return false;
	*sum += n;
	return true;
}

/* Add what @p report has counted. @return false: it does not say, or makes no sense */
static bool add_report(const struct operation_report *report, const struct override *o,
                       struct drill_flows *sum)
{
	const json_t *row = json_find(json_object_get(report->measure, "drills"), "id", o->id);
	struct drill_flows f = *sum;

	if (!row || !add_count(row, "begun", &f.begun) ||
	    !add_count(row, "repeated", &f.repeated) || !add_count(row, "followed", &f.followed) ||
	    !add_count(row, "kept", &f.kept))
		return false;
	*sum = f;
	return true;
}

#define COUNT_ROWS(X, t)                                                                           \
	X(t, const char *, node)                                                                   \
	X(t, bool, reached)                                                                        \
	X(t, bool, measured)                                                                       \
	X(t, json_t *, state, .or_null = true)                                                     \
	X(t, json_t *, begun, .or_null = true)                                                     \
	X(t, json_t *, repeated, .or_null = true)                                                  \
	X(t, json_t *, followed, .or_null = true)                                                  \
	X(t, json_t *, kept, .or_null = true)
RECORD_SHOWN(drill_count, "count", COUNT_ROWS);

static json_t *report_json(const struct operation_report *report, const struct override *o)
{
	const json_t *row = json_find(json_object_get(report->measure, "drills"), "id", o->id);
	const struct drill_count count = {
		.node = report->node->name,
		.reached = report->reached,
		.measured = row != NULL,
		.state = json_incref(json_object_get(row, "state")),
		.begun = json_incref(json_object_get(row, "begun")),
		.repeated = json_incref(json_object_get(row, "repeated")),
		.followed = json_incref(json_object_get(row, "followed")),
		.kept = json_incref(json_object_get(row, "kept")),
	};

	return record_shown(&drill_count_kind, &count);
}

static const char *explain_verdict(enum drill_verdict verdict, const struct drill_flows *f,
                                   bool running)
{
	switch (verdict) {
	case DRILL_PROVED:
		return "clients of the prefix were served by the backup: their flows went on";
	case DRILL_NOT_PROVED:
		return filters;
	case DRILL_NO_CLIENTS:
		if (f->kept)
			return "all new flows of the prefix stayed with own backends: the backup "
			       "was not ready, or backup_max or the room for exceptions was used up";
		return running ? "no new flow of the prefix has come yet"
		               : "no new flow of the prefix came";
	default:
		return f->begun ? "the first flows have just begun"
		                : "not all nodes of the site say what they counted";
	}
}

#define FLOWS_ROWS(X, t)                                                                           \
	X(t, uint64_t, begun)                                                                      \
	X(t, uint64_t, repeated)                                                                   \
	X(t, uint64_t, followed)                                                                   \
	X(t, uint64_t, kept)
RECORD_SHOWN(drill_sums, "flows", FLOWS_ROWS);
#define DRILL_ROWS(X, t)                                                                           \
	X(t, const char *, id)                                                                     \
	X(t, const char *, site)                                                                   \
	X(t, const char *, service)                                                                \
	X(t, struct prefix, clients)                                                               \
	X(t, const char *, state)                                                                  \
	X(t, struct shown_time, created)                                                           \
	X(t, struct shown_time, until)                                                             \
	X(t, const char *, author)                                                                 \
	X(t, const char *, principal)                                                              \
	X(t, const char *, reason)                                                                 \
	X(t, const char *, node)                                                                   \
	X(t, struct drill_sums, flows, .of = &drill_sums_kind)                                     \
	X(t, const char *, verdict)                                                                \
	X(t, const char *, detail)                                                                 \
	X(t, json_t *, counts, .each = &drill_count_kind)                                          \
	X(t, json_t *, undo)                                                                       \
	X(t, const char *, note, .later = true)                                                    \
	X(t, const char *, filters, .later = true)                                                 \
	X(t, bool, dry_run, .later = true)
RECORD_ANSWER(drill_shown, "drill", DRILL_ROWS);

/* The drill with what the nodes counted, and the command line that ends it. */
static json_t *drill_json(const struct operation_snapshot *v, const struct override *o)
{
	bool running = !override_is_done(o, v->now_ms), all = true, any = false;
	struct drill_flows sum = { 0 };
	json_t *nodes = json_array();

	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (strcmp(report->node->site->name, o->name) != 0)
			continue;
		any = true;
		all &= add_report(report, o, &sum);
		json_array_append_new(nodes, report_json(report, o));
	}
	enum drill_verdict verdict = drill_judge(&sum, any && all, !running);
	const struct drill_shown shown = {
		.id = o->id,
		.site = o->name,
		.service = o->service,
		.clients = o->clients,
		.state = running ? "running" : "over",
		.created = { o->created_ms },
		.until = { o->until_ms },
		.author = o->author,
		.principal = o->principal,
		.reason = o->reason,
		.node = o->node,
		.flows = { sum.begun, sum.repeated, sum.followed, sum.kept },
		.verdict = drill_verdict_text(verdict),
		.detail = explain_verdict(verdict, &sum, running),
		.counts = nodes,
		.undo = json_sprintf("weir drill end %s", o->id),
	};
	return record_shown(&drill_shown_kind, &shown);
}

/* --- requests --- */

static void set_problem(const struct drill_result *result, enum drill_outcome outcome,
                        struct http_reply *reply)
{
	switch (outcome) {
	case DRILL_INVALID:
		http_problem(reply, 422, "invalid", "%s: %s", result->field, result->text);
		json_object_set_new(reply->json, "errors",
		                    field_errors_json(result->field, result->text));
		return;
	case DRILL_UNKNOWN:
		http_problem(reply, 404, "not-found", "%s", result->text);
		return;
	case DRILL_REFUSED:
		http_problem(reply, 409, "drill", "%s", result->text);
		return;
	case DRILL_TOO_MANY:
		http_problem(reply, 409, "too-many", "%s", result->text);
		return;
	default:
		http_problem(reply, 503, "busy", "%s", result->text);
	}
}

#define DRILL_BODY_ROWS(X, t)                                                                      \
	X(t, const char *, site, .most = MODEL_NAME_MAX - 1, .example = "ams")                     \
	X(t, const char *, service, .most = MODEL_NAME_MAX - 1, .spare = true)                     \
	X(t, const char *, clients, .most = ADDR_LONG_TEXT_MAX - 1,                                \
	  .pattern = "^[0-9a-fA-F:.]+/[0-9]+$", .example = "198.51.100.0/24|2001:db8::/48")        \
	X(t, const char *, over, .shown = "for", .most = 32, .spare = true, FIELD_IS_DURATION,     \
	  .example = "10m|1h", .forms = "|for|until")                                              \
	X(t, const char *, until, .most = 40, .spare = true, FIELD_IS_INSTANT)                     \
	SAID_ROWS(X, t)
RECORD_ANSWER(drill_body, "drill", DRILL_BODY_ROWS);

static int64_t read_end(struct field_reader *f, const char *over, const char *until, int64_t now_ms)
{
	int64_t ms = DRILL_DEFAULT_MS, end_ms = 0;

	if (over && until)
		field_refuse(f, "for", "give for or until, not both");
	if (over && when_duration(over, &ms))
		field_refuse(f, "for", "found \"%s\", expected a duration such as \"10m\"", over);
	if (!until)
		return now_ms + ms;
	if (when_instant(until, now_ms, &end_ms))
		field_refuse(f, "until", "found \"%s\", expected a time such as \"+10m\"", until);
	return end_ms;
}

static bool read_request(const struct http_request *r, struct drill_request *out,
                         struct http_reply *reply, int64_t now_ms)
{
	struct drill_body body;
	struct field_reader f;

	field_read(&f, r->json, &drill_body_kind, &body);
	*out = (struct drill_request){ .site = body.site,
		                       .service = body.service,
		                       .reason = body.reason,
		                       .author = body.author ? body.author : r->principal };
	if (body.clients && prefix_parse(body.clients, &out->clients))
		field_refuse(&f, "clients",
		             "found \"%s\", expected a prefix such as 198.51.100.0/24 or "
		             "2001:db8::/48, its host bits zero",
		             body.clients);
	out->until_ms = read_end(&f, body.over, body.until, now_ms);
	return field_end(&f, reply);
}

/* The nodes' evidence. @return NULL after a problem; else the snapshot, given */
static struct operation_snapshot *query_nodes(struct core *core, struct http_request *r,
                                              struct http_reply *reply)
{
	struct operation_snapshot *v;

	http_doing(r, "asks all nodes of the site");
	v = operation_snapshot_now(core);
	if (!v)
		http_problem(reply, 503, "busy", "out of memory");
	return v;
}

static void begin_drill(struct core *core, struct http_request *r,
                        const struct drill_request *request, bool dry_run, int64_t now_ms,
                        struct http_reply *reply)
{
	struct drill_result result;
	char reason[DRILL_TEXT_MAX];

	core_lock(core);
	enum drill_outcome outcome = drill_check(core->intent, request, now_ms, &result);
	core_unlock(core);
	if (outcome) {
		set_problem(&result, outcome, reply);
		return;
	}
	struct operation_snapshot *v = query_nodes(core, r, reply);
	if (!v)
		return;
	if (!check_evidence(v, &result.override, reason)) {
		http_problem(reply, 409, "drill", "%s", reason);
		operation_snapshot_free(v);
		return;
	}
	core_lock(core);
	core_attach(core, r);
	outcome = dry_run ? drill_check(core->intent, request, now_ms, &result)
	                  : drill_begin(core->intent, request, now_ms, &result);
	core_detach(core);
	core_changed(core);
	core_unlock(core);
	if (outcome) {
		set_problem(&result, outcome, reply);
	} else {
		reply->json = drill_json(v, &result.override);
		json_object_set_new(reply->json, "note", json_string(reason));
		json_object_set_new(reply->json, "filters", json_string(filters));
		json_object_set_new(reply->json, "dry_run", json_boolean(dry_run));
		reply->status = dry_run ? 200 : 201;
	}
	operation_snapshot_free(v);
}

void handle_drill_begin(struct core *core, struct http_request *r, struct http_reply *reply)
{
	int64_t now_ms =
	        clock_believed_ms(); /* one time, or the least duration would be too short */
	struct drill_request request;
	bool dry_run;

	if (!handle_flag(r, "dry_run", &dry_run, reply) || !handle_wait_ok(r, reply) ||
	    !read_request(r, &request, reply, now_ms) ||
	    !handle_scope_has_target(core, r, &(struct command){ .name = request.site }, reply) ||
	    !handle_may_command(core, reply))
		return;
	begin_drill(core, r, &request, dry_run, now_ms, reply);
	if (reply->status == 201)
		handle_wait(core, r, reply);
}

void handle_drill_end(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct drill_result result;
	struct said_body said;
	struct field_reader f;

	if (!handle_no_dry_run(r, reply) || !handle_wait_ok(r, reply))
		return;
	field_read(&f, r->json, &said_body_kind, &said);
	if (!field_end(&f, reply) ||
	    !handle_scope_has_target(core, r, &(struct command){ .id = r->parts[0] }, reply) ||
	    !handle_may_command(core, reply))
		return;
	core_lock(core);
	core_attach(core, r);
	enum drill_outcome outcome =
	        drill_end(core->intent, r->parts[0], said.author ? said.author : r->principal,
	                  said.reason, clock_believed_ms(), &result);
	core_detach(core);
	core_changed(core);
	core_unlock(core);
	if (outcome && outcome != DRILL_OVER) {
		set_problem(&result, outcome, reply);
		return;
	}
	struct operation_snapshot *v = query_nodes(core, r, reply);
	if (!v)
		return;
	reply->json = drill_json(v, &result.override);
	reply->status = 200;
	operation_snapshot_free(v);
	if (outcome == DRILL_OK)
		handle_wait(core, r, reply);
}

void handle_drills(struct core *core, struct http_request *r, struct http_reply *reply)
{
	json_t *items = json_array();
	struct operation_snapshot *v;
	uint64_t limit;
	bool ended;

	if (handle_flag(r, "ended", &ended, reply) && handle_limit(r, &limit, reply) &&
	    (v = query_nodes(core, r, reply))) {
		for (size_t i = 0; i < v->overrides.n_items; i++) {
			const struct override *o = &v->overrides.items[i];

			if (o->kind == MODEL_OVERRIDE_DRILL &&
			    (ended || !override_is_done(o, v->now_ms)))
				json_array_append_new(items, drill_json(v, o));
		}
		handle_list(json_incref(items), limit, reply);
		operation_snapshot_free(v);
	}
	json_decref(items);
}

void handle_drill(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct operation_snapshot *v = query_nodes(core, r, reply);
	const struct override *o = v ? overrides_find(&v->overrides, r->parts[0]) : NULL;

	if (o && o->kind == MODEL_OVERRIDE_DRILL) {
		reply->json = drill_json(v, o);
		reply->status = 200;
	} else if (v) {
		http_problem(reply, 404, "not-found", "there is no drill %.40s", r->parts[0]);
	}
	operation_snapshot_free(v);
}
