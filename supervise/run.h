/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of `weir run`: the DNS sockets that it holds (sockets.c), the routes of DNS
 * addresses, which it withdraws at a stop (routes.c), and the note of its children on disk, so
 * that another supervisor can go on with them (state.c). One thread: the supervisor's.
 */
#ifndef WEIR_SUPERVISE_RUN_H
#define WEIR_SUPERVISE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/checked.h"
#include "base/proc.h"
#include "weir/model.h"

#define RUN_HANG_LEAST_MS 3000u   /* several looks must fit into half of it (run_watched_ms()) */
#define RUN_HANG_MOST_MS  600000u /* more is meant as off */
#define RUN_REASON_MAX    (2 * PATH_MAX + 256)

struct run_options {
	const struct proc_dirs *dirs;
	uint64_t hang_ms; /* from RUN_HANG_LEAST_MS to RUN_HANG_MOST_MS */
	bool spares;      /* one that hangs is said to, and not restarted */
	bool stop;        /* end the supervisor of these directories, or what a dead one has left */
};

enum run_end {
	RUN_END_OK,
	RUN_END_WRONG,  /* the directories cannot be used */
	RUN_END_DENIED, /* not with this user's rights */
	RUN_END_BUSY,   /* another supervisor uses them, or does not end */
	RUN_END_FAILED,
};

/* Supervise the processes of Weir until SIGTERM, or stop them. @return how it ended; @p reason says it, but for RUN_END_OK */
enum run_end run_supervise(const struct run_options *o, char reason[RUN_REASON_MAX]);

#define RUN_ADDRESSES_MAX 16                      /* the most that nodes[].dns_listen takes */
#define RUN_OF_THREAD     (2 * RUN_ADDRESSES_MAX) /* UDP and TCP of each address */
#define RUN_SOCKETS_MAX   (RUN_OF_THREAD * MODEL_DNS_THREADS_MAX)

/*
 * Listening sockets of each thread of weir-dns, by address and kind: [2 * i] UDP, [2 * i + 1] TCP
 * of address i.
 */
struct run_sockets {
	struct addr addresses[RUN_ADDRESSES_MAX];
	size_t n_addresses;
	/* threads in use; sockets of further ones are kept until run_sockets_trim() */
	unsigned n_threads;
	int fds[MODEL_DNS_THREADS_MAX][RUN_OF_THREAD]; /* -1: not in use, or could not be opened */
	bool fresh[MODEL_DNS_THREADS_MAX][RUN_OF_THREAD]; /* weir-dns does not have it */
	bool moved;        /* the addresses are not those that weir-dns was started with */
	int channel[2];    /* new sockets go to weir-dns through it: our end, its end; -1: none */
	uint64_t extra_ms; /* since when there are sockets of unused threads; 0: there are none */
};

void run_sockets_init(struct run_sockets *s);
/*
 * Hold sockets for @p addresses and @p n_threads, port 53: existing ones are kept, missing ones
 * opened, and those of other addresses closed. A failure to open is logged. @return whether weir-
 * dns lacks one now, or has another order
 */
bool run_sockets_set(struct run_sockets *s, const struct addr *addresses, size_t n,
                     unsigned n_threads);
/* Whether a socket could not be opened. */
bool run_sockets_lack(const struct run_sockets *s);
/* Try again to open the missing sockets. */
void run_sockets_again(struct run_sockets *s);
/* Whether there are sockets of threads that are not in use. */
bool run_sockets_extra(const struct run_sockets *s);
/* Close those; weir-dns must have had the time to empty them. */
void run_sockets_trim(struct run_sockets *s);
/* Before a child is forked: it inherits the sockets that exist now. */
void run_sockets_prepare(struct run_sockets *s);
/*
 * In a child: move all to their places from 3 on, and set LISTEN_FDS, LISTEN_FDNAMES and
 * LISTEN_PID. @return 0 or -errno
 */
MUST_CHECK int run_sockets_hand_down(const struct run_sockets *s);
/* Pass new sockets to the running child. @return 0, or -errno: it must be restarted instead */
MUST_CHECK int run_sockets_pass(struct run_sockets *s);
/*
 * Duplicate the sockets of an earlier supervisor's running child, if those that it has are of @p
 * addresses. @return 0 or -errno
 */
MUST_CHECK int run_sockets_adopt(struct run_sockets *s, int pidfd, const struct addr *addresses,
                                 size_t n);
void run_sockets_close(struct run_sockets *s);

/* DNS addresses that this node announces, and the kernel tables of their routes. */
struct run_routes {
	struct addr addresses[RUN_ADDRESSES_MAX];
	size_t n; /* 0: none, or not known */
	uint32_t tables[2];
};

/* Note what the document of @p self announces. */
void run_routes_note(struct run_routes *r, const struct model_node *self);
/*
 * Delete these routes. weir-announce must not run: it would add them again. A failure is logged.
 * @return whether there was one, or that is not known: routers need time to send elsewhere
 */
bool run_routes_withdraw(const struct run_routes *r);

/*
 * Read a file of the process in /proc, "stat" or "task/7/comm", as far as there is room, as a text. @return its bytes; 0: it
 * cannot be read
 */
size_t run_read_proc(pid_t pid, const char *file, char *out, size_t size);
/*
 * When the process started, in clock ticks since boot; with the pid it identifies a process for
 * good. @return 0: no such process
 */
uint64_t run_start_time(pid_t pid);
/* Whether the process catches @p signo or takes it from a descriptor (SigCgt, SigBlk; proc(5)). */
bool run_handles_signal(pid_t pid, int signo);
/* Whether @p signo was sent to the process and it has not taken it yet (ShdPnd; proc(5)). */
bool run_has_pending(pid_t pid, int signo);
/*
 * stop.c: send a signal by pidfd, since the process may have ended and another one may have its
 * pid. @return 0 or -errno
 */
int run_send_signal(pid_t pid, int signo);
#define RUN_STATE_FILE "run.state"
/* The pid noted for @p name in RUN/run.state, if the same process still runs. @return 0: none */
pid_t run_state_find(const char *run_dir, const char *name);
struct run_noted {
	const char *name;
	pid_t pid;
};
/* Note all. @return 0 or -errno */
MUST_CHECK int run_state_write(const char *run_dir, const struct run_noted *noted, size_t n);

#endif
