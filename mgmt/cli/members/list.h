/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A list of members, as weir-sync reads it: [{"id", "address", "weight"?, "labels"?}, ...]. All of it is right, or it is
 * refused as a whole, with what is wrong in it.
 *
 * Implemented in mgmt/cli/members/list.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_LIST_H
#define WEIR_MGMT_CLI_MEMBERS_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/json/member.h"

#define LIST_BYTES_MAX   (16u << 20) /**< of a list */
#define LIST_MEMBERS_MAX 20000u      /**< MEMBERS_KNOWN_MAX: more could not be members */
#define LIST_ERRORS_MAX  20u         /**< that are named */
#define LIST_SOURCE      "source"    /**< the label that says whose a member is */

/** Errors in words, a line each. */
struct list_errors {
	char text[4096];
	size_t n, used; /**< n counts those that have no line, too */
};
__attribute__((format(printf, 2, 3))) void list_refuse(struct list_errors *e, const char *format,
                                                       ...);

/** Members by the order of their ids. Zeroed is none. */
struct list_members {
	struct member_entry *items;
	size_t n;
};
void list_fini(struct list_members *list);
/** @return NULL: it has none of that name */
struct member_entry *list_find(const struct list_members *list, const char *id);
/** Sort by id; what is filled in by other means. */
void list_sort(struct list_members *list);

/**
 * Read a list of @p source: each member gets the label `source` with it, and @p ttl_s.
 * @param out  given; untouched on failure
 * @return whether it is a list, of one member or more, all right; else @p errors says what is wrong
 */
MUST_CHECK bool list_read(const char *text, size_t n, const char *source, uint32_t ttl_s,
                          struct list_members *out, struct list_errors *errors);
/** Whether @p source can be the value of that label, with room for others. */
bool list_is_source(const char *source);
/** Whether a member with @p labels ("rack=7,source=k8s") is one of @p source. */
bool list_has_source(const char *labels, const char *source);

/** Lines of a stream: of those that have come whole, the last one counts. Zeroed is empty. */
struct list_lines {
	char *bytes;
	size_t n, room;
	size_t scanned;   /**< no end of line before */
	bool is_too_long; /**< the present line is passed over */
};
enum list_line {
	LIST_LINE_NONE,
	LIST_LINE_WHOLE,
	LIST_LINE_TOO_LONG, /**< one was, and none that is whole came after it */
};
void list_lines_fini(struct list_lines *l);
/** Where to put the next bytes, at least @p least of them. @return NULL: out of memory */
char *list_lines_room(struct list_lines *l, size_t least);
/**
 * Take @p n bytes that were put there. The last line that is whole and not blank is given as @p line of @p length bytes.
 * @param ends  nothing follows: what has no end of line is a line
 */
enum list_line list_lines_accept(struct list_lines *l, size_t n, bool ends, char **line,
                                 size_t *length);

#endif
