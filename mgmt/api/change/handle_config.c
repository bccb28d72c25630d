/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration and versions. A change becomes a candidate without the core's lock, because reading
 * and checking files may take seconds; it is checked against If-Match and committed under the lock.
 * core->candidate_lock admits one candidate at a time. Check and plan use the same code as a dry run, so
 * that a plan cannot differ from the apply.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/api/change/handle_proposals.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/sync/canary_watch.h"
#include "mgmt/sync/confirm_well.h"
#include "mgmt/sync/inforce_judge.h"
#include "mgmt/observe/observe.h"
#include "mgmt/api/change/old_file.h"
#include "mgmt/sync/operations.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/api/change/route_warnings.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/core/to_json.h"
#include "mgmt/api/change/unconfirmed.h"
#include "mgmt/api/change/voters.h"
#include "mgmt/api/change/zones_json.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/files/reload.h"
#include "mgmt/store/shared_intent.h"
#include "weir/when.h"
#include "weir/effect.h"
#include "weir/json.h"
#include "weir/stats.h"

#define TIMED_PARTS 5u
#define RETRY_MAX_MS                                                                               \
	((int64_t)24 * 3600 * 1000) /* a client that is to come later than that asks a person */

/* The bodies of changes have rows of one struct: what a body lacks is NULL or false. */
const struct record_kind files_body = { .name = "files by name" };
#define BASE_ROWS(X, t)                                                                            \
	X(t, const char *, base, .most = BASE_TEXT_MAX - 1, .spare = true,                         \
	  .pattern = "^(unknown|v?[0-9]+(-[0-9a-f]+)?)$", .example = "unknown")                    \
	X(t, bool, replace, .spare = true)
#define MAKE_ROWS(X, t)                                                                            \
	SAID_ROWS(X, t)                                                                            \
	X(t, bool, skip_bad_zones, .spare = true)                                                  \
	CONFIRM_WITHIN_ROW(X, t)                                                                   \
	CONFIRM_IF_ROW(X, t)                                                                       \
	PENDING_ROW(X, t)
#define APPLY_BODY_ROWS(X, t)                                                                      \
	FILES_ROW(X, t)                                                                            \
	BASE_ROWS(X, t)                                                                            \
	WITHOUT_GATES_ROW(X, t)                                                                    \
	CANARY_ROW(X, t)                                                                           \
	IF_QUIET_ROW(X, t)                                                                         \
	MAKE_ROWS(X, t)
#define PLAN_BODY_ROWS(X, t)                                                                       \
	FILES_ROW(X, t)                                                                            \
	AUTHOR_ROW(X, t)                                                                           \
	BASE_ROWS(X, t)
#define ROLLBACK_BODY_ROWS(X, t)                                                                   \
	WITHOUT_GATES_ROW(X, t)                                                                    \
	MAKE_ROWS(X, t)
#define RELOAD_BODY_ROWS(X, t)                                                                     \
	BASE_ROWS(X, t)                                                                            \
	WITHOUT_GATES_ROW(X, t)                                                                    \
	MAKE_ROWS(X, t)
RECORD_ANSWER(apply_body, "files and reason", APPLY_BODY_ROWS);
const struct record_kind check_body_kind = RECORD_PART(apply_body, "files", FILES_ROW);
const struct record_kind plan_body_kind = RECORD_PART(apply_body, "files", PLAN_BODY_ROWS);
const struct record_kind rollback_body_kind = RECORD_PART(apply_body, "reason", ROLLBACK_BODY_ROWS);
const struct record_kind reload_body_kind = RECORD_PART(apply_body, "reason", RELOAD_BODY_ROWS);

void handle_change_files(struct field_reader *f, const json_t *object, struct change_request *c)
{
	char err_text[HTTP_TEXT_MAX];

	if (object && files_from_json(object, &c->source, &c->files, err_text))
		field_refuse(f, "files", "%s", err_text);
	base_extract_line(&c->files, c->from.base);
	c->change.files = &c->files;
}

/* The version that the file was made from: the request's field overrides the line in the file. */
static void read_base(struct field_reader *f, const struct apply_body *body,
                      struct change_request *c)
{
	const char *base = body->base;
	char digits[17];
	uint64_t number;

	c->change.replace = body->replace;
	c->from.guess = base && !strcmp(base, "unknown");
	if (!base || c->from.guess)
		return;
	if (!base_read(base, &number, digits))
		field_refuse(f, "base",
		             "expected a version as 12 or v12-0123456789abcdef, or \"unknown\"");
	snprintf(c->from.base, sizeof(c->from.base), "%s", base);
}

