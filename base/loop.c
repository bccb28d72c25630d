/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A turn waits for descriptors (loop_fd.c), calls the descriptors' callbacks, then fires all
 * timers that are due. Timers are a binary heap in which each timer knows its index, so cancelling
 * needs no search. Signals come through a signalfd(2).
 */
#include "base/loop_internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * Events of a turn. All due timers fire in each turn, so a turn must handle many events to keep
 * up with them.
 */
#define TURN_EVENTS 1024

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

void loop_close(struct loop *l)
{
	if (!l)
		return;
	loop_close_watches(l);
	for (size_t i = 1; i <= l->n_timers; i++)
		l->heap[i]->heap_index = 0;
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll_fd);
	free(l->heap);
	free(l->fds);
	free(l);
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

int loop_run(struct loop *l)
{
	struct epoll_event events[TURN_EVENTS];

	l->stopping = false;
	while (!l->stopping) {
		int n = loop_wait(l, events, TURN_EVENTS, wait_ms(l));

		if (n < 0 && errno != EINTR)
			return -errno;
		l->now_ms = clock_mono_ms();
		count_turn(l);
		for (int i = 0; i < n && !l->stopping; i++)
			loop_dispatch_fd(l, &events[i]);
		fire_timers(l);
		if (l->n_lost)
			loop_find_directories(l);
	}
	return 0;
}
