/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fresh packet for a program under BPF_PROG_TEST_RUN, or for a wire.
 *
 * With `repeat` the kernel hands the same frame over again and again: from the second time
 * on a balancer would see its own output. So this wrapper is what runs: each time it takes
 * back what the target added, writes the frame anew with another flow, drains the store
 * buffer (so that the target does not wait for the wrapper's stores) and calls the target
 * by a tail call. It reads the clock itself, at the first and last of the iterations that
 * count, or before and after each target. Two references give its own cost: a target that only sends, and one that also
 * moves the frame's beginning. A third, bench_least, is the machine's limit for a balancer
 * with these tables.
 *
 * With live frames bench_generate sends each out of an interface, and bench_sink counts
 * what comes back.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/forward.h"
#include "weir/fwd/hash.h"
#include "weir/fwd/owner.h"
#include "weir/fwd/packet.h"

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

/** A table of Weir's, which the loader puts in this map's place. */
#define WEIR_TABLE(NAME, ELEMENT)                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, ELEMENT);                                                            \
	} NAME SEC(".maps")
WEIR_TABLE(slots, struct fwd_slots);
WEIR_TABLE(colds, struct owner_cold);
WEIR_TABLE(exceptions, struct fwd_exceptions);
WEIR_TABLE(backends, struct fwd_backend);

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

static long write_line(__u32 i, void *context)
{
	uint64_t random = next_random(&state.cold_random);
	__u32 page = random % BENCH_COLD_PAGES;
	struct cold_page *p = bpf_map_lookup_elem(&cold, &page);

	(void)i;
	(void)context;
	if (p)
		p->bytes[random >> 32 & (BENCH_COLD_PAGE - 64)] += 1;
	return 0;
}

/* What else runs on a machine takes the caches: its lines are written before each packet. */
static __always_inline void evict_caches(void)
{
	if (load.cold_lines)
		bpf_loop(load.cold_lines, write_line, NULL, 0);
}

static __always_inline __u16 fold_sum(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/** The template with the flow's source address and port. */
static __always_inline int write_frame(void *data, void *end)
{
	__u32 flow = pick_flow();
	__u32 source = __builtin_bswap32(bench_flow_source(flow));
	__u16 port = __builtin_bswap16(bench_flow_port(flow));
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

/* The packet before, by itself: what else the iteration did has ended when the clock is read. */
static __always_inline void end_packet(void)
{
	if (load.each && state.iteration > load.first && state.iteration <= load.last)
		state.spent_ns += bpf_ktime_get_ns() - state.called_ns;
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
	end_packet();
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
	if (load.each)
		state.called_ns = bpf_ktime_get_ns();
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

/* The owner of the slot that a cheap hash leads to: no less can be read to find it. */
static __always_inline __u32 find_least_owner(__u64 hash)
{
	__u32 slot = hash & load.slot_mask, block = slot / FWD_SLOTS_PER_BLOCK;
	__u32 bucket = hash >> 20 & load.bucket_mask;
	const struct fwd_slots *s = bpf_map_lookup_elem(&slots, &block);
	const struct fwd_exceptions *e;
	const struct owner_cold *cold;
	__u16 hot;

	if (!s)
		return 0;
	hot = s->slot[slot % FWD_SLOTS_PER_BLOCK];
	if (!(hot & FWD_SLOT_UNSETTLED))
		return hot;
	cold = bpf_map_lookup_elem(&colds, &slot);
	e = bpf_map_lookup_elem(&exceptions, &bucket);
	if (!cold || !e)
		return 0;
	return e->word[0] == hash ? hot & FWD_SLOT_BACKEND : cold->claim[OWNER_CLASS_TCP].base;
}

/* A cheap hash of what tells flows apart: the words that write_frame() writes. */
static __always_inline __u64 hash_least(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 hash;

	if (data + 58 > end)
		return 0;
	hash = load.is6 ? *(__u32 *)(data + 34) | (__u64) * (__u32 *)(data + 54) << 32
	                : *(__u32 *)(data + 26) | (__u64) * (__u32 *)(data + 34) << 32;
	hash *= 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

/* Room for an outer header of @len bytes, and the Ethernet header up to its type in front of it. */
static __always_inline void *put_least(struct xdp_md *ctx, const struct fwd_backend *b, int len)
{
	void *data;

	if (bpf_xdp_adjust_head(ctx, -len))
		return NULL;
	data = (void *)(long)ctx->data;
	if (data + FWD_ETH_LEN + len > (void *)(long)ctx->data_end)
		return NULL;
	*(__u64 *)data = *(const __u64 *)b->mac_to;
	*(__u32 *)(data + 8) = *(const __u32 *)(b->mac_to + 8);
	return data;
}

static __always_inline int put_least4(struct xdp_md *ctx, const struct fwd_backend *b)
{
	void *data = put_least(ctx, b, FWD_IP4_LEN);

	if (!data)
		return XDP_DROP;
	*(__u64 *)(data + 12) = 0x00450008;
	*(__u64 *)(data + 20) = 0x04400040;
	*(__u64 *)(data + 26) = (__u64)b->address.words_be[3] << 32;
	return XDP_TX;
}

static __always_inline int put_least6(struct xdp_md *ctx, const struct fwd_backend *b)
{
	void *data = put_least(ctx, b, FWD_IP6_LEN);

	if (!data)
		return XDP_DROP;
	*(__u16 *)(data + 12) = 0xdd86;
	*(__u64 *)(data + 14) = 0x4029000000000060;
	*(__u64 *)(data + 22) = 0;
	*(__u64 *)(data + 30) = 0;
	*(__u64 *)(data + 38) = b->address.longs_be[0];
	*(__u64 *)(data + 46) = b->address.longs_be[1];
	return XDP_TX;
}

/*
 * A packet to the backend of its slot, with nothing parsed, checked or counted: what reading the
 * tables' lines, which name one another, and writing the outer header costs on this machine.
 */
SEC("xdp")
int bench_least(struct xdp_md *ctx)
{
	__u32 owner = find_least_owner(hash_least(ctx));
	const struct fwd_backend *b = bpf_map_lookup_elem(&backends, &owner);

	if (!b)
		return XDP_DROP;
	return load.outer6 ? put_least6(ctx, b) : put_least4(ctx, b);
}

/* The flow's hash and nothing else: what no program that places flows as Weir does can leave out. */
SEC("xdp")
int bench_hash(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct fwd_tuple flow = { .protocol = FWD_PROTO_TCP };

	if (data + 58 > end)
		return XDP_DROP;
	if (load.is6) {
		__builtin_memcpy(&flow.src, data + 22, sizeof(flow.src));
		__builtin_memcpy(&flow.dst, data + 38, sizeof(flow.dst));
		flow.sport_be = *(const __u16 *)(data + 54);
		flow.dport_be = *(const __u16 *)(data + 56);
		state.hash = fwd_hash_flow(&state.random, &flow, false);
		return XDP_TX;
	}
	flow.src.words_be[3] = *(const __u32 *)(data + 26);
	flow.dst.words_be[3] = *(const __u32 *)(data + 30);
	flow.sport_be = *(const __u16 *)(data + 34);
	flow.dport_be = *(const __u16 *)(data + 36);
	state.hash = fwd_hash_flow(&state.random, &flow, true);
	return XDP_TX;
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
