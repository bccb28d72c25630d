/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The system calls that a process may make (seccomp(2)): a list for each of Weir's processes,
 * in base/sandbox_lists.c. An intruder in a process can start no program, leave no namespace, and
 * open no kind of socket that the process does not need.
 *
 * A call that is not on the list fails with EPERM and is counted. The process goes on, because
 * forwarding must not end when a library tries something new. The first refusal is logged (event
 * system-call-refused), and conditions_end() reports a condition until the process starts again. A
 * new process (fork) is refused without being counted: libc makes it with all signals blocked, and
 * counting needs the handler of SIGSYS. For the same reason each thread leaves SIGSYS unblocked:
 * the kernel ends a process that blocks it when a call is refused. A call that is newer than the
 * lists fails with ENOSYS, as with an older kernel, so that a library uses the call before it.
 *
 * A list cannot see what a pointer points to. So adjtimex(2) is allowed as a whole; setting the
 * clock needs CAP_SYS_TIME, which no process has.
 *
 * Implemented in base/sandbox.c, the lists in base/sandbox_lists.c. sandbox_enter() is for the main
 * thread at the start; any thread may ask.
 */
#ifndef WEIR_BASE_SANDBOX_H
#define WEIR_BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/** "none": no filter. For a library or a driver that needs a call that its list does not have. */
#define SANDBOX_VARIABLE "WEIR_SANDBOX"

/** Refused calls that are listed by name; more are counted together with the last one. */
#define SANDBOX_REFUSALS_MAX 4u
#define SANDBOX_NAME_MAX     24u /**< bytes of a call's name with the NUL */

/** A call that was refused. */
struct sandbox_refusal {
	char name[SANDBOX_NAME_MAX]; /**< "execve"; its number where the name is not known */
	uint64_t times;
};

/** How the filter is. */
enum sandbox_state {
	SANDBOX_NOT_ENTERED, /**< a command, or a test */
	SANDBOX_ENTERED,
	SANDBOX_OFF,     /**< a person wants none */
	SANDBOX_MISSING, /**< the kernel has no filters, or Weir has no list for this machine */
};

/**
 * Restrict all threads of this process, also later ones, to the calls of weir-@p process ("mgmt",
 * "dataplane", "health", "dns", "announce"). No new privileges are possible afterwards. Call it
 * after proc_become(). A failure is logged, and the process may go on without a filter:
 * sandbox_state() says so.
 * @return 0, also if the environment says WEIR_SANDBOX=none; -ENOENT: there is no such list; or
 *   -errno
 */
int sandbox_enter(const char *process);
/** How sandbox_enter() ended. */
enum sandbox_state sandbox_state(void);
/** The process that sandbox_enter() was called for; "" before. */
const char *sandbox_process(void);
/** The calls that were refused since the start, the lowest number first. Any thread. @return how many are in @p out */
size_t sandbox_refusals(struct sandbox_refusal out[SANDBOX_REFUSALS_MAX]);

#endif
