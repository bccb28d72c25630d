/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each field of what weir-health answers, and which targets a request means. In a time of the test's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/loop.h"
#include "healthcheck/checker.h"
#include "record/answers.h"
#include "tests/unit/described.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"

#define NOW_MS (START_MS + 2123u)

static const struct model_site ams = { .name = "ams" }, fra = { .name = "fra" },
                               par = { .name = "par" };
static const struct model_pool web = { .name = "web" }, api = { .name = "api" };
static const struct model_backend b1 = { .name = "b1" }, b2 = { .name = "b2" };
static const struct model_service www = { .name = "www" }, mail = { .name = "mail" };
static const struct model_check check = {
	.name = "slow", .timeout_ms = 500, .expect = 200, .detect_worst_ms = 9000
};
static struct target_path path4[2], path6[2];

static int setup(void **state)
{
	(void)state;
	path4[0].spec = (struct attempt_spec){ .port = 8081, .is_http = true };
	path4[1].spec = (struct attempt_spec){ .port = 443, .mark = 5 };
	path6[0].spec = (struct attempt_spec){ .port = 80 };
	path6[1].spec = (struct attempt_spec){ .port = 444, .mark = 5 };
	addr_parse("192.0.2.7", &path4[0].spec.address);
	addr_parse("192.0.2.8", &path4[1].spec.address);
	addr_parse("2001:db8::1", &path6[0].spec.address);
	addr_parse("2001:db8::2", &path6[1].spec.address);
	return 0;
}

static void assert_json(json_t *got, const char *expected)
{
	json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);

	assert_non_null(want);
	if (!json_equal(got, want)) {
		char *text = json_dumps(got, JSON_SORT_KEYS);

		print_error("got:  %s\nwant: %s\n", text, expected);
		free(text);
		fail();
	}
	json_decref(want);
	json_decref(got);
}

static struct target backend_of(const struct model_pool *pool, const struct model_backend *b)
{
	return (struct target){ .pool = pool,
		                .backend = b,
		                .site = &ams,
		                .check = &check,
		                .paths = path4,
		                .n_paths = 1 };
}

static struct target vip_of(const struct model_service *s, const struct model_site *site,
                            struct target_path *paths)
{
	return (struct target){
		.service = s, .site = site, .check = &check, .paths = paths, .n_paths = 1
	};
}

static const struct model_site sites[] = { { .name = "ams" }, { .name = "fra" } };
static const struct model model = { .meta = { .document = 3 }, .sites = sites, .n_sites = 2 };
static struct site_votes groups[] = { { 4, 1 }, { 2, 2 } };
static struct derived derived[2];
static struct target items[7];
static struct targets table = { .model = (struct model *)(uintptr_t)&model,
	                        .items = items,
	                        .derived = derived };
static uint64_t tunnel_document = 41;
static struct checker checker = { .groups = groups, .gate = { .document = &tunnel_document } };

static json_t *run_command(const char *line)
{
	char *text = command_answer(&checker, line, strlen(line));
	json_t *answer;

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	answer = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(answer);
	described_by_rows(strstr(line, "\"list\"") ? &health_shown_kind : &probed_shown_kind,
	                  answer);
	return answer;
}

/* The row of @p t. */
static json_t *read_row(const struct target *t)
{
	json_t *answer, *row;

	items[0] = *t;
	table.n = 1;
	table.n_derived = 0;
	checker.targets = &table;
	answer = run_command("{\"do\":\"list\"}");
	row = json_incref(json_array_get(json_object_get(answer, "targets"), 0));
	json_decref(answer);
	assert_non_null(row);
	return row;
}

static void assert_why(const struct target *t, const char *why)
{
	json_t *row = read_row(t);

	assert_string_equal(json_string_value(json_object_get(row, "why")), why);
	json_decref(row);
}

static void a_backend_says_all_that_is_known_of_it(void **state)
{
	struct target t = backend_of(&web, &b1);

	(void)state;
	t.verdict = verdict_of(HEALTH_UP);
	t.since_s = 1700000000;
	t.last = HEALTH_REASON_OK;
	t.last_detail = 204;
	t.sent_ms = NOW_MS - 42;
	t.done_ms = NOW_MS - 30;
	t.counts = (struct target_counts){
		.probes = 11, .attempts = 13, .ok = 6, .failed = 3, .inconclusive = 2
	};
	assert_json(read_row(&t),
	            "{\"pool\":\"web\",\"backend\":\"b1\",\"site\":\"ams\",\"check\":\"slow\","
	            "\"type\":\"http\",\"via\":\"direct\",\"address\":\"192.0.2.7\",\"port\":8081,"
	            "\"paths\":1,\"state\":\"up\",\"in_doubt\":false,\"inconclusive\":false,"
	            "\"unproven\":false,\"new\":false,\"restored\":false,\"damped\":false,"
	            "\"damped_until\":null,\"since\":\"2023-11-14T22:13:20.000Z\",\"last\":\"ok\","
	            "\"detail\":204,\"no_vote\":\"\",\"why\":\"HTTP 204, 30 ms ago\","
	            "\"last_ms_ago\":30,\"took_ms\":12,\"detect_worst_ms\":9000,\"probes\":11,"
	            "\"failed\":3,\"without_vote\":2}");
}

