/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How `weir run` begins and ends (supervise/run.c): its options and directories, what a program is
 * started with, in which order it takes over, starts and stops. Its loop and other parts are the
 * test's; programs are scripts.
 */
#include "run_edges.h"

#include <sys/stat.h>

static struct fixture place;
static struct proc_dirs dirs;
static struct run run;

static int set_up(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns",
		                                        "announce" };

	(void)state;
	fixture_make(&place);
	memset(&dirs, 0, sizeof(dirs));
	snprintf(dirs.run, sizeof(dirs.run), "%s/run", place.root);
	snprintf(dirs.state, sizeof(dirs.state), "%s", place.state);
	snprintf(dirs.conf, sizeof(dirs.conf), "%s", place.conf);
	snprintf(dirs.bpf, sizeof(dirs.bpf), "/bpf");
	snprintf(dirs.node, sizeof(dirs.node), "ams-1");
	run = (struct run){ .dirs = &dirs, .lock_fd = -1 };
	snprintf(run.bin, sizeof(run.bin), "%s", place.root);
	for (int i = 0; i < CHILD_COUNT; i++)
		run.children[i] = (struct child){ .name = names[i], .run = &run, .pidfd = -1 };
	memset(&sockets, 0, sizeof(sockets));
	memset(&routes, 0, sizeof(routes));
	memset(found, 0, sizeof(found));
	now_of_loop = NOW;
	stopped = false;
	add_err = stop_other_err = loop_err = 0;
	n_sent = n_noted = n_forgotten = n_ready = 0;
	told[0] = order[0] = '\0';
	log_level(LOG_EMERG);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < CHILD_COUNT; i++)
		if (run.children[i].pidfd >= 0) {
			kill(run.children[i].pid, SIGKILL);
			waitpid(run.children[i].pid, NULL, 0);
			close(run.children[i].pidfd);
		}
	fixture_remove(&place);
	return 0;
}

static void a_time_without_sign_of_life_is_in_its_bounds(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
		bool ok;
	} rows[] = {
		{ NULL, 10000, true },      { "off", 10000, true },     { "3s", 3000, true },
		{ "10m", 600000, true },    { "2999ms", 10000, false }, { "10m1s", 10000, false },
		{ "0", 10000, false },      { "soon", 10000, false },   { "", 10000, false },
		{ "12500ms", 12500, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cli_args args = { .values = { rows[i].text } };
		struct run_options o = { .hang_ms = 7 };
		char expected[128];

		told[0] = '\0';
		assert_int_equal(read_hang_time(&args, &o), rows[i].ok ? CLI_OK : CLI_USAGE);
		assert_int_equal(o.hang_ms, rows[i].ms);
		assert_int_equal(o.spares, rows[i].text && !strcmp(rows[i].text, "off"));
		snprintf(expected, sizeof(expected),
		         "--hang-time %s: expected a duration from 3s to 10m, or off\n",
		         rows[i].text ? rows[i].text : "");
		assert_string_equal(told, rows[i].ok ? "" : expected);
	}
}

