/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One function for each list of the document, each into an array that is sorted by name, so that
 * names are found by binary search and the order in the document means nothing. They run in the
 * order of their references (sites before nodes, pools before services), so that a reference is
 * resolved to a pointer at once.
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
	const struct item *limits = bind_value(b->top, SCHEMA_LIMITS)->items;
	const struct item *effective = b->dir ? NULL : bind_value(b->top, SCHEMA_EFFECTIVE)->items;

	b->model->cluster = b->model->hash_key_id = b->model->hash_key_file = b->model->key_fault =
	        "";
	if (effective)
		b->key_expected = build_text(b, effective, SCHEMA_EFFECTIVE_HASH_KEY);
	if (v->items) {
		b->model->cluster = build_text(b, v->items, SCHEMA_CLUSTER_NAME);
		b->model->hash_key_id = build_text(b, v->items, SCHEMA_CLUSTER_HASH_KEY_ID);
		b->model->max_sites_out = build_n32(v->items, SCHEMA_CLUSTER_MAX_SITES_OUT);
		build_key(b, v->items);
	}
	if (limits)
		b->model->limits = (struct model_limits){
			.services = build_n32(limits, SCHEMA_LIMITS_SERVICES),
			.backends = build_n32(limits, SCHEMA_LIMITS_BACKENDS),
			.slots = build_n32(limits, SCHEMA_LIMITS_SLOTS),
			.exceptions = build_n32(limits, SCHEMA_LIMITS_EXCEPTIONS),
		};
}

/* First of the lists, because all others refer to sites. */
static void build_sites(struct model_build *b)
{
	b->sites = build_sort(b, bind_value(b->top, SCHEMA_SITES), SCHEMA_SITES_NAME);
	struct model_site *sites = ARENA_ARRAY(b->arena, struct model_site, b->sites.n + 1);

	if (!sites)
		return;
	for (size_t i = 0; i < b->sites.n; i++) {
		const struct item *item = b->sites.items[i];
		const struct item *labels = bind_value(item, SCHEMA_SITES_LABELS)->items;
		const struct item *capacity = bind_value(item, SCHEMA_SITES_CAPACITY)->items;

		sites[i] = (struct model_site){
			.name = build_text(b, item, SCHEMA_SITES_NAME),
			.region = labels ? build_text(b, labels, SCHEMA_SITES_LABELS_REGION) : "",
			.weight = build_n32(item, SCHEMA_SITES_WEIGHT),
			.capacity_flows =
			        capacity ? build_n(capacity, SCHEMA_SITES_CAPACITY_FLOWS) : 0,
			.capacity_bits =
			        capacity ? build_n(capacity, SCHEMA_SITES_CAPACITY_BITS) : 0,
			.index = (uint32_t)i,
		};
	}
	b->model->sites = sites;
	b->model->n_sites = b->sites.n;
}

static void build_macs(const struct model_build *b, const struct item *item,
                       struct model_port *port)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_PORTS_MACS);
	struct model_mac *macs = ARENA_ARRAY(b->arena, struct model_mac, v->count + 1);

	if (!macs || !v->ok)
		return;
	for (uint32_t i = 0; i < v->count; i++)
		memcpy(macs[i].bytes, v->entries[i].addr.bytes, sizeof(macs[i].bytes));
	port->macs = macs;
	port->n_macs = v->count;
}

static void build_ports(const struct model_build *b, const struct item *item,
                        struct model_node *node)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_PORTS);
	struct model_port *ports = ARENA_ARRAY(b->arena, struct model_port, v->count + 1);

	if (!ports)
		return;
	for (uint32_t i = 0; i < v->count; i++) {
		ports[i] = (struct model_port){
			.interface = build_text(b, &v->items[i], SCHEMA_NODES_PORTS_INTERFACE),
			.device = build_text(b, &v->items[i], SCHEMA_NODES_PORTS_DEVICE),
		};
		build_macs(b, &v->items[i], &ports[i]);
	}
	node->ports = ports;
	node->n_ports = v->count;
}

static void build_dpdk(const struct model_build *b, const struct item *item,
                       struct model_dpdk *dpdk)
{
	const struct item *group = bind_value(item, SCHEMA_NODES_DPDK)->items;

