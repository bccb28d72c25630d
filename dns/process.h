/* SPDX-License-Identifier: BSD-2-Clause */
/* The process weir-dns. */
#ifndef WEIR_DNS_PROCESS_H
#define WEIR_DNS_PROCESS_H

/** All that main() does. @return the exit code */
int dns_main(int argc, char **argv);

#endif