/* Run what a child runs. @return its wait status */
static int run_one(int i, const char *more, const char *value)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t most;

		sigfillset(&most);
		sigprocmask(SIG_BLOCK, &most, NULL);
		setenv("WATCHDOG_USEC", "1", 1);
		setenv("WATCHDOG_PID", "2", 1);
		setenv("NOTIFY_SOCKET", "/3", 1);
		setenv("LISTEN_PID", "4", 1);
		setenv("LISTEN_FDS", "5", 1);
		setenv("LISTEN_FDNAMES", "6", 1);
		run_exec_child(&run.children[i], more, value);
	}
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_program_gets_its_directories_and_nothing_of_systemd(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns",
		                                        "announce" };
	static const char script[] =
	        "#!/bin/sh\n"
	        "exec >\"$(dirname \"$0\")/seen\"\n"
	        "echo \"$*\"\n"
	        "echo \"$WATCHDOG_USEC$WATCHDOG_PID$NOTIFY_SOCKET$LISTEN_PID$LISTEN_FDNAMES|$LISTEN_FDS\"\n"
	        "while read -r word rest; do case $word in SigBlk:) echo $rest;; esac; done </proc/self/status\n";
	static const struct {
		const char *more, *value, *seen;
	} rows[] = { { NULL, NULL, "" },
		     { "--bootstrap", NULL, " --bootstrap" },
		     { "--successor", "7", " --successor 7" } };
	char path[PATH_MAX], name[32], expected[4 * PATH_MAX], seen[4096];

	(void)state;
	for (int i = 0; i < CHILD_COUNT; i++)
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			snprintf(name, sizeof(name), "weir-%s", names[i]);
			fixture_write(place.root, name, script);
			snprintf(path, sizeof(path), "%s/%s", place.root, name);
			assert_int_equal(chmod(path, 0755), 0);
			assert_int_equal(run_one(i, rows[k].more, rows[k].value), 0);
			snprintf(path, sizeof(path), "%s/seen", place.root);
			FILE *f = fopen(path, "r");
			assert_non_null(f);
			seen[fread(seen, 1, sizeof(seen) - 1, f)] = '\0';
			fclose(f);
			snprintf(
			        expected, sizeof(expected),
			        "--conf-dir %s --state-dir %s --run-dir %s --bpf-dir /bpf --node ams-1%s\n"
			        "|%s\n0000000000000000\n",
			        place.conf, place.state, dirs.run, rows[k].seen,
			        i == CHILD_DNS ? "handed" : "");
			assert_string_equal(seen, expected);
		}
	sockets.hand_err = -EMFILE; /* without its sockets it would answer nobody */
	assert_int_equal(WEXITSTATUS(run_one(CHILD_DNS, NULL, NULL)), 126);
	assert_int_equal(run_one(CHILD_HEALTH, NULL, NULL), 0);
	snprintf(run.bin, sizeof(run.bin), "%s/nowhere", place.root);
	assert_int_equal(WEXITSTATUS(run_one(CHILD_HEALTH, NULL, NULL)), 127);
}

