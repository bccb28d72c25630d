/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit log, for who may do all: it says who did what from where, and which logins failed, also of those who would have it
 * say less. So its readers are few.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
#include "mgmt/api/audit_request.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/audit/heads.h"
#include "mgmt/audit/log.h"
#include "mgmt/core/field.h"
#include "mgmt/files/files.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/store/bootstrap.h"
#include "weir/json.h"
#include "weir/when.h"

#define LINES_USUAL    100u /* of an answer */
#define FILE_BYTES_MAX (4 * AUDIT_FILE_MAX)
#define PEERS_WAIT_MS  2000 /* for what peers hold */

/* --- lines --- */

/* Which lines are wanted. */
struct audit_filter {
	char since[CLOCK_TEXT_MAX];
	const char *who, *object, *kind; /* NULL: any */
	uint64_t before, limit;
};

/* An instant, the beginning of a day in UTC, or so long ago. @return 0 or -EINVAL */
static int read_since(const char *text, int64_t *ms)
{
	int64_t ago_ms;
	bool is_day;

	if (text[0] == '-' && !when_duration(text + 1, &ago_ms)) {
		int64_t now_ms = clock_believed_ms();

		*ms = ago_ms < now_ms ? now_ms - ago_ms : 0;
		return 0;
	}
	return clock_parse_day(text, ms, &is_day);
}

static bool is_kind(const char *word)
{
	for (int kind = 0; kind < AUDIT_N_KINDS; kind++)
		if (!strcmp(audit_kind_word(kind), word))
			return true;
	return false;
}

static bool read_filter(const struct http_request *r, struct audit_filter *out,
                        struct http_reply *reply)
{
	const char *since = http_query(r, "since");
	int64_t since_ms = 0;

	*out = (struct audit_filter){ .who = http_query(r, "who"),
		                      .object = http_query(r, "object"),
		                      .kind = http_query(r, "kind") };
	if (since && read_since(since, &since_ms)) {
		http_problem(reply, 400, "bad-request",
		             "since must be an instant, such as 2026-11-20T12:00:00Z, a day, or a "
		             "time ago, such as -1h");
		return false;
	}
	if (out->kind && !is_kind(out->kind)) {
		http_problem(reply, 400, "bad-request", "kind must be one of: %s",
		             AUDIT_KIND_WORDS);
		return false;
	}
	if (since)
		(void)clock_text(since_ms, out->since);
	return handle_number(r, "limit", 1, AUDIT_LIMIT_MOST, LINES_USUAL, &out->limit, reply) &&
	       handle_number(r, "before", 1, INT64_MAX, INT64_MAX, &out->before, reply);
}

static bool is_text(const char *text, size_t n, const char *who)
{
	return strlen(who) == n && !strncmp(text, who, n);
}

/* "ada" is who has this name by any way, also the person of "token:ci (ada)"; "token:ci" by that one. */
static bool is_who(const struct audit_line *line, const char *who)
{
	const char *colon = strchr(line->who, ':'), *name = colon ? colon + 1 : line->who,
	           *person = strstr(name, " ("), *end = person ? person : name + strlen(name);
	size_t n_person = person ? strlen(person + 2) : 0;

	return !strcmp(line->who, who) || !strcmp(line->author, who) ||
	       is_text(name, (size_t)(end - name), who) ||
	       is_text(line->who, (size_t)(end - line->who), who) ||
	       (n_person && is_text(person + 2, n_person - 1, who));
}

/* Whether @p path is @p object, or something in it; that may end in a slash. */
static bool is_within(const char *path, const char *object)
{
	size_t n = strlen(object);

	while (n > 0 && object[n - 1] == '/')
		n--;
	return !strncmp(path, object, n) && (path[n] == '\0' || path[n] == '/' || path[n] == ' ');
}

