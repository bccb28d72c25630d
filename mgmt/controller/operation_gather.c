/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts of an operation: nodes, levels, other operations, the document, and of each site whether it is up as observed from
 * outside, taken out by others, its pools, VIPs and backups, and what arrives there. Each number that a node sent is read
 * with its range; what is missing or malformed is not known.
 */
#include "mgmt/controller/operation_snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "mgmt/observe/backup_status.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/controller/operation_measure.h"
#include "mgmt/operations/facts.h"
#include "mgmt/overrides/guard.h"
#include "weir/json.h"

/* Of a check from its client, behind the SYN: what ends the handshake, and a reset; over HTTP 4 or 5. */
#define TCP_PACKETS  2u
#define HTTP_PACKETS 5u
#define COUNT_END    ((json_int_t)1 << 50)
#define RATE_END     1000000000000u /* thousandths a second: times 10 * MODEL_PPM_ALL it fits 64 bits */
#define MINUTE_S     60u

static enum operation_truth truth_of(bool yes)
{
	return yes ? OPERATION_YES : OPERATION_NO;
}

/* No wins over unknown, and unknown over yes. */
static enum operation_truth truth_of_both(enum operation_truth a, enum operation_truth b)
{
	if (a == OPERATION_NO || b == OPERATION_NO)
		return OPERATION_NO;
	return a == OPERATION_YES && b == OPERATION_YES ? OPERATION_YES : OPERATION_UNKNOWN;
}

/* What the next node at @p site said, from number *@p i on; with @p op, of those that it does not name absent. NULL: there are no more. */
static const struct operation_report *
next_at(const struct operation_snapshot *v, const struct operation *op, const char *site, size_t *i)
{
	while (*i < v->n_reports) {
		const struct operation_report *report = &v->reports[(*i)++];

		if (!strcmp(report->node->site->name, site) &&
		    (!op || !operation_is_without(op, report->node->name)))
			return report;
	}
	return NULL;
}

/* Where the next service that the operation moves is at @p site, from service number *@p i on. NULL: there are no more. */
static const struct model_at *next_moved(const struct operation_snapshot *v,
                                         const struct operation *op, const char *site, size_t *i)
{
	while (*i < v->m->n_services) {
		const struct model_service *service = &v->m->services[(*i)++];
		const struct model_at *at = model_service_at(service, site);

		if (at && operation_moves_service(op, service->name))
			return at;
	}
	return NULL;
}

/* A count of what a node sent. @return false: missing, malformed or out of its range */
static bool read_count(const json_t *object, const char *name, uint64_t *out)
{
	return json_read_count(json_object_get(object, name), COUNT_END - 1, out);
}

/* The row @p name of an object, or that of a list whose @p field is @p name; NULL: there is none. */
static const json_t *find_row(const json_t *list, const char *field, const char *name)
{
	return json_is_object(list) ? json_object_get(list, name) : json_find(list, field, name);
}

/* --- what a node has in force --- */

/* Which change of an override is in force. */
struct in_force {
	uint64_t generation, epoch, step;
};

static bool read_change(const json_t *row, struct in_force *out)
{
	const json_t *change = json_object_get(row, "in_force");

	return json_read_count(json_object_get(change, "generation"), INT64_MAX,
	                       &out->generation) &&
	       json_read_count(json_object_get(change, "epoch"), UINT32_MAX, &out->epoch) &&
	       json_read_count(json_object_get(change, "step"), UINT32_MAX, &out->step) &&
	       out->generation > 0;
}

/* Whether a person has commanded something at the target since the operation began, by whichever override. */
static bool has_command(const json_t *levels, const struct operation *op, const char *site)
{
	for (size_t i = 0; i < json_array_size(levels); i++) {
		const json_t *row = json_array_get(levels, i);
		const char *name = json_get_text(row, "site");
		struct in_force change;

		if (name && !strcmp(name, site) && read_change(row, &change) && !change.epoch &&
		    change.generation > op->stamp)
			return true;
	}
	return false;
}

/* An override that the node does not have is level 0 of no write, as one that was in force before the operation. */
static struct operation_level read_level(const json_t *levels, const struct operation *op, size_t k)
{
	const json_t *row = json_find(levels, "override", op->targets[k].override_id);
	struct operation_level level = { .known = levels && !row };
	struct in_force change;
	uint64_t ppm = 0;

	if (levels && has_command(levels, op, op->targets[k].site))
		level.person = level.known = true;
	if (!row || !read_change(row, &change) ||
	    !json_read_count(json_object_get(row, "level_ppm"), MODEL_PPM_ALL, &ppm))
		return level;
	level.known = true;
	level.level_ppm = (uint32_t)ppm;
	if (change.generation == op->stamp) {
		level.epoch = (uint32_t)change.epoch;
		level.step = (uint32_t)change.step;
	}
	return level;
}

/* --- nodes --- */

static void gather_nodes(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_observed *out)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];
		struct operation_node *n = &out->nodes[i];

		*n = (struct operation_node){ .name = report->node->name,
			                      .site = report->node->site->name,
			                      .self = report->self,
			                      .reached = report->reached,
			                      .refuses = report->refuses };
		n->dns = report->levels ? truth_of(report->dns) : OPERATION_UNKNOWN;
		for (size_t k = 0; k < op->n_targets; k++)
			n->levels[k] = read_level(report->levels, op, k);
	}
	out->facts.nodes = out->nodes;
	out->facts.n_nodes = v->n_reports;
}

