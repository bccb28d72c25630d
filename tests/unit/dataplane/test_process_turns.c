/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process does at its start and end, each second, and when something around it changes:
 * all of it, in order.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/page.h"
#include "dataplane/attach.h"
#include "dataplane/change.h"
#include "dataplane/choose.h"
#include "dataplane/conditions.h"
#include "dataplane/tables/compiled.h"
#include "dataplane/drivers.h"
#include "dataplane/nexthop/filters.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/probes.h"
#include "dataplane/prover.h"
#include "dataplane/process.h"
#include "dataplane/export/publish.h"
#include "dataplane/succession.h"
#include "dataplane/withdraw.h"
#include "tests/unit/dataplane/noted.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/stats.h"

#define NOW_MS   50000u
#define ANY(out) ((void)(*(out) = (void *)&scene))

static struct {
	char log[4096];
	const char *fails; /* what cannot be opened */
	bool probes_care, prepared, leaving_changed;
	int loop_says, drafter_says;
	struct compiled_source source;
	uint32_t epoch; /* of the health page: each look finds news */
	/* work takes long: each look at the clock is later by more than YIELD_NS */
	uint64_t now_ns;
} scene;

/* @return -EMFILE for the one that is to fail */
static int note_opened(const char *what)
{
	note("%s; ", what);
	return scene.fails && !strcmp(scene.fails, what) ? -EMFILE : 0;
}

static int timer_set(struct process *p, const struct loop_timer *t, uint64_t at_ms)
{
	const struct {
		const struct loop_timer *timer;
		const char *name;
	} all[] = { { &p->tick_timer, "tick" },   { &p->second_timer, "second" },
		    { &p->retry_timer, "retry" }, { &p->turn_timer, "turn" },
		    { &p->path_timer, "see" },    { &p->effect_timer, "show" } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].timer == t)
			note("%s+%d; ", all[i].name, (int)(at_ms - NOW_MS));
	return 0;
}

static int fake_start(const struct compiled_source *from)
{
	scene.source = *from;
	note("read; ");
	return scene.drafter_says;
}

static int fake_path(const char *dir, const char *name, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/%s", dir, name) < 0;
}

static void fake_log(int priority, const char *event, const char *pairs, ...)
{
	(void)priority;
	(void)pairs;
	note("log %s; ", event);
}

static void fake_withdraw(void *p, const struct model *m)
{
	(void)p;
	(void)m;
	note("withdraw first; ");
}

const struct driver_ops *const drivers_dpdk = NULL;
static struct process process;

#define log_at                          fake_log
#define loop_now_ms(l)                  ((void)(l), (uint64_t)NOW_MS)
#define loop_timer_set(l, t, at)        timer_set(&process, t, at)
#define loop_open(out)                  (ANY(out), note_opened("loop"))
#define loop_signal(l, signo, cb, arg)  note_opened((signo) == SIGTERM ? "SIGTERM" : "SIGINT")
#define loop_watch_file(l, path, cb, a) ((void)(a), note_opened(path))
#define loop_run(l)                     (note("run; "), scene.loop_says)
#define loop_beat(l, word)              note("beat; ")
#define loop_close(l)                   note("-loop; ")
#define succession_prepare(p)           ((void)(p), note_opened("prepare"))
#define succession_open_pages(p)        (ANY(&(p)->publisher), note_opened("pages"))
#define succession_accept(p, path, out)                                                            \
	((void)(p), scene.prepared ? (*(out) = (struct compiled){ .err = -ENOENT }, true) : false)
#define succession_close(p)         note("-prepared; ")
#define withdraw_before_compiling   fake_withdraw
#define publisher_stats(p)          ((void)(p), (struct stats *)NULL)
#define publisher_document(p, n)    note("rows; ")
#define publisher_write(p, n, time) ((void)(time), note("effect; "))
#define leaving_tick(l, n, now_ms)                                                                 \
	((void)(l), (void)(now_ms), note("frames looked at; "), scene.leaving_changed)
