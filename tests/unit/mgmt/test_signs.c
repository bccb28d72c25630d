/* SPDX-License-Identifier: BSD-2-Clause */
/* Signs that clients suffer: rates between looks, and whether they have risen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/core/signs.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct signs make_look(uint64_t at_ms, int sign, uint64_t began, uint64_t part,
                              uint64_t whole)
{
	struct signs s = { .at_ms = at_ms };

	s.counts[sign] = (struct sign_count){ true, began, part, whole };
	return s;
}

static void a_rate_is_of_one_process_and_of_enough(void **state)
{
	static const struct {
		const char *why;
		uint64_t began, part, whole;
		bool known;
		uint32_t ppm;
		uint64_t of;
	} rows[] = {
		{ "enough", 1, 30, 1100, true, 20000, 1000 },
		{ "none of them", 1, 10, 1100, true, 0, 1000 },
		{ "all of them", 1, 1010, 1100, true, 1000000, 1000 },
		{ "more than all: repeated SYNs", 1, 5010, 1100, true, 1000000, 1000 },
		{ "just enough", 1, 10, 200, true, 0, 100 },
		{ "too few", 1, 10, 199, false, 0, 99 },
		{ "another process", 2, 30, 1100, false, 0, 0 },
		{ "it went back", 1, 30, 99, false, 0, 0 },
		{ "the part went back", 1, 9, 1100, true, 0, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct signs from = make_look(1000, SIGN_REPEATED, 1, 10, 100);
		const struct signs to =
		        make_look(2000, SIGN_REPEATED, rows[i].began, rows[i].part, rows[i].whole);
		struct signs_kept k = { .n = 0 };
		struct sign_rates r;

		print_message("  %s\n", rows[i].why);
		signs_keep(&k, &from);
		signs_keep(&k, &to);
		signs_since(&k, 0, &r);
		assert_int_equal(r.rates[SIGN_REPEATED].known, rows[i].known);
		assert_int_equal(r.rates[SIGN_REPEATED].ppm, rows[i].ppm);
		assert_int_equal(r.rates[SIGN_REPEATED].whole, rows[i].of);
		assert_false(r.rates[SIGN_DROPS].known); /* not measured is not 0 */
	}
}

static struct sign_rate make_rate(int ppm)
{
	return ppm < 0 ? (struct sign_rate){ .measured = true }
	               : (struct sign_rate){ .measured = true,
		                             .known = true,
		                             .ppm = (uint32_t)ppm,
		                             .part = (uint64_t)ppm * 5000 / 1000000,
		                             .whole = 5000 };
}

