/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file is watched through its directory (inotify(7)), because a file that is replaced by rename
 * is a new inode. Where that directory goes, or another one takes its place, it is looked for until it is there again. A page is watched by a helper thread that waits on the page's futex and writes to
 * an eventfd; the thread touches nothing else of the loop.
 */
#include "base/loop_internal.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/page.h"
#include "base/thread.h"

#define DIRECTORY_EVENTS                                                                           \
	(IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

struct loop_file_watch {
	struct loop_file_watch *next;
	loop_cb *cb;
	void *arg;
	int directory; /* inotify's number; -1: it has gone */
	bool changed;
	char path[PATH_MAX]; /* of the directory */
	char name[NAME_MAX + 1];
};

struct loop_page_watch {
	struct loop_page_watch *next;
	loop_cb *cb;
	void *arg;
	struct page *page;
	uint32_t epoch; /* the last one that the thread has reported */
	int event_fd;
	pthread_t thread;
	atomic_bool stopping;
};

/* Another directory may be at its path already: each watch is begun again. */
static void leave_directory(struct loop *l, int directory)
{
	for (struct loop_file_watch *w = l->files; w; w = w->next) {
		if (w->directory != directory)
			continue;
		w->directory = -1;
		l->n_lost++;
	}
	(void)inotify_rm_watch(l->inotify_fd, directory); /* of one that is deleted it is gone */
}

void loop_find_directories(struct loop *l)
{
	if (l->now_ms - l->looked_ms < LOOP_BEAT_MS)
		return;
	l->looked_ms = l->now_ms;
	for (struct loop_file_watch *w = l->files; w; w = w->next) {
		if (w->directory >= 0)
			continue;
		w->directory = inotify_add_watch(l->inotify_fd, w->path, DIRECTORY_EVENTS);
		if (w->directory < 0)
			continue;
		l->n_lost--;
		w->cb(w->arg); /* whatever has become of the file meanwhile */
	}
}

static void mark_changed(struct loop *l, const struct inotify_event *e)
{
	if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		leave_directory(l, e->wd);
	for (struct loop_file_watch *w = l->files; w; w = w->next)
		if (e->mask & IN_Q_OVERFLOW ||
		    (e->wd == w->directory && e->len && strcmp(e->name, w->name) == 0))
			w->changed = true;
}

/*
 * All events are read before a callback runs, so that a burst (written, closed, renamed) is one
 * call.
 */
static void on_inotify(void *arg, int fd, uint32_t events)
{
	_Alignas(struct inotify_event) char
	        buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	struct loop *l = arg;
	ssize_t n;

	(void)events;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		const struct inotify_event *e;

		for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(const void *)(buffer + at);
			mark_changed(l, e);
		}
	}
	for (struct loop_file_watch *w = l->files; w; w = w->next) {
		bool changed = w->changed;

		w->changed = false;
		if (changed)
			w->cb(w->arg);
	}
}

static int open_inotify(struct loop *l)
{
	if (l->inotify_fd >= 0)
		return 0;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = loop_fd_add(l, fd, EPOLLIN, on_inotify, l);

	if (err) {
		close(fd);
		return err;
	}
	l->inotify_fd = fd;
	return 0;
}

int loop_watch_file(struct loop *l, const char *path, loop_cb *cb, void *arg)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int err = open_inotify(l);

	if (err)
		return err;
	if (strlen(path) >= sizeof(directory) || strlen(name) > NAME_MAX || !*name)
		return -EINVAL;
	strcpy(directory, path);
	struct loop_file_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	strcpy(w->path, dirname(directory));
	w->directory = inotify_add_watch(l->inotify_fd, w->path, DIRECTORY_EVENTS);
	if (w->directory < 0) {
		err = -errno;
		free(w);
		return err;
	}
	strcpy(w->name, name);
	w->cb = cb;
	w->arg = arg;
	w->next = l->files;
	l->files = w;
	return 0;
}

static void signal_event_fd(int event_fd)
{
	static const uint64_t one = 1;

	/* fails only when 2^64 - 1 notifications wait already */
	if (write(event_fd, &one, sizeof(one)) < 0)
		return;
}

static void *wait_for_page(void *arg)
{
	struct loop_page_watch *w = arg;

	while (!w->stopping && !page_is_replaced(w->page)) {
		page_wait(w->page, w->epoch, 1000);
		uint32_t epoch = page_epoch(w->page);

		if (epoch == w->epoch)
			continue;
		w->epoch = epoch;
		signal_event_fd(w->event_fd);
	}
	return NULL;
}

static void on_page_event(void *arg, int fd, uint32_t events)
{
	struct loop_page_watch *w = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		w->cb(w->arg);
}

/* The helper thread blocks all signals that are the loop's. */
static int start_thread(struct loop_page_watch *w)
{
	sigset_t before;

	thread_block_signals(&before);
	int err = -pthread_create(&w->thread, NULL, wait_for_page, w);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int loop_watch_page(struct loop *l, struct page *page, loop_cb *cb, void *arg)
{
	struct loop_page_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct loop_page_watch){
		.cb = cb, .arg = arg, .page = page, .epoch = page_epoch(page)
	};
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->event_fd < 0) {
		int err = -errno;

		free(w);
		return err;
	}
	int err = loop_fd_add(l, w->event_fd, EPOLLIN, on_page_event, w);

	if (!err)
		err = start_thread(w);
	if (err) {
		loop_fd_remove(l, w->event_fd);
		close(w->event_fd);
		free(w);
		return err;
	}
	w->next = l->pages;
	l->pages = w;
	return 0;
}

static void stop_page_watch(struct loop_page_watch *w)
{
	w->stopping = true;
	/* The thread may be just about to wait, so wake it until it has seen the flag. */
	while (pthread_tryjoin_np(w->thread, NULL) == EBUSY) {
		page_nudge(w->page);
		usleep(200);
	}
	close(w->event_fd);
	free(w);
}

void loop_close_watches(struct loop *l)
{
	for (struct loop_page_watch *w = l->pages, *next; w; w = next) {
		next = w->next;
		stop_page_watch(w);
	}
	for (struct loop_file_watch *w = l->files, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	if (l->inotify_fd >= 0)
		close(l->inotify_fd);
}
