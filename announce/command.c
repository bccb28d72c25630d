/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket of weir-announce, one JSON object a line. Only weir-mgmt and root are heard:
 * what others say decides whether the last announcement may go. weir-mgmt brings other nodes'
 * messages by it; what an address's state is, is on the announce page.
 *
 *   {"do":"question","address":A,"from":NODE,"incarnation":HEX,"sent_ms":N}
 *        another node may have reason to withdraw A: {"ok":true,"answer":"confirmed"}, or a refusal
 *   {"do":"confirmed","address":A,"by":NODE,"incarnation":HEX,"sent_ms":N}
 *        the answer of another node to this one's question: {"ok":true,"counts":BOOL}
 *   {"do":"others","heard":[NODE...],"silent":[NODE...],"addresses":{A:[NODE...],...}}
 *        who else announces what: {"ok":true,"known":N}, the addresses of the line that are
 *        configured here. It counts for 2 s and is sent every 500 ms, in as many lines as it needs
 *        (a line has at most 64 KiB); an address that a line leaves out keeps its own 2 s.
 *        "heard": nodes that said what they announce, at most 2 s ago.
 *        "silent": nodes that said nothing for 3 s although weir-mgmt tried to reach them for that
 *        time. Others, such as those that weir-mgmt only begins to reach, are in neither list.
 *        A's list: the nodes of "heard" that have A in their normal table, and a neighbour that
 *        gets it; [] if there is none. The own name, and nodes that the document does not make
 *        announce A, do not count.
 *   {"do":"emptied"}
 *        the node's VIP packets have left, so a drain need not wait longer. It counts for 2 s and
 *        is sent again while it is so: {"ok":true}
 *   {"do":"stop"}
 *        Weir is being stopped on a node that cannot forward without it: all is withdrawn at once,
 *        until this process ends. {"ok":true,"left":N}, the routes that are still there
 */
#include "announce/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/plain.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/stats.h"

#define FRESH_MS 20u /* ms: a round of this age is one of now; 50 rounds in a second at most */

/* A request about a question between nodes, read. */
struct node_message {
	struct announce_row *row;
	const char *node; /* "from" or "by" */
	struct announce_question question;
};

static struct announce_row *find_row(const struct announcer *a, const char *text)
{
	struct addr address;

	return text && !addr_parse(text, &address) ? kernel_find_row(a, &address) : NULL;
}

/* Whether @p name is another node that the document makes announce the address. */
static bool is_other(const struct announcer *a, const struct announce_row *row, const char *name)
{
	const struct model_node *node = a->model ? model_node(a->model, name) : NULL;

	return node && node != a->model->self && intended_by(node, &row->intended);
}

/* 16 digits, as JSON's numbers are too small for 64 bits. */
static bool read_hex(const char *text, uint64_t *out)
{
	if (!plain_is_hex(text, 16))
		return false;
	*out = strtoull(text, NULL, 16);
	return true;
}

/* @return NULL, or what is wrong with the request */
static const char *read_message(struct announcer *a, const json_t *request, const char *key,
                                struct node_message *out)
{
	const json_t *sent = json_object_get(request, "sent_ms");
	const char *from;

	out->node = json_get_text(request, key);
	out->row = find_row(a, json_get_text(request, "address"));
	if (!out->row)
		return "\"address\" must be one that this node is configured to announce";
	if (!out->node || !*out->node || strlen(out->node) >= ANNOUNCE_NODE_MAX)
		return "the node's name is missing or too long";
	if (!is_other(a, out->row, out->node))
		return "the node must be another one that the configuration makes announce the address";
	if (!read_hex(json_get_text(request, "incarnation"), &out->question.incarnation))
		return "\"incarnation\" must be 16 hexadecimal digits";
	if (!json_is_integer(sent) || json_integer_value(sent) <= 0)
		return "\"sent_ms\" must be a positive number";
	from = !strcmp(key, "from") ? out->node : a->node;
	out->question.sent_ms = (uint64_t)json_integer_value(sent);
	snprintf(out->question.from, sizeof(out->question.from), "%s", from);
	return NULL;
}

/*
 * Decide by what is so now, if the last round is not of just now: a process that was stopped serves
 * its socket before its clock. Many messages at once share a round.
 */
static void renew_facts(struct announcer *a, uint64_t now_ms)
{
	if (announce_elapsed_ms(now_ms, a->round_ms) > FRESH_MS)
		round_publish(a, now_ms);
}

/*
 * A refusal because the daemon's answer is too old: ask the daemon, as the other node asks again in
 * ANNOUNCE_QUERY_MS.
 */
static void renew_export(struct announcer *a, const struct announce_row *row)
{
	const struct daemon_route *r =
	        a->daemon ? daemon_route(a->daemon, &row->intended.address) : NULL;

	if (r && !r->pending && row->facts.exported == ANNOUNCE_UNKNOWN)
		daemon_hurry(a->daemon, &row->intended.address);
}

static json_t *do_question(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	enum announce_answer answer;
	struct node_message m;
	const char *error = read_message(a, request, "from", &m);

	if (error)
		return json_refusal(error);
	renew_facts(a, now_ms);
	renew_export(a, m.row);
	answer = announce_give_answer(&m.row->state, a->node, &m.question, &m.row->facts, now_ms);
	stats_add(a->counters.answers[answer], 1);
	return json_granted("answer", json_string(announce_answer_label(answer)));
}

static json_t *do_confirmed(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	struct node_message m;
	const char *error = read_message(a, request, "by", &m);
	bool counts;

	if (error)
		return json_refusal(error);
	counts = announce_note_confirmed(&m.row->state, m.node, &m.question, now_ms);
	if (counts) {
		stats_add(a->counters.confirmations, 1);
		renew_facts(a, now_ms); /* else the next round acts on it, 100 ms later at most */
	}
	return json_granted("counts", json_boolean(counts));
}

static json_t *do_emptied(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	(void)request;
	a->emptied_ms = now_ms;
	return json_with(json_object(), "ok", json_true());
}

static json_t *do_stop(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	json_int_t left;

	(void)request;
	a->stopping = true;
	round_publish(a, now_ms);
	left = !a->model && !a->left_withdrawn; /* how many is not known without a document */
	for (size_t i = 0; i < a->n_rows; i++)
		left += a->rows[i].routes.in_kernel[ANNOUNCE_NORMAL] +
		        a->rows[i].routes.in_kernel[ANNOUNCE_SHUTDOWN];
	return json_granted("left", json_integer(left));
}

static json_t *answer_request(struct announcer *a, const json_t *request, uint64_t now_ms)
{
	static const struct {
		const char *what;
		json_t *(*answer)(struct announcer *a, const json_t *request, uint64_t now_ms);
	} requests[] = { { "question", do_question },
		         { "confirmed", do_confirmed },
		         { "others", others_note },
		         { "emptied", do_emptied },
		         { "stop", do_stop } };
	const char *what = json_get_text(request, "do");

	for (size_t i = 0; what && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(what, requests[i].what))
			return requests[i].answer(a, request, now_ms);
	return json_refusal("\"do\" must be question, confirmed, others, emptied or stop");
}

char *command_reply(struct announcer *a, const char *line, size_t length, bool is_heard,
                    uint64_t now_ms)
{
	json_t *request = is_heard ? json_read(line, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *answer = request ? answer_request(a, request, now_ms)
	                 : is_heard
	                         ? json_refusal("not a JSON object in one line")
	                         : json_refusal("only weir-mgmt and root may send commands here");

	json_decref(request);
	return json_line(answer);
}
