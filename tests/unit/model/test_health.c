/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weir/health.h"

static struct health_page page;

static int clear(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	return 0;
}

static void too_many_targets_change_nothing(void **state)
{
	(void)state;
	uint64_t *targets = calloc(HEALTH_TARGETS_MAX + 1, sizeof(*targets));

	assert_non_null(targets);
	assert_int_equal(health_set_targets(&page, targets, HEALTH_TARGETS_MAX + 1, 7), -ENOSPC);
	assert_int_equal(page.document, 0);
	assert_int_equal(page.generation, 0);
	free(targets);
}

static void an_unknown_target_has_no_place(void **state)
{
	(void)state;
	assert_int_equal(health_find(&page, 77), -1);
	assert_int_equal(health_find(&page, 0), -1);
	assert_int_equal(health_find(&page, HEALTH_TARGET_FREED), -1);
}

/* Three that want the same place stand one after another; the first is given up. */
static void a_target_keeps_place_and_word_when_others_go(void **state)
{
	(void)state;
	const uint64_t three[] = { 5, 5 + HEALTH_TARGETS_MAX, 5 + 2 * HEALTH_TARGETS_MAX };

	assert_int_equal(health_set_targets(&page, three, 3, 1), 0);
	int place = health_find(&page, three[2]);
	assert_int_equal(place, 7);
	health_write(&page, place, health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 99));

	assert_int_equal(health_set_targets(&page, three + 2, 1, 2), 0);
	assert_int_equal(health_find(&page, three[2]), place);
	assert_int_equal(health_state(health_read(&page, place)), HEALTH_DOWN);
	assert_int_equal(health_find(&page, three[0]), -1);
	assert_int_equal(page.n_entries, 1);
	assert_int_equal(page.document, 2);
	assert_int_equal(page.generation, 4);
}

static void the_same_targets_are_not_a_new_layout(void **state)
{
	(void)state;
	const uint64_t ab[] = { 11, 12 }, ba[] = { 12, 11 };

	assert_int_equal(health_set_targets(&page, ab, 2, 1), 0);
	uint32_t generation = page.generation;
	assert_int_equal(health_set_targets(&page, ba, 2, 2), 0);
	assert_int_equal(page.generation, generation);
	assert_int_equal(page.document, 2);
}

static void a_full_page_finds_all_and_a_place_given_up_serves_again(void **state)
{
	(void)state;
	uint64_t *targets = calloc(HEALTH_TARGETS_MAX, sizeof(*targets));

	assert_non_null(targets);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++)
		targets[i] = 2 + i * 3;
	assert_int_equal(health_set_targets(&page, targets, HEALTH_TARGETS_MAX, 1), 0);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i += 97) {
		int place = health_find(&page, targets[i]);
		assert_true(place >= 0);
		health_write(&page, place, i + 1);
	}
	targets[5] = 1000001;
	assert_int_equal(health_set_targets(&page, targets, HEALTH_TARGETS_MAX, 2), 0);
	assert_true(health_find(&page, 1000001) >= 0);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i += 97)
		assert_int_equal(health_read(&page, health_find(&page, targets[i])), i + 1);

	/* Most go: all is laid out anew, the words stay. */
	assert_int_equal(health_set_targets(&page, targets, 1000, 3), 0);
	for (size_t i = 0; i < 1000; i += 97)
		assert_int_equal(health_read(&page, health_find(&page, targets[i])), i + 1);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++)
		assert_int_not_equal(page.entries[i].target, HEALTH_TARGET_FREED);
	free(targets);
}

static void targets_differ_by_each_of_their_parts(void **state)
{
	(void)state;
	const uint64_t all[] = {
		health_target_backend("web", 1),
		health_target_backend("web", 2),
		health_target_backend("wed", 1),
		health_target_service("web", "ams", true),
		health_target_service("web", "ams", false),
		health_target_service("ams", "web", true),
		health_target_service("web", "fra", true),
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_true(all[i] > HEALTH_TARGET_FREED);
		for (size_t j = 0; j < i; j++)
			assert_true(all[i] != all[j]);
	}
}

static void every_reason_has_its_own_text(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HEALTH_REASON_COUNT; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(health_reason_text((enum health_reason)i),
			                        health_reason_text((enum health_reason)j));
	assert_string_equal(health_reason_text(HEALTH_REASON_COUNT), "other");
	assert_string_equal(health_state_text(HEALTH_DOWN), "down");
	assert_string_equal(health_state_text((enum health_state)3), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(too_many_targets_change_nothing, clear),
		cmocka_unit_test_setup(an_unknown_target_has_no_place, clear),
		cmocka_unit_test_setup(a_target_keeps_place_and_word_when_others_go, clear),
		cmocka_unit_test_setup(the_same_targets_are_not_a_new_layout, clear),
		cmocka_unit_test_setup(a_full_page_finds_all_and_a_place_given_up_serves_again,
		                       clear),
		cmocka_unit_test(targets_differ_by_each_of_their_parts),
		cmocka_unit_test(every_reason_has_its_own_text),
	};

	return cmocka_run_group_tests_name("health page", tests, NULL, NULL);
}
