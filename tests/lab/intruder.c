/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a thread of another process call the system: what somebody would do who runs code of his own in it.
 *
 *     lab-intruder TID CALL [ARGUMENT ...]
 *
 * Prints the call's result. The call is made at the program's entry, where no thread comes a second time, so that the
 * others go on meanwhile; then the thread goes on where it was (a call that it waited in is made again by the kernel).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 6
#define STOPS_MAX                                                                                  \
	100 /* signals that are the process's own business, before the call has returned */

#if defined(__x86_64__)
#define CODE 0xcc050full /* syscall; int3 */
static void set_call(struct user_regs_struct *r, uint64_t at, long call,
                     const uint64_t a[ARGUMENTS_MAX])
{
	*r = (struct user_regs_struct){
		.rip = at,
		.rax = (uint64_t)call,
		.orig_rax = UINT64_MAX,
		.rsp = (r->rsp - 4096) & ~15ull,
		.rdi = a[0],
		.rsi = a[1],
		.rdx = a[2],
		.r10 = a[3],
		.r8 = a[4],
		.r9 = a[5],
		.cs = r->cs,
		.ss = r->ss,
		.ds = r->ds,
		.es = r->es,
		.fs = r->fs,
		.gs = r->gs,
		.fs_base = r->fs_base,
		.gs_base = r->gs_base,
		.eflags = r->eflags,
	};
}

static long result_of(const struct user_regs_struct *r)
{
	return (long)r->rax;
}
#elif defined(__aarch64__)
#define CODE 0xd4200000d4000001ull /* svc #0; brk #0 */
static void set_call(struct user_regs_struct *r, uint64_t at, long call,
                     const uint64_t a[ARGUMENTS_MAX])
{
	memcpy(r->regs, a, ARGUMENTS_MAX * sizeof(*a));
	r->regs[8] = (uint64_t)call;
	r->sp = (r->sp - 4096) & ~15ull;
	r->pc = at;
}

static long result_of(const struct user_regs_struct *r)
{
	return (long)r->regs[0];
}
#endif

static _Noreturn void exit_with_error(const char *what)
{
	fprintf(stderr, "lab-intruder: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* @return where the program begins */
static uint64_t find_entry(pid_t tid)
{
	char path[64];
	uint64_t pair[2];

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, pair, sizeof(pair)) == sizeof(pair))
		if (pair[0] == AT_ENTRY)
			return close(fd), pair[1];
	exit_with_error(path);
}

/* Wait until the thread stops. @return the signal that it stops for; 0: for us */
static int wait_stop(pid_t tid)
{
	int status;

	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
		errno = ESRCH;
		exit_with_error("the thread ended");
	}
	return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
}

static void get_registers(pid_t tid, struct user_regs_struct *r)
{
	struct iovec io = { r, sizeof(*r) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &io) != 0)
		exit_with_error("its registers");
}

static void set_registers(pid_t tid, struct user_regs_struct *r)
{
	struct iovec io = { r, sizeof(*r) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &io) != 0)
		exit_with_error("its registers");
}

static void put_code(pid_t tid, uint64_t at, long code)
{
	if (ptrace(PTRACE_POKETEXT, tid, (void *)at, (void *)code) != 0)
		exit_with_error("its code");
}

/* Go on until the instruction behind the call; signals reach their handlers. */
static void run_call(pid_t tid)
{
	int signo = 0;

	for (unsigned i = 0; i < STOPS_MAX; i++) {
		if (ptrace(PTRACE_CONT, tid, NULL, (void *)(long)signo) != 0)
			exit_with_error("it does not go on");
		signo = wait_stop(tid);
		if (signo == SIGTRAP)
			return;
	}
	errno = ETIME;
	exit_with_error("the call");
}

int main(int argc, char **argv)
{
	struct user_regs_struct before, now;
	uint64_t arguments[ARGUMENTS_MAX] = { 0 };

	if (argc < 3 || argc > 3 + ARGUMENTS_MAX)
		return 2;
	pid_t tid = (pid_t)strtol(argv[1], NULL, 10);
	uint64_t at = find_entry(tid);

	for (int i = 3; i < argc; i++)
		arguments[i - 3] = strtoull(argv[i], NULL, 0);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
		exit_with_error("the thread");
	(void)wait_stop(tid);
	get_registers(tid, &before);
	errno = 0;
	long code = ptrace(PTRACE_PEEKTEXT, tid, (void *)at, NULL);

	if (errno)
		exit_with_error("its code");
	now = before;
	set_call(&now, at, strtol(argv[2], NULL, 0), arguments);
	put_code(tid, at, (long)CODE);
	set_registers(tid, &now);
	run_call(tid);
	get_registers(tid, &now);
	put_code(tid, at, code);
	set_registers(tid, &before);
	if (ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0)
		exit_with_error("it is not let go");
	printf("%ld\n", result_of(&now));
	return 0;
}
