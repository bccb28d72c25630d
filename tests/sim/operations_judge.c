/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world's judge: each new write of an owner, and each of its ticks, against what is promised, by
 * the truth of the world and not by what the owner knows.
 */
#include "operations_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGREE_MS    20000  /* nodes that had gone further are followed meanwhile */
#define LARGEST_PPM 250000 /* step of a plan */

/* A hold on a way back comes from where the stopped step began. */
static bool is_step(const struct operation *op)
{
	return op->step_runs && op->n_steps &&
	       op->steps[op->n_steps - 1].write_step == op->write.step;
}

static bool are_targets_down(const struct world *w, const struct operation *op)
{
	for (uint32_t i = 0; i < w->n_sites; i++) {
		if (operation_targets_site(op, w->site[i].name) && w->site[i].up)
			return false;
	}
	return true;
}

static bool is_undrained(const struct world *w, uint32_t i)
{
	return w->site[i].up && w->site[i].level_ppm < MODEL_PPM_ALL;
}

static void judge_sites(struct world *w, const struct operation *op,
                        const struct operation_write *write)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < w->n_sites; i++) {
		bool target = operation_targets_site(op, w->site[i].name);

		left += !target && is_undrained(w, i);
		if (target && write->to_ppm < write->from_ppm && !w->site[i].up)
			world_fault(w, "a step towards a site that is down");
	}
	if (!left && write->to_ppm > write->from_ppm)
		world_fault(w, "a step leaves no site");
}

static void judge_reached(struct world *w, const struct world_node *n, const struct operation *op,
                          uint32_t k, const struct operation_write *write)
{
	uint32_t counted = 0, reached = 0;

	for (uint32_t i = 0; i < w->n_nodes; i++) {
		const struct world_node *other = &w->node[i];
		bool out = write->to_ppm > write->from_ppm;

		if (operation_is_without(op, other->name))
			continue;
		counted++;
		if (!world_reaches(w, n, other))
			continue;
		reached++;
		if (other->dns && w->book[k].last.epoch == write->epoch &&
		    (out ? other->level[k] < write->from_ppm : other->level[k] > write->from_ppm))
			world_fault(w, "a step before %s has the last one", other->name);
	}
	if (reached * 2 <= counted)
		world_fault(w, "a step without a majority");
}

/* On a way back: whether a name server that is reached did not follow the steps until now, as a person who resumes has seen. */
static bool is_one_behind(const struct world *w, const struct world_node *n, uint32_t k,
                          const struct operation_write *write)
{
	bool found = false;

	for (uint32_t i = 0; i < w->n_nodes; i++) {
		const struct world_node *other = &w->node[i];

		found |=
		        world_reaches(w, n, other) && other->dns && other->level[k] > write->to_ppm;
	}
	return found;
}

static void judge_order(struct world *w, const struct world_node *n, uint32_t k,
                        const struct operation_write *write)
{
	const struct operation *op = &n->rec[k];
	const struct world_book *book = &w->book[k];
	uint32_t levels[OPERATION_PLAN_MAX];
	bool out = write->to_ppm > write->from_ppm;

	if (plan_levels(write->from_ppm, write->to_ppm, false, levels) > 1 && !op->now &&
	    !are_targets_down(w, op))
		world_fault(w, "more than one step at once: %u to %u", write->from_ppm,
		            write->to_ppm);
	if (out != (book->way == OPERATION_OUT))
		return;
	if (out ? write->to_ppm <= book->forced_ppm
	        : write->to_ppm >= book->forced_ppm && !is_one_behind(w, n, k, write))
		world_fault(w, "a step to %u twice", write->to_ppm);
}

static void judge_times(struct world *w, const struct world_node *n, uint32_t k,
                        const struct operation_write *write)
{
	const struct world_book *book = &w->book[k];
	int64_t least_ms = OPERATION_AHEAD_MS + (int64_t)w->ttl_s * 1000 + MODEL_AFTER_TTL_MS;

	if (write->from_ms < w->now_ms + n->clock_off_ms + OPERATION_AHEAD_MS)
		world_fault(w, "a step is not announced 2 s ahead");
	if (book->last_step.epoch == write->epoch && book->stepped_ms &&
	    write->from_ppm == book->last_step.to_ppm &&
	    w->now_ms - book->stepped_ms < least_ms - 2000)
		world_fault(w, "a step after %lld ms, with answers of the last in use",
		            (long long)(w->now_ms - book->stepped_ms));
}

