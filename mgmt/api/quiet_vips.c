/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is not known makes no VIP quiet: neither a counter that cannot be read, nor an export that
 * the routing daemon has not confirmed, nor a peer that does not answer. A round needs the lock only
 * for the document and for its result.
 */
#include "mgmt/api/quiet_vips.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/peers.h"
#include "mgmt/http/client.h"
#include "mgmt/json/announcement.h"
#include "weir/condition.h"
#include "weir/json.h"
#include "weir/proof.h"

/* A VIP without packets, and a node that gets some. */
struct quiet_vip {
	char vip[MODEL_NAME_MAX], node[MODEL_NAME_MAX]; /* node: "" before one is found */
};

struct quiet_vips {
	struct thread thread;
	struct peer_client client;
	struct quiet_vip found[QUIET_VIPS_MAX], shown[QUIET_VIPS_MAX]; /* shown: under the lock */
	size_t n, n_shown;
};

/* --- what this node says --- */

json_t *quiet_vips_to_json(struct core *core)
{
	uint64_t now_ms = clock_mono_ms();
	json_t *arrived = json_object();

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	const struct model *m = intent_shared_model(shared);
	for (size_t i = 0; announcements_apply(m) && i < m->self->announce.n_vips; i++) {
		const char *vip = m->self->announce.vips[i]->name;
		struct announcement_traffic t;

		if (observe_vip_traffic(core, vip, &t) && t.arrived_ms)
			json_object_set_new(
			        arrived, vip,
			        json_integer((json_int_t)(now_ms > t.arrived_ms
			                                          ? now_ms - t.arrived_ms
			                                          : 0)));
	}
	json_t *answer = json_pack("{s:s, s:s, s:o}", "node", core->dirs.node, "cluster",
	                           m ? m->cluster : "", "arrived_ms", arrived);
	intent_unshare(shared);
	return answer;
}

/* --- which VIPs are quiet here --- */

static bool is_quiet(struct core *core, const struct announcements *a,
                     const struct announcement *it)
{
	struct announcement_traffic t;

	if (!it->vip || !it->shown || it->shown->table != ANNOUNCE_NORMAL ||
	    a->now_ms < it->shown->since_ms + QUIET_VIPS_MS ||
	    announcement_exported(a, it) != PROOF_YES || !observe_vip_traffic(core, it->vip, &t))
		return false;
	return a->now_ms >= t.since_ms + QUIET_VIPS_MS && a->now_ms >= t.arrived_ms + QUIET_VIPS_MS;
}

static bool is_listed(const struct quiet_vips *q, const char *vip)
{
	for (size_t i = 0; i < q->n; i++)
		if (!strcmp(q->found[i].vip, vip))
			return true;
	return false;
}

static void find_quiet(struct core *core, struct quiet_vips *q, const struct model *m)
{
	struct announcements a;

	q->n = 0;
	if (!announcements_apply(m))
		return;
	if (!announcements_read(core->dirs.run, m, clock_mono_ms(), &a))
		for (size_t i = 0; i < a.n && q->n < QUIET_VIPS_MAX; i++)
			if (is_quiet(core, &a, &a.items[i]) && !is_listed(q, a.items[i].vip))
				snprintf(q->found[q->n++].vip, sizeof(q->found[0].vip), "%s",
				         a.items[i].vip);
	announcements_fini(&a);
}

/* --- what the other nodes say --- */

/* The nodes of the own site that have an API. */
static size_t list_site_nodes(const struct model *m, const struct model_node *out[PEERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_nodes && n < PEERS_MAX; i++)
		if (&m->nodes[i] != m->self && m->nodes[i].site == m->self->site &&
		    *m->nodes[i].api && strlen(m->nodes[i].api) < CLIENT_URL_MAX / 2)
			out[n++] = &m->nodes[i];
	return n;
}

/* Whether packets for a VIP arrived at that node within the time in which none arrived here. */
static bool has_arrived(const json_t *answer, const char *vip)
{
	const json_t *age = json_object_get(json_object_get(answer, "arrived_ms"), vip);
	uint64_t age_ms;

	return json_read_count(age, QUIET_VIPS_MS - 1, &age_ms);
}

static void note_answer(struct quiet_vips *q, const json_t *answer, const char *node,
                        const char *cluster)
{
	if (!json_has_text(answer, "node", node) || !json_has_text(answer, "cluster", cluster))
		return;
	for (size_t i = 0; i < q->n; i++)
		if (!*q->found[i].node && has_arrived(answer, q->found[i].vip))
			snprintf(q->found[i].node, sizeof(q->found[i].node), "%s", node);
}

static void query_site(struct quiet_vips *q, const struct model *m)
{
	struct client_request *requests = calloc(PEERS_MAX, sizeof(*requests));
	const struct model_node *nodes[PEERS_MAX];
	size_t n = requests ? list_site_nodes(m, nodes) : 0;

	for (size_t i = 0; i < n; i++) {
		requests[i] = (struct client_request){ .timeout_ms = QUIET_VIPS_TIMEOUT_MS,
			                               .answer_max = QUIET_VIPS_ANSWER_MAX };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s/v1/peer/vip-traffic",
		         nodes[i]->api);
	}
	if (n)
		client_send(&q->client, requests, n);
	for (size_t i = 0; i < n; i++) {
		if (requests[i].answer)
			note_answer(q, requests[i].answer, nodes[i]->name, m->cluster);
		json_decref(requests[i].answer);
	}
	free(requests);
	client_close(&q->client); /* it may be long until the next time */
}

/* --- the thread --- */

static void show_found(struct quiet_vips *q)
{
	q->n_shown = 0;
	for (size_t i = 0; i < q->n; i++)
		if (*q->found[i].node)
			q->shown[q->n_shown++] = q->found[i];
}

static void look_for_quiet_vips(struct core *core)
{
	struct quiet_vips *q = core->quiet_vips;
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_model(shared);

	core_unlock(core);
	memset(q->found, 0, sizeof(q->found));
	find_quiet(core, q, m);
	if (q->n)
		auth_peer_token(core->dirs.conf, q->client.token);
	if (q->n && q->client.token[0])
		query_site(q, m);
	core_lock(core);
	intent_unshare(shared);
	show_found(q);
}

void quiet_vips_state(struct core *core)
{
	const struct quiet_vips *q = core->quiet_vips;

	for (size_t i = 0; q && i < q->n_shown; i++)
		conditions_add(core->stats, "vip-without-packets", CONDITION_DEGRADED,
		               q->shown[i].vip,
		               "announced and exported for a minute, and no packet has arrived, "
		               "while node %s gets some: look at the routers' paths to this node "
		               "(equal cost, next hop) and at the ports",
		               q->shown[i].node);
}

static void *run_quiet_vips(void *core)
{
	core_run_rounds(core, look_for_quiet_vips, QUIET_VIPS_EVERY_MS);
	return NULL;
}

int quiet_vips_start(struct core *core)
{
	core->quiet_vips = calloc(1, sizeof(*core->quiet_vips));
	if (!core->quiet_vips)
		return -ENOMEM;
	client_open(&core->quiet_vips->client, core->dirs.conf);
	return thread_start(&core->quiet_vips->thread, run_quiet_vips, core);
}

void quiet_vips_stop(struct core *core)
{
	if (!core->quiet_vips)
		return;
	thread_join(&core->quiet_vips->thread);
	client_close(&core->quiet_vips->client);
	free(core->quiet_vips);
	core->quiet_vips = NULL;
}
