/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the store has is judged before it is taken (mgmt/store/origin.h). Where it does not follow on what is here, nothing is
 * taken, and the store's own record is read each second: a higher epoch ends that, wherever it was raised.
 */
#include "mgmt/sync/shared_commands.h"
#include "mgmt/sync/shared_run_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/sync/member_writes.h"
#include "mgmt/sync/operations.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/store/store_claim.h"

#define AGAIN_MS  1000u  /* after a failure */
#define ALARMS_MS 30000u /* between two questions for alarms; */
#define FULL_MS   10000u /* so that the end of one shows soon */

/* Note why the store cannot be reached; the first reason is logged. Under the core's lock. */
static void note_reason(struct shared_run *r, const char *reason)
{
	char value[LOG_VALUE_MAX];

	if (*reason && !*r->reason)
		log_warn("store-not-reached", "reason=%s", log_value(reason, value));
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

/* A majority has answered what was sent at @p sent_ms. Under the core's lock. */
static void hear_revision(struct shared_run *r, uint64_t sent_ms, int64_t revision)
{
	note_reason(r, "");
	r->was_heard = true;
	r->heard_ms = sent_ms;
	r->highest = revision;
}

/* Take nothing from the store any more, also after a restart: what it has is not what follows on what is here. */
static void go_back(struct shared_run *r, const char *reason)
{
	char value[LOG_VALUE_MAX];

	if (*r->went_back) { /* also before this start: with the reason as it is now */
		snprintf(r->went_back, sizeof(r->went_back), "%s", reason);
		return;
	}
	log_error("store-went-back", "reason=%s", log_value(reason, value));
	snprintf(r->went_back, sizeof(r->went_back), "%s", reason);
	shared_intent_note_went_back(r->core->intent);
	core_changed(r->core);
}

/* What no change of a sound store does, as a reason; NULL: it is sound. */
static const char *find_loss(const struct shared_record *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!list[i].text && !strcmp(list[i].name, "head"))
			return "its record of the newest version was removed";
		else if (!list[i].text && !strcmp(list[i].name, STORE_CLAIM_RECORD))
			return "its record of its id was removed";
	return NULL;
}

/* Whether the store's own record is among what changed: then all it has is judged again. */
static bool has_claim(const struct shared_record *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].name, STORE_CLAIM_RECORD))
			return true;
	return false;
}

/* Whether this node's disk has another store since the copy was bound: what was kept is lost. Under the core's lock. */
static bool is_renewed(const struct shared_run *r)
{
	return r->renewals != intent_store_renewals(r->core->intent);
}

static bool receive_change(void *arg, int64_t revision, const struct shared_record *list, size_t n)
{
	struct shared_run *r = arg;
	struct pending_clock clock;

	pending_clock_read(&clock);
	core_lock(r->core);
	const char *loss = find_loss(list, n);
	if (loss)
		go_back(r, loss);
	if (loss || has_claim(list, n) || is_renewed(r)) {
		core_unlock(r->core);
		return false;
	}
	/* commands first: they are in force by the document, before the copy has them */
	shared_commands_accept(r->core, list, n, false);
	int err = shared_intent_receive(r->core->intent, revision, list, n, &clock);

	member_writes_hear(r->core, list, n);
	operations_follow(r->core);
	core_changed(r->core);
	core_unlock(r->core);
	if (!err || err == -ESTALE)
		return true;
	log_error("store-not-kept", "revision=%" PRId64 " error=\"%s\" effect=\"listed\"", revision,
	          strerror(-err));
	return false;
}

/* From time to time: a store that nothing can be written to answers reads as ever. */
static void look_at_alarms(struct shared_run *r)
{
	uint64_t now_ms = clock_mono_ms();
	bool is_full;

	core_lock(r->core);
	uint64_t wait_ms = r->is_full ? FULL_MS : ALARMS_MS;
	core_unlock(r->core);
	if (r->alarms_ms && now_ms - r->alarms_ms < wait_ms)
		return;
	r->alarms_ms = now_ms;
	if (shared_etcd_is_full(r->reads, &is_full))
		return;
	core_lock(r->core);
	r->is_full = is_full;
	core_unlock(r->core);
}

