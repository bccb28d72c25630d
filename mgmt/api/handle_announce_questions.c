/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answering side of questions between nodes that announce the same addresses
 * (mgmt/peers/announce_questions.h): they go to the own weir-announce.
 *
 * The sender must be another node of the document, and may ask about addresses alone that the
 * document makes both nodes announce: weir-announce never sees other questions. Its clock and its
 * incarnation are not looked at here: who asked compares them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/peers/announce_questions.h"
#include "mgmt/observe/announce_own.h"
#include "mgmt/peers/announce_shared.h"
#include "mgmt/api/handle.h"

#define NOT_SHARED "not-shared"

/* A peer's request, read. */
struct withdrawal_query {
	const struct model_node *from;
	const char *incarnation;     /* the request's */
	struct announce_item *items; /* [n], from malloc(); NULL for none */
	size_t n;
};

/* [ADDRESS, SENT_MS] */
static bool read_item(const json_t *pair, struct announce_item *out)
{
	const char *text = json_string_value(json_array_get(pair, 0));
	const json_t *sent = json_array_get(pair, 1);

	if (json_array_size(pair) != 2 || !text || addr_parse(text, &out->address) ||
	    !json_is_integer(sent) || json_integer_value(sent) <= 0)
		return false;
	out->sent_ms = (uint64_t)json_integer_value(sent);
	return true;
}

/* @return whether the questions are as they should be; q->items is set, or memory was short */
static bool read_questions(const json_t *list, struct withdrawal_query *q)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > ANNOUNCED_MAX)
		return false;
	q->items = calloc(n + 1, sizeof(*q->items));
	for (; q->items && q->n < n; q->n++)
		if (!read_item(json_array_get(list, q->n), &q->items[q->n]))
			return false;
	return true;
}

/* @return whether the request makes sense; else @p reply says why not */
static bool read_query(const struct model *m, const json_t *json, struct withdrawal_query *q,
                       struct http_reply *reply)
{
	q->incarnation = json_get_text(json, "incarnation");
	if (!plain_is_hex(q->incarnation, ANNOUNCE_OWN_HEX_MAX - 1) ||
	    !read_questions(json_object_get(json, "questions"), q)) {
		http_problem(reply, 400, "bad-request",
		             "expected incarnation and at most %u questions", ANNOUNCED_MAX);
		return false;
	}
	q->from = m ? model_node(m, json_get_text(json, "node")) : NULL;
	if (q->from && q->from != m->self)
		return true;
	http_problem(reply, 400, "bad-request",
	             "the document in force here has no other node of that name");
	return false;
}

/* --- questions --- */

/* The answers to all questions in their order, given; NULL when out of memory. */
static json_t *query_own(const struct core *core, const struct model *m,
                         const struct withdrawal_query *q)
{
	uint64_t until_ms = clock_mono_ms() + ANNOUNCE_OWN_REPLY_MS;
	struct announce_shared *list;
	size_t n;

	if (announce_shared_list(m, &q->from, 1, &list, &n))
		return NULL;
	json_t *answers = json_array();
	for (size_t i = 0; answers && i < q->n; i++) {
		const struct announce_shared *row =
		        announce_shared_find(list, n, &q->items[i].address);

		json_array_append_new(answers,
		                      row && row->is_shared
		                              ? announce_own_query(core->dirs.run, q->from->name,
		                                                   q->incarnation, &q->items[i],
		                                                   until_ms)
		                              : json_string(NOT_SHARED));
	}
	free(list);
	return answers;
}

/*
 * The answers to the questions, given; NULL: @p reply says why there are none. A flood of questions
 * ends here: few go to weir-announce at a time.
 */
static json_t *answer_questions(struct core *core, const struct model *m,
                                struct withdrawal_query *q, struct http_reply *reply)
{
	json_t *answers;
	bool admitted;

	if (!q->n)
		return json_array();
	core_lock(core);
	admitted = announce_questions_enter(core, (size_t)(q->from - m->nodes));
	core_unlock(core);
	if (!admitted) {
		http_problem(reply, 503, "busy", "too many questions at a time");
		return NULL;
	}
	answers = query_own(core, m, q);
	core_lock(core);
	announce_questions_leave(core);
	core_unlock(core);
	if (!answers)
		http_problem(reply, 503, "busy", "out of memory");
	return answers;
}

void handle_peer_withdrawals(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct withdrawal_query q = { 0 };

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	const struct model *m = intent_shared_model(shared);
	if (read_query(m, r->json, &q, reply)) {
		json_t *answers = answer_questions(core, m, &q, reply);

		if (answers) {
			reply->json = json_pack("{s:o}", "answers", answers);
			reply->status = 200;
		}
	}
	free(q.items);
	intent_unshare(shared);
}
