/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The question is that of the exchange, at once and to all: a drain rests on what is so now, and words that
 * came by themselves may be seconds old. An answer whose announce page is old says nothing.
 */
#include "mgmt/api/guard_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"
#include "mgmt/api/announce_words.h"
#include "mgmt/api/exchange.h"
#include "mgmt/api/peer_query.h"

#define GOOD_MS    2000u             /* so long a page's last sign of life counts */
#define ANSWER_MAX ((size_t)4 << 20) /* bytes */

int guard_said_make(struct guard_said *out, size_t n)
{
	*out = (struct guard_said){ .words = calloc(n + 1, sizeof(*out->words)) };
	return out->words ? 0 : -ENOMEM;
}

void guard_said_add(struct guard_said *s, uint64_t key, enum guard_announced said)
{
	s->words[s->n++] = (struct guard_word){ key, said };
}

void guard_said_end(struct guard_said *s)
{
	qsort(s->words, s->n, sizeof(*s->words), sorted_by_u64);
}

void guard_said_free(struct guard_said *s)
{
	free(s->words);
	*s = (struct guard_said){ .n = 0 };
}

/* A VIP is announced with all its addresses: the least that is said of one of them. */
static enum guard_announced read_vip(const json_t *words, const struct model_vip *vip)
{
	enum guard_announced least = vip->n_addresses ? GUARD_ANNOUNCED : GUARD_NOT_ANNOUNCED;

	for (size_t i = 0; i < vip->n_addresses; i++) {
		enum guard_announced one = announce_words_of(words, &vip->addresses[i]);

		least = one < least ? one : least;
	}
	return least;
}

/* Note what @p node announces by its @p words. @return 0 or -ENOMEM; @p out is given then */
static int note_said(const struct model *m, const struct model_node *node, const json_t *words,
                     struct guard_said *out)
{
	const struct model_announce *it = &node->announce;

	if (guard_said_make(out, m->n_vips + it->n_dns))
		return -ENOMEM;
	for (size_t i = 0; i < m->n_vips; i++)
		if (model_node_announces(node, &m->vips[i]))
			guard_said_add(out, hash_text(m->vips[i].name),
			               read_vip(words, &m->vips[i]));
	for (size_t i = 0; i < it->n_dns; i++)
		guard_said_add(out, guard_dns_key(&it->dns[i]),
		               announce_words_of(words, &it->dns[i]));
	guard_said_end(out);
	snprintf(out->node, sizeof(out->node), "%s", node->name);
	return 0;
}

/* For exchange_read(): a node that is queried speaks for itself alone. */
static int find_queried(void *node, const char *name)
{
	return strcmp(name, ((const struct model_node *)node)->name) ? EXCHANGE_NOT_HIS : 0;
}

/* @return whether the answer says what @p node announces now; @p out is given then */
static bool read_said(const struct model *m, const struct model_node *node, const json_t *json,
                      struct guard_said *out)
{
	const struct exchange_expected expected = { .node = node->name,
		                                    .cluster = m->cluster,
		                                    .nodes_max = 1,
		                                    .find = find_queried,
		                                    .arg = (void *)(uintptr_t)node };
	struct exchange_read read;
	const char *reason;
	bool is_said = false;

	if (exchange_read(json, &expected, &read, &reason))
		return false;
	for (size_t i = 0; i < read.n_said; i++) {
		const struct exchange_said *said = &read.said[i];

		if (said->section == EXCHANGE_ANNOUNCED && said->age_ms <= GOOD_MS && said->body &&
		    announce_words_are_good(said->body))
			is_said = !note_said(m, node, said->body, out);
	}
	free(read.said);
	return is_said;
}

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

size_t guard_query(struct core *core, struct guard_said *out, size_t max)
{
	struct peer_query q = { .core = core,
		                .path = "/v1/peer/exchange",
		                .timeout_ms = GUARD_QUERY_TIMEOUT_MS,
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
		     read_said(m, q.nodes[i].arg, q.requests[i].answer, &out[n]);
	peer_query_end(&q);
	intent_unshare(shared);
	return n;
}

void guard_query_free(struct guard_said *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		guard_said_free(&list[i]);
}
