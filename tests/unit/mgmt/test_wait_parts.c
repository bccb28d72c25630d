/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change waits for, for how long, and what its answer says of each node. */
#include "wait_world.h"

static void what_is_in_force_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(wait_for(false, NULL, NULL), 0);
	assert_true(is_complete());
	assert_int_equal(json_array_size(json_object_get(answer.json, "nodes")), 1);
	assert_string_equal(text_at(0, "node"), "ams-1");
	assert_string_equal(text_at(0, "state"), "in_force");
	assert_int_equal(json_integer_value(json_object_get(answer.json, "document")), DOCUMENT);
	assert_int_equal(n_changed, 1); /* the peers hear of it at once all the same */
	assert_int_equal(n_related, 0); /* nobody waits for them */
	shown[2] = (struct gather_process){ .document = 0 }; /* was never there */
	assert_int_equal(wait_for(false, NULL, NULL), 0);
	assert_true(is_complete());
}

static void each_process_is_waited_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < OBSERVE_COUNT; i++) {
		for (int dead = 0; dead < 2; dead++) {
			shown[i].running = !dead;
			shown[i].document = dead ? DOCUMENT : DOCUMENT - 1;
			assert_int_equal(wait_for(false, NULL, NULL), dead ? LOCAL_MS : VERSION_MS);
			assert_false(is_complete());
			assert_string_equal(text_at(0, "state"), "written");
			const json_t *behind = json_object_get(node_at(0), "processes");
			assert_int_equal(json_array_size(behind), 1);
			assert_string_equal(json_string_value(json_array_get(behind, 0)),
			                    observe_name((enum observe_process)i));
		}
		shown[i].running = true;
		shown[i].document = DOCUMENT;
	}
	shown[2] = (struct gather_process){ .document = 0 }; /* was never there: it is not silent */
	shown[0].document = DOCUMENT - 1;
	assert_int_equal(wait_for(false, NULL, NULL), VERSION_MS);
	shown[0].document = DOCUMENT;
	unwritten_reason = "No space left on device";
	assert_int_equal(wait_for(false, NULL, NULL), LOCAL_MS);
	assert_false(is_complete());
	assert_string_equal(text_at(0, "state"), "not_written");
	assert_string_equal(text_at(0, "detail"), "No space left on device");
}

static void a_client_says_for_how_long_it_waits(void **state)
{
	(void)state;
	shown[0].document = DOCUMENT - 1;
	assert_int_equal(wait_for(false, NULL, "0"), 0);
	assert_false(is_complete());
	assert_int_equal(wait_for(false, NULL, "500"), 500);
	assert_int_equal(wait_for(false, NULL, "60000"), 60000);
	shown[0].running = false;
	assert_int_equal(wait_for(false, NULL, "5000"), 5000);
	assert_int_equal(wait_for(true, NULL, NULL), VERSION_MS);
	assert_int_equal(wait_for(true, "all", NULL), ALL_MS);
	assert_int_equal(wait_for(false, "all", NULL), ALL_MS);
	client_gone = true;
	assert_int_equal(wait_for(true, "all", NULL), 0);
	client_gone = false;
	this_node.stopping = true;
	assert_int_equal(wait_for(true, "all", NULL), 0);
	this_node.stopping = false;
}

static void take_it_later(void)
{
	if (fake_ms >= begun_ms + 400)
		shown[0].document = DOCUMENT;
}

static void a_wait_ends_when_all_have_it(void **state)
{
	(void)state;
	shown[0].document = DOCUMENT - 1;
	meanwhile = take_it_later;
	assert_in_range(wait_for(false, NULL, NULL), 400, 420);
	assert_true(is_complete());
	assert_string_equal(text_at(0, "state"), "in_force");
	assert_in_range(n_asked_dns, 3, 4); /* it has no page that would say */
	assert_int_equal(n_changed, 1);
}

static void list_the_others(void)
{
	if (fake_ms >= begun_ms + 400)
		n_peer_reports = 2;
}

