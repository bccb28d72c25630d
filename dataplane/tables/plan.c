/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A document as the tables need it: pools of this node's site (each with its backup, if a service
 * there has one) with all backends that any of their member sets names, service entries by address and port, and the sizes of the tables. Backends
 * come from the configuration and from old sets alike, since a backend that has left keeps its
 * flows for a while. Nothing is allocated in the tables here: indexes and slots are the node's
 * (tables/compiler.c).
 *
 * Two parts change with time: plan_update() brings weights and overrides up to date at each tick.
 */
#include "dataplane/tables/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dataplane/tables/guard.h"
#include "dataplane/tables/ranges.h"
#include "weir/fwd/user.h"
#include "weir/fwd/services.h"
#include "weir/model.h"

static uint32_t round_to_power_of_two(uint64_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1u << 31)
		p <<= 1;
	return p;
}

/* A quarter more elements than backends: those that have left are in quarantine for a while. */
static void size_tables(const struct model_limits *l, struct driver_sizes *z)
{
	uint64_t backends = l->backends + (uint64_t)l->backends / 4 + 2;
	uint64_t slots = ((uint64_t)l->slots + RANGE_BLOCK - 1) / RANGE_BLOCK * RANGE_BLOCK;
	uint32_t pools = l->services + 64;

	*z = (struct driver_sizes){
		.services =
		        round_to_power_of_two(4ull * l->services < 64 ? 64 : 4ull * l->services),
		.service_counts = l->services ? l->services : 1,
		.pools = pools < FWD_POOLS_MAX ? pools : FWD_POOLS_MAX,
		.backends = backends < FWD_BACKENDS_MAX ? (uint32_t)backends : FWD_BACKENDS_MAX,
		.slots = slots ? (uint32_t)slots : RANGE_BLOCK,
		.exception_buckets = round_to_power_of_two(((uint64_t)l->exceptions + 7) / 8),
	};
}

/* Of one id in both pools, which only old member sets can have, the own one stays. */
static int by_plan_backend_id(const void *a, const void *b)
{
	const struct plan_backend *x = a, *y = b;

	if (x->id != y->id)
		return x->id > y->id ? 1 : -1;
	return (x->class > y->class) - (x->class < y->class);
}

/* The set in force at @p wall_clock_ms: the last that has begun, else the first. */
static const struct model_set *find_set_in_force(const struct model_pool *pool,
                                                 int64_t wall_clock_ms)
{
	const struct model_set *s = NULL;

	for (size_t i = 0; i < pool->n_member_sets; i++)
		if (!s || pool->member_sets[i].from_ms <= wall_clock_ms)
			s = &pool->member_sets[i];
	return s;
}

static size_t count_listed(const struct model_pool *m)
{
	size_t n = m ? m->n_backends : 0;

	for (size_t s = 0; m && s < m->n_member_sets; s++)
		n += m->member_sets[s].n_members;
	return n;
}

/* Add the backends that the configuration of @p m or one of its member sets names to @p b. */
static size_t add_listed(const struct model_pool *m, enum plan_class class, struct plan_backend *b)
{
	size_t n = 0;

	for (size_t i = 0; m && i < m->n_backends; i++)
		b[n++] = (struct plan_backend){ .id = m->backends[i].id,
			                        .class = (uint8_t) class,
			                        .address = m->backends[i].address,
			                        .port = m->backends[i].port,
			                        .name = m->backends[i].name };
	for (size_t s = 0; m && s < m->n_member_sets; s++)
		for (size_t i = 0; i < m->member_sets[s].n_members; i++) {
			const struct model_member *member = &m->member_sets[s].members[i];

			b[n++] = (struct plan_backend){ .id = member->id,
				                        .class = (uint8_t) class,
				                        .address = member->address,
				                        .port = member->port,
				                        .name = "" };
		}
	return n;
}

/*
 * List all backends that the configuration or a member set names, once each. Only configured ones
 * have a name.
 */
