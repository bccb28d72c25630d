/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The decision whether this node announces a VIP: from facts to a routing table and a reason.
 *
 * One state for each announced address. Pure functions over times that are passed in (ms since
 * boot, never the wall clock); one thread. Nothing here reads or writes routes, pages or messages:
 * announce/serve.c does. Implemented in decide.c (the table), promise.c (questions between
 * nodes) and moves.c (from one table to another). The simulator tests/sim/announce_sim.c drives this code.
 *
 * | facts and command                         | not announced        | announced                |
 * |-------------------------------------------|----------------------|--------------------------|
 * | not configured, or a person withdrew it   | stays so             | withdrawn at once        |
 * | no: port, program, sockets, what leaves   | stays so             | withdrawn at once        |
 * | no: pools, probe packet, program of one   | stays so             | withdrawn once confirmed |
 * | port of several (shared causes)           |                      |                          |
 * | no: document, peers' state, next hops     | stays so             | stays                    |
 * | unknown, whatever it is                   | stays so             | stays                    |
 * | all yes                                   | hold-down, announced | stays                    |
 * | all yes, a person drains the node         | stays so             | graceful shutdown, then  |
 * |                                           |                      | withdrawn once confirmed |
 * |                                           |                      | or if leaves_unconfirmed |
 *
 * Never the last one. A shared cause withdraws only with a confirmation of another node: it
 * announces the VIP, forwards it, and will not withdraw it for ANNOUNCE_PROMISE_MS because of a
 * shared cause. The age of a confirmation counts from the moment at which the question was sent,
 * on the clock of the node that sent it. So a delayed, repeated or lost message does no harm: when
 * this node withdraws, at most ANNOUNCE_CONFIRMED_MS later, the promise has still 8 s to run. By
 * induction over the withdrawals, the node that gave the last promise is still there.
 * A restart forgets promises. A state that starts therefore behaves as if it had just given one.
 * A process that was stopped for a while knows what was so before: facts that are older than
 * ANNOUNCE_FACTS_MS confirm nothing.
 *
 * Hold-down. It counts from the first moment after the failure at which all was proved, and again
 * from such a moment after each relapse. It protects the routers, so it is waived while no other
 * node announces the VIP, as after the death of the node that had confirmed; and while nobody says
 * whether another does, it is never longer than the first one.
 */
#ifndef WEIR_ANNOUNCE_DECIDE_H
#define WEIR_ANNOUNCE_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/announce.h"

#define ANNOUNCE_CONFIRMED_MS 2000u    /**< ms, longest age of a confirmation that is used */
#define ANNOUNCE_PROMISE_MS   10000u   /**< ms that a promise lasts */
#define ANNOUNCE_QUERY_MS     500u     /**< ms between two questions about the same withdrawal */
#define ANNOUNCE_QUERIES      4u       /**< the newest ones, which a confirmation may answer */
#define ANNOUNCE_FACTS_MS     50u      /**< ms, longest age of facts that confirm */
#define ANNOUNCE_TIE_MS       1000u    /**< ms of questions without a confirmation: a tie */
#define ANNOUNCE_HOLD_MS      30000u   /**< ms of the first hold-down */
#define ANNOUNCE_HOLD_MAX_MS  600000u  /**< ms of the longest: it doubles with each repetition */
#define ANNOUNCE_REPEAT_MS    3600000u /**< ms: a failure so soon after the last repeats it */
#define ANNOUNCE_EMPTY_MS     15000u /**< ms: longest graceful shutdown before a drain withdraws */

