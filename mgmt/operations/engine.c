/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One tick: what ends the automation first (persons, newer owners), then what ends or stops it from
 * outside (the document, its time), then the state's own function. A table has one function for each
 * state; a state changes at most once in a tick, but for the step that follows at once.
 */
#include "mgmt/operations/engine.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine_internal.h"

/* Elapsed times go on by what this process has watched: a pause of it counts for nothing. */
static void count_time(struct tick *t)
{
	struct operation *op = t->op;
	int64_t elapsed_ms = t->facts->elapsed_ms;
	bool named = false;

	if (elapsed_ms < 0)
		elapsed_ms = 0;
	if (elapsed_ms > TICK_GAP_MS)
		elapsed_ms = TICK_GAP_MS;
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, op->targets[i].site);

		named = named || !site || !site->named.known || site->named.value;
	}
	op->state_ms += elapsed_ms;
	op->waited_ms += elapsed_ms;
	op->in_step_ms += elapsed_ms;
	op->unknown_ms += elapsed_ms;
	op->unjudged_ms += elapsed_ms;
	op->behind_ms += elapsed_ms;
	op->published_ms += elapsed_ms;
	op->unnamed_ms = named ? 0 : op->unnamed_ms + elapsed_ms;
}

static void check_document(struct tick *t)
{
	struct operation *op = t->op;

	if (t->facts->document == OPERATION_DOCUMENT_SITE_GONE)
		tick_hold(t, OPERATION_HOLD_SITE_GONE,
		          "a site is not in the configuration any more");
	if (t->facts->document == OPERATION_DOCUMENT_SERVICE_GONE)
		tick_hold(t, OPERATION_HOLD_SERVICE_GONE, "service %s is not at the site any more",
		          op->service);
	if (operation_moves(op) && op->key_fingerprint && t->facts->key_fingerprint &&
	    op->key_fingerprint != t->facts->key_fingerprint)
		tick_hold(t, OPERATION_HOLD_KEY_CHANGED,
		          "the hash key has changed: other clients would move");
}

/* Its time is over: what rests returns, what is held stays as it is and says so. */
static void expire_operation(struct tick *t)
{
	struct operation *op = t->op;
	enum operation_state state = operation_unheld_state(op);
	bool goes_back = state == OPERATION_RETURNING || state == OPERATION_ABORTING;

	op->expired = true;
	tick_change(t);
	if (goes_back && op->state != OPERATION_HELD)
		return; /* by itself */
	if (op->state == OPERATION_HELD) {
		op->state = OPERATION_EXPIRED_HELD;
		tick_note(t,
		          "its end (--until) has passed while it is held: resume returns the site");
	} else if (op->state == OPERATION_STARTING && !op->write.epoch && !op->level_ppm) {
		tick_end(t, OPERATION_ABORTED, OPERATION_END_EXPIRED,
		         "its end (--until) passed before it began");
	} else if (!operation_may_turn(op)) {
		tick_hold(t, OPERATION_HOLD_EPOCH,
		          "no higher epoch is left: it cannot return by itself");
		op->state = OPERATION_EXPIRED_HELD;
	} else {
		tick_note(t, "its end (--until) has come: it returns");
		op->now = false; /* nobody watches: the return takes its steps, by its guards */
		absent_next_way(t);
		back_begin(t);
	}
}

static void check_end(struct tick *t)
{
	struct operation *op = t->op;

	if (op->until_ms == MODEL_TIME_NEVER || t->facts->clock != OPERATION_YES)
		return;
	if (!op->expiry_announced && t->now_ms >= op->until_ms - OPERATION_NOTICE_MS) {
		op->expiry_announced = true;
		if (t->now_ms < op->until_ms) /* else nobody was there before */
			tick_note(t, "its end (--until) comes in %lld s",
			          (long long)(op->until_ms - t->now_ms) / 1000);
		tick_change(t);
	}
	/* a hold that ends by itself is no person's: its end comes then */
	if (!op->expired && t->now_ms >= op->until_ms && !own_goes_on(op))
		expire_operation(t);
}

static bool hand_over(struct tick *t)
{
	struct operation *op = t->op;
	const struct operation_node *best = facts_find_better_owner(op, t->facts);

	if (!best || !operation_may_own(op->epoch))
		return false;
	(void)snprintf(op->owner, sizeof(op->owner), "%s", best->name);
	op->epoch = operation_owner_epoch(op->epoch);
	op->writes = 0;
	op->seq = 0;
	if (t->act)
		(void)snprintf(t->act->handed_over, sizeof(t->act->handed_over), "%s", best->name);
	tick_note(t, "handed over to node %s", best->name);
	tick_change(t);
	return true;
}

static void note_baseline(struct tick *t)
{
	struct operation *op = t->op;

	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, op->targets[i].site);

		if (site && !op->targets[i].baseline.known)
			op->targets[i].baseline = site->flows;
	}
	op->n_before = history_loads(t, op->before);
}

static void run_starting(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t n_plan = op->n_plan;

	if (hand_over(t))
		return;
	step_begin_way(t);
	if (op->n_plan != n_plan)
		return; /* the projection is of another plan: it follows in the next tick */
	if (!step_query_guards(t, OPERATION_BEGIN))
		return;
	note_baseline(t);
	tick_enter(t, OPERATION_MOVING);
	(void)step_run(t);
}

