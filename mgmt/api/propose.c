/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reservation first, then the version, then the hand-over, all in the thread of the request; the
 * lock is given up while peers are asked. Every proposer begins at the reachable node whose name
 * sorts first, so of two proposers at most one is granted there, and the other learns of it before
 * it makes a version. Silence counts as consent only for a short time (reserve_is_fresh()): a
 * process that was stopped meanwhile asks again. decide_fate() has the table of outcomes.
 */
#include "mgmt/api/propose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plain.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/client.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/yield.h"
#include "mgmt/store/records.h"

#define RESERVE_TIMEOUT_MS 1500  /* a person waits */
#define RELEASE_TIMEOUT_MS 500   /* best effort: a reservation also runs out by itself */
#define PUSH_TIMEOUT_MS    3000  /* a version with its small files */
#define RESERVE_WAIT_MS    4000u /* for another node that has the reservation */
#define RETRY_MS           150u  /* and up to as much again, by chance */
#define PUSH_TRIES         10    /* while a peer's own version is untold */
#define SUCCESSOR_WAIT_MS                                                                          \
	1500u /* for the version that came first, so that the answer can name it */

/* What becomes of the version that was handed over. */
enum fate { FATE_STAYS, FATE_LOST, FATE_UNDECIDED };

/* Insert a node by its name. One that was silent lately is asked together with the others. */
static void add_proposal_node(const struct core *core, struct proposal *p,
                              const struct model_node *n)
{
	const struct peers_report *reports;
	size_t at = p->n_nodes, n_reports = peers_report(core, &reports);
	struct propose_node node = { .self = !strcmp(n->name, core->dirs.node) };

	if (at > PEERS_MAX || (!node.self && (!*n->api || strlen(n->api) >= sizeof(node.api))))
		return;
	snprintf(node.name, sizeof(node.name), "%s", n->name);
	snprintf(node.api, sizeof(node.api), "%s", n->api);
	for (size_t i = 0; i < n_reports; i++)
		if (!strcmp(reports[i].node, n->name))
			node.last_silent = reports[i].state == PEERS_UNREACHABLE;
	for (; at > 0 && strcmp(p->nodes[at - 1].name, node.name) > 0; at--)
		p->nodes[at] = p->nodes[at - 1];
	p->nodes[at] = node;
	p->n_nodes++;
}

/* List the nodes to ask. Under the lock. @return whether there are peers */
static bool list_nodes(const struct core *core, struct proposal *p)
{
	const struct model *m = intent_model(core->intent);
	char token[HTTP_TEXT_MAX];

	p->n_nodes = 0;
	if (core->shared) /* the store decides */
		return false;
	auth_peer_token(core->dirs.conf, token);
	for (size_t i = 0; m && *token && i < m->n_nodes; i++)
		add_proposal_node(core, p, &m->nodes[i]);
	return p->n_nodes > 1;
}

static char *make_reserve_body(const struct core *core, const struct proposal *p,
                               const char *cluster, bool release)
{
	json_t *body = json_pack(
	        "{s:s, s:s, s:o, s:o, s:b}", "node", core->dirs.node, "cluster", cluster, "parent",
	        p->has_parent ? record_to_json(&version_record, &p->parent) : json_null(),
	        "version", record_to_json(&version_record, &p->version), "release", release);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return text;
}

static enum propose_answer read_answer(const json_t *answer)
{
	const char *state = json_string_value(json_object_get(answer, "state"));
	static const struct {
		const char *text;
		enum propose_answer answer;
	} rows[] = { { "granted", PROPOSE_GRANTED }, { "reserved", PROPOSE_RESERVED },
		     { "stale", PROPOSE_STALE },     { "untold", PROPOSE_UNTOLD },
		     { "taken", PROPOSE_ACCEPTED },  { "behind", PROPOSE_BEHIND },
		     { "refused", PROPOSE_REFUSED } };

	for (size_t i = 0; state && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].text, state))
			return rows[i].answer;
	return PROPOSE_ABSENT;
}

static void note_answer(struct propose_node *n, struct client_request *r)
{
	const char *holder = json_string_value(json_object_get(r->answer, "holder"));
	const char *refusal = json_string_value(json_object_get(r->answer, "why"));

	n->answer = r->answer ? read_answer(r->answer) : PROPOSE_ABSENT;
	plain_copy(n->holder, sizeof(n->holder), holder ? holder : "");
	plain_copy(n->reason, sizeof(n->reason),
	           n->answer == PROPOSE_REFUSED  ? refusal ? refusal : ""
	           : n->answer != PROPOSE_ABSENT ? ""
	           : r->answer                   ? "the answer is not understood"
	           : r->status == 404            ? "the node runs the former release"
	                                         : r->failure);
	json_decref(r->answer);
}

