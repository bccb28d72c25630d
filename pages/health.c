/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The health page's table of targets, for its one writer and any readers.
 *
 * Open addressing with linear probing (Knuth, TAOCP 3, 6.4, algorithm L). A removed target
 * leaves HEALTH_TARGET_FREED behind, so that entries that were pushed past it are still found;
 * only when such marks fill half of the table, it is built again.
 */
#include "base/sorted.h"
#include "weir/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"

#define PAGE_INDEX_MASK (HEALTH_TARGETS_MAX - 1) /* the table's size is a power of two */
_Static_assert((HEALTH_TARGETS_MAX & PAGE_INDEX_MASK) == 0, "places wrap by a mask");

int health_page_open(const char *run_dir, struct page **out)
{
	static const struct page_form form = { PROC_HEALTH_PAGE, HEALTH_PAGE_KIND,
		                               HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
		                               "health" };

	return page_open_in(run_dir, &form, out);
}

uint64_t health_target_backend(const char *pool, uint64_t backend_id)
{
	const struct hash_key key = { 0x7765697262616b65u, backend_id };

	return health_target_make(hash_bytes(&key, pool, strlen(pool)));
}

uint64_t health_target_service(const char *service, const char *site, bool ip4)
{
	const struct hash_key key = { 0x7765697273727663u, ip4 ? 4 : 6 };
	uint64_t both[2] = { hash_bytes(&key, service, strlen(service)),
		             hash_bytes(&key, site, strlen(site)) };

	return health_target_make(hash_bytes(&key, both, sizeof(both)));
}

static uint64_t target_at(const struct health_page *page, uint32_t page_index)
{
	return __atomic_load_n(&page->entries[page_index].target, __ATOMIC_ACQUIRE);
}

int health_find_index(const struct health_page *page, uint64_t target)
{
	if (target <= HEALTH_TARGET_FREED)
		return -1;
	for (uint32_t i = 0; i < HEALTH_TARGETS_MAX; i++) {
		uint32_t page_index = (uint32_t)(target + i) & PAGE_INDEX_MASK;
		uint64_t there = target_at(page, page_index);

		if (there == target)
			return (int)page_index;
		if (there == 0)
			return -1;
	}
	return -1;
}

/* A damaged page may have lost the target: its index is -1 then. */
static bool is_page_index(int page_index)
{
	return page_index >= 0 && (uint32_t)page_index < HEALTH_TARGETS_MAX;
}

health_word health_read(const struct health_page *page, int page_index)
{
	if (!is_page_index(page_index))
		return 0;
	return __atomic_load_n(&page->entries[page_index].word, __ATOMIC_ACQUIRE);
}

bool health_write(struct health_page *page, int page_index, health_word word)
{
	if (!is_page_index(page_index))
		return false;
	return __atomic_exchange_n(&page->entries[page_index].word, word, __ATOMIC_ACQ_REL) != word;
}

/* Put @p target into a free entry; the caller has made sure that there is one. */
static void insert_target(struct health_page *page, uint64_t target, uint64_t word)
{
	for (uint32_t i = 0; i < HEALTH_TARGETS_MAX; i++) {
		struct health_entry *e = &page->entries[(target + i) & PAGE_INDEX_MASK];

		if (e->target > HEALTH_TARGET_FREED)
			continue;
		__atomic_store_n(&e->word, word, __ATOMIC_RELEASE);
		__atomic_store_n(&e->target, target, __ATOMIC_RELEASE);
		return;
	}
}

/* Free the entries that are not in @p sorted. @return how many places are marked as freed now */
static size_t release_others(struct health_page *page, const uint64_t *sorted, size_t n)
{
	size_t n_freed = 0;

	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++) {
		struct health_entry *e = &page->entries[i];
		uint64_t target = e->target;

		if (target > HEALTH_TARGET_FREED &&
		    !bsearch(&target, sorted, n, sizeof(*sorted), sorted_by_u64)) {
			__atomic_store_n(&e->target, HEALTH_TARGET_FREED, __ATOMIC_RELEASE);
			__atomic_store_n(&e->word, 0, __ATOMIC_RELEASE);
		}
		n_freed += e->target == HEALTH_TARGET_FREED;
	}
	return n_freed;
}

/* Build the table again without freed marks, from the copy @p old. */
static void rebuild_table(struct health_page *page, const struct health_entry *old)
{
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++)
		__atomic_store_n(&page->entries[i].target, 0, __ATOMIC_RELEASE);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++)
		if (old[i].target > HEALTH_TARGET_FREED)
			insert_target(page, old[i].target, old[i].word);
}

static bool same_targets(const struct health_page *page, const uint64_t *targets, size_t n)
{
	if (page->n_entries != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (health_find_index(page, targets[i]) < 0)
			return false;
	return true;
}

int health_set_targets(struct health_page *page, const uint64_t *targets, size_t n,
                       uint64_t document)
{
	if (n > HEALTH_TARGETS_MAX)
		return -ENOSPC;
	if (!(page->generation & 1) && same_targets(page, targets, n)) {
		__atomic_store_n(&page->document, document, __ATOMIC_RELEASE);
		return 0;
	}

	struct health_entry *old = malloc(sizeof(page->entries));
	uint64_t *sorted = malloc((n ? n : 1) * sizeof(*sorted));
	if (!old || !sorted) {
		free(old);
		free(sorted);
		return -ENOMEM;
	}
	if (n)
		memcpy(sorted, targets, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), sorted_by_u64);

	__atomic_store_n(&page->document, document, __ATOMIC_RELEASE);
	__atomic_store_n(&page->generation, page->generation | 1, __ATOMIC_SEQ_CST);
	if (release_others(page, sorted, n) > HEALTH_TARGETS_MAX / 2) {
		memcpy(old, page->entries, sizeof(page->entries));
		rebuild_table(page, old);
	}
	for (size_t i = 0; i < n; i++)
		if (health_find_index(page, sorted[i]) < 0)
			insert_target(page, sorted[i], 0);
	__atomic_store_n(&page->n_entries, (uint32_t)n, __ATOMIC_RELEASE);
	__atomic_store_n(&page->generation, page->generation + 1, __ATOMIC_SEQ_CST);
	free(old);
	free(sorted);
	return 0;
}

const char *health_reason_text(enum health_reason reason)
{
	static const char *const texts[HEALTH_REASON_COUNT] = {
		[HEALTH_REASON_NONE] = "none",
		[HEALTH_REASON_OK] = "ok",
		[HEALTH_REASON_TIMEOUT] = "timeout",
		[HEALTH_REASON_REFUSED] = "refused",
		[HEALTH_REASON_UNREACHABLE] = "unreachable",
		[HEALTH_REASON_RESET] = "reset",
		[HEALTH_REASON_BAD_STATUS] = "bad-status",
		[HEALTH_REASON_BAD_ANSWER] = "bad-answer",
		[HEALTH_REASON_POOL] = "pool",
		[HEALTH_REASON_LOCAL] = "not-sent",
		[HEALTH_REASON_FULL_SIZE] = "full-size",
		[HEALTH_REASON_EXTERNAL] = "external",
	};

	return (unsigned)reason < HEALTH_REASON_COUNT ? texts[reason] : "other";
}

const char *health_state_text(enum health_state state)
{
	static const char *const texts[] = { "unknown", "up", "down" };

	return (unsigned)state < 3 ? texts[state] : "other";
}
