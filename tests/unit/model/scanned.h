/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One scan of a document at a time, with all that it needs, for tests that look at what it found.
 */
#ifndef TESTS_MODEL_SCANNED_H
#define TESTS_MODEL_SCANNED_H

#include "model/scan.h"

extern struct scanned {
	struct arena *arena;
	struct model_errors errors;
	struct document_scan scan;
} scanned;

/*
 * Begin, with @memory bytes for the tree and @bytes_max for the document; @dir as in struct
 * document_scan.
 */
void scanned_begin(size_t memory, const char *dir, size_t bytes_max);
/* Begin, and read @text. @return its tree */
const struct tree *scanned_text(const char *text);
void scanned_show(const char *text);
/* The first mistake is @message, at @line of @file; @broken: there is no tree. */
void scanned_expect(const char *text, unsigned line, const char *file, const char *message,
                    bool broken);
void scanned_forget(void);

/* @n times @entry between @before and @after, '#' in it as a number of its own. malloc()ed */
char *scanned_repeat(const char *before, const char *entry, size_t n, const char *after);

#endif
