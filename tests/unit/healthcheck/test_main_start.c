/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How weir-health starts and what it does at its ticks: rights and the disk are in the test's
 * hands, files are real.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/page.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "healthcheck/checker.h"
#include "healthcheck/keep.h"

static struct {
	char dir[64], run[96], state[96];
	int become_says, run_says;
	uint64_t caps;
	unsigned n_ready, n_runs, n_ignored;
	const uint64_t *beats;
	bool had_files;
	const char *release; /* of the kernel */
	/* of steps */
	int poll_says, start_says;
	unsigned n_starts, n_texts, n_alive, n_gates, n_others;
	char text[128], text_path[PATH_MAX];
	uint64_t now_ms;
} edge;

int weir_main(int argc, char **argv);

static int edge_become(const char *name, uint64_t caps)
{
	assert_string_equal(name, "health");
	assert_int_equal(edge.n_ignored, 1); /* signals first */
	edge.caps = caps;
	return edge.become_says;
}

static bool run_file_exists(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", edge.run, name);
	return !access(path, F_OK);
}

static int edge_run(struct loop *l)
{
	assert_non_null(l);
	assert_int_equal(edge.n_ready, 1);
	assert_non_null(edge.beats);
	edge.n_runs++;
	edge.had_files = run_file_exists("health.page") && run_file_exists("stats.health.page") &&
	                 run_file_exists("health.ctl");
	return edge.run_says;
}

static void edge_beat(struct loop *l, uint64_t *word)
{
	assert_non_null(l);
	edge.beats = word;
}

static int edge_uname(struct utsname *out)
{
	if (!edge.release)
		return -1;
	snprintf(out->release, sizeof(out->release), "%s", edge.release);
	return 0;
}

static int edge_keep_poll(struct keep_writer *w, bool *changed)
{
	(void)w;
	*changed |= edge.poll_says != 0;
	return edge.poll_says;
}

static int edge_keep_start(struct keep_writer *w, const char *path, const struct targets *t)
{
	(void)w;
	assert_string_equal(path, "VERDICTS");
	assert_non_null(t);
	edge.n_starts++;
	return edge.start_says;
}

static int edge_keep_text(struct keep_writer *w, const char *path, char *text, size_t n)
{
	(void)w;
	snprintf(edge.text_path, sizeof(edge.text_path), "%s", path);
	snprintf(edge.text, sizeof(edge.text), "%.*s", (int)n, text);
	free(text);
	edge.n_texts++;
	return edge.start_says;
}

static bool edge_sound(const struct page *p)
{
	(void)p;
	return true;
}

#define main                  weir_main
#define proc_become           edge_become
#define proc_ready()          ((void)edge.n_ready++)
#define proc_ignore_signals() ((void)edge.n_ignored++)
#define sandbox_enter(name)   0
#define loop_run              edge_run
#define loop_beat             edge_beat
#define uname                 edge_uname
#define keep_poll             edge_keep_poll
#define keep_start            edge_keep_start
#define keep_start_text       edge_keep_text
#define page_is_sound         edge_sound
#define gate_refresh(g, dir)  ((void)(g), (void)edge.n_gates++)
#define others_search(c, dir) ((void)(c), (void)edge.n_others++)
#include "healthcheck/main.c"
#undef main

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	edge.release = "6.1.0-18-amd64";
	strcpy(edge.dir, "/tmp/weir-health-main-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
	snprintf(edge.run, sizeof(edge.run), "%s/run", edge.dir);
	snprintf(edge.state, sizeof(edge.state), "%s/state", edge.dir);
	return mkdir(edge.run, 0755) || mkdir(edge.state, 0755) ? -1 : 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", edge.dir);
	return system(command);
}

/* @return the exit code of a process with these directories and one more argument, or NULL */
static int run_main(const char *more)
{
	char name[] = "weir-health", run[] = "--run-dir", at_run[96], state[] = "--state-dir",
	     at_state[96], node[] = "--node", at_node[] = "ams-1", last[32];
	char *argv[] = { name, run, at_run, state, at_state, node, at_node, last, NULL };

	strcpy(at_run, edge.run);
	strcpy(at_state, edge.state);
	snprintf(last, sizeof(last), "%s", more ? more : "");
	argv[7] = more ? last : NULL;
	edge.n_ignored = 0;
	return weir_main(more ? 8 : 7, argv);
}

