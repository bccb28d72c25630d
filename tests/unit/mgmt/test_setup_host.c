/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The member of etcd on a host: which host can get one, what is written, started and taken back. In namespaces of its own with a
 * /etc, /run and /var/lib that are empty; systemctl is a script that notes its calls.
 */
#include "fixture.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "mgmt/setup/etcd_unit.h"
#include "tests/unit/suite.h"

#define USERS "root:x:0:0::/root:/bin/sh\netcd:x:105:112::/var/lib/etcd:/bin/false\n"
#define PATH  "/run/bin:/usr/bin:/bin"
#define CALLS "/run/calls"

static bool is_possible;
static char reason[ETCD_UNIT_REASON_MAX];

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

static void expect_mode(const char *path, unsigned mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

/* The file is @p text, of user @p uid, with these rights. */
static void expect_file(const char *path, const char *text, unsigned mode, unsigned uid)
{
	char *found = NULL;
	size_t n;
	struct stat st;

	print_message("  %s\n", path);
	assert_int_equal(files_slurp(path, &found, &n), 0);
	assert_string_equal(found, text);
	free(found);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, uid);
	expect_mode(path, mode);
}

/* What systemctl was called with since the last time. */
static void expect_calls(const char *expected)
{
	char *found = NULL;
	size_t n;

	if (is_there(CALLS))
		assert_int_equal(files_slurp(CALLS, &found, &n), 0);
	assert_string_equal(found ? found : "", expected);
	free(found);
	unlink(CALLS);
}

static bool raise_loopback(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return ok;
}

static int enter_host(void **state)
{
	(void)state;
	is_possible = !geteuid() && is_there("/lib/systemd/system") && is_there("/usr/bin/etcd") &&
	              !unshare(CLONE_NEWNS | CLONE_NEWNET) &&
	              !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && raise_loopback();
	return setenv("PATH", PATH, 1);
}

/* A host on which etcd is installed, and nobody uses it: each time new file systems over those before. */
static int make_host(void **state)
{
	static const char *const folders[] = { "/etc", "/run", "/var/lib", "/lib/systemd/system" };

	(void)state;
	if (!is_possible)
		return 0;
	for (size_t i = 0; i < 4; i++)
		if (mount("t", folders[i], "tmpfs", 0, "mode=755"))
			return -1;
	assert_int_equal(
	        system("mkdir -p /etc/default /etc/systemd/system /run/bin /run/systemd/system /var/lib/etcd"),
	        0);
	write_text("/etc/passwd", USERS);
	write_text("/lib/systemd/system/etcd.service", "");
	write_text("/run/bin/systemctl",
	           "#!/bin/sh\necho \"$@\" >>" CALLS
	           "\n[ ! -e \"/run/fail-$1\" ] || { echo \"no $1\"; exit 5; }\n");
	assert_int_equal(chmod("/run/bin/systemctl", 0755), 0);
	write_text("/run/fail-is-active", "");
	strcpy(reason, "");
	return 0;
}

static void skip_unless_possible(void)
{
	if (!is_possible)
		skip();
}

static void a_host_that_nobody_uses_can_have_a_member(void **state)
{
	static const struct {
		const char *change, *reason;
		int err;
	} rows[] = {
		{ "true", "", 0 },
		{ "printf '# a\\n \\t#b\\n\\n' >/etc/default/etcd", "", 0 },
		{ "mkdir -p /var/lib/etcd/default", "", 0 },
		{ "mkdir -p /var/lib/etcd/default/member; touch /etc/default/etcd.before-weir", "",
		  0 },
		{ "rmdir /run/systemd/system",
		  "systemd does not run here: set etcd up by hand, then use --endpoints", -ENOSYS },
		{ "rm /lib/systemd/system/etcd.service",
		  "etcd is not installed: apt install etcd-server, then the same command again",
		  -ENOENT },
		{ "echo >/etc/passwd",
		  "etcd is not installed: apt install etcd-server, then the same command again",
		  -ENOENT },
		{ "mkdir /var/lib/etcd/weir",
		  "etcd has data of a store already, in /var/lib/etcd/weir: if that store is in use, bring store.conf and the files that it names back "
		  "from a backup of this host; if not, remove that directory and /etc/default/etcd",
		  -EEXIST },
		{ "printf '# a\\n x=1\\n' >/etc/default/etcd",
		  "etcd on this host has settings already, in /etc/default/etcd: to share that etcd use --endpoints; if no one uses it, remove that file",
		  -EEXIST },
		{ "mkdir -p /var/lib/etcd/default/member",
		  "etcd has data already, in /var/lib/etcd/default, and does not run: systemctl start etcd, so that this command can see whether it has "
		  "keys; or remove that directory, if no one needs it",
		  -EEXIST },
	};

	(void)state;
	skip_unless_possible();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(make_host(NULL), 0);
		print_message("  %s\n", rows[i].change);
		assert_int_equal(system(rows[i].change), 0);
		assert_int_equal(etcd_unit_check("127.0.0.1", reason), rows[i].err);
		assert_string_equal(reason, rows[i].reason);
	}
}

