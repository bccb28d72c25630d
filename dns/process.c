/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns: start, tick, stop. The main thread owns everything that changes: document, clock,
 * health page, control socket. It answers no query, so nothing that it waits for can delay an
 * answer.
 *
 * Sockets of port 53 are opened before root's rights are dropped; the sandbox is entered after
 * that. Weir tells the supervisor "ready" only when the first generation is in force (load.c).
 */
#include "dns/process.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sandbox.h"
#include "dns/handed.h"
#include "dns/server.h"
#include "weir/health.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/placement.h"
#include "weir/stats.h"
#include "weir/peer_page.h"

#define START_S           60u /* weir run takes a start that is longer than this for a hang */
#define DESCRIPTORS       8192 /* TCP clients of all threads, sockets and files, with room to spare */
#define COUNTERS_AGAIN_MS 5000u /* between two attempts to create the stats page */

static void on_document_change(void *arg)
{
	server_load_start(arg, false);
}

static void on_health_change(void *arg)
{
	struct server *s = arg;

	if (s->now) {
		server_observe(s, s->now);
		serving_publish(s);
	}
}

/*
 * Map the health page when it appears, and again when weir-health has replaced it. It is looked for in each tick: what
 * it says may change the answers.
 */
static void map_health_page(struct server *s)
{
	struct page *page;

	if (s->health && !page_is_replaced(s->health))
		return;
	if (health_page_open(s->dirs->run, &page) < 0)
		return;
	if (loop_watch_page(s->loop, page, on_health_change, s) < 0) {
		page_close(page);
		return;
	}
	/* a replaced page stays mapped: the loop's watch borrows it until the end */
	s->health = page;
	if (s->now)
		peer_health_forget_own(s->now->peer_health);
	log_note("dns-health-page", "state=found");
}

static void publish_counters(struct server *s, uint64_t now_ms)
{
	const struct counters *c = &s->counters;

	if (!c->stats)
		return;
	stats_set(c->clock_held, wall_clock_holds_ramps(s->clock));
	stats_set(c->clock_stepped, s->clock == WALL_CLOCK_STEPPED);
	stats_set(c->clock_unsynchronised, s->clock == WALL_CLOCK_UNSYNCHRONISED);
	stats_set(c->ramps_held[0], ramps_held(&s->ramps, RAMP_HELD_CLOCK));
	stats_set(c->ramps_held[1], ramps_held(&s->ramps, RAMP_HELD_SITE));
	stats_alive(c->stats, now_ms);
	if (now_ms >= s->conditions_ms + SERVER_CONDITIONS_MS)
		server_conditions(s);
}

/*
 * Without the stats page neither metrics nor the sign of life work. Pointers to its counters are
 * spread over all threads, so a page that can be created later needs a new start: only where a
 * supervisor holds the sockets, so that no query is lost.
 */
static void find_counters(struct server *s, uint64_t now_ms)
{
	struct counters found;

	if (s->counters.stats || handed_channel() < 0 || now_ms < s->counters_again_ms)
		return;
	s->counters_again_ms = now_ms + COUNTERS_AGAIN_MS;
	if (counters_open(&found, s->dirs->run) < 0)
		return;
	counters_close(&found);
	log_note("dns-starts-again", "reason=\"the stats page can be created now\"");
	loop_stop(s->loop);
}

/*
 * The clock is read first, because all else depends on the time of this tick; counters come last
 * and show its result.
 */
static void on_server_tick(void *arg)
{
	struct server *s = arg;
	uint64_t now_ms = clock_mono_ms();

	server_read_clock(s, s->now ? s->now->model : NULL);
	log_tick();
	map_health_page(s);
	if (s->now) {
		server_observe(s, s->now);
		serving_publish(s);
	}
	keep_tick(s);
	listen_tick(s, now_ms);
	keys_tick(s, now_ms);
	publish_counters(s, now_ms);
	find_counters(s, now_ms);
	(void)loop_timer_set(s->loop, &s->tick, now_ms + SERVER_TICK_MS);
}

/*
 * Everything that wakes the main thread is registered here, before the first load can send an
 * event.
 */
