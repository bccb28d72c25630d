/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as a line of JSON; in a file of its own, so that export/trace.c links without jansson. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "weir/json.h"
#include "weir/trace.h"

static json_t *steps_json(const struct trace_result *r)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < r->n_steps; i++)
		json_array_append_new(steps, json_pack("{s:s, s:s}", "step", r->steps[i].step,
		                                       "text", r->steps[i].text));
	return steps;
}

static json_t *endpoint_json(const struct addr *a, uint16_t port)
{
	char text[ADDR_TEXT_MAX];

	return json_sprintf(addr_is4(a) ? "%s:%u" : "[%s]:%u", addr_text(a, text), port);
}

static void add_trace_backend(json_t *o, const struct trace_result *r)
{
	char text[ADDR_TEXT_MAX];

	if (!r->backend_id)
		return;
	json_object_set_new(o, "backend_id", json_sprintf("%016" PRIx64, r->backend_id));
	json_object_set_new(o, "backend", json_string(addr_text(&r->backend, text)));
	json_object_set_new(o, "remembered", json_boolean(r->remembered));
	if (r->ifindex) {
		json_object_set_new(o, "outer_source",
		                    json_string(addr_text(&r->outer_source, text)));
		json_object_set_new(o, "ifindex", json_integer(r->ifindex));
	}
}

char *trace_json(const struct trace_query *q, const struct trace_result *r)
{
	json_t *o = json_pack("{s:b, s:o, s:o, s:s, s:b, s:i, s:s, s:s}", "ok", 1, "source",
	                      endpoint_json(&q->source, q->source_port), "destination",
	                      endpoint_json(&q->vip, q->vip_port), "protocol",
	                      q->protocol == 6 ? "tcp" : "udp", "syn", (int)q->syn, "length",
	                      (int)q->length, "action", r->action, "reason", r->reason);

	if (!o)
		return NULL;
	if (r->slot != ~0u) {
		json_object_set_new(o, "hash", json_sprintf("%016" PRIx64, r->hash));
		json_object_set_new(o, "slot", json_integer(r->slot));
		json_object_set_new(o, "pool", json_integer(r->pool));
		json_object_set_new(o, "settled", json_boolean(r->settled));
	}
	add_trace_backend(o, r);
	json_object_set_new(o, "steps", steps_json(r));
	return json_line(o);
}