static bool note_heard(void *arg, uint64_t sent_ms, int64_t revision)
{
	struct shared_run *r = arg;

	core_lock(r->core);
	hear_revision(r, sent_ms, revision);
	core_unlock(r->core);
	shared_members_heard(&r->members, r->reads);
	look_at_alarms(r);
	core_lock(r->core);
	r->observed = r->members.list;
	bool is_kept = !is_renewed(r);
	core_unlock(r->core);
	return is_kept;
}

static void note_left(void *arg, const char *reason)
{
	struct shared_run *r = arg;

	core_lock(r->core);
	note_reason(r, reason);
	core_unlock(r->core);
}

int shared_follower_query(struct shared_etcd *e, bool only_claim, struct shared_records *l)
{
	int err = -EXDEV;

	for (int round = 0; err && round < 2; round++) {
		if (round && !shared_etcd_foreign(e))
			break;
		if (round)
			shared_etcd_expect(e, 0);
		err = only_claim ? shared_etcd_find(e, STORE_CLAIM_RECORD, l)
		                 : shared_etcd_list(e, l);
	}
	return err;
}

/* Take note of the etcd of which the copy is. */
static void expect_etcd(struct shared_run *r)
{
	struct store_origin origin = { 0 };

	if (!shared_intent_origin(r->core->intent, &origin))
		r->origin = origin;
	if (r->reads)
		shared_etcd_expect(r->reads, r->origin.cluster_id);
}

/* What the members have is not the store, or not yet. Under the core's lock. */
static void note_other(struct shared_run *r, const char *reason)
{
	char value[LOG_VALUE_MAX];

	if (strcmp(r->other, reason) != 0)
		log_error("store-differs", "reason=%s", log_value(reason, value));
	snprintf(r->other, sizeof(r->other), "%s", reason);
}

/* The copy is behind until all is listed again. */
static void note_unkept(struct shared_run *r, int err)
{
	r->keep_err = err;
	r->must_list = true;
	note_reason(r, "this node's disk cannot keep what the store holds");
}

/* Keep all that the store has. Under the core's lock. @return 0 or -errno */
static int keep_list(struct shared_run *r, const struct shared_records *l,
                     enum origin_verdict verdict, uint64_t sent_ms)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	hear_revision(r, sent_ms, l->revision);
	r->keep_err = shared_intent_list(r->core->intent, l, verdict, &clock);
	if (r->keep_err != -EBADMSG) {
		operations_follow_list(r->core, l);
		shared_commands_accept(r->core, l->records, l->n, verdict == ORIGIN_NEWER);
	}
	if (r->keep_err == -EBADMSG)
		note_reason(r, "the store holds a record that is not Weir's");
	else if (r->keep_err)
		note_unkept(r, r->keep_err);
	else if (verdict == ORIGIN_NEWER)
		r->went_back[0] = '\0';
	return r->keep_err;
}

/* Take all that the store has, where it follows on what is here, or is to take its place. @return 0 or -errno */
static int receive_list(struct shared_run *r, const struct shared_records *l, uint64_t sent_ms)
{
	char reason[ETCD_REASON_MAX];
	enum origin_verdict verdict =
	        shared_intent_judge(r->core->intent, r->conf.id, r->highest, l, reason);

	if (verdict == ORIGIN_UNKNOWN) { /* the disk fails since the list was asked for */
		note_unkept(r, -EROFS);
		return -EROFS;
	}
	r->was_judged = true;
	if (verdict == ORIGIN_OTHER) {
		note_other(r, reason);
		return -EXDEV;
	}
	r->other[0] = '\0';
	if (verdict == ORIGIN_WENT_BACK)
		go_back(r, reason);
	if (*r->went_back && verdict != ORIGIN_NEWER)
		return -ESTALE;
	return keep_list(r, l, verdict, sent_ms);
}

