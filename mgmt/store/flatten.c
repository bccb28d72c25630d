/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One function for each kind of object lists its settings as fields below its path. An object has
 * an entry of its own with an empty value, so that it can come or go as a whole. A setting that is
 * not listed here is in no plan: a new setting needs a line here. flat_compare() puts '/' before
 * all other characters, so that the fields of an object follow it directly.
 */
#include "mgmt/store/flatten.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/arena.h"

#define VALUE_MAX 1200 /* bytes: the longest text is a check's path of 1,024 */

/* The list being made, and the path of the present object. */
struct flatten_walk {
	struct flat *out;
	struct arena *arena;
	const char *current;
};

int flat_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	int x = *a == '/' ? 1 : (unsigned char)*a, y = *b == '/' ? 1 : (unsigned char)*b;

	return x - y;
}

static void append_flat(struct flatten_walk *w, const char *path, const char *value)
{
	struct flat *f = w->out;

	if (f->n == f->max) {
		size_t max = f->max ? f->max * 2 : 1024;
		struct flat_item *items = ARENA_ARRAY(w->arena, struct flat_item, max);

		if (!items)
			return;
		if (f->n > 0)
			memcpy(items, f->items, f->n * sizeof(*items));
		f->items = items;
		f->max = max;
	}
	f->items[f->n++] = (struct flat_item){ path, value };
}

static void begin_object(struct flatten_walk *w, const char *path)
{
	w->current = path;
	if (path)
		append_flat(w, path, "");
}

static void add_field(struct flatten_walk *w, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void add_field(struct flatten_walk *w, const char *name, const char *format, ...)
{
	char value[VALUE_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(value, sizeof(value), format, list);
	va_end(list);
	const char *path = arena_printf(w->arena, "%s/%s", w->current, name);
	const char *copy = arena_strdup(w->arena, value);
	if (path && copy)
		append_flat(w, path, copy);
}

static void add_address_list(struct flatten_walk *w, const char *name, const struct addr *list,
                             size_t n)
{
	char value[VALUE_MAX] = "", text[ADDR_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(value) - ADDR_TEXT_MAX - 2; i++)
		used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", i ? " " : "",
		                         addr_text(&list[i], text));
	add_field(w, name, "%s", value);
}

static void flatten_site(struct flatten_walk *w, const struct model_site *s)
{
	begin_object(w, arena_printf(w->arena, "sites/%s", s->name));
	add_field(w, "region", "%s", s->region);
	add_field(w, "weight", "%" PRIu32, s->weight);
	add_field(w, "capacity/new_flows", "%" PRIu64, s->capacity_flows);
	add_field(w, "capacity/bits", "%" PRIu64, s->capacity_bits);
}

static void flatten_dpdk(struct flatten_walk *w, const struct model_dpdk *d)
{
	static const char *const hugepages[] = { "auto", "yes", "no" };
	char cores[MODEL_CORES_MAX * 6] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < d->n_cores; i++)
		n += (size_t)snprintf(cores + n, sizeof(cores) - n, "%s%u", i ? "," : "",
		                      d->cores[i]);
	add_field(w, "dpdk/cores", "%s", cores);
	add_field(w, "dpdk/hugepages", "%s", hugepages[d->hugepages]);
	add_field(w, "dpdk/memory", "%" PRIu32, d->memory_mb);
}

static void flatten_macs(struct flatten_walk *w, const struct model_port *p)
{
	const char *all = "";

	for (size_t i = 0; i < p->n_macs; i++) {
		const uint8_t *m = p->macs[i].bytes;

		all = arena_printf(w->arena, "%s%s%02x:%02x:%02x:%02x:%02x:%02x", all, i ? " " : "",
		                   m[0], m[1], m[2], m[3], m[4], m[5]);
	}
	if (p->n_macs)
		add_field(w, arena_printf(w->arena, "ports/%s/macs", p->interface), "%s", all);
}

/* VIPs that are listed are a field each, so that one more is a single difference. */
static void flatten_announce(struct flatten_walk *w, const struct model_announce *a)
{
	static const char *const daemons[] = { "none", "bird", "frr" };

	add_field(w, "announce/daemon", "%s", daemons[a->daemon]);
	add_field(w, "announce/table", "%" PRIu32, a->table);
	add_field(w, "announce/gshut_table", "%" PRIu32, a->gshut_table);
	add_field(w, "announce/vips", "%s", a->lists_vips ? "listed" : "all of the site");
	for (size_t i = 0; a->lists_vips && i < a->n_vips; i++)
		add_field(w, arena_printf(w->arena, "announce/vips/%s", a->vips[i]->name), "%s",
		          a->vips[i]->name);
	add_address_list(w, "announce/dns", a->dns, a->n_dns);
	add_field(w, "announce/socket", "%s", a->socket);
}

