/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sorted array of interfaces. It is small and seldom changes, so a change shifts the array, and a
 * question about stacking walks it. Messages come by one socket and whole readings by another, so
 * that an answer and a message of a change are never mixed up. A message that comes while the table
 * is read is applied afterwards: it repeats all of its interface, so the last one wins.
 */
#include "dataplane/nexthop/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/sorted.h"

#define BUFFER_BYTES (64 * 1024) /* a dump's message has at most 32 KiB */
#define RETRY_MS     1000u       /* after a reading that failed */

struct table {
	struct rtnl_link *rows; /* [LINKS_MAX], by ifindex */
	size_t n;
};

struct links {
	struct loop *loop; /* NULL: of links_new() */
	struct mnl_socket *notifications, *queries;
	struct loop_timer retry;
	links_changed *changed;
	void *arg;
	struct table now, fresh; /* fresh: while the table is read again */
	uint32_t seq;
	char *buffer;
};

/* The position of @p ifindex in @p t, or where it belongs. */
static size_t find_row(const struct table *t, uint32_t ifindex, bool *found)
{
	return sorted_index(&ifindex, t->rows, t->n, sizeof(*t->rows), sorted_by_u32, found);
}

static bool same_link(const struct rtnl_link *a, const struct rtnl_link *b)
{
	return !strcmp(a->name, b->name) && a->admin_up == b->admin_up &&
	       a->carrier == b->carrier && a->ethernet == b->ethernet &&
	       a->operstate == b->operstate && a->kind == b->kind && a->lower == b->lower &&
	       a->master == b->master && a->vlan == b->vlan && a->vlan_type_be == b->vlan_type_be &&
	       a->mtu == b->mtu && !memcmp(a->mac, b->mac, sizeof(a->mac));
}

static bool remove_row(struct table *t, size_t at)
{
	t->n--;
	memmove(&t->rows[at], &t->rows[at + 1], (t->n - at) * sizeof(*t->rows));
	return true;
}

/* Apply a message to @p t. Many repeat what is known. @return whether it changes anything */
static bool put_link(struct table *t, const struct rtnl_link *link)
{
	bool found;
	size_t at = find_row(t, link->ifindex, &found);

	if (found) {
		if (link->gone)
			return remove_row(t, at);
		if (same_link(&t->rows[at], link))
			return false;
		t->rows[at] = *link;
		return true;
	}
	if (link->gone)
		return false;
	if (t->n == LINKS_MAX)
		return false;
	memmove(&t->rows[at + 1], &t->rows[at], (t->n - at) * sizeof(*t->rows));
	t->rows[at] = *link;
	t->n++;
	return true;
}

static bool put_fresh_row(void *arg, const struct rtnl_fact *f)
{
	struct links *l = arg;

	if (f->kind == RTNL_LINK)
		(void)put_link(&l->fresh, &f->link);
	return true;
}

/* Read the whole table. A failure changes nothing: what was known stays. @return 0 or -errno */
int links_read(struct links *l)
{
	struct table old = l->now;
	int err;

	if (!l->queries)
		return -ENOTCONN; /* of links_new() */
	l->fresh.n = 0;
	err = rtnl_dump(l->queries, l->buffer, BUFFER_BYTES, RTM_GETLINK, &l->seq, put_fresh_row,
	                l);
	if (err)
		return err;
	l->now = l->fresh;
	l->fresh = old;
	return 0;
}

/* Read everything after lost messages, again and again until it succeeds. */
static void on_retry(void *arg)
{
	struct links *l = arg;

	if (links_read(l)) {
		loop_timer_set(l->loop, &l->retry, clock_mono_ms() + RETRY_MS);
		return;
	}
	l->changed(l->arg);
}

/* @return whether they change anything */
static bool apply_messages(struct links *l, const void *bytes, size_t n)
{
	const char *at = bytes;
	struct rtnl_fact f;
	bool news = false;
	size_t took;

	for (; (took = rtnl_next(at, n, &f)); at += took, n -= took)
		news |= f.kind == RTNL_LINK && put_link(&l->now, &f.link);
	return news;
}

void links_hear(struct links *l, const void *bytes, size_t n)
{
	if (apply_messages(l, bytes, n))
		l->changed(l->arg);
}

