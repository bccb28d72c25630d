/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Elements are compared and stored in halves of a 32-bit word where others write a part of them, so
 * that what others write is never touched: a mask says for each 16-bit part of an element whether it
 * is ours. Elements without such parts, which are most, are compared by memcmp() and stored in words
 * of 64 bits.
 */
#include "dataplane/tables/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/layout.h"

/* Bytes of an element that others write: from `from` up to `to`. */
struct others_part {
	uint16_t from, to;
};

#define OTHERS(type, first, last)                                                                  \
	{                                                                                          \
		offsetof(type, first), offsetof(type, last) + sizeof(((type *)0)->last)            \
	}

static const struct others_part others_in_root[] = {
	OTHERS(struct fwd_root, sample_wide, sample_wide),
	OTHERS(struct fwd_root, tick_base, tick_scale),
	{ 0, 0 },
};
static const struct others_part others_in_backend[] = {
	OTHERS(struct fwd_backend, learned_mtu, learned_mtu),
	{ 0, 0 },
};
static const struct others_part no_others[] = { { 0, 0 } };

static bool has_shadow(enum fwd_table table)
{
	return table == FWD_TABLE_ROOT || table == FWD_TABLE_services || table == FWD_TABLE_pools ||
	       table == FWD_TABLE_backends || table == FWD_TABLE_destinations ||
	       table == FWD_TABLE_macs || table == FWD_TABLE_drills;
}

static const struct others_part *others_of(enum fwd_table table)
{
	if (table == FWD_TABLE_ROOT)
		return others_in_root;
	return table == FWD_TABLE_backends ? others_in_backend : no_others;
}

static bool is_others(const struct others_part *parts, size_t off)
{
	for (; parts->to; parts++)
		if (off >= parts->from && off < parts->to)
			return true;
	return false;
}

static struct layout_table list_one(const struct fwd_tables *t, enum fwd_table table)
{
	struct layout_table all[FWD_TABLE_COUNT];

	layout_list(t, all);
	return all[table];
}

/* Where element @p i of the shadow is in the tables. */
static uint8_t *element_in_tables(const struct shadow *w, const struct layout_table *table,
                                  enum fwd_table which, uint32_t i)
{
	uint32_t first =
	        which == FWD_TABLE_services ? (w->t.root->active & 1) * w->t.n_services : 0;

	return (uint8_t *)table->memory + (size_t)(first + i) * table->element_bytes;
}

static bool is_same(const struct others_part *others, const uint8_t *a, const uint8_t *b,
                    size_t bytes)
{
	if (!others->to)
		return !memcmp(a, b, bytes);
	for (size_t off = 0; off < bytes; off += sizeof(uint16_t))
		if (!is_others(others, off) && memcmp(a + off, b + off, sizeof(uint16_t)))
			return false;
	return true;
}

static bool has_others(const struct others_part *others, size_t off, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += sizeof(uint16_t))
		if (is_others(others, off + i))
			return true;
	return false;
}

/* Store one word that others write a part of. */
static void store_parts(const struct others_part *others, uint8_t *to, const uint8_t *from,
                        size_t off)
{
	for (size_t end = off + sizeof(uint64_t); off < end; off += sizeof(uint16_t)) {
		uint16_t part;

		memcpy(&part, from + off, sizeof(part));
		if (!is_others(others, off))
			__atomic_store_n((uint16_t *)(void *)(to + off), part, __ATOMIC_RELEASE);
	}
}

/* Each word whole, and the first one last; packets read meanwhile. */
static void store_element(const struct others_part *others, uint8_t *to, const uint8_t *from,
                          size_t bytes)
{
	for (size_t off = bytes; off > 0;) {
		uint64_t *at, word;

		off -= sizeof(word);
		at = (uint64_t *)(void *)(to + off);
		memcpy(&word, from + off, sizeof(word));
		if (has_others(others, off, sizeof(word)))
			store_parts(others, to, from, off);
		else if (__atomic_load_n(at, __ATOMIC_RELAXED) != word)
			__atomic_store_n(at, word, __ATOMIC_RELEASE);
	}
}

static int allocate_tables(const struct fwd_tables *t, struct shadow *w)
{
	struct layout_table all[FWD_TABLE_COUNT];
	bool is_whole = true;

	layout_list(t, all);
	for (int i = 0; i < FWD_TABLE_COUNT; i++) {
		if (!has_shadow((enum fwd_table)i))
			all[i].elements = 0;
		if (i == FWD_TABLE_services)
			all[i].elements /= 2;
		all[i].memory =
		        all[i].elements ? calloc(all[i].elements, all[i].element_bytes) : NULL;
		is_whole &= all[i].memory || !all[i].elements;
	}
	*w = (struct shadow){ 0 };
	layout_set(&w->t, all);
	return is_whole ? 0 : -ENOMEM;
}

