/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor does about processes that hang: whom it ends, whom it leaves, what it says
 * (supervise/hang.c). Signs of life and the supervisor's page are real ones; a process is a
 * child that only waits, whose signs are written here. Time is moved by moving back what is
 * remembered of it. What /proc says of threads is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lock.h"
#include "supervise/internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LOOK_AGAIN_MS 5000
#define RECOVER_MS    30000
#define KILLED_MS     5000
#define UNSEEN_MS     60000
#define NOTE_MS       600000
#define ALIVE_MS      10000 /* room for a busy machine beside each of these */

#define HANG_MS 60000u /* far more than a look may be late */
#define LOOKS   60     /* of a second each */

struct scene {
	char dir[32];
	struct proc_dirs dirs;
	struct run run;
	struct stats *pages[CHILD_COUNT];
	uint64_t *turns[CHILD_COUNT];
	pid_t victims[CHILD_COUNT];
};

static struct {
	const char *state, *wchan; /* of the main thread, as /proc has it */
} place;
static unsigned n_places; /* how often it was looked for */

/* @return a descriptor that reads as @p text, a line */
static int open_line(const char *text)
{
	int fd = memfd_create("line", MFD_CLOEXEC);

	dprintf(fd, "%s\n", text);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Nobody waits for a processor: on a busy machine this test does. */
static int own_open64(const char *path, int flags, mode_t mode)
{
	char file[16] = "", line[64];
	int pid = 0, tid = 0;

	errno = ENOENT;
	if (strstr(path, "/schedstat"))
		return -1;
	sscanf(path, "/proc/%d/task/%d/%15s", &pid, &tid, file);
	if (tid && tid == pid && !strcmp(file, "wchan"))
		return open_line(place.wchan);
	snprintf(line, sizeof(line), "%d (main) %s 1 1", pid, place.state);
	return tid && tid == pid && !strcmp(file, "stat") ? open_line(line)
	                                                  : __real_open64(path, flags, mode);
}

static int own_pipe2(int ends[2], int flags)
{
	n_places++;
	return __real_pipe2(ends, flags);
}

/*
 * A process that runs, takes part in nothing, and can be killed. Its signs are written by us, so
 * its number is ours.
 */
static void add_child(struct scene *s, int i)
{
	struct child *c = &s->run.children[i];

	s->victims[i] = fork();
	if (s->victims[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_true(s->victims[i] > 0);
	c->pid = getpid();
	c->pidfd = (int)syscall(SYS_pidfd_open, s->victims[i], 0);
	assert_true(c->pidfd >= 0);
	c->started_ms = clock_mono_ms();
	assert_int_equal(stats_create(s->dir, c->name, 16, &s->pages[i]), 0);
	s->turns[i] = stats_turns(s->pages[i], "main");
	stats_add(s->turns[i], 1);
}

static int set_up(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns" };
	struct scene *s = calloc(1, sizeof(*s));
	char lock[64];

	if (!s)
		return -1;
	strcpy(s->dir, "/tmp/weir-hang-XXXXXX");
	if (!mkdtemp(s->dir) || mount("tmpfs", s->dir, "tmpfs", 0, "size=8m") ||
	    loop_open(&s->run.loop))
		return -1;
	snprintf(s->dirs.run, sizeof(s->dirs.run), "%s", s->dir);
	s->run.dirs = &s->dirs;
	snprintf(lock, sizeof(lock), "%s/" RUN_LOCK_FILE, s->dir);
	if (lock_acquire(lock, &s->run.lock_fd))
		return -1;
	s->run.hang_ms = HANG_MS;
	for (int i = 0; i < CHILD_COUNT; i++)
		s->run.children[i] =
		        (struct child){ .name = names[i], .run = &s->run, .pidfd = -1 };
	place.state = "S";
	place.wchan = "futex";
	n_places = 0;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	if (s->run.stats)
		run_hang_end(&s->run);
	loop_close(s->run.loop);
	for (int i = 0; i < CHILD_COUNT; i++) {
		if (s->victims[i] > 0) {
			kill(s->victims[i], SIGKILL);
			waitpid(s->victims[i], NULL, 0);
		}
		if (s->run.children[i].pidfd >= 0)
			close(s->run.children[i].pidfd);
		stats_close(s->pages[i]);
	}
	close(s->run.lock_fd);
	umount2(s->dir, MNT_DETACH);
	rmdir(s->dir);
	free(s);
	return 0;
}

/* A look @p after_ms after the last one. */
static void look_after(struct scene *s, uint64_t after_ms)
{
	s->run.last_look_ms = clock_mono_ms() - after_ms;
	s->run.look.cb(s->run.look.arg);
}

static void look_often(struct scene *s, int n)
{
	for (int i = 0; i < n; i++)
		look_after(s, 1000);
}

/* Whether the process was killed meanwhile; its end is then as the supervisor hears of it. */
static bool was_killed(struct scene *s, int i)
{
	int status;
	pid_t got = 0;

	for (int k = 0; s->victims[i] > 0 && !got && k < (s->run.children[i].killed_ms ? 2000 : 1);
	     k++) {
		got = waitpid(s->victims[i], &status, WNOHANG);
		if (!got)
			usleep(5000);
	}
	if (got <= 0)
		return false;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	s->victims[i] = 0;
	return true;
}

static const struct condition *find_condition(struct scene *s, const char *code,
                                              const char *subject)
{
	static struct conditions all;

	assert_int_equal(conditions_read(s->dir, "run", &all), 0);
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, code) && !strcmp(all.items[i].subject, subject))
			return &all.items[i];
	return NULL;
}

static uint64_t word_of(struct scene *s, const char *name, const char *labels)
{
	struct stats_reader *r;
	uint64_t value = UINT64_MAX;

	assert_int_equal(stats_reader_open(s->dir, "run", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			value = e->value;
	}
	stats_reader_close(r);
	return value;
}

static void who_hangs_is_killed_once_and_named(void **state)
{
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_DNS];
	const struct condition *found;

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_often(s, LOOKS - 1);
	assert_false(was_killed(s, CHILD_DNS));
	assert_null(find_condition(s, "process-restarted", "weir-dns"));
	look_after(s, 1000);
	found = find_condition(s, "process-restarted", "weir-dns");
	assert_non_null(found);
	assert_int_equal(found->level, CONDITION_NOTE);
	assert_non_null(strstr(found->text, "1 times"));
	assert_non_null(strstr(found->text, "no sign of life of thread main for 60."));
	assert_non_null(strstr(found->text, "main thread: state S in futex"));
	assert_null(
	        find_condition(s, "process-blocked", "weir-dns")); /* it may take a while to end */
	assert_true(was_killed(s, CHILD_DNS));
	look_often(s, 5);
	assert_int_equal(n_places, 1);
	assert_int_equal(word_of(s, "weir_run_restarts_total", "name=\"dns\""), 1);
	c->killed_ms -= KILLED_MS + 1;
	look_after(s, 1000);
	found = find_condition(s, "process-blocked", "weir-dns");
	assert_non_null(found);
	assert_int_equal(found->level, CONDITION_DEGRADED);
	assert_non_null(strstr(found->text, "was killed"));
	/* its end is heard of */
	c->pid = 0;
	run_hang_forget(c);
	look_after(s, 1000);
	assert_null(find_condition(s, "process-blocked", "weir-dns"));
	assert_non_null(find_condition(s, "process-restarted", "weir-dns")); /* for ten minutes */
	c->restarted_ms -= NOTE_MS - ALIVE_MS;
	look_after(s, 1000);
	assert_non_null(find_condition(s, "process-restarted", "weir-dns"));
	c->restarted_ms -= ALIVE_MS;
	look_after(s, 1000);
	assert_null(find_condition(s, "process-restarted", "weir-dns"));
}

/* A crash is no less than a hang. */
/* To read a large document may take longer than anything else: a process says so before. */
static void who_is_in_a_job_has_the_time_that_it_said(void **state)
{
	struct scene *s = *state;

	add_child(s, CHILD_DNS);
	stats_job_begin(s->pages[CHILD_DNS], "document", 300);
	run_hang_begin(&s->run);
	look_often(s, 2 * LOOKS);
	assert_int_equal(s->run.children[CHILD_DNS].verdict, LIFE_BUSY);
	assert_false(was_killed(s, CHILD_DNS));
	stats_job_end(s->pages[CHILD_DNS], "document");
	look_after(s, 1000);
	assert_true(was_killed(s, CHILD_DNS));
}

static void who_dies_is_counted_and_named(void **state)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ SIGSEGV, "restarted by weir run (1 times so far): it died of signal 11;" },
		{ 3 << 8, "restarted by weir run (2 times so far): it ended with status 3;" },
	};
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_DNS];

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_after(s, 1000);
	assert_null(find_condition(s, "process-restarted", "weir-dns"));
	for (uint64_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_hang_note_death(c, rows[i].status);
		look_after(s, 1000);
		const struct condition *found = find_condition(s, "process-restarted", "weir-dns");
		assert_non_null(found);
		assert_int_equal(found->level, CONDITION_NOTE);
		assert_memory_equal(found->text, rows[i].text, strlen(rows[i].text));
		assert_int_equal(word_of(s, "weir_run_restarts_total", "name=\"dns\""), i + 1);
	}
	c->restarted_ms -= NOTE_MS;
	look_after(s, 1000);
	assert_null(find_condition(s, "process-restarted", "weir-dns"));
}

