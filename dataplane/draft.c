/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread for each draft. Starting the thread gives it `from`; joining it gives back `made`; the
 * two sides never use either at the same time, so there is no lock. An eventfd tells the loop to
 * join.
 */
#include "dataplane/draft.h"

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

struct drafter {
	struct loop *loop;
	draft_done *done;
	void *arg;
	int event_fd;
	pthread_t thread;
	bool runs;
	struct draft_source from; /* belongs to the thread while it runs, as does `made` */
	struct draft made;
};

/*
 * The grace period is waited for here, in the thread: the loop must not wait for packets under
 * way before it overwrites the spare half of the services table.
 */
void draft_make(const struct draft_source *from, struct draft *out)
{
	struct draft d = { 0 };
	int64_t wall_ms = clock_believed_ms();

	d.err = model_read_effective(from->path, from->node, &d.model, &d.mistakes);
	if (!d.err && !model_key_keep(d.model, from->before)) {
		/*
		 * other nodes use the right key, so with another one connections would break
		 * between nodes
		 */
		d.err = -EKEYREJECTED;
		snprintf(d.why, sizeof(d.why), "no hash key to compile tables with: %.200s",
		         d.model->key_why);
	}
	if (!d.err)
		d.err = plan_make(d.model, wall_ms, &d.plan, d.why);
	if (!d.err)
		plan_fill(d.plan, from->before, wall_ms);
	if (!d.err && from->driver) {
		from->ops->grace(from->driver);
		d.graced = true;
	}
	*out = d;
}

void draft_free(struct draft *d)
{
	model_mistakes_free(&d->mistakes);
	plan_free(d->plan);
	model_free(d->model);
	*d = (struct draft){ 0 };
}

static void *run(void *arg)
{
	struct drafter *d = arg;
	uint64_t one = 1;

	draft_make(&d->from, &d->made);
	while (write(d->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void on_event(void *arg, int fd, uint32_t events)
{
	struct drafter *d = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 || !d->runs)
		return;
	pthread_join(d->thread, NULL);
	d->runs = false;

	/* a copy, since the callee may start the next draft, whose thread writes d->made at once */
	struct draft made = d->made;

	d->done(d->arg, &made);
	draft_free(&made);
}

int drafter_open(struct loop *l, draft_done *done, void *arg, struct drafter **out)
{
	struct drafter *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	*d = (struct drafter){ .loop = l, .done = done, .arg = arg };
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

int drafter_start(struct drafter *d, const struct draft_source *from)
{
	int err;

	if (d->runs)
		return -EBUSY;
	d->from = *from;
	err = -pthread_create(&d->thread, NULL, run, d);
	d->runs = !err;
	return err;
}

void drafter_close(struct drafter *d)
{
	if (!d)
		return;
	if (d->runs) {
		pthread_join(d->thread, NULL);
		draft_free(&d->made);
	}
	loop_fd_remove(d->loop, d->event_fd);
	close(d->event_fd);
	free(d);
}
