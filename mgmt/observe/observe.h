/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is seen of this node: the pages of its processes, and what weir-dns says.
 *
 * A thread looks twice a second and turns changes into events (mgmt/status/observer.h). The pages may be read at any
 * time. Nothing seen is ever an intent, and what is old is unknown.
 *
 * Implemented in mgmt/observe/observe.c, the looks of that thread in mgmt/observe/observe_looks.c. These are for it alone, opening
 * and closing for the main thread; the other functions are for any thread, under the core's lock where they say so.
 */
#ifndef WEIR_MGMT_OBSERVE_OBSERVE_H
#define WEIR_MGMT_OBSERVE_OBSERVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/json/announcement.h"
#include "mgmt/judge/observed.h"
#include "mgmt/overrides/guard.h"
#include "weir/effect.h"
#include "weir/health.h"

struct flow_samples;
struct signs_kept;

#define OBSERVE_ARRIVED_MS 60000u /**< within it packets arrived, or they do not arrive */

/** Begin: nothing is known. */
void observe_begin(struct core *core);
void observe_end(struct core *core);
/** Measure how much weir-dns is asked; not under the lock. */
void observe_measure_dns(struct core *core);
/** Keep the samples of new flows, where it is time for that, or forget them (mgmt/observe/flow_samples.h); not under the lock. */
void observe_sample_flows(struct core *core);
/** Under the lock. */
const struct flow_samples *observe_flow_samples(const struct core *core);
/** Look at the signs that clients suffer, where it is time for that (mgmt/observe/signs.h); not under the lock. */
void observe_look_at_signs(struct core *core);
/** What is known of them. Under the lock. */
const struct signs_kept *observe_signs(const struct core *core);
/** Whether somebody watches: they are looked at often. Under the lock. */
void observe_watch_signs(struct core *core, bool is_watched);
/**
 * What the pages show: events of health, the load, packets of the VIPs that this node announces. Not under the lock: there may
 * be ten thousand targets.
 */
void observe_look_at(struct core *core, const struct model *m, const struct observe_pages *pages);
/**
 * Events of processes that run, or show no sign of life any more; and since when each has had a document to take. Under
 * the lock.
 */
void observe_note_processes(struct core *core);

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