/* Both ports are tried, also by a process whose standard input is closed. */
static void the_ports_of_a_member_must_be_free(void **state)
{
	static const struct {
		const char *address;
		uint16_t port; /* that is in use; 0: none */
		int err;
		const char *reason;
	} rows[] = {
		{ "127.0.0.1", 2378, 0, "" },
		{ "127.0.0.1", 2381, 0, "" },
		{ "127.0.0.1", 2379, -EADDRINUSE,
		  "port 2379 of 127.0.0.1 is in use (ss -lntp sport = :2379): stop what uses it" },
		{ "127.0.0.1", 2380, -EADDRINUSE,
		  "port 2380 of 127.0.0.1 is in use (ss -lntp sport = :2380): stop what uses it" },
		{ "192.0.2.1", 0, -EADDRNOTAVAIL,
		  "port 2379 of 192.0.2.1: Cannot assign requested address" },
		{ "x", 0, -EINVAL, "" },
	};
	int input;

	(void)state;
	skip_unless_possible();
	if (fcntl(STDIN_FILENO, F_GETFD) < 0) /* so was the test started */
		assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
	input = dup(STDIN_FILENO);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_in at = { .sin_family = AF_INET,
			                  .sin_port = htons(rows[i / 2].port),
			                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, err;

		assert_int_equal(make_host(NULL), 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (rows[i / 2].port) {
			assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
			assert_int_equal(listen(fd, 1), 0);
		}
		if (i % 2)
			close(STDIN_FILENO);
		errno = 0;
		err = etcd_unit_check(rows[i / 2].address, reason);
		assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
		if (err != rows[i / 2].err || strcmp(reason, rows[i / 2].reason) != 0)
			fail_msg("%s, port %u: %d, \"%s\"", rows[i / 2].address, rows[i / 2].port,
			         err, reason);
		close(fd);
	}
	close(input);
}

static void an_etcd_that_does_not_say_whether_it_has_keys_stays(void **state)
{
	static const char first
	        [] = "etcd runs on this host, and does not say whether it has keys (http://127.0.0.1:2379: ",
	   last[] = "): if no one uses it, systemctl stop etcd and remove /var/lib/etcd/default";

	(void)state;
	skip_unless_possible();
	assert_int_equal(unlink("/run/fail-is-active"), 0);
	assert_true(etcd_unit_is_active());
	assert_int_equal(etcd_unit_check("127.0.0.1", reason), -EEXIST);
	assert_true(!strncmp(reason, first, strlen(first)));
	assert_string_equal(reason + strlen(reason) - strlen(last), last);
	expect_calls("is-active etcd.service\nis-active etcd.service\n");
}

/* An etcd on loopback that says this revision: a process, for kill_etcd(). */
static pid_t play_etcd(unsigned revision)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(2379),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	char body[128], text[256], request[1024];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid_t pid = fork();

	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(body, sizeof(body),
	         "{\"header\":{\"cluster_id\":\"7\",\"revision\":\"%u\"},\"version\":\"3.4.23\"}",
	         revision);
	snprintf(text, sizeof(text),
	         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
	         strlen(body), body);
	for (;;) {
		int one = accept(fd, NULL, NULL);

		if (read(one, request, sizeof(request)) > 0 && write(one, text, strlen(text)) < 0)
			_exit(1);
		close(one);
	}
}

