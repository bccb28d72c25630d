/* SPDX-License-Identifier: BSD-2-Clause */
/* The first seconds of a version are not its measure: flows move, processes load. */
#include "mgmt/sync/canary_watch.h"

#include <stdio.h>

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

/* The highest of each sign at nodes which have the version before. */
static void find_like(const struct core *core, const struct version *v, struct sign_rates *out)
{
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;

	*out = (struct sign_rates){ 0 };
	for (size_t i = 0; i < n; i++)
		if (reports[i].state != PEERS_UNREACHABLE &&
		    !canary_covers(v->canary, reports[i].node, reports[i].site))
			signs_add_highest(out, &reports[i].signs);
}

/* What was until now, since the version before had settled, is before this one. */
static void begin_watch(const struct core *core, struct canary_watch *w, const struct version *v)
{
	uint64_t since_ms = w->since_ms ? w->since_ms + SETTLE_MS : 0;

	*w = (struct canary_watch){ .number = v->number, .since_ms = clock_mono_ms() };
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
	const char *restarted = signs_restarted(&w->from, now);

	if (restarted)
		(void)snprintf(text, SIGNS_TEXT_MAX, "%s has started again since", restarted);
	return restarted || stays_worse(w, now->at_ms, text);
}

bool canary_watch_look(struct core *core, const struct inforce *f, char text[SIGNS_TEXT_MAX])
{
	struct canary_watch *w = &core->judged.canary;
	const struct version *head = intent_head(core->intent);
	const struct signs *now = &observe_signs(core)->last;
	bool is_watched = is_watched_here(head, f);
	struct version waiting;

	/* others look as often: what they tell is compared */
	observe_watch_signs(core,
	                    intent_waiting(core->intent, &waiting) && canary_watch_is_of(&waiting));
	if (head && w->number != head->number)
		begin_watch(core, w, head);
	if (!is_watched || f->state != INFORCE_DONE)
		return false;
	if (!w->from.at_ms && now->at_ms >= f->accepted_ms + SETTLE_MS)
		w->from = *now;
	if (!w->from.at_ms)
		return false;
	signs_between(&w->from, now, &w->signs.after);
	find_like(core, head, &w->signs.like_after);
	return is_worse(w, now, text);
}

bool canary_watch_is_comparable(const struct core *core)
{
	return signs_are_comparable(&core->judged.canary.signs);
}