#define publisher_measure(p, n, now_ms)       ((void)(now_ms), note("measured; "))
#define publisher_close(p)                    note("-pages; ")
#define hops_open(l, n, cb, arg, out)         (ANY(out), note_opened("hops"))
#define hops_close(h)                         note("-hops; ")
#define probes_open(s, h, out)                (ANY(out), note_opened("probes"))
#define probes_close(p)                       note("-probes; ")
#define probes_apply_model(p, m)              note("probes take; ")
#define probes_retry(p, m)                    note("probes again; ")
#define probes_read_back(p, l, now)           note("probes see; ")
#define probes_count(p)                       note("probes count; ")
#define probes_hop(p, a, h)                   ((void)(a), (void)(h), note("probes hop; "), scene.probes_care)
#define prover_open(p, out)                   (ANY(out), note_opened("prover"))
#define prover_close(r)                       note("-prover; ")
#define prover_links_changed(r)               note("prover sees; ")
#define links_open(l, cb, arg, out)           (ANY(out), note_opened("links"))
#define links_close(l)                        note("-links; ")
#define filters_open(l, cb, arg, out)         (ANY(out), note_opened("filters"))
#define filters_close(f)                      note("-filters; ")
#define compiled_thread_open(l, cb, arg, out) ((void)(cb), ANY(out), note_opened("compiling"))
#define compiled_thread_close(d)              note("-compiling; ")
#define compiled_thread_start(d, from)        fake_start(from)
#define compiled_make(from, d)                (fake_start(from), *(d) = (struct compiled){ .err = -ENOENT })
#define compiled_free(d)                      note("-draft; ")
#define ctl_serve(l, path, g, h, a, o)        (ANY(o), note_opened(path))
#define ctl_close(c)                          note("-ctl; ")
#define proc_path                             fake_path
#define proc_ready()                          note("ready; ")
#define believed_tick(b, dir)                 note("believed; ")
#define believed_close(b)                     note("-believed; ")
#define log_tick()                            note("log tick; ")
#define hop_log_report(l, now)                (note("hops told; "), 0)
#define hop_log_change(l, a, h, now)          note("hop noted; ")
#define stats_job_begin(s, job, limit)        note("<%s; ", job)
#define stats_job_end(s, job)                 note("%s>; ", job)
#define stats_alive(s, now)                   note("alive; ")
#define stats_turns(s, name)                  ((uint64_t *)NULL)
#define health_page_open(dir, out)            (note("health page; "), -ENOENT)
#define page_close(p)                         note("-health; ")
#define withdraw_before_workers(p, ops, self) note("withdraw; ")
#define withdraw_wait(p, yield)               ((void)(yield), note("wait; "))
#define withdraw_without_daemon(p)            note("daemon; ")
#define attach_all(p)                         note("attach; ")
#define attach_missing(p)                     note("attach missing; ")
#define detach_unnamed(p)                     note("detach; ")
#define conditions_state(p)                   note("conditions; ")
#define state_sync_tick(l, n, dir, time)      note("learn; ")
#define compiler_tick(n, time)                ((time)->now_ms + 700)
#define compiler_now()                        ((struct compiler_time){ .now_ms = NOW_MS })
#define compiler_update_mtus(n, now)          note("slots told; ")
#define compiler_on_hop(n, a, h)              note("node hop; ")
#define compiler_fini(n)                      note("-node; ")
#define compiler_read_verdicts(n, time)       ((void)(time), note("verdicts; "))
#define compiler_follow_verdicts(n, time)     ((void)(time), note("verdicts; "))
#define clock_mono_ns()                       (scene.now_ns += 2000000)
#define page_epoch(page)                      ((void)(page), ++scene.epoch)
#define page_is_replaced(page)                ((void)(page), false)
#include "dataplane/process.c"

static int note_clock(struct driver *d)
{
	(void)d;
	note("clock; ");
	return 0;
}

static void note_close(struct driver *d)
{
	(void)d;
	note("-driver; ");
}

static const struct driver_ops ops = {
	.name = "xdp", .tick = note_clock, .tick_s = 2, .close = note_close
};
static struct model_node self = { .name = "ams-1" };
static struct model model = { .nodes = &self, .n_nodes = 1, .self = &self };
static struct plan plan;

static int setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	memset(&process, 0, sizeof(process));
	strcpy(process.dirs.run, "/r");
	strcpy(process.dirs.state, "/s");
	strcpy(process.dirs.node, "ams-1");
	process.ops = &ops;
	process.driver = (struct driver *)&process;
	process.node.plan = &plan;
	process.node.model = &model;
	return 0;
}