static void run_moving(struct tick *t)
{
	if (!step_run(t))
		return;
	if (t->op->goal_ppm != MODEL_PPM_ALL)
		level_keep(t);
	step_open_backup(t);
	tick_enter(t, t->op->goal_ppm == MODEL_PPM_ALL ? OPERATION_LATE : OPERATION_RESTING);
}

static void run_held(struct tick *t)
{
	if (t->op->reads_levels) {
		own_read_levels(t);
		return;
	}
	t->op->waits[0] = '\0'; /* for a person, which the hold says */
	(void)level_follow(t);
}

static void run_state(struct tick *t)
{
	static void (*const functions[OPERATION_STATE_COUNT])(struct tick *) = {
		[OPERATION_STARTING] = run_starting,
		[OPERATION_MOVING] = run_moving,
		[OPERATION_LATE] = stay_late,
		[OPERATION_DRAINED] = stay_drained,
		[OPERATION_DRAINED_UNCONFIRMED] = stay_unconfirmed,
		[OPERATION_EMPTY] = stay_drained,
		[OPERATION_HELD] = run_held,
		[OPERATION_EXPIRED_HELD] = run_held,
		[OPERATION_RETURNING] = back_return,
		[OPERATION_RESTING] = stay_shift,
		[OPERATION_ABORTING] = back_abort,
	};

	if (functions[t->op->state]) /* else it is over */
		functions[t->op->state](t);
}

static bool is_shared_elsewhere(const struct tick *t)
{
	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, t->op->targets[i].site);

		if (!site || site->elsewhere == OPERATION_NO)
			return false;
		if (site->elsewhere == OPERATION_UNKNOWN && !t->op->shared_withdrawn)
			return false;
	}
	return true;
}

/* VIPs leave after the clients have: graceful shutdown first, withdrawn with another's proof. */
static void choose_announcements(struct tick *t, enum operation_announce *own,
                                 enum operation_announce *shared)
{
	struct operation *op = t->op;
	enum operation_state state = operation_unheld_state(op);
	bool late = state == OPERATION_LATE || state == OPERATION_DRAINED_UNCONFIRMED;
	bool returns = state == OPERATION_RETURNING && op->stage == OPERATION_STAGE_POOLS;
	/* clients that come back when they have left do so without them */
	bool drained = state == OPERATION_DRAINED || state == OPERATION_EMPTY ||
	               ((late || returns) && op->drained_ms);
	bool leaves = drained || late;

	*own = drained && op->withdraw ? OPERATION_ANNOUNCE_WITHDRAWN : OPERATION_ANNOUNCE_NORMAL;
	*shared = leaves ? OPERATION_ANNOUNCE_SHUTDOWN : OPERATION_ANNOUNCE_NORMAL;
	op->shared_withdrawn = drained && is_shared_elsewhere(t);
	if (op->shared_withdrawn)
		*shared = OPERATION_ANNOUNCE_WITHDRAWN;
}

/*
 * Announcements change without a step of the level: then the last write is made once more, under the next number, at the
 * level where it is. Not while a level moves, as that would end its ramp. @param was  the write before this tick
 */
static void settle_announcements(struct tick *t, const struct operation_write *was)
{
	struct operation *op = t->op;
	struct operation_write *write = &op->write;
	enum operation_announce own, shared;

	choose_announcements(t, &own, &shared);
	if (!write->epoch || write->ended || (write->own == own && write->shared == shared))
		return;
	bool is_new = write->epoch != was->epoch || write->step != was->step;

	if (!is_new && (op->step_runs || *t->act->handed_over))
		return;
	if (!is_new)
		level_write(t, operation_hold_from(op, write->to_ppm), write->to_ppm,
		            t->now_ms + OPERATION_AHEAD_MS, 0);
	write->own = own;
	write->shared = shared;
}

/* Whether two texts say the same but for their numbers, such as seconds that are left. */
static bool is_same_wait(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "0123456789");
		b += strspn(b, "0123456789");
		if (*a != *b || !*a)
			return *a == *b;
	}
}

/*
 * People mostly look at another node, which has what was written: other words at once, other numbers now and then.
 * @param was  the words before this tick
 */
static void publish_wait(struct tick *t, const char *was)
{
	struct operation *op = t->op;

	op->is_unpublished = op->is_unpublished || strcmp(op->waits, was) != 0;
	if (!is_same_wait(op->waits, was) ||
	    (op->is_unpublished && op->published_ms >= TICK_PUBLISH_MS))
		tick_change(t);
	if (t->changed) {
		op->is_unpublished = false;
		op->published_ms = 0;
	}
}

/* @return whether this owner writes: not where a person, or a later record, has the levels */
static bool run_tick(struct tick *t)
{
	count_time(t);
	if (person_ends(t))
		return false;
	if (behind_watch(t)) {
		if (operation_is_held(t->op))
			check_end(t);
		return false;
	}
	check_document(t);
	check_end(t);
	apart_check(t);
	run_state(t);
	return true;
}

void operation_next(struct operation *op, const struct operation_facts *facts, int64_t now_ms,
                    struct operation_act *act)
{
	struct tick t = { .op = op, .facts = facts, .now_ms = now_ms, .act = act };
	const struct operation_write was = op->write;
	char waits[sizeof(op->waits)];
	bool writes;

	memset(act, 0, sizeof(*act));
	memcpy(waits, op->waits, sizeof(waits));
	if (operation_is_over(op))
		return;
	writes = run_tick(&t);
	if (writes)
		settle_announcements(&t, &was);
	publish_wait(&t, waits);
	act->changed = t.changed;
	op->seq += t.changed;
}
