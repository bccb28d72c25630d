/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing table elements while packets read them. Nothing is locked. Elements are written word by
 * word, each word whole, and what leads packets to a new element is stored last, by one atomic
 * word: so a packet meets no element or a complete one.
 *
 * Services are a hash table in two halves: the spare half is built afresh, then one store makes it
 * active.
 */
#include "dataplane/tables/compiler_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "weir/fwd/destinations.h"
#include "weir/fwd/encap.h"
#include "weir/fwd/services.h"
#include "weir/model.h"

uint64_t compiler_backend_key(uint64_t pool, uint64_t id)
{
	uint64_t h = (pool ^ id * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

	return h ^ h >> 32;
}

void compiler_put_backend(struct compiler *n, uint32_t i, const struct fwd_backend *e)
{
	shadow_put(&n->shadow, &n->t, FWD_TABLE_backends, i, e);
}

/*
 * Fill in the next hop of backend @p index; @p e has its address and mode already. @return
 * whether it is known
 */
static bool fill_hop(const struct compiler *n, uint32_t index, const struct addr *address,
                     struct fwd_backend *e)
{
	uint16_t node = n->model ? n->model->self->mtu : 0;
	uint16_t limit = n->paths[index].mtu ? n->paths[index].mtu : node;
	bool l2 = e->encap == FWD_ENCAP_L2; /* no tunnel: the backend must be on the link */
	struct hop hop;

	if (!n->hops || !hops_get(n->hops, address, &hop) || hop.state != HOP_KNOWN ||
	    (l2 && !hop.on_link))
		return false;
	e->ifindex = hop.ifindex;
	e->vlan = hop.vlan;
	e->outer_vlan = hop.outer_vlan;
	e->outer_type_be = hop.outer_type_be;
	e->inner_mtu = path_mtu_inner(limit && limit < hop.mtu ? limit : hop.mtu,
	                              l2 ? 0 : n->paths[index].reported.mtu, fwd_overhead(e));
	memcpy(e->mac_to, hop.mac_to, sizeof(e->mac_to));
	memcpy(e->mac_from, hop.mac_from, sizeof(e->mac_from));
	return true;
}

static uint8_t encap_of(enum model_mode mode)
{
	switch (mode) {
	case MODEL_MODE_GUE:
		return FWD_ENCAP_GUE;
	case MODEL_MODE_L2:
		return FWD_ENCAP_L2;
	default:
		return FWD_ENCAP_IPIP;
	}
}

/* The element that drops the flows of its slots: FWD_REASON_BACKUP_FULL. */
static void write_full(struct compiler *n, const struct compiler_pool *p,
                       const struct compiler_backend *b)
{
	const struct fwd_backend e = { .flags = FWD_BACKEND_USED | FWD_BACKEND_FULL,
		                       .id = b->plan->id,
		                       .pool_id = p->plan->id };

	compiler_put_backend(n, b->index, &e);
}

void compiler_write_backend(struct compiler *n, const struct compiler_pool *p,
                            const struct compiler_backend *b)
{
	struct fwd_backend e = n->shadow.t.backends[b->index];

	if (b->plan->class == PLAN_FULL) {
		write_full(n, p, b);
		return;
	}
	memcpy(e.address.bytes, b->plan->address.bytes, sizeof(e.address.bytes));
	e.encap = encap_of(plan_pool_of(p->plan, b->plan)->mode);
	e.gue_port_be = fwd_be16(COMPILER_GUE_PORT);
	e.list_room = plan_has_agents(p->plan)
	                      ? (uint16_t)second_len_max(addr_is4(&b->plan->address))
	                      : 0;
	e.id = b->plan->id;
	e.pool_id = p->plan->id;
	e.flags = FWD_BACKEND_USED;
	if (!b->alive && b->reason != EFFECT_REASON_WAITING)
		e.flags |= FWD_BACKEND_DEAD;
	if (!fill_hop(n, b->index, &b->plan->address, &e))
		e.flags |= FWD_BACKEND_NO_NEXT_HOP;
	compiler_put_backend(n, b->index, &e);
}

void compiler_write_destinations(struct compiler *n)
{
	const struct fwd_tables *t = &n->shadow.t;

	(void)shadow_check(&n->shadow, &n->t, FWD_TABLE_destinations, 0, t->n_destinations);
	memset(t->destinations, 0, t->n_destinations * sizeof(*t->destinations));
	for (uint32_t i = 1; i < t->n_backends; i++)
		if ((t->backends[i].flags & (FWD_BACKEND_USED | FWD_BACKEND_FULL)) ==
		    FWD_BACKEND_USED)
			(void)fwd_destination_put(t->destinations, t->n_destinations, t->backends,
			                          i);
	shadow_store(&n->shadow, &n->t, FWD_TABLE_destinations, 0, t->n_destinations);
}

/* The bucket of address @p a: the first of a list of backend indexes. */
static uint32_t *watched_head(const struct compiler *n, const struct addr *a)
{
	static const struct hash_key key = { 0x7765697268u, 2 };

	return &n->watched_heads[hash_bytes(&key, a->bytes, sizeof(a->bytes)) %
	                         COMPILER_WATCHED_BUCKETS];
}

uint32_t compiler_first_at(const struct compiler *n, const struct addr *a)
{
	return *watched_head(n, a);
}

void compiler_watch(struct compiler *n, uint32_t index, const struct addr *address)
{
	struct compiler_path *path = &n->paths[index];
	uint32_t *head = watched_head(n, address);

	if (!n->hops || path->is_watched)
		return;
	path->address = *address; /* first: hops_watch() may call compiler_on_hop() */
	path->next = *head;
	*head = index;
	path->is_watched = !hops_watch(n->hops, address);
	if (!path->is_watched)
		*head = path->next;
}

void compiler_unwatch(struct compiler *n, uint32_t index)
{
	struct compiler_path *path = &n->paths[index];
	uint32_t *link = watched_head(n, &path->address);

	if (!path->is_watched)
		return;
	while (*link != index)
		link = &n->paths[*link].next;
	*link = path->next;
	hops_unwatch(n->hops, &path->address);
	n->n_low -= path->reported.mtu != 0;
	*path = (struct compiler_path){ 0 };
}

void compiler_on_hop(void *node, const struct addr *address, const struct hop *hop)
{
	struct compiler *n = node;

	(void)hop;
	for (uint32_t i = compiler_first_at(n, address); i; i = n->paths[i].next) {
		struct fwd_backend e = n->shadow.t.backends[i];

		if (!addr_equal(&n->paths[i].address, address))
			continue;
		compiler_update_next_hop(n, i, address, e.encap == FWD_ENCAP_L2);
		e.flags &= (uint8_t)~FWD_BACKEND_NO_NEXT_HOP;
		if (!fill_hop(n, i, address, &e))
			e.flags |= FWD_BACKEND_NO_NEXT_HOP;
		compiler_put_backend(n, i, &e);
	}
}

static uint32_t log2_of(uint32_t n)
{
	return 31u - (uint32_t)__builtin_clz(n);
}

/* The slots of @p p, as its services name them. */
static uint32_t range_of(const struct compiler_pool *p)
{
	return p->first_slot | log2_of(p->n_slots) |
	       (plan_has_agents(p->plan) ? FWD_RANGE_LISTED : 0);
}

/*
 * Packets find a pool's slots by the word in their service. The pool's other range stays in
 * quarantine, so a packet that has read the old word still finds its slots; each goes by one range
 * or the other, whose form the word names, too.
 */
static void move_services(struct compiler *n, uint32_t pool, uint32_t range)
{
	for (uint32_t i = 0; i < n->shadow.t.n_services; i++) {
		struct fwd_service e = n->shadow.t.services[i];

		if (!(e.flags & FWD_SERVICE_USED) || e.pool != pool)
			continue;
		e.range = range;
		shadow_put(&n->shadow, &n->t, FWD_TABLE_services, i, &e);
	}
}

/*
 * The times come first, then `slot_range`: first slot << 8 | log2 of their number. The services in
 * force follow at once where the pool's range is another one than before: a death that switches a
 * pool early (compiler_yield()) must not wait for the services of the document.
 */
void compiler_write_pool(struct compiler *n, const struct compiler_pool *p)
{
	const struct model_pool *m = p->plan->model;
	struct fwd_pool e = n->shadow.t.pools[p->index];
	uint32_t before = e.slot_range ? fwd_pool_range(&e) : range_of(p);
	const struct owners_times times = { m->settle_ms, m->idle_ms, p->plan->udp_idle_ms,
		                            plan_has_agents(p->plan), NULL };
	uint32_t settle_s = m->settle_ms / 1000, idle_s = m->idle_ms / 1000;

	e.idle_s = (uint16_t)(idle_s < UINT16_MAX ? idle_s : UINT16_MAX);
	e.settle_s = (uint16_t)(settle_s < UINT16_MAX ? settle_s : UINT16_MAX);
	e.remember_s = owners_remember_s(&times);
	e.flags = plan_has_agents(p->plan) ? FWD_POOL_AGENTS : 0;
	e.id = p->plan->id;
	e.slot_range = (uint64_t)p->first_slot << 8 | log2_of(p->n_slots);
	shadow_put(&n->shadow, &n->t, FWD_TABLE_pools, p->index, &e);
	if (before != range_of(p))
		move_services(n, p->index, range_of(p));
}

struct fwd_prefix compiler_prefix(const struct prefix *from)
{
	struct fwd_prefix prefix = { 0 };
	unsigned bits = addr_is4(&from->addr) ? from->bits + 96u : from->bits;
	static const struct addr none;

	if (from->bits || !addr_equal(&from->addr, &none)) {
		memcpy(prefix.addr.bytes, from->addr.bytes, sizeof(prefix.addr.bytes));
		for (unsigned i = 0; i < bits; i++)
			prefix.mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	return prefix;
}

static void put_root(struct compiler *n, const struct fwd_root *root)
{
	shadow_put(&n->shadow, &n->t, FWD_TABLE_ROOT, 0, root);
}

void compiler_write_root(struct compiler *n)
{
	const struct model *m = n->model;
	struct fwd_root root = *n->shadow.t.root;

	memcpy(root.hash_key, m->hash_key, sizeof(root.hash_key));
	root.source4 = compiler_prefix(&m->self->tunnel_source4);
	root.source6 = compiler_prefix(&m->self->tunnel_source6);
	root.answers_per_s = COMPILER_ANSWERS_PER_S;
	put_root(n, &root);
}

void compiler_write_generation(struct compiler *n)
{
	struct fwd_root root = *n->shadow.t.root;

	root.generation = n->model->meta.document;
	put_root(n, &root);
}

/* The bits of fwd_service.drills for those of plan_entry.entry.drills. */
static uint8_t drill_bits(const struct compiler *n, uint8_t plan_bits)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < n->plan->n_drills; i++)
		if (plan_bits >> i & 1)
			bits |= (uint8_t)(1u << n->drills[i].row);
	return bits;
}

