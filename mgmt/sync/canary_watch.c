/* SPDX-License-Identifier: BSD-2-Clause */
/* The first seconds of a version are not its measure: flows move, processes load. But none of them may die of it. */
#include "mgmt/sync/canary_watch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"

#define SETTLE_MS 5000u /* from a version's start until it is measured */
#define STAYS_MS                                                                                   \
	3000u /* that it has to be worse: chance passes, and others' signs take a second or two */

bool canary_watch_is_of(const struct version *v)
{
	return *v->canary || v->well_for_ms;
}

static bool is_watched_here(const struct version *head, const struct inforce *f)
{
	return head && head->confirm_by_ms && canary_watch_is_of(head) && f->number == head->number;
}

/* What most nodes which have the version before tell of themselves. */
static void find_like(const struct core *core, const struct version *v, struct sign_rates *out)
{
	const struct sign_rates *of[PEERS_MAX];
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0, n_like = 0;

	for (size_t i = 0; i < n; i++)
		if (reports[i].state != PEERS_UNREACHABLE &&
		    !canary_covers(v->canary, reports[i].node, reports[i].site))
			of[n_like++] = &reports[i].signs;
	signs_of_most(of, n_like, out);
}

static bool is_watch_of(const struct canary_watch *w, const struct version *v)
{
	return w->number == v->number && !strcmp(w->digest, v->digest);
}

/* What was until now, since the version before had settled, is before this one. */
static void begin_watch(const struct core *core, struct canary_watch *w, const struct version *v)
{
	uint64_t since_ms = w->since_ms ? w->since_ms + SETTLE_MS : 0;

	*w = (struct canary_watch){ .number = v->number,
		                    .since_ms = clock_mono_ms(),
		                    .clients = SIGNS_EARLY };
	snprintf(w->digest, sizeof(w->digest), "%s", v->digest);
	w->begun = observe_signs(core)->last;
	signs_since(observe_signs(core), since_ms, &w->signs.before);
	find_like(core, v, &w->signs.like_before);
}

/* What others tell may have risen a moment later than here. */
static bool stays_worse(struct canary_watch *w, uint64_t now_ms, char text[SIGNS_TEXT_MAX])
{
	if (!signs_are_worse(&w->signs, text))
		w->worse_ms = 0;
	else if (!w->worse_ms)
		w->worse_ms = now_ms;
	return w->worse_ms && now_ms - w->worse_ms >= STAYS_MS;
}

static bool is_worse(struct canary_watch *w, const struct signs *now, char text[SIGNS_TEXT_MAX])
{
	const char *restarted = signs_restarted(&w->begun, now);

	if (restarted)
		(void)snprintf(text, SIGNS_TEXT_MAX,
		               "%s has started again since, or seconds before", restarted);
	return restarted || stays_worse(w, now->at_ms, text);
}

/* Measure this node and the others as they are now. */
static void compare_now(const struct core *core, struct canary_watch *w, const struct version *v)
{
	const struct signs_kept *kept = observe_signs(core);

	signs_fill(&w->from, &kept->last);
	signs_after(kept, &w->from, &w->signs.after);
	find_like(core, v, &w->signs.like_after);
	w->clients = signs_clients(&w->signs);
}

static void judge_now(const struct core *core, struct canary_watch *w, const struct version *v,
                      const struct inforce *f)
{
	const struct signs *now = &observe_signs(core)->last;

	if (!w->from.at_ms && now->at_ms >= f->accepted_ms + SETTLE_MS)
		w->from = *now;
	if (!w->from.at_ms)
		return;
	compare_now(core, w, v);
	if (!is_worse(w, now, w->refused))
		w->refused[0] = '\0';
}

bool canary_watch_look(struct core *core, const struct inforce *f, char text[SIGNS_TEXT_MAX])
{
	struct canary_watch *w = &core->judged.canary;
	const struct version *head = intent_head(core->intent);
	bool is_watched = is_watched_here(head, f);
	struct version waiting;

	/* others look as often: what they tell is compared */
	observe_watch_signs(core,
	                    intent_waiting(core->intent, &waiting) && canary_watch_is_of(&waiting));
	if (head && !is_watch_of(w, head))
		begin_watch(core, w, head);
	signs_fill(&w->begun, &observe_signs(core)->last);
	if (!is_watched)
		return false;
	if (!*w->refused && f->state == INFORCE_DONE)
		judge_now(core, w, head, f);
	(void)snprintf(text, SIGNS_TEXT_MAX, "%s", w->refused);
	return *text;
}
