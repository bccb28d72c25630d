/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What still keeps a site from being switched off: GET /v1/sites/{}/arrivals (`weir why site`). All
 * nodes are asked; what a silent node would say is unknown, and said to be.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/api/handle.h"
#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/operations/facts.h"
#include "mgmt/operations/guards.h"
#include "mgmt/operations/record_json.h"
#include "weir/json.h"

#define MILLI_END ((json_int_t)1 << 50) /* thousandths a second: nobody is asked so often */

/* One look at a site. */
struct arrivals {
	const struct operation_snapshot *snapshot;
	const struct model_site *site;
	struct operation op; /* of the site alone, to gather facts by */
	struct operation_observed observed;
	json_t *keeps;   /* sentences: what keeps the site from being switched off */
	json_t *unknown; /* sentences: what is not known, and so may keep it */
};

static void add_sentence(json_t *list, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void add_sentence(json_t *list, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	plain_cut(text, sizeof(text));
	json_array_append_new(list, json_string(text));
}

/* --- nodes --- */

#define NODE_ROWS(X, t)                                                                            \
	X(t, const char *, node)                                                                   \
	X(t, bool, reached)                                                                        \
	X(t, bool, measured)                                                                       \
	X(t, const char *, announces, .or_null = true)
RECORD_SHOWN(arrivals_node, "node", NODE_ROWS);

static json_t *nodes_json(struct arrivals *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_reports; i++) {
		const struct operation_report *v = &a->snapshot->reports[i];
		const struct arrivals_node row = {
			.node = v->node->name,
			.reached = v->reached,
			.measured = json_is_object(json_object_get(v->measure, "flows")),
			.announces = v->node->announce.daemon == MODEL_DAEMON_NONE
			                     ? "by other means"
			                     : json_get_text(v->measure, "announce"),
		};

		if (v->node->site != a->site)
			continue;
		json_array_append_new(list, record_shown(&arrivals_node_kind, &row));
		if (!v->reached)
			add_sentence(a->unknown,
			             "node %s is not reached: what arrives there is not known",
			             v->node->name);
	}
	return list;
}

/* --- flows --- */

static json_t *vip_json(const struct model_vip *vip)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < vip->n_addresses; i++)
		json_array_append_new(list, json_string(addr_text(&vip->addresses[i], text)));
	return list;
}

static void say_flows(struct arrivals *a, const char *service, const struct operation_site *s)
{
	if (s->flows.value)
		add_sentence(a->keeps, "service %s: %llu new flows a second at own backends",
		             service, (unsigned long long)s->flows.value);
	if (s->backup_flows.value)
		add_sentence(a->keeps,
		             "service %s: %llu new flows a second of late clients, which the "
		             "backup pool serves through this site",
		             service, (unsigned long long)s->backup_flows.value);
	if (s->established.value)
		add_sentence(a->keeps, "service %s: %llu packets a second of established flows",
		             service, (unsigned long long)s->established.value);
}

#define SERVICE_ROWS(X, t)                                                                         \
	X(t, const char *, service)                                                                \
	X(t, const char *, vip)                                                                    \
	X(t, json_t *, addresses, .element = &record_string)                                       \
	X(t, struct shown_number, own_flows_per_s)                                                 \
	X(t, struct shown_number, backup_flows_per_s)                                              \
	X(t, struct shown_number, arriving_flows_per_s)                                            \
	X(t, struct shown_number, established_packets_per_s)
RECORD_SHOWN(arrivals_service, "service", SERVICE_ROWS);

static struct shown_number number_shown(const struct operation_value *v)
{
	return (struct shown_number){ v->known, v->value };
}

static json_t *service_json(struct arrivals *a, const struct model_service *service,
                            const struct model_at *at)
{
	struct operation_site s = { .name = a->site->name };

	operation_service_at(a->snapshot, &a->op, service, s.name, &s);
	say_flows(a, service->name, &s);
	const struct arrivals_service row = {
		.service = service->name,
		.vip = at->vip->name,
		.addresses = vip_json(at->vip),
		.own_flows_per_s = number_shown(&s.flows),
		.backup_flows_per_s = number_shown(&s.backup_flows),
		.arriving_flows_per_s = number_shown(&s.arrivals),
		.established_packets_per_s = number_shown(&s.established),
	};
	return record_shown(&arrivals_service_kind, &row);
}

static json_t *services_json(struct arrivals *a)
{
	const struct model *m = a->snapshot->m;
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++)
			if (m->services[i].at[k].site == a->site)
				json_array_append_new(list, service_json(a, &m->services[i],
				                                         &m->services[i].at[k]));
	return list;
}

