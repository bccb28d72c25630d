/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table is the only list of routes: requests are matched against it row by row, the
 * description of the API is made from it (openapi.c), and so is the check of query parameters. A
 * request passes twice: the gate sees its head alone, so that no body is read for a request that
 * will be refused; the handler sees all of it.
 */
#include "mgmt/api/route.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/api/audit_request.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/handle_files.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/api/idempotent.h"
#include "mgmt/controller/operation_body.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/core/proposal.h"
#include "mgmt/core/to_json.h"
#include "mgmt/files/files.h"
#include "mgmt/json/announcement.h"
#include "mgmt/json/explain.h"
#include "mgmt/json/observed.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/sync/shared_recover.h"
#include "mgmt/sync/shared_run.h"
#include "record/answers.h"
#include "weir/json.h"

#define VALUES_MAX  (4 * FILES_MAX) /* of a body: all files by their digests are three each */
#define VALUES_FREE 1024u           /* a body of so few counts for itself alone */

#define NO_BODY NULL
/* What the 2XX answer is: a text, a record, a list of records. */
#define TEXT_OF(media) NULL, false, OBJECT_NONE, media
#define ANSWER(kind)   &(kind), false, OBJECT_NONE, NULL
#define LIST_OF(kind)  &(kind), true, OBJECT_NONE, NULL
/*
 * Objects may be read by who may read the differences between versions and the status, which show the same settings: a
 * viewer. What a viewer may not read are files (GET /v1/config): their comments, and zones. There is no secret in a
 * setting; of the hash key a configuration has its file's name alone.
 */
#define OBJECT_ROUTES(kind, row, path, parent, word)                                               \
	{ "GET",                                                                                   \
	  "/v1/" path,                                                                             \
	  HTTP_VIEWER,                                                                             \
	  "filter limit cursor",                                                                   \
	  NO_BODY,                                                                                 \
	  handle_objects,                                                                          \
	  "Objects of the version in force, of the kind: " word,                                   \
	  &objects_answer_kind,                                                                    \
	  false,                                                                                   \
	  OBJECT_##kind,                                                                           \
	  NULL },                                                                                  \
	        { "GET",                                                                           \
		  "/v1/" path "/{}",                                                               \
		  HTTP_VIEWER,                                                                     \
		  "",                                                                              \
		  NO_BODY,                                                                         \
		  handle_object,                                                                   \
		  "One object of the version in force, of the kind: " word,                        \
		  NULL,                                                                            \
		  false,                                                                           \
		  OBJECT_##kind,                                                                   \
		  NULL },
/* Objects that others describe. */
static const struct record_kind openapi_kind = { .name = "description" };
static const struct record_kind exchanged_kind = { .name = "what nodes exchange" };

