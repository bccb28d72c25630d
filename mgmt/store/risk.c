/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of rules, and the sentences. Measures (risk_*.c) pass each figure to risk_note(); the
 * table alone decides which figures are risky.
 */
#include "mgmt/store/risk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/risk_internal.h"

#define TEXT_MAX 512 /* bytes of a part of a sentence, before it is copied to the arena */

#define RISK_ROW(id, name_, unit_, limit_, harm_)                                                  \
	[RISK_##id] = { .name = name_, .unit = RISK_##unit_, .limit = limit_, .harm = harm_ },
static const struct risk_rule rules[RISK_COUNT] = { RISK_RULES(RISK_ROW) };

size_t risk_rules(const struct risk_rule **out)
{
	*out = rules;
	return RISK_COUNT;
}

const char *risk_text(struct risk_work *w, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	const char *copy = arena_strdup(w->arena, text);
	return copy ? copy : "";
}

/* "50 %" or "12.5 times" */
static void print_figure(const struct risk_rule *rule, double figure, char *out, size_t size)
{
	if (rule->unit == RISK_TIMES)
		snprintf(out, size, "%.3g times", figure);
	else
		snprintf(out, size, "%.3g %%", figure * 100);
}

static const char *limit_text(const struct risk_rule *rule, char *out, size_t size)
{
	char figure[32];

	if (rule->limit <= RISK_ANY)
		return "risky above 0";
	print_figure(rule, rule->limit, figure, sizeof(figure));
	snprintf(out, size, "risky from %s", figure);
	return out;
}

void risk_note(struct risk_work *w, enum risk_id id, double figure, const char *subject,
               const char *format, ...)
{
	const struct risk_rule *rule = &rules[id];
	char what[TEXT_MAX], shown[32], limit[64];
	va_list list;

	if (figure < rule->limit)
		return;
	w->n_all++;
	if (w->n == RISK_SHOWN_MAX)
		return;
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	print_figure(rule, figure, shown, sizeof(shown));
	const char *text =
	        arena_printf(w->arena, "%s: %s: %s (rule %s: %s, %s)", subject, what, rule->harm,
	                     rule->name, shown, limit_text(rule, limit, sizeof(limit)));
	w->items[w->n++] = (struct risk){ rule, figure, text ? text : rule->name };
}

static int compare_item_name(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

const void *risk_named(const void *array, size_t n, size_t size, const char *name)
{
	return n ? bsearch(name, array, n, size, compare_item_name) : NULL;
}

double risk_times(double before, double after)
{
	if (before == after)
		return 1;
	return before > 0 ? after / before : 1e6;
}

size_t risk_addresses_gone(const struct addr *a, size_t n_a, const struct addr *b, size_t n_b)
{
	size_t gone = 0;

	for (size_t i = 0; i < n_a; i++) {
		size_t k = 0;

		while (k < n_b && !addr_equal(&a[i], &b[k]))
			k++;
		gone += k == n_b;
	}
	return gone;
}

/* A figure of 1 stands for all: there is no part of a renamed cluster or another key. */
static void measure_cluster(struct risk_work *w)
{
	const struct model_limits *a = &w->from->limits, *b = &w->to->limits;
	const struct {
		const char *name;
		uint32_t before, after;
	} tables[] = { { "services", a->services, b->services },
		       { "backends", a->backends, b->backends },
		       { "slots", a->slots, b->slots },
		       { "exceptions", a->exceptions, b->exceptions } };

	if (strcmp(w->from->cluster, w->to->cluster) != 0)
		risk_note(w, RISK_CLUSTER_RENAMED, 1, "cluster", "its name changes from %s to %s",
		          w->from->cluster, w->to->cluster);
	bool keys_known =
	        w->from->key_state == MODEL_KEY_GOOD && w->to->key_state == MODEL_KEY_GOOD;

	if (strcmp(w->from->hash_key_id, w->to->hash_key_id) != 0 ||
	    (keys_known &&
	     memcmp(w->from->hash_key, w->to->hash_key, sizeof(w->to->hash_key)) != 0))
		risk_note(w, RISK_FLOWS_REHASHED, 1, "cluster",
		          "all flows are hashed by another key (%s, was %s)", w->to->hash_key_id,
		          w->from->hash_key_id);
	if (w->from->placement != w->to->placement)
		risk_note(w, RISK_CLIENTS_MOVED, 1, "cluster",
		          "clients are placed by another key (placement)");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		risk_note(w, RISK_TABLES_SMALLER, 1 - risk_times(tables[i].before, tables[i].after),
		          risk_text(w, "limits.%s", tables[i].name), "%u, was %u", tables[i].after,
		          tables[i].before);
}

static void measure_sites(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_sites; i++) {
		const struct model_site *a = &w->from->sites[i], *b = model_site(w->to, a->name);
		const char *subject = risk_text(w, "site %s", a->name);

		if (!b) {
			risk_note(w, RISK_SITE_GONE, 1, subject, "removed");
			continue;
		}
		/* without a capacity the guard `room` lets everything pass */
		if (a->capacity_bits)
			risk_note(w, RISK_CAPACITY_GUARD,
			          b->capacity_bits ? risk_times((double)a->capacity_bits,
			                                        (double)b->capacity_bits)
			                           : 1e6,
			          subject, "capacity.bits is %s",
			          b->capacity_bits ? "raised" : "removed");
	}
}

size_t risk_find(const struct model *from, const struct model *to, struct arena *arena,
                 const struct risk **out, size_t *n_all)
{
	struct risk_work w = { .from = from, .to = to, .arena = arena };

	*out = NULL;
	*n_all = 0;
	w.items = ARENA_ARRAY(arena, struct risk, RISK_SHOWN_MAX);
	if (!w.items)
		return 0;
	measure_cluster(&w);
	measure_sites(&w);
	risk_measure_nodes(&w);
	risk_measure_services(&w);
	risk_measure_pools(&w);
	risk_measure_checks(&w);
	risk_measure_names(&w);
	risk_measure_zones(&w);
	*out = w.items;
	*n_all = w.n_all;
	return w.n;
}
