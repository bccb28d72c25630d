/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loop has three things to wait for: answers, a change on this node (core_changed() writes the
 * eventfd), and the time of the next look or question. A peer has one question under way at a time;
 * with its answer the next one goes out, a little later, so that changes in a row go together. Who
 * does not answer is asked more and more seldom, or at once when it asks this node.
 *
 * Of another site's nodes, words come from several that pass them on: the youngest count. Words of
 * the own site are only taken from the nodes themselves, and only those are passed on: so words go
 * over one node at most, and never in a circle.
 */
#include "mgmt/peers/exchange_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/page.h"
#include "mgmt/audit/heads.h"
#include "mgmt/audit/log.h"
#include "mgmt/core/auth.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/member_words.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/peers/peers_head.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/store/bootstrap.h"
#include "weir/json.h"

#define PAUSE_MS                                                                                   \
	100u /* between an answer with news and the next question; else it goes with the next look */
#define RETRY_MS      500u /* after the first failure; twice as long after each further one */
#define RETRY_MAX_MS  8000u
#define LOOK_LEAST_MS 20u   /* between two looks: changes come in bursts */
#define LATE_PAIRS    12u   /* what can wait waits 1 ms for so many pairs of nodes: all tell all */
#define LATE_MAX_MS   1000u /* more is not worth a ring: what is held ends by itself not much later */
#define TOKEN_MS      1000u /* between two reads of peer.token */
#define ARRIVALS_MS   2000u /* between two looks at which VIPs get packets */
#define ANSWER_MS                                                                                  \
	4000u /* for an answer, besides what it is held: who is given up costs a handshake */
#define FETCH_MS        10000 /* for a list of overrides */
#define FETCH_SETTLE_MS 1000u /* so long the store has to make them equal */
#define FETCH_ALONE_MS  300u  /* so long one peer has to give what others have, too */
#define VERDICTS_ALONE_MS                                                                          \
	2000u /* between two questions for verdicts, of which the first brought nothing */
#define FETCH_AGAIN_MS 2000u /* a list that was fetched and did not make the digests equal */
/*
 * For a connection with its TLS to a peer that is not heard. On a busy machine a handshake takes
 * seconds: one that is given up begins from nothing, and then no peer is ever heard.
 */
#define CONNECT_MS 8000u
/*
 * Peers that are not heard are asked a few at a time: where many nodes start at once, handshakes of all with all would take
 * each other's time until none ends.
 */
#define UNHEARD_MAX 8u
/* Another node of its site may have heard a peer that does not answer this one: until then it is not lost. */
#define PASSED_ON_MS (EXCHANGE_WAIT_MS + EXCHANGE_SITE_WAIT_MS + 750)
#define ANSWER_MAX   ((size_t)4 << 20)  /* bytes, of one node */
#define SITE_MAX     ((size_t)96 << 20) /* the same of a whole site */

static struct peers_report *report_of(const struct exchange *x, size_t i)
{
	return &x->core->peers->reports[i];
}

static size_t index_of(const struct exchange_peer *p)
{
	size_t i = 0;

	while (p->exchange->peers[i] != p)
		i++;
	return i;
}

static const struct exchange_peer *find_peer(const struct exchange *x, const char *node)
{
	for (size_t i = 0; i < x->n; i++)
		if (!strcmp(x->peers[i]->node, node))
			return x->peers[i];
	return NULL;
}

/* Set the timer so that the thread comes back at @p at_ms or before. */
static void come_back_by(struct exchange *x, uint64_t at_ms)
{
	if (!x->timer.heap_index || at_ms < x->timer.at_ms)
		(void)loop_timer_set(x->loop, &x->timer, at_ms);
}

/* The list of peers */

static void free_peer(struct exchange_peer *p)
{
	for (int i = 0; i < EXCHANGE_N_SECTIONS; i++)
		exchange_word_fini(&p->words[i]);
	free(p->body);
	free(p->query);
	free(p->verdicts_query);
	free(p);
}

/* A peer that is gone is freed when the answers under way have come. */
static void reap_gone(struct exchange *x)
{
	struct exchange_peer **at = &x->gone, *p;

	while ((p = *at)) {
		if (p->body || p->query || p->verdicts_query) {
			at = &p->next_gone;
			continue;
		}
		*at = p->next_gone;
		free_peer(p);
	}
}

static struct exchange_peer *make_peer(struct exchange *x, const struct model_node *node)
{
	struct exchange_peer *p = MEMORY_NEW(struct exchange_peer);

	p->exchange = x;
	p->pause_ms = RETRY_MS;
	p->listed_ms = clock_mono_ms();
	p->rank = exchange_rank(x->core->dirs.node, node->name);
	snprintf(p->node, sizeof(p->node), "%s", node->name);
	return p;
}

/* A peer without an API is never heard: it has no page. */
static void keep_page(struct exchange_peer *p)
{
	const char *run_dir = p->exchange->core->dirs.run;
	int err = 0;

	if (!*p->api) {
		peer_health_drop(run_dir, p->node, p->page);
		p->page = NULL;
	} else if (!p->page) {
		err = peer_health_open(run_dir, p->node, &p->page);
	}
	if (err)
		log_error("peer-health-not-kept", "node=%s error=\"%s\"", p->node, strerror(-err));
}

