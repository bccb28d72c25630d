/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the dataplane shows (dataplane/export/publish.c): each value is traced back to where it comes from.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "dataplane/export/effect_internal.h"
#include "dataplane/nexthop/hops_internal.h"
#include "dataplane/export/metrics.h"

#include "tests/unit/dataplane/publish_scene.h"
#include "tests/unit/suite.h"

static const struct {
	const char *name;
	int64_t value;
} expected_totals[] = {
	{ METRIC("document"), 77 },
	{ METRIC("documents_total"), 11 },
	{ METRIC("documents_refused_total"), 12 },
	{ METRIC("document_refused"), 1 },
	{ METRIC("document_read_microseconds"), 51 },
	{ METRIC("document_compile_microseconds"), 52 },
	{ METRIC("document_switch_microseconds"), 53 },
	{ METRIC("resizes_total"), 13 },
	{ METRIC("backends_out_total"), 14 },
	{ METRIC("backends_back_total"), 15 },
	{ METRIC("guard_holds_total"), 16 },
	{ METRIC("path_mtu_lowered_total"), 17 },
	{ METRIC("path_mtu_restored_total"), 18 },
	{ METRIC("paths_lowered"), 19 },
	{ METRIC("next_hop_changes_total"), 41 },
	{ METRIC("next_hop_probes_total"), 42 },
	{ METRIC("next_hop_resyncs_total"), 43 },
	{ METRIC("next_hops_refused_total"), 44 },
	{ METRIC("ports"), 3 },
	{ METRIC("ports_generic"), 2 },
	{ METRIC("dpdk"), 0 },
	{ METRIC("tables_page_bytes"), 0 },
	{ METRIC("table_damage_total"), 20 },
	{ METRIC("table_scrubs_total"), 21 },
	{ METRIC("pins_renewed_total"), 22 },
	{ METRIC("learning"), 1 },
};

static void each_total_comes_from_its_source(void **state)
{
	static struct hops hops = { .counters = { 41, 42, 43, 44, 45, 46 } };

	(void)state;
	s.node.counters = (struct compiler_counters){ 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22 };
	s.node.model->meta.document = 77;
	s.node.document_refused = s.node.learning = true;
	s.node.n_low = 19;
	s.node.took = (struct compiled_times){ .read_us = 51, .compile_us = 52, .switch_us = 53 };
	s.node.hops = &hops;
	n_ports = 3;
	ports[0] = ports[2] = (struct driver_port){ .native = false };
	ports[1] = (struct driver_port){ .native = true };
	publish_all();
	for (size_t i = 0; i < COUNT(expected_totals); i++)
		expect_metric(expected_totals[i].name, "", expected_totals[i].value);
	s.node.document_refused = s.node.learning = false;
	s.node.ops = &with_workers;
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("document_refused"), "", 0);
	expect_metric(METRIC("learning"), "", 0);
	expect_metric(METRIC("dpdk"), "", 1);
	expect_metric(METRIC("tables_page_bytes"), "", 2u << 20);
}

static void packets_are_the_sum_of_all_cpus_by_reason_and_event(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < CPUS; c++) {
		struct fwd_cpu *cpu = &s.node.t.cpus[c];

		cpu->received = 1000 + c;
		cpu->received_bytes = 2000 + 10 * c;
		cpu->fragments_lost = 3000 + 100 * c;
		for (int i = 0; i < FWD_REASON_COUNT; i++)
			cpu->reason[i] = 10u * (unsigned)i + 1 + c;
		for (int i = 0; i < OWNER_EVENT_COUNT; i++)
			cpu->event[i] = 10u * (unsigned)i + 3 + c;
	}
	publish_all();
	expect_metric(METRIC("received_packets_total"), "", 2001);
	expect_metric(METRIC("received_bytes_total"), "", 4010);
	expect_metric(METRIC("fragments_forgotten_total"), "", 6100);
	for (int i = 0; i < FWD_REASON_COUNT; i++)
		expect_metric(METRIC("packets_total"), metrics_reasons[i].labels, 20 * i + 3);
	for (int i = 0; i < OWNER_EVENT_COUNT; i++)
		expect_metric(METRIC("owner_events_total"), metrics_owner_events[i].labels,
		              20 * i + 7);
}

