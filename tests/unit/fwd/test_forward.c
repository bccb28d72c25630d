/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fwd/world.h"
#include "tests/unit/fwd/frames.h"
#include "tests/unit/fwd/test_frame.h"
#include "tests/unit/suite.h"
#include "weir/fwd/rewrite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROOM     64u
#define VIP4     "192.0.2.80"
#define VIP6     "2001:db8:80::80"

/** Every slot of pool 0 is backend @p backend's. */
static void all_to(struct world *w, uint16_t backend)
{
	for (uint32_t slot = 0; slot < 32; slot++)
		*world_slot(w, slot) = backend;
}

static void add_backend(struct world *w, uint32_t i, const char *address, enum fwd_encap_mode encap)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(w, i, &a, encap, 1);
}

static int set_up(void **state)
{
	static struct world w;
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 2,
		                            .backends = 8,
		                            .slots = 64,
		                            .exception_buckets = 4 };

	world_init(&w, &sizes, 1);
	w.t.root->hash_key[0] = w.t.root->hash_key[1] = 0;
	world_set_source(&w, "10.255.1.9", 32);
	world_set_source(&w, "2001:db8:ff:1::9", 128);
	add_backend(&w, 1, "10.1.0.1", FWD_ENCAP_IPIP);
	add_backend(&w, 2, "2001:db8:b::2", FWD_ENCAP_IPIP);
	add_backend(&w, 3, "10.1.0.3", FWD_ENCAP_GUE);
	add_backend(&w, 4, "2001:db8:b::4", FWD_ENCAP_GUE);
	add_backend(&w, 5, "10.1.0.5", FWD_ENCAP_IPIP);
	w.t.backends[5].vlan = 200;
	world_add_vip(&w, VIP4);
	world_add_vip(&w, VIP6);
	world_add_service(&w, VIP4, 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&w, VIP4, 53, FWD_PROTO_UDP, 0, 0);
	world_add_service(&w, VIP6, 80, FWD_PROTO_TCP, 0, 0);
	world_add_pool(&w, 0, 0, 5, 1, 1);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world_fini(*state);
	return 0;
}

/** A byte to change in a frame. */
struct packet_edit {
	uint16_t off;
	uint8_t value;
};

/** A frame with a fault, and what becomes of it. */
struct fault_case {
	const char *why, *hex;
	struct packet_edit edits[4]; /**< until the first with offset 0 */
	int cut;                     /**< bytes off the end */
	enum fwd_reason reason;
};

