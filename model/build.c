/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/load.h"

#define SLOTS_MIN        4096u
#define SLOTS_MAX        (1u << 20)
#define SLOTS_PER_MEMBER 100u
#define KEY_FILE_MAX     4096u
#define KEY_DIGITS       32u

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const void *build_find(const void *array, size_t n, size_t size, const char *name)
{
	return n ? bsearch(&name, array, n, size, by_name) : NULL;
}

static uint64_t number(const struct item *item, enum schema_id id)
{
	return bind_value(item, id)->n;
}

static uint32_t number32(const struct item *item, enum schema_id id)
{
	return (uint32_t)number(item, id);
}

static uint16_t number16(const struct item *item, enum schema_id id)
{
	return (uint16_t)number(item, id);
}

static const char *text(const struct build *b, const struct item *item, enum schema_id id)
{
	const struct value *v = bind_value(item, id);
	const char *copy = v->text && v->text[0] ? arena_strdup(b->arena, v->text) : NULL;

	return copy ? copy : "";
}

/* For bsearch and near names: an item with its name first, as in the model's structures. */
struct named_item {
	const char *name;
	const struct item *item;
};

static int by_name_then_line(const void *a, const void *b)
{
	const struct named_item *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return (x->item->node->line > y->item->node->line) -
	       (x->item->node->line < y->item->node->line);
}

/* The items of @p list sorted by the text of @p name_id, each name once; tell of the others. */
static struct sources sort_items(const struct build *b, const struct value *list,
                                 enum schema_id name_id)
{
	struct arena *scratch = b->bind->arena;
	struct named_item *named = ARENA_ARRAY(scratch, struct named_item, list->count + 1);
	struct sources out = { ARENA_ARRAY(scratch, const struct item *, list->count + 1), 0 };
	size_t n = 0;

	if (!named || !out.items)
		return (struct sources){ NULL, 0 };
	for (uint32_t i = 0; i < list->count; i++)
		if (bind_value(&list->items[i], name_id)->ok)
			named[n++] =
			        (struct named_item){ bind_value(&list->items[i], name_id)->text,
				                     &list->items[i] };
	qsort(named, n, sizeof(*named), by_name_then_line);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(named[i].name, named[i - 1].name) != 0) {
			out.items[out.n++] = named[i].item;
			continue;
		}
		struct where first = scan_where(b->bind->scan, out.items[out.n - 1]->node->line);
		bind_mistake(b->bind, named[i].item, name_id, "\"%s\" stands twice; first at %s:%u",
		             named[i].name, first.file, first.line);
	}
	return out;
}

/* Find what @p item's row @p id refers to; tell if there is no such thing. */
static const void *resolve(const struct build *b, const struct item *item, enum schema_id id,
                           const void *array, size_t n, size_t size)
{
	const struct value *v = bind_value(item, id);
	const char *kind = model_schema[id].type + strlen("reference to ");
	char near_is[NEAR_TEXT_MAX];

	if (!v->ok || !v->node)
		return NULL;
	const void *found = build_find(array, n, size, v->text);
	if (found)
		return found;
	struct near_best near = { .wanted = v->text };
	for (size_t i = 0; i < n; i++)
		near_try(&near,
		         *(const char *const *)(const void *)((const char *)array + i * size));
	bind_mistake(b->bind, item, id, "there is no \"%s\" in %.*s%s", v->text,
	             (int)strcspn(kind, "["), kind, near_text(&near, near_is));
	return NULL;
}

/* What stands at a path: relative ones are below the configuration's directory. */
static const char *path_text(const struct build *b, const struct item *item, enum schema_id id)
{
	const struct value *v = bind_value(item, id);

	if (!v->ok || !v->text)
		return "";
	if (!b->dir) {
		if (v->text[0] != '/')
			bind_mistake(b->bind, item, id, "found \"%s\", expected an absolute path",
			             v->text);
		return text(b, item, id);
	}
	if (strstr(v->text, "..")) {
		bind_mistake(b->bind, item, id,
		             "found \"%s\", expected a path below the configuration's directory",
		             v->text);
		return "";
	}
	const char *path = v->text[0] == '/' ? text(b, item, id)
	                                     : arena_printf(b->arena, "%s/%s", b->dir, v->text);
	return path ? path : "";
}

