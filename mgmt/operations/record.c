/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of operations: their words, their order, and what must hold in them. The words are in one table each
 * (operation.h); the order compares the fields that are merged one by one, never memory with
 * padding.
 */
#include "mgmt/operations/operation.h"

#include <string.h>

#include "base/hash.h"
#include "mgmt/overrides/hlc.h"

static const char *const kind_texts[OPERATION_KIND_COUNT] = { "drain", "shift" };
static const char *const state_texts[OPERATION_STATE_COUNT] = {
#define STATE_TEXT(text, name) text,
	OPERATION_STATES(STATE_TEXT)
#undef STATE_TEXT
};
static const char *const stage_texts[OPERATION_STAGE_COUNT] = {
	"pools", "announce", "outside", "backup", "steps",
};

static int find_text(const char *const *texts, int n, const char *text)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(texts[i], text))
			return i;
	}
	return -1;
}

const char *operation_kind_text(enum operation_kind kind)
{
	return kind_texts[kind];
}

const char *operation_state_text(enum operation_state state)
{
	return state_texts[state];
}

const char *operation_stage_text(enum operation_stage stage)
{
	return stage_texts[stage];
}

int operation_state_find(const char *text)
{
	return find_text(state_texts, OPERATION_STATE_COUNT, text);
}

bool operation_is_same(const struct operation *a, const struct operation *b)
{
	return a->epoch == b->epoch && a->seq == b->seq && !strcmp(a->owner, b->owner);
}

bool operation_is_over(const struct operation *op)
{
	return op->state == OPERATION_DONE || op->state == OPERATION_ABORTED ||
	       op->state == OPERATION_FAILED;
}

bool operation_is_held(const struct operation *op)
{
	return op->state == OPERATION_HELD || op->state == OPERATION_EXPIRED_HELD;
}

enum operation_state operation_unheld_state(const struct operation *op)
{
	return operation_is_held(op) ? op->hold.from : op->state;
}

bool operation_moves(const struct operation *op)
{
	if (op->way == OPERATION_BACK && !op->level_ppm && !op->step_runs)
		return false; /* it waits for its end (recovery.c) */
	if (op->state == OPERATION_RETURNING)
		return op->stage == OPERATION_STAGE_STEPS;
	return op->state == OPERATION_STARTING || op->state == OPERATION_MOVING ||
	       op->state == OPERATION_ABORTING;
}

bool operation_is_under_way(const struct operation *op)
{
	enum operation_state state = operation_unheld_state(op);

	return state == OPERATION_MOVING || state == OPERATION_RETURNING ||
	       state == OPERATION_ABORTING;
}

bool operation_may_abort(const struct operation *op)
{
	return operation_unheld_state(op) == OPERATION_STARTING || operation_is_under_way(op);
}

bool operation_targets_site(const struct operation *op, const char *site)
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		if (!strcmp(op->targets[i].site, site))
			return true;
	}
	return false;
}

bool operation_moves_service(const struct operation *op, const char *service)
{
	return !*op->service || !strcmp(op->service, service);
}

bool operation_has_override(const struct operation *op, const char *override_id)
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		if (!strcmp(op->targets[i].override_id, override_id))
			return true;
	}
	return false;
}

bool operation_is_without(const struct operation *op, const char *node)
{
	for (uint32_t i = 0; i < op->n_without; i++) {
		if (!strcmp(op->without[i], node))
			return true;
	}
	return false;
}

bool operation_took_part(const struct operation *op, const char *node)
{
	uint64_t key = hash_text(node);

	for (uint32_t i = 0; i < op->n_took_part; i++) {
		if (op->took_part[i] == key)
			return true;
	}
	return false;
}

uint32_t operation_owner_epoch(uint32_t epoch)
{
	return (epoch / OPERATION_EPOCHS + 1) * OPERATION_EPOCHS;
}

bool operation_may_own(uint32_t epoch)
{
	return epoch < OPERATION_EPOCH_MAX - OPERATION_EPOCHS;
}

bool operation_may_turn(const struct operation *op)
{
	return op->epoch < OPERATION_EPOCH_MAX - 1;
}

/* --- checking one --- */

/* As in URLs, logs and overrides. */
static bool is_id(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static bool are_levels_ok(const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_plan; i++)
		if (op->plan_ppm[i] > MODEL_PPM_ALL)
			return false;
	for (uint32_t i = 0; i < op->n_steps; i++)
		if (op->steps[i].to_ppm > MODEL_PPM_ALL || op->steps[i].from_ppm > MODEL_PPM_ALL)
			return false;
	return op->goal_ppm <= MODEL_PPM_ALL && op->began_ppm <= MODEL_PPM_ALL &&
	       op->level_ppm <= MODEL_PPM_ALL && op->met_ppm <= MODEL_PPM_ALL &&
	       op->plan_from_ppm <= MODEL_PPM_ALL && op->write.from_ppm <= MODEL_PPM_ALL &&
	       op->write.to_ppm <= MODEL_PPM_ALL;
}

/* A running step is in the history and in the plan. */
static bool is_step_ok(const struct operation *op)
{
	return op->step <= op->n_plan && (!op->step_runs || (op->n_steps && op->step < op->n_plan));
}

static bool are_names_ok(const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_targets; i++)
		if (!*op->targets[i].site)
			return false;
	return op->n_targets && is_id(op->id) && *op->owner;
}

static bool are_times_ok(const struct operation *op)
{
	return op->created_ms >= 0 && op->until_ms >= 0 && op->over_ms >= 0 &&
	       op->over_ms <= OPERATION_OVER_MAX_MS && op->write.over_ms >= 0 &&
	       op->write.over_ms <= OPERATION_OVER_MAX_MS;
}

/* There is always a higher one: a turn and the next owner count on. */
static bool is_age_ok(const struct operation *op)
{
	return op->stamp && op->stamp < HLC_END && op->epoch >= 1 &&
	       op->epoch < OPERATION_EPOCH_MAX && op->seq <= INT64_MAX / 2;
}

bool operation_ok(const struct operation *op)
{
	return are_levels_ok(op) && is_step_ok(op) && are_names_ok(op) && are_times_ok(op) &&
	       is_age_ok(op);
}
