/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend agent's XDP program: weir/fwd/decap.h bound to the kernel. Its maps belong to
 * bpf/agent.c: the prefixes are written before the program is attached and never after, the
 * counters go on when one program replaces another.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir/fwd/decap.h"

struct agent_key {
	__u32 bits;
	__u8 source[16];
};

struct agent_value {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct agent_key);
	__type(value, __u32);
} agent_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_REASON_COUNT);
	__type(key, __u32);
	__type(value, struct agent_value);
} agent_counters SEC(".maps");

static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	struct agent_key key = { .bits = 128 };

	(void)arg;
	__builtin_memcpy(key.source, source, sizeof(key.source));
	return bpf_map_lookup_elem(&agent_prefixes, &key) != NULL;
}

static __always_inline void count(__u32 why, __u64 bytes)
{
	struct agent_value *v = bpf_map_lookup_elem(&agent_counters, &why);

	if (!v)
		return;
	v->packets++;
	v->bytes += bytes;
}

SEC("xdp")
int weir_agent(struct xdp_md *ctx)
{
	unsigned char *frame = (unsigned char *)(long)ctx->data;
	unsigned char *end = (unsigned char *)(long)ctx->data_end;
	struct decap_result r = { 0 };
	__u64 bytes = (__u64)(end - frame);
	enum decap_reason why = decap_parse(frame, end, NULL, &r);

	if (why == DECAP_IPIP || why == DECAP_GUE) {
		why = decap_finish(frame, end, why, &r);
		if ((why == DECAP_IPIP || why == DECAP_GUE) &&
		    bpf_xdp_adjust_head(ctx, (int)(r.inner_off - DECAP_ETH_LEN)))
			why = DECAP_ROOM;
	}
	count(why, bytes);
	return why == DECAP_PASSED || why == DECAP_IPIP || why == DECAP_GUE ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
