/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of configuration: apply and roll back. Reading and checking
 * files takes long and needs no lock: it is done on a candidate, and the commit checks what may have
 * changed. A version is stored, then becomes the head, then its document is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "mgmt/files/blobs.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/files/gather.h"
#include "mgmt/rules/gate.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/files/sweep.h"

/* What has passed since @p from_ns, which becomes now. */
static uint64_t elapsed_us(uint64_t *from_ns)
{
	uint64_t now_ns = clock_mono_ns(), us = (now_ns - *from_ns) / 1000;

	*from_ns = now_ns;
	return us;
}

/* Whether version @p number is known, and has other files than these: a lost store, or this node's own life, had another one. */
static bool is_other(const struct intent *in, uint64_t number, const char *digest)
{
	const struct version *known = history_version(in->history, number, NULL);

	return known && strcmp(known->digest, digest) != 0;
}

/* The version whose files @p v has, by a rollback; 0: none, or one that came before this store. */
static uint64_t former_number(const struct intent *in, const struct intent_change *change,
                              const struct version *v)
{
	uint64_t number = change->rollback_to;

	return number >= v->number || is_other(in, number, v->digest) ? 0 : number;
}

/* A version takes effect later than it was made, so that each node has it by then. */
static struct version make_version(const struct intent *in, const struct intent_change *change,
                                   const char *digest, int64_t now_ms)
{
	const struct version *head = intent_head(in);
	const struct version *newest = authority_has_records(in) ? history_head(in->history) : head;
	/* a node's own file is nobody else's version */
	bool is_first = !newest || change->provisional ||
	                (in->shares && authority_of(in) == AUTHORITY_FILE);
	struct version v = { .number = is_first ? 1 : newest->number + 1, .time_ms = now_ms };

	if (!in->shares && !change->provisional && in->newest >= v.number)
		v.number = in->newest + 1; /* also of one that has no record any more */
	if (newest && v.time_ms <= newest->time_ms)
		v.time_ms = newest->time_ms + 1; /* versions are ordered, whatever the clock does */
	v.effective_ms = v.time_ms + (head ? intent_ahead_ms(in) : 0);
	snprintf(v.digest, sizeof(v.digest), "%s", digest);
	snprintf(v.parent, sizeof(v.parent), "%s",
	         head && !change->provisional ? head->digest : "");
	snprintf(v.author, sizeof(v.author), "%s", change->author);
	snprintf(v.reason, sizeof(v.reason), "%s", change->reason);
	snprintf(v.node, sizeof(v.node), "%s", in->node);
	snprintf(v.principal, sizeof(v.principal), "%s", intent_principal(in));
	v.rolled_back_to = former_number(in, change, &v);
	v.well_for_ms = change->well_for_ms;
	if (change->if_quiet)
		snprintf(v.if_quiet, sizeof(v.if_quiet), "%s", change->if_quiet);
	return v;
}

/*
 * Store the version and put it in force, by the change @p c; NULL: it is provisional, and this node's alone. Takes files and
 * model on success.
 */
static int commit_version(struct intent *in, const struct shared_change *c, const struct version *v,
                          struct files *files, struct model **model, int64_t now_ms,
                          struct change_times *times)
{
	struct recent r = { .version = *v, .files = *files, .model = *model };

	if (v->confirm_within_ms)
		r.version.confirm_by_ms = v->time_ms + v->confirm_within_ms;
	uint64_t from_ns = clock_mono_ns();

	if (!in->store || in->failing)
		return -EROFS;
	int err = c ? alone_decide(in, c, &(struct copy_version){ v, files }, now_ms)
	          : intent_stored(in, store_put_version(in->store, v, files), now_ms) ? -EROFS
	                                                                              : 0;
	if (err)
		return err;
	*files = (struct files){ 0 };
	*model = NULL;
	intent_say_version(in, &r.version, now_ms);
	times->store_us = elapsed_us(&from_ns);
	intent_push_recent(in, &r);
	effective_follow(in, now_ms);
	times->document_us = elapsed_us(&from_ns);
	store_collect(in->store, now_ms);
	return 0;
}