/* POST @p body to the nodes in @p nodes, all at once. Not under the lock. */
static void post_to_nodes(struct core *core, struct propose_node **nodes, size_t n,
                          const char *path, const char *body, int timeout_ms)
{
	struct client_request *requests = calloc(n + 1, sizeof(*requests));
	struct peer_client client;

	client_open(&client, core->dirs.conf);
	auth_peer_token(core->dirs.conf, client.token);
	for (size_t i = 0; requests && i < n; i++) {
		requests[i] = (struct client_request){ .post = 1,
			                               .body = body,
			                               .timeout_ms = timeout_ms };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s%s", nodes[i]->api, path);
	}
	if (requests && n > 0)
		client_send(&client, requests, n);
	for (size_t i = 0; requests && i < n; i++)
		note_answer(nodes[i], &requests[i]);
	client_close(&client);
	free(requests);
}

enum reserve_outcome propose_grant(struct core *core, const char *node,
                                   const struct version *parent, const struct version *v)
{
	const struct version *head = intent_head(core->intent);
	enum intent_relation relation = !head    ? INTENT_AHEAD
	                                : parent ? intent_relate(core->intent, parent, 1)
	                                         : INTENT_DIVERGED;
	bool named = false;

	for (size_t i = 0; head && i < v->n_supersedes; i++)
		named |= !strcmp(v->supersedes[i], head->digest);
	reserve_follow(&core->reserved, head);
	return reserve_request(&core->reserved, node, v->number, relation, named, clock_mono_ms());
}

/* Reserve at this node. Under the lock. */
static void reserve_own(struct core *core, const struct proposal *p, struct propose_node *n)
{
	static const enum propose_answer answers[] = { PROPOSE_GRANTED, PROPOSE_RESERVED,
		                                       PROPOSE_STALE };
	const char *holder;

	n->answer = answers[propose_grant(core, core->dirs.node, p->has_parent ? &p->parent : NULL,
	                                  &p->version)];
	holder = reserve_holder(&core->reserved, clock_mono_ms());
	snprintf(n->holder, sizeof(n->holder), "%s", holder ? holder : "");
}

/* Ask the nodes by name until one answers. @return whether it granted, or none answered */
static bool reserve_first(struct core *core, struct proposal *p, const char *body)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		struct propose_node *n = &p->nodes[i];

		if (n->self) {
			core_lock(core);
			reserve_own(core, p, n);
			core_unlock(core);
		} else if (n->last_silent) {
			continue; /* with the others: it would only delay */
		} else {
			post_to_nodes(core, &n, 1, "/v1/peer/reserve", body, RESERVE_TIMEOUT_MS);
		}
		if (n->answer != PROPOSE_ABSENT)
			return n->answer == PROPOSE_GRANTED;
	}
	return true;
}

static void reserve_others(struct core *core, struct proposal *p, const char *body)
{
	struct propose_node *others[PEERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].answer != PROPOSE_UNASKED)
			continue;
		if (!p->nodes[i].self) {
			others[n++] = &p->nodes[i];
			continue;
		}
		core_lock(core);
		reserve_own(core, p, &p->nodes[i]);
		core_unlock(core);
	}
	post_to_nodes(core, others, n, "/v1/peer/reserve", body, RESERVE_TIMEOUT_MS);
}

static const struct propose_node *find_answer(const struct proposal *p, enum propose_answer answer)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].answer == answer)
			return &p->nodes[i];
	return NULL;
}

/* Release all granted reservations. Not under the lock. */
static void release_all(struct core *core, struct proposal *p, const char *cluster)
{
	struct propose_node *granted[PEERS_MAX];
	char *body = make_reserve_body(core, p, cluster, true);
	size_t n = 0;

	core_lock(core);
	reserve_release(&core->reserved, core->dirs.node);
	core_unlock(core);
	for (size_t i = 0; i < p->n_nodes; i++)
		if (!p->nodes[i].self && p->nodes[i].answer == PROPOSE_GRANTED)
			granted[n++] = &p->nodes[i];
	if (body)
		post_to_nodes(core, granted, n, "/v1/peer/reserve", body, RELEASE_TIMEOUT_MS);
	free(body);
}

