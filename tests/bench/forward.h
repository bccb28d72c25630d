/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benches' programs in forward.bpf.c and those who load them share. */
#ifndef WEIR_TESTS_BENCH_FORWARD_H
#define WEIR_TESTS_BENCH_FORWARD_H

#include <stdint.h>

enum bench_target { BENCH_NULL, BENCH_GROW, BENCH_LEAST, BENCH_HASH, BENCH_WEIR, BENCH_TARGETS };
enum bench_pick { BENCH_ONE, BENCH_RANDOM, BENCH_NEVER_AGAIN };

#define BENCH_TEMPLATE 96
/* Other work's memory, 64 MiB: more than any cache holds. */
#define BENCH_COLD_PAGES 16384u
#define BENCH_COLD_PAGE  4096u
#define BENCH_SEED       88172645463325252u /**< of the flows: xorshift must not start at 0 */

/** One kind of frame and of flows; written before a run. */
struct bench_load {
	uint32_t target; /**< enum bench_target */
	uint32_t pick;   /**< enum bench_pick */
	uint32_t n_flows;
	uint32_t is6;
	uint32_t outer6;     /**< what bench_least puts in front */
	uint32_t cold_lines; /**< random lines of other work's memory written before each packet */
	uint32_t each;       /**< whether the clock is read before and after each target */
	uint32_t slot_mask, bucket_mask; /**< of the tables that bench_least reads */
	uint32_t ifindex;                /**< where bench_generate sends */
	uint64_t len;                    /**< of the frame: at least 64, for IPv6 80 */
	uint64_t ip_sum;      /**< sum of the IPv4 header's words with source and checksum 0 */
	uint64_t first, last; /**< iterations at which the clock is read */
	uint8_t frame[BENCH_TEMPLATE];
};

/** Source address of flow @p flow in host order: one of 2^24 below 11.0.0.0/8 or a /104. */
static inline uint32_t bench_flow_source(uint32_t flow)
{
	return 0x0b000000u | (flow * 0x9e3779b1u & 0xffffff);
}

/** Its source port in host order. */
static inline uint16_t bench_flow_port(uint32_t flow)
{
	return (uint16_t)(1024 + (flow * 0x85ebca6bu >> 17));
}

/** What a run leaves. */
struct bench_state {
	uint64_t iteration, started_ns, ended_ns;
	uint64_t called_ns,
	        spent_ns; /**< with load.each: the last call of a target; what all took */
	uint64_t failed;  /**< iterations that could not be made ready: must be 0 */
	uint64_t grown;   /**< frames that the target had made longer */
	uint64_t random, next_flow, fence, cold_random;
	uint64_t hash;             /**< of the last flow, from bench_hash */
	uint64_t back, back_bytes; /**< frames at bench_sink */
};

#endif
