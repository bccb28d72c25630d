/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket of weir-announce: announce/command.c and announce/others.c. */
#include "round_scene.h"
#include "tests/unit/suite.h"

static const char zoes_question[] =
        "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
        "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}";

static void a_confirmation_from_the_socket_withdraws(void **state)
{
	(void)state;
	char line[256];
	uint64_t n = 0;

	a.counters.confirmations = &n;
	announce_and_wait();
	proved.vip.n_serving = 0;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.query_ms, now_ms);
	snprintf(line, sizeof(line),
	         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
	         "\"incarnation\":\"%016x\",\"sent_ms\":%llu}",
	         INCARNATION, (unsigned long long)row.query_ms);
	now_ms += 50;
	expect_reply(line, "\"counts\":true");
	assert_int_equal(n, 1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_POOLS_DOWN);
	assert_int_equal(row.query_ms, 0);
}

/* By nobody, by nodes that do not announce it, to a question that was not asked. */
static void made_up_confirmations_do_not_count(void **state)
{
	(void)state;
	static const char *const names[] = { "nobody", "mid", "off", "far", "!" };
	char line[256];
	uint64_t n = 0;

	a.counters.confirmations = &n;
	announce_and_wait();
	proved.vip.n_serving = 0;
	run_rounds(1);
	now_ms += 50;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(line, sizeof(line),
		         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"%s\","
		         "\"incarnation\":\"%016x\",\"sent_ms\":%llu}",
		         names[i], INCARNATION, (unsigned long long)row.query_ms);
		expect_reply(line, "\"ok\":false");
	}
	snprintf(line, sizeof(line),
	         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
	         "\"incarnation\":\"%016x\",\"sent_ms\":%llu}",
	         INCARNATION, (unsigned long long)row.query_ms + 1);
	expect_reply(line, "\"counts\":false");
	assert_int_equal(n, 0);
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

static void a_burst_of_messages_shares_a_round(void **state)
{
	(void)state;
	uint64_t began_ms;

	announce_and_wait();
	began_ms = now_ms + 100;
	for (now_ms = began_ms; now_ms < began_ms + 100; now_ms++) {
		expect_reply("{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		             "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		             "\"answer\"");
		assert_true(now_ms - a.round_ms <= 20);
		assert_int_equal((a.round_ms - began_ms) % 21, 0);
	}
}

static void a_question_from_the_socket_is_answered(void **state)
{
	(void)state;
	static const char question[] =
	        "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
	        "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}";

	uint64_t counts[ANNOUNCE_ANSWER_COUNT] = { 0 }, n = 0;

	for (int i = 0; i < ANNOUNCE_ANSWER_COUNT; i++)
		a.counters.answers[i] = &counts[i];
	proved.is_there = false;
	run_rounds(1);
	expect_reply(question, "\"answer\":\"not-announced\"");
	proved.is_there = true;
	announce_and_wait();
	for (int i = 0; i < 2; i++)
		expect_reply(question, "\"answer\":\"confirmed\"");
	for (int i = 0; i < ANNOUNCE_ANSWER_COUNT; i++) {
		const char *label = announce_answer_label((enum announce_answer)i);

		if (!strcmp(label, "not-announced"))
			assert_int_equal(counts[i], 1);
		if (!strcmp(label, "confirmed"))
			assert_int_equal(counts[i], 2);
		n += counts[i];
	}
	assert_int_equal(n, 3);
	assert_int_equal(row.state.promised_until_ms, now_ms + ANNOUNCE_PROMISE_MS);
}

/* The process was stopped: its socket is served before its clock. */
static void after_a_pause_a_question_is_answered_by_what_is_so_now(void **state)
{
	(void)state;
	announce_and_wait();
	proved.node.ports[0].up = PROOF_NO;
	now_ms += 3000;
	expect_reply(zoes_question, "\"answer\":\"not-announced\"");
	assert_false(is_in(NORMAL_TABLE));
	assert_false(row.state.promised);
}

/* The daemon is asked, and the other node asks again. */
static void an_export_that_was_read_long_ago_is_read_again(void **state)
{
	(void)state;
	uint64_t hurry_ns;

	announce_and_wait();
	now_ms += EVIDENCE_EXPORT_MS;
	proved.vip.proved_ms = ++now_ms;
	expect_reply(zoes_question, "\"answer\":\"not-announced\"");
	assert_true(shown_route()->pending);
	hurry_ns = routing->rows[0].hurry_ns; /* it is asked already */
	expect_reply(zoes_question, "\"answer\":\"not-announced\"");
	assert_int_equal(routing->rows[0].hurry_ns, hurry_ns);
	run_rounds(1);
	expect_reply(zoes_question, "\"answer\":\"confirmed\"");
	assert_false(shown_route()->pending);
}

/* Any process of Weir may connect; only weir-mgmt may speak for other nodes. */
static void others_than_weir_mgmt_are_refused(void **state)
{
	(void)state;
	char *text;

	announce_and_wait();
	text = command_reply(&a, zoes_question, strlen(zoes_question), false, now_ms);
	assert_non_null(text);
	assert_non_null(strstr(text, "only weir-mgmt"));
	free(text);
	assert_false(row.state.promised);
}

