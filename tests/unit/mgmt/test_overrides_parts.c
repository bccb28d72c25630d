/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about overrides: what a body queries for, what is refused, and how an outcome is
 * answered.
 */
#include "asked.h"

#include "mgmt/controller/guard_facts.h"
#include "mgmt/api/handle.h"
#include "mgmt/judge/waiting.h"
#include "mgmt/store/command.h"

static struct command asked_for;
static enum command_outcome our_outcome;
static struct command_result made;
static unsigned n_waits;
static char principal_seen[PRINCIPAL_MAX];
static struct overrides our_set;
static bool effect_fresh, waits;
static const struct effect *effect_seen;
static int open_err, gather_err;
static const char *node_seen;
static bool asks_seen;
static const struct model_pool web = { .name = "web" };
static const struct model_backend b1 = { .name = "b1" };

static enum command_outcome fake_run(struct intent *in, const struct command *c,
                                     const struct guard_observed *seen, int64_t now_ms,
                                     struct command_result *result)
{
	(void)seen;
	(void)now_ms;
	assert_true(asked_is_locked());
	snprintf(principal_seen, sizeof(principal_seen), "%s", intent_principal(in));
	asked_for = *c;
	*result = made;
	return our_outcome;
}

static int fake_seen_open(struct core *core, bool queries, struct guard_facts *out)
{
	(void)core;
	assert_false(asked_is_locked());
	asks_seen = queries;
	*out = (struct guard_facts){ .n_said = 0 };
	return open_err;
}

static int fake_gather(struct core *core, const struct observe_pages *pages, const char *node,
                       struct guard_facts *out)
{
	(void)core;
	(void)pages;
	(void)out;
	assert_true(asked_is_locked());
	node_seen = node;
	return gather_err;
}

static void fake_wait(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	(void)r;
	(void)reply;
	(void)core;
	assert_false(asked_is_locked());
	n_waits++;
}

static const struct overrides *fake_overrides(const struct intent *in)
{
	(void)in;
	return &our_set;
}

static void fake_open(const char *run_dir, struct observe_pages *out)
{
	(void)run_dir;
	*out = (struct observe_pages){ .effect = (struct effect *)&our_set,
		                       .effect_fresh = effect_fresh };
}

static void fake_close(struct observe_pages *p)
{
	(void)p;
}

static const struct model_pool *fake_pool(const struct model *m, const char *name)
{
	(void)m;
	return strcmp(name, "web") ? NULL : &web;
}

static const struct model_backend *fake_backend(const struct model_pool *pool, const char *name)
{
	(void)pool;
	return strcmp(name, "b1") ? NULL : &b1;
}

static bool fake_waiting(const struct model_pool *pool, const struct effect *effect, uint64_t id,
                         int64_t wall_clock_ms, struct waiting *out)
{
	(void)pool;
	(void)id;
	effect_seen = effect;
	*out = (struct waiting){
		.n_slots = 64, .n_full = 9, .n_own = 5, .until_ms = wall_clock_ms
	};
	return waits && effect;
}

static unsigned n_flow_queries;

static void fake_query_flows(struct core *core, struct guard_facts *out)
{
	(void)core, (void)out;
	n_flow_queries++;
}

/* The private parts too. */
#define command_run             fake_run
#define guard_facts_open        fake_seen_open
#define guard_facts_gather      fake_gather
#define guard_facts_query_flows fake_query_flows
#define handle_wait             fake_wait
#define intent_overrides        fake_overrides
#define observe_open            fake_open
#define observe_close           fake_close
#define model_pool(m, n)        fake_pool(m, n)
#define model_backend(p, n)     fake_backend(p, n)
#define waiting_find            fake_waiting
#include "mgmt/api/handle_overrides.c"
#undef model_pool
#undef model_backend

static struct http_reply reply;

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&reply, 0, sizeof(reply));
	memset(&made, 0, sizeof(made));
	memset(&our_set, 0, sizeof(our_set));
	our_outcome = COMMAND_OK;
	n_waits = 0;
	open_err = gather_err = 0;
	node_seen = NULL;
	effect_fresh = waits = true;
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&reply);
	return asked_teardown(state);
}

