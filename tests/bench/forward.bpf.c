/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fresh packet for a program under BPF_PROG_TEST_RUN, or for a wire.
 *
 * With `repeat` the kernel hands the same frame over again and again: from the second time
 * on a balancer would see its own output. So this wrapper is what runs: each time it takes
 * back what the target added, writes the frame anew with another flow, drains the store
 * buffer (so that the target does not wait for the wrapper's stores) and calls the target
 * by a tail call. It reads the clock itself, at the first and last of the iterations that
 * count. Two references give its own cost: a target that only sends, and one that also
 * moves the frame's beginning.
 *
 * With live frames bench_generate sends each out of an interface, and bench_sink counts
 * what comes back.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/forward.h"

struct bench_load load;
struct bench_state state;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BENCH_TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct cold_page {
	__u8 bytes[BENCH_COLD_PAGE];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_COLD_PAGES);
	__type(key, __u32);
	__type(value, struct cold_page);
} cold SEC(".maps");

/* xorshift64: Marsaglia, 2003 */
static __always_inline uint64_t next_random(uint64_t *random)
{
	uint64_t x = *random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *random = x;
}

static __always_inline __u32 pick_flow(void)
{
	if (load.pick == BENCH_ONE)
		return 0;
	if (load.pick == BENCH_NEVER_AGAIN)
		return (__u32)state.next_flow++;
	return (__u32)((next_random(&state.random) >> 32) * load.n_flows >> 32);
}

/* What else runs on a machine takes the caches: its lines are written before each packet. */
static __always_inline void evict_caches(void)
{
	for (__u32 i = 0; i < BENCH_COLD_LINES && i < load.cold_lines; i++) {
		uint64_t random = next_random(&state.cold_random);
		__u32 page = random % BENCH_COLD_PAGES;
		struct cold_page *p = bpf_map_lookup_elem(&cold, &page);

		if (p)
			p->bytes[random >> 32 & (BENCH_COLD_PAGE - 64)] += 1;
	}
}

static __always_inline __u16 fold_sum(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/** The flow's source: 2^24 addresses below 11.0.0.0/8 or a /104, and a port with it. */
static __always_inline int write_frame(void *data, void *end)
{
	__u32 flow = pick_flow();
	__u32 source = __builtin_bswap32(0x0b000000u | (flow * 0x9e3779b1u & 0xffffff));
	__u16 port = __builtin_bswap16((__u16)(1024 + (flow * 0x85ebca6bu >> 17)));
	__u64 *to = data;
	const __u64 *from = (const __u64 *)load.frame;

	if (load.is6) {
		if (data + 80 > end)
			return -1;
#pragma unroll
		for (int i = 0; i < 10; i++)
			to[i] = from[i];
		*(__u32 *)(data + 34) = source;
		*(__u16 *)(data + 54) = port;
		return 0;
	}
	if (data + 64 > end)
		return -1;
#pragma unroll
	for (int i = 0; i < 8; i++)
		to[i] = from[i];
	*(__u32 *)(data + 26) = source;
	*(__u16 *)(data + 24) = fold_sum(load.ip_sum + (source & 0xffff) + (source >> 16));
	*(__u16 *)(data + 34) = port;
	return 0;
}

static __always_inline void read_clock(void)
{
	__u64 iteration = state.iteration++;

	if (iteration == load.first)
		state.started_ns = bpf_ktime_get_ns();
	else if (iteration == load.last)
		state.ended_ns = bpf_ktime_get_ns();
}

SEC("xdp")
int bench_wrap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__s64 grown = end - data;

	barrier_var(grown); /* or clang adds the length to a packet pointer */
	grown -= (__s64)load.len;
	read_clock();
	if (grown) {
		state.grown++;
		if (bpf_xdp_adjust_head(ctx, (int)grown))
			goto failed;
	}
	if (write_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		goto failed;
	evict_caches();
	__sync_fetch_and_add(&state.fence, 1);
	bpf_tail_call(ctx, &targets, load.target);
failed:
	state.failed++;
	return XDP_ABORTED;
}

SEC("xdp")
int bench_null(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

SEC("xdp")
int bench_grow(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, -20) ? XDP_DROP : XDP_TX;
}

SEC("xdp")
int bench_generate(struct xdp_md *ctx)
{
	read_clock();
	if (write_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end)) {
		state.failed++;
		return XDP_ABORTED;
	}
	return (int)bpf_redirect(load.ifindex, 0);
}

/** All on the generator's CPU: no atomics. */
SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	state.back++;
	state.back_bytes += ctx->data_end - ctx->data;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
