/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The types and macros that all headers of the forwarding code share.
 *
 * include/weir/fwd/ is freestanding: gcc, clang and clang --target=bpf compile the same text. No
 * libc, no allocation, bounded loops, every access checked against the packet's end. What differs
 * between targets is behind port.h. Any thread may run this code: what it writes to shared tables
 * (exceptions, times in cold slots) it writes by whole atomic stores, and each thread has counters
 * of its own.
 */
#ifndef WEIR_FWD_TYPES_H
#define WEIR_FWD_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FWD_INLINE static inline __attribute__((always_inline))

/**
 * A function off the common path. For BPF it is a global function: the verifier checks it once, by
 * itself, and not again at each call and on each path that leads there. So it takes and returns
 * plain numbers (Linux accepts pointers since 5.13 only), and the tables as fwd_tables_number().
 * `weak` keeps clang from using what it knows of the body at the calls, as it may drop a
 * test there that the verifier needs.
 */
#ifdef __bpf__
#define FWD_SLOW __attribute__((noinline, weak))
#else
#define FWD_SLOW static inline
#endif

/**
 * A function that is compiled for several widths of vectors; the processor's is chosen at the
 * start. Not with clang, whose choosing functions of two files clash by name, nor with sanitizers,
 * whose runtimes are not ready when the choice is made.
 */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&                \
        !defined(__SANITIZE_THREAD__)
#define FWD_WIDEST __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FWD_WIDEST __attribute__((noinline))
#endif

/** Before a short loop: for BPF its turns are written out, as counting them takes as long as they do. */
#ifdef __bpf__
#define FWD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FWD_UNROLL
#endif

#define FWD_LIKELY(x)   __builtin_expect(!!(x), 1)
#define FWD_UNLIKELY(x) __builtin_expect(!!(x), 0)

/** An address in network order; IPv4 as ::ffff:a.b.c.d, as in base/addr.h. */
union fwd_addr {
	uint8_t bytes[16];
	uint32_t words_be[4];
	uint64_t longs_be[2];
};
_Static_assert(sizeof(union fwd_addr) == 16, "an address has 16 bytes");

/** Hashes and wire words are formed by loading bytes as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian machines only");

/** A host number in network order, or back. */
#define fwd_be16(x) __builtin_bswap16(x)
#define fwd_be32(x) __builtin_bswap32(x)

/** The third word of an IPv4-mapped address, in network order. */
#define FWD_ADDR4_MARK_BE fwd_be32(0x0000ffffu)

/** Whether @p a is an IPv4 address. */
FWD_INLINE bool fwd_addr_is4(const union fwd_addr *a)
{
	return (a->longs_be[0] | (a->words_be[2] ^ FWD_ADDR4_MARK_BE)) == 0;
}

/** Whether @p a and @p b are the same address. */
FWD_INLINE bool fwd_addr_equal(const union fwd_addr *a, const union fwd_addr *b)
{
	return a->longs_be[0] == b->longs_be[0] && a->longs_be[1] == b->longs_be[1];
}

/** What a segment means to the owner of its flow. */
enum fwd_segment {
	FWD_SEGMENT_SYN,    /**< TCP: SYN set; ACK, RST, FIN clear */
	FWD_SEGMENT_TCP,    /**< TCP: any other without FIN or RST */
	FWD_SEGMENT_FIN,    /**< TCP: FIN set, RST clear */
	FWD_SEGMENT_RST,    /**< TCP: RST set */
	FWD_SEGMENT_UDP,    /**< a datagram */
	FWD_SEGMENT_QUOTED, /**< an ICMP error that quotes the flow's reply: looks, changes nothing */
};

/** A flow's packet as the owner rules see it. */
struct fwd_flow {
	uint64_t hash; /**< keyed hash over the flow: low bits choose the slot, high ones the tag */
	uint32_t seq;  /**< TCP: sequence number in host order; else 0 */
	uint8_t segment;  /**< enum fwd_segment */
	uint8_t protocol; /**< 6 or 17, of the flow (not 1 or 58 for a quoted one) */
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct fwd_flow) == 16, "no hidden padding");

#endif
