/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold for a pool that stands in for another: packets must be able to reach its backends
 * from this site. Whether these backends would serve them is another question (advice of a plan).
 */
#include "model/build.h"

#include <string.h>

static void check_settings(const struct model_build *b, const struct item *item)
{
	bool given = bind_value(item, SCHEMA_SERVICES_AT_BACKUP)->node != NULL;
	bool limited = bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MAX)->node != NULL;
	const struct item *most = bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MAX)->items;

	if (given && !limited)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP_MAX,
		           "is missing, expected the most load for the backup, such as { new_flows "
		           "= \"1k/s\"; bits = \"1Gbit\"; }");
	if (given && limited && most &&
	    !bind_value(most, SCHEMA_SERVICES_AT_BACKUP_MAX_FLOWS)->node)
		bind_error(b->bind, most, SCHEMA_SERVICES_AT_BACKUP_MAX_FLOWS,
		           "is missing, expected a rate such as \"50k/s\"");
	if (given && limited && most && !bind_value(most, SCHEMA_SERVICES_AT_BACKUP_MAX_BITS)->node)
		bind_error(b->bind, most, SCHEMA_SERVICES_AT_BACKUP_MAX_BITS,
		           "is missing, expected a bit rate such as \"40Gbit\"");
	if (!given && limited)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP_MAX, "is given without backup");
	if (!given && bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MTU)->node)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP_MTU, "is given without backup");
}

/* Frames of mode l2 end at the site's border. */
static void check_backup_site(const struct model_build *b, const struct model_at *at,
                              const struct item *item)
{
	if (at->site && at->backup->site == at->site)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP,
		           "pool \"%s\" is at site \"%s\" itself, expected one of another site",
		           at->backup->name, at->site->name);
	if (at->backup->mode == MODEL_MODE_L2)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP,
		           "pool \"%s\" has mode l2, which does not reach another site; expected "
		           "ipip or gue",
		           at->backup->name);
}

/* One backend in both pools would have two classes. */
static void check_shared_backends(const struct model_build *b, const struct model_at *at,
                                  const struct item *item)
{
	for (size_t i = 0; i < at->pool->n_backends; i++)
		for (size_t k = 0; k < at->backup->n_backends; k++)
			if (at->pool->backends[i].id == at->backup->backends[k].id) {
				bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP,
				           "backend \"%s\" of pool \"%s\" is also backend \"%s\" "
				           "of pool \"%s\"",
				           at->backup->backends[k].name, at->backup->name,
				           at->pool->backends[i].name, at->pool->name);
				return;
			}
}

static bool has_family(const struct model_pool *pool, bool is4)
{
	for (size_t i = 0; i < pool->n_backends; i++)
		if (addr_is4(&pool->backends[i].address) == is4)
			return true;
	return false;
}

static void check_sources(const struct model_build *b, const struct model_at *at,
                          const struct item *item)
{
	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];

		if (!at->site || node->site != at->site)
			continue;
		for (int is4 = 0; is4 < 2; is4++)
			if (!(is4 ? node->tunnel_source4 : node->tunnel_source6).bits &&
			    has_family(at->backup, is4))
				bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP,
				           "node \"%s\" has no %s tunnel_source to reach pool "
				           "\"%s\"",
				           node->name, is4 ? "IPv4" : "IPv6", at->backup->name);
	}
}

static void check_backup_mtu(const struct model_build *b, const struct model_at *at,
                             const struct item *item)
{
	unsigned needed = check_smallest_mtu(at->vip, at->backup);

	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];
		unsigned mtu = at->backup_mtu ? at->backup_mtu : node->mtu;

		if (node->site != at->site || mtu >= needed)
			continue;
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP_MTU,
		           "%u is too small for pool \"%s\": the smallest packets to VIP \"%s\" "
		           "need %u with their tunnel",
		           mtu, at->backup->name, at->vip->name, needed);
		return;
	}
}

void check_backup(const struct model_build *b, const struct model_service *service, size_t i,
                  const struct item *item)
{
	const struct model_at *at = &service->at[i];

	check_settings(b, item);
	if (!at->backup)
		return;
	check_backup_site(b, at, item);
	if (at->pool && at->pool != at->backup)
		check_shared_backends(b, at, item);
	if (at->backup->mode == MODEL_MODE_L2 || at->backup->site == at->site)
		return; /* what follows is about a tunnel to another site */
	check_sources(b, at, item);
	if (at->vip && bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MTU)->ok)
		check_backup_mtu(b, at, item);
}
