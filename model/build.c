/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One step for each list of the document, into an array that is sorted by name, so that names are
 * found by binary search and the order in the document means nothing. They run in the order of their
 * references (sites before nodes, pools before services), so that a reference is resolved to a
 * pointer at once. What the schema's rows say of a setting is done by build_list(); here is the rest.
 */
#include "model/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/device.h"
#include "model/key.h"
#include "model/load.h"

/* The path of a row; a relative one is below the configuration's directory. */
static const char *build_path(const struct model_build *b, const struct item *item,
                              enum schema_id id, const char *dir)
{
	const struct value *v = bind_value(item, id);

	if (!v->ok || !v->text)
		return "";
	if (!dir) {
		if (v->text[0] != '/')
			bind_error(b->bind, item, id, "found \"%s\", expected an absolute path",
			           v->text);
		return build_text(b, item, id);
	}
	if (strstr(v->text, "..")) {
		bind_error(b->bind, item, id,
		           "found \"%s\", expected a path below the configuration's directory",
		           v->text);
		return "";
	}
	const char *path = v->text[0] == '/' ? build_text(b, item, id)
	                                     : arena_printf(b->arena, "%s/%s", dir, v->text);
	return path ? path : "";
}

/* A file that cannot be read may be the reader's fault (rights, memory) and not the document's. */
static void note_file_failure(const struct model_build *b, int err)
{
	b->bind->errors->denied |= err == -EACCES;
	if (err == -ENOMEM)
		arena_fail(b->arena);
}

/* A file that the configuration names must be there when it is checked. */
static void check_named_file(const struct model_build *b, const struct item *item,
                             enum schema_id id, const char *path, size_t max)
{
	char *bytes = NULL;
	size_t n;

	if (!b->dir || path[0] == '\0')
		return;
	int err = load_file(path, max, &bytes, &n);
	if (!err)
		err = load_check_below(path, b->dir);
	note_file_failure(b, err);
	if (err)
		bind_error(b->bind, item, id, "%s %s", path, load_error(err));
	free(bytes);
}

/* The key file does not hold the version's key: it is not used, and the key in force goes on. */
static void note_key(const struct model_build *b, int err, const char found[MODEL_FINGERPRINT_MAX])
{
	struct model *m = b->model;

	m->key_state = MODEL_KEY_NONE;
	memset(m->hash_key, 0, sizeof(m->hash_key));
	m->key_fault =
	        err ? arena_printf(b->arena, "%s %s", m->hash_key_file, model_key_error(err))
	            : arena_printf(b->arena,
	                           "%s holds a key with fingerprint %s, but the version was made "
	                           "with %s (%s)",
	                           m->hash_key_file, found, b->key_expected, m->hash_key_id);
}

/*
 * A key that is not the expected one is no error of the document: the key in force goes on
 * (note_key()).
 */
static void build_key(struct model_build *b, const struct item *cluster)
{
	const char *path = build_path(b, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE, b->key_dir);
	char found[MODEL_FINGERPRINT_MAX] = "";
	const char *expected = b->key_expected ? b->key_expected : "";

	b->model->hash_key_file = path;
	if (path[0] == '\0')
		return;
	if (b->keyless) {
		b->model->key_state = MODEL_KEY_NONE;
		return;
	}
	int err = model_key_read(path, b->key_dir, b->model->hash_key);
	note_file_failure(b, *expected && err != -ENOMEM ? 0 : err);
	if (!err)
		model_key_fingerprint(b->model->hash_key, found);
	if (*expected && (err || strcmp(found, expected) != 0)) {
		note_key(b, err, found);
		return;
	}
	if (err)
		bind_error(b->bind, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE, "%s %s", path,
		           model_key_error(err));
}

