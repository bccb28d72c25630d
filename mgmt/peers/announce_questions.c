/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each answer is used when it arrives. A peer that hangs holds up the next questions for
 * ANNOUNCE_QUESTIONS_TIMEOUT_MS at most, and is left out for a while; a question lives 2 s.
 */
#include "mgmt/peers/announce_questions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mgmt/observe/announce_own.h"
#include "mgmt/peers/announce_shared.h"
#include "mgmt/peers/announce_words.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/peers/peers.h"
#include "mgmt/http/limit.h"
#include "weir/json.h"

_Static_assert(PEERS_MAX <= ANNOUNCE_PEERS_MAX, "a set of peers has a bit for each");

/*
 * A line to weir-announce has at most 64 KiB: the names of all peers, and this many bytes of
 * addresses with names.
 */
#define LINE_BYTES ((size_t)40 << 10)
#define NAME_BYTES (MODEL_NAME_MAX + 3)

/* A peer puts one question in 50 ms at most; more come from no weir-mgmt. */
static const struct http_rate questions_rate = { .burst = 40, .a_second = 20 };

/* A peer as this thread works on it. */
struct announce_peer {
	struct announce_questions *questions;
	char node[MODEL_NAME_MAX], api[256];
	char stamp[EXCHANGE_STAMP_MAX]; /* of what is noted of it; "": nothing */
	uint64_t true_ms;               /* when that was true; 0: it is not known */
	bool is_silent;
	uint64_t next_ms; /* after no answer: not to be asked before */
	bool failed;      /* logged once */
};

/* A question that is open on the own page. */
struct open_question {
	size_t row; /* of the shared addresses */
	uint64_t sent_ms;
	bool is_confirmed; /* weir-announce has it: it needs no second one */
};

struct announce_questions {
	struct thread thread;
	struct peer_client client;
	const char *run_dir;
	char cluster[MODEL_NAME_MAX];
	uint64_t document;
	struct announce_peer peers[PEERS_MAX];
	size_t n_peers;
	struct announce_shared *shared;
	size_t n_shared;
	struct announce_own own;
	struct open_question open[ANNOUNCED_MAX]; /* of this round */
	size_t n_open;
	uint64_t notified_ms; /* when weir-announce last got who else announces */
	/* of this round: weir-announce is not waited for longer; 0: not begun */
	uint64_t bring_until_ms;
	bool unpublished; /* weir-announce did not accept who else announces: logged once */
	/* under the core's lock */
	struct http_tokens tokens[PEERS_MAX];
	size_t n_queries;
};

/* --- the document --- */

/* Take what rounds need of the document when it is another one; what peers said is noted again. Under the lock. */
static void follow_document(struct core *core)
{
	struct announce_questions *x = core->announce_questions;
	const struct model *m = intent_model(core->intent);
	const struct model_node *nodes[PEERS_MAX];
	struct announce_shared *shared;
	size_t n_shared, n;

	if (!m || x->document == intent_document(core->intent))
		return;
	n = announce_shared_peers(m, sizeof(x->peers[0].api), nodes, PEERS_MAX);
	if (announce_shared_list(m, nodes, n, &shared, &n_shared))
		return; /* out of memory: the next round tries again */
	free(x->shared);
	x->shared = shared;
	x->n_shared = n_shared < ANNOUNCED_MAX ? n_shared : ANNOUNCED_MAX;
	x->n_peers = n;
	for (size_t i = 0; i < n; i++) {
		x->peers[i] = (struct announce_peer){ .questions = x };
		snprintf(x->peers[i].node, sizeof(x->peers[i].node), "%s", nodes[i]->name);
		snprintf(x->peers[i].api, sizeof(x->peers[i].api), "%s", nodes[i]->api);
	}
	snprintf(x->cluster, sizeof(x->cluster), "%s", m->cluster);
	x->document = intent_document(core->intent);
	x->notified_ms = 0;
}

/* --- what peers say that they announce --- */

static size_t index_of(const struct announce_peer *p)
{
	return (size_t)(p - p->questions->peers);
}

/*
 * What the peer announces now, of the addresses that the document makes it announce. Each is looked
 * up as this node writes it, so one that is written in another form is not announced.
 */
