/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a peer are written into a page of its own, which weir-dns reads without asking
 * weir-mgmt. The page says until when they are good: a peer that falls silent becomes unknown by
 * itself. Each answer is taken when it arrives, so that a slow peer delays only itself.
 */
#include "mgmt/api/health_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/page.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/client.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/peers.h"

/* A peer as this thread works on it. */
struct peer {
	struct health_exchange *exchange;
	char node[MODEL_NAME_MAX], api[256];
	struct page *page;
	bool listed; /* in the document of now */
	bool failed; /* logged once */
	uint64_t next_ms;
};

/* The document as a round needs it. */
struct round_input {
	char cluster[MODEL_NAME_MAX];
	uint64_t *targets;
	size_t n;
	uint64_t document;
};

struct health_exchange {
	struct thread thread;
	struct peer_client client;
	struct peer peers[PEERS_MAX];
	size_t n;
	struct round_input input;
	uint64_t queried_ms; /* the present round */
	uint64_t motion_ms;  /* until when the peers are asked fast */
	uint64_t digest;     /* of the own words */
};

static size_t count_service_targets(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		n += 2 * m->services[i].n_at;
	return n;
}

/* The targets of all services, from malloc(). */
static uint64_t *list_service_targets(const struct model *m, size_t *n)
{
	uint64_t *list = calloc(count_service_targets(m) + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; list && i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++)
			list[(*n)++] = health_target_service(
			        m->services[i].name, m->services[i].at[k / 2].site->name, k % 2);
	return list;
}

json_t *health_exchange_to_json(struct core *core)
{
	struct observe_pages pages;
	json_t *words = json_object();
	uint64_t *targets;
	size_t n = 0;

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	const struct model *m = intent_shared_model(shared);
	observe_open_health(core, &pages);
	const struct health_page *page = pages.health;
	targets = m && page ? list_service_targets(m, &n) : NULL;
	for (size_t i = 0; targets && i < n; i++) {
		int page_index = health_find_index(page, targets[i]);
		char target[PEER_PAGE_HEX_MAX], word[PEER_PAGE_HEX_MAX];

		if (page_index < 0)
			continue;
		peer_page_hex(targets[i], target);
		peer_page_hex(health_read(page, page_index), word);
		json_object_set_new(words, target, json_string(word));
	}
	free(targets);
	json_t *answer = json_pack(
	        "{s:s, s:s, s:o, s:o}", "node", core->dirs.node, "cluster", m ? m->cluster : "",
	        "age_ms", page ? json_integer((json_int_t)pages.health_age_ms) : json_null(),
	        "words", words);
	observe_close(&pages);
	intent_unshare(shared);
	return answer;
}

static bool has_text(const json_t *object, const char *name, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && !strcmp(text, expected);
}

/*
 * Read the words of @p targets out of @p words; one that is missing is 0. @return whether few
 * enough are malformed
 */
static bool read_peer_words(const json_t *words, const uint64_t *targets, size_t n,
                            health_word *out)
{
	size_t malformed = 0;
	char key[PEER_PAGE_HEX_MAX];

	for (size_t i = 0; i < n; i++) {
		peer_page_hex(targets[i], key);
		const json_t *word = json_object_get(words, key);

		out[i] = 0;
		if (word && !peer_page_read_word(json_string_value(word), &out[i]))
			malformed++;
	}
	return malformed <= HEALTH_EXCHANGE_MALFORMED_MAX;
}

int health_exchange_accept(struct peer_page *page, const json_t *answer, const char *node,
                           const char *cluster, const uint64_t *targets, size_t n,
                           uint64_t queried_ms, const char **reason)
{
	const json_t *age = json_object_get(answer, "age_ms");
	const json_t *words = json_object_get(answer, "words");
	json_int_t age_ms = json_integer_value(age);
	health_word *list = calloc(n + 1, sizeof(*list));
	int err = -EINVAL;

	*reason = "the answer is malformed";
	if (!has_text(answer, "node", node) || !has_text(answer, "cluster", cluster))
		*reason = "the answer is from another node or cluster";
	else if (json_is_null(age))
		*reason = "the peer has no health page";
	else if (list && json_is_integer(age) && age_ms >= 0 && json_is_object(words) &&
	         read_peer_words(words, targets, n, list))
		err = health_set_targets(&page->health, targets, n, 0);
	for (size_t i = 0; !err && i < n; i++)
		health_write(&page->health, health_find_index(&page->health, targets[i]), list[i]);
	if (!err)
		peer_page_set_good_until_ms(page, age_ms < (json_int_t)PEER_PAGE_GOOD_MS
		                                          ? queried_ms + PEER_PAGE_GOOD_MS -
		                                                    (uint64_t)age_ms
		                                          : 0);
	free(list);
	return err;
}

/* One peer's answer, or why there is none. */
static void on_peer_answer(struct client_request *r)
{
	struct peer *p = r->arg;
	const struct health_exchange *v = p->exchange;
	const char *reason = r->failure;
	int err = -EINVAL;

	page_repair(p->page);
	if (r->answer)
		err = health_exchange_accept(page_payload(p->page), r->answer, p->node,
		                             v->input.cluster, v->input.targets, v->input.n,
		                             v->queried_ms, &reason);
	if (!err)
		page_publish(p->page);
	if (err && !p->failed)
		log_note("peer-health-missing", "node=%s reason=\"%s\"", p->node, reason);
	p->failed = err != 0;
	p->next_ms = err ? clock_mono_ms() + HEALTH_EXCHANGE_RETRY_MS : 0;
}

/*
 * A peer that did not answer lately is left out, so that its timeout does not slow the round of
 * the others.
 */
