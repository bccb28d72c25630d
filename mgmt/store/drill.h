/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drills of backups: new flows of some clients at a site go to the backup pools of its services, to
 * prove that these would serve. A drill is an override with an end (mgmt/overrides/override.h).
 *
 * Implemented in mgmt/store/drill.c. Calls as for the intent: one thread at a time.
 */
#ifndef WEIR_MGMT_STORE_DRILL_H
#define WEIR_MGMT_STORE_DRILL_H

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/store/intent.h"

#define DRILL_DEFAULT_MS ((int64_t)10 * 60 * 1000)
#define DRILL_LEAST_MS   ((int64_t)10 * 1000)
#define DRILL_MOST_MS    ((int64_t)3600 * 1000)
#define DRILL_TEXT_MAX   256u /**< bytes of a sentence with its NUL */
/** The widest prefixes: a drill concerns some clients, not most of them. */
#define DRILL_LEAST_BITS4 8u
#define DRILL_LEAST_BITS6 24u

/** The request; the caller has checked the shape of texts. */
struct drill_request {
	const char *site, *service; /**< service: NULL or "": all with a backup there */
	struct prefix clients;
	int64_t until_ms;
	const char *author, *reason;
};

enum drill_outcome {
	DRILL_OK,
	DRILL_INVALID,  /**< result.text says what is wrong, result.field where */
	DRILL_UNKNOWN,  /**< no such site, service or drill */
	DRILL_REFUSED,  /**< not as things are: no backup, another drill, too many */
	DRILL_OVER,     /**< of an end: it has ended already, which is no error */
	DRILL_TOO_MANY, /**< OVERRIDES_LIVE_MAX */
	DRILL_FAILED,   /**< out of memory */
};

struct drill_result {
	struct override override; /**< as it is now, or would be */
	char text[DRILL_TEXT_MAX];
	const char *field;
};

/** What nodes have counted of a drill; sums. */
struct drill_flows {
	uint64_t begun, repeated, followed, kept;
};

enum drill_verdict { DRILL_NOT_KNOWN, DRILL_NO_CLIENTS, DRILL_PROVED, DRILL_NOT_PROVED };

/** What can be said without the nodes' evidence. @p result: the override that would be made */
MUST_CHECK enum drill_outcome drill_check(const struct intent *in, const struct drill_request *r,
                                          int64_t now_ms, struct drill_result *result) NONNULL();
/** drill_check(), then begin it. */
MUST_CHECK enum drill_outcome drill_begin(struct intent *in, const struct drill_request *r,
                                          int64_t now_ms, struct drill_result *result) NONNULL();
/** End the drill @p id now. */
MUST_CHECK enum drill_outcome drill_end(struct intent *in, const char *id, const char *author,
                                        const char *reason, int64_t now_ms,
                                        struct drill_result *result) NONNULL();

/**
 * What the flows of all nodes show. Clients went on if at most one in ten of their flows stayed
 * silent; one or two may just have begun, or be a scanner's.
 *
 * @param all   all nodes of the site have said what they counted
 * @param over  no new flow begins any more
 */
enum drill_verdict drill_judge(const struct drill_flows *flows, bool all, bool over) NONNULL();
/** "unknown", "no_clients", "proved", "not_proved" */
const char *drill_verdict_text(enum drill_verdict verdict);

#endif
