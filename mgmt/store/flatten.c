/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One function for each kind of object lists its settings as fields below its path. An object has
 * an entry of its own with an empty value, so that it can come or go as a whole. A setting that is
 * not listed here is in no plan: a new setting needs a line here. flat_compare() puts '/' before
 * all other characters, so that the fields of an object follow it directly.
 *
 * A large configuration has a hundred thousand fields, so paths are joined rather than printed, and
 * only the fields of one object at a time are sorted: sections come in the order of their names, and
 * the model's arrays are sorted by name.
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
	size_t n_current; /* its length */
	size_t first;     /* item of the object that is being listed, with what is below it */
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

/* The texts up to NULL, with slashes between them. @return NULL: out of memory */
static const char *join_path(struct flatten_walk *w, const char *first, ...)
        __attribute__((sentinel));

static const char *join_path(struct flatten_walk *w, const char *first, ...)
{
	size_t n = strlen(first), used = n;
	const char *part;
	va_list list;

	va_start(list, first);
	while ((part = va_arg(list, const char *)))
		n += 1 + strlen(part);
	va_end(list);
	char *path = arena_alloc(w->arena, n + 1, 1);
	if (!path)
		return NULL;
	memcpy(path, first, used);
	va_start(list, first);
	while ((part = va_arg(list, const char *))) {
		path[used++] = '/';
		memcpy(path + used, part, strlen(part));
		used += strlen(part);
	}
	va_end(list);
	path[n] = '\0';
	return path;
}

/* What follows are fields of @p path, which is no object of its own. */
static void begin_fields(struct flatten_walk *w, const char *path)
{
	w->current = path ? path : "";
	w->n_current = strlen(w->current);
}

static void begin_object(struct flatten_walk *w, const char *path)
{
	begin_fields(w, path);
	if (path)
		append_flat(w, path, "");
}

static void add_text(struct flatten_walk *w, const char *name, const char *value)
{
	size_t n = name ? strlen(name) : 0; /* without memory there is none */
	char *path = arena_alloc(w->arena, w->n_current + n + 2, 1);
	const char *copy = arena_strdup(w->arena, value);

	if (!path || !copy || !name)
		return;
	memcpy(path, w->current, w->n_current);
	path[w->n_current] = '/';
	memcpy(path + w->n_current + 1, name, n + 1);
	append_flat(w, path, copy);
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
	add_text(w, name, value);
}

static void add_number(struct flatten_walk *w, const char *name, uint64_t n)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	add_text(w, name, at);
}

static int by_path(const void *a, const void *b)
{
	return flat_compare(((const struct flat_item *)a)->path,
	                    ((const struct flat_item *)b)->path);
}

/* Most are sorted already: fields and objects are listed in the order of their names where it matters. */
static void sort_items(struct flat_item *items, size_t n)
{
	size_t i = 1;

	while (i < n && by_path(&items[i - 1], &items[i]) <= 0)
		i++;
	if (i < n)
		qsort(items, n, sizeof(*items), by_path);
}

/* The object is listed whole, with what is below it. */
static void end_object(struct flatten_walk *w)
{
	struct flat *f = w->out;

	if (f->n > w->first)
		sort_items(f->items + w->first, f->n - w->first);
	w->first = f->n;
}

static void add_address_list(struct flatten_walk *w, const char *name, const struct addr *list,
                             size_t n)
{
	char value[VALUE_MAX] = "", text[ADDR_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(value) - ADDR_TEXT_MAX - 2; i++)
		used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", i ? " " : "",
		                         addr_text(&list[i], text));
	add_text(w, name, value);
}

static void flatten_site(struct flatten_walk *w, const struct model_site *s)
{
	begin_object(w, join_path(w, "sites", s->name, NULL));
	add_text(w, "region", s->region);
	add_number(w, "weight", s->weight);
	add_number(w, "capacity/new_flows", s->capacity_flows);
	add_number(w, "capacity/bits", s->capacity_bits);
	end_object(w);
}

static void flatten_dpdk(struct flatten_walk *w, const struct model_dpdk *d)
{
	static const char *const hugepages[] = { "auto", "yes", "no" };
	char cores[MODEL_CORES_MAX * 6] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < d->n_cores; i++)
		n += (size_t)snprintf(cores + n, sizeof(cores) - n, "%s%u", i ? "," : "",
		                      d->cores[i]);
	add_text(w, "dpdk/cores", cores);
	add_text(w, "dpdk/hugepages", hugepages[d->hugepages]);
	add_number(w, "dpdk/memory", d->memory_mb);
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
		add_text(w, join_path(w, "ports", p->interface, "macs", NULL), all ? all : "");
}

