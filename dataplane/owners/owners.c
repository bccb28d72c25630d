/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a slot changes its owner (owners/owners.h). Two events change the target owners: owners_apply()
 * brings new sets or verdicts, and owners_tick() brings the next set into force when it begins.
 * Both then walk all slots once (change_pool()). Most slots have their target already and are on
 * the fast path; four of them are compared in one load. What remains is done by owners_tick() in
 * bounded steps, so that a pool of a million slots does not hold up the loop.
 *
 * owners_apply() computes its results into `struct news` and installs them at the end: a failure
 * (no memory, bad sets) leaves all slots as they were.
 */
#include "dataplane/owners/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/owners/owners_internal.h"
#include "weir/ring.h"

/*
 * Slots that one tick looks at for settling: at a tick a second, a pool of 2^20 slots takes 8 s a
 * round.
 */
#define TICK_SLOTS 131072u
/* The interval, in ms, at which scheduled slots are looked at: the error of OWNERS_SCHEDULE_MS. */
#define DUE_TICK_MS 50u
/*
 * A set that begins within so many ms has its slots scheduled; enough for OWNERS_SCHEDULE_MS and a
 * late tick.
 */
#define SCHEDULE_AHEAD_MS 5000
/* The unit of time of exceptions (fwd/owner_word.h): packets remember flows for so much longer. */
#define REMEMBER_MORE_MS (8 * OWNERS_SECOND_MS)

/* Take the hot words that are there for what was stored. */
static void read_hot(struct owners *o)
{
	for (uint32_t s = 0; s < o->tables.n_slots; s++)
		o->hot[s] = __atomic_load_n(owners_hot(o, s), __ATOMIC_RELAXED);
}

int owners_new(const struct owners_tables *tables, struct owners_memory *memory,
               const uint64_t key[2], struct owners **out)
{
	uint32_t n = tables->n_slots;

	if (n < FWD_SLOTS_PER_BLOCK || n > RING_SLOTS_MAX || (n & (n - 1)) ||
	    tables->first_slot % FWD_SLOTS_PER_BLOCK)
		return -EINVAL;

	struct owners *o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->hot = malloc(n * sizeof(*o->hot));
	if (!o->hot) {
		free(o);
		return -ENOMEM;
	}
	o->tables = *tables;
	read_hot(o);
	o->memory = memory;
	o->key[0] = key[0];
	o->key[1] = key[1];
	*out = o;
	return 0;
}

void owners_free(struct owners *o)
{
	if (!o)
		return;
	owners_computed_fini(&o->now);
	owners_computed_fini(&o->next);
	owners_computed_fini(&o->backup);
	free(o->before);
	free(o->hot);
	free(o->lines);
	free(o->line_target);
	free(o);
}

/* The content that was copied may be damaged: the shadow is what was stored. */
void owners_move(struct owners *o, const struct owners_tables *tables)
{
	o->tables = *tables;
	(void)owners_scrub(o, 0, tables->n_slots);
}

/* A flow that is active shows itself once in the idle time; REMEMBER_MORE_MS make up for rounding. */
uint16_t owners_remember_s(const struct owners_times *times)
{
	uint32_t remember_ms = times->idle_ms + REMEMBER_MORE_MS;
	uint32_t remember_s;

	if (remember_ms > times->settle_ms)
		remember_ms = times->settle_ms;
	remember_s = remember_ms / OWNERS_SECOND_MS;
	return (uint16_t)(remember_s < UINT16_MAX ? remember_s : UINT16_MAX);
}

/* --- changes --- */

/*
 * Whether the slot has to move, to the target owner of the set in force. A living owner keeps its
 * slot while no other backend can have it.
 */
static bool is_due(const struct owners *o, uint32_t s, uint16_t current)
{
	uint16_t target = o->now.target[s];

	return target != current && (target != 0 || !owners_keeps_flows(o, current));
}

/* Whether the slot will have to move when the next set begins, which is within SCHEDULE_AHEAD_MS. */
static bool is_coming(const struct owners *o, uint32_t s, uint16_t current)
{
	return o->is_scheduled_next && o->next.target[s] != current && o->next.target[s] != 0;
}

/*
 * Without a living owner no flow can break, so the slot moves at once; else it is
 * scheduled.
 */
