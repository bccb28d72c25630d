/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `weir run` decides (supervise/run.c): when a process is started again, who is asked to end and when, what a
 * document changes, and what one supervisor leaves to the next. A whole supervisor runs in a thread of its own, as long
 * as it has something to do, then in the test's time; its processes are scripts that wait. A request to end reaches
 * nobody: the test ends processes.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/mnl_answers.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const names[] = {
	"mgmt", "dataplane", "health", "dns", "announce", "successor"
};
#define PROGRAMS 5

static struct proc_dirs dirs;
static struct run_options options;
static char reason[RUN_REASON_MAX], bin[64];
static enum run_end end;
static bool ended;
static sem_t may_begin, may_go, is_idle;
static char did[1024]; /* what the supervisor did, in its order: "started mgmt; TERM dns; " */
static pid_t forked[64];
static size_t n_forked;

/* What libc and the kernel refuse. */
static struct {
	int wait, watch, fork, bind, flock, adopt, route;
	bool kill; /* it takes no effect */
	bool exec; /* once: the process only shows a sign of life */
} refuses;
static unsigned n_binds;
static atomic_bool is_slow; /* the disk */

static void pass_moment(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL); /* the pace of loops that wait for a process or thread */
}

static int own_bind(int fd, const struct sockaddr *at, socklen_t n)
{
	n_binds++;
	errno = refuses.bind;
	return refuses.bind ? -1 : __real_bind(fd, at, n);
}

static int own_fsync(int fd)
{
	while (is_slow)
		pass_moment();
	return __real_fsync(fd);
}

static int own_epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
	errno = refuses.watch;
	return what == EPOLL_CTL_ADD && refuses.watch ? -1 : __real_epoll_ctl(fd, what, of, event);
}

/* With nothing left to do the test goes on, and then the loop. */
static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	int n = __real_epoll_wait(fd, events, most, 0);

	if (n || !timeout_ms)
		return n;
	sem_post(&is_idle);
	sem_wait(&may_go);
	errno = refuses.wait;
	return refuses.wait ? -1 : __real_epoll_wait(fd, events, most, 0);
}

static int own_flock(int fd, int how)
{
	errno = refuses.flock;
	return refuses.flock ? -1 : __real_flock(fd, how);
}

static void show_life(void)
{
	struct stats *page;

	if (stats_create(dirs.run, "health", 16, &page) == 0)
		stats_add(stats_turns(page, "main"), 1);
	pause();
}

static pid_t own_fork(void)
{
	errno = refuses.fork;
	if (refuses.fork)
		return -1;

	pid_t pid = __real_fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none */
		if (refuses.exec)
			show_life();
		return 0;
	}
	refuses.exec = false;
	if (n_forked < COUNT(forked))
		forked[n_forked++] = pid;
	return pid;
}

static pid_t pid_of(const char *name)
{
	return run_state_find(dirs.run, name);
}

static void note_action(const char *what, int n, const char *of)
{
	size_t had = strlen(did);

	snprintf(did + had, sizeof(did) - had, "%s%s%.*s; ", what, n ? " " : "", n, of);
}

/* So that it does not depend on the machine when its end is heard of. */
static void await_end(idtype_t kind, pid_t of)
{
	siginfo_t info;

	(void)waitid(kind, (id_t)of, &info, WEXITED | WNOWAIT);
}

static int own_kill(pid_t pid, int signo)
{
	const char *name = "?";

	for (size_t i = 0; i < COUNT(names); i++)
		if (pid_of(names[i]) == pid)
			name = names[i];
	note_action(signo == SIGTERM   ? "TERM"
	            : signo == SIGKILL ? "KILL"
	            : signo == SIGHUP  ? "HUP"
	                               : "?",
	            (int)strlen(name), name);
	if (signo != SIGKILL || refuses.kill)
		return 0;

	int err = __real_kill(pid, signo);

	await_end(P_PID, pid);
	return err;
}

static ssize_t own_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t n)
{
	errno = refuses.route;
	return refuses.route ? -1 : __real_mnl_socket_sendto(socket, bytes, n);
}

static long own_syscall(long number, const long a[6])
{
	errno = refuses.adopt;
	if (number == SYS_pidfd_getfd && refuses.adopt)
		return -1;

	long got = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (number == SYS_pidfd_send_signal)
		await_end(P_PIDFD, (pid_t)a[0]);
	return got;
}

/* The log says of processes what becomes of them. */
static ssize_t own_write(int fd, const void *bytes, size_t n)
{
	const char *line = bytes, *of = fd == STDERR_FILENO ? memmem(line, n, "process=", 8) : NULL;
	const char *again = memmem(line, n, "restart_in_ms=", 14);
	char what[32];

	if (fd != STDERR_FILENO)
		return __real_write(fd, bytes, n);
	const char *event = *line == '<' ? line + 3 : strstr(line, ": ") + 2; /* on a terminal */
	if (of && sscanf(event, "%*[a-z]-%31[a-z-]", what) == 1) {
		note_action(what, (int)strcspn(of + 8, " \n"), of + 8);
		if (again)
			note_action("again in", (int)strcspn(again + 14, "\n"), again + 14);
	}
	return (ssize_t)n;
}

/* The supervisor's thread, for all tests: its end would end the processes that it has started. */
static void *run_supervisor(void *arg)
{
	for (;;) {
		sem_wait(&may_begin);
		end = run_supervise(&options, reason);
		ended = true;
		sem_post(&is_idle);
	}
	return arg;
}

static void begin_supervisor(bool stop)
{
	assert_true(ended);
	options.stop = stop;
	ended = false;
	reason[0] = '\0';
	sem_post(&may_begin);
	sem_wait(&is_idle);
}

static void go_on(void)
{
	assert_false(ended);
	sem_post(&may_go);
	sem_wait(&is_idle);
}

static void pass_ms(uint64_t ms)
{
	simulated.now_ms += ms;
	go_on();
}

static void expect_actions(const char *actions)
{
	assert_string_equal(did, actions);
	did[0] = '\0';
}

static void send_signal(int signo)
{
	assert_int_equal(__real_kill(getpid(), signo), 0);
	go_on();
}