/* Take all that the store has. @return whether it is here */
static bool list_all(struct shared_run *r)
{
	struct shared_records l = { 0 };
	uint64_t sent_ms = clock_mono_ms();
	int err = shared_follower_query(r->reads, false, &l);

	core_lock(r->core);
	if (err) {
		note_reason(r, shared_etcd_reason(r->reads));
		r->other[0] = '\0';    /* nobody says so any more */
		if (err == -EBADMSG) { /* a majority answers, and what it has is not Weir's */
			r->keep_err = err;
			r->heard_ms = sent_ms;
		} else if (r->keep_err == -EBADMSG) {
			r->keep_err = 0; /* nobody says so any more, either */
		}
	} else {
		err = receive_list(r, &l, sent_ms);
	}
	r->must_list = err != 0;
	expect_etcd(r);
	core_changed(r->core);
	core_unlock(r->core);
	shared_records_fini(&l);
	return !err;
}

/*
 * Whether all that the store has is worth a look, where it was refused before: by its own record, which is small and is
 * read each second. Its epoch alone makes good that a store went back.
 */
static bool is_worth_listing(struct shared_run *r)
{
	char reason[ETCD_REASON_MAX];
	struct shared_records l = { 0 };
	enum origin_verdict verdict = ORIGIN_OTHER;

	if (shared_follower_query(r->reads, true, &l))
		return !*r->went_back; /* which says why nobody answers */
	core_lock(r->core);
	verdict = shared_intent_judge(r->core->intent, r->conf.id, r->highest, &l, reason);
	if (verdict == ORIGIN_OTHER && !*r->went_back)
		note_other(r, reason);
	expect_etcd(r);
	bool is_sticky = *r->went_back;

	core_unlock(r->core);
	shared_records_fini(&l);
	return verdict == ORIGIN_NEWER ||
	       (verdict != ORIGIN_OTHER && verdict != ORIGIN_UNKNOWN && !is_sticky);
}

/* Wait under the core's lock, unless the process ends. */
static void pause_for(struct shared_run *r, uint64_t ms)
{
	uint64_t until_ms = clock_mono_ms() + ms;

	while (core_wait(r->core, until_ms))
		;
}

/*
 * Look whether the members have the store of which the copy is. A watch alone does not show it: one that was restored and
 * went on may have the very revisions that are to come, and others of before. @return 0: r->must_list says; or as a read
 */
static int compare_store(struct shared_run *r, int64_t highest)
{
	struct store_origin had = { 0 }, now;
	struct shared_records l = { 0 };
	int err = shared_follower_query(r->reads, false, &l);
	char reason[ETCD_REASON_MAX];

	core_lock(r->core);
	if (err) {
		note_reason(r, shared_etcd_reason(r->reads));
		r->must_list |= err == -EBADMSG;
	} else {
		origin_of(&l, &now);
		r->must_list |= shared_intent_origin(r->core->intent, &had) ||
		                now.cluster_id != had.cluster_id || now.epoch != had.epoch ||
		                strcmp(now.nonce, had.nonce) != 0 ||
		                shared_intent_judge(r->core->intent, r->conf.id, highest, &l,
		                                    reason) != ORIGIN_FOLLOWS;
	}
	expect_etcd(r);
	core_unlock(r->core);
	shared_records_fini(&l);
	return err;
}

/*
 * Follow the store until that ends. Under the core's lock, which is given up.
 * @param is_compared  it was listed, and taken, right before
 * @return 0 or -errno: it is to wait
 */
static int follow_store(struct shared_run *r, int64_t revision, bool is_compared)
{
	const struct shared_follower follower = { receive_change, note_heard, note_left, r };
	int64_t highest = r->highest > revision ? r->highest : revision;

	core_unlock(r->core);
	int err = is_compared ? 0 : compare_store(r, highest);
	uint64_t began_ms = clock_mono_ms();

	if (err || r->must_list) {
		core_lock(r->core);
		return err;
	}
	enum etcd_watch_end end = shared_etcd_follow(r->reads, revision + 1, highest, &follower);

	core_lock(r->core);
	note_reason(r, shared_etcd_reason(r->reads));
	r->must_list |= end == ETCD_WATCH_LIST || end == ETCD_WATCH_FOREIGN;
	if (end == ETCD_WATCH_WENT_BACK)
		go_back(r, "its revision is lower than one that was read");
	/* members that answer, and refuse the watch, are not pressed */
	return end == ETCD_WATCH_BACK && clock_mono_ms() - began_ms < AGAIN_MS ? -EAGAIN : 0;
}

