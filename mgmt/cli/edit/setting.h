/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Paths of objects and settings as people give them, "pools/web/backends/b1/weight": the object, and where its setting is in the
 * object's JSON and in the description of its kind.
 *
 * Implemented in mgmt/cli/edit/setting.c. Pure, but for the message of a path that is none; JSON is borrowed.
 */
#ifndef WEIR_MGMT_CLI_EDIT_SETTING_H
#define WEIR_MGMT_CLI_EDIT_SETTING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/checked.h"
#include "weir/object.h"
#include "weir/suggest.h"

/**
 * Read a path. @param setting  what stands behind the object, of @p given; "": nothing
 * @return CLI_OK, or an exit status after a message
 */
MUST_CHECK int setting_read_path(const char *given, const char **setting, struct object_path *path);
/** The next name of a path of settings, "labels" of "labels/region". @return what is behind it */
const char *setting_split(const char *at, char name[OBJECT_NAME_MAX]);
/** The name of an element of a list of groups: its first setting; "": it has none. */
const char *setting_element_name(const json_t *element);
/**
 * A setting of an object. @param lacks  whether a list has no group of the name that the path has; NULL: not wanted
 * @return NULL: it is not given
 */
json_t *setting_find(const json_t *object, const char *setting, bool *lacks);
/**
 * The description of a setting in the schema of a kind (object_schema()).
 * @param suggestion  where there is none: what suggest_text() gives; NULL: not wanted @return NULL: there is none
 */
const json_t *setting_describe(const json_t *schema, const char *setting,
                               char suggestion[SUGGEST_TEXT_MAX]);

#endif