static void a_service_has_the_sum_of_all_cpus(void **state)
{
	static const char *const names[] = { "dns", "web" };

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		uint32_t at = indexes_find(s.node.count_indexes, hash_text(names[i]));

		for (uint32_t c = 0; c < CPUS; c++) {
			uint32_t n = c * s.node.sizes.service_counts + at;

			s.node.t.service_counts[n] =
			        (struct fwd_count){ 10 + i + c, 500 + 10 * i + c };
			s.node.t.service_news[n] = (struct fwd_count){ 3 + 2 * i + c, 60 + c };
		}
	}
	publish_all();
	expect_metric(METRIC("service_packets_total"), "service=\"dns\"", 28); /* with the SYNs */
	expect_metric(METRIC("service_bytes_total"), "service=\"dns\"", 1122);
	expect_metric(METRIC("service_new_flows_total"), "service=\"dns\"", 7);
	expect_metric(METRIC("service_packets_total"), "service=\"web\"", 34);
	expect_metric(METRIC("service_bytes_total"), "service=\"web\"", 1142);
	expect_metric(METRIC("service_new_flows_total"), "service=\"web\"", 11);
}

/* Slots that @p backend owns by the tables themselves. */
static int64_t owned_slots(const struct compiler_pool *pool, uint32_t backend)
{
	int64_t n = 0;

	for (uint32_t i = pool->first_slot; i < pool->first_slot + pool->n_slots; i++)
		n += (s.node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND) == backend;
	return n;
}

static const struct {
	const char *pool, *labels;
	uint64_t id;
	uint8_t flags;
} shown_rows[] = {
	{ "web-ams", "pool=\"web-ams\",backend=\"a\"", 5, 0 },
	{ "web-ams", "pool=\"web-ams\",backend=\"b\"", 9, FWD_BACKEND_DEAD },
	{ "web-fra", "pool=\"web-fra\",backend=\"a\"", 5, FWD_BACKEND_NO_NEXT_HOP },
	{ "web-fra", "pool=\"web-fra\",backend=\"b\"", 9, 0 },
};

static void a_backend_shows_what_its_own_row_of_the_tables_says(void **state)
{
	struct fwd_tables *t = &s.node.t;

	(void)state;
	for (uint32_t i = 0; i < COUNT(shown_rows); i++) {
		uint32_t at = index_of(shown_rows[i].pool, shown_rows[i].id);

		t->backends[at].flags = FWD_BACKEND_USED | shown_rows[i].flags;
		t->backends[at].inner_mtu = (uint16_t)(1400 + i);
		for (uint32_t c = 0; c < CPUS; c++) {
			uint32_t n = c * s.node.sizes.backends + at;

			t->backend_counts[n] =
			        (struct fwd_count){ 10 * i + c + 1, 1000 * i + c + 1 };
			t->backend_news[n] = (struct fwd_count){ 5 * i + c + 2, 100 * i + c };
		}
		for (uint32_t k = 0; k <= i; k++) /* the backend's number of exceptions */
			t->exceptions[i].word[k] =
			        owner_word((uint16_t)at, OWNER_OPEN,
			                   owner_end((uint32_t)(s.time.ticks_ms / 1000), 30), 1);
	}
	publish_all();
	for (uint32_t i = 0; i < COUNT(shown_rows); i++) {
		const struct compiler_pool *pool =
		        &s.node.pools[strcmp(shown_rows[i].pool, "web-ams") != 0];

		assert_string_equal(pool->plan->model->name, shown_rows[i].pool);
		expect_metric(METRIC("backend_packets_total"), shown_rows[i].labels, 30 * i + 8);
		expect_metric(METRIC("backend_bytes_total"), shown_rows[i].labels, 2200 * i + 4);
		expect_metric(METRIC("backend_new_flows_total"), shown_rows[i].labels, 10 * i + 5);
		expect_metric(METRIC("backend_in_force"), shown_rows[i].labels,
		              shown_rows[i].flags != FWD_BACKEND_DEAD);
		expect_metric(METRIC("backend_next_hop"), shown_rows[i].labels,
		              shown_rows[i].flags != FWD_BACKEND_NO_NEXT_HOP);
		expect_metric(METRIC("backend_slots"), shown_rows[i].labels,
		              owned_slots(pool, index_of(shown_rows[i].pool, shown_rows[i].id)));
		expect_metric(METRIC("backend_exceptions"), shown_rows[i].labels, i + 1);
		expect_metric(METRIC("backend_inner_mtu"), shown_rows[i].labels, 1400 + i);
	}
	expect_metric(METRIC("exceptions"), "", 1 + 2 + 3 + 4);
	expect_metric(METRIC("exceptions_max"), "", s.node.t.n_exceptions * OWNER_WAYS);
}