static void query_peers(struct health_exchange *v)
{
	struct client_request *requests = calloc(PEERS_MAX, sizeof(*requests));
	size_t n = 0;

	v->queried_ms = clock_mono_ms();
	for (size_t i = 0; requests && i < v->n; i++) {
		struct peer *p = &v->peers[i];

		if (v->queried_ms < p->next_ms)
			continue;
		requests[n] = (struct client_request){ .timeout_ms = HEALTH_EXCHANGE_TIMEOUT_MS,
			                               .answer_max = HEALTH_EXCHANGE_ANSWER_MAX,
			                               .done = on_peer_answer,
			                               .arg = p };
		snprintf(requests[n].url, sizeof(requests[n].url), "%s/v1/peer/views", p->api);
		n++;
	}
	if (n)
		client_send(&v->client, requests, n);
	for (size_t i = 0; i < n; i++)
		json_decref(requests[i].answer);
	free(requests);
}

static void open_peer(struct core *core, const struct model_node *node)
{
	struct health_exchange *v = core->health_exchange;
	struct peer *p = &v->peers[v->n];
	char path[PATH_MAX];

	*p = (struct peer){ .exchange = v, .listed = true };
	snprintf(p->node, sizeof(p->node), "%s", node->name);
	int err = peer_page_path(core->dirs.run, node->name, path);
	if (!err)
		err = page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, sizeof(struct peer_page),
		                  &p->page);
	if (!err)
		v->n++;
	else
		log_error("peer-health-not-kept", "path=%s error=%s", path, strerror(-err));
}

/* Remove the peer's page with the peer: its last words must not count as current. */
static void drop_peer(struct core *core, size_t at)
{
	struct health_exchange *v = core->health_exchange;
	char path[PATH_MAX];

	peer_page_set_good_until_ms(page_payload(v->peers[at].page), 0);
	if (peer_page_path(core->dirs.run, v->peers[at].node, path))
		page_close(v->peers[at].page);
	else
		page_remove(v->peers[at].page, path);
	v->peers[at] = v->peers[--v->n];
}

/* Make the list of peers fit the document. Under the lock. */
static void follow_listed_peers(struct core *core, const struct model *m)
{
	struct health_exchange *v = core->health_exchange;

	for (size_t i = 0; i < v->n; i++)
		v->peers[i].listed = false;
	for (size_t i = 0; m && i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];
		size_t at = 0;

		if (!strcmp(node->name, core->dirs.node) || !*node->api ||
		    strlen(node->api) >= sizeof(v->peers[0].api))
			continue;
		while (at < v->n && strcmp(v->peers[at].node, node->name))
			at++;
		if (at == v->n && v->n < PEERS_MAX)
			open_peer(core, node);
		if (at == v->n)
			continue;
		v->peers[at].listed = true;
		snprintf(v->peers[at].api, sizeof(v->peers[at].api), "%s", node->api);
	}
	for (size_t i = v->n; i-- > 0;)
		if (!v->peers[i].listed)
			drop_peer(core, i);
}

/* Take what a round needs of the document when it is another one. Under the lock. */
static void follow_document(struct core *core)
{
	const struct model *m = intent_model(core->intent);
	struct round_input *w = &core->health_exchange->input;

	if (!m || (w->targets && w->document == intent_document(core->intent)))
		return;
	free(w->targets);
	w->targets = list_service_targets(m, &w->n);
	w->document = intent_document(core->intent);
	snprintf(w->cluster, sizeof(w->cluster), "%s", m->cluster);
	follow_listed_peers(core, m);
}

/*
 * Whether what this node sees of the services is about to change, or has changed lately. Under
 * the lock.
 */
static bool in_motion(struct core *core, uint64_t now_ms)
{
	struct health_exchange *v = core->health_exchange;
	struct observe_pages pages;
	bool doubt = false;
	uint64_t digest = 0;

	observe_open_health(core, &pages);
	const struct health_page *page = pages.health;
	for (size_t i = 0; page && v->input.targets && i < v->input.n; i++) {
		int page_index = health_find_index(page, v->input.targets[i]);
		health_word word = page_index < 0 ? 0 : health_read(page, page_index);

		doubt |= health_in_doubt(word);
		digest = digest * 31 + health_state(word);
	}
	if (doubt || digest != v->digest)
		v->motion_ms = now_ms + HEALTH_EXCHANGE_MOTION_MS;
	v->digest = digest;
	observe_close(&pages);
	return now_ms < v->motion_ms;
}

/* A look at the own health page four times a second decides whether the peers are asked now. */
static void exchange_health_once(struct core *core)
{
	struct health_exchange *v = core->health_exchange;
	uint64_t now_ms = clock_mono_ms();

	follow_document(core);
	bool due = in_motion(core, now_ms) || now_ms - v->queried_ms >= HEALTH_EXCHANGE_EVERY_MS;
	core_unlock(core);
	if (due)
		auth_peer_token(core->dirs.conf, v->client.token);
	if (due && v->client.token[0])
		query_peers(v);
	core_lock(core);
}

static void *run_health_exchange(void *core)
{
	core_run_rounds(core, exchange_health_once, HEALTH_EXCHANGE_FAST_MS);
	return NULL;
}

int health_exchange_start(struct core *core)
{
	core->health_exchange = calloc(1, sizeof(*core->health_exchange));
	if (!core->health_exchange)
		return -ENOMEM;
	client_open(&core->health_exchange->client, core->dirs.conf);
	return thread_start(&core->health_exchange->thread, run_health_exchange, core);
}

void health_exchange_stop(struct core *core)
{
	struct health_exchange *v = core->health_exchange;

	if (!v)
		return;
	thread_join(&v->thread);
	client_close(&v->client);
	for (size_t i = 0; i < v->n; i++)
		page_close(v->peers[i].page);
	free(v->input.targets);
	free(v);
	core->health_exchange = NULL;
}
