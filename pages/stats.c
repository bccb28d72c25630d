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
#define OVERFLOW    0u /* the entry in which the values are counted for which there is no room */

struct stats_reader {
	struct page *page;
	const struct stats_head *head;
	const struct stats_entry *entries;
	size_t n; /* for which there is room */
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

static size_t count_seen(const struct stats_head *head, size_t room)
{
	uint64_t n = __atomic_load_n(&head->n, __ATOMIC_ACQUIRE);

	return n < room ? (size_t)n : room;
}

/* Entries before @p n have been used: readers look at no others. */
static void set_seen(struct stats *s, size_t n)
{
	s->n_seen = n;
	__atomic_store_n(&s->head->n, n, __ATOMIC_RELEASE);
}

/* Entries that an earlier process of the same name left: they are found again by name. */
static void find_used_entries(struct stats *s)
{
	for (size_t i = OVERFLOW + 1; i < s->n_seen; i++) {
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
	s->head = page_payload(s->page);
	s->entries = (struct stats_entry *)(s->head + 1);
	set_seen(s, count_seen(s->head, s->n));
	find_used_entries(s);
	if (!entry_used(&s->entries[OVERFLOW]))
		entry_fill(&s->entries[OVERFLOW], STATS_COUNTER, "weir_stats_overflow_total", "",
		           "Counts of values for which the stats page has no room.");
	if (!s->n_seen)
		set_seen(s, OVERFLOW + 1);
	for (size_t i = 0; i < s->n_seen; i++)
		s->kept[i] = s->entries[i];
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
		                  sizeof(struct stats_head) + s->n * sizeof(struct stats_entry),
		                  &s->page);
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
	for (size_t i = 0; i < s->n_seen; i++) {
		struct stats_entry *e = &s->entries[i];

		if (!s->kept[i].used)
			continue;
		memcpy(e, &s->kept[i], offsetof(struct stats_entry, used));
		__atomic_store_n(&e->used, 1, __ATOMIC_RELEASE);
	}
	set_seen(s, s->n_seen);
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

/* A free entry; OVERFLOW: there is none. Readers look at it once n_seen says so. */
static size_t find_spare(struct stats *s)
{
	for (size_t i = s->free_from; s->n_free && i < s->n_seen; i++) {
		if (entry_used(&s->entries[i]))
			continue;
		s->n_free--;
		s->free_from = i + 1;
		return i;
	}
	return s->n_seen < s->n ? s->n_seen : OVERFLOW;
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
	if (spare == OVERFLOW)
		return &s->entries[OVERFLOW].value;
	entry_fill(&s->entries[spare], kind, name, labels, help);
	s->kept[spare] = s->entries[spare];
	link_entry(s, spare);
	if (spare == s->n_seen)
		set_seen(s, spare + 1);
	return &s->entries[spare].value;
}

bool stats_is_overflow(const struct stats *s, const uint64_t *counter)
{
	return counter == &s->entries[OVERFLOW].value;
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
	for (size_t i = OVERFLOW + 1; i < s->n_seen; i++)
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
	if (!err && page_size(r->page) < sizeof(*r->head)) {
		page_close(r->page);
		err = -EPROTO;
	}
	if (err) {
		free(r);
		return err;
	}
	r->head = page_payload(r->page);
	r->entries = (const struct stats_entry *)(r->head + 1);
	r->n = (page_size(r->page) - sizeof(*r->head)) / sizeof(struct stats_entry);
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
	return count_seen(r->head, r->n);
}

/* An entry whose texts lack their NUL counts as unused: a reader would run past its end. */
const struct stats_entry *stats_reader_entry(const struct stats_reader *r, size_t i)
{
	static const struct stats_entry unused;
	const struct stats_entry *e = &r->entries[i];
	bool ends = entry_used(e) && memchr(e->name, '\0', sizeof(e->name)) &&
	            memchr(e->labels, '\0', sizeof(e->labels)) &&
	            memchr(e->help, '\0', sizeof(e->help));

	return ends ? e : &unused;
}

bool stats_reader_sum(const struct stats_reader *r, const char *name, uint64_t *sum)
{
	bool found = false;

	*sum = 0;
	for (size_t i = 0, n = stats_reader_n(r); i < n; i++) {
		const struct stats_entry *e = &r->entries[i];

		if (!entry_used(e) || strncmp(e->name, name, sizeof(e->name)) != 0)
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
