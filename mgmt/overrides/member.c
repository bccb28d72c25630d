/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/overrides/member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/plain.h"
#include "base/sorted.h"

#define ROOM_LEAST 64u

/* --- one member --- */

/* Sets of members are composed by these: all nodes rely on rising instants. */
static bool are_instants_sound(const struct member *m)
{
	if (!m->n_from || m->n_from != m->n_weights)
		return false;
	for (uint32_t i = 0; i < m->n_from; i++)
		if (m->from_ms[i] < 0 || m->from_ms[i] >= CLOCK_END_MS ||
		    (i && m->from_ms[i] <= m->from_ms[i - 1]) || m->weights[i] > MEMBER_WEIGHT_MAX)
			return false;
	return true;
}

static bool is_leave_sound(const struct member *m)
{
	return m->left_ms ? m->left_ms > 0 && m->gone_ms >= m->left_ms && m->gone_ms < CLOCK_END_MS
	                  : !m->gone_ms;
}

static bool is_sound(const void *record)
{
	const struct member *m = record;
	bool is_host = addr_is_host(&m->address.addr) &&
	               m->address.bits == (addr_is4(&m->address.addr) ? 32 : 128);
	bool has_ttl = m->ttl_s >= MEMBER_TTL_LEAST_S && m->ttl_s <= MEMBER_TTL_MOST_S;

	return is_host && (!m->ttl_s || has_ttl) && m->since_ms >= 0 &&
	       m->since_ms < CLOCK_END_MS && is_leave_sound(m) && are_instants_sound(m) &&
	       plain_is(m->labels) && plain_is(m->principal);
}

static const struct field an_instant = { .kind = FIELD_I64 }, a_weight = { .kind = FIELD_U32 };

const struct record_kind member_record = RECORD_OF(
        struct member, "member", is_sound, RECORD_VALUE(struct member, address, FIELD_PREFIX),
        RECORD_VALUE(struct member, ttl_s, FIELD_U32),
        RECORD_VALUE(struct member, since_ms, FIELD_I64),
        RECORD_VALUE(struct member, left_ms, FIELD_I64),
        RECORD_VALUE(struct member, gone_ms, FIELD_I64),
        RECORD_LIST(struct member, from_ms, n_from, &an_instant),
        RECORD_LIST(struct member, weights, n_weights, &a_weight),
        RECORD_TEXT(struct member, labels), RECORD_TEXT(struct member, principal));

const char *member_record_name(const char *pool, const char *id, char *out, size_t size)
{
	snprintf(out, size, MEMBER_PREFIX "%s/%s", pool, id);
	return out;
}

bool member_read(const char *name, const char *text, int64_t revision, struct member *out)
{
	const char *pool = name + strlen(MEMBER_PREFIX), *id;
	struct member m = { 0 };

	if (strncmp(name, MEMBER_PREFIX, strlen(MEMBER_PREFIX)) != 0)
		return false;
	id = strchr(pool, '/');
	if (!id || (size_t)(id - pool) >= sizeof(m.pool) || strlen(id + 1) >= sizeof(m.id) ||
	    strlen(text) > MEMBER_RECORD_MAX ||
	    record_from_text(&member_record, text, &m, NULL) != 0)
		return false;
	snprintf(m.pool, sizeof(m.pool), "%.*s", (int)(id - pool), pool);
	snprintf(m.id, sizeof(m.id), "%s", id + 1);
	m.revision = revision;
	if (!model_name_ok(m.pool) || !model_name_ok(m.id))
		return false;
	*out = m;
	return true;
}

int64_t member_instant_ms(int64_t now_ms, int64_t ahead_ms)
{
	int64_t at_ms = now_ms + ahead_ms + MEMBER_GRID_MS - 1;

	return at_ms - at_ms % MEMBER_GRID_MS;
}

int64_t member_gone_ms(const struct member *m)
{
	return m->left_ms ? m->gone_ms : MODEL_TIME_NEVER;
}

/* Of what was before the instants that are known, the first one of these tells. */
int64_t member_weight_at(const struct member *m, int64_t at_ms)
{
	int64_t weight = m->weights[0];

	if (at_ms < m->since_ms || at_ms >= member_gone_ms(m))
		return -1;
	for (uint32_t i = 0; i < m->n_from && m->from_ms[i] <= at_ms; i++)
		weight = m->weights[i];
	return m->left_ms && at_ms >= m->left_ms ? 0 : weight;
}