/* Nothing that is remembered of the first process spares its successor. */
static void a_successor_that_hangs_is_killed_too(void **state)
{
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_DNS];

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 5);
	assert_true(was_killed(s, CHILD_DNS));
	close(c->pidfd);
	stats_close(s->pages[CHILD_DNS]);
	run_hang_forget(c);
	assert_int_equal(c->verdict, LIFE_UNKNOWN);
	add_child(s, CHILD_DNS);
	look_often(s, LOOKS - 1);
	assert_false(was_killed(s, CHILD_DNS)); /* its silence counts from its own beginning */
	look_often(s, 6);
	assert_true(was_killed(s, CHILD_DNS));
	assert_int_equal(c->trouble, TROUBLE_KILLED);
	assert_int_equal(n_places, 2);
	assert_int_equal(word_of(s, "weir_run_restarts_total", "name=\"dns\""), 2);
}

/* What is wrong with the successor is not why the first process was restarted. */
static void a_successor_that_is_blocked_leaves_the_reason_of_the_restart(void **state)
{
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_DNS];

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 5);
	assert_true(was_killed(s, CHILD_DNS));
	close(c->pidfd);
	stats_close(s->pages[CHILD_DNS]);
	run_hang_forget(c);
	add_child(s, CHILD_DNS);
	place.state = "D";
	place.wchan = "nfs_wait";
	look_often(s, LOOKS + 5);
	assert_non_null(strstr(find_condition(s, "process-blocked", "weir-dns")->text,
	                       "state D in nfs_wait"));
	assert_non_null(strstr(find_condition(s, "process-restarted", "weir-dns")->text,
	                       "main thread: state S in futex"));
}

