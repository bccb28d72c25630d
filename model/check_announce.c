/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold for the addresses that a node announces: the node serves them, and each has one
 * route of its own. Values that are wrong by themselves have been reported by bind.c.
 */
#include "model/build.h"

#include <string.h>

static void check_tables(const struct model_build *b, const struct model_announce *a,
                         const struct item *item)
{
	if (a->table == a->gshut_table && bind_value(item, SCHEMA_NODES_ANNOUNCE_TABLE)->ok &&
	    bind_value(item, SCHEMA_NODES_ANNOUNCE_GSHUT_TABLE)->ok)
		bind_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_GSHUT_TABLE,
		           "is %u, as table is; expected another table", a->gshut_table);
}

/* A node has the tables of its own site only, so it would drop the packets for the others. */
static void check_announced_vips(const struct model_build *b, const struct model_node *node,
                                 const struct item *item)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_ANNOUNCE_VIPS);
	const struct model *m = b->model;

	for (uint32_t i = 0; v->ok && node->site && i < v->count; i++) {
		const struct model_vip *vip =
		        build_find(m->vips, m->n_vips, sizeof(*m->vips), v->entries[i].name);

		if (vip && vip->n_sites && !model_vip_is_at(vip, node->site))
			bind_entry_error(
			        b->bind, item, SCHEMA_NODES_ANNOUNCE_VIPS, i,
			        "VIP \"%s\" is at site \"%s\"%s, expected one at \"%s\", the "
			        "node's site",
			        vip->name, vip->sites[0]->name,
			        vip->n_sites > 1 ? " and others" : "", node->site->name);
	}
}

static bool is_among(const struct addr *address, const struct addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], address))
			return true;
	return false;
}

static const struct model_vip *vip_at(const struct model *m, const struct addr *address)
{
	for (size_t i = 0; i < m->n_vips; i++)
		if (is_among(address, m->vips[i].addresses, m->vips[i].n_addresses))
			return &m->vips[i];
	return NULL;
}

/* Whether it stands for all addresses of a host: 0.0.0.0 or ::. */
static void check_dns_address(const struct model_build *b, const struct model_node *node,
                              const struct item *item, uint32_t i)
{
	const struct addr *address = &node->announce.dns[i];
	const struct model_vip *vip = vip_at(b->model, address);
	char text[ADDR_TEXT_MAX];

	addr_text(address, text);
	if (!is_among(address, node->dns_listen, node->n_dns_listen))
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i,
		                 "%s is not an address of the node's dns_listen", text);
	else if (is_among(address, node->announce.dns, i))
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i, "%s is given twice",
		                 text);
	else if (vip)
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i,
		                 "%s is an address of VIP \"%s\", which is announced by its own "
		                 "rules; leave it out here",
		                 text, vip->name);
}

static void check_count(const struct model_build *b, const struct model_announce *a,
                        const struct item *item)
{
	size_t n = a->n_dns;

	for (size_t i = 0; i < a->n_vips; i++)
		n += a->vips[i]->n_addresses;
	if (a->daemon != MODEL_DAEMON_NONE && n > MODEL_ANNOUNCE_MAX)
		bind_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_VIPS,
		           "have %zu addresses with those of dns, expected at most %u", n,
		           MODEL_ANNOUNCE_MAX);
}

void check_announce(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];
		const struct item *item =
		        bind_value(b->nodes.items[i], SCHEMA_NODES_ANNOUNCE)->items;

		if (!item)
			continue;
		check_tables(b, &node->announce, item);
		check_announced_vips(b, node, item);
		for (uint32_t k = 0; k < node->announce.n_dns; k++)
			check_dns_address(b, node, item, k);
		check_count(b, &node->announce, item);
	}
}
