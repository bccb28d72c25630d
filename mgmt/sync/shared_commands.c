/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper (shared_run.c) writes what the store lacks: commands that were given while it was not reached, here or elsewhere.
 * The node that was given the command goes first, so that all others find it there.
 */
#include "mgmt/sync/shared_commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sorted.h"
#include "mgmt/core/command_records.h"
#include "mgmt/core/shared_members.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/copy.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/store/records.h"
#include "mgmt/store/shared_intent.h"

#define COMMAND_WRITE_MS                                                                           \
	2500u /* for a command's write; as much again where it must be looked for */
#define WRITING_S                                                                                  \
	2 /* for another command's write: many at once wait no longer than for the store */
#define OTHERS_MS   10000u /* so long the node that was given a command has to write it */
#define CHANGED_MAX 12u    /* overrides that one change writes */
#define OLD_MS      (OVERRIDE_KEPT_MS + (int64_t)24 * 3600 * 1000)
#define ENDED_MAX   2048u /* overrides that are over and stay in the store: the latest */

/** What was looked through. */
struct looked_through {
	uint64_t document;
	int64_t revision;
};

struct shared_commands {
	struct core *core;
	pthread_mutex_t writing; /* never locked under the core's lock */
	struct shared_etcd *client;

	/* of the helper: */
	struct looked_through own,
	        all;        /* for what this node was given; and for what others were given, */
	uint64_t others_ms; /* which are looked for at this time */
};

/* --- writing --- */

/* Whether @p r, the last command at a target, is later than @p generation, or as late. */
static bool is_later(const struct shared_record *r, uint64_t generation)
{
	char error[RECORD_ERROR_MAX];
	struct last_command last;

	return r->text && !record_from_text(&last_command_record, r->text, &last, error) &&
	       last.generation >= generation;
}

/* What is written late, or was ended by a later command, does not take the place of that. */
void shared_commands_add_last(struct core *core, const struct override *o, struct shared_change *c)
{
	struct last_command last = { .generation = o->generation,
		                     .time_ms = hlc_ms(o->generation) };
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];

	snprintf(last.id, sizeof(last.id), "%s", o->id);
	snprintf(last.principal, sizeof(last.principal), "%s", o->principal);
	snprintf(last.node, sizeof(last.node), "%s", o->node);
	command_records_target(o, name);
	if (!command_records_copy(core, name, &r))
		r = (struct shared_record){ 0 };
	shared_change_see(c, name, r.revision);
	if (!is_later(&r, last.generation))
		shared_change_put(c, name, &last_command_record, &last);
	free(r.text);
}

/* All records that guards look at: what is drained or disabled, by commands and by operations, and the version in force. */
static const char *const guarded_by[] = { "override/", "operation/", "version/", "mark/" };

/* Guards were judged by what this node has: nothing of that is another now. */
static void add_guarded(struct core *core, struct shared_change *c)
{
	int64_t revision;

	if (shared_intent_revision(core->intent, &revision)) {
		c->err = -EIO;
		return;
	}
	for (size_t i = 0; i < sizeof(guarded_by) / sizeof(guarded_by[0]); i++)
		shared_change_see_all(c, guarded_by[i], revision);
}

/* The newest record on which the guards rested, and which is another now; NULL: none is. */
static const struct shared_record *find_unguarded(const struct shared_answer *a,
                                                  const struct shared_change *c)
{
	const struct shared_record *newest = NULL;

	for (size_t i = 0; i < sizeof(guarded_by) / sizeof(guarded_by[0]); i++) {
		const struct shared_record *one = shared_answer_newer(a, c, guarded_by[i]);

		if (one && (!newest || one->revision > newest->revision))
			newest = one;
	}
	return newest;
}

static void make_change(struct core *core, const struct override *list, size_t n, bool is_guarded,
                        struct shared_change *c)
{
	char name[SHARED_NAME_MAX];

	shared_intent_begin(core->intent, c);
	if (is_guarded)
		add_guarded(core, c);
	shared_commands_add_last(core, &list[0], c);
	for (size_t i = 0; i < n && i < CHANGED_MAX; i++)
		shared_change_put(c, command_records_override(list[i].id, name), &override_record,
		                  &list[i]);
}

