/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a configuration file was made from, so that applying it takes nothing back unseen.
 *
 * The file may say it itself: the comment line "# weir base VERSION" among its first comments (`weir config show`
 * prints it). The line is no part of the configuration: it is taken out before the file is compared, digested and stored.
 * Pure, but for the memory of the files.
 *
 * Implemented in mgmt/store/base.c. Any thread may call; a struct base_look belongs to one.
 */
#ifndef WEIR_MGMT_STORE_BASE_H
#define WEIR_MGMT_STORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/store/files.h"
#include "mgmt/store/plan.h"
#include "mgmt/store/store.h"

/** Room for a version as people name it: its ETag without quotes, or its number. */
#define BASE_TEXT_MAX 48u
/** How many versions are looked at, from the head back. */
#define BASE_VERSIONS_MAX 32u
/** How many settings are named; all are counted. */
#define BASE_SHOWN_MAX 50u

/** Take the line out of weir.conf. @param out  what it names, "" without such a line */
void base_take_line(struct files *files, char out[BASE_TEXT_MAX]);

/** Read "20", "v20" or "v20-0123456789abcdef". @param digits  of the digest's beginning, "" for none. @return whether it is one */
bool base_read(const char *text, uint64_t *number, char digits[17]);

/**
 * Which of @p list, newest first, the file of a person who says nothing of it was made from at the earliest: the newest that
 * this person made, or that undid theirs by itself. A person is a principal with an author: behind "root" may be several.
 * @return its place, or @p n when there is none
 */
size_t base_last_of(const struct version *list, size_t n, const char *principal,
                    const char *author);

/** A change of the plan, from the head to the file, against the versions before the head. */
struct base_mark {
	bool taken;  /**< the file takes back, or overwrites, what it was not made from */
	bool found;  /**< an earlier version with another value was seen; then: */
	size_t made; /**< the place of the version that made what the head has */
};

/** One look at the versions between the base and the head. */
struct base_look {
	struct base_mark *marks; /**< of each change of the plan */
	size_t n_taken;
};

/** Start on @p plan, from the head to the file. @return 0 or -ENOMEM */
int base_look_start(struct base_look *l, const struct plan *plan);
/**
 * Compare with an earlier version, the one at @p place, newest first; the head is place 0.
 * @param last  the base itself is this one and the file was made from it for certain: what it and the head have otherwise, and
 *              the file in a third way, counts too
 * @return 0 or -ENOMEM
 */
int base_look_at(struct base_look *l, const struct plan *plan, const struct model *earlier,
                 size_t place, bool last);
void base_look_fini(struct base_look *l);

#endif