static void note_announced(struct announce_peer *p, const json_t *words)
{
	struct announce_questions *x = p->questions;

	for (size_t i = 0; i < x->n_shared; i++) {
		struct announce_shared *row = &x->shared[i];
		enum guard_announced said = announce_peers_have(&row->peers, index_of(p))
		                                    ? announce_words_of(words, &row->address)
		                                    : GUARD_NOT_ANNOUNCED;

		announce_peers_set(&row->announced, index_of(p), said == GUARD_ANNOUNCED);
		announce_peers_set(&row->unsure, index_of(p), said == GUARD_ANNOUNCED_UNKNOWN);
	}
}

/* Under the lock. */
static void follow_peers(struct core *core)
{
	struct announce_questions *x = core->announce_questions;

	for (size_t i = 0; i < x->n_peers; i++) {
		struct announce_peer *p = &x->peers[i];
		struct exchange_heard heard = exchange_hear(core, p->node);

		p->is_silent = heard.is_silent;
		p->true_ms = heard.announced ? heard.announced->true_ms : 0;
		if (!heard.announced || !strcmp(p->stamp, heard.announced->stamp))
			continue;
		note_announced(p, heard.announced->body);
		memcpy(p->stamp, heard.announced->stamp, sizeof(p->stamp));
	}
}

/* --- what a peer answers --- */

/* Whether an open question was put to this peer. */
static bool is_for_peer(const struct announce_questions *x, const struct open_question *q,
                        const struct announce_peer *p)
{
	return announce_peers_have(&x->shared[q->row].peers, index_of(p));
}

static size_t count_questions(const struct announce_peer *p)
{
	const struct announce_questions *x = p->questions;
	size_t n = 0;

	for (size_t i = 0; i < x->n_open; i++)
		n += is_for_peer(x, &x->open[i], p);
	return n;
}

static bool is_confirmation(const json_t *word)
{
	const char *text = json_string_value(word);

	return text && !strcmp(text, announce_answer_label(ANNOUNCE_ANSWER_CONFIRMED));
}

/*
 * The answers, in the order of the questions. What is confirmed is brought to weir-announce, which looks at its age itself
 * again, unless the question is too old meanwhile. If weir-announce does not take it, another peer's confirmation
 * may do.
 */
static void apply_confirmations(struct announce_peer *p, const json_t *words, uint64_t now_ms)
{
	struct announce_questions *x = p->questions;
	char incarnation[ANNOUNCE_OWN_HEX_MAX];
	size_t at = 0, n_refused = 0;

	announce_own_hex(x->own.node.incarnation, incarnation);
	for (size_t i = 0; i < x->n_open; i++) {
		struct open_question *q = &x->open[i];

		if (!is_for_peer(x, q, p))
			continue;
		const json_t *word = json_array_get(words, at++);
		if (!is_confirmation(word) || q->is_confirmed ||
		    now_ms - q->sent_ms > ANNOUNCE_QUESTIONS_GOOD_MS)
			continue;
		const struct announce_item item = { .address = x->shared[q->row].address,
			                            .sent_ms = q->sent_ms };
		if (!x->bring_until_ms) /* all peers of a round share the time */
			x->bring_until_ms = now_ms + ANNOUNCE_OWN_REPLY_MS;
		q->is_confirmed = announce_own_confirm(x->run_dir, p->node, incarnation, &item,
		                                       x->bring_until_ms);
		n_refused += !q->is_confirmed;
	}
	if (n_refused)
		log_warn("confirmation-not-accepted", "node=%s addresses=%zu", p->node, n_refused);
}

static void on_peer_answer(struct peer_query *q, size_t i)
{
	struct announce_peer *p = q->nodes[i].arg;
	const struct client_request *r = &q->requests[i];
	const json_t *answers = json_object_get(r->answer, "answers");
	uint64_t now_ms = clock_mono_ms();
	bool is_good = json_is_array(answers) && json_array_size(answers) == count_questions(p);

	if (is_good)
		apply_confirmations(p, answers, now_ms);
	else if (!p->failed)
		log_note("announcing-peer-missing", "node=%s reason=\"%s\"", p->node,
		         r->answer ? "the answer is malformed" : r->failure);
	p->failed = !is_good;
	p->next_ms = r->status ? 0 : now_ms + ANNOUNCE_QUESTIONS_RETRY_MS;
}