static void kill_etcd(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void an_etcd_of_debian_with_keys_stays(void **state)
{
	static const struct {
		unsigned revision;
		int err;
		const char *reason;
	} rows[] = {
		{ 1, 0, "" },
		{ 2, -EEXIST,
		  "etcd on this host has keys already, in /var/lib/etcd/default: to share that etcd use --endpoints http://127.0.0.1:2379 (one host alone can "
		  "reach it); or use another host for this member" },
	};

	(void)state;
	skip_unless_possible();
	assert_int_equal(unlink("/run/fail-is-active"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = play_etcd(rows[i].revision);
		int err = etcd_unit_check("127.0.0.2", reason);

		if (!rows[i].err)
			etcd_unit_wait_before(); /* it answers: at once */
		kill_etcd(pid);
		assert_int_equal(err, rows[i].err);
		assert_string_equal(reason, rows[i].reason);
	}
}

static const struct certificate_pair pair = { "certificate", "key" };
static const struct etcd_unit unit = { .id = "0123",
	                               .name = "a",
	                               .address = "127.0.0.1",
	                               .cluster = "a=https://127.0.0.1:2380",
	                               .ca = "the ca",
	                               .member = &pair };

static const char drop_in[] = "# Written by weir store.\n"
                              "[Unit]\n"
                              "StartLimitIntervalSec=0\n"
                              "[Service]\n"
                              "Restart=always\n"
                              "RestartSec=1s\n"
                              "TimeoutStartSec=infinity\n";

static void the_files_of_a_member_are_written_and_taken_back(void **state)
{
	char *settings = etcd_unit_settings(&unit);

	(void)state;
	assert_non_null(settings);
	if (!is_possible)
		free(settings);
	skip_unless_possible();
	write_text("/etc/default/etcd", "# a person's\n");
	for (size_t i = 0; i < 2; i++) {    /* a second time the first settings are kept */
		mode_t before = umask(077); /* as root has it on some hosts */

		assert_int_equal(etcd_unit_write(&unit, reason), 0);
		umask(before);
		expect_mode("/etc/etcd-weir", 0755);
		expect_mode("/etc/systemd/system/etcd.service.d", 0755);
		expect_file("/etc/etcd-weir/ca.crt", "the ca", 0444, 105);
		expect_file("/etc/etcd-weir/member.crt", "certificate", 0444, 105);
		expect_file("/etc/etcd-weir/member.key", "key", 0400, 105);
		expect_file("/etc/systemd/system/etcd.service.d/weir.conf", drop_in, 0644, 0);
		expect_file("/etc/default/etcd", settings, 0644, 0);
		expect_file("/etc/default/etcd.before-weir", "# a person's\n", 0644, 0);
	}
	free(settings);
	expect_calls("");
	assert_int_equal(etcd_unit_start(reason), 0);
	expect_calls(
	        "daemon-reload\nenable etcd.service --quiet\nrestart etcd.service --no-block\n");
	assert_int_equal(
	        system("mkdir -p /var/lib/etcd/weir/member/snap; echo x >/var/lib/etcd/weir/member/snap/db"),
	        0);
	assert_int_equal(etcd_unit_undo(false, reason), 0);
	expect_calls("stop etcd.service\ndaemon-reload\n");
	assert_false(is_there("/etc/etcd-weir"));
	assert_false(is_there("/etc/systemd/system/etcd.service.d"));
	assert_false(is_there("/var/lib/etcd/weir"));
	assert_true(is_there("/var/lib/etcd"));
	assert_false(is_there("/etc/default/etcd.before-weir"));
	expect_file("/etc/default/etcd", "# a person's\n", 0644, 0);
	/* again: nothing is left to do; and what ran before runs again */
	assert_int_equal(etcd_unit_undo(true, reason), 0);
	expect_calls("stop etcd.service\ndaemon-reload\nstart etcd.service --no-block\n");
	expect_file("/etc/default/etcd", "# a person's\n", 0644, 0);
}

static void without_settings_before_ours_go_and_others_files_stay(void **state)
{
	(void)state;
	skip_unless_possible();
	assert_int_equal(etcd_unit_write(&unit, reason), 0);
	assert_false(is_there("/etc/default/etcd.before-weir"));
	write_text("/etc/systemd/system/etcd.service.d/own.conf", "");
	assert_int_equal(etcd_unit_undo(false, reason), 0);
	assert_false(is_there("/etc/default/etcd"));
	assert_true(is_there("/etc/systemd/system/etcd.service.d/own.conf"));
	assert_false(is_there("/etc/systemd/system/etcd.service.d/weir.conf"));
}

static void what_systemctl_refuses_is_said(void **state)
{
	static const struct {
		const char *verb, *calls;
		bool undoes;
	} rows[] = {
		{ "daemon-reload", "daemon-reload\n", false },
		{ "enable", "daemon-reload\nenable etcd.service --quiet\n", false },
		{ "restart",
		  "daemon-reload\nenable etcd.service --quiet\nrestart etcd.service --no-block\n",
		  false },
		{ "stop", "stop etcd.service\n", true },
		{ "daemon-reload", "stop etcd.service\ndaemon-reload\n", true },
		{ "start", "stop etcd.service\ndaemon-reload\nstart etcd.service --no-block\n",
		  true },
	};

	(void)state;
	skip_unless_possible();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64], expected[64];

		assert_int_equal(make_host(NULL), 0);
		print_message("  %s\n", rows[i].verb);
		assert_int_equal(etcd_unit_write(&unit, reason), 0);
		snprintf(path, sizeof(path), "/run/fail-%s", rows[i].verb);
		snprintf(expected, sizeof(expected), "systemctl %s: no %s", rows[i].verb,
		         rows[i].verb);
		write_text(path, "");
		assert_int_equal(rows[i].undoes ? etcd_unit_undo(true, reason)
		                                : etcd_unit_start(reason),
		                 -EIO);
		assert_string_equal(reason, expected);
		expect_calls(rows[i].calls);
		assert_int_equal(is_there("/etc/etcd-weir/member.key"),
		                 !rows[i].undoes || !strcmp(rows[i].verb, "stop"));
	}
	assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
	assert_int_equal(etcd_unit_start(reason), -EIO);
	assert_string_equal(reason, "systemctl daemon-reload: No such file or directory");
	assert_int_equal(setenv("PATH", PATH, 1), 0);
}