static void copy_cluster(const struct core *core, char out[MODEL_NAME_MAX])
{
	const struct model *m = intent_model(core->intent);

	snprintf(out, MODEL_NAME_MAX, "%s", m ? m->cluster : "");
}

/* Whether the head is still what is reserved. Under the lock. */
static bool is_parent(const struct core *core, const struct proposal *p)
{
	const struct version *head = intent_head(core->intent);

	if (!head || !p->has_parent)
		return !head && !p->has_parent;
	return head->number == p->parent.number && !strcmp(head->digest, p->parent.digest);
}

/* Whether the answers are fresh enough to make a version, silence included. */
static bool is_fresh(const struct proposal *p)
{
	return reserve_is_fresh(p->begun_ms, clock_mono_ms());
}

/* Ask again who was heard a moment ago and is silent now: this process may have been stopped. */
static void reserve_again(struct core *core, struct proposal *p, const char *body)
{
	struct propose_node *again[PEERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->n_nodes; i++) {
		struct propose_node *node = &p->nodes[i];

		if (node->answer == PROPOSE_ABSENT && !node->last_silent && n < PEERS_MAX) {
			node->last_silent = true;
			again[n++] = node;
		}
	}
	post_to_nodes(core, again, n, "/v1/peer/reserve", body, RESERVE_TIMEOUT_MS);
}

/*
 * One round of reservations. Not under the lock. @return PROPOSE_GRANTED, PROPOSE_RESERVED or
 * PROPOSE_STALE; the latter two hold nothing
 */
static enum propose_answer reserve_once(struct core *core, struct proposal *p, const char *cluster)
{
	char *body = make_reserve_body(core, p, cluster, false);
	enum propose_answer answer = PROPOSE_GRANTED;

	p->begun_ms = clock_mono_ms();
	for (size_t i = 0; i < p->n_nodes; i++)
		p->nodes[i].answer = PROPOSE_UNASKED;
	if (body && reserve_first(core, p, body)) {
		reserve_others(core, p, body);
		reserve_again(core, p, body);
	}
	free(body);
	if (find_answer(p, PROPOSE_STALE))
		answer = PROPOSE_STALE;
	else if (find_answer(p, PROPOSE_RESERVED))
		answer = PROPOSE_RESERVED;
	if (answer != PROPOSE_GRANTED)
		release_all(core, p, cluster);
	return answer;
}

/* Fill the reply: why the change is not made. Under the lock. */
static void set_stale_problem(const struct core *core, struct http_reply *reply, const char *reason)
{
	const struct version *head = intent_head(core->intent);
	char etag[HTTP_TEXT_MAX] = "";

	if (head)
		version_etag(head, etag);
	http_problem(reply, 412, "stale", "%s; the head of this node is %s now", reason,
	             *etag ? etag : "none");
	json_object_set_new(reply->json, "head", json_string(etag));
}

/* Wait a moment for the version that came first, so that the answer can name it. Under the lock. */
static void await_successor(struct core *core, uint64_t number)
{
	uint64_t until_ms = clock_mono_ms() + SUCCESSOR_WAIT_MS;
	const struct version *head;

	peers_poke(core, false);
	while ((!(head = intent_head(core->intent)) || head->number < number) &&
	       core_wait(core, until_ms))
		;
}

void propose_release(struct core *core, struct proposal *p)
{
	char cluster[MODEL_NAME_MAX];

	if (p->n_nodes < 2)
		return;
	copy_cluster(core, cluster);
	core_unlock(core);
	release_all(core, p, cluster);
	core_lock(core);
}

/* Fill the reply: why there is no reservation. Under the lock. */
static void set_unreserved_problem(struct core *core, const struct proposal *p,
                                   enum propose_answer answer, struct http_reply *reply)
{
	const struct propose_node *n = find_answer(p, answer);
	char reason[HTTP_TEXT_MAX + 2 * MODEL_NAME_MAX + 96];

	if (answer == PROPOSE_STALE)
		await_successor(core, p->version.number);
	if (answer == PROPOSE_RESERVED)
		snprintf(reason, sizeof(reason), "%s is making another change (reserved at %s)",
		         n ? n->holder : "a node", n ? n->name : core->dirs.node);
	else
		snprintf(reason, sizeof(reason), "another change came first (seen at %s)",
		         n && answer == PROPOSE_STALE ? n->name : core->dirs.node);
	set_stale_problem(core, reply, reason);
}