/* The entry as it goes into the table, with its pool's slots and the indexes of pool and counter. */
static struct fwd_service make_entry(const struct compiler *n, const struct plan_entry *e)
{
	struct fwd_service s = e->entry;

	s.pool = e->pool == PLAN_NONE ? FWD_POOL_NONE : (uint16_t)n->pools[e->pool].index;
	s.range = e->pool == PLAN_NONE ? FWD_RANGE_NONE : range_of(&n->pools[e->pool]);
	s.drills = drill_bits(n, s.drills);
	if (e->service != PLAN_NONE)
		s.count = (uint16_t)indexes_find(n->count_indexes,
		                                 hash_text(n->plan->services[e->service]->name));
	return s;
}

/* Fill half @p half of the table; what else packets must know of it goes into @p root. */
static bool fill_half(const struct compiler *n, uint32_t half, uint32_t seed, struct fwd_root *root)
{
	uint32_t n_services = n->shadow.t.n_services;
	struct fwd_service *at = &n->t.services[half * n_services];
	uint64_t *filter = root->vip_filter[half];

	memset(at, 0, n_services * sizeof(*at));
	memset(filter, 0, sizeof(root->vip_filter[half]));
	root->service_seed[half] = seed;
	for (size_t i = 0; i < n->plan->n_entries; i++) {
		struct fwd_service e = make_entry(n, &n->plan->entries[i]);

		if (fwd_service_put(at, n_services, seed, filter, &e) < 0)
			return false;
	}
	return true;
}

/* The shadow has one half, the one in force: so it changes with the switch. */
bool compiler_write_services(struct compiler *n)
{
	uint32_t half = ~n->shadow.t.root->active & 1, n_services = n->shadow.t.n_services;
	struct fwd_root root = *n->shadow.t.root;

	(void)shadow_check(&n->shadow, &n->t, FWD_TABLE_services, 0, n_services);
	for (uint32_t i = 0; i < PLAN_SEEDS; i++) {
		if (!fill_half(n, half, plan_seed(i), &root))
			continue;
		memcpy(n->shadow.t.services, &n->t.services[half * n_services],
		       n_services * sizeof(*n->shadow.t.services));
		put_root(n, &root); /* seed and filter of the spare half, which nobody reads yet */
		root.active = half;
		put_root(n, &root);
		return true;
	}
	return false;
}
