/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With a limit no list of the status is longer than that: a thousand pools are a megabyte, which
 * nobody reads. What stands out comes first; `lists` says how much there is.
 */
#include "mgmt/api/status_bound.h"

static bool is_odd_item(const json_t *item)
{
	return json_integer_value(json_object_get(item, "standing_out")) > 0;
}

/* The items that are kept: those that stand out, then the others, each in their order. */
static json_t *pick_items(const json_t *list, uint64_t limit)
{
	json_t *kept = json_array(), *item;
	size_t i;

	for (int odd = 1; odd >= 0; odd--)
		json_array_foreach(list, i, item) if (is_odd_item(item) == (odd == 1) &&
		                                      json_array_size(kept) < limit)
		        json_array_append(kept, item);
	return kept;
}

void status_bound(json_t *status, uint64_t limit)
{
	static const char *const names[] = { "pools", "services", "overrides" };
	json_t *lists = json_object();

	for (size_t n = 0; limit && n < sizeof(names) / sizeof(names[0]); n++) {
		const json_t *list = json_object_get(status, names[n]);
		size_t all = json_array_size(list), n_odd = 0, i;
		const json_t *item;

		if (all <= limit)
			continue;
		json_array_foreach(list, i, item) n_odd += is_odd_item(item);
		json_object_set_new(lists, names[n],
		                    json_pack("{s:I, s:I, s:I}", "all", (json_int_t)all,
		                              "standing_out", (json_int_t)n_odd, "shown",
		                              (json_int_t)limit));
		json_object_set_new(status, names[n], pick_items(list, limit));
	}
	if (json_object_size(lists) > 0)
		json_object_set(status, "lists", lists);
	json_decref(lists);
}
