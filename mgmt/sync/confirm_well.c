/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of peers are seconds old, and so may be the judgement in them. So what counts is not how long ago the last trouble was
 * heard, but up to when all nodes are known to have had none. What came and went between two words is seen by its number.
 */
#include "mgmt/sync/confirm_well.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "mgmt/core/confirm_if.h"
#include "mgmt/peers/peers.h"
#include "mgmt/sync/canary_watch.h"

#define WATCHED_MS                                                                                 \
	5000u /* between two looks; who was stopped for longer does not know what was meanwhile */

/* Whether a version waits for that, which may be in force at its place alone. @param out  it */
static bool waits_for_nodes(const struct core *core, struct version *out)
{
	return intent_waiting(core->intent, out) && out->well_for_ms;
}

static bool is_own(const struct core *core, const struct version *v)
{
	return !strcmp(v->node, core->dirs.node);
}

static bool is_in_force(const struct inforce *f, const struct version *v)
{
	return f->number == v->number && !strcmp(f->digest, v->digest) && f->state == INFORCE_DONE;
}

/* @param expected  what has to be in force there; NULL: whatever is. @param trouble  NULL: it is not known */
static const char *trouble_of(const struct inforce *f, const struct version *expected,
                              const char *trouble)
{
	if (expected && !is_in_force(f, expected))
		return "the version is not in force there";
	return trouble ? trouble : "it is not known whether it is well";
}

static bool is_heard(const struct peers_report *v)
{
	return v->state == PEERS_AGREED || v->state == PEERS_BEHIND || v->state == PEERS_AHEAD ||
	       v->state == PEERS_DIFFERS;
}

static const char *peer_trouble(const struct peers_report *v, const struct version *expected)
{
	return (expected ? v->state == PEERS_AGREED : is_heard(v))
	               ? trouble_of(&v->inforce, expected, v->trouble_known ? v->trouble : NULL)
	               : peers_state_text(v->state);
}

static void lower_time(uint64_t *ms, uint64_t most_ms)
{
	if (*ms > most_ms)
		*ms = most_ms;
}

/* Another value where a trouble has come at a node, whatever is there now. */
static uint64_t mix_troubles(const struct core *core)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	uint64_t mixed = hash_mix(core->judged.troubles);

	for (size_t i = 0; i < n; i++)
		mixed = hash_mix(mixed * 31 + reports[i].troubles);
	return mixed;
}

/*
 * @param is_judged  each node has to have in force what is to be in force there; false: whatever it has
 * @param known_ms  in and out: up to when it is known, monotonic
 */
static void find_trouble(const struct core *core, bool is_judged, uint64_t *known_ms,
                         char out[WELL_TROUBLE_MAX])
{
	const struct judgements *own = &core->judged;
	const struct version *head = is_judged ? intent_head(core->intent) : NULL;
	const struct model *m = intent_model(core->intent);
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	const char *node = core->dirs.node,
	           *trouble = trouble_of(&own->versions[0], head, inforce_trouble(core));

	for (size_t i = 0; i < n && !*trouble; i++) {
		node = reports[i].node;
		trouble = peer_trouble(&reports[i],
		                       is_judged ? peers_expected(core, &reports[i]) : NULL);
		lower_time(known_ms, reports[i].answered_ms > INFORCE_TROUBLE_MS
		                             ? reports[i].answered_ms - INFORCE_TROUBLE_MS
		                             : 0);
	}
	lower_time(known_ms, own->trouble_ms);
	if (!*trouble && m && m->n_nodes > n + 1) {
		node = "the other nodes";
		trouble = "not all of them are asked";
	}
	out[0] = '\0';
	if (*trouble)
		snprintf(out, WELL_TROUBLE_MAX, "%.*s: %s", MODEL_NAME_MAX - 2, node, trouble);
}

void confirm_well_trouble(const struct core *core, char out[WELL_TROUBLE_MAX])
{
	uint64_t known_ms = 0;

	find_trouble(core, false, &known_ms, out);
}

/* What was requested is not wanted any more. */
static void end_watch(struct core *core, struct well_watch *w)
{
	if (w->is_requested)
		intent_leave_unconfirmed(core->intent);
	*w = (struct well_watch){ 0 };
}

static void request_confirmation(struct core *core, struct well_watch *w, const struct version *v)
{
	char words[CONFIRM_IF_MAX], reason[CONFIRM_IF_MAX + 32];

	snprintf(reason, sizeof(reason), "all nodes were %s",
	         confirm_if_text(v->well_for_ms, words));
	bool is_first = !w->is_requested;

	w->is_requested = !intent_decide_unconfirmed(core->intent, CHAIN_CONFIRMED, reason,
	                                             clock_believed_ms());
	if (is_first)
		core_changed(core);
}

/* Note whether all are well at a look. @return whether they are, and it is known that they were for long enough */
static bool note_look(const struct core *core, struct well_watch *w, const struct version *v)
{
	uint64_t now_ms = clock_mono_ms(), known_ms = now_ms, troubles = mix_troubles(core);

	find_trouble(core, true, &known_ms, w->trouble);
	if (*w->trouble)
		w->since_ms = 0;
	else if (!w->since_ms || now_ms - w->looked_ms > WATCHED_MS || troubles != w->troubles)
		w->since_ms = now_ms;
	w->troubles = troubles;
	w->looked_ms = now_ms;
	return w->since_ms && known_ms >= w->since_ms + (uint64_t)v->well_for_ms;
}

