/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of routes: who reaches what, which path is which, and which requests a key makes
 * happen once.
 */
#include "asked.h"

#include "mgmt/api/idempotent.h"
#include "mgmt/api/route.h"

static unsigned n_begun, n_ended;
static bool has_answer;

static bool fake_begin(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	n_begun++;
	if (has_answer)
		reply->status = 201;
	return has_answer;
}

static void fake_end(struct core *core, const struct http_request *r,
                     const struct http_reply *reply)
{
	(void)core;
	(void)r;
	(void)reply;
	n_ended++;
}

/* How often memory_failed() is yet to say so; the handler's own allocations come before. */
static unsigned n_failures;

static bool fake_memory_failed(void)
{
	return n_failures > 0 && n_failures--;
}

/* The private parts too. */
#define idempotent_begin fake_begin
#define idempotent_end   fake_end
#define memory_failed    fake_memory_failed
#include "mgmt/api/route.c"
#undef memory_failed

static struct http_reply answer;
static unsigned n_handled;

static void fake_handler(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	n_handled++;
	reply->status = 200;
}

static int setup(void **state)
{
	(void)state;
	n_begun = n_ended = n_handled = 0;
	has_answer = false;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static void each_role_reaches_its_own(void **state)
{
	/* by what is needed: NOBODY METRICS PEER VIEWER ONCALL OPERATOR ADMIN */
	static const struct {
		enum http_role role;
		const char *reached;
	} rows[] = {
		{ HTTP_NO_ROLE, "y------" }, { HTTP_METRICS, "yy-----" },
		{ HTTP_PEER, "y-y----" },    { HTTP_VIEWER, "yy-y---" },
		{ HTTP_ONCALL, "yy-yy--" },  { HTTP_OPERATOR, "yy-yyy-" },
		{ HTTP_ADMIN, "yyyyyyy" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int least = HTTP_NO_ROLE; least <= HTTP_ADMIN; least++)
			if (role_reaches(rows[i].role, (enum http_role)least) !=
			    (rows[i].reached[least] == 'y'))
				fail_msg("role %d, needed %d", rows[i].role, least);
}

static void a_path_is_matched_whole(void **state)
{
	static const struct {
		const char *pattern, *path, *first, *second;
	} rows[] = {
		{ "/v1/versions", "/v1/versions", "", "" },
		{ "/v1/versions", "/v1/versions/", NULL, NULL },
		{ "/v1/versions", "/v1/version", NULL, NULL },
		{ "/v1/versions/{}", "/v1/versions/12", "12", "" },
		{ "/v1/versions/{}", "/v1/versions/", NULL, NULL },
		{ "/v1/versions/{}", "/v1/versions", NULL, NULL },
		{ "/v1/versions/{}", "/v1/versions/12/", NULL, NULL },
		{ "/v1/versions/{}/diff/{}", "/v1/versions/1/diff/fra-1:2", "1", "fra-1:2" },
		{ "/v1/versions/{}/diff/{}", "/v1/versions//diff/2", NULL, NULL },
		{ "/v1/versions/{}/diff/{}", "/v1/versions/1/diff/", NULL, NULL },
		{ "/", "/", "", "" },
		{ "/", "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char parts[HTTP_PARTS_MAX][HTTP_TEXT_MAX] = { "", "" };
		bool ok = path_matches(rows[i].pattern, rows[i].path, parts);

		if (ok != (rows[i].first != NULL))
			fail_msg("%s with %s", rows[i].path, rows[i].pattern);
		if (!ok)
			continue;
		assert_string_equal(parts[0], rows[i].first);
		assert_string_equal(parts[1], rows[i].second);
	}
}

static void names_of_a_query_are_whole_words(void **state)
{
	static const struct {
		const char *words, *word;
		bool ok;
	} rows[] = {
		{ "dry_run wait wait_ms", "wait", true },
		{ "dry_run wait_ms wait", "wait", true },
		{ "dry_run wait wait_ms", "wait_m", false },
		{ "dry_run wait wait_ms", "ait", false },
		{ "dry_run wait wait_ms", "dry_run", true },
		{ "wait_ms", "wait", false },
		{ "dry_run wait", "", false },
		{ "", "wait", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_word_of(rows[i].words, rows[i].word) != rows[i].ok)
			fail_msg("\"%s\" of \"%s\"", rows[i].word, rows[i].words);
}

/*
 * Only what changes something is carried out once by its key; a request that asks is answered
 * each time.
 */
static void a_key_counts_for_changes(void **state)
{
	static const struct {
		const char *method, *query, *key;
		bool keyed;
	} rows[] = {
		{ "POST", ROUTE_CHANGES, "k", true },
		{ "POST", ROUTE_CHANGES, "", false },
		{ "POST", "", "k", false },
		{ "GET", ROUTE_CHANGES, "k", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int again = 0; again < 2; again++) {
			const struct route route = { .query = rows[i].query,
				                     .handler = fake_handler };
			struct http_request r = { 0 };

			setup(NULL);
			has_answer = again;
			snprintf(r.method, sizeof(r.method), "%s", rows[i].method);
			snprintf(r.key, sizeof(r.key), "%s", rows[i].key);
			run_route(&this_node, &route, &r, &answer);
			assert_int_equal(n_begun, rows[i].keyed);
			assert_int_equal(n_handled, !(rows[i].keyed && again));
			assert_int_equal(n_ended, rows[i].keyed && !again);
			teardown(NULL);
		}
}

static bool unjudged;

static unsigned ask_gate(const char *method, const char *path, enum http_role role, bool json)
{
	struct http_request r = { .role = role, .body_is_json = json, .unjudged = unjudged };

	teardown(NULL);
	snprintf(r.method, sizeof(r.method), "%s", method);
	snprintf(r.path, sizeof(r.path), "%s", path);
	bool ok = route_gate(&this_node, &r, &answer);
	assert_int_equal(ok, answer.status == 0);
	return answer.status;
}

static void what_a_head_alone_shows_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_VIEWER, false), 0);
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_METRICS, false), 403);
	assert_string_equal(answer.challenge, "");
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_NO_ROLE, false), 401);
	assert_string_equal(answer.challenge, "Bearer realm=\"weir\"");
	assert_int_equal(ask_gate("GET", "/", HTTP_NO_ROLE, false), 401);
	assert_string_equal(answer.challenge, "Basic realm=\"weir\""); /* a browser asks then */
	assert_int_equal(ask_gate("GET", "/nothing", HTTP_ADMIN, false), 404);
	assert_int_equal(ask_gate("PUT", "/v1/overrides", HTTP_ADMIN, true), 405);
	assert_string_equal(answer.allow, "GET, HEAD, POST");
	assert_int_equal(ask_gate("POST", "/v1/overrides", HTTP_ONCALL, false), 415);
	assert_int_equal(ask_gate("POST", "/v1/overrides", HTTP_ONCALL, true), 0);
	assert_int_equal(ask_gate("POST", "/v1/overrides", HTTP_VIEWER, true), 403);
	assert_int_equal(ask_gate("POST", "/v1/config/apply", HTTP_ONCALL, true), 403);
	assert_int_equal(ask_gate("GET", "/v1/peer/overrides", HTTP_OPERATOR, false), 403);
	assert_int_equal(ask_gate("GET", "/v1/peer/overrides", HTTP_PEER, false), 0);
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_PEER, false), 403);
	assert_int_equal(ask_gate("GET", "/healthz", HTTP_NO_ROLE, false), 0);
	unjudged = true; /* who asks could not be found out: nothing is said against the token */
	assert_int_equal(ask_gate("GET", "/healthz", HTTP_NO_ROLE, false), 0);
	assert_int_equal(ask_gate("GET", "/nothing", HTTP_NO_ROLE, false), 404);
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_NO_ROLE, false), 503);
	assert_true(answer.retry);
	assert_string_equal(answer.challenge, "");
	unjudged = false;
}

