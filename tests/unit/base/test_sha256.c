/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(digests_are_those_of_sha256sum) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
