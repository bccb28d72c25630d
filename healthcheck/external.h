/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs say of targets of external checks, as weir-mgmt publishes it (weir/external_page.h). Read at each look of a
 * target. Loop's thread only.
 */
#ifndef HEALTHCHECK_EXTERNAL_H
#define HEALTHCHECK_EXTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/health.h"

struct page;

struct external_source {
	struct page *page; /* NULL: there is none */
};

/* Look for the page again; once a second, as it may be another file. */
void external_source_refresh(struct external_source *s, const char *run_dir);
void external_source_close(struct external_source *s);
/* What is said of @p target at @p now_ms. @return false: that is not known here */
bool external_source_read(const struct external_source *s, uint64_t target, uint64_t now_ms,
                          enum health_state *out);

#endif
