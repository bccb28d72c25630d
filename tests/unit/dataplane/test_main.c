/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dataplane as a program, in namespaces of the test's own: what root gives to its user before it gives up its
 * rights, what --detach removes, and with which exit code it ends. Usage: test_main WEIR_DATAPLANE [dpdk]
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dataplane/withdraw.h"
#include "tests/unit/suite.h"
#include "weir/effect.h"
#include "weir/own_routes.h"
#include "weir/probe.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/dataplane/document.h"

#define ROOT    "/run/weir-test-main"
#define BPF     ROOT "/b"
#define PINS    BPF "/weir"
#define PROGRAM ROOT "/weir-dataplane"
#define USER    71
#define GROUP   72
#define WAIT_MS 30000

static bool has_dpdk;
static char log_text[16384];
static struct own_routes *routes;

/* --- the program --- */

static struct {
	const char *bpf_dir;
	uid_t me;
	bool one_user; /* WEIR_USERS=none */
} how;

static pid_t start_program(const char *const *more)
{
	const char *argv[16] = { PROGRAM,       "--run-dir",  ROOT "/run",  "--state-dir",
		                 ROOT "/state", "--conf-dir", ROOT "/conf", "--bpf-dir",
		                 how.bpf_dir,   "--node",     "ams-1" };
	pid_t pid;

	for (int i = 11; more && *more; i++)
		argv[i] = *more++;
	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	if (!freopen(ROOT "/log", "w", stderr) || !freopen(ROOT "/out", "w", stdout))
		abort();
	setenv("NOTIFY_SOCKET", ROOT "/notify", 1);
	unsetenv("WEIR_USERS");
	if (how.one_user)
		setenv("WEIR_USERS", "none", 1);
	if (how.me && setresuid(how.me, how.me, how.me))
		abort();
	execv(PROGRAM, (char *const *)(uintptr_t)argv);
	abort();
}

static void read_log(void)
{
	FILE *f = fopen(ROOT "/log", "r");
	size_t n = f ? fread(log_text, 1, sizeof(log_text) - 1, f) : 0;

	log_text[n] = '\0';
	if (f)
		fclose(f);
}

static unsigned count_logged(const char *event)
{
	unsigned n = 0;

	for (const char *at = strstr(log_text, event); at; at = strstr(at + 1, event))
		n++;
	return n;
}

/* @return its exit code */
static int await_end(pid_t pid)
{
	int end = 0;

	assert_int_equal(waitpid(pid, &end, 0), pid);
	read_log();
	if (!WIFEXITED(end))
		fail_msg("it ended by signal %d: %s", WTERMSIG(end), log_text);
	return WEXITSTATUS(end);
}

/* Run it to its end. @return its exit code */
static int run_program(const char *a, const char *b, const char *c)
{
	return await_end(start_program((const char *const[]){ a, b, c, NULL }));
}

static pid_t running; /* 0: none */