static const struct fault_case faults[] = {
	{ "not IP", ARP, .reason = FWD_REASON_NOT_IP },
	{ "a second VLAN tag",
	  TCP4_VLAN,
	  { { 16, 0x81 }, { 17, 0 } },
	  .reason = FWD_REASON_NOT_IP },
	{ "802.1ah", TCP4_VLAN, { { 12, 0x88 }, { 13, 0xe7 } }, .reason = FWD_REASON_NOT_IP },
	{ "no third tag", TCP4_VLAN, { { 16, 0x81 }, { 17, 0x00 } }, .reason = FWD_REASON_NOT_IP },
	{ "version 5", TCP4, { { 14, 0x55 } }, .reason = FWD_REASON_NOT_IP },
	{ "version 4 under IPv6's type", TCP6, { { 14, 0x4b } }, .reason = FWD_REASON_NOT_IP },
	{ "IPv4 header cut", TCP4, .cut = 25, .reason = FWD_REASON_SHORT_FRAME },
	{ "IPv6 header cut", TCP6, .cut = 25, .reason = FWD_REASON_SHORT_FRAME },
	{ "another address", TCP4, { { 33, 81 } }, .reason = FWD_REASON_NOT_OURS },
	{ "another address, and cut", TCP4, { { 33, 81 } }, 8, FWD_REASON_NOT_OURS },
	{ "another address, a fragment",
	  TCP4,
	  { { 33, 81 }, { 20, 0x20 } },
	  0,
	  FWD_REASON_NOT_OURS },
	{ "another IPv6 address", TCP6, { { 53, 81 } }, .reason = FWD_REASON_NOT_OURS },
	{ "header length 4 words", TCP4, { { 14, 0x44 } }, .reason = FWD_REASON_MALFORMED_IP },
	{ "shorter than its header", TCP4, { { 17, 19 } }, .reason = FWD_REASON_MALFORMED_IP },
	{ "longer than the frame", TCP4, { { 17, 45 } }, .reason = FWD_REASON_MALFORMED_IP },
	{ "IPv6 longer than the frame", TCP6, { { 19, 25 } }, .reason = FWD_REASON_MALFORMED_IP },
	{ "options behind the frame",
	  TCP4,
	  { { 14, 0x4f }, { 17, 60 } },
	  20,
	  FWD_REASON_TRUNCATED },
	{ "more fragments of ICMP", ECHO4, { { 20, 0x20 } }, .reason = FWD_REASON_FRAGMENT },
	{ "a later fragment", TCP4, { { 21, 1 } }, .reason = FWD_REASON_FRAGMENT },
	{ "IPv6 fragment", TCP6, { { 20, 44 }, { 57, 1 } }, .reason = FWD_REASON_FRAGMENT },
	{ "a route that goes on", TCP6, { { 20, 43 }, { 57, 1 } }, 0, FWD_REASON_EXTENSIONS },
	{ "an extension longer than the packet",
	  TCP6,
	  { { 20, 60 }, { 55, 9 } },
	  0,
	  FWD_REASON_MALFORMED_IP },
	{ "TCP cut by IP's length", TCP4, { { 17, 39 } }, .reason = FWD_REASON_TRUNCATED },
	{ "UDP cut by IP's length", UDP4, { { 17, 31 } }, .reason = FWD_REASON_TRUNCATED },
	{ "TCP header of 4 words",
	  TCP4,
	  { { 46, 0x40 } },
	  .reason = FWD_REASON_MALFORMED_TRANSPORT },
	{ "TCP header behind the end",
	  TCP4,
	  { { 46, 0x70 } },
	  .reason = FWD_REASON_MALFORMED_TRANSPORT },
	{ "UDP length 7", UDP4, { { 43, 7 } }, .reason = FWD_REASON_MALFORMED_TRANSPORT },
	{ "UDP length behind the end",
	  UDP4,
	  { { 43, 13 } },
	  .reason = FWD_REASON_MALFORMED_TRANSPORT },
	{ "GRE", TCP4, { { 23, 47 } }, .reason = FWD_REASON_PROTOCOL },
	{ "ICMPv6 over IPv4", TCP4, { { 23, 58 } }, .reason = FWD_REASON_PROTOCOL },
	{ "nothing follows", TCP6, { { 20, 59 } }, .reason = FWD_REASON_PROTOCOL },
	{ "another port", TCP4, { { 37, 81 } }, .reason = FWD_REASON_NO_SERVICE },
	{ "UDP at TCP's port", UDP4, { { 41, 80 } }, .reason = FWD_REASON_NO_SERVICE },
	{ "TTL 1", TCP4, { { 22, 1 } }, .reason = FWD_REASON_TTL },
	{ "TTL 0", TCP4, { { 22, 0 } }, .reason = FWD_REASON_TTL },
	{ "hop limit 1", TCP6, { { 21, 1 } }, .reason = FWD_REASON_TTL },
	{ "from the VIP",
	  TCP4,
	  { { 26, 192 }, { 27, 0 }, { 28, 2 }, { 29, 80 } },
	  0,
	  FWD_REASON_LOOP },
	{ "from the tunnel source",
	  TCP4,
	  { { 26, 10 }, { 27, 255 }, { 28, 1 }, { 29, 9 } },
	  0,
	  FWD_REASON_LOOP },
	{ "an echo reply", ECHO4, { { 34, 0 } }, .reason = FWD_REASON_ICMP_TYPE },
	{ "an IPv6 echo reply", ECHO6, { { 54, 129 } }, .reason = FWD_REASON_ICMP_TYPE },
	{ "ICMP cut", ECHO4, { { 17, 27 } }, .reason = FWD_REASON_TRUNCATED },
	{ "neighbour discovery from afar",
	  NEIGHBOUR6,
	  { { 21, 254 } },
	  .reason = FWD_REASON_ICMP_TYPE },
	{ "neighbour discovery", NEIGHBOUR6, .reason = FWD_REASON_NEIGHBOUR },
	{ "3 bytes of ports quoted", ERROR4, { { 17, 51 } }, .reason = FWD_REASON_ICMP_QUOTE },
	{ "quoted header cut", ERROR4, { { 17, 40 } }, .reason = FWD_REASON_ICMP_QUOTE },
	{ "a later fragment quoted", ERROR4, { { 49, 1 } }, .reason = FWD_REASON_ICMP_QUOTE },
	{ "ICMP quoted", ERROR4, { { 51, 1 } }, .reason = FWD_REASON_ICMP_UNRELATED },
	{ "another sender quoted", ERROR4, { { 57, 81 } }, .reason = FWD_REASON_ICMP_UNRELATED },
	{ "another port quoted", ERROR4, { { 63, 81 } }, .reason = FWD_REASON_ICMP_UNRELATED },
};

