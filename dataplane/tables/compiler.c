/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a document comes into force (tables/compiler.h has the order of a change).
 *
 * Everything that can fail comes first (prepare_pools()): larger tables, room for new elements,
 * memory. Then each element finds its owner again by a key (tables/indexes.h, tables/ranges.h), so what stays in
 * the document keeps its index, slots and counters. Pools are switched one by one; between them
 * compiler_yield() lets verdicts in, which may switch a pool with a death before its turn. Services
 * come last, by one atomic store that selects the other half of their table.
 */
#include "dataplane/tables/compiler_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/sorted.h"
#include "weir/health.h"
#include "weir/model.h"

struct compiler_time compiler_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct compiler_time){ .now_ms = clock_mono_ms(),
		                       .ticks_ms = (uint64_t)t.tv_sec * 1000 +
		                                   (uint64_t)t.tv_nsec / 1000000,
		                       .wall_clock_ms = clock_believed_ms() };
}

/* Grow the arrays by backend index from @p old to @p new elements. A failure keeps both valid. */
static int grow_by_index(struct compiler *n, uint32_t old, uint32_t new)
{
	uint8_t *states = realloc(n->states, new);
	struct compiler_path *paths;

	if (!states)
		return -ENOMEM;
	n->states = states;
	paths = realloc(n->paths, new * sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	n->paths = paths;
	memset(states + old, 0, new - old);
	memset(paths + old, 0, (new - old) * sizeof(*paths));
	return 0;
}

int compiler_init(struct compiler *n, const struct driver_ops *ops, struct driver *driver,
                  bool kept)
{
	*n = (struct compiler){ .ops = ops, .driver = driver, .adopted = kept, .learning = !kept };
	ops->tables(driver, &n->t);
	ops->sizes(driver, &n->sizes);
	n->pool_indexes = indexes_new(0, n->sizes.pools);
	n->backend_indexes = indexes_new(1, n->sizes.backends);
	n->count_indexes = indexes_new(0, n->sizes.service_counts);
	n->ranges = calloc(1, sizeof(*n->ranges));
	n->watched_heads = calloc(COMPILER_WATCHED_BUCKETS, sizeof(*n->watched_heads));
	if (!n->pool_indexes || !n->backend_indexes || !n->count_indexes || !n->ranges ||
	    !n->watched_heads || grow_by_index(n, 0, n->sizes.backends) ||
	    shadow_new(&n->t, &n->shadow) ||
	    owners_memory_new(n->t.exceptions, n->sizes.exception_buckets, &n->memory)) {
		compiler_fini(n);
		return -ENOMEM;
	}
	n->ranges->n_slots = n->sizes.slots;
	if (kept)
		compiler_adopt(n);
	else
		n->t.root->sample_wide = FWD_SAMPLE_ONE_OF - 1; /* until there is much traffic */
	return 0;
}

static void free_pools(struct compiler_pool *pools, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		owners_free(pools[i].owners);
		free(pools[i].window);
		free(pools[i].backup);
		free(pools[i].backends);
	}
	free(pools);
}

void compiler_fini(struct compiler *n)
{
	for (uint32_t i = 0; n->hops && n->paths && i < n->sizes.backends; i++)
		if (n->paths[i].is_watched)
			hops_unwatch(n->hops, &n->paths[i].address);
	free_pools(n->pools, n->n_pools);
	owners_memory_free(n->memory);
	indexes_free(n->pool_indexes);
	indexes_free(n->backend_indexes);
	indexes_free(n->count_indexes);
	plan_free(n->plan);
	model_free(n->model);
	free(n->ranges);
	free(n->states);
	free(n->watched_heads);
	free(n->paths);
	shadow_free(&n->shadow);
	*n = (struct compiler){ 0 };
}

static bool sizes_fit(const struct driver_sizes *have, const struct driver_sizes *needed)
{
	return have->services >= needed->services &&
	       have->service_counts >= needed->service_counts && have->pools >= needed->pools &&
	       have->backends >= needed->backends && have->slots >= needed->slots &&
	       have->exception_buckets >= needed->exception_buckets;
}

/*
 * The driver has larger tables: elements keep their indexes, but the memory lies elsewhere. Only what has all arrays has the
 * new sizes: else the tables are made larger again. The backends' indexes grow last: none is given that an array lacks.
 */
