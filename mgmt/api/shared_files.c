/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/shared_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/fetch.h"
#include "mgmt/api/handle_files.h"
#include "mgmt/api/peers.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/join.h"
#include "mgmt/store/shared_intent.h"

/* nodes that are given the files: one of two that are needed may not answer */
#define SPREAD_MAX     4u
#define SPREAD_MS      3000
#define FETCH_FILES_MS 5000u /* of one node; the next round goes on from there */

void shared_files_add_nodes(struct peer_query *q, const char *maker, size_t max)
{
	const struct model *m = join_model(q->core->intent);

	for (int round = 0; m && round < 2; round++)
		for (size_t i = 0; i < m->n_nodes && q->n < max; i++) {
			const struct model_node *node = &m->nodes[i];
			bool is_preferred = maker ? !strcmp(node->name, maker)
			                          : !m->self || node->site != m->self->site;

			if (is_preferred == (round == 0))
				(void)peer_query_add(q, node, NULL, NULL);
		}
}

static int fetch_from(struct core *core, struct peer_client *client, const char *api,
                      const struct version *v)
{
	struct files files = { 0 };
	int err = fetch_version(core, client, api, v->number, FETCH_FILES_MS, &files);

	if (err)
		return err;
	core_lock(core);
	err = shared_intent_give_files(core->intent, v, &files, clock_believed_ms());
	core_unlock(core);
	files_fini(&files);
	return err;
}

int shared_files_fetch(struct core *core, struct peer_client *client, const struct version *v)
{
	struct peer_query holders = { .core = core };
	char token[HTTP_TEXT_MAX];
	int err = -ENOENT;

	auth_peer_token(core->dirs.conf, token);
	core_lock(core);
	if (token[0])
		shared_files_add_nodes(&holders, v->node, PEERS_MAX);
	core_unlock(core);
	for (size_t i = 0; err && i < holders.n; i++) {
		int one = fetch_from(core, client, holders.nodes[i].api, v);

		/* -EINVAL: that node has another version of this number, as if it had none */
		if (one != -EINVAL)
			err = one;
	}
	peer_query_end(&holders);
	return err;
}

void shared_files_require(struct core *core, uint64_t number)
{
	const struct version_history *h;
	const struct version *known;
	struct version v = { 0 }, here;
	struct peer_client client = { .multi = NULL };

	core_lock(core);
	h = shared_intent_history(core->intent);
	known = h ? history_version(h, number, NULL) : NULL;
	if (known && (intent_version(core->intent, number, &here, NULL) ||
	              strcmp(here.digest, known->digest) != 0))
		v = *known;
	core_unlock(core);
	if (!v.number)
		return;
	if (shared_files_fetch(core, &client, &v))
		log_warn("version-files-missing", "version=%" PRIu64, number);
	client_close(&client);
}

/* What a node is given: the version as it shall be, and its files, large ones by their digests. Under the lock. */
static char *make_spread_body(const struct core *core, const struct version *v)
{
	const struct model *m = intent_model(core->intent);
	struct store *store = intent_store(core->intent);
	struct files files = { 0 };
	char *text = NULL;

	if (!m || !store || store_staged_files(store, v->digest, &files))
		return NULL;
	text = version_offer_text(core->dirs.node, m->cluster, v, &files);
	files_fini(&files);
	return text;
}

json_t *shared_files_spread(struct core *core, const struct version *v)
{
	struct peer_query q = { .core = core,
		                .path = "/v1/peer/versions",
		                .timeout_ms = SPREAD_MS };
	json_t *names = json_array();

	shared_files_add_nodes(&q, NULL, SPREAD_MAX);
	char *body = q.n ? make_spread_body(core, v) : NULL;
	core_unlock(core);
	q.body = body;
	if (body)
		(void)peer_query_send(&q);
	for (size_t i = 0; i < q.n; i++)
		if (json_has_text(q.requests[i].answer, "state", "staged"))
			json_array_append_new(names, json_string(q.nodes[i].name));
	peer_query_end(&q);
	free(body);
	core_lock(core);
	return names;
}

int shared_files_stage(struct core *core, const char *node, const struct version *v,
                       const json_t *files)
{
	const struct file_source source = { handle_files_find, core };
	char api[256], reason[HTTP_TEXT_MAX], digest[DIGEST_TEXT_MAX];
	struct files given = { 0 };
	struct peer_client client = { .multi = NULL };

	core_lock(core);
	bool has_api = peers_copy_api(intent_model(core->intent), node, api);
	core_unlock(core);
	int err = has_api ? fetch_files(core, &client, api, files, SPREAD_MS) : 0;

	client_close(&client);
	if (!err)
		err = files_from_json(files, &source, &given, reason);
	if (!err && strcmp(files_digest(&given, digest), v->digest) != 0)
		err = -EINVAL;
	core_lock(core);
	struct store *store = intent_store(core->intent);

	if (!err)
		err = store ? store_stage_version(store, v, &given) : -EROFS;
	core_unlock(core);
	files_fini(&given);
	return err;
}
