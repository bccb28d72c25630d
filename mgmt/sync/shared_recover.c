/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store is asked with a client of its own, which takes any cluster: what it finds is judged as a list of the follower is.
 * What was written is followed by the follower, as at all other nodes, and is waited for here.
 */
#include "mgmt/sync/shared_recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/peers/peers.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/sync/shared_run_internal.h"
#include "mgmt/json/command.h"
#include "mgmt/store/history.h"
#include "mgmt/store/kept_members.h"
#include "mgmt/store/lost.h"
#include "mgmt/store/refill.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/store/store_claim.h"
#include "record/fields.h"
#include "weir/json.h"

#define LISTED_MAX 100u   /* lost versions and decisions in an answer; all are counted */
#define FOLLOW_MS  15000u /* for this node to have followed */
#define COPIES_MS  3000
#define DEAD_MS    60000 /* after which a rebuild at another node that has not ended can be replaced */

/* A store that is looked at. */
struct recovery {
	struct core *core;
	struct store_conf conf;
	struct etcd_settings settings;
	struct shared_etcd *client;
	struct shared_records there, here; /* what the store has, and what this node has of it */
	struct store_claim claim;          /* of the store; empty: it has none */
	int64_t claim_revision;
	struct store_origin origin; /* of this node's copy */
	struct version newest;      /* of it, if there is one */
	bool has_newest;
	enum origin_verdict verdict;
	bool went_back;
	char reason[ETCD_REASON_MAX];
};

static void close_recovery(struct recovery *r)
{
	shared_etcd_close(r->client);
	shared_records_fini(&r->there);
	shared_records_fini(&r->here);
	free(r);
}

/* Open the client of what store.conf names. @return 0 or -errno, with a reason */
static int open_client(struct recovery *r)
{
	const struct shared_run *run = r->core->shared;
	const char *conf_dir = r->core->dirs.conf;
	int err = store_conf_read(conf_dir, &r->conf, r->reason);

	if (!err)
		err = store_conf_settings(&r->conf, conf_dir, &r->settings);
	if (!err) {
		kept_members_add(r->core->dirs.state, &r->settings, NULL);
		err = shared_etcd_open(&r->settings, r->conf.prefix, &run->stop, &r->client,
		                       r->reason);
	}
	if (err && !*r->reason)
		snprintf(r->reason, sizeof(r->reason), "%s", strerror(-err));
	return err;
}

/* List the store: at members of the etcd that this node knows, else at others. */
static int list_store(struct recovery *r)
{
	core_lock(r->core);
	uint64_t cluster_id = r->core->shared->origin.cluster_id;

	core_unlock(r->core);
	shared_etcd_expect(r->client, cluster_id);
	int err = shared_follower_query(r->client, false, &r->there);

	if (err)
		snprintf(r->reason, sizeof(r->reason), "%s", shared_etcd_reason(r->client));
	shared_etcd_expect(r->client, r->there.cluster_id);
	r->settings.cluster_id = r->there.cluster_id;
	return err;
}

/*
 * Read this node's copy. Before the store is listed: a change that comes between makes the store newer, never older. @return
 * 0; -EXDEV: it is of another store, with a reason; or -errno
 */
static int read_copy(struct recovery *r)
{
	struct core *core = r->core;

	core_lock(core);
	int err = shared_follower_bind(core, &r->conf, r->reason);

	if (!err)
		err = shared_intent_records(core->intent, &r->here);
	if (!err)
		err = shared_intent_origin(core->intent, &r->origin);
	const struct version *newest = history_head(shared_intent_history(core->intent));

	r->has_newest = newest;
	if (newest)
		r->newest = *newest;
	r->went_back = *core->shared->went_back;
	core_unlock(core);
	return err;
}

static void judge_store(struct recovery *r)
{
	const struct origin_here here = { .id = r->conf.id,
		                          .origin = r->origin,
		                          .revision = r->here.revision,
		                          .newest = r->has_newest ? &r->newest : NULL,
		                          .copy = &r->here };

	r->verdict = origin_judge(&here, &r->there, r->reason);
}

static uint64_t next_epoch(const struct recovery *r)
{
	uint64_t highest = r->claim.epoch > r->origin.epoch ? r->claim.epoch : r->origin.epoch;

	return highest + 1;
}

