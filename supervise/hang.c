/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor does with a process that hangs. The first rule that applies decides:
 *
 *   the supervisor was itself late           no process is blamed: all silence counts from now (watch.c)
 *   it waits for a processor                 that time does not count (watch.c)
 *   a job is announced, its time is not over wait for it
 *   DPDK's workers count rounds              it forwards: never kill it; degraded, a person decides
 *   --hang-time is off                       it is not to be killed: degraded, a person decides
 *   another one was restarted, not yet back  wait: one restart at a time
 *   a thread is in state D                   nothing can end it: degraded, look again later; others go on
 *   else                                     log where its threads are, kill it, start it again
 *
 * SIGKILL comes first: a main loop that hangs handles no other signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "weir/condition.h"

#define LOOK_AGAIN_MS 5000u  /* between two looks at the threads of a blocked process */
#define RECOVER_MS    30000u /* after a restart the others wait at most so long */
#define UNSEEN_MS     60000u /* then a process without signs of life becomes a note in the status */
#define NOTE_MS       600000u /* how long a restart is shown in the status */
#define STATS_WORDS   32u
#define ROOM_LEAST    ((uint64_t)1 << 20) /* bytes free in the run directory; a page may need more */

void run_hang_forget(struct child *c)
{
	run_page_close(&c->page);
	c->life = (struct run_life){ 0 };
	c->verdict = LIFE_UNKNOWN;
	c->trouble = TROUBLE_NONE;
	c->waited_ms = c->looked_ms = c->killed_ms = 0;
}

static void log_thread_dump(const struct child *c, const struct run_thread_dump *dump)
{
	const char *at = dump->text;

	while (*at) {
		int n = (int)strcspn(at, "\n");

		log_warn("process-thread", "process=%s pid=%d %.*s", c->name, (int)c->pid, n, at);
		at += n + (at[n] == '\n');
	}
	if (!*dump->text)
		log_warn("process-thread",
		         "process=%s pid=%d reason=\"its threads cannot be read\"", c->name,
		         (int)c->pid);
}

static void set_trouble(struct child *c, enum child_trouble trouble, const char *what)
{
	if (c->trouble == trouble)
		return;
	c->trouble = trouble;
	log_error("process-hangs", "process=%s pid=%d thread=%s silent_s=%.1f action=\"%s\"",
	          c->name, (int)c->pid, c->life.thread, (double)c->life.silent_ms / 1000, what);
}

/* Count a restart, for what is in restarted_for. */
static void count_restart(struct child *c, uint64_t now_ms)
{
	char labels[64];

	c->restarted_ms = now_ms;
	c->restarts++;
	if (!c->run->stats)
		return;
	snprintf(labels, sizeof(labels), "name=\"%s\"", c->name);
	stats_add(stats_get_counter(c->run->stats, STATS_COUNTER, "weir_run_restarts_total", labels,
	                            "Processes restarted because they hung or died."),
	          1);
}

void run_hang_note_death(struct child *c, int status)
{
	bool crashed = WIFSIGNALED(status);

	snprintf(c->restarted_for, sizeof(c->restarted_for), "it %s %d",
	         crashed ? "died of signal" : "ended with status",
	         crashed ? WTERMSIG(status) : WEXITSTATUS(status));
	count_restart(c, clock_mono_ms());
}

static void restart_child(struct child *c, const struct run_thread_dump *dump, uint64_t now_ms)
{
	struct run *r = c->run;

	set_trouble(c, TROUBLE_KILLED, "killed and started again");
	snprintf(c->reason, sizeof(c->reason), "no sign of life of thread %s for %.1f s%s%s",
	         c->life.thread, (double)c->life.silent_ms / 1000,
	         *dump->main ? "; main thread: " : "", dump->main);
	snprintf(c->restarted_for, sizeof(c->restarted_for), "%s", c->reason);
	c->killed_ms = now_ms;
	count_restart(c, now_ms);
	r->recovering = c;
	r->recover_until_ms = now_ms + RECOVER_MS;
	if (syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0) != 0)
		log_error("process-not-killed", "process=%s pid=%d error=\"%s\"", c->name,
		          (int)c->pid, strerror(errno));
}

/*
 * The order of these questions is that of the table above: each one spares a process that must not
 * be restarted.
 */