/* A file that the configuration names must be there when it is checked. */
static void check_file(const struct build *b, const struct item *item, enum schema_id id,
                       const char *path, size_t max)
{
	char *bytes = NULL;
	size_t n;

	if (!b->dir || path[0] == '\0')
		return;
	int err = load_file(path, max, &bytes, &n);
	if (err)
		bind_mistake(b->bind, item, id, "%s %s", path, load_error(err));
	else if (!load_is_below(path, b->dir))
		bind_mistake(b->bind, item, id, "%s leads out of the configuration's directory",
		             path);
	free(bytes);
}

static bool parse_key(const char *digits, uint64_t key[2])
{
	if (strspn(digits, "0123456789abcdefABCDEF") != KEY_DIGITS ||
	    digits[KEY_DIGITS + strspn(digits + KEY_DIGITS, " \t\r\n")] != '\0')
		return false;
	char half[KEY_DIGITS / 2 + 1] = "";
	for (int i = 0; i < 2; i++) {
		memcpy(half, digits + i * KEY_DIGITS / 2, KEY_DIGITS / 2);
		key[i] = strtoull(half, NULL, 16);
	}
	return true;
}

static void build_key(struct build *b, const struct item *cluster)
{
	const char *path = path_text(b, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE);
	char *bytes = NULL;
	size_t n;

	b->model->hash_key_file = path;
	if (path[0] == '\0')
		return;
	int err = load_file(path, KEY_FILE_MAX, &bytes, &n);
	if (err == -ENOENT)
		bind_mistake(b->bind, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE,
		             "%s does not exist; make it once for all nodes: openssl rand -hex 16",
		             path);
	else if (err)
		bind_mistake(b->bind, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE, "%s %s", path,
		             load_error(err));
	else if (b->dir && !load_is_below(path, b->dir))
		bind_mistake(b->bind, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE,
		             "%s leads out of the configuration's directory", path);
	else if (!parse_key(bytes, b->model->hash_key))
		bind_mistake(b->bind, cluster, SCHEMA_CLUSTER_HASH_KEY_FILE,
		             "%s does not hold 32 hexadecimal digits", path);
	free(bytes);
}

static void build_cluster(struct build *b)
{
	const struct value *v = bind_value(b->top, SCHEMA_CLUSTER);
	const struct item *limits = bind_value(b->top, SCHEMA_LIMITS)->items;

	b->model->cluster = b->model->hash_key_id = b->model->hash_key_file = "";
	if (v->items) {
		b->model->cluster = text(b, v->items, SCHEMA_CLUSTER_NAME);
		b->model->hash_key_id = text(b, v->items, SCHEMA_CLUSTER_HASH_KEY_ID);
		build_key(b, v->items);
	}
	if (limits)
		b->model->limits = (struct model_limits){
			.services = number32(limits, SCHEMA_LIMITS_SERVICES),
			.backends = number32(limits, SCHEMA_LIMITS_BACKENDS),
			.slots = number32(limits, SCHEMA_LIMITS_SLOTS),
			.exceptions = number32(limits, SCHEMA_LIMITS_EXCEPTIONS),
		};
}

static void build_sites(struct build *b)
{
	b->sites = sort_items(b, bind_value(b->top, SCHEMA_SITES), SCHEMA_SITES_NAME);
	struct model_site *sites = ARENA_ARRAY(b->arena, struct model_site, b->sites.n + 1);

	if (!sites)
		return;
	for (size_t i = 0; i < b->sites.n; i++) {
		const struct item *item = b->sites.items[i];
		const struct item *labels = bind_value(item, SCHEMA_SITES_LABELS)->items;
		const struct item *capacity = bind_value(item, SCHEMA_SITES_CAPACITY)->items;

		sites[i] = (struct model_site){
			.name = text(b, item, SCHEMA_SITES_NAME),
			.region = labels ? text(b, labels, SCHEMA_SITES_LABELS_REGION) : "",
			.weight = number32(item, SCHEMA_SITES_WEIGHT),
			.capacity_flows =
			        capacity ? number(capacity, SCHEMA_SITES_CAPACITY_FLOWS) : 0,
			.capacity_bits =
			        capacity ? number(capacity, SCHEMA_SITES_CAPACITY_BITS) : 0,
			.index = (uint32_t)i,
		};
	}
	b->model->sites = sites;
	b->model->n_sites = b->sites.n;
}