#define DNS_ROWS(X, t) X(t, const char *, node) X(t, struct shown_number, queries_per_s)
RECORD_SHOWN(arrivals_dns, "name server", DNS_ROWS);

/* Queries at each of its name servers; null where it is not known. One in ten seconds is not none. */
static json_t *dns_json(struct arrivals *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_reports; i++) {
		const struct operation_report *v = &a->snapshot->reports[i];
		const json_t *milli =
		        json_object_get(json_object_get(v->measure, "dns"), "queries_milli");
		uint64_t n_milli = 0;
		bool known = json_read_count(milli, MILLI_END - 1, &n_milli);
		uint64_t per_s = (n_milli + 999) / 1000;

		if (v->node->site != a->site || !v->node->n_dns_listen)
			continue;
		const struct arrivals_dns row = { v->node->name, { known, per_s } };
		json_array_append_new(list, record_shown(&arrivals_dns_kind, &row));
		if (per_s)
			add_sentence(a->keeps,
			             "node %s: its name server gets %llu DNS queries a second",
			             v->node->name, (unsigned long long)per_s);
		else if (v->reached && !known)
			add_sentence(a->unknown,
			             "node %s: how many DNS queries it gets is not known",
			             v->node->name);
	}
	return list;
}

/* A word of @p row, one of @p words; whatever else a peer says is not known. */
static const char *read_word(const json_t *row, const char *field, const char *const *words)
{
	const char *text = json_get_text(row, field);

	for (size_t i = 0; text && words[i]; i++)
		if (!strcmp(text, words[i]))
			return words[i];
	return "unknown";
}

/* What one node says of all its addresses. */
struct node_announced {
	const struct operation_report *report;
	const json_t *said; /* NULL: it did not answer */
	size_t n_exported, n_unknown;
};

#define ADDRESS_ROWS(X, t)                                                                         \
	X(t, const char *, vip, .or_null = true)                                                   \
	X(t, const char *, address)                                                                \
	X(t, const char *, node)                                                                   \
	X(t, const char *, intended)                                                               \
	X(t, const char *, exported)
RECORD_SHOWN(arrivals_address, "announcement", ADDRESS_ROWS);

static void add_announcement(struct node_announced *n, const char *vip, const struct addr *address,
                             json_t *list)
{
	static const char *const intents[] = { "normal", "shutdown", "none", NULL };
	static const char *const facts[] = { "yes", "no", NULL };
	char text[ADDR_TEXT_MAX];
	const json_t *row = json_object_get(n->said, addr_text(address, text));
	const char *exported = read_word(row, "exported", facts);

	n->n_exported += !strcmp(exported, "yes");
	n->n_unknown += !strcmp(exported, "unknown");
	const struct arrivals_address shown = { vip, text, n->report->node->name,
		                                read_word(row, "intended", intents), exported };
	json_array_append_new(list, record_shown(&arrivals_address_kind, &shown));
}

/* What the site's nodes announce, and what of it their routing daemons export. */
static json_t *announcements_json(struct arrivals *a)
{
	const struct model *m = a->snapshot->m;
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_reports; i++) {
		const struct model_node *node = a->snapshot->reports[i].node;
		struct node_announced n = { .report = &a->snapshot->reports[i],
			                    .said = json_object_get(a->snapshot->reports[i].measure,
			                                            "announcements") };

		if (node->site != a->site || node->announce.daemon == MODEL_DAEMON_NONE)
			continue;
		for (size_t k = 0; k < m->n_vips; k++)
			for (size_t x = 0;
			     model_node_announces(node, &m->vips[k]) && x < m->vips[k].n_addresses;
			     x++)
				add_announcement(&n, m->vips[k].name, &m->vips[k].addresses[x],
				                 list);
		for (size_t k = 0; k < node->announce.n_dns; k++)
			add_announcement(&n, NULL, &node->announce.dns[k], list);
		if (n.n_exported)
			add_sentence(a->keeps, "node %s: its routing daemon exports %zu addresses",
			             node->name, n.n_exported);
		if (n.n_unknown && n.report->reached)
			add_sentence(a->unknown,
			             "node %s: whether its routing daemon exports %zu addresses is "
			             "not known",
			             node->name, n.n_unknown);
	}
	return list;
}

/* --- names and votes --- */