/* --- the document --- */

/* Whether the operation moves the name, which may be answered with a target. */
static bool is_moved(const struct operation *op, const struct model_dns_name *name)
{
	for (size_t k = 0; k < op->n_targets; k++)
		if (operation_moves_service(op, name->service->name) &&
		    model_service_at(name->service, op->targets[k].site))
			return true;
	return false;
}

static enum operation_document judge_document(const struct model *m, const struct operation *op)
{
	bool found = !*op->service;

	if (!m)
		return OPERATION_DOCUMENT_UNKNOWN;
	for (size_t k = 0; k < op->n_targets; k++)
		if (!model_site(m, op->targets[k].site))
			return OPERATION_DOCUMENT_SITE_GONE;
	for (size_t i = 0; i < m->n_services && !found; i++)
		for (size_t k = 0; k < op->n_targets && !found; k++)
			found = !strcmp(m->services[i].name, op->service) &&
			        model_service_at(&m->services[i], op->targets[k].site);
	if (!found)
		return OPERATION_DOCUMENT_SERVICE_GONE;
	for (size_t i = 0; i < m->n_dns_names; i++)
		if (is_moved(op, &m->dns_names[i]))
			return OPERATION_DOCUMENT_FINE;
	return OPERATION_DOCUMENT_NO_DNS;
}

/* The longest TTL that the document allows to names which the operation moves. */
static struct operation_value document_ttl(const struct operation_snapshot *v,
                                           const struct operation *op)
{
	struct operation_value ttl = { .known = v->m != NULL };

	for (size_t i = 0; v->m && i < v->m->n_dns_names; i++) {
		const struct model_dns_name *name = &v->m->dns_names[i];

		if (is_moved(op, name) && name->ttl_max_s > ttl.value)
			ttl.value = name->ttl_max_s;
	}
	return ttl;
}

#define TTL_END (7 * 24 * 3600) /* seconds: no name has such a TTL */

/* For how long answers that a name server gave before the last write's level may be used. */
static struct operation_value read_given_ttl(const struct operation *op, const json_t *levels)
{
	struct operation_value ttl = { .known = op->n_targets > 0 && op->write.epoch };

	for (size_t k = 0; k < op->n_targets; k++) {
		const char *id = op->targets[k].override_id;
		struct operation_level level = read_level(levels, op, k);
		const json_t *given =
		        json_object_get(json_find(levels, "override", id), "longest_ttl_s");
		uint64_t ttl_s = 0;

		if (!json_read_count(given, TTL_END - 1, &ttl_s) ||
		    level.epoch != op->write.epoch || level.step != op->write.step)
			return (struct operation_value){ 0 };
		if (ttl_s > ttl.value)
			ttl.value = ttl_s;
	}
	return ttl;
}

/*
 * The longest TTL of an answer that may still be in a cache. Name servers tell it once they have
 * the last write's level: with the shortest TTL while a site is drained in part, that is less than
 * the document allows. Where one does not tell it, the document's counts.
 */
static struct operation_value longest_ttl(const struct operation_snapshot *v,
                                          const struct operation *op)
{
	struct operation_value most = { 0 };

	for (size_t i = 0; i < v->n_reports; i++) {
		if (!v->reports[i].levels || !v->reports[i].dns)
			continue; /* not reached, or it answers nothing */
		struct operation_value given = read_given_ttl(op, v->reports[i].levels);

		if (!given.known)
			return document_ttl(v, op);
		most.known = true;
		if (given.value > most.value)
			most.value = given.value;
	}
	return most.known ? most : document_ttl(v, op);
}

/* --- as observed from outside --- */

struct outside_votes {
	unsigned n_up, n_down, n_failing, n_checked;
};

static void count_vote(const struct operation_report *report, const char *site,
                       struct outside_votes *votes)
{
	const json_t *row = find_row(json_object_get(report->measure, "sites"), "site", site);

	if (!row)
		return;
	votes->n_up += json_has_true(row, "up");
	votes->n_down += json_is_false(json_object_get(row, "up"));
	votes->n_failing += json_has_true(row, "failing");
	votes->n_checked += json_has_true(row, "checked");
}

/* Nodes of other sites say; only where there is none of them, the site's own do. */
static void gather_outside(const struct operation_snapshot *v, struct operation_site *s)
{
	struct outside_votes votes = { 0 };

	for (int own = 0; own < 2 && votes.n_up + votes.n_down == 0; own++)
		for (size_t i = 0; i < v->n_reports; i++)
			if (!strcmp(v->reports[i].node->site->name, s->name) == (own != 0))
				count_vote(&v->reports[i], s->name, &votes);
	s->checked = votes.n_checked > 0;
	if (votes.n_up + votes.n_down == 0)
		return;
	if (votes.n_up != votes.n_down)
		s->up = truth_of(votes.n_up > votes.n_down);
	if (s->checked)
		s->failing = truth_of(votes.n_failing > 0);
}

/* --- taken out by others --- */

