/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records go to the disk first and then into memory: what is in memory is kept. Should the second step fail, the records
 * are not ours, and the list says so again.
 */
#include "mgmt/store/shared_intent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/reason.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/lost.h"
#include "mgmt/store/records.h"
#include "mgmt/store/store_claim.h"

bool shared_intent_is_on(const struct intent *in)
{
	return in->shares;
}

const struct version_history *shared_intent_history(const struct intent *in)
{
	return in->history;
}

static int receive_kept(void *arg, const struct shared_record *r)
{
	struct intent *in = arg;
	struct pending_clock clock;

	pending_clock_read(&clock);
	member_records_accept(in, r);
	return history_receive(in->history, r, &clock);
}

int shared_load(struct intent *in)
{
	struct pending_clock clock;
	struct pending kept;
	char store[COPY_STORE_MAX];
	int64_t joined;

	int err = copy_store(in->store, store);

	if (!err)
		err = copy_joined(in->store, &joined);
	if (err)
		return err;
	if (in->shares && !*store) /* a new one: what is known counts until the store is listed */
		return 0;
	history_clear(in->history);
	member_records_clear(in);
	in->lacks_records = false;
	if (!in->shares && *store)
		return 0;
	pending_clock_read(&clock);
	history_join(in->history, joined);
	if (!store_pending(in->store, &kept))
		history_resume(in->history, &kept, 1, &clock);
	err = copy_each(in->store, "", receive_kept, in);
	if (err >= 0 && !in->shares && !history_is_whole(in->history))
		err = -EBADMSG;
	if (err >= 0 && authority_has_records(in))
		store_keep_version(in->store, history_final(in->history)->number);
	if (err != -EBADMSG)
		return err < 0 ? err : 0;
	/* not damage of the file: what it holds is not ours */
	log_error("copy-refused", "effect=\"%s\"",
	          in->shares ? "the store is listed again"
	                     : "the version in force becomes the first that is known");
	history_clear(in->history);
	return in->shares ? copy_install(in->store, 0, NULL, 0, NULL, 0)
	                  : copy_forget_versions(in->store);
}

int shared_keep_files(struct intent *in, const struct version *v, const struct files *files)
{
	char digest[DIGEST_TEXT_MAX];

	if (strcmp(files_digest(files, digest), v->digest) != 0)
		return -EINVAL;
	return store_put_version(in->store, v, files);
}

/* The store's version takes the place of one that this node had made alone, or that the store has lost. */
static void say_replaced(struct intent *in, const struct version *own, const struct version *v)
{
	char value[LOG_VALUE_MAX];

	log_note("version-replaced", "number=%" PRIu64 " digest=%.16s author=%s", own->number,
	         own->digest, log_value(own->author, value));
	journal_add(in->journal, v->time_ms, "version", "versions",
	            "version %" PRIu64 " (%.16s) by %s, which the store has not, gave way to the "
	            "store's version %" PRIu64 " by %s",
	            own->number, own->digest, own->author, v->number, v->author);
}

int shared_find_version(struct intent *in, const struct version *v)
{
	struct files files;
	struct version here;
	int err = store_version(in->store, v->number, &here);

	if (!err && !strcmp(here.digest, v->digest))
		return 0;
	if (err && err != -ENOENT)
		return err;
	bool is_other = !err;

	err = store_staged_files(in->store, v->digest, &files);
	if (err)
		return err;
	err = shared_keep_files(in, v, &files);
	files_fini(&files);
	if (!err && is_other)
		say_replaced(in, &here, v);
	return err;
}

size_t shared_periods(const struct intent *in, int64_t now_ms,
                      struct history_period out[RECENT_MAX])
{
	size_t n = history_periods(in->history, COMPOSE_AHEAD_MS, out, RECENT_MAX), first = n;

	/* back to the one that is old enough that nothing before it matters */
	while (first > 0 && (first == n || out[first].since_ms >= now_ms - RECENT_MS))
		first--;
	memmove(out, out + first, (n - first) * sizeof(*out));
	return n - first;
}

int shared_intent_bind(struct intent *in, const char *name, char was[COPY_STORE_MAX])
{
	return in->store && !in->failing ? copy_bind(in->store, name, was) : -EROFS;
}

void shared_intent_note_went_back(struct intent *in)
{
	int err = in->store && !in->failing ? copy_set_went_back(in->store) : -EROFS;

	if (err)
		log_error("store-went-back-not-kept", "error=\"%s\"", strerror(-err));
}

