/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all lists of a status have in common: the indexes in which rows find what belongs to them, and
 * the order in which a limit lets rows through.
 */
#include "mgmt/api/status.h"

int status_index(struct status *s)
{
	const struct look *l = &s->look;
	int err = override_index_init(&s->requested, &l->overrides);

	if (!err && l->m)
		err = status_dns_init(&s->dns, l->dns, l->m);
	if (!err && l->m)
		err = backup_tables_init(&s->tables, l->m);
	return err;
}

void status_fini(struct status *s)
{
	override_index_fini(&s->requested);
	status_dns_fini(&s->dns);
	backup_tables_fini(&s->tables);
	json_decref(s->lists);
	s->lists = NULL;
}

uint64_t status_limit(const struct status *s, size_t n)
{
	return n > s->filter.limit ? s->filter.limit : 0;
}

size_t status_order(const uint8_t *ranks, size_t n, uint64_t limit, size_t *order)
{
	size_t n_order = 0;

	if (!limit) {
		for (size_t i = 0; i < n; i++)
			order[i] = i;
		return n;
	}
	for (int rank = STATUS_RANKS - 1; rank >= 0; rank--)
		for (size_t i = 0; i < n && n_order < limit; i++)
			if (ranks[i] == rank)
				order[n_order++] = i;
	return n_order;
}

void status_note_cut(struct status *s, const char *name, const uint8_t *ranks, size_t n,
                     size_t shown)
{
	size_t n_odd = 0;

	if (shown >= n)
		return;
	for (size_t i = 0; i < n; i++)
		n_odd += ranks[i] != STATUS_NORMAL;
	if (!s->lists)
		s->lists = json_object();
	json_object_set_new(s->lists, name,
	                    json_pack("{s:I, s:I, s:I}", "all", (json_int_t)n, "standing_out",
	                              (json_int_t)n_odd, "shown", (json_int_t)shown));
}
