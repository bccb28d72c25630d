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

#include "base/clock.h"
#include "base/page.h"
#include "fixture.h"
#include "mgmt/peers/peer_health.h"
#include "tests/unit/suite.h"

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

/* What the own weir-health says, as the next look tells it: the n-th allocation of JSON fails, 0: none. */
static unsigned allocations_left;

static void *allocate_json(size_t n)
{
	return allocations_left && !--allocations_left ? NULL : malloc(n);
}

static void look_after_shortage(struct core *core, struct health_page *own_page, unsigned failing)
{
	struct health_section section = { .targets = targets, .n_targets = 3 };
	struct exchange_word word = { 0 };
	health_word up = health_make(HEALTH_UP, 0, HEALTH_REASON_NONE, 100),
	            down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 101);
	char key[PEER_PAGE_HEX_MAX], said[PEER_PAGE_HEX_MAX];

	(void)health_write(own_page, health_find_index(own_page, targets[0]), up);
	assert_true(peer_health_look(&section, core, &word));
	char former[EXCHANGE_STAMP_MAX];
	memcpy(former, word.stamp, sizeof(former));
	assert_false(peer_health_look(&section, core, &word)); /* nothing is new */
	uint64_t true_ms = word.true_ms;
	usleep(2000); /* so that the time of the next look is another one */
	(void)health_write(own_page, health_find_index(own_page, targets[0]), down);
	allocations_left = failing;
	(void)peer_health_look(&section, core, &word);
	if (!strcmp(word.stamp, former) && word.true_ms != true_ms)
		fail_msg("allocation %u: what is not so any more is said to be so now", failing);
	allocations_left = 0;
	(void)peer_health_look(&section, core, &word);
	peer_page_hex(targets[0], key);
	peer_page_hex(down, said);
	if (strcmp(json_string_value(json_object_get(word.body, key)), said) != 0 ||
	    json_object_size(word.body) != 3)
		fail_msg("allocation %u: the next look does not say what is so", failing);
	exchange_word_fini(&word);
}

static void words_that_could_not_be_made_do_not_last(void **state)
{
	static struct core core;
	struct page *own;
	char path[PATH_MAX];

	(void)state;
	pthread_mutex_init(&core.lock, NULL);
	snprintf(core.dirs.run, sizeof(core.dirs.run), "%s", dir);
	snprintf(path, sizeof(path), "%s/health.page", dir);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &own),
	                 0);
	assert_int_equal(health_set_targets(page_payload(own), targets, 3, 1), 0);
	page_alive(own, clock_mono_ms());
	page_publish(own);
	json_set_alloc_funcs(allocate_json, free);
	for (unsigned failing = 0; failing < 60; failing++)
		look_after_shortage(&core, page_payload(own), failing);
	json_set_alloc_funcs(malloc, free);
	page_remove(own, path);
}

/* A VIP with addresses of one family has one target, not two: of 4,096 services at nine sites no page held both. */
static void targets_are_those_of_the_families_that_vips_have(void **state)
{
	static struct core core;
	struct fixture place;
	struct health_section section = { 0 };

	(void)state;
	fixture_make(&place);
	const struct intent_options options = { .conf_dir = place.conf,
		                                .state_dir = place.state,
		                                .node = "ams-1" };
	assert_int_equal(intent_open(&options, NOW_MS, &core.intent), 0);
	assert_true(peer_health_follow(&section, &core));
	assert_int_equal(section.n_targets, 2);
	assert_int_equal(section.targets[0], health_target_service("web", "ams", true));
	assert_int_equal(section.targets[1], health_target_service("web", "fra", true));
	assert_false(peer_health_follow(&section, &core)); /* the same document */
	peer_health_fini(&section);
	intent_close(core.intent);
	fixture_remove(&place);
}

/* What this node has no room for is not the peer's fault. */
static void a_page_that_is_too_small_is_not_the_peers_malformed_answer(void **state)
{
	uint64_t *many = calloc(HEALTH_TARGETS_MAX + 1, sizeof(*many));
	const struct health_section section = { .targets = many,
		                                .n_targets = HEALTH_TARGETS_MAX + 1 };
	json_t *words = words_of(UP, DOWN);

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i <= HEALTH_TARGETS_MAX; i++)
		many[i] = i + 2;
	assert_int_equal(peer_health_write(&section, page, words, 1000), -ENOSPC);
	json_decref(words);
	free(many);
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

SUITE(peer_health)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(words_are_good_for_a_while_after_they_were_true),
		T(a_word_that_is_none_is_unknown_and_many_refuse_the_answer),
		T(words_that_could_not_be_made_do_not_last),
		T(targets_are_those_of_the_families_that_vips_have),
		T(a_page_that_is_too_small_is_not_the_peers_malformed_answer),
	};

	return cmocka_run_group_tests_name("peer health", tests, make_dir, remove_dir);
}
