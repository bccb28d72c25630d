/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exchange writes the reports; the state of each is related here, since it changes with what
 * this node has in force, too. The load of a peer that was silent for PEERS_STALE_MS is unknown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/store/shared_intent.h"

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

const struct version *peers_expected(const struct core *core, const struct peers_report *v)
{
	const struct model *m = intent_model(core->intent);
	const struct model_node *node = m ? model_node(m, v->node) : NULL;
	struct pending_clock clock;
	struct version waiting;

	if (!node || !intent_waiting(core->intent, &waiting) || !*waiting.canary)
		return intent_head(core->intent);
	pending_clock_read(&clock);
	return history_in_force_at(shared_intent_history(core->intent), node->name,
	                           node->site->name, clock.now_ms);
}

/* The store numbers versions: a higher one is newer. */
static enum peers_state relate_head(const struct version *ours, const char *overrides,
                                    const struct peers_report *v)
{
	uint64_t number = ours ? ours->number : 0;

	if (*v->unreachable_reason)
		return PEERS_UNREACHABLE;
	if (!v->answered_ms)
		return PEERS_UNASKED;
	if (v->number != number)
		return v->number > number ? PEERS_AHEAD : PEERS_BEHIND;
	if (!number || strcmp(ours->digest, v->digest) != 0)
		return number ? PEERS_DIFFERS : PEERS_BEHIND;
	return strcmp(overrides, v->overrides) != 0 ? PEERS_BEHIND : PEERS_AGREED;
}

static bool is_reported(enum peers_state state)
{
	return state == PEERS_UNREACHABLE || state == PEERS_DIFFERS;
}

/*
 * Of a peer that comes and goes again and again not each time is an event, but what is true in the end is, and a worse
 * state at once.
 */
static void log_state(struct core *core, struct peers_report *v)
{
	struct journal *j = intent_journal(core->intent);
	bool is_news = v->state != v->logged && (is_reported(v->state) || is_reported(v->logged));

	if (is_news && v->state < v->logged &&
	    !journal_has_room(j, clock_believed_ms(), "peer", v->node, "", JOURNAL_OFTEN))
		return;
	if (is_news)
		journal_add(j, clock_believed_ms(), "peer", v->node, "%s, was %s%s%s",
		            peers_state_text(v->state), peers_state_text(v->logged),
		            *v->unreachable_reason ? ": " : "", v->unreachable_reason);
	v->logged = v->state;
}

static void note_state(struct core *core, struct peers_report *v, enum peers_state state)
{
	v->state = state;
	log_state(core, v);
	if (state != PEERS_BEHIND)
		v->behind_ms = 0;
	else if (!v->behind_ms)
		v->behind_ms = clock_mono_ms();
}

bool peers_relate(struct core *core)
{
	struct peers *p = core->peers;
	const char *overrides;
	char origin[ORIGIN_TEXT_MAX];
	uint64_t now_ms = clock_mono_ms();
	bool differs = false;

	if (!p)
		return false;
	overrides = core_overrides_digest(core);
	shared_state_origin(core, origin);
	for (size_t i = 0; i < p->n_reports; i++) {
		struct peers_report *v = &p->reports[i];
		enum peers_state state = relate_head(peers_expected(core, v), overrides, v);

		differs |= state != v->state;
		note_state(core, v, state);
		if (!peers_is_apart(v, origin, now_ms))
			v->apart_ms = 0;
		else if (!v->apart_ms)
			v->apart_ms = now_ms;
	}
	return differs;
}

const char *peers_store(const struct peers_report *v, uint64_t now_ms)
{
	return v->store_known && v->answered_ms && now_ms - v->answered_ms <= PEERS_STALE_MS
	               ? v->store
	               : NULL;
}

bool peers_is_apart(const struct peers_report *v, const char *ours, uint64_t now_ms)
{
	return *ours && *v->store_origin && peers_store(v, now_ms) &&
	       strcmp(ours, v->store_origin) != 0;
}

bool peers_hears_clock(const struct peers_report *v, uint64_t now_ms)
{
	return v->clock_known && v->answered_ms && now_ms - v->answered_ms <= PEERS_STALE_MS;
}

size_t peers_report(const struct core *core, const struct peers_report **out)
{
	*out = core->peers ? core->peers->reports : NULL;
	return core->peers ? core->peers->n_reports : 0;
}

static struct guard_rate *site_of(struct guard_rate *out, size_t *n, size_t max, const char *site)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(out[i].site, site))
			return &out[i];
	if (*n == max)
		return NULL;
	out[*n] = (struct guard_rate){ 0 };
	snprintf(out[*n].site, sizeof(out[*n].site), "%s", site);
	return &out[(*n)++];
}

/* Add what a node carries to its site's sum, which is a part where that is not known. */
static void add_load(struct guard_rate *out, size_t *n, size_t max, const char *site, bool known,
                     uint64_t bits)
{
	struct guard_rate *load = site_of(out, n, max, site);

	if (!load)
		return;
	load->per_s += known ? bits : 0;
	load->is_part |= !known;
}

size_t peers_loads(struct core *core, struct guard_rate *out, size_t max)
{
	const struct model *m = intent_model(core->intent);
	uint64_t own = 0, now_ms = clock_mono_ms();
	size_t n = 0;

	if (m && m->self) {
		bool known = observe_load(core, &own);

		add_load(out, &n, max, m->self->site->name, known, own);
	}
	for (size_t i = 0; core->peers && i < core->peers->n_reports; i++) {
		const struct peers_report *v = &core->peers->reports[i];

		add_load(out, &n, max, v->site,
		         v->load_known && v->answered_ms &&
		                 now_ms - v->answered_ms <= PEERS_STALE_MS,
		         v->bits);
	}
	return n;
}

const struct peers_report *peers_find(const struct peers_report *reports, size_t n,
                                      const char *node)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(reports[i].node, node))
			return &reports[i];
	return NULL;
}

bool peers_copy_api(const struct model *m, const char *name, char out[256])
{
	const struct model_node *node = m ? model_node(m, name) : NULL;
	bool found = node && *node->api && strlen(node->api) < 256;

	snprintf(out, 256, "%s", found ? node->api : "");
	return found;
}
