/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides come into the intent: from a command here, from other nodes, from a record of an operation. Nodes that could not ask
 * each other may have given commands at one target. The later one is in force then, and an event tells whose command was
 * overruled (mgmt/overrides/override.h says what is later).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/store/intent_internal.h"

/* How far a node is was not looked at yet; its own events say that. */
static const char *state_in_event(const struct intent *in, const struct override *o, int64_t now_ms)
{
	bool is_unseen = o->target == MODEL_TARGET_NODE && o->left == OVERRIDE_LEFT_UNKNOWN;
	const char *state = overrides_state(&in->overrides, o, now_ms);

	return is_unseen && !strcmp(state, "unknown") ? "in force" : state;
}

static void note_override_event(struct intent *in, const struct override *o, int64_t now_ms)
{
	journal_add(in->journal, now_ms, "override", o->id,
	            "%s of %s %s%s%s is %s, by %s%s%s%s%s%s", override_kind_text(o->kind),
	            override_target_text(o->target), o->pool, *o->pool ? "/" : "", o->name,
	            state_in_event(in, o, now_ms), o->author, *o->principal ? " (" : "",
	            o->principal, *o->principal ? ")" : "", *o->reason ? ": " : "", o->reason);
}

/*
 * What became of @p was, which @p later replaces or ends without having known it, or as the step of an operation that goes on
 * from there. Its author reads here why it is not in force any more.
 */
static void note_overruled(struct intent *in, const struct override *was,
                           const struct override *later, int64_t now_ms)
{
	char until[CLOCK_TEXT_MAX];

	journal_add(
	        in->journal, now_ms, "override", was->id,
	        "%s of %s %s%s%s by %s at node %s, until %s, is overruled by %s at node %s%s%s%s",
	        override_kind_text(was->kind), override_target_text(was->target), was->pool,
	        *was->pool ? "/" : "", was->name, was->author, was->node,
	        was->until_ms == MODEL_TIME_NEVER ? "never" : clock_text(was->until_ms, until),
	        later->principal, later->node, later->epoch ? "" : ", who did not know of it",
	        *was->reason ? ": " : "", was->reason);
}

/* The latest command that overrules @p o; NULL: none does. */
static const struct override *find_overruling(const struct intent *in, const struct override *o)
{
	const struct override *latest = NULL;

	for (size_t i = 0; i < in->overrides.n_items; i++) {
		const struct override *p = &in->overrides.items[i];

		if (override_overrules(p, o) && (!latest || p->generation > latest->generation))
			latest = p;
	}
	return latest;
}

/* Overrides that are to be stored, as they are by then: one may be ended, or forgotten, meanwhile. */
struct changed_overrides {
	char (*ids)[MODEL_ID_MAX];
	size_t n;
	int err; /* -ENOMEM: not all are noted */
};

static void note_changed(struct changed_overrides *c, const char *id)
{
	char(*ids)[MODEL_ID_MAX] = realloc(c->ids, (c->n + 1) * sizeof(*ids));

	if (!ids) {
		c->err = -ENOMEM;
		return;
	}
	c->ids = ids;
	snprintf(ids[c->n++], sizeof(*ids), "%s", id);
}

/* In one transaction: the first is what a command was about. After a failure all are stored again (intent.c). */
static void store_changed(struct intent *in, struct changed_overrides *c, int64_t now_ms)
{
	struct override *list = calloc(c->n + 1, sizeof(*list));
	const struct override *o;
	size_t n = 0;

	for (size_t i = 0; list && i < c->n; i++)
		if ((o = overrides_find(&in->overrides, c->ids[i])))
			list[n++] = *o;
	if ((c->n || c->err) && in->store && !in->failing)
		intent_stored(in,
		              c->err  ? c->err
		              : !list ? -ENOMEM
		                      : store_put_some(in->store, list, n),
		              now_ms);
	free(list);
	free(c->ids);
}

/* End @p o if another one overrules it. */
static void end_overruled(struct intent *in, const struct override *o, int64_t now_ms,
                          struct changed_overrides *changed)
{
	const struct override *latest = override_is_done(o, now_ms) ? NULL : find_overruling(in, o);
	const struct override was = *o;
	struct override ended;

	if (!latest)
		return;
	override_end_by(&was, latest, &ended);
	note_overruled(in, &was, latest, now_ms);
	overrides_merge(&in->overrides, &ended, now_ms);
	note_changed(changed, ended.id);
}

/* After @p id came: it may overrule others, or be overruled. */
static void settle_rivals(struct intent *in, const char *id, int64_t now_ms,
                          struct changed_overrides *changed)
{
	const struct override *found = overrides_find(&in->overrides, id);

