/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer says of a proposal: the nodes that did not take part, and why. */
#include "mgmt/api/propose.h"
#include "mgmt/api/to_json.h"

static json_t *list_answered(const struct proposal *p, enum propose_answer answer)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].answer == answer)
			json_array_append_new(list,
			                      json_pack("{s:s, s:o}", "node", p->nodes[i].name,
			                                "why", text_to_json(p->nodes[i].reason)));
	return list;
}

void propose_add_unreserved(const struct proposal *p, json_t *answer)
{
	json_object_set_new(answer, "unreserved", list_answered(p, PROPOSE_ABSENT));
	json_object_set_new(answer, "not_taken", list_answered(p, PROPOSE_REFUSED));
}