static void read_confirm(struct field_reader *f, const char *text, struct intent_change *change)
{
	change->confirm_within_ms = -1;
	if (!text)
		return;
	if (!strcmp(text, "none"))
		change->confirm_within_ms = 0;
	else if (when_duration(text, &change->confirm_within_ms) ||
	         change->confirm_within_ms <= 0 ||
	         change->confirm_within_ms > INTENT_CONFIRM_MAX_MS)
		field_refuse(f, "confirm_within",
		             "expected a duration of at most 24h, or \"none\"");
}

/* Read by what it is confirmed without a person, which has to be possible before it goes back. */
static void read_confirm_if(struct field_reader *f, const char *text, struct intent_change *change)
{
	if (!text)
		return;
	if (!confirm_if_read(text, &change->well_for_ms))
		field_refuse(
		        f, "confirm_if",
		        "expected \"well for\" and a duration of at most 24h, as \"well for 5m\"");
	else if (change->confirm_within_ms >= 0 && change->confirm_within_ms <= change->well_for_ms)
		field_error(f, "confirm_within", "must be longer than all nodes are to be well");
}

/* What is tried first has to go back if nobody confirms it. */
static void read_canary(struct field_reader *f, const struct change_terms *terms,
                        struct intent_change *change)
{
	change->canary = terms->canary;
	change->if_quiet = terms->if_quiet;
	if (change->if_quiet && strcmp(change->if_quiet, "back") != 0 &&
	    strcmp(change->if_quiet, "go") != 0)
		field_refuse(f, "if_quiet", "expected \"back\" or \"go\"");
	else if (change->if_quiet && (!change->canary || !change->well_for_ms))
		field_error(f, "if_quiet", "is for a canary with confirm_if");
	if (change->canary && change->confirm_within_ms == 0)
		field_error(f, "confirm_within", "\"none\" cannot be combined with a canary");
}

/* Read what to do with an earlier version that is not confirmed yet. */
static void read_pending(struct field_reader *f, const char *text, struct intent_change *change)
{
	change->pending = INTENT_PENDING_REFUSE;
	if (text && !strcmp(text, "confirm"))
		change->pending = INTENT_PENDING_CONFIRM;
	else if (text && !strcmp(text, "join"))
		change->pending = INTENT_PENDING_JOIN;
	else if (text && strcmp(text, "refuse") != 0)
		field_refuse(f, "pending", "expected \"refuse\", \"confirm\" or \"join\"");
	if (change->pending == INTENT_PENDING_JOIN && change->confirm_within_ms == 0)
		field_error(f, "confirm_within",
		            "\"none\" cannot be combined with pending \"join\"");
}

/* Gates are passed on purpose, by whoever answers for all, and with a reason that stays. */
static void read_without_gates(struct field_reader *f, const struct http_request *r,
                               const char *names, struct intent_change *change)
{
	change->without_gates = names;
	if (names && r->role < HTTP_ADMIN)
		field_error(f, "without_gates", "needs the role admin");
}

void handle_change_read(struct field_reader *f, const struct http_request *r,
                        const struct change_terms *terms, struct intent_change *change)
{
	change->may_replace_unknown = r->role >= HTTP_ADMIN;
	read_without_gates(f, r, terms->without_gates, change);
	read_confirm(f, terms->confirm_within, change);
	read_confirm_if(f, terms->confirm_if, change);
	read_canary(f, terms, change);
	read_pending(f, terms->pending, change);
}

bool handle_change_flags(const struct http_request *r, struct change_request *c,
                         struct http_reply *reply)
{
	c->proposal = http_query(r, "proposal");
	return handle_flag(r, "dry_run", &c->change.dry_run, reply) && handle_wait_ok(r, reply) &&
	       handle_flag(r, "propose", &c->change.is_proposal, reply);
}

bool handle_change_close(struct field_reader *f, const struct http_request *r,
                         struct change_request *c, struct http_reply *reply)
{
	if (c->change.is_proposal && (c->proposal || c->change.dry_run))
		field_error(f, "propose", "cannot be combined with proposal or dry_run");
	c->change.dry_run |= c->change.is_proposal;
	c->from.author = c->change.author;
	c->from.principal = r->identity;
	return field_end(f, reply) && proposals_may(r, c, reply);
}

/* Read what apply, rollback and reload have in common. @return whether it is sound */
static bool read_change(struct core *core, const struct http_request *r, enum origin origin,
                        struct change_request *c, struct http_reply *reply)
{
	static const struct record_kind *const kinds[] = { [ORIGIN_REQUEST] = &apply_body_kind,
		                                           [ORIGIN_VERSION] = &rollback_body_kind,
		                                           [ORIGIN_DISK] = &reload_body_kind };
	struct apply_body body = { .base = NULL };
	struct field_reader f;

