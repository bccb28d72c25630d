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
#include "mgmt/judge/gather.h"
#include "mgmt/store/guard.h"
#include "weir/effect.h"
#include "weir/health.h"

#define OBSERVE_STALE_MS GATHER_STALE_MS

enum observe_process {
	OBSERVE_DATAPLANE,
	OBSERVE_HEALTH,
	OBSERVE_DNS,
	OBSERVE_ANNOUNCE,
	OBSERVE_MGMT,
	OBSERVE_COUNT
};

/** "dataplane", "health", "dns", "announce", "mgmt" */
const char *observe_name(enum observe_process p);
/**
 * Whether a process is shown: all are, but weir-announce only where it runs or ought to run. Most
 * nodes do not start it.
 */
bool observe_is_shown(enum observe_process p, const struct gather_process *s);
/** The supervisor, as its pages are called; it is none of the processes above. */
#define OBSERVE_SUPERVISOR "run"

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
/** What health and dataplane show, opened for one look. */
struct observe_pages {
	struct page *health_page;
	const struct health_page *health; /**< NULL: there is none */
	uint64_t health_age_ms;
	bool health_fresh;
	struct effect *effect; /**< the forwarding tables' state; NULL: there is none */
	struct effect_total total;
	bool effect_fresh;
};

/** Open the pages; needs no lock, as they are the caller's own. The effect is frozen: of one instant. */
void observe_open(const struct core *core, struct observe_pages *out);
/** The same of the health page alone. */
void observe_open_health(const struct core *core, struct observe_pages *out);
void observe_close(struct observe_pages *p);
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