/* The first is back by its own signs, or after half a minute. */
static void one_is_restarted_at_a_time(void **state)
{
	struct scene *s = *state;
	struct child *first = &s->run.children[CHILD_MGMT];

	add_child(s, CHILD_MGMT);
	add_child(s, CHILD_HEALTH);
	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 5);
	assert_true(was_killed(s, CHILD_MGMT));
	assert_false(was_killed(s, CHILD_HEALTH));
	run_hang_forget(first); /* another process of that name, which has made no turn yet */
	look_often(s, 3);
	assert_true(was_killed(s, CHILD_HEALTH)); /* the first lives */
	run_hang_forget(&s->run.children[CHILD_HEALTH]);
	s->run.children[CHILD_HEALTH].pid = 0; /* its successor does not come */
	stats_add(s->turns[CHILD_MGMT], 1);
	look_after(s, 1000);
	assert_false(was_killed(s, CHILD_DNS));
	s->run.recover_until_ms -= RECOVER_MS - ALIVE_MS;
	look_after(s, 1000);
	assert_false(was_killed(s, CHILD_DNS));
	s->run.recover_until_ms -= ALIVE_MS;
	stats_add(s->turns[CHILD_MGMT], 1);
	look_after(s, 1000);
	assert_true(was_killed(s, CHILD_DNS));
}

