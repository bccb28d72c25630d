/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each look is judged afresh, and the verdict before it is kept whole. Reasons of both are matched
 * by code and subject: one that is only in the new verdict began, one that is only in the old one
 * ended. Since when one is there outlives this process and those that state it (since.h).
 */
#include "mgmt/api/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/facts.h"
#include "mgmt/api/since.h"
#include "weir/stats.h"

#define EVENTS_A_TURN   16     /* of reasons that came or went; those beyond are counted in one */
#define RESTART_NEWS_MS 30000u /* a restart this long before our own start is news still */

struct followed_state {
	struct judge_verdict last;
	bool known; /* last is one */
	struct since *since;
};

int state_open(struct core *core)
{
	struct followed_state *s = calloc(1, sizeof(*s));
	int err = s ? since_open(core->dirs.run, clock_mono_ms(), &s->since) : -ENOMEM;

	if (err)
		free(s);
	else
		core->state = s;
	return err;
}

void state_close(struct core *core)
{
	if (core->state)
		since_close(core->state->since);
	free(core->state);
	core->state = NULL;
}

static const struct judge_reason *find_reason(const struct judge_verdict *v,
                                              const struct judge_reason *like)
{
	for (size_t i = 0; i < v->n_reasons; i++)
		if (!strcmp(v->reasons[i].code, like->code) &&
		    !strcmp(v->reasons[i].subject, like->subject))
			return &v->reasons[i];
	return NULL;
}

static void add_since(struct since *since, struct judge_reason *reasons, size_t n)
{
	uint64_t now_ms = clock_mono_ms();
	int64_t wall_clock_ms = clock_believed_ms();

	for (size_t i = 0; i < n; i++) {
		struct judge_reason *r = &reasons[i];
		int64_t age_ms = r->since_ms ? (int64_t)(now_ms - r->since_ms) : 0;

		r->since_at_ms =
		        since_when(since, r->code, r->subject, wall_clock_ms - age_ms, now_ms);
	}
}

void state_since(const struct core *core, struct judge_verdict *v)
{
	if (!core->state)
		return;
	add_since(core->state->since, v->reasons, v->n_reasons);
	add_since(core->state->since, v->notes, v->n_notes);
}

/* Whether a process, this one among them, is away or was so lately: it states nothing then. */
static bool is_unsettled(const struct core *core, const struct judge_verdict *v)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms - core->started_ms < SINCE_KEPT_MS)
		return true;
	for (size_t i = 0; i < v->n_reasons; i++)
		if (v->reasons[i].rule == JUDGE_RULE_PROCESS_SILENT)
			return true;
	for (size_t i = 0; i < v->n_notes; i++)
		if (!strcmp(v->notes[i].code, "process-restarted") &&
		    now_ms - v->notes[i].since_ms < SINCE_KEPT_MS)
			return true;
	return false;
}

/* These have events of their own: of health, processes, peers and versions. */
static bool has_own_event(const struct judge_reason *r)
{
	return r->rule == JUDGE_RULE_PROCESS_SILENT || r->rule == JUDGE_RULE_BACKEND_DOWN ||
	       r->rule == JUDGE_RULE_PEER_UNREACHABLE || r->rule == JUDGE_RULE_PEER_DIVERGED ||
	       r->rule == JUDGE_RULE_VERSION_UNCONFIRMED;
}

/* Where reasons are left out, of each rule some are there (mgmt/judge/room.h). */
static bool may_be_left_out(const struct judge_verdict *v, const struct judge_reason *r)
{
	for (size_t i = 0; v->n_left_out && i < v->n_reasons; i++)
		if (v->reasons[i].rule == r->rule)
			return true;
	return false;
}

/* Write events for the reasons of @p a that are not in @p b. */
static void log_reasons(struct core *core, const struct judge_verdict *a,
                        const struct judge_verdict *b, bool ended)
{
	int n_logged = 0, n_more = 0;

	for (size_t i = 0; i < a->n_reasons; i++) {
		const struct judge_reason *r = &a->reasons[i];

		if (has_own_event(r) || find_reason(b, r) || may_be_left_out(b, r))
			continue;
		if (n_logged++ < EVENTS_A_TURN)
			journal_add(intent_journal(core->intent), clock_believed_ms(), "condition",
			            *r->subject ? r->subject : core->dirs.node, "%s %s: %s",
			            r->code, ended ? "ended; until now" : "began", r->text);
		else
			n_more++;
	}
	if (n_more)
		journal_add(intent_journal(core->intent), clock_believed_ms(), "condition",
		            core->dirs.node, "%d more conditions %s", n_more,
		            ended ? "ended" : "began");
}

