/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to be in force comes into force: loaded from this node's own files, with its deadline.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/files/gather.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/shared_intent.h"

#define REFUSED_MS 5000 /* before a version that cannot be taken is tried again */

/* Keep the deadline of the version in force over a restart; and, over a boot, too, that this node has gone back from it. */
static void keep_deadline(struct intent *in, const struct pending_clock *clock, int64_t now_ms)
{
	struct pending list[HISTORY_PENDING_MAX];
	size_t n = history_pending(in->history, clock, list);
	struct pending *p = n ? &list[0] : &(struct pending){ 0 };
	bool is_over =
	        p->number > intent_head(in)->number && p->left_ms <= 0 && in->pending.left_ms > 0;

	if (in->pending.number == p->number && !strcmp(in->pending.digest, p->digest) && !is_over &&
	    clock->now_ms - in->pending.noted_ms < PENDING_STORE_EVERY_MS)
		return;
	if (in->pending.number || p->number)
		intent_stored(in, store_put_pending(in->store, p), now_ms);
	in->pending = *p;
}

/* When version @p number came into force, by records; 0: this node alone decided that it is. */
static int64_t find_since(const struct intent *in, uint64_t number)
{
	struct history_period last;

	return history_periods(in->history, COMPOSE_AHEAD_MS, &last, 1) && last.number == number
	               ? last.since_ms
	               : 0;
}

/* Whether the recent versions are those that were in force by records, and since when they were: nothing was missed. */
static bool has_all_before(const struct intent *in, int64_t now_ms)
{
	struct history_period periods[RECENT_MAX];
	size_t n = shared_periods(in, now_ms, periods);
	bool is_same = n == in->n_recent;

	for (size_t i = 0; is_same && i < n; i++)
		is_same = in->recent[i].version.number == periods[i].number &&
		          in->recent[i].since_ms == periods[i].since_ms;
	return is_same || n <= 1;
}

/* The deadline of the version in force is over, and the store has not said so yet. */
static void say_overdue(struct intent *in, const struct version *v, int64_t now_ms)
{
	const struct version *was = intent_head(in);
	const struct version *known = was ? history_version(in->history, was->number, NULL) : NULL;

	if (known && known->number > v->number && !strcmp(known->digest, was->digest))
		journal_add(in->journal, now_ms, "version", "versions",
		            "version %" PRIu64 " was not confirmed in time: this node goes back to "
		            "version %" PRIu64 " until the store says which",
		            was->number, v->number);
}

/* @return 0; -ENOENT: its files are not here; or -errno */
static int enforce_version(struct intent *in, const struct version *v,
                           const struct pending_clock *clock, int64_t now_ms)
{
	int64_t since_ms = find_since(in, v->number);
	struct recent r;
	bool stores = intent_store(in) != NULL;
	int err = stores ? shared_find_version(in, v) : 0;

	if (!err)
		err = intent_load_one(in, v, &r);
	if (stores && (err == -ENOENT || err == -EBADMSG || err == -EIO) &&
	    !recall_keep(in, v)) /* as they are laid out they are whole */
		err = intent_load_one(in, v, &r);
	if (err)
		return err;
	r.since_ms = since_ms ? since_ms : now_ms + COMPOSE_AHEAD_MS;
	recent_show_deadline(in, &r.version, clock, now_ms);
	join_end(in);
	if (!since_ms)
		say_overdue(in, v, now_ms);
	intent_say_version(in, v, now_ms);
	intent_push_recent(in, &r);
	if (!stores)
		return 0;
	if (since_ms && !has_all_before(in, now_ms))
		(void)!intent_load_recent(in, 0,
		                          now_ms); /* what cannot be loaded changes nothing */
	return 0;
}

static const char *describe_refusal(int err)
{
	return err == -EINVAL   ? "it has errors for this node, which the log names"
	       : err == -ENOENT ? "its files are not here"
	                        : strerror(-err);
}

