/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an earlier process of this boot has left on the announce page: the numbers of the tables,
 * and hold-downs. It is copied before the first publication overwrites it, and stays until a
 * document names the address: the first document may be missing or refused for long.
 *
 * A hold-down is of the address. The VIP that has it may have got another name meanwhile.
 */
#include "announce/process.h"

#include <stdlib.h>

#include "weir/announce.h"
#include "weir/own_routes.h"

static int by_address(const void *a, const void *b)
{
	const struct announced_address *x = a, *y = b;

	return addr_compare(&x->address, &y->address);
}

static bool is_table(uint32_t number)
{
	return number >= 1 && number <= OWN_ROUTES_TABLE_MAX;
}

void left_read(struct announcer *a)
{
	struct announced_address *left = calloc(ANNOUNCED_MAX, sizeof(*left));
	struct announced_node node;

	if (!left || announced_read_left(a->page, &node, left, ANNOUNCED_MAX)) {
		free(left);
		return;
	}
	qsort(left, node.n_addresses, sizeof(*left), by_address);
	free(a->left);
	a->left = left;
	a->n_left = node.n_addresses;
	if (is_table(node.table) && is_table(node.shutdown_table) &&
	    node.table != node.shutdown_table) {
		a->kernel[ANNOUNCE_NORMAL].number = node.table;
		a->kernel[ANNOUNCE_SHUTDOWN].number = node.shutdown_table;
	}
}

void left_restore(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	const struct announced_address key = { .address = row->intended.address };
	struct announced_address *old =
	        a->n_left ? bsearch(&key, a->left, a->n_left, sizeof(key), by_address) : NULL;

	if (!old || !old->hold_ms)
		return;
	announce_restore_hold(&row->state, old->failed_ms, old->hold_ms, old->good_ms, now_ms);
	old->hold_ms = 0; /* later ones are of this process */
}

void left_fail(struct announcer *a, uint64_t now_ms)
{
	for (size_t i = 0; i < a->n_left; i++) {
		struct announce_state s = { 0 };

		if (!a->left[i].in_kernel)
			continue;
		announce_restore_hold(&s, a->left[i].failed_ms, a->left[i].hold_ms, 0, now_ms);
		announce_note_failure(&s, now_ms);
		a->left[i].failed_ms = s.failed_ms;
		a->left[i].hold_ms = s.hold_ms;
		a->left[i].good_ms = 0;
	}
}