static mode_t mode_of(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s%s", dir, *name ? "/" : "", name);
	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void directories_are_made_before_anything_runs(void **state)
{
	struct proc_dirs used = dirs;
	char expected[3 * PATH_MAX];

	(void)state;
	snprintf(used.state, sizeof(used.state), "%s/new", place.root);
	umask(077);
	assert_int_equal(make_directories(&used, end_text), RUN_END_OK);
	assert_int_equal(umask(022), 0027); /* the processes' */
	assert_true(mode_of(used.run, "") && mode_of(used.state, ""));
	assert_int_equal(chmod(used.run, 0711), 0);
	assert_int_equal(make_directories(&used, end_text),
	                 RUN_END_OK); /* they are there: as their owner wants */
	assert_int_equal(mode_of(used.run, ""), 0711);
	snprintf(used.run, sizeof(used.run), "%s/a/b", place.root);
	assert_int_equal(make_directories(&used, end_text), RUN_END_WRONG);
	snprintf(expected, sizeof(expected),
	         "%s or %s cannot be created: No such file or directory", used.run, used.state);
	assert_string_equal(end_text, expected);
	end_text[0] = '\0';
	snprintf(used.run, sizeof(used.run), "%s/run", place.root);
	snprintf(used.state, sizeof(used.state), "%s/c/d", place.root);
	assert_int_equal(make_directories(&used, end_text), RUN_END_WRONG);
	assert_non_null(strstr(end_text, "/c/d cannot be created: No such file or directory"));
}

static void write_document(const char *announce)
{
	static char text[1024];

	snprintf(
	        text, sizeof(text),
	        "effective = { version = \"7\"; digest = \"\"; document = \"57\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"/hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ \"192.0.2.53\" ]; %s } );\n",
	        announce);
	fixture_write(place.state, PROC_EFFECTIVE_FILE, text);
}

static void a_start_takes_over_what_runs_and_starts_the_rest(void **state)
{
	(void)state;
	write_document("");
	found[CHILD_HEALTH] = fake_fork();
	loop_err = -EIO;
	assert_int_equal(supervise_children(&run), -EIO);
	assert_string_equal(order, "open begin ready loop end ");
	assert_int_equal(run.children[CHILD_HEALTH].pid, found[CHILD_HEALTH]);
	assert_false(run.children[CHILD_HEALTH].ours);
	for (int i = 0; i < CHILD_COUNT; i++) {
		bool starts = i != CHILD_ANNOUNCE; /* the document names no routing daemon */

		assert_int_equal(run.children[i].pid > 0, starts);
		assert_int_equal(run.children[i].ours, starts && i != CHILD_HEALTH);
	}
	assert_true(n_noted >= 4);
	assert_int_equal(n_sent, 0);
}

/* The next supervisor must find all, also when nothing was started. */
static void who_runs_is_noted_even_if_nothing_was_started(void **state)
{
	(void)state;
	write_document("");
	for (int i = 0; i < CHILD_COUNT; i++)
		found[i] = fake_fork();
	assert_int_equal(supervise_children(&run), 0);
	assert_int_equal(n_noted, 1);
	assert_true(run.noted);
}

static void what_a_dead_supervisor_left_is_stopped(void **state)
{
	(void)state;
	write_document("announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; };");
	found[CHILD_DNS] = fake_fork();
	found[CHILD_DATAPLANE] = fake_fork();
	assert_int_equal(stop_left_children(&run), 0);
	assert_string_equal(order, "loop ");
	for (int i = 0; i < CHILD_COUNT; i++) {
		assert_int_equal(run.children[i].pid, found[i]);
		assert_false(run.children[i].ours);
	}
	assert_int_equal(routes.n_announced, 1); /* which are to be withdrawn */
	assert_int_equal(n_noted, 0);
}

/* Whose routes they are only this node's own document says. */
static void what_is_left_is_stopped_whatever_the_document_says(void **state)
{
	static const struct {
		const char *end_text, *node, *announce; /* NULL: there is no document */
		size_t n_announced;
	} rows[] = {
		{ "this node's", "ams-1",
		  "announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; };", 1 },
		{ "another node's", "fra-1",
		  "announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; };", 0 },
		{ "none", "ams-1", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		snprintf(dirs.node, sizeof(dirs.node), "%s", rows[i].node);
		if (rows[i].announce)
			write_document(rows[i].announce);
		found[CHILD_DNS] = fake_fork();
		assert_int_equal(stop_left_children(&run), 0);
		if (routes.n_announced != rows[i].n_announced)
			fail_msg("%s: %zu routes", rows[i].end_text, routes.n_announced);
		assert_int_equal(run.children[CHILD_DNS].pid, found[CHILD_DNS]);
		assert_string_equal(order, "loop ");
	}
}

static void the_lock_is_let_go_and_a_failed_loop_is_told(void **state)
{
	char path[PATH_MAX + 16];
	int fd;

	(void)state;
	assert_int_equal(mkdir(dirs.run, 0755), 0);
	assert_int_equal(run_alone(&run, false, end_text), RUN_END_FAILED); /* no programs */
	assert_non_null(strstr(end_text, "weir-mgmt cannot be run: No such file or directory"));
	assert_string_equal(order, "");
	end_text[0] = '\0';
	loop_err = -ENOMEM;
	assert_int_equal(run_alone(&run, true, end_text), RUN_END_FAILED); /* which needs none */
	assert_string_equal(end_text, "the supervisor failed: Cannot allocate memory");
	assert_string_equal(order, "loop ");
	end_text[0] = '\0';
	stop_other_err = -EBUSY;
	assert_int_equal(run_alone(&run, true, end_text), RUN_END_BUSY);
	assert_string_equal(order, "loop ");
	snprintf(path, sizeof(path), "%s/run.lock", dirs.run);
	assert_int_equal(lock_acquire(path, &fd), 0);
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_time_without_sign_of_life_is_in_its_bounds),
		T(a_program_gets_its_directories_and_nothing_of_systemd),
		T(directories_are_made_before_anything_runs),
		T(a_start_takes_over_what_runs_and_starts_the_rest),
		T(who_runs_is_noted_even_if_nothing_was_started),
		T(what_a_dead_supervisor_left_is_stopped),
		T(what_is_left_is_stopped_whatever_the_document_says),
		T(the_lock_is_let_go_and_a_failed_loop_is_told),
	};

	return cmocka_run_group_tests_name("run start", tests, NULL, NULL);
}
