/* SPDX-License-Identifier: BSD-2-Clause */
/* While the thread runs, `from` and `result` are the thread's; see base/loop_job.h. */
#include "dataplane/tables/compiled.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop_job.h"

struct compiled_thread {
	struct loop_job *job;
	compiled_done *done;
	void *arg;
	struct compiled_source from;
	struct compiled result;
};

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

static void compile_document(void *arg)
{
	struct compiled_thread *d = arg;

	compiled_make(&d->from, &d->result);
}

static void hand_over(void *arg)
{
	struct compiled_thread *d = arg;
	struct compiled result = d->result; /* a copy: the callee may start the next one */

	d->done(d->arg, &result);
	compiled_free(&result);
}

int compiled_thread_open(struct loop *l, compiled_done *done, void *arg,
                         struct compiled_thread **out)
{
	struct compiled_thread *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct compiled_thread){ .done = done, .arg = arg };
	int err = loop_job_open(l, compile_document, hand_over, d, &d->job);

	if (err)
		free(d);
	else
		*out = d;
	return err;
}

int compiled_thread_start(struct compiled_thread *d, const struct compiled_source *from)
{
	if (loop_job_runs(d->job))
		return -EBUSY;
	d->from = *from;
	return loop_job_start(d->job);
}

void compiled_thread_close(struct compiled_thread *d)
{
	if (!d)
		return;
	if (loop_job_close(d->job))
		compiled_free(&d->result);
	free(d);
}
