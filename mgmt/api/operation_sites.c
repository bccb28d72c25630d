/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts of sites. What several nodes of a site measure is added up; if one of them, which is not
 * named absent, is silent, the sum is not known: missing is never 0.
 *
 * New flows of a pool's own backends: those of its services, less the part that its backup took,
 * less the SYNs that no further segment follows.
 */
#include "mgmt/api/operation_snapshot.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/api/keys_gather.h"
#include "mgmt/api/operation_backups.h"

#define CHECK_PACKETS 5u /* of a check over HTTP from its client, behind the SYN */
#define COUNT_END     ((json_int_t)1 << 50)
#define RATE_END      1000000000000u /* thousandths a second: times 10 * PPM_WHOLE it fits 64 bits */
#define PPM_WHOLE     1000000u
#define MINUTE_S      60u

/* Drops that clients suffer from. */
static const char *const suffered[] = {
	"no_backend", "backend_dead", "no_next_hop", "no_source",
	"no_room",    "not_sent",     "no_tables",   "backup_full"
};

static enum operation_truth truth_of(bool yes)
{
	return yes ? OPERATION_YES : OPERATION_NO;
}

/* --- reading what a node sent --- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static bool read_count(const json_t *object, const char *name, uint64_t *out)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) >= COUNT_END)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

/* Thousandths a second. */
static bool read_rate(const json_t *object, const char *name, uint64_t *out)
{
	uint64_t rate = 0;
	bool ok = read_count(object, name, &rate) && rate < RATE_END;

	*out = ok ? rate : *out;
	return ok;
}

/* The row @p name of an object, or that of a list whose @p field is @p name; NULL: there is none. */
static const json_t *find_row(const json_t *list, const char *field, const char *name)
{
	if (json_is_object(list))
		return json_object_get(list, name);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(text_of(json_array_get(list, i), field), name))
			return json_array_get(list, i);
	return NULL;
}

/* --- as observed from outside --- */

struct outside_votes {
	unsigned n_up, n_down, n_failing, n_checked;
};

static void count_vote(const struct operation_voice *voice, const char *site,
                       struct outside_votes *votes)
{
	const json_t *row = find_row(json_object_get(voice->measure, "sites"), "site", site);

	if (!row)
		return;
	votes->n_up += json_is_true(json_object_get(row, "up"));
	votes->n_down += json_is_false(json_object_get(row, "up"));
	votes->n_failing += json_is_true(json_object_get(row, "failing"));
	votes->n_checked += json_is_true(json_object_get(row, "checked"));
}

/* Nodes of other sites say; only where there is none of them, the site's own do. */
static void gather_outside(const struct operation_snapshot *v, struct operation_site *s)
{
	struct outside_votes votes = { 0 };

	for (int own = 0; own < 2 && votes.n_up + votes.n_down == 0; own++)
		for (size_t i = 0; i < v->n_voices; i++)
			if (!strcmp(v->voices[i].node->site->name, s->name) == (own != 0))
				count_vote(&v->voices[i], s->name, &votes);
	s->checked = votes.n_checked > 0;
	if (votes.n_up + votes.n_down == 0)
		return;
	if (votes.n_up != votes.n_down)
		s->up = truth_of(votes.n_up > votes.n_down);
	if (s->checked)
		s->failing = truth_of(votes.n_failing > 0);
}

/* --- taken out by others --- */

static bool is_target_override(const struct operation *op, const char *id)
{
	for (size_t i = 0; i < op->n_targets; i++)
		if (!strcmp(op->targets[i].override_id, id))
			return true;
	return false;
}

static bool puts_site_out(const struct operation_snapshot *v, const struct operation *op,
                          const struct override *o, const char *site)
{
	if (o->target != MODEL_TARGET_SITE || strcmp(o->name, site) != 0 ||
	    is_target_override(op, o->id) || override_is_done(o, v->now_ms))
		return false;
	if (o->is_step && *o->service && strcmp(o->service, op->service) != 0)
		return false;
	if (o->kind == MODEL_OVERRIDE_DISABLE)
		return o->from_ms <= v->now_ms;
	return o->kind == MODEL_OVERRIDE_DRAIN &&
	       overrides_level(&v->overrides, o, v->now_ms) == OPERATION_PPM;
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
	size_t n = 0, n_drained = 0;

	for (size_t i = 0; i < v->n_voices; i++) {
		if (strcmp(v->voices[i].node->site->name, site) != 0)
			continue;
		n++;
		n_drained += is_node_drained(v, v->voices[i].node->name);
	}
	return n > 0 && n == n_drained;
}

