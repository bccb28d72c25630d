/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold between the parts of a model; one function a rule, none stops at an error. Rules
 * over all addresses sort them first (struct claim), because a configuration may have many. A rule
 * passes over values that bind.c has already reported, so that one error is one message.
 */
#include "model/build.h"
#include "model/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "weir/fwd/second.h"
#include "weir/health.h"
#include "weir/scope.h"

#define DETECT_LIMIT_MS 300000u /* five minutes; a slower check was hardly meant */
#define OUTER_IP4       20u     /* bytes of an IPv4 header */
#define OUTER_IP6       40u     /* bytes of an IPv6 header */
#define OUTER_GUE       12u     /* UDP and GUE's own header */
#define INNER_IP4_MIN   576u    /* RFC 791: every host takes it */
#define INNER_IP6_MIN   1280u   /* RFC 8200, section 5 */

/* An address of packets, and the item that claims it. */
struct claim {
	struct addr address;
	uint32_t kind; /* port << 8 | protocol, 0 for a VIP as such */
	const struct item *item;
	const char *name;
};

struct claims {
	struct claim *all;
	size_t n;
};

/* Whether bind.c has no error for either: only then do they say what the person meant. */
static bool are_right(const struct item *item, enum schema_id one, enum schema_id other)
{
	return bind_value(item, one)->ok && bind_value(item, other)->ok;
}

static int by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = addr_compare(&x->address, &y->address);

	if (order)
		return order;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->item->node->order > y->item->node->order) -
	       (x->item->node->order < y->item->node->order);
}

static void check_prefixes_of(const struct model_build *b, size_t i, size_t j)
{
	const struct model_node *x = &b->model->nodes[i], *y = &b->model->nodes[j];
	char one[ADDR_LONG_TEXT_MAX], two[ADDR_LONG_TEXT_MAX];
	const struct prefix *pairs[2][2] = { { &x->tunnel_source4, &y->tunnel_source4 },
		                             { &x->tunnel_source6, &y->tunnel_source6 } };

	for (int k = 0; k < 2; k++)
		if (pairs[k][0]->bits && pairs[k][1]->bits &&
		    prefix_overlaps(pairs[k][0], pairs[k][1]))
			bind_error(b->bind, b->nodes.items[j], SCHEMA_NODES_TUNNEL_SOURCE,
			           "%s overlaps %s of node \"%s\"", prefix_text(pairs[k][1], one),
			           prefix_text(pairs[k][0], two), x->name);
}

static void check_twice(const struct model_build *b, const struct item *item, enum schema_id id,
                        const struct addr *addresses, size_t n)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&addresses[i], &addresses[j]))
				bind_error(b->bind, item, id, "%s is given twice",
				           addr_text(&addresses[i], text));
}

/* Two ports on one interface or device would both take its frames. */
static void check_node_ports(const struct model_build *b, const struct model_node *node,
                             const struct item *item)
{
	const struct value *items = bind_value(item, SCHEMA_NODES_PORTS);
	char reason[DEVICE_REASON_MAX];

	for (size_t j = 0; j < node->n_ports; j++) {
		const struct model_port *p = &node->ports[j];

		if (*p->device && device_check(p, reason))
			bind_error(b->bind, &items->items[j], SCHEMA_NODES_PORTS_DEVICE, "%s",
			           reason);
		for (size_t k = 0; k < j; k++) {
			if (strcmp(p->interface, node->ports[k].interface) == 0)
				bind_error(b->bind, item, SCHEMA_NODES_PORTS,
				           "interface \"%s\" is given twice", p->interface);
			if (*p->device && device_same(p->device, node->ports[k].device))
				bind_error(b->bind, item, SCHEMA_NODES_PORTS,
				           "device \"%.40s\" is given twice", p->device);
		}
	}
}

static void check_nodes(const struct model_build *b)
{
	const struct model *m = b->model;

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];
		const struct item *item = b->nodes.items[i];

		check_twice(b, item, SCHEMA_NODES_DNS_LISTEN, node->dns_listen, node->n_dns_listen);
		check_node_ports(b, node, item);
		for (size_t j = 0; j < i; j++) {
			check_prefixes_of(b, j, i);
			if (*node->api && !strcmp(node->api, m->nodes[j].api))
				bind_error(b->bind, item, SCHEMA_NODES_API,
				           "is also the api of node \"%s\"", m->nodes[j].name);
		}
	}
}

/*
 * Whether @p text fits into an HTTP request line or header: ASCII, no space, no control character.
 */
static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void check_http(const struct model_build *b, const struct model_check *c,
                       const struct item *item)
{
	if (c->path[0] != '/' && bind_value(item, SCHEMA_CHECKS_PATH)->ok)
		bind_error(b->bind, item, SCHEMA_CHECKS_PATH,
		           "found \"%s\", expected a path that begins with '/'", c->path);
	if (!is_visible(c->path))
		bind_error(
		        b->bind, item, SCHEMA_CHECKS_PATH,
		        "found a character that no request target can hold, expected it as %%XX");
	if (!is_visible(c->host))
		bind_error(b->bind, item, SCHEMA_CHECKS_HOST,
		           "found a character that no host name can hold");
}

