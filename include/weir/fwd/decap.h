/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Taking a tunnel off: what a backend's agent does with a frame.
 *
 * Freestanding, for gcc, clang and clang --target=bpf; one pass over the outer headers, no
 * loop beyond the outer IPv4 options. Follows RFC 2003 and RFC 4213 (IP in IP), RFC 2473
 * (in IPv6), draft-ietf-intarea-gue (GUE variants 0 and 1) and RFC 6040 (ECN).
 *
 * The target defines decap_source_accepted() before it uses decap_parse(). A tunnel packet
 * is one whose outer header names protocol 4 or 41, or UDP to DECAP_GUE_PORT, directly: what hides
 * behind IPv6 extension headers or a VLAN tag is not ours and passes.
 *
 * The order of the tests is part of the contract: nothing of a packet behind the outer
 * addresses is looked at before its source is accepted.
 */
#ifndef WEIR_FWD_DECAP_H
#define WEIR_FWD_DECAP_H

#include "weir/fwd/decap_reason.h"
#include "weir/fwd/second.h"

#define DECAP_GUE_PORT 6080u
#define DECAP_ETH_LEN  14u

/** Where a tunnel ends and what came out of it. */
struct decap_result {
	unsigned int inner_off; /**< bytes from the start of the frame to the inner header */
	unsigned char inner_is4, outer_is4;
	unsigned char outer_ecn; /**< the outer header's ECN field, 0..3 */
	unsigned char owners_n;  /**< earlier owners that GUE names; 0: there is no list */
	unsigned char owners_next;
	unsigned int owners_off;  /**< bytes from the start of the frame to the list's head */
	unsigned char source[16]; /**< outer source; IPv4 as ::ffff:a.b.c.d */
};

/**
 * The port: whether tunnels from @p source (16 bytes, IPv4 as ::ffff:a.b.c.d) are taken.
 * @p arg is what decap_parse() was given.
 */
static inline int decap_source_accepted(void *arg, const unsigned char source[16]);

/*
 * The bounds test is the one line that depends on the target: the verifier understands a pointer
 * that is compared with the end, and user space must not form a pointer beyond it. For the empty
 * asm see packet.h: clang must not move the constant over to the end's side.
 */
#ifdef __bpf__
#define DECAP_INLINE static inline __attribute__((always_inline))
DECAP_INLINE int decap_fits(const unsigned char *p, unsigned int n, const unsigned char *end)
{
	const unsigned char *last = p + n;

	__asm__ volatile("" : "+r"(last));
	return last <= end;
}
#else
#define DECAP_INLINE static inline
DECAP_INLINE int decap_fits(const unsigned char *p, unsigned int n, const unsigned char *end)
{
	return end - p >= (long)n;
}
#endif

#define DECAP_IPV4        4u
#define DECAP_IPV6        41u
#define DECAP_UDP         17u
#define DECAP_IP4_LEN     20u
#define DECAP_IP4_LEN_MAX 60u
#define DECAP_IP6_LEN     40u
#define DECAP_UDP_LEN     8u
#define DECAP_GUE_LEN     4u
#define DECAP_ETYPE_IPV4  0x0800u
#define DECAP_ETYPE_IPV6  0x86ddu
/** An inner header begins no further on. */
#define DECAP_INNER_OFF_MAX                                                                        \
	(DECAP_ETH_LEN + DECAP_IP4_LEN_MAX + DECAP_UDP_LEN + DECAP_GUE_LEN + SECOND_HEAD_LEN +     \
	 SECOND_OWNERS_MAX * 16u)