static void what_cannot_be_written_is_named(void **state)
{
	static const struct {
		const char *change, *reason;
		int err;
	} rows[] = {
		{ "echo >/etc/passwd", "/etc/etcd-weir: No such file or directory", -ENOENT },
		{ "touch /etc/systemd/system/etcd.service.d",
		  "/etc/systemd/system/etcd.service.d/weir.conf: Not a directory", -ENOTDIR },
		{ "rmdir /etc/default", "/etc/default/etcd: No such file or directory", -ENOENT },
	};

	(void)state;
	skip_unless_possible();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(make_host(NULL), 0);
		assert_int_equal(system(rows[i].change), 0);
		assert_int_equal(etcd_unit_write(&unit, reason), rows[i].err);
		assert_string_equal(reason, rows[i].reason);
	}
}

static void data_that_may_count_stays(void **state)
{
	static const char unknown[] =
	        "no member of etcd says whether the one on this host has a vote, so its data stays: start etcd; or, if no one needs that "
	        "data, remove /var/lib/etcd/weir";

	(void)state;
	skip_unless_possible();
	assert_int_equal(etcd_unit_check_unused("", reason), 0); /* nothing is there */
	assert_int_equal(etcd_unit_write(&unit, reason), 0);
	assert_int_equal(etcd_unit_check_unused("", reason), 0); /* it has no data */
	assert_int_equal(system("mkdir -p /var/lib/etcd/weir/member"), 0);
	assert_int_equal(etcd_unit_check_unused("", reason), -EBUSY);
	assert_string_equal(reason, unknown);
	write_text("/etc/default/etcd", "# not ours\n");
	assert_int_equal(etcd_unit_check_unused("", reason), 0);
}

SUITE(setup_host)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_host_that_nobody_uses_can_have_a_member, make_host),
		cmocka_unit_test_setup(an_etcd_that_does_not_say_whether_it_has_keys_stays,
		                       make_host),
		cmocka_unit_test_setup(an_etcd_of_debian_with_keys_stays, make_host),
		cmocka_unit_test_setup(the_ports_of_a_member_must_be_free, make_host),
		cmocka_unit_test_setup(the_files_of_a_member_are_written_and_taken_back, make_host),
		cmocka_unit_test_setup(without_settings_before_ours_go_and_others_files_stay,
		                       make_host),
		cmocka_unit_test_setup(what_systemctl_refuses_is_said, make_host),
		cmocka_unit_test_setup(what_cannot_be_written_is_named, make_host),
		cmocka_unit_test_setup(data_that_may_count_stays, make_host),
	};

	return cmocka_run_group_tests(tests, enter_host, NULL);
}