/* Right after a start, or a change that adds it, the exchange does not list a node yet: that is not agreement. */
static void a_node_that_is_not_listed_yet_is_waited_for(void **state)
{
	struct model_node nodes[] = { { .name = "ams-1" },
		                      { .name = "fra-1" },
		                      { .name = "fra-2" } };
	const struct model document = { .nodes = nodes, .n_nodes = 3, .self = &nodes[0] };

	(void)state;
	in_document = &document;
	assert_int_equal(wait_for(false, NULL, NULL), 0); /* nobody asked for them */
	assert_true(is_complete());
	assert_int_equal(wait_for(true, "all", NULL), ALL_MS);
	assert_false(is_complete());
	assert_int_equal(json_array_size(json_object_get(answer.json, "nodes")), 3);
	assert_string_equal(text_at(1, "node"), "fra-1");
	assert_string_equal(text_at(1, "state"), peers_state_text(PEERS_UNASKED));
	assert_string_equal(text_at(2, "node"), "fra-2");
	for (size_t i = 0; i < 2; i++) {
		snprintf(views[i].node, sizeof(views[i].node), "fra-%zu", i + 1);
		views[i].state = PEERS_AGREED;
		views[i].inforce = (struct inforce){ .number = 1 };
	}
	n_peer_reports = 1;
	meanwhile = list_the_others;
	assert_in_range(wait_for(false, "all", NULL), 400, 420);
	assert_true(is_complete());
	assert_int_equal(json_array_size(json_object_get(answer.json, "nodes")), 3);
}

/* A process may have the document, and what it names not be there. */
static void a_version_is_in_force_as_it_is_judged(void **state)
{
	static const struct {
		enum inforce_state judgement;
		bool rolled_back, complete;
		uint64_t took_ms;
		const char *word, *code;
	} rows[] = {
		{ INFORCE_DONE, false, true, 0, "in_force", "" },
		{ INFORCE_PENDING, false, false, VERSION_MS, "in_force", "" },
		{ INFORCE_REFUSED, true, false, 0, "refused", "port-missing" },
		{ INFORCE_REFUSED, false, false, 0, "refused", "port-missing" },
		{ INFORCE_LATE, false, false, 0, "late", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		own_judgement = (struct inforce){ .number = 3,
			                          .state = rows[i].judgement,
			                          .rolled_back = rows[i].rolled_back,
			                          .process = "dataplane",
			                          .code = "port-missing",
			                          .reason = "there is no eth1" };
		assert_int_equal(wait_for(true, NULL, NULL), rows[i].took_ms);
		assert_int_equal(is_complete(), rows[i].complete);
		assert_string_equal(text_at(0, "state"), rows[i].word);
		assert_string_equal(text_at(0, "code"), rows[i].code);
		assert_int_equal(json_is_true(json_object_get(node_at(0), "rolled_back")),
		                 rows[i].rolled_back);
	}
	own_judgement.state = INFORCE_DONE; /* judged once; one has been started again since */
	shown[0].document = DOCUMENT - 1;
	assert_int_equal(wait_for(true, NULL, NULL), VERSION_MS);
	assert_false(is_complete());
	assert_string_equal(text_at(0, "state"), "written");
}

static void each_peer_tells_how_it_judges_this_version(void **state)
{
	static const struct {
		enum inforce_state judgement;
		uint64_t number;
		const char *digest;
		bool complete, waits;
		const char *word;
	} rows[] = {
		{ INFORCE_DONE, 3, "d3", true, false, "agreed" },
		{ INFORCE_UNKNOWN, 0, "", false, true, "pending" }, /* it has judged none */
		{ INFORCE_DONE, 2, "d2", false, true, "pending" },  /* of another version */
		{ INFORCE_REFUSED, 2, "d3", false, true, "pending" },
		{ INFORCE_PENDING, 4, "d4", true, false, "agreed" }, /* of one made after it */
		{ INFORCE_REFUSED, 3, "d4", false, true, "pending" },
		{ INFORCE_REFUSED, 3, "d3", false, false, "refused" },
		{ INFORCE_LATE, 3, "d3", false, false, "late" },
		{ INFORCE_PENDING, 3, "d3", false, true, "pending" },
	};

	(void)state;
	own_judgement = (struct inforce){ .number = 3, .state = INFORCE_DONE };
	n_peer_reports = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t which = 0; which < 2; which++) {
			for (size_t k = 0; k < 2; k++)
				views[k] =
				        (struct peers_report){ .node = "fra-1",
					                       .state = PEERS_AGREED,
					                       .inforce = { .number = 3,
					                                    .state = INFORCE_DONE,
					                                    .digest = "d3" } };
			struct inforce *f = &views[which].inforce;
			f->state = rows[i].judgement;
			f->number = rows[i].number;
			snprintf(f->digest, sizeof(f->digest), "%s", rows[i].digest);
			uint64_t took_ms = wait_for(true, "all", NULL);
			if (is_complete() != rows[i].complete ||
			    (took_ms == ALL_MS) != rows[i].waits ||
			    strcmp(text_at(1 + which, "state"), rows[i].word) != 0)
				fail_msg("row %zu, peer %zu: %s, %d ms", i, which,
				         text_at(1 + which, "state"), (int)took_ms);
			assert_string_equal(text_at(2 - which, "state"), "agreed");
		}
}

