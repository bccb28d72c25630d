/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the host's routing daemon (BIRD, FRR) says of Weir's announcements: whether it has imported a VIP's route from
 * each of the two kernel tables, to which neighbours it exports the VIP, and which sessions are up.
 *
 * The daemon is asked by its control socket, a few questions at a time, and only about Weir's own prefixes and about its
 * neighbours, so a daemon with a full table of routes is not slowed down. Nothing is ever changed: BIRD restricts the
 * connection (`restrict`), FRR's stays in its view mode.
 *
 * All that a daemon sends is bounded: by DAEMON_ANSWER_MAX bytes and DAEMON_DEADLINE_MS for an answer. A daemon that is
 * gone, silent or strange is said to be so, and is asked again every DAEMON_RETRY_MS. What it said before then is
 * unknown (`at_ms` 0), never "no".
 *
 * The thread of the loop only. The questions and answers are those of announce/bird.c and announce/frr.c, which are
 * pure; the connection is announce/daemon.c.
 */
#ifndef WEIR_ANNOUNCE_DAEMON_H
#define WEIR_ANNOUNCE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/checked.h"

struct loop;
struct daemon;

#define DAEMON_NEIGHBOURS_MAX 32u
#define DAEMON_PREFIXES_MAX   4096u
#define DAEMON_NAME_MAX       64u
#define DAEMON_ANSWER_MAX     (256u * 1024u) /**< bytes of an answer */
#define DAEMON_DEADLINE_MS    2000u          /**< for an answer */
#define DAEMON_RETRY_MS       500u           /**< after a failure */
#define DAEMON_SESSIONS_MS    1000u          /**< the neighbours are asked for this often */
#define DAEMON_TICK_MS        100u
#define DAEMON_ROUND_TICKS    40u /**< all prefixes are asked about within so many ticks, .. */
#define DAEMON_TICK_PREFIXES  3u  /**< .. but no more in one: 1 % of bgpd's core; 1,000 take 34 s */
#define DAEMON_HURRY_MS       5u  /**< between two answers about one prefix that is urgent */

/** The longest round over @p n prefixes, ms. */
static inline uint64_t daemon_round_ms(size_t n)
{
	uint64_t ticks = (n + DAEMON_TICK_PREFIXES - 1) / DAEMON_TICK_PREFIXES;

	return DAEMON_TICK_MS * (ticks < DAEMON_ROUND_TICKS ? DAEMON_ROUND_TICKS : ticks);
}

/** Which daemon. */
enum daemon_kind {
	DAEMON_BIRD,
	DAEMON_FRR,
};

/** Which of the two kernel tables. */
enum daemon_table {
	DAEMON_NORMAL,
	DAEMON_GSHUT,
	DAEMON_TABLES,
};

/** What the daemon is for its reader. */
enum daemon_state {
	DAEMON_ABSENT, /**< nobody listens, or the daemon closed the connection */
	DAEMON_SILENT, /**< no whole answer by the deadline */
	DAEMON_STRANGE, /**< an answer that cannot be read, or a configuration without Weir's tables */
	DAEMON_ANSWERS, /**< its sessions are known, and it can be asked about prefixes */
};

struct daemon_neighbour {
	char name[DAEMON_NAME_MAX]; /**< BIRD: its protocol's name; FRR: its address or interface */
	bool established;
	/** The session does not carry this family: the daemon is not asked about such prefixes. */
	bool lacks4, lacks6;
};

/** What the daemon says of one prefix. */
struct daemon_route {
	uint64_t at_ms; /**< of its last whole answer, monotonic; 0: unknown, and so is the rest */
	bool imported[DAEMON_TABLES]; /**< the daemon has the route of this table */
	/** Bit i: to neighbours[i]. With both tables, it is the normal route that is exported. */
	uint32_t exported;
	/** daemon_hurry() was called, and no answer to a question that was sent after it has come: the rest is older. */
	bool pending;
};

struct daemon_facts {
	enum daemon_state state;
	uint64_t since_ms; /**< of the state, monotonic */
	char version[DAEMON_NAME_MAX];
	char problem[128]; /**< why it is not DAEMON_ANSWERS; "" when it is */
	/** [n_neighbours] BGP sessions, in the daemon's order. */
	struct daemon_neighbour neighbours[DAEMON_NEIGHBOURS_MAX];
	uint32_t n_neighbours;
	uint32_t n_omitted; /**< that did not fit */
};

