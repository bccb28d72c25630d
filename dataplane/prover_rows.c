/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are made once for each document and sorted, so that readers of the page find theirs by
 * bisection, and each row knows its services as a range of one array. Between documents only the
 * pools are read again: each of them once, however many services and addresses it has.
 */
#include "dataplane/prover_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "weir/model.h"

static int by_row(const void *a, const void *b)
{
	const struct prover_row *x = a, *y = b;

	return proof_vip_compare(&x->shown, &y->shown);
}

/* The lists of nodes are sorted by name (weir/model.h). */
static int by_vip_name(const void *a, const void *b)
{
	const struct model_vip *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool is_announced(const struct model_node *self, const struct model_vip *vip)
{
	const struct model_announce *a = &self->announce;

	return a->daemon != MODEL_DAEMON_NONE && a->n_vips &&
	       bsearch(&vip, a->vips, a->n_vips, sizeof(*a->vips), by_vip_name);
}

static int by_entry_address(const void *a, const void *b)
{
	const struct plan_entry *const *x = a, *const *y = b;

	return memcmp(&(*x)->entry.vip, &(*y)->entry.vip, sizeof((*x)->entry.vip));
}

/* A digest of an entry: the same in another document if a packet to it has the same fate. */
static uint64_t digest_entry(const struct compiler *n, const struct plan_entry *e)
{
	const struct model_service *service = n->plan->services[e->service];
	uint64_t pool = e->pool < n->n_pools ? n->pools[e->pool].plan->id : 0;

	return hash_mix(hash_text(service->name) ^
	                hash_mix(pool ^ ((uint64_t)service->protocol << 16 | service->port)));
}

/* Where the services of @p row begin in the sorted entries, how many they are, and which. */
static void find_entries(const struct compiler *n, const struct prover_rows *rows,
                         struct prover_row *row)
{
	size_t from = 0, to = rows->n_entries;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(&rows->entries[middle]->entry.vip, &row->shown.address,
		           sizeof(row->shown.address)) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	row->first = (uint32_t)from;
	row->services = 0; /* a sum: the order of equal addresses is not fixed */
	while (from < rows->n_entries && !memcmp(&rows->entries[from]->entry.vip,
	                                         &row->shown.address, sizeof(row->shown.address)))
		row->services += digest_entry(n, rows->entries[from++]);
	row->n = (uint32_t)from - row->first;
	row->shown.n_services = row->n;
}

/* What was proved of a row is over. The counters stay. */
static void forget_proof(struct prover_row *row, uint64_t now_ms)
{
	if (row->shown.state != PROOF_STATE_UNKNOWN)
		row->shown.since_ms = now_ms;
	row->shown.state = PROOF_STATE_UNKNOWN;
	row->shown.reason = PROOF_REASON_NONE;
	row->shown.proved_ms = 0;
	row->refusals = 0;
}

/* The row of an address: the one that is known already, or a new one. */
static void start_prover_row(const struct compiler *n, const struct model_vip *vip, size_t address,
                             const struct prover_rows *before, struct prover_row *row)
{
	const struct prover_row *known = NULL;

	row->shown.vip = hash_text(vip->name);
	row->shown.address = vip->addresses[address];
	row->shown.reason = PROOF_REASON_NONE;
	if (before->n)
		known = bsearch(row, before->rows, before->n, sizeof(*row), by_row);
	if (known)
		*row = *known;
	row->is_announced = is_announced(n->model->self, vip);
	row->is_urgent = true;
}

static void list_addresses(const struct compiler *n, const struct prover_rows *before, bool stays,
                           uint64_t now_ms, struct prover_rows *out)
{
	const struct model *m = n->model;

	for (size_t i = 0; i < m->n_vips; i++) {
		for (size_t k = 0;
		     model_vip_is_at(&m->vips[i], m->self->site) && k < m->vips[i].n_addresses;
		     k++) {
			struct prover_row *row = &out->rows[out->n++];

			start_prover_row(n, &m->vips[i], k, before, row);
			uint64_t services = row->services;

			find_entries(n, out, row);
			if (!stays || row->services != services || !row->is_announced)
				forget_proof(row, now_ms);
			out->n_announced += row->is_announced;
		}
	}
	if (out->n)
		qsort(out->rows, out->n, sizeof(*out->rows), by_row);
}

int prover_rows_make(const struct compiler *n, const struct prover_rows *before, bool stays,
                     uint64_t now_ms, struct prover_rows *out)
{
	const struct model *m = n->model;
	const struct plan *plan = n->plan;
	size_t n_rows = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < m->n_vips; i++)
		n_rows += model_vip_is_at(&m->vips[i], m->self->site) ? m->vips[i].n_addresses : 0;
	out->rows = calloc(n_rows + 1, sizeof(*out->rows));
	out->entries = calloc(plan->n_entries + 1, sizeof(struct plan_entry *));
	out->pools = calloc(n->n_pools + 1, sizeof(*out->pools));
	if (!out->rows || !out->entries || !out->pools) {
		prover_rows_free(out);
		return -ENOMEM;
	}
	out->n_pools = n->n_pools;
	for (size_t i = 0; i < plan->n_entries; i++)
		if (plan->entries[i].service != PLAN_NONE)
			out->entries[out->n_entries++] = &plan->entries[i];
	if (out->n_entries)
		qsort(out->entries, out->n_entries, sizeof(struct plan_entry *), by_entry_address);
	list_addresses(n, before, stays, now_ms, out);
	return 0;
}

