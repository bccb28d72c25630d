/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as a line of JSON; in a file of its own, so that export/trace.c links without jansson. */
#include <stdio.h>

#include "record/answers.h"
#include "weir/json.h"
#include "weir/trace.h"

static void write_endpoint(const struct addr *a, uint16_t port, char out[TRACE_ENDPOINT_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, TRACE_ENDPOINT_MAX, addr_is4(a) ? "%s:%u" : "[%s]:%u", addr_text(a, text),
	         port);
}

char *trace_json(const struct trace_query *q, const struct trace_result *r)
{
	struct trace_shown shown = {
		.ok = true,
		.protocol = q->protocol == 6 ? "tcp" : "udp",
		.syn = q->syn,
		.length = q->length,
		.action = r->action,
		.reason = r->reason,
		.has_slot = r->slot != ~0u,
		.hash = r->hash,
		.slot = r->slot,
		.pool = r->pool,
		.settled = r->settled,
		.has_backend = r->backend_id != 0,
		.backend_id = r->backend_id,
		.backend = r->backend,
		.outer_source = r->outer_source,
		.remembered = r->remembered,
		.leaves = r->backend_id && r->ifindex,
		.ifindex = r->ifindex,
		.steps = json_array(),
	};

	for (size_t i = 0; i < r->n_steps; i++)
		json_array_append_new(shown.steps,
		                      SHOWN(trace_step_shown, r->steps[i].step, r->steps[i].text));
	write_endpoint(&q->source, q->source_port, shown.source);
	write_endpoint(&q->vip, q->vip_port, shown.destination);
	return json_line(record_shown(&trace_shown_kind, &shown));
}
