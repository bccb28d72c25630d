/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's own state, which run.c, run_hang.c, run_find.c and run_stop.c share; no other
 * file includes it. One thread: the supervisor's.
 */
#ifndef WEIR_MGMT_CLI_RUN_INSIDE_H
#define WEIR_MGMT_CLI_RUN_INSIDE_H

#include "base/loop.h"
#include "base/proc.h"
#include "mgmt/cli/run.h"
#include "mgmt/cli/run_watch.h"

#define STOP_MS 5000u /* from SIGTERM to SIGKILL */
#define LEFT_MS                                                                                    \
	3000u /* from SIGKILL until nobody waits any more: it is in an uninterruptible sleep */

struct run;

/* What is wrong with a process that does not end by itself. */
enum child_trouble {
	TROUBLE_NONE,
	TROUBLE_FORWARDS, /* it hangs, but its workers forward: a person decides */
	TROUBLE_BLOCKED,  /* it hangs in an uninterruptible sleep: nothing ends that */
	TROUBLE_KILLED,   /* it was killed and has not ended */
};

struct child {
	const char *name; /* "dns": the program is weir-dns */
	struct run *run;
	pid_t pid; /* 0: does not run */
	int pidfd;
	bool ours;         /* we forked it, so it is waited for */
	bool must_restart; /* it was asked to end, for new sockets */
	uint64_t started_ms;
	unsigned deaths;         /* since it last lived for GOOD_RUN_MS */
	struct loop_timer timer; /* its next start */
	struct loop_timer limit; /* asked to end, it is killed then */

	struct run_page page;
	struct run_life life;
	enum run_verdict verdict;
	enum child_trouble trouble;
	uint64_t looked_ms;    /* when its threads were last looked at; 0: not since it hangs */
	uint64_t killed_ms;    /* for hanging; 0: it was not */
	uint64_t restarted_ms; /* the last time that it was restarted for hanging; 0: never */
	unsigned restarts;
	char why[200]; /* of the last restart, or of the trouble */
};

enum { CHILD_MGMT, CHILD_DATAPLANE, CHILD_HEALTH, CHILD_DNS, CHILD_COUNT };

#define RUN_LOCK_FILE "run.lock"

struct run {
	const struct proc_dirs *dirs;
	int lock_fd; /* of RUN_LOCK_FILE */
	bool noted;  /* who runs, once at least */
	char bin[PATH_MAX];
	struct loop *loop;
	struct child children[CHILD_COUNT];
	struct run_sockets sockets;
	bool has_document, stopping;
	bool bootstrap; /* what weir-mgmt is to do with a first start */
	int stop_place; /* in stop_order: who is being stopped */
	struct loop_timer stop_timer, sockets_timer;

	uint64_t hang_ms; /* a process without sign of life for so long hangs; 0: none ever does */
	struct stats *stats; /* the supervisor's own page; NULL: it could not be made */
	bool lacks_page;     /* that was logged */
	struct loop_timer look;
	uint64_t last_look_ms;
	const struct child *recovering; /* restarted last; NULL, or it has shown that it lives */
	uint64_t recover_until_ms;      /* how long it is waited for */
	unsigned watchdog_ms;           /* systemd's; 0: none */
	uint64_t watchdog_at_ms;
};

/*
 * run_hang.c: make the supervisor's page (without room for it that is tried again at each look); begin to look; end it
 * (remove: there is no supervisor any more).
 */
void run_hang_open(struct run *r);
void run_hang_begin(struct run *r);
void run_hang_end(struct run *r);
/* Forget what was seen of the child's earlier process. */
void run_hang_forget(struct child *c);

/*
 * run_find.c: the process that does the work of weir-NAME for this run directory and node, wherever it came from: it
 * runs that program, as that user or root, with these directories. @return 0: none
 */
pid_t run_find(const struct run *r, const char *name);

/* run.c: write down who runs, for the next supervisor. */
void run_note_children(struct run *r);
/* run_keep.c: put the lock and that note back if somebody removed them; to be called about once a second. */
void run_keep_files(struct run *r);

/*
 * run_stop.c: end the supervisor that has the lock, and wait until it has ended; one that hangs is killed.
 * @return 0 with the lock taken, -EBUSY or -errno
 */
int run_stop_other(struct run *r, const char *lock, int *lock_fd);

#endif
