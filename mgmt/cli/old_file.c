/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/old_file.h"

#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"

void old_file_print(FILE *to, const json_t *body)
{
	const json_t *list = json_at(body, "takes_back");
	double n = api_number(body, "n_takes_back", 0);

	if (json_array_size(list) == 0)
		return;
	fprintf(to, "the file takes back %.0f setting%s that changed since version %s:\n", n,
	        n == 1 ? "" : "s", api_text(body, "base", "?"));
	rows_write(to, list, SIZE_MAX,
	           "  {path|?} [{?kind=removed}was added, the file has none"
	           "|{?kind=added}was removed, the file has it|is {now|}, the file has {file|}]: "
	           "version {version:n|0} by {author|?} on {node|?} at {time|?}: {reason}\n");
}
