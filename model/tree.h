/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A document as a tree of plain values, in an arena. The only file that knows libconfig is tree.c.
 */
#ifndef WEIR_MODEL_TREE_H
#define WEIR_MODEL_TREE_H

#include "model/scan.h"

enum tree_kind { TREE_GROUP, TREE_LIST, TREE_TEXT, TREE_INTEGER, TREE_BOOLEAN };

struct tree {
	enum tree_kind kind;
	const char *name;          /* in a group; NULL in a list and at the top */
	const struct tree *parent; /* NULL at the top */
	uint32_t place;            /* among the parent's children */
	unsigned line;             /* of the scan's output */
	const struct tree *children;
	uint32_t n_children;
	const char *text;
	int64_t integer; /* booleans as well */
};

/**
 * Parse the scan's output. A syntax error becomes a mistake.
 * @return the top group, or NULL after a mistake or when the arena is full
 */
const struct tree *tree_parse(struct scan *s, struct arena *arena);

/** Write "pools[2].backends[0]" and ".NAME" if @p name is not NULL. @return @p path */
#define TREE_PATH_MAX 256
const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX]);
/** What a person calls a node of this kind: "a group { ... }". */
const char *tree_kind_text(enum tree_kind kind);

#endif
