/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-mgmt follows its own address: when it serves, serves elsewhere, or tries again, and what
 * it says of that.
 */
#include "asked.h"

#include <errno.h>

#include "base/loop.h"
#include "mgmt/api/listen.h"
#include "mgmt/store/join.h"
#include "weir/stats.h"

static uint64_t fake_ms;
static const struct model *our_model;
static int listen_rc;
static char listened[256];
static unsigned n_listened, n_stopped, n_followed;
static bool host_has;
static struct addr peers_given[8];
static size_t n_given;

static uint64_t fake_loop_ms(const struct loop *l)
{
	(void)l;
	return fake_ms;
}

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static const struct model *fake_model(const struct intent *in)
{
	(void)in;
	return our_model;
}

static int fake_listen(struct core *core, const char *api, struct http_server **out)
{
	(void)core;
	n_listened++;
	snprintf(listened, sizeof(listened), "%s", api);
	if (!listen_rc)
		*out = (struct http_server *)(uintptr_t)&listened;
	return listen_rc;
}

static int fake_local(struct core *core, struct http_server **out)
{
	return fake_listen(core, "local", out);
}

static bool job_runs; /* else the wait for requests would be taken for a hang */

static void fake_job_begin(struct stats *s, const char *job, unsigned limit_s)
{
	(void)s;
	assert_string_equal(job, "stop");
	assert_in_range(limit_s, 60, STATS_JOB_MAX_S);
	job_runs = true;
}

static void fake_job_end(struct stats *s, const char *job)
{
	(void)s;
	assert_string_equal(job, "stop");
	job_runs = false;
}

static void fake_stop(struct http_server *s)
{
	assert_true(job_runs);
	n_stopped += s != NULL;
}

static bool fake_has(const char *api)
{
	(void)api;
	return host_has;
}

static void fake_follow(struct core *core, struct certificate *c, struct http_server *server)
{
	(void)core;
	(void)c;
	(void)server;
	n_followed++;
}

static void fake_set_peers(struct http_server *s, const struct addr *peers, size_t n)
{
	(void)s;
	memcpy(peers_given, peers, n * sizeof(peers[0]));
	n_given = n;
}

/* The private parts too. */
#define loop_now_ms        fake_loop_ms
#define clock_mono_ms      fake_mono_ms
#define join_model         fake_model
#define listen_tcp         fake_listen
#define listen_local       fake_local
#define http_stop          fake_stop
#define stats_job_begin    fake_job_begin
#define stats_job_end      fake_job_end
#define listen_host_has    fake_has
#define certificate_follow fake_follow
#define http_set_peers     fake_set_peers
#include "mgmt/api/mgmt_process.c"

static struct mgmt_process process;
static struct model_node nodes[4];
static struct model m;

static int setup(void **state)
{
	(void)state;
	memset(&process, 0, sizeof(process));
	pthread_mutex_init(&process.core.lock, NULL);
	nodes[0] = (struct model_node){ .name = "ams-1", .api = "https://192.0.2.1:8443" };
	nodes[1] = (struct model_node){ .name = "ams-2", .api = "https://192.0.2.2:8443" };
	nodes[2] = (struct model_node){ .name = "ams-3", .api = "" };
	nodes[3] = (struct model_node){ .name = "fra-1", .api = "https://[2001:db8::1]:8443" };
	m = (struct model){ .nodes = nodes, .n_nodes = 4, .self = &nodes[0] };
	our_model = &m;
	fake_ms = 1000000;
	listen_rc = 0;
	host_has = true;
	n_listened = n_stopped = n_followed = 0;
	n_given = 99;
	return 0;
}

static void tick_at(uint64_t ms)
{
	fake_ms = ms;
	follow_api(&process);
	follow_peer_addresses(&process);
}

static void the_address_of_the_model_is_served(void **state)
{
	(void)state;
	tick_at(1000000);
	assert_int_equal(n_listened, 1);
	assert_string_equal(listened, "https://192.0.2.1:8443");
	assert_string_equal(process.core.api, "https://192.0.2.1:8443");
	assert_string_equal(process.core.api_fault, "");
	tick_at(1000250);
	assert_int_equal(n_listened, 1);
	assert_int_equal(n_followed, 1); /* its certificate may have changed */
	nodes[0].api = "https://192.0.2.9:8443";
	tick_at(1000500);
	assert_int_equal(n_stopped, 1);
	assert_int_equal(n_listened, 2);
	assert_string_equal(process.core.api, "https://192.0.2.9:8443");
	nodes[0].api = "";
	tick_at(1000750);
	assert_int_equal(n_stopped, 2);
	assert_int_equal(n_listened, 2);
	assert_null(process.tcp);
	assert_string_equal(process.core.api, "");
	assert_string_equal(process.core.api_fault, "");
}

/* Every five seconds, without giving up; and since when it fails is kept. */
static void what_fails_is_tried_again(void **state)
{
	(void)state;
	listen_rc = -EADDRINUSE;
	tick_at(1000000);
	assert_int_equal(n_listened, 1);
	assert_string_equal(process.core.api, "https://192.0.2.1:8443"); /* it was tried */
	assert_string_equal(process.core.api_fault, strerror(EADDRINUSE));
	assert_int_equal(process.core.api_failed_ms, 1000000);
	tick_at(1004999);
	assert_int_equal(n_listened, 1);
	tick_at(1005000);
	assert_int_equal(n_listened, 2);
	assert_int_equal(process.core.api_failed_ms, 1000000);
	listen_rc = -ENOENT;
	tick_at(1010000);
	assert_non_null(strstr(process.core.api_fault, "tls.crt"));
	nodes[0].api = "https://192.0.2.9:8443"; /* another one: since now */
	tick_at(1015000);
	assert_int_equal(process.core.api_failed_ms, 1015000);
	listen_rc = 0;
	tick_at(1020000);
	assert_string_equal(process.core.api_fault, "");
	assert_string_equal(process.api, "https://192.0.2.9:8443");
}

