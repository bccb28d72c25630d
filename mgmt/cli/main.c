/* SPDX-License-Identifier: BSD-2-Clause */
#include <locale.h>

#include "mgmt/cli/cli.h"

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	return cli_main(argc, argv);
}
