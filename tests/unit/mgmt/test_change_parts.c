/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of configuration from its request to its answer: what is made, what is refused and
 * undone, who is asked.
 */
#include "change.h"

#include "mgmt/core/shared_state.h"

static void an_apply_makes_a_version(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{}", ""), 201);
	assert_true(json_is_true(part_of("changed")));
	assert_int_equal(number_of("version", "number"), 2);
	assert_string_equal(text_of("version", "author"), "ada");
	assert_string_equal(text_of("version", "principal"), "token:ada");
	assert_string_equal(text_of("version", "reason"), "because");
	assert_string_equal(text_of("version", "state"), "in_force");
	assert_int_equal(strncmp(answer.etag, "\"v2-", 4), 0);
	assert_int_equal(number_of("plan", "confirm_within_ms"), 0);
	assert_null(part_of("dry_run"));
	assert_null(part_of("rolls_back_to"));
	assert_true(json_is_null(part_of("before"))); /* what was there was provisional */
	assert_true(has_warning("of voters") && has_warning("of ways"));
	assert_true(world.n_waits == 1 && world.n_judged == 1 && world.n_changed == 1);
	assert_true(intent_head(this_node.intent)->time_ms == now_ms);
	assert_int_equal(apply_change("# b", "{\"author\":\"eve\"}", ""), 201);
	assert_string_equal(text_of("version", "author"), "eve");
	assert_int_equal(number_of("", "before"), 2);
	assert_string_equal(text_of("version", "principal"), "token:ada");
}

static void what_changes_nothing_is_judged_by_nobody(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{}", ""), 201);
	world = (struct world){ 0 };
	assert_int_equal(apply_change("# a", "{}", ""), 200);
	assert_true(json_is_false(part_of("changed")));
	assert_int_equal(number_of("version", "number"), 2);
	assert_int_equal(strncmp(answer.etag, "\"v2-", 4), 0);
	assert_true(world.n_judged == 0 && world.n_changed == 0);
	assert_int_equal(world.n_waits, 1); /* it may still be on its way */
}

static void a_dry_run_makes_nothing(void **state)
{
	(void)state;
	assert_int_equal(apply_change("# a", "{\"confirm_within\":\"5m\"}", "dry_run=true"), 200);
	assert_true(json_is_true(part_of("dry_run")));
	assert_true(json_is_true(part_of("changed")));
	assert_string_equal(text_of("version", "state"), "planned");
	assert_int_equal(number_of("version", "number"), 2);
	assert_int_equal(number_of("plan", "confirm_within_ms"), 300000);
	assert_null(part_of("rolls_back_to"));
	assert_true(world.n_judged == 0 && world.n_waits == 0);
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
	assert_int_equal(ask_handler(handle_config_apply, body_with("# a", "{}"), "", "", ""), 428);
	assert_int_equal(
	        ask_handler(handle_config_apply, body_with("# a", "{}"), "", "", "\"v9-0\""), 412);
	assert_string_equal(text_of("", "head"), etag);
	assert_int_equal(head_number(), 1);
	assert_int_equal(ask_handler(handle_config_apply, body_with("# a", "{}"), "", "", etag),
	                 201);
	assert_int_equal(ask_handler(handle_config_apply, body_with("# b", "{}"), "", "", etag),
	                 412);
	assert_int_equal(head_number(), 2);
	assert_int_equal(world.n_waits, 1);
}

static void mistakes_are_counted_and_named(void **state)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "x", "files",
	                         files_with("schema = 1;", "schema = 1; sceme = 1;"));

	(void)state;
	assert_int_equal(ask_handler(handle_config_apply, body, "", "", "*"), 422);
	assert_string_equal(text_of("", "code"), "mistakes");
	assert_string_equal(text_of("", "detail"), "the configuration has 1 error");
	assert_int_equal(number_of("", "n_mistakes"), 1);
	const json_t *one = json_array_get(part_of("mistakes"), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "line")), 2);
	assert_int_equal(json_array_size(part_of("mistakes")), 1);
	body = json_pack("{s:s, s:o}", "reason", "x", "files",
	                 files_with("schema = 1;", "schema = 1; sceme = 1; scheme = 1;"));
	assert_int_equal(ask_handler(handle_config_apply, body, "", "", "*"), 422);
	assert_string_equal(text_of("", "detail"), "the configuration has 2 errors");
	assert_int_equal(number_of("", "n_mistakes"), 2);
	assert_int_equal(head_number(), 1);
	assert_int_equal(world.n_judged, 0);
}

static void each_failure_has_its_answer(void **state)
{
	static const struct {
		int err;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{ -EINVAL, 422, "mistakes", "the configuration has 0 errors" },
		{ -EFBIG, 422, "mistakes", "the configuration has 0 errors" },
		{ -ENOENT, 404, "not-found", "there is no such version" },
		{ -ENOLINK, 503, "store-unavailable",
		  "the configuration has other nodes, and this node shares no store with them: "
		  "nothing was changed. Run 'weir store init' on the first host and 'weir store "
		  "join' on the others" },
		{ -EBUSY, 412, "unconfirmed",
		  "version 1 by first start is not confirmed yet and goes back to version 1 at "
		  "1970-01-01T00:00:00.000Z; confirm it, roll back to 1, or repeat this change with "
		  "pending \"confirm\" or \"join\"" },
		{ -ESTALE, 412, "not-here",
		  "another version is to be in force, and is not yet at this node, or is refused here "
		  "(weir status): nothing was changed. Try it again; where its files are lost for good, "
		  "or to replace it, with replace (weir apply --replace)" },
		{ -ENODATA, 409, "first-version",
		  "nothing was changed: this would be the store's first version: there is none to go back "
		  "to if it is not confirmed. Apply the file that the nodes run (weir config show "
		  "--applied) first, then the change; or apply it with --confirm-within none" },
		{ -EAGAIN, 503, "busy",
		  "a version that was not confirmed in time is just being ended: nothing was "
		  "changed; try again" },
		{ -ENOSPC, 503, "store",
		  "the store cannot keep the version: No space left on device" },
		{ -EROFS, 503, "store", "the store cannot keep the version: " },
		{ -ENOMEM, 503, "busy", "out of memory: nothing was changed; try again" },
		{ -EIO, 500, "internal", "Input/output error" },
	};
	struct intent_changed none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		refuse_change(&this_node, rows[i].err, &none, &answer);
		if (answer.status != rows[i].status ||
		    strcmp(text_of("", "code"), rows[i].code) != 0 ||
		    strcmp(text_of("", "detail"), rows[i].detail) != 0)
			fail_msg("row %zu: %u %s: %s", i, answer.status, text_of("", "code"),
			         text_of("", "detail"));
	}
}