/* Fails with what was done beside what was to be done. */
static void expect_done(const char *done)
{
	assert_string_equal(scene.log, done);
	scene.log[0] = '\0';
}

#define OPENED                                                                                                       \
	"prepare; loop; SIGTERM; SIGINT; pages; <start; believed; hops; probes; prover; links; filters; compiling; " \
	"/r/dataplane.ctl; /s/effective.conf; "
#define CLOSED                                                                                     \
	"-ctl; -prover; -compiling; -probes; -hops; -links; -filters; -prepared; -pages; -loop; -health; -believed; "

/*
 * Ready is said when documents are followed and the first was tried; the end frees what packets
 * do not need.
 */
static void a_start_tries_the_first_document_and_says_ready_once(void **state)
{
	(void)state;
	process.driver = NULL;
	process.believed.least_ms = 77;
	assert_int_equal(process_run(&process), 0);
	expect_done(OPENED "health page; <compile; read; compile>; <document; document>; -draft; "
	                   "second+0; turn+0; beat; start>; ready; run; " CLOSED);
	assert_string_equal(scene.source.node, "ams-1");
	assert_int_equal(scene.source.believed.least_ms, 77);
	assert_string_equal(scene.source.path, "/s/effective.conf");
	assert_null(scene.source.before);
	assert_ptr_equal(scene.source.on_model, withdraw_before_compiling);
	assert_ptr_equal(scene.source.arg, &process);
}

/* Routes are withdrawn before the tables are touched, as with a document that is read. */
static void what_a_successor_has_prepared_is_not_read_again(void **state)
{
	(void)state;
	process.driver = NULL;
	scene.prepared = true;
	assert_int_equal(process_run(&process), 0);
	expect_done(OPENED "health page; <compile; withdraw first; compile>; <document; document>; "
	                   "-draft; second+0; turn+0; beat; start>; ready; run; " CLOSED);
}

static void a_loop_that_fails_ends_the_process_with_its_reason(void **state)
{
	(void)state;
	scene.loop_says = -EIO;
	assert_int_equal(process_run(&process), -EIO);
	assert_non_null(strstr(scene.log,
	                       "run; log dataplane-failed; -ctl; -prover; -compiling; -node; "
	                       "-probes; -hops; -links; -filters; -prepared; -driver; -pages; "));
}

/* Nothing behind it is opened, nothing runs, and all that is open is closed. */
static void what_cannot_be_opened_ends_the_start(void **state)
{
	static const char *const parts[] = { "prepare",          "loop",  "SIGTERM",
		                             "SIGINT",           "hops",  "probes",
		                             "prover",           "links", "filters",
		                             "compiling",        "pages", "/r/dataplane.ctl",
		                             "/s/effective.conf" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char until[512];
		size_t n;

		setup(state);
		process.driver = NULL;
		scene.fails = parts[i];
		assert_int_equal(process_run(&process), -EMFILE);
		n = (size_t)(strstr(OPENED, parts[i]) - OPENED) + strlen(parts[i]);
		snprintf(until, sizeof(until), "%.*s; ", (int)n, OPENED);
		assert_memory_equal(scene.log, until, strlen(until));
		/* "believed" looks at the directory all the same */
		if (!i) {
			assert_null(strstr(scene.log, "loop"));
			continue;
		}
		snprintf(until, sizeof(until), "%slog dataplane-failed; " CLOSED,
		         n < strlen("prepare; loop; SIGTERM; SIGINT; pages; <") ? "believed; "
		                                                                : "");
		assert_string_equal(scene.log + n + 2, until);
	}
}

static void each_second_all_is_looked_at_again(void **state)
{
	(void)state;
	on_second(&process);
	expect_done(
	        "believed; log tick; hops told; health page; probes again; attach missing; probes see; learn; "
	        "effect; conditions; probes count; second+1000; ");
	on_second(&process);
	expect_done(
	        "believed; log tick; hops told; health page; probes again; attach missing; probes see; learn; "
	        "clock; effect; conditions; probes count; second+1000; ");
	process.driver = NULL; /* before the first document */
	on_second(&process);
	expect_done("believed; log tick; hops told; health page; effect; conditions; probes count; "
	            "second+1000; ");
	process.driver = (struct driver *)&process;
	process.node.model = NULL;
	on_second(&process);
	assert_null(strstr(scene.log, "attach"));
}