static void each_malformed_or_foreign_frame_has_its_reason_and_stays_as_it_was(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(faults); i++) {
		const struct fault_case *c = &faults[i];
		struct test_frame f = frame_of(c->hex, ROOM);
		struct fwd_verdict v;
		size_t n = (size_t)(f.packet.end - f.packet.data) - (size_t)c->cut;
		uint8_t before[256];

		f.packet.end -= c->cut;
		for (size_t k = 0; k < COUNT(c->edits) && c->edits[k].off; k++)
			f.packet.data[c->edits[k].off] = c->edits[k].value;
		memcpy(before, f.packet.data, n);
		if (world_forward(w, &f.packet, 0, &v) != c->reason)
			fail_msg("%s: reason %d instead of %d", c->why, v.reason, c->reason);
		assert_ptr_equal(f.packet.data, f.memory + ROOM);
		assert_memory_equal(f.packet.data, before, n);
		free(f.memory);
	}
}

/** A state of the tables in which a sound packet cannot be sent. */
struct table_case {
	const char *why;
	uint16_t hot;
	uint8_t flags;
	uint16_t inner_mtu;
	bool no_source, no_pool;
	size_t room;
	enum fwd_reason reason;
};

static void each_state_of_the_tables_that_stops_a_packet_has_its_reason(void **state)
{
	static const struct table_case cases[] = {
		{ "fits exactly", 1, FWD_BACKEND_USED, 44, false, false, ROOM,
		  FWD_REASON_FORWARDED },
		{ "one byte too long, and less than anybody may be told", 1, FWD_BACKEND_USED, 43,
		  false, false, ROOM, FWD_REASON_TOO_BIG },
		{ "nothing fits", 1, FWD_BACKEND_USED, 0, false, false, ROOM, FWD_REASON_TOO_BIG },
		{ "nobody owns the slot", 0, FWD_BACKEND_USED, 1500, false, false, ROOM,
		  FWD_REASON_NO_BACKEND },
		{ "no such pool", 1, FWD_BACKEND_USED, 1500, false, true, ROOM,
		  FWD_REASON_NO_BACKEND },
		{ "no such backend", 99, FWD_BACKEND_USED, 1500, false, false, ROOM,
		  FWD_REASON_NO_TABLES },
		{ "an unused backend", 1, 0, 1500, false, false, ROOM, FWD_REASON_NO_TABLES },
		{ "dead", 1, FWD_BACKEND_USED | FWD_BACKEND_DEAD, 1500, false, false, ROOM,
		  FWD_REASON_BACKEND_DEAD },
		{ "dead and unreachable", 1,
		  FWD_BACKEND_USED | FWD_BACKEND_DEAD | FWD_BACKEND_NO_NEXT_HOP, 1500, false, false,
		  ROOM, FWD_REASON_BACKEND_DEAD },
		{ "no room at the backup", 1, FWD_BACKEND_USED | FWD_BACKEND_FULL, 0, false, false,
		  ROOM, FWD_REASON_BACKUP_FULL },
		{ "unreachable", 1, FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP, 1500, false, false,
		  ROOM, FWD_REASON_NO_NEXT_HOP },
		{ "no tunnel source", 1, FWD_BACKEND_USED, 1500, true, false, ROOM,
		  FWD_REASON_NO_SOURCE },
		{ "room for all but one byte", 1, FWD_BACKEND_USED, 1500, false, false, 19,
		  FWD_REASON_NO_ROOM },
		{ "just room", 1, FWD_BACKEND_USED, 1500, false, false, 20, FWD_REASON_FORWARDED },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct table_case *c = &cases[i];
		struct test_frame f = frame_of(TCP4, c->room);
		struct fwd_prefix source = w->t.root->source4;
		struct fwd_verdict v;

		all_to(w, c->hot);
		w->t.backends[1].flags = c->flags;
		w->t.backends[1].inner_mtu = c->inner_mtu;
		if (c->no_source)
			w->t.root->source4 = (struct fwd_prefix){ 0 };
		if (c->no_pool)
			w->t.n_pools = 0;
		world_point_services(w);
		if (world_forward(w, &f.packet, 0, &v) != c->reason)
			fail_msg("%s: reason %d instead of %d", c->why, v.reason, c->reason);
		w->t.root->source4 = source;
		w->t.n_pools = 2;
		world_point_services(w);
		free(f.memory);
	}
}

