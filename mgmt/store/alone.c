/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node that is alone decides its changes itself, in its copy (mgmt/store/copy.h): the same records as in a store that nodes
 * share, so that the same code says what is in force.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/records.h"
#include "mgmt/store/shared_intent.h"

/* Let the history have what the copy has now: all, or what changed. Should that fail, the copy is read again. */
static void receive_decided(struct intent *in, const struct shared_change *c, int64_t revision,
                            int64_t now_ms)
{
	struct shared_record list[SHARED_CHANGE_MAX];
	struct pending_clock clock;

	pending_clock_read(&clock);
	for (size_t i = 0; i < c->n_puts; i++) {
		list[i] = c->puts[i];
		list[i].revision = revision;
	}
	if (shared_receive(in, list, c->n_puts, &clock))
		intent_stored(in, shared_load(in), now_ms);
}

/* @param is_all  the records that it writes are all that there is of versions */
static int decide_here(struct intent *in, const struct shared_change *c,
                       const struct copy_version *v, bool is_all, int64_t now_ms)
{
	struct shared_answer a;
	int err = c->err                                                        ? c->err
	          : !in->store || in->failing                                   ? -EROFS
	          : intent_stored(in, copy_decide(in->store, c, v, &a), now_ms) ? -EROFS
	                                                                        : 0;

	if (err)
		return err;
	bool is_done = a.result == SHARED_DONE;

	if (is_done && is_all)
		history_clear(in->history);
	if (is_done)
		receive_decided(in, c, a.revision, now_ms);
	shared_answer_fini(&a);
	return is_done ? 0 : -EAGAIN;
}

int alone_decide(struct intent *in, const struct shared_change *c, const struct copy_version *v,
                 int64_t now_ms)
{
	return decide_here(in, c, v, false, now_ms);
}

int intent_decide_alone(struct intent *in, const struct shared_change *c, int64_t now_ms)
{
	return alone_decide(in, c, NULL, now_ms);
}

#define BEGUN_MAX 12u /* versions that a change begins with */

/* @param is_open  it may still end */
static void put_version(struct shared_change *c, const struct version *v, bool is_open)
{
	char name[SHARED_NAME_MAX];
	struct version own = *v;

	if (!is_open)
		own.confirm_within_ms = 0;
	shared_change_put(c, shared_numbered("version", v->number, name), &version_record, &own);
}

/* Put the version that cannot end, and those that are open above it. */
static void put_known(const struct intent *in, struct shared_change *c)
{
	const struct version *v = history_final(in->history), *head = history_head(in->history);
	struct history_head newest = { v->number };

	put_version(c, v, false);
	while ((v = history_after(in->history, v->number)) && v->number <= head->number) {
		if (!history_waits(in->history, v->number) ||
		    (c->n_puts + 1 >= BEGUN_MAX && v != head))
			continue;
		put_version(c, v, true);
		newest.number = v->number;
	}
	shared_change_see(c, "head", 0);
	shared_change_put(c, "head", &history_head_record, &newest);
}

static int write_beginning(struct intent *in, int64_t now_ms)
{
	struct pending deadlines[HISTORY_PENDING_MAX];
	struct pending_clock clock;
	struct shared_change c;

	pending_clock_read(&clock);
	size_t n = history_pending(in->history, &clock, deadlines);
	shared_intent_begin(in, &c);
	put_known(in, &c);
	int err = decide_here(in, &c, NULL, true, now_ms);
	for (size_t i = 0; i < n; i++) /* they go on, though the records are new */
		snprintf(deadlines[i].digest, sizeof(deadlines[i].digest), "%s", c.id);
	if (!err)
		history_resume(in->history, deadlines, n, &clock);
	shared_change_fini(&c);
	return err;
}

void alone_begin(struct intent *in, int64_t now_ms)
{
	char store[COPY_STORE_MAX];

	if (in->offline || !in->store || in->failing || !authority_is_here(in) ||
	    authority_of(in) == AUTHORITY_ALONE)
		return;
	recall_versions(in, now_ms);
	const struct version *final = history_final(in->history);
	int err = final ? copy_store(in->store, store) : -EBADMSG;

	if (!err && *store) /* a store's, which this node has left */
		err = copy_begin(in->store, "");
	if (!err && final->number != intent_head(in)->number && recall_keep(in, final))
		log_warn("version-not-kept", "number=%" PRIu64 " error=\"its files are lost\"",
		         final->number);
	if (!err)
		err = write_beginning(in, now_ms);
	if (!err)
		in->lacks_records = false;
	else if (err == -EAGAIN) /* the copy has records, which could not be read before */
		err = shared_load(in);
	if (err && !in->begin_failed)
		log_error("version-not-kept", "number=%" PRIu64 " error=\"%s\"",
		          intent_head(in)->number, strerror(-err));
	in->begin_failed = err != 0;
}