/* Copy what both have of @p table. */
static void copy_elements(const struct shadow *w, enum fwd_table which, const struct fwd_tables *t)
{
	struct layout_table to = list_one(&w->t, which), from = list_one(t, which);
	size_t n = to.elements < from.elements ? to.elements : from.elements;

	if (n)
		memcpy(to.memory, element_in_tables(w, &from, which, 0), n * to.element_bytes);
}

/* What others write is not in the shadow. */
static void forget_learned_mtus(const struct shadow *w)
{
	for (uint32_t i = 0; i < w->t.n_backends; i++)
		w->t.backends[i].learned_mtu = 0;
}

int shadow_new(const struct fwd_tables *t, struct shadow *out)
{
	struct shadow w;
	int err = allocate_tables(t, &w);

	if (err) {
		shadow_free(&w);
		return err;
	}
	for (int i = 0; i < FWD_TABLE_COUNT; i++) /* root comes first: it names the half in force */
		copy_elements(&w, (enum fwd_table)i, t);
	forget_learned_mtus(&w);
	*out = w;
	return 0;
}

int shadow_grow(const struct shadow *old, const struct fwd_tables *next, struct shadow *out)
{
	static const enum fwd_table kept[] = { FWD_TABLE_pools, FWD_TABLE_backends, FWD_TABLE_macs,
		                               FWD_TABLE_drills };
	struct shadow w;
	int err = allocate_tables(next, &w);

	if (err) {
		shadow_free(&w);
		return err;
	}
	w.on_damaged = old->on_damaged;
	w.arg = old->arg;
	w.n_damaged = old->n_damaged;
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		copy_elements(&w, (enum fwd_table)i, next);
	memcpy(w.t.root->macs, old->t.root->macs, sizeof(w.t.root->macs));
	shadow_store(&w, next, FWD_TABLE_ROOT, 0, 1);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		copy_elements(&w, kept[i], &old->t);
		shadow_store(&w, next, kept[i], 0, shadow_elements(&w, kept[i]));
	}
	*out = w;
	return 0;
}

void shadow_free(struct shadow *w)
{
	struct layout_table all[FWD_TABLE_COUNT];

	layout_list(&w->t, all);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		free(all[i].memory);
	*w = (struct shadow){ 0 };
}

uint32_t shadow_elements(const struct shadow *w, enum fwd_table table)
{
	if (table == FWD_TABLE_ROOT)
		return w->t.root ? 1 : 0;
	return (uint32_t)list_one(&w->t, table).elements;
}

size_t shadow_element_bytes(enum fwd_table table)
{
	const struct fwd_tables none = { 0 };

	return list_one(&none, table).element_bytes;
}

static void report_damage(struct shadow *w, enum fwd_table table, uint32_t i)
{
	w->n_damaged++;
	if (w->on_damaged)
		w->on_damaged(w->arg, table, i);
}

void shadow_put(struct shadow *w, const struct fwd_tables *t, enum fwd_table table, uint32_t i,
                const void *element)
{
	struct layout_table own = list_one(&w->t, table), theirs = list_one(t, table);
	const struct others_part *others = others_of(table);
	uint8_t *to = element_in_tables(w, &theirs, table, i);
	uint8_t *shadow = (uint8_t *)own.memory + i * own.element_bytes;

	if (!is_same(others, to, shadow, own.element_bytes))
		report_damage(w, table, i);
	memcpy(shadow, element, own.element_bytes);
	store_element(others, to, shadow, own.element_bytes);
}

void shadow_store(const struct shadow *w, const struct fwd_tables *t, enum fwd_table table,
                  uint32_t from, uint32_t n)
{
	struct layout_table own = list_one(&w->t, table), theirs = list_one(t, table);

	for (uint32_t i = from; i < from + n; i++)
		store_element(others_of(table), element_in_tables(w, &theirs, table, i),
		              (const uint8_t *)own.memory + i * own.element_bytes,
		              own.element_bytes);
}

/* Most parts are whole: one comparison says so where nobody else writes. */
uint32_t shadow_check(struct shadow *w, const struct fwd_tables *t, enum fwd_table table,
                      uint32_t from, uint32_t n)
{
	struct layout_table own = list_one(&w->t, table), theirs = list_one(t, table);
	const struct others_part *others = others_of(table);
	size_t bytes = own.element_bytes;
	const uint8_t *shadow = (const uint8_t *)own.memory + from * bytes;
	uint32_t n_damaged = 0;

	if (!n ||
	    (!others->to && !memcmp(shadow, element_in_tables(w, &theirs, table, from), n * bytes)))
		return 0;
	for (uint32_t i = from; i < from + n; i++, shadow += bytes) {
		uint8_t *to = element_in_tables(w, &theirs, table, i);

		if (is_same(others, to, shadow, bytes))
			continue;
		report_damage(w, table, i);
		store_element(others, to, shadow, bytes);
		n_damaged++;
	}
	return n_damaged;
}
