/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-health: probes the own site's backends and other sites' VIPs, and publishes what it
 * observes on the health page.
 *
 * One thread runs one event loop; the reading of documents and the saving of files have threads of their own.
 * Rights are dropped before any file is read; of them CAP_NET_RAW stays, for marks on sockets and for ICMP.
 * Without a document the process waits for one; a refused document leaves the one before in force.
 * A tick shows signs of life twice a second and looks at what other processes publish.
 */
#include "healthcheck/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/loop_job.h"
#include "base/page.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "healthcheck/checker.h"
#include "healthcheck/keep.h"
#include "weir/condition.h"
#include "weir/json.h"
#include "weir/stats.h"

#define TICK_MS       500u  /* ms; a process without a sign of life for 2 s counts as hung */
#define TICK_READY_MS 100u  /* ms, while probes wait for their tunnels */
#define AGAIN_MS      2000u /* ms, to the next try of a document that could not be taken yet */
#define SAVE_MS       100u  /* ms; verdicts that turn together are saved by one write */
#define STATS_MAX     64u   /* entries of the stats page; some 40 are used */
#define START_S       60u   /* s: longest start, announced to weir run, which restarts what hangs */
#define DOCUMENT_S    120u  /* s: longest reading of a document, announced likewise */

struct health_process {
	struct proc_dirs dirs;
	char document[PATH_MAX], verdicts[PATH_MAX], vips[PATH_MAX];
	struct loop *loop;
	struct page *page;
	struct stats *stats;
	struct ctl *ctl;
	struct checker checker;
	struct loop_timer tick, save;
	struct keep_writer writer, vips_writer;
	struct believed believed;
	struct saved_word *saved;
	size_t n_saved;
	uint64_t in_force;               /* the document's number; 0: none */
	char refusal[MODEL_REFUSAL_MAX]; /* why the last document was refused; "": it was not */
	struct loop_job *reader;
	/* The document that was read; while the reader runs, its thread's. */
	int read_err;
	struct model *read;
	struct model_errors errors;
	bool failed;
};

/* State the conditions of this process: all that it knows to be wrong. */
static void state_conditions(struct health_process *p)
{
	conditions_begin(p->stats, p->in_force);
	if (*p->refusal)
		conditions_add(p->stats, "document-refused", CONDITION_DEGRADED, "",
		               "the newest document is refused, the one before stays in force: %s",
		               p->refusal);
	conditions_of_vips(p->checker.targets, p->stats);
	conditions_of_paths(p->checker.targets, p->stats);
	conditions_of_unheard(p->checker.targets, clock_mono_ms(), p->stats);
	conditions_end(p->stats);
}

static void read_document(void *arg)
{
	struct health_process *p = arg;

	p->read_err = model_read_without_key(p->document, p->dirs.node, &p->read, &p->errors);
}

static void forget_document(struct health_process *p)
{
	model_errors_free(&p->errors);
	model_free(p->read);
	p->read = NULL;
}

/* Put the document that was read in force. @return 0 or -errno; the model is taken in any case */
static int install_document(struct health_process *p)
{
	struct model *m = p->read;
	uint64_t document = m->meta.document;

	p->read = NULL;
	int err = checker_apply_model(&p->checker, m, p->saved, p->n_saved);

	if (err)
		return err;
	p->in_force = document;
	log_note("document-taken", "document=%llu targets=%zu", (unsigned long long)document,
	         p->checker.targets->n);
	free(p->saved); /* later documents: only what was seen since counts */
	p->saved = NULL;
	p->n_saved = 0;
	return 0;
}

/* Apply a document that was read. Whatever is wrong with it, the one before stays in force. */
static uint64_t accept_document(void *arg, int err)
{
	struct health_process *p = arg;

	stats_job_begin(p->stats, "document", DOCUMENT_S);
	if (!err)
		err = p->read_err ? p->read_err : install_document(p);
	model_note_refusal(p->document, err, &p->errors, p->refusal);
	forget_document(p);
	state_conditions(p);
	stats_job_end(p->stats, "document");
	return model_may_pass(err) ? AGAIN_MS : 0;
}

static bool tunnels_missing(const struct checker *c)
{
	for (size_t i = 0; c->targets && i < c->targets->n; i++)
		if (c->targets->items[i].paths[0].spec.mark &&
		    c->targets->items[i].since_document > gate_document(&c->gate))
			return true;
	return false;
}