uint32_t member_weight(const struct member *m)
{
	return m->left_ms ? 0 : m->weights[m->n_weights - 1];
}

/* With too many instants the oldest goes: the next one then tells of what was before, too (member_weight_at()). */
void member_set_weight(struct member *m, uint32_t weight, int64_t at_ms)
{
	/* clocks differ: what was written last holds */
	while (m->n_from && m->from_ms[m->n_from - 1] >= at_ms)
		m->n_from--;
	if (m->n_from == MEMBER_INSTANTS_MAX) {
		memmove(m->from_ms, m->from_ms + 1,
		        (MEMBER_INSTANTS_MAX - 1) * sizeof(*m->from_ms));
		memmove(m->weights, m->weights + 1,
		        (MEMBER_INSTANTS_MAX - 1) * sizeof(*m->weights));
		m->n_from--;
	}
	m->from_ms[m->n_from] = at_ms;
	m->weights[m->n_from++] = weight;
	m->n_weights = m->n_from;
	if (m->since_ms > m->from_ms[0])
		m->since_ms = m->from_ms[0];
}

void member_leave(struct member *m, int64_t at_ms, uint32_t settle_ms)
{
	m->left_ms = at_ms;
	m->gone_ms = at_ms + settle_ms;
}

void member_stay(struct member *m, uint32_t weight, int64_t at_ms)
{
	if (m->left_ms && m->left_ms < at_ms)
		member_set_weight(m, 0, m->left_ms); /* so it was meanwhile */
	m->left_ms = m->gone_ms = 0;
	member_set_weight(m, weight, at_ms);
}

static int64_t instant_now(int64_t at_ms, int64_t after_ms, int64_t until_ms, int64_t now_ms)
{
	return at_ms > after_ms && at_ms <= until_ms ? now_ms : at_ms;
}

/* Of what begins at one instant then, the last holds. */
void member_begin_now(struct member *m, int64_t after_ms, int64_t until_ms, int64_t now_ms)
{
	const struct member was = *m;
	uint32_t n = 0;

	m->since_ms = instant_now(m->since_ms, after_ms, until_ms, now_ms);
	m->left_ms = instant_now(m->left_ms, after_ms, until_ms, now_ms);
	m->gone_ms += m->left_ms - was.left_ms; /* as long after it */
	for (uint32_t i = 0; i < was.n_from; i++) {
		int64_t at_ms = instant_now(was.from_ms[i], after_ms, until_ms, now_ms);

		while (n && m->from_ms[n - 1] >= at_ms)
			n--;
		m->from_ms[n] = at_ms;
		m->weights[n++] = was.weights[i];
	}
	m->n_from = m->n_weights = n;
}

/* Who waits for its turn asks with an earlier time than now, which may be before the last word. */
bool member_is_expired(const struct member *m, uint64_t now_ms)
{
	return m->ttl_s && now_ms > m->heard_ms &&
	       now_ms - m->heard_ms > (uint64_t)m->ttl_s * 1000 + MEMBER_GRACE_MS;
}

static bool is_in_prefixes(const struct model_pool *pool, const struct addr *address)
{
	for (size_t i = 0; i < pool->n_prefixes; i++)
		if (prefix_has(&pool->prefixes[i], address))
			return true;
	return false;
}

/* Whether a version has a backend of that name. Where versions are lost, a document stands for one, with members of its own. */
static bool has_own(const struct model_pool *pool, const char *id)
{
	const struct model_backend *b = model_backend(pool, id);

	return b && !b->registered;
}

enum member_fit member_fits(const struct model_pool *pool, const char *id,
                            const struct addr *address, const struct model_backend **other)
{
	if (!pool->n_prefixes)
		return MEMBER_NO_REGISTRATION;
	if (!is_in_prefixes(pool, address) || !addr_is_host(address))
		return MEMBER_OUTSIDE;
	if (has_own(pool, id))
		return MEMBER_NAME_IN_USE;
	for (size_t i = 0; i < pool->n_backends; i++)
		if (!pool->backends[i].registered &&
		    addr_equal(&pool->backends[i].address, address)) {
			if (other)
				*other = &pool->backends[i];
			return MEMBER_ADDRESS_IN_USE;
		}
	return MEMBER_FITS;
}

