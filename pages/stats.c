/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stats pages: a flat array of entries that are never moved, so a counter's address holds
 * for the process's life; a process that starts again finds its counters by name and goes on
 * counting.
 *
 * One thread of the writer creates and drops counters; any of its threads may count through them.
 */
#include "weir/stats.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "pages/stats_internal.h"

#define ENTRIES_MAX 65536u /* of a page; stats_create() refuses more */
#define BUILD_INFO  "weir_build_info"

struct stats_reader {
	struct page *page;
	const struct stats_entry *entries;
	size_t n;
};

static int stats_page_path(const char *run_dir, const char *process, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/stats.%s.page", run_dir, process);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static uint32_t entry_used(const struct stats_entry *e)
{
	return __atomic_load_n(&e->used, __ATOMIC_ACQUIRE);
}

static void entry_fill(struct stats_entry *e, enum stats_kind kind, const char *name,
                       const char *labels, const char *help)
{
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(e->labels, sizeof(e->labels), "%s", labels);
	snprintf(e->help, sizeof(e->help), "%s", help);
	e->kind = kind;
	__atomic_store_n(&e->value, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&e->used, 1, __ATOMIC_RELEASE);
}

/* Hash only as much of a name as an entry can hold, so that a long one is found again. */
static uint32_t *bucket_of(struct stats *s, const char *name, const char *labels)
{
	static const struct hash_key key = { 0x7765697268u, 3 };
	const struct stats_entry *e = s->entries;
	uint64_t h = hash_bytes(&key, name, strnlen(name, sizeof(e->name) - 1)) ^
	             hash_bytes(&key, labels, strnlen(labels, sizeof(e->labels) - 1)) * 31;

	return &s->buckets[h % STATS_BUCKETS];
}

static void link_entry(struct stats *s, size_t i)
{
	uint32_t *head = bucket_of(s, s->entries[i].name, s->entries[i].labels);

	s->next[i] = *head;
	*head = (uint32_t)i + 1;
}

/* Entries that an earlier process of the same name left: they are found again by name. */
static void find_used_entries(struct stats *s)
{
	for (size_t i = 0; i < s->n - 1; i++)
		if (entry_used(&s->entries[i]))
			s->n_seen = i + 1;
	for (size_t i = 0; i < s->n_seen; i++) {
		if (entry_used(&s->entries[i]))
			link_entry(s, i);
		else
			s->n_free++;
	}
}

static bool is_of_one_life(const char *name)
{
	return !strcmp(name, BUILD_INFO) || !strcmp(name, STATS_TURNS) ||
	       !strcmp(name, STATS_JOB) || !strcmp(name, STATS_LISTENING) ||
	       !strcmp(name, STATS_WORKER);
}

/*
 * Signs of life of an earlier process: the supervisor would wait for its threads and jobs. And its
 * release, which may have been another one.
 */
static void drop_signs(struct stats *s)
{
	for (size_t i = 0; i < s->n_seen; i++) {
		char name[sizeof(s->entries[i].name)], labels[sizeof(s->entries[i].labels)];

		if (!entry_used(&s->entries[i]) || !is_of_one_life(s->entries[i].name))
			continue;
		snprintf(name, sizeof(name), "%s", s->entries[i].name);
		snprintf(labels, sizeof(labels), "%.*s", (int)sizeof(labels) - 1,
		         s->entries[i].labels);
		stats_drop(s, name, labels);
	}
}

/* Go on with the page as it is: counters keep their values, signs of life and the release do not. */
static void adopt_page(struct stats *s)
{
	size_t max = s->n - 1;

	s->entries = page_payload(s->page);
	find_used_entries(s);
	if (!entry_used(&s->entries[max]))
		entry_fill(&s->entries[max], STATS_COUNTER, "weir_stats_overflow_total", "",
		           "Counts of values for which the stats page has no room.");
	for (size_t i = 0; i < s->n_seen; i++)
		s->kept[i] = s->entries[i];
	s->kept[max] = s->entries[max];
	drop_signs(s);
	stats_set(stats_get_counter(s, STATS_GAUGE, BUILD_INFO, "version=\"" WEIR_RELEASE "\"",
	                            "Always 1; the label names the release of the process."),
	          1);
}

int stats_create(const char *run_dir, const char *process, size_t max, struct stats **out)
{
	char path[PATH_MAX];
	int err = stats_page_path(run_dir, process, path);

	if (err)
		return err;
	if (max == 0 || max >= ENTRIES_MAX)
		return -EINVAL;

	struct stats *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->n = max + 1;
	s->next = calloc(s->n, sizeof(*s->next));
	s->kept = calloc(s->n, sizeof(*s->kept));
	err = s->next && s->kept ? 0 : -ENOMEM;
	if (!err)
		err = conditions_open(run_dir, process, &s->conditions);
	if (!err)
		err = page_create(path, STATS_PAGE_KIND, STATS_PAGE_LAYOUT,
		                  s->n * sizeof(struct stats_entry), &s->page);
	if (err) {
		conditions_close(s->conditions);
		free(s->kept);
		free(s->next);
		free(s);
		return err;
	}
	adopt_page(s);
	*out = s;
	return 0;
}

void stats_close(struct stats *s)
{
	if (!s)
		return;
	page_close(s->page);
	conditions_close(s->conditions);
	free(s->kept);
	free(s->next);
	free(s);
}

void stats_remove(struct stats *s, const char *run_dir, const char *process)
{
	char path[PATH_MAX];

	if (!s)
		return;
	if (!stats_page_path(run_dir, process, path))
		(void)unlink(path);
	stats_close(s);
}

/* After somebody has cut the page short or overwritten it: all counters start again from 0. */
static void restore_page(struct stats *s)
{
	if (!page_repair(s->page))
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct stats_entry *e = &s->entries[i];

		if (!s->kept[i].used)
			continue;
		memcpy(e, &s->kept[i], offsetof(struct stats_entry, used));
		__atomic_store_n(&e->used, 1, __ATOMIC_RELEASE);
	}
}

