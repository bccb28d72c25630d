/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world's time: what goes wrong, what nodes do, what reaches whom. Who judges: operations_judge.c.
 */
#include "operations_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "operations_judge.h"
#include "schedule.h"

uint32_t world_below(struct world *w, uint32_t n)
{
	return schedule_below(&w->rng, n);
}

bool world_chance(struct world *w, uint32_t per_mille)
{
	return world_below(w, 1000) < per_mille;
}

void world_fault(struct world *w, const char *format, ...)
{
	va_list arguments;

	if (*w->fault_text)
		return;
	va_start(arguments, format);
	(void)vsnprintf(w->fault_text, sizeof(w->fault_text), format, arguments);
	va_end(arguments);
}

static void make_nodes(struct world *w)
{
	w->n_nodes = w->n_sites * (1 + world_below(w, 2));
	if (w->n_nodes > WORLD_NODES)
		w->n_nodes = WORLD_NODES;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];

		(void)snprintf(n->name, sizeof(n->name), "n%u", i);
		n->site = i % w->n_sites;
		(void)snprintf(n->site_name, sizeof(n->site_name), "s%u", n->site);
		n->alive = true;
		n->dns = true;
	}
}

void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->rng = (seed + 1) * 0x9e3779b97f4a7c15u;
	w->now_ms = 1700000000000;
	w->chaos = true;
	w->n_sites = 2 + world_below(w, WORLD_SITES - 1);
	w->n_ops = 1 + world_chance(w, 400);
	w->ttl_s = world_chance(w, 500) ? 5 : 5 + world_below(w, 56);
	w->max_out = 1 + world_below(w, 2);
	w->forces = seed % 4 == 3;
	w->store_group = STORE_ALL;
	for (uint32_t i = 0; i < w->n_sites; i++) {
		struct world_site *site = &w->site[i];

		(void)snprintf(site->name, sizeof(site->name), "s%u", i);
		site->base = 100 + world_below(w, 10000);
		site->capacity =
		        world_chance(w, 300) ? 0 : 20 * (site->base + world_below(w, 10000));
		site->up = !world_chance(w, 20);
		site->down_ms = site->up ? 0 : w->now_ms + world_below(w, 600000);
		site->pools = true;
		site->has_backup = world_chance(w, 500);
	}
	make_nodes(w);
}

static bool is_target_free(const struct world *w, uint32_t k, const char *site)
{
	for (uint32_t j = 0; j < w->n_ops; j++)
		if (j != k && w->stored[j].revision &&
		    operation_targets_site(&w->stored[j].rec, site))
			return false;
	return true;
}

static uint32_t clock_level(const struct model_override *clock, int64_t at_ms)
{
	return clock->until_ms ? model_override_ppm(clock, at_ms) : 0;
}

/* A drain by the clock may be there that rises, rests or returns. @return that, or nothing */
static struct model_override make_clock(struct world *w)
{
	int64_t over_ms = (int64_t)world_below(w, 2) * world_below(w, 600000);

	if (!world_chance(w, 300))
		return (struct model_override){ 0 };
	return (struct model_override){
		.kind = MODEL_OVERRIDE_DRAIN,
		.from_ms = w->now_ms - 60000 - world_below(w, 300000),
		.over_ms = over_ms,
		.until_ms = w->now_ms + (int64_t)world_below(w, 600000) - 60000,
	};
}

