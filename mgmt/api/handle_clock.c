/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The believed time: looking at it, and accepting the wall clock after a step. The decision itself
 * is in timekeep.c; here it gets an author, a reason and an idempotency key.
 */
#include "base/clock.h"
#include "mgmt/core/field.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/peers/timekeep.h"

void handle_clock(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	reply->json = timekeep_json(core);
	core_unlock(core);
	reply->status = 200;
}

void handle_clock_accept(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct said_body said;
	struct field_reader f;
	bool dry_run, is_flag = handle_flag(r, "dry_run", &dry_run, reply);

	field_read(&f, r->json, &said_body_kind, &said);
	if (!field_end(&f, reply) || !is_flag || !handle_wait_ok(r, reply) ||
	    !handle_scope_has_all(r, "clock", reply))
		return;
	core_lock(core);
	int64_t moved_ms = clock_realtime_ms() - clock_believed_ms();
	if (!dry_run)
		core_attach(core, r);
	if (!dry_run)
		moved_ms = timekeep_accept(core, said.author ? said.author : r->principal,
		                           said.reason);
	core_detach(core);
	reply->json = timekeep_json(core);
	json_object_set_new(reply->json, "moved_ms", json_integer(moved_ms));
	core_changed(core);
	core_unlock(core);
	reply->status = 200;
	if (dry_run)
		json_object_set_new(reply->json, "dry_run", json_true());
	else
		handle_wait(core, r, reply);
}