/* @param service  drains of another service alone do not count */
static bool puts_site_out(const struct operation_snapshot *v, const struct operation *op,
                          const struct override *o, const char *site, const char *service)
{
	if (o->target != MODEL_TARGET_SITE || strcmp(o->name, site) != 0 ||
	    operation_has_override(op, o->id))
		return false;
	if (o->is_step && *o->service && strcmp(o->service, service) != 0)
		return false;
	if (o->kind == MODEL_OVERRIDE_DISABLE)
		return o->from_ms <= v->now_ms && !override_is_done(o, v->now_ms);
	/* also beyond its end, where a hold keeps it */
	return o->kind == MODEL_OVERRIDE_DRAIN &&
	       overrides_level(&v->overrides, o, v->now_ms) == MODEL_PPM_ALL;
}

static bool is_node_drained(const struct operation_snapshot *v, const char *node)
{
	for (size_t i = 0; i < v->overrides.n_items; i++) {
		const struct override *o = &v->overrides.items[i];

		if (o->target == MODEL_TARGET_NODE && !strcmp(o->name, node) &&
		    (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE) &&
		    o->from_ms <= v->now_ms && !override_is_done(o, v->now_ms))
			return true;
	}
	return false;
}

static bool are_nodes_drained(const struct operation_snapshot *v, const char *site)
{
	const struct operation_report *report;
	size_t i = 0, n = 0, n_drained = 0;

	while ((report = next_at(v, NULL, site, &i))) {
		n++;
		n_drained += is_node_drained(v, report->node->name);
	}
	return n > 0 && n == n_drained;
}

/* Whether a drain by the clock is to take the site out while the operation lasts: nothing will hold it then. */
static bool will_put_site_out(const struct operation_snapshot *v, const struct operation *op,
                              const struct override *o, const char *site)
{
	return o->target == MODEL_TARGET_SITE && !strcmp(o->name, site) && !*o->operation &&
	       guard_removes_target(o, v->now_ms) && o->from_ms < op->until_ms;
}

static void gather_out(const struct operation_snapshot *v, const struct operation *op,
                       struct operation_site *s)
{
	s->out = truth_of(are_nodes_drained(v, s->name));
	for (size_t i = 0; i < v->overrides.n_items; i++) {
		const struct override *o = &v->overrides.items[i];

		if (puts_site_out(v, op, o, s->name, op->service))
			s->out = OPERATION_YES;
		s->held = s->held || will_put_site_out(v, op, o, s->name);
	}
	for (size_t i = 0; i < v->n_held; i++)
		s->held = s->held ||
		          (!strcmp(v->held[i].site, s->name) && strcmp(v->held[i].id, op->id) != 0);
}

/* Whether others have taken the site out, for all services or for this one. */
static bool is_out_of_service(const struct operation_snapshot *v, const struct operation *op,
                              const char *service, const struct operation_site *s)
{
	for (size_t i = 0; s->out != OPERATION_YES && i < v->overrides.n_items; i++)
		if (puts_site_out(v, op, &v->overrides.items[i], s->name, service))
			return true;
	return s->out == OPERATION_YES;
}

/* Whether clients can be sent to a site that nobody has taken out, as far as is known. */
static enum operation_truth is_open(const struct operation_site *s)
{
	enum operation_truth up = facts_is_up(s);

	return s->out == OPERATION_UNKNOWN && up == OPERATION_YES ? OPERATION_UNKNOWN : up;
}

/*
 * Whether a service is at a site that is left for it. @param drained  out: whether it is at one that others have taken out
 * @return yes also where it is at no target, or these are down anyway
 */
static enum operation_truth is_left(const struct operation_snapshot *v, const struct operation *op,
                                    const struct model_service *service,
                                    const struct operation_facts *facts, bool *drained)
{
	enum operation_truth best = OPERATION_NO;
	bool leaves = false;

	*drained = false;
	for (size_t k = 0; k < service->n_at && best != OPERATION_YES; k++) {
		const struct operation_site *s = facts_site(facts, service->at[k].site->name);
		bool target = s && operation_targets_site(op, s->name);
		bool out = s && !target && is_out_of_service(v, op, service->name, s);
		enum operation_truth open = s && !target && !out ? is_open(s) : OPERATION_NO;

		*drained |= out;
		leaves |= target && s->up != OPERATION_NO;
		if (open == OPERATION_YES || best == OPERATION_NO)
			best = open;
	}
	return leaves ? best : OPERATION_YES;
}

/* Sites are there. */
static void gather_left(const struct operation_snapshot *v, const struct operation *op,
                        struct operation_facts *facts)
{
	for (size_t i = 0; v->m && i < v->m->n_services && !facts->left_together; i++) {
		const struct model_service *service = &v->m->services[i];
		bool drained;

		if (!operation_moves_service(op, service->name))
			continue;
		enum operation_truth left = is_left(v, op, service, facts, &drained);
		if (left == OPERATION_NO && !facts->left_alone)
			facts->left_alone = service->name;
		if (left == OPERATION_NO && drained)
			facts->left_together = service->name;
		if (left == OPERATION_UNKNOWN && !facts->left_unknown)
			facts->left_unknown = service->name;
	}
}

/* --- pools --- */

/* Whether a node of the site says that @p pool is above its least. */
static enum operation_truth pool_is_well(const json_t *measure, const char *pool)
{
	const json_t *row = find_row(json_object_get(measure, "pools"), "pool", pool);
	uint64_t up, unknown, least;

