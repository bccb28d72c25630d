/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as a line of JSON; in a file of its own, so that export/trace.c links without jansson. */
#include <stdio.h>

#include "record/fields.h"
#include "weir/json.h"
#include "weir/trace.h"

#define ENDPOINT_MAX (ADDR_TEXT_MAX + sizeof("[]:65535"))

struct trace_shown {
	bool ok, syn, has_slot, settled, has_backend, remembered, leaves;
	char source[ENDPOINT_MAX], destination[ENDPOINT_MAX];
	const char *protocol, *action, *reason;
	uint16_t length;
	uint64_t hash, backend_id;
	uint32_t slot, pool, ifindex;
	char backend[ADDR_TEXT_MAX], outer_source[ADDR_TEXT_MAX];
	const struct trace_step *steps;
	size_t n_steps;
};

static const struct record_kind step_record =
        RECORD_OF(struct trace_step, "step", NULL, SHOW(struct trace_step, step),
                  SHOW(struct trace_step, text));

/* Shown where the packet came so far. */
#define IF(has) ONLY_IF(struct trace_shown, has)
static const struct record_kind trace_record = RECORD_OF(
        struct trace_shown, "trace", NULL, SHOW(struct trace_shown, ok),
        SHOW(struct trace_shown, source), SHOW(struct trace_shown, destination),
        SHOW(struct trace_shown, protocol), SHOW(struct trace_shown, syn),
        SHOW(struct trace_shown, length), SHOW(struct trace_shown, action),
        SHOW(struct trace_shown, reason), SHOW_HEX(struct trace_shown, "hash", hash, IF(has_slot)),
        SHOW(struct trace_shown, slot, IF(has_slot)), SHOW(struct trace_shown, pool, IF(has_slot)),
        SHOW(struct trace_shown, settled, IF(has_slot)),
        SHOW_HEX(struct trace_shown, "backend_id", backend_id, IF(has_backend)),
        SHOW(struct trace_shown, backend, IF(has_backend)),
        SHOW(struct trace_shown, remembered, IF(has_backend)),
        SHOW(struct trace_shown, outer_source, IF(leaves)),
        SHOW(struct trace_shown, ifindex, IF(leaves)),
        SHOW_RECORDS(struct trace_shown, "steps", steps, n_steps, &step_record));

static void write_endpoint(const struct addr *a, uint16_t port, char out[ENDPOINT_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, ENDPOINT_MAX, addr_is4(a) ? "%s:%u" : "[%s]:%u", addr_text(a, text), port);
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
		.remembered = r->remembered,
		.leaves = r->backend_id && r->ifindex,
		.ifindex = r->ifindex,
		.steps = r->steps,
		.n_steps = r->n_steps,
	};

	write_endpoint(&q->source, q->source_port, shown.source);
	write_endpoint(&q->vip, q->vip_port, shown.destination);
	addr_text(&r->backend, shown.backend);
	addr_text(&r->outer_source, shown.outer_source);
	return json_line(record_shown(&trace_record, &shown));
}
