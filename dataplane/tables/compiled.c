/* SPDX-License-Identifier: BSD-2-Clause */
/* What is compiled is the caller's alone until it is handed over, so that any thread may compile. */
#include "dataplane/tables/compiled.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

/* The time to plan for: the one that the loop's thread believes as soon as it has the document. */
static int64_t believe_document(const struct compiled_source *from, const struct model *m)
{
	struct believed believed = from->believed;
	int64_t now_ms = clock_believed_ms();

	believed_not_before(&believed, m->meta.written_ms);
	return believed.wall_clock.at_ms > now_ms ? believed.wall_clock.at_ms : now_ms;
}

/*
 * The grace period is waited for here, in the thread: the loop must not wait for packets under
 * way before it overwrites the spare half of the services table.
 */
void compiled_make(const struct compiled_source *from, struct compiled *out)
{
	struct compiled d = { 0 };
	int64_t wall_clock_ms = 0;
	uint64_t from_ns = clock_mono_ns(), read_ns;

	d.err = model_read_effective(from->path, from->node, &d.model, &d.errors);
	read_ns = clock_mono_ns();
	d.took.read_us = (read_ns - from_ns) / 1000;
	if (!d.err && from->on_model)
		from->on_model(from->arg, d.model);
	if (!d.err && !model_key_keep(d.model, from->before)) {
		/*
		 * other nodes use the right key, so with another one connections would break
		 * between nodes
		 */
		d.err = -EKEYREJECTED;
		snprintf(d.refusal, sizeof(d.refusal), "no hash key to compile tables with: %.200s",
		         d.model->key_fault);
	}
	if (!d.err)
		wall_clock_ms = believe_document(from, d.model);
	if (!d.err)
		d.err = plan_make(d.model, wall_clock_ms, &d.plan, d.refusal);
	if (!d.err)
		plan_fill(d.plan, from->before, wall_clock_ms);
	if (!d.err && from->driver) {
		from->ops->grace(from->driver);
		d.spare_is_free = true;
	}
	d.took.compile_us = (clock_mono_ns() - read_ns) / 1000;
	*out = d;
}

void compiled_free(struct compiled *d)
{
	model_errors_free(&d->errors);
	plan_free(d->plan);
	model_free(d->model);
	*d = (struct compiled){ 0 };
}
