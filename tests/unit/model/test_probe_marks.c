/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends a node probes through their tunnels, and to which addresses and ports (weir/probe.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/probe.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Three sites; at ours three VIPs of one IPv4 address each, the last with one of IPv6 too. */
static const struct model_site sites[3] = { { .name = "ams" },
	                                    { .name = "fra" },
	                                    { .name = "lon" } };
static const struct model_node node = { .name = "ams-1", .site = &sites[0], .mtu = 1500 };
static struct addr addresses[3][2];
static const struct model_vip vips[3] = {
	{ .name = "a", .addresses = addresses[0], .n_addresses = 1 },
	{ .name = "b", .addresses = addresses[1], .n_addresses = 1 },
	{ .name = "c", .addresses = addresses[2], .n_addresses = 2 }
};
static struct model_check tunnel = { .name = "t", .via = MODEL_VIA_TUNNEL },
                          direct = { .name = "d", .via = MODEL_VIA_DIRECT };
static const struct model_backend backends[4][3] = {
	{ { .name = "x", .id = 1 }, { .name = "y", .id = 2 } },
	{ { .name = "x", .id = 3 } },
	{ { .name = "x", .id = 4 } },
	{ { .name = "x", .id = 1 }, { .name = "y", .id = 2 }, { .name = "z", .id = 5 } },
};
static struct model_pool pools[4];
static struct model_at ats[6];
static struct model_service services[6];
static struct model m;

static int set_up(void **state)
{
	static const char *const names[4] = { "p", "direct", "unchecked", "q" };
	static const size_t n_backends[4] = { 2, 1, 1, 3 };

	(void)state;
	tunnel.port = 0;
	for (size_t i = 0; i < 4; i++)
		pools[i] = (struct model_pool){ .name = names[i],
			                        .site = &sites[0],
			                        .check = i == 1   ? &direct
			                                 : i == 2 ? NULL
			                                          : &tunnel,
			                        .backends = backends[i],
			                        .n_backends = n_backends[i] };
	for (size_t i = 0; i < 6; i++) {
		ats[i] = (struct model_at){
			.site = &sites[0], .vip = &vips[i % 3], .pool = &pools[i % 4], .weight = 1
		};
		services[i] = (struct model_service){
			.name = "s", .port = (uint16_t)(80 + i), .at = &ats[i], .n_at = 1
		};
	}
	m = (struct model){
		.self = &node, .pools = pools, .n_pools = 4, .services = services, .n_services = 4
	};
	return addr_parse("192.0.2.1", &addresses[0][0]) ||
	       addr_parse("192.0.2.2", &addresses[1][0]) ||
	       addr_parse("192.0.2.3", &addresses[2][0]) ||
	       addr_parse("2001:db8::3", &addresses[2][1]);
}

static void expect_paths(const struct model_pool *pool, const char *const *texts, size_t n)
{
	struct probe_path paths[PROBE_PATHS_MAX];
	char text[ADDR_TEXT_MAX + 8];

	assert_int_equal(probe_paths(&m, pool, paths), n);
	for (size_t i = 0; i < n; i++) {
		char address[ADDR_TEXT_MAX];

		snprintf(text, sizeof(text), "%s %u", addr_text(&paths[i].vip, address),
		         paths[i].port);
		assert_string_equal(text, texts[i]);
	}
}

static void a_pool_is_probed_at_each_vip_and_port_that_lead_to_it(void **state)
{
	(void)state;
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 80" }, 1);
	expect_paths(&pools[3], (const char *const[]){ "192.0.2.1 83" }, 1);
	m.n_services = 6; /* the fifth leads to the first pool, by another VIP */
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 80", "192.0.2.2 84" }, 2);
	ats[4].vip = &vips[2]; /* of both families */
	expect_paths(&pools[0],
	             (const char *const[]){ "192.0.2.1 80", "192.0.2.3 84", "2001:db8::3 84" }, 3);
	ats[4].vip = &vips[0];
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 80", "192.0.2.1 84" }, 2);
	services[4].port = 80; /* UDP beside TCP: one probe does for both */
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 80" }, 1);
	ats[0].site = &sites[1]; /* another site's */
	ats[4].site = &sites[1];
	expect_paths(&pools[0], NULL, 0);
}

static void only_what_udp_alone_serves_is_marked_so(void **state)
{
	struct probe_path paths[PROBE_PATHS_MAX];

	(void)state;
	m.n_services = 6;
	services[4].protocol = MODEL_UDP;
	services[0].protocol = MODEL_TCP;
	assert_int_equal(probe_paths(&m, &pools[0], paths), 2);
	assert_false(paths[0].of_udp);
	assert_true(paths[1].of_udp);
	ats[4].vip = ats[0].vip;
	services[4].port = services[0].port; /* UDP and TCP at one port, in either order */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(probe_paths(&m, &pools[0], paths), 1);
		assert_false(paths[0].of_udp);
		services[4].protocol = MODEL_TCP;
		services[0].protocol = MODEL_UDP;
	}
	tunnel.port = 8080; /* a port that a person has named */
	services[4].protocol = MODEL_UDP;
	assert_int_equal(probe_paths(&m, &pools[0], paths), 1);
	assert_false(paths[0].of_udp);
}

