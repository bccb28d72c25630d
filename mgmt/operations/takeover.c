/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new owner. The former owner may still be sending what it had decided, and nodes may be further than it knew, so levels
 * count and not the record: it holds in an epoch of its own, which no step of the former owner can pass, waits
 * until all name servers that it reaches have that hold, goes on from the highest level of any (the
 * others follow on a way out, and are ahead on a way back), and waits one TTL more before. An operation that was held before stays held, by the
 * same reason, unless that was the former owner. A node that does not say its level, or does not take the hold, is
 * waited for as long as for a step; then a person decides whether to go on without it.
 *
 * Of the levels that it reads only those of the highest epoch count: all writes of one epoch go in
 * one direction. A node without any step (epoch 0) says nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/command_internal.h"
#include "mgmt/operations/engine_internal.h"

#define READING "node %s reads the levels of all nodes"

static int refuse_owner(const struct operation *op, const struct operation_facts *facts,
                        char *error)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
	const struct operation_verdict *majority = &verdicts[OPERATION_GUARD_MAJORITY];
	const struct operation_node *better = facts_find_better_owner(op, facts);
	const struct operation_node *remover = facts_find_remover(facts);

	if (remover) /* whatever is named absent: they go on, and do not hear this one */
		return command_refuse(error, -EINVAL,
		                      "the configuration of node %s does not have node %s: take it "
		                      "at node %s",
		                      remover->name, facts->self, remover->name);
	operation_judge(op, facts, OPERATION_BEFORE, verdicts);
	if (!majority->ok)
		return command_refuse_by(error, OPERATION_GUARD_MAJORITY,
		                         "%s; name absent nodes with --without", majority->detail);
	if (better)
		return command_refuse(error, -EBUSY,
		                      "node %s is at a site of the operation: take it at node %s",
		                      facts->self, better->name);
	if (!operation_may_own(facts_epoch(op, facts)))
		return command_refuse(error, -EINVAL, "no higher epoch is left");
	return 0;
}

bool own_goes_on(const struct operation *op)
{
	return op->state == OPERATION_HELD && rule_is(OPERATION_HOLD_NEW_OWNER, op->hold.code);
}

bool person_ends(struct tick *t)
{
	for (struct facts_level at = { 0 }; facts_next_level(t->op, t->facts, &at);) {
		if (!at.level->known || !at.level->person)
			continue;
		tick_end(t, OPERATION_ABORTED, OPERATION_END_COMMAND,
		         "a person's command at site %s has ended it",
		         t->op->targets[at.target].site);
		return true;
	}
	return false;
}

/* In an epoch above all that this node knows of. */
static void begin_epoch(struct tick *t)
{
	struct operation *op = t->op;

	op->epoch = operation_owner_epoch(facts_epoch(op, t->facts));
	op->writes = 0;
	op->seq = 1;
	(void)snprintf(op->owner, sizeof(op->owner), "%s", t->facts->self);
}

static void hold_in_epoch(struct tick *t)
{
	struct operation *op = t->op;

	if (!op->reads_levels && !operation_is_under_way(op)) {
		if (op->write.epoch) /* the same level, in the new epoch */
			level_write(t, operation_hold_from(op, op->write.to_ppm), op->write.to_ppm,
			            t->now_ms, 0);
		return;
	}
	op->step_runs = false;
	op->reads_levels = true;
	if (op->write.epoch)
		level_stop(t, op->level_ppm);
	if (!operation_is_held(op) ||
	    (op->state == OPERATION_HELD && rule_is(OPERATION_HOLD_OWNER_REMOVED, op->hold.code)))
		tick_hold_instead(t, OPERATION_HOLD_NEW_OWNER, READING, op->owner);
	op->waited_ms = op->unknown_ms = 0;
}

