/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * weir-dns's counters in its stats page. They are looked up once; all threads add to the same
 * counters, each through its tally. Implemented in counters.c; called by the main thread only, but
 * for counters_answer(), which is the worker threads'.
 */
#ifndef WEIR_DNS_COUNTERS_H
#define WEIR_DNS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

struct answer_info;
struct generation;
struct serving;
struct stats;
struct steering;
struct tally;

enum counters_drop {
	COUNTERS_DROP_MALFORMED, /**< shorter than a header, or itself an answer */
	COUNTERS_DROP_PORT,      /**< from port 0: nowhere to answer to */
	COUNTERS_DROP_SEND,      /**< the answer could not be sent */
	COUNTERS_DROP_COUNT
};

enum counters_close {
	COUNTERS_CLOSE_CLIENT,  /**< the client was done */
	COUNTERS_CLOSE_IDLE,    /**< no whole query for too long */
	COUNTERS_CLOSE_UNREAD,  /**< its answers were not taken for too long */
	COUNTERS_CLOSE_CROWDED, /**< the longest idle made room for a new one */
	COUNTERS_CLOSE_BAD,     /**< sent what is no query */
	COUNTERS_CLOSE_COUNT
};

#define COUNTERS_TYPES 12 /**< query types with a counter of their own, and one for all others */
/** Response codes that answers have: NOERROR to YXDOMAIN by their numbers, and BADVERS. */
#define COUNTERS_RCODES 8

struct counters {
	struct stats *stats;
	uint64_t *queries[2]; /**< by transport: UDP, TCP */
	uint64_t *types[COUNTERS_TYPES];
	uint64_t *rcodes[COUNTERS_RCODES];
	uint64_t *edns, *subnet, *truncated;
	uint64_t *drops[COUNTERS_DROP_COUNT];
	uint64_t *tcp_accepted, *tcp_open, *tcp_paused, *tcp_closed[COUNTERS_CLOSE_COUNT];
	uint64_t *loads, *load_failures, *load_ms, *image_bytes, *zones, *stale;
	uint64_t *clock_held, *clock_stepped, *clock_unsynchronised, *ramps_held[2];
	uint64_t *threads;
};

/** The counters of one generation's services. */
struct counters_services {
	/**
	 * By state of the generation, and one more per service for `no site`. NULL: the page has no
	 * room for it.
	 */
	uint64_t **by_site;
	uint64_t **classes; /**< by service and steering_class */
};

/**
 * Create the page below @p run_dir and look up its counters. @return 0 or -errno; without a page
 * all calls do nothing
 */
int counters_open(struct counters *c, const char *run_dir) MUST_CHECK NONNULL();
void counters_close(struct counters *c) NONNULL();
/** The counter of queries that thread @p number (from 0) has answered. */
uint64_t *counters_thread(struct counters *c, unsigned number) NONNULL();
/**
 * Look up the counters of a generation's services, and set those of its zones. @return NULL without
 * memory or page: nothing is counted
 */
struct counters_services *counters_services_new(struct counters *c,
                                                const struct generation *g) MUST_CHECK NONNULL();
void counters_services_free(struct counters_services *services);
/**
 * Drop the counters of @p old's services, and of their sites, that @p g does not have. No thread may
 * count there any more.
 */
void counters_drop(struct counters *c, const struct generation *old, const struct generation *g)
        NONNULL();
/**
 * Drop what an earlier process counted of services, and of their sites, that @p g, the first document
 * of this one, does not have.
 */
void counters_drop_left(struct counters *c, const struct generation *g) NONNULL();
/**
 * Drop the serials of @p old's zones that @p g does not have or does not export; before
 * counters_services_new().
 */
void counters_drop_zones(struct counters *c, const struct generation *old,
                         const struct generation *g) NONNULL();

/**
 * Answers of service number @p service of @p p that named its site number @p site, or with n_sites no
 * site. @return false: they are not counted; @p out untouched then
 */
bool counters_steered(const struct counters_services *c, const struct steering *p, size_t service,
                      uint32_t site, uint64_t *out) MUST_CHECK NONNULL(2, 5);

/** Count one query and what was answered, in any thread. */
void counters_answer(const struct counters *c, struct tally *tally, const struct serving *from,
                     bool tcp, const struct answer_info *info) NONNULL(1, 2, 5);

#endif