static void who_forwards_is_never_ended(void **state)
{
	struct scene *s = *state;
	uint64_t *rounds;
	const struct condition *found;

	add_child(s, CHILD_DATAPLANE);
	rounds = stats_get_counter(s->pages[CHILD_DATAPLANE], STATS_COUNTER, STATS_WORKER,
	                           "worker=\"0\"", "");
	run_hang_begin(&s->run);
	for (int i = 0; i < LOOKS + 10; i++) {
		stats_add(rounds, 1000);
		look_after(s, 1000);
	}
	assert_false(was_killed(s, CHILD_DATAPLANE));
	found = find_condition(s, "process-hangs", "weir-dataplane");
	assert_non_null(found);
	assert_int_equal(found->level, CONDITION_DEGRADED);
	assert_non_null(strstr(found->text, "take this node out of routing"));
	assert_int_equal(word_of(s, STATS_FORWARD, ""), 1);
	look_often(s, 3); /* they have stopped */
	assert_int_equal(word_of(s, STATS_FORWARD, ""), 0);
	assert_true(was_killed(s, CHILD_DATAPLANE));
	assert_null(find_condition(s, "process-hangs", "weir-dataplane"));
}

static void a_process_that_nothing_can_end_does_not_hold_up_others(void **state)
{
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_MGMT];

	add_child(s, CHILD_MGMT);
	place.state = "D";
	place.wchan = "nfs_wait";
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 1);
	assert_false(was_killed(s, CHILD_MGMT));
	assert_non_null(find_condition(s, "process-blocked", "weir-mgmt"));
	assert_non_null(strstr(find_condition(s, "process-blocked", "weir-mgmt")->text,
	                       "state D in nfs_wait"));
	assert_int_equal(n_places, 1);
	place.state = "S";
	add_child(s, CHILD_DNS);
	for (int i = 0; i < LOOKS + 1; i++) {
		c->looked_ms = clock_mono_ms(); /* just looked at */
		look_after(s, 1000);
	}
	assert_false(was_killed(s, CHILD_MGMT));
	assert_true(was_killed(s, CHILD_DNS));
	s->run.children[CHILD_DNS].pid = 0;
	run_hang_forget(&s->run.children[CHILD_DNS]);
	s->run.recovering = NULL;
	c->looked_ms -= LOOK_AGAIN_MS;
	look_after(s, 1000); /* the disk is back, the process is not */
	assert_true(was_killed(s, CHILD_MGMT));
}

static void who_lives_again_is_as_if_nothing_had_been(void **state)
{
	struct scene *s = *state;

	add_child(s, CHILD_MGMT);
	place.state = "D";
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 1);
	assert_non_null(find_condition(s, "process-blocked", "weir-mgmt"));
	stats_add(s->turns[CHILD_MGMT], 1);
	look_after(s, 1000);
	assert_null(find_condition(s, "process-blocked", "weir-mgmt"));
	place.state = "S";
	look_often(s, LOOKS); /* hangs once more: looked at and ended at once */
	assert_int_equal(n_places, 2);
	assert_true(was_killed(s, CHILD_MGMT));
}

static void who_was_asked_to_end_is_left_to_that_limit(void **state)
{
	struct scene *s = *state;

	add_child(s, CHILD_DNS);
	s->run.children[CHILD_DNS].must_restart = true;
	run_hang_begin(&s->run);
	look_often(s, LOOKS + 5);
	assert_false(was_killed(s, CHILD_DNS));
	s->run.children[CHILD_DNS].must_restart = false;
	s->run.stopping = true;
	look_often(s, 2);
	assert_false(was_killed(s, CHILD_DNS));
	s->run.stopping = false;
	look_after(s, 1000);
	assert_true(was_killed(s, CHILD_DNS));
}