static int watch_events(struct server *s)
{
	char path[PATH_MAX];
	int err = proc_path(s->dirs->state, PROC_EFFECTIVE_FILE, path);

	if (err == 0)
		err = loop_watch_file(s->loop, path, on_document_change, s);
	if (err == 0)
		err = proc_path(s->dirs->state, PLACEMENT_FILE, path);
	if (err == 0)
		err = loop_watch_file(s->loop, path, on_document_change, s);
	if (err == 0)
		err = loop_signal_end(s->loop, NULL, NULL);
	if (err == 0)
		err = loop_signal(s->loop, SIGHUP, on_document_change, s);
	if (err == 0)
		err = server_load_open(s);
	s->workers_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err == 0 && s->workers_event < 0)
		err = -errno;
	if (err == 0)
		err = listen_watch(s);
	if (err == 0)
		err = loop_fd_add(s->loop, s->workers_event, EPOLLIN, workers_join_ended, s);
	return err;
}

/*
 * The server works without counters and without a control socket: a failure is logged, and the
 * start goes on.
 */
static void open_extras(struct server *s)
{
	char path[PATH_MAX];
	int err = counters_open(&s->counters, s->dirs->run);

	if (err < 0)
		log_error("dns-stats-failed", "error=\"%s\"", strerror(-err));
	stats_job_begin(s->counters.stats, "start", START_S);
	keys_begin(s);
	err = proc_path(s->dirs->run, "dns.ctl", path);
	if (err == 0)
		err = ctl_serve(s->loop, path, "weir", dns_ctl_handle, s, &s->ctl);
	if (err < 0)
		log_error("dns-control-failed", "error=\"%s\"", strerror(-err));
}

/*
 * Kept ramps and sites are read before the first load, so that the first answers follow what was in
 * force before a restart.
 */
static int run_server(struct server *s)
{
	int err = loop_open(&s->loop);

	if (err == 0)
		err = watch_events(s);
	if (err < 0)
		return err;
	open_extras(s);
	err = ramps_open(&s->ramps, s->dirs->state);
	if (err == -ENOMEM)
		return err;
	if (err < 0)
		log_error("dns-ramps-not-taken",
		          "error=\"%s\" effect=\"drains follow their schedules\"", strerror(-err));
	err = decided_open(&s->decided, s->dirs->state);
	if (err < 0)
		log_error("dns-sites-not-taken",
		          "error=\"%s\" effect=\"only current peer health decides about sites\"",
		          strerror(-err));
	s->tick = (struct loop_timer){ .cb = on_server_tick, .arg = s };
	on_server_tick(s);
	server_load_start(s, false);
	if (s->counters.stats)
		loop_beat(s->loop, stats_turns(s->counters.stats, "main"));
	stats_job_end(s->counters.stats, "start");
	return loop_run(s->loop);
}

/* Threads first, then what they use. */
static void close_server(struct server *s)
{
	workers_stop(s);
	listen_close(s);
	server_load_stop(s);
	keep_stop(s);
	ramps_close(&s->ramps);
	decided_close(&s->decided);
	believed_close(&s->believed);
	ctl_close(s->ctl);
	serving_close(s);
	keys_end(s);
	counters_close(&s->counters);
	loop_close(s->loop);
	page_close(s->health);
}

static int print_dns_usage(FILE *to, int status)
{
	fprintf(to,
	        "usage: weir-dns [--port PORT] [options]\n"
	        "Serves the zones and dynamic names of the effective document.\n\n"
	        "  --port PORT      port of sockets that no supervisor passes (default 53)\n%s",
	        proc_dirs_help);
	return status;
}

/*
 * Each TCP client needs a descriptor. The usual soft limit of 1,024 protects programs that use
 * select(2); this one does not.
 */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < DESCRIPTORS && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int dns_main(int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
		                                 { "help", no_argument, NULL, 'h' },
		                                 { 0 } };
	static struct proc_dirs dirs;
	static struct server s = { .dirs = &dirs, .port = 53 };
	int option, err;

	proc_ignore_signals();
	json_prepare();
	if (proc_dirs_from_args(&dirs, &argc, argv) < 0)
		return 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return print_dns_usage(stdout, 0);
		if (option != 'p' || atoi(optarg) < 1 || atoi(optarg) > UINT16_MAX)
			return print_dns_usage(stderr, 1);
		s.port = (uint16_t)atoi(optarg);
	}
	if (optind != argc)
		return print_dns_usage(stderr, 1);
	raise_descriptors();
	listen_early(&s);
	err = proc_become("dns", 0);
	if (err < 0) {
		log_error("dns-start-failed", "what=\"dropping rights\" error=\"%s\"",
		          strerror(-err));
		return 1;
	}
	(void)sandbox_enter("dns"); /* a failure is a condition */
	err = run_server(&s);
	if (err < 0)
		log_error("dns-failed", "error=\"%s\"", strerror(-err));
	close_server(&s);
	return err < 0;
}
