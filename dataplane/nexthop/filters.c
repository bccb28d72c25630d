/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message of the kernel's about tc is only a sign: its content is not read. The first one after a
 * quiet time is acted on at once, a flood of them once in 20 ms. Lost messages (ENOBUFS) are a
 * sign, too.
 */
#include "dataplane/nexthop/filters.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/loop.h"
#include "dataplane/nexthop/rtnl.h"

#define PAUSE_MS     20u /* the shortest time between two calls */
#define READS_A_TURN 64u /* messages read before other events of the loop get their turn */

struct filters {
	struct loop *loop;
	struct mnl_socket *notifications;
	struct loop_timer due;
	uint64_t called_ms;
	filters_changed *changed;
	void *arg;
};

static void on_due(void *arg)
{
	struct filters *f = arg;

	f->called_ms = loop_now_ms(f->loop);
	f->changed(f->arg);
}

static void on_tc_message(void *arg, int fd, uint32_t events)
{
	struct filters *f = arg;
	char buffer[512]; /* what it says does not matter */

	(void)events;
	for (unsigned i = 0; i < READS_A_TURN; i++)
		if (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC) < 0)
			break;
	if (!f->due.heap_index)
		loop_timer_set(f->loop, &f->due, f->called_ms + PAUSE_MS);
}

int filters_open(struct loop *l, filters_changed *changed, void *arg, struct filters **out)
{
	struct filters *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->loop = l;
	f->changed = changed;
	f->arg = arg;
	f->due = (struct loop_timer){ .cb = on_due, .arg = f };
	err = rtnl_open(RTMGRP_TC, &f->notifications);
	if (!err)
		err = loop_fd_add(l, mnl_socket_get_fd(f->notifications), EPOLLIN, on_tc_message,
		                  f);
	if (err) {
		filters_close(f);
		return err;
	}
	*out = f;
	return 0;
}

void filters_close(struct filters *f)
{
	if (!f)
		return;
	loop_timer_cancel(f->loop, &f->due);
	if (f->notifications) {
		loop_fd_remove(f->loop, mnl_socket_get_fd(f->notifications));
		mnl_socket_close(f->notifications);
	}
	free(f);
}
