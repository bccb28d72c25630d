/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list becomes two filters of libseccomp, and of two filters the kernel takes the harder answer: one of what is
 * allowed, which refuses all the rest, and one of what is refused among that for an argument's sake.
 *
 * A refusal is SCMP_ACT_TRAP: the kernel does not make the call and sends SIGSYS to the thread. The
 * handler counts, logs, and puts -EPERM where the call's result is. It uses no lock and no memory,
 * and calls write(2) alone.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox_internal.h"

#if defined(__x86_64__)
#define ARCHITECTURE                 SCMP_ARCH_X86_64
#define SET_RESULT(context, result_) ((context)->uc_mcontext.gregs[REG_RAX] = (result_))
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE SCMP_ARCH_AARCH64
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
#define CALLS_MAX    512             /* numbers that are counted; more than NEWEST_CALL */
#define FOREIGN_CALL (CALLS_MAX - 1) /* all that have no number here are counted as this one */
#define LINE_BYTES   160             /* of the one log line, on the handler's stack */

/* What a list is made of: the two filters, and the calls that have had their rule. */
struct call_filters {
	scmp_filter_ctx allowed, refused;
	bool seen[CALLS_MAX];
};

static struct {
	atomic_int state;
	_Atomic(const char *) process;
	atomic_ullong refused[CALLS_MAX];
	char names[CALLS_MAX]
	          [SANDBOX_NAME_MAX]; /* found beforehand, for the handler; "": nobody knows it */
} sandbox;

/* The lower half of an argument counts, as the kernel takes an int. */
static struct scmp_arg_cmp is_under(unsigned argument, uint32_t mask, uint32_t value)
{
	return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

static int allow_values(struct call_filters *f, const struct sandbox_rule *r)
{
	uint32_t pid = (uint32_t)getpid(), mask = r->mask ? r->mask : UINT32_MAX;
	const uint32_t *values = r->kind == SANDBOX_OWN_PID ? &pid : r->values;
	size_t n = r->kind == SANDBOX_OWN_PID ? 1 : r->n_values;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		const struct scmp_arg_cmp conditions[] = { is_under(r->argument, mask, values[i]),
			                                   is_under(r->zero, UINT32_MAX, 0) };

		err = seccomp_rule_add_array(f->allowed, SCMP_ACT_ALLOW, r->call, r->zero ? 2 : 1,
		                             conditions);
	}
	return err;
}

static int refuse_values(struct call_filters *f, const struct sandbox_rule *r)
{
	int err = seccomp_rule_add(f->allowed, SCMP_ACT_ALLOW, r->call, 0);

	for (size_t i = 0; !err && i < r->n_values; i++)
		err = seccomp_rule_add(
		        f->refused, SCMP_ACT_TRAP, r->call, 1,
		        is_under(r->argument, r->mask ? r->mask : UINT32_MAX, r->values[i]));
	return err;
}

/* The masked argument differs from the value if one of its bits does. */
static int refuse_other_bits(struct call_filters *f, const struct sandbox_rule *r)
{
	int err = seccomp_rule_add(f->allowed, SCMP_ACT_ALLOW, r->call, 0);

	for (uint32_t bit = 1; !err && bit; bit <<= 1)
		if (r->mask & bit)
			err = seccomp_rule_add(f->refused, SCMP_ACT_ERRNO((uint32_t)r->error),
			                       r->call, 1,
			                       is_under(r->argument, bit, ~r->values[0] & bit));
	return err;
}

static int add_rule(struct call_filters *f, const struct sandbox_rule *r)
{
	if (r->call < 0 || f->seen[r->call])
		return 0;
	f->seen[r->call] = true;
	switch (r->kind) {
	case SANDBOX_ALLOW:
		return seccomp_rule_add(f->allowed, SCMP_ACT_ALLOW, r->call, 0);
	case SANDBOX_NOT_HERE:
		return seccomp_rule_add(f->allowed, SCMP_ACT_ERRNO((uint32_t)r->error), r->call, 0);
	case SANDBOX_NONE_OF:
		return refuse_values(f, r);
	case SANDBOX_THESE_BITS:
		return refuse_other_bits(f, r);
	case SANDBOX_ONE_OF:
	case SANDBOX_OWN_PID:
		break;
	}
	return allow_values(f, r);
}

