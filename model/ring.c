/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings (weir/ring.h). Pure; any thread may call.
 *
 * ring_fill() finds the stable matching by letting backends ask ("deferred acceptance"). Each
 * backend asks for pseudo-random slots at increasing instants; a slot keeps the earliest bid, and
 * the backend that it displaces asks on. The result does not depend on who asks first, so no sort
 * over all bids is needed. It takes about 15 questions a slot.
 *
 * A bid is one integer, so all machines agree: 48 bits of time above 16 bits of the backend's rank
 * by key, which decides between equal instants. An empty slot holds UINT64_MAX, the worst bid.
 *
 * Slots lie far apart in memory: eight questions are computed at a time, in vectors, and their
 * slots are fetched while the eight before them are answered.
 */
#include "base/sorted.h"
#include "weir/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "weir/fwd/types.h"

/*
 * How far a backend's cap lies above its due: root(due in slots) * RING_SLACK / 64, about half a
 * standard deviation of a random share. Less slack makes shares more equal, but departures move
 * more slots.
 */
#define RING_SLACK 31u
/*
 * Questions that a backend may ask for each slot of its due. The few slots that are free after all
 * questions are dealt out (deal_free_slots()).
 */
#define RING_ROUNDS 40u
/* Questions computed at a time: they fill a vector of 512 bits. */
#define RING_AHEAD 8u
/*
 * How many other slots ring_repair() tries for a slot whose owner is dead, before the slot gets its
 * neighbour's owner. If half of the backends are dead, one slot in 2^64 gets that far.
 */
#define RING_LOOKS 64u

/* A backend of ring_fill(), which asks for slots. */
struct asker {
	uint64_t key; /* first: sorted by it */
	uint64_t seed;
	uint64_t step;  /* time between its questions */
	uint32_t next;  /* its next question */
	uint32_t limit; /* it asks no more than these */
	uint32_t cap;   /* slots that it may own */
	uint32_t owned;
	uint32_t weight;
	uint16_t id;
	bool waits; /* in the queue */
};

/* Askers that want more, in a ring buffer of n_askers. */
struct queue {
	uint16_t *rank;
	size_t first, n, size;
};

/* splitmix64 */
static uint64_t mix_next(uint64_t x)
{
	return hash_mix(x + 0x9e3779b97f4a7c15u);
}

