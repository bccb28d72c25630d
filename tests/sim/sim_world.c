/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated world: management, backends, balancers (sim.h). */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_0 0x5eedu
#define KEY_1 0x1234u
/* The wall clock's distance from the simulated one. */
#define WALL_MS 1700000000000
/* A next set is announced so long ahead. */
#define AHEAD_MS 2000
/* Setting up: the world's first clock reading. */
#define BEGIN_MS 1000000u
/*
 * In worlds of views: a death, a return or an unknown backend is seen within; a balancer that dies
 * is dead for at most; when it has seen all backends it takes what others know within; what a node
 * tells is so old at most.
 */
#define SEEN_MS  1000u
#define OUT_MS   20000u
#define LEARN_MS 3000u
#define TELL_MS  1000u
/* How long a flood lasts. */
#define FLOOD_MS 10000u

static const uint64_t key[2] = { KEY_0, KEY_1 };

uint64_t sim_random(struct sim *sim)
{
	uint64_t x = sim->rng += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t sim_below(struct sim *sim, uint32_t n)
{
	return (uint32_t)((sim_random(sim) >> 32) * n >> 32);
}

double sim_unit(struct sim *sim)
{
	return (double)(sim_random(sim) >> 11) / 9007199254740992.0;
}

static void require_ok(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "sim: %s\n", what);
	abort();
}

static struct owners_clock clock_of(const struct sim *sim)
{
	return (struct owners_clock){ .now_ms = sim->now_ms,
		                      .wall_clock_ms = WALL_MS + (int64_t)sim->now_ms };
}

/* --- management --- */

/* Write the members, as they are now, as set @p set. */
static void write_members(struct sim *sim, struct owners_member *out, size_t *n)
{
	*n = 0;
	for (uint16_t b = 1; b <= SIM_BACKENDS; b++)
		if (sim->backend[b].is_member)
			out[(*n)++] = (struct owners_member){ .id = 0x9e3779b97f4a7c15u * b,
				                              .weight = sim->backend[b].weight,
				                              .backend = b };
}

/* Add a set that holds from @p from_ms on; flows of the one before have claims for @p claim_ms. */
static void announce_set(struct sim *sim, int64_t from_ms, int64_t claim_ms)
{
	struct sim_document *d = &sim->document;
	size_t most = sim->options.agents ? OWNERS_SETS_MAX : SIM_SETS_MAX;

	if (d->n_sets == most) {
		memmove(d->sets, d->sets + 1, sizeof(d->sets) - sizeof(d->sets[0]));
		memmove(d->members, d->members + 1, sizeof(d->members) - sizeof(d->members[0]));
		d->n_sets--;
	}
	if (d->n_sets > 0)
		d->sets[d->n_sets - 1].until_ms = from_ms + claim_ms;
	d->sets[d->n_sets] = (struct owners_set){ .from_ms = from_ms, .until_ms = INT64_MAX };
	write_members(sim, d->members[d->n_sets], &d->sets[d->n_sets].n_members);
	d->n_sets++;
	for (size_t i = 0; i < d->n_sets; i++)
		d->sets[i].members = d->members[i];
	for (uint32_t b = 0; b < sim->options.balancers; b++)
		sim->balancer[b].stale = true;
}

/* Sets whose claims have ended leave the document. */
static void forget_sets(struct sim *sim)
{
	struct sim_document *d = &sim->document;

	while (d->n_sets > 1 && d->sets[1].from_ms <= WALL_MS + (int64_t)sim->now_ms &&
	       d->sets[0].until_ms <= WALL_MS + (int64_t)sim->now_ms) {
		memmove(d->sets, d->sets + 1, sizeof(d->sets) - sizeof(d->sets[0]));
		memmove(d->members, d->members + 1, sizeof(d->members) - sizeof(d->members[0]));
		d->n_sets--;
	}
	for (size_t i = 0; i < d->n_sets; i++)
		d->sets[i].members = d->members[i];
}

static bool takes_flows(const struct sim_backend *b)
{
	return b->is_member && b->weight > 0 && !b->is_dead;
}

static uint32_t count_taking(const struct sim *sim)
{
	uint32_t n = 0;

	for (uint32_t b = 1; b <= SIM_BACKENDS; b++)
		n += takes_flows(&sim->backend[b]);
	return n;
}

