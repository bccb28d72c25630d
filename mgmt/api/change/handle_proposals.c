/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A proposal is judged as a dry run is, and kept. Who approves it is another person than who proposed it: names of
 * persons are compared, not those of tokens, of which a person may have several.
 */
#include "mgmt/api/change/handle_proposals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/api/handle.h"
#include "mgmt/core/proposal.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/sync/shared_run.h"

/* --- the request --- */

static bool has_person(const struct http_request *r, struct http_reply *reply)
{
	if (*r->person)
		return true;
	http_problem(reply, 403, "no-person",
	             "nothing was changed: a proposal needs to know the person, and the token, "
	             "certificate or user names none");
	return false;
}

bool proposals_may(const struct http_request *r, const struct change_request *c,
                   struct http_reply *reply)
{
	return !c->change.is_proposal || has_person(r, reply);
}

/* --- using one --- */

static enum proposal_state judge_proposal(const struct core *core, const struct proposal *p)
{
	return proposal_judge(p, intent_head(core->intent), clock_believed_ms());
}

/* Say why proposal @p p, which is @p state, cannot be used. */
static void refuse_state(const struct proposal *p, enum proposal_state state,
                         struct http_reply *reply)
{
	static const char *const texts[] = {
		[PROPOSAL_WAITING] = "has too few approvals",
		[PROPOSAL_APPROVED] = "is of another change than this one: propose this one",
		[PROPOSAL_OUTDATED] =
		        "was made from another version than is in force: propose it again",
		[PROPOSAL_ENDED] = "is older than a day: propose it again",
		[PROPOSAL_WITHDRAWN] = "was withdrawn",
	};

	http_problem(reply, 409, "proposal",
	             "nothing was changed: proposal %s %s (approvals: %u of %u)", p->id,
	             texts[state], p->n_approvals, p->needed);
}

static bool find_proposal(struct core *core, const char *id, struct proposal *p, int64_t *revision,
                          unsigned status, struct http_reply *reply)
{
	if (proposal_find(core, id, p, revision))
		return true;
	http_problem(reply, status, status == 404 ? "not-found" : "proposal",
	             "there is no proposal %.60s, or no more: weir proposals lists all", id);
	return false;
}

bool proposals_use(struct core *core, struct change_request *c, const char *digest,
                   struct http_reply *reply)
{
	if (!c->proposal)
		return true;
	struct proposal *p = MEMORY_NEW(struct proposal);
	bool is_good = find_proposal(core, c->proposal, p, &c->approval.revision, 409, reply);

	if (is_good) {
		enum proposal_state state = judge_proposal(core, p);
		bool is_same = !strcmp(p->digest, digest);

		is_good = is_same && state == PROPOSAL_APPROVED;
		if (!is_good)
			refuse_state(
			        p, is_same || !proposal_is_live(state) ? state : PROPOSAL_APPROVED,
			        reply);
	}
	if (is_good) {
		struct intent_approval *a = &c->approval;

		proposal_persons(p, a->persons);
		proposal_name(p->id, a->record);
		memcpy(a->id, p->id, sizeof(a->id));
		memcpy(a->proposed_by, p->person, sizeof(a->proposed_by));
		memcpy(a->hash_key, p->hash_key, sizeof(a->hash_key));
		memcpy(a->canary, p->canary, sizeof(a->canary));
		a->n = p->n_approvals;
		c->change.approval = a;
	}
	free(p);
	return is_good;
}

/* --- writing --- */

#define TRIES_MAX 5u    /* while others write proposals, too */
#define HEARD_MS  1000u /* for what they wrote to be here */

enum written { WRITTEN, OVERTAKEN, FAILED };

static void refuse_write(int err, const char *reason, struct http_reply *reply)
{
	if (err)
		http_problem(reply, 503, "store-unavailable",
		             "the store cannot keep the proposal (%s): nothing was changed",
		             *reason ? reason : strerror(-err));
	else
		http_problem(reply, 503, "outcome-unknown",
		             "it is not known whether the proposal was written (%s): look at the "
		             "proposals before you try again",
		             reason);
}

static void refuse_busy(struct http_reply *reply)
{
	http_problem(reply, 503, "busy",
	             "others write proposals, too: nothing was changed; try again");
	reply->retry_s = 1;
}

/* Write @p p over what was seen at @p revision (0: nothing), as a part of @p c. FAILED: @p reply says why */
static enum written write_proposal(struct core *core, const struct proposal *p, int64_t revision,
                                   struct shared_change *c, struct http_reply *reply)
{
	enum shared_result result = SHARED_DONE;
	char name[SHARED_NAME_MAX], reason[ETCD_REASON_MAX] = "";
	int64_t at;

