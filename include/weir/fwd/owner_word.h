/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Exceptions as words: what a word of a bucket says of a flow, and where a flow's bucket is.
 *
 * Pure; part of weir/fwd/owner.h, which has the rules. An entry's time is the eight-second unit
 * after which it has ended, 11 bits of it, compared modulo its range.
 */
#ifndef WEIR_FWD_OWNER_WORD_H
#define WEIR_FWD_OWNER_WORD_H

#include "weir/fwd/packet.h"
#include "weir/fwd/tables.h"

#define OWNER_IDLE_MAX_S  7200u /**< longest idle time of an exception; a word can hold 8,184 s */
#define OWNER_HANDSHAKE_S 8u    /**< an embryonic entry is kept at least so long */
#define OWNER_EMBRYONIC_S 64u   /**< an embryonic entry ends after this time */
#define OWNER_CLOSING_S   120u /**< after FIN or RST an entry ends this time after its last segment */
#define OWNER_SPILL_S     8u /**< so long after a lack of room, new flows of the slot go to the base */
#define OWNER_WAYS        8u /**< words in a bucket */

/** State of an exception; 0: the word is free. */
enum owner_state {
	OWNER_FREE,
	OWNER_EMBRYONIC, /**< a SYN came, no segment that fits it yet */
	OWNER_OPEN,      /**< TCP */
	OWNER_FINISHED,  /**< TCP: FIN came; what follows still goes there */
	OWNER_RESET,     /**< TCP: RST came, perhaps forged */
	OWNER_UDP,       /**< UDP: held there by its traffic */
	OWNER_UDP_LEASE, /**< UDP: the control process ends it on a drained backend (migrate) */
};

/*
 * A word of a bucket: bits 0-14 backend, 15-17 state, 18-28 the eight-second unit after which
 * it has ended, 29-63 tag; embryonic: 29-44 the SYN's sequence number >> 16, 45-63 tag.
 */
#define OWNER_STATE_AT        15
#define OWNER_END_AT          18
#define OWNER_TAG_AT          29
#define OWNER_EMBRYONIC_AT    45
#define OWNER_END_MASK        0x7ffu
#define OWNER_UNIT_SHIFT      3
#define OWNER_TAG_MASK        0x7ffffffffull
#define OWNER_EMBRYONIC_MASK  0x7ffffull
#define OWNER_EMBRYONIC_UNITS (OWNER_EMBRYONIC_S >> OWNER_UNIT_SHIFT)

/*
 * What an embryonic entry may have left to be evicted. The unit in which it began may have been
 * nearly over, so one unit more than OWNER_HANDSHAKE_S must have gone by.
 */
#define OWNER_EVICTABLE_UNITS                                                                      \
	(OWNER_EMBRYONIC_UNITS - ((OWNER_HANDSHAKE_S >> OWNER_UNIT_SHIFT) + 1))

/* Whole loads and stores that the compiler neither splits nor repeats. */
#define OWNER_LOAD(type, at)         (*(const volatile type *)(at))
#define OWNER_STORE(type, at, value) (*(volatile type *)(at) = (value))

/** The slot, of @p n_slots (a power of two), of a flow or source with @p hash. */
FWD_INLINE uint32_t owner_slot(uint64_t hash, uint32_t n_slots)
{
	return (uint32_t)hash & (n_slots - 1);
}

/** The bucket, of @p n_buckets (a power of two), of a flow: by other bits than its slot. */
FWD_INLINE uint32_t owner_bucket(uint64_t hash, uint32_t n_buckets)
{
	return (uint32_t)(hash >> 20) & (n_buckets - 1);
}

/** 35 bits of a flow's hash: those above the bucket's, then the slot's. */
FWD_INLINE uint64_t owner_tag(uint64_t hash)
{
	return (hash >> 44 | hash << 20) & OWNER_TAG_MASK;
}

FWD_INLINE uint16_t owner_word_backend(uint64_t word)
{
	return (uint16_t)(word & FWD_SLOT_BACKEND);
}

FWD_INLINE uint32_t owner_word_state(uint64_t word)
{
	return (uint32_t)(word >> OWNER_STATE_AT) & 7;
}

FWD_INLINE uint32_t owner_word_end(uint64_t word)
{
	return (uint32_t)(word >> OWNER_END_AT) & OWNER_END_MASK;
}

/** How many eight-second units @p word has left; over half of the range: it has ended. */
FWD_INLINE uint32_t owner_word_left(uint64_t word, uint32_t now_s)
{
	return (owner_word_end(word) - (now_s >> OWNER_UNIT_SHIFT)) & OWNER_END_MASK;
}

/** Whether @p word holds a flow that has not ended. */
FWD_INLINE bool owner_word_lives(uint64_t word, uint32_t now_s)
{
	return word != 0 && owner_word_left(word, now_s) <= OWNER_END_MASK / 2;
}

/** The unit after which an entry last used now ends: at least @p idle_s from now. */
FWD_INLINE uint64_t owner_end(uint32_t now_s, uint32_t idle_s)
{
	uint32_t idle = idle_s < OWNER_IDLE_MAX_S ? idle_s : OWNER_IDLE_MAX_S;

	return ((now_s >> OWNER_UNIT_SHIFT) + ((idle + 7) >> OWNER_UNIT_SHIFT)) & OWNER_END_MASK;
}

FWD_INLINE uint64_t owner_word(uint16_t backend, uint32_t state, uint64_t end, uint64_t tag)
{
	return (backend & FWD_SLOT_BACKEND) | (uint64_t)state << OWNER_STATE_AT |
	       end << OWNER_END_AT | tag << OWNER_TAG_AT;
}

/** An embryonic entry's tag: of the flow, and of the SYN. */
FWD_INLINE uint64_t owner_embryonic_tag(uint64_t hash, uint32_t seq)
{
	return seq >> 16 | (owner_tag(hash) & OWNER_EMBRYONIC_MASK) << 16;
}

/**
 * Whether a segment fits an embryonic entry's SYN: it begins at most some 128 KiB behind
 * it (a first window of 64 KiB without scale, RFC 7323 2.2, and data of the SYN itself).
 */
FWD_INLINE bool owner_embryonic_fits(uint64_t word, const struct fwd_flow *f)
{
	uint32_t ahead = ((f->seq >> 16) - (uint32_t)(word >> OWNER_TAG_AT)) & 0xffff;

	return word >> OWNER_EMBRYONIC_AT == (owner_tag(f->hash) & OWNER_EMBRYONIC_MASK) &&
	       (f->segment == FWD_SEGMENT_SYN ? ahead == 0 : ahead <= 2);
}

/**
 * @p way, laundered for the BPF verifier (packet.h): else it would follow each of the OWNER_WAYS
 * ways through all that comes after. @p any is a number that the verifier does not know.
 */
FWD_INLINE uint32_t owner_launder(uint32_t way, uint64_t any)
{
	way ^= (uint32_t)any;
	__asm__("" : "+r"(way));
	return (way ^ (uint32_t)any) & (2 * OWNER_WAYS - 1);
}

/**
 * @p way, with its bound where the verifier sees it. It is laundered first: clang leaves out the mask of
 * what it knows to be small, and Linux 5.10 forgets what it knows of a u32 that was kept on the stack.
 */
FWD_INLINE uint32_t owner_bounded(uint32_t way)
{
	FWD_LAUNDER(way);
	return way & (OWNER_WAYS - 1);
}

#endif