int operation_own(struct operation *op, const struct operation_facts *facts,
                  const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = { .op = op, .facts = facts, .now_ms = now_ms };
	struct command_before before;
	int err;

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (!strcmp(op->owner, facts->self) && !behind_is(op, facts))
		return command_refuse(error, -EALREADY, "node %s owns it", op->owner);
	command_add(op, person, &before);
	absent_drop(op, facts->self); /* who takes it is there, whoever named it absent */
	err = refuse_owner(op, facts, error);
	if (err) {
		command_undo(op, &before);
		return err;
	}
	if (person_ends(&t)) { /* no step follows: an epoch of its own would pass the command */
		op->seq++;
		return 0;
	}
	if (facts_epoch(op, facts) > op->epoch)
		behind_follow(&t);
	else if (op->write.epoch && operation_is_under_way(op))
		op->level_ppm = level_of_epoch(&t);
	begin_epoch(&t);
	hold_in_epoch(&t);
	return 0;
}

int own_catch_up(struct tick *t, const struct operation_person *person, char *error)
{
	struct operation *op = t->op;
	struct command_before before;
	int err;

	if (!behind_is(op, t->facts))
		return 0;
	command_add(op, person, &before);
	err = refuse_owner(op, t->facts, error);
	command_undo(op, &before);
	if (err)
		return err;
	behind_follow(t);
	begin_epoch(t);
	level_stop(t, op->level_ppm);
	return 0;
}

/* A name server that takes part and does not say its level; NULL: all do. */
static const char *find_unread(const struct tick *t)
{
	struct facts_level at = { .of_servers = true };

	while (facts_next_level(t->op, t->facts, &at))
		if (!at.level->known)
			return at.node->name;
	return NULL;
}

/* Which node the new owner still waits for, and what of it is missing; NULL: none. */
static const char *find_missing(const struct tick *t, const char **what)
{
	const char *node = find_unread(t);

	*what = "does not say its level";
	if (node)
		return node;
	if (!t->op->write.epoch)
		return NULL;
	*what = "does not have the hold";
	return level_is_held(t, &node) == OPERATION_YES ? NULL : node;
}

/* The hold is where the highest node is, once all levels are known. */
static void follow_highest(struct tick *t)
{
	uint32_t highest = level_of_epoch(t);

	if (!t->op->write.epoch || find_unread(t))
		return;
	if (highest != t->op->write.to_ppm || behind_count_steps(t))
		level_stop(t, highest);
}

/* No node is waited for without end: after a while a person decides. */
static void await_node(struct tick *t, const char *node, const char *what)
{
	struct operation *op = t->op;

	op->waited_ms = 0;
	tick_wait(t, "node %s %s", node, what);
	if (op->unknown_ms >= TICK_FORCE_MS && own_goes_on(op))
		tick_hold_instead(t, OPERATION_HOLD_NOT_IN_FORCE,
		                  "node %s %s; to go on without it: --without %s", node, what,
		                  node);
}

void own_read_levels(struct tick *t)
{
	struct operation *op = t->op;
	const char *what, *missing;

	follow_highest(t);
	missing = find_missing(t, &what);
	if (missing) {
		await_node(t, missing, what);
		return;
	}
	op->unknown_ms = 0;
	tick_wait(t, "answers given before the hold may be in use");
	if (op->waited_ms < step_wait_ms(op))
		return;
	op->reads_levels = false;
	op->waits[0] = '\0';
	tick_change(t);
	if (own_goes_on(op))
		command_go_on(t);
}

int own_refuse_resume(const struct tick *t, bool adds, char *error)
{
	const struct operation *op = t->op;
	const char *what, *missing = find_missing(t, &what);

	if (missing && rule_is(OPERATION_HOLD_NOT_IN_FORCE, op->hold.code))
		return command_refuse(error, -EINVAL,
		                      "node %s %s; to go on without it: --without %s", missing,
		                      what, missing);
	if (adds || (op->state == OPERATION_HELD && !own_goes_on(op)))
		return 0;
	return command_refuse(error, -EALREADY, "node %s reads the levels of all nodes%s%s%s%s",
	                      op->owner, missing ? ": node " : "", missing ? missing : "",
	                      missing ? " " : "", missing ? what : "");
}

void own_resume(struct tick *t)
{
	struct operation *op = t->op;

	op->waited_ms = op->unknown_ms = 0;
	if (op->state == OPERATION_HELD && !own_goes_on(op))
		tick_hold_instead(t, OPERATION_HOLD_NEW_OWNER, READING, op->owner);
}
