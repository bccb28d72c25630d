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
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/proc.h"

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

	memset(longname, 'n', sizeof(longname));
	longname[sizeof(longname) - 1] = '\0';
	memset(&dirs, 7, sizeof(dirs));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int argc = 0;

		while (cases[i][argc])
			argc++;
		assert_int_equal(proc_dirs_from_args(&dirs, &argc, cases[i]), -EINVAL);
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

static void a_user_who_does_not_exist_changes_nothing(void **state)
{
	(void)state;
	uid_t before = geteuid();
	char name[100];

	assert_int_equal(proc_become("no-such-process", 0), 0);
	assert_int_equal(geteuid(), before);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(proc_become(name, 0), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_in_shared_options_are_named),
		cmocka_unit_test(shared_options_are_taken_out_and_others_stay),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(sockets_are_found_by_name_and_only_our_own),
		cmocka_unit_test(readiness_is_told_to_the_supervisor),
		cmocka_unit_test(a_user_who_does_not_exist_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
