/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path leads down the schema's rows: a list's name is followed by that of its element. What is listed otherwise than by its row
 * (model/flatten.c), as the order of sites, is not found, so it may not differ.
 */
#include <stdio.h>
#include <string.h>

#include "model/schema.h"
#include "weir/canary.h"

const char *canary_find(const struct model *m, const char *text, char out[CANARY_MAX])
{
	const char *name = canary_name(text);
	enum model_extent size = name ? canary_extent(text) : EXTENT_EVERYWHERE;
	bool is_node = size != EXTENT_SITE && model_node(m, name ? name : text);
	bool is_site = size != EXTENT_NODE && model_site(m, name ? name : text);

	if (is_node && is_site)
		return "a node and a site have this name: say node/NAME or site/NAME";
	if (!is_node && !is_site)
		return "it names no node and no site of the version in force";
	snprintf(out, CANARY_MAX, "%s/%s", is_node ? "node" : "site", name ? name : text);
	return NULL;
}

/* Copy the part of a path that begins at @p at. @return the next part; NULL: it was the last one */
static const char *read_part(const char *at, char out[MODEL_NAME_MAX])
{
	size_t n = strcspn(at, "/");

	snprintf(out, MODEL_NAME_MAX, "%.*s", n < MODEL_NAME_MAX ? (int)n : 0, at);
	return at[n] ? at + n + 1 : NULL;
}

/* The row of a group that a plan calls @p part: a duration has its unit behind. */
static enum schema_id find_named(enum schema_id group, const char *part)
{
	char name[MODEL_NAME_MAX];
	enum schema_id id = schema_find(group, part);
	const char *unit = strrchr(part, '_');

	if (id != SCHEMA_COUNT || !unit)
		return id;
	snprintf(name, sizeof(name), "%.*s", (int)(unit - part), part);
	id = schema_find(group, name);
	return id != SCHEMA_COUNT && schema()->rows[id].kind == KIND_DURATION ? id : SCHEMA_COUNT;
}

enum model_extent extent_of_path(const char *path)
{
	const struct schema_row *rows = schema()->rows;
	enum schema_id at = SCHEMA_TOP;
	char part[MODEL_NAME_MAX];

	while (path) {
		path = read_part(path, part);
		at = find_named(at, part);
		if (at == SCHEMA_COUNT)
			return EXTENT_EVERYWHERE;
		if (rows[at].kind == KIND_GROUPS && path)
			path = read_part(path, part);
	}
	return model_schema[at].extent;
}

/* The site that a pool of one of the models has; NULL: neither has the pool. */
static const struct model_site *site_of_pool(const struct model *from, const struct model *to,
                                             const char *name)
{
	const struct model_pool *pool = model_pool(to, name);

	if (!pool && from)
		pool = model_pool(from, name);
	return pool ? pool->site : NULL;
}

static const struct model_site *site_of_node(const struct model *m, const char *name)
{
	const struct model_node *node = model_node(m, name);

	return node ? node->site : NULL;
}

static const struct model_site *site_of_canary(const char *canary, const struct model *m)
{
	return canary_extent(canary) == EXTENT_SITE ? model_site(m, canary_name(canary))
	                                            : site_of_node(m, canary_name(canary));
}

static bool is_at(const char *canary, const struct model_site *site, const struct model *m)
{
	const struct model_site *own = site_of_canary(canary, m);

	return site && own && !strcmp(site->name, own->name);
}

/* Whether nodes of the site use the check: for its pools, or for VIPs, which all sites probe. */
static bool is_check_at(const struct model *m, const char *name, const struct model_site *site)
{
	for (size_t i = 0; i < m->n_pools; i++)
		if (m->pools[i].site == site && m->pools[i].check &&
		    !strcmp(m->pools[i].check->name, name))
			return true;
	for (size_t i = 0; i < m->n_services; i++)
		if (m->services[i].vip_check && !strcmp(m->services[i].vip_check->name, name))
			return true;
	return false;
}

/* Whether nodes of the place use a check or a service, by a model. */
static bool is_used_at(const char *canary, const char *kind, const char *name,
                       const struct model *m)
{
	const struct model_site *site = site_of_canary(canary, m);

	if (!strcmp(kind, "checks"))
		return site && is_check_at(m, name, site);
	const struct model_service *service = model_service(m, name);

	return site && service && model_service_at(service, site->name);
}

bool canary_has_path(const char *canary, const char *path, const struct model *from,
                     const struct model *to)
{
	char kind[MODEL_NAME_MAX], name[MODEL_NAME_MAX], field[MODEL_NAME_MAX] = "",
	                                                 at[MODEL_NAME_MAX] = "";
	const char *next = read_part(path, kind);

	if (!*canary || !next)
		return true;
	next = read_part(next, name);
	if (next)
		next = read_part(next, field);
	if (next)
		(void)read_part(next, at);
	if (!strcmp(kind, "nodes"))
		return canary_extent(canary) == EXTENT_NODE
		               ? !strcmp(name, canary_name(canary))
		               : is_at(canary, site_of_node(to, name), to);
	if (!strcmp(kind, "pools"))
		return is_at(canary, site_of_pool(from, to, name), to);
	if (!strcmp(kind, "services") && !strcmp(field, "at"))
		return is_at(canary, model_site(to, at), to);
	if (!strcmp(kind, "checks") || !strcmp(kind, "services"))
		return is_used_at(canary, kind, name, to) ||
		       (from && is_used_at(canary, kind, name, from));
	return true;
}
