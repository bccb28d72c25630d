/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket of weir-announce: announce/command.c. */
#include "round_scene.h"

static void a_confirmation_from_the_socket_withdraws(void **state)
{
	(void)state;
	char line[256];

	announce_and_wait();
	fake.vip.n_serving = 0;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.query_ms, now_ms);
	snprintf(line, sizeof(line),
	         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
	         "\"incarnation\":\"%016x\",\"sent_ms\":%llu}",
	         INCARNATION, (unsigned long long)row.query_ms);
	now_ms += 50;
	expect_reply(line, "\"counts\":true");
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_POOLS_DOWN);
	assert_int_equal(row.query_ms, 0);
}

static void a_question_from_the_socket_is_answered(void **state)
{
	(void)state;
	static const char question[] =
	        "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
	        "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}";

	fake.proved = false;
	run_rounds(1);
	expect_reply(question, "\"answer\":\"not-announced\"");
	fake.proved = true;
	announce_and_wait();
	expect_reply(question, "\"answer\":\"confirmed\"");
	assert_int_equal(row.state.promised_until_ms, now_ms + ANNOUNCE_PROMISE_MS);
}

static void bad_requests_are_refused(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"do\":1}",
		"{\"do\":\"withdraw\"}",
		"{\"do\":\"question\"}",
		"{\"do\":\"question\",\"address\":\"192.0.2.9\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":"
		"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"1\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"000000000000000G\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":-5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":\"5\"}",
		"{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"mid\","
		"\"incarnation\":\"000000000000004d\",\"sent_ms\":5}",
	};

	announce_and_wait();
	for (size_t i = 0; i < COUNT(lines); i++)
		expect_reply(lines[i], "\"ok\":false");
	assert_true(is_in(NORMAL_TABLE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_confirmation_from_the_socket_withdraws),
		SCENE_TEST(a_question_from_the_socket_is_answered),
		SCENE_TEST(bad_requests_are_refused),
	};

	return cmocka_run_group_tests_name("announce command", tests, NULL, NULL);
}