	shared_change_see(c, proposal_name(p->id, name), revision);
	shared_change_put(c, name, &proposal_record, p);
	int err = c->err ? c->err : shared_run_decide(core, c, &result, &at, reason);

	core_changed(core);
	if (!err && result == SHARED_REFUSED)
		return OVERTAKEN;
	if (!err && result == SHARED_DONE)
		return WRITTEN;
	refuse_write(err, reason, reply);
	return FAILED;
}

/* --- making one --- */

/* What is looked through before a new one is written: how many live, and which go. */
struct sweep {
	const struct core *core;
	struct shared_change *change;
	const char *person;
	unsigned n_live, n_own;
};

/* One that cannot be used now may be good elsewhere, or once an open version has ended: it goes when its version is not the last confirmed one. */
static bool is_over(const struct core *core, const struct proposal *p, enum proposal_state state)
{
	struct version v;

	return state == PROPOSAL_ENDED || state == PROPOSAL_WITHDRAWN ||
	       (state == PROPOSAL_OUTDATED && !intent_last_confirmed(core->intent, &v) &&
	        p->head < v.number);
}

static void sweep_one(void *arg, const struct proposal *p, int64_t revision)
{
	struct sweep *s = arg;
	enum proposal_state state = judge_proposal(s->core, p);
	char name[SHARED_NAME_MAX];

	s->n_live += proposal_is_live(state);
	s->n_own += proposal_is_live(state) && !strcasecmp(p->person, s->person);
	if (!is_over(s->core, p, state) || !shared_change_has_room(s->change, 4))
		return;
	shared_change_see(s->change, proposal_name(p->id, name), revision);
	shared_change_remove(s->change, name);
}

/* What is cut says so. */
static void write_line(char line[PROPOSAL_LINE_MAX], const char *text, size_t most)
{
	size_t n = strlen(line), room = PROPOSAL_LINE_MAX - n;

	most = most < room ? most : room;
	snprintf(line + n, most, "%s", text);
	plain_cut(line + n, most);
	if (strlen(text) >= most && most > 4) {
		line[n + most - 4] = '\0';
		plain_cut(line + n, most - 3);
		strcat(line + n, "...");
	}
	plain_make(line + n);
}

#define VALUE_MAX 60u /* bytes of an old value, which leaves as much for the new one */

static void list_lines(const struct change_plan *plan, struct proposal *p)
{
	p->n_lines_all = plan->n_changes < UINT32_MAX ? (uint32_t)plan->n_changes : UINT32_MAX;
	for (size_t i = 0; i < plan->n_changes && i < PROPOSAL_LINES_MAX; i++) {
		const struct plan_change *d = &plan->changes[i];
		char *line = p->lines[p->n_lines++];

		write_line(line, plan_kind_text((int)d->kind), PROPOSAL_LINE_MAX);
		write_line(line, " ", PROPOSAL_LINE_MAX);
		write_line(line, d->path, PROPOSAL_LINE_MAX - 2 * VALUE_MAX);
		if (!*d->from && !*d->to)
			continue;
		write_line(line, ": ", PROPOSAL_LINE_MAX);
		write_line(line, d->from, VALUE_MAX);
		write_line(line, " -> ", PROPOSAL_LINE_MAX);
		write_line(line, d->to, PROPOSAL_LINE_MAX);
	}
	p->n_risks_all = (uint32_t)plan->n_risks_all;
	for (size_t i = 0; i < plan->n_risks && i < PROPOSAL_RISKS_MAX; i++)
		write_line(p->risks[p->n_risks++], plan->risks[i].text, PROPOSAL_LINE_MAX);
}

static void fill_proposal(const struct core *core, const struct change_request *c,
                          const struct intent_changed *changed, struct proposal *p)
{
	const struct version *v = &changed->version, *head = intent_head(core->intent);

	proposal_begin(p, core->dirs.node, clock_believed_ms());
	p->head = head->number;
	p->needed = changed->gate_approvals;
	memcpy(p->head_digest, head->digest, sizeof(p->head_digest));
	memcpy(p->digest, v->digest, sizeof(p->digest));
	memcpy(p->hash_key, v->hash_key, sizeof(p->hash_key));
	memcpy(p->canary, v->canary, sizeof(p->canary));
	snprintf(p->gate, sizeof(p->gate), "%s", changed->gate);
	snprintf(p->person, sizeof(p->person), "%s", c->request->person);
	snprintf(p->principal, sizeof(p->principal), "%s", c->request->identity);
	snprintf(p->author, sizeof(p->author), "%s", v->author);
	snprintf(p->reason, sizeof(p->reason), "%s", v->reason);
	list_lines(&changed->plan, p);
}

