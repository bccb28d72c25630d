/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of a slot's earlier owners, in pools with agents (owners.h).
 *
 * Packets read a list by one load, some nanoseconds before or after they read the hot word. So
 * the owner that a slot leaves is named before the hot word changes, the one it is given to is
 * dropped from the list afterwards, and for that moment there is room for one more than a
 * packet names. What a packet finds twice it names once.
 */
#include "dataplane/owners_parts.h"

static uint16_t unit_of(uint32_t at_s)
{
	return (uint16_t)(at_s / OWNER_LIST_UNIT_S);
}

static void store_list(struct owner_list *list, const struct owner_list *made)
{
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		list->end[i] = made->end[i];
	__atomic_store_n(&list->earlier, made->earlier, __ATOMIC_RELEASE);
}

/* Those of @p list that are to stay: not @p out, not the dead, at most @p most. */
static struct owner_list kept(const struct owners *o, const struct owner_list *list, uint16_t out,
                              uint32_t most)
{
	struct owner_list made = { 0 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX && n < most; i++) {
		uint32_t backend = owner_list_at(list->earlier, i);

		if (backend == 0 || backend == out || o->dead[backend])
			continue;
		made.end[n] = list->end[i];
		made.earlier = owner_list_with(made.earlier, n++, backend);
	}
	return made;
}

bool owners_list_has_room(const struct owners *o, uint32_t s, uint16_t to, uint32_t now_s)
{
	struct owner_list left;

	if (!owners_looks(o, s))
		return true;
	left = kept(o, &owners_cold(o, s)->list, to, OWNER_LIST_MAX);
	return owner_list_n(left.earlier) < SECOND_OWNERS_MAX ||
	       owner_list_is_over(left.end[SECOND_OWNERS_MAX - 1], now_s);
}

void owners_list_push(struct owners *o, uint32_t s, uint16_t from, uint32_t end_s, uint32_t now_s)
{
	struct owner_list *list = &owners_cold(o, s)->list;
	struct owner_list old = kept(o, list, from, OWNER_LIST_MAX), made = { .earlier = from };

	if ((int32_t)(end_s - now_s) > (int32_t)OWNERS_LIST_MAX_S)
		end_s = now_s + OWNERS_LIST_MAX_S;
	made.end[0] = unit_of(end_s);
	for (uint32_t i = 0; i + 1 < OWNER_LIST_MAX; i++) {
		made.earlier = owner_list_with(made.earlier, i + 1, owner_list_at(old.earlier, i));
		made.end[i + 1] = old.end[i];
	}
	store_list(list, &made);
}

void owners_list_trim(struct owners *o, uint32_t s, uint16_t to)
{
	struct owner_list *list = &owners_cold(o, s)->list;
	struct owner_list made = kept(o, list, to, SECOND_OWNERS_MAX);

	store_list(list, &made);
}

void owners_list_bury(struct owners *o, uint32_t s)
{
	owners_list_trim(o, s, owners_current(o, s));
}

void owners_list_age(struct owners *o, uint32_t s, uint32_t now_s)
{
	struct owner_list *list = &owners_cold(o, s)->list;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		if (owner_list_at(list->earlier, i) != 0 && owner_list_is_over(list->end[i], now_s))
			list->end[i] = (uint16_t)(unit_of(now_s) - 1);
}

bool owners_list_names(const struct owners *o, uint32_t s, uint16_t backend)
{
	uint64_t word = owners_cold(o, s)->list.earlier;

	for (uint32_t i = 0; owners_looks(o, s) && i < OWNER_LIST_MAX; i++)
		if (owner_list_at(word, i) == backend)
			return true;
	return false;
}