/* Whether the store is the one that store.conf names, and can have a next epoch. @return false, with a reason */
static bool is_our_store(struct recovery *r)
{
	bool is_read = !store_claim_read(&r->there, &r->claim, &r->claim_revision);

	if (!is_read || (*r->claim.id && strcmp(r->claim.id, r->conf.id) != 0))
		return false; /* the verdict's reason says so */
	if (next_epoch(r) < SHARED_NUMBER_END)
		return true;
	snprintf(r->reason, sizeof(r->reason),
	         "there is no epoch after %" PRIu64 ", which the record " STORE_CLAIM_RECORD
	         " of the members or this node's copy has",
	         next_epoch(r) - 1);
	return false;
}

/* Look at the store and at this node's copy. @return given; NULL: @p reply says why not */
static struct recovery *open_recovery(struct core *core, struct http_reply *reply)
{
	if (!core->shared) {
		http_problem(reply, 409, "no-store",
		             "this node shares no store: it has no " STORE_CONF_FILE);
		return NULL;
	}
	struct recovery *r = MEMORY_NEW(struct recovery);

	r->core = core;
	int err = open_client(r);
	int copy_err = err ? 0 : read_copy(r);

	if (!err && !copy_err)
		err = list_store(r);
	if (!err && !copy_err) {
		judge_store(r);
		if (is_our_store(r))
			return r;
	}
	if (err)
		http_problem(reply, 503, "store-unavailable",
		             "the store cannot be reached (%s): nothing was changed", r->reason);
	else if (copy_err && copy_err != -EXDEV)
		http_problem(reply, 503, "store",
		             "this node's copy cannot be read (%s): nothing was changed",
		             strerror(-copy_err));
	else
		http_problem(reply, 409, "store-differs", "%s: nothing was changed", r->reason);
	close_recovery(r);
	return NULL;
}

/* The number in the record of the newest version; 0: there is none. */
static uint64_t newest_of(const struct shared_records *l)
{
	const struct shared_record *r = shared_records_find(l, "head");
	struct history_head head;

	return r && !record_from_text(&history_head_record, r->text, &head, NULL) ? head.number : 0;
}

static const struct record_kind copy_version_shown = RECORD_OF(
        struct version, "version", NULL, SHOW(struct version, number), SHOW(struct version, author),
        SHOW(struct version, reason), SHOW_TIME(struct version, "time", time_ms));

/* A node's copy of the store. */
#define OF_COPY(t) ONLY_IF(struct t, has_copy)
#define COPY_ROWS(X, t)                                                                            \
	X(t, bool, has_copy)                                                                       \
	X(t, uint64_t, epoch, OF_COPY(t))                                                          \
	X(t, uint64_t, newest, OF_COPY(t))                                                         \
	X(t, int64_t, revision, OF_COPY(t))                                                        \
	X(t, const char *, digest, OF_COPY(t))                                                     \
	X(t, json_t *, versions, .spare = true, .each = &copy_version_shown)
RECORD_SHOWN(store_copy, "copy", COPY_ROWS);

/* It among those of other nodes: what the node answers is added, and whether that is more; or why it is not known. */
struct listed_copy {
	const char *node;
	const struct store_copy *copy;
};

static const struct record_kind listed_copy_kind =
        RECORD_OF(struct listed_copy, "copy of a node", NULL, SHOW(struct listed_copy, node),
                  SHOW_ROWS(struct listed_copy, copy, &store_copy_kind, .behind = true),
                  SHOW_LATER("is_newer", FIELD_BOOL), SHOW_LATER("failure", FIELD_STRING));

/* One side: this node's copy, or the store. */
#define SIDE_ROWS(X, t) X(t, uint64_t, newest) X(t, int64_t, revision) X(t, uint64_t, epoch)
RECORD_SHOWN(recovery_side, "side", SIDE_ROWS);

static struct recovery_side side_of(const struct shared_records *l, uint64_t epoch)
{
	return (struct recovery_side){ newest_of(l), l->revision, epoch };
}

static const char *lost_word(int mark)
{
	static const char *const words[] = { "version", "confirmed", "ended" };

	return words[mark];
}

static const struct record_kind lost_shown = RECORD_OF(
        struct lost, "lost", NULL, SHOW(struct lost, number),
        SHOW_WORD(struct lost, "what", mark, lost_word, CHAIN_ENDED + 1), SHOW(struct lost, author),
        SHOW(struct lost, reason), SHOW_TIME(struct lost, "time", time_ms));