/* A peer tells of the next version after a rollback: its word of this one is kept. */
static void a_refusal_is_told_after_the_rollback(void **state)
{
	static const struct {
		const char *by;
		uint64_t number;
		const char *digest, *word;
	} rows[] = {
		{ "fra-1", 3, "d3", "refused" },
		{ "fra-2", 3, "d3", "agreed" },
		{ "fra-1", 2, "d3", "agreed" },
		{ "fra-1", 3, "d2", "agreed" },
	};

	(void)state;
	own_judgement = (struct inforce){ .number = 3, .state = INFORCE_DONE };
	n_peer_reports = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint64_t told = 3; told <= 4; told++) {
			views[0] = (struct peers_report){
				.node = "fra-1",
				.state = PEERS_AGREED,
				.inforce = { .number = told, .state = INFORCE_LATE, .digest = "d3" }
			};
			snprintf(this_node.refused_by, sizeof(this_node.refused_by), "%s",
			         rows[i].by);
			this_node.refusal = (struct inforce){ .number = rows[i].number,
				                              .state = INFORCE_REFUSED,
				                              .process = "dns",
				                              .code = "listen-refused",
				                              .rolled_back = true };
			snprintf(this_node.refusal.digest, sizeof(this_node.refusal.digest), "%s",
			         rows[i].digest);
			(void)wait_for(true, "all", NULL);
			bool is_late = i > 0 && told == 3; /* its own word of this version */
			if (strcmp(text_at(1, "state"), is_late ? "late" : rows[i].word) != 0)
				fail_msg("row %zu: %s", i, text_at(1, "state"));
			assert_int_equal(is_complete(), i > 0 && !is_late);
			if (i == 0)
				assert_string_equal(text_at(1, "process"), "dns");
			assert_string_equal(text_at(1, "code"), i ? "" : "listen-refused");
			assert_int_equal(json_is_true(json_object_get(node_at(1), "rolled_back")),
			                 i == 0);
		}
}

static void end_it_later(void)
{
	if (fake_ms < begun_ms + 400)
		return;
	in_force.number = 2;
	strcpy(in_force.digest, "d2");
}

/* A peer refuses what this node has in force; the store takes a moment to end it. */
static void the_end_of_a_refused_version_is_waited_for(void **state)
{
	(void)state;
	own_judgement = (struct inforce){ .number = 3, .state = INFORCE_DONE, .rolled_back = true };
	in_force = (struct version){ .number = 3, .digest = "d3" };
	n_peer_reports = 2;
	views[0] = (struct peers_report){
		.node = "fra-1",
		.state = PEERS_AGREED,
		.inforce = { .number = 3, .state = INFORCE_REFUSED, .digest = "d3" }
	};
	/* it went back before it could judge: it will never say anything of this version */
	views[1] = (struct peers_report){
		.node = "lon-1",
		.state = PEERS_AGREED,
		.inforce = { .number = 2, .state = INFORCE_DONE, .digest = "d2" }
	};
	meanwhile = end_it_later;
	assert_in_range(wait_for(true, "all", NULL), 400, 420);
	assert_false(is_complete());
	assert_true(json_is_true(json_object_get(node_at(0), "rolled_back")));
	assert_string_equal(text_at(1, "state"), "refused");
	meanwhile = NULL;
	in_force = (struct version){ .number = 3, .digest = "d3" };
	assert_int_equal(wait_for(true, "all", NULL), ALL_MS); /* a store that does not decide */
	assert_false(json_is_true(json_object_get(node_at(0), "rolled_back")));
	assert_string_equal(text_at(0, "state"), "in_force");
	assert_string_equal(text_at(0, "detail"),
	                    "a node refuses it; its end is not in the store yet");
}

