/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines: each slot's owner and its three earlier owners by the document's member sets alone, in
 * pools with agents (owners/owners.h).
 *
 * A line is computed by a walk: the sets are applied one after the other, oldest first, each with
 * the ring that it has if all its members live. Where the ring's owner differs from the line's, the
 * owner becomes the newest earlier owner. New sets continue the walk; a document whose sets do not
 * continue those walked (compared by digest) starts it again from its oldest set, and older earlier owners
 * come from the slots' lists.
 *
 * Verdicts have no part in this. Nodes see a death at different times, or not at all. If a dead
 * backend left the line, one node would have room for the next owner while another still waits for
 * it, and each would send new flows where the other does not look. So all nodes with the same
 * document have the same lines; owners/list.c adds what verdicts change.
 *
 * A line is full when it has three earlier owners whose claims last. Then the slot waits: it goes
 * to the owner by the set in force when the oldest claim ends. That moment counts by the document's
 * times and not by a tick's, so that all nodes compute the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/owners/owners_internal.h"

/* The oldest earlier owner of a full line. */
#define LAST (SECOND_OWNERS_MAX - 1)

static uint64_t mix_digest(uint64_t sum, uint64_t value)
{
	sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
	return sum ^ sum >> 29;
}

/*
 * A digest that tells a set from others: its begin and its members. Those without weight own nothing beside others,
 * and the set in force has more of them where backends are dead: no verdict may begin the walk again.
 */
static uint64_t set_digest(const struct owners_set *member_set)
{
	uint64_t sum = mix_digest(1, (uint64_t)member_set->from_ms);
	bool by_weight = false;

	for (size_t i = 0; i < member_set->n_members; i++)
		by_weight |= member_set->members[i].weight > 0;
	for (size_t i = 0; i < member_set->n_members; i++)
		if (!by_weight || member_set->members[i].weight > 0)
			sum = mix_digest(mix_digest(sum, member_set->members[i].id),
			                 (uint64_t)member_set->members[i].weight << 16 |
			                         member_set->members[i].backend);
	return sum;
}

/* The position of @p backend among the earlier owners, or SECOND_OWNERS_MAX. */
static uint32_t earlier_position(const struct owners_line *line, uint16_t backend)
{
	uint32_t i = 0;

	while (i < SECOND_OWNERS_MAX && line->earlier[i] != backend)
		i++;
	return i;
}

/*
 * The slot goes to @p to, and the claim of its owner until now ends at @p end_ms. An owner that
 * returns leaves its old position; otherwise the oldest earlier owner leaves the line.
 */
static void push_owner(struct owners_line *line, uint16_t to, int64_t end_ms)
{
	uint32_t out = earlier_position(line, to);

	if (out > LAST)
		out = LAST;
	memmove(line->earlier + 1, line->earlier, out * sizeof(line->earlier[0]));
	memmove(line->until_ms + 1, line->until_ms, out * sizeof(line->until_ms[0]));
	line->earlier[0] = line->owner;
	line->until_ms[0] = end_ms;
	line->owner = to;
}

/* Whether @p to can have the slot at @p at_ms without ending an earlier owner's claim too soon. */
static bool has_room(const struct owners_line *line, uint16_t to, int64_t at_ms)
{
	return line->earlier[LAST] == 0 || line->until_ms[LAST] <= at_ms ||
	       earlier_position(line, to) <= LAST;
}

/* Give the slot to @p to at @p at_ms; if there is no room, the line stays and the slot waits. */
static void give_slot(struct owners_line *line, uint16_t to, int64_t at_ms, int64_t end_ms)
{
	if (line->owner == 0)
		line->owner = to;
	if (to != 0 && to != line->owner && has_room(line, to, at_ms))
		push_owner(line, to, end_ms);
}

void owners_lines_wait(struct owners *o, int64_t now_ms)
{
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		struct owners_line *line = &o->lines[s];

		if (o->line_target[s] != line->owner && line->earlier[LAST] != 0)
			give_slot(line, o->line_target[s], now_ms,
			          line->until_ms[LAST] + o->times.settle_ms);
	}
}

/*
 * Take all lines through one more set. Slots that have waited move first, up to the moment when the
 * set begins. The claims of owners that lose slots by the set end at @p end_ms.
 */