static void a_vip_says_its_service_and_family(void **state)
{
	struct target t = vip_of(&www, &fra, path6);

	(void)state;
	t.n_paths = 2;
	t.last_path = 1;
	t.last = HEALTH_REASON_TIMEOUT;
	t.done_ms = NOW_MS - 7;
	t.sent_ms = t.done_ms + 1;
	t.is_new = t.unproven = t.inconclusive = t.restored = true;
	t.verdict =
	        verdict_feed(verdict_of(HEALTH_UP), VERDICT_FAIL, &(struct verdict_rule){ 2, 3 });
	assert_json(read_row(&t),
	            "{\"service\":\"www\",\"family\":\"ipv6\",\"site\":\"fra\",\"check\":\"slow\","
	            "\"type\":\"tcp\",\"via\":\"tunnel\",\"address\":\"2001:db8::2\",\"port\":444,"
	            "\"paths\":2,\"state\":\"unknown\",\"in_doubt\":true,\"inconclusive\":true,"
	            "\"unproven\":true,\"new\":true,\"restored\":true,\"damped\":false,"
	            "\"damped_until\":null,\"since\":null,\"last\":\"timeout\",\"detail\":0,"
	            "\"no_vote\":\"its default check has never succeeded from this node\","
	            "\"why\":\"no answer within 500 ms at 2001:db8::2 port 444, 7 ms ago; no vote: "
	            "its default check has never succeeded from this node\","
	            "\"last_ms_ago\":7,\"took_ms\":null,\"detect_worst_ms\":9000,\"probes\":0,"
	            "\"failed\":0,\"without_vote\":0}");
}

/* Penalty 4 falls to 1.5, half of 3 turns, in 1.415 half-lives. */
static void a_held_backend_says_when_it_is_let_go(void **state)
{
	static const char *const ways[] = { "held down until",
		                            "kept up as the last of its pool, else down until" };

	(void)state;
	for (int spared = 0; spared < 2; spared++) {
		struct target t = backend_of(&web, &b1);
		char why[200];
		json_t *row;

		t.damp_rule = (struct damp_rule){ 3, 60000, 600000 };
		t.damp = (struct damp){ .penalty = 4, .at_ms = NOW_MS, .held = true };
		t.spared = spared;
		t.verdict = verdict_of(HEALTH_UP);
		row = read_row(&t);
		snprintf(why, sizeof(why), "not probed yet; flapping (4.0 turns): %s %s",
		         ways[spared], "2023-11-14T22:14:47.026Z");
		assert_string_equal(json_string_value(json_object_get(row, "why")), why);
		assert_string_equal(json_string_value(json_object_get(row, "damped_until")),
		                    "2023-11-14T22:14:47.000Z");
		assert_string_equal(json_string_value(json_object_get(row, "state")),
		                    spared ? "up" : "down");
		json_decref(row);
	}
}