	if (!row || !read_count(row, "up_ppm", &up) || !read_count(row, "unknown_ppm", &unknown) ||
	    !read_count(row, "min_ppm", &least))
		return OPERATION_UNKNOWN;
	if (up > 0 && up >= least)
		return OPERATION_YES;
	return up + unknown < least || up + unknown == 0 ? OPERATION_NO : OPERATION_UNKNOWN;
}

/* What one node of the site says of all pools that the operation's services have there. */
static enum operation_truth pools_by_node(const struct operation_snapshot *v,
                                          const struct operation *op, const char *site,
                                          const json_t *measure)
{
	enum operation_truth all = OPERATION_YES;
	const struct model_at *at;

	for (size_t i = 0; (at = next_moved(v, op, site, &i));)
		all = truth_of_both(all, pool_is_well(measure, at->pool->name));
	return all;
}

/* One node that knows is enough; if nodes disagree, the worse counts. */
static void gather_pools(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_site *s)
{
	const struct operation_report *report;

	for (size_t i = 0; (report = next_at(v, NULL, s->name, &i));) {
		if (!report->measure)
			continue;
		enum operation_truth one = pools_by_node(v, op, s->name, report->measure);

		if (one == OPERATION_NO || s->pools == OPERATION_UNKNOWN)
			s->pools = one;
	}
}

/* --- VIPs --- */

/*
 * Which VIPs are announced with proof. A VIP is announced by a node when a neighbour gets each of its
 * addresses, of both families. Each node says which of its VIPs are not, as these are few; a node
 * without a routing daemon announces by other means, and is asked nothing.
 *
 * A site is announced when each of its nodes announces all that it should. A VIP that it shares is
 * announced elsewhere when one node of another site announces that VIP, not just any.
 */

/* Whether a node that should announce the VIP does. */
static enum operation_truth is_announced(const struct operation_report *report,
                                         const struct model_vip *vip)
{
	const json_t *left = json_object_get(report->measure, "unannounced");
	const char *word = json_get_text(left, vip->name);

	if (!json_is_object(left))
		return OPERATION_UNKNOWN;
	if (word)
		return strcmp(word, "no") != 0 ? OPERATION_UNKNOWN : OPERATION_NO;
	return json_object_size(left) < OPERATION_MEASURE_VIPS_MAX ? OPERATION_YES
	                                                           : OPERATION_UNKNOWN;
}

/* Whether another site, that the operation does not move, announces it. */
static enum operation_truth is_elsewhere(const struct operation_snapshot *v,
                                         const struct operation *op, const struct model_vip *vip)
{
	enum operation_truth best = OPERATION_NO;

	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (operation_targets_site(op, report->node->site->name) ||
		    !model_node_announces(report->node, vip))
			continue;
		enum operation_truth one = is_announced(report, vip);
		if (one == OPERATION_YES)
			return one;
		if (one == OPERATION_UNKNOWN)
			best = one;
	}
	return best;
}

/* All nodes of the site that are not named absent. */
static enum operation_truth is_here(const struct operation_snapshot *v, const struct operation *op,
                                    const struct model_vip *vip, const char *site)
{
	enum operation_truth all = OPERATION_YES;
	const struct operation_report *report;

	for (size_t i = 0; (report = next_at(v, op, site, &i));)
		if (model_node_announces(report->node, vip))
			all = truth_of_both(all, is_announced(report, vip));
	return all;
}

/* The VIPs of what the operation moves. */
static enum operation_truth are_here(const struct operation_snapshot *v, const struct operation *op,
                                     const char *site)
{
	enum operation_truth all = OPERATION_YES;

	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *s = &v->m->services[i];

		for (size_t k = 0; operation_moves_service(op, s->name) && k < s->n_at; k++)
			if (s->at[k].vip && !strcmp(s->at[k].site->name, site))
				all = truth_of_both(all, is_here(v, op, s->at[k].vip, site));
	}
	return all;
}

static void gather_vips(const struct operation_snapshot *v, const struct operation *op,
                        struct operation_site *s)
{
	const struct model_site *site = model_site(v->m, s->name);
	size_t first = 0;

	if (next_at(v, op, s->name, &first)) /* else it is not known */
		s->announced = are_here(v, op, s->name);
	s->elsewhere = OPERATION_YES;
	for (size_t i = 0; site && i < v->m->n_vips; i++)
		if (v->m->vips[i].n_sites > 1 && model_vip_is_at(&v->m->vips[i], site))
			s->elsewhere =
			        truth_of_both(s->elsewhere, is_elsewhere(v, op, &v->m->vips[i]));
}

/* --- backups --- */

/*
 * Each node of the site says of each service with a backup whether this backup would serve
 * (mgmt/observe/backup_status.h). A backup is ready if all nodes say so; a node that is silent, and is not
 * named absent, leaves it unknown.
 */

static const struct model_at *backed_at(const struct model_service *service, const char *site)
{
	const struct model_at *at = model_service_at(service, site);

	return at && at->backup ? at : NULL;
}

/*
 * Services with one pool and one backup share a table. Late clients of one alone stay with own backends
 * (dataplane/tables/plan_backup.c): its slots are the clients' of the other, too, who are not late.
 */
static const char *slots_with(const struct operation_snapshot *v, const struct operation *op,
                              const struct model_service *service, const struct model_at *at)
{
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *other = &v->m->services[i];
		const struct model_at *its = backed_at(other, at->site->name);

		if (its && other != service && !operation_moves_service(op, other->name) &&
		    its->pool == at->pool && its->backup == at->backup)
			return other->name;
	}
	return NULL;
}