/* What a recovery answers. */
#define RECOVERY_ROWS(X, t)                                                                        \
	X(t, const char *, id)                                                                     \
	X(t, bool, dry_run)                                                                        \
	X(t, uint64_t, epoch)                                                                      \
	X(t, struct recovery_side, store, .of = &recovery_side_kind)                               \
	X(t, struct recovery_side, here, .of = &recovery_side_kind)                                \
	X(t, const char *, reason)                                                                 \
	X(t, size_t, n_lost, .later = true)                                                        \
	X(t, json_t *, lost, .later = true, .each = &lost_shown)                                   \
	X(t, json_t *, copies, .later = true, .each = &listed_copy_kind)                           \
	X(t, bool, followed, .later = true)
RECORD_ANSWER(recovery_answer, "recovery", RECOVERY_ROWS);

/* What the answer says of both sides. */
static json_t *recovery_to_json(const struct recovery *r, bool dry_run)
{
	const struct recovery_answer a = { .id = r->conf.id,
		                           .dry_run = dry_run,
		                           .epoch = next_epoch(r),
		                           .store = side_of(&r->there, r->claim.epoch),
		                           .here = side_of(&r->here, r->origin.epoch),
		                           .reason = r->reason };

	return record_shown(&recovery_answer_kind, &a);
}

static void add_lost(const struct recovery *r, json_t *out)
{
	struct lost *lost = calloc(LISTED_MAX, sizeof(*lost));
	size_t n = lost_find(&r->here, &r->there, lost, lost ? LISTED_MAX : 0);
	size_t n_listed = !lost ? 0 : n < LISTED_MAX ? n : LISTED_MAX;

	json_object_set_new(out, "n_lost", json_integer((json_int_t)n));
	json_object_set_new(out, "lost", record_list_shown(&lost_shown, lost, n_listed));
	free(lost);
}

/* The store's record of the next epoch. @return 0 or -errno, with a reason */
static int make_claim(struct recovery *r, const struct recover_request *q, enum store_claim_how how,
                      struct store_claim *out)
{
	*out = (struct store_claim){ .epoch = next_epoch(r),
		                     .how = how,
		                     .time_ms = clock_believed_ms() };
	int err = store_claim_new_nonce(out->nonce);

	if (err)
		snprintf(r->reason, sizeof(r->reason), "no random numbers: %s", strerror(-err));
	memcpy(out->id, r->conf.id, sizeof(out->id));
	snprintf(out->node, sizeof(out->node), "%s", r->core->dirs.node);
	snprintf(out->author, sizeof(out->author), "%s", q->author);
	snprintf(out->principal, sizeof(out->principal), "%s", q->request->principal);
	snprintf(out->reason, sizeof(out->reason), "%s", q->reason);
	return err;
}

/* Wait until this node has followed. @return whether it has */
static bool await_epoch(struct core *core, const struct store_claim *claim)
{
	uint64_t until_ms = clock_mono_ms() + FOLLOW_MS;
	struct store_origin origin;
	bool is_here = false, goes_on = true;

	core_lock(core);
	while (!is_here && goes_on) {
		is_here = !shared_intent_origin(core->intent, &origin) &&
		          origin.epoch >= claim->epoch;
		goes_on = is_here || core_wait(core, until_ms);
	}
	core_unlock(core);
	return is_here;
}

/* Whether a dry run, if there was one, has said what is true now. @return false: @p reply says that it has not */
static bool is_unchanged(const struct recovery *r, const struct recover_request *q,
                         struct http_reply *reply)
{
	snprintf(reply->etag, sizeof(reply->etag), "\"%.32s-%" PRIu64 "-%" PRId64 "\"", r->conf.id,
	         next_epoch(r), r->claim_revision);
	const char *shown = q->request->if_match;

	if (!*shown || !strcmp(shown, "*") || !strcmp(shown, reply->etag))
		return true;
	http_problem(reply, 412, "store-changed",
	             "the store is not as it was shown: its next epoch is %" PRIu64 " now",
	             next_epoch(r));
	return false;
}

/* What became of writing: fills @p reply. */
static void end_recovery(struct recovery *r, int err, const struct store_claim *claim, json_t *body,
                         struct http_reply *reply)
{
	if (!err) {
		bool has_followed = await_epoch(r->core, claim);

		json_object_set_new(body, "followed", json_boolean(has_followed));
		reply->json = body;
		reply->status = has_followed ? 200 : 202;
		return;
	}
	json_decref(body);
	if (err == -EEXIST)
		http_problem(reply, 412, "store-changed", "another came first: %s", r->reason);
	else if (err == -EINPROGRESS)
		http_problem(reply, 503, "outcome-unknown",
		             "it is not known whether it was done (%s): weir store status shows it",
		             r->reason);
	else
		http_problem(reply, 503, "store-unavailable", "the store cannot be written (%s)",
		             r->reason);
}