/* --- all members --- */

struct member_key {
	const char *pool, *id;
};

static int compare_key(const void *key, const void *item)
{
	const struct member_key *k = key;
	const struct member *m = *(const struct member *const *)item;
	int order = strcmp(k->pool, m->pool);

	return order ? order : strcmp(k->id, m->id);
}

static size_t find_index(const struct member_list *all, const char *pool, const char *id,
                         bool *found)
{
	const struct member_key key = { pool, id };

	return sorted_index(&key, all->items, all->n, sizeof(struct member *), compare_key, found);
}

const struct member *members_find(const struct member_list *all, const char *pool, const char *id)
{
	bool found;
	size_t at = find_index(all, pool, id, &found);

	return found ? all->items[at] : NULL;
}

size_t members_of(const struct member_list *all, const char *pool, size_t *first)
{
	size_t n = 0;

	*first = find_index(all, pool, "", NULL);
	while (*first + n < all->n && !strcmp(all->items[*first + n]->pool, pool))
		n++;
	return n;
}

static int reserve_one(struct member_list *all)
{
	size_t room = all->room ? 2 * all->room : ROOM_LEAST;

	if (all->n < all->room)
		return 0;
	struct member **items = realloc(all->items, room * sizeof(struct member *));

	if (!items)
		return -ENOMEM;
	all->items = items;
	all->room = room;
	return 0;
}

uint64_t member_key(const char *pool, const char *id)
{
	char text[2 * MODEL_NAME_MAX];

	snprintf(text, sizeof(text), "%s/%s", pool, id);
	return hash_text(text) & (((uint64_t)1 << 48) - 1);
}

/* The array has pointers: an insert into ten thousand moves these, not the members. */
int members_put(struct member_list *all, const struct member *m)
{
	bool found;
	size_t at = find_index(all, m->pool, m->id, &found);

	if (found) {
		*all->items[at] = *m;
		all->items[at]->key = member_key(m->pool, m->id);
		return 0;
	}
	if (all->n >= MEMBERS_KNOWN_MAX)
		return -ENOSPC;
	struct member *own = malloc(sizeof(*own));

	if (!own || reserve_one(all)) {
		free(own);
		return -ENOMEM;
	}
	*own = *m;
	own->key = member_key(m->pool, m->id);
	memmove(all->items + at + 1, all->items + at, (all->n - at) * sizeof(struct member *));
	all->items[at] = own;
	all->n++;
	return 0;
}

void members_remove(struct member_list *all, const char *pool, const char *id)
{
	bool found;
	size_t at = find_index(all, pool, id, &found);

	if (!found)
		return;
	free(all->items[at]);
	all->n--;
	memmove(all->items + at, all->items + at + 1, (all->n - at) * sizeof(struct member *));
}

void members_fini(struct member_list *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->items[i]);
	free(all->items);
	*all = (struct member_list){ 0 };
}

/* --- a pool with its members --- */

/* A member that may become a backend. */
struct member_candidate {
	const struct member *m;
	uint64_t id;
	bool is_leaving, is_gone, is_out;
};

static int by_age(const struct member_candidate *x, const struct member_candidate *y)
{
	if (x->m->since_ms != y->m->since_ms)
		return x->m->since_ms < y->m->since_ms ? -1 : 1;
	return strcmp(x->m->id, y->m->id);
}

/* Nobody is left out for one that leaves. The instant counts, not the word: so all nodes change at one moment. */
static int by_claim(const struct member_candidate *x, const struct member_candidate *y)
{
	if (x->is_leaving != y->is_leaving)
		return x->is_leaving ? 1 : -1;
	return by_age(x, y);
}

/* Of several with one address the first one counts: the others are left out. */
static int by_identity(const void *a, const void *b)
{
	const struct member_candidate *x = *(struct member_candidate *const *)a,
	                              *y = *(struct member_candidate *const *)b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->is_gone != y->is_gone)
		return x->is_gone ? 1 : -1;
	return by_claim(x, y);
}

static int by_arrival(const void *a, const void *b)
{
	return by_claim(*(struct member_candidate *const *)a, *(struct member_candidate *const *)b);
}