static void publish_target_counts(struct checker *c)
{
	uint64_t n_down = 0, n_unproven = 0, n_external = 0, n_unsaid = 0;

	for (size_t i = 0; c->targets && i < c->targets->n; i++) {
		const struct target *t = &c->targets->items[i];
		bool is_external = target_is_external(t);

		n_down += target_state(t) == HEALTH_DOWN;
		n_unproven += t->unproven;
		n_external += is_external;
		n_unsaid += is_external &&
		            (t->inconclusive || verdict_state(t->verdict) == HEALTH_UNKNOWN);
	}
	stats_set(c->counters.n_external, n_external);
	stats_set(c->counters.n_unsaid, n_unsaid);
	stats_set(c->counters.n_unproven, n_unproven);
	stats_set(c->counters.targets, c->targets ? c->targets->n : 0);
	stats_set(c->counters.down, n_down);
}

/* Log a failed write once, not again until a write has succeeded. */
static void log_unsaved(const char *event, const char *path, int before, int err)
{
	if (err && !before)
		log_warn(event, "path=%s error=\"%s\" effect=\"tried again\"", path,
		         strerror(-err));
}

static void save_vips(struct health_process *p)
{
	struct vips *v = &p->checker.vips;
	int before = p->vips_writer.last, err = keep_poll(&p->vips_writer, &v->changed);
	size_t n;

	log_unsaved("vips-not-saved", p->vips, before, err);
	if (!v->changed)
		return;
	char *text = vips_text(v, &n);

	err = text ? keep_start_text(&p->vips_writer, p->vips, text, n) : -ENOMEM;
	v->changed = err != 0;
}

/* The last time, at the end. */
static void save_vips_now(struct health_process *p)
{
	size_t n;
	char *text = vips_text(&p->checker.vips, &n);

	keep_finish(&p->vips_writer);
	if (text && p->checker.vips.known)
		keep_write_text(p->vips, text, n);
	free(text);
}

/* Save within SAVE_MS of a turn, or when the disk is ready. A failed write is tried again. */
static void on_save(void *arg)
{
	struct health_process *p = arg;
	int before = p->writer.last, err = keep_poll(&p->writer, &p->checker.changed);

	loop_timer_set(p->loop, &p->save, clock_mono_ms() + SAVE_MS);
	log_unsaved("verdicts-not-saved", p->verdicts, before, err);
	save_vips(p);
	if (p->checker.changed && p->checker.targets)
		p->checker.changed = keep_start(&p->writer, p->verdicts, p->checker.targets) != 0;
}

/* What must be looked at regularly because no event announces it: clock, page, dataplane, peers. */
static void on_tick(void *arg)
{
	struct health_process *p = arg;
	uint64_t now_ms = clock_mono_ms();

	believed_tick(&p->believed, p->dirs.run);
	log_tick();
	if (!page_is_sound(p->page)) {
		/*
		 * the next process makes a new page, with the verdicts that were saved; readers
		 * keep theirs until then
		 */
		log_error("page-damaged", "kind=health effect=\"the process starts again\"");
		p->failed = true;
		loop_stop(p->loop);
		return;
	}
	page_keep_name(p->page);
	page_alive(p->page, now_ms);
	stats_alive(p->stats, now_ms);
	gate_refresh(&p->checker.gate, p->dirs.run);
	external_source_refresh(&p->checker.external, p->dirs.run);
	others_search(&p->checker, p->dirs.run);
	publish_target_counts(&p->checker);
	state_conditions(p);
	loop_timer_set(p->loop, &p->tick,
	               now_ms + (tunnels_missing(&p->checker) ? TICK_READY_MS : TICK_MS));
}

static char *on_line(void *arg, const char *line, size_t length)
{
	return command_answer(arg, line, length);
}

