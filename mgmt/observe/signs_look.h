/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The signs that clients suffer (mgmt/core/signs.h), from the pages of this node's processes.
 *
 * Implemented in mgmt/observe/signs_look.c; any thread.
 */
#ifndef WEIR_MGMT_OBSERVE_SIGNS_LOOK_H
#define WEIR_MGMT_OBSERVE_SIGNS_LOOK_H

#include "mgmt/core/signs.h"

/** Read the pages below @p run_dir. */
void signs_look(const char *run_dir, uint64_t now_ms, struct signs *out);

#endif