/* Whether version @p v is sound, and this node is none of its nodes. */
static bool leaves_out(struct intent *in, const struct version *v)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	struct files files;

	if (!intent_store(in) || store_files(in->store, v->number, &files))
		return false;
	int err = gather_keyed(&files, in->state_dir, in->conf_dir, v->hash_key, NULL, &m, &errors);
	bool leaves = !err && !model_node(m, in->node);

	model_free(m);
	model_errors_free(&errors);
	files_fini(&files);
	return leaves;
}

/* A version that this node cannot take: what it names may come later, such as a key. */
static void refuse_version(struct intent *in, const struct version *v, int err,
                           const struct pending_clock *clock, int64_t now_ms)
{
	struct version *head = in->n_recent ? &in->recent[in->n_recent - 1].version : NULL;

	if (head && !shared_is_loaded(in, v)) /* it has ended: nobody can confirm it */
		head->confirm_by_ms = head->confirm_left_ms = 0;
	if (in->refused_number != v->number)
		journal_add(in->journal, now_ms, "version", "versions",
		            "version %" PRIu64 " cannot be in force at this node: %s", v->number,
		            describe_refusal(err));
	in->refused_number = v->number;
	in->refused_until_ms = clock->now_ms + REFUSED_MS;
	in->is_left_out = err == -EINVAL && leaves_out(in, v);
	snprintf(in->refused_reason, sizeof(in->refused_reason), "%s", describe_refusal(err));
}

/* This node had decided alone; now a mark says since when. */
static void correct_since(struct intent *in, const struct version *v)
{
	struct recent *r = &in->recent[in->n_recent - 1];
	int64_t since_ms = find_since(in, v->number);

	if (!since_ms || !r->since_ms || since_ms == r->since_ms)
		return;
	r->since_ms = since_ms;
	in->is_changed = true;
}

/* A store that fails takes no version. What one that ended goes back to is here all the same, and is laid out. */
static bool goes_back(const struct intent *in, const struct version *v)
{
	const struct version *head = intent_head(in);

	return head && v->number < head->number;
}

/* What is kept of the version in force. */
static void keep_followed(struct intent *in, const struct pending_clock *clock, int64_t now_ms)
{
	store_keep_version(in->store, history_final(in->history)->number);
	recent_show_deadline(in, &in->recent[in->n_recent - 1].version, clock, now_ms);
	keep_deadline(in, clock, now_ms);
}

const struct version *shared_intent_follow(struct intent *in, const struct pending_clock *clock,
                                           int64_t now_ms)
{
	const struct version *v = history_in_force(in->history, clock->now_ms);
	int err = 0;

	if (!v || (!intent_store(in) && !goes_back(in, v)) ||
	    (in->refused_number == v->number && clock->now_ms < in->refused_until_ms))
		return NULL;
	if (in->refused_number != v->number)
		in->refused_number = 0;
	/* one that goes on from the effective document gets its files from others */
	bool is_other = !shared_is_loaded(in, v) ||
	                (in->shares && !in->recent[in->n_recent - 1].files.n_items);

	if (is_other)
		err = enforce_version(in, v, clock, now_ms);
	else
		correct_since(in, v);
	if (err == -ENOENT && in->shares) /* others may have them */
		return v;
	if (err) {
		refuse_version(in, v, err, clock, now_ms);
		return NULL;
	}
	in->refused_number = 0;
	if (intent_store(in))
		keep_followed(in, clock, now_ms);
	if (!effective_says(in, now_ms)) /* what is decided of the version in force */
		in->is_changed = true;
	effective_follow(in, now_ms);
	if (is_other && intent_store(in))
		store_collect(in->store, now_ms);
	return NULL;
}

int shared_intent_give_files(struct intent *in, const struct version *v, const struct files *files,
                             int64_t now_ms)
{
	int err = in->store && !in->failing ? shared_keep_files(in, v, files) : -EROFS;

	return err == -EINVAL || err == -EROFS ? err : intent_stored(in, err, now_ms);
}
