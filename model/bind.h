/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree read by the schema: each group as an item with one value a row, checked for itself
 * (known, present, of the right type, within limits). Rules between values are in check.c.
 * Implemented in model/bind.c; called by the thread that reads a document.
 */
#ifndef WEIR_MODEL_BIND_H
#define WEIR_MODEL_BIND_H

#include "model/schema.h"
#include "model/scan.h"

struct item;

/** What a list of single values has. */
struct list_entry {
	struct prefix prefix; /**< prefixes; in its addr addresses, also MAC addresses */
	const char *name;     /**< references */
};

/** What a row has in one group. */
struct value {
	const struct tree *node; /**< NULL: not in the document */
	bool ok;                 /**< usable: given and right, or by default */
	uint64_t n; /**< quantities, integers, booleans, an enum's place; a time's milliseconds */
	const char *text;                 /**< texts, names and references */
	struct prefix prefix;             /**< addresses (bits unused) */
	const struct item *items;         /**< of groups */
	const struct list_entry *entries; /**< of other lists */
	uint32_t count;                   /**< of items or entries */
};

/** A group of the document. */
struct item {
	const struct tree *node;
	enum schema_id group;
	const struct value *values; /**< one a row, in the schema's order */
};

/** What binding needs; borrowed. */
struct bind {
	struct model_errors *errors;
	struct arena *arena;
	bool effective; /**< rows marked so are allowed */
	bool partial;   /**< what is required may be missing, but not in groups of a list */
};

/** Bind the whole document. @return NULL when the arena is full */
const struct item *bind_document(const struct bind *b, const struct tree *top);

/** Bind @p node, a group of row @p group (or of its list), alone. @return whether it has no error */
bool bind_object(const struct bind *b, const struct tree *node, enum schema_id group,
                 struct item *item);

/** The value of row @p id, which is one of @p item's group. */
const struct value *bind_value(const struct item *item, enum schema_id id);
/** Add an error at the value of row @p id, or at the group's line where it is not given. */
void bind_error(const struct bind *b, const struct item *item, enum schema_id id,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/** Add an error at entry @p i of the list that row @p id has in the document. */
void bind_entry_error(const struct bind *b, const struct item *item, enum schema_id id, uint32_t i,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
