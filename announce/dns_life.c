/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether weir-dns answers, by the signs of life on its stats page, and which addresses it says that it
 * serves, by its counters there (STATS_LISTENING). A server that is silent may be stopped for a moment, so
 * silence alone is unknown and withdraws nothing. One that is gone (weir/life.h) answers no query: its addresses
 * may go to another node that confirms. So may those of one that ends again and again soon after each start,
 * although it shows signs of life in between.
 */
#include "announce/process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weir/stats.h"

#define GOOD_MS   10000u /* ms that a process lives which does not end again and again */
#define STARTS_MS 5000u  /* ms in which a new process may still wait for its sockets */
#define ENDS      3u /* processes in a row that lived for less: an operator's restarts are fewer */

/*
 * Whether the process has ended, also one that its parent has not waited for: of it a descriptor is
 * given, and readable. What cannot be seen has not ended.
 */
static bool has_ended(uint64_t pid)
{
	struct pollfd p = { .fd = pid ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1,
		            .events = POLLIN };
	bool ended;

	if (p.fd < 0)
		return pid && errno == ESRCH;
	ended = poll(&p, 1, 0) == 1;
	close(p.fd);
	return ended;
}

/* Count the processes that ended soon. @return whether they do so again and again */
static bool ends_soon(struct dns_life *l, uint64_t pid, uint64_t now_ms)
{
	bool is_good = announce_elapsed_ms(now_ms, l->since_ms) >= GOOD_MS;

	if (is_good)
		l->n_ends = 0;
	if (pid == l->pid)
		return l->n_ends >= ENDS;
	l->n_ends += l->pid && !is_good;
	l->pid = pid;
	l->since_ms = now_ms;
	return l->n_ends >= ENDS;
}

enum announce_truth dns_life_read(struct announcer *a, uint64_t now_ms)
{
	const struct life_limit *limit = &life_limits[LIFE_FOR_ANSWERS];
	struct life_watch *watch = &a->dns_life.watch;

	life_look(watch, LIFE_FOR_ANSWERS, now_ms);
	if (a->dns && stats_reader_is_replaced(a->dns)) {
		stats_reader_close(a->dns);
		a->dns = NULL;
	}
	if (!a->dns && stats_reader_open(a->run_dir, "dns", &a->dns)) {
		a->dns = NULL;
		return ANNOUNCE_UNKNOWN;
	}
	if (ends_soon(&a->dns_life, stats_reader_pid(a->dns), now_ms))
		return ANNOUNCE_NO;
	struct life_signs signs = life_signs_at(stats_reader_alive_ms(a->dns), false, watch,
	                                        LIFE_FOR_ANSWERS, now_ms);

	signs.has_ended = signs.silent_ms >= limit->gone_ms && has_ended(stats_reader_pid(a->dns));
	enum life life = life_judge(&signs, limit);

	return life == LIFE_RUNNING ? ANNOUNCE_YES
	       : life == LIFE_GONE  ? ANNOUNCE_NO
	                            : ANNOUNCE_UNKNOWN;
}

enum announce_truth dns_life_holds(const struct announcer *a, const struct addr *address,
                                   uint64_t now_ms)
{
	char labels[STATS_ADDRESS_MAX];
	size_t n = a->dns ? stats_reader_n(a->dns) : 0;

	stats_address_labels(address, labels);
	for (size_t i = 0; i < n; i++) {
		const struct stats_entry *e = stats_reader_entry(a->dns, i);

		if (e->used && !strcmp(e->name, STATS_LISTENING) && !strcmp(e->labels, labels))
			return __atomic_load_n(&e->value, __ATOMIC_RELAXED) ? ANNOUNCE_YES
			       : announce_elapsed_ms(now_ms, a->dns_life.since_ms) < STARTS_MS
			               ? ANNOUNCE_UNKNOWN
			               : ANNOUNCE_NO;
	}
	return ANNOUNCE_UNKNOWN;
}
