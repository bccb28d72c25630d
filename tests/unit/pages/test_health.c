/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/page.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/health.h"

static bool no_memory;
static unsigned n_until; /* allocations that succeed before */

static void *own_malloc(size_t n)
{
	return no_memory && n_until-- == 0 ? NULL : __real_malloc(n);
}

static struct health_page page;

static int clear_page(void **state)
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
	assert_int_equal(health_find_index(&page, 77), -1);
	assert_int_equal(health_find_index(&page, 0), -1);
	assert_int_equal(health_find_index(&page, HEALTH_TARGET_FREED), -1);
}

/* Three that want the same place stand one after another; the first is given up. */
static void a_target_keeps_place_and_word_when_others_go(void **state)
{
	(void)state;
	const uint64_t three[] = { 5, 5 + HEALTH_TARGETS_MAX, 5 + 2 * HEALTH_TARGETS_MAX };

	assert_int_equal(health_set_targets(&page, three, 3, 1), 0);
	int page_index = health_find_index(&page, three[2]);
	assert_int_equal(page_index, 7);
	health_write(&page, page_index, health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 99));

	assert_int_equal(health_set_targets(&page, three + 2, 1, 2), 0);
	assert_int_equal(health_find_index(&page, three[2]), page_index);
	assert_int_equal(health_state(health_read(&page, page_index)), HEALTH_DOWN);
	assert_int_equal(health_find_index(&page, three[0]), -1);
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
		int page_index = health_find_index(&page, targets[i]);
		assert_true(page_index >= 0);
		health_write(&page, page_index, i + 1);
	}
	targets[5] = 1000001;
	assert_int_equal(health_set_targets(&page, targets, HEALTH_TARGETS_MAX, 2), 0);
	assert_true(health_find_index(&page, 1000001) >= 0);
	for (size_t i = 0; i < HEALTH_TARGETS_MAX; i += 97)
		assert_int_equal(health_read(&page, health_find_index(&page, targets[i])), i + 1);

	/* Most go: all is laid out anew, the words stay. */
	assert_int_equal(health_set_targets(&page, targets, 1000, 3), 0);
	for (size_t i = 0; i < 1000; i += 97)
		assert_int_equal(health_read(&page, health_find_index(&page, targets[i])), i + 1);
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
	static const char *const reasons[] = { "none",       "ok",          "timeout",
		                               "refused",    "unreachable", "reset",
		                               "bad-status", "bad-answer",  "pool",
		                               "not-sent",   "full-size",   "external" };
	static const char *const states[] = { "unknown", "up", "down" };

	assert_int_equal(HEALTH_REASON_COUNT, sizeof(reasons) / sizeof(reasons[0]));
	for (unsigned i = 0; i < HEALTH_REASON_COUNT; i++) /* as pages and the API have them */
		assert_string_equal(health_reason_text((enum health_reason)i), reasons[i]);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(health_state_text((enum health_state)i), states[i]);
	assert_string_equal(health_reason_text(HEALTH_REASON_COUNT), "other");
	assert_string_equal(health_state_text(HEALTH_DOWN), "down");
	assert_string_equal(health_state_text((enum health_state)3), "other");
}

/* Its writer died in the middle: readers would retry for ever. */
static void an_odd_page_is_laid_out_again(void **state)
{
	static struct health_page odd;
	const uint64_t targets[] = { 77, 78 };

	(void)state;
	assert_int_equal(health_set_targets(&odd, targets, 2, 1), 0);
	health_write(&odd, health_find_index(&odd, 77), 5);
	odd.generation++;
	assert_int_equal(odd.generation & 1, 1);
	assert_int_equal(health_set_targets(&odd, targets, 2, 2), 0);
	assert_int_equal(odd.generation & 1, 0);
	assert_int_equal(odd.n_entries, 2);
	assert_int_equal(health_read(&odd, health_find_index(&odd, 77)), 5);
	uint32_t generation = odd.generation;

	assert_int_equal(health_set_targets(&odd, targets, 2, 3), 0);
	assert_int_equal(odd.generation, generation); /* the same again is no change */
}

/* 0 is an empty place, 1 one that was given up: no target is these. */
static void no_target_is_a_mark(void **state)
{
	(void)state;
	assert_int_equal(health_target_make(0), 2);
	assert_int_equal(health_target_make(1), 3);
	assert_int_equal(health_target_make(2), 2);
	assert_int_equal(health_target_make(3), 3);
	assert_true(health_target_make(UINT64_MAX) == UINT64_MAX);
}

