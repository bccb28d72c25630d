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
#include "weir/model.h"

#define SCAN_CONFIG_MAX    (16u << 20) /* bytes, includes and all */
#define SCAN_SETTINGS_MAX  1000000u /* names and values; ten thousand backends have about 90,000 */
#define SCAN_FILES_MAX     256u     /* files included */
#define SCAN_INCLUDE_DEPTH 8u       /* bounds the recursion */
#define SCAN_NAME_MAX      63u      /* bytes of a setting's name */
#define SCAN_TEXT_MAX      4096u    /* bytes of a text */
#define SCAN_MEMBERS_MAX   64u      /* settings in one group */

/*
 * An effective document has a configuration with the defaults of all settings (at most 3 times the
 * names and values: a pool of one backend; 4 times the bytes: a text of escapes), and what weir-mgmt
 * adds: a head and digests of zones, sets, members and overrides. Each of these is bounded by its
 * count, so that no document that weir-mgmt composes is refused; what follows allows for all of them
 * at once. model/write.c writes nothing larger.
 */
#define SCAN_SETS_MAX (1000u * (MODEL_SETS_MAX + 1)) /* pools times sets */
#define SCAN_EFFECTIVE_MAX                                                                         \
	(4 * SCAN_CONFIG_MAX + (2u << 20) + SCAN_SETS_MAX * 256u + MODEL_MEMBERS_MAX * 96u +       \
	 MODEL_OVERRIDES_MAX * 8192u)
#define SCAN_EFFECTIVE_SETTINGS_MAX                                                                \
	(3 * SCAN_SETTINGS_MAX + 30000u + SCAN_SETS_MAX * 9u + MODEL_MEMBERS_MAX * 7u +            \
	 MODEL_OVERRIDES_MAX * 64u)

/* Any pool keeps its set in force and the next one, of backends of five names and values or more. */
_Static_assert(MODEL_MEMBERS_MAX >= 2 * (SCAN_SETTINGS_MAX / 5), "sets have no room");

/** How large a document may be. */
struct scan_limits {
	size_t bytes, settings;
};

extern const struct scan_limits scan_config_limits, scan_effective_limits;

struct document_scan {
	struct arena *arena; /**< borrowed; holds the tree and the files' names */
	struct model_errors *errors;
	const char *dir; /**< includes are found below it; NULL: includes are refused */
	struct scan_limits max;

	struct grammar grammar;
	struct tree_builder tree;
	size_t n_files, n_bytes, n_settings;
	bool broken; /**< the tree is of no use */
};

/** Prepare; @p s is zeroed by it. */
void scan_init(struct document_scan *s, struct arena *arena, struct model_errors *errors,
               const char *dir, const struct scan_limits *max);
/**
 * Scan the file @p path and what it includes. Errors go to the collection. @return 0 or -errno of
 * opening or memory
 */
MUST_CHECK int scan_file(struct document_scan *s, const char *path);
/** Scan @p n bytes that are called @p name. @return 0 or -ENOMEM */
MUST_CHECK int scan_text(struct document_scan *s, const char *text, size_t n, const char *name);
/** Whether a text that model/write.c made is within @p max: its values are counted, not read. */
bool scan_fits(const char *text, size_t n, const struct scan_limits *max);
/** The document as a tree, in the scan's arena. @return NULL after an error that leaves none */
const struct tree *scan_tree(const struct document_scan *s);

#endif