/* Earlier owners of slots count as such, also of a backend that is no longer configured. */
static void base_slots_are_those_whose_claims_last(void **state)
{
	uint32_t a = index_of("web-ams", 5), n = 0, others = 0;

	(void)state;
	for (uint32_t i = 0; i < s.node.pools[0].n_slots; i++) {
		uint16_t owner = s.node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND;
		const struct owner_cold *cold = &s.node.t.colds[i];
		bool based = false;

		if (!(s.node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_UNSETTLED))
			continue;
		for (int c = 0; c < OWNER_CLASSES; c++) {
			based |= cold->claim[c].settle_at && cold->claim[c].base == a && owner != a;
			others += cold->claim[c].settle_at && cold->claim[c].base != a;
		}
		n += based;
	}
	assert_true(n > 0 && others > 0);
	publish_all();
	expect_metric(METRIC("backend_base_slots"), "pool=\"web-ams\",backend=\"a\"", n);
}

static void a_pool_shows_its_own_slots(void **state)
{
	struct effect_pool pool;
	struct effect *e;

	(void)state;
	for (uint32_t i = 0; i < 7; i++) /* of the second pool */
		s.node.t.slots[s.node.pools[1].first_slot / 32].slot[i] = 0;
	s.node.pools[1].backends[0].reason = EFFECT_REASON_HELD_MIN;
	s.node.pools[1].backends[1].reason = EFFECT_REASON_HELD_RATE;
	s.node.pools[0].backends[0].reason = EFFECT_REASON_HELD_LAST;
	publish_all();
	assert_int_equal(effect_open(dir, &e), 0);
	for (int i = 0; i < 2; i++) {
		const char *labels = i ? "pool=\"web-fra\"" : "pool=\"web-ams\"";

		assert_int_equal(effect_pool(e, i ? "web-fra" : "web-ams", &pool), 0);
		expect_metric(METRIC("pool_slots"), labels, 4096);
		expect_metric(METRIC("pool_slots_empty"), labels, i ? 7 : 0);
		expect_metric(METRIC("pool_slots_unsettled"), labels, pool.unsettled);
		expect_metric(METRIC("pool_backends_held"), labels, i ? 2 : 1);
		expect_metric(METRIC("pool_slots_full"), labels, 0);
		assert_true(pool.unsettled > 0);
		assert_int_equal(pool.held, i ? 2 : 1);
	}
	effect_close(e);
}

static const struct {
	const char *pool;
	uint64_t id;
} effect_rows[] = { { "web-ams", 5 }, { "web-ams", 7 }, { "web-ams", 9 },
	            { "web-fra", 5 }, { "web-fra", 7 }, { "web-fra", 9 } };

static void the_effect_page_adds_what_tables_do_not_say(void **state)
{
	struct effect_backend b;
	struct effect_total total;
	struct effect *e;

	(void)state;
	s.node.document_refused = true;
	for (uint32_t i = 0; i < COUNT(effect_rows); i++) {
		uint32_t at = index_of(effect_rows[i].pool, effect_rows[i].id);

		s.node.pools[i / 3].backends[i % 3].reason = (uint8_t)(i + 1);
		s.node.paths[at].next_hop.hop = (uint8_t)(i % EFFECT_HOP_COUNT + 1);
		s.node.paths[at].reported.mtu = (uint16_t)(1300 + i);
	}
	publish_all();
	assert_int_equal(effect_open(dir, &e), 0);
	for (uint32_t i = 0; i < COUNT(effect_rows); i++) {
		assert_int_equal(effect_backend(e, effect_rows[i].pool, effect_rows[i].id, &b), 0);
		assert_int_equal(b.index, index_of(effect_rows[i].pool, effect_rows[i].id));
		assert_int_equal(b.reason, i + 1);
		assert_int_equal(b.hop, i % EFFECT_HOP_COUNT + 1);
		assert_int_equal(b.path_mtu, 1300 + i);
	}
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.refused, 1);
	assert_int_equal(total.alive_ms, s.time.now_ms);
	assert_int_equal(total.n_pools, 2);
	assert_int_equal(total.n_backends, 6);
	assert_ptr_not_equal(publisher_effect(p), NULL);
	assert_int_equal(publisher_effect(p)->total.n_backends, 6);
	s.time.now_ms += 500;
	s.node.document_refused = false;
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.refused, 0);
	assert_int_equal(total.alive_ms, s.time.now_ms);
	effect_close(e);
}

