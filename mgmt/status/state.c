/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each look is judged afresh, and the verdict before it is kept whole. Reasons of both are matched
 * by code and subject: one that is only in the new verdict began, one that is only in the old one
 * ended. Since when one is there outlives this process and those that state it (since.h), and events
 * agree with that: what a restart finds on the page does not begin again, and what only a process
 * that is away has stated has not ended. Until that is known the reason stays with the old verdict.
 */
#include "mgmt/status/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "mgmt/status/look.h"
#include "mgmt/status/since.h"
#include "weir/stats.h"

#define REASONS_METRIC  "weir_status_reasons"
#define EVENTS_A_TURN   16  /* of reasons that came or went; those beyond are counted in one */
#define STATUS_OFTEN    20u /* events of the node's state in ten minutes: an incident has several */
#define CLOCKS_APART_MS 1000 /* a time may be corrected by so much between two events */

struct followed_state {
	struct judge_verdict last;
	bool known;       /* last is one */
	int logged;       /* the state of the last event, enum judge_state; -1: there was none */
	size_t n_present; /* reasons of last that were there; those behind may come again */
	struct since *since;
	int64_t pids[OBSERVE_COUNT]; /* of the processes whose pages were read last; 0: of none */
	uint64_t restarted_ms; /* when one of them was another process than before; 0: never */
	struct {
		char text[CONDITION_TEXT_MAX]; /* as weir run stated it last; "": none */
		bool is_owed;                  /* that is no event yet */
	} restarts[OBSERVE_COUNT];
	int64_t supervisor_pid; /* of the weir run that stated them, which counts from its start */
};

void state_open(struct core *core)
{
	core->state = MEMORY_NEW(struct followed_state);
	core->state->since = since_open(core->dirs.run, clock_mono_ms());
	core->state->logged = -1;
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

/* A peer that was unreachable before weir-mgmt was restarted is never heard after: the same trouble. */
static int64_t beginning_of(const struct since *since, const struct judge_reason *r,
                            int64_t wall_clock_ms, uint64_t now_ms)
{
	const char *before = rule_rows[JUDGE_RULE_PEER_UNREACHABLE].name;
	int64_t known_ms =
	        r->rule == JUDGE_RULE_PEER_NEVER_HEARD ? since_known(since, before, r->subject) : 0;

	if (known_ms)
		return known_ms;
	return wall_clock_ms - (r->since_ms ? (int64_t)(now_ms - r->since_ms) : 0);
}

static void add_since(struct since *since, struct judge_reason *reasons, size_t n)
{
	uint64_t now_ms = clock_mono_ms();
	int64_t wall_clock_ms = clock_believed_ms();

	for (size_t i = 0; i < n; i++) {
		struct judge_reason *r = &reasons[i];
		int64_t begin_ms = beginning_of(since, r, wall_clock_ms, now_ms);

		r->since_at_ms = since_when(since, r->code, r->subject, begin_ms, now_ms);
	}
}

void state_since(const struct core *core, struct judge_verdict *v)
{
	if (!core->state)
		return;
	add_since(core->state->since, v->reasons, v->n_reasons);
	add_since(core->state->since, v->notes, v->n_notes);
}

/* What weir run states of the restarts of a process. Not from the notes: some of those may be left out. */
static const struct condition *find_restart(const struct look *l, enum observe_process p)
{
	const struct conditions *list = &l->supervisor_conditions;

	for (uint32_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i].code, "process-restarted") &&
		    !strncmp(list->items[i].subject, "weir-", 5) &&
		    !strcmp(list->items[i].subject + 5, observe_name(p)))
			return &list->items[i];
	return NULL;
}

/* Whether the journal has an event of @p text since @p c is stated: a weir-mgmt before this one logged it. */
static bool is_logged(struct core *core, const struct condition *c, const char *text)
{
	const struct journal *j = intent_journal(core->intent);
	int64_t since_ms = clock_believed_ms() - (int64_t)(clock_mono_ms() - c->since_ms);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		if (e->time_ms > since_ms - CLOCKS_APART_MS && !strcmp(e->kind, "process") &&
		    !strncmp(e->message, text, sizeof(e->message) - 1))
			return true;
	}
	return false;
}

/*
 * An event for a restart by the supervisor, whose condition counts them: of a process that dies again and again not
 * each one is an event, but the newest is in the end.
 */
static void log_restart(struct core *core, enum observe_process p, const struct condition *c)
{
	struct followed_state *s = core->state;
	struct journal *j = intent_journal(core->intent);
	const int64_t now_ms = clock_believed_ms();
	char prefix[CONDITION_SUBJECT_MAX + 2], text[sizeof(prefix) + CONDITION_TEXT_MAX];

	snprintf(prefix, sizeof(prefix), "%s: ", c->subject);
	snprintf(text, sizeof(text), "%s%s", prefix, c->text);
	if (strcmp(s->restarts[p].text, c->text) != 0) {
		snprintf(s->restarts[p].text, sizeof(s->restarts[p].text), "%s", c->text);
		s->restarts[p].is_owed = s->known || !is_logged(core, c, text);
		s->restarted_ms = clock_mono_ms();
	}
	if (!s->restarts[p].is_owed ||
	    !journal_has_room(j, now_ms, "process", observe_name(p), prefix, JOURNAL_OFTEN))
		return;
	s->restarts[p].is_owed = false;
	journal_add(j, now_ms, "process", observe_name(p), "%s", text);
	core_changed(core);
}

