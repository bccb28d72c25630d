/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decision whether to announce, in 1,000 seeded worlds (announce_world.h).
 * Usage: announce_sim [--runs N] [--first SEED] [--verbose] [--brief: end at the first fault]
 *                     [--figures FILE: write the sums there, as JSON]
 *
 * In each world the nodes of a site get the same bad evidence of a shared cause within 10 to 100 ms.
 * A world fails if the last announcement goes, a promise is broken, a shared cause withdraws without
 * a confirmation, an own cause does not withdraw at once, unknown facts withdraw anything, a node
 * returns without proof or before its hold-down is over, or stays away for longer, a move between
 * tables withdraws, a node confirms by what was so before, or if what shall happen does not: healthy
 * nodes announce at the end, nodes whose site is bad have left to a site that is good, and after the
 * others are gone a sound node announces within seconds.
 */
#include "announce_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

#define BEGIN_MS  100000u
#define SPREAD_MS 90u /* evidence reaches the nodes 10 to 100 ms after its cause */

static const char *const kind_names[WORLD_KINDS] = { "same",   "sites",  "storm",  "restarts",
	                                             "mixed",  "drains", "pauses", "ports",
	                                             "deaths", "flaps" };

static void add_wrong(struct world_node *n, enum announce_fact fact, enum announce_truth truth,
                      uint64_t from_ms, uint64_t until_ms)
{
	if (n->n_wrong < WORLD_WRONG_MAX)
		n->wrong[n->n_wrong++] = (struct world_wrong){ fact, truth, from_ms, until_ms };
}

static void add_evidence(struct world *w, uint32_t i, uint64_t from_ms, uint64_t until_ms)
{
	add_wrong(&w->node[i], w->cause, ANNOUNCE_NO,
	          from_ms + 10 + world_below(w, w->tie ? 1 : SPREAD_MS + 1),
	          until_ms + world_below(w, 100));
}

/* A moment at which something is unknown to each node. */
static void add_vagueness(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		uint64_t from = BEGIN_MS + world_below(w, 40000);

		add_wrong(&w->node[i], (enum announce_fact)world_below(w, ANNOUNCE_FACT_COUNT),
		          ANNOUNCE_UNKNOWN, from, from + world_below(w, 20000));
	}
}

/* Names in random order, so that the lowest is not always the first; sites in turn. */
static void make_nodes(struct world *w)
{
	uint32_t first = world_below(w, 26);

	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];

		snprintf(n->name, sizeof(n->name), "%c%u", 'a' + (int)((first + i * 7) % 26), i);
		n->site = i % w->n_sites;
		n->runs = true;
		n->started_ms = BEGIN_MS;
		n->good_ms = BEGIN_MS;
		n->routes.in_kernel[ANNOUNCE_NORMAL] = n->had_route = true;
		announce_init(&n->state, ANNOUNCE_NORMAL, world_random(w), BEGIN_MS);
	}
}

static void plan_network(struct world *w, bool bad)
{
	w->delay_max_ms = bad ? world_below(w, 1500) : world_below(w, 6);
	w->loss_percent = bad ? world_below(w, 50) : 0;
	w->repeat_percent = bad ? world_below(w, 30) : 0;
	w->slow_percent = bad ? world_below(w, 20) : 0;
}

static void plan_same(struct world *w)
{
	plan_network(w, false);
	w->tie = world_below(w, 2);
	w->delay_min_ms = w->tie ? 30 : 0;
	for (uint32_t i = 0; i < w->n_nodes; i++)
		add_evidence(w, i, w->evidence_ms, w->evidence_ms + 40000);
}

static void plan_sites(struct world *w)
{
	plan_network(w, false);
	for (uint32_t i = 0; i < w->n_nodes; i++)
		if (w->node[i].site == w->bad_site)
			add_evidence(w, i, w->evidence_ms, w->evidence_ms + 40000);
}

/* Evidence at all nodes, in several spells, so that nodes come and go. */
static void plan_storm(struct world *w)
{
	plan_network(w, true);
	w->forges = true;
	add_vagueness(w);
	for (uint32_t k = 0; k < 3; k++)
		for (uint32_t i = 0; i < w->n_nodes; i++)
			add_evidence(w, i, w->evidence_ms + k * 22000,
			             w->evidence_ms + k * 22000 + 2000 + world_below(w, 20000));
}