/* Start it, and wait until it is ready. */
static pid_t begin_program(void)
{
	const struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = ROOT "/notify" };
	const struct timeval patience = { .tv_usec = 20000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), end;
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;
	char said[64];
	pid_t pid;

	(void)unlink(at.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(chmod(at.sun_path, 0777), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	pid = running = start_program(NULL);
	while (recv(fd, said, sizeof(said), 0) < 0) {
		assert_true(clock_mono_ms() < until_ms);
		if (waitpid(pid, &end, WNOHANG) == pid) {
			running = 0;
			read_log();
			fail_msg("it ended: %s", log_text);
		}
	}
	close(fd);
	return pid;
}

static void end_program(pid_t pid)
{
	assert_int_equal(kill(pid, SIGTERM), 0);
	running = 0;
	assert_int_equal(await_end(pid), 0);
}

/* --- the machine --- */

static void write_users(bool user, bool group)
{
	scene_write(ROOT "/passwd",
	            user ? "root:x:0:0::/:/bin/sh\nweir-dataplane:x:71:72::/:/bin/false\n"
	                 : "root:x:0:0::/:/bin/sh\n");
	scene_write(ROOT "/group", group ? "root:x:0:\nweir:x:72:\n" : "root:x:0:\n");
}

/* Devices 0000:01:00.0 and 02 have groups 1 and 2; 03 has none. */
static int make_machine(void **state)
{
	(void)state;
	space_run("mkdir -p " BPF " " ROOT "/dev/vfio && chmod 755 " ROOT
	          " && for i in null zero random urandom; do touch " ROOT
	          "/dev/$i; mount --bind /dev/$i " ROOT "/dev/$i; done && mount --rbind " ROOT
	          "/dev /dev");
	write_users(true, true);
	space_run(
	        "mount --bind " ROOT "/passwd /etc/passwd && mount --bind " ROOT
	        "/group /etc/group && "
	        "mount -t tmpfs tmpfs /sys/bus/pci && cd /sys/bus/pci && for i in 1 2 3; do "
	        "mkdir -p devices/0000:0$i:00.0 groups/$i; done && for i in 1 2; do "
	        "ln -s ../../groups/$i devices/0000:0$i:00.0/iommu_group; done && chmod -R a+rX .");
	return own_routes_open(&routes);
}

static int forget_machine(void **state)
{
	(void)state;
	own_routes_close(routes);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	how.bpf_dir = PINS;
	how.me = 0;
	how.one_user = false;
	write_users(true, true);
	document_place(ROOT);
	space_run("chown 71:72 " ROOT "/run " ROOT "/state " ROOT
	          "/conf && mount -t bpf -o mode=0700 bpf " BPF
	          " && for i in 1 2 3; do touch /dev/vfio/$i; done && chown 0:0 /dev/vfio/*");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (running) { /* of a test that failed */
		kill(running, SIGKILL);
		waitpid(running, NULL, 0);
		running = 0;
	}
	return system(
	        "umount " BPF "; rm -rf " ROOT "/run " ROOT "/state " ROOT "/conf; "
	        "tc qdisc del dev v0 clsact 2>/dev/null; ip link set dev v0 xdp off 2>/dev/null; true");
}

static const char *const pci_ports =
        "{ interface = \"eth1\"; device = \"0000:01:00.0\"; }, { interface = \"eth2\"; }, "
        "{ interface = \"eth3\"; device = \"net_bonding0,slave=0000:02:00.0,slave=0000:03:00.0\"; }";

static void write_pci_document(void)
{
	struct scene_document d = scene_plain;

	d.ports = pci_ports;
	document_write(ROOT, &d, 1);
	space_run("chmod a+r " ROOT "/state/* " ROOT "/conf/*");
}

/* Of a path: "USER:GROUP MODE". */
static void expect_owner(const char *path, unsigned user, unsigned group, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	if (st.st_uid != user || st.st_gid != group || (mode && (st.st_mode & 0777) != mode))
		fail_msg("%s is %u:%u %o", path, st.st_uid, st.st_gid, st.st_mode & 0777);
}

static void expect_devices(unsigned first, unsigned second)
{
	expect_owner("/dev/vfio/1", first, 0, 0);
	expect_owner("/dev/vfio/2", second, 0, 0);
	expect_owner("/dev/vfio/3", 0, 0, 0);
}

/* The line of /proc/PID/FILE that begins with @p start. */
static void read_proc(pid_t pid, const char *file, const char *start_, char line[256])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, 256, f))
		if (!strncmp(line, start_, strlen(start_)))
			break;
	fclose(f);
	if (strncmp(line, start_, strlen(start_)) != 0)
		fail_msg("no %s", start_);
}

static void expect_proc(pid_t pid, const char *file, const char *start_, const char *text)
{
	char line[256] = "";

	read_proc(pid, file, start_, line);
	if (!strstr(line, text))
		fail_msg("%s", line);
}

static bool ignores_signal(pid_t pid, int number)
{
	char line[256] = "";

	read_proc(pid, "status", "SigIgn:", line);
	return strtoull(line + strlen("SigIgn:"), NULL, 16) >> (number - 1) & 1;
}

/* --- the start --- */

static void root_gives_its_user_what_it_needs_and_goes(void **state)
{
	pid_t pid;

	(void)state;
	write_pci_document();
	for (int i = 0; i < 2; i++) { /* the second finds the directory of the first */
		pid = begin_program();
		expect_owner(PINS, USER, 0, 0700);
		expect_owner(BPF, 0, GROUP, 0710);
		expect_devices(USER, USER);
		expect_proc(pid, "status", "Uid:", "\t71\t71\t71\t71");
		expect_proc(pid, "status", "CapEff:", "000000c000003000");
		expect_proc(pid, "status", "CapBnd:", "000000c000003000");
		expect_proc(pid, "status", "Seccomp:", "2");
		assert_true(ignores_signal(pid, SIGPIPE));
		end_program(pid);
	}
}

