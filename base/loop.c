/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A turn waits for descriptors, calls the descriptors' callbacks, then fires all timers that are due.
 * Timers are a binary heap in which each timer knows its index, so cancelling needs no search.
 * Signals come through a signalfd(2).
 *
 * Descriptors index a table. Each registration has a serial number, which events carry: an event of a
 * descriptor that was closed, and whose number was used again within the turn, is recognised and
 * dropped. Most are in an epoll set (level-triggered). The polled ones are given to poll(2) in each
 * turn, together with the epoll set unless it is empty.
 *
 * A file is watched through its directory (inotify(7)), because a file that is replaced by rename is
 * a new inode. Where that directory goes, or another one takes its place, it is looked for until it is
 * there again. A page is watched by a helper thread that waits on the page's futex and writes to an
 * eventfd; the thread touches nothing else of the loop.
 */
#include "base/loop.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/thread.h"

/*
 * Events of a turn. All due timers fire in each turn, so a turn must handle many events to keep
 * up with them.
 */
#define TURN_EVENTS 1024

#define DIRECTORY_EVENTS                                                                           \
	(IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

/* A watched descriptor; the table's index is the descriptor. */
struct loop_fd {
	loop_fd_cb *cb; /* NULL: not watched */
	void *arg;
	uint32_t serial; /* distinguishes a descriptor from an earlier one of the same number */
	bool polled;
};

struct loop {
	int epoll_fd;
	bool stopping, firing;
	uint64_t now_ms;
	uint64_t *beat; /* counts turns; NULL: not counted */
	struct loop_fd *fds;
	size_t n_fds;
	uint32_t serial;
	/* The polled descriptors, and room for epoll_fd behind them. */
	struct pollfd polled[LOOP_POLLED_MAX + 1];
	unsigned n_polled;
	unsigned n_in_epoll;
	struct loop_timer **heap; /* [1..n_timers], the earliest first */
	size_t n_timers, heap_room;
	int signal_fd; /* -1: none yet */
	sigset_t signals;
	struct {
		loop_cb *cb;
		void *arg;
	} on_signal[65];
	int inotify_fd; /* -1: none yet */
	struct loop_file_watch *files;
	unsigned n_lost;    /* watches of files whose directory has gone */
	uint64_t looked_ms; /* for these */
	struct loop_page_watch *pages;
};

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

int loop_open(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return -errno;
	}
	l->signal_fd = l->inotify_fd = -1;
	sigemptyset(&l->signals);
	l->now_ms = clock_mono_ms();
	*out = l;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

/* Timers: a binary heap; each timer knows its index in it, from 1 on. */

static void store_timer(struct loop *l, size_t index, struct loop_timer *t)
{
	l->heap[index] = t;
	t->heap_index = (uint32_t)index;
}

static void sift_up(struct loop *l, size_t index, struct loop_timer *t)
{
	for (; index > 1 && l->heap[index / 2]->at_ms > t->at_ms; index /= 2)
		store_timer(l, index, l->heap[index / 2]);
	store_timer(l, index, t);
}

static void sift_down(struct loop *l, size_t index, struct loop_timer *t)
{
	for (size_t child; (child = index * 2) <= l->n_timers; index = child) {
		if (child < l->n_timers && l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
			child++;
		if (l->heap[child]->at_ms >= t->at_ms)
			break;
		store_timer(l, index, l->heap[child]);
	}
	store_timer(l, index, t);
}

int loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	if (l->n_timers + 2 > l->heap_room && !t->heap_index) {
		size_t room = l->heap_room ? l->heap_room * 2 : 64;
		struct loop_timer **heap = reallocarray(l->heap, room, sizeof(struct loop_timer *));

		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->heap_room = room;
	}
	loop_timer_cancel(l, t);
	/*
	 * a callback that sets its timer into the past must not delay the timers that are due
	 * already
	 */
	t->at_ms = l->firing && at_ms < l->now_ms ? l->now_ms : at_ms;
	sift_up(l, ++l->n_timers, t);
	return 0;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	size_t index = t->heap_index;

	if (!index)
		return;
	t->heap_index = 0;
	struct loop_timer *last = l->heap[l->n_timers--];

	if (last == t)
		return;
	if (index > 1 && l->heap[index / 2]->at_ms > last->at_ms)
		sift_up(l, index, last);
	else
		sift_down(l, index, last);
}

/*
 * Fire what is due now. A timer that a callback sets waits for the next turn, so that a turn ends.
 */
static void fire_timers(struct loop *l)
{
	l->firing = true;
	for (size_t due = l->n_timers; due > 0 && l->n_timers > 0 && !l->stopping; due--) {
		struct loop_timer *t = l->heap[1];

		if (t->at_ms > l->now_ms)
			break;
		loop_timer_cancel(l, t);
		t->cb(t->arg);
	}
	l->firing = false;
}

void loop_beat(struct loop *l, uint64_t *counter)
{
	l->beat = counter;
}

/* Other processes read the counter, and only this thread writes it: a relaxed store is enough. */
static void count_turn(const struct loop *l)
{
	if (l->beat)
		__atomic_store_n(l->beat, *l->beat + 1, __ATOMIC_RELAXED);
}

static int wait_ms(const struct loop *l)
{
	int most_ms = l->beat || l->n_lost ? LOOP_BEAT_MS : INT_MAX;

	if (!l->n_timers)
		return most_ms < INT_MAX ? most_ms : -1;
	uint64_t now_ms = clock_mono_ms(), at_ms = l->heap[1]->at_ms;

	if (at_ms <= now_ms)
		return 0;
	return at_ms - now_ms > (uint64_t)most_ms ? most_ms : (int)(at_ms - now_ms);
}

/* Descriptors */

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
                       POLLHUP == EPOLLHUP,
               "poll's events are given as epoll's");

