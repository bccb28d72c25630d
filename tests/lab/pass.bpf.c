// SPDX-License-Identifier: Dual BSD/GPL
/* An XDP program that lets everything by. A veth device takes frames that its peer sends by XDP_TX only when it polls, which such a program makes it do. */
#include <linux/bpf.h>

__attribute__((section("xdp"), used)) int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

__attribute__((section("license"), used)) char _license[] = "Dual BSD/GPL";
