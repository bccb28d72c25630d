/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Removing directories of thousands of files without waiting for it: STATE/config/DIGEST is renamed
 * at once, and a thread of its own removes the files. If the process ends first, the next start
 * removes the rest.
 *
 * Implemented in mgmt/files/sweep.c.
 */
#ifndef WEIR_MGMT_FILES_SWEEP_H
#define WEIR_MGMT_FILES_SWEEP_H

#include <stdbool.h>

/** Remove directory @p dir soon; where that cannot be, at once. Its name is free when this returns. Any thread. */
void sweep_dir(const char *dir);
/** Whether @p name is that of a directory that is to be removed. */
bool sweep_is_left(const char *name);

#endif
