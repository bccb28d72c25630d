/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which probes are judged, by what the dataplane says of their path; and the histogram of their
 * times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "healthcheck/checker.h"
#include "healthcheck/gate.h"
#include "tests/unit/suite.h"
#include "weir/probe.h"
#include "weir/stats.h"

static void a_probe_that_began_before_its_path_is_not_judged(void **state)
{
	uint64_t document = 7, since_ms = 5000;
	struct gate g = { .document = &document, .since_ms = &since_ms };

	(void)state;
	assert_true(gate_lets(&g, 7, 5001));
	assert_false(gate_lets(&g, 7, 5000)); /* in the same millisecond: it may have left before */
	assert_false(gate_lets(&g, 8, 9000)); /* its mark is of a later document */
	assert_true(gate_lets(&g, 6, 9000));
	since_ms = PROBE_SINCE_NEVER;
	assert_false(gate_lets(&g, 7, 9000));
	document = 0;
	since_ms = 5000;
	assert_false(gate_lets(&g, 7, 9000));
	g = (struct gate){ 0 }; /* there is no dataplane */
	assert_false(gate_lets(&g, 7, 9000));
}

static void a_family_that_is_cut_off_is_that_of_the_vip(void **state)
{
	uint64_t families = PROBE_FAMILY_IP4;
	const struct gate g = { .families = &families }, none = { 0 };
	struct addr four, six;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &four), 0);
	assert_int_equal(addr_parse("2001:db8::1", &six), 0);
	assert_true(!gate_reaches(&g, &four) && gate_reaches(&g, &six));
	families = PROBE_FAMILY_IP6;
	assert_true(gate_reaches(&g, &four) && !gate_reaches(&g, &six));
	families |= PROBE_FAMILY_IP4;
	assert_false(gate_reaches(&g, &four) || gate_reaches(&g, &six));
	assert_true(gate_reaches(&none, &four) && gate_reaches(&none, &six));
}

/* A page as weir-dataplane leaves it. */
static void tell_gate(const char *dir, uint64_t document, uint64_t since_ms, uint64_t families)
{
	struct stats *s;

	assert_int_equal(stats_create(dir, "dataplane", 16, &s), 0);
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_dataplane_ports", "", "beside them"), 99);
	stats_set(stats_get_counter(s, STATS_GAUGE, PROBE_GAUGE "_of_another", "", "no name"), 98);
	stats_set(stats_get_counter(s, STATS_GAUGE, PROBE_GAUGE, "", "x"), document);
	stats_set(stats_get_counter(s, STATS_GAUGE, PROBE_SINCE_GAUGE, "", "x"), since_ms);
	stats_set(stats_get_counter(s, STATS_GAUGE, PROBE_FAMILIES_GAUGE, "", "x"), families);
	stats_close(s);
}

static void the_dataplanes_words_are_found_again_after_its_restart(void **state)
{
	char dir[] = "/tmp/weir-gate-XXXXXX", command[64], path[64];
	struct gate g = { 0 };
	struct addr six;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/stats.dataplane.page", dir);
	assert_int_equal(addr_parse("2001:db8::1", &six), 0);
	gate_refresh(&g, dir); /* it has not begun */
	assert_int_equal(gate_document(&g), 0);
	assert_false(gate_lets(&g, 1, UINT64_MAX));
	tell_gate(dir, 7, 5000, PROBE_FAMILY_IP6);
	gate_refresh(&g, dir);
	assert_int_equal(gate_document(&g), 7);
	assert_true(gate_lets(&g, 7, 5001));
	assert_false(gate_lets(&g, 7, 5000));
	assert_false(gate_reaches(&g, &six));
	assert_int_equal(unlink(path), 0);
	tell_gate(dir, 8, 6000, 0); /* another process */
	gate_refresh(&g, dir);
	assert_int_equal(gate_document(&g), 8);
	assert_false(gate_lets(&g, 8, 5001));
	assert_true(gate_reaches(&g, &six));
	assert_int_equal(unlink(path), 0);
	struct stats *s;

	tell_gate(dir, 9, 5000, PROBE_FAMILY_IP6);
	assert_int_equal(stats_create(dir, "dataplane", 16, &s), 0);
	stats_drop(s, PROBE_FAMILIES_GAUGE, ""); /* it says no more of it */
	stats_close(s);
	gate_refresh(&g, dir);
	assert_int_equal(gate_document(&g), 9);
	assert_true(gate_reaches(&g, &six));
	assert_int_equal(unlink(path), 0);
	gate_refresh(&g, dir); /* it is gone */
	assert_int_equal(gate_document(&g), 0);
	gate_close(&g);
	assert_null(g.reader);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void a_bucket_counts_what_took_no_longer_than_its_limit(void **state)
{
	uint64_t times[CHECKER_TIMES] = { 0 }, sum = 0, n = 0;
	struct checker_counters w = { .times_ms = &sum, .n_times = &n };

	(void)state;
	for (int i = 0; i < CHECKER_TIMES; i++)
		w.times[i] = &times[i];
	checker_count_time(&w, 10); /* le="0.01" is the fourth */
	assert_true(times[2] == 0 && times[3] == 1 && times[CHECKER_TIMES - 1] == 1);
	checker_count_time(&w, 5001); /* more than all but the last */
	assert_true(times[CHECKER_TIMES - 2] == 1 && times[CHECKER_TIMES - 1] == 2);
	assert_true(n == 2 && sum == 5011);
}

/* What has no word is counted nowhere. */
static void each_result_has_a_word_of_its_own_name(void **state)
{
	struct checker_counters w = { 0 };
	char dir[] = "/tmp/weir-words-XXXXXX", path[64], labels[64];
	struct stats_reader *r;
	struct stats *s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "health", 128, &s), 0);
	checker_find_counters(&w, s);
	for (int i = 1; i < HEALTH_REASON_COUNT; i++) {
		assert_non_null(w.results[i]);
		stats_add(w.results[i], (uint64_t)i);
	}
	checker_count_time(&w, 1);
	assert_int_equal(stats_reader_open(dir, "health", &r), 0);
	for (int i = 1; i < HEALTH_REASON_COUNT; i++) {
		uint64_t value = 0;

		snprintf(labels, sizeof(labels), "reason=\"%s\"",
		         health_reason_text((enum health_reason)i));
		for (size_t k = 0; k < stats_reader_n(r); k++) {
			const struct stats_entry *e = stats_reader_entry(r, k);

			if (!strcmp(e->name, "weir_health_results_total") &&
			    !strcmp(e->labels, labels))
				value += e->value;
		}
		assert_int_equal(value, i);
	}
	stats_reader_close(r);
	stats_close(s);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

