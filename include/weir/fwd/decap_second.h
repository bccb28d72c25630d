/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Second chance at a backend's agent: whether a packet that names earlier owners of its slot
 * is for a connection of this host, and if not, its way to the next owner.
 *
 * After decap_parse(). A list is followed at most to its end. Each step costs one hop and turns one
 * packet into one of the same length, so a forged list gains nothing. A packet for which no socket
 * can be looked up (neither TCP nor an error about it) stays here.
 *
 * The target defines decap_owner_accepted() and decap_socket().
 */
#ifndef WEIR_FWD_DECAP_SECOND_H
#define WEIR_FWD_DECAP_SECOND_H

#include "weir/fwd/decap.h"
#include "weir/fwd/packet.h"

/** The connection that a packet belongs to, or is about, as a socket here would have it. */
struct decap_flow {
	unsigned char client[16], vip[16]; /**< IPv4: the first four bytes */
	unsigned char client_port[2], vip_port[2];
	unsigned int ip_off, tcp_off; /**< of the segment itself; tcp_off 0: only quoted */
	unsigned int ack;             /**< its acknowledgement number */
	unsigned char is4, is_syn;
};

/** The port: whether packets may be passed on to @p owner (IPv4 as ::ffff:a.b.c.d). */
static inline int decap_owner_accepted(void *arg, const unsigned char owner[16]);
/** The port: what this host knows of @p flow, whose segment lies in the frame. */
static inline enum second_socket decap_socket(void *arg, const unsigned char *frame,
                                              const unsigned char *end,
                                              const struct decap_flow *flow);

#define DECAP_TCP     6u
#define DECAP_ICMP4   1u
#define DECAP_ICMP6   58u
#define DECAP_TCP_LEN 20u
/** No header before the inner packet's end of headers begins further on; for the verifier. */
#define DECAP_OFF_MASK 0xffu
_Static_assert(DECAP_INNER_OFF_MAX <= DECAP_OFF_MASK, "offsets fit the mask");

DECAP_INLINE unsigned int decap_be32(const unsigned char *p)
{
	return decap_be16(p) << 16 | decap_be16(p + 2);
}

DECAP_INLINE void decap_copy(unsigned char *to, const unsigned char *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		to[i] = from[i];
}

/** Read the address at @p at. @return 0: the frame ends before */
DECAP_INLINE int decap_address(const unsigned char *at, const unsigned char *end, unsigned int is4,
                               union fwd_addr *out)
{
	const struct fwd_address_words *words = (const struct fwd_address_words *)at;

	if (is4) {
		if (!decap_fits(at, 4, end))
			return 0;
		fwd_addr_from4(out, words->w[0]);
		return 1;
	}
	if (!decap_fits(at, 16, end))
		return 0;
	for (unsigned int i = 0; i < 4; i++)
		out->words_be[i] = words->w[i];
	return 1;
}

/* --- which connection --- */

/** What stands behind an IP header. */
struct decap_l4 {
	unsigned int off; /**< from the IP header on; 0: not known */
	unsigned int protocol;
};

/** Where the transport header of the IP packet at @p ip is; of a later fragment nowhere. */
DECAP_INLINE struct decap_l4 decap_l4(const unsigned char *ip, const unsigned char *end,
                                      unsigned int is4)
{
	struct decap_l4 l4 = { 0, 0 };

	if (is4) {
		if (!decap_fits(ip, DECAP_IP4_LEN, end) || ip[0] >> 4 != 4 || (ip[0] & 0xfu) < 5 ||
		    decap_be16(ip + 6) & 0x1fff)
			return l4;
		l4.off = (ip[0] & 0xfu) * 4;
		l4.protocol = ip[9];
		return l4;
	}
	if (!decap_fits(ip, DECAP_IP6_LEN, end) || ip[0] >> 4 != 6)
		return l4;
	l4.off = DECAP_IP6_LEN;
	l4.protocol = ip[6];
	return l4;
}

/**
 * Take the addresses of the IP header at @p ip, which the client sent, or was sent. Each family is
 * checked where it is read: the verifier of Linux 6.1 forgets which it was. @return whether it is
 * whole
 */
DECAP_INLINE int decap_flow_addresses(struct decap_flow *f, const unsigned char *ip,
                                      const unsigned char *end, int quoted)
{
	unsigned char *first = quoted ? f->vip : f->client;
	unsigned char *second = quoted ? f->client : f->vip;

	if (f->is4) {
		if (!decap_fits(ip, DECAP_IP4_LEN, end))
			return 0;
		decap_copy(first, ip + 12, 4);
		decap_copy(second, ip + 16, 4);
		return 1;
	}
	if (!decap_fits(ip, DECAP_IP6_LEN, end))
		return 0;
	decap_copy(first, ip + 8, 16);
	decap_copy(second, ip + 24, 16);
	return 1;
}

