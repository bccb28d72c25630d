/* SPDX-License-Identifier: BSD-2-Clause */
/* Each list in a process of its own: a filter cannot be taken off. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#ifndef AF_XDP
#define AF_XDP 44
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER
#endif

static const char *const processes[] = { "mgmt", "dataplane", "health", "dns" };

/* In a child: what is not so is printed and ends it. */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #what, errno);       \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* cmocka's handlers would go on with the next test, in the child. */
static void use_default_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS };

	for (size_t i = 0; i < COUNT(faults); i++)
		signal(faults[i], SIG_DFL);
}

/* Run @p body under the list of @p process. @return its wait status */
static int run_under(const char *process, void (*body)(const char *process))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		use_default_signals();
		MUST(sandbox_enter(process) == 0);
		MUST(sandbox_state() == SANDBOX_ENTERED);
		body(process);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void run_under_each(void (*body)(const char *process))
{
	for (size_t i = 0; i < COUNT(processes); i++)
		assert_int_equal(run_under(processes[i], body), 0);
}

static uint64_t times_refused(const char *name)
{
	struct sandbox_refusal refusals[SANDBOX_REFUSALS_MAX];
	size_t n = sandbox_refusals(refusals);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(refusals[i].name, name))
			return refusals[i].times;
	return 0;
}

static uint64_t count_refused(void)
{
	struct sandbox_refusal refusals[SANDBOX_REFUSALS_MAX];
	size_t n = sandbox_refusals(refusals);
	uint64_t times = 0;

	for (size_t i = 0; i < n; i++)
		times += refusals[i].times;
	return times;
}

static void call_execve(const char *process)
{
	char *const arguments[] = { (char[]){ "true" }, NULL };

	(void)process;
	for (uint64_t i = 1; i <= 3; i++) {
		MUST(execve("/bin/true", arguments, NULL) == -1 && errno == EPERM);
		MUST(times_refused("execve") == i);
	}
}

static void no_program_is_started(void **state)
{
	(void)state;
	run_under_each(call_execve);
}

#ifndef SANITIZER
static void call_fork(const char *process)
{
	char *const arguments[] = { (char[]){ "true" }, NULL };
	pid_t pid;

	(void)process;
	MUST(fork() == -1 && errno == EPERM);
	MUST(vfork() == -1 && errno == EPERM);
	MUST(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, NULL) == EPERM);
	MUST(system("true") != 0);
	MUST(popen("true", "r") == NULL);
}

/* libc calls it with all signals blocked, where a trap would end the process. */
static void no_process_is_made_and_trying_ends_none(void **state)
{
	(void)state;
	run_under_each(call_fork);
}
#endif

static const struct {
	const char *name;
	int call;
	unsigned long arguments[4];
	const char *except; /* the process that may */
} forbidden[] = {
	{ "mount", SYS_mount, { 0, 0, 0, 0 }, NULL },
	{ "umount2", SYS_umount2, { 0 }, NULL },
	{ "setns", SYS_setns, { 0, CLONE_NEWNET }, NULL },
	{ "unshare", SYS_unshare, { CLONE_NEWNET }, NULL },
	{ "pivot_root", SYS_pivot_root, { 0 }, NULL },
	{ "chroot", SYS_chroot, { 0 }, NULL },
	{ "setuid", SYS_setuid, { 0 }, NULL },
	{ "setgroups", SYS_setgroups, { 0 }, NULL },
	{ "capset", SYS_capset, { 0 }, NULL },
	{ "init_module", SYS_init_module, { 0 }, NULL },
	{ "kexec_load", SYS_kexec_load, { 0 }, NULL },
	{ "process_vm_readv", SYS_process_vm_readv, { 1 }, NULL },
	{ "process_vm_writev", SYS_process_vm_writev, { 1 }, NULL },
	{ "pidfd_open", SYS_pidfd_open, { 1 }, NULL },
	{ "keyctl", SYS_keyctl, { 0 }, NULL },
	{ "userfaultfd", SYS_userfaultfd, { 0 }, NULL },
	{ "io_uring_setup", SYS_io_uring_setup, { 0 }, NULL },
	{ "clock_settime", SYS_clock_settime, { 0 }, NULL },
	{ "seccomp", SYS_seccomp, { 0 }, NULL },
	{ "execveat", SYS_execveat, { 0 }, NULL },
	{ "bpf", SYS_bpf, { BPF_MAP_CREATE }, "dataplane" },
	{ "perf_event_open", SYS_perf_event_open, { 0 }, "dataplane" },
	{ "memfd_create", SYS_memfd_create, { 0 }, "dataplane" },
	{ "linkat", SYS_linkat, { 0 }, "mgmt" },
	{ "syncfs", SYS_syncfs, { 0 }, "mgmt" },
#ifndef SANITIZER
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME }, NULL },
	{ "kill", SYS_kill, { 1, SIGWINCH }, NULL },
	{ "tgkill", SYS_tgkill, { 1, 1, 0 }, NULL },
	{ "prctl", SYS_prctl, { PR_SET_PDEATHSIG, 0 }, NULL },
	{ "prlimit64", SYS_prlimit64, { 1, 0, 0, 0 }, NULL },