static unsigned bits_of(uint64_t x)
{
	return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

/* List those of @p backends that have a weight, sorted by key. @return how many */
static size_t list_askers(struct asker *askers, const struct ring_backend *backends, size_t n,
                          const uint64_t key[2])
{
	size_t n_askers = 0;

	for (size_t i = 0; i < n; i++) {
		if (backends[i].weight == 0)
			continue;
		askers[n_askers++] = (struct asker){
			.key = backends[i].key,
			.seed = mix_next(key[0] ^ mix_next(backends[i].key ^ mix_next(key[1]))),
			.weight = backends[i].weight,
			.id = backends[i].id,
		};
	}
	qsort(askers, n_askers, sizeof(*askers), sorted_by_u64);
	return n_askers;
}

/* The square root, rounded down. */
static uint64_t square_root(uint64_t x)
{
	uint64_t r = 0;

	for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
		if ((r | bit) * (r | bit) <= x)
			r |= bit;
	return r;
}

/*
 * Set how many slots each backend may own and how often it may ask; the time between questions is
 * 1 / weight.
 */
static void set_asker_caps(struct asker *askers, size_t n, size_t n_slots)
{
	uint64_t total = 0, top = 0;

	for (size_t i = 0; i < n; i++) {
		total += askers[i].weight;
		if (top < askers[i].weight)
			top = askers[i].weight;
	}
	for (size_t i = 0; i < n; i++) {
		/* in 1/1024 of a slot */
		uint64_t due = askers[i].weight * n_slots * 1024 / total;
		uint64_t slack = square_root(due << 10) * RING_SLACK / 64;

		askers[i].cap = (uint32_t)((due + slack + 1023) >> 10);
		askers[i].limit = (uint32_t)(due * RING_ROUNDS >> 10) + RING_ROUNDS;
		askers[i].step = ((uint64_t)1 << (20 + bits_of(top))) / askers[i].weight;
	}
}

static void queue_put(struct queue *q, struct asker *askers, uint16_t rank)
{
	if (askers[rank].waits)
		return;
	askers[rank].waits = true;
	q->rank[(q->first + q->n++) % q->size] = rank;
}

static uint16_t queue_get(struct queue *q, struct asker *askers)
{
	uint16_t rank = q->rank[q->first];

	q->first = (q->first + 1) % q->size;
	q->n--;
	askers[rank].waits = false;
	return rank;
}

/* The hash of an asker's question number @p n. */
static uint64_t hash_question(const struct asker *a, uint32_t n)
{
	return mix_next(a->seed + n * 0xd1342543de82ef95u);
}

/* Consecutive questions of one backend: loops over them become vector instructions. */
struct questions {
	uint64_t bid[RING_AHEAD];
	uint64_t slot[RING_AHEAD];
};

/* Compute the backend's questions from number @p from on, and start to fetch their slots. */
static void make_questions(struct questions *q, const struct asker *a, uint32_t from, uint16_t rank,
                           const uint64_t *held, size_t n_slots)
{
	for (uint32_t i = 0; i < RING_AHEAD; i++) {
		uint64_t h = hash_question(a, from + i);
		uint64_t at = (from + i) * a->step + ((h >> 48) * a->step >> 16);

		q->bid[i] = at << 16 | rank;
		q->slot[i] = h & (n_slots - 1);
	}
	for (uint32_t i = 0; i < RING_AHEAD; i++)
		__builtin_prefetch(&held[q->slot[i]], 1);
}

/* Whether one of them wins a slot. Mostly none does, which one branch finds for all eight. */
static bool any_wins(const struct questions *q, const uint64_t *held)
{
	bool wins = false;

	for (uint32_t i = 0; i < RING_AHEAD; i++)
		wins |= q->bid[i] < held[q->slot[i]];
	return wins;
}

/* Ask for a slot. @return whether it was won */
static bool bid_for_slot(uint64_t *slot, uint64_t bid, struct asker *askers, struct queue *q)
{
	if (bid >= *slot)
		return false;
	if (*slot != UINT64_MAX) {
		uint16_t loser = (uint16_t)*slot;

		askers[loser].owned--;
		queue_put(q, askers, loser);
	}
	*slot = bid;
	return true;
}

/*
 * Let the backend of @p rank ask until it has its cap or its questions are used up. It works on two
 * sets of questions in turn: while one is answered, the slots of the other are fetched.
 */
static FWD_WIDEST void bid_for_slots(uint64_t *held, size_t n_slots, struct asker *askers,
                                     uint16_t rank, struct queue *q)
{
	struct asker *a = &askers[rank];
	struct questions both[2];
	uint32_t turn = 0;

	make_questions(&both[0], a, a->next, rank, held, n_slots);
	while (a->owned < a->cap && a->next < a->limit) {
		const struct questions *now = &both[turn];

		turn ^= 1;
		make_questions(&both[turn], a, a->next + RING_AHEAD, rank, held, n_slots);
		if (a->next + RING_AHEAD <= a->limit && !any_wins(now, held)) {
			a->next += RING_AHEAD;
			continue;
		}
		for (uint32_t i = 0; i < RING_AHEAD && a->owned < a->cap && a->next < a->limit;
		     i++) {
			a->owned += bid_for_slot(&held[now->slot[i]], now->bid[i], askers, q);
			a->next++;
		}
	}
}

/*
 * Slots that no backend has (few, if any): each goes to the backend below its cap that draws the
 * highest number for it.
 */
static void deal_free_slots(uint64_t *held, size_t n_slots, struct asker *askers, size_t n)
{
	for (size_t s = 0; s < n_slots; s++) {
		uint64_t best = 0, rank = 0;

		if (held[s] != UINT64_MAX)
			continue;
		for (size_t i = 0; i < n; i++) {
			uint64_t draw = mix_next(askers[i].seed ^ mix_next(s)) >> 8;

			if (askers[i].owned < askers[i].cap && draw >= best) {
				best = draw;
				rank = i;
			}
		}
		held[s] = rank;
		askers[rank].owned++;
	}
}

/*
 * Find the matching: a backend that loses a slot is queued again, until no backend has anything
 * left to ask.
 */
static void match_slots(uint64_t *held, size_t n_slots, struct asker *askers, size_t n,
                        uint16_t *ranks)
{
	struct queue q = { .rank = ranks, .size = n };

	memset(held, 0xff, n_slots * sizeof(*held));
	set_asker_caps(askers, n, n_slots);
	for (size_t i = 0; i < n; i++)
		queue_put(&q, askers, (uint16_t)i);
	while (q.n > 0)
		bid_for_slots(held, n_slots, askers, queue_get(&q, askers), &q);
	deal_free_slots(held, n_slots, askers, n);
}

static bool sizes_ok(size_t n_slots, const struct ring_backend *backends, size_t n)
{
	if (n_slots < 2 || n_slots > RING_SLOTS_MAX || (n_slots & (n_slots - 1)) || n > n_slots ||
	    n > RING_ID_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (backends[i].id == RING_NONE || backends[i].id > RING_ID_MAX ||
		    backends[i].weight > RING_WEIGHT_MAX)
			return false;
	return true;
}

static bool keys_differ(const struct asker *askers, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (askers[i - 1].key == askers[i].key)
			return false;
	return true;
}

int ring_fill(uint16_t *slots, size_t n_slots, const struct ring_backend *backends,
              size_t n_backends, const uint64_t key[2])
{
	if (!sizes_ok(n_slots, backends, n_backends))
		return -EINVAL;

	struct asker *askers = calloc(n_backends + 1, sizeof(*askers));
	uint16_t *ranks = calloc(n_backends + 1, sizeof(*ranks));
	uint64_t *held = malloc(n_slots * sizeof(*held));
	int result = askers && ranks && held ? 0 : -ENOMEM;

	if (result == 0) {
		size_t n = list_askers(askers, backends, n_backends, key);

		if (!keys_differ(askers, n))
			result = -EINVAL;
		else if (n == 0)
			memset(slots, 0, n_slots * sizeof(*slots));
		else {
			match_slots(held, n_slots, askers, n, ranks);
			for (size_t s = 0; s < n_slots; s++)
				slots[s] = askers[(uint16_t)held[s]].id;
		}
	}
	free(held);
	free(ranks);
	free(askers);
	return result;
}

/* The slot that @p slot tries as number @p look when its owner is dead. */
static size_t tried_slot(size_t slot, uint32_t look, size_t n_slots, uint64_t seed)
{
	return mix_next(seed + (slot << 8 | look)) & (n_slots - 1);
}

static uint64_t repair_seed(const uint64_t key[2])
{
	return mix_next(key[0] + mix_next(key[1]));
}

/*
 * The new owner of a slot whose owner is dead: the owner of the first tried slot whose owner lives;
 * RING_NONE if there is none.
 */
static uint16_t find_living_owner(const uint16_t *filled, size_t n_slots, size_t slot,
                                  const bool *dead, uint64_t seed)
{
	for (uint32_t look = 0; look < RING_LOOKS; look++) {
		uint16_t id = filled[tried_slot(slot, look, n_slots, seed)];

		if (id != RING_NONE && !dead[id])
			return id;
	}
	return RING_NONE;
}

/* Give slots without an owner that of the nearest slot before them; the first slot follows the last. */
static void fill_from_neighbours(uint16_t *out, size_t n_slots)
{
	uint16_t id = RING_NONE;

	for (size_t s = n_slots; s-- > 0 && id == RING_NONE;)
		id = out[s];
	for (size_t s = 0; s < n_slots; s++) {
		if (out[s] == RING_NONE)
			out[s] = id;
		id = out[s];
	}
}

void ring_repair(uint16_t *out, const uint16_t *filled, size_t n_slots, const bool *dead,
                 const uint64_t key[2])
{
	uint64_t seed = repair_seed(key);
	bool left = false;

	for (size_t s = 0; s < n_slots; s++) {
		out[s] = filled[s];
		if (!dead[filled[s]])
			continue;
		out[s] = find_living_owner(filled, n_slots, s, dead, seed);
		left |= out[s] == RING_NONE;
	}
	if (left)
		fill_from_neighbours(out, n_slots);
}
