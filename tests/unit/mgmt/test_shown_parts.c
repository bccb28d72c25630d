/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node shows of its versions and overrides: to peers and to people.
 */
#include "api_world.h"

#include <sqlite3.h>

#include "mgmt/store/intent_internal.h"
#include "tests/unit/mgmt/mgmt_answers.h"
#include "tests/unit/suite.h"

static bool disk_fails;

static int own_sqlite3_step(sqlite3_stmt *s)
{
	return disk_fails ? SQLITE_IOERR : __real_sqlite3_step(s);
}

static unsigned get_route(const char *path, const char *query)
{
	char what[100];

	snprintf(what, sizeof(what), "GET %s%s%s", path, *query ? "?" : "", query);
	return ask_route(what, NULL);
}

static const json_t *item_at(const char *list, size_t i)
{
	return json_array_get(json_object_get(answer.json, list), i);
}

static json_int_t number_in(const char *list, size_t i, const char *name)
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

/* A peer asks for the version of this number. @return the status */
static unsigned fetch_version(const char *number)
{
	char body[96];

	snprintf(body, sizeof(body),
	         "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"query\":\"version\",\"number\":%s}",
	         number);
	return ask_route("POST /v1/peer/exchange", body);
}

static void a_peer_fetches_a_version_with_its_files(void **state)
{
	(void)state;
	assert_int_equal(apply_line("# a", "none"), 201);
	assert_int_equal(fetch_version("1"), 200);
	const json_t *files = json_object_get(answer.json, "files");
	assert_int_equal(json_object_size(files), 2);
	assert_string_equal(text_in(files, "weir.conf"), fixture_config);
	assert_string_equal(text_in(files, "shop.example.zone"), fixture_zone);
	assert_int_equal(fetch_version("3"), 404);
	assert_int_equal(fetch_version("0"), 404);
	assert_int_equal(fetch_version("\"x\""), 400);
	disk_fails = true; /* it is there all the same */
	assert_int_equal(fetch_version("1"), 503);
	disk_fails = false;
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
	assert_int_equal(
	        ask_route("POST /v1/peer/exchange",
	                  "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"query\":\"overrides\"}"),
	        200);
	assert_int_equal(count_rows("items"), 2);
	assert_string_equal(text_in(item_at("items", 0), "name"), "fra");
	assert_true(json_is_true(json_object_get(item_at("items", 0), "ended")));
	assert_string_equal(text_in(item_at("items", 1), "name"), "ams");
	assert_null(json_object_get(item_at("items", 1), "ended"));
}

static void peers_get_what_the_dataplane_knows(void **state)
{
	(void)state;
	assert_int_equal(get_route("/v1/peer/connections", ""), 503);
	begin_process("dataplane", "{\"ok\":true,\"connections\":\"all\"}");
	assert_int_equal(get_route("/v1/peer/connections", ""), 200);
	end_process();
	assert_string_equal(process.asked, "{\"do\":\"connections\"}");
	assert_string_equal(text_at("connections"), "all");
	assert_string_equal(text_at("node"), "ams-1");
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
	assert_int_equal(apply_line("# a", "none"), 201);
	assert_int_equal(apply_line("# b", "none"), 201);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (get_route("/v1/versions", rows[i].query) != rows[i].status ||
		    count_rows("items") != rows[i].n ||
		    number_in("items", 0, "number") != rows[i].first)
			fail_msg("%s: %u, %zu", rows[i].query, answer.status, count_rows("items"));
	assert_int_equal(get_route("/v1/versions", ""), 200);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(number_in("items", i, "number"), 3 - i);
		assert_string_equal(text_in(item_at("items", i), "state"), states[i]);
	}
	assert_int_equal(json_integer_value(json_object_get(answer.json, "head")), 3);
	assert_string_equal(text_in(answer.json, "etag"), text_in(item_at("items", 0), "etag"));
}

static void a_failing_store_says_why(void **state)
{
	/* a node that waits for its store has no other list */
	world_teardown(state);
	world_shares = true;
	world_setup(state);
	world_shares = false;
	assert_int_equal(get_route("/v1/versions", ""), 200);
	disk_fails = true;
	assert_int_equal(get_route("/v1/versions", ""), 503);
	assert_string_equal(text_at("code"), "store");
	assert_memory_equal(text_at("detail"), "the store fails: ", 17);
	strcpy(this_node.intent->store_reason, "the disk is gone");
	assert_int_equal(get_route("/v1/versions", ""), 503);
	assert_string_equal(text_at("detail"), "the store fails: the disk is gone");
	struct store *store = this_node.intent->store;
	this_node.intent->store = NULL; /* it could not be opened */
	assert_int_equal(get_route("/v1/versions", ""), 503);
	assert_string_equal(text_at("detail"), "the store fails: the disk is gone");
	this_node.intent->store = store;
	disk_fails = false;
}

static void the_configuration_is_sent_unless_it_is_known(void **state)
{
	char etag[HTTP_TEXT_MAX];

	(void)state;
	assert_int_equal(get_route("/v1/config", ""), 200);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "number")), 1);
	assert_string_equal(text_in(answer.json, "state"), "in_force");
	const json_t *files = json_object_get(answer.json, "files");
	assert_string_equal(text_in(files, "weir.conf"), fixture_config);
	version_etag(intent_head(this_node.intent), etag);
	assert_string_equal(answer.etag, etag);
	snprintf(asker.if_none_match, sizeof(asker.if_none_match), "%s", etag);
	assert_int_equal(get_route("/v1/config", ""), 304);
	assert_int_equal(apply_line("# a", "none"), 201);
	assert_int_equal(get_route("/v1/config", ""), 200);
}

/* Reopen with a file that has a mistake: there is no version then. */
static void without_a_version_there_is_none_to_show(void **state)
{
	(void)state;
	world_close();
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(mkdir(place.state, 0755), 0);
	fixture_write(place.conf, "weir.conf", "schema = 1; nonsense = 1;\n");
	world_open();
	assert_int_equal(get_route("/v1/config", ""), 404);
	assert_int_equal(get_route("/v1/versions", ""), 200);
	assert_int_equal(count_rows("items"), 0);
	assert_true(json_is_null(json_object_get(answer.json, "head")));
	assert_true(json_is_null(json_object_get(answer.json, "etag")));
}

SUITE(shown_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_peer_fetches_a_version_with_its_files),
		T(peers_hear_of_ended_overrides_too),
		T(peers_get_what_the_dataplane_knows),
		T(the_list_of_versions_is_cut),
		T(a_failing_store_says_why),
		T(the_configuration_is_sent_unless_it_is_known),
		T(without_a_version_there_is_none_to_show),
	};

	world_begin();
	answer_sqlite3_step = own_sqlite3_step;
	return cmocka_run_group_tests_name("shown parts", tests, NULL, NULL);
}
