/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers say of the services: taken as a whole into a page, or refused. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/page.h"
#include "mgmt/api/peer_health.h"

/* The documented values, not the code's own: a change of those is seen. */
#define GOOD_MS       5000
#define MALFORMED_MAX 16

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UP       "0000006500000101"
#define DOWN     "0000006600000202"

static char dir[] = "/tmp/weir-peer-health-XXXXXX";
static uint64_t targets[40];
static struct health_section health = { .targets = targets };
static struct page *page;

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++)
		targets[i] = health_target_service("web", i ? "fra" : "ams", i % 2) + i * 1000003;
	return peer_health_open(dir, "fra-1", &page);
}

static int teardown(void **state)
{
	char path[PATH_MAX];

	(void)state;
	peer_health_drop(dir, "fra-1", page);
	assert_int_equal(peer_page_path(dir, "fra-1", path), 0);
	assert_int_equal(access(path, F_OK), -1); /* no file stays behind */
	return 0;
}

static struct peer_page *get_payload(void)
{
	return page_payload(page);
}

static health_word word_of(size_t i)
{
	int at = health_find_index(&get_payload()->health, targets[i]);

	return at < 0 ? UINT64_MAX : health_read(&get_payload()->health, at);
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

static int write_page(json_t *words, size_t n, uint64_t true_ms)
{
	health.n_targets = n;
	int err = peer_health_write(&health, page, words, true_ms);

	json_decref(words);
	return err;
}

static void words_are_good_for_a_while_after_they_were_true(void **state)
{
	json_t *words = words_of(UP, DOWN);

	(void)state;
	json_object_set_new(words, "00000000000000ff", json_string(DOWN)); /* no target of ours */
	json_object_set_new(words, "what is this", json_integer(3));
	assert_int_equal(write_page(words, 3, 1000000), 0);
	assert_int_equal(health_state(word_of(0)), HEALTH_UP);
	assert_int_equal(health_since_s(word_of(0)), 0x65);
	assert_int_equal(health_state(word_of(1)), HEALTH_DOWN);
	assert_int_equal(health_reason(word_of(1)), HEALTH_REASON_TIMEOUT);
	assert_int_equal(word_of(2), 0); /* not said: not known */
	assert_int_equal(get_payload()->health.n_entries, 3);
	assert_int_equal(peer_page_good_until_ms(get_payload()), 1000000 + GOOD_MS);
	assert_int_equal(write_page(NULL, 3, 1000700), 0); /* as before, true later */
	assert_int_equal(health_state(word_of(1)), HEALTH_DOWN);
	assert_int_equal(peer_page_good_until_ms(get_payload()), 1000700 + GOOD_MS);
	assert_int_equal(write_page(words_of(DOWN, UP), 2, 1001000), 0);
	assert_int_equal(health_state(word_of(0)), HEALTH_DOWN);
	assert_int_equal(get_payload()->health.n_entries, 2);
}

static void a_word_that_is_none_is_unknown_and_many_refuse_the_answer(void **state)
{
	json_t *words = words_of("3", UP);
	char key[PEER_PAGE_HEX_MAX];

	(void)state;
	assert_int_equal(write_page(words, 2, 1000), 0);
	assert_int_equal(word_of(0), 0);
	assert_int_equal(health_state(word_of(1)), HEALTH_UP);
	words = words_of(DOWN, DOWN);
	for (size_t i = 2; i < 2 + MALFORMED_MAX; i++) {
		peer_page_hex(targets[i], key);
		json_object_set_new(words, key, i % 2 ? json_null() : json_string("zz"));
	}
	assert_int_equal(write_page(json_deep_copy(words), 40, 2000), 0);
	assert_int_equal(health_state(word_of(1)), HEALTH_DOWN);
	peer_page_hex(targets[2 + MALFORMED_MAX], key);
	json_object_set_new(words, key, json_null());
	peer_page_hex(targets[1], key);
	json_object_set_new(words, key, json_string(UP));
	assert_int_equal(write_page(words, 40, 3000), -EINVAL);
	assert_int_equal(health_state(word_of(1)), HEALTH_DOWN);
	assert_int_equal(peer_page_good_until_ms(get_payload()), 2000 + GOOD_MS);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(words_are_good_for_a_while_after_they_were_true),
		T(a_word_that_is_none_is_unknown_and_many_refuse_the_answer),
	};

	return cmocka_run_group_tests_name("peer health", tests, make_dir, remove_dir);
}
