/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills: which new flows go to the backup, what stays, and what is counted (weir/fwd/drill.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fwd/small.h"
#include "tests/unit/suite.h"
#include "weir/fwd/drill.h"
#include "weir/fwd/rewrite.h"

#define ROOM  128u
#define OWN   1u
#define ASIDE 2u
#define SLOTS 32u

enum { SYN = FWD_TCP_SYN, ACK = FWD_TCP_ACK, RST = FWD_TCP_RST };

struct fixture {
	struct world w;
	uint8_t bytes[ROOM + 256];
	struct fwd_verdict v;
	uint32_t now_s;
};

/* All slots as during a drill: unsettled, with claims that have ended. */
static void unsettle_slots(struct fixture *f)
{
	for (uint32_t s = 0; s < SLOTS; s++) {
		for (int c = 0; c < OWNER_CLASSES; c++)
			f->w.t.colds[s].claim[c] = (struct owner_claim){ .base = OWN };
		f->w.t.colds[s].claim[OWNER_CLASS_UDP].drill = ASIDE;
		f->w.t.colds[s].claim[OWNER_CLASS_TCP].spilled_at = (uint16_t)(f->now_s - 100);
		*world_slot(&f->w, s) = OWN | FWD_SLOT_UNSETTLED;
	}
}

static void start_drill(struct fixture *f, uint32_t i, const char *prefix, unsigned bits,
                        enum fwd_drill_state state)
{
	f->w.t.drills[i] =
	        (struct fwd_drill){ world_prefix(prefix, bits), 1 + i, (uint32_t)state, 0 };
	for (uint32_t k = 0; k < f->w.t.n_services; k++)
		if (f->w.t.services[k].protocol)
			f->w.t.services[k].drills |= (uint8_t)(1u << i);
}

static int set_up(void **state)
{
	static struct fixture f;
	union fwd_addr aside = world_addr("10.1.0.2");

	memset(&f, 0, sizeof(f));
	f.now_s = 1000;
	small_world(&f.w);
	world_add_backend(&f.w, ASIDE, &aside, FWD_ENCAP_GUE, 7);
	world_add_service(&f.w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&f.w, "2001:db8:80::80", 80, FWD_PROTO_TCP, 0, 0);
	unsettle_slots(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->w);
	return 0;
}

/** A segment from host `client` of 203.0.113.0/24 or 2001:db8:c::/48. */
struct segment {
	bool is6, udp;
	uint8_t flags, client;
	uint32_t seq;
};

static void put_transport(uint8_t *l4, struct segment p)
{
	put_be16(l4, 40000);
	put_be16(l4 + 2, p.udp ? 53 : 80);
	put_be16(l4 + 4, p.udp ? 40 : p.seq >> 16);
	put_be16(l4 + 6, p.udp ? 0 : p.seq);
	l4[12] = 0x50;
	l4[13] = p.udp ? 0 : p.flags;
}

static void put_ip(uint8_t *l3, struct segment p)
{
	union fwd_addr src = world_addr(p.is6 ? "2001:db8:c::" : "203.0.113.0");
	const union fwd_addr dst = world_addr(p.is6 ? "2001:db8:80::80" : "192.0.2.80");
	uint32_t from = p.is6 ? 0 : 12, len = 16 - from;

	src.bytes[15] = p.client;
	l3[0] = p.is6 ? 0x60 : 0x45;
	put_be16(l3 + (p.is6 ? 4 : 2), p.is6 ? 40 : 60);
	l3[p.is6 ? 6 : 9] = p.udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;
	l3[p.is6 ? 7 : 8] = 64;
	memcpy(l3 + (p.is6 ? 8 : 12), src.bytes + from, len);
	memcpy(l3 + (p.is6 ? 8 : 12) + len, dst.bytes + from, len);
}

/* Send it by each of the ways that there are. @return its backend */
static uint32_t send_segment(struct fixture *f, struct segment p)
{
	uint8_t *l3 = f->bytes + ROOM + ETH, *l4 = l3 + (p.is6 ? 40 : 20);
	struct fwd_packet packet = { f->bytes + ROOM, l4 + 40, f->bytes };

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes + ROOM, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1", 12);
	put_be16(l3 - 2, p.is6 ? 0x86dd : 0x0800);
	put_ip(l3, p);
	put_transport(l4, p);
	assert_int_equal(world_forward(&f->w, &packet, f->now_s, &f->v), FWD_REASON_FORWARDED);
	return f->v.backend_index;
}

static void expect_counts(const struct fixture *f, uint32_t drill, struct fwd_drill_count e)
{
	const struct fwd_drill_count *is = &f->w.t.drill_counts[drill];

	if (memcmp(is, &e, sizeof(e)) != 0)
		fail_msg("begun %u, repeated %u, followed %u, kept %u", (unsigned)is->begun,
		         (unsigned)is->repeated, (unsigned)is->followed, (unsigned)is->kept);
}

#define EXPECT(f, drill, ...) expect_counts(f, drill, (struct fwd_drill_count){ __VA_ARGS__ })

static void new_flows_of_the_prefix_go_to_the_backup_and_stay_there(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 2, "203.0.113.16", 28, FWD_DRILL_SENDS);
	for (int is6 = 0; is6 < 2; is6++) {
		if (is6)
			start_drill(f, 2, "2001:db8:c::10", 124, FWD_DRILL_SENDS);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, SYN, 17, 5 }),
		                 ASIDE);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, SYN, 17, 5 }),
		                 ASIDE);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, ACK, 17, 6 }),
		                 ASIDE);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, SYN, 15, 5 }), OWN);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, SYN, 32, 5 }), OWN);
		f->w.t.drills[2].state = FWD_DRILL_OVER;
		f->now_s += 60;
		assert_int_equal(send_segment(f, (struct segment){ is6, false, ACK, 17, 9 }),
		                 ASIDE);
		assert_int_equal(send_segment(f, (struct segment){ is6, false, SYN, 18, 5 }), OWN);
		EXPECT(f, 2, is6 + 1, is6 + 1, is6 + 1, 0);
	}
}