static bool has_note(const struct judge_verdict *v, const struct judge_reason *r)
{
	for (size_t i = 0; i < v->n_notes; i++)
		if (!strcmp(v->notes[i].code, r->code) &&
		    !strcmp(v->notes[i].subject, r->subject) && !strcmp(v->notes[i].text, r->text))
			return true;
	return false;
}

/*
 * Events for restarts by the supervisor, whose note counts them. At our own start, restarts of the
 * last half minute count too, our own among them.
 */
static void log_restarts(struct core *core, const struct judge_verdict *now)
{
	const struct followed_state *s = core->state;
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < now->n_notes; i++) {
		const struct judge_reason *r = &now->notes[i];
		const char *name = !strncmp(r->subject, "weir-", 5) ? r->subject + 5 : r->subject;

		if (strcmp(r->code, "process-restarted") || has_note(&s->last, r) ||
		    (!s->known && now_ms - r->since_ms > RESTART_NEWS_MS))
			continue;
		journal_add(intent_journal(core->intent), clock_believed_ms(), "process", name,
		            "%s", r->text);
		core_changed(core);
	}
}

static void log_node_state(struct core *core, const struct judge_verdict *now)
{
	const struct followed_state *s = core->state;
	size_t n = now->n_reasons + now->n_left_out;
	const char *was = s->known ? judge_state_text(s->last.state) : "unknown";
	char more[48] = "";

	if (s->known && s->last.state == now->state)
		return;
	if (n > 1)
		snprintf(more, sizeof(more), " (and %zu more reasons)", n - 1);
	journal_add(intent_journal(core->intent), clock_believed_ms(), "status", core->dirs.node,
	            "%s, was %s%s%s%s", judge_state_text(now->state), was, n ? ": " : "",
	            n ? now->reasons[0].text : "", more);
	log_at(now->state == JUDGE_WELL ? LOG_NOTICE : LOG_WARNING, "status",
	       "state=%s was=%s reasons=%zu", judge_state_text(now->state), was, n);
}

static void set_reason(struct core *core, const char *code, uint64_t n, bool drop)
{
	char labels[80];

	snprintf(labels, sizeof(labels), "code=\"%s\"", code);
	if (drop)
		stats_drop(core->stats, "weir_status_reasons", labels);
	else
		stats_set(stats_get_counter(core->stats, STATS_GAUGE, "weir_status_reasons", labels,
		                            "Reasons why the node is not well, by code."),
		          n);
}

static uint64_t count_code(const struct judge_verdict *v, const char *code)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->n_reasons; i++)
		n += !strcmp(v->reasons[i].code, code);
	return n;
}

static void set_state_gauges(struct core *core, const struct judge_verdict *now)
{
	const struct judge_verdict *before = &core->state->last;

	stats_set(stats_get_counter(core->stats, STATS_GAUGE, "weir_status", "",
	                            "State of the node: 0 well, 1 degraded, 2 down."),
	          (uint64_t)now->state);
	for (size_t i = 0; i < before->n_reasons; i++)
		if (!count_code(now, before->reasons[i].code))
			set_reason(core, before->reasons[i].code, 0, true);
	for (size_t i = 0; i < now->n_reasons; i++)
		set_reason(core, now->reasons[i].code, count_code(now, now->reasons[i].code),
		           false);
}

/* Gauges that a former weir-mgmt left on the page are not true any more. */
static void forget_gauges(struct core *core)
{
	for (int i = 0; i < JUDGE_RULE_COUNT; i++)
		set_reason(core, judge_rows[i].code, 0, true);
}

static void apply_verdict(struct core *core, struct judge_verdict *now)
{
	struct followed_state *s = core->state;

	if (!s->known)
		forget_gauges(core);
	since_begin(s->since);
	state_since(core, now);
	since_round(s->since, is_unsettled(core, now), clock_mono_ms());
	log_node_state(core, now);
	log_reasons(core, now, &s->last, false);
	log_reasons(core, &s->last, now, true);
	log_restarts(core, now);
	set_state_gauges(core, now);
	if (!s->known || s->last.state != now->state)
		core_changed(core);
	s->last = *now;
	s->known = true;
}

void state_follow(struct core *core)
{
	struct look *l = calloc(1, sizeof(*l));
	struct judge_verdict *now = calloc(1, sizeof(*now));

	bool judged = l && now && !look_init(core, l) && !facts_judge(l, now);
	if (judged) {
		core_lock(core);
		apply_verdict(core, now);
		core_unlock(core);
	}
	if (l)
		look_fini(l);
	free(l);
	free(now);
}
