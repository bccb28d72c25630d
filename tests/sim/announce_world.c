/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One step: messages arrive, evidence and daemons change, each running process decides and moves its
 * routes; then the world compares what happened with its own records. A process decides every
 * TICK_MS and after each message, as weir-announce does.
 */
#include "announce_world.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS   20u
#define STATUS_MS 500u  /* nodes send one another what they announce */
#define FRESH_MS  2000u /* how long that counts */
#define SILENT_MS 3000u /* without a message for so long, a node is not waited for */
#define LATE_MS   150u  /* longest time until an own cause has taken the routes */
#define BLIND_MS  100u  /* longest time for which a node may not know that it forwards nothing */
#define FORGE_MS  50u   /* between two made-up confirmations */
#define RETURN_MS 1000u /* longest time until a sound node without a hold-down announces */

uint64_t world_random(struct world *w)
{
	uint64_t x = w->rng += 0x9e3779b97f4a7c15u; /* splitmix64 */

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t world_below(struct world *w, uint32_t n)
{
	return n ? (uint32_t)(world_random(w) % n) : 0;
}

void world_fail(struct world *w, const char *fault)
{
	if (w->fault)
		return;
	w->fault = fault;
	w->fault_ms = w->now_ms;
}

static bool has_route(const struct world_node *n)
{
	return n->routes.in_kernel[ANNOUNCE_NORMAL] || n->routes.in_kernel[ANNOUNCE_SHUTDOWN];
}

uint32_t world_announcing(const struct world *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_nodes; i++)
		n += has_route(&w->node[i]);
	return n;
}

/* --- the network --- */

static void put_message(struct world *w, const struct world_message *m)
{
	uint32_t delay = w->delay_min_ms + world_below(w, w->delay_max_ms + 1);

	if (world_below(w, 100) < w->loss_percent)
		return;
	if (world_below(w, 100) < w->slow_percent)
		delay += 1000 + world_below(w, 12000);
	if (w->n_messages == WORLD_MESSAGES_MAX) {
		world_fail(w, "the network is full");
		return;
	}
	w->message[w->n_messages] = *m;
	w->message[w->n_messages++].at_ms = w->now_ms + 1 + delay;
}

static void send_message(struct world *w, struct world_message m)
{
	put_message(w, &m);
	if (world_below(w, 100) < w->repeat_percent)
		put_message(w, &m);
}

static void send_to_all(struct world *w, struct world_message m)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		m.to = i;
		if (i != m.from)
			send_message(w, m);
	}
}

/* Since when @p fact is no, whether the node knows or not; 0: it is not. */
static uint64_t bad_since_ms(const struct world *w, const struct world_node *n,
                             enum announce_fact fact)
{
	uint64_t since_ms = 0;

	for (uint32_t i = 0; i < n->n_wrong; i++) {
		const struct world_wrong *x = &n->wrong[i];

		if (x->fact == fact && x->truth == ANNOUNCE_NO && w->now_ms >= x->from_ms &&
		    w->now_ms < x->until_ms && (!since_ms || x->from_ms < since_ms))
			since_ms = x->from_ms;
	}
	return since_ms;
}

/* A confirmation was given: does the node forward in truth? */
static void check_confirmation(struct world *w, const struct world_node *n)
{
	static const enum announce_fact facts[] = { ANNOUNCE_FACT_PORT,    ANNOUNCE_FACT_PROGRAM,
		                                    ANNOUNCE_FACT_COVERED, ANNOUNCE_FACT_PROBE,
		                                    ANNOUNCE_FACT_SOCKETS, ANNOUNCE_FACT_LEAVES };

	if (n->own_cause_ms)
		world_fail(w, "a node that does not forward has confirmed");
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		uint64_t since_ms = bad_since_ms(w, n, facts[i]);

		if (n->facts.truth[facts[i]] != ANNOUNCE_YES)
			world_fail(w, "a node that does not forward has confirmed");
		if (since_ms && w->now_ms - since_ms > BLIND_MS)
			world_fail(w, "a node has confirmed by what was so before");
	}
}