static void a_frame_cut_anywhere_is_never_read_behind_its_end(void **state)
{
	static const char *const frames[] = { TCP4,  TCP4_VLAN, UDP4,   TCP6,      ECHO4,
		                              ECHO6, ERROR4,    ERROR6, NEIGHBOUR6 };
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(frames); i++)
		for (size_t n = FWD_ETH_LEN; n < strlen(frames[i]) / 2; n++) {
			struct test_frame f = frame_of(frames[i], ROOM);
			uint8_t *exact = malloc(n);
			struct fwd_packet packet = { exact, exact + n, exact };
			struct fwd_verdict v;

			assert_non_null(exact);
			memcpy(exact, f.packet.data, n);
			assert_int_not_equal(fwd_reason_kind(world_forward(w, &packet, 0, &v)),
			                     FWD_KIND_TX);
			free(exact);
			free(f.memory);
		}
}

static void tunnels_are_written_as_the_rfcs_say_byte_for_byte(void **state)
{
	static const struct {
		const char *in, *out;
		uint16_t backend;
	} cases[] = {
		{ TCP4, TCP4_IPIP4, 1 },
		{ TCP4, TCP4_IPIP6, 2 },
		{ TCP6, TCP6_IPIP4, 1 },
		{ TCP6, TCP6_IPIP6, 2 },
		{ TCP4, TCP4_GUE4, 3 },
		{ TCP6, TCP6_GUE4, 3 },
		{ TCP4, TCP4_GUE6, 4 },
		{ TCP6, TCP6_GUE6, 4 },
		{ TCP4, TCP4_IPIP4_VLAN, 5 },
		{ TCP4_VLAN, TCP4_IPIP4, 1 },
		{ TCP4_VLAN, TCP4_IPIP4_VLAN, 5 },
		{ UDP4, UDP4_IPIP4, 1 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_frame f = frame_of(cases[i].in, ROOM);
		struct fwd_verdict v;

		all_to(w, cases[i].backend);
		assert_int_equal(world_forward(w, &f.packet, 0, &v), FWD_REASON_FORWARDED);
		assert_frame(&f.packet, cases[i].out);
		assert_int_equal(v.backend_index, cases[i].backend);
		free(f.memory);
	}
}

static void an_icmp_error_goes_to_the_owner_of_the_flow_that_it_quotes(void **state)
{
	struct world *w = *state;
	struct test_frame flow = frame_of(TCP4, ROOM), error = frame_of(ERROR4, ROOM);
	struct test_frame flow6 = frame_of(TCP6, ROOM), error6 = frame_of(ERROR6, ROOM);
	struct fwd_verdict a, b;

	assert_int_equal(world_forward(w, &flow.packet, 0, &a), FWD_REASON_FORWARDED);
	assert_int_equal(world_forward(w, &error.packet, 0, &b), FWD_REASON_ICMP_RELAYED);
	assert_int_equal(a.hash, b.hash);
	assert_int_equal(a.slot, b.slot);
	assert_frame(&error.packet, ERROR4_IPIP4);
	assert_int_equal(world_forward(w, &flow6.packet, 0, &a), FWD_REASON_FORWARDED);
	assert_int_equal(world_forward(w, &error6.packet, 0, &b), FWD_REASON_ICMP_RELAYED);
	assert_int_equal(a.hash, b.hash);
	free(flow.memory);
	free(error.memory);
	free(flow6.memory);
	free(error6.memory);
}

/** The packet as it came but for MAC addresses and TTL; tags come and go. */
static void direct_return_changes_addresses_of_the_link_and_ttl_alone(void **state)
{
	static const struct {
		const char *in;
		uint16_t vlan;
	} cases[] = { { TCP4, 0 },        { TCP4, 200 }, { TCP4_VLAN, 0 },
		      { TCP4_VLAN, 200 }, { TCP6, 0 },   { TCP6, 200 } };
	struct world *w = *state;

	all_to(w, 5);
	w->t.backends[5].encap = FWD_ENCAP_L2;
	w->t.root->source4 = (struct fwd_prefix){ 0 }; /* needs none */
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_frame f = frame_of(cases[i].in, 4), same = frame_of(cases[i].in, 0);
		uint32_t from = i == 2 || i == 3 ? 18 : 14;
		uint32_t to = cases[i].vlan ? 18 : 14;
		struct fwd_verdict v;

		w->t.backends[5].vlan = cases[i].vlan;
		assert_int_equal(world_forward(w, &f.packet, 0, &v), FWD_REASON_FORWARDED);
		fwd_rewrite_ttl(same.packet.data + from, v.outer4 && i < 4);
		assert_int_equal(f.packet.end - f.packet.data - to,
		                 same.packet.end - same.packet.data - from);
		assert_memory_equal(f.packet.data + to, same.packet.data + from,
		                    same.packet.end - same.packet.data - from);
		assert_memory_equal(f.packet.data, w->t.backends[5].mac_to, 12);
		assert_memory_equal(f.packet.data + to - 2, same.packet.data + from - 2, 2);
		if (cases[i].vlan)
			assert_memory_equal(f.packet.data + 12, "\x81\x00\x00\xc8", 4);
		free(f.memory);
		free(same.memory);
	}
}