/* VIPs that are listed are a field each, so that one more is a single difference. */
static void flatten_announce(struct flatten_walk *w, const struct model_announce *a)
{
	static const char *const daemons[] = { "none", "bird", "frr" };

	add_text(w, "announce/daemon", daemons[a->daemon]);
	add_number(w, "announce/table", a->table);
	add_number(w, "announce/gshut_table", a->gshut_table);
	add_text(w, "announce/vips", a->lists_vips ? "listed" : "all of the site");
	for (size_t i = 0; a->lists_vips && i < a->n_vips; i++)
		add_text(w, join_path(w, "announce/vips", a->vips[i]->name, NULL),
		         a->vips[i]->name);
	add_address_list(w, "announce/dns", a->dns, a->n_dns);
	add_text(w, "announce/socket", a->socket);
}

/* Ports are fields under their interface's name, so that their order in the file has no meaning. */
static void flatten_node(struct flatten_walk *w, const struct model_node *n)
{
	static const char *const drivers[] = { "auto", "xdp", "dpdk" };
	char text[ADDR_LONG_TEXT_MAX];

	begin_object(w, join_path(w, "nodes", n->name, NULL));
	add_text(w, "site", n->site->name);
	add_text(w, "driver", drivers[n->driver]);
	for (size_t i = 0; i < n->n_ports; i++) {
		add_text(w, join_path(w, "ports", n->ports[i].interface, NULL),
		         *n->ports[i].device ? n->ports[i].device : n->ports[i].interface);
		flatten_macs(w, &n->ports[i]);
	}
	flatten_dpdk(w, &n->dpdk);
	add_text(w, "tunnel_source4", prefix_text(&n->tunnel_source4, text));
	add_text(w, "tunnel_source6", prefix_text(&n->tunnel_source6, text));
	add_address_list(w, "dns_listen", n->dns_listen, n->n_dns_listen);
	add_address_list(w, "controls", n->controls, n->n_controls);
	add_text(w, "api", n->api);
	add_number(w, "mtu", n->mtu);
	if (n->capacity_bits)
		add_number(w, "capacity/bits", n->capacity_bits);
	add_text(w, "clock", n->clock == MODEL_CLOCK_TRUSTED ? "trusted" : "synchronised");
	flatten_announce(w, &n->announce);
	end_object(w);
}

static void flatten_check(struct flatten_walk *w, const struct model_check *c)
{
	begin_object(w, join_path(w, "checks", c->name, NULL));
	add_text(w, "type", c->type == MODEL_CHECK_HTTP ? "http" : "tcp");
	add_number(w, "port", c->port);
	add_text(w, "path", c->path ? c->path : "");
	add_text(w, "host", c->host ? c->host : "");
	add_number(w, "expect", c->expect);
	add_text(w, "via", c->via == MODEL_VIA_TUNNEL ? "tunnel" : "direct");
	add_number(w, "interval_ms", c->interval_ms);
	add_number(w, "fast_interval_ms", c->fast_interval_ms);
	add_number(w, "timeout_ms", c->timeout_ms);
	add_number(w, "rise", c->rise);
	add_number(w, "fall", c->fall);
	add_number(w, "damp_turns", c->damp_turns);
	add_number(w, "damp_half_life_ms", c->damp_half_life_ms);
	add_number(w, "damp_max_ms", c->damp_max_ms);
	end_object(w);
}

/* Backends are objects of their own, so that adding one is a single difference. */
static void flatten_backends(struct flatten_walk *w, const struct model_pool *p)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < p->n_backends; i++) {
		const struct model_backend *b = &p->backends[i];

		begin_object(w, join_path(w, "pools", p->name, "backends", b->name, NULL));
		add_text(w, "address", addr_text(&b->address, text));
		add_number(w, "port", b->port);
		add_number(w, "weight", b->weight);
	}
}

static void flatten_pool(struct flatten_walk *w, const struct model_pool *p)
{
	const char *path = join_path(w, "pools", p->name, NULL);

	begin_object(w, path);
	add_text(w, "agent", p->agent ? "true" : "false");
	flatten_backends(w, p);
	begin_fields(w, path);
	add_text(w, "check", p->check ? p->check->name : "none");
	add_number(w, "idle_time_ms", p->idle_ms);
	add_number(w, "max_backends", p->max_backends);
	add_field(w, "max_remove", "%" PRIu32 "%%", p->max_remove_percent);
	add_field(w, "min_healthy", "%" PRIu32 "%%", p->min_healthy_percent);
	add_text(w, "mode", model_mode_text(p->mode));
	add_number(w, "settle_time_ms", p->settle_ms);
	add_text(w, "site", p->site->name);
	end_object(w);
}

/* Several sites are a field each, so that one more is a single difference. */
static void flatten_vip(struct flatten_walk *w, const struct model_vip *v)
{
	begin_object(w, join_path(w, "vips", v->name, NULL));
	if (v->n_sites == 1)
		add_text(w, "site", v->sites[0]->name);
	for (size_t i = 0; v->n_sites > 1 && i < v->n_sites; i++)
		add_text(w, join_path(w, "sites", v->sites[i]->name, NULL), v->sites[i]->name);
	add_address_list(w, "addresses", v->addresses, v->n_addresses);
	add_text(w, "announce_when", v->announce_when == MODEL_ANNOUNCE_ALL ? "all" : "any");
	end_object(w);
}

