/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend agent's XDP program: weir/fwd/decap.h and decap_second.h bound to the kernel.
 * bpf/agent.c owns its maps. It writes prefixes and namespaces before the program is attached
 * and never after, so each packet sees one consistent set; the counters are handed from one
 * program to the next.
 *
 * A packet for another owner leaves the XDP program readdressed, but not sent: the second
 * program, at the same interface's ingress, has the kernel look up its route and resolve
 * the next hop's address, which XDP cannot.
 *
 * A third program, at the interface's egress, lowers the MSS of SYN-ACKs (agent_mss.bpf.h).
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/agent_maps.h"
#include "bpf/agent_mss.bpf.h"
#include "weir/fwd/decap_second.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, AGENT_MAP_PREFIXES);
	__type(key, struct agent_key);
	__type(value, __u32);
} agent_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_REASON_COUNT);
	__type(key, __u32);
	__type(value, struct agent_value);
} agent_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct agent_spaces);
} agent_netns SEC(".maps");

/* One field of the kernel's struct; its offset is found when the program is loaded (BPF CO-RE). */
struct tcp_request_sock {
	__u32 snt_isn;
} __attribute__((preserve_access_index));

/* Values of bpf_sock.state: BPF_TCP_LISTEN, and BPF_TCP_NEW_SYN_RECV (half-open connections). */
#define STATE_LISTEN   10
#define STATE_SYN_RECV 12

static __always_inline __u32 prefix_uses(const unsigned char address[16])
{
	struct agent_key key = { .bits = 128 };
	__u32 *uses;

	__builtin_memcpy(key.source, address, sizeof(key.source));
	uses = bpf_map_lookup_elem(&agent_prefixes, &key);
	return uses ? *uses : 0;
}

static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	(void)arg;
	return prefix_uses(source) != 0;
}

static inline int decap_owner_accepted(void *arg, const unsigned char owner[16])
{
	(void)arg;
	return (prefix_uses(owner) & AGENT_USE_OWNER) != 0;
}

/* Whether the segment carries a SYN cookie of the listening socket @p sk. */
static __always_inline int cookie_fits(void *sk, const unsigned char *frame,
                                       const unsigned char *end, const struct decap_flow *flow)
{
	unsigned char *ip = (unsigned char *)frame + (flow->ip_off & DECAP_OFF_MASK);
	unsigned char *tcp = (unsigned char *)frame + (flow->tcp_off & DECAP_OFF_MASK);

	if (flow->tcp_off == 0)
		return 0;
	if (!decap_fits(ip, DECAP_IP6_LEN, end) || !decap_fits(tcp, DECAP_TCP_LEN, end))
		return 0;
	return bpf_tcp_check_syncookie(sk, ip, flow->is4 ? DECAP_IP4_LEN : DECAP_IP6_LEN,
	                               (void *)tcp, DECAP_TCP_LEN) == 0;
}

/*
 * What the found socket @p sk says of the segment. A half-open connection counts only if the
 * segment acknowledges its SYN-ACK: another one would be answered by a reset.
 */
static __always_inline enum second_socket judge_socket(struct bpf_sock *sk,
                                                       const unsigned char *frame,
                                                       const unsigned char *end,
                                                       const struct decap_flow *flow)
{
	struct tcp_request_sock *half_open;

	if (sk->state == STATE_LISTEN)
		return cookie_fits(sk, frame, end, flow) ? SECOND_SOCKET_HELD
		                                         : SECOND_SOCKET_LISTEN;
	if (sk->state != STATE_SYN_RECV || flow->tcp_off == 0 || flow->is_syn)
		return SECOND_SOCKET_HELD;
	half_open = bpf_skc_to_tcp_request_sock(sk);
	if (half_open && half_open->snt_isn + 1 != flow->ack)
		return SECOND_SOCKET_OTHERS;
	return SECOND_SOCKET_HELD;
}

static __always_inline void fill_tuple(struct bpf_sock_tuple *t, const struct decap_flow *flow)
{
	if (flow->is4) {
		__builtin_memcpy(&t->ipv4.saddr, flow->client, 4);
		__builtin_memcpy(&t->ipv4.daddr, flow->vip, 4);
		__builtin_memcpy(&t->ipv4.sport, flow->client_port, 2);
		__builtin_memcpy(&t->ipv4.dport, flow->vip_port, 2);
		return;
	}
	__builtin_memcpy(t->ipv6.saddr, flow->client, 16);
	__builtin_memcpy(t->ipv6.daddr, flow->vip, 16);
	__builtin_memcpy(&t->ipv6.sport, flow->client_port, 2);
	__builtin_memcpy(&t->ipv6.dport, flow->vip_port, 2);
}

/* What one namespace knows of the flow. Not inlined, as BPF has 512 bytes of stack. */
static __attribute__((noinline)) int look_up_socket(struct xdp_md *ctx, const unsigned char *frame,
                                                    const unsigned char *end,
                                                    const struct decap_flow *flow, __u64 netns)
{
	struct bpf_sock_tuple tuple = { 0 };
	enum second_socket found;
	struct bpf_sock *sk;

	fill_tuple(&tuple, flow);
	if (flow->is4)
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), netns, 0);
	else
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), netns, 0);
	if (!sk)
		return SECOND_SOCKET_NONE;
	found = judge_socket(sk, frame, end, flow);
	bpf_sk_release(sk);
	return (int)found;
}

