/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ways to see whether a device spreads frames. rss_judge() believes what the device says of
 * itself when its settings are read back. rss_watch() believes only frames: each worker sets a bit
 * for some of the flows that come by its queue, 64 bits in all. If one queue has half of the bits
 * and no other has more than chance would give it, the device does not spread.
 */
#include "dataplane/dpdk/rss.h"

#include <stdio.h>

/*
 * Bits of flows. A queue with SEVERAL gets flows; one with MANY has seen enough flows to judge:
 * chance hardly gives all of them but a few to one of two queues.
 */
#define SEVERAL 4
#define MANY    32

#define RSS_TEXT_(name, text) text,
static const char *const flow_texts[] = { RSS_FLOWS(RSS_TEXT_) };
#undef RSS_TEXT_

void rss_entry(struct rss_seen *s, uint32_t queue)
{
	s->n_entries++;
	if (queue < s->n_queues && queue < RSS_QUEUES_MAX)
		s->entries[queue]++;
	else
		s->n_stray++;
}

enum rss_spread rss_watch(const uint64_t *flows, uint32_t n_queues)
{
	uint32_t several = 0, many = 0;

	for (uint32_t i = 0; i < n_queues; i++) {
		several += __builtin_popcountll(flows[i]) >= SEVERAL;
		many += __builtin_popcountll(flows[i]) >= MANY;
	}
	if (several > 1)
		return RSS_SPREAD;
	return many ? RSS_NOT_SPREAD : RSS_OPEN;
}

static const char *flow_not_hashed(const struct rss_seen *s)
{
	for (uint32_t i = 0; s->hash_known && i < RSS_FLOW_COUNT; i++)
		if (s->requested & ~s->got & 1u << i)
			return flow_texts[i];
	return NULL;
}

/*
 * Only the worst finding is reported: lost frames, unequal shares, flows that are not hashed, no
 * answer.
 */
void rss_judge(const struct rss_seen *s, char *text, size_t size)
{
	uint32_t least = UINT32_MAX, most = 0;
	const char *flow = flow_not_hashed(s);

	for (uint32_t i = 0; i < s->n_queues && i < RSS_QUEUES_MAX; i++) {
		least = s->entries[i] < least ? s->entries[i] : least;
		most = s->entries[i] > most ? s->entries[i] : most;
	}
	*text = 0;
	if (s->n_stray)
		snprintf(text, size,
		         "%u of the %u entries of its redirection table name no queue of ours: "
		         "those frames are lost",
		         s->n_stray, s->n_entries);
	else if (s->n_entries && most - least > 1)
		snprintf(text, size,
		         "its redirection table has %u to %u entries a queue: workers get unequal "
		         "shares",
		         least, most);
	else if (flow)
		snprintf(text, size, "it does not hash %s, although that was requested", flow);
	else if (!s->hash_known && !s->n_entries)
		snprintf(text, size,
		         "it does not say how it spreads frames: compare "
		         "weir_dataplane_worker_frames_total of the workers");
}
