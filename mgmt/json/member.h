/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Members of a pool as programs write them in JSON: the body of a PUT, the entries of a batch and of a list (docs/api.md).
 * What weir-mgmt reads and what weir-register and weir-sync send goes through the same rows.
 *
 * Implemented in mgmt/json/member.c; any thread.
 */
#ifndef WEIR_MGMT_JSON_MEMBER_H
#define WEIR_MGMT_JSON_MEMBER_H

#include "base/checked.h"
#include "mgmt/json/field.h"
#include "mgmt/overrides/member_entry.h"

#define MEMBER_WEIGHT_DEFAULT 100u /**< as of a backend */

#define MEMBER_BODY_ROWS(X, t)                                                                     \
	X(t, const char *, address, .most = ADDR_TEXT_MAX - 1,                                     \
	  .pattern = "^[0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*$", .example = "192.0.2.7")                   \
	X(t, struct shown_number, weight, .spare = true, .most = MEMBER_WEIGHT_MAX)                \
	X(t, const char *, ttl, .most = 31, .spare = true, FIELD_IS_DURATION, .example = "30s")    \
	X(t, json_t *, labels, .spare = true, .of = &member_labels_kind)
#define MEMBER_ITEM_ROWS(X, t)                                                                     \
	X(t, const char *, id, .most = MODEL_NAME_MAX - 1, .example = "web-7")                     \
	MEMBER_BODY_ROWS(X, t)
/** Of a PUT. */
RECORD_STRUCT(member_body, MEMBER_BODY_ROWS);
/** The same with its id, in a list. */
RECORD_STRUCT(member_item, MEMBER_ITEM_ROWS);

/** Seconds of a time to live, 0 without one; note in @p f what is wrong with it. */
void member_read_ttl(struct field_reader *f, const char *text, uint32_t *out);
/** Labels, "rack=7,zone=a", as an object, given. */
json_t *member_labels_json(const char *labels);
/** Note in @p f what is wrong with @p b; else fill @p w with it, but for its name. */
void member_read_body(struct field_reader *f, const struct member_body *b, struct member_entry *w);
/** Begin @p f, and read an item of a list, whatever it is, into @p w. To be ended by field_close(). */
void member_read_item(struct field_reader *f, const json_t *item, struct member_entry *w);
/** What member_read_item() reads as @p w, given; NULL when out of memory. @param names  with its id: an item, else a body */
json_t *member_item_json(const struct member_entry *w, bool names);

#endif
