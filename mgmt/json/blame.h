/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which version last changed what is in force: the walk over versions, from the one in force down, by the JSON of an object in
 * each.
 *
 * What is looked for has rows: a setting has one; of an object or a group each setting has one, and it itself has one, "" (since
 * when it is there). A list of groups has one with their names, and each of these groups has one. A row is found when an earlier
 * version has another value there: the version behind that one has changed it.
 *
 * A version that cannot be read is passed: a change may then be its own, so what is found behind it is not certain. One with the
 * files of the version before it is not read. A walk ends after so many reads, or when its reader says so, and goes on later
 * from a mark of its state.
 *
 * Implemented in mgmt/json/blame.c. Pure, but for the reader; one thread a walk.
 */
#ifndef WEIR_MGMT_JSON_BLAME_H
#define WEIR_MGMT_JSON_BLAME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/store.h"

#define BLAME_ROWS_MAX                                                                             \
	512u /**< rows of an object: those of its settings first; the others are counted */
#define BLAME_READS_MAX 64u /**< versions that are read of a request */
#define BLAME_MARK_MAX                                                                             \
	(3u * 20 + 4 + BLAME_ROWS_MAX / 4 + 1) /**< bytes of a mark as text, with the NUL */

/** Reads versions. */
struct blame_reader {
	/**
	 * The object of version @p v, given; NULL: it has none. @return 0, or -errno after which @p reason says why it cannot be
	 * read
	 */
	int (*read)(void *arg, const struct version *v, json_t **object, char *reason, size_t size);
	/** Whether to read one more. NULL: always */
	bool (*may_go_on)(void *arg);
	void *arg;
};

/** What changed a row. */
struct blame_found {
	const char *row; /**< its path, from what was looked for on */
	json_t *from;    /**< before; NULL: it was not there */
	size_t version;  /**< its index in the list */
	bool is_certain; /**< no version that could not be read lies between that one and the one before it */
};

/** A version that could not be read. */
struct blame_unread {
	size_t version;
	char reason[160];
};

/** A walk. */
struct blame {
	const char *setting; /**< of the object: what is looked for; "": all of it */
	json_t *now;         /**< the values in force by their rows */
	size_t n_rows, n_more, n_open;
	bool is_found[BLAME_ROWS_MAX];
	size_t known; /**< the oldest version whose values are known: open rows have those in force */
	size_t at;    /**< the oldest version that was looked at */
	bool has_gap;                             /**< one of those between could not be read */
	bool is_at_end;                           /**< there is no older version in the list */
	struct blame_found found[BLAME_ROWS_MAX]; /**< by this walk, newest first */
	size_t n_found;
	struct blame_unread unread[BLAME_READS_MAX];
	size_t n_unread;
};

/**
 * Begin at the version in force, index 0 of the list: @p object is that of the path in it (NULL: it has none), @p setting is
 * borrowed. @return 0 or -ENOMEM; blame_fini() in any case, of a zeroed @p b too
 */
MUST_CHECK int blame_begin(struct blame *b, const json_t *object, const char *setting);
/** Look at older versions of @p list (newest first, @p n of them) until all rows are found, or the walk has to end. */
void blame_walk(struct blame *b, const struct version *list, size_t n,
                const struct blame_reader *reader);
/** A row's value in force; NULL: it is not there. */
json_t *blame_now(const struct blame *b, const char *row);
/** Whether nothing was found, and what was looked for was in none of the versions that were looked at. */
bool blame_is_nothing(const struct blame *b);
/** The mark from which the walk goes on. */
void blame_mark(const struct blame *b, const struct version *list, char out[BLAME_MARK_MAX]);
/** Where version @p number is in the list; @p n: it is not there. */
size_t blame_find(const struct version *list, size_t n, uint64_t number);
/** The number of the version at which the walk of a mark began. @return 0: @p mark is none */
uint64_t blame_mark_begin(const char *mark);
/**
 * Go on, after blame_begin() by the same version, from a mark whose versions are in @p list. @return false: they are not, or it
 * is no mark of such an object
 */
MUST_CHECK bool blame_resume(struct blame *b, const struct version *list, size_t n,
                             const char *mark);
void blame_fini(struct blame *b);

#endif
