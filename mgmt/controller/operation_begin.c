/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Beginning an operation. The record is made and judged outside the lock, by fresh facts; under the
 * lock it is looked at once more whether another operation of these sites has begun meanwhile, so of two
 * that are started at once only one is.
 */
#include "base/random.h"
#include "mgmt/controller/operation_order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/operations/engine.h"
#include "mgmt/operations/regression.h"

#define BEGIN_MS 10000u /* for another one that is being begun: longer than the store takes */
#define AHEAD_MS 30000  /* an override may go on so long until each node has the first write */

/* An operation while it is made. */
struct beginning {
	struct core *core;
	const struct operation_body *body;
	struct operations_item item; /* as the list will have it */
	struct operation_observed observed;
	struct operation_target targets[OPERATION_TARGETS_MAX];
	size_t n_targets;
	json_t *refusal; /* what is added to a problem if a guard refuses */
	/* of an override that goes on, and where that may be once each node has the first write */
	uint32_t level_ppm, ahead_ppm;
	int64_t late_from_ms;
	bool has_override;
	uint64_t stamp;
	bool goes_on; /* an operation that is there goes on from where it is */
	char id[MODEL_ID_MAX];
};

/* --- what is meant --- */

static bool add_site(struct beginning *b, const char *name, struct operation_outcome *out)
{
	if (b->n_targets == OPERATION_TARGETS_MAX)
		return operation_refuse(out, 422, "invalid",
		                        "sites: an operation has at most %u sites",
		                        OPERATION_TARGETS_MAX);
	snprintf(b->targets[b->n_targets++].site, MODEL_NAME_MAX, "%s", name);
	return true;
}

static bool is_drain_of(const struct overrides *all, const struct override *o, const char *site,
                        int64_t now_ms)
{
	return o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE &&
	       !strcmp(o->name, site) && strcmp(overrides_state(all, o, now_ms), "done") != 0;
}

/* The live drain of a site that the operation goes on from; NULL: none. */
static const struct override *find_drain(const struct overrides *all, const char *site,
                                         const char *service, int64_t now_ms)
{
	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (is_drain_of(all, o, site, now_ms) &&
		    !strcmp(o->service, service ? service : ""))
			return o;
	}
	return NULL;
}

/*
 * A site that was removed has no nodes that could measure, and an override of it stays until somebody ends it: by the
 * clock, which `weir undrain site` does then by itself. Under the lock.
 */
static bool refuse_site(const struct beginning *b, const char *name, struct operation_outcome *out)
{
	const struct overrides *all = intent_overrides(b->core->intent);

	if (b->body->what == OPERATION_BODY_UNDRAIN &&
	    find_drain(all, name, b->body->service, clock_believed_ms()))
		return operation_refuse(out, 409, "site-gone",
		                        "site %s is not configured any more, and its drain is "
		                        "there: weir undrain site %s --scheduled --now ends it",
		                        name, name);
	return operation_refuse(out, 404, "not-found", "there is no site %s", name);
}

/* The sites that the body names, or those of its label. Under the lock. */
static bool find_sites(struct beginning *b, const struct model *m, struct operation_outcome *out)
{
	const struct operation_body *body = b->body;

	for (size_t i = 0; i < body->n_sites; i++) {
		if (!model_site(m, body->sites[i]))
			return refuse_site(b, body->sites[i], out);
		if (!add_site(b, body->sites[i], out))
			return false;
	}
	for (size_t i = 0; body->region && i < m->n_sites; i++)
		if (!strcmp(m->sites[i].region, body->region) &&
		    !add_site(b, m->sites[i].name, out))
			return false;
	if (b->n_targets)
		return true;
	return operation_refuse(out, 404, "not-found", "no site has the label region=%s",
	                        body->region);
}

static bool find_service(const struct beginning *b, const struct model *m,
                         struct operation_outcome *out)
{
	const char *name = b->body->service;
	const struct model_service *found = name ? model_service(m, name) : NULL;

