/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether an audit log is what was written: which line was changed, removed, inserted, moved, or cut off behind the last head
 * that a peer holds; and what cannot be known.
 *
 * Who can write the file but not read the key finds that each change breaks the chain, and a new chain lacks signatures. Who can
 * read the key, too, can write a new log; then only a head that a peer holds shows it. What stands behind the last
 * signature can be written again by both, and what was cut off behind the last head of a peer leaves no trace.
 *
 * Pure, implemented in mgmt/audit/verify.c. A struct audit_verify belongs to one thread.
 */
#ifndef WEIR_MGMT_AUDIT_VERIFY_H
#define WEIR_MGMT_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/audit/line.h"

#define AUDIT_FOUND_MAX 32u /**< that are said one by one; the others are counted */

/** What is wrong at a line, or what is to be known of one. */
#define AUDIT_FOUND_ROWS(X, t)                                                                     \
	X(t, char[16], what)                                                                       \
	X(t, char[80], file)                                                                       \
	X(t, uint64_t, line)                                                                       \
	X(t, uint64_t, seq)                                                                        \
	X(t, char[256], detail)
RECORD_STRUCT(audit_found, AUDIT_FOUND_ROWS);

/** The outcome. */
#define AUDIT_VERDICT_ROWS(X, t)                                                                   \
	X(t, bool, good)                                                                           \
	X(t, char[MODEL_NAME_MAX], node)                                                           \
	X(t, uint64_t, lines)                                                                      \
	X(t, uint64_t, first)                                                                      \
	X(t, uint64_t, last)                                                                       \
	X(t, uint64_t, vouched)                                                                    \
	X(t, uint32_t, heads)                                                                      \
	X(t, char[AUDIT_KEY_MAX], key)                                                             \
	X(t, uint64_t, n_found)                                                                    \
	X(t, struct audit_found[AUDIT_FOUND_MAX], found,                                           \
	  AS_LIST(t, found, n_found_shown, audit_found_kind))                                      \
	X(t, uint32_t, n_found_shown, HIDDEN)                                                      \
	X(t, struct audit_found[AUDIT_FOUND_MAX], notes,                                           \
	  AS_LIST(t, notes, n_notes, audit_found_kind))                                            \
	X(t, uint32_t, n_notes, HIDDEN)
RECORD_STRUCT(audit_verdict, AUDIT_VERDICT_ROWS);

struct audit_verify;

/** @p is_part: the text may begin anywhere in a log, as a copy of a file does. */
MUST_CHECK struct audit_verify *audit_verify_new(bool is_part);
void audit_verify_free(struct audit_verify *v);
/** Files are of @p file_max bytes, and @p files_max are kept; 0: those of mgmt/audit/log.h. */
void audit_verify_bound(struct audit_verify *v, size_t file_max, size_t files_max);
/** Add the next @p n bytes, whole lines of file @p file; the last of all may be without its newline. @return 0 or -ENOMEM */
MUST_CHECK int audit_verify_add(struct audit_verify *v, const char *file, const char *bytes,
                                size_t n);
/** How many of the lines so far are lines of an audit log. */
size_t audit_verify_lines(const struct audit_verify *v);
/** Whose log it is to be where no line says so: without a line, heads of this node alone are used. */
void audit_verify_node(struct audit_verify *v, const char *node);
/** Add a head that @p holder holds. One of another node is not used; one whose signature is none neither, which is said. */
void audit_verify_head(struct audit_verify *v, const char *holder, const struct audit_head *head);
/** Add the head that the directory of the log has itself (mgmt/audit/mark.h); it stands for no peer. */
void audit_verify_mark(struct audit_verify *v, const struct audit_head *head);
/** Judge, once. A log without a line is never good: whether there is one at all is for who calls to find. */
void audit_verify_end(struct audit_verify *v, struct audit_verdict *out);

#endif
