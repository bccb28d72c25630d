/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of configuration from its request to its answer: what is made, what is refused and
 * undone, who is asked.
 */
#include "change.h"

#include "mgmt/core/shared_state.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static void an_apply_makes_a_version(void **state)
{
	(void)state;
	told_ms += 1000;
	assert_int_equal(apply_change("# a", "{}", ""), 201);
	assert_true(is_true_at("changed"));
	assert_int_equal(number_at("version.number"), 2);
	assert_string_equal(text_at("version.author"), "ada");
	assert_string_equal(text_at("version.principal"), "token:ada");
	assert_string_equal(text_at("version.reason"), "because");
	assert_string_equal(text_at("version.state"), "in_force");
	assert_int_equal(strncmp(answer.etag, "\"v2-", 4), 0);
	assert_int_equal(number_at("plan.confirm_within_ms"), 0);
	assert_null(part_of("dry_run"));
	assert_null(part_of("rolls_back_to"));
	assert_true(json_is_null(part_of("before"))); /* what was there was provisional */
	assert_true(has_waited());
	assert_true(intent_head(this_node.intent)->time_ms == NOW_MS + 1000);
	assert_int_equal(apply_change("# b", "{\"author\":\"eve\"}", ""), 201);
	assert_string_equal(text_at("version.author"), "eve");
	assert_int_equal(number_at("before"), 2);
	assert_string_equal(text_at("version.principal"), "token:ada");
}

static void what_changes_nothing_makes_no_version(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{}", ""), 201);
	assert_int_equal(apply_change("# a", "{}", ""), 200);
	assert_true(json_is_false(part_of("changed")));
	assert_int_equal(number_at("version.number"), 2);
	assert_int_equal(strncmp(answer.etag, "\"v2-", 4), 0);
	assert_true(has_waited()); /* it may still be on its way */
}

static void a_dry_run_makes_nothing(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{\"confirm_within\":\"5m\"}", "dry_run=true"), 200);
	assert_true(is_true_at("dry_run"));
	assert_true(is_true_at("changed"));
	assert_string_equal(text_at("version.state"), "planned");
	assert_int_equal(number_at("version.number"), 2);
	assert_int_equal(number_at("plan.confirm_within_ms"), 300000);
	assert_null(part_of("rolls_back_to"));
	assert_false(has_waited());
	assert_int_equal(head_number(), 1);
	assert_int_equal(apply_change("# a", "{}", "dry_run=yes"), 400);
	assert_int_equal(apply_change("# a", "{}", "wait=some"), 400);
	assert_int_equal(apply_change("# a", "{}", "wait_ms=60001"), 400);
	assert_int_equal(head_number(), 1);
}

static void the_head_must_be_what_the_request_names(void **state)
{
	char etag[HTTP_TEXT_MAX];

	(void)state;
	version_etag(intent_head(this_node.intent), etag);
	assert_int_equal(ask_change(APPLY, body_with("# a", "{}"), "", "", ""), 428);
	assert_int_equal(ask_change(APPLY, body_with("# a", "{}"), "", "", "\"v9-0\""), 412);
	assert_string_equal(text_at("head"), etag);
	assert_int_equal(head_number(), 1);
	assert_int_equal(ask_change(APPLY, body_with("# a", "{}"), "", "", etag), 201);
	assert_int_equal(ask_change(APPLY, body_with("# b", "{}"), "", "", etag), 412);
	assert_int_equal(head_number(), 2);
}

static void mistakes_are_counted_and_named(void **state)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "x", "files",
	                         files_with("schema = 1;", "schema = 1; sceme = 1;"));

	(void)state;
	assert_int_equal(ask_change(APPLY, body, "", "", "*"), 422);
	assert_string_equal(text_at("code"), "mistakes");
	assert_string_equal(text_at("detail"), "the configuration has 1 error");
	assert_int_equal(number_at("n_mistakes"), 1);
	const json_t *one = json_array_get(part_of("mistakes"), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "line")), 2);
	assert_int_equal(json_array_size(part_of("mistakes")), 1);
	body = json_pack("{s:s, s:o}", "reason", "x", "files",
	                 files_with("schema = 1;", "schema = 1; sceme = 1; scheme = 1;"));
	assert_int_equal(ask_change(APPLY, body, "", "", "*"), 422);
	assert_string_equal(text_at("detail"), "the configuration has 2 errors");
	assert_int_equal(number_at("n_mistakes"), 2);
	assert_int_equal(head_number(), 1);
}

