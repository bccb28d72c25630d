/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard `room`, of one step:
 *
 *   a receiver's capacity is   its load is       verdict
 *   not stated (any receiver)  any               not checked: passes
 *   stated                     not known         unknown: no room
 *   stated                     above 85 %        full: no room
 *   stated                     at most 85 %      room
 *
 * Of several receivers the worst counts: full, then unknown. New flows and bits are each checked
 * where a capacity is stated for them.
 */
#include "mgmt/operations/projection.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One of the two capacities of a site. */
struct capacity {
	const char *unit;
	uint64_t stated, load;
	bool known;
};

static void judge_capacity(const struct model *m, uint32_t site, const struct capacity *c,
                           struct projection_room *out)
{
	double used = (double)c->load / (double)c->stated, limit = PROJECTION_ROOM_PERCENT / 100.0;

	if (!c->known) {
		if (out->verdict == PROJECTION_FULL)
			return;
		out->verdict = PROJECTION_UNKNOWN;
		out->site = site;
		snprintf(out->detail, sizeof(out->detail),
		         "site %s states a capacity of %" PRIu64
		         " %s, and its load or what it would get is not known",
		         m->sites[site].name, c->stated, c->unit);
	} else if (used > limit) {
		out->verdict = PROJECTION_FULL;
		out->site = site;
		out->margin_ppm = 0;
		snprintf(out->detail, sizeof(out->detail),
		         "site %s would have %" PRIu64 " %s, more than %u %% of its capacity of "
		         "%" PRIu64,
		         m->sites[site].name, c->load, c->unit, PROJECTION_ROOM_PERCENT, c->stated);
	} else if (out->margin_ppm > (uint32_t)((limit - used) * 1e6)) {
		out->margin_ppm = (uint32_t)((limit - used) * 1e6);
	}
}

static uint64_t sum_of(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* @return how many of its capacities are stated */
static unsigned judge_site(const struct model *m, uint32_t site, const struct projection_site *s,
                           struct projection_room *out)
{
	const struct capacity both[] = {
		{ "new flows/s", m->sites[site].capacity_flows,
		  sum_of(s->flows_per_s, s->backup_flows_per_s), s->flows_known },
		{ "bits/s", m->sites[site].capacity_bits,
		  sum_of(s->bits_per_s, s->backup_bits_per_s), s->bits_known },
	};
	unsigned n = 0;

	for (size_t i = 0; i < 2; i++) {
		if (!both[i].stated)
			continue;
		n++;
		if (out->verdict != PROJECTION_FULL)
			judge_capacity(m, site, &both[i], out);
	}
	return n;
}

void projection_judge_room(const struct model *m, const struct projection_step *step,
                           struct projection_room *out)
{
	unsigned n_stated = 0, n_receivers = 0;

	*out = (struct projection_room){ .verdict = PROJECTION_ROOM, .margin_ppm = 1000000 };
	for (uint32_t i = 0; i < m->n_sites && i < PROJECTION_SITES_MAX; i++) {
		if (!step->sites[i].receives)
			continue;
		n_receivers++;
		n_stated += judge_site(m, i, &step->sites[i], out);
	}
	if (out->verdict != PROJECTION_ROOM)
		return;
	if (n_stated) {
		snprintf(out->detail, sizeof(out->detail),
		         "all receiving sites that state a capacity stay below %u %% of it",
		         PROJECTION_ROOM_PERCENT);
		return;
	}
	out->verdict = PROJECTION_NOT_CHECKED;
	out->margin_ppm = 0;
	snprintf(out->detail, sizeof(out->detail),
	         n_receivers ? "not checked: no receiving site states a capacity"
	                     : "not checked: no site receives clients");
}

bool projection_has_room(enum projection_verdict verdict)
{
	return verdict == PROJECTION_ROOM || verdict == PROJECTION_NOT_CHECKED;
}
