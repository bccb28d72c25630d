/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread's last act is to add to an eventfd, which tells the loop to join it. The timer of the next try is
 * always set, for NEVER_MS if there is none: so moving it needs no memory, and no try is lost for want of it.
 */
#include "base/loop_job.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

#define NEVER_MS UINT64_MAX

struct loop_job {
	struct loop *loop;
	struct loop_work does;
	int event_fd;
	struct thread thread;
	struct loop_timer next;
	bool accepting, again;
};

static void *do_work(void *arg)
{
	struct loop_job *j = arg;
	uint64_t one = 1;

	j->does.work(j->does.arg);
	while (write(j->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void begin_work(struct loop_job *j);

static void accept_work(struct loop_job *j, int err)
{
	j->accepting = true;
	loop_job_later(j, j->does.accept(j->does.arg, err));
	j->accepting = false;
	if (j->again)
		begin_work(j);
}

static void begin_work(struct loop_job *j)
{
	j->again = false;
	loop_job_later(j, 0);
	if (j->does.begin)
		j->does.begin(j->does.arg);
	int err = thread_start(&j->thread, do_work, j);

	if (err)
		accept_work(j, err);
}

static void on_work_done(void *arg, int fd, uint32_t events)
{
	struct loop_job *j = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	thread_join(&j->thread);
	accept_work(j, 0);
}

void loop_job_start(void *job)
{
	struct loop_job *j = job;

	if (j->thread.runs || j->accepting)
		j->again = true;
	else
		begin_work(j);
}

void loop_job_later(struct loop_job *j, uint64_t after_ms)
{
	(void)loop_timer_set(j->loop, &j->next, after_ms ? clock_mono_ms() + after_ms : NEVER_MS);
}

int loop_job_open(struct loop *l, const struct loop_work *work, struct loop_job **out)
{
	struct loop_job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	*j = (struct loop_job){ .loop = l,
		                .does = *work,
		                .next = { .cb = loop_job_start, .arg = j } };
	j->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int err = j->event_fd < 0 ? -errno : loop_timer_set(l, &j->next, NEVER_MS);

	if (!err)
		err = loop_fd_add(l, j->event_fd, EPOLLIN, on_work_done, j);
	if (err)
		loop_job_close(j);
	else
		*out = j;
	return err;
}

void loop_job_close(struct loop_job *j)
{
	if (!j)
		return;
	thread_join(&j->thread);
	loop_timer_cancel(j->loop, &j->next);
	loop_fd_remove(j->loop, j->event_fd);
	if (j->event_fd >= 0)
		close(j->event_fd);
	free(j);
}
