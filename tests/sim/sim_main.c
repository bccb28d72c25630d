/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios for the rules of owners (sim.h). Usage: owners_sim [--long] [--scenario NAME] [--seed N]
 *
 * Fails if an established or completing connection breaks except on a dead backend, if a UDP
 * flow moves against its policy, if a drained backend gets new flows while there is room to
 * remember them, or if anything is left unsettled long after the last change.
 *
 * What is promised where a flow changes balancers, which share nothing: settled slots agree;
 * so the last scenario only measures what moves while slots are unsettled. With agents none breaks
 * then either, if balancers see the same deaths; where they see them one after another, and lose their tables, very
 * few do ("views").
 */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MS 20u
/* Until the last flow has ended and the last slot settled. */
#define QUIET_MS (3600u * 1000u)

struct sim_result sim_run(const struct sim_options *options)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct sim_result result;
	uint64_t end_ms;

	if (!sim)
		abort();
	sim->options = *options;
	sim->rng = options->seed * 0x9e3779b97f4a7c15u;
	sim_world_init(sim);
	sim_flows_init(sim);
	end_ms = sim->now_ms + options->seconds * 1000;
	for (; sim->now_ms < end_ms + QUIET_MS; sim->now_ms += STEP_MS) {
		if (sim->now_ms >= end_ms)
			sim->quiet = true;
		if (sim->quiet && sim_flows_living(sim) == 0)
			sim->now_ms += 1000 - STEP_MS;
		sim_world_tick(sim);
		sim_flows_run(sim);
	}
	sim_world_judge(sim);
	result = sim->result;
	sim_flows_fini(sim);
	sim_world_fini(sim);
	free(sim);
	return result;
}

/* A scenario, and what is demanded of it beside that nothing breaks. */
struct scenario {
	const char *name, *why;
	struct sim_options options;
	bool room; /* there is always room: drained backends get no new flow */
};

static const struct scenario scenarios[] = {
	{ "seldom",
	  "changes each minute",
	  { .change_every_s = 60, .starts_per_s = 100, .sets = 8192, .balancers = 1 },
	  true },
	{ "often",
	  "changes each 5 seconds",
	  { .change_every_s = 5, .starts_per_s = 100, .sets = 8192, .balancers = 1 },
	  true },
	{ "udp",
	  "UDP and TCP in one pool",
	  { .change_every_s = 20,
	    .starts_per_s = 100,
	    .udp_share = .5,
	    .sets = 8192,
	    .balancers = 1,
	    .restarts = true },
	  false },
	{ "flood",
	  "SYN floods of ten times the table",
	  { .change_every_s = 20,
	    .starts_per_s = 100,
	    .udp_share = .1,
	    .sets = 128,
	    .balancers = 1,
	    .floods = true },
	  false },
	{ "storm",
	  "all at once, two balancers, restarts",
	  { .change_every_s = 10,
	    .starts_per_s = 100,
	    .udp_share = .2,
	    .sets = 128,
	    .balancers = 2,
	    .floods = true,
	    .restarts = true },
	  false },
	{ "agents",
	  "second chance: changes of backends and of balancers at the same time",
	  { .change_every_s = 5,
	    .starts_per_s = 100,
	    .udp_share = .1,
	    .sets = 8192,
	    .balancers = 2,
	    .roaming = .5,
	    .agents = true },
	  false },
	{ "views",
	  "second chance: balancers see deaths one after another, die and miss what happens",
	  { .seconds = 600, /* later all lists are full */
	    .change_every_s = 12,
	    .starts_per_s = 100,
	    .sets = 8192,
	    .balancers = 2,
	    .roaming = .5,
	    .agents = true,
	    .views = true },
	  false },
	{ "roaming",
	  "flows that change balancers: measured",
	  { .change_every_s = 60,
	    .starts_per_s = 100,
	    .sets = 8192,
	    .balancers = 2,
	    .roaming = .2 },
	  true },
};

static void print_head(void)
{
	printf("%-8s %4s %8s %7s %7s %9s %8s %8s %7s %9s\n", "world", "seed", "flows", "broken",
	       "udp br.", "segments", "killed", "changes", "exc.", "places");
}