/* Add what @p report says of @p service, or of all services of the operation (NULL). */
static void add_report(const struct operation *op, const struct operation_report *report,
                       const char *service, struct backup_sum *sum, const char **detail)
{
	const json_t *rows = json_object_get(report->measure, "backups");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);
		const char *name = json_text_of(row, "service");

		if (service ? strcmp(name, service) != 0 : !operation_moves_service(op, name))
			continue;
		backup_status_add_row(row, sum);
		if (!json_has_true(row, "ready") && !**detail)
			*detail = json_text_of(row, "detail");
	}
}

/* Add up the site's nodes. @return whether all of them said something */
static bool add_site(const struct operation_snapshot *v, const struct operation *op,
                     const char *site, const char *service, struct backup_sum *sum,
                     const char **detail)
{
	const struct operation_report *report;
	bool all = true;
	size_t i = 0, n = 0;

	for (; (report = next_at(v, op, site, &i)); n++) {
		all &= json_is_array(json_object_get(report->measure, "backups"));
		add_report(op, report, service, sum, detail);
	}
	return all && n > 0;
}

static enum operation_truth is_ready(const struct backup_sum *sum, bool all)
{
	if (sum->n_refused)
		return OPERATION_NO;
	return all && sum->n && sum->n_ready == sum->n ? OPERATION_YES : OPERATION_UNKNOWN;
}

static void gather_backups(const struct operation_snapshot *v, const struct operation *op,
                           struct operation_site *s)
{
	struct backup_sum sum = { 0 };
	const char *detail = "";
	bool all;

	s->has_backup = false;
	for (size_t i = 0; v->m && i < v->m->n_services; i++) {
		const struct model_at *at = backed_at(&v->m->services[i], s->name);

		if (!at || !operation_moves_service(op, v->m->services[i].name))
			continue;
		s->has_backup = true;
		if (*op->service)
			s->slots_with = slots_with(v, op, &v->m->services[i], at);
	}
	if (!s->has_backup)
		return;
	all = add_site(v, op, s->name, NULL, &sum, &detail);
	s->backup_ok = is_ready(&sum, all);
	s->backup_left = sum.n_serving                         ? OPERATION_NO
	                 : all && sum.n && sum.n_left == sum.n ? OPERATION_YES
	                                                       : OPERATION_UNKNOWN;
}

#define SHOWN_BACKUP_ROWS(X, t)                                                                    \
	X(t, const char *, service)                                                                \
	X(t, const char *, site)                                                                   \
	X(t, const char *, backup)                                                                 \
	X(t, bool, ok, KNOWN_IF(t, known))                                                         \
	X(t, const char *, detail)                                                                 \
	X(t, bool, known, HIDDEN)
RECORD_ANSWER(shown_backup, "backup", SHOWN_BACKUP_ROWS);

static json_t *backup_row(const struct operation_snapshot *v, const struct operation *op,
                          const char *site, const struct model_service *service,
                          const struct model_at *at)
{
	struct shown_backup row = {
		.service = service->name, .site = site, .backup = at->backup->name, .detail = ""
	};
	struct backup_sum sum = { 0 };
	bool all = add_site(v, op, site, service->name, &sum, &row.detail);
	enum operation_truth ready = is_ready(&sum, all);

	if (ready == OPERATION_UNKNOWN && !*row.detail)
		row.detail = "not all nodes of the site say whether it would serve";
	if (*op->service && slots_with(v, op, service, at)) {
		ready = OPERATION_NO;
		row.detail = "another service with the same pool and backup is not drained: late "
		             "clients stay with own backends";
	}
	row.known = ready != OPERATION_UNKNOWN;
	row.ok = ready == OPERATION_YES;
	return record_shown(&shown_backup_kind, &row);
}

json_t *operation_backups_json(const struct operation_snapshot *v, const struct operation *op)
{
	json_t *list = json_array();

	for (uint32_t t = 0; v->m && t < op->n_targets; t++)
		for (size_t i = 0; i < v->m->n_services; i++) {
			const struct model_service *service = &v->m->services[i];
			const struct model_at *at = backed_at(service, op->targets[t].site);

			if (at && operation_moves_service(op, service->name))
				json_array_append_new(
				        list, backup_row(v, op, op->targets[t].site, service, at));
		}
	return list;
}

/* --- flows --- */

/*
 * What arrives at sites, as their nodes measure it. What several nodes of a site measure is added up;
 * if one of them, which is not named absent, is silent, the sum is not known: missing is never 0.
 *
 * New flows of a pool's own backends: those of its services, less the part that its backup took,
 * less the SYNs that no further segment follows.
 */

/* Drops that clients suffer from. */
static const char *const suffered[] = {
	"no_backend", "backend_dead", "no_next_hop", "no_source",
	"no_room",    "not_sent",     "no_tables",   "backup_full"
};

/* Thousandths a second, added up over a site's nodes. */
struct flow_sums {
	bool known, repeats_known;
	uint64_t own, arrived, backup, packets, repeats, drops, window_ms;
	uint64_t own_checks, backup_checks; /* taken off */
	double check_packets;               /* of one of them */
};

