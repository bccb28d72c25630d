/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views of other nodes: their pages' names, and words as nodes tell them to each other
 * (weir/peer_page.h).
 */
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

#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/peer_page.h"

static void a_page_is_named_after_its_node(void **state)
{
	char path[PATH_MAX], node[200], wanted[300];

	(void)state;
	assert_int_equal(peer_page_path("/run/weir", "ams-1", path), 0);
	assert_string_equal(path, "/run/weir/view-ams-1.page");
	memset(node, 'n', sizeof(node));
	node[63] = '\0'; /* the longest name of a node */
	snprintf(wanted, sizeof(wanted), "/r/view-%s.page", node);
	assert_int_equal(peer_page_path("/r", node, path), 0);
	assert_string_equal(path, wanted);
}

static void a_page_is_opened_if_all_targets_are_within(void **state)
{
	char dir[] = "/tmp/weir-views-XXXXXX", path[PATH_MAX];
	struct page *writer, *reader = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(peer_page_open(dir, "ams-1", &reader), -ENOENT);
	assert_int_equal(peer_page_path(dir, "ams-1", path), 0);
	for (size_t lacking = 2; lacking-- > 0;) {
		assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
		                             sizeof(struct peer_page) - 8 * lacking, &writer),
		                 0);
		assert_int_equal(peer_page_open(dir, "ams-1", &reader), lacking ? -EPROTO : 0);
		assert_int_equal(reader != NULL, !lacking);
		if (!lacking)
			page_remove(writer, path);
		else
			page_close(writer);
	}
	page_close(reader);
	assert_int_equal(rmdir(dir), 0);
}

static void a_word_is_sixteen_digits_that_mean_something(void **state)
{
	static const struct {
		const char *text;
		uint64_t word; /* 0 with why: refused */
		const char *why;
	} cases[] = {
		{ "0000000000000000", 0, NULL },
		{ "0000000000000001", 1, NULL },
		{ "0000000000000002", 2, NULL },
		{ "0000000000000003", 0, "no state" },
		{ "7fffffff000001fd", 0x7fffffff000001fdu, NULL }, /* all marks */
		{ "0123456700000901", 0x0123456700000901u, NULL },
		{ "0123456700000b01", 0x0123456700000b01u, NULL },
		{ "0123456700000c01", 0x0123456700000001u, NULL }, /* a later release's reason */
		{ "01234567ffffff01", 0x0123456700000001u, NULL },
		{ "fedcba98000005a9", 0xfedcba98000005a9u, NULL },
		{ NULL, 0, "nothing" },
		{ "", 0, "empty" },
		{ "000000000000001", 0, "a digit too few" },
		{ "00000000000000001", 0, "a digit too many" },
		{ "000000000000000A", 0, "a capital" },
		{ "000000000000000g", 0, "no digit" },
		{ "000000000000000/", 0, "no digit" },
		{ "000000000000000:", 0, "no digit" },
		{ "000000000000000`", 0, "no digit" },
		{ "0x00000000000001", 0, "a prefix" },
		{ " 000000000000001", 0, "a blank" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		health_word word = 77;

		print_message("  %s\n", cases[i].text ? cases[i].text : "NULL");
		assert_int_equal(peer_page_read_word(cases[i].text, &word), !cases[i].why);
		assert_true(word == (cases[i].why ? 77 : cases[i].word));
	}
}

/* What is written is read, digit by digit. */
static void a_word_comes_back(void **state)
{
	char text[PEER_PAGE_HEX_MAX];

	(void)state;
	peer_page_hex(0x0123456789abcdefu, text);
	assert_string_equal(text, "0123456789abcdef");
	peer_page_hex(0, text);
	assert_string_equal(text, "0000000000000000");
	for (unsigned bit = 32; bit < 64; bit++) {
		uint64_t word = (uint64_t)1 << bit | 1;
		health_word back = 0;

		peer_page_hex(word, text);
		assert_true(peer_page_read_word(text, &back));
		assert_true(back == word);
	}
}

static void a_view_is_good_until_it_is_said(void **state)
{
	static struct peer_page page;

	(void)state;
	assert_int_equal(peer_page_good_until_ms(&page), 0);
	peer_page_set_good_until_ms(&page, UINT64_MAX - 1);
	assert_true(peer_page_good_until_ms(&page) == UINT64_MAX - 1);
	assert_true(page.good_until_ms == UINT64_MAX - 1);
}

SUITE(peer_page)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_named_after_its_node),
		cmocka_unit_test(a_page_is_opened_if_all_targets_are_within),
		cmocka_unit_test(a_word_is_sixteen_digits_that_mean_something),
		cmocka_unit_test(a_word_comes_back),
		cmocka_unit_test(a_view_is_good_until_it_is_said),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
