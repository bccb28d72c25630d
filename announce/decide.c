/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each decision goes down one ladder, and the first step that applies ends it:
 *
 *   not configured, or a person's command to be away     none, at once
 *   the node's own cause                                 none, at once: nothing is forwarded here
 *   not announced                                        none, until all is proved and no hold-down
 *   a shared cause, or a drain that is empty             none, if confirmed; else it stays
 *   else                                                 normal, or graceful shutdown
 *
 * A hold-down counts from the recovery, that is from the first moment after the failure at which
 * all was proved; a fact that withdraws and turns to no while it runs starts it again. Other facts
 * do not: a new document is not in force for a moment each time, and with one every few minutes a
 * sound node would never return. Neither does unknown. At the end all must be proved anyway.
 */
#include "announce/decide.h"

#include <string.h>

static bool is_no(const struct announce_facts *f, enum announce_fact fact)
{
	return f->truth[fact] == ANNOUNCE_NO;
}

/*
 * Whether @p fact is not waited for while no other node announces the address: the peers' state, as
 * none could have any, and a port without the program, as the other ports forward.
 */
static bool is_waived(const struct announce_facts *f, enum announce_fact fact)
{
	return f->others == ANNOUNCE_NO &&
	       (fact == ANNOUNCE_FACT_PEERS || fact == ANNOUNCE_FACT_COVERED);
}

/* The first fact that is not proved, or ANNOUNCE_FACT_COUNT. A no is missed before an unknown. */
static enum announce_fact find_missed(const struct announce_facts *f)
{
	enum announce_fact unknown = ANNOUNCE_FACT_COUNT;

	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++) {
		enum announce_fact fact = (enum announce_fact)i;

		if (is_waived(f, fact))
			continue;
		if (is_no(f, fact))
			return fact;
		if (f->truth[fact] == ANNOUNCE_UNKNOWN && unknown == ANNOUNCE_FACT_COUNT)
			unknown = fact;
	}
	return unknown;
}

/* The node's own causes: this node forwards or answers nothing, so no other node need confirm. */
enum announce_fact announce_own_cause(const struct announce_facts *f)
{
	if (is_no(f, ANNOUNCE_FACT_PORT))
		return ANNOUNCE_FACT_PORT;
	if (is_no(f, ANNOUNCE_FACT_SOCKETS))
		return ANNOUNCE_FACT_SOCKETS;
	if (is_no(f, ANNOUNCE_FACT_LEAVES))
		return ANNOUNCE_FACT_LEAVES;
	return is_no(f, ANNOUNCE_FACT_PROGRAM) ? ANNOUNCE_FACT_PROGRAM : ANNOUNCE_FACT_COUNT;
}

/*
 * Causes that nodes can share: a bad version, a bad check, a network between. So is a port without
 * the program while another port has it: a document can name a port that no node can use.
 */
static enum announce_fact find_shared_cause(const struct announce_facts *f)
{
	if (is_no(f, ANNOUNCE_FACT_POOLS))
		return ANNOUNCE_FACT_POOLS;
	if (is_no(f, ANNOUNCE_FACT_COVERED))
		return ANNOUNCE_FACT_COVERED;
	return is_no(f, ANNOUNCE_FACT_PROBE) ? ANNOUNCE_FACT_PROBE : ANNOUNCE_FACT_COUNT;
}

static enum announce_reason reason_of_cause(enum announce_fact cause)
{
	switch (cause) {
	case ANNOUNCE_FACT_PORT:
		return ANNOUNCE_REASON_PORT_DOWN;
	case ANNOUNCE_FACT_PROGRAM:
		return ANNOUNCE_REASON_PROGRAM_GONE;
	case ANNOUNCE_FACT_SOCKETS:
		return ANNOUNCE_REASON_SOCKETS_MISSING;
	case ANNOUNCE_FACT_LEAVES:
		return ANNOUNCE_REASON_NOTHING_LEAVES;
	case ANNOUNCE_FACT_COVERED:
		return ANNOUNCE_REASON_PORT_UNCOVERED;
	case ANNOUNCE_FACT_POOLS:
		return ANNOUNCE_REASON_POOLS_DOWN;
	case ANNOUNCE_FACT_PROBE:
		return ANNOUNCE_REASON_PROBE_REFUSED;
	default:
		return ANNOUNCE_REASON_WAITING;
	}
}

/* Note a withdrawal by evidence: the hold-down that follows doubles if failures repeat. */
void announce_note_failure(struct announce_state *s, uint64_t now_ms)
{
	bool repeats = s->hold_ms && announce_elapsed_ms(now_ms, s->failed_ms) < ANNOUNCE_REPEAT_MS;

	if (!repeats)
		s->hold_ms = ANNOUNCE_HOLD_MS;
	else if (s->hold_ms < ANNOUNCE_HOLD_MAX_MS / 2)
		s->hold_ms *= 2;
	else
		s->hold_ms = ANNOUNCE_HOLD_MAX_MS;
	s->failed_ms = now_ms;
	s->failed_fact = ANNOUNCE_FACT_COUNT;
	s->good_since_ms = 0;
}