static void the_check_s_own_port_is_probed_once_a_vip(void **state)
{
	(void)state;
	tunnel.port = 8080;
	m.n_services = 6;
	ats[4].vip = &vips[0];
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 8080" }, 1);
	ats[4].vip = &vips[1];
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.1 8080", "192.0.2.2 8080" }, 2);
}

static void a_backup_is_probed_through_the_tunnel_to_the_vip_that_it_backs(void **state)
{
	static const struct model_backend theirs[1] = { { .name = "far", .id = 77 } };
	struct model_pool all[5];
	struct probe_mark *marks = NULL;
	size_t n = 0;

	(void)state;
	memcpy(all, pools, sizeof(pools));
	for (size_t i = 0; i < 6; i++)
		ats[i].pool = &all[i % 4];
	all[4] = (struct model_pool){ .name = "theirs",
		                      .site = &sites[1],
		                      .check = &direct,
		                      .backends = theirs,
		                      .n_backends = 1 };
	m.pools = all;
	m.n_pools = 5;
	assert_false(probe_is_tunnelled(&m, &all[4])); /* another site's, and nobody's backup */
	assert_int_equal(probe_marks(&m, &marks, &n), 0);
	assert_int_equal(n, 5);
	free(marks);
	ats[2].backup = &all[4];
	assert_true(probe_is_tunnelled(&m, &all[4])); /* whatever its check is at its own site */
	expect_paths(&all[4], (const char *const[]){ "192.0.2.3 82", "2001:db8::3 82" }, 2);
	assert_int_equal(probe_marks(&m, &marks, &n), 0);
	assert_int_equal(n, 6);
	assert_ptr_equal(marks[5].pool, &all[4]);
	assert_string_equal(marks[5].backend->name, "far");
	free(marks);
	assert_int_equal(probe_backup_mtu(&m, &all[4]), 1500); /* the node's */
	assert_int_equal(probe_backup_mtu(&m, &all[0]), 0);
	ats[2].backup_mtu = 1600;
	assert_int_equal(probe_backup_mtu(&m, &all[4]), 1600);
	ats[1].backup = &all[4];
	ats[1].backup_mtu = 1400;
	assert_int_equal(probe_backup_mtu(&m, &all[4]), 1400);
	ats[1].site = ats[2].site = &sites[2]; /* a third site's backup is no business of ours */
	assert_false(probe_is_tunnelled(&m, &all[4]));
	ats[2].site = &sites[0];
	assert_true(probe_is_tunnelled(&m, &all[4]));
	all[4].check = NULL;
	assert_false(probe_is_tunnelled(&m, &all[4]));
}

static void a_service_at_several_places_is_asked_at_each(void **state)
{
	static const struct model_at two[2] = {
		{ .site = &sites[1], .vip = &vips[1], .pool = &pools[0], .weight = 1 },
		{ .site = &sites[0], .vip = &vips[2], .pool = &pools[0], .weight = 1 }
	};

	(void)state;
	services[0].at = two;
	services[0].n_at = 2;
	expect_paths(&pools[0], (const char *const[]){ "192.0.2.3 80", "2001:db8::3 80" }, 2);
}

static void no_more_paths_are_probed_than_there_is_room_for(void **state)
{
	static struct model_service many[PROBE_PATHS_MAX + 1];
	struct probe_path paths[PROBE_PATHS_MAX];

	(void)state;
	for (size_t i = 0; i <= PROBE_PATHS_MAX; i++)
		many[i] = (struct model_service){
			.name = "s", .port = (uint16_t)(1 + i), .at = &ats[0], .n_at = 1
		};
	m.services = many;
	for (size_t n = PROBE_PATHS_MAX - 1; n <= PROBE_PATHS_MAX + 1; n++) {
		m.n_services = n;
		assert_int_equal(probe_paths(&m, &pools[0], paths),
		                 n < PROBE_PATHS_MAX ? n : PROBE_PATHS_MAX);
		assert_int_equal(paths[PROBE_PATHS_MAX - 2].port, PROBE_PATHS_MAX - 1);
	}
	assert_int_equal(paths[PROBE_PATHS_MAX - 1].port, PROBE_PATHS_MAX);
}

