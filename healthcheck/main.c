/* SPDX-License-Identifier: BSD-2-Clause */
/* weir-health: see process.c. */
#include "healthcheck/process.h"

int main(int argc, char **argv)
{
	return health_main(argc, argv);
}
