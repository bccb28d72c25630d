/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of routes: who reaches what, which path is which, and which requests a key makes
 * happen once.
 */
#include "api_world.h"

#include "base/memory.h"
#include "tests/unit/suite.h"

static unsigned n_until_failure; /* the so manieth allocation of jansson's fails; 0: none does */
static void (*meanwhile_read)(void); /* called while a body is read, once */

/* As weir-mgmt has it, but for what fails and happens here. */
static void *alloc_for_json(size_t n)
{
	void (*call)(void) = meanwhile_read;

	meanwhile_read = NULL;
	if (call)
		call();
	if (n_until_failure && !--n_until_failure) {
		memory_note_failure();
		return NULL;
	}
	return memory_alloc(n);
}

static int setup(void **state)
{
	n_until_failure = 0;
	meanwhile_read = NULL;
	json_set_alloc_funcs(alloc_for_json, memory_free);
	return world_setup(state);
}

/* The gate alone. */
static unsigned ask_gate(const char *method, const char *path, enum http_role role, bool json)
{
	struct http_request r = { .role = role, .body_is_json = json, .unjudged = asker.unjudged };

	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	snprintf(r.method, sizeof(r.method), "%s", method);
	snprintf(r.path, sizeof(r.path), "%s", path);
	bool ok = route_gate(&this_node, &r, &answer);
	assert_int_equal(ok, answer.status == 0);
	return answer.status;
}

static void each_role_reaches_its_own(void **state)
{
	/* by what is needed: NOBODY METRICS PEER VIEWER ONCALL OPERATOR ADMIN */
	static const struct {
		const char *method, *path;
	} needed[] = { { "GET", "/healthz" },
		       { "GET", "/metrics" },
		       { "GET", "/v1/peer/connections" },
		       { "GET", "/v1/versions" },
		       { "POST", "/v1/overrides" },
		       { "GET", "/v1/config" },
		       { "POST", "/v1/store/accept" } };
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
		for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++) {
			unsigned status =
			        ask_gate(needed[k].method, needed[k].path, rows[i].role, true);

			if (status != (rows[i].reached[k] == 'y' ? 0 : i ? 403 : 401))
				fail_msg("role %d, %s: %u", rows[i].role, needed[k].path, status);
		}
}

