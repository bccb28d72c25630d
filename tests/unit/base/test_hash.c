/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/unit/suite.h"

static const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static void vectors_of_the_paper_come_out(void **state)
{
	(void)state;
	/* Aumasson and Bernstein, appendix A; the reference code's first and last vectors. */
	uint8_t in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	assert_true(hash_bytes(&key, in, 15) == 0xa129ca6149be45e5);
	assert_true(hash_bytes(&key, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(hash_bytes(&key, in, 63) == 0x958a324ceb064572);
}

static void every_bit_and_the_length_count(void **state)
{
	(void)state;
	uint8_t in[24] = { 0 };
	uint64_t plain = hash_bytes(&key, in, sizeof(in));

	for (size_t bit = 0; bit < sizeof(in) * 8; bit++) {
		in[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(hash_bytes(&key, in, sizeof(in)) != plain);
		in[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof(in); n++)
		assert_true(hash_bytes(&key, in, n) != plain);
}

static void the_identity_of_a_text_never_changes(void **state)
{
	(void)state;
	/* Identities stand in files and on other nodes: another value here breaks upgrades. */
	assert_true(hash_text("web") == hash_text("web"));
	assert_true(hash_text("web") != hash_text("wea"));
	assert_true(hash_text("web") == 0x6ba196dcf5e87734);
}

SUITE(hash)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_paper_come_out),
		cmocka_unit_test(every_bit_and_the_length_count),
		cmocka_unit_test(the_identity_of_a_text_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