#endif
	{ "ioctl", SYS_ioctl, { 0, TIOCSTI }, NULL },
	{ "mmap", SYS_mmap, { 0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE }, NULL },
	{ "mprotect", SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC }, NULL },
	{ "socket", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, "dataplane" },
	{ "socket", SYS_socket, { AF_XDP, SOCK_RAW, 0 }, "dataplane" },
	{ "socket", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, NULL },
	{ "socket", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, NULL },
	{ "number 340", 340, { 0 }, NULL }, /* nobody has it */
};

static size_t current;

/* The count tells a refusal of the filter from one of the kernel. */
static void call_forbidden(const char *process)
{
	const unsigned long *a = forbidden[current].arguments;
	bool may = forbidden[current].except && !strcmp(forbidden[current].except, process);
	long err = syscall(forbidden[current].call, a[0], a[1], a[2], a[3], -1, 0);

	if (may) {
		MUST(count_refused() == 0);
		return;
	}
	MUST(err == -1 && errno == EPERM);
	MUST(count_refused() == 1);
	MUST(times_refused(forbidden[current].name) == 1);
}

static void what_no_list_has_fails_and_is_counted(void **state)
{
	(void)state;
	for (current = 0; current < COUNT(forbidden); current++)
		for (size_t i = 0; i < COUNT(processes); i++)
			if (run_under(processes[i], call_forbidden))
				fail_msg("%s under %s", forbidden[current].name, processes[i]);
}

static void call_newer(const char *process)
{
	static const long calls[] = { 452, 1000, 100000, 0x40000000 + 59 };

	(void)process;
	for (size_t i = 0; i < COUNT(calls); i++)
		MUST(syscall(calls[i], 0, 0, 0, 0) == -1 && errno == ENOSYS);
	MUST(count_refused() == 0);
}

/* libc goes on with an older call only if it sees that. */
static void calls_of_a_newer_kernel_do_not_exist(void **state)
{
	(void)state;
	run_under_each(call_newer);
}

#ifdef __x86_64__
/* What is 20 there is writev here: getpid(2) of 32-bit programs, by the gate that 64-bit programs have as well. */
static void call_by_the_old_gate(const char *process)
{
	long err = 20;

	(void)process;
	__asm__ volatile("int $0x80" : "+a"(err) : : "memory", "r8", "r9", "r10", "r11");
	MUST(err == -EPERM && count_refused() == 1 && times_refused("32-bit") == 1);
}

static void calls_of_32_bits_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(processes); i++) {
		int status = run_under(processes[i], call_by_the_old_gate);

		/* a kernel without them faults */
		assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
	}
}
#endif