static void gather_out(const struct operation_snapshot *v, const struct operation *op,
                       struct operation_site *s)
{
	s->out = truth_of(are_nodes_drained(v, s->name));
	for (size_t i = 0; i < v->overrides.n_items; i++)
		if (puts_site_out(v, op, &v->overrides.items[i], s->name))
			s->out = OPERATION_YES;
	for (size_t i = 0; i < v->n_held; i++)
		s->held = s->held ||
		          (!strcmp(v->held[i].site, s->name) && strcmp(v->held[i].id, op->id) != 0);
}

/* --- pools --- */

static bool is_moved_service(const struct operation *op, const struct model_service *service)
{
	return !*op->service || !strcmp(op->service, service->name);
}

static const struct model_at *at_site(const struct model_service *service, const char *site)
{
	for (size_t i = 0; i < service->n_at; i++)
		if (!strcmp(service->at[i].site->name, site))
			return &service->at[i];
	return NULL;
}

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

/* No wins over unknown, and unknown over yes. */
static enum operation_truth all_of(enum operation_truth a, enum operation_truth b)
{
	if (a == OPERATION_NO || b == OPERATION_NO)
		return OPERATION_NO;
	return a == OPERATION_YES && b == OPERATION_YES ? OPERATION_YES : OPERATION_UNKNOWN;
}

/* What one node of the site says of all pools that the operation's services have there. */
static enum operation_truth pools_by_node(const struct operation_snapshot *v,
                                          const struct operation *op, const char *site,
                                          const json_t *measure)
{
	enum operation_truth all = OPERATION_YES;

	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_at *at = at_site(&v->m->services[i], site);

		if (at && is_moved_service(op, &v->m->services[i]))
			all = all_of(all, pool_is_well(measure, at->pool->name));
	}
	return all;
}

/* One node that knows is enough; if nodes disagree, the worse counts. */
static void gather_pools(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_site *s)
{
	for (size_t i = 0; i < v->n_voices; i++) {
		if (strcmp(v->voices[i].node->site->name, s->name) != 0 || !v->voices[i].measure)
			continue;
		enum operation_truth one = pools_by_node(v, op, s->name, v->voices[i].measure);

		if (one == OPERATION_NO || s->pools == OPERATION_UNKNOWN)
			s->pools = one;
	}
}

/* --- flows --- */

/* Thousandths a second, added up over a site's nodes. */
struct flow_sums {
	bool known, repeats_known;
	uint64_t own, arrived, backup, packets, repeats, drops, window_ms;
};

/* What a service's new flows at one node are: those of own backends, and of the backup. */
static bool add_service(const json_t *flows, const struct model_service *service,
                        const struct model_at *at, struct flow_sums *sums)
{
	const json_t *row = find_row(json_object_get(flows, "services"), "service", service->name);
	const json_t *pool = find_row(json_object_get(flows, "pools"), "pool", at->pool->name);
	uint64_t fresh = 0, own = 0, backup = 0, silent = 0, repeated = 0;

	if (!row || !pool)
		return false; /* not in this node's tables, or not said: it is not none */
	if (!read_rate(row, "new_milli", &fresh) || !read_rate(pool, "own_milli", &own) ||
	    !read_rate(pool, "backup_milli", &backup))
		return false;
	(void)read_count(row, "silent_ppm", &silent);
	double product = (double)fresh * (double)own; /* may have more than 64 bits */
	uint64_t own_part = own + backup ? (uint64_t)(product / (double)(own + backup)) : fresh;
	uint64_t heard_ppm = PPM_WHOLE - (silent < PPM_WHOLE ? silent : PPM_WHOLE);
	sums->own += own_part * heard_ppm / PPM_WHOLE;
	sums->arrived += fresh * heard_ppm / PPM_WHOLE;
	sums->backup += (fresh - own_part) * heard_ppm / PPM_WHOLE;
	if (read_count(row, "repeated_ppm", &repeated))
		sums->repeats +=
		        fresh * (repeated < 10 * PPM_WHOLE ? repeated : 10 * PPM_WHOLE) / PPM_WHOLE;
	else if (fresh >= 1000)
		sums->repeats_known = false; /* with packets, but too few in the sample */
	return true;
}

