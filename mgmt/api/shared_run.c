/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The follower (shared_follower.c) takes records and nothing else. The keeper puts in force what follows from them, and
 * waits for nobody, so that a version goes back in time while the store is silent. The helper asks for the end of versions
 * and fetches files.
 * Requests and the helper write by one client of etcd, one after the other.
 * Nobody has the core's lock while etcd or another node is asked.
 */
#include "mgmt/api/shared_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "mgmt/api/idempotent.h"
#include "mgmt/api/shared_files.h"
#include "mgmt/api/shared_lease.h"
#include "mgmt/api/shared_run_internal.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/join.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/store/store_claim.h"
#include "mgmt/store/store_conf.h"
#include "weir/condition.h"

#define KEEP_MS    250u  /* between two looks of the keeper: a deadline is noticed within that */
#define AGAIN_MS   1000u /* after a failure */
#define HEARD_MS   6000u /* without an answer for so long the store cannot be reached: three reads */
#define ARRIVED_MS 5000u /* for what was written to come back */
#define WRITING_S  10    /* for another change: longer than one takes */

/* Whether the store can be used. @param silent_ms  out: for how long no majority has answered */
static enum store_state judge_store(const struct shared_run *r, uint64_t *silent_ms)
{
	*silent_ms = clock_mono_ms() - r->heard_ms;
	return !r->reads                ? STORE_REFUSED
	       : *r->went_back          ? STORE_WENT_BACK
	       : *r->other              ? STORE_OTHER
	       : r->keep_err            ? STORE_UNKEPT
	       : *silent_ms >= HEARD_MS ? STORE_CUT_OFF
	       : r->was_heard           ? STORE_READY
	                                : STORE_UNKNOWN;
}

/* Why the store cannot be used. */
static const char *describe_trouble(const struct shared_run *r)
{
	return *r->went_back  ? r->went_back
	       : *r->other    ? r->other
	       : *r->reason   ? r->reason
	       : r->was_heard ? "no member answers"
	                      : "no member has answered yet";
}

/* Become the one who writes. @return false: another change has been under way for too long */
static bool begin_writing(struct shared_run *r)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WRITING_S;
	return !pthread_mutex_clocklock(&r->writing, CLOCK_MONOTONIC, &until);
}

/*
 * Write a change. Under the core's lock, which is given up meanwhile.
 * @return as shared_etcd_write(); -EHOSTUNREACH also where it is known that the store is not reached; @p reason says why it
 *   failed or is not known
 */
static int write_change(struct shared_run *r, const struct shared_change *c,
                        struct shared_answer *out, char reason[ETCD_REASON_MAX])
{
	uint64_t silent_ms;
	enum store_state state = judge_store(r, &silent_ms);

	snprintf(reason, ETCD_REASON_MAX, "%s", describe_trouble(r));
	if (state != STORE_READY && state != STORE_UNKNOWN)
		return -EHOSTUNREACH;
	uint64_t cluster_id = r->cluster_id;

	core_unlock(r->core);
	int err = begin_writing(r) ? 0 : -EHOSTUNREACH;

	if (err) {
		snprintf(reason, ETCD_REASON_MAX, "another change is still being written");
	} else {
		shared_etcd_expect(r->writes, cluster_id);
		err = shared_etcd_write(r->writes, c, out);
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(r->writes));
		pthread_mutex_unlock(&r->writing);
	}
	core_lock(r->core);
	return err;
}

/* End a version. Under the core's lock, which is given up meanwhile. @return false: try later */
static bool end_version(struct shared_run *r, uint64_t number, const char *text)
{
	char reason[ETCD_REASON_MAX];
	struct shared_change c;
	struct shared_answer a;
	int err = shared_intent_decide(r->core->intent, number, CHAIN_ENDED, "weir", text,
	                               clock_believed_ms(), &c);

	if (!err)
		err = write_change(r, &c, &a, reason);
	shared_change_fini(&c);
	if (err)
		return false;
	bool is_done = a.result != SHARED_UNKNOWN; /* refused: another node has decided it */

	shared_answer_fini(&a);
	return is_done;
}

/* Put in force what is to be in force by the records now. Under the core's lock. */
static void follow_records(struct shared_run *r)
{
	struct core *core = r->core;
	uint64_t document = intent_document(core->intent);
	struct pending_clock clock;

	pending_clock_read(&clock);
	const struct version *missing =
	        shared_intent_follow(core->intent, &clock, clock_believed_ms());

	r->missing = missing ? *missing : (struct version){ 0 };
	if (document != intent_document(core->intent)) {
		inforce_judge(core);
		core_changed(core);
	}
}