static void worse_is_twice_and_more_than_its_margin_than_before_and_not_so_elsewhere(void **state)
{
	static const struct {
		const char *why;
		int sign, before, after, like_before, like_after; /* ppm; -1: not known */
		const char *text;                                 /* "": it is not worse */
	} rows[] = {
		{ "as before", SIGN_REPEATED, 5000, 5000, 0, 0, "" },
		{ "within the margin", SIGN_REPEATED, 0, 20000, 0, 0, "" },
		{ "beyond it", SIGN_REPEATED, 0, 20001, 0, 0,
		  "repeated SYNs: 2.0 % of 5000 new flows, 0.0 % before, 0.0 % elsewhere" },
		{ "twice and the margin", SIGN_REPEATED, 30000, 80000, -1, -1, "" },
		{ "more", SIGN_REPEATED, 30000, 80001, -1, -1,
		  "repeated SYNs: 8.0 % of 5000 new flows, 3.0 % before" },
		{ "half of what is good is left", SIGN_REPEATED, 500000, 760000, -1, -1, "" },
		{ "less than half of it", SIGN_REPEATED, 500000, 760001, -1, -1,
		  "repeated SYNs: 76.0 % of 5000 new flows, 50.0 % before" },
		{ "it has risen elsewhere, too", SIGN_REPEATED, 0, 300000, 0, 200000, "" },
		{ "it was so elsewhere before", SIGN_REPEATED, 0, 300000, 200000, 200000,
		  "repeated SYNs: 30.0 % of 5000 new flows, 0.0 % before, 20.0 % elsewhere" },
		{ "what was elsewhere is not known", SIGN_REPEATED, 0, 300000, -1, 200000,
		  "repeated SYNs: 30.0 % of 5000 new flows, 0.0 % before, 20.0 % elsewhere" },
		{ "no before", SIGN_PROBES, -1, 1000000, 0, 0, "" },
		{ "no after", SIGN_PROBES, 0, -1, 0, 0, "" },
		{ "probes", SIGN_PROBES, 0, 500000, -1, -1,
		  "failed probes: 50.0 % of 5000 probes, 0.0 % before" },
		{ "flows that came to nothing", SIGN_NOTHING, 10000, 70001, -1, -1,
		  "flows without a second packet: 7.0 % of 5000 new flows, 1.0 % before" },
		{ "drops", SIGN_DROPS, 100, 2201, -1, -1,
		  "packets dropped: 0.2 % of 5000 packets, 0.0 % before" },
		{ "what scanners ask for", SIGN_UNSERVED, 10000, 40000, -1, -1, "" },
		{ "a port that is gone", SIGN_UNSERVED, 10000, 40001, -1, -1,
		  "packets to no service: 4.0 % of 5000 packets, 1.0 % before" },
		{ "answers", SIGN_ANSWERS, 0, 50001, 0, 0,
		  "failed answers: 5.0 % of 5000 answers, 0.0 % before, 0.0 % elsewhere" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct signs_compared c = { 0 };
		char text[SIGNS_TEXT_MAX] = "x";

		c.before.rates[rows[i].sign] = make_rate(rows[i].before);
		c.after.rates[rows[i].sign] = make_rate(rows[i].after);
		c.like_before.rates[rows[i].sign] = make_rate(rows[i].like_before);
		c.like_after.rates[rows[i].sign] = make_rate(rows[i].like_after);
		print_message("  %s\n", rows[i].why);
		assert_int_equal(signs_are_worse(&c, text), *rows[i].text != 0);
		assert_string_equal(text, rows[i].text);
	}
}

static void a_process_that_counts_anew_has_started_again(void **state)
{
	const struct signs from = make_look(1000, SIGN_PROBES, 1, 10, 100),
	                   same = make_look(2000, SIGN_PROBES, 1, 20, 200),
	                   other = make_look(2000, SIGN_PROBES, 2, 0, 0),
	                   flows = make_look(2000, SIGN_DROPS, 2, 0, 0);

	(void)state;
	assert_null(signs_restarted(&from, &same));
	assert_string_equal(signs_restarted(&from, &other), "weir-health");
	assert_null(signs_restarted(&from, &flows)); /* not known is not started again */
}

/* A client that is out of reach repeats its SYN six times: alone it is no evidence. */
static void one_client_alone_is_no_evidence(void **state)
{
	static const struct {
		int sign;
		uint64_t least; /* of the part */
	} rows[] = { { SIGN_REPEATED, 10 }, { SIGN_NOTHING, 10 }, { SIGN_DROPS, 10 },
		     { SIGN_UNSERVED, 10 }, { SIGN_PROBES, 4 },   { SIGN_ANSWERS, 10 } };

	(void)state;
	assert_int_equal(COUNT(rows), SIGNS);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (uint64_t less = 0; less < 2; less++) {
			struct signs_compared c = { 0 };
			char text[SIGNS_TEXT_MAX];

			c.before.rates[rows[i].sign] = make_rate(0);
			c.after.rates[rows[i].sign] = make_rate(500000);
			c.after.rates[rows[i].sign].part = rows[i].least - less;
			assert_int_equal(signs_are_worse(&c, text), !less);
		}
}

static void most_of_the_others_decide(void **state)
{
	static const struct {
		int ppm[4]; /* -1: not known, -2: no node any more */
		int most;
	} rows[] = {
		{ { -2 }, -1 },         { { -1, -2 }, -1 },      { { 7, -2 }, 7 },
		{ { 7, 5, -2 }, 5 },    { { 5, -1, 7, -2 }, 5 }, { { 900000, 0, 3, -2 }, 3 },
		{ { 0, 9, 9, -2 }, 9 }, { { 4, 3, 2, 1 }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sign_rates nodes[4] = { 0 }, most;
		const struct sign_rates *of[4];
		size_t n = 0;

		for (; n < 4 && rows[i].ppm[n] != -2; n++) {
			of[n] = &nodes[n];
			nodes[n].rates[SIGN_DROPS] = make_rate(rows[i].ppm[n]);
		}
		signs_of_most(of, n, &most);
		assert_int_equal(most.rates[SIGN_DROPS].known, rows[i].most >= 0);
		if (rows[i].most >= 0)
			assert_int_equal(most.rates[SIGN_DROPS].ppm, rows[i].most);
		assert_false(most.rates[SIGN_PROBES].known);
	}
}

static void a_change_is_compared_by_new_clients(void **state)
{
	static const struct {
		bool measured[2], known[2]; /* before, after */
		enum signs_clients clients;
	} rows[] = {
		{ { true, true }, { true, true }, SIGNS_COMPARABLE },
		{ { true, true }, { false, true }, SIGNS_QUIET },
		{ { true, true }, { true, false }, SIGNS_QUIET },
		{ { true, false }, { true, false }, SIGNS_BLIND },
		{ { false, true }, { false, true }, SIGNS_BLIND },
		{ { false, false }, { false, false }, SIGNS_BLIND },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int sign = 0; sign < SIGNS; sign++) {
			const bool is_of_clients = sign <= SIGN_NOTHING;
			struct signs_compared c = { 0 };

			c.before.rates[sign] = (struct sign_rate){ .measured = rows[i].measured[0],
				                                   .known = rows[i].known[0] };
			c.after.rates[sign] = (struct sign_rate){ .measured = rows[i].measured[1],
				                                  .known = rows[i].known[1] };
			assert_int_equal(signs_clients(&c),
			                 is_of_clients ? rows[i].clients : SIGNS_BLIND);
		}
	for (int i = SIGNS_BLIND; i <= SIGNS_COMPARABLE; i++)
		assert_int_equal(signs_clients_parse(signs_clients_text((enum signs_clients)i)), i);
	assert_int_equal(signs_clients_parse("well"), SIGNS_BLIND);
	assert_int_equal(signs_clients_parse(NULL), SIGNS_BLIND);
}

/* Where few clients come, a longer time has enough of them. */
static void the_last_seconds_are_as_many_as_it_takes(void **state)
{
	static const struct {
		uint64_t each_s; /* packets */
		bool known;
		uint64_t least, most;
	} rows[] = {
		{ 1000, true, 5000, 10000 },
		{ 60, true, 1000, 1500 },
		{ 20, true, 1000, 1200 },
		{ 15, false, 0, 900 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct signs_kept k = { .n = 0 };
		struct sign_rates r;

		for (uint64_t s = 1; s <= 120; s++) {
			const struct signs now =
			        make_look(s * 1000, SIGN_DROPS, 7, 0, s * rows[i].each_s);

			signs_keep(&k, &now);
		}
		signs_recent(&k, &r);
		print_message("  %d a second\n", (int)rows[i].each_s);
		assert_int_equal(r.rates[SIGN_DROPS].known, rows[i].known);
		assert_in_range(r.rates[SIGN_DROPS].whole, rows[i].least, rows[i].most);
	}
}

/* What came lately counts, and nothing from before the version. */
static void after_a_change_the_last_seconds_count(void **state)
{
	struct signs_kept k = { .n = 0 };
	struct signs from = { 0 };
	struct sign_rates r;

	(void)state;
	/* a trouble of all packets until 102 s, and one of a tenth from 180 s on; the version is of 98 s */
	for (uint64_t s = 1; s <= 190; s++) {
		uint64_t part = s <= 102 ? s * 1000 : 102000 + (s > 180 ? (s - 180) * 100 : 0);
		const struct signs now = make_look(s * 1000, SIGN_DROPS, 7, part, s * 1000);

		signs_keep(&k, &now);
		if (s == 98)
			from = now;
		if (s < 98)
			continue;
		signs_after(&k, &from, &r);
		assert_true(r.rates[SIGN_DROPS].measured);
		assert_true(r.rates[SIGN_DROPS].whole <= (s - 98) * 1000);
		if (s == 99) /* at once, from the first second */
			assert_int_equal(r.rates[SIGN_DROPS].ppm, 1000000);
		if (s == 115) /* it has passed */
			assert_int_equal(r.rates[SIGN_DROPS].ppm, 0);
		if (s == 190) /* and a minute and a half does not dilute the next one */
			assert_int_equal(r.rates[SIGN_DROPS].ppm, 100000);
	}
}

static void few_clients_count_for_as_long_as_there_are_any(void **state)
{
	struct signs_kept k = { .n = 0 };
	struct signs from = { 0 };
	struct sign_rates r;

	(void)state;
	for (uint64_t s = 1; s <= 250; s++) {
		const struct signs now = make_look(s * 1000, SIGN_REPEATED, 7, 0, s);

		signs_keep(&k, &now);
		if (s == 100)
			from = now;
	}
	signs_after(&k, &from, &r);
	assert_true(r.rates[SIGN_REPEATED].known);
	assert_int_equal(r.rates[SIGN_REPEATED].whole, 150);
}

/* The page of a process is being written, or slow to read. */
static void a_look_that_failed_blinds_nobody(void **state)
{
	(void)state;
	for (uint64_t failed_at = 90; failed_at <= 120; failed_at++) {
		struct signs_kept k = { .n = 0 };
		struct signs from = { 0 };
		struct sign_rates r;

		for (uint64_t s = 1; s <= 120; s++) {
			struct signs now = make_look(s * 1000, SIGN_DROPS, 7, s * 10, s * 1000);

			now.counts[SIGN_DROPS].known = s != failed_at;
			signs_keep(&k, &now);
			if (s == 100)
				from = now;
			if (s > 100)
				signs_fill(&from, &now);
		}
		assert_true(from.counts[SIGN_DROPS].known);
		signs_recent(&k, &r);
		assert_int_equal(r.rates[SIGN_DROPS].ppm, 10000);
		signs_after(&k, &from, &r);
		assert_int_equal(r.rates[SIGN_DROPS].ppm, 10000);
	}
}

/* Two are no chance: what is not measured any more is not known. */
static void who_measures_nothing_any_more_says_nothing(void **state)
{
	struct signs_kept k = { .n = 0 };
	struct sign_rates r;

	(void)state;
	for (uint64_t s = 5; s <= 120; s += 5) {
		struct signs now = make_look(s * 1000, SIGN_DROPS, 7, s * 10, s * 1000);

		now.counts[SIGN_DROPS].known = s < 115;
		signs_keep(&k, &now);
	}
	signs_recent(&k, &r);
	assert_false(r.rates[SIGN_DROPS].measured);
}

/* As when weir-mgmt began to run a moment ago: it is not quiet, nobody knows. */
static void one_look_measures_nothing(void **state)
{
	const struct signs now = make_look(1000, SIGN_DROPS, 7, 10, 1000);
	struct signs_kept k = { .n = 0 };
	struct sign_rates r;

	(void)state;
	signs_keep(&k, &now);
	signs_since(&k, 0, &r);
	assert_false(r.rates[SIGN_DROPS].measured);
	signs_recent(&k, &r);
	assert_false(r.rates[SIGN_DROPS].measured);
}

static void all_margins_are_told(void **state)
{
	char text[SIGNS_MARGIN_MAX];

	(void)state;
	signs_margins(text);
	assert_string_equal(text,
	                    "repeated SYNs 2 % of new flows, "
	                    "flows without a second packet 5 % of new flows, "
	                    "packets dropped 0.2 % of packets, "
	                    "packets to no service 2 % of packets, failed probes 10 % of probes, "
	                    "failed answers 5 % of answers");
}

/* A before that begins with the process which counts now. */
static void what_an_earlier_process_counted_is_left_out(void **state)
{
	struct signs_kept k = { .n = 0 };
	struct sign_rates r;

	(void)state;
	for (uint64_t s = 1; s <= 300; s++) {
		const struct signs now = make_look(s * 1000, SIGN_DROPS, s <= 200 ? 7 : 8,
		                                   s <= 200 ? s * 500 : 0, (s % 200) * 1000);

		signs_keep(&k, &now);
	}
	signs_since(&k, 0, &r);
	assert_true(r.rates[SIGN_DROPS].known);
	assert_in_range(r.rates[SIGN_DROPS].whole, 85000, 100000);
	assert_int_equal(r.rates[SIGN_DROPS].ppm, 0);
}

static void five_minutes_are_kept_and_the_last_one_is_told(void **state)
{
	struct signs_kept k = { .n = 0 };
	struct sign_rates r;

	(void)state;
	assert_true(signs_are_due(&k, 1));
	signs_since(&k, 0, &r);
	assert_false(r.rates[SIGN_DROPS].known);
	/* each second a thousand packets; a drop of each hundred in the last half minute */
	for (uint64_t s = 1; s <= 600; s++) {
		const struct signs now =
		        make_look(s * 1000, SIGN_DROPS, 7, s > 570 ? (s - 570) * 10 : 0, s * 1000);

		signs_keep(&k, &now);
	}
	assert_int_equal(k.n, SIGNS_KEPT);
	assert_int_equal(k.last.at_ms, 600000);
	assert_in_range(k.list[0].at_ms, 295000, 300000);
	signs_recent(&k, &r);
	assert_in_range(r.rates[SIGN_DROPS].whole, 5000, 10000);
	assert_int_equal(r.rates[SIGN_DROPS].ppm, 10000);
	signs_since(&k, 0, &r);
	assert_in_range(r.rates[SIGN_DROPS].whole, 299000, 306000);
	signs_since(&k, 500001, &r);
	assert_in_range(r.rates[SIGN_DROPS].whole, 94000, 100000);
	signs_since(&k, 600001, &r);
	assert_false(r.rates[SIGN_DROPS].known);
	assert_false(signs_are_due(&k, 604999));
	assert_true(signs_are_due(&k, 605000));
	k.is_watched = true;
	assert_true(signs_are_due(&k, 601000));
	assert_false(signs_are_due(&k, 600999));
}

SUITE(signs)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_of_one_process_and_of_enough),
		cmocka_unit_test(
		        worse_is_twice_and_more_than_its_margin_than_before_and_not_so_elsewhere),
		cmocka_unit_test(a_process_that_counts_anew_has_started_again),
		cmocka_unit_test(one_client_alone_is_no_evidence),
		cmocka_unit_test(most_of_the_others_decide),
		cmocka_unit_test(a_change_is_compared_by_new_clients),
		cmocka_unit_test(after_a_change_the_last_seconds_count),
		cmocka_unit_test(few_clients_count_for_as_long_as_there_are_any),
		cmocka_unit_test(a_look_that_failed_blinds_nobody),
		cmocka_unit_test(who_measures_nothing_any_more_says_nothing),
		cmocka_unit_test(the_last_seconds_are_as_many_as_it_takes),
		cmocka_unit_test(one_look_measures_nothing),
		cmocka_unit_test(all_margins_are_told),
		cmocka_unit_test(what_an_earlier_process_counted_is_left_out),
		cmocka_unit_test(five_minutes_are_kept_and_the_last_one_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
