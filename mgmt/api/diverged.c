/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cure is one `weir rollback` to the head that is kept. Its --force names the digests of all
 * other heads: the new version supersedes them, so every node can follow it. A head that several
 * peers have gives one cure.
 */
#include "mgmt/api/diverged.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/api/core.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/join.h"

/* A head with all that a person needs to tell it from the others. */
static json_t *head_to_json(const char *node, const struct version *v)
{
	return json_pack("{s:s, s:I, s:s, s:o, s:o, s:s, s:o, s:b}", "node", node, "number",
	                 (json_int_t)v->number, "digest", v->digest, "author",
	                 text_to_json(v->author), "reason", text_to_json(v->reason), "made_on",
	                 v->node, "time", time_to_json(v->time_ms), "provisional",
	                 join_is_provisional(v));
}

/* Add @p digest to the list for a command, unless it is there already or is the one to keep. */
static void name_digest(char *list, size_t size, const char *digest, const char *kept)
{
	size_t used = strlen(list);

	if (strcmp(digest, kept) != 0 && !strstr(list, digest))
		snprintf(list + used, size - used, "%s%s", used ? "," : "", digest);
}

/* The command that keeps @p keep, the head of @p node. */
static json_t *cure_to_json(const struct core *core, const char *node, const struct version *keep)
{
	char others[(INTENT_HEADS_MAX + 1) * DIGEST_TEXT_MAX + 1] = "";
	char command[sizeof(others) + 256];
	const struct intent_foreign *f;

	name_digest(others, sizeof(others), intent_head(core->intent)->digest, keep->digest);
	for (size_t i = 0; (f = intent_diverged(core->intent, i)); i++)
		name_digest(others, sizeof(others), f->digest, keep->digest);
	snprintf(command, sizeof(command),
	         "weir rollback %" PRIu64 " --force %s%s --reason \"keep the version of %s\"",
	         keep->number, others, keep->confirm_by_ms ? " --confirm-pending" : "", node);
	return json_pack("{s:s, s:s, s:s}", "keeps", keep->digest, "on", node, "command", command);
}

/* Whether an earlier peer of the list has this head too. */
static bool is_listed_before(const struct core *core, size_t n, const char *digest)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(intent_diverged(core->intent, i)->digest, digest))
			return true;
	return false;
}

json_t *diverged_to_json(const struct core *core)
{
	const struct version *own = intent_head(core->intent);
	json_t *heads = json_array(), *cure = json_array();
	const struct intent_foreign *f;

	if (!own || !intent_diverged(core->intent, 0)) {
		json_decref(heads);
		json_decref(cure);
		return NULL;
	}
	json_array_append_new(cure, cure_to_json(core, core->dirs.node, own));
	for (size_t i = 0; (f = intent_diverged(core->intent, i)); i++) {
		json_array_append_new(heads, head_to_json(f->peer, &f->version));
		if (!is_listed_before(core, i, f->digest))
			json_array_append_new(cure, cure_to_json(core, f->peer, &f->version));
	}
	return json_pack("{s:o, s:o, s:o}", "own", head_to_json(core->dirs.node, own), "heads",
	                 heads, "cure", cure);
}

void diverged_refuse(const struct core *core, struct http_reply *reply)
{
	json_t *diverged = diverged_to_json(core);

	http_problem(reply, 409, "diverged",
	             "this node and a peer have unrelated heads; run one of the commands under "
	             "cure to keep one, or set force to the digests under heads");
	if (diverged)
		json_object_update(reply->json, diverged);
	json_decref(diverged);
}
