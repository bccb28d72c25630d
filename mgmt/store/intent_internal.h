/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of an intent, for the files of mgmt/store that work on it. No other file of the program
 * includes it.
 *
 * Calls as for the intent: one thread at a time.
 */
#ifndef WEIR_MGMT_STORE_INTENT_INTERNAL_H
#define WEIR_MGMT_STORE_INTENT_INTERNAL_H

#include <limits.h>
#include <sys/types.h>
#include <time.h>

#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/key.h"

struct arena;

/* Versions that member sets may still follow from, the head included. */
#define RECENT_MAX 8u
/* How far back that reaches: more than any claim of a set. */
#define RECENT_MS ((int64_t)2 * 3600 * 1000)

struct recent {
	struct version version;
	struct files files; /* empty: lost with a store */
	struct model *model;
	/* of shared intent: since when it is in force this time; 0: since the version's effective_ms */
	int64_t since_ms;
};

/* A composed model with the arenas of all that it borrows from. */
struct intent_shared {
	struct model model;
	struct model configured; /* the head alone, with the same origin */
	struct arena *arenas[3];
	unsigned users;
};

/* A node's own file, while it waits for the store's version (mgmt/store/bootstrap.h). */
struct intent_join {
	struct model *model;          /* of its own file; NULL: it does not wait */
	char refusal[EVENT_TEXT_MAX]; /* why the file is not version 1: its first error, or "" */
};

/* The file of the effective document as it was when it had been written (effective_check.c). */
struct intent_written {
	bool known;
	ino_t ino;
	off_t bytes;
	struct timespec at;
};

#define AHEAD_NOTES 64u

/*
 * An override that came with a stamp too far ahead. It is not accepted later either, when its time has come; but where it was
 * this node's clock that was behind, it is.
 */
struct ahead_note {
	char id[MODEL_ID_MAX];
	uint64_t generation; /* 0: none */
	int64_t came_ms;     /* by this node's clock, as far as that is known to be right */
};

struct intent {
	char conf_dir[PATH_MAX], state_dir[PATH_MAX], node[MODEL_NAME_MAX];
	bool offline;
	bool shares; /* the store that nodes share decides */

	struct store *store; /* NULL: it could not be opened */
	bool failing;        /* what memory has is not all in the store */
	bool rebuilt;
	bool is_damaged;     /* the copy of a shared store: the next tick makes the store again */
	unsigned n_renewals; /* times that the store was made again */
	char principal[PRINCIPAL_MAX]; /* who makes the present changes: intent_for() */
	char store_reason[EVENT_TEXT_MAX];
	int64_t retry_ms;  /* of a failing store */
	int64_t ticked_ms; /* the time of the last tick */
	int64_t look_ms;   /* when files that others may change are looked at again */
	int64_t purge_ms; /* the time against which ended overrides are purged; 0: the call's now_ms */
	struct journal *journal;

	struct overrides overrides;
	struct member_list members;
	/* of members, that the copy has not yet (member_records.c): all up to this revision; 0: nothing */
	struct shared_record *unkept;
	size_t n_unkept, unkept_room;
	int64_t unkept_revision;
	int64_t skew_ms;      /* of clocks, as it is known now */
	int64_t stamp_off_ms; /* of most clocks, where this node's is far ahead of them; else 0 */
	/* what was not accepted, the newest over the oldest */
	struct ahead_note ahead[AHEAD_NOTES];
	size_t next_ahead;
	size_t n_ahead; /* of other nodes, that were not taken for their stamps: of the last list */
	struct recent recent[RECENT_MAX]; /* oldest first; the last is the head */
	size_t n_recent;
	/* the effective document of an earlier run, or what can be used of it; NULL: nothing */
	struct model *before;
	struct model *seed; /* the effective document of an earlier run, where versions are lost */

