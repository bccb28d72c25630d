/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From tables of one size to larger ones, while packets use both.
 *
 * Packets change counters, exceptions and the times in cold slots.  What they change in the
 * old tables between the first copy and the switch of the program is brought over afterwards,
 * unless the new program has written the word.  Counters are summed into the last row, which
 * is no CPU's: a row is written by one only, so the sum over rows stays exact.
 *
 * An exception's set is chosen by low bits of its hash that the entry does not repeat, so
 * with k times as many sets an entry goes to all k where its flow may now be looked for. The
 * copies that nobody looks for end by idle time.
 */
#include "bpf/xdp_inside.h"

#include <stdlib.h>
#include <string.h>

struct xdp_seen {
	struct fwd_exceptions *exceptions;
	struct owner_cold *colds;
};

static void *copy_of(const void *from, size_t n, size_t size)
{
	void *p = malloc(n * size);

	if (p)
		memcpy(p, from, n * size);
	return p;
}

struct xdp_seen *xdp_seen_take(const struct xdp_set *s)
{
	const struct fwd_tables *t = &s->tables;
	struct xdp_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return NULL;
	seen->exceptions = copy_of(t->exceptions, t->n_exceptions, sizeof(*t->exceptions));
	seen->colds = copy_of(t->colds, t->n_colds, sizeof(*t->colds));
	if (!seen->exceptions || !seen->colds) {
		xdp_seen_free(seen);
		return NULL;
	}
	return seen;
}

void xdp_seen_free(struct xdp_seen *seen)
{
	if (!seen)
		return;
	free(seen->exceptions);
	free(seen->colds);
	free(seen);
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

static void sum_counters(const struct xdp_set *from, struct xdp_set *to)
{
	const struct fwd_tables *f = &from->tables;
	struct fwd_tables *t = &to->tables;
	size_t row = sizeof(struct fwd_cpu) / sizeof(uint64_t);

	sum_rows(&t->cpus->received, row, t->n_cpus, &f->cpus->received, row, f->n_cpus);
	sum_rows(&t->service_counts->packets, 2 * (size_t)to->sizes.service_counts, t->n_cpus,
	         &f->service_counts->packets, 2 * (size_t)from->sizes.service_counts, f->n_cpus);
	sum_rows(&t->backend_counts->packets, 2 * (size_t)to->sizes.backends, t->n_cpus,
	         &f->backend_counts->packets, 2 * (size_t)from->sizes.backends, f->n_cpus);
}

void xdp_set_copy(const struct xdp_set *from, struct xdp_set *to)
{
	const struct fwd_tables *f = &from->tables;
	struct fwd_tables *t = &to->tables;

	memcpy(t->pools, f->pools, f->n_pools * sizeof(*f->pools));
	memcpy(t->slots, f->slots, f->n_slots * sizeof(*f->slots));
	memcpy(t->colds, f->colds, f->n_colds * sizeof(*f->colds));
	memcpy(t->backends, f->backends, f->n_backends * sizeof(*f->backends));
	for (uint32_t i = 0; i < t->n_exceptions; i++)
		t->exceptions[i] = f->exceptions[i & (f->n_exceptions - 1)];
	memcpy(t->fragments, f->fragments, f->n_fragments * sizeof(*f->fragments));
	t->root->tick_base = f->root->tick_base;
	t->root->tick_scale = f->root->tick_scale;
	memcpy(t->root->hash_key, f->root->hash_key, sizeof(f->root->hash_key));
	t->root->source4 = f->root->source4;
	t->root->source6 = f->root->source6;
}

/* Put @p word where @p old stood, or into a free place; a full set loses it. */
static void put_exception(struct fwd_exceptions *set, uint32_t way, uint64_t old, uint64_t word)
{
	uint64_t free_word = 0;

	if (__atomic_compare_exchange_n(&set->word[way], &old, word, false, __ATOMIC_RELAXED,
	                                __ATOMIC_RELAXED))
		return;
	for (uint32_t i = 0; i < OWNER_WAYS && word; i++, free_word = 0)
		if (__atomic_compare_exchange_n(&set->word[i], &free_word, word, false,
		                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
}

static void replay_exceptions(const struct xdp_seen *seen, const struct fwd_tables *f,
                              struct fwd_tables *t)
{
	for (uint32_t i = 0; i < f->n_exceptions; i++) {
		for (uint32_t way = 0; way < OWNER_WAYS; way++) {
			uint64_t old = seen->exceptions[i].word[way];
			uint64_t word = OWNER_LOAD(uint64_t, &f->exceptions[i].word[way]);

			for (uint32_t k = i; k < t->n_exceptions && word != old;
			     k += f->n_exceptions)
				put_exception(&t->exceptions[k], way, old, word);
		}
	}
}

static void replay_colds(const struct xdp_seen *seen, const struct fwd_tables *f,
                         struct fwd_tables *t)
{
	size_t words = sizeof(struct owner_cold) / sizeof(uint32_t) * f->n_colds;
	const uint32_t *from = (const void *)f->colds, *old = (const void *)seen->colds;
	uint32_t *to = (void *)t->colds;

	for (size_t i = 0; i < words; i++) {
		uint32_t was = old[i], now = OWNER_LOAD(uint32_t, &from[i]);

		if (now != was)
			__atomic_compare_exchange_n(&to[i], &was, now, false, __ATOMIC_RELAXED,
			                            __ATOMIC_RELAXED);
	}
}

void xdp_seen_replay(const struct xdp_seen *seen, const struct xdp_set *from, struct xdp_set *to)
{
	replay_exceptions(seen, &from->tables, &to->tables);
	replay_colds(seen, &from->tables, &to->tables);
	sum_counters(from, to);
}
