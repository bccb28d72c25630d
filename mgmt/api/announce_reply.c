/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer is another release, or not what it says it is: what is malformed in one place is refused
 * whole, and a word that is not known means neither yes nor no.
 */
#include "mgmt/api/announce_reply.h"

#include <errno.h>
#include <string.h>

#include "mgmt/api/announce_own.h"
#include "weir/announce.h"

static bool has_text(const json_t *object, const char *name, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && !strcmp(text, expected);
}

static bool is_digest(const char *text)
{
	return text && strlen(text) == ANNOUNCE_OWN_HEX_MAX - 1 &&
	       strspn(text, "0123456789abcdef") == ANNOUNCE_OWN_HEX_MAX - 1;
}

/* @return whether the digest fits the addresses: they are there, or known already */
static bool read_state(const json_t *json, const char *known, struct announce_reply *a)
{
	a->state = json_string_value(json_object_get(json, "state"));
	a->addresses = json_object_get(json, "addresses");
	if (!is_digest(a->state))
		return false;
	if (!a->addresses)
		return !strcmp(a->state, known);
	return json_is_object(a->addresses) && json_object_size(a->addresses) <= ANNOUNCED_MAX;
}

/* @return whether the age is one; null: there is no page */
static bool read_age(const json_t *age, struct announce_reply *a)
{
	json_int_t age_ms = json_integer_value(age);

	a->has_age = json_is_integer(age);
	a->age_ms = a->has_age && age_ms >= 0 ? (uint64_t)age_ms : 0;
	return json_is_null(age) || (a->has_age && age_ms >= 0);
}

int announce_reply_read(const json_t *json, const char *node, const char *cluster,
                        const char *known, size_t n_questions, struct announce_reply *out,
                        const char **reason)
{
	struct announce_reply a = { .words = json_object_get(json, "answers") };

	*reason = "the answer is from another node or cluster";
	if (!has_text(json, "node", node) || !has_text(json, "cluster", cluster))
		return -EINVAL;
	*reason = "the answer is malformed";
	if (!read_age(json_object_get(json, "age_ms"), &a) || !json_is_array(a.words) ||
	    json_array_size(a.words) != n_questions || (a.has_age && !read_state(json, known, &a)))
		return -EINVAL;
	*out = a;
	return 0;
}

enum guard_announced announce_reply_of(const json_t *addresses, const struct addr *address)
{
	char text[ADDR_TEXT_MAX];
	const json_t *word = json_object_get(addresses, addr_text(address, text));

	if (!word)
		return GUARD_NOT_ANNOUNCED;
	return json_is_string(word) && !strcmp(json_string_value(word), ANNOUNCE_OWN_YES)
	               ? GUARD_ANNOUNCED
	               : GUARD_ANNOUNCED_UNKNOWN;
}

bool announce_reply_confirms(const json_t *word)
{
	const char *text = json_string_value(word);

	return text && !strcmp(text, announce_answer_label(ANNOUNCE_ANSWER_CONFIRMED));
}
