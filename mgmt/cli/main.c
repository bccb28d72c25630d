/* SPDX-License-Identifier: BSD-2-Clause */
/* Only LC_CTYPE follows the environment: numbers keep their decimal point, which scripts read. */
#include <locale.h>

#include "mgmt/cli/cli.h"

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	return cli_main(argc, argv);
}
