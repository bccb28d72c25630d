/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects from the effective document and the pages the facts that weir-mgmt collects from its own
 * state, and gives them to the same function (mgmt/judge/judge.h). What only weir-mgmt knows
 * (peers, store, versions) is left out.
 */
#include "mgmt/cli/pages_judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

const char *const pages_processes[PAGES_PROCESSES] = { "dataplane", "health", "dns", "announce",
	                                               "mgmt" };

/* What the facts point to. */
struct page_facts {
	struct judge_process processes[PAGES_PROCESSES];
	struct conditions conditions[PAGES_PROCESSES], supervisor_conditions;
	struct overrides overrides;
	struct judge_pool *pools;
	struct judge_site *sites;
	struct effect *effect;
};

bool pages_leave_out(const struct model *m, const char *process, const struct gather_process *p)
{
	return !strcmp(process, "announce") && !p->running &&
	       (!m->self || m->self->announce.daemon == MODEL_DAEMON_NONE);
}

/* weir-mgmt counts as not running, whatever its page says: it does not answer. */
static void fill_page_processes(const struct cli *cli, const struct model *m, struct page_facts *h,
                                struct judge_facts *f)
{
	struct gather_process supervisor, dataplane = { 0 };

	for (size_t i = 0; i < PAGES_PROCESSES; i++) {
		struct gather_process seen;

		gather_process(cli->dirs.run, pages_processes[i], &seen, &h->conditions[i]);
		if (pages_leave_out(m, pages_processes[i], &seen))
			continue;
		seen.running = seen.running && strcmp(pages_processes[i], "mgmt") != 0;
		h->processes[f->n_processes++] =
		        gather_fact(pages_processes[i], &seen, &h->conditions[i]);
		if (i == 0)
			dataplane = seen;
	}
	gather_process(cli->dirs.run, "run", &supervisor, &h->supervisor_conditions);
	f->supervisor = gather_fact("run", &supervisor, &h->supervisor_conditions);
	gather_ports(m, &dataplane, &supervisor, f);
	f->processes = h->processes;
}

static int fill_overrides(const struct model *m, struct overrides *out)
{
	out->items = calloc(m->n_overrides + 1, sizeof(*out->items));
	if (!out->items)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_overrides; i++)
		if (!override_from(&m->overrides[i], &out->items[out->n_items]))
			out->n_items++;
	return 0;
}

/* The effect page, if its writer has signed it lately. */
static void open_effect(const struct cli *cli, struct page_facts *h)
{
	struct effect_total total;
	uint64_t now_ms = clock_mono_ms();

	if (effect_open(cli->dirs.run, &h->effect))
		h->effect = NULL;
	if (!h->effect)
		return;
	if (!effect_total(h->effect, &total) && now_ms <= total.alive_ms + GATHER_STALE_MS) {
		effect_freeze(h->effect);
		return;
	}
	effect_close(h->effect);
	h->effect = NULL;
}

static int fill_page_sites(const struct model *m, const struct health_page *health,
                           struct page_facts *h, struct judge_facts *f)
{
	h->sites = calloc(m->n_sites + 1, sizeof(*h->sites));
	if (!h->sites)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_sites; i++) {
		struct gather_site seen;

		gather_site(m, health, &m->sites[i], &seen);
		h->sites[i] =
		        (struct judge_site){ .name = m->sites[i].name,
			                     .down = seen.n && seen.down == seen.n &&
			                             !overrides_withdrawn_by(&h->overrides,
			                                                     m->sites[i].name) };
	}
	f->sites = h->sites;
	f->n_sites = m->n_sites;
	return 0;
}

static int fill_facts(const struct cli *cli, const struct gather_from *from, struct page_facts *h,
                      struct judge_facts *f)
{
	const struct model *m = from->m;
	int err = gather_pools(from, &h->pools, &f->n_pools);

	if (!err)
		err = fill_page_sites(m, from->health, h, f);
	if (err)
		return err;
	fill_page_processes(cli, m, h, f);
	h->processes[0].document = m->meta.document; /* it is not judged: the writer is away */
	f->pools = h->pools;
	f->effect_fresh = h->effect != NULL;
	return 0;
}

int pages_judge(const struct cli *cli, const struct model *m, const struct health_page *health,
                int64_t wall_clock_ms, struct judge_verdict *out)
{
	struct page_facts *h = calloc(1, sizeof(*h));
	struct judge_facts f = { .has_configuration = true };
	int err = h ? fill_overrides(m, &h->overrides) : -ENOMEM;

	if (!err) {
		open_effect(cli, h);
		const struct gather_from from = { .m = m,
			                          .overrides = &h->overrides,
			                          .wall_clock_ms = wall_clock_ms,
			                          .health = health,
			                          .effect = h->effect };

		err = fill_facts(cli, &from, h, &f);
	}
	if (!err)
		judge(&f, out);
	if (!h)
		return err;
	effect_close(h->effect);
	free(h->overrides.items);
	free(h->pools);
	free(h->sites);
	free(h);
	return err;
}
