/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Packets: headers on the wire, a cursor that never leaves the frame, and checksums.
 *
 * Fields named _be are in network order. What differs between targets in touching a packet
 * is here and nowhere else:
 *
 * - How two packet pointers are compared. The verifier understands only `p + n <= end`; in user
 *   space that sum may leave the object.
 * - How fields of four and eight bytes are aligned. Behind an Ethernet header they are aligned to
 *   two. A BPF target on a machine with unaligned loads claims eight, so that clang stores a
 *   field whole instead of in halves.
 *
 * What the code does for the BPF verifier, and why:
 *
 * The verifier follows every path of a program. For each register it knows a type and bounds, and
 * it skips the rest of a path if it has been there with the same or weaker knowledge. Correct code
 * is refused when clang has hidden a test from the verifier, or when paths with different knowledge
 * are too many (the limit is 1,000,000 instructions). The remedy is an empty assembly statement
 * that claims to change its operand. It costs no instruction, but clang must forget what it knows
 * of the value; this is called *laundering*. The kernel has OPTIMIZER_HIDE_VAR()
 * (linux/compiler.h), libbpf has barrier_var() (bpf_helpers.h): both are `asm("" : "+r"(value))` in
 * effect, the second one volatile. Ours are:
 *
 * - FWD_LAUNDER(pointer) is barrier_var(). clang merges two tests of one pointer into the weaker
 *   one, or moves a test, and then the verifier misses a bound. Laundered in between, the pointer
 *   is another value to clang, so both tests stay. In decap_fits() (decap.h) the same statement
 *   keeps clang from rewriting `p + n <= end` as `p <= end - n`, which the verifier refuses.
 * - FWD_LAUNDER_OBJECT(object) launders an object in memory: clang must store it there and load it
 *   again. Otherwise clang copies the code behind a branch into each arm, specialised by what that
 *   arm knows of the object, and the verifier has to check each copy.
 * - fwd_launder_words() and owner_launder() (owner_word.h) make the verifier forget. The assembly alone
 *   cannot, because it leaves no instruction to look at. So the value is XORed with a number that
 *   the verifier does not know, laundered so that clang does not cancel the two XORs, and XORed
 *   back. The value is the same. To the verifier it is any number, so paths that differ only in it
 *   become one path from there on.
 * - A mask before an offset or index (FWD_OFF_MASK, owner_bounded()) changes no value that
 *   occurs. It tells the verifier a bound that it could not derive, or has just forgotten.
 * - FWD_SLOW (types.h): a function that is checked once instead of at each call.
 */
#ifndef WEIR_FWD_PACKET_H
#define WEIR_FWD_PACKET_H

#include "weir/fwd/types.h"

#ifdef __bpf__
#define FWD_FITS(at, n, end) ((at) + (n) <= (end))
#define FWD_WIRE             __attribute__((packed, aligned(8)))
#else
#define FWD_FITS(at, n, end) ((end) - (at) >= (ptrdiff_t)(n))
#define FWD_WIRE             __attribute__((packed, aligned(2)))
#endif

/** Keep clang from merging the tests of @p pointer before and after this; see above. */
#ifdef __bpf__
#define FWD_LAUNDER(pointer) __asm__ volatile("" : "+r"(pointer))
#else
#define FWD_LAUNDER(pointer) ((void)(pointer))
#endif

/** Keep clang from specialising what follows by what a branch knows of @p object; see above. */
#define FWD_LAUNDER_OBJECT(object) __asm__ volatile("" : "+m"(object))

/**
 * Keep the @p n words at @p at as they are, but make the verifier forget what it knows of them; see
 * above. @p any is a number that the verifier does not know, such as a word from a table.
 */
FWD_INLINE void fwd_launder_words(uint64_t *at, uint32_t n, uint64_t any)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t word = at[i] ^ any;

		__asm__("" : "+r"(word));
		at[i] = word ^ any;
	}
}

#define FWD_ETH_LEN  14u
#define FWD_VLAN_LEN 4u
#define FWD_IP4_LEN  20u
#define FWD_IP6_LEN  40u
#define FWD_UDP_LEN  8u
#define FWD_TCP_LEN  20u
#define FWD_ICMP_LEN 8u
#define FWD_GUE_LEN  4u

#define FWD_ETHERTYPE_IP4  0x0800u
#define FWD_ETHERTYPE_IP6  0x86ddu
#define FWD_ETHERTYPE_VLAN 0x8100u
#define FWD_ETHERTYPE_QINQ 0x88a8u

enum fwd_protocol {
	FWD_PROTO_HOP_BY_HOP = 0,
	FWD_PROTO_ICMP = 1,
	FWD_PROTO_IP4 = 4,
	FWD_PROTO_TCP = 6,
	FWD_PROTO_UDP = 17,
	FWD_PROTO_IP6 = 41,
	FWD_PROTO_ROUTING = 43,
	FWD_PROTO_FRAGMENT = 44,
	FWD_PROTO_ICMP6 = 58,
	FWD_PROTO_DESTINATION = 60,
};

