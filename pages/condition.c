/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions: two banks and a sequence. The bank of number sequence % 2 is published; the writer
 * fills the other one and then counts the sequence up, so a writer that is killed at any instant
 * leaves a whole round. A reader copies the published bank and looks at the sequence again: if it
 * has moved, the writer may have begun to fill that bank, and the reader tries again. (A seqlock
 * whose odd state readers need not wait for.)
 */
#include "weir/condition.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/owner.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/sandbox.h"
#include "pages/condition_internal.h"
#include "pages/stats_internal.h"

#define READ_TRIES 64 /* a round is written once a second, a copy takes microseconds */

struct conditions_writer {
	struct page *page;
	struct conditions_payload *payload;
	struct conditions pending; /* the round that is being collected */
};

/* Of what counts: most rounds have a few conditions, and a bank has room for many. */
static uint64_t digest_of(const struct conditions *bank)
{
	static const struct hash_key key = { 0x77656972636f6e64u, 2 };
	size_t n = bank->n < CONDITIONS_MAX ? bank->n : CONDITIONS_MAX;

	return hash_bytes(&key, bank,
	                  offsetof(struct conditions, items) + n * sizeof(bank->items[0]));
}

static int conditions_page_path(const char *run_dir, const char *process, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/conditions.%s.page", run_dir, process);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int conditions_open(const char *run_dir, const char *process, struct conditions_writer **out)
{
	struct conditions_writer *w = calloc(1, sizeof(*w));
	char path[PATH_MAX];
	int err = w ? conditions_page_path(run_dir, process, path) : -ENOMEM;

	if (!err)
		err = page_create(path, CONDITIONS_PAGE_KIND, CONDITIONS_PAGE_LAYOUT,
		                  sizeof(struct conditions_payload), &w->page);
	if (err) {
		free(w);
		return err;
	}
	w->payload = page_payload(w->page);
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

/* A place for a new condition of @p level; the least severe one gives way. NULL: it is left out. */
static struct condition *allocate_condition(struct conditions *round, uint32_t level)
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
	struct conditions *pending = &s->conditions->pending;

	pending->document = document;
	pending->at_ms = pending->n_left_out = 0;
	pending->n = pending->worst = 0;
}

void conditions_add(struct stats *s, const char *code, enum condition_level level,
                    const char *subject, const char *format, ...)
{
	struct conditions *pending = &s->conditions->pending;
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
	pending->worst = level > pending->worst ? level : pending->worst;
	to = find_condition(pending, &c);
	if (to && to->level >= level)
		return;
	if (!to)
		to = allocate_condition(pending, level);
	if (to)
		*to = c;
}

/* Take over the beginnings of those conditions that the round before had, too. */
static void keep_since(struct conditions *pending, struct conditions *before)
{
	for (uint32_t i = 0; i < pending->n; i++) {
		const struct condition *old = find_condition(before, &pending->items[i]);
		bool known = old && old->since_ms && old->since_ms <= pending->at_ms;

		pending->items[i].since_ms = known ? old->since_ms : pending->at_ms;
	}
}

/* A code appears in metrics and in scripts: lower case, digits and hyphens only. */
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

/* Add files of other users that were found in place of ours (base/owner.h). */
static void add_troubles(struct stats *s)
{
	struct owner_trouble troubles[OWNER_TROUBLES_MAX];
	size_t n = owner_troubles(troubles);

	for (size_t i = 0; i < n; i++)
		conditions_add(s, "file-not-believed", CONDITION_DEGRADED, troubles[i].path,
		               "it belongs to the user with id %u and is ignored%s%s: find out who "
		               "put it there (ls -l), then remove it",
		               (unsigned)troubles[i].found,
		               *troubles[i].expected ? ", expected is a file of weir-" : "",
		               troubles[i].expected);
}

/* Add refused system calls, or that there is no filter of them (base/sandbox.h). */
static void add_sandbox(struct stats *s)
{
	struct sandbox_refusal refusals[SANDBOX_REFUSALS_MAX];
	size_t n = sandbox_refusals(refusals);
	const char *process = sandbox_process();

	for (size_t i = 0; i < n; i++)
		conditions_add(s, "system-call-refused", CONDITION_DEGRADED, refusals[i].name,
		               "weir-%s made a system call that it does not need, and the call was "
		               "refused (count %" PRIu64
		               "): either a library differs from the tested one, or somebody broke "
		               "in; see system-call-refused in the log and the handbook",
		               process, refusals[i].times);
	if (sandbox_state() == SANDBOX_MISSING)
		conditions_add(
		        s, "sandbox-missing", CONDITION_DEGRADED, "",
		        "weir-%s runs without a filter of system calls: see sandbox-missing in the log; the filter needs a kernel with "
		        "seccomp, on x86-64 or 64-bit ARM",
		        process);
	if (sandbox_state() == SANDBOX_OFF)
		conditions_add(s, "sandbox-off", CONDITION_NOTE, "",
		               "weir-%s runs without a filter of system calls: " SANDBOX_VARIABLE
		               "=none is in its environment",
		               process);
}

void conditions_end(struct stats *s)
{
	add_troubles(s);
	add_sandbox(s);

	struct conditions_writer *w = s->conditions;
	struct conditions_payload *p = w->payload;

	page_repair(w->page);
	uint64_t sequence = __atomic_load_n(&p->sequence, __ATOMIC_RELAXED);
	struct conditions *before = &p->banks[sequence % 2];

	w->pending.at_ms = clock_mono_ms();
	/* the page is a file: an earlier process, or an accident, may have left anything there */
	if (p->digests[sequence % 2] != digest_of(before))
		*before = (struct conditions){ 0 };
	tidy_round(before);
	keep_since(&w->pending, before);
	/* Readers of the bank that is filled now must see that the sequence has moved. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	p->banks[(sequence + 1) % 2] = w->pending;
	p->digests[(sequence + 1) % 2] = digest_of(&w->pending);
	__atomic_store_n(&p->sequence, sequence + 1, __ATOMIC_RELEASE);
	page_alive(w->page, w->pending.at_ms);
	page_publish(w->page);
}

/*
 * Copy the published bank. @return 0, -EAGAIN (it changes too fast) or -EPROTO (conditions_end()
 * did not write it)
 */
static int copy_round(const struct conditions_payload *p, struct conditions *out)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t sequence = __atomic_load_n(&p->sequence, __ATOMIC_ACQUIRE);

		*out = p->banks[sequence % 2];
		uint64_t digest = p->digests[sequence % 2];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&p->sequence, __ATOMIC_RELAXED) != sequence)
			continue;
		if (sequence == 0) /* there was no round yet */
			*out = (struct conditions){ 0 };
		return sequence == 0 || digest == digest_of(out) ? 0 : -EPROTO;
	}
	return -EAGAIN;
}

int conditions_read(const char *run_dir, const char *process, struct conditions *out)
{
	struct conditions *copy = NULL;
	struct page *page;
	char path[PATH_MAX];
	int err = conditions_page_path(run_dir, process, path);

	if (!err)
		err = page_open(path, CONDITIONS_PAGE_KIND, CONDITIONS_PAGE_LAYOUT, process, &page);
	if (err)
		return err;
	if (page_size(page) < sizeof(struct conditions_payload))
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
