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
#include "weir/json.h"

void unconfirmed_refuse(struct core *core, struct http_reply *reply)
{
	const struct version *head = intent_head(core->intent);
	char by[CLOCK_TEXT_MAX];
	struct version back;
	uint64_t to = intent_last_confirmed(core->intent, &back) ? 0 : back.number;

	http_problem(reply, 412, "unconfirmed",
	             "version %" PRIu64
	             " by %s is not confirmed yet and goes back to version %" PRIu64
	             " at %s; confirm it, roll back to %" PRIu64
	             ", or repeat this change with pending \"confirm\" or \"join\"",
	             head->number, head->author, to, clock_text(head->confirm_by_ms, by), to);
	json_object_set_new(reply->json, "version", version_to_json(head, head));
	json_object_set_new(reply->json, "rolls_back_to", json_integer((json_int_t)to));
}

void unconfirmed_add_json(struct core *core, const struct intent_changed *planned, json_t *answer)
{
	const struct version *head = intent_head(core->intent);
	struct version back = { 0 };

	if (!head || !head->confirm_by_ms || !planned->changed)
		return;
	if (!intent_last_confirmed(core->intent, &back) &&
	    !strcmp(back.digest, planned->version.digest))
		return; /* it goes back: that is allowed */
	json_object_set_new(answer, "unconfirmed",
	                    json_pack("{s:I, s:o, s:I, s:o}", "version", (json_int_t)head->number,
	                              "author", json_text(head->author), "rolls_back_to",
	                              (json_int_t)back.number, "confirm_by",
	                              time_to_json(head->confirm_by_ms)));
}
