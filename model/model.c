/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to a model; no state, so any thread may ask while the model lives.
 */
#include "weir/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "model/build.h"

void model_free(struct model *m)
{
	if (m)
		arena_free(m->arena);
}

uint64_t model_backend_id(const struct addr *address, uint16_t port)
{
	/* Fixed for ever: all nodes and releases agree on it. 0 is nobody's. */
	static const struct hash_key key = { 0x776569722062656eu, 0x6964656e74697479u };
	uint8_t bytes[18];
	uint64_t id;

	memcpy(bytes, address->bytes, 16);
	bytes[16] = (uint8_t)(port >> 8);
	bytes[17] = (uint8_t)port;
	id = hash_bytes(&key, bytes, sizeof(bytes));
	return id ? id : 1;
}

const struct model_site *model_site(const struct model *m, const char *name)
{
	return build_find(m->sites, m->n_sites, sizeof(*m->sites), name);
}

const struct model_node *model_node(const struct model *m, const char *name)
{
	return build_find(m->nodes, m->n_nodes, sizeof(*m->nodes), name);
}

const struct model_pool *model_pool(const struct model *m, const char *name)
{
	return build_find(m->pools, m->n_pools, sizeof(*m->pools), name);
}

const struct model_backend *model_backend(const struct model_pool *pool, const char *name)
{
	return build_find(pool->backends, pool->n_backends, sizeof(*pool->backends), name);
}

const struct model_service *model_service(const struct model *m, const char *name)
{
	return build_find(m->services, m->n_services, sizeof(*m->services), name);
}

bool model_node_announces(const struct model_node *node, const struct model_vip *vip)
{
	const struct model_announce *a = &node->announce;

	if (a->daemon == MODEL_DAEMON_NONE || !model_vip_is_at(vip, node->site))
		return false;
	if (!a->lists_vips)
		return true;
	for (size_t i = 0; i < a->n_vips; i++)
		if (a->vips[i] == vip)
			return true;
	return false;
}

enum model_node_drain model_node_drain(const struct model *m, const struct model_node *node)
{
	enum model_node_drain drain = MODEL_NODE_SERVES;

	for (size_t i = 0; node && i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->target != MODEL_TARGET_NODE || o->ended || strcmp(o->name, node->name) ||
		    o->from_ms > m->meta.written_ms || o->until_ms <= m->meta.written_ms)
			continue;
		if (o->kind == MODEL_OVERRIDE_DISABLE)
			return MODEL_NODE_WITHDRAWN;
		if (o->kind == MODEL_OVERRIDE_DRAIN)
			drain = MODEL_NODE_DRAINED;
	}
	return drain;
}

static enum model_node_drain vips_drain(const struct model_override *o, const struct model_vip *vip)
{
	bool is_shared = vip->n_sites > 1;

	switch (is_shared ? o->shared_vips : o->own_vips) {
	case MODEL_VIPS_ANNOUNCED:
		return MODEL_NODE_SERVES;
	case MODEL_VIPS_WITHDRAWN:
		return is_shared ? MODEL_NODE_DRAINED : MODEL_NODE_WITHDRAWN;
	default:
		return MODEL_NODE_DRAINED;
	}
}

enum model_node_drain model_vip_drain(const struct model *m, const struct model_node *node,
                                      const struct model_vip *vip)
{
	enum model_node_drain drain = model_node_drain(m, node);

	for (size_t i = 0; node && i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		enum model_node_drain target;

		if (!o->is_step || o->ended || (o->service && *o->service) ||
		    strcmp(o->name, node->site->name))
			continue;
		target = vips_drain(o, vip);
		if (target > drain)
			drain = target;
	}
	return drain;
}

const char *model_mode_text(enum model_mode mode)
{
	return schema_word(SCHEMA_POOLS_MODE, mode);
}

/* Whether a DPDK worker of @p node polls @p cpu; without a list there is one, on the last CPU. */
static bool is_worker_cpu(const struct model_node *node, unsigned cpu)
{
	for (uint32_t i = 0; i < node->dpdk.n_cores; i++)
		if (node->dpdk.cores[i] == cpu)
			return true;
	return false;
}

unsigned model_dns_threads(const struct model *m, const cpu_set_t *allowed)
{
	const struct model_node *node = m->self;
	bool workers = node && node->driver != MODEL_DRIVER_XDP;
	unsigned n = 0;

	if (m->dns_threads)
		return m->dns_threads;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		n += CPU_ISSET(cpu, allowed) && !(workers && is_worker_cpu(node, cpu));
	if (node && node->driver == MODEL_DRIVER_DPDK && !node->dpdk.n_cores && n > 0)
		n--;
	return n < 1 ? 1 : n > MODEL_DNS_THREADS_MAX ? MODEL_DNS_THREADS_MAX : n;
}
