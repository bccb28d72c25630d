/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node shows of its versions and overrides: to peers and to people.
 */
#include "asked.h"

#include <errno.h>

#include "mgmt/api/handle.h"
#include "mgmt/peers/state_fetch.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/core/to_json.h"
#include "mgmt/peers/timekeep.h"

static struct edge {
	bool learned, no_store, fails;
	const char *store_reason;
	int version_rc; /* of reading one, if not 0 */
} edge;

static json_t *fake_learn(struct core *core)
{
	(void)core;
	assert_false(asked_is_locked()); /* it asks another process */
	return edge.learned ? json_pack("{s:s}", "connections", "all") : NULL;
}

static struct store *fake_store(struct intent *in)
{
	assert_true(asked_is_locked());
	return edge.no_store ? NULL : intent_store(in);
}

static int fake_list(struct store *s, uint64_t before, struct version *out, size_t max)
{
	return edge.fails ? -EIO : store_versions(s, before, out, max);
}

static const char *fake_store_why(const struct intent *in)
{
	return edge.store_reason ? edge.store_reason : intent_store_reason(in);
}

/* What others may change meanwhile is looked at under the lock. */
#define intent_head(in)      UNDER_LOCK(intent_head(in))
#define intent_overrides(in) UNDER_LOCK(intent_overrides(in))
#define intent_version(in, n, v, f)                                                                \
	UNDER_LOCK(edge.version_rc ? edge.version_rc : intent_version(in, n, v, f))

/* The private parts too. */
#define state_fetch_to_json  fake_learn
#define intent_store_to_read fake_store
#define intent_store         fake_store
#define intent_store_reason  fake_store_why
#define store_versions       fake_list
#include "mgmt/api/handle_peer.c"
#include "mgmt/api/handle_versions.c"
#undef intent_head
#undef intent_overrides
#undef intent_store
#undef store_versions

static struct http_reply answer;

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&edge, 0, sizeof(edge));
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	assert_false(asked_is_locked());
	return asked_teardown(state);
}

static unsigned ask_as(http_handler *handler, struct http_request *r)
{
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handler(&this_node, r, &answer);
	return answer.status;
}

/* Ask with @p part in the path and @p query ("limit=2&before=3"). */
static unsigned ask_handler(http_handler *handler, const char *part, const char *query)
{
	struct http_request r = { .method = "GET" };
	char text[100], *rest = text, *pair;

	snprintf(text, sizeof(text), "%s", query);
	while ((pair = strsep(&rest, "&")) && *pair) {
		struct http_pair *q = &r.query[r.n_query++];

		snprintf(q->name, sizeof(q->name), "%s", strsep(&pair, "="));
		snprintf(q->value, sizeof(q->value), "%s", pair);
	}
	snprintf(r.parts[0], sizeof(r.parts[0]), "%s", part);
	return ask_as(handler, &r);
}

static const json_t *item_at(const char *list, size_t i)
{
	return json_array_get(json_object_get(answer.json, list), i);
}

static json_int_t number_at(const char *list, size_t i, const char *name)
{
	return json_integer_value(json_object_get(item_at(list, i), name));
}

static const char *text_in(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static size_t count_rows(const char *list)
{
	return json_array_size(json_object_get(answer.json, list));
}

static void a_peer_fetches_a_version_with_its_files(void **state)
{
	(void)state;
	asked_apply("# a", 0, NOW_MS + 10);
	assert_int_equal(ask_handler(handle_peer_version, "1", ""), 200);
	const json_t *files = json_object_get(answer.json, "files");
	assert_int_equal(json_object_size(files), 2);
	assert_string_equal(text_in(files, "weir.conf"), fixture_config);
	assert_string_equal(text_in(files, "shop.example.zone"), fixture_zone);
	assert_int_equal(ask_handler(handle_peer_version, "3", ""), 404);
	assert_int_equal(ask_handler(handle_peer_version, "0", ""), 404);
	assert_int_equal(ask_handler(handle_peer_version, "x", ""), 404);
	edge.version_rc = -EINVAL; /* damaged here: it is there all the same */
	assert_int_equal(ask_handler(handle_peer_version, "1", ""), 503);
}

static void peers_hear_of_ended_overrides_too(void **state)
{
	struct override list[2] = {
		{ .id = "0123456789abcdef",
		  .kind = MODEL_OVERRIDE_DRAIN,
		  .target = MODEL_TARGET_SITE,
		  .name = "ams",
		  .generation = 3,
		  .created_ms = NOW_MS,
		  .from_ms = NOW_MS,
		  .until_ms = MODEL_TIME_NEVER,
		  .author = "jw",
		  .reason = "x",
		  .node = "ams-1" },
	};

	(void)state;
	list[1] = list[0];
	snprintf(list[1].id, sizeof(list[1].id), "0123456789abcdee");
	snprintf(list[1].name, sizeof(list[1].name), "fra");
	list[1].ended = true;
	assert_int_equal(intent_merge(this_node.intent, list, 2, NOW_MS), 2);
	assert_int_equal(ask_handler(handle_peer_overrides, "", ""), 200);
	assert_int_equal(count_rows("items"), 2);
	assert_string_equal(text_in(item_at("items", 0), "name"), "fra");
	assert_true(json_is_true(json_object_get(item_at("items", 0), "ended")));
	assert_string_equal(text_in(item_at("items", 1), "name"), "ams");
	assert_null(json_object_get(item_at("items", 1), "ended"));
}

static void peers_get_what_the_dataplane_knows(void **state)
{
	(void)state;
	assert_int_equal(ask_handler(handle_peer_connection_state, "", ""), 503);
	edge.learned = true;
	assert_int_equal(ask_handler(handle_peer_connection_state, "", ""), 200);
	assert_string_equal(text_in(answer.json, "connections"), "all");
}

static void the_list_of_versions_is_cut(void **state)
{
	static const struct {
		const char *query;
		unsigned status;
		size_t n;
		json_int_t first;
	} rows[] = {
		{ "", 200, 3, 3 },         { "limit=2", 200, 2, 3 },
		{ "limit=1", 200, 1, 3 },  { "limit=1000", 200, 3, 3 },
		{ "limit=0", 400, 0, 0 },  { "limit=1001", 400, 0, 0 },
		{ "before=3", 200, 2, 2 }, { "before=1", 200, 0, 0 },
		{ "before=0", 400, 0, 0 }, { "before=3&limit=1", 200, 1, 2 },
		{ "before=x", 400, 0, 0 },
	};
	static const char *const states[] = { "in_force", "superseded", "superseded" };

	(void)state;
	asked_apply("# a", 0, NOW_MS + 10);
	asked_apply("# b", 0, NOW_MS + 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ask_handler(handle_versions, "", rows[i].query) != rows[i].status ||
		    count_rows("items") != rows[i].n ||
		    number_at("items", 0, "number") != rows[i].first)
			fail_msg("%s: %u, %zu", rows[i].query, answer.status, count_rows("items"));
	assert_int_equal(ask_handler(handle_versions, "", ""), 200);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(number_at("items", i, "number"), 3 - i);
		assert_string_equal(text_in(item_at("items", i), "state"), states[i]);
	}
	assert_int_equal(json_integer_value(json_object_get(answer.json, "head")), 3);
	assert_string_equal(text_in(answer.json, "etag"), text_in(item_at("items", 0), "etag"));
}