void world_begin(struct world *w, uint32_t k)
{
	struct world_node *n = &w->node[world_below(w, w->n_nodes)];
	struct operation_target targets[2] = { { .override_id = "override-1" },
		                               { .override_id = "override-2" } };
	char id[16], error[OPERATION_DETAIL_MAX];
	static struct operation begun;
	struct operation_request r = { .id = id, .node = n->name, .targets = targets };
	struct model_override clock;
	uint32_t first = world_below(w, w->n_sites);

	for (uint32_t i = 0; i < 1u + (w->n_sites > 3 && world_chance(w, 200)); i++) {
		struct operation_target *target = &targets[r.n_targets];

		(void)snprintf(target->site, sizeof(target->site), "%s",
		               w->site[(first + i) % w->n_sites].name);
		r.n_targets += is_target_free(w, k, target->site);
	}
	if (!n->alive || n->revision[k] || !r.n_targets)
		return;
	(void)snprintf(id, sizeof(id), "op%u", k);
	r.stamp = 1;
	r.kind = world_chance(w, 200) ? OPERATION_SHIFT : OPERATION_DRAIN;
	r.person.goal_ppm = 50000 + 100000 * world_below(w, 9);
	r.person.until_ms = world_chance(w, 400) ? w->now_ms + 60000 + world_below(w, 1200000)
	                                         : MODEL_TIME_NEVER;
	r.person.over_ms = world_chance(w, 300) ? world_below(w, 300000) : 0;
	r.person.now = world_chance(w, 100);
	r.service = r.person.author = r.person.principal = r.person.reason = "";
	clock = make_clock(w);
	r.has_override = clock.until_ms != 0;
	r.level_ppm = clock_level(&clock, w->now_ms + n->clock_off_ms);
	r.ahead_ppm = clock_level(&clock, w->now_ms + n->clock_off_ms + 30000);
	if (r.person.until_ms <= w->now_ms ||
	    operation_init(&begun, &r, w->now_ms + n->clock_off_ms, error))
		return;
	if (store_decide(w, n, k, &begun) == STORE_REFUSED)
		return;
	n->ticked_ms[k] = 0;
	w->clock[k] = clock;
	for (uint32_t i = 0; i < w->n_sites; i++) /* clients have followed it before */
		if (operation_targets_site(&begun, w->site[i].name))
			w->site[i].level_ppm = clock_level(&clock, w->now_ms);
}

void world_forget_times(struct operation *op)
{
	op->waited_ms = op->in_step_ms = op->unknown_ms = op->unnamed_ms = op->state_ms = 0;
	op->behind_ms = 0;
}

static int compare_overrides(const struct world_override *a, const struct world_override *b)
{
	if (a->commanded_ms != b->commanded_ms)
		return a->commanded_ms > b->commanded_ms ? 1 : -1;
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch ? 1 : -1;
	return (a->step > b->step) - (a->step < b->step);
}

static void merge_override(struct world_node *to, const struct world_override *over, uint32_t k)
{
	if (compare_overrides(over, &to->over[k]) > 0)
		to->over[k] = *over;
}

static struct world_override from_write(const struct operation_write *write)
{
	return (struct world_override){
		.epoch = write->epoch,
		.step = write->step,
		.ended = write->ended,
		.from_ms = write->from_ms,
		.over_ms = write->over_ms,
		.from_ppm = write->from_ppm,
		.to_ppm = write->to_ppm,
	};
}

/* As operations_make_steps() does. */
void world_make_step(struct world_node *n, uint32_t k)
{
	const struct operation *op = &n->rec[k];
	const struct world_override over = from_write(&op->write);

	if (op->write.epoch && strcmp(op->hold.code, "command") != 0 && !n->over[k].commanded_ms &&
	    (n->over[k].epoch || !operation_is_over(op)))
		merge_override(n, &over, k);
}

static void print_act(const struct world *w, const struct world_node *n, uint32_t k,
                      const struct operation_write *was, const struct operation_act *act)
{
	const struct operation_write *write = &n->rec[k].write;

	for (size_t i = 0; i < act->n_events; i++)
		printf("%8lld op%u %s: %s\n", (long long)w->now_ms, k, n->name, act->events[i]);
	if (write->epoch != was->epoch || write->step != was->step)
		printf("%8lld op%u %s: write %u.%u %u -> %u\n", (long long)w->now_ms, k, n->name,
		       write->epoch, write->step, write->from_ppm, write->to_ppm);
}

/* The engine runs on a copy, and nothing follows from that before the change is decided. */
static void tick_operation(struct world *w, struct world_node *n, uint32_t k)
{
	static struct world_view view;
	static struct operation op;
	struct operation_act act;
	struct operation_write was = n->rec[k].write;

	if (!n->revision[k] || strcmp(n->rec[k].owner, n->name) != 0 ||
	    operation_is_over(&n->rec[k]) || !store_owns(w, n, k))
		return;
	world_look(w, n, k, &view);
	op = n->rec[k];
	operation_next(&op, &view.facts, w->now_ms + n->clock_off_ms, &act);
	if (act.changed && store_decide(w, n, k, &op) != STORE_DECIDED)
		return;
	n->rec[k] = op;
	n->ticked_ms[k] = w->now_ms;
	judge_tick(w, n, k, &was);
	if (w->verbose)
		print_act(w, n, k, &was, &act);
	world_make_step(n, k);
}