/* A store that has not been heard of may have versions. */
static void a_first_version_is_told_of_a_store_that_is_heard(void **state)
{
	struct shared_run *unheard = calloc(1, sizeof(*unheard));
	const struct intent_changed none = { 0 };

	(void)state;
	assert_non_null(unheard);
	this_node.shared = unheard;
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	refuse_change(&this_node, -ENODATA, &none, &answer);
	this_node.shared = NULL;
	free(unheard);
	assert_int_equal(answer.status, 503);
	assert_string_equal(text_of("", "code"), "store-unavailable");
}

/* Of a plan whose apply would be refused so. */
static void a_plan_of_a_first_version_warns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct intent_changed c = { .is_first = i & 1, .plan.n_risks = i / 2 };
		json_t *plan = json_pack("{s:[]}", "warnings");
		const json_t *list = json_object_get(plan, "warnings");

		core_lock(&this_node);
		add_first_warning(&this_node, &c, plan);
		core_unlock(&this_node);
		assert_int_equal(json_array_size(list), i == 3);
		if (i == 3)
			assert_non_null(strstr(json_string_value(json_array_get(list, 0)),
			                       "weir apply would be refused: this would be the "
			                       "store's first version: "));
		json_decref(plan);
	}
}

static void an_old_file_takes_nothing_back(void **state)
{
	(void)state;
	grow_pool();
	assert_int_equal(apply_change("# a", "{\"base\":\"1\"}", ""), 412);
	assert_string_equal(text_of("", "code"), "old-file");
	assert_int_equal(number_of("", "n_takes_back"), 1);
	assert_int_equal(head_number(), 2);
	assert_int_equal(world.n_waits, 0);
	assert_int_equal(apply_change("# a", "{\"base\":\"7\"}", ""), 412);
	assert_string_equal(text_of("", "code"), "stale");
	assert_int_equal(
	        ask_handler(handle_config_plan, body_with("# a", "{\"base\":\"1\"}"), "", "", ""),
	        422); /* a plan has no reason */
	json_t *body =
	        json_pack("{s:s, s:o}", "base", "1", "files", files_with("# two sites", "# a"));
	assert_int_equal(ask_handler(handle_config_plan, body, "", "", ""),
	                 200); /* told, not refused */
	assert_int_equal(number_of("old_file", "n_takes_back"), 1);
	assert_int_equal(apply_change("# a", "{\"base\":\"1\",\"replace\":true}", ""), 201);
	assert_int_equal(head_number(), 3);
	body = json_pack("{s:s, s:s, s:o}", "reason", "x", "base", "2", "files",
	                 files_with("max_backends = 10", "max_backends = 20"));
	assert_int_equal(ask_handler(handle_config_apply, body, "", "", "*"),
	                 412); /* 3 went back */
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

	assert_int_equal(intent_change(this_node.intent, &change, now_ms, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/* If-Match does not protect who sends "*": what the file was made from does. */
static void what_comes_while_the_files_are_read_is_not_taken_back(void **state)
{
	static const struct {
		const char *more, *query;
		unsigned status;
	} rows[] = {
		{ "{\"base\":\"2\"}", "", 412 },
		{ "{\"base\":\"unknown\"}", "", 412 },
		{ "{\"base\":\"2\"}", "dry_run=true", 412 },
		{ "{\"skip_bad_zones\":true}", "",
		  412 },           /* those of the former version were kept */
		{ "{}", "", 201 }, /* If-Match alone says what the client saw */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(apply_change("# a", "{}", ""), 201);
		world.meanwhile = grow_elsewhere;
		unsigned status = apply_change("# b", rows[i].more, rows[i].query);
		if (status != rows[i].status)
			fail_msg("%s %s: %u", rows[i].more, rows[i].query, status);
		assert_int_equal(head_number(), 3 + (status == 201));
		if (status == 412) {
			assert_string_equal(text_of("", "code"), "stale");
			assert_int_equal(strncmp(text_of("", "head"), "\"v3-", 4), 0);
			assert_int_equal(apply_change("# b", rows[0].more, ""), 412);
			assert_string_equal(text_of("", "code"), "old-file");
		}
		(void)teardown(state);
		(void)setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_apply_makes_a_version),
		T(what_changes_nothing_is_judged_by_nobody),
		T(a_dry_run_makes_nothing),
		T(the_head_must_be_what_the_request_names),
		T(mistakes_are_counted_and_named),
		T(each_failure_has_its_answer),
		T(a_first_version_is_told_of_a_store_that_is_heard),
		T(a_plan_of_a_first_version_warns),
		T(an_old_file_takes_nothing_back),
		T(what_comes_while_the_files_are_read_is_not_taken_back),
	};

	return cmocka_run_group_tests_name("change parts", tests, NULL, NULL);
}