/* Settings of probes, which are not sent. */
static void check_external(const struct model_build *b, const struct item *item)
{
	static const enum schema_id of_probes[] = {
		SCHEMA_CHECKS_PORT,    SCHEMA_CHECKS_PATH,          SCHEMA_CHECKS_HOST,
		SCHEMA_CHECKS_EXPECT,  SCHEMA_CHECKS_VIA,           SCHEMA_CHECKS_INTERVAL,
		SCHEMA_CHECKS_TIMEOUT, SCHEMA_CHECKS_FAST_INTERVAL,
	};

	for (size_t i = 0; i < sizeof(of_probes) / sizeof(of_probes[0]); i++)
		if (bind_value(item, of_probes[i])->node)
			bind_error(b->bind, item, of_probes[i],
			           "is given, but a check of type external sends no probes: "
			           "expected rise, fall and damp_* alone");
}

/* Combinations of settings that the schema's limits cannot express. */
static void check_checks(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_checks; i++) {
		const struct model_check *c = &b->model->checks[i];
		const struct item *item = b->checks.items[i];

		if (!strcmp(c->name, MODEL_NO_CHECK))
			bind_error(b->bind, item, SCHEMA_CHECKS_NAME,
			           "\"" MODEL_NO_CHECK "\" means no check; use another name");
		if (c->fast_interval_ms > c->interval_ms &&
		    are_right(item, SCHEMA_CHECKS_INTERVAL, SCHEMA_CHECKS_FAST_INTERVAL))
			bind_error(b->bind, item, SCHEMA_CHECKS_FAST_INTERVAL,
			           "%ums is longer than the interval of %ums", c->fast_interval_ms,
			           c->interval_ms);
		if (c->timeout_ms > 2 * (uint64_t)c->interval_ms &&
		    are_right(item, SCHEMA_CHECKS_INTERVAL, SCHEMA_CHECKS_TIMEOUT))
			bind_error(
			        b->bind, item, SCHEMA_CHECKS_TIMEOUT,
			        "%ums is more than twice the interval of %ums, so probes could not be sent at that interval",
			        c->timeout_ms, c->interval_ms);
		if (c->detect_worst_ms > DETECT_LIMIT_MS)
			bind_error(
			        b->bind, item, SCHEMA_CHECKS_FALL,
			        "a dead target is detected after up to %us, expected at most %us: "
			        "reduce interval, timeout or fall",
			        c->detect_worst_ms / 1000, DETECT_LIMIT_MS / 1000);
		if (c->damp_turns && c->damp_max_ms < c->damp_half_life_ms &&
		    are_right(item, SCHEMA_CHECKS_DAMP_MAX, SCHEMA_CHECKS_DAMP_HALF_LIFE))
			bind_error(b->bind, item, SCHEMA_CHECKS_DAMP_MAX,
			           "%ums is shorter than damp_half_life of %ums", c->damp_max_ms,
			           c->damp_half_life_ms);
		if (c->type == MODEL_CHECK_HTTP)
			check_http(b, c, item);
		if (c->type == MODEL_CHECK_EXTERNAL)
			check_external(b, item);
	}
}

static bool has_registered_family(const struct model_pool *pool, bool is4)
{
	for (size_t i = 0; i < pool->n_prefixes; i++)
		if (addr_is4(&pool->prefixes[i].addr) == is4)
			return true;
	return false;
}

/* Each node of the pool's site needs a tunnel source of every address family of the backends. */
static void check_families(const struct model_build *b, const struct model_pool *pool,
                           const struct item *item)
{
	const struct model_backend *first[2] = { NULL, NULL };

	for (size_t i = 0; i < pool->n_backends; i++)
		if (addr_is_host(&pool->backends[i].address))
			first[addr_is4(&pool->backends[i].address)] = &pool->backends[i];
	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];

		if (!pool->site || node->site != pool->site || pool->mode == MODEL_MODE_L2 ||
		    !bind_value(b->nodes.items[i], SCHEMA_NODES_TUNNEL_SOURCE)->ok)
			continue;
		if ((first[0] && !node->tunnel_source6.bits) ||
		    (first[1] && !node->tunnel_source4.bits))
			bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS,
			           "node \"%s\" has no %s tunnel_source to reach \"%s\"",
			           node->name,
			           first[1] && !node->tunnel_source4.bits ? "IPv4" : "IPv6",
			           first[1] && !node->tunnel_source4.bits ? first[1]->name
			                                                  : first[0]->name);
		for (int is4 = 0; is4 < 2; is4++)
			if (!first[is4] && has_registered_family(pool, is4) &&
			    !(is4 ? node->tunnel_source4 : node->tunnel_source6).bits)
				bind_error(b->bind, item, SCHEMA_POOLS_REGISTRATION,
				           "node \"%s\" has no %s tunnel_source to reach its "
				           "prefixes",
				           node->name, is4 ? "IPv4" : "IPv6");
	}
}

/* Second chance is a form of GUE, and keeps the outer source address and so its family. */
static void check_agent(const struct model_build *b, const struct model_pool *pool,
                        const struct item *item)
{
	const struct model_backend *one = NULL, *other = NULL;

	if (!pool->agent)
		return;
	for (size_t i = 0; i < pool->n_backends; i++) {
		if (!addr_is_host(&pool->backends[i].address))
			continue;
		if (!one)
			one = &pool->backends[i];
		else if (addr_is4(&pool->backends[i].address) != addr_is4(&one->address))
			other = &pool->backends[i];
	}
	if (pool->mode != MODEL_MODE_GUE && bind_value(item, SCHEMA_POOLS_MODE)->ok)
		bind_error(b->bind, item, SCHEMA_POOLS_AGENT,
		           "is true, but the mode is %s; expected gue",
		           model_mode_text(pool->mode));
	bool is4 = one ? addr_is4(&one->address) : has_registered_family(pool, true);

	if (has_registered_family(pool, !is4))
		bind_error(
		        b->bind, item, SCHEMA_POOLS_AGENT,
		        "is true, but addresses of both families may be registered or are there");
	if (other)
		bind_error(b->bind, item, SCHEMA_POOLS_AGENT,
		           "is true, but backends \"%s\" and \"%s\" have addresses of different "
		           "families",
		           one->name, other->name);
}