static int list_backends(struct plan_pool *p)
{
	size_t n, kept = 0;
	struct plan_backend *b =
	        calloc(count_listed(p->model) + count_listed(p->backup) + 1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	n = add_listed(p->model, PLAN_OWN, b);
	n += add_listed(p->backup, PLAN_BACKUP, b + n);
	if (p->backup)
		b[n++] =
		        (struct plan_backend){ .id = PLAN_FULL_ID, .class = PLAN_FULL, .name = "" };
	qsort(b, n, sizeof(*b), by_plan_backend_id);
	for (size_t i = 0; i < n; i++) {
		if (!kept || b[kept - 1].id != b[i].id)
			b[kept++] = b[i];
		else if (!*b[kept - 1].name && b[kept - 1].class == b[i].class)
			b[kept - 1].name = b[i].name;
	}
	p->backends = b;
	p->n_backends = kept;
	return 0;
}

static int list_pool(struct plan *plan, const struct model_table *t)
{
	struct plan_pool *p = &plan->pools[plan->n_pools++];
	int err;

	*p = (struct plan_pool){
		.model = t->pool,
		.backup = t->backup,
		.id = t->id,
		.backup_max_flows = t->backup_max_flows,
		.backup_max_bits = t->backup_max_bits,
		.backup_mtu = t->backup_mtu,
		.last_service = PLAN_NONE,
	};
	err = list_backends(p);
	if (err)
		return err;
	plan->n_backends += p->n_backends;
	plan->n_slots += (p->model->n_slots + RANGE_BLOCK - 1) / RANGE_BLOCK * RANGE_BLOCK;
	return 0;
}

/* Only pools of this node's site: other sites have load balancers of their own. */
static int list_pools(struct plan *plan)
{
	const struct model *m = plan->model;
	struct model_table *tables = calloc(model_tables_max(m) + 1, sizeof(*tables));
	size_t n = tables ? model_tables(m, m->self->site, tables) : 0;
	int err = tables ? 0 : -ENOMEM;

	plan->pools = calloc(n ? n : 1, sizeof(*plan->pools));
	if (!plan->pools)
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = list_pool(plan, &tables[i]);
	free(tables);
	return err;
}

static size_t find_pool(const struct plan *plan, const struct model_at *at)
{
	for (size_t i = 0; i < plan->n_pools; i++)
		if (plan->pools[i].model == at->pool && plan->pools[i].backup == at->backup)
			return i;
	return PLAN_NONE;
}

static void add_entry(struct plan *plan, const struct addr *vip, const struct model_service *s,
                      size_t pool)
{
	struct plan_entry *e = &plan->entries[plan->n_entries++];

	*e = (struct plan_entry){ .pool = pool, .service = s ? plan->n_services : PLAN_NONE };
	memcpy(e->entry.vip.bytes, vip->bytes, sizeof(vip->bytes));
	e->entry.flags = FWD_SERVICE_USED;
	if (!s)
		return;
	e->entry.port_be = fwd_be16(s->port);
	e->entry.protocol = (uint8_t)s->protocol;
	if (s->hash == MODEL_HASH_SOURCE)
		e->entry.flags |= FWD_SERVICE_HASH_SOURCE;
	e->entry.udp_idle_s = (uint16_t)((s->udp_idle_ms + 999) / 1000);
	e->entry.udp_policy = s->udp_policy == MODEL_UDP_MIGRATE ? FWD_UDP_MIGRATE
	                      : s->udp_policy == MODEL_UDP_RESET ? FWD_UDP_RESET
	                                                         : FWD_UDP_KEEP;
}

static bool has_vip(const struct plan *plan, const struct addr *vip)
{
	for (size_t i = 0; i < plan->n_entries; i++)
		if (plan->entries[i].service == PLAN_NONE &&
		    !memcmp(plan->entries[i].entry.vip.bytes, vip->bytes, sizeof(vip->bytes)))
			return true;
	return false;
}

static void note_service(struct plan_pool *p, const struct model_service *s, bool first)
{
	if (s->protocol == MODEL_UDP && s->udp_idle_ms > p->udp_idle_ms)
		p->udp_idle_ms = s->udp_idle_ms;
	p->fail_closed = (first || p->fail_closed) && s->on_all_down == MODEL_ALL_DOWN_FAIL_CLOSED;
}

static bool is_first(const struct plan *plan, size_t pool)
{
	for (size_t i = 0; i < plan->n_entries; i++)
		if (plan->entries[i].pool == pool)
			return false;
	return true;
}

static void add_plan_service(struct plan *plan, const struct model_service *s,
                             const struct model_at *at)
{
	size_t pool = find_pool(plan, at);

	if (pool != PLAN_NONE)
		note_service(&plan->pools[pool], s, is_first(plan, pool));
	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		if (!has_vip(plan, &at->vip->addresses[i]))
			add_entry(plan, &at->vip->addresses[i], NULL, PLAN_NONE);
		add_entry(plan, &at->vip->addresses[i], s, pool);
	}
	plan->before[plan->n_services] = PLAN_NONE;
	if (pool != PLAN_NONE) {
		plan->before[plan->n_services] = plan->pools[pool].last_service;
		plan->pools[pool].last_service = plan->n_services;
	}
	plan->services[plan->n_services++] = s;
}