/* A backend is new: it waits until a balancer sees it, about when its set comes into force. */
static void forget_state(struct sim *sim, uint16_t i)
{
	for (uint32_t b = 0; b < sim->options.balancers; b++) {
		struct sim_balancer *lb = &sim->balancer[b];

		lb->state[i] = OWNERS_WAITS;
		lb->sees_at_ms[i] = sim->now_ms + AHEAD_MS / 2 + sim_below(sim, SEEN_MS);
	}
}

/* A change of members: drain, remove, add or undrain, reweight. */
static void change_members(struct sim *sim)
{
	uint16_t i = (uint16_t)(1 + sim_below(sim, SIM_BACKENDS));
	struct sim_backend *b = &sim->backend[i];
	int64_t from_ms = WALL_MS + (int64_t)sim->now_ms + AHEAD_MS;
	int64_t claim_ms = sim->times.settle_ms;

	forget_sets(sim);
	if (sim->document.sets[sim->document.n_sets - 1].from_ms > from_ms - AHEAD_MS)
		return; /* one at a time */
	if (b->is_dead)
		return;
	if (!takes_flows(b)) {
		if (sim->options.views && !b->is_member)
			forget_state(sim, i);
		b->is_member = true;
		b->weight = 50u << sim_below(sim, 3);
		b->leaves_at_ms = UINT64_MAX;
		b->rejoins_at_ms = sim->now_ms + AHEAD_MS;
	} else if (count_taking(sim) <= 4) {
		return;
	} else if (sim_below(sim, 3) == 0) {
		b->weight = 50u << sim_below(sim, 3);
	} else {
		if (!sim->options.agents)
			claim_ms = sim_below(sim, 2) ? claim_ms : 45000 + sim_below(sim, 300000);
		b->is_member = sim_below(sim, 2);
		b->weight = 0;
		b->leaves_at_ms = sim->now_ms + AHEAD_MS;
		b->drained_ms = b->leaves_at_ms + (uint64_t)claim_ms;
		/* A node that restarts when the document has forgotten the set knows only this. */
		b->lease_ms =
		        b->leaves_at_ms +
		        (claim_ms < SIM_SETTLE_S * 1000 ? (uint64_t)claim_ms : SIM_SETTLE_S * 1000);
	}
	announce_set(sim, from_ms, claim_ms);
	sim->result.changes++;
}

/* Each balancer sees sooner or later what has become of backend @p i. */
static void show_state(struct sim *sim, uint16_t i, enum owners_state state)
{
	sim->state[i] = (uint8_t)state;
	for (uint32_t b = 0; b < sim->options.balancers; b++)
		sim->balancer[b].sees_at_ms[i] =
		        sim->now_ms + (sim->options.views ? sim_below(sim, SEEN_MS) : 0);
}

static void kill_backend(struct sim *sim)
{
	uint16_t i = (uint16_t)(1 + sim_below(sim, SIM_BACKENDS));

	if (!takes_flows(&sim->backend[i]) || count_taking(sim) <= 4)
		return;
	sim->backend[i].is_dead = true;
	sim->backend[i].returns_at_ms = sim->now_ms + 5000 + sim_below(sim, 95000);
	show_state(sim, i, OWNERS_DEAD);
	sim->result.deaths++;
	sim_flows_kill(sim, i);
}

static void return_the_dead(struct sim *sim)
{
	for (uint16_t i = 1; i <= SIM_BACKENDS; i++) {
		if (!sim->backend[i].is_dead || sim->backend[i].returns_at_ms > sim->now_ms)
			continue;
		sim->backend[i].is_dead = false;
		show_state(sim, i, OWNERS_SERVES);
	}
}

/* --- balancers --- */

static void start_process(struct sim *sim, struct sim_balancer *b)
{
	struct owners_tables tables = { b->slots, b->colds, 0, SIM_SLOTS };

	require_ok(owners_memory_new(b->sets, sim->options.sets, &b->memory) == 0, "memory");
	require_ok(owners_new(&tables, b->memory, key, &b->owners) == 0, "owners");
	b->stale = true;
	b->started_at_ms = sim->now_ms;
}

static void stop_process(struct sim_balancer *b)
{
	owners_free(b->owners);
	owners_memory_free(b->memory);
	b->owners = NULL;
	b->memory = NULL;
}

static void see_states(const struct sim *sim, struct sim_balancer *b)
{
	for (uint32_t i = 1; i <= SIM_BACKENDS; i++) {
		if (b->state[i] == sim->state[i] || sim->now_ms < b->sees_at_ms[i])
			continue;
		b->state[i] = sim->state[i];
		b->stale = true;
	}
}

