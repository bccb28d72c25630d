/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Intent: the versions, the overrides, and the effective document that follows from them.
 *
 * One object for weir-mgmt and for `weir ... --offline`. One thread at a time uses it (weir-mgmt
 * holds one lock around it). Time is passed in.
 *
 * Where the data is: the store (mgmt/store/store.h) has everything. Memory has the overrides, the
 * head, and the versions from which member sets still follow. The effective document has the head's
 * configuration and the overrides once more.
 *
 * A store that is corrupt at the start is put aside and made again from the effective document.
 * While a store fails later, or the disk is full, new versions are refused, but overrides are
 * accepted: they are kept in memory, written to the effective document (for which disk space is
 * held in reserve), and stored as soon as that works. A version that nobody confirms ends at its
 * deadline all the same.
 *
 * Implemented in mgmt/store/intent.c (opening, tick), authority.c (who says which version is in force), recent.c,
 * change.c, alone.c, merge.c, effective.c and clock_step.c.
 */
#ifndef WEIR_MGMT_STORE_INTENT_H
#define WEIR_MGMT_STORE_INTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/files/files.h"
#include "mgmt/store/journal.h"
#include "mgmt/overrides/member.h"
#include "mgmt/overrides/override.h"
#include "mgmt/rules/trial.h"
#include "mgmt/rules/plan.h"
#include "mgmt/files/zones.h"
#include "mgmt/store/chain.h"
#include "mgmt/store/shared.h"
#include "mgmt/store/store.h"
#include "weir/model.h"

#define INTENT_CONFIRM_DEFAULT_MS ((int64_t)5 * 60 * 1000) /**< time to confirm a risky change */
#define INTENT_CONFIRM_MAX_MS     PENDING_LEFT_MAX_MS      /**< longest time to confirm */

struct intent;
struct intent_shared;
struct shared_change;
struct arena;

struct intent_options {
	const char *conf_dir, *state_dir, *node;
	/** of the processes' pages: a document's number follows on theirs; NULL: none */
	const char *run_dir;
	bool offline;     /**< for one command: no first start, no timers */
	int64_t purge_ms; /**< by which ended overrides are forgotten; 0: the time of the call */
	bool shares; /**< a store that nodes share decides (mgmt/store/shared_intent.h); else this node does */
};

/**
 * Open the intent of a node. Without a store and an effective document it starts as @p options say;
 * errors in CONF/weir.conf are logged, and there is no head then.
 *
 * @return 0; -EBUSY: another process has it; -ENOMEM; a failing store is not a failure
 */
MUST_CHECK int intent_open(const struct intent_options *options, int64_t now_ms,
                           struct intent **out);
void intent_close(struct intent *in);

/**
 * Do what is due: rewrite the document, roll back, store what could not be stored. @return when
 * to call again, wall time, at most a second from @p now_ms
 */
int64_t intent_tick(struct intent *in, int64_t now_ms);

/**
 * Set the time by which ended overrides are purged, which counts elapsed time: an override that
 * ended OVERRIDE_KEPT_MS before it is forgotten.
 */
void intent_purge_by(struct intent *in, int64_t purge_ms);
/**
 * The clocks of most nodes that are heard are off this node's by @p off_ms: commands are stamped by those, so that other nodes
 * take them.
 */
void intent_stamp_by(struct intent *in, int64_t off_ms);
/** The time by which a command that is given at @p now_ms is stamped. */
int64_t intent_stamp_ms(const struct intent *in, int64_t now_ms);
/** Clocks of other nodes may differ from this one's by that much: what is to begin at one moment on all nodes is announced so much sooner. */
#define INTENT_SKEW_MAX_MS 5000
void intent_expect_skew(struct intent *in, int64_t skew_ms);
/** How long before it takes effect a change of members is to be announced now: COMPOSE_AHEAD_MS and the skew. */
int64_t intent_ahead_ms(const struct intent *in);
/**
 * The believed time was corrected from @p was_ms to @p now_ms. What has begun stays begun: a drain
 * whose beginning would be in the future again begins now, at its present level.
 */
void intent_clock_moved(struct intent *in, int64_t was_ms, int64_t now_ms);

/**
 * Set who makes the changes that follow: @p principal, as authenticated, for @p request (NULL:
 * without an Idempotency-Key). NULL for the principal: Weir itself. End it under the same lock
 * under which it began.
 */
void intent_for(struct intent *in, const char *principal, const struct store_request *request);
/** The principal that was set; "weir" for Weir itself. */
const char *intent_principal(const struct intent *in);