static void a_look_that_comes_late_blames_none(void **state)
{
	struct scene *s = *state;

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	look_often(s, LOOKS - 1);
	look_after(s, HANG_MS / 2);
	look_often(s, LOOKS - 1);
	assert_false(was_killed(s, CHILD_DNS));
	look_after(s, 1000);
	assert_true(was_killed(s, CHILD_DNS));
}

static void with_the_time_off_none_is_ended(void **state)
{
	struct scene *s = *state;
	const struct condition *found;

	add_child(s, CHILD_DNS);
	s->run.spares = true;
	run_hang_begin(&s->run);
	look_often(s, LOOKS - 1);
	assert_null(find_condition(s, "process-hangs", "weir-dns"));
	look_often(s, LOOKS + 1);
	found = find_condition(s, "process-hangs", "weir-dns");
	assert_non_null(found); /* it is stated */
	assert_int_equal(found->level, CONDITION_DEGRADED);
	assert_non_null(strstr(found->text, "--hang-time off"));
	stats_add(s->turns[CHILD_DNS], 1);
	look_after(s, 1000);
	assert_null(find_condition(s, "process-hangs", "weir-dns"));
	look_after(s, 1000000);
	assert_false(was_killed(s, CHILD_DNS));
	assert_int_equal(n_places, 0);
	s->run.children[CHILD_DNS].started_ms = clock_mono_ms() - UNSEEN_MS - 1;
	look_after(s, 1000); /* it is seen all the same */
	assert_null(find_condition(s, "process-unwatched", "weir-dns"));
}

static void with_the_time_off_it_is_known_who_forwards(void **state)
{
	struct scene *s = *state;
	uint64_t *rounds;

	add_child(s, CHILD_DATAPLANE);
	rounds = stats_get_counter(s->pages[CHILD_DATAPLANE], STATS_COUNTER, STATS_WORKER,
	                           "worker=\"0\"", "");
	s->run.spares = true;
	run_hang_begin(&s->run);
	for (int i = 0; i < LOOKS + 10; i++) {
		stats_add(rounds, 1000);
		look_after(s, 1000);
	}
	assert_non_null(find_condition(s, "process-hangs", "weir-dataplane"));
	assert_int_equal(word_of(s, STATS_FORWARD, ""), 1);
	assert_non_null(strstr(find_condition(s, "process-hangs", "weir-dataplane")->text,
	                       "its workers still forward"));
	look_often(s, LOOKS); /* they have stopped */
	assert_null(strstr(find_condition(s, "process-hangs", "weir-dataplane")->text,
	                   "its workers still forward"));
	assert_int_equal(word_of(s, STATS_FORWARD, ""), 0);
	assert_false(was_killed(s, CHILD_DATAPLANE));
}

static void a_process_without_signs_is_named_after_a_minute(void **state)
{
	struct scene *s = *state;
	struct child *c = &s->run.children[CHILD_HEALTH];

	run_hang_begin(&s->run);
	add_child(s, CHILD_HEALTH);
	stats_remove(s->pages[CHILD_HEALTH], s->dir, "health");
	s->pages[CHILD_HEALTH] = NULL;
	c->started_ms = clock_mono_ms() - UNSEEN_MS + ALIVE_MS;
	look_after(s, 1000);
	assert_null(find_condition(s, "process-unwatched", "weir-health"));
	c->started_ms -= ALIVE_MS + 1;
	look_after(s, 1000);
	assert_non_null(find_condition(s, "process-unwatched", "weir-health"));
	assert_int_equal(find_condition(s, "process-unwatched", "weir-health")->level,
	                 CONDITION_NOTE);
	/* true with --hang-time off, too, where it would not be restarted in any case */
	assert_string_equal(find_condition(s, "process-unwatched", "weir-health")->text,
	                    "shows weir run no sign of life (it cannot create its page): weir run "
	                    "does not see whether it hangs");
	c->pid = 0;
	look_after(s, 1000);
	assert_null(find_condition(s, "process-unwatched", "weir-health"));
	assert_null(find_condition(s, "process-unwatched", "weir-dns")); /* does not run at all */
}

