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

static const struct record_kind step_shown =
        RECORD_OF(struct explain_step, "step", NULL, SHOW_AS(struct explain_step, "step", what),
                  SHOW(struct explain_step, text));
const struct record_kind explanation_shown =
        RECORD_OF(struct explanation, "explanation", NULL, SHOW(struct explanation, rcode),
                  SHOW(struct explanation, authoritative), SHOW(struct explanation, truncated),
                  SHOW_RECORDS(struct explanation, "steps", steps, n_steps, &step_shown),
                  SHOW_LIST(struct explanation, "records", records, n_records, &record_string),
                  SHOW_LIST(struct explanation, "mistakes", errors, n_errors, &record_string));
