/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading observed keys (pages/steer_keys.c): order, what is too old, and pages that are not to be believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/steer_keys.h"

#define NOW_MS 1000000u

static char dir[64], path[128];
static struct page *page;
static struct steer_keys *keys;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-keys-XXXXXX");
	page = NULL;
	keys = NULL;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" STEER_KEYS_PAGE_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	steer_keys_free(keys);
	page_close(page);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct steer_keys_page *make_page(void)
{
	static const struct steer_key rows[] = {
		{ .key = { 4, 192, 0, 2 }, .name = 2, .queries = 5 },
		{ .key = { 6, 0x20, 1 }, .name = 1, .queries = 900 },
		{ .key = { 4, 198, 51, 100 }, .name = 1, .queries = 5 },
	};
	struct steer_keys_page *p;

	assert_int_equal(
	        page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT, sizeof(*p), &page),
	        0);
	p = page_payload(page);
	memcpy(p->keys, rows, sizeof(rows));
	p->n_keys = 3;
	p->names[0] = (struct steer_keys_name){ .name = 2, .queries = 5, .cached_until_ms = 7 };
	p->names[1] = (struct steer_keys_name){ .name = 1, .queries = 1000, .others = 95 };
	p->n_names = 2;
	p->answers[0] = (struct steer_keys_answers){ .service = 8, .site = 2, .answers = 20 };
	p->answers[1] = (struct steer_keys_answers){ .service = 8, .site = 1, .answers = 10 };
	p->n_answers = 2;
	p->covered_s = 540;
	p->seq = 2;
	page_alive(page, NOW_MS);
	return p;
}

/* The row of a name; NULL: nobody asked for it. */
static const struct steer_keys_name *find_name_row(const struct steer_keys *k, uint32_t name)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].name == name)
			return &k->names[i];
	return NULL;
}

static void a_copy_has_the_heaviest_key_first_and_finds_rows(void **state)
{
	(void)state;
	make_page();
	assert_int_equal(steer_keys_read(dir, NOW_MS + STEER_KEYS_OLD_MS, &keys), 0);
	assert_int_equal(keys->covered_s, 540);
	assert_int_equal(keys->read_ms, NOW_MS);
	assert_int_equal(keys->n_keys, 3);
	assert_int_equal(keys->keys[0].queries, 900);
	assert_int_equal(keys->keys[1].key[1], 192);
	assert_int_equal(find_name_row(keys, 1)->others, 95);
	assert_int_equal(find_name_row(keys, 2)->cached_until_ms, 7);
	assert_null(find_name_row(keys, 3));
	assert_int_equal(steer_keys_answers(keys, 8, 1)->answers, 10);
	assert_int_equal(steer_keys_answers(keys, 8, 2)->answers, 20);
	assert_null(steer_keys_answers(keys, 8, 0));
}

static void without_a_living_writer_nothing_is_known(void **state)
{
	(void)state;
	assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -ENOENT);
	make_page();
	assert_int_equal(steer_keys_read(dir, NOW_MS + STEER_KEYS_OLD_MS + 1, &keys), -ETIMEDOUT);
	assert_null(keys);
}

static void a_page_that_is_being_written_gives_nothing(void **state)
{
	(void)state;
	make_page()->seq = 3;
	assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -EAGAIN);
	assert_null(keys);
}

static void counts_beyond_the_page_are_refused(void **state)
{
	struct steer_keys_page *p = make_page();
	uint32_t *counts[] = { &p->n_keys, &p->n_names, &p->n_answers };
	const uint32_t most[] = { STEER_KEYS_MAX, STEER_KEYS_NAMES_MAX, STEER_KEYS_ANSWERS_MAX };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint32_t was = *counts[i];

		*counts[i] = most[i] + 1;
		assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -EPROTO);
		*counts[i] = UINT32_MAX;
		assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -EPROTO);
		*counts[i] = was;
	}
	assert_null(keys);
	p->n_keys = STEER_KEYS_MAX;
	assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), 0);
	assert_int_equal(keys->n_keys, 3); /* the others are all zero */
}

static void rows_that_cannot_be_are_left_out(void **state)
{
	struct steer_keys_page *p = make_page();

	(void)state;
	p->keys[0].queries = 0;
	p->covered_s = 5000;
	for (unsigned family = 0; family < 256; family += family < 8 ? 1 : 247) {
		p->keys[2].key[0] = (uint8_t)family;
		steer_keys_free(keys);
		keys = NULL;
		assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), 0);
		assert_int_equal(keys->n_keys, family == 4 || family == 6 ? 2 : 1);
	}
	assert_int_equal(keys->keys[0].queries, 900);
	assert_int_equal(keys->covered_s, STEER_KEYS_WINDOW_S);
}

static void a_page_of_another_size_or_layout_is_refused(void **state)
{
	(void)state;
	assert_int_equal(page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT, 64, &page),
	                 0);
	page_alive(page, NOW_MS);
	assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -EPROTO);
	page_close(page);
	assert_int_equal(page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT + 1,
	                             sizeof(struct steer_keys_page), &page),
	                 0);
	assert_int_equal(steer_keys_read(dir, NOW_MS, &keys), -EPROTO);
}

static void a_copy_is_bounded(void **state)
{
	(void)state;
	assert_null(steer_keys_new(STEER_KEYS_MAX + 1, 0, 0));
	assert_null(steer_keys_new(0, STEER_KEYS_NAMES_MAX + 1, 0));
	assert_null(steer_keys_new(0, 0, STEER_KEYS_ANSWERS_MAX + 1));
	keys = steer_keys_new(0, 0, 0);
	assert_non_null(keys);
	steer_keys_settle(keys);
	assert_null(find_name_row(keys, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(steer_keys)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_has_the_heaviest_key_first_and_finds_rows),
		TEST(without_a_living_writer_nothing_is_known),
		TEST(a_page_that_is_being_written_gives_nothing),
		TEST(counts_beyond_the_page_are_refused),
		TEST(rows_that_cannot_be_are_left_out),
		TEST(a_page_of_another_size_or_layout_is_refused),
		TEST(a_copy_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