static bool is_listed(const struct core *core, const struct model_node *node)
{
	return strcmp(node->name, core->dirs.node) != 0 &&
	       strlen(node->api) < sizeof(core->exchange->peers[0]->api);
}

/* Whether the list is that of @p m. */
static bool is_current(const struct exchange *x, const struct model *m)
{
	const char *own_site = m->self ? m->self->site->name : "";
	size_t n = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (!is_listed(x->core, node))
			continue;
		const struct exchange_peer *p = n < x->n ? x->peers[n] : NULL;
		if (!p && n < PEERS_MAX)
			return false;
		if (p && (strcmp(p->node, node->name) || strcmp(p->api, node->api) ||
		          strcmp(p->site, node->site->name) ||
		          p->is_own_site != !strcmp(p->site, own_site)))
			return false;
		n += p != NULL;
	}
	return n == x->n;
}

/* Take the peer of @p node and its report out of the former list, or make them. */
static void list_peer(struct exchange *x, const struct model *m, const struct model_node *node,
                      struct exchange_peer **former, struct peers_report *reports)
{
	struct exchange_peer *p = NULL;
	struct peers_report *report = &reports[x->n];

	for (size_t k = 0; k < PEERS_MAX && !p; k++)
		if (former[k] && !strcmp(former[k]->node, node->name)) {
			p = former[k];
			former[k] = NULL;
			*report = *report_of(x, k);
		}
	if (!p)
		p = make_peer(x, node);
	snprintf(p->site, sizeof(p->site), "%s", node->site->name);
	snprintf(p->api, sizeof(p->api), "%s", node->api);
	p->is_own_site = m->self && m->self->site == node->site;
	keep_page(p);
	memcpy(report->node, p->node, sizeof(report->node));
	memcpy(report->site, p->site, sizeof(report->site));
	x->peers[x->n++] = p;
}

static void drop_peer(struct exchange *x, struct exchange_peer *p)
{
	peer_health_drop(x->core->dirs.run, p->node, p->page);
	p->page = NULL;
	p->is_gone = true;
	p->next_gone = x->gone;
	x->gone = p;
}

/* Make the list of peers that of the document; what is known of them stays. Under the lock. */
static void list_peers(struct exchange *x, const struct model *m)
{
	struct peers_report *reports = calloc(PEERS_MAX, sizeof(*reports));
	struct exchange_peer *former[PEERS_MAX] = { 0 };

	if (!reports)
		return; /* the next look tries again */
	memcpy(former, x->peers, x->n * sizeof(former[0]));
	x->n = 0;
	for (size_t i = 0; i < m->n_nodes && x->n < PEERS_MAX; i++)
		if (is_listed(x->core, &m->nodes[i]))
			list_peer(x, m, &m->nodes[i], former, reports);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (former[i])
			drop_peer(x, former[i]);
	memcpy(x->core->peers->reports, reports, x->n * sizeof(*reports));
	x->core->peers->n_reports = x->n;
	free(reports);
}

/* Under the lock. */
static void follow_document(struct exchange *x)
{
	const struct model *m = join_model(x->core->intent);

	reap_gone(x);
	if (!m)
		return;
	snprintf(x->cluster, sizeof(x->cluster), "%s", m->cluster);
	if (!is_current(x, m))
		list_peers(x, m);
	if (!peer_health_follow(&x->health, x->core))
		return;
	for (size_t i = 0; i < x->n; i++) {
		struct exchange_word *w = &x->peers[i]->words[EXCHANGE_HEALTH];

		if (w->body && x->peers[i]->page &&
		    peer_health_write(&x->health, x->peers[i]->page, w->body, w->true_ms))
			exchange_word_fini(w);
	}
}

/* Which peers are asked, and which are reachable */

static size_t site_number(const struct exchange *x, size_t of)
{
	size_t i = 0;

	while (strcmp(x->peers[i]->site, x->peers[of]->site))
		i++;
	return i;
}

static void choose_peers(struct exchange *x)
{
	struct exchange_candidate candidates[PEERS_MAX];
	bool chosen[PEERS_MAX];

	for (size_t i = 0; i < x->n; i++)
		candidates[i] = (struct exchange_candidate){
			.site = site_number(x, i),
			.is_own = x->peers[i]->is_own_site,
			.rank = x->peers[i]->rank,
			.is_failed = x->peers[i]->is_failed || !*x->peers[i]->api,
		};
	exchange_choose(candidates, x->n, chosen);
	for (size_t i = 0; i < x->n; i++)
		x->peers[i]->is_chosen = chosen[i];
}

/* Whether another node of the peer's site is heard, which may hear it. */
static bool may_be_passed_on(const struct exchange *x, const struct exchange_peer *p)
{
	bool is_heard = false;

	for (size_t i = 0; i < x->n && !p->is_own_site; i++)
		is_heard |= x->peers[i] != p && x->peers[i]->is_chosen && !x->peers[i]->is_failed &&
		            !strcmp(x->peers[i]->site, p->site);
	return is_heard;
}