/*
 * Answer "METHOD path body" as @p role, with query parameter @p query unless it is NULL. @return
 * "STATUS code: detail"
 */
static const char *ask_route(const char *method, const char *path, const char *body,
                             const char *query)
{
	static char text[1200];
	struct http_request r = { .role = HTTP_ADMIN, .body_is_json = true, .body = body };

	teardown(NULL);
	r.n_body = strlen(body);
	snprintf(r.method, sizeof(r.method), "%s", method);
	snprintf(r.path, sizeof(r.path), "%s", path);
	r.n_query = query ? 1 : 0;
	snprintf(r.query[0].name, sizeof(r.query[0].name), "%s", query ? query : "");
	route_handle(&this_node, &r, &answer);
	assert_null(r.json);
	const char *code = json_string_value(json_object_get(answer.json, "code"));
	const char *detail = json_string_value(json_object_get(answer.json, "detail"));
	snprintf(text, sizeof(text), "%u %s: %s", answer.status, code ? code : "",
	         detail ? detail : "");
	return text;
}

static void what_is_wrong_with_a_request_is_said(void **state)
{
	static const struct {
		const char *method, *path, *body, *query, *said;
	} rows[] = {
		{ "GET", "/v1/nothing", "", NULL,
		  "404 not-found: there is no resource /v1/nothing" },
		{ "GET", "/healthz", "", "x", "400 bad-request: unknown query parameter x" },
		{ "GET", "/v1/versions/1", "", "filez",
		  "400 bad-request: unknown query parameter filez; known: files" },
		{ "PUT", "/v1/versions/1", "", NULL,
		  "405 method-not-allowed: PUT is not allowed for /v1/versions/1; allowed: GET, HEAD" },
		{ "GET", "/v1/config/apply", "", NULL,
		  "405 method-not-allowed: GET is not allowed for /v1/config/apply; allowed: POST" },
		{ "POST", "/v1/overrides", "[]", NULL,
		  "422 invalid: the body is not one JSON object: another value, line 1" },
		{ "POST", "/v1/overrides", "{\n\"do\":}", NULL,
		  "422 invalid: the body is not one JSON object: unexpected token near '}', line 2" },
		{ "POST", "/v1/overrides", "{\"do\":1,\"do\":1}", NULL,
		  "422 invalid: the body is not one JSON object: duplicate object key near '\"do\"', line 1" },
		{ "POST", "/v1/overrides", "{}{}", NULL,
		  "422 invalid: the body is not one JSON object: end of file expected near '{', line 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(
		        ask_route(rows[i].method, rows[i].path, rows[i].body, rows[i].query),
		        rows[i].said);
}

/* "{\"files\": {\"a\": [UNIT, UNIT, ...]}}" with @p n of @p unit, from malloc(). */
static char *repeat_unit(const char *unit, size_t n)
{
	size_t n_unit = strlen(unit);
	char *body = malloc(n * n_unit + 32), *at = body;

	at += sprintf(at, "{\"files\":{\"a\":[");
	for (size_t i = 0; i < n; i++, at += n_unit)
		memcpy(at, unit, n_unit);
	strcpy(at, "0]}}");
	return body;
}

/*
 * Each value costs a hundred times its bytes: beyond four for each file of the largest version a
 * body is not parsed; what a text contains is none, and the peers' are not counted.
 */
static void a_body_has_so_many_values(void **state)
{
	static const struct {
		const char *why, *unit;
		size_t n;
		enum http_role role;
		bool is_read;
	} rows[] = {
		{ "as many as may be", "1,", 131072 - 3, HTTP_VIEWER, true },
		{ "one more", "1,", 131072 - 2, HTTP_VIEWER, false },
		{ "objects", "{},", 65534, HTTP_ADMIN, true },
		{ "more objects", "{},", 65535, HTTP_ADMIN, false },
		{ "lists", "[],", 65536, HTTP_ADMIN, false },
		{ "one of a peer", "{},", 65536, HTTP_PEER, true },
		{ "texts", "\"[{,\\\",{[,\\\\\",", 131072 - 3, HTTP_VIEWER, true },
		{ "more texts", "\"[{,\\\",{[,\\\\\",", 131072 - 2, HTTP_VIEWER, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *body = repeat_unit(rows[i].unit, rows[i].n);
		struct http_request r = {
			.method = "POST", .role = rows[i].role, .body = body, .n_body = strlen(body)
		};

		http_reply_fini(&answer);
		if (read_body(&r, &answer) != rows[i].is_read)
			fail_msg("%s: %u", rows[i].why, answer.status);
		assert_int_equal(answer.status, rows[i].is_read ? 0 : 413);
		free_body(&r);
		free(body);
	}
}

/*
 * Many bodies at once would cost what one may not: there is one bound for all threads, twice that of a body. Half of it is for operators;
 * small bodies and those of peers are read in any case.
 */
static void all_bodies_at_once_have_so_many_values(void **state)
{
	static const struct {
		const char *why;
		size_t n;
		enum http_role role;
		bool is_read;
	} rows[] = {
		{ "the first", 131072, HTTP_VIEWER, true },
		{ "one more of viewers", 1025, HTTP_VIEWER, false },
		{ "one more on call", 1025, HTTP_ONCALL, false },
		{ "an operator's", 131072, HTTP_OPERATOR, true },
		{ "one more of operators", 1025, HTTP_ADMIN, false },
		{ "a small one", 1024, HTTP_VIEWER, true },
		{ "a peer's", 131072, HTTP_PEER, true },
	};
	struct http_request r[sizeof(rows) / sizeof(rows[0])];
	char *body = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		free(body);
		body = repeat_unit("1,", rows[i].n - 3);
		r[i] = (struct http_request){
			.method = "POST", .role = rows[i].role, .body = body, .n_body = strlen(body)
		};
		teardown(NULL);
		if (read_body(&r[i], &answer) != rows[i].is_read)
			fail_msg("%s: %u", rows[i].why, answer.status);
		assert_int_equal(answer.status, rows[i].is_read ? 0 : 503);
		assert_int_equal(answer.retry, !rows[i].is_read);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		free_body(&r[i]);
	free(body);
	body = repeat_unit("1,", 131072 - 3);
	for (int again = 0; again < 3; again++) /* each is given back with its answer */
		assert_memory_equal(ask_route("POST", "/v1/overrides", body, NULL), "422", 3);
	free(body);
}

static void a_post_without_a_body_is_an_empty_object(void **state)
{
	struct http_request r = { .method = "POST", .body = "" };

	(void)state;
	assert_true(read_body(&r, &answer));
	assert_true(json_is_object(r.json));
	assert_int_equal(json_object_size(r.json), 0);
	json_decref(r.json);
	r = (struct http_request){ .method = "GET", .body = "nonsense", .n_body = 8 };
	assert_true(read_body(&r, &answer));
	assert_null(r.json);
}

/* An answer that lacks parts must not look whole; one that is an error already stays. */
static void missing_memory_makes_an_answer_busy(void **state)
{
	static const struct {
		unsigned status, now;
		const char *detail;
	} rows[] = {
		{ 200, 503,
		  "out of memory: the request was carried out, but the answer is incomplete; check the state before you try again" },
		{ 399, 503,
		  "out of memory: the request was carried out, but the answer is incomplete; check the state before you try again" },
		{ 400, 503, "out of memory: nothing was changed; try again" },
		{ 499, 503, "out of memory: nothing was changed; try again" },
		{ 500, 500, NULL },
		{ 503, 503, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(NULL);
		answer.status = rows[i].status;
		check_memory(&answer);
		assert_int_equal(answer.status, rows[i].status);
		n_failures = 1;
		check_memory(&answer);
		n_failures = 0;
		assert_int_equal(answer.status, rows[i].now);
		const char *detail = json_string_value(json_object_get(answer.json, "detail"));
		assert_int_equal(!detail, !rows[i].detail);
		if (detail)
			assert_string_equal(detail, rows[i].detail);
	}
	n_failures = 1; /* also where the request itself was refused */
	assert_string_equal(ask_route("GET", "/v1/nothing", "", NULL),
	                    "503 busy: out of memory: nothing was changed; try again");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_role_reaches_its_own),
		T(a_path_is_matched_whole),
		T(names_of_a_query_are_whole_words),
		T(a_key_counts_for_changes),
		T(what_a_head_alone_shows_is_refused_at_once),
		T(what_is_wrong_with_a_request_is_said),
		T(a_body_has_so_many_values),
		T(all_bodies_at_once_have_so_many_values),
		T(a_post_without_a_body_is_an_empty_object),
		T(missing_memory_makes_an_answer_busy),
	};

	return cmocka_run_group_tests_name("route parts", tests, NULL, NULL);
}