	*c = (struct change_request){ .source = { core_find_file, core }, .origin = origin };
	if (!handle_change_flags(r, c, reply))
		return false;
	field_read(&f, r->json, kinds[origin], &body);
	if (origin == ORIGIN_REQUEST)
		handle_change_files(&f, body.files, c);
	if (origin != ORIGIN_VERSION)
		read_base(&f, &body, c);
	c->from.guess |= origin == ORIGIN_DISK && !*c->from.base; /* nobody knows the file's base */
	c->change.reason = body.reason;
	c->change.author = body.author ? body.author : r->principal;
	c->change.skip_bad_zones = body.skip_bad_zones;
	const struct change_terms terms = CHANGE_TERMS_OF(&body);

	handle_change_read(&f, r, &terms, &c->change);
	return handle_change_close(&f, r, c, reply) && handle_scope_begin(core, r, c, reply);
}

RECORD_ANSWER(change_answer, "change", CHANGE_ROWS);
#define CHECK_ROWS(X, t) X(t, bool, ok)
RECORD_ANSWER(check_answer, "check", CHECK_ROWS);
#define CONFIRM_ROWS(X, t) X(t, json_t *, version, .of = &version_shown)
RECORD_ANSWER(confirm_answer, "confirmed", CONFIRM_ROWS);

/* What is to be confirmed once all nodes are well goes back if they do not become so. */
static void add_well_warning(const struct core *core, const struct version *v, json_t *warnings)
{
	char trouble[WELL_TROUBLE_MAX];

	if (!v->well_for_ms)
		return;
	confirm_well_trouble(core, trouble);
	if (*trouble)
		json_array_append_new(
		        warnings,
		        json_sprintf("this is confirmed once all nodes are well, which they are "
		                     "not now (%s): if they do not become well in time it is "
		                     "rolled back",
		                     trouble));
}

/* Of a version that was made or would be: clients read one form. */
static json_t *change_to_json(struct core *core, const struct intent_changed *c, bool dry_run)
{
	char margins[SIGNS_MARGIN_MAX];
	struct version waiting, back;
	bool waits = intent_waiting(core->intent, &waiting); /* here, or elsewhere first */
	struct change_answer a = {
		.version = dry_run ? version_state_json(&c->version, NULL, VERSION_PLANNED)
		                   : version_to_json(&c->version,
		                                     waits ? &waiting : intent_head(core->intent)),
		.changed = c->changed,
		.plan = plan_to_json(&c->plan),
	};
	json_t *plan = a.plan;

	a.skipped_zones = zones_add_warnings(c, json_object_get(plan, "warnings"));
	json_t *answer = record_shown(&change_answer_kind, &a);
	voters_add_warning(core, &c->plan.advice, json_object_get(plan, "warnings"));
	operations_add_warnings(core, &c->plan.advice, json_object_get(plan, "warnings"));
	route_warnings_add(core, &c->plan.advice, json_object_get(plan, "warnings"));
	if (c->changed)
		add_well_warning(core, &c->version, json_object_get(plan, "warnings"));
	json_object_set_new(plan, "confirm_within_ms", json_integer(c->confirm_within_ms));
	if (c->changed && canary_watch_is_of(&c->version))
		json_object_set_new(plan, "worse_if", json_string(signs_margins(margins)));
	if (dry_run) {
		json_object_set_new(answer, "dry_run", json_true());
	} else if (waits && !intent_last_confirmed(core->intent, &back)) {
		json_object_set_new(answer, "rolls_back_to", json_integer((json_int_t)back.number));
	}
	return answer;
}

/*
 * In addition to the share of slots that a change moves: how many cannot move yet, by the tables.
 */
static void add_full_slots(const struct core *core, json_t *pools)
{
	struct observe_pages pages;
	struct effect_pool p;
	json_t *item;
	size_t i;

	observe_open(core->dirs.run, &pages);
	json_array_foreach(pools, i,
	                   item) if (pages.effect &&
	                             !effect_pool(pages.effect,
	                                          json_string_value(json_object_get(item, "pool")),
	                                          &p))
	        json_object_set_new(item, "full_slots", json_integer(p.full));
	observe_close(&pages);
}

static void write_head_etag(const struct core *core, char etag[HTTP_TEXT_MAX])
{
	const struct version *head = intent_head(core->intent);

	etag[0] = '\0';
	if (head)
		version_etag(head, etag);
}

int handle_change_prepare(struct core *core, struct change_request *c,
                          struct intent_candidate *candidate)
{
	http_doing(c->request, "reading and checking the files and zones");
	core_lock(core);
	int err = intent_candidate_begin(core->intent, &c->change, clock_believed_ms(), candidate);
	core_unlock(core);
	if (!err)
		intent_candidate_read(core->intent, candidate);
	if (!err && candidate->again) {
		core_lock(core);
		intent_candidate_again(core->intent, candidate);
		core_unlock(core);
		intent_candidate_read(core->intent, candidate);
	}
	http_doing(c->request, "waiting for the store");
	if (!err && !c->change.replace)
		c->old_rc = old_file_check(core, &c->from, candidate, &c->reverted);
	core_lock(core);
	return err;
}

