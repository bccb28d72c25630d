/* SPDX-License-Identifier: BSD-2-Clause */
/* A key's request that is under way, that was cut off, and what is answered then. */
#include "api_world.h"

#include "mgmt/api/idempotent.h"
#include "tests/unit/suite.h"

static uint64_t ends_at_ms;

static void end_later(void)
{
	if (told_ms >= ends_at_ms)
		this_node.under_way.n = 0;
}

static struct store_request once[16]; /* of the latest requests */
static size_t n_made;

static struct http_request make_request(const char *key)
{
	struct http_request r = { .method = "POST",
		                  .path = "/v1/config/apply",
		                  .identity = "token:ops",
		                  .body = "{}",
		                  .n_body = 2 };

	r.request = &once[n_made++ % (sizeof(once) / sizeof(once[0]))];
	snprintf(r.key, sizeof(r.key), "%s", key);
	return r;
}

static void who_asks_twice_at_once_waits_for_the_first(void **state)
{
	struct http_request first = make_request("k"), second = make_request("k"),
	                    other = make_request("l");

	(void)state;
	assert_false(idempotent_begin(&this_node, &first, &answer));
	assert_false(
	        idempotent_begin(&this_node, &other, &answer)); /* it does not wait for another's */
	assert_int_equal(this_node.under_way.n, 2);
	assert_int_equal(told_ms, BEGIN_MS);
	ends_at_ms = BEGIN_MS + 20000;
	meanwhile = end_later;
	assert_false(idempotent_begin(&this_node, &second,
	                              &answer)); /* without an answer: it is done now */
	assert_int_equal(told_ms, ends_at_ms);
}

/* 75 s, longer than any change takes to answer; at once if its client has gone. */
static void who_waits_too_long_is_told_to_ask_again(void **state)
{
	struct http_request first = make_request("k"), second = make_request("k");
	atomic_bool gone = true;

	(void)state;
	assert_false(idempotent_begin(&this_node, &first, &answer));
	assert_true(idempotent_begin(&this_node, &second, &answer));
	assert_int_equal(told_ms, BEGIN_MS + 75000);
	assert_int_equal(answer.status, 503);
	assert_string_equal(
	        json_string_value(json_object_get(answer.json, "detail")),
	        "a request with this Idempotency-Key is under way; ask again with the same key");
	assert_false(answer.replayed);
	http_reply_fini(&answer);
	second.gone = &gone;
	assert_true(idempotent_begin(&this_node, &second, &answer));
	assert_int_equal(told_ms, BEGIN_MS + 75000);
	assert_int_equal(this_node.under_way.n, 1);
}

static void make_version(void)
{
	struct files files = fixture_files("# two sites", "# changed");
	struct intent_change change = { .files = &files, .author = "jw", .reason = "x" };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(this_node.intent, &change, NOW_MS + 10, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/*
 * The process ended after the change and before its answer: the answer is made from what is
 * there.
 */
static void a_version_whose_answer_was_lost_is_found(void **state)
{
	struct http_request r = make_request("k"), again = make_request("k"),
	                    changed = make_request("k");

	(void)state;
	assert_false(idempotent_begin(&this_node, &r, &answer));
	core_lock(&this_node);
	core_attach(&this_node, &r);
	assert_string_equal(intent_principal(this_node.intent), "token:ops");
	make_version();
	core_detach(&this_node);
	assert_string_equal(intent_principal(this_node.intent), "weir");
	core_unlock(&this_node);
	this_node.under_way.n = 0; /* another process now */
	assert_true(idempotent_begin(&this_node, &again, &answer));
	assert_int_equal(answer.status, 200);
	assert_true(answer.replayed);
	assert_true(json_is_true(json_object_get(answer.json, "recovered")));
	assert_true(json_is_true(json_object_get(answer.json, "changed")));
	const json_t *version = json_object_get(answer.json, "version");
	assert_int_equal(json_integer_value(json_object_get(version, "number")), 2);
	assert_string_equal(json_string_value(json_object_get(version, "state")), "in_force");
	assert_memory_equal(answer.etag, "\"v2-", 4);
	assert_int_equal(this_node.under_way.n, 0);
	http_reply_fini(&answer);
	changed.body = "[]";
	assert_true(idempotent_begin(&this_node, &changed, &answer));
	assert_int_equal(answer.status, 422);
	assert_string_equal(json_string_value(json_object_get(answer.json, "code")), "key-reused");
	assert_false(answer.replayed);
}

static void an_override_whose_answer_was_lost_is_found(void **state)
{
	struct http_request r = make_request("k"), again = make_request("k");
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .name = "ams",
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "ada",
		              .reason = "r",
		              .node = "ams-1" };

	(void)state;
	override_make_id("ams-1", NOW_MS, 1, o.id);
	assert_false(idempotent_begin(&this_node, &r, &answer));
	core_lock(&this_node);
	core_attach(&this_node, &r);
	assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS + 10), 1);
	core_detach(&this_node);
	core_unlock(&this_node);
	this_node.under_way.n = 0;
	assert_true(idempotent_begin(&this_node, &again, &answer));
	assert_int_equal(answer.status, 200);
	assert_string_equal(
	        json_string_value(json_object_get(json_object_get(answer.json, "override"), "id")),
	        o.id);
	assert_string_equal(answer.etag, "\"o1\"");
	assert_null(json_object_get(answer.json, "version"));
	assert_true(json_is_true(json_object_get(answer.json, "recovered")));
}