static void judge_receivers(struct world *w, const struct operation *op, uint32_t k)
{
	for (uint32_t i = 0; i < w->n_sites; i++) {
		const struct world_site *site = &w->site[i];

		if (operation_targets_site(op, site->name) || !is_undrained(w, i) ||
		    !site->suffered_since_ms || site->lost_ms > w->now_ms - 5000 ||
		    site->down_ms > w->now_ms - 5000)
			continue;
		if (site->suffered_since_ms > w->book[k].way_ms &&
		    w->now_ms - site->suffered_since_ms >= 3000 &&
		    !w->book[k].overridden[OPERATION_GUARD_RECEIVERS])
			world_fault(w, "goes on for 2 s although %s suffers", site->name);
	}
}

static void judge_new_write(struct world *w, struct world_node *n, uint32_t k)
{
	const struct operation *op = &n->rec[k];
	const struct operation_write *write = &op->write;
	struct world_book *book = &w->book[k];

	if (n->over[k].epoch > write->epoch && !w->in_command)
		world_fault(w, "an owner of an earlier epoch writes");
	if (n->over[k].commanded_ms && !w->in_command)
		world_fault(w, "writes after a person's command");
	if (write->epoch < book->epoch)
		return; /* it cannot know; no node that has the later one takes it */
	if (is_step(op)) {
		if (book->must_hold && !w->forces) /* else the other side was held */
			world_fault(w, "a hold by %s is lost at a change of the owner",
			            book->hold_code);
		judge_sites(w, op, write);
		judge_reached(w, n, op, k, write);
		judge_order(w, n, k, write);
		judge_times(w, n, k, write);
		book->stepped_ms = w->now_ms;
		book->last_step = *write;
		book->steps++;
	}
	book->epoch = write->epoch;
	book->last = *write;
}

static void follow_way(struct world *w, const struct operation *op, uint32_t k)
{
	struct world_book *book = &w->book[k];

	if (op->epoch < book->record_epoch)
		return;
	if (op->began_ms != book->began_ms) {
		book->began_ms = op->began_ms;
		book->way_ms = w->now_ms;
	}
	if (op->way != book->way || op->epoch != book->record_epoch ||
	    strcmp(op->owner, book->owner) != 0) {
		book->way = op->way;
		memcpy(book->owner, op->owner, sizeof(book->owner));
		book->forced_ppm = op->level_ppm;
	}
	book->record_epoch = op->epoch;
	if (op->reads_levels || (op->way == OPERATION_OUT ? op->level_ppm > book->forced_ppm
	                                                  : op->level_ppm < book->forced_ppm))
		book->forced_ppm = op->level_ppm;
	book->at_once = book->at_once || op->now;
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		book->overridden[i] = book->overridden[i] || op->overridden[i];
}

static void judge_level(struct world *w, const struct operation *op, uint32_t k)
{
	const struct world_book *book = &w->book[k];

	if (book->by_person || op->reads_levels || op->epoch != book->record_epoch ||
	    op->way != book->way || strcmp(op->owner, book->owner) != 0)
		return;
	if (op->way == OPERATION_OUT ? op->level_ppm < book->forced_ppm
	                             : op->level_ppm > book->forced_ppm)
		world_fault(w, "the level goes back by itself, from %u to %u", book->forced_ppm,
		            op->level_ppm);
}

/* Another owner has gone on, so this one writes nothing and does not matter. */
static bool is_superseded(const struct world *w, const struct operation *op, uint32_t k)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (w->node[i].over[k].epoch > op->epoch || w->node[i].over[k].commanded_ms)
			return true;
	}
	return false;
}

