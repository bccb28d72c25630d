/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refusal names the version, its author, its deadline and where it goes back to: in the sentence
 * for people, and as fields for programs.
 */
#include "mgmt/api/change/unconfirmed.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/core/to_json.h"
#include "weir/json.h"

/* Whole seconds until then, at least one: who asks again a moment early is refused once more. */
static unsigned count_seconds(int64_t left_ms)
{
	return left_ms > 1000 ? (unsigned)((left_ms + 999) / 1000) : 1;
}

void unconfirmed_refuse(struct core *core, struct http_reply *reply)
{
	const struct version *head = intent_head(core->intent);
	char by[CLOCK_TEXT_MAX];
	struct version v, back;
	if (!intent_waiting(core->intent, &v)) /* it has ended just now */
		v = head ? *head : (struct version){ 0 };
	uint64_t to = intent_last_confirmed(core->intent, &back) ? 0 : back.number;

	const char *until = clock_text(v.confirm_by_ms, by);

	if (*v.canary)
		http_problem(reply, 409, "unconfirmed",
		             "version %" PRIu64
		             " by %s is not confirmed yet, is tried at %s and goes back to version "
		             "%" PRIu64 " at %s; confirm it, or roll back to %" PRIu64,
		             v.number, v.author, v.canary, to, until, to);
	else
		http_problem(reply, 409, "unconfirmed",
		             "version %" PRIu64
		             " by %s is not confirmed yet and goes back to version %" PRIu64
		             " at %s; confirm it, roll back to %" PRIu64
		             ", or repeat this change with pending \"confirm\" or \"join\"",
		             v.number, v.author, to, until, to);
	json_object_set_new(reply->json, "version", version_to_json(&v, &v));
	json_object_set_new(reply->json, "rolls_back_to", json_integer((json_int_t)to));
	reply->retry_s = count_seconds(v.confirm_by_ms - clock_believed_ms());
}

#define UNCONFIRMED_ROWS(X, t)                                                                     \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, author)                                                                 \
	X(t, uint64_t, rolls_back_to)                                                              \
	X(t, struct shown_time, confirm_by)                                                        \
	X(t, const char *, canary, .spare = true)
RECORD_ANSWER(unconfirmed_shown, "unconfirmed", UNCONFIRMED_ROWS);

void unconfirmed_add_json(struct core *core, const struct intent_changed *planned, json_t *answer)
{
	struct version v, back = { 0 };

	if (!intent_waiting(core->intent, &v) || !planned->changed)
		return;
	if (!intent_last_confirmed(core->intent, &back) &&
	    !strcmp(back.digest, planned->version.digest))
		return; /* it goes back: that is allowed */
	const struct unconfirmed_shown shown = { .version = v.number,
		                                 .author = v.author,
		                                 .rolls_back_to = back.number,
		                                 .confirm_by = { v.confirm_by_ms },
		                                 .canary = *v.canary ? v.canary : NULL };
	json_object_set_new(answer, "unconfirmed", record_shown(&unconfirmed_shown_kind, &shown));
}