/* Begin it when no other change is under way. */
static int begin_change(struct core *core, struct change_request *c,
                        struct intent_candidate *candidate)
{
	http_doing(c->request, "waiting for another change to finish");
	pthread_mutex_lock(&core->candidate_lock);
	return handle_change_prepare(core, c, candidate);
}

void handle_change_end(struct change_request *c)
{
	files_fini(&c->files);
	json_decref(c->reverted);
	json_decref(c->outside);
	c->reverted = c->outside = NULL;
}

void handle_change_unlock(struct core *core)
{
	core_unlock(core);
	pthread_mutex_unlock(&core->candidate_lock);
}

/* What a change leads back to, and who has its files. @param before  number of what was in force; 0: nothing of anybody's */
static void add_way_back(const struct core *core, uint64_t before, const json_t *files_at,
                         json_t *answer)
{
	json_t *warnings = json_object_get(json_object_get(answer, "plan"), "warnings");

	json_object_set_new(answer, "before", json_number_or_null(before, before));
	if (!files_at)
		return;
	json_object_set_new(answer, "files_at", json_deep_copy(files_at));
	if (json_array_size(files_at) == 0 && join_has_peers(intent_model(core->intent)))
		json_array_append_new(
		        warnings, json_string("no other node has this version's files yet: until "
		                              "one has fetched them they are lost with this node"));
}

/* The version that `"pending": "confirm"` is about; 0: none. Under the lock */
static uint64_t number_to_confirm(const struct core *core, const struct change_request *c)
{
	struct version waiting;
	bool confirms = c->change.pending == INTENT_PENDING_CONFIRM && !c->change.dry_run;

	return confirms && intent_waiting(core->intent, &waiting) ? waiting.number : 0;
}

static void add_confirmed(const struct core *core, uint64_t number, json_t *answer)
{
	enum chain_mark mark;

	if (number && history_version(shared_intent_history(core->intent), number, &mark) &&
	    mark == CHAIN_CONFIRMED)
		json_object_set_new(answer, "confirmed", json_integer((json_int_t)number));
}

static const char no_way_back[] =
        "this would be the store's first version: there is none to go back to if it is not confirmed. "
        "Apply the file that the nodes run (weir config show --applied) first, then the change; or "
        "apply it with --confirm-within none";

static const char *until_text(const struct intent_changed *changed, char text[CLOCK_TEXT_MAX])
{
	return changed->gate_until_ms == MODEL_TIME_NEVER
	               ? "never"
	               : clock_text(changed->gate_until_ms, text);
}

static const char *persons_word(uint32_t n)
{
	return n == 1 ? "person" : "persons";
}

/* @param plan  of the answer */
static void add_gate_warning(const struct intent_changed *c, json_t *plan)
{
	char until[CLOCK_TEXT_MAX];

	if (!*c->gate)
		return;
	json_array_append_new(
	        json_object_get(plan, "warnings"),
	        c->gate_approvals
	                ? json_sprintf(
	                          "weir apply would be refused: gate %s asks for %u other %s to "
	                          "approve it (--propose)",
	                          c->gate, c->gate_approvals, persons_word(c->gate_approvals))
	                : json_sprintf("weir apply would be refused: gate %s refuses such changes "
	                               "until %s",
	                               c->gate, until_text(c, until)));
}

/* An apply of such a plan would be refused, by what is known of the store. @param plan  of the answer */
static void add_first_warning(const struct core *core, const struct intent_changed *c, json_t *plan)
{
	if (c->is_first && intent_head(core->intent) && c->plan.n_risks &&
	    (!core->shared || shared_state_is_ready(core)))
		json_array_append_new(json_object_get(plan, "warnings"),
		                      json_sprintf("weir apply would be refused: %s", no_way_back));
}

/* Who goes back expects that no gate is in the way. */
static const char *rollback_text(const struct intent_changed *changed)
{
	return changed->is_rollback
	               ? ". A rollback passes gates to what was in force everywhere for good; of this "
	                 "version nothing says so here"
	               : "";
}

/* Time does not help: persons do. */
static void refuse_unapproved(const struct intent_changed *changed, struct http_reply *reply)
{
	http_problem(reply, 409, "gate",
	             "nothing was changed: gate %s asks for %u other %s to approve such changes%s",
	             changed->gate, changed->gate_approvals, persons_word(changed->gate_approvals),
	             rollback_text(changed));
	json_object_set_new(reply->json, "gate", json_string(changed->gate));
	json_object_set_new(reply->json, "approvals", json_integer(changed->gate_approvals));
}