static bool is_ramp_over(const struct world *w, const struct world_node *n, uint32_t k)
{
	return w->now_ms + n->clock_off_ms > n->over[k].from_ms + n->over[k].over_ms;
}

/* Two owners may give one number to different steps. */
static bool is_same_write(const struct world_override *a, const struct world_override *b)
{
	return a->epoch == b->epoch && a->step == b->step && a->from_ms == b->from_ms &&
	       a->from_ppm == b->from_ppm && a->to_ppm == b->to_ppm;
}

/* What a person named absent is not followed while its operation may move. */
static bool may_differ(const struct operation *op, const struct world_node *n)
{
	return operation_is_without(op, n->name) && (operation_moves(op) || operation_is_held(op));
}

/*
 * A level falls only by a step that begins at it or above. So on a way back a name server may be
 * ahead, which is lower, until the steps reach it; on a way out one may be higher once a person has
 * seen it. Else one that is higher is what holds the operation.
 */
static bool is_at_its_place(const struct operation *op, uint32_t to_ppm, uint32_t level_ppm)
{
	if (level_ppm > to_ppm)
		return level_ppm <= op->met_ppm || op->state == OPERATION_FAILED ||
		       (operation_is_held(op) && !strcmp(op->hold.code, "levels"));
	return level_ppm == to_ppm || op->way == OPERATION_BACK;
}

/* Whether a name server that the owner reaches, with the owner's write, is not where that goes. */
static bool do_levels_differ(const struct world *w, const struct world_node *owner, uint32_t k)
{
	const struct world_override *over = &owner->over[k];

	if (over->commanded_ms || over->ended || !is_ramp_over(w, owner, k))
		return false;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		const struct world_node *n = &w->node[i];

		if (!world_reaches(w, owner, n) || !n->dns || !is_same_write(&n->over[k], over) ||
		    !is_ramp_over(w, n, k) || may_differ(&owner->rec[k], n) ||
		    is_at_its_place(&owner->rec[k], over->to_ppm, n->level[k]))
			continue;
		if (w->verbose)
			printf("%8lld op%u %s has %u, the write of %s %u\n", (long long)w->now_ms,
			       k, n->name, n->level[k], owner->name, over->to_ppm);
		return true;
	}
	return false;
}

void judge_agreement(struct world *w, uint32_t k)
{
	const struct world_node *owner = world_owner(w, k);
	struct world_book *book = &w->book[k];

	if (!owner || owner->paused_ms > w->now_ms || owner->rec[k].reads_levels ||
	    !store_reaches(w, owner) /* that is what is told */ || !do_levels_differ(w, owner, k)) {
		book->differ_since_ms = 0;
		return;
	}
	if (!book->differ_since_ms)
		book->differ_since_ms = w->now_ms;
	if (w->now_ms - book->differ_since_ms > AGREE_MS)
		world_fault(w, "a name server is not where its write goes, and nobody is told");
}

void judge_fall(struct world *w, const struct world_node *n, uint32_t k, uint32_t level_ppm)
{
	uint32_t was_ppm = n->level[k];

	if (was_ppm > level_ppm && was_ppm - level_ppm > LARGEST_PPM && !w->book[k].at_once)
		world_fault(w, "%s falls from %u to %u at once", n->name, was_ppm, level_ppm);
}

void judge_tick(struct world *w, struct world_node *n, uint32_t k,
                const struct operation_write *was)
{
	const struct operation *op = &n->rec[k];

	if (!operation_ok(op) || op->n_steps > OPERATION_HISTORY_MAX ||
	    op->n_failures > OPERATION_FAILURES_MAX || op->n_was_late > OPERATION_LATE_MAX)
		world_fault(w, "the record is not one");
	if (op->write.epoch != was->epoch || op->write.step != was->step)
		judge_new_write(w, n, k);
	judge_level(w, op, k);
	follow_way(w, op, k);
	if (op->state == OPERATION_MOVING && op->step_runs && !w->in_command &&
	    !is_superseded(w, op, k))
		judge_receivers(w, op, k);
	if (operation_is_held(op) && (!*op->hold.code || !*op->hold.detail))
		world_fault(w, "held without a reason");
}
