/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The follower (shared_follower.c) takes records and nothing else. The keeper puts in force what follows from them, and waits
 * for nobody, so that a version goes back in time while the store is silent, and while the main thread waits for requests. The
 * helper asks for the end of versions, fetches files, and writes commands that the store lacks: it may wait for the store and for
 * nodes, so it has a thread.
 * Requests and the helper write by one client of etcd, one after the other.
 * Nobody has the core's lock while etcd or another node is asked.
 */
#include "mgmt/sync/shared_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mgmt/peers/peers.h"
#include "mgmt/sync/shared_commands.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/sync/shared_lease.h"
#include "mgmt/sync/shared_run_internal.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/store/store_conf.h"
#include "record/fields.h"
#include "weir/condition.h"
#include "weir/json.h"

#define OPEN_MS  250u   /* between two looks of keeper and helper while a version may run out */
#define IDLE_MS  10000u /* the same while none may */
#define AGAIN_MS 1000u  /* after a failure */
#define APART_MS 17000u /* by then a node that fell silent at a new epoch is heard no more */

/*
 * End or confirm a version; that the store refuses it means that another node has decided it. Under the core's lock, which is
 * given up meanwhile. @return 0 or -errno: try later
 */
static int decide_version(struct shared_run *r, uint64_t number, enum chain_mark mark,
                          const char *text)
{
	char reason[ETCD_REASON_MAX];
	struct shared_change c;
	struct shared_answer a;
	int err = shared_intent_decide(r->core->intent, number, mark, "weir", text,
	                               clock_believed_ms(), &c);

	if (!err)
		err = shared_run_write_change(r, &c, &a, reason);
	shared_change_fini(&c);
	if (!err)
		shared_answer_fini(&a);
	return err;
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

void shared_run_step(struct core *core, const struct pending_clock *clock)
{
	struct shared_run *r = core->shared;

	if (!r)
		return;
	shared_run_follow_records(r, clock);
	end_joining(r);
}

/* Whether the version in force may run out at @p clock. */
static bool may_run_out(const struct core *core, const struct pending_clock *clock)
{
	int64_t left_ms;

	return history_is_open(shared_intent_history(core->intent), clock->now_ms, &left_ms);
}

struct keeper {
	struct core *core;
	struct pending_clock clock;
};

/* Looks when something changes, and while a version may run out; at all else the main thread looks each tick. */
static uint64_t keep_once(void *arg)
{
	struct keeper *k = arg;

	k->clock.now_ms = (int64_t)clock_mono_ms();
	shared_run_step(k->core, &k->clock);
	return (uint64_t)k->clock.now_ms + (may_run_out(k->core, &k->clock) ? OPEN_MS : IDLE_MS);
}

static void *run_keeper(void *core)
{
	struct keeper k = { .core = core };

	pending_clock_read(&k.clock);
	core_run_rounds(core, keep_once, &k, 0);
	return NULL;
}

/* Asks others for what this node needs. What it has done waits: it may have failed, or have no effect yet. */
struct helper {
	struct shared_run *run;
	struct peer_client client;
	struct pending_clock clock;
	uint64_t decide_ms, fetch_ms,
	        settle_ms;  /* when it decides a version, fetches, settles again */
	uint64_t n_changes; /* of the core, that it knows */
};

/* When the helper is to look again, if nothing changes. @param decides  whether a version is to be decided */
static uint64_t next_help_ms(const struct helper *h, bool decides)
{
	const struct shared_run *r = h->run;
	uint64_t until_ms = clock_mono_ms() + (may_run_out(r->core, &h->clock) ? OPEN_MS : IDLE_MS);

	if (decides && h->decide_ms < until_ms)
		until_ms = h->decide_ms;
	if (r->missing.number && h->fetch_ms < until_ms)
		until_ms = h->fetch_ms;
	return h->settle_ms < until_ms ? h->settle_ms : until_ms;
}

/* Fetch the files of a version that is to be in force. Under the lock, which is given up meanwhile. @return 0 or -errno: try later */
static int fetch_missing(struct shared_run *r, struct peer_client *client)
{
	struct version missing = r->missing;

	core_unlock(r->core);
	int err = shared_files_fetch(r->core, client, &missing);

	client_close(client);
	core_lock(r->core);
	if (!err)
		core_changed(r->core); /* the keeper puts it in force */
	return err;
}

/* What becomes of versions, and files; and the store is to have what it lacks. */
static uint64_t help_once(void *arg)
{
	struct helper *h = arg;
	struct shared_run *r = h->run;
	struct core *core = r->core;
	uint64_t now_ms = clock_mono_ms();
	enum chain_mark mark;
	const char *reason;

	if (core->n_changes != h->n_changes && h->settle_ms > now_ms + SHARED_COMMANDS_LOOK_MS)
		h->settle_ms = now_ms + SHARED_COMMANDS_LOOK_MS;
	h->n_changes = core->n_changes;
	h->clock.now_ms = (int64_t)now_ms;
	uint64_t number = shared_intent_to_decide(core->intent, &h->clock, &mark, &reason);

	if (number && now_ms >= h->decide_ms) {
		int err = decide_version(r, number, mark, reason);

		h->decide_ms = clock_mono_ms() + (err ? AGAIN_MS : OPEN_MS);
	}
	if (r->missing.number && now_ms >= h->fetch_ms) {
		int err = fetch_missing(r, &h->client);

		h->fetch_ms = clock_mono_ms() + (err ? AGAIN_MS : OPEN_MS);
	}
	if (now_ms >= h->settle_ms)
		h->settle_ms = shared_commands_settle(core);
	return next_help_ms(h, number);
}

static void *run_helper(void *arg)
{
	struct helper h = { .run = arg };

	pending_clock_read(&h.clock);
	core_run_rounds(h.run->core, help_once, &h, 0);
	client_close(&h.client);
	return NULL;
}

/* Open both clients. @return false: store.conf is wrong, and the reason says why */
static bool open_clients(struct shared_run *r)
{
	struct etcd_settings settings;
	const struct store_conf *conf = &r->conf;
	char value[LOG_VALUE_MAX];
	int err = store_conf_read(r->core->dirs.conf, &r->conf, r->reason);

	if (!err)
		err = store_conf_settings(conf, r->core->dirs.conf, &settings);
	if (!err)
		shared_members_begin(&r->members, r->core->dirs.state, &settings);
	if (!err)
		err = shared_etcd_open(&settings, conf->prefix, &r->stop, &r->reads, r->reason);
	if (!err)
		err = shared_etcd_open(&settings, conf->prefix, &r->stop, &r->writes, r->reason);
	if (!err)
		err = shared_lease_start(r->core, &settings, conf->prefix, &r->stop, &r->lease,
		                         r->reason);
	if (!err)
		err = shared_commands_start(r->core, &settings, conf->prefix, &r->stop,
		                            &r->commands, r->reason);
	if (!err) {
		shared_members_add(&r->members, r->writes, &r->writing);
		shared_commands_add_to(r->commands, &r->members);
		shared_lease_add_to(r->lease, &r->members);
	}
	if (err && !*r->reason)
		snprintf(r->reason, sizeof(r->reason), "%s", strerror(-err));
	if (err)
		log_error("store-conf-refused", "reason=%s", log_value(r->reason, value));
	return !err;
}

int shared_run_start(struct core *core)
{
	int err = 0;

	if (!shared_intent_is_on(core->intent))
		return 0;
	struct shared_run *r = MEMORY_NEW(struct shared_run);
	r->core = core;
	r->heard_ms = clock_mono_ms(); /* nobody was asked yet */
	r->started_ms = r->heard_ms;
	pthread_mutex_init(&r->writing, NULL);
	core->shared = r;
	bool is_open = open_clients(r);
	char reason[ETCD_REASON_MAX];

	core_lock(
	        core); /* first, so that nobody takes what this node had decided alone for the store's; the follower says what fails */
	if (is_open)
		(void)shared_follower_bind(core, &r->conf, reason);
	core_unlock(core);
	if (is_open)
		err = thread_start(&r->follower, shared_follower_run, r);
	if (!err)
		err = thread_start(&r->keeper, run_keeper, core);
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
	shared_commands_stop(r->commands);
	shared_etcd_close(r->reads);
	shared_etcd_close(r->writes);
	pthread_mutex_destroy(&r->writing);
	core->shared = NULL;
	free(r);
}

#define MEMBER_ROWS(X, t)                                                                          \
	X(t, const char *, name)                                                                   \
	X(t, const char *, endpoint)                                                               \
	X(t, const char *, state)                                                                  \
	X(t, struct shown_time, since)                                                             \
	X(t, const char *, reason)
RECORD_SHOWN(member_row, "member", MEMBER_ROWS);

/* The answer to GET /v1/store; without a store there is a state alone. */
struct store_answer {
	bool shares;
	const char *state, *reason, *id;
	uint64_t silent_ms;
	struct shown_number revision, epoch, members_needed, newest, in_force, here, goes_back_to;
	json_t *members;
	bool files_missing;
};

#define OF_STORE(member, ...)                                                                      \
	SHOW(struct store_answer, member, ONLY_IF(struct store_answer, shares), __VA_ARGS__)
const struct record_kind store_answer_kind =
        RECORD_OF(struct store_answer, "store", NULL, SHOW(struct store_answer, state),
                  OF_STORE(reason), OF_STORE(id), OF_STORE(silent_ms), OF_STORE(revision),
                  OF_STORE(epoch), OF_STORE(members, .each = &member_row_kind, .or_null = true),
                  OF_STORE(members_needed), OF_STORE(newest), OF_STORE(in_force), OF_STORE(here),
                  OF_STORE(goes_back_to), OF_STORE(files_missing));

static struct shown_number number_of(const struct version *v)
{
	return (struct shown_number){ .known = v, .value = v ? v->number : 0 };
}

/* What there is of shared intent here. */
static void add_history(const struct core *core, struct store_answer *a)
{
	const struct version_history *h = shared_intent_history(core->intent);
	struct pending_clock clock;
	int64_t left_ms;

	pending_clock_read(&clock);
	bool is_open = history_is_open(h, clock.now_ms, &left_ms);

	a->newest = number_of(history_head(h));
	a->in_force = number_of(history_in_force(h, clock.now_ms));
	a->here = number_of(intent_head(core->intent));
	a->goes_back_to = number_of(is_open ? history_final(h) : NULL);
	a->files_missing = core->shared->missing.number != 0;
}

/* The members as far as this node knows them. @return given; NULL: it does not */
static json_t *members_to_json(const struct shared_run *r, enum store_state state)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->observed.n; i++) {
		const struct shared_member *s = &r->observed.members[i];
		bool is_silent = shared_members_is_silent(s),
		     is_known = s->has_answered && !s->silent_ms;
		const struct member_row row = {
			.name = s->name,
			.endpoint = s->url,
			.state = is_silent  ? "silent"
			         : is_known ? "answers"
			                    : "unknown",
			.since = { is_silent ? s->silent_since_ms : 0 },
			.reason = is_silent ? s->reason : "",
		};

		json_array_append_new(list, record_shown(&member_row_kind, &row));
	}
	if (state == STORE_READY && r->observed.n)
		return list;
	json_decref(list);
	return NULL;
}