/*
 * While this node's disk keeps nothing there is no copy to follow with. What moves clients is followed all the same, so that
 * this node shows it as it is. Under the core's lock, which is given up.
 */
static void follow_without_copy(struct shared_run *r)
{
	struct shared_records l = { 0 };
	struct store_origin now = { 0 };
	struct store_claim claim;
	uint64_t sent_ms = clock_mono_ms();

	core_unlock(r->core);
	int err = shared_follower_query(r->reads, false, &l);

	core_lock(r->core);
	if (!err) {
		r->heard_ms = sent_ms;
		origin_of(&l, &now);
	}
	if (!err && !store_claim_read(&l, &claim, NULL) &&
	    (!*claim.id || !strcmp(claim.id, r->conf.id)) && !claim.unfinished &&
	    (!r->origin.cluster_id || now.cluster_id == r->origin.cluster_id) &&
	    l.revision >= r->highest)
		operations_follow_list(r->core, &l);
	expect_etcd(r);
	shared_records_fini(&l);
}

int shared_follower_bind(struct core *core, const struct store_conf *conf,
                         char reason[ETCD_REASON_MAX])
{
	char name[COPY_STORE_MAX], was[COPY_STORE_MAX];

	snprintf(name, sizeof(name), "%s %s", conf->id, conf->prefix);
	int err = shared_intent_bind(core->intent, name, was);

	if (err == -EXDEV)
		snprintf(reason, ETCD_REASON_MAX,
		         "store.conf names the store %.80s, and this node has a copy of %.80s",
		         name, was);
	return err;
}

/*
 * Begin with what is here of the store, once this node's disk gives it: a node may start while that is full, and the disk may
 * lose what it has. Under the core's lock. @return whether the copy is of this store
 */
static bool begin_with_copy(struct shared_run *r)
{
	unsigned renewals = intent_store_renewals(r->core->intent);
	char reason[ETCD_REASON_MAX];

	if (r->is_bound && !is_renewed(r))
		return true;
	int err = shared_follower_bind(r->core, &r->conf, reason);

	if (err == -EXDEV)
		note_other(r, reason);
	else if (err)
		note_reason(r, "this node's disk keeps nothing now");
	if (err) {
		r->keep_err = err == -EXDEV ? 0 : err;
		return false;
	}
	if (*r->went_back)
		shared_intent_note_went_back(r->core->intent);
	else if (shared_intent_went_back(r->core->intent))
		snprintf(r->went_back, sizeof(r->went_back),
		         "that was noted before the last start");
	expect_etcd(r);
	/* a copy that was made alone, or that was not read at the start */
	r->must_list = !r->origin.cluster_id || r->keep_err;
	r->is_bound = true;
	r->renewals = renewals;
	return true;
}

void *shared_follower_run(void *arg)
{
	struct shared_run *r = arg;
	struct core *core = r->core;
	bool is_here = false; /* all that it has, since right now */
	int64_t revision;

	core_lock(core);
	while (!core->stopping) {
		bool has_copy = begin_with_copy(r), was_here = is_here;
		bool is_refused = *r->went_back || *r->other;

		is_here = false;
		int err = has_copy ? shared_intent_revision(core->intent, &revision) : 0;

		if (err)
			note_unkept(r, err);
		if (!has_copy || err) {
			if (!is_refused) /* this node's disk: the intent says so */
				follow_without_copy(r);
			pause_for(r, AGAIN_MS);
			continue;
		}
		if (revision && !r->must_list && !is_refused) {
			if (follow_store(r, revision, was_here))
				pause_for(r, AGAIN_MS);
			continue;
		}
		core_unlock(core);
		is_here = (!is_refused || !r->was_judged || is_worth_listing(r)) && list_all(r);

		core_lock(core);
		if (!is_here)
			pause_for(r, AGAIN_MS);
	}
	core_unlock(core);
	return NULL;
}
