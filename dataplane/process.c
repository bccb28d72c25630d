/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What starts what. The driver is opened with the first effective document, which names its sizes. From
 * then on documents, verdicts, next hops and time each call the compiler (tables/compiler.h).
 *
 * Long work must not delay a death. So documents are compiled in a thread (tables/compiled.h), and work
 * on the loop yields between its steps (compiler_yield()). Each failure is logged once and tried
 * again; packets are forwarded meanwhile as before.
 */
#include "dataplane/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
#include "dataplane/export/publish.h"
#include "dataplane/succession.h"
#include "dataplane/withdraw.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/stats.h"

#define YIELD_NS   1000000u /* between two looks for verdicts amid long work */
#define RETRY_MS   1000u    /* before a document that failed is tried again */
#define START_S    60u      /* this and the next two: limits of jobs, for `weir run` */
#define DOCUMENT_S 120u
#define DRIVER_S   300u /* DPDK clears its memory, and old kernels verify programs slowly */
#define TURN_MS    SCRUB_TURN_MS /* between two looks at what no event announces */
#define SHOW_MS    250u          /* between two effect pages: reading tables back takes time */
#define HOPS_MAX   FWD_BACKENDS_MAX

static void apply_verdicts(struct process *p, bool all)
{
	struct compiler_time time = compiler_now();

	p->health_epoch = p->health ? page_epoch(p->health) : 0;
	if (p->driver && all)
		compiler_read_verdicts(&p->node, &time);
	else if (p->driver)
		compiler_follow_verdicts(&p->node, &time);
	loop_timer_set(p->loop, &p->tick_timer, loop_now_ms(p->loop));
}

static void on_health_page(void *arg)
{
	struct process *p = arg;

	if (p->health && page_epoch(p->health) != p->health_epoch)
		apply_verdicts(p, false);
}

/* Yield amid long work: bring new verdicts into force, but not after each of ten thousand steps. */
static void yield_to_verdicts(void *arg)
{
	struct process *p = arg;

	if (clock_mono_ns() - p->yielded_ns < YIELD_NS)
		return;
	on_health_page(p);
	p->yielded_ns = clock_mono_ns();
}

/* A page that was cut short or overwritten is dropped: what is in force stays. */
static void drop_health(struct process *p)
{
	if (!p->health || page_is_sound(p->health))
		return;
	if (p->driver && p->node.health)
		log_error("health-page-damaged", "effect=\"the last verdicts stay in force\"");
	if (p->driver)
		compiler_set_health(&p->node, NULL);
}

/* Open the health page when it is there, and again when its writer has made another. */
static void find_health_page(struct process *p)
{
	struct page *page;

	if (p->health && !page_is_replaced(p->health))
		return;
	drop_health(p);
	if (health_page_open(p->dirs.run, &page))
		return;
	if (loop_watch_page(p->loop, page, on_health_page, p)) {
		page_close(page);
		return;
	}
	p->health = page; /* the loop keeps the page before until it closes */
	if (p->driver)
		compiler_set_health_page(&p->node, page);
	apply_verdicts(p, true);
}

static void note_refused(struct process *p, const char *refusal)
{
	if (!strcmp(p->refusal, refusal))
		return;
	snprintf(p->refusal, sizeof(p->refusal), "%s", refusal);
	log_error("document-refused", "reason=\"%s\" in_force=%llu", refusal,
	          p->driver && p->node.model ? (unsigned long long)p->node.model->meta.document
	                                     : 0ull);
}

/* Read back what is attached to interfaces, and attach it again where it is missing. */
static void read_ports_back(struct process *p)
{
	if (!p->driver || !p->node.model)
		return;
	attach_missing(p);
	probes_read_back(p->probes, p->links, loop_now_ms(p->loop));
}

/*
 * Bring the document into force on the tables of a new driver. Verdicts go to those in force
 * meanwhile.
 */