/* A row of the tables that the document does not have (it rests) does not shift the others'. */
static void a_backend_that_left_shifts_no_reason(void **state)
{
	struct effect_backend b;
	struct effect *e;

	(void)state;
	s.node.pools[0].backends[2].reason = EFFECT_REASON_FORCED_UP;
	s.node.t.backends[20] = (struct fwd_backend){ .flags = FWD_BACKEND_USED,
		                                      .id = 6,
		                                      .pool_id = hash_text("web-ams") };
	publish_all();
	assert_int_equal(effect_open(dir, &e), 0);
	assert_int_equal(effect_backend(e, "web-ams", 6, &b), 0);
	assert_int_equal(b.reason, EFFECT_REASON_UNKNOWN);
	assert_int_equal(effect_backend(e, "web-ams", 9, &b), 0);
	assert_int_equal(b.reason, EFFECT_REASON_FORCED_UP);
	s.node.t.backends[20].flags = 0;
	s.node.t.backends[index_of("web-ams", 7)].flags = 0; /* and one that is not there yet */
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(effect_backend(e, "web-ams", 7, &b), -ENOENT);
	assert_int_equal(effect_backend(e, "web-ams", 9, &b), 0);
	assert_int_equal(b.reason, EFFECT_REASON_FORCED_UP);
	effect_close(e);
}

/* Its element is being replaced: the figures of the next one are not its own. */
static void a_backend_without_a_row_keeps_its_last_figures(void **state)
{
	static const char labels[] = "pool=\"web-ams\",backend=\"a\"";
	uint32_t at = index_of("web-ams", 5);

	(void)state;
	s.node.t.backend_counts[at] = (struct fwd_count){ 7, 70 };
	s.node.t.backends[at].inner_mtu = 1401;
	publish_all();
	s.node.t.backends[at].flags = 0;
	s.node.t.backend_counts[at] = (struct fwd_count){ 1, 10 };
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("backend_packets_total"), labels, 7);
	expect_metric(METRIC("backend_bytes_total"), labels, 70);
	expect_metric(METRIC("backend_inner_mtu"), labels, 1401);
	s.node.t.backends[at].flags = FWD_BACKEND_USED;
	publisher_write(p, &s.node, &s.time);
	expect_metric(METRIC("backend_packets_total"), labels, 1);
}

/* What a document drops loses its words; what stays keeps its counts, and others get theirs. */
/* Show two pools, then a document of one with another backend. @param is_new_process  which never had the first one */
static void expect_rows_of_second(bool is_new_process)
{
	s.node.t.backend_counts[index_of("web-ams", 5)] = (struct fwd_count){ 7, 70 };
	publish_all();
	assert_int_equal(n_rows(METRIC("backend_packets_total")), 4);
	assert_int_equal(n_rows(METRIC("service_packets_total")), 2);
	assert_int_equal(n_rows(METRIC("pool_slots")), 2);
	s.second.model.n_pools = 1; /* and services[0], dns, with it */
	s.second.services[0].name = "mail";
	s.second.at[0].pool = &s.second.pools[0];
	s.second.backends[1].name = "c";
	s.node.ops = &memory;
	apply_world(&s, &s.second);
	s.node.ops = &without_workers;
	if (is_new_process) {
		publisher_close(p);
		assert_int_equal(publisher_open(dir, &p), 0);
		publish_all();
	} else {
		publisher_document(p, &s.node);
	}
	expect_metric(METRIC("backend_packets_total"), "pool=\"web-ams\",backend=\"a\"", 7);
	expect_metric(METRIC("backend_bytes_total"), "pool=\"web-ams\",backend=\"a\"", 70);
	assert_int_equal(n_rows(METRIC("backend_packets_total")), 2);
	expect_metric(METRIC("backend_packets_total"), "pool=\"web-ams\",backend=\"c\"", 0);
	expect_metric(METRIC("backend_inner_mtu"), "pool=\"web-ams\",backend=\"b\"", -1);
	expect_metric(METRIC("service_bytes_total"), "service=\"dns\"", -1);
	expect_metric(METRIC("service_bytes_total"), "service=\"mail\"", 0);
	expect_metric(METRIC("pool_slots_full"), "pool=\"web-fra\"", -1);
	expect_metric(METRIC("pool_slots"), "pool=\"web-ams\"", 4096);
}

