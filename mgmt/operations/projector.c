/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of all nodes, together. A resolver that asks several nodes is one key with the sum of its
 * queries. A peer may say anything: counts are added in 64 bits, and names that the model does not
 * have are left out.
 */
#include "mgmt/operations/projection_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/sorted.h"

#define ARENA_BYTES ((size_t)256 << 20) /* a limit, not a size: 10,000 names, 4,096 services */

static int by_service(const void *a, const void *b)
{
	const struct model_dns_name *x = *(const struct model_dns_name *const *)a;
	const struct model_dns_name *y = *(const struct model_dns_name *const *)b;
	int order =
	        (x->service->index > y->service->index) - (x->service->index < y->service->index);

	return order ? order : (x->policy > y->policy) - (x->policy < y->policy);
}

/* One group for each service and policy; each name gets its group. */
static void group_names(struct projector *p, const struct model_dns_name **order)
{
	const struct model *m = p->m;

	for (size_t i = 0; i < m->n_dns_names; i++)
		order[i] = &m->dns_names[i];
	if (m->n_dns_names)
		qsort(order, m->n_dns_names, sizeof(*order), by_service);
	for (size_t i = 0; i < m->n_dns_names; i++) {
		uint32_t number = (uint32_t)(order[i] - m->dns_names);

		if (i == 0 || by_service(&order[i - 1], &order[i]) != 0)
			p->groups[p->n_groups++] = (struct projector_group){
				.service = order[i]->service->index,
				.name = number,
			};
		p->names[p->n_names++] = (struct projector_name){
			.id = p->steering->names[number].id,
			.number = number,
			.group = (uint32_t)p->n_groups - 1,
		};
	}
	if (p->n_names)
		qsort(p->names, p->n_names, sizeof(*p->names), sorted_by_u32);
}

int projector_new(const struct model *m, const uint64_t key[2], struct projector **out)
{
	struct arena *a = arena_new(ARENA_BYTES);
	struct projector *p = a ? ARENA_ARRAY(a, struct projector, 1) : NULL;
	size_t n = m->n_dns_names + 1;
	const struct model_dns_name **order;

	if (p) {
		*p = (struct projector){ .m = m, .arena = a };
		p->steering = steering_new(m, a);
		p->groups = ARENA_ARRAY(a, struct projector_group, n);
		p->names = ARENA_ARRAY(a, struct projector_name, n);
	}
	order = p ? ARENA_ARRAY(a, const struct model_dns_name *, n) : NULL;
	if (!order || !p->steering || arena_failed(a)) {
		arena_free(a);
		return -ENOMEM;
	}
	p->steering->key = (struct hash_key){ key[0], key[1] };
	group_names(p, order);
	*out = p;
	return 0;
}

void projector_free(struct projector *p)
{
	if (!p)
		return;
	free(p->keys);
	free(p->arrivals);
	arena_free(p->arena);
}

static struct projector_name *find_name(const struct projector *p, uint32_t id)
{
	const struct projector_name key = { .id = id };

	return p->n_names ? bsearch(&key, p->names, p->n_names, sizeof(key), sorted_by_u32) : NULL;
}

static int make_room(struct projector *p, size_t n)
{
	size_t room = p->n_room ? p->n_room : 1024;
	struct projector_key *keys;

	while (room < n)
		room *= 2;
	if (room == p->n_room)
		return 0;
	keys = realloc(p->keys, room * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	p->keys = keys;
	p->n_room = room;
	return 0;
}

int projector_add(struct projector *p, const struct steer_keys *keys)
{
	if (make_room(p, p->n_keys + keys->n_keys))
		return -ENOMEM;
	for (size_t i = 0; i < keys->n_keys; i++) {
		const struct projector_name *name = find_name(p, keys->keys[i].name);
		struct projector_key *to = &p->keys[p->n_keys];

		if (!name)
			continue;
		*to = (struct projector_key){ .group = name->group,
			                      .queries = keys->keys[i].queries };
		memcpy(&to->key, keys->keys[i].key, sizeof(to->key));
		p->n_keys++;
	}
	for (size_t i = 0; i < keys->n_names; i++) {
		struct projector_name *name = find_name(p, keys->names[i].name);

		if (!name)
			continue;
		p->groups[name->group].others += keys->names[i].others;
		if (keys->covered_s)
			name->queries_per_s += (double)keys->names[i].queries / keys->covered_s;
	}
	if (!p->n_nodes || keys->covered_s < p->covered_s)
		p->covered_s = keys->covered_s;
	p->n_nodes++;
	p->is_merged = false;
	return 0;
}

static int by_group_and_key(const void *a, const void *b)
{
	const struct projector_key *x = a, *y = b;
	int order = (x->group > y->group) - (x->group < y->group);

	return order ? order : (x->key > y->key) - (x->key < y->key);
}

size_t projector_first_group(const struct projector *p, uint32_t service)
{
	return sorted_index(&service, p->groups, p->n_groups, sizeof(*p->groups), sorted_by_u32,
	                    NULL);
}

bool projector_has_key(const struct projector *p, uint32_t service, uint64_t key)
{
	for (size_t g = projector_first_group(p, service);
	     p->n_keys && g < p->n_groups && p->groups[g].service == service; g++) {
		const struct projector_key probe = { .group = (uint32_t)g, .key = key };

		if (bsearch(&probe, p->keys, p->n_keys, sizeof(probe), by_group_and_key))
			return true;
	}
	return false;
}

static int by_queries(const void *a, const void *b)
{
	const struct projector_key *x = a, *y = b;
	int order = (x->queries < y->queries) - (x->queries > y->queries);

	return order ? order : by_group_and_key(a, b);
}

void projector_merge_keys(struct projector *p)
{
	size_t n = 0;

	if (p->is_merged || !p->n_keys)
		return;
	qsort(p->keys, p->n_keys, sizeof(*p->keys), by_group_and_key);
	for (size_t i = 0; i < p->n_keys; i++) {
		if (n && by_group_and_key(&p->keys[n - 1], &p->keys[i]) == 0)
			p->keys[n - 1].queries += p->keys[i].queries;
		else
			p->keys[n++] = p->keys[i];
	}
	if (n > PROJECTOR_KEYS_MAX) {
		qsort(p->keys, n, sizeof(*p->keys), by_queries);
		for (size_t i = PROJECTOR_KEYS_MAX; i < n; i++)
			p->groups[p->keys[i].group].others += p->keys[i].queries;
		n = PROJECTOR_KEYS_MAX;
		qsort(p->keys, n, sizeof(*p->keys), by_group_and_key);
	}
	p->n_keys = n;
	p->is_merged = true;
}
