/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-health answers about its targets: how many, how long they are held, what the last
 * probe came to.
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

#include "base/clock.h"
#include "base/loop.h"
#include "healthcheck/checker.h"
#include "tests/unit/suite.h"

#define ROWS_MAX     5000u /* of an answer */
#define SERVICES_MAX 1000u /* of them, services of the own site */
#define MOST         (ROWS_MAX + 1)

static const struct model_pool pool = { .name = "web" };
static const struct model_pool other = { .name = "api" };
static const struct model_backend backend = { .name = "b1" };
static const struct model_site site = { .name = "ams" };
static const struct model_check check = { .name = "c", .timeout_ms = 500 };
static const struct model model = { .meta = { .document = 3 } };
static struct target_path path;
static struct target targets[MOST];
static struct targets table = { .model = (struct model *)(uintptr_t)&model, .items = targets };

static struct target make_target(const struct model_pool *of)
{
	return (struct target){ .pool = of,
		                .backend = &backend,
		                .site = &site,
		                .check = &check,
		                .paths = &path,
		                .n_paths = 1 };
}

static struct checker checker = { .targets = &table };

static int open_controls(void **state)
{
	(void)state;
	return loop_open(&checker.loop) ||
	       controls_open(checker.loop, NULL, NULL, &checker.controls);
}

static int close_controls(void **state)
{
	(void)state;
	controls_close(checker.controls);
	loop_close(checker.loop);
	return 0;
}

static json_t *list_targets(size_t n, const char *of)
{
	json_t *request = json_pack("{s:s, s:s*}", "do", "list", "pool", of), *answer;
	char *line = json_dumps(request, JSON_COMPACT), *text;

	table.n = n;
	text = command_answer(&checker, line, strlen(line));
	assert_non_null(text);
	answer = json_loads(text, 0, NULL);
	json_decref(request);
	free(line);
	free(text);
	assert_non_null(answer);
	return answer;
}

/* The row of @p t. */
static json_t *read_row(const struct target *t)
{
	targets[0] = *t;

	json_t *answer = list_targets(1, NULL), *row;

	row = json_incref(json_array_get(json_object_get(answer, "targets"), 0));
	json_decref(answer);
	assert_non_null(row);
	return row;
}

static void a_list_is_cut_where_it_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < MOST; i++)
		targets[i] = make_target(i < 2 ? &other : &pool);
	for (size_t n = ROWS_MAX - 1; n <= MOST; n++) {
		json_t *answer = list_targets(n, NULL);

		assert_int_equal(json_integer_value(json_object_get(answer, "n_targets")), n);
		assert_int_equal(json_array_size(json_object_get(answer, "targets")),
		                 n > ROWS_MAX ? ROWS_MAX : n);
		assert_int_equal(json_is_true(json_object_get(answer, "truncated")), n > ROWS_MAX);
		json_decref(answer);
	}
	json_t *answer = list_targets(MOST, "api");

	assert_int_equal(json_array_size(json_object_get(answer, "targets")), 2);
	assert_true(json_is_false(json_object_get(answer, "truncated")));
	json_decref(answer);
}

/* Services of the own site have rows, too: all together are no more than fit. */
static void services_are_among_the_rows_that_fit(void **state)
{
	static const unsigned counts[] = { 0, 1, SERVICES_MAX, SERVICES_MAX + 1, 8192 };
	static const struct model_service service = { .name = "www" };
	static struct derived derived[8192];

	(void)state;
	for (size_t i = 0; i < 8192; i++)
		derived[i] = (struct derived){ .service = &service, .pool = &pool };
	for (size_t i = 0; i < MOST; i++)
		targets[i] = make_target(&pool);
	table.derived = derived;
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		unsigned listed = counts[k] < SERVICES_MAX ? counts[k] : SERVICES_MAX;
		json_t *answer;

		table.n_derived = counts[k];
		answer = list_targets(ROWS_MAX, NULL);
		assert_int_equal(json_array_size(json_object_get(answer, "services")), listed);
		assert_int_equal(json_array_size(json_object_get(answer, "targets")),
		                 ROWS_MAX - listed);
		assert_int_equal(json_is_true(json_object_get(answer, "truncated")), counts[k] > 0);
		json_decref(answer);
		answer = list_targets(2, NULL);
		assert_int_equal(json_is_true(json_object_get(answer, "truncated")),
		                 counts[k] > SERVICES_MAX);
		json_decref(answer);
	}
	table.derived = NULL;
	table.n_derived = 0;
}