/* How long somebody has to confirm the change, if there is a version to go back to. */
static int64_t confirm_within(const struct intent_change *change, const struct change_plan *plan)
{
	if (change->confirm_within_ms >= 0)
		return change->confirm_within_ms;
	if (change->well_for_ms > INTENT_CONFIRM_MAX_MS - INTENT_CONFIRM_DEFAULT_MS)
		return INTENT_CONFIRM_MAX_MS;
	return plan->n_risks || change->well_for_ms || change->canary
	               ? change->well_for_ms + INTENT_CONFIRM_DEFAULT_MS
	               : 0;
}

/* Copy the requested files: those given, or those of the version to go back to. */
static int requested_files(struct intent *in, const struct intent_change *change, int64_t now_ms,
                           struct files *out)
{
	if (change->files)
		return files_copy(out, change->files);
	if (!in->store || in->failing)
		return -EROFS;
	int err = store_files(in->store, change->rollback_to, out);
	if (err && err != -ENOENT) {
		intent_stored(in, err, now_ms);
		return -EROFS;
	}
	return err;
}

int intent_candidate_begin(struct intent *in, const struct intent_change *change, int64_t now_ms,
                           struct intent_candidate *out)
{
	struct intent_candidate c = { .began_ns = clock_mono_ns() };
	int err = requested_files(in, change, now_ms, &c.files);

	if (err)
		return err;
	files_digest(&c.files, c.digest);
	if (!change->files && is_other(in, change->rollback_to, c.digest)) {
		files_fini(&c.files);
		return -ENOENT; /* its own files are not here */
	}
	struct version back;
	if (!change->files && !store_version(in->store, change->rollback_to, &back))
		memcpy(c.hash_key, back.hash_key, sizeof(c.hash_key));
	if (in->n_recent) {
		c.head = in->recent[in->n_recent - 1].model;
		c.head_arena = arena_share(c.head->arena);
	}
	c.skip = change->skip_bad_zones && in->n_recent;
	if (c.skip)
		err = files_copy(&c.head_files, &in->recent[in->n_recent - 1].files);
	if (err) {
		arena_free(c.head_arena);
		files_fini(&c.files);
		return err;
	}
	snprintf(in->candidate_digest, sizeof(in->candidate_digest), "%s", c.digest);
	*out = c;
	return 0;
}

/* Replace the files of bad zones by the head's. */
static void skip_zones(struct intent_candidate *c)
{
	c->err = zones_skip(&c->files, c->model, &c->head_files, c->head, &c->errors, &c->zones);
	c->again = !c->err;
	c->skip = false;
}

void intent_candidate_again(struct intent *in, struct intent_candidate *c)
{
	in->candidate_digest[0] = '\0';
	recent_remove_laid_out(in, c->digest);
	files_digest(&c->files, c->digest);
	snprintf(in->candidate_digest, sizeof(in->candidate_digest), "%s", c->digest);
	model_free(c->model);
	c->model = NULL;
	zones_findings_fini(&c->first);
	c->first = c->zones;
	c->zones = (struct zones_findings){ 0 };
	for (size_t i = 0; i < c->errors.n_items && i < ZONES_FINDINGS_MAX; i++) {
		const struct model_error *m = &c->errors.items[i];

		c->first.warnings[i] =
		        arena_printf(c->first.arena, "%s:%u: %s", m->file, m->line, m->message);
		if (c->first.warnings[i])
			c->first.n_warnings = i + 1;
	}
	model_errors_free(&c->errors);
	c->errors = (struct model_errors){ 0 };
	c->again = false;
}

/* What a change from @p head would do; NULL: there is none. */
static int make_plan(const struct model *head, const struct model *m, struct change_plan *out)
{
	int err = plan_compare(head, m, out);

	if (err || !head)
		return err;
	plan_add_rings(out, head, m);
	return plan_add_effects(out, head, m);
}