static void ten_times_a_second_slots_are_told_of_and_it_lives(void **state)
{
	(void)state;
	on_short_turn(&process);
	expect_done("slots told; measured; frames looked at; alive; turn+100; ");
	scene.leaving_changed = true;
	on_short_turn(&process);
	expect_done("slots told; measured; frames looked at; conditions; alive; turn+100; ");
	process.driver = NULL; /* it lives without one, too */
	on_short_turn(&process);
	expect_done("measured; alive; turn+100; ");
}

/* Interfaces, and what hangs at them: tried at once, and stated at once. */
static void what_the_kernel_changes_is_seen_at_once(void **state)
{
	(void)state;
	on_links(&process);
	expect_done("attach missing; probes see; prover sees; conditions; ");
	on_path(&process);
	expect_done("attach missing; probes see; conditions; ");
}

static void a_next_hop_is_told_to_all_who_send_by_it(void **state)
{
	struct addr a = { { 0 } };
	struct hop hop = { .state = HOP_KNOWN };

	(void)state;
	on_hop(&process, &a, &hop);
	expect_done("node hop; probes hop; hop noted; ");
	process.node.next_hops_changed = scene.probes_care = true;
	on_hop(&process, &a, &hop);
	expect_done("node hop; tick+0; probes hop; see+0; hop noted; ");
	process.path_timer.heap_index = 1; /* it is due already */
	process.node.next_hops_changed = false;
	on_hop(&process, &a, &hop);
	expect_done("node hop; probes hop; hop noted; ");
	process.driver = NULL; /* probes go on without one */
	process.path_timer.heap_index = 0;
	process.node.next_hops_changed = true;
	on_hop(&process, &a, &hop);
	expect_done("probes hop; see+0; hop noted; ");
}

/*
 * Ports first, and those that go after those that come: the node is not without one. Verdicts do
 * not wait.
 */
static void a_document_in_force_reaches_all_parts(void **state)
{
	struct compiled d = { .model = &model, .plan = &plan };

	(void)state;
	strcpy(process.refusal, "too large");
	process.health = (struct page *)&scene;
	report_in_force(&process);
	expect_done(
	        "daemon; log document-in-force; attach; detach; verdicts; tick+0; rows; verdicts; tick+0; "
	        "probes take; attach missing; probes see; tick+0; ");
	assert_string_equal(process.refusal, "");
	d.err = -E2BIG;
	strcpy(d.refusal, "too large");
	install_compiled(&process, &d);
	expect_done("<document; log document-refused; conditions; retry+1000; document>; ");
	d.err = -ENOENT;
	install_compiled(&process, &d);
	expect_done("<document; document>; ");
}

/* A reading is of the file, beside what is in force with its driver. */
static void a_document_is_read_beside_the_one_in_force(void **state)
{
	(void)state;
	on_effective_document(&process);
	expect_done("read; ");
	assert_ptr_equal(scene.source.before, &model);
	assert_ptr_equal(scene.source.ops, &ops);
	assert_ptr_equal(scene.source.driver, process.driver);
	assert_null(scene.source.on_model); /* it is read in a thread */
	assert_string_equal(scene.source.path, "/s/effective.conf");
	assert_false(process.is_changed_again);
	scene.drafter_says = -EBUSY;
	on_effective_document(&process);
	expect_done("read; ");
	assert_true(process.is_changed_again);
	scene.drafter_says = -ENOMEM;
	on_effective_document(&process);
	expect_done("read; retry+1000; ");
	assert_false(process.is_changed_again);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(a_start_tries_the_first_document_and_says_ready_once),
		T(what_a_successor_has_prepared_is_not_read_again),
		T(a_loop_that_fails_ends_the_process_with_its_reason),
		T(what_cannot_be_opened_ends_the_start),
		T(each_second_all_is_looked_at_again),
		T(ten_times_a_second_slots_are_told_of_and_it_lives),
		T(what_the_kernel_changes_is_seen_at_once),
		T(a_next_hop_is_told_to_all_who_send_by_it),
		T(a_document_in_force_reaches_all_parts),
		T(a_document_is_read_beside_the_one_in_force),
	};

	return cmocka_run_group_tests_name("process turns", tests, NULL, NULL);
}