static int fill_node(struct process *p, const struct driver_change *c, struct compiler *node,
                     const struct compiled *d, char refusal[PLAN_REASON_MAX])
{
	struct compiler_time time = compiler_now();
	int err = compiler_init(node, c->ops, c->driver, c->kept);

	if (err)
		return err;
	node->hops = p->hops;
	if (p->health && page_is_sound(p->health))
		compiler_set_health_page(node, p->health);
	node->on_yield = yield_to_verdicts;
	node->yield_arg = p;
	err = compiler_apply_plan(node, d->model, d->plan, &time, refusal);
	if (err)
		compiler_fini(node);
	return err;
}

static uint64_t *worker_counter(struct process *p, uint32_t i, bool drop)
{
	struct stats *s = publisher_stats(p->publisher);
	char labels[32];

	snprintf(labels, sizeof(labels), "worker=\"%u\"", i);
	if (drop)
		stats_drop(s, STATS_WORKER, labels);
	return drop ? NULL
	            : stats_get_counter(
	                      s, STATS_COUNTER, STATS_WORKER, labels,
	                      "Loop turns of the worker, forwarding or idle; if they stop, it hangs.");
}

/*
 * Give each worker a counter on the stats page as its sign of life: `weir run` kills no process
 * whose workers forward.
 */
static void show_workers(struct process *p)
{
	struct driver_worker workers[DRIVER_WORKERS_MAX];
	uint32_t n = p->ops->beat ? (uint32_t)p->ops->workers(p->driver, workers) : 0;

	for (uint32_t i = 0; i < DRIVER_WORKERS_MAX; i++) {
		if (i >= n)
			worker_counter(p, i, true);
		else
			p->ops->beat(p->driver, i, worker_counter(p, i, false));
	}
}

/*
 * Make the new driver the one in force: withdraw if there is a gap, free the ports, attach, read
 * all verdicts again (those since fill_node() went to the old tables), then end the old driver. A
 * failed port is tried again each second.
 */
static void install_driver(struct process *p, struct driver_change *c, struct compiler *node,
                           const char *chosen)
{
	struct driver_reason reason;

	withdraw_before_workers(p, c->ops, node->model->self);
	withdraw_wait(p, yield_to_verdicts);
	uint64_t from_ns = clock_mono_ns();
	if (c->old_driver)
		change_free_ports(c, p->node.model);
	p->ops = c->ops;
	p->driver = c->driver;
	node->learning |= p->node.learning;
	compiler_fini(&p->node);
	p->node = *node;
	scrub_begin(&p->scrub, &p->node);
	change_follow(c);
	attach_all(p);
	change_follow(c);
	apply_verdicts(p, true); /* those of the meantime went to the old tables */
	log_note("driver-chosen", "driver=%s reason=\"%s\" tables=%s", c->ops->name, chosen,
	         c->carry  ? "carried over"
	         : c->kept ? "taken over"
	                   : "new");
	if (!c->old_ops) {
		show_workers(p);
		return;
	}
	change_end(c, &reason);
	show_workers(p);
	log_note("driver-changed", "from=%s to=%s us=%llu reason=\"%s\"", c->old_ops->name,
	         c->ops->name, (unsigned long long)((clock_mono_ns() - from_ns) / 1000),
	         reason.text);
}

/* Opening may take minutes (DPDK), so the process announces the job to `weir run`, which waits. */
static int open_new_driver(struct process *p, const struct driver_ops *ops,
                           const struct compiled *d, const char *chosen,
                           char refusal[PLAN_REASON_MAX])
{
	struct driver_reason reason = { "" };
	struct driver_change change;
	struct compiler node;

	stats_job_begin(publisher_stats(p->publisher), "driver", DRIVER_S);
	if (!p->driver) /* one that forwards goes on until the new one is open */
		withdraw_before_workers(p, ops, d->model->self);
	int err = change_open(&change, &p->dirs, ops, d->model, &d->plan->sizes,
	                      p->driver ? p->ops : NULL, p->driver, &reason);

	if (!err) {
		err = fill_node(p, &change, &node, d, refusal);
		if (err)
			change_undo(&change);
		else
			install_driver(p, &change, &node, chosen);
	} else {
		snprintf(refusal, PLAN_REASON_MAX, "%.*s", PLAN_REASON_MAX - 1, reason.text);
	}
	snprintf(p->driver_reason, sizeof(p->driver_reason), "%s", err ? reason.text : "");
	p->forwards_nothing = err && !p->driver && ops->beat;
	stats_job_end(publisher_stats(p->publisher), "driver");
	return err;
}

