/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list becomes a program of the kernel's classic BPF: the calls that are always allowed one after
 * the other (from Linux 5.11 on the kernel keeps these in a bitmap and does not run the program),
 * then those whose argument is looked at.
 *
 * The filter answers SECCOMP_RET_TRAP: the kernel does not make the call and sends SIGSYS to the
 * thread. The handler counts, logs, and puts -EPERM where the call's result is. It uses no lock and
 * no memory, and calls write(2) alone.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox_internal.h"

#if defined(__x86_64__)
#define ARCHITECTURE                 AUDIT_ARCH_X86_64
#define SET_RESULT(context, result_) ((context)->uc_mcontext.gregs[REG_RAX] = (result_))
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define SET_RESULT(context, result_)                                                               \
	((context)->uc_mcontext.regs[0] = (unsigned long long)(result_))
#else
#define ARCHITECTURE                 0 /* no filter */
#define SET_RESULT(context, result_) ((void)(context))
#endif

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code: libc does not name it yet */
#endif

#define NEWEST_CALL                                                                                \
	450 /* set_mempolicy_home_node, the last one when the lists were written; the same on all machines */
#define CALLS_MAX        512             /* numbers that are counted; more than NEWEST_CALL */
#define FOREIGN_CALL     (CALLS_MAX - 1) /* all that have no number here are counted as this one */
#define INSTRUCTIONS_MAX 1024            /* the kernel takes 4,096 (BPF_MAXINSNS) */
#define LINE_BYTES       160             /* of the one log line, on the handler's stack */

struct program {
	struct sock_filter code[INSTRUCTIONS_MAX];
	size_t n; /* above INSTRUCTIONS_MAX: it had no room */
};

static struct {
	atomic_int state;
	_Atomic(const char *) process;
	atomic_ullong refused[CALLS_MAX];
} sandbox;

static void add_instruction(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->n < INSTRUCTIONS_MAX)
		p->code[p->n] = (struct sock_filter){ code, yes, no, k };
	p->n++;
}

static void add_return(struct program *p, uint32_t action)
{
	add_instruction(p, BPF_RET | BPF_K, action, 0, 0);
}

/* The instructions that follow, @p n, are for @p value alone. */
static void add_branch(struct program *p, uint32_t value, size_t n)
{
	add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, (uint8_t)n);
}

static uint32_t refusal_of(const struct sandbox_rule *r)
{
	return r->error ? SECCOMP_RET_ERRNO | (uint32_t)r->error : SECCOMP_RET_TRAP;
}

/* Load an argument. Its lower half comes first on the machines that have lists (little-endian). */
static void add_argument(struct program *p, unsigned argument)
{
	add_instruction(p, BPF_LD | BPF_W | BPF_ABS,
	                (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument), 0, 0);
}

/* Compare an argument with the rule's values. */
static void add_question(struct program *p, const struct sandbox_rule *r)
{
	bool inverse = r->kind == SANDBOX_NONE_OF;
	uint32_t pid = (uint32_t)getpid();
	const uint32_t *values = r->kind == SANDBOX_OWN_PID ? &pid : r->values;
	size_t n = r->kind == SANDBOX_OWN_PID ? 1 : r->n_values;

	add_branch(p, (uint32_t)r->call, 2 * n + 3 + (r->zero ? 3 : 0));
	if (r->zero) {
		add_argument(p, r->zero);
		add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
		add_return(p, refusal_of(r));
	}
	add_argument(p, r->argument);
	add_instruction(p, BPF_ALU | BPF_AND | BPF_K, r->mask ? r->mask : UINT32_MAX, 0, 0);
	for (size_t i = 0; i < n; i++) {
		add_branch(p, values[i], 1);
		add_return(p, inverse ? refusal_of(r) : SECCOMP_RET_ALLOW);
	}
	add_return(p, inverse ? SECCOMP_RET_ALLOW : refusal_of(r));
}

static void add_rule(struct program *p, const struct sandbox_rule *r)
{
	if (r->call < 0)
		return;
	if (r->kind != SANDBOX_ALLOW && r->kind != SANDBOX_NOT_HERE) {
		add_question(p, r);
		return;
	}
	add_branch(p, (uint32_t)r->call, 1);
	add_return(p, r->kind == SANDBOX_ALLOW ? SECCOMP_RET_ALLOW : refusal_of(r));
}