static void treat_hanging(struct child *c, uint64_t now_ms)
{
	const struct run *r = c->run;
	static struct run_thread_dump dump;
	bool first = !c->looked_ms;

	if (c->killed_ms)
		return;
	if (c->life.forwards) {
		snprintf(c->reason, sizeof(c->reason), "thread %s", c->life.thread);
		set_trouble(c, TROUBLE_FORWARDS,
		            "none: its workers forward, so a person must decide");
		return;
	}
	if (r->spares) {
		set_trouble(c, TROUBLE_SPARED, "none: --hang-time is off");
		return;
	}
	if (r->recovering && r->recovering != c)
		return;
	if (!first && now_ms < c->looked_ms + LOOK_AGAIN_MS)
		return;
	c->looked_ms = now_ms;
	run_threads_dump(c->pid, &dump);
	if (first)
		log_thread_dump(c, &dump);
	if (dump.blocked) {
		snprintf(c->reason, sizeof(c->reason), "main thread: %s", dump.main);
		set_trouble(c, TROUBLE_BLOCKED, "none: it is in an uninterruptible sleep");
		return;
	}
	restart_child(c, &dump, now_ms);
}

static void treat_living(struct child *c)
{
	struct run *r = c->run;

	if (c->trouble != TROUBLE_NONE)
		log_note("process-lives", "process=%s pid=%d", c->name, (int)c->pid);
	c->trouble = TROUBLE_NONE;
	c->looked_ms = 0;
	if (r->recovering == c)
		r->recovering = NULL;
}

static void look_at_child(struct child *c, uint64_t watched_ms, uint64_t now_ms)
{
	struct run *r = c->run;
	struct run_signs signs;
	char schedstat[128];

	if (!c->pid)
		return;
	run_signs_read(&c->page, r->dirs->run, c->name, c->pid, now_ms, &signs);
	run_read_proc(c->pid, "schedstat", schedstat, sizeof(schedstat));
	signs.waited_ms = run_waited_ms(&c->waited_ms, schedstat);
	c->verdict = run_life_feed(&c->life, &signs, watched_ms, r->hang_ms, now_ms / 1000);
	if (r->stopping || c->must_restart)
		return; /* it got SIGTERM, which has a limit of its own */
	if (c->verdict == LIFE_HUNG)
		treat_hanging(c, now_ms);
	else if (c->verdict == LIFE_RUNNING)
		treat_living(c);
}

/* The supervisor's conditions; the processes state their own. */
static void state_child(const struct child *c, uint64_t now_ms)
{
	struct stats *s = c->run->stats;
	char subject[32];
	double silent_s = (double)c->life.silent_ms / 1000;

	snprintf(subject, sizeof(subject), "weir-%s", c->name);
	if (c->trouble == TROUBLE_FORWARDS)
		conditions_add(s, "process-hangs", CONDITION_DEGRADED, subject,
		               "hangs (%s, %.0f s), but its workers still forward, so weir run "
		               "does not kill it: take this node out of routing, then kill -9 %d",
		               c->reason, silent_s, (int)c->pid);
	if (c->trouble == TROUBLE_SPARED)
		conditions_add(
		        s, "process-hangs", CONDITION_DEGRADED, subject,
		        "hangs (thread %s, %.0f s), and weir run does not restart it: it runs "
		        "with --hang-time off: look at it, then kill -9 %d",
		        c->life.thread, silent_s, (int)c->pid);
	if (c->trouble == TROUBLE_BLOCKED)
		conditions_add(
		        s, "process-blocked", CONDITION_DEGRADED, subject,
		        "hangs in an uninterruptible sleep (%s): check disks and dmesg; pid %d cannot be killed",
		        c->reason, (int)c->pid);
	if (c->trouble == TROUBLE_KILLED && now_ms > c->killed_ms + STOP_MS)
		conditions_add(s, "process-blocked", CONDITION_DEGRADED, subject,
		               "was killed (%s) and does not end: check disks and dmesg; pid %d",
		               c->reason, (int)c->pid);
	if (c->restarted_ms && now_ms < c->restarted_ms + NOTE_MS)
		conditions_add(s, "process-restarted", CONDITION_NOTE, subject,
		               "restarted by weir run (%u times so far): %s; the log of weir run "
		               "says more",
		               c->restarts, c->restarted_for);
	run_good_state(c, s);
	if (c->pid && c->verdict == LIFE_UNKNOWN && now_ms > c->started_ms + UNSEEN_MS)
		conditions_add(
		        s, "process-unwatched", CONDITION_NOTE, subject,
		        "shows weir run no sign of life (it cannot create its page): weir run does "
		        "not see whether it hangs");
}

