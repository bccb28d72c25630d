/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics as Prometheus reads them: states, seconds, families that stand together, and a bound on
 * backends.
 */
#include "api_world.h"
#include "tables_page.h"

#include "base/hash.h"
#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/health.h"
#include "weir/stats.h"

/* The documented values, not the code's own: a change of those is seen. */
#define OWN_MAX 1024

static const char *scrape_metrics(void)
{
	asker.role = HTTP_METRICS;
	assert_int_equal(ask_route("GET /metrics", NULL), 200);
	assert_string_equal(answer.type, "text/plain; version=0.0.4; charset=utf-8");
	return answer.text;
}

static size_t count_text(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* The tables: of pool web-ams one row, of backend b1, which may be absent. */
static void write_tables(uint64_t alive_ms, const struct effect_backend *row)
{
	const struct model_pool *pool = model_pool(intent_model(this_node.intent), "web-ams");
	const struct effect_pool tables = { .pool = hash_text("web-ams"),
		                            .n_slots = 4,
		                            .n_backends = row != NULL };
	struct effect_backend rows[1];

	if (row) {
		rows[0] = *row;
		rows[0].id = model_backend(pool, "b1")->id;
	}
	tables_page_write_pool(place.root, alive_ms, &tables, rows);
}

static bool has_state(const char *backend, const char *state, int value)
{
	char line[200];

	snprintf(line, sizeof(line),
	         "\nweir_backend_state{pool=\"web-ams\",backend=\"%s\",state=\"%s\"} %d\n", backend,
	         state, value);
	return strstr(answer.text, line);
}

static void a_backend_has_the_state_that_is_in_force(void **state)
{
	static const char *const words[] = { "serving", "draining", "out", "unknown" };
	static const struct {
		struct effect_backend row;
		const char *word;
	} rows[] = {
		{ { .alive = 1, .next_hop = 1, .slots = 1 }, "serving" },
		{ { .alive = 1, .next_hop = 1, .base_slots = 1 }, "draining" },
		{ { .alive = 1, .next_hop = 1, .exceptions = 1 }, "draining" },
		{ { .alive = 1, .next_hop = 1 }, "out" },
		{ { .alive = 1, .slots = 1 }, "out" },
		{ { .next_hop = 1, .slots = 1 }, "out" },
		{ { .id = 0 }, "out" }, /* it is not in the tables */
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	told_ms += 60000;
	for (size_t i = 0; i < n; i++)
		for (int fresh = 1; fresh >= 0; fresh--) {
			write_tables(told_ms - (fresh ? 0 : 60000),
			             i + 1 < n ? &rows[i].row : NULL);
			(void)scrape_metrics();
			for (size_t k = 0; k < 4; k++)
				if (!has_state("b1", words[k],
				               !strcmp(words[k], fresh ? rows[i].word : "unknown")))
					fail_msg("row %zu, fresh %d, %s", i, fresh, words[k]);
			assert_true(has_state("b2", fresh ? "out" : "unknown", 1));
		}
	char path[PATH_MAX];
	assert_int_equal(proc_path(place.root, EFFECT_PAGE_FILE, path), 0);
	assert_int_equal(unlink(path), 0);
	(void)scrape_metrics();
	assert_true(has_state("b1", "unknown", 1));
	assert_int_equal(count_text(answer.text, "pool=\"web-fra\""), 0); /* of another site */
}

static void put_pool(FILE *f, const char *name, const char *site, unsigned net, size_t n)
{
	fprintf(f,
	        "  { name = \"%s\"; site = \"%s\"; check = \"web\"; mode = \"ipip\"; max_backends = 1100;\n"
	        "    backends = ( ",
	        name, site);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s{ name = \"x%zu\"; address = \"10.%u.%zu.%zu\"; weight = 100; }",
		        i ? ",\n" : "", i, net, i >> 8, i & 255);
	fprintf(f, " ); },\n");
}

/* Put pools before the fixture's own, which has two backends at this site; and start again. */
static void begin_with_many(size_t n_last)
{
	const char *at = strstr(fixture_config, "pools = (\n") + strlen("pools = (\n");
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	fprintf(f, "%.*s", (int)(at - fixture_config), fixture_config);
	put_pool(f, "a", "ams", 3, OWN_MAX - 4);
	put_pool(f, "b", "fra", 4, 700);
	put_pool(f, "c", "ams", 5, n_last);
	fputs(at, f);
	fclose(f);
	world_close();
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(mkdir(place.state, 0755), 0);
	fixture_write(place.conf, "weir.conf", text);
	free(text);
	world_open();
	assert_non_null(intent_model(this_node.intent));
}

static void so_many_backends_have_metrics_of_their_own(void **state)
{
	(void)state;
	begin_with_many(5);
	const char *text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"a\""), 4 * (OWN_MAX - 4));
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"b\""), 0);
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"c\""), 4 * 4);
	assert_int_equal(count_text(text, "weir_backend_check_state{pool=\"c\""), 3 * 4);
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"web-ams\""), 0);
	assert_non_null(strstr(text, "\nweir_backends_left_out 3\n"));
	begin_with_many(2); /* the limit exactly */
	text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"web-ams\""), 4 * 2);
	assert_non_null(strstr(text, "\nweir_backends_left_out 0\n"));
}

