/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The observer's thread from turn to turn: how often it looks, in which order, and what it holds
 * meanwhile.
 */
#include "asked.h"

#include "mgmt/observe/observe.h"
#include "mgmt/status/state.h"
#include "mgmt/judge/gather.h"

#define EVERY 500 /* ms; not the code's own */

static uint64_t fake_ms;
static unsigned n_turns, turns_wanted;
static char trace[256];
static bool runs, has_run;

static void note_turn(char what)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = what;
	trace[n + 1] = '\0';
}

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static void fake_rounds(struct core *core, void (*round)(struct core *core), uint64_t every_ms)
{
	assert_int_equal(every_ms, EVERY);
	core_lock(core);
	while (n_turns < turns_wanted) {
		round(core);
		assert_true(asked_is_locked());
	}
	core_unlock(core);
}

/* weir-dns takes a while to answer. */
static int fake_ask(const char *path, const char *line, int timeout_ms, char **answer)
{
	assert_false(asked_is_locked());
	assert_non_null(strstr(path, "dns.ctl"));
	assert_non_null(line);
	assert_in_range(timeout_ms, 1, EVERY);
	*answer = NULL;
	fake_ms += 120;
	note_turn('d');
	return -ETIMEDOUT;
}

static void fake_follow(struct core *core)
{
	assert_false(asked_is_locked());
	assert_ptr_equal(core, &this_node);
	note_turn('s');
}

static void fake_judge(struct core *core)
{
	assert_true(asked_is_locked());
	assert_ptr_equal(core, &this_node);
	note_turn('j');
	n_turns++;
}

static void fake_process(const char *run_dir, const char *name, struct gather_process *out,
                         struct conditions *conditions)
{
	(void)run_dir;
	(void)conditions;
	assert_true(asked_is_locked());
	*out = (struct gather_process){ .running = runs && !strcmp(name, "dns") };
	out->present = out->running || (has_run && !strcmp(name, "dns"));
	note_turn('p');
}

/* The private parts too. */
#define gather_process(d, n, o, c) fake_process(d, n, o, c)
#define clock_mono_ms              fake_mono_ms
#define core_run_rounds            fake_rounds
#define ctl_request                fake_ask
#define state_follow               fake_follow
#define inforce_judge              fake_judge
#include "mgmt/observe/observe.c"
#include "mgmt/observe/observe_looks.c"
#include "mgmt/status/observer.c"
#undef clock_mono_ms

static struct observe own;
static struct observer thread;

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&own, 0, sizeof(own));
	this_node.observe = &own;
	this_node.observer = &thread;
	fake_ms = 1000000;
	n_turns = 0;
	trace[0] = '\0';
	runs = has_run = false;
	return 0;
}

static void run_turns(unsigned n)
{
	n_turns = 0;
	trace[0] = '\0';
	turns_wanted = n;
	assert_null(run_observer(&this_node));
	assert_false(asked_is_locked());
}

/* Twice a second; nothing that may take long is done under the lock. */
static void all_is_looked_at_twice_a_second(void **state)
{
	char processes[OBSERVE_COUNT + 1] = "", turn[64];

	(void)state;
	memset(processes, 'p', OBSERVE_COUNT);
	snprintf(turn, sizeof(turn), "ds%sj", processes);
	run_turns(3);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(trace + i * strlen(turn), turn, strlen(turn));
	assert_int_equal(strlen(trace), 3 * strlen(turn));
}

/* Each change of a process is recorded once. */
static unsigned count_events(const char *words)
{
	struct journal *j = intent_journal(this_node.intent);
	unsigned n = 0;

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		n += e && !strcmp(e->kind, "process") && !strcmp(e->subject, "dns") &&
		     !strcmp(e->message, words);
	}
	return n;
}

static void a_process_that_comes_and_goes_is_an_event(void **state)
{
	(void)state;
	run_turns(2);
	assert_int_equal(count_events("weir-dns shows no sign of life"), 0); /* it never ran */
	runs = has_run = true;
	run_turns(3);
	assert_int_equal(count_events("weir-dns runs"), 1);
	runs = false;
	run_turns(3);
	assert_int_equal(count_events("weir-dns runs"), 1);
	assert_int_equal(count_events("weir-dns shows no sign of life"), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(all_is_looked_at_twice_a_second),
		T(a_process_that_comes_and_goes_is_an_event),
	};

	return cmocka_run_group_tests_name("turns of the observer's thread", tests, NULL, NULL);
}
