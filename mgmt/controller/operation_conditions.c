/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person must know of operations: held, without an owner, lost. */
#include "mgmt/sync/operations_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/peers.h"
#include "weir/condition.h"

#define UNDECIDED_MS                                                                               \
	3000u /* more than two rounds: a change that came first is no reason to say so */

/* State a sentence, cut where names are long, and behind it @p command, which is whole. */
__attribute__((format(printf, 5, 6))) static void add_condition(struct core *core, const char *code,
                                                                const char *subject,
                                                                const char *command,
                                                                const char *format, ...)
{
	char text[CONDITION_TEXT_MAX];
	size_t n = strlen(command), room = n < sizeof(text) ? sizeof(text) - n : 1;
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text, room, format, list);
	va_end(list);
	plain_cut(text, room);
	conditions_add(core->stats, code, CONDITION_DEGRADED, subject, "%s%s", text, command);
}

static bool is_owner_silent(const struct core *core, const struct operation *op)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	const struct peers_report *v = peers_find(reports, n, op->owner);

	return v && v->state == PEERS_UNREACHABLE;
}

/* Whether the owner has left the configuration: then nobody asks it any more. */
static bool is_owner_gone(const struct core *core, const struct operation *op)
{
	const struct model *m = intent_model(core->intent);

	return m && !model_node(m, op->owner);
}

/* Whoever looks at another node must learn it there: the owner itself says nothing any more. */
static void add_owner(struct core *core, const struct operation *op)
{
	const char *reason = is_owner_gone(core, op)     ? "is not in the configuration any more"
	                     : is_owner_silent(core, op) ? "does not answer"
	                                                 : NULL;
	char command[CONDITION_TEXT_MAX];

	(void)snprintf(command, sizeof(command), "; at once: weir operation %s take --reason TEXT",
	               op->id);
	if (reason)
		add_condition(core, "operation-owner-silent", op->id, command,
		              "owner %s of the operation on site %s %s: levels stay as they are "
		              "until another node owns it",
		              op->owner, op->targets[0].site, reason);
}

/* Why nobody goes on with it, as far as this node knows; NULL: somebody does. */
static const char *find_wait(struct core *core, const struct operations_item *item)
{
	if (item->unread)
		return "its record in the store cannot be read here";
	if (!operations_is_own(core, &item->op))
		return NULL;
	if (!operation_is_owned_here(core, &item->op))
		return "the store does not say that this node owns it";
	if (item->undecided_ms && clock_mono_ms() - item->undecided_ms >= UNDECIDED_MS)
		return "the store decides no change of it";
	return NULL;
}

/* Its owner may not go on, or cannot. */
static void add_waiting(struct core *core, const struct operations_item *item)
{
	const struct operation *op = &item->op;
	const char *reason = find_wait(core, item);
	char text[OPERATION_COMMAND_MAX], command[CONDITION_TEXT_MAX];
	const char *clocked = operation_clocked_text(op, text);

	(void)snprintf(command, sizeof(command), "%s%s", clocked ? ". Without the store: " : "",
	               clocked ? clocked : "");
	if (reason)
		add_condition(core, "operation-waits", op->id, command,
		              "the operation on site %s begins no step, because %s; what was "
		              "decided comes into force, and it goes on by itself here or at "
		              "another node",
		              op->targets[0].site, reason);
}

/* It goes on by itself, or a person names the node absent that it waits for. */
static void add_new_owner(struct core *core, const struct operation *op)
{
	char command[CONDITION_TEXT_MAX];

	(void)snprintf(command, sizeof(command),
	               "; weir operation %s resume --without NODE --reason TEXT, or abort", op->id);
	add_condition(core, "operation-held", op->id, command,
	              "the operation on site %s is held (%s): %s, then it goes on by itself%s%s",
	              op->targets[0].site, op->hold.code, op->hold.detail,
	              *op->waits ? "; now: " : "", op->waits);
}

void operations_add_warnings(struct core *core, const struct advice *advice, json_t *warnings)
{
	const struct operations_item *item;

	for (size_t i = 0; advice->n_nodes && (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;
		size_t k = 0;

		while (k < advice->n_nodes && strcmp(advice->nodes[k].node, op->owner) != 0)
			k++;
		if (k == advice->n_nodes && !operation_is_over(op))
			json_array_append_new(
			        warnings,
			        json_sprintf("node %s owns the operation on site %s and is not in "
			                     "this configuration: nothing of it would go on by "
			                     "itself, nor return; first, at another node: weir "
			                     "operation %s take --reason TEXT",
			                     op->owner, op->targets[0].site, op->id));
	}
}

static void add_held(struct core *core, const struct operation *op)
{
	const char *verb = operation_resume_verb(op);
	bool has_expired = op->state == OPERATION_EXPIRED_HELD, ends = !strcmp(verb, "abort");
	char command[CONDITION_TEXT_MAX];

	(void)snprintf(command, sizeof(command), "; %sweir operation %s %s --reason TEXT%s",
	               has_expired && !strcmp(verb, "resume") ? "return: " : "", op->id, verb,
	               has_expired || ends || operation_goes_back(op) ? ""
	               : operation_may_abort(op)                      ? ", or abort"
	                                                              : ", or undrain the site");
	if (op->state == OPERATION_HELD && rule_is(OPERATION_HOLD_NEW_OWNER, op->hold.code))
		add_new_owner(core, op);
	else
		add_condition(core, has_expired ? "operation-expired-held" : "operation-held",
		              op->id, command, "the %soperation on site %s is %sheld (%s): %s",
		              has_expired ? "time of the " : "", op->targets[0].site,
		              has_expired ? "over while it is " : "", op->hold.code,
		              op->hold.detail);
}

/* A level whose operation is not known here, and that no other has taken over: nobody moves it or returns it. */
static bool is_lost(struct core *core, const struct override *o)
{
	const struct operations_item *item;

	if (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE || o->ended ||
	    !*o->operation || operations_find(core, o->operation))
		return false;
	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (!operation_is_over(&item->op) && operation_has_override(&item->op, o->id))
			return false;
	return true;
}

static void add_lost(struct core *core, const struct override *o, uint32_t level_ppm)
{
	char command[CONDITION_TEXT_MAX];

	(void)snprintf(command, sizeof(command), "; weir undrain site %s%s%s --reason TEXT",
	               o->name, *o->service ? " --service " : "", o->service);
	add_condition(core, "operation-lost", o->name, command,
	              "%u %% of the site's clients are elsewhere by operation %s, which is not "
	              "known here (lost, or this node does not follow the store): nothing moves or "
	              "returns by itself",
	              level_ppm / 10000, o->operation);
}

/* After a start records may still come from the store: that takes a moment. */
static void add_all_lost(struct core *core)
{
	const struct overrides *all = intent_overrides(core->intent);
	uint64_t now_ms = clock_mono_ms(), since_ms = core->operations->lost_ms;
	bool any = false;

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (!is_lost(core, o))
			continue;
		any = true;
		if (since_ms && now_ms - since_ms >= OPERATIONS_LOST_MS)
			add_lost(core, o, overrides_level(all, o, clock_believed_ms()));
	}
	core->operations->lost_ms = !any ? 0 : since_ms ? since_ms : now_ms;
}

void operations_add_conditions(struct core *core)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n; i++) {
		const struct operation *op = &o->items[i]->op;

		if (operation_is_held(op))
			add_held(core, op);
		if (operation_is_over(op))
			continue;
		add_owner(core, op);
		add_waiting(core, o->items[i]);
	}
	if (o)
		add_all_lost(core);
}