static void echo_requests_to_a_vip_are_answered(void **state)
{
	struct world *w = *state;
	struct test_frame f4 = frame_of(ECHO4, 0), f6 = frame_of(ECHO6, 0);
	struct fwd_verdict v;

	assert_int_equal(world_forward(w, &f4.packet, 0, &v), FWD_REASON_ECHO_REPLIED);
	assert_frame(&f4.packet, ECHO4_REPLY);
	assert_int_equal(world_forward(w, &f6.packet, 0, &v), FWD_REASON_ECHO_REPLIED);
	assert_frame(&f6.packet, ECHO6_REPLY);
	free(f4.memory);
	free(f6.memory);
}

static void the_checksum_is_right_after_each_decrement_of_the_ttl(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 65536; id += 13)
		for (uint32_t ttl = 2; ttl < 256; ttl += 11) {
			struct fwd_ip4 ip = { .version_ihl = 0x45,
				              .id_be = (uint16_t)id,
				              .ttl = (uint8_t)ttl };

			ip.sum = fwd_sum_ip4(&ip);
			fwd_rewrite_ttl((uint8_t *)&ip, true);
			uint16_t sum = ip.sum;
			ip.sum = 0;
			assert_int_equal(ip.ttl, ttl - 1);
			assert_int_equal(sum, fwd_sum_ip4(&ip));
		}
}

static void dscp_and_ecn_show_outside_as_inside(void **state)
{
	struct world *w = *state;

	for (unsigned int tos = 0; tos < 256; tos++) {
		struct test_frame f4 = frame_of(TCP4, ROOM), f6 = frame_of(TCP6, ROOM);
		struct fwd_verdict v;

		f4.packet.data[15] = (uint8_t)tos;
		f6.packet.data[14] = (uint8_t)(0x60 | tos >> 4);
		f6.packet.data[15] = (uint8_t)(tos << 4);
		all_to(w, 1);
		world_forward(w, &f4.packet, 0, &v);
		assert_int_equal(f4.packet.data[15], tos);
		all_to(w, 2);
		world_forward(w, &f6.packet, 0, &v);
		assert_int_equal((f6.packet.data[14] << 4 & 0xf0) | f6.packet.data[15] >> 4, tos);
		free(f4.memory);
		free(f6.memory);
	}
}

