/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan that stands before libconfig. It reads the text and its includes, refuses what libconfig
 * would misread, and writes out the tokens one by one, so that libconfig sees nothing that was not
 * understood here: no syntax error, no include, no comment, no number beyond 32 bits, no setting that stands twice.
 *
 * Bounds: SCAN_* below; each has its mistake.
 */
#ifndef WEIR_MODEL_SCAN_H
#define WEIR_MODEL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "model/mistakes.h"

#define SCAN_CONFIG_MAX    (16u << 20) /* bytes, includes and all */
#define SCAN_EFFECTIVE_MAX (64u << 20)
#define SCAN_DEPTH_MAX     16u /* GRAMMAR_DEPTH_MAX */
#define SCAN_FILES_MAX     256u
#define SCAN_INCLUDE_DEPTH 8u
#define SCAN_SETTINGS_MAX  1000000u
#define SCAN_NAME_MAX      63u
#define SCAN_TEXT_MAX      4096u
#define SCAN_MEMBERS_MAX   64u /* settings in one group */

/** From where the lines that follow @p line of the output come. */
struct scan_piece {
	unsigned line; /**< first line of the output, 1.. */
	const char *file;
	unsigned file_line; /**< its line in the file */
};

struct scan {
	struct arena *arena; /**< borrowed; holds file names and pieces */
	struct model_mistakes *mistakes;
	const char *dir; /**< includes are found below it; NULL: includes are refused */
	size_t bytes_max;

	char *out; /**< the tokens, NUL-terminated; malloc()ed */
	size_t n_out, out_room;
	unsigned line; /**< of the output, 1.. */
	struct scan_piece *pieces;
	size_t n_pieces, n_files, n_bytes, n_settings;
	bool broken; /**< there is no sense in parsing the output */
	int error;   /**< -ENOMEM, else 0 */
};

/** Prepare; @p s is zeroed by it. */
void scan_init(struct scan *s, struct arena *arena, struct model_mistakes *mistakes,
               const char *dir, size_t bytes_max);
/** Scan the file @p path and what it includes. Mistakes go to the collection. @return 0 or -errno of opening or memory */
int scan_file(struct scan *s, const char *path);
/** Scan @p n bytes that are called @p name. @return 0 or -ENOMEM */
int scan_text(struct scan *s, const char *text, size_t n, const char *name);
void scan_fini(struct scan *s);

/** Where line @p line of the output comes from. */
struct where scan_where(const struct scan *s, unsigned line);
/** Whether libconfig's @p name is the mark that stands for a setting that was there already. */
bool scan_is_duplicate(const char *name);

#endif