/** Called after answers that brought news, or about urgent prefixes, and for a new state; never by a function of @p d. */
typedef void daemon_news(void *arg);

/**
 * Begin to ask. The daemon need not run yet.
 *
 * @param path  its socket, copied; NULL: the usual one
 * @return 0 and @p out, for daemon_close(); -ENAMETOOLONG for the path, -ENOMEM
 */
MUST_CHECK int daemon_open(struct loop *loop, enum daemon_kind kind, const char *path,
                           daemon_news *news, void *arg, struct daemon **out);
/** Stop asking; not within daemon_news. NULL is fine. */
void daemon_close(struct daemon *d);

/**
 * Ask about these prefixes from now on: the host routes of @p vips. What is known of those that were asked about before
 * stays known.
 *
 * @param vips  [n], copied; in any order, none twice
 * @return 0; -E2BIG: more than DAEMON_PREFIXES_MAX, -ENOMEM: the former ones stay
 */
MUST_CHECK int daemon_watch(struct daemon *d, const struct addr *vips, size_t n);

/**
 * Ask about @p vip next, once, before everything that is not urgent, and call daemon_news then. The route is `pending`
 * until that answer. At most one answer in DAEMON_HURRY_MS for each prefix. A prefix that is not watched is ignored.
 *
 * For a move between tables: call this after the route was added to the new table. In daemon_news, leave a pending route
 * alone, for what is known of it may be from before the move; call this again while it is unknown or not imported.
 */
void daemon_hurry(struct daemon *d, const struct addr *vip);

/** What is known of the daemon; valid until the loop's next turn. */
const struct daemon_facts *daemon_facts(const struct daemon *d);
/** What is known of a watched prefix; NULL for another. Valid until daemon_watch(). */
const struct daemon_route *daemon_route(const struct daemon *d, const struct addr *vip);

/** "absent", "silent", "strange", "answers" */
const char *daemon_state_name(enum daemon_state state);

/* --- between announce/daemon.c and its daemons -------------------------------------------------------------------- */

/** Room for any question. */
#define DAEMON_QUESTION_MAX 256

enum daemon_query_kind {
	DAEMON_QUERY_GREETING, /**< nothing is sent: the daemon speaks first */
	DAEMON_QUERY_RESTRICT, /**< refuse this connection all changes */
	DAEMON_QUERY_VERSION,
	DAEMON_QUERY_SESSIONS,
	DAEMON_QUERY_ROUTE, /**< is the prefix imported, in which tables; FRR: and exported to whom */
	DAEMON_QUERY_EXPORT, /**< is the prefix exported to this neighbour */
};

struct daemon_query {
	enum daemon_query_kind kind;
	struct addr vip;    /**< ROUTE, EXPORT */
	uint32_t neighbour; /**< EXPORT: its index */
};

/** One daemon's language. Pure functions, fed with whatever the socket brings. */
struct daemon_ops {
	const char *name; /**< "bird", "frr" */
	const char *path; /**< the usual socket */
	/** [n_first] what each new connection is asked, in this order */
	const enum daemon_query_kind *first;
	size_t n_first;
	bool queries_exports; /**< else ROUTE answers for all neighbours */

	/** Write a query, with its end; never DAEMON_QUERY_GREETING. @return its length, <= DAEMON_QUESTION_MAX */
	size_t (*write)(const struct daemon_facts *f, const struct daemon_query *q,
	                char out[DAEMON_QUESTION_MAX]);
	/**
	 * Find the end of the answer that begins at @p bytes.
	 * @param from  bytes that were looked at before without finding it
	 * @return its length; 0: it is not whole yet; -EPROTO: this is no answer of this daemon
	 */
	ssize_t (*whole)(const char *bytes, size_t n, size_t from);
	/**
	 * Read a whole answer.
	 * @param f  its version and neighbours are set, and its problem on failure
	 * @param r  of ROUTE and EXPORT: the route; `at_ms` is the caller's
	 * @return 0, or -EPROTO: it is not the query for
	 */
	int (*read)(struct daemon_facts *f, struct daemon_route *r, const struct daemon_query *q,
	            const char *answer, size_t n);
};

extern const struct daemon_ops daemon_bird, daemon_frr;

#endif
