/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A probe packet must be like a client's packet and change nothing. So it is no SYN, its flow is in
 * a settled slot, where packets read and write nothing but counters (weir/fwd/owner.h), and its
 * source is an address for benchmarks (RFC 2544, RFC 5180), which no client has. Where all slots
 * are unsettled, it is an ICMP error about such a flow: that goes where the flow goes, to the slot's
 * base, and is never remembered. Only a SYN would go to the owner of new flows, and would be
 * remembered; so where the base is gone and new flows are forwarded, nothing is proved until slots
 * settle.
 *
 * What comes out is judged byte by byte from the RFCs and from where the pool's backends are, not by
 * running the decision a second time: code that is wrong in the same way twice would pass.
 */
#include "dataplane/prover_internal.h"

#include <string.h>

#include "weir/fwd/decide.h"

#define FLOWS_TRIED 64u         /* of a service: enough to find a settled slot in one of ten */
#define SOURCES4    0xc6120000u /* 198.18.0.0/15 */
#define SOURCE_BITS 17u
#define SOURCE_PORT 40000u
#define PROBE_TTL   64u
#define PROBE_SEQ   1u

/* The @p i-th of the sources, spread over all of them. */
static void make_source(struct fwd_tuple *f, bool is4, uint32_t i)
{
	uint32_t low =
	        (i * ((1u << SOURCE_BITS) / FLOWS_TRIED + 1) + 1) & ((1u << SOURCE_BITS) - 1);

	if (is4)
		fwd_addr_from4(&f->src, fwd_be32(SOURCES4 | low));
	else
		f->src = (union fwd_addr){ .words_be = { fwd_be32(0x20010002), 0, 0,
			                                 fwd_be32(low) } };
}

/* How good a flow is for a probe. */
enum flow_rank {
	RANK_LOST_QUOTED, /* its slot is unsettled, and its packet cannot be sent */
	RANK_LOST,        /* the same of a settled one */
	RANK_QUOTED,      /* unsettled, but its base can be sent to */
	RANK_SETTLED,
};

static bool can_send_to(const struct fwd_tables *t, uint32_t backend)
{
	const struct fwd_backend *b = backend ? fwd_port_backend(t, backend) : NULL;

	return b && b->flags == FWD_BACKEND_USED;
}

/*
 * Packets of pools with agents and of services that reset UDP flows are never remembered, so their
 * unsettled slots are as good as settled ones. @param is_unsafe  out: a new flow could be forwarded,
 * where this one, of the base, cannot
 */
static enum flow_rank rank_flow(const struct fwd_tables *t, const struct fwd_pool *pool,
                                const struct fwd_service *service, struct prover_flow *f,
                                bool *is_unsafe)
{
	const struct fwd_parsed p = { .flow = f->tuple, .is4 = f->is4 };
	uint64_t hash = fwd_hash_flow(t->root->hash_key, &f->tuple, f->is4);
	uint32_t slot = fwd_decide_slot(t->root, pool, &p, service, hash);
	uint16_t hot = fwd_slot_word(t, slot);
	const struct owner_cold *cold = fwd_port_cold(t, slot);
	bool is_tcp = f->tuple.protocol == FWD_PROTO_TCP;
	bool is_forgotten =
	        is_tcp ? pool->flags & FWD_POOL_AGENTS : service->udp_policy == FWD_UDP_RESET;

	f->backend = hot & FWD_SLOT_BACKEND;
	f->is_quoted = hot & FWD_SLOT_UNSETTLED && !is_forgotten;
	if (!f->is_quoted)
		return can_send_to(t, f->backend) ? RANK_SETTLED : RANK_LOST;
	*is_unsafe |= can_send_to(t, f->backend);
	f->backend = cold ? cold->claim[is_tcp ? OWNER_CLASS_TCP : OWNER_CLASS_UDP].base : 0;
	return can_send_to(t, f->backend) ? RANK_QUOTED : RANK_LOST_QUOTED;
}

enum prover_choice prover_flow_choose(const struct fwd_tables *t, const struct fwd_service *service,
                                      uint32_t pool, uint32_t start, struct prover_flow *out)
{
	const struct fwd_pool *at = fwd_port_pool(t, pool);
	bool is_unsafe = false;
	int best = -1;

	for (uint32_t i = 0; at && i < FLOWS_TRIED && best < RANK_SETTLED; i++) {
		struct prover_flow f = { .pool_id = at->id, .is4 = fwd_addr_is4(&service->vip) };
		int rank;

		f.tuple = (struct fwd_tuple){ .dst = service->vip,
			                      .sport_be = fwd_be16(SOURCE_PORT),
			                      .dport_be = service->port_be,
			                      .protocol = service->protocol };
		make_source(&f.tuple, f.is4, start + i);
		if (fwd_is_loop(t, t->root, &f.tuple.src, f.is4))
			continue;
		rank = (int)rank_flow(t, at, service, &f, &is_unsafe);
		if (rank > best) {
			best = rank;
			*out = f;
		}
	}
	if (best < RANK_QUOTED && is_unsafe)
		return PROVER_CHOICE_UNSAFE;
	return best >= 0 ? PROVER_CHOICE_FLOW : PROVER_CHOICE_NONE;
}