	struct intent_shared *shared; /* the composed model; NULL before the first */
	uint64_t document;            /* last written */
	bool dirty;                   /* composed, but not written */
	/* what the document follows from: whoever changes that says so, and no more (effective_follow()) */
	bool is_changed;
	/* of a version that is not recent any more: its files are laid out until the next document; "" */
	char dropped[DIGEST_TEXT_MAX];
	struct intent_written written;
	int64_t next_ms; /* when to compose again */
	char unwritten_reason[EVENT_TEXT_MAX];
	char refusal[EVENT_TEXT_MAX]; /* why the document of an earlier run was refused; "" */
	/* of the candidate's files, which are laid out; "": there is no candidate */
	char candidate_digest[DIGEST_TEXT_MAX];
	uint64_t refused_bytes; /* of a change that found no room; 0: the last one did */

	struct ramp_record *ramps; /* where weir-dns has drains' ramps, as last read */
	size_t n_ramps;
	ino_t ramps_ino; /* of that file */
	struct timespec ramps_at;
	int ramps_error; /* of its last reading, negative; 0: none */

	struct intent_join join;
	struct intent_key key; /* of the file, as last looked at (mgmt/store/key.h) */
	int placement_rc;      /* of the last writing of the key for clients */
	bool lacks_records;    /* the copy: the history has them (alone.c) */
	bool begin_failed;     /* that failed: logged once */

	/* number of the store's version that cannot be taken here; 0: none */
	uint64_t refused_number;
	int64_t refused_until_ms; /* of the boot clock: it is not tried again before */
	char refused_reason[EVENT_TEXT_MAX];
	bool is_left_out; /* it has no node of this name */

	struct version_history *history; /* of the versions, by the copy */
	uint64_t newest; /* the highest number that a version has had, as far as is known */
	/* a version that the store is to end, as it is refused, or to confirm, as all was well for long enough; 0: none */
	uint64_t to_decide;
	enum chain_mark decision;
	char decision_reason[VERSION_REASON_MAX];

	struct pending pending; /* the head's deadline, while it is unconfirmed */
};

/* Who says which version is in force here: authority.c has the table. */
enum authority {
	AUTHORITY_NONE,
	AUTHORITY_FILE, /* this node's own file, until a store has a version (mgmt/store/bootstrap.h) */
	AUTHORITY_DOCUMENT, /* the last document, or what was stored last */
	AUTHORITY_RECALLED, /* this node, by records that its copy lacks: alone_begin() writes them */
	AUTHORITY_ALONE,    /* this node, by its copy */
	AUTHORITY_STORE,    /* the store that nodes share, by this node's copy of it */
};
enum authority authority_of(const struct intent *in);
/* Whether records say it: those that the history has. */
bool authority_has_records(const struct intent *in);
/* Whether this node is to say it: it shares nothing, and its version names no other node. */
bool authority_is_here(const struct intent *in);
/* Let the history say "here" of this node, and the site that it has in @p m. */
void authority_set_here(const struct intent *in, const struct model *m);
/* The version that is to be in force here now by records; NULL: there are none. Valid until a record is taken. */
const struct version *authority_chosen(const struct intent *in);

/*
 * Whether a change to files of @p digest may follow the head. @return 0, or -EBUSY: the head is
 * unconfirmed.
 * @p returns: it goes back to the last confirmed version, and needs no confirmation itself.
 */
int intent_check_pending(const struct intent *in, const struct intent_change *change,
                         const char *digest, bool *returns);
/*
 * Put the change @p c in force, which this node decides; @p v: with the files of the version that it makes, else NULL. @return 0;
 * -EROFS; or the change's own err
 */
int alone_decide(struct intent *in, const struct shared_change *c, const struct copy_version *v,
                 int64_t now_ms);
/* End what is to end, where this node decides, and put in force what follows. @return 0 or as alone_decide() */
int alone_end(struct intent *in, const struct pending_clock *clock, int64_t now_ms);
/* Where this node is to say what is in force, and its copy has no records of that: write them, also of what is not confirmed yet. */
void alone_begin(struct intent *in, int64_t now_ms);
/* Whether the document of an earlier run was refused, and nothing has taken its place. */
bool recall_is_refused(const struct intent *in);
/*
 * At the start: whether @p v may be in force, though a newer version is to be that could not be loaded for @p err; 0: no
 * record says which is to be. What was in force by the document may, and nothing older.
 */