struct fwd_eth {
	uint16_t to[3];
	uint16_t from[3];
	uint16_t type_be;
} __attribute__((packed, aligned(2)));

/** Both addresses of an Ethernet header, to be copied by few stores. */
struct fwd_macs {
	uint64_t first;
	uint32_t second;
} FWD_WIRE;

struct fwd_vlan {
	uint16_t tag_be;
	uint16_t type_be;
} __attribute__((packed, aligned(2)));

struct fwd_ip4 {
	uint8_t version_ihl;
	uint8_t tos;
	uint16_t len_be;
	uint16_t id_be;
	uint16_t fragment_be; /**< flags and offset */
	uint8_t ttl;
	uint8_t protocol;
	uint16_t sum;
	uint32_t src_be;
	uint32_t dst_be;
} FWD_WIRE;

/** The same, to be written by few stores. */
struct fwd_ip4_words {
	uint64_t first;  /**< version_ihl, tos, len_be, id_be, fragment_be */
	uint64_t second; /**< ttl, protocol, sum, src_be */
	uint32_t dst_be;
} FWD_WIRE;

/** What names a flow, from fwd_ip4.src_be of a header without options on, to be read by two loads. */
struct fwd_ip4_flow {
	uint64_t addresses; /**< the source's in the lower half */
	uint32_t ports;     /**< likewise */
} FWD_WIRE;

struct fwd_ip6 {
	uint32_t version_class_flow_be;
	uint16_t len_be; /**< of what follows this header */
	uint8_t next;
	uint8_t hop_limit;
	uint64_t src_be[2];
	uint64_t dst_be[2];
} FWD_WIRE;

/** The same, to be written by few stores. */
struct fwd_ip6_words {
	uint64_t first; /**< version_class_flow_be, len_be, next, hop_limit */
	uint64_t src_be[2];
	uint64_t dst_be[2];
} FWD_WIRE;

struct fwd_ip6_extension {
	uint8_t next;
	uint8_t len8; /**< in units of 8 bytes, the first not counted */
	uint8_t routing_type;
	uint8_t segments_left;
	uint32_t type_data; /**< by routing type: reserved, or the last entry and flags */
} FWD_WIRE;

struct fwd_ip6_fragment {
	uint8_t next;
	uint8_t reserved;
	uint16_t offset_be; /**< offset and, in the last bit, 'more fragments' */
	uint32_t id_be;
} FWD_WIRE;

struct fwd_tcp {
	uint16_t sport_be;
	uint16_t dport_be;
	uint32_t seq_be;
	uint32_t ack_be;
	uint8_t offset; /**< header's length in 32-bit words, in the upper half */
	uint8_t flags;
	uint16_t window_be;
	uint16_t sum;
	uint16_t urgent_be;
} FWD_WIRE;

#define FWD_TCP_FIN 0x01u
#define FWD_TCP_SYN 0x02u
#define FWD_TCP_RST 0x04u
#define FWD_TCP_ACK 0x10u

/** The ports with which both TCP and UDP begin, in one load. */
struct fwd_ports {
	uint32_t both_be; /**< the source's in the lower half */
} FWD_WIRE;

struct fwd_udp {
	uint16_t sport_be;
	uint16_t dport_be;
	uint16_t len_be;
	uint16_t sum;
} FWD_WIRE;

struct fwd_icmp {
	uint8_t type;
	uint8_t code;
	uint16_t sum;
	uint32_t type_data_be; /**< by type: an MTU, a pointer, or identifier and sequence number */
} FWD_WIRE;

/** Generic UDP Encapsulation, variant 0 (draft-ietf-intarea-gue, section 3.2). */
struct fwd_gue {
	uint8_t version_len; /**< variant, control bit, length of options in words */
	uint8_t protocol;    /**< of what is carried */
	uint16_t flags_be;
} FWD_WIRE;

/** An address in a frame; IPv4: the first word. */
struct fwd_address_words {
	uint32_t w[4];
} FWD_WIRE;

_Static_assert(__builtin_offsetof(struct fwd_ip4, dst_be) == 16, "RFC 791");
_Static_assert(__builtin_offsetof(struct fwd_ip6, dst_be) == 24, "RFC 8200");
_Static_assert(__builtin_offsetof(struct fwd_tcp, urgent_be) == 18, "RFC 9293");

/** Length of an IP header without options or extension headers. */
FWD_INLINE uint32_t fwd_ip_len(bool is4)
{
	return is4 ? FWD_IP4_LEN : FWD_IP6_LEN;
}

/** The EtherType of a family. */
FWD_INLINE uint16_t fwd_ethertype_be(bool is4)
{
	return is4 ? fwd_be16(FWD_ETHERTYPE_IP4) : fwd_be16(FWD_ETHERTYPE_IP6);
}