/* Pool by pool: those of our site that are probed through tunnels, and that a service leads to. */
static void backends_of_all_such_pools_have_marks(void **state)
{
	struct probe_mark *marks = NULL;
	size_t n = 77;

	(void)state;
	assert_int_equal(probe_marks(&m, &marks, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct model_pool *pool = &pools[i < 2 ? 0 : 3];

		assert_ptr_equal(marks[i].pool, pool);
		assert_ptr_equal(marks[i].backend, &pool->backends[i < 2 ? i : i - 2]);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(marks[i].mark, marks[k].mark);
	}
	uint32_t last = marks[4].mark;
	free(marks);
	pools[0].site = &sites[1]; /* no pool of ours any more: the others keep their marks */
	assert_int_equal(probe_marks(&m, &marks, &n), 0);
	assert_int_equal(n, 3);
	assert_ptr_equal(marks[2].pool, &pools[3]);
	assert_int_equal(marks[2].mark, last);
	free(marks);
	ats[3].site = &sites[1]; /* nothing leads to it */
	assert_int_equal(probe_marks(&m, &marks, &n), 0);
	assert_int_equal(n, 0);
	free(marks);
	m.self = NULL;
	assert_int_equal(probe_marks(&m, &marks, &n), -ENOENT);
}

/* A site with one pool of @p n backends that are probed through their tunnels. */
static int mark_backends(size_t n, struct probe_mark **out, size_t *n_out)
{
	static struct model_backend many[PROBES_MAX + 1];
	static struct model_site ams = { .name = "ams" };
	static struct model_node self = { .name = "ams-1", .site = &ams };
	static struct model_check check = { .name = "c", .via = MODEL_VIA_TUNNEL, .port = 80 };
	static struct model_pool pool = {
		.name = "web", .site = &ams, .check = &check, .backends = many
	};
	static struct addr four[4];
	static struct model_vip vip = { .name = "shop", .addresses = four, .n_addresses = 4 };
	static struct model_at at = { .site = &ams, .vip = &vip, .pool = &pool, .weight = 1 };
	static struct model_service service = { .name = "web", .port = 80, .at = &at, .n_at = 1 };
	const struct model own = {
		.self = &self, .pools = &pool, .n_pools = 1, .services = &service, .n_services = 1
	};

	/* the first of each family is probed: one that is not there would only be refused twice as often */
	struct probe_path paths[PROBE_PATHS_MAX];
	assert_int_equal(addr_parse("203.0.113.10", &four[0]), 0);
	assert_int_equal(addr_parse("203.0.113.11", &four[1]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &four[2]), 0);
	assert_int_equal(addr_parse("2001:db8::11", &four[3]), 0);
	assert_int_equal(probe_paths(&own, &pool, paths), 2);
	assert_true(addr_equal(&paths[0].vip, &four[0]));
	assert_true(addr_equal(&paths[1].vip, &four[2]));
	assert_int_equal(paths[0].port, 80);
	for (size_t i = 0; i < n; i++)
		many[i] = (struct model_backend){ .name = "b", .id = i, .pool = &pool };
	pool.n_backends = n;
	return probe_marks(&own, out, n_out);
}

static int compare_marks(const void *a, const void *b)
{
	uint32_t x = ((const struct probe_mark *)a)->mark, y = ((const struct probe_mark *)b)->mark;

	return (x > y) - (x < y);
}

static void each_backend_has_a_mark_of_its_own_up_to_the_last(void **state)
{
	struct probe_mark *marks = NULL;
	uint32_t first;
	size_t n = 0;

	(void)state;
	assert_int_equal(mark_backends(PROBES_MAX + 1, &marks, &n), -E2BIG);
	assert_int_equal(mark_backends(1, &marks, &n), 0);
	first = marks[0].mark;
	free(marks);
	assert_int_equal(mark_backends(PROBES_MAX, &marks, &n), 0);
	assert_int_equal(n, PROBES_MAX);
	assert_int_equal(marks[0].mark, first); /* it stays with its backend while others come */
	qsort(marks, n, sizeof(*marks), compare_marks);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(marks[i].mark & PROBE_MARK_MASK, PROBE_MARK_BASE);
		if (i)
			assert_int_not_equal(marks[i].mark, marks[i - 1].mark);
	}
	free(marks);
}

SUITE(probe_marks)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_pool_is_probed_at_each_vip_and_port_that_lead_to_it,
		                       set_up),
		cmocka_unit_test_setup(only_what_udp_alone_serves_is_marked_so, set_up),
		cmocka_unit_test_setup(the_check_s_own_port_is_probed_once_a_vip, set_up),
		cmocka_unit_test_setup(
		        a_backup_is_probed_through_the_tunnel_to_the_vip_that_it_backs, set_up),
		cmocka_unit_test_setup(
		        a_backup_is_probed_through_the_tunnel_to_the_vip_that_it_backs, set_up),
		cmocka_unit_test_setup(a_service_at_several_places_is_asked_at_each, set_up),
		cmocka_unit_test_setup(no_more_paths_are_probed_than_there_is_room_for, set_up),
		cmocka_unit_test_setup(backends_of_all_such_pools_have_marks, set_up),
		cmocka_unit_test(each_backend_has_a_mark_of_its_own_up_to_the_last),
	};

	return cmocka_run_group_tests_name("probe marks", tests, NULL, NULL);
}
