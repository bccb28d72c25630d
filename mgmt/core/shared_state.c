/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/shared_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "mgmt/store/bootstrap.h"

#define HEARD_MS 6000u /* without an answer for so long the store cannot be reached: three reads */

enum store_state shared_state_judge(const struct shared_run *r, uint64_t *silent_ms)
{
	*silent_ms = clock_mono_ms() - r->heard_ms;
	return !r->reads                ? STORE_REFUSED
	       : *r->went_back          ? STORE_WENT_BACK
	       : *r->other              ? STORE_OTHER
	       : r->keep_err            ? STORE_UNKEPT
	       : *silent_ms >= HEARD_MS ? STORE_CUT_OFF
	       : r->was_heard           ? STORE_READY
	                                : STORE_UNKNOWN;
}

const char *shared_state_trouble(const struct shared_run *r)
{
	return *r->went_back  ? r->went_back
	       : *r->other    ? r->other
	       : *r->reason   ? r->reason
	       : r->was_heard ? "no member answers"
	                      : "no member has answered yet";
}

void shared_state_note_full(struct core *core, int err, char reason[ETCD_REASON_MAX])
{
	if (core->shared && (!err || err == -ENOSPC))
		core->shared->is_full = err;
	if (err == -ENOSPC && reason)
		snprintf(reason, ETCD_REASON_MAX,
		         "it is full: weir store check shows how to make room");
}

bool shared_state_is_ready(const struct core *core)
{
	uint64_t silent_ms;

	return core->shared && shared_state_judge(core->shared, &silent_ms) == STORE_READY;
}

uint64_t shared_state_cluster(const struct core *core)
{
	return core->shared ? core->shared->origin.cluster_id : 0;
}

void shared_state_origin(const struct core *core, char out[ORIGIN_TEXT_MAX])
{
	const struct shared_run *r = core->shared;
	uint64_t silent_ms;

	out[0] = '\0';
	if (r && r->origin.cluster_id && shared_state_judge(r, &silent_ms) == STORE_READY)
		snprintf(out, ORIGIN_TEXT_MAX, "%" PRIu64 ".%s.%" PRIx64, r->origin.epoch,
		         r->origin.nonce, r->origin.cluster_id);
}

bool shared_state_is_missing(const struct core *core)
{
	return !core->shared && join_has_peers(intent_model(core->intent));
}

const char *shared_state_store_id(const struct core *core)
{
	const struct shared_run *r = core->shared;

	if (!r) /* there may be one now, which is read at the next start */
		return store_conf_is_there(core->dirs.conf) ? NULL : "";
	return *r->conf.id ? r->conf.id : NULL;
}