/* A peer that is heard and has a store which is not @p own; NULL: none is known. */
static const struct peers_report *find_store(const struct core *core, const char *own)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++) {
		const char *id = peers_store(&reports[i], now_ms);

		if (id && *id && strcmp(id, own) != 0)
			return &reports[i];
	}
	return NULL;
}

void shared_run_advise(const struct core *core, char out[CONDITION_TEXT_MAX])
{
	const struct peers_report *peer = find_store(core, "");

	if (peer)
		snprintf(
		        out, CONDITION_TEXT_MAX,
		        "%s has the store %s, and this node no store.conf: run 'weir store join' here, "
		        "with a copy of store.join (one is kept off the nodes)",
		        peer->node, peer->store);
	else
		snprintf(
		        out, CONDITION_TEXT_MAX,
		        "Run 'weir store init' on the first host and 'weir store join' on the others");
}

json_t *shared_run_json(const struct core *core)
{
	static const char *const words[] = { "unknown", "ready",  "cut-off", "went-back",
		                             "other",   "unkept", "refused" };
	const struct shared_run *r = core->shared;
	struct store_origin origin = { 0 };
	uint64_t silent_ms;
	int64_t revision = 0;

	if (!r) {
		const char *alone = shared_state_is_missing(core) ? "none" : "own";

		return SHOWN(store_answer, .state = alone);
	}
	enum store_state state = shared_state_judge(r, &silent_ms);
	struct store_answer a = {
		.shares = true,
		.state = state == STORE_READY && r->is_full ? "full" : words[state],
		.reason = *r->went_back ? r->went_back
		          : *r->other   ? r->other
		                        : r->reason,
		.id = r->conf.id,
		.silent_ms = silent_ms,
		.members = members_to_json(r, state),
		.members_needed = { r->observed.n_voters, r->observed.n_voters / 2 + 1 },
	};

	a.revision.known = !shared_intent_revision(core->intent, &revision);
	a.revision.value = (uint64_t)revision;
	a.epoch.known = !shared_intent_origin(core->intent, &origin);
	a.epoch.value = origin.epoch;
	add_history(core, &a);
	return record_shown(&store_answer_kind, &a);
}