static void tick_node(struct world *w, struct world_node *n)
{
	if (!n->alive || n->paused_ms > w->now_ms || (n->ran_ms && w->now_ms - n->ran_ms < 1000))
		return;
	for (uint32_t k = 0; k < w->n_ops; k++)
		tick_operation(w, n, k);
	n->ran_ms = w->now_ms;
}

/* By the code of name servers. */
static void move_level(struct world *w, struct world_node *n, uint32_t k)
{
	const struct world_override *over = &n->over[k];
	const struct ramp_record was = n->ramp[k];
	const struct steps_before before = { .was = &was };
	struct model_override o = {
		.generation = 1 + (uint64_t)over->commanded_ms,
		.epoch = over->epoch,
		.step = over->step,
		.from_ms = over->from_ms,
		.over_ms = over->over_ms,
		.until_ms = MODEL_TIME_NEVER,
		.from_ppm = over->from_ppm,
		.to_ppm = over->to_ppm,
		.is_step = true,
	};

	if (!n->alive || !n->dns)
		return;
	if (!over->epoch && !over->commanded_ms) {
		n->level[k] = clock_level(&w->clock[k], w->now_ms + n->clock_off_ms);
		n->ramp[k] = (struct ramp_record){ .level_known = true, .level_ppm = n->level[k] };
		return;
	}
	n->ramp[k] = (struct ramp_record){ .generation = o.generation,
		                           .epoch = o.epoch,
		                           .step = o.step,
		                           .at_ms = w->now_ms + n->clock_off_ms };
	if (!over->ended)
		steps_follow(&o, &before, &n->ramp[k]);
	if (!over->ended && !over->commanded_ms)
		judge_fall(w, n, k, n->ramp[k].level_ppm);
	n->level[k] = n->ramp[k].level_ppm;
}

/* Clients follow the name servers that live, within one TTL. */
static void move_clients(struct world *w, struct world_site *site)
{
	uint64_t sum = 0, n = 0, step = MODEL_PPM_ALL * (uint64_t)WORLD_STEP_MS / (w->ttl_s * 1000);
	uint32_t aim;

	for (uint32_t k = 0; k < w->n_ops; k++) {
		for (uint32_t i = 0; i < w->n_nodes; i++) {
			const struct world_node *node = &w->node[i];

			if (!w->stored[k].revision || !node->alive || !node->dns ||
			    !operation_targets_site(&w->stored[k].rec, site->name))
				continue;
			sum += node->level[k];
			n++;
		}
	}
	aim = n ? (uint32_t)(sum / n) : site->level_ppm;
	if (site->level_ppm < aim)
		site->level_ppm =
		        aim - site->level_ppm < step ? aim : site->level_ppm + (uint32_t)step;
	else
		site->level_ppm =
		        site->level_ppm - aim < step ? aim : site->level_ppm - (uint32_t)step;
}

static void kill_node(struct world *w, struct world_node *n)
{
	n->alive = false;
	n->back_ms = w->now_ms + 1000 + world_below(w, 300000);
}

static void revive_node(struct world *w, struct world_node *n)
{
	n->alive = true;
	n->ran_ms = 0;
	for (uint32_t k = 0; k < w->n_ops; k++) {
		n->ticked_ms[k] = 0;
		world_forget_times(&n->rec[k]);
		if (world_chance(w, 100))
			n->revision[k] = 0; /* its copy is lost */
	}
}