static int list_entries(struct plan *plan)
{
	const struct model *m = plan->model;
	size_t room = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++)
			if (m->services[i].at[k].site == m->self->site)
				room += 2 * m->services[i].at[k].vip->n_addresses;
	plan->entries = calloc(room ? room : 1, sizeof(*plan->entries));
	plan->services = calloc(m->n_services ? m->n_services : 1, sizeof(struct model_service *));
	plan->before = calloc(m->n_services ? m->n_services : 1, sizeof(*plan->before));
	if (!plan->entries || !plan->services || !plan->before)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++)
			if (m->services[i].at[k].site == m->self->site)
				add_plan_service(plan, &m->services[i], &m->services[i].at[k]);
	return 0;
}

/*
 * The document carries its own limits, which size the tables: so what does not fit is known
 * before anything changes.
 */
static int check_limits(const struct plan *p, char refusal[PLAN_REASON_MAX])
{
	const struct {
		const char *what, *limit;
		uint64_t needed, allowed;
	} rows[] = {
		{ "services at this site", "limits.services", p->n_services,
		  p->sizes.service_counts },
		{ "services at their addresses, and VIPs", "limits.services", p->n_entries,
		  p->sizes.services / 2 },
		{ "pools at this site", "limits.services", p->n_pools, p->sizes.pools },
		{ "backends, with removed ones that still have flows", "limits.backends",
		  p->n_backends, p->sizes.backends - 1 },
		{ "slots of all pools", "limits.slots", p->n_slots, p->sizes.slots },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].needed <= rows[i].allowed)
			continue;
		snprintf(refusal, PLAN_REASON_MAX, "%s: %llu are needed and %llu fit; raise %s",
		         rows[i].what, (unsigned long long)rows[i].needed,
		         (unsigned long long)rows[i].allowed, rows[i].limit);
		return -EDQUOT;
	}
	return 0;
}

/* Whether all entries have a position in @p half with @p seed. */
static bool entries_fit(const struct plan *p, struct fwd_service *half, uint32_t seed)
{
	uint64_t filter[FWD_FILTER_WORDS] = { 0 };

	memset(half, 0, p->sizes.services * sizeof(*half));
	for (size_t i = 0; i < p->n_entries; i++)
		if (fwd_service_put(half, p->sizes.services, seed, filter, &p->entries[i].entry) <
		    0)
			return false;
	return true;
}

/*
 * Refuse entries for which no seed of the table is found: it is known before anything changes, too. None is found either
 * for two at one address and port, which the reader of documents refuses by name.
 */
static int check_seeds(const struct plan *p, char refusal[PLAN_REASON_MAX])
{
	struct fwd_service *half = malloc(p->sizes.services * sizeof(*half));
	uint32_t i = 0;

	if (!half)
		return -ENOMEM;
	while (i < PLAN_SEEDS && !entries_fit(p, half, plan_seed(i)))
		i++;
	free(half);
	if (i < PLAN_SEEDS)
		return 0;
	snprintf(refusal, PLAN_REASON_MAX,
	         "services at their addresses, and VIPs: a table of %u does not take these %zu; "
	         "raise limits.services",
	         p->sizes.services, p->n_entries);
	return -EDQUOT;
}

