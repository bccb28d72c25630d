/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What every Weir process does at its start: the options that all share, the
 * paths that follow from them, sockets handed down, readiness, dropping rights.
 *
 * Implemented in base/proc.c. For the main thread at the
 * start, before there are others; proc_path() and proc_notify() for any thread.
 */
#ifndef WEIR_BASE_PROC_H
#define WEIR_BASE_PROC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

/** Where things are. */
struct proc_dirs {
	char conf[PATH_MAX]; /**< --conf-dir, /etc/weir: weir.conf, zones, keys, tokens */
	/** --state-dir, /var/lib/weir: effective document, store, saved verdicts */
	char state[PATH_MAX];
	char run[PATH_MAX]; /**< --run-dir, /run/weir: pages and sockets; on a tmpfs */
	char bpf[PATH_MAX]; /**< --bpf-dir, /sys/fs/bpf/weir: pins, below it CLUSTER/NODE; a bpffs */
	char node[64];      /**< --node, else the host name up to its first dot */
	bool node_given;    /**< by --node or WEIR_NODE */
};

/** Names below the directories above. */
#define PROC_CONF_FILE      "weir.conf"      /* conf */
#define PROC_EFFECTIVE_FILE "effective.conf" /* state */
#define PROC_GOOD_FILE                                                                             \
	"effective.conf.good" /* state: weir run's copy of the last one that all processes had in force */
#define PROC_STORE_DIR   "store"       /* state: weir-mgmt's alone */
#define PROC_STORE_FILE  "store.db"    /* in it */
#define PROC_BLOBS_DIR   "blobs"       /* state: weir-mgmt's alone; large files by their digests */
#define PROC_AUDIT_DIR   "audit"       /* state: weir-mgmt's alone; the audit log */
#define PROC_CONFIG_DIR  "config"      /* state: versions laid out */
#define PROC_HEALTH_PAGE "health.page" /* run */
#define PROC_API_SOCKET  "api.sock"    /* run */
/* also in run: stats.PROCESS.page, PROCESS.ctl for dataplane, health, dns, mgmt, announce */

/**
 * Read the shared options from @p argv and take them out of it (--conf-dir DIR, --state-dir DIR,
 * --run-dir DIR, --bpf-dir DIR, --node NAME; also --option=VALUE); the environment variables
 * WEIR_CONF_DIR, WEIR_STATE_DIR, WEIR_RUN_DIR, WEIR_BPF_DIR and WEIR_NODE are their defaults.
 * @return 0, or -EINVAL after naming the error on standard error
 */
MUST_CHECK int proc_dirs_from_args(struct proc_dirs *dirs, int *argc, char **argv);
/** The paragraph of --help about the shared options. */
extern const char proc_dirs_help[];

/**
 * The same for a process that has no other options and no arguments: --help prints what weir-@p name does. @return a negative number
 * to go on; else the exit status, after it was said why
 */
MUST_CHECK int proc_dirs_only(struct proc_dirs *dirs, int argc, char **argv, const char *name,
                              const char *does);

/** Write "DIR/NAME" to @p out. @return 0 or -ENAMETOOLONG */
MUST_CHECK int proc_path(const char *dir, const char *name, char out[PATH_MAX]);

/** The mark of a document that this process passes over; weir run says so to one that could not start with it. */
#define PROC_SKIP_VARIABLE "WEIR_SKIP_DOCUMENT"
#define PROC_MARK_MAX      64
/** What tells the effective document from others: size and time of writing, which a copy keeps. @return 0 or -errno */
MUST_CHECK int proc_document_mark(const char *path, char out[PROC_MARK_MAX]);
/**
 * Which file to read for the effective document @p path: itself, or PROC_GOOD_FILE beside it while it is the one that
 * PROC_SKIP_VARIABLE names. Any thread.
 * @param room  where the other path is written
 */
const char *proc_document(const char *path, char room[PATH_MAX]);

/**
 * A listening socket handed down by the supervisor (LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES as in
 * sd_listen_fds(3)), by its name. @return a descriptor, or -ENOENT
 */
MUST_CHECK int proc_listen_fd(const char *name);
/** Tell the supervisor (NOTIFY_SOCKET, sd_notify(3)) that this process is ready; nothing without one. */
void proc_ready(void);
/** Tell the supervisor @p text ("WATCHDOG=1"); nothing without one. */
void proc_notify(const char *text);
/** The time in which the supervisor wants a WATCHDOG=1 (WATCHDOG_USEC); 0: it wants none. */
unsigned proc_watchdog_ms(void);
/**
 * Ignore every signal that would end or stop the process by accident (docs/architecture.md has the
 * table). Comes first in main(); loop_signal() later takes signals all the same.
 */
void proc_ignore_signals(void);

/**
 * As root: join group weir, also for processes that are started from here. The systemd unit takes
 * root's right to ignore the modes of files, and files that processes share belong to that group.
 */
void proc_join_group(void);

/** "none": processes that root starts stay root. For labs and the demo, on machines without Weir's users. */
#define PROC_USERS_VARIABLE "WEIR_USERS"
/**
 * Become user weir-NAME with group weir, and that user's own group as well, if we are root, keeping @p caps (a mask of
 * 1 << CAP_x; ambient, so that exec keeps them); forbid new privileges.
 * Root stays root only where the environment says WEIR_USERS=none: without the user or the group the start fails.
 * @return 0, also with nothing done when not root; -ENOENT (logged) or -errno
 */
MUST_CHECK int proc_become(const char *name, uint64_t caps);
/** Most groups that proc_become_with() joins. */
#define PROC_GROUPS_MAX 4
/**
 * As proc_become(), and join those of @p groups that exist, [n], at most PROC_GROUPS_MAX: other
 * programs' groups, whose sockets this process talks to.
 */
MUST_CHECK int proc_become_with(const char *name, uint64_t caps, const char *const *groups,
                                size_t n);

#endif
