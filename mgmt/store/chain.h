/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which version is in force: computed from what is known of the versions, written nowhere.
 *
 * The one in force is the newest that has not ended. A version ends by its mark, or, for as long as none is
 * known, at this node alone, CHAIN_ANSWER_MS after its deadline here:
 *
 *   confirmation   mark        deadline here               the version
 *   not needed     any         -                           stays
 *   needed         confirmed   any                         stays
 *   needed         ended       any                         has ended
 *   needed         none        not begun, or not passed    stays, and may yet end
 *   needed         none        passed                      is to be marked as ended; stays for CHAIN_ANSWER_MS
 *   needed         none        passed so long ago          has ended, until a mark says otherwise
 *   needed         none        any, and the newer one that
 *                              joined it has ended         has ended, and is to be marked so
 *
 * The oldest that is known stays in any case. A new version is only made where all newer than the one in force
 * are marked as ended, and what may be in force again is not removed (mgmt/store/history.h). So a version goes back
 * to the one that it was made from.
 *
 * So all nodes that know the same marks have the same version in force, and one that is cut off goes back, and
 * forth again when it hears that it was confirmed, by the same function, without a record that could be in
 * conflict with another's.
 *
 * A pure module: time is passed in, on the boot clock. Implemented in mgmt/store/chain.c.
 */
#ifndef WEIR_MGMT_STORE_CHAIN_H
#define WEIR_MGMT_STORE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_ANSWER_MS 3000 /**< so long a node waits for a mark, once its deadline has passed */
#define CHAIN_NEVER     INT64_MAX

enum chain_mark { CHAIN_UNMARKED, CHAIN_CONFIRMED, CHAIN_ENDED };

/** What the chain needs to know of a version. */
struct chain_version {
	uint64_t number;
	bool is_known;      /**< false: something is known of that number, but not its version */
	bool is_to_confirm; /**< it needs confirmation */
	enum chain_mark mark;
	/** the deadline here, on the boot clock; CHAIN_NEVER: none has begun, as at a node that joined later */
	int64_t due_ms;
};

/** Versions by number, lowest first. Any may be missing. */
struct version_chain {
	const struct chain_version *list;
	size_t n;
	uint64_t head; /**< the newest; those above it do not count */
};

/** The version in force at @p now_ms. @return NULL if the head is not known */
const struct chain_version *chain_in_force(const struct version_chain *c, int64_t now_ms);
/** The version that is to be marked as ended now, the newest first; NULL: none. */
const struct chain_version *chain_overdue(const struct version_chain *c, int64_t now_ms);
/** Whether nothing has decided yet if @p v stays: the first mark will. */
bool chain_is_open(const struct chain_version *v);

#endif
