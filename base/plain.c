/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts are changed in place, without memory. A text that fills its buffer may have been cut inside
 * a UTF-8 character: plain_cut() goes back over the continuation bytes (10xxxxxx) to the lead byte,
 * which says how long the character must be, and drops the character if bytes of it are missing.
 */
#include "base/plain.h"

#include <stdio.h>
#include <string.h>

static bool is_unprintable(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

bool plain_is(const char *text)
{
	while (*text && !is_unprintable(*text))
		text++;
	return !*text;
}

bool plain_is_hex(const char *text, size_t n_digits)
{
	return text && strlen(text) == n_digits && strspn(text, "0123456789abcdef") == n_digits;
}

void plain_make(char *text)
{
	for (; *text; text++)
		if (is_unprintable(*text))
			*text = '?';
}

void plain_cut(char *text, size_t size)
{
	size_t n = strnlen(text, size), start = n;

	if (n + 1 < size)
		return; /* not cut */
	while (start && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start && ((unsigned char)text[start - 1] & 0xc0) == 0xc0)
		start--;
	else
		start = n;
	unsigned char lead = (unsigned char)text[start];
	size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (start < n && start + whole > n)
		text[start] = 0;
}

void plain_copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	plain_cut(out, size);
	plain_make(out);
}
