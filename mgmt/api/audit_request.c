/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change has a line of its own, written before it is answered. A refusal is counted where it comes again and again, and so is a
 * request that its Idempotency-Key repeats: who asks in a loop must not push the changes out of the log.
 */
#include "mgmt/api/audit_request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/audit/log.h"
#include "mgmt/core/core.h"
#include "weir/json.h"

static bool is_dry(const struct http_request *r)
{
	const char *dry = http_query(r, "dry_run");

	return dry && !strcmp(dry, "true");
}

/* Whether it is to pass gates: by an admin's word, or by what persons approved. */
static bool passes_gates(const struct http_request *r)
{
	return json_get_text(r->json, "without_gates") || http_query(r, "without_gates") ||
	       http_query(r, "proposal");
}

/*
 * Without its line an operator's change is refused, and what passes gates. What an incident needs is not: drains, confirmations and
 * rollbacks are an on-call person's, and go on.
 */
bool audit_request_may(struct core *core, const struct route *route, const struct http_request *r,
                       struct http_reply *reply)
{
	struct audit_log_state known;

	if (!core->audit || !route_is_change(route) || is_dry(r) ||
	    (route->role != HTTP_OPERATOR && !passes_gates(r)))
		return true;
	int err = audit_log_ready(core->audit);
	if (!err)
		return true;
	audit_log_look(core->audit, &known);
	http_problem(
	        reply, 503, "audit",
	        "the audit log of this node (%.150s) cannot be written: %s. Nothing was changed",
	        known.dir, strerror(-err));
	return false;
}

/* --- what a request is about --- */

#define OBJECTS_MORE "\xe2\x80\xa6" /* an ellipsis: not all is here */

