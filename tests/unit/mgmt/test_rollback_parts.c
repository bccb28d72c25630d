/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Versions from request to answer: rolled back to, confirmed, shown, planned, and zones that are
 * read again.
 */
#include "change.h"
#include "tables_page.h"

#include "base/hash.h"
#include "base/page.h"
#include "mgmt/api/handle.h"
#include "tests/unit/suite.h"

static void a_rollback_makes_a_version(void **state)
{
	(void)state;
	grow_pool();
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "1", "dry_run=true", "*"), 200);
	assert_string_equal(text_at("version.state"), "planned");
	assert_int_equal(head_number(), 2);
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "1", "", ""), 428);
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "9", "", "*"), 404);
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "0", "", "*"), 404);
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "one", "", "*"), 404);
	assert_int_equal(ask_change(ROLLBACK, json_object(), "1", "", "*"), 422);
	assert_int_equal(ask_change(ROLLBACK, json_pack("{s:s, s:{}}", "reason", "x", "files"), "1",
	                            "", "*"),
	                 422); /* they are those of the version */
	assert_int_equal(head_number(), 2);
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "1", "", "*"), 201);
	assert_int_equal(number_at("version.number"), 3);
	assert_true(has_waited());
	const struct files *files = intent_head_files(this_node.intent);
	struct files_text text;
	assert_int_equal(files_read(files_find(files, FILES_MAIN), &text), 0);
	assert_int_equal(text.n, strlen(fixture_config));
	assert_memory_equal(text.bytes, fixture_config, text.n);
	files_read_end(&text);
}

static void an_unconfirmed_version_names_its_way_back(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{\"confirm_within\":\"5m\"}", ""), 201);
	assert_string_equal(text_at("version.state"), "unconfirmed");
	assert_int_equal(number_at("rolls_back_to"), 1);
	assert_int_equal(number_at("plan.confirm_within_ms"), 300000);
	assert_int_equal(apply_change("# b", "{}", ""), 409);
	assert_string_equal(text_at("code"), "unconfirmed");
	assert_int_equal(number_at("rolls_back_to"), 1);
	json_t *files = json_pack("{s:o}", "files", files_with("# two sites", "# b"));
	assert_int_equal(ask_change(PLAN, files, "", "", ""), 200); /* it says so */
	assert_int_equal(number_at("unconfirmed.version"), 2);
	assert_int_equal(number_at("unconfirmed.rolls_back_to"), 1);
	assert_int_equal(apply_change("# b", "{\"pending\":\"confirm\"}", ""), 201);
	assert_null(part_of("rolls_back_to"));
	assert_null(part_of("unconfirmed"));
}

/* Whether an event of @p kind has @p words. */
static bool is_recorded(const char *kind, const char *words)
{
	struct journal *j = intent_journal(this_node.intent);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		if (e && !strcmp(e->kind, kind) && strstr(e->message, words))
			return true;
	}
	return false;
}

static void a_version_is_confirmed_once(void **state)
{
	(void)state;
	assert_int_equal(ask_change(CONFIRM, make_reason(), "1", "", ""), 409);
	assert_string_equal(text_at("code"), "not-pending");
	assert_null(strstr(text_at("detail"), "include it"));
	assert_int_equal(apply_change("# a", "{\"confirm_within\":\"5m\"}", ""), 201);
	assert_int_equal(ask_change(CONFIRM, make_reason(), "1", "", ""), 409); /* another waits */
	assert_non_null(strstr(text_at("detail"), "include it"));
	for (int dry = 0; dry < 2; dry++) {
		const char *query = dry ? "dry_run=true" : "";

		assert_int_equal(ask_change(CONFIRM, make_reason(), "1", query, ""), 409);
		assert_int_equal(ask_change(CONFIRM, make_reason(), "3", query, ""), 404);
		assert_int_equal(ask_change(CONFIRM, make_reason(), "0", query, ""), 404);
		assert_int_equal(ask_change(CONFIRM, make_reason(), "two", query, ""), 404);
	}
	assert_int_equal(ask_change(CONFIRM, make_reason(), "2", "dry_run=1", ""), 400);
	assert_int_equal(ask_change(CONFIRM, make_reason(), "2", "wait=1", ""), 400);
	assert_int_equal(ask_change(CONFIRM, json_object(), "2", "", ""), 422); /* no reason */
	assert_int_equal(
	        ask_change(CONFIRM, json_pack("{s:s, s:i}", "reason", "x", "why", 1), "2", "", ""),
	        422);
	assert_int_equal(ask_change(CONFIRM, make_reason(), "2", "dry_run=true", ""), 200);
	assert_true(is_true_at("dry_run"));
	assert_true(intent_head(this_node.intent)->confirm_by_ms != 0);
	assert_false(has_waited());
	json_t *by = json_pack("{s:s, s:s}", "reason", "well", "author", "eve");
	assert_int_equal(ask_change(CONFIRM, by, "2", "", ""), 200);
	assert_null(part_of("dry_run"));
	assert_string_equal(text_at("version.state"), "in_force");
	assert_true(intent_head(this_node.intent)->confirm_by_ms == 0);
	assert_true(has_waited());
	assert_true(is_recorded("version", "version 2 confirmed by eve (token:ada)"));
	assert_int_equal(ask_change(CONFIRM, make_reason(), "2", "", ""), 409);
	assert_null(strstr(text_at("detail"), "joined"));
}

