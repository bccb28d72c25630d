/* SPDX-License-Identifier: BSD-2-Clause */
/* What starts what in the process, with everything that it starts in the test's hands. */
#include <errno.h>
#include <setjmp.h>
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
#include "weir/health.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/stats.h"

#define NOW_MS 50000u

/* What was done, and what the fakes say. */
static struct {
	unsigned n_drafts, n_verdicts, n_ticks, n_ended, n_freed;
	int draft_says, take_says, open_says;
	uint32_t epoch;
	bool is_sound, is_replaced, is_health_taken;
	char events[512];                  /* logged */
	char steps[256];                   /* of a new driver */
	char words[1024];                  /* of workers: +label or -label */
	uint64_t now_ns, take_ns, open_ns; /* the two: how long these take */
	int page_says, watch_says;
	unsigned n_pages_closed, n_ways, n_believed;
	int64_t not_before_ms;
} did;

static void fake_log(int priority, const char *event, const char *pairs, ...)
{
	size_t n = strlen(did.events);

	(void)priority;
	(void)pairs;
	snprintf(did.events + n, sizeof(did.events) - n, "%s ", event);
}

static int fake_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	t->at_ms = at_ms;
	t->heap_index = 1;
	return 0;
}

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return NOW_MS;
}

static uint64_t fake_now_ns(void)
{
	return did.now_ns;
}

static struct compiler_time fake_node_now(void)
{
	return (struct compiler_time){ .now_ms = NOW_MS,
		                       .wall_clock_ms = did.n_believed ? did.not_before_ms : 0 };
}

static int fake_draft(struct compiled_thread *d, const struct compiled_source *from)
{
	(void)d;
	(void)from;
	did.n_drafts++;
	return did.draft_says;
}

static void fake_not_before(struct believed *b, int64_t at_ms)
{
	assert_non_null(b);
	did.not_before_ms = at_ms;
	did.n_believed = 0;
}

static int fake_take(struct compiler *n, struct model *m, struct plan *plan,
                     const struct compiler_time *time, char why[PLAN_REASON_MAX])
{
	assert_int_equal(time->wall_clock_ms, did.not_before_ms);
	did.now_ns += did.take_ns;
	if (did.take_says) {
		snprintf(why, PLAN_REASON_MAX, "the driver says no");
		return did.take_says;
	}
	n->model = m;
	n->plan = plan;
	return 0;
}

static void fake_verdicts(struct compiler *n, const struct compiler_time *time)
{
	(void)n;
	(void)time;
	did.n_verdicts++;
}

static void fake_health(struct compiler *n, const struct health_page *page)
{
	n->health = page;
}

static void fake_health_page(struct compiler *n, const struct page *page)
{
	(void)page;
	n->health = (const struct health_page *)(const void *)&did;
	did.is_health_taken = true;
}

static uint32_t fake_epoch(const struct page *p)
{
	(void)p;
	return did.epoch;
}

static bool fake_sound(const struct page *p)
{
	(void)p;
	return did.is_sound;
}

static bool fake_replaced(const struct page *p)
{
	(void)p;
	return did.is_replaced;
}

static int fake_health_page_open(const char *run_dir, struct page **out)
{
	assert_string_equal(run_dir, "/nowhere");
	if (!did.page_says)
		*out = (struct page *)&did;
	return did.page_says;
}

static void fake_page_close(struct page *p)
{
	if (p)
		did.n_pages_closed++;
}

static int fake_watch_page(struct loop *l, struct page *page, loop_cb *cb, void *arg)
{
	(void)l;
	assert_ptr_equal(page, &did);
	assert_true(cb && arg);
	return did.watch_says;
}

static void note_word(char sign, const char *labels)
{
	size_t n = strlen(did.words);

	snprintf(did.words + n, sizeof(did.words) - n, "%c%s ", sign, labels);
}

static uint64_t *fake_word(struct stats *s, enum stats_kind kind, const char *name,
                           const char *labels, const char *help)
{
	static uint64_t word;

	(void)s;
	(void)kind;
	(void)help;
	assert_string_equal(name, STATS_WORKER);
	note_word('+', labels);
	return &word;
}