/* What weir run states of each process. Another weir run counts from one: its text may be that of an earlier restart. */
static void note_stated_restarts(struct core *core, const struct look *l)
{
	struct followed_state *s = core->state;

	if (!l->supervisor.running || !l->supervisor.has_conditions)
		return;
	if (l->supervisor.pid != s->supervisor_pid)
		memset(s->restarts, 0, sizeof(s->restarts));
	s->supervisor_pid = l->supervisor.pid;
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const struct condition *restart = find_restart(l, (enum observe_process)p);

		if (restart)
			log_restart(core, (enum observe_process)p, restart);
		else
			s->restarts[p].text[0] = '\0';
	}
}

/* A process that is back between two looks was never seen away; its page is of another process. */
static void note_restarts(struct core *core, const struct look *l)
{
	struct followed_state *s = core->state;

	note_stated_restarts(core, l);
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		int64_t pid = l->processes[p].pid;

		if (pid && s->pids[p] && pid != s->pids[p])
			s->restarted_ms = clock_mono_ms();
		if (pid)
			s->pids[p] = pid;
	}
}

/* Whether a process, this one among them, is away or was so lately: it states nothing then. */
static bool is_unsettled(const struct core *core, const struct judge_verdict *v)
{
	const struct followed_state *s = core->state;
	uint64_t now_ms = clock_mono_ms();

	if (now_ms - core->started_ms < SINCE_KEPT_MS ||
	    (s->restarted_ms && now_ms - s->restarted_ms < SINCE_KEPT_MS))
		return true;
	for (size_t i = 0; i < v->n_reasons; i++)
		if (v->reasons[i].rule == JUDGE_RULE_PROCESS_SILENT)
			return true;
	return false;
}

/* These have events of their own: of health, processes, peers and versions. */
static bool has_own_event(const struct judge_reason *r)
{
	return r->rule == JUDGE_RULE_PROCESS_SILENT || r->rule == JUDGE_RULE_BACKEND_DOWN ||
	       r->rule == JUDGE_RULE_PEER_UNREACHABLE || r->rule == JUDGE_RULE_PEER_DIFFERS ||
	       r->rule == JUDGE_RULE_VERSION_UNCONFIRMED;
}

/* Where reasons are left out, of each code some are there (make_room() of mgmt/judge/judge.c). */
static bool may_be_left_out(const struct judge_verdict *v, const struct judge_reason *r)
{
	for (size_t i = 0; v->n_left_out && i < v->n_reasons; i++)
		if (!strcmp(v->reasons[i].code, r->code))
			return true;
	return false;
}

/* An event for a reason, unless this turn has enough of them; @p n counts all. */
static void log_condition(struct core *core, int64_t at_ms, const struct judge_reason *r,
                          const char *what, int *n)
{
	if ((*n)++ < EVENTS_A_TURN)
		journal_add(intent_journal(core->intent), at_ms, "condition",
		            *r->subject ? r->subject : core->dirs.node, "%s %s: %s", r->code, what,
		            r->text);
}

static void log_more(struct core *core, int n, const char *what)
{
	if (n > EVENTS_A_TURN)
		journal_add(intent_journal(core->intent), clock_believed_ms(), "condition",
		            core->dirs.node, "%d more conditions %s", n - EVENTS_A_TURN, what);
}

/* Events for the reasons that were not there at the last look, at the time since when they are. */
static void log_begun(struct core *core, const struct judge_verdict *now)
{
	const struct followed_state *s = core->state;
	int n = 0;

	for (size_t i = 0; i < now->n_reasons; i++) {
		const struct judge_reason *r = &now->reasons[i];

		if (!has_own_event(r) && !find_reason(&s->last, r) &&
		    !may_be_left_out(&s->last, r) && since_log_begin(s->since, r->code, r->subject))
			log_condition(core, r->since_at_ms, r, "began", &n);
	}
	log_more(core, n, "began");
}

/* Whether @p r, which is not there now, may come again: then nothing is known to have ended. */
static bool may_come_again(const struct followed_state *s, const struct judge_reason *r)
{
	return since_known(s->since, r->code, r->subject) != 0;
}

/* Events for the reasons of the last look that are over. */
static void log_ended(struct core *core, const struct judge_verdict *now)
{
	const struct followed_state *s = core->state;
	int n = 0;

	for (size_t i = 0; i < s->last.n_reasons; i++) {
		const struct judge_reason *r = &s->last.reasons[i];

		if (!has_own_event(r) && !find_reason(now, r) && !may_be_left_out(now, r) &&
		    !may_come_again(s, r))
			log_condition(core, clock_believed_ms(), r,
			              i < s->n_present ? "ended; until now"
			                               : "ended; not seen again",
			              &n);
	}
	log_more(core, n, "ended");
}

