/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/lost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/records.h"

/* The lowest number of its versions; 0: it has none. */
static uint64_t find_oldest(const struct shared_records *l)
{
	uint64_t oldest = 0;

	for (size_t i = 0; i < l->n; i++) {
		uint64_t number = shared_number("version", l->records[i].name);

		if (number && (!oldest || number < oldest))
			oldest = number;
	}
	return oldest;
}

/* Read a version or a mark. @return false: it is neither */
static bool read_record(const struct shared_record *r, struct lost *out)
{
	uint64_t version = shared_number("version", r->name), mark = shared_number("mark", r->name);
	struct history_mark m;
	struct version v;

	*out = (struct lost){ .number = version ? version : mark };
	if (version && !record_from_text(&version_record, r->text, &v, NULL)) {
		memcpy(out->author, v.author, sizeof(out->author));
		memcpy(out->reason, v.reason, sizeof(out->reason));
		out->time_ms = v.time_ms;
		return true;
	}
	if (!mark || record_from_text(&history_mark_record, r->text, &m, NULL))
		return false;
	memcpy(out->author, m.author, sizeof(out->author));
	memcpy(out->reason, m.reason, sizeof(out->reason));
	out->mark = m.mark;
	out->time_ms = m.time_ms;
	return true;
}

static int compare_lost(const void *a, const void *b)
{
	const struct lost *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? 1 : -1;
	return (x->mark > y->mark) - (x->mark < y->mark);
}

size_t lost_find(const struct shared_records *here, const struct shared_records *there,
                 struct lost *out, size_t max)
{
	struct lost *all = calloc(here->n ? here->n : 1, sizeof(*all));
	uint64_t oldest = find_oldest(there);
	size_t n = 0;

	for (size_t i = 0; all && i < here->n; i++) {
		const struct shared_record *r = &here->records[i];
		const struct shared_record *same = shared_records_find(there, r->name);

		if (!(same && !strcmp(same->text, r->text)) && read_record(r, &all[n]) &&
		    all[n].number >= oldest)
			n++;
	}
	if (all)
		qsort(all, n, sizeof(*all), compare_lost);
	for (size_t i = 0; all && i < n && i < max; i++)
		out[i] = all[i];
	free(all);
	return n;
}