bool recall_may_begin(const struct intent *in, const struct version *v, int err);
/* What the last document says, that was written here or was there at the start; NULL: there is none (recall.c). */
const struct model_meta *recall_said(const struct intent *in);
/* Whether a document is of this version. */
bool recall_is_of(const struct model_meta *meta, const struct version *v);
/*
 * Whether the document is of a version that the records of this node, which is alone, have not, and whose files are whole.
 * They have each version before a document does, so they are older ones that were put back.
 */
bool recall_is_newer(const struct intent *in, const struct model_meta *meta);
/*
 * A version of which there is no record: as a document describes it, from @p time_ms on. An absurd @p number is none of a
 * version's: 1 then.
 */
void recall_described(const struct intent *in, uint64_t number, const char *digest,
                      const char *hash_key, int64_t time_ms, struct version *out);
/*
 * Where this node is to say what is in force, and there are no records: the history becomes what the last document says of the
 * version in force.
 */
void recall_versions(struct intent *in, int64_t now_ms);
/* The files of a version as they are laid out, if they are whole. @return 0 and @p out (given), or -errno */
int recall_files(const struct intent *in, const char *digest, struct files *out);
/* See that the store has @p v, which may come into force again, with its files. @return 0 or -errno */
int recall_keep(struct intent *in, const struct version *v);
/* Let the next version have a higher number than @p number, unless that is absurd. */
void recall_number(struct intent *in, uint64_t number);
/*
 * How long a change's version waits for confirmation: @p own_ms. If it joins the unconfirmed head
 * and names no time: the head's time, if that is longer.
 */
int64_t intent_joined_ms(const struct intent *in, const struct intent_change *change,
                         int64_t own_ms);

/* Load one version, whose record and files the store has, as a recent one. @return 0, -ENOENT or -errno */
int intent_load_one(struct intent *in, const struct version *v, struct recent *out);
/* Make @p r the head; drop the oldest recent version if there are too many. Takes its files and model. */
void intent_push_recent(struct intent *in, struct recent *r);
/* Note a version that has come into force, in the log and among the events. */
void intent_say_version(struct intent *in, const struct version *v, int64_t now_ms);

/* Let the history be what the copy has, if that is of who decides now: the store, or this node alone; else it has nothing. @return 0 or -errno */
int shared_load(struct intent *in);
/* Take records of the copy that have changed. @return 0 or -errno */
int shared_receive(struct intent *in, const struct shared_record *list, size_t n,
                   const struct pending_clock *clock);
/* Whether @p v, of shared intent, is the head that is loaded here. */
bool shared_is_loaded(const struct intent *in, const struct version *v);
/* Whether what is loaded here is what a change would rest on: plan and guards are about that. */
bool shared_is_up_to_date(const struct intent *in);
/* Whether it may be made of what is in force, also where that is not here: it says so, or goes back where nothing is in force. */
bool shared_may_replace(const struct intent *in, const struct intent_change *change);
/* The recent versions by shared intent, oldest first. @return how many */
size_t shared_periods(const struct intent *in, int64_t now_ms,
                      struct history_period out[RECENT_MAX]);
/*
 * Whether the store has the record and the files of @p v; staged files become those of the version. @return 0, -ENOENT or
 * -errno
 */
int shared_find_version(struct intent *in, const struct version *v);
/* Keep the files of @p v with its record. @return 0; -EINVAL: they are not its files; or -errno */
int shared_keep_files(struct intent *in, const struct version *v, const struct files *files);
/*
 * Make the change of shared intent that puts @p v in force after the head, or, where it @p returns to the last confirmed
 * version, that ends the head.
 * @return 0 and @p out (given); as history_apply(); -EROFS; -ESTALE: another version is in force by the store, and not here
 *   yet, and the change does not replace it unseen
 */
int shared_make_change(struct intent *in, const struct intent_change *change, bool returns,
                       struct version *v, int64_t now_ms, struct shared_change **out);

/* Make the change that confirms the head. @return as history_decide(), and @p out is given */
int shared_make_confirmation(struct intent *in, const struct intent_change *change, int64_t now_ms,
                             struct shared_change **out);

/* Read where weir-dns has the ramps of drains, and note events about changes. */
void intent_follow_ramps(struct intent *in, int64_t now_ms);

