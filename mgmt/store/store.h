/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The store: versions with their files, overrides, events and remembered answers, in SQLite.
 *
 * One process at a time has it open for writing (a lock file); its calls come from one thread at a
 * time. A drain needs nothing of it: a store that fails reports that by each call (-EBADMSG
 * corrupt, -ENOSPC full, other -errno) and by store_reason(), and the caller goes on without it
 * (mgmt/store/intent.h).
 *
 * Implemented in mgmt/store/store.c, store_record.c and store_versions.c.
 */
#ifndef WEIR_MGMT_STORE_STORE_H
#define WEIR_MGMT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/files/digest.h"
#include "mgmt/files/files.h"
#include "mgmt/overrides/override.h"
#include "mgmt/rules/gate.h"
#include "mgmt/store/pending.h"
#include "weir/canary.h"

#define VERSION_AUTHOR_MAX  64u     /**< bytes with the NUL */
#define VERSION_REASON_MAX  256u    /**< bytes with the NUL */
#define VERSION_PERSONS_MAX 200u    /**< bytes of up to three persons with the NUL */
#define STORE_VERSIONS_MAX  1000u   /**< versions that are kept */
#define STORE_FILES_MAX     200000u /**< files of all versions: beyond, the oldest go */
#define STORE_VERSIONS_MIN  10u     /**< versions that stay whatever their files */
#define STORE_STAGED_MAX    64u /**< versions of which it is not decided whether there will be one */
#define STORE_EVENTS_MAX    10000u /**< events that are kept */
#define STORE_REPLIES_MAX   1024u  /**< answers that are remembered for a day */
#define EVENT_TEXT_MAX      256u   /**< bytes of a sentence with its NUL */
#define IF_QUIET_MAX        8u

/** A numbered configuration, without its files. */
struct version {
	uint64_t number;
	char digest[DIGEST_TEXT_MAX], parent[DIGEST_TEXT_MAX]; /**< parent: "" for the first */
	char author[VERSION_AUTHOR_MAX], reason[VERSION_REASON_MAX], node[MODEL_NAME_MAX];
	/** who was authenticated: "user:root", "token:ada", "weir" */
	char principal[PRINCIPAL_MAX];
	int64_t time_ms, effective_ms;
	/**
	 * of the head, at the last look: when it is to be confirmed, and the time that is left; 0: it needs none, or has it. Not in its
	 * record
	 */
	int64_t confirm_by_ms, confirm_left_ms;
	/** fingerprint of the key it was made with */
	char hash_key[MODEL_FINGERPRINT_MAX];
	/** the version in force when it was made (mgmt/store/history.h); 0: the first */
	uint64_t base;
	/** the version whose files it has; 0: it is no rollback */
	uint64_t rolled_back_to;
	int64_t confirm_within_ms; /**< time to confirm it; 0: needs none */
	/** where it is in force until it is confirmed (weir/canary.h); "": everywhere */
	char canary[CANARY_MAX];
	/** meanwhile it is confirmed once all nodes are well for so long (mgmt/sync/confirm_well.h); 0: by people alone */
	int64_t well_for_ms;
	/** "go": also if too few clients came to its canary to compare; "", "back": then it goes back */
	char if_quiet[IF_QUIET_MAX];
	/** names of gates that it passed, by an admin's wish; "": none */
	char without_gates[GATE_NAMES_MAX];
	/** persons, "bob, carol"; "": it was not proposed */
	char approved_by[VERSION_PERSONS_MAX];
	/** likewise who had proposed it, and under which id */
	char proposed_by[MODEL_NAME_MAX], proposal[MODEL_ID_MAX];
};

#define EVENT_SUBJECT_MAX 96 /**< with its zero; a longer one is whole in the message */

/** Something that happened. */
struct event {
	uint64_t id; /**< rises by one */
	int64_t time_ms;
	char kind[16]; /**< "health", "override", "version", "process", "peer", "store", "guard" */
	char subject[EVENT_SUBJECT_MAX]; /**< "pools/web-ams/backends/b1" */
	char message[EVENT_TEXT_MAX];
	char node[MODEL_NAME_MAX];
};

struct store;

/**
 * Open the store of @p state_dir, made if it is not there, and check it whole.
 * @return 0, -EBUSY (another process has it), -EBADMSG (corrupt), -ENOSPC or -errno; @p reason gets a
 *         text
 */
MUST_CHECK int store_open(const char *state_dir, struct store **out, char reason[EVENT_TEXT_MAX]);
void store_close(struct store *s);
/**
 * Put the files of a corrupt store aside, as store/store.db.corrupt-TIME, for people to look at.
 * @return 0 or -errno
 */
