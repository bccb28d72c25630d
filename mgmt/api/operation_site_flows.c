/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What arrives at sites, as their nodes measure it. What several nodes of a site measure is added up;
 * if one of them, which is not named absent, is silent, the sum is not known: missing is never 0.
 *
 * New flows of a pool's own backends: those of its services, less the part that its backup took,
 * less the SYNs that no further segment follows.
 */
#include "mgmt/api/operation_sites_internal.h"

#include <stdio.h>
#include <string.h>

#include "weir/json.h"

#define CHECK_PACKETS 5u /* of a check over HTTP from its client, behind the SYN */
#define COUNT_END     ((json_int_t)1 << 50)
#define RATE_END      1000000000000u /* thousandths a second: times 10 * MODEL_PPM_ALL it fits 64 bits */
#define MINUTE_S      60u

/* Drops that clients suffer from. */
static const char *const suffered[] = {
	"no_backend", "backend_dead", "no_next_hop", "no_source",
	"no_room",    "not_sent",     "no_tables",   "backup_full"
};

/* --- reading what a node sent --- */

bool operation_read_count(const json_t *object, const char *name, uint64_t *out)
{
	return json_read_count(json_object_get(object, name), COUNT_END - 1, out);
}

/* Thousandths a second. */
static bool read_rate(const json_t *object, const char *name, uint64_t *out)
{
	return json_read_count(json_object_get(object, name), RATE_END - 1, out);
}

const json_t *operation_find_row(const json_t *list, const char *field, const char *name)
{
	return json_is_object(list) ? json_object_get(list, name) : json_find(list, field, name);
}

/* --- flows --- */

/* What a service's new flows at one node are: those of own backends, and of the backup. */
static bool add_service(const json_t *flows, const struct model_service *service,
                        const struct model_at *at, struct operation_flow_sums *sums)
{
	const json_t *row =
	        operation_find_row(json_object_get(flows, "services"), "service", service->name);
	const json_t *pool =
	        operation_find_row(json_object_get(flows, "pools"), "pool", at->pool->name);
	uint64_t fresh = 0, own = 0, backup = 0, silent = 0, repeated = 0;

	if (!row || !pool)
		return false; /* not in this node's tables, or not said: it is not none */
	if (!read_rate(row, "new_milli", &fresh) || !read_rate(pool, "own_milli", &own) ||
	    !read_rate(pool, "backup_milli", &backup))
		return false;
	(void)operation_read_count(row, "silent_ppm", &silent);
	double product = (double)fresh * (double)own; /* may have more than 64 bits */
	uint64_t own_part = own + backup ? (uint64_t)(product / (double)(own + backup)) : fresh;
	uint64_t heard_ppm = MODEL_PPM_ALL - (silent < MODEL_PPM_ALL ? silent : MODEL_PPM_ALL);
	sums->own += own_part * heard_ppm / MODEL_PPM_ALL;
	sums->arrived += fresh * heard_ppm / MODEL_PPM_ALL;
	sums->backup += (fresh - own_part) * heard_ppm / MODEL_PPM_ALL;
	if (operation_read_count(row, "repeated_ppm", &repeated))
		sums->repeats += fresh *
		                 (repeated < 10 * MODEL_PPM_ALL ? repeated : 10 * MODEL_PPM_ALL) /
		                 MODEL_PPM_ALL;
	else if (fresh >= 1000)
		sums->repeats_known = false; /* with packets, but too few in the sample */
	return true;
}

static void add_packets(const json_t *flows, const struct model_at *at,
                        struct operation_flow_sums *sums)
{
	const json_t *pool =
	        operation_find_row(json_object_get(flows, "pools"), "pool", at->pool->name);
	uint64_t packets = 0, own = 0;

	if (pool && read_rate(pool, "own_packets_milli", &packets) &&
	    read_rate(pool, "own_milli", &own) && packets > own)
		sums->packets += packets - own;
}

static void add_drops(const json_t *flows, struct operation_flow_sums *sums)
{
	const json_t *drops = json_object_get(flows, "drops");
	uint64_t n;

	for (size_t i = 0; i < sizeof(suffered) / sizeof(suffered[0]); i++)
		if (operation_read_count(drops, suffered[i], &n))
			sums->drops += n;
}

