/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer's load is that of the exchange, if it is fresh; what it announces, it is asked. The question is that of
 * the exchange, at once and to all: a drain rests on what is so now, and words that
 * came by themselves may be seconds old. What this node announces is
 * what its weir-announce shows, by the same words: a VIP counts when a neighbour gets each of its addresses.
 */
#include "mgmt/controller/guard_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/sorted.h"
#include "mgmt/observe/announce_own.h"
#include "mgmt/peers/announce_words.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/peers/peer_query.h"
#include "weir/announce.h"

#define ANSWER_MAX ((size_t)4 << 20) /* bytes */

/* --- what a node announces --- */

static enum guard_announced read_address(const struct announced_address *a)
{
	const char *word = announce_own_word(a);

	if (!word)
		return GUARD_NOT_ANNOUNCED;
	return strcmp(word, ANNOUNCE_OWN_YES) ? GUARD_ANNOUNCED_UNKNOWN : GUARD_ANNOUNCED;
}

/* Note VIPs and addresses of DNS; of a VIP, the least that is said of one of its addresses. */
static void note_announced(struct announced_address *addresses, size_t n, struct guard_said *out)
{
	if (n)
		qsort(addresses, n, sizeof(*addresses), sorted_by_u64);
	for (size_t i = 0, next; i < n; i = next) {
		const struct announced_address *first = &addresses[i];
		enum guard_announced least = read_address(first);

		next = i + 1;
		for (; first->vip && next < n && addresses[next].vip == first->vip; next++) {
			enum guard_announced one = read_address(&addresses[next]);

			least = one < least ? one : least;
		}
		guard_said_add(out, first->vip ? first->vip : guard_dns_key(&first->address),
		               least);
	}
	guard_said_sort(out);
}

int guard_facts_own(const struct core *core, struct guard_said *out)
{
	struct announce_own own = { .page = NULL };
	bool known = announce_own_look(&own, core->dirs.run) &&
	             clock_mono_ms() <= own.node.alive_ms + ANNOUNCE_OWN_LATE_MS;
	int err = own.addresses ? 0 : -ENOMEM;

	*out = (struct guard_said){ .n = 0 };
	if (!err && known)
		err = guard_said_init(out, own.node.n_addresses);
	if (!err && known)
		note_announced(own.addresses, own.node.n_addresses, out);
	announce_own_close(&own);
	return err;
}

/* --- what the others announce --- */

/* Under the lock, for the questions. */
static void list_announcing(struct peer_query *q, const struct model *m)
{
	for (size_t i = 0; m && m->self && i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];
		char *question =
		        node->announce.daemon == MODEL_DAEMON_NONE
		                ? NULL
		                : exchange_question_now(q->core, node->name, EXCHANGE_ANNOUNCED);

		if (question)
			(void)peer_query_add(q, node, question, (void *)(uintptr_t)node);
	}
}

/*
 * Ask all other nodes that have an API. Nodes that give no answer are left out: what they announce is
 * unknown. @return how many of @p out are given
 */
static size_t query_announced(struct core *core, struct guard_said *out, size_t max)
{
	struct peer_query q = { .core = core,
		                .timeout_ms = GUARD_FACTS_TIMEOUT_MS,
		                .answer_max = ANSWER_MAX };
	size_t n = 0;

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_model(shared);
	list_announcing(&q, m);
	core_unlock(core);
	(void)peer_query_send(&q);
	for (size_t i = 0; i < q.n && n < max; i++)
		n += q.requests[i].answer &&
		     announce_words_read(q.requests[i].answer, m, q.nodes[i].arg, &out[n]);
	peer_query_end(&q);
	intent_unshare(shared);
	return n;
}

int guard_facts_open(struct core *core, bool queries, struct guard_facts *out)
{
	*out = (struct guard_facts){ .n_said = 0 };
	if (guard_facts_own(core, &out->own))
		return -ENOMEM;
	if (queries)
		out->n_said = query_announced(core, out->said, PEERS_MAX);
	return 0;
}

/* Whether a guard compares flows with what a site states. */
static bool has_flow_capacity(struct core *core)
{
	bool has = false;

	core_lock(core);
	const struct model *m = intent_model(core->intent);
	for (size_t i = 0; m && i < m->n_sites; i++)
		has |= m->sites[i].capacity_flows != 0;
	core_unlock(core);
	return has;
}