static void a_process_that_starts_has_its_files_and_says_that_it_is_ready(void **state)
{
	for (int says = 0; says < 2; says++) {
		if (says) {
			teardown(state);
			setup(state);
		}
		edge.run_says = says ? -EIO : 0;
		assert_int_equal(run_main(NULL), says);
		assert_int_equal(edge.n_runs, 1);
		assert_true(edge.had_files);
		assert_int_equal(edge.caps, 1ull << CAP_NET_RAW);
		assert_int_equal(edge.n_gates, 1); /* a first tick, before the loop runs */
		assert_false(run_file_exists("health.ctl")); /* nobody answers there any more */
		assert_true(run_file_exists("health.page")); /* the verdicts stay */
	}
}

static void what_it_cannot_start_without_ends_it(void **state)
{
	static const struct {
		const char *why, *argument;
		int become;
		bool no_run;
		int err;
	} cases[] = {
		{ "an argument that is none", "nonsense", 0, false, 1 },
		{ "an option that is none", "--nonsense", 0, false, 1 },
		{ "help is no mistake", "--help", 0, false, 0 },
		{ "rights that cannot be dropped", NULL, -EPERM, false, 1 },
		{ "no directory for its page", NULL, 0, true, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int out, nothing;

		if (i) {
			teardown(state);
			setup(state);
		}
		edge.become_says = cases[i].become;
		if (cases[i].no_run)
			assert_int_equal(rmdir(edge.run), 0);
		fflush(NULL);
		out = dup(1);
		nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(nothing, 1);
		close(nothing);
		assert_int_equal(run_main(cases[i].argument), cases[i].err);
		fflush(NULL);
		dup2(out, 1);
		close(out);
		assert_int_equal(edge.n_runs, 0);
		assert_int_equal(edge.n_ready, 0);
		if (!cases[i].no_run)
			assert_false(run_file_exists("health.page"));
	}
}

/* What was saved and cannot be read is as if it had not been saved. */
static void spoilt_files_keep_nobody_from_starting(void **state)
{
	static const char *const names[] = { "health.verdicts", "health.vips", "effective.conf" };
	char path[192];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", edge.state, names[i]);
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs("nonsense\n", f);
		fclose(f);
	}
	assert_int_equal(run_main(NULL), 0);
	assert_int_equal(edge.n_runs, 1);
}

