/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Carrying what tables hold to larger ones, or to those of another driver, while packets use both.
 *
 * Packets change counters, exceptions and the times in cold slots. What they change in the old
 * tables between carry_begin() and the last packet by them is brought over by carry_end(),
 * unless a packet has written the new tables' word. Counters are summed into the new tables'
 * last row, which must be no CPU's and no worker's.
 *
 * An exception's set is chosen by low bits of its hash that the entry does not repeat, so with
 * k times as many sets an entry goes to all k where its flow may now be looked for. The
 * copies that nobody looks for end by idle time.
 */
#ifndef WEIR_CARRY_H
#define WEIR_CARRY_H

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
int carry_begin(const struct fwd_tables *from, struct fwd_tables *to, struct carry **out);
/** No packet uses @p from any more: bring over what packets changed since, and the counters. */
void carry_end(const struct carry *c, const struct fwd_tables *from, struct fwd_tables *to);
/** NULL is fine. */
void carry_free(struct carry *c);

#endif
