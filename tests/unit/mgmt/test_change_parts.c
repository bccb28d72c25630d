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

static void check_refusal(unsigned status, const char *code, const char *detail)
{
	if (answer.status != status || strcmp(text_at("code"), code) != 0 ||
	    !strstr(text_at("detail"), detail))
		fail_msg("%u %s: %s", answer.status, text_at("code"), text_at("detail"));
}

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

/* It can be confirmed before it goes back, and its plan says what is not well now. */
static void what_confirms_it_is_read(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
		const char *confirm_if;
		long long within_ms;
	} rows[] = {
		{ "{\"confirm_if\":\"well for 5m\"}", 200, "well for 5m", 600000 },
		{ "{\"confirm_if\":\"well for 1h30m\",\"confirm_within\":\"2h\"}", 200,
		  "well for 90m", 7200000 },
		{ "{\"confirm_if\":\"well for 1500ms\"}", 200, "well for 1500ms", 301500 },
		{ "{\"confirm_if\":\"well for 24h\"}", 200, "well for 24h", 86400000 },
		{ "{\"confirm_if\":\"well for 5m\",\"confirm_within\":\"5m\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"well for 5m\",\"confirm_within\":\"none\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"well for 0s\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"well for 25h\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"well for 5\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"well for  5m\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"5m\"}", 422, "", 0 },
		{ "{\"confirm_if\":\"\"}", 422, "", 0 },
		{ "{\"confirm_if\":300}", 422, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (apply_change("# a", rows[i].fields, "dry_run=true") != rows[i].status)
			fail_msg("%s: %u", rows[i].fields, answer.status);
		if (rows[i].status != 200)
			continue;
		assert_string_equal(text_at("version.confirm_if"), rows[i].confirm_if);
		assert_int_equal(number_at("plan.confirm_within_ms"), rows[i].within_ms);
		assert_true(has_warning("confirmed once all nodes are well, which they are not now "
		                        "(ams-1: it is not known whether it is well)"));
	}
	assert_int_equal(apply_change("# a", "{\"confirm_if\":\"well for 5m\"}", ""), 201);
	assert_string_equal(text_at("version.state"), "unconfirmed");
	assert_int_equal(intent_head(this_node.intent)->well_for_ms, 300000);
	assert_int_equal(apply_change("# b", "{\"pending\":\"confirm\"}", "dry_run=true"), 200);
	assert_null(value_at("version.confirm_if"));
}

#define PAST                                                                                       \
	"{ name = \"past\"; from = \"2020-01-01T00:00:00Z\"; until = \"2020-02-01T00:00:00Z\"; }"
#define GATE                                                                                       \
	"{ name = \"holidays\"; scope = \"pools:*\"; from = \"2026-09-01T00:00:00Z\"; "            \
	"until = \"2026-09-21T15:00:00Z\"; }" /* 46 min 40 s left */

static json_t *body_of(const char *from, const char *to, const char *more)
{
	json_t *body = body_with("# two sites", more);

	json_object_set_new(body, "files", files_with(from, to));
	return body;
}

/* From the version after the one that brings it on; plans say so, and what goes back passes. */
static void a_gate_refuses_changes(void **state)
{
	static const char from[] = PAST, harmless[] = GATE "# a\n", other[] = PAST "# b\n";

	(void)state;
	assert_int_equal(ask_change(APPLY, body_of(from, GATE, "{}"), "", "", "*"), 201);
	assert_int_equal(ask_change(APPLY, body_of(from, harmless, "{}"), "", "", "*"), 201);
	for (int dry = 0; dry < 2; dry++) { /* without the gate, which would weaken it */
		assert_int_equal(ask_change(APPLY, body_of(from, other, "{}"), "",
		                            dry ? "dry_run=true" : "", "*"),
		                 409);
		check_refusal(409, "gate",
		              "gate holidays refuses such changes until 2026-09-21T15:00:00.000Z");
		assert_string_equal(text_at("gate"), "holidays");
		assert_string_equal(text_at("until"), "2026-09-21T15:00:00.000Z");
		assert_int_equal(answer.retry_s, 2801);
	}
	assert_int_equal(head_number(), 3);
	json_t *plan = json_pack("{s:o}", "files", files_with(from, other));
	assert_int_equal(ask_change(PLAN, plan, "", "", ""), 200);
	assert_true(
	        has_warning("weir apply would be refused: gate holidays refuses such changes until "
	                    "2026-09-21T15:00:00.000Z"));
	assert_int_equal(ask_change(ROLLBACK, make_reason(), "2", "", "*"), 201);
	assert_int_equal(head_number(), 4);
	asker.role = HTTP_OPERATOR;
	assert_int_equal(ask_change(APPLY, body_of(from, other, "{\"without_gates\":\"holidays\"}"),
	                            "", "", "*"),
	                 422);
	asker.role = HTTP_ADMIN;
	assert_int_equal(ask_change(APPLY, body_of(from, other, "{\"without_gates\":\"holydays\"}"),
	                            "", "", "*"),
	                 409);
	assert_int_equal(ask_change(APPLY, body_of(from, other, "{\"without_gates\":\"holidays\"}"),
	                            "", "", "*"),
	                 201);
	assert_string_equal(text_at("version.without_gates"), "holidays");
	assert_int_equal(ask_change(APPLY, body_of(from, harmless, "{}"), "", "", "*"), 201);
	assert_null(value_at("version.without_gates"));
	told_ms += 2800000; /* it is over */
	assert_int_equal(ask_change(APPLY, body_of(from, PAST "# c\n", "{}"), "", "", "*"), 201);
}