/* Less than a MiB: of eight. */
static void a_run_directory_without_room_is_named(void **state)
{
	struct scene *s = *state;
	char path[64];
	int fd;

	run_hang_begin(&s->run);
	assert_null(find_condition(s, "run-dir-full", s->dir));
	snprintf(path, sizeof(path), "%s/filler", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 5 << 20), 0);
	look_after(s, 1000);
	assert_null(find_condition(s, "run-dir-full", s->dir)); /* two are left, or more */
	while (posix_fallocate(fd, lseek(fd, 0, SEEK_END), 16 << 10) == 0)
		;
	look_after(s, 1000);
	assert_non_null(find_condition(s, "run-dir-full", s->dir));
	assert_int_equal(find_condition(s, "run-dir-full", s->dir)->level, CONDITION_DEGRADED);
	close(fd);
	assert_int_equal(unlink(path), 0);
	look_after(s, 1000);
	assert_null(find_condition(s, "run-dir-full", s->dir));
}

static void the_watchdog_is_fed_several_times_in_its_time(void **state)
{
	struct scene *s = *state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[64] = "";

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", s->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	setenv("WATCHDOG_USEC", "400000000", 1); /* 400 s: nothing here takes a part of it */
	unsetenv("WATCHDOG_PID");
	run_hang_begin(&s->run);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "WATCHDOG=1");
	look_after(s, 1000);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) < 0); /* not each time */
	assert_true(s->run.watchdog_at_ms <= clock_mono_ms() + 200000);
	s->run.watchdog_at_ms = clock_mono_ms();
	look_after(s, 1000);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	close(fd);
}

/* Its page says that there is a supervisor: one that has ended leaves none, and looks no more. */
static void an_end_leaves_no_page(void **state)
{
	struct scene *s = *state;
	struct stats_reader *r;

	add_child(s, CHILD_DNS);
	run_hang_begin(&s->run);
	assert_int_equal(stats_reader_open(s->dir, "run", &r), 0);
	stats_reader_close(r);
	assert_int_not_equal(s->run.look.heap_index, 0);
	run_hang_end(&s->run);
	assert_int_equal(s->run.look.heap_index, 0);
	assert_true(stats_reader_open(s->dir, "run", &r) < 0);
	assert_null(s->run.children[CHILD_DNS].page.reader);
}

SUITE(hang)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_hangs_is_killed_once_and_named),
		TEST(who_is_in_a_job_has_the_time_that_it_said),
		TEST(who_dies_is_counted_and_named),
		TEST(a_successor_that_hangs_is_killed_too),
		TEST(a_successor_that_is_blocked_leaves_the_reason_of_the_restart),
		TEST(one_is_restarted_at_a_time),
		TEST(who_forwards_is_never_ended),
		TEST(a_process_that_nothing_can_end_does_not_hold_up_others),
		TEST(who_lives_again_is_as_if_nothing_had_been),
		TEST(who_was_asked_to_end_is_left_to_that_limit),
		TEST(a_look_that_comes_late_blames_none),
		TEST(with_the_time_off_none_is_ended),
		TEST(with_the_time_off_it_is_known_who_forwards),
		TEST(a_process_without_signs_is_named_after_a_minute),
		TEST(a_run_directory_without_room_is_named),
		TEST(the_watchdog_is_fed_several_times_in_its_time),
		TEST(an_end_leaves_no_page),
	};

	answer_open64 = own_open64;
	answer_pipe2 = own_pipe2;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 77;
	return cmocka_run_group_tests_name("supervise, hang", tests, NULL, NULL);
}
