/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of configuration: apply, roll back, and taking a peer's versions. Reading and checking
 * files takes long and needs no lock: it is done on a candidate, and the commit checks what may have
 * changed. A version is stored, then becomes the head, then its document is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "mgmt/store/blobs.h"
#include "mgmt/store/compose.h"
#include "mgmt/store/gather.h"
#include "mgmt/store/join.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/sweep.h"
#include "mgmt/store/yield.h"

/* What has passed since @p from_ns, which becomes now. */
static uint64_t elapsed_us(uint64_t *from_ns)
{
	uint64_t now_ns = clock_mono_ns(), us = (now_ns - *from_ns) / 1000;

	*from_ns = now_ns;
	return us;
}

static bool is_forced(const struct intent_change *change, const char *digest)
{
	for (size_t i = 0; i < change->n_force; i++)
		if (!strcmp(change->force[i], digest))
			return true;
	return false;
}

static bool names_head(const struct version *v, const char *digest)
{
	for (size_t i = 0; i < v->n_supersedes; i++)
		if (!strcmp(v->supersedes[i], digest))
			return true;
	return false;
}

/* The change must name all unrelated heads that are known; its version supersedes them. */
static int name_foreign(const struct intent *in, const struct intent_change *change,
                        struct version *v)
{
	for (size_t i = 0; i < in->n_foreign; i++) {
		const struct intent_foreign *f = &in->foreign[i];

		if (!is_forced(change, f->digest))
			return -EMEDIUMTYPE;
		if (v->number <= f->number)
			v->number = f->number + 1;
		if (names_head(v, f->digest)) /* several peers may have one head */
			continue;
		if (v->n_supersedes == VERSION_SUPERSEDES_MAX)
			return -E2BIG;
		snprintf(v->supersedes[v->n_supersedes++], DIGEST_TEXT_MAX, "%s", f->digest);
	}
	return 0;
}

/* A version takes effect later than it was made, so that each node has it by then. */
static int make_version(const struct intent *in, const struct intent_change *change,
                        const char *digest, int64_t now_ms, struct version *out)
{
	const struct version *head = intent_head(in);
	const struct version *newest = shared_has_head(in) ? history_head(in->history) : head;
	/* a node's own file is nobody else's version */
	bool is_first = !newest || change->provisional ||
	                (in->history && !shared_has_head(in) && join_is_provisional(newest));
	struct version v = { .number = is_first ? 1 : newest->number + 1,
		             .time_ms = change->dated_ms ? change->dated_ms : now_ms,
		             .undoes = change->undoes };

	if (newest && v.time_ms <= newest->time_ms)
		v.time_ms = newest->time_ms + 1; /* versions are ordered, whatever the clock does */
	v.effective_ms = v.time_ms + (head ? COMPOSE_AHEAD_MS : 0);
	snprintf(v.digest, sizeof(v.digest), "%s", digest);
	snprintf(v.parent, sizeof(v.parent), "%s", head ? head->digest : "");
	snprintf(v.author, sizeof(v.author), "%s", change->author);
	snprintf(v.reason, sizeof(v.reason), "%s", change->reason);
	snprintf(v.node, sizeof(v.node), "%s", in->node);
	snprintf(v.principal, sizeof(v.principal), "%s", intent_principal(in));
	/* an automatic rollback needs no heads to be named */
	int err = change->undoes ? 0 : name_foreign(in, change, &v);
	if (!err)
		*out = v;
	return err;
}

/* Whether the laid out files of @p digest are in use. */
static bool is_recent(const struct intent *in, const char *digest)
{
	for (size_t i = 0; i < in->n_recent; i++)
		if (!strcmp(in->recent[i].version.digest, digest))
			return true;
	return false;
}

static void remove_laid_out(const struct intent *in, const char *digest)
{
	char dir[PATH_MAX];

	if (!is_recent(in, digest) && strcmp(in->candidate_digest, digest) != 0 &&
	    !gather_dir(in->state_dir, digest, dir))
		sweep_dir(dir);
}

void intent_push_recent(struct intent *in, struct recent *r, int64_t now_ms)
{
	char dropped[DIGEST_TEXT_MAX] = "";
	struct recent old = { 0 };

	if (in->n_recent == RECENT_MAX) {
		old = in->recent[0];
		snprintf(dropped, sizeof(dropped), "%s", old.version.digest);
		in->n_recent--;
		memmove(in->recent, in->recent + 1, in->n_recent * sizeof(*in->recent));
	}
	in->recent[in->n_recent++] = *r;
	effective_write(in, now_ms);
	if (!dropped[0])
		return;
	files_fini(&old.files);
	if (old.model != in->seed)
		model_free(old.model);
	remove_laid_out(in, dropped);
}