static void note_cause(struct announce_state *s, enum announce_fact cause, uint64_t now_ms)
{
	announce_note_failure(s, now_ms);
	s->failed_fact = cause;
}

static struct announce_decision decide_table(struct announce_state *s, enum announce_table table,
                                             enum announce_reason reason, enum announce_fact fact)
{
	s->table = table;
	return (struct announce_decision){ .table = table, .reason = reason, .fact = fact };
}

/* When all was proved first since something last spoke against it. */
static void note_recovery(struct announce_state *s, const struct announce_facts *f,
                          enum announce_fact missed, uint64_t now_ms)
{
	if (announce_own_cause(f) != ANNOUNCE_FACT_COUNT ||
	    find_shared_cause(f) != ANNOUNCE_FACT_COUNT)
		s->good_since_ms = 0;
	else if (missed == ANNOUNCE_FACT_COUNT && !s->good_since_ms)
		s->good_since_ms = now_ms;
}

/*
 * How much of the hold-down is left. There is none while this node would be the only one. While
 * that is unknown it may be so, and then each second is one without the VIP: the first hold-down is
 * the longest.
 */
static uint64_t hold_left_ms(const struct announce_state *s, const struct announce_facts *f,
                             uint64_t now_ms)
{
	uint64_t hold_ms = s->hold_ms, passed_ms;

	if (f->others == ANNOUNCE_NO)
		return 0;
	if (f->others == ANNOUNCE_UNKNOWN && hold_ms > ANNOUNCE_HOLD_MS)
		hold_ms = ANNOUNCE_HOLD_MS;
	if (!s->good_since_ms)
		return hold_ms;
	passed_ms = announce_elapsed_ms(now_ms, s->good_since_ms);
	return passed_ms < hold_ms ? hold_ms - passed_ms : 0;
}

/* Why it is not announced while @p missed is not proved. Of one that a failure withdrew nobody says that it never was. */
static enum announce_reason reason_of_missed(const struct announce_state *s,
                                             const struct announce_facts *f,
                                             enum announce_fact missed)
{
	enum announce_reason reason =
	        is_no(f, missed) ? reason_of_cause(missed) : ANNOUNCE_REASON_WAITING;

	return reason == ANNOUNCE_REASON_WAITING && s->hold_ms ? ANNOUNCE_REASON_FAILED : reason;
}

/* It is not announced: announce it once all is proved. */
static struct announce_decision decide_return(struct announce_state *s,
                                              const struct announce_facts *f,
                                              enum announce_fact missed, uint64_t now_ms)
{
	struct announce_decision held;

	if (f->command == ANNOUNCE_COMMAND_DRAIN)
		return decide_table(s, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED, missed);
	if (missed != ANNOUNCE_FACT_COUNT)
		return decide_table(s, ANNOUNCE_NONE, reason_of_missed(s, f, missed), missed);
	held = decide_table(s, ANNOUNCE_NONE, ANNOUNCE_REASON_HELD, missed);
	held.held_ms = hold_left_ms(s, f, now_ms);
	if (held.held_ms)
		return held;
	return decide_table(s, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED, missed);
}

/* Where it stays: in graceful shutdown during a drain, and after it until all is proved. */
static struct announce_decision decide_stay(struct announce_state *s,
                                            const struct announce_facts *f,
                                            enum announce_fact missed, uint64_t now_ms)
{
	bool proved = missed == ANNOUNCE_FACT_COUNT;

	if (f->command == ANNOUNCE_COMMAND_DRAIN) {
		if (s->table != ANNOUNCE_SHUTDOWN)
			s->shutdown_ms = now_ms;
		return decide_table(s, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING, missed);
	}
	if (s->table == ANNOUNCE_SHUTDOWN && !proved)
		return decide_table(s, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_RETURNING, missed);
	return decide_table(s, ANNOUNCE_NORMAL,
	                    proved ? ANNOUNCE_REASON_ANNOUNCED : ANNOUNCE_REASON_KEPT_UNPROVED,
	                    missed);
}

static bool is_drain_empty(const struct announce_state *s, const struct announce_facts *f,
                           uint64_t now_ms)
{
	return f->command == ANNOUNCE_COMMAND_DRAIN && s->table == ANNOUNCE_SHUTDOWN &&
	       (f->emptied == ANNOUNCE_YES ||
	        announce_elapsed_ms(now_ms, s->shutdown_ms) >= ANNOUNCE_EMPTY_MS);
}

static bool is_confirmed(const struct announce_state *s, uint64_t now_ms)
{
	return s->confirmed_ms && now_ms >= s->confirmed_ms &&
	       now_ms - s->confirmed_ms <= ANNOUNCE_CONFIRMED_MS;
}