static void on_links_message(void *arg, int fd, uint32_t events)
{
	struct links *l = arg;
	bool lost = false, news = false;
	size_t n;

	(void)events;
	while ((n = rtnl_hear(fd, l->buffer, BUFFER_BYTES, &lost)) > 0)
		news |= apply_messages(l, l->buffer, n);
	if (news)
		l->changed(l->arg);
	if (lost)
		on_retry(l);
}

struct links *links_new(links_changed *changed, void *arg)
{
	struct links *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->changed = changed;
	l->arg = arg;
	l->retry = (struct loop_timer){ .cb = on_retry, .arg = l };
	l->now.rows = calloc(LINKS_MAX, sizeof(*l->now.rows));
	l->fresh.rows = calloc(LINKS_MAX, sizeof(*l->fresh.rows));
	l->buffer = malloc(BUFFER_BYTES);
	if (!l->now.rows || !l->fresh.rows || !l->buffer) {
		links_close(l);
		return NULL;
	}
	return l;
}

int links_open(struct loop *loop, links_changed *changed, void *arg, struct links **out)
{
	struct links *l = links_new(changed, arg);
	int err;

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	err = rtnl_open(RTMGRP_LINK, &l->notifications);
	if (!err)
		err = rtnl_open(0, &l->queries);
	if (!err)
		err = links_read(l);
	if (!err)
		err = loop_fd_add(loop, mnl_socket_get_fd(l->notifications), EPOLLIN,
		                  on_links_message, l);
	if (err) {
		links_close(l);
		return err;
	}
	*out = l;
	return 0;
}

void links_close(struct links *l)
{
	if (!l)
		return;
	if (l->loop)
		loop_timer_cancel(l->loop, &l->retry);
	if (l->notifications) {
		loop_fd_remove(l->loop, mnl_socket_get_fd(l->notifications));
		mnl_socket_close(l->notifications);
	}
	if (l->queries)
		mnl_socket_close(l->queries);
	free(l->now.rows);
	free(l->fresh.rows);
	free(l->buffer);
	free(l);
}

const struct rtnl_link *links_find(const struct links *l, uint32_t ifindex)
{
	bool found;
	size_t at = find_row(&l->now, ifindex, &found);

	return found ? &l->now.rows[at] : NULL;
}

const struct rtnl_link *links_named(const struct links *l, const char *name)
{
	for (size_t i = 0; i < l->now.n; i++)
		if (!strcmp(l->now.rows[i].name, name))
			return &l->now.rows[i];
	return NULL;
}

/* Add @p ifindex to the @p n of @p out unless it is there. @return how many are there now */
static size_t add_index(uint32_t ifindex, uint32_t *out, size_t n, size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (out[i] == ifindex)
			return n;
	if (n < max)
		out[n++] = ifindex;
	return n;
}

/* Add what stands directly on @p link. */
static size_t add_uppers(const struct links *l, const struct rtnl_link *link, uint32_t *out,
                         size_t n, size_t max)
{
	const struct rtnl_link *master = link->master ? links_find(l, link->master) : NULL;

	if (master && master->kind != RTNL_LINK_VRF)
		n = add_index(master->ifindex, out, n, max);
	for (size_t i = 0; i < l->now.n; i++)
		if (l->now.rows[i].lower == link->ifindex)
			n = add_index(l->now.rows[i].ifindex, out, n, max);
	return n;
}

size_t links_above(const struct links *l, uint32_t ifindex, uint32_t *out, size_t max)
{
	size_t n = 0;

	if (links_find(l, ifindex))
		n = add_index(ifindex, out, n, max);
	for (size_t i = 0; i < n; i++) /* n grows: each found one is asked in its turn */
		n = add_uppers(l, links_find(l, out[i]), out, n, max);
	return n;
}

size_t links_parts(const struct links *l, uint32_t ifindex, uint32_t *out, size_t max)
{
	const struct rtnl_link *bond = links_find(l, ifindex);
	size_t n = 0;

	if (!bond || bond->kind != RTNL_LINK_BOND)
		return 0;
	for (size_t i = 0; i < l->now.n; i++)
		if (l->now.rows[i].master == ifindex)
			n = add_index(l->now.rows[i].ifindex, out, n, max);
	return n;
}
