/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The loop's state, shared by loop.c, loop_fd.c and loop_watch.c; no other file includes it. The
 * loop's thread only.
 */
#ifndef WEIR_BASE_LOOP_INTERNAL_H
#define WEIR_BASE_LOOP_INTERNAL_H

#include "base/loop.h"

#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>

/** A watched descriptor; the table's index is the descriptor. */
struct loop_fd {
	loop_fd_cb *cb; /**< NULL: not watched */
	void *arg;
	uint32_t serial; /**< distinguishes a descriptor from an earlier one of the same number */
	bool polled;
};

struct loop {
	int epoll_fd;
	bool stopping, firing;
	uint64_t now_ms;
	uint64_t *beat; /**< counts turns; NULL: not counted */
	struct loop_fd *fds;
	size_t n_fds;
	uint32_t serial;
	/** The polled descriptors, and room for epoll_fd behind them. */
	struct pollfd polled[LOOP_POLLED_MAX + 1];
	unsigned n_polled;
	unsigned n_in_epoll;
	struct loop_timer **heap; /**< [1..n_timers], the earliest first */
	size_t n_timers, heap_room;
	int signal_fd; /**< -1: none yet */
	sigset_t signals;
	struct {
		loop_cb *cb;
		void *arg;
	} on_signal[65];
	int inotify_fd; /**< -1: none yet */
	struct loop_file_watch *files;
	unsigned n_lost;    /* watches of files whose directory has gone */
	uint64_t looked_ms; /* for these */
	struct loop_page_watch *pages;
};

struct epoll_event;

/**
 * Wait for at most @p timeout_ms (-1: no limit) until a descriptor is ready (loop_fd.c). @return how
 * many of @p events are filled, at most @p most (over LOOP_POLLED_MAX); -1: see errno
 */
int loop_wait(struct loop *l, struct epoll_event *events, int most, int timeout_ms) NONNULL();
/** Call the callback of @p e's descriptor, unless it is not watched any more (loop_fd.c). */
void loop_dispatch_fd(struct loop *l, const struct epoll_event *e);
/** Look for directories of watched files that have gone, each LOOP_BEAT_MS (loop_watch.c). */
void loop_find_directories(struct loop *l);
/** Free the watches of files and pages and end the helper threads (loop_watch.c). */
void loop_close_watches(struct loop *l);

#endif