/* Wait for the end of process @p pid, and let the supervisor hear of it. */
static void hear_end(pid_t pid)
{
	await_end(P_PID, pid);
	go_on();
}

static void end_process(const char *name)
{
	pid_t pid = pid_of(name);

	assert_true(pid > 0);
	assert_int_equal(__real_kill(pid, SIGKILL), 0);
	hear_end(pid);
}

/* Wait until process @p name is the script: before, it may have the supervisor's lock, and nobody finds it. */
static void await_script(const char *name)
{
	char path[128];
	pid_t pid = pid_of(name);

	assert_true(pid > 0);
	snprintf(path, sizeof(path), "%s/weir-%s.up", bin, name);
	for (int i = 0, up = 0; up != pid; i++) {
		FILE *f = fopen(path, "r");

		if (f && fscanf(f, "%d", &up) != 1)
			up = 0;
		if (f)
			fclose(f);
		pass_moment();
		assert_true(i < 60000);
	}
}

/* The mark of the document that process @p name was told to pass over, "" if none, in memory of this function. */
static const char *skipped_by(const char *name)
{
	static char mark[PROC_MARK_MAX + 2];
	char path[128];

	await_script(name);
	snprintf(path, sizeof(path), "%s/weir-%s.skip", bin, name);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(mark, sizeof(mark), f));
	fclose(f);
	mark[strcspn(mark, "\n")] = '\0';
	return mark;
}

/* It ends by itself, with @p status. */
static void exit_process(const char *name, const char *status)
{
	pid_t pid = pid_of(name);
	char path[128];

	assert_true(pid > 0);
	snprintf(path, sizeof(path), "%s/weir-%s.end", bin, name);

	int fd = open(path, O_WRONLY | O_CLOEXEC); /* it waits there */

	assert_true(fd >= 0);
	assert_int_equal(__real_write(fd, status, strlen(status)), strlen(status));
	close(fd);
	hear_end(pid);
}

/* The supervisor is gone, and its processes go on. */
static void fail_supervisor(void)
{
	refuses.wait = EBADF;
	go_on();
	refuses.wait = 0;
	assert_true(ended);
	assert_int_equal(end, RUN_END_FAILED);
	assert_string_equal(reason, "the supervisor failed: Bad file descriptor");
}

static void write_program(const char *name)
{
	/* the supervisor ignores SIGHUP, and a shell could not catch it then */
	static const char script[] = "#!/usr/bin/env -S --default-signal=HUP sh\n"
	                             "case $0 in *-health) trap : HUP;; esac\n"
	                             "echo \"$WEIR_SKIP_DOCUMENT\" >\"$0.skip\"\n"
	                             "echo $$ >\"$0.up\"\n"
	                             "read word <\"$0.end\"\n"
	                             "exit $word\n";
	char path[128], file[64];

	snprintf(file, sizeof(file), "bin/weir-%s", name);
	place_write(file, script);
	snprintf(path, sizeof(path), "%s/%s", place, file);
	assert_int_equal(chmod(path, 0755), 0);
	strcat(path, ".end");
	if (mkfifo(path, 0600))
		assert_int_equal(errno, EEXIST);
}

static char address[2][32];
static unsigned document_number;

static void write_document(const char *node, unsigned n_threads, const char *listen,
                           const char *more)
{
	char text[2048];

	snprintf(
	        text, sizeof(text),
	        "effective = { version = \"7\"; digest = \"\"; document = \"%u\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"/hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } ); dns = { threads = %u; };\n"
	        "nodes = ( { name = \"%s\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ %s ]; %s } );\n",
	        document_number, n_threads, node, listen, more);
	place_write("state/" PROC_EFFECTIVE_FILE, text);
}

/* A document of @p node, which announces. */
static void write_announced_of(const char *node, const char *dns)
{
	char more[128];

	snprintf(more, sizeof(more), "announce = { daemon = \"bird\"; dns = [ %s ]; };", dns);
	write_document(node, 1, address[0], more);
}

static void write_announced(const char *dns)
{
	write_announced_of("ams-1", dns);
}

static void write_plain(void)
{
	write_document("ams-1", 1, address[0], "");
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	place_make();
	dirs = (struct proc_dirs){ .bpf = "/bpf", .node = "ams-1" };
	snprintf(dirs.run, sizeof(dirs.run), "%s/run", place);
	snprintf(dirs.state, sizeof(dirs.state), "%s/state", place);
	snprintf(dirs.conf, sizeof(dirs.conf), "%s/conf", place);
	snprintf(bin, sizeof(bin), "%s/bin", place);
	snprintf(path, sizeof(path), "%s/state", place);
	assert_int_equal(mkdir(bin, 0755) | mkdir(path, 0755), 0);
	for (size_t i = 0; i < PROGRAMS; i++)
		write_program(names[i]);
	for (int i = 0; i < 2; i++)
		snprintf(address[i], sizeof(address[i]), "\"127.%d.%d.5%d\"", getpid() % 200 + 20,
		         getpid() / 200 % 250, 3 + i);
	assert_int_equal(setenv("WEIR_BIN_DIR", bin, 1), 0);
	options = (struct run_options){ .dirs = &dirs, .hang_ms = RUN_HANG_MOST_MS };
	memset(&refuses, 0, sizeof(refuses));
	did[0] = '\0';
	n_forked = n_binds = 0;
	simulated.now_ms = 1000000;
	document_number = 57;
	ended = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_forked; i++)
		__real_kill(forked[i], SIGKILL);
	memset(&refuses, 0, sizeof(refuses));
	if (!ended)
		fail_supervisor();
	while (waitpid(-1, NULL, 0) > 0)
		;
	place_remove();
	return 0;
}

