/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a process lives, from its signs. Only silence that the supervisor has watched counts:
 * each look adds the time since the look before. A late look adds little or starts again from zero,
 * because then the machine was paused or busy, and the process had no time either.
 */
#include <string.h>

#include "mgmt/cli/run_watch.h"

uint64_t run_watched_ms(uint64_t since_ms, uint64_t hang_ms)
{
	if (since_ms >= hang_ms / 2)
		return RUN_WAS_AWAY;
	return since_ms < 2 * RUN_LOOK_MS ? since_ms : 2 * RUN_LOOK_MS;
}

static struct run_thread *find_thread(struct run_life *l, const char *name)
{
	for (uint32_t i = 0; i < l->n_threads; i++)
		if (!strcmp(l->threads[i].name, name))
			return &l->threads[i];
	return NULL;
}

/* The threads as they are now, each with the silence so far of the thread of that name. */
static void feed_threads(struct run_life *l, const struct run_signs *s, uint64_t watched_ms)
{
	struct run_life now = *l;

	now.n_threads = s->n_threads;
	for (uint32_t i = 0; i < s->n_threads; i++) {
		const struct run_thread *old = find_thread(l, s->threads[i].name);

		now.threads[i] = s->threads[i];
		now.threads[i].silent_ms = 0;
		if (old && old->turns == s->threads[i].turns && watched_ms != RUN_WAS_AWAY)
			now.threads[i].silent_ms = old->silent_ms + watched_ms;
	}
	*l = now;
}

static void feed_workers(struct run_life *l, const struct run_signs *s, uint64_t watched_ms)
{
	bool moved = s->rounds != l->rounds || watched_ms == RUN_WAS_AWAY;

	l->workers_silent_ms = moved ? 0 : l->workers_silent_ms + watched_ms;
	l->rounds = s->rounds;
	l->forwards = s->has_workers && l->workers_silent_ms < RUN_WORKERS_MS;
}

/*
 * Before its first turn a process shows only jobs. If a job's time is over, the process hangs in
 * it.
 */
static enum run_verdict judge_start(struct run_life *l, uint64_t job_s, uint64_t watched_ms,
                                    uint64_t now_s)
{
	if (!job_s || watched_ms == RUN_WAS_AWAY)
		return RUN_UNSEEN;
	l->start_silent_ms += watched_ms;
	l->silent_ms = l->start_silent_ms;
	l->thread = "main";
	return job_s > now_s ? RUN_BUSY : RUN_HANGS;
}

enum run_verdict run_life_feed(struct run_life *l, const struct run_signs *s, uint64_t watched_ms,
                               uint64_t hang_ms, uint64_t now_s)
{
	feed_threads(l, s, watched_ms);
	feed_workers(l, s, watched_ms);
	l->silent_ms = 0;
	l->thread = "";
	for (uint32_t i = 0; i < l->n_threads; i++) {
		if (l->threads[i].silent_ms < l->silent_ms || !l->threads[i].silent_ms)
			continue;
		l->silent_ms = l->threads[i].silent_ms;
		l->thread = l->threads[i].name;
	}
	if (!s->n_threads)
		return judge_start(l, s->job_until_s, watched_ms, now_s);
	l->start_silent_ms = 0;
	if (l->silent_ms < hang_ms)
		return RUN_LIVES;
	return s->job_until_s > now_s ? RUN_BUSY : RUN_HANGS;
}
