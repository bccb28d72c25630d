/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/edit/setting.h"

#include "mgmt/cli/cli.h"

int setting_read_path(const char *given, const char **setting, struct object_path *path)
{
	if (object_path_read(given, setting, path))
		return cli_fail(CLI_USAGE,
		                "there is no %s: expected a path such as pools/NAME; weir get "
		                "lists the kinds",
		                given);
	return CLI_OK;
}
