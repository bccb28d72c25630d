/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_refresh() finds the gauges by name on the dataplane's stats page and keeps pointers into the
 * mapped page; a verdict then costs one atomic load for each. A gauge that is not there is NULL,
 * and 0.
 */
#include "healthcheck/gate.h"

#include <string.h>

#include "base/addr.h"
#include "weir/probe.h"
#include "weir/stats.h"

static const uint64_t *find_gauge(const struct stats_reader *r, const char *name)
{
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (__atomic_load_n(&e->used, __ATOMIC_ACQUIRE) && !strcmp(e->name, name))
			return &e->value;
	}
	return NULL;
}

void gate_refresh(struct gate *g, const char *run_dir)
{
	struct stats_reader *r;

	gate_close(g);
	if (stats_reader_open(run_dir, "dataplane", &r))
		return;
	*g = (struct gate){ .reader = r,
		            .document = find_gauge(r, PROBE_GAUGE),
		            .since_ms = find_gauge(r, PROBE_SINCE_GAUGE),
		            .families = find_gauge(r, PROBE_FAMILIES_GAUGE) };
}

void gate_close(struct gate *g)
{
	stats_reader_close(g->reader);
	*g = (struct gate){ 0 };
}

static uint64_t load_gauge(const uint64_t *word)
{
	return word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : 0;
}

uint64_t gate_document(const struct gate *g)
{
	return load_gauge(g->document);
}

bool gate_lets(const struct gate *g, uint64_t document, uint64_t sent_ms)
{
	return gate_document(g) >= document && load_gauge(g->since_ms) < sent_ms;
}

bool gate_reaches(const struct gate *g, const struct addr *vip)
{
	return !(load_gauge(g->families) & (addr_is4(vip) ? PROBE_FAMILY_IP4 : PROBE_FAMILY_IP6));
}
