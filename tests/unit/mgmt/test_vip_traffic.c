/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of a VIP's clients: probe packets are no traffic, and what is not read is not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/page.h"
#include "mgmt/observe/vip_traffic.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/proof.h"
#include "weir/stats.h"

static char dir[64];
static const struct model_site sites[] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_vip vips[] = { { .name = "web" }, { .name = "idle" } };
static const struct model_vip *const announced[] = { &vips[0], &vips[1] };
static const struct model_at http_at[] = { { .site = &sites[0], .vip = &vips[0] },
	                                   { .site = &sites[1], .vip = &vips[0] } };
static const struct model_at quic_at[] = { { .site = &sites[0], .vip = &vips[0] } };
static const struct model_service services[] = {
	{ .name = "http", .at = http_at, .n_at = 2 },
	{ .name = "quic", .at = quic_at, .n_at = 1 },
};
static const struct model_node self = { .site = &sites[0],
	                                .announce = { .vips = announced, .n_vips = 2 } };
static const struct model m = { .self = &self, .services = services, .n_services = 2 };

static struct stats *stats;
static struct vip_traffic *traffic;
static uint64_t now_ms;

static uint64_t *get_counter(const char *service)
{
	char labels[128];

	snprintf(labels, sizeof(labels), "service=\"%s\"", service);
	return stats_get_counter(stats, STATS_COUNTER, "weir_dataplane_service_packets_total",
	                         labels, "x");
}

static int setup(void **state)
{
	(void)state;
	now_ms = 1000000;
	snprintf(dir, sizeof(dir), "/tmp/weir-traffic.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "dataplane", 16, &stats), 0);
	traffic = vip_traffic_new();
	assert_non_null(traffic);
	stats_set(get_counter("http"), 1000);
	stats_set(get_counter("quic"), 500);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	vip_traffic_free(traffic);
	stats_close(stats);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void look_after(uint64_t later_ms)
{
	now_ms += later_ms;
	stats_alive(stats, now_ms);
	vip_traffic_look(traffic, dir, &m, now_ms);
	vip_traffic_publish(traffic);
}

static struct vip_traffic_row find_traffic(const char *vip)
{
	struct vip_traffic_row row;

	assert_true(vip_traffic_find(traffic, vip, now_ms, &row));
	return row;
}

static void packets_of_all_services_count(void **state)
{
	(void)state;
	look_after(0);
	assert_int_equal(find_traffic("web").packets, 0);
	assert_int_equal(find_traffic("web").arrived_ms, 0);
	stats_add(get_counter("http"), 30);
	stats_add(get_counter("quic"), 5);
	look_after(2000);
	assert_int_equal(find_traffic("web").packets, 35);
	assert_int_equal(find_traffic("web").arrived_ms, now_ms);
}

static void new_tables_bring_no_packets(void **state)
{
	(void)state;
	look_after(0);
	for (int i = 0; i < 2; i++) {
		uint64_t packets = find_traffic("web").packets, arrived_ms;

		stats_add(get_counter("http"), 1);
		look_after(2000);
		assert_int_equal(find_traffic("web").packets, packets + 1);
		arrived_ms = find_traffic("web").arrived_ms;
		stats_set(get_counter("http"), 0); /* tables of another size */
		look_after(2000);
		stats_add(get_counter("http"), 10);
		look_after(2000);
		assert_int_equal(find_traffic("web").packets, packets + 11);
		assert_int_equal(find_traffic("web").arrived_ms, arrived_ms + 4000);
		look_after(2000);
		assert_int_equal(find_traffic("web").arrived_ms, arrived_ms + 4000);
	}
}

static void what_is_not_read_is_not_known(void **state)
{
	struct vip_traffic_row row;

	(void)state;
	look_after(0);
	assert_false(vip_traffic_find(traffic, "idle", now_ms, &row)); /* it has no service */
	assert_false(vip_traffic_find(traffic, "none", now_ms, &row));
	assert_true(vip_traffic_find(traffic, "web", now_ms + 15000, &row));
	assert_false(vip_traffic_find(traffic, "web", now_ms + 15001, &row));
	now_ms += 20000; /* weir-dataplane is silent */
	vip_traffic_look(traffic, dir, &m, now_ms);
	vip_traffic_publish(traffic);
	assert_false(vip_traffic_find(traffic, "web", now_ms, &row));
}

/* How often the page of weir-dataplane is in this process's memory; the test writes it, too. */
static unsigned count_pages(void)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, dir) && strstr(line, "/stats.dataplane.page");
	fclose(f);
	return n;
}

static void no_look_keeps_anything_open(void **state)
{
	static const uint64_t later_ms[] = { 0, 3000, 3001, 2000 }; /* read, read, too old, read */
	unsigned n_pages = count_pages(), n_descriptors = count_descriptors();

	(void)state;
	stats_alive(stats, now_ms);
	for (size_t i = 0; i < sizeof(later_ms) / sizeof(later_ms[0]); i++) {
		if (i == 3)
			stats_alive(stats, now_ms);
		vip_traffic_look(traffic, dir, &m, now_ms + later_ms[i]);
		assert_int_equal(count_pages(), n_pages);
		assert_int_equal(count_descriptors(), n_descriptors);
	}
}

static void a_page_is_read_until_it_is_three_seconds_old(void **state)
{
	(void)state;
	stats_alive(stats, now_ms);
	for (unsigned i = 0; i < 3; i++) {
		stats_add(get_counter("http"), 10);
		vip_traffic_look(traffic, dir, &m, now_ms + 2999 + i);
		vip_traffic_publish(traffic);
		assert_int_equal(find_traffic("web").packets, i == 0 ? 0 : 10);
	}
	now_ms += 3001;
	look_after(0);
	assert_int_equal(find_traffic("web").packets, 20); /* nothing of it is lost */
	assert_int_equal(find_traffic("web").since_ms, 1002999);
}

static void looks_are_rare_where_there_are_many_services(void **state)
{
	const struct model many = { .self = &self, .services = services, .n_services = 2 };

	(void)state;
	assert_true(vip_traffic_is_due(traffic, now_ms));
	vip_traffic_look(traffic, dir, &many, now_ms);
	assert_false(vip_traffic_is_due(traffic, now_ms + 2003));
	assert_true(vip_traffic_is_due(traffic, now_ms + 2004));
}

SUITE(vip_traffic)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(packets_of_all_services_count),
		T(new_tables_bring_no_packets),
		T(what_is_not_read_is_not_known),
		T(no_look_keeps_anything_open),
		T(a_page_is_read_until_it_is_three_seconds_old),
		T(looks_are_rare_where_there_are_many_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
