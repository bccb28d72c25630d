/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The follower takes records and nothing else. The keeper puts in force what follows from them, and waits for nobody, so
 * that a version goes back in time while the store is silent. The helper asks for the end of versions and fetches files.
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
#include "mgmt/api/shared_members.h"
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

enum store_state {
	STORE_UNKNOWN,
	STORE_READY,
	STORE_CUT_OFF,
	STORE_WENT_BACK,
	STORE_UNKEPT,
	STORE_REFUSED
};

struct shared_run {
	struct core *core;
	struct thread follower, keeper, helper;
	struct shared_etcd *reads;     /* the follower's; NULL: store.conf is wrong */
	struct shared_etcd *writes;    /* of who has `writing` */
	char id[STORE_ID_MAX];         /* by store.conf */
	struct shared_members members; /* the follower's */
	pthread_mutex_t writing;       /* never locked under the core's lock */
	atomic_bool stop;

	/* under the core's lock */
	char reason[ETCD_REASON_MAX]; /* why the store cannot be reached, as far as known */
	bool was_heard;               /* since the start */
	uint64_t started_ms;
	uint64_t heard_ms; /* boot clock: of the last read that a majority has answered */
	int64_t highest;   /* revision that was read of this store */
	int keep_err;      /* why what the store holds could not be kept here; 0: it is */
	bool must_list;    /* what was kept may not be all */
	/* why nothing is taken from the store any more: it is older than what this node has of it, or lost that; "" */
	char went_back[ETCD_REASON_MAX];
	/* in force by the store, and its files are not here; number 0: there is none */
	struct version missing;
};

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
	if (*r->went_back)
		return;
	log_error("store-went-back", "reason=\"%s\"", reason);
	snprintf(r->went_back, sizeof(r->went_back), "%s", reason);
	shared_intent_note_went_back(r->core->intent);
	core_changed(r->core);
}

/* What no change of a sound store does, as a reason; NULL: it is sound. */
static const char *find_loss(const struct shared_run *r, const struct shared_record *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct shared_records one = {
			.records = (struct shared_record *)(uintptr_t)&list[i], .n = 1
		};
		char id[STORE_ID_MAX];

		if (!strcmp(list[i].name, "head") && !list[i].text)
			return "its record of the newest version was removed";
		if (strcmp(list[i].name, STORE_CLAIM_RECORD) != 0)
			continue;
		if (!list[i].text)
			return "its record of its id was removed";
		if (store_claim_of(&one, id) || strcmp(id, r->id) != 0)
			return "its record of its id names another store";
	}
	return NULL;
}

static bool receive_change(void *arg, int64_t revision, const struct shared_record *list, size_t n)
{
	struct shared_run *r = arg;
	struct pending_clock clock;

	pending_clock_read(&clock);
	core_lock(r->core);
	const char *loss = find_loss(r, list, n);
	if (loss) {
		go_back(r, loss);
		core_unlock(r->core);
		return false;
	}
	int err = shared_intent_receive(r->core->intent, revision, list, n, &clock);

	core_changed(r->core);
	core_unlock(r->core);
	if (!err || err == -ESTALE)
		return true;
	log_error("store-not-kept", "revision=%" PRId64 " error=\"%s\" effect=\"listed\"", revision,
	          strerror(-err));
	return false;
}

/* Whether a whole list has less than this node has of the store. Under the core's lock. */
static bool has_less(const struct shared_run *r, const struct shared_records *l)
{
	const struct version *newest = history_head(shared_intent_history(r->core->intent));
	struct history_head head = { 0 };
	char error[RECORD_ERROR_MAX];

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->records[i].name, "head") &&
		    record_from_text(&history_head_record, l->records[i].text, &head, error))
			return false; /* it is not Weir's: that is said */
	return newest && head.number < newest->number;
}

static void note_heard(void *arg, uint64_t sent_ms, int64_t revision)
{
	struct shared_run *r = arg;

	shared_members_heard(&r->members, r->reads, r->writes, &r->writing);
	core_lock(r->core);
	hear_revision(r, sent_ms, revision);
	core_unlock(r->core);
}

static void note_left(void *arg, const char *reason)
{
	struct shared_run *r = arg;

	core_lock(r->core);
	note_reason(r, reason);
	core_unlock(r->core);
}

/* Whether the members have the store that store.conf names, as far as they say. @return 0, or -EXDEV with a reason */
static int check_store_id(struct shared_run *r, const struct shared_records *l)
{
	char id[STORE_ID_MAX];

	if (store_claim_of(l, id) || !*id || !strcmp(id, r->id))
		return 0;
	snprintf(r->reason, sizeof(r->reason),
	         "the members have the store %s, and store.conf names %s", id, r->id);
	return -EXDEV;
}

/* Take all that the store has. @return whether it is here */
static bool list_all(struct shared_run *r)
{
	struct pending_clock clock;
	struct shared_records l = { 0 };
	uint64_t sent_ms = clock_mono_ms();
	int err = shared_etcd_list(r->reads, &l);

	pending_clock_read(&clock);
	core_lock(r->core);
	if (err) {
		note_reason(r, shared_etcd_reason(r->reads));
	} else if (has_less(r, &l)) {
		err = -ESTALE;
		go_back(r, "it has an older newest version than this node");
	} else if ((err = check_store_id(r, &l)) == 0) {
		hear_revision(r, sent_ms, l.revision);
		err = shared_intent_list(r->core->intent, l.revision, l.records, l.n, &clock);
		r->keep_err = err;
		if (err)
			note_reason(r,
			            err == -EBADMSG
			                    ? "the store holds a record that is not Weir's"
			                    : "this node's disk cannot keep what the store holds");
	}
	r->must_list = err != 0;
	core_changed(r->core);
	bool is_here = !r->must_list;

	core_unlock(r->core);
	shared_records_fini(&l);
	return is_here;
}