/* Ask @p body of a command, with @p query ("dry_run=true") and @p if_match. */
static void command_as(const char *body, const char *query, const char *if_match)
{
	struct http_request r = { .method = "POST",
		                  .path = "/v1/overrides",
		                  .principal = "ada",
		                  .identity = "token:ada" };
	const char *eq = strchr(query, '=');

	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
	memset(&asked_for, 0xee, sizeof(asked_for));
	if (eq) {
		r.n_query = 1;
		snprintf(r.query[0].name, sizeof(r.query[0].name), "%.*s", (int)(eq - query),
		         query);
		snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", eq + 1);
	}
	snprintf(r.if_match, sizeof(r.if_match), "%s", if_match);
	r.json = json_loads(body, 0, NULL);
	assert_non_null(r.json);
	handle_command(&this_node, &r, &reply);
	json_decref(r.json);
}

static const char *code_of(void)
{
	const char *type = json_string_value(json_object_get(reply.json, "code"));

	return type ? type : "";
}

#define SITE    "\"target\":{\"site\":\"ams\"}"
#define BACKEND "\"target\":{\"pool\":\"web\",\"backend\":\"b1\"}"
#define WHY     "\"reason\":\"x\""

static void a_body_becomes_a_command(void **state)
{
	(void)state;
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "", "");
	assert_int_equal(asked_for.what, COMMAND_DRAIN);
	assert_null(asked_for.id);
	assert_null(asked_for.pool);
	assert_true(asked_for.over_ms == -1 && asked_for.from_ms == -1 && asked_for.until_ms == -1);
	assert_false(asked_for.now || asked_for.dry_run);
	assert_int_equal(asked_for.n_past, 0);
	assert_int_equal(asked_for.generation, 0);
	static const struct {
		const char *word;
		enum command_do what;
	} words[] = { { "drain", COMMAND_DRAIN },       { "disable", COMMAND_DISABLE },
		      { "force_up", COMMAND_FORCE_UP }, { "hold", COMMAND_HOLD },
		      { "undrain", COMMAND_UNDRAIN },   { "enable", COMMAND_ENABLE } };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char body[200];

		snprintf(body, sizeof(body), "{\"do\":\"%s\"," BACKEND "," WHY "}", words[i].word);
		command_as(body, "dry_run=true", "*");
		assert_int_equal(asked_for.what, words[i].what);
		assert_true(asked_for.dry_run);
		assert_int_equal(asked_for.generation, 0);
	}
}

/*
 * Texts of a command are the request's: they are looked at by a handler's answer, or not after
 * it.
 */
static char author_seen[64], name_seen[64], pool_seen[64], past_seen[64];

static void texts_of_a_body_reach_the_command(void **state)
{
	static const struct {
		const char *body, *author, *name, *pool;
	} rows[] = {
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "ada", "ams", NULL },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"author\":\"jw\"}", "jw", "ams", NULL },
		{ "{\"do\":\"drain\"," BACKEND "," WHY ",\"author\":null}", "ada", "b1", "web" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .principal = "ada" };
		struct http_reply errors = { 0 };
		struct command c;

		r.json = json_loads(rows[i].body, 0, NULL);
		assert_true(read_command(&r, &c, &errors, NOW_MS));
		snprintf(author_seen, sizeof(author_seen), "%s", c.author);
		snprintf(name_seen, sizeof(name_seen), "%s", c.name);
		snprintf(pool_seen, sizeof(pool_seen), "%s", c.pool ? c.pool : "");
		assert_string_equal(author_seen, rows[i].author);
		assert_string_equal(name_seen, rows[i].name);
		assert_string_equal(pool_seen, rows[i].pool ? rows[i].pool : "");
		json_decref(r.json);
	}
}

