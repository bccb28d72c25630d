/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the host's routing daemon (BIRD, FRR) says of Weir's announcements: whether it has imported a VIP's route from
 * each of the two kernel tables, to which neighbours it exports the VIP, and which sessions are up.
 *
 * The daemon is asked by its control socket, one question at a time, about Weir's own prefixes and about its neighbours.
 * A question covers as many prefixes as the daemon can list without keeping others waiting, and the next one comes after
 * DAEMON_SHARE times the time that the answer took, so a daemon with a full table of routes is not slowed down. Nothing
 * is ever changed: BIRD restricts the connection (`restrict`), FRR's stays in its view mode.
 *
 * All that a daemon sends is bounded: by DAEMON_ANSWER_MAX bytes and DAEMON_DEADLINE_MS for an answer. A daemon that is
 * gone, silent or strange is said to be so, and is asked again every DAEMON_RETRY_MS. What it said before then is
 * unknown (`at_ms` 0), never "no". A daemon of a version that Weir does not know is strange: its answers may have
 * another meaning.
 *
 * The thread of the loop only. The questions and answers are those of announce/bird.c and announce/frr.c, which are
 * pure; announce/daemon.c has the connection, announce/daemon_rows.c the prefixes and announce/daemon_exports.c
 * what BIRD exports.
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
#define DAEMON_ANSWER_MAX     (4u << 20) /**< bytes of an answer */
#define DAEMON_DEADLINE_MS    2000u      /**< for an answer */
#define DAEMON_RETRY_MS       500u       /**< after a failure */
#define DAEMON_SESSIONS_MS    1000u      /**< the neighbours are asked for this often */
#define DAEMON_SHARE          100u   /**< 1 % of a core: after an answer, wait 100 times as long */
#define DAEMON_FIRST_SHARE    10u    /**< likewise for prefixes of which nothing is known yet */
#define DAEMON_ROUND_MS       10000u /**< at most for all prefixes, where one question covers many */
#define DAEMON_SPAN_MAX                                                                            \
	128u /**< prefixes in an answer of FRR, which serves nobody else meanwhile */
#define DAEMON_HURRY_MS     5u /**< between two answers about one prefix that is urgent, at first */
#define DAEMON_HURRY_MAX_MS 1000u /**< and at last */
#define DAEMON_NEWS_MS      5u    /**< between two calls of daemon_news */

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
	bool lacks4, lacks6; /**< the session does not carry this family */
	uint64_t stamp; /**< BIRD: another number when exports to it have changed; 0: unknown */
};

/** What the daemon says of one prefix. */
struct daemon_route {
	/** Then `imported` was so, monotonic: the last question, or a later proof of no change; 0: unknown. */
	uint64_t at_ms;
	uint64_t exported_at_ms;      /**< likewise of `exported`; 0: unknown */
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
	uint32_t n_omitted; /**< that did not fit; those that are up come first then */
	/** The same number in two answers: no export has changed between them; 0: unknown. */
	uint64_t stamp;
	/** FRR: in its main table, of IPv4 and IPv6, or at least half as many; UINT64_MAX: unknown */
	uint64_t n_routes[2];
	uint64_t round_ms; /**< the last round over all prefixes took so long; 0: none has ended */
};

/**
 * Called after answers that brought news, or about urgent prefixes, and for a new state; at most every DAEMON_NEWS_MS,
 * and never by a function of @p d.
 */
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
 * Ask about @p vip next, once, before everything that is not urgent, and call daemon_news then: its route was added or
 * deleted just now. What is known of it is `pending` until that answer. A prefix that is not watched is ignored.
 *
 * For a move between tables: call this after the route was added to the new table. In daemon_news, leave a pending route
 * alone, for what is known of it may be from before the move; call daemon_wait() while it is unknown or not imported.
 */
void daemon_hurry(struct daemon *d, const struct addr *vip);

/**
 * Ask about @p vip once more, soon, and call daemon_news then, because what is known of it is not what the caller waits
 * for. After DAEMON_HURRY_MS at first, then after a quarter of the time since daemon_hurry(), at most
 * DAEMON_HURRY_MAX_MS. FRR with many other routes is asked prefix by prefix, so after 2 s without effect a prefix must
 * wait there until the round comes by.
 */
void daemon_wait(struct daemon *d, const struct addr *vip);

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
	DAEMON_QUERY_CHANNELS, /**< of a neighbour: which families, and its stamp */
	DAEMON_QUERY_ROUTES, /**< in `net`: what is imported, from which tables; FRR: and exported to whom */
	DAEMON_QUERY_EXPORTS, /**< all host routes that are exported to a neighbour */
};

struct daemon_query {
	enum daemon_query_kind kind;
	struct prefix net;  /**< ROUTES: a host, or a net of Weir's; all of BIRD's: bits 0 */
	uint32_t neighbour; /**< CHANNELS, EXPORTS: its index */
};

/** Where to note what an answer says of @p vip. @return NULL: the question was not about it */
typedef struct daemon_route *daemon_find(void *arg, const struct addr *vip);

/** One daemon's language. Pure functions, fed with whatever the socket brings. */
struct daemon_ops {
	const char *name; /**< "bird", "frr" */
	const char *path; /**< the usual socket */
	/** [n_first] what each new connection is asked, in this order */
	const enum daemon_query_kind *first;
	size_t n_first;
	bool queries_exports; /**< else ROUTES answers for all neighbours */
	/** In one question: all prefixes of a family. Else DAEMON_SPAN_MAX, where other routes are as few. */
	bool lists_tables;

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
	 * @param f     its version, neighbours, stamp and n_routes are set, and its problem on failure
	 * @param find  called for each prefix that a ROUTES or EXPORTS names: `imported` and `exported` are set
	 *              where it is; the caller has cleared them before
	 * @return 0; -EAGAIN: the daemon broke off, or cannot answer now; -EPROTO: it is not the query for
	 */
	int (*read)(struct daemon_facts *f, const struct daemon_query *q, daemon_find *find,
	            void *arg, const char *answer, size_t n);
};

extern const struct daemon_ops daemon_bird, daemon_frr;

#endif