void intent_candidate_read(const struct intent *in, struct intent_candidate *c)
{
	uint64_t from_ns = clock_mono_ns();

	c->err = blobs_import(in->state_dir, &c->files);
	if (!c->err)
		c->err = gather_keyed(&c->files, in->state_dir, in->conf_dir, c->hash_key, in->node,
		                      &c->model, &c->errors);
	if (!c->err)
		c->err = gather_check_zones(c->model, &c->files, in->state_dir, c->head, &c->errors,
		                            &c->zones);
	if (c->err == -EINVAL && c->skip && c->model && c->zones.n_bad) {
		skip_zones(c);
		if (c->again)
			return;
	}
	c->times.check_us += elapsed_us(&from_ns);
	if (!c->err)
		c->err = make_plan(c->head, c->model, &c->plan);
	c->times.plan_us = elapsed_us(&from_ns);
}

/* The candidate shares the arena of its head, so that no other model can be at its address. */
bool intent_candidate_is_behind(const struct intent *in, const struct intent_candidate *c)
{
	return c->head != (in->n_recent ? in->recent[in->n_recent - 1].model : NULL);
}

void intent_candidate_drop(struct intent *in, struct intent_candidate *c)
{
	in->candidate_digest[0] = '\0';
	recent_remove_laid_out(in, c->digest);
	model_free(c->model);
	arena_free(c->head_arena);
	plan_fini(&c->plan);
	model_errors_free(&c->errors);
	files_fini(&c->files);
	files_fini(&c->head_files);
	zones_findings_fini(&c->zones);
	zones_findings_fini(&c->first);
}

/* Whether the configuration is also other nodes', and nothing decides for all of them. */
static bool lacks_store(const struct intent *in, const struct intent_candidate *c)
{
	const struct model *head = in->n_recent ? in->recent[in->n_recent - 1].model : NULL;

	return !in->shares && (join_has_peers(head) || join_has_peers(c->model));
}

/* A version that the store decides: its files are kept until then. */
static int stage_version(struct intent *in, const struct files *files, int64_t now_ms,
                         struct intent_changed *out)
{
	out->staged = true;
	return intent_stored(in, store_stage_version(in->store, &out->version, files), now_ms)
	               ? -EROFS
	               : 0;
}

/* A new version; where it @p returns to the last confirmed one, the end of the head. */
static int make_change(struct intent *in, const struct intent_change *change, bool returns,
                       struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	struct version *v = &out->version;

	if (change->provisional)
		return commit_version(in, NULL, v, &c->files, &c->model, now_ms, &out->times);
	int err = shared_make_change(in, change, returns, v, now_ms, &out->shared);

	if (err || returns)
		return err;
	out->confirm_within_ms = v->confirm_within_ms; /* the first needs none */
	return in->shares ? stage_version(in, &c->files, now_ms, out)
	                  : commit_version(in, out->shared, v, &c->files, &c->model, now_ms,
	                                   &out->times);
}

/*
 * Of a node that is alone: decide what makes no version, and put in force what follows. @p out gets what is in force then.
 * @param is_done  a version: it is decided
 */
static int end_alone(struct intent *in, bool is_done, int64_t now_ms, struct intent_changed *out)
{
	struct pending_clock clock;
	int err = is_done ? 0
	                  : alone_decide(in, out->shared,
	                                 &(struct copy_version){ &out->version, NULL }, now_ms);

	shared_change_fini(out->shared);
	free(out->shared);
	out->shared = NULL;
	if (err)
		return err;
	pending_clock_read(&clock);
	(void)shared_intent_follow(in, &clock, now_ms);
	if (!is_done) /* more may be to end than one change can mark */
		(void)alone_end(in, &clock, now_ms);
	if (intent_head(in))
		out->version = *intent_head(in);
	return 0;
}

/* Backends that people drained, disabled or forced go by their names: what a change would free of that. */
static int plan_overrides(const struct intent *in, const struct model *from, const struct model *to,
                          int64_t now_ms, struct change_plan *plan)
{
	struct model_override *list = calloc(in->overrides.n_items + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < in->overrides.n_items; i++) {
		const struct override *o = &in->overrides.items[i];

		if (o->target == MODEL_TARGET_BACKEND && !override_is_done(o, now_ms))
			override_to_model(o, &list[n++]);
	}
	int err = plan_add_overrides(plan, from, to, list, n);

	free(list);
	return err;
}

