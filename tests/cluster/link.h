/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies between hosts: each direction of each pair can be cut, and a message takes a while. A message that meets a cut is
 * lost, or comes late, as the seed says: connections send again once the cut ends, unless they are given up.
 *
 * Implemented in tests/cluster/link.c; who has the turn (sched.h) calls.
 */
#ifndef TESTS_CLUSTER_LINK_H
#define TESTS_CLUSTER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#define LINK_HOSTS 16u

/* Messages from @p from to @p to do not come through until this is called again. */
void link_cut(unsigned from, unsigned to, bool is_cut);
/* Both directions. */
void link_cut_both(unsigned a, unsigned b, bool is_cut);
bool link_is_cut(unsigned from, unsigned to);
/* Of all messages so many are lost. */
void link_lose(uint32_t per_mille);
void link_heal(void);

/* Of one connection's messages in one direction; zeroed at the start. */
struct link_order {
	unsigned sent, over; /* how many; those that are over have come, or are lost */
};

/*
 * Send a message: @p arrive is called when it is there, or @p lose when it is lost; once, and not before this returns.
 * @param order  of the connection, where messages come in their order, and are sent again until they come; NULL: of none
 */
void link_send(unsigned from, unsigned to, void (*arrive)(void *arg), void (*lose)(void *arg),
               void *arg, struct link_order *order);

#endif