/* Sites that this node has never heard are told of, by this plan's nodes. */
static void a_plan_warns_of_silent_sites(void **state)
{
	static const char from[] = "capacity = { new_flows = \"1k/s\"; }; } );\nnodes = (";
	static const char to[] =
	        "capacity = { new_flows = \"1k/s\"; }; },\n"
	        "  { name = \"lon\"; weight = 100; capacity = { new_flows = \"1k/s\"; }; } );\n"
	        "nodes = ( { name = \"lon-1\"; site = \"lon\"; driver = \"xdp\"; ports = ( { interface = \"eth1\"; } );\n"
	        "            tunnel_source = [ \"10.3.255.0/24\" ]; dns_listen = [ \"198.51.100.153\" ]; },";

	(void)state;
	assert_int_equal(
	        ask_change(PLAN, json_pack("{s:o}", "files", files_with(from, to)), "", "", ""),
	        200);
	assert_true(has_warning("2 of 3 sites were never heard by this node (fra, lon)"));
}

static void check_refusal(unsigned status, const char *code, const char *detail)
{
	if (answer.status != status || strcmp(text_at("code"), code) != 0 ||
	    !strstr(text_at("detail"), detail))
		fail_msg("%u %s: %s", answer.status, text_at("code"), text_at("detail"));
}

/* Each says what it means for the change, which is not made. */
static void each_failure_has_its_answer(void **state)
{
	(void)state;
	assert_int_equal(
	        ask_change(
	                APPLY,
	                json_pack(
	                        "{s:s, s:o}", "reason", "x", "files",
	                        files_with("site = \"fra\"; driver",
	                                   "site = \"fra\"; api = \"https://fra-1:8443\"; driver")),
	                "", "", "*"),
	        503);
	check_refusal(
	        503, "store-unavailable",
	        "the configuration has other nodes, and this node shares no store with them: "
	        "nothing was changed. Run 'weir store init' on the first host and 'weir store "
	        "join' on the others");
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "9", "", "*"), 404);
	check_refusal(404, "not-found", "there is no such version");
	this_node.intent->failing = true; /* as on a full disk */
	strcpy(this_node.intent->store_reason, "No space left on device");
	assert_int_equal(apply_change("# a", "{}", ""), 503);
	check_refusal(503, "store", "the store cannot keep the version: No space left on device");
	assert_int_equal(head_number(), 1);
}

/* Its time is over, and nobody has looked since: then it is ended first. */
static void what_is_over_is_ended_first(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{\"confirm_within\":\"5m\"}", "wait_ms=0"), 201);
	told_ms += 300001;
	assert_int_equal(apply_change("# b", "{\"pending\":\"confirm\"}", ""), 503);
	check_refusal(
	        503, "busy",
	        "a version that was not confirmed in time is just being ended: nothing was changed; try again");
}

/* Its removal of a backend is risky, so it waits to be confirmed. */
static json_t *make_risky_body(void)
{
	return json_pack(
	        "{s:s, s:o}", "reason", "x", "files",
	        files_with("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", ""));
}

/* There is none to go back to; a plan says so. */
static void a_risky_first_version_of_a_store_is_refused(void **state)
{
	static const char words[] =
	        "this would be the store's first version: there is none to go back "
	        "to if it is not confirmed. Apply the file that the nodes run (weir config show "
	        "--applied) first, then the change; or apply it with --confirm-within none";
	struct shared_run *unheard = calloc(1, sizeof(*unheard));
	json_t *body = make_risky_body();

	assert_non_null(unheard);
	json_object_del(body, "reason");
	assert_int_equal(ask_change(PLAN, json_copy(body), "", "", ""), 200);
	assert_false(has_warning(words));
	world_teardown(state);
	world_shares = true;
	world_setup(state);
	world_shares = false;
	assert_int_equal(ask_change(PLAN, body, "", "", ""), 200);
	assert_true(has_warning(words) && has_warning("weir apply would be refused: "));
	assert_int_equal(ask_change(PLAN,
	                            json_pack("{s:o}", "files", files_with("# two sites", "# a")),
	                            "", "", ""),
	                 200);
	assert_false(has_warning(words)); /* it is not risky */
	assert_int_equal(ask_change(APPLY, make_risky_body(), "", "", "*"), 409);
	check_refusal(409, "first-version", words);
	this_node.shared = unheard; /* a store that has not been heard of may have versions */
	assert_int_equal(ask_change(APPLY, make_risky_body(), "", "", "*"), 503);
	assert_string_equal(text_at("code"), "store-unavailable");
	this_node.shared = NULL;
	free(unheard);
}