/* The most that any of the namespaces knows. */
static inline enum second_socket decap_socket(void *arg, const unsigned char *frame,
                                              const unsigned char *end,
                                              const struct decap_flow *flow)
{
	int most = SECOND_SOCKET_NONE;
	struct agent_spaces *spaces;
	__u32 zero = 0;

	spaces = bpf_map_lookup_elem(&agent_netns, &zero);
	if (!spaces)
		return SECOND_SOCKET_NONE;
	for (__u32 i = 0; i < AGENT_MAP_NETNS; i++) {
		int found;

		if (i >= spaces->n)
			break;
		found = look_up_socket(arg, frame, end, flow, (__u64)(__s64)spaces->id[i]);
		if (found > most)
			most = found;
	}
	return (enum second_socket)most;
}

static __always_inline void count_reason(__u32 reason, __u64 bytes)
{
	struct agent_value *v = bpf_map_lookup_elem(&agent_counters, &reason);

	if (!v)
		return;
	v->packets++;
	v->bytes += bytes;
}

static __always_inline int is_decapsulated(enum decap_reason reason)
{
	return reason == DECAP_IPIP || reason == DECAP_GUE || reason == DECAP_OWNED ||
	       reason == DECAP_LAST;
}

/*
 * decap_second() as a global function (see FWD_SLOW, types.h), which the verifier checks once. Its
 * arguments are plain numbers, of which the verifier knows nothing but what is tested here.
 * @p facts: owners_n, owners_next, inner_is4, outer_is4, a byte each.
 */
__attribute__((noinline, weak)) int agent_second(struct xdp_md *ctx, __u32 inner_off,
                                                 __u32 owners_off, __u32 facts)
{
	struct decap_result r = { .inner_off = inner_off,
		                  .owners_off = owners_off,
		                  .owners_n = (unsigned char)facts,
		                  .owners_next = (unsigned char)(facts >> 8),
		                  .inner_is4 = facts >> 16 & 1,
		                  .outer_is4 = facts >> 24 & 1 };

	if (!ctx)
		return DECAP_TRUNCATED;
	return (int)decap_second((unsigned char *)(long)ctx->data,
	                         (unsigned char *)(long)ctx->data_end, ctx, &r);
}

SEC("xdp")
int weir_agent(struct xdp_md *ctx)
{
	unsigned char *frame = (unsigned char *)(long)ctx->data;
	unsigned char *end = (unsigned char *)(long)ctx->data_end;
	struct decap_result r = { 0 };
	__u64 bytes = (__u64)(end - frame);
	enum decap_reason reason = decap_parse(frame, end, NULL, &r);

	if (reason == DECAP_GUE && r.owners_n) {
		__u32 facts = r.owners_n | (__u32)r.owners_next << 8 | (__u32)r.inner_is4 << 16 |
		              (__u32)r.outer_is4 << 24;

		reason = (enum decap_reason)agent_second(ctx, r.inner_off, r.owners_off, facts);
		frame = (unsigned char *)(long)ctx->data;
		end = (unsigned char *)(long)ctx->data_end;
	}
	if (is_decapsulated(reason)) {
		reason = decap_finish(frame, end, reason, &r);
		if (is_decapsulated(reason) &&
		    bpf_xdp_adjust_head(ctx, (int)(r.inner_off - DECAP_ETH_LEN)))
			reason = DECAP_ROOM;
	}
	count_reason(reason, bytes);
	if (is_decapsulated(reason))
		agent_note_syn(ctx, (__u32)r.inner_is4 | (__u32)r.outer_is4 << 1 |
		                            (reason != DECAP_IPIP ? 4u : 0) |
		                            (r.owners_n ? 8u : 0));
	return reason == DECAP_PASSED || reason == DECAP_PASSED_ON || is_decapsulated(reason)
	               ? XDP_PASS
	               : XDP_DROP;
}

/*
 * Whether the XDP program has readdressed the frame, which had no VLAN tag: all other GUE frames
 * with a list ended there.
 */
static __always_inline int is_passed_on(const unsigned char *frame, const unsigned char *end)
{
	const unsigned char *ip = frame + DECAP_ETH_LEN, *gue;
	struct decap_outer o = { 0 };
	unsigned char source[16];
	unsigned int etype;

	if (!decap_fits(frame, DECAP_ETH_LEN, end))
		return 0;
	etype = decap_be16(frame + 12);
	if (etype != DECAP_ETYPE_IPV4 && etype != DECAP_ETYPE_IPV6)
		return 0;
	decap_outer_read(ip, end, etype == DECAP_ETYPE_IPV4, &o, source);
	if (o.protocol != DECAP_UDP || !decap_is_tunnel(ip, &o, end))
		return 0;
	gue = ip + o.header_len + DECAP_UDP_LEN;
	return decap_fits(gue, DECAP_GUE_LEN + SECOND_HEAD_LEN, end) && gue[0] >> 5 == 0 &&
	       (gue[0] & 0x1f) != 0;
}

/* A flooding bridge shows each frame to all backends: only the addressed one may pass it on. */
SEC("tc")
int weir_agent_next(struct __sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST)
		return TC_ACT_OK; /* the kernel drops it */
	if (skb->vlan_present)
		return TC_ACT_OK; /* passed as it came: its VLAN's interface may have an agent */
	if (bpf_skb_pull_data(skb, DECAP_INNER_OFF_MAX))
		bpf_skb_pull_data(skb, 0); /* it is shorter than that: pull all of it */
	if (!is_passed_on((unsigned char *)(long)skb->data, (unsigned char *)(long)skb->data_end))
		return TC_ACT_OK;
	return (int)bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
