/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/main.c and dns/server.c with all that they call in the test's hands: each call is noted, may
 * fail, and gives what `edge` says.
 */
#ifndef WEIR_TESTS_UNIT_DNS_MAIN_SCENE_H
#define WEIR_TESTS_UNIT_DNS_MAIN_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sandbox.h"
#include "dns/answer/answer.h"
#include "dns/handed.h"
#include "dns/server.h"
#include "weir/health.h"
#include "weir/json.h"
#include "weir/stats.h"

#define NEVER UINT_MAX

/* What was called, in order, and which call of these fails how. */
static char calls[4096];
static unsigned n_calls, fail_at;
static int fail_how;

static int __attribute__((format(printf, 1, 2))) note_call(const char *format, ...)
{
	size_t at = strlen(calls);
	va_list list;

	va_start(list, format);
	vsnprintf(calls + at, sizeof(calls) - at, format, list);
	va_end(list);
	assert_true(strlen(calls) + 2 < sizeof(calls));
	strcat(calls, " ");
	return n_calls++ == fail_at ? fail_how : 0;
}

/* What the edges are. */
static struct {
	struct rlimit limit, set;
	int rlimit_result, seen_fds;
	uint64_t now_ms;
	const struct health_page *seen_own;
	const struct page *seen_page;
	uint64_t good_until_ms, observed_ms;
	const char *seen_run;
	int64_t wall_clock_ms, not_before_ms;
	enum wall_clock_hold hold;
	bool replaced, supervised, trusted;
	bool has_page; /* of health */
	struct page_header header;
	struct health_page health;
	struct generation_time time;
	struct loop_timer *timer;
	uint64_t timer_ms;
	struct server *server;
	loop_cb *on_page, *on_signal[65];
	char counters_stats;
	uint64_t turns;
} edge;

static struct proc_dirs places = {
	.run = "/r", .state = "/s", .conf = "/c", .bpf = "/b", .node = "n"
};
static uint64_t words[5];
static struct generation generation;
static struct model model;
static struct model_node own_node;
static struct peer_health views;
static FILE *out_file, *err_out;
static char *out_text, *err_text;
static size_t out_bytes, err_size;

static int fake_getrlimit(int what, struct rlimit *limit)
{
	assert_int_equal(what, RLIMIT_NOFILE);
	*limit = edge.limit;
	return edge.rlimit_result;
}

static int fake_setrlimit(int what, const struct rlimit *limit)
{
	assert_int_equal(what, RLIMIT_NOFILE);
	edge.set = *limit;
	(void)note_call("setrlimit");
	return 0;
}

static int fake_eventfd(unsigned n, int flags)
{
	assert_int_equal(n, 0);
	assert_int_equal(flags, EFD_CLOEXEC | EFD_NONBLOCK);
	errno = -fail_how;
	return note_call("eventfd") ? -1 : 70 + edge.seen_fds++;
}

static int fake_loop_open(struct loop **l)
{
	int err = note_call("loop_open");

	*l = err ? NULL : (void *)&edge;
	return err;
}

static int fake_watch_file(struct loop *l, const char *path, loop_cb *cb, void *arg)
{
	(void)l;
	assert_ptr_equal(arg, edge.server);
	edge.on_page = cb;
	return note_call("file:%s", path);
}

static int fake_signal(struct loop *l, int signo, loop_cb *cb, void *arg)
{
	(void)l;
	assert_ptr_equal(arg, edge.server);
	edge.on_signal[signo] = cb;
	return note_call("signal:%d", signo);
}

static int fake_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	(void)l;
	assert_ptr_equal(arg, edge.server);
	assert_int_equal(events, EPOLLIN);
	return note_call("fd:%d:%s", fd, cb == workers_join_ended ? "crew" : "?");
}

static int fake_timer(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	edge.timer = t;
	edge.timer_ms = at_ms;
	return note_call("timer");
}

static int fake_watch_page(struct loop *l, struct page *page, loop_cb *cb, void *arg)
{
	(void)l;
	assert_ptr_equal(page, &edge.health);
	assert_ptr_equal(arg, edge.server);
	edge.on_page = cb;
	return note_call("watch_page");
}

static void fake_beat(struct loop *l, uint64_t *word)
{
	(void)l;
	assert_ptr_equal(word, &edge.turns);
	(void)note_call("beat");
}

static int fake_health_page_open(const char *run_dir, struct page **page)
{
	int err = note_call("page:%s", run_dir);

	if (!err && !edge.has_page)
		err = -ENOENT;
	if (!err)
		*page = (void *)&edge.health;
	return err;
}

