/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages are opened for one look and closed again, so a process that starts again is seen at once.
 * weir-dns has no page: what it said last on its control socket is kept with its time, and counts
 * no more when it is old.
 */
#include "mgmt/observe/observe_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/page.h"
#include "weir/announce.h"
#include "weir/json.h"
#include "weir/model.h"

#define DNS_QUERY_MS 300 /* for weir-dns: a hanging one must not stop the looks */

json_t *observe_dns(struct core *core)
{
	const struct observe *o = core->observe;

	return o->dns && life_silent_ms(o->dns_ms, clock_mono_ms()) <= OBSERVE_STALE_MS ? o->dns
	                                                                                : NULL;
}

void observe_query_dns(struct core *core)
{
	char path[PATH_MAX], *line = NULL;
	json_t *said = NULL;

	if (!proc_path(core->dirs.run, "dns.ctl", path) &&
	    !ctl_request(path, "{\"do\":\"status\"}", DNS_QUERY_MS, &line))
		said = json_read(line, strlen(line), 0, NULL);
	free(line);
	core_lock(core);
	if (said) {
		json_decref(core->observe->dns);
		core->observe->dns = said;
		core->observe->dns_ms = clock_mono_ms();
	}
	core_unlock(core);
}

bool observe_load(struct core *core, uint64_t *bits_per_s)
{
	*bits_per_s = core->observe->rate;
	return core->observe->rate_known;
}

bool observe_dns_rate(const struct core *core, uint64_t *milli)
{
	return core->observe && dns_rate_get(&core->observe->dns_rate, milli);
}

/* Under the lock. */
static bool find_traffic(const struct core *core, const char *vip, uint64_t now_ms,
                         struct vip_traffic_row *out)
{
	return core->observe && core->observe->traffic &&
	       vip_traffic_find(core->observe->traffic, vip, now_ms, out);
}

bool observe_vip_traffic(struct core *core, const char *name, struct announcement_traffic *out)
{
	struct vip_traffic_row row;

	core_lock(core);
	bool is_known = find_traffic(core, name, clock_mono_ms(), &row);
	core_unlock(core);
	if (is_known)
		*out = (struct announcement_traffic){ .packets = row.packets,
			                              .since_ms = row.since_ms,
			                              .arrived_ms = row.arrived_ms };
	return is_known;
}

static bool has_arrived(const struct core *core, const char *vip, uint64_t now_ms)
{
	struct vip_traffic_row row;

	return find_traffic(core, vip, now_ms, &row) && row.arrived_ms &&
	       now_ms < row.arrived_ms + OBSERVE_ARRIVED_MS;
}

json_t *observe_arrivals(const struct core *core, const struct model *m)
{
	uint64_t now_ms = clock_mono_ms();
	json_t *words = json_object();

	for (size_t i = 0; announcements_apply(m) && i < m->self->announce.n_vips; i++) {
		const char *vip = m->self->announce.vips[i]->name;

		if (has_arrived(core, vip, now_ms))
			json_object_set_new(words, vip, json_true());
	}
	return words;
}

/* Whether the configuration names a routing daemon for this node. */
static bool has_routing_daemon(const struct core *core)
{
	const struct model *m = intent_model(core->intent);

	return m && m->self && m->self->announce.daemon != MODEL_DAEMON_NONE;
}

/* By which document weir-announce announces. */
static uint64_t announced_document(const struct core *core)
{
	struct announced_page *page;
	struct announced_node node = { .document = 0 };

	if (announced_open(core->dirs.run, &page))
		return 0;
	int err = announced_read(page, &node, NULL, 0, NULL);

	announced_close(page);
	return err ? 0 : node.document;
}

static uint64_t document_of(struct core *core, enum observe_process p, bool *refused)
{
	struct observe_pages pages = { 0 };
	uint64_t document = 0;

	if (p == OBSERVE_DNS)
		return (uint64_t)json_integer_value(
		        json_object_get(core->observe->dns, "document"));
	if (p == OBSERVE_MGMT)
		return intent_document(core->intent);
	if (p == OBSERVE_ANNOUNCE)
		return announced_document(core);
	if (p == OBSERVE_HEALTH) {
		observe_open_health(core->dirs.run, &pages);
		document = pages.health ? pages.health->document : 0;
	} else {
		observe_open_effect(core->dirs.run, &pages);
		document = pages.total.document;
		*refused = pages.effect ? pages.total.refused != 0 : *refused;
	}
	observe_close(&pages);
	return document;
}

struct gather_process observe_look(struct core *core, enum observe_process p,
                                   struct conditions *conditions)
{
	bool announces = p == OBSERVE_ANNOUNCE && has_routing_daemon(core);
	const struct observed_process *observed = &core->observe->processes[p];
	/* where this process's main thread hangs, it does not look either */
	const struct life_watch *watch = p == OBSERVE_MGMT ? &core->observe->watch : &core->watch;
	struct gather_process s;

	gather_process(core->dirs.run, observe_name(p), watch, &s, conditions);
	/* the page of a weir-announce that was configured once is no sign of a failure */
	if (p == OBSERVE_ANNOUNCE && !announces && !s.running)
		s = (struct gather_process){ .age_ms = UINT64_MAX };
	s.announces = announces;
	/* of a process that died while it wrote its page, nothing is read under the lock */
	if (s.present && (p != OBSERVE_ANNOUNCE || s.running))
		s.document = document_of(core, p, &s.refused);
	if (observed->behind_ms && s.document <= observed->document)
		s.pending_ms = life_silent_ms(observed->behind_ms, clock_mono_ms());
	return s;
}
