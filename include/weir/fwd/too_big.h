/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A packet that does not fit in its tunnel is answered: its sender learns what fits.
 *
 * RFC 792 and 1191 (unreachable, fragmentation needed), RFC 4443 and 8201 (packet too big). The
 * answer comes from the VIP. It quotes as much of the packet as still passes everywhere (576 bytes
 * in all by RFC 1812, 1,280 by RFC 4443, in whole words), and names the MTU that holds for all
 * packets of the backend. IPv4 packets without DF are answered as well: they are not fragmented
 * here, and their sender can. There is no answer
 * - to an ICMP error, or to a later fragment of IPv4 (RFC 1122);
 * - to a frame or address of many (RFC 4443, 2.4);
 * - with an MTU that the sender may not accept (RFC 791, 8201).
 *
 * A CPU answers at most root.answers_per_s times a second: a bucket of that size, which is filled
 * again in each second of the coarse clock.
 */
#ifndef WEIR_FWD_TOO_BIG_H
#define WEIR_FWD_TOO_BIG_H

#include "weir/fwd/parse.h"
#include "weir/fwd/port.h"

/** The longest answer, bytes of IP, see above. */
#define FWD_ANSWER4_LEN 576u
#define FWD_ANSWER6_LEN 1280u
/** The smallest MTU that a sender accepts. */
#define FWD_MTU4_MIN 68u
#define FWD_MTU6_MIN 1280u

#define FWD_ETH_MAX        (FWD_ETH_LEN + 2 * FWD_VLAN_LEN)
#define FWD_ANSWER_TTL     64u
#define FWD_ANSWER_TOS     0xc0u /**< internetwork control (RFC 1812, 4.3.2.5) */
#define FWD_ANSWER_WORDS   ((FWD_ANSWER6_LEN - FWD_IP6_LEN) / 4)
#define FWD_ANSWER4_KIND   fwd_be32(3u << 24 | 4u << 16)
#define FWD_ANSWER6_KIND   fwd_be32(2u << 24)
#define FWD_ANSWER4_HEADER (FWD_IP4_LEN + FWD_ICMP_LEN)
#define FWD_ANSWER6_HEADER (FWD_IP6_LEN + FWD_ICMP_LEN)

/** Take one of this second's answers. @return whether there was one left */
FWD_INLINE bool fwd_spend_answer(const struct fwd_root *root, struct fwd_cpu *cpu, uint32_t now_s)
{
	if (cpu->answers_s != now_s) {
		cpu->answers_s = now_s;
		cpu->answers_left = root->answers_per_s;
	}
	if (!cpu->answers_left)
		return false;
	cpu->answers_left--;
	return true;
}

/**
 * Whether @p a, no martian, is an address that one host can have. IPv6 has clients in ::/8, too: an
 * IPv4 host behind a translator is one of 64:ff9b::/96 (RFC 6052).
 */
FWD_INLINE bool fwd_is_single(const union fwd_addr *a, bool is4)
{
	uint8_t first = is4 ? a->bytes[12] : a->bytes[0];

	if (is4)
		return first != 0 && first != 127 && first < 224;
	return first != 0xff;
}

/** Decide on a packet that is longer than @p inner_mtu. */
FWD_INLINE enum fwd_reason fwd_too_big(const struct fwd_tables *t, const struct fwd_root *root,
                                       const struct fwd_parsed *p, uint32_t inner_mtu)
{
	struct fwd_cpu *cpu = fwd_port_cpu(t);

	if (p->request == FWD_REQUEST_ERROR || (p->request == FWD_REQUEST_FRAGMENT && p->is4) ||
	    !fwd_is_single(&p->flow.src, p->is4) || !cpu ||
	    inner_mtu < (p->is4 ? FWD_MTU4_MIN : FWD_MTU6_MIN))
		return FWD_REASON_TOO_BIG;
	return fwd_spend_answer(root, cpu, fwd_port_now_s(t, root)) ? FWD_REASON_TOO_BIG_ANSWERED
	                                                            : FWD_REASON_TOO_BIG_UNANSWERED;
}

/** Four bytes of a packet; its size says more for a target that aligns it to eight. */
struct fwd_word {
	uint32_t word;
} FWD_WIRE;

/** The sum of the @p n_words from @p c on. */
FWD_INLINE uint64_t fwd_answer_sum(struct fwd_cursor c, uint32_t n_words)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < FWD_ANSWER_WORDS && i < n_words; i++) {
		const struct fwd_word *w = fwd_pull(&c, 4);

		if (!w)
			break;
		sum += w->word;
	}
	return sum;
}

/** The Ethernet header turned round, with its tags: from @p by bytes on to the front. */
FWD_INLINE void fwd_answer_eth(uint8_t *at, uint32_t by)
{
	const struct fwd_eth *from = (const void *)(at + by);
	const struct fwd_vlan *tags_from = (const void *)(at + by + FWD_ETH_LEN);
	struct fwd_eth *to = (void *)at;
	struct fwd_vlan *tags_to = (void *)(at + FWD_ETH_LEN);

	for (uint32_t i = 0; i < 3; i++) {
		to->to[i] = from->from[i];
		to->from[i] = from->to[i];
	}
	to->type_be = from->type_be;
	tags_to[0] = tags_from[0]; /* overwritten where there are none */
	tags_to[1] = tags_from[1];
}

/**
 * Both headers of a fragmentation needed before the quoted packet at @p l3 + FWD_ANSWER4_HEADER.
 */