static void a_held_target_says_until_when(void **state)
{
	struct target t = make_target(&pool);
	char now[CLOCK_TEXT_MAX], later[CLOCK_TEXT_MAX];
	json_t *row;
	const char *until;

	(void)state;
	row = read_row(&t);
	assert_true(json_is_null(json_object_get(row, "damped_until")));
	json_decref(row);
	t.damp_rule = (struct damp_rule){ .turns = 3, .half_life_ms = 60000, .max_ms = 600000 };
	t.damp.held = true;
	t.damp.penalty = 4;
	t.damp.at_ms = clock_mono_ms();
	(void)clock_text(clock_believed_ms() / 1000 * 1000, now);
	row = read_row(&t);
	until = json_string_value(json_object_get(row, "damped_until"));
	(void)clock_text(clock_believed_ms() + 3600000, later);
	assert_non_null(until);
	assert_int_equal(strlen(until), strlen(now));
	assert_true(strcmp(now, until) <= 0 && strcmp(until, later) < 0);
	assert_non_null(strstr(json_string_value(json_object_get(row, "why")), "held down until"));
	json_decref(row);
}

static void the_last_probe_is_told_in_words(void **state)
{
	static const struct {
		enum health_reason last;
		unsigned detail;
		bool inconclusive, late, unready;
		const char *why, *no_vote;
	} cases[] = {
		{ HEALTH_REASON_NONE, 0, false, false, false, "not probed yet", "" },
		{ HEALTH_REASON_OK, 0, false, false, false, "connected", "" },
		{ HEALTH_REASON_TIMEOUT, 0, false, false, false, "no answer within 500 ms", "" },
		{ HEALTH_REASON_TIMEOUT, 0, true, true, false, "no answer within 500 ms", "late" },
		{ HEALTH_REASON_TIMEOUT, 0, true, false, true, "no answer", "no tunnel yet" },
		{ HEALTH_REASON_TIMEOUT, 0, true, false, false, "no answer", "controls silent" },
		{ HEALTH_REASON_LOCAL, 0, true, false, false, "its path is not in place",
		  "not sent" },
		/* of several causes the first one, in the order of the probe's way */
		{ HEALTH_REASON_LOCAL, 0, true, true, true, "its path is not in place",
		  "not sent" },
		{ HEALTH_REASON_TIMEOUT, 0, true, true, true, "no answer", "late" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t = make_target(&pool);
		json_t *row;

		t.last = cases[i].last;
		t.last_detail = cases[i].detail;
		t.inconclusive = cases[i].inconclusive;
		t.last_late = cases[i].late;
		t.last_unready = cases[i].unready;
		row = read_row(&t);
		assert_non_null(
		        strstr(json_string_value(json_object_get(row, "why")), cases[i].why));
		assert_string_equal(json_string_value(json_object_get(row, "no_vote")),
		                    cases[i].no_vote);
		json_decref(row);
	}
}

SUITE(command)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_cut_where_it_says_so),
		cmocka_unit_test(services_are_among_the_rows_that_fit),
		cmocka_unit_test(a_held_target_says_until_when),
		cmocka_unit_test(the_last_probe_is_told_in_words),
	};

	return cmocka_run_group_tests_name("health command", tests, open_controls, close_controls);
}
