/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A document as a tree of plain values, in an arena, and the builder that the scan feeds.
 * Implemented in model/tree.c; called by the thread that reads a document.
 *
 * The builder fails only with its arena, which remembers that: its calls are harmless then.
 */
#ifndef WEIR_MODEL_TREE_H
#define WEIR_MODEL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/grammar.h"
#include "model/errors.h"

enum tree_kind { TREE_GROUP, TREE_LIST, TREE_TEXT, TREE_INTEGER, TREE_BOOLEAN };

struct tree {
	enum tree_kind kind;
	const char *name;          /* in a group; NULL in a list and at the top */
	const struct tree *parent; /* NULL at the top */
	uint32_t position;         /* among the parent's children */
	uint32_t order;            /* in the document, over all files */
	struct where at;           /* of the name if there is one */
	struct tree *children;     /* the first; the others by next */
	struct tree *next;
	uint32_t n_children;
	const char *text;
	int64_t integer; /* booleans as well */
};

/* An open group or list. */
struct tree_level {
	struct tree *node, *last; /* its last child */
};

struct tree_builder {
	struct arena *arena; /* borrowed */
	struct tree *top;
	uint32_t n_nodes;
	struct tree_level levels[GRAMMAR_DEPTH_MAX + 1];
	size_t depth;
	struct where named_at;
	const char *name;         /* of the value that follows */
	bool twice;               /* it is in the group already: keep the value out of the tree */
	struct tree *text;        /* the last text, which may be continued */
	size_t n_text, text_room; /* its bytes */
};

/** Begin a document. */
void tree_begin(struct tree_builder *b, struct arena *arena, struct where at);
/** How many values the open group or list has. */
uint32_t tree_members(const struct tree_builder *b);
/**
 * Name the value that follows. @return the value of the open group that has this name already,
 * else NULL
 */
const struct tree *tree_name(struct tree_builder *b, const char *name, size_t n, struct where at);
/** Add a group or a list and open it; close it. The grammar sees to their pairs and depth. */
void tree_open(struct tree_builder *b, enum tree_kind kind, struct where at);
void tree_close(struct tree_builder *b);
/** Add an integer or a boolean. */
void tree_add_number(struct tree_builder *b, enum tree_kind kind, int64_t n, struct where at);
/** Add a text of @p n bytes without NUL; continue it. */
void tree_add_text(struct tree_builder *b, const char *text, size_t n, struct where at);
void tree_add_more_text(struct tree_builder *b, const char *text, size_t n);

/** Write "pools[2].backends[0]" and ".NAME" if @p name is not NULL. @return @p path */
#define TREE_PATH_MAX 256
const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX]);
/** What a person calls a node of this kind: "a group { ... }". */
const char *tree_kind_text(enum tree_kind kind);

#endif
