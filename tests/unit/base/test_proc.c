/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "tests/unit/suite.h"

/* Standard error into a pipe, until its end is read. */
static int saved_error, error_ends[2];

static void catch_errors(void)
{
	saved_error = dup(STDERR_FILENO);
	assert_int_equal(pipe(error_ends), 0);
	dup2(error_ends[1], STDERR_FILENO);
}

static void expect_error(const char *wanted)
{
	char text[256];

	dup2(saved_error, STDERR_FILENO);
	close(saved_error);
	close(error_ends[1]);
	ssize_t n = read(error_ends[0], text, sizeof(text) - 1);
	close(error_ends[0]);
	text[n > 0 ? n : 0] = '\0';
	assert_string_equal(text, wanted);
}

static void mistakes_in_shared_options_are_named(void **state)
{
	(void)state;
	struct proc_dirs dirs;
	char longname[300];
	char *cases[][4] = {
		{ "weir", "--conf-dir", NULL, NULL },
		{ "weir", "--conf-dir=", NULL, NULL },
		{ "weir", "--node", longname, NULL },
		{ "weir", "--state-dir", "", NULL },
	};
	static const char *const errors[] = { "--conf-dir: a value is missing\n",
		                              "--conf-dir: empty\n", "--node: too long\n",
		                              "--state-dir: empty\n" };

	memset(longname, 'n', sizeof(longname));
	longname[sizeof(longname) - 1] = '\0';
	memset(&dirs, 7, sizeof(dirs));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int argc = 0;

		while (cases[i][argc])
			argc++;
		catch_errors();
		int err = proc_dirs_from_args(&dirs, &argc, cases[i]);

		expect_error(errors[i]);
		assert_int_equal(err, -EINVAL);
		assert_int_equal(dirs.conf[0], 7);
	}
}

static void shared_options_are_taken_out_and_others_stay(void **state)
{
	(void)state;
	struct proc_dirs dirs;
	char *argv[] = { "weir", "drain", "--node=ams-1", "--run-dir", "/r", "--over",
		         "5m",   "--",    "--node",       "x",         NULL };
	int argc = 10;

	unsetenv("WEIR_STATE_DIR");
	setenv("WEIR_CONF_DIR", "/c", 1);
	setenv("WEIR_RUN_DIR", "/overruled", 1);
	assert_int_equal(proc_dirs_from_args(&dirs, &argc, argv), 0);
	assert_string_equal(dirs.node, "ams-1");
	assert_string_equal(dirs.run, "/r");
	assert_string_equal(dirs.conf, "/c");
	assert_string_equal(dirs.state, "/var/lib/weir");
	assert_int_equal(argc, 7);
	assert_string_equal(argv[1], "drain");
	assert_string_equal(argv[2], "--over");
	assert_string_equal(argv[4], "--");
	assert_string_equal(argv[5], "--node");
	assert_null(argv[7]);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	(void)state;
	char name[PATH_MAX], out[PATH_MAX] = "before";

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(proc_path("/run", name, out), -ENAMETOOLONG);
	assert_string_equal(out, "before");
	assert_int_equal(proc_path("/run", "x", out), 0);
	assert_string_equal(out, "/run/x");
}