bool shared_intent_went_back(struct intent *in)
{
	bool noted = false;

	return in->store && !in->failing && !copy_went_back(in->store, &noted) && noted;
}

/* What came of a look at the copy, or a write: a damaged one is made again (intent.c), and is no record that is not Weir's. */
static int note_copy(struct intent *in, int err)
{
	if (err != -EBADMSG)
		return err;
	in->is_damaged = true;
	return -EIO;
}

int shared_intent_revision(struct intent *in, int64_t *out)
{
	int err = in->store && !in->failing ? note_copy(in, copy_revision(in->store, out)) : -EROFS;

	if (!err && in->unkept_revision > *out)
		*out = in->unkept_revision;
	return err;
}

/*
 * Files that were staged here become those of their version as soon as there is one. It may never be in force here, and
 * somebody may want to go back to it when its maker's disk is gone.
 */
static void keep_staged(struct intent *in, const struct shared_record *r)
{
	struct version v, here;
	struct files files;
	char error[RECORD_ERROR_MAX];

	if (!shared_number("version", r->name) || !r->text ||
	    record_from_text(&version_record, r->text, &v, error) ||
	    store_version(in->store, v.number, &here) != -ENOENT ||
	    store_staged_files(in->store, v.digest, &files))
		return;
	int err = shared_keep_files(in, &v, &files);

	files_fini(&files);
	if (err)
		log_warn("version-not-kept", "number=%" PRIu64 " error=\"%s\"", v.number,
		         strerror(-err));
}

/* What was decided of a version, by whom and why. */
static void say_mark(struct intent *in, const struct shared_record *r)
{
	uint64_t number = shared_number("mark", r->name);
	char error[RECORD_ERROR_MAX];
	struct history_mark m;

	if (!number || !r->text || record_from_text(&history_mark_record, r->text, &m, error))
		return;
	journal_add(in->journal, m.time_ms, "version", "versions",
	            "version %" PRIu64 " %s by %s (%s)%s%s", number,
	            m.mark == CHAIN_CONFIRMED ? "confirmed" : "ended", m.author, m.principal,
	            *m.reason ? ": " : "", m.reason);
}

static int receive_all(struct intent *in, const struct shared_record *list, size_t n,
                       const struct pending_clock *clock)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = history_receive(in->history, &list[i], clock);
	for (size_t i = 0; i < n; i++)
		member_records_accept(in, &list[i]);
	for (size_t i = 0; !err && i < n; i++)
		keep_staged(in, &list[i]);
	return err;
}

/* What is not ours is not kept, so that it cannot hide behind a restart. */
static int check_all(const struct shared_record *list, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = history_check(&list[i]);
	return err;
}

int shared_receive(struct intent *in, const struct shared_record *list, size_t n,
                   const struct pending_clock *clock)
{
	for (size_t i = 0; i < n; i++)
		say_mark(in, &list[i]);
	return receive_all(in, list, n, clock);
}

int shared_intent_receive(struct intent *in, int64_t revision, const struct shared_record *list,
                          size_t n, const struct pending_clock *clock)
{
	int err = in->store && !in->failing ? check_all(list, n) : -EROFS;

	if (!err && member_records_are(list, n))
		return member_records_defer(in, revision, list, n);
	if (!err)
		err = member_records_flush(in);
	if (!err)
		err = note_copy(in, copy_follow(in->store, revision, list, n));
	return err ? err : shared_receive(in, list, n, clock);
}

int shared_intent_origin(struct intent *in, struct store_origin *out)
{
	return in->store && !in->failing ? note_copy(in, copy_origin(in->store, out)) : -EROFS;
}

static int keep_record(void *arg, const struct shared_record *r)
{
	struct shared_records *l = arg;

	if (l->n == SHARED_RECORDS_MAX)
		return -EOVERFLOW;
	struct shared_record *own = &l->records[l->n];

	*own = *r;
	own->text = strdup(r->text);
	l->n += own->text != NULL;
	return own->text ? 0 : -ENOMEM;
}

int shared_intent_records(struct intent *in, struct shared_records *out)
{
	struct shared_records l = { .records = calloc(SHARED_RECORDS_MAX, sizeof(*l.records)) };
	struct store_origin origin;
	int err = !l.records                  ? -ENOMEM
	          : !in->store || in->failing ? -EROFS
	                                      : member_records_flush(in);

	if (!err)
		err = copy_revision(in->store, &l.revision);

	if (!err)
		err = copy_origin(in->store, &origin);
	if (!err)
		err = copy_each(in->store, "", keep_record, &l);
	if (err < 0) {
		shared_records_fini(&l);
		return note_copy(in, err);
	}
	l.cluster_id = origin.cluster_id;
	*out = l;
	return 0;
}