static void who_else_announces_is_known_for_two_seconds(void **state)
{
	(void)state;
	static const struct {
		const char *why, *heard, *silent, *names;
		enum announce_truth others;
	} cases[] = {
		{ "one does", "\"zoe\",\"ann\"", "", "\"zoe\"", ANNOUNCE_YES },
		{ "one does, the other is not known", "\"ann\"", "", "\"ann\"", ANNOUNCE_YES },
		{ "none does", "\"zoe\",\"ann\"", "", "", ANNOUNCE_NO },
		{ "one is gone", "\"ann\"", "\"zoe\"", "", ANNOUNCE_NO },
		{ "both are gone", "", "\"zoe\",\"ann\"", "", ANNOUNCE_NO },
		{ "one is not known", "\"zoe\"", "", "", ANNOUNCE_UNKNOWN },
		{ "nobody is known", "", "", "", ANNOUNCE_UNKNOWN },
		{ "one that was not heard", "\"ann\"", "\"zoe\"", "\"zoe\"", ANNOUNCE_NO },
		{ "nodes that shall not", "\"off\",\"far\",\"mid\",\"x\"", "\"zoe\",\"ann\"",
		  "\"off\",\"far\",\"mid\",\"x\"", ANNOUNCE_NO },
		{ "what is no name", "1,null,\"zoe\",[]", "{},\"ann\"", "7,\"zoe\"", ANNOUNCE_YES },
	};
	char line[512];

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		now_ms += 10000;
		assert_int_equal(others_announce(&row, now_ms), ANNOUNCE_UNKNOWN);
		snprintf(line, sizeof(line),
		         "{\"do\":\"others\",\"heard\":[%s],\"silent\":[%s],\"addresses\":"
		         "{\"192.0.2.1\":[%s],\"192.0.2.9\":[],\"x\":[]}}",
		         cases[i].heard, cases[i].silent, cases[i].names);
		expect_reply(line, "\"known\":1");
		assert_int_equal(others_announce(&row, now_ms + COMMAND_SAID_MS), cases[i].others);
		assert_int_equal(others_announce(&row, now_ms + COMMAND_SAID_MS + 1),
		                 ANNOUNCE_UNKNOWN);
	}
	now_ms += 10000; /* what is no list of names says nothing of the address */
	expect_reply("{\"do\":\"others\",\"heard\":[\"zoe\",\"ann\"],\"silent\":[],"
	             "\"addresses\":{\"192.0.2.1\":\"zoe\"}}",
	             "\"known\":0");
	assert_int_equal(others_announce(&row, now_ms), ANNOUNCE_UNKNOWN);
	row.intended.is_shared = false;
	assert_int_equal(others_announce(&row, now_ms), ANNOUNCE_NO);
}

/* Two nodes lost their ports at once: whoever is back first need not wait. */
static void without_another_node_there_is_no_hold_down(void **state)
{
	(void)state;
	announce_and_wait();
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	proved.node.ports[0].up = PROOF_YES;
	run_rounds(5);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_HELD);
	expect_reply("{\"do\":\"others\",\"heard\":[\"zoe\"],\"silent\":[\"ann\"],"
	             "\"addresses\":{\"192.0.2.1\":[]}}",
	             "\"known\":1");
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

static void a_drain_that_is_empty_asks_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	row.intended.command = ANNOUNCE_COMMAND_DRAIN;
	run_rounds(3);
	assert_false(is_in(NORMAL_TABLE));
	assert_true(is_in(SHUTDOWN_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_DRAINING);
	expect_reply("{\"do\":\"emptied\"}", "\"ok\":true");
	run_rounds(1);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_DRAIN_UNCONFIRMED);
	run_rounds(21); /* it is not so any more */
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_DRAINING);
	row.intended.command = ANNOUNCE_COMMAND_NONE;
	run_rounds(3);
	assert_true(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

static void a_stop_withdraws_all_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	expect_reply("{\"do\":\"stop\"}", "\"left\":0");
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_STOPPED);
	run_rounds(20);
	assert_false(is_in(NORMAL_TABLE));
}

/* What an earlier process announced is withdrawn, too. */
static void a_stop_without_a_document_leaves_nothing(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	a.model = NULL;
	a.n_rows = 0;
	expect_reply("{\"do\":\"stop\"}", "\"left\":0");
	assert_true(a.left_withdrawn);
	assert_false(is_in(NORMAL_TABLE));
}

#define FROM_ZOE        "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
#define FIRST_LIFE      "\"incarnation\":\"0000000000000001\","
#define BAD_DO          "\"do\" must be question, confirmed, others, emptied or stop"
#define BAD_OTHERS      "\"heard\" and \"silent\" must be lists, \"addresses\" an object"
#define BAD_NAME        "the node's name is missing or too long"
#define BAD_INCARNATION "\"incarnation\" must be 16 hexadecimal digits"
#define BAD_TIME        "\"sent_ms\" must be a positive number"