static bool has_member(const struct member_pool *p, const char *id)
{
	const struct model_backend *b = model_backend(&p->pool, id);

	return b && p->of && p->of[b - p->pool.backends];
}

/* Which registered backends of @p was have no place in @p becomes. Records stay for a while when their member is gone. */
static int count_left_out(const struct intent *in, const struct model_pool *was,
                          const struct model_pool *becomes, int64_t now_ms, struct arena *arena,
                          struct risk_left_out *out)
{
	struct member_pool a, b;
	int err = member_pool_make(was, &in->members, now_ms, arena, &a);

	if (!err)
		err = member_pool_make(becomes, &in->members, now_ms, arena, &b);
	*out = (struct risk_left_out){ .pool = was->name };
	for (size_t i = 0; !err && a.of && i < a.pool.n_backends; i++) {
		const struct member *m = a.of[i];

		if (!m || now_ms >= member_gone_ms(m))
			continue;
		out->n_all++;
		out->n_out += !has_member(&b, m->id);
	}
	return err;
}

/* Programs' backends are in no version: what a change leaves out of them. */
static int plan_members(const struct intent *in, const struct model *from, const struct model *to,
                        int64_t now_ms, struct change_plan *plan)
{
	struct arena *arena = plan->arena;
	struct risk_left_out *list = ARENA_ARRAY(arena, struct risk_left_out, from->n_pools + 1);
	int err = list ? 0 : -ENOMEM;
	size_t n = 0;

	for (size_t i = 0; !err && in->members.n && i < from->n_pools; i++) {
		const struct model_pool *was = &from->pools[i],
		                        *becomes = model_pool(to, was->name);

		if (!was->n_prefixes || !becomes)
			continue;
		err = count_left_out(in, was, becomes, now_ms, arena, &list[n]);
		n += !err && list[n].n_out;
	}
	return err ? err : plan_add_left_out(plan, list, n);
}

/* What reading the candidate has found goes to @p out, with what a change from @p head would do. */
static int receive_findings(const struct intent *in, const struct model *head,
                            struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	int err = c->err;

	out->errors = c->errors;
	c->errors = (struct model_errors){ 0 };
	out->zones = c->zones;
	out->skipped = c->first;
	out->times = c->times;
	c->zones = c->first = (struct zones_findings){ 0 };
	if (!err && intent_candidate_is_behind(in, c)) {
		err = make_plan(head, c->model, &out->plan);
	} else if (!err) {
		out->plan = c->plan;
		c->plan = (struct change_plan){ 0 };
	}
	if (err || !head)
		return err;
	err = plan_overrides(in, head, c->model, now_ms, &out->plan);
	return err ? err : plan_members(in, head, c->model, now_ms, &out->plan);
}

/* What to do before a backend can have the place of @p m */
static void write_remedy(const struct member *m, char *text, size_t size)
{
	char gone[CLOCK_TEXT_MAX];

	if (m->left_ms)
		snprintf(text, size, "that leaves already, and it is gone at %s: try again then",
		         clock_text(member_gone_ms(m), gone));
	else
		snprintf(text, size, "take that away first (DELETE /v1/pools/%s/members/%s)",
		         m->pool, m->id);
}

/* A static backend takes nobody's place: the member is to leave first. Where a version comes back it does, and the member is left out. */
static int check_members(const struct intent *in, const struct model *m, int64_t now_ms,
                         struct intent_changed *out)
{
	int err = 0;

