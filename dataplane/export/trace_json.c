/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as a line of JSON; in a file of its own, so that export/trace.c links without jansson. */
#include <stdio.h>

#include "record/fields.h"
#include "weir/json.h"
#include "weir/trace.h"

#define ENDPOINT_MAX (ADDR_TEXT_MAX + sizeof("[]:65535"))

static const struct record_kind step_record =
        RECORD_OF(struct trace_step, "step", NULL, SHOW(struct trace_step, step),
                  SHOW(struct trace_step, text));

/* Shown where the packet came so far. */
#define IF(t, has) ONLY_IF(struct t, has)
#define TRACE_SHOWN_ROWS(X, t)                                                                     \
	X(t, bool, ok)                                                                             \
	X(t, char[ENDPOINT_MAX], source)                                                           \
	X(t, char[ENDPOINT_MAX], destination)                                                      \
	X(t, const char *, protocol)                                                               \
	X(t, bool, syn)                                                                            \
	X(t, uint16_t, length)                                                                     \
	X(t, const char *, action)                                                                 \
	X(t, const char *, reason)                                                                 \
	X(t, uint64_t, hash, .kind = FIELD_HEX, IF(t, has_slot))                                   \
	X(t, uint32_t, slot, IF(t, has_slot))                                                      \
	X(t, uint32_t, pool, IF(t, has_slot))                                                      \
	X(t, bool, settled, IF(t, has_slot))                                                       \
	X(t, uint64_t, backend_id, .kind = FIELD_HEX, IF(t, has_backend))                          \
	X(t, struct addr, backend, IF(t, has_backend))                                             \
	X(t, bool, remembered, IF(t, has_backend))                                                 \
	X(t, struct addr, outer_source, IF(t, leaves))                                             \
	X(t, uint32_t, ifindex, IF(t, leaves))                                                     \
	X(t, const struct trace_step *, steps, AS_LIST(t, steps, n_steps, step_record))            \
	X(t, size_t, n_steps, HIDDEN)                                                              \
	X(t, bool, has_slot, HIDDEN)                                                               \
	X(t, bool, has_backend, HIDDEN)                                                            \
	X(t, bool, leaves, HIDDEN)
RECORD_SHOWN(trace_shown, "trace", TRACE_SHOWN_ROWS);

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
		.backend = r->backend,
		.outer_source = r->outer_source,
		.remembered = r->remembered,
		.leaves = r->backend_id && r->ifindex,
		.ifindex = r->ifindex,
		.steps = r->steps,
		.n_steps = r->n_steps,
	};

	write_endpoint(&q->source, q->source_port, shown.source);
	write_endpoint(&q->vip, q->vip_port, shown.destination);
	return json_line(record_shown(&trace_shown_kind, &shown));
}