/*
 * Before a call of intent.h returns that has changed something, so that what it answers is in force: compose and write the
 * effective document, once for all of its changes; then remove what was laid out for versions that nothing needs any more. A
 * failure is kept and reported; the tick tries again.
 */
void effective_follow(struct intent *in, int64_t now_ms);
/* Whether it says until when the version in force waits to be confirmed, and what number was given last. */
bool effective_says(struct intent *in, int64_t now_ms);
/* End each override that another one overrules (merge.c). */
void merge_settle(struct intent *in, int64_t now_ms);

/*
 * The newest document that a process has in force, from the pages below @p run_dir (NULL: none is
 * read). @return its number, or 0
 */
uint64_t written_newest_document(const char *run_dir);
/* Note how the document's file looks now that it is written. */
void written_note(struct intent *in);
/* Whether the file differs from what was written; if so, that is logged. */
bool written_is_damaged(struct intent *in, int64_t now_ms);

/* Note the outcome of a call of the store; a corrupt one is made again. Gives @p err back. */
int intent_stored(struct intent *in, int err, int64_t now_ms);
/*
 * Load the recent versions with their models from the store; unchanged on failure.
 * @param below  only versions with a lower number, where no record says which is in force; 0: all
 * @return 0, -ENOENT (there are none), -EINVAL (errors in the head) or -errno
 */
int intent_load_recent(struct intent *in, uint64_t below, int64_t now_ms);
/* Show in the head how long it may still be confirmed, by the records. */
void recent_show_deadline(const struct intent *in, struct version *v,
                          const struct pending_clock *clock, int64_t now_ms);
/* The same in the version in force, where it is the one that is to be. */
void recent_show_waiting(struct intent *in, int64_t now_ms);
/* Forget them. */
void recent_drop(struct intent *in);
/* Remove the laid out files of @p digest, unless a recent version or the candidate has them. */
void recent_remove_laid_out(const struct intent *in, const char *digest);
/* Remove the laid out files of all versions that are not recent any more. */
void recent_prune(const struct intent *in);
/* Look at the key's file again. @return whether the processes must look too */
bool key_follow(struct intent *in, int64_t now_ms);
/*
 * Keep the file of the key for clients (weir/placement.h) at the head's key. A failure is logged;
 * the tick tries again.
 */
void placement_follow(struct intent *in, int64_t now_ms);
/*
 * The fingerprint that a version made of @p m gets: the head's, unless the configuration names
 * another key.
 */
void key_of_version(const struct intent *in, const struct model *m,
                    char out[MODEL_FINGERPRINT_MAX]);
/*
 * The first start of a node with neither store nor effective document: wait for the store, or make
 * version 1.
 */
void join_begin(struct intent *in, int64_t now_ms);
/*
 * This node's own file, as it is now, becomes the provisional version 1; errors are logged. Also at a later start, while no
 * version is in force for all nodes; a node that is alone keeps the version that it made of it.
 */
void join_use_own_file(struct intent *in, int64_t now_ms);
/* Free the own file that was read for joining. */
void join_end(struct intent *in);

/* Take a record of the store into memory, if it is a member's. */
void member_records_accept(struct intent *in, const struct shared_record *r);
/* Forget all members, before all records are taken. */
void member_records_clear(struct intent *in);
/* Whether all of @p list are members'. */
bool member_records_are(const struct shared_record *list, size_t n);
/*
 * Take a change of members alone, and let the copy have it later: hundreds a second would be as many writes of the disk. A
 * node that dies meanwhile gets them from the store again. @return 0 or -ENOMEM
 */
int member_records_defer(struct intent *in, int64_t revision, const struct shared_record *list,
                         size_t n);
/* Let the copy have what it lacks. @return 0 or -errno */
int member_records_flush(struct intent *in);
/* What the copy lacks is in a list that is taken: forget it. */
void member_records_drop(struct intent *in);
/* The time went back: what has begun stays begun. */
void member_records_clock_moved(struct intent *in, int64_t was_ms, int64_t now_ms);
/* Where the copy was lost: members are what the last document says, until records say more. */
void member_records_recall(struct intent *in);

#endif