static int move_tables(struct compiler *n)
{
	struct driver_sizes sizes;

	n->ops->tables(n->driver, &n->t);
	n->ops->sizes(n->driver, &sizes);
	owners_memory_move(n->memory, n->t.exceptions, sizes.exception_buckets);
	for (size_t i = 0; i < n->n_pools; i++) {
		struct compiler_pool *p = &n->pools[i];
		const struct owners_tables at = { n->t.slots, n->t.colds, p->first_slot,
			                          p->n_slots };

		owners_move(p->owners, &at);
	}
	if (grow_by_index(n, n->sizes.backends, sizes.backends) ||
	    indexes_grow(n->pool_indexes, sizes.pools) ||
	    indexes_grow(n->count_indexes, sizes.service_counts) ||
	    indexes_grow(n->backend_indexes, sizes.backends))
		return -ENOMEM;
	n->sizes = sizes;
	n->ranges->n_slots = sizes.slots;
	return 0;
}

/*
 * Fill @p next, the larger tables, and switch to them. Root, services and destinations depend on the
 * tables' sizes, so they are written again. A failure keeps the tables in force and their shadow.
 */
static int switch_tables(struct compiler *n, const struct fwd_tables *next,
                         struct driver_reason *reason)
{
	struct fwd_tables tables = n->t;
	struct shadow shadow = n->shadow;
	int err = shadow_grow(&shadow, next, &n->shadow);

	if (err)
		return driver_set_reason(reason, err, "out of memory for larger tables");
	n->t = *next;
	if (n->plan) {
		compiler_write_root(n);
		compiler_write_services(n);
		compiler_write_destinations(n);
		compiler_write_generation(n);
	}
	err = n->ops->resize_commit(n->driver, reason);
	if (err) {
		shadow_free(&n->shadow);
		n->t = tables;
		n->shadow = shadow;
		return err;
	}
	shadow_free(&shadow);
	return 0;
}

/* Grow the tables to at least @p sizes. The driver copies the elements. */
static int resize_tables(struct compiler *n, const struct driver_sizes *sizes,
                         char refusal[PLAN_REASON_MAX])
{
	struct driver_reason reason;
	struct fwd_tables next;
	int err;

	if (sizes_fit(&n->sizes, sizes))
		return 0;
	err = n->ops->resize_begin(n->driver, sizes, &next, &reason);
	if (!err)
		err = switch_tables(n, &next, &reason);
	if (err) {
		snprintf(refusal, PLAN_REASON_MAX, "%.*s", PLAN_REASON_MAX - 1, reason.text);
		return err;
	}
	n->counters.resizes++;
	return move_tables(n);
}

static int compare_pool_name(const void *name, const void *pool)
{
	return strcmp(name, ((const struct compiler_pool *)pool)->plan->model->name);
}

/* Pools are sorted by name, as in the model; several tables of one pool are neighbours. */
struct compiler_pool *compiler_find_pool(struct compiler_pool *pools, size_t n, const char *name)
{
	struct compiler_pool *found =
	        n ? bsearch(name, pools, n, sizeof(*pools), compare_pool_name) : NULL;

	while (found && found > pools && !compare_pool_name(name, found - 1))
		found--;
	return found;
}

/* The one of the @p n with the id of @p plan, or NULL. */
static struct compiler_pool *find_table(struct compiler_pool *pools, size_t n,
                                        const struct plan_pool *plan)
{
	const char *name = plan->model->name;
	struct compiler_pool *found = compiler_find_pool(pools, n, name);

	for (; found && found < pools + n && !compare_pool_name(name, found); found++)
		if (found->plan->id == plan->id)
			return found;
	return NULL;
}

const struct compiler_backend *compiler_find_backend(const struct compiler_pool *p, uint64_t id)
{
	const struct plan_backend *all = p->plan->backends, *found = NULL;

	if (p->plan->n_backends)
		found = bsearch(&id, all, p->plan->n_backends, sizeof(*all), sorted_by_u64);
	return found ? &p->backends[found - all] : NULL;
}

/*
 * The range of slots that a pool has already, from the document before or from an earlier process.
 * It fits only with the same number of slots, and agents or none as before: cold slots differ.
 */
static bool find_range(const struct compiler *n, const struct plan_pool *p, uint32_t *first)
{
	const struct compiler_pool *old = find_table(n->pools, n->n_pools, p);
	uint32_t index = indexes_find(n->pool_indexes, p->id), n_slots = 0;
	bool agents = false;

	if (old) {
		*first = old->first_slot;
		n_slots = old->n_slots;
		agents = plan_has_agents(old->plan);
	} else if (n->adopted && index != INDEX_NONE) {
		const struct fwd_pool *kept = &n->shadow.t.pools[index];

		*first = (uint32_t)(kept->slot_range >> 8);
		n_slots = 1u << (kept->slot_range & 31);
		agents = kept->flags & FWD_POOL_AGENTS;
	}
	return n_slots == p->model->n_slots && agents == plan_has_agents(p);
}