	*dpdk = (struct model_dpdk){ .memory_mb = MODEL_MEMORY_MB };
	if (!group)
		return;
	dpdk->hugepages = (enum model_hugepages)build_n(group, SCHEMA_NODES_DPDK_HUGEPAGES);
	dpdk->memory_mb = build_n32(group, SCHEMA_NODES_DPDK_MEMORY);
	if (device_read_cores(build_text(b, group, SCHEMA_NODES_DPDK_CORES), dpdk))
		bind_error(b->bind, group, SCHEMA_NODES_DPDK_CORES,
		           "expected CPUs in rising order such as \"2-5,8\", at most %u",
		           MODEL_CORES_MAX);
}

static void build_tunnel_sources(const struct model_build *b, const struct item *item,
                                 struct model_node *node)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_TUNNEL_SOURCE);

	for (uint32_t i = 0; v->ok && i < v->count; i++) {
		struct prefix *to = addr_is4(&v->entries[i].addr) ? &node->tunnel_source4
		                                                  : &node->tunnel_source6;

		if (v->entries[i].bits == 0 || to->bits != 0)
			bind_error(b->bind, item, SCHEMA_NODES_TUNNEL_SOURCE,
			           "expected one prefix for each address family, longer than /0");
		*to = v->entries[i];
	}
}