static unsigned look_at(const char *number, const char *query, enum http_role role)
{
	char what[100];

	snprintf(what, sizeof(what), "GET /v1/versions/%s%s%s", number, *query ? "?" : "", query);
	asker.role = role;
	return ask_route(what, NULL);
}

static void the_contents_of_a_version_are_for_operators(void **state)
{
	(void)state;
	grow_pool();
	assert_int_equal(look_at("1", "", HTTP_VIEWER), 200);
	assert_string_equal(text_at("state"), "superseded");
	assert_int_equal(number_at("number"), 1);
	assert_int_equal(json_array_size(part_of("files")), 2);
	assert_int_equal(strncmp(answer.etag, "\"v1-", 4), 0);
	assert_int_equal(look_at("2", "files=false", HTTP_VIEWER), 200);
	assert_string_equal(text_at("state"), "in_force");
	assert_true(json_is_array(part_of("files")));
	assert_int_equal(look_at("2", "files=true", HTTP_ONCALL), 403);
	assert_int_equal(look_at("1", "files=true", HTTP_OPERATOR), 200);
	assert_string_equal(json_string_value(json_object_get(part_of("files"), "weir.conf")),
	                    fixture_config);
	assert_string_equal(
	        json_string_value(json_object_get(part_of("files"), "shop.example.zone")),
	        fixture_zone);
	assert_int_equal(look_at("1", "files=yes", HTTP_ADMIN), 400);
	assert_int_equal(look_at("3", "", HTTP_ADMIN), 404);
	assert_int_equal(look_at("x", "", HTTP_ADMIN), 404);
}

/* A damaged record is no mistake of who asks. */
static void a_version_that_cannot_be_read_is_not_there_or_damaged(void **state)
{
	static const struct {
		int err;
		unsigned status;
		const char *words;
	} rows[] = {
		{ -ENOENT, 404, "no such version" },
		{ -EINVAL, 503, "its record is damaged" },
		{ -EBADMSG, 503, "its record is damaged" },
		{ -EROFS, 503, "the store fails" },
		{ -EIO, 503, "Input/output error" },
	};

	(void)state;
	assert_int_equal(look_at("99", "", HTTP_ADMIN), 404);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		handle_version_unread(rows[i].err, &answer);
		assert_int_equal(answer.status, rows[i].status);
		assert_non_null(strstr(text_at("detail"), rows[i].words));
	}
}

static void what_is_checked_says_no_more(void **state)
{
	json_t *body = json_pack("{s:o}", "files", files_with("# two sites", "# a"));

	(void)state;
	assert_int_equal(ask_change(CHECK, body, "", "", ""), 200);
	assert_int_equal(json_object_size(answer.json), 1);
	assert_true(json_is_true(part_of("ok")));
	assert_string_equal(answer.etag, "");
	body = json_pack("{s:o}", "files", files_with("schema = 1;", "schema = 2;"));
	assert_int_equal(ask_change(CHECK, body, "", "", ""), 422);
	assert_true(number_at("n_mistakes") > 0);
	assert_int_equal(ask_change(CHECK, json_object(), "", "", ""), 422);
	assert_string_equal(text_at("code"), "invalid");
	body = json_pack("{s:o, s:s}", "files", files_with(NULL, NULL), "base", "1");
	assert_int_equal(ask_change(CHECK, body, "", "", ""), 422); /* a plan has one */
	body = json_pack("{s:{s:s}}", "files", "other.conf", "");
	assert_int_equal(ask_change(CHECK, body, "", "", ""), 422);
	assert_non_null(strstr(text_at("detail"), "weir.conf"));
	assert_int_equal(head_number(), 1);
}

/* The tables have one pool, whose document is in force. */
static void write_tables(void)
{
	const struct effect_pool pool = {
		.pool = hash_text("web-ams"), .full = 17, .empty = 3, .unsettled = 4
	};

	tables_page_write_pool(place.root, told_ms, &pool, NULL);
}

