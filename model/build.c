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
#include "base/sorted.h"
#include "model/device.h"
#include "model/load.h"

#define SLOTS_MIN        4096u      /* of the smallest pool */
#define SLOTS_MAX        (1u << 20) /* of the largest pool: 10,000 backends with 100 each fit */
#define SLOTS_PER_MEMBER 100u       /* at least, so that a slot is at most 1 % of an equal share */
#define ZONE_FILE_MAX    ((size_t)1 << 30) /* bytes; bounds what is read */

/* The path of a row; a relative one is below the configuration's directory. */
static const char *build_path(const struct model_build *b, const struct item *item,
                              enum schema_id id, const char *dir)
{
	const struct value *v = bind_value(item, id);

	if (!v->ok || !v->text)
		return "";
	if (!dir) {
		if (v->text[0] && v->text[0] != '/')
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

/* The error text of model_key_read(), to stand behind the path. */
static const char *key_error(int err)
{
	switch (err) {
	case -ENOENT:
		return "does not exist; make it once for all nodes: openssl rand -hex 16";
	case -EACCES:
		return "is the cluster's secret and may not be read by this user; run the "
		       "command as root, or set its owner: systemd-tmpfiles --create";
	case -EBADMSG:
		return "does not hold 32 hexadecimal digits";
	default:
		return load_error(err);
	}
}

/* The key file does not hold the version's key: it is not used, and the key in force goes on. */
static void note_key(const struct model_build *b, int err, const char found[MODEL_FINGERPRINT_MAX])
{
	struct model *m = b->model;

	m->key_state = MODEL_KEY_NONE;
	memset(m->hash_key, 0, sizeof(m->hash_key));
	m->key_fault =
	        err ? arena_printf(b->arena, "%s %s", m->hash_key_file, key_error(err))
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
		           key_error(err));
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

/* What a document gives besides is an error (model/check.c). */
static void set_external(struct model_check *c)
{
	c->port = 0;
	c->via = MODEL_VIA_DIRECT;
	c->interval_ms = MODEL_EXTERNAL_INTERVAL_MS;
	c->fast_interval_ms = c->timeout_ms = MODEL_EXTERNAL_FAST_MS;
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
		if (c->type == MODEL_CHECK_EXTERNAL)
			set_external(c);
		c->detect_worst_ms = detect_worst_ms(c);
	}
}

uint32_t model_pool_slots(uint32_t max_backends)
{
	uint32_t n = SLOTS_MIN;

	while (n < SLOTS_MAX && n < max_backends * SLOTS_PER_MEMBER)
		n *= 2;
	return n;
}

static int compare_backend_ids(const void *a, const void *b)
{
	const struct model_backend *x = *(const struct model_backend *const *)a;
	const struct model_backend *y = *(const struct model_backend *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/*
 * A backend's identity is its address and port, hashed; its name is for people. So renaming a backend
 * moves no flow, and two backends with one address and port would be one identity with two names.
 */
static void check_identities(const struct model_build *b, const struct model_pool *pool,
                             const struct sources *from)
{
	const struct model_backend **sorted =
	        ARENA_ARRAY(b->bind->arena, const struct model_backend *, pool->n_backends + 1);

	if (!sorted || !b->by_id)
		return;
	b->by_id[pool->index] = sorted;
	for (size_t i = 0; i < pool->n_backends; i++)
		sorted[i] = &pool->backends[i];
	qsort(sorted, pool->n_backends, sizeof(*sorted), compare_backend_ids);
	for (size_t i = 1; i < pool->n_backends; i++) {
		const struct item *item = from->items[sorted[i] - pool->backends];

		if (sorted[i]->id == sorted[i - 1]->id &&
		    bind_value(item, SCHEMA_POOLS_BACKENDS_ADDRESS)->ok)
			bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS_ADDRESS,
			           "has the same address and port as backend \"%s\"",
			           sorted[i - 1]->name);
	}
}

/* Sorted by name, so that their order in the file means nothing. */
static void build_backends(const struct model_build *b, const struct item *item,
                           struct model_pool *pool)
{
	struct sources from = build_list(b, item, SCHEMA_POOLS_BACKENDS, pool);
	struct model_backend *backends = from.elements;

	for (size_t i = 0; i < from.n; i++) {
		backends[i].pool = pool;
		backends[i].id = model_backend_id(&backends[i].address, backends[i].port);
	}
	check_identities(b, pool, &from);
}

/* A pool has one set, of all its backends, unless an effective document has others. */
static void build_first_set(const struct model_build *b, struct model_pool *pool)
{
	struct model_set *member_set = ARENA_ARRAY(b->arena, struct model_set, 1);
	struct model_member *members =
	        ARENA_ARRAY(b->arena, struct model_member, pool->n_backends + 1);

	if (!member_set || !members)
		return;
	for (size_t i = 0; i < pool->n_backends; i++)
		members[i] =
		        (struct model_member){ pool->backends[i].id, pool->backends[i].address,
			                       pool->backends[i].port, pool->backends[i].weight };
	qsort(members, pool->n_backends, sizeof(*members), sorted_by_u64);
	*member_set = (struct model_set){ 0, MODEL_TIME_NEVER, members, pool->n_backends };
	pool->member_sets = member_set;
	pool->n_member_sets = 1;
}

static void build_pools(struct model_build *b)
{
	b->pools = build_list(b, b->top, SCHEMA_POOLS, b->model);
	b->by_id = ARENA_ARRAY(b->bind->arena, const struct model_backend **, b->pools.n + 1);
	struct model_pool *pools = b->pools.elements;

	for (size_t i = 0; i < b->pools.n; i++) {
		pools[i].n_slots = model_pool_slots(pools[i].max_backends);
		pools[i].index = (uint32_t)i;
		build_backends(b, b->pools.items[i], &pools[i]);
		build_first_set(b, &pools[i]);
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
		nodes[i].announce.socket = build_path(b, item, SCHEMA_NODES_ANNOUNCE_SOCKET, NULL);
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

/* A version keeps the file under the name that the configuration has for it. */
static const char *build_zone_file(const struct model_build *b, const struct item *item)
{
	const struct value *v = bind_value(item, SCHEMA_DNS_ZONES_FILE);

	if (!b->dir || !v->ok || model_file_name_ok(v->text))
		return build_path(b, item, SCHEMA_DNS_ZONES_FILE, b->dir);
	bind_error(b->bind, item, SCHEMA_DNS_ZONES_FILE,
	           "found \"%s\", expected " LOAD_NAME_EXPECTED, v->text);
	return "";
}

static void build_zones(struct model_build *b, const struct item *dns)
{
	b->zones = build_list(b, dns, SCHEMA_DNS_ZONES, b->model);
	struct model_zone *zones = b->zones.elements;

	for (size_t i = 0; i < b->zones.n; i++) {
		const struct item *item = b->zones.items[i];
		const char *given = zones[i].file;
		const char *laid_out = b->dir ? NULL : model_laid_out_name(given);

		zones[i].given = laid_out ? laid_out : given;
		zones[i].file = build_zone_file(b, item);
		check_named_file(b, item, SCHEMA_DNS_ZONES_FILE, zones[i].file, ZONE_FILE_MAX);
	}
}

/*
 * What an effective document has beyond a configuration: member sets, overrides. Weir itself writes
 * it, so an error here is a defect or damage; it is reported all the same, because the document lies
 * on a disk.
 */

/* Sorted by identity: duplicates are neighbours then, and all nodes have one order. */
static void build_members(const struct model_build *b, const struct item *item,
                          struct model_set *member_set)
{
	struct sources from = build_list(b, item, SCHEMA_MEMBER_SETS_MEMBERS, member_set);
	struct model_member *members = from.elements;

	for (size_t i = 0; i < from.n; i++)
		members[i].id = model_backend_id(&members[i].address, members[i].port);
	if (from.n)
		qsort(members, from.n, sizeof(*members), sorted_by_u64);
	for (size_t i = 1; i < from.n; i++)
		if (members[i].id == members[i - 1].id)
			bind_error(b->bind, item, SCHEMA_MEMBER_SETS_MEMBERS,
			           "an address and port are given twice");
}

/* Replace the first sets of the pools by those of the document, which lists them oldest first. */
static void build_member_sets(struct model_build *b)
{
	const struct value *list = bind_value(b->top, SCHEMA_MEMBER_SETS);
	struct model *m = b->model;
	struct model_set *all = ARENA_ARRAY(b->arena, struct model_set, list->count + 1);
	bool *seen = ARENA_ARRAY(b->bind->arena, bool, m->n_pools + 1);
	const struct model_pool *last = NULL;

	if (!all || !seen)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		const struct model_pool *named = build_resolve(b, item, SCHEMA_MEMBER_SETS_POOL);

		build_settings(b, item, SCHEMA_MEMBER_SETS, &all[i]);
		build_members(b, item, &all[i]);
		if (!named)
			continue;
		struct model_pool *pool = (struct model_pool *)(uintptr_t)named;
		if (pool == last && pool->n_member_sets <= MODEL_SETS_MAX &&
		    all[i].from_ms >= all[i - 1].from_ms) {
			pool->n_member_sets++;
		} else if (seen[pool->index]) {
			bind_error(
			        b->bind, item, SCHEMA_MEMBER_SETS_POOL,
			        "the member sets of a pool must follow each other, oldest first, at "
			        "most %d",
			        MODEL_SETS_MAX + 1);
		} else {
			pool->member_sets = &all[i];
			pool->n_member_sets = 1;
		}
		seen[pool->index] = true;
		last = pool;
	}
}

/* What a step has beyond any other override: it is one if it says where it goes. */
static void build_step(const struct model_build *b, const struct item *item,
                       struct model_override *o)
{
	o->is_step = bind_value(item, SCHEMA_OVERRIDES_TO_PPM)->node != NULL;
	if (!o->is_step)
		o->to_ppm = 0;
	if (o->is_step && (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_TO_PPM, "is for drains of sites only");
	if (!o->is_step &&
	    ((*o->service && o->kind != MODEL_OVERRIDE_DRILL) || *o->operation || o->late_from_ms ||
	     o->own_vips || o->shared_vips || o->epoch || o->step))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_TO_PPM,
		           "is missing, expected where the step goes to");
}

static void build_drill(const struct model_build *b, const struct item *item,
                        struct model_override *o)
{
	bool is_drill = o->kind == MODEL_OVERRIDE_DRILL && o->target == MODEL_TARGET_SITE;
	const char *clients = build_text(b, item, SCHEMA_OVERRIDES_CLIENTS);

	if (is_drill != (*clients != '\0') || (o->kind == MODEL_OVERRIDE_DRILL && !is_drill))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_CLIENTS,
		           "is for drills of sites, which need it");
	else if (is_drill && prefix_parse(clients, &o->clients))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_CLIENTS,
		           "is no prefix, expected such as 198.51.100.0/24");
}

/* Names are not resolved to pointers: an override may outlive its target. */
static void build_overrides(struct model_build *b)
{
	struct sources from = build_list(b, b->top, SCHEMA_OVERRIDES, b->model);
	struct model_override *overrides = from.elements;

	for (size_t i = 0; i < from.n; i++) {
		build_step(b, from.items[i], &overrides[i]);
		build_drill(b, from.items[i], &overrides[i]);
		if (overrides[i].target == MODEL_TARGET_BACKEND && overrides[i].pool[0] == '\0')
			bind_error(b->bind, from.items[i], SCHEMA_OVERRIDES_POOL,
			           "is missing, expected the backend's pool");
	}
}

int build_model(struct model_build *b)
{
	const struct item *dns = bind_value(b->top, SCHEMA_DNS)->items;

	build_cluster(b);
	build_sites(b);
	build_nodes(b);
	build_checks(b);
	b->gates = build_list(b, b->top, SCHEMA_GATES, b->model);
	build_pools(b);
	build_vips(b);
	build_announce(b);
	build_services(b);
	if (dns) {
		build_zones(b, dns);
		b->names = build_list(b, dns, SCHEMA_DNS_NAMES, b->model);
	}
	build_member_sets(b);
	build_overrides(b);
	return arena_failed(b->arena) || arena_failed(b->bind->arena) ? -ENOMEM : 0;
}

int build_remains(struct model_build *b)
{
	build_settings(b, b->top, SCHEMA_TOP, b->model);
	build_overrides(b);
	return arena_failed(b->arena) || arena_failed(b->bind->arena) ? -ENOMEM : 0;
}