static void make_program(const struct sandbox_list *list, struct program *p)
{
	p->n = 0;
	add_instruction(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	add_return(p, SECCOMP_RET_TRAP);
	add_instruction(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (size_t i = 0; i < SANDBOX_GROUPS_MAX && list->groups[i]; i++)
		for (size_t j = 0; j < list->groups[i]->n; j++)
			add_rule(p, &list->groups[i]->rules[j]);
	/*
	 * A library that tries a newer call falls back where the kernel does not know it, and
	 * only then.
	 */
	add_instruction(p, BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1);
	add_return(p, SECCOMP_RET_ERRNO | ENOSYS);
	add_return(p, SECCOMP_RET_TRAP);
}

/* For the signal handler, which may not use stdio: what does not fit is left out. */
static size_t append_line_text(char *line, size_t n, const char *text)
{
	while (*text && n < LINE_BYTES - 1)
		line[n++] = *text++;
	return n;
}

static size_t append_line_number(char *line, size_t n, uint64_t value, unsigned base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return append_line_text(line, n, digits + at);
}

static const char *known_name(int call)
{
	return call == FOREIGN_CALL ? "32-bit" : sandbox_call_name(call);
}

static void log_refusal(const siginfo_t *info)
{
	const char *name = known_name(info->si_syscall);
	char line[LINE_BYTES];
	size_t n = append_line_text(line, 0, "<3>system-call-refused process=weir-");

	n = append_line_text(line, n, sandbox_process());
	n = append_line_text(line, n, " call=");
	n = append_line_number(line, n, (unsigned)info->si_syscall, 10);
	n = append_line_text(line, n, " name=");
	n = append_line_text(line, n, name ? name : "unknown");
	n = append_line_text(line, n, " thread=");
	n = append_line_number(line, n, (uint64_t)gettid(), 10);
	n = append_line_text(line, n, " at=0x");
	n = append_line_number(line, n, (uintptr_t)info->si_call_addr, 16);
	line[n++] = '\n';
	/* without standard error there is no other place to report to */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

static void on_refusal(int signo, siginfo_t *info, void *context)
{
	int err = errno;
	unsigned call = (unsigned)info->si_syscall;

	(void)signo;
	if (info->si_code != SYS_SECCOMP)
		return; /* a process sent the signal: no call was refused */
	/* a 32-bit call, which x86-64 takes as well, has other numbers */
	if (info->si_arch != ARCHITECTURE || call >= CALLS_MAX)
		call = info->si_syscall = FOREIGN_CALL;
	if (atomic_fetch_add(&sandbox.refused[call], 1) == 0)
		log_refusal(info);
	SET_RESULT((ucontext_t *)context, -EPERM);
	errno = err;
}

static int install_refusal_handler(void)
{
	struct sigaction act = { .sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO };
	sigset_t mine;

	sigemptyset(&act.sa_mask);
	if (sigaction(SIGSYS, &act, NULL) < 0)
		return -errno;
	sigemptyset(&mine);
	sigaddset(&mine, SIGSYS);
	return -pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
}

/*
 * TSYNC: for all threads. SPEC_ALLOW: before Linux 5.16 a filter also turned the processor's
 * speculation off, against code of strangers in the process; there is none.
 */
static int load_program(const struct sandbox_list *list)
{
	static struct program program;

	make_program(list, &program);
	if (program.n > INSTRUCTIONS_MAX)
		return -E2BIG;
	struct sock_fprog fprog = { (unsigned short)program.n, program.code };
	int err = install_refusal_handler();

	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	if (err)
		return err;
	long thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                      SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &fprog);

	return thread < 0 ? -errno : thread > 0 ? -ESRCH : 0;
}

int sandbox_enter(const char *process)
{
	const struct sandbox_list *list = sandbox_list_of(process);
	const char *requested = getenv(SANDBOX_VARIABLE);

	if (!list)
		return -ENOENT;
	sandbox.process = list->process;
	if (requested && !strcmp(requested, "none")) {
		sandbox.state = SANDBOX_OFF;
		log_warn("sandbox-off", "process=weir-%s reason=\"" SANDBOX_VARIABLE "=none\"",
		         process);
		return 0;
	}
	int err = ARCHITECTURE ? load_program(list) : -ENOSYS;

	sandbox.state = err ? SANDBOX_MISSING : SANDBOX_ENTERED;
	if (err)
		log_error(
		        "sandbox-missing",
		        "process=weir-%s error=\"%s\" effect=\"the process runs without a system call "
		        "filter\"",
		        process, strerror(-err));
	return err;
}

enum sandbox_state sandbox_state(void)
{
	return (enum sandbox_state)atomic_load(&sandbox.state);
}

const char *sandbox_process(void)
{
	const char *process = sandbox.process;

	return process ? process : "";
}

static void name_call(int call, char name[SANDBOX_NAME_MAX])
{
	const char *known = known_name(call);

	if (known)
		snprintf(name, SANDBOX_NAME_MAX, "%s", known);
	else
		snprintf(name, SANDBOX_NAME_MAX, "number %d", call);
}

size_t sandbox_refusals(struct sandbox_refusal out[SANDBOX_REFUSALS_MAX])
{
	size_t n = 0;

	for (int call = 0; call < CALLS_MAX; call++) {
		uint64_t times = atomic_load(&sandbox.refused[call]);

		if (!times)
			continue;
		if (n == SANDBOX_REFUSALS_MAX) {
			out[n - 1].times += times;
			continue;
		}
		name_call(call, out[n].name);
		out[n++].times = times;
	}
	return n;
}