/* Why the peer at @p i is not reachable; "": it is, or that is not known yet. */
static const char *unreachable_reason(const struct exchange *x, size_t i, uint64_t now_ms)
{
	const struct exchange_peer *p = x->peers[i];
	uint64_t true_ms = p->words[EXCHANGE_HEAD].true_ms;

	if (!x->core->peers->has_token)
		return x->core->peers->token_known ? "there is no usable peer.token on this node"
		                                   : "";
	if (!*p->api)
		return "the configuration has no api address for it";
	if (p->is_chosen && p->is_failed && true_ms <= p->failed_ms &&
	    (now_ms >= true_ms + PASSED_ON_MS || !may_be_passed_on(x, p)))
		return p->reason;
	if (!p->is_chosen && now_ms > PEERS_STALE_MS + (true_ms ? true_ms : x->core->started_ms))
		return "no node of its site has heard it for 10 s";
	return "";
}

static void note_reach(struct exchange *x, size_t i, uint64_t now_ms)
{
	const struct exchange_peer *p = x->peers[i];
	struct peers_report *v = report_of(x, i);

	v->unasked = !x->core->peers->has_token || !*p->api;
	v->refused = p->is_chosen && p->is_refused;
	v->clock_known &= p->is_chosen;
	snprintf(v->unreachable_reason, sizeof(v->unreachable_reason), "%s",
	         unreachable_reason(x, i, now_ms));
}

/* Under the lock. */
static void note_states(struct exchange *x)
{
	uint64_t now_ms = clock_mono_ms();

	x->states_ms = 0;
	for (size_t i = 0; i < x->n; i++)
		note_reach(x, i, now_ms);
	if (peers_relate(x->core))
		pthread_cond_broadcast(&x->core->changed); /* this thread needs no core_changed() */
}

/* Bells */

static void ring_bells(struct exchange *x, unsigned bells)
{
	x->late_bells &= ~bells;
	http_bells_ring(&x->core->bells, bells);
}

/* Ring @p bells in a while, with what else there is by then. Among very many nodes the answers tell it when they end. */
static void ring_late(struct exchange *x, unsigned bells)
{
	uint64_t wait_ms = x->n * x->n / LATE_PAIRS;

	if (wait_ms > LATE_MAX_MS)
		return;
	if (!x->late_bells)
		x->late_ms = clock_mono_ms() + wait_ms;
	x->late_bells |= bells;
	come_back_by(x, x->late_ms);
}

/*
 * Whether a new head only says who has a change: the store brings the change itself, or one of @p n peers from @p first on
 * has the same. Told at once, it would take the time of those that still take it. Under the lock.
 */
static bool can_wait(const struct exchange *x, size_t first, size_t n)
{
	const struct version *head = intent_head(x->core->intent);
	const char *overrides = core_overrides_digest(x->core);
	bool agrees = shared_state_is_ready(x->core);

	for (size_t i = first; i < first + n && !agrees; i++)
		agrees = head && !strcmp(report_of(x, i)->digest, head->digest) &&
		         !strcmp(report_of(x, i)->overrides, overrides);
	return agrees;
}

/* Ring @p bells for @p news; those of a head alone may wait. Under the lock. */
static void ring_for_news(struct exchange *x, unsigned bells, unsigned news, size_t first, size_t n)
{
	if (news == 1u << EXCHANGE_HEAD && can_wait(x, first, n))
		ring_late(x, bells);
	else if (news)
		ring_bells(x, bells);
}

/* Overrides: a list is fetched whole from a peer whose digest differs */

static void on_overrides(struct client_request *r)
{
	struct exchange_peer *p = r->arg;
	struct exchange *x = p->exchange;

	if (r->answer && !p->is_gone)
		peers_overrides_merge(x->core, p->node, r->answer);
	else if (!r->answer)
		log_warn("peer-failed", "node=%s query=overrides reason=\"%s\"", p->node,
		         r->failure);
	json_decref(r->answer);
	free(p->query);
	p->query = NULL;
	come_back_by(x, clock_mono_ms()); /* another peer may have what this one did not give */
}

/* Keep the digest that the own overrides had before they changed. */
static void note_former(struct exchange *x)
{
	const char *digest = core_overrides_digest(x->core);

	if (!strcmp(x->overrides, digest))
		return;
	memcpy(x->former[x->n_former++ % EXCHANGE_FORMER], x->overrides, sizeof(x->overrides));
	snprintf(x->overrides, sizeof(x->overrides), "%s", digest);
}

/* Whether a peer has what this node had: it is behind, and has nothing that this node lacks. */
static bool is_former(const struct exchange *x, const char *digest)
{
	for (size_t i = 0; i < EXCHANGE_FORMER; i++)
		if (!strcmp(x->former[i], digest))
			return true;
	return false;
}

/* Whether another peer is just asked for the same overrides: after a command all peers have them. */
static bool is_fetched(const struct exchange *x, const char *digest, uint64_t now_ms)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->peers[i]->query && now_ms - x->peers[i]->fetched_ms < FETCH_ALONE_MS &&
		    !strcmp(x->peers[i]->fetched, digest))
			return true;
	return false;
}

/*
 * Whether the overrides of a peer are to be fetched. What the store has comes to all nodes by itself, within a moment in
 * which all differ from all.
 */
