/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * External verdicts, from weir-mgmt to weir-health: one word for each target of an external check, the verdict and when
 * it ends. So a verdict ends in time although weir-mgmt hangs, and stands although it starts again.
 *
 * A page outlives its writer. One that has just started does not know yet what was said before: until it has heard its
 * peers, a target without a word is not known to have none (external_page.complete). One that had a word is unknown when
 * that is over.
 *
 * weir-mgmt writes it (mgmt/peers/externals.c); any process may read. Implemented in pages/external_page.c; any thread.
 */
#ifndef WEIR_EXTERNAL_PAGE_H
#define WEIR_EXTERNAL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/health.h"

#define EXTERNAL_PAGE_FILE   "external.page"
#define EXTERNAL_PAGE_KIND   "external"
#define EXTERNAL_PAGE_LAYOUT 1u

/** The page's payload. */
struct external_page {
	uint64_t complete;        /**< not 0: a target without a verdict has none */
	struct health_page table; /**< of external_page_word() */
};

/** Map the page of the run directory. @return 0, with @p out for page_close(), or as page_open_in() (base/page.h) */
MUST_CHECK int external_page_open(const char *run_dir, struct page **out);

/** The word of a verdict that stands until @p end_ms, monotonic; HEALTH_UNKNOWN: 0, that there is none. */
uint64_t external_page_word(enum health_state state, int64_t end_ms);

/**
 * What the page says of @p target.
 * A damaged word says unknown. @return false: that is not known, as there is no page or its writer has not heard all; @p out is untouched then
 */
bool external_page_read(const struct external_page *page, uint64_t target, uint64_t now_ms,
                        enum health_state *out);

#endif
