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
#include "mgmt/api/vip_traffic.h"
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
static struct page *proof_page;
static struct vip_traffic *traffic;
static uint64_t now_ms;

static uint64_t *get_counter(const char *service)
{
	char labels[128];

	snprintf(labels, sizeof(labels), "service=\"%s\"", service);
	return stats_get_counter(stats, STATS_COUNTER, "weir_dataplane_service_packets_total",
	                         labels, "x");
}

static int compare_services(const void *a, const void *b)
{
	const struct proof_service *x = a, *y = b;

	return (x->service > y->service) - (x->service < y->service);
}

/* What weir-dataplane says of its probe packets, as a process that started at @p started_ms. */
static void count_probes(uint64_t http, uint64_t quic, uint64_t started_ms)
{
	struct proof_page *p = page_payload(proof_page);
	struct proof_service *rows;

	p->max_vips = 1;
	p->max_services = 2;
	p->node = (struct proof_node){ .alive_ms = now_ms,
		                       .started_ms = started_ms,
		                       .n_services = 2 };
	rows = proof_page_services(p);
	rows[0] = (struct proof_service){ .service = hash_text("http"), .forwarded = http };
	rows[1] = (struct proof_service){ .service = hash_text("quic"), .forwarded = quic };
	qsort(rows, 2, sizeof(*rows), compare_services);
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	now_ms = 1000000;
	snprintf(dir, sizeof(dir), "/tmp/weir-traffic.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "dataplane", 16, &stats), 0);
	snprintf(path, sizeof(path), "%s/" PROOF_PAGE_FILE, dir);
	assert_int_equal(page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT,
	                             proof_page_bytes(1, 2), &proof_page),
	                 0);
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
	page_close(proof_page);
	stats_close(stats);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Look @p later_ms after the last time, with so many probe packets. */
static void look_at_pages(uint64_t later_ms, uint64_t http_probes, uint64_t quic_probes,
                          uint64_t started_ms)
{
	now_ms += later_ms;
	stats_alive(stats, now_ms);
	count_probes(http_probes, quic_probes, started_ms);
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
	look_at_pages(0, 100, 50, 7);
	assert_int_equal(find_traffic("web").packets, 0);
	assert_int_equal(find_traffic("web").arrived_ms, 0);
	stats_add(get_counter("http"), 30);
	stats_add(get_counter("quic"), 5);
	look_at_pages(2000, 100, 50, 7);
	assert_int_equal(find_traffic("web").packets, 35);
	assert_int_equal(find_traffic("web").arrived_ms, now_ms);
}

static void probe_packets_are_no_traffic(void **state)
{
	(void)state;
	look_at_pages(0, 100, 50, 7);
	for (int i = 1; i < 100; i++) {
		stats_add(get_counter("http"), 2);
		/* the page of proofs is two packets ahead at times */
		look_at_pages(2000, 100 + 2u * (unsigned)i + 2u * (unsigned)(i % 2), 50, 7);
	}
	assert_int_equal(find_traffic("web").packets, 0);
	assert_int_equal(find_traffic("web").arrived_ms, 0);
}

static void new_tables_and_a_new_process_bring_no_packets(void **state)
{
	(void)state;
	look_at_pages(0, 100, 50, 7);
	look_at_pages(2000, 0, 0, 8); /* its probe packets count from 0 again */
	assert_int_equal(find_traffic("web").packets, 0);
	stats_set(get_counter("http"), 2000000);
	look_at_pages(2000, 0, 0, 8);
	assert_int_equal(find_traffic("web").packets, 1999000);
	stats_set(get_counter("http"), 0); /* tables of another size */
	look_at_pages(2000, 0, 0, 8);
	stats_set(get_counter("http"), 10);
	look_at_pages(2000, 0, 0, 8);
	assert_int_equal(find_traffic("web").packets, 1999010);
}

static void what_is_not_read_is_not_known(void **state)
{
	struct vip_traffic_row row;

	(void)state;
	look_at_pages(0, 0, 0, 7);
	assert_false(vip_traffic_find(traffic, "idle", now_ms, &row)); /* it has no service */
	assert_false(vip_traffic_find(traffic, "none", now_ms, &row));
	assert_true(vip_traffic_find(traffic, "web", now_ms + 15000, &row));
	assert_false(vip_traffic_find(traffic, "web", now_ms + 15001, &row));
	now_ms += 20000; /* weir-dataplane is silent */
	count_probes(0, 0, 7);
	vip_traffic_look(traffic, dir, &m, now_ms);
	vip_traffic_publish(traffic);
	assert_false(vip_traffic_find(traffic, "web", now_ms, &row));
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(packets_of_all_services_count),
		T(probe_packets_are_no_traffic),
		T(new_tables_and_a_new_process_bring_no_packets),
		T(what_is_not_read_is_not_known),
		T(looks_are_rare_where_there_are_many_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
