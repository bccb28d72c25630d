/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drills in the tables (weir/fwd/drill.h). A drill has the row with its id, also after another
 * process has taken the tables over, so its counters go on. Its row is free for another one when the
 * document names it no more; until then its counters can be read.
 *
 * The order of a begin: the pool's slots are unsettled and say where its backup's flows go; then the
 * row *prepares*, which has new flows remembered where they are; and OWNERS_SCHEDULE_MS later it
 * *sends*. So a SYN from before that comes again finds the backend of the first one.
 */
#include "dataplane/tables/compiler_internal.h"

#include "weir/model.h"

static bool is_planned(const struct compiler *n, uint64_t id)
{
	for (size_t i = 0; i < n->plan->n_drills; i++)
		if (n->plan->drills[i].id == id)
			return true;
	return false;
}

static uint32_t state_of(const struct compiler *n, uint32_t row)
{
	return n->shadow.t.drills[row].state;
}

static void set_state(struct compiler *n, uint32_t row, enum fwd_drill_state state)
{
	struct fwd_drill e = n->shadow.t.drills[row];

	e.state = (uint32_t)state;
	shadow_put(&n->shadow, &n->t, FWD_TABLE_drills, row, &e);
}

/* The row with @p id; else one that no drill of the plan has, which there is. */
static uint32_t find_row(const struct compiler *n, uint64_t id)
{
	uint32_t unused = 0;

	for (uint32_t i = 0; i < n->t.n_drills; i++)
		if (n->shadow.t.drills[i].id == id)
			return i;
	for (uint32_t i = n->t.n_drills; i-- > 0;)
		if (!is_planned(n, n->shadow.t.drills[i].id) &&
		    (!n->shadow.t.drills[i].id || n->shadow.t.drills[unused].id))
			unused = i;
	return unused;
}

/* Give @p row to @p d. Its former drill is over: no drill of the plan has it. */
static void make_row(struct compiler *n, uint32_t row, const struct plan_drill *d)
{
	struct fwd_drill e = n->shadow.t.drills[row];

	if (e.id == d->id)
		return;
	for (uint32_t c = 0; c < n->t.n_cpus; c++)
		n->t.drill_counts[c * FWD_DRILLS_MAX + row] = (struct fwd_drill_count){ 0 };
	e.clients = compiler_prefix(&d->override->clients);
	e.id = d->id;
	shadow_put(&n->shadow, &n->t, FWD_TABLE_drills, row, &e);
}

void compiler_bind_drills(struct compiler *n)
{
	for (uint32_t i = 0; i < n->t.n_drills; i++)
		if (!is_planned(n, n->shadow.t.drills[i].id))
			set_state(n, i, FWD_DRILL_OVER);
	for (size_t i = 0; i < n->plan->n_drills && n->t.n_drills; i++) {
		uint32_t row = find_row(n, n->plan->drills[i].id);

		make_row(n, row, &n->plan->drills[i]);
		n->drills[i] = (struct compiler_drill){ .row = row };
	}
}

/* @return when it is due next, or UINT64_MAX */
static uint64_t run_drill(struct compiler *n, struct compiler_drill *d, bool runs, uint64_t now_ms)
{
	if (!runs) {
		set_state(n, d->row, FWD_DRILL_OVER);
		d->sends_ms = 0;
		return UINT64_MAX;
	}
	if (state_of(n, d->row) == FWD_DRILL_SENDS)
		return UINT64_MAX;
	if (!d->sends_ms) {
		set_state(n, d->row, FWD_DRILL_PREPARES);
		d->sends_ms = now_ms + OWNERS_SCHEDULE_MS;
	}
	if (d->sends_ms > now_ms)
		return d->sends_ms;
	set_state(n, d->row, FWD_DRILL_SENDS);
	return UINT64_MAX;
}

uint64_t compiler_run_drills(struct compiler *n, const struct compiler_time *time)
{
	uint64_t due_ms = UINT64_MAX;

	for (size_t i = 0; i < n->plan->n_drills && n->t.n_drills; i++) {
		uint64_t at_ms = run_drill(n, &n->drills[i], n->plan->drills[i].runs, time->now_ms);

		if (at_ms < due_ms)
			due_ms = at_ms;
	}
	return due_ms;
}
