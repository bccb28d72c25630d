/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics as Prometheus reads them: states, seconds, families that stand together, and a bound on
 * backends.
 */
#include "asked.h"

#include "mgmt/api/handle.h"
#include "mgmt/status/look.h"
#include "weir/stats.h"

/* The documented values, not the code's own: a change of those is seen. */
#define OWN_MAX 1024

static struct look look_seen;

static int fake_take(struct core *core, struct look *l)
{
	*l = look_seen;
	l->core = core;
	return 0;
}

static void fake_fini(struct look *l)
{
	(void)l;
}

/* What is in force for the backends of pool "web": of ids 1 and 2. */
static struct effect_backend fake_effects[2];
static int n_effects = -1;

static int fake_rows(const struct effect *e, const char *pool, struct effect_backend **rows)
{
	(void)e;
	if (n_effects < 0 || strcmp(pool, "web") != 0)
		return gather_rows(NULL, pool, rows);
	*rows = malloc(sizeof(fake_effects));
	assert_non_null(*rows);
	memcpy(*rows, fake_effects, sizeof(fake_effects));
	return n_effects;
}

/* The private parts too. */
#define look_init   fake_take
#define look_fini   fake_fini
#define gather_rows fake_rows
#include "mgmt/api/metrics.c"
#undef gather_rows

static struct http_reply answer;
static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_node self = { .name = "ams-1", .site = &sites[0] };

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&look_seen, 0, sizeof(look_seen));
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

static const char *scrape_metrics(void)
{
	struct http_request r = { .n_query = 0 };

	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handle_metrics(&this_node, &r, &answer);
	assert_int_equal(answer.status, 200);
	return answer.text;
}

/* The same, to be changed. */
static char *answer_of_scrape(void)
{
	(void)scrape_metrics();
	return answer.text;
}

static size_t count_text(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void a_backend_has_the_state_that_is_in_force(void **state)
{
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(effect_state(&rows[i].row, true), rows[i].word);
		assert_string_equal(effect_state(&rows[i].row, false), "unknown");
	}
	assert_string_equal(effect_state(NULL, true), "out");
	assert_string_equal(effect_state(NULL, false), "unknown");
}

static void so_many_backends_have_metrics_of_their_own(void **state)
{
	static struct model_backend backends[OWN_MAX + 5];
	struct model_pool pools[3] = {
		{ .name = "a", .site = &sites[0], .backends = backends, .n_backends = OWN_MAX - 2 },
		{ .name = "b", .site = &sites[1], .backends = backends, .n_backends = 700 },
		{ .name = "c", .site = &sites[0], .backends = backends, .n_backends = 5 },
	};
	const struct model m = { .pools = pools, .n_pools = 3, .self = &self };

	(void)state;
	for (size_t i = 0; i < OWN_MAX + 5; i++)
		backends[i] = (struct model_backend){ .name = "x", .id = i };
	look_seen.m = &m;
	const char *text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"a\""), 4 * (OWN_MAX - 2));
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"b\""), 0);
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"c\""), 4 * 2);
	assert_int_equal(count_text(text, "weir_backend_check_state{pool=\"c\""), 3 * 2);
	assert_non_null(strstr(text, "\nweir_backends_left_out 3\n"));
	pools[2].n_backends = 2; /* the limit exactly */
	text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_backend_state{pool=\"c\""), 4 * 2);
	assert_non_null(strstr(text, "\nweir_backends_left_out 0\n"));
}

static void processes_are_up_as_they_were_seen(void **state)
{
	(void)state;
	look_seen.processes[OBSERVE_DNS] =
	        (struct gather_process){ .present = true, .running = true, .age_ms = 1250 };
	look_seen.processes[OBSERVE_HEALTH] =
	        (struct gather_process){ .present = true, .age_ms = 90000 };
	const char *text = scrape_metrics();
	assert_non_null(strstr(text, "weir_process_up{process=\"dns\"} 1\n"));
	assert_non_null(strstr(text, "weir_process_up{process=\"health\"} 0\n"));
	assert_non_null(strstr(text, "weir_process_up{process=\"mgmt\"} 0\n"));
	assert_non_null(strstr(text, "weir_process_age_seconds{process=\"dns\"} 1.250\n"));
	assert_non_null(strstr(text, "weir_process_age_seconds{process=\"health\"} 90.000\n"));
	assert_null(strstr(text, "weir_process_age_seconds{process=\"mgmt\"}")); /* never there */
}