static void fake_observe(struct generation *g, const struct peer_health_input *seen,
                         struct ramps *ramps, struct decided *decided,
                         const struct generation_time *time)
{
	assert_ptr_equal(g, &generation);
	assert_ptr_equal(ramps, &edge.server->ramps);
	assert_ptr_equal(decided, &edge.server->decided);
	edge.seen_own = seen->own;
	edge.seen_page = seen->own_page;
	edge.good_until_ms = seen->own_good_until_ms;
	edge.observed_ms = seen->now_ms;
	edge.seen_run = seen->run_dir;
	edge.time = *time;
	(void)note_call("observe");
}

static void fake_forget_own(struct peer_health *v)
{
	assert_ptr_equal(v, &views);
	(void)note_call("forget_own");
}

static int64_t fake_believed(struct believed *b, const char *run_dir)
{
	assert_ptr_equal(b, &edge.server->believed);
	assert_string_equal(run_dir, "/r");
	(void)note_call("clock");
	return edge.wall_clock_ms;
}

static void fake_not_before(struct believed *b, int64_t at_ms)
{
	assert_ptr_equal(b, &edge.server->believed);
	edge.not_before_ms = at_ms;
}

static enum wall_clock_hold fake_hold(const struct wall_clock *w, bool trusted)
{
	(void)w;
	edge.trusted = trusted;
	return edge.hold;
}

static size_t fake_held(const struct ramps *r, enum ramp_how how)
{
	assert_ptr_equal(r, &edge.server->ramps);
	return how == RAMP_HELD_CLOCK ? 3 : how == RAMP_HELD_SITE ? 4 : 99;
}

static void fake_alive(struct stats *stats, uint64_t now_ms)
{
	assert_ptr_equal(stats, &edge.counters_stats);
	(void)note_call("alive:%llu", (unsigned long long)now_ms);
}

static int fake_counters_open(struct counters *c, const char *run_dir)
{
	int err;

	assert_string_equal(run_dir, "/r");
	*c = (struct counters){ 0 };
	err = note_call("counters_open");
	if (!err) {
		c->stats = (void *)&edge.counters_stats;
		c->clock_held = &words[0];
		c->clock_stepped = &words[1];
		c->clock_unsynchronised = &words[2];
		c->ramps_held[0] = &words[3];
		c->ramps_held[1] = &words[4];
	}
	return err;
}

static uint64_t *fake_turns(struct stats *stats, const char *thread)
{
	assert_ptr_equal(stats, &edge.counters_stats);
	assert_string_equal(thread, "main");
	return &edge.turns;
}

static int fake_ctl_serve(struct loop *l, const char *path, const char *group, ctl_handler *handler,
                          void *arg, struct ctl **ctl)
{
	(void)l;
	assert_string_equal(group, "weir");
	assert_ptr_equal(handler, dns_ctl_handle);
	assert_ptr_equal(arg, edge.server);
	*ctl = (void *)&edge;
	return note_call("ctl:%s", path);
}

static int fake_become(const char *name, uint64_t caps)
{
	assert_string_equal(name, "dns");
	assert_int_equal(caps, 0);
	return note_call("become");
}

static int fake_sandbox(const char *name)
{
	assert_string_equal(name, "dns");
	return note_call("sandbox");
}

static int fake_dirs(struct proc_dirs *to, int *argc, char **argv)
{
	(void)argc;
	(void)argv;
	*to = places;
	return note_call("dirs");
}

static void fake_early(struct server *of)
{
	edge.server = of;
	(void)note_call("early:%u", of->port);
}

static void fake_loop_close(struct loop *l)
{
	/* a loop that was never opened is none */
	(void)note_call(l ? "loop_close" : "no_loop");
}

