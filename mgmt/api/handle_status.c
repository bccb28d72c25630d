/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status: intent, observation and effect of each thing, side by side. Effects are read from
 * the pages and processes where they act; a page that is too old gives "unknown". Everything is
 * made from one look (mgmt/status/look.h), so that the parts of a status belong to the same instant.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/sync/operations.h"
#include "mgmt/status/state.h"
#include "mgmt/status/status.h"
#include "mgmt/core/to_json.h"
#include "mgmt/observe/too_big.h"
#include "mgmt/json/announcement.h"
#include "mgmt/json/command.h"
#include "mgmt/json/observed.h"
#include "mgmt/json/listing.h"
#include "weir/json.h"

#define SITE_OBSERVED_ROWS(X, t)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, uint64_t, targets)                                                                    \
	X(t, uint64_t, up)                                                                         \
	X(t, uint64_t, down)                                                                       \
	X(t, const char *, withdrawn_by, .spare = true)                                            \
	X(t, struct shown_number, bits_per_s)
RECORD_SHOWN(site_observed, "observation", SITE_OBSERVED_ROWS);
#define SITE_ROWS(X, t)                                                                            \
	X(t, const char *, name)                                                                   \
	X(t, const char *, region)                                                                 \
	X(t, json_t *, intent)                                                                     \
	X(t, json_t *, observation)                                                                \
	X(t, json_t *, effect)
RECORD_SHOWN(site_row, "site", SITE_ROWS);

/* A site is observed through the targets of its services: up if one is up, down if all are down;
 * while an operation has withdrawn its VIPs, these are checked in vain.
 */
static json_t *site_observation(const struct look *l, const struct model_site *site)
{
	const char *operation = overrides_withdrawn_by(&l->overrides, site->name);
	struct gather_site observed;

	gather_site(l->m, l->pages.health_fresh ? l->pages.health : NULL, site, &observed);
	bool is_down = observed.n && observed.down == observed.n;
	struct site_observed observation = {
		.state = observed.up ? "up"
		         : !is_down  ? "unknown"
		         : operation ? "withdrawn"
		                     : "down",
		.targets = observed.n,
		.up = observed.up,
		.down = observed.down,
		.withdrawn_by = operation,
	};

	for (size_t k = 0; k < l->n_loads; k++)
		if (!l->loads[k].is_part && !strcmp(l->loads[k].site, site->name))
			observation.bits_per_s = (struct shown_number){ true, l->loads[k].per_s };
	return record_shown(&site_observed_kind, &observation);
}

static json_t *site_status(struct status *s, const struct model_site *site)
{
	const struct site_row row = {
		.name = site->name,
		.region = site->region ? site->region : "",
		.intent = status_intent(s, MODEL_TARGET_SITE, "", site->name, "", site->weight),
		.observation = site_observation(&s->look, site),
		.effect = status_dns_site_effect(&s->dns, site->name),
	};

	return record_shown(&site_row_kind, &row);
}

static json_t *sites_status(struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->look.m->n_sites; i++)
		if (status_at_site(s, &s->look.m->sites[i]))
			json_array_append_new(list, site_status(s, &s->look.m->sites[i]));
	return list;
}

#define PEER_ROWS(X, t)                                                                            \
	X(t, const char *, node)                                                                   \
	X(t, const char *, hash_key)                                                               \
	X(t, const char *, site)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, digest)                                                                 \
	X(t, const char *, store, .or_null = true)                                                 \
	X(t, struct shown_number, age_ms)                                                          \
	X(t, const char *, detail, .spare = true)
RECORD_ANSWER(peer_shown, "peer", PEER_ROWS);

json_t *handle_peers_json(const struct peers_report *reports, size_t n)
{
	json_t *list = json_array();
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++) {
		const struct peers_report *v = &reports[i];
		const struct peer_shown row = {
			.node = v->node,
			.hash_key = v->hash_key,
			.site = v->site,
			.state = peers_state_text(v->state),
			.version = v->number,
			.digest = v->digest,
			.store = peers_store(v, now_ms),
			.age_ms = { v->answered_ms, now_ms - v->answered_ms },
			.detail = v->unreachable_reason,
		};

		json_array_append_new(list, record_shown(&peer_shown_kind, &row));
	}
	return list;
}

/* What is requested of a node: the version, and whether routers shall send to it. */
static json_t *node_intent(const struct status *s, const struct model_node *n)
{
	const struct look *l = &s->look;
	json_t *intent = status_intent(s, MODEL_TARGET_NODE, "", n->name, "", 0);

	json_object_del(intent, "weight");
	json_object_set_new(intent, "version",
	                    json_integer(l->has_head ? (json_int_t)l->head.number : 0));
	return intent;
}

#define PEER_EFFECT_ROWS(X, t)                                                                     \
	X(t, struct shown_number, version, .spare = true) X(t, const char *, state, .spare = true)
RECORD_SHOWN(peer_effect, "effect", PEER_EFFECT_ROWS);

