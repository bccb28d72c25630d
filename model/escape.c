/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two parallel strings map letters to bytes. \x00 is refused, because texts of the model end with a
 * NUL.
 */
#include "model/escape.h"

#include <stddef.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int escape_read(const char **at, const char *end)
{
	static const char letters[] = "ntrf\\\"", bytes[] = "\n\t\r\f\\\"";
	const char *p = *at, *found;

	if (p == end || *p == '\0')
		return -1;
	found = strchr(letters, *p);
	if (found) {
		*at = p + 1;
		return (unsigned char)bytes[found - letters];
	}
	if ((*p != 'x' && *p != 'X') || end - p < 3)
		return -1;
	int high = hex_digit(p[1]), low = hex_digit(p[2]);
	if (high < 0 || low < 0)
		return -1;
	*at = p + 3;
	return high == 0 && low == 0 ? -1 : high * 16 + low;
}
