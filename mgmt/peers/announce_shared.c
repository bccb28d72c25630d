/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses are compared, not names: an address belongs to one VIP, and an address of DNS to none.
 * The list is made once for each document, so that a question is one binary search.
 */
#include "mgmt/peers/announce_shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/model.h"

struct announce_shared *announce_shared_find(struct announce_shared *list, size_t n,
                                             const struct addr *address)
{
	const struct announce_shared key = { .address = *address };

	return n ? bsearch(&key, list, n, sizeof(*list), addr_order) : NULL;
}

static size_t count_announced(const struct model_announce *a)
{
	size_t n = a->n_dns;

	for (size_t i = 0; i < a->n_vips; i++)
		n += a->vips[i]->n_addresses;
	return a->daemon == MODEL_DAEMON_NONE ? 0 : n;
}

/* Call @p visit for each address that @p node announces by the document. */
static void visit_announced(const struct model_node *node,
                            void (*visit)(void *arg, const struct addr *address), void *arg)
{
	const struct model_announce *a = &node->announce;

	if (a->daemon == MODEL_DAEMON_NONE)
		return;
	for (size_t i = 0; i < a->n_vips; i++)
		for (size_t k = 0; k < a->vips[i]->n_addresses; k++)
			visit(arg, &a->vips[i]->addresses[k]);
	for (size_t i = 0; i < a->n_dns; i++)
		visit(arg, &a->dns[i]);
}

/* A list that is being made; @c peer is the one whose addresses are visited. */
struct shared_list {
	struct announce_shared *rows;
	size_t n;
	size_t peer;
	bool found;
};

static void add_own(void *arg, const struct addr *address)
{
	struct shared_list *l = arg;

	l->rows[l->n++] = (struct announce_shared){ .address = *address };
}

static void mark_shared(void *arg, const struct addr *address)
{
	struct shared_list *l = arg;
	struct announce_shared *row = announce_shared_find(l->rows, l->n, address);

	if (!row)
		return;
	l->found = true;
	announce_peers_set(&row->peers, l->peer, true);
	row->is_shared = true;
}

/* This node's addresses, which nobody shares yet. @return 0 or -ENOMEM */
static int list_own(const struct model *m, struct shared_list *out)
{
	size_t n = m->self ? count_announced(&m->self->announce) : 0, kept = 0;

	*out = (struct shared_list){ 0 };
	if (!n)
		return 0;
	out->rows = calloc(n, sizeof(*out->rows));
	if (!out->rows)
		return -ENOMEM;
	visit_announced(m->self, add_own, out);
	qsort(out->rows, out->n, sizeof(*out->rows), addr_order);
	for (size_t i = 0; i < out->n; i++)
		if (!kept || addr_order(&out->rows[kept - 1], &out->rows[i]) != 0)
			out->rows[kept++] = out->rows[i];
	out->n = kept;
	return 0;
}

size_t announce_shared_peers(const struct model *m, size_t api_max, const struct model_node **out,
                             size_t n_max)
{
	struct shared_list own;
	size_t n = 0;

	if (list_own(m, &own))
		return 0;
	for (size_t i = 0; i < m->n_nodes && n < n_max; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node == m->self || !*node->api || strlen(node->api) >= api_max)
			continue;
		own.found = false;
		visit_announced(node, mark_shared, &own);
		if (own.found)
			out[n++] = node;
	}
	free(own.rows);
	return n;
}

int announce_shared_list(const struct model *m, const struct model_node *const *peers,
                         size_t n_peers, struct announce_shared **out, size_t *n)
{
	struct shared_list own;
	int err = list_own(m, &own);

	if (err)
		return err;
	for (size_t i = 0; i < n_peers; i++) {
		own.peer = i;
		visit_announced(peers[i], mark_shared, &own);
	}
	*out = own.rows;
	*n = own.n;
	return 0;
}