	for (size_t i = 0; i < in->members.n; i++) {
		const struct member *one = in->members.items[i];
		const struct model_pool *pool = model_pool(m, one->pool);
		const struct model_backend *other = NULL;
		char text[768], remedy[256], field[MODEL_NAME_MAX + 32];

		if (!pool || now_ms >= member_gone_ms(one))
			continue;
		enum member_fit fit = member_fits(pool, one->id, &one->address.addr, &other);

		if (fit != MEMBER_NAME_IN_USE && fit != MEMBER_ADDRESS_IN_USE)
			continue;
		write_remedy(one, remedy, sizeof(remedy));
		snprintf(
		        text, sizeof(text),
		        "backend \"%s\" has the %s of a member that a program registered, \"%s\": %s",
		        other ? other->name : one->id, other ? "address" : "name", one->id, remedy);
		snprintf(field, sizeof(field), "pools/%s/backends", pool->name);
		model_errors_add(&out->errors, "weir.conf", 0, field, text);
		err = -EINVAL;
	}
	return err;
}

/* Whoever may not make each change is to see what it changes: nothing is judged by a version that is in force no more. */
static int judge_difference(const struct intent *in, const struct intent_change *change,
                            const struct intent_difference *difference)
{
	bool is_plan = change->pending == INTENT_PENDING_IGNORE;

	if (!change->may)
		return 0;
	if (!is_plan && !shared_is_up_to_date(in))
		return -ESTALE;
	return change->may(change->may_arg, difference) ? 0 : -EPERM;
}

static bool only_plans(const struct intent_change *change)
{
	return change->pending == INTENT_PENDING_IGNORE;
}

/* Whether the gate that was found stops the request: a plan says so alone, and a proposal has no approvals yet. */
static bool is_stopped(const struct intent_change *change, const struct model_gate *gate)
{
	return !only_plans(change) && !(change->is_proposal && gate->approvals);
}

static void note_approval(const struct intent_approval *a, struct version *v)
{
	memcpy(v->approved_by, a->persons, sizeof(v->approved_by));
	memcpy(v->proposed_by, a->proposed_by, sizeof(v->proposed_by));
	memcpy(v->proposal, a->id, sizeof(v->proposal));
}

/*
 * Whether it goes back to what was in force everywhere: no gate is in the way of a repair, but it is on record which ones it
 * passes. What has ended never was.
 * @param digest  of the files that it brings
 */
static bool is_way_back(const struct intent *in, const struct intent_change *change,
                        const char *digest)
{
	return change->rollback_to && history_is_final(in->history, change->rollback_to, digest);
}

/*
 * A gate refuses a change of what this node has in force. @return 0; -EACCES; -EKEYREJECTED: another key, or canary, than was approved
 */
static int judge_gates(const struct intent *in, const struct intent_change *change,
                       const struct intent_difference *difference, int64_t now_ms,
                       struct intent_changed *out)
{
	bool goes_back = is_way_back(in, change, out->version.digest);

	if (change->provisional)
		return 0;
	/* of what is in force and not here the gates are not known */
	if (!only_plans(change) && !shared_is_up_to_date(in) && shared_may_replace(in, change)) {
		if (!goes_back && (!change->may_replace_unknown || change->approval))
			return -ENOKEY;
		snprintf(out->version.without_gates, sizeof(out->version.without_gates), "*");
		return 0;
	}
	const struct gate_pass pass = { .without = change->without_gates,
		                        .approvals = change->approval ? change->approval->n : 0,
		                        .is_way_back = goes_back };
	const struct model_gate *gate =
	        gate_find(difference->from, difference->to, difference->plan, now_ms, &pass,
	                  out->version.without_gates);

	if (change->approval && (strcmp(change->approval->hash_key, out->version.hash_key) != 0 ||
	                         strcmp(change->approval->canary, out->version.canary) != 0))
		return -EKEYREJECTED;
	if (change->approval)
		note_approval(change->approval, &out->version);
	if (!gate)
		return 0;
	snprintf(out->gate, sizeof(out->gate), "%s", gate->name);
	out->is_rollback = change->rollback_to > 0;
	out->gate_approvals = gate->approvals;
	out->gate_until_ms = gate_end_ms(gate);
	return is_stopped(change, gate) ? -EACCES : 0;
}

/* What is tried at a place first goes back if nobody confirms it. @return 0 or -EXDEV */
static int judge_canary(const struct intent_change *change, const struct intent_difference *d,
                        struct intent_changed *out)
{
	if (!change->canary)
		return 0;
	if (!trial_judge(change->canary, d->from, d->to, d->plan, &out->canary))
		return -EXDEV;
	memcpy(out->version.canary, out->canary.canary, sizeof(out->version.canary));
	return 0;
}

