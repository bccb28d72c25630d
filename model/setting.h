/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The value of a setting in the model, by its row's member: from there to text and back. The row's
 * kind and member say enough for nearly all of them. Documents (write.c), JSON (object_json.c) and
 * comparisons (flatten.c) are made of it.
 * Implemented in model/setting.c. Pure functions: any thread may call them.
 *
 * @p of is always the struct that has the member: an element of the list around the setting, else
 * struct model.
 */
#ifndef WEIR_MODEL_SETTING_H
#define WEIR_MODEL_SETTING_H

#include "model/schema.h"

#define SETTING_TEXT_MAX 256 /**< bytes: the longest that is made, a list of CPUs, with the NUL */

/** Whether the model has it, so that it can be written: a member, a text that is made, a group. */
bool setting_is_held(enum schema_id id);
/** Whether the model has it as a number: also a boolean, a time, a word of an enum. */
bool setting_is_number(enum schema_id id);
/** Such a number, as the model has it. */
uint64_t setting_number(enum schema_id id, const void *of);
/** Set it; a member that is smaller takes the low bits. */
void setting_set_number(enum schema_id id, void *of, uint64_t n);
/** A text or reference: point to @p value, borrowed by the model. */
void setting_set_pointer(enum schema_id id, void *of, const void *value);
/** A list: its @p n elements in an array, borrowed by the model. */
void setting_set_list(enum schema_id id, void *of, const void *elements, size_t n);
/** How many elements a list has. */
size_t setting_count(enum schema_id id, const void *of);
/** Element @p i of a list, borrowed. */
const void *setting_element(enum schema_id id, const void *of, size_t i);

/**
 * A single value as a document has it, without quotes; "" for a reference to nothing.
 * @param text  room that may be used for it
 */
const char *setting_text(enum schema_id id, const void *of, char text[SETTING_TEXT_MAX]);
/** The same of entry @p i of a list of addresses, prefixes, MAC addresses or references. */
const char *setting_entry(enum schema_id id, const void *of, size_t i, char text[SETTING_TEXT_MAX]);
/** Whether it is 0, false, "", a reference to nothing, an empty list, or a group of such. */
bool setting_is_empty(enum schema_id id, const void *of);
/**
 * Whether a document of the model has it: it is held, not empty where its row has mark O, and what it says is not said by
 * another setting, or by its absence.
 */
bool setting_is_given(enum schema_id id, const void *of);

#endif