/* Wait under the core's lock, unless the process ends. */
static void pause_for(struct shared_run *r, uint64_t ms)
{
	uint64_t until_ms = clock_mono_ms() + ms;

	while (core_wait(r->core, until_ms))
		;
}

/* Follow the store until that ends. Under the core's lock, which is given up. */
static void follow_store(struct shared_run *r, int64_t revision)
{
	const struct shared_follower follower = { receive_change, note_heard, note_left, r };
	int64_t highest = r->highest > revision ? r->highest : revision;

	core_unlock(r->core);
	enum etcd_watch_end end = shared_etcd_follow(r->reads, revision + 1, highest, &follower);

	core_lock(r->core);
	note_reason(r, shared_etcd_reason(r->reads));
	r->must_list |= end == ETCD_WATCH_LIST;
	if (end == ETCD_WATCH_WENT_BACK)
		go_back(r, "its revision is lower than one that was read");
}

static void *run_follower(void *arg)
{
	struct shared_run *r = arg;
	struct core *core = r->core;
	int64_t revision;

	core_lock(core);
	while (!core->stopping) {
		if (shared_intent_revision(core->intent, &revision)) {
			pause_for(r, AGAIN_MS); /* this node's disk: the intent says so */
			continue;
		}
		if (*r->went_back) {
			pause_for(
			        r,
			        AGAIN_MS); /* until a person has looked, and starts this process again */
			continue;
		}
		if (revision && !r->must_list) {
			follow_store(r, revision);
			continue;
		}
		core_unlock(core);
		bool is_here = list_all(r);

		core_lock(core);
		if (!is_here)
			pause_for(r, AGAIN_MS);
	}
	core_unlock(core);
	return NULL;
}

/* Whether the store can be used. @param silent_ms  out: for how long no majority has answered */
static enum store_state judge_store(const struct shared_run *r, uint64_t *silent_ms)
{
	*silent_ms = clock_mono_ms() - r->heard_ms;
	return !r->reads                ? STORE_REFUSED
	       : *r->went_back          ? STORE_WENT_BACK
	       : r->keep_err            ? STORE_UNKEPT
	       : *silent_ms >= HEARD_MS ? STORE_CUT_OFF
	       : r->was_heard           ? STORE_READY
	                                : STORE_UNKNOWN;
}

/* Why the store cannot be used. */
static const char *describe_trouble(const struct shared_run *r)
{
	return *r->went_back  ? r->went_back
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
	core_unlock(r->core);
	int err = begin_writing(r) ? 0 : -EHOSTUNREACH;

	if (err) {
		snprintf(reason, ETCD_REASON_MAX, "another change is still being written");
	} else {
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

/* Whether the copy is one of the store that @p conf names: what another one has would be taken for changes of this one. */
static int bind_copy(struct shared_run *r, const struct store_conf *conf)
{
	char name[COPY_STORE_MAX], was[COPY_STORE_MAX];

	snprintf(name, sizeof(name), "%s %s", conf->id, conf->prefix);
	core_lock(r->core);
	int err = shared_intent_bind(r->core->intent, name, was);

	core_unlock(r->core);
	if (err == -EXDEV)
		snprintf(r->reason, sizeof(r->reason),
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
		err = bind_copy(r, &conf);
	}
	if (!err)
		err = store_conf_settings(&conf, r->core->dirs.conf, &settings);
	if (!err)
		shared_members_begin(&r->members, r->core->dirs.state, &settings);
	if (!err)
		err = shared_etcd_open(&settings, conf.prefix, &r->stop, &r->reads, r->reason);
	if (!err)
		err = shared_etcd_open(&settings, conf.prefix, &r->stop, &r->writes, r->reason);
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
	if (open_clients(r))
		err = thread_start(&r->follower, run_follower, r);
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

/* Whether the configuration is also other nodes', and nothing decides for all of them. Under the lock. */
static bool has_no_store(const struct core *core)
{
	return !core->shared && join_has_peers(intent_model(core->intent));
}

json_t *shared_run_json(const struct core *core)
{
	static const char *const words[] = { "unknown",   "ready",  "cut-off",
		                             "went-back", "unkept", "refused" };
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;
	int64_t revision;

	if (!r)
		return json_pack("{s:s}", "state", has_no_store(core) ? "none" : "own");
	json_t *out =
	        json_pack("{s:s, s:o, s:s}", "state", words[judge_store(r, &silent_ms)], "reason",
	                  text_to_json(*r->went_back ? r->went_back : r->reason), "id", r->id);

	json_object_set_new(out, "silent_ms", json_integer((json_int_t)silent_ms));
	json_object_set_new(out, "revision",
	                    shared_intent_revision(core->intent, &revision)
	                            ? json_null()
	                            : json_integer(revision));
	add_history_json(core, out);
	return out;
}

void shared_run_state(const struct core *core)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;
	char subject[32];

	if (has_no_store(core))
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
		        "the store is not what it was: %.120s. This node keeps what it has, and takes "
		        "no configuration",
		        r->went_back);
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
