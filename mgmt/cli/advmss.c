/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's segments are bounded by the MSS in its backend's SYN-ACK, which the backend's agent lowers,
 * or advmss on the backend's routes. No node sees SYN-ACKs, so a node knows only that packets were too
 * big, and not of which pool; it can say which MSS would have fitted.
 */
#include "mgmt/cli/advmss.h"

#include <stdio.h>

#include "mgmt/cli/api.h"
#include "weir/fwd/mss.h"

static void print_remedy(double mss4, double mss6)
{
	if (mss4 <= 0 || mss6 <= 0) {
		printf("which advmss fits is not known, as no backend's way is\n");
		return;
	}
	printf("where clients' uploads hang, attach the agent with --mss auto, or set advmss %.0f "
	       "(IPv4) and %.0f (IPv6) on the backends' routes to clients\n",
	       mss4, mss6);
}

/* What the tunnel to a backend carries; 0: not known, as the way there is not. */
static uint32_t inner_mtu_of(const json_t *effect)
{
	double inner = api_number(effect, "inner_mtu", 0);
	bool is_known = json_has_true(effect, "next_hop") && inner > 0 && inner <= UINT16_MAX;

	return is_known ? (uint32_t)inner : 0;
}

void advmss_print(const json_t *pool, const json_t *backend)
{
	const json_t *mss = json_object_get(pool, "mss");
	uint32_t inner = inner_mtu_of(json_object_get(backend, "effect"));

	if (!mss || (json_is_integer(json_object_get(mss, "too_big")) &&
	             api_number(mss, "too_big", 0) <= 0))
		return;
	if (!json_is_integer(json_object_get(mss, "too_big"))) {
		printf("%-12s unknown whether packets were too big for a tunnel: the counters of "
		       "weir-dataplane are not there\n",
		       "advmss");
		return;
	}
	printf("%-12s %.0f packets of this node were too big for a tunnel (not counted by pool); ",
	       "advmss", api_number(mss, "too_big", 0));
	if (backend)
		print_remedy(mss_fit(inner, 0, true), mss_fit(inner, 0, false));
	else
		print_remedy(api_number(mss, "ipv4", 0), api_number(mss, "ipv6", 0));
}
