/* SPDX-License-Identifier: BSD-2-Clause */
/* The process weir-health. */
#ifndef HEALTHCHECK_PROCESS_H
#define HEALTHCHECK_PROCESS_H

/** All that main() does. @return the exit code */
int health_main(int argc, char **argv);

#endif
