/* SPDX-License-Identifier: BSD-2-Clause */
/* A small world of tables, and numbers in the order of the wire. */
#ifndef WEIR_TESTS_UNIT_FWD_SMALL_H
#define WEIR_TESTS_UNIT_FWD_SMALL_H

#include "fwd/world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ETH      14u

/** UDP port 53 of a VIP in each family, to a pool of 32 slots that are all backend 1's, by GUE. */
static inline void small_world(struct world *w)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 1,
		                            .backends = 4,
		                            .slots = 32,
		                            .exception_buckets = 4 };
	union fwd_addr backend = world_addr("10.1.0.1");

	world_init(w, &sizes, 1);
	world_set_source(w, "10.255.1.0", 24);
	world_add_backend(w, 1, &backend, FWD_ENCAP_GUE, 7);
	world_add_vip(w, "192.0.2.80");
	world_add_vip(w, "2001:db8:80::80");
	world_add_service(w, "192.0.2.80", 53, FWD_PROTO_UDP, 0, 0);
	world_add_service(w, "2001:db8:80::80", 53, FWD_PROTO_UDP, 0, 0);
	world_add_pool(w, 0, 0, 5, 1, 1);
}

static inline void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t get_be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

#endif
