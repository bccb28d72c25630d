/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benches' programs in forward.bpf.c and those who load them share. */
#ifndef WEIR_TESTS_BENCH_FORWARD_H
#define WEIR_TESTS_BENCH_FORWARD_H

#include <stdint.h>

enum bench_target { BENCH_NULL, BENCH_GROW, BENCH_WEIR, BENCH_TARGETS };
enum bench_pick { BENCH_ONE, BENCH_RANDOM, BENCH_NEVER_AGAIN };

#define BENCH_TEMPLATE 96
/* Other work's memory, 64 MiB: more than any cache holds. */
#define BENCH_COLD_PAGES 16384u
#define BENCH_COLD_PAGE  4096u
#define BENCH_COLD_LINES 64u
#define BENCH_SEED       88172645463325252u /**< of the flows: xorshift must not start at 0 */

/** One kind of frame and of flows; written before a run. */
struct bench_load {
	uint32_t target; /**< enum bench_target */
	uint32_t pick;   /**< enum bench_pick */
	uint32_t n_flows;
	uint32_t is6;
	uint32_t cold_lines;  /**< random lines of other work's memory written before each packet */
	uint32_t ifindex;     /**< where bench_generate sends */
	uint64_t len;         /**< of the frame: at least 64, for IPv6 80 */
	uint64_t ip_sum;      /**< sum of the IPv4 header's words with source and checksum 0 */
	uint64_t first, last; /**< iterations at which the clock is read */
	uint8_t frame[BENCH_TEMPLATE];
};

/** What a run leaves. */
struct bench_state {
	uint64_t iteration, started_ns, ended_ns;
	uint64_t failed; /**< iterations that could not be made ready: must be 0 */
	uint64_t grown;  /**< frames that the target had made longer */
	uint64_t random, next_flow, fence, cold_random;
	uint64_t back, back_bytes; /**< frames at bench_sink */
};

#endif