/* --- questions --- */

static json_t *questions_to_json(const struct announce_peer *p)
{
	const struct announce_questions *x = p->questions;
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < x->n_open; i++) {
		const struct open_question *q = &x->open[i];

		if (is_for_peer(x, q, p))
			json_array_append_new(list,
			                      json_pack("[s, I]",
			                                addr_text(&x->shared[q->row].address, text),
			                                (json_int_t)q->sent_ms));
	}
	return list;
}

/* The body of a request to @p p, from malloc(); NULL when out of memory. */
static char *make_body(const struct core *core, const struct announce_peer *p)
{
	const struct announce_questions *x = p->questions;
	char incarnation[ANNOUNCE_OWN_HEX_MAX];

	announce_own_hex(x->own.node.incarnation, incarnation);
	return peer_query_text(core, x->cluster, "withdrawals",
	                       json_pack("{s:s, s:o}", "incarnation", incarnation, "questions",
	                                 questions_to_json(p)));
}

/* Ask the peers to which there is a question. */
static void query_peers(struct core *core, struct announce_questions *x, uint64_t now_ms)
{
	struct peer_query q = { .core = core,
		                .client = &x->client,
		                .timeout_ms = ANNOUNCE_QUESTIONS_TIMEOUT_MS,
		                .answer_max = ANNOUNCE_QUESTIONS_ANSWER_MAX,
		                .done = on_peer_answer };

	snprintf(q.cluster, sizeof(q.cluster), "%s", x->cluster);
	x->bring_until_ms = 0;
	for (size_t i = 0; i < x->n_peers; i++) {
		struct announce_peer *p = &x->peers[i];
		const struct model_node to = { .name = p->node, .api = p->api };
		char *body = now_ms >= p->next_ms && count_questions(p) ? make_body(core, p) : NULL;

		if (body)
			(void)peer_query_add(&q, &to, body, p);
	}
	(void)peer_query_send(&q);
	peer_query_end(&q);
}

/* The questions of the own page that were not carried yet, and whose answers can still count. */
static void list_open_questions(struct announce_questions *x, uint64_t now_ms)
{
	x->n_open = 0;
	for (uint32_t i = 0; i < x->own.node.n_addresses; i++) {
		const struct announced_address *a = &x->own.addresses[i];
		struct announce_shared *row;

		if (!a->query_ms || a->query_ms > now_ms ||
		    now_ms - a->query_ms > ANNOUNCE_QUESTIONS_GOOD_MS)
			continue;
		row = announce_shared_find(x->shared, x->n_shared, &a->address);
		if (!row || !row->is_shared || row->carried_ms == a->query_ms)
			continue;
		row->carried_ms = a->query_ms;
		x->open[x->n_open++] = (struct open_question){ .row = (size_t)(row - x->shared),
			                                       .sent_ms = a->query_ms };
	}
}

/* --- who else announces --- */

/* Peers by what is known of them now, and their names. */
struct contacts {
	struct announce_peers fresh; /* what they said still counts */
	json_t *heard, *silent;
};

static void list_contacts(const struct announce_questions *x, uint64_t now_ms, struct contacts *out)
{
	*out = (struct contacts){ .heard = json_array(), .silent = json_array() };
	for (size_t i = 0; i < x->n_peers; i++) {
		const struct announce_peer *p = &x->peers[i];

		if (p->true_ms && now_ms <= p->true_ms + ANNOUNCE_WORDS_GOOD_MS) {
			announce_peers_set(&out->fresh, i, true);
			json_array_append_new(out->heard, json_string(p->node));
		} else if (p->is_silent) {
			json_array_append_new(out->silent, json_string(p->node));
		}
	}
}

/* The names of the peers that announce an address, given. NULL: one of them is not sure. */
static json_t *list_announcing(const struct announce_questions *x,
                               const struct announce_shared *row,
                               const struct announce_peers *fresh)
{
	json_t *names;

	if (!announce_peers_meet(&row->announced, fresh) &&
	    announce_peers_meet(&row->unsure, fresh))
		return NULL;
	names = json_array();
	for (size_t i = 0; i < x->n_peers; i++)
		if (announce_peers_have(&row->announced, i) && announce_peers_have(fresh, i))
			json_array_append_new(names, json_string(x->peers[i].node));
	return names;
}