/* Names and labels are what dashboards ask for. */
static void each_word_has_its_name(void **state)
{
	static const char *const limits[CHECKER_TIMES] = { "0.001", "0.002", "0.005", "0.01",
		                                           "0.025", "0.05",  "0.1",   "0.25",
		                                           "0.5",   "1",     "2.5",   "5",
		                                           "+Inf" };
	char dir[] = "/tmp/weir-words-XXXXXX", command[64], labels[32];
	struct checker_counters w = { 0 };
	struct stats *s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "health", 128, &s), 0);
	checker_find_counters(&w, s);
	const struct {
		const uint64_t *word;
		enum stats_kind kind;
		const char *name;
	} words[] = {
		{ w.probes, STATS_COUNTER, "weir_health_probes_total" },
		{ w.attempts, STATS_COUNTER, "weir_health_attempts_total" },
		{ w.late, STATS_COUNTER, "weir_health_late_total" },
		{ w.unready, STATS_COUNTER, "weir_health_unready_total" },
		{ w.uncontrolled, STATS_COUNTER, "weir_health_uncontrolled_total" },
		{ w.turned_down, STATS_COUNTER, "weir_health_turned_down_total" },
		{ w.turned_up, STATS_COUNTER, "weir_health_turned_up_total" },
		{ w.lateness_ms, STATS_COUNTER, "weir_health_lateness_ms_total" },
		{ w.targets, STATS_GAUGE, "weir_health_targets" },
		{ w.down, STATS_GAUGE, "weir_health_targets_down" },
		{ w.n_unproven, STATS_GAUGE, "weir_health_targets_unproven" },
		{ w.times_ms, STATS_COUNTER, "weir_health_probe_duration_seconds_sum" },
		{ w.n_times, STATS_COUNTER, "weir_health_probe_duration_seconds_count" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_non_null(words[i].word);
		assert_ptr_equal(words[i].word,
		                 stats_get_counter(s, words[i].kind, words[i].name, "", "x"));
	}
	for (int i = 0; i < CHECKER_TIMES; i++) {
		snprintf(labels, sizeof(labels), "le=\"%s\"", limits[i]);
		assert_ptr_equal(w.times[i],
		                 stats_get_counter(s, STATS_COUNTER,
		                                   "weir_health_probe_duration_seconds_bucket",
		                                   labels, "x"));
	}
	stats_close(s);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* At each limit, and right behind it. */
static void each_limit_belongs_to_its_bucket(void **state)
{
	static const unsigned limits_of[] = {
		1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000
	};

	(void)state;
	for (int i = 0; i < CHECKER_TIMES - 1; i++)
		for (unsigned beyond = 0; beyond < 2; beyond++) {
			uint64_t times[CHECKER_TIMES] = { 0 }, sum = 0, n = 0;
			struct checker_counters w = { .times_ms = &sum, .n_times = &n };

			for (int k = 0; k < CHECKER_TIMES; k++)
				w.times[k] = &times[k];
			checker_count_time(&w, limits_of[i] + beyond);
			for (int k = 0; k < CHECKER_TIMES; k++)
				assert_int_equal(times[k], k >= i + (int)beyond);
		}
}

SUITE(gate)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_that_began_before_its_path_is_not_judged),
		cmocka_unit_test(a_family_that_is_cut_off_is_that_of_the_vip),
		cmocka_unit_test(the_dataplanes_words_are_found_again_after_its_restart),
		cmocka_unit_test(a_bucket_counts_what_took_no_longer_than_its_limit),
		cmocka_unit_test(each_result_has_a_word_of_its_own_name),
		cmocka_unit_test(each_word_has_its_name),
		cmocka_unit_test(each_limit_belongs_to_its_bucket),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
