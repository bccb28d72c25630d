/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames by each way through the shared forwarding code: one by one, by the general stages alone, and
 * as a worker's bursts. Each must leave the same verdicts, frames and tables, and read nothing outside
 * of a frame: each is in a copy of its exact size.
 *
 * The input is a list of steps of STEP bytes: a frame of a shape with some bytes changed, or a change of
 * the tables. What few clients and VIPs there are lets flows meet again. Some addresses have a first
 * half of zeros, which the fast path leaves to the general stages.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd/world.h"
#include "weir/fwd/rewrite.h"

#define STEP      10u
#define BURST_MAX 64u
#define FRAME_MAX 160u
#define N_SLOTS   96u
#define ROOM      80u

enum { ONE_BY_ONE, LONG_WAY, BURST, WAYS };

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

static struct world pristine, worlds[WAYS];
static uint32_t now_s;
static struct frame frames[BURST_MAX];
static uint32_t n_frames;

static const char *const vips[] = { "192.0.2.80", "2001:db8:80::80", "::5", "2001:db8:80::81" };
static const char *const backends[] = { "10.1.0.1",      "10.1.0.2",     "2001:db8:b::3",
	                                "2001:db8:b::4", "::b",          "::ffff:0:a01:6",
	                                "10.1.0.7",      "2001:db8:b::8" };

static void add_backends(struct world *w)
{
	for (uint32_t i = 0; i < 8; i++) {
		union fwd_addr a = world_addr(backends[i]);

		world_add_backend(w, i + 1, &a, i % 2 ? FWD_ENCAP_GUE : FWD_ENCAP_IPIP, 1 + i / 7);
	}
	w->t.backends[7].encap = FWD_ENCAP_L2;
	w->t.backends[8].vlan = 77;
	w->t.backends[9].flags = FWD_BACKEND_USED | FWD_BACKEND_FULL;
}

