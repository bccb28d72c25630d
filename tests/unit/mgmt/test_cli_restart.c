/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir restart dataplane: its request, and its words on the process that took over
 * (mgmt/cli/cmd_restart.c). The supervisor is a child that notes another process when it is asked,
 * and answers in the place of weir-dataplane.
 */
#include "cli_said.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/loop.h"
#include "supervise/run.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GAP_US   500000u /* many looks of the command at the supervisor's note */

static struct cli cli;
static char dir[32];
static pid_t before, next, supervisor; /* 0: there is none */
static unsigned n_silent; /* so often the process that took over closes without an answer */
static pid_t noted_then;  /* who is noted in its place from then on; 0: nobody else */
static bool has_gap;      /* for a while nobody is noted */

/* A process that only waits. */
static pid_t start_process(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none */
	for (;;)
		pause();
}

static void end_process(pid_t *pid)
{
	if (*pid > 0 && kill(*pid, SIGKILL) == 0)
		waitpid(*pid, NULL, 0);
	*pid = 0;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-restart-XXXXXX");
	n_silent = 0;
	noted_then = 0;
	has_gap = false;
	cli = (struct cli){ 0 };
	if (!mkdtemp(dir))
		return -1;
	snprintf(cli.dirs.run, sizeof(cli.dirs.run), "%s", dir);
	before = start_process();
	next = start_process();
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	end_process(&supervisor);
	end_process(&before);
	end_process(&next);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static int note_processes(pid_t run, pid_t dataplane)
{
	const struct run_noted noted[] = { { "run", run }, { "dataplane", dataplane } };

	return run_state_write(cli.dirs.run, noted, 2);
}

/* --- the supervisor --- */

static void replace_process(void *arg)
{
	(void)arg;
	if (has_gap) {
		if (note_processes(getpid(), 0))
			_exit(7);
		usleep(GAP_US); /* so long nobody is noted */
	}
	if (note_processes(getpid(), next))
		_exit(4);
}

static char *answer_status(void *arg, const char *line, size_t length)
{
	if (strcmp(line, "{\"do\":\"status\"}") || length != strlen(line))
		return strdup("{\"error\": \"no such request\"}");
	if (n_silent == 0)
		return strdup(arg);
	n_silent--;
	if (noted_then && note_processes(getpid(), noted_then))
		_exit(6);
	return NULL;
}

static void be_supervisor(char *answer, int ready)
{
	char path[PATH_MAX];
	struct loop *l;
	struct ctl *ctl;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (proc_path(cli.dirs.run, "dataplane.ctl", path) || loop_open(&l) ||
	    loop_signal(l, SIGUSR1, replace_process, NULL) ||
	    ctl_serve(l, path, NULL, answer_status, answer, &ctl) || write(ready, "x", 1) != 1)
		_exit(3);
	_exit(loop_run(l) ? 5 : 0);
}

static void start_supervisor(const char *answer)
{
	char text[512], byte;
	int ready[2];

	snprintf(text, sizeof(text), "%s", answer);
	assert_int_equal(pipe(ready), 0);
	supervisor = fork();
	assert_true(supervisor >= 0);
	if (!supervisor)
		be_supervisor(text, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(note_processes(supervisor, before), 0);
}

static int restart_dataplane(void)
{
	const struct cli_args args = { 0 };

	shown_begin();
	int status = cli_restart_dataplane(&cli, &args);

	shown_end();
	return status;
}

/* --- tests --- */

static void what_is_not_there_is_not_asked(void **state)
{
	char expected[512];

	(void)state;
	if (geteuid())
		skip();
	snprintf(expected, sizeof(expected), "no weir run uses %s: systemctl start weir", dir);
	assert_int_equal(restart_dataplane(), CLI_UNREACHABLE);
	assert_told_line(expected);
	assert_int_equal(note_processes(0, before), 0);
	assert_int_equal(restart_dataplane(), CLI_UNREACHABLE);
	assert_told_line(expected);

	assert_int_equal(note_processes(next, 0), 0);
	assert_int_equal(restart_dataplane(), CLI_CONFLICT);
	snprintf(expected, sizeof(expected),
	         "weir run has noted no weir-dataplane that runs: it is just starting, or %s is "
	         "full: see weir status",
	         dir);
	assert_told_line(expected);

	assert_int_equal(note_processes(next, before), 0); /* the signal would end it */
	assert_int_equal(restart_dataplane(), CLI_CONFLICT);
	snprintf(expected, sizeof(expected),
	         "the weir run that is in use (pid %d) does not take this command: if it is not "
	         "just starting, replace it first (kill -9 %d; systemd starts the next one, and "
	         "the other processes go on)",
	         (int)next, (int)next);
	assert_told_line(expected);
	assert_int_equal(waitpid(next, NULL, WNOHANG), 0);
	assert_string_equal(shown, "");
}

/* The words behind "process N has taken over from M"; NULL: it forwards. */
static void the_next_process_answers_for_its_document_and_ports(void **state)
{
	static const struct {
		const char *answer, *refusal;
	} rows[] = {
		{ "{\"document\": 7, \"ports\": [\"eth1\"], \"ports_missing\": []}", NULL },
		{ "{\"document\": 7, \"ports\": [], \"ports_missing\": []}", NULL },
		{ "{\"document\": 7, \"ports\": [\"eth1\"], \"ports_missing\": [{\"interface\": "
		  "\"eth2\"}]}",
		  NULL },
		{ "{\"document\": 1}", NULL },
		{ "{\"document\": \"0\"}", NULL }, /* no number */
		{ "{}", NULL },
		{ "nothing", NULL },
		{ "{\"document\": 0, \"refused_why\": \"line 3: what\"}",
		  "has no document in force: line 3: what" },
		{ "{\"document\": 0, \"refused_why\": \"\"}",
		  "has no document in force: see its log" },
		{ "{\"document\": 0}", "has no document in force: see its log" },
		{ "{\"document\": 7, \"ports\": [], \"ports_missing\": [{\"interface\": "
		  "\"eth1\", \"why\": \"it is down\"}, {\"interface\": \"eth2\"}]}",
		  "drives no port, so nothing is forwarded: eth1: it is down" },
		{ "{\"document\": 7, \"ports_missing\": [{}]}",
		  "drives no port, so nothing is forwarded: ?: see weir why" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int json = 0; json < 2; json++) {
			char line[512] = "", refusal[512] = "";
			int status;

			start_supervisor(rows[i].answer);
			cli.json = json;
			status = restart_dataplane();
			if (rows[i].refusal)
				snprintf(refusal, sizeof(refusal),
				         "weir-dataplane: process %d has taken over from %d and %s",
				         (int)next, (int)before, rows[i].refusal);
			else if (json)
				snprintf(line, sizeof(line), "{\"before\": %d, \"pid\": %d}\n",
				         (int)before, (int)next);
			else
				snprintf(line, sizeof(line),
				         "weir-dataplane: process %d has taken over from %d\n",
				         (int)next, (int)before);
			assert_told_line(refusal);
			assert_string_equal(shown, line);
			assert_int_equal(status, *refusal ? CLI_REJECTED : CLI_OK);
			end_process(&supervisor);
		}
}

/* The one before has ended and the next one has not been started: that is no other process yet. */
static void a_process_is_waited_for_while_none_is_noted(void **state)
{
	char line[512];

	(void)state;
	has_gap = true;
	start_supervisor("{\"document\": 7}");
	int status = restart_dataplane();

	snprintf(line, sizeof(line), "weir-dataplane: process %d has taken over from %d\n",
	         (int)next, (int)before);
	assert_told("");
	assert_string_equal(shown, line);
	assert_int_equal(status, CLI_OK);
}

/* As long as it is there it may be trying its ports; then nobody is waited for. */
static void an_answer_is_waited_for_as_long_as_the_process_is_there(void **state)
{
	static const struct {
		const char *why;
		unsigned n_silent;
		bool is_replaced, answers;
	} rows[] = {
		{ "it answers at once", 0, false, true },
		{ "it answers at the third request", 2, false, true },
		{ "it has ended, and who is there would answer", 1, true, false },
		{ "it has ended meanwhile", 1000000, true, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char expected[512] = "";
		uint64_t began_ms = clock_mono_ms();

		n_silent = rows[i].n_silent;
		noted_then = rows[i].is_replaced ? before : 0;
		start_supervisor("{}");
		int status = restart_dataplane();

		if (!rows[i].answers)
			snprintf(
			        expected, sizeof(expected),
			        "weir: weir-dataplane (pid %d, before: %d) does not answer yet: see "
			        "weir status\n",
			        (int)next, (int)before);
		if (status != (rows[i].answers ? CLI_OK : CLI_TIMEOUT) ||
		    strcmp(told, expected) != 0)
			fail_msg("%s: %d, %s", rows[i].why, status, told);
		assert_int_equal(*shown != '\0', rows[i].answers);
		assert_true(clock_mono_ms() - began_ms <
		            60000); /* half of what one that lives gets */
		end_process(&supervisor);
	}
}

SUITE(cli_restart)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_there_is_not_asked),
		TEST(the_next_process_answers_for_its_document_and_ports),
		TEST(a_process_is_waited_for_while_none_is_noted),
		TEST(an_answer_is_waited_for_as_long_as_the_process_is_there),
	};

	return cmocka_run_group_tests_name("cli restart", tests, NULL, NULL);
}
