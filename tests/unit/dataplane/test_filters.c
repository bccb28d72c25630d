/* SPDX-License-Identifier: BSD-2-Clause */
/* News of filters at the queues, of a real kernel: the first one is told at once, a flood is bounded, none is missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "dataplane/nexthop/filters.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/suite.h"

#define PAUSE_MS 20u /* the documented value, not the code's own: a change of it is seen */

struct scene {
	struct loop *loop;
	struct loop_timer end;
	unsigned n, wanted;
	uint64_t called_ms, pause_ms; /* the last call; the shortest time between two */
};

static void on_change(void *arg)
{
	struct scene *s = arg;
	uint64_t now_ms = loop_now_ms(s->loop);

	if (now_ms - s->called_ms < s->pause_ms)
		s->pause_ms = now_ms - s->called_ms;
	s->called_ms = now_ms;
	if (++s->n >= s->wanted)
		loop_stop(s->loop);
}

static void on_end(void *arg)
{
	loop_stop(((struct scene *)arg)->loop);
}

/* Turn until @p wanted calls came, or the time is over. */
static unsigned turn_loop(struct scene *s, unsigned wanted, uint64_t ms)
{
	s->n = 0;
	s->wanted = wanted;
	s->pause_ms = UINT64_MAX;
	loop_timer_set(s->loop, &s->end, clock_mono_ms() + ms);
	assert_int_equal(loop_run(s->loop), 0);
	loop_timer_cancel(s->loop, &s->end);
	return s->n;
}

static void each_change_is_told_and_a_flood_is_few_calls(void **state)
{
	struct scene s = { 0 };
	struct filters *f = NULL;

	(void)state;
	assert_int_equal(loop_open(&s.loop), 0);
	s.end = (struct loop_timer){ .cb = on_end, .arg = &s };
	assert_int_equal(filters_open(s.loop, on_change, &s, &f), 0);
	assert_int_equal(turn_loop(&s, 1, 50), 0); /* nothing happened */
	space_run("tc qdisc add dev v0 clsact");
	assert_int_equal(turn_loop(&s, 1, 5000), 1);
	space_run("tc qdisc add dev v1 clsact");
	assert_int_equal(turn_loop(&s, 1, 5000), 1);
	(void)turn_loop(&s, 1000, 100); /* what is left of it */
	space_run("for i in $(seq 1 300); do echo qdisc del dev v1 clsact; "
	          "echo qdisc add dev v1 clsact; done | tc -batch -");
	assert_in_range(turn_loop(&s, 1000, 200), 2, 12);
	assert_true(s.pause_ms >= PAUSE_MS);
	space_run("tc qdisc del dev v0 clsact");
	assert_int_equal(turn_loop(&s, 1, 5000), 1);
	filters_close(f);
	filters_close(NULL);
	loop_close(s.loop);
}

SUITE(filters)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
		each_change_is_told_and_a_flood_is_few_calls) };

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