static const struct model_site *site_of(const struct build *b, const struct item *item,
                                        enum schema_id id)
{
	return resolve(b, item, id, b->model->sites, b->model->n_sites, sizeof(struct model_site));
}

static const struct addr *addresses(const struct build *b, const struct item *item,
                                    enum schema_id id, size_t *n)
{
	const struct value *v = bind_value(item, id);
	struct addr *out = ARENA_ARRAY(b->arena, struct addr, v->count + 1);

	*n = 0;
	if (!out || !v->ok)
		return out;
	for (uint32_t i = 0; i < v->count; i++)
		out[(*n)++] = v->entries[i].addr;
	return out;
}

static void build_interfaces(const struct build *b, const struct item *item,
                             struct model_node *node)
{
	const struct value *ports = bind_value(item, SCHEMA_NODES_PORTS);
	const char **names = ARENA_ARRAY(b->arena, const char *, ports->count + 1);

	if (!names)
		return;
	for (uint32_t i = 0; i < ports->count; i++)
		names[i] = text(b, &ports->items[i], SCHEMA_NODES_PORTS_INTERFACE);
	node->interfaces = names;
	node->n_interfaces = ports->count;
}

static void build_tunnel_sources(const struct build *b, const struct item *item,
                                 struct model_node *node)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_TUNNEL_SOURCE);

	for (uint32_t i = 0; v->ok && i < v->count; i++) {
		struct prefix *to = addr_is4(&v->entries[i].addr) ? &node->tunnel_source4
		                                                  : &node->tunnel_source6;

		if (v->entries[i].bits == 0 || to->bits != 0)
			bind_mistake(b->bind, item, SCHEMA_NODES_TUNNEL_SOURCE,
			             "expected one prefix a family, longer than /0");
		*to = v->entries[i];
	}
}

