/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is checked of a frame before its flow: whose frame it is (RFC 1812, 5.3.4), whether its
 * source can be a host (5.3.7), and whether its sender prescribes the route (RFC 7126, 4.3 and
 * 4.4).
 *
 * A frame for the unicast MAC address of another host is not ours, whatever its IP destination. A
 * flooding bridge hands such a frame to each balancer, and each would forward a copy. The table of
 * macs has the ports' own addresses: one word for each address and port, anywhere in the bucket
 * that its hash chooses. A word is stored and cleared by one atomic store. The first few words are in
 * root, where they cost less. A word holds the lower 16 bits of the interface's index, so two
 * ports that agree in these bits would share their addresses.
 */
#ifndef WEIR_FWD_INGRESS_H
#define WEIR_FWD_INGRESS_H

#include "weir/fwd/parse.h"
#include "weir/fwd/port.h"

#define FWD_MAC_GROUP 1u /**< broadcast or multicast (IEEE 802) */
#define FWD_MAC_GROUPS                                                                             \
	(FWD_MAC_GROUP | 1ull << 48) /**< the same of the sender, too, in a frame's first bytes */
#define FWD_MAC_USED 0x10000u        /**< stands where FWD_MAC_GROUP would: no free entry has it */

#define FWD_IP4_OPTION_END  0u
#define FWD_IP4_OPTION_NOP  1u
#define FWD_IP4_OPTION_LSRR 131u
#define FWD_IP4_OPTION_SSRR 137u
#define FWD_IP4_OPTIONS_MAX 40u

/**
 * The word of a unicast MAC address, whose first byte is the lowest of @p mac, at port @p ifindex.
 */
FWD_INLINE uint64_t fwd_mac_word(uint64_t mac, uint32_t ifindex)
{
	return mac << 16 | FWD_MAC_USED | (uint16_t)ifindex;
}

/** The bucket of a word. */
FWD_INLINE uint32_t fwd_mac_bucket(uint64_t word)
{
	_Static_assert(FWD_MAC_BUCKETS == 1u << 6, "the highest bits, on which all others bear");

	return (uint32_t)(word * 0x9e3779b97f4a7c15u >> 58);
}

/** Whether @p word is in the table. */
FWD_INLINE bool fwd_mac_find(const struct fwd_tables *t, const struct fwd_root *root, uint64_t word)
{
	const struct fwd_own_macs *bucket;

	for (uint32_t i = 0; i < FWD_MACS_FIRST; i++)
		if (FWD_LIKELY(*(const volatile uint64_t *)&root->macs[i] == word))
			return true;
	bucket = fwd_port_macs(t, fwd_mac_bucket(word));
	for (uint32_t i = 0; bucket && i < FWD_MAC_WAYS; i++)
		if (*(const volatile uint64_t *)&bucket->word[i] == word)
			return true;
	return false;
}

/** Who a frame is for that came in by port @p ifindex and begins with the bytes @p first. */
FWD_INLINE enum fwd_addressee fwd_addressee_of(const struct fwd_tables *t,
                                               const struct fwd_root *root, uint64_t first,
                                               uint32_t ifindex)
{
	if (FWD_UNLIKELY(first & FWD_MAC_GROUPS)) /* no answer may go to a group either */
		return FWD_ADDRESSEE_GROUP;
	return FWD_LIKELY(fwd_mac_find(t, root, fwd_mac_word(first, ifindex)))
	               ? FWD_ADDRESSEE_US
	               : FWD_ADDRESSEE_OTHER;
}

/** Who a frame is for that came in by port @p ifindex. */
FWD_INLINE enum fwd_addressee fwd_addressee(const struct fwd_tables *t, const struct fwd_root *root,
                                            const struct fwd_packet *packet, uint32_t ifindex)
{
	const struct fwd_long *first = fwd_packet_at(packet, 0, FWD_ETH_LEN);

	if (FWD_UNLIKELY(!first))
		return FWD_ADDRESSEE_US; /* the parser finds it too short */
	return fwd_addressee_of(t, root, first->bytes, ifindex);
}

/** Whether a frame that fwd_parse_plain() has seen, so that its length is known, is for us. */
FWD_INLINE bool fwd_is_ours(const struct fwd_tables *t, const struct fwd_root *root,
                            const struct fwd_packet *packet, uint32_t ifindex)
{
	uint64_t first = ((const struct fwd_long *)(const void *)packet->data)->bytes;

	return fwd_addressee_of(t, root, first, ifindex) == FWD_ADDRESSEE_US;
}

/**
 * Whether no host can have the address @p a: multicast, broadcast, loopback, unspecified, or of
 * IPv4 in an IPv6 packet.
 */
FWD_INLINE bool fwd_is_martian(const union fwd_addr *a, bool is4)
{
	uint32_t first = is4 ? a->words_be[3] & 0xff : a->bytes[0];

	if (!is4)
		return first == 0xff ||
		       (!a->longs_be[0] && (a->words_be[2] == FWD_ADDR4_MARK_BE ||
		                            (!a->words_be[2] && !(a->words_be[3] & ~fwd_be32(1)))));
	if (FWD_LIKELY(first - 1 < 126) || FWD_LIKELY(first - 128 < 96))
		return false;
	return first == 127 || first >> 4 == 14 || a->words_be[3] == 0 ||
	       a->words_be[3] == 0xffffffffu;
}

/** Whether the @p len bytes of IPv4 options at @p off have a source route, loose or strict. */
FWD_INLINE bool fwd_has_source_route(const struct fwd_packet *packet, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < FWD_IP4_OPTIONS_MAX; i++) {
		const uint8_t *option = fwd_packet_at(packet, off, 2);
		uint32_t n = 1;

		if (len < 2 || !option || option[0] == FWD_IP4_OPTION_END)
			return false;
		if (option[0] == FWD_IP4_OPTION_LSRR || option[0] == FWD_IP4_OPTION_SSRR)
			return true;
		if (option[0] != FWD_IP4_OPTION_NOP)
			n = option[1];
		if (n == 0 || n > len)
			return false;
		off += n;
		len -= n;
	}
	return false;
}

/** Parse a frame of any shape that came in by port @p ifindex; see fwd_parse(). */
FWD_INLINE void fwd_parse_ingress(const struct fwd_tables *t, const struct fwd_root *root,
                                  const struct fwd_packet *packet, uint32_t ifindex,
                                  struct fwd_parsed *p)
{
	uint32_t options;

	fwd_parse(packet, p);
	p->addressee = (uint8_t)fwd_addressee(t, root, packet, ifindex);
	options = p->l3_off + FWD_IP4_LEN;
	if (FWD_LIKELY(!p->addressed || !p->is4 || p->l4_off <= options))
		return;
	if (!fwd_port_has_source_route(packet, options, p->l4_off - options))
		return;
	p->request = FWD_REQUEST_NOTHING;
	p->fault = FWD_REASON_SOURCE_ROUTE;
}

#endif
