/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether what is to leave by a port does (dataplane/leaving.c), from what a driver says and what the
 * tables count: each state is entered and left twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/leaving.h"
#include "tests/unit/suite.h"
#include "weir/fwd/reason.h"

#define T0    1000000u
#define EVERY LEAVING_TICK_MS

static struct driver_port driven[2];
static size_t n_driven;
static int try_err;
static unsigned n_tries;
static bool tries_leave;

static size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	memcpy(out, driven, n_driven * sizeof(*out));
	return n_driven;
}

static int try_port(struct driver *d, uint32_t ifindex)
{
	(void)d;
	n_tries++;
	for (size_t i = 0; !try_err && i < n_driven; i++)
		if (driven[i].ifindex == ifindex) {
			driven[i].tries_left += tries_leave;
			driven[i].tries_lost += !tries_leave;
		}
	return try_err;
}

static void keep_left_nothing(struct driver *d, uint32_t ifindex, bool left_nothing)
{
	(void)d;
	for (size_t i = 0; i < n_driven; i++)
		if (driven[i].ifindex == ifindex)
			driven[i].left_nothing = left_nothing;
}

static const struct driver_ops ops = { .name = "xdp",
	                               .ports = show_ports,
	                               .try_port = try_port,
	                               .keep_left_nothing = keep_left_nothing };

/* Backends 1 and 2 are behind port 5, backend 3 behind port 6. */
static struct fwd_backend backends[4] = {
	{ .ifindex = 0 }, { .ifindex = 5 }, { .ifindex = 5 }, { .ifindex = 6 }
};
static struct fwd_count counts[4], news[4];
static struct fwd_cpu cpu;
static struct fwd_root root = { .n_backends = 4 };
static struct plan plan;
static struct compiler node;
static struct leaving l;
static uint64_t now_ms;

static int setup(void **state)
{
	(void)state;
	memset(counts, 0, sizeof(counts));
	memset(news, 0, sizeof(news));
	memset(&l, 0, sizeof(l));
	memset(&cpu, 0, sizeof(cpu));
	driven[0] = (struct driver_port){
		.name = "eth0", .ifindex = 5, .not_sent_known = true, .not_sent_cause = ""
	};
	driven[1] = (struct driver_port){
		.name = "eth1", .ifindex = 6, .not_sent_known = true, .not_sent_cause = ""
	};
	n_driven = 2;
	node = (struct compiler){ .ops = &ops, .plan = &plan };
	node.t = (struct fwd_tables){ .root = &root,
		                      .backends = backends,
		                      .backend_counts = counts,
		                      .backend_news = news,
		                      .cpus = &cpu,
		                      .n_backends = 4,
		                      .n_cpus = 1 };
	now_ms = T0;
	try_err = 0;
	tries_leave = false;
	n_tries = 0;
	return 0;
}

/* @p ms go by, in each tick of which @p given frames are for port 5, and @p lost do not leave. */
static void pass_time(unsigned ms, unsigned given, unsigned lost)
{
	for (unsigned t = 0; t < ms; t += EVERY) {
		counts[1].packets += given - given / 2;
		news[2].packets += given / 2;
		cpu.reason[FWD_REASON_FORWARDED] += given;
		driven[0].not_sent += lost;
		now_ms += EVERY;
		leaving_tick(&l, &node, now_ms);
	}
}

/* Until nothing is said to leave: within two seconds, or it never will be. */
static void lose_all(unsigned frames)
{
	for (unsigned ms = 0; ms < 2000 && leaving_of(&l, 5) != LEAVING_NONE; ms += EVERY)
		pass_time(EVERY, frames, frames);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
}

