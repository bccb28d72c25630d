/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's counters while a driver says late what it did not take: they never fall, and when
 * traffic rests they are what was decided minus what was not sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/export/node_counts.h"
#include "tests/unit/suite.h"
#include "weir/fwd/reason.h"

#define CPUS 3u /* the last row is user space's own */

static struct fwd_cpu cpus[CPUS];
static uint64_t uncounted; /* what the driver has to say */
static unsigned graces;
static uint64_t
        lost_in_grace; /* packets that come, and do not leave, while a grace period is waited for */

static uint64_t say_not_sent(const struct driver *d)
{
	(void)d;
	return uncounted;
}

static void note_counted(struct driver *d, uint64_t frames)
{
	(void)d;
	assert_true(frames <= uncounted);
	uncounted -= frames;
}

static void wait_grace(struct driver *d)
{
	(void)d;
	graces++;
	cpus[0].received += lost_in_grace;
	cpus[0].reason[FWD_REASON_FORWARDED] += lost_in_grace;
	uncounted += lost_in_grace;
}

static const struct driver_ops late = { .not_sent = say_not_sent,
	                                .not_sent_counted = note_counted,
	                                .grace = wait_grace };
static const struct driver_ops at_once = { .grace = wait_grace };

static struct compiler node_with(const struct driver_ops *ops)
{
	struct compiler n = { .ops = ops };

	memset(cpus, 0, sizeof(cpus));
	uncounted = 0;
	graces = 0;
	lost_in_grace = 0;
	n.t.cpus = cpus;
	n.t.n_cpus = CPUS;
	return n;
}

static void count_packets(unsigned cpu, enum fwd_reason reason, uint64_t n)
{
	cpus[cpu].received += n;
	cpus[cpu].reason[reason] += n;
}

static uint64_t sum_reasons(const struct fwd_cpu *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < FWD_REASONS_MAX; i++)
		sum += c->reason[i];
	return sum;
}

/* A worker counts by the verdict, and again when the frame was refused: a reading may fall between. */
static void a_driver_that_counts_again_shows_no_less(void **state)
{
	static const struct {
		enum fwd_reason reason, loss;
	} rows[] = { { FWD_REASON_FORWARDED, FWD_REASON_NOT_SENT },
		     { FWD_REASON_ECHO_REPLIED, FWD_REASON_NOT_SENT },
		     { FWD_REASON_NOT_OURS, FWD_REASON_KERNEL_POLICED },
		     { FWD_REASON_NOT_OURS, FWD_REASON_KERNEL_REFUSED } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compiler n = node_with(&at_once);
		struct node_counts c = { .read_ms = 0 };
		uint64_t *counted = &c.shown.reason[rows[i].reason];
		uint64_t *lost = &c.shown.reason[rows[i].loss];
		uint64_t now_ms = 1000;

		count_packets(0, rows[i].reason, 1000000000);
		node_counts_read(&c, &n, now_ms);
		for (unsigned k = 1; k <= 3; k++) { /* nothing leaves */
			count_packets(0, rows[i].reason, 32);
			node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS);
			assert_int_equal(*counted, 1000000000);
			assert_int_equal(sum_reasons(&c.shown), c.shown.received);
			cpus[0].reason[rows[i].reason] -= 32;
			cpus[0].reason[rows[i].loss] += 32;
			node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS);
			assert_int_equal(*counted, 1000000000);
			assert_int_equal(sum_reasons(&c.shown), c.shown.received);
		}
		node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS); /* traffic rests */
		assert_int_equal(*lost, 96);
		assert_int_equal(c.shown.received, 1000000096);
		for (unsigned k = 1; k <= 3; k++) { /* most are lost, the others are shown soon */
			count_packets(0, rows[i].reason, 5000);
			count_packets(1, rows[i].loss, 1000000);
			count_packets(1, FWD_REASON_NO_SERVICE, 7);
			node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS);
			assert_int_equal(c.shown.reason[FWD_REASON_NO_SERVICE], 7 * (k - 1));
			assert_in_range(*counted + 5000, 1000000000 + 5000 * (k - 1),
			                1000000000 + 5000 * k);
		}
		node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS);
		node_counts_read(&c, &n, now_ms += NODE_COUNTS_MS);
		assert_int_equal(*counted, 1000015000);
		assert_int_equal(sum_reasons(&c.shown), c.shown.received);
		assert_int_equal(graces, 0);
	}
}

/* More frames ended as lost than can have been under way: what was shown stays, and the sum. */
static void what_was_shown_once_stays(void **state)
{
	(void)state;
	struct compiler n = node_with(&at_once);
	struct node_counts c = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 100);
	node_counts_read(&c, &n, 1000); /* 10 of these are under way in the first reading */
	cpus[0].reason[FWD_REASON_FORWARDED] -= 10;
	cpus[0].reason[FWD_REASON_NOT_SENT] += 10;
	node_counts_read(&c, &n, 2000);
	node_counts_read(&c, &n, 3000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100);
	assert_int_equal(sum_reasons(&c.shown), c.shown.received);
	count_packets(0, FWD_REASON_FORWARDED, 50);
	node_counts_read(&c, &n, 4000);
	node_counts_read(&c, &n, 5000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 140);
	assert_int_equal(c.shown.received, 150);
}