static void rows_come_and_go_with_documents(void **state)
{
	(void)state;
	expect_rows_of_second(false);
}

static void rows_of_an_earlier_process_go(void **state)
{
	(void)state;
	n_ports = 2;
	ports[0] = (struct driver_port){ .name = "eth0", .missed = 3 };
	ports[1] = (struct driver_port){ .name = "eth1", .missed = 4 };
	publish_all();
	n_ports = 1;
	expect_rows_of_second(true);
	expect_metric(METRIC("port_missed_total"), "port=\"eth0\"", 3);
	expect_metric(METRIC("port_missed_total"), "port=\"eth1\"", -1);
}

/* DPDK before, XDP now. */
static void kinds_of_rows_of_an_earlier_process_go(void **state)
{
	(void)state;
	s.node.ops = &with_workers;
	n_workers = 2;
	n_ports = 1;
	ports[0] = (struct driver_port){ .name = "eth0" };
	publish_all();
	assert_int_equal(n_rows(METRIC("worker_frames_total")), 2);
	publisher_close(p);
	assert_int_equal(publisher_open(dir, &p), 0);
	s.node.ops = &without_workers;
	n_workers = n_ports = 0;
	publish_all();
	assert_int_equal(n_rows(METRIC("worker_frames_total")), 0);
	assert_int_equal(n_rows(METRIC("worker_bursts_total")), 0);
	assert_int_equal(n_rows(METRIC("kernel_frames_total")), 0);
	assert_int_equal(n_rows(METRIC("port_up")), 0);
}

/* Its name is kept, and it is another backend: its counts begin again, in the same series. */
static void a_backend_with_another_address_is_shown_on(void **state)
{
	static const char labels[] = "pool=\"web-ams\",backend=\"b\"";

	(void)state;
	s.node.t.backend_counts[index_of("web-ams", 9)] = (struct fwd_count){ 7, 70 };
	publish_all();
	expect_metric(METRIC("backend_packets_total"), labels, 7);
	s.second.backends[1].id = s.second.now[1].id = s.second.next[1].id = 19;
	s.node.ops = &memory;
	apply_world(&s, &s.second);
	s.node.ops = &without_workers;
	assert_int_not_equal(index_of("web-ams", 19), INDEX_NONE);
	s.node.t.backend_counts[index_of("web-ams", 19)] = (struct fwd_count){ 4, 40 };
	for (int i = 0; i < 2; i++) { /* and by each document after it */
		publish_all();
		assert_int_equal(n_rows(METRIC("backend_packets_total")), 4);
		assert_int_equal(n_rows(METRIC("backend_slots")), 4);
		expect_metric(METRIC("backend_packets_total"), labels, 4);
		expect_metric(METRIC("backend_bytes_total"), labels, 40);
	}
}

static void only_so_many_backends_have_counters(void **state)
{
	enum { MORE = PUBLISH_BACKENDS_MAX + 5 };
	struct plan_backend *list = calloc(MORE, sizeof(*list));
	static char names[MORE][8];
	static struct plan_pool pool;
	static struct plan plan;
	struct compiler_pool np = { .plan = &pool };
	struct compiler n = { .pools = &np, .n_pools = 1, .plan = &plan };

	(void)state;
	assert_non_null(list);
	pool = (struct plan_pool){ .model = &s.first.pools[0], .id = 1, .backends = list };
	pool.n_backends = MORE;
	for (uint32_t i = 0; i < MORE; i++) {
		snprintf(names[i], sizeof(names[i]), i == 3 ? "" : "b%u", i);
		list[i] = (struct plan_backend){ .id = i + 1, .name = names[i] };
	}
	assert_non_null(
	        strstr(log_of_document(&n), "left_out=4 reason=\"the page of counters has room"));
	assert_int_equal(n_rows(METRIC("backend_slots")), PUBLISH_BACKENDS_MAX);
	expect_metric(METRIC("backend_slots"), "pool=\"web-ams\",backend=\"\"", -1);
	expect_metric(METRIC("backend_slots"), "pool=\"web-ams\",backend=\"b1024\"", 0);
	expect_metric(METRIC("backend_slots"), "pool=\"web-ams\",backend=\"b1025\"", -1);
	free(list);
}