/* The first start of all; and a document that cannot be read: ports may be missing. */
static void without_a_document_no_device_is_given(void **state)
{
	pid_t pid;

	(void)state;
	pid = begin_program();
	end_program(pid);
	expect_owner(PINS, USER, 0, 0700);
	expect_devices(0, 0);
	assert_int_equal(count_logged("vfio-not-given"), 0);
	scene_write(ROOT "/state/effective.conf", "sites = 3;\n");
	pid = begin_program();
	end_program(pid);
	expect_devices(0, 0);
	assert_int_equal(count_logged("vfio-not-given"), 1);
}

static void without_its_user_or_root_nothing_is_given(void **state)
{
	pid_t pid;

	(void)state;
	write_pci_document();
	write_users(false, true);
	how.one_user = true;
	pid = begin_program();
	expect_owner(PINS, 0, 0, 0700);
	expect_owner(BPF, 0, 0, 0700);
	expect_devices(0, 0);
	end_program(pid);
	write_users(true, true);
	assert_int_equal(unlink(ROOT "/state/effective.conf"), 0);
	space_run("rm -rf " ROOT "/run && mkdir " ROOT "/run && chown 71 " ROOT
	          "/run && umount " BPF " && mount -t bpf -o mode=0777 bpf " BPF);
	how.me = USER;
	pid = begin_program();
	assert_int_not_equal(access(PINS, F_OK), 0);
	expect_owner(BPF, 0, 0, 0777);
	expect_devices(0, 0);
	scene_write(ROOT "/state/effective.conf", "sites = 3;\n");
	end_program(pid);
	assert_int_equal(count_logged("vfio-not-given"), 0);
}

/*
 * Only a BPF file system as systemd mounts it is opened a little: what somebody has set up stays.
 */
static void the_way_to_the_pins_is_opened_only_where_it_is_shut(void **state)
{
	static const struct {
		const char *why, *make;
		unsigned owner, group;
		mode_t mode;
		bool no_group;
	} rows[] = {
		{ "systemd's", "mount -t bpf -o mode=0700 bpf " BPF, 0, GROUP, 0710, false },
		{ "another file system", "mount -t tmpfs -o mode=0700 tmpfs " BPF, 0, 0, 0700,
		  false },
		{ "another's", "mount -t bpf -o mode=0700 bpf " BPF "; chown 5 " BPF, 5, 0, 0700,
		  false },
		{ "open to a group", "mount -t bpf -o mode=0710 bpf " BPF, 0, 0, 0710, false },
		{ "open to all", "mount -t bpf -o mode=0701 bpf " BPF, 0, 0, 0701, false },
		{ "no group weir", "mount -t bpf -o mode=0700 bpf " BPF, 0, 0, 0700, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid;

		print_message("  %s\n", rows[i].why);
		space_run("rm -rf " ROOT "/run && mkdir " ROOT "/run && chown 71 " ROOT
		          "/run && umount " BPF " && %s",
		          rows[i].make);
		write_users(true, !rows[i].no_group);
		how.one_user = rows[i].no_group;
		pid = begin_program();
		expect_owner(BPF, rows[i].owner, rows[i].group, rows[i].mode);
		expect_owner(PINS, USER, 0, 0700);
		end_program(pid);
	}
}

static void what_cannot_be_given_is_said_once_each(void **state)
{
	pid_t pid;

	(void)state;
	write_pci_document();
	assert_int_equal(mkdir(PINS, 0700), 0);
	space_run("mount -o remount,bind,ro " BPF " && mount --bind /dev/vfio /dev/vfio && "
	          "mount -o remount,bind,ro /dev/vfio");
	pid = begin_program();
	end_program(pid);
	assert_int_equal(count_logged("<4>bpf-dir "), 1);
	assert_int_equal(count_logged("vfio-not-given"), 2);
	space_run(
	        "umount /dev/vfio && rm /dev/vfio/1"); /* a kernel driver has the NIC: no such file yet */
	how.bpf_dir = ROOT "/nosuch/weir";
	pid = begin_program();
	end_program(pid);
	assert_int_equal(count_logged("<4>bpf-dir "), 0);
	if (count_logged("vfio-not-given"))
		fail_msg("%s", log_text);
	expect_owner("/dev/vfio/2", USER, 0, 0);
}

static void with_rights_that_it_should_not_have_it_does_not_run(void **state)
{
	(void)state;
	write_users(false, true);
	assert_int_equal(run_program(NULL, NULL, NULL), 1);
	assert_int_equal(count_logged("cannot drop privileges"), 1);
	assert_int_not_equal(access(ROOT "/run/stats.dataplane.page", F_OK), 0);
	write_users(true, true);
	space_run("rmdir " ROOT "/run");
	assert_int_equal(run_program(NULL, NULL, NULL), 1);
	assert_int_equal(count_logged("dataplane-failed"), 1);
}

/* --- options, and --detach --- */

static void what_it_does_not_know_it_refuses(void **state)
{
	(void)state;
	assert_int_equal(run_program("--detatch", NULL, NULL), 1);
	assert_int_equal(run_program("--detach", "--cluster", NULL), 1); /* its name is missing */
	assert_int_equal(run_program("--successor", "99", NULL), 1);     /* no such descriptor */
	assert_int_equal(run_program("--successor", "2", NULL), 1);
	assert_int_equal(run_program("--successor", "7x", NULL), 1);
	assert_int_equal(run_program("--help", NULL, NULL), 0);
	assert_int_equal(run_program("--metrics", NULL, NULL), 0);
	assert_int_not_equal(access(ROOT "/run/stats.dataplane.page", F_OK), 0);
}

static void begin_alone(void)
{
	how.one_user = true;
	space_run("chown -R 0:0 " ROOT "/run " ROOT "/state " ROOT "/conf");
}

static bool is_probed(const char *interface)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(interface),
	            .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 0x57, .priority = 0x57);

	return !bpf_tc_query(&hook, &filter);
}

