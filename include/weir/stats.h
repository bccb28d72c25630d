/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Stats pages: a process's counters together with their own directory, so that one exporter
 * serves all processes (Prometheus' exposition format gives names and kinds).
 *
 * The page of kind "stats" is RUN/stats.PROCESS.page. The writer adds entries to the directory
 * and counts in plain 64-bit counters; readers walk the directory. Implemented in pages/stats.c. One
 * thread of the writer creates and drops counters; any of its threads may count.
 */
#ifndef WEIR_STATS_H
#define WEIR_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define STATS_PAGE_KIND   "stats"
#define STATS_PAGE_LAYOUT 1u
#define STATS_LABELS_MAX                                                                           \
	264u /**< room for three labels with the longest names, or a domain name, and the NUL */

enum stats_kind { STATS_COUNTER, STATS_GAUGE };

/**
 * How the payload of the page begins; its entries follow. A page has room for 32,768 entries where some hundred are used:
 * readers stop at @c n.
 */
struct stats_head {
	/** entries before this one have been used; the writer makes it larger, never smaller */
	uint64_t n;
	uint64_t reserved[7];
};

/** A directory entry; texts are NUL-terminated. */
struct stats_entry {
	char name[64];                 /**< "weir_dns_queries_total" */
	char labels[STATS_LABELS_MAX]; /**< "rcode=\"noerror\"", or "" */
	char help[96];
	uint32_t kind;
	uint32_t used; /**< stored last, read first */
	uint64_t value;
};

struct stats;
struct stats_reader;

/**
 * Make or take over the page of @p process below @p run_dir with room for @p max entries.
 * @return 0 or -errno
 */
int stats_create(const char *run_dir, const char *process, size_t max, struct stats **out);
void stats_close(struct stats *s);
/**
 * The writer ends for good: close, and remove the page of @p process, so that it is not taken for
 * dead. NULL is fine.
 */
void stats_remove(struct stats *s, const char *run_dir, const char *process);
/** Note a sign of life, once a second. */
void stats_alive(struct stats *s, uint64_t now_ms);
/**
 * The counter for (name, labels), created if needed; the same counter for the same names, also after
 * a restart. Add with stats_add(). @return never NULL: when the page is full, a common overflow
 * counter
 */
uint64_t *stats_get_counter(struct stats *s, enum stats_kind kind, const char *name,
                            const char *labels, const char *help);
/** Whether @p counter is the common overflow counter: what it holds belongs to nobody. */
bool stats_is_overflow(const struct stats *s, const uint64_t *counter);
/** Give back all entries whose name is @p name and labels is @p labels. */
void stats_drop(struct stats *s, const char *name, const char *labels);
/** Give back all entries for which @p is_left returns true: what an earlier process left on the page. */
void stats_drop_left(struct stats *s, bool (*is_left)(void *arg, const struct stats_entry *e),
                     void *arg);

/*
 * Signs of life. `weir run` restarts a process when one of these counters stands still for too long,
 * unless a job is announced whose time is not over. They are ordinary counters.
 */
#define STATS_TURNS "weir_process_turns_total"
#define STATS_JOB   "weir_process_job_until_seconds"
/** Rounds of a DPDK worker, labels worker="0": while one of them counts, packets are forwarded. */
#define STATS_WORKER "weir_dataplane_worker_rounds_total"
/**
 * On the page of `weir run`: whether workers of the running weir-dataplane are seen to count
 * rounds.
 */
#define STATS_FORWARD "weir_run_workers_forward"
/**
 * On the page of weir-dns, labels address="192.0.2.53": whether this process serves the address by
 * UDP and TCP, the host has it, and a query on it was answered. What did not answer yet has no entry:
 * it is not known. What an earlier process said is dropped by stats_create().
 */
#define STATS_LISTENING   "weir_dns_listening"
#define STATS_ADDRESS_MAX (ADDR_TEXT_MAX + sizeof("address=\"\""))
/** The labels of a counter that belongs to @p address: address="192.0.2.53". */
void stats_address_labels(const struct addr *address, char out[STATS_ADDRESS_MAX]);
/** Longest time that a job can announce, seconds. */
#define STATS_JOB_MAX_S 600u

/**
 * The counter in which thread @p thread ("main", "dns-1") of the process counts its loop's turns, from
 * 0; for loop_beat(). Counters of an earlier process's threads were dropped by stats_create().
 */
uint64_t *stats_turns(struct stats *s, const char *thread);
/**
 * The thread has ended by itself: nothing is expected of it any more. Its loop must have stopped
 * counting.
 */
void stats_turns_end(struct stats *s, const char *thread);
/**
 * Announce that the main loop will make no turn while it does @p job ("document"), for at most @p
 * limit_s (up to STATS_JOB_MAX_S). Jobs of other names may be under way; the same name again moves
 * its limit. NULL for @p s is fine.
 */
void stats_job_begin(struct stats *s, const char *job, unsigned limit_s);
void stats_job_end(struct stats *s, const char *job);

static inline void stats_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}
static inline void stats_set(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, n, __ATOMIC_RELAXED);
}

/** Open a process's page for reading. @return 0 or -errno */
int stats_reader_open(const char *run_dir, const char *process, struct stats_reader **out);
void stats_reader_close(struct stats_reader *r);
/** How many entries have been used until now; walk 0..n-1 and skip those not used. */
size_t stats_reader_n(const struct stats_reader *r);
const struct stats_entry *stats_reader_entry(const struct stats_reader *r, size_t i);
/** Add up all entries of a name, whatever their labels. @return whether there is one; else @p sum is 0 */
bool stats_reader_sum(const struct stats_reader *r, const char *name, uint64_t *sum);
/** Monotonic time of the writer's last sign of life. */
uint64_t stats_reader_alive_ms(const struct stats_reader *r);
/** The process that wrote it last. */
uint64_t stats_reader_pid(const struct stats_reader *r);
/**
 * Whether the writer has a new page at the path, or this one is damaged: then it is time to open it
 * again.
 */
bool stats_reader_is_replaced(const struct stats_reader *r);

#endif
