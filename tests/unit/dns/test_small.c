/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions in headers: cursors over wire format, the case of letters, counts that are
 * gathered before they are added.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/zone/name.h"
#include "dns/tally.h"
#include "dns/zone/wire.h"
#include "tests/unit/suite.h"

#define WORDS 300 /* several times the slots: many are in each other's way */

static void counts_are_added_once_whatever_is_in_the_way(void **state)
{
	static struct tally t;
	static uint64_t words[WORDS];

	(void)state;
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = 1000;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < WORDS; i++)
			tally_add(&t, &words[i], i + 1);
		for (unsigned i = WORDS; i-- > 0;)
			tally_add(&t, &words[i], 1);
		tally_add(&t, NULL, 5); /* there is no page */
		assert_true(t.n_used <= TALLY_SLOTS);
		tally_flush(&t);
		tally_flush(&t);
		assert_int_equal(t.n_used, 0);
		for (unsigned i = 0; i < WORDS; i++)
			assert_int_equal(words[i], 1000 + (round + 1) * (i + 2));
	}
}

static void nothing_is_added_before_the_flush_and_one_less_is_a_count(void **state)
{
	static struct tally t;
	uint64_t open = 7, other = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		tally_add(&t, &open, 1);
	tally_add(&t, &open, UINT64_MAX);
	assert_int_equal(open, 7);
	tally_flush(&t);
	assert_int_equal(open, 11);
	tally_add(&t, &open, UINT64_MAX);
	tally_add(&t, &other, 3);
	tally_flush(&t);
	assert_true(open == 10 && other == 3);
}

/* Two threads count into the same words, each through its own tally: the words are sums. */
static void counts_of_all_threads_are_sums(void **state)
{
	static struct tally t[2];
	uint64_t word = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		tally_add(&t[i % 2], &word, 1 + i % 2);
	tally_flush(&t[1]);
	assert_int_equal(word, 10);
	tally_flush(&t[0]);
	assert_int_equal(word, 15);
}

static void reading_ends_at_the_end_and_stays_there(void **state)
{
	static const uint8_t bytes[] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde };

	(void)state;
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		struct wire_reader r = { .start = bytes, .length = length };

		assert_int_equal(wire_get16(&r), length < 2 ? 0 : 0x1234);
		assert_int_equal(r.failed, length < 2);
		assert_int_equal(wire_get8(&r), length < 3 ? 0 : 0x56);
		assert_int_equal(r.failed, length < 3);
		assert_ptr_equal(wire_get_bytes(&r, 3), length < 6 ? NULL : bytes + 3);
		assert_int_equal(r.failed, length < 6);
		assert_true(wire_has(&r, 0) == (length >= 6)); /* an error stays one */
		assert_int_equal(wire_get8(&r), length < 7 ? 0 : 0xde);
		assert_ptr_equal(wire_get_bytes(&r, 0), length < 7 ? NULL : bytes + 7);
		assert_null(wire_get_bytes(&r, SIZE_MAX));
		assert_null(wire_get_bytes(&r, 0));
		assert_true(r.at <= length);
	}
	assert_int_equal(wire_load32(bytes + 1), 0x3456789a);
	assert_true(wire_load32((const uint8_t *)"\xff\xfe\xfd\xfc") == 0xfffefdfc);
}

/*
 * Each kind of write, where there is just enough room, and where a byte is missing: then it
 * leaves nothing behind.
 */
static void writing_ends_at_the_limit_and_stays_there(void **state)
{
	static const uint8_t all[] = { 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 'a', 'b', 'c' };
	static const size_t ends[] = { 1, 3, 7, 10 };

	(void)state;
	for (size_t limit = 0; limit <= sizeof(all) + 1; limit++) {
		uint8_t out[16];
		struct wire_writer w = { .start = out, .limit = limit };
		size_t n = 0;

		memset(out, 0xee, sizeof(out));
		wire_put8(&w, 1);
		wire_put16(&w, 0x1234);
		wire_put32(&w, 0x56789abc);
		wire_put(&w, "abc", 3);
		for (unsigned i = 0; i < 4; i++)
			n = limit >= ends[i] ? ends[i] : n;
		assert_int_equal(w.failed, limit < sizeof(all));
		assert_int_equal(w.at, n);
		assert_memory_equal(out, all, n);
		for (size_t i = n; i < sizeof(out); i++)
			assert_int_equal(out[i], 0xee);
		w.limit = sizeof(out); /* more room does not mend what failed */
		wire_put8(&w, 9);
		assert_int_equal(w.at, limit < sizeof(all) ? n : n + 1);
	}
}

static void only_ascii_letters_have_another_case(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++)
		assert_int_equal(name_fold((uint8_t)c), c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

SUITE(small)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_added_once_whatever_is_in_the_way),
		cmocka_unit_test(nothing_is_added_before_the_flush_and_one_less_is_a_count),
		cmocka_unit_test(counts_of_all_threads_are_sums),
		cmocka_unit_test(reading_ends_at_the_end_and_stays_there),
		cmocka_unit_test(writing_ends_at_the_limit_and_stays_there),
		cmocka_unit_test(only_ascii_letters_have_another_case),
	};

	return cmocka_run_group_tests_name("dns small", tests, NULL, NULL);
}