static void await_forwarding(void)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;

	while (!space_xdp_of("v0") || !is_probed("v0")) {
		assert_true(clock_mono_ms() < until_ms);
		usleep(20000);
	}
}

/* It forwards by v0 while it runs and afterwards, in cluster "shop", with the probes' program. */
static pid_t forward_by_v0(void)
{
	struct scene_document d = scene_plain;
	pid_t pid;

	d.checks = "{ name = \"c\"; type = \"tcp\"; port = 80; via = \"tunnel\"; }";
	d.pools =
	        "{ name = \"web\"; site = \"ams\"; mode = \"gue\"; max_backends = 9; check = \"c\"; "
	        "backends = ( { name = \"b1\"; address = \"10.1.0.5\"; } ); }";
	document_write(ROOT, &d, 1);
	pid = begin_program();
	await_forwarding();
	return pid;
}

static void add_route(void)
{
	struct addr a;

	assert_int_equal(addr_parse("203.0.113.10", &a), 0);
	assert_int_equal(own_routes_add(routes, MODEL_ANNOUNCE_TABLE, &a), 0);
}

static size_t count_routes(void)
{
	struct addr out;
	size_t n = 99;

	assert_int_equal(own_routes_list(routes, MODEL_ANNOUNCE_TABLE, &out, 1, &n), 0);
	return n;
}

/* A process that runs keeps its routes, be it stopped; else routers are given time. */
static void detaching_ends_forwarding_and_leaves_nothing(void **state)
{
	pid_t pid;

	(void)state;
	begin_alone();
	pid = forward_by_v0();
	add_route();
	kill(pid, SIGSTOP);
	assert_int_equal(run_program("--detach", NULL, NULL), 1);
	assert_int_equal(count_routes(), 1);
	assert_true(space_xdp_of("v0") && is_probed("v0")); /* probes go on, too */
	kill(pid, SIGCONT);
	end_program(pid);
	await_forwarding();
	assert_int_equal(run_program("--detach", "--cluster", "mail"),
	                 1); /* that one forwards nothing */
	assert_int_equal(count_routes(), 0);
	assert_true(space_xdp_of("v0"));
	assert_int_equal(access(PINS "/shop/ams-1", F_OK), 0);
	add_route();
	uint64_t from_ms = clock_mono_ms();

	pid = start_program((const char *const[]){ "--detach", NULL });
	while (count_routes())
		usleep(1000);
	assert_true(space_xdp_of("v0")); /* it forwards until the routers know */
	assert_int_equal(await_end(pid), 0);
	assert_true(clock_mono_ms() - from_ms >= WITHDRAW_MS);
	assert_false(space_xdp_of("v0") || is_probed("v0"));
	assert_int_not_equal(access(PINS "/shop", F_OK), 0); /* the cluster's, which is empty now */
	assert_int_equal(run_program("--detach", NULL, NULL),
	                 1); /* nothing is there: a mistyped name? */
}

