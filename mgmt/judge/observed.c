/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages are opened for one look and closed again, so a process that starts again is seen at once.
 */
#include "mgmt/judge/observed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"

static const char *const names[OBSERVE_COUNT] = { "dataplane", "health", "dns", "announce",
	                                          "mgmt" };

const char *observe_name(enum observe_process p)
{
	return names[p];
}

bool observe_is_shown(enum observe_process p, const struct gather_process *s)
{
	return p != OBSERVE_ANNOUNCE || s->announces || s->running;
}

void observe_open_health(const char *run_dir, struct observe_pages *out)
{
	*out = (struct observe_pages){ .health_age_ms = UINT64_MAX };
	if (!health_page_open(run_dir, &out->health_page)) {
		out->health = page_payload(out->health_page);
		out->health_age_ms =
		        life_silent_ms(page_header(out->health_page)->alive_ms, clock_mono_ms());
		out->health_fresh = out->health_age_ms <= OBSERVE_STALE_MS;
	}
}

void observe_open_effect(const char *run_dir, struct observe_pages *out)
{
	if (effect_open(run_dir, &out->effect))
		out->effect = NULL;
	if (out->effect && effect_total(out->effect, &out->total)) {
		effect_close(out->effect);
		out->effect = NULL;
	}
	out->effect_fresh = out->effect && life_silent_ms(out->total.alive_ms, clock_mono_ms()) <=
	                                           OBSERVE_STALE_MS;
}

void observe_open(const char *run_dir, struct observe_pages *out)
{
	observe_open_health(run_dir, out);
	observe_open_effect(run_dir, out);
	if (out->effect)
		effect_freeze(out->effect);
}

void observe_close(struct observe_pages *p)
{
	page_close(p->health_page);
	effect_close(p->effect);
	*p = (struct observe_pages){ 0 };
}

/* --- facts --- */

static bool drain_is_held(const struct observe_node *n, const char *site)
{
	for (size_t i = 0; i < n->overrides->n_items; i++) {
		const struct override *o = &n->overrides->items[i];

		if (o->target == MODEL_TARGET_SITE && !strcmp(o->name, site) &&
		    !strcmp(overrides_state(n->overrides, o, n->now_ms), "expired_held"))
			return true;
	}
	return false;
}

/* The intent of the model, and what is observed of it. */
static int fill_model_facts(const struct observe_node *n, struct observe_memory *memory,
                            struct judge_facts *f)
{
	const struct gather_from from = {
		.m = n->m,
		.overrides = n->overrides,
		.wall_clock_ms = n->now_ms,
		.health = n->pages->health_fresh ? n->pages->health : NULL,
		.effect = n->pages->effect_fresh ? n->pages->effect : NULL,
	};

	memory->sites = calloc(n->m->n_sites + 1, sizeof(*memory->sites));
	if (!memory->sites || gather_pools(&from, &memory->pools, &f->n_pools))
		return -ENOMEM;
	for (size_t i = 0; i < n->m->n_sites; i++) {
		const struct model_site *site = &n->m->sites[i];
		struct gather_site observed;

		gather_site(n->m, from.health, site, &observed);
		memory->sites[f->n_sites++] = (struct judge_site){
			.name = site->name,
			.down = observed.n && observed.down == observed.n &&
			        !overrides_withdrawn_by(n->overrides, site->name),
			.drain_held = drain_is_held(n, site->name),
		};
	}
	f->sites = memory->sites;
	f->pools = memory->pools;
	return 0;
}

int observe_facts(const struct observe_node *n, struct observe_memory *memory,
                  struct judge_facts *f)
{
	for (int p = 0; p < OBSERVE_COUNT; p++)
		if (observe_is_shown((enum observe_process)p, &n->processes[p]))
			memory->processes[f->n_processes++] =
			        gather_fact(names[p], &n->processes[p], &n->conditions[p]);
	f->processes = memory->processes;
	f->supervisor = gather_fact(OBSERVE_SUPERVISOR, n->supervisor, n->supervisor_conditions);
	f->effect_fresh = n->pages->effect_fresh;
	gather_ports(n->m, &n->processes[OBSERVE_DATAPLANE], n->supervisor, f);
	return n->m ? fill_model_facts(n, memory, f) : 0;
}

void observe_forget(struct observe_memory *memory)
{
	free(memory->pools);
	free(memory->sites);
}
