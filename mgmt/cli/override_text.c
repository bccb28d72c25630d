/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to an override command for people. The API and --offline give the same answer, so both
 * are printed here.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cmd_override.h"
#include "mgmt/json/row.h"

const char *override_until(const json_t *o)
{
	bool of_operation = *api_text(o, "operation", "") != '\0';

	if (of_operation && !json_at(o, "operation_until"))
		return "(not known)";
	return api_text(o, of_operation ? "operation_until" : "until", "never");
}

static void print_receivers(const json_t *list)
{
	if (json_array_size(list))
		puts("receivers:");
	rows_print(list,
	           "  [{-16 site}|{-16 node}|{-16 backend|?}] share {7 weight_ppm_before:ppm|0} -> "
	           "{7 weight_ppm_after:ppm|0}[, {bits_per_s:bits} -> {bits_per_s_after:bits|}"
	           "|{?site}, load not known|{?node}, load not known]"
	           "[ ({load_ppm_after:ppm} of {capacity_bits_per_s:bits|0})]\n");
}

static void print_times(const json_t *o)
{
	static const struct {
		const char *name, *what;
	} rows[] = { { "from", "starts" },
		     { "full", "complete" },
		     { "until", "returns" },
		     { "returned", "all back" } };

	const char *state = api_text(o, "state", "");
	bool ending = strcmp(state, "returning") == 0 || strcmp(state, "done") == 0;

	/* Once an override returns, its start is of no interest. */
	for (size_t i = ending ? 2 : 0; i < 4; i++)
		if (json_at(o, rows[i].name))
			printf("  %-9s %s\n", rows[i].what, api_text(o, rows[i].name, "never"));
}

const char *override_target_of(const json_t *o, bool briefly, char out[OVERRIDE_TARGET_MAX])
{
	return row_format(out, OVERRIDE_TARGET_MAX, o,
	                  "[node {target.node}"
	                  "|%s{target.site}[, service {target.service}][, clients {clients}]"
	                  "|%s{target.pool|}/{target.backend|}]",
	                  briefly ? "" : "site ", briefly ? "" : "backend ");
}

void override_print(const json_t *body)
{
	const json_t *o = json_at(body, "override");
	char target[OVERRIDE_TARGET_MAX];

	if (!json_is_object(o)) {
		rows_print(json_at(body, "notes"), "[{}\n]");
		return;
	}
	if (json_has_true(body, "dry_run"))
		puts("dry run, nothing was changed:");
	row_print(o, "{do|?} %s: {state|?} ({id|?})\n", override_target_of(o, false, target));
	print_times(o);
	print_receivers(json_at(body, "receivers"));
	rows_print(json_at(body, "guards"),
	           "  guard {guard}: [{?ok}{state|ok}|OVERRIDDEN][, {detail}]\n");
	rows_print(json_at(body, "notes"), "[  note: {}\n]");
	rows_print(json_at(body, "nodes"), "  {-16 node} {state}[ {detail}]\n");
	if (json_is_false(json_at(body, "complete")))
		puts("  not all nodes have the change yet; weir-mgmt continues in the background: see "
		     "weir status");
	if (!json_has_true(body, "dry_run"))
		row_print(body, "[undo: {undo}\n]");
}