/* Only the node itself knows what its processes have taken; a peer tells its version and state. */
static json_t *node_effect(const struct look *l, const struct model_node *n)
{
	const struct peers_report *peer = look_peer(l, n->name);
	bool announces = n->announce.daemon != MODEL_DAEMON_NONE;
	json_t *effect;

	if (n == l->m->self) {
		effect = announces ? node_drain_to_json(&l->drain) : json_object();
		json_object_set_new(effect, "document", json_integer((json_int_t)l->document));
		return effect;
	}
	if (!peer || peer->state == PEERS_UNREACHABLE)
		return SHOWN(peer_effect, .state = "unknown");
	const struct peer_effect known = { .version = { true, peer->number },
		                           .state = !announces     ? NULL
		                                    : *peer->drain ? peer->drain
		                                                   : "unknown" };
	return record_shown(&peer_effect_kind, &known);
}

#define NODE_OBSERVED_ROWS(X, t) X(t, const char *, state)
RECORD_SHOWN(node_observed, "observation", NODE_OBSERVED_ROWS);
#define NODE_ROWS(X, t)                                                                            \
	X(t, const char *, name)                                                                   \
	X(t, const char *, site)                                                                   \
	X(t, json_t *, intent)                                                                     \
	X(t, struct node_observed, observation, .of = &node_observed_kind)                         \
	X(t, json_t *, effect)
RECORD_SHOWN(node_row, "node", NODE_ROWS);

static json_t *nodes_status(struct status *s)
{
	const struct look *l = &s->look;
	json_t *list = json_array();

	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *n = &l->m->nodes[i];
		const struct peers_report *peer = look_peer(l, n->name);
		const char *state = peer ? peers_state_text(peer->state) : "unknown";
		bool self = n == l->m->self;

		const struct node_row row = { .name = n->name,
			                      .site = n->site->name,
			                      .intent = node_intent(s, n),
			                      .observation = { self ? "up" : state },
			                      .effect = node_effect(l, n) };

		json_array_append_new(list, record_shown(&node_row_kind, &row));
	}
	return list;
}

#define STATUS_COUNTS_ROWS(X, t)                                                                   \
	X(t, size_t, all)                                                                          \
	X(t, size_t, standing_out)                                                                 \
	X(t, struct shown_number, shown, .spare = true)
RECORD_SHOWN(status_counts, "counts", STATUS_COUNTS_ROWS);
#define STATUS_STORE_ROWS(X, t) X(t, const char *, state) X(t, const char *, detail)
RECORD_SHOWN(status_store, "store", STATUS_STORE_ROWS);

#define STATUS_DECIDING_ROWS(X, t)                                                                 \
	X(t, bool, votes)                                                                          \
	X(t, json_t *, sites, .element = &record_string)                                           \
	X(t, json_t *, out, .element = &record_string)
RECORD_SHOWN(status_deciding, "deciding", STATUS_DECIDING_ROWS);

/* Only with a configuration. */
#define OF_MODEL(t) ONLY_IF(struct t, has_model)
#define STATUS_ROWS(X, t)                                                                          \
	X(t, const char *, node)                                                                   \
	X(t, int64_t, time, .kind = FIELD_TIME)                                                    \
	X(t, json_t *, version, .of = &version_shown, .or_null = true)                             \
	X(t, uint64_t, document)                                                                   \
	X(t, int64_t, confirm_by, .kind = FIELD_TIME)                                              \
	X(t, struct status_store, store, .of = &status_store_kind)                                 \
	X(t, json_t *, overrides, .each = &override_shown)                                         \
	X(t, const char *, cluster, OF_MODEL(t))                                                   \
	X(t, const char *, site, .or_null = true, OF_MODEL(t))                                     \
	X(t, json_t *, sites, .each = &site_row_kind, OF_MODEL(t))                                 \
	X(t, json_t *, deciding, .of = &status_deciding_kind, .spare = true)                       \
	X(t, json_t *, nodes, .each = &node_row_kind, OF_MODEL(t))                                 \
	X(t, json_t *, services, .each = &shown_service_kind, OF_MODEL(t))                         \
	X(t, json_t *, pools, .each = &status_pool_record, OF_MODEL(t))                            \
	X(t, struct status_counts, backends, .of = &status_counts_kind, OF_MODEL(t))               \
	X(t, struct status_counts, backups, .of = &status_counts_kind,                             \
	  ONLY_IF(struct t, has_backups))                                                          \
	X(t, json_t *, processes, .each = &process_row_kind)                                       \
	X(t, json_t *, peers, .each = &peer_shown_kind)                                            \
	X(t, json_t *, announcements, .of = &announcements_shown_kind, .spare = true)              \
	X(t, const char *, state)                                                                  \
	X(t, json_t *, texts, .shown = "why", .element = &record_string)                           \
	X(t, json_t *, reasons, .each = &judged_reason_kind)                                       \
	X(t, json_t *, notes, .each = &judged_reason_kind)                                         \
	X(t, uint64_t, notes_left_out, .spare = true)                                              \
	X(t, json_t *, lists, .of = &cut_lists_kind, .spare = true)                                \
	X(t, bool, has_model, HIDDEN)                                                              \
	X(t, bool, has_backups, HIDDEN)