/* Thousandths a second. */
static bool read_rate(const json_t *object, const char *name, uint64_t *out)
{
	return json_read_count(json_object_get(object, name), RATE_END - 1, out);
}

/* What a service's new flows at one node are: those of own backends, and of the backup. */
static bool add_service(const json_t *flows, const struct model_service *service,
                        const struct model_at *at, struct flow_sums *sums)
{
	const json_t *row = find_row(json_object_get(flows, "services"), "service", service->name);
	const json_t *pool = find_row(json_object_get(flows, "pools"), "pool", at->pool->name);
	uint64_t fresh = 0, own = 0, backup = 0, silent = 0, repeated = 0, packets = 0;

	if (!row || !pool)
		return false; /* not in this node's tables, or not said: it is not none */
	if (!read_rate(row, "new_milli", &fresh) || !read_rate(pool, "own_milli", &own) ||
	    !read_rate(pool, "backup_milli", &backup))
		return false;
	(void)read_count(row, "silent_ppm", &silent);
	double product = (double)fresh * (double)own; /* may have more than 64 bits */
	uint64_t own_part = own + backup ? (uint64_t)(product / (double)(own + backup)) : fresh;
	uint64_t heard_ppm = MODEL_PPM_ALL - (silent < MODEL_PPM_ALL ? silent : MODEL_PPM_ALL);
	sums->own += own_part * heard_ppm / MODEL_PPM_ALL;
	sums->arrived += fresh * heard_ppm / MODEL_PPM_ALL;
	sums->backup += (fresh - own_part) * heard_ppm / MODEL_PPM_ALL;
	if (read_count(row, "repeated_ppm", &repeated))
		sums->repeats += fresh *
		                 (repeated < 10 * MODEL_PPM_ALL ? repeated : 10 * MODEL_PPM_ALL) /
		                 MODEL_PPM_ALL;
	else if (fresh >= 1000)
		sums->repeats_known = false; /* with packets, but too few in the sample */
	if (read_rate(pool, "own_packets_milli", &packets) && packets > own)
		sums->packets += packets - own;
	return true;
}

/* Over which time a node's rates are. */
static bool add_window(const json_t *flows, struct flow_sums *sums)
{
	uint64_t window_ms;

	if (!json_is_object(flows) || !read_count(flows, "window_ms", &window_ms))
		return false;
	if (window_ms > sums->window_ms)
		sums->window_ms = window_ms;
	return true;
}

static void add_drops(const json_t *flows, struct flow_sums *sums)
{
	const json_t *drops = json_object_get(flows, "drops");
	uint64_t n;

	for (size_t i = 0; i < sizeof(suffered) / sizeof(suffered[0]); i++)
		if (read_count(drops, suffered[i], &n))
			sums->drops += n;
}

/* Add what one node of the site measures. @return whether it is known */
static bool add_node(const struct operation_snapshot *v, const struct operation *op,
                     const char *site, const json_t *measure, struct flow_sums *sums)
{
	const json_t *flows = json_object_get(measure, "flows");
	const struct model_at *at;

	if (!add_window(flows, sums))
		return false;
	for (size_t i = 0; (at = next_moved(v, op, site, &i));)
		if (!add_service(flows, &v->m->services[i - 1], at, sums))
			return false;
	add_drops(flows, sums);
	return true;
}

/* Thousandths a second that checks by other sites make. @return of flows; @p packets: of packets behind their SYNs */
static uint64_t sum_checks(const struct operation_snapshot *v, const char *service,
                           const char *site, uint64_t *packets)
{
	uint64_t flows = 0;

	*packets = 0;
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *s = &v->m->services[i];
		uint64_t n = *service && strcmp(s->name, service) != 0
		                     ? 0
		                     : operation_checks_of(v, s, site, NULL);

		flows += n;
		if (n)
			*packets += n * (s->vip_check->type == MODEL_CHECK_HTTP ? HTTP_PACKETS
			                                                        : TCP_PACKETS);
	}
	return flows;
}

/*
 * Take checks by other sites off what arrives: they are no clients. Packets are those to own backends alone, so what comes to
 * the backup has none there.
 */
static void leave_out_checks(const struct operation_snapshot *v, const char *service,
                             const char *site, struct flow_sums *sums)
{
	uint64_t packets, checks = sum_checks(v, service, site, &packets);
	uint64_t of_own = sums->own < checks ? sums->own : checks;
	uint64_t of_backup = sums->backup < checks - of_own ? sums->backup : checks - of_own;
	uint64_t of_all = of_own + of_backup;

	packets = checks ? packets * of_own / checks : 0;
	sums->check_packets = of_own ? (double)packets / (double)of_own : 1;
	sums->own_checks = of_own;
	sums->backup_checks = of_backup;
	sums->own -= of_own;
	sums->backup -= of_backup;
	sums->arrived -= sums->arrived < of_all ? sums->arrived : of_all;
	sums->packets -= sums->packets < packets ? sums->packets : packets;
}

/*
 * What is left, a second, rounded up: one in ten seconds is not none. But checks do not come at equal times, so the square
 * root of their number in the window is chance.
 * @param each  of what is left, one check makes as many
 */