/* Whether a node that waits for the store is to start alone. Under the lock. */
static bool must_start_alone(const struct shared_run *r)
{
	uint64_t waited_ms = clock_mono_ms() - r->started_ms;

	if (!r->reads || r->must_list || !r->was_heard)
		return !r->reads || waited_ms >= JOIN_MS;
	return !history_head(shared_intent_history(r->core->intent)) || waited_ms >= JOIN_FILES_MS;
}

static void end_joining(struct shared_run *r)
{
	struct core *core = r->core;

	if (!join_waits(core->intent) || !must_start_alone(r))
		return;
	join_start_alone(core->intent, clock_believed_ms());
	core_changed(core);
}

/* Puts in force what is to be in force: it never waits for anybody. */
static void *run_keeper(void *arg)
{
	struct shared_run *r = arg;

	core_lock(r->core);
	while (!r->core->stopping) {
		follow_records(r);
		end_joining(r);
		core_wait(r->core, clock_mono_ms() + KEEP_MS);
	}
	core_unlock(r->core);
	return NULL;
}

/* Asks others for what this node needs: the end of versions, and files. */
static void *run_helper(void *arg)
{
	struct shared_run *r = arg;
	struct core *core = r->core;
	struct peer_client client;
	uint64_t end_ms = 0, fetch_ms = 0; /* when these are tried again */

	client_open(&client, core->dirs.conf);
	core_lock(core);
	while (!core->stopping) {
		uint64_t now_ms = clock_mono_ms();
		struct pending_clock clock;
		const char *reason;

		pending_clock_read(&clock);
		uint64_t number = shared_intent_to_end(core->intent, &clock, &reason);
		struct version missing = r->missing;

		if (number && now_ms >= end_ms && !end_version(r, number, reason))
			end_ms = clock_mono_ms() + AGAIN_MS;
		if (missing.number && now_ms >= fetch_ms) {
			core_unlock(core);
			if (shared_files_fetch(core, &client, &missing))
				fetch_ms = clock_mono_ms() + AGAIN_MS;
			client_close(&client);
			core_lock(core);
		}
		core_wait(core, clock_mono_ms() + KEEP_MS);
	}
	core_unlock(core);
	client_close(&client);
	return NULL;
}

int shared_run_bind(struct core *core, const struct store_conf *conf, char reason[ETCD_REASON_MAX])
{
	char name[COPY_STORE_MAX], was[COPY_STORE_MAX];

	snprintf(name, sizeof(name), "%s %s", conf->id, conf->prefix);
	core_lock(core);
	int err = shared_intent_bind(core->intent, name, was);

	core_unlock(core);
	if (err == -EXDEV)
		snprintf(reason, ETCD_REASON_MAX,
		         "store.conf names the store %.80s, and this node has a copy of %.80s",
		         name, was);
	return err;
}

/* Open both clients. @return false: store.conf is wrong, and the reason says why */
static bool open_clients(struct shared_run *r)
{
	struct etcd_settings settings;
	struct store_conf conf;
	int err = store_conf_read(r->core->dirs.conf, &conf, r->reason);

	if (!err) {
		memcpy(r->id, conf.id, sizeof(r->id));
		err = shared_run_bind(r->core, &conf, r->reason);
	}
	if (!err)
		err = store_conf_settings(&conf, r->core->dirs.conf, &settings);
	if (!err)
		shared_members_begin(&r->members, r->core->dirs.state, &settings);
	if (!err)
		err = shared_etcd_open(&settings, conf.prefix, &r->stop, &r->reads, r->reason);
	if (!err)
		err = shared_etcd_open(&settings, conf.prefix, &r->stop, &r->writes, r->reason);
	if (!err)
		err = shared_lease_start(r->core, &settings, conf.prefix, &r->stop, &r->lease,
		                         r->reason);
	if (!err) {
		shared_members_add(&r->members, r->writes, &r->writing);
		shared_lease_add_to(r->lease, &r->members);
	}
	if (err && !*r->reason)
		snprintf(r->reason, sizeof(r->reason), "%s", strerror(-err));
	if (err)
		log_error("store-conf-refused", "reason=\"%s\"", r->reason);
	return !err;
}