/* What it made is gone by now, or unreadable: it was done all the same. */
static void an_answer_is_made_of_what_is_left(void **state)
{
	static const char *const bodies[] = { "{\"version\": 99}", "{\"override\": \"none\"}", "{}",
		                              "nonsense" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct http_request r = make_request("k");

		snprintf(r.key, sizeof(r.key), "k%zu", i);
		assert_false(idempotent_begin(&this_node, &r, &answer));
		assert_int_equal(store_put_reply(intent_store(this_node.intent), r.request->key,
		                                 r.request->digest, 0, bodies[i], NOW_MS),
		                 0);
		this_node.under_way.n = 0;
		assert_true(idempotent_begin(&this_node, &r, &answer));
		assert_int_equal(answer.status, 200);
		assert_int_equal(json_object_size(answer.json), 1);
		assert_true(json_is_true(json_object_get(answer.json, "recovered")));
		http_reply_fini(&answer);
	}
}

/* An answer of a megabyte is kept, a longer one is not: then the request is made again. */
static void very_long_answers_are_not_kept(void **state)
{
	static char text[(1 << 20) + 2];

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct http_request r = make_request(more ? "long" : "short"), again = r;
		struct http_reply reply = { .status = 200, .text = text };

		memset(text, ' ', sizeof(text));
		memcpy(text, "{}", 2);
		text[(1 << 20) + more] = '\0';
		assert_false(idempotent_begin(&this_node, &r, &answer));
		idempotent_end(&this_node, &r, &reply);
		assert_int_equal(idempotent_begin(&this_node, &again, &answer), more == 0);
		assert_int_equal(answer.replayed, more == 0);
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		this_node.under_way.n = 0;
	}
}

/* The first answer again: with its ETag, and said to be one, whatever its status. */
static void an_answer_comes_again_whole(void **state)
{
	static const struct {
		unsigned status;
		const char *etag, *json;
	} rows[] = {
		{ 201, "\"o7\"", "{\"a\":1}" },
		{ 200, "", "{\"a\":1,\"b\":{\"etag\":\"o3\"}}" },
		{ 422, "", "{\"code\":\"invalid\"}" },
		{ 409, "", "{\"code\":\"guard\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *keys[] = { "k0", "k1", "k2", "k3" };
		struct http_request r = make_request(keys[i]), again = make_request(keys[i]);
		struct http_reply reply = { .status = rows[i].status,
			                    .json = json_loads(rows[i].json, 0, NULL) };
		snprintf(reply.etag, sizeof(reply.etag), "%s", rows[i].etag);

		assert_false(idempotent_begin(&this_node, &r, &answer));
		idempotent_end(&this_node, &r, &reply);
		char *text = json_dumps(reply.json, JSON_COMPACT);
		assert_string_equal(text, rows[i].json); /* as it is sent the first time */
		free(text);
		assert_true(idempotent_begin(&this_node, &again, &answer));
		assert_int_equal(answer.status, rows[i].status);
		assert_string_equal(answer.etag, rows[i].etag);
		assert_true(answer.replayed);
		assert_true(json_equal(answer.json, reply.json));
		http_reply_fini(&answer);
		http_reply_fini(&reply);
	}
}

/* An answer that says when to ask again is none yet: with the same key the request is carried out then. */
static void who_is_told_to_ask_again_later_may_use_the_same_key(void **state)
{
	struct http_request r = make_request("k"), again = make_request("k");
	struct http_reply later = { .retry_s = 60 };

	(void)state;
	assert_false(idempotent_begin(&this_node, &r, &answer));
	later.status = 409;
	later.json = json_pack("{s:s}", "code", "unconfirmed");
	idempotent_end(&this_node, &r, &later);
	assert_int_equal(this_node.under_way.n, 0);
	assert_false(idempotent_begin(&this_node, &again, &answer));
	http_reply_fini(&later);
}

static bool is_under_way(const struct http_request *r)
{
	for (size_t i = 0; i < this_node.under_way.n; i++)
		if (!strcmp(this_node.under_way.keys[i], r->request->key))
			return true;
	return false;
}

/* Of several requests under way the one that ended is taken off the list, and no other. */
static void each_key_ends_by_itself(void **state)
{
	struct http_request r[3] = { make_request("a"), make_request("b"), make_request("c") };
	const struct http_reply failed = { .status = 503 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_false(idempotent_begin(&this_node, &r[i], &answer));
	idempotent_end(&this_node, &r[1], &failed);
	assert_int_equal(this_node.under_way.n, 2);
	assert_true(is_under_way(&r[0]));
	assert_false(is_under_way(&r[1]));
	assert_true(is_under_way(&r[2]));
	idempotent_end(&this_node, &r[0], &failed);
	assert_true(is_under_way(&r[2]));
	idempotent_end(&this_node, &r[2], &failed);
	assert_int_equal(this_node.under_way.n, 0);
}

SUITE(idempotent)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(who_asks_twice_at_once_waits_for_the_first),
		T(who_waits_too_long_is_told_to_ask_again),
		T(a_version_whose_answer_was_lost_is_found),
		T(an_override_whose_answer_was_lost_is_found),
		T(an_answer_is_made_of_what_is_left),
		T(very_long_answers_are_not_kept),
		T(an_answer_comes_again_whole),
		T(who_is_told_to_ask_again_later_may_use_the_same_key),
		T(each_key_ends_by_itself),
	};

	world_begin();
	return cmocka_run_group_tests_name("idempotent", tests, NULL, NULL);
}