/* A pool that programs fill may begin without backends, or be without. */
static void check_registration(const struct model_build *b, const struct item *item)
{
	const struct value *group = bind_value(item, SCHEMA_POOLS_REGISTRATION);
	const struct value *list = bind_value(item, SCHEMA_POOLS_BACKENDS);

	if (group->node && group->items &&
	    !bind_value(group->items, SCHEMA_POOLS_REGISTRATION_PREFIXES)->node)
		bind_error(b->bind, group->items, SCHEMA_POOLS_REGISTRATION_PREFIXES,
		           "is missing, expected %s", schema_expected[KIND_PREFIXES]);
	if (!group->node && !list->node)
		bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS, "is missing, expected %s",
		           schema_expected[KIND_GROUPS]);
	else if (!group->node && list->ok && !list->count)
		bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS,
		           "has 0 entries, expected one at least, or registration");
}

/* These rules need the pool whole: its mode, its check and all its backends. */
static void check_pools(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_pools; i++) {
		const struct model_pool *pool = &b->model->pools[i];
		const struct item *item = b->pools.items[i];
		uint64_t weight = 0;

		for (size_t j = 0; j < pool->n_backends; j++)
			weight += pool->backends[j].weight;
		if (pool->mode == MODEL_MODE_L2 && pool->check &&
		    pool->check->via == MODEL_VIA_TUNNEL)
			bind_error(b->bind, item, SCHEMA_POOLS_MODE,
			           "is l2, which has no tunnel for check \"%s\"",
			           pool->check->name);
		if (pool->n_backends > pool->max_backends &&
		    bind_value(item, SCHEMA_POOLS_MAX_BACKENDS)->ok)
			bind_error(b->bind, item, SCHEMA_POOLS_MAX_BACKENDS,
			           "is %u, but the pool has %zu backends", pool->max_backends,
			           pool->n_backends);
		if (pool->n_backends && weight == 0 && !pool->n_prefixes)
			bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS,
			           "all have weight 0, expected at least one to take traffic");
		check_registration(b, item);
		check_families(b, pool, item);
		check_agent(b, pool, item);
	}
}

static struct claims claims_of_vips(const struct model_build *b)
{
	const struct model *m = b->model;
	struct claims out = { NULL, 0 };
	size_t n = 0;

	for (size_t i = 0; i < m->n_vips; i++)
		n += m->vips[i].n_addresses;
	out.all = ARENA_ARRAY(b->bind->arena, struct claim, n + 1);
	for (size_t i = 0; out.all && i < m->n_vips; i++)
		for (size_t j = 0; j < m->vips[i].n_addresses; j++)
			out.all[out.n++] = (struct claim){ m->vips[i].addresses[j], 0,
				                           b->vips.items[i], m->vips[i].name };
	if (out.n)
		qsort(out.all, out.n, sizeof(*out.all), by_claim);
	return out;
}

static int compare_claimed(const void *address, const void *claim)
{
	return addr_compare(address, &((const struct claim *)claim)->address);
}

/* Packets to a backend at a VIP's address would come back to be balanced. */
static void check_against_vip(const struct model_build *b, const struct claims *vips,
                              const struct item *backend)
{
	const struct value *v = bind_value(backend, SCHEMA_POOLS_BACKENDS_ADDRESS);
	const struct claim *vip = NULL;
	char text[ADDR_TEXT_MAX];

	if (v->ok && vips->n)
		vip = bsearch(&v->prefix.addr, vips->all, vips->n, sizeof(*vips->all),
		              compare_claimed);
	if (vip)
		bind_error(b->bind, backend, SCHEMA_POOLS_BACKENDS_ADDRESS,
		           "%s is an address of VIP \"%s\"", addr_text(&v->prefix.addr, text),
		           vip->name);
}

/* The same of backends to come. VIPs are sorted, so that those in a prefix are neighbours. */
static void check_prefix_against_vips(const struct model_build *b, const struct claims *vips,
                                      const struct prefix *prefix, const struct item *pool)
{
	char one[ADDR_LONG_TEXT_MAX], two[ADDR_TEXT_MAX];
	size_t from = 0, to = vips->n;

	while (from < to) {
		size_t at = (from + to) / 2;

		if (addr_compare(&vips->all[at].address, &prefix->addr) < 0)
			from = at + 1;
		else
			to = at;
	}
	if (from < vips->n && prefix_has(prefix, &vips->all[from].address))
		bind_error(b->bind, pool, SCHEMA_POOLS_REGISTRATION,
		           "prefix %s has %s, an address of VIP \"%s\"", prefix_text(prefix, one),
		           addr_text(&vips->all[from].address, two), vips->all[from].name);
}