static void fake_drop(struct stats *s, const char *name, const char *labels)
{
	(void)s;
	assert_string_equal(name, STATS_WORKER);
	note_word('-', labels);
}

static void note_taken(const char *step)
{
	size_t n = strlen(did.steps);

	snprintf(did.steps + n, sizeof(did.steps) - n, "%s ", step);
}

static int fake_change_open(struct driver_change *c, const struct proc_dirs *dirs,
                            const struct driver_ops *ops, const struct model *m,
                            const struct driver_sizes *sizes, const struct driver_ops *old_ops,
                            struct driver *old_driver, struct driver_reason *reason)
{
	(void)dirs;
	(void)m;
	(void)sizes;
	note_taken("open");
	did.now_ns += did.open_ns;
	if (did.open_says)
		return driver_set_reason(reason, did.open_says, "no hugepages");
	*c = (struct driver_change){ .ops = ops,
		                     .driver = (struct driver *)&did,
		                     .old_ops = old_ops,
		                     .old_driver = old_driver };
	return 0;
}

static void fake_fini(struct compiler *n)
{
	(void)n;
	did.n_freed++;
}

static void fake_end(struct driver_change *c, struct driver_reason *why)
{
	(void)c;
	why->text[0] = '\0';
	did.n_ended++;
}

/* Drivers are opened in test_process.c. */
const struct driver_ops *const drivers_dpdk = NULL;
static const struct driver_ops *the_driver;

static const struct driver_ops *fake_choose(const struct model_node *self, const char *sysfs,
                                            struct driver_reason *why)
{
	(void)self;
	(void)sysfs;
	snprintf(why->text, sizeof(why->text), "as the test says");
	return the_driver;
}

#define log_at                      fake_log
#define loop_timer_set              fake_timer_set
#define loop_now_ms                 fake_now
#define clock_mono_ns               fake_now_ns
#define compiler_now                fake_node_now
#define compiled_thread_start       fake_draft
#define compiler_apply_plan         fake_take
#define compiler_read_verdicts      fake_verdicts
#define compiler_follow_verdicts    fake_verdicts
#define compiler_set_health         fake_health
#define compiler_set_health_page    fake_health_page
#define compiler_fini               fake_fini
#define page_epoch                  fake_epoch
#define page_is_sound               fake_sound
#define page_is_replaced            fake_replaced
#define health_page_open            fake_health_page_open
#define page_close                  fake_page_close
#define loop_watch_page             fake_watch_page
#define succession_make_way(p)      ((void)(p), (void)did.n_ways++)
#define publisher_stats(p)          ((void)(p), (struct stats *)NULL)
#define publisher_document(...)     ((void)0)
#define publisher_write(p, n, time) ((void)(time))
#define stats_get_counter           fake_word
#define stats_drop                  fake_drop
#define stats_job_begin(...)        ((void)0)
#define stats_job_end(...)          ((void)0)
#define stats_alive(...)            ((void)0)
#define change_open                 fake_change_open
#define change_end                  fake_end
#define change_free_ports(...)      note_taken("free")
#define change_follow(c)            ((void)(c), note_taken("follow"))
#define choose_driver               fake_choose
#define compiler_init(n, o, d, k)   ((void)(o), (void)(d), (void)(k), memset((n), 0, sizeof(*(n))), 0)
#define attach_all(p)               ((void)(p), note_taken("attach"))
#define withdraw_before_workers(p, next, self)                                                     \
	((void)(p), (void)(self), note_taken((next)->workers ? "withdraw" : "stay"))
#define withdraw_wait(p, yield)    ((void)(yield), note_taken("wait"))
#define withdraw_without_daemon(p) ((void)(p), note_taken("daemon?"))
#define attach_missing(p)          ((void)(p))
#define detach_unnamed(p)          ((void)(p))
#define probes_apply_model(...)    ((void)0)
#define probes_retry(...)          ((void)0)
#define prover_links_changed(r)    ((void)(r))
#define probes_read_back(...)      ((void)0)
#define probes_hop(...)            false
#define probes_count(...)          ((void)0)
#define hop_log_change(...)        ((void)0)
#define hop_log_report(...)        0
#define conditions_state(p)        ((void)(p))
#define believed_not_before        fake_not_before
#define believed_tick(b, dir)      ((void)(b), (void)did.n_believed++)
#define log_tick()                 ((void)0)
#define state_sync_tick(...)       ((void)0)
#define compiler_tick(n, time)     ((time)->now_ms + 700)
#define compiler_on_hop(n, a, h)   ((void)(a), (void)(h))
#include "dataplane/process.c"

