/* SPDX-License-Identifier: BSD-2-Clause */
/* Which probes are judged, by what the dataplane says of their path; and the histogram of their times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "healthcheck/checker.h"
#include "healthcheck/gate.h"
#include "weir/probe.h"

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
	g.since_ms = NULL; /* a dataplane of the former release says no more than the document */
	document = 7;
	assert_true(gate_lets(&g, 7, 1));
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

static void a_bucket_counts_what_took_no_longer_than_its_limit(void **state)
{
	uint64_t times[CHECKER_TIMES] = { 0 }, sum = 0, n = 0;
	struct checker_words w = { .times_ms = &sum, .n_times = &n };

	(void)state;
	for (int i = 0; i < CHECKER_TIMES; i++)
		w.times[i] = &times[i];
	checker_count_time(&w, 10); /* le="0.01" is the fourth */
	assert_true(times[2] == 0 && times[3] == 1 && times[CHECKER_TIMES - 1] == 1);
	checker_count_time(&w, 5001); /* more than all but the last */
	assert_true(times[CHECKER_TIMES - 2] == 1 && times[CHECKER_TIMES - 1] == 2);
	assert_true(n == 2 && sum == 5011);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_that_began_before_its_path_is_not_judged),
		cmocka_unit_test(a_family_that_is_cut_off_is_that_of_the_vip),
		cmocka_unit_test(a_bucket_counts_what_took_no_longer_than_its_limit),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