static void a_place_outside_is_neither_read_nor_written(void **state)
{
	static const int places[] = { -1, HEALTH_TARGETS_MAX, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(health_read(&page, places[i]), 0);
		assert_false(health_write(&page, places[i], 5));
	}
	assert_true(health_write(&page, HEALTH_TARGETS_MAX - 1, 5));
	assert_false(health_write(&page, HEALTH_TARGETS_MAX - 1, 5)); /* nothing new */
	assert_true(health_write(&page, HEALTH_TARGETS_MAX - 1, 6));
	assert_int_equal(health_read(&page, HEALTH_TARGETS_MAX - 1), 6);
	assert_true(health_write(&page, 0, 7));
	assert_int_equal(health_read(&page, 0), 7);
}

/* Marks of places given up are taken away when they are more than half of the table. */
static void marks_go_when_they_are_more_than_half(void **state)
{
	static uint64_t targets[HEALTH_TARGETS_MAX];

	(void)state;
	for (size_t more = 0; more <= 1; more++) {
		size_t n = HEALTH_TARGETS_MAX / 2 + more, n_marks = 0;

		memset(&page, 0, sizeof(page));
		for (size_t i = 0; i < n; i++)
			targets[i] = 2 + i;
		assert_int_equal(health_set_targets(&page, targets, n, 1), 0);
		assert_int_equal(health_set_targets(&page, targets, 0, 2), 0);
		for (size_t i = 0; i < HEALTH_TARGETS_MAX; i++)
			n_marks += page.entries[i].target == HEALTH_TARGET_FREED;
		assert_int_equal(n_marks, more ? 0 : n);
		assert_int_equal(page.n_entries, 0);
	}
}

static void without_memory_the_targets_stay(void **state)
{
	const uint64_t one[] = { 77 }, other[] = { 78 };

	(void)state;
	assert_int_equal(health_set_targets(&page, one, 1, 1), 0);
	uint32_t generation = page.generation;
	for (n_until = 0; n_until < 2; n_until++) {
		unsigned failing = n_until;

		no_memory = true;
		int err = health_set_targets(&page, other, 1, 2);

		no_memory = false;
		n_until = failing;
		assert_int_equal(err, -ENOMEM);
		assert_true(health_find_index(&page, 77) >= 0);
		assert_int_equal(health_find_index(&page, 78), -1);
		assert_int_equal(page.generation, generation);
		assert_int_equal(page.document, 1);
	}
}

static void a_page_is_opened_if_all_targets_are_within(void **state)
{
	char dir[] = "/tmp/weir-health-XXXXXX", path[64];
	struct page *writer, *reader = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(health_page_open(dir, &reader), -ENOENT);
	snprintf(path, sizeof(path), "%s/health.page", dir);
	for (size_t lacking = 2; lacking-- > 0;) {
		assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
		                             sizeof(struct health_page) - 8 * lacking, &writer),
		                 0);
		assert_int_equal(health_page_open(dir, &reader), lacking ? -EPROTO : 0);
		assert_int_equal(reader != NULL, !lacking);
		if (!lacking)
			page_remove(writer, path);
		else
			page_close(writer);
	}
	page_close(reader);
	assert_int_equal(rmdir(dir), 0);
}

SUITE(health)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_opened_if_all_targets_are_within),
		cmocka_unit_test_setup(too_many_targets_change_nothing, clear_page),
		cmocka_unit_test_setup(an_unknown_target_has_no_place, clear_page),
		cmocka_unit_test_setup(a_target_keeps_place_and_word_when_others_go, clear_page),
		cmocka_unit_test_setup(the_same_targets_are_not_a_new_layout, clear_page),
		cmocka_unit_test_setup(a_full_page_finds_all_and_a_place_given_up_serves_again,
		                       clear_page),
		cmocka_unit_test(no_target_is_a_mark),
		cmocka_unit_test_setup(a_place_outside_is_neither_read_nor_written, clear_page),
		cmocka_unit_test(marks_go_when_they_are_more_than_half),
		cmocka_unit_test_setup(without_memory_the_targets_stay, clear_page),
		cmocka_unit_test(targets_differ_by_each_of_their_parts),
		cmocka_unit_test(every_reason_has_its_own_text),
		cmocka_unit_test(an_odd_page_is_laid_out_again),
	};

	answer_malloc = own_malloc;
	return cmocka_run_group_tests_name("health page", tests, NULL, NULL);
}
