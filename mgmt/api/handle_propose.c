/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving side of a proposal (mgmt/api/propose.h): grant a reservation, and take a version
 * that is handed over. A version is taken only if it follows directly from the own head; otherwise
 * the answer tells the proposer which case it is, and versions in between are fetched by the
 * peers' thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/handle_files.h"
#include "mgmt/api/propose.h"
#include "mgmt/api/shared_files.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/yield.h"
#include "mgmt/store/records.h"

static bool is_equal_version(const struct version *a, const struct version *b)
{
	return a->number == b->number && !strcmp(a->digest, b->digest);
}

/*
 * Read the sender and its version. @return whether it is of this cluster; else @p reply is set.
 * Under the lock.
 */
static bool read_proposal(struct core *core, const struct http_request *r, const char **node,
                          struct version *v, struct http_reply *reply)
{
	const char *cluster = json_string_value(json_object_get(r->json, "cluster"));
	const struct model *m = intent_model(core->intent);

	*node = json_string_value(json_object_get(r->json, "node"));
	if (!*node || !**node || strlen(*node) >= MODEL_NAME_MAX || !cluster ||
	    record_from_json(&version_record, json_object_get(r->json, "version"), v, NULL)) {
		http_problem(reply, 400, "bad-request", "expected node, cluster and version");
		return false;
	}
	if (!m || strcmp(m->cluster, cluster) != 0) {
		http_problem(reply, 409, "other-cluster",
		             "this node belongs to another cluster or has no version yet");
		return false;
	}
	return true;
}

void handle_peer_reserve(struct core *core, struct http_request *r, struct http_reply *reply)
{
	static const char *const states[] = { "granted", "reserved", "stale" };
	const json_t *record = json_object_get(r->json, "parent");
	struct version v, parent;
	const char *node, *state = "released", *holder;

	core_lock(core);
	if (!read_proposal(core, r, &node, &v, reply)) {
		core_unlock(core);
		return;
	}
	if (json_is_true(json_object_get(r->json, "release")))
		reserve_release(&core->reserved, node);
	else if (json_is_null(record))
		state = states[propose_grant(core, node, NULL, &v)];
	else if (!record_from_json(&version_record, record, &parent, NULL))
		state = states[propose_grant(core, node, &parent, &v)];
	else
		state = "stale";
	holder = reserve_holder(&core->reserved, clock_mono_ms());
	reply->json = json_pack("{s:s, s:s}", "state", state, "holder", holder ? holder : "");
	reply->status = 200;
	core_unlock(core);
}

/*
 * Our head gives way to a person's @p v if it is an automatic rollback of the same parent, or
 * untold from an earlier run. It never gives way to an automatic rollback.
 */
static void clear_way(struct core *core, const struct version *v, const char *node)
{
	const struct version *head = intent_head(core->intent);
	int64_t now_ms = clock_believed_ms();

	if (!head || v->undoes || strcmp(v->parent, head->parent) != 0)
		return;
	/* what the pusher has: its version, and that version's parent */
	const struct version list[] = {
		*v,
		{ .number = head->undoes ? head->undoes : head->number - 1, .confirm_by_ms = 1 },
	};
	struct version two[2] = { list[0], list[1] };
	memcpy(two[1].digest, v->parent, sizeof(two[1].digest));
	if (!core->proposing && !is_equal_version(head, v))
		yield_to(core->intent, two, 2, node, now_ms);
}

/*
 * Accept the version if it follows our head; @p err_text is set if it is refused. Under the lock.
 * @return the state for the answer
 */
static const char *accept_pushed(struct core *core, const struct http_request *r,
                                 const struct version *v, const char *node,
                                 char err_text[HTTP_TEXT_MAX])
{
	struct intent_offer offer = { .version = *v };
	struct version own;

	clear_way(core, v, node);
	const struct version *head = intent_head(core->intent);
	if (head && !intent_version(core->intent, v->number, &own, NULL) &&
	    is_equal_version(&own, v))
		return "taken";
	if (yield_is_untold(core->intent))
		return "untold";
	if (head && intent_relate(core->intent, v, 1) != INTENT_AHEAD)
		return "stale";
	if (!head || strcmp(v->parent, head->digest) != 0) {
		peers_poke(core, false); /* what is between is fetched, and replaces what lost */
		return "behind";
	}
	const struct file_source source = { handle_files_find_locked, core };
	int read =
	        files_from_json(json_object_get(r->json, "files"), &source, &offer.files, err_text);
	if (read == -ENOENT || read == -EBADMSG) {
		peers_poke(core, false); /* large files are fetched */
		return "behind";
	}
	if (read)
		return "refused";
	int err = intent_accept(core->intent, &offer, 1, clock_believed_ms());
	files_fini(&offer.files);
	if (err) {
		snprintf(err_text, HTTP_TEXT_MAX, "%s", peers_refusal(core, v, err));
		return "refused";
	}
	reserve_follow(&core->reserved, intent_head(core->intent));
	inforce_judge(core); /* begins with the document: the pusher asks at once */
	core_changed(core);
	return "taken";
}

/* Of shared intent: the files of a version that is not decided yet. */
static void stage_pushed(struct core *core, const struct http_request *r, const char *node,
                         const struct version *v, struct http_reply *reply)
{
	int err = shared_files_stage(core, node, v, json_object_get(r->json, "files"));

	reply->json = json_pack("{s:s}", "state", err ? "refused" : "staged");
	if (err)
		json_object_set_new(reply->json, "why", json_string(strerror(-err)));
	reply->status = 200;
}

void handle_peer_push(struct core *core, struct http_request *r, struct http_reply *reply)
{
	char err_text[HTTP_TEXT_MAX] = "";
	const char *node;
	struct version v;

	core_lock(core);
	bool is_sound = read_proposal(core, r, &node, &v, reply);

	if (is_sound && core->shared) {
		core_unlock(core);
		stage_pushed(core, r, node, &v, reply);
		return;
	}
	if (is_sound) {
		const char *state = accept_pushed(core, r, &v, node, err_text);
		const struct version *head = intent_head(core->intent);

		reply->json = json_pack("{s:s, s:o}", "state", state, "head",
		                        head ? record_to_json(&version_record, head) : json_null());
		if (!strcmp(state, "refused"))
			json_object_set_new(reply->json, "why", text_to_json(err_text));
		reply->status = 200;
	}
	core_unlock(core);
}
