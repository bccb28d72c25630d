/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss on a link, for kernels without netem: tc egress programs that drop a share of the packets, or all.
 *
 *     tc qdisc add dev IF clsact; tc filter add dev IF egress bpf da obj loss.bpf.o sec loss1
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

/* One in a hundred. */
SEC("loss1")
int drop_some(struct __sk_buff *skb)
{
	(void)skb;
	return bpf_get_prandom_u32() % 100 ? TC_ACT_OK : TC_ACT_SHOT;
}

/* All but neighbour discovery by ARP: a host that is there and says nothing. */
SEC("silence")
int drop_all(struct __sk_buff *skb)
{
	return skb->protocol == __builtin_bswap16(0x0806) ? TC_ACT_OK : TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