/* Pages count in whole numbers; what is shown is in seconds, and histograms stand as one. */
static void pages_are_shown_in_seconds(void **state)
{
	static const char *const processes[] = { "dns", "health" };
	struct stats *pages[2];
	const char *text;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(stats_create(this_node.dirs.run, processes[i], 16, &pages[i]), 0);
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
	look_seen.processes[OBSERVE_DNS].running = true;
	text = scrape_metrics();
	assert_non_null(strstr(text, "weir_dns_load_seconds{process=\"dns\"} 1.500000\n"));
	assert_null(strstr(text, "weir_dns_load_milliseconds"));
	assert_non_null(strstr(text, "weir_x_total{process=\"dns\",a=\"b\"} 7\n"));
	assert_non_null(strstr(text, "# TYPE weir_x_total counter\n"));
	assert_non_null(strstr(text, "# TYPE weir_y_seconds histogram\n"));
	assert_int_equal(count_text(text, "# TYPE weir_y_seconds"), 1);
	assert_null(strstr(text, "process=\"health\",a=")); /* it does not run */
	look_seen.processes[OBSERVE_HEALTH].running = true;
	text = scrape_metrics();
	assert_int_equal(count_text(text, "weir_x_total{process="), 2);
	assert_int_equal(count_text(text, "# TYPE weir_x_total"),
	                 1); /* of both processes together */
	assert_non_null(strstr(text, "weir_dns_load_seconds{process=\"dns\"} 1.500000\n"));
	for (size_t i = 0; i < 2; i++)
		stats_close(pages[i]);
}

#define HEAD(name, type, help) "# HELP " name " " help "\n# TYPE " name " " type "\n"
#define EFFECT(backend, serving, draining, out, unknown)                                           \
	"weir_backend_state{pool=\"web\",backend=\"" backend "\",state=\"serving\"} " serving      \
	"\nweir_backend_state{pool=\"web\",backend=\"" backend "\",state=\"draining\"} " draining  \
	"\nweir_backend_state{pool=\"web\",backend=\"" backend "\",state=\"out\"} " out            \
	"\nweir_backend_state{pool=\"web\",backend=\"" backend "\",state=\"unknown\"} " unknown    \
	"\n"
#define CHECK(backend, up, down, unknown)                                                          \
	"weir_backend_check_state{pool=\"web\",backend=\"" backend "\",state=\"up\"} " up          \
	"\nweir_backend_check_state{pool=\"web\",backend=\"" backend "\",state=\"down\"} " down    \
	"\nweir_backend_check_state{pool=\"web\",backend=\"" backend                               \
	"\",state=\"unknown\"} " unknown "\n"

