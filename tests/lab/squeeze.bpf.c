/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A site that is too small: a tc egress program on the router's port to its node, which lets SYNs through at a rate (token bucket)
 * and drops the others. What belongs to a connection passes. The lab writes the map squeeze_bucket: until then all pass.
 *
 *     tc qdisc add dev IF clsact; tc filter add dev IF egress bpf da obj squeeze.bpf.o sec squeeze
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BURST        60ull /* SYNs */
#define FLAGS_OFF    13    /* of TCP's header */
#define SYN_ACK_MASK 0x12
#define SYN          0x02

/* One CPU at a time is enough for a lab. */
struct bucket {
	__u64 ns_per_syn;  /* written by the lab; 0: no limit */
	__u64 empty_at_ns; /* what has passed since then, in SYNs, is in the bucket */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket);
} squeeze_bucket SEC(".maps");

/* The offset of TCP's header, or 0 if there is none. IPv6 without extension headers, IPv4 without options. */
static __u32 tcp_offset(struct __sk_buff *skb)
{
	__u8 protocol = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 9, &protocol, 1) || protocol != IPPROTO_TCP)
			return 0;
		return ETH_HLEN + 20;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 6, &protocol, 1) || protocol != IPPROTO_TCP)
		return 0;
	return ETH_HLEN + 40;
}

SEC("squeeze")
int drop_above(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 key = 0, at = tcp_offset(skb);
	__u8 flags = 0;

	if (!at || bpf_skb_load_bytes(skb, at + FLAGS_OFF, &flags, 1) ||
	    (flags & SYN_ACK_MASK) != SYN)
		return TC_ACT_OK;
	struct bucket *b = bpf_map_lookup_elem(&squeeze_bucket, &key);

	if (!b || !b->ns_per_syn)
		return TC_ACT_OK;
	if (now - b->empty_at_ns > BURST * b->ns_per_syn)
		b->empty_at_ns = now - BURST * b->ns_per_syn;
	if (now - b->empty_at_ns < b->ns_per_syn)
		return TC_ACT_SHOT;
	b->empty_at_ns += b->ns_per_syn;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