/* Write down what others are told. */
static void write_handover(struct sim *sim, struct sim_balancer *b,
                           const struct owners_clock *clock)
{
	if (sim->now_ms < b->told_at_ms + TELL_MS)
		return;
	b->told_at_ms = sim->now_ms;
	b->n_told = 0;
	while (b->n_told < SIM_SLOTS &&
	       owners_handover_find(b->owners, b->n_told > 0 ? b->told[b->n_told - 1].slot + 1 : 0,
	                            clock, &b->told[b->n_told]))
		b->n_told++;
}

/*
 * A node that started on empty tables takes what one knows that was there all the time; then
 * packets come.
 */
static void read_handover(struct sim *sim, struct sim_balancer *b, const struct owners_clock *clock)
{
	const struct sim_balancer *from = NULL;

	if (!b->is_out || sim->now_ms < b->learns_at_ms)
		return;
	for (uint32_t i = 0; i < sim->options.balancers; i++)
		if (sim->balancer[i].knows_from_ms < b->knows_from_ms && !sim->balancer[i].is_out)
			from = &sim->balancer[i];
	if (from) {
		owners_handover_apply(b->owners, from->told, from->n_told, clock);
		b->knows_from_ms = from->knows_from_ms;
	}
	b->is_out = false;
}

static bool is_named(const struct sim_document *d, uint16_t backend)
{
	for (size_t i = 0; i < d->n_sets; i++)
		for (size_t m = 0; m < d->sets[i].n_members; m++)
			if (d->members[i][m].backend == backend)
				return true;
	return false;
}

/* What a node does for backends that no set names any more. */
static void rest_unnamed(const struct sim *sim, struct sim_balancer *b,
                         const struct owners_clock *clock)
{
	for (uint16_t i = 1; i <= SIM_BACKENDS; i++)
		if (!is_named(&sim->document, i))
			owners_memory_drain(
			        b->memory, i,
			        (uint32_t)((clock->now_ms + sim->times.settle_ms) / 1000));
}

static void tick_balancer(struct sim *sim, struct sim_balancer *b)
{
	struct owners_clock clock = clock_of(sim);

	if (!b->owners && sim->now_ms >= b->down_until_ms)
		start_process(sim, b);
	if (!b->owners)
		return;
	see_states(sim, b);
	if (b->stale) {
		require_ok(owners_apply(b->owners, &sim->times, sim->document.sets,
		                        sim->document.n_sets, b->state, SIM_BACKENDS + 1,
		                        &clock) == 0,
		           "apply");
		rest_unnamed(sim, b, &clock);
		b->stale = false;
		b->tick_at_ms = 0;
	}
	if (sim->options.views) {
		read_handover(sim, b, &clock);
		write_handover(sim, b, &clock);
	}
	if (sim->now_ms < b->tick_at_ms)
		return;
	b->tick_at_ms = sim->now_ms + owners_tick(b->owners, &clock);
	owners_memory_tick(b->memory, &clock);
}

static void count_exceptions(struct sim *sim)
{
	for (uint32_t b = 0; b < sim->options.balancers; b++) {
		uint32_t n = 0;

		for (uint32_t s = 0; s < sim->options.sets; s++)
			for (uint32_t i = 0; i < OWNER_WAYS; i++)
				n += owner_word_lives(sim->balancer[b].sets[s].word[i],
				                      (uint32_t)(sim->now_ms / 1000));
		if (sim->result.most_exceptions < n)
			sim->result.most_exceptions = n;
	}
}

/* The balancer of a packet that would go to @p b. */
static struct sim_balancer *balancer_of(struct sim *sim, uint8_t b)
{
	struct sim_balancer *lb = &sim->balancer[b];

	return lb->is_out ? &sim->balancer[(b + 1) % sim->options.balancers] : lb;
}

uint16_t sim_route(struct sim *sim, uint8_t b, const struct fwd_flow *f, uint8_t policy)
{
	struct sim_balancer *lb = balancer_of(sim, b);
	uint32_t slot = owner_slot(f->hash, SIM_SLOTS);
	uint16_t hot = lb->slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
	struct owner_rule ask = { .now_s = (uint32_t)(sim->now_ms / 1000),
		                  .idle_s = f->protocol == 6 ? SIM_IDLE_S : SIM_UDP_IDLE_S,
		                  .remember_s = owners_remember_s(&sim->times),
		                  .udp_policy = policy };
	struct owner_pick pick;

	if (!(hot & FWD_SLOT_UNSETTLED))
		return hot;
	pick = owner_find(&ask, f, hot, &lb->colds[slot],
	                  &lb->sets[owner_bucket(f->hash, sim->options.sets)]);
	sim->result.events[pick.event]++;
	return pick.backend;
}

