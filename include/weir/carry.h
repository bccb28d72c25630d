/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Carrying over what tables hold, to larger tables or to those of another driver, while packets use
 * both.
 *
 * Packets change counters, exceptions and the times in cold slots. carry_end() brings over what
 * they changed in the old tables since carry_begin(), unless a packet has written the same word of
 * the new tables. Counters are summed into the new tables' last row, which no CPU or worker uses.
 *
 * A flow that began in the old tables goes on in the new ones as soon as these get packets, so its
 * exception cannot wait for carry_end(): carry_follow() brings exceptions alone, just before and
 * just after that moment.
 *
 * Low bits of an exception's hash choose its set, and the entry does not repeat them. So with k
 * times as many sets, an entry is copied to all k sets in which its flow may now be looked for.
 * Copies that no packet matches end by idle time.
 *
 * Implemented in pages/carry.c; called by the thread that drives the driver.
 */
#ifndef WEIR_CARRY_H
#define WEIR_CARRY_H

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct carry;

/** The sizes that tables have, from themselves. */
void carry_sizes(const struct fwd_tables *t, struct driver_sizes *out);
/**
 * Copy all but counters and what a driver has of its own (ticks) from @p from to @p to, which is
 * new and at least as large.
 * @return 0 or -ENOMEM; @p out is given: carry_free()
 */
MUST_CHECK int carry_begin(const struct fwd_tables *from, struct fwd_tables *to,
                           struct carry **out);
/** Bring over exceptions that changed in @p from since the last call; packets may use both. */
void carry_follow(struct carry *c, const struct fwd_tables *from, struct fwd_tables *to);
/** No packet uses @p from any more: bring over what packets changed since, and the counters. */
void carry_end(struct carry *c, const struct fwd_tables *from, struct fwd_tables *to);
/** NULL is fine. */
void carry_free(struct carry *c);

#endif
