/* SPDX-License-Identifier: BSD-2-Clause */
/* The answering side of questions, with hostile peers: handle_announce_questions.c. */
#include "announce_scene.h"

#include "mgmt/api/handle.h"
#include "tests/unit/suite.h"

static struct http_reply reply;

static unsigned ask_this_node(json_t *body)
{
	struct http_request r = { .method = "POST", .role = HTTP_PEER, .json = body };

	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
	json_object_set_new(body, "query", json_string("withdrawals"));
	handle_peer_exchange(&this_node, &r, &reply);
	json_decref(body);
	return reply.status;
}

static json_t *query_of(const char *node, const char *questions)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "node", node, "cluster", "shop", "incarnation",
	                 "00000000000000ff", "questions", json_loads(questions, 0, NULL));
}

/* As many questions as the own weir-announce may have at a time have come. */
static void enter_all(void)
{
	core_lock(&this_node);
	for (size_t i = 0; i < 4; i++)
		assert_true(announce_questions_enter(&this_node, 5));
	assert_false(announce_questions_enter(&this_node, 5));
	core_unlock(&this_node);
}

static void leave_all(void)
{
	core_lock(&this_node);
	for (size_t i = 0; i < 4; i++)
		announce_questions_leave(&this_node);
	core_unlock(&this_node);
}

static const char *answer_at(size_t i)
{
	return json_string_value(json_array_get(json_object_get(reply.json, "answers"), i));
}

static void a_question_goes_to_the_own_weir_announce(void **state)
{
	(void)state;
	own_answer = "{\"ok\":true,\"answer\":\"confirmed\"}";
	assert_int_equal(ask_this_node(query_of("ams-2", "[[\"" WEB6 "\",7],[\"" SOLO "\",8],[\"" NS
	                                                 "\",9],[\"198.51.100.1\",9]]")),
	                 200);
	assert_int_equal(n_lines, 2);
	assert_string_equal(lines[0], "{\"do\":\"question\",\"address\":\"" WEB6
	                              "\",\"from\":\"ams-2\",\"incarnation\":"
	                              "\"00000000000000ff\",\"sent_ms\":7}");
	assert_string_equal(lines[1], "{\"do\":\"question\",\"address\":\"" NS
	                              "\",\"from\":\"ams-2\",\"incarnation\":"
	                              "\"00000000000000ff\",\"sent_ms\":9}");
	assert_string_equal(answer_at(0), "confirmed");
	assert_string_equal(answer_at(1), "not-shared");
	assert_string_equal(answer_at(2), "confirmed");
	assert_string_equal(answer_at(3), "not-shared");
	assert_int_equal(json_array_size(json_object_get(reply.json, "answers")), 4);
	enter_all(); /* that one has left */
	leave_all();
	own_answer = "{\"ok\":true,\"answer\":\"same-evidence\"}";
	assert_int_equal(ask_this_node(query_of("ams-2", "[[\"" WEB6 "\",7]]")), 200);
	assert_string_equal(answer_at(0), "same-evidence");
}

static void an_own_weir_announce_that_fails_confirms_nothing(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"[]",
		"{\"ok\":false,\"answer\":\"confirmed\"}",
		"{\"answer\":\"confirmed\"}",
		"{\"ok\":\"true\",\"answer\":\"confirmed\"}",
		"{\"ok\":true}",
		"{\"ok\":true,\"answer\":true}",
		"{\"ok\":true,\"answer\":[\"confirmed\"]}",
		"{\"ok\":true,\"answer\":\"confirmedconfirmedconfirmedconfirmed\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		own_answer = bad[i];
		told_ms += 1000;
		n_lines = 0;
		assert_int_equal(ask_this_node(query_of("fra-1", "[[\"" WEB4 "\",7]]")), 200);
		assert_string_equal(answer_at(0), "no-answer");
	}
}

/* Who may ask: another node of the document, of this cluster, about what both announce. */
static void wrong_names_get_no_answer(void **state)
{
	static const char *const names[] = { "ams-1", "", "AMS-2", "lon-1", "ams-2 " };
	json_t *body;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(ask_this_node(query_of(names[i], "[]")), 400);
	body = query_of("ams-2", "[]");
	json_object_set_new(body, "cluster", json_string("mail"));
	assert_int_equal(ask_this_node(body), 409);
	/* nodes that announce nothing, or nothing by this document */
	assert_int_equal(ask_this_node(query_of("mail", "[[\"" WEB4 "\",7]]")), 200);
	assert_string_equal(answer_at(0), "not-shared");
	assert_int_equal(ask_this_node(query_of("none", "[[\"" WEB4 "\",7]]")), 200);
	assert_string_equal(answer_at(0), "not-shared");
	assert_int_equal(n_lines, 0);
}

static void without_a_version_there_is_no_answer(void **state)
{
	(void)state;
	lone_node_open_with(false, "none yet");
	assert_int_equal(ask_this_node(query_of("ams-2", "[]")), 409);
}