/* Before an entry is looked up: a page that was cut short has none. */
static void repair_directory(struct stats *s)
{
	if (page_header(s->page)->size_bytes == 0)
		restore_page(s);
}

void stats_alive(struct stats *s, uint64_t now_ms)
{
	restore_page(s);
	page_alive(s->page, now_ms);
}

static bool entry_is(const struct stats_entry *e, const char *name, const char *labels)
{
	return strncmp(e->name, name, sizeof(e->name) - 1) == 0 &&
	       strncmp(e->labels, labels, sizeof(e->labels) - 1) == 0;
}

/* A free entry, or the common overflow entry. */
static size_t find_spare(struct stats *s)
{
	for (size_t i = s->free_from; s->n_free && i < s->n_seen; i++) {
		if (entry_used(&s->entries[i]))
			continue;
		s->n_free--;
		s->free_from = i + 1;
		return i;
	}
	return s->n_seen < s->n - 1 ? s->n_seen++ : s->n - 1;
}

uint64_t *stats_get_counter(struct stats *s, enum stats_kind kind, const char *name,
                            const char *labels, const char *help)
{
	size_t spare;

	repair_directory(s);
	for (uint32_t i = *bucket_of(s, name, labels); i; i = s->next[i - 1]) {
		struct stats_entry *e = &s->entries[i - 1];

		if (entry_is(e, name, labels) && e->kind == kind)
			return &e->value;
	}
	spare = find_spare(s);
	if (spare == s->n - 1)
		return &s->entries[spare].value;
	entry_fill(&s->entries[spare], kind, name, labels, help);
	s->kept[spare] = s->entries[spare];
	link_entry(s, spare);
	return &s->entries[spare].value;
}

bool stats_is_overflow(const struct stats *s, const uint64_t *counter)
{
	return counter == &s->entries[s->n - 1].value;
}

void stats_address_labels(const struct addr *address, char out[STATS_ADDRESS_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, STATS_ADDRESS_MAX, "address=\"%s\"", addr_text(address, text));
}

