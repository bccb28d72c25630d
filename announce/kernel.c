/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weir's routes in the kernel. The kernel is the memory: what it has at the start is what an
 * earlier process left, and it is read again each second, since a starting DPDK dataplane deletes
 * routes itself. Between two reads, the moves made here are known.
 *
 * A list that could not be read, or did not fit, says of no route that it is not there: rows keep
 * what is known of them, and rows of which nothing is known are not decided
 * (announce_row.is_found). Else one failed read at a restart would withdraw a VIP that is kept for
 * want of a confirmation.
 *
 * A route of a row that vanishes has not been deleted by this process. With XDP somebody deleted
 * it. With any other driver a dataplane that begins may have done so, because nothing is forwarded
 * until it has proved the opposite; round.c decides.
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

#define LIST_MAX        (2 * ANNOUNCED_MAX) /* all rows, and routes of an earlier document */
#define SWEEP_MAX       1024u          /* routes deleted in a call, some 20 ms: rounds must go on */
#define SWEEP_AGAIN_MS  KERNEL_READ_MS /* after a failure; doubles to .. */
#define SWEEP_MOST_MS   5000u
#define FORGET_AGAIN_MS 1000u /* likewise for tables that no document names any more */
#define FORGET_MOST_MS  30000u

static void count_error(struct announcer *a)
{
	if (a->counters.route_errors)
		stats_add(a->counters.route_errors, 1);
}

struct announce_row *kernel_find_row(const struct announcer *a, const struct addr *address)
{
	return a->n_rows ? bsearch(address, a->rows, a->n_rows, sizeof(*a->rows), addr_order)
	                 : NULL;
}

void kernel_begin_row(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	announce_init(&row->state, announce_found_table(&row->routes), a->incarnation, now_ms);
	left_restore(a, row, now_ms);
	row->is_found = true;
}

/* --- reading --- */

static int read_table(struct announcer *a, struct kernel_table *t)
{
	size_t n = 0;
	int err;

	t->n = t->n_swept = 0;
	t->is_whole = false;
	if (!t->addresses)
		t->addresses = calloc(LIST_MAX, sizeof(*t->addresses));
	if (!t->addresses)
		return -ENOMEM;
	err = own_routes_list(a->own, t->number, t->addresses, LIST_MAX, &n);
	if (err)
		return err;
	t->is_read = true;
	t->is_whole = n <= LIST_MAX;
	t->n = t->is_whole ? n : LIST_MAX;
	qsort(t->addresses, t->n, sizeof(*t->addresses), addr_order);
	return 0;
}

static bool has_route(const struct kernel_table *t, const struct addr *address)
{
	return t->n &&
	       bsearch(address, t->addresses, t->n, sizeof(*t->addresses), addr_order) != NULL;
}

/* Take over into @p row what was read. */
static void note_routes(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	struct announce_routes *r = &row->routes;
	const enum announce_table table = row->state.table;
	bool had = row->is_found && table != ANNOUNCE_NONE && r->in_kernel[table];
	bool is_known = true;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		const struct kernel_table *k = &a->kernel[t];

		if (has_route(k, &row->intended.address))
			r->in_kernel[t] = true;
		else if (k->is_whole)
			r->in_kernel[t] = false;
		else
			is_known = false;
	}
	if (!row->is_found && is_known)
		kernel_begin_row(a, row, now_ms);
	if (had && !r->in_kernel[table]) {
		row->is_lost = true;
		row->lost_ms = now_ms;
	}
}

int kernel_read(struct announcer *a, uint64_t now_ms)
{
	int err = 0;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		int got = a->kernel[t].number ? read_table(a, &a->kernel[t]) : 0;

		err = err ? err : got;
	}
	a->kernel_read_ms = now_ms;
	if (err && err != a->list_error)
		log_error("routes-not-read", "error=\"%s\" effect=\"%s\"", strerror(-err),
		          "routes stay as they are; next try in 1 s");
	if (err)
		count_error(a);
	a->list_error = err;
	for (size_t i = 0; i < a->n_rows; i++)
		note_routes(a, &a->rows[i], now_ms);
	return err;
}

/* --- cleaning --- */

/* @param n_left  how many may be deleted yet. @return 0, or the last error */
static int sweep_table(struct announcer *a, struct kernel_table *k, unsigned *n_left)
{
	int last = 0;

	for (; k->n_swept < k->n && *n_left; k->n_swept++) {
		const struct addr *address = &k->addresses[k->n_swept];
		char text[ADDR_TEXT_MAX];
		int err;

		if (kernel_find_row(a, address))
			continue;
		err = own_routes_delete(a->own, k->number, address);
		--*n_left;
		if (err) {
			last = err;
			count_error(a);
		} else {
			log_note("route-not-configured", "address=%s table=%u effect=deleted",
			         addr_text(address, text), k->number);
		}
	}
	return last;
}

/* A failure is logged once, until another one or a success. */
static void note_retry(struct retry *r, const char *what, int err, uint32_t first_ms,
                       uint32_t most_ms, uint64_t now_ms)
{
	if (err && err != r->err)
		log_error("route-failed", "what=%s error=\"%s\" effect=\"tried again\"", what,
		          strerror(-err));
	retry_note(r, err, first_ms, most_ms, now_ms);
}

/*
 * Whether the tables in use have the routes of all that is announced. As long as one could not be
 * read or added there, the former table has the only route, and deleting it would withdraw.
 */
