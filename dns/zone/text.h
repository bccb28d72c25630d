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
#include <stdint.h>

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

/** What was read: whole when zone_text_next() has returned 0. */
struct zone_text_read {
	/** Of all bytes of the zone's file and of those that it included, in their order. */
	uint64_t digest;
	/** Names of the included files in this order, each with its NUL; the reader's. */
	const char *included;
	size_t n_included; /**< bytes */
};
struct zone_text_read zone_text_read(const struct zone_text *t) NONNULL();

/**
 * Read the zone's file and @p included files again, without a look at what they say.
 * @param out  as zone_text_read() gave it if all bytes are the same
 * @return 0, or -errno: a file cannot be read
 */
int zone_text_digest(const char *path, const char *included, size_t n_included,
                     uint64_t *out) MUST_CHECK NONNULL();

#endif