/* Reserve, or wait for another's reservation. Under the lock, which is given up meanwhile. */
static enum propose_answer reserve_patiently(struct core *core, struct proposal *p)
{
	uint64_t until_ms = clock_mono_ms() + RESERVE_WAIT_MS;
	char cluster[MODEL_NAME_MAX];

	copy_cluster(core, cluster);
	for (unsigned n_late = 0; !core->stopping;) {
		core_unlock(core);
		enum propose_answer answer = reserve_once(core, p, cluster);
		core_lock(core);
		if (answer == PROPOSE_STALE || (answer == PROPOSE_GRANTED && is_fresh(p)))
			return answer;
		if (answer == PROPOSE_GRANTED) { /* this process was stopped meanwhile */
			propose_release(core, p);
			if (++n_late > 3)
				break;
		} else if (clock_mono_ms() >= until_ms || !is_parent(core, p)) {
			break;
		}
		/* not all wait for the same time */
		core_wait(core, clock_mono_ms() + RETRY_MS + clock_mono_ns() % RETRY_MS);
	}
	return PROPOSE_RESERVED;
}

bool propose_reserve(struct core *core, const struct version *v, struct proposal *p,
                     struct http_reply *reply)
{
	const struct version *head = intent_head(core->intent);

	*p = (struct proposal){ .version = *v, .has_parent = head != NULL };
	if (head)
		p->parent = *head;
	yield_settle(core->intent, clock_believed_ms()); /* a further change takes it as it is */
	if (!list_nodes(core, p))
		return true;
	enum propose_answer answer = reserve_patiently(core, p);
	if (answer == PROPOSE_GRANTED && is_parent(core, p))
		return true;
	if (answer == PROPOSE_GRANTED)
		propose_release(core, p);
	set_unreserved_problem(core, p, answer, reply);
	return false;
}

/* Hand the version over by name until one takes it, then to all at once. Not under the lock. */
static void push_once(struct core *core, struct proposal *p, const char *body)
{
	struct propose_node *others[PEERS_MAX];
	bool accepted = false;
	size_t n = 0;

	for (size_t i = 0; i < p->n_nodes; i++) {
		struct propose_node *node = &p->nodes[i];

		if (node->answer == PROPOSE_ABSENT || node->self)
			continue;
		if (accepted) {
			others[n++] = node;
			continue;
		}
		post_to_nodes(core, &node, 1, "/v1/peer/versions", body, PUSH_TIMEOUT_MS);
		accepted = node->answer == PROPOSE_ACCEPTED;
		if (node->answer == PROPOSE_ABSENT && !node->retried) {
			node->retried = true; /* as reserve_again() */
			node->answer = PROPOSE_UNASKED;
		}
		if (node->answer == PROPOSE_STALE || node->answer == PROPOSE_UNTOLD)
			return;
	}
	post_to_nodes(core, others, n, "/v1/peer/versions", body, PUSH_TIMEOUT_MS);
}

/*
 *   taken by a peer   refused by a peer                        the version
 *   yes               any                                      stays (heads across a cut may have diverged)
 *   no                with a version that clients know         gives way
 *   no                with an untold one, of an earlier name   gives way
 *   no                with an untold one, of a later name      is not decided: ask again
 *   no                no, but one was silent for once          is not decided: ask again
 *   no                no                                       stays
 *
 * Under the lock.
 */
static enum fate decide_fate(struct core *core, const struct proposal *p)
{
	const struct version *head = intent_head(core->intent);
	const struct propose_node *stale = find_answer(p, PROPOSE_STALE),
	                          *untold = find_answer(p, PROPOSE_UNTOLD);
	char reason[EVENT_TEXT_MAX];

	if (!head || head->number != p->version.number ||
	    strcmp(head->digest, p->version.digest) != 0)
		return FATE_LOST; /* it gave way meanwhile */
	if (find_answer(p, PROPOSE_ACCEPTED))
		return FATE_STAYS;
	if (!stale && !untold)
		return find_answer(p, PROPOSE_UNASKED) ? FATE_UNDECIDED : FATE_STAYS;
	if (!stale && strcmp(untold->name, core->dirs.node) > 0)
		return FATE_UNDECIDED;
	snprintf(reason, sizeof(reason),
	         "%s has another successor of version %" PRIu64
	         ", and this one was not acknowledged to a client",
	         stale ? stale->name : untold->name, p->parent.number);
	return yield_head(core->intent, reason, clock_believed_ms()) ? FATE_STAYS : FATE_LOST;
}

