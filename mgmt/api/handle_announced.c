/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node announces to routers: GET /v1/announcements, and its part of the status. Each node
 * answers for itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/status/look.h"
#include "mgmt/json/announcement.h"

static bool find_traffic(void *arg, const char *vip, struct announcement_traffic *out)
{
	return observe_vip_traffic(arg, vip, out);
}

json_t *handle_announcements_json(const struct look *l, const char *vip, uint64_t limit)
{
	const uint64_t now_ms = clock_mono_ms();
	const struct announcement_filter filter = { .vip = vip,
		                                    .limit = limit,
		                                    .wall_clock_ms = clock_believed_at(now_ms),
		                                    .traffic_of = find_traffic,
		                                    .arg = l->core };
	struct announcements a;
	json_t *out = NULL;

	if (!announcements_apply(l->m))
		return NULL;
	if (!announcements_read(l->core->dirs.run, l->m, now_ms, &a))
		out = announcements_to_json(&a, &filter);
	announcements_fini(&a);
	return out;
}

static bool has_vip(const struct model *m, const char *name)
{
	for (size_t i = 0; m && i < m->n_vips; i++)
		if (!strcmp(m->vips[i].name, name))
			return true;
	return false;
}

void handle_announcements(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct look *l = calloc(1, sizeof(*l));
	const char *vip = http_query(r, "vip");
	uint64_t limit;
	bool failed = !l || look_init(core, l);

	reply->status = 200;
	if (failed) {
		http_problem(reply, 503, "busy", "out of memory");
	} else if (vip && !has_vip(l->m, vip)) {
		http_problem(reply, 404, "not-found", "there is no VIP %.64s", vip);
	} else if (handle_number(r, "limit", 1, 100000, 0, &limit, reply)) {
		/* without a routing daemon nothing is announced, which is no error */
		reply->json = announcements_apply(l->m)
		                      ? handle_announcements_json(l, vip, limit)
		                      : announcements_none_to_json(l->core->dirs.node);
		if (!reply->json)
			http_problem(reply, 503, "busy", "out of memory");
	}
	if (l)
		look_fini(l);
	free(l);
}