uint32_t sim_owners(struct sim *sim, uint8_t b, const struct fwd_flow *f,
                    uint16_t owners[1 + SECOND_OWNERS_MAX])
{
	struct sim_balancer *lb = balancer_of(sim, b);
	uint32_t slot = owner_slot(f->hash, SIM_SLOTS), n = 0;
	uint16_t hot = lb->slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];

	owners[n++] = hot & FWD_SLOT_BACKEND;
	for (uint32_t i = 0; hot & FWD_SLOT_UNSETTLED && i < OWNER_LIST_MAX; i++) {
		uint16_t earlier = (uint16_t)owner_list_at(lb->colds[slot].list.earlier, i);

		if (f->segment == FWD_SEGMENT_SYN &&
		    owner_list_is_temporary(lb->colds[slot].list.earlier, i))
			continue;
		if (earlier != 0 && earlier != owners[0] && n <= SECOND_OWNERS_MAX)
			owners[n++] = earlier;
	}
	sim->result.events[n > 1 ? OWNER_EVENT_LISTED : OWNER_EVENT_NONE]++;
	return n;
}

bool sim_is_settled(const struct sim *sim, uint64_t hash)
{
	uint32_t slot = owner_slot(hash, SIM_SLOTS);

	for (uint32_t b = 0; b < sim->options.balancers; b++)
		if (sim->balancer[b].slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot %
		                                                            FWD_SLOTS_PER_BLOCK] &
		    FWD_SLOT_UNSETTLED)
			return false;
	return true;
}

/* --- weather --- */

static double draw_exponential(struct sim *sim)
{
	double sum = 0;

	/*
	 * The sum of twelve uniforms less six is nearly normal; its square over two, exponential
	 * enough.
	 */
	for (int i = 0; i < 12; i++)
		sum += sim_unit(sim);
	return (sum - 6) * (sum - 6);
}

/* SYNs of nobody's flows, half of them followed by the segment that confirms them; datagrams. */
static void flood_balancers(struct sim *sim)
{
	uint32_t per_ms = sim->options.sets * OWNER_WAYS * 10 / FLOOD_MS + 1;
	bool confirms = sim->flood_until_ms / 1000 % 2;

	for (uint32_t i = 0; i < per_ms * 20; i++) {
		struct fwd_flow f = { .hash = sim_random(sim),
			              .seq = (uint32_t)sim_random(sim),
			              .segment = FWD_SEGMENT_SYN,
			              .protocol = 6 };
		uint8_t b = (uint8_t)sim_below(sim, sim->options.balancers);

		sim->result.flood++;
		sim_route(sim, b, &f, 0);
		if (confirms && sim_below(sim, 2)) {
			f.seq++;
			f.segment = FWD_SEGMENT_TCP;
			sim_route(sim, b, &f, 0);
		}
		if (sim_below(sim, 16) == 0) {
			f = (struct fwd_flow){ .hash = sim_random(sim),
				               .segment = FWD_SEGMENT_UDP,
				               .protocol = 17 };
			sim_route(sim, b, &f, FWD_UDP_KEEP);
		}
	}
}

static void restart_some(struct sim *sim)
{
	struct sim_balancer *b = &sim->balancer[sim_below(sim, sim->options.balancers)];

	sim->next_restart_ms = sim->now_ms + 20000 + sim_below(sim, 200000);
	if (!b->owners)
		return;
	stop_process(b);
	b->down_until_ms = sim->now_ms + (sim_below(sim, 2) ? 200 : sim_below(sim, 90000));
	sim->result.restarts++;
}

/* A balancer dies, and with its machine its tables; while it is out another takes its packets. */
static void crash_balancer(struct sim *sim)
{
	uint32_t i = sim_below(sim, sim->options.balancers);
	struct sim_balancer *b = &sim->balancer[i];

	sim->next_restart_ms = sim->now_ms + OUT_MS + sim_below(sim, 3 * OUT_MS);
	if (!b->owners || b->is_out || sim->balancer[(i + 1) % sim->options.balancers].is_out)
		return;
	stop_process(b);
	b->is_out = true;
	b->down_until_ms = sim->now_ms + sim_below(sim, OUT_MS);
	b->learns_at_ms = b->down_until_ms + SEEN_MS + sim_below(sim, LEARN_MS);
	b->knows_from_ms = b->down_until_ms;
	memset(b->slots, 0, SIM_SLOTS / FWD_SLOTS_PER_BLOCK * sizeof(*b->slots));
	memset(b->colds, 0, SIM_SLOTS * sizeof(*b->colds));
	memset(b->sets, 0, sim->options.sets * sizeof(*b->sets));
	for (uint32_t s = 1; s <= SIM_BACKENDS; s++) {
		b->state[s] = OWNERS_WAITS;
		b->sees_at_ms[s] = b->down_until_ms + sim_below(sim, SEEN_MS);
	}
	sim->result.restarts++;
}