static void refuse_gate(const struct intent_changed *changed, struct http_reply *reply)
{
	int64_t left_ms = changed->gate_until_ms - clock_believed_ms();
	char text[CLOCK_TEXT_MAX];
	const char *until = until_text(changed, text);

	http_problem(reply, 409, "gate",
	             "nothing was changed: gate %s refuses such changes until %s%s", changed->gate,
	             until, rollback_text(changed));
	json_object_set_new(reply->json, "gate", json_string(changed->gate));
	json_object_set_new(reply->json, "until", json_string(until));
	reply->retry_s = left_ms > 0 && left_ms < RETRY_MAX_MS ? (unsigned)(left_ms / 1000) + 1 : 0;
}

#define MISPLACED_ROWS(X, t)                                                                       \
	X(t, const char *, path)                                                                   \
	X(t, const char *, least)                                                                  \
	X(t, bool, elsewhere)
RECORD_SHOWN(misplaced, "field", MISPLACED_ROWS);

/* Each field that cannot be tried there, with the smallest place for it. */
static json_t *misplaced_to_json(const struct trial_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_fields && i < TRIAL_FIELDS_MAX; i++) {
		const struct trial_field *f = &v->fields[i];

		json_array_append_new(list, SHOWN(misplaced, .path = f->path,
		                                  .least = extent_text(f->least),
		                                  .elsewhere = f->is_elsewhere));
	}
	return list;
}

static void refuse_canary(const struct trial_verdict *v, struct http_reply *reply)
{
	const struct trial_field *first = &v->fields[0];

	if (v->fault)
		http_problem(reply, 422, "canary", "nothing was changed: canary: %s", v->fault);
	else if (first->is_elsewhere)
		http_problem(reply, 422, "canary",
		             "nothing was changed: %s has no effect at %s, so nothing would be "
		             "tried there",
		             first->path, v->canary);
	else
		http_problem(
		        reply, 422, "canary",
		        "nothing was changed: %s cannot differ at %s: its smallest place is %s%s",
		        first->path, v->canary, extent_text(first->least),
		        first->least == EXTENT_EVERYWHERE ? ", so apply it without canary" : "");
	json_object_set_new(reply->json, "fields", misplaced_to_json(v));
	json_object_set_new(reply->json, "n_fields", json_integer((json_int_t)v->n_fields));
}

/*
 * Fill @p reply with why a change was not made; @p err and @p changed are as intent_change() gave them, @p outside is what
 * it touches outside its scope. Under the lock.
 */
static void refuse_change(struct core *core, int err, const struct intent_changed *changed,
                          json_t *outside, struct http_reply *reply)
{
	char advice[CONDITION_TEXT_MAX];

	switch (err) {
	case -EFBIG: /* of weir.conf; one of the errors says so */
	case -EINVAL:
		http_problem(reply, 422, "mistakes", "the configuration has %zu error%s",
		             changed->errors.n_total, changed->errors.n_total == 1 ? "" : "s");
		json_object_set_new(reply->json, "n_mistakes",
		                    json_integer((json_int_t)changed->errors.n_total));
		json_object_set_new(reply->json, "mistakes", errors_to_json(&changed->errors));
		return;
	case -ENOENT:
		http_problem(reply, 404, "not-found",
		             "there is no such version, or its files are not here");
		return;
	case -ENOLINK:
		shared_run_advise(core, advice);
		http_problem(
		        reply, 503, "store-unavailable",
		        "the configuration has other nodes, and this node shares no store with them: "
		        "nothing was changed. %s",
		        advice);
		return;
	case -EPERM:
		handle_scope_refuse(json_incref(outside), reply);
		return;
	case -EACCES:
		if (changed->gate_approvals)
			refuse_unapproved(changed, reply);
		else
			refuse_gate(changed, reply);
		return;
	case -ENOKEY:
		http_problem(
		        reply, 403, "forbidden",
		        "nothing was changed: another version is to be in force, and is not at "
		        "this node, so its gates are not known here: an admin goes on from it, "
		        "without a proposal");
		return;
	case -EXDEV:
		refuse_canary(&changed->canary, reply);
		return;
	case -EKEYREJECTED:
		http_problem(reply, 409, "proposal",
		             "nothing was changed: the hash key, or the canary, is another than "
		             "when it was proposed: propose it again");
		return;
	case -EBUSY:
		unconfirmed_refuse(core, reply);
		return;
	case -ESTALE:
		http_problem(
		        reply, 412, "not-here",
		        "another version is to be in force, and is not yet at this node, or is refused "
		        "here (weir status): nothing was changed. Try it again; where its files are lost "
		        "for good, or to replace it, with replace (weir apply --replace)");
		return;
	case -ENODATA: /* as far as this node has heard of the store */
		if (shared_run_is_sure(core, reply))
			http_problem(reply, 409, "first-version", "nothing was changed: %s",
			             no_way_back);
		return;
	case -EAGAIN:
		shared_run_refuse_overdue(core, reply);
		return;
	case -ENOSPC:
	case -EROFS:
		http_problem(reply, 503, "store", "the store cannot keep the version: %s",
		             err == -ENOSPC ? strerror(ENOSPC) : intent_store_reason(core->intent));
		return;
	case -ENOMEM:
		http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
		return;
	default:
		http_problem(reply, 500, "internal", "%s", strerror(-err));
	}
}