/* By drains, also one that a hold keeps beyond its end, or as the site is disabled. */
static uint32_t drained_ppm(const struct arrivals *a)
{
	const struct overrides *all = &a->snapshot->overrides;
	uint32_t level = 0;

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if ((o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE) ||
		    o->target != MODEL_TARGET_SITE || *o->service ||
		    strcmp(o->name, a->site->name) != 0)
			continue;
		uint32_t one = overrides_level(all, o, a->snapshot->now_ms);
		level = one > level ? one : level;
	}
	return level;
}

#define VOTES_ROWS(X, t) X(t, bool, counted) X(t, uint64_t, deciding)
RECORD_SHOWN(arrivals_votes, "votes", VOTES_ROWS);

#define ARRIVALS_ROWS(X, t)                                                                        \
	X(t, const char *, site)                                                                   \
	X(t, uint32_t, level_ppm)                                                                  \
	X(t, json_t *, nodes, .each = &arrivals_node_kind)                                         \
	X(t, json_t *, vips, .each = &arrivals_service_kind)                                       \
	X(t, json_t *, prefixes, .each = &operation_late_record)                                   \
	X(t, json_t *, dns, .each = &arrivals_dns_kind)                                            \
	X(t, json_t *, announcements, .each = &arrivals_address_kind)                              \
	X(t, struct arrivals_votes, votes, .of = &arrivals_votes_kind)                             \
	X(t, json_t *, own_flows_per_s, .spare = true)                                             \
	X(t, json_t *, backup_flows_per_s, .spare = true)                                          \
	X(t, json_t *, bits_per_s, .spare = true)                                                  \
	X(t, json_t *, answers_per_s, .spare = true)                                               \
	X(t, json_t *, keeps, .element = &record_string)                                           \
	X(t, json_t *, unknown, .element = &record_string)
RECORD_ANSWER(arrivals_answer, "arrivals", ARRIVALS_ROWS);

static json_t *arrivals_json(struct arrivals *a)
{
	const struct operation_site *s = facts_site(&a->observed.facts, a->site->name);
	uint32_t level = drained_ppm(a);

	if (level < MODEL_PPM_ALL && s && s->serves)
		add_sentence(a->keeps, "DNS still sends clients here: %u.%u %% are sent elsewhere",
		             level / 10000, level / 1000 % 10);
	if (level < MODEL_PPM_ALL)
		add_sentence(a->keeps,
		             "the site still counts when sites decide that another one is dead");
	json_t *nodes = nodes_json(a), *services = services_json(a);
	if (s && !s->flows.known)
		add_sentence(a->unknown, "not every node of the site says what arrives");
	/* each adds sentences: in this order, which that of arguments is not */
	json_t *late = record_list_shown(&operation_late_record, a->observed.late,
	                                 a->observed.facts.n_late);
	json_t *dns = dns_json(a), *announcements = announcements_json(a);
	struct arrivals_answer answer = {
		.site = a->site->name,
		.level_ppm = level,
		.nodes = nodes,
		.vips = services,
		.prefixes = late,
		.dns = dns,
		.announcements = announcements,
		.votes = { level < MODEL_PPM_ALL,
		           operation_count_deciding(&a->op, &a->observed.facts) },
		.keeps = json_incref(a->keeps),
		.unknown = json_incref(a->unknown),
	};
	if (s) {
		answer.own_flows_per_s = json_number_or_null(s->flows.known, s->flows.value);
		answer.backup_flows_per_s =
		        json_number_or_null(s->backup_flows.known, s->backup_flows.value);
		answer.bits_per_s = json_number_or_null(s->bits.known, s->bits.value);
		answer.answers_per_s = json_number_or_null(s->named.known, s->named.value);
	}
	return record_shown(&arrivals_answer_kind, &answer);
}

static json_t *make_arrivals(struct arrivals *a)
{
	snprintf(a->op.targets[0].site, sizeof(a->op.targets[0].site), "%s", a->site->name);
	a->op.n_targets = 1;
	a->op.goal_ppm = MODEL_PPM_ALL; /* the question: may it be switched off? */
	a->keeps = json_array();
	a->unknown = json_array();
	operation_gather(a->snapshot, &a->op, 0, &a->observed);
	json_t *shown = arrivals_json(a);

	json_decref(a->keeps);
	json_decref(a->unknown);
	return shown;
}

json_t *operation_arrivals_json(const struct operation_snapshot *snapshot,
                                const struct model_site *site)
{
	struct arrivals *a = calloc(1, sizeof(*a));
	json_t *shown = NULL;

	if (a) {
		a->snapshot = snapshot;
		a->site = site;
		shown = make_arrivals(a);
	}
	free(a);
	return shown;
}
