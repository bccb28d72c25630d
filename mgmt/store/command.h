/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Commands of operations: drain, disable, force up, hold, undrain, enable, with their guards,
 * absolute times, the load of the receivers and the command line that undoes them.
 *
 * For weir-mgmt and for `weir ... --offline` alike.
 *
 * Implemented in mgmt/store/command.c. Calls as for the intent: one thread at a time.
 */
#ifndef WEIR_MGMT_STORE_COMMAND_H
#define WEIR_MGMT_STORE_COMMAND_H

#include "mgmt/overrides/guard.h"
#include "mgmt/store/intent.h"

#define COMMAND_GUARDS_MAX    5u   /**< guards that a command may override; there are five */
#define COMMAND_RECEIVERS_MAX 64u  /**< receivers that are listed */
#define COMMAND_TEXT_MAX      256u /**< bytes of a sentence or command line with its NUL */

enum command_do {
	COMMAND_DRAIN,
	COMMAND_DISABLE,
	COMMAND_FORCE_UP,
	COMMAND_HOLD,
	COMMAND_UNDRAIN,
	COMMAND_ENABLE,
	COMMAND_COUNT
};

struct command_result;

/** What a command that would be made is answered (struct command). */
enum command_may {
	COMMAND_MAY,
	COMMAND_MAY_NOT, /**< another command at the target came first */
	COMMAND_MAY_AGAIN, /**< what was judged rests on what is another now: it is to be judged again */
};

/** The request; the caller has checked the shape of texts. */
struct command {
	enum command_do what;
	const char *id;   /**< of the override to change or end; NULL: by target */
	const char *pool; /**< of a backend; NULL or "": a site or node is meant */
	const char *name; /**< site, backend or node; NULL with an id */
	/** at a site: what drains this one alone is ended or held; NULL or "": all */
	const char *service;
	bool is_node;     /**< name is a node's */
	int64_t over_ms;  /**< -1: not given */
	int64_t from_ms;  /**< -1: not given */
	int64_t until_ms; /**< -1: not given */
	bool now;
	const char *author, *reason;
	const char *past[COMMAND_GUARDS_MAX]; /**< guards to be overridden, by name */
	size_t n_past;
	uint64_t generation; /**< that the override must have; 0: any */
	bool dry_run;
	/**
	 * What operations that have written nothing yet would write, of their epochs: a command on one
	 * of these sites ends them. Borrowed.
	 */
	const struct override *unwritten;
	size_t n_unwritten;
	/**
	 * Whether the overrides @p list may be made; asked last, not in a dry run, and the caller's lock may be given up meanwhile. NULL:
	 * they may. If not, the result's text says why. The guards have been judged under the same lock, if the result has verdicts.
	 */
	enum command_may (*decide)(void *arg, const struct override *list, size_t n,
	                           struct command_result *result);
	void *decide_arg;
};

enum command_outcome {
	COMMAND_OK,
	COMMAND_REFUSED,   /**< by a guard: result.guards */
	COMMAND_INVALID,   /**< result.text says what is wrong, result.field where */
	COMMAND_OVER,      /**< nothing to end: it has ended already, which is no error */
	COMMAND_NOTHING,   /**< there is nothing to hold */
	COMMAND_UNKNOWN,   /**< no such override, site, pool or backend: result.text */
	COMMAND_OVERTAKEN, /**< another node's command came first: result.text, and result.override */
	COMMAND_AGAIN, /**< something else was written meanwhile: run it again, or say result.text */
	COMMAND_STALE,    /**< the override has another generation: result.override */
	COMMAND_TOO_MANY, /**< OVERRIDES_LIVE_MAX */
	COMMAND_FAILED,   /**< out of memory */
};

struct command_result {
	struct override override; /**< as it is now, or would be */
	size_t n_others;          /**< further ones of the same target that were ended with it */
	bool created;
	struct guard_result guards;
	struct guard_receiver receivers[COMMAND_RECEIVERS_MAX];
	char undo[COMMAND_TEXT_MAX]; /**< the command line that undoes it; "": none does */
	char note[COMMAND_TEXT_MAX]; /**< something worth knowing, or "" */
	char text[COMMAND_TEXT_MAX];
	const char *field;
};

/**
 * Carry the command out, or with dry_run only say what would be done.
 * @param result  written in any case; its receivers' names are borrowed from the intent's model
 */
enum command_outcome command_run(struct intent *in, const struct command *c,
                                 const struct guard_observed *seen, int64_t now_ms,
                                 struct command_result *result);
/** "drain", ... @return COMMAND_COUNT when there is no such word */
enum command_do command_from_text(const char *text);

#endif