int shared_run_start(struct core *core)
{
	struct shared_run *r;
	int err = 0;

	if (!shared_intent_is_on(core->intent))
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->core = core;
	if (shared_intent_went_back(core->intent))
		snprintf(r->went_back, sizeof(r->went_back),
		         "that was noted before the last start");
	r->heard_ms = clock_mono_ms(); /* nobody was asked yet */
	r->started_ms = r->heard_ms;
	pthread_mutex_init(&r->writing, NULL);
	core->shared = r;
	bool is_open = open_clients(r);

	shared_follower_expect(r);
	r->must_list = !r->cluster_id; /* also of a copy of an earlier release */
	if (is_open)
		err = thread_start(&r->follower, shared_follower_run, r);
	if (!err)
		err = thread_start(&r->keeper, run_keeper, r);
	return err ? err : thread_start(&r->helper, run_helper, r);
}

void shared_run_interrupt(struct core *core)
{
	if (core->shared)
		atomic_store(&core->shared->stop, true);
}

void shared_run_stop(struct core *core)
{
	struct shared_run *r = core->shared;

	if (!r)
		return;
	shared_run_interrupt(core);
	thread_join(&r->follower);
	thread_join(&r->keeper);
	thread_join(&r->helper);
	shared_lease_stop(r->lease);
	shared_etcd_close(r->reads);
	shared_etcd_close(r->writes);
	pthread_mutex_destroy(&r->writing);
	core->shared = NULL;
	free(r);
}

/* What there is of shared intent here. */
static void add_history_json(const struct core *core, json_t *out)
{
	const struct version_history *h = shared_intent_history(core->intent);
	const struct version *newest = history_head(h), *final = history_final(h);
	const struct version *head = intent_head(core->intent);
	const struct shared_run *r = core->shared;
	struct pending_clock clock;
	int64_t left_ms;

	pending_clock_read(&clock);
	const struct version *chosen = history_in_force(h, clock.now_ms);
	bool is_open = history_is_open(h, clock.now_ms, &left_ms);

	json_object_set_new(out, "newest",
	                    newest ? json_integer((json_int_t)newest->number) : json_null());
	json_object_set_new(out, "in_force",
	                    chosen ? json_integer((json_int_t)chosen->number) : json_null());
	json_object_set_new(out, "here",
	                    head ? json_integer((json_int_t)head->number) : json_null());
	json_object_set_new(out, "goes_back_to",
	                    is_open && final ? json_integer((json_int_t) final->number)
	                                     : json_null());
	json_object_set_new(out, "files_missing", json_boolean(r->missing.number != 0));
}

bool shared_run_is_missing(const struct core *core)
{
	return !core->shared && join_has_peers(intent_model(core->intent));
}

json_t *shared_run_json(const struct core *core)
{
	static const char *const words[] = { "unknown", "ready",  "cut-off", "went-back",
		                             "other",   "unkept", "refused" };
	const struct shared_run *r = core->shared;
	struct store_origin origin;
	uint64_t silent_ms;
	int64_t revision;

	if (!r)
		return json_pack("{s:s}", "state", shared_run_is_missing(core) ? "none" : "own");
	json_t *out =
	        json_pack("{s:s, s:o, s:s}", "state", words[judge_store(r, &silent_ms)], "reason",
	                  text_to_json(*r->went_back ? r->went_back
	                               : *r->other   ? r->other
	                                             : r->reason),
	                  "id", r->id);

	json_object_set_new(out, "silent_ms", json_integer((json_int_t)silent_ms));
	json_object_set_new(out, "revision",
	                    shared_intent_revision(core->intent, &revision)
	                            ? json_null()
	                            : json_integer(revision));
	json_object_set_new(out, "epoch",
	                    shared_intent_origin(core->intent, &origin)
	                            ? json_null()
	                            : json_integer((json_int_t)origin.epoch));
	add_history_json(core, out);
	return out;
}

