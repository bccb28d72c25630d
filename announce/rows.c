/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses, and how their routes are added and deleted. A row's state lives as long as its
 * address is configured, whatever VIP has it: hold-downs, promises and routes are of the address.
 *
 * A deletion is always tried, from whatever is known: the kernel takes it well if there is no such
 * route. An addition needs a table that could be read once. What the kernel refuses is tried ever
 * later, and few refusals are taken in a round, because each one of a route that somebody else has
 * costs a look through the whole table.
 */
#include "announce/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/stats.h"

#define ADD_AGAIN_MS    1000u /* after a refusal; doubles to .. */
#define ADD_MOST_MS     30000u
#define DELETE_AGAIN_MS 100u /* likewise: a route too many costs packets */
#define DELETE_MOST_MS  5000u
#define REFUSED_MAX     16u /* refused additions that a round takes, some 1 ms each */

/* The row of an address that an earlier document had, or a new one. */
static struct announce_row start_row(const struct announcer *a, const struct intended *it,
                                     uint64_t now_ms)
{
	const struct announce_row *old = kernel_find_row(a, &it->address);
	struct announce_row row = { .since_ms = now_ms };

	if (old)
		row = *old;
	row.intended = *it;
	return row;
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
	for (size_t i = 0; i < n; i++)
		rows[i] = start_row(a, &list[i], now_ms);
	free(a->rows);
	a->rows = rows;
	a->n_rows = n;
	a->model = m;
	kernel_use_tables(a, m->self->announce.table, m->self->announce.gshut_table, now_ms);
	free(list);
	model_free(old);
	return 0;
}

/* Note how a change ended. A failure of a route is logged once, until another one. */
static void note_change(struct announcer *a, const struct announce_row *row,
                        struct refused_change *refused, bool adds, int err, uint64_t now_ms)
{
	char text[ADDR_TEXT_MAX];

	if (err && err != refused->retry.err)
		log_error("route-failed", "what=%s address=%s error=\"%s\" effect=\"tried again\"",
		          adds ? "add" : "delete", addr_text(&row->intended.address, text),
		          strerror(-err));
	if (err && a->counters.route_errors)
		stats_add(a->counters.route_errors, 1);
	a->n_refused += adds && err;
	retry_note(&refused->retry, err, adds ? ADD_AGAIN_MS : DELETE_AGAIN_MS,
	           adds ? ADD_MOST_MS : DELETE_MOST_MS, now_ms);
}

static bool make_move(struct announcer *a, struct announce_row *row, enum announce_table table,
                      enum announce_move move, uint64_t now_ms)
{
	const struct addr *address = &row->intended.address;
	const struct kernel_table *k = &a->kernel[table];
	struct refused_change *refused = &row->refused[table];
	bool adds = move == ANNOUNCE_MOVE_ADD;
	int err;

	if (refused->move != move)
		*refused = (struct refused_change){ .move = move };
	if (!k->number || !retry_is_due(&refused->retry, now_ms) ||
	    (adds && (!k->is_read || a->n_refused >= REFUSED_MAX)))
		return false;
	err = adds ? own_routes_add(a->own, k->number, address)
	           : own_routes_delete(a->own, k->number, address);
	note_change(a, row, refused, adds, err, now_ms);
	if (err)
		return false;
	row->routes.in_kernel[table] = adds;
	row->added_ms[table] = adds ? now_ms : 0;
	if (adds)
		row->lost_ms = 0;
	if (a->daemon)
		daemon_hurry(a->daemon, address);
	return true;
}

bool rows_move(struct announcer *a, struct announce_row *row, const struct announce_moves *moves,
               uint64_t now_ms)
{
	bool moved = false;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		if (moves->table[t] != ANNOUNCE_MOVE_NONE)
			moved |= make_move(a, row, (enum announce_table)t, moves->table[t], now_ms);
		else
			row->refused[t] = (struct refused_change){ 0 };
	}
	return moved;
}

void rows_close(struct announcer *a)
{
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		free(a->kernel[t].addresses);
	free(a->rows);
	free(a->left);
	model_free(a->model);
	own_routes_close(a->own);
}
