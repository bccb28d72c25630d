/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unconfirmed versions: their deadline at this node, what they go back to, and what may follow
 * them.
 *
 * A version is unconfirmed while its confirm_by_ms is not 0. A later version may join it: then both
 * are unconfirmed, and the later one's deadline is that of both. So the version to go back to is
 * the nearest confirmed one before the head.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mgmt/store/intent_internal.h"

/* How far the shown deadline may be off the boot clock's: beyond, the wall clock has stepped. */
#define SHOWN_OFF_MS 2000

/* The version whose digest is the parent of @p v: it may be more than one number back. */
static int find_parent(struct intent *in, const struct version *v, struct version *out)
{
	struct version parent = *v;
	int n;

	do {
		n = store_versions(in->store, parent.number, &parent, 1);
	} while (n == 1 && strcmp(parent.digest, v->parent));
	if (n == 1)
		*out = parent;
	return n == 1 ? 0 : n < 0 ? n : -ENOENT;
}

int intent_last_confirmed(struct intent *in, struct version *out)
{
	const struct version *head = intent_head(in);
	int err = !head ? -ENOENT : in->store && !in->failing ? 0 : -EROFS;

	if (!err && shared_has_head(in)) {
		*out = *history_final(in->history);
		return 0;
	}
	if (err)
		return err;
	struct version v = *head;
	while (!err && v.confirm_by_ms)
		err = find_parent(in, &v, &v);
	if (!err)
		*out = v;
	return err;
}

/* The time to confirm that is left, else all of it. */
static int64_t given_ms(const struct version *v)
{
	int64_t whole_ms = v->confirm_by_ms - v->time_ms;
	int64_t left_ms = v->confirm_left_ms > 0 ? v->confirm_left_ms : whole_ms;

	return left_ms < 0 ? 0 : left_ms > INTENT_CONFIRM_MAX_MS ? INTENT_CONFIRM_MAX_MS : left_ms;
}

static void begin_deadline(struct intent *in, const struct version *head,
                           const struct pending_clock *clock)
{
	struct pending stored;

	if (!store_pending(in->store, &stored) &&
	    pending_is_of(&stored, head->number, head->digest)) {
		in->pending = stored;
		pending_resume(&in->pending, clock);
		return;
	}
	pending_start(&in->pending, head->number, head->digest, given_ms(head), clock);
}

static void forget_deadline(struct intent *in, int64_t now_ms)
{
	in->pending = (struct pending){ 0 };
	intent_stored(in, store_put_pending(in->store, &in->pending), now_ms);
}

/* The head was not confirmed in time. */
static int roll_back(struct intent *in, const char *reason, int64_t now_ms)
{
	const struct version head = *intent_head(in);
	struct intent_changed changed = { 0 };
	struct version to;
	int err = intent_last_confirmed(in, &to);

	struct intent_change change = { .rollback_to = to.number,
		                        .author = "weir",
		                        .reason = reason,
		                        .undoes = head.number,
		                        .pending = INTENT_PENDING_IGNORE };
	if (!err)
		err = intent_change(in, &change, now_ms, &changed);
	if (!err && !changed.changed) /* the files are the same: there is nothing to undo */
		err = intent_confirm(in, head.number, "weir", now_ms);
	if (err && !in->rollback_failed)
		log_error("rollback-failed", "version=%" PRIu64 " error=\"%s\"", head.number,
		          strerror(-err));
	in->rollback_failed = err != 0;
	intent_changed_fini(&changed);
	return err;
}

int intent_roll_back_unconfirmed(struct intent *in, const char *reason, int64_t now_ms)
{
	const struct version *head = intent_head(in);

	if (!head || !head->confirm_by_ms)
		return -EALREADY;
	if (!in->history)
		return roll_back(in, reason, now_ms);
	in->to_end = head->number; /* the store decides: shared_intent_to_end() */
	snprintf(in->end_reason, sizeof(in->end_reason), "%s", reason);
	return 0;
}

