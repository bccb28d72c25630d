/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carry_begin() keeps a copy of what packets may change. carry_follow() and carry_end() compare the
 * old tables with that copy and bring over only words that differ, by compare-and-swap against the
 * copy's value, so a word that a packet has written in the new tables in the meantime stays.
 * Counters are added up instead: both tables counted real packets.
 *
 * Each table needs a decision how it is carried: one without a how_NAME below does not
 * compile.
 */
#include "weir/carry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/layout.h"

struct carry {
	struct fwd_exceptions *exceptions; /* as they were last brought over */
	struct owner_cold *colds;
};

void carry_sizes(const struct fwd_tables *t, struct driver_sizes *out)
{
	*out = (struct driver_sizes){
		.services = t->n_services / 2,
		.service_counts = t->root->n_service_counts,
		.pools = t->n_pools,
		.backends = t->n_backends,
		.slots = t->n_slots * FWD_SLOTS_PER_BLOCK,
		.exception_buckets = t->n_exceptions,
	};
}

/* What carry_begin() does with a table. */
enum carry_how {
	CARRY_WHOLE,      /* copies it; it is never smaller in the new tables */
	CARRY_EQUAL_SIZE, /* copies it if both have the same size, by which elements are found */
	CARRY_APART,      /* has lines of its own for it */
	CARRY_COMPILED,   /* nothing: the compiler writes it from the document */
	CARRY_COUNTED,    /* nothing: carry_end() adds it up */
};

static const enum carry_how how_services = CARRY_APART, how_pools = CARRY_WHOLE,
                            how_slots = CARRY_WHOLE, how_colds = CARRY_APART,
                            how_backends = CARRY_WHOLE, how_exceptions = CARRY_APART,
                            how_cpus = CARRY_COUNTED, how_service_counts = CARRY_COUNTED,
                            how_backend_counts = CARRY_COUNTED, how_fragments = CARRY_EQUAL_SIZE,
                            how_destinations = CARRY_COMPILED, how_macs = CARRY_EQUAL_SIZE,
                            how_samples = CARRY_EQUAL_SIZE, how_sample_counts = CARRY_COUNTED,
                            how_service_news = CARRY_COUNTED, how_backend_news = CARRY_COUNTED,
                            how_drills = CARRY_WHOLE, how_drill_counts = CARRY_COUNTED;

static void *duplicate_array(const void *from, size_t n, size_t size)
{
	void *p = malloc(n * size);

	if (p)
		memcpy(p, from, n * size);
	return p;
}

/*
 * The services with their index, so that each one keeps its counters; at other sizes the document
 * writes them again.
 */
static void copy_services(const struct fwd_tables *f, struct fwd_tables *t)
{
	if (t->n_services != f->n_services || t->root->n_services != f->root->n_services)
		return;
	memcpy(t->services, f->services, f->n_services * sizeof(*f->services));
	memcpy(t->root->service_seed, f->root->service_seed, sizeof(f->root->service_seed));
	memcpy(t->root->vip_filter, f->root->vip_filter, sizeof(f->root->vip_filter));
	t->root->active = f->root->active;
}

static void copy_table(enum carry_how how, const struct layout_table *from, struct layout_table *to)
{
	bool fits =
	        how == CARRY_WHOLE || (how == CARRY_EQUAL_SIZE && from->elements == to->elements);

	if (fits && from->memory)
		memcpy(to->memory, from->memory, layout_bytes(from));
}

