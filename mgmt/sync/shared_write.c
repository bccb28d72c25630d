/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of what nodes share: what the store's answer means to who asked, and the wait until what was
 * written is in force here. Whoever writes gives the core's lock up meanwhile; of two the second waits.
 */
#include "mgmt/sync/inforce_judge.h"
#include "mgmt/sync/shared_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/sync/shared_run_internal.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/store/shared_intent.h"

#define ARRIVED_MS 5000u /* for what was written to come back */
#define WRITING_S  10    /* for another change: longer than one takes */

bool shared_run_begin_writing(pthread_mutex_t *writing, int most_s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += most_s;
	return !pthread_mutex_clocklock(writing, CLOCK_MONOTONIC, &until);
}

int shared_run_write_change(struct shared_run *r, const struct shared_change *c,
                            struct shared_answer *out, char reason[ETCD_REASON_MAX])
{
	uint64_t silent_ms;
	enum store_state state = shared_state_judge(r, &silent_ms);

	snprintf(reason, ETCD_REASON_MAX, "%s", shared_state_trouble(r));
	if (state != STORE_READY && state != STORE_UNKNOWN)
		return -EHOSTUNREACH;
	uint64_t cluster_id = r->origin.cluster_id;

	core_unlock(r->core);
	int err = shared_run_begin_writing(&r->writing, WRITING_S) ? 0 : -EHOSTUNREACH;

	if (err) {
		snprintf(reason, ETCD_REASON_MAX, "another change is still being written");
	} else {
		shared_etcd_expect(r->writes, cluster_id);
		err = shared_etcd_write(r->writes, c, out);
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(r->writes));
		pthread_mutex_unlock(&r->writing);
	}
	core_lock(r->core);
	if (err || out->result == SHARED_DONE)
		shared_state_note_full(r->core, err, reason);
	return err;
}

void shared_run_follow_records(struct shared_run *r, const struct pending_clock *clock)
{
	struct core *core = r->core;
	uint64_t document = intent_document(core->intent), missed = r->missing.number;
	const struct version *missing =
	        shared_intent_follow(core->intent, clock, clock_believed_ms());

	r->missing = missing ? *missing : (struct version){ 0 };
	if (r->missing.number != missed)
		core_changed(core); /* the helper fetches it */
	if (document != intent_document(core->intent)) {
		inforce_judge(core);
		core_changed(core);
	}
}

static void refuse_unavailable(const char *reason, struct http_reply *reply)
{
	http_problem(reply, 503, "store-unavailable",
	             "the store cannot be reached (%s): nothing was changed", reason);
}

static void refuse_full(struct http_reply *reply)
{
	http_problem(reply, 503, "store-unavailable",
	             "the store is full: nothing was changed; weir store check shows how to "
	             "make room");
}

bool shared_run_is_sure(const struct core *core, struct http_reply *reply)
{
	if (!core->shared || shared_state_is_ready(core))
		return true;
	refuse_unavailable(shared_state_trouble(core->shared), reply);
	return false;
}

bool shared_run_may_write(const struct core *core, struct http_reply *reply)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;

	if (!r || shared_state_judge(r, &silent_ms) == STORE_UNKNOWN)
		return true;
	return shared_run_is_sure(core, reply);
}

bool shared_run_would_write(const struct core *core, struct http_reply *reply)
{
	if (!shared_run_may_write(core, reply))
		return false;
	if (!core->shared || !core->shared->is_full)
		return true;
	refuse_full(reply);
	return false;
}

void shared_run_refuse_overdue(const struct core *core, struct http_reply *reply)
{
	if (shared_run_is_sure(core, reply))
		http_problem(reply, 503, "busy",
		             "a version that was not confirmed in time is just being ended: "
		             "nothing was changed; try again");
}

bool shared_run_await_revision(struct core *core, int64_t revision, unsigned most_ms)
{
	uint64_t until_ms = clock_mono_ms() + most_ms;
	int64_t here;

	while (shared_intent_revision(core->intent, &here) || here < revision)
		if (!core_wait(core, until_ms))
			return false;
	return true;
}