static void bad_requests_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *line, *error;
	} rows[] = {
		{ "", "not a JSON object in one line" },
		{ "{", "not a JSON object in one line" },
		{ "[]", BAD_DO },
		{ "{}", BAD_DO },
		{ "{\"do\":1}", BAD_DO },
		{ "{\"do\":\"withdraw\"}", BAD_DO },
		{ "{\"do\":\"stop\",\"do\":\"stop\"}", "not a JSON object in one line" },
		{ "{\"do\":\"others\"}", BAD_OTHERS },
		{ "{\"do\":\"others\",\"heard\":{},\"silent\":[],\"addresses\":{}}", BAD_OTHERS },
		{ "{\"do\":\"others\",\"heard\":[],\"silent\":1,\"addresses\":{}}", BAD_OTHERS },
		{ "{\"do\":\"others\",\"heard\":[],\"silent\":[],\"addresses\":[]}", BAD_OTHERS },
		{ "{\"do\":\"question\"}",
		  "\"address\" must be one that this node is configured to announce" },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.9\",\"from\":\"zoe\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  "\"address\" must be one that this node is configured to announce" },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.1\"}", BAD_NAME },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  BAD_NAME },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  BAD_NAME },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"by\":\"zoe\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  BAD_NAME },
		{ "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"nobody\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  "the node must be another one that the configuration makes announce the address" },
		{ FROM_ZOE "\"incarnation\":\"1\",\"sent_ms\":5}", BAD_INCARNATION },
		{ FROM_ZOE "\"incarnation\":\"000000000000000G\",\"sent_ms\":5}", BAD_INCARNATION },
		{ FROM_ZOE "\"incarnation\":\"00000000000000000\",\"sent_ms\":5}",
		  BAD_INCARNATION },
		{ FROM_ZOE "\"sent_ms\":5}", BAD_INCARNATION },
		{ FROM_ZOE FIRST_LIFE "\"sent_ms\":-5}", BAD_TIME },
		{ FROM_ZOE FIRST_LIFE "\"sent_ms\":0}", BAD_TIME },
		{ FROM_ZOE FIRST_LIFE "\"sent_ms\":5.5}", BAD_TIME },
		{ FROM_ZOE FIRST_LIFE "\"sent_ms\":\"5\"}", BAD_TIME },
		{ FROM_ZOE "\"incarnation\":\"0000000000000001\"}", BAD_TIME },
		{ "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"from\":\"zoe\"," FIRST_LIFE
		  "\"sent_ms\":5}",
		  BAD_NAME },
		{ "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"mid\","
		  "\"incarnation\":\"000000000000004d\",\"sent_ms\":5}",
		  "the node must be another one that the configuration makes announce the address" },
		{ "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
		  "\"incarnation\":\"000000000000004d\",\"sent_ms\":0}",
		  BAD_TIME },
	};

	announce_and_wait();
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *expected = json_pack("{s:b,s:s}", "ok", 0, "error", rows[i].error);
		char *reply = send_request(rows[i].line),
		     *text = json_dumps(expected, JSON_COMPACT);

		print_message("  %s\n", rows[i].line);
		assert_string_equal(reply, text);
		json_decref(expected);
		free(reply);
		free(text);
	}
	assert_true(is_in(NORMAL_TABLE));
}

/* What is wrong is said of what is wrong: the node that sent it logs the answer. */
static void a_name_that_is_none_is_told_from_an_unknown_one(void **state)
{
	static const struct {
		unsigned length;
		const char *error;
	} cases[] = {
		{ 0, "missing or too long" },
		{ 1, "must be another one" },
		{ ANNOUNCE_NODE_MAX - 1, "must be another one" },
		{ ANNOUNCE_NODE_MAX, "missing or too long" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[ANNOUNCE_NODE_MAX + 1] = "", line[256];

		memset(name, 'x', cases[i].length);
		snprintf(line, sizeof(line),
		         "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"%s\","
		         "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		         name);
		expect_reply(line, cases[i].error);
	}
}

SUITE(command)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_confirmation_from_the_socket_withdraws),
		SCENE_TEST(made_up_confirmations_do_not_count),
		SCENE_TEST(a_burst_of_messages_shares_a_round),
		SCENE_TEST(a_question_from_the_socket_is_answered),
		SCENE_TEST(after_a_pause_a_question_is_answered_by_what_is_so_now),
		SCENE_TEST(an_export_that_was_read_long_ago_is_read_again),
		SCENE_TEST(others_than_weir_mgmt_are_refused),
		SCENE_TEST(who_else_announces_is_known_for_two_seconds),
		SCENE_TEST(without_another_node_there_is_no_hold_down),
		SCENE_TEST(a_drain_that_is_empty_asks_at_once),
		SCENE_TEST(a_stop_withdraws_all_at_once),
		SCENE_TEST(a_stop_without_a_document_leaves_nothing),
		SCENE_TEST(bad_requests_are_refused),
		SCENE_TEST(a_name_that_is_none_is_told_from_an_unknown_one),
	};

	if (!enter_namespace())
		return SKIPPED;
	return cmocka_run_group_tests_name("announce command", tests, NULL, NULL);
}
