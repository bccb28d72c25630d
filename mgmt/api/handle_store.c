/* SPDX-License-Identifier: BSD-2-Clause */
/* The store that nodes share. */
#include "mgmt/core/field.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/sync/shared_recover.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/store/shared.h"

void handle_store(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	reply->json = shared_run_json(core);
	core_unlock(core);
	reply->status = 200;
}

/* Read what both commands have in common. @return whether to go on; else @p reply says why not */
static bool read_recovery(const struct http_request *r, struct recover_request *out,
                          struct http_reply *reply)
{
	struct said_body said;
	struct field_reader f;

	*out = (struct recover_request){ .request = r };
	if (!handle_flag(r, "dry_run", &out->dry_run, reply))
		return false;
	field_read(&f, r->json, &said_body_kind, &said);
	out->reason = said.reason;
	out->author = said.author ? said.author : r->principal;
	return field_end(&f, reply) && handle_scope_has_all(r, "store", reply);
}

void handle_store_accept(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct recover_request q;

	if (read_recovery(r, &q, reply))
		shared_recover_accept(core, &q, reply);
}

void handle_store_rebuild(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct recover_request q;

	if (read_recovery(r, &q, reply))
		shared_recover_rebuild(core, &q, reply);
}

void handle_peer_store(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t after;

	if (!json_read_count(json_object_get(r->json, "after"), SHARED_NUMBER_END - 1, &after)) {
		http_problem(reply, 400, "bad-request", "expected a number after");
		return;
	}
	core_lock(core);
	reply->json = shared_recover_peer_json(core, after);
	core_unlock(core);
	reply->status = 200;
}