static void the_reason_is_told_as_it_was(void **state)
{
	static const struct {
		enum health_reason last;
		unsigned detail;
		const char *http, *tcp;
	} cases[] = {
		{ HEALTH_REASON_OK, 200, "HTTP 200", "connected" },
		{ HEALTH_REASON_BAD_STATUS, 503, "HTTP 503, not 200", "HTTP 503, not 200" },
		{ HEALTH_REASON_LOCAL, 24, "not sent: Too many open files",
		  "not sent: Too many open files" },
		{ HEALTH_REASON_LOCAL, 0, "not sent: its path is not in place",
		  "not sent: its path is not in place" },
		{ HEALTH_REASON_REFUSED, 111, "refused", "refused" },
		{ HEALTH_REASON_RESET, 104, "reset", "reset" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int tcp = 0; tcp < 2; tcp++) {
			struct target t = backend_of(&web, &b1);

			t.paths = tcp ? path6 : path4;
			t.last = cases[i].last;
			t.last_detail = cases[i].detail;
			assert_why(&t, tcp ? cases[i].tcp : cases[i].http);
		}
}

/* With several paths a failure says which; a success and what has not begun do not. */
static void the_path_is_told_where_it_matters(void **state)
{
	static const struct {
		enum health_reason last;
		uint32_t n_paths;
		const char *text;
	} cases[] = {
		{ HEALTH_REASON_REFUSED, 1, "refused" },
		{ HEALTH_REASON_REFUSED, 2, "refused at 192.0.2.8 port 443" },
		{ HEALTH_REASON_OK, 2, "HTTP 0" },
		{ HEALTH_REASON_NONE, 2, "not probed yet" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t = backend_of(&web, &b1);

		t.last = cases[i].last;
		t.n_paths = cases[i].n_paths;
		t.last_path = cases[i].n_paths - 1;
		assert_why(&t, cases[i].text);
	}
}

static void how_long_a_probe_took_is_told_when_it_is_over(void **state)
{
	static const struct {
		uint64_t sent_ms, done_ms;
		enum target_phase phase;
		int took_ms, ago_ms; /* -1: null */
	} cases[] = {
		{ 0, 0, TARGET_IDLE, -1, -1 },
		{ 50, 60, TARGET_IDLE, 10, NOW_MS - 60 },
		{ 60, 60, TARGET_IDLE, 0, NOW_MS - 60 },
		{ 61, 60, TARGET_IDLE, -1, NOW_MS - 60 },
		{ 50, 60, TARGET_FIRST, -1, NOW_MS - 60 },
		{ 50, NOW_MS, TARGET_ASKING, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t = backend_of(&web, &b1);
		json_t *row, *took, *ago;

		t.sent_ms = cases[i].sent_ms;
		t.done_ms = cases[i].done_ms;
		t.phase = cases[i].phase;
		row = read_row(&t);
		took = json_object_get(row, "took_ms");
		ago = json_object_get(row, "last_ms_ago");
		assert_int_equal(json_is_null(took) ? -1 : json_integer_value(took),
		                 cases[i].took_ms);
		assert_int_equal(json_is_null(ago) ? -1 : json_integer_value(ago), cases[i].ago_ms);
		json_decref(row);
	}
}

static void fill_table(void)
{
	items[0] = backend_of(&web, &b1);
	items[1] = backend_of(&web, &b2);
	items[2] = backend_of(&api, &b1);
	items[3] = vip_of(&www, &fra, path4);
	items[4] = vip_of(&www, &fra, path6);
	items[5] = vip_of(&www, &par, path4);
	items[6] = vip_of(&mail, &fra, path4);
	derived[0] = (struct derived){ .service = &www,
		                       .pool = &web,
		                       .ip4 = true,
		                       .word = health_make(HEALTH_UP, 0, HEALTH_REASON_POOL,
		                                           1700000000) };
	derived[1] = (struct derived){ .service = &mail,
		                       .pool = &api,
		                       .word = health_make(HEALTH_DOWN, HEALTH_MARK_DOUBT,
		                                           HEALTH_REASON_POOL, 0) };
	table.n = 7;
	table.n_derived = 2;
	checker.targets = &table;
	for (size_t i = 0; i < table.n; i++)
		items[i].checker = &checker;
}

static void ignore_answer(void *arg)
{
	(void)arg;
}

/*
 * The reflector was asked nine times and has answered all but the last, which nobody has read; one
 * outside was asked seven times.
 */
static int open_controls(void **state)
{
	struct addr outside;

	(void)state;
	simulated.now_ms = START_MS;
	if (loop_open(&checker.loop) ||
	    controls_open(checker.loop, ignore_answer, NULL, &checker.controls) ||
	    addr_parse("2001:db8::5", &outside))
		return -1;
	for (unsigned ms = 0; ms <= 30; ms += 5) {
		if (ms == 10)
			controls_set(checker.controls, &outside, 1);
		simulate_to(checker.loop, START_MS + ms);
		controls_query(checker.controls);
	}
	simulate_to(checker.loop, START_MS + 1000);
	simulated.now_ms += 5;
	controls_query(checker.controls);
	simulated.now_ms = NOW_MS;
	return 0;
}

static int close_controls(void **state)
{
	(void)state;
	controls_close(checker.controls);
	loop_close(checker.loop);
	return 0;
}

static void a_list_has_services_sites_and_controls(void **state)
{
	(void)state;
	fill_table();
	json_t *answer = run_command("{\"do\":\"list\"}");

	assert_int_equal(json_array_size(json_object_get(answer, "targets")), 7);
	json_object_del(answer, "targets");
	assert_json(answer,
	            "{\"ok\":true,\"document\":3,\"n_targets\":7,\"truncated\":false,\"services\":["
	            "{\"service\":\"www\",\"family\":\"ipv4\",\"pool\":\"web\",\"state\":\"up\","
	            "\"in_doubt\":false,\"since\":\"2023-11-14T22:13:20.000Z\"},"
	            "{\"service\":\"mail\",\"family\":\"ipv6\",\"pool\":\"api\",\"state\":\"down\","
	            "\"in_doubt\":true,\"since\":null}],"
	            "\"groups\":[{\"site\":\"ams\",\"targets\":4,\"failing\":1},"
	            "{\"site\":\"fra\",\"targets\":2,\"failing\":2}],"
	            "\"controls\":[{\"address\":\"127.0.0.1\",\"reflector\":true,\"silent\":false,"
	            "\"asked\":9,\"answered\":8},"
	            "{\"address\":\"2001:db8::5\",\"reflector\":false,\"silent\":true,"
	            "\"asked\":7,\"answered\":0}],"
	            "\"tunnel_document\":41}");
}

static void a_request_means_the_targets_that_it_names(void **state)
{
	static const struct {
		const char *line;
		unsigned meant; /* 1 << place in items; 0: refused */
	} cases[] = {
		{ "{\"do\":\"check\",\"pool\":\"web\",\"backend\":\"b1\"}", 1 << 0 },
		{ "{\"do\":\"check\",\"pool\":\"web\",\"backend\":\"b2\"}", 1 << 1 },
		{ "{\"do\":\"check\",\"pool\":\"api\",\"backend\":\"b1\"}", 1 << 2 },
		{ "{\"do\":\"check\",\"pool\":\"api\",\"backend\":\"b2\"}", 0 },
		{ "{\"do\":\"check\",\"pool\":\"web\"}", 0 },
		{ "{\"do\":\"check\",\"backend\":\"b1\"}", 0 },
		{ "{\"do\":\"check\",\"service\":\"www\",\"site\":\"fra\"}", 1 << 3 | 1 << 4 },
		{ "{\"do\":\"check\",\"service\":\"www\",\"site\":\"par\"}", 1 << 5 },
		{ "{\"do\":\"check\",\"service\":\"mail\",\"site\":\"fra\"}", 1 << 6 },
		{ "{\"do\":\"check\",\"service\":\"mail\",\"site\":\"par\"}", 0 },
		{ "{\"do\":\"check\",\"service\":\"www\"}", 0 },
		{ "{\"do\":\"check\",\"site\":\"fra\"}", 0 },
		{ "{\"do\":\"check\"}", 0 },
	};

	(void)state;
	fill_table();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = run_command(cases[i].line);
		unsigned meant = 0, n = 0;

		for (size_t k = 0; k < table.n; k++) { /* a probe is due at once */
			if (!items[k].timer.heap_index)
				continue;
			assert_int_equal(items[k].timer.at_ms, 0);
			meant |= 1u << k;
			n++;
			loop_timer_cancel(checker.loop, &items[k].timer);
		}
		assert_int_equal(meant, cases[i].meant);
		assert_int_equal(json_is_true(json_object_get(answer, "ok")), meant != 0);
		assert_int_equal(json_array_size(json_object_get(answer, "targets")), n);
		if (!meant)
			assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
			                       "no such target"));
		json_decref(answer);
	}
}

