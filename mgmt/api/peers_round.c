/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread works in rounds: list the peers of the model, ask all of them for their heads at
 * once, then go through the answers one by one, and take the overrides that are newer there.
 * The targets of a round belong to the thread; publish_round() copies them under the lock at its
 * end, so others see whole rounds only.
 */
#include "mgmt/api/peers_internal.h"

#include <errno.h>
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
#include "mgmt/store/join.h"
#include "mgmt/store/records.h"

#define HEAD_TIMEOUT_MS  1500                  /* below PEERS_EVERY_MS: rounds stay on time */
#define FETCH_TIMEOUT_MS 10000                 /* for a list of overrides */
#define LOAD_END         ((json_int_t)1 << 53) /* bits a second: no node has so many */

/* A peer as this thread works on it. */
struct peer_target {
	char api[256];
	struct peers_report report;
	char overrides[DIGEST_TEXT_MAX]; /* the digest that it told */
	uint64_t sent_ms, received_ms;   /* when it was asked for its head, and all had answered */
};

/* Make the list of peers from the model, keeping what is known of them. Under the lock. */
static size_t list_round_peers(const struct core *core, struct peer_target *targets)
{
	const struct model *m = join_model(core->intent);
	size_t n = 0;

	for (size_t i = 0; m && i < m->n_nodes && n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];
		struct peer_target *t = &targets[n];

		if (!strcmp(node->name, core->dirs.node) || strlen(node->api) >= sizeof(t->api))
			continue;
		*t = (struct peer_target){ .report = { .state = PEERS_UNASKED } };
		for (size_t k = 0; k < core->peers->n_reports; k++)
			if (!strcmp(core->peers->reports[k].node, node->name))
				t->report = core->peers->reports[k];
		snprintf(t->report.node, sizeof(t->report.node), "%s", node->name);
		snprintf(t->report.site, sizeof(t->report.site), "%s", node->site->name);
		snprintf(t->api, sizeof(t->api), "%s", node->api);
		n++;
	}
	return n;
}

static bool fetch_json(struct peers *p, const struct peer_target *t, const char *path,
                       json_t **answer)
{
	struct client_request r = { .timeout_ms = FETCH_TIMEOUT_MS };

	snprintf(r.url, sizeof(r.url), "%s%s", t->api, path);
	client_send(&p->client, &r, 1);
	if (!r.answer)
		log_warn("peer-failed", "node=%s path=%s reason=\"%s\"", t->report.node, path,
		         r.failure);
	*answer = r.answer;
	return r.answer != NULL;
}

/* Take the peer's overrides. */
static void merge_overrides(struct core *core, const struct peer_target *t)
{
	struct override *list = calloc(OVERRIDES_MAX, sizeof(*list));
	json_t *answer = NULL;
	size_t n = 0, bad = 0;

	if (list && fetch_json(core->peers, t, "/v1/peer/overrides", &answer)) {
		const json_t *items = json_object_get(answer, "items");

		for (size_t i = 0; i < json_array_size(items) && n < OVERRIDES_MAX; i++)
			if (record_from_json(&override_record, json_array_get(items, i), &list[n],
			                     NULL))
				bad++;
			else
				n++;
		core_lock(core);
		int n_accepted = intent_receive(core->intent, list, n, clock_believed_ms());
		if (n_accepted > 0)
			core_changed(core);
		core_unlock(core);
		if (n_accepted || bad)
			log_note("peer-overrides", "node=%s accepted=%d malformed=%zu",
			         t->report.node, n_accepted, bad);
	}
	json_decref(answer);
	free(list);
}

/* The peer read its clock between the question and the answer; the middle is the best guess. */
static void read_peer_clock(struct peer_target *t, const json_t *clock)
{
	const json_t *ms = json_object_get(clock, "ms");
	int64_t middle_ms = (int64_t)(t->sent_ms + (t->received_ms - t->sent_ms) / 2);

	t->report.clock_known = json_is_integer(ms) && json_integer_value(ms) >= 0 &&
	                        json_integer_value(ms) < CLOCK_END_MS;
	if (!t->report.clock_known)
		return;
	t->report.clock_offset_ms = json_integer_value(ms) - middle_ms;
	t->report.clock_slack_ms = (int64_t)(t->received_ms - t->sent_ms) / 2;
}

/* How a peer with the head @p theirs stands to this node. The store numbers versions: a higher one is newer. */
static enum peers_state relate_head(const struct version *ours, const struct version *theirs)
{
	uint64_t number = ours ? ours->number : 0;