/* --- making --- */

static size_t ip_len(bool is4)
{
	return is4 ? FWD_IP4_LEN : FWD_IP6_LEN;
}

static void put_ip(uint8_t *at, bool is4, const union fwd_addr *src, const union fwd_addr *dst,
                   uint8_t protocol, size_t payload)
{
	struct fwd_ip4 *ip4 = (struct fwd_ip4 *)(void *)at;
	struct fwd_ip6 *ip6 = (struct fwd_ip6 *)(void *)at;

	if (is4) {
		*ip4 = (struct fwd_ip4){ .version_ihl = 0x45,
			                 .len_be = fwd_be16((uint16_t)(FWD_IP4_LEN + payload)),
			                 .ttl = PROBE_TTL,
			                 .protocol = protocol,
			                 .src_be = src->words_be[3],
			                 .dst_be = dst->words_be[3] };
		ip4->sum = fwd_sum_ip4(ip4);
		return;
	}
	*ip6 = (struct fwd_ip6){ .version_class_flow_be = fwd_be32(6u << 28),
		                 .len_be = fwd_be16((uint16_t)payload),
		                 .next = protocol,
		                 .hop_limit = PROBE_TTL };
	memcpy(ip6->src_be, src, sizeof(*src));
	memcpy(ip6->dst_be, dst, sizeof(*dst));
}

/* @return its length */
static size_t put_segment(uint8_t *at, const struct fwd_tuple *f)
{
	struct fwd_tcp *tcp = (struct fwd_tcp *)(void *)at;
	struct fwd_udp *udp = (struct fwd_udp *)(void *)at;

	if (f->protocol == FWD_PROTO_UDP) {
		*udp = (struct fwd_udp){ .sport_be = f->sport_be,
			                 .dport_be = f->dport_be,
			                 .len_be = fwd_be16(FWD_UDP_LEN) };
		return FWD_UDP_LEN;
	}
	*tcp = (struct fwd_tcp){ .sport_be = f->sport_be,
		                 .dport_be = f->dport_be,
		                 .seq_be = fwd_be32(PROBE_SEQ),
		                 .offset = 5 << 4,
		                 .flags = FWD_TCP_ACK };
	return FWD_TCP_LEN;
}

/* "Port unreachable" from the client, about a packet from the VIP (RFC 792, 4443). @return length */
static size_t put_error(uint8_t *at, const struct prover_flow *f)
{
	const struct fwd_tuple back = { .sport_be = f->tuple.dport_be,
		                        .dport_be = f->tuple.sport_be,
		                        .protocol = f->tuple.protocol };
	uint8_t *quote = at + FWD_ICMP_LEN;
	size_t n = put_segment(quote + ip_len(f->is4), &back);

	*(struct fwd_icmp *)(void *)at =
	        (struct fwd_icmp){ .type = f->is4 ? 3 : 1, .code = f->is4 ? 3 : 4 };
	put_ip(quote, f->is4, &f->tuple.dst, &f->tuple.src, f->tuple.protocol, n);
	return FWD_ICMP_LEN + ip_len(f->is4) + n;
}

void prover_frame_make(const struct prover_flow *f, const uint8_t mac[6], struct driver_probe *out)
{
	struct fwd_eth *eth = (struct fwd_eth *)(void *)out->frame;
	uint8_t *l3 = out->frame + FWD_ETH_LEN, *l4 = l3 + ip_len(f->is4);
	uint8_t protocol = f->tuple.protocol;
	size_t n;

	memset(out, 0, sizeof(*out));
	memcpy(eth->to, mac, 6);
	eth->from[0] = 2; /* a local address (IEEE 802): no host's */
	eth->type_be = fwd_be16(f->is4 ? FWD_ETHERTYPE_IP4 : FWD_ETHERTYPE_IP6);
	n = f->is_quoted ? put_error(l4, f) : put_segment(l4, &f->tuple);
	if (f->is_quoted)
		protocol = f->is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6;
	put_ip(l3, f->is4, &f->tuple.src, &f->tuple.dst, protocol, n);
	out->length = (uint16_t)(FWD_ETH_LEN + ip_len(f->is4) + n);
}

/* --- judging --- */

/* An IPv4 checksum; both zeros of its arithmetic are one. */
static bool has_right_sum(const struct fwd_ip4 *ip)
{
	uint16_t sum = fwd_sum_ip4(ip);

	return sum == ip->sum ||
	       ((sum == 0 || sum == 0xffff) && (ip->sum == 0 || ip->sum == 0xffff));
}