/*
 * Bring a compiled document into force, with another driver if it says so. Takes model and plan on
 * success.
 */
static int install_model(struct process *p, struct compiled *d, char refusal[PLAN_REASON_MAX])
{
	const struct model *m = d->model;
	struct compiler_time time;
	struct driver_reason chosen;
	const struct driver_ops *ops = choose_driver(m->self, NIC_SYSFS, &chosen);
	uint64_t from_ns = clock_mono_ns();
	int err;

	/* without a word of weir-mgmt the clock may have lost years */
	believed_not_before(&p->believed, m->meta.written_ms);
	believed_tick(&p->believed, p->dirs.run);
	time = compiler_now();

	if (!ops) {
		snprintf(refusal, PLAN_REASON_MAX, "%.*s", PLAN_REASON_MAX - 1, chosen.text);
		return -ENOTSUP;
	}
	if (p->driver && attach_would_lose(p, m->self, refusal, PLAN_REASON_MAX))
		return -ENODEV;
	if (p->driver && ops == p->ops) {
		p->node.spare_is_free = d->spare_is_free;
		err = compiler_apply_plan(&p->node, d->model, d->plan, &time, refusal);
	} else {
		err = open_new_driver(p, ops, d, chosen.text, refusal);
	}
	if (!err) {
		p->node.took = d->took;
		p->node.took.switch_us = (clock_mono_ns() - from_ns) / 1000;
		d->model = NULL;
		d->plan = NULL;
	}
	return err;
}

/* Ports come first, since they carry packets; pages and probes only inform. */
static void report_in_force(struct process *p)
{
	const struct compiler *n = &p->node;

	p->refusal[0] = p->driver_reason[0] = 0;
	withdraw_without_daemon(p);
	log_note("document-in-force",
	         "document=%llu version=%llu services=%zu pools=%zu backends=%zu",
	         (unsigned long long)n->model->meta.document,
	         (unsigned long long)n->model->meta.version, n->plan->n_services, n->n_pools,
	         n->plan->n_backends);
	attach_all(p);
	detach_unnamed(p);
	yield_to_verdicts(p);
	publisher_document(p->publisher, n);
	yield_to_verdicts(p);
	probes_apply_model(p->probes, n->model);
	read_ports_back(p);
	find_health_page(p);
	loop_timer_set(p->loop, &p->tick_timer, loop_now_ms(p->loop));
}

/* Write the effect page and the conditions. */
static void show_effect(void *arg)
{
	struct process *p = arg;
	struct compiler_time time = compiler_now();
	const struct compiler_counters *c = &p->node.counters;

	p->shown = c->deaths + c->returns + c->held;
	p->shown_ms = time.now_ms;
	publisher_write(p->publisher, &p->node, &time);
	conditions_state(p);
}

/*
 * Bring a compiled document into force, or keep the old one and say why. A refusal that only
 * another document can mend (errors, limits, no such driver) is not tried again. @return as a loop_work's accept()
 */
static uint64_t install_or_refuse(struct process *p, struct compiled *d)
{
	char refusal[PLAN_REASON_MAX] = "";
	int err = d->err;

	if (err == -ENOENT) /* not written yet */
		return 0;
	if (err == -EINVAL) {
		model_errors_summarise(&d->errors, refusal, sizeof(refusal));
		if (strcmp(p->refusal, refusal))
			model_errors_log(&d->errors);
	} else if (err) {
		snprintf(refusal, sizeof(refusal), "%s", d->refusal);
	} else {
		err = install_model(p, d, refusal);
	}
	if (!err) {
		report_in_force(p);
		show_effect(p); /* who reads that the document is in force finds its effect */
		return 0;
	}
	p->node.counters.refused += d->err != 0;
	p->node.document_refused = true;
	note_refused(p, *refusal ? refusal : strerror(-err));
	conditions_state(p);
	if (err == -ENOTRECOVERABLE)
		succession_make_way(p);
	return err != -EINVAL && err != -EDQUOT && err != -ENOTSUP ? RETRY_MS : 0;
}