/*
 * How long a change took, for the metrics and once in the log: its parts, in their order. The sum is less than the answer
 * takes: waiting for locks and for other nodes is no part, nor is the time until the processes have taken the document.
 * @param began_ns  monotonic: when the request's files had been read
 */
static void report_times(struct core *core, const struct http_request *r, uint64_t began_ns,
                         const struct change_times *times)
{
	const struct {
		const char *labels;
		uint64_t us;
	} parts[TIMED_PARTS] = {
		{ "part=\"read\"", (began_ns - r->began_ns) / 1000 },
		{ "part=\"check\"", times->check_us },
		{ "part=\"plan\"", times->plan_us },
		{ "part=\"store\"", times->store_us },
		{ "part=\"document\"", times->document_us },
	};

	for (size_t i = 0; core->stats && i < TIMED_PARTS; i++)
		stats_set(stats_get_counter(core->stats, STATS_GAUGE,
		                            "weir_mgmt_change_microseconds", parts[i].labels,
		                            "How long a part of the last change took; shown as "
		                            "weir_mgmt_change_seconds."),
		          parts[i].us);
	log_note("change-timed",
	         "read_us=%" PRIu64 " check_us=%" PRIu64 " plan_us=%" PRIu64 " store_us=%" PRIu64
	         " document_us=%" PRIu64,
	         parts[0].us, parts[1].us, parts[2].us, parts[3].us, parts[4].us);
}

/*
 * What a file takes back, and the zones that are kept, were found out against the version in force at the beginning. The
 * store may have brought another node's since. @return whether the change may be made all the same; else @p reply says why not
 */
static bool is_compared_with_head(struct core *core, const struct change_request *c,
                                  const struct intent_candidate *candidate,
                                  struct http_reply *reply)
{
	bool is_compared = !c->change.replace && (*c->from.base || c->from.guess);
	char etag[HTTP_TEXT_MAX];

	if (!intent_candidate_is_behind(core->intent, candidate) ||
	    (!is_compared && !c->change.skip_bad_zones))
		return true;
	write_head_etag(core, etag);
	http_problem(reply, 412, "stale",
	             "another change came while the files were read: the current ETag is %s", etag);
	json_object_set_new(reply->json, "head", json_string(etag));
	return false;
}

/* Of what writes nothing to the store: a change here, a dry run of one, or no change. @return false: @p reply says why not */
static bool may_answer(const struct core *core, const struct change_request *c,
                       const struct intent_changed *changed, struct http_reply *reply)
{
	if (!changed->changed)
		return shared_run_is_sure(core, reply);
	return !c->change.dry_run || shared_run_would_write(core, reply);
}

/* Commit the candidate and reply. @param err  of preparing it. @return whether a version was created */
static bool commit_change(struct core *core, struct change_request *c,
                          struct intent_candidate *candidate, int err, struct http_reply *reply)
{
	struct intent_changed changed = { 0 };
	const struct version *head = intent_head(core->intent);
	uint64_t before = head && !join_is_provisional(head) ? head->number : 0;
	json_t *files_at = NULL;
	uint64_t to_confirm = number_to_confirm(core, c);
	bool is_plan = c->change.pending == INTENT_PENDING_IGNORE, is_created = false;

	if (!err && c->old_rc) {
		intent_candidate_drop(core->intent, candidate);
		old_file_refuse(core, &c->from, c->old_rc, c->reverted, reply);
		return false;
	}
	if (!err && (!is_compared_with_head(core, c, candidate, reply) ||
	             (!is_plan && !shared_run_may_write(core, reply)))) {
		intent_candidate_drop(core->intent, candidate);
		return false;
	}
	if (!err && !proposals_use(core, c, candidate->digest, reply)) {
		intent_candidate_drop(core->intent, candidate);
		return false;
	}
	http_doing(c->request, "writing the version");
	core_attach(core, c->request);
	if (!err)
		err = intent_candidate_commit(core->intent, &c->change, candidate,
		                              clock_believed_ms(), &changed);
	core_detach(core);
	if (err)
		refuse_change(core, err, &changed, c->outside, reply);
	else if (changed.shared ? shared_run_write(core, &changed, &files_at, reply)
	                        : is_plan || may_answer(core, c, &changed, reply)) {
		is_created = changed.changed && !c->change.dry_run;
		if (is_created && c->request)
			report_times(core, c->request, candidate->began_ns, &changed.times);
		reply->json = change_to_json(core, &changed, c->change.dry_run);
		if (is_plan) {
			unconfirmed_add_json(core, &changed, reply->json);
			json_t *plan = json_object_get(reply->json, "plan");

			add_first_warning(core, &changed, plan);
			add_gate_warning(&changed, plan);
		}
		if (is_created)
			add_way_back(core, before, files_at, reply->json);
		add_confirmed(core, to_confirm, reply->json);
		reply->status = is_created ? 201 : 200;
		version_etag(&changed.version, reply->etag);
		proposals_make(core, c, &changed, reply);
	}
	json_decref(files_at);
	intent_changed_fini(&changed);
	return is_created;
}

