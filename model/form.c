/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forms of texts, one for each kind of row whose value is a text. A form is about bytes alone:
 * limits on the length are the row's, and whether a name refers to something is for build.c.
 */
#include "model/form.h"

#include <ctype.h>
#include <string.h>

static bool is_config_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return text[n] == '\0' && n >= 1 && n < MODEL_NAME_MAX && !strchr("._-", text[0]);
}

static bool is_printable_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_interface(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p) || *p == '/' || *p == ':')
			return false;
	return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* Labels of letters, digits, '-' and '_', 1 to 63 long, 253 in all (RFC 1035, 2.3.4). */
static bool is_domain(const char *text)
{
	size_t label = 0, n = 0;

	for (; text[n]; n++) {
		char c = text[n];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!isalnum((unsigned char)c) && c != '-' && c != '_') {
			return false;
		} else if (++label > 63) {
			return false;
		}
	}
	return n >= 1 && n <= 253;
}

static bool is_url(const char *text)
{
	static const char scheme[] = "https://";

	return text[0] == '\0' ||
	       (strncmp(text, scheme, strlen(scheme)) == 0 && text[strlen(scheme)] != '\0' &&
	        is_printable_text(text) && !strchr(text, ' '));
}

bool form_fits(enum schema_kind kind, const char *text)
{
	switch (kind) {
	case KIND_NAME:
	case KIND_REFERENCE:
	case KIND_REFERENCES:
		return is_config_name(text);
	case KIND_INTERFACE:
		return is_interface(text);
	case KIND_DOMAIN:
		return is_domain(text);
	case KIND_URL:
		return is_url(text);
	case KIND_PATH:
		return text[0] != '\0' && is_printable_text(text);
	case KIND_TEXT:
		return is_printable_text(text);
	default:
		return true;
	}
}