static void malformed_queries_are_refused_whole(void **state)
{
	static const char *const questions[] = {
		"{}",
		"[1]",
		"[[]]",
		"[[\"" WEB4 "\"]]",
		"[[\"" WEB4 "\",0]]",
		"[[\"" WEB4 "\",-5]]",
		"[[\"" WEB4 "\",1.5]]",
		"[[\"" WEB4 "\",\"5\"]]",
		"[[\"" WEB4 "\",5,6]]",
		"[[\"web\",5]]",
		"[[5,5]]",
		"[[\"" WEB4 "\",5],[\"" WEB4 "/32\",5]]",
	};
	static const char *const incarnations[] = { "",
		                                    "ff",
		                                    "00000000000000fF",
		                                    "00000000000000ff0",
		                                    "-000000000000001",
		                                    "00000000000000ffg" };

	(void)state;
	for (size_t i = 0; i < COUNT(questions); i++)
		if (ask_this_node(query_of("ams-2", questions[i])) != 400)
			fail_msg("taken: %s", questions[i]);
	for (size_t i = 0; i < COUNT(incarnations); i++) {
		json_t *body = query_of("ams-2", "[]");

		json_object_set_new(body, "incarnation", json_string(incarnations[i]));
		assert_int_equal(ask_this_node(body), 400);
	}
	for (const char *name = "node\0"
	                        "cluster\0"
	                        "incarnation\0"
	                        "questions\0";
	     *name; name += strlen(name) + 1) {
		json_t *body = query_of("ams-2", "[]");

		json_object_del(body, name);
		assert_int_equal(ask_this_node(body), 400);
		body = query_of("ams-2", "[]");
		json_object_set_new(body, name, json_integer(3));
		assert_int_equal(ask_this_node(body), 400);
	}
	assert_int_equal(n_lines, 0);
}

/* The bound is what a node may announce. An own weir-announce that hangs is not waited for by each. */
static void over_long_queries_are_refused(void **state)
{
	json_t *questions = json_array(), *body;

	(void)state;
	while (json_array_size(questions) < 4096)
		json_array_append_new(questions, json_pack("[s, i]", WEB4, 7));
	body = query_of("ams-2", "[]");
	json_object_set(body, "questions", questions);
	own_answer = NULL;
	own_takes_ms = 150;
	assert_int_equal(ask_this_node(body), 200);
	assert_int_equal(n_lines, 3);
	assert_int_equal(json_array_size(json_object_get(reply.json, "answers")), 4096);
	assert_string_equal(answer_at(4095), "no-answer");
	while (json_array_size(questions) < 4097)
		json_array_append_new(questions, json_pack("[s, i]", WEB4, 7));
	n_lines = 0;
	body = query_of("ams-2", "[]");
	json_object_set_new(body, "questions", questions);
	assert_int_equal(ask_this_node(body), 400);
	assert_int_equal(n_lines, 0);
}

static void a_flood_of_questions_ends_before_weir_announce(void **state)
{
	size_t n = 0;

	(void)state;
	own_answer = "{\"ok\":true,\"answer\":\"not-announced\"}";
	for (size_t i = 0; i < 1000; i++) {
		n_lines = 0;
		if (ask_this_node(query_of("ams-2", "[[\"" WEB4 "\",7]]")) == 200)
			n++;
		else
			assert_true(reply.status == 503 && n_lines == 0);
	}
	assert_true(n >= 10 && n <= 100);
	/* others are heard, and without a question so is that one */
	assert_int_equal(ask_this_node(query_of("fra-1", "[[\"" WEB4 "\",7]]")), 200);
	assert_int_equal(ask_this_node(query_of("ams-2", "[]")), 200);
	told_ms += 10000;
	assert_int_equal(ask_this_node(query_of("ams-2", "[[\"" WEB4 "\",7]]")), 200);
	enter_all(); /* the own weir-announce is slow: each of them has a thread */
	assert_int_equal(ask_this_node(query_of("fra-1", "[[\"" WEB4 "\",7]]")), 503);
}

static int begin_answers(void **state)
{
	(void)setup(state);
	n_lines = 0;
	return 0;
}

static void drop_reply(void)
{
	http_reply_fini(&reply);
	memset(&reply, 0, sizeof(reply));
}

static int end_answers(void **state)
{
	drop_reply();
	return teardown(state);
}

static int end_lone(void **state)
{
	drop_reply();
	return lone_node_close(state);
}

SUITE(announce_answers)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_answers, end_answers)
	const struct CMUnitTest tests[] = {
		T(a_question_goes_to_the_own_weir_announce),
		T(an_own_weir_announce_that_fails_confirms_nothing),
		T(wrong_names_get_no_answer),
		cmocka_unit_test_teardown(without_a_version_there_is_no_answer, end_lone),
		T(malformed_queries_are_refused_whole),
		T(over_long_queries_are_refused),
		T(a_flood_of_questions_ends_before_weir_announce),
	};

	told_peers_begin();
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests_name("announce answers", tests, NULL, NULL);
}
