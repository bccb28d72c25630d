/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firewalls. One before a client drops what says that a packet was too big, of both families: ICMP
 * "fragmentation needed" and ICMPv6 "packet too big"; one before a backend drops IPIP. tc egress
 * programs on the router's port; all else passes.
 *
 *     tc qdisc add dev IF clsact; tc filter add dev IF egress bpf da obj firewall.bpf.o sec firewall
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP4_LEN 20
#define IP6_LEN 40

static __always_inline int is_too_big4(struct __sk_buff *skb)
{
	__u8 ip[IP4_LEN], icmp[2];

	return !bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)) && ip[9] == IPPROTO_ICMP &&
	       !bpf_skb_load_bytes(skb, ETH_HLEN + (ip[0] & 15) * 4, icmp, sizeof(icmp)) &&
	       icmp[0] == 3 && icmp[1] == 4;
}

static __always_inline int is_too_big6(struct __sk_buff *skb)
{
	__u8 ip[IP6_LEN], icmp[2];

	return !bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)) && ip[6] == IPPROTO_ICMPV6 &&
	       !bpf_skb_load_bytes(skb, ETH_HLEN + IP6_LEN, icmp, sizeof(icmp)) && icmp[0] == 2;
}

SEC("firewall")
int drop_too_big(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return is_too_big4(skb) ? TC_ACT_SHOT : TC_ACT_OK;
	return skb->protocol == bpf_htons(ETH_P_IPV6) && is_too_big6(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Before a backend that takes no IPIP tunnel, of either family over IPv4. */
SEC("no_ipip")
int drop_ipip(struct __sk_buff *skb)
{
	__u8 ip[IP4_LEN];

	return skb->protocol == bpf_htons(ETH_P_IP) &&
	                       !bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(ip)) &&
	                       (ip[9] == IPPROTO_IPIP || ip[9] == IPPROTO_IPV6)
	               ? TC_ACT_SHOT
	               : TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
