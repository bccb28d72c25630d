/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The parts of the guards. Each function writes one verdict that begins as "nothing was checked":
 * ok, not checked, no margin. Implemented in guard_cluster.c, guard_sites.c and guard_load.c;
 * guard_trip(), guard_miss() and guard_pass() in verdict.c.
 */
#ifndef WEIR_MGMT_OPERATIONS_GUARD_INTERNAL_H
#define WEIR_MGMT_OPERATIONS_GUARD_INTERNAL_H

#include "mgmt/operations/guards.h"

struct guard_question {
	const struct operation *op;
	const struct operation_facts *facts;
	enum operation_moment moment;
};

typedef void guard_function(const struct guard_question *q, struct operation_verdict *v);

guard_function guard_majority, guard_clock, guard_unconfirmed, guard_other;
guard_function guard_no_dns;
guard_function guard_last_site, guard_max_sites_out, guard_receivers, guard_fresh, guard_backup;
guard_function guard_room;

/** The verdict trips, with a sentence. */
__attribute__((format(printf, 2, 3))) void guard_trip(struct operation_verdict *v,
                                                      const char *format, ...);
/** The verdict cannot tell, and trips, unless it has tripped already for something known. */
__attribute__((format(printf, 2, 3))) void guard_miss(struct operation_verdict *v,
                                                      const char *format, ...);
/** The verdict has looked at something that is well. */
__attribute__((format(printf, 2, 3))) void guard_pass(struct operation_verdict *v,
                                                      const char *format, ...);

#endif
