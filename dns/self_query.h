/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a query on an address is answered, asked by weir-dns itself.
 *
 * An address is announced to routers only when a query on it was answered (STATS_LISTENING). A query
 * that gets no answer is no evidence of the contrary, so it withdraws nothing.
 *
 * Implemented in dns/self_query.c; called by the main thread only.
 */
#ifndef WEIR_DNS_SELF_QUERY_H
#define WEIR_DNS_SELF_QUERY_H

#include <stdbool.h>
#include <stdint.h>

/** One address; begins as { .fd = -1 }. */
struct self_query {
	int fd;            /**< waits for the answer; -1: none */
	uint16_t id;       /**< of the last query */
	bool answered;     /**< stays so */
	uint64_t began_ms; /**< when the first query was sent; 0: none was */
	uint64_t sent_ms;  /**< when the last one was */
};

/**
 * Read an answer that has come, or ask again after a second. Never waits. To be called at each tick
 * while threads read the address's sockets.
 * @param serving  one of its UDP sockets: its name is asked
 */
void self_query_step(struct self_query *q, int serving, uint64_t now_ms);
/** Close its socket; `answered` stays as it is. */
void self_query_end(struct self_query *q);

#endif
