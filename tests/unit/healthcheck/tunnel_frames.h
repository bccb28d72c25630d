/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for the tests of the backend agent: every tunnel that it takes off, and the ways to
 * spoil one. Written down by the standards' pictures, apart from the code under test.
 */
#ifndef TUNNEL_FRAMES_H
#define TUNNEL_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MAX 320

enum tunnel_kind { TUNNEL_NONE, TUNNEL_IPIP, TUNNEL_GUE0, TUNNEL_GUE1 };

struct tunnel_plan {
	enum tunnel_kind kind;
	bool outer4, inner4;
	unsigned outer_options; /* 32-bit words of IPv4 options (NOPs) */
	unsigned outer_ecn, inner_ecn;
	unsigned payload_len;
	unsigned owners, next; /* GUE0: earlier owners that are named, and who is next */
};

struct tunnel_frame {
	uint8_t bytes[FRAME_MAX];
	size_t n;
	size_t outer, udp, gue, list, inner; /* offsets; 0: there is none */
};

static inline void put_be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void fix_sum4(uint8_t *ip)
{
	unsigned long sum = 0;

	put_be16(ip + 10, 0);
	for (unsigned i = 0; i < (ip[0] & 15u) * 4; i += 2)
		sum += (unsigned)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(ip + 10, (unsigned)~sum & 0xffff);
}

/* An IP header of @p header_len bytes before a payload of @p len. */
static inline void put_ip(uint8_t *p, bool is4, unsigned options, unsigned protocol, unsigned len,
                          unsigned ecn, uint8_t last)
{
	static const uint8_t net4[4] = { 10, 1, 255, 0 };
	static const uint8_t net6[16] = { 0xfd, 0, 0, 1, 0, 0xff };

	if (is4) {
		p[0] = (uint8_t)(0x45 + options);
		p[1] = (uint8_t)(0x28 << 2 | ecn);
		put_be16(p + 2, 20 + options * 4 + len);
		p[8] = 64;
		p[9] = (uint8_t)protocol;
		memcpy(p + 12, net4, 4);
		p[15] = last;
		memcpy(p + 16, (const uint8_t[]){ 203, 0, 113, 10 }, 4);
		memset(p + 20, 1, options * 4);
		fix_sum4(p);
		return;
	}
	p[0] = 0x6a;
	p[1] = (uint8_t)(ecn << 4 | 5);
	put_be16(p + 4, len);
	p[6] = (uint8_t)protocol;
	p[7] = 64;
	memcpy(p + 8, net6, 16);
	p[23] = last;
	memcpy(p + 24, (const uint8_t[]){ 0x20, 1, 0xd, 0xb8 }, 4);
	p[39] = 10;
}

static inline unsigned ip_len(bool is4, unsigned options)
{
	return is4 ? 20 + options * 4 : 40;
}

/* The k-th owner of a list, as it stands there: 10.1.0.1 or fd00:1::1 and up. @return its length */
static inline unsigned put_owner(uint8_t *p, bool is4, unsigned k)
{
	static const uint8_t net4[4] = { 10, 1, 0, 0 };
	static const uint8_t net6[16] = { 0xfd, 0, 0, 1 };

	memcpy(p, is4 ? net4 : net6, is4 ? 4 : 16);
	p[is4 ? 3 : 15] = (uint8_t)(k + 1);
	return is4 ? 4 : 16;
}

/* Private data that name plan->owners of them; the packet is with the one before plan->next. */
static inline void put_owners(struct tunnel_frame *f, const struct tunnel_plan *plan)
{
	unsigned len = 4;

	f->list = f->n;
	memcpy(f->bytes + f->n,
	       (const uint8_t[]){ 1, (uint8_t)plan->owners, (uint8_t)plan->next, 0 }, 4);
	for (unsigned k = 0; k < plan->owners; k++)
		len += put_owner(f->bytes + f->n + len, plan->outer4, k);
	f->bytes[f->gue] = (uint8_t)(len / 4);
	f->n += len;
	if (plan->next > 0)
		put_owner(f->bytes + f->outer + (plan->outer4 ? 16 : 24), plan->outer4,
		          plan->next - 1);
	if (plan->outer4)
		fix_sum4(f->bytes + f->outer);
}

/* The frame of @p plan, from 10.1.255.7 or fd00:1:ff::7 outside. */
static inline struct tunnel_frame make_frame(const struct tunnel_plan *plan)
{
	struct tunnel_frame f = { .n = 14 };
	unsigned inner_len = ip_len(plan->inner4, 0) + plan->payload_len;
	unsigned list_len = plan->owners ? 4 + plan->owners * (plan->outer4 ? 4 : 16) : 0;
	unsigned gue_len = plan->kind == TUNNEL_GUE0 ? 4 + list_len : 0;
	unsigned protocol = plan->inner4 ? 4 : 41;
	bool l3_is4 = plan->inner4;

	memcpy(f.bytes, "\x02\xaa\xbb\xcc\xdd\x01\x02\xaa\xbb\xcc\xdd\x02", 12);
	if (plan->kind != TUNNEL_NONE) {
		unsigned len = inner_len;

		if (plan->kind != TUNNEL_IPIP)
			len += 8 + gue_len;
		f.outer = f.n;
		put_ip(f.bytes + f.n, plan->outer4, plan->outer_options,
		       plan->kind == TUNNEL_IPIP ? protocol : 17, len, plan->outer_ecn, 7);
		f.n += ip_len(plan->outer4, plan->outer_options);
		l3_is4 = plan->outer4;
	}
	if (plan->kind == TUNNEL_GUE0 || plan->kind == TUNNEL_GUE1) {
		f.udp = f.n;
		put_be16(f.bytes + f.n, 50123);
		put_be16(f.bytes + f.n + 2, 6080);
		put_be16(f.bytes + f.n + 4, 8 + gue_len + inner_len);
		f.n += 8;
		f.gue = f.n;
		if (gue_len)
			f.bytes[f.n + 1] = (uint8_t)protocol;
		f.n += gue_len ? 4 : 0;
		if (plan->owners)
			put_owners(&f, plan);
	}
	put_be16(f.bytes + 12, l3_is4 ? 0x0800 : 0x86dd);
	f.inner = f.n;
	put_ip(f.bytes + f.n, plan->inner4, 0, 6, plan->payload_len, plan->inner_ecn, 99);
	f.n += ip_len(plan->inner4, 0);
	for (unsigned i = 0; i < plan->payload_len; i++)
		f.bytes[f.n++] = (uint8_t)(i * 7 + 3);
	return f;
}

/* The n-th of all plans without ECN: 3 tunnels, 2 by 2 families, with and without options. */
#define N_PLANS 24
static inline struct tunnel_plan nth_plan(unsigned i)
{
	bool outer4 = i & 1;

	return (struct tunnel_plan){ .kind = (enum tunnel_kind)(1 + i / 8),
		                     .outer4 = outer4,
		                     .inner4 = i >> 1 & 1,
		                     .outer_options = outer4 && i >> 2 & 1 ? 10 : 0,
		                     .payload_len = 24 };
}

#endif