	if (!name)
		return true;
	if (!found)
		return operation_refuse(out, 404, "not-found", "there is no service %s", name);
	for (size_t i = 0; i < b->n_targets; i++)
		if (!model_service_at(found, b->targets[i].site))
			return operation_refuse(out, 422, "invalid",
			                        "service: %s is not at site %s", name,
			                        b->targets[i].site);
	return true;
}

static bool find_absent(const struct beginning *b, const struct model *m,
                        struct operation_outcome *out)
{
	for (size_t i = 0; i < b->body->person.without.n; i++)
		if (!model_node(m, b->body->person.without.items[i]))
			return operation_refuse(out, 404, "not-found",
			                        "without: there is no node %s",
			                        b->body->person.without.items[i]);
	return true;
}

/* --- what is there already --- */

static const struct record_kind in_the_way_record = RECORD_OF(
        struct operation, "other operation", NULL, SHOW_AS(struct operation, "operation", id));

/* Another operation of one of these sites. Under the lock. */
static bool find_other(const struct beginning *b, struct operation_outcome *out)
{
	for (size_t i = 0; i < b->n_targets; i++) {
		const struct operations_item *item =
		        operations_of_site(b->core, b->targets[i].site);

		if (!item)
			continue;
		const struct operation *op = &item->op;
		bool drained = op->state == OPERATION_DRAINED || op->state == OPERATION_EMPTY ||
		               op->state == OPERATION_DRAINED_UNCONFIRMED;
		operation_refuse(
		        out, 409, "operation",
		        "site %s %s by operation %s (%s, owner %s); weir operation %s shows "
		        "it, weir undrain site %s%s%s returns it",
		        b->targets[i].site,
		        drained               ? "is drained already"
		        : operation_moves(op) ? "is being moved"
		                              : "is kept as it is",
		        op->id, operation_state_text(op->state), op->owner, op->id,
		        b->targets[i].site, *op->service ? " --service " : "", op->service);
		out->json = record_shown(&in_the_way_record, op);
		return false;
	}
	return true;
}

/* The operation of just these sites, if it rests or returns: it can go on. Under the lock. */
static bool find_resting(struct beginning *b)
{
	const struct operations_item *item = operations_of_site(b->core, b->targets[0].site);
	const char *service = b->body->service ? b->body->service : "";

	if (!item || item->op.n_targets != b->n_targets || strcmp(item->op.service, service) != 0)
		return false;
	for (size_t i = 0; i < b->n_targets; i++)
		if (!operation_targets_site(&item->op, b->targets[i].site))
			return false;
	enum operation_state state = operation_unheld_state(&item->op);
	b->goes_on = state == OPERATION_RESTING || state == OPERATION_RETURNING;
	if (b->goes_on) {
		b->item.op = item->op;
		memcpy(b->id, item->op.id, sizeof(b->id));
	}
	return b->goes_on;
}

/* From when on backups take late clients: what a drain by the clock has opened stays open. */
static int64_t find_late_ms(const struct beginning *b, const struct override *o)
{
	const struct model *m = intent_model(b->core->intent);
	struct model_override as_model;

	if (o->is_step || !m)
		return o->late_from_ms;
	override_to_model(o, &as_model);
	return model_override_answers_ms(m, &as_model);
}

/* Where the override is, and where it may be when the last node gets the first write. Under the lock. */
static void note_override(struct beginning *b, const struct override *o, int64_t now_ms)
{
	const struct overrides *all = intent_overrides(b->core->intent);
	uint32_t ahead = overrides_level(all, o, now_ms + AHEAD_MS);

	b->has_override = true;
	b->ahead_ppm = ahead > b->ahead_ppm ? ahead : b->ahead_ppm;
	if (overrides_level(all, o, now_ms) == MODEL_PPM_ALL)
		b->late_from_ms = find_late_ms(b, o);
}

/*
 * Go on with overrides that are there; else new ids. One write goes to all sites of an operation, so
 * their levels must be one. Under the lock.
 */