	if (!found) /* there are too many, and it has ended before all others */
		return;
	const struct override o = *found;

	for (size_t i = 0; i < in->overrides.n_items; i++) {
		const struct override *x = &in->overrides.items[i];

		if (override_overrules(&o, x) || !strcmp(o.id, x->id))
			end_overruled(in, x, now_ms, changed);
	}
}

void merge_settle(struct intent *in, int64_t now_ms)
{
	struct changed_overrides changed = { 0 };

	for (size_t i = 0; i < in->overrides.n_items; i++)
		end_overruled(in, &in->overrides.items[i], now_ms, &changed);
	store_changed(in, &changed, now_ms);
}

/* One that comes may replace one that it did not know. */
static void note_replaced(struct intent *in, const struct override *o, int64_t now_ms)
{
	const struct override *was = overrides_find(&in->overrides, o->id);

	if (was && !was->epoch && o->generation > was->generation && o->prior < was->generation &&
	    !override_is_done(was, now_ms))
		note_overruled(in, was, o, now_ms);
}

/* @return whether it changed anything, or -errno */
static int merge_one(struct intent *in, const struct override *o, int64_t now_ms,
                     struct changed_overrides *changed)
{
	note_replaced(in, o, now_ms);
	int one = overrides_merge(&in->overrides, o, now_ms);

	if (one > 0)
		note_changed(changed, o->id);
	return one;
}

int intent_merge(struct intent *in, const struct override *list, size_t n, int64_t now_ms)
{
	struct changed_overrides changed = { 0 };
	const struct override *o;
	int one = 0, n_accepted = 0;

	for (size_t i = 0; one >= 0 && i < n; i++) {
		one = merge_one(in, &list[i], now_ms, &changed);
		n_accepted += one > 0;
	}
	size_t n_merged = changed.n;

	if (n_accepted)
		intent_follow_ramps(in, now_ms);
	for (size_t i = 0; i < n_merged; i++)
		settle_rivals(in, changed.ids[i], now_ms, &changed);
	/* after all came, as a state depends on others: the end of a hold lets a drain go on */
	for (size_t i = 0; i < n_merged; i++)
		if ((o = overrides_find(&in->overrides, changed.ids[i])))
			note_override_event(in, o, now_ms);
	/* before the store: a command is in force by the document, and at a start either has what the other lacks */
	if (n_accepted) {
		in->is_changed = true;
		effective_follow(in, now_ms);
		store_changed(in, &changed, now_ms);
	}
	return one < 0 ? one : n_accepted;
}

/* Peers offer them again and again, until their clock is right: so only a change of their number is logged. */
static void note_ahead(struct intent *in, const struct override *o, size_t n_ahead)
{
	if (n_ahead != in->n_ahead && o)
		log_warn(
		        "overrides-ahead",
		        "n=%zu id=%s node=%s effect=\"not taken: the clock of that node is wrong\"",
		        n_ahead, o->id, o->node);
	in->n_ahead = n_ahead;
}

static bool is_noted_ahead(const struct intent *in, const struct override *o)
{
	for (size_t i = 0; i < AHEAD_NOTES; i++)
		if (in->ahead[i].generation == o->generation && !strcmp(in->ahead[i].id, o->id))
			return true;
	return false;
}

/* Whether @p o is to be left alone: it is too far ahead, or was when it came first. */
static bool is_unsafe(struct intent *in, const struct override *o, int64_t now_ms)
{
	if (is_noted_ahead(in, o))
		return true;
	if (!hlc_is_ahead(o->generation, now_ms))
		return false;
	struct ahead_note *note = &in->ahead[in->next_ahead++ % AHEAD_NOTES];

	memcpy(note->id, o->id, sizeof(note->id));
	note->generation = o->generation;
	note->came_ms = now_ms;
	return true;
}

int intent_receive(struct intent *in, const struct override *list, size_t n, int64_t now_ms)
{
	struct override *sound = calloc(n + 1, sizeof(*sound));
	const struct override *ahead = NULL;
	size_t n_sound = 0;

	for (size_t i = 0; sound && i < n; i++) {
		if (is_unsafe(in, &list[i], now_ms))
			ahead = &list[i];
		else
			sound[n_sound++] = list[i];
	}
	int n_accepted = sound ? intent_merge(in, sound, n_sound, now_ms) : -ENOMEM;

	if (sound && n > 0)
		note_ahead(in, ahead, n - n_sound);
	free(sound);
	return n_accepted;
}