static void an_address_that_is_not_here_is_told(void **state)
{
	(void)state;
	host_has = false;
	tick_at(1000000);
	assert_int_equal(n_listened, 1);
	assert_string_equal(process.core.api_fault, NOT_HERE);
	host_has = true;
	tick_at(1000250);
	assert_string_equal(process.core.api_fault, "");
	host_has = false; /* it went while it was served */
	tick_at(1000500);
	assert_string_equal(process.core.api_fault, NOT_HERE);
	assert_int_equal(process.core.api_failed_ms, 1000500);
	assert_int_equal(n_listened, 1);
	our_model = NULL;
	tick_at(1000750);
	assert_string_equal(process.core.api_fault, "");
}

static void the_other_nodes_are_peers(void **state)
{
	char text[ADDR_TEXT_MAX];

	(void)state;
	listen_rc = -EADDRINUSE;
	tick_at(1000000);
	assert_int_equal(n_given, 99); /* nobody to tell */
	listen_rc = 0;
	tick_at(1005000);
	assert_int_equal(n_given, 2);
	assert_string_equal(addr_text(&peers_given[0], text), "192.0.2.2");
	assert_string_equal(addr_text(&peers_given[1], text), "2001:db8::1");
	m.n_nodes = 2;
	tick_at(1005250);
	assert_int_equal(n_given, 1);
}

/* The value of the gauge @p name, which there must be. */
static uint64_t read_gauge(const char *name)
{
	struct stats_reader *r;
	uint64_t value = UINT64_MAX;

	assert_int_equal(stats_reader_open(this_node.dirs.run, "mgmt", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++)
		if (!strcmp(stats_reader_entry(r, i)->name, name))
			value = stats_reader_entry(r, i)->value;
	stats_reader_close(r);
	return value;
}

static void gauges_say_what_is_in_force(void **state)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .name = "ams",
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "ada",
		              .reason = "r",
		              .node = "ams-1" };

	(void)asked_setup(state);
	asked_apply("# second", 0, NOW_MS + 10);
	override_make_id("ams-1", NOW_MS, 1, o.id);
	assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS + 20), 1);
	process.core.intent = this_node.intent;
	process.core.longest_held_ns = 1234567;
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &process.core.stats), 0);
	set_mgmt_gauges(&process);
	assert_int_equal(read_gauge("weir_mgmt_version"), 2);
	assert_int_equal(read_gauge("weir_mgmt_document"), intent_document(this_node.intent));
	assert_int_equal(read_gauge("weir_mgmt_overrides"), 1);
	assert_int_equal(read_gauge("weir_mgmt_store_failing"), 0);
	assert_int_equal(read_gauge("weir_mgmt_document_unwritten"), 0);
	assert_int_equal(read_gauge("weir_mgmt_lock_longest_us"), 1234);
	stats_close(process.core.stats);
	(void)asked_teardown(state);
}

static void the_control_socket_says_what_it_takes(void **state)
{
	static const char *const lines[] = { "{}", "nonsense", "{\"do\":\"stop\"}", "{\"do\":1}" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *text = on_ctl_request(&process, lines[i], strlen(lines[i]));

		assert_string_equal(
		        text, "{\"ok\":false,\"error\":\"expected {\\\"do\\\":\\\"status\\\"}\"}");
		free(text);
	}
}

/* A socket that cannot be made again does not end the one that is there; the next look tries again. */
static void a_control_socket_that_was_removed_is_made_again(void **state)
{
	static char before;

	(void)state;
	strcpy(process.core.dirs.run, "/nonexistent");
	process.local = (struct http_server *)(void *)&before;
	listen_rc = -EADDRINUSE;
	for (unsigned i = 1; i <= 2; i++) {
		keep_local(&process);
		assert_int_equal(n_listened, i);
		assert_int_equal(n_stopped, 0);
		assert_ptr_equal(process.local, &before);
	}
	listen_rc = 0;
	keep_local(&process);
	assert_string_equal(listened, "local");
	assert_int_equal(n_stopped, 1);
	assert_ptr_equal(process.local, &listened);
}

/* As at a terminal, and as at the service manager: both end it in order. */
static void both_signals_of_an_end_stop_the_loop(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)asked_setup(state);
		snprintf(process.core.dirs.run, sizeof(process.core.dirs.run), "%s",
		         this_node.dirs.run);
		assert_int_equal(open_mgmt_loop(&process), 0);
		loop_timer_cancel(process.loop, &process.tick);
		assert_int_equal(kill(getpid(), signals[i]), 0);
		assert_int_equal(loop_run(process.loop), 0);
		ctl_close(process.ctl);
		loop_close(process.loop);
		(void)asked_teardown(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(the_address_of_the_model_is_served),
		T(what_fails_is_tried_again),
		T(an_address_that_is_not_here_is_told),
		T(the_other_nodes_are_peers),
		T(gauges_say_what_is_in_force),
		T(both_signals_of_an_end_stop_the_loop),
		T(the_control_socket_says_what_it_takes),
		T(a_control_socket_that_was_removed_is_made_again),
	};

	return cmocka_run_group_tests_name("main parts", tests, NULL, NULL);
}
