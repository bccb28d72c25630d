/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of unsettled slots on the fast path (fwd/fast_path.h), and where it cannot go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fwd/world.h"
#include "tests/unit/fwd/frames.h"
#include "tests/unit/fwd/test_frame.h"
#include "tests/unit/suite.h"

#define ROOM    64u
#define N_SLOTS 32u

static int set_up(void **state)
{
	static struct world w;
	static const char *const addresses[] = { "10.1.0.1", "2001:db8:b::2", "10.1.0.3",
		                                 "10.1.0.4" };
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 2,
		                            .backends = 8,
		                            .slots = N_SLOTS,
		                            .exception_buckets = 4 };

	world_init(&w, &sizes, 1);
	world_set_source(&w, "10.255.1.9", 32);
	world_set_source(&w, "2001:db8:ff:1::9", 128);
	for (uint32_t i = 0; i < 4; i++) {
		union fwd_addr a = world_addr(addresses[i]);

		world_add_backend(&w, i + 1, &a, i == 2 ? FWD_ENCAP_GUE : FWD_ENCAP_IPIP, 1);
	}
	w.t.backends[4].vlan = 200;
	world_add_vip(&w, "192.0.2.80");
	world_add_service(&w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_pool(&w, 0, 0, 5, 5, 5);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world_fini(*state);
	return 0;
}

/* Backend @p base has a claim on all slots, of which another one is the current owner. */
static void unsettle_slots(struct world *w, uint16_t base)
{
	for (uint32_t slot = 0; slot < N_SLOTS; slot++) {
		w->t.colds[slot].claim[OWNER_CLASS_TCP] =
		        (struct owner_claim){ .base = base, .settle_at = 100000 };
		*world_slot(w, slot) |= FWD_SLOT_UNSETTLED;
	}
}

static void the_owner_is_asked_once_whatever_the_tunnel(void **state)
{
	static const bool is_fast[] = { true, true, true, false };
	struct world *w = *state;

	for (uint16_t i = 0; i < 4; i++) {
		struct test_frame f = frame_of(TCP4, ROOM);
		struct fwd_verdict v;

		unsettle_slots(w, (uint16_t)(i + 1));
		assert_int_equal(world_forward_fast(w, &f.packet, 0, &v), is_fast[i]);
		assert_int_equal(v.reason, FWD_REASON_FORWARDED);
		assert_int_equal(v.backend_index, i + 1);
		assert_int_equal(v.event, OWNER_EVENT_BASE);
		assert_int_equal(w->t.cpus[0].event[OWNER_EVENT_BASE], i + 1);
		free(f.memory);
	}
}

/* An unknown flow is remembered in the pool's last seconds before a claim ends, not by its idle time. */
static void the_pool_says_when_a_flow_is_remembered(void **state)
{
	static const struct {
		uint32_t left_s;
		enum owner_event event;
	} cases[] = { { 61, OWNER_EVENT_BASE }, { 60, OWNER_EVENT_LEARNED } };
	struct world *w = *state;

	w->t.pools[0].idle_s = 900;
	w->t.pools[0].remember_s = 60;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_frame f = frame_of(TCP4, ROOM);
		struct fwd_verdict v;

		unsettle_slots(w, 1);
		for (uint32_t slot = 0; slot < N_SLOTS; slot++)
			w->t.colds[slot].claim[OWNER_CLASS_TCP].settle_at = 5000 + cases[i].left_s;
		world_forward(w, &f.packet, 5000, &v);
		assert_int_equal(v.event, cases[i].event);
		free(f.memory);
	}
}

static void a_flow_with_a_list_is_counted(void **state)
{
	struct test_frame f = frame_of(TCP4, ROOM);
	struct world *w = *state;
	struct fwd_verdict v;

	w->t.pools[0].flags |= FWD_POOL_AGENTS;
	world_point_services(w);
	unsettle_slots(w, 1);
	world_forward(w, &f.packet, 0, &v);
	assert_int_equal(v.event, OWNER_EVENT_LISTED);
	assert_int_equal(w->t.cpus[0].event[OWNER_EVENT_LISTED], 1);
	free(f.memory);
}

static void a_slot_without_any_owner_is_asked_once_too(void **state)
{
	struct test_frame f = frame_of(TCP4, ROOM);
	struct world *w = *state;
	struct fwd_verdict v;

	unsettle_slots(w, 0);
	assert_false(world_forward_fast(w, &f.packet, 0, &v));
	assert_int_equal(v.reason, FWD_REASON_NO_BACKEND);
	assert_frame(&f.packet, TCP4);
	assert_int_equal(w->t.cpus[0].event[OWNER_EVENT_BASE], 1);
	free(f.memory);
}

SUITE(unsettled)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_owner_is_asked_once_whatever_the_tunnel, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(the_pool_says_when_a_flow_is_remembered, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_flow_with_a_list_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slot_without_any_owner_is_asked_once_too, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