/* Calls of which nothing but the order matters. */
#define NOTE_ONLY(name, type)                                                                      \
	static void fake_##name(type of)                                                           \
	{                                                                                          \
		(void)of;                                                                          \
		(void)note_call(#name);                                                            \
	}
NOTE_ONLY(loop_stop, struct loop *)
NOTE_ONLY(serving_publish, struct server *)
NOTE_ONLY(serving_close, struct server *)
NOTE_ONLY(keep_tick, struct server *)
NOTE_ONLY(keep_stop, struct server *)
NOTE_ONLY(keys_begin, struct server *)
NOTE_ONLY(keys_end, struct server *)
NOTE_ONLY(server_conditions, struct server *)
NOTE_ONLY(workers_stop, struct server *)
NOTE_ONLY(listen_close, struct server *)
NOTE_ONLY(server_load_stop, struct server *)

void server_load_tick(struct server *of, uint64_t now_ms)
{
	(void)of;
	(void)now_ms;
	(void)note_call("server_load_tick");
}

NOTE_ONLY(ramps_close, struct ramps *)
NOTE_ONLY(decided_close, struct decided *)
NOTE_ONLY(believed_close, struct believed *)
NOTE_ONLY(ctl_close, struct ctl *)
NOTE_ONLY(counters_close, struct counters *)

uint64_t server_load_start(struct server *of, bool from_files)
{
	assert_ptr_equal(of, edge.server);
	assert_false(from_files);
	(void)note_call("load");
	return 1;
}

int server_load_open(struct server *of)
{
	assert_ptr_equal(of, edge.server);
	return note_call("loads");
}

void workers_join_ended(void *arg, int fd, uint32_t events)
{
	(void)arg;
	(void)fd;
	(void)events;
}

char *dns_ctl_handle(void *arg, const char *line, size_t length)
{
	(void)arg;
	(void)line;
	(void)length;
	return NULL;
}

void counters_answer(const struct counters *c, struct tally *tally, const struct serving *from,
                     bool tcp, const struct answer_info *info)
{
	(void)c;
	(void)tally;
	(void)from;
	(void)tcp;
	(void)info;
	fail_msg("nothing answers here");
}

#define getrlimit                   fake_getrlimit
#define setrlimit                   fake_setrlimit
#define eventfd                     fake_eventfd
#define loop_open                   fake_loop_open
#define loop_watch_file             fake_watch_file
#define loop_signal                 fake_signal
#define loop_fd_add                 fake_fd_add
#define loop_timer_set              fake_timer
#define loop_watch_page             fake_watch_page
#define loop_beat                   fake_beat
#define loop_run(l)                 note_call("run")
#define loop_stop                   fake_loop_stop
#define loop_close                  fake_loop_close
#define health_page_open            fake_health_page_open
#define page_payload(p)             ((void *)(p))
#define page_header(p)              (&edge.header)
#define page_is_replaced(p)         (edge.replaced)
#define page_close(p)               note_call((p) ? "page_close" : "no_page")
#define clock_mono_ms()             (edge.now_ms)
#define generation_observe          fake_observe
#define peer_health_forget_own      fake_forget_own
#define believed_tick               fake_believed
#define believed_not_before         fake_not_before
#define believed_close              fake_believed_close
#define wall_clock_hold(w, trusted) fake_hold(w, trusted)
#define ramps_held(r, how)          fake_held(r, how)
#define stats_alive                 fake_alive
#define stats_turns                 fake_turns
#define stats_job_begin(s, job, n)  note_call("begin:%s:%u", job, n)
#define stats_job_end(s, job)       note_call("end:%s", job)
#define counters_open               fake_counters_open
#define counters_close              fake_counters_close
#define handed_channel()            (edge.supervised ? 5 : -ENOENT)
#define listen_watch(s)             note_call("handed")
#define ctl_serve                   fake_ctl_serve
#define ctl_close                   fake_ctl_close
#define ramps_open(r, dir)          note_call("ramps:%s", dir)
#define decided_open(d, dir)        note_call("decided:%s", dir)
#define ramps_close                 fake_ramps_close
#define decided_close               fake_decided_close
#define serving_publish             fake_serving_publish
#define serving_close               fake_serving_close
#define keep_tick                   fake_keep_tick
#define keys_begin                  fake_keys_begin
#define keys_tick(s, now_ms)        note_call("keys")
#define keys_end                    fake_keys_end
#define keep_stop                   fake_keep_stop
#define listen_tick(s, now_ms)      note_call("listen:%llu", (unsigned long long)(now_ms))
#define listen_close                fake_listen_close
#define listen_early                fake_early
#define workers_stop                fake_workers_stop
#define server_load_stop            fake_server_load_stop
#define server_conditions           fake_server_conditions
#define proc_ignore_signals()       note_call("ignore_signals")
#define json_prepare()              note_call("json")
#define proc_dirs_from_args         fake_dirs
#define proc_become                 fake_become
#define sandbox_enter               fake_sandbox
#undef stdout
#undef stderr
#define stdout out_file
#define stderr err_out
#include "dns/server.c"
#include "dns/process.c"

#endif