static void check_against_vips(const struct model_build *b, const struct claims *vips)
{
	for (size_t i = 0; i < b->model->n_pools; i++) {
		const struct model_pool *pool = &b->model->pools[i];

		for (size_t j = 0; j < pool->n_prefixes; j++)
			check_prefix_against_vips(b, vips, &pool->prefixes[j], b->pools.items[i]);
	}
	for (size_t i = 0; i < b->model->n_pools; i++) {
		const struct value *list = bind_value(b->pools.items[i], SCHEMA_POOLS_BACKENDS);

		for (uint32_t j = 0; j < list->count; j++)
			check_against_vip(b, vips, &list->items[j]);
	}
}

static void check_vip_sites(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_vips; i++) {
		const struct item *item = b->vips.items[i];
		bool one = bind_value(item, SCHEMA_VIPS_SITE)->node != NULL;
		bool several = bind_value(item, SCHEMA_VIPS_SITES)->node != NULL;

		if (one && several)
			bind_error(b->bind, item, SCHEMA_VIPS_SITES,
			           "is given as well as site, expected one of the two");
		if (!one && !several)
			bind_error(b->bind, item, SCHEMA_VIPS_SITE,
			           "is missing, expected a name (or sites, a list of names)");
	}
}

/* RFC 3927, RFC 4291: routers pass no packet to such an address on, so no client beyond the link has a way to it. */
static bool is_link_local(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	return addr_is4(a) ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

/* Sorted, so that equal addresses are neighbours. */
static void check_vips(const struct model_build *b)
{
	const struct model *m = b->model;
	struct claims vips = claims_of_vips(b);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 1; i < vips.n; i++)
		if (addr_equal(&vips.all[i].address, &vips.all[i - 1].address))
			bind_error(b->bind, vips.all[i].item, SCHEMA_VIPS_ADDRESSES,
			           "%s is also an address of VIP \"%s\"",
			           addr_text(&vips.all[i].address, text), vips.all[i - 1].name);
	for (size_t i = 0; i < vips.n; i++)
		if (is_link_local(&vips.all[i].address))
			bind_error(b->bind, vips.all[i].item, SCHEMA_VIPS_ADDRESSES,
			           "%s is link-local: no router passes packets to it on",
			           addr_text(&vips.all[i].address, text));
	for (size_t i = 0; i < vips.n; i++)
		for (size_t j = 0; j < m->n_nodes; j++)
			if ((m->nodes[j].tunnel_source4.bits &&
			     prefix_has(&m->nodes[j].tunnel_source4, &vips.all[i].address)) ||
			    (m->nodes[j].tunnel_source6.bits &&
			     prefix_has(&m->nodes[j].tunnel_source6, &vips.all[i].address)))
				bind_error(b->bind, vips.all[i].item, SCHEMA_VIPS_ADDRESSES,
				           "%s lies in tunnel_source of node \"%s\"",
				           addr_text(&vips.all[i].address, text), m->nodes[j].name);
	check_against_vips(b, &vips);
}

/*
 * What must hold for the addresses that a node announces: the node serves them, and each has one
 * route of its own.
 */

static void check_announce_tables(const struct model_build *b, const struct model_announce *a,
                                  const struct item *item)
{
	if (a->table == a->gshut_table && bind_value(item, SCHEMA_NODES_ANNOUNCE_TABLE)->ok &&
	    bind_value(item, SCHEMA_NODES_ANNOUNCE_GSHUT_TABLE)->ok)
		bind_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_GSHUT_TABLE,
		           "is %u, as table is; expected another table", a->gshut_table);
}

/* A node has the tables of its own site only, so it would drop the packets for the others. */
static void check_announced_vips(const struct model_build *b, const struct model_node *node,
                                 const struct item *item)
{
	const struct value *v = bind_value(item, SCHEMA_NODES_ANNOUNCE_VIPS);
	const struct model *m = b->model;

	for (uint32_t i = 0; v->ok && node->site && i < v->count; i++) {
		const struct model_vip *vip =
		        build_find(m->vips, m->n_vips, sizeof(*m->vips), v->entries[i].name);

		if (vip && vip->n_sites && !model_vip_is_at(vip, node->site))
			bind_entry_error(
			        b->bind, item, SCHEMA_NODES_ANNOUNCE_VIPS, i,
			        "VIP \"%s\" is at site \"%s\"%s, expected one at \"%s\", the "
			        "node's site",
			        vip->name, vip->sites[0]->name,
			        vip->n_sites > 1 ? " and others" : "", node->site->name);
	}
}

static bool is_among(const struct addr *address, const struct addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], address))
			return true;
	return false;
}

static const struct model_vip *vip_at(const struct model *m, const struct addr *address)
{
	for (size_t i = 0; i < m->n_vips; i++)
		if (is_among(address, m->vips[i].addresses, m->vips[i].n_addresses))
			return &m->vips[i];
	return NULL;
}

static void check_dns_address(const struct model_build *b, const struct model_node *node,
                              const struct item *item, uint32_t i)
{
	const struct addr *address = &node->announce.dns[i];
	const struct model_vip *vip = vip_at(b->model, address);
	const struct item *of_node = b->nodes.items[node - b->model->nodes];
	char text[ADDR_TEXT_MAX];

	addr_text(address, text);
	if (!is_among(address, node->dns_listen, node->n_dns_listen) &&
	    bind_value(of_node, SCHEMA_NODES_DNS_LISTEN)->ok)
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i,
		                 "%s is not an address of the node's dns_listen", text);
	else if (is_among(address, node->announce.dns, i))
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i, "%s is given twice",
		                 text);
	else if (vip)
		bind_entry_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_DNS, i,
		                 "%s is an address of VIP \"%s\", which is announced by its own "
		                 "rules; leave it out here",
		                 text, vip->name);
}