/** The version in force; NULL: there is none. Valid until a change. */
const struct version *intent_head(const struct intent *in);
/**
 * When documents move members to the head: its effective_ms, or later where it came into force again. Wall clock, ms;
 * there is a head.
 */
int64_t intent_head_since_ms(const struct intent *in);
/** The head's files; NULL when there is no head, or its bytes were lost. */
const struct files *intent_head_files(const struct intent *in);
/** The effective model, as written; NULL before the first. Valid until a change or tick. */
const struct model *intent_model(const struct intent *in);
/**
 * Share the effective model as it is now, so that it can be read without the lock while the intent
 * goes on.
 * @return NULL before the first; else for intent_unshare(), on any thread
 */
MUST_CHECK struct intent_shared *intent_share(struct intent *in);
const struct model *intent_shared_model(const struct intent_shared *s);
void intent_unshare(struct intent_shared *s);
/**
 * The version in force as a model alone, without members that programs put there, with the shared one's number and
 * digest.
 */
const struct model *intent_shared_configured(const struct intent_shared *s);
const struct overrides *intent_overrides(const struct intent *in);
/** Members of all pools, as they are known here. Valid until a change. */
const struct member_list *intent_members(const struct intent *in);
/**
 * Write a change of records that makes no version (shared_intent_begin()), where this node decides. @return 0; -EAGAIN: it
 * rests on what is another now; -EROFS; or the change's own err
 */
MUST_CHECK int intent_decide_alone(struct intent *in, const struct shared_change *c,
                                   int64_t now_ms);
/** A program renewed a member here at @p now_ms, monotonic: its ttl begins again. */
void intent_renew_member(struct intent *in, const char *pool, const char *id, uint64_t now_ms);
/** Take what another node heard; sorted by key. */
void intent_hear_members(struct intent *in, const struct member_heard *list, size_t n);
/** Note of each override of a node how far that node is, as @p left_of says by its name. */
void intent_note_nodes(struct intent *in,
                       enum override_left (*left_of)(void *arg, const char *node), void *arg);
/** This node's name. */
const char *intent_node(const struct intent *in);
struct journal *intent_journal(struct intent *in);
/** The store, NULL while it fails; and why it fails, else "". */
struct store *intent_store(struct intent *in);
/**
 * The store also while writing to it fails, as on a full disk: to read from. NULL: none is open.
 */
struct store *intent_store_to_read(struct intent *in);
const char *intent_store_reason(const struct intent *in);
/**
 * Whether the state directory's disk is full: it has less than INTENT_ROOM_LEAST, no inode, or no room for the change that
 * was last refused for want of it. @param left, @param needed  bytes
 */
bool intent_lacks_room(const struct intent *in, uint64_t *left, uint64_t *needed);
#define INTENT_ROOM_LEAST ((uint64_t)1 << 20) /**< bytes: a document, records, events */
/** How often the store was made again since the start: what it had besides versions and overrides is to be written again. */
unsigned intent_store_renewals(const struct intent *in);
/** "ok", "rebuilt" (put aside at the start) or "failing". */
const char *intent_store_state(const struct intent *in);
/** Number of the effective document last written; and why the present one could not be, else "". */
uint64_t intent_document(const struct intent *in);
const char *intent_unwritten_reason(const struct intent *in);
/**
 * Why the effective document that was there at the start is refused: it stays as it is, and nothing is in force until
 * somebody changes that. "": it is not. @p version  out: the one that it is of; 0: not known; may be NULL
 */
const char *intent_document_refusal(const struct intent *in, uint64_t *version);
/** What to say to who needs a configuration in force, and there is none. */
const char *intent_nothing_text(const struct intent *in);

/** What a change does about an earlier version that is not confirmed yet. */
enum intent_pending {
	INTENT_PENDING_REFUSE, /**< the change is refused, unless it goes back to the last confirmed version */
	INTENT_PENDING_CONFIRM, /**< the earlier version is confirmed with it */
	INTENT_PENDING_JOIN,    /**< one deadline for both */
	INTENT_PENDING_IGNORE,  /**< it is not looked at: a plan */
};

/** What a change makes of what is in force. */
struct intent_difference {
	const struct model *from; /**< NULL: all is new */
	const struct model *to;
	const struct files *files_from, *files_to;
	const struct change_plan *plan;
	/** The version that waits to be confirmed; 0: none does. */
	uint64_t unconfirmed;
	/** It is tried at others alone, and ends with the change: the models do not say what that changes there. */
	bool ends_elsewhere;
};