/* The indexes of one kind that a plan needs. */
struct room {
	const char *what, *limit;
	const struct indexes *indexes;
	uint32_t n_new, n_back; /* keys without an index; with one that is in quarantine */
};

static void count_index(struct room *r, uint64_t key)
{
	uint32_t i = indexes_find(r->indexes, key);

	r->n_new += i == INDEX_NONE;
	r->n_back += i != INDEX_NONE && indexes_state(r->indexes, i) == INDEX_QUARANTINED;
}

static uint32_t count_state(const struct indexes *indexes, enum index_state state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < indexes_n(indexes); i++)
		n += indexes_state(indexes, i) == state;
	return n;
}

/*
 * Indexes of the document in force are in use until the plan is, so time helps only if there is room beside them once
 * nothing is in quarantine. @return 0; -EAGAIN: there is; -EDQUOT: another document is needed
 */
static int check_room(const struct room *r, char refusal[PLAN_REASON_MAX])
{
	uint32_t n_free = indexes_n_free(r->indexes), n_used, n_all;

	if (r->n_new <= n_free)
		return 0;
	n_used = count_state(r->indexes, INDEX_USED);
	n_all = n_free + n_used + count_state(r->indexes, INDEX_QUARANTINED);
	if (n_used + r->n_back + r->n_new <= n_all) {
		snprintf(refusal, PLAN_REASON_MAX,
		         "no room for new %s until those removed a short time ago are free again",
		         r->what);
		return -EAGAIN;
	}
	snprintf(refusal, PLAN_REASON_MAX,
	         "%s, with those that this document replaces: %u are needed and %u fit; "
	         "raise limits.%s",
	         r->what, n_used + r->n_back + r->n_new, n_all, r->limit);
	return -EDQUOT;
}

/* Check that all that is new in @p plan has room next to the elements in use and in quarantine. */
static int check_free_room(const struct compiler *n, const struct plan *plan,
                           char refusal[PLAN_REASON_MAX])
{
	struct room pools = { "pools", "services", n->pool_indexes, 0, 0 };
	struct room backends = { "backends", "backends", n->backend_indexes, 0, 0 };
	struct room services = { "services", "services", n->count_indexes, 0, 0 };
	int err;

	for (size_t i = 0; i < plan->n_pools; i++) {
		const struct plan_pool *p = &plan->pools[i];

		count_index(&pools, p->id);
		for (size_t k = 0; k < p->n_backends; k++)
			count_index(&backends, compiler_backend_key(p->id, p->backends[k].id));
	}
	for (size_t i = 0; i < plan->n_services; i++)
		count_index(&services, hash_text(plan->services[i]->name));
	err = check_room(&pools, refusal);
	if (!err)
		err = check_room(&backends, refusal);
	return err ? err : check_room(&services, refusal);
}

/*
 * Do all for a pool that can fail. @p ranges is a copy of the node's, installed when all pools
 * succeed.
 */
static int make_pool(struct compiler *n, const struct model *m, const struct plan_pool *plan,
                     struct ranges *ranges, struct compiler_pool *p)
{
	const struct compiler_pool *old = find_table(n->pools, n->n_pools, plan);
	struct owners_tables at = { .slots = n->t.slots, .colds = n->t.colds };
	bool has_range;

	*p = (struct compiler_pool){
		.plan = plan, .guard_at_ms = UINT64_MAX, .changed = true, .waits = true
	};
	p->n_slots = plan->model->n_slots;
	p->backends = calloc(plan->n_backends ? plan->n_backends : 1, sizeof(*p->backends));
	p->window = calloc(1, sizeof(*p->window));
	p->backup = plan->backup ? calloc(1, sizeof(*p->backup)) : NULL;
	if (!p->backends || !p->window || (plan->backup && !p->backup))
		return -ENOMEM;
	has_range = find_range(n, plan, &p->first_slot);
	if (!has_range && ranges_allocate(ranges, p->n_slots, &p->first_slot))
		return -EAGAIN;
	if (!has_range)
		compiler_clear_slots(n, p->first_slot, p->n_slots);
	else if (!old)
		compiler_check_slots(n, p);
	if (has_range && old && model_has_same_key(n->model, m))
		return 0; /* keeps its owners */
	at.first_slot = p->first_slot;
	at.n_slots = p->n_slots;
	return owners_new(&at, n->memory, m->hash_key, &p->owners);
}

static int make_node_pools(struct compiler *n, const struct model *m, const struct plan *plan,
                           struct ranges *ranges, struct compiler_pool **out)
{
	struct compiler_pool *pools = calloc(plan->n_pools ? plan->n_pools : 1, sizeof(*pools));
	int err = pools ? 0 : -ENOMEM;