static void set_listen(const char *pid, const char *n, const char *names)
{
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", n, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static void sockets_are_found_by_name_and_only_our_own(void **state)
{
	(void)state;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	setenv("LISTEN_PID", pid, 1);
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	set_listen("1", "2", "udp:tcp");
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	set_listen(pid, "nonsense", "udp:tcp");
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	set_listen(pid, "0", "udp");
	assert_int_equal(proc_listen_fd("udp"), -ENOENT);
	set_listen(pid, "5", "udp"); /* fewer names than descriptors */
	assert_int_equal(proc_listen_fd("tcp"), -ENOENT);

	int ends[2];

	assert_int_equal(pipe(ends), 0);
	dup2(ends[0], 3);
	dup2(ends[1], 4);
	set_listen(pid, "2", "udp:tcp");
	assert_int_equal(proc_listen_fd("tc"), -ENOENT);
	assert_int_equal(proc_listen_fd("tcp"), 4);
	assert_int_equal(proc_listen_fd("udp"), 3);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
}

static void readiness_is_told_to_the_supervisor(void **state)
{
	(void)state;
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/tmp/weir-notify-test" };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char got[16] = "";

	unsetenv("NOTIFY_SOCKET");
	proc_ready(); /* nothing without one */
	setenv("NOTIFY_SOCKET", "relative", 1);
	proc_ready();
	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/weir-notify-%d", (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	proc_ready();
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	close(fd);
	unlink(at.sun_path);
}

static void a_missing_user_stops_the_start(void **state)
{
	(void)state;
	uid_t before = geteuid();
	char name[100];

	unsetenv("WEIR_USERS");
	assert_int_equal(proc_become("no-such-process", 0), before ? 0 : -ENOENT);
	assert_int_equal(geteuid(), before);
	setenv("WEIR_USERS", "nobody", 1);
	assert_int_equal(proc_become("no-such-process", 0), before ? 0 : -ENOENT);
	setenv("WEIR_USERS", "none", 1); /* a person says so: what was root stays root */
	assert_int_equal(proc_become("no-such-process", 0), 0);
	assert_int_equal(geteuid(), before);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(proc_become(name, 0), -ENAMETOOLONG);
}

static void a_value_fits_whole_or_is_refused(void **state)
{
	(void)state;
	struct proc_dirs dirs;
	char value[sizeof(dirs.node) + 2];

	for (size_t n = sizeof(dirs.node) - 2; n <= sizeof(dirs.node) + 1; n++) {
		char *argv[] = { "weir", "--node", value, NULL };
		int argc = 3;

		memset(value, 'n', n);
		value[n] = '\0';
		memset(&dirs, 0, sizeof(dirs));
		assert_int_equal(proc_dirs_from_args(&dirs, &argc, argv),
		                 n < sizeof(dirs.node) ? 0 : -EINVAL);
		assert_string_equal(dirs.node, n < sizeof(dirs.node) ? value : "");
	}
}

static void who_has_no_other_options_says_what_it_does(void **state)
{
	static const struct {
		const char *args[4];
		int argc, status;
	} cases[] = {
		{ { "weir" }, 1, -1 },          { { "weir", "--node", "ams-1" }, 3, -1 },
		{ { "weir", "--help" }, 2, 0 }, { { "weir", "--node", "ams-1", "--help" }, 4, 0 },
		{ { "weir", "more" }, 2, 1 },   { { "weir", "--help", "more" }, 3, 1 },
		{ { "weir", "--node" }, 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proc_dirs dirs;
		char words[4][16], *argv[5] = { NULL };

		for (int k = 0; k < cases[i].argc; k++)
			argv[k] = strcpy(words[k], cases[i].args[k]);
		assert_int_equal(proc_dirs_only(&dirs, cases[i].argc, argv, "some", "Does it."),
		                 cases[i].status);
	}
}

static void a_node_is_given_or_is_the_host_without_its_domain(void **state)
{
	(void)state;
	struct proc_dirs dirs;
	char *given[] = { "weir", "--node=ams-1", NULL }, *none[] = { "weir", NULL };
	int argc = 2;

	unsetenv("WEIR_NODE");
	assert_int_equal(proc_dirs_from_args(&dirs, &argc, given), 0);
	assert_true(dirs.node_given);
	setenv("WEIR_NODE", "fra-1", 1);
	argc = 1;
	assert_int_equal(proc_dirs_from_args(&dirs, &argc, none), 0);
	assert_true(dirs.node_given);
	assert_string_equal(dirs.node, "fra-1");
	unsetenv("WEIR_NODE");
	if (unshare(CLONE_NEWUTS) || sethostname("par-1.example.net", 17))
		skip();
	argc = 1;
	assert_int_equal(proc_dirs_from_args(&dirs, &argc, none), 0);
	assert_false(dirs.node_given);
	assert_string_equal(dirs.node, "par-1");
}

/* A path too long for a socket is ignored. A supervisor may get notices for years. */
static void telling_takes_no_room_and_leaves_nothing_open(void **state)
{
	static const size_t lengths[] = { 1, 107, 108, 109, 4000 };
	char path[4001];
	int before = dup(0), after;

	(void)state;
	close(before);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(path, '/', sizeof(path));
		path[lengths[i]] = '\0';
		setenv("NOTIFY_SOCKET", path, 1);
		proc_notify("READY=1");
	}
	unsetenv("NOTIFY_SOCKET");
	after = dup(0);
	assert_int_equal(after, before);
	close(after);
}

static void readiness_is_told_to_an_abstract_socket_too(void **state)
{
	(void)state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char name[64], got[16] = "";

	snprintf(name, sizeof(name), "@weir-notify-%d", (int)getpid());
	memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
	proc_ready();
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

static void a_watchdog_is_for_the_process_that_it_names(void **state)
{
	static const struct {
		const char *usec, *pid; /* "self": our own */
		unsigned ms;
	} rows[] = {
		{ NULL, NULL, 0 },
		{ "30000000", NULL, 30000 },
		{ "30000000", "self", 30000 },
		{ "30000000", "1", 0 },
		{ "1000", "self", 1 },
		{ "9000000", "self", 9000 },
		{ "1999", "self", 1 },
		{ ":", "self", 0 },
		{ "3600000000", "self", 3600000 },
		{ "3600001000", "self", 0 },
		{ "0", "self", 0 },
		{ "-1", "self", 0 },
		{ "5x", "self", 0 },
		{ "", "self", 0 },
		{ "99999999999999999999999", "self", 0 },
	};
	char self[16];

	(void)state;
	snprintf(self, sizeof(self), "%d", (int)getpid());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (rows[i].usec)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", strcmp(rows[i].pid, "self") ? rows[i].pid : self, 1);
		assert_int_equal(proc_watchdog_ms(), rows[i].ms);
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void signals_with_another_use_end_nothing(void **state)
{
	static const int signals[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ };

	(void)state;
	proc_ignore_signals();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		raise(signals[i]);
	raise(SIGRTMIN + 3);
	raise(SIGRTMAX);
	assert_ptr_equal(signal(SIGTERM, SIG_DFL), SIG_DFL); /* that one has its use */
}

/* Give this process, alone, a user and a group of Weir's, as a machine with the package has them. @return 0 */
static int add_users(void)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       system("d=$(mktemp -d) && mount -t tmpfs tmpfs $d && cp /etc/passwd /etc/group $d "
	              "&& echo weir-health:x:54321:54323::/:/bin/false >>$d/passwd "
	              "&& printf 'weir:x:54322:\\nweir-health:x:54323:\\n' >>$d/group && mount --bind $d/passwd /etc/passwd "
	              "&& mount --bind $d/group /etc/group && umount -l $d && rmdir $d");
}

/* Let prctl(PR_SET_NO_NEW_PRIVS) fail from now on. */
static int refuse_no_new_privs(void)
{
	struct sock_filter rows[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NO_NEW_PRIVS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { .len = sizeof(rows) / sizeof(rows[0]), .filter = rows };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

/* Run @p body in a child of its own that is root and has these users; what it returns must be 0. */
static void expect_in_child(int (*body)(void))
{
	int end;

	if (geteuid() != 0)
		skip();
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		unsetenv("WEIR_USERS");
		_exit(add_users() ? 1 : body());
	}
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_int_equal(end, 0);
}

static int become_without_the_bound(void)
{
	if (refuse_no_new_privs())
		return 2;
	return proc_become("health", 0) == -EPERM ? 0 : 3;
}

/* Programs with more rights than their user could be started. */
static void without_the_last_of_its_bounds_no_process_begins(void **state)
{
	(void)state;
	expect_in_child(become_without_the_bound);
}

static int become_and_look(void)
{
	gid_t groups[2] = { 0 };
	int has_bpf = prctl(PR_CAPBSET_READ, 39, 0, 0,
	                    0); /* it lies in the second half; a container may lack it */

	if (proc_become("health", 1ull << 13 | (uint64_t)(has_bpf == 1) << 39))
		return 2;
	if (getuid() != 54321 || geteuid() != 54321 || getgid() != 54322 ||
	    getgroups(2, groups) != 2 || groups[0] != 54322 || groups[1] != 54323)
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (prctl(PR_CAPBSET_READ, 13, 0, 0, 0) != 1 || prctl(PR_CAPBSET_READ, 21, 0, 0, 0) != 0)
		return 5;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 13, 0, 0) != 1 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 12, 0, 0) != 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 39, 0, 0) != (has_bpf == 1))
		return 6;
	return setuid(0) ? 0 : 7; /* and there is no way back */
}

