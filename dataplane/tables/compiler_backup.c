/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backups in force: what is known of them, what goes there, and how much (tables/backup.h decides).
 *
 * Evidence about the backup's backends is this node's own: weir-health probes them through the
 * tunnel to a VIP of this site. Its site is down if all of the VIPs that lead to the backup pool
 * there fail their checks from here; a check without a verdict, or one that has never succeeded
 * here, says nothing. Peers are not asked: what matters is whether packets of this node are served.
 *
 * The load is read from the tables' own counters, once a second. What a node may send is its share of
 * backup_max: the nodes of a site cannot know how routers spread clients over them.
 */
#include "dataplane/tables/compiler_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/health.h"
#include "weir/model.h"

/* The load of own backends that counts fades to half in about so many measures: it is a peak. */
#define FADE 8u

_Static_assert(BACKUP_SHARE_ALL == OWNERS_SHARE_ALL, "both count slots in the same parts");

static void add_check(struct compiler_backup *b, uint64_t target)
{
	if (b->n_checks == COMPILER_CHECKS_MAX)
		return;
	b->checks[b->n_checks].target = target;
	b->checks[b->n_checks++].page_index = -1;
}

/* The checks of VIPs at the backup's site whose services lead to the backup pool there. */
static void list_checks(const struct model *m, const struct model_pool *backup,
                        struct compiler_backup *b)
{
	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];

		for (size_t k = 0; k < s->n_at; k++) {
			bool has[2] = { false, false };

			if (s->at[k].site != backup->site || s->at[k].pool != backup)
				continue;
			for (size_t v = 0; v < s->at[k].vip->n_addresses; v++)
				has[addr_is4(&s->at[k].vip->addresses[v])] = true;
			for (int is4 = 0; s->vip_check && is4 < 2; is4++)
				if (has[is4])
					add_check(b, health_target_service(
					                     s->name, backup->site->name, is4));
		}
	}
}

void compiler_bind_backup(struct compiler *n, const struct compiler_pool *old,
                          struct compiler_pool *p)
{
	struct compiler_backup *b = p->backup;

	if (old && old->backup && old->plan->backup &&
	    !strcmp(old->plan->backup->name, p->plan->backup->name))
		*b = *old->backup;
	b->n_checks = 0;
	for (size_t i = 0; i < p->plan->n_backends; i++)
		if (p->plan->backends[i].class == PLAN_FULL)
			b->full_index = p->backends[i].index;
	b->read_ms = 0; /* the backends may be others: the load is measured afresh */
	n->states[b->full_index] = OWNERS_SERVES;
}

void compiler_find_backup_checks(const struct compiler *n, struct compiler_pool *p)
{
	p->backup->n_checks = 0;
	list_checks(n->model, p->plan->backup, p->backup);
	for (size_t i = 0; i < p->backup->n_checks; i++)
		p->backup->checks[i].page_index =
		        health_find_index(n->health, p->backup->checks[i].target);
}

static bool is_site_down(const struct compiler *n, const struct compiler_backup *b)
{
	size_t n_down = 0;

	for (size_t i = 0; n->health && i < b->n_checks; i++) {
		health_word word = b->checks[i].page_index >= 0
		                           ? health_read(n->health, b->checks[i].page_index)
		                           : 0;

		if (health_state(word) == HEALTH_UP)
			return false;
		n_down += health_state(word) == HEALTH_DOWN && !health_unproven(word);
	}
	return n_down > 0;
}

static struct backup_limit limit_of(const struct plan_pool *p)
{
	uint32_t n = p->n_nodes ? p->n_nodes : 1;

	return (struct backup_limit){ p->backup_max_flows / n, p->backup_max_bits / n };
}

static void log_class(const struct compiler_pool *p, const struct backup_state *s)
{
	if (s->class == EFFECT_CLASS_OWN && s->unused)
		log_warn("backup-unused", "pool=%s backup=%s cause=\"%s\" reason=\"%s\"",
		         p->plan->model->name, p->plan->backup->name,
		         effect_backup_cause_text((enum effect_backup_cause)s->cause),
		         effect_backup_unused_text((enum effect_backup_unused)s->unused));
	else
		log_note(s->class == EFFECT_CLASS_OWN ? "backup-left" : "backup-serves",
		         "pool=%s backup=%s share=%u/%u cause=\"%s\"", p->plan->model->name,
		         p->plan->backup->name, s->share, BACKUP_SHARE_ALL,
		         effect_backup_cause_text((enum effect_backup_cause)s->cause));
}

/*
 * Drills' flows go to the backup if it would serve late clients, and if these drills are all that it
 * serves: else new flows go where they go anyway.
 */
static void decide_drill(struct compiler_pool *p)
{
	struct compiler_backup *b = p->backup;
	bool sends = p->plan->is_drilled && b->state.class == EFFECT_CLASS_OWN &&
	             b->state.obstacle == EFFECT_BACKUP_USABLE;
	bool sent = b->drill.class != EFFECT_CLASS_OWN;

	if (sends != sent)
		b->drill = (struct backup_state){
			.class = sends ? EFFECT_CLASS_BACKUP : EFFECT_CLASS_OWN,
			.share = sends ? BACKUP_SHARE_ALL : 0,
		};
	p->changed |= sends != sent || p->plan->is_drilled != b->is_drilled;
	b->is_drilled = p->plan->is_drilled;
}

