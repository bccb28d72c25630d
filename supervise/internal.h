/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's own state, which run.c and its parts share (child.c, find.c, hang.c,
 * keep.c, stop.c, successor.c); no other file includes it. One thread: the supervisor's.
 */
#ifndef WEIR_SUPERVISE_INTERNAL_H
#define WEIR_SUPERVISE_INTERNAL_H

#include "base/loop.h"
#include "base/proc.h"
#include "supervise/run.h"
#include "supervise/watch.h"

#define STOP_MS 5000u /* from SIGTERM to SIGKILL */
#define LEFT_MS                                                                                    \
	3000u /* from SIGKILL until the supervisor goes on without it: it is in an uninterruptible sleep */

struct run;

/* What is wrong with a process that does not end by itself. */
enum child_trouble {
	TROUBLE_NONE,
	TROUBLE_FORWARDS, /* it hangs, but its workers forward: a person must decide */
	TROUBLE_SPARED,   /* it hangs, and is not to be ended for that */
	TROUBLE_BLOCKED,  /* it hangs in an uninterruptible sleep: nothing ends that */
	TROUBLE_KILLED,   /* it was killed and has not ended */
};

struct child {
	const char *name; /* "dns": the program is weir-dns */
	struct run *run;
	pid_t pid; /* 0: does not run */
	int pidfd;
	bool ours;         /* we forked it, so we must wait for it */
	bool must_restart; /* it was asked to end, for new sockets */
	uint64_t started_ms;
	unsigned deaths;         /* since it last lived for GOOD_RUN_MS */
	struct loop_timer timer; /* its next start */
	struct loop_timer limit; /* when it is killed, after SIGTERM */

	struct run_page page;
	struct run_life life;
	enum life verdict;
	enum child_trouble trouble;
	uint64_t waited_ms;    /* for a processor, in all; of its main thread */
	uint64_t looked_ms;    /* when its threads were last looked at; 0: not since it hangs */
	uint64_t killed_ms;    /* for hanging; 0: it was not */
	uint64_t restarted_ms; /* the last time that it was restarted, or died; 0: never */
	unsigned restarts;
	/* good.c has the next five */
	char failed_mark[PROC_MARK_MAX]; /* the document with which it failed */
	unsigned failures;               /* with that one */
	bool refuses_both;         /* the newest and the last good one: since it had one in force */
	uint64_t held_since_ms;    /* since when it has the newest in force; 0: not, or not known */
	char skips[PROC_MARK_MAX]; /* the document that it passes over, or "" */
	char reason[200];          /* of the trouble */
	char restarted_for[200];   /* of the last restart */
};

/* A process beside CHILD_DATAPLANE that is to take its place (successor.c). */
struct run_successor {
	pid_t pid; /* 0: there is none */
	int pidfd;
	pid_t preparing; /* it, or the child that it is by now; 0: it is ready, or there is none */
	int ready_fd;    /* where it says that it is ready; -1: it has, or there is none */
	struct loop_timer limit; /* of its preparation, then the next look at the other one */
	uint64_t waits_until_ms; /* ready, how long it waits for the other one's announced work */
};

enum { CHILD_MGMT, CHILD_DATAPLANE, CHILD_HEALTH, CHILD_DNS, CHILD_ANNOUNCE, CHILD_COUNT };

#define RUN_LOCK_FILE "run.lock"

struct run {
	const struct proc_dirs *dirs;
	int lock_fd;      /* of RUN_LOCK_FILE */
	bool noted;       /* the children were noted at least once */
	bool note_failed; /* the last time: it may name processes that have ended */
	char bin[PATH_MAX];
	struct loop *loop;
	struct child children[CHILD_COUNT];
	struct run_successor successor;
	struct run_sockets sockets;
	bool has_document, stopping;
	int document_err;         /* of its last reading; 0: it was read */
	bool announces;           /* the document names a routing daemon */
	char mark[PROC_MARK_MAX]; /* of the newest document; "": there is none */
	uint64_t document;        /* its number; 0: it is refused */
	bool kept;                /* all processes have it in force, and its copy is kept */
	/* good.c: who copies it; while it runs, the next two are its thread's */
	struct loop_job *copying;
	int copied_fd, copy_err;
	int stop_index; /* in stop_order: the child that is being stopped */
	struct run_routes routes;
	/* until when routers have the time to send elsewhere; 0: nothing was withdrawn yet */
	uint64_t withdrawn_ms;
	struct loop_timer stop_timer, sockets_timer, withdraw_timer;