static void change_slot(struct owners *o, uint32_t s, const struct owners_clock *clock)
{
	uint16_t current = owners_current(o, s);

	if (is_due(o, s, current) && !owners_keeps_flows(o, current)) {
		owners_slot_move(o, s, o->now.target[s], owners_seconds(clock));
		current = o->now.target[s];
	}
	if (current != 0 && (is_due(o, s, current) || is_coming(o, s, current)))
		owners_slot_schedule(o, s, clock);
	else if (owners_is_scheduled(o, s))
		owners_slot_unschedule(o, s);
	if (owners_is_unsettled(o, s))
		owners_slot_expire_dead(o, s);
	o->n_due += is_due(o, s, current);
	o->n_coming += is_coming(o, s, current);
}

/*
 * With agents nothing is scheduled: each slot's owner and list are worked out and stored at once.
 */
void owners_lists_update(struct owners *o, const struct owners_clock *clock)
{
	o->n_waiting = 0;
	owners_list_begin(o);
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		owners_list_update(o, s, clock);
		if (owners_is_unsettled(o, s))
			owners_slot_expire_dead(o, s);
	}
}

static void change_slots(struct owners *o, const struct owners_clock *clock)
{
	o->n_due = o->n_coming = 0;
	for (uint32_t s = 0; s < o->tables.n_slots; s += 4) {
		uint64_t targets;

		memcpy(&targets, &o->now.target[s], sizeof(targets));
		if (!o->is_scheduled_next && owners_four(o, s) == targets)
			continue; /* all four have their target and are on the fast path */
		for (uint32_t i = s; i < s + 4; i++)
			change_slot(o, i, clock);
	}
}

/* Bring all slots towards their targets. */
static void change_pool(struct owners *o, const struct owners_clock *clock)
{
	if (o->times.agents)
		owners_lists_update(o, clock);
	else
		change_slots(o, clock);
	owners_backup_lay_drill(o, clock);
}

/*
 * Move slots that were scheduled at least OWNERS_SCHEDULE_MS ago: the SYNs from before have been
 * repeated.
 */
static void move_due(struct owners *o, const struct owners_clock *clock)
{
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		uint32_t age_ms;

		if (!is_due(o, s, owners_current(o, s)))
			continue;
		if (!owners_is_scheduled(o, s))
			owners_slot_schedule(o, s, clock);
		age_ms = (uint32_t)clock->now_ms - owners_cold(o, s)->scheduled_at;
		if ((int32_t)age_ms < (int32_t)OWNERS_SCHEDULE_MS)
			continue;
		owners_slot_move(o, s, o->now.target[s], owners_seconds(clock));
		o->n_due--;
		if (is_coming(o, s, owners_current(o, s)))
			owners_slot_schedule(o, s, clock);
	}
}

/* --- sets and verdicts --- */

/* What owners_apply() has computed so far; installed as a whole, or freed. */
struct news {
	struct owners_computed now, next, backup;
	uint8_t *states;
	struct owners_backends dead, died;
	bool any_died;
	const struct owners_set *now_set; /* the set in force */
};

static void news_fini(struct news *n)
{
	owners_computed_fini(&n->now);
	owners_computed_fini(&n->next);
	owners_computed_fini(&n->backup);
	free(n->states);
}

static bool sets_ok(const struct owners_set *member_sets, size_t n_sets)
{
	if (n_sets < 1 || n_sets > OWNERS_SETS_MAX)
		return false;
	for (size_t i = 0; i < n_sets; i++) {
		for (size_t m = 0; m < member_sets[i].n_members; m++)
			if (member_sets[i].members[m].backend == 0 ||
			    member_sets[i].members[m].backend > RING_ID_MAX ||
			    member_sets[i].members[m].weight > RING_WEIGHT_MAX)
				return false;
		if (i > 0 && member_sets[i].from_ms < member_sets[i - 1].from_ms)
			return false;
	}
	return true;
}

/* The index of the last set that has begun; the first if none has. */
static size_t index_in_force(const struct owners_set *member_sets, size_t n_sets,
                             int64_t wall_clock_ms)
{
	size_t i = n_sets - 1;

	while (i > 0 && member_sets[i].from_ms > wall_clock_ms)
		i--;
	return i;
}

static void note_dead_members(const struct owners *o, const struct owners_member *members,
                              size_t n_members, struct news *n)
{
	for (size_t m = 0; m < n_members; m++) {
		uint16_t b = members[m].backend;

		if (n->states[b] != OWNERS_DEAD)
			continue;
		owners_add(&n->dead, b);
		if (owners_has(&o->dead, b))
			continue;
		owners_add(&n->died, b);
		n->any_died = true;
	}
}

