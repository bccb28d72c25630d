/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The agent's part in the MSS, for agent.bpf.c alone (weir/fwd/mss.h says why).
 *
 * The XDP program notes, of each SYN that came in a tunnel, the service and what the tunnel takes of
 * a packet. So a SYN-ACK's service is known before the SYN-ACK leaves, and nothing has to tell the
 * agent which VIPs there are. The program at the interface's egress lowers the MSS of SYN-ACKs of
 * noted services, and lets all else go to the next program there.
 */
#ifndef WEIR_BPF_AGENT_MSS_BPF_H
#define WEIR_BPF_AGENT_MSS_BPF_H

#include "weir/fwd/decap_second.h"
#include "weir/fwd/encap.h"
#include "weir/fwd/mss.h"

/* Forgotten oldest first; a service is noted again by its next SYN, which precedes its SYN-ACK. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, AGENT_MAP_SERVICES);
	__type(key, struct agent_service);
	__type(value, __u32);
} agent_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct agent_mss_setting);
} agent_mss SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MSS_END_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} agent_mss_ends SEC(".maps");

static __always_inline const struct agent_mss_setting *mss_setting(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&agent_mss, &zero);
}

static __always_inline void count_mss(__u32 end)
{
	__u64 *n = bpf_map_lookup_elem(&agent_mss_ends, &end);

	if (n)
		(*n)++;
}

/* An address as a key has it; @p at has as many bytes as the family says. */
static __always_inline void key_address(struct agent_service *key, const unsigned char *at,
                                        __u32 is4)
{
	if (!is4) {
		decap_copy(key->vip, at, 16);
		return;
	}
	key->vip[10] = key->vip[11] = 0xff;
	decap_copy(key->vip + 12, at, 4);
}

/* --- in: which services there are --- */

static __always_inline int note_service(const struct decap_flow *flow, __u32 overhead)
{
	struct agent_service key = { .reserved = 0 };
	__u32 *noted;

	key_address(&key, flow->vip, flow->is4);
	decap_copy(key.port, flow->vip_port, 2);
	noted = bpf_map_lookup_elem(&agent_services, &key);
	if (!noted)
		return (int)bpf_map_update_elem(&agent_services, &key, &overhead, BPF_ANY);
	if (*noted != overhead)
		*noted = overhead;
	return 0;
}

/*
 * What the tunnel of a frame takes of the MTU at most, as fwd_overhead() has it at the balancer: a
 * pool with agents leaves room for the longest list, whatever the SYN's own list measures.
 * @p is_gue, @p outer_is4  of the frame; @p has_list  it named earlier owners
 */
static __always_inline __u32 tunnel_overhead(const struct agent_mss_setting *setting, bool is_gue,
                                             bool outer_is4, bool has_list)
{
	__u32 list = is_gue && (has_list || setting->has_owners) ? second_len_max(outer_is4) : 0;

	return fwd_outer_len(outer_is4, is_gue) + list;
}

/*
 * Note the service of a SYN from whose frame the tunnel was taken off. A global function (see
 * FWD_SLOW, types.h). @p facts: inner_is4, outer_is4, is_gue, has_list, a bit each
 */
__attribute__((noinline, weak)) int agent_note_syn(struct xdp_md *ctx, __u32 facts)
{
	const struct agent_mss_setting *setting = mss_setting();
	struct decap_flow flow = { .is4 = facts & 1 };
	const unsigned char *ip, *end, *tcp;
	struct decap_l4 l4;

	if (!ctx || !setting || setting->mss == AGENT_MAP_MSS_OFF)
		return 0;
	ip = (const unsigned char *)(long)ctx->data + DECAP_ETH_LEN;
	end = (const unsigned char *)(long)ctx->data_end;
	l4 = decap_l4(ip, end, flow.is4);
	tcp = ip + (l4.off & 0x3cu);
	if (l4.off == 0 || l4.protocol != DECAP_TCP || !decap_fits(tcp, DECAP_TCP_LEN, end) ||
	    !(tcp[13] & 0x02u) || !decap_flow_segment(&flow, ip, tcp, end) || !flow.is_syn)
		return 0;
	count_mss(MSS_SYN);
	return note_service(
	        &flow, tunnel_overhead(setting, facts >> 2 & 1, facts >> 1 & 1, facts >> 3 & 1));
}

/* --- out: their SYN-ACKs --- */

/* A SYN-ACK of a noted service. */
struct synack {
	struct agent_service service;
	__u32 tcp_off;  /* from the start of the frame */
	__u32 tcp_room; /* bytes of TCP by the length of the IP packet */
	__u32 overhead;
	bool is4;
};

/* Where the IP header is, behind at most two VLAN tags in the frame. @return 0: nowhere */
static __always_inline __u32 find_ip(struct __sk_buff *skb, __u16 *type_be)
{
	__u32 off = 12;

	for (int i = 0; i < 3; i++) {
		if (bpf_skb_load_bytes(skb, off, type_be, 2))
			return 0;
		if (*type_be != fwd_be16(FWD_ETHERTYPE_VLAN) &&
		    *type_be != fwd_be16(FWD_ETHERTYPE_QINQ))
			return off + 2;
		off += 4;
	}
	return 0;
}

/* IPv4: an unfragmented TCP packet, with options or without. */
static __always_inline bool read_ip4(struct __sk_buff *skb, __u32 off, struct synack *s)
{
	unsigned char ip[DECAP_IP4_LEN];
	__u32 len, header_len;

	if (bpf_skb_load_bytes(skb, off, ip, sizeof(ip)))
		return false;
	header_len = (ip[0] & 0xfu) * 4;
	len = decap_be16(ip + 2);
	if (ip[0] >> 4 != 4 || header_len < DECAP_IP4_LEN || len < header_len ||
	    decap_be16(ip + 6) & 0x3fff || ip[9] != DECAP_TCP)
		return false;
	s->is4 = true;
	s->tcp_off = off + header_len;
	s->tcp_room = len - header_len;
	key_address(&s->service, ip + 12, 1);
	return true;
}

