/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket of lines: ten at once, then one more each second. A change that finds it empty is
 * counted by its state, and the counts are logged every ten seconds.
 */
#include "dataplane/nexthop/hop_log.h"

#include "base/log.h"

static void give_lines_back(struct hop_log *l, uint64_t now_ms)
{
	uint64_t n = (now_ms - l->since_ms) / HOP_LOG_LINE_MS;

	l->used = n < l->used ? l->used - (uint32_t)n : 0;
	l->since_ms += n * HOP_LOG_LINE_MS;
}

static void write_hop_line(const struct addr *address, const struct hop *hop)
{
	char text[ADDR_TEXT_MAX];

	log_info("next-hop", "address=%s state=\"%s\" ifindex=%u vlan=%u mtu=%u",
	         addr_text(address, text), hop_state_text(hop->state), hop->ifindex, hop->vlan,
	         hop->mtu);
}

void hop_log_change(struct hop_log *l, const struct addr *address, const struct hop *hop,
                    uint64_t now_ms)
{
	give_lines_back(l, now_ms);
	if (l->used < HOP_LOG_BURST) {
		l->used++;
		write_hop_line(address, hop);
	} else {
		l->unlogged[hop->state]++;
	}
}

uint32_t hop_log_report(struct hop_log *l, uint64_t now_ms)
{
	uint32_t n = 0;

	if (now_ms - l->reported_ms < HOP_LOG_REPORT_MS)
		return 0;
	for (size_t i = 0; i < HOP_LOG_STATES; i++)
		n += l->unlogged[i];
	l->reported_ms = now_ms;
	if (!n)
		return 0;
	log_info("next-hops", "more_changes=%u known=%u no_route=%u no_port=%u no_neighbour=%u", n,
	         l->unlogged[HOP_KNOWN], l->unlogged[HOP_NO_ROUTE], l->unlogged[HOP_NO_PORT],
	         l->unlogged[HOP_NO_NEIGHBOUR]);
	for (size_t i = 0; i < HOP_LOG_STATES; i++)
		l->unlogged[i] = 0;
	return n;
}