/* The same facts as an operation has, of no operation. */
void guard_facts_query_flows(struct core *core, struct guard_facts *out)
{
	static const struct operation none = { .n_targets = 0 };

	if (!has_flow_capacity(core))
		return;
	struct operation_observed *observed = MEMORY_NEW(struct operation_observed);
	struct operation_snapshot *v = core->operations ? operation_snapshot_now(core) : NULL;

	if (v && v->m)
		operation_gather(v, &none, 0, observed);
	for (size_t i = 0; v && i < observed->facts.n_sites && out->n_flows < GUARD_SITES_MAX;
	     i++) {
		const struct operation_site *site = &observed->sites[i];
		struct guard_rate *to = &out->flows[out->n_flows];

		snprintf(to->site, sizeof(to->site), "%s", site->name);
		to->per_s = site->arrivals_heard;
		to->is_part = !site->arrivals.known;
		out->n_flows++;
	}
	operation_snapshot_free(v);
	free(observed);
}

/* This node, as it sees itself. */
static void add_own(struct core *core, const struct model_node *self, struct guard_facts *out)
{
	struct guard_node *n = &out->nodes[out->observed.n_nodes++];

	*n = (struct guard_node){ .said = out->own.words ? &out->own : NULL,
		                  .capacity_bits = self->capacity_bits
		                                           ? self->capacity_bits
		                                           : node_drain_copy(core).port_bits };
	snprintf(n->name, sizeof(n->name), "%s", self->name);
	n->load_known = observe_load(core, &n->bits);
}

static const struct guard_said *find_said(const struct guard_facts *facts, const char *node)
{
	for (size_t i = 0; i < facts->n_said; i++)
		if (!strcmp(facts->said[i].node, node))
			return &facts->said[i];
	return NULL;
}

static void add_peer(const struct model *m, const struct peers_report *v, struct guard_facts *out)
{
	const struct model_node *node = model_node(m, v->node);
	struct guard_node *n = &out->nodes[out->observed.n_nodes++];

	*n = (struct guard_node){ .load_known = v->load_known && v->answered_ms &&
		                                clock_mono_ms() - v->answered_ms <= PEERS_STALE_MS,
		                  .bits = v->bits,
		                  .said = find_said(out, v->node),
		                  .capacity_bits = node && node->capacity_bits ? node->capacity_bits
		                                                               : v->port_bits };
	snprintf(n->name, sizeof(n->name), "%s", v->node);
}

/* The pools without agents of this node's site, from its own forwarding tables. */
static int add_pools(const struct model *m, const struct effect *effect, struct guard_facts *out)
{
	out->pools = calloc(m->n_pools + 1, sizeof(*out->pools));
	if (!out->pools)
		return -ENOMEM;
	out->observed.pools = out->pools;
	out->observed.pools_known = true;
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		struct effect_pool e;

		if (pool->agent || pool->site != m->self->site)
			continue;
		if (effect_pool(effect, pool->name, &e)) {
			out->observed.pools_known = false;
			continue;
		}
		out->pools[out->observed.n_pools++] =
		        (struct guard_unsettled){ .name = pool->name,
			                          .n_slots = e.n_slots,
			                          .unsettled = e.unsettled,
			                          .remembered = e.exceptions };
	}
	return 0;
}

int guard_facts_gather(struct core *core, const struct observe_pages *pages, const char *node,
                       struct guard_facts *out)
{
	const struct model *m = intent_model(core->intent);
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);

	out->observed =
	        (struct guard_observed){ .health = pages->health,
		                         .health_stale = !pages->health_fresh,
		                         .loads = out->loads,
		                         .n_loads = peers_loads(core, out->loads, GUARD_SITES_MAX),
		                         .flows = out->flows,
		                         .n_flows = out->n_flows,
		                         .nodes = out->nodes };
	if (!node || !m || !m->self)
		return 0;
	add_own(core, m->self, out);
	for (size_t i = 0; i < n && i < PEERS_MAX; i++)
		add_peer(m, &reports[i], out);
	if (strcmp(node, m->self->name) != 0 || !pages->effect_fresh)
		return 0;
	free(out->pools); /* of an earlier call */
	return add_pools(m, pages->effect, out);
}

void guard_facts_close(struct guard_facts *s)
{
	for (size_t i = 0; i < s->n_said; i++)
		guard_said_fini(&s->said[i]);
	s->n_said = 0;
	free(s->pools);
	guard_said_fini(&s->own);
	s->pools = NULL;
}
