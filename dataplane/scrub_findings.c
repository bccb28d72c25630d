/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where damage was found, for people. A finding has a name that is looked up when it is first made: later
 * its element may be another's. Findings are bounded; what has no room is only counted.
 */
#include "dataplane/scrub.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "weir/layout.h"
#include "weir/model.h"

const char *scrub_table_name(enum fwd_table table)
{
	static const char *const names[FWD_TABLE_COUNT] = { [FWD_TABLE_ROOT] = "root",
#define NAME_OF(name, element, count) [FWD_TABLE_##name] = #name,
		                                            FWD_TABLES(NAME_OF)
#undef NAME_OF
	};

	return names[table];
}

static const struct compiler_pool *pool_at(const struct compiler *n, uint32_t index)
{
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].index == index)
			return &n->pools[i];
	return NULL;
}

static void name_pool(const struct compiler *n, uint32_t index, const char *what,
                      char out[SCRUB_NAME_MAX])
{
	const struct compiler_pool *p = pool_at(n, index);

	if (p)
		snprintf(out, SCRUB_NAME_MAX, "%s %s", what, p->plan->model->name);
}

static void name_backend(const struct compiler *n, uint32_t index, char out[SCRUB_NAME_MAX])
{
	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++) {
			const struct plan_backend *b = &n->pools[i].plan->backends[k];

			if (n->pools[i].backends[k].index != index)
				continue;
			snprintf(out, SCRUB_NAME_MAX, "backend %s/%s",
			         plan_pool_of(n->pools[i].plan, b)->name, b->name);
			return;
		}
}

static void name_service(const struct compiler *n, uint32_t element, char out[SCRUB_NAME_MAX])
{
	const struct fwd_service *e = &n->shadow.t.services[element];
	char text[ADDR_TEXT_MAX];
	struct addr address;

	if (!(e->flags & FWD_SERVICE_USED))
		return;
	memcpy(address.bytes, e->vip.bytes, sizeof(address.bytes));
	addr_text(&address, text);
	if (e->protocol)
		snprintf(out, SCRUB_NAME_MAX, "service %s port %u/%s", text, fwd_be16(e->port_be),
		         e->protocol == 6 ? "tcp" : "udp");
	else
		snprintf(out, SCRUB_NAME_MAX, "VIP %s", text);
}

/* For people: what an element is, or the table's name alone. */
static void name_finding(const struct compiler *n, enum fwd_table table, uint32_t key,
                         char out[SCRUB_NAME_MAX])
{
	snprintf(out, SCRUB_NAME_MAX, "table %s", scrub_table_name(table));
	switch (table) {
	case FWD_TABLE_pools:
		name_pool(n, key, "pool", out);
		break;
	case FWD_TABLE_slots:
		name_pool(n, key, "slots of pool", out);
		break;
	case FWD_TABLE_backends:
		name_backend(n, key, out);
		break;
	case FWD_TABLE_services:
		name_service(n, key, out);
		break;
	default:
		break;
	}
}

/*
 * Elements that have a name of their own have a finding each; elements of other tables share one of
 * their table.
 */
static bool is_named_apart(enum fwd_table table)
{
	return table == FWD_TABLE_pools || table == FWD_TABLE_slots ||
	       table == FWD_TABLE_backends || table == FWD_TABLE_services;
}

static struct scrub_finding *find_finding(struct scrub *s, enum fwd_table table, uint32_t key)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (s->findings[i].table == table &&
		    (!is_named_apart(table) || s->findings[i].key == key))
			return &s->findings[i];
	return NULL;
}

static struct scrub_finding *make_finding(struct scrub *s, enum fwd_table table, uint32_t key,
                                          uint32_t first, uint32_t last)
{
	struct scrub_finding *finding;

	if (s->n_findings == SCRUB_FINDINGS_MAX)
		return NULL;
	finding = &s->findings[s->n_findings++];
	*finding =
	        (struct scrub_finding){ .table = table, .key = key, .first = first, .last = last };
	name_finding(s->node, table, key, finding->name);
	log_warn("table-damaged", "table=%s first=%u what=\"%s\" effect=\"written again\"",
	         scrub_table_name(table), first, finding->name);
	return finding;
}

void scrub_note(struct scrub *s, enum fwd_table table, uint32_t key, uint32_t first, uint32_t last,
                uint32_t n)
{
	struct scrub_finding *finding = find_finding(s, table, key);

	s->node->counters.damaged += n;
	s->changes++;
	if (!finding)
		finding = make_finding(s, table, key, first, last);
	if (!finding) {
		s->n_more += n;
		s->more_ms = s->now_ms;
		return;
	}
	finding->n += n;
	finding->found_ms = s->now_ms;
	finding->first = first < finding->first ? first : finding->first;
	finding->last = last > finding->last ? last : finding->last;
}

void scrub_forget(struct scrub *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_findings; i++)
		if (s->now_ms - s->findings[i].found_ms < SCRUB_SHOWN_MS)
			s->findings[kept++] = s->findings[i];
	s->changes += kept != s->n_findings;
	s->n_findings = kept;
	if (s->n_more && s->now_ms - s->more_ms >= SCRUB_SHOWN_MS) {
		s->n_more = 0;
		s->changes++;
	}
}

bool scrub_pins(struct scrub *s, const struct driver_ops *ops, struct driver *driver,
                uint64_t now_ms)
{
	struct driver_reason reason = { "" };
	struct scrub_pins *pins = &s->pins;
	uint32_t n = 0;
	int err = ops->keep_pins ? ops->keep_pins(driver, &n, &reason) : 0;
	bool changed = n || strcmp(reason.text, pins->reason.text) != 0;

	if (n && !pins->n)
		log_warn("pins-missing", "n=%u effect=\"made again\"", n);
	if (err && !*pins->reason.text)
		log_error("pins-missing", "reason=\"%s\" effect=\"%s\"", reason.text,
		          "what is not pinned ends with this process");
	pins->reason = reason;
	if (n) {
		s->node->counters.pins += n;
		pins->n += n;
		pins->found_ms = now_ms;
	} else if (pins->n && now_ms - pins->found_ms >= SCRUB_SHOWN_MS) {
		pins->n = 0;
		changed = true;
	}
	return changed;
}
