/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest packet that every host may send must fit into a tunnel to each backend, together
 * with the outer headers.
 */
#include "model/build.h"
#include "weir/fwd/second.h"

#define OUTER_IP4     20u   /* bytes of an IPv4 header */
#define OUTER_IP6     40u   /* bytes of an IPv6 header */
#define OUTER_GUE     12u   /* UDP and GUE's own header */
#define INNER_IP4_MIN 576u  /* RFC 791: every host takes it */
#define INNER_IP6_MIN 1280u /* RFC 8200, section 5 */

/* Bytes that a tunnel to @p pool's backends adds at most. */
static unsigned outer_len(const struct model_pool *pool)
{
	unsigned outer = OUTER_IP4;

	if (pool->mode == MODEL_MODE_L2)
		return 0;
	for (size_t i = 0; i < pool->n_backends; i++)
		if (!addr_is4(&pool->backends[i].address))
			outer = OUTER_IP6;
	outer += pool->mode == MODEL_MODE_GUE ? OUTER_GUE : 0;
	if (pool->agent)
		outer += second_len_max(outer < OUTER_IP6);
	return outer;
}

static unsigned inner_min(const struct model_vip *vip)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (!addr_is4(&vip->addresses[i]))
			return INNER_IP6_MIN;
	return INNER_IP4_MIN;
}

unsigned check_smallest_mtu(const struct model_vip *vip, const struct model_pool *pool)
{
	return inner_min(vip) + outer_len(pool);
}

void check_mtu(const struct model_build *b, const struct model_at *at)
{
	const struct model *m = b->model;
	unsigned inner = inner_min(at->vip), outer = outer_len(at->pool);

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node->site == at->site && bind_value(b->nodes.items[i], SCHEMA_NODES_MTU)->ok &&
		    node->mtu < inner + outer)
			bind_error(b->bind, b->nodes.items[i], SCHEMA_NODES_MTU,
			           "%u is too small for pool \"%s\": a packet of %u bytes to VIP "
			           "\"%s\" needs %u with its tunnel",
			           node->mtu, at->pool->name, inner, at->vip->name, inner + outer);
	}
}