/* A peer alone takes the version back while its maker waits; or another change wins. */
static void what_took_the_place_of_a_version_is_told(void **state)
{
	static const struct {
		const char *why, *digest, *parent, *stored;
		uint64_t number;
		int stored_err;
		bool superseded, rolled_back;
	} rows[] = {
		{ "the head", "d3", "", "", 3, -ENOENT, false, false },
		{ "no head is known", "", "", "", 0, -ENOENT, false, false },
		{ "taken back", "d2", "d1", "d3", 2, 0, true, true },
		{ "a later one is in force", "d1", "d2", "d3", 4, 0, false, false },
		{ "built on it", "d5", "d4", "d3", 5, 0, false, false },
		{ "another won", "e3", "", "e3", 3, 0, true, false },
		{ "another won and went on", "d4", "", "e3", 4, 0, true, false },
		{ "it is gone", "d4", "", "", 4, -ENOENT, true, false },
		{ "not known", "d4", "", "", 4, -EROFS, false, false },
		{ "taken back, and it cannot be read", "d2", "", "", 2, -EROFS, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		own_judgement = (struct inforce){ .number = 3, .state = INFORCE_DONE };
		in_force = (struct version){ .number = rows[i].number,
			                     .author = "weir",
			                     .node = "fra-1",
			                     .reason = "3 is refused" };
		strcpy(in_force.digest, rows[i].digest);
		strcpy(in_force.parent, rows[i].parent);
		strcpy(stored.digest, rows[i].stored);
		stored_err = rows[i].stored_err;
		assert_int_equal(wait_for(true, NULL, NULL), 0);
		if (is_complete() == rows[i].superseded ||
		    strcmp(text_at(0, "state"), rows[i].superseded ? "superseded" : "in_force"))
			fail_msg("%s: %s", rows[i].why, text_at(0, "state"));
		assert_int_equal(json_is_true(json_object_get(node_at(0), "rolled_back")),
		                 rows[i].rolled_back);
		if (rows[i].rolled_back)
			assert_string_equal(text_at(0, "detail"),
			                    "version 2 by weir on fra-1 is in force: 3 is refused");
		assert_int_equal(wait_for(false, NULL, NULL), 0); /* overrides are of no version */
		assert_true(is_complete());
	}
}

static void judge_next_later(void)
{
	if (fake_ms >= begun_ms + 400)
		next_judgement.state = INFORCE_DONE;
}

/* Who applies right after another is judged; the other's version is not any more, and is in force with it. */
static void a_version_that_another_was_built_on_is_judged_with_that_one(void **state)
{
	(void)state;
	own_judgement = (struct inforce){ .number = 3, .state = INFORCE_PENDING };
	next_judgement = (struct inforce){ .number = 4, .state = INFORCE_PENDING };
	in_force = (struct version){ .number = 4, .digest = "d4" };
	strcpy(stored.digest, "d3");
	meanwhile = judge_next_later;
	assert_in_range(wait_for(true, NULL, NULL), 400, 420);
	assert_true(is_complete());
	assert_string_equal(text_at(0, "state"), "in_force");
	next_judgement = (struct inforce){ .number = 4, .state = INFORCE_LATE };
	assert_int_equal(wait_for(true, NULL, "100"), 0);
	assert_false(is_complete());
	assert_string_equal(text_at(0, "state"), "late");
	for (int back = 0; back < 2; back++) { /* the other's mistake is not this one's */
		next_judgement.state = back ? INFORCE_DONE : INFORCE_REFUSED;
		next_judgement.rolled_back = back;
		assert_in_range(wait_for(true, NULL, "100"), 100, 120);
		assert_string_not_equal(text_at(0, "state"), "refused");
		assert_false(is_complete());
	}
	own_judgement.state = INFORCE_REFUSED; /* what was judged stays so */
	assert_int_equal(wait_for(true, NULL, NULL), 0);
	assert_string_equal(text_at(0, "state"), "refused");
}

static unsigned check_with(const char *name, const char *value, const char *if_match)
{
	struct http_request r = { .n_query = *name ? 1 : 0 };
	bool ok;

	snprintf(r.query[0].name, sizeof(r.query[0].name), "%s", name);
	snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", value);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	if (if_match) {
		snprintf(r.if_match, sizeof(r.if_match), "%s", if_match);
		ok = handle_if_match(&r, "\"v3-d3\"", true, &answer);
	} else {
		ok = handle_wait_ok(&r, &answer);
	}
	assert_int_equal(ok, answer.status == 0);
	return answer.status;
}

