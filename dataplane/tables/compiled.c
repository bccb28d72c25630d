/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread for each document. Starting the thread gives it `from`; joining it gives back `result`; the
 * two sides never use either at the same time, so there is no lock. An eventfd tells the loop to
 * join.
 */
#include "dataplane/tables/compiled.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct compiled_thread {
	struct loop *loop;
	compiled_done *done;
	void *arg;
	int event_fd;
	pthread_t thread;
	bool runs;
	struct compiled_source from; /* belongs to the thread while it runs, as does `result` */
	struct compiled result;
};

/*
 * The grace period is waited for here, in the thread: the loop must not wait for packets under
 * way before it overwrites the spare half of the services table.
 */
void compiled_make(const struct compiled_source *from, struct compiled *out)
{
	struct compiled d = { 0 };
	int64_t wall_clock_ms = clock_believed_ms();
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

static void *run_compile(void *arg)
{
	struct compiled_thread *d = arg;
	uint64_t one = 1;

	compiled_make(&d->from, &d->result);
	while (write(d->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void on_event(void *arg, int fd, uint32_t events)
{
	struct compiled_thread *d = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 || !d->runs)
		return;
	pthread_join(d->thread, NULL);
	d->runs = false;

	/* a copy, since the callee may start the next one, whose thread writes d->made at once */
	struct compiled result = d->result;

	d->done(d->arg, &result);
	compiled_free(&result);
}

int compiled_thread_open(struct loop *l, compiled_done *done, void *arg,
                         struct compiled_thread **out)
{
	struct compiled_thread *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	*d = (struct compiled_thread){ .loop = l, .done = done, .arg = arg };
	d->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = d->event_fd < 0 ? -errno : loop_fd_add(l, d->event_fd, EPOLLIN, on_event, d);
	if (err) {
		if (d->event_fd >= 0)
			close(d->event_fd);
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

int compiled_thread_start(struct compiled_thread *d, const struct compiled_source *from)
{
	int err;

	if (d->runs)
		return -EBUSY;
	d->from = *from;
	err = -pthread_create(&d->thread, NULL, run_compile, d);
	d->runs = !err;
	return err;
}

void compiled_thread_close(struct compiled_thread *d)
{
	if (!d)
		return;
	if (d->runs) {
		pthread_join(d->thread, NULL);
		compiled_free(&d->result);
	}
	loop_fd_remove(d->loop, d->event_fd);
	close(d->event_fd);
	free(d);
}