int plan_make(const struct model *m, int64_t wall_clock_ms, struct plan **out,
              char refusal[PLAN_REASON_MAX])
{
	struct plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->model = m;
	size_tables(&m->limits, &p->sizes);
	err = list_pools(p);
	if (!err)
		err = list_entries(p);
	if (!err)
		err = check_limits(p, refusal);
	if (!err)
		err = check_seeds(p, refusal);
	if (err) {
		plan_free(p);
		return err;
	}
	plan_list_drills(p);
	plan_update(p, wall_clock_ms);
	*out = p;
	return 0;
}

/* The overrides of a backend in force, which name it; `disable` outranks `force up`. */
static uint8_t intent_of(const struct model *m, const char *pool, const char *name,
                         int64_t wall_clock_ms)
{
	uint8_t intent = GUARD_NOTHING;

	for (size_t i = 0; i < m->n_overrides && *name; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->target != MODEL_TARGET_BACKEND || o->ended || o->from_ms > wall_clock_ms ||
		    o->until_ms <= wall_clock_ms || strcmp(o->pool, pool) != 0 ||
		    strcmp(o->name, name) != 0)
			continue;
		if (o->kind == MODEL_OVERRIDE_DISABLE)
			return GUARD_DISABLED;
		if (o->kind == MODEL_OVERRIDE_FORCE_UP)
			intent = GUARD_FORCED_UP;
	}
	return intent;
}

const struct model_pool *plan_pool_of(const struct plan_pool *p, const struct plan_backend *b)
{
	return b->class == PLAN_BACKUP ? p->backup : p->model;
}

/* Both lists are sorted by id, so one walk compares them. */
static bool update_class(const struct model *m, struct plan_pool *p, enum plan_class class,
                         int64_t wall_clock_ms)
{
	const struct model_pool *pool = class == PLAN_BACKUP ? p->backup : p->model;
	const struct model_set *member_set = find_set_in_force(pool, wall_clock_ms);
	bool changed = false;
	size_t at = 0; /* both are sorted by id */

	for (size_t i = 0; i < p->n_backends; i++) {
		struct plan_backend *b = &p->backends[i];
		uint32_t weight = 0;
		uint8_t intent;

		if (b->class != class)
			continue;
		intent = intent_of(m, pool->name, b->name, wall_clock_ms);
		while (member_set && at < member_set->n_members &&
		       member_set->members[at].id < b->id)
			at++;
		b->is_member = member_set && at < member_set->n_members &&
		               member_set->members[at].id == b->id;
		if (b->is_member)
			weight = member_set->members[at].weight;
		changed |= intent != b->intent || weight != b->weight;
		b->intent = intent;
		b->weight = weight;
	}
	return changed;
}

static bool update_pool(const struct plan *plan, struct plan_pool *p, int64_t wall_clock_ms)
{
	bool changed = update_class(plan->model, p, PLAN_OWN, wall_clock_ms);

	if (!p->backup)
		return changed;
	changed |= update_class(plan->model, p, PLAN_BACKUP, wall_clock_ms);
	return plan_update_backup(plan, p, wall_clock_ms) || changed;
}

bool plan_update(struct plan *p, int64_t wall_clock_ms)
{
	bool changed = plan_update_drills(p, wall_clock_ms);

	for (size_t i = 0; i < p->n_pools; i++)
		changed |= update_pool(p, &p->pools[i], wall_clock_ms);
	return changed;
}

void plan_free_rings(struct plan_pool *p)
{
	for (size_t s = 0; s < PLAN_SETS_MAX; s++) {
		free(p->rings[s]);
		p->rings[s] = NULL;
	}
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_pools; i++) {
		plan_free_rings(&p->pools[i]);
		free(p->pools[i].backends);
	}
	free(p->pools);
	free(p->entries);
	free(p->services);
	free(p->before);
	free(p);
}