/* Of a node the guards are told more, and its name is the request's. */
static void the_guards_see_the_nodes_of_a_node_s_drain(void **state)
{
	(void)state;
	command_as("{\"do\":\"drain\",\"target\":{\"node\":\"ams-1\"}," WHY "}", "", "");
	assert_int_equal(reply.status, 200);
	assert_true(asked_for.is_node);
	assert_null(asked_for.pool);
	assert_non_null(node_seen);
	assert_true(asks_seen);
	command_as("{\"do\":\"undrain\",\"target\":{\"node\":\"ams-1\"}," WHY "}", "", "");
	assert_false(asks_seen);
	n_flow_queries = 0;
	command_as("{\"do\":\"undrain\"," SITE "," WHY "}", "", "");
	command_as("{\"do\":\"drain\"," BACKEND "," WHY "}", "", "");
	assert_int_equal(n_flow_queries, 0);
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "", "");
	assert_int_equal(n_flow_queries, 1);
	assert_false(asked_for.is_node);
	assert_null(node_seen);
	assert_false(asks_seen);
	gather_err = -ENOMEM;
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "", "");
	assert_int_equal(reply.status, 503);
	gather_err = 0;
	open_err = -ENOMEM;
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "", "");
	assert_int_equal(reply.status, 503);
}

static void times_and_guards_are_read(void **state)
{
	struct http_request r = { .principal = "ada", .if_match = "\"o12\"" };
	struct http_reply errors = { 0 };
	struct command c;

	(void)state;
	r.json = json_loads("{\"do\":\"drain\",\"id\":\"o-1\"," WHY
	                    ",\"over\":\"5m\",\"from\":\"+10s\",\"until\":\"+1h\",\"now\":true,"
	                    "\"override_guards\":[\"room\",\"last-site\"]}",
	                    0, NULL);
	assert_true(read_command(&r, &c, &errors, NOW_MS));
	assert_string_equal(c.id, "o-1");
	assert_null(c.name);
	assert_int_equal(c.over_ms, 300000);
	assert_true(c.from_ms == NOW_MS + 10000);
	assert_true(c.until_ms == NOW_MS + 3600000);
	assert_true(c.now);
	assert_int_equal(c.generation, 12);
	assert_int_equal(c.n_past, 2);
	snprintf(past_seen, sizeof(past_seen), "%s", c.past[1]);
	assert_string_equal(past_seen, "last-site");
	json_decref(r.json);
}

static void what_is_no_command_is_refused_with_its_field(void **state)
{
	static const struct {
		const char *body, *if_match, *field;
	} rows[] = {
		{ "{" SITE "," WHY "}", "", "do" },
		{ "{\"do\":\"dance\"," SITE "," WHY "}", "", "do" },
		{ "{\"do\":\"drain\"," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"id\":\"o\"," SITE "," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"site\":\"\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"web\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"backend\":\"b1\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"\",\"backend\":\"b1\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"web\",\"backend\":\"b1\",\"site\":\"ams\"}," WHY
		  "}",
		  "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"a\",\"site\":\"b\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"a\",\"pool\":\"b\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"site\":\"ams\",\"x\":1}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"over\":\"5\"}", "", "over" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"from\":\"soon\"}", "", "from" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"until\":\"+x\"}", "", "until" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"now\":1}", "", "now" },
		{ "{\"do\":\"drain\"," SITE ",\"reason\":\"  \"}", "", "reason" },
		{ "{\"do\":\"drain\"," SITE "}", "", "reason" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"override_guards\":[\"all\"]}", "",
		  "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"override_guards\":[1]}", "",
		  "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY
		  ",\"override_guards\":[\"room\",\"room\",\"room\",\"room\",\"room\",\"room\"]}",
		  "", "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"v12\"", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o0\"", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o12", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o12\"x", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"wherefore\":1}", "", "wherefore" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		command_as(rows[i].body, "", rows[i].if_match);
		const json_t *first = json_array_get(json_object_get(reply.json, "errors"), 0);

		if (reply.status != 422 ||
		    strcmp(json_string_value(json_object_get(first, "field")), rows[i].field) != 0)
			fail_msg("row %zu: %u %s", i, reply.status,
			         json_string_value(json_object_get(first, "field")));
		assert_int_equal(json_array_size(json_object_get(reply.json, "errors")), 1);
		assert_int_equal(n_waits, 0);
	}
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "dry_run=perhaps", "");
	assert_int_equal(reply.status, 400);
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "wait=some", "");
	assert_int_equal(reply.status, 400);
}