/* Under the core's lock, which is given up meanwhile. @return as shared_etcd_write() */
static int write_change(struct shared_commands *s, const struct shared_change *c,
                        struct shared_answer *out)
{
	uint64_t cluster_id = shared_state_cluster(s->core);

	core_unlock(s->core);
	int err = shared_run_begin_writing(&s->writing, WRITING_S) ? 0 : -EHOSTUNREACH;

	if (!err) {
		shared_etcd_expect(s->client, cluster_id);
		err = shared_etcd_write(s->client, c, out);
		pthread_mutex_unlock(&s->writing);
	}
	core_lock(s->core);
	if (err || out->result == SHARED_DONE)
		shared_state_note_full(s->core, err, NULL);
	return err;
}

/* Say which command came first. */
static void explain_refusal(struct core *core, const struct shared_record *newer,
                            struct command_result *result)
{
	char time[CLOCK_TEXT_MAX], error[RECORD_ERROR_MAX];
	struct last_command last;

	if (!newer->text || record_from_text(&last_command_record, newer->text, &last, error)) {
		snprintf(
		        result->text, sizeof(result->text),
		        "another command came first: look at the overrides, then give yours again");
		return;
	}
	snprintf(
	        result->text, sizeof(result->text),
	        "%s has given a command there at node %s at %s, which this node had not heard of: look "
	        "at it, then give yours again",
	        last.principal, last.node, clock_text(last.time_ms, time));
	const struct override *o = overrides_find(intent_overrides(core->intent), last.id);

	if (o)
		result->override = *o;
}

/* Whether the last command at a target was given at this node itself, to another who asked at the same moment. */
static bool is_own_command(const struct core *core, const struct shared_record *newer)
{
	char error[RECORD_ERROR_MAX];
	struct last_command last;

	return newer->text && !record_from_text(&last_command_record, newer->text, &last, error) &&
	       !strcmp(last.node, core->dirs.node);
}

/* The commands at a target that this node knows: whoever gives another one there has seen them. */
struct known_command {
	char id[MODEL_ID_MAX];
	uint64_t generation;
};

/* @return how many; @p out from malloc(), NULL: out of memory, and none is known */
static size_t list_known(const struct core *core, const struct override *o,
                         struct known_command **out)
{
	const struct overrides *all = intent_overrides(core->intent);
	char name[SHARED_NAME_MAX], other[SHARED_NAME_MAX];
	size_t n = 0;

	*out = calloc(all->n_items + 1, sizeof(**out));
	command_records_target(o, name);
	for (size_t i = 0; *out && i < all->n_items; i++) {
		const struct override *one = &all->items[i];

		if (one->epoch || strcmp(command_records_target(one, other), name) != 0)
			continue; /* steps are no commands */
		memcpy((*out)[n].id, one->id, sizeof(one->id));
		(*out)[n++].generation = one->generation;
	}
	return n;
}

/* Whether the last command at a target, as the store has it, is one of those. */
static bool was_known(const struct shared_record *newer, const struct known_command *known,
                      size_t n)
{
	char error[RECORD_ERROR_MAX];
	struct last_command last;

	if (!newer->text || record_from_text(&last_command_record, newer->text, &last, error))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(known[i].id, last.id))
			return known[i].generation >= last.generation;
	return false;
}

/* What became of a write of commands. */
enum written { WRITTEN, WRITTEN_NOT, WRITTEN_AGAIN, WRITTEN_OVERTAKEN, WRITTEN_UNGUARDED };

/** What was known when commands were worked out. */
struct command_basis {
	bool is_guarded; /* guards were judged */
	struct known_command *known;
	size_t n_known;
};

/*
 * Why a change was refused. WRITTEN_AGAIN: for a command that this node knows, if not from the store. WRITTEN_UNGUARDED: what was
 * worked out, or the guards, rest on what is another now.
 */
static enum written judge_refusal(const struct core *core, const struct command_basis *b,
                                  const struct shared_record *newer,
                                  const struct shared_record *unguarded)
{
	if (newer && !was_known(newer, b->known, b->n_known))
		return is_own_command(core, newer) ? WRITTEN_UNGUARDED : WRITTEN_OVERTAKEN;
	return unguarded || b->is_guarded ? WRITTEN_UNGUARDED : WRITTEN_AGAIN;
}

