/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The services' hash: look-up for the packet path, insertion for the code that builds a half.
 *
 * Open addressing with linear probing over a power of two of entries. Nothing is ever removed: all
 * entries are built again in the spare half, which must be out of use for a grace period. The
 * builder tries seeds until every entry is within FWD_SERVICE_PROBES of its hash's position; in a table
 * that is half full one of the first few seeds will do, unless there are many thousands of entries.
 *
 * Whether an address is a VIP is mostly answered by a small filter in root, without touching the
 * table; each half has its own filter.
 */
#ifndef WEIR_FWD_SERVICES_H
#define WEIR_FWD_SERVICES_H

#include "weir/fwd/port.h"

/** Mix a VIP, port and protocol; not keyed: an operator picks the entries, not a client. */
FWD_INLINE uint32_t fwd_service_hash(uint32_t seed, const union fwd_addr *vip, uint16_t port_be,
                                     uint8_t protocol)
{
	uint64_t h = vip->longs_be[1] ^ (vip->longs_be[0] * 0xd6e8feb86659fd93u);

	h ^= ((uint64_t)port_be << 24 | (uint64_t)protocol << 16) ^ seed;
	h *= 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return (uint32_t)(h >> 32);
}

/** The range of a pool's slots, as its services name it; of one moment, while it may be moved. */
FWD_INLINE uint32_t fwd_pool_range(const struct fwd_pool *p)
{
	uint64_t range = *(const volatile uint64_t *)&p->slot_range;

	return (range >> 8 & FWD_RANGE_FIRST) | (range & FWD_RANGE_LOG2) |
	       (p->flags & FWD_POOL_AGENTS ? FWD_RANGE_LISTED : 0);
}

/**
 * The bit of an address in a filter of VIPs: cheap, for each packet's source is asked. The highest bits of the product
 * depend on all of the address; an IPv4 address is the upper half of its word.
 */
FWD_INLINE uint32_t fwd_filter_bit(const union fwd_addr *a)
{
	uint64_t h = (a->longs_be[0] ^ a->longs_be[1]) * 0x9e3779b97f4a7c15u;

	_Static_assert(FWD_FILTER_WORDS * 64 == 1 << 10, "as many bits as are left");
	return (uint32_t)(h >> 54);
}

/** What fwd_service.what holds of a used entry, all flags but FWD_SERVICE_USED left out. */
FWD_INLINE uint32_t fwd_service_what(uint16_t port_be, uint8_t protocol)
{
	return port_be | (uint32_t)protocol << 16 | FWD_SERVICE_USED << 24;
}

/** Whether @p e is the entry, which is used, of this VIP, port and protocol. */
FWD_INLINE bool fwd_service_is(const struct fwd_service *e, const union fwd_addr *vip,
                               uint16_t port_be, uint8_t protocol)
{
	return (e->what & fwd_service_what(0xffff, 0xff)) == fwd_service_what(port_be, protocol) &&
	       fwd_addr_equal(&e->vip, vip);
}

/**
 * Find a service, or with port and protocol 0 the VIP itself.
 *
 * @return the entry in the half in force, or NULL
 */
FWD_INLINE const struct fwd_service *fwd_service_find(const struct fwd_tables *t,
                                                      const struct fwd_root *root,
                                                      const union fwd_addr *vip, uint16_t port_be,
                                                      uint8_t protocol)
{
	uint32_t half = root->active & 1;
	uint32_t mask = root->n_services - 1;
	uint32_t at = fwd_service_hash(root->service_seed[half], vip, port_be, protocol);
	const struct fwd_service *e = fwd_port_service(t, half * root->n_services + (at & mask));

	if (!e || FWD_LIKELY(fwd_service_is(e, vip, port_be, protocol)))
		return e;
	for (uint32_t probe = 1; probe < FWD_SERVICE_PROBES; probe++) {
		if (!(e->flags & FWD_SERVICE_USED))
			return NULL;
		e = fwd_port_service(t, half * root->n_services + ((at + probe) & mask));
		if (!e || fwd_service_is(e, vip, port_be, protocol))
			return e;
	}
	return NULL;
}

/** Whether the table has the address of @p first and @p second (fwd_addr.longs_be) as a VIP. */
FWD_SLOW int fwd_vip_find(uint64_t tables, uint64_t first, uint64_t second)
{
	const struct fwd_tables *t = fwd_tables_of(tables);
	const struct fwd_root *root = fwd_port_root(t);
	union fwd_addr a = { .longs_be = { first, second } };

	return root && fwd_service_find(t, root, &a, 0, 0) != NULL;
}

/** Whether @p a is a VIP of the half in force. */
FWD_INLINE bool fwd_is_vip(const struct fwd_tables *t, const struct fwd_root *root,
                           const union fwd_addr *a)
{
	uint32_t bit = fwd_filter_bit(a);

	if (FWD_LIKELY(!(root->vip_filter[root->active & 1][bit / 64] >> bit % 64 & 1)))
		return false;
	return fwd_vip_find(fwd_tables_number(t), a->longs_be[0], a->longs_be[1]);
}

/**
 * Put @p entry into a half that nobody reads.
 *
 * @param half    its entries, [n]; zeroed before the first one
 * @param n       power of two
 * @param seed    root.service_seed of this half
 * @param filter  root.vip_filter of this half; a VIP's own entry is marked in it
 * @return its place, or -1: no place within FWD_SERVICE_PROBES (try another seed), or it
 *         is there already
 */
FWD_INLINE int32_t fwd_service_put(struct fwd_service *half, uint32_t n, uint32_t seed,
                                   uint64_t filter[FWD_FILTER_WORDS],
                                   const struct fwd_service *entry)
{
	uint32_t at = fwd_service_hash(seed, &entry->vip, entry->port_be, entry->protocol);
	uint32_t bit = fwd_filter_bit(&entry->vip);

	for (uint32_t probe = 0; probe < FWD_SERVICE_PROBES; probe++) {
		uint32_t i = (at + probe) & (n - 1);

		if (half[i].flags & FWD_SERVICE_USED) {
			if (fwd_service_is(&half[i], &entry->vip, entry->port_be, entry->protocol))
				return -1;
			continue;
		}
		half[i] = *entry;
		half[i].flags |= FWD_SERVICE_USED;
		if (!entry->protocol)
			filter[bit / 64] |= 1ull << bit % 64;
		return (int32_t)i;
	}
	return -1;
}

#endif