static void answer_question(struct world *w, struct world_node *n, const struct world_message *m)
{
	struct world_message reply = {
		.kind = MESSAGE_CONFIRMED, .from = m->to, .to = m->from, .question = m->question
	};
	bool leaves = n->state.table != ANNOUNCE_NORMAL;

	if (announce_give_answer(&n->state, n->name, &m->question, &n->facts, w->now_ms) !=
	    ANNOUNCE_ANSWER_CONFIRMED)
		return;
	if (leaves || !n->routes.in_kernel[ANNOUNCE_NORMAL])
		world_fail(w, "a node that does not announce has confirmed");
	check_confirmation(w, n);
	n->promise_ms = w->now_ms + 10000;
	send_message(w, reply);
}

static void receive_message(struct world *w, const struct world_message *m)
{
	struct world_node *n = &w->node[m->to];

	if (!n->runs)
		return;
	if (m->kind == MESSAGE_QUESTION) {
		answer_question(w, n, m);
	} else if (m->kind == MESSAGE_STATUS) {
		n->heard_ms[m->from] = w->now_ms;
		n->heard_normal[m->from] = m->normal;
	} else {
		announce_note_confirmed(&n->state, w->node[m->from].name, &m->question, w->now_ms);
		if (!m->forged && m->question.sent_ms > n->confirmed_ms)
			n->confirmed_ms = m->question.sent_ms;
	}
}

static bool is_paused(const struct world *w, const struct world_node *n)
{
	return w->now_ms >= n->paused_from_ms && w->now_ms < n->paused_until_ms;
}

/* Confirmations that nobody has given, to questions that nobody has asked: steps end in 0 or 5. */
static void forge_confirmation(struct world *w)
{
	uint32_t to = world_below(w, w->n_nodes);
	uint64_t sent_ms = w->now_ms - 5 * world_below(w, 300) - 4;
	struct world_message m = { .kind = MESSAGE_CONFIRMED,
		                   .from = (to + 1) % w->n_nodes,
		                   .to = to,
		                   .forged = true,
		                   .question = { .incarnation = w->node[to].state.incarnation,
		                                 .sent_ms = sent_ms } };

	if (!is_paused(w, &w->node[to]))
		receive_message(w, &m);
}

/* A stopped process gets all at once when it goes on, before its next round. */
static void receive_messages(struct world *w)
{
	for (uint32_t i = 0; i < w->n_messages;) {
		struct world_message m = w->message[i];

		if (m.at_ms > w->now_ms || is_paused(w, &w->node[m.to])) {
			i++;
			continue;
		}
		w->message[i] = w->message[--w->n_messages];
		receive_message(w, &m);
	}
}

/* --- what a node knows --- */

/* What a node has heard of the others lately; weir-mgmt does not wait for those that are silent. */
static enum announce_truth hear_others(const struct world *w, uint32_t self)
{
	const struct world_node *n = &w->node[self];
	enum announce_truth truth = ANNOUNCE_NO;

	if (n->deaf_ms && w->now_ms >= n->deaf_ms)
		return ANNOUNCE_UNKNOWN;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		bool fresh = n->heard_ms[i] && w->now_ms - n->heard_ms[i] <= FRESH_MS;
		uint64_t last_ms = n->heard_ms[i] ? n->heard_ms[i] : n->started_ms;

		if (i == self)
			continue;
		if (fresh && n->heard_normal[i])
			return ANNOUNCE_YES;
		if (!fresh && w->now_ms - last_ms < SILENT_MS)
			truth = ANNOUNCE_UNKNOWN;
	}
	return truth;
}

static bool is_daemon_away(const struct world *w, const struct world_node *n)
{
	return w->now_ms >= n->daemon_away_from_ms && w->now_ms < n->daemon_away_until_ms;
}

