// SPDX-License-Identifier: Dual BSD/GPL
/* The least that an XDP program can do to send a frame back: what bench_veth.py measures Weir beside. */
#include <linux/bpf.h>

__attribute__((section("xdp"), used)) int swap(struct xdp_md *ctx)
{
	__u16 *mac = (__u16 *)(long)ctx->data, word;

	if ((void *)(mac + 7) > (void *)(long)ctx->data_end)
		return XDP_DROP;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		word = mac[i];
		mac[i] = mac[i + 3];
		mac[i + 3] = word;
	}
	return XDP_TX;
}

__attribute__((section("license"), used)) char _license[] = "Dual BSD/GPL";