RECORD_ANSWER(status_answer, "status", STATUS_ROWS);

static void add_model(struct status *s, struct status_answer *out)
{
	const struct model *m = s->look.m;

	s->has_too_big = too_big_read(s->look.core->dirs.run, clock_mono_ms(), &s->too_big);
	out->has_model = true;
	out->services = status_services(s);
	out->pools = status_pools(s);
	out->cluster = m->cluster;
	out->site = m->self ? m->self->site->name : NULL;
	out->sites = sites_status(s);
	out->deciding = json_incref(json_object_get(s->look.dns, "deciding"));
	out->nodes = nodes_status(s);
	out->backends = (struct status_counts){ s->n_backends, s->n_odd, { true, s->n_shown } };
	out->has_backups = s->n_backups > 0;
	out->backups = (struct status_counts){ s->n_backups, s->n_odd_backups, { false, 0 } };
}

static void add_intent(struct status *s, struct status_answer *out)
{
	const struct look *l = &s->look;
	const struct version *head = l->has_head ? &l->head : NULL;

	out->overrides = status_overrides(s);
	core_lock(l->core);
	operations_add_until(l->core, out->overrides);
	core_unlock(l->core);
	out->version = head ? version_to_json(head, head) : NULL;
	out->document = l->document;
	out->confirm_by = head ? head->confirm_by_ms : 0;
	out->store = (struct status_store){ l->store_state, l->store_reason };
}

static bool is_own_site(const struct status *s, const char *site)
{
	const struct model *m = s->look.m;

	return m && m->self && !strcmp(m->self->site->name, site);
}

/* A node without a routing daemon shows nothing of announcements. */
static json_t *status_announcements(const struct status *s)
{
	bool are_elsewhere = s->filter.pool || (s->filter.site && !is_own_site(s, s->filter.site));

	return are_elsewhere ? NULL : handle_announcements_json(&s->look, NULL, s->filter.limit);
}

/* The judgement is about the whole node, whichever part of it is shown. */
static void add_state(struct status *s, struct status_answer *out)
{
	struct judge_verdict *v = &s->verdict;

	core_lock(s->look.core);
	state_since(s->look.core, v);
	core_unlock(s->look.core);
	out->state = judge_state_text(v->state);
	out->texts = judged_texts_json(v);
	out->reasons = judged_reasons_json(v->reasons, v->n_reasons, true);
	out->notes = judged_reasons_json(v->notes, v->n_notes, true);
	out->notes_left_out = v->n_notes_left_out;
}

/* A status, from its look, given. @return NULL: memory is short */
static json_t *make_status(struct status *s)
{
	struct status_answer out = { .node = s->look.core->dirs.node, .time = s->look.now_ms };

	add_intent(s, &out);
	if (s->look.m)
		add_model(s, &out);
	out.processes = observed_processes_json(s->look.processes, true);
	out.peers = handle_peers_json(s->look.peer_reports, s->look.n_peer_reports);
	out.announcements = status_announcements(s);
	add_state(s, &out);
	out.lists = json_incref(s->lists);
	bool ok = out.overrides && (!out.has_model || (out.services && out.pools));
	json_t *status = record_shown(&status_answer_kind, &out);

	if (ok)
		return status;
	json_decref(status);
	return NULL;
}

json_t *handle_status_json(struct core *core, const struct status_filter *filter)
{
	struct status *s = calloc(1, sizeof(*s));
	json_t *status = NULL;

	if (!s)
		return json_object();
	s->filter = *filter;
	if (!look_init(core, &s->look) && !facts_judge(&s->look, &s->verdict) && !status_index(s))
		status = make_status(s);
	status_fini(s);
	look_fini(&s->look);
	free(s);
	return status ? status : json_object();
}

void handle_status(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct status_filter filter = { .pool = http_query(r, "pool"),
		                        .site = http_query(r, "site") };

	if (!handle_number(r, "limit", 1, 100000, 0, &filter.limit, reply) ||
	    !handle_filter_ok(core, &filter, reply))
		return;
	reply->json = handle_status_json(core, &filter);
	reply->dense = filter.limit > 0;
	reply->status = 200;
	if (json_object_size(reply->json) == 0)
		http_problem(reply, 503, "busy",
		             "out of memory: the status cannot be read; try again");
}

void handle_page(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const struct status_filter filter = { .limit = LISTING_PAGE_ROWS_MAX };

	(void)r;
	json_t *status = handle_status_json(core, &filter);
	reply->text = page_make(status);
	json_decref(status);
	reply->type = "text/html; charset=utf-8";
	reply->status = 200;
	if (!reply->text)
		http_problem(reply, 503, "busy", "out of memory");
}
