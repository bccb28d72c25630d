/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What handlers share: preconditions, query parameters, and waiting for a change's effect. Waiting
 * polls: under the lock it compares what the processes and the peers show with the change, sleeps
 * on the core's condition, and looks again.
 */
#include "mgmt/api/handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/sync/inforce_judge.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/status/status.h"
#include "mgmt/json/command.h"
#include "mgmt/store/bootstrap.h"
#include "weir/json.h"

#define WAIT_LOCAL_MS   3000u                       /* where a process is silent */
#define WAIT_VERSION_MS (INFORCE_WITHIN_MS + 2000u) /* until this node has judged */
#define WAIT_ALL_MS     (INFORCE_WITHIN_MS + 6000u) /* and the peers, and have been heard */
#define WAIT_MAX_MS     60000u /* a client that wants more asks again: each wait occupies a thread */
#define LOOK_EVERY_MS   20u /* between two looks: processes take a document within milliseconds */
#define LIMIT_MAX       100000u /* more entries than any list has */

bool handle_if_match(const struct http_request *r, const char *etag, bool required,
                     struct http_reply *reply)
{
	if (!*r->if_match && required) {
		http_problem(reply, 428, "if-match-required",
		             "send If-Match with the ETag that you read, or \"*\"");
		return false;
	}
	if (!*r->if_match || !strcmp(r->if_match, "*") || http_names_etag(r->if_match, etag, false))
		return true;
	http_problem(reply, 412, "stale", "If-Match does not match: the current ETag is %s",
	             *etag ? etag : "none");
	json_object_set_new(reply->json, "head", json_string(etag));
	return false;
}

bool handle_filter_ok(struct core *core, const struct status_filter *filter,
                      struct http_reply *reply)
{
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	bool pool_ok = !filter->pool || (m && model_pool(m, filter->pool)),
	     site_ok = !filter->site || (m && model_site(m, filter->site));

	core_unlock(core);
	if (!pool_ok)
		http_problem(reply, 404, "not-found", "there is no pool %.60s", filter->pool);
	else if (!site_ok)
		http_problem(reply, 404, "not-found", "there is no site %.60s", filter->site);
	return pool_ok && site_ok;
}

bool handle_flag(const struct http_request *r, const char *name, bool *out,
                 struct http_reply *reply)
{
	const char *value = http_query(r, name);

	*out = value && !strcmp(value, "true");
	if (!value || *out || !strcmp(value, "false"))
		return true;
	http_problem(reply, 400, "bad-request", "%s must be true or false", name);
	return false;
}

bool handle_may_command(struct core *core, struct http_reply *reply)
{
	core_lock(core);
	uint64_t version = intent_left_out(core->intent);
	core_unlock(core);
	if (version)
		http_problem(
		        reply, 409, "not-a-node",
		        "node %s is not in version %" PRIu64
		        ", which is in force: it commands nothing, and nothing was changed. Give "
		        "the command at another node. If this one was removed, stop it: systemctl "
		        "disable --now weir",
		        core->dirs.node, version);
	return !version;
}

bool handle_no_dry_run(const struct http_request *r, struct http_reply *reply)
{
	bool dry_run;

	if (!handle_flag(r, "dry_run", &dry_run, reply))
		return false;
	if (dry_run)
		http_problem(reply, 422, "invalid",
		             "dry_run: this request has none; nothing was changed");
	return !dry_run;
}

static bool read_query_number(const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 15 || text[n])
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

bool handle_number(const struct http_request *r, const char *name, uint64_t least, uint64_t most,
                   uint64_t fallback, uint64_t *out, struct http_reply *reply)
{
	const char *value = http_query(r, name);

	*out = fallback;
	if (!value || (read_query_number(value, out) && *out >= least && *out <= most))
		return true;
	http_problem(reply, 400, "bad-request", "%s must be a number from %" PRIu64 " to %" PRIu64,
	             name, least, most);
	return false;
}

bool handle_limit(const struct http_request *r, uint64_t *out, struct http_reply *reply)
{
	return handle_number(r, "limit", 1, LIMIT_MAX, LIMIT_MAX, out, reply);
}

static const struct record_kind listed_record =
        RECORD_OF(struct handle_listed, "list", NULL, SHOW(struct handle_listed, items),
                  SHOW(struct handle_listed, more));

