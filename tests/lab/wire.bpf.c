/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a wire does not carry: the hash that a packet brings along from its sender's socket. It is random, another one after each
 * time that TCP has sent again, and a router of this kernel's spreads by it rather than by addresses and ports.
 *
 *     tc qdisc add dev IF clsact; tc filter add dev IF ingress bpf da obj wire.bpf.o sec wire
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("wire")
int forget_hash(struct __sk_buff *skb)
{
	bpf_set_hash_invalid(skb);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