static bool needs_overrides(struct exchange *x, struct exchange_peer *p,
                            const struct peers_report *v, uint64_t now_ms)
{
	if (!strcmp(x->overrides, v->overrides) || is_former(x, v->overrides)) {
		p->differs_ms = 0;
		return false;
	}
	if (!p->differs_ms)
		p->differs_ms = now_ms;
	if (shared_state_is_ready(x->core) && now_ms - p->differs_ms < FETCH_SETTLE_MS)
		return false;
	return !p->query && !is_fetched(x, v->overrides, now_ms) &&
	       (strcmp(p->fetched, v->overrides) != 0 || now_ms - p->fetched_ms > FETCH_AGAIN_MS);
}

/* @return whether there is a request to be begun */
static bool prepare_fetch(struct exchange_peer *p, const char *digest, uint64_t now_ms)
{
	p->query = peer_query_text(p->exchange->core, p->exchange->cluster, "overrides", NULL);
	if (!p->query)
		return false;
	p->fetched_ms = now_ms;
	snprintf(p->fetched, sizeof(p->fetched), "%s", digest);
	p->overrides = (struct client_request){
		.post = 1, .body = p->query, .timeout_ms = FETCH_MS, .done = on_overrides, .arg = p
	};
	snprintf(p->overrides.url, sizeof(p->overrides.url), "%s" PEER_EXCHANGE, p->api);
	return true;
}

/* Fetch what peers have and this node lacks. The requests begin without the lock, since one may end at once. */
static void fetch_overrides(struct exchange *x)
{
	uint64_t now_ms = clock_mono_ms();
	struct exchange_peer *from[PEERS_MAX];
	size_t n = 0;

	core_lock(x->core);
	note_former(x);
	for (size_t i = 0; i < x->n; i++) {
		const struct peers_report *v = report_of(x, i);

		if (!*v->overrides || !x->peers[i]->is_chosen || x->peers[i]->is_failed ||
		    !needs_overrides(x, x->peers[i], v, now_ms))
			continue;
		if (prepare_fetch(x->peers[i], v->overrides, now_ms))
			from[n++] = x->peers[i];
	}
	core_unlock(x->core);
	for (size_t i = 0; i < n; i++)
		client_loop_begin(&x->requests, &from[i]->overrides);
}

/* Verdicts of programs: what a peer has behind that which it has told */

static bool needs_verdicts(const struct exchange_peer *p, uint64_t now_ms)
{
	return p->verdicts_there.epoch && !p->verdicts_query && p->is_chosen && !p->is_failed &&
	       now_ms >= p->verdicts_next_ms &&
	       (p->verdicts_there.epoch != p->verdicts_had.epoch ||
	        p->verdicts_there.seq > p->verdicts_had.seq);
}

/* Under the lock. */
static void publish_verdicts(struct exchange *x, uint64_t now_ms)
{
	bool is_alone = true; /* nobody can tell this node what it said before */

	for (size_t i = 0; i < x->n; i++)
		is_alone = is_alone && !*x->peers[i]->api;
	externals_publish(&x->externals, x->core, is_alone, now_ms);
}

static void on_verdicts(struct client_request *r)
{
	struct exchange_peer *p = r->arg;
	struct exchange *x = p->exchange;
	struct externals_position before = p->verdicts_had;
	uint64_t now_ms = clock_mono_ms();
	int err = -EINVAL;

	core_lock(x->core);
	if (r->answer && !p->is_gone)
		err = externals_accept(x->core->externals, r->answer, p->verdicts_ms, now_ms,
		                       clock_believed_ms(), &p->verdicts_had);
	/* one that gives nothing new is not asked in a circle */
	bool brings = !err && p->verdicts_had.epoch == p->verdicts_there.epoch &&
	              (before.epoch != p->verdicts_had.epoch || before.seq < p->verdicts_had.seq);
	p->verdicts_next_ms = brings ? 0 : now_ms + VERDICTS_ALONE_MS;
	if (!err)
		publish_verdicts(x, now_ms);
	core_unlock(x->core);
	if (err && !p->is_gone)
		log_warn("peer-failed", "node=%s query=verdicts reason=\"%s\"", p->node,
		         r->answer ? "the answer is malformed" : r->failure);
	json_decref(r->answer);
	free(p->verdicts_query);
	p->verdicts_query = NULL;
	come_back_by(x, now_ms);
}

static bool prepare_verdicts(struct exchange_peer *p, uint64_t now_ms)
{
	p->verdicts_query = peer_query_text(p->exchange->core, p->exchange->cluster, "verdicts",
	                                    externals_question(&p->verdicts_had));
	if (!p->verdicts_query)
		return false;
	p->verdicts_ms = now_ms;
	p->verdicts = (struct client_request){ .post = 1,
		                               .body = p->verdicts_query,
		                               .timeout_ms = FETCH_MS,
		                               .done = on_verdicts,
		                               .arg = p };
	snprintf(p->verdicts.url, sizeof(p->verdicts.url), "%s" PEER_EXCHANGE, p->api);
	return true;
}