static void check_announced_count(const struct model_build *b, const struct model_announce *a,
                                  const struct item *item)
{
	size_t n = a->n_dns;

	for (size_t i = 0; i < a->n_vips; i++)
		n += a->vips[i]->n_addresses;
	if (a->daemon != MODEL_DAEMON_NONE && n > MODEL_ANNOUNCE_MAX)
		bind_error(b->bind, item, SCHEMA_NODES_ANNOUNCE_VIPS,
		           "have %zu addresses with those of dns, expected at most %u", n,
		           MODEL_ANNOUNCE_MAX);
}

static void check_announce(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];
		const struct item *item =
		        bind_value(b->nodes.items[i], SCHEMA_NODES_ANNOUNCE)->items;

		if (!item)
			continue;
		check_announce_tables(b, &node->announce, item);
		check_announced_vips(b, node, item);
		for (uint32_t k = 0; k < node->announce.n_dns; k++)
			check_dns_address(b, node, item, k);
		check_announced_count(b, &node->announce, item);
	}
}

/* All modes leave the port as it is. */
static void check_ports(const struct model_build *b, const struct model_service *service,
                        const struct model_pool *pool, const struct item *service_item)
{
	const struct value *list;

	if (!bind_value(service_item, SCHEMA_SERVICES_PORT)->ok)
		return;
	list = bind_value(b->pools.items[pool - b->model->pools], SCHEMA_POOLS_BACKENDS);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		const struct value *v = bind_value(item, SCHEMA_POOLS_BACKENDS_PORT);

		if (v->ok && v->n != 0 && v->n != service->port)
			bind_error(
			        b->bind, item, SCHEMA_POOLS_BACKENDS_PORT,
			        "is %u, but service \"%s\" has port %u and mode %s cannot translate ports; leave the port out",
			        (unsigned)v->n, service->name, service->port,
			        model_mode_text(pool->mode));
	}
}

static bool has_family(const struct model_pool *pool, bool is4)
{
	for (size_t i = 0; i < pool->n_backends; i++)
		if (addr_is4(&pool->backends[i].address) == is4)
			return true;
	return has_registered_family(pool, is4);
}

/*
 * The smallest packet that every host may send must fit into a tunnel to each backend, together
 * with the outer headers.
 */

/* Bytes that a tunnel to @p pool's backends adds at most. */
static unsigned outer_len(const struct model_pool *pool)
{
	unsigned outer = has_family(pool, false) ? OUTER_IP6 : OUTER_IP4;

	if (pool->mode == MODEL_MODE_L2)
		return 0;
	outer += pool->mode == MODEL_MODE_GUE ? OUTER_GUE : 0;
	if (pool->agent)
		outer += second_len_max(outer < OUTER_IP6);
	return outer;
}

static unsigned inner_min(const struct model_vip *vip)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (!addr_is4(&vip->addresses[i]))
			return INNER_IP6_MIN;
	return INNER_IP4_MIN;
}

/* The nodes' MTUs leave room for the tunnels to a site's own pool. */
static void check_mtu(const struct model_build *b, const struct model_at *at)
{
	const struct model *m = b->model;
	unsigned inner = inner_min(at->vip), outer = outer_len(at->pool);

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node->site == at->site && bind_value(b->nodes.items[i], SCHEMA_NODES_MTU)->ok &&
		    node->mtu < inner + outer)
			bind_error(b->bind, b->nodes.items[i], SCHEMA_NODES_MTU,
			           "%u is too small for pool \"%s\": a packet of %u bytes to VIP "
			           "\"%s\" needs %u with its tunnel",
			           node->mtu, at->pool->name, inner, at->vip->name, inner + outer);
	}
}

/*
 * What must hold for a pool that stands in for another: packets must be able to reach its backends
 * from this site. Whether these backends would serve them is another question (advice of a plan).
 */

static void check_backup_settings(const struct model_build *b, const struct item *item)
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

/* One backend in both pools would have two classes. Thousands of services may have the same two large pools. */
static void check_shared_backends(const struct model_build *b, const struct model_at *at,
                                  const struct item *item)
{
	const struct model_backend **own = b->by_id ? b->by_id[at->pool->index] : NULL;
	const struct model_backend **others = b->by_id ? b->by_id[at->backup->index] : NULL;
	size_t i = 0, k = 0;

	while (own && others && i < at->pool->n_backends && k < at->backup->n_backends) {
		if (own[i]->id == others[k]->id) {
			bind_error(b->bind, item, SCHEMA_SERVICES_AT_BACKUP,
			           "backend \"%s\" of pool \"%s\" is also backend \"%s\" of "
			           "pool \"%s\"",
			           others[k]->name, at->backup->name, own[i]->name, at->pool->name);
			return;
		}
		if (own[i]->id < others[k]->id)
			i++;
		else
			k++;
	}
}