/*
 * Note which backends are dead, and which of them were alive before: only their flows are
 * deleted.
 */
static void note_dead(const struct owners *o, const struct owners_backup *backup,
                      const struct owners_set *member_sets, size_t n_sets, struct news *n)
{
	for (size_t i = 0; i < n_sets; i++)
		note_dead_members(o, member_sets[i].members, member_sets[i].n_members, n);
	if (backup)
		note_dead_members(o, backup->members, backup->n_members, n);
}

static int compute_set(const struct owners *o, const struct owners_set *member_set, struct news *n,
                       struct owners_computed *out)
{
	int result = owners_computed_copy(member_set, o->tables.n_slots, out);

	if (result != 0)
		return result;
	owners_computed_reuse(out, &o->now, o->tables.n_slots);
	owners_computed_reuse(out, &o->next, o->tables.n_slots);
	return owners_computed_repair(out, o, n->states);
}

/* Compute all that needs memory, before anything of the pool changes. */
static int make_news(const struct owners *o, const struct owners_backup *backup,
                     const struct owners_set *member_sets, size_t n_sets, const uint8_t *state,
                     size_t n_state, int64_t wall_clock_ms, struct news *n)
{
	size_t at = index_in_force(member_sets, n_sets, wall_clock_ms);
	int result = 0;

	n->states = calloc(FWD_BACKENDS_MAX, sizeof(*n->states));
	if (!n->states)
		return -ENOMEM;
	if (n_state > 0)
		memcpy(n->states, state, n_state < FWD_BACKENDS_MAX ? n_state : FWD_BACKENDS_MAX);
	n->now_set = &member_sets[at];
	note_dead(o, backup, member_sets, n_sets, n);
	result = compute_set(o, &member_sets[at], n, &n->now);
	if (result == 0 && at + 1 < n_sets)
		result = compute_set(o, &member_sets[at + 1], n, &n->next);
	if (result != 0 || !backup)
		return result;
	result = owners_backup_compute(o, backup, n->states, &n->backup);
	if (result == 0)
		owners_backup_lay_over(&n->backup, backup, &n->now, o->tables.n_slots);
	if (result == 0 && n->next.target)
		owners_backup_lay_over(&n->backup, backup, &n->next, o->tables.n_slots);
	return result;
}

/*
 * The set @p left is no longer in force. Keep its target owners of the slots that get another one:
 * they have claims until @p until_ms.
 */
static void leave_set(struct owners *o, struct owners_computed *left, int64_t until_ms,
                      const struct owners_clock *clock)
{
	free(o->before);
	o->before = left->target;
	left->target = NULL;
	for (uint32_t s = 0; s < o->tables.n_slots; s++)
		if (o->before[s] == o->now.target[s])
			o->before[s] = 0;
	o->leave_s = owners_end_in_seconds(until_ms, clock);
	if (o->leave_s == 0)
		o->leave_s = owners_seconds(clock);
}

/*
 * UDP flows with policy `migrate` stay on a backend as long as they have traffic, so without a
 * limit a drain would never end. Each backend that the set in force drains gets the end of its
 * lease here.
 */
static void set_leases(struct owners *o, const struct owners_set *member_sets, const struct news *n,
                       const struct owners_clock *clock)
{
	uint32_t *lease = o->memory->lease_end_s;

	for (const struct owners_set *member_set = member_sets; member_set <= n->now_set;
	     member_set++) {
		for (size_t m = 0; m < member_set->n_members; m++) {
			uint16_t b = member_set->members[m].backend;
			uint32_t end_s = owners_end_in_seconds(member_set->until_ms, clock);

			owners_memory_use(o->memory, b);
			if (member_set == n->now_set && member_set->members[m].weight > 0)
				lease[b] = 0;
			else if (member_set->members[m].weight > 0)
				lease[b] = end_s ? end_s : owners_seconds(clock) | 1; /* not 0 */
			else if (member_set == n->now_set && lease[b] == 0)
				lease[b] = (owners_seconds(clock) +
				            o->times.settle_ms / OWNERS_SECOND_MS) |
				           1;
		}
	}
}