/* What of a refusal is to come here first: the newest of what is another now. */
static int64_t newest_revision(const struct shared_record *a, const struct shared_record *b)
{
	int64_t x = a ? a->revision : 0, y = b ? b->revision : 0;

	return x > y ? x : y;
}

static enum written write_once(struct shared_commands *s, const struct override *list, size_t n,
                               const struct command_basis *b, struct shared_change *c,
                               struct command_result *result)
{
	struct shared_answer a;
	char name[SHARED_NAME_MAX];
	enum written outcome = WRITTEN_NOT;
	const struct shared_record *newer = NULL, *unguarded = NULL;

	make_change(s->core, list, n, b->is_guarded, c);
	if (write_change(s, c, &a)) {
		shared_change_fini(c);
		return WRITTEN_NOT;
	}
	if (a.result == SHARED_REFUSED) {
		newer = shared_answer_newer(&a, c, command_records_target(&list[0], name));
		unguarded = find_unguarded(&a, c);
	}
	if (newer || unguarded)
		outcome = judge_refusal(s->core, b, newer, unguarded);
	else if (a.result != SHARED_UNKNOWN)
		outcome = WRITTEN;
	int64_t revision = a.result == SHARED_DONE ? a.revision : newest_revision(newer, unguarded);

	if (revision)
		shared_run_await(s->core, revision);
	if (outcome == WRITTEN_OVERTAKEN)
		explain_refusal(s->core, newer, result);
	shared_answer_fini(&a);
	shared_change_fini(c);
	return outcome;
}

static enum command_may write_commands(struct shared_commands *s, const struct override *list,
                                       size_t n, struct shared_change *c,
                                       struct command_result *result)
{
	struct command_basis b = { .is_guarded = result->guards.n_verdicts > 0 };

	b.n_known = list_known(s->core, &list[0], &b.known);
	enum written outcome = write_once(s, list, n, &b, c, result);

	if (outcome == WRITTEN_AGAIN)
		outcome = write_once(s, list, n, &b, c, result);
	free(b.known);
	if (outcome == WRITTEN_NOT || outcome == WRITTEN_AGAIN)
		log_warn("command-not-in-store",
		         "id=%s effect=\"kept here, and sent to each node\"", list[0].id);
	if (outcome == WRITTEN_UNGUARDED)
		snprintf(result->text, sizeof(result->text),
		         "other commands were given while this one was judged, again and again: "
		         "nothing was changed; look at the overrides, then give yours again");
	return outcome == WRITTEN_OVERTAKEN   ? COMMAND_MAY_NOT
	       : outcome == WRITTEN_UNGUARDED ? COMMAND_MAY_AGAIN
	                                      : COMMAND_MAY;
}

enum command_may shared_commands_decide(struct core *core, const struct override *list, size_t n,
                                        struct command_result *result)
{
	struct shared_commands *s = shared_run_commands(core);
	/* what is not known to be the last command would be refused */
	bool can_write = s && intent_store(core->intent) && shared_state_is_ready(core);
	if (!can_write)
		return COMMAND_MAY;
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	enum command_may may = write_commands(s, list, n, c, result);

	free(c);
	return may;
}

/* --- taking --- */

/* Whether this node may have forgotten it, and would not know whether it has ended. */
static bool may_be_forgotten(const struct override *o, int64_t now_ms)
{
	return hlc_ms(o->generation) < now_ms - OVERRIDE_KEPT_MS;
}

void shared_commands_accept(struct core *core, const struct shared_record *list, size_t n,
                            bool restored)
{
	struct override *found = calloc(n + 1, sizeof(*found));
	int64_t now_ms = clock_believed_ms();
	size_t n_found = 0;

	for (size_t i = 0; found && i < n; i++) {
		struct override *o = &found[n_found];

		if (!command_records_read(&list[i], o))
			continue;
		if (restored && may_be_forgotten(o, now_ms) &&
		    !overrides_find(intent_overrides(core->intent), o->id))
			continue;
		n_found++;
	}
	int n_accepted = found ? intent_receive(core->intent, found, n_found, now_ms) : -ENOMEM;

	if (n_accepted > 0)
		core_changed(core);
	if (n_accepted)
		log_note("store-overrides", "accepted=%d", n_accepted);
	free(found);
}