static void plan_restarts(struct world *w)
{
	plan_storm(w);
	w->loss_percent /= 2;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		w->node[i].restart_ms = w->evidence_ms + world_below(w, 30000);
		w->node[i].down_until_ms = w->node[i].restart_ms + world_below(w, 12000);
	}
}

/* One node stays sound; the others get everything. */
static void plan_mixed(struct world *w)
{
	plan_network(w, true);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];
		uint64_t from = w->evidence_ms + world_below(w, 20000);

		if (i == w->sound)
			continue;
		add_evidence(w, i, w->evidence_ms, w->evidence_ms + 30000);
		if (world_below(w, 2))
			add_wrong(n, world_below(w, 2) ? ANNOUNCE_FACT_PORT : ANNOUNCE_FACT_PROGRAM,
			          ANNOUNCE_NO, from, from + 1000 + world_below(w, 20000));
		if (world_below(w, 3) == 0) {
			n->drain_from_ms = from;
			n->drain_until_ms = from + 20000 + world_below(w, 20000);
			n->emptied_ms = from + world_below(w, 20000);
		}
		n->daemon_away_from_ms = from;
		n->daemon_away_until_ms = from + world_below(w, 2) * world_below(w, 5000);
	}
	add_vagueness(w);
}

static void plan_drains(struct world *w)
{
	bool all = world_below(w, 2);

	plan_network(w, world_below(w, 2));
	w->sound = all ? WORLD_NODES_MAX : w->sound;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (i == w->sound)
			continue;
		w->node[i].drain_from_ms = w->evidence_ms + world_below(w, 100);
		w->node[i].drain_until_ms = w->evidence_ms + 40000 + world_below(w, 20000);
		w->node[i].emptied_ms = w->evidence_ms + 500 + world_below(w, 20000);
	}
}

/*
 * The others get bad evidence, and question the sound node while its process is stopped. Meanwhile
 * it loses its port or its program.
 */
static void plan_pauses(struct world *w)
{
	struct world_node *n = &w->node[w->sound];
	uint64_t lost_ms;

	plan_network(w, false);
	w->forges = true;
	n->paused_from_ms = w->evidence_ms - 100 - world_below(w, 400);
	n->paused_until_ms = w->evidence_ms + 300 + world_below(w, 3000);
	lost_ms = w->evidence_ms + world_below(w, 250);
	add_wrong(n, world_below(w, 2) ? ANNOUNCE_FACT_PORT : ANNOUNCE_FACT_PROGRAM, ANNOUNCE_NO,
	          lost_ms, n->paused_until_ms + 3000 + world_below(w, 20000));
	for (uint32_t i = 0; i < w->n_nodes; i++)
		if (i != w->sound)
			add_evidence(w, i, w->evidence_ms, w->evidence_ms + 30000);
}

/* As when their switch starts again. */
static void plan_ports(struct world *w)
{
	plan_network(w, false);
	w->may_go = true;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		uint64_t from = w->evidence_ms + world_below(w, 60);

		add_wrong(&w->node[i], ANNOUNCE_FACT_PORT, ANNOUNCE_NO, from, from + 1000);
	}
}

/*
 * The sound node has let the others go, and dies; a second or two later the others are well. Without
 * the program on one port they are so for longer, but half of the packets are better than none.
 */
static void plan_deaths(struct world *w)
{
	struct world_node *n = &w->node[w->sound];
	uint64_t lasts_ms = w->cause == ANNOUNCE_FACT_COVERED ? 60000 : 1000;

	plan_network(w, false);
	w->may_go = true;
	n->dead_ms = w->evidence_ms + 3000;
	for (uint32_t i = 0; i < w->n_nodes; i++)
		if (i != w->sound)
			add_evidence(w, i, w->evidence_ms,
			             n->dead_ms + lasts_ms + world_below(w, 1000));
}

/*
 * Node 0 loses its port every twelve minutes or so; the others are well. During each hold-down a new
 * document is not in force for a moment. In some worlds nobody tells the node of the others.
 */
