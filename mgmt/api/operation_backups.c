/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each node of the site says of each service with a backup whether this backup would serve
 * (mgmt/api/backup_status.h). A backup is ready if all nodes say so; a node that is silent, and is not
 * named absent, leaves it unknown.
 */
#include "mgmt/api/operation_backups.h"

#include <string.h>

#include "mgmt/api/backup_status.h"
#include "mgmt/api/operation_sites_internal.h"

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
	bool all = true;
	size_t n = 0;

	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (strcmp(report->node->site->name, site) != 0 ||
		    operation_is_without(op, report->node->name))
			continue;
		n++;
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

void operation_gather_backups(const struct operation_snapshot *v, const struct operation *op,
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

static json_t *backup_row(const struct operation_snapshot *v, const struct operation *op,
                          const char *site, const struct model_service *service,
                          const struct model_at *at)
{
	struct backup_sum sum = { 0 };
	const char *detail = "";
	bool all = add_site(v, op, site, service->name, &sum, &detail);
	enum operation_truth ready = is_ready(&sum, all);

	if (ready == OPERATION_UNKNOWN && !*detail)
		detail = "not all nodes of the site say whether it would serve";
	if (*op->service && slots_with(v, op, service, at)) {
		ready = OPERATION_NO;
		detail = "another service with the same pool and backup is not drained: late "
		         "clients stay with own backends";
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:s}", "service", service->name, "site", site,
	                 "backup", at->backup->name, "ok",
	                 ready == OPERATION_UNKNOWN ? json_null()
	                                            : json_boolean(ready == OPERATION_YES),
	                 "detail", detail);
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