#define INCOMPARABLE_MAX (MODEL_NAME_MAX + 64)

/* The node that can say least, and what. */
struct least_said {
	enum signs_clients clients, most;
	const char *node; /* NULL: none is of the place */
};

static void note_clients(struct least_said *l, const char *node, enum signs_clients clients)
{
	if (!l->node || clients < l->clients) {
		l->clients = clients;
		l->node = node;
	}
	l->most = clients > l->most ? clients : l->most;
}

static struct least_said find_least_said(const struct core *core, const struct version *v)
{
	const struct model *m = intent_model(core->intent);
	const char *site = m && m->self ? m->self->site->name : "";
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;
	struct least_said l = { 0 };

	if (canary_covers(v->canary, core->dirs.node, site))
		note_clients(&l, core->dirs.node, core->judged.canary.clients);
	for (size_t i = 0; i < n; i++)
		if (canary_covers(v->canary, reports[i].node, reports[i].site))
			note_clients(&l, reports[i].node,
			             reports[i].state == PEERS_UNREACHABLE ? SIGNS_BLIND
			                                                   : reports[i].clients);
	return l;
}

/*
 * Why nothing can be said of a version by the clients of its place; "": it can. A node that measured nothing is not outvoted by
 * another one of its site; one without clients is. @return whether it is only too early
 */
static bool find_incomparable(const struct core *core, const struct version *v,
                              char out[INCOMPARABLE_MAX])
{
	struct least_said l = find_least_said(core, v);

	out[0] = '\0';
	if (!l.node || l.clients == SIGNS_BLIND)
		snprintf(out, INCOMPARABLE_MAX, "nothing was measured at %s before it or since",
		         l.node ? l.node : v->canary);
	else if (l.clients == SIGNS_EARLY)
		snprintf(out, INCOMPARABLE_MAX, "%s has not begun to compare", l.node);
	else if (l.most != SIGNS_COMPARABLE)
		snprintf(out, INCOMPARABLE_MAX,
		         "too few clients at %s, in the minutes before or since", v->canary);
	return l.clients == SIGNS_EARLY;
}

static bool needs_clients(const struct version *v)
{
	return *v->canary && strcmp(v->if_quiet, "go") != 0;
}

/* It was well for long enough, but no clients came who could have shown otherwise. @return whether it is taken back */
static bool end_quiet(struct core *core, const struct version *v)
{
	char text[INCOMPARABLE_MAX] = "", reason[VERSION_REASON_MAX];

	if (needs_clients(v))
		(void)find_incomparable(core, v, text);
	if (!*text)
		return false;
	snprintf(reason, sizeof(reason),
	         "not comparable: %s; --if-quiet go confirms it all the same", text);
	if (!intent_decide_unconfirmed(core->intent, CHAIN_ENDED, reason, clock_believed_ms()))
		core_changed(core);
	return true;
}

void confirm_well_look(struct core *core)
{
	struct well_watch *w = &core->judged.well;
	struct version v;

	bool is_watched = waits_for_nodes(core, &v) && is_own(core, &v);

	if (!is_watched || w->number != v.number)
		end_watch(core, w);
	if (!is_watched)
		return;
	w->number = v.number;
	if (!note_look(core, w, &v)) {
		if (w->is_requested)
			intent_leave_unconfirmed(core->intent);
		w->is_requested = false;
	} else if (!end_quiet(core, &v)) { /* again, as the store may be another one by now */
		request_confirmation(core, w, &v);
	}
}

/* Up to when, as far as is known here. */
static void say_wait(const struct core *core, const struct version *v,
                     char out[CONFIRM_WELL_TEXT_MAX])
{
	const struct well_watch *w = &core->judged.well;
	char words[CONFIRM_IF_MAX], since[CLOCK_TEXT_MAX];

	confirm_if_text(v->well_for_ms, words);
	if (!is_own(core, v))
		snprintf(out, CONFIRM_WELL_TEXT_MAX, "%s confirms it once all nodes are %s",
		         v->node, words);
	else if (w->since_ms)
		snprintf(out, CONFIRM_WELL_TEXT_MAX,
		         "it is confirmed once all nodes are %s (they are well since %s)", words,
		         clock_text(clock_believed_ms() - (int64_t)(clock_mono_ms() - w->since_ms),
		                    since));
	else
		snprintf(out, CONFIRM_WELL_TEXT_MAX,
		         "it is confirmed once all nodes are %s (now %s)", words,
		         *w->trouble ? w->trouble : "that is not known");
}

void confirm_well_say(const struct core *core, char out[CONFIRM_WELL_TEXT_MAX])
{
	char text[INCOMPARABLE_MAX] = "";
	struct version v;

	out[0] = '\0';
	if (!waits_for_nodes(core, &v))
		return;
	say_wait(core, &v, out);
	bool is_early = needs_clients(&v) && find_incomparable(core, &v, text);
	size_t n = strlen(out);

	if (*text && !is_early)
		snprintf(out + n, CONFIRM_WELL_TEXT_MAX - n, "; so far not comparable: %s", text);
}