/** That other persons have approved a change: a record of the store, which is removed with the version that the change makes. */
struct intent_approval {
	char record[SHARED_NAME_MAX];      /**< its name */
	int64_t revision;                  /**< as it was seen */
	uint32_t n;                        /**< persons */
	char persons[VERSION_PERSONS_MAX]; /**< "bob, carol" */
	char proposed_by[MODEL_NAME_MAX], id[MODEL_ID_MAX];
	char hash_key[MODEL_FINGERPRINT_MAX]; /**< of the key that was approved, too */
	char canary[CANARY_MAX];              /**< likewise where it is tried first; "": nowhere */
};

/** A requested change of configuration. */
struct intent_change {
	const struct files *files; /**< NULL: those of version @p rollback_to */
	uint64_t rollback_to;
	const char *author, *reason;
	int64_t confirm_within_ms; /**< -1: as the risk demands; 0: none */
	/** names of gates that it passes, separated by commas (mgmt/rules/gate.h); NULL: none */
	const char *without_gates;
	const struct intent_approval *approval; /**< NULL: none */
	bool is_proposal; /**< a dry run that gates do not refuse which ask for approvals */
	int64_t well_for_ms; /**< it is confirmed once all nodes are well for so long; 0: by a person */
	/** the place at which it is tried until it is confirmed, as a person names it; NULL: it comes into force everywhere */
	const char *canary;
	const char *if_quiet; /**< as struct version has it; NULL: "" */
	bool dry_run;
	enum intent_pending pending;
	bool provisional; /**< this node's own file: in force at this node alone, whoever shares intent */
	bool replace;             /**< whatever is in force, also where that cannot be read here */
	bool may_replace_unknown; /**< what is to be in force and is not here, with its gates */
	bool skip_bad_zones;      /**< zones whose files have errors keep those that are in force */
	/**
	 * Whether a difference may be made, asked where all is judged, of a dry run too, under the caller's lock; NULL: each may.
	 */
	bool (*may)(void *arg, const struct intent_difference *difference);
	void *may_arg;
};

/** How long the parts of a change took, in µs; 0: not done. */
struct change_times {
	uint64_t check_us,
	        plan_us; /**< reading and checking files and zones; comparing with the head */
	uint64_t store_us,
	        document_us; /**< until the version was stored; then the effective document */
};

struct intent_changed {
	/** the new one, or the head if nothing changed; with a dry run, what it would be */
	struct version version;
	bool changed;
	/** the gate that refuses it, or a plan of it would be refused by; "": none */
	char gate[MODEL_NAME_MAX];
	bool is_rollback;        /**< that the gate refuses */
	uint32_t gate_approvals; /**< that it asks for; 0: none would do */
	int64_t gate_until_ms;
	struct trial_verdict canary; /**< where that was refused: why */
	bool is_first;               /**< there is no version to go back to */
	int64_t confirm_within_ms;   /**< what applies */
	struct change_plan plan;
	struct model_errors errors;
	struct zones_findings zones;   /**< findings in zones */
	struct zones_findings skipped; /**< zones that keep their files, and why */
	struct change_times times;
	/** the store decides this, and then the version comes into force; NULL: it is in force */
	struct shared_change *shared;
	bool staged; /**< with it: its files are kept here (store_staged_files()) until it is decided */
};

/**
 * Apply files, or roll back: a new version, stored, composed and written, or nothing.
 *
 * @param out  given in any case: intent_changed_fini()
 * @return 0; -EINVAL (errors in the configuration); -ENOENT (no such version); -ENOLINK (the
 *         configuration has other nodes, and this one shares no store with them); -EBUSY (the head is
 *         not confirmed yet, and the change does not say what becomes of it); -ENODATA (it is to be
 *         confirmed, and is the first version of the store: there is none to go back to); -EXDEV (it cannot
 *         be tried at its place: @p out has why); -EPERM (it may not: change->may()); -EROFS (the store fails: intent_store_reason()); -errno
 */
MUST_CHECK int intent_change(struct intent *in, const struct intent_change *change, int64_t now_ms,
                             struct intent_changed *out);
void intent_changed_fini(struct intent_changed *c);

/**
 * The same in three steps, of which the long one, reading and checking, needs no lock. A candidate
 * is a version that does not exist yet. There is one at a time; it ends by commit or drop.
 */
struct intent_candidate {
	struct files files;
	char digest[DIGEST_TEXT_MAX];
	char hash_key[MODEL_FINGERPRINT_MAX]; /**< of the version that is rolled back to; "" */
	struct model *model;
	struct model_errors errors;
	struct arena *head_arena; /**< keeps @p head; NULL: there is no head */
	const struct model *head; /**< that it was compared with */
	struct change_plan plan;
	struct files head_files;     /**< of @p head, where bad zones are skipped */
	struct zones_findings zones; /**< findings in zones */
	struct zones_findings first; /**< the same, of the files before zones were skipped */
	bool skip;                   /**< zones may be skipped, once */
	bool again; /**< the files are others now: intent_candidate_again(), then read again */
	int err;    /**< of reading and comparing */
	uint64_t began_ns; /**< monotonic */
	struct change_times times;
};