/* The requests begin without the lock, since one may end at once. */
static void fetch_verdicts(struct exchange *x)
{
	uint64_t now_ms = clock_mono_ms();
	struct exchange_peer *from[PEERS_MAX];
	size_t n = 0;

	core_lock(x->core);
	for (size_t i = 0; i < x->n; i++)
		if (needs_verdicts(x->peers[i], now_ms) && prepare_verdicts(x->peers[i], now_ms))
			from[n++] = x->peers[i];
	core_unlock(x->core);
	for (size_t i = 0; i < n; i++)
		client_loop_begin(&x->requests, &from[i]->verdicts);
}

/* Answers */

#define NEWS_OF_COMMANDS (1u << EXCHANGE_N_SECTIONS) /* beside a bit for each section */

/* Members that another node heard of. */
static int receive_renewals(struct core *core, const struct exchange_word *w)
{
	struct member_heard *list;
	size_t n;
	int err = member_words_read(w->body, w->true_ms, &list, &n);

	if (err)
		return err;
	intent_hear_members(core->intent, list, n);
	free(list);
	return 0;
}

/* Use words that are other ones, or true later. @return 0; -EINVAL: they are malformed; or why this node cannot */
static int use_word(struct exchange *x, size_t i, enum exchange_section section, bool is_other,
                    unsigned *news)
{
	struct exchange_peer *p = x->peers[i];
	const struct exchange_word *w = &p->words[section];
	struct peers_report *v = report_of(x, i);

	switch (section) {
	case EXCHANGE_HEAD:
		if (is_other && !peers_head_read(v, w->body))
			return -EINVAL;
		v->answered_ms = w->true_ms;
		if (is_other && peers_head_receive(x->core, p->node, w->body))
			*news |= NEWS_OF_COMMANDS;
		return 0;
	case EXCHANGE_LOAD:
		peers_load_read(v, w->body);
		return 0;
	case EXCHANGE_HEALTH:
		return p->page ? peer_health_write(&x->health, p->page, is_other ? w->body : NULL,
		                                   w->true_ms)
		               : 0;
	case EXCHANGE_ANNOUNCED:
	case EXCHANGE_ARRIVALS:
		return announce_words_are_good(w->body) ? 0 : -EINVAL;
	case EXCHANGE_AUDIT:
		return !is_other || audit_heads_hear(x->core->audit_heads, p->node, w->body)
		               ? 0
		               : -EINVAL;
	case EXCHANGE_MEMBERS:
		return is_other ? receive_renewals(x->core, w) : 0;
	case EXCHANGE_VERDICTS:
		return externals_words_read(w->body, &p->verdicts_there) ? 0 : -EINVAL;
	case EXCHANGE_N_SECTIONS:
		break;
	}
	return -EINVAL;
}

/*
 * Take one word out of @p answer of @p from. @return false: words of that peer itself are malformed;
 * malformed ones of another, and those that this node cannot use, are as if they were never said
 */
static bool accept_word(const struct exchange_peer *from, const struct exchange_read *answer,
                        const struct exchange_said *said, uint64_t now_ms, unsigned *news)
{
	uint64_t true_ms = exchange_true_ms(from->sent_ms, now_ms, answer->waited_ms, said->age_ms);
	struct exchange *x = from->exchange;
	struct exchange_peer *p = x->peers[said->node];
	struct exchange_word *word = &p->words[said->section];
	enum exchange_accepted outcome =
	        exchange_accept(word, said, true_ms, from->sent_ms, now_ms);

	if (outcome == EXCHANGE_OLDER)
		return true;
	int err = use_word(x, said->node, said->section, outcome == EXCHANGE_OTHER, news);
	if (err) {
		exchange_word_fini(word);
		return err != -EINVAL || p != from;
	}
	if (outcome == EXCHANGE_OTHER && exchange_section_wakes(said->section))
		*news |= 1u << said->section;
	return true;
}

/* For exchange_read(): a node of another site speaks for all of its site, one of this for itself. */
static int find_spoken_for(void *arg, const char *name)
{
	const struct exchange_peer *from = arg;
	const struct exchange *x = from->exchange;

	for (size_t i = 0; i < x->n; i++)
		if (!strcmp(x->peers[i]->node, name))
			return x->peers[i] == from || (!from->is_own_site &&
			                               !strcmp(x->peers[i]->site, from->site))
			               ? (int)i
			               : EXCHANGE_NOT_HIS;
	return strcmp(name, x->core->dirs.node) ? EXCHANGE_UNKNOWN : EXCHANGE_NOT_HIS;
}

/* Under the lock. @p news: a bit for each section. @return NULL, or why nothing of the answer counts */
static const char *accept_answer(struct exchange_peer *p, const json_t *answer, uint64_t now_ms,
                                 unsigned *news)
{
	struct exchange *x = p->exchange;
	const struct exchange_expected expected = { .node = p->node,
		                                    .cluster = x->cluster,
		                                    .nodes_max = PEERS_MAX,
		                                    .find = find_spoken_for,
		                                    .arg = p };
	struct exchange_read read;
	const char *reason = "out of memory";

	if (exchange_read(answer, &expected, &read, &reason))
		return reason;
	uint64_t from_ms = exchange_true_ms(p->sent_ms, now_ms, read.waited_ms, 0);
	reason = NULL;
	for (size_t i = 0; i < read.n_said; i++)
		if (!accept_word(p, &read, &read.said[i], now_ms, news))
			reason = "the answer is malformed";
	if (!reason)
		peers_clock_read(report_of(x, index_of(p)), read.clock_ms, from_ms, now_ms);
	free(read.said);
	return reason;
}

