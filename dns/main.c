/* SPDX-License-Identifier: BSD-2-Clause */
/* weir-dns: see process.c. */
#include "dns/process.h"

int main(int argc, char **argv)
{
	return dns_main(argc, argv);
}