	if (theirs->number != number)
		return theirs->number > number ? PEERS_AHEAD : PEERS_BEHIND;
	return strcmp(ours->digest, theirs->digest) != 0 ? PEERS_DIFFERS : PEERS_AGREED;
}

/* Relate the peer's head to ours. @return false: it is malformed */
static bool read_peer_version(struct core *core, struct peer_target *t, const json_t *record)
{
	struct version v = { 0 };

	if (json_is_null(record)) { /* it has no version yet */
		t->report.state = PEERS_BEHIND;
	} else {
		if (record_from_json(&version_record, record, &v, NULL))
			return false;
		core_lock(core);
		t->report.state = relate_head(intent_head(core->intent), &v);
		core_unlock(core);
	}
	if (strcmp(t->report.digest, v.digest) != 0)
		t->report.behind_ms = 0; /* it catches up */
	t->report.number = v.number;
	memcpy(t->report.digest, v.digest, sizeof(v.digest));
	t->report.head = v;
	return true;
}

/* Read a peer's answer about its head. @return whether it could be read */
static bool read_peer_head(struct core *core, struct peer_target *t, const json_t *answer)
{
	const char *overrides = json_string_value(json_object_get(answer, "overrides"));
	const json_t *load = json_object_get(answer, "bits_per_s");
	const char *cluster = json_string_value(json_object_get(answer, "cluster"));
	const char *state = json_string_value(json_object_get(answer, "drain"));
	json_int_t ports = json_integer_value(json_object_get(answer, "port_bits_per_s"));

	core_lock(core);
	const struct model *m = join_model(core->intent);
	bool ours = cluster && m && !strcmp(m->cluster, cluster);
	core_unlock(core);
	if (!overrides || strlen(overrides) >= DIGEST_TEXT_MAX || !ours)
		return false; /* another cluster's node has nothing to say here */
	snprintf(t->overrides, sizeof(t->overrides), "%s", overrides);
	t->report.load_known = json_is_integer(load) && json_integer_value(load) >= 0 &&
	                       json_integer_value(load) < LOAD_END;
	t->report.bits = (uint64_t)json_integer_value(load);
	t->report.port_bits = ports > 0 && ports < LOAD_END ? (uint64_t)ports : 0;
	plain_copy(t->report.drain, sizeof(t->report.drain),
	           state ? state : ""); /* of a peer of a former release */
	read_peer_clock(t, json_object_get(answer, "clock"));
	t->report.unreachable_reason[0] = '\0';
	t->report.inforce = inforce_from_json(json_object_get(answer, "in_force"));
	if (!fingerprint_from_json(json_object_get(answer, "hash_key"), t->report.hash_key))
		return false;
	return read_peer_version(core, t, json_object_get(answer, "version"));
}

static void apply_answer(struct core *core, struct peer_target *t, struct client_request *r)
{
	char own[DIGEST_TEXT_MAX];

	t->report.refused = r->status == 401 || r->status == 403;
	t->report.unasked = !*t->api;
	if (!r->answer || !read_peer_head(core, t, r->answer)) {
		t->report.state = PEERS_UNREACHABLE;
		snprintf(t->report.unreachable_reason, sizeof(t->report.unreachable_reason), "%s",
		         !*t->api    ? "the configuration has no api address for it"
		         : r->answer ? "the answer is malformed"
		                     : r->failure);
		return;
	}
	core_lock(core);
	overrides_digest_at(intent_overrides(core->intent), clock_believed_ms(), own);
	core_unlock(core);
	if (strcmp(own, t->overrides))
		merge_overrides(core, t);
	core_lock(core);
	overrides_digest_at(intent_overrides(core->intent), clock_believed_ms(), own);
	core_unlock(core);
	if (t->report.state == PEERS_AGREED && strcmp(own, t->overrides))
		t->report.state = PEERS_BEHIND; /* we have overrides that it has not */
	t->report.answered_ms = clock_mono_ms();
}

