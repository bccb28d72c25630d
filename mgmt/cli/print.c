/* SPDX-License-Identifier: BSD-2-Clause */
/* Printing JSON, apart from the client: weir-agent has none. */
#include <stdio.h>

#include "mgmt/cli/api.h"

void api_print_json(const json_t *body)
{
	json_dumpf(body, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}