/** The TCP segment at @p tcp, behind @p ip. @return whether it is whole */
DECAP_INLINE int decap_flow_segment(struct decap_flow *f, const unsigned char *ip,
                                    const unsigned char *tcp, const unsigned char *end)
{
	if (!decap_fits(tcp, DECAP_TCP_LEN, end) || !decap_flow_addresses(f, ip, end, 0))
		return 0;
	decap_copy(f->client_port, tcp, 2);
	decap_copy(f->vip_port, tcp + 2, 2);
	f->ack = decap_be32(tcp + 8);
	/* SYN set; ACK, RST, FIN clear */
	f->is_syn = (tcp[13] & 0x17u) == 0x02u;
	return 1;
}

/**
 * The TCP segment that the ICMP error at @p icmp quotes: one to the client.
 * @return whether it quotes one
 */
DECAP_INLINE int decap_flow_quoted(struct decap_flow *f, const unsigned char *icmp,
                                   const unsigned char *end)
{
	const unsigned char *ip = icmp + 8, *ports;
	struct decap_l4 l4;
	unsigned int type;

	if (!decap_fits(icmp, 8, end))
		return 0;
	type = icmp[0];
	if (f->is4 ? type != 3 && type != 4 && type != 11 && type != 12 : type < 1 || type > 4)
		return 0;
	l4 = decap_l4(ip, end, f->is4);
	ports = ip + (l4.off & 0x3cu);
	if (l4.off == 0 || l4.protocol != DECAP_TCP || !decap_fits(ports, 8, end))
		return 0;
	if (!decap_flow_addresses(f, ip, end, 1))
		return 0;
	decap_copy(f->vip_port, ports, 2);
	decap_copy(f->client_port, ports + 2, 2);
	return 1;
}

/** The connection of the inner packet. @return 0: it has none */
DECAP_INLINE int decap_flow_read(struct decap_flow *f, const unsigned char *frame,
                                 const unsigned char *end, const struct decap_result *r)
{
	unsigned int off = r->inner_off & DECAP_OFF_MASK;
	const unsigned char *ip = frame + off, *at;
	struct decap_l4 l4;

	f->is4 = r->inner_is4;
	f->ip_off = off;
	l4 = decap_l4(ip, end, f->is4);
	if (l4.off == 0)
		return 0;
	at = ip + (l4.off & 0x3cu);
	if (l4.protocol == DECAP_TCP) {
		f->tcp_off = off + (l4.off & 0x3cu);
		return decap_flow_segment(f, ip, at, end);
	}
	if (l4.protocol == (f->is4 ? DECAP_ICMP4 : DECAP_ICMP6))
		return decap_flow_quoted(f, at, end);
	return 0;
}

/* --- the list --- */

/** The owners of a list, and where the packet is. */
struct decap_list {
	union fwd_addr owner[SECOND_OWNERS_MAX], here;
};

/** Where the @p i-th address of a list is, from the first on. */
DECAP_INLINE unsigned int decap_owner_off(unsigned int i, unsigned int is4)
{
	return i << (is4 ? 2 : 4); /* by multiplying, Linux 6.1 loses the bounds of i */
}

/** Read the list at @p at, whose head has been read. @return 0: the frame ends before */
DECAP_INLINE int decap_list_read(struct decap_list *list, const unsigned char *at,
                                 const unsigned char *ip, const unsigned char *end,
                                 const struct decap_result *r)
{
	for (unsigned int i = 0; i < SECOND_OWNERS_MAX; i++) {
		if (i >= r->owners_n)
			break;
		if (!decap_address(at + decap_owner_off(i, r->outer_is4), end, r->outer_is4,
		                   &list->owner[i]))
			return 0;
	}
	return decap_address(ip + (r->outer_is4 ? 16 : 24), end, r->outer_is4, &list->here);
}

/**
 * Whether a list of @p n names each owner once, and the packet is where it says: with the
 * owner before @p next, or with none of them when that is the first.
 */
DECAP_INLINE int decap_list_ok(const struct decap_list *l, unsigned int n, unsigned int next)
{
	for (unsigned int i = 0; i < SECOND_OWNERS_MAX; i++)
		if (i < n && fwd_addr_equal(&l->owner[i], &l->here) != (i + 1 == next))
			return 0;
	if (n > 1 && fwd_addr_equal(&l->owner[0], &l->owner[1]))
		return 0;
	return n < 3 || (!fwd_addr_equal(&l->owner[0], &l->owner[2]) &&
	                 !fwd_addr_equal(&l->owner[1], &l->owner[2]));
}

/** Change the sum at @p sum for a word that becomes another (RFC 1624). */
DECAP_INLINE void decap_sum_change(unsigned char *sum, unsigned int before, unsigned int after)
{
	unsigned int s = (~decap_be16(sum) & 0xffff) + (~before & 0xffff) + after;

	s = (s & 0xffff) + (s >> 16);
	s = ~((s & 0xffff) + (s >> 16));
	sum[0] = (unsigned char)(s >> 8);
	sum[1] = (unsigned char)s;
}