/*
 * Send what is in @p addresses, and empty it. @return whether it was taken: a weir-announce that
 * hangs is not waited for line by line, and what is said of the peers grows old meanwhile
 */
static bool send_others(struct announce_questions *x, const struct contacts *c, json_t *addresses)
{
	bool accepted = announce_own_notify_others(x->run_dir, c->heard, c->silent, addresses);

	if (!accepted && !x->unpublished)
		log_note("others-not-published", "addresses=%zu", json_object_size(addresses));
	x->unpublished = !accepted;
	json_object_clear(addresses);
	return accepted;
}

/*
 * Tell the own weir-announce who else announces each address that others announce as well. An
 * address of which a peer is not sure is left out: it becomes unknown there.
 */
static void notify_others(struct announce_questions *x)
{
	json_t *addresses = json_object();
	bool goes_on = true;
	size_t n_bytes = 0;
	struct contacts c;

	list_contacts(x, clock_mono_ms(), &c);
	for (size_t i = 0; goes_on && i < x->n_shared; i++) {
		const struct announce_shared *row = &x->shared[i];
		char text[ADDR_TEXT_MAX];
		json_t *names = row->is_shared ? list_announcing(x, row, &c.fresh) : NULL;

		if (!names)
			continue;
		n_bytes += ADDR_TEXT_MAX + json_array_size(names) * NAME_BYTES;
		json_object_set_new(addresses, addr_text(&row->address, text), names);
		if (n_bytes < LINE_BYTES)
			continue;
		goes_on = send_others(x, &c, addresses);
		n_bytes = 0;
	}
	if (json_object_size(addresses))
		(void)send_others(x, &c, addresses);
	json_decref(addresses);
	json_decref(c.heard);
	json_decref(c.silent);
}

/* What one look leads to. Not under the lock. */
static void carry_questions(struct core *core, struct announce_questions *x)
{
	uint64_t now_ms = clock_mono_ms();
	bool due = !x->notified_ms || now_ms - x->notified_ms >= ANNOUNCE_QUESTIONS_EVERY_MS;

	if (!x->n_peers || !announce_own_look(&x->own, x->run_dir) ||
	    now_ms > x->own.node.alive_ms + ANNOUNCE_OWN_LATE_MS)
		return;
	list_open_questions(x, now_ms);
	if (x->n_open)
		query_peers(core, x, now_ms);
	if (due) {
		x->notified_ms = now_ms;
		core_lock(core);
		follow_peers(core);
		core_unlock(core);
		notify_others(x);
	}
}

static uint64_t carry_questions_once(void *arg)
{
	struct core *core = arg;
	uint64_t now_ms = clock_mono_ms();

	follow_document(core);
	if (!core->announce_questions->n_peers)
		return now_ms + ANNOUNCE_QUESTIONS_IDLE_MS;
	core_unlock(core);
	carry_questions(core, core->announce_questions);
	core_lock(core);
	return now_ms + ANNOUNCE_QUESTIONS_LOOK_MS;
}

static void *run_announce_questions(void *core)
{
	core_run_rounds(core, carry_questions_once, core, ANNOUNCE_QUESTIONS_LOOK_MS);
	return NULL;
}

/* --- the other side, and the thread --- */

bool announce_questions_enter(struct core *core, size_t peer)
{
	struct announce_questions *x = core->announce_questions;

	if (!x || x->n_queries >= ANNOUNCE_QUESTIONS_AT_ONCE ||
	    !http_tokens_spend(&x->tokens[peer % PEERS_MAX], questions_rate, clock_mono_ms()))
		return false;
	x->n_queries++;
	return true;
}

void announce_questions_leave(struct core *core)
{
	core->announce_questions->n_queries--;
}

int announce_questions_start(struct core *core)
{
	struct announce_questions *x = memory_must(calloc(1, sizeof(*x)));

	core->announce_questions = x;
	x->run_dir = core->dirs.run;
	return thread_start(&x->thread, run_announce_questions, core);
}

void announce_questions_stop(struct core *core)
{
	struct announce_questions *x = core->announce_questions;

	if (!x)
		return;
	thread_join(&x->thread);
	client_close(&x->client);
	announce_own_close(&x->own);
	free(x->shared);
	free(x);
	core->announce_questions = NULL;
}
