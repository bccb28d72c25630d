/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Peer health: what the other nodes' weir-health observes, one page for each node.
 *
 * weir-mgmt hears the words of each peer's health page (mgmt/peers/exchange.h), and keeps them in
 * RUN/view-NODE.page. It is the only writer; any process may read. A page has the words of the
 * health page (weir/health.h) for the services' targets of the own document. A page is fresh for
 * PEER_PAGE_GOOD_MS after the last sign of life of that node's weir-health; the words of a page
 * that is not fresh stay as they were. Implemented in pages/peer_page.c; any thread.
 */
#ifndef WEIR_PEER_PAGE_H
#define WEIR_PEER_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/health.h"

#define PEER_PAGE_KIND    "view"
#define PEER_PAGE_LAYOUT  1u
#define PEER_PAGE_GOOD_MS 5000u

/** The page's payload. */
struct peer_page {
	uint64_t good_until_ms; /**< monotonic; 0: never heard of */
	struct health_page health;
};

/** Path of the page with @p node's health. @p out has room for PATH_MAX. @return 0 or -ENAMETOOLONG */
MUST_CHECK int peer_page_path(const char *run_dir, const char *node, char *out);
/** Reader: map that page. @return 0, with @p out for page_close(), or as page_open_in() (base/page.h) */
MUST_CHECK int peer_page_open(const char *run_dir, const char *node, struct page **out);
/** Reader: when what the page says ceases to be fresh (atomic). */
uint64_t peer_page_good_until_ms(const struct peer_page *page);
/** Writer: set it (atomic). */
void peer_page_set_good_until_ms(struct peer_page *page, uint64_t at_ms);

/** Enough for a target or a word in hex. */
#define PEER_PAGE_HEX_MAX 17
/** Write @p value as 16 digits, as nodes send words to each other. */
void peer_page_hex(uint64_t value, char out[PEER_PAGE_HEX_MAX]);
/**
 * Read a word as another node sends it: exactly 16 lower-case hex digits, a state that is one;
 * a reason not known here becomes none, unknown bits are dropped.
 * @param text  NULL is no word
 * @return whether it is one; @p out untouched if not
 */
bool peer_page_read_word(const char *text, health_word *out);

#endif