static bool choose_overrides(struct beginning *b, int64_t now_ms, struct operation_outcome *out)
{
	const struct overrides *all = intent_overrides(b->core->intent);

	b->stamp = operations_next_stamp(b->core, b->targets, b->n_targets, now_ms);
	for (size_t i = 0; i < b->n_targets; i++) {
		const struct override *o =
		        find_drain(all, b->targets[i].site, b->body->service, now_ms);
		uint32_t level = o ? overrides_level(all, o, now_ms) : 0;

		if (o)
			note_override(b, o, now_ms);
		if (o)
			memcpy(b->targets[i].override_id, o->id, MODEL_ID_MAX);
		else
			override_make_id(b->core->dirs.node, now_ms, random_salt(),
			                 b->targets[i].override_id);
		if (i && level != b->level_ppm)
			return operation_refuse(out, 422, "invalid",
			                        "sites: %s and %s are drained to different levels; "
			                        "give one command for each",
			                        b->targets[0].site, b->targets[i].site);
		b->level_ppm = level;
	}
	return true;
}

/* All that can be said without asking other nodes. */
static bool resolve_request(struct beginning *b, int64_t now_ms, struct operation_outcome *out)
{
	core_lock(b->core);
	const struct model *m = intent_model(b->core->intent);
	bool ok = m != NULL;

	if (!m)
		operation_refuse(out, 404, "not-found", "%s", intent_nothing_text(b->core->intent));
	ok = ok && find_sites(b, m, out) && find_service(b, m, out) && find_absent(b, m, out) &&
	     (find_resting(b) || (find_other(b, out) && choose_overrides(b, now_ms, out)));
	core_unlock(b->core);
	return ok;
}

/* --- the record --- */

static bool make_record(struct beginning *b, int64_t now_ms, struct operation_outcome *out)
{
	const struct operation_body *body = b->body;
	char error[OPERATION_DETAIL_MAX] = "";

	struct operation_request r = { .id = b->id,
		                       .node = b->core->dirs.node,
		                       .kind = body->what == OPERATION_BODY_SHIFT ? OPERATION_SHIFT
		                                                                  : OPERATION_DRAIN,
		                       .targets = b->targets,
		                       .n_targets = b->n_targets,
		                       .service = body->service ? body->service : "",
		                       .has_override = b->has_override,
		                       .level_ppm = b->level_ppm,
		                       .ahead_ppm = b->ahead_ppm,
		                       .late_from_ms = b->late_from_ms,
		                       .stamp = b->stamp,
		                       .person = body->person };
	if (!operation_init(&b->item.op, &r, now_ms, error))
		return true;
	return operation_refuse(out, 422, "invalid", "%s", error);
}

/* What the order will do at its owner: the record as it would be. */
static bool go_on_from_there(struct beginning *b, struct operation_outcome *out)
{
	char error[OPERATION_DETAIL_MAX] = "";
	enum operation_state state = b->item.op.state;

	if (!operation_redirect(&b->item.op, &b->observed.facts, &b->body->person,
	                        clock_believed_ms(), error))
		return true;
	return operation_refuse(out, 409, "operation", "operation %s is %s: %s", b->id,
	                        operation_state_text(state), error);
}

/* Ask all nodes and judge. @return false: it cannot be */
static bool judge_beginning(struct beginning *b, struct operation_outcome *out)
{
	struct operation_snapshot *snapshot = operation_snapshot_now(b->core);
	struct operation *op = &b->item.op;

	if (!snapshot)
		return operation_refuse(out, 503, "busy", "out of memory");
	operation_gather(snapshot, op, 0, &b->observed);
	bool ok = !b->goes_on || go_on_from_there(b, out);
	operation_plan(op, &b->observed.facts);
	well_begin(op, &b->observed.facts); /* signs are compared with what they are now */
	operation_project(snapshot, op, NULL, &b->observed);
	b->item.judged = true;
	b->item.deciding = operation_count_deciding(op, &b->observed.facts);
	b->item.outlook = operation_outlook_json(snapshot, op, &b->observed);
	operation_judge(op, &b->observed.facts, OPERATION_BEGIN, b->item.verdicts);
	b->refusal = operation_begin_refusal(op, b->item.verdicts, &b->observed.facts);
	free(b->observed.projection);
	operation_snapshot_free(snapshot);
	/* what points into the snapshot is not used any more */
	return ok;
}

