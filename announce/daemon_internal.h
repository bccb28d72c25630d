/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What daemon.c (the connection), daemon_rows.c (the prefixes) and daemon_exports.c (what BIRD
 * exports) share. Loop's thread only.
 */
#ifndef ANNOUNCE_DAEMON_INTERNAL_H
#define ANNOUNCE_DAEMON_INTERNAL_H

#include <sys/un.h>

#include "announce/daemon.h"
#include "base/loop.h"

#define DAEMON_WINDOW 16u /* questions about single prefixes that are under way at once */

struct daemon_sent {
	struct daemon_query question;
	size_t first, n; /* ROUTES: the rows that it asks about */
	uint64_t sent_ms, sent_ns;
	uint64_t stamp;  /* of the facts then */
	size_t n_urgent; /* rows that were urgent: the answer is news */
	bool more;       /* others may be sent before its answer */
	bool alone; /* ROUTES: of the round, and the daemon must be asked about one at a time */
	bool was_proved; /* ROUTES: of the round, and nothing had changed since the answer before */
};

struct daemon_row {
	struct addr vip;                          /* first: sorted by it */
	struct daemon_route shown, fresh, walked; /* walked: of the pass that runs */
	uint64_t changed_ns; /* of `imported`: exports that were asked for before are void */
	uint64_t stamp;      /* the facts' when `shown.exported` was asked for */
	uint64_t hurry_ns;   /* since then somebody waits; 0: nobody did yet */
	uint64_t query_ms;   /* urgent: not before */
	bool urgent;
};

/* One pass over all neighbours, for what is exported to them. */
struct daemon_pass {
	bool is_running, is_void; /* void: an answer was none */
	uint32_t next;            /* the neighbour to ask for */
	uint64_t began_ms, began_ns, due_ms;
	uint64_t stamp; /* of the facts when it began; after it: of what is known */
};

struct daemon {
	struct loop *loop;
	const struct daemon_ops *ops;
	daemon_news *news;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct daemon_facts facts;

	struct daemon_row *rows; /* [n_rows], by address */
	size_t n_rows, next_row;
	size_t n_family[2]; /* rows of IPv4 and IPv6 */
	uint64_t round_ms;  /* when the round goes on; UINT64_MAX: after an answer */
	uint64_t round_began_ms;
	size_t n_steps, n_round_steps; /* lists of this round so far; of the one before */
	uint64_t lists_ms;             /* FRR: no list about urgent rows before */
	uint64_t credit, credit_ms;    /* questions about single prefixes; counted until then */
	bool is_known;                 /* no row of the last answer was unknown before */

	struct daemon_pass pass;
	bool wants_pass; /* rows have changed since the last one */

	int fd;                                    /* -1: not connected */
	struct daemon_sent waiting[DAEMON_WINDOW]; /* [n_waiting] for answers, the oldest first */
	size_t n_waiting;
	size_t n_first;          /* of the first questions, how many are answered */
	uint32_t channel;        /* the neighbour whose channels come next; UINT32_MAX: none do */
	bool proved;             /* a prefix was answered, so the configuration has Weir's tables */
	uint64_t sessions_ms;    /* when the next are due; 0: never asked for */
	uint64_t sessions_at_ms; /* when the last ones were asked for */
	struct loop_timer wake;  /* the next of: deadline, retry, something to ask */
	struct loop_timer notice; /* news */
	uint64_t notified_ms;
	char *answer; /* [DAEMON_ANSWER_MAX] */
	size_t n_answer, n_seen;
};

/* Call daemon_news soon, after this turn of the loop. */
static inline void daemon_notify(struct daemon *d)
{
	loop_timer_set(d->loop, &d->notice, d->notified_ms + DAEMON_NEWS_MS);
}

/* --- daemon_rows.c --- */

struct daemon_row *daemon_rows_find(const struct daemon *d, const struct addr *vip);
/* Nothing is known any more. */
void daemon_rows_forget(struct daemon *d);
/*
 * Choose a question about urgent prefixes.
 * @param more   only one about a single prefix: another answer is still to come
 * @param at_ms  without one: when to look again, if that is sooner
 * @return whether there is one, for daemon_rows_receive()
 */
bool daemon_rows_choose_urgent(struct daemon *d, bool more, uint64_t now_ms, uint64_t *at_ms,
                               struct daemon_sent *out);
/* Choose the next question of the round over all prefixes, likewise. */
bool daemon_rows_choose(struct daemon *d, uint64_t now_ms, uint64_t *at_ms,
                        struct daemon_sent *out);
/* Read the answer to a ROUTES. @return 0 or -EPROTO; @p news: true or untouched */
int daemon_rows_receive(struct daemon *d, const struct daemon_sent *s, size_t n, bool *news);
/*
 * What the neighbours' list means for the rows: bits count neighbours, so other names make them
 * unknown; nothing is exported over a session that is down. @return whether it changed
 */
bool daemon_rows_follow(struct daemon *d, const struct daemon_facts *before);
/* The stamp was read again: what was read under the same one was still so then. */
void daemon_rows_verify(struct daemon *d);

/* --- daemon_exports.c: for daemons that answer for one neighbour at a time (BIRD) --- */

/* Choose a question for CHANNELS or EXPORTS, likewise. */
bool daemon_exports_choose(struct daemon *d, uint64_t now_ms, uint64_t *at_ms,
                           struct daemon_sent *out);
/* Read the answer to a CHANNELS or EXPORTS. @return 0 or -EPROTO */
int daemon_exports_receive(struct daemon *d, const struct daemon_sent *s, size_t n, bool *news);

#endif