/* Without free space a new process has no page to say so, so the supervisor says it. */
static void state_room(const struct run *r)
{
	const char *dir = r->dirs->run;
	struct statvfs fs;

	if (statvfs(dir, &fs) == 0 && fs.f_blocks > 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_LEAST)
		conditions_add(r->stats, "run-dir-full", CONDITION_DEGRADED, dir,
		               "no space is left in %.100s, so a process that starts shows nothing "
		               "or ends at once: look with df %.100s, and remove files that are "
		               "not Weir's",
		               dir, dir);
}

static void state_all(const struct run *r, uint64_t now_ms)
{
	if (!r->stats)
		return;
	stats_set(stats_get_counter(
	                  r->stats, STATS_GAUGE, STATS_FORWARD, "",
	                  "1 while the DPDK workers of weir-dataplane count rounds, so they "
	                  "forward."),
	          r->children[CHILD_DATAPLANE].pid && r->children[CHILD_DATAPLANE].life.forwards);
	stats_alive(r->stats, now_ms);
	conditions_begin(r->stats, 0);
	for (int i = 0; i < CHILD_COUNT; i++)
		state_child(&r->children[i], now_ms);
	state_room(r);
	conditions_end(r->stats);
}

/* systemd restarts this process alone when it is silent: the others go on (KillMode=process). */
static void feed_watchdog(struct run *r, uint64_t now_ms)
{
	if (!r->watchdog_ms || now_ms < r->watchdog_at_ms)
		return;
	proc_notify("WATCHDOG=1");
	r->watchdog_at_ms = now_ms + r->watchdog_ms / 4;
}

void run_hang_open(struct run *r)
{
	int err = stats_create(r->dirs->run, "run", STATS_WORDS, &r->stats);

	if (!err) {
		stats_alive(r->stats, clock_mono_ms());
		return;
	}
	r->stats = NULL;
	if (!r->lacks_page)
		log_warn(
		        "stats-not-opened",
		        "dir=%s error=\"%s\" effect=\"weir run shows no conditions; it tries again every %u ms\"",
		        r->dirs->run, strerror(-err), RUN_LOOK_MS);
	r->lacks_page = true;
}

/*
 * All children are looked at by one clock reading, so that a pause of the machine counts for none
 * of them.
 */
static void on_look_timer(void *arg)
{
	struct run *r = arg;
	uint64_t now_ms = clock_mono_ms(), since_ms = now_ms - r->last_look_ms;

	log_tick();
	run_keep_files(r);
	uint64_t watched_ms = run_watched_ms(since_ms, r->hang_ms);

	if (watched_ms == RUN_WAS_AWAY)
		log_warn("supervisor-was-late",
		         "late_ms=%llu effect=\"all silence counts from now\"",
		         (unsigned long long)since_ms);
	if (now_ms >= r->recover_until_ms)
		r->recovering = NULL;
	for (int i = 0; i < CHILD_COUNT; i++)
		look_at_child(&r->children[i], watched_ms, now_ms);
	r->last_look_ms = now_ms;
	run_good_look(r, now_ms);
	if (!r->stats)
		run_hang_open(r);
	state_all(r, now_ms);
	feed_watchdog(r, now_ms);
	loop_timer_set(r->loop, &r->look, clock_mono_ms() + RUN_LOOK_MS);
}

void run_hang_begin(struct run *r)
{
	r->watchdog_ms = proc_watchdog_ms();
	r->last_look_ms = clock_mono_ms();
	r->look = (struct loop_timer){ .cb = on_look_timer, .arg = r };
	on_look_timer(r);
}

void run_hang_end(struct run *r)
{
	loop_timer_cancel(r->loop, &r->look);
	for (int i = 0; i < CHILD_COUNT; i++)
		run_page_close(&r->children[i].page);
	stats_remove(r->stats, r->dirs->run, "run");
	r->stats = NULL;
}
