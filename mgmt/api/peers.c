/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peers as other threads see them: the result of the last complete round (peers_round.c), read
 * under the lock. The load of a peer that was silent for PEERS_STALE_MS is unknown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/peers_internal.h"

static const char *const state_texts[] = { "unknown", "agreed",  "behind",
	                                   "ahead",   "differs", "unreachable" };

const char *peers_state_text(enum peers_state state)
{
	return state_texts[state];
}

bool peers_has_token(const struct core *core)
{
	return !core->peers || !core->peers->token_known || core->peers->has_token;
}

void peers_poke(struct core *core, bool notify_others)
{
	core->peers->poked = true;
	core->peers->notify_others |= notify_others;
	core_changed(core);
}

size_t peers_report(const struct core *core, const struct peers_report **out)
{
	*out = core->peers ? core->peers->reports : NULL;
	return core->peers ? core->peers->n_reports : 0;
}

static struct guard_load *site_of(struct guard_load *out, size_t *n, size_t max, const char *site)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(out[i].site, site))
			return &out[i];
	if (*n == max)
		return NULL;
	out[*n] = (struct guard_load){ 0 };
	snprintf(out[*n].site, sizeof(out[*n].site), "%s", site);
	return &out[(*n)++];
}

size_t peers_loads(struct core *core, struct guard_load *out, size_t max)
{
	const struct model *m = intent_model(core->intent);
	uint64_t own, now_ms = clock_mono_ms();
	struct guard_load *load;
	size_t n = 0;

	if (m && m->self && observe_load(core, &own)) {
		load = site_of(out, &n, max, m->self->site->name);
		if (load)
			load->bits += own;
	}
	for (size_t i = 0; core->peers && i < core->peers->n_reports; i++) {
		const struct peers_report *v = &core->peers->reports[i];

		if (!v->load_known || !v->answered_ms || now_ms - v->answered_ms > PEERS_STALE_MS)
			continue;
		load = site_of(out, &n, max, v->site);
		if (load)
			load->bits += v->bits;
	}
	return n;
}