/* What the routing daemon shows; one that is away shows nothing. */
static void read_daemon(const struct world *w, struct world_node *n)
{
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
		n->routes.imported[t] = is_daemon_away(w, n) ? ANNOUNCE_UNKNOWN
		                        : n->routes.in_kernel[t] && w->now_ms >= n->imported_ms[t]
		                                ? ANNOUNCE_YES
		                                : ANNOUNCE_NO;
	n->facts.exported = n->routes.imported[ANNOUNCE_NORMAL];
}

static void note_own_cause(struct world *w, struct world_node *n)
{
	bool bad = n->facts.truth[ANNOUNCE_FACT_PORT] == ANNOUNCE_NO ||
	           n->facts.truth[ANNOUNCE_FACT_PROGRAM] == ANNOUNCE_NO ||
	           n->facts.truth[ANNOUNCE_FACT_SOCKETS] == ANNOUNCE_NO ||
	           n->facts.truth[ANNOUNCE_FACT_LEAVES] == ANNOUNCE_NO;

	if (!bad)
		n->own_cause_ms = 0;
	else if (!n->own_cause_ms)
		n->own_cause_ms = w->now_ms;
}

static bool is_withdrawing(enum announce_fact fact)
{
	return fact == ANNOUNCE_FACT_PORT || fact == ANNOUNCE_FACT_PROGRAM ||
	       fact == ANNOUNCE_FACT_COVERED || fact == ANNOUNCE_FACT_POOLS ||
	       fact == ANNOUNCE_FACT_PROBE || fact == ANNOUNCE_FACT_SOCKETS ||
	       fact == ANNOUNCE_FACT_LEAVES;
}

/* Whether a fact is as an announcement needs it. */
static bool is_well(const struct world_node *n, enum announce_fact fact)
{
	return n->facts.truth[fact] == ANNOUNCE_YES ||
	       (n->facts.others == ANNOUNCE_NO &&
	        (fact == ANNOUNCE_FACT_PEERS || fact == ANNOUNCE_FACT_COVERED));
}

/* Since when a hold-down counts. */
static void note_good(struct world *w, struct world_node *n)
{
	bool well = true;

	for (int f = 0; f < ANNOUNCE_FACT_COUNT; f++) {
		bool fails =
		        is_withdrawing((enum announce_fact)f) && n->facts.truth[f] == ANNOUNCE_NO;

		if (fails)
			n->good_ms = 0;
		well &= !fails && is_well(n, (enum announce_fact)f);
	}
	if (well && !n->good_ms)
		n->good_ms = w->now_ms;
}

static void gather_facts(struct world *w, uint32_t self)
{
	struct world_node *n = &w->node[self];
	bool drained = w->now_ms >= n->drain_from_ms && w->now_ms < n->drain_until_ms;

	for (int f = 0; f < ANNOUNCE_FACT_COUNT; f++)
		n->facts.truth[f] = ANNOUNCE_YES;
	for (uint32_t i = 0; i < n->n_wrong; i++) {
		const struct world_wrong *x = &n->wrong[i];

		if (w->now_ms >= x->from_ms && w->now_ms < x->until_ms &&
		    n->facts.truth[x->fact] != ANNOUNCE_NO)
			n->facts.truth[x->fact] = x->truth;
	}
	n->facts.configured = true;
	n->facts.read_ms = w->now_ms;
	n->facts.command = drained ? ANNOUNCE_COMMAND_DRAIN : ANNOUNCE_COMMAND_NONE;
	n->facts.emptied = n->emptied_ms && w->now_ms >= n->emptied_ms ? ANNOUNCE_YES : ANNOUNCE_NO;
	n->facts.others = hear_others(w, self);
	note_good(w, n);
	if (n->facts.command != ANNOUNCE_COMMAND_NONE)
		n->expected_hold_ms = 0;
	read_daemon(w, n);
	note_own_cause(w, n);
}

/* --- checks --- */