/* There are none: their heads alone. */
/* All that a node with two processes and weir run shows, in its order. */
static void the_whole_is_as_prometheus_wants_it(void **state)
{
	static const char *const processes[] = { "dns", "health", "run" };
	static struct health_page health;
	struct model_backend backends[] = { { .name = "b1", .id = 1 }, { .name = "b2", .id = 2 } };
	struct model_pool pool = {
		.name = "web", .site = &sites[0], .backends = backends, .n_backends = 2
	};
	const struct model m = { .pools = &pool, .n_pools = 1, .self = &self };
	const uint64_t targets[] = { health_target_backend("web", 1),
		                     health_target_backend("web", 2) };
	struct stats *pages[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(stats_create(this_node.dirs.run, processes[i], 16, &pages[i]), 0);
		stats_set(stats_get_counter(pages[i], STATS_GAUGE, "weir_z", "", "Z."), 30 + i);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_b_total", "x=\"2\"", "B."),
		        20 + i);
		stats_set(
		        stats_get_counter(pages[i], STATS_COUNTER, "weir_b_total", "x=\"1\"", "B."),
		        10 + i);
	}
	memset(&health, 0, sizeof(health));
	assert_int_equal(health_set_targets(&health, targets, 2, 1), 0);
	health_write(&health, health_find_index(&health, targets[0]),
	             health_make(HEALTH_UP, 0, 0, 0));
	health_write(&health, health_find_index(&health, targets[1]),
	             health_make(HEALTH_DOWN, 0, 0, 0));
	look_seen.m = &m;
	look_seen.pages.health = &health;
	look_seen.pages.health_fresh = look_seen.pages.effect_fresh = true;
	look_seen.processes[OBSERVE_DNS] =
	        (struct gather_process){ .present = true, .running = true, .age_ms = 1 };
	look_seen.supervisor.running = true; /* weir-health is dead: its values are history */
	fake_effects[0] = (struct effect_backend){ .id = 1, .alive = 1, .next_hop = 1, .slots = 9 };
	fake_effects[1] = (struct effect_backend){ .id = 2 };
	n_effects = 2;
	char *text = answer_of_scrape();
	n_effects = -1;
	/* what each page has by itself is left out here */
	char *own = strstr(text, "# HELP weir_build_info"), *after = strstr(text, "# HELP weir_z");
	assert_true(own && after && after > own);
	memmove(own, after, strlen(after) + 1);
	assert_string_equal(
	        text, HEAD("weir_b_total", "counter",
	                   "B.") "weir_b_total{process=\"dns\",x=\"2\"} 20\nweir_b_total{process=\"dns\",x=\"1\"} 10\n"
	                         "weir_b_total{process=\"run\",x=\"2\"} 22\nweir_b_total{process=\"run\",x=\"1\"} 12\n" HEAD(
	                                 "weir_z", "gauge",
	                                 "Z.") "weir_z{process=\"dns\"} 30\nweir_z{process=\"run\"} 32\n" HEAD("weir_process_up", "gauge", "1: the process exists and has shown a sign of life lately.") "weir_process_up{process=\"dataplane\"} 0\nweir_process_up{process=\"health\"} 0\n"
	                                                                                                                                                                                                 "weir_process_up{process=\"dns\"} 1\nweir_process_up{process=\"mgmt\"} 0\n" HEAD(
	                                                                                                                                                                                                         "weir_process_age_seconds", "gauge", "Time since the process's last sign of life.") "weir_process_age_seconds{process=\"dns\"} 0.001\n" HEAD("weir_backend_state", "gauge", "What is in force for the backend: 1 for the state that it has.") EFFECT("b1",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                              "1", "0", "0", "0") EFFECT("b2", "0", "0", "1", "0") HEAD("weir_backend_check_state", "gauge", "The verdict of the backend's check: 1 for the state that it has.") CHECK("b1",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "1",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "0",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "0") CHECK("b2",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "0",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "1",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "0") HEAD("weir_backends_left_out",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "gauge",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "Backends without metrics of their own: there are more than the limit.") "weir_backends_left_out 0\n");
	assert_string_equal(answer.type, "text/plain; version=0.0.4; charset=utf-8");
	for (size_t i = 0; i < 3; i++)
		stats_close(pages[i]);
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
	assert_int_equal(stats_create(this_node.dirs.run, "dns", 16, &page), 0);
	for (size_t i = 0; i < n; i++)
		stats_set(stats_get_counter(page, STATS_GAUGE, rows[i].page, "", "h"), 1500);
	look_seen.processes[OBSERVE_DNS].running = true;
	const char *text = scrape_metrics();

	for (size_t i = 0; i < n; i++) {
		char old[100];

		assert_non_null(strstr(text, rows[i].shown));
		snprintf(old, sizeof(old), "\n%s{process=\"dns\"} 1500\n", rows[i].page);
		assert_int_equal(count_text(text, old), 0);
	}
	stats_close(page);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_backend_has_the_state_that_is_in_force),
		T(so_many_backends_have_metrics_of_their_own),
		T(processes_are_up_as_they_were_seen),
		T(pages_are_shown_in_seconds),
		T(the_whole_is_as_prometheus_wants_it),
		T(each_unit_becomes_seconds),
	};

	return cmocka_run_group_tests_name("metrics parts", tests, NULL, NULL);
}