static bool is_object(const struct audit_line *line, const char *object)
{
	static const char v1[] = "/v1/";
	bool found =
	        is_within(line->path, object) || (!strncmp(line->path, v1, sizeof(v1) - 1) &&
	                                          is_within(line->path + sizeof(v1) - 1, object));

	for (const char *at = line->object; *at && !found; at += strspn(at, " ")) {
		found = is_within(at, object);
		at += strcspn(at, " ");
	}
	return found;
}

static bool is_match(const struct audit_line *line, const struct audit_filter *f)
{
	return line->seq < f->before && (!f->who || is_who(line, f->who)) &&
	       (!f->object || is_object(line, f->object)) &&
	       (!f->kind || !strcmp(audit_kind_word((int)line->kind), f->kind));
}

/*
 * Whether a line is of before @p since, by its text: a whole log is looked through faster than read. A clock may have stepped
 * back, so lines before such a one may be later, and it ends nothing.
 */
static bool is_older(const char *text, size_t n, const char *since)
{
	static const char name[] = "\"time\":\"";
	const char *at = memmem(text, n, name, sizeof(name) - 1);

	if (!*since || !at)
		return false;
	at += sizeof(name) - 1;
	return (size_t)(text + n - at) >= strlen(since) && strncmp(at, since, strlen(since)) < 0;
}

/* Add the wanted lines of a file, the last first. @return whether there may be more before it: not where the limit says so */
static bool add_lines(const char *text, size_t n, const struct audit_filter *f, json_t *items)
{
	while (n > 0 && json_array_size(items) < f->limit) {
		const char *before = memrchr(text, '\n', n - 1);
		size_t at = before ? (size_t)(before - text) + 1 : 0;
		struct audit_line line;

		if (!is_older(text + at, n - 1 - at, f->since) &&
		    !audit_line_read(text + at, n - 1 - at, &line) && is_match(&line, f))
			json_array_append_new(items, record_shown(&audit_line_record, &line));
		n = at;
	}
	return json_array_size(items) < f->limit;
}

static json_t *find_lines(const char *dir, const struct audit_filter *f)
{
	json_t *items = json_array();
	uint64_t *files = NULL;
	bool goes_on = true;

	for (ssize_t i = audit_log_files(dir, &files) - 1; i >= 0 && goes_on; i--) {
		char path[PATH_MAX], *text;
		size_t n;

		if (files[i] >= f->before)
			continue;
		audit_log_name(dir, files[i], path);
		if (files_slurp_within(path, FILE_BYTES_MAX, &text, &n))
			continue;                         /* it was dropped meanwhile */
		const char *end = memrchr(text, '\n', n); /* what is behind it is being written */
		goes_on = add_lines(text, end ? (size_t)(end - text) + 1 : 0, f, items);
		free(text);
	}
	free(files);
	return items;
}

#define AUDIT_ROWS(X, t)                                                                           \
	X(t, json_t *, items, .each = &audit_line_record)                                          \
	X(t, struct shown_number, before)
RECORD_ANSWER(audit_answer, "lines of the audit log", AUDIT_ROWS);

void handle_audit(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct audit_filter f;
	struct audit_log_state known = { .error = 0 };

	if (!read_filter(r, &f, reply))
		return;
	if (core->audit)
		audit_log_look(core->audit, &known);
	struct audit_answer a = { .items = find_lines(known.dir, &f) };
	const json_t *last = json_array_get(a.items, json_array_size(a.items) - 1);
	a.before = (struct shown_number){
		.known = json_array_size(a.items) == f.limit,
		.value = (uint64_t)json_integer_value(json_object_get(last, "seq")),
	};
	reply->json = record_shown(&audit_answer_kind, &a);
	reply->status = 200;
}

/* --- heads --- */

#define HELD_ROWS(X, t)                                                                            \
	X(t, const char *, peer)                                                                   \
	X(t, json_t *, heads, .each = &audit_head_record)
RECORD_SHOWN(audit_held, "heads that a peer holds", HELD_ROWS);