/* --- what the store lacks --- */

/*
 * Since when overrides that are over stay in the store; INT64_MIN: there are not too many. Nodes keep more of them on their
 * own disks, and whoever sees an earlier one come back writes its end again.
 */
static int64_t find_ended_since(const struct overrides *all, int64_t now_ms)
{
	uint64_t *ended = calloc(all->n_items + 1, sizeof(*ended)); /* 0: out of memory */
	size_t n = 0;

	for (size_t i = 0; ended && i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (!o->epoch && override_is_done(o, now_ms)) /* what never began ends later */
			ended[n++] = (uint64_t)(o->until_ms < now_ms ? o->until_ms : now_ms);
	}
	if (n > ENDED_MAX)
		qsort(ended, n, sizeof(*ended), sorted_by_u64);
	int64_t since_ms = n > ENDED_MAX ? (int64_t)ended[n - ENDED_MAX] : INT64_MIN;

	free(ended);
	return since_ms;
}

/* Whether @p o has no record any more, as it was over before @p since_ms. What the store has an earlier state of is no such. */
static bool is_past(struct core *core, const struct override *o, int64_t since_ms, int64_t now_ms)
{
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];

	if (o->until_ms >= since_ms ||
	    !overrides_is_over(intent_overrides(core->intent), o, now_ms))
		return false;
	bool is_there = command_records_copy(core, command_records_override(o->id, name), &r);

	free(r.text);
	return !is_there;
}

/* The first override that is to be written; NULL: none. @param others  also what other nodes were given */
static const struct override *find_lacking(struct core *core, bool others)
{
	const struct overrides *all = intent_overrides(core->intent);
	int64_t now_ms = clock_believed_ms(), since_ms = find_ended_since(all, now_ms);

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		/* what is old came into the store when it was new, or has ended since */
		if (!o->epoch && override_ok(o) && !may_be_forgotten(o, now_ms) &&
		    !hlc_is_ahead(o->generation, now_ms) &&
		    (others || !strcmp(o->node, core->dirs.node)) &&
		    !is_past(core, o, since_ms, now_ms) && !command_records_have(core, o))
			return o;
	}
	return NULL;
}

/** Names of records that no node has a use for any more. */
struct old_records {
	const struct overrides *all;
	int64_t now_ms;
	int64_t since_ms; /* overrides that were over before it */
	int64_t old_ms;   /* commands before it that no node has any more */
	char name[CHANGED_MAX][SHARED_NAME_MAX];
	int64_t revision[CHANGED_MAX];
	size_t n;
};

/* Whether nobody needs what the store has of the override @p id, by a command that was given at @p given_ms. */
static bool is_old(const struct old_records *old, const char *id, int64_t given_ms)
{
	const struct override *o = overrides_find(old->all, id);

	return o ? o->until_ms < old->since_ms && overrides_is_over(old->all, o, old->now_ms)
	         : given_ms < old->old_ms;
}

static void note_old(struct old_records *old, const struct shared_record *r)
{
	if (old->n == CHANGED_MAX)
		return;
	memcpy(old->name[old->n], r->name, SHARED_NAME_MAX);
	old->revision[old->n++] = r->revision;
}

static int find_old_override(void *arg, const struct shared_record *r)
{
	struct old_records *old = arg;
	struct override o;

	if (command_records_read(r, &o) && is_old(old, o.id, hlc_ms(o.generation)))
		note_old(old, r);
	return 0;
}

static int find_old_command(void *arg, const struct shared_record *r)
{
	struct old_records *old = arg;
	char error[RECORD_ERROR_MAX];
	struct last_command last;

	if (!record_from_text(&last_command_record, r->text, &last, error) &&
	    is_old(old, last.id, last.time_ms))
		note_old(old, r);
	return 0;
}

