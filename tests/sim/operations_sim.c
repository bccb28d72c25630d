/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations in seeded worlds (operations_world.h), each with one or two of them.
 * Usage: operations_sim [--runs N] [--first SEED] [--verbose] [--brief: end at the first fault]
 *                       [--figures FILE: write the sums there, as JSON]
 *
 * A world is harmed for 5 to 15 minutes; then all is healed, and a patient person resumes what is
 * held. A world fails if a step is made without a majority, without a site left, before all nodes
 * have the last one, too early, twice, two at once, towards a site that is down, or while a receiver
 * suffers; if a level goes back by itself, an epoch falls, a hold is lost when the owner changes, a
 * person's command is written over; or if an operation neither finishes nor is held with a reason.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations_scenes.h"
#include "operations_world.h"
#include "schedule.h"

#define PATIENT_MS 20000   /* between two commands of the patient person */
#define ENDS_MS    5400000 /* all must have ended or be held so long after all is healed */
#define STUCK_MS   1200000 /* longer than any wait of a state that moves */

struct sums {
	uint64_t runs, faults, steps, holds, finished, held, resting;
};

/* A state that moves must change; the key says in which way it has. */
static void watch_progress(struct world *w, uint32_t k)
{
	const struct operation *op = world_record(w, k);
	struct world_book *book = &w->book[k];
	uint64_t key;

	if (!op)
		return;
	key = (((uint64_t)op->epoch * 64 + op->writes) * 16 + (uint64_t)op->state) * 64 +
	      op->step * 8 + op->stage;
	if (key != book->same_key || !operation_moves(op)) {
		book->same_key = key;
		book->same_since_ms = w->now_ms;
	}
	if (w->now_ms - book->same_since_ms > STUCK_MS)
		world_fault(w, "op%u is %s, waits for \"%s\" and for ever", k,
		            operation_state_text(op->state), op->waits);
}

static bool is_settled(struct world *w, uint32_t k)
{
	const struct operation *op = world_record(w, k);

	return !op || operation_is_over(op) ||
	       ((op->state == OPERATION_RESTING || op->state == OPERATION_EMPTY) &&
	        op->until_ms > w->now_ms);
}

/* Patience has an end: what is not settled then must be held, or say what it waits for. */
static void judge_end(struct world *w, uint32_t k, struct sums *sums)
{
	const struct operation *op = world_record(w, k);

	if (!op || operation_is_over(op)) {
		sums->finished++;
		return;
	}
	if (operation_is_held(op)) {
		sums->held++;
		if (!*op->hold.code || !*op->hold.detail)
			world_fault(w, "op%u is held without a reason", k);
		return;
	}
	sums->resting++;
	if (operation_moves(op) || op->state == OPERATION_RETURNING)
		world_fault(w, "op%u is %s at the end: %s", k, operation_state_text(op->state),
		            op->waits);
	if (op->until_ms < w->now_ms - STUCK_MS)
		world_fault(w, "op%u is %s, and its end has come", k,
		            operation_state_text(op->state));
}

static void run_harmed(struct world *w)
{
	int64_t end_ms = w->now_ms + 300000 + world_below(w, 600000);

	world_begin(w, 0);
	while (w->now_ms < end_ms && !*w->fault_text) {
		if (w->n_ops > 1 && world_chance(w, 10))
			world_begin(w, 1);
		world_run(w);
	}
}

static void run_healed(struct world *w)
{
	int64_t end_ms = w->now_ms + ENDS_MS, command_ms = w->now_ms;

	world_heal(w);
	for (uint32_t k = 0; k < w->n_ops; k++)
		w->book[k].same_since_ms = w->now_ms;
	while (w->now_ms < end_ms && !*w->fault_text) {
		bool settled = true;

		world_run(w);
		for (uint32_t k = 0; k < w->n_ops; k++) {
			watch_progress(w, k);
			settled = settled && is_settled(w, k);
		}
		if (settled)
			break;
		if (w->now_ms - command_ms < PATIENT_MS)
			continue;
		command_ms = w->now_ms;
		world_command(w, world_below(w, w->n_ops), true);
	}
}

static void run_world(uint64_t seed, bool verbose, struct sums *sums)
{
	static struct world w;

	world_init(&w, seed);
	w.verbose = verbose;
	run_harmed(&w);
	run_healed(&w);
	for (uint32_t k = 0; k < w.n_ops; k++) {
		if (!*w.fault_text && w.stored[k].revision)
			judge_end(&w, k, sums);
		sums->steps += w.book[k].steps;
		sums->holds += world_record(&w, k) ? world_record(&w, k)->holds : 0;
	}
	sums->runs++;
	if (!*w.fault_text)
		return;
	sums->faults++;
	printf("FAULT seed %" PRIu64 " at %lld ms: %s\n", seed, (long long)w.now_ms, w.fault_text);
}

static int write_figures(const char *path, const struct sums *s)
{
	FILE *f = schedule_open_figures(path);

	if (!f)
		return 1;
	(void)fprintf(f,
	              "{\"runs\": %" PRIu64 ", \"faults\": %" PRIu64 ", \"steps\": %" PRIu64
	              ", \"holds\": %" PRIu64 ", \"finished\": %" PRIu64 ", \"held\": %" PRIu64
	              ", \"resting\": %" PRIu64 "}\n",
	              s->runs, s->faults, s->steps, s->holds, s->finished, s->held, s->resting);
	return fclose(f) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct schedule_options o = { .runs = 1000 };
	struct sums sums = { 0 };

	if (!schedule_read_options(argc, argv, &o))
		return 2;
	sums.faults += scenes_measure() + scenes_own() + scenes_steps() + scenes_ways() +
	               scenes_behind() + scenes_over();
	for (uint64_t i = 0; i < o.runs && !(o.brief && sums.faults); i++)
		run_world(o.first + i, o.verbose, &sums);
	printf("%" PRIu64 " schedules, %" PRIu64 " steps, %" PRIu64 " holds; at the end %" PRIu64
	       " finished, %" PRIu64 " held, %" PRIu64 " at rest; %" PRIu64 " faults\n",
	       sums.runs, sums.steps, sums.holds, sums.finished, sums.held, sums.resting,
	       sums.faults);
	if (o.figures && write_figures(o.figures, &sums))
		return 1;
	return sums.faults ? 1 : 0;
}