static void flatten_backup(struct flatten_walk *w, const struct model_at *at)
{
	if (!at->backup)
		return;
	add_text(w, "backup", at->backup->name);
	add_number(w, "backup_max/new_flows", at->backup_max_flows);
	add_number(w, "backup_max/bits", at->backup_max_bits);
	if (at->backup_mtu)
		add_number(w, "backup_mtu", at->backup_mtu);
}

/* The order of sites is a field of each site, as failover goes by it. */
static void flatten_service(struct flatten_walk *w, const struct model_service *s)
{
	static const char *const policies[] = { "keep", "migrate", "reset" };

	begin_object(w, join_path(w, "services", s->name, NULL));
	add_text(w, "protocol", s->protocol == MODEL_UDP ? "udp" : "tcp");
	add_number(w, "port", s->port);
	add_text(w, "hash", s->hash == MODEL_HASH_SOURCE ? "source" : "flow");
	add_text(w, "vip_check",
	         s->vip_check_from == MODEL_VIP_CHECK_OFF     ? MODEL_NO_CHECK
	         : s->vip_check_from == MODEL_VIP_CHECK_GIVEN ? s->vip_check->name
	                                                      : model_default_vip_check.name);
	add_text(w, "on_all_down",
	         s->on_all_down == MODEL_ALL_DOWN_FAIL_CLOSED ? "fail_closed" : "last_good");
	add_number(w, "udp_idle_ms", s->udp_idle_ms);
	add_text(w, "udp_policy", policies[s->udp_policy]);
	for (size_t i = 0; i < s->n_at; i++) {
		const struct model_at *at = &s->at[i];

		begin_object(w, join_path(w, "services", s->name, "at", at->site->name, NULL));
		add_number(w, "order", i);
		add_text(w, "vip", at->vip->name);
		add_text(w, "pool", at->pool->name);
		add_number(w, "weight", at->weight);
		flatten_backup(w, at);
	}
	end_object(w);
}

/* A zone's records are not listed: 16 digits of its file's digest say whether it changed. */
static void flatten_dns(struct flatten_walk *w, const struct model *m)
{
	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *n = &m->dns_names[i];

		begin_object(w, join_path(w, "dns", "names", n->name, NULL));
		add_text(w, "service", n->service->name);
		add_text(w, "policy", n->policy == MODEL_POLICY_FAILOVER ? "failover" : "weighted");
		add_number(w, "ttl/min_s", n->ttl_min_s);
		add_number(w, "ttl/max_s", n->ttl_max_s);
		end_object(w);
	}
	if (m->dns_threads) {
		begin_fields(w, "dns");
		add_number(w, "threads", m->dns_threads);
		end_object(w);
	}
	for (size_t i = 0; i < m->n_zones; i++) {
		begin_object(w, join_path(w, "dns", "zones", m->zones[i].name, NULL));
		add_field(w, "contents", "%.16s", m->zones[i].digest);
		end_object(w);
	}
}

static void flatten_cluster(struct flatten_walk *w, const struct model *m)
{
	begin_fields(w, "cluster");
	add_text(w, "name", m->cluster);
	add_text(w, "hash_key_id", m->hash_key_id);
	add_number(w, "max_sites_out", m->max_sites_out);
	end_object(w);
}

static void flatten_limits(struct flatten_walk *w, const struct model_limits *l)
{
	begin_fields(w, "limits");
	add_number(w, "services", l->services);
	add_number(w, "backends", l->backends);
	add_number(w, "slots", l->slots);
	add_number(w, "exceptions", l->exceptions);
	end_object(w);
}

/* The sections in the order of their names. A name with a slash may put an object elsewhere. */
int flatten_model(const struct model *m, struct arena *arena, struct flat *out)
{
	struct flatten_walk w = { .out = out, .arena = arena };

	for (size_t i = 0; i < m->n_checks; i++)
		flatten_check(&w, &m->checks[i]);
	flatten_cluster(&w, m);
	flatten_dns(&w, m);
	flatten_limits(&w, &m->limits);
	for (size_t i = 0; i < m->n_nodes; i++)
		flatten_node(&w, &m->nodes[i]);
	for (size_t i = 0; i < m->n_pools; i++)
		flatten_pool(&w, &m->pools[i]);
	for (size_t i = 0; i < m->n_services; i++)
		flatten_service(&w, &m->services[i]);
	for (size_t i = 0; i < m->n_sites; i++)
		flatten_site(&w, &m->sites[i]);
	for (size_t i = 0; i < m->n_vips; i++)
		flatten_vip(&w, &m->vips[i]);
	if (arena_failed(arena))
		return -ENOMEM;
	sort_items(out->items, out->n);
	return 0;
}