/* Add what one node of the site measures. @return whether it is known */
static bool add_node(const struct operation_snapshot *v, const struct operation *op,
                     const char *site, const json_t *measure, struct operation_flow_sums *sums)
{
	const json_t *flows = json_object_get(measure, "flows");
	uint64_t window_ms;

	if (!json_is_object(flows) || !operation_read_count(flows, "window_ms", &window_ms))
		return false;
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *service = &v->m->services[i];
		const struct model_at *at = model_service_at(service, site);

		if (!at || !operation_moves_service(op, service->name))
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

/* Take checks by other sites off what arrives: they are no clients. */
static void leave_out_checks(const struct operation_snapshot *v, const char *service,
                             const char *site, struct operation_flow_sums *sums)
{
	uint64_t checks = operation_checks_milli(v, service, site);
	uint64_t of_own = sums->own < checks ? sums->own : checks;
	uint64_t of_backup = sums->backup < checks - of_own ? sums->backup : checks - of_own;
	uint64_t packets = (of_own + of_backup) * CHECK_PACKETS;

	sums->own -= of_own;
	sums->backup -= of_backup;
	sums->arrived -= sums->arrived < of_own + of_backup ? sums->arrived : of_own + of_backup;
	sums->packets -= sums->packets < packets ? sums->packets : packets;
}

void operation_gather_flows(const struct operation_snapshot *v, const struct operation *op,
                            struct operation_site *s, struct operation_flow_sums *sums)
{
	bool bits_known = true;
	uint64_t bits = 0, one;
	size_t n = 0;

	*sums = (struct operation_flow_sums){ .known = true, .repeats_known = true };
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (strcmp(report->node->site->name, s->name) != 0)
			continue;
		if (!report->measure && operation_is_without(op, report->node->name)) {
			s->incomplete = true;
			continue;
		}
		n++;
		sums->known &= add_node(v, op, s->name, report->measure, sums);
		if (operation_read_count(report->measure, "bits_per_s", &one))
			bits += one;
		else
			bits_known = false;
	}
	sums->known &= n > 0;
	leave_out_checks(v, op->service, s->name, sums);
	s->bits = operation_value_of(bits_known && n > 0, bits);
	s->flows = operation_value_of(sums->known, sums->own / 1000);
	s->arrivals = operation_value_of(sums->known, sums->arrived / 1000);
	s->backup_flows = operation_value_of(sums->known, sums->backup / 1000);
	s->established = operation_value_of(sums->known, sums->packets / 1000);
	s->repeats = operation_value_of(sums->known && sums->repeats_known, sums->repeats / 1000);
	s->drops = operation_value_of(sums->known, sums->drops / 1000);
}

/* One service at a site, over the nodes that are not named absent. @return whether it is known */
static bool sum_service(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site,
                        struct operation_flow_sums *sums)
{
	const struct model_at *at = model_service_at(service, site);
	size_t n = 0;

	*sums = (struct operation_flow_sums){ .known = true };
	for (size_t i = 0; at && i < v->n_reports; i++) {
		const json_t *flows = json_object_get(v->reports[i].measure, "flows");

		if (strcmp(v->reports[i].node->site->name, site) != 0 ||
		    operation_is_without(op, v->reports[i].node->name))
			continue;
		n++;
		sums->known &= json_is_object(flows) && add_service(flows, service, at, sums);
		if (sums->known)
			add_packets(flows, at, sums);
	}
	return n && sums->known;
}

bool operation_flows_at(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site, uint64_t *per_s)
{
	struct operation_flow_sums sums;

	if (!sum_service(v, op, service, site, &sums))
		return false;
	*per_s = sums.arrived / 1000;
	return true;
}

void operation_service_at(const struct operation_snapshot *v, const struct operation *op,
                          const struct model_service *service, const char *site,
                          struct operation_service_flows *out)
{
	struct operation_flow_sums sums;

	*out = (struct operation_service_flows){ .known =
		                                         sum_service(v, op, service, site, &sums) };
	if (!out->known)
		return;
	leave_out_checks(v, service->name, site, &sums);
	out->own = sums.own / 1000;
	out->arriving = sums.arrived / 1000;
	out->backup = sums.backup / 1000;
	out->established = sums.packets / 1000;
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
	struct prefix prefix;
	uint64_t checks = 0;

	if (!operation_read_count(row, "flows", flows))
		return false;
	if (!prefix_parse(json_text_of(row, "prefix"), &prefix))
		checks = operation_checks_from(v, json_text_of(row, "service"), site, &prefix) *
		         MINUTE_S / 1000;
	if (checks && *flows <= checks + checks / 2)
		return false;
	*flows -= checks;
	return true;
}

/* Rounded up: one flow in a minute is not none. */
void operation_gather_late(const struct operation_snapshot *v, const struct operation *op,
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
