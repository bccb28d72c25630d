/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Where a setting of an object is, by a path as people give it, "backends/b1/weight": in the object's JSON, and in the
 * description of its kind.
 *
 * Implemented in mgmt/json/setting.c. Pure; JSON is borrowed. Any thread.
 */
#ifndef WEIR_MGMT_JSON_SETTING_H
#define WEIR_MGMT_JSON_SETTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "weir/object.h"
#include "weir/suggest.h"

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
/** Write a value in one line: "eth0", "1500", "10.0.0.1 10.0.0.2"; of a group all but its name. */
void setting_put(FILE *out, const json_t *value);

#endif