static void processes_are_up_as_they_were_seen(void **state)
{
	struct stats *dns, *health;

	(void)state;
	told_ms += 90000;
	assert_int_equal(stats_create(place.root, "dns", 16, &dns), 0);
	assert_int_equal(stats_create(place.root, "health", 16, &health), 0);
	stats_alive(dns, told_ms - 1250);
	stats_alive(health, told_ms - 90000);
	const char *text = scrape_metrics();
	assert_non_null(strstr(text, "weir_process_up{process=\"dns\"} 1\n"));
	assert_non_null(strstr(text, "weir_process_up{process=\"health\"} 0\n"));
	assert_non_null(strstr(text, "weir_process_up{process=\"mgmt\"} 0\n"));
	assert_non_null(strstr(text, "weir_process_age_seconds{process=\"dns\"} 1.250\n"));
	assert_non_null(strstr(text, "weir_process_age_seconds{process=\"health\"} 90.000\n"));
	assert_null(strstr(text, "weir_process_age_seconds{process=\"mgmt\"}")); /* never there */
	stats_close(dns);
	stats_close(health);
}

/* Pages count in whole numbers; what is shown is in seconds, and histograms stand as one. */
static void pages_are_shown_in_seconds(void **state)
{
	static const char *const processes[] = { "dns", "health" };
	struct stats *pages[2];
	const char *text;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(stats_create(place.root, processes[i], 16, &pages[i]), 0);
		stats_set(stats_get_counter(pages[i], STATS_GAUGE, "weir_dns_load_milliseconds", "",
		                            "h"),
		          1500);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_x_total", "a=\"b\"", "x"),
		        7);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_y_seconds_count", "", "y"),
		        3);
		stats_set(stats_get_counter(pages[i], STATS_COUNTER, "weir_y_seconds_bucket",
		                            "le=\"1\"", "y"),
		          2);
	}
	told_ms += 60000; /* both are silent since */
	stats_alive(pages[0], told_ms);
	text = scrape_metrics();
	assert_non_null(strstr(text, "weir_dns_load_seconds{process=\"dns\"} 1.500000\n"));
	assert_null(strstr(text, "weir_dns_load_milliseconds"));
	assert_non_null(strstr(text, "weir_x_total{process=\"dns\",a=\"b\"} 7\n"));
	assert_non_null(strstr(text, "# TYPE weir_x_total counter\n"));
	assert_non_null(strstr(text, "# TYPE weir_y_seconds histogram\n"));
	assert_int_equal(count_text(text, "# TYPE weir_y_seconds"), 1);
	assert_null(strstr(text, "process=\"health\",a=")); /* it does not run */
	stats_alive(pages[1], told_ms);
	text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_x_total{process="), 2);
	assert_int_equal(count_text(text, "# TYPE weir_x_total"),
	                 1); /* of both processes together */
	assert_non_null(strstr(text, "weir_dns_load_seconds{process=\"dns\"} 1.500000\n"));
	for (size_t i = 0; i < 2; i++)
		stats_close(pages[i]);
}

/* A health page on which b1 is up and b2 down. */
static struct page *open_health(void)
{
	const struct model_pool *pool = model_pool(intent_model(this_node.intent), "web-ams");
	uint64_t targets[2];
	char path[PATH_MAX];
	struct page *page;

	for (size_t i = 0; i < 2; i++)
		targets[i] = health_target_backend("web-ams", pool->backends[i].id);
	assert_int_equal(proc_path(place.root, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &page),
	                 0);
	struct health_page *health = page_payload(page);

	assert_int_equal(health_set_targets(health, targets, 2, 1), 0);
	health_write(health, health_find_index(health, targets[0]),
	             health_make(HEALTH_UP, 0, 0, 0));
	health_write(health, health_find_index(health, targets[1]),
	             health_make(HEALTH_DOWN, 0, 0, 0));
	page_alive(page, told_ms);
	page_publish(page);
	return page;
}

