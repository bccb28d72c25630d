/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How `weir run` sees that a process hangs: its signs of life and what they mean
 * (watch.c), and where its threads are (threads.c). Nothing here decides what is done
 * about it: hang.c does. One thread: the supervisor's.
 */
#ifndef WEIR_SUPERVISE_WATCH_H
#define WEIR_SUPERVISE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "weir/life.h"
#include "weir/stats.h"

#define RUN_LOOK_MS     500u  /* between two looks */
#define RUN_WORKERS_MS  2000u /* workers that count no round for so long do not forward */
#define RUN_THREADS_MAX 32u   /* of a process; more are not watched */
#define RUN_WORDS_MAX   (3u * RUN_THREADS_MAX) /* threads, workers, jobs */
#define RUN_LABEL_MAX   24u
#define RUN_WAS_AWAY    UINT64_MAX /* in place of a time: the supervisor could not watch */

struct run_thread {
	char name[RUN_LABEL_MAX]; /* "main" */
	uint64_t turns;
	uint64_t silent_ms; /* how long it was watched without a turn */
};

/* The signs that a page shows. */
struct run_signs {
	uint32_t n_threads; /* 0: nothing; the page is not this process's */
	struct run_thread threads[RUN_THREADS_MAX];
	uint64_t waited_ms;   /* for a processor, since the last look: no time to make a turn */
	uint64_t job_until_s; /* seconds since boot; 0: no job */
	char job[RUN_LABEL_MAX];
	bool has_workers;
	uint64_t rounds; /* of all workers */
};

/* A page that is kept open, and where its words are. Zeroed at the start. */
struct run_page {
	struct stats_reader *reader;
	uint64_t listed_ms;
	uint32_t words[RUN_WORDS_MAX];
	size_t n_words;
};

/* Read the signs of process @p name, which is @p pid. */
void run_signs_read(struct run_page *p, const char *run_dir, const char *name, pid_t pid,
                    uint64_t now_ms, struct run_signs *out);
void run_page_close(struct run_page *p);

/* The history of one process since it was started or taken over. Zeroed then. */
struct run_life {
	uint32_t n_threads;
	struct run_thread threads[RUN_THREADS_MAX];
	uint64_t rounds, workers_silent_ms;
	uint64_t start_silent_ms; /* how long it was watched in its start */
	bool forwards;            /* it has workers, and they count rounds */
	uint64_t silent_ms;       /* of the thread that is silent longest */
	const char *thread;       /* its name, or "" */
};

/* How much of @p since_ms since the last look was watched, or RUN_WAS_AWAY. */
uint64_t run_watched_ms(uint64_t since_ms, uint64_t hang_ms);
/*
 * How long a process's main thread waited for a processor since the last look. @p schedstat is of
 * /proc/PID, "" if it cannot be read; @p known_ms, 0 at first, is kept for the next look.
 */
uint64_t run_waited_ms(uint64_t *known_ms, const char *schedstat);
/*
 * Add the signs of one look. @p now_s: seconds since boot. @return how it is, by what was watched: it hangs when one
 * thread made no turn for the whole time
 */
enum life run_life_feed(struct run_life *l, const struct run_signs *s, uint64_t watched_ms,
                        uint64_t hang_ms, uint64_t now_s);

#define RUN_DUMP_MAX 16384u /* bytes; a line for each of 64 threads, and one for each address */

/* Where the threads of a process are. */
struct run_thread_dump {
	char text[RUN_DUMP_MAX]; /* lines; first one a thread, then one an address */
	bool blocked;            /* one of them is in an uninterruptible sleep (state D) */
	char main[120];          /* where the main thread is, in short; or "" */
};

/*
 * Look from outside, for at most a second or two. A helper reads, since /proc of a stuck process
 * may block its reader.
 */
void run_threads_dump(pid_t pid, struct run_thread_dump *out);

#endif
