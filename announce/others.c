/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which other nodes announce this node's addresses: the line {"do":"others",...} of weir-mgmt,
 * whose form announce/command.c has. It ends hold-downs and never withdraws anything.
 *
 * An address has a "yes" if a node that the document makes announce it was heard to do so; a "no"
 * if all such nodes were heard and do not, or have been silent for long. A node that is gone with
 * its host says nothing any more: without its silence counting, the node that it had let go would
 * stay away for a hold-down while nobody announces the VIP.
 */
#include "announce/process.h"

#include <stdlib.h>
#include <string.h>

#include "weir/json.h"
#include "weir/model.h"

/* What weir-mgmt says of a node. */
enum contact { CONTACT_NONE, CONTACT_SILENT, CONTACT_HEARD };

/* @return by the model's nodes, for free(); NULL: no memory */
static enum contact *read_contacts(const struct model *m, const json_t *request)
{
	enum contact *contacts = calloc(m->n_nodes ? m->n_nodes : 1, sizeof(*contacts));

	for (size_t i = 0; contacts && i < m->n_nodes; i++) {
		if (json_lists(json_object_get(request, "heard"), m->nodes[i].name))
			contacts[i] = CONTACT_HEARD;
		else if (json_lists(json_object_get(request, "silent"), m->nodes[i].name))
			contacts[i] = CONTACT_SILENT;
	}
	return contacts;
}

/* Whether a node of @p names announces the address, of those that shall. */
static enum announce_truth judge_names(const struct model *m, const struct intended *it,
                                       const enum contact *contacts, const json_t *names)
{
	enum announce_truth truth = ANNOUNCE_NO;

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node == m->self || !intended_by(node, it))
			continue;
		if (contacts[i] == CONTACT_HEARD && json_lists(names, node->name))
			return ANNOUNCE_YES;
		if (contacts[i] == CONTACT_NONE)
			truth = ANNOUNCE_UNKNOWN;
	}
	return truth;
}

json_t *others_note(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	json_t *addresses = json_object_get(request, "addresses"), *names;
	enum contact *contacts;
	const char *address;
	json_int_t known = 0;

	if (!a->model)
		return json_refusal("there is no document yet");
	if (!json_is_array(json_object_get(request, "heard")) ||
	    !json_is_array(json_object_get(request, "silent")) || !json_is_object(addresses))
		return json_refusal(
		        "\"heard\" and \"silent\" must be lists, \"addresses\" an object");
	contacts = read_contacts(a->model, request);
	if (!contacts)
		return json_refusal("out of memory");
	json_object_foreach(addresses, address, names)
	{
		struct addr parsed;
		struct announce_row *row =
		        addr_parse(address, &parsed) ? NULL : kernel_find_row(a, &parsed);

		if (!row || !json_is_array(names))
			continue;
		row->others = judge_names(a->model, &row->intended, contacts, names);
		row->others_ms = now_ms;
		known++;
	}
	free(contacts);
	return json_granted("known", json_integer(known));
}

enum announce_truth others_announce(const struct announce_row *row, uint64_t now_ms)
{
	if (!row->intended.is_shared)
		return ANNOUNCE_NO;
	return row->others_ms && announce_elapsed_ms(now_ms, row->others_ms) <= COMMAND_SAID_MS
	               ? row->others
	               : ANNOUNCE_UNKNOWN;
}
