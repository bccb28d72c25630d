/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The question between nodes, "may I withdraw?". It carries the sender's clock and incarnation, and
 * the answer gives them back. Only the times of the last questions are kept: an answer that is late,
 * repeated, made up, or meant for an earlier process shows it itself.
 *
 * Ties. Nodes with failing pools question one another. Each could confirm, since each still
 * forwards; if all did, all would have promised to stay, and none would ever go. So such a node
 * first gives a node without that evidence, perhaps at another site, ANNOUNCE_TIE_MS to confirm.
 * Then it is a tie, and the lowest name stays: a node confirms for higher names only, and not while
 * a lower name has questions. A node whose probe packet is refused forwards nothing, and confirms
 * for none.
 */
#include "announce/decide.h"

#include <stdio.h>
#include <string.h>

static bool is_yes(const struct announce_facts *f, enum announce_fact fact)
{
	return f->truth[fact] == ANNOUNCE_YES;
}

/* This node's pools fail too: whether it is the one that stays in a tie. */
static enum announce_answer judge_tie(const struct announce_state *s, int order, uint64_t now_ms)
{
	if (order < 0 || (s->lower_query_ms &&
	                  announce_elapsed_ms(now_ms, s->lower_query_ms) <= ANNOUNCE_CONFIRMED_MS))
		return ANNOUNCE_ANSWER_LOWER_NAME_STAYS;
	if (!s->query_since_ms || announce_elapsed_ms(now_ms, s->query_since_ms) < ANNOUNCE_TIE_MS)
		return ANNOUNCE_ANSWER_SAME_EVIDENCE;
	return ANNOUNCE_ANSWER_CONFIRMED;
}

/* Whether this node can say that it announces and forwards, as far as it knows for certain. */
static enum announce_answer judge_question(const struct announce_state *s, const char *self,
                                           const struct announce_question *q,
                                           const struct announce_facts *f, uint64_t now_ms)
{
	int order = strcmp(q->from, self);

	if (order == 0)
		return ANNOUNCE_ANSWER_OWN_QUESTION;
	if (announce_elapsed_ms(now_ms, f->read_ms) > ANNOUNCE_FACTS_MS)
		return ANNOUNCE_ANSWER_STALE;
	if (!f->configured || f->command != ANNOUNCE_COMMAND_NONE)
		return ANNOUNCE_ANSWER_COMMANDED;
	if (s->table != ANNOUNCE_NORMAL || f->exported != ANNOUNCE_YES)
		return ANNOUNCE_ANSWER_NOT_ANNOUNCED;
	if (!is_yes(f, ANNOUNCE_FACT_PORT) || !is_yes(f, ANNOUNCE_FACT_PROGRAM) ||
	    !is_yes(f, ANNOUNCE_FACT_COVERED) || !is_yes(f, ANNOUNCE_FACT_PROBE) ||
	    !is_yes(f, ANNOUNCE_FACT_SOCKETS) || !is_yes(f, ANNOUNCE_FACT_LEAVES) || f->probe_old)
		return ANNOUNCE_ANSWER_NOT_FORWARDED;
	if (f->truth[ANNOUNCE_FACT_POOLS] == ANNOUNCE_NO)
		return judge_tie(s, order, now_ms);
	return ANNOUNCE_ANSWER_CONFIRMED;
}

enum announce_answer announce_give_answer(struct announce_state *s, const char *self,
                                          const struct announce_question *q,
                                          const struct announce_facts *f, uint64_t now_ms)
{
	enum announce_answer answer;

	if (strcmp(q->from, self) < 0)
		s->lower_query_ms = now_ms;
	answer = judge_question(s, self, q, f, now_ms);
	if (answer == ANNOUNCE_ANSWER_CONFIRMED) {
		s->promised_until_ms = now_ms + ANNOUNCE_PROMISE_MS;
		s->promised = true;
	}
	return answer;
}

static bool was_queried(const struct announce_state *s, uint64_t sent_ms)
{
	for (size_t i = 0; i < ANNOUNCE_QUERIES; i++)
		if (s->queried_ms[i] && s->queried_ms[i] == sent_ms)
			return true;
	return false;
}

bool announce_note_confirmed(struct announce_state *s, const char *by,
                             const struct announce_question *q, uint64_t now_ms)
{
	if (q->incarnation != s->incarnation || !was_queried(s, q->sent_ms) ||
	    q->sent_ms > now_ms || now_ms - q->sent_ms > ANNOUNCE_CONFIRMED_MS ||
	    q->sent_ms < s->confirmed_ms)
		return false;
	s->confirmed_ms = q->sent_ms;
	snprintf(s->confirmed_by, sizeof(s->confirmed_by), "%s", by);
	return true;
}
