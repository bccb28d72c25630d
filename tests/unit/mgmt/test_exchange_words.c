/* SPDX-License-Identifier: BSD-2-Clause */
/* What nodes say of each other: read whole or not at all, never younger than it is, and whom to ask. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "mgmt/peers/exchange_words.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define PASS_MS  10000
#define PER_SITE 3

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define STAMP    "00000000000000aa"
#define OTHER    "00000000000000bb"

/* fra-1 and fra-2 are of the site that answers, ams-1 is of another one, zrh-1 is not known. */
static int find_node(void *arg, const char *name)
{
	(void)arg;
	return !strcmp(name, "fra-1")   ? 0
	       : !strcmp(name, "fra-2") ? 1
	       : !strcmp(name, "ams-1") ? EXCHANGE_NOT_HIS
	                                : EXCHANGE_UNKNOWN;
}

static int read_text(const char *text, struct exchange_read *out, json_t **answer)
{
	const struct exchange_expected expected = {
		.node = "fra-1", .cluster = "shop", .nodes_max = 3, .find = find_node
	};
	const char *reason = NULL;

	*answer = json_loads(text, JSON_DECODE_ANY, NULL);
	int err = exchange_read(*answer, &expected, out, &reason);
	if (err)
		assert_non_null(reason);
	return err;
}

#define ANSWER(nodes)                                                                              \
	"{\"node\":\"fra-1\",\"cluster\":\"shop\",\"waited_ms\":5,\"nodes\":" nodes "}"
#define WORD(age, other) ANSWER("{\"fra-1\":[" age ",null,{\"head\":" other "}]}")
#define BODY(body)       WORD("7", "[\"" STAMP "\"," body "]")
#define AGE(age)         WORD(age, "[\"" STAMP "\",{}]")

static void a_malformed_answer_says_nothing(void **state)
{
	static const struct {
		const char *why, *text;
		int err;
	} rows[] = {
		{ "nothing new", ANSWER("{}"), 0 },
		{ "a word", BODY("{}"), 0 },
		{ "unchanged", ANSWER("{\"fra-1\":[7]}"), 0 },
		{ "an age of a section of a later release",
		  ANSWER("{\"fra-1\":[7,7,7,7,7,7,7,7,\"x\"]}"), 0 },
		{ "no words at all", ANSWER("{\"fra-1\":[]}"), 0 },
		{ "no object", "[]", -EINVAL },
		{ "no JSON at all", "", -EINVAL },
		{ "another node",
		  "{\"node\":\"fra-2\",\"cluster\":\"shop\",\"waited_ms\":5,\"nodes\":{}}",
		  -EINVAL },
		{ "another cluster",
		  "{\"node\":\"fra-1\",\"cluster\":\"mail\",\"waited_ms\":5,\"nodes\":{}}",
		  -EINVAL },
		{ "no cluster", "{\"node\":\"fra-1\",\"waited_ms\":5,\"nodes\":{}}", -EINVAL },
		{ "it waited less than no time",
		  "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"waited_ms\":-1,\"nodes\":{}}",
		  -EINVAL },
		{ "it does not say how long it waited",
		  "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"nodes\":{}}", -EINVAL },
		{ "no nodes", "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"waited_ms\":5}",
		  -EINVAL },
		{ "a list of nodes", ANSWER("[]"), -EINVAL },
		{ "too many nodes", ANSWER("{\"a\":[],\"b\":[],\"c\":[],\"d\":[]}"), -EINVAL },
		{ "as many as there may be", ANSWER("{\"a\":[],\"b\":[],\"c\":[]}"), 0 },
		{ "of another site", ANSWER("{\"ams-1\":[7]}"), -EINVAL },
		{ "of another site, and empty", ANSWER("{\"ams-1\":[]}"), -EINVAL },
		{ "malformed of an unknown node", ANSWER("{\"zrh-1\":[\"x\"]}"), -EINVAL },
		{ "a node that is no list", ANSWER("{\"fra-1\":{}}"), -EINVAL },
		{ "an age below zero", AGE("-1"), -EINVAL },
		{ "an age beyond all", AGE("9223372036854775807"), -EINVAL },
		{ "words without an age", AGE("null"), -EINVAL },
		{ "words of a section that has no place for its age",
		  ANSWER("{\"fra-1\":[7,{\"health\":[\"" STAMP "\",{}]}]}"), -EINVAL },
		{ "words before an age", ANSWER("{\"fra-1\":[{\"head\":[\"" STAMP "\",{}]},7]}"),
		  -EINVAL },
		{ "half a millisecond", AGE("0.5"), -EINVAL },
		{ "half a millisecond, unchanged", ANSWER("{\"fra-1\":[7,0.5]}"), -EINVAL },
		{ "no stamp", WORD("7", "[{}]"), -EINVAL },
		{ "a short stamp", WORD("7", "[\"aa\",{}]"), -EINVAL },
		{ "a long stamp", WORD("7", "[\"" STAMP "0\",{}]"), -EINVAL },
		{ "no hex", WORD("7", "[\"00000000000000AA\",{}]"), -EINVAL },
		{ "a body that is no object", BODY("[]"), -EINVAL },
		{ "null for a body", BODY("null"), -EINVAL },
		{ "a stamp without a body", WORD("7", "[\"" STAMP "\"]"), -EINVAL },
		{ "more than a word", BODY("{},1"), -EINVAL },
		{ "no word", WORD("7", "{}"), -EINVAL },
		{ "the second one is malformed", ANSWER("{\"fra-2\":[7,null,-7]}"), -EINVAL },
	};
	struct exchange_read read;
	json_t *answer;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		read = (struct exchange_read){ .waited_ms = 77 };
		int err = read_text(rows[i].text, &read, &answer);

		if (err != rows[i].err || (err && (read.waited_ms != 77 || read.said)))
			fail_msg("%s: %d", rows[i].why, err);
		free(read.said);
		json_decref(answer);
	}
}

