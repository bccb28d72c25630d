/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts are changed in place, without memory. A text that fills its buffer may have been cut inside
 * a UTF-8 character: plain_cut() goes back over the continuation bytes (10xxxxxx) to the lead byte,
 * which says how long the character must be, and drops the character if bytes of it are missing.
 */
#include "base/plain.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdef"

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

/* Ranges of such characters; of U+200B and on, the two joiners are letters' matter in some scripts. */
static const struct {
	uint32_t first, last;
} misleading[] = {
	{ 0x80, 0x9f },   /* control characters, too */
	{ 0x61c, 0x61c }, /* marks of direction */
	{ 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
};

/* The character that begins at @p text, UTF-8; what is none has no number. */
static uint32_t read_character(const unsigned char *text)
{
	uint32_t n_more = *text >= 0xf0 ? 3 : *text >= 0xe0 ? 2 : *text >= 0xc0 ? 1 : 0;
	uint32_t c = n_more ? *text & (0x3fu >> n_more) : *text & 0x7fu;

	for (uint32_t i = 1; i <= n_more; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3fu);
	}
	return c;
}

static bool is_misleading(uint32_t c)
{
	for (size_t i = 0; i < sizeof(misleading) / sizeof(misleading[0]); i++)
		if (c >= misleading[i].first && c <= misleading[i].last)
			return true;
	return false;
}

bool plain_may_give(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		if (is_misleading(read_character(at)))
			return false;
	return plain_is(text);
}

bool plain_is_hex(const char *text, size_t n_digits)
{
	return text && strlen(text) == n_digits && strspn(text, HEX_DIGITS) == n_digits;
}

/* Digits go straight to @p out: bytes of a key are nowhere else afterwards. */
void plain_hex(const void *bytes, size_t n, char *out)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++) {
		*out++ = HEX_DIGITS[at[i] >> 4];
		*out++ = HEX_DIGITS[at[i] & 15];
	}
	*out = '\0';
}

void plain_make(char *text)
{
	for (; *text; text++) {
		const unsigned char *at = (const unsigned char *)text;
		size_t n = *at >= 0xf0   ? 4
		           : *at >= 0xe0 ? 3
		                         : 2; /* where it is a character of several */

		if (is_misleading(read_character(at))) {
			memset(text, '?', n);
			text += n - 1;
		} else if (is_unprintable(*text)) {
			*text = '?';
		}
	}
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
