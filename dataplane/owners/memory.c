/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep of the exceptions (owners/owners.h): it removes entries that have ended and counts those that
 * live.
 *
 * Packets store into the table at the same time. So an entry is removed by compare-and-swap: one
 * that a packet has just written in its place stays. Without a sweep an ended entry would look
 * alive again when its 11-bit time wraps (fwd/owner.h). Counts are those of the last whole pass,
 * since a pass takes 16 s; `used_in` bridges the time until a pass has seen a backend's last entry.
 */
#include "dataplane/owners/owners_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Parts of a pass; one call a second does one part. */
#define MEMORY_PARTS (OWNERS_PASS_MS / OWNERS_SECOND_MS)
/*
 * After so many whole passes in which no slot or set named a backend, no packet can have stored a
 * new exception for it, and the last pass has counted those that there are.
 */
#define MEMORY_QUIET 2u

int owners_memory_new(struct fwd_exceptions *buckets, uint32_t n_buckets,
                      struct owners_memory **out)
{
	struct owners_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->buckets = buckets;
	m->n_buckets = n_buckets;
	*out = m;
	return 0;
}

void owners_memory_move(struct owners_memory *m, struct fwd_exceptions *buckets, uint32_t n_buckets)
{
	m->buckets = buckets;
	m->n_buckets = n_buckets;
	m->cursor = 0;
	m->passes = 0;
	memset(m->counting, 0, sizeof(m->counting));
	memset(m->used_in, 0, sizeof(m->used_in));
}

void owners_memory_free(struct owners_memory *m)
{
	free(m);
}

static void remove_word(uint64_t *at, uint64_t word)
{
	__atomic_compare_exchange_n(at, &word, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/*
 * Whether the entry is of a UDP flow with policy `migrate` whose drained backend's lease has
 * ended.
 */
static bool lease_is_over(const struct owners_memory *m, uint64_t word, uint32_t now_s)
{
	uint32_t end_s = m->lease_end_s[owner_word_backend(word)];

	return owner_word_state(word) == OWNER_UDP_LEASE && end_s != 0 &&
	       (int32_t)(now_s - end_s) >= 0;
}

static void sweep_word(struct owners_memory *m, uint64_t *at, uint32_t now_s)
{
	uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);

	if (word == 0)
		return;
	if (!owner_word_lives(word, now_s) || lease_is_over(m, word, now_s)) {
		remove_word(at, word);
		return;
	}
	m->counting[owner_word_backend(word)]++;
}

static void end_pass(struct owners_memory *m)
{
	memcpy(m->live, m->counting, sizeof(m->live));
	memset(m->counting, 0, sizeof(m->counting));
	m->cursor = 0;
	m->passes++;
}

static void sweep_buckets(struct owners_memory *m, uint32_t n, uint32_t now_s)
{
	for (; n > 0 && m->cursor < m->n_buckets; n--, m->cursor++)
		for (uint32_t i = 0; i < OWNER_WAYS; i++)
			sweep_word(m, &m->buckets[m->cursor].word[i], now_s);
	if (m->cursor >= m->n_buckets)
		end_pass(m);
}

/*
 * The caller may tick far more often than once a second, so at most one part is swept in half a
 * second.
 */
void owners_memory_tick(struct owners_memory *m, const struct owners_clock *clock)
{
	uint64_t since = clock->now_ms - m->ticked_ms;

	if (m->ticked_ms != 0 && since < OWNERS_SECOND_MS / 2)
		return;
	m->ticked_ms = clock->now_ms;
	sweep_buckets(m, m->n_buckets / MEMORY_PARTS + 1,
	              (uint32_t)(clock->now_ms / OWNERS_SECOND_MS));
}

/* A death cannot wait for the sweep: packets would follow these entries to the dead backend. */
void owners_memory_forget(struct owners_memory *m, const struct owners_backends *dead)
{
	for (uint32_t b = 0; b < m->n_buckets; b++) {
		for (uint32_t i = 0; i < OWNER_WAYS; i++) {
			uint64_t *at = &m->buckets[b].word[i];
			uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);

			if (word != 0 && owners_has(dead, owner_word_backend(word)))
				remove_word(at, word);
		}
	}
}

void owners_memory_use(struct owners_memory *m, uint16_t backend)
{
	m->used_in[backend & FWD_SLOT_BACKEND] = m->passes;
}

void owners_memory_drain(struct owners_memory *m, uint16_t backend, uint32_t end_s)
{
	uint32_t *lease = &m->lease_end_s[backend & FWD_SLOT_BACKEND];

	if (*lease == 0)
		*lease = end_s | 1;
}

bool owners_memory_uses(const struct owners_memory *m, uint16_t backend)
{
	uint16_t i = backend & FWD_SLOT_BACKEND;

	return m->live[i] > 0 || m->counting[i] > 0 || m->passes < m->used_in[i] + MEMORY_QUIET;
}
