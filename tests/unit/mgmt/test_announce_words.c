/* SPDX-License-Identifier: BSD-2-Clause */
/* The section "announced" of the exchange: what the own page says, by real pages. */
#include "lone_node.h"

#include "mgmt/peers/announce_words.h"
#include "weir/announce.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const texts[] = { "192.0.2.53", "203.0.113.10", "203.0.113.20", "2001:db8::10" };
static struct announced_address rows[4];
static struct announced_page *page;
static struct announced_section section;
static struct exchange_word word;
static uint64_t alive_ms = 1000000;

static void show_page(size_t n)
{
	static const struct announced_node head = { .incarnation = 0xabcd };

	announced_publish(page, &head, rows, (uint32_t)n, NULL, 0, alive_ms);
}

static int setup(void **state)
{
	(void)lone_node_setup(state);
	for (size_t i = 0; i < COUNT(rows); i++) {
		rows[i] = (struct announced_address){ .table = ANNOUNCE_NORMAL,
			                              .in_kernel = 1 << ANNOUNCE_NORMAL,
			                              .exported = 1 };
		assert_int_equal(addr_parse(texts[i], &rows[i].address), 0);
	}
	assert_int_equal(announced_create(place.root, &page), 0);
	alive_ms = clock_mono_ms();
	return 0;
}

static int teardown(void **state)
{
	announced_close(page);
	announce_words_fini(&section);
	section = (struct announced_section){ .digest = 0 };
	exchange_word_fini(&word);
	return lone_node_close(state);
}

static bool look_again(void)
{
	return announce_words_look(&section, &this_node, &word);
}

static void expect_words(const char *text)
{
	json_t *words = json_loads(text, 0, NULL);

	assert_non_null(words);
	if (!json_equal(word.body, words))
		fail_msg("%s", json_dumps(word.body, 0));
	json_decref(words);
}

/* A filter of the routing daemon, or sessions that are all down: the address reaches nobody. */
static void what_reaches_a_neighbour_is_announced(void **state)
{
	(void)state;
	rows[1].exported = 0;
	rows[2].table = ANNOUNCE_SHUTDOWN;
	show_page(4);
	assert_true(look_again());
	expect_words("{\"192.0.2.53\": \"announced\", \"203.0.113.10\": \"unsure\", "
	             "\"2001:db8::10\": \"announced\"}");
	assert_false(look_again());
	rows[1].is_export_read = 1;
	rows[3].in_kernel = 0;
	show_page(4);
	assert_true(look_again());
	expect_words("{\"192.0.2.53\": \"announced\"}");
	show_page(0);
	assert_true(look_again());
	expect_words("{}");
}

/* Each sign of life makes the words true again; without one they age. */
static void words_are_as_old_as_the_last_sign_of_life(void **state)
{
	(void)state;
	alive_ms -= 1500;
	show_page(4);
	assert_true(look_again());
	assert_int_equal(word.true_ms, alive_ms);
	assert_false(look_again());
	assert_int_equal(word.true_ms, alive_ms);
	alive_ms += 500;
	show_page(4);
	assert_false(look_again());
	assert_int_equal(word.true_ms, alive_ms);
}

/* Who knows one address does not know another in its place. */
static void another_address_or_word_is_another_stamp(void **state)
{
	char stamp[EXCHANGE_STAMP_MAX];

	(void)state;
	show_page(2);
	assert_true(look_again());
	memcpy(stamp, word.stamp, sizeof(stamp));
	rows[1].address.bytes[15] ^= 1; /* the last byte */
	show_page(2);
	assert_true(look_again());
	assert_string_not_equal(stamp, word.stamp);
	memcpy(stamp, word.stamp, sizeof(stamp));
	rows[1].exported = 0;
	show_page(2);
	assert_true(look_again());
	assert_string_not_equal(stamp, word.stamp);
}

/* Memory that fails while words are made does not tell that an address is not announced. */
static unsigned allocs_left;
static void *failing_malloc(size_t n)
{
	if (allocs_left && !--allocs_left)
		return NULL;
	return malloc(n);
}

static void short_memory_takes_no_address_out_of_the_words(void **state)
{
	unsigned n_partial = 0;

	(void)state;
	show_page(4);
	json_set_alloc_funcs(failing_malloc, free);
	for (unsigned at = 1; at < 60; at++) {
		announce_words_fini(&section);
		section = (struct announced_section){ .digest = 0 };
		exchange_word_fini(&word);
		allocs_left = at; /* one allocation fails */
		(void)look_again();
		allocs_left = 0;
		(void)look_again(); /* memory is back */
		n_partial += word.body && json_object_size(word.body) != 4;
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(n_partial, 0);
}

static void without_a_page_nothing_is_said(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(proc_path(place.root, ANNOUNCED_PAGE_FILE, path), 0);
	assert_int_equal(unlink(path), 0);
	assert_false(look_again());
	assert_null(word.body);
	assert_string_equal(word.stamp, "");
}

static void what_a_peer_says_is_read(void **state)
{
	static const struct {
		const char *words;
		bool good;
		enum guard_announced said;
	} cases[] = {
		{ "{\"203.0.113.10\": \"announced\"}", true, GUARD_ANNOUNCED },
		{ "{\"203.0.113.10\": \"unsure\"}", true, GUARD_ANNOUNCED_UNKNOWN },
		{ "{\"203.0.113.10\": \"perhaps\"}", true, GUARD_ANNOUNCED_UNKNOWN },
		{ "{\"203.0.113.10\": [\"announced\"]}", true, GUARD_ANNOUNCED_UNKNOWN },
		{ "{\"203.0.113.11\": \"announced\"}", true, GUARD_NOT_ANNOUNCED },
		{ "{}", true, GUARD_NOT_ANNOUNCED },
		{ "[]", false, GUARD_NOT_ANNOUNCED },
		{ "\"announced\"", false, GUARD_NOT_ANNOUNCED },
	};
	json_t *many = json_object();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *words = json_loads(cases[i].words, JSON_DECODE_ANY, NULL);

		assert_int_equal(announce_words_are_good(words), cases[i].good);
		assert_int_equal(announce_words_of(words, &rows[1].address), cases[i].said);
		json_decref(words);
	}
	for (unsigned i = 0; i <= ANNOUNCED_MAX; i++) {
		char name[16];

		assert_int_equal(announce_words_are_good(many), i <= ANNOUNCED_MAX);
		snprintf(name, sizeof(name), "%u", i);
		json_object_set_new(many, name, json_null());
	}
	assert_false(announce_words_are_good(many));
	json_decref(many);
}

SUITE(announce_words)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_reaches_a_neighbour_is_announced),
		T(words_are_as_old_as_the_last_sign_of_life),
		T(another_address_or_word_is_another_stamp),
		T(short_memory_takes_no_address_out_of_the_words),
		T(without_a_page_nothing_is_said),
		T(what_a_peer_says_is_read),
	};

	return cmocka_run_group_tests_name("announce words", tests, NULL, NULL);
}