static bool is_shared(enum announce_reason reason)
{
	return reason == ANNOUNCE_REASON_POOLS_DOWN || reason == ANNOUNCE_REASON_PROBE_REFUSED ||
	       reason == ANNOUNCE_REASON_PORT_UNCOVERED || reason == ANNOUNCE_REASON_DRAINED;
}

/* The node has no route any more: was it allowed to go? */
static void check_withdrawal(struct world *w, struct world_node *n, enum announce_reason reason)
{
	const enum announce_truth *truth = n->facts.truth;
	bool has_cause = n->own_cause_ms || truth[ANNOUNCE_FACT_POOLS] == ANNOUNCE_NO ||
	                 truth[ANNOUNCE_FACT_COVERED] == ANNOUNCE_NO ||
	                 truth[ANNOUNCE_FACT_PROBE] == ANNOUNCE_NO;
	bool repeats = n->expected_hold_ms && w->now_ms - n->failed_ms < 3600000;

	if (!has_cause && n->facts.command == ANNOUNCE_COMMAND_NONE)
		world_fail(w, "withdrawn without evidence and without a command");
	if (reason == ANNOUNCE_REASON_DRAINED && n->facts.emptied != ANNOUNCE_YES &&
	    w->now_ms < n->drain_from_ms + 15000)
		world_fail(w, "a drain withdrew before it was empty");
	if (!n->own_cause_ms && is_shared(reason)) {
		w->n_left++;
		if (w->now_ms < n->promise_ms)
			world_fail(w, "a promise was broken");
		if (!n->confirmed_ms || w->now_ms - n->confirmed_ms > 2000)
			world_fail(w, "withdrawn for a shared cause without a confirmation");
	}
	if (n->facts.command == ANNOUNCE_COMMAND_NONE) {
		n->expected_hold_ms = !repeats                        ? 30000
		                      : n->expected_hold_ms > 300000u ? 600000
		                                                      : 2 * n->expected_hold_ms;
		n->failed_ms = w->now_ms;
	}
}

/* How long the node is to stay away after its recovery. */
static uint32_t hold_ms(const struct world_node *n)
{
	if (n->facts.others == ANNOUNCE_NO)
		return 0;
	return n->facts.others == ANNOUNCE_UNKNOWN && n->expected_hold_ms > 30000
	               ? 30000
	               : n->expected_hold_ms;
}

/* The node has a route again: was all proved, and the hold-down over? */
static void check_return(struct world *w, struct world_node *n)
{
	n->returned_ms = w->now_ms;
	for (int f = 0; f < ANNOUNCE_FACT_COUNT; f++)
		if (!is_well(n, (enum announce_fact)f))
			world_fail(w, "announced without proof");
	if (n->facts.command != ANNOUNCE_COMMAND_NONE)
		world_fail(w, "announced in spite of a command");
	if (w->kind != WORLD_RESTARTS && /* which forget it: announce_restore_hold() is optional */
	    hold_ms(n) && (!n->good_ms || w->now_ms - n->good_ms < hold_ms(n)))
		world_fail(w, "returned before the end of the hold-down");
}

/* The node stays away: is there a reason? */
static void check_absence(struct world *w, const struct world_node *n)
{
	for (int f = 0; f < ANNOUNCE_FACT_COUNT; f++)
		if (n->facts.truth[f] != ANNOUNCE_YES)
			return;
	if (n->facts.command == ANNOUNCE_COMMAND_NONE && n->good_ms &&
	    w->now_ms - n->good_ms > hold_ms(n) + RETURN_MS)
		world_fail(w, "a sound node is held down for too long");
}

static void check_node(struct world *w, struct world_node *n, const struct announce_decision *d)
{
	bool has = has_route(n);

	if (n->had_route && !has) {
		if (d->table != ANNOUNCE_NONE)
			world_fail(w, "a move between tables withdrew the address");
		check_withdrawal(w, n, d->reason);
	}
	if (!n->had_route && has)
		check_return(w, n);
	if (!has)
		check_absence(w, n);
	if (has && n->own_cause_ms && w->now_ms - n->own_cause_ms > LATE_MS)
		world_fail(w, "announced in spite of an own cause");
	n->had_route = has;
}