void handle_list(json_t *items, uint64_t limit, struct http_reply *reply)
{
	struct handle_listed list = { .items = items };

	for (; json_array_size(items) > limit; list.more++)
		json_array_remove(items, json_array_size(items) - 1);
	reply->json = record_shown(&listed_record, &list);
	reply->status = 200;
}

bool handle_part_number(const struct http_request *r, uint64_t *out, struct http_reply *reply)
{
	if (read_query_number(r->parts[0], out) && *out > 0)
		return true;
	http_problem(reply, 404, "not-found", "%.60s is not a version number", r->parts[0]);
	return false;
}

static bool wants_all(const struct http_request *r)
{
	const char *wait = http_query(r, "wait");

	return wait && !strcmp(wait, "all");
}

bool handle_wait_ok(const struct http_request *r, struct http_reply *reply)
{
	const char *wait = http_query(r, "wait");
	uint64_t ms;

	if (wait && strcmp(wait, "all") && strcmp(wait, "local")) {
		http_problem(reply, 400, "bad-request", "wait must be local or all");
		return false;
	}
	return handle_number(r, "wait_ms", 0, WAIT_MAX_MS, 0, &ms, reply);
}

/*
 * This node's state, and whether all its processes have taken the document. One that is silent
 * takes nothing; one that was never there lacks nothing.
 */
static json_t *own_state(struct core *core, bool *complete, bool *busy)
{
	const char *reason = intent_unwritten_reason(core->intent);
	uint64_t document = intent_document(core->intent);
	json_t *behind = json_array();
	bool silent = false;

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct gather_process s = observe_look(core, (enum observe_process)p, NULL);

		silent |= s.present && !s.running;
		if (s.present && (!s.running || s.document < document))
			json_array_append_new(behind,
			                      json_string(observe_name((enum observe_process)p)));
	}
	*complete = !*reason && json_array_size(behind) == 0;
	*busy = !*reason && !silent;
	return node_to_json(core->dirs.node, reason, *complete, behind);
}

/* Add a node's judgement of the version, unless the version is simply in force. */
static void add_judgement(json_t *node, const struct inforce *f)
{
	if (f->rolled_back)
		json_object_set_new(node, "rolled_back", json_true());
	if (f->state != INFORCE_REFUSED && f->state != INFORCE_LATE)
		return;
	json_object_set_new(node, "state", json_string(inforce_text(f->state)));
	json_object_set_new(node, "process", json_string(f->process));
	json_object_set_new(node, "detail", inforce_detail(f));
	if (f->state == INFORCE_REFUSED)
		json_object_set_new(node, "code", json_string(f->code));
}

/* A wait for a change: its document on all nodes and, for a version, the nodes' judgements. */
struct change_wait {
	bool all;
	uint64_t number; /* of the version; 0: it is no change of configuration */
	char digest[DIGEST_TEXT_MAX];
	uint64_t until_ms, busy_until_ms; /* monotonic: the end; the same where it is busy */
	uint64_t queried_ms;              /* when weir-dns was asked last */
	bool complete, pending;           /* all is in force; something may still change */
	bool is_gone; /* the version is in force here no more: what the peers will say of it changes nothing */
	bool busy; /* what is behind here has shown a sign of life: large documents take seconds */
};

static bool is_waited_for(const struct change_wait *w, const struct version *v)
{
	return v && v->number == w->number && !strcmp(v->digest, w->digest);
}

/* Whether the version that is waited for is in force here still: where a store decides, its end takes a moment. */
static bool is_still_in_force(const struct core *core, const struct change_wait *w)
{
	return is_waited_for(w, intent_head(core->intent));
}

/* Whether it is in force at other nodes alone, where it has to prove itself before it comes here. */
static bool is_elsewhere(const struct core *core, const struct change_wait *w)
{
	struct version waiting;

	return !is_still_in_force(core, w) && intent_waiting(core->intent, &waiting) &&
	       is_waited_for(w, &waiting);
}

/* Whether it is to be in force here, and is not yet: its files are on their way. */
static bool is_coming(const struct core *core, const struct change_wait *w)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	return !is_still_in_force(core, w) &&
	       is_waited_for(w,
	                     history_in_force(shared_intent_history(core->intent), clock.now_ms));
}

/*
 * The version that has taken the place of the one that is waited for: a peer or the deadline rolled
 * that back, or another change made at the same time won. NULL: it is in force, or what is in force
 * was built on it.
 */