#define HEADS_ROWS(X, t)                                                                           \
	X(t, const char *, node)                                                                   \
	X(t, json_t *, own, .of = &audit_head_record, .or_null = true)                             \
	X(t, json_t *, at_peers, .each = &audit_held_kind)                                         \
	X(t, json_t *, unheard, .element = &record_string)                                         \
	X(t, json_t *, held, .each = &audit_head_record)
RECORD_ANSWER(audit_heads_answer, "heads of audit logs", HEADS_ROWS);

/* All are asked at once. Who does not say it in time is unheard, which is not the same as to hold no head. */
static void query_peers(struct core *core, struct audit_heads_answer *a)
{
	struct peer_query q = { .core = core, .query = "audit", .timeout_ms = PEERS_WAIT_MS };

	core_lock(core);
	const struct model *m = join_model(core->intent);
	snprintf(q.cluster, sizeof(q.cluster), "%s", m ? m->cluster : "");
	for (size_t i = 0; m && i < m->n_nodes; i++)
		(void)peer_query_add(&q, &m->nodes[i], NULL, NULL);
	core_unlock(core);
	(void)peer_query_send(&q);
	for (size_t i = 0; i < q.n; i++) {
		json_t *heads = json_object_get(q.requests[i].answer, "heads");

		if (json_is_array(heads))
			json_array_append_new(a->at_peers,
			                      SHOWN(audit_held, .peer = q.nodes[i].name,
			                            .heads = json_incref(heads)));
		else
			json_array_append_new(a->unheard, json_string(q.nodes[i].name));
	}
	peer_query_end(&q);
}

void handle_audit_heads(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct audit_heads_answer a = { .node = core->dirs.node,
		                        .at_peers = json_array(),
		                        .unheard = json_array() };
	struct audit_head own;

	(void)r;
	if (audit_log_head(core->audit, &own))
		a.own = record_shown(&audit_head_record, &own);
	a.held = core->audit_heads ? audit_heads_json(core->audit_heads, NULL) : json_array();
	query_peers(core, &a);
	reply->json = record_shown(&audit_heads_answer_kind, &a);
	reply->status = 200;
}

#define PEER_AUDIT_ROWS(X, t) X(t, json_t *, heads, .each = &audit_head_record)
RECORD_SHOWN(peer_audit, "heads of one node's audit log", PEER_AUDIT_ROWS);

/* What this node holds of the one that asks. */
void handle_peer_audit(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *node = json_get_text(r->json, "node");

	reply->json = SHOWN(peer_audit, .heads = core->audit_heads && node
	                                                 ? audit_heads_json(core->audit_heads, node)
	                                                 : json_array());
	reply->status = 200;
}

/* --- the key --- */

#define ROTATED_ROWS(X, t)                                                                         \
	X(t, const char *, former)                                                                 \
	X(t, const char *, key)
RECORD_ANSWER(audit_rotated, "key of the audit log", ROTATED_ROWS);

void handle_audit_rotate(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct audit_log_state former = { .error = 0 }, now = { .error = 0 };
	struct said_body said;
	struct field_reader f;
	struct audit_line by;

	field_read(&f, r->json, &said_body_kind, &said);
	if (!field_end(&f, reply) || !handle_no_dry_run(r, reply) || !handle_wait_ok(r, reply) ||
	    !handle_scope_has_all(r, "audit", reply))
		return;
	audit_request_line(r, &by);
	if (core->audit)
		audit_log_look(core->audit, &former);
	int err = core->audit ? audit_log_rotate(core->audit, &by) : -ENOENT;
	if (err) {
		http_problem(
		        reply, 503, "audit",
		        "the audit log of this node (%.150s) cannot be written: %s. The key is "
		        "as it was",
		        former.dir, strerror(-err));
		return;
	}
	audit_log_look(core->audit, &now);
	const struct audit_rotated a = { .former = former.key, .key = now.key };
	reply->json = record_shown(&audit_rotated_kind, &a);
	reply->status = 200;
}