/* Ports are fields under their interface's name, so that their order in the file has no meaning. */
static void flatten_node(struct flatten_walk *w, const struct model_node *n)
{
	static const char *const drivers[] = { "auto", "xdp", "dpdk" };
	char text[ADDR_LONG_TEXT_MAX];

	begin_object(w, arena_printf(w->arena, "nodes/%s", n->name));
	add_field(w, "site", "%s", n->site->name);
	add_field(w, "driver", "%s", drivers[n->driver]);
	for (size_t i = 0; i < n->n_ports; i++) {
		add_field(w, arena_printf(w->arena, "ports/%s", n->ports[i].interface), "%s",
		          *n->ports[i].device ? n->ports[i].device : n->ports[i].interface);
		flatten_macs(w, &n->ports[i]);
	}
	flatten_dpdk(w, &n->dpdk);
	add_field(w, "tunnel_source4", "%s", prefix_text(&n->tunnel_source4, text));
	add_field(w, "tunnel_source6", "%s", prefix_text(&n->tunnel_source6, text));
	add_address_list(w, "dns_listen", n->dns_listen, n->n_dns_listen);
	add_address_list(w, "controls", n->controls, n->n_controls);
	add_field(w, "api", "%s", n->api);
	add_field(w, "mtu", "%u", n->mtu);
	if (n->capacity_bits)
		add_field(w, "capacity/bits", "%" PRIu64, n->capacity_bits);
	add_field(w, "clock", "%s", n->clock == MODEL_CLOCK_TRUSTED ? "trusted" : "synchronised");
	flatten_announce(w, &n->announce);
}

static void flatten_check(struct flatten_walk *w, const struct model_check *c)
{
	begin_object(w, arena_printf(w->arena, "checks/%s", c->name));
	add_field(w, "type", "%s", c->type == MODEL_CHECK_HTTP ? "http" : "tcp");
	add_field(w, "port", "%u", c->port);
	add_field(w, "path", "%s", c->path ? c->path : "");
	add_field(w, "host", "%s", c->host ? c->host : "");
	add_field(w, "expect", "%u", c->expect);
	add_field(w, "via", "%s", c->via == MODEL_VIA_TUNNEL ? "tunnel" : "direct");
	add_field(w, "interval_ms", "%" PRIu32, c->interval_ms);
	add_field(w, "fast_interval_ms", "%" PRIu32, c->fast_interval_ms);
	add_field(w, "timeout_ms", "%" PRIu32, c->timeout_ms);
	add_field(w, "rise", "%u", c->rise);
	add_field(w, "fall", "%u", c->fall);
	add_field(w, "damp_turns", "%u", c->damp_turns);
	add_field(w, "damp_half_life_ms", "%" PRIu32, c->damp_half_life_ms);
	add_field(w, "damp_max_ms", "%" PRIu32, c->damp_max_ms);
}

/* Backends are objects of their own, so that adding one is a single difference. */
static void flatten_pool(struct flatten_walk *w, const struct model_pool *p)
{
	char text[ADDR_TEXT_MAX];

	begin_object(w, arena_printf(w->arena, "pools/%s", p->name));
	add_field(w, "site", "%s", p->site->name);
	add_field(w, "check", "%s", p->check ? p->check->name : "none");
	add_field(w, "mode", "%s", model_mode_text(p->mode));
	add_field(w, "agent", "%s", p->agent ? "true" : "false");
	add_field(w, "max_backends", "%" PRIu32, p->max_backends);
	add_field(w, "min_healthy", "%" PRIu32 "%%", p->min_healthy_percent);
	add_field(w, "max_remove", "%" PRIu32 "%%", p->max_remove_percent);
	add_field(w, "settle_time_ms", "%" PRIu32, p->settle_ms);
	add_field(w, "idle_time_ms", "%" PRIu32, p->idle_ms);
	for (size_t i = 0; i < p->n_backends; i++) {
		const struct model_backend *b = &p->backends[i];

		begin_object(w, arena_printf(w->arena, "pools/%s/backends/%s", p->name, b->name));
		add_field(w, "address", "%s", addr_text(&b->address, text));
		add_field(w, "port", "%u", b->port);
		add_field(w, "weight", "%" PRIu32, b->weight);
	}
}

/* Several sites are a field each, so that one more is a single difference. */
static void flatten_vip(struct flatten_walk *w, const struct model_vip *v)
{
	begin_object(w, arena_printf(w->arena, "vips/%s", v->name));
	if (v->n_sites == 1)
		add_field(w, "site", "%s", v->sites[0]->name);
	for (size_t i = 0; v->n_sites > 1 && i < v->n_sites; i++)
		add_field(w, arena_printf(w->arena, "sites/%s", v->sites[i]->name), "%s",
		          v->sites[i]->name);
	add_address_list(w, "addresses", v->addresses, v->n_addresses);
	add_field(w, "announce_when", "%s", v->announce_when == MODEL_ANNOUNCE_ALL ? "all" : "any");
}

