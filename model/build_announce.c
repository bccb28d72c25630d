/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes announce. It refers to VIPs, which are built after nodes, so it is filled in later;
 * a list that is not given becomes all VIPs of the node's site, so that nobody else has to know.
 */
#include "model/build.h"

#include "base/arena.h"

static void build_announced_vips(const struct model_build *b, const struct item *item,
                                 struct model_node *node)
{
	struct model_announce *a = &node->announce;
	const struct value *v = bind_value(item, SCHEMA_NODES_ANNOUNCE_VIPS);
	const struct model *m = b->model;
	const bool *named = build_resolve_list(b, item, SCHEMA_NODES_ANNOUNCE_VIPS);
	const struct model_vip **vips;
	size_t n = v->count;

	a->lists_vips = v->node != NULL;
	for (size_t i = 0; !a->lists_vips && node->site && i < m->n_vips; i++)
		n += model_vip_is_at(&m->vips[i], node->site);
	vips = ARENA_ARRAY(b->arena, const struct model_vip *, n + 1);
	if (!named || !vips)
		return;
	for (size_t i = 0; i < m->n_vips && a->n_vips < n; i++)
		if (a->lists_vips ? named[i] : model_vip_is_at(&m->vips[i], node->site))
			vips[a->n_vips++] = &m->vips[i];
	a->vips = vips;
}

static void check_socket(const struct model_build *b, const struct item *item,
                         const struct model_announce *a)
{
	if (a->socket[0] != '\0' && a->socket[0] != '/')
		bind_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_SOCKET,
		           "found \"%s\", expected an absolute path", a->socket);
}

void build_announce(struct model_build *b)
{
	struct model_node *nodes = b->nodes.elements;

	for (size_t i = 0; i < b->nodes.n; i++) {
		const struct item *item =
		        bind_value(b->nodes.items[i], SCHEMA_NODES_ANNOUNCE)->items;

		if (!item)
			continue;
		build_announced_vips(b, item, &nodes[i]);
		check_socket(b, item, &nodes[i].announce);
	}
}