static void refuse_by_guard(const struct beginning *b, const struct operation_verdict *tripped,
                            struct operation_outcome *out)
{
	operation_refuse(out, 409, "guard", "%s: %s", rule_rows[tripped->guard].name,
	                 tripped->detail);
	out->json = json_incref(b->refusal);
	if (out->json && tripped->guard == OPERATION_GUARD_BACKUP)
		json_object_set(out->json, "backups", json_object_get(b->item.outlook, "backups"));
}

/* A clearer answer than a guard's: another operation of these sites began while facts were asked for. */
static void refuse_tripped(const struct beginning *b, const struct operation_verdict *tripped,
                           struct operation_outcome *out)
{
	core_lock(b->core);
	bool alone = b->goes_on || find_other(b, out);
	core_unlock(b->core);
	if (alone)
		refuse_by_guard(b, tripped, out);
}

/* The record with what was observed, as it would be; whether it would begin, and what goes past that which refuses. */
static json_t *show_dry_run(const struct beginning *b)
{
	bool begins = !operation_tripped(b->item.verdicts);
	json_t *o = operation_show_json(&b->item);
	json_t *preflight = json_object_get(o, "preflight");

	json_object_set_new(o, "dry_run", json_true());
	json_object_set_new(preflight, "would_begin", json_boolean(begins));
	if (!begins)
		json_object_update(preflight, b->refusal);
	return o;
}

static bool has_room(const struct beginning *b, struct operation_outcome *out)
{
	return operations_have_room(b->core) ||
	       operation_refuse(out, 409, "too-many",
	                        "too many operations are not over: end some of them first");
}

/*
 * What it would be refused by behind the guards, as far as this node decides: a way past a guard is of no use then. @return
 * whether there is nothing
 */
static bool would_be_decided(struct beginning *b, struct operation_outcome *out)
{
	char reason[ETCD_REASON_MAX];

	core_lock(b->core);
	bool is_elsewhere = b->goes_on && !operations_is_own(b->core, &b->item.op);
	bool ok = b->goes_on || has_room(b, out);
	if (ok && !is_elsewhere && !operation_may_decide(b->core, b->id, !b->goes_on, reason)) {
		operation_refuse_undecided(b->core, b->id, OPERATION_UNDECIDED, reason, out);
		ok = false;
	}
	core_unlock(b->core);
	return ok;
}

/*
 * Let the record be decided, unless another has begun meanwhile: one begins at a time, as the lock is given up until that is
 * known. Under the lock. @return whether it is there; else @p out says why not
 */
static bool make_exist(struct beginning *b, const struct http_request *request,
                       struct operation_outcome *out)
{
	struct operations *o = b->core->operations;
	uint64_t until_ms = clock_mono_ms() + BEGIN_MS;
	char reason[ETCD_REASON_MAX] = "another operation is being begun";
	enum operation_decided decided = OPERATION_UNDECIDED;

	while (o->begins && core_wait(b->core, until_ms))
		;
	if (!find_other(b, out) || !has_room(b, out))
		return false;
	if (!o->begins) {
		o->begins = true;
		decided = operation_decide(b->core, NULL, &b->item.op, false, reason);
		o->begins = false;
		core_changed(b->core);
	}
	if (decided == OPERATION_DECIDED && operations_find(b->core, b->item.op.id)) {
		operation_note_request(b->core, request, b->item.op.id);
		return true;
	}
	if (decided == OPERATION_OVERTAKEN)
		operation_refuse(
		        out, 409, "overtaken",
		        "somebody has given a command at site %s meanwhile, which this node "
		        "had not heard of: look at weir status, then give yours again",
		        b->targets[0].site);
	else
		operation_refuse_undecided(b->core, b->item.op.id, decided, reason, out);
	return false;
}

