/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc egress: packets whose mark names a backend leave in that backend's tunnel, under the outer
 * header that the forwarding code writes (weir/fwd/encap.h). See include/weir/probe.h.
 *
 * The mark is looked up in a map that weir-dataplane fills; the outer header is put in front, the
 * mark is cleared, and the kernel routes the packet and resolves its next hop
 * (bpf_redirect_neigh). A marked packet leaves in its tunnel or not at all, as one
 * outside of it would probe some other backend. Packets without a mark are not touched.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "bpf/probe_table.h"
#include "weir/fwd/encap.h"

/* PROBE_MARK_BASE and PROBE_MARK_MASK of weir/probe.h, which includes what BPF cannot. */
#define MARK_BASE 0x57000000u
#define MARK_MASK 0xff000000u

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * 32768); /* 2 * PROBES_MAX: new ones are added before old ones go */
	__type(key, __u32);
	__type(value, struct probe_value);
} probe_tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_sources);
} probe_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROBE_END_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} probe_ends SEC(".maps");

static __always_inline int count_end(__u32 end, int action)
{
	__u64 *n = bpf_map_lookup_elem(&probe_ends, &end);

	if (n)
		(*n)++;
	return action;
}

static __always_inline bool is_tagged(const struct __sk_buff *skb)
{
	return skb->vlan_present || skb->protocol == fwd_be16(FWD_ETHERTYPE_VLAN) ||
	       skb->protocol == fwd_be16(FWD_ETHERTYPE_QINQ);
}

/*
 * Remove up to two VLAN tags. A probe that was routed into a VLAN has that VLAN's tags; it leaves
 * by the interface of the backend's next hop, which adds its own.
 */
static __always_inline bool pop_tags(struct __sk_buff *skb)
{
	if (is_tagged(skb) && bpf_skb_vlan_pop(skb))
		return false;
	return !is_tagged(skb) || !bpf_skb_vlan_pop(skb);
}

/* Read what the outer header repeats of the inner packet: family, DSCP and ECN, length. */
static __always_inline bool read_inner(struct __sk_buff *skb, struct fwd_outer *o)
{
	__u8 head[8];

	if (bpf_skb_load_bytes(skb, FWD_ETH_LEN, head, sizeof(head)))
		return false;
	o->inner_is4 = skb->protocol == fwd_be16(FWD_ETHERTYPE_IP4);
	o->tos = o->inner_is4 ? head[1] : (__u8)(head[0] << 4 | head[1] >> 4);
	o->inner_len = (__u16)(skb->len - FWD_ETH_LEN);
	return o->inner_is4 || skb->protocol == fwd_be16(FWD_ETHERTYPE_IP6);
}

/*
 * Make room and write the outer header; family and mode are constants, so that the verifier sees
 * its length.
 */
static __always_inline bool write_outer(struct __sk_buff *skb, const struct fwd_outer *o, bool is4,
                                        bool gue)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	__u32 len = fwd_outer_len(is4, gue);

	flags |= is4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (gue)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (bpf_skb_adjust_room(skb, (__s32)len, BPF_ADJ_ROOM_MAC, flags))
		return false;

	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;
	struct fwd_eth *eth = (struct fwd_eth *)data;
	if (data + FWD_ETH_LEN + len > end)
		return false;
	eth->type_be = is4 ? fwd_be16(FWD_ETHERTYPE_IP4) : fwd_be16(FWD_ETHERTYPE_IP6);
	fwd_outer_write(data + FWD_ETH_LEN, o, is4, gue);
	return true;
}

static __always_inline bool encapsulate_packet(struct __sk_buff *skb, const struct fwd_outer *o,
                                               bool is4, bool gue)
{
	if (is4)
		return gue ? write_outer(skb, o, true, true) : write_outer(skb, o, true, false);
	return gue ? write_outer(skb, o, false, true) : write_outer(skb, o, false, false);
}

SEC("tc")
int weir_probe(struct __sk_buff *skb)
{
	struct fwd_outer o = { .dport_be = fwd_be16(PROBE_GUE_PORT) };
	__u32 mark = skb->mark, zero = 0, spread;

	if ((mark & MARK_MASK) != MARK_BASE)
		return TC_ACT_UNSPEC;
	const struct probe_value *tunnel = bpf_map_lookup_elem(&probe_tunnels, &mark);
	const struct probe_sources *sources = bpf_map_lookup_elem(&probe_sources, &zero);
	if (!tunnel || !sources || !pop_tags(skb) || !read_inner(skb, &o))
		return count_end(PROBE_END_UNKNOWN, TC_ACT_SHOT);

	if (tunnel->ifindex == PROBE_IFINDEX_NONE)
		return count_end(PROBE_END_NO_ROUTE, TC_ACT_SHOT);

	bool is4 = fwd_addr_is4(&tunnel->dst);
	const struct fwd_prefix *from = is4 ? &sources->source4 : &sources->source6;
	if (!fwd_prefix_set(from))
		return count_end(PROBE_END_NO_SOURCE, TC_ACT_SHOT);
	spread = bpf_get_hash_recalc(skb);
	o.dst = tunnel->dst;
	fwd_spread_source(&o.src, from, spread);
	o.sport_be = fwd_spread_port(spread);
	__u32 ifindex = tunnel->ifindex ? tunnel->ifindex : skb->ifindex;
	if (!encapsulate_packet(skb, &o, is4, tunnel->gue))
		return count_end(PROBE_END_TOO_BIG, TC_ACT_SHOT);

	skb->mark = 0; /* else the packet would come through here again */
	if (bpf_redirect_neigh(ifindex, NULL, 0, 0) != TC_ACT_REDIRECT)
		return count_end(PROBE_END_NO_ROUTE, TC_ACT_SHOT);
	return count_end(PROBE_END_SENT, TC_ACT_REDIRECT);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
