/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread for each document. Joining the thread gives back `result`, and the two sides never use
 * it at the same time, so there is no lock. An eventfd tells the loop to join.
 */
#include "announce/document.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"

struct document_thread {
	struct loop *loop;
	const char *path, *node;
	document_done *done;
	void *arg;
	int event_fd;
	pthread_t thread;
	bool runs, again;            /* again: after the present one, or after a try that failed */
	struct document_read result; /* belongs to the thread while it runs */
};

static void free_result(struct document_read *d)
{
	model_errors_free(&d->errors);
	model_free(d->model);
	*d = (struct document_read){ 0 };
}

static void *run_reading(void *arg)
{
	struct document_thread *d = arg;
	struct document_read *to = &d->result;
	uint64_t one = 1;

	to->err = model_read_without_key(d->path, d->node, &to->model, &to->errors);
	while (write(d->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

int document_start(struct document_thread *d)
{
	int err;

	d->again = d->runs;
	if (d->runs)
		return 0;
	d->result = (struct document_read){ 0 };
	err = -pthread_create(&d->thread, NULL, run_reading, d);
	d->runs = !err;
	d->again = err != 0;
	return err;
}

void document_tick(struct document_thread *d)
{
	if (d->again && !d->runs && !document_start(d))
		log_info("document-read-again", "path=%s", d->path);
}

static void on_read(void *arg, int fd, uint32_t events)
{
	struct document_thread *d = arg;
	struct document_read result;
	uint64_t count;
	int err = 0;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 || !d->runs)
		return;
	pthread_join(d->thread, NULL);
	d->runs = false;
	result = d->result; /* a copy: the next thread writes there */
	if (d->again)
		err = document_start(d);
	if (err)
		log_error("document-not-read", "path=%s error=\"%s\"", d->path, strerror(-err));
	err = d->done(d->arg, &result);
	if (!d->runs && model_may_pass(err)) /* else the reading that runs decides */
		d->again = true;
	free_result(&result);
}

int document_open(struct loop *l, const char *path, const char *node, document_done *done,
                  void *arg, struct document_thread **out)
{
	struct document_thread *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	*d = (struct document_thread){
		.loop = l, .path = path, .node = node, .done = done, .arg = arg
	};
	d->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = d->event_fd < 0 ? -errno : loop_fd_add(l, d->event_fd, EPOLLIN, on_read, d);
	if (err) {
		if (d->event_fd >= 0)
			close(d->event_fd);
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

void document_close(struct document_thread *d)
{
	if (!d)
		return;
	if (d->runs) {
		pthread_join(d->thread, NULL);
		free_result(&d->result);
	}
	loop_fd_remove(d->loop, d->event_fd);
	close(d->event_fd);
	free(d);
}