static void note_failure(struct exchange_peer *p, const struct client_request *r,
                         const char *reason, uint64_t now_ms)
{
	if (!p->is_failed)
		log_note("peer-not-heard", "node=%s reason=\"%s\"", p->node, reason);
	p->is_failed = true;
	p->failed_ms = p->sent_ms;
	p->is_refused = r->status == 401 || r->status == 403;
	p->silent_ms = r->status ? 0 : p->silent_ms ? p->silent_ms : now_ms;
	snprintf(p->reason, sizeof(p->reason), "%s", reason);
	p->next_ms = now_ms + p->pause_ms;
	p->pause_ms = 2 * p->pause_ms < RETRY_MAX_MS ? 2 * p->pause_ms : RETRY_MAX_MS;
}

static void note_success(struct exchange_peer *p, bool is_news, uint64_t now_ms)
{
	if (p->is_failed)
		log_note("peer-heard", "node=%s", p->node);
	p->is_failed = p->is_refused = false;
	p->silent_ms = 0;
	p->next_ms = is_news ? now_ms + PAUSE_MS : p->exchange->looked_ms + EXCHANGE_LOOK_MS;
	p->pause_ms = RETRY_MS;
}

static void on_answer(struct client_request *r)
{
	struct exchange_peer *p = r->arg;
	struct exchange *x = p->exchange;
	uint64_t now_ms = clock_mono_ms();
	unsigned news = 0;

	core_lock(x->core);
	free(p->body);
	p->body = NULL;
	if (!p->is_gone) {
		const char *reason =
		        r->answer ? accept_answer(p, r->answer, now_ms, &news) : r->failure;

		if (reason)
			note_failure(p, r, reason, now_ms);
		else
			note_success(p, news != 0, now_ms);
		if ((reason || news) && !x->states_ms)
			x->states_ms = now_ms + LOOK_LEAST_MS; /* of many answers at once */
		if (p->is_own_site) /* other sites hear from this node of the nodes of its own */
			ring_for_news(x, 1u << EXCHANGE_SITE_NEWS, news, index_of(p), 1);
		come_back_by(x, x->states_ms ? x->states_ms : p->next_ms);
	}
	core_unlock(x->core);
	json_decref(r->answer);
	if (news & 1u << EXCHANGE_HEAD)
		fetch_overrides(x);
	if (news & 1u << EXCHANGE_VERDICTS)
		fetch_verdicts(x);
}

/* Questions */

static unsigned wait_of(const struct exchange_peer *p)
{
	return p->is_own_site ? EXCHANGE_WAIT_MS : EXCHANGE_SITE_WAIT_MS;
}

/* The text of a question, from malloc(); NULL when out of memory. @p have is taken. */
static char *write_question(const struct exchange *x, bool site, unsigned wait_ms, json_t *have)
{
	return json_line(json_pack("{s:s, s:s, s:b, s:i, s:o}", "node", x->core->dirs.node,
	                           "cluster", x->cluster, "site", site, "wait_ms", (int)wait_ms,
	                           "have", have));
}

static void add_have(json_t *have, const struct exchange_peer *of, enum exchange_section whole)
{
	json_object_set_new(have, of->node, json_string(exchange_have(of->words, whole).stamps));
}

/* What this node has of the nodes for which @p p speaks. */
static char *make_question(const struct exchange *x, const struct exchange_peer *p)
{
	json_t *have = json_object();

	for (size_t i = 0; i < x->n; i++)
		if (x->peers[i] == p || (!p->is_own_site && !strcmp(x->peers[i]->site, p->site)))
			add_have(have, x->peers[i], EXCHANGE_N_SECTIONS);
	return write_question(x, !p->is_own_site, p->is_failed ? 0 : wait_of(p), have);
}

char *exchange_question_now(const struct core *core, const char *node,
                            enum exchange_section section)
{
	const struct exchange *x = core->exchange;
	const struct exchange_peer *p = x ? find_peer(x, node) : NULL;

	if (!p)
		return NULL;
	json_t *have = json_object();
	add_have(have, p, section);
	return write_question(x, false, 0, have);
}

static bool is_heard(const struct exchange_peer *p)
{
	return !p->is_failed && p->words[EXCHANGE_HEAD].true_ms;
}

/* Whether nodes of its site that are asked are heard, and have said nothing of it since @p since_ms. */
static bool is_missed(const struct exchange *x, const struct exchange_peer *p, uint64_t since_ms)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->peers[i]->is_chosen && is_heard(x->peers[i]) &&
		    x->peers[i]->words[EXCHANGE_HEAD].true_ms >= since_ms + EXCHANGE_SILENT_MS &&
		    !strcmp(x->peers[i]->site, p->site))
			return true;
	return false;
}

/*
 * A process that was stopped itself finds all words old, and all answers late: only questions that fail again
 * show that nobody is there.
 */
