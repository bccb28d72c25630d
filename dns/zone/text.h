/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Master files as logical lines (RFC 1035, section 5.1): comments are removed, parentheses and the line ends inside
 * them become blanks, quotes and escapes stay. Implemented in dns/zone/text.c; a reader belongs to one thread.
 */
#ifndef WEIR_DNS_ZONE_TEXT_H
#define WEIR_DNS_ZONE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

struct zone_text;

struct zone_text_line {
	char *text;    /**< NUL-terminated, writable, the reader's until the next call */
	bool indented; /**< began with a blank: the owner is that of the last record */
	const char *file;
	unsigned line;  /**< where it began */
	unsigned depth; /**< 0: the zone's file; n: in an included file */
};

/** Open a zone's file. @return 0, or -errno with the reason in @p reason */
int zone_text_open(const char *path, struct zone_text **out, const char **reason) MUST_CHECK
        NONNULL();
void zone_text_close(struct zone_text *t);

/** @return 1 with a line, 0 at the end, -errno with the reason in @p reason; line->file and ->line are always set */
int zone_text_next(struct zone_text *t, struct zone_text_line *line, const char **reason) MUST_CHECK
        NONNULL();

/**
 * Continue with @p path, which must lie below the zone file's directory. @return 0, or -errno with the reason in @p
 * why
 */
int zone_text_include(struct zone_text *t, const char *path, const char **reason) MUST_CHECK
        NONNULL();

#endif