static int walk_set(struct owners *o, const struct owners_set *member_set, int64_t end_ms,
                    const struct owners_computed *known)
{
	struct owners_computed computed;
	int result = owners_computed_copy(member_set, o->tables.n_slots, &computed);

	if (result != 0)
		return result;
	if (known)
		owners_computed_reuse(&computed, known, o->tables.n_slots);
	result = owners_computed_fill(&computed, o);
	if (result == 0) {
		owners_lines_wait(o, member_set->from_ms);
		memcpy(o->line_target, computed.filled,
		       o->tables.n_slots * sizeof(*o->line_target));
		for (uint32_t s = 0; s < o->tables.n_slots; s++)
			give_slot(&o->lines[s], o->line_target[s], member_set->from_ms, end_ms);
	}
	owners_computed_fini(&computed);
	return result;
}

/*
 * How many of @p member_sets the lines have been through. The set walked last must be among @p member_sets, and
 * all before it must have been walked, too; more may have been, as old sets leave the document.
 * Otherwise the walk restarts: 0.
 */
static size_t count_walked_sets(struct owners *o, const struct owners_set *member_sets,
                                size_t n_sets)
{
	size_t n = n_sets, i = 0;

	while (n > 0 && o->n_walked > 0 &&
	       set_digest(&member_sets[n - 1]) != o->walked[o->n_walked - 1])
		n--;
	while (i < n && i < o->n_walked &&
	       set_digest(&member_sets[n - 1 - i]) == o->walked[o->n_walked - 1 - i])
		i++;
	if (n > 0 && i == n)
		return n;
	memset(o->lines, 0, o->tables.n_slots * sizeof(*o->lines));
	memset(o->line_target, 0, o->tables.n_slots * sizeof(*o->line_target));
	o->n_walked = 0;
	return 0;
}

static void note_walked(struct owners *o, const struct owners_set *member_set)
{
	if (o->n_walked == OWNERS_SETS_MAX)
		memmove(o->walked, o->walked + 1, --o->n_walked * sizeof(o->walked[0]));
	o->walked[o->n_walked++] = set_digest(member_set);
}

/*
 * Also take over what the slots' lists name of a line and the sets do not tell: a walk that began again has the
 * document's sets alone (in a process that took the tables over). The claims of these owners are over, but
 * connections may still be theirs.
 */
static void keep_named_owners(struct owners *o)
{
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		struct owners_line *line = &o->lines[s];
		uint64_t named = owners_is_unsettled(o, s) ? owners_cold(o, s)->list.earlier : 0;

		for (uint32_t i = 0; i < OWNER_LIST_MAX && line->owner != 0; i++) {
			uint16_t backend = (uint16_t)owner_list_at(named, i);
			uint32_t at = earlier_position(line, 0);

			if (backend == 0 || backend == line->owner || at > LAST ||
			    owner_list_is_temporary(named, i) ||
			    earlier_position(line, backend) <= LAST)
				continue;
			line->earlier[at] = backend;
			line->until_ms[at] = 0;
		}
	}
}

static int allocate_lines(struct owners *o)
{
	if (!o->lines)
		o->lines = calloc(o->tables.n_slots, sizeof(*o->lines));
	if (!o->line_target)
		o->line_target = calloc(o->tables.n_slots, sizeof(*o->line_target));
	return o->lines && o->line_target ? 0 : -ENOMEM;
}

/*
 * A failure keeps the lines as far as they came; the next call continues with the set that
 * failed.
 */
int owners_lines_follow(struct owners *o, const struct owners_set *member_sets, size_t n_sets,
                        const struct owners_computed *known, int64_t now_ms)
{
	int result = allocate_lines(o);

	for (size_t i = result == 0 ? count_walked_sets(o, member_sets, n_sets) : n_sets;
	     i < n_sets; i++) {
		int64_t until_ms = i > 0 ? member_sets[i - 1].until_ms : 0;

		result = walk_set(o, &member_sets[i],
		                  owners_claims_end_ms(o, &member_sets[i], until_ms), known);
		if (result != 0)
			return result;
		note_walked(o, &member_sets[i]);
	}
	if (result == 0) {
		keep_named_owners(o);
		owners_lines_wait(o, now_ms);
	}
	return result;
}
