/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread's last act is to add to an eventfd, which tells the loop to join it. */
#include "base/loop_job.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

struct loop_job {
	struct loop *loop;
	loop_cb *work, *done;
	void *arg;
	int event_fd;
	struct thread thread;
};

static void *do_work(void *arg)
{
	struct loop_job *j = arg;
	uint64_t one = 1;

	j->work(j->arg);
	while (write(j->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void on_work_done(void *arg, int fd, uint32_t events)
{
	struct loop_job *j = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	thread_join(&j->thread);
	j->done(j->arg);
}

int loop_job_open(struct loop *l, loop_cb *work, loop_cb *done, void *arg, struct loop_job **out)
{
	struct loop_job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	*j = (struct loop_job){ .loop = l, .work = work, .done = done, .arg = arg };
	j->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int err = j->event_fd < 0 ? -errno : loop_fd_add(l, j->event_fd, EPOLLIN, on_work_done, j);
	if (err) {
		if (j->event_fd >= 0)
			close(j->event_fd);
		free(j);
		return err;
	}
	*out = j;
	return 0;
}

int loop_job_start(struct loop_job *j)
{
	return j->thread.runs ? -EBUSY : thread_start(&j->thread, do_work, j);
}

bool loop_job_runs(const struct loop_job *j)
{
	return j->thread.runs;
}

bool loop_job_close(struct loop_job *j)
{
	if (!j)
		return false;
	bool ran = j->thread.runs;

	thread_join(&j->thread);
	loop_fd_remove(j->loop, j->event_fd);
	close(j->event_fd);
	free(j);
	return ran;
}
