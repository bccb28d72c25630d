/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Shared intent: records that all nodes agree on, and the only way to change them.
 *
 * A record is a JSON object under a name. A change compares the records that it rests on with what is
 * there, by their revisions, and then writes, all or nothing: so of two writers that saw the same, one
 * wins, and the other learns what is there now. On one node the node's own SQLite decides
 * (mgmt/store/copy.h), in a cluster a service that the nodes share.
 *
 *   name               record                                                    written by
 *   head               the newest version's number                               who applies
 *   version/N          version N without its files                               who applies, once
 *   mark/N             version N was confirmed, or has ended; final              a person, or a deadline
 *   command/TARGET     the last command at a target                              a person
 *   override/ID        an override as it was commanded last                      a person
 *   operation/ID       the state of a drain by measurement, with its owner       its owner
 *   observed/ID/...    what was observed of it                                   its owner
 *   owner/ID           its owner; it goes with the lease of that node            its owner
 *   member/POOL/ID     a backend that a program registered                       who heard the program
 *
 * A change is built piece by piece; what goes wrong meanwhile stays in its `err`, so that one look at the
 * end is enough.
 *
 * Implemented in mgmt/store/shared.c. A change or an answer belongs to one thread.
 */
#ifndef WEIR_MGMT_STORE_SHARED_H
#define WEIR_MGMT_STORE_SHARED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "record/fields.h"

#define SHARED_NAME_MAX 256u   /**< bytes of a record's name with the NUL */
#define SHARED_TEXT_MAX 16384u /**< bytes of a record */
#define SHARED_CHANGE_MAX                                                                          \
	104u /**< records that a change compares, and that it writes: 100 members, and what each rests on */
#define SHARED_LEASED_AT "owner/" /**< the names of records that go with a lease begin so */
#define SHARED_ID_MAX    65u      /**< bytes of a change's id with the NUL */
#define SHARED_NUMBER_END                                                                          \
	((uint64_t)1 << 53) /**< numbers below it are exact for all who read JSON */

/** A record by name, as it is or shall be. */
struct shared_record {
	char name[SHARED_NAME_MAX];
	char *text;       /**< JSON in one line; NULL: it is not there, or is to be removed */
	int64_t revision; /**< of its last change; 0: it is not there */
	int64_t lease;    /**< to be written: it is removed when this lease ends; 0: it stays */
	bool is_prefix;   /**< seen, or to be removed: all whose names begin so */
};

/** A change: shared_change_begin(), then see and put, then shared_change_fini(). */
struct shared_change {
	char id[SHARED_ID_MAX]; /**< its own; the records that it writes have it as "change" */
	struct shared_record seen[SHARED_CHANGE_MAX]; /**< text is not used */
	struct shared_record puts[SHARED_CHANGE_MAX]; /**< revision is not used */
	size_t n_seen, n_puts;
	int64_t above; /**< what it writes gets a higher revision than this, or the store is not the one it rests on */
	int err; /**< -ENOMEM or -EINVAL (too much, said twice, or no sound record): not to be written */
};

enum shared_result {
	SHARED_DONE,
	SHARED_REFUSED, /**< a record that was compared is another now; nothing is written */
	SHARED_UNKNOWN, /**< it may be written, now or later */
};

/** What became of a change: shared_answer_fini(). */
struct shared_answer {
	enum shared_result result;
	int64_t revision; /**< done: of what was written */
	/** refused: each record that was compared, as it is now, in the change's order; of all with a prefix the newest */
	struct shared_record now[SHARED_CHANGE_MAX];
	size_t n_now;
};

/** Begin a change with the id @p id, which no other change has. */
void shared_change_begin(struct shared_change *c, const char *id);
/** Begin a change with a random id. */
void shared_change_begin_new(struct shared_change *c);
/** Let it rest on @p name as it was seen at @p revision; 0: as it was not there. The same twice is once. */
void shared_change_see(struct shared_change *c, const char *name, int64_t revision);
/**
 * Let it rest on that none of the records whose names begin with @p prefix, which ends with a slash, was written after
 * @p revision. (One that was removed since is not noticed.)
 */
void shared_change_see_all(struct shared_change *c, const char *prefix, int64_t revision);
/** Let it write @p record as @p name, with the change's id as "change". */
void shared_change_put(struct shared_change *c, const char *name, const struct record_kind *kind,
                       const void *record);
/** The same; the record is removed when @p lease ends (mgmt/store/shared_etcd.h). */
void shared_change_put_leased(struct shared_change *c, const char *name,
                              const struct record_kind *kind, const void *record, int64_t lease);
/** Let it write @p json, an object, as shared_change_put() does. */
void shared_change_put_json(struct shared_change *c, const char *name, const json_t *json);
/** Let it remove @p name, whether it is there or not. */
void shared_change_remove(struct shared_change *c, const char *name);
/** Let it remove all whose names begin with @p prefix, which ends with a slash. */
void shared_change_remove_all(struct shared_change *c, const char *prefix);
void shared_change_fini(struct shared_change *c);
/** Whether it rests on @p name already. */
bool shared_change_rests_on(const struct shared_change *c, const char *name);
/** Whether it may rest on @p n more records, and write as many. */
bool shared_change_has_room(const struct shared_change *c, size_t n);
/** Free the texts of @p n records; the records are the caller's. */
void shared_free_texts(struct shared_record *list, size_t n);
void shared_answer_fini(struct shared_answer *a);
/** Whether what a change has seen is so still, as it is @p now. */
bool shared_record_is_same(const struct shared_record *seen, const struct shared_record *now);
/**
 * Of a refusal of @p c: the record @p name, on which it rested, as it is now; or the newest of those with that prefix.
 * @return NULL: it is as it was, or the change did not rest on it; borrowed from @p a
 */
const struct shared_record *shared_answer_newer(const struct shared_answer *a,
                                                const struct shared_change *c, const char *name);

/**
 * The id of the change that wrote @p text: "" where it has none, or is no JSON object.
 * @return 0; -ENOMEM: it is not known, and @p out is untouched
 */
MUST_CHECK int shared_change_of(const char *text, char out[SHARED_ID_MAX]);

/** Write the name of a numbered record, "version/12". @return @p out */
const char *shared_numbered(const char *what, uint64_t number, char out[SHARED_NAME_MAX]);
/** Read such a name. @return its number; 0: it is none of @p what */
uint64_t shared_number(const char *what, const char *name);

#endif
