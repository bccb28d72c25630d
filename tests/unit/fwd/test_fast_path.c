/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tunnel the fast path (fwd/fast_path.h) sends through, and what it counts. */
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

#define ROOM     64u
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const frames[] = { TCP4, TCP6 };

static int set_up(void **state)
{
	static struct world w;
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 1,
		                            .backends = 8,
		                            .slots = 32,
		                            .exception_buckets = 4 };

	world_init(&w, &sizes, 1);
	world_set_source(&w, "10.255.1.9", 32);
	world_set_source(&w, "2001:db8:ff:1::9", 128);
	world_add_vip(&w, "192.0.2.80");
	world_add_vip(&w, "2001:db8:80::80");
	world_add_service(&w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&w, "2001:db8:80::80", 80, FWD_PROTO_TCP, 0, 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world_fini(*state);
	return 0;
}

/* Slots lead to backend 1 alone, which has @p address. */
static union fwd_addr lead_to(struct world *w, const char *address)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(w, 1, &a, FWD_ENCAP_IPIP, 1);
	world_add_pool(w, 0, 0, 5, 1, 1);
	return a;
}

/* The outer header of a frame that was sent to @p to. */
static void assert_outer(const struct fwd_packet *packet, const union fwd_addr *to, bool outer4)
{
	const uint8_t *eth = packet->data;

	assert_int_equal(eth[12] << 8 | eth[13], outer4 ? 0x0800 : 0x86dd);
	if (outer4)
		assert_memory_equal(eth + 14 + 16, to->bytes + 12, 4);
	else
		assert_memory_equal(eth + 14 + 24, to->bytes, 16);
}

/* Parts of an IPv6 address may look like the mark of an IPv4 one; and fast or not, the bytes are the same. */
static void the_tunnel_has_the_family_of_the_whole_address(void **state)
{
	static const struct {
		const char *address;
		bool outer4, is_fast;
	} cases[] = {
		{ "10.1.0.1", true, true },
		{ "2001:db8:b::2", false, true },
		{ "2001:db8:b::ffff:10.1.0.1", false, true },
		{ "::1:0:0:10.1.0.1", false, true },
		{ "::9:0:10.1.0.1", false, false }, /* nobody has one whose first half is zero */
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(frames); k++) {
			union fwd_addr to = lead_to(w, cases[i].address);
			struct test_frame f = frame_of(frames[k], ROOM),
			                  g = frame_of(frames[k], ROOM);
			struct fwd_verdict v, long_v;
			bool is_fast = world_forward_fast(w, &f.packet, 0, &v);

			world_forward_long(w, &g.packet, 0, &long_v);
			if (is_fast != cases[i].is_fast)
				fail_msg("%s: fast %d", cases[i].address, is_fast);
			assert_int_equal(v.reason, FWD_REASON_FORWARDED);
			assert_int_equal(v.outer4, cases[i].outer4);
			assert_int_equal(long_v.outer4, cases[i].outer4);
			assert_outer(&f.packet, &to, cases[i].outer4);
			assert_int_equal(f.packet.end - f.packet.data,
			                 g.packet.end - g.packet.data);
			assert_memory_equal(f.packet.data, g.packet.data,
			                    (size_t)(g.packet.end - g.packet.data));
			free(f.memory);
			free(g.memory);
		}
}

static void a_frame_without_room_is_counted_as_such_alone(void **state)
{
	struct world *w = *state;

	lead_to(w, "10.1.0.1");
	for (size_t k = 0; k < COUNT(frames); k++) {
		struct test_frame f = frame_of(frames[k], 19);
		struct fwd_verdict v;

		assert_false(world_forward_fast(w, &f.packet, 0, &v));
		assert_int_equal(v.reason, FWD_REASON_NO_ROOM);
		assert_frame(&f.packet, frames[k]);
		assert_int_equal(w->t.cpus[0].reason[FWD_REASON_NO_ROOM], k + 1);
		assert_int_equal(w->t.cpus[0].received, k + 1);
		free(f.memory);
	}
	assert_int_equal(w->t.cpus[0].reason[FWD_REASON_FORWARDED], 0);
	assert_int_equal(w->t.backend_counts[1].packets, 0);
}

SUITE(fast_path)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_tunnel_has_the_family_of_the_whole_address,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frame_without_room_is_counted_as_such_alone,
		                                set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
