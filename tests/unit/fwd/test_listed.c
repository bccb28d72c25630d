/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a packet names beside its slot's owner, in a pool with agents (fwd/decide.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fwd/world.h"
#include "tests/unit/suite.h"
#include "weir/fwd/decide.h"

#define GUEST(backend) ((backend) | OWNER_LIST_TEMPORARY)

static int set_up(void **state)
{
	static struct world w;
	static const char *const addresses[] = { "10.1.0.1", "10.1.0.2", "10.1.0.3",
		                                 "10.1.0.4", "10.1.0.5", "2001:db8::6" };
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 2,
		                            .backends = 8,
		                            .slots = 64,
		                            .exception_buckets = 4 };

	world_init(&w, &sizes, 1);
	for (uint32_t i = 0; i < 6; i++) {
		union fwd_addr a = world_addr(addresses[i]);

		world_add_backend(&w, i + 1, &a, FWD_ENCAP_GUE, 1);
	}
	w.t.backends[4].flags |= FWD_BACKEND_DEAD;
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world_fini(*state);
	return 0;
}

static uint64_t make_list(const uint16_t backends[OWNER_LIST_MAX])
{
	uint64_t made = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		made = owner_list_with(made, i, backends[i]);
	return made;
}

static void
a_packet_names_who_can_be_named_and_a_syn_none_that_other_nodes_may_not_name(void **state)
{
	static const struct {
		const char *why;
		uint16_t list[OWNER_LIST_MAX], current, others[3], syns[3];
	} cases[] = {
		{ "the line", { 2, 3 }, 1, { 2, 3 }, { 2, 3 } },
		{ "a guest behind it", { 2, GUEST(3) }, 1, { 2, 3 }, { 2 } },
		{ "a guest before it", { GUEST(2), 3 }, 1, { 2, 3 }, { 3 } },
		{ "guests alone", { GUEST(2), GUEST(3) }, 1, { 2, 3 }, { 0 } },
		{ "the current owner", { 1, GUEST(1), 2 }, 1, { 2 }, { 2 } },
		{ "the dead, and another family", { 4, 6, 2 }, 1, { 2 }, { 2 } },
		{ "three of four", { 2, GUEST(3), 5, 7 }, 1, { 2, 3, 5 }, { 2, 5 } },
	};
	const struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t list = make_list(cases[i].list);
		uint16_t others[OWNER_LIST_MAX] = { cases[i].others[0], cases[i].others[1],
			                            cases[i].others[2] };
		uint16_t syns[OWNER_LIST_MAX] = { cases[i].syns[0], cases[i].syns[1],
			                          cases[i].syns[2] };

		assert_int_equal(fwd_decide_named(&w->t, list, cases[i].current, false),
		                 make_list(others));
		assert_int_equal(fwd_decide_named(&w->t, list, cases[i].current, true),
		                 make_list(syns));
	}
}

SUITE(listed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        a_packet_names_who_can_be_named_and_a_syn_none_that_other_nodes_may_not_name,
		        set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
