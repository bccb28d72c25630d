/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of what peers observe, and words as nodes send them to each other: 16 hexadecimal
 * digits. A word from a peer is checked field by field before it is used.
 */
#include "weir/peer_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/page.h"
#include "base/plain.h"
#include "base/proc.h"

#define PEER_PAGE_FILE_MAX 128

/* @return @p out; "" if it has no room, which no path is made of */
static const char *name_page(const char *node, char out[PEER_PAGE_FILE_MAX])
{
	if (snprintf(out, PEER_PAGE_FILE_MAX, "view-%s.page", node) >= PEER_PAGE_FILE_MAX)
		*out = '\0';
	return out;
}

int peer_page_path(const char *run_dir, const char *node, char *out)
{
	char name[PEER_PAGE_FILE_MAX];

	return proc_path(run_dir, name_page(node, name), out);
}

int peer_page_open(const char *run_dir, const char *node, struct page **out)
{
	char name[PEER_PAGE_FILE_MAX];
	const struct page_form form = { name_page(node, name), PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
		                        sizeof(struct peer_page), "mgmt" };

	return page_open_in(run_dir, &form, out);
}

uint64_t peer_page_good_until_ms(const struct peer_page *page)
{
	return __atomic_load_n(&page->good_until_ms, __ATOMIC_ACQUIRE);
}

void peer_page_set_good_until_ms(struct peer_page *page, uint64_t at_ms)
{
	__atomic_store_n(&page->good_until_ms, at_ms, __ATOMIC_RELEASE);
}

void peer_page_hex(uint64_t value, char out[PEER_PAGE_HEX_MAX])
{
	snprintf(out, PEER_PAGE_HEX_MAX, "%016" PRIx64, value);
}

bool peer_page_read_word(const char *text, health_word *out)
{
	health_word word = 0;

	if (!plain_is_hex(text, PEER_PAGE_HEX_MAX - 1))
		return false;
	for (size_t i = 0; i < PEER_PAGE_HEX_MAX - 1; i++)
		word = word << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
	if (health_state(word) > HEALTH_DOWN)
		return false;
	enum health_reason reason = health_reason(word);
	*out = health_make(health_state(word), (unsigned)(word >> 2) & 0x3f,
	                   reason < HEALTH_REASON_COUNT ? reason : HEALTH_REASON_NONE,
	                   health_since_s(word));
	return true;
}
