/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns from its first line to its last: what is opened in which order, what a failure ends and
 * what it does not, what each tick does, and what is closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dns/main_scene.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct server s;

static int set_up(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	memset(&s, 0, sizeof(s));
	memset(words, 0, sizeof(words));
	calls[0] = '\0';
	n_calls = 0;
	fail_at = NEVER;
	own_node = (struct model_node){ .clock = MODEL_CLOCK_SYNCHRONISED };
	model = (struct model){ .self = &own_node };
	generation = (struct generation){ .model = &model, .peer_health = &views };
	s.dirs = &places;
	s.loop = (void *)&edge;
	edge.server = &s;
	edge.limit = (struct rlimit){ 1024, 1048576 };
	edge.has_page = true;
	out_file = open_memstream(&out_text, &out_bytes);
	err_out = open_memstream(&err_text, &err_size);
	return !out_file || !err_out;
}

static int tear_down(void **state)
{
	(void)state;
	fclose(out_file);
	fclose(err_out);
	free(out_text);
	free(err_text);
	return 0;
}

static void forget_calls(void)
{
	calls[0] = '\0';
	n_calls = 0;
}

#define OPENED                                                                                     \
	"loop_open file:/s/effective.conf file:/s/placement.key signal:15 signal:2 signal:1 "      \
	"loads eventfd handed fd:70:crew "
#define EXTRAS "counters_open begin:start:60 keys_begin ctl:/r/dns.ctl ramps:/s decided:/s "
#define TICKED "clock page:/r keep_tick server_load_tick listen:0 keys "
#define CLOSED                                                                                     \
	"workers_stop listen_close server_load_stop keep_stop ramps_close decided_close "          \
	"believed_close ctl_close serving_close keys_end counters_close "
#define WHOLE                                                                                      \
	"ignore_signals json dirs setrlimit early:53 become sandbox " OPENED EXTRAS TICKED         \
	"alive:0 timer load beat end:start run " CLOSED "loop_close no_page "

static int run_main(const char *first, const char *second, const char *third)
{
	char *argv[] = { (char *)(uintptr_t) "weir-dns", (char *)(uintptr_t)first,
		         (char *)(uintptr_t)second, (char *)(uintptr_t)third, NULL };
	int argc = 1 + !!first + !!second + !!third;

	forget_calls();
	edge.seen_fds = 0;
	optind = 0;
	return dns_main(argc, argv);
}

static void all_is_opened_in_order_and_closed_again(void **state)
{
	(void)state;
	edge.has_page = false; /* not yet */
	assert_int_equal(run_main("--port", "53", NULL), 0);
	assert_string_equal(calls, WHOLE);
	assert_int_equal(edge.set.rlim_cur, 8192);
	assert_int_equal(edge.set.rlim_max, 1048576);
	fflush(out_file);
	fflush(err_out);
	assert_int_equal(out_bytes + err_size, 0);
}

/* The name of call @p at of the whole, without what is behind its colon. */
static const char *name_of(unsigned at, char name[32])
{
	const char *from = WHOLE;

	while (at--)
		from = strchr(from, ' ') + 1;
	snprintf(name, 32, "%.*s", (int)strcspn(from, " :"), from);
	return name;
}

/* Whether the server goes on without it. */
static bool is_extra(const char *name)
{
	static const char *const extras[] = { "setrlimit", "sandbox",   "counters_open", "ctl",
		                              "ramps",     "decided",   "page",          "timer",
		                              "json",      "keep_tick", "keys_begin",    "keys" };

	for (size_t i = 0; i < COUNT(extras); i++)
		if (!strcmp(name, extras[i]))
			return true;
	return false;
}

/* Each call that can fail does so, with another error each time. */
static void what_cannot_be_had_ends_the_start_or_is_done_without(void **state)
{
	static const char *const fatal[] = { "dirs",    "become", "loop_open", "file", "signal",
		                             "eventfd", "handed", "fd",        "run",  "loads" };
	char name[32];

	(void)state;
	edge.has_page = false;
	for (fail_at = 0, fail_how = -1000; *name_of(fail_at, name); fail_at++) {
		bool ends = false;

		for (size_t i = 0; i < COUNT(fatal); i++)
			ends |= !strcmp(name, fatal[i]);
		if (!ends && !is_extra(name))
			continue;
		fail_how = ends ? -EIO : -EACCES;
		print_message("  %u: %s\n", fail_at, name);
		assert_int_equal(run_main("--port", "53", NULL), ends);
		assert_true(!!strstr(calls, " run ") == (!ends || !strcmp(name, "run")));
		if (strcmp(name, "dirs") != 0 && strcmp(name, "become") != 0)
			assert_non_null(strstr(calls, CLOSED)); /* whatever happens */
		else
			assert_null(strstr(calls, "loop_open"));
	}
}