/** Time since @p then_ms; none if that is in the future, as a caller may mix two readings. */
static inline uint64_t announce_elapsed_ms(uint64_t now_ms, uint64_t then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

/** What is known: a fact that nothing proves or disproves is unknown. */
enum announce_truth { ANNOUNCE_UNKNOWN, ANNOUNCE_NO, ANNOUNCE_YES };

/** What a person, or the end of the process, demands. It needs no proof. */
enum announce_command {
	ANNOUNCE_COMMAND_NONE,
	ANNOUNCE_COMMAND_DRAIN,    /**< graceful shutdown; withdrawn when it is empty */
	ANNOUNCE_COMMAND_WITHDRAW, /**< at once, whatever others do */
	ANNOUNCE_COMMAND_STOP,     /**< a regular stop of a node that cannot forward without Weir */
};

/** What is known at one moment. Zeroed: nothing is known and nothing is configured. */
struct announce_facts {
	bool configured; /**< the document in force in this process names the address */
	enum announce_command command;
	enum announce_truth truth[ANNOUNCE_FACT_COUNT];
	/** a neighbour of the routing daemon gets the normal route */
	enum announce_truth exported;
	/** another node announces it, not in graceful shutdown; no: that is known, or no other may */
	enum announce_truth others;
	enum announce_truth emptied; /**< of a drain: the packets have left */
	/**
	 * a drain withdraws it without a confirmation: no other node could take it over, and nobody
	 * needs it here (announce/process.h)
	 */
	bool leaves_unconfirmed;
	bool probe_old;   /**< the probe packet is proved, but too long ago to promise by */
	uint64_t read_ms; /**< when all of this was read */
};

/** Kept between decisions; made by announce_init(). */
struct announce_state {
	enum announce_table table; /**< decided last */
	bool promised;             /**< to another node; else promised_until_ms is from the start */
	uint32_t hold_ms;          /**< the hold-down after the last failure; 0: none */
	uint64_t incarnation;      /**< of this process: answers to an earlier one do not count */
	uint64_t promised_until_ms;
	uint64_t confirmed_ms; /**< when the question of the last confirmation was sent; 0: none */
	/** when the last questions were sent, the newest first; 0: none */
	uint64_t queried_ms[ANNOUNCE_QUERIES];
	uint64_t query_since_ms; /**< since when it has reason to leave, and asks; 0: it has none */
	/** when a node with a lower name last sent a question; 0: never */
	uint64_t lower_query_ms;
	/** when all was proved first after the last relapse; 0: not yet, or something withdraws it */
	uint64_t good_since_ms;
	uint64_t failed_ms;                   /**< the last failure, if hold_ms */
	enum announce_fact failed_fact;       /**< its cause; ANNOUNCE_FACT_COUNT: not known */
	uint64_t shutdown_ms;                 /**< since when in graceful shutdown */
	char confirmed_by[ANNOUNCE_NODE_MAX]; /**< the node of confirmed_ms */
};

/** What to do now. */
struct announce_decision {
	enum announce_table table;
	enum announce_reason reason;
	enum announce_fact fact; /**< that was missed first; ANNOUNCE_FACT_COUNT: none */
	bool query;              /**< send a question to all other nodes of the VIP now */
	uint64_t held_ms;        /**< of the hold-down that are left */
};

/** "May I withdraw?" */
struct announce_question {
	char from[ANNOUNCE_NODE_MAX];
	uint64_t incarnation, sent_ms; /**< of the node that sends it; given back as they are */
};

/**
 * Start with what an earlier process left: @p found is the table in which the kernel has the route
 * (both: the normal one).
 * @param incarnation  a random number of this process
 */
void announce_init(struct announce_state *s, enum announce_table found, uint64_t incarnation,
                   uint64_t now_ms);

/**
 * Go on with the hold-down of an earlier process of this boot, found on its page. Times in the
 * future and hold-downs of no valid length are ignored.
 * @param good_ms  its good_since_ms; 0, or before the failure: it counts from the next proof
 */
void announce_restore_hold(struct announce_state *s, uint64_t failed_ms, uint32_t hold_ms,
                           uint64_t good_ms, uint64_t now_ms);

/**
 * Note a failure whose cause this node did not see, but whose traces it sees: a hold-down follows, as
 * after a withdrawal by evidence. The table stays what it is.
 */
void announce_note_failure(struct announce_state *s, uint64_t now_ms);

/**
 * The node's own cause to withdraw, ANNOUNCE_FACT_PORT, ANNOUNCE_FACT_PROGRAM,
 * ANNOUNCE_FACT_SOCKETS or ANNOUNCE_FACT_LEAVES: it forwards or answers nothing.
 * ANNOUNCE_FACT_COUNT: there is none.
 */
enum announce_fact announce_own_cause(const struct announce_facts *f);

/**
 * Decide. To be called whenever a fact changes, and every 100 ms: times pass.
 * @return the decision; when it has `query`, the caller sends a question with now_ms as sent_ms
 */
struct announce_decision announce_decide(struct announce_state *s, const struct announce_facts *f,
                                         uint64_t now_ms);

/**
 * Answer another node's question. ANNOUNCE_ANSWER_CONFIRMED has made the promise.
 * @param self  this node's name
 */
MUST_CHECK enum announce_answer announce_give_answer(struct announce_state *s, const char *self,
                                                     const struct announce_question *q,
                                                     const struct announce_facts *f,
                                                     uint64_t now_ms);

/**
 * Another node, @p by, has answered CONFIRMED; @p q is its copy of the question.
 * @return whether it counts: it answers one of the last questions of this process, and is not too
 *         old
 */
bool announce_note_confirmed(struct announce_state *s, const char *by,
                             const struct announce_question *q, uint64_t now_ms);

/*
 * How an address gets into the table that announce_decide() gives, never without a route on the
 * way (moves.c): add the route to the new table, wait until the routing daemon shows it there, delete
 * the old one.
 *
 * While both routes are there, the daemon exports the normal one (its table is preferred), so on
 * the way to graceful shutdown the new route is imported but not exported yet. A daemon that is
 * away answers nothing: both routes stay until it does.
 */

/** One address's routes. */
struct announce_routes {
	/** in the kernel, by enum announce_table; [ANNOUNCE_NONE] is not used */
	bool in_kernel[3];
	enum announce_truth imported[3]; /**< shown by the routing daemon as there */
	enum announce_truth exported;    /**< to a neighbour, from either table */
};

/** What to do with one table. */
enum announce_move { ANNOUNCE_MOVE_NONE, ANNOUNCE_MOVE_ADD, ANNOUNCE_MOVE_DELETE };

/** By enum announce_table; [ANNOUNCE_NONE] is always ANNOUNCE_MOVE_NONE. */
struct announce_moves {
	enum announce_move table[3];
};

/**
 * The next moves towards @p target. After they are made, and after each look at the daemon, to be
 * called again; without any move the address is where it shall be, or waits for the daemon.
 */
struct announce_moves announce_next_moves(enum announce_table target,
                                          const struct announce_routes *routes);

/** Where an earlier process left an address: the table for announce_init(). */
enum announce_table announce_found_table(const struct announce_routes *routes);

#endif