/* The caller gets errors and plan of a refused change, too. A dry run stores nothing. */
static int change_to(struct intent *in, const struct intent_change *change,
                     struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	bool is_plan =
	        change->pending == INTENT_PENDING_IGNORE; /* of files alone, whatever decides */
	static const struct files no_files;
	bool is_first_of_store, returns;
	struct version waiting;

	if (!change->dry_run && !change->provisional)
		alone_begin(in, now_ms);
	int err = intent_check_pending(in, change, c->digest, &returns);

	if (!err && !is_plan && !change->provisional && lacks_store(in, c))
		err = -ENOLINK;
	if (err)
		return err;
	out->version = make_version(in, change, c->digest, now_ms);
	if (*c->hash_key) /* the version rolled back to had this key, whatever the file has now */
		memcpy(out->version.hash_key, c->hash_key, sizeof(c->hash_key));
	else if (!c->err)
		key_of_version(in, c->model, out->version.hash_key);
	/* what each node runs then is its own file: nothing to go back to */
	is_first_of_store = in->shares && !authority_has_records(in) && !change->provisional;
	out->is_first = !head || is_first_of_store;
	err = receive_findings(in, head ? head->model : NULL, c, now_ms, out);
	bool waits = intent_waiting(in, &waiting);
	const struct intent_difference difference = {
		.from = out->is_first ? NULL : head->model,
		.to = c->model,
		.files_from = out->is_first ? &no_files : &head->files,
		.files_to = &c->files,
		.plan = &out->plan,
		.unconfirmed = waits ? waiting.number : 0,
		.ends_elsewhere =
		        returns && waits && head && waiting.number != head->version.number,
	};
	if (!err)
		err = judge_difference(in, change, &difference);
	/* what returns may be in force here, while another version is tried elsewhere */
	out->changed = !head || returns || strcmp(head->version.digest, c->digest) ||
	               is_first_of_store || (change->replace && !shared_is_up_to_date(in));
	if (!err && out->changed && !returns)
		err = judge_canary(change, &difference, out);
	if (!err && out->changed && !returns)
		err = judge_gates(in, change, &difference, now_ms, out);
	if (!err && out->changed && !change->rollback_to && !change->provisional)
		err = check_members(in, c->model, now_ms, out);
	if (!err && !out->changed && !is_plan && !shared_is_up_to_date(in))
		err = -ESTALE; /* the files are in force here, and by the store another version is */
	if (!err && !out->changed)
		out->version = head->version;
	if (!err && !out->changed && authority_has_records(in) && !change->dry_run && head &&
	    change->pending == INTENT_PENDING_CONFIRM && head->version.confirm_by_ms)
		err = shared_make_confirmation(in, change, now_ms, &out->shared);
	if (!err && is_first_of_store && !is_plan && confirm_within(change, &out->plan) > 0)
		err = -ENODATA;
	if (!err && out->changed) {
		int64_t own_ms = returns || out->is_first ? 0 : confirm_within(change, &out->plan);

		out->confirm_within_ms = returns ? 0 : intent_joined_ms(in, change, own_ms);
		out->version.confirm_left_ms = out->confirm_within_ms;
		if (out->confirm_within_ms)
			out->version.confirm_by_ms = out->version.time_ms + out->confirm_within_ms;
		if (!change->dry_run)
			err = make_change(in, change, returns, c, now_ms, out);
		else if (!is_plan && !shared_may_replace(in, change))
			err = -ESTALE;
	}
	if (!err && out->shared && !in->shares)
		err = end_alone(in, out->changed && !returns, now_ms, out);
	return err;
}

int intent_candidate_commit(struct intent *in, const struct intent_change *change,
                            struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	*out = (struct intent_changed){ 0 };
	int err = change_to(in, change, c, now_ms, out);

	if (err == -ENOSPC || err == -EDQUOT)
		in->refused_bytes = 2 * (uint64_t)c->files.n_bytes; /* laid out, and as a copy */
	else if (!err && out->changed)
		in->refused_bytes = 0;
	intent_candidate_drop(in, c); /* what came into force was moved out of it */
	return err;
}