static void copy_tables(const struct fwd_tables *f, struct fwd_tables *t)
{
	struct layout_table from[FWD_TABLE_COUNT], to[FWD_TABLE_COUNT];

	layout_list(f, from);
	layout_list(t, to);
#define COPY_TABLE(name, element, count)                                                           \
	copy_table(how_##name, &from[FWD_TABLE_##name], &to[FWD_TABLE_##name]);
	FWD_TABLES(COPY_TABLE)
#undef COPY_TABLE
}

int carry_begin(const struct fwd_tables *f, struct fwd_tables *t, struct carry **out)
{
	struct carry *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->exceptions = duplicate_array(f->exceptions, f->n_exceptions, sizeof(*f->exceptions));
	c->colds = duplicate_array(f->colds, f->n_colds, sizeof(*f->colds));
	if (!c->exceptions || !c->colds) {
		carry_free(c);
		return -ENOMEM;
	}
	copy_tables(f, t);
	memcpy(t->colds, c->colds, f->n_colds * sizeof(*f->colds));
	for (uint32_t i = 0; i < t->n_exceptions; i++)
		t->exceptions[i] = c->exceptions[i & (f->n_exceptions - 1)];
	memcpy(t->root->macs, f->root->macs, sizeof(f->root->macs));
	memcpy(t->root->hash_key, f->root->hash_key, sizeof(f->root->hash_key));
	t->root->sample_wide = f->root->sample_wide;
	t->root->source4 = f->root->source4;
	t->root->source6 = f->root->source6;
	copy_services(f, t);
	*out = c;
	return 0;
}

static bool swap_word(uint64_t *at, uint64_t old, uint64_t word)
{
	return __atomic_compare_exchange_n(at, &old, word, false, __ATOMIC_RELAXED,
	                                   __ATOMIC_RELAXED);
}

/* Put @p word into the first way that holds @p old. @return whether one did */
static bool swap_anywhere(struct fwd_exceptions *bucket, uint64_t old, uint64_t word)
{
	for (uint32_t i = 0; i < OWNER_WAYS; i++)
		if (swap_word(&bucket->word[i], old, word))
			return true;
	return false;
}

/*
 * Put @p word in the place of @p old, which is in @p way or, if that was taken, in another; else
 * into a free way. A full bucket loses it.
 */
static void put_exception(struct fwd_exceptions *bucket, uint32_t way, uint64_t old, uint64_t word)
{
	if (!swap_word(&bucket->word[way], old, word) && !swap_anywhere(bucket, old, word) && word)
		(void)swap_anywhere(bucket, 0, word);
}

void carry_follow(struct carry *c, const struct fwd_tables *f, struct fwd_tables *t)
{
	for (uint32_t i = 0; i < f->n_exceptions; i++)
		for (uint32_t way = 0; way < OWNER_WAYS; way++) {
			uint64_t old = c->exceptions[i].word[way];
			uint64_t word = OWNER_LOAD(uint64_t, &f->exceptions[i].word[way]);

			if (word == old)
				continue;
			for (uint32_t k = i; k < t->n_exceptions; k += f->n_exceptions)
				put_exception(&t->exceptions[k], way, old, word);
			c->exceptions[i].word[way] = word;
		}
}

static void end_colds(const struct carry *c, const struct fwd_tables *f, struct fwd_tables *t)
{
	size_t words = sizeof(struct owner_cold) / sizeof(uint32_t) * f->n_colds;
	const uint32_t *from = (const void *)f->colds, *old = (const void *)c->colds;
	uint32_t *to = (void *)t->colds;

	for (size_t i = 0; i < words; i++) {
		uint32_t was = old[i], now = OWNER_LOAD(uint32_t, &from[i]);

		if (now != was)
			__atomic_compare_exchange_n(&to[i], &was, now, false, __ATOMIC_RELAXED,
			                            __ATOMIC_RELAXED);
	}
}

/* Sum rows of @p row words each into the last row of @p to, whose rows are @p to_row long. */
static void sum_rows(uint64_t *to, size_t to_row, uint32_t to_rows, const uint64_t *from,
                     size_t row, uint32_t rows)
{
	uint64_t *last = to + to_row * (to_rows - 1);

	for (uint32_t r = 0; r < rows; r++)
		for (size_t i = 0; i < row; i++)
			last[i] += OWNER_LOAD(uint64_t, &from[r * row + i]);
}

static void sum_counters(const struct fwd_tables *f, struct fwd_tables *t)
{
	size_t row = sizeof(struct fwd_cpu) / sizeof(uint64_t);
	size_t services = t->root->n_service_counts, backends = t->root->n_backends;
	size_t old_services = f->root->n_service_counts, old_backends = f->root->n_backends;

	sum_rows((void *)t->cpus, row, t->n_cpus, (const void *)f->cpus, row, f->n_cpus);
#define SUM_ROWS(name, elements, old_elements)                                                     \
	sum_rows((void *)t->name, sizeof(*t->name) / sizeof(uint64_t) * (elements), t->n_cpus,     \
	         (const void *)f->name, sizeof(*f->name) / sizeof(uint64_t) * (old_elements),      \
	         f->n_cpus);
	SUM_ROWS(service_counts, services, old_services)
	SUM_ROWS(backend_counts, backends, old_backends)
	SUM_ROWS(sample_counts, services, old_services)
	SUM_ROWS(service_news, services, old_services)
	SUM_ROWS(backend_news, backends, old_backends)
	SUM_ROWS(drill_counts, (size_t)FWD_DRILLS_MAX, (size_t)FWD_DRILLS_MAX)
#undef SUM_ROWS
}

void carry_end(struct carry *c, const struct fwd_tables *f, struct fwd_tables *t)
{
	carry_follow(c, f, t);
	end_colds(c, f, t);
	sum_counters(f, t);
}

void carry_free(struct carry *c)
{
	if (!c)
		return;
	free(c->exceptions);
	free(c->colds);
	free(c);
}
