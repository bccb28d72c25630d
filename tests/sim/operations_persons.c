/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persons of the world: they give commands at any node, at bad moments too. They name only nodes as
 * absent that are dead, in some worlds (forces) all that they do not reach, and override no guard that keeps a last site.
 */
#include <stdio.h>
#include <string.h>

#include "operations_judge.h"

static bool is_named_absent(struct world *w, const struct world_node *n, uint32_t i)
{
	const struct world_node *other = &w->node[i];

	return w->forces ? !world_reaches(w, n, other) : !other->alive && world_chance(w, 500);
}

static void make_plea(struct world *w, struct operation_person *p, const struct world_node *n,
                      const struct operation *op, bool patient)
{
	int guard = rule_find(RULE_OPERATION, op->hold.code);

	memset(p, 0, sizeof(*p));
	p->until_ms = MODEL_TIME_NEVER;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (is_named_absent(w, n, i))
			p->without.items[p->without.n++] = w->node[i].name;
	}
	if (guard >= 0 && guard != OPERATION_GUARD_LAST_SITE &&
	    guard != OPERATION_GUARD_MAX_SITES_OUT && world_chance(w, patient ? 500 : 100))
		p->overridden[guard] = true;
	p->author = "amy";
	p->reason = "";
	p->goal_ppm = MODEL_PPM_ALL;
}

/* Node @p n becomes the owner; nobody else may have changed the record meanwhile. */
static void change_owner(struct world *w, struct world_node *n, uint32_t k,
                         const struct operation_person *person)
{
	static struct world_view view;
	static struct operation op;
	char error[OPERATION_DETAIL_MAX], code[OPERATION_CODE_MAX];
	struct operation_write was;
	bool held;

	op = n->rec[k];
	was = op.write;
	held = operation_is_held(&op) && strcmp(op.hold.code, "taken") != 0;
	(void)snprintf(code, sizeof(code), "%s", op.hold.code);
	n->ticked_ms[k] = 0;
	world_look(w, n, k, &view);
	if (operation_own(&op, &view.facts, person, w->now_ms + n->clock_off_ms, error))
		return;
	enum store_result result = store_decide(w, n, k, &op);
	if (result == STORE_REFUSED)
		return;
	if (held)
		(void)snprintf(w->book[k].hold_code, sizeof(w->book[k].hold_code), "%s", code);
	w->book[k].must_hold = held;
	if (w->verbose)
		printf("%8lld op%u %s: owns it by %s, epoch %u\n", (long long)w->now_ms, k, n->name,
		       person->author, op.epoch);
	w->in_command = true;
	if (result == STORE_DECIDED)
		judge_tick(w, n, k, &was);
	w->in_command = false;
}

/* Any node that can give a command. */
static struct world_node *choose_node(struct world *w, uint32_t k)
{
	struct world_node *n = &w->node[world_below(w, w->n_nodes)];

	return n->alive && n->paused_ms <= w->now_ms && n->revision[k] ? n : NULL;
}

void world_own(struct world *w, uint32_t k)
{
	const struct operation_person nobody = { .author = "weir", .reason = "" };
	struct world_node *n = choose_node(w, k);

	if (n && strcmp(n->rec[k].owner, n->name) != 0)
		change_owner(w, n, k, &nobody);
}

static void take_operation(struct world *w, uint32_t k, bool patient)
{
	struct world_node *n = choose_node(w, k);
	struct operation_person plea;

	if (!n)
		return;
	make_plea(w, &plea, n, &n->rec[k], patient);
	change_owner(w, n, k, &plea);
}

/* A command at the target itself: by the override, past the operation. */
static void command_target(struct world *w, uint32_t k)
{
	struct world_node *n = &w->node[world_below(w, w->n_nodes)];
	struct world_override over = { .commanded_ms = w->now_ms };

	if (!n->alive || !n->revision[k] || (!n->over[k].epoch && !n->over[k].commanded_ms))
		return;
	w->book[k].by_person = true;
	over.to_ppm = over.from_ppm = world_chance(w, 500) ? n->level[k] : 0;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *other = &w->node[i];

		if (world_reaches(w, n, other) && over.commanded_ms > other->over[k].commanded_ms)
			other->over[k] = over;
	}
	if (w->verbose)
		printf("%8lld op%u %s: a person's override\n", (long long)w->now_ms, k, n->name);
}

static operation_command *choose_command(uint32_t which)
{
	static operation_command *const commands[] = { operation_hold, operation_abort,
		                                       operation_return, operation_redirect };

	return which < sizeof(commands) / sizeof(commands[0]) ? commands[which] : operation_resume;
}

static void command_owner(struct world *w, struct world_node *n, uint32_t k, uint32_t which,
                          bool patient)
{
	static struct world_view view;
	static struct operation op;
	struct operation_write was = n->rec[k].write;
	char error[OPERATION_DETAIL_MAX] = "";
	struct operation_person plea;
	int err;

	op = n->rec[k];
	make_plea(w, &plea, n, &op, patient);
	world_look(w, n, k, &view);
	err = choose_command(which)(&op, &view.facts, &plea, w->now_ms + n->clock_off_ms, error);
	if (err && !*error)
		world_fault(w, "a command is refused without a reason");
	enum store_result result = err ? STORE_REFUSED : store_decide(w, n, k, &op);
	if (!err && result == STORE_REFUSED)
		return; /* another change came first, or nobody decides */
	if (!err && which)
		w->book[k].must_hold = false;
	if (w->verbose)
		printf("%8lld op%u %s: command %u: %d %s\n", (long long)w->now_ms, k, n->name,
		       which, err, error);
	w->in_command = true;
	if (result == STORE_DECIDED)
		judge_tick(w, n, k, &was);
	w->in_command = false;
}

void world_command(struct world *w, uint32_t k, bool patient)
{
	struct world_node *owner = world_owner(w, k);
	struct operation *op = owner ? &owner->rec[k] : NULL;

	if (!patient && world_chance(w, 200)) {
		take_operation(w, k, false);
	} else if (!patient && world_chance(w, 30)) {
		command_target(w, k);
	} else if (!owner) {
		take_operation(w, k, patient);
	} else if (!patient) {
		command_owner(w, owner, k, world_below(w, 8), false);
	} else if (operation_is_held(op)) {
		command_owner(w, owner, k, world_chance(w, 800) ? 4 : 1, true);
	} else if (!operation_is_over(op) && !operation_moves(op) && world_chance(w, 100)) {
		command_owner(w, owner, k, 2, true);
	}
}
