/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How many DNS queries this node's weir-dns gets: from the counters of its page, over ten seconds.
 *
 * Implemented in mgmt/observe/dns_rate.c; one thread at a time.
 */
#ifndef WEIR_MGMT_OBSERVE_DNS_RATE_H
#define WEIR_MGMT_OBSERVE_DNS_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_RATE_READINGS 11u   /**< each a second after the other */
#define DNS_RATE_EVERY_MS 1000u /**< between two readings */

/** The newest readings of one process; zeroed at the start. */
struct dns_rate {
	uint64_t pid; /**< of the process that counts */
	struct dns_rate_reading {
		uint64_t at_ms, queries;
	} readings[DNS_RATE_READINGS]; /**< the oldest first */
	size_t n;
};

/**
 * Take a reading, if one is due at @p now_ms (monotonic). A process that does not live, or began
 * again, has no readings any more.
 */
void dns_rate_look(struct dns_rate *r, const char *run_dir, uint64_t now_ms);
/** Queries in thousandths a second. @return false: not known */
bool dns_rate_get(const struct dns_rate *r, uint64_t *milli);

#endif