void intent_say_version(struct intent *in, const struct version *v, int64_t now_ms)
{
	char value[LOG_VALUE_MAX];

	log_note("version", "number=%" PRIu64 " digest=%.16s author=%s reason=%s", v->number,
	         v->digest, v->author, log_value(v->reason, value));
	journal_add(
	        in->journal, now_ms, "version", "versions", "version %" PRIu64 " by %s%s%s%s%s%s%s",
	        v->number, v->author, *v->principal ? " (" : "", v->principal,
	        *v->principal ? ")" : "", *v->reason ? ": " : "", v->reason,
	        v->confirm_by_ms         ? " (to be confirmed)"
	        : join_is_provisional(v) ? " (provisional: a peer's applied version replaces it)"
	                                 : "");
}

/* Store the version and put it in force. Takes files and model on success. */
static int commit_version(struct intent *in, const struct version *v, struct files *files,
                          struct model **model, bool untold, int64_t now_ms,
                          struct change_times *times)
{
	struct recent r = { .version = *v, .files = *files, .model = *model };
	uint64_t from_ns = clock_mono_ns();

	if (!in->store || in->failing)
		return -EROFS;
	if (untold && intent_stored(in, store_put_untold(in->store, v->number, v->digest), now_ms))
		return -EROFS;
	if (intent_stored(in, store_put_version(in->store, v, files), now_ms))
		return -EROFS;
	in->untold = untold ? v->number : 0;
	*files = (struct files){ 0 };
	*model = NULL;
	intent_say_version(in, v, now_ms);
	times->store_us = elapsed_us(&from_ns);
	intent_push_recent(in, &r, now_ms);
	times->document_us = elapsed_us(&from_ns);
	store_collect(in->store, now_ms);
	in->n_foreign = 0; /* all were named; peers report new ones */
	return 0;
}