static void one_flow_has_one_outer_source_and_many_have_many_within_the_prefix(void **state)
{
	struct world *w = *state;
	bool seen[256] = { false };
	unsigned int n = 0;

	world_set_source(w, "10.255.1.0", 24);
	for (unsigned int port = 1024; port < 2048; port++) {
		uint8_t first = 0;

		for (int again = 0; again < 2; again++) {
			struct test_frame f = frame_of(TCP4, ROOM);
			struct fwd_verdict v;

			f.packet.data[34] = (uint8_t)(port >> 8);
			f.packet.data[35] = (uint8_t)port;
			world_forward(w, &f.packet, 0, &v);
			assert_memory_equal(f.packet.data + 26, "\x0a\xff\x01", 3);
			if (again)
				assert_int_equal(f.packet.data[29], first);
			first = f.packet.data[29];
			free(f.memory);
		}
		seen[first] = true;
	}
	for (unsigned int i = 0; i < 256; i++)
		n += seen[i];
	assert_true(n > 240);
}

static void a_service_that_hashes_the_source_keeps_a_client_together(void **state)
{
	struct world *w = *state;
	uint32_t slot = 0;

	for (unsigned int port = 0; port < 200; port++) {
		struct test_frame f = frame_of(TCP4, ROOM);
		struct fwd_verdict v;

		for (uint32_t i = 0; i < w->t.n_services; i++)
			w->t.services[i].flags |= FWD_SERVICE_HASH_SOURCE;
		f.packet.data[35] = (uint8_t)port;
		assert_int_equal(world_forward(w, &f.packet, 0, &v), FWD_REASON_FORWARDED);
		if (port)
			assert_int_equal(v.slot, slot);
		slot = v.slot;
		free(f.memory);
	}
}

static void flows_are_hashed_by_siphash_1_3(void **state)
{
	/* Reckoned by another implementation, key zero: the flows of TCP4 and TCP6. */
	const uint64_t key[2] = { 0, 0 };
	struct fwd_tuple f = { .src = world_addr("203.0.113.7"),
		               .dst = world_addr(VIP4),
		               .sport_be = fwd_be16(40000),
		               .dport_be = fwd_be16(80),
		               .protocol = 6 };

	(void)state;
	assert_int_equal(fwd_hash_flow(key, &f, true), 0xd7e86cd2813175da);
	assert_int_equal(fwd_hash_source(key, &f, true), 0x841064167ed1526f);
	f.src = world_addr("2001:db8:c::7");
	f.dst = world_addr(VIP6);
	assert_int_equal(fwd_hash_flow(key, &f, false), 0x58d5816ffbeda890);
	assert_int_equal(fwd_hash_source(key, &f, false), 0x74d1147894297754);
}

static void every_packet_is_counted_once_and_with_its_service_and_backend(void **state)
{
	static const char *const frames[] = { TCP4, TCP6, UDP4, ECHO4, ARP, ERROR4, NEIGHBOUR6 };
	struct world *w = *state;
	const struct fwd_cpu *cpu = w->t.cpus;
	uint64_t sum = 0, bytes = 0;

	for (size_t i = 0; i < COUNT(frames); i++) {
		struct test_frame f = frame_of(frames[i], ROOM);
		struct fwd_verdict v;

		bytes += (uint64_t)(f.packet.end - f.packet.data);
		world_forward(w, &f.packet, 0, &v);
		free(f.memory);
	}
	for (size_t i = 0; i < FWD_REASONS_MAX; i++)
		sum += cpu->reason[i];
	assert_int_equal(cpu->received, COUNT(frames));
	assert_int_equal(cpu->received_bytes, bytes);
	assert_int_equal(sum, COUNT(frames));
	assert_int_equal(cpu->reason[FWD_REASON_FORWARDED], 3);
	assert_int_equal(cpu->reason[FWD_REASON_ICMP_RELAYED], 1);
	assert_int_equal(w->t.service_counts[0].packets, 2); /* TCP4 and the error about it */
	assert_int_equal(w->t.service_counts[1].packets, 1);
	assert_int_equal(w->t.service_counts[2].packets, 1);
	assert_int_equal(w->t.backend_counts[1].packets, 4);
	assert_int_equal(w->t.service_counts[1].bytes, strlen(UDP4) / 2);
}

static void empty_tables_pass_all_to_the_kernel(void **state)
{
	struct world *w = *state;
	struct test_frame f = frame_of(TCP4, ROOM);
	struct fwd_verdict v;

	memset(w->t.root, 0, sizeof(*w->t.root));
	assert_int_equal(world_forward(w, &f.packet, 0, &v), FWD_REASON_OTHER_MAC);
	free(f.memory);
}