/* Raise the epoch. @return as refill_store() */
static int write_acceptance(struct recovery *r, const struct store_claim *claim)
{
	struct shared_change c;
	struct shared_answer a = { .result = SHARED_UNKNOWN };

	shared_change_begin(&c, claim->nonce);
	shared_change_see(&c, STORE_CLAIM_RECORD, r->claim_revision);
	shared_change_put(&c, STORE_CLAIM_RECORD, &store_claim_record, claim);
	int err = shared_etcd_write(r->client, &c, &a);

	snprintf(r->reason, sizeof(r->reason), "%s", shared_etcd_reason(r->client));
	shared_change_fini(&c);
	if (err)
		return err;
	if (a.result == SHARED_REFUSED)
		snprintf(r->reason, sizeof(r->reason), "the store's record is another now");
	err = a.result == SHARED_DONE ? 0 : a.result == SHARED_REFUSED ? -EEXIST : -EINPROGRESS;
	shared_answer_fini(&a);
	return err;
}

/* A record that no node takes. @return its name; NULL: there is none */
static const char *find_foreign(const struct shared_records *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (history_check(&l->records[i]))
			return l->records[i].name;
	return NULL;
}

/* Whether there is something that a person can accept. @return false: @p reply says why not */
static bool can_accept(const struct recovery *r, struct http_reply *reply)
{
	const char *foreign = find_foreign(&r->there);

	if (r->claim.unfinished)
		http_problem(reply, 409, "store-empty", "%s", r->reason);
	else if (!newest_of(&r->there))
		http_problem(reply, 409, "store-empty",
		             "the store has no newest version: weir store rebuild puts this "
		             "node's copy into it");
	else if (foreign)
		http_problem(reply, 409, "store-differs",
		             "no node can take the record %s of the store, which is not Weir's: "
		             "nothing was changed",
		             foreign);
	else if (r->verdict == ORIGIN_NEWER)
		http_problem(reply, 409, "nothing-to-accept",
		             "the store's epoch %" PRIu64
		             " is there already, and this node follows it",
		             r->claim.epoch);
	else if (r->verdict == ORIGIN_FOLLOWS && !r->went_back)
		http_problem(reply, 409, "nothing-to-accept",
		             "the store has all that this node has of it: there is nothing to "
		             "accept");
	else
		return true;
	return false;
}

void shared_recover_accept(struct core *core, const struct recover_request *q,
                           struct http_reply *reply)
{
	struct recovery *r = open_recovery(core, reply);
	struct store_claim claim;

	if (!r)
		return;
	if (can_accept(r, reply) && is_unchanged(r, q, reply)) {
		json_t *body = recovery_to_json(r, q->dry_run);

		add_lost(r, body);
		int err = q->dry_run ? 0 : make_claim(r, q, STORE_CLAIM_ACCEPTED, &claim);

		if (!err && !q->dry_run)
			err = write_acceptance(r, &claim);
		if (q->dry_run) {
			reply->json = body;
			reply->status = 200;
		} else {
			end_recovery(r, err, &claim, body, reply);
		}
	}
	close_recovery(r);
}

/* Versions behind @p after, the newest first. */
static json_t *versions_to_json(const struct version_history *h, uint64_t after)
{
	const struct version *newest = history_head(h);
	json_t *list = json_array();

	for (uint64_t n = newest ? newest->number : 0;
	     n > after && json_array_size(list) < LISTED_MAX; n--) {
		const struct version *v = history_version(h, n, NULL);

		if (!v)
			break; /* older ones are gone */
		json_array_append_new(list, record_shown(&copy_version_shown, v));
	}
	return list;
}

json_t *shared_recover_peer_json(const struct core *core, uint64_t after)
{
	const struct version_history *h = shared_intent_history(core->intent);
	const struct version *newest = history_head(h);
	struct store_origin origin = { 0 };
	int64_t revision = 0;

	if (!shared_intent_is_on(core->intent) || shared_intent_origin(core->intent, &origin) ||
	    shared_intent_revision(core->intent, &revision))
		return SHOWN(store_copy, .has_copy = false);
	const struct store_copy copy = { .has_copy = true,
		                         .epoch = origin.epoch,
		                         .newest = newest ? newest->number : 0,
		                         .revision = revision,
		                         .digest = newest ? newest->digest : "",
		                         .versions = versions_to_json(h, after) };
	return record_shown(&store_copy_kind, &copy);
}

