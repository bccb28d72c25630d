/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Printing JSON, in a file of its own, because weir-agent has no client of the API and no libcurl.
 */
#include <stdio.h>

#include "mgmt/cli/api.h"

void api_print_json(const json_t *body)
{
	json_dumpf(body, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}
