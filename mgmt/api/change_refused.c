/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/change_refused.h"

#include <errno.h>
#include <string.h>

#include "mgmt/api/shared_run.h"
#include "mgmt/api/to_json.h"
#include "mgmt/api/unconfirmed.h"

void change_refused_reply(struct core *core, int err, const struct intent_changed *changed,
                          struct http_reply *reply)
{
	switch (err) {
	case -EFBIG: /* of weir.conf; one of the errors says so */
	case -EINVAL:
		http_problem(reply, 422, "mistakes", "the configuration has %zu error%s",
		             changed->errors.n_total, changed->errors.n_total == 1 ? "" : "s");
		json_object_set_new(reply->json, "n_mistakes",
		                    json_integer((json_int_t)changed->errors.n_total));
		json_object_set_new(reply->json, "mistakes", errors_to_json(&changed->errors));
		return;
	case -ENOENT:
		http_problem(reply, 404, "not-found", "there is no such version");
		return;
	case -ENOLINK:
		http_problem(
		        reply, 503, "store-unavailable",
		        "the configuration has other nodes, and this node shares no store with them: "
		        "nothing was changed. Run 'weir store init' on the first host and 'weir store "
		        "join' on the others");
		return;
	case -EBUSY:
		unconfirmed_refuse(core, reply);
		return;
	case -ESTALE:
		http_problem(
		        reply, 412, "not-here",
		        "another version is in force by the store, and its files are not here yet: "
		        "nothing was changed");
		return;
	case -EAGAIN:
		shared_run_refuse_overdue(core, reply);
		return;
	case -ENOSPC:
	case -EROFS:
		http_problem(reply, 503, "store", "the store cannot keep the version: %s",
		             err == -ENOSPC ? strerror(ENOSPC) : intent_store_reason(core->intent));
		return;
	case -ENOMEM:
		http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
		return;
	default:
		http_problem(reply, 500, "internal", "%s", strerror(-err));
	}
}
