/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums the counters of the three ends that a packet can have that is too big for its tunnel. */
#include "mgmt/observe/too_big.h"

#include <string.h>

#include "weir/fwd/mss.h"
#include "weir/life.h"
#include "weir/stats.h"

#define COUNTER "weir_dataplane_packets_total"
#define REASON  "reason=\"too_big" /* and _told, _untold; errors about our tunnels begin otherwise */

/* Whether an entry counts such packets; the page's writer is not trusted to end its texts. */
static bool is_too_big(const struct stats_entry *e)
{
	return __atomic_load_n(&e->used, __ATOMIC_ACQUIRE) &&
	       strncmp(e->name, COUNTER, sizeof(e->name)) == 0 &&
	       memmem(e->labels, strnlen(e->labels, sizeof(e->labels)), REASON, strlen(REASON));
}

bool too_big_read(const char *run_dir, uint64_t now_ms, uint64_t *out)
{
	struct stats_reader *page;
	uint64_t sum = 0;
	bool is_known = false;

	if (stats_reader_open(run_dir, "dataplane", &page))
		return false;
	for (size_t i = 0; i < stats_reader_n(page); i++) {
		const struct stats_entry *e = stats_reader_entry(page, i);

		if (!is_too_big(e))
			continue;
		is_known = true;
		sum += __atomic_load_n(&e->value, __ATOMIC_RELAXED);
	}
	is_known = is_known && life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_COUNTS, now_ms);
	stats_reader_close(page);
	if (is_known)
		*out = sum;
	return is_known;
}

#define FITTING_MSS_ROWS(X, t)                                                                     \
	X(t, uint64_t, too_big, KNOWN_IF(t, has_too_big))                                          \
	X(t, uint32_t, ipv4, KNOWN_IF(t, has_ipv4)) /* 0: none fits */                             \
	X(t, uint32_t, ipv6, KNOWN_IF(t, has_ipv6))                                                \
	X(t, bool, has_too_big, HIDDEN)                                                            \
	X(t, bool, has_ipv4, HIDDEN)                                                               \
	X(t, bool, has_ipv6, HIDDEN)
RECORD_ANSWER(fitting_mss, "mss", FITTING_MSS_ROWS);

json_t *too_big_mss(const uint64_t *too_big, const struct effect_backend *rows, int n)
{
	uint32_t inner = 0;

	for (int i = 0; i < n; i++)
		if (rows[i].next_hop && !rows[i].is_backup && (!inner || rows[i].inner_mtu < inner))
			inner = rows[i].inner_mtu;
	struct fitting_mss mss = { .has_too_big = too_big,
		                   .too_big = too_big ? *too_big : 0,
		                   .ipv4 = mss_fit(inner, 0, true),
		                   .ipv6 = mss_fit(inner, 0, false) };
	mss.has_ipv4 = mss.ipv4 > 0;
	mss.has_ipv6 = mss.ipv6 > 0;
	return record_shown(&fitting_mss_kind, &mss);
}