/* What programs may register in @p pool is no backend of @p other, and may be none. */
static bool may_share(const struct model_pool *pool, const struct model_pool *other)
{
	for (size_t i = 0; i < pool->n_prefixes; i++) {
		for (size_t k = 0; k < other->n_backends; k++)
			if (!other->backends[k].registered &&
			    prefix_has(&pool->prefixes[i], &other->backends[k].address))
				return true;
		for (size_t k = 0; k < other->n_prefixes; k++)
			if (prefix_overlaps(&pool->prefixes[i], &other->prefixes[k]))
				return true;
	}
	return false;
}

/* As check_shared_backends() for backends to come; each pair of pools once, whatever services have it. */
static void check_shared_prefixes(const struct model_build *b)
{
	const struct model *m = b->model;
	bool *seen = ARENA_ARRAY(b->bind->arena, bool, m->n_pools * m->n_pools + 1);

	for (size_t i = 0; seen && i < m->n_services; i++) {
		const struct value *list = bind_value(b->services.items[i], SCHEMA_SERVICES_AT);

		for (size_t j = 0; j < m->services[i].n_at; j++) {
			const struct model_at *at = &m->services[i].at[j];

			if (!at->pool || !at->backup || at->pool == at->backup ||
			    seen[at->pool->index * m->n_pools + at->backup->index])
				continue;
			seen[at->pool->index * m->n_pools + at->backup->index] = true;
			if (may_share(at->pool, at->backup) || may_share(at->backup, at->pool))
				bind_error(b->bind, &list->items[j], SCHEMA_SERVICES_AT_BACKUP,
				           "pools \"%s\" and \"%s\" could have one backend by "
				           "their registration.prefixes",
				           at->pool->name, at->backup->name);
		}
	}
}

static void check_backup_sources(const struct model_build *b, const struct model_at *at,
                                 const struct item *item)
{
	for (size_t i = 0; i < b->model->n_nodes; i++) {
		const struct model_node *node = &b->model->nodes[i];

		if (!at->site || node->site != at->site ||
		    !bind_value(b->nodes.items[i], SCHEMA_NODES_TUNNEL_SOURCE)->ok)
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
	unsigned needed = inner_min(at->vip) + outer_len(at->backup);

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

static void check_backup(const struct model_build *b, const struct model_service *service, size_t i,
                         const struct item *item)
{
	const struct model_at *at = &service->at[i];

	check_backup_settings(b, item);
	if (!at->backup)
		return;
	check_backup_site(b, at, item);
	if (at->pool && at->pool != at->backup)
		check_shared_backends(b, at, item);
	if (at->backup->mode == MODEL_MODE_L2 || at->backup->site == at->site)
		return; /* what follows is about a tunnel to another site */
	check_backup_sources(b, at, item);
	if (at->vip && bind_value(item, SCHEMA_SERVICES_AT_BACKUP_MTU)->ok)
		check_backup_mtu(b, at, item);
}

/*
 * What a service names at a site must be at that site, its backup apart: a node has the tables of
 * its own site only.
 */
static void check_at(const struct model_build *b, const struct model_service *service, size_t i,
                     const struct item *item, const struct item *service_item)
{
	const struct model_at *at = &service->at[i];

	for (size_t j = 0; at->site && j < i; j++)
		if (service->at[j].site == at->site)
			bind_error(b->bind, item, SCHEMA_SERVICES_AT_SITE,
			           "site \"%s\" is given twice", at->site->name);
	if (at->site && at->vip && at->vip->n_sites && !model_vip_is_at(at->vip, at->site))
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_VIP,
		           "VIP \"%s\" is at site \"%s\"%s, expected one at \"%s\"", at->vip->name,
		           at->vip->sites[0]->name, at->vip->n_sites > 1 ? " and others" : "",
		           at->site->name);
	if (at->site && at->pool && at->pool->site && at->pool->site != at->site)
		bind_error(b->bind, item, SCHEMA_SERVICES_AT_POOL,
		           "pool \"%s\" is at site \"%s\", expected one at \"%s\"", at->pool->name,
		           at->pool->site->name, at->site->name);
	if (at->pool)
		check_ports(b, service, at->pool, service_item);
	if (at->backup)
		check_ports(b, service, at->backup, service_item);
	check_backup(b, service, i, item);
	if (at->site && at->pool && at->vip)
		check_mtu(b, at);
}

/* Whether a service is at a site with a VIP; wrong references have been reported already. */
static bool is_at(const struct model_service *service, const struct model_vip *vip,
                  const struct model_site *site)
{
	for (size_t i = 0; i < service->n_at; i++)
		if (!service->at[i].site || !service->at[i].vip ||
		    (service->at[i].site == site && service->at[i].vip == vip))
			return true;
	return false;
}

/* Routers choose among the sites of a VIP, so they would send clients to a site without it. */
static void check_shared_vip(const struct model_build *b, const struct model_service *service,
                             size_t i, const struct item *item)
{
	const struct model_vip *vip = service->at[i].vip;

	for (size_t k = 0; k < i; k++)
		if (service->at[k].vip == vip)
			return;
	for (size_t k = 0; k < vip->n_sites; k++)
		if (!is_at(service, vip, vip->sites[k]))
			bind_error(
			        b->bind, item, SCHEMA_SERVICES_AT,
			        "has no entry for VIP \"%s\" at site \"%s\", where the VIP lives, "
			        "too: routers would send clients to a site that does not serve them",
			        vip->name, vip->sites[k]->name);
}

/* A probe of a VIP that lives at several sites reaches any of them, perhaps the prober's own. */
static void check_shared_vips(const struct model_build *b, const struct model_service *service,
                              const struct item *item)
{
	const struct model_vip *shared = NULL;

	for (size_t i = 0; i < service->n_at; i++)
		if (service->at[i].vip && service->at[i].vip->n_sites > 1) {
			shared = service->at[i].vip;
			check_shared_vip(b, service, i, item);
		}
	if (shared && service->vip_check_from == MODEL_VIP_CHECK_GIVEN)
		bind_error(
		        b->bind, item, SCHEMA_SERVICES_VIP_CHECK,
		        "is given, but VIP \"%s\" lives at several sites, and a probe reaches any "
		        "of them; leave vip_check out",
		        shared->name);
}

/* A program gives verdicts on backends alone. */
static void check_vip_check(const struct model_build *b, const struct model_service *service,
                            const struct item *item)
{
	if (service->vip_check && service->vip_check->type == MODEL_CHECK_EXTERNAL)
		bind_error(b->bind, item, SCHEMA_SERVICES_VIP_CHECK,
		           "check \"%s\" is of type external, which is for pools alone",
		           service->vip_check->name);
}

static void check_services_apart(const struct model_build *b, struct claims *claims)
{
	char text[ADDR_TEXT_MAX];

	if (claims->n)
		qsort(claims->all, claims->n, sizeof(*claims->all), by_claim);
	for (size_t i = 1; i < claims->n; i++) {
		const struct claim *x = &claims->all[i], *y = &claims->all[i - 1];

		/*
		 * A service with itself is two VIPs with one address, which check_vips() has
		 * reported.
		 */
		if (x->item != y->item && x->kind == y->kind &&
		    addr_equal(&x->address, &y->address))
			bind_error(b->bind, x->item, SCHEMA_SERVICES_PORT,
			           "%s port %u is also that of service \"%s\"",
			           addr_text(&x->address, text), x->kind >> 8, y->name);
	}
}

static size_t count_claims(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++)
			n += m->services[i].at[j].vip ? m->services[i].at[j].vip->n_addresses : 0;
	return n;
}