static void marks_take_another_right_on_kernels_before_5_17(void **state)
{
	static const struct {
		const char *release;
		bool admin;
	} cases[] = {
		{ "4.19.0-26-amd64", true }, { "5.0.1", true },   { "5.10.0-28", true },
		{ "5.16.20", true },         { "5.17.0", false }, { "5.18.0", false },
		{ "6.1.0-18", false },       { "6.18.2", false }, { "10.0.0", false },
		{ "nonsense", false },       { NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		edge.release = cases[i].release;
		assert_int_equal(marking_right(), cases[i].admin ? 1ull << CAP_NET_ADMIN : 0);
	}
}

static void each_attempt_may_have_a_descriptor(void **state)
{
	struct rlimit before, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = (struct rlimit){ 64, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	raise_limits();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static struct health_process process;
static struct targets none;

static void set_process(void)
{
	memset(&process, 0, sizeof(process));
	assert_int_equal(loop_open(&process.loop), 0);
	process.tick = (struct loop_timer){ .cb = on_tick, .arg = &process };
	process.save = (struct loop_timer){ .cb = on_save, .arg = &process };
	process.checker.targets = &none;
	strcpy(process.verdicts, "VERDICTS");
	strcpy(process.vips, "VIPS");
	strcpy(process.dirs.run, edge.run);
	assert_int_equal(stats_create(edge.run, "health", STATS_MAX, &process.stats), 0);
	checker_find_counters(&process.checker.counters, process.stats);
}

static void end_process(void)
{
	loop_timer_cancel(process.loop, &process.tick);
	loop_timer_cancel(process.loop, &process.save);
	loop_close(process.loop);
	stats_close(process.stats);
	believed_close(&process.believed);
	vips_fini(&process.checker.vips);
}

/* Whether @p t fires @p ms after now, give or take what passed since @p before_ms. */
static void assert_set(const struct loop_timer *t, uint64_t before_ms, unsigned ms)
{
	assert_int_not_equal(t->heap_index, 0);
	assert_in_range(t->at_ms, before_ms + ms, clock_mono_ms() + ms);
}

static void what_changed_is_saved_and_stays_changed_until_it_is(void **state)
{
	static const struct {
		bool changed, has_targets;
		int poll, start;
		unsigned n_starts;
		bool left;
	} cases[] = {
		{ false, true, 0, 0, 0, false },       { true, true, 0, 0, 1, false },
		{ true, true, 0, -EBUSY, 1, true },    { true, false, 0, 0, 0, true },
		{ false, true, -ENOSPC, 0, 1, false }, /* the last one failed: again */
	};

	(void)state;
	set_process();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t before_ms = clock_mono_ms();

		edge.n_starts = 0;
		edge.poll_says = cases[i].poll;
		edge.start_says = cases[i].start;
		process.checker.changed = cases[i].changed;
		process.checker.targets = cases[i].has_targets ? &none : NULL;
		on_save(&process);
		assert_int_equal(edge.n_starts, cases[i].n_starts);
		assert_int_equal(process.checker.changed, cases[i].left);
		assert_set(&process.save, before_ms, 100);
	}
	end_process();
}

static void vips_that_changed_are_saved_likewise(void **state)
{
	static const struct addr address = { { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

	(void)state;
	set_process();
	on_save(&process);
	assert_int_equal(edge.n_texts, 0);
	vips_note(&process.checker.vips, &address, 80);
	edge.start_says = -EBUSY;
	on_save(&process);
	assert_int_equal(edge.n_texts, 1);
	assert_true(process.checker.vips.changed);
	edge.start_says = 0;
	on_save(&process);
	assert_int_equal(edge.n_texts, 2);
	assert_string_equal(edge.text_path, "VIPS");
	assert_non_null(strstr(edge.text, "2001:db8::1 80\n"));
	assert_false(process.checker.vips.changed);
	on_save(&process);
	assert_int_equal(edge.n_texts, 2);
	end_process();
}

static void a_tick_looks_at_all_and_sooner_while_a_tunnel_is_missing(void **state)
{
	static const struct model model;
	struct target_path path = { .spec = { .mark = 5 } };
	struct target item = { .paths = &path, .since_document = 3 };
	struct pool_tally y = { 0 };
	struct targets targets = {
		.model = (struct model *)(uintptr_t)&model, .items = &item, .n = 1, .tallies = &y
	};
	static const struct model_pool pool;
	uint64_t document = 2, before_ms;
	char page[128];

	(void)state;
	set_process();
	snprintf(page, sizeof(page), "%s/page", edge.run);
	assert_int_equal(page_create(page, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &process.page),
	                 0);
	item.pool = &pool;
	process.checker.targets = &targets;
	process.checker.gate.document = &document;
	before_ms = clock_mono_ms();
	on_tick(&process);
	assert_set(&process.tick, before_ms, 100);
	document = 3;
	strcpy(process.document, "/none");
	process.again_ms = 1;
	before_ms = clock_mono_ms();
	on_tick(&process);
	assert_int_equal(process.again_ms, 0); /* it was looked for, and is not there */
	assert_set(&process.tick, before_ms, 500);
	assert_int_equal(edge.n_gates, 2);
	assert_int_equal(edge.n_others, 2);
	assert_int_equal(*process.checker.counters.targets, 1);
	page_close(process.page);
	end_process();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_process_that_starts_has_its_files_and_says_that_it_is_ready),
		T(what_it_cannot_start_without_ends_it),
		T(spoilt_files_keep_nobody_from_starting),
		T(marks_take_another_right_on_kernels_before_5_17),
		T(each_attempt_may_have_a_descriptor),
		T(what_changed_is_saved_and_stays_changed_until_it_is),
		T(vips_that_changed_are_saved_likewise),
		T(a_tick_looks_at_all_and_sooner_while_a_tunnel_is_missing),
	};

	return cmocka_run_group_tests_name("health main start", tests, NULL, NULL);
}
