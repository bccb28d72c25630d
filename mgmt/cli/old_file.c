/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/old_file.h"

#include <string.h>

#include "mgmt/cli/api.h"

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
