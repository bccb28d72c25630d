/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is copied and split at blanks; a fourth word makes it an error. The sentences about
 * errors are constants and never contain a word of the line, as that may be a token.
 */
#include "mgmt/store/tokens.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"

static const char *const roles[] = { "viewer",  "oncall", "operator", "admin",
	                             "metrics", "peer",   NULL };

#define SPACE " \t\r" /* \r: files written on other systems */
#define HINT  "; `weir token new` makes a line"

bool tokens_role_ok(const char *word)
{
	for (size_t i = 0; roles[i]; i++)
		if (!strcmp(roles[i], word))
			return true;
	return false;
}

/* The words of a line, by their number, name, role and third. */
static const char *find_line_error(size_t n, char *const words[4])
{
	bool anonymous = n > 0 && !strcmp(words[0], TOKENS_ANONYMOUS);

	if (n != 3)
		return "it must have three words: NAME ROLE and the token's SHA-256" HINT;
	if (strlen(words[0]) >= TOKENS_NAME_MAX)
		return "its name is longer than 63 bytes";
	if (!tokens_role_ok(words[1]))
		return "its second word must be a role: viewer, oncall, operator, admin, metrics or "
		       "peer";
	if (anonymous && strcmp(words[2], "*") != 0)
		return "the third word of anonymous must be *";
	if (!anonymous && !strcmp(words[2], "*"))
		return "only the name anonymous may have * as its third word";
	if (!anonymous && !plain_is_hex(words[2], DIGEST_TEXT_MAX - 1))
		return "its third word must be the SHA-256 of the token: 64 hexadecimal digits in "
		       "lower case" HINT;
	return NULL;
}

enum tokens_line tokens_read(const char *line, size_t n, struct tokens_entry *out,
                             const char **err_text)
{
	char copy[TOKENS_LINE_MAX], *saved = NULL, *words[4] = { NULL };
	size_t n_words = 0;

	if (n > 0 && line[strspn(line, SPACE)] == '#')
		return TOKENS_NOTHING;
	if (n >= sizeof(copy) || memchr(line, '\0', n)) {
		*err_text = "it is longer than 255 bytes, or has a NUL in it";
		return TOKENS_BAD;
	}
	memcpy(copy, line, n);
	copy[n] = '\0';
	for (char *w = strtok_r(copy, SPACE, &saved); w && n_words < 4;
	     w = strtok_r(NULL, SPACE, &saved))
		words[n_words++] = w;
	if (n_words == 0)
		return TOKENS_NOTHING;
	*err_text = find_line_error(n_words, words);
	if (*err_text)
		return TOKENS_BAD;
	snprintf(out->name, sizeof(out->name), "%s", words[0]);
	snprintf(out->role, sizeof(out->role), "%s", words[1]);
	snprintf(out->digest, sizeof(out->digest), "%s", words[2]);
	return TOKENS_ENTRY;
}

size_t tokens_scan(const char *text, size_t n, tokens_bad_cb *cb, void *arg)
{
	size_t n_bad = 0;

	for (size_t at = 0, line = 1; at < n; line++) {
		const char *end = memchr(text + at, '\n', n - at), *err_text;
		size_t length = end ? (size_t)(end - text) - at : n - at;
		struct tokens_entry entry;

		if (tokens_read(text + at, length, &entry, &err_text) == TOKENS_BAD) {
			n_bad++;
			if (cb)
				cb(arg, line, err_text);
		}
		at += length + 1;
	}
	return n_bad;
}
