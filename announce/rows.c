/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses and their routes. The kernel is the memory: what it has at the start is what an
 * earlier process left, and it is read again each second, since a starting DPDK dataplane deletes
 * routes itself when this process does not run. Between two reads, the moves made here are known.
 *
 * Without a document nothing is touched. With one, routes that no address has any more go.
 */
#include "announce/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sorted.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/stats.h"

static int by_address(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* Log a failure once, until another one or a success. */
static void note_route_error(struct announcer *a, const char *what, const struct addr *address,
                             int err)
{
	char text[ADDR_TEXT_MAX] = "";

	if (err && err != a->route_error)
		log_error("route-failed", "what=%s address=%s error=\"%s\" effect=\"tried again\"",
		          what, address ? addr_text(address, text) : "", strerror(-err));
	if (err && a->counters.route_errors)
		stats_add(a->counters.route_errors, 1);
	a->route_error = err;
}

static int read_table(struct announcer *a, struct kernel_table *t, uint32_t number)
{
	size_t n = 0;
	int err;

	if (!t->addresses)
		t->addresses = calloc(ANNOUNCED_MAX, sizeof(*t->addresses));
	if (!t->addresses)
		return -ENOMEM;
	t->number = 0;
	err = own_routes_list(a->own, number, t->addresses, ANNOUNCED_MAX, &n);
	if (err)
		return err;
	t->number = number;
	t->n = n < ANNOUNCED_MAX ? n : ANNOUNCED_MAX;
	if (t->n)
		qsort(t->addresses, t->n, sizeof(*t->addresses), by_address);
	return 0;
}

static bool has_route(const struct kernel_table *t, const struct addr *address)
{
	return t->n &&
	       bsearch(address, t->addresses, t->n, sizeof(*t->addresses), by_address) != NULL;
}

static void note_kernel(const struct announcer *a, struct announce_row *row)
{
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		row->routes.in_kernel[t] = has_route(&a->kernel[t], &row->intended.address);
}

int rows_read_kernel(struct announcer *a, uint64_t now_ms)
{
	const struct model_announce *c = &a->model->self->announce;
	int err = read_table(a, &a->kernel[ANNOUNCE_NORMAL], c->table);

	if (!err)
		err = read_table(a, &a->kernel[ANNOUNCE_SHUTDOWN], c->gshut_table);
	a->kernel_read_ms = now_ms;
	if (err) {
		note_route_error(a, "list", NULL, err);
		return err;
	}
	for (size_t i = 0; i < a->n_rows; i++)
		note_kernel(a, &a->rows[i]);
	return 0;
}

static const struct announce_row *find_row(const struct announcer *a, const struct addr *address)
{
	return a->n_rows ? bsearch(address, a->rows, a->n_rows, sizeof(*a->rows), by_address)
	                 : NULL;
}

/* The row of an address that an earlier document had, or a new one. */
static void start_row(const struct announcer *a, const struct intended *it, uint64_t now_ms,
                      struct announce_row *row)
{
	const struct announce_row *old = find_row(a, &it->address);

	if (old && old->intended.vip_hash == it->vip_hash) {
		*row = *old;
		row->intended = *it;
		return;
	}
	*row = (struct announce_row){ .intended = *it, .since_ms = now_ms };
	note_kernel(a, row);
	announce_init(&row->state, announce_found_table(&row->routes), a->incarnation, now_ms);
}

int rows_adopt(struct announcer *a, struct model *m, uint64_t now_ms)
{
	struct intended *list = calloc(ANNOUNCED_MAX, sizeof(*list));
	struct announce_row *rows = NULL;
	struct model *old = a->model;
	size_t n = 0;

	if (list)
		n = intended_list(m, list, ANNOUNCED_MAX);
	if (list)
		rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows) {
		free(list);
		return -ENOMEM;
	}
	a->model = m;
	a->command = announce_command_of(m);
	(void)rows_read_kernel(a, now_ms); /* a failure is logged, and the next read tries again */
	for (size_t i = 0; i < n; i++)
		start_row(a, &list[i], now_ms, &rows[i]);
	free(a->rows);
	a->rows = rows;
	a->n_rows = n;
	free(list);
	model_free(old);
	return 0;
}

void rows_delete_strays(struct announcer *a)
{
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		const struct kernel_table *k = &a->kernel[t];

		for (size_t i = 0; k->number && i < k->n; i++) {
			char text[ADDR_TEXT_MAX];

			if (find_row(a, &k->addresses[i]))
				continue;
			note_route_error(a, "delete", &k->addresses[i],
			                 own_routes_delete(a->own, k->number, &k->addresses[i]));
			log_note("route-not-configured", "address=%s table=%u effect=deleted",
			         addr_text(&k->addresses[i], text), k->number);
		}
	}
}

static bool make_move(struct announcer *a, struct announce_row *row, enum announce_table table,
                      enum announce_move move, uint64_t now_ms)
{
	const struct addr *address = &row->intended.address;
	uint32_t number = a->kernel[table].number;
	bool adds = move == ANNOUNCE_MOVE_ADD;
	int err;

	if (!number) /* not read: what is there is unknown */
		return false;
	err = adds ? own_routes_add(a->own, number, address)
	           : own_routes_delete(a->own, number, address);
	note_route_error(a, adds ? "add" : "delete", address, err);
	if (err)
		return false;
	row->routes.in_kernel[table] = adds;
	row->added_ms[table] = adds ? now_ms : 0;
	if (a->daemon)
		daemon_hurry(a->daemon, address);
	return true;
}

bool rows_move(struct announcer *a, struct announce_row *row, const struct announce_moves *moves,
               uint64_t now_ms)
{
	bool moved = false;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		if (moves->table[t] != ANNOUNCE_MOVE_NONE)
			moved |= make_move(a, row, (enum announce_table)t, moves->table[t], now_ms);
	return moved;
}

void rows_close(struct announcer *a)
{
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		free(a->kernel[t].addresses);
	free(a->rows);
	model_free(a->model);
	own_routes_close(a->own);
}
