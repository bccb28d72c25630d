/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions: two banks and a sequence. The bank of number sequence % 2 is published; the writer fills the
 * other one and then counts the sequence up, so a writer that is killed at any instant leaves a whole round.
 * A reader copies the published bank and looks at the sequence again: if it has moved, the writer may have
 * begun to fill that bank, and the reader tries again. (A seqlock whose odd state readers need not wait for.)
 */
#include "weir/condition.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/plain.h"
#include "model/stats_internal.h"

#define READ_TRIES 64 /* a round is written once a second, a copy takes microseconds */

struct payload {
	uint64_t sequence;
	uint64_t pad;
	struct conditions banks[2];
};

struct conditions_writer {
	struct page *page;
	struct payload *payload;
	struct conditions draft; /* the round that is being stated */
	bool fresh; /* the page may hold a round of an earlier process, perhaps damaged */
};

static int page_path(const char *run_dir, const char *process, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/conditions.%s.page", run_dir, process);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int conditions_open(const char *run_dir, const char *process, struct conditions_writer **out)
{
	struct conditions_writer *w = calloc(1, sizeof(*w));
	char path[PATH_MAX];
	int err = w ? page_path(run_dir, process, path) : -ENOMEM;

	if (!err)
		err = page_create(path, CONDITIONS_PAGE_KIND, CONDITIONS_PAGE_LAYOUT,
		                  sizeof(struct payload), &w->page);
	if (err) {
		free(w);
		return err;
	}
	w->payload = page_payload(w->page);
	w->fresh = true;
	*out = w;
	return 0;
}

void conditions_close(struct conditions_writer *w)
{
	if (!w)
		return;
	page_close(w->page);
	free(w);
}

static struct condition *find_condition(struct conditions *round, const struct condition *like)
{
	for (uint32_t i = 0; i < round->n; i++)
		if (!strcmp(round->items[i].code, like->code) &&
		    !strcmp(round->items[i].subject, like->subject))
			return &round->items[i];
	return NULL;
}

/* Where a condition of @p level goes that is not there yet; NULL: it is left out. */
static struct condition *make_room(struct conditions *round, uint32_t level)
{
	if (round->n < CONDITIONS_MAX)
		return &round->items[round->n++];
	round->n_left_out++;
	for (uint32_t i = 0; i < round->n; i++)
		if (round->items[i].level < level)
			return &round->items[i];
	return NULL;
}

void conditions_begin(struct stats *s, uint64_t document)
{
	struct conditions *draft = &stats_conditions(s)->draft;

	draft->document = document;
	draft->at_ms = draft->n_left_out = 0;
	draft->n = draft->worst = 0;
}

void conditions_add(struct stats *s, const char *code, enum condition_level level,
                    const char *subject, const char *format, ...)
{
	struct conditions *draft = &stats_conditions(s)->draft;
	struct condition c = { .level = level };
	struct condition *to;
	va_list list;

	plain_copy(c.code, sizeof(c.code), code);
	plain_copy(c.subject, sizeof(c.subject), subject);
	va_start(list, format);
	vsnprintf(c.text, sizeof(c.text), format, list);
	va_end(list);
	plain_cut(c.text, sizeof(c.text));
	plain_make(c.text);
	draft->worst = level > draft->worst ? level : draft->worst;
	to = find_condition(draft, &c);
	if (to && to->level >= level)
		return;
	if (!to)
		to = make_room(draft, level);
	if (to)
		*to = c;
}

/* Since when each condition of @p draft is so, by the round before it. */
static void keep_since(struct conditions *draft, struct conditions *before)
{
	for (uint32_t i = 0; i < draft->n; i++) {
		const struct condition *old = find_condition(before, &draft->items[i]);
		bool known = old && old->since_ms && old->since_ms <= draft->at_ms;

		draft->items[i].since_ms = known ? old->since_ms : draft->at_ms;
	}
}

/* A code stands in metrics and in what scripts compare: kebab case. */
static void tidy_code(char *code)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (; *(code += strspn(code, good)); code++)
		*code = '-';
}

/* Make a copy of a page's bytes well-formed. */
static void tidy_round(struct conditions *c)
{
	c->n = c->n < CONDITIONS_MAX ? c->n : CONDITIONS_MAX;
	c->worst = c->worst < CONDITION_DOWN ? c->worst : CONDITION_DOWN;
	for (uint32_t i = 0; i < c->n; i++) {
		struct condition *one = &c->items[i];

		one->code[CONDITION_CODE_MAX - 1] = 0;
		one->subject[CONDITION_SUBJECT_MAX - 1] = 0;
		one->text[CONDITION_TEXT_MAX - 1] = 0;
		tidy_code(one->code);
		plain_make(one->subject);
		plain_make(one->text);
		one->level = one->level < CONDITION_DOWN ? one->level : CONDITION_DOWN;
		c->worst = one->level > c->worst ? one->level : c->worst;
	}
}

void conditions_end(struct stats *s)
{
	struct conditions_writer *w = stats_conditions(s);
	struct payload *p = w->payload;
	uint64_t sequence = __atomic_load_n(&p->sequence, __ATOMIC_RELAXED);
	struct conditions *before = &p->banks[sequence % 2];

	w->draft.at_ms = clock_mono_ms();
	if (w->fresh)
		tidy_round(before);
	w->fresh = false;
	keep_since(&w->draft, before);
	/* The bank to be filled was published before this one: readers of it must see the sequence moved. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	p->banks[(sequence + 1) % 2] = w->draft;
	__atomic_store_n(&p->sequence, sequence + 1, __ATOMIC_RELEASE);
	page_alive(w->page, w->draft.at_ms);
	page_publish(w->page);
}

/* Copy the published bank. @return 0 or -EAGAIN */
static int copy_round(const struct payload *p, struct conditions *out)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t sequence = __atomic_load_n(&p->sequence, __ATOMIC_ACQUIRE);

		*out = p->banks[sequence % 2];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&p->sequence, __ATOMIC_RELAXED) == sequence)
			return 0;
	}
	return -EAGAIN;
}

int conditions_read(const char *run_dir, const char *process, struct conditions *out)
{
	struct conditions *copy = NULL;
	struct page *page;
	char path[PATH_MAX];
	int err = page_path(run_dir, process, path);

	if (!err)
		err = page_open(path, CONDITIONS_PAGE_KIND, CONDITIONS_PAGE_LAYOUT, &page);
	if (err)
		return err;
	if (page_size(page) < sizeof(struct payload))
		err = -EPROTO;
	if (!err && !(copy = malloc(sizeof(*copy))))
		err = -ENOMEM;
	if (!err)
		err = copy_round(page_payload(page), copy);
	if (!err) {
		tidy_round(copy);
		*out = *copy;
	}
	free(copy);
	page_close(page);
	return err;
}