/* IPv6: TCP right behind the header. Behind extension headers no server sends its SYN-ACKs. */
static __always_inline bool read_ip6(struct __sk_buff *skb, __u32 off, struct synack *s)
{
	unsigned char ip[DECAP_IP6_LEN];

	if (bpf_skb_load_bytes(skb, off, ip, sizeof(ip)) || ip[0] >> 4 != 6 || ip[6] != DECAP_TCP)
		return false;
	s->is4 = false;
	s->tcp_off = off + DECAP_IP6_LEN;
	s->tcp_room = decap_be16(ip + 4);
	key_address(&s->service, ip + 8, 0);
	return true;
}

/* Whether the segment is a SYN-ACK of a noted service. */
static __always_inline bool read_synack(struct __sk_buff *skb, struct synack *s,
                                        unsigned char tcp[DECAP_TCP_LEN])
{
	__u16 type_be = 0;
	__u32 off = find_ip(skb, &type_be), *noted;

	if (!off)
		return false;
	if (type_be == fwd_be16(FWD_ETHERTYPE_IP4)
	            ? !read_ip4(skb, off, s)
	            : type_be != fwd_be16(FWD_ETHERTYPE_IP6) || !read_ip6(skb, off, s))
		return false;
	/* SYN and ACK set; RST, FIN clear */
	if (bpf_skb_load_bytes(skb, s->tcp_off, tcp, DECAP_TCP_LEN) || (tcp[13] & 0x17u) != 0x12u)
		return false;
	decap_copy(s->service.port, tcp, 2);
	noted = bpf_map_lookup_elem(&agent_services, &s->service);
	if (!noted)
		return false;
	s->overhead = *noted;
	return true;
}

/*
 * The MTU of the interface that the packet leaves by, as it is now. Linux before 5.12 cannot be
 * asked: there it is the MTU of when the agent was attached.
 */
static __always_inline __u32 link_mtu(struct __sk_buff *skb,
                                      const struct agent_mss_setting *setting)
{
	__u32 mtu = 0;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_check_mtu) &&
	    bpf_check_mtu(skb, 0, &mtu, 0, 0) >= 0)
		return mtu;
	return setting->mtu;
}

/* Write @p after over @p before, at @p off; the checksum is the kernel's to keep, also a partial one. */
static __always_inline enum mss_end write_mss(struct __sk_buff *skb, const struct synack *s,
                                              __u32 off, __u16 before_be, __u16 after_be)
{
	bool is_odd = (off - s->tcp_off) & 1;

	if (bpf_skb_pull_data(skb, off + 2) || bpf_skb_store_bytes(skb, off, &after_be, 2, 0))
		return MSS_FAILED;
	if (!bpf_l4_csum_replace(skb, s->tcp_off + 16, mss_sum_word(before_be, is_odd),
	                         mss_sum_word(after_be, is_odd), 2))
		return MSS_LOWERED;
	bpf_skb_store_bytes(skb, off, &before_be, 2, 0); /* never: both are in what was pulled */
	return MSS_FAILED;
}

/* Lower the MSS of a SYN-ACK with @p n bytes of options to @p limit. @return what became of it */
static __always_inline enum mss_end lower_mss(struct __sk_buff *skb, const struct synack *s,
                                              __u32 n, __u32 limit)
{
	unsigned char options[MSS_OPTIONS_MAX] = { 0 };
	__u32 off = s->tcp_off + DECAP_TCP_LEN, at = 0;
	enum mss_end found;
	__u16 mss_be = 0;

	for (__u32 i = 0; i < MSS_OPTIONS_MAX && i < n; i += 4)
		if (bpf_skb_load_bytes(skb, off + i, options + i, 4))
			return MSS_MALFORMED;
	found = mss_find(options, n, &at);
	if (found != MSS_KEPT)
		return found;
	if (bpf_skb_load_bytes(skb, off + at, &mss_be, 2))
		return MSS_MALFORMED; /* never: it was read */
	if (fwd_be16(mss_be) <= limit)
		return MSS_KEPT;
	return write_mss(skb, s, off + at, mss_be, fwd_be16((__u16)limit));
}

static __always_inline enum mss_end bound_synack(struct __sk_buff *skb, const struct synack *s,
                                                 __u32 header_len,
                                                 const struct agent_mss_setting *setting)
{
	__u32 limit = setting->mss;

	if (header_len < DECAP_TCP_LEN || header_len > s->tcp_room)
		return MSS_MALFORMED;
	if (limit == AGENT_MAP_MSS_AUTO)
		limit = mss_fit(link_mtu(skb, setting), s->overhead, s->is4);
	if (!limit)
		return MSS_FAILED;
	return lower_mss(skb, s, header_len - DECAP_TCP_LEN, limit);
}

SEC("tc")
int weir_agent_mss(struct __sk_buff *skb)
{
	const struct agent_mss_setting *setting = mss_setting();
	unsigned char tcp[DECAP_TCP_LEN];
	struct synack s = { .is4 = false };

	if (!setting || setting->mss == AGENT_MAP_MSS_OFF || !read_synack(skb, &s, tcp))
		return TC_ACT_UNSPEC;
	count_mss(bound_synack(skb, &s, (tcp[12] >> 4) * 4u, setting));
	return TC_ACT_UNSPEC; /* the host's other programs follow */
}

#endif