static char *make_push_body(const struct core *core)
{
	const struct version *head = intent_head(core->intent);
	char cluster[MODEL_NAME_MAX];

	copy_cluster(core, cluster);
	return version_offer_text(core->dirs.node, cluster, head, intent_head_files(core->intent));
}

/* Push until it is decided. Under the lock, which is given up meanwhile. */
static enum fate push_version(struct core *core, struct proposal *p)
{
	enum fate fate = FATE_UNDECIDED;
	char *body = make_push_body(core);

	core->proposing = true;
	for (int i = 0; body && i < PUSH_TRIES && fate == FATE_UNDECIDED; i++) {
		core_unlock(core);
		push_once(core, p, body);
		core_lock(core);
		fate = decide_fate(core, p);
		if (fate == FATE_UNDECIDED)
			core_wait(core, clock_mono_ms() + RETRY_MS);
	}
	core->proposing = false;
	free(body);
	return fate;
}

bool propose_push(struct core *core, struct proposal *p, struct http_reply *reply)
{
	const struct version *head = intent_head(core->intent);

	reserve_follow(&core->reserved, head);
	if (p->n_nodes < 2 || !head)
		return true;
	p->version = *head;
	if (push_version(core, p) != FATE_LOST) {
		yield_settle(core->intent, clock_believed_ms());
		core_changed(core);
		return true;
	}
	await_successor(core, p->version.number);
	core_changed(core);
	set_stale_problem(core, reply,
	                  "a change at another node came first, so this change was withdrawn");
	return false;
}

/* Under the lock, which is given up meanwhile. */
static void resume_untold(struct core *core, struct proposal *p)
{
	p->version = p->parent = *intent_head(core->intent);
	p->parent.number--;
	if (!list_nodes(core, p)) {
		yield_settle(core->intent, clock_believed_ms());
	} else if (push_version(core, p) == FATE_STAYS &&
	           (find_answer(p, PROPOSE_ACCEPTED) || find_answer(p, PROPOSE_BEHIND))) {
		yield_settle(core->intent, clock_believed_ms());
	}
	core_changed(core);
}

/*
 * Whether the head is an automatic rollback that this node made and the peers were not handed
 * yet. Under the lock.
 */
static bool is_to_hand_back(const struct core *core)
{
	const struct version *head = intent_head(core->intent);

	return head && head->undoes && head->number != core->handed_back &&
	       !strcmp(head->node, core->dirs.node);
}

/*
 * Hand an automatic rollback to the peers. It stays whatever they answer. Under the lock, which is
 * given up meanwhile.
 */
static void hand_back(struct core *core, struct proposal *p)
{
	struct propose_node *peers[PEERS_MAX];
	size_t n = 0, n_accepted = 0;
	char *body = list_nodes(core, p) ? make_push_body(core) : NULL;

	core->handed_back = intent_head(core->intent)->number;
	if (!body)
		return;
	for (size_t i = 0; i < p->n_nodes && n < PEERS_MAX; i++)
		if (!p->nodes[i].self)
			peers[n++] = &p->nodes[i];
	core_unlock(core);
	post_to_nodes(core, peers, n, "/v1/peer/versions", body, PUSH_TIMEOUT_MS);
	free(body);
	core_lock(core);
	for (size_t i = 0; i < n; i++)
		n_accepted += peers[i]->answer == PROPOSE_ACCEPTED;
	log_note("rollback-handed-over", "version=%" PRIu64 " peers=%zu accepted=%zu",
	         core->handed_back, n, n_accepted);
}

void propose_resume(struct core *core)
{
	struct proposal *p;

	if (pthread_mutex_trylock(&core->candidate_lock))
		return;
	core_lock(core);
	bool is_untold = yield_is_untold(core->intent);
	if ((is_untold || is_to_hand_back(core)) && !core->proposing &&
	    (p = calloc(1, sizeof(*p)))) {
		if (is_untold)
			resume_untold(core, p);
		else
			hand_back(core, p);
		free(p);
	}
	core_unlock(core);
	pthread_mutex_unlock(&core->candidate_lock);
}
