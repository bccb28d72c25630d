/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request for files names the next missing ones, some megabytes at a time, each with the offset from
 * which it is missing here. The loop ends when nothing is missing, when its time is over, or when
 * an answer brought nothing: a peer without the files cannot keep it going.
 */
#include "mgmt/sync/shared_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/core/auth.h"
#include "mgmt/peers/peers.h"
#include "mgmt/core/to_json.h"
#include "mgmt/files/blobs.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/shared_intent.h"
#include "record/fields.h"
#include "weir/json.h"

/* nodes that are given the files: one of two that are needed may not answer */
#define SPREAD_MAX     4u
#define SPREAD_MS      3000
#define FETCH_FILES_MS 5000u /* of one node; the next round goes on from there */
#define ANSWER_MS      10000 /* for a version with its small files */
#define REQUEST_MS     20000 /* for some megabytes: 200 kB/s are enough */
#define PARTS_MAX      1024u /* of a request: small files cost an entry each, not bytes */

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

#define PART_ROWS(X, t) X(t, const char *, digest) X(t, int64_t, bytes) X(t, uint64_t, offset)
RECORD_SHOWN(part_missing, "part", PART_ROWS);

/* Make a request for the next missing parts. @return NULL: nothing is missing */
static json_t *next_request(struct core *core, const json_t *files)
{
	json_t *parts = json_array();
	uint64_t n_bytes = 0, have;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)files, name, value)
	{
		const char *digest = json_get_text(value, "digest");
		json_int_t bytes = json_integer_value(json_object_get(value, "bytes"));

		if (!digest || bytes < 0)
			continue;
		core_lock(core);
		bool whole = intent_has_file(core->intent, digest, &have);
		core_unlock(core);
		if (whole)
			continue;
		json_array_append_new(parts, SHOWN(part_missing, digest, bytes, have));
		n_bytes += (uint64_t)bytes;
		if (n_bytes >= BLOBS_PARTS_BYTES_MAX || json_array_size(parts) == PARTS_MAX)
			break;
	}
	if (json_array_size(parts))
		return json_with(json_object(), "parts", parts);
	json_decref(parts);
	return NULL;
}

/* Store the parts that arrived. @return how many, or -errno */
static int keep_parts(struct core *core, const json_t *answer)
{
	const json_t *parts = json_object_get(answer, "parts"), *item;
	int err = 0, n_accepted = 0;
	size_t i;

	json_array_foreach(parts, i, item)
	{
		const char *digest = json_get_text(item, "digest");
		const char *data = json_get_text(item, "data");
		json_int_t bytes = json_integer_value(json_object_get(item, "bytes"));
		json_int_t offset = json_integer_value(json_object_get(item, "offset"));
		char *decoded = NULL;
		size_t n = 0;

		err = data && bytes >= 0 && offset >= 0 ? files_base64_decode(data, &decoded, &n)
		                                        : -EINVAL;
		if (!err)
			err = blobs_add(core->dirs.state, digest, (uint64_t)bytes, (uint64_t)offset,
			                decoded, n);
		free(decoded);
		if (err)
			return err;
		n_accepted += n > 0 || bytes == 0;
	}
	return n_accepted;
}

/*
 * Fetch the files that @p files (of an answer about a version) names by digest and that are not here, part by part: what was
 * interrupted goes on where it ended. It is given up after @p within_ms until the next time. Not under the lock. @return 0;
 * -EAGAIN: some are still missing; -errno
 */
static int fetch_files(struct core *core, struct peer_client *client, const char *api,
                       const json_t *files, unsigned within_ms)
{
	uint64_t until_ms = clock_mono_ms() + within_ms;
	json_t *missing;
	int err = 0;

	while (!err && (missing = next_request(core, files))) {
		struct client_request r = { .post = 1, .timeout_ms = REQUEST_MS };
		char *body = json_line(missing);

		snprintf(r.url, sizeof(r.url), "%s/v1/peer/files", api);
		r.body = body;
		err = body && clock_mono_ms() < until_ms ? 0 : -EAGAIN;
		if (!err)
			(void)peer_query_run(core, client, &r, 1);
		if (!err && !r.answer)
			err = -EIO;
		if (!err && (err = keep_parts(core, r.answer)) == 0)
			err = -ENOENT; /* it does not have them either */
		err = err > 0 ? 0 : err;
		json_decref(r.answer);
		free(body);
	}
	return err;
}

/* Fetch the files of @p v from the node at @p api. @return 0; -ENOENT: it gave no answer, or has no such version (logged); or -errno */
static int fetch_from(struct core *core, struct peer_client *client, const char *api,
                      const struct version *v)
{
	const struct file_source source = { core_find_file, core };
	struct client_request r = { .timeout_ms = ANSWER_MS };
	char reason[HTTP_TEXT_MAX];
	struct files files = { 0 };

	peer_query_one(core, client, api, "version",
	               json_pack("{s:I}", "number", (json_int_t)v->number), &r);
	if (!r.answer) {
		log_warn("peer-failed", "api=%s version=%" PRIu64 " reason=\"%s\"", api, v->number,
		         r.failure);
		return -ENOENT;
	}
	const json_t *named = json_object_get(r.answer, "files");
	int err = fetch_files(core, client, api, named, FETCH_FILES_MS);

	if (!err)
		err = files_from_json(named, &source, &files, reason);
	json_decref(r.answer);
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
	char token[HTTP_TEXT_MAX] = "";
	int err = -ENOENT;

	(void)auth_peer_token(core->dirs.conf, token);
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
static json_t *make_offer(const struct core *core, const struct version *v)
{
	struct store *store = intent_store(core->intent);
	struct files files = { 0 };

	if (!store || store_staged_files(store, v->digest, &files))
		return NULL;
	json_t *offer = version_offer(v, &files);
	files_fini(&files);
	return offer;
}

json_t *shared_files_spread(struct core *core, const struct version *v)
{
	struct peer_query q = { .core = core, .query = "stage", .timeout_ms = SPREAD_MS };
	json_t *names = json_array();

	shared_files_add_nodes(&q, NULL, SPREAD_MAX);
	q.more = q.n ? make_offer(core, v) : NULL;
	core_unlock(core);
	if (q.more)
		(void)peer_query_send(&q);
	for (size_t i = 0; i < q.n; i++)
		if (json_has_text(q.requests[i].answer, "state", "staged"))
			json_array_append_new(names, json_string(q.nodes[i].name));
	peer_query_end(&q);
	core_lock(core);
	return names;
}

int shared_files_stage(struct core *core, const char *node, const struct version *v,
                       const json_t *files)
{
	const struct file_source source = { core_find_file, core };
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