/* Make it exist, with what was judged. */
static void commit_beginning(struct beginning *b, const struct http_request *request,
                             struct operation_outcome *out)
{
	core_lock(b->core);
	if (make_exist(b, request, out)) {
		struct operations_item *item = operations_find(b->core, b->item.op.id);

		memcpy(item->verdicts, b->item.verdicts, sizeof(item->verdicts));
		item->judged = true;
		item->deciding = b->item.deciding;
		json_decref(item->outlook); /* a tick may have judged it already */
		item->outlook = json_incref(b->item.outlook);
		journal_add(intent_journal(b->core->intent), clock_believed_ms(), "operation",
		            b->item.op.id, "%s of site %s begun by %s: %s",
		            operation_kind_text(b->item.op.kind), b->item.op.targets[0].site,
		            b->item.op.principal, b->item.op.reason);
		out->status = 201;
		operations_poke(b->core);
	}
	core_unlock(b->core);
}

/* The order to the owner of an operation that is there. */
static struct operation_order order_of(enum operation_order_do what,
                                       const struct operation_body *body,
                                       const struct http_request *request)
{
	return (struct operation_order){ .what = what, .person = body->person, .request = request };
}

static void begin_judged(struct beginning *b, const struct http_request *request,
                         struct operation_outcome *out)
{
	struct operation_order order = order_of(OPERATION_ORDER_REDIRECT, b->body, request);

	if (b->goes_on) {
		operation_order_run(b->core, b->id, &order, out);
		return;
	}
	commit_beginning(b, request, out);
	if (out->status == 201)
		operation_order_answer(b->core, b->id, out);
}

/* @return NULL: out of memory, as @p out says */
static struct beginning *make_beginning(struct core *core, const struct operation_body *body,
                                        int64_t now_ms, struct operation_outcome *out)
{
	struct beginning *b = calloc(1, sizeof(*b));

	*out = (struct operation_outcome){ .status = 0 };
	if (!b) {
		operation_refuse(out, 503, "busy", "out of memory");
		return NULL;
	}
	b->core = core;
	b->body = body;
	override_make_id(core->dirs.node, now_ms, random_salt(), b->id);
	return b;
}

void operation_begin(struct core *core, const struct operation_body *body,
                     const struct http_request *request, bool dry_run,
                     struct operation_outcome *out)
{
	int64_t now_ms = clock_believed_ms();
	struct beginning *b = make_beginning(core, body, now_ms, out);

	if (!b)
		return;
	if (resolve_request(b, now_ms, out) && (b->goes_on || make_record(b, now_ms, out)) &&
	    judge_beginning(b, out)) {
		const struct operation_verdict *tripped = operation_tripped(b->item.verdicts);

		if (!dry_run && tripped) {
			if (would_be_decided(b, out))
				refuse_tripped(b, tripped, out);
		} else if (!dry_run) {
			begin_judged(b, request, out);
		} else if (tripped || would_be_decided(b, out)) {
			out->json = show_dry_run(b);
			out->status = 200;
		}
	}
	json_decref(b->item.outlook);
	json_decref(b->refusal);
	free(b);
}

/* --- return --- */

/* Whether the body means what the operation moves: all of its sites, or that service. */
static bool is_meant(const struct beginning *b, const struct operation *op,
                     struct operation_outcome *out)
{
	const char *service = b->body->service ? b->body->service : "";

	if (!strcmp(service, op->service))
		return true;
	if (*op->service)
		return operation_refuse(out, 422, "invalid",
		                        "service: operation %s moves service %s only", op->id,
		                        op->service);
	return operation_refuse(out, 422, "invalid", "service: operation %s moves all services",
	                        op->id);
}

/* The operation that all sites of the body belong to; "": none. Under the lock. */
static bool find_common(struct beginning *b, char id[MODEL_ID_MAX], struct operation_outcome *out)
{
	id[0] = '\0';
	for (size_t i = 0; i < b->n_targets; i++) {
		const struct operations_item *item =
		        operations_of_site(b->core, b->targets[i].site);
		const char *one = item ? item->op.id : "";

		if (i && strcmp(one, id) != 0)
			return operation_refuse(
			        out, 422, "invalid",
			        "sites: these belong to different operations; return them one "
			        "after the other");
		if (item && !is_meant(b, &item->op, out))
			return false;
		snprintf(id, MODEL_ID_MAX, "%s", one);
	}
	return true;
}