	for (size_t i = 0; i < plan->n_pools && !err; i++)
		err = make_pool(n, m, &plan->pools[i], ranges, &pools[i]);
	if (err && pools)
		free_pools(pools, plan->n_pools);
	else
		*out = pools;
	return err;
}

/*
 * Give the backend its index, and its state from the document before or from an earlier process. One
 * that waited for a verdict under that process is new to this one.
 */
static void bind_backend(struct compiler *n, const struct compiler_pool *p,
                         const struct compiler_pool *old, const struct plan_backend *plan,
                         struct compiler_backend *b)
{
	uint64_t key = compiler_backend_key(p->plan->id, plan->id);
	const struct compiler_backend *was = old ? compiler_find_backend(old, plan->id) : NULL;
	bool adopted = n->adopted && indexes_find(n->backend_indexes, key) != INDEX_NONE;

	*b = (struct compiler_backend){ .plan = plan, .page_index = -1 };
	b->index = indexes_allocate(n->backend_indexes, key);
	b->known = was || (adopted && n->states[b->index] != OWNERS_WAITS);
	b->target = health_target_backend(plan_pool_of(p->plan, plan)->name, plan->id);
	n->paths[b->index].mtu = plan->class == PLAN_BACKUP ? p->plan->backup_mtu : 0;
	if (was) {
		b->alive = was->alive;
		b->good = was->good;
		b->good_ms = was->good_ms;
		b->reason = was->reason;
		b->heard = was->heard;
		b->heard_down = was->heard_down;
	} else if (b->known) {
		b->alive = n->states[b->index] == OWNERS_SERVES;
	}
}

/* Whether the document changes nothing that owners_apply() has to see. */
static bool same_owner_input(const struct plan_pool *a, const struct plan_pool *b)
{
	const struct model_pool *x = a->model, *y = b->model;

	if (x->settle_ms != y->settle_ms || x->idle_ms != y->idle_ms ||
	    a->udp_idle_ms != b->udp_idle_ms || x->n_member_sets != y->n_member_sets)
		return false;
	for (size_t i = 0; i < x->n_member_sets; i++)
		if (x->member_sets[i].from_ms != y->member_sets[i].from_ms ||
		    x->member_sets[i].until_ms != y->member_sets[i].until_ms ||
		    !plan_same_members(&x->member_sets[i], &y->member_sets[i]))
			return false;
	return true;
}

/*
 * Give the pool its elements, and the state of @p old that continues. Cannot fail after
 * check_free_room().
 */
static void bind_pool(struct compiler *n, struct compiler_pool *old, struct compiler_pool *p)
{
	p->index = indexes_allocate(n->pool_indexes, p->plan->id);
	for (size_t i = 0; i < p->plan->n_backends; i++)
		bind_backend(n, p, old, &p->plan->backends[i], &p->backends[i]);
	if (p->backup)
		compiler_bind_backup(n, old, p);
	if (!old)
		return;
	*p->window = *old->window;
	if (!p->owners) {
		p->owners = old->owners;
		old->owners = NULL;
		p->owners_at_ms = old->owners_at_ms;
		p->changed = old->changed || p->backup || old->backup ||
		             !same_owner_input(old->plan, p->plan);
	}
}

/*
 * Follow the next hops of new backends. Each one is a question to the kernel, which takes most of
 * the time of a change; so this is done before anything changes.
 */
static void watch_backends(struct compiler *n, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_pools; i++) {
		for (size_t k = 0; k < plan->pools[i].n_backends; k++) {
			const struct plan_backend *b = &plan->pools[i].backends[k];
			uint64_t key = compiler_backend_key(plan->pools[i].id, b->id);

			if (b->class != PLAN_FULL)
				compiler_watch(n, indexes_allocate(n->backend_indexes, key),
				               &b->address);
			compiler_yield(n);
		}
	}
}

/*
 * Also follow the next hops of backends that left the document under an earlier process: flows
 * may still use them.
 */
static void watch_left(struct compiler *n)
{
	for (uint32_t i = 1; i < n->sizes.backends && n->hops; i++) {
		struct addr address;

		if (!(n->shadow.t.backends[i].flags & FWD_BACKEND_USED) || n->paths[i].is_watched ||
		    n->shadow.t.backends[i].flags & FWD_BACKEND_FULL)
			continue;
		memcpy(address.bytes, n->shadow.t.backends[i].address.bytes, sizeof(address.bytes));
		compiler_watch(n, i, &address);
		compiler_yield(n);
	}
}