/* Whether the head is still what the request names. */
static bool matches_base(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	char etag[HTTP_TEXT_MAX];

	write_head_etag(core, etag);
	return handle_if_match(r, etag, true, reply);
}

void handle_change_commit(struct core *core, struct change_request *c,
                          struct intent_candidate *candidate, int err, struct http_reply *reply)
{
	if (!commit_change(core, c, candidate, err, reply))
		return;
	inforce_judge(core); /* begins with the document */
	core_changed(core);
}

void handle_change_answer(struct core *core, const struct http_request *r,
                          const struct change_request *c, struct http_reply *reply)
{
	add_full_slots(core, json_object_get(json_object_get(reply->json, "plan"), "pools"));
	if (reply->status == 201 ||
	    (reply->status == 200 && !c->change.dry_run && c->origin != ORIGIN_DISK))
		handle_wait(core, r, reply);
}

/* Make the change and answer; frees the files of @p c. */
static void make_change(struct core *core, const struct http_request *r, struct change_request *c,
                        struct http_reply *reply)
{
	struct intent_candidate candidate;

	c->request = r;
	int err = begin_change(core, c, &candidate);
	if (matches_base(core, r, reply))
		handle_change_commit(core, c, &candidate, err, reply);
	else if (!err)
		intent_candidate_drop(core->intent, &candidate);
	handle_change_unlock(core);
	handle_change_end(c);
	handle_change_answer(core, r, c, reply);
}

/* Read the fields by which an apply finds out what its file was made from. */
static void read_origin(struct field_reader *f, const struct http_request *r,
                        const struct apply_body *body, struct change_request *c)
{
	c->from.author = body->author ? body->author : r->principal;
	c->from.principal = r->identity;
	read_base(f, body, c);
}

/* For who may not read files: what is wrong in one would show parts of it. */
static int refuse_digest(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                         struct files *out)
{
	(void)arg;
	(void)name;
	(void)digest;
	(void)n_bytes;
	(void)out;
	return -EACCES;
}

/* Check and plan: a dry run of an apply, without reason and deadline. */
static void try_out(struct core *core, struct http_request *r, struct http_reply *reply, bool plan)
{
	bool may_read = r->role >= HTTP_OPERATOR;
	struct change_request c = { .source = { may_read ? core_find_file : refuse_digest, core },
		                    .change = { .author = r->principal,
		                                .reason = "",
		                                .dry_run = true,
		                                .pending = INTENT_PENDING_IGNORE,
		                                .confirm_within_ms = -1 } };
	struct apply_body body = { .base = NULL };
	struct field_reader f;

	field_read(&f, r->json, plan ? &plan_body_kind : &check_body_kind, &body);
	handle_change_files(&f, body.files, &c);
	if (plan)
		read_origin(&f, r, &body, &c);
	else
		c.from.base[0] = '\0';
	if (!field_end(&f, reply) || (plan && !handle_scope_begin(core, r, &c, reply))) {
		handle_change_end(&c);
		return;
	}
	struct intent_candidate candidate;
	int err = begin_change(core, &c, &candidate);
	c.old_rc = 0; /* reported, not refused */
	commit_change(core, &c, &candidate, err, reply);
	reply->etag[0] = '\0';
	if (reply->status == 200 && plan) {
		write_head_etag(core, reply->etag);
		json_object_set_new(reply->json, "base", json_string(reply->etag));
		if (c.reverted)
			json_object_set(reply->json, "old_file", c.reverted);
	} else if (reply->status == 200) {
		json_decref(reply->json);
		reply->json = SHOWN(check_answer, .ok = true);
	}
	handle_change_unlock(core);
	add_full_slots(core, json_object_get(json_object_get(reply->json, "plan"), "pools"));
	handle_change_end(&c);
	reply->status = reply->status ? reply->status : 200;
}

void handle_config_check(struct core *core, struct http_request *r, struct http_reply *reply)
{
	try_out(core, r, reply, false);
}

