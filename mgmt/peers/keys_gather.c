/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of each node the newest copy, and older ones for rates. A node that does not answer keeps its
 * copy until that is too old; it is queried again no sooner than the others.
 */
#include "mgmt/peers/keys_gather.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "mgmt/peers/peer_keys.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/peers/peers.h"
#include "weir/placement.h"

/* What one node observed. */
struct keys_report {
	char node[MODEL_NAME_MAX];
	bool listed;                  /* the document has it, and it serves DNS */
	uint64_t queried_ms;          /* 0: never */
	unsigned n_failed;            /* how often in a row it did not answer */
	struct steer_keys *copies[3]; /* the newest first; NULL: there is none */
};

struct keys_gather {
	struct keys_report reports[PEERS_MAX + 1];
	size_t n;
	uint64_t now_ms; /* of the last refresh */
};

struct keys_gather *keys_gather_new(void)
{
	return MEMORY_NEW(struct keys_gather);
}

static void empty_report(struct keys_report *v)
{
	for (size_t i = 0; i < 3; i++)
		steer_keys_free(v->copies[i]);
	*v = (struct keys_report){ 0 };
}

void keys_gather_free(struct keys_gather *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++)
		empty_report(&g->reports[i]);
	free(g);
}

static struct keys_report *find_report(struct keys_gather *g, const char *node)
{
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->reports[i].node, node))
			return &g->reports[i];
	return NULL;
}

/* A report for each node of @p m that serves DNS; others are dropped. */
static void follow_nodes(struct keys_gather *g, const struct model *m)
{
	for (size_t i = 0; i < g->n; i++)
		g->reports[i].listed = false;
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct keys_report *v = find_report(g, m->nodes[i].name);

		if (!m->nodes[i].n_dns_listen)
			continue;
		if (!v && g->n < PEERS_MAX + 1) {
			v = &g->reports[g->n++];
			*v = (struct keys_report){ 0 };
			snprintf(v->node, sizeof(v->node), "%s", m->nodes[i].name);
		}
		if (v)
			v->listed = true;
	}
	for (size_t i = 0; i < g->n; i++)
		if (!g->reports[i].listed) {
			empty_report(&g->reports[i]);
			g->reports[i--] = g->reports[--g->n];
		}
}

/*
 * The newest copy counts. Two older ones are kept for rates: the middle one moves on when it is
 * KEYS_GATHER_RATE_MS old, so one of both is at least that much older than the newest.
 */
static void accept_keys(struct keys_report *v, struct steer_keys *keys)
{
	struct steer_keys **copies = v->copies;

	if (copies[0] && keys->read_ms <= copies[0]->read_ms) {
		steer_keys_free(keys); /* nothing was written since */
		return;
	}
	if (!copies[1] || copies[0]->read_ms >= copies[1]->read_ms + KEYS_GATHER_RATE_MS) {
		steer_keys_free(copies[2]);
		copies[2] = copies[1];
		copies[1] = copies[0];
	} else {
		steer_keys_free(copies[0]);
	}
	copies[0] = keys;
}

static void read_own(struct keys_report *v, const struct core *core, uint64_t now_ms)
{
	struct steer_keys *keys;

	if (!steer_keys_read(core->dirs.run, now_ms, &keys))
		accept_keys(v, keys);
}

static void accept_answer(struct keys_report *v, const json_t *answer)
{
	struct steer_keys *keys;

	v->n_failed = answer ? 0 : v->n_failed + 1;
	if (!peer_keys_read(answer, v->queried_ms, &keys))
		accept_keys(v, keys);
}

static bool is_due(const struct keys_gather *g, const struct keys_report *v)
{
	uint64_t wait_ms = v->n_failed > 1 ? KEYS_GATHER_RETRY_MS : KEYS_GATHER_EVERY_MS;

	if (v->n_failed == 1 && !v->copies[0])
		return true; /* a plan that is made once has no time for a second look */
	return !v->queried_ms || g->now_ms - v->queried_ms >= wait_ms;
}