	uint64_t hang_ms;    /* a process without sign of life for so long hangs */
	bool spares;         /* one that hangs is stated, and not restarted */
	struct stats *stats; /* the supervisor's own page; NULL: it could not be created */
	bool lacks_page;     /* that was logged */
	struct loop_timer look;
	uint64_t last_look_ms;
	const struct child *recovering; /* restarted last, and has shown no life yet; NULL: none */
	uint64_t recover_until_ms;      /* until when the others wait for it */
	unsigned watchdog_ms;           /* systemd's; 0: none */
	uint64_t watchdog_at_ms;
};

/*
 * hang.c: create the supervisor's page (each look tries again if that fails); begin to look at
 * the children; end, and remove the page.
 */
void run_hang_open(struct run *r);
void run_hang_begin(struct run *r);
void run_hang_end(struct run *r);
/* Forget the signs of life of the child's earlier process. */
void run_hang_forget(struct child *c);
/* The child has died and is started again; @p status as by waitpid(2), not 0. */
void run_hang_note_death(struct child *c, int status);

/*
 * find.c: the running process of program weir-NAME, as its user or root, with this node and
 * these directories, whoever started it. @return 0: none
 */
pid_t run_find(const struct run *r, const char *name);

/* child.c: note the running children, for the next supervisor. */
void run_note_children(struct run *r);
/*
 * child.c, in a process that was forked for child @p c: become its program, with @p option and @p
 * value besides the usual ones (NULL: none). Does not return.
 */
void run_exec_child(const struct child *c, const char *option, const char *value);
/* child.c: ask the child to end; it is killed after STOP_MS. */
void run_terminate_child(struct child *c);

/* good.c: what copies documents. @return 0 or -errno */
int run_good_open(struct run *r);
/* good.c: wait for the copy that is being written. */
void run_good_close(struct run *r);
/* good.c: the newest document has @p mark, and is @p number; 0: the supervisor refuses it. */
void run_good_document(struct run *r, const char *mark, uint64_t number);
/* good.c: the file of the last good document. @return false: there is none, or it is the newest */
bool run_good_path(const struct run *r, char path[PATH_MAX]);
/* good.c: at each look: which processes have it in force, and whether one lives without any. */
void run_good_look(struct run *r, uint64_t now_ms);
/* good.c: the child has ended; @p status as by waitpid(2), -1: not known. */
void run_good_note_end(struct child *c, int status, uint64_t now_ms);
/* good.c: before the child starts: with which document. */
void run_good_choose(struct child *c);
/* good.c: the child was found, as another supervisor has started it: with which document it says itself. */
void run_good_adopt(struct child *c);
/* good.c: state that the child runs with the last good document. */
void run_good_state(const struct child *c, struct stats *s);

/* successor.c, a loop_cb: start the next weir-dataplane beside the one that runs. */
void run_successor_begin(void *run);
/*
 * The child has ended: give its successor up, which is to be the child now. @return its pid; 0:
 * there is none
 */
pid_t run_successor_release(struct run *r);
/* The supervisor stops: no process takes another's place any more. */
void run_successor_stop(struct run *r);
/*
 * keep.c: make a directory as packaging does, unless it is there: group weir may write, each user
 * its own files.
 * @return 0 or -errno
 */
MUST_CHECK int run_make_directory(const char *path);
/*
 * keep.c: restore the run directory, the lock and that note if somebody removed them; to be called
 * about once a second.
 */
void run_keep_files(struct run *r);

/*
 * stop.c: end the supervisor that has the lock, and wait until it has ended; one that hangs is
 * killed.
 * @return 0 with the lock taken, -EBUSY or -errno
 */
MUST_CHECK int run_stop_other(struct run *r, const char *lock, int *lock_fd);

#endif