static void harm_node(struct world *w, struct world_node *n)
{
	switch (world_below(w, 6)) {
	case 0:
		kill_node(w, n);
		break;
	case 1:
		for (uint32_t i = 0; i < w->n_nodes; i++)
			w->node[i].group = world_below(w, 2);
		break;
	case 2:
		for (uint32_t i = 0; i < w->n_nodes; i++)
			w->node[i].group = 0;
		break;
	case 3:
		n->clock_off_ms += (int64_t)world_below(w, 7200000) - 3600000;
		n->clock_bad_ms = world_chance(w, 700) ? w->now_ms + 20000 : 0;
		break;
	case 4:
		n->paused_ms = w->now_ms + world_below(w, 60000);
		break;
	default:
		n->dns = !n->dns;
	}
}

static void harm_site(struct world *w, struct world_site *site)
{
	switch (world_below(w, 5)) {
	case 0:
		site->up = false;
		site->down_ms = w->now_ms + world_below(w, 200000);
		break;
	case 1:
		site->suffers_ms = w->now_ms + 3000 + world_below(w, 60000);
		break;
	case 2:
		site->lost_ms = w->now_ms + world_below(w, 20000);
		break;
	case 3:
		site->capacity = site->capacity * 6 / 10;
		break;
	default:
		w->key_changed = w->key_changed || world_chance(w, 100);
		w->site_gone = world_chance(w, 100);
	}
}

static void run_chaos(struct world *w)
{
	if (world_chance(w, 5))
		harm_node(w, &w->node[world_below(w, w->n_nodes)]);
	if (world_chance(w, 5))
		harm_site(w, &w->site[world_below(w, w->n_sites)]);
	if (world_chance(w, 8))
		world_command(w, world_below(w, w->n_ops), false);
	if (world_chance(w, 3))
		store_harm(w);
	if (world_chance(w, 10))
		store_heal(w);
}

static void run_sites(struct world *w)
{
	for (uint32_t i = 0; i < w->n_sites; i++) {
		struct world_site *site = &w->site[i];

		if (!site->up && site->down_ms <= w->now_ms)
			site->up = true;
		if (site->suffers_ms <= w->now_ms)
			site->suffered_since_ms = 0;
		else if (!site->suffered_since_ms)
			site->suffered_since_ms = w->now_ms;
		move_clients(w, site);
	}
}

static void exchange_overrides(struct world *w)
{
	struct world_node *a = &w->node[world_below(w, w->n_nodes)];
	struct world_node *b = &w->node[world_below(w, w->n_nodes)];

	if (a == b || !a->alive || !world_reaches(w, a, b))
		return;
	for (uint32_t k = 0; k < w->n_ops; k++)
		merge_override(a, &b->over[k], k);
}

void world_run(struct world *w)
{
	w->now_ms += WORLD_STEP_MS;
	if (w->chaos)
		run_chaos(w);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (!w->node[i].alive && w->node[i].back_ms <= w->now_ms)
			revive_node(w, &w->node[i]);
		for (uint32_t k = 0; k < w->n_ops; k++)
			move_level(w, &w->node[i], k);
	}
	run_sites(w);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		for (uint32_t k = 0; k < w->n_ops; k++)
			store_follow(w, &w->node[i], k);
		tick_node(w, &w->node[i]);
	}
	exchange_overrides(w);
	for (uint32_t k = 0; k < w->n_ops; k++) {
		if (store_is_unowned(w, k))
			world_own(w, k);
		judge_agreement(w, k);
	}
}

void world_heal(struct world *w)
{
	w->chaos = false;
	w->site_gone = false;
	store_heal(w);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];

		if (!n->alive)
			revive_node(w, n);
		n->group = 0;
		n->dns = true;
		n->clock_off_ms = n->clock_bad_ms = n->paused_ms = 0;
	}
	for (uint32_t i = 0; i < w->n_sites; i++) {
		w->site[i].up = true;
		w->site[i].suffers_ms = w->site[i].lost_ms = 0;
		w->site[i].capacity = 0;
	}
}

struct operation *world_record(struct world *w, uint32_t k)
{
	return w->stored[k].revision ? &w->stored[k].rec : NULL;
}

struct world_node *world_owner(struct world *w, uint32_t k)
{
	const struct operation *op = world_record(w, k);

	for (uint32_t i = 0; op && i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];

		if (n->alive && n->revision[k] == w->stored[k].revision &&
		    !strcmp(n->name, op->owner))
			return n;
	}
	return NULL;
}