/* One descriptor an attempt. */
static void raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* Pages and saved verdicts, before the loop is opened: the checker is built on them. */
static int open_files(struct health_process *p)
{
	char path[PATH_MAX];
	int err = proc_path(p->dirs.state, PROC_EFFECTIVE_FILE, p->document);

	if (!err)
		err = proc_path(p->dirs.state, KEEP_FILE, p->verdicts);
	if (!err)
		err = proc_path(p->dirs.state, VIPS_FILE, p->vips);
	if (!err)
		err = proc_path(p->dirs.run, PROC_HEALTH_PAGE, path);
	if (!err)
		err = page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
		                  sizeof(struct health_page), &p->page);
	if (err) {
		log_error("page-not-opened", "path=%s error=%s", path, strerror(-err));
		return err;
	}
	err = stats_create(p->dirs.run, "health", STATS_MAX, &p->stats);
	if (err) {
		log_error("stats-not-opened", "dir=%s error=%s", p->dirs.run, strerror(-err));
		return err;
	}
	stats_job_begin(p->stats, "start", START_S);
	err = keep_read(p->verdicts, &p->saved, &p->n_saved);
	if (err && err != -ENOENT)
		log_warn("verdicts-not-read", "path=%s error=%s", p->verdicts, strerror(-err));
	return 0;
}

static void read_vips(struct health_process *p)
{
	int err = vips_read(p->vips, &p->checker.vips);

	if (err && err != -ENOENT)
		log_warn(
		        "vips-not-read",
		        "path=%s error=\"%s\" effect=\"no VIP counts as new, and VIPs not yet seen up by "
		        "this node have no vote\"",
		        p->vips, strerror(-err));
}

/* All that the loop calls. The document is watched last, when all that it needs is there. */
static int open_loop(struct health_process *p)
{
	const struct loop_work reading = { .work = read_document,
		                           .accept = accept_document,
		                           .arg = p };
	char path[PATH_MAX];
	int err = loop_open(&p->loop);

	if (!err)
		err = checker_open(&p->checker, p->loop, p->page, p->stats);
	if (!err)
		read_vips(p);
	if (!err)
		err = proc_path(p->dirs.run, "health.ctl", path);
	if (!err)
		err = ctl_serve(p->loop, path, "weir", on_line, &p->checker, &p->ctl);
	if (!err)
		err = loop_signal_end(p->loop, NULL, NULL);
	if (!err)
		err = loop_job_open(p->loop, &reading, &p->reader);
	if (!err)
		err = loop_watch_file(p->loop, p->document, loop_job_start, p->reader);
	if (err)
		log_error("start-failed", "error=%s", strerror(-err));
	return err;
}

/* Keep only the rights that this kernel asks for. @return 0 or -errno */
static int drop_rights(void)
{
	struct utsname kernel;
	uint64_t marking = uname(&kernel) ? 0 : attempt_marking_right(kernel.release);

	return proc_become("health", 1ull << CAP_NET_RAW | marking);
}

/* Check until a signal says stop. @return 0 or -errno, of the loop */
static int run_checks(struct health_process *p)
{
	p->tick = (struct loop_timer){ .cb = on_tick, .arg = p };
	p->save = (struct loop_timer){ .cb = on_save, .arg = p };
	read_document(p); /* the first one here: there is nothing else to do yet */
	loop_job_later(p->reader, accept_document(p, 0));
	on_tick(p);
	on_save(p);
	loop_beat(p->loop, stats_turns(p->stats, "main"));
	stats_job_end(p->stats, "start");
	proc_ready();
	return loop_run(p->loop);
}

/* Keep what the next process goes on with, then close all. */
static void close_health(struct health_process *p)
{
	loop_job_close(p->reader);
	forget_document(p);
	keep_finish(&p->writer);
	if (p->checker.targets)
		keep_write(p->verdicts, p->checker.targets);
	save_vips_now(p);
	checker_close(&p->checker);
	ctl_close(p->ctl);
	loop_close(p->loop);
	stats_close(p->stats);
	page_close(p->page);
	believed_close(&p->believed);
	free(p->saved);
}

int health_main(int argc, char **argv)
{
	static struct health_process p;
	int status = proc_dirs_only(
	        &p.dirs, argc, argv, "health",
	        "Checks backends and virtual IPs according to the effective document.");

	if (status >= 0)
		return status;
	json_prepare();
	raise_limits();
	proc_ignore_signals();
	int err = drop_rights();
	if (err) {
		log_error("rights-not-dropped", "error=%s", strerror(-err));
		return 1;
	}
	(void)sandbox_enter("health");          /* a failure is a condition */
	believed_tick(&p.believed, p.dirs.run); /* before times that were kept are read */
	if (open_files(&p) || open_loop(&p))
		return 1;
	err = run_checks(&p);
	close_health(&p);
	return err || p.failed ? 1 : 0;
}
