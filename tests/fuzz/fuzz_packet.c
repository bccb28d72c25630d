/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame through the shared forwarding code, which must not read or write outside of it
 * and must count it exactly once.
 *
 * The first two bytes choose how much room is before the frame and what the slots say; the
 * rest is the frame, in a copy of its exact size.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fwd/world.h"

#define ETH_LEN 14u

static struct world w;

static void add_backend(uint32_t i, const char *address, enum fwd_encap_mode encap, uint16_t vlan)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(&w, i, &a, encap, 1)->vlan = vlan;
}

static void set_up(void)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 1,
		                            .backends = 8,
		                            .slots = 32,
		                            .exception_buckets = 1 };

	world_init(&w, &sizes, 1);
	world_set_source(&w, "10.255.1.0", 24);
	world_set_source(&w, "2001:db8:ff:1::", 64);
	add_backend(1, "10.1.0.1", FWD_ENCAP_IPIP, 0);
	add_backend(2, "10.1.0.2", FWD_ENCAP_GUE, 100);
	add_backend(3, "2001:db8:b::3", FWD_ENCAP_IPIP, 100);
	add_backend(4, "2001:db8:b::4", FWD_ENCAP_GUE, 0);
	world_add_vip(&w, "192.0.2.80");
	world_add_vip(&w, "2001:db8:80::80");
	world_add_service(&w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&w, "192.0.2.80", 53, FWD_PROTO_UDP, 0, FWD_SERVICE_HASH_SOURCE);
	world_add_service(&w, "2001:db8:80::80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&w, "2001:db8:80::80", 53, FWD_PROTO_UDP, 0, 0);
	world_add_pool(&w, 0, 0, 5, 1, 4);
}

/** All slots: settled, or in the middle of a change. */
static void set_slots(uint8_t how)
{
	for (uint32_t slot = 0; slot < 32; slot++) {
		*world_slot(&w, slot) =
		        (uint16_t)(1 + how % 4) | (how & 4 ? FWD_SLOT_UNSETTLED : 0);
		w.t.colds[slot].claim[0].settle_at = w.t.colds[slot].claim[1].settle_at =
		        how & 8 ? 1000 : 0;
		w.t.colds[slot].claim[0].base = w.t.colds[slot].claim[1].base =
		        (uint16_t)(how >> 4);
	}
}

/** The sum of all counters of packets, which must follow the number received. */
static uint64_t sum_counters(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < FWD_REASONS_MAX; i++)
		sum += w.t.cpus[0].reason[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fwd_packet packet;
	struct fwd_verdict v;
	size_t room;
	uint8_t *copy;

	if (size < 2 + ETH_LEN)
		return 0;
	if (!w.t.root)
		set_up();
	room = data[0] % 80 & ~1u; /* frames begin at an even address */
	set_slots(data[1]);
	copy = malloc(room + size - 2);
	if (!copy)
		abort();
	memcpy(copy + room, data + 2, size - 2);
	packet = (struct fwd_packet){ copy + room, copy + room + size - 2, copy };
	world_forward(&w, &packet, data[1], &v);
	if (packet.data < copy || packet.end != copy + room + size - 2)
		abort();
	if (w.t.cpus[0].received != sum_counters() || v.reason >= FWD_REASON_COUNT)
		abort();
	free(copy);
	return 0;
}