static void flatten_backup(struct flatten_walk *w, const struct model_at *at)
{
	if (!at->backup)
		return;
	add_field(w, "backup", "%s", at->backup->name);
	add_field(w, "backup_max/new_flows", "%" PRIu64, at->backup_max_flows);
	add_field(w, "backup_max/bits", "%" PRIu64, at->backup_max_bits);
	if (at->backup_mtu)
		add_field(w, "backup_mtu", "%u", at->backup_mtu);
}

/* The order of sites is a field of each site, as failover goes by it. */
static void flatten_service(struct flatten_walk *w, const struct model_service *s)
{
	static const char *const policies[] = { "keep", "migrate", "reset" };

	begin_object(w, arena_printf(w->arena, "services/%s", s->name));
	add_field(w, "protocol", "%s", s->protocol == MODEL_UDP ? "udp" : "tcp");
	add_field(w, "port", "%u", s->port);
	add_field(w, "hash", "%s", s->hash == MODEL_HASH_SOURCE ? "source" : "flow");
	add_field(w, "vip_check", "%s",
	          s->vip_check_from == MODEL_VIP_CHECK_OFF     ? MODEL_NO_CHECK
	          : s->vip_check_from == MODEL_VIP_CHECK_GIVEN ? s->vip_check->name
	                                                       : model_default_vip_check.name);
	add_field(w, "on_all_down", "%s",
	          s->on_all_down == MODEL_ALL_DOWN_FAIL_CLOSED ? "fail_closed" : "last_good");
	add_field(w, "udp_idle_ms", "%" PRIu32, s->udp_idle_ms);
	add_field(w, "udp_policy", "%s", policies[s->udp_policy]);
	for (size_t i = 0; i < s->n_at; i++) {
		const struct model_at *at = &s->at[i];

		begin_object(w,
		             arena_printf(w->arena, "services/%s/at/%s", s->name, at->site->name));
		add_field(w, "order", "%zu", i);
		add_field(w, "vip", "%s", at->vip->name);
		add_field(w, "pool", "%s", at->pool->name);
		add_field(w, "weight", "%" PRIu32, at->weight);
		flatten_backup(w, at);
	}
}

/* A zone's records are not listed: 16 digits of its file's digest say whether it changed. */
static void flatten_dns(struct flatten_walk *w, const struct model *m)
{
	if (m->dns_threads) {
		w->current = "dns";
		add_field(w, "threads", "%" PRIu32, m->dns_threads);
	}
	for (size_t i = 0; i < m->n_zones; i++) {
		begin_object(w, arena_printf(w->arena, "dns/zones/%s", m->zones[i].name));
		add_field(w, "contents", "%.16s", m->zones[i].digest);
	}
	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *n = &m->dns_names[i];

		begin_object(w, arena_printf(w->arena, "dns/names/%s", n->name));
		add_field(w, "service", "%s", n->service->name);
		add_field(w, "policy", "%s",
		          n->policy == MODEL_POLICY_FAILOVER ? "failover" : "weighted");
		add_field(w, "ttl/min_s", "%" PRIu32, n->ttl_min_s);
		add_field(w, "ttl/max_s", "%" PRIu32, n->ttl_max_s);
	}
}

static int by_path(const void *a, const void *b)
{
	return flat_compare(((const struct flat_item *)a)->path,
	                    ((const struct flat_item *)b)->path);
}

int flatten_model(const struct model *m, struct arena *arena, struct flat *out)
{
	struct flatten_walk w = { .out = out, .arena = arena, .current = "cluster" };

	add_field(&w, "name", "%s", m->cluster);
	add_field(&w, "hash_key_id", "%s", m->hash_key_id);
	add_field(&w, "placement", "%s",
	          m->placement == MODEL_PLACEMENT_DERIVED ? "derived" : "hash_key");
	add_field(&w, "max_sites_out", "%" PRIu32, m->max_sites_out);
	w.current = "limits";
	add_field(&w, "services", "%" PRIu32, m->limits.services);
	add_field(&w, "backends", "%" PRIu32, m->limits.backends);
	add_field(&w, "slots", "%" PRIu32, m->limits.slots);
	add_field(&w, "exceptions", "%" PRIu32, m->limits.exceptions);
	for (size_t i = 0; i < m->n_sites; i++)
		flatten_site(&w, &m->sites[i]);
	for (size_t i = 0; i < m->n_nodes; i++)
		flatten_node(&w, &m->nodes[i]);
	for (size_t i = 0; i < m->n_checks; i++)
		flatten_check(&w, &m->checks[i]);
	for (size_t i = 0; i < m->n_pools; i++)
		flatten_pool(&w, &m->pools[i]);
	for (size_t i = 0; i < m->n_vips; i++)
		flatten_vip(&w, &m->vips[i]);
	for (size_t i = 0; i < m->n_services; i++)
		flatten_service(&w, &m->services[i]);
	flatten_dns(&w, m);
	if (arena_failed(arena))
		return -ENOMEM;
	if (out->n > 0)
		qsort(out->items, out->n, sizeof(*out->items), by_path);
	return 0;
}