static void an_old_file_takes_nothing_back(void **state)
{
	(void)state;
	grow_pool();
	assert_int_equal(apply_change("# a", "{\"base\":\"1\"}", ""), 412);
	assert_string_equal(text_at("code"), "old-file");
	assert_int_equal(number_at("n_takes_back"), 1);
	assert_int_equal(head_number(), 2);
	assert_int_equal(apply_change("# a", "{\"base\":\"7\"}", ""), 412);
	assert_string_equal(text_at("code"), "base-unknown");
	assert_int_equal(ask_change(PLAN, body_with("# a", "{\"base\":\"1\"}"), "", "", ""),
	                 422); /* a plan has no reason */
	json_t *body =
	        json_pack("{s:s, s:o}", "base", "1", "files", files_with("# two sites", "# a"));
	assert_int_equal(ask_change(PLAN, body, "", "", ""), 200); /* told, not refused */
	assert_int_equal(number_at("old_file.n_takes_back"), 1);
	assert_int_equal(apply_change("# a", "{\"base\":\"1\",\"replace\":true}", ""), 201);
	assert_int_equal(head_number(), 3);
	body = json_pack("{s:s, s:s, s:o}", "reason", "x", "base", "2", "files",
	                 files_with("max_backends = 10", "max_backends = 20"));
	assert_int_equal(ask_change(APPLY, body, "", "", "*"), 412); /* 3 went back */
	assert_int_equal(apply_change("# b", "{\"base\":\"3\"}", ""), 201);
}

static void grow_elsewhere(void)
{
	struct files files = fixture_files("max_backends = 10", "max_backends = 20");
	const struct intent_change change = { .files = &files,
		                              .author = "bob",
		                              .reason = "grow",
		                              .pending = INTENT_PENDING_CONFIRM };
	struct intent_changed changed;

	assert_int_equal(intent_change(this_node.intent, &change, clock_believed_ms(), &changed),
	                 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

static _Atomic(const char *) doing; /* what the request says that it does */
static unsigned
        n_until_grown; /* so many locks after it waits for the store another change comes; 0: none does */

static int own_pthread_mutex_lock(pthread_mutex_t *m)
{
	if (n_until_grown && m == &this_node.lock && doing &&
	    !strcmp(doing, "waiting for the store") && !--n_until_grown)
		grow_elsewhere();
	return __real_pthread_mutex_lock(m);
}

/* If-Match does not protect who sends "*": what the file was made from does. */
static void what_comes_while_the_files_are_read_is_not_taken_back(void **state)
{
	static const struct {
		const char *more, *query;
		unsigned status, n_locks;
	} rows[] = {
		{ "{\"base\":\"2\"}", "", 412, 2 },
		{ "{\"base\":\"unknown\"}", "", 412, 2 },
		{ "{\"base\":\"2\"}", "dry_run=true", 412, 2 },
		{ "{\"skip_bad_zones\":true}", "", 412,
		  1 },                /* those of the former version were kept */
		{ "{}", "", 201, 1 }, /* If-Match alone says what the client saw */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(apply_change("# a", "{}", ""), 201);
		asker.doing = &doing;
		n_until_grown = rows[i].n_locks;
		unsigned status = apply_change("# b", rows[i].more, rows[i].query);
		if (status != rows[i].status)
			fail_msg("%s %s: %u", rows[i].more, rows[i].query, status);
		assert_int_equal(n_until_grown, 0);
		assert_int_equal(head_number(), 3 + (status == 201));
		if (status == 412) {
			assert_string_equal(text_at("code"), "stale");
			assert_int_equal(strncmp(text_at("head"), "\"v3-", 4), 0);
			assert_int_equal(apply_change("# b", rows[0].more, ""), 412);
			assert_string_equal(text_at("code"), "old-file");
		}
		(void)world_teardown(state);
		(void)world_setup(state);
	}
}

SUITE(change_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(an_apply_makes_a_version),
		T(what_changes_nothing_makes_no_version),
		T(a_dry_run_makes_nothing),
		T(the_head_must_be_what_the_request_names),
		T(mistakes_are_counted_and_named),
		T(each_failure_has_its_answer),
		T(what_is_over_is_ended_first),
		T(a_plan_warns_of_silent_sites),
		T(a_risky_first_version_of_a_store_is_refused),
		T(an_old_file_takes_nothing_back),
		T(what_comes_while_the_files_are_read_is_not_taken_back),
	};

	world_begin();
	answer_pthread_mutex_lock = own_pthread_mutex_lock;
	return cmocka_run_group_tests_name("change parts", tests, NULL, NULL);
}
