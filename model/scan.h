/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan of a document: reads the text and its includes token by token, has each token judged by
 * the grammar, and builds the tree. Every error of syntax is found here, with its file and line.
 * Implemented in model/scan.c; called by the thread that reads a document.
 *
 * Bounds: SCAN_* below; each has its error message.
 */
#ifndef WEIR_MODEL_SCAN_H
#define WEIR_MODEL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "model/grammar.h"
#include "model/tree.h"

#define SCAN_CONFIG_MAX    (16u << 20) /* bytes, includes and all */
#define SCAN_EFFECTIVE_MAX (64u << 20)
#define SCAN_FILES_MAX     256u     /* files included */
#define SCAN_INCLUDE_DEPTH 8u       /* bounds the recursion */
#define SCAN_SETTINGS_MAX  1000000u /* names and values; ten thousand backends have about 90,000 */
#define SCAN_NAME_MAX      63u      /* bytes of a setting's name */
#define SCAN_TEXT_MAX      4096u    /* bytes of a text */
#define SCAN_MEMBERS_MAX   64u      /* settings in one group */

struct document_scan {
	struct arena *arena; /**< borrowed; holds the tree and the files' names */
	struct model_errors *errors;
	const char *dir; /**< includes are found below it; NULL: includes are refused */
	size_t bytes_max;

	struct grammar grammar;
	struct tree_builder tree;
	size_t n_files, n_bytes, n_settings;
	bool broken; /**< the tree is of no use */
};

/** Prepare; @p s is zeroed by it. */
void scan_init(struct document_scan *s, struct arena *arena, struct model_errors *errors,
               const char *dir, size_t bytes_max);
/**
 * Scan the file @p path and what it includes. Errors go to the collection. @return 0 or -errno of
 * opening or memory
 */
MUST_CHECK int scan_file(struct document_scan *s, const char *path);
/** Scan @p n bytes that are called @p name. @return 0 or -ENOMEM */
MUST_CHECK int scan_text(struct document_scan *s, const char *text, size_t n, const char *name);
/** The document as a tree, in the scan's arena. @return NULL after an error that leaves none */
const struct tree *scan_tree(const struct document_scan *s);

#endif
