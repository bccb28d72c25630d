/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Marks of tunnel probes. weir-health and weir-dataplane must give each backend the same mark
 * without talking, so a mark is the low bits of the target's hash, and collisions are resolved in
 * the model's order, which both read from one document.
 */
#include "weir/probe.h"

#include <errno.h>
#include <stdlib.h>

#include "weir/health.h"
#include "weir/model.h"

#define USED_SIZE (4 * PROBES_MAX) /* open addressing: at most a quarter full */
#define MARK_BITS 0xffffffu        /* bits below PROBE_MARK_BASE */

/* Marks that are in use; open addressing, 0 is an empty entry. */
struct used {
	uint32_t marks[USED_SIZE];
};

static bool claim_mark(struct used *u, uint32_t mark)
{
	for (uint32_t i = mark; u->marks[i % USED_SIZE] != mark; i++)
		if (!u->marks[i % USED_SIZE]) {
			u->marks[i % USED_SIZE] = mark;
			return true;
		}
	return false;
}

static uint32_t next_mark(struct used *u, uint64_t digest)
{
	uint32_t bits = (uint32_t)digest & MARK_BITS;

	while (!claim_mark(u, PROBE_MARK_BASE | bits))
		bits = (bits + 1) & MARK_BITS;
	return PROBE_MARK_BASE | bits;
}

static size_t add_probe_path(struct probe_path path, struct probe_path *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (out[i].port == path.port && addr_equal(&out[i].vip, &path.vip)) {
			out[i].of_udp &= path.of_udp;
			return n;
		}
	if (n < PROBE_PATHS_MAX)
		out[n++] = path;
	return n;
}

static size_t add_vip(const struct model_vip *vip, struct probe_path path, struct probe_path *out,
                      size_t n)
{
	bool seen[2] = { false, false };

	for (size_t i = 0; i < vip->n_addresses; i++) {
		bool is4 = addr_is4(&vip->addresses[i]);

		path.vip = vip->addresses[i];
		if (!seen[is4])
			n = add_probe_path(path, out, n);
		seen[is4] = true;
	}
	return n;
}

size_t probe_paths(const struct model *m, const struct model_pool *pool,
                   struct probe_path out[PROBE_PATHS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++) {
			const struct model_at *at = &m->services[i].at[j];
			uint16_t own = pool->check->port;
			struct probe_path path = { .port = own ? own : m->services[i].port,
				                   .of_udp = !own &&
				                             m->services[i].protocol == MODEL_UDP };

			if ((at->pool == pool || at->backup == pool) && at->site == m->self->site)
				n = add_vip(at->vip, path, out, n);
		}
	return n;
}

static bool is_backup_here(const struct model *m, const struct model_pool *pool)
{
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++)
			if (m->services[i].at[j].backup == pool &&
			    m->services[i].at[j].site == m->self->site)
				return true;
	return false;
}

bool probe_is_checked(const struct model *m, const struct model_pool *pool)
{
	return pool->check && (pool->site == m->self->site || is_backup_here(m, pool));
}

bool probe_is_tunnelled(const struct model *m, const struct model_pool *pool)
{
	if (!pool->check || pool->check->type == MODEL_CHECK_EXTERNAL)
		return false;
	return pool->site == m->self->site ? pool->check->via == MODEL_VIA_TUNNEL
	                                   : is_backup_here(m, pool);
}

uint16_t probe_backup_mtu(const struct model *m, const struct model_pool *pool)
{
	uint16_t mtu = 0;

	if (pool->site == m->self->site)
		return 0;
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++) {
			const struct model_at *at = &m->services[i].at[j];

			if (at->backup == pool && at->site == m->self->site && at->backup_mtu &&
			    (!mtu || at->backup_mtu < mtu))
				mtu = at->backup_mtu;
		}
	return mtu ? mtu : m->self->mtu;
}

static size_t add_pool(const struct model *m, const struct model_pool *pool, struct used *used,
                       struct probe_mark *out)
{
	struct probe_path paths[PROBE_PATHS_MAX];

	if (!probe_paths(m, pool, paths))
		return 0;
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];

		out[i] = (struct probe_mark){
			.mark = next_mark(used, health_target_backend(pool->name, b->id)),
			.pool = pool,
			.backend = b,
		};
	}
	return pool->n_backends;
}

int probe_marks(const struct model *m, struct probe_mark **out, size_t *n)
{
	size_t n_most = 0, n_marks = 0;

	if (!m->self)
		return -ENOENT;
	for (size_t i = 0; i < m->n_pools; i++)
		if (probe_is_tunnelled(m, &m->pools[i]))
			n_most += m->pools[i].n_backends;
	if (n_most > PROBES_MAX)
		return -E2BIG;

	struct used *used = calloc(1, sizeof(*used));
	struct probe_mark *marks = calloc(n_most + 1, sizeof(*marks));
	if (!used || !marks) {
		free(used);
		free(marks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->n_pools; i++)
		if (probe_is_tunnelled(m, &m->pools[i]))
			n_marks += add_pool(m, &m->pools[i], used, marks + n_marks);
	free(used);
	*out = marks;
	*n = n_marks;
	return 0;
}
