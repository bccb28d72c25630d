/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A word is a state in its two low bits, and above them the millisecond at which it ends: read and written whole, so that
 * no reader has one verdict with another one's end. The table is that of the health page.
 */
#include "weir/external_page.h"

#include "base/page.h"

#define STATE_BITS 2u

int external_page_open(const char *run_dir, struct page **out)
{
	static const struct page_form form = { EXTERNAL_PAGE_FILE, EXTERNAL_PAGE_KIND,
		                               EXTERNAL_PAGE_LAYOUT, sizeof(struct external_page),
		                               "mgmt" };

	return page_open_in(run_dir, &form, out);
}

uint64_t external_page_word(enum health_state state, int64_t end_ms)
{
	if (state == HEALTH_UNKNOWN || end_ms <= 0)
		return 0;
	return (uint64_t)end_ms << STATE_BITS | (uint64_t)state;
}

/* What a word says. */
static enum health_state state_of(uint64_t word, uint64_t now_ms)
{
	enum health_state state = health_state(word);

	if (now_ms >= word >> STATE_BITS || (state != HEALTH_UP && state != HEALTH_DOWN))
		return HEALTH_UNKNOWN;
	return state;
}

bool external_page_read(const struct external_page *page, uint64_t target, uint64_t now_ms,
                        enum health_state *out)
{
	uint32_t layout = page ? __atomic_load_n(&page->table.generation, __ATOMIC_ACQUIRE) : 1;

	if (layout & 1) /* no page, or targets are moved just now */
		return false;
	int index = health_find_index(&page->table, target);
	uint64_t word = health_read(&page->table, index);
	bool complete = __atomic_load_n(&page->complete, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&page->table.generation, __ATOMIC_ACQUIRE) != layout || index < 0 ||
	    (!word && !complete))
		return false;
	*out = state_of(word, now_ms);
	return true;
}