static struct operation_value count_left(const struct flow_sums *sums, uint64_t left,
                                         uint64_t checks, double each)
{
	double window_s = (double)sums->window_ms / 1000;
	double n = (double)left / 1000 * window_s / each;
	bool is_chance = n * n <= (double)checks / 1000 * window_s;

	return operation_value_of(sums->known, is_chance ? 0 : (left + 999) / 1000);
}

static struct operation_value count_packets(const struct flow_sums *sums)
{
	return count_left(sums, sums->packets, sums->own_checks, sums->check_packets);
}

static void gather_flows(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_site *s, struct flow_sums *sums)
{
	const struct operation_report *report;
	bool bits_known = true;
	uint64_t bits = 0, one;
	size_t n = 0;

	*sums = (struct flow_sums){ .known = true, .repeats_known = true };
	for (size_t i = 0; (report = next_at(v, NULL, s->name, &i));) {
		if (!report->measure && operation_is_without(op, report->node->name)) {
			s->incomplete = true;
			continue;
		}
		n++;
		sums->known &= add_node(v, op, s->name, report->measure, sums);
		if (read_count(report->measure, "bits_per_s", &one))
			bits += one;
		else
			bits_known = false;
	}
	sums->known &= n > 0;
	leave_out_checks(v, op->service, s->name, sums);
	s->bits = operation_value_of(bits_known && n > 0, bits);
	s->flows = operation_value_of(sums->known, sums->own / 1000);
	s->arrivals = operation_value_of(sums->known, sums->arrived / 1000);
	s->arrivals_heard = sums->arrived / 1000;
	s->backup_flows = operation_value_of(sums->known, sums->backup / 1000);
	s->established = count_packets(sums);
	s->repeats = operation_value_of(sums->known && sums->repeats_known, sums->repeats / 1000);
	s->drops = operation_value_of(sums->known, sums->drops / 1000);
}

/* One service at a site, over the nodes that are not named absent. @return whether it is known */
static bool sum_service(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site,
                        struct flow_sums *sums)
{
	const struct model_at *at = model_service_at(service, site);
	const struct operation_report *report;
	size_t i = 0, n = 0;

	*sums = (struct flow_sums){ .known = true };
	for (; at && (report = next_at(v, op, site, &i)); n++) {
		const json_t *flows = json_object_get(report->measure, "flows");

		sums->known &= add_window(flows, sums) && add_service(flows, service, at, sums);
	}
	return n && sums->known;
}

bool operation_flows_at(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site, uint64_t *per_s)
{
	struct flow_sums sums;

	if (!sum_service(v, op, service, site, &sums))
		return false;
	*per_s = sums.arrived / 1000;
	return true;
}

void operation_service_at(const struct operation_snapshot *v, const struct operation *op,
                          const struct model_service *service, const char *site,
                          struct operation_site *out)
{
	struct flow_sums sums;

	sums.known = sum_service(v, op, service, site, &sums);
	leave_out_checks(v, service->name, site, &sums);
	out->flows = count_left(&sums, sums.own, sums.own_checks, 1);
	out->backup_flows = count_left(&sums, sums.backup, sums.backup_checks, 1);
	out->arrivals = count_left(&sums, sums.arrived, sums.own_checks + sums.backup_checks, 1);
	out->established = count_packets(&sums);
}

/* --- late clients --- */

static struct operation_late *late_row(struct operation_observed *out, const char *prefix)
{
	for (size_t i = 0; i < out->facts.n_late; i++)
		if (!strcmp(out->late[i].prefix, prefix))
			return &out->late[i];
	if (out->facts.n_late == OPERATION_LATE_MAX || strlen(prefix) >= MODEL_NAME_MAX)
		return NULL;
	struct operation_late *row = &out->late[out->facts.n_late++];
	snprintf(row->prefix, sizeof(row->prefix), "%s", prefix);
	row->flows.known = true;
	return row;
}

/*
 * The flows of a row in the last minute without checks by other sites' nodes, which come from there, too.
 * Rows are estimated by samples: up to half more than the checks make is still theirs.
 */
static bool read_clients(const struct operation_snapshot *v, const char *site, const json_t *row,
                         uint64_t *flows)
{
	const char *service = json_text_of(row, "service");
	struct prefix prefix;
	uint64_t checks = 0;

	if (!read_count(row, "flows", flows))
		return false;
	if (*service && !prefix_parse(json_text_of(row, "prefix"), &prefix))
		checks = operation_checks_milli(v, service, site, &prefix) * MINUTE_S / 1000;
	if (checks && *flows <= checks + checks / 2)
		return false;
	*flows -= checks;
	return true;
}

/* Rounded up: one flow in a minute is not none. */
static void gather_late(const struct operation_snapshot *v, const struct operation *op,
                        struct operation_observed *out)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		const char *site = v->reports[i].node->site->name;
		const json_t *list =
		        json_object_get(json_object_get(v->reports[i].measure, "flows"), "sources");

		for (size_t k = 0; operation_targets_site(op, site) && k < json_array_size(list);
		     k++) {
			const json_t *row = json_array_get(list, k);
			struct operation_late *late;
			uint64_t flows;

			if (!operation_moves_service(op, json_text_of(row, "service")) ||
			    !read_clients(v, site, row, &flows))
				continue;
			late = late_row(out, json_text_of(row, "prefix"));
			if (late)
				late->flows.value += (flows + MINUTE_S - 1) / MINUTE_S;
		}
	}
	out->facts.late = out->late;
}

/* --- the rest of a site --- */