/* Install the new sets. @param has_past  whether @p n has a set before the one in force */
static void install_sets(struct owners *o, struct news *n, bool has_past,
                         const struct owners_clock *clock)
{
	struct owners_computed left = o->now;

	o->now = n->now;
	owners_computed_fini(&o->next);
	o->next = n->next;
	owners_computed_fini(&o->backup);
	o->backup = n->backup;
	n->now = n->next = n->backup = (struct owners_computed){ 0 };
	if (has_past && left.from_ms != o->now.from_ms)
		leave_set(o, &left, n->now_set[-1].until_ms, clock);
	owners_computed_fini(&left);
}

/*
 * Give slots without an owner one, on a node that has just started, or whose key changed: until now
 * the slots may have been another owner's. owners_seed() reads the set in
 * force from @p o, where @p n is not installed yet: so its rings are lent to @p o for the call.
 */
static int seed_slots(struct owners *o, const struct owners_set *member_sets, size_t n_past,
                      const struct news *n, const struct owners_clock *clock)
{
	int result;

	read_hot(o);
	o->dead = n->dead;
	o->now.target = n->now.target;
	o->now.filled = n->now.filled;
	result = owners_seed(o, member_sets, n_past, n->states, clock);
	o->now.target = o->now.filled = NULL;
	return result;
}

/*
 * The order matters. All that can fail comes before the new sets are installed. Dead owners lose
 * their slots (change_pool()) before their remembered flows are deleted, or packets would remember
 * new ones for them.
 */
int owners_apply(struct owners *o, const struct owners_times *times,
                 const struct owners_set *member_sets, size_t n_sets, const uint8_t *state,
                 size_t n_state, const struct owners_clock *clock)
{
	struct news n = { 0 };
	bool first = o->now.members == NULL;
	size_t n_past = 0;
	int result = sets_ok(member_sets, n_sets) ? 0 : -EINVAL;

	if (result == 0)
		result = make_news(o, times->backup, member_sets, n_sets, state, n_state,
		                   clock->wall_clock_ms, &n);
	if (result == 0) {
		o->times = *times;
		o->times.backup = NULL; /* the caller's */
		o->full = times->backup ? times->backup->full : 0;
		o->is_drilled = times->backup && times->backup->is_drilled;
		o->drill_share = times->backup ? times->backup->drill_share : 0;
		n_past = (size_t)(n.now_set - member_sets) + 1;
	}
	if (result == 0 && times->agents)
		result = owners_lines_follow(o, member_sets, n_past, &n.now, clock->wall_clock_ms);
	if (result == 0 && first)
		result = seed_slots(o, member_sets, n_past, &n, clock);
	if (result != 0) {
		news_fini(&n);
		return result;
	}
	if (first || n.any_died || memcmp(&o->dead, &n.dead, sizeof(o->dead)) != 0)
		o->temporary_end_s = owners_list_over_s(o, clock);
	o->dead = n.dead;
	set_leases(o, member_sets, &n, clock);
	if (times->backup)
		owners_backup_set_leases(o, times->backup, clock);
	install_sets(o, &n, !first && n.now_set > member_sets, clock);
	o->is_scheduled_next =
	        o->next.members && o->next.from_ms - clock->wall_clock_ms <= SCHEDULE_AHEAD_MS;
	change_pool(o, clock);
	if (n.any_died)
		owners_memory_forget(o->memory, &n.died);
	news_fini(&n);
	return 0;
}

/* --- time --- */

/*
 * As set_leases(), when a tick brings the next set into force: leases end at @p until_ms of the
 * set @p left.
 */
static void change_leases(struct owners *o, const struct owners_computed *left, int64_t until_ms,
                          const struct owners_clock *clock)
{
	uint32_t *lease = o->memory->lease_end_s;
	uint32_t end_s = owners_end_in_seconds(until_ms, clock);

	for (size_t m = 0; m < left->n_members; m++)
		if (left->members[m].weight > 0)
			lease[left->members[m].backend] = end_s ? end_s : owners_seconds(clock) | 1;
	for (size_t m = 0; m < o->now.n_members; m++)
		if (o->now.members[m].weight > 0)
			lease[o->now.members[m].backend] = 0;
}

/*
 * Bring the next set into force when it begins, and schedule its slots some seconds before. This
 * needs no document: a change that is planned ahead happens even if the management is down.
 */