enum origin_verdict shared_intent_judge(struct intent *in, const char *id, int64_t highest,
                                        const struct shared_records *l,
                                        char reason[ETCD_REASON_MAX])
{
	struct shared_records copy = { 0 };
	struct origin_here here = { .id = id, .newest = history_head(in->history), .copy = &copy };

	if (shared_intent_origin(in, &here.origin) || shared_intent_records(in, &copy))
		return reason_write(reason, ETCD_REASON_MAX, ORIGIN_UNKNOWN,
		                    "this node's disk cannot be read");
	here.revision = copy.revision > highest ? copy.revision : highest;
	enum origin_verdict verdict = origin_judge(&here, l, reason);

	shared_records_fini(&copy);
	return verdict;
}

/* What the store's new epoch means here, where @p n_lost records are not in it. */
static void say_epoch(struct intent *in, const struct store_claim *c, size_t n_lost)
{
	static const char *const words[] = { "begun again", "accepted as it is",
		                             "rebuilt from a copy" };

	char node[LOG_VALUE_MAX];

	log_note("store-epoch", "epoch=%" PRIu64 " how=\"%s\" node=%s lost=%zu", c->epoch,
	         words[c->how], log_value(c->node, node), n_lost);
	journal_add(in->journal, c->time_ms, "store", "store",
	            "epoch %" PRIu64
	            " of the store: %s by %s (%s) at node %s%s%.100s; %zu versions "
	            "and decisions of this node are not in it",
	            c->epoch, words[c->how], c->author, c->principal, c->node,
	            *c->reason ? ": " : "", c->reason, n_lost);
}

int shared_intent_list(struct intent *in, const struct shared_records *l,
                       enum origin_verdict verdict, const struct pending_clock *clock)
{
	int64_t joined, began = 0;
	struct store_claim claim;
	struct shared_records had = { 0 };
	struct store_origin origin;
	int err = in->store && !in->failing ? check_all(l->records, l->n) : -EROFS;

	if (!err)
		err = store_claim_read(l, &claim, &began);
	if (!err && verdict == ORIGIN_NEWER)
		err = shared_intent_records(in, &had);
	size_t n_lost = lost_find(&had, l, NULL, 0);

	shared_records_fini(&had);
	origin_of(l, &origin);
	if (!err)
		err = note_copy(in, copy_install(in->store, l->revision, l->records, l->n, &origin,
		                                 verdict == ORIGIN_NEWER ? began : 0));
	if (!err)
		err = note_copy(in, copy_joined(in->store, &joined));
	if (err)
		return err;
	if (verdict == ORIGIN_NEWER) {
		say_epoch(in, &claim, n_lost);
		in->to_decide = 0; /* a number may be another version's now */
		in->refused_number = 0;
	}
	history_join(in->history, joined);
	history_clear(in->history);
	member_records_drop(in);
	member_records_clear(in);
	in->next_ms = 0; /* members may be gone */
	return receive_all(in, l->records, l->n, clock);
}

uint64_t shared_intent_to_decide(const struct intent *in, const struct pending_clock *clock,
                                 enum chain_mark *mark, const char **reason)
{
	uint64_t overdue = history_overdue(in->history, clock->now_ms);
	enum chain_mark known;
	const struct version *v = history_version(in->history, in->to_decide, &known);

	/* what was found out before the deadline says more than the deadline */
	bool was_refused = in->decision == CHAIN_ENDED && overdue == in->to_decide;

	*mark = overdue ? CHAIN_ENDED : in->decision;
	*reason = overdue && !was_refused ? "it was not confirmed in time" : in->decision_reason;
	if (overdue)
		return overdue;
	return v && v->confirm_within_ms && known == CHAIN_UNMARKED ? v->number : 0;
}

static void fill_mark(const struct intent *in, enum chain_mark mark, const char *author,
                      const char *reason, int64_t now_ms, struct history_mark *out)
{
	*out = (struct history_mark){ .mark = mark, .time_ms = now_ms };
	snprintf(out->author, sizeof(out->author), "%s", author);
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	snprintf(out->node, sizeof(out->node), "%s", in->node);
	snprintf(out->principal, sizeof(out->principal), "%s",
	         *in->principal ? in->principal : "weir");
}

