/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is seen of this node: the pages of its processes, and what weir-dns says.
 *
 * A thread looks twice a second and turns changes into events. The pages may be read at any
 * time. Nothing seen is ever an intent, and what is old is unknown.
 *
 * Implemented in mgmt/api/observe.c, the thread in mgmt/api/observer.c. The main thread starts and
 * stops it; the other functions are for any thread, under the core's lock where they say so.
 */
#ifndef WEIR_MGMT_API_OBSERVE_H
#define WEIR_MGMT_API_OBSERVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/json/announcement.h"
#include "mgmt/judge/observed.h"
#include "mgmt/overrides/guard.h"
#include "weir/effect.h"
#include "weir/health.h"

/** Start the thread. @return 0 or -errno */
int observe_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void observe_stop(struct core *core);

/**
 * Look at a process's pages now; under the lock. @p conditions (NULL: not wanted) is filled if
 * has_conditions.
 */
struct gather_process observe_look(struct core *core, enum observe_process p,
                                   struct conditions *conditions);
/**
 * What weir-dns said last (borrowed; it never changes), NULL when it has not for
 * OBSERVE_STALE_MS. Under the lock.
 */
json_t *observe_dns(struct core *core);
/** Ask weir-dns now; not under the lock. */
void observe_query_dns(struct core *core);
/** For how long the newest effective document is there. Under the lock. */
uint64_t observe_document_age_ms(const struct core *core);
/**
 * What this node sends to backends. @return whether it is known; under the lock
 */
bool observe_load(struct core *core, uint64_t *bits_per_s);
/** Queries that its weir-dns gets, in thousandths a second. @return whether it is known; under the lock */
bool observe_dns_rate(const struct core *core, uint64_t *milli);
/** What is known of the packets of VIP @p name; not under the lock. @return whether it is known */
bool observe_vip_traffic(struct core *core, const char *name, struct announcement_traffic *out);
/**
 * The section "arrivals" of the exchange: {VIP: true} of those that this node announces by @p m (may be NULL) and of which
 * it got packets in the last minute. Given; NULL: out of memory. Under the lock.
 */
json_t *observe_arrivals(const struct core *core, const struct model *m);

#endif
