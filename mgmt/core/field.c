/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that shows only the detail sees the first error and that there are more; programs read
 * the list.
 */
#include "mgmt/core/field.h"

bool field_end(struct field_reader *f, struct http_reply *reply)
{
	if (field_close(f))
		return true;
	const json_t *first = json_array_get(f->errors, 0);
	if (!first) {
		json_decref(f->errors);
		http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
		return false;
	}
	http_problem(reply, 422, "invalid", "%s: %s%s", json_get_text(first, "field"),
	             json_get_text(first, "detail"), f->n_errors > 1 ? " (and more)" : "");
	json_object_set_new(reply->json, "errors", f->errors);
	return false;
}