static void prepare_source(void *arg)
{
	struct process *p = arg;

	p->from.node = p->dirs.node;
	p->from.believed = p->believed;
	p->from.before = p->driver ? p->node.model : NULL;
	p->from.ops = p->ops;
	p->from.driver = p->driver;
}

static void compile_document(void *arg)
{
	struct process *p = arg;

	compiled_make(&p->from, &p->compiled);
}

static uint64_t accept_document(void *arg, int err)
{
	struct process *p = arg;

	stats_job_begin(publisher_stats(p->publisher), "document", DOCUMENT_S);
	if (err)
		p->compiled.err = err;
	uint64_t again_ms = install_or_refuse(p, &p->compiled);

	compiled_free(&p->compiled);
	stats_job_end(publisher_stats(p->publisher), "document");
	return again_ms;
}

/*
 * The first document is read on the loop's thread: there is nothing else to do yet. A successor has
 * compiled it already.
 */
static void load_first(struct process *p)
{
	prepare_source(p);
	p->from.on_model = withdraw_before_compiling;
	p->from.arg = p;
	stats_job_begin(publisher_stats(p->publisher), "compile", DOCUMENT_S);
	if (!succession_accept(p, p->from.path, &p->compiled))
		compile_document(p);
	stats_job_end(publisher_stats(p->publisher), "compile");
	p->from.on_model = NULL;
	loop_job_later(p->compiling, accept_document(p, 0));
}

/* Show a decision on the effect page at once, but decisions that follow within SHOW_MS together. */
static void show_decisions(struct process *p)
{
	const struct compiler_counters *c = &p->node.counters;

	if (p->shown != c->deaths + c->returns + c->held && !p->effect_timer.heap_index)
		loop_timer_set(p->loop, &p->effect_timer, p->shown_ms + SHOW_MS);
}

static void on_compiler_tick(void *arg)
{
	struct process *p = arg;
	struct compiler_time time = compiler_now();

	if (!p->driver)
		return;
	loop_timer_set(p->loop, &p->tick_timer, compiler_tick(&p->node, &time));
	show_decisions(p);
}

static void on_second(void *arg)
{
	struct process *p = arg;

	believed_tick(&p->believed, p->dirs.run);
	log_tick();
	(void)hop_log_report(&p->hop_log, loop_now_ms(p->loop));

	struct compiler_time time = compiler_now();

	find_health_page(p);
	if (p->driver && p->node.model)
		probes_retry(p->probes, p->node.model);
	read_ports_back(p);
	if (p->driver)
		state_sync_tick(&p->state_sync, &p->node, p->dirs.run, &time);
	if (p->driver && ++p->seconds % p->ops->tick_s == 0)
		(void)p->ops->tick(p->driver);
	if (p->driver && scrub_pins(&p->scrub, p->ops, p->driver, time.now_ms))
		conditions_state(p);
	show_effect(p);
	probes_count(p->probes);
	loop_timer_set(p->loop, &p->second_timer, time.now_ms + 1000);
}

/* Path MTUs from routers, what is measured, frames that do not leave, damaged tables. */
static void on_short_turn(void *arg)
{
	struct process *p = arg;
	bool changed = false;

	if (p->driver)
		compiler_update_mtus(&p->node, loop_now_ms(p->loop));
	publisher_measure(p->publisher, &p->node, loop_now_ms(p->loop));
	if (p->driver) {
		changed = leaving_tick(&p->leaving, &p->node, loop_now_ms(p->loop));
		changed |= scrub_turn(&p->scrub, loop_now_ms(p->loop));
	}
	if (changed)
		conditions_state(p);
	stats_alive(publisher_stats(p->publisher), loop_now_ms(p->loop));
	loop_timer_set(p->loop, &p->turn_timer, loop_now_ms(p->loop) + TURN_MS);
}

static void on_hop(void *arg, const struct addr *address, const struct hop *hop)
{
	struct process *p = arg;

	if (p->driver)
		compiler_on_hop(&p->node, address, hop);
	if (p->driver && p->node.next_hops_changed)
		loop_timer_set(p->loop, &p->tick_timer, loop_now_ms(p->loop));
	if (probes_hop(p->probes, address, hop) && !p->path_timer.heap_index)
		loop_timer_set(p->loop, &p->path_timer, loop_now_ms(p->loop));
	hop_log_change(&p->hop_log, address, hop, loop_now_ms(p->loop));
}