static bool is_name_served(const struct operation_snapshot *v, const struct operation *op,
                           const char *site)
{
	for (size_t i = 0; i < v->m->n_dns_names; i++)
		if (operation_moves_service(op, v->m->dns_names[i].service->name) &&
		    model_service_at(v->m->dns_names[i].service, site))
			return true;
	return false;
}

/* Whether a target has a backup pool at the site. */
static bool has_backup_of_target(const struct operation_snapshot *v, const struct operation *op,
                                 const char *site)
{
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *s = &v->m->services[i];

		for (size_t k = 0; operation_moves_service(op, s->name) && k < s->n_at; k++)
			if (s->at[k].backup && !strcmp(s->at[k].backup->site->name, site) &&
			    operation_targets_site(op, s->at[k].site->name))
				return true;
	}
	return false;
}

static bool was_reached(const struct operation *op, const char *node)
{
	return op->n_took_part == 0 || operation_took_part(op, node);
}

/* Whether all nodes of the site are named absent, or none was reached when the operation began. */
static bool is_absent(const struct operation_snapshot *v, const struct operation *op,
                      const char *site)
{
	const struct operation_report *report;

	for (size_t i = 0; (report = next_at(v, op, site, &i));)
		if (was_reached(op, report->node->name))
			return false;
	return true;
}

/* The answers of one node. @return whether those of all moved services are known */
static bool add_answers(const struct operation_snapshot *v, const struct operation *op,
                        const char *node, const char *site, uint64_t *milli)
{
	uint64_t one;

	for (size_t i = 0; next_moved(v, op, site, &i);) {
		if (!keys_gather_rate(v->keys, node, v->m->services[i - 1].name, site, &one))
			return false;
		*milli += one;
	}
	return true;
}

/* A node of a target that was off when the way began answers nobody. */
static bool may_answer(const struct operation_snapshot *v, const struct operation *op,
                       const struct model_node *node)
{
	if (!node->n_dns_listen || operation_is_without(op, node->name))
		return false;
	for (size_t i = 0; i < v->n_reports; i++)
		if (!strcmp(v->reports[i].node->name, node->name))
			return v->reports[i].reached || was_reached(op, node->name) ||
			       !operation_targets_site(op, node->site->name);
	return true;
}

/*
 * Answers of the moved services that name the site, a second: of all nodes that serve DNS, but for
 * those named absent. One in ten seconds is not none.
 */
static struct operation_value answers_naming(const struct operation_snapshot *v,
                                             const struct operation *op, const char *site)
{
	bool known = v->keys != NULL;
	uint64_t milli = 0;
	size_t n = 0;

	for (size_t i = 0; known && i < v->m->n_nodes; i++) {
		const struct model_node *node = &v->m->nodes[i];

		if (!may_answer(v, op, node))
			continue;
		n++;
		known = add_answers(v, op, node->name, site, &milli);
	}
	return operation_value_of(known && n > 0, (milli + 999) / 1000);
}

static void gather_site(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_site *site, struct operation_site *s,
                        struct flow_sums *sums)
{
	s->name = site->name;
	s->serves = is_name_served(v, op, site->name);
	s->backs = has_backup_of_target(v, op, site->name);
	s->absent = is_absent(v, op, site->name);
	gather_outside(v, s);
	gather_out(v, op, s);
	gather_pools(v, op, s);
	gather_flows(v, op, s, sums);
	gather_vips(v, op, s);
	gather_backups(v, op, s);
	s->named = answers_naming(v, op, site->name);
	s->capacity_flows = operation_value_of(site->capacity_flows != 0, site->capacity_flows);
	s->capacity_bits = operation_value_of(site->capacity_bits != 0, site->capacity_bits);
}

static void gather_sites(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_observed *out)
{
	const size_t max = sizeof(out->sites) / sizeof(out->sites[0]);
	uint64_t window_flows = 0;
	bool known = v->m != NULL;

	for (size_t i = 0; v->m && i < v->m->n_sites && i < max; i++) {
		struct flow_sums sums;

		gather_site(v, op, &v->m->sites[i], &out->sites[i], &sums);
		out->facts.n_sites++;
		known &= sums.known || !out->sites[i].serves;
		window_flows += sums.arrived * sums.window_ms / 1000000;
	}
	out->facts.sites = out->sites;
	out->facts.window_flows = operation_value_of(known, window_flows);
	gather_left(v, op, &out->facts);
	gather_late(v, op, out);
}

void operation_gather(const struct operation_snapshot *v, const struct operation *op,
                      int64_t elapsed_ms, struct operation_observed *out)
{
	memset(out, 0, sizeof(*out));
	out->facts.elapsed_ms = elapsed_ms;
	out->facts.self = v->self;
	out->facts.clock = truth_of(v->clock_fine);
	out->facts.document = judge_document(v->m, op);
	out->facts.unconfirmed = truth_of(v->unconfirmed);
	out->facts.key_fingerprint = *v->key ? hash_text(v->key) : 0;
	out->facts.max_sites_out =
	        (struct operation_value){ v->m != NULL, v->m ? v->m->max_sites_out : 0 };
	out->facts.ttl_s = longest_ttl(v, op);
	gather_nodes(v, op, out);
	out->facts.others = v->others;
	out->facts.n_others = v->n_others;
	gather_sites(v, op, out);
}
