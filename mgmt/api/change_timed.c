/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts are in the order of a change. The sum is less than the answer takes: waiting for locks
 * and for other nodes is no part, nor is the time until the processes have taken the document.
 */
#include "mgmt/api/change_timed.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "weir/stats.h"

#define PARTS 5u

void change_timed(struct core *core, const struct http_request *r, uint64_t began_ns,
                  const struct change_times *times)
{
	const struct {
		const char *labels;
		uint64_t us;
	} parts[PARTS] = {
		{ "part=\"read\"", (began_ns - r->began_ns) / 1000 },
		{ "part=\"check\"", times->check_us },
		{ "part=\"plan\"", times->plan_us },
		{ "part=\"store\"", times->store_us },
		{ "part=\"document\"", times->document_us },
	};

	for (size_t i = 0; core->stats && i < PARTS; i++)
		stats_set(stats_get_counter(core->stats, STATS_GAUGE,
		                            "weir_mgmt_change_microseconds", parts[i].labels,
		                            "How long a part of the last change took; shown as "
		                            "weir_mgmt_change_seconds."),
		          parts[i].us);
	log_note("change-timed",
	         "read_us=%" PRIu64 " check_us=%" PRIu64 " plan_us=%" PRIu64 " store_us=%" PRIu64
	         " document_us=%" PRIu64,
	         parts[0].us, parts[1].us, parts[2].us, parts[3].us, parts[4].us);
}