static int64_t confirm_within(const struct intent_change *change, const struct change_plan *plan,
                              bool has_head)
{
	if (!has_head)
		return 0;
	if (change->undoes)
		return 0;
	if (change->confirm_within_ms >= 0)
		return change->confirm_within_ms;
	return plan->n_risks ? INTENT_CONFIRM_DEFAULT_MS : 0;
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
	struct version back;
	if (!change->files && !store_version(in->store, change->rollback_to, &back))
		memcpy(c.hash_key, back.hash_key, sizeof(c.hash_key));
	if (in->n_recent) {
		c.head = in->recent[in->n_recent - 1].model;
		c.head_arena = arena_share(c.head->arena);
	}
	c.how = (struct zones_how){ c.head, !change->files, change->undoes != 0 };
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
	remove_laid_out(in, c->digest);
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

void intent_candidate_read(const struct intent *in, struct intent_candidate *c)
{
	uint64_t from_ns = clock_mono_ns();

	c->err = blobs_import(in->state_dir, &c->files);
	if (!c->err)
		c->err = gather_keyed(&c->files, in->state_dir, in->conf_dir, c->hash_key, in->node,
		                      &c->model, &c->errors);
	if (!c->err)
		c->err = gather_check_zones(c->model, &c->files, in->state_dir, &c->how, &c->errors,
		                            &c->zones);
	if (c->err == -EINVAL && c->skip && c->model && c->zones.n_bad) {
		skip_zones(c);
		if (c->again)
			return;
	}
	c->times.check_us += elapsed_us(&from_ns);
	if (!c->err)
		c->err = plan_compare(c->head, c->model, &c->plan);
	c->times.plan_us = elapsed_us(&from_ns);
}

void intent_candidate_drop(struct intent *in, struct intent_candidate *c)
{
	in->candidate_digest[0] = '\0';
	remove_laid_out(in, c->digest);
	model_free(c->model);
	arena_free(c->head_arena);
	plan_fini(&c->plan);
	model_errors_free(&c->errors);
	files_fini(&c->files);
	files_fini(&c->head_files);
	zones_findings_fini(&c->zones);
	zones_findings_fini(&c->first);
}

/* Confirm an unconfirmed head, whatever becomes of the change. */
static int confirm_earlier(struct intent *in, const struct intent_change *change, int64_t now_ms)
{
	const struct version *head = intent_head(in);

	return head && head->confirm_by_ms
	               ? intent_confirm(in, head->number, change->author, now_ms)
	               : 0;
}

/* The files are already in force; a provisional version becomes the author's. */
static int keep_head(struct intent *in, const struct intent_change *change, int64_t now_ms,
                     struct intent_changed *out)
{
	int err = 0;

	out->settles = change->files && !change->undoes && join_is_provisional(intent_head(in));
	if (out->settles && !change->dry_run)
		err = join_settle(in, change->author, change->reason, now_ms);
	out->version = *intent_head(in);
	return err;
}

/* A version of shared intent: its files are kept, and it is in force once it is decided. */
static int stage_version(struct intent *in, const struct intent_change *change, bool returns,
                         const struct files *files, int64_t now_ms, struct intent_changed *out)
{
	int err = shared_make_change(in, change, returns, &out->version, now_ms, &out->shared);

	if (err || returns)
		return err;
	out->confirm_within_ms = out->version.confirm_within_ms; /* the first needs none */
	out->staged = true;
	return intent_stored(in, store_stage_version(in->store, &out->version, files), now_ms)
	               ? -EROFS
	               : 0;
}

/* The caller gets errors and plan of a refused change, too. A dry run stores nothing. */
static int change_to(struct intent *in, const struct intent_change *change,
                     struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	bool returns;
	int err = intent_check_pending(in, change, c->digest, &returns);

	if (!err)
		err = make_version(in, change, c->digest, now_ms, &out->version);
	if (err)
		return err;
	if (*c->hash_key) /* the version rolled back to had this key, whatever the file has now */
		memcpy(out->version.hash_key, c->hash_key, sizeof(c->hash_key));
	else if (!c->err)
		key_of_version(in, c->model, out->version.hash_key);
	out->errors = c->errors;
	c->errors = (struct model_errors){ 0 };
	out->zones = c->zones;
	out->skipped = c->first;
	out->times = c->times;
	c->zones = c->first = (struct zones_findings){ 0 };
	err = c->err;
	if (!err && c->head != (head ? head->model : NULL)) { /* another came meanwhile */
		err = plan_compare(head ? head->model : NULL, c->model, &out->plan);
	} else if (!err) {
		out->plan = c->plan;
		c->plan = (struct change_plan){ 0 };
	}
	out->changed = !head || strcmp(head->version.digest, c->digest) || in->n_foreign ||
	               (in->history && !shared_has_head(in));
	if (!err && change->pending == INTENT_PENDING_CONFIRM && !change->dry_run && !returns &&
	    !in->history)
		err = confirm_earlier(in, change, now_ms);
	if (!err && !out->changed)
		err = keep_head(in, change, now_ms, out);
	if (!err && !out->changed && shared_has_head(in) && !change->dry_run && head &&
	    change->pending == INTENT_PENDING_CONFIRM && head->version.confirm_by_ms)
		err = shared_make_confirmation(in, change, now_ms, &out->shared);
	if (!err && out->changed) {
		int64_t own_ms = returns ? 0 : confirm_within(change, &out->plan, head != NULL);

		out->confirm_within_ms = returns ? 0 : intent_joined_ms(in, change, own_ms);
		out->version.confirm_left_ms = out->confirm_within_ms;
		if (out->confirm_within_ms)
			out->version.confirm_by_ms = out->version.time_ms + out->confirm_within_ms;
		if (!change->dry_run && in->history && !change->provisional)
			err = stage_version(in, change, returns, &c->files, now_ms, out);
		else if (!change->dry_run)
			err = commit_version(in, &out->version, &c->files, &c->model,
			                     change->untold, now_ms, &out->times);
	}
	return err;
}

int intent_candidate_check(struct intent *in, const struct intent_change *change,
                           const struct intent_candidate *c, int64_t now_ms,
                           struct version *version)
{
	const struct version *head = intent_head(in);
	struct version v;
	bool returns;
	int err = c->err ? c->err : intent_check_pending(in, change, c->digest, &returns);

	if (!err && head && !strcmp(head->digest, c->digest) && !in->n_foreign &&
	    (!in->history || shared_has_head(in)))
		err = -EALREADY;
	if (!err)
		err = make_version(in, change, c->digest, now_ms, &v);
	if (!err)
		*version = v;
	return err;
}

int intent_candidate_commit(struct intent *in, const struct intent_change *change,
                            struct intent_candidate *c, int64_t now_ms, struct intent_changed *out)
{
	*out = (struct intent_changed){ 0 };
	int err = change_to(in, change, c, now_ms, out);
	intent_candidate_drop(in, c); /* what came into force was moved out of it */
	return err;
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

/* Whether our history has this version; without a store, as far as memory goes. */
static bool have_version(struct intent *in, uint64_t number, const char *digest)
{
	struct version v;

	for (size_t i = 0; i < in->n_recent; i++)
		if (in->recent[i].version.number == number)
			return !strcmp(in->recent[i].version.digest, digest);
	if (!in->store || in->failing)
		return number <
		       intent_head(in)->number; /* unknown: assume that it is ours, not diverged */
	return !store_version(in->store, number, &v) && !strcmp(v.digest, digest);
}

/* Whether one of our versions after @p number overrode @p digest by name. */
static bool have_superseded(struct intent *in, uint64_t number, const char *digest)
{
	struct version batch[16];
	uint64_t before = 0;
	int n;

	if (!in->store || in->failing)
		return names_head(intent_head(in), digest);
	do {
		n = store_versions(in->store, before, batch, 16);
		for (int i = 0; i < n && batch[i].number >= number; i++)
			if (names_head(&batch[i], digest))
				return true;
		before = n > 0 ? batch[n - 1].number : 0;
	} while (n == 16 && before > number);
	return false;
}

/* Whether a list of versions, newest first, leads on from our head. */
static bool leads_on(const struct version *head, const struct version *list, size_t n)
{
	for (size_t i = 0; i < n && list[i].number >= head->number; i++)
		if (names_head(&list[i], head->digest) ||
		    (list[i].number == head->number && !strcmp(list[i].digest, head->digest)))
			return true;
	return false;
}

enum intent_relation intent_relate(struct intent *in, const struct version *list, size_t n)
{
	const struct version *head = intent_head(in);

	if (n == 0)
		return INTENT_BEHIND;
	if (in->history) /* the store says what is in force, here and there; nobody takes it from a peer */
		return !head || list[0].number > head->number ? INTENT_AHEAD
		       : list[0].number < head->number        ? INTENT_BEHIND
		       : strcmp(list[0].digest, head->digest) ? INTENT_AHEAD
		                                              : INTENT_AGREED;
	if (!head)
		return join_wants(in, &list[0]) ? INTENT_AHEAD : INTENT_BEHIND;
	if (strcmp(list[0].digest, head->digest) != 0 && yield_is_due(in, &list[0]))
		return INTENT_BEHIND;
	enum intent_relation relation;
	if (join_relate(head, &list[0], &relation))
		return relation;
	if (list[0].number < head->number)
		return have_version(in, list[0].number, list[0].digest) ||
		                       have_superseded(in, list[0].number, list[0].digest)
		               ? INTENT_BEHIND
		               : INTENT_DIVERGED;
	if (list[0].number > head->number)
		return n == 1 || leads_on(head, list, n) ? INTENT_AHEAD : INTENT_DIVERGED;
	bool theirs = names_head(&list[0], head->digest), ours = names_head(head, list[0].digest);
	return theirs == ours ? INTENT_DIVERGED : theirs ? INTENT_AHEAD : INTENT_BEHIND;
}

/* Note why a peer's version is refused; log its errors once, as peers offer it every second. */
static void refuse_offer(struct intent *in, const struct version *v,
                         const struct model_errors *errors)
{
	char reason[EVENT_TEXT_MAX];

	model_errors_summarise(errors, reason, sizeof(reason));
	if (in->refused_number != v->number || strcmp(in->refused_reason, reason) != 0)
		intent_log_errors(v->digest, errors);
	in->refused_number = v->number;
	snprintf(in->refused_reason, sizeof(in->refused_reason), "%s", reason);
}

uint64_t intent_refused_version(const struct intent *in, const char **reason)
{
	const struct version *head = intent_head(in);

	*reason = in->refused_reason;
	return head && head->number >= in->refused_number ? 0 : in->refused_number;
}

int intent_accept(struct intent *in, const struct intent_offer *offers, size_t n, int64_t now_ms)
{
	const struct intent_offer *last = n ? &offers[n - 1] : NULL;
	struct model_errors errors = { 0 };
	struct model *model = NULL;

	if (!last || in->history)
		return -EINVAL;
	if (!in->store || in->failing)
		return -EROFS;
	for (size_t i = 0; i < n; i++) {
		char digest[DIGEST_TEXT_MAX];

		if (strcmp(files_digest(&offers[i].files, digest), offers[i].version.digest))
			return -EINVAL;
	}
	int err = gather_keyed(&last->files, in->state_dir, in->conf_dir, last->version.hash_key,
	                       in->node, &model, &errors);
	if (err == -EINVAL)
		refuse_offer(in, &last->version, &errors);
	model_errors_free(&errors);
	model_free(model);
	for (size_t i = 0; !err && i < n; i++)
		err = intent_stored(
		        in, store_put_version(in->store, &offers[i].version, &offers[i].files),
		        now_ms);
	if (!err) {
		join_give_way(in, &offers[0], last, now_ms);
		err = intent_load_recent(in, now_ms);
	}
	if (err)
		return err;
	join_end(in);
	in->untold = 0;
	in->recent[in->n_recent - 1].version.confirm_left_ms = last->version.confirm_left_ms;
	intent_say_version(in, &last->version, now_ms);
	effective_write(in, now_ms);
	return 0;
}