/* As many rows as the page has of each kind, twice with other names: the sign of life and jobs still find their words. */
static void the_largest_document_leaves_room_for_signs_of_life(void **state)
{
	enum { SERVICES = 65536, POOLS = 3000 };
	struct compiler_pool *pools = calloc(POOLS, sizeof(*pools));
	struct plan_pool *plans = calloc(POOLS, sizeof(*plans));
	struct model_pool *model_pools = calloc(POOLS, sizeof(*model_pools));
	struct model_service *services = calloc(SERVICES, sizeof(*services));
	const struct model_service **list = calloc(SERVICES, sizeof(*list));
	struct plan_backend *backends = calloc(POOLS, sizeof(*backends));
	char(*names)[12] = calloc(SERVICES, sizeof(*names));
	struct plan plan = { .services = list, .n_services = SERVICES };
	struct compiler n = { .pools = pools, .n_pools = POOLS, .plan = &plan };

	(void)state;
	assert_true(pools && plans && model_pools && services && list && backends && names);
	for (uint32_t i = 0; i < SERVICES; i++) {
		list[i] = &services[i];
		services[i].name = names[i];
	}
	for (uint32_t i = 0; i < POOLS; i++) {
		model_pools[i].name = names[i];
		backends[i] = (struct plan_backend){ .id = i + 1, .name = names[i] };
		plans[i] = (struct plan_pool){ .model = &model_pools[i], .id = i + 1 };
		plans[i].backends = &backends[i];
		plans[i].n_backends = 1;
		pools[i].plan = &plans[i];
	}
	for (char round = 'a'; round <= 'b'; round++) {
		for (uint32_t i = 0; i < SERVICES; i++)
			snprintf(names[i], sizeof(names[i]), "%c%u", round, i);
		assert_non_null(strstr(log_of_document(&n), "-without-counters"));
		assert_int_equal(n_rows(METRIC("service_packets_total")), PUBLISH_SERVICES_MAX);
		assert_int_equal(n_rows(METRIC("pool_slots")), PUBLISH_POOLS_MAX);
		assert_int_equal(n_rows(METRIC("backend_slots")), PUBLISH_BACKENDS_MAX);
	}
	expect_metric(METRIC("service_packets_total"), "service=\"b0\"", 0);
	expect_metric(METRIC("service_packets_total"), "service=\"b4096\"", -1);
	stats_turns(publisher_stats(p), "main");
	assert_int_equal(n_rows(STATS_TURNS), 1);
	free(names);
	free(backends);
	free(list);
	free(services);
	free(model_pools);
	free(plans);
	free(pools);
}

static void without_a_document_the_process_alone_is_shown(void **state)
{
	struct compiler none = { .document_refused = true, .counters = { .refused = 4 } };
	struct effect *e;

	(void)state;
	publisher_write(p, &none, &s.time);
	expect_metric(METRIC("document_refused"), "", 1);
	expect_metric(METRIC("documents_refused_total"), "", 4);
	expect_metric(METRIC("document"), "", 0);
	assert_true(value_of(METRIC("process_resident_bytes"), "") > 0);
	assert_null(publisher_effect(p));
	assert_int_equal(effect_open(dir, &e), -ENOENT);
}

static uint64_t used_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void the_process_shows_its_own_cost_and_life(void **state)
{
	unsigned long pages = 0;
	uint64_t before = used_us();
	struct stats_reader *r;
	FILE *f = fopen("/proc/self/statm", "re");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	publish_all();
	assert_in_range(value_of(METRIC("process_cpu_microseconds_total"), ""), before, used_us());
	assert_in_range(value_of(METRIC("process_resident_bytes"), ""), pages * 4096 / 2,
	                pages * 4096 * 2);
	assert_int_equal(stats_reader_open(dir, "dataplane", &r), 0);
	assert_int_equal(stats_reader_alive_ms(r), s.time.now_ms);
	stats_reader_close(r);
}

/* As when all descriptors are used up. */
static void a_process_that_cannot_read_its_memory_shows_the_rest(void **state)
{
	struct rlimit was, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	publish_all();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(value_of(METRIC("process_resident_bytes"), ""), 0);
	assert_true(value_of(METRIC("process_cpu_microseconds_total"), "") > 0);
}