#define EDIT_ROUTE(method, path, handler_, what, kind)                                             \
	{ method,  path,          HTTP_OPERATOR, ROUTE_EDITS,                                      \
	  NO_BODY, handler_,      what,          &edit_answer_kind,                                \
	  false,   OBJECT_##kind, NULL },
#define OBJECT_EDITS(kind, row, path, parent, word)                                                \
	EDIT_ROUTE("PUT", "/v1/" path "/{}", handle_object_edit,                                   \
	           "Replace or create, of the kind: " word, kind)                                  \
	EDIT_ROUTE("PATCH", "/v1/" path "/{}", handle_object_edit,                                 \
	           "Change settings (RFC 7396), of the kind: " word, kind)                         \
	EDIT_ROUTE("DELETE", "/v1/" path "/{}", handle_object_edit, "Remove, of the kind: " word,  \
	           kind)

const struct route route_table[] = {
	{ "GET", "/", HTTP_VIEWER, "", NO_BODY, handle_page, "The status page, for people",
	  TEXT_OF("text/html") },
	{ "GET", "/healthz", HTTP_NO_ROLE, "", NO_BODY, handle_healthz,
	  "Whether this process answers", TEXT_OF("text/plain") },
	{ "GET", "/metrics", HTTP_METRICS, "", NO_BODY, handle_metrics,
	  "All processes' counters, for Prometheus", TEXT_OF("text/plain") },
	{ "GET", "/v1/config", HTTP_OPERATOR, "", NO_BODY, handle_config_get,
	  "The head with its files", ANSWER(version_shown) },
	{ "POST", "/v1/config/check", HTTP_VIEWER, "", &check_body_kind, handle_config_check,
	  "Check the files of a configuration", ANSWER(check_answer_kind) },
	{ "POST", "/v1/config/plan", HTTP_VIEWER, "", &plan_body_kind, handle_config_plan,
	  "What would change if these files were applied", ANSWER(change_answer_kind) },
	{ "POST", "/v1/what-if", HTTP_OPERATOR, "", &what_if_body_kind, handle_what_if,
	  "What these files would have done to the clients of the last minutes",
	  ANSWER(what_if_answer_kind) },
	{ "POST", "/v1/config/apply", HTTP_OPERATOR, ROUTE_GATED, &apply_body_kind,
	  handle_config_apply, "Apply files as a new version", ANSWER(change_answer_kind) },
	{ "POST", "/v1/files", HTTP_OPERATOR, "", &upload_body_kind, handle_files,
	  "Upload files in parts, by digest; or ask how much of each is here",
	  ANSWER(upload_answer_kind) },
	{ "GET", "/v1/versions", HTTP_VIEWER, "limit before", NO_BODY, handle_versions,
	  "Versions, newest first", ANSWER(versions_answer_kind) },
	{ "GET", "/v1/versions/{}", HTTP_VIEWER, "files", NO_BODY, handle_version, "One version",
	  ANSWER(version_shown) },
	{ "GET", "/v1/versions/{}/diff/{}", HTTP_VIEWER, "", NO_BODY, handle_version_diff,
	  "Differences between two versions", ANSWER(diff_answer_kind) },
	{ "GET", "/v1/blame", HTTP_VIEWER, "path cursor", NO_BODY, handle_blame,
	  "Which version last changed an object or a setting", ANSWER(blame_answer_kind) },
	{ "POST", "/v1/versions/{}/rollback", HTTP_ONCALL, ROUTE_GATED, &rollback_body_kind,
	  handle_rollback, "A new version with the files of an old one",
	  ANSWER(change_answer_kind) },
	{ "POST", "/v1/versions/{}/confirm", HTTP_ONCALL, ROUTE_CHANGES, &confirm_body_kind,
	  handle_confirm, "Confirm the version in force", ANSWER(confirm_answer_kind) },
	OBJECT_KINDS(OBJECT_ROUTES) OBJECT_KINDS(OBJECT_EDITS){
	        "POST", "/v1/changes", HTTP_OPERATOR, ROUTE_GATED, &changes_body_kind,
	        handle_changes, "Edit several objects as one version",
	        ANSWER(changes_answer_kind) },
	{ "GET", "/v1/proposals", HTTP_VIEWER, "limit", NO_BODY, handle_proposals,
	  "Changes that wait for approvals, and those that have them",
	  LIST_OF(proposal_shown_kind) },
	{ "GET", "/v1/proposals/{}", HTTP_VIEWER, "", NO_BODY, handle_proposal, "One proposal",
	  ANSWER(proposal_shown_kind) },
	{ "POST", "/v1/proposals/{}/approve", HTTP_OPERATOR, ROUTE_CHANGES, &decision_body_kind,
	  handle_proposal_approve, "Approve what another person has proposed",
	  ANSWER(proposal_shown_kind) },
	{ "POST", "/v1/proposals/{}/withdraw", HTTP_OPERATOR, ROUTE_CHANGES, &decision_body_kind,
	  handle_proposal_withdraw, "Take a proposal back: it cannot be used",
	  ANSWER(proposal_shown_kind) },
	{ "GET", "/v1/pools/{}/members", HTTP_VIEWER, "filter limit cursor", NO_BODY,
	  handle_members, "Members that programs registered", ANSWER(members_answer_kind) },
	{ "POST", "/v1/pools/{}/members", HTTP_ONCALL, ROUTE_MEMBERS, &members_body_kind,
	  handle_members_change, "Put and take away members, all or none",
	  ANSWER(members_changed_kind) },
	{ "GET", "/v1/pools/{}/members/{}", HTTP_VIEWER, "", NO_BODY, handle_member, "One member",
	  ANSWER(member_shown_kind) },
	{ "PUT", "/v1/pools/{}/members/{}", HTTP_ONCALL, ROUTE_MEMBERS, &member_body_kind,
	  handle_member_put, "Register a backend, change its weight, or renew it",
	  ANSWER(member_shown_kind) },
	{ "GET", "/v1/verdicts", HTTP_VIEWER, "filter limit cursor", NO_BODY, handle_verdicts,
	  "What programs say of targets of external checks", ANSWER(verdicts_answer_kind) },
	{ "GET", "/v1/verdicts/{pool}/{backend}", HTTP_VIEWER, "", NO_BODY, handle_verdict,
	  "What programs say of one target", ANSWER(verdict_shown_kind) },
	{ "PUT", "/v1/verdicts/{pool}/{backend}", HTTP_ONCALL, "", &verdict_body_kind,
	  handle_verdict_put, "Say that a target is up or down, or renew that",
	  ANSWER(verdict_shown_kind) },
	{ "DELETE", "/v1/verdicts/{pool}/{backend}", HTTP_ONCALL, "", NO_BODY,
	  handle_verdict_delete, "Take a verdict back: the target is unknown",
	  ANSWER(verdict_shown_kind) },
	{ "DELETE", "/v1/pools/{}/members/{}", HTTP_ONCALL, ROUTE_MEMBERS, NO_BODY,
	  handle_member_delete, "Let a member leave: it is drained, then gone",
	  ANSWER(member_shown_kind) },
	{ "GET", "/v1/overrides", HTTP_VIEWER, "ended limit", NO_BODY, handle_overrides,
	  "Overrides in force", LIST_OF(override_shown) },
	{ "GET", "/v1/overrides/{}", HTTP_VIEWER, "", NO_BODY, handle_override, "One override",
	  ANSWER(override_shown) },
	{ "POST", "/v1/overrides", HTTP_ONCALL, ROUTE_CHANGES, &command_body_kind, handle_command,
	  "Drain, disable, force up, hold, undrain, enable", ANSWER(command_answer_kind) },
	{ "GET", "/v1/operations", HTTP_VIEWER, "state limit", NO_BODY, handle_operations,
	  "Operations, newest first", LIST_OF(operation_summary_record) },
	{ "POST", "/v1/operations", HTTP_ONCALL, ROUTE_CHANGES, &begin_body_kind,
	  handle_operation_begin, "Drain, shift or undrain sites, by measurement",
	  ANSWER(operation_shown_record) },
	{ "GET", "/v1/operations/{}", HTTP_VIEWER, "wait_ms since", NO_BODY, handle_operation,
	  "One operation; may wait for its next change", ANSWER(operation_shown_record) },
	{ "POST", "/v1/operations/{}/hold", HTTP_ONCALL, ROUTE_CHANGES, &order_body_kind,
	  handle_operation_order, "Hold an operation where it is", ANSWER(operation_shown_record) },
	{ "POST", "/v1/operations/{}/resume", HTTP_ONCALL, ROUTE_CHANGES, &order_body_kind,
	  handle_operation_order, "Let a held operation go on", ANSWER(operation_shown_record) },
	{ "POST", "/v1/operations/{}/abort", HTTP_ONCALL, ROUTE_CHANGES, &order_body_kind,
	  handle_operation_order, "Let an operation go back to where it began",
	  ANSWER(operation_shown_record) },
	{ "POST", "/v1/operations/{}/take", HTTP_ONCALL, ROUTE_CHANGES, &order_body_kind,
	  handle_operation_order, "Make this node the owner of an operation",
	  ANSWER(operation_shown_record) },
	{ "GET", "/v1/sites/{}/arrivals", HTTP_VIEWER, "", NO_BODY, handle_arrivals,
	  "What keeps a site from being switched off", ANSWER(arrivals_answer_kind) },
	{ "GET", "/v1/drills", HTTP_VIEWER, "ended limit", NO_BODY, handle_drills,
	  "Drills of backups, with what the nodes counted", LIST_OF(drill_shown_kind) },
	{ "POST", "/v1/drills", HTTP_ONCALL, ROUTE_CHANGES, &drill_body_kind, handle_drill_begin,
	  "Send new flows of some clients at a site to its backups", ANSWER(drill_shown_kind) },
	{ "GET", "/v1/drills/{}", HTTP_VIEWER, "", NO_BODY, handle_drill, "One drill",
	  ANSWER(drill_shown_kind) },
	{ "POST", "/v1/drills/{}/end", HTTP_ONCALL, ROUTE_CHANGES, &said_body_kind,
	  handle_drill_end, "End a drill now", ANSWER(drill_shown_kind) },
	{ "GET", "/v1/status", HTTP_VIEWER, "pool site limit", NO_BODY, handle_status,
	  "Intent, observation and effect of everything", ANSWER(status_answer_kind) },
	{ "GET", "/v1/store", HTTP_VIEWER, "", NO_BODY, handle_store,
	  "The store that nodes share, and what this node has of it", ANSWER(store_answer_kind) },
	{ "POST", "/v1/store/accept", HTTP_ADMIN, ROUTE_CHANGES, &said_body_kind,
	  handle_store_accept, "Say that a store that went back is right; all nodes follow it",
	  ANSWER(recovery_answer_kind) },
	{ "POST", "/v1/store/rebuild", HTTP_ADMIN, ROUTE_CHANGES, &said_body_kind,
	  handle_store_rebuild, "Make a lost store again, from this node's copy",
	  ANSWER(recovery_answer_kind) },
	{ "GET", "/v1/audit", HTTP_ADMIN, "since who object kind limit before", NO_BODY,
	  handle_audit, "Lines of this node's audit log, newest first", ANSWER(audit_answer_kind) },
	{ "GET", "/v1/audit/heads", HTTP_ADMIN, "", NO_BODY, handle_audit_heads,
	  "Heads of audit logs: of this node at its peers, and of others here",
	  ANSWER(audit_heads_answer_kind) },
	{ "POST", "/v1/audit/rotate", HTTP_ADMIN, ROUTE_CHANGES, &said_body_kind,
	  handle_audit_rotate, "Sign the audit log by a new key from now on",
	  ANSWER(audit_rotated_kind) },
	{ "GET", "/v1/clock", HTTP_VIEWER, "", NO_BODY, handle_clock,
	  "The believed time, by which schedules run, and the wall clock",
	  ANSWER(clock_answer_kind) },
	{ "POST", "/v1/clock/accept", HTTP_ONCALL, ROUTE_CHANGES, &said_body_kind,
	  handle_clock_accept, "Accept the wall clock as it is now", ANSWER(clock_answer_kind) },
	{ "GET", "/v1/node", HTTP_VIEWER, "", NO_BODY, handle_node, "This node",
	  ANSWER(node_shown_kind) },
	{ "GET", "/v1/openapi.json", HTTP_VIEWER, "", NO_BODY, handle_openapi,
	  "This interface, as OpenAPI 3.1", ANSWER(openapi_kind) },
	{ "GET", "/v1/processes", HTTP_VIEWER, "limit", NO_BODY, handle_processes,
	  "This node's processes", LIST_OF(process_row_kind) },
	{ "GET", "/v1/dataplane", HTTP_OPERATOR, "", NO_BODY, handle_dataplane,
	  "What weir-dataplane forwards with: driver, ports, sizes", ANSWER(dataplane_shown_kind) },
	{ "GET", "/v1/dataplane/backends", HTTP_OPERATOR, "pool", NO_BODY,
	  handle_dataplane_backends, "The backends in the forwarding tables, with their next hops",
	  ANSWER(backends_shown_kind) },
	{ "GET", "/v1/trace", HTTP_OPERATOR, "source destination length", NO_BODY, handle_trace,
	  "What the forwarding code does with a packet, step by step", ANSWER(trace_shown_kind) },
	{ "GET", "/v1/announcements", HTTP_VIEWER, "vip limit", NO_BODY, handle_announcements,
	  "What this node announces to routers, and why", ANSWER(announcements_shown_kind) },
	{ "GET", "/v1/peers", HTTP_VIEWER, "limit", NO_BODY, handle_peers, "The other nodes",
	  LIST_OF(peer_shown_kind) },
	{ "GET", "/v1/health", HTTP_VIEWER, "limit", NO_BODY, handle_health,
	  "The last observation of each health check target", LIST_OF(target_row_kind) },
	{ "GET", "/v1/health/targets", HTTP_OPERATOR, "pool", NO_BODY, handle_health_targets,
	  "What weir-health knows of each target: the last probe, and why it ended so",
	  ANSWER(health_shown_kind) },
	{ "POST", "/v1/health/check", HTTP_OPERATOR, "", &probe_body_kind, handle_health_check,
	  "Probe a target now", ANSWER(probed_shown_kind) },
	{ "GET", "/v1/dns", HTTP_VIEWER, "", NO_BODY, handle_dns,
	  "What weir-dns serves, and how it chooses among sites", ANSWER(dns_shown_kind) },
	{ "GET", "/v1/dns/explain", HTTP_OPERATOR, "name type client resolver tcp at", NO_BODY,
	  handle_dns_explain, "What weir-dns answers to a query, step by step",
	  ANSWER(explanation_shown) },
	{ "POST", "/v1/zones/reload", HTTP_OPERATOR, ROUTE_GATED, &reload_body_kind,
	  handle_zones_reload, "Reload zone files from this node's disk",
	  ANSWER(change_answer_kind) },
	{ "GET", "/v1/events", HTTP_VIEWER, "since limit wait_ms", NO_BODY, handle_events,
	  "Events after an id; may wait for the next one", ANSWER(events_answer_kind) },
	{ "POST", "/v1/peer/exchange", HTTP_PEER, "", NO_BODY, handle_peer_exchange,
	  "Between nodes: what is new of you, or of your site; or one thing more",
	  ANSWER(exchanged_kind) },
	{ "POST", "/v1/peer/files", HTTP_PEER, "", NO_BODY, handle_peer_files,
	  "Between nodes: parts of files by their digests", ANSWER(parts_answer_kind) },
	{ "GET", "/v1/peer/connections", HTTP_PEER, "", NO_BODY, handle_peer_connection_state,
	  "Between nodes of a site: what weir-dataplane knows of slots", ANSWER(exchanged_kind) },
};
const size_t route_table_n = sizeof(route_table) / sizeof(route_table[0]);

/* Match @p path; what stands for {} goes to @p parts. No name has a slash, so "%2F" matches nothing. */
static bool path_matches(const char *pattern, const char *path, char parts[][HTTP_TEXT_MAX])
{
	size_t n_parts = 0;

	while (*pattern && *path) {
		if (pattern[0] == '{') {
			size_t n = strcspn(path, "/");

			if (n_parts == HTTP_PARTS_MAX || !http_path_part(path, n, parts[n_parts++]))
				return false;
			pattern += strcspn(pattern, "}") + 1;
			path += n;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*pattern && !*path;
}

/* Whether @p role is enough for @p least; metrics and peers are not part of the ladder. */
static bool role_reaches(enum http_role role, enum http_role least)
{
	if (least == HTTP_METRICS)
		return role == HTTP_METRICS || role >= HTTP_VIEWER;
	if (least == HTTP_PEER)
		return role == HTTP_PEER || role >= HTTP_ADMIN;
	return role >= least;
}

/*
 * A row that matches by path but not by method does not end the search: a 405 names all methods of
 * the path.
 */
static const struct route *find_route(const struct http_request *r, char parts[][HTTP_TEXT_MAX],
                                      struct http_reply *reply)
{
	char allow[sizeof(reply->allow)] = "";

	for (size_t i = 0; i < route_table_n; i++) {
		if (!path_matches(route_table[i].path, r->path, parts))
			continue;
		if (!strcmp(route_table[i].method, r->method))
			return &route_table[i];
		size_t n = strlen(allow);
		snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "",
		         strcmp(route_table[i].method, "GET") ? route_table[i].method
		                                              : "GET, HEAD");
	}
	if (allow[0]) {
		http_problem(reply, 405, "method-not-allowed",
		             "%s is not allowed for %.100s; allowed: %s", r->method, r->path,
		             allow);
		memcpy(reply->allow, allow, sizeof(allow));
		return NULL;
	}
	http_problem(reply, 404, "not-found", "there is no resource %.100s", r->path);
	return NULL;
}

static bool is_word_of(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; n > 0 && (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

static bool query_ok(const struct route *route, const struct http_request *r,
                     struct http_reply *reply)
{
	for (size_t i = 0; i < r->n_query; i++)
		if (!is_word_of(route->query, r->query[i].name)) {
			http_problem(reply, 400, "bad-request", "unknown query parameter %.32s%s%s",
			             r->query[i].name, *route->query ? "; known: " : "",
			             route->query);
			return false;
		}
	return true;
}

/* Count the values of a body unparsed: jansson takes up to 340 bytes for each of these marks. */
static size_t count_values(const char *body, size_t n)
{
	bool in_text = false;
	size_t n_values = 0;

	for (size_t i = 0; i < n; i++) {
		if (body[i] == '"')
			in_text = !in_text;
		else if (in_text)
			i += body[i] == '\\';
		else
			n_values += body[i] == '{' || body[i] == '[' || body[i] == ',';
	}
	return n_values;
}

static atomic_size_t n_values_reserved; /* of the bodies of all threads */

/*
 * Reserve @p n values of the bound for all bodies; half of it is for operators, whom others could
 * otherwise shut out. A peer's body is not counted.
 */
static bool reserve_values(struct http_request *r, size_t n)
{
	size_t most = (r->role >= HTTP_OPERATOR ? 2u : 1u) * (size_t)VALUES_MAX;
	size_t reserved = atomic_load(&n_values_reserved);

	if (n <= VALUES_FREE || r->role == HTTP_PEER)
		return true;
	do
		if (reserved + n > most)
			return false;
	while (!atomic_compare_exchange_weak(&n_values_reserved, &reserved, reserved + n));
	r->n_values = n;
	return true;
}

/* Free the parsed body, and give its values back. */
static void free_body(struct http_request *r)
{
	json_decref(r->json);
	r->json = NULL;
	if (r->n_values > VALUES_MAX / 8)
		malloc_trim(0); /* else each thread's arena keeps the pages of its largest body */
	atomic_fetch_sub(&n_values_reserved, r->n_values);
	r->n_values = 0;
}

/* Parse the body of a POST, PUT or PATCH; of a POST none is an empty object. */
static bool read_body(struct http_request *r, struct http_reply *reply)
{
	json_error_t error;

	if (!http_method_has_body(r->method))
		return true;
	if (r->n_body == 0 && !strcmp(r->method, "POST")) {
		r->json = json_object();
		return true;
	}
	size_t n = count_values(r->body, r->n_body);
	if (n > VALUES_MAX && r->role != HTTP_PEER) {
		http_problem(reply, 413, "too-large", "the body has more than %u values",
		             VALUES_MAX);
		return false;
	}
	if (!reserve_values(r, n)) {
		http_problem(reply, 503, "busy",
		             "other large bodies are being read; ask again in a second");
		reply->retry_s = 1;
		return false;
	}
	r->json = json_read(r->body, r->n_body, JSON_REJECT_DUPLICATES, &error);
	if (r->json && json_is_object(r->json))
		return true;
	http_problem(reply, 422, "invalid", "the body is not one JSON object: %s, line %d",
	             r->json ? "another value" : error.text, r->json ? 1 : error.line);
	return false;
}

/* When memory was short, an answer may lack parts and a refusal may be wrong. */
static void check_memory(struct http_reply *reply)
{
	if (!memory_failed() || reply->status >= 500)
		return;
	bool done = reply->status < 400;

	http_problem(reply, 503, "busy", "out of memory: %s",
	             done ? "the request was carried out, but the answer is incomplete; check the "
	                    "state before you try again"
	                  : "nothing was changed; try again");
}

static void run_route(struct core *core, const struct route *route, struct http_request *r,
                      struct http_reply *reply)
{
	bool keyed = *r->key && route_is_change(route);
	struct store_request once = { .key = "" };

	r->request = keyed ? &once : NULL;
	if (!keyed || !idempotent_begin(core, r, reply)) {
		if (audit_request_may(core, route, r, reply))
			route->handler(core, r, reply);
		check_memory(reply);
		if (keyed)
			idempotent_end(core, r, reply);
	}
	r->request = NULL;
}

/* Check that a body is JSON: a form on a page of another site cannot send that. */
static bool type_ok(const struct http_request *request, struct http_reply *reply)
{
	static const char patch[] = "application/merge-patch+json";

	if (!strcmp(request->method, "PATCH") && !request->body_is_patch) {
		http_problem(reply, 415, "not-json", "send Content-Type: %s (RFC 7396)", patch);
		reply->accept_patch = patch;
		return false;
	}
	if (!strcmp(request->method, "PATCH") || !http_method_has_body(request->method) ||
	    request->body_is_json)
		return true;
	http_problem(reply, 415, "not-json",
	             "send Content-Type: application/json, even without a body");
	return false;
}

/* Check the role and the type of the body. */
static bool may_call(const struct route *route, const struct http_request *request,
                     struct http_reply *reply)
{
	bool is_anonymous = request->role == HTTP_NO_ROLE;

	if (route->role > HTTP_NO_ROLE && request->unjudged) {
		http_problem(reply, 503, "busy",
		             "who asks cannot be found out now; ask again in a second");
		reply->retry_s = 1;
		return false;
	}
	if (!role_reaches(request->role, route->role)) {
		http_problem(reply, is_anonymous ? 401 : 403,
		             is_anonymous ? "unauthorized" : "forbidden",
		             is_anonymous ? "a valid token is needed"
		                          : "the role does not permit this request");
		if (is_anonymous)
			snprintf(reply->challenge, sizeof(reply->challenge), "%s realm=\"weir\"",
			         strcmp(request->path, "/") ? "Bearer" : "Basic");
		return false;
	}
	/* nodes pass on what any of their clients may do */
	if (route->role == HTTP_PEER && !handle_scope_has_all(request, "peer", reply))
		return false;
	return type_ok(request, reply);
}

bool route_gate(struct core *core, const struct http_request *request, struct http_reply *reply)
{
	char parts[HTTP_PARTS_MAX][HTTP_TEXT_MAX];
	const struct route *route = find_route(request, parts, reply);

	bool may = route && may_call(route, request, reply);
	if (!may)
		audit_request_refused(core, request, reply);
	return may;
}

void route_handle(struct core *core, struct http_request *request, struct http_reply *reply)
{
	memory_forget();
	request->began_ns = clock_mono_ns();
	const struct route *route = find_route(request, request->parts, reply);

	if (route && may_call(route, request, reply) && query_ok(route, request, reply) &&
	    read_body(request, reply))
		run_route(core, route, request, reply);
	check_memory(reply);
	if (route)
		audit_request_answered(core, route, request, reply);
	free_body(request);
}
