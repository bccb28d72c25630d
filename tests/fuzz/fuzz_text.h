/* SPDX-License-Identifier: BSD-2-Clause */
/* What targets share: the input as a text, and as a file. */
#ifndef WEIR_TESTS_FUZZ_TEXT_H
#define WEIR_TESTS_FUZZ_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A copy of its exact size with a NUL behind; given. */
static inline char *fuzz_text(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n + 1);

	if (!text)
		abort();
	if (n)
		memcpy(text, bytes, n);
	text[n] = '\0';
	return text;
}

static inline void fuzz_write(const char *path, const uint8_t *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f || (n && fwrite(bytes, 1, n, f) != n) || fclose(f))
		abort();
}

#endif