static void set_up(void)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 64,
		                            .pools = 3,
		                            .backends = 16,
		                            .slots = N_SLOTS,
		                            .exception_buckets = 2 };
	struct world *w = &pristine;

	world_init(w, &sizes, 1);
	world_set_source(w, "10.255.1.0", 24);
	world_set_source(w, "2001:db8:ff:1::", 64);
	add_backends(w);
	for (size_t i = 0; i < 4; i++) {
		world_add_vip(w, vips[i]);
		world_add_service(w, vips[i], 80, FWD_PROTO_TCP, 0, 0);
		world_add_service(w, vips[i], 53, FWD_PROTO_UDP, 1, FWD_SERVICE_HASH_SOURCE);
		world_add_service(w, vips[i], 443, FWD_PROTO_TCP, 1, 0);
		world_add_service(w, vips[i], 4433, FWD_PROTO_UDP, 1, 0);
		world_add_service(w, vips[i], 85, FWD_PROTO_TCP, 2, 0);
		world_add_service(w, vips[i], 86, FWD_PROTO_TCP, FWD_POOL_NONE, 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		world_add_pool(w, i, i * 32, 5, 1, 9);
	w->t.pools[2].flags = FWD_POOL_AGENTS;
	for (int i = 0; i < WAYS; i++)
		world_init(&worlds[i], &sizes, 1);
}

/* --- frames --- */

static void put_bytes(struct frame *f, const void *bytes, size_t n)
{
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void put_number(struct frame *f, uint16_t v)
{
	const uint8_t bytes[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put_bytes(f, bytes, 2);
}

static void put_ip4(struct frame *f, uint8_t client, uint8_t protocol, uint16_t room)
{
	const uint8_t src[4] = { 10, 9, 0, client };

	put_bytes(f, "\x45\x10", 2);
	put_number(f, (uint16_t)(room + 20));
	put_bytes(f, "\x12\x34\x40\x00\x40", 5);
	put_bytes(f, &protocol, 1);
	put_number(f, 0);
	put_bytes(f, src, 4);
	put_bytes(f, "\xc0\x00\x02\x50", 4);
}

static void put_ip6(struct frame *f, uint8_t client, uint8_t protocol, uint16_t room,
                    const char *vip)
{
	union fwd_addr src = world_addr("2001:db8:c::"), dst = world_addr(vip);

	src.bytes[15] = client;
	put_bytes(f, "\x61\x23\x45\x67", 4);
	put_number(f, room);
	put_bytes(f, &protocol, 1);
	put_bytes(f, "\x40", 1);
	put_bytes(f, &src, 16);
	put_bytes(f, &dst, 16);
}

static void put_transport(struct frame *f, uint8_t protocol, const uint8_t *s, uint16_t room)
{
	static const uint16_t tcp_ports[] = { 80, 443, 85, 86 }, udp_ports[] = { 53, 4433 };
	static const uint8_t flags[] = { FWD_TCP_ACK, FWD_TCP_SYN, FWD_TCP_SYN | FWD_TCP_ACK,
		                         FWD_TCP_RST, FWD_TCP_FIN | FWD_TCP_ACK };

	if (protocol == FWD_PROTO_ICMP || protocol == FWD_PROTO_ICMP6) {
		put_bytes(f, protocol == FWD_PROTO_ICMP ? "\x03\x00" : "\x01\x00", 2);
		put_bytes(f, "\0\0\0\0\0", 6);
		return;
	}
	put_number(f, (uint16_t)(1024 + s[1] / 64));
	put_number(f, protocol == FWD_PROTO_TCP ? tcp_ports[s[2] % 4] : udp_ports[s[2] % 2]);
	if (protocol == FWD_PROTO_UDP) {
		put_number(f, room);
		put_number(f, 0);
		return;
	}
	put_bytes(f, (const uint8_t[8]){ 0, s[2] & 0x30, 0, 0, 0, 0, 0, 1 }, 8);
	put_bytes(f, (const uint8_t[2]){ 0x50, flags[(s[2] >> 2) % 5] }, 2);
	put_bytes(f, "\x20\0\0\0\0", 6);
}

/* The quoted packet of an error: a reply of the service. */
static void put_quoted(struct frame *f, bool is4, const uint8_t *s)
{
	struct frame q = { .len = 0 };
	uint8_t src[16];
	size_t n = is4 ? 4 : 16, at = is4 ? 12 : 8;

	if (is4)
		put_ip4(&q, s[1] % 8, FWD_PROTO_TCP, 8);
	else
		put_ip6(&q, s[1] % 8, FWD_PROTO_TCP, 8, vips[1]);
	memcpy(src, q.bytes + at, n);
	memmove(q.bytes + at, q.bytes + at + n, n);
	memcpy(q.bytes + at + n, src, n);
	put_number(&q, s[2] % 2 ? 443 : 80);
	put_number(&q, (uint16_t)(1024 + s[1] / 64));
	put_bytes(&q, "\0\0\0\1", 4);
	put_bytes(f, q.bytes, q.len);
}

/* s: shape, client and port, ports and flags, payload, a byte to change and its value, twice; length */
static void make_frame(struct frame *f, const uint8_t *s)
{
	bool is4 = s[0] & 1, is_error = (s[0] & 14) == 14;
	uint8_t protocol = is_error   ? (is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6)
	                   : s[0] & 2 ? FWD_PROTO_UDP
	                              : FWD_PROTO_TCP;
	size_t quoted = !is_error ? 0 : is4 ? 28 : 48;
	uint16_t room = (uint16_t)((protocol == FWD_PROTO_TCP ? 20u : 8u) + quoted + s[3] % 16);
	const char *vip = vips[1 + s[0] / 16 % 3];

	*f = (struct frame){ .len = 0 };
	put_bytes(f, "\x02\xaa\x00\x00\x00\x01\x02\xcc\x00\x00\x00\x01", 12);
	if (s[0] & 64)
		put_bytes(f, "\x81\x00\x00\x07", 4);
	put_number(f, is4 ? FWD_ETHERTYPE_IP4 : FWD_ETHERTYPE_IP6);
	if (is4)
		put_ip4(f, s[1] % 8, protocol, room);
	else
		put_ip6(f, s[1] % 8, protocol, room, vip);
	put_transport(f, protocol, s, room);
	if (is_error)
		put_quoted(f, is4, s);
	memset(f->bytes + f->len, 0x5a, s[3] % 16);
	f->len += s[3] % 16;
	for (int i = 0; i < 2; i++)
		if (s[4 + 2 * i])
			f->bytes[s[4 + 2 * i] % f->len] = s[5 + 2 * i];
	if (s[8] & 1)
		f->len = FWD_ETH_LEN + s[9] % (f->len - FWD_ETH_LEN + 1);
	else if (s[8] & 2)
		f->len += s[9] % 16;
}

/* --- the ways --- */

static struct fwd_packet copy_frame(const struct frame *f, uint32_t room)
{
	uint8_t *copy = malloc(room + f->len);

	if (!copy)
		abort();
	memcpy(copy + room, f->bytes, f->len);
	return (struct fwd_packet){ copy + room, copy + room + f->len, copy };
}

static void forward_frames(int way, struct fwd_packet *packets, struct fwd_verdict *v)
{
	if (way == BURST) {
		world_forward_burst(&worlds[way], packets, n_frames, now_s, v);
		return;
	}
	for (uint32_t i = 0; i < n_frames; i++)
		(way == LONG_WAY ? world_forward_long : world_forward)(&worlds[way], &packets[i],
		                                                       now_s, &v[i]);
}

static void compare_outcomes(uint32_t i, int way, const struct fwd_packet *a,
                             const struct fwd_packet *b, const struct fwd_verdict *x,
                             const struct fwd_verdict *y)
{
	size_t len = (size_t)(a->end - a->data);

	if (x->reason == y->reason && fwd_reason_kind(x->reason) == FWD_KIND_DROP)
		return; /* nobody sees the frame again */
	if (x->reason == y->reason && len == (size_t)(b->end - b->data) &&
	    !memcmp(a->data, b->data, len) &&
	    (fwd_reason_kind(x->reason) != FWD_KIND_TX || fwd_egress(x) == fwd_egress(y)))
		return;
	fprintf(stderr, "frame %u of %u, way %d: reason %d, %zu bytes, port %u, not %d, %zu, %u\n",
	        i, n_frames, way, (int)y->reason, (size_t)(b->end - b->data), fwd_egress(y),
	        (int)x->reason, len, fwd_egress(x));
	for (size_t k = 0; k < frames[i].len; k++)
		fprintf(stderr, "%02x%s", frames[i].bytes[k], k % 4 == 3 ? " " : "");
	fprintf(stderr, "\n");
	abort();
}

/* Forward what was gathered, in buffers with @p room in front of each. */
static void flush_frames(uint32_t room)
{
	static struct fwd_packet packets[WAYS][BURST_MAX];
	static struct fwd_verdict verdicts[WAYS][BURST_MAX];
	uint8_t *buffers[WAYS][BURST_MAX];

	for (int way = 0; way < WAYS; way++) {
		for (uint32_t i = 0; i < n_frames; i++) {
			packets[way][i] = copy_frame(&frames[i], room);
			buffers[way][i] = packets[way][i].data - room;
		}
		forward_frames(way, packets[way], verdicts[way]);
		const char *table = world_difference(&worlds[0], &worlds[way]);

		for (uint32_t i = 0; i < n_frames; i++)
			compare_outcomes(i, way, &packets[0][i], &packets[way][i], &verdicts[0][i],
			                 &verdicts[way][i]);
		if (table) {
			fprintf(stderr, "way %d leaves another table %s\n", way, table);
			abort();
		}
	}
	for (int way = 0; way < WAYS; way++)
		for (uint32_t i = 0; i < n_frames; i++)
			free(buffers[way][i]);
	n_frames = 0;
}

static void change_slot(struct world *w, const uint8_t *s)
{
	uint32_t slot = 32 + s[1] % 64;
	struct owner_cold *cold = &w->t.colds[slot];

	*world_slot(w, slot) = s[2] % 10 | (s[3] & 3 ? FWD_SLOT_UNSETTLED : 0);
	for (int i = 0; i < OWNER_CLASSES; i++)
		cold->claim[i] =
		        (struct owner_claim){ .base = s[4] % 10,
			                      .settle_at = s[5] ? now_s + s[5] - 128u : 0,
			                      .seen_at = now_s,
			                      .spilled_at = (uint16_t)(now_s - s[6] % 20) };
	if (slot >= 64) {
		cold->list.earlier = owner_list_with(0, 0, s[7] % 10);
		cold->list.earlier = owner_list_with(cold->list.earlier, 1, s[8] % 10);
	} else {
		cold->claim[OWNER_CLASS_UDP].drill = s[7] % 10;
	}
}

static void change_tables(struct world *w, const uint8_t *s)
{
	struct fwd_backend *b = &w->t.backends[1 + s[1] % 9];

	switch (s[0] & 7) {
	case 0:
		b->inner_mtu = (uint16_t)(s[2] & 1 ? 1500 : 40 + s[3] % 64);
		b->flags = s[2] & 2 ? FWD_BACKEND_USED : s[4] & 15;
		break;
	case 1:
		w->t.root->source6 =
		        s[2] & 1 ? world_prefix("2001:db8:ff:1::", 64) : (struct fwd_prefix){ 0 };
		w->t.root->source4 =
		        s[2] & 2 ? world_prefix("10.255.1.0", 24) : (struct fwd_prefix){ 0 };
		break;
	case 2:
		w->t.drills[s[1] % FWD_DRILLS_MAX] = (struct fwd_drill){
			.clients = world_prefix(s[2] & 1 ? "2001:db8:c::" : "10.9.0.0",
			                        s[2] & 1 ? 48 : 24),
			.state = s[3] % (FWD_DRILL_SENDS + 1u),
		};
		for (uint32_t i = 0; i < w->t.n_services; i++)
			if (w->t.services[i].protocol)
				w->t.services[i].drills = s[4] & 15;
		break;
	case 3:
		w->t.root->sample_wide = s[1];
		w->t.root->n_exception_buckets = s[2] % 3;
		w->t.root->answers_per_s = s[3];
		break;
	default:
		change_slot(w, s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!pristine.t.root)
		set_up();
	for (int i = 0; i < WAYS; i++)
		world_copy(&worlds[i], &pristine);
	now_s = 1000;
	n_frames = 0;
	for (size_t at = 0; at + STEP <= size; at += STEP) {
		const uint8_t *s = data + at;

		if (n_frames == BURST_MAX || s[0] >= 128)
			flush_frames(s[0] & 64 ? s[9] % ROOM & ~1u : ROOM);
		if (s[0] >= 128) {
			now_s += s[9] >> (s[9] & 7);
			for (int i = 0; i < WAYS; i++)
				change_tables(&worlds[i], s);
			continue;
		}
		make_frame(&frames[n_frames++], s);
	}
	flush_frames(ROOM);
	return 0;
}
