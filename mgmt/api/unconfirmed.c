/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refusal names the version, its author, its deadline and where it goes back to: in the sentence
 * for people, and as fields for programs.
 */
#include "mgmt/api/unconfirmed.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/shared_intent.h"
#include "weir/json.h"

/* The version that is to be in force, though none is here: @p out. */
static const struct version *find_chosen(const struct core *core, struct version *out)
{
	const struct version_history *h = shared_intent_history(core->intent);
	struct pending_clock clock;
	int64_t left_ms;

	pending_clock_read(&clock);
	const struct version *v = history_in_force(h, clock.now_ms);

	*out = v ? *v : (struct version){ 0 };
	if (v && history_is_open(h, clock.now_ms, &left_ms))
		out->confirm_by_ms = left_ms == CHAIN_NEVER ? v->time_ms + v->confirm_within_ms
		                                            : clock_believed_ms() + left_ms;
	return out;
}

/* Whole seconds until then, at least one: who asks again a moment early is refused once more. */
static unsigned count_seconds(int64_t left_ms)
{
	return left_ms > 1000 ? (unsigned)((left_ms + 999) / 1000) : 1;
}

void unconfirmed_refuse(struct core *core, struct http_reply *reply)
{
	struct version chosen;
	const struct version *head =
	        intent_head(core->intent) ? intent_head(core->intent) : find_chosen(core, &chosen);
	char by[CLOCK_TEXT_MAX];
	struct version back;
	uint64_t to = intent_last_confirmed(core->intent, &back) ? 0 : back.number;

	http_problem(reply, 409, "unconfirmed",
	             "version %" PRIu64
	             " by %s is not confirmed yet and goes back to version %" PRIu64
	             " at %s; confirm it, roll back to %" PRIu64
	             ", or repeat this change with pending \"confirm\" or \"join\"",
	             head->number, head->author, to, clock_text(head->confirm_by_ms, by), to);
	json_object_set_new(reply->json, "version", version_to_json(head, head));
	json_object_set_new(reply->json, "rolls_back_to", json_integer((json_int_t)to));
	reply->retry_s = count_seconds(head->confirm_by_ms - clock_believed_ms());
}

#define UNCONFIRMED_ROWS(X, t)                                                                     \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, author)                                                                 \
	X(t, uint64_t, rolls_back_to)                                                              \
	X(t, struct shown_time, confirm_by)
RECORD_ANSWER(unconfirmed_shown, "unconfirmed", UNCONFIRMED_ROWS);

void unconfirmed_add_json(struct core *core, const struct intent_changed *planned, json_t *answer)
{
	const struct version *head = intent_head(core->intent);
	struct version back = { 0 };

	if (!head || !head->confirm_by_ms || !planned->changed)
		return;
	if (!intent_last_confirmed(core->intent, &back) &&
	    !strcmp(back.digest, planned->version.digest))
		return; /* it goes back: that is allowed */
	const struct unconfirmed_shown shown = { .version = head->number,
		                                 .author = head->author,
		                                 .rolls_back_to = back.number,
		                                 .confirm_by = { head->confirm_by_ms } };
	json_object_set_new(answer, "unconfirmed", record_shown(&unconfirmed_shown_kind, &shown));
}