static void a_plan_says_what_it_was_made_against(void **state)
{
	static const char from[] = "{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },";
	char etag[HTTP_TEXT_MAX], path[PATH_MAX];

	(void)state;
	write_tables();
	json_t *body = json_pack("{s:o}", "files", files_with(from, ""));
	assert_int_equal(ask_change(PLAN, body, "", "", ""), 200);
	version_etag(intent_head(this_node.intent), etag);
	assert_string_equal(answer.etag, etag);
	assert_string_equal(text_at("base"), etag);
	assert_string_equal(text_at("version.state"), "planned");
	assert_true(is_true_at("dry_run"));
	assert_null(part_of("old_file"));
	const json_t *pools = json_object_get(part_of("plan"), "pools"), *pool;
	size_t i;
	assert_true(json_array_size(pools) > 0);
	json_array_foreach(pools, i, pool)
	{
		bool is_ams = !strcmp(json_string_value(json_object_get(pool, "pool")), "web-ams");

		assert_int_equal(json_integer_value(json_object_get(pool, "full_slots")),
		                 is_ams ? 17 : 0);
	}
	assert_int_equal(proc_path(place.root, EFFECT_PAGE_FILE, path), 0);
	assert_int_equal(unlink(path), 0); /* nothing is said of tables that are not there */
	body = json_pack("{s:o}", "files", files_with(from, ""));
	assert_int_equal(ask_change(PLAN, body, "", "", ""), 200);
	pool = json_array_get(json_object_get(part_of("plan"), "pools"), 0);
	assert_null(json_object_get(pool, "full_slots"));
	assert_false(has_waited());
}

static unsigned n_reloads; /* that weir-dns was asked for, by the latest request */

static unsigned ask_reload(const char *more, const char *query, const char *if_match)
{
	json_t *body = json_loads(more, 0, NULL);

	json_object_set_new(body, "reason", json_string("again"));
	begin_process("dns", "{}");
	unsigned status = ask_change(RELOAD, body, "", query, if_match);
	end_process();
	n_reloads = process.n_asked;
	return status;
}

#define OTHER_ZONE                                                                                 \
	"$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 2 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.54\n"

/* weir-dns is asked to look again only where no version says so. */
static void zones_are_read_again(void **state)
{
	(void)state;
	assert_int_equal(ask_reload("{}", "", ""), 200);
	assert_true(json_is_false(part_of("changed")));
	assert_int_equal(n_reloads, 1);
	assert_string_equal(process.asked, "{\"do\":\"zone-reload\"}");
	assert_int_equal(ask_reload("{}", "dry_run=true", ""), 200);
	assert_int_equal(n_reloads, 0);
	fixture_write(place.conf, "shop.example.zone", OTHER_ZONE);
	assert_int_equal(ask_reload("{}", "dry_run=true", ""), 200);
	assert_true(is_true_at("changed"));
	assert_int_equal(ask_reload("{}", "", "\"v9-0\""), 412);
	assert_int_equal(head_number(), 1);
	assert_int_equal(n_reloads, 0);
	assert_int_equal(ask_reload("{}", "", ""), 201); /* nothing has to be named */
	assert_int_equal(n_reloads, 0);
	assert_true(has_waited());
	assert_int_equal(head_number(), 2);
	assert_int_equal(ask_reload("{\"why\":1}", "", ""), 422);
}

static void a_zone_that_is_not_there_is_named(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/shop.example.zone", place.conf);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ask_reload("{}", "", ""), 422);
	assert_int_equal(number_at("n_mistakes"), 1);
	const json_t *one = json_array_get(part_of("mistakes"), 0);
	assert_string_equal(json_string_value(json_object_get(one, "file")), "shop.example.zone");
	assert_int_equal(n_reloads, 0);
	assert_int_equal(ask_reload("{\"skip_bad_zones\":true}", "", ""), 200);
	assert_true(has_warning("the file in force stays"));
	assert_int_equal(n_reloads, 1);
	assert_int_equal(head_number(), 1);
}

/* A node whose own file has a mistake starts without a configuration. */
static void without_a_configuration_there_is_nothing_to_read_again(void **state)
{
	(void)state;
	world_close();
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(mkdir(place.state, 0755), 0);
	fixture_write(place.conf, "weir.conf", "schema = 1; nonsense = 1;\n");
	world_open();
	assert_null(intent_head(this_node.intent));
	assert_int_equal(ask_reload("{}", "", ""), 404);
	assert_int_equal(n_reloads, 0);
	assert_int_equal(ask_change(CONFIRM, make_reason(), "1", "", ""), 404);
	json_t *body = json_pack("{s:o}", "files", files_with("# two sites", "# a"));
	assert_int_equal(ask_change(PLAN, body, "", "", ""), 200);
	assert_string_equal(text_at("base"), "");
	assert_string_equal(answer.etag, "");
	assert_int_equal(apply_change("# a", "{}", ""), 201); /* the first */
	assert_int_equal(number_at("version.number"), 1);
}

SUITE(rollback_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_rollback_makes_a_version),
		T(an_unconfirmed_version_names_its_way_back),
		T(a_version_is_confirmed_once),
		T(the_contents_of_a_version_are_for_operators),
		T(a_version_that_cannot_be_read_is_not_there_or_damaged),
		T(what_is_checked_says_no_more),
		T(a_plan_says_what_it_was_made_against),
		T(zones_are_read_again),
		T(a_zone_that_is_not_there_is_named),
		T(without_a_configuration_there_is_nothing_to_read_again),
	};

	world_begin();
	return cmocka_run_group_tests_name("rollback parts", tests, NULL, NULL);
}