static void without_memory_for_ramps_it_does_not_start(void **state)
{
	char name[32];

	(void)state;
	edge.has_page = false;
	for (fail_at = 0; strcmp(name_of(fail_at, name), "ramps") != 0; fail_at++)
		;
	fail_how = -ENOMEM; /* it would forget where a drain stood */
	assert_int_equal(run_main("--port", "53", NULL), 1);
	assert_null(strstr(calls, " run "));
	assert_non_null(strstr(calls, CLOSED));
}

static void arguments_are_read_or_refused(void **state)
{
	static const struct {
		const char *first, *second, *third;
		int result;
		const char *early; /* NULL: it does not start */
	} cases[] = {
		{ "--port", "1", NULL, 0, "early:1 " },
		{ "--port", "65535", NULL, 0, "early:65535 " },
		{ "--port=5353", NULL, NULL, 0, "early:5353 " },
		{ "--port", "0", NULL, 1, NULL },
		{ "--port", "65536", NULL, 1, NULL },
		{ "--port", "-1", NULL, 1, NULL },
		{ "--port", "x", NULL, 1, NULL },
		{ "--port", NULL, NULL, 1, NULL },
		{ "--nothing", NULL, NULL, 1, NULL },
		{ "more", NULL, NULL, 1, NULL },
		{ "--port", "53", "more", 1, NULL },
		{ "--help", NULL, NULL, 0, NULL },
	};

	(void)state;
	edge.has_page = false;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s %s\n", cases[i].first, cases[i].second ? cases[i].second : "");
		assert_int_equal(run_main(cases[i].first, cases[i].second, cases[i].third),
		                 cases[i].result);
		assert_true(cases[i].early ? !!strstr(calls, cases[i].early)
		                           : !strstr(calls, "early"));
		fflush(out_file);
		fflush(err_out);
		assert_true((err_size > 0) == (cases[i].result != 0));
		assert_true((out_bytes > 0) == !strcmp(cases[i].first, "--help"));
		if (err_size)
			assert_non_null(strstr(err_text, "usage: weir-dns [--port PORT]"));
		rewind(out_file);
		rewind(err_out);
		fflush(out_file);
		fflush(err_out);
	}
}

