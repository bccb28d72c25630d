/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether the kernel still runs an XDP program on a port, for processes that look at a
 * weir-dataplane that is dead: its program goes on only while a pin or a process holds it.
 * Implemented in host/port_program.c; any thread.
 */
#ifndef WEIR_PORT_PROGRAM_H
#define WEIR_PORT_PROGRAM_H

#include <stdint.h>

#include "base/checked.h"

/**
 * Ask the kernel, without waiting for anything else. No right is needed.
 * @return 1: there is a program, Weir's or another's; 0: none; -errno: not known (-ENODEV: no such
 *         interface where the caller runs)
 */
int port_program_runs(const char *interface) NONNULL();
/** The same of the interface with this index, whatever its name is now; 0: not known. */
int port_program_runs_at(uint32_t ifindex);

#endif