static void build_nodes(struct build *b)
{
	b->nodes = sort_items(b, bind_value(b->top, SCHEMA_NODES), SCHEMA_NODES_NAME);
	struct model_node *nodes = ARENA_ARRAY(b->arena, struct model_node, b->nodes.n + 1);

	if (!nodes)
		return;
	for (size_t i = 0; i < b->nodes.n; i++) {
		const struct item *item = b->nodes.items[i];
		struct model_node *node = &nodes[i];

		*node = (struct model_node){
			.name = text(b, item, SCHEMA_NODES_NAME),
			.site = site_of(b, item, SCHEMA_NODES_SITE),
			.driver = (enum model_driver)number(item, SCHEMA_NODES_DRIVER),
			.mtu = number16(item, SCHEMA_NODES_MTU),
			.api = text(b, item, SCHEMA_NODES_API),
		};
		node->dns_listen = addresses(b, item, SCHEMA_NODES_DNS_LISTEN, &node->n_dns_listen);
		node->controls = addresses(b, item, SCHEMA_NODES_CONTROLS, &node->n_controls);
		build_interfaces(b, item, node);
		build_tunnel_sources(b, item, node);
	}
	b->model->nodes = nodes;
	b->model->n_nodes = b->nodes.n;
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

/* A default is no reason for a mistake: where the interval is given short, the others follow it. */
static uint32_t at_most_interval(const struct item *item, enum schema_id id)
{
	uint32_t interval_ms = number32(item, SCHEMA_CHECKS_INTERVAL), ms = number32(item, id);

	return !bind_value(item, id)->node && ms > interval_ms ? interval_ms : ms;
}

static void build_checks(struct build *b)
{
	b->checks = sort_items(b, bind_value(b->top, SCHEMA_CHECKS), SCHEMA_CHECKS_NAME);
	struct model_check *checks = ARENA_ARRAY(b->arena, struct model_check, b->checks.n + 1);

	if (!checks)
		return;
	for (size_t i = 0; i < b->checks.n; i++) {
		const struct item *item = b->checks.items[i];

		checks[i] = (struct model_check){
			.name = text(b, item, SCHEMA_CHECKS_NAME),
			.type = (enum model_check_type)number(item, SCHEMA_CHECKS_TYPE),
			.port = number16(item, SCHEMA_CHECKS_PORT),
			.path = text(b, item, SCHEMA_CHECKS_PATH),
			.host = text(b, item, SCHEMA_CHECKS_HOST),
			.expect = number16(item, SCHEMA_CHECKS_EXPECT),
			.via = (enum model_via)number(item, SCHEMA_CHECKS_VIA),
			.interval_ms = number32(item, SCHEMA_CHECKS_INTERVAL),
			.fast_interval_ms = at_most_interval(item, SCHEMA_CHECKS_FAST_INTERVAL),
			.timeout_ms = at_most_interval(item, SCHEMA_CHECKS_TIMEOUT),
			.rise = number16(item, SCHEMA_CHECKS_RISE),
			.fall = number16(item, SCHEMA_CHECKS_FALL),
		};
		checks[i].detect_worst_ms = detect_worst_ms(&checks[i]);
	}
	b->model->checks = checks;
	b->model->n_checks = b->checks.n;
}

static const struct model_check *check_of(const struct build *b, const struct item *item,
                                          enum schema_id id)
{
	return resolve(b, item, id, b->model->checks, b->model->n_checks,
	               sizeof(struct model_check));
}

static uint32_t slots_for(uint32_t max_backends)
{
	uint32_t n = SLOTS_MIN;

	while (n < SLOTS_MAX && n < max_backends * SLOTS_PER_MEMBER)
		n *= 2;
	return n;
}

static int by_id(const void *a, const void *b)
{
	const struct model_member *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int by_backend_id(const void *a, const void *b)
{
	const struct model_backend *x = *(const struct model_backend *const *)a;
	const struct model_backend *y = *(const struct model_backend *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Two backends with one address and port would be one identity with two names. */
static void check_identities(const struct build *b, const struct model_pool *pool,
                             const struct sources *from)
{
	struct arena *scratch = b->bind->arena;
	const struct model_backend **sorted =
	        ARENA_ARRAY(scratch, const struct model_backend *, pool->n_backends + 1);

	if (!sorted)
		return;
	for (size_t i = 0; i < pool->n_backends; i++)
		sorted[i] = &pool->backends[i];
	qsort(sorted, pool->n_backends, sizeof(*sorted), by_backend_id);
	for (size_t i = 1; i < pool->n_backends; i++) {
		const struct item *item = from->items[sorted[i] - pool->backends];

		if (sorted[i]->id == sorted[i - 1]->id &&
		    bind_value(item, SCHEMA_POOLS_BACKENDS_ADDRESS)->ok)
			bind_mistake(b->bind, item, SCHEMA_POOLS_BACKENDS_ADDRESS,
			             "has the same address and port as backend \"%s\"",
			             sorted[i - 1]->name);
	}
}

static void build_backends(const struct build *b, const struct item *item, struct model_pool *pool)
{
	struct sources from =
	        sort_items(b, bind_value(item, SCHEMA_POOLS_BACKENDS), SCHEMA_POOLS_BACKENDS_NAME);
	struct model_backend *backends = ARENA_ARRAY(b->arena, struct model_backend, from.n + 1);

	if (!backends)
		return;
	for (size_t i = 0; i < from.n; i++) {
		struct model_backend *backend = &backends[i];

		*backend = (struct model_backend){
			.name = text(b, from.items[i], SCHEMA_POOLS_BACKENDS_NAME),
			.address = bind_value(from.items[i], SCHEMA_POOLS_BACKENDS_ADDRESS)
			                   ->prefix.addr,
			.port = number16(from.items[i], SCHEMA_POOLS_BACKENDS_PORT),
			.weight = number32(from.items[i], SCHEMA_POOLS_BACKENDS_WEIGHT),
			.pool = pool,
		};
		backend->id = model_backend_id(&backend->address, backend->port);
	}
	pool->backends = backends;
	pool->n_backends = from.n;
	check_identities(b, pool, &from);
}

/* Until an effective document says otherwise a pool has one set, of all its backends. */
static void build_first_set(const struct build *b, struct model_pool *pool)
{
	struct model_set *set = ARENA_ARRAY(b->arena, struct model_set, 1);
	struct model_member *members =
	        ARENA_ARRAY(b->arena, struct model_member, pool->n_backends + 1);

	if (!set || !members)
		return;
	for (size_t i = 0; i < pool->n_backends; i++)
		members[i] =
		        (struct model_member){ pool->backends[i].id, pool->backends[i].address,
			                       pool->backends[i].port, pool->backends[i].weight };
	qsort(members, pool->n_backends, sizeof(*members), by_id);
	*set = (struct model_set){ 0, MODEL_WALL_NEVER, members, pool->n_backends };
	pool->sets = set;
	pool->n_sets = 1;
}

static void build_pools(struct build *b)
{
	b->pools = sort_items(b, bind_value(b->top, SCHEMA_POOLS), SCHEMA_POOLS_NAME);
	struct model_pool *pools = ARENA_ARRAY(b->arena, struct model_pool, b->pools.n + 1);

	if (!pools)
		return;
	for (size_t i = 0; i < b->pools.n; i++) {
		const struct item *item = b->pools.items[i];

		pools[i] = (struct model_pool){
			.name = text(b, item, SCHEMA_POOLS_NAME),
			.site = site_of(b, item, SCHEMA_POOLS_SITE),
			.check = check_of(b, item, SCHEMA_POOLS_CHECK),
			.mode = (enum model_mode)number(item, SCHEMA_POOLS_MODE),
			.max_backends = number32(item, SCHEMA_POOLS_MAX_BACKENDS),
			.n_slots = slots_for(number32(item, SCHEMA_POOLS_MAX_BACKENDS)),
			.min_healthy_percent = number32(item, SCHEMA_POOLS_MIN_HEALTHY),
			.max_remove_percent = number32(item, SCHEMA_POOLS_MAX_REMOVE),
			.settle_ms = number32(item, SCHEMA_POOLS_SETTLE_TIME),
			.idle_ms = number32(item, SCHEMA_POOLS_IDLE_TIME),
			.index = (uint32_t)i,
		};
		build_backends(b, item, &pools[i]);
		build_first_set(b, &pools[i]);
	}
	b->model->pools = pools;
	b->model->n_pools = b->pools.n;
}

static void build_vips(struct build *b)
{
	b->vips = sort_items(b, bind_value(b->top, SCHEMA_VIPS), SCHEMA_VIPS_NAME);
	struct model_vip *vips = ARENA_ARRAY(b->arena, struct model_vip, b->vips.n + 1);

	if (!vips)
		return;
	for (size_t i = 0; i < b->vips.n; i++) {
		const struct item *item = b->vips.items[i];

		vips[i].name = text(b, item, SCHEMA_VIPS_NAME);
		vips[i].site = site_of(b, item, SCHEMA_VIPS_SITE);
		vips[i].addresses = addresses(b, item, SCHEMA_VIPS_ADDRESSES, &vips[i].n_addresses);
	}
	b->model->vips = vips;
	b->model->n_vips = b->vips.n;
}

static void build_at(const struct build *b, const struct item *item, struct model_service *service)
{
	const struct value *list = bind_value(item, SCHEMA_SERVICES_AT);
	struct model_at *at = ARENA_ARRAY(b->arena, struct model_at, list->count + 1);
	const struct model *m = b->model;

	if (!at)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *from = &list->items[i];

		at[i].site = site_of(b, from, SCHEMA_SERVICES_AT_SITE);
		at[i].vip = resolve(b, from, SCHEMA_SERVICES_AT_VIP, m->vips, m->n_vips,
		                    sizeof(*m->vips));
		at[i].pool = resolve(b, from, SCHEMA_SERVICES_AT_POOL, m->pools, m->n_pools,
		                     sizeof(*m->pools));
		if (bind_value(from, SCHEMA_SERVICES_AT_WEIGHT)->node)
			at[i].weight = number32(from, SCHEMA_SERVICES_AT_WEIGHT);
		else
			at[i].weight = at[i].site ? at[i].site->weight : 0;
	}
	service->at = at;
	service->n_at = list->count;
}

static void build_services(struct build *b)
{
	b->services = sort_items(b, bind_value(b->top, SCHEMA_SERVICES), SCHEMA_SERVICES_NAME);
	struct model_service *services =
	        ARENA_ARRAY(b->arena, struct model_service, b->services.n + 1);

	if (!services)
		return;
	for (size_t i = 0; i < b->services.n; i++) {
		const struct item *item = b->services.items[i];

		services[i] = (struct model_service){
			.name = text(b, item, SCHEMA_SERVICES_NAME),
			.protocol = number(item, SCHEMA_SERVICES_PROTOCOL) ? MODEL_UDP : MODEL_TCP,
			.port = number16(item, SCHEMA_SERVICES_PORT),
			.hash = (enum model_hash)number(item, SCHEMA_SERVICES_HASH),
			.vip_check = check_of(b, item, SCHEMA_SERVICES_VIP_CHECK),
			.on_all_down =
			        (enum model_all_down)number(item, SCHEMA_SERVICES_ON_ALL_DOWN),
			.udp_idle_ms = number32(item, SCHEMA_SERVICES_UDP_IDLE),
			.udp_policy =
			        (enum model_udp_policy)number(item, SCHEMA_SERVICES_UDP_POLICY),
			.index = (uint32_t)i,
		};
		build_at(b, item, &services[i]);
	}
	b->model->services = services;
	b->model->n_services = b->services.n;
}

#define ZONE_FILE_MAX ((size_t)1 << 30)

static void build_zones(struct build *b, const struct item *dns)
{
	b->zones = sort_items(b, bind_value(dns, SCHEMA_DNS_ZONES), SCHEMA_DNS_ZONES_NAME);
	struct model_zone *zones = ARENA_ARRAY(b->arena, struct model_zone, b->zones.n + 1);

	if (!zones)
		return;
	for (size_t i = 0; i < b->zones.n; i++) {
		const struct item *item = b->zones.items[i];

		zones[i] = (struct model_zone){
			.name = text(b, item, SCHEMA_DNS_ZONES_NAME),
			.file = path_text(b, item, SCHEMA_DNS_ZONES_FILE),
			.digest = text(b, item, SCHEMA_DNS_ZONES_DIGEST),
		};
		check_file(b, item, SCHEMA_DNS_ZONES_FILE, zones[i].file, ZONE_FILE_MAX);
	}
	b->model->zones = zones;
	b->model->n_zones = b->zones.n;
}

static void build_dns_names(struct build *b, const struct item *dns)
{
	struct model *m = b->model;

	b->names = sort_items(b, bind_value(dns, SCHEMA_DNS_NAMES), SCHEMA_DNS_NAMES_NAME);
	struct model_dns_name *names = ARENA_ARRAY(b->arena, struct model_dns_name, b->names.n + 1);

	if (!names)
		return;
	for (size_t i = 0; i < b->names.n; i++) {
		const struct item *item = b->names.items[i];
		const struct item *ttl = bind_value(item, SCHEMA_DNS_NAMES_TTL)->items;

		names[i] = (struct model_dns_name){
			.name = text(b, item, SCHEMA_DNS_NAMES_NAME),
			.service = resolve(b, item, SCHEMA_DNS_NAMES_SERVICE, m->services,
			                   m->n_services, sizeof(*m->services)),
			.policy = (enum model_policy)number(item, SCHEMA_DNS_NAMES_POLICY),
			.ttl_min_s = ttl ? number32(ttl, SCHEMA_DNS_NAMES_TTL_MIN) / 1000 : 0,
			.ttl_max_s = ttl ? number32(ttl, SCHEMA_DNS_NAMES_TTL_MAX) / 1000 : 0,
		};
	}
	m->dns_names = names;
	m->n_dns_names = b->names.n;
}

static void build_meta(struct build *b)
{
	const struct item *item = bind_value(b->top, SCHEMA_EFFECTIVE)->items;

	b->model->meta.digest = "";
	if (!item)
		return;
	b->model->meta = (struct model_meta){
		.version = number(item, SCHEMA_EFFECTIVE_VERSION),
		.digest = text(b, item, SCHEMA_EFFECTIVE_DIGEST),
		.document = number(item, SCHEMA_EFFECTIVE_DOCUMENT),
		.written_ms = (int64_t)number(item, SCHEMA_EFFECTIVE_WRITTEN),
	};
}

static void build_members(const struct build *b, const struct item *item, struct model_set *set)
{
	const struct value *list = bind_value(item, SCHEMA_SETS_MEMBERS);
	struct model_member *members = ARENA_ARRAY(b->arena, struct model_member, list->count + 1);

	if (!members)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *from = &list->items[i];

		members[i] = (struct model_member){
			.address = bind_value(from, SCHEMA_SETS_MEMBERS_ADDRESS)->prefix.addr,
			.port = number16(from, SCHEMA_SETS_MEMBERS_PORT),
			.weight = number32(from, SCHEMA_SETS_MEMBERS_WEIGHT),
		};
		members[i].id = model_backend_id(&members[i].address, members[i].port);
	}
	qsort(members, list->count, sizeof(*members), by_id);
	for (uint32_t i = 1; i < list->count; i++)
		if (members[i].id == members[i - 1].id)
			bind_mistake(b->bind, item, SCHEMA_SETS_MEMBERS,
			             "an address and port stand twice");
	set->members = members;
	set->n_members = list->count;
}

/* Put the document's sets in the place of the first ones; they stand oldest first. */
static void build_sets(struct build *b)
{
	const struct value *list = bind_value(b->top, SCHEMA_SETS);
	struct model *m = b->model;
	struct model_set *all = ARENA_ARRAY(b->arena, struct model_set, list->count + 1);
	bool *seen = ARENA_ARRAY(b->bind->arena, bool, m->n_pools + 1);
	const struct model_pool *last = NULL;

	if (!all || !seen)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		const struct model_pool *named =
		        resolve(b, item, SCHEMA_SETS_POOL, m->pools, m->n_pools, sizeof(*m->pools));

		all[i].from_ms = (int64_t)number(item, SCHEMA_SETS_FROM);
		all[i].until_ms = (int64_t)number(item, SCHEMA_SETS_UNTIL);
		build_members(b, item, &all[i]);
		if (!named)
			continue;
		struct model_pool *pool = (struct model_pool *)(uintptr_t)named;
		if (pool == last && pool->n_sets <= MODEL_SETS_MAX &&
		    all[i].from_ms >= all[i - 1].from_ms) {
			pool->n_sets++;
		} else if (seen[pool->index]) {
			bind_mistake(b->bind, item, SCHEMA_SETS_POOL,
			             "a pool's sets stand together, oldest first, at most %d",
			             MODEL_SETS_MAX + 1);
		} else {
			pool->sets = &all[i];
			pool->n_sets = 1;
		}
		seen[pool->index] = true;
		last = pool;
	}
}

static void build_overrides(struct build *b)
{
	struct sources from =
	        sort_items(b, bind_value(b->top, SCHEMA_OVERRIDES), SCHEMA_OVERRIDES_ID);
	struct model_override *overrides = ARENA_ARRAY(b->arena, struct model_override, from.n + 1);

	if (!overrides)
		return;
	for (size_t i = 0; i < from.n; i++) {
		const struct item *item = from.items[i];

		overrides[i] = (struct model_override){
			.id = text(b, item, SCHEMA_OVERRIDES_ID),
			.kind = (enum model_override_kind)number(item, SCHEMA_OVERRIDES_KIND),
			.target = (enum model_target_kind)number(item, SCHEMA_OVERRIDES_TARGET),
			.pool = text(b, item, SCHEMA_OVERRIDES_POOL),
			.name = text(b, item, SCHEMA_OVERRIDES_NAME),
			.generation = number(item, SCHEMA_OVERRIDES_GENERATION),
			.created_ms = (int64_t)number(item, SCHEMA_OVERRIDES_CREATED),
			.from_ms = (int64_t)number(item, SCHEMA_OVERRIDES_FROM),
			.over_ms = (int64_t)number(item, SCHEMA_OVERRIDES_OVER),
			.until_ms = (int64_t)number(item, SCHEMA_OVERRIDES_UNTIL),
			.from_ppm = number32(item, SCHEMA_OVERRIDES_FROM_PPM),
			.ended = number(item, SCHEMA_OVERRIDES_ENDED) != 0,
			.author = text(b, item, SCHEMA_OVERRIDES_AUTHOR),
			.reason = text(b, item, SCHEMA_OVERRIDES_REASON),
			.node = text(b, item, SCHEMA_OVERRIDES_NODE),
		};
		if (overrides[i].target == MODEL_TARGET_BACKEND && overrides[i].pool[0] == '\0')
			bind_mistake(b->bind, item, SCHEMA_OVERRIDES_POOL,
			             "is missing, expected the backend's pool");
	}
	b->model->overrides = overrides;
	b->model->n_overrides = from.n;
}

int build_model(struct build *b)
{
	const struct item *dns = bind_value(b->top, SCHEMA_DNS)->items;

	build_meta(b);
	build_cluster(b);
	build_sites(b);
	build_nodes(b);
	build_checks(b);
	build_pools(b);
	build_vips(b);
	build_services(b);
	if (dns) {
		build_zones(b, dns);
		build_dns_names(b, dns);
	}
	build_sets(b);
	build_overrides(b);
	return arena_failed(b->arena) || arena_failed(b->bind->arena) ? -ENOMEM : 0;
}