void shared_run_await(struct core *core, int64_t revision)
{
	struct pending_clock clock;

	if (!shared_run_await_revision(core, revision, ARRIVED_MS))
		return;
	pending_clock_read(&clock);
	shared_run_follow_records(core->shared, &clock);
}

/* Say why a change was not made, or that it is not known. */
static void set_write_problem(const struct core *core, const struct shared_change *c, int err,
                              enum shared_result result, const char *reason,
                              struct http_reply *reply)
{
	const struct version *newest = history_head(shared_intent_history(core->intent));

	if (err == -ENOSPC)
		refuse_full(reply);
	else if (err)
		refuse_unavailable(reason, reply);
	else if (result == SHARED_UNKNOWN)
		http_problem(
		        reply, 503, "outcome-unknown",
		        "it is not known whether change %s was made (%s): look at the versions "
		        "before you try again",
		        c->id, reason);
	else
		http_problem(reply, 412, "stale",
		             "another change came first: the newest version is %" PRIu64 " now",
		             newest ? newest->number : 0);
}

/* Write a change, and wait for it. Under the core's lock, which is given up meanwhile. @return whether it was made */
static bool write_and_wait(struct core *core, const struct shared_change *c,
                           struct http_reply *reply)
{
	struct shared_answer a = { .result = SHARED_UNKNOWN };
	char reason[ETCD_REASON_MAX];
	int err = shared_run_write_change(core->shared, c, &a, reason);
	bool is_done = !err && a.result == SHARED_DONE;

	if (is_done)
		shared_run_await(core, a.revision);
	else
		set_write_problem(core, c, err, a.result, reason, reply);
	if (!err)
		shared_answer_fini(&a);
	return is_done;
}

struct shared_commands *shared_run_commands(const struct core *core)
{
	return core->shared ? core->shared->commands : NULL;
}

struct shared_lease *shared_run_lease(const struct core *core)
{
	return core->shared ? core->shared->lease : NULL;
}

static int write_here(struct core *core, const struct shared_change *c, enum shared_result *result,
                      int64_t *revision)
{
	int err = intent_decide_alone(core->intent, c, clock_believed_ms());

	*result = err == -EAGAIN ? SHARED_REFUSED : SHARED_DONE;
	*revision = 0;
	return err == -EAGAIN ? 0 : err;
}

int shared_run_decide(struct core *core, const struct shared_change *c, enum shared_result *result,
                      int64_t *revision, char reason[ETCD_REASON_MAX])
{
	struct shared_answer a;

	if (!core->shared)
		return write_here(core, c, result, revision);
	int err = shared_run_write_change(core->shared, c, &a, reason);

	if (err)
		return err;
	*result = a.result;
	if (a.result == SHARED_DONE) {
		*revision = a.revision;
		shared_run_await(core, a.revision);
	}
	shared_answer_fini(&a);
	return 0;
}

bool shared_run_write(struct core *core, struct intent_changed *changed, json_t **files_at,
                      struct http_reply *reply)
{
	if (changed->staged)
		*files_at = shared_files_spread(core, &changed->version);
	if (!write_and_wait(core, changed->shared, reply))
		return false;
	const struct version *head = intent_head(core->intent);

	/* with its deadline; where it went back, the one that is in force again. Another may have followed already. */
	if (head && (!changed->staged || head->number == changed->version.number))
		changed->version = *head;
	return true;
}

int shared_run_confirm(struct core *core, uint64_t number, const char *author, const char *reason,
                       struct http_reply *reply)
{
	struct shared_change c;
	int err = shared_intent_decide(core->intent, number, CHAIN_CONFIRMED, author, reason,
	                               clock_believed_ms(), &c);

	core_detach(core); /* what others change meanwhile is not of this request */
	if (!err && !write_and_wait(core, &c, reply))
		err = -EIO;
	shared_change_fini(&c);
	return err == -EBUSY ? -EALREADY : err;
}