static void add_packets(const json_t *flows, const struct model_at *at, struct flow_sums *sums)
{
	const json_t *pool = find_row(json_object_get(flows, "pools"), "pool", at->pool->name);
	uint64_t packets = 0, own = 0;

	if (pool && read_rate(pool, "own_packets_milli", &packets) &&
	    read_rate(pool, "own_milli", &own) && packets > own)
		sums->packets += packets - own;
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
	uint64_t window_ms;

	if (!json_is_object(flows) || !read_count(flows, "window_ms", &window_ms))
		return false;
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *service = &v->m->services[i];
		const struct model_at *at = at_site(service, site);

		if (!at || !is_moved_service(op, service))
			continue;
		if (!add_service(flows, service, at, sums))
			return false;
		add_packets(flows, at, sums);
	}
	add_drops(flows, sums);
	if (window_ms > sums->window_ms)
		sums->window_ms = window_ms;
	return true;
}

static struct operation_value value_of(bool known, uint64_t value)
{
	return (struct operation_value){ .known = known, .value = known ? value : 0 };
}

/* Take checks by other sites off what arrives: they are no clients. */
static void leave_out_checks(const struct operation_snapshot *v, const struct operation *op,
                             const char *site, struct flow_sums *sums)
{
	uint64_t checks = operation_checks_milli(v, op->service, site);
	uint64_t of_own = sums->own < checks ? sums->own : checks;
	uint64_t of_backup = sums->backup < checks - of_own ? sums->backup : checks - of_own;
	uint64_t packets = (of_own + of_backup) * CHECK_PACKETS;

	sums->own -= of_own;
	sums->backup -= of_backup;
	sums->arrived -= sums->arrived < of_own + of_backup ? sums->arrived : of_own + of_backup;
	sums->packets -= sums->packets < packets ? sums->packets : packets;
}

static void gather_flows(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_site *s, struct flow_sums *sums)
{
	bool bits_known = true;
	uint64_t bits = 0, one;
	size_t n = 0;

	*sums = (struct flow_sums){ .known = true, .repeats_known = true };
	for (size_t i = 0; i < v->n_voices; i++) {
		const struct operation_voice *voice = &v->voices[i];

		if (strcmp(voice->node->site->name, s->name) != 0)
			continue;
		if (!voice->measure && operation_is_without(op, voice->node->name)) {
			s->unheard = true;
			continue;
		}
		n++;
		sums->known &= add_node(v, op, s->name, voice->measure, sums);
		if (read_count(voice->measure, "bits_per_s", &one))
			bits += one;
		else
			bits_known = false;
	}
	sums->known &= n > 0;
	leave_out_checks(v, op, s->name, sums);
	s->bits = value_of(bits_known && n > 0, bits);
	s->flows = value_of(sums->known, sums->own / 1000);
	s->arrivals = value_of(sums->known, sums->arrived / 1000);
	s->backup_flows = value_of(sums->known, sums->backup / 1000);
	s->established = value_of(sums->known, sums->packets / 1000);
	s->repeats = value_of(sums->known && sums->repeats_known, sums->repeats / 1000);
	s->drops = value_of(sums->known, sums->drops / 1000);
}

/* --- the rest of a site --- */

static bool is_name_served(const struct operation_snapshot *v, const struct operation *op,
                           const char *site)
{
	for (size_t i = 0; i < v->m->n_dns_names; i++)
		if (is_moved_service(op, v->m->dns_names[i].service) &&
		    at_site(v->m->dns_names[i].service, site))
			return true;
	return false;
}

static bool was_reached(const struct operation *op, const char *node)
{
	for (uint32_t i = 0; i < op->n_nodes; i++)
		if (!strcmp(op->nodes[i], node))
			return true;
	return op->n_nodes == 0;
}

/* Whether all nodes of the site are named absent, or none was reached when the operation began. */
static bool is_absent(const struct operation_snapshot *v, const struct operation *op,
                      const char *site)
{
	for (size_t i = 0; i < v->n_voices; i++) {
		const struct model_node *node = v->voices[i].node;

		if (!strcmp(node->site->name, site) && !operation_is_without(op, node->name) &&
		    was_reached(op, node->name))
			return false;
	}
	return true;
}

/* A node without a routing daemon announces by other means: nothing is asked of it. */
static enum operation_truth read_announced(const struct operation_voice *voice)
{
	const char *state = text_of(voice->measure, "announce");

	if (voice->node->announce.daemon == MODEL_DAEMON_NONE)
		return OPERATION_YES;
	if (!voice->measure || !*state || !strcmp(state, "unknown"))
		return OPERATION_UNKNOWN;
	return truth_of(!strcmp(state, "serving"));
}