static size_t n_workers;

static size_t list_workers(const struct driver *d, struct driver_worker out[DRIVER_WORKERS_MAX])
{
	(void)d;
	memset(out, 0, n_workers * sizeof(*out));
	return n_workers;
}

static void take_beat(struct driver *d, uint32_t worker, uint64_t *word)
{
	(void)d;
	assert_true(worker < n_workers && word);
}

static int count_tick(struct driver *d)
{
	(void)d;
	did.n_ticks++;
	return 0;
}

static const struct driver_ops with_workers = {
	.name = "dpdk", .workers = list_workers, .beat = take_beat, .tick = count_tick, .tick_s = 3
};
static const struct driver_ops without = { .name = "xdp", .tick = count_tick, .tick_s = 3 };
static struct model_node self = { .name = "ams-1" };
static struct model model = { .nodes = &self, .n_nodes = 1, .self = &self };
static struct plan plan;
static struct process process;

static int setup(void **state)
{
	(void)state;
	memset(&did, 0, sizeof(did));
	did.is_sound = true;
	did.page_says = -ENOENT;
	did.now_ns = 1000000 * (uint64_t)NOW_MS;
	memset(&process, 0, sizeof(process));
	snprintf(process.dirs.run, sizeof(process.dirs.run), "/nowhere");
	snprintf(process.dirs.state, sizeof(process.dirs.state), "/nowhere");
	process.ops = the_driver = &without;
	process.driver = (struct driver *)&process;
	process.node.plan = &plan;
	process.node.model = &model;
	return 0;
}

static void a_document_that_changes_while_it_is_read_is_read_again(void **state)
{
	struct compiled none = { .err = -ENOENT };

	(void)state;
	on_effective_document(&process);
	assert_int_equal(did.n_drafts, 1);
	did.draft_says = -EBUSY; /* it changes */
	on_effective_document(&process);
	assert_int_equal(process.retry_timer.heap_index,
	                 0); /* the one under way brings the next along */
	did.draft_says = 0;
	on_compiled(&process, &none);
	assert_int_equal(did.n_drafts, 3);
	on_compiled(&process, &none);
	assert_int_equal(did.n_drafts, 3); /* once */
	did.draft_says = -EAGAIN;          /* no thread: later */
	on_effective_document(&process);
	assert_int_equal(process.retry_timer.at_ms, NOW_MS + RETRY_MS);
}

static void try_document(int err, const char *why)
{
	struct compiled d = { .err = err, .model = &model, .plan = &plan };

	snprintf(d.refusal, sizeof(d.refusal), "%s", why);
	did.events[0] = '\0';
	process.retry_timer.heap_index = 0;
	install_compiled(&process, &d);
}

/* Model and plan are the tables' then; of what is refused they stay the reader's. */
static void what_a_thread_has_compiled_comes_into_force(void **state)
{
	struct model next = model;
	struct compiled d = { .model = &next, .plan = &plan, .spare_is_free = true };

	next.meta.written_ms = 5678; /* it is later than that */

	(void)state;
	did.take_says = -EIO;
	on_compiled(&process, &d);
	assert_ptr_equal(process.node.model, &model);
	assert_ptr_equal(d.model, &next);
	assert_ptr_equal(d.plan, &plan);
	assert_string_equal(process.refusal, "the driver says no");
	assert_int_equal(process.retry_timer.at_ms, NOW_MS + RETRY_MS);
	did.take_says = 0;
	did.events[0] = '\0';
	on_compiled(&process, &d);
	assert_ptr_equal(process.node.model, &next);
	assert_true(process.node.spare_is_free);
	assert_null(d.model);
	assert_null(d.plan);
	assert_non_null(strstr(did.events, "document-in-force"));
	assert_string_equal(process.refusal, "");
	assert_int_equal(did.n_drafts, 0); /* the file has not changed since */
	assert_int_equal(process.shown_ms, NOW_MS);
	assert_int_equal(did.not_before_ms, 5678);
}

