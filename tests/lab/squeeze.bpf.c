/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A site that is too small: a tc egress program on a port of the router, to a node or to a backend behind it, which lets SYNs
 * through at a rate (token bucket) and drops the others, inside tunnels (GUE, IP in IP), too. What belongs to a connection passes.
 * The lab writes the map squeeze_bucket: until then all pass.
 *
 *     tc qdisc add dev IF clsact; tc filter add dev IF egress bpf da obj squeeze.bpf.o sec squeeze
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define GUE_OFF      8 /* of its header in UDP */
#define GUE_LEN      4
#define GUE_MORE     0x1f /* words that follow */
#define FLAGS_OFF    13   /* of TCP's header */
#define SYN_ACK_MASK 0x12
#define SYN          0x02

/* One CPU at a time is enough for a lab. */
struct bucket {
	__u64 ns_per_syn;  /* written by the lab; 0: no limit */
	__u64 empty_at_ns; /* what has passed since then, in SYNs, is in the bucket */
	__u64 burst;       /* SYNs */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket);
} squeeze_bucket SEC(".maps");

/* Where the IP header at @p at ends, or 0 if there is none. IPv6 without extension headers, IPv4 without options. */
static __always_inline __u32 ip_end(struct __sk_buff *skb, __u32 at, __u8 *protocol)
{
	__u8 version = 0;

	if (bpf_skb_load_bytes(skb, at, &version, 1))
		return 0;
	version >>= 4;
	if (version != 4 && version != 6)
		return 0;
	if (bpf_skb_load_bytes(skb, at + (version == 4 ? 9 : 6), protocol, 1))
		return 0;
	return at + (version == 4 ? 20 : 40);
}

/* The offset of TCP's header, that inside a tunnel if there is one; 0 if there is none. */
static __always_inline __u32 tcp_offset(struct __sk_buff *skb)
{
	__u8 protocol = 0, gue = 0;
	__u32 at = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6))
		at = ip_end(skb, ETH_HLEN, &protocol);
	if (at && protocol == IPPROTO_UDP) {
		if (bpf_skb_load_bytes(skb, at + GUE_OFF, &gue, 1))
			return 0;
		at = ip_end(skb, at + GUE_OFF + GUE_LEN + 4 * (gue & GUE_MORE), &protocol);
	} else if (at && (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)) {
		at = ip_end(skb, at, &protocol);
	}
	return protocol == IPPROTO_TCP ? at : 0;
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
	if (now - b->empty_at_ns > b->burst * b->ns_per_syn)
		b->empty_at_ns = now - b->burst * b->ns_per_syn;
	if (now - b->empty_at_ns < b->ns_per_syn)
		return TC_ACT_SHOT;
	b->empty_at_ns += b->ns_per_syn;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
