/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints members of an answer and derives nothing: management works out the cure, so that all
 * clients show the same one.
 */
#include "mgmt/cli/diverged.h"

#include <string.h>

#include "mgmt/cli/api.h"

static void print_diverged_head(FILE *to, const json_t *head, bool here)
{
	const char *reason = api_text(head, "reason", "");

	fprintf(to, "  %s%s: version %.0f, %s\n", api_text(head, "node", "?"),
	        here ? " (this node)" : "", api_number(head, "number", 0),
	        api_text(head, "digest", "?"));
	fprintf(to, "    made on %s by %s at %s%s%s%s\n", api_text(head, "made_on", "?"),
	        api_text(head, "author", "?"), api_text(head, "time", "?"), *reason ? ": " : "",
	        reason,
	        json_is_true(json_object_get(head, "provisional"))
	                ? " (provisional: not applied by a person)"
	                : "");
}

void diverged_print(FILE *to, const json_t *body)
{
	const json_t *own = json_object_get(body, "own"), *heads = json_object_get(body, "heads"),
	             *item;
	const char *here = api_text(own, "node", "");
	size_t i;

	if (json_array_size(heads) == 0 || !own)
		return;
	fputs("diverged: the nodes have versions that do not follow from each "
	      "other\n",
	      to);
	print_diverged_head(to, own, true);
	json_array_foreach(heads, i, item) print_diverged_head(to, item, false);
	json_array_foreach(heads, i, item)
	        fprintf(to, "to see the difference: weir diff %s\n", api_text(item, "node", "?"));
	json_array_foreach(json_object_get(body, "cure"), i, item)
	{
		const char *on = api_text(item, "on", "?");

		fprintf(to, "to keep the version of %s, on %s%s:\n  %s\n", on, on,
		        strcmp(on, here) ? "" : " (this node)", api_text(item, "command", ""));
	}
}

void old_file_print(FILE *to, const json_t *body)
{
	const json_t *list = json_object_get(body, "takes_back"), *item;
	double n = api_number(body, "n_takes_back", 0);
	size_t i;

	if (json_array_size(list) == 0)
		return;
	fprintf(to, "the file takes back %.0f setting%s that changed since version %s:\n", n,
	        n == 1 ? "" : "s", api_text(body, "base", "?"));
	json_array_foreach(list, i, item)
	{
		const char *kind = api_text(item, "kind", "");
		bool removes = !strcmp(kind, "removed"), adds = !strcmp(kind, "added");

		fprintf(to, "  %s %s%s, the file has %s: version %.0f by %s on %s at %s: %s\n",
		        api_text(item, "path", "?"),
		        removes ? "was added"
		        : adds  ? "was removed"
		                : "is ",
		        removes || adds ? "" : api_text(item, "now", ""),
		        removes ? "none"
		        : adds  ? "it"
		                : api_text(item, "file", ""),
		        api_number(item, "version", 0), api_text(item, "author", "?"),
		        api_text(item, "node", "?"), api_text(item, "time", "?"),
		        api_text(item, "reason", ""));
	}
}