static bool has_room(const struct sweep *s, struct http_reply *reply)
{
	if (s->n_live >= PROPOSALS_MAX)
		http_problem(reply, 409, "too-many",
		             "there are %u proposals that wait or may be used, and no more can be: "
		             "use or withdraw one",
		             s->n_live);
	else if (s->n_own >= PROPOSALS_PERSON_MAX)
		http_problem(
		        reply, 409, "too-many",
		        "%s has %u proposals that wait or may be used, and no more can be: use "
		        "or withdraw one",
		        s->person, s->n_own);
	else
		return true;
	return false;
}

/* The bound is of all, whoever writes one at the same moment. */
static enum written keep_proposal(struct core *core, const struct proposal *p,
                                  struct http_reply *reply)
{
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	struct sweep sweep = { .core = core, .change = c, .person = p->person };
	int64_t here = 0;
	enum written written = FAILED;

	shared_intent_begin(core->intent, c);
	if (shared_intent_revision(core->intent, &here))
		c->err = -EIO;
	else
		shared_change_see_all(c, PROPOSAL_PREFIX, here);
	if (!c->err)
		c->err = proposal_each(core, sweep_one, &sweep);
	if (has_room(&sweep, reply))
		written = write_proposal(core, p, 0, c, reply);
	if (written == OVERTAKEN)
		(void)shared_run_await_revision(core, here + 1, HEARD_MS);
	shared_change_fini(c);
	free(c);
	return written;
}

void proposals_make(struct core *core, const struct change_request *c,
                    const struct intent_changed *changed, struct http_reply *reply)
{
	if (!c->change.is_proposal)
		return;
	if (!changed->changed || !changed->gate_approvals) {
		http_problem(reply, 409, "not-gated",
		             changed->changed
		                     ? "no gate asks for an approval of this change: make it"
		                     : "this changes nothing");
		return;
	}
	struct proposal *p = MEMORY_NEW(struct proposal);

	struct http_reply problem = { 0 };
	enum written written = OVERTAKEN;

	fill_proposal(core, c, changed, p);

	for (unsigned i = 0; i < TRIES_MAX && written == OVERTAKEN; i++)
		written = keep_proposal(core, p, &problem);
	if (written == OVERTAKEN)
		refuse_busy(&problem);
	if (written == WRITTEN) {
		json_object_set_new(reply->json, "proposal",
		                    proposal_to_json(p, judge_proposal(core, p)));
		reply->status = 202;
	} else {
		http_reply_fini(reply);
		*reply = problem;
	}
	free(p);
}

/* --- the routes --- */

struct shown_list {
	const struct core *core;
	json_t *items;
};

static void list_one(void *arg, const struct proposal *p, int64_t revision)
{
	const struct shown_list *l = arg;

	(void)revision;
	json_array_append_new(l->items, proposal_to_json(p, judge_proposal(l->core, p)));
}

void handle_proposals(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct shown_list l = { .core = core };
	uint64_t limit;

	if (!handle_limit(r, &limit, reply))
		return;
	l.items = json_array();
	core_lock(core);
	int err = proposal_each(core, list_one, &l);
	core_unlock(core);
	if (!err) {
		handle_list(l.items, limit, reply);
		return;
	}
	json_decref(l.items);
	http_problem(reply, 503, "store", "proposals cannot be read: %s", strerror(-err));
}

void handle_proposal(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct proposal *p = MEMORY_NEW(struct proposal);
	int64_t revision;

	core_lock(core);
	if (find_proposal(core, r->parts[0], p, &revision, 404, reply)) {
		reply->json = proposal_to_json(p, judge_proposal(core, p));
		reply->status = 200;
	}
	core_unlock(core);
	free(p);
}

#define DECISION_ROWS(X, t) REASON_ROW(X, t)
RECORD_ANSWER(decision_body, "reason", DECISION_ROWS);

/* What a person does about a proposal. @return whether it is another then; else @p reply says why not, if there is a problem */
typedef bool decision(struct proposal *p, const struct http_request *r, const char *reason,
                      struct http_reply *reply);