static const struct version *find_replacing(const struct core *core, const struct change_wait *w)
{
	const struct version *head = intent_head(core->intent);
	struct version kept;

	if (!w->number || !head || is_still_in_force(core, w) || is_elsewhere(core, w) ||
	    is_coming(core, w))
		return NULL;
	int err = intent_version(core->intent, w->number, &kept, NULL);

	/* what cannot be read is not known: no reason to call it lost */
	return head->number <= w->number || err == -ENOENT ||
	                       (!err && strcmp(kept.digest, w->digest) != 0)
	               ? head
	               : NULL;
}

/*
 * The judgement of the version that is waited for. If a later one was built on it before it was judged, that one's counts:
 * nobody judges this one any more. What a node refuses is the later one's own.
 */
static const struct inforce *judge_own(struct core *core, const struct change_wait *w)
{
	inforce_judge(core);
	const struct inforce *f = inforce_of(core, w->number);
	const struct version *head = intent_head(core->intent);

	if ((f && f->state != INFORCE_PENDING) || !head || head->number <= w->number ||
	    find_replacing(core, w))
		return f;
	const struct inforce *later = inforce_of(core, head->number);
	return later && (later->state == INFORCE_REFUSED || later->rolled_back) ? f : later;
}

static void add_replacing_version(json_t *node, const struct version *by, bool rolled_back)
{
	char text[VERSION_AUTHOR_MAX + VERSION_REASON_MAX + MODEL_NAME_MAX + 64];

	snprintf(text, sizeof(text), "version %" PRIu64 " by %s on %s is in force: %s", by->number,
	         by->author, by->node, by->reason);
	json_object_set_new(node, "state", json_string("superseded"));
	if (rolled_back)
		json_object_set_new(node, "rolled_back", json_true());
	json_object_set_new(node, "detail", json_text(text));
}

/* The state of this node: what its processes show, and its judgement of the version. */
static json_t *own_node_to_json(struct core *core, struct change_wait *w)
{
	bool complete;
	json_t *node = own_state(core, &complete, &w->busy);
	const struct inforce *f = w->number ? judge_own(core, w) : NULL;
	bool ends = f && f->rolled_back, is_back = ends && !is_still_in_force(core, w);
	const struct version *by = ends ? NULL : find_replacing(core, w);
	bool gone = by || is_back;
	if (f) {
		complete &= f->state == INFORCE_DONE && !gone;
		struct inforce judged = *f;

		judged.rolled_back = is_back;
		add_judgement(node, &judged);
		if (!complete && f->state == INFORCE_DONE)
			json_object_set_new(node, "state", json_string("written"));
		if (ends && !is_back && f->state == INFORCE_DONE)
			json_object_set_new(
			        node, "detail",
			        json_string("a node refuses it; its end is not in the store yet"));
	}
	if (by) {
		complete = false;
		add_replacing_version(node, by, by->number < w->number);
	} else if (w->number && is_coming(core, w)) {
		complete = false;
		json_object_set_new(node, "state", json_string("pending"));
		json_object_set_new(node, "detail", json_string("its files are not here yet"));
	} else if (w->number && is_elsewhere(core, w)) {
		json_object_set_new(node, "detail",
		                    json_sprintf("this node keeps version %" PRIu64
		                                 " until it is confirmed",
		                                 intent_head(core->intent)->number));
	}
	w->complete = complete && !ends;
	w->is_gone = gone;
	w->pending = !w->complete && !gone &&
	             (ends || !f || f->state == INFORCE_PENDING || f->state == INFORCE_DONE);
	return node;
}

/*
 * A peer's judgement of the version, also one from before a rollback. NULL: none, or of another
 * version
 */
static const struct inforce *judgement_of(const struct core *core, const struct change_wait *w,
                                          const struct peers_report *v)
{
	const struct inforce *f =
	        !strcmp(core->judged.refused_by, v->node) ? &core->judged.refusal : &v->inforce;

	if (f->number != w->number || strcmp(f->digest, w->digest) != 0)
		f = &v->inforce;
	return w->number && f->number == w->number && !strcmp(f->digest, w->digest) ? f : NULL;
}