/* Driver and DPDK settings are read for all nodes: a document is checked whole on each of them. */
static void build_nodes(struct model_build *b)
{
	b->nodes = build_sort(b, bind_value(b->top, SCHEMA_NODES), SCHEMA_NODES_NAME);
	struct model_node *nodes = ARENA_ARRAY(b->arena, struct model_node, b->nodes.n + 1);

	if (!nodes)
		return;
	for (size_t i = 0; i < b->nodes.n; i++) {
		const struct item *item = b->nodes.items[i];
		const struct item *capacity = bind_value(item, SCHEMA_NODES_CAPACITY)->items;
		struct model_node *node = &nodes[i];

		*node = (struct model_node){
			.name = build_text(b, item, SCHEMA_NODES_NAME),
			.site = build_site(b, item, SCHEMA_NODES_SITE),
			.driver = (enum model_driver)build_n(item, SCHEMA_NODES_DRIVER),
			.mtu = build_n16(item, SCHEMA_NODES_MTU),
			.api = build_text(b, item, SCHEMA_NODES_API),
			.clock = (enum model_clock)build_n(item, SCHEMA_NODES_CLOCK),
			.capacity_bits =
			        capacity ? build_n(capacity, SCHEMA_NODES_CAPACITY_BITS) : 0,
		};
		node->dns_listen =
		        build_addresses(b, item, SCHEMA_NODES_DNS_LISTEN, &node->n_dns_listen);
		node->controls = build_addresses(b, item, SCHEMA_NODES_CONTROLS, &node->n_controls);
		build_ports(b, item, node);
		build_dpdk(b, item, &node->dpdk);
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

/* A default must not cause an error: where a short interval is given, the other times follow it. */
static uint32_t at_most_interval(const struct item *item, enum schema_id id)
{
	uint32_t interval_ms = build_n32(item, SCHEMA_CHECKS_INTERVAL), ms = build_n32(item, id);

	return !bind_value(item, id)->node && ms > interval_ms ? interval_ms : ms;
}

/* The worst time of detection is worked out here, so that all who show it show one figure. */
static void build_checks(struct model_build *b)
{
	b->checks = build_sort(b, bind_value(b->top, SCHEMA_CHECKS), SCHEMA_CHECKS_NAME);
	struct model_check *checks = ARENA_ARRAY(b->arena, struct model_check, b->checks.n + 1);

	if (!checks)
		return;
	for (size_t i = 0; i < b->checks.n; i++) {
		const struct item *item = b->checks.items[i];

		checks[i] = (struct model_check){
			.name = build_text(b, item, SCHEMA_CHECKS_NAME),
			.type = (enum model_check_type)build_n(item, SCHEMA_CHECKS_TYPE),
			.port = build_n16(item, SCHEMA_CHECKS_PORT),
			.path = build_text(b, item, SCHEMA_CHECKS_PATH),
			.host = build_text(b, item, SCHEMA_CHECKS_HOST),
			.expect = build_n16(item, SCHEMA_CHECKS_EXPECT),
			.via = (enum model_via)build_n(item, SCHEMA_CHECKS_VIA),
			.interval_ms = build_n32(item, SCHEMA_CHECKS_INTERVAL),
			.fast_interval_ms = at_most_interval(item, SCHEMA_CHECKS_FAST_INTERVAL),
			.timeout_ms = at_most_interval(item, SCHEMA_CHECKS_TIMEOUT),
			.rise = build_n16(item, SCHEMA_CHECKS_RISE),
			.fall = build_n16(item, SCHEMA_CHECKS_FALL),
			.damp_turns = build_n16(item, SCHEMA_CHECKS_DAMP_TURNS),
			.damp_half_life_ms = build_n32(item, SCHEMA_CHECKS_DAMP_HALF_LIFE),
			.damp_max_ms = build_n32(item, SCHEMA_CHECKS_DAMP_MAX),
		};
		checks[i].detect_worst_ms = detect_worst_ms(&checks[i]);
	}
	b->model->checks = checks;
	b->model->n_checks = b->checks.n;
}

/* Sorted by name, as the model's sites are. */
static void build_vip_sites(const struct model_build *b, const struct item *item,
                            struct model_vip *vip)
{
	const struct model *m = b->model;
	const struct model_site *one = build_site(b, item, SCHEMA_VIPS_SITE);
	const bool *named =
	        build_resolve_list(b, item, SCHEMA_VIPS_SITES, m->sites, m->n_sites, sizeof(*one));
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
	b->vips = build_sort(b, bind_value(b->top, SCHEMA_VIPS), SCHEMA_VIPS_NAME);
	struct model_vip *vips = ARENA_ARRAY(b->arena, struct model_vip, b->vips.n + 1);

	if (!vips)
		return;
	for (size_t i = 0; i < b->vips.n; i++) {
		const struct item *item = b->vips.items[i];

		vips[i].name = build_text(b, item, SCHEMA_VIPS_NAME);
		build_vip_sites(b, item, &vips[i]);
		vips[i].addresses =
		        build_addresses(b, item, SCHEMA_VIPS_ADDRESSES, &vips[i].n_addresses);
		vips[i].announce_when =
		        (enum model_announce_when)build_n(item, SCHEMA_VIPS_ANNOUNCE_WHEN);
	}
	b->model->vips = vips;
	b->model->n_vips = b->vips.n;
}

/* The backup's most load is a group of its own, as a site's capacity is. */
static void build_backup(const struct model_build *b, const struct item *item, struct model_at *at)
{
	const struct model *m = b->model;
	const struct item *most = bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MAX)->items;

	at->backup = build_resolve(b, item, SCHEMA_SERVICES_AT_BACKUP, m->pools, m->n_pools,
	                           sizeof(*m->pools));
	at->backup_mtu = build_n16(item, SCHEMA_SERVICES_AT_BACKUP_MTU);
	if (!most)
		return;
	at->backup_max_flows = build_n(most, SCHEMA_SERVICES_AT_BACKUP_MAX_FLOWS);
	at->backup_max_bits = build_n(most, SCHEMA_SERVICES_AT_BACKUP_MAX_BITS);
}

/* The order of the list is kept: it is that of failover. */
static void build_at(const struct model_build *b, const struct item *item,
                     struct model_service *service)
{
	const struct value *list = bind_value(item, SCHEMA_SERVICES_AT);
	struct model_at *at = ARENA_ARRAY(b->arena, struct model_at, list->count + 1);
	const struct model *m = b->model;

	if (!at)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *from = &list->items[i];

		at[i].site = build_site(b, from, SCHEMA_SERVICES_AT_SITE);
		at[i].vip = build_resolve(b, from, SCHEMA_SERVICES_AT_VIP, m->vips, m->n_vips,
		                          sizeof(*m->vips));
		at[i].pool = build_resolve(b, from, SCHEMA_SERVICES_AT_POOL, m->pools, m->n_pools,
		                           sizeof(*m->pools));
		if (bind_value(from, SCHEMA_SERVICES_AT_WEIGHT)->node)
			at[i].weight = build_n32(from, SCHEMA_SERVICES_AT_WEIGHT);
		else
			at[i].weight = at[i].site ? at[i].site->weight : 0;
		build_backup(b, from, &at[i]);
	}
	service->at = at;
	service->n_at = list->count;
}