/* Each text has its greatest length: what is longer would be cut where it is kept. */
static void texts_have_their_greatest_lengths(void **state)
{
	static const struct {
		const char *form, *field; /* %s: letters */
		size_t max;
	} rows[] = {
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"author\":\"%s\"}", "author", 63 },
		{ "{\"do\":\"drain\"," SITE ",\"reason\":\"%s\"}", "reason", 255 },
		{ "{\"do\":\"drain\"," WHY ",\"id\":\"%s\"}", "id", MODEL_ID_MAX - 1 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"site\":\"%s\"}}", "target", 63 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"pool\":\"%s\",\"backend\":\"b\"}}",
		  "target", 63 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"pool\":\"p\",\"backend\":\"%s\"}}",
		  "target", 63 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = rows[i].max; n <= rows[i].max + 1; n++) {
			char letters[300], body[600];
			const char *at = strstr(rows[i].form, "%s");

			memset(letters, 'x', n);
			letters[n] = '\0';
			snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - rows[i].form),
			         rows[i].form, letters, at + 2);
			command_as(body, "", "");
			if (reply.status != (n > rows[i].max ? 422 : 200))
				fail_msg("row %zu, %zu letters: %u", i, n, reply.status);
			if (reply.status == 200)
				continue;
			const json_t *first =
			        json_array_get(json_object_get(reply.json, "errors"), 0);
			assert_string_equal(json_string_value(json_object_get(first, "field")),
			                    rows[i].field);
		}
}

/* What is made belongs to who was authenticated, and what Weir does afterwards does not. */
static void a_command_is_of_its_principal(void **state)
{
	(void)state;
	command_as("{\"do\":\"drain\"," SITE "," WHY ",\"author\":\"jw\"}", "", "");
	assert_int_equal(reply.status, 200);
	assert_string_equal(principal_seen, "token:ada");
	assert_string_equal(intent_principal(this_node.intent), "weir");
	assert_false(asked_is_locked());
}

static void each_outcome_has_its_answer(void **state)
{
	static const struct {
		enum command_outcome outcome;
		bool created, dry_run;
		unsigned status;
		const char *code;
		unsigned waits;
	} rows[] = {
		{ COMMAND_OK, true, false, 201, "", 1 },
		{ COMMAND_OK, false, false, 200, "", 1 },
		{ COMMAND_OK, true, true, 200, "", 0 },
		{ COMMAND_OVER, false, false, 200, "", 0 },
		{ COMMAND_REFUSED, false, false, 409, "guard", 0 },
		{ COMMAND_INVALID, false, false, 422, "invalid", 0 },
		{ COMMAND_NOTHING, false, false, 409, "nothing-to-end", 0 },
		{ COMMAND_UNKNOWN, false, false, 404, "not-found", 0 },
		{ COMMAND_STALE, false, false, 412, "stale", 0 },
		{ COMMAND_TOO_MANY, false, false, 409, "too-many", 0 },
		{ COMMAND_FAILED, false, false, 503, "busy", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		our_outcome = rows[i].outcome;
		made = (struct command_result){ .created = rows[i].created,
			                        .field = "from",
			                        .text = "why",
			                        .override = { .generation = 7, .name = "ams" } };
		n_waits = 0;
		command_as("{\"do\":\"hold\"," SITE "," WHY "}",
		           rows[i].dry_run ? "dry_run=true" : "", "");
		if (reply.status != rows[i].status || strcmp(code_of(), rows[i].code) != 0 ||
		    n_waits != rows[i].waits)
			fail_msg("row %zu: %u %s", i, reply.status, code_of());
		assert_string_equal(reply.etag, rows[i].outcome == COMMAND_OK ? "\"o7\"" : "");
		if (rows[i].outcome == COMMAND_STALE)
			assert_string_equal(json_string_value(json_object_get(reply.json, "head")),
			                    "\"o7\"");
	}
}

/* What waits is told of the drain of a backend, by tables that are known to be in force. */
static void a_drain_says_how_much_waits(void **state)
{
	static const struct {
		const char *word;
		const char *pool, *name;
		bool fresh, waits, told;
	} rows[] = {
		{ "drain", "web", "b1", true, true, true },
		{ "drain", "web", "b1", true, false, false },
		{ "drain", "web", "b1", false, true, false },
		{ "drain", "web", "b2", true, true, false },
		{ "drain", "mail", "b1", true, true, false },
		{ "disable", "web", "b1", true, true, false },
		{ "undrain", "web", "b1", true, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[200];

		effect_fresh = rows[i].fresh;
		waits = rows[i].waits;
		made = (struct command_result){ .override = { .target = MODEL_TARGET_BACKEND } };
		snprintf(made.override.pool, sizeof(made.override.pool), "%s", rows[i].pool);
		snprintf(made.override.name, sizeof(made.override.name), "%s", rows[i].name);
		snprintf(body, sizeof(body), "{\"do\":\"%s\"," BACKEND "," WHY "}", rows[i].word);
		command_as(body, "", "");
		const json_t *told = json_object_get(reply.json, "waiting");

		if (!told != !rows[i].told ||
		    json_array_size(json_object_get(reply.json, "notes")) != rows[i].told)
			fail_msg("row %zu", i);
		if (!told)
			continue;
		assert_int_equal(json_integer_value(json_object_get(told, "slots")), 5);
		assert_int_equal(json_integer_value(json_object_get(told, "full_slots")), 9);
	}
}

static void list_with(const char *name, const char *value)
{
	struct http_request r = { .method = "GET", .n_query = name ? 1 : 0 };

	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
	if (name) {
		snprintf(r.query[0].name, sizeof(r.query[0].name), "%s", name);
		snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", value);
	}
	handle_overrides(&this_node, &r, &reply);
}

static void check_list(unsigned n, unsigned more)
{
	assert_int_equal(reply.status, 200);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), n);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "more")), more);
}