/** One hop fewer, and another destination, in the outer header at @p ip, which was read. */
DECAP_INLINE int decap_redirect(unsigned char *ip, const unsigned char *end,
                                const union fwd_addr *owner, unsigned int is4)
{
	unsigned int before;

	if (!is4) {
		if (!decap_fits(ip, DECAP_IP6_LEN, end))
			return 0;
		ip[7]--;
		decap_copy(ip + 24, owner->bytes, 16);
		return 1;
	}
	if (!decap_fits(ip, DECAP_IP4_LEN, end))
		return 0;
	before = decap_be16(ip + 8);
	ip[8]--;
	decap_sum_change(ip + 10, before, decap_be16(ip + 8));
	for (unsigned int i = 0; i < 4; i += 2) {
		before = decap_be16(ip + 16 + i);
		decap_copy(ip + 16 + i, owner->bytes + 12 + i, 2);
		decap_sum_change(ip + 10, before, decap_be16(ip + 16 + i));
	}
	return 1;
}

/** Outer TTL or hop limit. */
DECAP_INLINE unsigned int decap_ttl(const unsigned char *ip, const unsigned char *end,
                                    unsigned int is4)
{
	return decap_fits(ip, DECAP_IP4_LEN, end) ? ip[is4 ? 8 : 7] : 0;
}

/** Send the packet to the next owner of its list; @p udp is the outer UDP header. */
DECAP_INLINE enum decap_reason decap_pass_on(unsigned char *ip, unsigned char *udp,
                                             const unsigned char *end, void *arg, unsigned int next,
                                             unsigned int is4)
{
	unsigned char *head = udp + DECAP_UDP_LEN + DECAP_GUE_LEN;
	union fwd_addr owner;

	if (!decap_address(head + SECOND_HEAD_LEN + decap_owner_off(next & 3, is4), end, is4,
	                   &owner))
		return DECAP_TRUNCATED; /* never: the list was read */
	if (!decap_owner_accepted(arg, owner.bytes))
		return DECAP_OWNERS_REFUSED;
	if (decap_ttl(ip, end, is4) <= 1)
		return DECAP_OWNERS_TTL;
	if (!decap_fits(udp, DECAP_UDP_LEN + DECAP_GUE_LEN + SECOND_HEAD_LEN, end) ||
	    !decap_redirect(ip, end, &owner, is4))
		return DECAP_TRUNCATED; /* never */
	udp[6] = udp[7] = 0;            /* no sum, as our balancers send it */
	((struct second_head *)head)->next = (unsigned char)(next + 1);
	return DECAP_PASSED_ON;
}

/** Whether the list is sound. @return DECAP_PASSED, or why it is not */
DECAP_INLINE enum decap_reason decap_list_check(const unsigned char *ip, const unsigned char *udp,
                                                const unsigned char *end,
                                                const struct decap_result *r)
{
	const unsigned char *at = udp + DECAP_UDP_LEN + DECAP_GUE_LEN + SECOND_HEAD_LEN;
	struct decap_list list = { 0 };

	if (!decap_list_read(&list, at, ip, end, r))
		return DECAP_TRUNCATED; /* never: the lengths were compared */
	return decap_list_ok(&list, r->owners_n, r->owners_next) ? DECAP_PASSED : DECAP_OWNERS_LOOP;
}

/** Whether the packet's connection is this host's, or nobody can say whose it is. */
DECAP_INLINE int decap_stays(const unsigned char *frame, const unsigned char *end, void *arg,
                             const struct decap_result *r)
{
	struct decap_flow flow = { .tcp_off = 0 };

	return !decap_flow_read(&flow, frame, end, r) ||
	       second_is_here(decap_socket(arg, frame, end, &flow), flow.is_syn);
}

/**
 * What becomes of a packet whose GUE header names earlier owners.
 *
 * @param r  of decap_parse(), which has returned DECAP_GUE; its owners_n is not 0
 * @return DECAP_OWNED, DECAP_LAST: take the tunnel off, decap_finish(). DECAP_PASSED_ON: the
 *         frame is for the next owner now, by a route look-up. Others: drop it
 */
DECAP_INLINE enum decap_reason decap_second(unsigned char *frame, const unsigned char *end,
                                            void *arg, const struct decap_result *r)
{
	unsigned int off = (r->owners_off - DECAP_UDP_LEN - DECAP_GUE_LEN) & DECAP_OFF_MASK;
	unsigned char *ip = frame + DECAP_ETH_LEN, *udp = frame + off;
	enum decap_reason reason = decap_list_check(ip, udp, end, r);

	if (reason != DECAP_PASSED)
		return reason;
	if (r->owners_next >= r->owners_n)
		return DECAP_LAST;
	if (decap_stays(frame, end, arg, r))
		return DECAP_OWNED;
	return decap_pass_on(ip, udp, end, arg, r->owners_next, r->outer_is4);
}

#endif