MUST_CHECK int store_put_aside(const char *state_dir, int64_t now_ms);
/** The last failure as a sentence; "" when there was none. */
const char *store_reason(const struct store *s);

/**
 * Keep a version and its files, all or nothing; one of equal number is replaced. @return 0 or
 * -errno
 */
MUST_CHECK int store_put_version(struct store *s, const struct version *v,
                                 const struct files *files);
/** Never forget version @p number, to which an open one goes back, however many follow. 0: none */
void store_keep_version(struct store *s, uint64_t number);
/**
 * Keep the record and the files of a version of which it is not decided yet whether there will be one: it is none, until
 * it is put. Those of equal files are one. The request that it is for (store_for()) counts as carried out once this very
 * version is put. @return 0 or -errno
 */
MUST_CHECK int store_stage_version(struct store *s, const struct version *v,
                                   const struct files *files);
/** The same, in place of what the store has of this version and of these files, which is damaged. */
MUST_CHECK int store_replace_version(struct store *s, const struct version *v,
                                     const struct files *files);
/** The files with @p digest that were staged. @return as store_files() */
MUST_CHECK int store_staged_files(struct store *s, const char *digest, struct files *out);
/** @return 0, -ENOENT or -errno */
MUST_CHECK int store_version(struct store *s, uint64_t number, struct version *out);
/**
 * Up to @p max versions with numbers below @p before (0: no bound), newest first. @return how
 * many, or -errno
 */
MUST_CHECK int store_versions(struct store *s, uint64_t before, struct version *out, size_t max);
/**
 * The files of a version, into @p out (given; free with files_fini()). @return 0, -ENOENT,
 * -EBADMSG (a digest differs), -EIO (a large file is gone) or -errno
 */
MUST_CHECK int store_files(struct store *s, uint64_t number, struct files *out);
/** A small file of any version, from malloc(), given. @return 0, -ENOENT or -errno */
MUST_CHECK int store_blob(struct store *s, const char *digest, char **bytes, size_t *n);
/** Whether store_blob() has it. */
bool store_has_blob(struct store *s, const char *digest);
/** Remove large files that no version names (mgmt/files/blobs.h). */
void store_collect(struct store *s, int64_t now_ms);

/**
 * Keep the deadline of an unconfirmed version in place of another one; number 0: there is none
 * any more. @return 0 or -errno
 */
MUST_CHECK int store_put_pending(struct store *s, const struct pending *p);
/** The deadline as stored. @return 0, -ENOENT or -errno */
MUST_CHECK int store_pending(struct store *s, struct pending *out);
/**
 * The request that changes are made for: what they leave behind of it is kept in their
 * transaction.
 */
struct store_request {
	char key[DIGEST_TEXT_MAX], digest[DIGEST_TEXT_MAX]; /**< of its Idempotency-Key; "": none */
	int64_t now_ms;
};
/** Changes from now on are made for @p r; NULL: for none. */
void store_for(struct store *s, const struct store_request *r);
/** Note that the request at hand made, or changed, operation @p id. @return 0 or -errno */
MUST_CHECK int store_note_operation(struct store *s, const char *id);

/** Keep @p list, all or none. @return 0 or -errno */
MUST_CHECK int store_put_some(struct store *s, const struct override *list, size_t n);
/** Make the store hold exactly @p overrides. @return 0 or -errno */
MUST_CHECK int store_put_overrides(struct store *s, const struct overrides *overrides);
/** Merge all kept overrides into @p overrides. @return 0 or -errno */
MUST_CHECK int store_overrides(struct store *s, struct overrides *overrides, int64_t now_ms);

/** Keep events in one transaction; the oldest beyond STORE_EVENTS_MAX go. @return 0 or -errno */
MUST_CHECK int store_put_events(struct store *s, const struct event *events, size_t n);
/** The last @p max events, oldest first. @return how many, or -errno */
MUST_CHECK int store_events(struct store *s, struct event *out, size_t max);

/** Remember an answer by key for a day. @return 0 or -errno */
int store_put_reply(struct store *s, const char *key, const char *request_digest, unsigned status,
                    const char *body, int64_t now_ms);
/**
 * Find an answer; @p body is given. Status 0: it was carried out, and @p body names what it made;
 * the answer was lost. @return 0, -ENOENT or -errno
 */
MUST_CHECK int store_reply(struct store *s, const char *key, char request_digest[DIGEST_TEXT_MAX],
                           unsigned *status, char **body, int64_t now_ms);

#endif
