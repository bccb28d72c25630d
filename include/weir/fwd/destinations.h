/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Destinations: from an outer address to its backend. Used only for ICMP errors that come back
 * about our tunnels, never for packets that go in.
 *
 * A hash of address and mode chooses a bucket of FWD_DESTINATION_WAYS indexes. There are as many
 * buckets as backends, so a bucket is practically never full. An index is only a hint: the look-up
 * compares the backend itself. So the table may be rewritten in place, bucket by bucket; at worst an
 * error of that instant is not attributed.
 */
#ifndef WEIR_FWD_DESTINATIONS_H
#define WEIR_FWD_DESTINATIONS_H

#include "weir/fwd/services.h"

/** Buckets for @p n_backends: a power of two. */
FWD_INLINE uint32_t fwd_destination_buckets(uint32_t n_backends)
{
	uint32_t n = 1;

	while (n < n_backends)
		n <<= 1;
	return n;
}

FWD_INLINE uint32_t fwd_destination_bucket(uint32_t n_buckets, const union fwd_addr *address,
                                           uint8_t encap)
{
	return fwd_service_hash(0, address, 0, encap) & (n_buckets - 1);
}

/** Whether a tunnel of mode @p encap to @p address leads to @p b. */
FWD_INLINE bool fwd_destination_is(const struct fwd_backend *b, const union fwd_addr *address,
                                   uint8_t encap)
{
	return b->flags & FWD_BACKEND_USED && b->encap == encap &&
	       fwd_addr_equal(&b->address, address);
}

/**
 * A backend to which packets go in a tunnel of mode @p encap to @p address.
 * @return its index, or 0
 */
FWD_INLINE uint32_t fwd_destination_find(const struct fwd_tables *t, const struct fwd_root *root,
                                         const union fwd_addr *address, uint8_t encap)
{
	uint32_t n = root->n_destination_buckets;
	const struct fwd_destinations *bucket =
	        n ? fwd_port_destinations(t, fwd_destination_bucket(n, address, encap)) : NULL;

	for (uint32_t i = 0; bucket && i < FWD_DESTINATION_WAYS; i++) {
		uint32_t index = *(const volatile uint16_t *)&bucket->backend[i];
		const struct fwd_backend *b = index ? fwd_port_backend(t, index) : NULL;

		if (!b)
			break;
		if (fwd_destination_is(b, address, encap))
			return index;
	}
	return 0;
}

/**
 * Put backend @p index of @p backends into @p buckets, which nobody reads yet and which were zeroed
 * before the first one. Of several at one address the first is enough.
 * @return whether it can be found
 */
FWD_INLINE bool fwd_destination_put(struct fwd_destinations *buckets, uint32_t n_buckets,
                                    const struct fwd_backend *backends, uint32_t index)
{
	const struct fwd_backend *b = &backends[index];
	struct fwd_destinations *bucket =
	        &buckets[fwd_destination_bucket(n_buckets, &b->address, b->encap)];

	for (uint32_t i = 0; i < FWD_DESTINATION_WAYS; i++) {
		if (!bucket->backend[i]) {
			bucket->backend[i] = (uint16_t)index;
			return true;
		}
		if (fwd_destination_is(&backends[bucket->backend[i]], &b->address, b->encap))
			return true;
	}
	return false;
}

#endif
