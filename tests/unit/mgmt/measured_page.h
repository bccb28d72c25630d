/* SPDX-License-Identifier: BSD-2-Clause */
/* The page on which weir-dataplane says what it measures, as over the last ten seconds. */
#ifndef WEIR_TESTS_MGMT_MEASURED_PAGE_H
#define WEIR_TESTS_MGMT_MEASURED_PAGE_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/measure.h"

/* Its rows have room, and are zero. @param page  out: for page_close() */
static inline struct measure_page *measured_page_make(const char *run_dir, uint32_t n_services,
                                                      uint32_t n_pools, struct page **page)
{
	char path[PATH_MAX];

	assert_int_equal(proc_path(run_dir, MEASURE_PAGE_FILE, path), 0);
	assert_int_equal(page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT,
	                             measure_page_bytes(n_services, n_pools), page),
	                 0);
	struct measure_page *rows = page_payload(*page);

	rows->max_services = n_services;
	rows->max_pools = n_pools;
	rows->node = (struct measure_node){
		.n_services = n_services, .n_pools = n_pools, .last_ms = 1000, .recent_ms = 10000
	};
	page_alive(*page, clock_mono_ms());
	return rows;
}

/* New flows of the service web to its pool at ams. */
static inline struct measure_page *measured_page_web(const char *run_dir, uint64_t per_s,
                                                     struct page **page)
{
	struct measure_page *rows = measured_page_make(run_dir, 1, 1, page);

	*measure_page_services(rows) =
	        (struct measure_service){ .service = hash_text("web"),
		                          .recent = { .new_flows = 10 * per_s } };
	*measure_page_pools(rows) = (struct measure_pool){ .pool = hash_text("web-ams"),
		                                           .recent = { .own_flows = 10 * per_s } };
	return rows;
}

#endif
