/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the text of a document and its includes into a tree of plain values, in an arena. Every
 * error of syntax is found here, with its file and line. Implemented in model/scan.c; called by the
 * thread that reads a document.
 *
 * The grammar is that of libconfig 1.5 without its floating-point numbers:
 *
 *     group    = { name ("=" | ":") value [";" | ","] }
 *     value    = integer | boolean | text {text} | "{" group "}" | "(" [value {"," value}] ")"
 *              | "[" [scalar {"," scalar}] "]"      scalars of one kind
 *
 * Bounds: SCAN_* below; each has its error message.
 */
#ifndef WEIR_MODEL_SCAN_H
#define WEIR_MODEL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "model/errors.h"
#include "weir/model.h"

#define SCAN_CONFIG_MAX    (16u << 20) /* bytes, includes and all */
#define SCAN_SETTINGS_MAX  1000000u /* names and values; ten thousand backends have about 90,000 */
#define SCAN_FILES_MAX     256u     /* files included */
#define SCAN_INCLUDE_DEPTH 8u
#define SCAN_DEPTH_MAX     16u   /* brackets; bounds the recursion; documents need 5 */
#define SCAN_NAME_MAX      63u   /* bytes of a setting's name */
#define SCAN_TEXT_MAX      4096u /* bytes of a text */
#define SCAN_MEMBERS_MAX   64u   /* settings in one group */

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

enum tree_kind { TREE_GROUP, TREE_LIST, TREE_TEXT, TREE_INTEGER, TREE_BOOLEAN };

struct tree {
	enum tree_kind kind;
	/* The name's, or the value's if it has none; counted over all files. */
	uint32_t first_token;
	const char *name;          /* in a group; NULL in a list and at the top */
	const struct tree *parent; /* NULL at the top */
	uint32_t position;         /* among the parent's children */
	uint32_t order;            /* in the document, over all files */
	struct where at;           /* of the name if there is one */
	struct tree *children;     /* the first; the others by next */
	struct tree *next;
	uint32_t n_children;
	uint32_t last_token; /* of the value */
	const char *text;
	int64_t integer; /* booleans as well */
};

/** A token: where it is. 16 bytes, as a large document has some millions. */
struct scan_mark {
	uint32_t source;     /**< which one of scan_record.sources */
	uint32_t begin, end; /**< bytes from the source's begin; end is behind the token */
	char kind; /**< a separator or bracket itself (':' is '='), or n 0 b " and \0 (the end) */
};

/** A file as it was read once; a file that is included twice is two of them. */
struct scan_source {
	const char *name;
	struct where included; /**< the line of the include; the document's own: file is NULL */
	uint32_t parent;       /**< the source with that line */
	const char *bytes;     /**< borrowed from who gave them */
	size_t n;
};

/** All tokens of a document, by their ordinals, and the files that they are in. Arrays of malloc(). */
struct scan_record {
	struct scan_mark *marks;
	struct scan_source *sources;
	size_t n_marks, n_sources, marks_room;
};
/** Free the arrays. */
void scan_record_free(struct scan_record *record);

/** Gives the bytes of an include, which stay; see edit_read in weir/edit.h. */
typedef int scan_include(void *arg, const char *name, const char **bytes, size_t *n);

/** A document that is read. */
struct document_scan {
	struct arena *arena;         /**< borrowed; for the tree and the files' names */
	struct model_errors *errors; /**< borrowed */
	const char *dir;             /**< includes are found below it; NULL: includes are refused */
	scan_include *include; /**< includes are read by it, and not from a directory; or NULL */
	void *include_arg;
	/** Empty; filled by scan_text() with an include function; or NULL */
	struct scan_record *record;
	struct scan_limits max;

	const struct tree *top; /**< the document; NULL after an error that leaves none */
	size_t n_settings;      /**< names and values */
};

/**
 * Read the file @p path and what it includes. Errors go to the collection. @return 0 or -errno of
 * opening or memory
 */
MUST_CHECK int scan_file(struct document_scan *s, const char *path);
/** Read @p n bytes that are called @p name. @return 0 or -ENOMEM */
MUST_CHECK int scan_text(struct document_scan *s, const char *text, size_t n, const char *name);
/** Whether a text that model/write.c made is within @p max: its values are counted, not read. */
bool scan_fits(const char *text, size_t n, const struct scan_limits *max);

/** Write "pools[2].backends[0]" and ".NAME" if @p name is not NULL. @return @p path */
#define TREE_PATH_MAX 256
const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX]);
/** What a person calls a node of this kind: "a group { ... }". */
const char *tree_kind_text(enum tree_kind kind);

#endif
