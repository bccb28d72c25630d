/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which processes the supervisor takes for its own (run_find.c), whom it asks and whom it kills
 * with --stop (run_stop.c), and where it finds the threads of one that hangs (run_threads.c). The
 * processes are real: this program under other names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lock.h"
#include "supervise/internal.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

#define STRANGER 54321 /* a user's number that nobody has */

static char dir[32], bin[64];
static struct proc_dirs dirs;
static struct run run;

static int set_up(void **state)
{
	char command[256];

	(void)state;
	strcpy(dir, "/tmp/weir-found-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return -1;
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(command, sizeof(command),
	         "mkdir %s %s/run %s/other && cp /proc/%d/exe %s/weir-dns", bin, dir, dir,
	         (int)getpid(), bin);
	if (system(command))
		return -1;
	dirs = (struct proc_dirs){ 0 };
	snprintf(dirs.run, sizeof(dirs.run), "%s/run", dir);
	snprintf(dirs.conf, sizeof(dirs.conf), "%s/conf", dir);
	snprintf(dirs.node, sizeof(dirs.node), "n1");
	run = (struct run){ .dirs = &dirs };
	snprintf(run.bin, sizeof(run.bin), "%s", bin);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* weir-NAME below @p bin_dir with these options, as user @p uid; it runs when this returns. */
static pid_t start_program(const char *program, const char *run_dir, const char *conf,
                           const char *node, uid_t uid)
{
	char path[128], byte;
	int ready[2];

	snprintf(path, sizeof(path), "%s/%s", bin, program);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(ready[1], STDOUT_FILENO);
		if (uid && setuid(uid))
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, "--conf-dir", conf, "--run-dir", run_dir, "--node", node,
		      (char *)NULL);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_program(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_process_of_ours_is_found_by_what_it_runs_and_was_given(void **state)
{
	char other[64], path[128];
	struct run_noted noted = { "dns", 0 };

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(run_find(&run, "dns"), 0);
	const struct {
		const char *why, *run_dir, *conf, *node;
		uid_t uid;
	} strangers[] = {
		{ "another run directory", other, dirs.conf, "n1", 0 },
		{ "another configuration", dirs.run, other, "n1", 0 },
		{ "another node", dirs.run, dirs.conf, "n11", 0 },
		{ "another user", dirs.run, dirs.conf, "n1", STRANGER },
	};
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		noted.pid = start_program("weir-dns", strangers[i].run_dir, strangers[i].conf,
		                          strangers[i].node, strangers[i].uid);
		print_message("%s\n", strangers[i].why);
		assert_int_equal(run_find(&run, "dns"), 0);
		assert_int_equal(run_state_write(dirs.run, &noted, 1), 0);
		assert_int_equal(run_find(&run, "dns"), 0); /* whatever is noted */
		end_program(noted.pid);
	}
	pid_t own = start_program("weir-dns", dirs.run, dirs.conf, "n1", 0);

	assert_int_equal(run_find(&run, "dns"), own);
	assert_int_equal(run_find(&run, "health"), 0); /* another program */
	snprintf(path, sizeof(path), "%s/weir-dns", bin);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run_find(&run, "dns"), own); /* an upgrade has removed the file */
	end_program(own);
	assert_int_equal(run_find(&run, "dns"), 0);
}

/* A run directory by a relative name is the one where the process was started. */
static void a_relative_run_directory_is_that_of_the_process(void **state)
{
	char elsewhere[64], other[64];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/other", dir);
	snprintf(other, sizeof(other), "%s/other/run", dir);
	assert_int_equal(mkdir(other, 0755), 0);
	assert_int_equal(chdir(dir), 0);
	strcpy(dirs.run, "run");
	pid_t own = start_program("weir-dns", "run", dirs.conf, "n1", 0);

	assert_int_equal(run_find(&run, "dns"), own);
	assert_int_equal(chdir(elsewhere), 0);
	assert_int_equal(run_find(&run, "dns"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(run_find(&run, "dns"), 0);
	end_program(own);
}

/* Of two the noted one. */
static void what_is_noted_comes_first(void **state)
{
	(void)state;
	pid_t one = start_program("weir-dns", dirs.run, dirs.conf, "n1", 0),
	      two = start_program("weir-dns", dirs.run, dirs.conf, "n1", 0);

	for (int i = 0; i < 2; i++) {
		struct run_noted noted = { "dns", i ? one : two };

		assert_int_equal(run_state_write(dirs.run, &noted, 1), 0);
		assert_int_equal(run_find(&run, "dns"), noted.pid);
	}
	end_program(one);
	end_program(two);
}

/* A supervisor that runs: it ends on SIGTERM with status 7, or passes it over. */
static pid_t start_supervisor(bool ends)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t set;
		int signo;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		(void)!write(ready[1], "x", 1);
		do
			sigwait(&set, &signo);
		while (!ends);
		usleep(300000); /* its processes end first */
		_exit(7);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

struct watch {
	pid_t first, second;
	int lock_fd, first_status, second_status;
};

static void note_pid(pid_t pid)
{
	const struct run_noted noted = { "run", pid };

	assert_int_equal(run_state_write(dirs.run, &noted, 1), 0);
}

/*
 * What goes on while --stop waits: the first ends, another takes its place, and that ends; then
 * the lock is free.
 */
static void *follow_stop(void *arg)
{
	struct watch *w = arg;

	waitpid(w->first, &w->first_status, 0);
	if (w->second) {
		note_pid(w->second);
		waitpid(w->second, &w->second_status, 0);
	}
	close(w->lock_fd);
	return NULL;
}

static int call_run_stop(struct watch *w)
{
	char lock[PATH_MAX];
	pthread_t thread;
	int fd = -1, err;

	assert_int_equal(proc_path(dirs.run, "run.lock", lock), 0);
	assert_int_equal(lock_acquire(lock, &w->lock_fd), 0);
	note_pid(w->first);
	assert_int_equal(pthread_create(&thread, NULL, follow_stop, w), 0);
	err = run_stop_other(&run, lock, &fd);
	pthread_join(thread, NULL);
	if (!err)
		close(fd);
	return err;
}

/* A page of the supervisor that nobody has signed for @p silent_ms. */
static void make_page(uint64_t silent_ms)
{
	struct stats *s;

	assert_int_equal(stats_create(dirs.run, "run", 8, &s), 0);
	stats_alive(s, clock_mono_ms() - silent_ms);
	stats_close(s);
}

/* The page is of one that was there before: it proves nothing of who has the lock now. */
static void a_supervisor_that_lives_is_asked_and_not_killed(void **state)
{
	struct watch w = { .first = start_supervisor(true), .second = start_supervisor(true) };

	(void)state;
	make_page(60000);
	assert_int_equal(call_run_stop(&w), 0);
	assert_true(WIFEXITED(w.first_status) && WEXITSTATUS(w.first_status) == 7);
	assert_true(WIFEXITED(w.second_status) && WEXITSTATUS(w.second_status) == 7);
}

static void a_supervisor_that_hangs_is_killed(void **state)
{
	struct watch w = { 0 };
	int ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	w.first = fork();
	if (w.first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_IGN);
		make_page(4500); /* not for so long yet */
		(void)!write(ready[1], "x", 1);
		while (1)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(call_run_stop(&w), 0);
	assert_true(WIFSIGNALED(w.first_status) && WTERMSIG(w.first_status) == SIGKILL);
}

static volatile uint64_t spins;

static void __attribute__((noinline)) spin_forever(void)
{
	for (;;)
		spins++;
}

/* Waits for its child in vfork(2): no signal but the last ends that, and its state is D. */
static void *sleep_deeply(void *arg)
{
	(void)arg;
	pid_t child = (pid_t)syscall(SYS_vfork);

	if (child == 0) {
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			syscall(SYS_pause);
	}
	return NULL;
}

static pid_t start_thread_of(void *(*second)(void *), void (*first)(void))
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		prctl(PR_SET_NAME, "a \"b\"=c");
		if (second)
			pthread_create(&thread, NULL, second, NULL);
		(void)!write(ready[1], "x", 1);
		if (first)
			first();
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/*
 * Looked at until the main thread and some thread are as wanted: both need a moment to get there.
 */
static const struct run_thread_dump *look_until(pid_t pid, const char *main_text, const char *text)
{
	static struct run_thread_dump places;

	for (int i = 0; i < 100; i++) {
		run_threads_dump(pid, &places);
		if (strstr(places.text, text) && strstr(places.main, main_text) == places.main)
			break;
		usleep(50000);
	}
	print_message("%s  main: %s\n", places.text, places.main);
	assert_non_null(strstr(places.text, text));
	return &places;
}

static void a_thread_that_waits_is_named_with_its_place(void **state)
{
	pid_t pid = start_thread_of(NULL, NULL);
	char line[64];

	(void)state;
	snprintf(line, sizeof(line), "tid=%d name=a__b__c state=S ", (int)pid);
	const struct run_thread_dump *p = look_until(pid, "state S in ", line);

	assert_false(p->blocked);
	assert_ptr_equal(strstr(p->main, "state S in "), p->main);
	assert_null(strchr(p->main, '\n'));
	end_program(pid);
	assert_int_equal(run_find(&run, "dns"), 0);
	run_threads_dump(999999999, &(struct run_thread_dump){ 0 }); /* there is none */
}

static void a_thread_in_deep_sleep_blocks_its_process(void **state)
{
	pid_t pid = start_thread_of(sleep_deeply, NULL);

	(void)state;
	const struct run_thread_dump *p = look_until(pid, "state S in ", " state=D ");

	assert_true(p->blocked);
	assert_ptr_equal(strstr(p->main, "state S in "), p->main); /* it is not the main one */
	kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* As addr2line(1) wants it: where it is in the file. */
static void a_thread_that_computes_is_found_in_the_program(void **state)
{
	uint64_t from, to, offset, want = 0, at = (uint64_t)(uintptr_t)spin_forever;
	const char *found;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)state;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &from, &to, &offset) ==
		            3 &&
		    at >= from && at < to)
			want = at - from + offset;
	fclose(maps);
	assert_true(want > 0);
	pid_t pid = start_thread_of(NULL, spin_forever);
	const struct run_thread_dump *p = NULL;
	uint64_t where = 0;

	for (int i = 0; i < 100 && (where < want || where > want + 256);
	     i++) { /* not before spin_forever() */
		p = look_until(pid, "state R in ", " at=unit-supervise+0x");
		found = strstr(p->text, " at=unit-supervise+0x");
		where = strtoull(found + strlen(" at=unit-supervise+0x"), NULL, 16);
	}
	assert_in_range(where, want, want + 256);
	assert_non_null(strstr(p->main, " at unit-supervise+0x"));
	assert_int_equal(kill(pid, 0), 0);
	snprintf(line, sizeof(line), "/proc/%d/stat",
	         (int)pid); /* it goes on, and nobody traces it */
	maps = fopen(line, "re");
	assert_non_null(maps);
	assert_non_null(fgets(line, sizeof(line), maps));
	fclose(maps);
	assert_ptr_equal(strstr(strrchr(line, ')'), ") R"), strrchr(line, ')'));
	end_program(pid);
}

/* One of the processes that are looked for. */
SUITE_PROGRAM(weir_dns, "weir-dns")
{
	(void)!write(STDOUT_FILENO, "x", 1);
	while (pause()) /* always -1 */
		;
	return 0;
}

SUITE(find)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_process_of_ours_is_found_by_what_it_runs_and_was_given),
		TEST(a_relative_run_directory_is_that_of_the_process),
		TEST(what_is_noted_comes_first),
		TEST(a_supervisor_that_lives_is_asked_and_not_killed),
		TEST(a_supervisor_that_hangs_is_killed),
		TEST(a_thread_that_waits_is_named_with_its_place),
		TEST(a_thread_in_deep_sleep_blocks_its_process),
		TEST(a_thread_that_computes_is_found_in_the_program),
	};

	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests_name("supervise, find", tests, NULL, NULL);
}