/* After sites, VIPs, pools and checks, to which they refer. */
static void build_services(struct model_build *b)
{
	b->services = build_sort(b, bind_value(b->top, SCHEMA_SERVICES), SCHEMA_SERVICES_NAME);
	struct model_service *services =
	        ARENA_ARRAY(b->arena, struct model_service, b->services.n + 1);

	if (!services)
		return;
	for (size_t i = 0; i < b->services.n; i++) {
		const struct item *item = b->services.items[i];

		services[i] = (struct model_service){
			.name = build_text(b, item, SCHEMA_SERVICES_NAME),
			.protocol = build_n(item, SCHEMA_SERVICES_PROTOCOL) ? MODEL_UDP : MODEL_TCP,
			.port = build_n16(item, SCHEMA_SERVICES_PORT),
			.hash = (enum model_hash)build_n(item, SCHEMA_SERVICES_HASH),
			.on_all_down =
			        (enum model_all_down)build_n(item, SCHEMA_SERVICES_ON_ALL_DOWN),
			.udp_idle_ms = build_n32(item, SCHEMA_SERVICES_UDP_IDLE),
			.udp_policy =
			        (enum model_udp_policy)build_n(item, SCHEMA_SERVICES_UDP_POLICY),
			.index = (uint32_t)i,
		};
		build_at(b, item, &services[i]);
		build_vip_check(b, item, &services[i]);
	}
	b->model->services = services;
	b->model->n_services = b->services.n;
}

#define ZONE_FILE_MAX ((size_t)1 << 30) /* bytes; bounds what is read */

static void build_zones(struct model_build *b, const struct item *dns)
{
	b->zones = build_sort(b, bind_value(dns, SCHEMA_DNS_ZONES), SCHEMA_DNS_ZONES_NAME);
	struct model_zone *zones = ARENA_ARRAY(b->arena, struct model_zone, b->zones.n + 1);

	if (!zones)
		return;
	for (size_t i = 0; i < b->zones.n; i++) {
		const struct item *item = b->zones.items[i];

		zones[i] = (struct model_zone){
			.name = build_text(b, item, SCHEMA_DNS_ZONES_NAME),
			.file = build_path(b, item, SCHEMA_DNS_ZONES_FILE, b->dir),
			.digest = build_text(b, item, SCHEMA_DNS_ZONES_DIGEST),
		};
		check_named_file(b, item, SCHEMA_DNS_ZONES_FILE, zones[i].file, ZONE_FILE_MAX);
	}
	b->model->zones = zones;
	b->model->n_zones = b->zones.n;
}

/* After services, to which they refer. TTLs are bound in milliseconds, but DNS has seconds. */
static void build_dns_names(struct model_build *b, const struct item *dns)
{
	struct model *m = b->model;

	b->names = build_sort(b, bind_value(dns, SCHEMA_DNS_NAMES), SCHEMA_DNS_NAMES_NAME);
	struct model_dns_name *names = ARENA_ARRAY(b->arena, struct model_dns_name, b->names.n + 1);

	if (!names)
		return;
	for (size_t i = 0; i < b->names.n; i++) {
		const struct item *item = b->names.items[i];
		const struct item *ttl = bind_value(item, SCHEMA_DNS_NAMES_TTL)->items;

		names[i] = (struct model_dns_name){
			.name = build_text(b, item, SCHEMA_DNS_NAMES_NAME),
			.service = build_resolve(b, item, SCHEMA_DNS_NAMES_SERVICE, m->services,
			                         m->n_services, sizeof(*m->services)),
			.policy = (enum model_policy)build_n(item, SCHEMA_DNS_NAMES_POLICY),
			.ttl_min_s = ttl ? build_n32(ttl, SCHEMA_DNS_NAMES_TTL_MIN) / 1000 : 0,
			.ttl_max_s = ttl ? build_n32(ttl, SCHEMA_DNS_NAMES_TTL_MAX) / 1000 : 0,
		};
	}
	m->dns_names = names;
	m->n_dns_names = b->names.n;
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
		b->model->dns_threads = build_n32(dns, SCHEMA_DNS_THREADS);
		build_zones(b, dns);
		build_dns_names(b, dns);
	}
	build_effective(b);
	return arena_failed(b->arena) || arena_failed(b->bind->arena) ? -ENOMEM : 0;
}