/* State which members do not answer, while a majority does. */
static void state_members(const struct core *core)
{
	const struct shared_members_list *l = &core->shared->observed;
	size_t n_left = l->n_voters, needed = l->n_voters / 2 + 1;
	char time[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < l->n; i++)
		n_left -= shared_members_is_silent(&l->members[i]);
	for (size_t i = 0; i < l->n; i++) {
		const struct shared_member *s = &l->members[i];

		if (!shared_members_is_silent(s))
			continue;
		conditions_add(
		        core->stats, "store-member-silent", CONDITION_DEGRADED, s->name,
		        "no answer of this member of the store since %s: %zu of %zu are left, %zu are "
		        "needed%s. Start it; if its host is lost: weir store remove %s",
		        clock_text(s->silent_since_ms, time), n_left, l->n_voters, needed,
		        n_left > needed   ? ""
		        : n_left < needed ? "; the store works, so others reach them"
		                          : ": with the next loss configuration is frozen",
		        s->name);
	}
}

/* That there is no store.conf. */
static void state_missing(const struct core *core)
{
	char advice[CONDITION_TEXT_MAX];

	shared_run_advise(core, advice);
	conditions_add(core->stats, "store-missing", CONDITION_DEGRADED, STORE_CONF_FILE,
	               find_store(core, "")
	                       ? "%s"
	                       : "the configuration has other nodes, and no store decides for "
	                         "all of them: each runs its own file, and takes no other "
	                         "one. %s",
	               advice);
}