/* A service claims its addresses with port and protocol, since a look-up must have one answer. */
static void check_services(const struct model_build *b)
{
	const struct model *m = b->model;
	struct claims claims = { ARENA_ARRAY(b->bind->arena, struct claim, count_claims(m) + 1),
		                 0 };

	for (size_t i = 0; claims.all && i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];
		const struct item *item = b->services.items[i];
		const struct value *list = bind_value(item, SCHEMA_SERVICES_AT);
		uint32_t kind = (uint32_t)s->port << 8 | (uint32_t)s->protocol;

		check_shared_vips(b, s, item);
		check_vip_check(b, s, item);
		for (size_t j = 0; j < s->n_at; j++) {
			const struct model_vip *vip = s->at[j].vip;

			check_at(b, s, j, &list->items[j], item);
			for (size_t k = 0; vip && s->port && k < vip->n_addresses; k++)
				claims.all[claims.n++] =
				        (struct claim){ vip->addresses[k], kind, item, s->name };
		}
	}
	if (claims.all)
		check_services_apart(b, &claims);
}

static bool is_in_a_zone(const struct model *m, const char *name)
{
	const char *dot;

	while (!build_find(m->zones, m->n_zones, sizeof(*m->zones), name)) {
		dot = strchr(name, '.');
		if (!dot)
			return false;
		name = dot + 1;
	}
	return true;
}

static void check_dns(const struct model_build *b)
{
	const struct model *m = b->model;

	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *name = &m->dns_names[i];
		const struct item *item = b->names.items[i];
		const struct item *ttl = bind_value(item, SCHEMA_DNS_NAMES_TTL)->items;

		if (!is_in_a_zone(m, name->name))
			bind_error(b->bind, item, SCHEMA_DNS_NAMES_NAME,
			           "\"%s\" lies in none of dns.zones", name->name);
		if (name->ttl_min_s > name->ttl_max_s && ttl &&
		    are_right(ttl, SCHEMA_DNS_NAMES_TTL_MIN, SCHEMA_DNS_NAMES_TTL_MAX))
			bind_error(b->bind, item, SCHEMA_DNS_NAMES_TTL,
			           "min of %us is longer than max of %us", name->ttl_min_s,
			           name->ttl_max_s);
	}
}

/* What refuses every change says for how long, so that a line that was forgotten closes nothing for good. */
static void check_freeze(const struct model_build *b, const struct item *item,
                         const struct model_gate *gate)
{
	static const enum schema_id times[] = { SCHEMA_GATES_FROM, SCHEMA_GATES_UNTIL };

	for (size_t i = 0; !gate->approvals && i < sizeof(times) / sizeof(times[0]); i++)
		if (!bind_value(item, times[i])->node)
			bind_error(b->bind, item, times[i], "is missing, expected %s",
			           schema_expected[KIND_TIME]);
}

static void check_gates(const struct model_build *b)
{
	for (size_t i = 0; i < b->model->n_gates; i++) {
		const struct model_gate *gate = &b->model->gates[i];
		const struct item *item = b->gates.items[i];
		const char *fault = scope_fault(gate->scope);

		if (fault)
			bind_error(b->bind, item, SCHEMA_GATES_SCOPE, "%s", fault);
		if (bind_value(item, SCHEMA_GATES_UNTIL)->node &&
		    are_right(item, SCHEMA_GATES_FROM, SCHEMA_GATES_UNTIL) &&
		    gate->until_ms <= gate->from_ms)
			bind_error(b->bind, item, SCHEMA_GATES_UNTIL, "is not after from");
		check_freeze(b, item, gate);
	}
}