static void print_row(const struct scenario *s, uint64_t seed, const struct sim_result *r)
{
	printf("%-8s %4" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " %9" PRIu64 " %8" PRIu64
	       " %8" PRIu64 " %7u %9u\n",
	       s->name, seed, r->flows, r->broken, r->broken_udp, r->segments, r->killed,
	       r->changes + r->deaths, r->most_exceptions, r->places);
	if (s->options.agents)
		printf("  %" PRIu64 " segments passed on\n", r->passed_on);
	if (r->roaming_flows > 0)
		printf("  %" PRIu64 " flows changed balancers at random, %" PRIu64
		       " of them broke\n",
		       r->roaming_flows, r->broken_roaming);
	fflush(stdout);
}

static void print_events(const struct sim_result *r)
{
#define LABEL(name, label, text) label,
	static const char *const labels[] = { OWNER_EVENTS(LABEL) };
#undef LABEL
	printf("  ");
	for (int e = 1; e < OWNER_EVENT_COUNT; e++)
		printf(" %s %" PRIu64, labels[e], r->events[e]);
	printf(" | refused %" PRIu64 " migrated %" PRIu64 " reset %" PRIu64 " quoted %" PRIu64
	       " flood %" PRIu64 " restarts %" PRIu64 " begun on leavers %" PRIu64 "\n",
	       r->refused, r->migrated, r->reset, r->quoted, r->flood, r->restarts,
	       r->begun_on_leavers);
}

/* Whether the result keeps the promises; says which not. */
static bool judge_result(const struct scenario *s, const struct sim_result *r)
{
	const struct {
		const char *what;
		bool bad;
	} faults[] = {
		{ "a connection broke", r->broken > 0 && !s->options.views },
		{ "a UDP flow moved against its policy", r->broken_udp > 0 },
		{ "a UDP flow stayed when a drain was over", r->stayed > 0 && !s->options.floods },
		{ "a drained backend got new flows though there was room",
		  s->room && r->begun_on_leavers >
		                     r->events[OWNER_EVENT_FULL] + r->events[OWNER_EVENT_SPILLED] },
		{ "slots look further long after the end",
		  r->looking_at_end > 0 && !s->options.agents },
		{ "balancers disagree when settled", r->disagreeing_slots > 0 },
		{ "nothing was at stake",
		  s->options.agents ? r->passed_on == 0 : r->events[OWNER_EVENT_FOLLOWED] == 0 },
		{ "a connection broke that changed balancers",
		  s->options.agents && r->broken_roaming > 0 && !s->options.views },
		{ "more than one in 2,000 broke",
		  s->options.views && (r->broken + r->broken_roaming) * 2000 > r->flows },
		{ "the flood met no fullness",
		  s->options.floods && r->events[OWNER_EVENT_FULL] == 0 },
	};
	bool ok = true;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].bad)
			printf("  FAULT: %s\n", faults[i].what);
		ok &= !faults[i].bad;
	}
	return ok;
}

/* Run one scenario with one seed, and print its row. @return whether it passed */
static bool run_scenario(const struct scenario *s, uint64_t seed, uint32_t seconds)
{
	struct sim_options options = s->options;
	struct sim_result r;

	options.seed = seed;
	if (options.seconds == 0)
		options.seconds = seconds;
	r = sim_run(&options);
	print_row(s, seed, &r);
	print_events(&r);
	return judge_result(s, &r);
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = 1;
	uint32_t seconds = 600;
	const char *only = NULL;
	unsigned passed = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--long") == 0) {
			seeds = 4;
			seconds = 3000;
		} else if (strcmp(argv[i], "--scenario") == 0 && i + 1 < argc) {
			only = argv[++i];
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			first = seeds = strtoull(argv[++i], NULL, 10);
		} else {
			fprintf(stderr,
			        "usage: owners_sim [--long] [--scenario NAME] [--seed N]\n");
			return 2;
		}
	}
	print_head();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (only && strcmp(only, scenarios[i].name) != 0)
			continue;
		for (uint64_t seed = first; seed <= seeds; seed++) {
			bool ok = run_scenario(&scenarios[i], seed, seconds);

			passed += ok;
			failed += !ok;
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed ? 1 : 0;
}
