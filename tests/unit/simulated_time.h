/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A time of the test's own, which passes where somebody sleeps or a loop would wait: so seconds take no time, and each
 * time is known. The loop is real, and hears what has come before it waits.
 */
#ifndef WEIR_TESTS_UNIT_SIMULATED_TIME_H
#define WEIR_TESTS_UNIT_SIMULATED_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

#define START_MS 1000000u
#define WALL_S   1700000000 /* the wall clock at START_MS */

struct simulated {
	uint64_t now_ms;
	struct loop *loop; /* NULL: that of a process, which a signal ends */
	uint64_t end_ms;   /* of the loop; UINT64_MAX: it ends by itself */
	bool held_up;      /* the loop takes its timers for the first, whatever has come */
	int error;         /* the loop cannot wait; 0: it can */
	/* when something comes to a descriptor again; NULL: never by itself */
	uint64_t (*next)(void);
	void (*come)(void); /* let come what has come by now */
};

extern struct simulated simulated;

/** From now on all clocks are the suite's. A test changes now_ms by atomic stores if threads read it. */
void simulated_clock(void);

/** And sleeps and a loop's waits take as long as they would, in that time. */
void simulated_time(void);

/** Let all happen until @p at_ms, that millisecond included. */
static inline void simulate_to(struct loop *loop, uint64_t at_ms)
{
	simulated.loop = loop;
	simulated.end_ms = at_ms;
	(void)!loop_run(loop);
}

#endif