void intent_run_deadline(struct intent *in, const struct pending_clock *clock, int64_t now_ms)
{
	struct version *head = in->n_recent ? &in->recent[in->n_recent - 1].version : NULL;
	char reason[VERSION_REASON_MAX];

	if (in->offline || !in->store || in->failing || !head || in->history)
		return;
	if (!head->confirm_by_ms) {
		if (in->pending.number)
			forget_deadline(in, now_ms);
		return;
	}
	if (!pending_is_of(&in->pending, head->number, head->digest))
		begin_deadline(in, head, clock);
	head->confirm_left_ms = pending_left_ms(&in->pending, clock);
	if (pending_note(&in->pending, clock))
		intent_stored(in, store_put_pending(in->store, &in->pending), now_ms);
	int64_t off_ms = now_ms + head->confirm_left_ms - head->confirm_by_ms;
	if (off_ms < -SHOWN_OFF_MS || off_ms > SHOWN_OFF_MS)
		head->confirm_by_ms = now_ms + head->confirm_left_ms;
	if (head->confirm_left_ms > 0)
		return;
	snprintf(reason, sizeof(reason), "version %" PRIu64 " was not confirmed in time",
	         head->number);
	roll_back(in, reason, now_ms);
}

int intent_check_pending(struct intent *in, const struct intent_change *change, const char *digest,
                         bool *returns)
{
	const struct version *head = intent_head(in);
	struct version confirmed;

	*returns = false;
	if (!head || !head->confirm_by_ms || change->pending == INTENT_PENDING_IGNORE)
		return 0;
	if (!intent_last_confirmed(in, &confirmed) && !strcmp(confirmed.digest, digest)) {
		*returns = true;
		return 0;
	}
	if (!strcmp(head->digest, digest))
		return 0; /* nothing changes */
	return change->pending == INTENT_PENDING_REFUSE ? -EBUSY : 0;
}

int64_t intent_joined_ms(const struct intent *in, const struct intent_change *change,
                         int64_t own_ms)
{
	const struct version *head = intent_head(in);
	int64_t left_ms;

	if (!head || !head->confirm_by_ms || change->pending != INTENT_PENDING_JOIN ||
	    change->confirm_within_ms > 0)
		return own_ms;
	left_ms = head->confirm_left_ms > 0 ? head->confirm_left_ms : given_ms(head);
	return left_ms > own_ms ? left_ms : own_ms;
}

/* Note in the store that the unconfirmed versions up to the head are confirmed: the head first. */
static int confirm_joined(struct intent *in, int64_t now_ms)
{
	struct version v = *intent_head(in);
	int err = 0;

	while (!err && v.confirm_by_ms) {
		err = intent_stored(in, store_confirm(in->store, v.number), now_ms);
		if (!err && find_parent(in, &v, &v))
			break;
	}
	return err;
}

int intent_may_confirm(const struct intent *in, uint64_t number)
{
	const struct version *head = in->n_recent ? &in->recent[in->n_recent - 1].version : NULL;

	if (!head || number > head->number || number == 0)
		return -ENOENT;
	if (number != head->number || !head->confirm_by_ms)
		return -EALREADY;
	return in->store && !in->failing ? 0 : -EROFS;
}

int intent_confirm(struct intent *in, uint64_t number, const char *author, int64_t now_ms)
{
	int err = intent_may_confirm(in, number);

	if (err)
		return err;
	if (confirm_joined(in, now_ms))
		return -EROFS;
	/* joined versions that memory has are confirmed with it */
	for (size_t i = in->n_recent; i-- > 0 && in->recent[i].version.confirm_by_ms;)
		in->recent[i].version.confirm_by_ms = 0;
	log_note("version-confirmed", "number=%" PRIu64 " author=%s", number, author);
	journal_add(in->journal, now_ms, "version", "versions",
	            "version %" PRIu64 " confirmed by %s (%s)", number, author,
	            intent_principal(in));
	return 0;
}
