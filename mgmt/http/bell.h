/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Bells: what held answers wait for. A handler that has nothing new to say names a bell and how often
 * it had rung (struct http_hold); the server keeps the request without a thread, and runs the
 * handler again when the bell has rung or the time is over.
 *
 * Zeroed at the start, but for the lock. Implemented in mgmt/http/bell.c; any thread.
 */
#ifndef WEIR_MGMT_HTTP_BELL_H
#define WEIR_MGMT_HTTP_BELL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define HTTP_BELLS         2u /**< kinds of news */
#define HTTP_BELLS_SERVERS 4u /**< servers at a time: a new one starts before the former ends */

struct http_bells {
	_Atomic uint64_t rung[HTTP_BELLS]; /**< how often */
	pthread_mutex_t lock;              /**< guards the rest */
	int fds[HTTP_BELLS_SERVERS];       /**< eventfds of the servers; 0: free */
};

/** Wake @p fd, an eventfd, at each ring; without room its answers wait until their time is over. */
void http_bells_join(struct http_bells *b, int fd);
/** Do not any more; an unknown one is fine. */
void http_bells_leave(struct http_bells *b, int fd);
/** Ring each bell whose bit is in @p bells. */
void http_bells_ring(struct http_bells *b, unsigned bells);

#endif