static void an_answer_speaks_for_a_site(void **state)
{
	struct exchange_read read;
	json_t *answer;

	(void)state;
	assert_int_equal(read_text(ANSWER("{\"fra-2\":[null,null,9,"
	                                  "{\"health\":[\"" STAMP "\",{\"x\":1}],\"later\":5}],"
	                                  "\"zrh-1\":[1,{\"head\":[\"" STAMP "\",{}]}],"
	                                  "\"fra-1\":[0]}"),
	                           &read, &answer),
	                 0);
	assert_int_equal(read.waited_ms, 5);
	assert_int_equal(read.n_said, 2); /* not of a node that nobody knows */
	const struct exchange_said *said = &read.said[read.said[0].node == 1 ? 0 : 1];
	assert_int_equal(said->node, 1);
	assert_int_equal(said->section, EXCHANGE_HEALTH);
	assert_int_equal(said->age_ms, 9);
	assert_string_equal(said->stamp, STAMP);
	assert_int_equal(json_integer_value(json_object_get(said->body, "x")), 1);
	said = &read.said[read.said[0].node == 1 ? 1 : 0];
	assert_int_equal(said->section, EXCHANGE_HEAD);
	assert_null(said->body);
	free(read.said);
	json_decref(answer);
}

/* However long an answer was under way or says that it waited. */
static void words_never_get_younger(void **state)
{
	static const struct {
		const char *why;
		uint64_t sent_ms, received_ms, waited_ms, age_ms, true_ms;
	} rows[] = {
		{ "made at once", 1000, 1400, 0, 0, 1000 },
		{ "held: it was made later", 1000, 2600, 1500, 0, 2500 },
		{ "with an age", 1000, 2600, 1500, 300, 2200 },
		{ "it cannot have waited longer than it took", 1000, 1400, 9000, 0, 1400 },
		{ "older than this node's clock", 1000, 1400, 0, 5000, 0 },
		{ "a clock that stood", 1000, 1000, 0, 0, 1000 },
		{ "as old as can be said", 1000, 1400, 0, UINT64_MAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t true_ms = exchange_true_ms(rows[i].sent_ms, rows[i].received_ms,
		                                    rows[i].waited_ms, rows[i].age_ms);

		if (true_ms != rows[i].true_ms)
			fail_msg("%s: %d", rows[i].why, (int)true_ms);
		assert_true(true_ms <= rows[i].received_ms);
	}
}

/* A word that was heard at 500 is to be said of by answers to questions of 600. */
#define ASKED_MS 600
#define NOW_MS   700

static enum exchange_accepted accept_said(struct exchange_word *word,
                                          const struct exchange_said *said, uint64_t true_ms)
{
	return exchange_accept(word, said, true_ms, ASKED_MS, NOW_MS);
}

static struct exchange_said make_said(const char *stamp, json_t *body)
{
	return (struct exchange_said){ .stamp = stamp, .body = body };
}

static void of_several_the_youngest_word_counts(void **state)
{
	struct exchange_word word = { 0 };
	json_t *first = json_pack("{s:i}", "n", 1), *second = json_pack("{s:i}", "n", 2);
	struct exchange_said one = make_said(STAMP, first), two = make_said(OTHER, second),
	                     again = make_said(STAMP, first), same = make_said(NULL, NULL);

	(void)state;
	assert_int_equal(accept_said(&word, &same, 900), EXCHANGE_OLDER); /* no words */
	assert_int_equal(exchange_accept(&word, &one, 1000, 0, 500), EXCHANGE_OTHER);
	assert_int_equal(accept_said(&word, &same, 1000), EXCHANGE_OLDER);
	assert_int_equal(accept_said(&word, &same, 900), EXCHANGE_OLDER);
	assert_int_equal(word.true_ms, 1000);
	assert_int_equal(accept_said(&word, &two, 1000), EXCHANGE_OLDER);
	assert_ptr_equal(word.body, first);
	assert_int_equal(accept_said(&word, &same, 1200), EXCHANGE_SAME);
	assert_int_equal(word.true_ms, 1200);
	assert_int_equal(accept_said(&word, &two, 1100), EXCHANGE_OLDER); /* a slow relay */
	assert_int_equal(accept_said(&word, &again, 1250), EXCHANGE_SAME);
	assert_int_equal(accept_said(&word, &two, 1300), EXCHANGE_OTHER);
	/* unchanged since 600: that says nothing of words that came at 700 by another way */
	assert_int_equal(accept_said(&word, &same, 1400), EXCHANGE_OLDER);
	assert_int_equal(exchange_accept(&word, &same, 1400, NOW_MS, 800), EXCHANGE_OLDER);
	assert_int_equal(exchange_accept(&word, &same, 1400, NOW_MS + 1, 800), EXCHANGE_SAME);
	assert_ptr_equal(word.body, second);
	assert_string_equal(word.stamp, OTHER);
	json_decref(first);
	json_decref(second);
	assert_int_equal(word.body->refcount, 1);
	exchange_word_fini(&word);
}

static bool has_body(const json_t *encoded, const char *section)
{
	size_t n = json_array_size(encoded);

	return json_object_get(json_array_get(encoded, n - 1), section) != NULL;
}

/* The ages of the first two sections; -1: none. The others have none. */
static void expect_ages(const json_t *encoded, int head_ms, int load_ms)
{
	for (size_t i = 0; i < EXCHANGE_N_SECTIONS; i++) {
		const json_t *age = json_array_get(encoded, i);
		int expected = i == EXCHANGE_HEAD ? head_ms : i == EXCHANGE_LOAD ? load_ms : -1;

		assert_true(expected < 0 ? json_is_null(age) : json_integer_value(age) == expected);
	}
}

static void what_the_asking_node_has_is_not_told_again(void **state)
{
	struct exchange_word words[EXCHANGE_N_SECTIONS] = { 0 };
	json_t *encoded;

	(void)state;
	assert_int_equal(exchange_word_set(&words[EXCHANGE_HEAD], json_pack("{s:i}", "n", 1), 5000),
	                 EXCHANGE_OTHER);
	assert_int_equal(exchange_word_set(&words[EXCHANGE_HEAD], json_pack("{s:i}", "n", 1), 6000),
	                 EXCHANGE_SAME);
	assert_int_equal(
	        exchange_word_set(&words[EXCHANGE_LOAD], json_pack("{s:i}", "bits", 7), 6000),
	        EXCHANGE_OTHER);
	encoded = exchange_encode(words, NULL, 6100);
	assert_true(exchange_is_news(words, NULL, 6100));
	assert_true(has_body(encoded, "head") && has_body(encoded, "load"));
	expect_ages(encoded, 100, 100);
	assert_int_equal(json_array_size(encoded), EXCHANGE_N_SECTIONS + 1);
	json_decref(encoded);

	struct exchange_have full = exchange_have(words, EXCHANGE_N_SECTIONS);
	const char *have = full.stamps;
	assert_int_equal(strlen(have), EXCHANGE_N_SECTIONS * 16);
	assert_int_equal(strspn(have + 32, "-"), (EXCHANGE_N_SECTIONS - 2) * 16);
	encoded = exchange_encode(words, have, 6200);
	assert_false(exchange_is_news(words, have, 6200));
	assert_false(has_body(encoded, "head") || has_body(encoded, "load"));
	expect_ages(encoded, 200, 200);
	assert_int_equal(json_array_size(encoded), EXCHANGE_N_SECTIONS);
	json_decref(encoded);
	/* of one that is wanted whole it is as if there was nothing; so it is with a text that is cut or strange */
	struct exchange_have whole = exchange_have(words, EXCHANGE_LOAD);
	encoded = exchange_encode(words, whole.stamps, 6200);
	assert_true(has_body(encoded, "load") && !has_body(encoded, "head"));
	json_decref(encoded);
	whole = full;
	whole.stamps[31] = '\0';
	encoded = exchange_encode(words, whole.stamps, 6200);
	assert_true(has_body(encoded, "load") && !has_body(encoded, "head"));
	json_decref(encoded);
	whole.stamps[3] ^= 1;
	encoded = exchange_encode(words, whole.stamps, 6200);
	assert_true(exchange_is_news(words, whole.stamps, 6200) && has_body(encoded, "head"));
	json_decref(encoded);
	/* a load alone ends no waiting, but goes with the answer */
	assert_int_equal(
	        exchange_word_set(&words[EXCHANGE_LOAD], json_pack("{s:i}", "bits", 8), 6300),
	        EXCHANGE_OTHER);
	encoded = exchange_encode(words, have, 6300);
	assert_false(exchange_is_news(words, have, 6300));
	assert_true(has_body(encoded, "load") && !has_body(encoded, "head"));
	json_decref(encoded);
	assert_int_equal(exchange_word_set(&words[EXCHANGE_HEAD], json_pack("{s:i}", "n", 2), 6300),
	                 EXCHANGE_OTHER);
	encoded = exchange_encode(words, have, 6300);
	assert_true(exchange_is_news(words, have, 6300) && has_body(encoded, "head"));
	json_decref(encoded);
	/* an earlier release has no stamp for the last section, and is not woken by it again and again */
	struct exchange_have earlier = exchange_have(words, EXCHANGE_N_SECTIONS);
	assert_int_equal(
	        exchange_word_set(&words[EXCHANGE_VERDICTS], json_pack("{s:i}", "n", 2), 6300),
	        EXCHANGE_OTHER);
	assert_true(exchange_is_news(words, earlier.stamps, 6300));
	earlier.stamps[EXCHANGE_VERDICTS * 16] = '\0';
	assert_false(exchange_is_news(words, earlier.stamps, 6300));
	exchange_word_fini(&words[EXCHANGE_VERDICTS]);
	assert_int_equal(exchange_word_set(&words[EXCHANGE_HEAD], NULL, 6400), EXCHANGE_OLDER);
	assert_int_equal(words[EXCHANGE_HEAD].true_ms, 6300); /* memory was short */
	/* old words are of no use to anybody */
	encoded = exchange_encode(words, have, 6300 + PASS_MS);
	expect_ages(encoded, PASS_MS, PASS_MS);
	assert_true(exchange_is_news(words, have, 6300 + PASS_MS));
	json_decref(encoded);
	encoded = exchange_encode(words, have, 6301 + PASS_MS);
	expect_ages(encoded, -1, -1);
	assert_int_equal(json_array_size(encoded), EXCHANGE_N_SECTIONS);
	assert_false(exchange_is_news(words, have, 6301 + PASS_MS));
	json_decref(encoded);
	for (int i = 0; i < EXCHANGE_N_SECTIONS; i++)
		exchange_word_fini(&words[i]);
}

#define NODES 60 /* 20 at each of three sites; the first site is the own one */

static size_t choose_nodes(const bool *failed, bool *chosen)
{
	struct exchange_candidate list[NODES];
	char name[16];
	size_t n = 0;

	for (size_t i = 0; i < NODES; i++) {
		snprintf(name, sizeof(name), "node-%zu", i);
		list[i] = (struct exchange_candidate){ .site = i / 20,
			                               .is_own = i < 20,
			                               .is_failed = failed[i],
			                               .rank = exchange_rank("asker", name) };
	}
	exchange_choose(list, NODES, chosen);
	for (size_t i = 0; i < NODES; i++)
		n += chosen[i];
	return n;
}

static void all_of_the_own_site_and_three_of_each_other_are_asked(void **state)
{
	bool failed[NODES] = { false }, chosen[NODES], before[NODES];

	(void)state;
	assert_int_equal(choose_nodes(failed, chosen), 20 + 2 * PER_SITE);
	for (size_t i = 0; i < 20; i++)
		assert_true(chosen[i]);
	/* one that does not answer is replaced by the next; the others stay, and it is asked again */
	memcpy(before, chosen, sizeof(chosen));
	size_t dead = 20;
	while (!chosen[dead])
		dead++;
	failed[dead] = true;
	assert_int_equal(choose_nodes(failed, chosen), 20 + 2 * PER_SITE + 1);
	for (size_t i = 0; i < NODES; i++)
		assert_true(chosen[i] || !before[i]);
	failed[dead] = false;
	assert_int_equal(choose_nodes(failed, chosen), 20 + 2 * PER_SITE);
	assert_memory_equal(chosen, before, sizeof(chosen));
	/* where one alone answers, it is found */
	memset(failed + 20, true, 20);
	assert_int_equal(choose_nodes(failed, chosen), 20 + 20 + PER_SITE);
	failed[33] = false;
	(void)choose_nodes(failed, chosen);
	assert_true(chosen[33]);
}

/* No node of a site is asked by all others. */
static void askers_spread_over_the_nodes_of_a_site(void **state)
{
	unsigned n_askers[20] = { 0 };

	(void)state;
	for (unsigned a = 0; a < 200; a++) {
		struct exchange_candidate list[20];
		bool chosen[20];
		char asker[16], name[16];

		snprintf(asker, sizeof(asker), "fra-%u", a);
		for (size_t i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "ams-%zu", i);
			list[i] = (struct exchange_candidate){ .rank = exchange_rank(asker, name) };
		}
		exchange_choose(list, 20, chosen);
		for (size_t i = 0; i < 20; i++)
			n_askers[i] += chosen[i];
	}
	for (size_t i = 0; i < 20; i++) /* 30 on average */
		assert_in_range(n_askers[i], 12, 55);
}

SUITE(exchange_words)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_malformed_answer_says_nothing),
		cmocka_unit_test(an_answer_speaks_for_a_site),
		cmocka_unit_test(words_never_get_younger),
		cmocka_unit_test(of_several_the_youngest_word_counts),
		cmocka_unit_test(what_the_asking_node_has_is_not_told_again),
		cmocka_unit_test(all_of_the_own_site_and_three_of_each_other_are_asked),
		cmocka_unit_test(askers_spread_over_the_nodes_of_a_site),
	};

	return cmocka_run_group_tests_name("exchange words", tests, NULL, NULL);
}
