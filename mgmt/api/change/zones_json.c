/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A zone that keeps its former file is listed by name for programs and adds a warning for people;
 * the number of warnings is bounded, because there may be thousands of zones.
 */
#include "mgmt/api/change/zones_json.h"

#include "mgmt/core/to_json.h"
#include "weir/json.h"

json_t *zones_add_warnings(const struct intent_changed *c, json_t *warnings)
{
	json_t *skipped = json_array();

	for (size_t i = 0; i < c->skipped.n_skipped; i++) {
		json_array_append_new(skipped, json_text(c->skipped.skipped[i]));
		if (i < ZONES_FINDINGS_MAX)
			json_array_append_new(
			        warnings, json_sprintf("zone %s: skipped; the file in force stays",
			                               c->skipped.skipped[i]));
	}
	for (size_t i = 0; c->skipped.n_skipped && i < c->skipped.n_warnings; i++)
		json_array_append_new(warnings, json_text(c->skipped.warnings[i]));
	for (size_t i = 0; i < c->zones.n_warnings; i++)
		json_array_append_new(warnings, json_text(c->zones.warnings[i]));
	if (c->zones.n_more)
		json_array_append_new(
		        warnings,
		        json_sprintf("and %zu more warnings about zones: see weir config check",
		                     c->zones.n_more));
	return skipped;
}

void unread_zones_add_json(const struct model_errors *unread, json_t *answer)
{
	json_t *warnings = json_object_get(json_object_get(answer, "plan"), "warnings");

	for (size_t i = 0; i < unread->n_items; i++)
		json_array_append_new(warnings, json_sprintf("%s; the file in force stays",
		                                             unread->items[i].message));
}