static bool shares_vip(const struct operation_snapshot *v, const char *site, const char *other)
{
	for (size_t i = 0; i < v->m->n_vips; i++) {
		const struct model_vip *vip = &v->m->vips[i];
		unsigned n = 0;

		for (size_t k = 0; k < vip->n_sites; k++)
			n += !strcmp(vip->sites[k]->name, site) ||
			     !strcmp(vip->sites[k]->name, other);
		if (n == 2)
			return true;
	}
	return false;
}

/* VIPs of the site: announced by its nodes that are not named absent, and those that it shares also by another site. */
static void gather_announced(const struct operation_snapshot *v, const struct operation *op,
                             struct operation_site *s)
{
	bool shares = false, elsewhere = false, all = true, known = true;
	size_t n = 0;

	for (size_t i = 0; i < v->n_voices; i++) {
		const char *site = v->voices[i].node->site->name;
		enum operation_truth one = read_announced(&v->voices[i]);

		if (!strcmp(site, s->name)) {
			if (operation_is_without(op, v->voices[i].node->name))
				continue;
			n++;
			all &= one == OPERATION_YES;
			known &= one != OPERATION_UNKNOWN;
		} else if (shares_vip(v, s->name, site)) {
			shares = true;
			elsewhere |= one == OPERATION_YES &&
			             v->voices[i].node->announce.daemon != MODEL_DAEMON_NONE;
		}
	}
	s->announced = known && n > 0 ? truth_of(all) : OPERATION_UNKNOWN;
	s->elsewhere = shares ? truth_of(elsewhere) : OPERATION_YES;
}

bool operation_flows_at(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site, uint64_t *per_s)
{
	const struct model_at *at = at_site(service, site);
	struct flow_sums sums = { .known = true };
	size_t n = 0;

	for (size_t i = 0; at && i < v->n_voices; i++) {
		const json_t *flows = json_object_get(v->voices[i].measure, "flows");

		if (strcmp(v->voices[i].node->site->name, site) != 0 ||
		    operation_is_without(op, v->voices[i].node->name))
			continue;
		n++;
		sums.known &= json_is_object(flows) && add_service(flows, service, at, &sums);
	}
	if (!n || !sums.known)
		return false;
	*per_s = sums.arrived / 1000;
	return true;
}

/* The answers of one node. @return whether those of all moved services are known */
static bool add_answers(const struct operation_snapshot *v, const struct operation *op,
                        const char *node, const char *site, uint64_t *milli)
{
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *service = &v->m->services[i];
		uint64_t one;

		if (!is_moved_service(op, service) || !at_site(service, site))
			continue;
		if (!keys_gather_rate(v->keys, node, service->name, site, &one))
			return false;
		*milli += one;
	}
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

		if (!node->n_dns_listen || operation_is_without(op, node->name))
			continue;
		n++;
		known = add_answers(v, op, node->name, site, &milli);
	}
	return value_of(known && n > 0, (milli + 999) / 1000);
}

static void gather_site(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_site *site, struct operation_site *s,
                        struct flow_sums *sums)
{
	s->name = site->name;
	s->serves = is_name_served(v, op, site->name);
	s->absent = is_absent(v, op, site->name);
	gather_outside(v, s);
	gather_out(v, op, s);
	gather_pools(v, op, s);
	gather_flows(v, op, s, sums);
	gather_announced(v, op, s);
	operation_gather_backups(v, op, s);
	s->named = answers_naming(v, op, site->name);
	s->capacity_flows = value_of(site->capacity_flows != 0, site->capacity_flows);
	s->capacity_bits = value_of(site->capacity_bits != 0, site->capacity_bits);
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

/* The prefixes from which new flows came to the targets in the last minute: one is not none. */
static void gather_late(const struct operation_snapshot *v, const struct operation *op,
                        struct operation_observed *out)
{
	for (size_t i = 0; i < v->n_voices; i++) {
		const json_t *list =
		        json_object_get(json_object_get(v->voices[i].measure, "flows"), "sources");

		if (!operation_targets_site(op, v->voices[i].node->site->name))
			continue;
		for (size_t k = 0; k < json_array_size(list); k++) {
			const json_t *row = json_array_get(list, k);
			struct operation_late *late = late_row(out, text_of(row, "prefix"));
			uint64_t flows;

			if (late && read_count(row, "flows", &flows))
				late->flows.value += (flows + MINUTE_S - 1) / MINUTE_S;
		}
	}
	out->facts.late = out->late;
}

void operation_gather_sites(const struct operation_snapshot *v, const struct operation *op,
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
	out->facts.window_flows = value_of(known, window_flows);
	gather_late(v, op, out);
}