bool intent_lacks_room(const struct intent *in, uint64_t *left, uint64_t *needed)
{
	struct statvfs is;

	if (statvfs(in->state_dir, &is))
		return false;
	*left = (uint64_t)is.f_bavail * is.f_frsize;
	*needed = INTENT_ROOM_LEAST + in->refused_bytes;
	return *left < *needed || (is.f_files && !is.f_favail);
}

int intent_change(struct intent *in, const struct intent_change *change, int64_t now_ms,
                  struct intent_changed *out)
{
	struct intent_candidate candidate;
	int err = intent_candidate_begin(in, change, now_ms, &candidate);

	*out = (struct intent_changed){ 0 };
	if (err)
		return err;
	intent_candidate_read(in, &candidate);
	if (candidate.again) {
		intent_candidate_again(in, &candidate);
		intent_candidate_read(in, &candidate);
	}
	return intent_candidate_commit(in, change, &candidate, now_ms, out);
}

void intent_changed_fini(struct intent_changed *c)
{
	plan_fini(&c->plan);
	model_errors_free(&c->errors);
	zones_findings_fini(&c->zones);
	zones_findings_fini(&c->skipped);
	if (c->shared)
		shared_change_fini(c->shared);
	free(c->shared);
}

int intent_version(struct intent *in, uint64_t number, struct version *out, struct files *files)
{
	struct version v;

	if (!in->store || in->failing)
		return -EROFS;
	int err = store_version(in->store, number, &v);
	if (!err && files)
		err = store_files(in->store, number, files);
	if (!err)
		*out = v;
	return err;
}

uint64_t intent_refused_version(const struct intent *in, const char **reason)
{
	const struct version *head = intent_head(in);

	*reason = in->refused_reason;
	return head && head->number == in->refused_number ? 0 : in->refused_number;
}

uint64_t intent_left_out(const struct intent *in)
{
	return in->is_left_out ? in->refused_number : 0;
}

/*
 * Where the bytes of a file are that a request names by its digest: among the blobs, which uploads
 * fill, else in the store, as a file of an earlier version.
 */

bool intent_has_file(struct intent *in, const char *digest, uint64_t *have)
{
	bool whole = false;

	*have = 0;
	if (blobs_have(in->state_dir, digest, have, &whole))
		return false;
	return whole || (in->store && !in->failing && store_has_blob(in->store, digest));
}

/* Find a file outside the store, among the blobs. */
static int find_blob(struct intent *in, const char *name, const char *digest, uint64_t n,
                     struct files *out)
{
	struct files one = { 0 };
	struct files_text text;
	char path[PATH_MAX];
	uint64_t have;
	bool whole;
	int err = blobs_have(in->state_dir, digest, &have, &whole);

	if (err || !whole)
		return err ? err : -ENOENT;
	if (have != n)
		return -EBADMSG;
	err = blobs_path(in->state_dir, digest, path);
	if (err || n > FILES_SMALL_MAX)
		return err ? err : files_add_path(out, name, path, digest, n);
	err = files_add_path(&one, name, path, digest, n);
	if (!err)
		err = files_read(&one.items[0], &text);
	if (!err) {
		err = files_add(out, name, text.bytes, text.n);
		files_read_end(&text);
	}
	files_fini(&one);
	return err;
}

int intent_find_file(struct intent *in, const char *name, const char *digest, uint64_t n_bytes,
                     struct files *out)
{
	char *bytes;
	size_t n;
	int err = find_blob(in, name, digest, n_bytes, out);

	if (err == -ENOENT && in->store && !in->failing &&
	    !store_blob(in->store, digest, &bytes, &n)) {
		err = files_add(out, name, bytes, n);
		free(bytes);
	}
	const struct files_item *item = err ? NULL : files_find(out, name);
	return item && strcmp(item->digest, digest) != 0 ? -EBADMSG : err;
}
