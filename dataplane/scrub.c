/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pass goes through the tables that have a shadow, then through the slots of each pool. The cursor
 * counts elements, and what it means is looked up afresh in each turn: a document may have come
 * between two turns, and then the pass goes on with the tables as they are.
 *
 * Root is compared in each turn. It is small, all else is found by it, and a packet that reads a wrong
 * key or half is lost.
 */
#include "dataplane/scrub.h"

#include "base/clock.h"

static const enum fwd_table tables[] = { FWD_TABLE_services,     FWD_TABLE_pools,
	                                 FWD_TABLE_backends,     FWD_TABLE_drills,
	                                 FWD_TABLE_destinations, FWD_TABLE_macs };
#define N_TABLES ((uint32_t)(sizeof(tables) / sizeof(tables[0])))

static void on_damaged(void *arg, enum fwd_table table, uint32_t element)
{
	scrub_note(arg, table, element, element, element, 1);
}

void scrub_begin(struct scrub *s, struct compiler *n)
{
	s->node = n;
	n->shadow.on_damaged = on_damaged;
	n->shadow.arg = s;
}

void scrub_table(struct scrub *s, enum fwd_table table)
{
	struct compiler *n = s->node;

	if (n)
		(void)shadow_check(&n->shadow, &n->t, table, 0, shadow_elements(&n->shadow, table));
}

/* @return whether there is more of the table */
static bool scrub_piece(struct scrub *s, enum fwd_table table)
{
	struct shadow *w = &s->node->shadow;
	uint32_t n = shadow_elements(w, table);
	uint32_t part = (uint32_t)(SCRUB_PIECE_BYTES / shadow_element_bytes(table));

	if (s->cursor < n)
		(void)shadow_check(w, &s->node->t, table, s->cursor,
		                   n - s->cursor < part ? n - s->cursor : part);
	s->cursor += part;
	return s->cursor < n;
}

/* What was found since the last pass, also by stores, is said of the pool at the end. */
static bool scrub_slots(struct scrub *s, struct compiler_pool *p)
{
	uint32_t part = SCRUB_PIECE_BYTES / sizeof(uint16_t), first = 0, last = 0, n;

	if (p->waits || !p->owners)
		return false;
	(void)owners_scrub(p->owners, s->cursor, part);
	s->cursor += part;
	if (s->cursor < p->n_slots)
		return true;
	n = owners_damaged(p->owners, &first, &last);
	if (n)
		scrub_note(s, FWD_TABLE_slots, p->index, p->first_slot + first,
		           p->first_slot + last, n);
	return false;
}

/* Do one piece of the pass. @return false: the pass has ended */
static bool scrub_next(struct scrub *s)
{
	bool more;

	if (s->step < N_TABLES)
		more = scrub_piece(s, tables[s->step]);
	else if (s->step - N_TABLES < s->node->n_pools)
		more = scrub_slots(s, &s->node->pools[s->step - N_TABLES]);
	else
		return false;
	if (!more) {
		s->step++;
		s->cursor = 0;
	}
	return true;
}

static bool pass_is_due(struct scrub *s)
{
	if (s->is_done && s->now_ms - s->pass_ms < SCRUB_PASS_MS)
		return false;
	if (s->is_done || !s->pass_ms) {
		s->is_done = false;
		s->pass_ms = s->now_ms;
		s->step = s->cursor = 0;
	}
	return true;
}

bool scrub_turn(struct scrub *s, uint64_t now_ms)
{
	uint64_t changes = s->changes, from_ns;

	s->now_ms = now_ms; /* damage that stores find until the next turn is as old as this one */
	if (!s->node || !s->node->plan)
		return false;
	scrub_table(s, FWD_TABLE_ROOT);
	from_ns = clock_mono_ns();
	for (bool due = pass_is_due(s); due; due = clock_mono_ns() - from_ns < SCRUB_TURN_NS) {
		if (scrub_next(s))
			continue;
		s->is_done = true;
		s->node->counters.scrubs++;
		break;
	}
	scrub_forget(s);
	return s->changes != changes;
}
