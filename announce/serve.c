/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread runs one event loop; another one reads documents (base/loop_job.h): the largest takes hundreds of
 * ms, and the loop must withdraw within 200 ms of a driver's death. A round runs
 * every TICK_MS and at each event; it reads, decides, moves and publishes. Without a document nothing
 * is touched, unless this node forwards nothing. A refused document leaves the one before in force,
 * also one that does not name this node.
 */
#include "announce/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "announce/process.h"
#include "base/believed.h"
#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/loop_job.h"
#include "base/proc.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/stats.h"

#define TICK_MS   100u /* ms; a DPDK driver's death must have withdrawn within 200 ms */
#define IDLE_MS   500u /* ms without an address; a process without a sign of life for 2 s hangs */
#define SLOW_MS   500u /* ms between two rounds of signs of life and conditions */
#define STATS_MAX 64u  /* entries of the stats page; some 20 are used */
#define START_S   60u  /* s: longest start, announced to weir run, which restarts what hangs */
#define AGAIN_MS  500u /* ms to the next try of a document that could not be read or taken yet */
#define NEWS_MS   10u  /* ms between two rounds because of what the routing daemon says */

struct announce_process {
	struct proc_dirs dirs;
	char document[PATH_MAX];
	struct announcer announcer;
	struct ctl *ctl;
	struct loop_job *reader;
	/* The document that was read; while the reader runs, its thread's. */
	int read_err; /* -ENOENT: there is none; -EINVAL with errors; -errno */
	struct model *read;
	struct model_errors errors;
	struct loop_timer tick, news;
	struct believed believed;
	uint64_t slow_ms;                /* when signs of life were last shown */
	uint64_t news_ms;                /* of the last round because of the routing daemon */
	char refused[MODEL_REFUSAL_MAX]; /* why the last document was, or "" */
};

static void state_conditions(struct announce_process *p)
{
	struct announcer *a = &p->announcer;

	conditions_begin(a->stats, a->model ? a->model->meta.document : 0);
	if (*p->refused)
		conditions_add(a->stats, "document-refused", CONDITION_DEGRADED, "",
		               "the newest document is refused, %s: %s",
		               a->model ? "the one before stays in force"
		                        : "none is in force, and announcements stay as they are",
		               p->refused);
	published_conditions(a, clock_mono_ms());
	conditions_end(a->stats);
}

/* The routing daemon has news; with many addresses it has hundreds in a second. */
static void on_news(void *arg)
{
	struct announce_process *p = arg;

	loop_timer_set(p->announcer.loop, &p->news, p->news_ms + NEWS_MS);
}

static void on_news_due(void *arg)
{
	struct announce_process *p = arg;

	p->news_ms = clock_mono_ms();
	round_publish(&p->announcer, p->news_ms);
}

/* Follow the daemon that the document names. */
static void open_daemon(struct announce_process *p)
{
	struct announcer *a = &p->announcer;
	const struct model_announce *c = &a->model->self->announce;
	enum daemon_kind kind = c->daemon == MODEL_DAEMON_FRR ? DAEMON_FRR : DAEMON_BIRD;
	const char *path = c->socket;
	int err;

	if (a->daemon && c->daemon != MODEL_DAEMON_NONE && kind == a->daemon_kind &&
	    !strcmp(path, a->daemon_path))
		return;
	daemon_close(a->daemon);
	a->daemon = NULL;
	a->daemon_error = 0;
	if (c->daemon == MODEL_DAEMON_NONE)
		return;
	a->daemon_kind = kind;
	snprintf(a->daemon_path, sizeof(a->daemon_path), "%s", path);
	err = daemon_open(a->loop, kind, *path ? path : NULL, on_news, p, &a->daemon);
	if (err)
		log_error("routing-daemon-not-followed", "socket=%s error=\"%s\"", path,
		          strerror(-err));
	a->daemon_error = err;
}

static void watch_addresses(struct announcer *a)
{
	struct addr *list = calloc(a->n_rows ? a->n_rows : 1, sizeof(*list));
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; list && i < a->n_rows; i++)
		list[i] = a->rows[i].intended.address;
	if (!err)
		err = daemon_watch(a->daemon, list, a->n_rows);
	if (err)
		log_error("routing-daemon-not-followed", "addresses=%zu error=\"%s\"", a->n_rows,
		          strerror(-err));
	a->daemon_error = err;
	free(list);
}

/* Put the document that was read in force. @return 0, with the model taken, or -errno */
static int install_document(struct announce_process *p)
{
	struct announcer *a = &p->announcer;
	int err;

	if (!p->read->self) {
		model_errors_add(&p->errors, p->document, 0, "", "the document names no nodes");
		return -EINVAL;
	}
	err = rows_adopt(a, p->read, clock_mono_ms());
	if (err)
		return err;
	p->read = NULL;
	a->published_ms = 0; /* the next process must know the tables */
	snprintf(a->node, sizeof(a->node), "%s", a->model->self->name);
	open_daemon(p);
	if (a->daemon)
		watch_addresses(a);
	log_note("document-taken", "document=%llu addresses=%zu",
	         (unsigned long long)a->model->meta.document, a->n_rows);
	return 0;
}

