/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effect page has a row for each table, which is a pool with a backup or without; services that
 * share a table have rows of their own here, because people name services.
 */
#include "mgmt/api/backup_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/effect.h"
#include "weir/json.h"
#include "weir/model.h"

#define DETAIL_MAX (BACKUP_CAUSE_MAX + 256u)

static bool is_ready(enum effect_backup_unused obstacle, const struct model_pool *backup)
{
	return obstacle == EFFECT_BACKUP_USABLE && backup->check;
}

/* A backup that nothing probes may be ready: nobody knows. */
static json_t *ready_of(enum effect_backup_unused obstacle, const struct model_pool *backup)
{
	if (obstacle == EFFECT_BACKUP_UNPROVEN ||
	    (obstacle == EFFECT_BACKUP_USABLE && !backup->check))
		return json_null();
	return json_boolean(is_ready(obstacle, backup));
}

/* The obstacle that the tables name; then what is known of its backends where that matters. */
static void explain_obstacle(enum effect_backup_unused obstacle,
                             const struct backup_evidence *evidence, const struct model_at *at,
                             uint64_t table, char out[DETAIL_MAX])
{
	const char *reason = obstacle != EFFECT_BACKUP_USABLE ? effect_backup_unused_text(obstacle)
	                     : at->backup->check
	                             ? ""
	                             : "its pool has no check: whether it is up is not known";
	bool by_backends = obstacle == EFFECT_BACKUP_POOL_DOWN ||
	                   obstacle == EFFECT_BACKUP_UNPROVEN || !at->backup->check;
	char cause[BACKUP_CAUSE_MAX];
	bool known = by_backends && *backup_cause(evidence, at, table, cause);

	snprintf(out, DETAIL_MAX, "%s%s%s", reason, known ? "; " : "", known ? cause : "");
}

static void add_effect(json_t *row, const struct effect_pool *p,
                       const struct backup_evidence *evidence, const struct model_at *at,
                       uint64_t table)
{
	enum effect_backup_unused obstacle = (enum effect_backup_unused)p->backup_obstacle;
	char detail[DETAIL_MAX];

	explain_obstacle(obstacle, evidence, at, table, detail);
	json_object_set_new(row, "class",
	                    json_string(effect_class_text((enum effect_class)p->class)));
	json_object_set_new(row, "backup_slots", json_integer(p->backup_slots));
	json_object_set_new(row, "refused_slots", json_integer(p->refused_slots));
	json_object_set_new(row, "ready", ready_of(obstacle, at->backup));
	json_object_set_new(row, "detail", json_string(detail));
}

int backup_tables_init(struct backup_tables *tables, const struct model *m)
{
	*tables = (struct backup_tables){ .items = calloc(model_tables_max(m) + 1,
		                                          sizeof(*tables->items)) };
	if (!tables->items)
		return -ENOMEM;
	tables->n = m->self ? model_tables(m, m->self->site, tables->items) : 0;
	return 0;
}

void backup_tables_fini(struct backup_tables *tables)
{
	free(tables->items);
	*tables = (struct backup_tables){ .n = 0 };
}

/* The id of the table that a service leads to; 0: none. */
static uint64_t table_id(const struct backup_tables *tables, const struct model_at *at)
{
	const struct model_table *t = model_table(tables->items, tables->n, at->pool, at->backup);

	return t ? t->id : 0;
}

static bool is_own_site(const struct model *m, const struct model_at *at)
{
	return m->self && at->site == m->self->site;
}

/* @p evidence  NULL: this node knows nothing of this site */
static json_t *row_of(const struct model_service *s, const struct model_at *at,
                      const struct backup_evidence *evidence, uint64_t id)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n}", "service", s->name, "site",
	                        at->site->name, "pool", at->pool->name, "backup", at->backup->name,
	                        "class", "ready");
	char cause[BACKUP_CAUSE_MAX];
	struct effect_pool p;

	if (!row || !evidence)
		return row;
	if (evidence->effect && !effect_table(evidence->effect, id, &p) && p.has_backup)
		add_effect(row, &p, evidence, at, id);
	else
		json_object_set_new(row, "detail",
		                    json_string(backup_cause(evidence, at, id, cause)));
	return row;
}

json_t *backup_status_json(const struct backup_evidence *evidence)
{
	const struct model *m = evidence->m;
	struct backup_tables tables;

	if (backup_tables_init(&tables, m))
		return NULL;
	json_t *rows = json_array();
	for (size_t i = 0; rows && i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			if (is_own_site(m, at) && at->backup)
				json_array_append_new(rows, row_of(&m->services[i], at, evidence,
				                                   table_id(&tables, at)));
		}
	backup_tables_fini(&tables);
	return rows;
}

json_t *backup_status_of(const struct backup_evidence *evidence, const struct backup_tables *tables,
                         const struct model_service *service, const struct model_at *at)
{
	bool own = is_own_site(evidence->m, at);
	json_t *row = row_of(service, at, own ? evidence : NULL, own ? table_id(tables, at) : 0);

	json_object_del(row, "service");
	json_object_del(row, "site");
	json_object_del(row, "pool");
	return row;
}

bool backup_status_is_odd(const struct backup_evidence *evidence,
                          const struct backup_tables *tables, const struct model_at *at)
{
	struct effect_pool p;

	if (!at->backup || !is_own_site(evidence->m, at))
		return false;
	return !evidence->effect || effect_table(evidence->effect, table_id(tables, at), &p) ||
	       !p.has_backup || !is_ready((enum effect_backup_unused)p.backup_obstacle, at->backup);
}

void backup_status_add_row(const json_t *row, struct backup_sum *sum)
{
	const json_t *ready = json_object_get(row, "ready");
	const json_t *slots = json_object_get(row, "backup_slots");
	const char *class = json_get_text(row, "class");

	sum->n++;
	sum->n_ready += json_is_true(ready);
	sum->n_refused += json_is_false(ready);
	if (!class || !json_is_integer(slots))
		return;
	bool left = json_integer_value(slots) == 0 && !strcmp(class, "own");
	sum->n_left += left;
	sum->n_serving += !left;
}