static void a_start_takes_over_what_runs_and_starts_the_rest(void **state)
{
	pid_t kept[PROGRAMS];
	char path[64];

	(void)state;
	begin_supervisor(false);
	expect_actions(
	        "started mgmt; started dataplane; started health; "); /* nobody knows its addresses */
	assert_int_equal(pid_of("run"), getpid());
	write_plain();
	go_on();
	expect_actions("started dns; ");
	write_announced("");
	go_on();
	expect_actions("started announce; ");
	for (size_t i = 0; i < PROGRAMS; i++) {
		kept[i] = pid_of(names[i]);
		assert_true(kept[i] > 0);
		await_script(names[i]);
	}
	fail_supervisor();
	snprintf(path, sizeof(path), "%s/run/" RUN_STATE_FILE, place);
	assert_int_equal(unlink(path), 0); /* the next one must find all without it */
	begin_supervisor(false);
	expect_actions(
	        "adopted mgmt; adopted dataplane; adopted health; adopted dns; adopted announce; ");
	for (size_t i = 0; i < PROGRAMS; i++)
		assert_int_equal(pid_of(names[i]), kept[i]);
	fail_supervisor();
	assert_int_equal(__real_kill(kept[2], SIGKILL), 0);
	assert_int_equal(waitpid(kept[2], NULL, 0), kept[2]);
	begin_supervisor(false);
	expect_actions(
	        "adopted mgmt; adopted dataplane; adopted dns; adopted announce; started health; ");
	assert_int_equal(unlink(path), 0);
	pass_ms(RUN_LOOK_MS);
	assert_int_equal(access(path, F_OK), 0); /* it is looked after */
}

static void what_dies_is_started_later_and_later(void **state)
{
	static const unsigned waits_ms[] = { 0, 200, 400, 800, 1600, 3200, 5000, 5000 };
	char text[96];

	(void)state;
	begin_supervisor(false);
	did[0] = '\0';
	for (size_t i = 0; i < COUNT(waits_ms); i++) {
		end_process("health");
		snprintf(text, sizeof(text), "died health; again in %u; %s", waits_ms[i],
		         waits_ms[i] ? "" : "started health; ");
		expect_actions(text);
		assert_int_equal(pid_of("health") > 0, !waits_ms[i]);
		if (!waits_ms[i])
			continue;
		pass_ms(waits_ms[i] - 1);
		expect_actions("");
		pass_ms(1);
		expect_actions("started health; ");
	}
	pass_ms(1999);
	end_process("health");
	expect_actions("died health; again in 5000; ");
	pass_ms(5000);
	expect_actions("started health; ");
	pass_ms(2000); /* it has not crashed at once */
	end_process("health");
	expect_actions("died health; again in 0; started health; ");
	end_process("health");
	expect_actions("died health; again in 200; ");
}

/* What the status says of the restarts of @p name. */
static unsigned restarts_of(const char *name)
{
	struct conditions all;
	char subject[32];
	unsigned n = 0;

	pass_ms(RUN_LOOK_MS);
	snprintf(subject, sizeof(subject), "weir-%s", name);
	assert_int_equal(conditions_read(dirs.run, "run", &all), 0);
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, "process-restarted") &&
		    !strcmp(all.items[i].subject, subject))
			assert_int_equal(sscanf(all.items[i].text, "restarted by weir run (%u", &n),
			                 1);
	return n;
}

/* Ends in order, and those that weir run wanted, are none, and one that was killed because it hung is counted already. */
static void a_death_is_noted_unless_it_was_wanted(void **state)
{
	struct stats_reader *page;

	(void)state;
	options.hang_ms = RUN_HANG_LEAST_MS;
	write_plain();
	begin_supervisor(false);
	end_process("health");
	assert_int_equal(restarts_of("health"), 1);
	pass_ms(2000);
	exit_process("health", "3\n");
	assert_int_equal(restarts_of("health"), 2);
	pass_ms(2000);
	refuses.exec = true;
	exit_process("health", "0\n");
	assert_int_equal(restarts_of("health"), 2);
	did[0] = '\0';
	while (stats_reader_open(dirs.run, "health", &page) != 0)
		sched_yield(); /* it begins */
	stats_reader_close(page);
	for (int i = 0; i < 10; i++)
		pass_ms(RUN_LOOK_MS);
	assert_non_null(strstr(did, "hangs health; "));
	assert_non_null(strstr(did, "died health; again in 0; started health; "));
	assert_int_equal(restarts_of("health"), 3);
	write_document("ams-1", 1, address[1], "");
	go_on();
	end_process("dns");
	assert_int_equal(restarts_of("dns"), 0);
	for (size_t i = 0; i < 4; i++)
		await_script(names[i]);
	fail_supervisor();
	begin_supervisor(false); /* how a process of another supervisor ends is not known */
	did[0] = '\0';
	end_process("mgmt");
	expect_actions("died mgmt; again in 0; started mgmt; ");
	assert_int_equal(restarts_of("mgmt"), 0);
	send_signal(SIGTERM);
	end_process("mgmt");
	assert_int_equal(restarts_of("mgmt"), 0);
}

/* Process @p name says that it has document @p number in force, and whether it refuses the newest. */
static void state_document(const char *name, uint64_t number, bool refused)
{
	struct stats *page;

	assert_int_equal(stats_create(dirs.run, name, 16, &page), 0);
	conditions_begin(page, number);
	if (refused)
		conditions_add(page, "document-refused", CONDITION_DEGRADED, "", "it is");
	conditions_end(page);
	stats_close(page);
}

static void state_documents(uint64_t number)
{
	state_document("dataplane", number, false);
	state_document("health", number, false);
	state_document("dns", number, false);
}

static void pass_looks(unsigned n)
{
	while (n--)
		pass_ms(RUN_LOOK_MS);
}

/* The condition's subjects in the supervisor's page: "weir-dns ". */
static const char *who_has_the_last_good(void)
{
	static struct conditions said;
	static char subjects[100];

	subjects[0] = '\0';
	assert_int_equal(conditions_read(dirs.run, "run", &said), 0);
	for (uint32_t i = 0; i < said.n; i++)
		if (!strcmp(said.items[i].code, "last-good-document")) {
			assert_int_equal(said.items[i].level, CONDITION_DEGRADED);
			strcat(strcat(subjects, said.items[i].subject), " ");
		}
	return subjects;
}

/* Which document's copy is kept; 0: none's. */
static unsigned good_document(void)
{
	char path[128], text[2048] = "";
	unsigned number = 0;

	snprintf(path, sizeof(path), "%s/state/" PROC_GOOD_FILE, place);
	FILE *f = fopen(path, "r");

	if (!f)
		return 0;
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_int_equal(sscanf(strstr(text, "document = "), "document = \"%u\"", &number), 1);
	return number;
}