/* Publish the outcome of a round and write events for changes. Under the lock. */
static void publish_round(struct core *core, const struct peer_target *targets, size_t n)
{
	struct peers *p = core->peers;

	for (size_t i = 0; i < n; i++) {
		const struct peers_report *v = &targets[i].report;
		enum peers_state was = PEERS_UNASKED;

		for (size_t k = 0; k < p->n_reports; k++)
			if (!strcmp(p->reports[k].node, v->node))
				was = p->reports[k].state;
		bool is_reported = v->state == PEERS_UNREACHABLE || v->state == PEERS_DIFFERS ||
		                   was == PEERS_UNREACHABLE || was == PEERS_DIFFERS;
		if (was != v->state && is_reported)
			journal_add(intent_journal(core->intent), clock_believed_ms(), "peer",
			            v->node, "%s, was %s%s%s", peers_state_text(v->state),
			            peers_state_text(was), *v->unreachable_reason ? ": " : "",
			            v->unreachable_reason);
	}
	for (size_t i = 0; i < n; i++) {
		p->reports[i] = targets[i].report;
		p->reports[i].round++;
		if (p->reports[i].state != PEERS_BEHIND)
			p->reports[i].behind_ms = 0;
		else if (!p->reports[i].behind_ms)
			p->reports[i].behind_ms = clock_mono_ms();
	}
	p->n_reports = n;
	core_changed(core);
}

static void query_all_peers(struct core *core, struct peer_target *targets, size_t n,
                            const char *path, int post, struct client_request *requests)
{
	for (size_t i = 0; i < n; i++) {
		requests[i] =
		        (struct client_request){ .post = post, .timeout_ms = HEAD_TIMEOUT_MS };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s%s", targets[i].api, path);
	}
	client_send(&core->peers->client, requests, n);
}

/* The poke goes out before the questions, so that the rounds of the peers overlap with this one. */
static void one_round(struct core *core, bool notify_others)
{
	struct peer_target *targets = calloc(PEERS_MAX, sizeof(*targets));
	struct client_request *requests = calloc(PEERS_MAX, sizeof(*requests));
	size_t n = 0;

	core_lock(core);
	if (targets && requests)
		n = list_round_peers(core, targets);
	core_unlock(core);
	if (n > 0 && notify_others) {
		query_all_peers(core, targets, n, "/v1/peer/poke", 1, requests);
		for (size_t i = 0; i < n; i++)
			json_decref(requests[i].answer);
	}
	uint64_t sent_ms = clock_mono_ms();
	if (n > 0)
		query_all_peers(core, targets, n, "/v1/peer/head", 0, requests);
	uint64_t received_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++) {
		targets[i].sent_ms = sent_ms;
		targets[i].received_ms = received_ms;
		apply_answer(core, &targets[i], &requests[i]);
		json_decref(requests[i].answer);
	}
	core_lock(core);
	publish_round(core, targets, n);
	core_unlock(core);
	client_close(&core->peers->client); /* connections are few there: none is kept */
	free(targets);
	free(requests);
}

/* Without a token no peer is asked: mark all as unreachable, with the reason. */
static void miss_round(struct core *core)
{
	struct peer_target *targets = calloc(PEERS_MAX, sizeof(*targets));

	core_lock(core);
	size_t n = targets ? list_round_peers(core, targets) : 0;
	for (size_t i = 0; i < n; i++) {
		targets[i].report.state = PEERS_UNREACHABLE;
		targets[i].report.refused = false;
		targets[i].report.unasked = true;
		snprintf(targets[i].report.unreachable_reason,
		         sizeof(targets[i].report.unreachable_reason),
		         "there is no usable peer.token on this node");
	}
	publish_round(core, targets, n);
	core_unlock(core);
	free(targets);
}

/*
 * A round begins when its time has come or somebody pokes. The token is read for each, so a new
 * file needs no restart.
 */
static void *run_peers(void *arg)
{
	struct core *core = arg;
	struct peers *p = core->peers;

	core_lock(core);
	while (!core->stopping) {
		bool notify_others = p->notify_others;
		uint64_t until_ms = clock_mono_ms() + PEERS_EVERY_MS;

		p->poked = p->notify_others = false;
		core_unlock(core);
		auth_peer_token(core->dirs.conf, p->client.token);
		if (p->client.token[0])
			one_round(core, notify_others);
		else
			miss_round(core);
		core_lock(core);
		p->has_token = p->client.token[0] != '\0';
		p->token_known = true;
		while (!p->poked && core_wait(core, until_ms) && clock_mono_ms() < until_ms)
			;
	}
	core_unlock(core);
	return NULL;
}

int peers_start(struct core *core)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	client_open(&p->client, core->dirs.conf);
	core_lock(core);
	core->peers = p; /* the observer looks already */
	core_unlock(core);
	return thread_start(&p->thread, run_peers, core);
}

void peers_stop(struct core *core)
{
	struct peers *p = core->peers;

	if (!p)
		return;
	thread_join(&p->thread);
	core_lock(core);
	core->peers = NULL; /* the observer looks still */
	core_unlock(core);
	free(p);
}
