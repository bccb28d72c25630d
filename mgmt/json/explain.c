/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts in, JSON out: deciding and explaining are dns/answer/explain.c's. A prefix stands for the
 * client subnet of the query; its first address then stands for the resolver, unless that is given.
 */
#include "mgmt/json/explain.h"

const char *explain_set_sender(struct explain_request *r, const char *client, const char *resolver)
{
	if (client && prefix_parse(client, &r->subnet) == 0) {
		r->has_subnet = true;
		r->client = r->subnet.addr;
	} else if (addr_parse(client ? client : "127.0.0.1", &r->client) != 0) {
		return "client: expected an address, or a prefix as ECS carries it";
	}
	if (resolver && addr_parse(resolver, &r->client) != 0)
		return "resolver: expected an address";
	return NULL;
}

static json_t *texts_to_json(char *const *texts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

json_t *explanation_to_json(const struct explanation *e)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < e->n_steps; i++)
		json_array_append_new(steps, json_pack("{s:s, s:s}", "step", e->steps[i].what,
		                                       "text", e->steps[i].text));
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o}", "rcode", e->rcode ? e->rcode : "",
	                 "authoritative", e->authoritative, "truncated", e->truncated, "steps",
	                 steps, "records", texts_to_json(e->records, e->n_records), "mistakes",
	                 texts_to_json(e->errors, e->n_errors));
}