/*
 * Bring the bound pools into force, from the bottom up: backends, slots and pools, then services.
 * The grace period comes first because packets may still read the half of the services table that
 * is written next; the thread that compiles a document has waited for it already
 * (`spare_is_free`).
 */
static void switch_over(struct compiler *n, const struct compiler_time *time)
{
	if (!n->spare_is_free) /* the spare half was in force before the last switch */
		n->ops->grace(n->driver);
	n->spare_is_free = false;
	compiler_write_root(n);
	compiler_find_page_indexes(n);
	for (size_t i = 0; i < n->n_pools; i++) {
		if (n->pools[i].waits)
			compiler_switch_pool(n, &n->pools[i], time);
		compiler_yield(n);
	}
	compiler_write_services(n);
	compiler_write_destinations(n);
	compiler_write_generation(n);
	watch_left(n);
	compiler_quarantine(n, time);
}

/*
 * Why pools of @p plan found no slots. Those of the document in force are in use until @p plan is, so
 * time helps only if it has room beside them once nothing is in quarantine. @p ranges is scratch.
 * @return -EAGAIN: it has; -EDQUOT: another document is needed
 */
static int refuse_slots(const struct compiler *n, const struct plan *plan, struct ranges *ranges,
                        char refusal[PLAN_REASON_MAX])
{
	uint32_t first, needed = 0;

	*ranges = *n->ranges;
	ranges_release(ranges, UINT64_MAX);
	ranges->n_slots = UINT32_MAX;
	for (size_t i = 0; i < plan->n_pools; i++) {
		uint32_t n_slots = plan->pools[i].model->n_slots;

		if (!find_range(n, &plan->pools[i], &first) &&
		    !ranges_allocate(ranges, n_slots, &first) && first + n_slots > needed)
			needed = first + n_slots;
	}
	if (needed <= n->ranges->n_slots) {
		snprintf(
		        refusal, PLAN_REASON_MAX,
		        "no room for new slots until those of pools removed a short time ago are free again");
		return -EAGAIN;
	}
	snprintf(
	        refusal, PLAN_REASON_MAX,
	        "slots of all pools, with old ones of pools that change: %u are needed and %u fit; "
	        "raise limits.slots",
	        needed, n->ranges->n_slots);
	return -EDQUOT;
}

/*
 * Do all that can fail. @return 0 or -errno; then nothing has changed except that tables may be
 * larger
 */
static int prepare_pools(struct compiler *n, const struct model *m, const struct plan *plan,
                         struct ranges *ranges, struct compiler_pool **pools,
                         char refusal[PLAN_REASON_MAX])
{
	int err = resize_tables(n, &plan->sizes, refusal);

	if (!err)
		err = check_free_room(n, plan, refusal);
	if (err)
		return err;
	*ranges = *n->ranges;
	err = make_node_pools(n, m, plan, ranges, pools);
	if (err == -EAGAIN)
		return refuse_slots(n, plan, ranges, refusal);
	if (err)
		snprintf(refusal, PLAN_REASON_MAX, "%s", strerror(-err));
	return err;
}

/*
 * `old` keeps the node as it was: pools are bound while both exist, so that verdicts, owners and
 * guard windows continue. From bind_pool() on nothing can fail.
 */
int compiler_apply_plan(struct compiler *n, struct model *m, struct plan *plan,
                        const struct compiler_time *time, char refusal[PLAN_REASON_MAX])
{
	struct ranges *ranges = calloc(1, sizeof(*ranges));
	struct compiler_pool *pools = NULL;
	int err = ranges ? prepare_pools(n, m, plan, ranges, &pools, refusal) : -ENOMEM;
	struct compiler old;

	if (err) {
		free(ranges);
		n->counters.refused++;
		n->document_refused = true;
		return err;
	}
	*n->ranges = *ranges;
	free(ranges);
	watch_backends(n, plan);
	old = *n;
	plan_update(plan, time->wall_clock_ms);
	compiler_allocate_counts(n, plan);
	for (size_t i = 0; i < plan->n_pools; i++)
		bind_pool(n, find_table(old.pools, old.n_pools, &plan->pools[i]), &pools[i]);
	n->model = m;
	n->plan = plan;
	n->pools = pools;
	n->n_pools = plan->n_pools;
	n->health_generation = 0;
	compiler_bind_drills(n);
	switch_over(n, time);
	compiler_run_drills(n, time);
	free_pools(old.pools, old.n_pools);
	plan_free(old.plan);
	model_free(old.model);
	n->adopted = false;
	n->document_refused = false;
	n->counters.documents++;
	return 0;
}