void sim_world_tick(struct sim *sim)
{
	const struct sim_options *o = &sim->options;

	return_the_dead(sim);
	if (!sim->quiet && o->change_every_s > 0 && sim->now_ms >= sim->next_change_ms) {
		sim->next_change_ms =
		        sim->now_ms + (uint64_t)(o->change_every_s * 1000 * draw_exponential(sim));
		if (sim_below(sim, 10) < 7)
			change_members(sim);
		else
			kill_backend(sim);
	}
	if (!sim->quiet && o->floods && sim->now_ms >= sim->next_flood_ms) {
		sim->flood_until_ms = sim->now_ms + FLOOD_MS;
		sim->next_flood_ms = sim->now_ms + 60000 + sim_below(sim, 120000);
	}
	if (sim->now_ms < sim->flood_until_ms)
		flood_balancers(sim);
	if (!sim->quiet && o->restarts && sim->now_ms >= sim->next_restart_ms)
		restart_some(sim);
	if (!sim->quiet && o->views && sim->now_ms >= sim->next_restart_ms)
		crash_balancer(sim);
	for (uint32_t b = 0; b < o->balancers; b++)
		tick_balancer(sim, &sim->balancer[b]);
	if (sim->now_ms % 5000 == 0)
		count_exceptions(sim);
}

void sim_world_judge(struct sim *sim)
{
	sim->result.places = sim->options.sets * OWNER_WAYS;
	for (uint32_t s = 0; s < SIM_SLOTS; s++) {
		uint32_t block = s / FWD_SLOTS_PER_BLOCK, in = s % FWD_SLOTS_PER_BLOCK;
		uint16_t first = sim->balancer[0].slots[block].slot[in];

		for (uint32_t b = 0; b < sim->options.balancers; b++) {
			uint16_t hot = sim->balancer[b].slots[block].slot[in];

			sim->result.disagreeing_slots += hot != first;
			sim->result.looking_at_end += (hot & FWD_SLOT_UNSETTLED) != 0;
		}
	}
}

void sim_world_init(struct sim *sim)
{
	sim->now_ms = BEGIN_MS;
	sim->times = (struct owners_times){
		.settle_ms = (sim->options.agents ? SIM_AGENTS_SETTLE_S : SIM_SETTLE_S) * 1000,
		.idle_ms = SIM_IDLE_S * 1000,
		.udp_idle_ms = SIM_UDP_IDLE_S * 1000,
		.agents = sim->options.agents,
	};
	sim->next_change_ms = sim->now_ms + 30000;
	sim->next_flood_ms = sim->now_ms + 40000;
	sim->next_restart_ms = sim->now_ms + 20000;
	for (uint16_t i = 1; i <= SIM_BACKENDS; i++)
		sim->backend[i] = (struct sim_backend){ .weight = 100,
			                                .is_member = i <= 8,
			                                .leaves_at_ms = UINT64_MAX };
	announce_set(sim, WALL_MS + (int64_t)sim->now_ms, 0);
	for (uint32_t b = 0; b < sim->options.balancers; b++) {
		struct sim_balancer *lb = &sim->balancer[b];

		lb->slots = calloc(SIM_SLOTS / FWD_SLOTS_PER_BLOCK, sizeof(*lb->slots));
		lb->colds = calloc(SIM_SLOTS, sizeof(*lb->colds));
		lb->sets = calloc(sim->options.sets, sizeof(*lb->sets));
		lb->told = calloc(SIM_SLOTS, sizeof(*lb->told));
		require_ok(lb->slots && lb->colds && lb->sets && lb->told, "no memory");
		start_process(sim, lb);
	}
}

void sim_world_fini(struct sim *sim)
{
	for (uint32_t b = 0; b < sim->options.balancers; b++) {
		stop_process(&sim->balancer[b]);
		free(sim->balancer[b].slots);
		free(sim->balancer[b].colds);
		free(sim->balancer[b].sets);
		free(sim->balancer[b].told);
	}
}
