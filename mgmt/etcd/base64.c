/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four characters stand for three bytes. A reader that took foreign characters, or an end that is
 * not written the one right way, would let two different texts mean the same key.
 */
#include "mgmt/etcd/base64.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void etcd_base64_write(FILE *f, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i += 3) {
		size_t here = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;

		if (here > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (here > 2)
			bits |= in[i + 2];
		putc(alphabet[bits >> 18], f);
		putc(alphabet[bits >> 12 & 63], f);
		putc(here > 1 ? alphabet[bits >> 6 & 63] : '=', f);
		putc(here > 2 ? alphabet[bits & 63] : '=', f);
	}
}

size_t etcd_base64_room(size_t n)
{
	return n / 4 * 3;
}

/* The six bits of a character; -1: it is none of the alphabet. */
static int value_of_character(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* How many '=' end the text: 0, 1 or 2. */
static size_t count_padding(const char *text, size_t n)
{
	if (n == 0 || text[n - 1] != '=')
		return 0;
	return text[n - 2] == '=' ? 2 : 1;
}

int64_t etcd_base64_read(const char *text, size_t n, unsigned char *out)
{
	if (n % 4)
		return -EINVAL;
	size_t padding = count_padding(text, n), n_out = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < n - padding; i++) {
		int value = value_of_character(text[i]);

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 == 3) {
			out[n_out++] = (unsigned char)(bits >> 16);
			out[n_out++] = (unsigned char)(bits >> 8);
			out[n_out++] = (unsigned char)bits;
			bits = 0;
		}
	}
	if (padding == 2) {
		if (bits & 15)
			return -EINVAL;
		out[n_out++] = (unsigned char)(bits >> 4);
	} else if (padding == 1) {
		if (bits & 3)
			return -EINVAL;
		out[n_out++] = (unsigned char)(bits >> 10);
		out[n_out++] = (unsigned char)(bits >> 2);
	}
	return (int64_t)n_out;
}
