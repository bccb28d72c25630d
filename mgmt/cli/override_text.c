/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to an override command for people. The API and --offline give the same answer, so both
 * are printed here.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cmd_override.h"
#include "mgmt/cli/units.h"

const char *override_until(const json_t *o)
{
	bool of_operation = *api_text(o, "operation", "") != '\0';

	if (of_operation && !json_object_get(o, "operation_until"))
		return "(not known)";
	return api_text(o, of_operation ? "operation_until" : "until", "never");
}

static void print_share(const char *name, const json_t *r)
{
	double before = api_number(r, "bits_per_s", -1),
	       after = api_number(r, "bits_per_s_after", -1),
	       load = api_number(r, "load_ppm_after", -1);
	char one[UNITS_MAX], two[UNITS_MAX];

	printf("  %-16s share %5.1f %% -> %5.1f %%", name,
	       api_number(r, "weight_ppm_before", 0) / 1e4,
	       api_number(r, "weight_ppm_after", 0) / 1e4);
	if (before >= 0)
		printf(", %s -> %s", units_bits(before, one), units_bits(after, two));
	else if (json_object_get(r, "site") || json_object_get(r, "node"))
		printf(", load not known");
	if (load >= 0)
		printf(" (%.1f %% of %s)", load / 1e4,
		       units_bits(api_number(r, "capacity_bits_per_s", 0), one));
	putchar('\n');
}

static void print_receivers(const json_t *list)
{
	const json_t *r;
	size_t i;

	if (json_array_size(list))
		puts("receivers:");
	json_array_foreach(list, i, r) print_share(
	        api_text(r, "site", api_text(r, "node", api_text(r, "backend", "?"))), r);
}

static void print_guards(const json_t *list)
{
	const json_t *g;
	size_t i;

	json_array_foreach(list, i, g)
	{
		const char *detail = api_text(g, "detail", "");

		printf("  guard %s: %s%s%s\n", api_text(g, "guard", ""),
		       json_has_true(g, "ok") ? api_text(g, "state", "ok") : "OVERRIDDEN",
		       detail[0] ? ", " : "", detail);
	}
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
		if (json_object_get(o, rows[i].name))
			printf("  %-9s %s\n", rows[i].what, api_text(o, rows[i].name, "never"));
}

/* An undo that begins a new override needs a new reason. */
static void print_undo(const char *line)
{
	bool begins = line && (strstr(line, " drain ") || strstr(line, " shift ") ||
	                       strstr(line, " disable ") || strstr(line, " force-up "));

	if (line)
		printf("undo: %s%s\n", line,
		       begins && !strstr(line, "--reason") ? " --reason TEXT" : "");
}

const char *override_target_of(const json_t *o, bool briefly, char out[OVERRIDE_TARGET_MAX])
{
	const json_t *target = json_object_get(o, "target");
	const char *site = api_text(target, "site", NULL), *node = api_text(target, "node", NULL);
	const char *service = api_text(target, "service", "");
	const char *clients = api_text(o, "clients", ""); /* of a drill */

	if (node)
		snprintf(out, OVERRIDE_TARGET_MAX, "node %s", node);
	else if (site)
		snprintf(out, OVERRIDE_TARGET_MAX, "%s%s%s%s%s%s", briefly ? "" : "site ", site,
		         *service ? ", service " : "", service, *clients ? ", clients " : "",
		         clients);
	else
		snprintf(out, OVERRIDE_TARGET_MAX, "%s%s/%s", briefly ? "" : "backend ",
		         api_text(target, "pool", ""), api_text(target, "backend", ""));
	return out;
}

void override_print(const json_t *body)
{
	const json_t *o = json_object_get(body, "override");
	char target[OVERRIDE_TARGET_MAX];
	const json_t *node;
	size_t i;

	if (!json_is_object(o)) {
		api_print_texts(json_object_get(body, "notes"), "");
		return;
	}
	if (json_has_true(body, "dry_run"))
		puts("dry run, nothing was changed:");
	printf("%s %s: %s (%s)\n", api_text(o, "do", "?"), override_target_of(o, false, target),
	       api_text(o, "state", "?"), api_text(o, "id", "?"));
	print_times(o);
	print_receivers(json_object_get(body, "receivers"));
	print_guards(json_object_get(body, "guards"));
	api_print_texts(json_object_get(body, "notes"), "  note: ");
	json_array_foreach(json_object_get(body, "nodes"), i, node)
	        printf("  %-16s %s%s%s\n", api_text(node, "node", ""), api_text(node, "state", ""),
	               api_text(node, "detail", "")[0] ? " " : "", api_text(node, "detail", ""));
	if (json_is_false(json_object_get(body, "complete")))
		puts("  not all nodes have the change yet; weir-mgmt continues in the background: see "
		     "weir status");
	if (!json_has_true(body, "dry_run"))
		print_undo(api_text(body, "undo", NULL));
}
