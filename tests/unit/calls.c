/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static struct {
	const char *name; /* NULL: none fails */
	unsigned nth, n, n_failed;
	int how;
	bool always;
} plan;

/* No mutex: its calls are among those that suites answer. */
static atomic_flag is_taken = ATOMIC_FLAG_INIT;

static void lock_plan(void)
{
	while (atomic_flag_test_and_set_explicit(&is_taken, memory_order_acquire))
		;
}

static void unlock_plan(void)
{
	atomic_flag_clear_explicit(&is_taken, memory_order_release);
}

static void set_name(const char *name)
{
	__atomic_store_n(&plan.name, name, __ATOMIC_RELEASE);
}

void calls_fail(const char *name, unsigned nth, int how, bool always)
{
	lock_plan();
	plan.nth = nth;
	plan.how = how;
	plan.always = always;
	plan.n = plan.n_failed = 0;
	set_name(name);
	unlock_plan();
}

unsigned calls_end(void)
{
	lock_plan();
	set_name(NULL);
	unsigned n = plan.n_failed;
	unlock_plan();
	return n;
}

/* Libc's names for files without a limit have a number behind them. */
static bool is_named(const char *name)
{
	size_t n = strlen(plan.name);

	return !strncmp(plan.name, name, n) && (!name[n] || !strcmp(name + n, "64"));
}

/* @param how  the answer; 0: an errno, which is set */
static bool take_turn(const char *name, int how)
{
	bool fails = false;

	if (!__atomic_load_n(&plan.name, __ATOMIC_ACQUIRE)) /* as nearly always */
		return false;
	lock_plan();
	if (plan.name && is_named(name) && (how ? plan.how == how : plan.how >= 0)) {
		plan.n++;
		fails = plan.n == plan.nth || (plan.always && plan.n > plan.nth);
		plan.n_failed += fails;
	}
	if (fails && !how)
		errno = plan.how;
	unlock_plan();
	return fails;
}

bool calls_turn(const char *name)
{
	return take_turn(name, 0);
}

bool calls_turn_answer(const char *name, enum calls_answer how)
{
	return take_turn(name, how);
}