static void a_driver_that_counts_at_once_is_read_as_it_is(void **state)
{
	(void)state;
	struct compiler n = node_with(&at_once);
	struct node_counts c = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 7);
	count_packets(1, FWD_REASON_NOT_SENT, 2);
	node_counts_read(&c, &n, 1000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 7);
	count_packets(1, FWD_REASON_FORWARDED, 1);
	node_counts_read(&c, &n, 1000 + NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 7);
	node_counts_read(&c, &n, 1000 + 2 * NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 8);
	assert_int_equal(c.shown.received, 10);
	assert_int_equal(graces, 0);
}

static void what_was_refused_is_not_forwarded_in_no_reading(void **state)
{
	(void)state;
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 100);
	node_counts_read(&c, &n, 1000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100);
	assert_int_equal(graces, 1); /* only here the readings' frames may still be under way */
	count_packets(1, FWD_REASON_FORWARDED,
	              16); /* none of which leaves: the driver says so later */
	node_counts_read(&c, &n, 1000 + NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100);
	uncounted = 16;
	count_packets(0, FWD_REASON_FORWARDED, 5);
	uncounted += 5; /* and these have ended already */
	node_counts_read(&c, &n, 1000 + 2 * NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100); /* 16 grown, 16 of 21 taken */
	assert_int_equal(c.shown.reason[FWD_REASON_NOT_SENT], 16);
	assert_int_equal(uncounted, 5);
	node_counts_read(&c, &n, 1000 + 3 * NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100);
	assert_int_equal(c.shown.reason[FWD_REASON_NOT_SENT], 21);
	assert_int_equal(uncounted, 0);
	assert_int_equal(c.shown.received, 121);
	assert_int_equal(sum_reasons(&c.shown), 121);
	count_packets(0, FWD_REASON_FORWARDED, 3); /* they leave again */
	node_counts_read(&c, &n, 1000 + 4 * NODE_COUNTS_MS);
	node_counts_read(&c, &n, 1000 + 5 * NODE_COUNTS_MS);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 103);
	assert_int_equal(graces, 1);
}

static void it_is_taken_from_what_was_sent_and_from_nothing_else(void **state)
{
	(void)state;
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 50);
	count_packets(0, FWD_REASON_NO_SERVICE, 9);
	node_counts_read(&c, &n, 1000);
	count_packets(1, FWD_REASON_ECHO_REPLIED, 4);
	count_packets(1, FWD_REASON_NO_SERVICE, 9);
	uncounted = 4;
	node_counts_read(&c, &n, 2000);
	node_counts_read(&c, &n, 3000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 50);
	assert_int_equal(c.shown.reason[FWD_REASON_ECHO_REPLIED], 0);
	assert_int_equal(c.shown.reason[FWD_REASON_NO_SERVICE], 18);
	assert_int_equal(c.shown.reason[FWD_REASON_NOT_SENT], 4);
}

static void the_next_process_reads_the_same(void **state)
{
	(void)state;
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 }, next = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 10);
	uncounted = 10;
	node_counts_read(&c, &n, 1000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 0);
	count_packets(1, FWD_REASON_FORWARDED, 6); /* while no process is there */
	uncounted = 2;
	node_counts_read(&next, &n, 9000);
	assert_int_equal(next.shown.reason[FWD_REASON_FORWARDED], 4);
	assert_int_equal(next.shown.reason[FWD_REASON_NOT_SENT], 12);
	assert_int_equal(sum_reasons(&next.shown), next.shown.received);
}

/* While nothing leaves, packets go on to come: of what an earlier process has shown nothing is missing. */
static void the_next_process_shows_no_less(void **state)
{
	(void)state;
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 }, next = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 100);
	node_counts_read(&c, &n, 1000);
	node_counts_read(&c, &n, 2000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 100);
	count_packets(1, FWD_REASON_FORWARDED, 6);
	uncounted = 6;
	lost_in_grace = 9;
	node_counts_read(&next, &n, 9000);
	assert_int_equal(next.shown.reason[FWD_REASON_FORWARDED], 100);
	lost_in_grace = 0;
	node_counts_read(&next, &n, 10000);
	assert_int_equal(next.shown.reason[FWD_REASON_FORWARDED], 100);
	assert_int_equal(next.shown.reason[FWD_REASON_NOT_SENT], 15);
	assert_int_equal(uncounted, 0);
}

static void counters_that_begin_again_are_read_anew(void **state)
{
	(void)state;
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 };

	count_packets(0, FWD_REASON_FORWARDED, 1000);
	node_counts_read(&c, &n, 1000);
	node_counts_read(&c, &n, 2000);
	memset(cpus, 0, sizeof(cpus));
	count_packets(0, FWD_REASON_FORWARDED, 3);
	uncounted = 1;
	node_counts_read(&c, &n, 3000);
	assert_int_equal(c.shown.reason[FWD_REASON_FORWARDED], 2);
	assert_int_equal(c.shown.reason[FWD_REASON_NOT_SENT], 1);
	assert_int_equal(c.shown.received, 3);
}