/* Begin to look, by all that this node has. A clock that leaps ahead makes no command old that is not too many. */
static void begin_old(struct core *core, struct old_records *old)
{
	*old = (struct old_records){ .all = intent_overrides(core->intent),
		                     .now_ms = clock_believed_ms(),
		                     .old_ms = timekeep_purge_ms(core) - OLD_MS };
	old->since_ms = find_ended_since(old->all, old->now_ms);
	if (old->old_ms < old->since_ms)
		old->old_ms = old->since_ms;
}

/* Remove some of them. */
static void remove_old(struct shared_commands *s)
{
	struct old_records *old = MEMORY_NEW(struct old_records);
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	struct store *store = intent_store(s->core->intent);
	struct shared_answer a;

	if (store) {
		begin_old(s->core, old);
		if (copy_each(store, "override/", find_old_override, old) < 0 ||
		    copy_each(store, "command/", find_old_command, old) < 0)
			old->n = 0;
	}
	if (old->n > 0) {
		shared_intent_begin(s->core->intent, c);
		for (size_t i = 0; i < old->n; i++) {
			shared_change_see(c, old->name[i], old->revision[i]);
			shared_change_remove(c, old->name[i]);
		}
		if (!write_change(s, c, &a))
			shared_answer_fini(&a);
		shared_change_fini(c);
	}
	free(c);
	free(old);
}

/* Write @p o, which the store lacks. @return false: later */
static bool write_lacking(struct shared_commands *s, const struct override *o)
{
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	const struct override own = *o;
	struct shared_answer a;

	make_change(s->core, &own, 1, false, c);
	int err = write_change(s, c, &a);
	bool is_done = !err && a.result == SHARED_DONE;

	if (is_done) {
		log_note("command-in-store", "id=%s generation=%" PRIu64, own.id, own.generation);
		shared_run_await(s->core, a.revision);
	}
	if (!err)
		shared_answer_fini(&a);
	shared_change_fini(c);
	free(c);
	return is_done;
}

/* Whether something has changed since that look, which is noted as of now. Under the core's lock. */
static bool begin_look(struct core *core, struct looked_through *l, int64_t revision)
{
	uint64_t document = intent_document(core->intent);
	bool is_same = l->document == document && l->revision == revision;

	*l = (struct looked_through){ document, revision };
	return !is_same;
}

/* Write one after the other, until nothing is lacking or the store does not answer. Under the core's lock. */
uint64_t shared_commands_settle(struct core *core)
{
	struct shared_commands *s = shared_run_commands(core);
	uint64_t now_ms = clock_mono_ms();
	const struct override *o;
	int64_t revision;

	if (!s || !shared_state_is_ready(core) || shared_intent_revision(core->intent, &revision))
		return now_ms + SHARED_COMMANDS_LOOK_MS;
	bool others = now_ms - s->others_ms >= OTHERS_MS;

	if (others)
		s->others_ms = now_ms;
	if (!begin_look(core, others ? &s->all : &s->own, revision))
		return s->others_ms + OTHERS_MS;
	while (!core->stopping && intent_store(core->intent) && (o = find_lacking(core, others)))
		if (!write_lacking(s, o)) {
			s->own = s->all = (struct looked_through){ 0 };
			return clock_mono_ms() + SHARED_COMMANDS_LOOK_MS;
		}
	if (others)
		remove_old(s);
	return s->others_ms + OTHERS_MS;
}

int shared_commands_start(struct core *core, const struct etcd_settings *settings,
                          const char *prefix, const atomic_bool *stop, struct shared_commands **out,
                          char reason[ETCD_REASON_MAX])
{
	struct shared_commands *s = MEMORY_NEW(struct shared_commands);
	struct etcd_settings hurried = *settings;

	hurried.limit_ms = COMMAND_WRITE_MS;
	s->core = core;
	pthread_mutex_init(&s->writing, NULL);
	int err = shared_etcd_open(&hurried, prefix, stop, &s->client, reason);

	*out = err ? NULL : s;
	if (err)
		shared_commands_stop(s);
	return err;
}

void shared_commands_add_to(struct shared_commands *s, struct shared_members *m)
{
	shared_members_add(m, s->client, &s->writing);
}

void shared_commands_stop(struct shared_commands *s)
{
	if (!s)
		return;
	shared_etcd_close(s->client);
	pthread_mutex_destroy(&s->writing);
	free(s);
}
