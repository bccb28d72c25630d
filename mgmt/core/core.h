/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the threads of weir-mgmt share: the intent, what is observed, what peers say.
 *
 * One lock around all of it; a change holds it for at most one write of the store and of the
 * effective document, and whoever only looks for as long as it takes to copy or share what is there
 * (mgmt/status/look.h). Nobody has it while waiting for a network or another process.
 *
 * Implemented in mgmt/core/core.c; called by all threads of weir-mgmt, core_is_moving() apart.
 */
#ifndef WEIR_MGMT_CORE_CORE_H
#define WEIR_MGMT_CORE_CORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/checked.h"
#include "base/proc.h"
#include "mgmt/core/certificate.h"
#include "mgmt/core/inforce.h"
#include "mgmt/core/logins.h"
#include "mgmt/core/signs.h"
#include "mgmt/http/bell.h"
#include "mgmt/http/http.h"
#include "mgmt/store/intent.h"
#include "weir/life.h"

struct audit_heads;
struct audit_log;
struct state_fetch;
struct observe;
struct observer;
struct exchange;
struct peers;
struct followed_state;
struct stats;
struct timekeep;
struct announce_questions;
struct shared_run;
struct operations;
struct member_writes;
struct external_list;

/**
 * Idempotency keys under way: more than there are threads that carry out requests (mgmt/http/serve.c).
 */
#define CORE_KEYS_MAX 256u

/** Requests that wait for something to come, by kind of client (mgmt/api/poll.c). */
struct polls {
	size_t n[4];
};

/** Idempotency keys of requests under way (mgmt/api/idempotent.h). */
struct keys_under_way {
	char keys[CORE_KEYS_MAX][DIGEST_TEXT_MAX];
	size_t n;
};

/** Whether the API listens on TCP. */
struct listening {
	char address[256];  /**< on which it last tried to */
	char fault[160];    /**< why it does not; "": it does, or there is no address */
	uint64_t failed_ms; /**< monotonic: since when it does not */
};

#define WELL_TROUBLE_MAX (MODEL_NAME_MAX + INFORCE_TROUBLE_MAX)
/** Whether all nodes are well with a version that is confirmed by that (mgmt/sync/confirm_well.h). */
struct well_watch {
	uint64_t number; /**< of the version; 0: none */
	/** monotonic: when they became so; 0: they are not, or it is not known */
	uint64_t since_ms;
	uint64_t looked_ms; /**< monotonic: the last look */
	/** of all nodes, mixed: another value is a trouble that came, and may be gone */
	uint64_t troubles;
	bool is_requested;              /**< its confirmation is */
	char trouble[WELL_TROUBLE_MAX]; /**< what is not well, and where; "": nothing */
};

/** Whether clients suffer from the version in force here (mgmt/sync/canary_watch.h). */
struct canary_watch {
	uint64_t number; /**< of that version; 0: none is */
	char digest[DIGEST_TEXT_MAX];
	uint64_t since_ms;  /**< that it is, monotonic */
	struct signs begun; /**< the last look before it, or the first that shows a process */
	/** what came since then is after it; at_ms 0: not yet, or it is not watched */
	struct signs from;
	struct signs_compared signs;
	enum signs_clients clients; /**< what they say of it by its clients */
	uint64_t worse_ms;          /**< since when it is worse, monotonic; 0: it is not */
	/** what it was refused for: that stays, whatever comes later; "": it was not */
	char refused[SIGNS_TEXT_MAX];
};

/** What this node says of versions, and what a peer said (mgmt/sync/inforce_judge.h). */
struct judgements {
	struct inforce versions[INFORCE_KEPT]; /**< the newest first */
	struct inforce refusal; /**< of the peer for which a version was rolled back here last */
	char refused_by[MODEL_NAME_MAX];
	/** why this node is not well, but for a version that waits: code and subject of the first reason; "": it is */
	char trouble[INFORCE_TROUBLE_MAX];
	bool trouble_known;
	/** monotonic: when the look began that found it */
	uint64_t trouble_ms;
	/** rises each time that trouble begins, from a value that no process of this node had before: others see what came and went */
	uint64_t troubles;
	struct well_watch well;
	struct canary_watch canary;
};