/* All of it, of all rows. */
static void each_counter_is_the_sum_of_its_rows(void **state)
{
	static const struct driver_ops *const ops[] = { &at_once, &late };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct compiler n = node_with(ops[k]);
		struct node_counts c = { .read_ms = 0 };
		struct fwd_cpu wanted = { 0 };

		for (uint64_t i = 0; i < sizeof(wanted) / sizeof(uint64_t); i++)
			for (uint64_t cpu = 0; cpu < CPUS; cpu++) {
				((uint64_t *)&cpus[cpu])[i] = (i + 1) << (16 * cpu);
				((uint64_t *)&wanted)[i] += (i + 1) << (16 * cpu);
			}
		node_counts_read(&c, &n, 1000);
		assert_int_equal(c.shown.received, wanted.received);
		assert_int_equal(c.shown.received_bytes, wanted.received_bytes);
		assert_int_equal(c.shown.fragments_lost, wanted.fragments_lost);
		assert_memory_equal(c.shown.reason, wanted.reason, sizeof(wanted.reason));
		assert_memory_equal(c.shown.event, wanted.event, sizeof(wanted.event));
	}
}

/* Not before a tenth of a second has passed, at once when the counters begin again; the driver counts nothing that is not known. */
static void each_reading_has_its_time(void **state)
{
	static const struct {
		uint64_t at_ms, forwarded, replied; /* more packets */
		uint64_t refused;
		bool begins_again;
		const char *said;
	} rows[] = {
		{ 1000, 10, 0, 0, false, "10+0 of 10, not sent 0, own 0+0+0, later 0, 1 waited" },
		{ 1099, 5, 0, 0, false, "10+0 of 10, not sent 0, own 0+0+0, later 0, 1 waited" },
		{ 1100, 5, 0, 0, false, "10+0 of 10, not sent 0, own 0+0+0, later 0, 1 waited" },
		{ 1200, 0, 0, 0, false, "20+0 of 20, not sent 0, own 0+0+0, later 0, 1 waited" },
		{ 1300, 7, 3, 0, false, "20+0 of 20, not sent 0, own 0+0+0, later 0, 1 waited" },
		{ 1399, 0, 0, 12, false, "20+0 of 20, not sent 0, own 0+0+0, later 12, 1 waited" },
		{ 1400, 0, 0, 0, false,
		  "20+0 of 30, not sent 10, own -7+-3+10, later 2, 1 waited" },
		{ 1500, 1, 2, 0, false,
		  "20+0 of 30, not sent 10, own -7+-3+10, later 2, 1 waited" },
		{ 1599, 0, 0, 0, true, "20+0 of 30, not sent 10, own 0+0+0, later 2, 1 waited" },
		{ 1600, 0, 0, 0, false, "0+0 of 0, not sent 0, own 0+0+0, later 2, 2 waited" },
		{ 1700, 2, 2, 1, false, "0+0 of 0, not sent 0, own 0+0+0, later 3, 2 waited" },
		{ 1800, 0, 0, 0, false, "0+1 of 4, not sent 3, own -2+-1+3, later 0, 2 waited" },
	};
	struct compiler n = node_with(&late);
	struct node_counts c = { .read_ms = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[160];

		if (rows[i].begins_again)
			memset(cpus, 0, sizeof(cpus));
		count_packets(0, FWD_REASON_FORWARDED, rows[i].forwarded);
		count_packets(1, FWD_REASON_ECHO_REPLIED, rows[i].replied);
		uncounted += rows[i].refused;
		node_counts_read(&c, &n, rows[i].at_ms);
		snprintf(text, sizeof(text),
		         "%d+%d of %d, not sent %d, own %d+%d+%d, later %d, %u waited",
		         (int)c.shown.reason[FWD_REASON_FORWARDED],
		         (int)c.shown.reason[FWD_REASON_ECHO_REPLIED], (int)c.shown.received,
		         (int)c.shown.reason[FWD_REASON_NOT_SENT],
		         (int)cpus[CPUS - 1].reason[FWD_REASON_FORWARDED],
		         (int)cpus[CPUS - 1].reason[FWD_REASON_ECHO_REPLIED],
		         (int)cpus[CPUS - 1].reason[FWD_REASON_NOT_SENT], (int)uncounted, graces);
		if (strcmp(text, rows[i].said) != 0)
			fail_msg("row %zu: %s", i, text);
	}
}

SUITE(node_counts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_that_counts_at_once_is_read_as_it_is),
		cmocka_unit_test(a_driver_that_counts_again_shows_no_less),
		cmocka_unit_test(what_was_shown_once_stays),
		cmocka_unit_test(what_was_refused_is_not_forwarded_in_no_reading),
		cmocka_unit_test(it_is_taken_from_what_was_sent_and_from_nothing_else),
		cmocka_unit_test(the_next_process_reads_the_same),
		cmocka_unit_test(the_next_process_shows_no_less),
		cmocka_unit_test(counters_that_begin_again_are_read_anew),
		cmocka_unit_test(each_counter_is_the_sum_of_its_rows),
		cmocka_unit_test(each_reading_has_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