/* One that does not fit is left out, but of the first what fits; a mark says so. There is room for the mark always. */
static void add_object(char *out, size_t size, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static void add_object(char *out, size_t size, const char *format, ...)
{
	size_t n = strlen(out), room = size - n - sizeof(OBJECTS_MORE) - (n > 0);
	char object[HTTP_TEXT_MAX];
	va_list list;

	if (n >= strlen(OBJECTS_MORE) && !strcmp(out + n - strlen(OBJECTS_MORE), OBJECTS_MORE))
		return;
	va_start(list, format);
	bool is_whole = (size_t)vsnprintf(object, sizeof(object), format, list) < room;
	va_end(list);
	if (n)
		out[n++] = ' ';
	out[n] = '\0';
	if (is_whole || n == 0) {
		snprintf(out + n, room, "%s", object);
		plain_cut(out + n, room);
		plain_make(out + n);
	}
	if (!is_whole)
		strcat(out, OBJECTS_MORE);
}

/* The target of an override: {"pool": ..., "backend": ...}, {"site": ...}, {"node": ...}. */
static void add_target(char *out, size_t size, const json_t *target)
{
	const char *pool = json_get_text(target, "pool"),
	           *backend = json_get_text(target, "backend");
	const char *site = json_get_text(target, "site"), *node = json_get_text(target, "node");

	if (pool && backend)
		add_object(out, size, "pools/%s/backends/%s", pool, backend);
	if (site)
		add_object(out, size, "sites/%s", site);
	if (node)
		add_object(out, size, "nodes/%s", node);
}

/* The objects that a body names, where the path does not. */
static void name_objects(const json_t *body, char *out, size_t size)
{
	const char *id = json_get_text(body, "id");
	const json_t *one;
	size_t i;

	add_target(out, size, json_object_get(body, "target"));
	add_target(out, size, body); /* of a drill */
	json_array_foreach(json_object_get(body, "sites"), i, one)
	{
		if (json_is_string(one))
			add_object(out, size, "sites/%s", json_string_value(one));
	}
	json_array_foreach(json_object_get(body, "edits"), i, one)
	{
		if (json_get_text(one, "path"))
			add_object(out, size, "%s", json_get_text(one, "path"));
	}
	if (id)
		add_object(out, size, "overrides/%s", id);
}

/* --- what came of it --- */

/* Whether the version of an answer is one that this request made: it is newer than what was in force. */
static bool is_new(const json_t *answer)
{
	const json_t *before = json_object_get(answer, "before");
	const json_t *number = json_object_get(json_object_get(answer, "version"), "number");

	return before && json_integer_value(number) > json_integer_value(before);
}

#define GATES_MOST 48u /* bytes */

/* Names of gates, separated by commas, as far as they fit; a mark says that there are more. */
static void add_gates(const char *gates, char *out, size_t size)
{
	size_t n = strlen(gates);

	if (n > GATES_MOST) {
		n = GATES_MOST;
		while (n > 1 && gates[n] != ',')
			n--;
	}
	snprintf(out + strlen(out), size - strlen(out), ", past gate %.*s%s", (int)n, gates,
	         gates[n] ? OBJECTS_MORE : "");
}

/* A version that is in force then, the one that is confirmed with it, and the gates that it passed. */
static void name_version(const json_t *answer, char *out, size_t size)
{
	const json_t *version = json_object_get(answer, "version");
	const char *gates = json_get_text(version, "without_gates");
	json_int_t confirmed = json_integer_value(json_object_get(answer, "confirmed"));

	if (!json_is_false(json_object_get(answer, "changed")))
		snprintf(out, size, "version %" JSON_INTEGER_FORMAT,
		         json_integer_value(json_object_get(version, "number")));
	if (confirmed)
		snprintf(out + strlen(out), size - strlen(out), "%sconfirmed %" JSON_INTEGER_FORMAT,
		         *out ? ", " : "", confirmed);
	if (gates && is_new(answer))
		add_gates(gates, out, size);
}

/* What a change has made, by its answer. */
static void name_result(const json_t *answer, char *out, size_t size)
{
	const json_t *override = json_object_get(answer, "override");
	const json_t *proposal = json_object_get(answer, "proposal");
	const char *id = json_get_text(override ? override : proposal ? proposal : answer, "id");

	if (json_is_object(json_object_get(answer, "version")) && !proposal)
		name_version(answer, out, size);
	else if (id && !json_is_false(json_object_get(answer, "changed")))
		snprintf(out, size, "%.95s", id);
	plain_make(out);
}

void audit_request_line(const struct http_request *r, struct audit_line *out)
{
	const char *reason = json_get_text(r->json, "reason"),
	           *author = json_get_text(r->json, "author");

	*out = (struct audit_line){ .kind = AUDIT_CHANGE };
	plain_copy(out->who, sizeof(out->who), *r->principal ? r->identity : "");
	memcpy(out->source, r->source, sizeof(out->source));
	memcpy(out->method, r->method, sizeof(out->method));
	plain_copy(out->path, sizeof(out->path), r->path);
	if (!reason)
		reason = http_query(r, "reason"); /* of an edit, whose body is the object */
	if (!author)
		author = http_query(r, "author");
	plain_copy(out->reason, sizeof(out->reason), reason ? reason : "");
	plain_copy(out->author, sizeof(out->author), author ? author : "");
}

static void add_outcome(const struct http_reply *reply, struct audit_line *line)
{
	const char *code = reply->status >= 400 ? json_get_text(reply->json, "code") : NULL;

	line->status = reply->status;
	plain_copy(line->code, sizeof(line->code), code ? code : "");
}

void audit_request_refused(struct core *core, const struct http_request *r,
                           const struct http_reply *reply)
{
	struct audit_line line;

	if (!core->audit || (reply->status != 401 && reply->status != 403))
		return;
	audit_request_line(r, &line);
	line.kind = AUDIT_REFUSAL;
	add_outcome(reply, &line);
	audit_log_note(core->audit, &line);
}

static bool is_renewed(const json_t *outcome)
{
	return json_is_string(outcome) && !strcmp(json_string_value(outcome), "renewed");
}

/* Whether a member is another than before, by the answer: of one, or of several. */
static bool changed_members(const json_t *answer)
{
	const json_t *items = json_object_get(answer, "items"), *one;
	size_t i;

	json_array_foreach(items, i,
	                   one) if (!is_renewed(json_object_get(one, "outcome"))) return true;
	return !items && !is_renewed(json_object_get(answer, "outcome"));
}

/*
 * Members and verdicts change by the second: what somebody does to those of a pool is counted, and a renewal is nothing. The
 * reason that is on record is the first one's.
 */
static void note_members(struct core *core, const struct http_request *r, bool is_verdict,
                         const struct http_reply *reply)
{
	struct audit_line line;

	if (reply->status < 400 && !changed_members(reply->json))
		return;
	audit_request_line(r, &line);
	snprintf(line.path, sizeof(line.path), "%s%.63s%s",
	         is_verdict ? "/v1/verdicts/" : "/v1/pools/", r->parts[0],
	         is_verdict ? "" : "/members");
	add_outcome(reply, &line);
	line.kind = reply->status < 400 ? AUDIT_CHANGE : AUDIT_REFUSAL;
	audit_log_note(core->audit, &line);
}

void audit_request_answered(struct core *core, const struct route *route,
                            const struct http_request *r, const struct http_reply *reply)
{
	struct audit_line line;
	bool is_refused = reply->status >= 400;

	if (core->audit && (route_is_of_members(route) || route_is_of_verdicts(route))) {
		note_members(core, r, route_is_of_verdicts(route), reply);
		return;
	}
	if (!core->audit || !route_is_change(route) || reply->hold.until_ms ||
	    (is_dry(r) && !is_refused))
		return;
	audit_request_line(r, &line);
	add_outcome(reply, &line);
	line.replayed = reply->replayed;
	if (route->object == OBJECT_NONE)
		name_objects(r->json, line.object, sizeof(line.object));
	if (!is_refused)
		name_result(reply->json, line.result, sizeof(line.result));
	line.kind = is_refused ? AUDIT_REFUSAL : AUDIT_CHANGE;
	bool is_done = !is_refused || reply->status >= 500; /* it may have been carried out */
	if (is_done && !line.replayed)
		audit_log_write(core->audit, &line);
	else
		audit_log_note(core->audit, &line);
}