static void plan_flaps(struct world *w)
{
	plan_network(w, false);
	w->step_ms = 100;
	w->end_ms = BEGIN_MS + 4300000;
	if (world_below(w, 2))
		w->node[0].deaf_ms = w->evidence_ms;
	for (uint32_t k = 0; k < 6; k++) {
		uint64_t from = w->evidence_ms + k * 700000 + world_below(w, 60000);
		uint64_t document = from + 10000 + world_below(w, 15000);

		add_wrong(&w->node[0], ANNOUNCE_FACT_PORT, ANNOUNCE_NO, from, from + 5000);
		add_wrong(&w->node[0], ANNOUNCE_FACT_DOCUMENT, ANNOUNCE_NO, document,
		          document + 300);
	}
}

static enum announce_fact choose_cause(struct world *w)
{
	uint32_t n = world_below(w, 5);

	return n == 0 ? ANNOUNCE_FACT_PROBE : n == 1 ? ANNOUNCE_FACT_COVERED : ANNOUNCE_FACT_POOLS;
}

void world_plan(struct world *w, enum world_kind kind, uint64_t seed)
{
	static void (*const plans[WORLD_KINDS])(struct world *) = {
		plan_same,   plan_sites,  plan_storm, plan_restarts, plan_mixed,
		plan_drains, plan_pauses, plan_ports, plan_deaths,   plan_flaps
	};

	memset(w, 0, sizeof(*w));
	w->kind = kind;
	w->seed = seed;
	w->rng = seed * 0xd1342543de82ef95u + 1;
	w->now_ms = BEGIN_MS;
	w->step_ms = 5;
	w->end_ms = BEGIN_MS + 300000;
	w->evidence_ms = BEGIN_MS + 12000 + 10 * world_below(w, 500);
	w->cause = choose_cause(w);
	w->n_nodes = 2 + world_below(w, WORLD_NODES_MAX - 1);
	w->n_sites = kind == WORLD_SAME ? 1 : kind == WORLD_SITES ? 2 : 1 + world_below(w, 2);
	w->bad_site = world_below(w, w->n_sites);
	w->sound = world_below(w, w->n_nodes);
	make_nodes(w);
	plans[kind](w);
}

/* --- what shall have happened at a certain time --- */

static bool is_lowest(const struct world *w, uint32_t self)
{
	for (uint32_t i = 0; i < w->n_nodes; i++)
		if (strcmp(w->node[i].name, w->node[self].name) < 0)
			return false;
	return true;
}

/*
 * With failing pools everywhere one node stays, in a tie the one with the lowest name; with refused
 * probes, or a port without the program, no node that knows of it confirms.
 */
static void check_same(struct world *w)
{
	if (!w->tie) {
		if (w->cause == ANNOUNCE_FACT_POOLS && world_announcing(w) != 1)
			world_fail(w, "not one node has stayed");
		return;
	}
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		bool stays = is_lowest(w, i) || w->cause != ANNOUNCE_FACT_POOLS;

		if (w->node[i].had_route != stays)
			world_fail(w, stays ? "the lowest name has not stayed"
			                    : "a higher name has not left");
	}
}

static void check_sites(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		bool stays = w->node[i].site != w->bad_site;

		if (w->node[i].had_route != stays)
			world_fail(w, stays ? "a node of the good site has left"
			                    : "a node of the bad site has not left");
	}
}

static void check_drains(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		const struct world_node *n = &w->node[i];

		if (i == w->sound)
			continue;
		if (n->routes.in_kernel[ANNOUNCE_NORMAL])
			world_fail(w, "a drained node is in the normal table");
		if (w->sound == WORLD_NODES_MAX && !n->had_route)
			world_fail(w, "a drain withdrew though no other node stayed");
		if (w->sound < WORLD_NODES_MAX && w->delay_max_ms < 10 && n->had_route)
			world_fail(w, "a drained node has not left");
	}
}

static void check_somebody(struct world *w)
{
	if (world_announcing(w) == 0)
		world_fail(w, "seconds after the last one was gone, nobody announces");
}

