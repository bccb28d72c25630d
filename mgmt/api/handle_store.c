/* SPDX-License-Identifier: BSD-2-Clause */
/* The store that nodes share. */
#include "mgmt/api/handle.h"
#include "mgmt/api/shared_run.h"

void handle_store(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	reply->json = shared_run_json(core);
	core_unlock(core);
	reply->status = 200;
}
