/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers about overrides, plans and nodes, each field with a value of its own. */
#include "api_world.h"

#include "mgmt/files/files.h"
#include "mgmt/json/command.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/suite.h"

#define HOUR_MS ((int64_t)3600000)

static const char *time_text(int64_t wall_clock_ms)
{
	static char text[CLOCK_TEXT_MAX];

	return clock_text(wall_clock_ms, text);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static struct override drain_of_ams(void)
{
	return (struct override){ .id = "i1",
		                  .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .name = "ams",
		                  .generation = 7,
		                  .created_ms = NOW_MS + 1000,
		                  .from_ms = NOW_MS + 2000,
		                  .over_ms = HOUR_MS,
		                  .until_ms = NOW_MS + 5 * HOUR_MS,
		                  .author = "ada",
		                  .reason = "because",
		                  .node = "ams-1",
		                  .principal = "token:ops" };
}

/* Half-way through its ramp, an hour long. */
static void an_override_has_all_its_fields(void **state)
{
	const struct override o = drain_of_ams();
	const struct overrides none = { 0 };
	json_t *told = override_to_json(&none, &o, NOW_MS + 2000 + HOUR_MS / 2);

	(void)state;
	static const struct {
		const char *name, *text;
	} texts[] = {
		{ "id", "i1" },      { "etag", "o7" },
		{ "do", "drain" },   { "state", "ramping" },
		{ "author", "ada" }, { "reason", "because" },
		{ "node", "ams-1" }, { "principal", "token:ops" },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_string_equal(text_of(told, texts[i].name), texts[i].text);
	assert_int_equal(json_integer_value(json_object_get(told, "generation")), 7);
	assert_int_equal(json_integer_value(json_object_get(told, "level_ppm")), 500000);
	assert_int_equal(json_integer_value(json_object_get(told, "over_ms")), HOUR_MS);
	const struct {
		const char *name;
		int64_t at_ms;
	} times[] = {
		{ "created", NOW_MS + 1000 },         { "from", NOW_MS + 2000 },
		{ "full", NOW_MS + 2000 + HOUR_MS },  { "until", NOW_MS + 5 * HOUR_MS },
		{ "returned", NOW_MS + 6 * HOUR_MS },
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		assert_string_equal(text_of(told, times[i].name), time_text(times[i].at_ms));
	is_told(json_incref(json_object_get(told, "target")), "{\"site\": \"ams\"}");
	json_decref(told);
}

/* A step says where it goes, whose it is, and of which service; other overrides have none of that. */
static void a_step_has_its_fields_too(void **state)
{
	const struct overrides none = { 0 };
	struct override o = drain_of_ams();
	json_t *told = override_to_json(&none, &o, NOW_MS);

	(void)state;
	assert_null(json_object_get(told, "to_ppm"));
	assert_null(json_object_get(told, "operation"));
	json_decref(told);
	o.is_step = true;
	o.to_ppm = 250000;
	snprintf(o.operation, sizeof(o.operation), "d1");
	snprintf(o.service, sizeof(o.service), "web");
	told = override_to_json(&none, &o, NOW_MS);
	assert_int_equal(json_integer_value(json_object_get(told, "to_ppm")), 250000);
	assert_string_equal(text_of(told, "operation"), "d1");
	is_told(json_incref(json_object_get(told, "target")),
	        "{\"site\": \"ams\", \"service\": \"web\"}");
	json_decref(told);
}

static void an_override_ends_when_it_says_or_never(void **state)
{
	const struct overrides none = { 0 };
	struct override o = drain_of_ams();

	(void)state;
	o.ended = true; /* then nothing comes after it */
	json_t *told = override_to_json(&none, &o, NOW_MS);
	assert_string_equal(text_of(told, "returned"), time_text(o.until_ms));
	json_decref(told);
	o = drain_of_ams();
	o.until_ms = MODEL_TIME_NEVER;
	o.target = MODEL_TARGET_BACKEND;
	snprintf(o.pool, sizeof(o.pool), "web-ams");
	snprintf(o.name, sizeof(o.name), "b1");
	told = override_to_json(&none, &o, NOW_MS);
	assert_true(json_is_null(json_object_get(told, "until")));
	assert_true(json_is_null(json_object_get(told, "returned")));
	is_told(json_incref(json_object_get(told, "target")),
	        "{\"pool\": \"web-ams\", \"backend\": \"b1\"}");
	json_decref(told);
}

/* Sums with "never" stay "never", at the edge too. */
static void never_and_an_hour_is_never(void **state)
{
	const struct overrides none = { 0 };
	struct override o = drain_of_ams();

	(void)state;
	o.until_ms = MODEL_TIME_NEVER - HOUR_MS;
	json_t *told = override_to_json(&none, &o, NOW_MS);
	assert_true(json_is_null(json_object_get(told, "returned")));
	json_decref(told);
	o.until_ms = CLOCK_END_MS - HOUR_MS; /* what has no text is never, too */
	told = override_to_json(&none, &o, NOW_MS);
	assert_true(json_is_null(json_object_get(told, "returned")));
	json_decref(told);
	o.until_ms--;
	told = override_to_json(&none, &o, NOW_MS);
	assert_string_equal(text_of(told, "returned"), time_text(CLOCK_END_MS - 1));
	json_decref(told);
	o.from_ms = MODEL_TIME_NEVER;
	told = override_to_json(&none, &o, NOW_MS);
	assert_true(json_is_null(json_object_get(told, "full")));
	json_decref(told);
	is_told(json_pack("[o, o, o]", time_to_json(-1), time_to_json(0),
	                  time_to_json(MODEL_TIME_NEVER)),
	        "[null, null, null]");
	json_t *first = time_to_json(1);
	assert_string_equal(json_string_value(first), time_text(1));
	json_decref(first);
}

/* The receivers that the answer to a command has, given. */
static json_t *receivers_of(const struct guard_result *guards, enum model_target_kind kind)
{
	static struct command_result r;
	const struct command c = { .what = COMMAND_DRAIN };

	r.override = drain_of_ams();
	r.override.target = kind;
	r.guards = *guards;
	json_t *told = command_to_json(this_node.intent, &c, &r, NULL, NOW_MS);
	json_t *receivers = json_incref(json_object_get(told, "receivers"));

	json_decref(told);
	return receivers;
}

static void receivers_say_only_what_is_known(void **state)
{
	struct guard_receiver receivers[] = {
		{ "fra", 300000, 600000, 4000, 1000, 2500, true },
		{ "lon", 200000, 400000, 0, 1100, 2600, true },
		{ "par", 100000, 0, 5000, 1200, 2700, false },
	};
	const struct guard_result r = { .receivers = receivers, .n_receivers = 3 };

	(void)state;
	is_told(receivers_of(&r, MODEL_TARGET_SITE),
	        "[{\"site\": \"fra\", \"weight_ppm_before\": 300000, \"weight_ppm_after\": 600000,"
	        " \"bits_per_s\": 1000, \"bits_per_s_after\": 2500, \"capacity_bits_per_s\": 4000,"
	        " \"load_ppm_after\": 625000},"
	        " {\"site\": \"lon\", \"weight_ppm_before\": 200000, \"weight_ppm_after\": 400000,"
	        " \"bits_per_s\": 1100, \"bits_per_s_after\": 2600, \"capacity_bits_per_s\": null,"
	        " \"load_ppm_after\": null},"
	        " {\"site\": \"par\", \"weight_ppm_before\": 100000, \"weight_ppm_after\": 0,"
	        " \"bits_per_s\": null, \"bits_per_s_after\": null, \"capacity_bits_per_s\": 5000,"
	        " \"load_ppm_after\": null}]");
	is_told(receivers_of(&r, MODEL_TARGET_BACKEND),
	        "[{\"backend\": \"fra\", \"weight_ppm_before\": 300000, \"weight_ppm_after\": 600000},"
	        " {\"backend\": \"lon\", \"weight_ppm_before\": 200000, \"weight_ppm_after\": 400000},"
	        " {\"backend\": \"par\", \"weight_ppm_before\": 100000, \"weight_ppm_after\": 0}]");
}

static void guards_are_told_with_their_reasons(void **state)
{
	const struct guard_result r = { .verdicts = { { "room", true, false, "d1", 0 },
		                                      { "last-site", false, false, "d2", 7 },
		                                      { "last-backend", true, true, "d3", 0 } },
		                        .n_verdicts = 3 };

	(void)state;
	is_told(guards_to_json(&r),
	        "[{\"guard\": \"room\", \"ok\": true, \"state\": \"ok\", \"detail\": \"d1\"},"
	        " {\"guard\": \"last-site\", \"ok\": false, \"state\": \"refused\", \"detail\": \"d2\", \"wait_s\": 7},"
	        " {\"guard\": \"last-backend\", \"ok\": true, \"state\": \"unknown\", \"detail\": \"d3\"}]");
}

#define STORE_FAILS                                                                                \
	"\"the change is in force, but the store does not work, so the change is not stored yet: " \
	"remove the cause that weir status shows; weir-mgmt then stores the change\""
#define NOT_WRITTEN                                                                                \
	"\"the change is not in force on this node, because the effective document cannot be "     \
	"written: remove the cause that weir status shows; weir-mgmt then writes the document\""

/* The notes of an answer as JSON, given. */
static json_t *notes_of(const struct command_result *r, const char *note)
{
	const struct command c = { .what = COMMAND_DRAIN };
	json_t *told = command_to_json(this_node.intent, &c, r, note, NOW_MS);
	json_t *notes = json_incref(json_object_get(told, "notes"));

	json_decref(told);
	return notes;
}

static void each_note_is_for_its_own_trouble(void **state)
{
	static struct command_result r;

	(void)state;
	r.override = drain_of_ams();
	r.n_others = 0;
	r.note[0] = '\0';
	is_told(notes_of(&r, NULL), "[]");
	strcpy(this_node.intent->store_reason, "disk full");
	is_told(notes_of(&r, NULL), "[" STORE_FAILS "]");
	strcpy(this_node.intent->store_reason, "");
	strcpy(this_node.intent->unwritten_reason, "disk full");
	is_told(notes_of(&r, NULL), "[" NOT_WRITTEN "]");
	strcpy(this_node.intent->store_reason, "disk full");
	r.n_others = 1;
	snprintf(r.note, sizeof(r.note), "own");
	is_told(notes_of(&r, "beside"),
	        "[" STORE_FAILS ", " NOT_WRITTEN ","
	        " \"the other overrides of this target were ended: weir overrides shows those that remain\", \"own\", \"beside\"]");
}

static void a_commands_answer_has_all_its_parts(void **state)
{
	static struct guard_receiver receivers[] = { { .name = "fra",
		                                       .after_ppm = 1000000,
		                                       .known = true,
		                                       .after_bits = 20000000000000u,
		                                       .capacity_bits = 40000000000000u } };
	static struct command_result r = { .undo = "weir undrain ams" };
	struct command c = { .what = COMMAND_DRAIN };

	(void)state;
	r.override = drain_of_ams();
	r.guards = (struct guard_result){ .verdicts = { { "room", true, false, "d1", 0 } },
		                          .n_verdicts = 1,
		                          .receivers = receivers,
		                          .n_receivers = 1 };
	json_t *told = command_to_json(this_node.intent, &c, &r, NULL, NOW_MS);
	assert_string_equal(text_of(json_object_get(told, "override"), "id"), "i1");
	assert_string_equal(text_of(told, "undo"), "weir undrain ams");
	const json_t *fra = json_array_get(json_object_get(told, "receivers"), 0);
	assert_string_equal(text_of(fra, "site"), "fra");
	assert_int_equal(json_integer_value(json_object_get(fra, "load_ppm_after")), 500000);
	assert_string_equal(text_of(json_array_get(json_object_get(told, "guards"), 0), "guard"),
	                    "room");
	assert_null(json_object_get(told, "dry_run"));
	json_decref(told);
	c.dry_run = true;
	r.override.target = MODEL_TARGET_BACKEND;
	told = command_to_json(this_node.intent, &c, &r, NULL, NOW_MS);
	assert_true(json_is_true(json_object_get(told, "dry_run")));
	assert_string_equal(
	        text_of(json_array_get(json_object_get(told, "receivers"), 0), "backend"), "fra");
	json_decref(told);
}

static void nothing_to_end_changes_nothing(void **state)
{
	static const struct command_result r = { .text = "it ended before" };
	struct command c = { .what = COMMAND_UNDRAIN };

	(void)state;
	is_told(nothing_to_end_to_json(&c, &r),
	        "{\"override\": null, \"changed\": false, \"dry_run\": false, \"notes\": [\"it ended before\"]}");
	c.dry_run = true;
	is_told(nothing_to_end_to_json(&c, &r),
	        "{\"override\": null, \"changed\": false, \"dry_run\": true, \"notes\": [\"it ended before\"]}");
}

static void a_node_says_how_far_a_change_is(void **state)
{
	json_t *told = json_object();

	(void)state;
	is_told(node_to_json("ams-1", "", true, json_array()),
	        "{\"node\": \"ams-1\", \"state\": \"in_force\", \"processes\": []}");
	is_told(node_to_json("ams-1", "", false, json_pack("[s]", "dns")),
	        "{\"node\": \"ams-1\", \"state\": \"written\", \"processes\": [\"dns\"]}");
	is_told(node_to_json("ams-1", "disk full", true, json_array()),
	        "{\"node\": \"ams-1\", \"state\": \"not_written\", \"processes\": [], \"detail\": \"disk full\"}");
	nodes_add_json(told, 9, true, json_pack("[s]", "n"));
	is_told(told, "{\"document\": 9, \"complete\": true, \"nodes\": [\"n\"]}");
	told = json_object();
	nodes_add_json(told, 9, false, json_array());
	is_told(told, "{\"document\": 9, \"complete\": false, \"nodes\": []}");
}

/* --- plans, mistakes, events --- */

static void a_plan_has_all_its_fields(void **state)
{
	static const struct rule_row times = { .name = "r1", .level = RULE_TIMES, .limit = 1.5 };
	static const struct rule_row share = { .name = "r2", .level = RULE_SHARE, .limit = 0.25 };
	const struct risk risks[] = { { &times, 2.5, "t1" }, { &share, 0.5, "t2" } };
	const struct plan_change changes[] = { { PLAN_CHANGED, "p1", "1", "2" },
		                               { PLAN_ADDED, "p2", "", "" },
		                               { PLAN_REMOVED, "p3", "", "" } };
	struct change_plan_pool pools[] = { { "web", 3, 4, 250000 } };
	const struct advice_probes probes[] = { { "v1", 5, 1500, 2250 } };
	const char *warnings[] = { "w1", "w2" };
	const struct change_plan plan = {
		.changes = changes,
		.n_changes = 3,
		.pools = pools,
		.n_pools = 1,
		.risks = risks,
		.n_risks = 2,
		.n_risks_all = 7,
		.advice = { .warnings = warnings, .n_warnings = 2, .probes = probes, .n_probes = 1 }
	};

	(void)state;
	is_told(plan_to_json(&plan),
	        "{\"risky\": true, \"risks\": [\"t1\", \"t2\"], \"rules\": ["
	        "{\"rule\": \"r1\", \"figure\": 2.5, \"limit\": 1.5, \"unit\": \"times\"},"
	        " {\"rule\": \"r2\", \"figure\": 0.5, \"limit\": 0.25, \"unit\": \"share\"}],"
	        " \"n_risks\": 7, \"changes\": ["
	        "{\"path\": \"p1\", \"kind\": \"changed\", \"from\": \"1\", \"to\": \"2\"},"
	        " {\"path\": \"p2\", \"kind\": \"added\", \"from\": \"\", \"to\": \"\"},"
	        " {\"path\": \"p3\", \"kind\": \"removed\", \"from\": \"\", \"to\": \"\"}],"
	        " \"n_changes\": 3, \"pools\": [{\"pool\": \"web\", \"backends_before\": 3,"
	        " \"backends_after\": 4, \"moved_ppm\": 250000}], \"names\": [], \"n_names\": 0, \"withdrawn\": [], \"n_withdrawn\": 0, \"warnings\": [\"w1\", \"w2\"],"
	        " \"probes\": [{\"vip\": \"v1\", \"nodes\": 5, \"per_second\": 1.5, \"per_second_before\": 2.25}]}");
}

static void a_plan_of_nothing_is_not_risky(void **state)
{
	const struct change_plan plan = { 0 };

	(void)state;
	is_told(plan_to_json(&plan),
	        "{\"risky\": false, \"risks\": [], \"rules\": [], \"n_risks\": 0, \"changes\": [],"
	        " \"n_changes\": 0, \"pools\": [], \"names\": [],"
	        " \"n_names\": 0, \"withdrawn\": [], \"n_withdrawn\": 0, \"warnings\": [], \"probes\": []}");
}

/* All are counted; a thousand are listed. */
static void a_large_plan_is_cut(void **state)
{
	static struct plan_change changes[1001];
	static const char *warnings[1001];
	const struct change_plan plan = { .changes = changes,
		                          .n_changes = 1001,
		                          .advice = { .warnings = warnings, .n_warnings = 1001 } };

	(void)state;
	for (size_t i = 0; i < 1001; i++) {
		changes[i] = (struct plan_change){ PLAN_ADDED, "p", "", "" };
		warnings[i] = "w";
	}
	json_t *told = plan_to_json(&plan);
	assert_int_equal(json_array_size(json_object_get(told, "changes")), 1000);
	assert_int_equal(json_array_size(json_object_get(told, "warnings")), 1000);
	assert_int_equal(json_integer_value(json_object_get(told, "n_changes")), 1001);
	json_decref(told);
}

static void mistakes_and_events_have_all_their_fields(void **state)
{
	struct model_error items[] = { { "weir.conf", 3, "pools[0].name", "m1" },
		                       { "weir.conf", 0, "", "m2" } };
	const struct model_errors errors = { .items = items, .n_items = 2, .n_total = 9 };
	const struct event e = { 5, NOW_MS, "health", "s1", "m1", "ams-1" };
	char json[300];

	(void)state;
	is_told(errors_to_json(&errors),
	        "[{\"file\": \"weir.conf\", \"line\": 3, \"field\": \"pools[0].name\", \"message\": \"m1\"},"
	        " {\"file\": \"weir.conf\", \"line\": 0, \"field\": \"\", \"message\": \"m2\"}]");
	snprintf(json, sizeof(json),
	         "{\"id\": 5, \"time\": \"%s\", \"kind\": \"health\", \"subject\": \"s1\","
	         " \"message\": \"m1\", \"node\": \"ams-1\"}",
	         time_text(NOW_MS));
	is_told(record_shown(&event_record, &e), json);
}

/* --- files of a request --- */

static int answer_of_find;

static int find_none(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                     struct files *out)
{
	(void)arg;
	(void)name;
	(void)digest;
	(void)n_bytes;
	(void)out;
	return answer_of_find;
}

static void a_file_that_is_not_taken_is_named_with_the_reason(void **state)
{
#define BY_DIGEST "{\"weir.conf\": {\"digest\": \"aa\", \"bytes\": 5}}"
#define SHAPE                                                                                      \
	"is not a name, or not a text, {\"base64\": TEXT} or {\"digest\": HEX, \"bytes\": NUMBER}"
	static const struct {
		const char *json;
		int found, err;
		const char *why;
	} rows[] = {
		{ BY_DIGEST, -ENOENT, -ENOENT,
		  "\"weir.conf\" is named by a digest that is not here: upload it first (POST /v1/files)" },
		{ BY_DIGEST, -EBADMSG, -EBADMSG,
		  "the bytes of \"weir.conf\" here do not match its digest" },
		{ BY_DIGEST, -ENOMEM, -ENOMEM, "out of memory" },
		{ BY_DIGEST, -E2BIG, -E2BIG, "more than 32768 files, or 4294967296 bytes in all" },
		{ "{\"weir.conf\": 5}", 0, -EINVAL, "\"weir.conf\" " SHAPE },
		{ "{\"weir.conf\": {\"base64\": \"*\"}}", 0, -EINVAL, "\"weir.conf\" " SHAPE },
		{ "{\"../x\": \"text\"}", 0, -EINVAL, "\"../x\" " SHAPE },
		{ "{\"zone\": \"text\"}", 0, -EINVAL, "there must be a file weir.conf" },
		{ "{\"weir.conf\": {\"digest\": \"aa\", \"bytes\": -1}}", 0, -EINVAL,
		  "\"weir.conf\" " SHAPE },
	};
	const struct file_source source = { find_none, NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object = json_loads(rows[i].json, 0, NULL);
		struct files files = { 0 };
		char why[HTTP_TEXT_MAX] = "";

		answer_of_find = rows[i].found;
		assert_int_equal(files_from_json(object, &source, &files, why), rows[i].err);
		assert_string_equal(why, rows[i].why);
		assert_int_equal(files.n_items, 0);
		json_decref(object);
	}
}

SUITE(to_json_command)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_override_has_all_its_fields),
		cmocka_unit_test(a_step_has_its_fields_too),
		cmocka_unit_test(an_override_ends_when_it_says_or_never),
		cmocka_unit_test(never_and_an_hour_is_never),
		T(receivers_say_only_what_is_known),
		cmocka_unit_test(guards_are_told_with_their_reasons),
		T(each_note_is_for_its_own_trouble),
		T(a_commands_answer_has_all_its_parts),
		cmocka_unit_test(nothing_to_end_changes_nothing),
		cmocka_unit_test(a_node_says_how_far_a_change_is),
		cmocka_unit_test(a_plan_has_all_its_fields),
		cmocka_unit_test(a_plan_of_nothing_is_not_risky),
		cmocka_unit_test(a_large_plan_is_cut),
		cmocka_unit_test(mistakes_and_events_have_all_their_fields),
		cmocka_unit_test(a_file_that_is_not_taken_is_named_with_the_reason),
	};

	world_begin();
	return cmocka_run_group_tests_name("tell command", tests, NULL, NULL);
}