static void *call_in_thread(void *arg)
{
	char name[16] = "";

	(void)arg;
	MUST(prctl(PR_SET_NAME, "weir-test", 0, 0, 0) == 0);
	MUST(prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && !strcmp(name, "weir-test"));
	MUST(syscall(SYS_unshare, CLONE_NEWNET) == -1 && errno == EPERM);
	return NULL;
}

static void use_threads(const char *process)
{
	pthread_t threads[4];

	(void)process;
	for (size_t i = 0; i < COUNT(threads); i++)
		MUST(pthread_create(&threads[i], NULL, call_in_thread, NULL) == 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	MUST(times_refused("unshare") == COUNT(threads) && count_refused() == COUNT(threads));
}

static void threads_are_made_and_have_the_same_list(void **state)
{
	(void)state;
	run_under_each(use_threads);
}

static pthread_barrier_t entered;

static void *wait_and_call(void *arg)
{
	pthread_barrier_wait(&entered);
	return call_in_thread(arg);
}

/* A filter is a thread's own unless it is made for all of them. */
static void a_thread_from_before_has_the_list(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		pthread_t thread;

		MUST(pthread_barrier_init(&entered, NULL, 2) == 0);
		MUST(pthread_create(&thread, NULL, wait_and_call, NULL) == 0);
		MUST(sandbox_enter("dns") == 0);
		pthread_barrier_wait(&entered);
		MUST(pthread_join(thread, NULL) == 0);
		_exit(times_refused("unshare") == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void use_what_is_allowed(const char *process)
{
	struct timex t = { .modes = 0 };
	struct addrinfo *found = NULL, hints = { .ai_socktype = SOCK_STREAM };
	char path[] = "/tmp/weir-sandbox-XXXXXX", byte = 1;
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };

	(void)process;
	MUST(adjtimex(&t) >= 0);
	for (size_t i = 0; i < COUNT(families); i++) {
		int s = socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);

		MUST(s >= 0 || errno == EAFNOSUPPORT);
		close(s);
	}
	int fd = mkstemp(path);
	MUST(fd >= 0 && write(fd, &byte, 1) == 1 && fsync(fd) == 0);
	MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(close(fd) == 0 && unlink(path) == 0);
	MUST(getpwnam("root"));
	if (getaddrinfo("localhost", "53", &hints, &found) == 0)
		freeaddrinfo(found);
	MUST(kill(getppid(), 0) == 0);
	MUST(signal(SIGUSR1, SIG_IGN) != SIG_ERR && raise(SIGUSR1) == 0);
	MUST(count_refused() == 0);
}

/* What weir-announce may: routes, its peers' sockets, and the end of another process. */
static void use_routes(const char *process)
{
	int routes = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	(void)process;
	MUST(routes >= 0 && close(routes) == 0);
	MUST(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	MUST(syscall(SYS_pidfd_open, getpid(), 0) >= 0);
	(void)isatty(STDERR_FILENO);
	MUST(count_refused() == 0);
}

static void refuse_other_netlink(const char *process)
{
	static const int protocols[] = { NETLINK_NETFILTER, NETLINK_XFRM, NETLINK_AUDIT,
		                         NETLINK_GENERIC };
	struct ifreq lo = { .ifr_name = "lo" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	uint64_t n = COUNT(protocols);

	(void)process;
	for (size_t i = 0; i < n; i++)
		MUST(socket(AF_NETLINK, SOCK_RAW, protocols[i]) == -1 && errno == EPERM);
	MUST(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM);
	MUST(socket(AF_UNIX, SOCK_STREAM, 1) == -1 && errno == EPERM);
	MUST(times_refused("socket") == n + 2);
	MUST(s >= 0 && ioctl(s, SIOCGIFFLAGS, &lo) == -1 && errno == EPERM);
	MUST(ioctl(s, FIONBIO, &s) == -1 && errno == EPERM);
	MUST(ioctl(0, TIOCSTI, "x") == -1 && errno == EPERM);
	MUST(times_refused("ioctl") == 3);
}

static void announcing_reaches_routes_and_nothing_else_of_the_network(void **state)
{
	(void)state;
	assert_int_equal(run_under("announce", use_routes), 0);
	assert_int_equal(run_under("announce", refuse_other_netlink), 0);
	assert_int_equal(run_under("announce", call_execve), 0);
}

static void what_weir_uses_goes_on(void **state)
{
	(void)state;
	run_under_each(use_what_is_allowed);
}

static void end_by_signal(const char *process)
{
	(void)process;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void a_crash_still_ends_the_process(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(processes); i++) {
		int status = run_under(processes[i], end_by_signal);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void send_the_signal(const char *process)
{
	(void)process;
	MUST(raise(SIGSYS) == 0);
	MUST(count_refused() == 0);
}

static void a_signal_that_somebody_sends_changes_nothing(void **state)
{
	(void)state;
	run_under_each(send_the_signal);
}

static void refuse_many(const char *process)
{
	struct sandbox_refusal refusals[SANDBOX_REFUSALS_MAX];

	(void)process;
	for (size_t i = 0; i < 8; i++)
		(void)syscall(forbidden[i].call, 0, 0, 0, 0);
	MUST(sandbox_refusals(refusals) == SANDBOX_REFUSALS_MAX);
	MUST(count_refused() == 8);
}

static void more_than_there_is_room_for_are_counted(void **state)
{
	(void)state;
	run_under_each(refuse_many);
}

static void a_person_can_do_without(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setenv(SANDBOX_VARIABLE, "none", 1);
		MUST(sandbox_enter("dns") == 0);
		MUST(sandbox_state() == SANDBOX_OFF);
		MUST(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Enter with @wish in the environment (NULL: none). @return what is logged of it */
static const char *log_of_entering(const char *wish)
{
	static char text[512];
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		unsetenv(SANDBOX_VARIABLE);
		if (wish)
			setenv(SANDBOX_VARIABLE, wish, 1);
		_exit(sandbox_enter("dns") != 0);
	}
	close(ends[1]);
	ssize_t n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void what_is_not_as_it_should_be_is_logged_and_nothing_else(void **state)
{
	(void)state;
	assert_string_equal(log_of_entering(NULL), "");
	assert_string_equal(log_of_entering("no"), ""); /* not the word */
	assert_string_equal(log_of_entering("none"),
	                    "<4>sandbox-off process=weir-dns reason=\"WEIR_SANDBOX=none\"\n");
}

static void a_list_that_is_missing_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(sandbox_enter("agent"), -ENOENT);
	assert_int_equal(sandbox_state(), SANDBOX_NOT_ENTERED);
}

SUITE(sandbox)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_that_is_missing_is_an_error),
		cmocka_unit_test(what_is_not_as_it_should_be_is_logged_and_nothing_else),
		cmocka_unit_test(no_program_is_started),
#ifndef SANITIZER
		cmocka_unit_test(no_process_is_made_and_trying_ends_none),
#endif
		cmocka_unit_test(what_no_list_has_fails_and_is_counted),
		cmocka_unit_test(calls_of_a_newer_kernel_do_not_exist),
#ifdef __x86_64__
		cmocka_unit_test(calls_of_32_bits_are_refused),
#endif
		cmocka_unit_test(threads_are_made_and_have_the_same_list),
		cmocka_unit_test(a_thread_from_before_has_the_list),
		cmocka_unit_test(what_weir_uses_goes_on),
		cmocka_unit_test(announcing_reaches_routes_and_nothing_else_of_the_network),
		cmocka_unit_test(a_crash_still_ends_the_process),
		cmocka_unit_test(a_signal_that_somebody_sends_changes_nothing),
		cmocka_unit_test(more_than_there_is_room_for_are_counted),
		cmocka_unit_test(a_person_can_do_without),
	};

	unsetenv(SANDBOX_VARIABLE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