/* --- the process --- */

/* Whether a route may go: the daemon shows another one of the address, or none shall be left. */
static bool may_delete(const struct world *w, const struct world_node *n,
                       enum announce_table target, const struct announce_routes *before)
{
	return target == ANNOUNCE_NONE ||
	       (before->in_kernel[target] && w->now_ms >= n->imported_ms[target]);
}

static void make_moves(struct world *w, struct world_node *n, enum announce_table target)
{
	const struct announce_routes before = n->routes;
	struct announce_moves m = announce_next_moves(target, &before);

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		if (m.table[t] == ANNOUNCE_MOVE_DELETE && !may_delete(w, n, target, &before))
			world_fail(w, "the old route went before the new one was there");
		if (m.table[t] == ANNOUNCE_MOVE_NONE)
			continue;
		n->routes.in_kernel[t] = m.table[t] == ANNOUNCE_MOVE_ADD;
		if (m.table[t] == ANNOUNCE_MOVE_ADD)
			n->imported_ms[t] = w->now_ms + 10 + world_below(w, 90);
	}
}

static void start_process(struct world *w, struct world_node *n)
{
	n->runs = true;
	n->started_ms = w->now_ms;
	memset(n->heard_ms, 0, sizeof(n->heard_ms));
	announce_init(&n->state, announce_found_table(&n->routes), world_random(w), w->now_ms);
}

static void run_process(struct world *w, uint32_t self)
{
	struct world_node *n = &w->node[self];
	struct announce_decision d;

	gather_facts(w, self);
	d = announce_decide(&n->state, &n->facts, w->now_ms);
	if (d.query) {
		struct world_message m = { .kind = MESSAGE_QUESTION,
			                   .from = self,
			                   .question = { .incarnation = n->state.incarnation,
			                                 .sent_ms = w->now_ms } };

		snprintf(m.question.from, sizeof(m.question.from), "%s", n->name);
		send_to_all(w, m);
	}
	make_moves(w, n, d.table);
	check_node(w, n, &d);
	if (w->now_ms - n->status_ms >= STATUS_MS) {
		n->status_ms = w->now_ms;
		send_to_all(w,
		            (struct world_message){ .kind = MESSAGE_STATUS,
		                                    .from = self,
		                                    .normal = n->state.table == ANNOUNCE_NORMAL });
	}
}

/* With the host, sessions and routes are gone. */
static void end_host(struct world_node *n)
{
	n->runs = n->had_route = false;
	n->routes = (struct announce_routes){ 0 };
}

static void step_node(struct world *w, uint32_t self)
{
	struct world_node *n = &w->node[self];
	uint64_t period = TICK_MS > w->step_ms ? TICK_MS / w->step_ms : 1; /* steps */

	if (n->dead_ms && w->now_ms >= n->dead_ms) {
		end_host(n);
		return;
	}
	if (is_paused(w, n))
		return;
	if (n->restart_ms && w->now_ms >= n->restart_ms) {
		n->runs = false;
		n->restart_ms = 0;
	}
	if (!n->runs && w->now_ms >= n->down_until_ms)
		start_process(w, n);
	if (n->runs && (w->now_ms / w->step_ms + self) % period == 0)
		run_process(w, self);
}

void world_step(struct world *w)
{
	receive_messages(w);
	if (w->forges && w->now_ms % FORGE_MS == 0)
		forge_confirmation(w);
	for (uint32_t i = 0; i < w->n_nodes; i++)
		step_node(w, i);
	if (world_announcing(w) == 0 && !w->may_go) {
		w->last_lost = true;
		world_fail(w, "the last announcement is gone");
	}
	w->now_ms += w->step_ms;
}