DECAP_INLINE unsigned int decap_be16(const unsigned char *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/** Whether the checksum of the IPv4 header at @p ip is right (RFC 1071). */
DECAP_INLINE int decap_sum_ok(const unsigned char *ip, unsigned int header_len,
                              const unsigned char *end)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < DECAP_IP4_LEN_MAX; i += 4) {
		if (i >= header_len)
			break;
		if (!decap_fits(ip + i, 4, end))
			return 0;
		sum += decap_be16(ip + i) + decap_be16(ip + i + 2);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/**
 * The inner header at @p inner (RFC 791, RFC 8200), of which @p room bytes are there by the
 * outer lengths. @return DECAP_PASSED when it is sound
 */
DECAP_INLINE enum decap_reason decap_inner(const unsigned char *inner, unsigned int room,
                                           const unsigned char *end, unsigned int is4)
{
	unsigned int header_len, total;

	if (is4) {
		if (!decap_fits(inner, DECAP_IP4_LEN, end))
			return DECAP_INNER;
		header_len = (inner[0] & 0xfu) * 4;
		total = decap_be16(inner + 2);
		if (inner[0] >> 4 != 4 || header_len < DECAP_IP4_LEN || total < header_len)
			return DECAP_INNER;
	} else {
		if (!decap_fits(inner, DECAP_IP6_LEN, end))
			return DECAP_INNER;
		if (inner[0] >> 4 != 6)
			return DECAP_INNER;
		total = DECAP_IP6_LEN + decap_be16(inner + 4);
	}
	return total > room ? DECAP_INNER : DECAP_PASSED;
}

/** What lies between UDP and the inner header. */
struct decap_gue {
	unsigned int udp_len; /**< as UDP says it, its header included */
	unsigned int len;     /**< of GUE's own header, private data included */
	unsigned int inner_is4;
	unsigned int owners_n, owners_next;
};

/**
 * Private data of @p len bytes at @p at: a list of owners whose addresses have @p size bytes
 * (second.h). @return DECAP_PASSED with @p g filled
 */
DECAP_INLINE enum decap_reason decap_owners_head(const unsigned char *at, unsigned int len,
                                                 const unsigned char *end, unsigned int is4,
                                                 struct decap_gue *g)
{
	const struct second_head *head = (const struct second_head *)at;

	if (!decap_fits(at, SECOND_HEAD_LEN, end))
		return DECAP_TRUNCATED;
	if (head->version != SECOND_VERSION || head->reserved)
		return DECAP_OWNERS_VERSION;
	g->owners_n = head->n;
	g->owners_next = head->next;
	if (g->owners_n == 0 || g->owners_n > SECOND_OWNERS_MAX || g->owners_next > g->owners_n)
		return DECAP_OWNERS_COUNT;
	return len == second_len(g->owners_n, is4) ? DECAP_PASSED : DECAP_OWNERS_LENGTH;
}

/**
 * GUE behind the UDP header at @p udp, of which @p room bytes are there by the outer length
 * (draft-ietf-intarea-gue, sections 3 and 5): variant 1 is a bare IP header, variant 0 has 4
 * bytes of its own, must name an IP version and no flag; private data are a list of owners.
 * @return DECAP_PASSED with @p g filled
 */
DECAP_INLINE enum decap_reason decap_gue(const unsigned char *udp, unsigned int room,
                                         const unsigned char *end, unsigned int outer_is4,
                                         struct decap_gue *g)
{
	const unsigned char *gue = udp + DECAP_UDP_LEN;

	if (room < DECAP_UDP_LEN + DECAP_GUE_LEN)
		return DECAP_OUTER;
	if (!decap_fits(udp, DECAP_UDP_LEN + DECAP_GUE_LEN, end))
		return DECAP_TRUNCATED;
	g->udp_len = decap_be16(udp + 4);
	if (g->udp_len < DECAP_UDP_LEN + DECAP_GUE_LEN || g->udp_len > room)
		return DECAP_OUTER;
	if (gue[0] >> 4 == 4 || gue[0] >> 4 == 6) {
		g->len = 0;
		g->inner_is4 = gue[0] >> 4 == 4;
		return DECAP_PASSED;
	}
	if (gue[0] & 0xe0 || gue[2] || gue[3] || (gue[1] != DECAP_IPV4 && gue[1] != DECAP_IPV6))
		return DECAP_GUE_HEADER;
	g->len = DECAP_GUE_LEN + (gue[0] & 0x1fu) * 4;
	g->inner_is4 = gue[1] == DECAP_IPV4;
	if (g->udp_len < DECAP_UDP_LEN + g->len)
		return DECAP_OUTER;
	if (g->len == DECAP_GUE_LEN)
		return DECAP_PASSED;
	return decap_owners_head(gue + DECAP_GUE_LEN, g->len - DECAP_GUE_LEN, end, outer_is4, g);
}

/** What the outer header says. */
struct decap_outer {
	unsigned int protocol; /**< 0 where the ethertype's IP header is not there */
	unsigned int header_len, total_len;
	unsigned int fragment; /**< offset and more-fragments bit */
	unsigned int ecn, is4;
};

/** Read the outer header at @p ip into @p o and its source address into @p source. */
DECAP_INLINE void decap_outer_read(const unsigned char *ip, const unsigned char *end,
                                   unsigned int is4, struct decap_outer *o,
                                   unsigned char source[16])
{
	o->protocol = 0;
	o->is4 = is4;
	if (is4) {
		if (!decap_fits(ip, DECAP_IP4_LEN, end) || ip[0] >> 4 != 4)
			return;
		o->header_len = (ip[0] & 0xfu) * 4;
		o->total_len = decap_be16(ip + 2);
		o->fragment = decap_be16(ip + 6) & 0x3fff;
		o->ecn = ip[1] & 3;
		o->protocol = ip[9];
		for (int i = 0; i < 16; i++)
			source[i] = i < 10 ? 0 : i < 12 ? 0xff : ip[i];
		return;
	}
	if (!decap_fits(ip, DECAP_IP6_LEN, end) || ip[0] >> 4 != 6)
		return;
	o->header_len = DECAP_IP6_LEN;
	o->total_len = DECAP_IP6_LEN + decap_be16(ip + 4);
	o->fragment = 0;
	o->ecn = ip[1] >> 4 & 3;
	o->protocol = ip[6];
	for (int i = 0; i < 16; i++)
		source[i] = ip[8 + i];
}

/**
 * Whether the packet is a tunnel at all. A later fragment shows no UDP port, so it passes,
 * and the kernel will find no first one; a header too short for IPv4 is the kernel's to drop.
 */
DECAP_INLINE int decap_is_tunnel(const unsigned char *ip, const struct decap_outer *o,
                                 const unsigned char *end)
{
	if (o->protocol != DECAP_IPV4 && o->protocol != DECAP_IPV6 && o->protocol != DECAP_UDP)
		return 0;
	if (o->header_len < DECAP_IP4_LEN)
		return 0;
	if (o->protocol != DECAP_UDP)
		return 1;
	if (o->fragment & 0x1fff || !decap_fits(ip + o->header_len, 4, end))
		return 0;
	return decap_be16(ip + o->header_len + 2) == DECAP_GUE_PORT;
}

/** The lengths, checksum and fragment fields of an outer header whose source is accepted. */
DECAP_INLINE enum decap_reason decap_outer_check(const unsigned char *ip, const unsigned char *end,
                                                 const struct decap_outer *o)
{
	if (o->total_len < o->header_len)
		return DECAP_OUTER;
	if (o->total_len > (unsigned int)(end - ip))
		return DECAP_TRUNCATED;
	if (o->is4 && !decap_sum_ok(ip, o->header_len, end))
		return DECAP_CHECKSUM;
	return o->fragment ? DECAP_FRAGMENT : DECAP_PASSED;
}

/** The tunnel behind a sound outer header. @return DECAP_IPIP or DECAP_GUE with @p out filled */
DECAP_INLINE enum decap_reason decap_behind(const unsigned char *ip, const unsigned char *end,
                                            const struct decap_outer *o, struct decap_result *out)
{
	const unsigned char *at = ip + o->header_len;
	unsigned int room = o->total_len - o->header_len, skip = 0;
	unsigned int inner_is4 = o->protocol == DECAP_IPV4;
	enum decap_reason reason;

	if (o->protocol == DECAP_UDP) {
		struct decap_gue g = { 0 };

		reason = decap_gue(at, room, end, o->is4, &g);
		if (reason != DECAP_PASSED)
			return reason;
		skip = DECAP_UDP_LEN + g.len;
		room = g.udp_len;
		inner_is4 = g.inner_is4;
		out->owners_n = (unsigned char)g.owners_n;
		out->owners_next = (unsigned char)g.owners_next;
		out->owners_off = DECAP_ETH_LEN + o->header_len + DECAP_UDP_LEN + DECAP_GUE_LEN;
	}
	reason = decap_inner(at + skip, room - skip, end, inner_is4);
	if (reason != DECAP_PASSED)
		return reason;
	out->inner_off = DECAP_ETH_LEN + o->header_len + skip;
	out->inner_is4 = (unsigned char)inner_is4;
	out->outer_is4 = (unsigned char)o->is4;
	out->outer_ecn = (unsigned char)o->ecn;
	return o->protocol == DECAP_UDP ? DECAP_GUE : DECAP_IPIP;
}

/**
 * Decide on the frame from @p frame to @p end, which begins with an Ethernet header.
 *
 * @param arg  for decap_source_accepted()
 * @param out  filled when DECAP_IPIP or DECAP_GUE is returned; scratch otherwise
 * @return DECAP_PASSED: leave it alone. DECAP_IPIP, DECAP_GUE: the frame is to begin 14 bytes
 *         before inner_off, see decap_finish(). Others: drop it
 */
DECAP_INLINE enum decap_reason decap_parse(const unsigned char *frame, const unsigned char *end,
                                           void *arg, struct decap_result *out)
{
	const unsigned char *ip = frame + DECAP_ETH_LEN;
	struct decap_outer o = { 0 };
	unsigned int etype;
	enum decap_reason reason;

	if (!decap_fits(frame, DECAP_ETH_LEN, end))
		return DECAP_PASSED;
	etype = decap_be16(frame + 12);
	if (etype != DECAP_ETYPE_IPV4 && etype != DECAP_ETYPE_IPV6)
		return DECAP_PASSED;
	decap_outer_read(ip, end, etype == DECAP_ETYPE_IPV4, &o, out->source);
	if (!decap_is_tunnel(ip, &o, end))
		return DECAP_PASSED;
	if (!decap_source_accepted(arg, out->source))
		return DECAP_SOURCE;
	reason = decap_outer_check(ip, end, &o);
	return reason != DECAP_PASSED ? reason : decap_behind(ip, end, &o, out);
}

/**
 * Combine the outer ECN field into the inner header (RFC 6040, section 4.2):
 *
 *     inner \ outer   Not-ECT   ECT(0)    ECT(1)    CE
 *     Not-ECT         Not-ECT   Not-ECT   Not-ECT   drop
 *     ECT(0)          ECT(0)    ECT(0)    ECT(1)    CE
 *     ECT(1)          ECT(1)    ECT(1)    ECT(1)    CE
 *     CE              CE        CE        CE        CE
 *
 * @return the new field, or -1 for drop
 */
DECAP_INLINE int decap_ecn(unsigned int inner, unsigned int outer)
{
	if (inner == 0)
		return outer == 3 ? -1 : (int)inner;
	if (outer == 3 || (outer == 1 && inner == 2))
		return (int)outer;
	return (int)inner;
}

/** Set the ECN field of the IPv4 header at @p ip, keeping its checksum right (RFC 1624). */
DECAP_INLINE void decap_set_ecn4(unsigned char *ip, unsigned int ecn)
{
	unsigned int old_word = decap_be16(ip);

	ip[1] = (unsigned char)((ip[1] & ~3u) | ecn);
	unsigned int sum = (~decap_be16(ip + 10) & 0xffff) + (~old_word & 0xffff) + decap_be16(ip);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (unsigned char)(sum >> 8);
	ip[11] = (unsigned char)sum;
}

/**
 * Make the frame that is left behind a tunnel: the Ethernet header moved up to the inner
 * header with the inner ethertype, ECN combined. The caller then takes
 * inner_off - DECAP_ETH_LEN bytes off the front.
 *
 * @param tunnel  what decap_parse() or decap_second() returned: a tunnel to take off
 * @return @p tunnel, or DECAP_ECN with the frame as it was, or DECAP_TRUNCATED (never, but
 *         the kernel's verifier asks)
 */
DECAP_INLINE enum decap_reason decap_finish(unsigned char *frame, const unsigned char *end,
                                            enum decap_reason tunnel, const struct decap_result *r)
{
	unsigned int off = r->inner_off;

	if (off < DECAP_ETH_LEN + DECAP_IP4_LEN || off > DECAP_INNER_OFF_MAX)
		return DECAP_TRUNCATED;
	unsigned char *eth = frame + (off - DECAP_ETH_LEN);
	unsigned char *ip = eth + DECAP_ETH_LEN;
	if (!decap_fits(eth, DECAP_ETH_LEN + DECAP_IP4_LEN, end) ||
	    !decap_fits(frame, DECAP_ETH_LEN, end))
		return DECAP_TRUNCATED;
	int ecn = decap_ecn(r->inner_is4 ? ip[1] & 3u : ip[1] >> 4 & 3u, r->outer_ecn);
	if (ecn < 0)
		return DECAP_ECN;
	if (r->inner_is4)
		decap_set_ecn4(ip, (unsigned int)ecn);
	else
		ip[1] = (unsigned char)((ip[1] & ~0x30u) | (unsigned int)ecn << 4);
	for (int i = 0; i < 12; i++)
		eth[i] = frame[i];
	eth[12] = r->inner_is4 ? DECAP_ETYPE_IPV4 >> 8 : DECAP_ETYPE_IPV6 >> 8;
	eth[13] = r->inner_is4 ? DECAP_ETYPE_IPV4 & 0xff : DECAP_ETYPE_IPV6 & 0xff;
	return tunnel;
}

#endif