/* A label cut in its middle would make the whole page unreadable for Prometheus, and two names one. */
static void the_longest_names_have_room_in_labels(void **state)
{
	const struct plan_pool *was = s.node.pools[0].plan;
	struct plan_pool plan = *was;
	struct plan_backend *b = &plan.backends[0];
	const char *name = b->name;
	struct model_pool pool = *was->model, backups[2] = { pool, pool };
	char names[4][MODEL_NAME_MAX], labels[2 * STATS_LABELS_MAX];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		memset(names[i], 'a', MODEL_NAME_MAX - 1);
		snprintf(names[i] + MODEL_NAME_MAX - 2, 2, "%zu", i);
	}
	pool.name = names[0];
	b->name = names[1];
	plan.model = &pool;
	s.node.pools[0].plan = &plan;
	for (size_t i = 0; i < 2; i++) {
		backups[i].name = names[2 + i];
		plan.backup = &backups[i];
		publisher_document(p, &s.node);
		snprintf(labels, sizeof(labels), "pool=\"%s\",backup=\"%s\"", names[0],
		         names[2 + i]);
		assert_true(value_of(METRIC("pool_slots"), labels) >= 0);
		snprintf(labels, sizeof(labels), "pool=\"%s\",backend=\"%s\",backup=\"%s\"",
		         names[0], names[1], names[2 + i]);
		assert_int_equal(value_of(METRIC("backend_packets_total"), labels), 0);
	}
	b->name = name;
	s.node.pools[0].plan = was;
}

/*
 * Tables of another size have a page of their own, whichever size it is; readers see that theirs
 * was replaced.
 */
static void a_resize_makes_another_page(void **state)
{
	static const struct {
		uint32_t pools, backends;                       /* more than at first */
	} steps[] = { { 0, 1 }, { 1, 1 }, { 1, 0 }, { 0, 0 } }; /* one of them alone each time */
	const uint32_t pools = s.node.sizes.pools, backends = s.node.sizes.backends;
	struct effect_total total;
	struct effect *e, *again;

	(void)state;
	publish_all();
	assert_int_equal(effect_open(dir, &e), 0);
	publisher_write(p, &s.node, &s.time);
	assert_int_equal(effect_total(e, &total), 0); /* the same page as before */
	for (size_t i = 0; i < COUNT(steps); i++) {
		s.node.sizes.pools = pools + steps[i].pools;
		s.node.sizes.backends = backends + steps[i].backends;
		publisher_write(p, &s.node, &s.time);
		assert_int_equal(publisher_effect(p)->max_pools, s.node.sizes.pools);
		assert_int_equal(publisher_effect(p)->max_backends, s.node.sizes.backends);
		assert_int_equal(effect_total(e, &total), -ESTALE);
		assert_int_equal(effect_open(dir, &again), 0);
		assert_int_equal(effect_total(again, &total), 0);
		assert_int_equal(total.n_backends, 6);
		effect_close(e);
		e = again;
	}
	effect_close(e);
}

/*
 * A pool of more backends than the first document's tables have room for, and limits.backends
 * raised for them.
 */
enum { MANY = 100 };

static void use_many_backends(struct world *w)
{
	static char names[MANY][8];
	static struct model_backend list[MANY];
	static struct model_member members[MANY];
	static struct model_set set;

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "b%u", i);
		list[i] = (struct model_backend){ .name = names[i],
			                          .id = 100 + i,
			                          .pool = &w->pools[0] };
		members[i] = (struct model_member){ .id = 100 + i, .weight = 10 };
	}
	set = (struct model_set){ 0, INT64_MAX, members, MANY };
	w->pools[0].backends = list;
	w->pools[0].n_backends = MANY;
	w->pools[0].member_sets = &set;
	w->pools[0].n_member_sets = 1;
	w->model.limits.backends = 2 * MANY;
}

static void backends_beyond_the_former_room_are_shown_after_it_was_raised(void **state)
{
	const uint32_t pools = s.node.sizes.pools;
	struct effect_backend b;
	struct effect *e;
	char labels[64];

	(void)state;
	publish_all();
	assert_true(publisher_effect(p)->max_backends < MANY);
	use_many_backends(&s.second);
	s.node.ops = &memory;
	apply_world(&s, &s.second);
	s.node.ops = &without_workers;
	assert_int_equal(s.node.sizes.pools, pools); /* this limit was raised alone */
	for (uint32_t i = 0; i < MANY; i++)
		s.node.t.backend_counts[index_of("web-ams", 100 + i)].packets = 1000 + i;
	publish_all();
	assert_int_equal(effect_open(dir, &e), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(labels, sizeof(labels), "pool=\"web-ams\",backend=\"b%u\"", i);
		assert_int_equal(effect_backend(e, "web-ams", 100 + i, &b), 0);
		assert_int_equal(b.index, index_of("web-ams", 100 + i));
		assert_int_equal(b.packets, 1000 + i);
		expect_metric(METRIC("backend_packets_total"), labels, 1000 + i);
		expect_metric(METRIC("backend_slots"), labels, b.slots);
	}
	effect_close(e);
}