/* An interface of the kernel has changed: a port may have come back or lost its program. */
static void on_links(void *arg)
{
	struct process *p = arg;

	read_ports_back(p);
	prover_links_changed(p->prover);
	conditions_state(p);
}

/* The same for tc, or the route to a VIP: probes may miss their program. */
static void on_path(void *arg)
{
	read_ports_back(arg);
	conditions_state(arg);
}

/* Everything but the driver, which needs a document. Each part is opened with those before it. */
static int open_parts(struct process *p)
{
	const struct loop_work compiling = { .begin = prepare_source,
		                             .work = compile_document,
		                             .accept = accept_document,
		                             .arg = p };
	char socket[PATH_MAX];
	int err = loop_open(&p->loop);

	if (!err)
		err = loop_signal_end(p->loop, withdraw_and_stop, p);
	if (!err)
		err = succession_open_pages(p);
	if (!err)
		stats_job_begin(publisher_stats(p->publisher), "start", START_S);
	believed_tick(&p->believed, p->dirs.run);
	if (!err)
		err = hops_open(p->loop, HOPS_MAX, on_hop, p, &p->hops);
	if (!err)
		err = probes_open(publisher_stats(p->publisher), p->hops, &p->probes);
	if (!err)
		err = prover_open(p, &p->prover);
	if (!err)
		err = links_open(p->loop, on_links, p, &p->links);
	if (!err)
		err = filters_open(p->loop, on_path, p, &p->filters);
	if (!err)
		err = loop_job_open(p->loop, &compiling, &p->compiling);
	if (!err)
		err = proc_path(p->dirs.run, "dataplane.ctl", socket);
	if (!err)
		err = ctl_serve(p->loop, socket, "weir", process_answer, p, &p->ctl);
	if (!err)
		err = proc_path(p->dirs.state, PROC_EFFECTIVE_FILE, p->from.path);
	if (!err)
		err = loop_watch_file(p->loop, p->from.path, loop_job_start, p->compiling);
	return err;
}

/*
 * The driver is closed late: DPDK's workers forward until then. Pages come after it, since workers
 * count on one of them, and the next process waits for them (succession.h).
 */
static void close_parts(struct process *p)
{
	ctl_close(p->ctl);
	prover_close(p->prover);
	loop_job_close(p->compiling); /* before the model that it reads */
	compiled_free(&p->compiled);
	if (p->driver)
		compiler_fini(&p->node);
	probes_close(p->probes);
	hops_close(p->hops);
	links_close(p->links);
	filters_close(p->filters);
	succession_close(p);
	if (p->driver)
		p->ops->close(p->driver);
	publisher_close(p->publisher);
	if (p->loop)
		loop_close(p->loop);
	page_close(p->health);
	believed_close(&p->believed);
}

int process_run(struct process *p)
{
	int err = succession_prepare(p);

	if (!err)
		err = open_parts(p);
	p->tick_timer = (struct loop_timer){ .cb = on_compiler_tick, .arg = p };
	p->second_timer = (struct loop_timer){ .cb = on_second, .arg = p };
	p->turn_timer = (struct loop_timer){ .cb = on_short_turn, .arg = p };
	p->effect_timer = (struct loop_timer){ .cb = show_effect, .arg = p };
	p->path_timer = (struct loop_timer){ .cb = on_path, .arg = p };
	if (!err) {
		find_health_page(p);
		load_first(p);
		loop_timer_set(p->loop, &p->second_timer, loop_now_ms(p->loop));
		loop_timer_set(p->loop, &p->turn_timer, loop_now_ms(p->loop));
		loop_beat(p->loop, stats_turns(publisher_stats(p->publisher), "main"));
		stats_job_end(publisher_stats(p->publisher), "start");
		proc_ready();
		err = loop_run(p->loop);
	}
	if (err)
		log_error("dataplane-failed", "error=\"%s\"", strerror(-err));
	close_parts(p);
	return err;
}
