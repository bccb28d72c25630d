/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Fragments follow their first one.
 *
 * Only a datagram's first fragment has ports. When it is forwarded, its backend is remembered
 * under what all of its fragments share: both addresses, the identification and, for IPv4,
 * the protocol (RFC 791, 8200). The others go to that backend for FWD_FRAGMENT_LIFE_S. A fragment
 * that comes before its first one, or whose first one was not forwarded, is dropped with a
 * reason of its own. None is ever held, so an attacker cannot fill a queue (RFC 8900).
 * Identifications repeat soon (RFC 4963, 7739): the next first fragment overwrites an entry.
 *
 * A keyed hash chooses a bucket of FWD_FRAGMENT_WAYS entries; a full one loses its oldest. So a flood
 * of first fragments, each of them a packet to a living service, can only shorten the life of other
 * datagrams' entries. An entry is two words, written one after the other, each with bits of the
 * tag: if its halves are of two datagrams, it matches neither, except by chance. An entry ends long
 * before its backend's index is given to another backend.
 */
#ifndef WEIR_FWD_FRAGMENTS_H
#define WEIR_FWD_FRAGMENTS_H

#include "weir/fwd/owner_word.h"
#include "weir/fwd/parse.h"
#include "weir/fwd/port.h"

/**
 * How long later fragments follow, seconds: they come right behind the first one, or hardly at all.
 */
#define FWD_FRAGMENT_LIFE_S 5u

/** A backend, and its service's counter: fwd_fragment.where without its tag. */
#define FWD_FRAGMENT_COUNT_AT 15u
#define FWD_FRAGMENT_TAG_AT   47u
#define FWD_FRAGMENT_WHERE    ((1ull << FWD_FRAGMENT_TAG_AT) - 1)

FWD_INLINE uint64_t fwd_fragment_where(uint32_t backend, uint32_t count)
{
	return backend | (uint64_t)count << FWD_FRAGMENT_COUNT_AT;
}

/** The hash over what all fragments of a datagram share. */
FWD_INLINE uint64_t fwd_hash_fragment(const uint64_t key[2], const struct fwd_parsed *p)
{
	struct fwd_tuple shared = {
		.src = p->flow.src,
		.dst = p->flow.dst,
		.sport_be = (uint16_t)p->fragment_id,
		.dport_be = (uint16_t)(p->fragment_id >> 16),
		.protocol = p->is4 ? p->flow.protocol : FWD_PROTO_FRAGMENT,
	};

	return fwd_hash_flow(key, &shared, p->is4);
}

/** The first word of an entry; the time is given as it is compared, modulo 2^32. */
FWD_INLINE uint64_t fwd_fragment_when(uint64_t hash, uint32_t now_s)
{
	return (hash & ~0xffffffffull) | now_s;
}

/** Tag bits of the second word: lower ones than the first's, and other ones than the bucket's. */
FWD_INLINE uint64_t fwd_fragment_tag(uint64_t hash)
{
	return hash >> 15 << FWD_FRAGMENT_TAG_AT;
}

FWD_INLINE struct fwd_fragments *fwd_fragment_bucket(const struct fwd_tables *t,
                                                     const struct fwd_root *root, uint64_t hash)
{
	uint32_t n = root->n_fragment_buckets;

	return n ? fwd_port_fragments(t, (uint32_t)hash & (n - 1)) : NULL;
}

/** How long ago @p e was made; UINT32_MAX if it never was. */
FWD_INLINE uint32_t fwd_fragment_age(const struct fwd_fragment *e, uint32_t now_s)
{
	return OWNER_LOAD(uint64_t, &e->where) ? now_s - (uint32_t)OWNER_LOAD(uint64_t, &e->when)
	                                       : UINT32_MAX;
}

/** Whether @p e is of the datagram of @p hash. */
FWD_INLINE bool fwd_fragment_is(const struct fwd_fragment *e, uint64_t hash)
{
	return (OWNER_LOAD(uint64_t, &e->when) ^ hash) >> 32 == 0 &&
	       (OWNER_LOAD(uint64_t, &e->where) & ~FWD_FRAGMENT_WHERE) == fwd_fragment_tag(hash);
}

/** The way for @p hash: where it is, else the oldest. */
FWD_INLINE uint32_t fwd_fragment_way(const struct fwd_fragments *bucket, uint64_t hash,
                                     uint32_t now_s)
{
	uint32_t oldest = 0, age = 0;

	for (uint32_t i = 0; i < FWD_FRAGMENT_WAYS; i++) {
		uint32_t a = fwd_fragment_age(&bucket->way[i], now_s);

		if (fwd_fragment_is(&bucket->way[i], hash))
			return i;
		if (a > age) {
			oldest = i;
			age = a;
		}
	}
	return oldest;
}

/** Remember @p where under @p hash. @return whether a living entry of another was lost */
FWD_SLOW uint32_t fwd_fragment_remember(uint64_t tables, uint64_t hash, uint64_t where)
{
	const struct fwd_tables *t = fwd_tables_of(tables);
	const struct fwd_root *root = fwd_port_root(t);
	struct fwd_fragments *bucket = root ? fwd_fragment_bucket(t, root, hash) : NULL;
	struct fwd_fragment *e;
	uint32_t now_s;
	bool loses;

	if (!bucket)
		return 0;
	now_s = fwd_port_now_s(t, root);
	e = &bucket->way[fwd_fragment_way(bucket, hash, now_s) & (FWD_FRAGMENT_WAYS - 1)];
	loses = fwd_fragment_age(e, now_s) <= FWD_FRAGMENT_LIFE_S && !fwd_fragment_is(e, hash);
	OWNER_STORE(uint64_t, &e->when, fwd_fragment_when(hash, now_s));
	OWNER_STORE(uint64_t, &e->where, where | fwd_fragment_tag(hash));
	return loses;
}

/** What was remembered under @p hash, if it lives. @return as given, or 0 */
FWD_SLOW uint64_t fwd_fragment_find(uint64_t tables, uint64_t hash)
{
	const struct fwd_tables *t = fwd_tables_of(tables);
	const struct fwd_root *root = fwd_port_root(t);
	const struct fwd_fragments *bucket = root ? fwd_fragment_bucket(t, root, hash) : NULL;
	uint32_t now_s;

	if (!bucket)
		return 0;
	now_s = fwd_port_now_s(t, root);
	for (uint32_t i = 0; i < FWD_FRAGMENT_WAYS; i++)
		if (fwd_fragment_is(&bucket->way[i], hash) &&
		    fwd_fragment_age(&bucket->way[i], now_s) <= FWD_FRAGMENT_LIFE_S)
			return OWNER_LOAD(uint64_t, &bucket->way[i].where) & FWD_FRAGMENT_WHERE;
	return 0;
}

#endif