/* First of all: an effective document names the fingerprint that its key must have. */
static void build_cluster(struct model_build *b)
{
	const struct value *v = bind_value(b->top, SCHEMA_CLUSTER);

	build_settings(b, b->top, SCHEMA_TOP, b->model);
	b->model->hash_key_file = b->model->key_fault = "";
	if (!b->dir)
		b->key_expected = b->model->meta.hash_key;
	if (v->items)
		build_key(b, v->items);
}

/* First of the lists, because all others refer to sites. */
static void build_sites(struct model_build *b)
{
	b->sites = build_list(b, b->top, SCHEMA_SITES, b->model);
	struct model_site *sites = b->sites.elements;

	for (size_t i = 0; i < b->sites.n; i++)
		sites[i].index = (uint32_t)i;
}

static void build_cores(const struct model_build *b, const struct item *item,
                        struct model_dpdk *dpdk)
{
	const struct item *group = bind_value(item, SCHEMA_NODES_DPDK)->items;

	if (group && device_read_cores(build_text(b, group, SCHEMA_NODES_DPDK_CORES), dpdk))
		bind_error(b->bind, group, SCHEMA_NODES_DPDK_CORES,
		           "expected CPUs in rising order such as \"2-5,8\", at most %u",
		           MODEL_CORES_MAX);
}

static void build_tunnel_sources(const struct model_build *b, const struct item *item,
                                 struct model_node *node)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_TUNNEL_SOURCE);

	for (uint32_t i = 0; v->ok && i < v->count; i++) {
		struct prefix *to = addr_is4(&v->entries[i].prefix.addr) ? &node->tunnel_source4
		                                                         : &node->tunnel_source6;

		if (v->entries[i].prefix.bits == 0 || to->bits != 0)
			bind_error(b->bind, item, SCHEMA_NODES_TUNNEL_SOURCE,
			           "expected one prefix for each address family, longer than /0");
		*to = v->entries[i].prefix;
	}
}

/* Driver and DPDK settings are read for all nodes: a document is checked whole on each of them. */
static void build_nodes(struct model_build *b)
{
	b->nodes = build_list(b, b->top, SCHEMA_NODES, b->model);
	struct model_node *nodes = b->nodes.elements;

	for (size_t i = 0; i < b->nodes.n; i++) {
		build_list(b, b->nodes.items[i], SCHEMA_NODES_PORTS, &nodes[i]);
		build_cores(b, b->nodes.items[i], &nodes[i].dpdk);
		build_tunnel_sources(b, b->nodes.items[i], &nodes[i]);
	}
}

/*
 * The backend dies just after a probe was answered: one interval until the next, then fall - 1
 * probes at the fast interval, or as fast as they time out, and the last one's timeout.
 */
static uint32_t detect_worst_ms(const struct model_check *c)
{
	uint64_t step = c->fast_interval_ms > c->timeout_ms ? c->fast_interval_ms : c->timeout_ms;
	uint64_t first = c->interval_ms > c->timeout_ms ? c->interval_ms : c->timeout_ms;
	uint64_t worst = first + (c->fall ? c->fall - 1 : 0) * step + c->timeout_ms;

	return worst > UINT32_MAX ? UINT32_MAX : (uint32_t)worst;
}

/* A default must not cause an error: where a short interval is given, the other times follow it. */
static void follow_interval(const struct item *item, enum schema_id id, uint32_t interval_ms,
                            uint32_t *ms)
{
	if (!bind_value(item, id)->node && *ms > interval_ms)
		*ms = interval_ms;
}

/* The worst time of detection is worked out here, so that all who show it show one figure. */
static void build_checks(struct model_build *b)
{
	b->checks = build_list(b, b->top, SCHEMA_CHECKS, b->model);
	struct model_check *checks = b->checks.elements;

	for (size_t i = 0; i < b->checks.n; i++) {
		const struct item *item = b->checks.items[i];
		struct model_check *c = &checks[i];

		follow_interval(item, SCHEMA_CHECKS_FAST_INTERVAL, c->interval_ms,
		                &c->fast_interval_ms);
		follow_interval(item, SCHEMA_CHECKS_TIMEOUT, c->interval_ms, &c->timeout_ms);
		c->detect_worst_ms = detect_worst_ms(c);
	}
}

