/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which weir-mgmt an operator's --offline ends (mgmt/cli/offline_hung.c): one that hangs, and no other. It is a child
 * that bears its name and writes its page.
 */
#include "cli_said.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "mgmt/cli/cmd_override.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static struct cli cli;
static int end_hung(bool dry_run)
{
	shown_begin();
	int status = offline_end_hung(&cli, dry_run);

	shown_end();
	return status;
}

static int set_up(void **state)
{
	char dir[] = "/tmp/weir-offline-XXXXXX";

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(cli.dirs.run, sizeof(cli.dirs.run), "%s", dir);
	return 0;
}

static int tear_down(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", cli.dirs.run);
	return system(command);
}

struct mgmt {
	const char *name;
	bool turns;        /* its main loop turns */
	unsigned job_s;    /* it has announced a job of so long; 0: none */
	unsigned wait_s;   /* and so long ago */
	const char *other; /* a second thread, which turns */
};

static void be_mgmt(const struct mgmt *m, int ready)
{
	struct stats *s;
	uint64_t *main_turns, *other = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, m->name);
	if (stats_create(cli.dirs.run, "mgmt", 16, &s))
		_exit(1);
	main_turns = stats_turns(s, "main");
	stats_add(main_turns, 5);
	if (m->other)
		other = stats_turns(s, m->other);
	if (m->job_s)
		stats_job_begin(s, "zones", m->job_s);
	sleep(m->wait_s); /* the job was announced so long ago */
	(void)!write(ready, "x", 1);
	for (;;) {
		if (m->turns)
			stats_add(main_turns, 1);
		if (other)
			stats_add(other, 1);
		usleep(20000);
	}
}

static pid_t start_mgmt(const struct mgmt *m)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0)
		be_mgmt(m, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void make_socket(void)
{
	char path[PATH_MAX];
	FILE *f;

	assert_int_equal(proc_path(cli.dirs.run, PROC_API_SOCKET, path), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static void expect_alive(pid_t pid)
{
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
}

static void end_mgmt(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_that_lives_is_left(void **state)
{
	const struct mgmt lives = { .name = "weir-mgmt", .turns = true };
	pid_t pid = start_mgmt(&lives);
	char expected[512];

	(void)state;
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	snprintf(expected, sizeof(expected),
	         "weir-mgmt runs and uses the store, but its socket %.200s/api.sock is gone; wait "
	         "some seconds until weir-mgmt makes the socket again (if not, its log says why), "
	         "then repeat the command without --offline",
	         cli.dirs.run);
	assert_told_line(expected); /* nobody can ask it */
	make_socket();
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	assert_told_line("weir-mgmt runs and uses the store; repeat the command without "
	                 "--offline");
	expect_alive(pid);
	end_mgmt(pid);
}

static void one_that_works_on_an_announced_job_is_waited_for(void **state)
{
	const struct mgmt busy = { .name = "weir-mgmt", .job_s = 60 };
	pid_t pid = start_mgmt(&busy);

	(void)state;
	make_socket();
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	assert_told_line("weir-mgmt is busy (zones) and uses the store; try again in a "
	                 "moment");
	expect_alive(pid);
	end_mgmt(pid);
}

/* Its job's time is over, and another of its threads turns: who asks meets the main one. */
static void one_that_hangs_is_ended_unless_it_is_only_tried(void **state)
{
	const struct mgmt hangs = {
		.name = "weir-mgmt", .job_s = 1, .wait_s = 2, .other = "sweep"
	};
	pid_t pid = start_mgmt(&hangs);
	int status;

	(void)state;
	assert_int_equal(end_hung(true), CLI_CONFLICT);
	assert_told_line("weir-mgmt hangs and holds the store; without --dry-run this "
	                 "command kills weir-mgmt first");
	expect_alive(pid);
	uint64_t from_ms = clock_mono_ms();
	assert_int_equal(end_hung(false), CLI_OK);
	assert_in_range(clock_mono_ms() - from_ms, 2500, UINT64_MAX); /* it might have turned */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Numbers of ended processes are given to others; and who has the store may have no page. */
static void another_process_is_never_ended(void **state)
{
	const struct mgmt other = { .name = "weir-mgmtx" };
	pid_t pid;

	(void)state;
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	assert_told_line("another process uses the store; try again in a few seconds");
	pid = start_mgmt(&other);
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	assert_told_line("another process uses the store; try again in a few seconds");
	expect_alive(pid);
	end_mgmt(pid);
	assert_int_equal(end_hung(false), CLI_CONFLICT);
	assert_told_line("another process uses the store; try again in a few seconds");
}

SUITE(offline_hung)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(one_that_lives_is_left),
		TEST(one_that_works_on_an_announced_job_is_waited_for),
		TEST(one_that_hangs_is_ended_unless_it_is_only_tried),
		TEST(another_process_is_never_ended),
	};

	return cmocka_run_group_tests_name("offline hung", tests, NULL, NULL);
}