/* The copy is written by a thread. */
static void await_good(unsigned number)
{
	for (int i = 0; good_document() != number; i++) {
		pass_moment();
		assert_true(i < 60000);
	}
	go_on();
}

/* A supervisor whose processes have document 57 in force, which is kept; then 58 comes. */
static void begin_with_a_good_document(void)
{
	write_plain();
	begin_supervisor(false);
	state_documents(57);
	pass_looks(9);
	assert_int_equal(good_document(), 0); /* not yet */
	pass_looks(3);
	await_good(57);
	document_number = 58;
	write_plain();
	pass_looks(1);
}

/* What each process is given as it starts: the newest twice, then the last good one, and from then on in turns. */
static void who_fails_twice_with_a_document_gets_the_last_good_one(void **state)
{
	char path[128], mark[PROC_MARK_MAX], good[PATH_MAX];
	static const bool skips[] = { false, true, true, false, false, true };

	(void)state;
	begin_with_a_good_document();
	snprintf(path, sizeof(path), "%s/state/" PROC_EFFECTIVE_FILE, place);
	assert_int_equal(proc_document_mark(path, mark), 0);
	assert_string_equal(skipped_by("health"), "");
	for (size_t i = 0; i < COUNT(skips); i++) {
		await_script("health");
		end_process("health");
		pass_ms(5000); /* the longest pause before a start */
		assert_string_equal(skipped_by("health"), skips[i] ? mark : "");
		assert_string_equal(skipped_by("dns"), ""); /* the others go on */
		assert_string_equal(who_has_the_last_good(), skips[i] ? "weir-health " : "");
	}
	assert_int_equal(good_document(), 57);

	/* what such a process reads, until there is another document */
	assert_int_equal(setenv(PROC_SKIP_VARIABLE, mark, 1), 0);
	snprintf(good, sizeof(good), "%s/state/" PROC_GOOD_FILE, place);
	char room[PATH_MAX];
	assert_string_equal(proc_document(path, room), good);
	document_number = 59;
	write_plain();
	assert_string_equal(proc_document(path, room), path);
	assert_int_equal(unsetenv(PROC_SKIP_VARIABLE), 0);
	pass_looks(1);
	assert_string_equal(who_has_the_last_good(), "");

	end_process("health"); /* with the new one it has two tries again */
	pass_ms(5000);
	assert_string_equal(skipped_by("health"), "");
}

static void who_is_ended_or_had_the_document_in_force_gets_the_newest(void **state)
{
	(void)state;
	begin_with_a_good_document();
	for (int i = 0; i < 5; i++) {
		await_script("health");
		exit_process("health", "0"); /* somebody asked for it */
		pass_ms(5000);
		assert_string_equal(skipped_by("health"), "");
	}
	for (int i = 0; i < 5; i++) {
		state_documents(58);
		pass_looks(6); /* it dies of something else */
		end_process("health");
		pass_ms(5000);
		assert_string_equal(skipped_by("health"), "");
	}
	assert_int_equal(good_document(), 57); /* for 5 s in force, of all */
	state_documents(58);
	pass_looks(12);
	await_good(58);
}

/* One that lives on without any document is ended for it, once. */
static void who_refuses_a_document_at_its_start_gets_the_last_good_one(void **state)
{
	(void)state;
	begin_with_a_good_document();
	state_documents(58);
	did[0] = '\0';
	state_document("dns", 57, true); /* it has one in force */
	pass_looks(30);
	expect_actions("");
	end_process("dns"); /* of something else, once */
	pass_ms(0);
	await_script("dns");
	did[0] = '\0';
	pass_looks(1);
	state_document("dns", 0, true);
	pass_looks(18);
	expect_actions(""); /* not yet */
	pass_looks(2);
	expect_actions("TERM dns; ");
	end_process("dns");
	pass_ms(5000);
	assert_string_not_equal(skipped_by("dns"), "");
	assert_string_equal(who_has_the_last_good(), "weir-dns ");
	await_script("dns");
	did[0] = '\0';
	pass_looks(1);
	state_document("dns", 0, true); /* that is refused, too: it waits with the newest */
	pass_looks(8);
	expect_actions("");
	pass_looks(1);
	expect_actions("TERM dns; ");
	end_process("dns");
	pass_ms(5000);
	assert_string_equal(skipped_by("dns"), "");
	assert_string_equal(who_has_the_last_good(), "");
	did[0] = '\0';
	state_document("dns", 0, true);
	pass_looks(30);
	expect_actions("");
}

static void a_slow_disk_holds_up_no_start(void **state)
{
	(void)state;
	write_plain();
	begin_supervisor(false);
	state_documents(57);
	is_slow = true;
	pass_looks(12);
	did[0] = '\0';
	end_process("health");
	expect_actions("died health; again in 0; started health; ");
	assert_int_equal(good_document(), 0);
	is_slow = false;
	await_good(57);
}

static void who_has_the_last_good_one_has_it_under_the_next_supervisor(void **state)
{
	(void)state;
	begin_with_a_good_document();
	for (int i = 0; i < 2; i++) {
		await_script("health");
		end_process("health");
		pass_ms(5000);
	}
	for (size_t i = 0; i < 4; i++)
		await_script(names[i]);
	fail_supervisor();
	begin_supervisor(false);
	pass_looks(1);
	assert_string_equal(who_has_the_last_good(), "weir-health ");
	document_number = 59;
	write_plain();
	pass_looks(1);
	assert_string_equal(who_has_the_last_good(), "");
}

/* What it refuses may be its driver's: it is to take the newest once there is a NIC. */
static void a_dataplane_without_a_driver_is_left_with_the_newest(void **state)
{
	(void)state;
	begin_with_a_good_document();
	end_process("dataplane");
	pass_ms(0);
	await_script("dataplane");
	did[0] = '\0';
	pass_looks(1);
	state_document("dataplane", 0, true);
	pass_looks(30);
	expect_actions("");
	place_write("state/" PROC_EFFECTIVE_FILE, "schema = "); /* no process takes that */
	pass_looks(1);
	expect_actions("TERM dataplane; ");
}

