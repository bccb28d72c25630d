/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * weir-dns's words of its stats page. The words are found once; counting is an add.
 * The server's thread only.
 */
#ifndef WEIR_DNS_COUNTERS_H
#define WEIR_DNS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer_info;
struct generation;
struct stats;

enum counters_drop {
	COUNTERS_DROP_MALFORMED, /**< shorter than a header, or itself an answer */
	COUNTERS_DROP_PORT,      /**< from port 0: nowhere to answer to */
	COUNTERS_DROP_SEND,      /**< the answer could not be sent */
	COUNTERS_DROP_COUNT
};

enum counters_close {
	COUNTERS_CLOSE_CLIENT,  /**< the client was done */
	COUNTERS_CLOSE_IDLE,    /**< silent for too long */
	COUNTERS_CLOSE_CROWDED, /**< the longest idle made room for a new one */
	COUNTERS_CLOSE_BAD,     /**< sent what is no query */
	COUNTERS_CLOSE_COUNT
};

#define COUNTERS_TYPES 12

struct counters {
	struct stats *stats;
	uint64_t *queries[2]; /**< by transport: UDP, TCP */
	uint64_t *types[COUNTERS_TYPES];
	uint64_t *rcodes[7];
	uint64_t *edns, *subnet, *truncated;
	uint64_t *drops[COUNTERS_DROP_COUNT];
	uint64_t *tcp_accepted, *tcp_open, *tcp_closed[COUNTERS_CLOSE_COUNT];
	uint64_t *loads, *load_failures, *load_ms, *image_bytes, *stale;
	uint64_t *clock_held, *clock_stepped, *clock_unsynchronised, *ramps_held[2];
	uint64_t **placed;  /**< by state of the generation, and one more a service for no site */
	uint64_t **classes; /**< four a service */
};

/** Open the page below @p run_dir and find the words. @return 0 or -errno; without a page all calls do nothing */
int counters_open(struct counters *c, const char *run_dir);
void counters_close(struct counters *c);
/** Find the words of a generation's services and zones; those of @p old (NULL: none) that are gone are dropped. */
void counters_take(struct counters *c, const struct generation *g, const struct generation *old);

/** Count one query and what was answered. */
void counters_answer(struct counters *c, const struct generation *g, bool tcp,
                     const struct answer_info *info);

#endif