/* Put in force what is to be in force now. */
static void follow_records(struct intent *in, int64_t now_ms)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	(void)shared_intent_follow(in, &clock, now_ms);
}

/* Write a mark of version @p number, and put in force what follows from it. */
static int mark_version(struct intent *in, uint64_t number, enum chain_mark mark,
                        const char *author, const char *reason, int64_t now_ms)
{
	struct shared_change c;

	alone_begin(in, now_ms);
	const struct version *v = history_version(in->history, number, NULL);
	int err = shared_intent_decide(in, number, mark, author, reason, now_ms, &c);

	if (!err)
		err = alone_decide(in, &c, &(struct copy_version){ v, NULL }, now_ms);
	shared_change_fini(&c);
	if (!err)
		follow_records(in, now_ms);
	return err;
}

int alone_end(struct intent *in, const struct pending_clock *clock, int64_t now_ms)
{
	enum chain_mark mark;
	const char *reason;
	uint64_t number;
	int err = 0;

	while (!err && (number = shared_intent_to_decide(in, clock, &mark, &reason)))
		err = mark_version(in, number, mark, "weir", reason, now_ms);
	return err;
}

void intent_run_deadline(struct intent *in, const struct pending_clock *clock, int64_t now_ms)
{
	if (in->offline || in->shares)
		return;
	alone_begin(in, now_ms);
	(void)shared_intent_follow(in, clock, now_ms);
	(void)alone_end(in, clock, now_ms);
}

bool intent_waiting(const struct intent *in, struct version *out)
{
	const struct version *head = intent_head(in), *standing;
	struct pending_clock clock;
	int64_t left_ms;

	pending_clock_read(&clock);
	standing = history_standing(in->history, clock.now_ms);
	if (head && head->confirm_by_ms)
		*out = *head;
	else if (standing && history_is_open(in->history, clock.now_ms, &left_ms) &&
	         (!head || *standing->canary))
		*out = *standing;
	else
		return false;
	if (!head || out->number != head->number)
		recent_show_deadline(in, out, &clock, clock_believed_ms());
	return true;
}

int intent_decide_unconfirmed(struct intent *in, enum chain_mark mark, const char *reason,
                              int64_t now_ms)
{
	struct version waiting;

	if (!intent_waiting(in, &waiting))
		return -EALREADY;
	if (!in->shares)
		return mark_version(in, waiting.number, mark, "weir", reason, now_ms);
	in->to_decide = waiting.number; /* the store decides: shared_intent_to_decide() */
	in->decision = mark;
	snprintf(in->decision_reason, sizeof(in->decision_reason), "%s", reason);
	return 0;
}

void intent_leave_unconfirmed(struct intent *in)
{
	if (in->decision == CHAIN_CONFIRMED)
		in->to_decide = 0;
}

int intent_last_confirmed(const struct intent *in, struct version *out)
{
	const struct version *v =
	        authority_has_records(in) ? history_final(in->history) : intent_head(in);

	if (v)
		*out = *v;
	return v ? 0 : -ENOENT;
}

int intent_check_pending(const struct intent *in, const struct intent_change *change,
                         const char *digest, bool *returns)
{
	const struct version *head = intent_head(in);
	struct version confirmed, waiting;

	*returns = false;
	if (change->provisional || !intent_waiting(in, &waiting))
		return 0;
	bool is_same = head && !strcmp(head->digest, digest);
	/* what is in force here is no order to end what is tried elsewhere, but a rollback to it is */
	if (is_same && !change->rollback_to)
		return 0;
	if (!intent_last_confirmed(in, &confirmed) && !strcmp(confirmed.digest, digest)) {
		*returns = true;
		return 0;
	}
	if (is_same || change->pending == INTENT_PENDING_IGNORE)
		return 0; /* nothing changes; or a plan */
	bool is_tried = *waiting.canary || (change->canary && *change->canary);

	return change->pending == INTENT_PENDING_REFUSE || is_tried ? -EBUSY : 0;
}

int64_t intent_joined_ms(const struct intent *in, const struct intent_change *change,
                         int64_t own_ms)
{
	const struct version *head = intent_head(in);

	if (!head || !head->confirm_by_ms || change->pending != INTENT_PENDING_JOIN ||
	    change->confirm_within_ms > 0 || head->confirm_left_ms < own_ms)
		return own_ms;
	return head->confirm_left_ms;
}

int intent_may_confirm(const struct intent *in, uint64_t number)
{
	const struct version *head = intent_head(in);
	struct version waiting;
	bool waits = intent_waiting(in, &waiting);

	if (waits && number == waiting.number)
		return in->store && !in->failing ? 0 : -EROFS;
	return !head || number > head->number || number == 0 ? -ENOENT : -EALREADY;
}

int intent_confirm(struct intent *in, uint64_t number, const char *author, const char *reason,
                   int64_t now_ms)
{
	int err = intent_may_confirm(in, number);

	return err ? err : mark_version(in, number, CHAIN_CONFIRMED, author, reason, now_ms);
}