/** The words of the flow of the packet at @p ip. */
FWD_INLINE const struct fwd_ip4_flow *fwd_ip4_flow(const uint8_t *ip)
{
	return (const void *)(ip + __builtin_offsetof(struct fwd_ip4, src_be));
}

/** A frame from its Ethernet header on. */
struct fwd_packet {
	uint8_t *data, *end;
	void *room; /**< the target's: XDP's context; in user space the headroom's start */
};

/** A place in a frame. */
struct fwd_cursor {
	uint8_t *at, *end;
};

/** Bound for the verifier: no header begins at a larger offset from the cursor. */
#define FWD_OFF_MASK 0x3fffu

/** @p at if @p n bytes from there on lie in the frame, else NULL. */
FWD_INLINE void *fwd_fit(uint8_t *at, uint32_t n, const uint8_t *end)
{
	if (FWD_UNLIKELY(!FWD_FITS(at, n, end)))
		return NULL;
	if (!at)
		__builtin_unreachable(); /* the caller's test for NULL costs nothing then */
	return at;
}

/** The @p n bytes @p off bytes on. @return where they are, or NULL: the frame ends before */
FWD_INLINE void *fwd_look(const struct fwd_cursor *c, uint32_t off, uint32_t n)
{
	return fwd_fit(c->at + (off & FWD_OFF_MASK), n, c->end);
}

/** Take the next @p n bytes. @return as fwd_look() */
FWD_INLINE void *fwd_pull(struct fwd_cursor *c, uint32_t n)
{
	uint8_t *at = fwd_fit(c->at, n, c->end);

	if (at)
		c->at = at + n;
	return at;
}

/** The @p n bytes at @p off of a frame, or NULL. */
FWD_INLINE void *fwd_packet_at(const struct fwd_packet *p, uint32_t off, uint32_t n)
{
	struct fwd_cursor c = { p->data, p->end };

	return fwd_look(&c, off, n);
}

/**
 * Fold a sum of 16-bit words to 16 bits (RFC 1071). The sum is below 2^48: so the first step
 * leaves less than 2^32 + 2^16, the second at most 0x1fffe, and the third needs no other.
 */
FWD_INLINE uint16_t fwd_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/** Change one 16-bit word under a checksum (RFC 1624, equation 3). @return the new checksum */
FWD_INLINE uint16_t fwd_sum_change(uint16_t sum, uint16_t before, uint16_t after)
{
	return (uint16_t)~fwd_sum_fold((uint64_t)(uint16_t)~sum + (uint16_t)~before + after);
}

/** The checksum of an IPv4 header without options, its own field taken as 0. */
FWD_INLINE uint16_t fwd_sum_ip4(const struct fwd_ip4 *ip)
{
	const struct fwd_words {
		uint32_t w[5];
	} FWD_WIRE *h = (const void *)ip;

	return (uint16_t)~fwd_sum_fold((uint64_t)h->w[0] + h->w[1] + (h->w[2] & 0xffff) + h->w[3] +
	                               h->w[4]);
}

/** Eight bytes of a packet. */
struct fwd_long {
	uint64_t bytes;
} FWD_WIRE;

/** How far fwd_is_zero() looks, in eight bytes. */
#define FWD_ZERO_LONGS 512u

/**
 * Whether the @p len bytes at @p off of a frame are all zero; of more than 4 KiB, the first ones.
 */
FWD_INLINE bool fwd_is_zero(const struct fwd_packet *p, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < FWD_ZERO_LONGS && len >= 8; i++, off += 8, len -= 8) {
		const struct fwd_long *l = fwd_packet_at(p, off, 8);

		if (!l || l->bytes)
			return false;
	}
	for (uint32_t i = 0; i < 7 && len > 0; i++, off++, len--) {
		const uint8_t *byte = fwd_packet_at(p, off, 1);

		if (!byte || *byte)
			return false;
	}
	return true;
}

/** What a TCP segment with these flags is. @return enum fwd_segment */
FWD_INLINE uint8_t fwd_tcp_segment(uint8_t flags)
{
	if (flags & FWD_TCP_RST)
		return FWD_SEGMENT_RST;
	if (flags & FWD_TCP_FIN)
		return FWD_SEGMENT_FIN;
	return (flags & (FWD_TCP_SYN | FWD_TCP_ACK)) == FWD_TCP_SYN ? FWD_SEGMENT_SYN
	                                                            : FWD_SEGMENT_TCP;
}

/** Whether a TCP segment with these flags begins a flow; of UDP they are 0. */
FWD_INLINE bool fwd_tcp_is_new(uint8_t flags)
{
	return (flags & (FWD_TCP_SYN | FWD_TCP_ACK | FWD_TCP_RST | FWD_TCP_FIN)) == FWD_TCP_SYN;
}

/** Make an IPv4 address from its word in network order. */
FWD_INLINE void fwd_addr_from4(union fwd_addr *a, uint32_t word_be)
{
	a->longs_be[0] = 0;
	a->longs_be[1] = FWD_ADDR4_MARK_BE | (uint64_t)word_be << 32;
}

#endif