/* @return whether a question is due; it is sent now */
static bool note_question(struct announce_state *s, uint64_t now_ms)
{
	if (s->queried_ms[0] && announce_elapsed_ms(now_ms, s->queried_ms[0]) < ANNOUNCE_QUERY_MS)
		return false;
	memmove(s->queried_ms + 1, s->queried_ms, sizeof(s->queried_ms) - sizeof(*s->queried_ms));
	s->queried_ms[0] = now_ms;
	return true;
}

/*
 * There is a shared cause @p cause, or, without one, a drain that is empty. Leave if another node
 * has confirmed that it stays, and this one has promised nothing; else stay and query. During a
 * promise no question is sent: the answer would bind another node for nothing.
 */
static struct announce_decision decide_leave(struct announce_state *s,
                                             const struct announce_facts *f,
                                             enum announce_fact cause, uint64_t now_ms)
{
	bool drains = cause == ANNOUNCE_FACT_COUNT;
	struct announce_decision d = decide_stay(s, f, cause, now_ms);

	if (now_ms < s->promised_until_ms) {
		if (!drains)
			d.reason = s->promised ? ANNOUNCE_REASON_KEPT_PROMISED
			                       : ANNOUNCE_REASON_KEPT_STARTED;
		return d;
	}
	if (is_confirmed(s, now_ms)) {
		if (!drains)
			note_cause(s, cause, now_ms);
		return decide_table(s, ANNOUNCE_NONE,
		                    drains ? ANNOUNCE_REASON_DRAINED : reason_of_cause(cause),
		                    cause);
	}
	d.reason = drains ? ANNOUNCE_REASON_DRAIN_UNCONFIRMED : ANNOUNCE_REASON_KEPT_UNCONFIRMED;
	if (!s->query_since_ms)
		s->query_since_ms = now_ms;
	d.query = note_question(s, now_ms);
	return d;
}

void announce_init(struct announce_state *s, enum announce_table found, uint64_t incarnation,
                   uint64_t now_ms)
{
	*s = (struct announce_state){ .table = found,
		                      .incarnation = incarnation,
		                      .promised_until_ms = now_ms + ANNOUNCE_PROMISE_MS,
		                      .failed_fact = ANNOUNCE_FACT_COUNT,
		                      .shutdown_ms = now_ms };
}

void announce_restore_hold(struct announce_state *s, uint64_t failed_ms, uint32_t hold_ms,
                           uint64_t good_ms, uint64_t now_ms)
{
	if (failed_ms > now_ms || hold_ms < ANNOUNCE_HOLD_MS || hold_ms > ANNOUNCE_HOLD_MAX_MS)
		return;
	s->failed_ms = failed_ms;
	s->hold_ms = hold_ms;
	if (good_ms >= failed_ms && good_ms <= now_ms)
		s->good_since_ms = good_ms;
}

/* What ends at once, without a look at others: a person's command, and the node's own causes. */
static bool decide_at_once(struct announce_state *s, const struct announce_facts *f,
                           uint64_t now_ms, struct announce_decision *out)
{
	enum announce_fact cause = announce_own_cause(f);
	enum announce_reason reason = f->command == ANNOUNCE_COMMAND_STOP
	                                      ? ANNOUNCE_REASON_STOPPED
	                                      : ANNOUNCE_REASON_WITHDRAWN;

	if (!f->configured)
		reason = ANNOUNCE_REASON_NOT_CONFIGURED;
	if (!f->configured || f->command == ANNOUNCE_COMMAND_WITHDRAW ||
	    f->command == ANNOUNCE_COMMAND_STOP) {
		*out = decide_table(s, ANNOUNCE_NONE, reason, ANNOUNCE_FACT_COUNT);
		return true;
	}
	if (cause == ANNOUNCE_FACT_COUNT || s->table == ANNOUNCE_NONE)
		return false;
	note_cause(s, cause, now_ms);
	*out = decide_table(s, ANNOUNCE_NONE, reason_of_cause(cause), cause);
	return true;
}

struct announce_decision announce_decide(struct announce_state *s, const struct announce_facts *f,
                                         uint64_t now_ms)
{
	enum announce_fact missed = find_missed(f), shared = find_shared_cause(f);
	struct announce_decision d;

	note_recovery(s, f, missed, now_ms);
	if (f->command != ANNOUNCE_COMMAND_NONE || !f->configured)
		s->hold_ms = 0; /* no hold-down after a person's command */
	if (decide_at_once(s, f, now_ms, &d)) {
		if (f->command != ANNOUNCE_COMMAND_NONE)
			s->hold_ms = 0;
		return d;
	}
	if (s->table == ANNOUNCE_NONE) {
		s->query_since_ms = 0; /* however it left, it asks nobody now */
		return decide_return(s, f, missed, now_ms);
	}
	bool is_empty = is_drain_empty(s, f, now_ms);
	if (is_empty && f->leaves_unconfirmed) /* no other node could ever confirm it */
		return decide_table(s, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED, missed);
	if (shared != ANNOUNCE_FACT_COUNT || is_empty)
		return decide_leave(s, f, shared, now_ms);
	s->query_since_ms = 0;
	return decide_stay(s, f, missed, now_ms);
}