/* weir-dns needs the addresses of a document. */
static void a_start_with_a_refused_document_goes_on_from_the_last_good_one(void **state)
{
	(void)state;
	begin_with_a_good_document();
	fail_supervisor();
	for (size_t i = 0; i < n_forked; i++) {
		__real_kill(forked[i], SIGKILL);
		waitpid(forked[i], NULL, 0);
	}
	place_write("state/" PROC_EFFECTIVE_FILE, "schema = ");
	did[0] = '\0';
	begin_supervisor(false);
	expect_actions("started dns; started mgmt; started dataplane; started health; ");
}

static void with_a_successor_nothing_is_started(void **state)
{
	pid_t next;

	(void)state;
	begin_supervisor(false);
	did[0] = '\0';
	send_signal(SIGUSR1);
	expect_actions("started dataplane; ");
	next = pid_of("successor");
	assert_true(next > 0 && next != pid_of("dataplane"));
	end_process("health"); /* it is not health's */
	expect_actions("died health; again in 0; started health; ");
	end_process("dataplane");
	expect_actions("died dataplane; again in 0; took-over dataplane; ");
	assert_int_equal(pid_of("dataplane"), next);
	assert_int_equal(restarts_of("dataplane"), 0);
	end_process("dataplane");
	expect_actions("died dataplane; again in 200; ");
	pass_ms(200);
	expect_actions("started dataplane; ");
	send_signal(SIGUSR1);
	expect_actions("started dataplane; ");
	send_signal(SIGTERM);
	expect_actions("KILL successor; TERM mgmt; ended dataplane; "); /* the second */
}

static void what_cannot_be_started_or_watched_is_tried_again(void **state)
{
	(void)state;
	begin_supervisor(false);
	did[0] = '\0';
	for (int watch = 0; watch < 2; watch++) {
		refuses.watch = watch ? ENOMEM : 0;
		refuses.fork = watch ? 0 : EAGAIN;
		pass_ms(2000);
		end_process("mgmt");
		expect_actions(watch ? "died mgmt; again in 0; not-started mgmt; KILL ?; "
		                     : "died mgmt; again in 0; not-started mgmt; ");
		assert_int_equal(pid_of("mgmt"), 0);
		refuses.watch = refuses.fork = 0;
		pass_ms(4999);
		expect_actions("");
		pass_ms(1);
		expect_actions("started mgmt; ");
	}
}

/*
 * What changes things first, what serves last; who does not run is not waited for, and who does
 * not end neither.
 */
static void a_stop_goes_through_all_in_order(void **state)
{
	(void)state;
	write_announced("");
	begin_supervisor(false);
	expect_actions(
	        "started announce; started dns; started mgmt; started dataplane; started health; ");
	end_process("health");
	end_process("health");
	expect_actions("died health; again in 0; started health; died health; again in 200; ");
	send_signal(SIGTERM);
	expect_actions("TERM mgmt; ");
	send_signal(SIGTERM); /* said twice */
	send_signal(SIGINT);
	pass_ms(200);
	expect_actions(""); /* nothing is started any more */
	end_process("mgmt");
	expect_actions("ended mgmt; TERM announce; ");
	end_process("announce");
	expect_actions("ended announce; TERM dataplane; ");
	pass_ms(4999);
	expect_actions("");
	refuses.kill = true;
	pass_ms(1);
	expect_actions("killed dataplane; KILL dataplane; ");
	pass_ms(2999);
	expect_actions("");
	pass_ms(1);
	expect_actions("left dataplane; TERM dns; ");
	end_process("dns");
	expect_actions("ended dns; ");
	assert_true(ended);
	assert_int_equal(end, RUN_END_OK);
	assert_int_equal(access(dirs.run, F_OK), 0);
}

/* Whoever adds routes has ended, and whoever serves has not. */
static void a_stop_withdraws_dns_addresses_and_waits(void **state)
{
	(void)state;
	write_announced(address[0]);
	begin_supervisor(false);
	refuses.route = EPERM; /* whether there are any is not known */
	did[0] = '\0';
	send_signal(SIGTERM);
	end_process("mgmt");
	expect_actions("TERM mgmt; ended mgmt; TERM announce; ");
	end_process("announce");
	expect_actions("ended announce; ");
	pass_ms(999);
	end_process("health"); /* by itself: the others are not asked earlier */
	expect_actions("ended health; ");
	pass_ms(1);
	expect_actions("TERM dataplane; ");
	end_process("dataplane");
	expect_actions("ended dataplane; TERM dns; "); /* it is waited once */
	end_process("dns");
	assert_true(ended);
}

static void a_stop_of_the_last_process_waits_for_nobody(void **state)
{
	(void)state;
	begin_supervisor(false);
	end_process("health");
	end_process("health");
	end_process("dataplane");
	end_process("dataplane");
	end_process("mgmt");
	end_process("mgmt");
	did[0] = '\0';
	send_signal(SIGTERM);
	expect_actions("");
	assert_true(ended);
	assert_int_equal(end, RUN_END_OK);
}

static void a_document_gives_weir_dns_its_sockets(void **state)
{
	char both[80], turned[80];
	unsigned n;

	(void)state;
	snprintf(both, sizeof(both), "%s, %s", address[0], address[1]);
	snprintf(turned, sizeof(turned), "%s, %s", address[1], address[0]);
	write_document("ams-1", 1, both, "");
	begin_supervisor(false);
	expect_actions("started dns; started mgmt; started dataplane; started health; ");
	assert_int_equal(n_binds, 4);
	write_document("ams-1", 1, both, "");
	go_on();
	write_document("ams-1", 2, both, ""); /* they are passed */
	go_on();
	expect_actions("");
	assert_int_equal(n_binds, 8);
	write_document("ams-1", 2, turned, "");
	go_on();
	expect_actions("TERM dns; ");
	pass_ms(3000);
	write_document("ams-1", 2, both, "");
	go_on();
	expect_actions(""); /* it is asked already, and its time does not begin again */
	pass_ms(1999);
	expect_actions("");
	pass_ms(1);
	expect_actions("killed dns; KILL dns; ended dns; started dns; ");
	write_document("ams-1", 2, turned, "");
	go_on();
	end_process("dns");
	expect_actions("TERM dns; ended dns; started dns; ");
	pass_ms(5000); /* that time was over with its process */
	expect_actions("");
	n = n_binds;
	refuses.bind = EADDRINUSE;
	write_document("ams-1", 3, turned, "");
	go_on();
	refuses.bind = 0;
	assert_int_equal(n_binds, n + 2 * 2); /* in vain */
	pass_ms(4999);
	assert_int_equal(n_binds, n + 4);
	pass_ms(1);
	assert_int_equal(n_binds, n + 8);
	expect_actions("");
	refuses.bind = EADDRINUSE;
	write_document("ams-1", 4, turned, "");
	go_on();
	refuses.bind = 0;
	end_process("dns"); /* which may have held it */
	assert_int_equal(n_binds, n + 16);
}