static bool is_silent(const struct exchange *x, const struct exchange_peer *p, uint64_t now_ms)
{
	uint64_t head_ms = p->words[EXCHANGE_HEAD].true_ms;
	uint64_t since_ms = head_ms > p->listed_ms ? head_ms : p->listed_ms;

	if (!p->is_chosen)
		return is_missed(x, p, since_ms);
	return now_ms >= since_ms + EXCHANGE_SILENT_MS && p->silent_ms &&
	       now_ms >= p->silent_ms + EXCHANGE_FAILING_MS;
}

struct exchange_heard exchange_hear(const struct core *core, const char *node)
{
	const struct exchange *x = core->exchange;
	const struct exchange_peer *p = x ? find_peer(x, node) : NULL;
	struct exchange_heard heard = { .announced = NULL };

	if (!p)
		return heard;
	if (p->words[EXCHANGE_ANNOUNCED].body)
		heard.announced = &p->words[EXCHANGE_ANNOUNCED];
	if (p->words[EXCHANGE_ARRIVALS].body)
		heard.arrivals = &p->words[EXCHANGE_ARRIVALS];
	heard.is_silent = is_silent(x, p, clock_mono_ms());
	return heard;
}

/* A peer that is not heard gets the time that a handshake takes on a busy machine. */
static void prepare_query(struct exchange *x, struct exchange_peer *p, uint64_t now_ms)
{
	unsigned connect_ms = is_heard(p) ? ANSWER_MS : CONNECT_MS;

	p->body = make_question(x, p);
	if (!p->body) {
		p->next_ms = now_ms + RETRY_MAX_MS;
		return;
	}
	p->sent_ms = now_ms;
	p->request = (struct client_request){
		.post = 1,
		.body = p->body,
		.timeout_ms = (int)(wait_of(p) + connect_ms),
		.connect_ms = (int)connect_ms,
		.answer_max = p->is_own_site ? ANSWER_MAX : SITE_MAX,
		.done = on_answer,
		.arg = p,
	};
	snprintf(p->request.url, sizeof(p->request.url), "%s" PEER_EXCHANGE, p->api);
}

/* Ask all whose time has come. The requests begin without the lock, since one may end at once. */
static void query_due_peers(struct exchange *x)
{
	uint64_t now_ms = clock_mono_ms(), next_ms = now_ms + EXCHANGE_LOOK_MS;
	struct exchange_peer *due[PEERS_MAX];
	size_t n = 0, n_unheard[2] = { 0, 0 }; /* of other sites, of the own one */

	core_lock(x->core);
	for (size_t i = 0; i < x->n; i++)
		n_unheard[x->peers[i]->is_own_site] += x->peers[i]->body && !is_heard(x->peers[i]);
	for (size_t i = 0; i < x->n && x->core->peers->has_token; i++) {
		struct exchange_peer *p = x->peers[i];

		if (!p->is_chosen || p->body || !*p->api)
			continue;
		if (!is_heard(p) && n_unheard[p->is_own_site] >= UNHEARD_MAX)
			continue;
		if (now_ms >= p->next_ms) {
			n_unheard[p->is_own_site] += !is_heard(p);
			prepare_query(x, p, now_ms);
			if (p->body)
				due[n++] = p;
		} else if (p->next_ms < next_ms) {
			next_ms = p->next_ms;
		}
	}
	core_unlock(x->core);
	for (size_t i = 0; i < n; i++)
		client_loop_begin(&x->requests, &due[i]->request);
	come_back_by(x, next_ms);
}

/* The own words, and the thread */

/* The token is read every second, so that a new file needs no restart. Under the lock. */
static void read_token(struct exchange *x, uint64_t now_ms)
{
	struct peers *p = x->core->peers;

	if (p->token_known && now_ms < x->token_ms + TOKEN_MS)
		return;
	x->token_ms = now_ms;
	if (auth_peer_token(x->core->dirs.conf, x->client.token))
		return; /* the one that was read last stays */
	p->has_token = x->client.token[0] != '\0';
	p->token_known = true;
}

/* Say the head of the own audit log, once there is one. Under the lock. */
static void say_audit_head(struct exchange *x, uint64_t now_ms)
{
	struct audit_head head;

	if (audit_log_head(x->core->audit, &head))
		(void)exchange_word_set(&x->own[EXCHANGE_AUDIT],
		                        record_shown(&audit_head_record, &head), now_ms);
}

/* @return a bit, where they are others */
static unsigned say_verdicts(struct exchange *x, uint64_t now_ms)
{
	json_t *words = externals_words(&x->externals, x->core->externals, now_ms);
	bool is_other =
	        exchange_word_set(&x->own[EXCHANGE_VERDICTS], words, now_ms) == EXCHANGE_OTHER;

	return is_other ? 1u << EXCHANGE_VERDICTS : 0;
}

