/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Paths of objects and settings as people give them, "pools/web/backends/b1/weight" (mgmt/json/setting.h has what is behind
 * the object).
 *
 * Implemented in mgmt/cli/edit/setting.c. Pure, but for the message of a path that is none.
 */
#ifndef WEIR_MGMT_CLI_EDIT_SETTING_H
#define WEIR_MGMT_CLI_EDIT_SETTING_H

#include "base/checked.h"
#include "weir/object.h"

/**
 * Read a path. @param setting  what stands behind the object, of @p given; "": nothing
 * @return CLI_OK, or an exit status after a message
 */
MUST_CHECK int setting_read_path(const char *given, const char **setting, struct object_path *path);

#endif
