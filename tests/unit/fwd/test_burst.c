/* SPDX-License-Identifier: BSD-2-Clause */
/* The stages over a burst against the same frames one by one, on equal tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diff/generate.h"
#include "fwd/world.h"
#include "tests/unit/suite.h"
#include "weir/fwd/burst.h"

#define ROOM    128u
#define BURSTS  20000u
#define N_SLOTS 256u
#define STRIDE  (ROOM + FRAME_MAX)

/** Equal worlds, and room for a burst of each. */
struct sides {
	struct world one, burst;
	struct random random;
	uint32_t now_s;
	uint8_t (*one_bytes)[STRIDE], (*burst_bytes)[STRIDE];
	struct fwd_burst b;
};

static void add_backend(struct world *w, uint32_t i, const char *address, enum fwd_encap_mode encap)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(w, i, &a, encap, 1);
}

static void fill_world(struct world *w)
{
	static const char *const vips[] = { "192.0.2.80", "192.0.2.81", "2001:db8:80::80",
		                            "2001:db8:80::81" };

	world_set_source(w, "10.255.1.0", 24);
	world_set_source(w, "2001:db8:ff:1::", 64);
	add_backend(w, 1, "10.1.0.1", FWD_ENCAP_IPIP);
	add_backend(w, 2, "10.1.0.2", FWD_ENCAP_GUE);
	add_backend(w, 3, "2001:db8:b::3", FWD_ENCAP_IPIP);
	add_backend(w, 4, "2001:db8:b::4", FWD_ENCAP_GUE);
	add_backend(w, 5, "10.1.0.5", FWD_ENCAP_IPIP);
	w->t.backends[5].vlan = 100;
	add_backend(w, 6, "10.1.0.6", FWD_ENCAP_IPIP);
	w->t.backends[7].flags = FWD_BACKEND_USED | FWD_BACKEND_FULL;
	w->t.backends[6].flags |= FWD_BACKEND_DEAD;
	w->t.backends[2].inner_mtu = 1400;
	w->t.root->answers_per_s = 1;
	for (size_t i = 0; i < 4; i++) {
		world_add_vip(w, vips[i]);
		world_add_service(w, vips[i], 80, FWD_PROTO_TCP, 0, 0);
		world_add_service(w, vips[i], 443, FWD_PROTO_TCP, 1, 0);
		world_add_service(w, vips[i], 53, FWD_PROTO_UDP, 1, FWD_SERVICE_HASH_SOURCE);
		world_add_service(w, vips[i], 4433, FWD_PROTO_UDP, 1, 0);
		world_add_service(w, vips[i], 81, FWD_PROTO_TCP, FWD_POOL_NONE, 0);
		world_add_service(w, vips[i], 82, FWD_PROTO_TCP, 2, 0);
		world_add_service(w, vips[i], 84, FWD_PROTO_TCP, 77, 0);
		world_add_service(w, vips[i], 85, FWD_PROTO_TCP, 3, 0);
	}
	world_add_pool(w, 0, 0, 6, 1, 6);
	world_add_pool(w, 1, 64, 7, 1, 6);
	w->t.pools[2] = w->t.pools[1];
	w->t.pools[2].slot_range = N_SLOTS << 8 | 4; /* beyond all slots */
	w->t.pools[3] = w->t.pools[1];               /* whose claims are lists, then, of anything */
	w->t.pools[3].flags = FWD_POOL_AGENTS;
	world_point_services(w);
}

/** A slot of pool 1 in the middle of a change, or not. */
static void unsettle_slot(struct sides *s, uint32_t slot)
{
	struct random *r = &s->random;

	for (int i = 0; i < OWNER_CLASSES; i++)
		s->one.t.colds[slot].claim[i] = (struct owner_claim){
			.base = (uint16_t)(1 + random_below(r, 6)),
			.settle_at = random_below(r, 3) ? s->now_s + random_below(r, 1000) : 0,
		};
	*world_slot(&s->one, slot) =
	        (uint16_t)(random_below(r, 8) | (random_below(r, 4) ? FWD_SLOT_UNSETTLED : 0));
}

static int set_up(void **state)
{
	static struct sides s;
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 64,
		                            .pools = 4,
		                            .backends = 8,
		                            .slots = N_SLOTS,
		                            .exception_buckets = 8 };

	s.random.state = 8;
	s.now_s = 1000;
	world_init(&s.one, &sizes, 1);
	world_init(&s.burst, &sizes, 1);
	fill_world(&s.one);
	for (uint32_t slot = 64; slot < 192; slot++)
		unsettle_slot(&s, slot);
	world_copy(&s.burst, &s.one);
	s.one_bytes = calloc(FWD_BURST_MAX, sizeof(*s.one_bytes));
	s.burst_bytes = calloc(FWD_BURST_MAX, sizeof(*s.burst_bytes));
	*state = &s;
	return s.one_bytes && s.burst_bytes ? 0 : -1;
}

static int tear_down(void **state)
{
	struct sides *s = *state;

	free(s->one_bytes);
	free(s->burst_bytes);
	world_fini(&s->one);
	world_fini(&s->burst);
	return 0;
}

/** A frame at its place on one side; some find too little room in front. */
static struct fwd_packet put_frame(uint8_t *at, const struct frame *f, uint32_t room)
{
	uint8_t *data = at + ROOM - 14;