static void start_next_set(struct owners *o, const struct owners_clock *clock)
{
	int64_t left_ms = o->next.from_ms - clock->wall_clock_ms;

	if (!o->next.members || left_ms > SCHEDULE_AHEAD_MS ||
	    (o->is_scheduled_next && left_ms > 0))
		return;
	o->is_scheduled_next = left_ms > 0;
	if (left_ms <= 0) {
		struct owners_computed left = o->now;
		struct owners_set member_sets[2] = {
			{ left.from_ms, left.until_ms, left.members, left.n_members, NULL },
			{ o->next.from_ms, o->next.until_ms, o->next.members, o->next.n_members,
			  NULL },
		};

		o->now = o->next;
		o->next = (struct owners_computed){ 0 };
		if (o->times.agents) /* out of memory: slots wait for the next document */
			(void)owners_lines_follow(o, member_sets, 2, &o->now, clock->wall_clock_ms);
		leave_set(o, &left, left.until_ms, clock);
		change_leases(o, &left, left.until_ms, clock);
		owners_computed_fini(&left);
	}
	change_pool(o, clock);
}

static void settle_slot(struct owners *o, uint32_t s, uint32_t now_s)
{
	if (!o->times.agents)
		owners_memory_use(o->memory, owners_cold(o, s)->claim[OWNER_CLASS_TCP].base);
	owners_memory_use(o->memory, owners_cold(o, s)->claim[OWNER_CLASS_UDP].base);
	owners_slot_settle(o, s, now_s);
}

/*
 * Settle the next part of the slots. Most are on the fast path, which one test of four slots
 * shows.
 */
static void settle_some(struct owners *o, uint32_t now_s)
{
	uint32_t n = o->tables.n_slots;

	for (uint32_t i = 0; i < n && i < TICK_SLOTS; i += 4) {
		uint32_t first = o->cursor;

		o->cursor = (o->cursor + 4) % n;
		if (!(owners_four(o, first) & OWNERS_FOUR_UNSETTLED))
			continue;
		for (uint32_t s = first; s < first + 4; s++)
			if (owners_is_unsettled(o, s))
				settle_slot(o, s, now_s);
	}
}

/* Whether the time has just ended in which lists keep temporary owners without a claim. */
static bool temporary_owners_leave(struct owners *o, uint32_t now_s)
{
	if (!o->times.agents || o->temporary_end_s == 0 ||
	    (int32_t)(o->temporary_end_s - now_s) > 0)
		return false;
	o->temporary_end_s = 0;
	return true;
}

uint32_t owners_tick(struct owners *o, const struct owners_clock *clock)
{
	int64_t wait_ms = OWNERS_IDLE_MS;

	if (!o->now.members)
		return OWNERS_IDLE_MS;
	start_next_set(o, clock);
	if (o->n_due > 0)
		move_due(o, clock);
	if (o->n_waiting > 0 || temporary_owners_leave(o, owners_seconds(clock))) {
		owners_lines_wait(o, clock->wall_clock_ms);
		owners_lists_update(o, clock);
	}
	/* while slots move there are many ticks a second, but claims end by the second */
	if (o->n_due == 0 || clock->now_ms - o->settled_ms >= OWNERS_IDLE_MS) {
		settle_some(o, owners_seconds(clock));
		o->settled_ms = clock->now_ms;
	}
	if (o->n_due > 0)
		return DUE_TICK_MS;
	if (o->next.members && o->next.from_ms - clock->wall_clock_ms < wait_ms)
		wait_ms = o->next.from_ms - clock->wall_clock_ms;
	return wait_ms < 1 ? 1 : (uint32_t)wait_ms;
}

static bool set_has_backend(const struct owners_computed *computed, uint16_t backend)
{
	for (size_t i = 0; i < computed->n_members; i++)
		if (computed->members[i].backend == backend)
			return true;
	return false;
}

bool owners_uses(const struct owners *o, uint16_t backend)
{
	if (set_has_backend(&o->now, backend) || set_has_backend(&o->next, backend) ||
	    set_has_backend(&o->backup, backend) || backend == o->full)
		return true;
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		const struct owner_cold *cold = owners_cold(o, s);

		if (owners_current(o, s) == backend)
			return true;
		if (o->times.agents && owners_list_names(o, s, backend))
			return true;
		for (int c = o->times.agents ? OWNER_CLASS_UDP : 0;
		     owners_is_unsettled(o, s) && c < OWNER_CLASSES; c++)
			if (cold->claim[c].settle_at != 0 && cold->claim[c].base == backend)
				return true;
	}
	return false;
}