/* What was read and compiled before tells how long that took; the rest is measured here, in microseconds. */
static void how_long_a_document_took_is_kept(void **state)
{
	static const struct {
		const char *why;
		bool is_first; /* its driver is opened */
		int says;
		uint64_t switch_us;
	} rows[] = {
		{ "in the tables", false, 0, 2501 },
		{ "refused: that of the one before stays", false, -EIO, 13 },
		{ "with opening a driver", true, 0, 7000000 + 2501 },
		{ "none can be opened", true, -EIO, 13 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compiled d = { .model = &model,
			              .plan = &plan,
			              .took = {
			                      .read_us = 21, .compile_us = 22, .switch_us = 23 } };
		const struct compiled_times *took = &process.node.took;

		print_message("  %s\n", rows[i].why);
		setup(state);
		did.take_ns = 2501999;
		did.open_ns = 7000000000;
		process.node.took =
		        (struct compiled_times){ .read_us = 11, .compile_us = 12, .switch_us = 13 };
		if (rows[i].is_first)
			the_driver = &with_workers;
		did.open_says = did.take_says = rows[i].says;
		on_compiled(&process, &d);
		assert_int_equal(took->read_us, rows[i].says ? 11 : 21);
		assert_int_equal(took->compile_us, rows[i].says ? 12 : 22);
		assert_int_equal(took->switch_us, rows[i].switch_us);
	}
}

static void a_refusal_is_logged_once_and_again_after_a_good_one(void **state)
{
	(void)state;
	try_document(-E2BIG, "too large");
	assert_string_equal(did.events, "document-refused ");
	try_document(-E2BIG, "too large"); /* tried again */
	assert_string_equal(did.events, "");
	try_document(-E2BIG, "much too large");
	assert_string_equal(did.events, "document-refused ");
	assert_int_equal(process.node.counters.refused, 3);
	assert_true(process.node.document_refused);
	try_document(0, "");
	assert_non_null(strstr(did.events, "document-in-force"));
	assert_string_equal(process.refusal, "");
	try_document(-E2BIG, "much too large");
	assert_string_equal(did.events, "document-refused ");
	assert_ptr_equal(process.node.model, &model); /* the one before stays */
}

static void what_may_pass_is_tried_again_and_what_does_not_is_not(void **state)
{
	static const struct {
		int err;
		bool again;
	} rows[] = { { -EINVAL, false },        { -EDQUOT, false }, { -ENOTSUP, false },
		     { -ENOMEM, true },         { -EBUSY, true },   { -EIO, true },
		     { -ENOTRECOVERABLE, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		did.take_says = rows[i].err;
		try_document(0, "");
		assert_int_equal(process.retry_timer.heap_index != 0, rows[i].again);
		assert_string_equal(process.refusal, "the driver says no");
		/* only tables that are beyond repair make way for another process's */
		assert_int_equal(did.n_ways, rows[i].err == -ENOTRECOVERABLE);
	}
	assert_int_equal(process.node.counters.refused, 0); /* it was read, and may come yet */
	try_document(-ENOENT, "");
	assert_string_equal(did.events, ""); /* none is written yet */
	try_document(-ENOMEM, "");
	assert_string_equal(process.refusal, "Cannot allocate memory");
}

static void a_driver_s_workers_have_words_while_there_are_any(void **state)
{
	(void)state;
	process.ops = &with_workers;
	n_workers = 2;
	show_workers(&process);
	assert_non_null(strstr(did.words, "+worker=\"0\" +worker=\"1\" -worker=\"2\" "));
	assert_null(strstr(did.words, "-worker=\"1\" "));
	did.words[0] = '\0';
	process.ops = &without; /* a word that stays would be a worker that hangs */
	show_workers(&process);
	assert_non_null(strstr(did.words, "-worker=\"0\" -worker=\"1\" "));
	assert_null(strchr(did.words, '+'));
}

static void a_change_of_driver_ends_what_was_and_keeps_what_is_to_be_learnt(void **state)
{
	struct driver_change first = { .ops = &without, .driver = process.driver };
	struct driver_change next = { .ops = &with_workers,
		                      .driver = process.driver,
		                      .old_ops = &without };
	struct compiler node = { .model = &model, .plan = &plan };

	(void)state;
	install_driver(&process, &first, &node, "asked for");
	assert_int_equal(did.n_ended, 0); /* there was nothing before */
	assert_int_equal(did.n_freed, 1);
	assert_false(process.node.learning);
	process.node.learning = true; /* no peer has told of slots yet */
	process.health = (struct page *)&did;
	n_workers = 1;
	install_driver(&process, &next, &node, "asked for");
	assert_true(process.node.learning);
	assert_ptr_equal(process.scrub.node, &process.node);
	assert_ptr_equal(process.ops, &with_workers);
	assert_int_equal(did.n_ended, 1);
	assert_int_equal(did.n_freed, 2);
	assert_non_null(strstr(did.events, "driver-changed"));
	assert_int_equal(did.n_verdicts, 2); /* those that came meanwhile */
	assert_non_null(strstr(did.words, "+worker=\"0\""));
	node.learning = true; /* as tables say that were taken over */
	process.node.learning = false;
	install_driver(&process, &next, &node, "asked for");
	assert_true(process.node.learning);
}

/*
 * At a start routers are told before anything that takes long; a driver that forwards does so until
 * the new one is open. Ports are freed and attached when routers have seen it. Flows that begin
 * meanwhile are brought over right before and right after.
 */
static void workers_withdraw_what_is_announced_before_there_is_a_gap(void **state)
{
	struct compiled d = { .model = &model, .plan = &plan };
	char refusal[PLAN_REASON_MAX] = "";

	(void)state;
	process.driver = NULL;
	n_workers = 1;
	assert_int_equal(open_new_driver(&process, &with_workers, &d, "", refusal), 0);
	assert_string_equal(did.steps, "withdraw open withdraw wait follow attach follow ");
	did.steps[0] = '\0';
	process.ops = &without;
	assert_int_equal(open_new_driver(&process, &with_workers, &d, "", refusal), 0);
	assert_string_equal(did.steps, "open withdraw wait free follow attach follow ");
	did.steps[0] = '\0';
	assert_int_equal(open_new_driver(&process, &without, &d, "", refusal), 0);
	assert_string_equal(did.steps, "open stay wait free follow attach follow ");
	did.steps[0] = '\0';
	report_in_force(&process);
	assert_string_equal(did.steps, "daemon? attach ");
}

/* XDP's program may forward without this process, workers may not; a driver that is open goes on. */
static void that_nothing_is_forwarded_is_known(void **state)
{
	struct compiled d = { .model = &model, .plan = &plan };
	char refusal[PLAN_REASON_MAX] = "";

	(void)state;
	did.open_says = -ENOMEM;
	assert_int_equal(open_new_driver(&process, &with_workers, &d, "", refusal), -ENOMEM);
	assert_false(process.forwards_nothing);
	process.driver = NULL;
	assert_int_equal(open_new_driver(&process, &without, &d, "", refusal), -ENOMEM);
	assert_false(process.forwards_nothing);
	assert_int_equal(open_new_driver(&process, &with_workers, &d, "", refusal), -ENOMEM);
	assert_true(process.forwards_nothing);
	assert_string_equal(process.driver_reason, "no hugepages");
	did.open_says = 0;
	assert_int_equal(open_new_driver(&process, &with_workers, &d, "", refusal), 0);
	assert_false(process.forwards_nothing);
}

/* A change of driver fails, and the document goes back to the driver that is there: that is the end of it. Twice. */
static void a_change_of_driver_that_is_taken_back_is_forgotten(void **state)
{
	(void)state;
	for (int life = 0; life < 2; life++) {
		the_driver = &with_workers;
		did.open_says = -ENOMEM;
		try_document(0, "");
		assert_string_equal(process.driver_reason, "no hugepages");
		assert_string_equal(process.refusal, "no hugepages");
		the_driver = &without;
		try_document(0, "");
		assert_string_equal(process.driver_reason, "");
		assert_string_equal(process.refusal, "");
	}
}

static void a_next_hop_that_changes_a_way_is_decided_on_at_once(void **state)
{
	struct addr a = { { 0 } };
	struct hop hop = { .state = HOP_KNOWN };

	(void)state;
	on_hop(&process, &a, &hop);
	assert_int_equal(process.tick_timer.heap_index, 0);
	process.node.next_hops_changed = true;
	on_hop(&process, &a, &hop);
	assert_int_equal(process.tick_timer.at_ms, NOW_MS);
}

static void a_damaged_page_is_said_once_and_what_is_in_force_stays(void **state)
{
	(void)state;
	process.health = (struct page *)&did;
	process.node.health = (const struct health_page *)(const void *)&did;
	find_health_page(&process); /* the same page: nothing to do */
	assert_ptr_equal(process.node.health, &did);
	did.is_replaced = true; /* its writer began again, and the new one is not there yet */
	find_health_page(&process);
	assert_ptr_equal(process.node.health, &did);
	assert_string_equal(did.events, "");
	did.is_sound = false;
	find_health_page(&process);
	assert_null(process.node.health);
	assert_string_equal(did.events, "health-page-damaged ");
	find_health_page(&process);
	assert_string_equal(did.events, "health-page-damaged ");
}

/* A page that is there, whole and watched is taken, and all its verdicts with it. */
static void a_page_is_taken_when_it_is_there_and_whole(void **state)
{
	static const struct {
		const char *why;
		int page_says, watch_says;
		bool has_driver, is_replaced, takes, closes;
	} rows[] = {
		{ "none is there", -ENOENT, 0, true, false, false, false },
		{ "it is there", 0, 0, true, false, true, false },
		{ "it cannot be watched", 0, -ENOSPC, true, false, false, true },
		{ "there is no driver yet", 0, 0, false, false, true, false },
		{ "another is there", 0, 0, true, true, true, false },
		{ "another cannot be watched", 0, -ENOSPC, true, true, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct page *before = rows[i].is_replaced ? (struct page *)&process : NULL;

		print_message("  %s\n", rows[i].why);
		setup(state);
		process.health = before;
		did.is_replaced = rows[i].is_replaced;
		did.page_says = rows[i].page_says;
		did.watch_says = rows[i].watch_says;
		if (!rows[i].has_driver)
			process.driver = NULL;
		find_health_page(&process);
		assert_ptr_equal(process.health, rows[i].takes ? (void *)&did : (void *)before);
		assert_int_equal(did.is_health_taken, rows[i].takes && rows[i].has_driver);
		assert_int_equal(did.n_verdicts, rows[i].takes && rows[i].has_driver);
		assert_int_equal(did.n_pages_closed, rows[i].closes);
	}
}

/* A new driver's tables begin with the verdicts of a page that is there and sound, or with none. */
static void a_new_driver_takes_verdicts_of_a_sound_page_alone(void **state)
{
	static const struct {
		bool is_there, is_sound, takes;
	} rows[] = { { true, true, true }, { true, false, false }, { false, true, false } };
	const struct driver_change change = { .ops = &without };
	const struct compiled d = { .model = &model, .plan = &plan };
	char refusal[PLAN_REASON_MAX] = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compiler node;

		setup(state);
		process.hops = (struct hops *)&did;
		process.health = rows[i].is_there ? (struct page *)&did : NULL;
		did.is_sound = rows[i].is_sound;
		assert_int_equal(fill_node(&process, &change, &node, &d, refusal), 0);
		assert_int_equal(did.is_health_taken, rows[i].takes);
		assert_int_equal(node.health != NULL, rows[i].takes);
		assert_ptr_equal(node.hops, &did);
		assert_ptr_equal(node.on_yield, yield_to_verdicts);
		assert_ptr_equal(node.yield_arg, &process);
		assert_ptr_equal(node.model, &model);
		assert_ptr_equal(node.plan, &plan);
		assert_int_equal(did.n_freed, 0);
	}
}

static void verdicts_are_taken_when_there_are_new_ones(void **state)
{
	(void)state;
	process.health = (struct page *)&did;
	process.health_epoch = did.epoch = 4;
	on_health_page(&process);
	assert_int_equal(did.n_verdicts, 0);
	did.epoch = 6;
	yield_to_verdicts(&process);
	assert_int_equal(did.n_verdicts, 1);
	on_health_page(&process);
	assert_int_equal(did.n_verdicts, 1);
	assert_int_equal(process.tick_timer.at_ms, NOW_MS); /* and decided on at once */
	did.epoch = 8;
	did.now_ns += 999999;
	yield_to_verdicts(&process);
	assert_int_equal(did.n_verdicts, 1); /* amid long work, once in a millisecond */
	did.now_ns++;
	yield_to_verdicts(&process);
	assert_int_equal(did.n_verdicts, 2);
	did.epoch = 10;
	did.now_ns += 999999;
	yield_to_verdicts(&process);
	assert_int_equal(did.n_verdicts, 2); /* since the last look */
}

static void decisions_are_shown_soon_and_those_right_behind_together(void **state)
{
	(void)state;
	on_compiler_tick(&process);
	assert_int_equal(process.tick_timer.at_ms, NOW_MS + 700);
	assert_int_equal(process.effect_timer.heap_index, 0); /* nothing was decided */
	process.shown_ms = NOW_MS - 1;
	process.node.counters.held = 1;
	on_compiler_tick(&process);
	assert_int_equal(process.effect_timer.at_ms, NOW_MS - 1 + SHOW_MS);
	process.shown_ms = NOW_MS;
	on_compiler_tick(&process);
	assert_int_equal(process.effect_timer.at_ms, NOW_MS - 1 + SHOW_MS); /* it is due already */
	process.effect_timer.heap_index = 0;
	show_effect(&process);
	on_compiler_tick(&process);
	assert_int_equal(process.effect_timer.heap_index, 0);
	process.node.counters.returns++;
	on_compiler_tick(&process);
	assert_int_equal(process.effect_timer.heap_index, 1);
	process.driver = NULL;
	process.tick_timer.at_ms = 0;
	on_compiler_tick(&process);
	assert_int_equal(process.tick_timer.at_ms, 0);
}

static void the_driver_s_clock_is_kept_in_step_by_its_own_interval(void **state)
{
	(void)state;
	for (int i = 0; i < 7; i++)
		on_second(&process);
	assert_int_equal(did.n_ticks, 2);
	assert_int_equal(process.second_timer.at_ms, NOW_MS + 1000);
	process.driver = NULL;
	for (int i = 0; i < 7; i++)
		on_second(&process);
	assert_int_equal(did.n_ticks, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(a_document_that_changes_while_it_is_read_is_read_again),
		T(a_refusal_is_logged_once_and_again_after_a_good_one),
		T(what_a_thread_has_compiled_comes_into_force),
		T(how_long_a_document_took_is_kept),
		T(what_may_pass_is_tried_again_and_what_does_not_is_not),
		T(a_driver_s_workers_have_words_while_there_are_any),
		T(a_change_of_driver_ends_what_was_and_keeps_what_is_to_be_learnt),
		T(workers_withdraw_what_is_announced_before_there_is_a_gap),
		T(a_change_of_driver_that_is_taken_back_is_forgotten),
		T(that_nothing_is_forwarded_is_known),
		T(a_next_hop_that_changes_a_way_is_decided_on_at_once),
		T(a_damaged_page_is_said_once_and_what_is_in_force_stays),
		T(a_page_is_taken_when_it_is_there_and_whole),
		T(a_new_driver_takes_verdicts_of_a_sound_page_alone),
		T(verdicts_are_taken_when_there_are_new_ones),
		T(decisions_are_shown_soon_and_those_right_behind_together),
		T(the_driver_s_clock_is_kept_in_step_by_its_own_interval),
	};

	return cmocka_run_group_tests_name("process parts", tests, NULL, NULL);
}