/* Peers that are due, all at once. */
static void query_peers(struct keys_gather *g, struct core *core, struct peer_client *client,
                        const struct model *m)
{
	struct peer_query q = { .core = core,
		                .client = client,
		                .query = "keys",
		                .timeout_ms = KEYS_GATHER_TIMEOUT_MS,
		                .answer_max = PEER_KEYS_ANSWER_MAX };

	snprintf(q.cluster, sizeof(q.cluster), "%s", m->cluster);
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct keys_report *v = find_report(g, m->nodes[i].name);

		if (v && is_due(g, v))
			(void)peer_query_add(&q, &m->nodes[i], NULL, v);
	}
	bool is_sent = peer_query_send(&q);
	for (size_t i = 0; is_sent && i < q.n; i++) {
		struct keys_report *v = q.nodes[i].arg;

		v->queried_ms = g->now_ms;
		accept_answer(v, q.requests[i].answer);
	}
	peer_query_end(&q);
}

void keys_gather_refresh(struct keys_gather *g, struct core *core, struct peer_client *client,
                         const struct model *m)
{
	g->now_ms = clock_mono_ms();
	follow_nodes(g, m);
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->reports[i].node, core->dirs.node))
			read_own(&g->reports[i], core, g->now_ms);
	if (client)
		query_peers(g, core, client, m);
}

static bool does_count(const struct keys_gather *g, const struct keys_report *v)
{
	const struct steer_keys *k = v->copies[0];

	return k && (g->now_ms < k->read_ms || g->now_ms - k->read_ms <= KEYS_GATHER_GOOD_MS);
}

bool keys_gather_is_heard(const struct keys_gather *g, const char *node)
{
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->reports[i].node, node))
			return does_count(g, &g->reports[i]);
	return false;
}

int keys_gather_projector(const struct keys_gather *g, const struct core *core,
                          const struct model *m, struct projector **out)
{
	struct placement placement;
	struct projector *p = NULL;
	char path[PATH_MAX];
	int err = proc_path(core->dirs.state, PLACEMENT_FILE, path);

	if (!err)
		err = placement_read(path, &placement);
	if (!err)
		err = projector_new(m, placement.key, &p);
	explicit_bzero(&placement, sizeof(placement));
	for (size_t i = 0; !err && i < g->n; i++)
		if (does_count(g, &g->reports[i]))
			err = projector_add(p, g->reports[i].copies[0]);
	if (err) {
		projector_free(p);
		return err;
	}
	*out = p;
	return 0;
}

/* The older copy of two that give a rate; NULL: there are none, or they are too old. */
static const struct steer_keys *find_before(const struct keys_gather *g,
                                            const struct keys_report *v)
{
	const struct steer_keys *k = v->copies[0];

	if (!k || g->now_ms > k->read_ms + UINT64_C(2) * KEYS_GATHER_EVERY_MS)
		return NULL;
	for (size_t i = 1; i < 3; i++)
		if (v->copies[i] && k->read_ms >= v->copies[i]->read_ms + KEYS_GATHER_RATE_MS)
			return v->copies[i];
	return NULL;
}

/* Of one node. @return whether it is known */
static bool read_rate(const struct keys_gather *g, const struct keys_report *v, uint64_t service,
                      uint64_t site, uint64_t *milli)
{
	const struct steer_keys *before = find_before(g, v);
	const struct steer_keys_answers *last, *first;

	if (!before)
		return false;
	last = steer_keys_answers(v->copies[0], service, site);
	first = steer_keys_answers(before, service, site);
	if (!last || !first || last->answers < first->answers)
		return false; /* its counters have begun again */
	*milli = (uint64_t)((double)(last->answers - first->answers) * 1e6 /
	                    (double)(v->copies[0]->read_ms - before->read_ms));
	return true;
}

bool keys_gather_rate(const struct keys_gather *g, const char *node, const char *service,
                      const char *site, uint64_t *milli)
{
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->reports[i].node, node))
			return read_rate(g, &g->reports[i], hash_text(service), hash_text(site),
			                 milli);
	return false;
}