static void without_a_document_the_cluster_is_given(void **state)
{
	(void)state;
	begin_alone();
	end_program(forward_by_v0());
	assert_int_equal(unlink(ROOT "/state/effective.conf"), 0);
	add_route();
	assert_int_equal(run_program("--detach", NULL, NULL), 1); /* of which cluster? */
	assert_int_equal(count_routes(), 0); /* its tables are those of any node */
	assert_true(space_xdp_of("v0"));
	assert_int_equal(mkdir(PINS "/shop/ams-2", 0700), 0); /* another node of it */
	assert_int_equal(run_program("--detach", "--cluster", "shop"), 0);
	assert_false(space_xdp_of("v0"));
	assert_int_equal(access(PINS "/shop", F_OK), 0);
}

/* The one is not worth the other, and it is no failure that one of the two was not there. */
static void the_exit_code_says_whether_forwarding_stopped(void **state)
{
	static const struct {
		bool xdp, dpdk, xdp_fails, dpdk_fails;
		int code, code_without; /* in a build without DPDK */
	} cases[] = {
		{ true, true, false, false, 0, 0 },  { true, false, false, false, 0, 0 },
		{ false, true, false, false, 0, 1 }, { false, false, false, false, 1, 1 },
		{ true, true, true, false, 1, 1 },   { true, true, false, true, 1, 0 },
		{ false, true, false, true, 1, 1 },
	};

	(void)state;
	begin_alone();
	document_write(ROOT, &scene_plain, 1);
	assert_int_equal(mkdir(PINS, 0700), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int code = has_dpdk ? cases[i].code : cases[i].code_without;

		if (cases[i].xdp)
			space_run("mkdir -p " PINS "/shop/ams-1%s",
			          cases[i].xdp_fails ? "/foreign" : "");
		if (cases[i].dpdk)
			space_run("mkdir -p -m 750 " ROOT "/run/" EFFECT_DPDK_DIR
			          " && mkdir -p " ROOT "/run/" EFFECT_DPDK_DIR "%s",
			          cases[i].dpdk_fails ? "/tables/foreign" : "");
		if (run_program("--detach", NULL, NULL) != code)
			fail_msg("case %zu: %s", i, log_text);
		if (!access(PINS "/shop", F_OK) != cases[i].xdp_fails)
			fail_msg("case %zu: shop %s", i, log_text);
		if (has_dpdk && !cases[i].xdp_fails)
			assert_int_equal(!access(ROOT "/run/" EFFECT_DPDK_DIR, F_OK),
			                 cases[i].dpdk_fails);
		space_run("rm -rf " ROOT "/run/" EFFECT_DPDK_DIR "; rmdir -p " PINS
		          "/shop/ams-1/foreign 2>/dev/null; mkdir -p " PINS);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

SUITE(main)
{
	const struct CMUnitTest tests[] = {
		T(root_gives_its_user_what_it_needs_and_goes),
		T(without_a_document_no_device_is_given),
		T(without_its_user_or_root_nothing_is_given),
		T(the_way_to_the_pins_is_opened_only_where_it_is_shut),
		T(what_cannot_be_given_is_said_once_each),
		T(with_rights_that_it_should_not_have_it_does_not_run),
		T(what_it_does_not_know_it_refuses),
		T(detaching_ends_forwarding_and_leaves_nothing),
		T(without_a_document_the_cluster_is_given),
		T(the_exit_code_says_whether_forwarding_stopped),
	};

	signal(SIGPIPE, SIG_DFL); /* else the program inherits that it is ignored */
	if (!arguments[0] || space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	has_dpdk = arguments[1] && !strcmp(arguments[1], "dpdk");
	space_run("mkdir " ROOT " && cp %s " PROGRAM, arguments[0]);
	return cmocka_run_group_tests_name("main", tests, make_machine, forget_machine);
}
