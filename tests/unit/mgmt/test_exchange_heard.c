/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peers there are, and which of them count as silent: what was not asked, or answers in any
 * way, does not.
 */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_time.h"

#include "mgmt/peers/exchange_internal.h"

/* The documented value, not the code's own: a change of it is seen. */
#define SILENT_MS  6000u
#define FAILING_MS 3000u

static struct exchange_peer peers[3];
static struct exchange exchange;

/* ams-2 is of the own site; fra-1 and fra-2 are of another one, and fra-2 is not asked. All are listed for long. */
static int setup(void **state)
{
	static const char *const names[] = { "ams-2", "fra-1", "fra-2" };

	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	lone_node_open("");
	exchange = (struct exchange){ .core = &this_node, .n = 3 };
	for (size_t i = 0; i < 3; i++) {
		peers[i] = (struct exchange_peer){ .exchange = &exchange,
			                           .is_own_site = !i,
			                           .is_chosen = i < 2,
			                           .listed_ms = told_ms - SILENT_MS - 5 };
		snprintf(peers[i].node, sizeof(peers[i].node), "%s", names[i]);
		snprintf(peers[i].site, sizeof(peers[i].site), "%.3s", names[i]);
		exchange.peers[i] = &peers[i];
	}
	this_node.exchange = &exchange;
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	core_unlock(&this_node);
	this_node.exchange = NULL;
	for (size_t i = 0; i < 3; i++)
		for (int k = 0; k < EXCHANGE_N_SECTIONS; k++)
			exchange_word_fini(&peers[i].words[k]);
	return lone_node_close(state);
}

static bool counts_as_silent(const char *node)
{
	return exchange_hear(&this_node, node).is_silent;
}

static void who_was_not_asked_is_not_silent(void **state)
{
	(void)state;
	assert_false(counts_as_silent("ams-2")); /* one of many that wait for their turn */
	assert_false(counts_as_silent("fra-2")); /* nobody of its site is heard */
	assert_false(counts_as_silent("lon-1")); /* no peer */
}

static void who_was_asked_for_long_is_silent(void **state)
{
	uint64_t now_ms = told_ms;

	(void)state;
	/* the first answer that fails after this node was stopped */
	peers[0].silent_ms = now_ms - FAILING_MS + 2000;
	assert_false(counts_as_silent("ams-2"));
	peers[0].silent_ms = now_ms - FAILING_MS;
	assert_true(counts_as_silent("ams-2"));
	peers[0].words[EXCHANGE_HEAD].true_ms = now_ms - SILENT_MS + 2000;
	assert_false(counts_as_silent("ams-2"));
	peers[0].words[EXCHANGE_HEAD].true_ms = now_ms - SILENT_MS;
	assert_true(counts_as_silent("ams-2"));
	peers[0].listed_ms = now_ms; /* of a new document */
	assert_false(counts_as_silent("ams-2"));
}

/* Also where it once refused: it was replaced by others since. */
static void who_is_not_asked_is_silent_if_its_site_says_nothing_of_it(void **state)
{
	(void)state;
	peers[2].is_refused = true;
	peers[1].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + SILENT_MS - 1;
	assert_false(counts_as_silent("fra-2")); /* who would pass its words on hangs itself */
	peers[1].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + SILENT_MS;
	assert_true(counts_as_silent("fra-2"));
	peers[2].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + 1;
	assert_false(counts_as_silent("fra-2"));
	peers[2].words[EXCHANGE_HEAD].true_ms = 0;
	peers[1].is_failed = true; /* it says nothing any more itself */
	assert_false(counts_as_silent("fra-2"));
	peers[1].is_failed = false;
	snprintf(peers[1].site, sizeof(peers[1].site), "lon");
	assert_false(counts_as_silent("fra-2"));
}

static void what_was_said_is_given_with_its_age(void **state)
{
	(void)state;
	assert_null(exchange_hear(&this_node, "fra-1").announced);
	(void)exchange_word_set(&peers[1].words[EXCHANGE_ANNOUNCED], json_object(), 77);
	assert_int_equal(exchange_hear(&this_node, "fra-1").announced->true_ms, 77);
	assert_null(exchange_hear(&this_node, "fra-2").announced);
	this_node.exchange = NULL; /* it has not begun */
	assert_null(exchange_hear(&this_node, "fra-1").announced);
	this_node.exchange = &exchange;
}

static void a_question_wants_the_section_whole(void **state)
{
	(void)state;
	(void)exchange_word_set(&peers[1].words[EXCHANGE_HEAD], json_object(), 77);
	(void)exchange_word_set(&peers[1].words[EXCHANGE_ANNOUNCED], json_object(), 77);
	char *text = exchange_question_now(&this_node, "fra-1", EXCHANGE_ANNOUNCED);
	json_t *question = json_loads(text, 0, NULL);
	const char *have =
	        json_string_value(json_object_get(json_object_get(question, "have"), "fra-1"));

	assert_non_null(question);
	assert_true(json_is_false(json_object_get(question, "site")));
	assert_int_equal(json_integer_value(json_object_get(question, "wait_ms")), 0);
	assert_int_equal(json_object_size(json_object_get(question, "have")), 1);
	assert_memory_equal(have, peers[1].words[EXCHANGE_HEAD].stamp, 16);
	assert_int_equal(strspn(have + 16, "-"),
	                 112); /* of load, health, announced, arrivals, audit, members, verdicts */
	json_decref(question);
	free(text);
	assert_null(exchange_question_now(&this_node, "lon-1", EXCHANGE_ANNOUNCED));
}

SUITE(exchange_heard)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_was_not_asked_is_not_silent),
		TEST(who_was_asked_for_long_is_silent),
		TEST(who_is_not_asked_is_silent_if_its_site_says_nothing_of_it),
		TEST(what_was_said_is_given_with_its_age),
		TEST(a_question_wants_the_section_whole),
	};

	told_time_begin(TOLD_APART);
	return cmocka_run_group_tests_name("exchange heard", tests, NULL, NULL);
}