/* weir-dns must have lived for 3 s since, with what is extra, before sockets are closed. */
static void sockets_that_are_not_wanted_are_closed_in_time(void **state)
{
	unsigned n;

	(void)state;
	write_document("ams-1", 2, address[0], "");
	begin_supervisor(false);
	pass_ms(60000);
	n = count_descriptors();
	write_document("ams-1", 1, address[0], "");
	go_on();
	pass_ms(2999);
	assert_int_equal(count_descriptors(), n);
	pass_ms(1);
	assert_int_equal(count_descriptors(), n - 2);
	write_document("ams-1", 2, address[0], "");
	go_on();
	assert_int_equal(count_descriptors(), n);
	write_document("ams-1", 1, address[0], "");
	go_on();
	pass_ms(1);
	end_process("dns"); /* the next one has them for less than that */
	pass_ms(2999);
	assert_int_equal(count_descriptors(), n);
	pass_ms(2999);
	assert_int_equal(count_descriptors(), n);
	pass_ms(1);
	assert_int_equal(count_descriptors(), n - 2);
	write_document("ams-1", 2, address[0], "");
	go_on();
	write_document("ams-1", 1, address[0], "");
	go_on();
	n = count_descriptors();
	refuses.fork = EAGAIN;
	end_process("dns"); /* nobody can empty them */
	refuses.fork = 0;
	pass_ms(3000);
	assert_int_equal(count_descriptors(), n - 1); /* its own */
}