/* Logged by the weir-mgmt before this one, and over by the time that this one knows. */
static void log_end_of_former(void *arg, const char *code, const char *subject)
{
	struct core *core = arg;
	struct judge_reason r = { 0 };

	snprintf(r.code, sizeof(r.code), "%s", code);
	snprintf(r.subject, sizeof(r.subject), "%s", subject);
	if (!find_reason(&core->state->last, &r))
		journal_add(intent_journal(core->intent), clock_believed_ms(), "condition",
		            *subject ? subject : core->dirs.node, "%s ended; not seen again", code);
}

/* The verdict that the next one is compared with: this one, and behind it what may come again. */
static void keep_verdict(struct followed_state *s, struct judge_verdict *now)
{
	s->n_present = now->n_reasons;
	for (size_t i = 0; i < s->last.n_reasons && now->n_reasons < JUDGE_REASONS_MAX; i++) {
		const struct judge_reason *r = &s->last.reasons[i];

		if (!find_reason(now, r) && may_come_again(s, r))
			now->reasons[now->n_reasons++] = *r;
	}
	s->last = *now;
	s->known = true;
}

/*
 * Of a state that comes and goes, as in a crash loop, not each time is an event, but what is true in the end is. None
 * says better than it is: a worse state is an event at once.
 */
static void log_node_state(struct core *core, const struct judge_verdict *now)
{
	struct followed_state *s = core->state;
	struct journal *j = intent_journal(core->intent);
	size_t n = now->n_reasons + now->n_left_out;
	const char *was = s->logged < 0 ? "unknown" : judge_state_text((enum judge_state)s->logged);
	const char *state = judge_state_text(now->state);
	char more[48] = "";

	if ((int)now->state == s->logged ||
	    ((int)now->state < s->logged && !journal_has_room(j, clock_believed_ms(), "status",
	                                                      core->dirs.node, "", STATUS_OFTEN)))
		return;
	s->logged = (int)now->state;
	if (n > 1)
		snprintf(more, sizeof(more), " (and %zu more reasons)", n - 1);
	journal_add(j, clock_believed_ms(), "status", core->dirs.node, "%s, was %s%s%s%s", state,
	            was, n ? ": " : "", n ? now->reasons[0].text : "", more);
	log_at(now->state == JUDGE_WELL ? LOG_NOTICE : LOG_WARNING, "status",
	       "state=%s was=%s reasons=%zu", state, was, n);
}

static void set_reason(struct core *core, const char *code, uint64_t n, bool drop)
{
	char labels[80];

	snprintf(labels, sizeof(labels), "code=\"%s\"", code);
	if (drop)
		stats_drop(core->stats, REASONS_METRIC, labels);
	else
		stats_set(stats_get_counter(core->stats, STATS_GAUGE, REASONS_METRIC, labels,
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

static bool is_reason(void *arg, const struct stats_entry *e)
{
	(void)arg;
	return !strcmp(e->name, REASONS_METRIC);
}

static void apply_verdict(struct core *core, struct judge_verdict *now)
{
	struct followed_state *s = core->state;

	if (!s->known)
		stats_drop_left(core->stats, is_reason, NULL); /* not true any more */
	since_begin(s->since);
	state_since(core, now);
	since_round(s->since, is_unsettled(core, now), clock_mono_ms(), log_end_of_former, core);
	log_node_state(core, now);
	log_begun(core, now);
	log_ended(core, now);
	set_state_gauges(core, now);
	if (!s->known || s->last.state != now->state)
		core_changed(core);
	keep_verdict(s, now);
}

/* Why the node is less than well besides a version that waits: whoever confirms that asks for all else. */
static void note_trouble(struct core *core, uint64_t began_ms, const struct judge_verdict *v)
{
	struct judgements *own = &core->judged;
	bool was_well = !*own->trouble;
	size_t i = 0;

	while (i < v->n_reasons && v->reasons[i].rule == JUDGE_RULE_VERSION_UNCONFIRMED)
		i++;
	own->trouble_known = true;
	own->trouble_ms = began_ms;
	if (!own->troubles)
		own->troubles = clock_mono_ms();
	own->trouble[0] = '\0';
	if (i < v->n_reasons)
		snprintf(own->trouble, sizeof(own->trouble), "%s%s%s", v->reasons[i].code,
		         *v->reasons[i].subject ? " " : "", v->reasons[i].subject);
	own->troubles += was_well && *own->trouble;
}

void state_follow(struct core *core, const struct look *l, uint64_t began_ms,
                  struct judge_verdict *now)
{
	note_trouble(core, began_ms, now);
	note_restarts(core, l);
	apply_verdict(core, now);
}