static void a_gate_may_have_no_end(void **state)
{
	static const char ever[] =
	        "{ name = \"ever\"; from = \"1970-01-01T00:00:00Z\"; until = \"never\"; }";

	(void)state;
	assert_int_equal(ask_change(APPLY, body_of(PAST, ever, "{}"), "", "", "*"), 201);
	assert_int_equal(ask_change(APPLY, body_of(PAST, PAST, "{}"), "", "", "*"), 409);
	check_refusal(409, "gate", "gate ever refuses such changes until never");
	assert_string_equal(text_at("until"), "never");
	assert_int_equal(answer.retry_s, 0);
	json_t *plan = json_pack("{s:o}", "files", files_with(PAST, PAST));
	assert_int_equal(ask_change(PLAN, plan, "", "", ""), 200);
	assert_true(has_warning("gate ever refuses such changes until never"));
	assert_int_equal(ask_change(APPLY,
	                            body_of(PAST, PAST, "{\"without_gates\":\"other,ever,,ever\"}"),
	                            "", "", "*"),
	                 201);
	assert_string_equal(text_at("version.without_gates"), "ever");
}

/* Approve proposal @p id as @p person. @return the status */
static unsigned approve_as(const char *person, const char *id)
{
	snprintf(asker.person, sizeof(asker.person), "%s", person);
	return ask_change("/v1/proposals/{}/approve", make_reason(), id, "", "*");
}

static void a_proposal_may_be_used_for_a_day(void **state)
{
	static const char asks[] = "{ name = \"asks\"; approvals = 1; }", other[] = PAST;
	char id[64], query[96];

	(void)state;
	assert_int_equal(ask_change(APPLY, body_of(PAST, asks, "{}"), "", "", "*"), 201);
	assert_int_equal(ask_change(APPLY, body_of(PAST, other, "{}"), "", "", "*"), 409);
	check_refusal(409, "gate", "gate asks asks for 1 other person to approve such changes");
	json_t *plan = json_pack("{s:o}", "files", files_with(PAST, other));
	assert_int_equal(ask_change(PLAN, plan, "", "", ""), 200);
	assert_true(has_warning("gate asks asks for 1 other person to approve it (--propose)"));
	snprintf(asker.person, sizeof(asker.person), "ada");
	assert_int_equal(ask_change(APPLY, body_of(PAST, other, "{}"), "", "propose=true", "*"),
	                 202);
	snprintf(id, sizeof(id), "%s", text_at("proposal.id"));
	snprintf(query, sizeof(query), "proposal=%s", id);
	assert_int_equal(approve_as("Ada", id), 403);
	told_ms += 24 * 3600000 - 1;
	assert_int_equal(approve_as("bob", id), 200);
	assert_string_equal(text_at("state"), "approved");
	assert_int_equal(ask_change(APPLY, body_of(PAST, other, "{}"), "", query, "*"), 201);
	assert_string_equal(text_at("version.approved_by"), "bob");
	assert_int_equal(ask_change(APPLY, body_of(PAST, asks, "{}"), "", "", "*"), 201);
	assert_int_equal(ask_change(APPLY, body_of(PAST, other, "{}"), "", "propose=true", "*"),
	                 202);
	snprintf(id, sizeof(id), "%s", text_at("proposal.id"));
	snprintf(query, sizeof(query), "proposal=%s", id);
	assert_int_equal(approve_as("carol", id), 200);
	assert_int_equal(ask_route("GET /v1/proposals", NULL), 200);
	const json_t *first = json_array_get(json_object_get(answer.json, "items"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "id")), id);
	told_ms += 24 * 3600000;
	assert_int_equal(ask_change(APPLY, body_of(PAST, other, "{}"), "", query, "*"), 409);
	check_refusal(409, "proposal", "is older than a day");
	assert_int_equal(approve_as("dan", id), 409);
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
	check_refusal(404, "not-found", "there is no such version, or its files are not here");
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
		T(what_confirms_it_is_read),
		T(a_gate_refuses_changes),
		T(a_gate_may_have_no_end),
		T(a_proposal_may_be_used_for_a_day),
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