void stats_drop(struct stats *s, const char *name, const char *labels)
{
	uint32_t *link = bucket_of(s, name, labels);

	repair_directory(s);
	while (*link) {
		struct stats_entry *e = &s->entries[*link - 1];

		if (!entry_is(e, name, labels)) {
			link = &s->next[*link - 1];
			continue;
		}
		__atomic_store_n(&e->used, 0, __ATOMIC_RELEASE);
		s->kept[e - s->entries].used = 0;
		if (*link - 1 < s->free_from)
			s->free_from = *link - 1;
		*link = s->next[*link - 1];
		s->n_free++;
	}
}

void stats_drop_left(struct stats *s, bool (*is_left)(void *arg, const struct stats_entry *e),
                     void *arg)
{
	for (size_t i = 0; i + 1 < s->n; i++)
		if (s->kept[i].used && is_left(arg, &s->kept[i]))
			stats_drop(s, s->kept[i].name, s->kept[i].labels);
}

/* "thread=\"dns-1\"" */
static void format_sign_label(char labels[64], const char *key, const char *value)
{
	snprintf(labels, 64, "%s=\"%s\"", key, value);
}

uint64_t *stats_turns(struct stats *s, const char *thread)
{
	char labels[64];

	format_sign_label(labels, "thread", thread);
	return stats_get_counter(s, STATS_COUNTER, STATS_TURNS, labels,
	                         "Turns of the thread's event loop: its sign of life.");
}

void stats_turns_end(struct stats *s, const char *thread)
{
	char labels[64];

	format_sign_label(labels, "thread", thread);
	stats_drop(s, STATS_TURNS, labels);
}

static void set_job(struct stats *s, const char *job, uint64_t until_s)
{
	char labels[64];

	if (!s)
		return;
	format_sign_label(labels, "job", job);
	stats_set(stats_get_counter(s, STATS_GAUGE, STATS_JOB, labels,
	                            "Seconds since boot until which the job may take; 0: none."),
	          until_s);
}

void stats_job_begin(struct stats *s, const char *job, unsigned limit_s)
{
	unsigned most_s = limit_s < STATS_JOB_MAX_S ? limit_s : STATS_JOB_MAX_S;

	set_job(s, job, clock_mono_ms() / 1000 + most_s + 1);
}

void stats_job_end(struct stats *s, const char *job)
{
	set_job(s, job, 0);
}

int stats_reader_open(const char *run_dir, const char *process, struct stats_reader **out)
{
	char path[PATH_MAX];
	int err = stats_page_path(run_dir, process, path);

	if (err)
		return err;

	struct stats_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	err = page_open(path, STATS_PAGE_KIND, STATS_PAGE_LAYOUT, process, &r->page);
	if (err) {
		free(r);
		return err;
	}
	r->entries = page_payload(r->page);
	r->n = page_size(r->page) / sizeof(struct stats_entry);
	*out = r;
	return 0;
}

void stats_reader_close(struct stats_reader *r)
{
	if (!r)
		return;
	page_close(r->page);
	free(r);
}

size_t stats_reader_n(const struct stats_reader *r)
{
	return r->n;
}

/* An entry whose texts lack their NUL counts as unused: a reader would run past its end. */
const struct stats_entry *stats_reader_entry(const struct stats_reader *r, size_t i)
{
	static const struct stats_entry unused;
	const struct stats_entry *e = &r->entries[i];
	bool ends = memchr(e->name, '\0', sizeof(e->name)) &&
	            memchr(e->labels, '\0', sizeof(e->labels)) &&
	            memchr(e->help, '\0', sizeof(e->help));

	return ends ? e : &unused;
}

bool stats_reader_sum(const struct stats_reader *r, const char *name, uint64_t *sum)
{
	bool found = false;

	*sum = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!__atomic_load_n(&e->used, __ATOMIC_ACQUIRE) || strcmp(e->name, name) != 0)
			continue;
		*sum += __atomic_load_n(&e->value, __ATOMIC_RELAXED);
		found = true;
	}
	return found;
}

uint64_t stats_reader_alive_ms(const struct stats_reader *r)
{
	return __atomic_load_n(&page_header(r->page)->alive_ms, __ATOMIC_RELAXED);
}

uint64_t stats_reader_pid(const struct stats_reader *r)
{
	return page_header(r->page)->writer_pid;
}

bool stats_reader_is_replaced(const struct stats_reader *r)
{
	return page_is_replaced(r->page);
}
