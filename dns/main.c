/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns: start, tick, stop.
 */
#include "dns/server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/page.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/stats.h"
#include "weir/view.h"

#define HEALTH_RETRY_MS 1000

size_t server_answer(struct server *s, const uint8_t *query, size_t length,
                     const struct addr *client, bool tcp, uint8_t *out, size_t out_size)
{
	const struct generation *g = s->now;
	const char *node = s->dirs->node;
	const struct answer_env env = {
		.image = g->image,
		.place = g->place,
		.state = g->state,
		.nsid = (const uint8_t *)node,
		.nsid_length = strlen(node),
		.wall_ms = s->wall_ms,
	};
	const struct answer_query q = {
		.bytes = query, .length = length, .client = *client, .tcp = tcp
	};
	struct answer_info info;
	size_t n = answer(&env, &q, out, out_size, &info, NULL);

	if (n)
		counters_answer(&s->counters, g, tcp, &info);
	else if (s->counters.stats)
		stats_add(s->counters.drops[COUNTERS_DROP_MALFORMED], 1);
	return n;
}

static void on_stop(void *arg)
{
	struct server *s = arg;

	loop_stop(s->loop);
}

static void on_document(void *arg)
{
	server_load_start(arg, false);
}

void server_observe(struct server *s, struct generation *g)
{
	const struct views_seen seen = {
		.own = s->health ? page_payload(s->health) : NULL,
		.own_good_until_ms =
		        s->health ? page_header(s->health)->alive_ms + VIEW_GOOD_MS : 0,
		.run_dir = s->dirs->run,
		.now_ms = clock_mono_ms(),
	};

	const struct generation_time time = { .wall_ms = s->wall_ms,
		                              .clock_held = wall_holds_ramps(s->clock) };

	generation_observe(g, &seen, &s->ramps, &s->decided, &time);
}

static void on_health(void *arg)
{
	struct server *s = arg;

	if (s->now)
		server_observe(s, s->now);
}

/* Map the health page when it appears, and again when its writer has made a new one. */
static void find_health(struct server *s, uint64_t now_ms)
{
	char path[PATH_MAX];
	struct page *page;

	if (s->health && !page_is_replaced(s->health))
		return;
	if (s->health_tried_ms && now_ms - s->health_tried_ms < HEALTH_RETRY_MS)
		return;
	s->health_tried_ms = now_ms;
	if (proc_path(s->dirs->run, PROC_HEALTH_PAGE, path) < 0 ||
	    page_open(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, &page) < 0)
		return;
	if (page_size(page) < sizeof(struct health_page) ||
	    loop_watch_page(s->loop, page, on_health, s) < 0) {
		page_close(page);
		return;
	}
	/* a replaced page stays mapped: the loop's watch borrows it until the end */
	s->health = page;
	if (s->now)
		views_forget_own(s->now->views);
	log_note("dns-health-page", "state=found");
}

static void read_clock(struct server *s)
{
	const struct model_node *self = s->now ? s->now->model->self : NULL;
	bool trusted = !self || self->clock == MODEL_CLOCK_TRUSTED;
	enum wall_hold was = s->clock;

	s->wall_ms = believed_tick(&s->believed, s->dirs->run);
	s->clock = wall_hold(&s->believed.wall, trusted);
	if (s->clock == was)
		return;
	log_at(s->clock == WALL_RUNS ? LOG_NOTICE : LOG_WARNING, "dns-clock",
	       "state=%s was=%s effect=\"ramps of drains %s\"", wall_hold_text(s->clock),
	       wall_hold_text(was), wall_holds_ramps(s->clock) ? "are held" : "run");
}

static void show(struct server *s, uint64_t now_ms)
{
	const struct counters *c = &s->counters;

	if (!c->stats)
		return;
	stats_set(c->clock_held, wall_holds_ramps(s->clock));
	stats_set(c->clock_stepped, s->clock == WALL_STEPPED);
	stats_set(c->clock_unsynchronised, s->clock == WALL_UNSYNCHRONISED);
	stats_set(c->ramps_held[0], ramps_held(&s->ramps, RAMP_HELD_CLOCK));
	stats_set(c->ramps_held[1], ramps_held(&s->ramps, RAMP_HELD_SITE));
	stats_alive(c->stats, now_ms);
	if (now_ms >= s->conditions_ms + SERVER_CONDITIONS_MS)
		server_conditions(s);
}