/**
 * Begin: the files that @p change asks for, as a copy. @return 0; -ENOENT, -EROFS or -ENOMEM, and
 * there is no candidate
 */
MUST_CHECK int intent_candidate_begin(struct intent *in, const struct intent_change *change,
                                      int64_t now_ms, struct intent_candidate *out);
/** Read and check them; not under the lock, as nothing that changes is looked at. */
void intent_candidate_read(const struct intent *in, struct intent_candidate *c);
/** Whether another version came into force since the candidate was begun: it was compared with an older one. Under the lock. */
bool intent_candidate_is_behind(const struct intent *in, const struct intent_candidate *c);
/** Take note that the candidate has other files. Under the lock. */
void intent_candidate_again(struct intent *in, struct intent_candidate *c);
/** Make the candidate a version; as intent_change(). */
MUST_CHECK int intent_candidate_commit(struct intent *in, const struct intent_change *change,
                                       struct intent_candidate *c, int64_t now_ms,
                                       struct intent_changed *out);
void intent_candidate_drop(struct intent *in, struct intent_candidate *c);
/**
 * Whether a version waits to be confirmed: that in force here, or one that is in force at its place alone, or whose files are not
 * here yet and nothing else is in force. @p out  it, with its deadline
 */
bool intent_waiting(const struct intent *in, struct version *out);
/**
 * Whether intent_confirm() could confirm version @p number now. @return as that; changes nothing
 */
MUST_CHECK int intent_may_confirm(const struct intent *in, uint64_t number);
/**
 * Confirm version @p number, where this node decides; @p reason is for the record, "": none. @return 0, -ENOENT, -EALREADY (it does not
 * wait for that) or -EROFS
 */
int intent_confirm(struct intent *in, uint64_t number, const char *author, const char *reason,
                   int64_t now_ms);
/**
 * Put in force what is to be in force, and end an unconfirmed head whose deadline is over, where this node decides. To be
 * called at least every second.
 */
void intent_run_deadline(struct intent *in, const struct pending_clock *clock, int64_t now_ms);
/**
 * End the unconfirmed head now (CHAIN_ENDED), or confirm it, in Weir's own name; where the store decides, ask for that.
 * @return 0, -EALREADY (it is not unconfirmed) or -EROFS
 */
MUST_CHECK int intent_decide_unconfirmed(struct intent *in, enum chain_mark mark,
                                         const char *reason, int64_t now_ms);
/** The confirmation that was asked for by it, and is not decided yet, is not wanted any more. */
void intent_leave_unconfirmed(struct intent *in);
/**
 * The version that an unconfirmed head goes back to; the head itself if it is confirmed. @return 0 or -ENOENT
 */
MUST_CHECK int intent_last_confirmed(const struct intent *in, struct version *out);
/**
 * Add as @p name the file with @p digest, which was uploaded, or belongs to a version of ours.
 * Under the lock.
 * @return 0; -ENOENT (it is not here); -EBADMSG (it is damaged here); else as files_add()
 */
MUST_CHECK int intent_find_file(struct intent *in, const char *name, const char *digest,
                                uint64_t n_bytes, struct files *out);
/** How much of a file is here. @return whether it is all */
bool intent_has_file(struct intent *in, const char *digest, uint64_t *have);
/** A version and, where requested, its files (given). @return 0, -ENOENT or -errno */
MUST_CHECK int intent_version(struct intent *in, uint64_t number, struct version *out,
                              struct files *files);

/**
 * Take overrides: merged, composed and written as one document, then stored if possible. @return how
 * many were taken, or -errno (-ENOSPC, -ENOMEM)
 */
int intent_merge(struct intent *in, const struct override *list, size_t n, int64_t now_ms);
/**
 * Take overrides of another node, as intent_merge() does, but for those that were made by a clock too far ahead of
 * @p now_ms (mgmt/overrides/hlc.h): none of these is taken. @return as intent_merge()
 */
int intent_receive(struct intent *in, const struct override *list, size_t n, int64_t now_ms);

/**
 * The version that is to be in force, and that this node cannot take; 0: none. @p reason  out: why
 */
uint64_t intent_refused_version(const struct intent *in, const char **reason);
/** The version that is to be in force, and that has not this node; 0: it has, or that is not known. */
uint64_t intent_left_out(const struct intent *in);

#endif