/* Three overrides, the second of which is over. */
static void lists_are_cut_and_leave_out_what_is_over(void **state)
{
	struct override items[3] = {
		{ .id = "o-1", .name = "ams", .generation = 3, .until_ms = MODEL_TIME_NEVER },
		{ .id = "o-2", .name = "ams", .generation = 4, .until_ms = 5, .ended = true },
		{ .id = "o-3", .name = "fra", .generation = 5, .until_ms = MODEL_TIME_NEVER },
	};
	struct http_request r = { .method = "GET" };

	(void)state;
	our_set = (struct overrides){ .items = items, .n_items = 3 };
	list_with(NULL, NULL);
	check_list(2, 0);
	list_with("ended", "false");
	check_list(2, 0);
	list_with("ended", "true");
	check_list(3, 0);
	list_with("limit", "1");
	check_list(1, 1);
	list_with("limit", "2");
	check_list(2, 0);
	list_with("ended", "yes");
	assert_int_equal(reply.status, 400);
	list_with("limit", "0");
	assert_int_equal(reply.status, 400);
	list_with("limit", "4097");
	assert_int_equal(reply.status, 400);
	list_with("limit", "4096");
	check_list(2, 0);
	snprintf(r.parts[0], sizeof(r.parts[0]), "o-3");
	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
	handle_override(&this_node, &r, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.etag, "\"o5\"");
	snprintf(r.parts[0], sizeof(r.parts[0]), "o-4");
	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
	handle_override(&this_node, &r, &reply);
	assert_int_equal(reply.status, 404);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_body_becomes_a_command),
		T(texts_of_a_body_reach_the_command),
		T(the_guards_see_the_nodes_of_a_node_s_drain),
		T(times_and_guards_are_read),
		T(what_is_no_command_is_refused_with_its_field),
		T(texts_have_their_greatest_lengths),
		T(a_command_is_of_its_principal),
		T(each_outcome_has_its_answer),
		T(a_drain_says_how_much_waits),
		T(lists_are_cut_and_leave_out_what_is_over),
	};

	return cmocka_run_group_tests_name("overrides parts", tests, NULL, NULL);
}