static void on_tick(void *arg)
{
	struct server *s = arg;
	uint64_t now_ms = clock_mono_ms();

	read_clock(s);
	log_tick();
	find_health(s, now_ms);
	if (s->now)
		server_observe(s, s->now);
	keep_tick(s);
	tcp_tick(s, now_ms);
	show(s, now_ms);
	(void)loop_timer_set(s->loop, &s->tick, now_ms + SERVER_TICK_MS);
}

static int watch(struct server *s)
{
	char path[PATH_MAX];
	int err = proc_path(s->dirs->state, PROC_EFFECTIVE_FILE, path);

	if (err == 0)
		err = loop_watch_file(s->loop, path, on_document, s);
	if (err == 0)
		err = loop_signal(s->loop, SIGTERM, on_stop, s);
	if (err == 0)
		err = loop_signal(s->loop, SIGINT, on_stop, s);
	if (err == 0)
		err = loop_signal(s->loop, SIGHUP, on_document, s);
	s->load.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err == 0 && s->load.event < 0)
		err = -errno;
	if (err == 0)
		err = loop_fd_add(s->loop, s->load.event, EPOLLIN, server_load_done, s);
	return err;
}

/* What the server can do without: it says so and goes on. */
static void open_extras(struct server *s)
{
	char path[PATH_MAX];
	int err = counters_open(&s->counters, s->dirs->run);

	if (err < 0)
		log_error("dns-stats-failed", "error=\"%s\"", strerror(-err));
	err = proc_path(s->dirs->run, "dns.ctl", path);
	if (err == 0)
		err = ctl_serve(s->loop, path, "weir", control_handle, s, &s->ctl);
	if (err < 0)
		log_error("dns-control-failed", "error=\"%s\"", strerror(-err));
}

static int serve(struct server *s)
{
	int err = loop_open(&s->loop);

	if (err == 0)
		err = udp_open(s);
	if (err == 0)
		err = tcp_open(s);
	if (err == 0)
		err = watch(s);
	if (err < 0)
		return err;
	open_extras(s);
	err = ramps_open(&s->ramps, s->dirs->state);
	if (err == -ENOMEM)
		return err;
	if (err < 0)
		log_error("dns-ramps-not-taken",
		          "error=\"%s\" effect=\"drains by their schedules\"", strerror(-err));
	err = decided_open(&s->decided, s->dirs->state);
	if (err < 0)
		log_error("dns-sites-not-taken",
		          "error=\"%s\" effect=\"sites as the views have them\"", strerror(-err));
	s->tick = (struct loop_timer){ .cb = on_tick, .arg = s };
	on_tick(s);
	server_load_start(s, false);
	return loop_run(s->loop);
}

static void finish(struct server *s)
{
	listen_close_early(s);
	server_load_stop(s);
	keep_stop(s);
	ramps_close(&s->ramps);
	decided_close(&s->decided);
	believed_close(&s->believed);
	ctl_close(s->ctl);
	if (s->loop) {
		tcp_close(s);
		for (unsigned i = 0; i < s->n_listens; i++) {
			loop_fd_remove(s->loop, s->listens[i].udp);
			loop_fd_remove(s->loop, s->listens[i].tcp);
			close(s->listens[i].udp);
			close(s->listens[i].tcp);
		}
	}
	udp_close(s);
	counters_close(&s->counters);
	generation_free(s->now);
	loop_close(s->loop);
	page_close(s->health);
}

static int usage(FILE *to, int status)
{
	fprintf(to,
	        "usage: weir-dns [--port PORT] [options]\n"
	        "Answers for the zones and dynamic names of the effective document.\n\n"
	        "  --port PORT      port of sockets that are not handed down (53)\n%s",
	        proc_dirs_help);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
		                                 { "help", no_argument, NULL, 'h' },
		                                 { 0 } };
	static struct proc_dirs dirs;
	static struct server s = { .dirs = &dirs, .port = 53 };
	int option, err;

	if (proc_dirs_from_args(&dirs, &argc, argv) < 0)
		return 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option != 'p' || atoi(optarg) < 1 || atoi(optarg) > UINT16_MAX)
			return usage(stderr, 1);
		s.port = (uint16_t)atoi(optarg);
	}
	if (optind != argc)
		return usage(stderr, 1);
	listen_early(&s);
	err = proc_become("dns", 0);
	if (err < 0) {
		log_error("dns-start-failed", "what=\"dropping rights\" error=\"%s\"",
		          strerror(-err));
		return 1;
	}
	err = serve(&s);
	if (err < 0)
		log_error("dns-failed", "error=\"%s\"", strerror(-err));
	finish(&s);
	return err < 0;
}
