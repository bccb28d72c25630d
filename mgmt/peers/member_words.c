/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letters are those of base64url (RFC 4648, section 5), six bits each. There may be thousands of renewals, and each node says
 * them to each other one, so a member has nine letters and no JSON of its own.
 */
#include "mgmt/peers/member_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "record/fields.h"
#include "weir/json.h"

#define LETTERS  9u /* of a member: eight of its key, one of its age */
#define KEY_BITS 48u
#define AGE_MS   250u /* a step of the age */

_Static_assert(MEMBER_WORDS_MS / AGE_MS < 64, "an age is one letter");

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* @param age  in steps of AGE_MS, rounded up: a renewal never seems later than it was */
static void write_one(uint64_t key, uint64_t age, char *out)
{
	for (unsigned i = 0; i < LETTERS - 1; i++)
		out[i] = letters[key >> (KEY_BITS - 6 * (i + 1)) & 63];
	out[LETTERS - 1] = letters[age];
}

#define RENEWED_ROWS(X, t) X(t, const char *, renewed)
RECORD_SHOWN(renewed_members, "members that were renewed", RENEWED_ROWS);

json_t *member_words_to_json(const struct member_list *members, uint64_t now_ms)
{
	char *text = malloc(members->n * LETTERS + 1);
	size_t n = 0;

	for (size_t i = 0; text && i < members->n; i++) {
		const struct member *m = members->items[i];
		uint64_t age_ms = now_ms - m->renewed_ms;

		if (m->ttl_s && m->renewed_ms && age_ms < MEMBER_WORDS_MS)
			write_one(m->key, (age_ms + AGE_MS - 1) / AGE_MS, text + LETTERS * n++);
	}
	if (!text)
		return NULL;
	text[LETTERS * n] = '\0';
	json_t *words = SHOWN(renewed_members, .renewed = text);

	free(text);
	return words;
}

/* @return 64: it is no letter */
static unsigned read_letter(char c)
{
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (unsigned)(at - letters) : 64;
}

/* @param true_ms  by this node's clock; what was heard before that clock began has its first millisecond */
static bool read_one(const char *text, uint64_t true_ms, struct member_heard *out)
{
	unsigned age = read_letter(text[LETTERS - 1]);

	out->key = 0;
	for (unsigned i = 0; i < LETTERS - 1; i++) {
		unsigned letter = read_letter(text[i]);

		if (letter > 63)
			return false;
		out->key = out->key << 6 | letter;
	}
	out->heard_ms = true_ms > age * AGE_MS ? true_ms - age * AGE_MS : 1;
	return age <= 63;
}

int member_words_read(const json_t *words, uint64_t true_ms, struct member_heard **out, size_t *n)
{
	const char *text = json_get_text(words, "renewed");
	size_t length = text ? strlen(text) : 1, n_read = 0;

	if (length % LETTERS || length / LETTERS > MEMBERS_KNOWN_MAX)
		return -EINVAL;
	struct member_heard *list = malloc((length / LETTERS + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	while (n_read < length / LETTERS &&
	       read_one(text + n_read * LETTERS, true_ms, &list[n_read]))
		n_read++;
	if (n_read < length / LETTERS) {
		free(list);
		return -EINVAL;
	}
	qsort(list, n_read, sizeof(*list), sorted_by_u64);
	*out = list;
	*n = n_read;
	return 0;
}