static void who_becomes_a_process_keeps_what_it_names_alone(void **state)
{
	(void)state;
	expect_in_child(become_and_look);
}

static int join_and_look(void)
{
	const gid_t before[2] = { 4, 27 };
	gid_t groups[4] = { 0 };

	if (setgroups(2, before))
		return 2;
	proc_join_group();
	if (getgroups(4, groups) != 3 || groups[0] != 4 || groups[1] != 27 || groups[2] != 54322)
		return 3;
	return 0;
}

/* What root runs: its files are for Weir's processes too, and its own groups stay. */
static void who_joins_the_group_keeps_the_others(void **state)
{
	(void)state;
	expect_in_child(join_and_look);
}

SUITE(proc)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_in_shared_options_are_named),
		cmocka_unit_test(shared_options_are_taken_out_and_others_stay),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(sockets_are_found_by_name_and_only_our_own),
		cmocka_unit_test(readiness_is_told_to_the_supervisor),
		cmocka_unit_test(a_missing_user_stops_the_start),
		cmocka_unit_test(a_value_fits_whole_or_is_refused),
		cmocka_unit_test(readiness_is_told_to_an_abstract_socket_too),
		cmocka_unit_test(telling_takes_no_room_and_leaves_nothing_open),
		cmocka_unit_test(a_watchdog_is_for_the_process_that_it_names),
		cmocka_unit_test(signals_with_another_use_end_nothing),
		cmocka_unit_test(who_becomes_a_process_keeps_what_it_names_alone),
		cmocka_unit_test(who_joins_the_group_keeps_the_others),
		cmocka_unit_test(without_the_last_of_its_bounds_no_process_begins),
		cmocka_unit_test(who_has_no_other_options_says_what_it_does),
		cmocka_unit_test(a_node_is_given_or_is_the_host_without_its_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