static int compare_ids(const void *a, const void *b)
{
	return sorted_by_u64(a, b);
}

/* Those that the pool's own backends leave room for. @return how many; SIZE_MAX when out of memory */
static size_t list_candidates(const struct model_pool *pool, const struct member_list *all,
                              int64_t now_ms, struct arena *arena, struct member_candidate *out)
{
	uint64_t *ids = ARENA_ARRAY(arena, uint64_t, pool->n_backends + 1);
	size_t first, n = 0, n_ids = 0, n_all = members_of(all, pool->name, &first);

	if (!ids)
		return SIZE_MAX;
	for (size_t i = 0; i < pool->n_backends; i++)
		if (!pool->backends[i].registered)
			ids[n_ids++] = pool->backends[i].id;
	qsort(ids, n_ids, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n_all; i++) {
		const struct member *m = all->items[first + i];
		const struct member_candidate c = {
			.m = m,
			.id = model_backend_id(&m->address.addr, 0),
			.is_leaving = m->left_ms && now_ms >= m->left_ms,
			.is_gone = now_ms >= member_gone_ms(m),
		};

		if (is_in_prefixes(pool, &m->address.addr) && !has_own(pool, m->id) &&
		    !bsearch(&c.id, ids, n_ids, sizeof(*ids), compare_ids))
			out[n++] = c;
	}
	return n;
}

/* Leave out who has another one's address, and who came last of too many. */
static void leave_out(const struct model_pool *pool, struct member_candidate **list, size_t n)
{
	size_t room =
	        pool->max_backends > pool->n_backends ? pool->max_backends - pool->n_backends : 0;

	qsort(list, n, sizeof(*list), by_identity);
	for (size_t i = 1; i < n; i++)
		list[i]->is_out = list[i]->id == list[i - 1]->id;
	qsort(list, n, sizeof(*list), by_arrival);
	for (size_t i = 0; i < n; i++) {
		if (list[i]->is_out || list[i]->is_gone)
			continue;
		list[i]->is_out = room == 0;
		room -= room > 0;
	}
}

static struct model_backend make_backend(const struct member_candidate *c)
{
	return (struct model_backend){ .name = c->m->id,
		                       .id = c->id,
		                       .address = c->m->address.addr,
		                       .weight = member_weight(c->m),
		                       .registered = true };
}

/* Both are sorted by name. */
static void merge_backends(const struct model_pool *pool, const struct member_candidate *list,
                           size_t n, struct model_backend *backends, struct member_pool *out)
{
	size_t i = 0, k = 0, at = 0;

	while (i < pool->n_backends || k < n) {
		int order = k == n                  ? -1
		            : i == pool->n_backends ? 1
		                                    : strcmp(pool->backends[i].name, list[k].m->id);
		bool is_own = order < 0;

		if (!is_own && list[k].is_out) {
			k++;
			continue;
		}
		i += order == 0; /* of a document: what is known of the member is newer */
		out->of[at] = is_own ? NULL : list[k].m;
		backends[at++] = is_own ? pool->backends[i++] : make_backend(&list[k++]);
	}
	out->pool.backends = backends;
	out->pool.n_backends = at;
}

int member_pool_make(const struct model_pool *pool, const struct member_list *all, int64_t now_ms,
                     struct arena *arena, struct member_pool *out)
{
	size_t first, n = all && pool->n_prefixes ? members_of(all, pool->name, &first) : 0;

	*out = (struct member_pool){ .pool = *pool };
	if (!n)
		return 0;
	struct member_candidate *list = ARENA_ARRAY(arena, struct member_candidate, n + 1);
	struct member_candidate **order = ARENA_ARRAY(arena, struct member_candidate *, n + 1);
	struct model_backend *backends =
	        ARENA_ARRAY(arena, struct model_backend, pool->n_backends + n + 1);

	out->of = ARENA_ARRAY(arena, const struct member *, pool->n_backends + n + 1);
	if (!list || !order || !backends || !out->of)
		return -ENOMEM;
	n = list_candidates(pool, all, now_ms, arena, list);
	if (n == SIZE_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = &list[i];
	leave_out(pool, order, n);
	merge_backends(pool, list, n, backends, out);
	return 0;
}