static void counts_go_on_after_a_restart(void **state)
{
	(void)state;
	n_ports = 1;
	ports[0] = (struct driver_port){ .name = "eth0", .missed = 3 };
	s.node.t.cpus[0].received = 9;
	publish_all();
	publisher_close(p);
	assert_int_equal(publisher_open(dir, &p), 0);
	expect_metric(METRIC("received_packets_total"), "", 9);
	assert_null(publisher_effect(p));
	publish_all();
	expect_metric(METRIC("received_packets_total"), "", 9);
	expect_metric(METRIC("port_missed_total"), "port=\"eth0\"", 3);
	assert_non_null(publisher_effect(p));
}

static void a_directory_that_is_not_there_is_refused(void **state)
{
	struct publisher *out = (void *)1;

	(void)state;
	assert_int_equal(publisher_open("/nonexistent/weir", &out), -ENOENT);
	assert_ptr_equal(out, (void *)1);
	publisher_close(NULL);
}

/* The whole directory of the page is documented, and each kind as what it is. */
static void names_and_kinds_are_those_of_the_document(void **state)
{
	struct stats_reader *r;
	char *text = NULL, line[160];
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	metrics_document(f);
	fclose(f);
	s.node.ops = &with_workers;
	n_workers = n_ports = 1;
	publish_all();
	assert_int_equal(stats_reader_open(dir, "dataplane", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!e->used || strncmp(e->name, METRIC(""), strlen(METRIC(""))) != 0)
			continue;
		assert_string_not_equal(e->help, "");
		snprintf(line, sizeof(line), "`%s` | %s |", e->name,
		         e->kind == STATS_COUNTER ? "counter" : "gauge");
		if (strcmp(e->name, metrics_packets.name) != 0 &&
		    strcmp(e->name, metrics_events.name) != 0 && !strstr(text, line))
			fail_msg("not documented: %s", line);
		if (strlen(e->name) > 6 && !strcmp(e->name + strlen(e->name) - 6, "_total"))
			assert_int_equal(e->kind, STATS_COUNTER);
	}
	stats_reader_close(r);
	free(text);
}

SUITE(publish)
{
	const struct CMUnitTest tests[] = {
		PUBLISH_TEST(each_total_comes_from_its_source),
		PUBLISH_TEST(packets_are_the_sum_of_all_cpus_by_reason_and_event),
		PUBLISH_TEST(a_service_has_the_sum_of_all_cpus),
		PUBLISH_TEST(a_backend_shows_what_its_own_row_of_the_tables_says),
		PUBLISH_TEST(base_slots_are_those_whose_claims_last),
		PUBLISH_TEST(a_pool_shows_its_own_slots),
		PUBLISH_TEST(the_effect_page_adds_what_tables_do_not_say),
		PUBLISH_TEST(a_backend_that_left_shifts_no_reason),
		PUBLISH_TEST(a_backend_without_a_row_keeps_its_last_figures),
		PUBLISH_TEST(rows_come_and_go_with_documents),
		PUBLISH_TEST(rows_of_an_earlier_process_go),
		PUBLISH_TEST(kinds_of_rows_of_an_earlier_process_go),
		PUBLISH_TEST(a_backend_with_another_address_is_shown_on),
		PUBLISH_TEST(only_so_many_backends_have_counters),
		PUBLISH_TEST(the_largest_document_leaves_room_for_signs_of_life),
		PUBLISH_TEST(without_a_document_the_process_alone_is_shown),
		PUBLISH_TEST(the_process_shows_its_own_cost_and_life),
		PUBLISH_TEST(a_process_that_cannot_read_its_memory_shows_the_rest),
		PUBLISH_TEST(the_longest_names_have_room_in_labels),
		PUBLISH_TEST(a_resize_makes_another_page),
		PUBLISH_TEST(backends_beyond_the_former_room_are_shown_after_it_was_raised),
		PUBLISH_TEST(counts_go_on_after_a_restart),
		PUBLISH_TEST(a_directory_that_is_not_there_is_refused),
		PUBLISH_TEST(names_and_kinds_are_those_of_the_document),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