/* Whether @p to is the packet @p from with a TTL or hop limit that is one less, @p n bytes each. */
static bool is_one_hop_on(const uint8_t *from, const uint8_t *to, size_t n, bool is4)
{
	_Alignas(8) uint8_t expected[DRIVER_PROBE_LEN], got[DRIVER_PROBE_LEN];

	memcpy(expected, from, n);
	memcpy(got, to, n);
	if (is4) {
		if (!has_right_sum((const struct fwd_ip4 *)(const void *)got))
			return false;
		((struct fwd_ip4 *)(void *)expected)->ttl--;
		((struct fwd_ip4 *)(void *)expected)->sum = 0;
		((struct fwd_ip4 *)(void *)got)->sum = 0;
	} else {
		((struct fwd_ip6 *)(void *)expected)->hop_limit--;
	}
	return !memcmp(expected, got, n);
}

/* Where the IP header of a frame begins, behind at most two tags; 0: it has none. */
static size_t find_l3(const struct driver_probe *p)
{
	size_t at = FWD_ETH_LEN;
	uint16_t type_be;

	memcpy(&type_be, p->frame + at - 2, 2);
	for (int i = 0; i < 2 && fwd_is_tag(type_be); i++) {
		at += FWD_VLAN_LEN;
		memcpy(&type_be, p->frame + at - 2, 2);
	}
	return type_be == fwd_be16(FWD_ETHERTYPE_IP4) || type_be == fwd_be16(FWD_ETHERTYPE_IP6) ? at
	                                                                                        : 0;
}

/*
 * Read the outer headers, @p n bytes before the inner packet: an IP header whose length is right,
 * and perhaps UDP and GUE with a list. @return false: they are none; else where the tunnel leads
 */
static bool read_outer(const uint8_t *at, size_t n, size_t whole, bool inner_is4,
                       union fwd_addr *to)
{
	const struct fwd_ip4 *ip4 = (const void *)at;
	const struct fwd_ip6 *ip6 = (const void *)at;
	uint8_t inner = inner_is4 ? FWD_PROTO_IP4 : FWD_PROTO_IP6, protocol;
	bool is4 = n >= FWD_IP4_LEN && ip4->version_ihl == 0x45;
	size_t ip = ip_len(is4);
	const struct fwd_gue *gue = (const void *)(at + ip + FWD_UDP_LEN);

	if (!is4 && (n < FWD_IP6_LEN || at[0] >> 4 != 6))
		return false;
	if (is4) {
		fwd_addr_from4(to, ip4->dst_be);
		protocol = ip4->protocol;
		if (fwd_be16(ip4->len_be) != whole || !has_right_sum(ip4))
			return false;
	} else {
		memcpy(to, ip6->dst_be, sizeof(*to));
		protocol = ip6->next;
		if (fwd_be16(ip6->len_be) != whole - FWD_IP6_LEN)
			return false;
	}
	if (protocol == inner)
		return n == ip;
	return protocol == FWD_PROTO_UDP && n >= ip + FWD_UDP_LEN + FWD_GUE_LEN &&
	       gue->protocol == inner &&
	       n == ip + FWD_UDP_LEN + FWD_GUE_LEN + 4u * (gue->version_len & 0x1fu);
}

/* Whether a frame to @p mac that leads to @p to (NULL: mode l2) is for backend @p b of the pool. */
static bool is_for_backend(const struct fwd_backend *b, uint64_t pool_id, const union fwd_addr *to,
                           const uint8_t *mac)
{
	return b->flags & FWD_BACKEND_USED && b->pool_id == pool_id &&
	       !memcmp(b->mac_to, mac, sizeof(b->mac_to)) &&
	       (to ? b->encap != FWD_ENCAP_L2 && !memcmp(&b->address, to, sizeof(*to))
	           : b->encap == FWD_ENCAP_L2);
}

/* The backend that was expected first: an unsettled slot may lead to another one of the pool. */
static bool is_for_pool(const struct fwd_tables *t, const struct prover_flow *f,
                        const union fwd_addr *to, const uint8_t *mac)
{
	if (f->backend && f->backend < t->n_backends &&
	    is_for_backend(&t->backends[f->backend], f->pool_id, to, mac))
		return true;
	for (uint32_t i = 1; i < t->n_backends; i++)
		if (is_for_backend(&t->backends[i], f->pool_id, to, mac))
			return true;
	return false;
}

bool prover_frame_is_forwarded(const struct fwd_tables *t, const struct prover_flow *f,
                               const struct driver_probe *from, const struct driver_probe *to)
{
	size_t inner_len = from->length - (size_t)FWD_ETH_LEN;
	size_t l3 = to->length >= from->length && to->length <= sizeof(to->frame) ? find_l3(to) : 0;
	union fwd_addr outer;
	size_t head;

	if (!l3 || to->length < l3 + inner_len)
		return false;
	head = to->length - l3 - inner_len;
	if (!is_one_hop_on(from->frame + FWD_ETH_LEN, to->frame + to->length - inner_len, inner_len,
	                   f->is4))
		return false;
	if (!head)
		return is_for_pool(t, f, NULL, to->frame);
	return read_outer(to->frame + l3, head, head + inner_len, f->is4, &outer) &&
	       is_for_pool(t, f, &outer, to->frame);
}
