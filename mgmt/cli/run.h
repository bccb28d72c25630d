/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of `weir run`: the DNS sockets that it holds (run_sockets.c), and what it remembers of its
 * children on disk, so that another supervisor can go on with them (run_state.c).
 */
#ifndef WEIR_MGMT_CLI_RUN_H
#define WEIR_MGMT_CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

#define RUN_ADDRESSES_MAX 16
#define RUN_SOCKETS_MAX   (2 * RUN_ADDRESSES_MAX)

/* Listening sockets, by address and kind: [2 * i] UDP, [2 * i + 1] TCP of address i. */
struct run_sockets {
	struct addr addresses[RUN_ADDRESSES_MAX];
	size_t n_addresses;
	int fds[RUN_SOCKETS_MAX]; /* -1: could not be opened */
};

void run_sockets_init(struct run_sockets *s);
/*
 * Hold sockets for exactly @p addresses, port 53: those that are there stay, others are opened or closed.
 * What cannot be opened is logged. @return whether the set of open sockets or their order changed
 */
bool run_sockets_set(struct run_sockets *s, const struct addr *addresses, size_t n);
/* Whether some could not be opened. */
bool run_sockets_lack(const struct run_sockets *s);
/* In a child: move the open ones to 3.., and set LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID. @return 0 or -errno */
int run_sockets_hand_down(const struct run_sockets *s);
/* Take the sockets that a running child of another supervisor got, if they are those of @p addresses. @return 0 or -errno */
int run_sockets_take(struct run_sockets *s, int pidfd, const struct addr *addresses, size_t n);
void run_sockets_close(struct run_sockets *s);

/* When the process started, in clock ticks since boot; with the pid it names a process for good. @return 0: there is none */
uint64_t run_start_time(pid_t pid);
/* Whether the process catches @p signo or takes it from a descriptor (SigCgt, SigBlk; proc(5)). */
bool run_takes_signal(pid_t pid, int signo);
/* The pid noted for @p name in RUN/run.state, if that very process runs. @return 0: none */
pid_t run_state_find(const char *run_dir, const char *name);
struct run_noted {
	const char *name;
	pid_t pid;
};
/* Note all. @return 0 or -errno */
int run_state_write(const char *run_dir, const struct run_noted *noted, size_t n);

#endif
