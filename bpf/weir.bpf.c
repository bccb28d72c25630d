/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program: the shared forwarding code over memory-mapped maps.
 *
 * What happens to a packet is decided in include/weir/fwd/; the maps and the clock come from
 * port.bpf.h. Only the last step is here: a verdict becomes an XDP action. The common packet is
 * sent right away; every other kind is looked up by its reason.
 */
#include "port.bpf.h"

#include "weir/fwd/forward.h"

/** Send the frame by port @p ifindex; 0: by the port that it came in by. */
static __always_inline int send_frame(const struct xdp_md *ctx, uint32_t ifindex)
{
	if (!ifindex || ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	if (bpf_redirect_map(&ports, ifindex, 0) == XDP_REDIRECT)
		return XDP_REDIRECT;
	return (int)bpf_redirect(ifindex, 0); /* no port of ours: its driver may refuse it */
}

SEC("xdp")
int weir_forward(struct xdp_md *ctx)
{
	struct fwd_packet packet = { (uint8_t *)(long)ctx->data, (uint8_t *)(long)ctx->data_end,
		                     ctx };
	const struct fwd_tables t = { .cpu = bpf_get_smp_processor_id() };
	const struct fwd_root *r = fwd_port_root(&t);
	struct fwd_verdict v = { 0 };

	if (!r)
		return XDP_DROP; /* never: for the verifier */
	if (FWD_LIKELY(fwd_forward(&t, r, &packet, &v)))
		return send_frame(ctx, v.backend->ifindex);
	switch (fwd_reason_kind(v.reason)) {
	case FWD_KIND_TX:
		return send_frame(ctx, fwd_egress(&v));
	case FWD_KIND_PASS:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