void handle_config_plan(struct core *core, struct http_request *r, struct http_reply *reply)
{
	try_out(core, r, reply, true);
}

void handle_config_apply(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct change_request c;

	if (read_change(core, r, ORIGIN_REQUEST, &c, reply))
		make_change(core, r, &c, reply);
	else
		handle_change_end(&c);
}

void handle_rollback(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct change_request c;

	if (!read_change(core, r, ORIGIN_VERSION, &c, reply) ||
	    !handle_part_number(r, &c.change.rollback_to, reply))
		return;
	shared_files_require(core, c.change.rollback_to);
	make_change(core, r, &c, reply);
}

#define CONFIRM_BODY_ROWS(X, t)                                                                    \
	AUTHOR_ROW(X, t)                                                                           \
	REASON_ROW(X, t)
RECORD_ANSWER(confirm_body, "reason", CONFIRM_BODY_ROWS);

void handle_confirm(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct confirm_body body;
	struct field_reader f;
	uint64_t number;
	bool dry_run, is_flag = handle_flag(r, "dry_run", &dry_run, reply);

	field_read(&f, r->json, &confirm_body_kind, &body);
	if (!field_end(&f, reply) || !is_flag || !handle_wait_ok(r, reply) ||
	    !handle_part_number(r, &number, reply) ||
	    !handle_scope_has_version(core, r, number, reply))
		return;
	core_lock(core);
	core_attach(core, r);
	const char *author = body.author ? body.author : r->principal;
	const char *reason = body.reason ? body.reason : "";
	int err = dry_run        ? intent_may_confirm(core->intent, number)
	          : core->shared ? shared_run_confirm(core, number, author, reason, reply)
	                         : intent_confirm(core->intent, number, author, reason,
	                                          clock_believed_ms());
	core_detach(core);
	if (!err && dry_run && !shared_run_would_write(core, reply))
		err = -EIO;
	const struct version *head = intent_head(core->intent), *v = head;
	struct version waiting;

	if (!err && dry_run && intent_waiting(core->intent, &waiting))
		head = v = &waiting;
	else if (!err && !dry_run) /* another one may have joined it */
		v = history_version(shared_intent_history(core->intent), number, NULL);
	/* it comes here now: until then another one is in force */
	if (v && v != head && *v->canary)
		head = v;
	if (err == -EALREADY)
		http_problem(
		        reply, 409, "not-pending",
		        "version %" PRIu64 " is not waiting for confirmation%s", number,
		        head && head->confirm_by_ms
		                ? "; confirm the version in force instead, which may include it"
		                : "");
	else if (err && !reply->status)
		refuse_change(core, err, &(struct intent_changed){ 0 }, NULL, reply);
	else if (!err)
		reply->json = SHOWN(confirm_answer, version_to_json(v ? v : head, head));
	core_changed(core);
	core_unlock(core);
	if (err)
		return;
	reply->status = 200;
	if (dry_run)
		json_object_set_new(reply->json, "dry_run", json_true());
	else
		handle_wait(core, r, reply);
}

/* The version stays the same, but weir-dns has to load its zones again. */
static void notify_dns(const struct core *core)
{
	char path[PATH_MAX], *answer = NULL;

	if (!proc_path(core->dirs.run, "dns.ctl", path))
		ctl_request(path, "{\"do\":\"zone-reload\"}", 1000, &answer);
	free(answer);
}

/* Read zones from the disk into the head's files, @p if_match "" becomes that head. @return whether */
static bool reread_zones(struct core *core, struct change_request *c, struct model_errors *unread,
                         char if_match[HTTP_TEXT_MAX], struct http_reply *reply)
{
	struct intent_changed none = { 0 };

	core_lock(core);
	const struct files *head = intent_head_files(core->intent);
	int err = head ? reload_files(head, intent_model(core->intent), core->dirs.conf,
	                              c->change.skip_bad_zones, &c->files, unread)
	               : -ENOENT;
	none.errors = *unread;
	if (!*if_match)
		write_head_etag(core, if_match);
	if (err == -ENOENT)
		http_problem(reply, 404, "not-found", "there is no configuration yet");
	else if (err)
		refuse_change(core, err, &none, NULL, reply);
	core_unlock(core);
	return !err;
}

void handle_zones_reload(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct model_errors unread = { 0 };
	struct http_request any = *r;
	struct change_request c;

	if (!read_change(core, r, ORIGIN_DISK, &c, reply))
		return;
	if (!reread_zones(core, &c, &unread, any.if_match, reply)) {
		model_errors_free(&unread);
		return;
	}
	c.change.files = &c.files;
	make_change(core, &any, &c, reply);
	if (reply->status < 300)
		unread_zones_add_json(&unread, reply->json);
	model_errors_free(&unread);
	if (reply->status == 200 && !c.change.dry_run)
		notify_dns(core);
}
