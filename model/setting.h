/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The value of a setting in the model, by its row's member. The row's kind and
 * member say enough for all of them, so nothing here knows a setting by name.
 * Implemented in model/setting.c. Pure functions: any thread may call them.
 *
 * @p of is always the struct that has the member: an element of the list around the setting, else
 * struct model.
 */
#ifndef WEIR_MODEL_SETTING_H
#define WEIR_MODEL_SETTING_H

#include "model/schema.h"

/** A number, boolean, time or enum's index. */
void setting_set_number(enum schema_id id, void *of, uint64_t n);
/** A text or reference: point to @p value, borrowed by the model. */
void setting_set_pointer(enum schema_id id, void *of, const void *value);
/** A list: its @p n elements in an array, borrowed by the model. */
void setting_set_list(enum schema_id id, void *of, const void *elements, size_t n);
/** Elements of a list. */
size_t setting_count(enum schema_id id, const void *of);
/** Element @p i of a list. */
const void *setting_element(enum schema_id id, const void *of, size_t i);

#endif
