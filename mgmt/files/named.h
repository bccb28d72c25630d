/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which files of a version somebody names: weir.conf, what it includes, the files of zones and what those include. What is in a
 * file that nobody names has no effect, so no comparison of models shows a change of it.
 *
 * Implemented in mgmt/files/named.c. Pure functions but for the reading of large files: any thread may call them.
 */
#ifndef WEIR_MGMT_FILES_NAMED_H
#define WEIR_MGMT_FILES_NAMED_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/files/files.h"

/** Called for a file that differs. @param is_named  by either version that has it. @return 0, or what ends the walk */
typedef int named_changed(void *arg, const char *name, bool is_named);

/** Call @p found for each file whose bytes differ, or that one of the versions alone has. @return 0, what @p found returned, or -errno */
MUST_CHECK int named_list_changed(const struct files *from, const struct files *to,
                                  named_changed *found, void *arg);

#endif