/* Backends that a pool may have without another version. */
static size_t most_backends(const struct model_pool *pool)
{
	return pool->n_prefixes && pool->max_backends > pool->n_backends ? pool->max_backends
	                                                                 : pool->n_backends;
}

/*
 * What the tables of a site need; a backup's backends are in the tables of the pools that it stands
 * in for.
 */
static void add_tables(const struct model_build *b, const struct model_site *site, uint64_t *slots,
                       uint64_t *backends)
{
	struct model_table *tables =
	        ARENA_ARRAY(b->bind->arena, struct model_table, model_tables_max(b->model) + 1);
	size_t n = tables ? model_tables(b->model, site, tables) : 0;

	for (size_t i = 0; i < n; i++) {
		*slots += tables[i].pool->n_slots;
		*backends += most_backends(tables[i].pool);
		*backends += tables[i].backup ? most_backends(tables[i].backup) : 0;
	}
}

/* A node has the tables of its own site only, so each site must fit by itself. */
static void check_sizes_of(const struct model_build *b, const struct model_site *site)
{
	const struct model *m = b->model;
	const struct item *limits = bind_value(b->top, SCHEMA_LIMITS)->items;
	uint64_t slots = 0, backends = 0, services = 0;

	add_tables(b, site, &slots, &backends);
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++)
			if (m->services[i].at[j].site == site && m->services[i].at[j].vip)
				services += m->services[i].at[j].vip->n_addresses;
	const struct {
		enum schema_id id;
		uint64_t needed, limit;
		const char *what;
	} sizes[] = {
		{ SCHEMA_LIMITS_SLOTS, slots, m->limits.slots, "slots" },
		{ SCHEMA_LIMITS_BACKENDS, backends, m->limits.backends, "backends" },
		{ SCHEMA_LIMITS_SERVICES, services, m->limits.services, "service addresses" },
	};
	for (size_t i = 0; i < 3; i++)
		if (sizes[i].needed > sizes[i].limit && bind_value(limits, sizes[i].id)->ok)
			bind_error(b->bind, limits, sizes[i].id,
			           "is %llu, but site \"%s\" has %llu %s",
			           (unsigned long long)sizes[i].limit, site->name,
			           (unsigned long long)sizes[i].needed, sizes[i].what);
}

/* Of each family a VIP has one address that is probed. A vip is NULL while an erroneous document is read. */
static size_t count_families(const struct model_vip *vip)
{
	return vip ? model_vip_has_family(vip, false) + model_vip_has_family(vip, true) : 0;
}

/* Mark the pools that serve a VIP at @p site, as backups too. @return the targets there of services (healthcheck/target.c) */
static size_t count_service_targets(const struct model *m, const struct model_site *site,
                                    bool *is_used)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++) {
			const struct model_at *at = &m->services[i].at[j];

			if (at->site == site || m->services[i].vip_check)
				n += count_families(at->vip);
			if (at->site == site && at->pool)
				is_used[at->pool - m->pools] = true;
			if (at->site == site && at->backup)
				is_used[at->backup - m->pools] = true;
		}
	return n;
}

/* How many targets weir-health has at a node of @p site: what it would refuse is an error of the document. */
static size_t count_targets_at(const struct model_build *b, const struct model_site *site)
{
	const struct model *m = b->model;
	bool *is_used = ARENA_ARRAY(b->bind->arena, bool, m->n_pools + 1);
	size_t n = is_used ? count_service_targets(m, site, is_used) : 0;

	for (size_t i = 0; is_used && i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		bool is_direct =
		        pool->site == site && pool->check && pool->check->via == MODEL_VIA_DIRECT;

		if (pool->check && (is_used[i] || is_direct))
			n += most_backends(pool);
	}
	return n;
}

/* All nodes keep what each peer sees of all services, one word a target, in a page like weir-health's. */
static void check_targets(const struct model_build *b)
{
	const struct model *m = b->model;
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++)
			n += count_families(m->services[i].at[j].vip);
	if (n > HEALTH_TARGETS_MAX)
		bind_error(b->bind, b->top, SCHEMA_SERVICES,
		           "have %zu addresses of VIPs at their sites, one of each family, "
		           "expected at most %u",
		           n, HEALTH_TARGETS_MAX);
	for (size_t i = 0; i < m->n_sites && n <= HEALTH_TARGETS_MAX; i++) {
		size_t n_here = count_targets_at(b, &m->sites[i]);

		if (n_here > HEALTH_TARGETS_MAX)
			bind_error(b->bind, b->top, SCHEMA_SERVICES,
			           "and pools give a node of site \"%s\" %zu targets of checks, "
			           "expected at most %u",
			           m->sites[i].name, n_here, HEALTH_TARGETS_MAX);
	}
}

void check_model(const struct model_build *b)
{
	check_nodes(b);
	check_checks(b);
	check_gates(b);
	check_pools(b);
	check_vip_sites(b);
	check_vips(b);
	check_announce(b);
	check_services(b);
	check_shared_prefixes(b);
	check_dns(b);
	check_targets(b);
	for (size_t i = 0; i < b->model->n_sites && bind_value(b->top, SCHEMA_LIMITS)->items; i++)
		check_sizes_of(b, &b->model->sites[i]);
}