static bool are_routes_carried(const struct announcer *a)
{
	for (size_t i = 0; i < a->n_rows; i++) {
		const struct announce_row *row = &a->rows[i];
		enum announce_table table = row->state.table;

		if (!row->is_found || (table != ANNOUNCE_NONE && !row->routes.in_kernel[table]))
			return false;
	}
	return true;
}

static void empty_former(struct announcer *a, uint64_t now_ms)
{
	int err = 0;

	while (a->n_former && !err) {
		uint32_t number = a->former[a->n_former - 1];

		err = own_routes_delete_all(a->own, number);
		if (err)
			count_error(a);
		else
			a->n_former--;
		if (!err)
			log_note("table-emptied", "table=%u reason=\"%s\"", number,
			         "the document names another table");
	}
	note_retry(&a->forget, "empty-former-table", err, FORGET_AGAIN_MS, FORGET_MOST_MS, now_ms);
}

void kernel_sweep(struct announcer *a, uint64_t now_ms)
{
	unsigned n_left = SWEEP_MAX;
	int err = 0;

	if (retry_is_due(&a->sweep, now_ms)) {
		for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
			int got = sweep_table(a, &a->kernel[t], &n_left);

			err = err ? err : got;
		}
		note_retry(&a->sweep, "delete-not-configured", err, SWEEP_AGAIN_MS, SWEEP_MOST_MS,
		           now_ms);
	}
	if (a->n_former && retry_is_due(&a->forget, now_ms) && are_routes_carried(a))
		empty_former(a, now_ms);
}

int kernel_withdraw_all(struct announcer *a, uint64_t now_ms)
{
	int err = 0;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		uint32_t usual =
		        t == ANNOUNCE_NORMAL ? MODEL_ANNOUNCE_TABLE : MODEL_ANNOUNCE_GSHUT_TABLE;
		uint32_t number = a->kernel[t].number ? a->kernel[t].number : usual;
		int got = own_routes_delete_all(a->own, number);

		err = err ? err : got;
	}
	if (err && err != a->list_error)
		log_error("route-failed", "what=withdraw-all error=\"%s\" effect=\"tried again\"",
		          strerror(-err));
	if (err)
		count_error(a);
	a->list_error = err;
	a->kernel_read_ms = now_ms;
	return err;
}

/* --- other tables --- */

static bool is_one_of(uint32_t number, const uint32_t numbers[3])
{
	return number == numbers[ANNOUNCE_NORMAL] || number == numbers[ANNOUNCE_SHUTDOWN];
}

/*
 * What is announced stays announced: the new table gets the route before the old one loses it, and
 * a row whose route was refused counts as announced until it is added, or a decision withdraws it.
 */
static void carry_routes(struct announcer *a, const uint32_t numbers[3], uint64_t now_ms)
{
	for (size_t i = 0; i < a->n_rows; i++) {
		struct announce_row *row = &a->rows[i];

		for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
			int err = 0;

			if (!row->is_found || !row->routes.in_kernel[t] ||
			    a->kernel[t].number == numbers[t])
				continue;
			err = own_routes_add(a->own, numbers[t], &row->intended.address);
			row->routes.in_kernel[t] = !err;
			row->added_ms[t] = err ? 0 : now_ms;
			row->is_left |= err && t == (int)row->state.table;
			if (err)
				count_error(a);
		}
	}
}

static void remember_former(struct announcer *a, uint32_t number)
{
	for (size_t i = 0; i < a->n_former; i++)
		if (a->former[i] == number)
			return;
	if (a->n_former == FORMER_TABLES_MAX) {
		log_error("table-left", "table=%u effect=\"%s\"", a->former[0],
		          "its routes stay: " OWN_ROUTES_FLUSH);
		memmove(a->former, a->former + 1, --a->n_former * sizeof(a->former[0]));
	}
	a->former[a->n_former++] = number;
}

/* Tables that are used are not emptied. */
static void forget_used(struct announcer *a, const uint32_t numbers[3])
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_former; i++)
		if (!is_one_of(a->former[i], numbers))
			a->former[n++] = a->former[i];
	a->n_former = n;
}

/* What one table refused says nothing of the next, which is tried at once. */
static void forget_refusals(struct announcer *a, int t)
{
	for (size_t i = 0; i < a->n_rows; i++)
		a->rows[i].refused[t] = (struct refused_change){ 0 };
}

/* What an earlier process left may be in the new tables already: its page may be older than that. */
static void look_again(struct announcer *a)
{
	for (size_t i = 0; i < a->n_rows; i++)
		if (a->rows[i].state.table == ANNOUNCE_NONE && !a->rows[i].is_decided)
			a->rows[i].is_found = false;
}

void kernel_use_tables(struct announcer *a, uint32_t normal, uint32_t shutdown, uint64_t now_ms)
{
	const uint32_t numbers[3] = { 0, normal, shutdown };
	bool differs = false;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		differs |= a->kernel[t].number && a->kernel[t].number != numbers[t];
	if (differs) {
		(void)kernel_read(a, now_ms); /* what an earlier process left there */
		carry_routes(a, numbers, now_ms);
		look_again(a);
		for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
			if (a->kernel[t].number && !is_one_of(a->kernel[t].number, numbers))
				remember_former(a, a->kernel[t].number);
		a->forget = (struct retry){ 0 };
	}
	forget_used(a, numbers);
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		struct kernel_table *k = &a->kernel[t];

		if (k->number != numbers[t]) {
			k->is_read = false;
			forget_refusals(a, t);
		}
		k->number = numbers[t];
	}
	(void)kernel_read(a, now_ms); /* a failure is logged, and the next read tries again */
}
