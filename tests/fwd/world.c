/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in own memory, and what is put into tables wherever they are. */
#include "fwd/world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd/memory.h"
#include "fwd/world_private.h"
#include "weir/fwd/services.h"

static void exit_with_error(const char *what)
{
	fprintf(stderr, "world: %s\n", what);
	exit(2);
}

void world_root(struct world *w)
{
	struct fwd_root *r = w->t.root;

	layout_root(&w->t, &w->sizes);
	r->answers_per_s = 1000;
	r->hash_key[0] = 0x0706050403020100u;
	r->hash_key[1] = 0x0f0e0d0c0b0a0908u;
	w->t.ingress = WORLD_INGRESS;
	world_add_mac(w, (const uint8_t[6]){ 2, 0xaa, 0, 0, 0, 1 }, WORLD_INGRESS);
}

void world_init(struct world *w, const struct driver_sizes *sizes, uint32_t n_cpus)
{
	memset(w, 0, sizeof(*w));
	w->prog_fd = -1;
	w->sizes = *sizes;
	memory_new(&w->t, sizes, n_cpus);
	world_root(w);
}

void world_fini_memory(struct world *w)
{
	memory_free(&w->t);
}

void world_copy(struct world *to, const struct world *from)
{
	struct layout_table a[FWD_TABLE_COUNT], b[FWD_TABLE_COUNT];

	layout_list(&to->t, a);
	layout_list(&from->t, b);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		memcpy(a[i].memory, b[i].memory, layout_bytes(&b[i]));
	to->n_services = from->n_services;
}

const char *world_difference(const struct world *a, const struct world *b)
{
	struct layout_table of_a[FWD_TABLE_COUNT], of_b[FWD_TABLE_COUNT];

	layout_list(&a->t, of_a);
	layout_list(&b->t, of_b);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		if (memcmp(of_a[i].memory, of_b[i].memory, layout_bytes(&of_b[i])) != 0)
			return of_a[i].name;
	return NULL;
}

union fwd_addr world_addr(const char *text)
{
	union fwd_addr a;
	uint32_t word;

	if (inet_pton(AF_INET, text, &word) == 1)
		fwd_addr_from4(&a, word);
	else if (inet_pton(AF_INET6, text, &a) != 1)
		exit_with_error(text);
	return a;
}

void world_add_mac(struct world *w, const uint8_t mac[6], uint32_t ifindex)
{
	uint64_t bytes = 0, word;
	struct fwd_own_macs *set;

	memcpy(&bytes, mac, 6);
	word = fwd_mac_word(bytes, ifindex);
	for (uint32_t i = 0; i < FWD_MACS_FIRST; i++)
		if (!w->t.root->macs[i]) {
			w->t.root->macs[i] = word;
			return;
		}
	set = &w->t.macs[fwd_mac_bucket(word)];
	for (uint32_t i = 0; i < FWD_MAC_WAYS; i++)
		if (!set->word[i]) {
			set->word[i] = word;
			return;
		}
	exit_with_error("no place for a MAC address");
}

static void put_service(struct world *w, const struct fwd_service *e)
{
	struct fwd_root *r = w->t.root;

	if (fwd_service_put(w->t.services, r->n_services, r->service_seed[0], r->vip_filter[0], e) <
	    0)
		exit_with_error("no place for a service");
}

static uint32_t range_of(const struct world *w, uint32_t pool)
{
	return pool < w->t.n_pools ? fwd_pool_range(&w->t.pools[pool]) : FWD_RANGE_NONE;
}

void world_add_vip(struct world *w, const char *vip)
{
	struct fwd_service e = { .vip = world_addr(vip),
		                 .pool = FWD_POOL_NONE,
		                 .range = FWD_RANGE_NONE };

	put_service(w, &e);
}

void world_add_service(struct world *w, const char *vip, uint16_t port, uint8_t protocol,
                       uint32_t pool, uint8_t flags)
{
	struct fwd_service e = { .vip = world_addr(vip),
		                 .port_be = fwd_be16(port),
		                 .protocol = protocol,
		                 .flags = flags,
		                 .range = range_of(w, pool),
		                 .pool = (uint16_t)pool,
		                 .count = (uint16_t)w->n_services++,
		                 .udp_idle_s = 30 };

	put_service(w, &e);
}

void world_point_services(struct world *w)
{
	for (uint32_t i = 0; i < w->t.n_services; i++)
		if (w->t.services[i].flags & FWD_SERVICE_USED)
			w->t.services[i].range = range_of(w, w->t.services[i].pool);
}

struct fwd_prefix world_prefix(const char *address, unsigned int bits)
{
	union fwd_addr a = world_addr(address);
	unsigned int all = bits + (fwd_addr_is4(&a) ? 96 : 0);
	struct fwd_prefix p = { 0 };

	for (unsigned int i = 0; i < all; i++)
		p.mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	for (unsigned int i = 0; i < 16; i++)
		p.addr.bytes[i] = a.bytes[i] & p.mask.bytes[i];
	return p;
}

void world_set_source(struct world *w, const char *address, unsigned int bits)
{
	union fwd_addr a = world_addr(address);

	*(fwd_addr_is4(&a) ? &w->t.root->source4 : &w->t.root->source6) =
	        world_prefix(address, bits);
}

struct fwd_backend *world_add_backend(struct world *w, uint32_t i, const union fwd_addr *address,
                                      enum fwd_encap_mode encap, uint32_t ifindex)
{
	struct fwd_backend *b = &w->t.backends[i];

	if (i >= w->t.n_backends)
		exit_with_error("no such backend");
	*b = (struct fwd_backend){ .address = *address,
		                   .ifindex = ifindex,
		                   .inner_mtu = 1500,
		                   .mac_to = { 2, 0xbb, 0, 0, (uint8_t)(i >> 8), (uint8_t)i },
		                   .mac_from = { 2, 0xaa, 0, 0, 0, 1 },
		                   .encap = (uint8_t)encap,
		                   .flags = FWD_BACKEND_USED,
		                   .gue_port_be = fwd_be16(6080),
		                   .id = i };
	if (!fwd_destination_put(w->t.destinations, w->t.n_destinations, w->t.backends, i))
		exit_with_error("no place for a destination");
	return b;
}

uint16_t *world_slot(struct world *w, uint32_t slot)
{
	return &w->t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
}

void world_add_pool(struct world *w, uint32_t i, uint32_t first, unsigned int log2, uint32_t low,
                    uint32_t high)
{
	for (uint32_t slot = 0; slot < 1u << log2; slot++) {
		uint64_t mixed = (slot + 1) * 0x9e3779b97f4a7c15u;

		*world_slot(w, first + slot) = (uint16_t)(low + (mixed >> 32) % (high - low + 1));
	}
	w->t.pools[i] = (struct fwd_pool){ .slot_range = (uint64_t)first << 8 | log2,
		                           .idle_s = 300,
		                           .settle_s = 900,
		                           .remember_s = 300 };
	world_point_services(w);
}