/* Until its return is ordered it stays where it is, whatever happens meanwhile. */
static void hold_record(struct operation *op, int64_t now_ms)
{
	op->state = OPERATION_HELD;
	op->hold = (struct operation_hold){ .detail = "its return was not begun",
		                            .since_ms = now_ms,
		                            .from = OPERATION_RESTING };
	(void)snprintf(op->hold.code, sizeof(op->hold.code), "%s",
	               rule_rows[OPERATION_HOLD_PERSON].name);
}

/* An operation cannot return what a service that left a site has drained there. Under the lock. */
static bool is_service_there(const struct beginning *b, struct operation_outcome *out)
{
	const char *name = b->body->service;
	const struct model *m = intent_model(b->core->intent);
	const struct model_service *s = m && name ? model_service(m, name) : NULL;

	for (size_t i = 0; name && i < b->n_targets; i++) {
		const char *site = b->targets[i].site;

		if (!s || !model_service_at(s, site))
			return operation_refuse(out, 422, "invalid",
			                        "service: %s is not at site %s any more: weir "
			                        "undrain site %s --service %s --scheduled returns "
			                        "it there",
			                        name, site, site, name);
	}
	return true;
}

/*
 * A drain that has not begun, or is held before it began, is at level 0 and to be ended all the same. A site that is
 * drained otherwise than the body means, one service alone or all of them, is not said to be back. Under the lock.
 */
static bool has_what_to_end(const struct beginning *b, int64_t now_ms,
                            struct operation_outcome *out)
{
	const struct overrides *all = intent_overrides(b->core->intent);
	const char *site = b->targets[0].site;

	for (size_t i = 0; i < all->n_items && !b->has_override; i++) {
		const struct override *o = &all->items[i];

		if (is_drain_of(all, o, site, now_ms))
			return operation_refuse(
			        out, 422, "invalid",
			        "service: at site %s %s drained: weir undrain site "
			        "%s%s%s returns that",
			        site, *o->service ? "one service alone is" : "all services are",
			        site, *o->service ? " --service " : "", o->service);
	}
	if (!b->has_override)
		return operation_refuse(out, 409, "nothing-to-end", "site %s is not drained", site);
	return is_service_there(b, out);
}

/* A drain by the clock becomes an operation that returns. */
static void return_scheduled(struct beginning *b, const struct operation_order *order,
                             int64_t now_ms, struct operation_outcome *out)
{
	core_lock(b->core);
	bool ok = choose_overrides(b, now_ms, out) && has_what_to_end(b, now_ms, out);
	core_unlock(b->core);
	if (!ok || !make_record(b, now_ms, out))
		return;
	hold_record(&b->item.op, now_ms);
	core_lock(b->core);
	bool exists = make_exist(b, NULL, out);
	core_unlock(b->core);
	if (exists)
		operation_order_run_here(b->core, b->item.op.id, order, out);
}

void operation_undrain(struct core *core, const struct operation_body *body,
                       const struct http_request *request, struct operation_outcome *out)
{
	struct operation_order order = order_of(OPERATION_ORDER_RETURN, body, request);
	int64_t now_ms = clock_believed_ms();
	struct beginning *b = make_beginning(core, body, now_ms, out);
	char id[MODEL_ID_MAX] = "";

	if (!b)
		return;
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	bool ok = m && find_sites(b, m, out) && find_absent(b, m, out) && find_common(b, id, out);
	if (!m)
		operation_refuse(out, 404, "not-found", "%s", intent_nothing_text(core->intent));
	core_unlock(core);
	if (ok && *id)
		operation_order_run(core, id, &order, out);
	else if (ok)
		return_scheduled(b, &order, now_ms, out);
	free(b);
}