uint64_t compiler_decide_backup(struct compiler *n, struct compiler_pool *p,
                                const struct guard_backend *own, size_t n_own,
                                const struct guard_backend *backup, size_t n_backup,
                                const struct compiler_time *time)
{
	struct compiler_backup *b = p->backup;
	const struct backup_facts facts = {
		.late = p->plan->late,
		.site_drained = p->plan->backup_drained,
		.site_down = is_site_down(n, b),
		.own_min_percent = p->plan->model->min_healthy_percent,
		.backup_min_percent = p->plan->backup->min_healthy_percent,
		.own = backup_add_up(own, n_own),
		.backup = backup_add_up(backup, n_backup),
	};
	const struct backup_limit limit = limit_of(p->plan);
	struct backup_state was = b->state;
	uint64_t at_ms = backup_decide(&b->state, &facts, time->now_ms);
	bool was_used = was.class != EFFECT_CLASS_OWN;
	bool is_used = b->state.class != EFFECT_CLASS_OWN;

	if (is_used && !was_used)
		backup_begin_share(&b->state, &b->own, &limit);
	if (is_used != was_used) {
		p->changed = true;
		p->died |= is_used; /* as urgent as a death */
	}
	if (is_used != was_used || b->state.unused != was.unused)
		log_class(p, &b->state);
	decide_drill(p);
	return at_ms;
}

static void add_row(const struct fwd_count *counts, const struct compiler *n, uint32_t index,
                    uint64_t *packets, uint64_t *bytes)
{
	uint32_t row = n->sizes.backends;

	for (uint32_t c = 0; counts && c < n->t.n_cpus; c++) {
		*packets += OWNER_LOAD(uint64_t, &counts[c * row + index].packets);
		*bytes += OWNER_LOAD(uint64_t, &counts[c * row + index].bytes);
	}
}

/* What a backend has been given since the tables were made: SYNs, and bytes of all packets. */
static void add_counts(const struct compiler *n, uint32_t index, uint64_t *flows, uint64_t *bytes)
{
	uint64_t others = 0;

	add_row(n->t.backend_news, n, index, flows, bytes);
	add_row(n->t.backend_counts, n, index, &others, bytes);
}

static struct backup_load load_between(uint64_t flows, uint64_t bytes, uint64_t ms)
{
	return (struct backup_load){ flows * 1000 / ms, bytes * 8 / ms * 1000, true };
}

static uint64_t fade_peak(uint64_t peak, uint64_t now)
{
	uint64_t faded = peak - peak / FADE;

	return now > faded ? now : faded;
}

/* Counters of elements that got another owner begin at 0: such a measure is skipped. */
static void measure_backup(const struct compiler *n, struct compiler_pool *p, uint64_t now_ms)
{
	struct compiler_backup *b = p->backup;
	uint64_t flows[2] = { 0, 0 }, bytes[2] = { 0, 0 }, ms = now_ms - b->read_ms;
	bool known = b->read_ms != 0;

	for (size_t i = 0; i < p->plan->n_backends; i++) {
		bool is_backup = p->plan->backends[i].class == PLAN_BACKUP;

		if (p->plan->backends[i].class != PLAN_FULL)
			add_counts(n, p->backends[i].index, &flows[is_backup], &bytes[is_backup]);
	}
	for (int k = 0; k < 2; k++)
		known &= flows[k] >= b->flows[k] && bytes[k] >= b->bytes[k];
	b->used.known = known;
	if (known) {
		struct backup_load own =
		        load_between(flows[0] - b->flows[0], bytes[0] - b->bytes[0], ms);

		b->own.flows_per_s = fade_peak(b->own.flows_per_s, own.flows_per_s);
		b->own.bits_per_s = fade_peak(b->own.bits_per_s, own.bits_per_s);
		b->own.known = true;
		b->used = load_between(flows[1] - b->flows[1], bytes[1] - b->bytes[1], ms);
	}
	memcpy(b->flows, flows, sizeof(flows));
	memcpy(b->bytes, bytes, sizeof(bytes));
	b->read_ms = now_ms;
}

/* @return when the load of the table is to be measured again */
static uint64_t limit_backup(struct compiler *n, struct compiler_pool *p, uint64_t now_ms)
{
	struct compiler_backup *b = p->backup;
	struct backup_limit limit = limit_of(p->plan);
	uint8_t was = b->state.class;

	if (b->read_ms && b->read_ms + BACKUP_MEASURE_MS > now_ms)
		return b->read_ms + BACKUP_MEASURE_MS;
	measure_backup(n, p, now_ms);
	p->changed |= backup_follow_load(&b->state, &b->used, &limit);
	p->changed |= backup_follow_load(&b->drill, &b->used, &limit);
	if (b->state.class != was)
		log_class(p, &b->state);
	return now_ms + BACKUP_MEASURE_MS;
}

uint64_t compiler_limit_backups(struct compiler *n, const struct compiler_time *time)
{
	uint64_t due_ms = UINT64_MAX;

	for (size_t i = 0; i < n->n_pools; i++) {
		uint64_t at_ms = UINT64_MAX;

		if (n->pools[i].backup && !n->pools[i].waits)
			at_ms = limit_backup(n, &n->pools[i], time->now_ms);
		if (at_ms < due_ms)
			due_ms = at_ms;
	}
	return due_ms;
}