static bool has_callback(const struct loop *l, int fd)
{
	return fd >= 0 && (size_t)fd < l->n_fds && l->fds[fd].cb;
}

static int grow_fds(struct loop *l, size_t need)
{
	size_t n = l->n_fds ? l->n_fds : 64;

	if (need <= l->n_fds)
		return 0;
	while (n < need)
		n *= 2;
	struct loop_fd *fds = reallocarray(l->fds, n, sizeof(*fds));

	if (!fds)
		return -ENOMEM;
	for (size_t i = l->n_fds; i < n; i++)
		fds[i] = (struct loop_fd){ 0 };
	l->fds = fds;
	l->n_fds = n;
	return 0;
}

static struct epoll_event make_event(const struct loop *l, int fd, uint32_t events)
{
	return (struct epoll_event){ .events = events,
		                     .data.u64 = (uint64_t)l->fds[fd].serial << 32 | (uint32_t)fd };
}

static int set_epoll(const struct loop *l, int op, int fd, uint32_t events)
{
	struct epoll_event e = make_event(l, fd, events);

	return epoll_ctl(l->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

/* Make room for @p fd in the table, and number its registration. @return 0 or -errno */
static int number_fd(struct loop *l, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (has_callback(l, fd))
		return -EEXIST;
	int err = grow_fds(l, (size_t)fd + 1);

	if (!err)
		l->fds[fd].serial = ++l->serial;
	return err;
}

int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	int err = number_fd(l, fd);

	if (!err)
		err = set_epoll(l, EPOLL_CTL_ADD, fd, events);
	if (err)
		return err;
	l->fds[fd].cb = cb;
	l->fds[fd].arg = arg;
	l->n_in_epoll++;
	return 0;
}

int loop_fd_add_polled(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	int err = l->n_polled == LOOP_POLLED_MAX ? -ENOSPC : number_fd(l, fd);

	if (err)
		return err;
	l->fds[fd].cb = cb;
	l->fds[fd].arg = arg;
	l->fds[fd].polled = true;
	l->polled[l->n_polled++] = (struct pollfd){ .fd = fd, .events = (short)events };
	return 0;
}

static struct pollfd *find_polled(struct loop *l, int fd)
{
	struct pollfd *p = l->polled;

	while (p->fd != fd)
		p++;
	return p;
}

int loop_fd_set(struct loop *l, int fd, uint32_t events)
{
	if (!has_callback(l, fd))
		return -ENOENT;
	if (!l->fds[fd].polled)
		return set_epoll(l, EPOLL_CTL_MOD, fd, events);
	find_polled(l, fd)->events = (short)events;
	return 0;
}

void loop_fd_remove(struct loop *l, int fd)
{
	if (!has_callback(l, fd))
		return;
	if (l->fds[fd].polled) {
		*find_polled(l, fd) = l->polled[--l->n_polled];
	} else {
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		l->n_in_epoll--;
	}
	l->fds[fd] = (struct loop_fd){ 0 };
}

static int wait_for_events(struct loop *l, struct epoll_event *events, int most, int timeout_ms)
{
	unsigned n_polled = l->n_polled;
	int n = 0, n_ready;

	if (n_polled == 0)
		return epoll_wait(l->epoll_fd, events, most, timeout_ms);
	l->polled[n_polled] = (struct pollfd){ .fd = l->epoll_fd, .events = POLLIN };
	n_ready = poll(l->polled, n_polled + (l->n_in_epoll > 0), timeout_ms);
	if (n_ready <= 0)
		return n_ready;
	for (unsigned i = 0; i < n_polled; i++)
		if (l->polled[i].revents)
			events[n++] =
			        make_event(l, l->polled[i].fd, (uint32_t)l->polled[i].revents);
	if (n == n_ready)
		return n;
	n_ready = epoll_wait(l->epoll_fd, events + n, most - n, 0);
	return n + (n_ready > 0 ? n_ready : 0);
}

static void dispatch_event(struct loop *l, const struct epoll_event *e)
{
	int fd = (int)(uint32_t)e->data.u64;

	/* A callback before this one may have removed the descriptor, or given its number away. */
	if (has_callback(l, fd) && l->fds[fd].serial == (uint32_t)(e->data.u64 >> 32))
		l->fds[fd].cb(l->fds[fd].arg, fd, e->events);
}

/* Signals */

static void on_signal_fd(void *arg, int fd, uint32_t events)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo < 65 && l->on_signal[info.ssi_signo].cb)
			l->on_signal[info.ssi_signo].cb(l->on_signal[info.ssi_signo].arg);
}