void shared_run_state(const struct core *core)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;
	char subject[32];

	if (shared_run_is_missing(core))
		conditions_add(
		        core->stats, "store-missing", CONDITION_DEGRADED, STORE_CONF_FILE,
		        "the configuration has other nodes, and no store decides for all of them: each "
		        "runs its own file, and takes no other one. Run 'weir store init' on the first "
		        "host and 'weir store join' on the others");
	if (!r)
		return;
	enum store_state state = judge_store(r, &silent_ms);

	if (state == STORE_REFUSED)
		conditions_add(core->stats, "store-cut-off", CONDITION_DEGRADED, STORE_CONF_FILE,
		               "%.150s: correct the file, then systemctl restart weir; until then "
		               "this node keeps what it has, and takes no configuration",
		               r->reason);
	else if (state == STORE_WENT_BACK)
		conditions_add(
		        core->stats, "store-went-back", CONDITION_DEGRADED, "",
		        "the store is not what it was: %.110s. This node keeps what it has, and takes "
		        "no configuration; if the store is right: weir store accept",
		        r->went_back);
	else if (state == STORE_OTHER)
		conditions_add(core->stats, "store-differs", CONDITION_DEGRADED, "",
		               "%.190s: this node keeps what it has, and takes no configuration",
		               r->other);
	else if (state == STORE_UNKEPT)
		conditions_add(
		        core->stats, "store-not-kept", CONDITION_DEGRADED, "",
		        "%.120s (%s): this node keeps what it has, and takes no configuration",
		        r->reason, strerror(-r->keep_err));
	else if (state == STORE_CUT_OFF)
		conditions_add(
		        core->stats, "store-cut-off", CONDITION_DEGRADED, "",
		        "the store was not reached for %" PRIu64
		        " s (%.120s): this node keeps what it has, and takes no configuration",
		        silent_ms / 1000, *r->reason ? r->reason : "no member answers");
	snprintf(subject, sizeof(subject), "version %" PRIu64, r->missing.number);
	if (r->missing.number)
		conditions_add(
		        core->stats, "files-missing", CONDITION_DEGRADED, subject,
		        "this version is in force and its files are not here: they are fetched from "
		        "%.64s and the other nodes; until then the version before it stays",
		        r->missing.node);
}

static void refuse_unavailable(const char *reason, struct http_reply *reply)
{
	http_problem(reply, 503, "store-unavailable",
	             "the store cannot be reached (%s): nothing was changed", reason);
}

bool shared_run_is_sure(const struct core *core, struct http_reply *reply)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;

	if (!r || judge_store(r, &silent_ms) == STORE_READY)
		return true;
	refuse_unavailable(describe_trouble(r), reply);
	return false;
}

bool shared_run_may_write(const struct core *core, struct http_reply *reply)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;

	if (!r || judge_store(r, &silent_ms) == STORE_UNKNOWN)
		return true;
	return shared_run_is_sure(core, reply);
}

void shared_run_refuse_overdue(const struct core *core, struct http_reply *reply)
{
	if (shared_run_is_sure(core, reply))
		http_problem(reply, 503, "busy",
		             "a version that was not confirmed in time is just being ended: "
		             "nothing was changed; try again");
}

/* Wait until what was written at @p revision has come back, and is in force. Under the core's lock. */
static void await_revision(struct shared_run *r, int64_t revision)
{
	uint64_t until_ms = clock_mono_ms() + ARRIVED_MS;
	int64_t here;

	while (shared_intent_revision(r->core->intent, &here) || here < revision)
		if (!core_wait(r->core, until_ms))
			return;
	follow_records(r);
}

/* Say why a change was not made, or that it is not known. */
static void set_write_problem(const struct core *core, const struct shared_change *c, int err,
                              enum shared_result result, const char *reason,
                              struct http_reply *reply)
{
	const struct version *newest = history_head(shared_intent_history(core->intent));

	if (err)
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
	int err = write_change(core->shared, c, &a, reason);
	bool is_done = !err && a.result == SHARED_DONE;

	if (is_done)
		await_revision(core->shared, a.revision);
	else
		set_write_problem(core, c, err, a.result, reason, reply);
	if (!err)
		shared_answer_fini(&a);
	return is_done;
}

struct shared_lease *shared_run_lease(const struct core *core)
{
	return core->shared ? core->shared->lease : NULL;
}

int shared_run_decide(struct core *core, const struct shared_change *c, enum shared_result *result,
                      int64_t *revision, char reason[ETCD_REASON_MAX])
{
	struct shared_answer a;
	int err = write_change(core->shared, c, &a, reason);

	if (err)
		return err;
	*result = a.result;
	if (a.result == SHARED_DONE) {
		*revision = a.revision;
		await_revision(core->shared, a.revision);
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

int shared_run_confirm(struct core *core, uint64_t number, const char *author,
                       struct http_reply *reply)
{
	struct shared_change c;
	int err = shared_intent_decide(core->intent, number, CHAIN_CONFIRMED, author, "",
	                               clock_believed_ms(), &c);

	idempotent_detach(core); /* what others change meanwhile is not of this request */
	if (!err && !write_and_wait(core, &c, reply))
		err = -EIO;
	shared_change_fini(&c);
	return err == -EBUSY ? -EALREADY : err;
}
