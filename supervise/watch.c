/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signs of life of a process, read from its stats page. The process may be under an attacker's
 * control, so whatever its page holds, the copy is bounded and its texts end. All entries are
 * searched only every LIST_MS; in between the found ones are read by index, because a page may have
 * tens of thousands.
 */
#include "supervise/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MS 2000u /* between two searches for words; a new thread is watched that much later */

static bool is_used(const struct stats_entry *e)
{
	return __atomic_load_n(&e->used, __ATOMIC_ACQUIRE) != 0;
}

static bool entry_has_name(const struct stats_entry *e, const char *name)
{
	return strncmp(e->name, name, sizeof(e->name)) == 0;
}

static bool entry_is_sign(const struct stats_entry *e)
{
	return entry_has_name(e, STATS_TURNS) || entry_has_name(e, STATS_JOB) ||
	       entry_has_name(e, STATS_WORKER);
}

static void list_words(struct run_page *p, uint64_t now_ms)
{
	size_t n = stats_reader_n(p->reader);

	p->n_words = 0;
	for (size_t i = 0; i < n && p->n_words < RUN_WORDS_MAX; i++) {
		const struct stats_entry *e = stats_reader_entry(p->reader, i);

		if (is_used(e) && entry_is_sign(e))
			p->words[p->n_words++] = (uint32_t)i;
	}
	p->listed_ms = now_ms;
}

/* Copy the value of key="value" up to its first unusual character: it goes into logs. */
static void copy_value(char out[RUN_LABEL_MAX], const struct stats_entry *e)
{
	size_t at = 0, n = 0;

	while (at < sizeof(e->labels) && e->labels[at] && e->labels[at] != '"')
		at++;
	for (at++; at < sizeof(e->labels) && n + 1 < RUN_LABEL_MAX; at++) {
		char c = e->labels[at];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			break;
		out[n++] = c;
	}
	out[n] = '\0';
}

static void add_sign_counter(struct run_signs *s, const struct stats_entry *e)
{
	uint64_t value = __atomic_load_n(&e->value, __ATOMIC_RELAXED);

	if (entry_has_name(e, STATS_WORKER)) {
		s->has_workers = true;
		s->rounds += value;
	} else if (entry_has_name(e, STATS_JOB) && value > s->job_until_s) {
		s->job_until_s = value;
		copy_value(s->job, e);
	} else if (entry_has_name(e, STATS_TURNS) && s->n_threads < RUN_THREADS_MAX) {
		struct run_thread *t = &s->threads[s->n_threads++];

		copy_value(t->name, e);
		t->turns = value;
	}
}

void run_page_close(struct run_page *p)
{
	stats_reader_close(p->reader);
	*p = (struct run_page){ 0 };
}

/*
 * Open the page that @p pid writes. The page of a killed process stays until the next one takes it
 * over.
 */
static bool open_signs_page(struct run_page *p, const char *run_dir, const char *name, pid_t pid)
{
	if (p->reader && stats_reader_pid(p->reader) == (uint64_t)pid &&
	    !stats_reader_is_replaced(p->reader))
		return true;
	run_page_close(p);
	if (stats_reader_open(run_dir, name, &p->reader) != 0) {
		p->reader = NULL;
		return false;
	}
	return stats_reader_pid(p->reader) == (uint64_t)pid;
}

void run_signs_read(struct run_page *p, const char *run_dir, const char *name, pid_t pid,
                    uint64_t now_ms, struct run_signs *out)
{
	*out = (struct run_signs){ 0 };
	if (!open_signs_page(p, run_dir, name, pid))
		return;
	if (!p->listed_ms || now_ms >= p->listed_ms + LIST_MS)
		list_words(p, now_ms);
	for (size_t i = 0; i < p->n_words; i++) {
		const struct stats_entry *e = stats_reader_entry(p->reader, p->words[i]);

		if (is_used(e) && entry_is_sign(e))
			add_sign_counter(out, e);
	}
}

/* --- what they mean --- */

/*
 * Whether a process lives, from its signs. Only silence that the supervisor has watched counts:
 * each look adds the time since the look before. A late look adds little or starts again from zero,
 * because then the machine was paused or busy, and the process had no time either. Nor had it what
 * it spent in the queue for a processor: to start it again would only add to its work.
 */

uint64_t run_watched_ms(uint64_t since_ms, uint64_t hang_ms)
{
	if (life_was_away(since_ms, hang_ms))
		return RUN_WAS_AWAY;
	return since_ms < 2 * RUN_LOOK_MS ? since_ms : 2 * RUN_LOOK_MS;
}

uint64_t run_waited_ms(uint64_t *known_ms, const char *schedstat)
{
	uint64_t waited_ns, since_ms;

	if (sscanf(schedstat, "%*u %" SCNu64, &waited_ns) != 1)
		return 0;
	since_ms = waited_ns / 1000000 - *known_ms;
	*known_ms += since_ms;
	return since_ms;
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
		/* the kernel counts a wait at its end, which may be looks after its beginning */
		now.threads[i].silent_ms -= s->waited_ms < now.threads[i].silent_ms
		                                    ? s->waited_ms
		                                    : now.threads[i].silent_ms;
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

/* Before its first turn a process shows only jobs. */
static void feed_start(struct run_life *l, uint64_t watched_ms)
{
	l->start_silent_ms += watched_ms;
	l->silent_ms = l->start_silent_ms;
	l->thread = "main";
}

enum life run_life_feed(struct run_life *l, const struct run_signs *s, uint64_t watched_ms,
                        uint64_t hang_ms, uint64_t now_s)
{
	const struct life_limit limit = { .hung_ms = hang_ms - 1 }; /* it hangs at hang_ms */
	bool begins = !s->n_threads;
	bool starts = begins && s->job_until_s && watched_ms != RUN_WAS_AWAY;

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
	if (starts)
		feed_start(l, watched_ms);
	else if (!begins)
		l->start_silent_ms = 0;
	struct life_signs signs = {
		.is_shown = starts || !begins,
		.begins = begins,
		.has_job = s->job_until_s > now_s,
		.silent_ms = l->silent_ms,
		.watched_ms = l->silent_ms,
	};

	return life_judge(&signs, &limit);
}