/* A peer that has taken its changes from another etcd than this node, or of another epoch, for long; NULL: none has. */
static const struct peers_report *find_apart(const struct core *core, const char *origin)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++)
		if (reports[i].apart_ms && now_ms - reports[i].apart_ms >= APART_MS &&
		    peers_is_apart(&reports[i], origin, now_ms))
			return &reports[i];
	return NULL;
}

/* That a peer has another store, or what is another one by now. */
static void state_peer(const struct core *core)
{
	const struct shared_run *r = core->shared;
	const struct peers_report *peer = *r->conf.id ? find_store(core, r->conf.id) : NULL;
	char origin[ORIGIN_TEXT_MAX];

	if (peer) {
		conditions_add(
		        core->stats, "store-differs", CONDITION_DEGRADED, peer->node,
		        "it has the store %.32s, and this node has %.32s: neither takes what the "
		        "other applies. Let nodes leave the wrong one: the handbook says how (Two stores)",
		        peer->store, r->conf.id);
		return;
	}
	shared_state_origin(core, origin);
	peer = find_apart(core, origin);
	if (peer)
		conditions_add(
		        core->stats, "store-differs", CONDITION_DEGRADED, peer->node,
		        "it takes changes from epoch.nonce.etcd %s of the store, and this node from "
		        "%s. Let nodes leave the wrong one: the handbook says how (Two stores)",
		        peer->store_origin, origin);
}

/* A reason that may begin with what the condition's subject says already. */
static const char *without_subject(const char *reason, const char *subject)
{
	size_t n = strlen(subject);

	return strncmp(reason, subject, n) == 0 ? reason + n : reason;
}

void shared_run_state(const struct core *core)
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;
	char subject[32];

	if (shared_state_is_missing(core))
		state_missing(core);
	if (!r)
		return;
	enum store_state state = shared_state_judge(r, &silent_ms);

	state_peer(core);
	if (state == STORE_REFUSED)
		conditions_add(core->stats, "store-cut-off", CONDITION_DEGRADED, STORE_CONF_FILE,
		               "%.150s: correct the file, then systemctl restart weir; until then "
		               "this node keeps what it has, and takes no configuration",
		               without_subject(r->reason, STORE_CONF_FILE ": "));
	else if (state == STORE_WENT_BACK)
		conditions_add(
		        core->stats, "store-went-back", CONDITION_DEGRADED, "",
		        "the store is not what it was: %.110s. This node keeps what it has, and takes "
		        "no configuration; if the store is right: weir store accept --reason TEXT",
		        r->went_back);
	else if (state == STORE_OTHER)
		conditions_add(core->stats, "store-differs", CONDITION_DEGRADED, "",
		               "%.190s: this node keeps what it has, and takes no configuration%s",
		               r->other, r->is_bound ? "" : "; correct the wrong one (handbook)");
	else if (state == STORE_UNKEPT)
		conditions_add(core->stats, "store-not-kept", CONDITION_DEGRADED, "",
		               "%.120s: this node keeps what it has, and takes no configuration",
		               r->reason);
	else if (state == STORE_CUT_OFF)
		conditions_add(
		        core->stats, "store-cut-off", CONDITION_DEGRADED, "",
		        "the store was not reached for %" PRIu64
		        " s (%.120s): this node keeps what it has, and takes no configuration",
		        silent_ms / 1000, *r->reason ? r->reason : "no member answers");
	else if (state == STORE_READY && r->is_full)
		conditions_add(
		        core->stats, "store-full", CONDITION_DEGRADED, "",
		        "the store is full (etcd's alarm NOSPACE): apply, confirm, rollback and "
		        "operations are refused, and a version that is not confirmed goes back at its "
		        "deadline. Compact, defragment each member, disarm the alarm: weir store check "
		        "(as root) shows the commands");
	if (state == STORE_READY)
		state_members(core);
	snprintf(subject, sizeof(subject), "version %" PRIu64, r->missing.number);
	if (r->missing.number)
		conditions_add(
		        core->stats, "files-missing", CONDITION_DEGRADED, subject,
		        "this version is in force and its files are not here: they are fetched from "
		        "%.64s and the other nodes; until then the version before it stays",
		        r->missing.node);
}