static void look_at_own(struct exchange *x)
{
	const unsigned both = 1u << EXCHANGE_OWN_NEWS | 1u << EXCHANGE_SITE_NEWS;
	struct core *core = x->core;
	uint64_t now_ms = clock_mono_ms();

	x->looked_ms = now_ms;
	core_lock(core);
	read_token(x, now_ms);
	follow_document(x);
	bool is_other = exchange_word_set(&x->own[EXCHANGE_HEAD], peers_head_to_json(core),
	                                  now_ms) == EXCHANGE_OTHER;
	unsigned news = is_other ? 1u << EXCHANGE_HEAD : 0;
	(void)exchange_word_set(&x->own[EXCHANGE_LOAD], peers_load_to_json(core), now_ms);
	say_audit_head(x, now_ms);
	if (now_ms >= x->own[EXCHANGE_ARRIVALS].true_ms + ARRIVALS_MS)
		(void)exchange_word_set(&x->own[EXCHANGE_ARRIVALS],
		                        observe_arrivals(core, join_model(core->intent)), now_ms);
	if (now_ms >= x->own[EXCHANGE_MEMBERS].true_ms + MEMBER_WORDS_EVERY_MS)
		(void)exchange_word_set(&x->own[EXCHANGE_MEMBERS],
		                        member_words_to_json(intent_members(core->intent), now_ms),
		                        now_ms);
	publish_verdicts(x, now_ms);
	news |= say_verdicts(x, now_ms);
	core_unlock(core);
	news |= peer_health_look(&x->health, core, &x->own[EXCHANGE_HEALTH]) << EXCHANGE_HEALTH;
	news |= announce_words_look(&x->announced, core, &x->own[EXCHANGE_ANNOUNCED])
	        << EXCHANGE_ANNOUNCED;
	core_lock(core);
	choose_peers(x);
	note_states(x);
	ring_for_news(x, both, news, 0, x->n);
	core_unlock(core);
}

static void on_exchange_timer(void *arg)
{
	struct exchange *x = arg;

	if (clock_mono_ms() >= x->looked_ms + EXCHANGE_LOOK_MS)
		look_at_own(x);
	if (x->states_ms && clock_mono_ms() >= x->states_ms) {
		core_lock(x->core);
		note_states(x);
		core_unlock(x->core);
	}
	fetch_overrides(x);
	fetch_verdicts(x);
	query_due_peers(x);
	if (x->states_ms)
		come_back_by(x, x->states_ms);
	if (x->late_bells && clock_mono_ms() >= x->late_ms)
		ring_bells(x, x->late_bells);
	else if (x->late_bells)
		come_back_by(x, x->late_ms);
}

static void on_exchange_wake(void *arg, int fd, uint32_t events)
{
	struct exchange *x = arg;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	core_lock(x->core);
	bool stopping = x->core->stopping;
	core_unlock(x->core);
	if (stopping) {
		loop_stop(x->loop);
		return;
	}
	if (clock_mono_ms() >= x->looked_ms + LOOK_LEAST_MS)
		look_at_own(x);
	else if (x->looked_ms > LOOK_LEAST_MS) /* soon, by the timer */
		x->looked_ms -= EXCHANGE_LOOK_MS - LOOK_LEAST_MS;
	come_back_by(x, x->looked_ms + EXCHANGE_LOOK_MS);
	query_due_peers(x);
}

static void *run_exchange(void *arg)
{
	struct exchange *x = arg;

	core_lock(x->core);
	bool stopping = x->core->stopping;
	core_unlock(x->core);
	int err = stopping ? 0 : loop_run(x->loop);

	if (err)
		log_error("exchange-stopped", "error=\"%s\"", strerror(-err));
	return NULL;
}

static int open_exchange(struct exchange *x)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	core_lock(x->core);
	x->core->exchange_fd = fd;
	x->core->exchange = x;
	core_unlock(x->core);
	x->timer = (struct loop_timer){ .cb = on_exchange_timer, .arg = x };
	int err = loop_open(&x->loop);
	if (!err)
		err = client_loop_open(&x->requests, &x->client, x->core->dirs.conf, x->loop);
	if (!err)
		err = loop_fd_add(x->loop, fd, EPOLLIN, on_exchange_wake, x);
	if (!err)
		err = loop_timer_set(x->loop, &x->timer, 0);
	return err;
}

int exchange_start(struct core *core)
{
	struct exchange *x = MEMORY_NEW(struct exchange);
	struct peers *peers = memory_must(calloc(1, sizeof(*peers)));

	x->core = core;
	x->phase_ms = exchange_rank("", core->dirs.node) % EXCHANGE_LOOK_MS;
	core_lock(core);
	core->peers = peers; /* the observer looks already */
	core_unlock(core);
	int err = open_exchange(x);
	return err ? err : thread_start(&x->thread, run_exchange, x);
}

void exchange_stop(struct core *core)
{
	struct exchange *x = core->exchange;

	if (!x)
		return;
	thread_join(&x->thread);
	client_close(&x->client);
	core_lock(core);
	free(core->peers);
	core->peers = NULL; /* the observer looks still */
	core->exchange = NULL;
	close(core->exchange_fd);
	core->exchange_fd = 0;
	core_unlock(core);
	for (size_t i = 0; i < x->n; i++) {
		page_close(x->peers[i]->page);
		free_peer(x->peers[i]);
	}
	for (struct exchange_peer *p = x->gone, *next; p; p = next) {
		next = p->next_gone;
		free_peer(p);
	}
	for (int i = 0; i < EXCHANGE_N_SECTIONS; i++)
		exchange_word_fini(&x->own[i]);
	externals_out_fini(&x->externals);
	peer_health_fini(&x->health);
	announce_words_fini(&x->announced);
	loop_close(x->loop);
	free(x);
}