/** How the lock is used; all but n_given by whoever has it, or by the one thread that looks. */
struct lock_use {
	uint64_t held_from_ns;    /**< CPU time of the thread that has it, when it got it */
	uint64_t longest_held_ns; /**< CPU time */
	uint64_t n_given;         /**< counts releases */
	/** when core_is_moving() last found it free, or given up since its look before */
	uint64_t moving_ms;
	uint64_t looked_ms, given_before; /**< the last look, and n_given then */
};

struct core {
	struct proc_dirs dirs;
	pthread_mutex_t lock;
	/** held while there is a candidate (mgmt/store/intent.h); locked before lock */
	pthread_mutex_t candidate_lock;
	/** held while two versions are laid out to be compared; locked before lock */
	pthread_mutex_t compare_lock;
	/** broadcast at each change, event, and document that was accepted */
	pthread_cond_t changed;
	/** counts core_changed(): who gave the lock up meanwhile was not woken, and sees by it whether something changed */
	uint64_t n_changes;
	struct intent *intent;
	struct observe *observe;
	struct observer *observer;
	struct peers *peers;
	struct overrides_digest overrides_digest; /**< by core_overrides_digest() alone */
	struct exchange *exchange;
	int exchange_fd;         /**< an eventfd: wakes the exchange's thread; 0: there is none */
	struct http_bells bells; /**< enum exchange_bell */
	struct announce_questions *announce_questions;
	struct state_fetch *state_fetch;
	struct operations *operations;
	struct member_writes *member_writes; /**< set before the first thread */
	struct external_list *externals;     /**< likewise (mgmt/peers/externals.h) */
	/** versions are those of shared intent (mgmt/sync/shared_run.h); set before the first thread, NULL: they are not */
	struct shared_run *shared;
	struct followed_state *state;
	struct timekeep *clock;
	struct logins logins;           /**< of the main thread */
	struct certificate certificate; /**< of the main thread */
	/** it has a lock of its own (mgmt/audit/log.h), as heads have; set before the first thread */
	struct audit_log *audit;
	struct audit_heads *audit_heads; /**< of other nodes */
	struct stats *stats;
	struct http_counters counters; /**< of the servers: mgmt/api/listen.c */
	struct judgements judged;
	struct listening api;
	uint64_t started_ms;     /**< monotonic */
	struct life_watch watch; /**< when the main thread turns: what is seen of other processes */
	struct lock_use use;
	struct keys_under_way under_way;
	struct polls event_polls, operation_polls;
	size_t n_commanding; /**< commands that wait for the store: the next one is to see them (handle_overrides.c) */
	bool stopping;
};

void core_lock(struct core *c);
void core_unlock(struct core *c);
/**
 * Wait under the lock until something changes or @p until_ms (monotonic) has come. @return false
 * when it has, or the process ends
 */
bool core_wait(struct core *c, uint64_t until_ms);
/**
 * Call @p round under the lock until the process ends: what a thread of its own does. It returns when it is due next
 * (monotonic ms). A change that it has not made makes it due at once, also one that came while it had given the lock up
 * for a network or a process; but from begin to begin there are @p pause_ms at least.
 */
void core_run_rounds(struct core *c, uint64_t (*round)(void *of), void *of, uint64_t pause_ms);
/** Tell those who wait; under the lock. */
void core_changed(struct core *c);

/**
 * Whether somebody could take the lock within the last few seconds; it never waits. One thread at a
 * time asks, about once a second: that of the UNIX socket's server.
 */
bool core_is_moving(struct core *c);

/** The digest over this node's overrides (overrides_digest_at()) now. Under the lock. */
const char *core_overrides_digest(struct core *c);

/**
 * From now until core_detach(), changes under the lock belong to @p r (mgmt/store/store_record.c); NULL: to Weir itself. Under
 * the lock.
 */
void core_attach(struct core *c, const struct http_request *r);
void core_detach(struct core *c);

/** Finds files in uploads and versions, as in struct file_source; takes the lock (@p arg: the core). */
int core_find_file(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                   struct files *out) MUST_CHECK;

#endif
