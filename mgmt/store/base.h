/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The version that a configuration file was made from, so that applying the file undoes no change
 * of others unseen.
 *
 * The file may name it: the comment line "# weir base VERSION" among its first comments (`weir
 * config show` prints it). The line is not part of the configuration: it is removed before the file
 * is compared, digested and stored. Pure, except for the memory of the files.
 *
 * Implemented in mgmt/store/base.c. Any thread may call; a struct base_look belongs to one.
 */
#ifndef WEIR_MGMT_STORE_BASE_H
#define WEIR_MGMT_STORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/files/files.h"
#include "mgmt/rules/plan.h"
#include "mgmt/store/store.h"

/** Room for a version as people name it: its ETag without quotes, or its number. */
#define BASE_TEXT_MAX 48u
/** How many versions are looked at, from the head back. */
#define BASE_VERSIONS_MAX 32u
/** How many settings are named; all are counted. */
#define BASE_SHOWN_MAX 50u

/** Remove the line from weir.conf. @param out  the version that it names, "" without such a line */
void base_extract_line(struct files *files, char out[BASE_TEXT_MAX]);

/**
 * Read "20", "v20" or "v20-0123456789abcdef". @param digits  of the digest's beginning, "" for
 * none. @return whether it is one
 */
MUST_CHECK bool base_read(const char *text, uint64_t *number, char digits[17]);

/**
 * Find the earliest version that a file without a base line may have been made from: the newest in
 * @p list (newest first) that this person made, or that undid one of theirs automatically. A person
 * is a principal with an author, because several people may share a principal such as "root".
 * @return its index, or @p n when there is none
 */
size_t base_last_of(const struct version *list, size_t n, const char *principal,
                    const char *author);

/** What was found about one change of the plan (from the head to the file). */
struct base_mark {
	bool reverted; /**< the file undoes or overwrites a change that it was not made from */
	bool found;    /**< an earlier version with another value was seen; then: */
	size_t version_index; /**< the index of the version that made the head's value */
};

/** One look at the versions between the base and the head. */
struct base_look {
	struct base_mark *marks; /**< of each change of the plan */
	size_t n_reverted;
	size_t base; /**< the index of the base: only what was changed since counts */
};

/** Start on @p plan, from the head to the file, which was made from version index @p base. @return 0 or -ENOMEM */
MUST_CHECK int base_look_start(struct base_look *l, const struct change_plan *plan, size_t base);
/** Whether versions before the base may still show that the file brings an earlier value back, of what was changed since. */
bool base_look_is_open(const struct base_look *l, const struct change_plan *plan);
/**
 * Compare with an earlier version.
 *
 * @param index  the version's index, newest first; the head is 0
 * @param last  this version is the base for certain: then a setting that base, head and file have
 *   in three ways counts as well
 * @return 0 or -ENOMEM
 */
MUST_CHECK int base_look_at(struct base_look *l, const struct change_plan *plan,
                            const struct model *earlier, size_t index, bool last);
void base_look_fini(struct base_look *l);

#endif