static int add_list(struct call_filters *f, const struct sandbox_list *list)
{
	int err = 0;

	for (size_t i = 0; i < SANDBOX_GROUPS_MAX && list->groups[i]; i++)
		for (size_t j = 0; !err && j < list->groups[i]->n; j++)
			err = add_rule(f, &list->groups[i]->rules[j]);
	/*
	 * A library that tries a newer call falls back where the kernel does not know it, and
	 * only then.
	 */
	for (int call = NEWEST_CALL + 1; !err && call < FOREIGN_CALL; call++)
		err = seccomp_rule_add(f->allowed, SCMP_ACT_ERRNO(ENOSYS), call, 0);
	return err;
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

static void log_refusal(const siginfo_t *info)
{
	const char *name = sandbox.names[info->si_syscall];
	char line[LINE_BYTES];
	size_t n = append_line_text(line, 0, "<3>system-call-refused process=weir-");

	n = append_line_text(line, n, sandbox_process());
	n = append_line_text(line, n, " call=");
	n = append_line_number(line, n, (unsigned)info->si_syscall, 10);
	n = append_line_text(line, n, " name=");
	n = append_line_text(line, n, *name ? name : "unknown");
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
	bool is_foreign = info->si_arch != ARCHITECTURE;

	if (is_foreign)
		call = info->si_syscall = FOREIGN_CALL;
	if (call >= FOREIGN_CALL && !is_foreign) { /* newer than all that have a rule */
		SET_RESULT((ucontext_t *)context, -ENOSYS);
	} else {
		if (atomic_fetch_add(&sandbox.refused[call], 1) == 0)
			log_refusal(info);
		SET_RESULT((ucontext_t *)context, -EPERM);
	}
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
 * TSYNC: for all threads. SSB: before Linux 5.16 a filter also turned the processor's speculation off, against code of
 * strangers in the process; there is none. libseccomp forbids new privileges, too.
 */
static scmp_filter_ctx make_filter(uint32_t otherwise)
{
	scmp_filter_ctx filter = seccomp_init(otherwise);

	if (filter && (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) ||
	               seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1) ||
	               seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP) ||
	               seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1))) {
		seccomp_release(filter);
		return NULL;
	}
	return filter;
}

/* After the filter of what is allowed no other can be loaded. */
static int load_filters(const struct sandbox_list *list)
{
	struct call_filters f = { .allowed = make_filter(SCMP_ACT_TRAP),
		                  .refused = make_filter(SCMP_ACT_ALLOW) };
	int err = f.allowed && f.refused ? add_list(&f, list) : -ENOSYS;

	if (!err)
		err = install_refusal_handler();
	if (!err)
		err = seccomp_load(f.refused);
	if (!err)
		err = seccomp_load(f.allowed);
	seccomp_release(f.allowed);
	seccomp_release(f.refused);
	return err;
}

static void find_names(void)
{
	for (int call = 0; call < FOREIGN_CALL; call++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

		snprintf(sandbox.names[call], SANDBOX_NAME_MAX, "%s", name ? name : "");
		free(name);
	}
	snprintf(sandbox.names[FOREIGN_CALL], SANDBOX_NAME_MAX, "32-bit");
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
	find_names();
	int err = ARCHITECTURE ? load_filters(list) : -ENOSYS;

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
		if (*sandbox.names[call])
			snprintf(out[n].name, SANDBOX_NAME_MAX, "%s", sandbox.names[call]);
		else
			snprintf(out[n].name, SANDBOX_NAME_MAX, "number %d", call);
		out[n++].times = times;
	}
	return n;
}
