/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/observe/flow_samples.h"

#include <string.h>

bool flow_samples_are_due(const struct flow_samples *s, uint64_t now_ms)
{
	return !s->n || now_ms - s->minutes[s->n - 1].at_ms >= FLOW_SAMPLES_EVERY_MS;
}

void flow_samples_keep(struct flow_samples *s, const struct measure_source *list, size_t n,
                       uint64_t now_ms)
{
	struct flow_samples_minute *to;

	if (s->n == FLOW_SAMPLES_KEPT)
		memmove(s->minutes, s->minutes + 1, --s->n * sizeof(*s->minutes));
	to = &s->minutes[s->n++];
	to->at_ms = now_ms;
	to->n = n < MEASURE_SOURCES_MAX ? n : MEASURE_SOURCES_MAX;
	if (to->n)
		memcpy(to->list, list, to->n * sizeof(*list));
}

void flow_samples_forget(struct flow_samples *s)
{
	if (s->n)
		memset(s, 0, sizeof(*s));
}

size_t flow_samples_since(const struct flow_samples *s, uint64_t since_ms,
                          struct measure_source *out, size_t *minutes)
{
	size_t n = 0;

	*minutes = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct flow_samples_minute *from = &s->minutes[i];

		if (from->at_ms < since_ms)
			continue;
		memcpy(out + n, from->list, from->n * sizeof(*out));
		n += from->n;
		++*minutes;
	}
	return n;
}