static void check_moment(struct world *w)
{
	uint64_t after_ms = w->now_ms - w->evidence_ms;

	if (w->kind == WORLD_SAME && after_ms == (w->tie ? 3000 : 14000))
		check_same(w);
	else if (w->kind == WORLD_SITES && after_ms == 11000)
		check_sites(w);
	else if (w->kind == WORLD_DRAINS && after_ms == 35000)
		check_drains(w);
	else if (w->kind == WORLD_PORTS && after_ms == 6000)
		check_somebody(w);
	else if (w->kind == WORLD_DEATHS && (after_ms == 2900 || after_ms == 10000))
		check_somebody(w);
}

static bool is_held_down(const struct world *w, const struct world_node *n)
{
	return w->loss_percent && n->expected_hold_ms && !n->had_route;
}

/*
 * At the end all is well again, and every node announces in the normal table only. Where
 * messages are lost, a node returns early and fails again, so it may still be held down.
 */
static void check_end(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		const struct announce_routes *r = &w->node[i].routes;

		if (w->node[i].dead_ms || is_held_down(w, &w->node[i]))
			continue;
		if (!r->in_kernel[ANNOUNCE_NORMAL] || r->in_kernel[ANNOUNCE_SHUTDOWN])
			world_fail(w, "a node that is well does not announce at the end");
	}
	if (w->kind == WORLD_SAME && w->cause == ANNOUNCE_FACT_POOLS && w->n_left == 0)
		world_fail(w, "nothing was at stake");
	if (w->kind == WORLD_FLAPS && w->node[0].expected_hold_ms != 600000)
		world_fail(w, "the hold-down has not grown to its longest");
}

static void run_world(struct world *w, enum world_kind kind, uint64_t seed)
{
	world_plan(w, kind, seed);
	while (w->now_ms < w->end_ms && !w->fault) {
		world_step(w);
		check_moment(w);
	}
	if (!w->fault)
		check_end(w);
}

/* One world in 50 runs for an hour; the others share the rest. */
static enum world_kind kind_of(uint64_t seed)
{
	return seed % 50 == 0 ? WORLD_FLAPS : (enum world_kind)(seed % WORLD_FLAPS);
}

/* What the runs had in all. */
struct sums {
	uint64_t at_stake, last_kept, passed, left;
};

static void add_run(struct sums *sums, const struct world *w, const struct schedule_options *o,
                    uint64_t seed)
{
	sums->at_stake += !w->may_go;
	sums->last_kept += !w->may_go && !w->last_lost;
	sums->left += w->n_left;
	sums->passed += !w->fault;
	if (w->fault)
		printf("  FAULT: %s (%s, seed %" PRIu64 ", at %" PRIu64 " ms)\n", w->fault,
		       kind_names[w->kind], seed, w->fault_ms - BEGIN_MS);
	else if (o->verbose)
		printf("  %-8s seed %" PRIu64 ": %u nodes, %u withdrawals for a shared cause\n",
		       kind_names[w->kind], seed, w->n_nodes, w->n_left);
}

static bool write_figures(const struct schedule_options *o, const struct sums *sums)
{
	FILE *f = schedule_open_figures(o->figures);

	if (!f)
		return false;
	fprintf(f,
	        "{\n \"runs\": %" PRIu64 ",\n \"failed\": %" PRIu64 ",\n \"at_stake\": %" PRIu64
	        ",\n \"last_kept\": %" PRIu64 "\n}\n",
	        o->runs, o->runs - sums->passed, sums->at_stake, sums->last_kept);
	return fclose(f) == 0;
}

int main(int argc, char **argv)
{
	struct schedule_options o = { .runs = 1000, .first = 1 };
	struct sums sums = { 0 };
	static struct world w;

	if (!schedule_read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: announce_sim [--runs N] [--first SEED] [--verbose] "
		                "[--brief] [--figures FILE]\n");
		return 2;
	}
	for (uint64_t seed = o.first;
	     seed < o.first + o.runs && !(o.brief && sums.passed < seed - o.first); seed++) {
		run_world(&w, kind_of(seed), seed);
		add_run(&sums, &w, &o, seed);
	}
	printf("runs %" PRIu64 ", at_stake %" PRIu64 ", last_kept %" PRIu64
	       ", withdrawals for a shared cause %" PRIu64 "\n",
	       o.runs, sums.at_stake, sums.last_kept, sums.left);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", sums.passed, o.runs - sums.passed);
	if (o.figures && !write_figures(&o, &sums))
		return 1;
	return sums.passed == o.runs ? 0 : 1;
}