static bool add_approval(struct proposal *p, const struct http_request *r, const char *reason,
                         struct http_reply *reply)
{
	if (!has_person(r, reply))
		return false;
	if (!strcasecmp(p->person, r->person)) {
		http_problem(reply, 403, "own-proposal",
		             "nothing was changed: %s proposed it, and another person is to "
		             "approve it",
		             p->person);
		return false;
	}
	if (proposal_is_approved_by(p, r->person))
		return false;
	if (p->n_approvals == PROPOSAL_APPROVALS_MAX) {
		http_problem(
		        reply, 409, "proposal",
		        "nothing was changed: proposal %s has %u approvals, and no room for more",
		        p->id, p->n_approvals);
		return false;
	}
	struct proposal_approval *a = &p->approvals[p->n_approvals++];

	snprintf(a->person, sizeof(a->person), "%s", r->person);
	snprintf(a->principal, sizeof(a->principal), "%s", r->identity);
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	a->time_ms = clock_believed_ms();
	return true;
}

static bool end_proposal(struct proposal *p, const struct http_request *r, const char *reason,
                         struct http_reply *reply)
{
	if (strcasecmp(p->person, r->person) != 0 && r->role < HTTP_ADMIN) {
		http_problem(reply, 403, "forbidden",
		             "nothing was changed: who proposed it withdraws it, or an admin");
		return false;
	}
	snprintf(p->withdrawn_by, sizeof(p->withdrawn_by), "%s", r->identity);
	snprintf(p->withdrawn_reason, sizeof(p->withdrawn_reason), "%s", reason);
	return true;
}

/* Try once. @return WRITTEN: @p reply has what is there now */
static enum written try_decision(struct core *core, const struct http_request *r, decision *decide,
                                 const char *reason, bool dry_run, struct http_reply *reply)
{
	struct proposal *p = MEMORY_NEW(struct proposal);
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	enum written written = FAILED;
	int64_t revision, here = 0;

	shared_intent_begin(core->intent, c);
	if (shared_intent_revision(core->intent, &here))
		c->err = -EIO;
	bool ok = find_proposal(core, r->parts[0], p, &revision, 404, reply);
	enum proposal_state state = ok ? judge_proposal(core, p) : PROPOSAL_ENDED;

	if (ok && !proposal_is_live(state))
		refuse_state(p, state, reply);
	else if (ok && decide(p, r, reason, reply))
		written = !dry_run ? write_proposal(core, p, revision, c, reply)
		          : shared_run_would_write(core, reply) ? WRITTEN
		                                                : FAILED;
	else if (ok && !reply->status)
		written = WRITTEN; /* it was so already */
	if (written == WRITTEN)
		reply->json = proposal_to_json(p, judge_proposal(core, p));
	else if (written == OVERTAKEN)
		(void)shared_run_await_revision(core, here + 1, HEARD_MS);
	shared_change_fini(c);
	free(c);
	free(p);
	return written;
}

static void change_proposal(struct core *core, const struct http_request *r, decision *decide,
                            struct http_reply *reply)
{
	struct decision_body body;
	struct field_reader f;
	enum written written = OVERTAKEN;
	bool dry_run, is_flag = handle_flag(r, "dry_run", &dry_run, reply);

	field_read(&f, r->json, &decision_body_kind, &body);
	if (!field_end(&f, reply) || !is_flag || !handle_wait_ok(r, reply))
		return;
	core_lock(core);
	for (unsigned i = 0; i < TRIES_MAX && written == OVERTAKEN; i++)
		written = try_decision(core, r, decide, body.reason, dry_run, reply);
	core_unlock(core);
	if (written == OVERTAKEN)
		refuse_busy(reply);
	if (written != WRITTEN)
		return;
	reply->status = 200;
	if (dry_run)
		json_object_set_new(reply->json, "dry_run", json_true());
}

/* Who may propose within a scope may take that back. */
static bool is_proposed_by(struct core *core, const struct http_request *r)
{
	struct proposal *p = MEMORY_NEW(struct proposal);
	int64_t revision;

	core_lock(core);
	bool is_own =
	        proposal_find(core, r->parts[0], p, &revision) && !strcasecmp(p->person, r->person);
	core_unlock(core);
	free(p);
	return is_own;
}

void handle_proposal_approve(struct core *core, struct http_request *r, struct http_reply *reply)
{
	if (handle_scope_has_all(r, "proposals", reply))
		change_proposal(core, r, add_approval, reply);
}

void handle_proposal_withdraw(struct core *core, struct http_request *r, struct http_reply *reply)
{
	if (is_proposed_by(core, r) || handle_scope_has_all(r, "proposals", reply))
		change_proposal(core, r, end_proposal, reply);
}