static void what_a_request_asks_for_makes_sense_or_not(void **state)
{
	static const struct {
		const char *name, *value, *if_match;
		unsigned status;
	} rows[] = {
		{ "", "", NULL, 0 },
		{ "wait", "all", NULL, 0 },
		{ "wait", "local", NULL, 0 },
		{ "wait", "", NULL, 400 },
		{ "wait", "ALL", NULL, 400 },
		{ "wait_ms", "0", NULL, 0 },
		{ "wait_ms", "60000", NULL, 0 },
		{ "wait_ms", "60001", NULL, 400 },
		{ "wait_ms", "x", NULL, 400 },
		{ "wait_ms", "", NULL, 400 },
		{ "wait_ms", "000000000060000", NULL, 0 },
		{ "wait_ms", "0000000000060000", NULL, 400 },
		{ "", "", "", 428 },
		{ "", "", "*", 0 },
		{ "", "", "\"v3-d3\"", 0 },
		{ "", "", "\"v3-d4\"", 412 },
		{ "", "", "v3-d3", 412 },
	};
	struct http_request r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (check_with(rows[i].name, rows[i].value, rows[i].if_match) != rows[i].status)
			fail_msg("row %zu: %u", i, answer.status);
	assert_true(handle_if_match(&r, "\"v3-d3\"", false, &answer)); /* it may be left out */
	snprintf(r.if_match, sizeof(r.if_match), "\"v1-d1\"");
	assert_false(handle_if_match(&r, "", false, &answer));
	assert_non_null(strstr(json_string_value(json_object_get(answer.json, "detail")),
	                       "the current ETag is none"));
}

static void numbers_of_a_query_have_bounds(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = { { "5", true, 5 },    { "10", true, 10 },
		     { "010", true, 10 }, { "4", false, 0 },
		     { "11", false, 0 },  { "", false, 0 },
		     { "-5", false, 0 },  { "5x", false, 0 },
		     { " 5", false, 0 },  { "0000000000000005", false, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .n_query = 1, .query = { { .name = "limit" } } };
		uint64_t value;

		snprintf(r.query[0].value, 32, "%s", rows[i].text);
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		if (handle_number(&r, "limit", 5, 10, 7, &value, &answer) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(answer.status, rows[i].ok ? 0 : 400);
		if (rows[i].ok)
			assert_int_equal(value, rows[i].value);
		assert_true(handle_number(&r, "since", 5, 10, 7, &value, &answer));
		assert_int_equal(value, 7);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_in_force_is_not_waited_for),
		T(each_process_is_waited_for),
		T(a_client_says_for_how_long_it_waits),
		T(a_wait_ends_when_all_have_it),
		T(a_node_that_is_not_listed_yet_is_waited_for),
		T(a_version_is_in_force_as_it_is_judged),
		T(each_peer_tells_how_it_judges_this_version),
		T(a_refusal_is_told_after_the_rollback),
		T(the_end_of_a_refused_version_is_waited_for),
		T(a_version_that_another_was_built_on_is_judged_with_that_one),
		T(what_took_the_place_of_a_version_is_told),
		T(what_a_request_asks_for_makes_sense_or_not),
		T(numbers_of_a_query_have_bounds),
	};

	return cmocka_run_group_tests_name("wait parts", tests, NULL, NULL);
}