/* Whether a node's copy has more than this one's. */
static bool is_newer(const struct recovery *r, const json_t *copy)
{
	uint64_t epoch = (uint64_t)json_integer_value(json_object_get(copy, "epoch"));
	uint64_t newest = (uint64_t)json_integer_value(json_object_get(copy, "newest"));

	if (epoch != r->origin.epoch)
		return epoch > r->origin.epoch;
	return newest != newest_of(&r->here)
	               ? newest > newest_of(&r->here)
	               : json_integer_value(json_object_get(copy, "revision")) > r->here.revision;
}

/* A node's copy, or why it is not known. */
static json_t *copy_to_json(const struct recovery *r, const char *node,
                            const struct client_request *request)
{
	json_t *out = SHOWN(listed_copy, .node = node);

	if (json_has_true(request->answer, "has_copy")) {
		json_object_update_missing(out, request->answer);
		json_object_del(out, "cluster"); /* this node's */
		json_object_set_new(out, "is_newer", json_boolean(is_newer(r, request->answer)));
	} else {
		json_object_set_new(out, "failure",
		                    json_text(*request->failure ? request->failure
		                              : request->answer ? "it has no copy"
		                                                : "it gave no answer"));
	}
	return out;
}

/* Ask all other nodes what they have. */
static json_t *list_copies(struct recovery *r)
{
	struct peer_query q = { .core = r->core,
		                .query = "store",
		                .more = json_pack("{s:I}", "after",
		                                  (json_int_t)newest_of(&r->here)),
		                .timeout_ms = COPIES_MS };
	json_t *list = json_array();

	core_lock(r->core);
	shared_files_add_nodes(&q, NULL, PEERS_MAX);
	core_unlock(r->core);
	(void)peer_query_send(&q);
	for (size_t i = 0; i < q.n; i++)
		json_array_append_new(list, copy_to_json(r, q.nodes[i].name, &q.requests[i]));
	peer_query_end(&q);
	return list;
}

/*
 * Whether the store has no newest version, and this node has something for it. Other records of a store that says its id are
 * replaced, too; where it says none they may be somebody else's. @return false: @p reply says why not
 */
static bool can_rebuild(const struct recovery *r, struct http_reply *reply)
{
	const struct store_claim *c = &r->claim;
	bool is_left = c->unfinished && c->how == STORE_CLAIM_REBUILT;
	size_t n_others = r->there.n - (r->claim_revision != 0);
	uint64_t newest = newest_of(&r->there);

	if (is_left && strcmp(c->node, r->core->dirs.node) != 0 &&
	    llabs(clock_believed_ms() - c->time_ms) < DEAD_MS)
		http_problem(reply, 409, "rebuild-runs",
		             "node %s makes the store at this moment; if it was killed, try again "
		             "after a minute",
		             c->node);
	else if (n_others && (newest || !*c->id) && !is_left)
		http_problem(reply, 409, "store-not-empty",
		             "the store has %zu records, and its newest version is %" PRIu64
		             ": only an empty store is rebuilt (%s)",
		             n_others, newest,
		             newest ? "weir store accept takes this one as it is"
		                    : "it says no id, so they may be somebody else's");
	else if (!newest_of(&r->here))
		http_problem(reply, 409, "no-copy",
		             "this node has no versions of the store: run it at one that has");
	else
		return true;
	return false;
}

void shared_recover_rebuild(struct core *core, const struct recover_request *q,
                            struct http_reply *reply)
{
	struct recovery *r = open_recovery(core, reply);

	if (!r)
		return;
	if (can_rebuild(r, reply) && is_unchanged(r, q, reply)) {
		json_t *body = recovery_to_json(r, q->dry_run);
		struct refill f = { .settings = &r->settings,
			            .prefix = r->conf.prefix,
			            .records = &r->here,
			            .there = &r->there,
			            .claim_revision = r->claim_revision };
		int err = 0;

		json_object_set_new(body, "copies", list_copies(r));
		if (q->dry_run) {
			reply->json = body;
			reply->status = 200;
		} else {
			err = make_claim(r, q, STORE_CLAIM_REBUILT, &f.claim);
			if (!err)
				err = refill_store(&f, r->reason);
			end_recovery(r, err, &f.claim, body, reply);
		}
	}
	close_recovery(r);
}
