/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers tell of what they see: taken as a whole into a page, or refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "mgmt/api/health_exchange.h"

/* The documented values, not the code's own: a change of those is seen. */
#define GOOD_MS 5000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UP       "0000006500000101"
#define DOWN     "0000006600000202"
#define ASKED    1000000u

static uint64_t targets[40];

static struct peer_page *page_new(void)
{
	struct peer_page *page = calloc(1, sizeof(*page));

	assert_non_null(page);
	for (size_t i = 0; i < COUNT(targets); i++)
		targets[i] = health_target_service("web", i ? "fra" : "ams", i % 2) + i * 1000003;
	return page;
}

static health_word word_of(const struct peer_page *page, size_t i)
{
	int place = health_find_index(&page->health, targets[i]);

	return place < 0 ? UINT64_MAX : health_read(&page->health, place);
}

static json_t *answer_of(const char *node, const char *cluster, json_t *age, json_t *words)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "node", node, "cluster", cluster, "age_ms", age,
	                 "words", words);
}

static json_t *words_of(const char *first, const char *second)
{
	char key[PEER_PAGE_HEX_MAX];
	json_t *words = json_object();

	peer_page_hex(targets[0], key);
	json_object_set_new(words, key, json_string(first));
	peer_page_hex(targets[1], key);
	json_object_set_new(words, key, json_string(second));
	return words;
}

static int accept_input(struct peer_page *page, json_t *answer, size_t n)
{
	const char *why = "";
	int err = health_exchange_accept(page, answer, "fra-1", "shop", targets, n, ASKED, &why);

	json_decref(answer);
	return err;
}

static void a_view_is_taken_with_its_age(void **state)
{
	struct peer_page *page = page_new();
	json_t *words = words_of(UP, DOWN);
	(void)state;

	json_object_set_new(words, "00000000000000ff", json_string(DOWN)); /* no target of ours */
	json_object_set_new(words, "what is this", json_integer(3));
	assert_int_equal(
	        accept_input(page, answer_of("fra-1", "shop", json_integer(700), words), 3), 0);
	assert_int_equal(health_state(word_of(page, 0)), HEALTH_UP);
	assert_int_equal(health_since_s(word_of(page, 0)), 0x65);
	assert_int_equal(health_state(word_of(page, 1)), HEALTH_DOWN);
	assert_int_equal(health_reason(word_of(page, 1)), HEALTH_REASON_TIMEOUT);
	assert_int_equal(word_of(page, 2), 0); /* not told: not known */
	assert_int_equal(page->health.n_entries, 3);
	assert_int_equal(peer_page_good_until_ms(page), ASKED + GOOD_MS - 700);

	words = words_of(DOWN, UP);
	assert_int_equal(
	        accept_input(page, answer_of("fra-1", "shop", json_integer(GOOD_MS), words), 2), 0);
	assert_int_equal(health_state(word_of(page, 0)), HEALTH_DOWN);
	assert_int_equal(peer_page_good_until_ms(page), 0); /* its checker is silent */
	assert_int_equal(page->health.n_entries, 2);
	free(page);
}

static void what_is_no_view_changes_nothing(void **state)
{
	struct peer_page *page = page_new();
	(void)state;

	assert_int_equal(accept_input(page,
	                              answer_of("fra-1", "shop", json_integer(0), words_of(UP, UP)),
	                              2),
	                 0);
	json_t *bad[] = {
		NULL,
		json_array(),
		json_string("x"),
		json_object(),
		answer_of("lon-1", "shop", json_integer(0), words_of(DOWN, DOWN)),
		answer_of("fra-1", "mail", json_integer(0), words_of(DOWN, DOWN)),
		answer_of("fra-1", "shop", json_integer(-1), words_of(DOWN, DOWN)),
		answer_of("fra-1", "shop", json_real(0.5), words_of(DOWN, DOWN)),
		answer_of("fra-1", "shop", json_null(), words_of(DOWN, DOWN)),
		answer_of("fra-1", "shop", json_string("0"), words_of(DOWN, DOWN)),
		answer_of("fra-1", "shop", json_integer(0), json_array()),
		answer_of("fra-1", "shop", json_integer(0), json_null()),
		json_pack("{s:i, s:s, s:i, s:o}", "node", 1, "cluster", "shop", "age_ms", 0,
		          "words", words_of(DOWN, DOWN)),
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		if (accept_input(page, bad[i], 2) == 0)
			fail_msg("answer %zu was taken", i);
	assert_int_equal(health_state(word_of(page, 0)), HEALTH_UP);
	assert_int_equal(health_state(word_of(page, 1)), HEALTH_UP);
	assert_int_equal(peer_page_good_until_ms(page), ASKED + GOOD_MS);
	assert_int_equal(accept_input(page,
	                              answer_of("fra-1", "shop", json_integer(INT64_MAX),
	                                        words_of(DOWN, UP)),
	                              2),
	                 0);
	assert_int_equal(peer_page_good_until_ms(page), 0);
	free(page);
}

static void a_word_that_is_none_is_unknown_and_many_refuse_the_answer(void **state)
{
	struct peer_page *page = page_new();
	json_t *words = words_of("3", UP);
	char key[PEER_PAGE_HEX_MAX];
	(void)state;

	assert_int_equal(accept_input(page, answer_of("fra-1", "shop", json_integer(0), words), 2),
	                 0);
	assert_int_equal(word_of(page, 0), 0);
	assert_int_equal(health_state(word_of(page, 1)), HEALTH_UP);
	words = words_of(DOWN, DOWN);
	for (size_t i = 2; i < 2 + HEALTH_EXCHANGE_MALFORMED_MAX; i++) {
		peer_page_hex(targets[i], key);
		json_object_set_new(words, key, i % 2 ? json_null() : json_string("zz"));
	}
	assert_int_equal(
	        accept_input(page,
	                     answer_of("fra-1", "shop", json_integer(0), json_deep_copy(words)),
	                     40),
	        0);
	assert_int_equal(health_state(word_of(page, 1)), HEALTH_DOWN);
	peer_page_hex(targets[2 + HEALTH_EXCHANGE_MALFORMED_MAX], key);
	json_object_set_new(words, key, json_null());
	assert_int_equal(accept_input(page, answer_of("fra-1", "shop", json_integer(0), words), 40),
	                 -EINVAL);
	assert_int_equal(health_state(word_of(page, 1)), HEALTH_DOWN);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_view_is_taken_with_its_age),
		cmocka_unit_test(what_is_no_view_changes_nothing),
		cmocka_unit_test(a_word_that_is_none_is_unknown_and_many_refuse_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