FWD_INLINE void fwd_answer_write4(uint8_t *l3, uint32_t quoted_len, uint32_t mtu,
                                  uint64_t quoted_sum)
{
	const struct fwd_ip4 *quoted = (const void *)(l3 + FWD_ANSWER4_HEADER);
	uint32_t src_be = quoted->dst_be, dst_be = quoted->src_be;
	struct fwd_ip4 *ip = (void *)l3;
	struct fwd_icmp *icmp = (void *)(l3 + FWD_IP4_LEN);

	ip->version_ihl = 0x45;
	ip->tos = FWD_ANSWER_TOS;
	ip->len_be = fwd_be16((uint16_t)(FWD_ANSWER4_HEADER + quoted_len));
	ip->id_be = 0;
	ip->fragment_be = fwd_be16(0x4000);
	ip->ttl = FWD_ANSWER_TTL;
	ip->protocol = FWD_PROTO_ICMP;
	ip->sum = 0;
	ip->src_be = src_be;
	ip->dst_be = dst_be;
	ip->sum = fwd_sum_ip4(ip);
	icmp->type = 3;
	icmp->code = 4;
	icmp->sum =
	        (uint16_t)~fwd_sum_fold((uint64_t)FWD_ANSWER4_KIND + fwd_be32(mtu) + quoted_sum);
	icmp->type_data_be = fwd_be32(mtu);
}

/** The same for a packet too big. */
FWD_INLINE void fwd_answer_write6(uint8_t *l3, uint32_t quoted_len, uint32_t mtu,
                                  uint64_t quoted_sum)
{
	const struct fwd_ip6 *quoted = (const void *)(l3 + FWD_ANSWER6_HEADER);
	struct fwd_ip6 *ip = (void *)l3;
	struct fwd_icmp *icmp = (void *)(l3 + FWD_IP6_LEN);
	uint64_t sum = (uint64_t)FWD_ANSWER6_KIND + fwd_be32(mtu) + quoted_sum +
	               fwd_be32(FWD_ICMP_LEN + quoted_len) + fwd_be32(FWD_PROTO_ICMP6);

	for (uint32_t i = 0; i < 2; i++) {
		ip->src_be[i] = quoted->dst_be[i];
		ip->dst_be[i] = quoted->src_be[i];
		sum += (ip->src_be[i] & 0xffffffff) + (ip->src_be[i] >> 32);
		sum += (ip->dst_be[i] & 0xffffffff) + (ip->dst_be[i] >> 32);
	}
	ip->version_class_flow_be = fwd_be32(6u << 28 | FWD_ANSWER_TOS << 20);
	ip->len_be = fwd_be16((uint16_t)(FWD_ICMP_LEN + quoted_len));
	ip->next = FWD_PROTO_ICMP6;
	ip->hop_limit = FWD_ANSWER_TTL;
	icmp->type = 2;
	icmp->code = 0;
	icmp->sum = (uint16_t)~fwd_sum_fold(sum);
	icmp->type_data_be = fwd_be32(mtu);
}

/** Write the answer before the quoted packet, whose family is known when compiled. */
FWD_INLINE bool fwd_answer_family(struct fwd_packet *packet, uint32_t l3_off, uint32_t quoted_len,
                                  bool is4, uint32_t mtu)
{
	uint32_t header = is4 ? FWD_ANSWER4_HEADER : FWD_ANSWER6_HEADER;
	uint32_t quoted_min = is4 ? FWD_IP4_LEN : FWD_IP6_LEN;
	struct fwd_cursor c;
	uint64_t sum;
	uint8_t *at;

	if (!fwd_port_cut(packet, l3_off + quoted_len) || !fwd_port_grow(packet, (int32_t)header))
		return false;
	at = fwd_packet_at(packet, 0, header + FWD_ETH_MAX);
	if (!at)
		return false;
	fwd_answer_eth(at, header);
	at = fwd_packet_at(packet, l3_off, header + quoted_min);
	if (!at)
		return false;
	c = (struct fwd_cursor){ at + header, packet->end };
	sum = fwd_answer_sum(c, quoted_len / 4);
	if (is4)
		fwd_answer_write4(at, quoted_len, mtu, sum);
	else
		fwd_answer_write6(at, quoted_len, mtu, sum);
	return true;
}

/**
 * Make of a frame the answer that it is too big, to be sent where it came in.
 *
 * @param l3_off  where its IP header begins, l3_len bytes long with all that follows
 * @return the final reason: TOO_BIG_ANSWERED; TOO_BIG for a frame to many; NO_ROOM
 */
FWD_INLINE enum fwd_reason fwd_answer_too_big(struct fwd_packet *packet, uint32_t l3_off,
                                              uint32_t l3_len, bool is4, uint32_t inner_mtu)
{
	uint32_t most =
	        is4 ? FWD_ANSWER4_LEN - FWD_ANSWER4_HEADER : FWD_ANSWER6_LEN - FWD_ANSWER6_HEADER;
	uint32_t quoted_len = (l3_len < most ? l3_len : most) & ~3u;
	const uint8_t *eth = fwd_packet_at(packet, 0, FWD_ETH_LEN);
	bool done;

	if (!eth || eth[0] & 1)
		return FWD_REASON_TOO_BIG; /* RFC 1122, 3.2.2: sent to many */
	done = is4 ? fwd_answer_family(packet, l3_off, quoted_len, true, inner_mtu)
	           : fwd_answer_family(packet, l3_off, quoted_len, false, inner_mtu);
	return done ? FWD_REASON_TOO_BIG_ANSWERED : FWD_REASON_NO_ROOM;
}

#endif