static void go_on_without_descriptors(void)
{
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	go_on();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* For want of a descriptor: without another try weir-dns would wait for the next document. */
static void a_document_that_cannot_be_read_now_is_read_again(void **state)
{
	(void)state;
	begin_supervisor(false);
	did[0] = '\0';
	write_plain();
	for (int i = 0; i < 2; i++) {
		simulated.now_ms += i ? 5000 : 0;
		go_on_without_descriptors();
		expect_actions("");
	}
	pass_ms(4999);
	expect_actions("");
	pass_ms(1);
	expect_actions("started dns; ");
}

static void what_is_no_document_for_this_node_changes_nothing(void **state)
{
	(void)state;
	begin_supervisor(false);
	did[0] = '\0';
	place_write("state/" PROC_EFFECTIVE_FILE, "schema = ");
	go_on();
	write_document("fra-1", 1, address[0], "");
	go_on();
	send_signal(SIGTERM);
	expect_actions("TERM mgmt; ");
	write_plain();
	go_on();
	expect_actions("");
	assert_int_equal(n_binds, 0);
}

static void a_hang_up_reaches_only_who_takes_it(void **state)
{
	(void)state;
	begin_supervisor(false);
	for (size_t i = 0; i < 3; i++)
		await_script(names[i]);
	did[0] = '\0';
	send_signal(SIGHUP);
	expect_actions("HUP health; ");
	write_plain();
	go_on_without_descriptors();
	expect_actions("");
	send_signal(SIGHUP); /* the document is read, too */
	expect_actions("HUP health; started dns; ");
}

/*
 * A name server goes on with the sockets of the document of this node, also where that can be read only later; it is
 * started again if they cannot be had.
 */
static void a_name_server_without_known_sockets_is_renewed(void **state)
{
	static const struct {
		const char *why,
		        *node; /* of the document; "": it is damaged, NULL: there is none */
		int adopt;
		bool is_kept;
	} rows[] = {
		{ "all is there", "ams-1", 0, true },
		{ "its sockets cannot be had", "ams-1", EPERM, false },
		{ "another node's document", "fra-1", 0, true },
		{ "a damaged document", "", 0, true },
		{ "no document", NULL, 0, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[128];

		print_message("  %s\n", rows[i].why);
		if (i) {
			tear_down(state);
			assert_int_equal(set_up(state), 0);
		}
		write_plain();
		begin_supervisor(false);
		for (size_t k = 0; k < 4; k++)
			await_script(names[k]);
		fail_supervisor();
		snprintf(path, sizeof(path), "%s/state/" PROC_EFFECTIVE_FILE, place);
		if (!rows[i].node)
			assert_int_equal(unlink(path), 0);
		else if (!*rows[i].node)
			place_write("state/" PROC_EFFECTIVE_FILE, "schema = ");
		else
			write_document(rows[i].node, 1, address[0], "");
		refuses.adopt = rows[i].adopt;
		n_binds = 0;
		did[0] = '\0';
		begin_supervisor(false);
		expect_actions(
		        rows[i].is_kept
		                ? "adopted mgmt; adopted dataplane; adopted health; adopted dns; "
		                : "adopted mgmt; adopted dataplane; adopted health; adopted dns; TERM dns; ");
		write_plain();
		go_on();
		expect_actions("");
		if (rows[i].is_kept)
			assert_int_equal(n_binds, 0); /* it has all */
	}
}

static void what_a_dead_supervisor_left_is_stopped(void **state)
{
	static const struct {
		const char *why, *node; /* of the document; NULL: there is none */
		bool waits;
	} rows[] = {
		{ "this node's", "ams-1", true },
		{ "another node's", "fra-1", false }, /* whose routes they are it alone says */
		{ "none", NULL, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[128];

		print_message("  %s\n", rows[i].why);
		if (i) {
			tear_down(state);
			assert_int_equal(set_up(state), 0);
		}
		write_plain();
		begin_supervisor(false);
		for (size_t k = 0; k < 4; k++)
			await_script(names[k]);
		fail_supervisor();
		snprintf(path, sizeof(path), "%s/state/" PROC_EFFECTIVE_FILE, place);
		assert_int_equal(unlink(path), 0);
		if (rows[i].node)
			write_announced_of(rows[i].node, address[0]);
		snprintf(path, sizeof(path), "%s/weir-health", bin);
		assert_int_equal(unlink(path), 0); /* it needs no programs */
		refuses.route = EPERM;
		did[0] = '\0';
		begin_supervisor(true);
		expect_actions("TERM mgmt; ");
		end_process("mgmt");
		expect_actions(rows[i].waits ? "ended mgmt; " : "ended mgmt; TERM dataplane; ");
		if (rows[i].waits) {
			pass_ms(1000);
			expect_actions("TERM dataplane; ");
		}
		end_process("dataplane");
		end_process("dns");
		expect_actions("ended dataplane; TERM dns; ended dns; ");
		assert_true(ended);
		assert_int_equal(end, RUN_END_OK);
	}
}

static void programs_are_looked_for_beside_it_or_where_it_is_told(void **state)
{
	char path[PATH_MAX], expected[2 * PATH_MAX];

	(void)state;
	for (int beside = 0; beside < 2; beside++)
		for (size_t i = 0; i < (beside ? 1 : PROGRAMS); i++) {
			snprintf(path, sizeof(path), "%s", bin);
			if (beside) {
				ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

				assert_true(n > 0);
				path[n] = '\0';
				*strrchr(path, '/') = '\0';
				assert_int_equal(unsetenv("WEIR_BIN_DIR"), 0);
			}
			strncat(path, "/weir-", sizeof(path) - strlen(path) - 1);
			strncat(path, names[i], sizeof(path) - strlen(path) - 1);
			(void)unlink(path);
			begin_supervisor(false);
			if (i == 4) { /* most nodes start none */
				assert_false(ended);
				for (size_t k = 0; k < 3; k++)
					await_script(names[k]);
				fail_supervisor();
				did[0] = '\0';
				break;
			}
			assert_true(ended);
			assert_int_equal(end, RUN_END_FAILED);
			snprintf(
			        expected, sizeof(expected),
			        "%s cannot be run: No such file or directory; install all programs of "
			        "Weir in one directory, or name it in WEIR_BIN_DIR",
			        path);
			assert_string_equal(reason, expected);
			expect_actions("");
			write_program(names[i]);
		}
}

static void who_has_the_lock_is_said_with_what_to_do(void **state)
{
	static const struct {
		const char *text; /* behind the directory */
		int flock;
		bool stop;
		enum run_end end;
	} rows[] = {
		{ "; stop it (weir run --stop) or give another --run-dir", EWOULDBLOCK, false,
		  RUN_END_BUSY },
		{ " does not end; its log says why", EWOULDBLOCK, true, RUN_END_BUSY },
		{ " cannot be locked: Permission denied; run the command as root", EACCES, true,
		  RUN_END_DENIED },
		{ " cannot be locked: Permission denied; run the command as root", EACCES, false,
		  RUN_END_DENIED },
		{ " cannot be locked: No space left on device", ENOSPC, true, RUN_END_WRONG },
	};
	char expected[2 * PATH_MAX], lock[128];
	unsigned n;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		refuses.flock = rows[i].flock;
		begin_supervisor(rows[i].stop);
		assert_true(ended);
		assert_int_equal(end, rows[i].end);
		snprintf(expected, sizeof(expected), "%s%s%s",
		         i == 0   ? "another weir run uses "
		         : i == 1 ? "the weir run that uses "
		                  : "",
		         dirs.run, rows[i].text);
		assert_string_equal(reason, expected);
		expect_actions("");
	}
	refuses.flock = 0;
	n = count_descriptors();
	begin_supervisor(true); /* there is nobody: the lock is let go */
	assert_int_equal(count_descriptors(), n);
	assert_true(ended);
	assert_int_equal(end, RUN_END_OK);
	snprintf(lock, sizeof(lock), "%s/run/" RUN_LOCK_FILE, place);
	assert_int_equal(lock_acquire(lock, &fd), 0);
	close(fd);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void directories_are_made_before_anything_runs(void **state)
{
	char expected[3 * PATH_MAX], good[PATH_MAX];

	(void)state;
	umask(077);
	snprintf(dirs.state, sizeof(dirs.state), "%s/new", place);
	begin_supervisor(true);
	assert_int_equal(end, RUN_END_OK);
	assert_int_equal(umask(022), 0027); /* the processes' */
	assert_true(mode_of(dirs.run) && mode_of(dirs.state));
	assert_int_equal(chmod(dirs.run, 0711), 0);
	begin_supervisor(true);
	assert_int_equal(end, RUN_END_OK); /* they are there: as their owner wants */
	assert_int_equal(mode_of(dirs.run), 0711);
	for (int i = 0; i < 2; i++) {
		char *wrong = i ? dirs.state : dirs.run;

		snprintf(good, sizeof(good), "%s", wrong);
		snprintf(wrong, sizeof(dirs.run), "%s/a/b", place);
		begin_supervisor(true);
		assert_int_equal(end, RUN_END_WRONG);
		snprintf(expected, sizeof(expected),
		         "%s or %s cannot be created: No such file or directory", dirs.run,
		         dirs.state);
		assert_string_equal(reason, expected);
		snprintf(wrong, sizeof(dirs.run), "%s", good);
	}
}

/* Read the file @p name of the test's directory. */
static void read_file(const char *name, char *out, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	f = fopen(path, "r");
	assert_non_null(f);
	out[fread(out, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* Run what child @p i of @p r runs. @return its wait status */
static int run_one(const struct run *r, int i, const char *option, const char *value)
{
	int status = -1;
	pid_t pid = __real_fork();

	if (pid == 0) {
		char said[64];
		sigset_t most;

		snprintf(said, sizeof(said), "%s/said", place);
		dup2(open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), STDERR_FILENO);

		sigfillset(&most);
		sigprocmask(SIG_BLOCK, &most, NULL);
		setenv("WATCHDOG_USEC", "1", 1);
		setenv("WATCHDOG_PID", "2", 1);
		setenv("NOTIFY_SOCKET", "/3", 1);
		setenv("LISTEN_PID", "4", 1);
		setenv("LISTEN_FDS", "5", 1);
		setenv("LISTEN_FDNAMES", "6", 1);
		run_exec_child(&r->children[i], option, value);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int own_oom_score(void)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "r");
	int score = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &score), 1);
	fclose(f);
	return score;
}

/* To give more, and that back, needs no right. */
static void set_oom_score(int score)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "w");

	assert_non_null(f);
	assert_true(fprintf(f, "%d", score) > 0);
	assert_int_equal(fclose(f), 0);
}

static void a_program_gets_its_directories_and_nothing_of_systemd(void **state)
{
	static const char script[] =
	        "#!/bin/sh\n"
	        "exec >\"$0.seen\"\n"
	        "echo \"$*\"\n"
	        "echo \"$WATCHDOG_USEC$WATCHDOG_PID$NOTIFY_SOCKET${LISTEN_PID#$$}|$LISTEN_FDS|$LISTEN_FDNAMES\"\n"
	        "while read -r word rest; do case $word in SigBlk:) echo $rest;; esac; done </proc/self/status\n"
	        "cat /proc/self/oom_score_adj\n";
	static const struct {
		const char *option, *value, *seen;
	} rows[] = { { NULL, NULL, "" },
		     { "--bootstrap", NULL, " --bootstrap" },
		     { "--successor", "7", " --successor 7" } };
	struct run run = { .dirs = &dirs };
	struct rlimit before, none;
	char expected[4 * PATH_MAX], said[256];
	const int own = own_oom_score(), scores[] = { own, own + 300, own + 700 };
	int score = own;

	(void)state;
	snprintf(run.bin, sizeof(run.bin), "%s", bin);
	run_sockets_init(&run.sockets);
	for (int i = 0; i < CHILD_COUNT; i++) {
		run.children[i] = (struct child){ .name = names[i], .run = &run };
		for (size_t k = 0; k < COUNT(rows); k++) {
			char seen[4096], name[64], path[128];

			snprintf(name, sizeof(name), "bin/weir-%s", names[i]);
			place_write(name, script);
			snprintf(path, sizeof(path), "%s/%s", place, name);
			assert_int_equal(chmod(path, 0755), 0);
			score = scores[k] < 1000 ? scores[k] : 1000; /* as of a container */
			set_oom_score(score);
			assert_int_equal(run_one(&run, i, rows[k].option, rows[k].value), 0);
			strcat(name, ".seen");
			read_file(name, seen, sizeof(seen));
			snprintf(expected, sizeof(expected),
			         "--conf-dir %s --state-dir %s --run-dir %s --bpf-dir /bpf --node "
			         "ams-1%s\n|%s\n0000000000000000\n%d\n",
			         dirs.conf, dirs.state, dirs.run, rows[k].seen,
			         i == CHILD_DNS ? "1|weir-more" : "|",
			         i != CHILD_MGMT ? score
			         : score < 500   ? score + 500
			                         : 1000);
			assert_string_equal(seen, expected);
		}
	}
	set_oom_score(own);
	/* without its sockets it would answer nobody */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int status = run_one(&run, CHILD_DNS, NULL, NULL);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(WEXITSTATUS(status), 126);
	assert_int_equal(run_one(&run, CHILD_HEALTH, NULL, NULL), 0);
	snprintf(run.bin, sizeof(run.bin), "%s/nowhere", place);
	assert_int_equal(WEXITSTATUS(run_one(&run, CHILD_HEALTH, NULL, NULL)), 127);
	read_file("said", said, sizeof(said));
	snprintf(expected, sizeof(expected),
	         "weir run: %s/nowhere/weir-health: No such file or directory\n", place);
	assert_string_equal(said, expected);
}

SUITE(run)
{
	answer_bind = own_bind;
	answer_fsync = own_fsync;
	simulated_time();
	answer_epoll_wait = own_epoll_wait;
	answer_epoll_ctl = own_epoll_ctl;
	answer_flock = own_flock;
	answer_fork = own_fork;
	answer_kill = own_kill;
	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	answer_syscall = own_syscall;
	answer_write = own_write;
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_start_takes_over_what_runs_and_starts_the_rest),
		T(what_dies_is_started_later_and_later),
		T(a_death_is_noted_unless_it_was_wanted),
		T(who_fails_twice_with_a_document_gets_the_last_good_one),
		T(who_is_ended_or_had_the_document_in_force_gets_the_newest),
		T(who_refuses_a_document_at_its_start_gets_the_last_good_one),
		T(a_slow_disk_holds_up_no_start),
		T(who_has_the_last_good_one_has_it_under_the_next_supervisor),
		T(a_dataplane_without_a_driver_is_left_with_the_newest),
		T(a_start_with_a_refused_document_goes_on_from_the_last_good_one),
		T(with_a_successor_nothing_is_started),
		T(what_cannot_be_started_or_watched_is_tried_again),
		T(a_stop_goes_through_all_in_order),
		T(a_stop_withdraws_dns_addresses_and_waits),
		T(a_stop_of_the_last_process_waits_for_nobody),
		T(a_document_gives_weir_dns_its_sockets),
		T(sockets_that_are_not_wanted_are_closed_in_time),
		T(a_document_that_cannot_be_read_now_is_read_again),
		T(what_is_no_document_for_this_node_changes_nothing),
		T(a_hang_up_reaches_only_who_takes_it),
		T(a_name_server_without_known_sockets_is_renewed),
		T(what_a_dead_supervisor_left_is_stopped),
		T(programs_are_looked_for_beside_it_or_where_it_is_told),
		T(who_has_the_lock_is_said_with_what_to_do),
		T(directories_are_made_before_anything_runs),
		T(a_program_gets_its_directories_and_nothing_of_systemd),
	};
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	pthread_t thread;
	sigset_t set;

	/* which the supervisor takes from a descriptor */
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT(signals); i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (sem_init(&may_begin, 0, 0) || sem_init(&may_go, 0, 0) || sem_init(&is_idle, 0, 0) ||
	    pthread_create(&thread, NULL, run_supervisor, NULL))
		return 1;
	return cmocka_run_group_tests_name("supervise, run", tests, NULL, NULL);
}