static void nothing_is_said_while_all_leaves_or_little_is_lost(void **state)
{
	(void)state;
	pass_time(3000, 100, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	setup(state);
	pass_time(3000, 1000, 1); /* 5 of 5,000 in a second */
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	setup(state);
	pass_time(3000, 1000, 9); /* 45 of 5,000: less than 1 % */
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	setup(state);
	pass_time(4000, 1, 1); /* all, but 5 frames */
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	assert_int_equal(leaving_of(&l, 77), LEAVING_ALL); /* no port */
	assert_int_equal(n_tries, 0);
}

static void some_loss_is_seen_in_two_seconds_and_ends_after_three(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pass_time(2000, 100, 5);
		assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
		assert_int_equal(leaving_of(&l, 6), LEAVING_ALL);
		pass_time(LEAVING_CLEAN_MS - EVERY, 100, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
		pass_time(1400, 100, 0); /* the window in which it was last bad has to pass, too */
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	}
	assert_int_equal(l.changes, 4);
}

static void a_port_by_which_nothing_leaves_comes_back_when_own_frames_left_for_3_s(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		tries_leave = false;
		pass_time(2000, 10, 10);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(20000, 0, 0); /* withdrawn: silence proves nothing */
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		assert_true(n_tries > 90);
		tries_leave = true;
		pass_time(2000, 0, 0);
		tries_leave = false; /* it was too early */
		pass_time(EVERY, 0, 0);
		tries_leave = true;
		pass_time(2800, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(800, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(1000, 10, 0); /* packets leave, too */
	}
}

static void without_own_frames_it_waits_longer_with_each_relapse(void **state)
{
	(void)state;
	static const unsigned holds_s[] = { 30, 60, 120, 240, 480, 600, 600 };

	try_err = -95;
	for (size_t i = 0; i < sizeof(holds_s) / sizeof(holds_s[0]); i++) {
		pass_time(2000, 10, 10);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(holds_s[i] * 1000 - EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	}
	pass_time(LEAVING_HOLD_MAX + EVERY, 100, 0); /* well for so long: that is forgotten */
	pass_time(2000, 10, 10);
	pass_time(LEAVING_HOLD_MS, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
}

/* It is known that nothing would leave: no time that passes proves otherwise. Then they cannot be sent any more. */
static void a_port_that_is_tried_in_vain_does_not_come_back_by_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t changes = l.changes;

		tries_leave = false;
		pass_time(2000, 10, 10);
		pass_time(2 * LEAVING_HOLD_MAX, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		assert_int_equal(l.changes, changes + 1); /* and it did not come back meanwhile */
		try_err = i ? -95 : 0;
		tries_leave = true;
		pass_time((i ? LEAVING_HOLD_MS : LEAVING_CLEAN_MS) - EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(3 * EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(5000, 10, 0); /* packets leave, too */
	}
}

/* Its backends are reached by another port now: that it could not send concerns nobody. */
static void a_port_with_no_backend_behind_it_comes_back_by_silence(void **state)
{
	(void)state;
	pass_time(2000, 10, 10);
	pass_time(2 * LEAVING_HOLD_MS, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	backends[1].ifindex = backends[2].ifindex = 6;
	pass_time(LEAVING_HOLD_MS - EVERY, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	pass_time(3 * EVERY, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	backends[1].ifindex = backends[2].ifindex = 5;
}

static void the_next_process_goes_on_where_nothing_left(void **state)
{
	(void)state;
	pass_time(2000, 10, 10);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	memset(&l, 0, sizeof(l));
	pass_time(20000, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	assert_int_equal(leaving_of(&l, 6), LEAVING_ALL);
	tries_leave = true;
	pass_time(4000, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	memset(&l, 0, sizeof(l));
	pass_time(1000, 0, 0); /* and that it came back is known, too */
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
}

static void packets_that_leave_prove_it_at_once(void **state)
{
	(void)state;
	try_err = -95;
	pass_time(2000, 100, 100);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	pass_time(1200, 100, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
	pass_time(4000, 100, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
}

/* All that comes in a moment, and so before anything was read of the port. */
static void a_burst_that_is_lost_in_one_moment_is_seen(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pass_time(1000, 100, 0);
		pass_time(EVERY, 300, 200);
		pass_time(1200, 100, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
		pass_time(5000, 100, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	}
	pass_time(EVERY, 100, 100);
	pass_time(1200, 0, 0); /* and nothing comes after it: all of at least 10 */
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	setup(state);
	pass_time(1000, 5000, 0);
	pass_time(EVERY, 5000, 12); /* a few of many, and then silence */
	pass_time(4000, 0, 0);
	assert_int_equal(l.changes, 0);
	setup(state);
	pass_time(1000, 100, 0);
	cpu.reason[FWD_REASON_FORWARDED] +=
	        100000; /* by another port: what this one had is not known */
	pass_time(EVERY, 100, 12);
	pass_time(4000, 0, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
}

/* Frames of our own leave, and packets do not, as where those are too long. */
static void where_own_frames_prove_little_it_takes_longer_each_time(void **state)
{
	(void)state;
	static const unsigned proves_ms[] = { 3000, 6000, 12000, 24000 };

	tries_leave = true;
	for (unsigned again = 0; again < 2; again++) {
		for (size_t i = 0; i < sizeof(proves_ms) / sizeof(proves_ms[0]); i++) {
			pass_time(1200, 10, 10);
			assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
			pass_time(proves_ms[i] - 1000, 0, 0);
			assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
			pass_time(1600, 0, 0);
			assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		}
		pass_time(5000, 10,
		          0); /* now packets leave, too: what comes then is another fault */
	}
}

/* What packets prove ends the doubt about own frames, however much was lost before. Twice. */
static void where_packets_proved_it_own_frames_are_believed_again(void **state)
{
	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		tries_leave = true;
		pass_time(1200, 100000, 100000);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(3800, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(1200, 100000, 100000);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		tries_leave = false;
		pass_time(5000, 100, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		tries_leave = true;
		pass_time(1200, 10, 10);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(3800, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(5000, 100000, 0);
	}
}

/* Of the frames of each second tick, two are counted as lost in the next one only: none has left. */
static void frames_under_way_are_not_taken_for_frames_that_left(void **state)
{
	(void)state;
	lose_all(20);
	for (unsigned i = 0; i < 20; i++) {
		pass_time(EVERY, 20, i % 2 ? 22 : 18);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	}
	pass_time(LEAVING_WINDOW_MS + 2 * EVERY, 20, 0); /* packets leave */
	assert_int_not_equal(leaving_of(&l, 5), LEAVING_NONE);
}

/* What became of a frame is counted a moment later: of one from before the loss it proves nothing. */
static void an_own_frame_that_is_counted_late_proves_nothing(void **state)
{
	(void)state;
	tries_leave = true;
	for (unsigned i = 0; i < 2; i++) {
		lose_all(10);
		driven[0].tries_left++;
		pass_time(LEAVING_CLEAN_MS - EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		pass_time(2 * EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(5000, 10, 0); /* packets leave, too */
	}
}

/* Some of them leave and some do not: it is not well yet. Twice. */
static void where_own_frames_leave_and_are_lost_nothing_is_proved(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		tries_leave = true;
		lose_all(10);
		for (unsigned ms = 0; ms < 2 * LEAVING_CLEAN_MS; ms += EVERY) {
			driven[0].tries_lost++;
			pass_time(EVERY, 0, 0);
			assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
		}
		pass_time(LEAVING_CLEAN_MS + 2 * EVERY, 0, 0);
		assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
		pass_time(5000, 10, 0); /* packets leave, too */
	}
}

/* The caller's timer is not exact: 50 ms before the time is at it. */
static void a_tick_that_is_a_little_early_counts(void **state)
{
	static const struct {
		unsigned after_ms;
		bool counts;
	} rows[] = { { 0, false }, { EVERY - 51, false }, { EVERY - 50, true }, { EVERY, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before_ms;

		pass_time(EVERY, 10, 0);
		before_ms = l.ticked_ms;
		assert_int_equal(before_ms, now_ms);
		now_ms += rows[i].after_ms;
		leaving_tick(&l, &node, now_ms);
		assert_int_equal(l.ticked_ms, rows[i].counts ? now_ms : before_ms);
	}
	node.plan = NULL; /* there is no document yet */
	now_ms += EVERY;
	leaving_tick(&l, &node, now_ms);
	assert_int_not_equal(l.ticked_ms, now_ms);
}

/* A port is kept as one by which nothing leaves until anything does. */
static void only_of_a_port_by_which_nothing_leaves_it_is_kept(void **state)
{
	(void)state;
	pass_time(2000, 100, 5);
	assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
	assert_false(driven[0].left_nothing);
	lose_all(100);
	assert_true(driven[0].left_nothing);
	pass_time(2000, 100, 5);
	assert_int_equal(leaving_of(&l, 5), LEAVING_SOME);
	assert_false(driven[0].left_nothing);
	assert_false(driven[1].left_nothing);
}

static void where_nothing_can_tell_nothing_is_said(void **state)
{
	(void)state;
	pass_time(2000, 10, 10);
	assert_int_equal(leaving_of(&l, 5), LEAVING_NONE);
	driven[0].not_sent_known = false;
	pass_time(EVERY, 10, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
	driven[0].not_sent_known = true; /* what it had lost before is no loss of now */
	pass_time(2000, 100, 0);
	assert_int_equal(leaving_of(&l, 5), LEAVING_ALL);
}

SUITE(leaving)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_said_while_all_leaves_or_little_is_lost, setup),
		cmocka_unit_test_setup(some_loss_is_seen_in_two_seconds_and_ends_after_three,
		                       setup),
		cmocka_unit_test_setup(
		        a_port_by_which_nothing_leaves_comes_back_when_own_frames_left_for_3_s,
		        setup),
		cmocka_unit_test_setup(without_own_frames_it_waits_longer_with_each_relapse, setup),
		cmocka_unit_test_setup(a_port_that_is_tried_in_vain_does_not_come_back_by_itself,
		                       setup),
		cmocka_unit_test_setup(a_port_with_no_backend_behind_it_comes_back_by_silence,
		                       setup),
		cmocka_unit_test_setup(the_next_process_goes_on_where_nothing_left, setup),
		cmocka_unit_test_setup(packets_that_leave_prove_it_at_once, setup),
		cmocka_unit_test_setup(a_burst_that_is_lost_in_one_moment_is_seen, setup),
		cmocka_unit_test_setup(where_own_frames_prove_little_it_takes_longer_each_time,
		                       setup),
		cmocka_unit_test_setup(frames_under_way_are_not_taken_for_frames_that_left, setup),
		cmocka_unit_test_setup(an_own_frame_that_is_counted_late_proves_nothing, setup),
		cmocka_unit_test_setup(where_packets_proved_it_own_frames_are_believed_again,
		                       setup),
		cmocka_unit_test_setup(where_own_frames_leave_and_are_lost_nothing_is_proved,
		                       setup),
		cmocka_unit_test_setup(a_tick_that_is_a_little_early_counts, setup),
		cmocka_unit_test_setup(only_of_a_port_by_which_nothing_leaves_it_is_kept, setup),
		cmocka_unit_test_setup(where_nothing_can_tell_nothing_is_said, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