void shared_intent_begin(struct intent *in, struct shared_change *c)
{
	struct shared_record claim = { 0 }, final = { 0 };

	shared_change_begin_new(c);
	int err = in->store && !in->failing ? copy_read(in->store, STORE_CLAIM_RECORD, &claim)
	                                    : -EROFS;
	if (!err || err == -ENOENT)
		shared_change_see(c, STORE_CLAIM_RECORD, claim.revision);
	free(claim.text);
	if ((!err || err == -ENOENT) && !copy_newest_final(in->store, &final))
		shared_change_see(c, final.name, final.revision);
	free(final.text);
	if (shared_intent_revision(in, &c->above))
		c->above = 0;
}

int shared_intent_decide(struct intent *in, uint64_t number, enum chain_mark mark,
                         const char *author, const char *reason, int64_t now_ms,
                         struct shared_change *c)
{
	struct pending_clock clock;
	struct history_mark m;

	shared_intent_begin(in, c);
	pending_clock_read(&clock);
	fill_mark(in, mark, author, reason, now_ms, &m);
	return history_decide(in->history, clock.now_ms, number, &m, c);
}

/* What a new version does about the one in force, where that is open. */
static enum history_open treat_open(const struct intent_change *change)
{
	return change->pending == INTENT_PENDING_CONFIRM ? HISTORY_CONFIRM
	       : change->pending == INTENT_PENDING_JOIN  ? HISTORY_JOIN
	                                                 : HISTORY_REFUSE;
}

static int make_version_change(struct intent *in, const struct intent_change *change,
                               struct version *v, int64_t now_ms, struct shared_change *c)
{
	struct pending_clock clock;
	struct history_mark m;

	shared_intent_begin(in, c);
	pending_clock_read(&clock);
	fill_mark(in, CHAIN_CONFIRMED, change->author, change->reason, now_ms, &m);
	if (change->approval) { /* used once, and not if it was withdrawn meanwhile */
		shared_change_see(c, change->approval->record, change->approval->revision);
		shared_change_remove(c, change->approval->record);
	}
	v->confirm_within_ms = v->confirm_left_ms;
	v->confirm_by_ms = v->confirm_left_ms = 0;
	return history_apply(in->history, clock.now_ms, treat_open(change), &m, v, c);
}

bool shared_is_loaded(const struct intent *in, const struct version *v)
{
	const struct version *head = intent_head(in);

	return head && head->number == v->number && !strcmp(head->digest, v->digest) &&
	       head->time_ms == v->time_ms;
}

bool shared_is_up_to_date(const struct intent *in)
{
	const struct version *v = authority_chosen(in);

	return !v || shared_is_loaded(in, v);
}

/* A change by which what is open ends; @p v becomes the version that is in force then. */
static int make_way_back(struct intent *in, const struct intent_change *change, struct version *v,
                         int64_t now_ms, struct shared_change *c)
{
	struct history_mark m;

	shared_intent_begin(in, c);
	fill_mark(in, CHAIN_ENDED, change->author, change->reason, now_ms, &m);
	int err = history_go_back(in->history, &m, c);

	*v = *history_final(in->history);
	return err;
}

/* Give @p c, where making it gave no @p err. */
static int give_change(struct shared_change *c, int err, struct shared_change **out)
{
	if (!err) {
		*out = c;
		return 0;
	}
	if (c)
		shared_change_fini(c);
	free(c);
	return err;
}

bool shared_may_replace(const struct intent *in, const struct intent_change *change)
{
	return change->replace || shared_is_up_to_date(in) || (!change->files && in->n_recent == 0);
}

int shared_make_change(struct intent *in, const struct intent_change *change, bool returns,
                       struct version *v, int64_t now_ms, struct shared_change **out)
{
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	int err = !in->store || in->failing         ? -EROFS
	          : !shared_may_replace(in, change) ? -ESTALE
	          : returns                         ? make_way_back(in, change, v, now_ms, c)
	                                            : make_version_change(in, change, v, now_ms, c);

	return give_change(c, err, out);
}

int shared_make_confirmation(struct intent *in, const struct intent_change *change, int64_t now_ms,
                             struct shared_change **out)
{
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	int err = shared_intent_decide(in, intent_head(in)->number, CHAIN_CONFIRMED, change->author,
	                               change->reason, now_ms, c);

	return give_change(c, err, out);
}