static void a_failing_store_says_why(void **state)
{
	/* a node that waits for its store has no other list */
	asked_teardown(state);
	asked_shares = true;
	asked_setup(state);
	asked_shares = false;
	edge.no_store = true;
	edge.store_reason = "the disk is gone";
	assert_int_equal(ask_handler(handle_versions, "", ""), 503);
	assert_string_equal(text_in(answer.json, "detail"), "the store fails: the disk is gone");
	edge.no_store = false;
	assert_int_equal(ask_handler(handle_versions, "", ""), 200);
	edge.fails = true;
	assert_int_equal(ask_handler(handle_versions, "", ""), 503);
	assert_string_equal(text_in(answer.json, "detail"), "the store fails: the disk is gone");
	edge.store_reason = "";
	assert_int_equal(ask_handler(handle_versions, "", ""), 503); /* then its own words */
	assert_string_equal(text_in(answer.json, "code"), "store");
}

static void the_configuration_is_sent_unless_it_is_known(void **state)
{
	struct http_request r = { .method = "GET" };
	char etag[HTTP_TEXT_MAX];

	(void)state;
	assert_int_equal(ask_as(handle_config_get, &r), 200);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "number")), 1);
	assert_string_equal(text_in(answer.json, "state"), "in_force");
	const json_t *files = json_object_get(answer.json, "files");
	assert_string_equal(text_in(files, "weir.conf"), fixture_config);
	version_etag(intent_head(this_node.intent), etag);
	assert_string_equal(answer.etag, etag);
	snprintf(r.if_none_match, sizeof(r.if_none_match), "%s", etag);
	assert_int_equal(ask_as(handle_config_get, &r), 304);
	asked_apply("# a", 0, NOW_MS + 10);
	assert_int_equal(ask_as(handle_config_get, &r), 200);
}

/* Reopen with a file that has a mistake: there is no version then. */
static void without_a_version_there_is_none_to_show(void **state)
{
	struct intent_options options = { .conf_dir = asked_place.conf,
		                          .state_dir = asked_place.state,
		                          .node = "ams-1" };

	(void)state;
	intent_close(this_node.intent);
	assert_int_equal(files_remove_dir(asked_place.state), 0);
	assert_int_equal(mkdir(asked_place.state, 0755), 0);
	fixture_write(asked_place.conf, "weir.conf", "schema = 1; nonsense = 1;\n");
	assert_int_equal(intent_open(&options, NOW_MS, &this_node.intent), 0);
	assert_int_equal(ask_handler(handle_config_get, "", ""), 404);
	assert_int_equal(ask_handler(handle_versions, "", ""), 200);
	assert_int_equal(count_rows("items"), 0);
	assert_true(json_is_null(json_object_get(answer.json, "head")));
	assert_true(json_is_null(json_object_get(answer.json, "etag")));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_peer_fetches_a_version_with_its_files),
		T(peers_hear_of_ended_overrides_too),
		T(peers_get_what_the_dataplane_knows),
		T(the_list_of_versions_is_cut),
		T(a_failing_store_says_why),
		T(the_configuration_is_sent_unless_it_is_known),
		T(without_a_version_there_is_none_to_show),
	};

	return cmocka_run_group_tests_name("shown parts", tests, NULL, NULL);
}