/* All that a node with two processes and weir run shows, in its order. */
static void the_whole_is_as_prometheus_wants_it(void **state)
{
	static const char *const processes[] = { "dns", "health", "run" };
	static const char *const lines[] = {
		"# HELP weir_b_total B.",
		"# TYPE weir_b_total counter",
		"weir_b_total{process=\"dns\",x=\"2\"} 20",
		"weir_b_total{process=\"dns\",x=\"1\"} 10",
		"weir_b_total{process=\"run\",x=\"2\"} 22",
		"weir_b_total{process=\"run\",x=\"1\"} 12",
		"# HELP weir_z Z.",
		"# TYPE weir_z gauge",
		"weir_z{process=\"dns\"} 30",
		"weir_z{process=\"run\"} 32",
		"# TYPE weir_process_up gauge",
		"weir_process_up{process=\"dataplane\"} 0",
		"weir_process_up{process=\"health\"} 0",
		"weir_process_up{process=\"dns\"} 1",
		"weir_process_up{process=\"mgmt\"} 0",
		"# TYPE weir_process_age_seconds gauge",
		"weir_process_age_seconds{process=\"dns\"} 0.001",
		"# TYPE weir_backend_state gauge",
		"weir_backend_state{pool=\"web-ams\",backend=\"b1\",state=\"serving\"} 1",
		"weir_backend_state{pool=\"web-ams\",backend=\"b2\",state=\"serving\"} 0",
		"weir_backend_state{pool=\"web-ams\",backend=\"b2\",state=\"out\"} 1",
		"# TYPE weir_backend_check_state gauge",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b1\",state=\"up\"} 1",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b1\",state=\"down\"} 0",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b1\",state=\"unknown\"} 0",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b2\",state=\"up\"} 0",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b2\",state=\"down\"} 1",
		"weir_backend_check_state{pool=\"web-ams\",backend=\"b2\",state=\"unknown\"} 0",
		"# TYPE weir_backends_left_out gauge",
		"weir_backends_left_out 0",
	};
	static const struct effect_backend serves = { .alive = 1, .next_hop = 1, .slots = 4 };
	struct stats *pages[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(stats_create(place.root, processes[i], 16, &pages[i]), 0);
		stats_set(stats_get_counter(pages[i], STATS_GAUGE, "weir_z", "", "Z."), 30 + i);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_b_total", "x=\"2\"", "B."),
		        20 + i);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_b_total", "x=\"1\"", "B."),
		        10 + i);
	}
	told_ms += 60000;
	stats_alive(pages[0], told_ms - 1);
	stats_alive(pages[2], told_ms - 1); /* weir-health is dead: its values are history */
	struct page *health = open_health();
	write_tables(told_ms, &serves);
	const char *at = scrape_metrics();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *found = strstr(at, lines[i]);
		size_t n = strlen(lines[i]);

		if (!found || found[n] != '\n' || (found > answer.text && found[-1] != '\n'))
			fail_msg("no \"%s\" in its place", lines[i]);
		at = found + n;
	}
	assert_int_equal(count_text(answer.text, "# TYPE weir_b_total"), 1);
	assert_int_equal(count_text(answer.text, "# TYPE weir_z"), 1);
	assert_null(strstr(answer.text, "process=\"health\",x="));
	for (size_t i = 0; i < 3; i++)
		stats_close(pages[i]);
	page_close(health);
}

/* Each name that a page has in another unit, with what is shown for 1,500 of it. */
static void each_unit_becomes_seconds(void **state)
{
	static const struct {
		const char *page, *shown;
	} rows[] = {
		{ "weir_dataplane_process_cpu_microseconds_total",
		  "weir_dataplane_process_cpu_seconds_total{process=\"dns\"} 0.001500\n" },
		{ "weir_dataplane_probe_since_ms",
		  "weir_dataplane_probe_since_seconds{process=\"dns\"} 1.500000\n" },
		{ "weir_dns_load_milliseconds",
		  "weir_dns_load_seconds{process=\"dns\"} 1.500000\n" },
		{ "weir_mgmt_change_microseconds",
		  "weir_mgmt_change_seconds{process=\"dns\"} 0.001500\n" },
		{ "weir_dataplane_document_read_microseconds",
		  "weir_dataplane_document_read_seconds{process=\"dns\"} 0.001500\n" },
		{ "weir_dataplane_document_compile_microseconds",
		  "weir_dataplane_document_compile_seconds{process=\"dns\"} 0.001500\n" },
		{ "weir_dataplane_document_switch_microseconds",
		  "weir_dataplane_document_switch_seconds{process=\"dns\"} 0.001500\n" },
		{ "weir_mgmt_lock_longest_us",
		  "weir_mgmt_lock_longest_seconds{process=\"dns\"} 0.001500\n" },
		{ "weir_health_lateness_ms_total",
		  "weir_health_lateness_seconds_total{process=\"dns\"} 1.500000\n" },
		{ "weir_health_probe_duration_seconds_sum",
		  "weir_health_probe_duration_seconds_sum{process=\"dns\"} 1.500000\n" },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);
	struct stats *page;

	(void)state;
	assert_int_equal(stats_create(place.root, "dns", 16, &page), 0);
	for (size_t i = 0; i < n; i++)
		stats_set(stats_get_counter(page, STATS_GAUGE, rows[i].page, "", "h"), 1500);
	stats_alive(page, told_ms);
	const char *text = scrape_metrics();

	for (size_t i = 0; i < n; i++) {
		char old[100];

		assert_non_null(strstr(text, rows[i].shown));
		snprintf(old, sizeof(old), "\n%s{process=\"dns\"} 1500\n", rows[i].page);
		assert_int_equal(count_text(text, old), 0);
	}
	stats_close(page);
}

SUITE(metrics_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_backend_has_the_state_that_is_in_force),
		T(so_many_backends_have_metrics_of_their_own),
		T(processes_are_up_as_they_were_seen),
		T(pages_are_shown_in_seconds),
		T(the_whole_is_as_prometheus_wants_it),
		T(each_unit_becomes_seconds),
	};

	world_begin();
	return cmocka_run_group_tests_name("metrics parts", tests, NULL, NULL);
}
