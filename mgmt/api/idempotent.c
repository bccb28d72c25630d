/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys under way are a small table in struct core: there are never more than there are
 * connections. How old an answer is counts elapsed time (mgmt/peers/timekeep.h), so that no step of
 * the clock forgets a key.
 */
#include "mgmt/api/idempotent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/poll.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/sync/operations.h"
#include "mgmt/core/to_json.h"
#include "mgmt/json/command.h"
#include "mgmt/peers/timekeep.h"
#include "weir/json.h"

_Static_assert(HTTP_IDENTITY_MAX == PRINCIPAL_MAX, "an identity is kept whole");

#define REPLY_KEPT_MAX ((size_t)1 << 20) /* bytes in the store; a longer answer is not replayed */
#define STORED_ETAG    "etag"            /* no answer has such a member itself */
#define WAIT_MS        75000u            /* longer than any change takes to answer */

/* The digest of the request, and the key under which its answer is kept. */
static void name_request(struct http_request *r)
{
	char text[2 * HTTP_TEXT_MAX + 80], body[DIGEST_TEXT_MAX], whole[2 * DIGEST_TEXT_MAX + 8];
	char *query = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&query, &n);

	snprintf(text, sizeof(text), "%s\n%s", r->identity, r->key);
	digest_bytes(text, strlen(text), r->request->key);
	digest_bytes(r->body, r->n_body, body);
	if (f) {
		fprintf(f, "%s %s %s", r->method, r->path, r->if_match);
		if (*r->if_none_match)
			fprintf(f, " none %s", r->if_none_match);
		for (size_t i = 0; i < r->n_query; i++)
			fprintf(f, "&%s=%s", r->query[i].name, r->query[i].value);
		fclose(f);
	}
	digest_bytes(query ? query : "", query ? n : 0, text);
	free(query);
	snprintf(whole, sizeof(whole), "%.64s %.64s", text, body);
	digest_bytes(whole, strlen(whole), r->request->digest);
}

static bool is_under_way(const struct core *core, const char *key)
{
	for (size_t i = 0; i < core->under_way.n; i++)
		if (!strcmp(core->under_way.keys[i], key))
			return true;
	return false;
}

/* The answer of a request that was carried out and not answered: what it made, as it is now. */
static void answer_again(struct core *core, const char *body, struct http_reply *reply)
{
	json_t *what = json_read(body, strlen(body), 0, NULL);
	const char *id = json_get_text(what, "override");
	const char *operation = json_get_text(what, "operation");
	json_int_t number = json_integer_value(json_object_get(what, "version"));
	const struct overrides *overrides = intent_overrides(core->intent);
	const struct override *o = id ? overrides_find(overrides, id) : NULL;
	struct version v;

	if (o) {
		reply->json = json_object();
		json_object_set_new(reply->json, "override",
		                    override_to_json(overrides, o, clock_believed_ms()));
		override_etag(o, reply->etag);
	} else if (number > 0 && !intent_version(core->intent, (uint64_t)number, &v, NULL)) {
		reply->json = json_object();
		json_object_set_new(reply->json, "version",
		                    version_to_json(&v, intent_head(core->intent)));
		json_object_set_new(reply->json, "changed", json_true());
		version_etag(&v, reply->etag);
	} else if (operation && operations_find(core, operation)) {
		reply->json = operation_show_json(operations_find(core, operation));
	} else {
		reply->json = json_object();
	}
	json_object_set_new(reply->json, "recovered", json_true());
	reply->status = 200;
	json_decref(what);
}

/* An answer is kept as its text, with its ETag among its members. @return from malloc(), given; NULL: no memory */
static char *format_stored(const struct http_reply *reply)
{
	struct http_reply stored = { .json = *reply->etag ? json_copy(reply->json) : NULL,
		                     .dense = reply->dense };

	if (!stored.json)
		return http_reply_text(reply);
	json_object_set_new(stored.json, STORED_ETAG, json_string(reply->etag));
	char *text = http_reply_text(&stored);

	http_reply_fini(&stored);
	return text;
}

static void read_stored(const char *body, struct http_reply *reply)
{
	reply->json = json_read(body, strlen(body), 0, NULL);
	const char *etag = json_get_text(reply->json, STORED_ETAG);

	snprintf(reply->etag, sizeof(reply->etag), "%s", etag ? etag : "");
	json_object_del(reply->json, STORED_ETAG);
}

/* Answer from the store, if the key was used before. Under the lock. */
static bool replay_answer(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	char stored_digest[DIGEST_TEXT_MAX], *body = NULL;
	struct store *store = intent_store(core->intent);
	unsigned status = 0;

	if (!store || store_reply(store, r->request->key, stored_digest, &status, &body,
	                          timekeep_purge_ms(core)))
		return false;
	if (strcmp(stored_digest, r->request->digest)) {
		http_problem(reply, 422, "key-reused",
		             "this Idempotency-Key was used with another request");
	} else if (status == 0) {
		answer_again(core, body, reply);
		reply->replayed = true;
	} else {
		read_stored(body, reply);
		reply->status = status;
		reply->replayed = true;
	}
	free(body);
	return true;
}

bool idempotent_begin(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;

	name_request(r);
	core_lock(core);
	while (is_under_way(core, r->request->key) && poll_moment(core, r, until_ms))
		;
	r->request->now_ms = timekeep_purge_ms(core);
	bool answered = true;
	if (is_under_way(core, r->request->key) || core->under_way.n == CORE_KEYS_MAX)
		http_problem(
		        reply, 503, "busy",
		        "a request with this Idempotency-Key is under way; ask again with the same key");
	else
		answered = replay_answer(core, r, reply);
	if (!answered)
		memcpy(core->under_way.keys[core->under_way.n++], r->request->key, DIGEST_TEXT_MAX);
	core_unlock(core);
	return answered;
}

void idempotent_end(struct core *core, const struct http_request *r, const struct http_reply *reply)
{
	/* what may be asked again later is not decided yet */
	char *body = reply->status < 500 && !reply->retry_s ? format_stored(reply) : NULL;

	core_lock(core);
	struct store *store = intent_store(core->intent);
	if (store && body && strlen(body) <= REPLY_KEPT_MAX)
		store_put_reply(store, r->request->key, r->request->digest, reply->status, body,
		                timekeep_purge_ms(core));
	for (size_t i = 0; i < core->under_way.n; i++)
		if (!strcmp(core->under_way.keys[i], r->request->key)) {
			memcpy(core->under_way.keys[i], core->under_way.keys[--core->under_way.n],
			       DIGEST_TEXT_MAX);
			break;
		}
	core_changed(core);
	core_unlock(core);
	free(body);
}