/* One peer's state. */
static json_t *peer_node_to_json(const struct core *core, struct change_wait *w,
                                 const struct peers_report *v)
{
	const struct inforce *f = judgement_of(core, w, v);
	json_t *node = node_state_json(v->node, peers_state_text(v->state));
	const struct version *expected = peers_expected(core, v);
	/* its judgement is still that of a version before, or it has none yet */
	bool unbegun = v->state == PEERS_AGREED && w->number && !f &&
	               v->inforce.number <= w->number && expected && expected->number >= w->number;

	if (f)
		add_judgement(node, f);
	if (unbegun || (f && f->state == INFORCE_PENDING))
		json_object_set_new(node, "state", json_string("pending"));
	bool done = v->state == PEERS_AGREED && !unbegun && (!f || f->state == INFORCE_DONE);
	w->complete &= done;
	w->pending |= !done && !w->is_gone &&
	              (!f || (f->state != INFORCE_REFUSED && f->state != INFORCE_LATE));
	return node;
}

/* Nodes that the exchange does not list yet, right after a start or a change: nothing is known of them, so they are waited for. */
static void add_unlisted_nodes(const struct core *core, struct change_wait *w,
                               const struct peers_report *reports, size_t n, json_t *nodes)
{
	const struct model *m = join_model(core->intent);

	for (size_t i = 0; m && i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (!strcmp(node->name, core->dirs.node) || peers_find(reports, n, node->name))
			continue;
		json_array_append_new(nodes,
		                      node_state_json(node->name, peers_state_text(PEERS_UNASKED)));
		w->complete = false;
		w->pending = true;
	}
}

static void add_peer_nodes(struct core *core, struct change_wait *w, json_t *nodes)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);

	(void)peers_relate(core); /* this node's document may be a new one */
	for (size_t i = 0; i < n; i++)
		json_array_append_new(nodes, peer_node_to_json(core, w, &reports[i]));
	add_unlisted_nodes(core, w, reports, n, nodes);
}

/* Look once; @p nodes is replaced. */
static void look_at_nodes(struct core *core, struct change_wait *w, json_t **nodes)
{
	json_decref(*nodes);
	*nodes = json_array();
	json_array_append_new(*nodes, own_node_to_json(core, w));
	if (w->all)
		add_peer_nodes(core, w, *nodes);
}

/* Read the version out of the answer; a change that made none waits for the one in force. */
static void note_version(const struct http_reply *reply, struct change_wait *w)
{
	const json_t *version = json_object_get(reply->json, "version");
	const char *digest = json_get_text(version, "digest");

	w->number = (uint64_t)json_integer_value(json_object_get(version, "number"));
	snprintf(w->digest, sizeof(w->digest), "%s", digest ? digest : "");
}

/* Read how long to wait from the query. */
static void set_deadlines(const struct http_request *r, struct change_wait *w,
                          struct http_reply *reply)
{
	uint64_t now_ms = clock_mono_ms(), wait_ms;

	handle_number(r, "wait_ms", 0, WAIT_MAX_MS,
	              w->all      ? WAIT_ALL_MS
	              : w->number ? WAIT_VERSION_MS
	                          : WAIT_LOCAL_MS,
	              &wait_ms, reply);
	w->until_ms = w->busy_until_ms = now_ms + wait_ms;
	if (!http_query(r, "wait_ms") && wait_ms < WAIT_VERSION_MS)
		w->busy_until_ms = now_ms + WAIT_VERSION_MS;
	w->queried_ms = now_ms;
}

/*
 * Sleep until the next look. weir-dns has no page that would say which document it has, so it is
 * asked, ten times a second at most. Under the lock.
 */
static void wait_for_look(struct core *core, struct change_wait *w)
{
	core_wait(core, clock_mono_ms() + LOOK_EVERY_MS);
	if (clock_mono_ms() < w->queried_ms + 100)
		return;
	w->queried_ms = clock_mono_ms();
	core_unlock(core);
	observe_query_dns(core);
	core_lock(core);
}

void handle_wait(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	struct change_wait w = { .all = wants_all(r) };
	json_t *nodes = NULL;

	note_version(reply, &w);
	set_deadlines(r, &w, reply);
	http_doing(r, "the change is made; waiting for the nodes to take it");
	core_lock(core);
	core_changed(core);
	for (look_at_nodes(core, &w, &nodes);
	     w.pending && !core->stopping && !http_gone(r) &&
	     clock_mono_ms() < (w.busy ? w.busy_until_ms : w.until_ms);
	     look_at_nodes(core, &w, &nodes))
		wait_for_look(core, &w);
	if (!w.complete && !core->stopping) /* a refusal heard last may have rolled it back */
		look_at_nodes(core, &w, &nodes);
	nodes_add_json(reply->json, intent_document(core->intent), w.complete, nodes);
	core_unlock(core);
	if (!w.complete)
		reply->status = 202;
}
