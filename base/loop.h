/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The event loop: file descriptors, timers, signals, files and pages.
 *
 * One thread runs a loop, and only that thread may call these functions.
 * Callbacks may add and remove anything, themselves
 * included. Built on epoll(7) and poll(2).
 *
 * Implemented in base/loop.c.
 */
#ifndef WEIR_BASE_LOOP_H
#define WEIR_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

struct loop;
struct page;

/** Longest time between two turns of an idle loop whose turns are counted. */
#define LOOP_BEAT_MS 500
/** Most descriptors of loop_fd_add_polled(). */
#define LOOP_POLLED_MAX 8

/** @p events as in epoll: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
typedef void loop_fd_cb(void *arg, int fd, uint32_t events);
typedef void loop_cb(void *arg);

/** A timer, in the owner's memory, which outlives its being set; zeroed at the start. */
struct loop_timer {
	loop_cb *cb;
	void *arg;
	uint64_t at_ms;      /**< monotonic */
	uint32_t heap_index; /**< the loop's: 1.. in its heap, 0 when not set */
};

/** Open a loop. @return 0 or -errno */
MUST_CHECK int loop_open(struct loop **out);
/** Close @p l, its file watches and page watches; descriptors added by others stay open. */
void loop_close(struct loop *l);
/** Run until loop_stop(). @return 0 or -errno */
int loop_run(struct loop *l);
/** Make loop_run() return after the present callback. */
void loop_stop(struct loop *l);
/**
 * Count each turn of loop_run() in @p counter, also when nothing happens: at least every
 * LOOP_BEAT_MS. This is the sign of life that `weir run` reads (weir/stats.h). @p counter is
 * borrowed until loop_close(); NULL: stop counting.
 */
void loop_beat(struct loop *l, uint64_t *counter);
/** Monotonic time of this turn. */
uint64_t loop_now_ms(const struct loop *l);

/** Watch @p fd. @return 0, -EEXIST or -errno */
MUST_CHECK int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg);
/**
 * Watch @p fd while the loop waits, and only then. A socket in an epoll set costs a call under a
 * lock for each packet that arrives and for each one sent; this one costs a little in each turn
 * instead. For busy sockets.
 * @return 0, -ENOSPC: there are LOOP_POLLED_MAX of them, -EEXIST or -errno
 */
MUST_CHECK int loop_fd_add_polled(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb,
                                  void *arg);
/** Change what is watched. @return 0 or -ENOENT */
int loop_fd_set(struct loop *l, int fd, uint32_t events);
/** Stop watching @p fd, before it is closed; an unknown one is fine. */
void loop_fd_remove(struct loop *l, int fd);

/** Set or move @p t to fire once at @p at_ms (monotonic; the past means next turn). @return 0 or -ENOMEM */
int loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms);
/** Unset @p t; fine when it is not set. */
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/** Call @p cb on @p signo, which is blocked for the process from now on. @return 0 or -errno */
MUST_CHECK int loop_signal(struct loop *l, int signo, loop_cb *cb, void *arg);
/** Call @p cb on what ends a process, SIGTERM and SIGINT; NULL: loop_stop(). @return as loop_signal() */
MUST_CHECK int loop_signal_end(struct loop *l, loop_cb *cb, void *arg);

/**
 * Call @p cb when @p path is replaced by rename, written and closed, or removed.
 * Its directory must exist; where that goes later, @p cb is called when it is there again. Bursts may be one call.
 * @return 0 or -errno
 */
MUST_CHECK int loop_watch_file(struct loop *l, const char *path, loop_cb *cb, void *arg);

/**
 * Call @p cb within a millisecond after the page's writer publishes.
 * A helper thread waits on the page's futex. @p page is borrowed until loop_close().
 * @return 0 or -errno
 */
MUST_CHECK int loop_watch_page(struct loop *l, struct page *page, loop_cb *cb, void *arg);

#endif
