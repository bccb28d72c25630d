/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/observe/dns_rate.h"

#include <string.h>

#include "weir/life.h"
#include "weir/stats.h"

#define EARLY_MS 50u /* the caller's rounds are not exact */

/* Queries by all transports. @return false: the counters are not there */
static bool read_page(const char *run_dir, uint64_t now_ms, uint64_t *pid, uint64_t *queries)
{
	struct stats_reader *page;
	bool ok = false;

	if (stats_reader_open(run_dir, "dns", &page))
		return false;
	*pid = stats_reader_pid(page);
	if (life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_COUNTS, now_ms))
		ok = stats_reader_sum(page, "weir_dns_queries_total", queries);
	stats_reader_close(page);
	return ok;
}

void dns_rate_look(struct dns_rate *r, const char *run_dir, uint64_t now_ms)
{
	uint64_t pid, queries;

	if (r->n && now_ms + EARLY_MS < r->readings[r->n - 1].at_ms + DNS_RATE_EVERY_MS)
		return;
	if (!read_page(run_dir, now_ms, &pid, &queries)) {
		r->n = 0;
		return;
	}
	if (pid != r->pid || (r->n && queries < r->readings[r->n - 1].queries))
		r->n = 0;
	r->pid = pid;
	if (r->n == DNS_RATE_READINGS)
		memmove(r->readings, r->readings + 1, --r->n * sizeof(r->readings[0]));
	r->readings[r->n++] = (struct dns_rate_reading){ now_ms, queries };
}

bool dns_rate_get(const struct dns_rate *r, uint64_t *milli)
{
	if (r->n < 2)
		return false;
	const struct dns_rate_reading *first = &r->readings[0], *last = &r->readings[r->n - 1];

	*milli = (last->queries - first->queries) * 1000000 / (last->at_ms - first->at_ms);
	return true;
}