int loop_signal(struct loop *l, int signo, loop_cb *cb, void *arg)
{
	if (signo < 1 || signo > 64 || signo == SIGKILL || signo == SIGSTOP)
		return -EINVAL;
	sigaddset(&l->signals, signo);
	int err = -pthread_sigmask(SIG_BLOCK, &l->signals, NULL);

	if (err)
		return err;
	int fd = signalfd(l->signal_fd, &l->signals, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	l->on_signal[signo].cb = cb;
	l->on_signal[signo].arg = arg;
	if (l->signal_fd >= 0)
		return 0;
	l->signal_fd = fd;
	return loop_fd_add(l, fd, EPOLLIN, on_signal_fd, l);
}

static void stop_on_signal(void *arg)
{
	loop_stop(arg);
}

int loop_signal_end(struct loop *l, loop_cb *cb, void *arg)
{
	loop_cb *call = cb ? cb : stop_on_signal;
	void *with = cb ? arg : l;
	int err = loop_signal(l, SIGTERM, call, with);

	return err ? err : loop_signal(l, SIGINT, call, with);
}

/* Files and pages */

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

static void find_directories(struct loop *l)
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

static void close_watches(struct loop *l)
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

void loop_close(struct loop *l)
{
	if (!l)
		return;
	close_watches(l);
	for (size_t i = 1; i <= l->n_timers; i++)
		l->heap[i]->heap_index = 0;
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll_fd);
	free(l->heap);
	free(l->fds);
	free(l);
}

int loop_run(struct loop *l)
{
	struct epoll_event events[TURN_EVENTS];

	l->stopping = false;
	while (!l->stopping) {
		int n = wait_for_events(l, events, TURN_EVENTS, wait_ms(l));

		if (n < 0 && errno != EINTR)
			return -errno;
		l->now_ms = clock_mono_ms();
		count_turn(l);
		for (int i = 0; i < n && !l->stopping; i++)
			dispatch_event(l, &events[i]);
		fire_timers(l);
		if (l->n_lost)
			find_directories(l);
	}
	return 0;
}