static void a_path_is_matched_whole(void **state)
{
	static const struct {
		const char *path;
		unsigned status;
		const char *detail; /* where its parts are seen */
	} rows[] = {
		{ "/v1/versions", 200, "" },
		{ "/v1/versions/", 404, "there is no resource /v1/versions/" },
		{ "/v1/version", 404, "there is no resource /v1/version" },
		{ "/v1/versions/12", 404, "there is no such version" },
		{ "/v1/versions/x12", 404, "x12 is not a version number" },
		{ "/v1/versions/12/", 404, "there is no resource /v1/versions/12/" },
		{ "/v1/versions/1/diff/fra-1:2", 0, "fra-1" },
		{ "/v1/versions%2F12", 404, "there is no resource /v1/versions%2F12" },
		{ "/v1/versions/12%2Fdiff", 404, "there is no resource /v1/versions/12%2Fdiff" },
		{ "/v1/versions/%252F", 404, "%2F is not a version number" },
		{ "/v1/versions/..", 404, ".. is not a version number" },
		{ "/v1/versions/*", 404, "* is not a version number" },
		{ "/v1/versions//diff/2", 404, "there is no resource /v1/versions//diff/2" },
		{ "/v1/versions/1/diff/", 404, "there is no resource /v1/versions/1/diff/" },
		{ "/", 200, "" },
		{ "", 404, "there is no resource " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char what[100];

		snprintf(what, sizeof(what), "GET %s", rows[i].path);
		unsigned status = ask_route(what, NULL);
		if ((rows[i].status && status != rows[i].status) ||
		    !strstr(text_at("detail"), rows[i].detail))
			fail_msg("%s: %u %s", rows[i].path, status, text_at("detail"));
	}
}

static void names_of_a_query_are_whole_words(void **state)
{
	static const struct {
		const char *path;
		bool ok;
	} rows[] = {
		{ "/v1/status?pool=web-ams", true },     { "/v1/status?limit=5", true },
		{ "/v1/status?site=ams", true },         { "/v1/status?lim=5", false },
		{ "/v1/status?ool=web-ams", false },     { "/v1/status?=5", false },
		{ "/v1/node?limit=5", false },           { "/v1/operations/o7?wait=5", false },
		{ "/v1/status?limit=5&sit=ams", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char what[100];

		snprintf(what, sizeof(what), "GET %s", rows[i].path);
		if ((ask_route(what, NULL) == 200) != rows[i].ok)
			fail_msg("%s: %u", rows[i].path, answer.status);
		assert_int_equal(answer.status, rows[i].ok ? 200 : 400);
	}
}

/*
 * Only what changes something is carried out once by its key; a request that asks is answered
 * each time.
 */
static void a_key_counts_for_changes(void **state)
{
	static const struct {
		const char *what, *body, *key;
		bool keyed;
	} rows[] = {
		{ "POST /v1/clock/accept", "{\"reason\": \"x\"}", "k", true },
		{ "POST /v1/clock/accept", "{\"reason\": \"x\"}", "", false },
		{ "POST /v1/config/check", "{\"files\": {\"weir.conf\": \"\"}}", "l", false },
		{ "GET /v1/node", NULL, "m", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int again = 0; again < 2; again++) {
			snprintf(asker.key, sizeof(asker.key), "%s", rows[i].key);
			assert_in_range(ask_route(rows[i].what, rows[i].body), 200, 499);
			assert_int_equal(answer.replayed, rows[i].keyed && again);
			assert_int_equal(this_node.under_way.n, 0);
		}
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
	assert_int_equal(ask_gate("GET", "/v1/peer/connections", HTTP_OPERATOR, false), 403);
	assert_int_equal(ask_gate("GET", "/v1/peer/connections", HTTP_PEER, false), 0);
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_PEER, false), 403);
	assert_int_equal(ask_gate("GET", "/healthz", HTTP_NO_ROLE, false), 0);
	asker.unjudged =
	        true; /* who asks could not be found out: nothing is said against the token */
	assert_int_equal(ask_gate("GET", "/healthz", HTTP_NO_ROLE, false), 0);
	assert_int_equal(ask_gate("GET", "/nothing", HTTP_NO_ROLE, false), 404);
	assert_int_equal(ask_gate("GET", "/v1/status", HTTP_NO_ROLE, false), 503);
	assert_int_equal(answer.retry_s, 1);
	assert_string_equal(answer.challenge, "");
}

/* "STATUS code: detail" of the latest answer. */
static const char *said_of(const char *what, const char *body)
{
	static char text[1200];

	(void)ask_route(what, body);
	snprintf(text, sizeof(text), "%u %s: %s", answer.status, text_at("code"),
	         text_at("detail"));
	return text;
}

static void what_is_wrong_with_a_request_is_said(void **state)
{
	static const struct {
		const char *what, *body, *said;
	} rows[] = {
		{ "GET /v1/nothing", "", "404 not-found: there is no resource /v1/nothing" },
		{ "GET /healthz?x", "", "400 bad-request: unknown query parameter x" },
		{ "GET /v1/versions/1?filez", "",
		  "400 bad-request: unknown query parameter filez; known: files" },
		{ "PUT /v1/versions/1", "",
		  "405 method-not-allowed: PUT is not allowed for /v1/versions/1; allowed: GET, HEAD" },
		{ "GET /v1/config/apply", "",
		  "405 method-not-allowed: GET is not allowed for /v1/config/apply; allowed: POST" },
		{ "POST /v1/overrides", "[]",
		  "422 invalid: the body is not one JSON object: another value, line 1" },
		{ "POST /v1/overrides", "{\n\"do\":}",
		  "422 invalid: the body is not one JSON object: unexpected token near '}', line 2" },
		{ "POST /v1/overrides", "{\"do\":1,\"do\":1}",
		  "422 invalid: the body is not one JSON object: duplicate object key near '\"do\"', line 1" },
		{ "POST /v1/overrides", "{}{}",
		  "422 invalid: the body is not one JSON object: end of file expected near '{', line 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(said_of(rows[i].what, rows[i].body), rows[i].said);
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

/* Ask with a body of so many values, which makes no sense besides. @return the status; @p retry as the answer has it */
static unsigned ask_with_body(enum http_role role, const char *body, bool *retry)
{
	struct http_request r = { .method = "POST",
		                  .role = role,
		                  .body = body,
		                  .n_body = strlen(body),
		                  .body_is_json = true };
	struct http_reply reply = { 0 };

	strcpy(r.path, role == HTTP_PEER ? "/v1/peer/exchange" : "/v1/config/check");
	route_handle(&this_node, &r, &reply);
	assert_null(r.json);
	assert_int_equal(r.n_values, 0);
	unsigned status = reply.status;
	*retry = reply.retry_s == 1;
	http_reply_fini(&reply);
	return status;
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
		bool retry;
		unsigned status = ask_with_body(rows[i].role, body, &retry);

		if (status / 100 != 4 || (status == 413) == rows[i].is_read)
			fail_msg("%s: %u", rows[i].why, status);
		free(body);
	}
}

/* Requests at once: each comes while the body of the one before is read. */
static const struct at_once {
	const char *why;
	size_t n;
	enum http_role role;
	bool is_read;
} at_once[] = {
	{ "the first", 131072, HTTP_VIEWER, true },
	{ "one more of viewers", 1025, HTTP_VIEWER, false },
	{ "one more on call", 1025, HTTP_ONCALL, false },
	{ "an operator's", 131072, HTTP_OPERATOR, true },
	{ "one more of operators", 1025, HTTP_ADMIN, false },
	{ "a small one", 1024, HTTP_VIEWER, true },
	{ "a peer's", 131072, HTTP_PEER, true },
};
static size_t n_at_once; /* that have come */

static void ask_rest_at_once(void)
{
	while (n_at_once < sizeof(at_once) / sizeof(at_once[0])) {
		const struct at_once *row = &at_once[n_at_once++];
		char *body = repeat_unit("1,", row->n - 3);
		bool retry;

		meanwhile_read = ask_rest_at_once;
		unsigned status = ask_with_body(row->role, body, &retry);
		if (status / 100 == 4 ? !row->is_read : row->is_read || status != 503 || !retry)
			fail_msg("%s: %u", row->why, status);
		free(body);
	}
}

/*
 * Many bodies at once would cost what one may not: there is one bound for all threads, twice that of a body. Half of it is for operators;
 * small bodies and those of peers are read in any case.
 */
static void all_bodies_at_once_have_so_many_values(void **state)
{
	bool retry;

	(void)state;
	n_at_once = 0;
	ask_rest_at_once();
	meanwhile_read = NULL;
	char *body = repeat_unit("1,", 131072 - 3);
	for (int again = 0; again < 3; again++) /* each is given back with its answer */
		assert_int_equal(ask_with_body(HTTP_VIEWER, body, &retry), 422);
	free(body);
}

static void a_post_without_a_body_is_an_empty_object(void **state)
{
	(void)state;
	assert_string_equal(said_of("POST /v1/clock/accept", ""),
	                    "422 invalid: reason: is required");
	assert_int_equal(ask_route("GET /v1/node", "nonsense"), 200);
}

/* An answer that lacks parts must not look whole; one that is an error of ours already stays. */
static void missing_memory_makes_an_answer_busy(void **state)
{
	static const struct {
		const char *what, *body, *said;
	} rows[] = {
		{ "GET /v1/node", NULL,
		  "503 busy: out of memory: the request was carried out, but the answer is incomplete; check the state before you try again" },
		{ "GET /v1/node?x=1", NULL,
		  "503 busy: out of memory: nothing was changed; try again" },
		{ "POST /v1/clock/accept", "{\"reason\": 5}",
		  "503 busy: out of memory: nothing was changed; try again" },
		{ "GET /v1/dns", NULL, "503 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned n = 1;; n++) {
			n_until_failure = n;
			const char *said = said_of(rows[i].what, rows[i].body);

			if (n_until_failure) {
				assert_true(n > 3);
				break; /* there were fewer */
			}
			if (strncmp(said, rows[i].said, strlen(rows[i].said)) != 0 ||
			    (strlen(rows[i].said) == 4 && strstr(said, "try again")))
				fail_msg("%s, failure %u: %s", rows[i].what, n, said);
		}
	n_until_failure = 0;
}

SUITE(route_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
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

	world_begin();
	return cmocka_run_group_tests_name("route parts", tests, NULL, NULL);
}