static void established_flows_and_datagrams_stay(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 0, "203.0.113.0", 24, FWD_DRILL_SENDS);
	assert_int_equal(send_segment(f, (struct segment){ .flags = ACK, .client = 9 }), OWN);
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN | ACK, .client = 9 }), OWN);
	assert_int_equal(send_segment(f, (struct segment){ .udp = true, .client = 9 }), OWN);
	EXPECT(f, 0, 0, 0, 0, 0);
}

static void what_began_while_it_prepared_stays_at_its_backend(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 0, "203.0.113.0", 24, FWD_DRILL_PREPARES);
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 9, .seq = 5 }),
	                 OWN);
	EXPECT(f, 0, 0, 0, 0, 0);
	f->w.t.drills[0].state = FWD_DRILL_SENDS;
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 9, .seq = 5 }),
	                 OWN); /* the same SYN again */
	assert_int_equal(send_segment(f, (struct segment){ .flags = ACK, .client = 9, .seq = 6 }),
	                 OWN);
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 8, .seq = 5 }),
	                 ASIDE);
	EXPECT(f, 0, 1, 0, 0, 1);
}

static void a_reset_is_no_further_segment(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 0, "203.0.113.0", 24, FWD_DRILL_SENDS);
	send_segment(f, (struct segment){ .flags = SYN, .client = 9, .seq = 5 });
	assert_int_equal(send_segment(f, (struct segment){ .flags = RST, .client = 9, .seq = 6 }),
	                 ASIDE);
	EXPECT(f, 0, 1, 0, 0, 0);
}

static void a_service_without_the_bit_or_a_slot_without_a_backend_is_left_alone(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 1, "203.0.113.0", 24, FWD_DRILL_SENDS);
	for (uint32_t s = 0; s < SLOTS; s++)
		f->w.t.colds[s].claim[OWNER_CLASS_UDP].drill = 0;
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 9 }), OWN);
	EXPECT(f, 1, 0, 0, 0, 1);
	unsettle_slots(f);
	for (uint32_t k = 0; k < f->w.t.n_services; k++)
		f->w.t.services[k].drills = (uint8_t)~2u;
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 8 }), OWN);
	EXPECT(f, 1, 0, 0, 0, 1);
}

/* A flow that could not be remembered must not begin at one backend and go on at another. */
static void without_room_flows_stay_and_so_do_their_repetitions(void **state)
{
	struct fixture *f = *state;
	struct segment syn = { .flags = SYN, .client = 9, .seq = 5 };

	start_drill(f, 0, "203.0.113.0", 24, FWD_DRILL_SENDS);
	for (uint32_t b = 0; b < f->w.t.n_exceptions; b++)
		for (int i = 0; i < (int)OWNER_WAYS; i++) /* open flows, none of them this one */
			f->w.t.exceptions[b].word[i] = owner_word(
			        OWN, OWNER_OPEN, owner_end(f->now_s, 300), 77u + (uint64_t)i);
	assert_int_equal(send_segment(f, syn), OWN);
	memset(f->w.t.exceptions, 0, f->w.t.n_exceptions * sizeof(*f->w.t.exceptions));
	f->now_s += 3;
	assert_int_equal(send_segment(f, syn), OWN);
	syn.flags = ACK;
	syn.seq = 6;
	assert_int_equal(send_segment(f, syn), OWN);
	f->now_s += OWNER_SPILL_S;
	syn = (struct segment){ .flags = SYN, .client = 10, .seq = 5 };
	assert_int_equal(send_segment(f, syn), ASIDE);
	EXPECT(f, 0, 1, 0, 0, 2);
}

static void a_slot_that_moves_keeps_its_claims_during_a_drill(void **state)
{
	struct fixture *f = *state;

	start_drill(f, 0, "203.0.113.0", 28, FWD_DRILL_SENDS);
	for (uint32_t s = 0; s < SLOTS; s++) {
		f->w.t.colds[s].claim[OWNER_CLASS_TCP].settle_at = f->now_s + 900;
		f->w.t.colds[s].claim[OWNER_CLASS_TCP].base = 3;
	}
	world_add_backend(&f->w, 3, &(union fwd_addr){ .longs_be = { 0 } }, FWD_ENCAP_GUE, 7);
	f->w.t.backends[3].address = world_addr("10.1.0.3");
	assert_int_equal(send_segment(f, (struct segment){ .flags = ACK, .client = 200 }), 3);
	assert_int_equal(send_segment(f, (struct segment){ .flags = ACK, .client = 2 }), 3);
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 201 }), OWN);
	assert_int_equal(send_segment(f, (struct segment){ .flags = SYN, .client = 3 }), ASIDE);
}

SUITE(drill)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(new_flows_of_the_prefix_go_to_the_backup_and_stay_there),
		T(established_flows_and_datagrams_stay),
		T(what_began_while_it_prepared_stays_at_its_backend),
		T(a_reset_is_no_further_segment),
		T(a_service_without_the_bit_or_a_slot_without_a_backend_is_left_alone),
		T(without_room_flows_stay_and_so_do_their_repetitions),
		T(a_slot_that_moves_keeps_its_claims_during_a_drill),
	};

	return cmocka_run_group_tests_name("drill", tests, NULL, NULL);
}