static void a_service_is_found_in_the_half_in_force_only(void **state)
{
	struct world *w = *state;
	struct test_frame f = frame_of(TCP4, ROOM);
	struct fwd_verdict v;

	w->t.root->active = 1;
	assert_int_equal(world_forward(w, &f.packet, 0, &v), FWD_REASON_NOT_OURS);
	free(f.memory);
}

static void a_half_takes_no_entry_twice_and_none_too_far_from_its_place(void **state)
{
	struct fwd_service half[16] = { 0 };
	uint64_t filter[FWD_FILTER_WORDS] = { 0 };
	struct fwd_service e = { .vip = world_addr(VIP4) };

	(void)state;
	assert_true(fwd_service_put(half, 16, 0, filter, &e) >= 0);
	assert_int_equal(fwd_service_put(half, 16, 0, filter, &e), -1);
	e.protocol = FWD_PROTO_TCP;
	for (uint16_t port = 0; port < 15; port++) {
		e.port_be = port;
		assert_true(fwd_service_put(half, 16, 0, filter, &e) >= 0);
	}
	e.port_be = 15;
	assert_int_equal(fwd_service_put(half, 16, 0, filter, &e), -1);
}

/* How many bits the 256 addresses have that differ from @p first in byte @p at. */
static size_t count_filter_bits(const char *first, size_t at)
{
	uint64_t filter[FWD_FILTER_WORDS] = { 0 };
	union fwd_addr a = world_addr(first);
	size_t n = 0;

	for (unsigned i = 0; i < 256; i++) {
		a.bytes[at] = (uint8_t)i;
		uint32_t bit = fwd_filter_bit(&a);
		assert_true(bit < FWD_FILTER_WORDS * 64);
		n += !(filter[bit / 64] >> bit % 64 & 1);
		filter[bit / 64] |= 1ull << bit % 64;
	}
	return n;
}

/* Clients in the network of a VIP are no VIPs for that: 256 of 1,024 bits by chance are 227. */
static void each_byte_of_an_address_counts_in_the_filter(void **state)
{
	(void)state;
	for (size_t at = 12; at < 16; at++)
		if (count_filter_bits("203.0.113.10", at) < 180)
			fail_msg("IPv4, byte %zu", at - 12);
	for (size_t at = 0; at < 16; at++)
		if (count_filter_bits("2001:db8::10", at) < 180)
			fail_msg("IPv6, byte %zu: %zu bits", at,
			         count_filter_bits("2001:db8::10", at));
}

static void reasons_stand_in_order_of_their_kinds(void **state)
{
#define KIND(name, kind, label, text) FWD_KIND_##kind,
	static const enum fwd_kind kinds[] = { FWD_REASONS(KIND) };
#undef KIND

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		assert_int_equal(fwd_reason_kind((enum fwd_reason)i), kinds[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(forward)
{
	const struct CMUnitTest tests[] = {
		TEST(each_malformed_or_foreign_frame_has_its_reason_and_stays_as_it_was),
		TEST(each_state_of_the_tables_that_stops_a_packet_has_its_reason),
		TEST(a_frame_cut_anywhere_is_never_read_behind_its_end),
		TEST(a_half_takes_no_entry_twice_and_none_too_far_from_its_place),
		TEST(empty_tables_pass_all_to_the_kernel),
		TEST(a_service_is_found_in_the_half_in_force_only),
		TEST(tunnels_are_written_as_the_rfcs_say_byte_for_byte),
		TEST(an_icmp_error_goes_to_the_owner_of_the_flow_that_it_quotes),
		TEST(direct_return_changes_addresses_of_the_link_and_ttl_alone),
		TEST(echo_requests_to_a_vip_are_answered),
		TEST(the_checksum_is_right_after_each_decrement_of_the_ttl),
		TEST(dscp_and_ecn_show_outside_as_inside),
		TEST(one_flow_has_one_outer_source_and_many_have_many_within_the_prefix),
		TEST(a_service_that_hashes_the_source_keeps_a_client_together),
		TEST(flows_are_hashed_by_siphash_1_3),
		TEST(every_packet_is_counted_once_and_with_its_service_and_backend),
		cmocka_unit_test(each_byte_of_an_address_counts_in_the_filter),
		TEST(reasons_stand_in_order_of_their_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