void prover_rows_free(struct prover_rows *rows)
{
	free(rows->rows);
	free(rows->entries);
	free(rows->pools);
	memset(rows, 0, sizeof(*rows));
}

/* Whether backends of @p class take new flows now: a pool whose backup serves is not down. */
static bool gets_new_flows(const struct compiler_pool *pool, enum plan_class class)
{
	if (!pool->backup || pool->backup->state.class == EFFECT_CLASS_OWN)
		return class == PLAN_OWN;
	return class == PLAN_BACKUP ||
	       (class == PLAN_OWN && pool->backup->state.share < BACKUP_SHARE_ALL);
}

static bool has_weight(const struct compiler_pool *pool, enum plan_class class)
{
	for (size_t k = 0; k < pool->plan->n_backends; k++)
		if (pool->backends[k].alive && pool->backends[k].plan->weight &&
		    pool->backends[k].plan->class == class)
			return true;
	return false;
}

/*
 * A member of the set in force is to be given packets if it is in force and has a weight; where
 * none of them has one, they get equal shares (owners/targets.c). The fingerprint changes with
 * these backends, with whether their next hops are known and whether packets to them leave.
 */
static void read_class(const struct compiler *n, const struct compiler_pool *pool,
                       enum plan_class class, const struct leaving *leaving,
                       struct prover_pool *out, struct proof_node *node)
{
	bool by_weight = has_weight(pool, class);

	for (size_t k = 0; k < pool->plan->n_backends; k++) {
		const struct compiler_backend *b = &pool->backends[k];
		bool has_hop = !(n->t.backends[b->index].flags & FWD_BACKEND_NO_NEXT_HOP);
		bool leaves = leaving_of(leaving, n->t.backends[b->index].ifindex) != LEAVING_NONE;

		if (b->plan->class != class || !b->alive || !b->plan->is_member ||
		    (by_weight && !b->plan->weight))
			continue;
		out->is_serving = true;
		out->is_reachable |= has_hop;
		out->is_sending |= has_hop && leaves;
		out->fingerprint = hash_mix(out->fingerprint ^ ((uint64_t)b->index << 2 |
		                                                (uint64_t)leaves << 1 | has_hop));
		node->hops_needed++;
		node->hops_known += has_hop;
	}
}

static void read_pool(const struct compiler *n, const struct compiler_pool *pool,
                      const struct leaving *leaving, struct prover_pool *out,
                      struct proof_node *node)
{
	*out = (struct prover_pool){ .fingerprint = pool->plan->id };
	if (gets_new_flows(pool, PLAN_OWN))
		read_class(n, pool, PLAN_OWN, leaving, out, node);
	if (gets_new_flows(pool, PLAN_BACKUP))
		read_class(n, pool, PLAN_BACKUP, leaving, out, node);
}

/* @return whether a figure of the row changed */
static bool read_row(const struct prover_rows *rows, struct prover_row *row)
{
	uint32_t n_serving = 0, n_reachable = 0, n_sending = 0;
	uint64_t fingerprint = row->n;
	bool changed;

	for (uint32_t i = 0; i < row->n; i++) {
		size_t at = rows->entries[row->first + i]->pool;

		if (at >= rows->n_pools)
			continue;
		n_serving += rows->pools[at].is_serving;
		n_reachable += rows->pools[at].is_reachable;
		n_sending += rows->pools[at].is_sending;
		fingerprint = hash_mix(fingerprint ^ rows->pools[at].fingerprint);
	}
	changed = n_serving != row->shown.n_serving || n_reachable != row->shown.n_reachable;
	row->shown.n_serving = n_serving;
	row->shown.n_reachable = n_reachable;
	row->is_blocked = n_reachable && !n_sending;
	row->is_urgent |= fingerprint != row->fingerprint;
	row->fingerprint = fingerprint;
	return changed;
}

bool prover_rows_read_pools(struct prover_rows *rows, const struct compiler *n,
                            const struct leaving *leaving, struct proof_node *node)
{
	bool changed = false;

	node->hops_needed = node->hops_known = 0;
	for (size_t i = 0; i < rows->n_pools && i < n->n_pools; i++)
		read_pool(n, &n->pools[i], leaving, &rows->pools[i], node);
	for (size_t i = 0; i < rows->n; i++)
		changed |= read_row(rows, &rows->rows[i]);
	return changed;
}