	memcpy(data, f->bytes, f->len);
	return (struct fwd_packet){ data, data + f->len, data - room };
}

/** Forward @p packet by itself, and demand that the burst did the same. */
static void assert_alike(struct sides *s, struct fwd_packet *packet, uint32_t i)
{
	const struct fwd_packet *other = &s->b.packets[i];
	const struct fwd_verdict *w = &s->b.verdicts[i];
	size_t n = (size_t)(other->end - other->data);
	struct fwd_verdict v;

	world_forward(&s->one, packet, s->now_s, &v);
	assert_int_equal(v.reason, w->reason);
	assert_int_equal(v.event, w->event);
	assert_int_equal(v.slot, w->slot);
	assert_int_equal(v.backend_index, w->backend_index);
	assert_int_equal(v.outer4, w->outer4);
	assert_true(v.hash == w->hash);
	assert_int_equal(!v.backend, !w->backend);
	assert_int_equal(!v.service, !w->service);
	if (fwd_reason_kind(v.reason) == FWD_KIND_DROP)
		return; /* what is in it is nobody's */
	assert_int_equal(packet->end - packet->data, n);
	assert_memory_equal(packet->data, other->data, n);
}

static void forward_both(struct sides *s, uint32_t n)
{
	struct fwd_packet one[FWD_BURST_MAX];
	struct frame f;

	s->b.n = n;
	for (uint32_t i = 0; i < n; i++) {
		s->b.ingress[i] = WORLD_INGRESS;
		uint32_t room = random_below(&s->random, 16) ? 96 : random_below(&s->random, 40);

		generate_random(&f, &s->random);
		one[i] = put_frame(s->one_bytes[i], &f, room);
		s->b.packets[i] = put_frame(s->burst_bytes[i], &f, room);
	}
	s->burst.t.now_s = s->now_s;
	fwd_forward_burst(&s->burst.t, s->burst.t.root, &s->b);
	for (uint32_t i = 0; i < n; i++)
		assert_alike(s, &one[i], i);
	assert_null(world_difference(&s->one, &s->burst));
}

static void burst_without_tables_is_dropped_uncounted(void **state)
{
	struct sides *s = *state;
	struct frame f;

	generate_shape(&f, 0, &s->random);
	s->b.n = 1;
	s->b.packets[0] = put_frame(s->burst_bytes[0], &f, 96);
	s->b.ingress[0] = WORLD_INGRESS;
	s->burst.t.cpu = 1; /* of one */
	s->burst.t.now_s = s->now_s;
	fwd_forward_burst(&s->burst.t, s->burst.t.root, &s->b);
	s->burst.t.cpu = 0;
	assert_int_equal(s->b.verdicts[0].reason, FWD_REASON_NO_TABLES);
	assert_null(world_difference(&s->one, &s->burst));
}

static void all_zero_tables_pass_everything(void **state)
{
	struct sides *s = *state;
	struct fwd_root root = { 0 };
	struct frame f;

	generate_shape(&f, 0, &s->random);
	s->b.n = 1;
	s->b.packets[0] = put_frame(s->burst_bytes[0], &f, 96);
	s->b.ingress[0] = WORLD_INGRESS;
	fwd_forward_burst(&s->burst.t, &root, &s->b);
	assert_int_equal(s->b.verdicts[0].reason, FWD_REASON_OTHER_MAC);
	world_copy(&s->burst, &s->one);
}

static void empty_burst_changes_nothing(void **state)
{
	forward_both(*state, 0);
}

/** Time passes, slots change hands, room for exceptions comes and goes. */
static void bursts_leave_the_same_bytes_counters_and_exceptions_as_single_frames(void **state)
{
	static const uint32_t sets[] = { 8, 8, 8, 1, 1, 0 };
	struct sides *s = *state;
	const struct fwd_cpu *cpu = s->burst.t.cpus;

	for (uint32_t i = 0; i < BURSTS; i++) {
		forward_both(s, random_below(&s->random, FWD_BURST_MAX + 1));
		s->now_s += random_below(&s->random, 8) ? 0 : random_below(&s->random, 400);
		unsettle_slot(s, 64 + random_below(&s->random, 128));
		if (random_below(&s->random, 64) == 0)
			s->one.t.root->n_exception_buckets = sets[random_below(&s->random, 6)];
		world_copy(&s->burst, &s->one);
	}
	for (uint32_t r = 0; r < FWD_REASON_COUNT; r++) /* else it would prove little */
		if (!fwd_reason_is_drivers((enum fwd_reason)r) && r != FWD_REASON_SHORT_FRAME &&
		    r != FWD_REASON_NO_TABLES && r != FWD_REASON_NO_SOURCE &&
		    r != FWD_REASON_NO_NEXT_HOP)
			if (!cpu->reason[r])
				fail_msg("no packet met reason %u", r);
	for (uint32_t e = 1; e < OWNER_EVENT_COUNT; e++)
		if (!cpu->event[e])
			fail_msg("no packet met event %u", e);
}

SUITE(burst)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_without_tables_is_dropped_uncounted),
		cmocka_unit_test(all_zero_tables_pass_everything),
		cmocka_unit_test(empty_burst_changes_nothing),
		cmocka_unit_test(
		        bursts_leave_the_same_bytes_counters_and_exceptions_as_single_frames),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