static void what_cannot_be_answered_says_why(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "", "not a JSON object in one line" },
		{ "[]", "the request must be an object with \"do\"" },
		{ "{\"do\":1}", "the request must be an object with \"do\"" },
		{ "{\"do\":\"list\",\"do\":\"list\"}", "not a JSON object in one line" },
		{ "{\"do\":\"stop\"}", "\"do\" must be list or check" },
	};

	(void)state;
	fill_table();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = run_command(cases[i].line);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_string_equal(json_string_value(json_object_get(answer, "error")),
		                    cases[i].error);
		json_decref(answer);
	}
	checker.targets = NULL;
	assert_json(run_command("{\"do\":\"list\"}"),
	            "{\"ok\":false,\"error\":\"no document yet\"}");
}

SUITE(command_rows)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_backend_says_all_that_is_known_of_it, setup),
		cmocka_unit_test_setup(a_vip_says_its_service_and_family, setup),
		cmocka_unit_test_setup(a_held_backend_says_when_it_is_let_go, setup),
		cmocka_unit_test_setup(the_reason_is_told_as_it_was, setup),
		cmocka_unit_test_setup(the_path_is_told_where_it_matters, setup),
		cmocka_unit_test_setup(how_long_a_probe_took_is_told_when_it_is_over, setup),
		cmocka_unit_test_setup(a_list_has_services_sites_and_controls, setup),
		cmocka_unit_test_setup(a_request_means_the_targets_that_it_names, setup),
		cmocka_unit_test_setup(what_cannot_be_answered_says_why, setup),
	};

	simulated_time();
	return cmocka_run_group_tests_name("health command rows", tests, open_controls,
	                                   close_controls);
}
