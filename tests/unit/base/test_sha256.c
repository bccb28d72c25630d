/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "tests/unit/suite.h"

static void digests_are_those_of_sha256sum(void **state)
{
	static const struct {
		const char *text, *digest;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "0123456789012345678901234567890123456789012345678901234",
		  "f34d5a0f80c0cbf84c8c0b90218c22637abd199965249da736a20143c8c9c9d9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t raw[SHA256_BYTES];
		char text[2 * SHA256_BYTES + 1];

		sha256_short(rows[i].text, strlen(rows[i].text), raw);
		for (size_t k = 0; k < SHA256_BYTES; k++)
			snprintf(text + 2 * k, 3, "%02x", raw[k]);
		assert_string_equal(text, rows[i].digest);
	}
}

/* Bytes 0, 1, ..., 250, 0, ...: about the ends of blocks and of their padding, in parts of any size. */
static void parts_make_the_digest_of_the_whole(void **state)
{
	static const struct {
		size_t n;
		const char *digest;
	} rows[] = {
		{ 55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59" },
		{ 56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562" },
		{ 63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488" },
		{ 64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108" },
		{ 65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781" },
		{ 119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6" },
		{ 120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c" },
		{ 1000, "4e4c294b331f7a2099a379bec34b9f9fc03dc46ab465d998f4d683da53487e6d" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t part = 1; part <= rows[i].n; part += 1 + part / 3) {
			uint8_t bytes[1000], raw[SHA256_BYTES];
			char text[2 * SHA256_BYTES + 1];
			struct sha256 s;

			for (size_t k = 0; k < rows[i].n; k++)
				bytes[k] = (uint8_t)(k % 251);
			sha256_begin(&s);
			for (size_t k = 0; k < rows[i].n; k += part)
				sha256_add(&s, bytes + k,
				           k + part < rows[i].n ? part : rows[i].n - k);
			sha256_end(&s, raw);
			for (size_t k = 0; k < SHA256_BYTES; k++)
				snprintf(text + 2 * k, 3, "%02x", raw[k]);
			assert_string_equal(text, rows[i].digest);
		}
}

SUITE(sha256)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_sha256sum),
		cmocka_unit_test(parts_make_the_digest_of_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