static void descriptors_are_raised_as_far_as_is_allowed(void **state)
{
	static const struct {
		rlim_t now, most, set; /* set 0: not at all */
	} cases[] = {
		{ 1024, 1048576, 8192 }, { 8191, 8193, 8192 }, { 8192, 1048576, 0 },
		{ 9000, 1048576, 0 },    { 1024, 4096, 4096 }, { 1024, 1024, 0 },
		{ 1024, 8192, 8192 },    { 1024, 1025, 1025 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		edge.limit = (struct rlimit){ cases[i].now, cases[i].most };
		edge.set = (struct rlimit){ 0 };
		raise_descriptors();
		assert_int_equal(edge.set.rlim_cur, cases[i].set);
		assert_int_equal(edge.set.rlim_max, cases[i].set ? cases[i].most : 0);
	}
	edge.limit = (struct rlimit){ 1024, 1048576 };
	edge.set = (struct rlimit){ 0 };
	edge.rlimit_result = -1;
	raise_descriptors();
	assert_int_equal(edge.set.rlim_cur, 0);
}

static void signals_and_files_do_what_they_are_for(void **state)
{
	(void)state;
	assert_int_equal(watch_events(&s), 0);
	forget_calls();
	edge.on_page(&s); /* the last file that is watched */
	assert_string_equal(calls, "load ");
	forget_calls();
	edge.on_signal[SIGHUP](&s);
	assert_string_equal(calls, "load ");
	forget_calls();
	edge.on_signal[SIGTERM](&s);
	edge.on_signal[SIGINT](&s);
	assert_string_equal(calls, "loop_stop loop_stop ");
	assert_int_equal(s.workers_event, 70);
}

/* Tick at a time. @return the calls */
static const char *tick_at(uint64_t now_ms)
{
	edge.now_ms = now_ms;
	forget_calls();
	on_server_tick(&s);
	return calls;
}

#define PAGE "page:/r "

static void each_tick_does_all_in_order(void **state)
{
	(void)state;
	assert_string_equal(tick_at(5000),
	                    "clock " PAGE
	                    "watch_page keep_tick server_load_tick listen:5000 keys timer ");
	assert_ptr_equal(edge.timer, &s.tick);
	assert_int_equal(edge.timer_ms, 5100);
	s.now = &generation;
	assert_string_equal(
	        tick_at(5100),
	        "clock observe serving_publish keep_tick server_load_tick listen:5100 keys timer ");
	assert_int_equal(fake_counters_open(&s.counters, "/r"), 0);
	assert_string_equal(
	        tick_at(5200),
	        "clock observe serving_publish keep_tick server_load_tick listen:5200 keys "
	        "alive:5200 server_conditions timer ");
	forget_calls();
	edge.on_page(&s); /* health has changed: nothing waits for the tick */
	assert_string_equal(calls, "observe serving_publish ");
	forget_calls();
	s.now = NULL;
	edge.on_page(&s);
	assert_string_equal(calls, "");
}

static void the_page_of_health_is_looked_for_until_it_is_there(void **state)
{
	(void)state;
	edge.has_page = false;
	assert_non_null(strstr(tick_at(5000), PAGE));
	assert_null(s.health);
	assert_non_null(strstr(tick_at(5100), PAGE)); /* in each tick: a word may be waited for */
	edge.has_page = true;
	fail_at = 2; /* the watch */
	fail_how = -ENOMEM;
	assert_non_null(strstr(tick_at(7000), PAGE "watch_page page_close "));
	assert_null(s.health);
	fail_at = 1; /* the page */
	fail_how = -ENOENT;
	assert_string_equal(tick_at(8000),
	                    "clock " PAGE "keep_tick server_load_tick listen:8000 keys timer ");
	fail_at = NEVER;
	assert_non_null(strstr(tick_at(8100), PAGE "watch_page "));
	assert_non_null(s.health);
	assert_null(strstr(tick_at(12000), PAGE)); /* it is there */
}

static void a_replaced_page_is_opened_again_and_its_places_forgotten(void **state)
{
	(void)state;
	(void)tick_at(5000);
	s.now = &generation;
	edge.replaced = true;
	/* the one before is not closed: the loop watches it */
	assert_string_equal(tick_at(6000),
	                    "clock " PAGE "watch_page forget_own observe "
	                    "serving_publish keep_tick server_load_tick listen:6000 keys timer ");
}

/* What was written before a boot is not in the future, whatever the machine's clock says then. */
static void no_clock_is_believed_from_before_the_document(void **state)
{
	struct model next = { .meta.written_ms = 5678 };

	(void)state;
	(void)tick_at(5000);
	assert_int_equal(edge.not_before_ms, 0); /* there is none */
	edge.wall_clock_ms = 42;
	edge.hold = WALL_CLOCK_BOOTED;
	server_read_clock(&s, &next);
	assert_int_equal(edge.not_before_ms, 5678);
	assert_int_equal(s.wall_clock_ms, 42);
	assert_int_equal(s.clock, WALL_CLOCK_BOOTED);
	s.now = &generation;
	model.meta.written_ms = 1234;
	(void)tick_at(5100);
	assert_int_equal(edge.not_before_ms, 1234);
}

static void what_is_observed_is_the_page_the_clock_and_the_time(void **state)
{
	(void)state;
	s.now = &generation;
	edge.wall_clock_ms = 1234567;
	edge.hold = WALL_CLOCK_UNSYNCHRONISED;
	edge.header.alive_ms = 4000;
	fail_at = 1; /* no page yet */
	fail_how = -ENOENT;
	(void)tick_at(5000);
	assert_null(edge.seen_own);
	assert_null(edge.seen_page);
	assert_int_equal(edge.good_until_ms, 0);
	fail_at = NEVER;
	(void)tick_at(6000);
	assert_ptr_equal(edge.seen_own, &edge.health);
	assert_ptr_equal(edge.seen_page, &edge.health);
	assert_int_equal(edge.good_until_ms, 4000 + 5000);
	assert_int_equal(edge.observed_ms, 6000);
	assert_string_equal(edge.seen_run, "/r");
	assert_int_equal(edge.time.wall_clock_ms, 1234567);
	assert_true(edge.time.clock_held);
	edge.hold = WALL_CLOCK_RUNS;
	(void)tick_at(6100);
	assert_false(edge.time.clock_held);
}

static void a_clock_that_is_trusted_by_the_document_needs_no_server(void **state)
{
	(void)state;
	(void)tick_at(1000);
	assert_true(edge.trusted); /* no document yet: nothing is held */
	s.now = &generation;
	(void)tick_at(1100);
	assert_false(edge.trusted);
	own_node.clock = MODEL_CLOCK_TRUSTED;
	(void)tick_at(1200);
	assert_true(edge.trusted);
	model.self = NULL; /* a document that does not name this node */
	(void)tick_at(1300);
	assert_true(edge.trusted);
	edge.wall_clock_ms = 77;
	edge.hold = WALL_CLOCK_UNSYNCHRONISED;
	(void)tick_at(1400);
	assert_int_equal(s.wall_clock_ms, 77);
	assert_int_equal(s.clock, WALL_CLOCK_UNSYNCHRONISED);
}

static void the_clock_is_counted_by_its_trouble(void **state)
{
	static const struct {
		enum wall_clock_hold hold;
		uint64_t held, stepped, unsynchronised;
	} cases[] = {
		{ WALL_CLOCK_RUNS, 0, 0, 0 },
		{ WALL_CLOCK_STEPPED, 0, 1, 0 }, /* ramps go on by elapsed time */
		{ WALL_CLOCK_UNSYNCHRONISED, 1, 0, 1 },
		{ WALL_CLOCK_RUNS, 0, 0, 0 }, /* again */
	};

	(void)state;
	assert_int_equal(fake_counters_open(&s.counters, "/r"), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		edge.hold = cases[i].hold;
		(void)tick_at(1000 + i);
		assert_int_equal(words[0], cases[i].held);
		assert_int_equal(words[1], cases[i].stepped);
		assert_int_equal(words[2], cases[i].unsynchronised);
		assert_int_equal(words[3], 3);
		assert_int_equal(words[4], 4);
	}
}

static void conditions_are_stated_once_a_second(void **state)
{
	(void)state;
	assert_int_equal(fake_counters_open(&s.counters, "/r"), 0);
	s.conditions_ms = 5000;
	assert_null(strstr(tick_at(5999), "conditions"));
	assert_non_null(strstr(tick_at(6000), "server_conditions"));
}

/* Under weir run, which holds the sockets, a start again costs no query. */
static void without_counters_it_starts_again_when_there_is_room(void **state)
{
	(void)state;
	edge.has_page = false;
	assert_null(strstr(tick_at(5000), "counters_open")); /* nobody would start it again */
	edge.supervised = true;
	fail_at = 6; /* no room */
	fail_how = -ENOSPC;
	assert_string_equal(tick_at(6000),
	                    "clock " PAGE "keep_tick server_load_tick listen:6000 keys "
	                    "counters_open timer ");
	fail_at = NEVER;
	assert_null(strstr(tick_at(10999), "counters_open"));
	assert_non_null(strstr(tick_at(11000), "counters_open counters_close loop_stop "));
	assert_null(s.counters.stats); /* it was only a try */
	assert_int_equal(fake_counters_open(&s.counters, "/r"), 0);
	assert_null(strstr(tick_at(20000), "counters_open"));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(all_is_opened_in_order_and_closed_again),
		WITH(what_cannot_be_had_ends_the_start_or_is_done_without),
		WITH(without_memory_for_ramps_it_does_not_start),
		WITH(arguments_are_read_or_refused),
		WITH(descriptors_are_raised_as_far_as_is_allowed),
		WITH(signals_and_files_do_what_they_are_for),
		WITH(each_tick_does_all_in_order),
		WITH(the_page_of_health_is_looked_for_until_it_is_there),
		WITH(a_replaced_page_is_opened_again_and_its_places_forgotten),
		WITH(no_clock_is_believed_from_before_the_document),
		WITH(what_is_observed_is_the_page_the_clock_and_the_time),
		WITH(a_clock_that_is_trusted_by_the_document_needs_no_server),
		WITH(the_clock_is_counted_by_its_trouble),
		WITH(conditions_are_stated_once_a_second),
		WITH(without_counters_it_starts_again_when_there_is_room),
	};

	return cmocka_run_group_tests_name("dns main", tests, NULL, NULL);
}