static void read_document(void *arg)
{
	struct announce_process *p = arg;

	p->read_err = model_read_without_key(p->document, p->dirs.node, &p->read, &p->errors);
}

static void forget_document(struct announce_process *p)
{
	model_errors_free(&p->errors);
	model_free(p->read);
	p->read = NULL;
}

/* Apply a document that was read. Whatever is wrong with it, the one before stays in force. */
static uint64_t accept_document(void *arg, int err)
{
	struct announce_process *p = arg;

	if (!err)
		err = p->read_err ? p->read_err : install_document(p);
	model_note_refusal(p->document, err, &p->errors, p->refused);
	forget_document(p);
	round_publish(&p->announcer, clock_mono_ms());
	state_conditions(p);
	return model_may_pass(err) ? AGAIN_MS : 0;
}

static void on_tick(void *arg)
{
	struct announce_process *p = arg;
	struct announcer *a = &p->announcer;
	uint64_t now_ms = clock_mono_ms();

	round_publish(a, now_ms);
	if (now_ms - p->slow_ms >= SLOW_MS) {
		p->slow_ms = now_ms;
		believed_tick(&p->believed, p->dirs.run);
		log_tick();
		announced_keep(a->page);
		stats_alive(a->stats, now_ms);
		state_conditions(p);
	}
	loop_timer_set(a->loop, &p->tick, now_ms + (a->n_rows ? TICK_MS : IDLE_MS));
}

static char *on_line(void *arg, const char *line, size_t length)
{
	struct announce_process *p = arg;

	return command_reply(&p->announcer, line, length, ctl_client_is(p->ctl, "mgmt"),
	                     clock_mono_ms());
}

static int open_pages(struct announce_process *p)
{
	struct announcer *a = &p->announcer;
	int err = proc_path(p->dirs.state, PROC_EFFECTIVE_FILE, p->document);

	if (!err)
		err = stats_create(p->dirs.run, "announce", STATS_MAX, &a->stats);
	if (!err)
		err = announced_create(p->dirs.run, &a->page);
	if (err) {
		log_error("page-not-opened", "dir=%s error=%s", p->dirs.run, strerror(-err));
		return err;
	}
	stats_job_begin(a->stats, "start", START_S);
	published_find_counters(a);
	left_read(a);
	return 0;
}

/* All that the loop calls. The document is watched last, when all that it needs is there. */
static int open_loop(struct announce_process *p)
{
	struct announcer *a = &p->announcer;
	const struct loop_work reading = { .work = read_document,
		                           .accept = accept_document,
		                           .arg = p };
	char path[PATH_MAX];
	int err = loop_open(&a->loop);

	if (!err)
		err = own_routes_open(&a->own);
	if (!err)
		err = proc_path(p->dirs.run, "announce.ctl", path);
	if (!err)
		err = ctl_serve(a->loop, path, "weir", on_line, p, &p->ctl);
	if (!err)
		err = loop_signal_end(a->loop, NULL, NULL);
	if (!err)
		err = loop_job_open(a->loop, &reading, &p->reader);
	if (!err)
		err = loop_watch_file(a->loop, p->document, loop_job_start, p->reader);
	if (err)
		log_error("start-failed", "error=%s", strerror(-err));
	return err;
}

/* Announce until a signal says stop. @return 0 or -errno, of the loop */
static int run_announcements(struct announce_process *p)
{
	struct announcer *a = &p->announcer;

	p->tick = (struct loop_timer){ .cb = on_tick, .arg = p };
	p->news = (struct loop_timer){ .cb = on_news_due, .arg = p };
	loop_job_start(p->reader);
	on_tick(p);
	loop_beat(a->loop, stats_turns(a->stats, "main"));
	stats_job_end(a->stats, "start");
	proc_ready();
	return loop_run(a->loop);
}

static void close_announcements(struct announce_process *p)
{
	struct announcer *a = &p->announcer;

	loop_job_close(p->reader);
	forget_document(p);
	round_close(a);
	rows_close(a);
	ctl_close(p->ctl);
	loop_close(a->loop);
	stats_close(a->stats);
	announced_close(a->page);
	believed_close(&p->believed);
}

int serve_until_stopped(const struct proc_dirs *dirs)
{
	struct announce_process p = { .dirs = *dirs, .announcer.dataplane_fd = -1 };
	struct announcer *a = &p.announcer;

	believed_tick(&p.believed, p.dirs.run);
	if (getrandom(&a->incarnation, sizeof(a->incarnation), 0) < 0)
		a->incarnation = clock_mono_ns();
	snprintf(a->run_dir, sizeof(a->run_dir), "%s", p.dirs.run);
	int err = open_pages(&p);

	if (!err)
		err = open_loop(&p);
	if (!err)
		err = run_announcements(&p);
	close_announcements(&p);
	return err;
}