/* Sorted by name, as the model's sites are. */
static void build_vip_sites(const struct model_build *b, const struct item *item,
                            struct model_vip *vip)
{
	const struct model *m = b->model;
	const struct model_site *one = build_resolve(b, item, SCHEMA_VIPS_SITE);
	const bool *named = build_resolve_list(b, item, SCHEMA_VIPS_SITES);
	const struct model_site **sites =
	        ARENA_ARRAY(b->arena, const struct model_site *,
	                    bind_value(item, SCHEMA_VIPS_SITES)->count + 1);

	if (!named || !sites)
		return;
	for (size_t i = 0; i < m->n_sites; i++)
		if (named[i])
			sites[vip->n_sites++] = &m->sites[i];
	if (one && !bind_value(item, SCHEMA_VIPS_SITES)->node)
		sites[vip->n_sites++] = one;
	vip->sites = sites;
}

static void build_vips(struct model_build *b)
{
	b->vips = build_list(b, b->top, SCHEMA_VIPS, b->model);
	struct model_vip *vips = b->vips.elements;

	for (size_t i = 0; i < b->vips.n; i++)
		build_vip_sites(b, b->vips.items[i], &vips[i]);
}

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

/*
 * What nodes announce: VIPs are built after nodes, so it is filled in later. A list that is not given
 * becomes all VIPs of the node's site, so that nobody else has to know.
 */
static void build_announce(struct model_build *b)
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

/* The order of the list is kept: it is that of failover. */
static void build_at(const struct model_build *b, const struct item *item,
                     struct model_service *service)
{
	struct sources from = build_list(b, item, SCHEMA_SERVICES_AT, service);
	struct model_at *at = from.elements;

	for (size_t i = 0; i < from.n; i++)
		if (!bind_value(from.items[i], SCHEMA_SERVICES_AT_WEIGHT)->node)
			at[i].weight = at[i].site ? at[i].site->weight : 0;
}

/* After sites, VIPs, pools and checks, to which they refer. */
static void build_services(struct model_build *b)
{
	b->services = build_list(b, b->top, SCHEMA_SERVICES, b->model);
	struct model_service *services = b->services.elements;

	for (size_t i = 0; i < b->services.n; i++) {
		const struct item *item = b->services.items[i];

		services[i].protocol =
		        bind_value(item, SCHEMA_SERVICES_PROTOCOL)->n ? MODEL_UDP : MODEL_TCP;
		services[i].index = (uint32_t)i;
		build_at(b, item, &services[i]);
		build_vip_check(b, item, &services[i]);
	}
}

#define ZONE_FILE_MAX ((size_t)1 << 30) /* bytes; bounds what is read */

static void build_zones(struct model_build *b, const struct item *dns)
{
	b->zones = build_list(b, dns, SCHEMA_DNS_ZONES, b->model);
	struct model_zone *zones = b->zones.elements;

	for (size_t i = 0; i < b->zones.n; i++) {
		const struct item *item = b->zones.items[i];

		zones[i].file = build_path(b, item, SCHEMA_DNS_ZONES_FILE, b->dir);
		check_named_file(b, item, SCHEMA_DNS_ZONES_FILE, zones[i].file, ZONE_FILE_MAX);
	}
}

int build_model(struct model_build *b)
{
	const struct item *dns = bind_value(b->top, SCHEMA_DNS)->items;

	build_cluster(b);
	build_sites(b);
	build_nodes(b);
	build_checks(b);
	build_pools(b);
	build_vips(b);
	build_announce(b);
	build_services(b);
	if (dns) {
		build_zones(b, dns);
		b->names = build_list(b, dns, SCHEMA_DNS_NAMES, b->model);
	}
	build_effective(b);
	return arena_failed(b->arena) || arena_failed(b->bind->arena) ? -ENOMEM : 0;
}
